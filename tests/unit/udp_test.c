/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The L2TP sockets over loopback, as a cluster needs them: by which number an address is
 * reached, and what goes out in front of a packet.
 */
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "udp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIRST = 0x0100007f, SECOND = 0x0200007f, OTHER = 0x0300007f }; /* 127.0.0.x */

static struct config config;
const struct config *conf = &config;
static unsigned int flushes;
static int peer;
static uint16_t peer_port;

int
loop_add(int fd, loop_fn fn, void *arg)
{
	(void)fd;
	(void)fn;
	(void)arg;
	return 0;
}

void
loop_del(int fd)
{
	(void)fd;
}

uint32_t
loop_now_ds(void)
{
	return 0;
}

/* Nothing has left yet when it is called. */
static void
before(void)
{
	char c;

	flushes++;
	assert_int_equal(recv(peer, &c, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

static void
no_input(struct pkt *pkts, unsigned int n)
{
	(void)pkts;
	(void)n;
}

static void
open_peer(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = OTHER };
	socklen_t size = sizeof(sin);

	peer = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(peer, (const struct sockaddr *)&sin, size), 0);
	assert_int_equal(getsockname(peer, (struct sockaddr *)&sin, &size), 0);
	peer_port = ntohs(sin.sin_port);
}

static void
hear(unsigned int n)
{
	char buf[8];

	while (n-- > 0)
		assert_int_equal(recv(peer, buf, sizeof(buf), 0), 1);
	assert_int_equal(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), -1);
}

static void
start(const uint32_t *addrs, unsigned int n)
{
	char why[256];

	assert_int_equal(udp_init(addrs, n, 0, no_input, why, sizeof(why)), 0);
}

static void
numbers_of_addresses(void **state)
{
	const uint32_t addrs[] = { FIRST, SECOND };
	int first, second;

	(void)state;
	start(addrs, 2);
	first = udp_local_of(FIRST);
	second = udp_local_of(SECOND);
	assert_int_not_equal(first, second);
	assert_int_equal(udp_local_of(FIRST), first);
	assert_int_equal(udp_local_address((uint8_t)first), FIRST);
	assert_int_equal(udp_local_index((uint8_t)second), 1);
	assert_int_equal(udp_local_of(OTHER), -1);
	udp_fini();
}

/* A socket on all addresses has a number for each. */
static void
numbers_of_any_address(void **state)
{
	const uint32_t any = 0;
	int other;

	(void)state;
	start(&any, 1);
	other = udp_local_of(OTHER);
	assert_in_range(other, 0, 254);
	assert_int_equal(udp_local_address((uint8_t)other), OTHER);
	udp_fini();
}

/* Also when a full batch leaves early; not when there is nothing to send. */
static void
something_goes_in_front(void **state)
{
	const uint32_t addr = FIRST;
	unsigned int i;
	uint8_t local;

	(void)state;
	open_peer();
	start(&addr, 1);
	local = (uint8_t)udp_local_of(FIRST);
	udp_before_flush(before);
	udp_flush();
	assert_int_equal(flushes, 0);
	udp_send(local, OTHER, peer_port, "x", 1);
	assert_int_equal(flushes, 0);
	udp_flush();
	assert_int_equal(flushes, 1);
	hear(1);
	for (i = 0; i < UDP_BATCH + 1; i++)
		udp_send(local, OTHER, peer_port, "x", 1);
	assert_int_equal(flushes, 2);
	hear(UDP_BATCH);
	udp_flush();
	assert_int_equal(flushes, 3);
	hear(1);
	udp_fini();
	assert_int_equal(flushes, 3);
	close(peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_addresses),
		cmocka_unit_test(numbers_of_any_address),
		cmocka_unit_test(something_goes_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
