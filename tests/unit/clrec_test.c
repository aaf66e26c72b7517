/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of two states of one object stays: the stream, a full synchronisation and an offer, fed
 * by function call. The tables are played here.
 */
#include "loop.h"
#include "role.h"
#include "session.h"
#include "tunnel.h"

/* Played below; the real ones come with the records' codec. */
#define session_get	  play_session
#define session_by_unique play_by_unique
#define tunnel_get	  play_tunnel

const struct session *play_session(sess_id id);
const struct tunnel *play_tunnel(tunn_id id);
sess_id play_by_unique(uint32_t unique);

#include "clrec.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLACES = 40, BASE = 1000, GOES_ON = 77 };

/* What is in a place; both tables are alike. */
static struct slot {
	uint32_t unique; /* of a session; wire_tid of a tunnel; 0: free */
} slots[CHANGE_KINDS][PLACES + 1];

static struct session shown;
static struct tunnel shown_tunnel;
static unsigned int counts, accts, chans, matches, resyncs, ends, refusals, agreements;
static struct {
	enum change_kind kind;
	uint32_t id, unique;
} offers[64];
static unsigned int n_offers;
static bool refuses, in_sync, no_tunnel, came_up_there;
static bool met[CHANGE_KINDS][PLACES + 1];
static uint64_t master_age_ms;

static struct repl_session sample;

/* --- stand-ins --- */

const struct session *
session_get(sess_id id)
{
	shown.unique = slots[CHANGE_SESSION][id].unique;
	return shown.unique ? &shown : NULL;
}

sess_id
session_by_unique(uint32_t unique)
{
	sess_id id;

	for (id = PLACES; id > 0 && slots[CHANGE_SESSION][id].unique != unique; id--)
		;
	return id;
}

const struct tunnel *
tunnel_get(tunn_id id)
{
	shown_tunnel.wire_tid = (uint16_t)slots[CHANGE_TUNNEL][id].unique;
	return shown_tunnel.wire_tid ? &shown_tunnel : NULL;
}

bool
session_export(sess_id id, struct repl_session *r)
{
	repl_clear_session(r);
	r->notes_len = 0;
	r->id = id;
	r->version = change_version(CHANGE_SESSION, id);
	r->rec.unique = slots[CHANGE_SESSION][id].unique;
	r->rec.tunnel = 1;
	r->rec.wire_sid = 1;
	r->rec.state = SESS_OPEN;
	return r->rec.unique != 0;
}

bool
tunnel_export(tunn_id id, struct repl_tunnel *r)
{
	*r = (struct repl_tunnel){ .id = id,
		.version = change_version(CHANGE_TUNNEL, id),
		.state = TUNNEL_OPEN,
		.wire_tid = (uint16_t)slots[CHANGE_TUNNEL][id].unique };
	return r->wire_tid != 0;
}

static enum install
settle(enum change_kind kind, uint32_t id, uint64_t version, uint32_t unique)
{
	if (refuses)
		return INSTALL_REFUSED;
	if (version <= change_version(kind, id))
		return INSTALL_OLD;
	slots[kind][id].unique = unique;
	change_set_version(kind, id, version);
	return INSTALL_DONE;
}

enum install
session_install(const struct repl_session *r)
{
	if (no_tunnel)
		return INSTALL_EARLY;
	return settle(CHANGE_SESSION, r->id, r->version, r->rec.unique);
}

enum install
tunnel_install(const struct repl_tunnel *r)
{
	return settle(CHANGE_TUNNEL, r->id, r->version, r->wire_tid);
}

enum install
session_remove(sess_id id, uint64_t version)
{
	return settle(CHANGE_SESSION, id, version, 0);
}

enum install
tunnel_remove(tunn_id id, uint64_t version)
{
	return settle(CHANGE_TUNNEL, id, version, 0);
}

enum install
chan_install(const struct repl_chan *r)
{
	(void)r;
	chans++;
	return INSTALL_DONE;
}

static enum install
offer(enum change_kind kind, uint32_t id, uint32_t unique)
{
	offers[n_offers].kind = kind;
	offers[n_offers].id = id;
	offers[n_offers++].unique = unique;
	return refuses ? INSTALL_REFUSED : INSTALL_DONE;
}

enum install
session_offer(const struct repl_session *r)
{
	return offer(CHANGE_SESSION, r->id, r->rec.unique);
}

bool
session_came_up_there(const struct repl_session *r, sess_id ours)
{
	assert_int_equal(slots[CHANGE_SESSION][ours].unique, r->rec.unique);
	return came_up_there;
}

void
session_agree(const struct repl_session *r)
{
	(void)r;
	agreements++;
}

enum install
tunnel_offer(const struct repl_tunnel *r)
{
	return offer(CHANGE_TUNNEL, r->id, r->wire_tid);
}

void
tunnel_match(const struct repl_tunnel *r)
{
	(void)r;
	matches++;
}

void
tunnel_resync(const struct repl_tunnel *r)
{
	(void)r;
	resyncs++;
}

enum install
session_ended_elsewhere(const struct repl_ended *r)
{
	(void)r;
	ends++;
	return INSTALL_DONE;
}

bool
acct_goes_on(uint64_t key)
{
	return key == GOES_ON;
}

void
acct_number_refuse(uint64_t origin, uint32_t number)
{
	(void)origin;
	(void)number;
	refusals++;
}

enum install
clshare_apply(const struct repl_record *rec)
{
	accts += rec->kind == REPL_ACCT;
	return INSTALL_OLD;
}

int
acct_install(const struct repl_acct *a)
{
	(void)a;
	accts++;
	return 1;
}

void
clcount_merge(const struct repl_count *c)
{
	(void)c;
	counts++;
}

uint64_t
clstream_base(void)
{
	return BASE;
}

uint64_t
cluster_master_age_ms(void)
{
	return master_age_ms;
}

bool
clsync_under_way(void)
{
	return in_sync;
}

bool
clsync_met(uint8_t kind, uint32_t id)
{
	bool *m = &met[kind == REPL_TUNNEL ? CHANGE_TUNNEL : CHANGE_SESSION][id], was = *m;

	*m |= in_sync;
	return !in_sync || was;
}

/* --- messages --- */

static uint8_t buf[CLREC_ROOM];
static struct wr w;

static void
empty(void)
{
	w = wr_init(buf, sizeof(buf));
}

static bool
told(bool (*fn)(struct rd fields))
{
	bool good = fn(rd_init(buf, wr_len(&w)));

	empty();
	return good;
}

static void
say_session(uint32_t id, uint64_t version, uint32_t unique, uint32_t age_ds)
{
	repl_clear_session(&sample);
	sample.notes_len = 0;
	sample.id = id;
	sample.version = version;
	sample.rec.unique = unique;
	sample.rec.tunnel = 1;
	sample.rec.wire_sid = 1;
	sample.rec.state = SESS_OPEN;
	sample.age_ds = age_ds;
	assert_true(repl_put_session(&w, &sample));
}

static void
say_tunnel(uint32_t id, uint64_t version, uint16_t wire_tid, uint32_t age_ds)
{
	struct repl_tunnel t = { .id = id,
		.version = version,
		.state = TUNNEL_OPEN,
		.wire_tid = wire_tid,
		.age_ds = age_ds };

	assert_true(repl_put_tunnel(&w, &t));
}

static int
begin(void **state)
{
	uint32_t id;

	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(met, 0, sizeof(met));
	for (id = 1; id <= PLACES; id++) {
		change_set_version(CHANGE_SESSION, id, 0);
		change_set_version(CHANGE_TUNNEL, id, 0);
	}
	counts = accts = chans = matches = resyncs = ends = refusals = agreements = n_offers = 0;
	refuses = in_sync = no_tunnel = came_up_there = false;
	master_age_ms = 10000;
	empty();
	return 0;
}

/* --- tests --- */

/* Twice, in any order, with tombstones among them: the newest word about each place stays. */
static void
any_order(void **state)
{
	struct word {
		uint32_t id, unique;
		uint64_t version;
	} words[200], swap;
	uint64_t best[PLACES + 1] = { 0 };
	uint32_t holds[PLACES + 1] = { 0 };
	unsigned int i, j;

	(void)state;
	for (i = 0; i < ARRAY_LEN(words); i++) {
		words[i].id = 1 + (uint32_t)random() % PLACES;
		words[i].version = 10 + i;
		words[i].unique = random() % 3 ? 100 + i : 0;
		best[words[i].id] = words[i].version;
		holds[words[i].id] = words[i].unique;
	}
	for (i = 0; i < 2 * ARRAY_LEN(words); i++) {
		j = (unsigned int)random() % ARRAY_LEN(words);
		swap = words[i % ARRAY_LEN(words)];
		words[i % ARRAY_LEN(words)] = words[j];
		words[j] = swap;
	}
	for (i = 0; i < 2 * ARRAY_LEN(words); i++) {
		const struct word *x = &words[i % ARRAY_LEN(words)];

		if (x->unique)
			say_session(x->id, x->version, x->unique, 0);
		else
			assert_true(repl_put_gone(&w, REPL_SESSION, x->id, x->version));
		assert_true(told(clrec_apply));
	}
	for (i = 1; i <= PLACES; i++) {
		assert_int_equal(slots[CHANGE_SESSION][i].unique, holds[i]);
		assert_true(change_version(CHANGE_SESSION, i) == best[i]);
	}
}

/* The master's first word in a synchronisation wins over a higher version; a second one does not.
 */
static void
first_word_of_a_synchronisation(void **state)
{
	(void)state;
	say_session(3, 5000, 77, 0);
	say_session(4, 5000, 78, 0);
	say_tunnel(2, 5000, 70, 0);
	assert_true(told(clrec_apply));
	in_sync = true;
	say_session(3, 20, 88, 0);
	say_session(3, 10, 99, 0);
	assert_true(repl_put_gone(&w, REPL_SESSION, 4, 30));
	say_tunnel(2, 40, 71, 0);
	assert_true(told(clrec_apply));
	assert_int_equal(slots[CHANGE_SESSION][3].unique, 88);
	assert_true(change_version(CHANGE_SESSION, 3) == 20);
	assert_int_equal(slots[CHANGE_SESSION][4].unique, 0);
	assert_int_equal(slots[CHANGE_TUNNEL][2].unique, 71);
}

/* What is told of a place, and what of one that is free or never was used. */
static void
what_is_told(void **state)
{
	struct repl_record got;
	struct rd r;

	(void)state;
	assert_true(clrec_put(&w, CHANGE_SESSION, 9));
	assert_int_equal(wr_len(&w), 0);
	change_set_version(CHANGE_SESSION, 5, 100);
	slots[CHANGE_SESSION][5].unique = 55;
	change_set_version(CHANGE_SESSION, 6, 101);
	change_set_version(CHANGE_TUNNEL, 7, 102);
	slots[CHANGE_TUNNEL][7].unique = 707;
	change_set_version(CHANGE_TUNNEL, 8, 103);
	assert_true(clrec_put(&w, CHANGE_SESSION, 5));
	assert_true(clrec_put(&w, CHANGE_SESSION, 6));
	assert_true(clrec_put(&w, CHANGE_TUNNEL, 7));
	assert_true(clrec_put(&w, CHANGE_TUNNEL, 8));
	r = rd_init(buf, wr_len(&w));
	assert_true(repl_next(&r, &got));
	assert_true(got.kind == REPL_SESSION && !got.gone && got.id == 5 && got.version == 100);
	assert_true(repl_next(&r, &got));
	assert_true(got.kind == REPL_SESSION && got.gone && got.id == 6 && got.version == 101);
	assert_true(repl_next(&r, &got));
	assert_true(got.kind == REPL_TUNNEL && !got.gone && got.id == 7);
	assert_true(repl_next(&r, &got));
	assert_true(got.kind == REPL_TUNNEL && got.gone && got.id == 8);
	assert_false(repl_next(&r, &got));
}

/* A full message stays as it was. */
static void
no_room(void **state)
{
	size_t len = 0;
	unsigned int n;

	(void)state;
	change_set_version(CHANGE_SESSION, 5, 100);
	slots[CHANGE_SESSION][5].unique = 55;
	for (n = 0; clrec_put(&w, CHANGE_SESSION, 5); n++)
		len = wr_len(&w);
	assert_true(n > 10);
	assert_int_equal(wr_len(&w), len);
	assert_true(told(clrec_apply));
}

/* One record that is refused does not stop those behind it, but the message was not good. */
static void
refused_and_malformed(void **state)
{
	uint64_t before = change_table_version(), bad = counters->cluster_malformed;

	(void)state;
	refuses = true;
	say_session(3, before + 10, 77, 0);
	assert_false(told(clrec_apply));
	assert_true(change_table_version() == before + 10);
	refuses = false;
	say_session(3, 0, 77, 0);
	say_session(4, before + 11, 78, 0);
	sample.rec.state = 99;
	sample.id = 5;
	assert_true(repl_put_session(&w, &sample));
	say_session(6, before + 12, 79, 0);
	assert_false(told(clrec_apply));
	assert_int_equal(slots[CHANGE_SESSION][4].unique, 78);
	assert_int_equal(slots[CHANGE_SESSION][5].unique, 0);
	assert_int_equal(slots[CHANGE_SESSION][6].unique, 79);
	say_session(7, before + 13, 80, 0);
	w.pos -= 3;
	assert_false(told(clrec_apply));
	assert_true(counters->cluster_malformed == bad + 1);
}

/* While all is being told, the stream may speak of a session whose tunnel is still to come. */
static void
a_session_without_its_tunnel(void **state)
{
	uint64_t before = counters->cluster_refused;

	(void)state;
	no_tunnel = in_sync = true;
	say_session(3, change_table_version() + 10, 77, 0);
	assert_true(told(clrec_apply));
	assert_true(counters->cluster_refused == before);
	in_sync = false;
	say_session(3, change_table_version() + 10, 77, 0);
	assert_false(told(clrec_apply));
	assert_true(counters->cluster_refused == before + 1);
}

/* Kinds we do not know are a newer version's; each other one goes to who deals with it. */
static void
each_kind_to_its_own(void **state)
{
	struct repl_count c = { .id = 3, .unique = 7, .rx_packets = 1, .rx_bytes = 2 };
	struct repl_chan m = { .tunnel = 1, .ns = 2, .len = 12, .version = 4 };
	struct repl_acct a = { .id = 1, .origin = 2, .done = true };
	struct repl_ended e = { .unique = 7, .wire_tid = 8, .wire_sid = 9 };
	struct repl_acct stop = {
		.id = 2, .origin = 2, .status = RAD_ACCT_STOP, .key = GOES_ON, .len = 20
	};

	(void)state;
	assert_true(repl_put_count(&w, &c));
	assert_true(repl_put_chan(&w, &m));
	assert_true(repl_put_acct(&w, &a));
	assert_true(repl_put_gone(&w, (enum repl_kind)200, 1, 2));
	assert_true(told(clrec_apply));
	assert_true(counts == 1 && chans == 1 && accts == 1 && ends == 0);
	assert_true(repl_put_ended(&w, &e));
	assert_true(repl_put_acct(&w, &stop)); /* its session lives on here */
	assert_true(repl_put_count(&w, &c));
	assert_true(repl_put_chan(&w, &m));
	assert_true(repl_put_acct(&w, &a));
	assert_true(repl_put_gone(&w, REPL_SESSION, 3, 5000));
	assert_true(repl_put_gone(&w, (enum repl_kind)200, 1, 2));
	assert_true(told(clrec_take_offer));
	assert_true(counts == 2 && chans == 1 && accts == 2 && ends == 1 && n_offers == 0);
	assert_int_equal(refusals, 1);
}

static void
expect_offer(bool taken)
{
	n_offers = 0;
	assert_true(told(clrec_take_offer));
	assert_int_equal(n_offers, taken);
}

/* A session of an offer is taken where our mastership has changed nothing, and where it is another.
 */
static void
sessions_of_an_offer(void **state)
{
	(void)state;
	change_set_version(CHANGE_SESSION, 1, BASE);
	slots[CHANGE_SESSION][1].unique = 11;
	say_session(1, BASE + 5, 11, 50000);
	expect_offer(true); /* changed there only */
	change_set_version(CHANGE_SESSION, 1, BASE + 1);
	say_session(1, BASE + 5, 11, 50000);
	expect_offer(false); /* here too */
	assert_int_equal(agreements, 1);
	came_up_there = true;
	say_session(1, BASE + 5, 11, 50000);
	expect_offer(true); /* here too, but no further than its login */
	came_up_there = false;
	say_session(1, BASE + 5, 12, 50);
	expect_offer(true); /* another one: it gets another place */
	slots[CHANGE_SESSION][5].unique = 12;
	change_set_version(CHANGE_SESSION, 5, BASE + 9);
	say_session(1, BASE + 5, 12, 50);
	expect_offer(false); /* where it is, though another member offers it too */
	slots[CHANGE_SESSION][5].unique = 0;
	slots[CHANGE_SESSION][1].unique = 0;
	ended_note(&(struct ended){ .unique = 11 });
	say_session(1, BASE + 5, 11, 101);
	expect_offer(false); /* it has ended here */
	say_session(1, BASE + 5, 12, 50000);
	expect_offer(true); /* not that one, in a place that was used here */
	ended_clear();
	say_session(2, BASE + 5, 13, 99);
	expect_offer(true);
	assert_int_equal(offers[0].unique, 13);
}

static void
tunnels_of_an_offer(void **state)
{
	(void)state;
	change_set_version(CHANGE_TUNNEL, 1, BASE);
	slots[CHANGE_TUNNEL][1].unique = 11;
	say_tunnel(1, BASE, 11, 50000);
	expect_offer(false); /* it only says which it is */
	assert_int_equal(matches, 1);
	say_tunnel(1, BASE + 5, 11, 50000);
	expect_offer(true);
	change_set_version(CHANGE_TUNNEL, 1, BASE + 1);
	assert_int_equal(resyncs, 0);
	say_tunnel(1, BASE + 5, 11, 50000);
	expect_offer(false); /* both of us went on with it */
	assert_int_equal(resyncs, 1);
	say_tunnel(1, BASE + 5, 12, 50);
	expect_offer(true);
	slots[CHANGE_TUNNEL][1].unique = 0;
	say_tunnel(1, BASE + 5, 11, 101);
	expect_offer(false);
	say_tunnel(1, BASE + 5, 12, 99);
	expect_offer(true);
	assert_int_equal(matches, 6);
	change_set_version(CHANGE_TUNNEL, 2, BASE - 9); /* he was behind when both of us began */
	slots[CHANGE_TUNNEL][2].unique = 14;
	say_tunnel(2, BASE - 3, 14, 50000);
	expect_offer(true);
	refuses = true;
	say_tunnel(3, BASE + 5, 12, 99);
	assert_false(told(clrec_take_offer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(any_order, begin),
		cmocka_unit_test_setup(first_word_of_a_synchronisation, begin),
		cmocka_unit_test_setup(what_is_told, begin),
		cmocka_unit_test_setup(no_room, begin),
		cmocka_unit_test_setup(refused_and_malformed, begin),
		cmocka_unit_test_setup(a_session_without_its_tunnel, begin),
		cmocka_unit_test_setup(each_kind_to_its_own, begin),
		cmocka_unit_test_setup(sessions_of_an_offer, begin),
		cmocka_unit_test_setup(tunnels_of_an_offer, begin),
	};

	srandom(4711);
	role_init();
	change_init(PLACES, PLACES);
	counter_init();
	ended_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
