/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address pool: what a file may say, which addresses are given, and a long
 * random run against a model that keeps a plain record for every address.
 */
#include "ippool.h"
#include "counter.h"
#include "loop.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENTRIES = 24 };

static char file[] = "/tmp/ippool_test.XXXXXX";
static char errors[4096];
static uint32_t now_ds = 1000;

uint32_t
loop_now_ds(void)
{
	return now_ds;
}

static void
on_error(const char *line)
{
	assert_memory_equal(line, file, strlen(file));
	line += strlen(file);
	snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s\n", line);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
	errors[0] = '\0';
}

static int
read_text_as(const char *text, const char *our)
{
	uint32_t addr = 0;
	int result;

	assert_true(!our || ip4_parse(our, &addr));
	write_file(text);
	result = ippool_stage(file, &addr, our ? 1 : 0, on_error);
	ippool_commit();
	return result;
}

static int
read_text(const char *text)
{
	return read_text_as(text, NULL);
}

static uint32_t
addr_of(const char *text)
{
	uint32_t addr;

	assert_true(ip4_parse(text, &addr));
	return addr;
}

static void
assert_addr(uint32_t addr, const char *text)
{
	assert_string_equal(ip4_text(addr), text);
}

static void
assert_counts(uint64_t want_free, uint64_t want_used)
{
	uint64_t free_count, used_count;

	ippool_counts(&free_count, &used_count);
	assert_int_equal(free_count, want_free);
	assert_int_equal(used_count, want_used);
}

/* Nothing used, nothing remembered. */
static int
clean(void **state)
{
	uint32_t pos = 0;
	struct ippool_row row;

	(void)state;
	while (ippool_row(&pos, &row))
		if (row.s)
			ippool_give(row.addr, row.s);
	ippool_reserve(NULL, 0);
	assert_int_equal(read_text("# none\n"), 0);
	pos = 0;
	assert_false(ippool_row(&pos, &row));
	assert_counts(0, 0);
	return 0;
}

static void
edges_are_not_given(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/30\n10.0.1.0/31\n10.0.2.5\n10.0.3.0/32\n"), 0);
	assert_counts(6, 0);
	assert_false(ippool_has(addr_of("10.0.0.0")));
	assert_false(ippool_has(addr_of("10.0.0.3")));
	assert_addr(ippool_take(NULL, "a", 1), "10.0.0.1");
	assert_addr(ippool_take("", "b", 2), "10.0.0.2");
	assert_addr(ippool_take("", "c", 3), "10.0.1.0");
	assert_addr(ippool_take("", "d", 4), "10.0.1.1");
	assert_addr(ippool_take("", "e", 5), "10.0.2.5");
	assert_addr(ippool_take("", "f", 6), "10.0.3.0");
	assert_int_equal(ippool_take("", "g", 7), 0);
	assert_counts(0, 6);
}

static void
user_gets_his_address_again(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/29"), 0);
	assert_addr(ippool_take("", "a", 1), "10.0.0.1");
	assert_addr(ippool_take("", "b", 2), "10.0.0.2");
	ippool_give(addr_of("10.0.0.1"), 1);
	assert_addr(ippool_take("", "c", 3), "10.0.0.3");
	assert_addr(ippool_take("", "a", 4), "10.0.0.1");
	assert_addr(ippool_take("", "a", 5), "10.0.0.4"); /* his is in use: another one */
}

static void
longest_free_comes_next(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/30"), 0);
	ippool_take("", "a", 1);
	ippool_take("", "b", 2);
	ippool_give(addr_of("10.0.0.2"), 2);
	ippool_give(addr_of("10.0.0.1"), 1);
	assert_addr(ippool_take("", "c", 3), "10.0.0.2");
	assert_addr(ippool_take("", "b", 4), "10.0.0.1");
}

static void
only_the_holder_gives(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/30"), 0);
	ippool_take("", "a", 1);
	ippool_give(addr_of("10.0.0.1"), 2);
	ippool_give(addr_of("10.0.0.2"), 2);
	ippool_give(addr_of("192.168.0.1"), 1);
	ippool_give(addr_of("10.0.0.1"), 0);
	assert_counts(1, 1);
	ippool_give(addr_of("10.0.0.1"), 1);
	ippool_give(addr_of("10.0.0.1"), 1);
	assert_counts(2, 0);
}

static void
claims(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/29"), 0);
	assert_int_equal(ippool_claim(addr_of("10.0.0.1"), "a", 1), 0);
	assert_int_equal(ippool_claim(addr_of("10.0.0.1"), "a", 1), 0);
	assert_int_equal(ippool_claim(addr_of("10.0.0.1"), "b", 2), -1);
	assert_int_equal(ippool_claim(addr_of("10.0.0.0"), "b", 2), 0);
	assert_int_equal(ippool_claim(addr_of("172.16.0.1"), "b", 2), 0);
	assert_counts(5, 1);
	assert_addr(ippool_take("", "b", 2), "10.0.0.2");
	ippool_give(addr_of("10.0.0.1"), 1);
	assert_int_equal(ippool_claim(addr_of("10.0.0.1"), "c", 3), 0);
	assert_addr(ippool_take("", "a", 4), "10.0.0.3"); /* it is not his any more */
}

static void
named_pools(void **state)
{
	struct ippool_net net;

	(void)state;
	assert_int_equal(read_text("10.0.0.0/30\npool gold 10.1.0.0/30 # precious\n"
				   "\tpool\tiron 10.2.0.1\r\npool gold 10.3.0.1\n"),
	    0);
	assert_addr(ippool_take("gold", "a", 1), "10.1.0.1");
	assert_addr(ippool_take("gold", "b", 2), "10.1.0.2");
	assert_addr(ippool_take("gold", "c", 3), "10.3.0.1");
	assert_int_equal(ippool_take("gold", "d", 4), 0);
	assert_int_equal(ippool_take("lead", "d", 4), 0);
	assert_addr(ippool_take("iron", "a", 5), "10.2.0.1");
	assert_addr(ippool_take("", "a", 6), "10.0.0.1");
	ippool_give(addr_of("10.1.0.2"), 2);
	ippool_give(addr_of("10.1.0.1"), 1);
	ippool_give(addr_of("10.2.0.1"), 5);
	assert_addr(ippool_take("gold", "a", 7), "10.1.0.1"); /* not the one of iron */
	assert_true(ippool_net(3, &net));
	assert_string_equal(net.name, "gold");
	assert_int_equal(net.len, 32);
	assert_addr(net.addr, "10.3.0.1");
	assert_false(ippool_net(4, &net));
}

static void
networks_inside_others(void **state)
{
	uint32_t addr = 0, seen = 0;

	(void)state;
	assert_int_equal(
	    read_text("10.0.0.0/28\npool gold 10.0.0.4/30\n10.0.0.0/28\n10.0.0.7\n"), 0);
	/* 16 but for 0 and 15, four of gold; of those not 4, and 7 has a line of its own */
	assert_counts(14 - 4 + 2 + 1, 0);
	assert_addr(ippool_take("gold", "a", 1), "10.0.0.5");
	assert_addr(ippool_take("gold", "b", 2), "10.0.0.6");
	assert_int_equal(ippool_take("gold", "c", 3), 0);
	while ((addr = ippool_take("", NULL, 9))) {
		addr = ntohl(addr) & 15;
		assert_false(seen & 1u << addr);
		seen |= 1u << addr;
	}
	assert_int_equal(seen, 0x7f8e);
	assert_counts(0, 13);
}

static void
lines_for_other_members(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text_as(
		"1.1.1.1:10.0.0.1\n2.2.2.2: 10.0.0.2\n 2.2.2.2:pool gold 10.0.0.3\n", "2.2.2.2"),
	    0);
	assert_addr(ippool_take("", "a", 1), "10.0.0.2");
	assert_int_equal(ippool_take("", "a", 2), 0);
	assert_addr(ippool_take("gold", "a", 2), "10.0.0.3");
}

static void
host_bits_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.77/24\n10.0.0.77/0\n"), 1);
	assert_string_equal(errors, ":2: '10.0.0.77/0' is not an address or network\n");
	assert_int_equal(read_text("10.0.0.77/24\n"), 0);
	assert_counts(254, 0);
	assert_addr(ippool_take("", "a", 1), "10.0.0.1");
}

static void
wrong_lines_are_named(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(read_text("10.0.0.1\nfoo\n10.0.0.0/33\n10.0.0.1 10.0.0.2\npool\npool x\n"
				   "pool 10.0.0.0/8\nx: 10.0.0.1\n0.0.0.0\n10.0.0.1/2x\n"
				   "pool aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.2\n"
				   "pool gold 10.0.0.1\n# fine\n\n! fine\n"),
	    11);
	assert_string_equal(errors, ":2: 'foo' is not an address or network\n"
				    ":3: '10.0.0.0/33' is not an address or network\n"
				    ":4: more than one network on the line\n"
				    ":5: pool: what? (pool NAME NETWORK)\n"
				    ":6: '' is not an address or network\n"
				    ":7: pool: what? (pool NAME NETWORK)\n"
				    ":8: 'x' in front of ':' is not an address\n"
				    ":9: 0.0.0.0 cannot be given to anybody\n"
				    ":10: '10.0.0.1/2x' is not an address or network\n"
				    ":11: the name of the pool is longer than 31 characters\n"
				    ":12: the network is in another pool, line 1\n");
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 13, "\n10.0.0.300\n", 13);
	assert_int_equal(read_text(text), 2);
	assert_string_equal(errors, ":1: line is longer than 1022 characters\n"
				    ":2: '10.0.0.300' is not an address or network\n");
}

static void
count_error(const char *line)
{
	assert_string_equal(line, "/tmp: Is a directory");
}

static void
staged_file_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(read_text("10.0.0.0/30\n"), 0);
	assert_addr(ippool_take("", "a", 1), "10.0.0.1");
	write_file("10.5.0.0/24\nfoo\n");
	assert_int_equal(ippool_stage(file, NULL, 0, on_error), 1);
	assert_counts(1, 1);
	assert_false(ippool_has(addr_of("10.5.0.1")));
	assert_int_equal(ippool_stage("/tmp", NULL, 0, count_error), -1);
	ippool_commit();
	assert_int_equal(ippool_stage("/nowhere/ip_pool", NULL, 0, count_error), 0);
	ippool_commit();
	assert_counts(1, 1);
	assert_false(ippool_has(addr_of("10.5.0.1")));
}

static void
new_file_keeps_what_is_in_use(void **state)
{
	uint32_t pos = 0;
	struct ippool_row row;

	(void)state;
	assert_int_equal(read_text("10.0.0.0/30\npool gold 10.1.0.0/30\n"), 0);
	ippool_take("", "a", 1);
	ippool_take("", "b", 2);
	ippool_take("gold", "c", 3);
	ippool_take("gold", "d", 4);
	ippool_give(addr_of("10.0.0.2"), 2);
	ippool_give(addr_of("10.1.0.2"), 4);
	assert_int_equal(read_text("pool gold 10.0.0.0/30\n10.1.0.2\n"), 0);
	assert_counts(2, 1);
	assert_int_equal(
	    ippool_claim(addr_of("10.1.0.1"), "x", 9), -1); /* gone from the file, but in use */
	assert_addr(ippool_take("gold", "b", 5), "10.0.0.2");
	assert_addr(ippool_take("", "d", 6), "10.1.0.2");
	ippool_give(addr_of("10.1.0.1"), 3);
	while (ippool_row(&pos, &row))
		assert_true(row.addr != addr_of("10.1.0.1"));
	assert_counts(0, 3);
	ippool_give(addr_of("10.0.0.1"), 1);
	assert_addr(ippool_take("gold", "a", 7), "10.0.0.1");
}

static void
large_network_costs_nothing(void **state)
{
	uint32_t addr;
	sess_id s;

	(void)state;
	assert_int_equal(read_text("10.0.0.0/8\n"), 0);
	assert_counts((1 << 24) - 2, 0);
	for (s = 1; s < 70000; s++) {
		now_ds++;
		addr = ippool_take("", "a b c", s);
		assert_int_not_equal(addr, 0);
		if (s % 3)
			assert_int_equal(ippool_claim(htonl(0x0a800000 + s), "", s), 0);
		ippool_give(addr, s);
		ippool_give(htonl(0x0a800000 + s), s);
	}
	assert_counts((1 << 24) - 2, 0);
}

static void
full_table_forgets_the_oldest(void **state)
{
	uint32_t addr[ENTRIES], i, pos = 0, first;
	struct ippool_row row;
	char name[8];

	(void)state;
	assert_int_equal(read_text("10.0.0.0/24\n"), 0);
	for (i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		addr[i] = ippool_take("", name, i + 1);
		assert_int_not_equal(addr[i], 0);
	}
	assert_int_equal(ippool_take("", "more", 99), 0); /* no room for another in use */
	assert_int_equal(ippool_claim(addr_of("10.0.0.200"), "more", 99), -1);
	for (i = 0; i < 3; i++, now_ds++)
		ippool_give(addr[i], i + 1);
	first = ippool_take("", "more", 99);
	assert_addr(first, "10.0.0.25");
	while (ippool_row(&pos, &row))
		assert_true(row.addr != addr[0]);
	assert_true(ippool_take("", "u1", 98) == addr[1]);
	assert_true(ippool_take("", "u0", 97) != addr[0]);
}

static void
rows_and_next(void **state)
{
	struct ippool_row row;
	uint32_t pos = 0, addr = 0, n = 0;

	(void)state;
	assert_int_equal(read_text("10.0.0.4/30\n10.0.0.0/29\n10.0.2.0/31\n255.255.255.255\n"), 0);
	ippool_take("", "joe@isp.net", 1);
	assert_true(ippool_row(&pos, &row));
	assert_addr(row.addr, "10.0.0.5");
	assert_int_equal(row.s, 1);
	assert_string_equal(row.user, "joe@isp.net");
	ippool_give(row.addr, 1);
	pos = 0;
	assert_true(ippool_row(&pos, &row));
	assert_int_equal(row.s, 0);
	assert_int_equal(row.freed, now_ds);
	assert_false(ippool_row(&pos, &row));
	for (; (addr = ippool_next(addr)); n++)
		assert_true(ippool_has(addr));
	assert_int_equal(n, 8); /* 1 2 3, 5 6, 0 1, 255 */
}

/* Our own addresses are as if they were not in the file, also when they become ours later. */
static void
own_addresses(void **state)
{
	const uint32_t own[] = { addr_of("10.0.0.1"), addr_of("10.0.0.0"), addr_of("10.0.0.1"),
		addr_of("10.7.0.1") };
	const uint32_t later = addr_of("10.0.0.2");
	uint32_t pos = 0;

	(void)state;
	ippool_reserve(own, ARRAY_LEN(own));
	assert_int_equal(read_text("10.0.0.0/29\npool gold 10.0.1.0/30\n"), 0);
	assert_counts(5 + 2, 0);
	assert_false(ippool_has(own[0]));
	assert_addr(ippool_next(0), "10.0.0.2");
	assert_int_equal(ippool_claim(own[0], "x", 9), 0);
	assert_addr(ippool_take("", "a", 1), "10.0.0.2");
	assert_addr(ippool_take("", "b", 2), "10.0.0.3");
	ippool_give(addr_of("10.0.0.3"), 2);

	ippool_reserve(&later, 1);
	assert_true(ippool_commit());
	assert_false(ippool_commit());
	assert_true(ippool_has(own[0]));
	assert_counts(5 + 2, 0);
	assert_int_equal(ippool_orphan(&pos), 1);
	assert_int_equal(ippool_orphan(&pos), 0);
	ippool_give(later, 1);
	assert_counts(5 + 2, 0);
	assert_addr(ippool_take("", "b", 3), "10.0.0.3");
	assert_addr(ippool_take("", "a", 4), "10.0.0.1");
	assert_addr(ippool_take("", "c", 5), "10.0.0.4");

	ippool_reserve(NULL, 0);
	assert_true(ippool_commit());
	assert_counts(3 + 2, 3);
}

static void
one_pool_only(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("10.0.0.0/24\npool gold 10.0.0.64/26\npool tin 10.1.0.0/30\n"), 0);
	assert_true(ippool_pool_has("", addr_of("10.0.0.63")));
	assert_true(ippool_pool_has(NULL, addr_of("10.0.0.63")));
	assert_false(ippool_pool_has("", addr_of("10.0.0.65")));
	assert_true(ippool_pool_has("gold", addr_of("10.0.0.65")));
	assert_false(ippool_pool_has("gold", addr_of("10.0.0.64")));
	assert_false(ippool_pool_has("gold", addr_of("10.1.0.1")));
	assert_false(ippool_pool_has("silver", addr_of("10.1.0.1")));
	assert_false(ippool_pool_has("", addr_of("10.2.0.1")));
}

/* ---- the model ---- */

enum { UNSEEN, FREE, USED, USERS = 12, POOLS = 2, STEPS = 60000 };

static const char *const pool_names[POOLS] = { "", "gold" };

static struct cell {
	uint32_t addr;
	int pool, state, user;
	sess_id s;
	uint32_t freed;
} cells[64];
static int n_cells, last_of[POOLS][USERS];

static void
model_add(int pool, const char *from, int count)
{
	int i;

	for (i = 0; i < count; i++)
		cells[n_cells++] = (struct cell){
			.addr = htonl(ntohl(addr_of(from)) + (uint32_t)i),
			.pool = pool,
			.user = -1,
		};
}

static int
model_find(uint32_t addr)
{
	int i;

	for (i = 0; i < n_cells; i++)
		if (cells[i].addr == addr)
			return i;
	return -1;
}

static int
count_state(int pool, int state)
{
	int i, n = 0;

	for (i = 0; i < n_cells; i++)
		n += (pool < 0 || cells[i].pool == pool) && cells[i].state == state;
	return n;
}

static int
oldest_free(int pool)
{
	int i, best = -1;

	for (i = 0; i < n_cells; i++)
		if ((pool < 0 || cells[i].pool == pool) && cells[i].state == FREE &&
		    (best < 0 || cells[i].freed < cells[best].freed))
			best = i;
	return best;
}

static void
model_unlink(int i)
{
	if (cells[i].user >= 0 && last_of[cells[i].pool][cells[i].user] == i)
		last_of[cells[i].pool][cells[i].user] = -1;
}

/* Makes room for one more entry. False: all are in use. */
static bool
model_room(void)
{
	int old;

	if (count_state(-1, FREE) + count_state(-1, USED) < ENTRIES)
		return true;
	old = oldest_free(-1);
	if (old < 0)
		return false;
	model_unlink(old);
	cells[old].state = UNSEEN;
	cells[old].user = -1;
	return true;
}

static void
model_use(int i, int user, sess_id s)
{
	model_unlink(i);
	cells[i].state = USED;
	cells[i].user = user;
	cells[i].s = s;
	last_of[cells[i].pool][user] = i;
}

static void
try_take(int pool, int user, const char *name, sess_id s)
{
	uint32_t addr = ippool_take(pool_names[pool], name, s);
	int got = addr ? model_find(addr) : -1;
	int had = last_of[pool][user];

	if (had >= 0 && cells[had].state == FREE) {
		assert_int_equal(got, had);
	} else if (count_state(pool, UNSEEN) > 0 && got >= 0 && cells[got].state == UNSEEN) {
		assert_true(model_room());
	} else if (count_state(pool, UNSEEN) > 0) {
		assert_int_equal(got, -1);
		assert_false(model_room());
	} else {
		assert_int_equal(got, oldest_free(pool));
	}
	if (got >= 0) {
		assert_int_equal(cells[got].pool, pool);
		assert_int_not_equal(cells[got].state, USED);
		model_use(got, user, s);
	}
}

static void
try_claim(int user, const char *name, sess_id s)
{
	uint32_t addr =
	    htonl(0x0a000000 + (uint32_t)(random() % 40) + 256 * (uint32_t)(random() % 4));
	int i = model_find(addr), got = ippool_claim(addr, name, s);

	if (i >= 0 && cells[i].state == USED)
		assert_int_equal(got, -1);
	else if (i >= 0 && cells[i].state == UNSEEN && !model_room())
		assert_int_equal(got, -1);
	else
		assert_int_equal(got, 0);
	if (i >= 0 && got == 0)
		model_use(i, user, s);
}

static void
try_give(void)
{
	int i = (int)(random() % n_cells);

	if (cells[i].state != USED)
		return;
	ippool_give(cells[i].addr, cells[i].s);
	cells[i].state = FREE;
	cells[i].freed = now_ds;
	last_of[cells[i].pool][cells[i].user] = i;
}

/* All rows are the model's, and the other way round. */
static void
compare(void)
{
	uint32_t pos = 0, rows = 0;
	struct ippool_row row;
	char name[8];
	int i;

	while (ippool_row(&pos, &row)) {
		i = model_find(row.addr);
		rows++;
		assert_int_not_equal(i, -1);
		assert_int_equal(cells[i].state, row.s ? USED : FREE);
		assert_int_equal(row.s, cells[i].state == USED ? cells[i].s : 0);
		snprintf(name, sizeof(name), "u%d", cells[i].user);
		assert_string_equal(row.user, name);
	}
	assert_int_equal(rows, count_state(-1, FREE) + count_state(-1, USED));
	assert_counts((uint64_t)(count_state(-1, FREE) + count_state(-1, UNSEEN)),
	    (uint64_t)count_state(-1, USED));
}

static void
random_run_against_the_model(void **state)
{
	const uint32_t own = addr_of("10.0.0.6");
	int step, user, what, eager = 1;
	sess_id s = 0;
	char name[8];

	(void)state;
	srandom(1);
	memset(last_of, -1, sizeof(last_of));
	ippool_reserve(&own, 1);
	assert_int_equal(read_text("10.0.0.0/27\n10.0.1.0/29\npool gold 10.0.0.8/29\n10.0.0.10\n"
				   "pool gold 10.0.3.1\n"),
	    0);
	model_add(0, "10.0.0.1", 5);
	model_add(0, "10.0.0.7", 1);
	model_add(0, "10.0.0.16", 15);
	model_add(0, "10.0.1.1", 6);
	model_add(1, "10.0.0.9", 1);
	model_add(0, "10.0.0.10", 1);
	model_add(1, "10.0.0.11", 4);
	model_add(1, "10.0.3.1", 1);
	for (step = 0; step < STEPS; step++) {
		now_ds++;
		if (step % 500 == 0)
			eager = (int)(random() % 4);
		user = (int)(random() % USERS);
		snprintf(name, sizeof(name), "u%d", user);
		what = (int)(random() % 10);
		if (what <= eager + 2)
			try_take((int)(random() % POOLS), user, name, ++s);
		else if (what == 9)
			try_claim(user, name, ++s);
		else
			try_give();
		compare();
	}
}

#define TEST(name) cmocka_unit_test_setup(name, clean)

/* What another member remembers: not of what is in use, and not over what he had later. */
static void
remembered_elsewhere(void **state)
{
	uint32_t a, b;

	(void)state;
	assert_int_equal(read_text_as("10.5.0.0/28\n", NULL), 0);
	ippool_commit();
	a = htonl(0x0a050009);
	b = htonl(0x0a050003);
	now_ds = 5000;
	ippool_remember(a, "remembered", 4000);
	assert_int_equal(ippool_take("", "remembered", 7), a);
	ippool_remember(a, "thief", 4500);
	ippool_remember(b, "remembered", 4500); /* he has one */
	ippool_give(a, 7);
	assert_int_equal(ippool_take("", "remembered", 8), a);
	ippool_give(a, 8);
	ippool_remember(htonl(0x0b000001), "remembered", 4999); /* not the pool's */
	assert_int_equal(ippool_take("", "remembered", 9), a);
	ippool_give(a, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(edges_are_not_given),
		TEST(user_gets_his_address_again),
		TEST(longest_free_comes_next),
		TEST(only_the_holder_gives),
		TEST(claims),
		TEST(named_pools),
		TEST(networks_inside_others),
		TEST(lines_for_other_members),
		TEST(host_bits_are_ignored),
		TEST(wrong_lines_are_named),
		TEST(own_addresses),
		TEST(one_pool_only),
		TEST(staged_file_changes_nothing),
		TEST(new_file_keeps_what_is_in_use),
		TEST(large_network_costs_nothing),
		TEST(full_table_forgets_the_oldest),
		TEST(rows_and_next),
		TEST(random_run_against_the_model),
		TEST(remembered_elsewhere),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	ippool_init(ENTRIES);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
