/*
 * The loop of the test LAC: epoll over a few sockets, one batch in, one batch out, timers of one
 * millisecond, and "pumps" that feed work in (new calls, load) at their own rate. Commands run
 * inside net_until(), which returns when what they wait for has happened.
 */
#include "net.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "chan.h"
#include "timer.h"

enum { MAX_PUMPS = 8, MAX_WATCH = 4096, READ_ROUNDS = 4 };

uint32_t net_loss_tx, net_loss_rx, net_twice;
uint32_t net_lazy_us;
struct tx_batch *net_tx;
volatile sig_atomic_t net_stop;

static struct rx_batch *rx;
static struct sock *socks;
static bool take_gro;
static int ep;
static bool (*pumps[MAX_PUMPS])(int *wait_ms);
static void (*watchers[MAX_WATCH])(int fd); /* by descriptor */
static struct sock *sock_by_fd[MAX_WATCH * 16];

void
net_init(bool gro)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	take_gro = gro;
	rx = rx_new();
	net_tx = tx_new();
	clock_update();
}

static void
watch_fd(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data = { .fd = fd } };

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

struct sock *
net_sock(struct in_addr local, uint16_t port, bool own)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = local };
	struct sock *k;
	socklen_t len = sizeof(sin);

	sin.sin_port = htons(port);
	for (k = socks; k && !own; k = k->next) {
		if (!k->own && k->local.sin_addr.s_addr == local.s_addr &&
		    (!port || k->local.sin_port == sin.sin_port))
			return k;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->fd = udp_open(&sin, take_gro);
	if (k->fd < 0 || k->fd >= (int)(sizeof(sock_by_fd) / sizeof(sock_by_fd[0]))) {
		if (k->fd >= 0) {
			close(k->fd);
			errno = EMFILE;
		}
		free(k);
		return NULL;
	}
	getsockname(k->fd, (struct sockaddr *)&sin, &len);
	k->local = sin;
	k->own = own;
	k->next = socks;
	socks = k;
	sock_by_fd[k->fd] = k;
	watch_fd(k->fd);
	return k;
}

void
net_sock_close(struct sock *k)
{
	struct sock **link = &socks;

	while (*link != k)
		link = &(*link)->next;
	*link = k->next;
	tx_flush(net_tx);
	sock_by_fd[k->fd] = NULL;
	close(k->fd);
	free(k);
}

uint64_t
net_drops(void)
{
	uint64_t sum = 0;
	struct sock *k;

	for (k = socks; k; k = k->next)
		sum += udp_drops(k->fd);
	return sum;
}

bool
net_lose(uint32_t per_million)
{
	return per_million && (uint32_t)(random() % 1000000) < per_million;
}

void
net_watch(int fd, void (*ready)(int fd))
{
	if (fd >= MAX_WATCH)
		abort();
	watchers[fd] = ready;
	watch_fd(fd);
}

void
net_unwatch(int fd)
{
	epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
	watchers[fd] = NULL;
}

void
net_pump(bool (*pump)(int *wait_ms))
{
	int i;

	for (i = 0; i < MAX_PUMPS; i++) {
		if (pumps[i] == pump)
			return;
		if (!pumps[i]) {
			pumps[i] = pump;
			return;
		}
	}
	abort();
}

static void
run_pumps(int *wait_ms)
{
	int i, kept = 0;
	bool (*all[MAX_PUMPS])(int *);

	for (i = 0; i < MAX_PUMPS; i++) {
		all[i] = pumps[i];
		pumps[i] = NULL;
	}
	for (i = 0; i < MAX_PUMPS && all[i]; i++) {
		if (all[i](wait_ms))
			pumps[kept++] = all[i];
	}
}

static void
read_sock(struct sock *k)
{
	struct datagram d;
	int round, n = BATCH_SIZE;

	for (round = 0; round < READ_ROUNDS && n == BATCH_SIZE; round++) {
		n = rx_read(rx, k->fd);
		while (rx_next(rx, &d)) {
			if (!net_lose(net_loss_rx))
				l2tp_input(k, &d);
		}
	}
}

static void
dispatch(int fd)
{
	if (sock_by_fd[fd])
		read_sock(sock_by_fd[fd]);
	else if (fd < MAX_WATCH && watchers[fd])
		watchers[fd](fd);
}

void
net_turn(int wait_ms)
{
	struct epoll_event ev[64];
	int i, n;

	run_pumps(&wait_ms);
	chan_flush_acks();
	tx_flush(net_tx);
	if (net_lazy_us && wait_ms)
		usleep(net_lazy_us);
	n = epoll_wait(ep, ev, 64, wait_ms ? timer_wait(wait_ms) : 0);
	clock_update();
	for (i = 0; i < n; i++)
		dispatch(ev[i].data.fd);
	timer_run();
	tx_flush(net_tx);
}

bool
net_until(bool (*done)(void *), void *arg, uint64_t timeout_ms)
{
	uint64_t start, passed;

	clock_update();
	start = now_us;
	while (!done(arg)) {
		passed = (now_us - start) / 1000;
		if (net_stop || (timeout_ms && passed >= timeout_ms))
			return false;
		net_turn(timeout_ms && timeout_ms - passed < 50 ? (int)(timeout_ms - passed) : 50);
	}
	return true;
}
