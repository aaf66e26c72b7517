/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 64 sockets of the RADIUS client, which take turns, and the 256 identifiers of each.
 * The identifiers are taken first in, first out, so that one comes back as late as
 * possible and a late reply meets nobody (RFC 2865 3).
 *
 * One whose request ended while an answer may still come - it had none, it was sent more
 * than once - rests for ten seconds before it is free again. Those that rest stand in one
 * queue, the one that rested longest in front, with one timer. So they cost the same
 * however many they are; and they count as their kind's, so that logins that nobody
 * answers do not take what is accounting's even then.
 *
 * While accounting is on it has a quarter that logins may not take: when all is too much,
 * logins wait. So it is from the first record on, for there are Stops to be sent still when
 * it is switched off.
 *
 * Sockets are opened when their first slot is used, and are not bound to bind_address:
 * cluster members share that one, and a reply to it may reach another member.
 *
 * Called by radius.c and the loop.
 */
#include "rad_sock.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "radattr.h"
#include "radius.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IDS = 256,	      /* of a socket */
	BATCH = 16,	      /* replies taken from a socket by one call */
	TURN_BATCHES = 4,     /* in a turn: in a storm it is long, and there are 64 sockets */
	SOCKET_RETRY_SEC = 5, /* before opening a socket is tried again */
	REST_SEC = 10,	      /* behind the end of the request */
	WAKE_BATCH = 512,     /* that have rested, in a turn */
};

struct sock {
	int fd;		   /* -1: closed */
	bool stale;	   /* bound as is not configured any more: to be opened again when empty */
	uint16_t used;	   /* slots, those included that rest */
	uint8_t head;	   /* of ids[], the next to be used */
	uint8_t ids[IDS];  /* the free ones, in the order they are to be used */
	uint64_t retry_ms; /* loop clock before which opening is not tried */
};

/* A slot that rests. */
struct rest {
	uint64_t until_ms; /* loop clock */
	uint16_t next;	   /* slot + 1; 0: last */
	uint8_t kind;	   /* enum rad_kind */
};

struct shared {
	uint32_t used, resting;
};

static struct shared *shared;
static struct sock socks[RADIUS_SOCKETS];
static unsigned int current;		/* the socket that slots are taken of */
static unsigned int taken[RAD_KINDS];	/* slots, those included that rest */
static bool accounted;			/* a record has asked for a slot */
static struct rest rests[RADIUS_SLOTS]; /* by slot */
static uint16_t rest_head, rest_tail;	/* slot + 1; 0: none */
static struct timer rest_timer;
static rad_sock_input_fn on_input;

static void on_readable(int fd, void *arg);

/* Binds within the configured range; socket i tries every 64th port from the i-th on. */
static int
bind_in_range(int fd, unsigned int i)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	unsigned int port;

	for (port = conf->radius_bind_min + i; port <= conf->radius_bind_max;
	     port += RADIUS_SOCKETS) {
		sin.sin_port = htons((uint16_t)port);
		if (bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

static int
open_socket(unsigned int i)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if ((conf->radius_bind_max && bind_in_range(fd, i) < 0) ||
	    loop_add(fd, on_readable, &socks[i]) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
close_socket(struct sock *sock)
{
	if (sock->fd < 0)
		return;
	loop_del(sock->fd);
	close(sock->fd);
	sock->fd = -1;
}

/* Whether the socket can take one more request; opens it if need be. */
static bool
socket_ready(unsigned int i)
{
	struct sock *sock = &socks[i];

	if (sock->stale && sock->used == 0)
		close_socket(sock);
	if (sock->fd >= 0)
		return !sock->stale;
	if (loop_now_ms() < sock->retry_ms)
		return false;
	sock->fd = open_socket(i);
	sock->stale = false;
	if (sock->fd >= 0)
		return true;
	sock->retry_ms = loop_now_ms() + SEC(SOCKET_RETRY_SEC);
	plog_limit(LOG_ERROR, "RADIUS: cannot open socket %u: %s", i, strerror(errno));
	return false;
}

/* The ports are configured otherwise: sockets take no more requests until they are empty and opened
 * again. */
static void
bind_changed(void)
{
	unsigned int i;

	for (i = 0; i < RADIUS_SOCKETS; i++) {
		socks[i].stale = true;
		socks[i].retry_ms = 0;
	}
	if (conf->radius_bind_max &&
	    conf->radius_bind_max - conf->radius_bind_min + 1 < RADIUS_SOCKETS)
		plog(LOG_WARNING,
		    "radius_bind_min..max: %d ports are wanted, less serve fewer requests",
		    RADIUS_SOCKETS);
}

/* How many requests of a kind there may be: a quarter for accounting, also of the fewer sockets
 * that fit into a narrow range of ports. */
unsigned int
rad_sock_most(enum rad_kind kind)
{
	unsigned int ports = conf->radius_bind_max
				 ? conf->radius_bind_max - conf->radius_bind_min + 1
				 : RADIUS_SOCKETS;
	unsigned int all = MIN(ports, (unsigned int)RADIUS_SOCKETS) * IDS, acct = all / 4;

	if (kind == RAD_KIND_ACCT)
		return acct;
	return conf->radius_accounting || accounted ? all - acct : RADIUS_SLOTS;
}

bool
rad_sock_has_room(enum rad_kind kind)
{
	return taken[kind] < rad_sock_most(kind);
}

static void
next_socket(void)
{
	current = (current + 1) % RADIUS_SOCKETS;
}

int
rad_sock_take(enum rad_kind kind, bool beyond)
{
	struct sock *sock;
	unsigned int n, slot;

	accounted = accounted || (kind == RAD_KIND_ACCT && !beyond);
	if (!rad_sock_has_room(kind) && !beyond)
		return -1;
	/* of one socket until all its identifiers had their turn, or it has no more */
	for (n = 0; n < RADIUS_SOCKETS; n++, next_socket()) {
		sock = &socks[current];
		if (sock->used == IDS || !socket_ready(current))
			continue;
		slot = current * IDS + sock->ids[sock->head++];
		sock->used++;
		shared->used++;
		taken[kind]++;
		if (sock->head == 0)
			next_socket();
		return (int)slot;
	}
	return -1;
}

/* Puts a slot behind the free ones of its socket. */
static void
make_free(unsigned int slot, enum rad_kind kind)
{
	struct sock *sock = &socks[slot / IDS];

	sock->ids[(sock->head + IDS - sock->used) % IDS] = (uint8_t)(slot % IDS);
	sock->used--;
	taken[kind]--;
}

static void
lay_down(unsigned int slot, enum rad_kind kind)
{
	rests[slot] = (struct rest){
		.until_ms = loop_now_ms() + SEC(REST_SEC),
		.kind = (uint8_t)kind,
	};
	if (rest_tail)
		rests[rest_tail - 1].next = (uint16_t)(slot + 1);
	else
		rest_head = (uint16_t)(slot + 1);
	rest_tail = (uint16_t)(slot + 1);
	shared->resting++;
	if (!timer_running(&rest_timer))
		timer_set(&rest_timer, SEC(REST_SEC));
}

/* The one that rested longest is free again. */
static void
wake(void)
{
	unsigned int slot = rest_head - 1u;

	rest_head = rests[slot].next;
	if (!rest_head)
		rest_tail = 0;
	shared->resting--;
	make_free(slot, (enum rad_kind)rests[slot].kind);
}

static void
on_rested(uint32_t unused)
{
	uint64_t now = loop_now_ms(), until;
	unsigned int n;

	(void)unused;
	for (n = 0; n < WAKE_BATCH && rest_head && rests[rest_head - 1].until_ms <= now; n++)
		wake();
	if (!rest_head)
		return;
	until = rests[rest_head - 1].until_ms;
	timer_set(&rest_timer, until > now ? until - now : MS(TIMER_TICK_MS));
}

void
rad_sock_give(unsigned int slot, enum rad_kind kind, bool rest)
{
	shared->used--;
	if (rest)
		lay_down(slot, kind);
	else
		make_free(slot, kind);
}

void
rad_sock_send(unsigned int slot, const struct rad_dest *d, const uint8_t *packet, size_t len)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = d->ip,
		.sin_port = htons(d->port),
	};

	COUNT(radius_sent);
	if (sendto(socks[slot / IDS].fd, packet, len, 0, (const struct sockaddr *)&sin,
		sizeof(sin)) < 0)
		plog_limit(LOG_WARNING, "RADIUS: sending to %s:%u: %s", ip4_text(d->ip), d->port,
		    strerror(errno));
}

/* True when there may be more. */
static bool
read_batch(int fd, const struct sock *sock)
{
	static uint8_t bufs[BATCH][RAD_MAX_PACKET];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	int i, n;

	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = bufs[i], .iov_len = sizeof(bufs[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &from[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		plog_limit(LOG_WARNING, "RADIUS: receiving: %s", strerror(errno));
	for (i = 0; i < n; i++)
		on_input((unsigned int)(sock - socks), bufs[i], msgs[i].msg_len, &from[i]);
	return n == BATCH;
}

static void
on_readable(int fd, void *arg)
{
	const struct sock *sock = arg;
	unsigned int n;

	for (n = 0; n < TURN_BATCHES && read_batch(fd, sock) && sock->fd == fd; n++)
		;
}

void
rad_sock_poll(void)
{
	unsigned int i;

	for (i = 0; i < RADIUS_SOCKETS; i++)
		if (socks[i].fd >= 0 && socks[i].used > 0)
			on_readable(socks[i].fd, &socks[i]);
}

void
rad_sock_counts(uint32_t *used, uint32_t *resting)
{
	*used = shared->used;
	*resting = shared->resting;
}

void
rad_sock_init(rad_sock_input_fn input)
{
	unsigned int i;

	shared = shm_map("RADIUS identifiers", sizeof(*shared));
	on_input = input;
	for (i = 0; i < RADIUS_SOCKETS; i++)
		socks[i] = (struct sock){ .fd = -1 };
	for (i = 0; i < RADIUS_SLOTS; i++)
		socks[i / IDS].ids[i % IDS] = (uint8_t)(i % IDS);
	current = 0;
	timer_init(&rest_timer, on_rested, 0);
	config_on_change("radius_bind_min", bind_changed);
	config_on_change("radius_bind_max", bind_changed);
	bind_changed();
}

void
rad_sock_fini(void)
{
	unsigned int i;

	timer_stop(&rest_timer);
	while (rest_head)
		wake();
	accounted = false;
	for (i = 0; i < RADIUS_SOCKETS; i++)
		close_socket(&socks[i]);
}
