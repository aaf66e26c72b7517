/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets on a clock that the test turns: rates, bursts, waits, order, and what
 * happens when buckets or cells run out. What is put out is read when the turn ends, as
 * the output batch does. Loop, sessions and addresses are stand-ins.
 */
#include "config.h"
#include "counter.h"
#include "iptab.h"
#include "ippool.h"
#include "loop.h"
#include "tbf.h"
#include "timer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	BUCKETS = 64,
	SESSIONS = 64,
	RUN_MS = 12000,
	WINDOW_MS = 5000,
	TURN_MOST = 40000, /* packets put out in one turn */
	LOCAL_NET = 10,
};

/* In front of each packet's payload: who sent it, in which order, when. */
struct mark {
	uint32_t s, dir, seq;
	uint64_t sent_ms;
};

static struct config config;
const struct config *conf = &config;
static struct session sessions[SESSIONS + 1];
static uint64_t now_ms = 5000000, began_ms;
static uint64_t passed[RUN_MS]; /* octets of session 1 upwards in each millisecond of a run */
static uint32_t next_in[SESSIONS + 1][TBF_DIRS], next_out[SESSIONS + 1][TBF_DIRS];
static uint64_t longest_ms, count_out;
static unsigned int local_lookups;

static struct {
	sess_id s;
	enum tbf_dir dir;
	const uint8_t *data;
	size_t len;
} turn[TURN_MOST];
static unsigned int n_turn;

/* --- stand-ins --- */

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

time_t
loop_time(void)
{
	return (time_t)(now_ms / 1000);
}

const struct session *
session_get(sess_id id)
{
	return id && id <= SESSIONS ? &sessions[id] : NULL;
}

struct sess_fast *
session_fast(sess_id id)
{
	static struct sess_fast on = { .flags = SF_ON };

	(void)id;
	return &on;
}

sess_id
session_id(const struct session *s)
{
	return (sess_id)(s - sessions);
}

unsigned int
config_bind_addresses(uint32_t *addrs, unsigned int most)
{
	assert_true(most > 1);
	addrs[0] = htonl(0xc0000201);
	addrs[1] = htonl(0xc0000202);
	return 2;
}

uint32_t
config_tun_address(void)
{
	return htonl(0x01010101);
}

bool
ippool_has(uint32_t addr)
{
	local_lookups++;
	return ntohl(addr) >> 24 == LOCAL_NET;
}

sess_id
iptab_lookup(uint32_t addr)
{
	return addr == htonl(0xac100001);
}

/* --- packets in and out --- */

static void
account(const uint8_t *data, size_t len)
{
	struct mark m;

	memcpy(&m, data + IP4_HEADER, sizeof(m));
	assert_true(m.s >= 1 && m.s <= SESSIONS && m.dir < TBF_DIRS);
	assert_true(m.seq >= next_out[m.s][m.dir]); /* in order; some may be lost */
	next_out[m.s][m.dir] = m.seq + 1;
	longest_ms = MAX(longest_ms, now_ms - m.sent_ms);
	count_out++;
	if (m.s == 1 && m.dir == TBF_IN && now_ms - began_ms < RUN_MS)
		passed[now_ms - began_ms] += len;
}

static void
leave(sess_id s, enum tbf_dir dir, const uint8_t *data, size_t len)
{
	assert_true(n_turn < TURN_MOST);
	turn[n_turn].s = s;
	turn[n_turn].dir = dir;
	turn[n_turn].data = data;
	turn[n_turn++].len = len;
}

static void
output(sess_id s, enum tbf_dir dir, uint8_t *data, size_t len)
{
	memset(data - PKT_HEADROOM, 0xee, PKT_HEADROOM); /* headers are written there */
	leave(s, dir, data, len);
}

static void
end_turn(void)
{
	struct mark m;
	unsigned int i;

	timer_run(now_ms);
	for (i = 0; i < n_turn; i++) {
		memcpy(&m, turn[i].data + IP4_HEADER, sizeof(m));
		assert_int_equal(m.s, turn[i].s);
		assert_int_equal(m.dir, turn[i].dir);
		account(turn[i].data, turn[i].len);
	}
	n_turn = 0;
	tbf_turn_end();
}

static void
tick(uint64_t ms)
{
	now_ms += ms;
	timer_clock(now_ms);
}

/* Time goes on without packets. */
static void
rest(uint64_t ms)
{
	for (; ms; ms--) {
		tick(1);
		end_turn();
	}
}

static int
offer_to(sess_id s, enum tbf_dir dir, size_t len, uint32_t peer)
{
	static uint8_t heads[TURN_MOST][IP4_HEADER + sizeof(struct mark)], buf[65536];
	struct ip4 ip = { .data = buf, .len = (uint16_t)len, .src = peer, .dst = peer };
	struct mark m = { s, dir, next_in[s][dir]++, now_ms };
	int r;

	memcpy(buf + IP4_HEADER, &m, sizeof(m));
	r = tbf_input(s, dir, &ip);
	if (r > 0) {
		memcpy(heads[n_turn], buf, sizeof(heads[0]));
		leave(s, dir, heads[n_turn], len);
	}
	return r;
}

static int
offer(sess_id s, enum tbf_dir dir, size_t len)
{
	return offer_to(s, dir, len, htonl(0x08080808));
}

static void
set_rates(sess_id s, uint32_t in, uint32_t out)
{
	sessions[s].rate_in = in;
	sessions[s].rate_out = out;
	tbf_session(s, SESS_EV_CHANGED);
}

static void
end_session(sess_id s)
{
	tbf_session(s, SESS_EV_DOWN);
	tbf_session(s, SESS_EV_GONE);
	sessions[s] = (struct session){ 0 };
}

static void
begin(uint32_t in, uint32_t out)
{
	set_rates(1, in, out);
	memset(passed, 0, sizeof(passed));
	longest_ms = 0;
	counters->throttle_longest_ms = 0;
	began_ms = now_ms + 1;
}

static struct tbf_row
row_of(sess_id s, enum tbf_dir dir)
{
	struct tbf_row row;

	assert_true(tbf_row(tbf_bucket(s, dir), &row));
	return row;
}

static uint32_t
used(void)
{
	uint32_t n, total;

	tbf_counts(&n, &total);
	assert_int_equal(total, BUCKETS);
	return n;
}

static int
each(void **state)
{
	uint32_t s;

	(void)state;
	for (s = 1; s <= SESSIONS; s++)
		end_session(s);
	assert_int_equal(used(), 0);
	config.no_throttle_local_IP = false;
	return 0;
}

/* --- rates --- */

/* Octets in the fullest and the emptiest window of five seconds from `from` on. */
static void
windows(uint32_t from, uint64_t *most, uint64_t *least)
{
	uint64_t sum = 0;
	uint32_t i;

	*most = 0;
	*least = UINT64_MAX;
	for (i = from; i < RUN_MS; i++) {
		sum += passed[i];
		if (i >= from + WINDOW_MS)
			sum -= passed[i - WINDOW_MS];
		if (i >= from + WINDOW_MS - 1) {
			*most = MAX(*most, sum);
			*least = MIN(*least, sum);
		}
	}
}

/* Offers half as much again as may pass, a turn of the loop each `turn_ms` at most. */
static void
saturate(uint32_t kbit, size_t len, unsigned int turn_ms)
{
	double due = 0;
	uint64_t left = RUN_MS, ms;

	begin(kbit, 0);
	while (left) {
		ms = turn_ms == 1 ? 1 : 1 + (uint64_t)random() % turn_ms;
		ms = MIN(ms, left);
		left -= ms;
		tick(ms);
		for (due += 1.5 * kbit * 0.128 * (double)ms; due > 0; due -= (double)len)
			offer(1, TBF_IN, len);
		end_turn();
	}
	end_session(1);
}

static void
check_rate(uint32_t kbit, size_t len, unsigned int turn_ms)
{
	double five = kbit * 128.0 * 5;
	uint64_t most, least;

	saturate(kbit, len, turn_ms);
	windows(0, &most, &least);
	if ((double)most > five * 1.05 || (double)least < five * 0.95)
		fail_msg("%u kbit/s, %zu octets: %llu..%llu instead of %.0f", kbit, len,
		    (unsigned long long)least, (unsigned long long)most, five);
}

static void
exact_rate(void **state)
{
	static const uint32_t rates[] = { 64, 128, 300, 512, 2048, 20480, 102400, 512000 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rates); i++) {
		check_rate(rates[i], 1500, 1);
		check_rate(rates[i], 576, 1);
		if (rates[i] <= 20480)
			check_rate(rates[i], 64, 1);
	}
}

/* Turns of up to 60 ms: packets come in heaps, timers late. */
static void
exact_rate_on_a_busy_machine(void **state)
{
	static const uint32_t rates[] = { 64, 512, 20480, 102400 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rates); i++)
		check_rate(rates[i], 1400, 60);
}

/* Whatever comes, no five seconds hold more than the rate and a little. */
static void
never_too_much(void **state)
{
	uint64_t most, least;
	uint32_t kbit, round, left;

	(void)state;
	for (round = 0; round < 40; round++) {
		kbit = 64u << random() % 11;
		begin(kbit, 0);
		for (left = RUN_MS; left; left--) {
			tick(1);
			if (random() % 1000 == 0 && left > 1500)
				for (uint32_t pause = (uint32_t)random() % 1500; pause;
				     pause--, left--)
					tick(1), end_turn();
			for (long n = random() % 100 < 30 ? random() % 20 : 0; n; n--)
				offer(1, TBF_IN, 48 + (size_t)random() % 1453);
			end_turn();
		}
		windows(0, &most, &least);
		assert_true((double)most <= kbit * 128.0 * 5 * 1.05 + 1500);
		end_session(1);
	}
}

static void
small_burst_after_a_rest(void **state)
{
	struct tbf_row row;
	uint64_t at_once = 0;
	int r;

	(void)state;
	begin(20480, 0);
	rest(30000);
	do {
		r = offer(1, TBF_IN, 1000);
		at_once += r > 0 ? 1000 : 0;
	} while (r >= 0);
	assert_in_range(at_once, 20480 * 128 / 50, 20480 * 128 / 50 + 1000);
	row = row_of(1, TBF_IN);
	assert_in_range(
	    row.queued * 1000, 20480 * 128 * 60 / 1000 - 1000, 20480 * 128 * 60 / 1000 + 1000);
	assert_int_equal(row.sent_bytes, at_once);
	assert_int_equal(row.in_packets, row.sent_packets + row.queued + row.dropped);
	assert_int_equal(row.delayed, row.queued);
	rest(200);
	row = row_of(1, TBF_IN);
	assert_int_equal(row.queued, 0);
	assert_int_equal(row.sent_packets, row.in_packets - row.dropped);
}

static void
no_packet_waits_long(void **state)
{
	(void)state;
	saturate(512, 1500, 1);
	assert_in_range(longest_ms, 50, 90);
	assert_true(counters->throttle_longest_ms <= 90);
	saturate(20480, 1500, 1);
	assert_in_range(longest_ms, 60, 90);
	saturate(64, 1500, 1); /* a few large ones may wait at a rate that is too low for them */
	assert_in_range(longest_ms, 400, 600);
}

/* Turns come late at random: what is late then is dropped, and never put out. */
static void
no_packet_waits_long_on_a_busy_machine(void **state)
{
	static const uint32_t rates[] = { 352, 400, 512, 700, 2048, 20480 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rates); i++) {
		saturate(rates[i], 1500, 120);
		assert_in_range(counters->throttle_longest_ms, 60, 100);
	}
}

static void
small_packets_between_are_not_lost(void **state)
{
	uint32_t dropped = 0;
	unsigned int i;

	(void)state;
	begin(64, 0);
	for (i = 0; i < 200; i++) {
		dropped += offer(1, TBF_IN, 80) < 0;
		rest(20);
	}
	assert_int_equal(dropped, 0);
}

static void
larger_than_a_burst(void **state)
{
	(void)state;
	begin(8, 0);
	assert_int_equal(offer(1, TBF_IN, 9000), 1); /* and nine seconds nothing */
	assert_int_equal(offer(1, TBF_IN, 100), -1);
	rest(8000);
	assert_int_equal(offer(1, TBF_IN, 100), 0);
	assert_int_equal(offer(1, TBF_IN, 1601), -1); /* no cell holds it */
	rest(1100);
	assert_int_equal(row_of(1, TBF_IN).queued, 0);
}

/* --- directions and sessions --- */

static void
directions_and_sessions_do_not_meet(void **state)
{
	struct tbf_row in, out;
	unsigned int i;

	(void)state;
	set_rates(1, 512, 2048);
	set_rates(2, 0, 64);
	assert_int_equal(used(), 3);
	assert_int_equal(tbf_bucket(2, TBF_IN), 0);
	for (i = 0; i < 3000; i++) {
		offer(1, TBF_IN, 700);
		offer(1, TBF_OUT, 700);
		offer(2, TBF_OUT, 700);
		assert_int_equal(offer(2, TBF_IN, 700), 1);
		assert_int_equal(offer(3, TBF_OUT, 700), 1);
		rest(1);
	}
	in = row_of(1, TBF_IN);
	out = row_of(1, TBF_OUT);
	assert_in_range(in.sent_bytes, 3 * 512 * 128 * 0.97, 3 * 512 * 128 * 1.05);
	assert_in_range(out.sent_bytes, 3 * 2048 * 128 * 0.97, 3 * 2048 * 128 * 1.05);
	assert_in_range(row_of(2, TBF_OUT).sent_bytes, 3 * 64 * 128 * 0.97, 3 * 64 * 128 * 1.10);
}

static void
new_rate_at_once(void **state)
{
	struct tbf_row row;
	uint64_t before;
	unsigned int i;

	(void)state;
	begin(102400, 0);
	while (offer(1, TBF_IN, 1000) >= 0)
		continue;
	assert_in_range(row_of(1, TBF_IN).queued, 700, 900);
	set_rates(1, 512, 0); /* what would wait too long now goes */
	row = row_of(1, TBF_IN);
	assert_in_range(row.queued, 1, 6);
	before = row.sent_bytes;
	for (i = 0; i < 1000; i++) {
		offer(1, TBF_IN, 1000);
		rest(1);
	}
	row = row_of(1, TBF_IN);
	assert_in_range(row.sent_bytes - before, 512 * 128 - 3000, 512 * 128 + 3000);
	assert_true(row.queued > 1);
	set_rates(1, 512000, 0); /* no longer owes anything worth a name */
	rest(2 * TIMER_TICK_MS);
	assert_int_equal(row_of(1, TBF_IN).queued, 0);
}

static void
unthrottled_at_once(void **state)
{
	uint64_t before;
	uint32_t queued;

	(void)state;
	begin(512, 512);
	while (offer(1, TBF_IN, 500) >= 0)
		continue;
	queued = row_of(1, TBF_IN).queued;
	assert_true(queued > 3);
	end_turn();
	before = count_out;
	set_rates(1, 0, 512);
	assert_int_equal(offer(1, TBF_IN, 500), 1); /* and behind those that waited */
	end_turn();
	assert_int_equal(count_out, before + queued + 1);
	assert_int_equal(used(), 1);
}

static void
session_ends_with_a_full_queue(void **state)
{
	uint64_t before;

	(void)state;
	begin(512, 512);
	while (offer(1, TBF_IN, 500) >= 0)
		continue;
	while (offer(1, TBF_OUT, 500) >= 0)
		continue;
	end_turn();
	before = count_out;
	end_session(1);
	rest(2000);
	assert_int_equal(count_out, before);
	assert_int_equal(used(), 0);
	sessions[1].down = 1;
	set_rates(1, 64, 64); /* too late */
	assert_int_equal(used(), 0);
}

/* --- limits --- */

static void
buckets_run_out(void **state)
{
	uint64_t refused = counters->throttle_no_bucket;
	uint32_t s, first;

	(void)state;
	for (s = 1; s <= BUCKETS / 2 - 1; s++)
		set_rates(s, 64, 64);
	set_rates(s, 64, 0);
	set_rates(s + 1, 64, 64); /* one is left, two are needed */
	assert_int_equal(counters->throttle_no_bucket, refused + 1);
	assert_int_equal(tbf_bucket(s + 1, TBF_IN), 0);
	while (offer(s + 1, TBF_IN, 1000) == 1 && next_in[s + 1][TBF_IN] < 1000)
		continue;
	end_turn();
	assert_int_equal(next_out[s + 1][TBF_IN], 1000); /* all have passed */
	set_rates(s + 1, 0, 64);
	assert_int_equal(used(), BUCKETS);
	assert_int_equal(tbf_highest(), BUCKETS);
	first = tbf_bucket(1, TBF_IN);
	end_session(1);
	assert_int_equal(used(), BUCKETS - 2);
	set_rates(s + 2, 128, 0); /* gets what another has left, and nothing of his */
	assert_int_equal(tbf_bucket(s + 2, TBF_IN), first);
	assert_int_equal(row_of(s + 2, TBF_IN).in_packets, 0);
	assert_int_equal(row_of(s + 2, TBF_IN).kbit, 128);
}

static uint64_t
fill_all(void)
{
	uint64_t n = 0;
	uint32_t s;
	int r;

	for (s = 1; s <= 16; s++) {
		set_rates(s, 10000000, 0);
		do {
			r = offer(s, TBF_IN, 1500);
			n += r == 0;
		} while (r >= 0);
		end_turn();
	}
	return n;
}

static void
cells_run_out(void **state)
{
	uint64_t refused = counters->throttle_pool_empty, first, out, waiting = 0;
	uint32_t s;

	(void)state;
	first = fill_all();
	assert_true(first >= 30000 && first <= 40000);
	assert_true(counters->throttle_pool_empty > refused);
	out = count_out;
	for (s = 1; s <= 16; s++)
		waiting += row_of(s, TBF_IN).queued;
	rest(100);
	assert_int_equal(count_out, out + waiting);
	for (s = 1; s <= 16; s++)
		end_session(s);
	assert_in_range(fill_all(), first, first); /* none has got lost */
}

static uint64_t
resident_bytes(void)
{
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return (uint64_t)resident * 4096;
}

/* What a rush has touched goes back to the system, though one packet is waiting. */
static void
memory_is_given_back(void **state)
{
	uint64_t full;
	uint32_t s;

	(void)state;
	fill_all();
	full = resident_bytes();
	for (s = 1; s <= 16; s++)
		end_session(s);
	rest(9000);
	begin(8, 0);
	for (s = 0; s < 200; s++) {
		while (row_of(1, TBF_IN).queued == 0)
			offer(1, TBF_IN, 500);
		rest(10);
	}
	assert_int_equal(row_of(1, TBF_IN).queued > 0, 1);
	assert_true(resident_bytes() + 2 * full / 5 < full);
}

/* A queue has its share of the cells, however small the packets are. */
static void
one_queue_does_not_take_all(void **state)
{
	uint64_t refused = counters->throttle_pool_empty;
	unsigned int i;

	(void)state;
	begin(102400, 0);
	for (i = 0; i < 20000; i++)
		offer(1, TBF_IN, 48);
	assert_in_range(row_of(1, TBF_IN).queued, 1000, 32768 / 8);
	assert_true(counters->throttle_pool_empty > refused);
	end_turn();
}

/* What has waited while the loop stood still is of no use to anybody. */
static void
too_late(void **state)
{
	uint32_t queued, dropped;
	uint64_t out;

	(void)state;
	begin(2048, 0);
	while (offer(1, TBF_IN, 1000) >= 0)
		continue;
	end_turn();
	out = count_out;
	queued = row_of(1, TBF_IN).queued;
	dropped = (uint32_t)row_of(1, TBF_IN).dropped;
	assert_true(queued > 5);
	tick(200);
	end_turn();
	assert_int_equal(row_of(1, TBF_IN).queued, 0);
	assert_int_equal(row_of(1, TBF_IN).dropped, dropped + queued);
	assert_int_equal(count_out, out);
	assert_int_equal(offer(1, TBF_IN, 1000), 1);
	end_turn();
}

/* --- settings --- */

static void
local_traffic_may_be_free(void **state)
{
	static const uint32_t locals[] = { 0x0a000005, 0xac100001, 0xc0000202, 0x01010101,
		0x0b0b0b0b };
	size_t i;

	(void)state;
	begin(64, 64);
	config.peer_address = htonl(0x0b0b0b0b);
	while (offer(1, TBF_IN, 1000) >= 0)
		continue;
	assert_int_equal(local_lookups, 0);
	for (i = 0; i < ARRAY_LEN(locals); i++)
		assert_int_equal(offer_to(2, TBF_IN, 1000, htonl(locals[i])), 1);
	set_rates(3, 64, 64);
	while (offer(3, TBF_OUT, 1000) >= 0)
		continue;
	assert_int_equal(offer_to(3, TBF_OUT, 1000, htonl(locals[0])), -1);
	config.no_throttle_local_IP = true;
	assert_int_equal(offer(3, TBF_OUT, 1000), -1);
	each(NULL);
	config.no_throttle_local_IP = true;
	set_rates(3, 64, 64);
	for (i = 0; i < 100; i++) {
		assert_int_equal(offer_to(3, TBF_OUT, 1000, htonl(locals[i % 5])), 1);
		assert_int_equal(offer_to(3, TBF_IN, 1000, htonl(locals[i % 5])), 1);
	}
	assert_int_equal(row_of(3, TBF_OUT).in_packets, 0);
}

static int
init(void **state)
{
	(void)state;
	srandom(7);
	timer_run(now_ms);
	tbf_init(BUCKETS, SESSIONS, output);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, each)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exact_rate),
		TEST(exact_rate_on_a_busy_machine),
		TEST(never_too_much),
		TEST(small_burst_after_a_rest),
		TEST(no_packet_waits_long),
		TEST(no_packet_waits_long_on_a_busy_machine),
		TEST(small_packets_between_are_not_lost),
		TEST(larger_than_a_burst),
		TEST(directions_and_sessions_do_not_meet),
		TEST(new_rate_at_once),
		TEST(unthrottled_at_once),
		TEST(session_ends_with_a_full_queue),
		TEST(buckets_run_out),
		TEST(cells_run_out),
		TEST(memory_is_given_back),
		TEST(one_queue_does_not_take_all),
		TEST(too_late),
		TEST(local_traffic_may_be_free),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
