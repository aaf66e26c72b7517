/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and routes of sessions: longest match and ownership, against a plain list. */
#include "iptab.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 40, STEPS = 100000, LOOKUPS = 8 };

static uint32_t
addr_of(const char *text)
{
	uint32_t addr;

	assert_true(ip4_parse(text, &addr));
	return addr;
}

static void
longest_match(void **state)
{
	(void)state;
	assert_int_equal(iptab_add(addr_of("10.0.0.0"), 8, 1), 0);
	assert_int_equal(iptab_add(addr_of("10.1.0.0"), 16, 2), 0);
	assert_int_equal(iptab_add(addr_of("10.1.0.0"), 17, 3), 0);
	assert_int_equal(iptab_add(addr_of("10.1.0.0"), 32, 4), 0);
	assert_int_equal(iptab_add(addr_of("128.0.0.0"), 1, 5), 0);
	assert_int_equal(iptab_lookup(addr_of("10.1.0.0")), 4);
	assert_int_equal(iptab_lookup(addr_of("10.1.127.255")), 3);
	assert_int_equal(iptab_lookup(addr_of("10.1.128.0")), 2);
	assert_int_equal(iptab_lookup(addr_of("10.2.0.0")), 1);
	assert_int_equal(iptab_lookup(addr_of("255.255.255.255")), 5);
	assert_int_equal(iptab_lookup(addr_of("11.0.0.0")), 0);
	assert_int_equal(iptab_exact(addr_of("10.1.0.0"), 16), 2);
	assert_int_equal(iptab_exact(addr_of("10.1.0.0"), 15), 0);
	iptab_del(addr_of("10.1.0.0"), 17, 3);
	assert_int_equal(iptab_lookup(addr_of("10.1.127.255")), 2);
	iptab_del(addr_of("10.0.0.0"), 8, 1);
	iptab_del(addr_of("10.1.0.0"), 16, 2);
	iptab_del(addr_of("10.1.0.0"), 32, 4);
	iptab_del(addr_of("128.0.0.0"), 1, 5);
	assert_int_equal(iptab_count(), 0);
	assert_int_equal(iptab_lookup(addr_of("10.1.0.0")), 0);
}

static void
one_owner(void **state)
{
	uint32_t addr = addr_of("10.0.0.1");

	(void)state;
	assert_int_equal(iptab_add(addr, 32, 1), 0);
	assert_int_equal(iptab_add(addr, 32, 1), 0);
	assert_int_equal(iptab_add(addr, 32, 2), -1);
	iptab_del(addr, 32, 2);
	assert_int_equal(iptab_lookup(addr), 1);
	iptab_del(addr, 32, 1);
	iptab_del(addr, 32, 1);
	assert_int_equal(iptab_count(), 0);
	assert_int_equal(iptab_add(addr, 32, 2), 0);
	iptab_del(addr, 32, 2);
}

/* Whatever its length, a network is one entry, and is found by each address in it and no other. */
static void
a_network_is_one_entry(void **state)
{
	uint32_t net = ntohl(addr_of("10.16.0.0")), i;
	unsigned int len;

	(void)state;
	for (len = 8; len < 32; len++) {
		uint32_t first = htonl(net) & ip4_mask(len), size = 1u << (32 - len);

		assert_int_equal(iptab_add(first, len, 7), 0);
		assert_int_equal(iptab_count(), 1);
		for (i = 0; i < size; i += 1 + size / 70000)
			assert_int_equal(iptab_lookup(htonl(ntohl(first) + i)), 7);
		assert_int_equal(iptab_lookup(htonl(ntohl(first) + size - 1)), 7);
		assert_int_equal(iptab_lookup(htonl(ntohl(first) + size)), 0);
		assert_int_equal(iptab_lookup(htonl(ntohl(first) - 1)), 0);
		iptab_del(first, len, 7);
		assert_int_equal(iptab_count(), 0);
		assert_int_equal(iptab_lookup(first), 0);
	}
}

static void
full(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ROOM; i++)
		assert_int_equal(iptab_add(htonl(i + 1), 32, 1), 0);
	assert_int_equal(iptab_add(htonl(i + 1), 32, 1), -1);
	assert_int_equal(iptab_lookup(htonl(i + 1)), 0);
	for (i = 0; i < ROOM; i++)
		iptab_del(htonl(i + 1), 32, 1);
	assert_int_equal(iptab_count(), 0);
}

/* ---- the list ---- */

static struct row {
	uint32_t addr;
	unsigned int len;
	sess_id s; /* 0: free */
} rows[ROOM];

static struct row *
find(uint32_t addr, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < ROOM; i++)
		if (rows[i].s && rows[i].addr == addr && rows[i].len == len)
			return &rows[i];
	return NULL;
}

static sess_id
lookup(uint32_t addr)
{
	const struct row *best = NULL;
	unsigned int i;

	for (i = 0; i < ROOM; i++)
		if (rows[i].s && (addr & ip4_mask(rows[i].len)) == rows[i].addr &&
		    (!best || rows[i].len > best->len))
			best = &rows[i];
	return best ? best->s : 0;
}

/* Few bits, so that prefixes lie in one another. */
static uint32_t
some_addr(void)
{
	return htonl(((uint32_t)random() & 3) << 30 | ((uint32_t)random() & 7) << 14 |
		     ((uint32_t)random() & 3));
}

static void
add(uint32_t addr, unsigned int len, sess_id s)
{
	struct row *r = find(addr, len);
	unsigned int i;

	if (r) {
		assert_int_equal(iptab_add(addr, len, s), r->s == s ? 0 : -1);
		return;
	}
	for (i = 0; i < ROOM && rows[i].s; i++)
		continue;
	assert_int_equal(iptab_add(addr, len, s), i < ROOM ? 0 : -1);
	if (i < ROOM)
		rows[i] = (struct row){ .addr = addr, .len = len, .s = s };
}

static void
del(uint32_t addr, unsigned int len, sess_id s)
{
	struct row *r = find(addr, len);

	iptab_del(addr, len, s);
	if (r && r->s == s)
		r->s = 0;
}

static void
random_run_against_the_list(void **state)
{
	unsigned int step, i, len;
	uint32_t addr;

	(void)state;
	srandom(9);
	for (step = 0; step < STEPS; step++) {
		len = (unsigned int)random() % 33;
		addr = some_addr() & ip4_mask(len);
		if (random() % 2)
			add(addr, len, 1 + (sess_id)random() % 3);
		else
			del(addr, len, 1 + (sess_id)random() % 3);
		for (i = 0; i < LOOKUPS; i++) {
			addr = some_addr();
			assert_int_equal(iptab_lookup(addr), lookup(addr));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_match),
		cmocka_unit_test(one_owner),
		cmocka_unit_test(a_network_is_one_entry),
		cmocka_unit_test(full),
		cmocka_unit_test(random_run_against_the_list),
	};

	iptab_init(ROOM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
