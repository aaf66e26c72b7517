/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes in a real kernel: in a network namespace of our own (and a user namespace, so
 * that it needs no root), with the loopback device in place of a tun device.
 */
#include "rtnl.h"
#include "counter.h"
#include "loop.h"
#include "util.h"

#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LOOPBACK = 1, ROOM = 5000, MANY = 3000 };

static uint64_t now_ms = 1000;

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

static uint32_t
addr_of(const char *text)
{
	uint32_t addr;

	assert_true(ip4_parse(text, &addr));
	return addr;
}

/* Runs ip(8); its exit code. */
static int PRINTF_LIKE(1, 2) ip(const char *fmt, ...)
{
	char command[256] = "exec ip ";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command + 8, sizeof(command) - 8, fmt, ap);
	va_end(ap);
	return system(command);
}

/* Routes the kernel has through the device; with `dst` only those to it. */
static unsigned int
count_routes(const char *dst)
{
	unsigned int n = 0, found;
	char line[512], device[32];
	FILE *f = fopen("/proc/self/net/route", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %x", device, &found) == 2 && strcmp(device, "lo") == 0)
			n += !dst || found == addr_of(dst);
	fclose(f);
	return n;
}

static void
flush_all(void)
{
	while (rtnl_waiting() > 0)
		rtnl_flush();
}

static void
device(void **state)
{
	char why[256] = "";

	(void)state;
	assert_int_equal(rtnl_open(why, sizeof(why)), 0);
	assert_int_equal(rtnl_link_up(LOOPBACK, 1400, why, sizeof(why)), 0);
	assert_int_equal(rtnl_addr_add(addr_of("10.0.0.1"), why, sizeof(why)), 0);
	assert_int_equal(ip("link show lo | grep -q 'UP.* mtu 1400'"), 0);
	assert_int_equal(ip("addr show lo | grep -q 10.0.0.1/32"), 0);
	assert_int_equal(rtnl_link_mtu(1300, why, sizeof(why)), 0);
	assert_int_equal(ip("link show lo | grep -q 'mtu 1300'"), 0);
	assert_int_equal(rtnl_link_mtu(1, why, sizeof(why)), 0); /* loopback takes any */
	assert_int_equal(rtnl_link_mtu(1500, why, sizeof(why)), 0);
}

static void
added_and_deleted(void **state)
{
	(void)state;
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	rtnl_route_add(addr_of("10.2.0.7"), 32);
	assert_int_equal(count_routes(NULL), 0);
	assert_int_equal(rtnl_waiting(), 2);
	rtnl_flush();
	assert_int_equal(
	    ip("route show 10.1.0.0/16 | grep -q 'dev lo proto static scope link'"), 0);
	assert_int_equal(count_routes("10.2.0.7"), 1);
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	rtnl_route_del(addr_of("10.2.0.7"), 32);
	rtnl_route_del(addr_of("10.2.0.8"), 32); /* nobody's */
	rtnl_flush();
	assert_int_equal(count_routes(NULL), 0);
	assert_int_equal(counters->netlink_errors, 0);
}

/* What comes and goes before it was sent is nothing. */
static void
cancels_out(void **state)
{
	(void)state;
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	assert_int_equal(rtnl_waiting(), 0);
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	rtnl_flush();
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	assert_int_equal(rtnl_waiting(), 0);
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	rtnl_flush();
	assert_int_equal(count_routes(NULL), 0);
}

/* A route that two want goes with the second. */
static void
wanted_twice(void **state)
{
	(void)state;
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	rtnl_flush();
	rtnl_route_add(addr_of("10.1.0.0"), 16);
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	assert_int_equal(rtnl_waiting(), 0);
	assert_int_equal(count_routes("10.1.0.0"), 1);
	rtnl_route_del(addr_of("10.1.0.0"), 16);
	rtnl_flush();
	assert_int_equal(count_routes(NULL), 0);
}

/* A route of the machine's is neither replaced nor deleted; those beside it are added. */
static void
the_machines_own_stays(void **state)
{
	uint64_t errors = counters->netlink_errors;

	(void)state;
	assert_int_equal(ip("route add blackhole 10.7.0.0/24"), 0);
	rtnl_route_add(addr_of("10.6.0.0"), 24);
	rtnl_route_add(addr_of("10.7.0.0"), 24);
	rtnl_route_add(addr_of("10.8.0.0"), 24);
	rtnl_flush();
	assert_int_equal(rtnl_waiting(), 0);
	assert_int_equal(counters->netlink_errors, errors + 1);
	assert_int_equal(count_routes(NULL), 2);
	assert_int_equal(ip("route show 10.7.0.0/24 | grep -q blackhole"), 0);
	rtnl_route_del(addr_of("10.6.0.0"), 24);
	rtnl_route_del(addr_of("10.7.0.0"), 24);
	rtnl_route_del(addr_of("10.8.0.0"), 24);
	flush_all();
	assert_int_equal(count_routes(NULL), 0);
	assert_int_equal(ip("route show 10.7.0.0/24 | grep -q blackhole"), 0);
	assert_int_equal(ip("route del blackhole 10.7.0.0/24"), 0);
	rtnl_route_add(addr_of("10.7.0.0"), 24); /* a new subscriber: it is asked anew */
	rtnl_flush();
	assert_int_equal(count_routes("10.7.0.0"), 1);
	assert_int_equal(ip("route del 10.7.0.0/24"), 0);
	rtnl_route_del(addr_of("10.7.0.0"), 24); /* somebody was faster: no error */
	rtnl_flush();
	assert_int_equal(counters->netlink_errors, errors + 1);
}

/* As many as there may be, some a turn, and no more than there is room for. */
static void
many(void **state)
{
	uint64_t errors = counters->netlink_errors;
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		rtnl_route_add(htonl(0x0a400000 + i), 32);
	rtnl_flush();
	assert_in_range(count_routes(NULL), 1, MANY / 4);
	flush_all();
	assert_int_equal(count_routes(NULL), MANY);
	for (i = 0; i < MANY; i++)
		rtnl_route_del(htonl(0x0a400000 + i), 32);
	flush_all();
	assert_int_equal(count_routes(NULL), 0);
	assert_int_equal(counters->netlink_errors, errors);
	for (i = 0; i <= ROOM; i++)
		rtnl_route_add(htonl(0x0a400000 + i), 32);
	assert_int_equal(rtnl_waiting(), ROOM);
	assert_int_equal(counters->netlink_errors, errors + 1);
	for (i = 0; i <= ROOM; i++)
		rtnl_route_del(htonl(0x0a400000 + i), 32);
	assert_int_equal(rtnl_waiting(), 0);
}

/* Random changes against a plain record of who wants what. */
static void
random_changes(void **state)
{
	unsigned int wanted[32] = { 0 }, i, round, present = 0;

	(void)state;
	srandom(6);
	for (round = 0; round < 20000; round++) {
		i = (unsigned int)random() % ARRAY_LEN(wanted);
		if (random() % 50 == 0)
			rtnl_flush();
		if (random() % 2) {
			wanted[i]++;
			rtnl_route_add(htonl(0x0a400000 + i), 32);
		} else if (wanted[i] > 0) {
			wanted[i]--;
			rtnl_route_del(htonl(0x0a400000 + i), 32);
		}
	}
	flush_all();
	for (i = 0; i < ARRAY_LEN(wanted); i++)
		present += wanted[i] > 0;
	assert_int_equal(count_routes(NULL), present);
	for (i = 0; i < ARRAY_LEN(wanted); i++)
		while (wanted[i]-- > 0)
			rtnl_route_del(htonl(0x0a400000 + i), 32);
	flush_all();
	assert_int_equal(count_routes(NULL), 0);
}

/* -1 with errno: there are no namespaces for us. */
static int
own_namespace(void)
{
	uid_t uid = geteuid();
	FILE *map;
	bool done;

	if (uid == 0)
		return unshare(CLONE_NEWNET);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	map = fopen("/proc/self/uid_map", "w"); /* root inside, so that ip(8) is too */
	if (!map)
		return -1;
	done = fprintf(map, "0 %u 1\n", (unsigned int)uid) > 0;
	return fclose(map) == 0 && done ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device),
		cmocka_unit_test(added_and_deleted),
		cmocka_unit_test(cancels_out),
		cmocka_unit_test(wanted_twice),
		cmocka_unit_test(the_machines_own_stays),
		cmocka_unit_test(many),
		cmocka_unit_test(random_changes),
	};

	if (own_namespace() < 0) {
		perror("a network namespace");
		return 1;
	}
	rtnl_init(ROOM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
