/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream of changes, a master's and a slave's side in turn in one process: what it sends is
 * kept here, and lost, doubled and crossed at will. Tables, clock and sockets are stand-ins.
 */
#include "clstream.h"
#include "change.h"
#include "clfield.h"
#include "clrec.h"
#include "clsync.h"
#include "cluster.h"
#include "counter.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "session.h"
#include "timer.h"
#include "tunnel.h"
#include "tests/unit/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 60000, TUNNELS = 100, SENT_MOST = 20000, MASTER = 0x0100000a, JOE = 0x0200000a };

static void (*on_change)(uint32_t from, struct rd fields);
static void (*on_resend)(uint32_t from, struct rd fields);

static struct sent {
	uint32_t to;
	uint8_t kind;
	size_t len;
	uint8_t *fields;
} sent[SENT_MOST];
static unsigned int n_sent, syncs;
static bool refuses; /* records */
static size_t long_record;

static uint32_t got[SESSIONS + 1]; /* how often a record of it was applied */

/* --- stand-ins --- */

time_t
loop_time(void)
{
	return 0;
}

bool
cluster_has_peers(void)
{
	return true;
}

void
cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields))
{
	if (kind == CL_CHANGE)
		on_change = fn;
	else if (kind == CL_RESEND)
		on_resend = fn;
}

bool
cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	struct sent *s = &sent[n_sent++];

	assert_true(n_sent <= SENT_MOST);
	assert_true(len <= CLREC_LARGEST);
	*s = (struct sent){ .to = to, .kind = kind, .len = len, .fields = malloc(len) };
	memcpy(s->fields, fields, len);
	return true;
}

bool
clrec_put(struct wr *w, enum change_kind kind, uint32_t id)
{
	static const uint8_t zeroes[CLREC_LARGEST];
	struct wr was = *w;

	if (long_record)
		clfield_put_octets(w, 99, zeroes, long_record);
	if (!w->bad && repl_put_gone(w, kind == CHANGE_TUNNEL ? REPL_TUNNEL : REPL_SESSION, id,
			   change_version(kind, id)))
		return true;
	*w = was;
	return false;
}

bool
clrec_apply(struct rd fields)
{
	struct repl_record rec;

	while (repl_next(&fields, &rec))
		if (rec.kind == REPL_SESSION)
			got[rec.id]++;
	return !refuses;
}

void
clsync_ask(void)
{
	syncs++;
}

void
clsync_repair(void)
{
	syncs++;
}

bool
chan_export_new(tunn_id t, struct repl_chan *r)
{
	(void)t;
	(void)r;
	return false;
}

/* --- help --- */

static void
forget_sent(void)
{
	while (n_sent > 0)
		free(sent[--n_sent].fields);
}

static void
pass(uint64_t ms)
{
	for (; ms > 0; ms--)
		timer_run(++now_ms);
}

static struct rd
fields_of(const struct sent *s)
{
	return rd_init(s->fields, s->len);
}

static uint64_t
seq_of(const struct sent *s)
{
	struct cl_change m;

	assert_true(clmsg_get_change(fields_of(s), &m));
	return m.seq;
}

static struct cl_resend
asked(const struct sent *s)
{
	struct cl_resend m;

	assert_int_equal(s->kind, CL_RESEND);
	assert_int_equal(s->to, MASTER);
	assert_true(clmsg_get_resend(fields_of(s), &m));
	return m;
}

static void
ask(uint32_t from, uint64_t first, uint64_t last)
{
	struct cl_resend m = { .from = first, .to = last };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	clmsg_put_resend(&w, &m);
	on_resend(from, rd_init(buf, wr_len(&w)));
}

static int
lead(void **state)
{
	(void)state;
	forget_sent();
	memset(got, 0, sizeof(got));
	syncs = 0;
	refuses = false;
	long_record = 0;
	role_set(false, MASTER); /* no slow walk */
	clstream_follow(0);
	now_ms += 10000;
	timer_run(now_ms);
	role_set(true, 0);
	change_subscribe(false);
	change_subscribe(true);
	clstream_lead();
	return 0;
}

/* So many sessions change, a message each; then we are a slave that has none of these. */
static void
lead_and_follow(unsigned int n)
{
	uint32_t id;

	lead(NULL);
	for (id = 1; id <= n; id++) {
		change_mark(CHANGE_SESSION, id);
		clstream_flush();
	}
	assert_int_equal(n_sent, n);
	role_set(false, MASTER);
	clstream_follow(0);
}

static void
hear(unsigned int i)
{
	on_change(MASTER, fields_of(&sent[i]));
}

/* --- a master --- */

/* However many have changed, none is left for later: what follows the flush may depend on any. */
static void
a_flush_tells_all(void **state)
{
	unsigned int i, n;
	uint32_t id;

	(void)state;
	for (id = 1; id <= SESSIONS; id++)
		change_mark(CHANGE_SESSION, id);
	for (id = 1; id <= TUNNELS; id++)
		change_mark(CHANGE_TUNNEL, id);
	clstream_flush();
	n = n_sent;
	clstream_flush();
	assert_int_equal(n_sent, n);
	role_set(false, MASTER);
	clstream_follow(0);
	for (i = 0; i < n; i++) {
		assert_int_equal(sent[i].to, 0);
		assert_int_equal(sent[i].kind, CL_CHANGE);
		assert_int_equal(seq_of(&sent[i]), i + 1);
		assert_true(sent[i].len <= CLREC_ROOM);
		hear(i);
	}
	for (id = 1; id <= SESSIONS; id++)
		assert_int_equal(got[id], 1);
}

static void
a_long_record_goes_alone(void **state)
{
	(void)state;
	change_mark(CHANGE_SESSION, 1);
	change_mark(CHANGE_SESSION, 2);
	long_record = 5000;
	clstream_flush();
	assert_int_equal(n_sent, 2);
	assert_true(sent[0].len > 5000 && sent[1].len > 5000);
	change_mark(CHANGE_SESSION, 3);
	long_record = CLREC_LARGEST - 8;
	clstream_flush(); /* cannot be told */
	assert_int_equal(n_sent, 2);
	change_mark(CHANGE_SESSION, 4);
	long_record = 0;
	clstream_flush();
	assert_int_equal(n_sent, 3);
	assert_int_equal(seq_of(&sent[2]), 3);
	assert_true(sent[2].len <= CLREC_ROOM);
}

static void
what_is_asked_for_is_sent_again(void **state)
{
	unsigned int i;

	(void)state;
	lead_and_follow(1000);
	role_set(true, 0);
	ask(JOE, 101, 120);
	assert_int_equal(n_sent, 1020);
	for (i = 0; i < 20; i++) {
		assert_int_equal(sent[1000 + i].to, JOE);
		assert_int_equal(sent[1000 + i].len, sent[100 + i].len);
		assert_memory_equal(sent[1000 + i].fields, sent[100 + i].fields, sent[100 + i].len);
	}
	ask(JOE, 990, UINT32_MAX);
	assert_int_equal(n_sent, 1020 + 11);
	ask(JOE, 1001, 2000); /* not there yet */
	assert_int_equal(n_sent, 1031);
}

/* The ring goes round behind long messages: what is sent again is whole, whatever their lengths. */
static void
long_ones_are_sent_again_whole(void **state)
{
	unsigned int i, n = 3000, seq;

	(void)state;
	lead(NULL);
	for (i = 0; i < n; i++) {
		long_record = i % 7 == 0 ? 100 : 6000 + (size_t)i % 3000;
		change_mark(CHANGE_SESSION, 1 + i % 100);
		clstream_flush();
	}
	assert_int_equal(n_sent, n);
	for (seq = 1; seq <= n; seq += 100) {
		now_ms += 1000;
		ask(JOE, seq, seq + 99);
	}
	assert_true(n_sent > n + 1000);
	for (i = n; i < n_sent; i++) {
		seq = (unsigned int)seq_of(&sent[i]);
		assert_int_equal(sent[i].len, sent[seq - 1].len);
		assert_memory_equal(sent[i].fields, sent[seq - 1].fields, sent[i].len);
	}
}

/* A small question with a large answer: so many octets a second, whoever asks how often. */
static void
a_flood_of_questions_is_answered_in_part(void **state)
{
	unsigned int i, n;

	(void)state;
	lead_and_follow(1000);
	role_set(true, 0);
	forget_sent();
	for (i = 0; i < 10000; i++)
		ask(JOE, 1, 1000);
	assert_int_equal(n_sent, 1024);
	assert_true(counters->cluster_too_often > 9000);
	ask(JOE + 1, 1, 256); /* another one is served */
	assert_int_equal(n_sent, 1024 + 256);
	n = n_sent;
	for (i = 0; i < 100; i++) {
		now_ms++;
		ask(JOE, 1, 1000);
	}
	assert_int_equal(n_sent, n + 1000);
}

/* --- a slave --- */

static void
crossed_messages_are_put_in_order(void **state)
{
	unsigned int order[500], i, k, x;

	(void)state;
	lead_and_follow(500);
	for (i = 0; i < 500; i++)
		order[i] = i;
	for (i = 499; i > 0; i--) {
		k = (unsigned int)random() % (i + 1);
		x = order[i];
		order[i] = order[k];
		order[k] = x;
	}
	for (i = 0; i < 500; i++) {
		hear(order[i]);
		hear(order[i / 2]); /* and twice */
	}
	assert_true(clstream_complete());
	for (i = 1; i <= 500; i++)
		assert_int_equal(got[i], 1);
}

static void
what_is_missing_is_asked_for(void **state)
{
	struct cl_resend m;

	(void)state;
	lead_and_follow(10);
	hear(0);
	hear(4);
	assert_false(clstream_complete());
	pass(TIMER_TICK_MS * 2);
	assert_int_equal(n_sent, 11);
	m = asked(&sent[10]);
	assert_int_equal(m.from, 2);
	assert_int_equal(m.to, 5);
	hear(1);
	hear(2);
	hear(3);
	assert_true(clstream_complete());
	assert_int_equal(clstream_seq(), 5);
	pass(200);
	assert_int_equal(n_sent, 11);
	clstream_heard(10); /* the last ones are lost: a heartbeat tells */
	assert_false(clstream_complete());
	pass(TIMER_TICK_MS * 2);
	assert_int_equal(asked(&sent[11]).from, 6);
	assert_int_equal(syncs, 0);
}

static void
what_cannot_be_had_is_synchronised(void **state)
{
	(void)state;
	lead_and_follow(10);
	hear(9);
	pass(50 * 60);
	assert_int_equal(syncs, 1);
	assert_true(n_sent >= 10 + 30 && n_sent <= 10 + 50);
	assert_true(clstream_complete());
	clstream_follow(0);
	clstream_heard(100000); /* more than is kept */
	pass(TIMER_TICK_MS * 2);
	assert_int_equal(syncs, 2);
}

static void
with(uint64_t seq)
{
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	clfield_put_number(&w, CLT_SEQ, seq);
	(void)repl_put_gone(&w, REPL_SESSION, 1, 1);
	on_change(MASTER, rd_init(buf, wr_len(&w)));
}

/* Numbers that no master can be at neither wedge the stream nor end it. */
static void
numbers_near_their_end_do_nothing(void **state)
{
	static const uint64_t far[] = { UINT64_MAX, UINT64_MAX - 1, (uint64_t)INT64_MAX + 1,
		INT64_MAX, (uint64_t)1 << 40, 0 };
	uint64_t bad = counters->cluster_malformed;
	unsigned int i;

	(void)state;
	lead_and_follow(10);
	for (i = 0; i < ARRAY_LEN(far) - 1; i++)
		with(far[i]);
	assert_int_equal(counters->cluster_malformed - bad, ARRAY_LEN(far) - 1);
	with(far[i]);
	assert_int_equal(got[1], 0);
	for (i = 0; i < 10; i++)
		hear(i);
	assert_true(clstream_complete());
	assert_int_equal(got[10], 1);
	assert_int_equal(syncs, 0);
}

/* The master's own heartbeat said so, once: it is believed, and the next one as well. */
static void
a_lie_about_the_number_heals(void **state)
{
	unsigned int i;

	(void)state;
	lead_and_follow(10);
	clstream_heard(INT64_MAX);
	pass(TIMER_TICK_MS * 2);
	assert_int_equal(syncs, 1);
	hear(0);
	assert_int_equal(got[1], 0);
	clstream_heard(0);
	assert_int_equal(syncs, 2);
	for (i = 0; i < 10; i++)
		hear(i);
	assert_int_equal(got[1], 1);
	assert_int_equal(got[10], 1);
	pass(5000);
	assert_int_equal(syncs, 2);
}

/* The same of a CHANGE, and by less than is far. */
static void
a_number_that_errs_heals(void **state)
{
	unsigned int i;

	(void)state;
	lead_and_follow(10);
	with(500000);
	pass(3000);
	assert_int_equal(syncs, 1);
	for (i = 0; i < 10; i++)
		hear(i);
	assert_int_equal(got[10], 1);
	clstream_follow(5000);
	for (i = 0; i < 3; i++) {
		assert_int_equal(syncs, 1);
		clstream_heard(10);
	}
	assert_int_equal(syncs, 2);
	clstream_heard(10);
	assert_int_equal(syncs, 2);
}

static void
refused_records_are_synchronised_once_in_a_while(void **state)
{
	unsigned int i;

	(void)state;
	lead_and_follow(100);
	refuses = true;
	for (i = 0; i < 100; i++)
		hear(i);
	assert_int_equal(syncs, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_flush_tells_all, lead),
		cmocka_unit_test_setup(a_long_record_goes_alone, lead),
		cmocka_unit_test(what_is_asked_for_is_sent_again),
		cmocka_unit_test(a_flood_of_questions_is_answered_in_part),
		cmocka_unit_test(crossed_messages_are_put_in_order),
		cmocka_unit_test(what_is_missing_is_asked_for),
		cmocka_unit_test(what_cannot_be_had_is_synchronised),
		cmocka_unit_test(numbers_near_their_end_do_nothing),
		cmocka_unit_test(a_lie_about_the_number_heals),
		cmocka_unit_test(a_number_that_errs_heals),
		cmocka_unit_test(long_ones_are_sent_again_whole),
		cmocka_unit_test(refused_records_are_synchronised_once_in_a_while),
	};

	srandom(4711);
	counter_init();
	role_init();
	timer_run(now_ms);
	change_init(TUNNELS, SESSIONS);
	session_init(1);
	tunnel_init(1);
	clstream_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
