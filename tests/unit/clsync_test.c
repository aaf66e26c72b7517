/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A full synchronisation and an offer, both sides of them in one process: what is sent is kept
 * here, lost, doubled and crossed at will. The tables, the clock and the socket are played.
 */
#include "clfield.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "session.h"
#include "timer.h"
#include "tunnel.h"

/* Played below; the real ones come with the records' codec. */
#define session_get	play_session
#define session_highest play_session_highest
#define tunnel_highest	play_tunnel_highest

const struct session *play_session(sess_id id);
uint32_t play_session_highest(void);
uint32_t play_tunnel_highest(void);

#include "clsync.c"
#include "tests/unit/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	TUNNELS = 40,
	SESSIONS = 3000,
	CHANS = 3,
	ACCTS = 20,
	QUEUE = 20000,
	JOE = 0x0200000a,
	MASTER = 0x0100000a
};

/* What the master has, by place. */
static bool has_tunnel[TUNNELS + 1], has_session[SESSIONS + 1];
static size_t long_record; /* of session 1 */

/* What came to the other side, and went there. */
static unsigned int got_tunnel[TUNNELS + 1], got_chan[TUNNELS + 1], got_session[SESSIONS + 1],
    got_count[SESSIONS + 1], got_acct[ACCTS + 1], got_ended, offers, dropped_tunnels,
    dropped_sessions, at_once, longest_turn;
static bool unheard, synced;

static struct sent {
	uint32_t to;
	uint8_t kind;
	size_t len;
	uint8_t *fields;
} sent[QUEUE];
static unsigned int n_sent;

/* --- stand-ins --- */

time_t
loop_time(void)
{
	return 0;
}

const struct session *
session_get(sess_id id)
{
	static const struct session s;

	return id <= SESSIONS && has_session[id] ? &s : NULL;
}

uint32_t
session_highest(void)
{
	return SESSIONS;
}

uint32_t
tunnel_highest(void)
{
	return TUNNELS;
}

bool
tunnel_export(tunn_id id, struct repl_tunnel *r)
{
	*r = (struct repl_tunnel){ .id = id,
		.version = change_version(CHANGE_TUNNEL, id),
		.state = TUNNEL_OPEN,
		.wire_tid = (uint16_t)id,
		.ns = 10 + CHANS,
		.acked = 10 };
	return has_tunnel[id];
}

bool
chan_export(tunn_id t, uint16_t *ns, struct repl_chan *r)
{
	if (*ns >= 10 + CHANS)
		return false;
	*r = (struct repl_chan){ .tunnel = (uint16_t)t, .ns = (*ns)++, .len = 700 };
	return true;
}

bool
clrec_put(struct wr *w, enum change_kind kind, uint32_t id)
{
	static const uint8_t zeroes[CLREC_LARGEST];
	struct wr was = *w;

	if (id == 1 && long_record)
		clfield_put_octets(w, 99, zeroes, long_record);
	if (!w->bad && repl_put_gone(w, REPL_SESSION, id, change_version(kind, id)))
		return true;
	*w = was;
	return false;
}

bool
clcount_export(sess_id id, struct repl_count *c)
{
	*c = (struct repl_count){ .id = id, .unique = id };
	return session_get(id);
}

enum clshare_put
clshare_put(struct wr *w, struct clshare_walk *walk)
{
	struct repl_acct a = { .id = walk->pos + 1, .origin = 1, .done = true };

	if (walk->kind != REPL_ACCT || walk->pos == ACCTS)
		return CLSHARE_END;
	if (!repl_put_acct(w, &a))
		return CLSHARE_FULL;
	walk->pos++;
	return CLSHARE_NEXT;
}

static bool has_left, left_told;

bool
clshare_left(void)
{
	return has_left;
}

void
clshare_left_told(void)
{
	has_left = false;
	left_told = true;
}

uint64_t
clstream_seq(void)
{
	return 77;
}

void
clstream_flush(void)
{
}

bool
cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	struct sent *s = &sent[n_sent++];

	assert_true(n_sent <= QUEUE);
	assert_true(len <= CLREC_LARGEST);
	*s = (struct sent){ .to = to, .kind = kind, .len = len, .fields = malloc(len) };
	memcpy(s->fields, fields, len);
	at_once++;
	return true;
}

bool
cluster_is_heard(void)
{
	return !unheard;
}

void
cluster_synced(bool yes)
{
	synced = yes;
}

void
cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields))
{
	(void)kind;
	(void)fn;
}

static void
take(struct rd fields)
{
	struct repl_record rec;

	while (repl_next(&fields, &rec))
		switch (rec.kind) {
		case REPL_TUNNEL:
			got_tunnel[rec.id]++;
			break;
		case REPL_CHAN: /* behind its tunnel, which is in front of all sessions */
			assert_true(got_tunnel[repl_chan_tunnel(rec.id)]);
			got_chan[repl_chan_tunnel(rec.id)]++;
			break;
		case REPL_SESSION:
			(void)clsync_met(REPL_SESSION, rec.id);
			got_session[rec.id]++;
			break;
		case REPL_COUNT:
			assert_true(got_session[rec.id]);
			got_count[rec.id]++;
			break;
		case REPL_ENDED: /* in front of all else */
			assert_int_equal(got_session[SESSIONS] + got_tunnel[TUNNELS], 0);
			got_ended++;
			break;
		case REPL_ACCT:
			got_acct[rec.id]++;
			break;
		default:
			fail();
		}
}

bool
clrec_apply(struct rd fields)
{
	take(fields);
	return true;
}

bool
clrec_take_offer(struct rd fields)
{
	offers++;
	take(fields);
	return true;
}

enum install
session_remove(sess_id id, uint64_t version)
{
	assert_true(version > change_version(CHANGE_SESSION, id));
	assert_int_equal(dropped_tunnels, 0); /* sessions go first */
	assert_int_equal(got_session[id], 0);
	dropped_sessions++;
	return INSTALL_DONE;
}

enum install
tunnel_remove(tunn_id id, uint64_t version)
{
	assert_true(version > change_version(CHANGE_TUNNEL, id));
	dropped_tunnels++;
	return INSTALL_DONE;
}

/* --- both sides --- */

static void
hand_over(const struct sent *s)
{
	struct rd fields = rd_init(s->fields, s->len);

	bool offering = walks[0].message == CL_OFFER; /* then the master acknowledges */
	bool leads = s->kind != CL_SYNC && !(s->kind == CL_SYNC_ACK && offering);

	role_set(leads, leads ? 0 : MASTER);
	switch (s->kind) {
	case CL_SYNC_ASK:
		on_ask(JOE, fields);
		break;
	case CL_SYNC_ACK:
		on_ack(offering ? MASTER : JOE, fields);
		break;
	case CL_SYNC:
		on_part(MASTER, fields);
		break;
	case CL_OFFER:
		on_offer(JOE, fields);
		break;
	default:
		fail();
	}
	role_set(false, MASTER);
}

/* A millisecond: what is under way comes, in some order, or does not; timers run. */
static void
pass(unsigned int loss, bool crossed)
{
	static struct sent now[QUEUE];
	unsigned int n = n_sent, i, j;
	struct sent swap;

	memcpy(now, sent, n * sizeof(*now));
	n_sent = 0;
	for (i = 0; crossed && i < n; i++) {
		j = (unsigned int)random() % n;
		swap = now[i];
		now[i] = now[j];
		now[j] = swap;
	}
	for (i = 0; i < n; i++) {
		at_once = 0;
		if ((unsigned int)random() % 100 >= loss)
			hand_over(&now[i]);
		longest_turn = MAX(longest_turn, at_once);
		free(now[i].fields);
	}
	at_once = 0;
	timer_run(++now_ms);
	longest_turn = MAX(longest_turn, at_once);
}

static void
lose_all(void)
{
	while (n_sent)
		free(sent[--n_sent].fields);
}

static int
begin_test(void **state)
{
	uint32_t id;

	(void)state;
	clsync_stop();
	lose_all();
	memset(got_tunnel, 0, sizeof(got_tunnel));
	memset(got_chan, 0, sizeof(got_chan));
	memset(got_session, 0, sizeof(got_session));
	memset(got_count, 0, sizeof(got_count));
	memset(got_acct, 0, sizeof(got_acct));
	offers = dropped_tunnels = dropped_sessions = longest_turn = 0;
	long_record = 0;
	synced = false;
	now_ms += 1000;
	role_set(false, MASTER);
	for (id = 1; id <= SESSIONS; id++) {
		has_session[id] = id % 3;
		change_set_version(CHANGE_SESSION, id, id % 3 ? 1000 + id : 0);
	}
	for (id = 1; id <= TUNNELS; id++) {
		has_tunnel[id] = id % 4;
		change_set_version(CHANGE_TUNNEL, id, id % 4 ? 100 + id : 0);
	}
	return 0;
}

static void
synchronise(unsigned int loss, bool crossed)
{
	unsigned int ms = 0;

	clsync_ask();
	assert_false(synced);
	while (!synced) {
		assert_true(ms++ < 60000);
		pass(loss, crossed);
	}
}

static void
expect_all(void)
{
	uint32_t id;

	for (id = 1; id <= TUNNELS; id++) {
		assert_int_equal(got_tunnel[id] > 0, has_tunnel[id]);
		assert_true(!has_tunnel[id] || got_chan[id] >= CHANS);
	}
	for (id = 1; id <= SESSIONS; id++) {
		assert_int_equal(got_session[id] > 0, has_session[id]);
		assert_int_equal(got_count[id] > 0, has_session[id]);
	}
	for (id = 1; id <= ACCTS; id++)
		assert_true(got_acct[id]);
}

/* --- tests --- */

static void
all_comes(void **state)
{
	(void)state;
	synchronise(0, false);
	expect_all();
	assert_true(longest_turn <= PARTS_A_TURN);
}

static void
all_comes_though_much_is_lost(void **state)
{
	unsigned int loss;

	for (loss = 5; loss <= 50; loss += 15) {
		begin_test(state);
		synchronise(loss, true);
		expect_all();
		assert_true(longest_turn <= PARTS_A_TURN);
	}
}

/* What is here and the walk has passed without goes at the end; what the stream has told stays. */
static void
what_was_not_told_goes(void **state)
{
	uint32_t id, told = 0;

	(void)state;
	for (id = 3; id <= 300; id += 3)
		change_set_version(CHANGE_SESSION, id, 5);
	change_set_version(CHANGE_TUNNEL, 4, 5);
	clsync_ask();
	(void)clsync_met(REPL_SESSION, 30); /* by the stream */
	for (id = 1; id <= TUNNELS; id++)
		if (has_tunnel[id])
			(void)clsync_met(REPL_TUNNEL, id);
	while (!synced && told++ < 10000)
		pass(0, false);
	assert_true(synced);
	assert_int_equal(dropped_sessions, 99);
	assert_int_equal(dropped_tunnels, 1);
	assert_true(change_version(CHANGE_SESSION, 3) == 0);
	assert_true(change_version(CHANGE_SESSION, 30) == 5);
}

/* The first word about a place is told from later ones, while a synchronisation is under way. */
static void
first_word(void **state)
{
	(void)state;
	assert_true(clsync_met(REPL_SESSION, 5));
	clsync_ask();
	assert_false(clsync_met(REPL_SESSION, 5));
	assert_true(clsync_met(REPL_SESSION, 5));
	assert_false(clsync_met(REPL_TUNNEL, 5));
	assert_true(clsync_met(REPL_SESSION, SESSIONS + 1));
	clsync_stop();
	assert_true(clsync_met(REPL_SESSION, 6));
}

static void
a_record_longer_than_a_packet(void **state)
{
	(void)state;
	long_record = 9000;
	synchronise(10, true);
	expect_all();
}

/* The master stops in the middle: all is asked for again. */
static void
a_master_that_stops(void **state)
{
	uint32_t sync;
	unsigned int n;

	(void)state;
	clsync_ask();
	for (n = 0; n < 3; n++)
		pass(0, false);
	assert_true(sync_in.part > 0);
	sync = sync_in.sync;
	for (n = 0; n < 11000; n++)
		pass(100, false);
	assert_int_not_equal(sync_in.sync, sync);
	assert_false(synced);
	for (n = 0; !synced && n < 10000; n++)
		pass(0, false);
	assert_true(synced);
}

/* Nothing of what is sent is acknowledged. */
static void
until_given_up(void)
{
	unsigned int n;

	for (n = 0; n < 2 * AGAIN_TIMES * AGAIN_MS && walks[0].to; n++) {
		lose_all();
		pass(100, false);
	}
	assert_int_equal(walks[0].to, 0);
	assert_true(n >= AGAIN_TIMES * AGAIN_MS - 2 * AGAIN_MS);
}

/* A peer that does not acknowledge is given up; others are not kept waiting by it. */
static void
a_peer_that_is_gone(void **state)
{
	(void)state;
	begin(JOE + 1, CL_SYNC, 9, 0);
	until_given_up();
}

/* The new master does not hear us: what we have done is offered for as long as that lasts, and
 * then. */
static void
an_offer_of_who_is_not_heard(void **state)
{
	unsigned int n;

	(void)state;
	unheard = true;
	begin(JOE + 1, CL_OFFER, 9, 0);
	for (n = 0; n < 2 * AGAIN_TIMES * AGAIN_MS; n++) {
		lose_all();
		pass(100, false);
		assert_int_equal(walks[0].to, JOE + 1);
	}
	unheard = false;
	until_given_up();
}

/* What has changed since, and all tunnels, those without queues that have not. */
static void
an_offer(void **state)
{
	unsigned int n;
	uint32_t id;

	(void)state;
	change_set_version(CHANGE_TUNNEL, 7, 3000);
	for (n = 0; n < 1000; n++)
		ended_note(&(struct ended){ 1, 2, n + 1, n % 4 == 0 });
	clsync_offer(2500, true);
	for (n = 0; !sync_in.from && n < 20000; n++)
		pass(20, true);
	assert_true(sync_in.from); /* asks as soon as all was acknowledged */
	assert_true(offers > 0);
	assert_int_equal(got_ended, 750); /* all that are no guesses */
	for (id = 1; id <= SESSIONS; id++) {
		assert_int_equal(got_session[id] > 0, has_session[id] && 1000 + id > 2500);
		assert_int_equal(got_count[id] > 0, has_session[id] && 1000 + id > 2500);
	}
	for (id = 1; id <= TUNNELS; id++) {
		assert_int_equal(got_tunnel[id] > 0, has_tunnel[id]);
		assert_int_equal(got_chan[id] > 0, id == 7);
	}
	for (n = 0; !synced && n < 20000; n++)
		pass(0, false);
	assert_true(synced);
}

static unsigned int
accts(void)
{
	unsigned int i, n = 0;

	for (i = 1; i <= ACCTS; i++)
		n += got_acct[i] > 0;
	return n;
}

/* The master dies before it has all that was left here: the next one gets it; once. */
static void
what_was_left(void **state)
{
	unsigned int n;

	(void)state;
	has_left = true;
	clsync_offer_left();
	clsync_offer_left();
	assert_int_equal(n_sent, 1);
	pass(100, false);
	clsync_stop(); /* another master */
	clsync_offer_left();
	for (n = 0; n < 20000 && !left_told; n++)
		pass(20, true);
	assert_int_equal(accts(), ACCTS);
	clsync_offer_left();
	assert_int_equal(walks[0].to, 0);
	clsync_stop();
	has_left = false;
	clsync_offer_left();
	assert_int_equal(walks[0].to, 0);
}

/* Messages that cannot be, and ones of another synchronisation. */
static void
nonsense(void **state)
{
	static const uint8_t bad[] = { 0, 17, 0, 200 };
	struct cl_sync_ack m = { .sync = 5, .part = 1 };
	uint64_t before = counters->cluster_malformed;
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	on_ask(JOE, rd_init(bad, sizeof(bad)));
	on_ack(JOE, rd_init(bad, sizeof(bad)));
	on_part(MASTER, rd_init(bad, sizeof(bad)));
	on_offer(JOE, rd_init(bad, sizeof(bad)));
	assert_true(counters->cluster_malformed == before + 4);
	begin(JOE, CL_SYNC, 9, 0);
	clmsg_put_sync_ack(&w, &m);
	on_ack(JOE, rd_init(buf, wr_len(&w)));
	assert_int_equal(walks[0].acked, 0);
	m.sync = 9;
	m.part = 100000; /* of a part that was never sent */
	w = wr_init(buf, sizeof(buf));
	clmsg_put_sync_ack(&w, &m);
	on_ack(JOE, rd_init(buf, wr_len(&w)));
	assert_int_equal(walks[0].acked, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_comes, begin_test),
		cmocka_unit_test_setup(all_comes_though_much_is_lost, begin_test),
		cmocka_unit_test_setup(what_was_not_told_goes, begin_test),
		cmocka_unit_test_setup(first_word, begin_test),
		cmocka_unit_test_setup(a_record_longer_than_a_packet, begin_test),
		cmocka_unit_test_setup(a_master_that_stops, begin_test),
		cmocka_unit_test_setup(a_peer_that_is_gone, begin_test),
		cmocka_unit_test_setup(an_offer_of_who_is_not_heard, begin_test),
		cmocka_unit_test_setup(an_offer, begin_test),
		cmocka_unit_test_setup(what_was_left, begin_test),
		cmocka_unit_test_setup(nonsense, begin_test),
	};

	srandom(4711);
	counter_init();
	ended_init();
	role_init();
	timer_run(now_ms);
	change_init(TUNNELS, SESSIONS);
	clsync_init(TUNNELS, SESSIONS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
