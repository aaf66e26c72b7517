/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The members' socket: batches out and in, what the kernel refuses, who is near. System calls are
 * stand-ins. */
#include "clsock.h"
#include "counter.h"
#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FD = 99,
	GROUP = 0x0d0dc0ef,
	OURS = 0x0100000a,
	THERE = 0x0200000a,
	PORT = 32792,
	MANY = 300
};

static struct {
	uint32_t to, from;
	uint16_t port;
	uint8_t first;
	size_t len;
} sent[MANY];
static unsigned int n_sent, refuse_at = MANY, refuse_until = MANY, tried;
static unsigned int waiting, taken, opened;
static bool loopback, nothing_there;
static int ttl;
static unsigned int index_now;
static uint32_t address_now;
static loop_fn readable;

/* --- stand-ins --- */

int
loop_add(int fd, loop_fn fn, void *arg)
{
	(void)arg;
	assert_int_equal(fd, FD);
	readable = fn;
	return 0;
}

void
loop_del(int fd)
{
	assert_int_equal(fd, FD);
	readable = NULL;
}

int
socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	opened++;
	return FD;
}

int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	(void)addr;
	(void)len;
	return fd == FD ? 0 : -1;
}

int
close(int fd)
{
	opened -= fd == FD;
	return 0;
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)len;
	assert_int_equal(fd, FD);
	if (level == IPPROTO_IP && name == IP_MULTICAST_TTL)
		memcpy(&ttl, value, sizeof(ttl));
	return 0;
}

unsigned int
if_nametoindex(const char *name)
{
	assert_string_equal(name, "among");
	return index_now;
}

int
ioctl(int fd, unsigned long request, ...)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = address_now };
	struct ifreq *r;
	va_list args;

	assert_int_equal(fd, FD);
	assert_int_equal(request, SIOCGIFADDR);
	va_start(args, request);
	r = va_arg(args, struct ifreq *);
	va_end(args);
	assert_string_equal(r->ifr_name, "among");
	memcpy(&r->ifr_addr, &addr, sizeof(addr));
	return address_now ? 0 : -1;
}

int
getifaddrs(struct ifaddrs **list)
{
	static struct sockaddr_in addr, mask;
	static char name[] = "among", other[] = "other";
	static struct ifaddrs one, two;

	addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = OURS };
	mask = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xffffff00) };
	two = one = (struct ifaddrs){
		.ifa_name = nothing_there ? other : name,
		.ifa_flags = IFF_UP | (loopback ? IFF_LOOPBACK : 0),
		.ifa_addr = (void *)&addr,
		.ifa_netmask = (void *)&mask,
	};
	one.ifa_name = other;
	one.ifa_next = &two;
	*list = &one;
	return 0;
}

void
freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	unsigned int i;

	assert_int_equal(fd, FD);
	assert_true(flags & MSG_DONTWAIT);
	for (i = 0; i < n; i++, tried++) {
		struct msghdr *m = &msgs[i].msg_hdr;
		struct sockaddr_in to;
		struct in_pktinfo info;

		if (tried >= refuse_at && tried < refuse_until) {
			errno = EAGAIN;
			tried += i == 0; /* it is not tried again */
			return i ? (int)i : -1;
		}
		memcpy(&to, m->msg_name, sizeof(to));
		memcpy(&info, CMSG_DATA(CMSG_FIRSTHDR(m)), sizeof(info));
		assert_true(n_sent < MANY);
		sent[n_sent].to = to.sin_addr.s_addr;
		sent[n_sent].port = ntohs(to.sin_port);
		sent[n_sent].from = info.ipi_spec_dst.s_addr;
		sent[n_sent].first = *(const uint8_t *)m->msg_iov->iov_base;
		sent[n_sent++].len = m->msg_iov->iov_len;
	}
	return (int)n;
}

int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	unsigned int i;

	(void)flags;
	(void)timeout;
	assert_int_equal(fd, FD);
	if (waiting == 0) {
		errno = EAGAIN;
		return -1;
	}
	n = MIN(n, waiting);
	for (i = 0; i < n; i++) {
		struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = THERE };

		memcpy(msgs[i].msg_hdr.msg_name, &from, sizeof(from));
		memset(msgs[i].msg_hdr.msg_iov->iov_base, (int)(taken + i) & 0xff, 10);
		msgs[i].msg_len = 10;
	}
	waiting -= n;
	return (int)n;
}

static void
input(uint32_t from, const uint8_t *data, size_t len)
{
	assert_int_equal(from, THERE);
	assert_int_equal(len, 10);
	assert_int_equal(data[0], data[9]);
	taken++;
}

/* --- help --- */

static enum clsock_result
open_it(void)
{
	static const struct clsock_config c = { "among", GROUP, PORT, 3, input };
	char why[200];

	return clsock_open(&c, why, sizeof(why));
}

static int
set_up(void **state)
{
	(void)state;
	n_sent = tried = waiting = taken = 0;
	refuse_at = refuse_until = MANY;
	loopback = nothing_there = false;
	index_now = 7;
	address_now = OURS;
	assert_int_equal(open_it(), CLSOCK_OPEN);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clsock_close();
	assert_int_equal(opened, 0);
	return 0;
}

/* --- tests --- */

static void
an_interface_that_is_another_one_is_noticed_once(void **state)
{
	static const struct {
		unsigned int index;
		uint32_t address;
	} row[] = { { 7, 0 }, { 0, 0 }, { 8, 0 }, { 8, OURS }, { 8, THERE } };
	unsigned int i;

	(void)state;
	assert_false(clsock_moved("among"));
	for (i = 0; i < ARRAY_LEN(row); i++) {
		index_now = row[i].index;
		address_now = row[i].address;
		assert_true(clsock_moved("among"));
		assert_false(clsock_moved("among"));
	}
	clsock_close();
	assert_int_equal(open_it(), CLSOCK_OPEN);
	assert_false(clsock_moved("among"));
}

static void
all_leaves_in_order(void **state)
{
	uint8_t buf[100];
	unsigned int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		memset(buf, (int)i, sizeof(buf));
		assert_true(clsock_send(i % 3 ? 0 : THERE, buf, 1 + i % 100));
	}
	assert_int_equal(n_sent, 192); /* whole batches leave by themselves */
	clsock_flush();
	assert_int_equal(n_sent, 200);
	for (i = 0; i < 200; i++) {
		assert_int_equal(sent[i].to, i % 3 ? GROUP : THERE);
		assert_int_equal(sent[i].port, PORT);
		assert_int_equal(sent[i].from, OURS);
		assert_int_equal(sent[i].first, i);
		assert_int_equal(sent[i].len, 1 + i % 100);
	}
	clsock_flush();
	assert_int_equal(n_sent, 200);
}

/* As if it had been lost on its way; the rest is none the worse. */
static void
what_the_kernel_refuses_is_lost_alone(void **state)
{
	uint64_t failed = counters->cluster_send_failed;
	uint8_t octet;
	unsigned int i;

	(void)state;
	refuse_at = 10;
	refuse_until = 13;
	for (octet = 0; octet < 30; octet++)
		assert_true(clsock_send(0, &octet, 1));
	clsock_flush();
	assert_int_equal(n_sent, 27);
	assert_int_equal(counters->cluster_send_failed - failed, 3);
	for (i = 0; i < 27; i++)
		assert_int_equal(sent[i].first, i < 10 ? i : i + 3);
}

static void
long_ones_have_room(void **state)
{
	static uint8_t buf[CLMSG_LARGEST + 1];
	unsigned int i;

	(void)state;
	assert_false(clsock_send(0, buf, sizeof(buf)));
	for (i = 0; i < 100; i++)
		assert_true(clsock_send(0, buf, CLMSG_LARGEST));
	clsock_flush();
	assert_int_equal(n_sent, 100);
	assert_int_equal(sent[99].len, CLMSG_LARGEST);
}

/* A flood leaves time for others. */
static void
a_turn_takes_so_many(void **state)
{
	(void)state;
	waiting = 1000;
	readable(FD, NULL);
	assert_int_equal(taken, 256);
	readable(FD, NULL);
	assert_int_equal(taken, 512);
	waiting = 10;
	readable(FD, NULL);
	assert_int_equal(taken, 522);
}

static void
what_waits_is_thrown_away(void **state)
{
	uint64_t stale = counters->cluster_stale;

	(void)state;
	waiting = 10000;
	clsock_discard();
	assert_int_equal(waiting, 0);
	assert_int_equal(taken, 0);
	assert_int_equal(counters->cluster_stale - stale, 10000);
	waiting = 1000000; /* somebody sends faster than we can read: it ends nevertheless */
	clsock_discard();
	assert_true(waiting > 0);
}

static void
near_is_the_interfaces_own_network(void **state)
{
	(void)state;
	assert_int_equal(clsock_address(), OURS);
	assert_true(clsock_is_near(THERE));
	assert_true(clsock_is_near(htonl(0x0a0000ff)));
	assert_false(clsock_is_near(htonl(0x0a000101)));
	assert_false(clsock_is_near(htonl(0x7f000001)));
	assert_false(clsock_is_near(0));
}

static void
a_multicast_passes_so_many_routers(void **state)
{
	(void)state;
	assert_int_equal(ttl, 3);
	clsock_set_ttl(1);
	assert_int_equal(ttl, 1);
}

static void
nobody_is_on_the_loopback(void **state)
{
	uint8_t octet = 0;

	(void)state;
	loopback = true;
	assert_int_equal(open_it(), CLSOCK_NOBODY);
	loopback = false;
	nothing_there = true;
	assert_int_equal(open_it(), CLSOCK_NOBODY);
	assert_int_equal(opened, 0);
	assert_false(clsock_send(0, &octet, 1));
	clsock_discard();
}

/* An interface may come and go for years. */
static void
it_is_opened_again_and_again(void **state)
{
	unsigned int i;
	uint8_t octet = 7;

	(void)state;
	for (i = 0; i < 1000; i++) {
		clsock_close();
		assert_int_equal(open_it(), CLSOCK_OPEN);
	}
	assert_true(clsock_send(THERE, &octet, 1));
	clsock_flush();
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].first, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_on_the_loopback),
		cmocka_unit_test_setup_teardown(
		    an_interface_that_is_another_one_is_noticed_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_leaves_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_the_kernel_refuses_is_lost_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_ones_have_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_turn_takes_so_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_is_thrown_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    near_is_the_interfaces_own_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_multicast_passes_so_many_routers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_is_opened_again_and_again, set_up, tear_down),
	};

	counter_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
