/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct sess_fast has what all members together have moved for a session, on each of them: so
 * accounting, usage files and `show` need not know of the cluster. Each member tells the
 * others every second what it has counted itself, for sessions where that has changed, as a
 * figure since its start; a receiver adds what is new of it, and remembers how much of the sum
 * is not its own.
 *
 * So a sum is made of one figure of each incarnation. A figure only grows, and of two that are
 * told of one incarnation the higher is right, whoever tells it, and whenever: sums become the
 * same everywhere, however messages were lost and members were split, died and synchronised. For
 * that all is told once more when a member is heard that was not there, and once a minute; with
 * it goes what is known of members that are silent, which nobody else may have heard; and full
 * synchronisations and offers tell of each session how far every member is in its sum.
 *
 * When a session's record goes, our own figure of it is put by: the session may come back, by a
 * synchronisation or under another id, and the others have that figure in their sums.
 *
 * A member that starts again is another incarnation: what it had counted stays in the sums. So
 * many incarnations have a place; of more, those that were silent longest are still in the sums,
 * but not known apart.
 *
 * Owns the figures of members. Called by the list of hooks, clrec.c and clsync.c.
 */
#include "clcount.h"
#include "clfinal.h"
#include "clmsg.h"
#include "clrec.h"
#include "cluster.h"
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "session.h"
#include "shm.h"
#include "timer.h"

#include <string.h>

enum {
	MEMBERS = CLCOUNT_MEMBERS,
	STEP_MS = 20,	  /* between two parts of the walk over the sessions */
	STEPS = 50,	  /* in which it goes over all of them */
	LAST_STEPS = 20,  /* the same when we are about to end, and all is told */
	REST_SEC = 64,	  /* sessions at rest are told so often */
	MET_WALKS = 3,	  /* walks that tell all when a member is met: he may not hear us yet */
	SILENT_MS = 3000, /* who tells nothing for so long may be gone: we tell his figures */
	SPOKEN_OF = 1,	  /* when he was heard who never was, but has a place */
	GONE = 64,	  /* incarnations that had a place, and must not get one again */
	ASKED_MOST = 256  /* sessions in one COUNT_ASK */
};

/* Of which session: another one may have the id by now. */
struct row {
	uint32_t unique;
	struct clsum n;
};

static struct member {
	uint64_t incarnation; /* 0: free */
	uint64_t heard_ms;
	struct row *rows; /* last figure told, by session */
} members[MEMBERS];

static uint64_t gone[GONE]; /* the last in gone[n_gone modulo GONE] */
static unsigned int n_gone;
static struct row *others; /* how much of the sum is not our own */
static struct row *told;   /* what we have told of our own */
static struct row *parked; /* our own of sessions that are not here, by unique modulo `limit` + 1 */
static uint32_t limit;
static struct timer walk_timer;
static sess_id walk_at;
static uint32_t walks;	       /* since the start */
static unsigned int met_walks; /* left of MET_WALKS */
static unsigned int alive;     /* members, at the last step */
static bool leaving;
static struct repl_count record; /* in hand */

static struct row *
row_of(struct row *rows, sess_id id)
{
	uint32_t unique = session_get(id)->unique;

	if (rows[id].unique != unique)
		rows[id] = (struct row){ .unique = unique };
	return &rows[id];
}

static struct clsum
total(sess_id id)
{
	const struct sess_fast *f = session_fast(id);

	return (struct clsum){ f->rx_bytes, f->rx_packets, f->tx_bytes, f->tx_packets };
}

static struct clsum
own(sess_id id)
{
	return clsum_minus(total(id), row_of(others, id)->n);
}

static void
gain(sess_id id, struct clsum n)
{
	struct sess_fast *f = session_fast(id);

	f->rx_bytes += n.rx_bytes;
	f->rx_packets += n.rx_packets;
	f->tx_bytes += n.tx_bytes;
	f->tx_packets += n.tx_packets;
}

/* --- sessions that come and go --- */

static struct row *
parked_of(uint32_t unique)
{
	return &parked[unique % (limit + 1)];
}

/* The record goes. What others have counted stays with the id until another session has that. */
static void
forget(sess_id id)
{
	uint32_t unique = session_get(id)->unique;

	*parked_of(unique) = (struct row){ .unique = unique, .n = own(id) };
}

/* The record is there, perhaps again, with a sum of nothing then. */
static void
come(sess_id id, const struct repl_session *r)
{
	struct row *own_one = parked_of(r->rec.unique);

	gain(id, clsum_above(row_of(others, id)->n, total(id)));
	if (own_one->unique != r->rec.unique)
		return;
	gain(id, own_one->n);
	*own_one = (struct row){ 0 };
}

const struct hook_member clcount_member = { .install = come, .remove = forget };

void
clcount_session(sess_id s, enum sess_event ev)
{
	if (ev == SESS_EV_GONE)
		forget(s);
	else if (ev == SESS_EV_DOWN && conf->accounting_dir[0] &&
		 !clfinal_has(session_get(s)->unique))
		(void)clfinal_begin(s, 0); /* no Stop has asked, but a usage file wants to know */
}

struct clsum
clcount_told(unsigned int member, sess_id id)
{
	const struct member *m = &members[member];

	return m->incarnation && m->rows[id].unique == session_get(id)->unique
		   ? m->rows[id].n
		   : (struct clsum){ 0 };
}

/* --- telling --- */

/* A COUNT that is being filled; it may hold one record that is longer than a packet. */
static struct {
	uint8_t buf[CLREC_LARGEST];
	struct wr w;
} out;

static void
open_message(void)
{
	out.w = wr_init(out.buf, CLREC_ROOM);
}

static void
send_message(void)
{
	if (wr_len(&out.w))
		cluster_send(0, CL_COUNT, out.buf, wr_len(&out.w));
	open_message();
}

static struct cl_count
figure(sess_id id)
{
	const struct sess_fast *f = session_fast(id);
	struct clsum n = own(id);

	return (struct cl_count){
		.session = id,
		.unique = session_get(id)->unique,
		.rx_bytes = n.rx_bytes,
		.rx_packets = n.rx_packets,
		.tx_bytes = n.tx_bytes,
		.tx_packets = n.tx_packets,
		.data_ds = loop_now_ds() - f->last_data,
		.frame_ds = loop_now_ds() - f->last_rx,
	};
}

static void
put(const struct cl_count *c)
{
	if (clmsg_put_count(&out.w, c))
		return;
	send_message();
	(void)clmsg_put_count(&out.w, c);
}

static void
tell(sess_id id)
{
	struct cl_count c = figure(id);

	put(&c);
	row_of(told, id)->n = own(id);
}

static void
list_member(struct repl_count *c, uint64_t incarnation, struct clsum n)
{
	if (clsum_is_zero(n) || c->n == REPL_MEMBERS)
		return;
	c->member[c->n++] = (struct repl_member){ .incarnation = incarnation,
		.rx_bytes = n.rx_bytes,
		.rx_packets = n.rx_packets,
		.tx_bytes = n.tx_bytes,
		.tx_packets = n.tx_packets };
}

/* What members have told that have not been heard for `silent_ms`. */
static void
list_members(struct repl_count *c, sess_id id, uint64_t silent_ms)
{
	const struct member *m;

	for (m = members; m < members + MEMBERS; m++)
		if (m->incarnation && m->rows[id].unique == c->unique &&
		    loop_now_ms() - m->heard_ms >= silent_ms)
			list_member(c, m->incarnation, m->rows[id].n);
}

static void
tell_of_silent(sess_id id)
{
	const struct sess_fast *f = session_fast(id);

	record = (struct repl_count){ .id = id,
		.unique = session_get(id)->unique,
		.data_ds = loop_now_ds() - f->last_data,
		.frame_ds = loop_now_ds() - f->last_rx };
	list_members(&record, id, SILENT_MS);
	if (record.n == 0 || repl_put_count(&out.w, &record))
		return;
	send_message();
	out.w.end = out.buf + sizeof(out.buf);
	(void)repl_put_count(&out.w, &record);
	send_message();
}

/* All there is to tell, or what is new. */
static void
tell_session(sess_id id, bool all)
{
	struct clsum now = own(id);

	if (all ? !clsum_is_zero(now) : !clsum_is_zero(clsum_minus(now, row_of(told, id)->n)))
		tell(id);
	if (all)
		tell_of_silent(id);
}

static void
next_session(uint32_t highest)
{
	if (walk_at >= highest) {
		walk_at = 0;
		walks++;
		met_walks -= met_walks > 0;
	}
	if (session_get(++walk_at))
		tell_session(
		    walk_at, leaving || met_walks > 0 || (walks + walk_at) % REST_SEC == 0);
}

/* Who is heard again, or for the first time, lacks what was told meanwhile. */
static void
look_who_is_there(void)
{
	unsigned int now = cluster_peers_alive();

	if (now > alive)
		met_walks = MET_WALKS + 1; /* the one under way is not whole */
	alive = now;
}

static void
on_walk(uint32_t unused)
{
	uint32_t n, highest = session_highest();

	(void)unused;
	timer_set(&walk_timer, cluster_has_peers() ? MS(STEP_MS) : SEC(1));
	look_who_is_there();
	clfinal_step();
	if (!cluster_has_peers())
		return;
	for (n = highest ? highest / (leaving ? LAST_STEPS : STEPS) + 1 : 0; n > 0; n--)
		next_session(highest);
	send_message();
}

void
clcount_leave(void)
{
	leaving = true;
}

void
clcount_tell_last(void)
{
	sess_id id;

	for (id = 1; id <= session_highest(); id++)
		if (session_get(id))
			tell_session(id, false);
	send_message();
}

/* --- hearing --- */

static void
take_place(struct member *m, uint64_t incarnation)
{
	if (m->incarnation)
		shm_trim(m->rows, (limit + (size_t)1) * sizeof(*m->rows), 0);
	m->incarnation = incarnation;
}

static bool
has_gone(uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; i < GONE; i++)
		if (gone[i] == incarnation)
			return true;
	return false;
}

/* NULL: none, he has given his place to another. One that is only spoken of is the first to give
 * way: whoever is made up must not put out who is there. */
static struct member *
member_of(uint64_t incarnation)
{
	struct member *m, *oldest = members;

	for (m = members; m < members + MEMBERS; m++) {
		if (m->incarnation == incarnation)
			return m;
		if (m->heard_ms < oldest->heard_ms)
			oldest = m;
	}
	if (has_gone(incarnation))
		return NULL;
	if (oldest->incarnation)
		gone[n_gone++ % GONE] = oldest->incarnation;
	take_place(oldest, incarnation);
	oldest->heard_ms = SPOKEN_OF;
	return oldest;
}

static bool
is_ours(sess_id id, uint32_t unique)
{
	const struct session *s = id <= limit ? session_get(id) : NULL;

	return s && s->unique == unique;
}

static struct clsum
told_counts(const struct cl_count *c)
{
	return (struct clsum){ c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets };
}

static struct clsum
listed_counts(const struct repl_member *r)
{
	return (struct clsum){ r->rx_bytes, r->rx_packets, r->tx_bytes, r->tx_packets };
}

/* A figure only grows; a lower one came late. */
static void
raise_member(struct member *m, sess_id id, struct clsum n)
{
	struct row *last = row_of(m->rows, id);
	struct clsum more = clsum_above(n, last->n);

	clsum_add(&last->n, more);
	gain(id, more);
	clsum_add(&row_of(others, id)->n, more);
}

static void
hear_ages(sess_id id, uint32_t data_ds, uint32_t frame_ds)
{
	struct sess_fast *f = session_fast(id);

	f->last_data = MAX(f->last_data, loop_now_ds() - MIN(data_ds, loop_now_ds()));
	f->last_rx = MAX(f->last_rx, loop_now_ds() - MIN(frame_ds, loop_now_ds()));
}

static void
hear(struct member *m, const struct cl_count *c)
{
	hear_ages(c->session, c->data_ds, c->frame_ds);
	raise_member(m, c->session, told_counts(c));
}

/* Of one member, perhaps ourselves, at least so much is known to somebody. */
static void
hear_listed(sess_id id, const struct repl_member *r)
{
	struct member *m;

	if (r->incarnation == cluster_incarnation())
		gain(id, clsum_above(listed_counts(r), own(id)));
	else if ((m = member_of(r->incarnation)))
		raise_member(m, id, listed_counts(r));
}

static void
hear_list(sess_id id, const struct repl_count *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		hear_listed(id, &c->member[i]);
}

/* Also of one that has ended. */
static void
hear_final_list(const struct repl_count *c)
{
	const struct member *m;
	unsigned int i;

	if (!clfinal_has(c->unique))
		return;
	for (i = 0; i < c->n; i++)
		if (c->member[i].incarnation != cluster_incarnation() &&
		    (m = member_of(c->member[i].incarnation)))
			clfinal_heard_of(
			    (unsigned int)(m - members), c->unique, listed_counts(&c->member[i]));
}

/* --- messages --- */

static void
on_count(uint32_t from, struct rd fields)
{
	struct member *m = member_of(cluster_sender()->incarnation);
	struct rd records = fields;
	struct repl_record rec;
	struct cl_count c;

	(void)from;
	if (!m)
		return;
	m->heard_ms = loop_now_ms();
	while (repl_next(&records, &rec)) /* first, for an answer may be the last that is awaited */
		if (repl_get_count(&rec, &record))
			clcount_merge(&record);
	while (clmsg_next_count(&fields, &c)) {
		clfinal_heard((unsigned int)(m - members), c.unique, told_counts(&c));
		if (is_ours(c.session, c.unique))
			hear(m, &c);
	}
	if (fields.bad || records.bad)
		COUNT(cluster_malformed);
}

/* Of a session that has gone here already we still know what we have counted. */
static void
tell_parked(const struct cl_count *asked_for)
{
	const struct row *p = parked_of(asked_for->unique);
	struct clsum n = p->unique == asked_for->unique ? p->n : (struct clsum){ 0 };

	put(&(struct cl_count){ .session = asked_for->session,
	    .unique = asked_for->unique,
	    .rx_bytes = n.rx_bytes,
	    .rx_packets = n.rx_packets,
	    .tx_bytes = n.tx_bytes,
	    .tx_packets = n.tx_packets });
}

/* Who has counted nothing says so: nobody waits for it then. */
static void
on_ask(uint32_t from, struct rd fields)
{
	struct cl_count c;
	unsigned int n = 0;

	(void)from;
	while (n++ < ASKED_MOST && clmsg_next_count(&fields, &c)) {
		if (!is_ours(c.session, c.unique)) {
			tell_parked(&c);
			continue;
		}
		tell_of_silent(c.session);
		tell(c.session);
	}
	send_message();
	if (fields.bad)
		COUNT(cluster_malformed);
}

/* --- full synchronisation --- */

bool
clcount_export(sess_id id, struct repl_count *c)
{
	const struct session *s = session_get(id);
	const struct sess_fast *f = session_fast(id);

	if (!s)
		return false;
	*c = (struct repl_count){
		.id = id,
		.unique = s->unique,
		.data_ds = loop_now_ds() - f->last_data,
		.frame_ds = loop_now_ds() - f->last_rx,
		.rx_bytes = f->rx_bytes,
		.rx_packets = f->rx_packets,
		.tx_bytes = f->tx_bytes,
		.tx_packets = f->tx_packets,
	};
	list_member(c, cluster_incarnation(), own(id));
	list_members(c, id, 0);
	return true;
}

/* What of a sum is of nobody who is listed: of incarnations that are not known apart any more. */
static struct clsum
of_nobody(const struct repl_count *c)
{
	struct clsum sum = { c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets },
		     listed = { 0 };
	unsigned int i;

	for (i = 0; i < c->n; i++)
		clsum_add(&listed, listed_counts(&c->member[i]));
	return clsum_above(sum, listed);
}

/* We may have more of those in our sum, but not less than the other member has. */
static void
raise_rest(sess_id id, const struct repl_count *c)
{
	struct clsum sum = { c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets };
	struct clsum more = clsum_lower(of_nobody(c), clsum_above(sum, total(id)));

	gain(id, more);
	clsum_add(&row_of(others, id)->n, more);
}

void
clcount_merge(const struct repl_count *c)
{
	sess_id id = is_ours(c->id, c->unique) ? c->id : session_by_unique(c->unique);

	hear_final_list(c);
	if (!id)
		return;
	hear_list(id, c);
	raise_rest(id, c);
	hear_ages(id, c->data_ds, c->frame_ds);
}

void
clcount_init(uint32_t max_sessions)
{
	size_t size = (max_sessions + (size_t)1) * sizeof(struct row);
	struct member *m;

	limit = max_sessions;
	for (m = members; m < members + MEMBERS; m++)
		m->rows = shm_map_parent("counters of a member", size);
	others = shm_map_parent("counters of other members", size);
	told = shm_map_parent("counters told", size);
	parked = shm_map_parent("counters of absent sessions", size);
	clfinal_init();
	open_message();
	timer_init(&walk_timer, on_walk, 0);
	timer_set(&walk_timer, MS(STEP_MS));
	cluster_on_message(CL_COUNT, on_count);
	cluster_on_message(CL_COUNT_ASK, on_ask);
}
