/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of accounting records against a server that the test plays, with a clock that
 * it turns: order within a session, retries, age, the window, the file, Accounting-On.
 */
#include "acct_feed.h"
#include "acct_line.h"
#include "acct_number.h"
#include "acct_queue.h"
#include "acct_share.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "rad_server.h"
#include "timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOTS = 4096 };

static struct config config;
const struct config *conf = &config;
static char dir[] = "/tmp/acct_queue_XXXXXX";
static char file[64];
static uint64_t now_ms = 5000000;
static time_t wall = 1700000000;

/* What is under way, in the order in which it was sent. */
static struct sent {
	struct radius_record request;
	uint32_t number; /* what the test called the record */
	uint8_t status;
} sent[SLOTS];
static unsigned int n_sent, slots = SLOTS;
static unsigned int total_sent, most_sent;

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

time_t
loop_time(void)
{
	return wall + (time_t)(now_ms / 1000);
}

/* A record's attributes are its number and its status. */
bool
radius_account(const struct radius_record *rec)
{
	if (n_sent == slots)
		return false;
	sent[n_sent].request = *rec;
	*rec->asked = *rec->asked << 1 | 1; /* another server each time */
	memcpy(&sent[n_sent].number, rec->attrs, 4);
	sent[n_sent].status = rec->attrs[4];
	n_sent++;
	total_sent++;
	most_sent = MAX(most_sent, n_sent);
	return true;
}

unsigned int
rad_server_living(enum rad_kind kind)
{
	return kind == RAD_KIND_ACCT ? 2 : 0;
}

void
radius_settle(void)
{
}

/* Amended: its number is another one. */
void
rad_acct_amend(void *attrs, size_t len, const struct rad_moved *more)
{
	uint32_t number;

	(void)len;
	memcpy(&number, attrs, 4);
	number += (uint32_t)more->in_bytes;
	memcpy(attrs, &number, 4);
}

/* The session of each number but one that has gone. */
static uint32_t gone;

sess_id
session_by_unique(uint32_t unique)
{
	return unique == gone ? 0 : unique;
}

static void
add(uint8_t status, uint32_t number, uint64_t key)
{
	struct acct_rec rec = { .status = status,
		.s = (sess_id)key,
		.key = key,
		.when = acct_pool_clock(),
		.len = 300 };

	memcpy(rec.attrs, &number, 4);
	rec.attrs[4] = status;
	if (status == RAD_ACCT_ON)
		acct_feed_begin(&rec);
	else
		acct_queue_add(&rec);
}

/* The end of the i-th request that is under way. */
static void
end(unsigned int i, bool answered, unsigned int tries)
{
	struct sent s = sent[i];

	assert_true(i < n_sent);
	n_sent--;
	memmove(&sent[i], &sent[i + 1], (n_sent - i) * sizeof(sent[0]));
	s.request.done(s.request.record, answered, tries);
}

static void
answer_all(void)
{
	while (n_sent > 0)
		end(0, true, 1);
}

static void
advance(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	while (now_ms < until) {
		now_ms += MIN(until - now_ms, TIMER_TICK_MS);
		timer_run(now_ms);
		acct_spill_flush();
	}
}

/* A server that answers everything until nothing is left. */
static void
deliver(void)
{
	unsigned int turns;

	for (turns = 0; !acct_queue_empty() && turns < 100000; turns++) {
		answer_all();
		advance(TIMER_TICK_MS);
	}
	assert_true(acct_queue_empty());
	assert_int_equal(counters->acct_queued, 0);
}

static int
setup(void **state)
{
	(void)state;
	config.radius_acct_retry_time = 86400;
	slots = SLOTS;
	unlink(file);
	acct_spill_open(dir);
	deliver();
	total_sent = most_sent = 0;
	memset(counters, 0, sizeof(*counters));
	return 0;
}

static void
one_record(void **state)
{
	(void)state;
	add(RAD_ACCT_START, 1, 10);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].request.delay_sec, 0);
	assert_int_equal(sent[0].request.state, RADIUS_START);
	assert_int_equal(counters->acct_queued, 1);
	assert_false(acct_queue_takes_interim(10));
	assert_true(acct_queue_takes_interim(11));
	end(0, true, 1);
	assert_true(acct_queue_empty());
	assert_true(acct_queue_takes_interim(10));
	assert_int_equal(counters->acct_acked, 1);
}

/* Of one session one goes at a time, of others meanwhile too. */
static void
order_of_a_session(void **state)
{
	(void)state;
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_INTERIM, 2, 10);
	add(RAD_ACCT_STOP, 3, 10);
	add(RAD_ACCT_START, 4, 11);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0].number, 1);
	assert_int_equal(sent[1].number, 4);
	end(0, false, 3);
	advance(20);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[1].number, 1); /* again, not its Stop */
	end(1, true, 1);
	assert_int_equal(sent[1].number, 2);
	end(1, true, 1);
	assert_int_equal(sent[1].number, 3);
	assert_int_equal(sent[1].request.state, RADIUS_STOP);
	answer_all();
	assert_true(acct_queue_empty());
}

/* A record is of a session as long as there is one; its id may be another's then. */
static void
session_has_gone(void **state)
{
	(void)state;
	add(RAD_ACCT_STOP, 1, 10);
	assert_int_equal(sent[0].request.s, 10);
	gone = 10;
	end(0, false, 3);
	advance(20);
	assert_int_equal(sent[0].request.s, 0);
	end(0, true, 1);
	gone = 0;
}

/* The other server at once, then after 2, 4, 8, 16, 30, 30... s; each time with its age. */
static void
schedule(void **state)
{
	static const unsigned int waits[] = { 0, 2, 4, 8, 16, 30, 30, 30 };
	unsigned int i;
	uint64_t began = now_ms, age_sec;

	(void)state;
	add(RAD_ACCT_START, 1, 10);
	for (i = 0; i < ARRAY_LEN(waits); i++) {
		assert_int_equal(n_sent, 1);
		assert_int_equal(*sent[0].request.asked, (2u << i) - 1);
		age_sec = (now_ms - began) / 1000;
		assert_in_range(
		    sent[0].request.delay_sec, age_sec - (i > 0 ? 1 + 30 / 8 : 0), age_sec);
		advance(5000);
		end(0, false, 3);
		assert_int_equal(n_sent, 0);
		if (waits[i] > 0)
			advance(SEC(waits[i]) - 20);
		assert_int_equal(n_sent, 0);
		advance(SEC(waits[i]) / 8 + 60); /* spread */
	}
	answer_all();
	assert_true(acct_queue_empty());
}

static void
too_old(void **state)
{
	(void)state;
	config.radius_acct_retry_time = 100;
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_STOP, 2, 10);
	while (counters->acct_lost == 0) {
		if (n_sent > 0) {
			assert_in_range(sent[0].request.delay_sec, 0, 100);
			advance(5000);
			end(0, false, 3);
		}
		advance(1000);
	}
	advance(1000);
	assert_int_equal(counters->acct_lost, 2);
	assert_true(acct_queue_empty());
}

/* It grows with what is acknowledged, and is small while nothing is. */
static void
window(void **state)
{
	uint32_t n;

	(void)state;
	for (n = 0; n < 3000; n++)
		add(RAD_ACCT_STOP, n, 1000 + n);
	while (n_sent > 0)
		end(0, false, 3);
	advance(20);
	assert_in_range(n_sent, 1, 16); /* nobody is there */
	most_sent = 0;
	for (n = 0; n < 2000; n++)
		end(0, true, 1);
	assert_true(most_sent > 500);
	most_sent = n_sent;
	advance(1100);
	end(0, true, 3); /* packets were lost */
	while (n_sent > most_sent / 2)
		end(0, true, 2);
	assert_in_range(n_sent, most_sent / 2 - 10, most_sent / 2 + 10);
	deliver();
	assert_int_equal(counters->acct_acked, 3000);
}

static void
no_slot(void **state)
{
	uint32_t n;

	(void)state;
	slots = 3;
	for (n = 0; n < 10; n++)
		add(RAD_ACCT_STOP, n, 1000 + n);
	assert_int_equal(n_sent, 3);
	slots = SLOTS;
	advance(600);
	assert_int_equal(n_sent, 10);
}

/* 60,000 Stops at once: bounded memory, all arrive, once each. */
static void
many_at_once(void **state)
{
	static uint8_t seen[60000];
	uint32_t n, twice = 0;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (n = 0; n < 60000; n++) {
		add(RAD_ACCT_STOP, n, 100000 + n);
		if (n % 500 == 0)
			advance(TIMER_TICK_MS);
	}
	assert_int_equal(counters->acct_queued, 60000);
	assert_in_range(counters->acct_spilled, 40000, 60000);
	while (!acct_queue_empty()) {
		for (n = 0; n_sent > 0 && n < 500; n++) {
			twice += seen[sent[0].number]++;
			end(0, true, 1);
		}
		advance(TIMER_TICK_MS);
	}
	assert_int_equal(twice, 0);
	assert_int_equal(total_sent, 60000);
	assert_int_equal(counters->acct_lost, 0);
	assert_int_equal(access(file, F_OK), 0);
}

/* Start and Stop of sessions, half of them through the file, servers coming and going. */
static void
order_through_the_file(void **state)
{
	static uint8_t stage[30000];
	uint32_t n, i, turns = 0;

	(void)state;
	memset(stage, 0, sizeof(stage));
	srandom(11);
	for (n = 0; n < 15000; n++) {
		add(RAD_ACCT_START, n, 1 + n);
		if (n >= 10)
			add(RAD_ACCT_STOP, n - 10, 1 + n - 10);
		if (n % 100 == 0)
			advance(TIMER_TICK_MS);
	}
	while (!acct_queue_empty() && turns++ < 100000) {
		bool up = turns / 50 % 4;

		for (i = 0; i < 200 && n_sent > 0; i++) {
			struct sent *s = &sent[(unsigned int)random() % n_sent];

			if (up) {
				assert_int_equal(stage[s->number], s->status - 1);
				stage[s->number]++;
			}
			end((unsigned int)(s - sent), up, 1);
		}
		advance(TIMER_TICK_MS);
	}
	for (n = 0; n < 14990; n++)
		assert_int_equal(stage[n], 2);
	assert_int_equal(counters->acct_lost, 0);
}

/* The wall clock is put ahead by days while records wait in the file: no reason to give them up. */
static void
clock_is_set(void **state)
{
	uint64_t began = now_ms;
	uint32_t n;

	(void)state;
	for (n = 0; n < 20000; n++)
		add(RAD_ACCT_START, n, 1 + n);
	assert_true(acct_spill_count() > 5000);
	wall += 10 * 86400;
	while (n_sent > 0) {
		assert_in_range(sent[0].request.delay_sec, 0, (now_ms - began) / 1000 + 1);
		end(0, true, 1);
		advance(TIMER_TICK_MS);
	}
	assert_true(acct_queue_empty());
	assert_int_equal(counters->acct_lost, 0);
	assert_int_equal(total_sent, 20000);
	wall -= 10 * 86400;
}

static void
restart(void)
{
	acct_spill_save_begin(false);
	acct_queue_save(false);
	assert_true(acct_spill_save_end());
	while (n_sent > 0)
		end(0, true, 1); /* the old process forgets */
	deliver();
	acct_spill_open(dir);
	total_sent = 0;
}

static void
kept_over_a_restart(void **state)
{
	(void)state;
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_STOP, 2, 10);
	add(RAD_ACCT_INTERIM, 3, 11);
	advance(3000);
	restart();
	assert_int_equal(acct_spill_count(), 2);
	advance(7000);
	add(RAD_ACCT_ON, 4, 0);
	acct_queue_start();
	add(RAD_ACCT_START, 5, 12); /* while the file has some */
	advance(30);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].number, 1);
	assert_in_range(sent[0].request.delay_sec, 9, 11);
	end(0, true, 1);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].number, 2);
	end(0, true, 1);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].number, 4); /* On */
	advance(100);
	assert_int_equal(n_sent, 1);
	end(0, true, 1);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].number, 5);
	end(0, true, 1);
	assert_true(acct_queue_empty());
}

/* A server that answers all but Accounting-On holds up accounting for a minute. */
static void
on_is_ignored(void **state)
{
	unsigned int sec;

	(void)state;
	add(RAD_ACCT_STOP, 1, 9);
	restart();
	add(RAD_ACCT_ON, 2, 0);
	acct_queue_start();
	advance(30);
	assert_int_equal(sent[0].number, 1);
	end(0, true, 1);
	assert_int_equal(sent[0].number, 2);
	add(RAD_ACCT_START, 3, 10);
	for (sec = 0; total_sent < 20 && sec < 100; sec++) {
		if (n_sent > 0 && sent[0].number == 3)
			break;
		advance(1000);
		if (n_sent > 0 && sent[0].number == 2 && sec % 5 == 4)
			end(0, false, 3);
	}
	assert_in_range(sec, 55, 66);
	deliver(); /* Accounting-On now would end that session */
	assert_int_equal(counters->acct_lost, 1);
}

/* Nobody answers at all: it waits longer, for nothing is held up by that. */
static void
on_with_no_server(void **state)
{
	(void)state;
	deliver();
	add(RAD_ACCT_ON, 2, 0);
	add(RAD_ACCT_START, 3, 10);
	assert_int_equal(n_sent, 1);
	advance(590000);
	assert_int_equal(n_sent, 1);
	advance(20000);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[1].number, 3);
	end(0, false, 3);
	advance(100);
	assert_int_equal(n_sent, 1); /* it is given up */
	assert_int_equal(counters->acct_lost, 1);
}

static void
add_held(uint8_t status, uint32_t number, uint64_t key)
{
	struct acct_rec rec = {
		.status = status, .key = key, .when = acct_pool_clock(), .len = 300
	};

	memcpy(rec.attrs, &number, 4);
	rec.attrs[4] = status;
	acct_queue_add_held(&rec, 1000);
}

/* What may be amended waits for that, and no longer; what is sent stays as it is. */
static void
a_held_record_is_amended(void **state)
{
	const struct rad_moved more = { .in_bytes = 50 };

	(void)state;
	add_held(RAD_ACCT_STOP, 100, 10);
	add_held(RAD_ACCT_STOP, 200, 11);
	add(RAD_ACCT_STOP, 300, 12);
	assert_int_equal(n_sent, 1);
	acct_queue_amend(10, &more);
	acct_queue_amend(11, &more);
	acct_queue_amend(12, &more);
	acct_queue_amend(13, &more);
	acct_queue_release(10);
	acct_queue_release(12);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0].number, 300);
	assert_int_equal(sent[1].number, 150);
	advance(1100);
	assert_int_equal(n_sent, 3);
	assert_int_equal(sent[2].number, 250);
	acct_queue_amend(11, &more);
	acct_queue_release(11);
	assert_int_equal(n_sent, 3);
	answer_all();
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

/* --- the cluster --- */

enum { MANY = 20000, KEYS = 12, OTHER = 0x20000000 };

static struct repl_acct copy, told[64];
static unsigned int n_told, n_gone;

static void
on_added(const struct acct_rec *rec)
{
	acct_export_one(rec, &told[n_told % ARRAY_LEN(told)]);
	n_told++;
}

static void
on_gone(uint64_t origin, uint32_t number)
{
	assert_int_equal(origin, 77);
	assert_int_not_equal(number, 0);
	n_gone++;
}

static const struct acct_watch acct_watch = { on_added, on_gone, NULL };

static void
others_hear_of_each(void **state)
{
	(void)state;
	acct_number_set_origin(77);
	acct_number_subscribe(&acct_watch);
	n_told = n_gone = 0;
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_STOP, 2, 10);
	assert_int_equal(n_told, 2);
	assert_int_equal(n_gone, 0);
	assert_int_equal(told[0].origin, 77);
	assert_int_equal(told[1].id, told[0].id + 1);
	assert_int_equal(told[1].key, 10);
	answer_all();
	assert_int_equal(n_gone, 2);
	acct_number_subscribe(NULL);
	acct_number_set_origin(0);
}

static void
put_copy(uint64_t origin, uint32_t id, uint8_t status, uint32_t number, uint64_t key)
{
	copy = (struct repl_acct){
		.origin = origin, .id = id, .status = status, .session = 1, .key = key, .len = 300
	};
	memcpy(copy.attrs, &number, 4);
	copy.attrs[4] = status;
	assert_int_equal(acct_install(&copy), 1);
	assert_int_equal(acct_install(&copy), 0);
}

static void
done(uint64_t origin, uint32_t id, int want)
{
	copy = (struct repl_acct){ .origin = origin, .id = id, .done = 1 };
	assert_int_equal(acct_install(&copy), want);
}

/* Copies are not sent before there is need, and not by whom who has arrived is told. */
static void
a_new_master_sends_the_rest(void **state)
{
	uint32_t pos = 0;
	int what;

	(void)state;
	acct_queue_role(false);
	put_copy(OTHER, 1, RAD_ACCT_START, 100, 10);
	put_copy(OTHER, 2, RAD_ACCT_START, 101, 11);
	put_copy(OTHER, 3, RAD_ACCT_STOP, 102, 10);
	put_copy(2 * OTHER, 3, RAD_ACCT_START, 103, 12);
	done(OTHER, 2, 1);
	done(OTHER, 2, 0);
	done(3 * OTHER, 1, 0);
	advance(60000);
	assert_int_equal(n_sent, 0);
	while ((what = acct_export(&pos, &copy)) >= 0)
		assert_true(what == 0 || copy.id != 2);
	acct_queue_role(true);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0].number, 100);
	assert_int_equal(sent[0].request.delay_sec, 60);
	assert_int_equal(sent[1].number, 103);
	end(0, true, 1);
	assert_int_equal(sent[1].number, 102);
	answer_all();
	assert_true(acct_queue_empty());
}

/* What is under way when we step down may still be answered, here or to the next master. */
static void
a_slave_lets_go(void **state)
{
	(void)state;
	acct_number_set_origin(77);
	acct_number_subscribe(&acct_watch);
	n_told = n_gone = 0;
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_START, 2, 11);
	add(RAD_ACCT_START, 3, 12);
	add(RAD_ACCT_STOP, 4, 12);
	add(RAD_ACCT_ON, 5, 0);
	acct_queue_role(false);
	assert_int_equal(n_sent, 3);
	done(77, told[1].id, 1);
	end(0, true, 1);  /* 1 has arrived */
	end(0, false, 3); /* 2 has not, but with the next master's */
	end(0, false, 3);
	assert_int_equal(n_gone, 0);
	advance(60000);
	assert_int_equal(n_sent, 0);
	acct_queue_role(true);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].number, 3);
	end(0, true, 1);
	assert_int_equal(sent[0].number, 4);
	end(0, true, 1);
	assert_true(acct_queue_empty());
	assert_int_equal(n_gone, 2);
	acct_number_subscribe(NULL);
	acct_number_set_origin(0);
}

/* Each record of a session arrives, and none before those in front of it, whoever is the master. */
static struct {
	uint64_t origin, key;
	uint32_t id;
	bool arrived;
} all[MANY];
static unsigned int n_all, first_open;

static void
arrives(uint32_t number)
{
	unsigned int i;

	for (i = first_open; i < number; i++)
		assert_true(all[i].arrived || all[i].key != all[number].key);
	all[number].arrived = true;
	while (first_open < n_all && all[first_open].arrived)
		first_open++;
}

static void
note_added(const struct acct_rec *rec)
{
	all[n_all - 1].origin = rec->origin;
	all[n_all - 1].id = rec->number;
}

static void
note_gone(uint64_t origin, uint32_t id)
{
	(void)origin;
	(void)id;
}

/* The other member is the master: what it makes, and what it sends for all. */
static void
step_of_the_other(void)
{
	static uint32_t last;
	unsigned int i = n_all++, k;

	all[i].key = 1 + (unsigned int)random() % KEYS;
	all[i].origin = OTHER;
	all[i].id = ++last;
	put_copy(OTHER, last, RAD_ACCT_INTERIM, i, all[i].key);
	for (k = first_open; k < n_all && random() % 3; k++) {
		unsigned int before = first_open;

		while (before < k && (all[before].arrived || all[before].key != all[k].key))
			before++;
		if (before < k || all[k].arrived)
			continue;
		arrives(k);
		done(all[k].origin, all[k].id, 1);
	}
}

static void
step_of_ours(void)
{
	unsigned int i;
	struct sent s;

	if (random() % 2) {
		i = n_all++;
		all[i].key = 1 + (unsigned int)random() % KEYS;
		add(RAD_ACCT_INTERIM, i, all[i].key);
	}
	if (n_sent == 0)
		return;
	i = (unsigned int)random() % n_sent;
	s = sent[i];
	if (random() % 4 == 0) {
		end(i, false, 3);
		return;
	}
	if (!all[s.number].arrived)
		arrives(s.number);
	end(i, true, 1);
}

static void
random_masters(void **state)
{
	static const struct acct_watch notes = { note_added, note_gone, NULL };
	bool master = true;
	unsigned int i, k;

	(void)state;
	acct_number_set_origin(77);
	acct_number_subscribe(&notes);
	n_all = first_open = 0;
	while (n_all < MANY - 1) {
		if (random() % 50 == 0)
			acct_queue_role(master = !master);
		if (master)
			step_of_ours();
		else
			step_of_the_other();
		if (random() % 8 == 0)
			advance(100);
		for (k = 0; !master && n_sent > 0 && k < 2; k++) { /* still under way */
			if (!all[sent[0].number].arrived && random() % 2) {
				arrives(sent[0].number);
				end(0, true, 1);
			} else {
				end(0, false, 3);
			}
		}
	}
	acct_queue_role(true);
	for (i = 0; !acct_queue_empty() && i < 100000; i++) {
		while (n_sent > 0) {
			if (!all[sent[0].number].arrived)
				arrives(sent[0].number);
			end(0, true, 1);
		}
		advance(TIMER_TICK_MS);
	}
	assert_true(acct_queue_empty());
	assert_int_equal(first_open, n_all);
	acct_number_subscribe(NULL);
	acct_number_set_origin(0);
}

/* --- the file of a member --- */

enum { COPIES = 40000 };

static bool was_sent[COPIES + 2000];

/* All that is there is sent, each once, no Stop (even) in front of its Start. Returns how many. */
static unsigned int
drain(void)
{
	unsigned int n = 0, turns;
	uint32_t number;

	memset(was_sent, 0, sizeof(was_sent));
	for (turns = 0; !acct_queue_empty() && turns < 100000; turns++) {
		for (; n_sent > 0; n++) {
			number = sent[0].number;
			assert_false(was_sent[number]);
			assert_false(number % 2 && was_sent[number + 1]);
			was_sent[number] = true;
			end(0, true, 1);
		}
		advance(TIMER_TICK_MS);
	}
	assert_true(acct_queue_empty());
	return n;
}

/* A Start and a Stop of each session, at the master. */
static void
make_copy(uint32_t n)
{
	put_copy(OTHER, n, n % 2 ? RAD_ACCT_START : RAD_ACCT_STOP, n, 100 + (n + 1) / 2);
}

static void
fill_with_copies(void)
{
	uint32_t n;

	acct_queue_role(false);
	for (n = 1; n <= COPIES; n++)
		make_copy(n);
	assert_true(acct_spill_count() > COPIES / 2);
}

/* What arrives while a slave has it in its file is not sent by it later. */
static void
a_slave_spills(void **state)
{
	uint32_t n;

	(void)state;
	fill_with_copies();
	for (n = 1; n <= COPIES; n++)
		if (n % 7)
			done(OTHER, n, 1);
	acct_queue_role(true);
	assert_int_equal(drain(), COPIES / 7);
	for (n = 1; n <= COPIES; n++)
		assert_int_equal(was_sent[n], n % 7 == 0);
}

/* All have arrived: nothing is left, in the file neither, and what comes is in memory again. */
static void
a_slave_is_rid_of_its_file(void **state)
{
	uint32_t n;

	(void)state;
	fill_with_copies();
	for (n = COPIES; n > 0; n--)
		done(OTHER, n, 1);
	assert_true(acct_queue_empty());
	make_copy(1);
	assert_int_equal(acct_spill_count(), 0);
	done(OTHER, 1, 1);
	acct_queue_role(true);
}

/* The same while there are always some under way: what comes is in memory again. */
static void
a_slave_under_load_is_rid_of_its_file(void **state)
{
	uint32_t n, late = 16;

	(void)state;
	fill_with_copies();
	for (n = 1; n <= 3 * COPIES; n++) {
		done(OTHER, n, 1);
		if (n > COPIES - late)
			make_copy(n + late);
		else if (n == COPIES - late)
			continue;
		if (n % 10 == 0)
			advance(TIMER_TICK_MS);
	}
	assert_int_equal(acct_spill_count(), 0);
	for (; n <= 3 * COPIES + late; n++)
		done(OTHER, n, 1);
	assert_true(acct_queue_empty());
	acct_queue_role(true);
}

/* Whoever joins is told of all; while they are told the master goes on sending. */
static void
all_are_exported(void **state)
{
	static bool exported[COPIES + 1];
	unsigned int n = 0, k;
	uint32_t pos = 0;
	int what;

	(void)state;
	fill_with_copies();
	acct_queue_role(true);
	memset(exported, 0, sizeof(exported));
	while ((what = acct_export(&pos, &copy)) >= 0) {
		if (what > 0)
			exported[copy.id] = true;
		if (++n % 4)
			continue;
		for (k = 0; k < 2 && n_sent > 0; k++) {
			exported[sent[0].number] = true; /* has arrived */
			end(0, true, 1);
		}
		if (n % 1024 == 0)
			advance(TIMER_TICK_MS);
	}
	for (n = 1; n <= COPIES; n++)
		assert_true(exported[n]);
	deliver();
}

/* A Stop gets its last counters, however many records wait; and all members get them. */
static void
amended_in_front_of_the_file(void **state)
{
	const struct rad_moved more = { .in_bytes = 1000 };
	struct acct_rec rec = { .status = RAD_ACCT_STOP, .key = 7, .len = 300 };
	uint32_t number = COPIES + 1;

	(void)state;
	fill_with_copies();
	acct_queue_role(true);
	acct_number_set_origin(77);
	acct_number_subscribe(&acct_watch);
	n_told = 0;
	memcpy(rec.attrs, &number, 4);
	rec.when = acct_pool_clock();
	acct_queue_add_held(&rec, 1000);
	assert_int_equal(n_told, 1);
	acct_queue_amend(7, &more);
	acct_queue_release(7);
	assert_int_equal(n_told, 2);
	assert_int_equal(told[0].version, 1);
	assert_int_equal(told[1].version, 2);
	assert_int_equal(told[1].id, told[0].id);
	memcpy(&number, told[1].attrs, 4);
	assert_int_equal(number, COPIES + 1001);
	acct_number_subscribe(NULL);
	acct_number_set_origin(0);
	assert_int_equal(drain(), COPIES + 1);
	assert_true(was_sent[COPIES + 1001]);
}

/* A slave's copy is amended, in memory and in the file. */
static void
a_copy_is_amended(void **state)
{
	static const uint32_t which[] = { 10, COPIES - 10 };
	unsigned int i;

	(void)state;
	fill_with_copies();
	for (i = 1; i <= COPIES; i++)
		if (i != which[0] && i != which[1])
			done(OTHER, i, 1);
	for (i = 0; i < ARRAY_LEN(which); i++) {
		uint32_t number = which[i] - 1; /* that one is not there any more */

		copy = (struct repl_acct){ .origin = OTHER,
			.id = which[i],
			.version = 2,
			.status = RAD_ACCT_STOP,
			.key = 100 + (which[i] + 1) / 2,
			.len = 300 };
		memcpy(copy.attrs, &number, 4);
		assert_int_equal(acct_install(&copy), 1);
		assert_int_equal(acct_install(&copy), 0);
	}
	acct_queue_role(true);
	assert_int_equal(drain(), 2);
	assert_true(was_sent[which[0] - 1] && was_sent[which[1] - 1]);
}

/*
 * What a member offers that was away: records that wait here are not taken twice, those that have
 * arrived are said to have, and others are taken.
 */
static void
offered_by_who_was_away(void **state)
{
	const uint64_t of = 3 * (uint64_t)OTHER;

	(void)state;
	acct_queue_role(false);
	put_copy(of, 1, RAD_ACCT_START, 1, 10);
	put_copy(of, 2, RAD_ACCT_START, 2, 11);
	put_copy(of, 3, RAD_ACCT_START, 3, 12);
	done(of, 2, 1);
	acct_queue_role(true);
	assert_int_equal(n_sent, 2);
	acct_number_subscribe(&acct_watch);
	n_told = 0;
	copy = (struct repl_acct){ .origin = of, .id = 1, .version = 1, .status = 1, .len = 300 };
	assert_int_equal(acct_install(&copy), 0);
	copy.id = 4;
	copy.key = 13;
	assert_int_equal(acct_install(&copy), 1);
	assert_int_equal(n_told, 1);
	assert_int_equal(n_sent, 3);
	acct_number_subscribe(NULL);
	copy.id = 2;
	assert_int_equal(acct_install(&copy), 0);
	assert_int_equal(n_sent, 3);
	answer_all();
	assert_true(acct_queue_empty());
}

static void
note_gone_too(uint64_t origin, uint32_t id)
{
	note_gone(origin, id);
	n_gone++;
}

static void
note_nothing(const struct acct_rec *rec)
{
	(void)rec;
}

static const struct acct_watch of_origin = { note_nothing, note_gone_too, NULL };

/* What a former life has left has gaps. It is offered, sent, and offered once more. */
static void
offered_again_above_a_gap(void **state)
{
	const uint64_t of = 5 * (uint64_t)OTHER;
	unsigned int i;

	(void)state;
	acct_number_subscribe(&of_origin);
	for (i = 100; i < 200; i += 2)
		put_copy(of, i, RAD_ACCT_STOP, i, i);
	assert_int_equal(n_sent, 50);
	answer_all();
	n_gone = 0;
	for (i = 100; i < 200; i++) {
		copy.id = i;
		copy.key = i;
		assert_int_equal(acct_install(&copy), i % 2);
	}
	assert_int_equal(n_sent, 50); /* the odd ones */
	assert_int_equal(n_gone, 50);
	answer_all();
	acct_number_subscribe(NULL);
	assert_true(acct_queue_empty());
}

static bool
always(void)
{
	return true;
}

/* The others hear of it first. */
static void
sent_at_the_end_of_the_turn(void **state)
{
	static const struct acct_watch holding = { note_nothing, note_gone, always };

	(void)state;
	acct_number_subscribe(&holding);
	add(RAD_ACCT_START, 1, 10);
	add(RAD_ACCT_STOP, 2, 10);
	advance(1000);
	assert_int_equal(n_sent, 0);
	acct_line_turn_end();
	assert_int_equal(n_sent, 1);
	end(0, true, 1);
	assert_int_equal(n_sent, 0);
	acct_line_turn_end();
	assert_int_equal(n_sent, 1);
	end(0, true, 1);
	acct_line_turn_end();
	assert_int_equal(n_sent, 0);
	acct_number_subscribe(NULL);
	assert_true(acct_queue_empty());
}

/* A process that was killed finds its file, and can offer it. */
static void
left_in_the_file(void **state)
{
	unsigned int n = 0;
	uint32_t pos = 0;
	int what;

	(void)state;
	fill_with_copies();
	acct_spill_flush();
	assert_false(acct_feed_has_left());
	acct_spill_open(dir); /* what is in memory stays, in this test */
	assert_true(acct_feed_has_left());
	while ((what = acct_export_left(&pos, &copy)) >= 0)
		n += (unsigned int)what;
	assert_int_equal(n, acct_spill_count());
	acct_queue_role(true);
	assert_int_equal(drain(), COPIES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_record),
		TEST(order_of_a_session),
		TEST(session_has_gone),
		TEST(schedule),
		TEST(too_old),
		TEST(window),
		TEST(no_slot),
		TEST(many_at_once),
		TEST(order_through_the_file),
		TEST(clock_is_set),
		TEST(kept_over_a_restart),
		TEST(on_is_ignored),
		TEST(on_with_no_server),
		TEST(others_hear_of_each),
		TEST(a_held_record_is_amended),
		TEST(a_new_master_sends_the_rest),
		TEST(a_slave_lets_go),
		TEST(random_masters),
		TEST(a_slave_spills),
		TEST(a_slave_is_rid_of_its_file),
		TEST(a_slave_under_load_is_rid_of_its_file),
		TEST(all_are_exported),
		TEST(amended_in_front_of_the_file),
		TEST(a_copy_is_amended),
		TEST(offered_by_who_was_away),
		TEST(offered_again_above_a_gap),
		TEST(sent_at_the_end_of_the_turn),
		TEST(left_in_the_file),
	};
	int failed;

	log_set_level(-1);
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/acct-spill", dir);
	timer_run(now_ms);
	acct_spill_open(dir);
	acct_queue_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return failed;
}
