/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct sess_fast has what all members together have moved for a session, on each of them: so
 * accounting, usage files and `show` need not know of the cluster. Each member tells the
 * others every second what it has counted itself, for sessions where that has changed, as a
 * figure since its start; a receiver adds what is new of it, and remembers how much of the sum
 * is not its own. A message that is lost is made good by the next one; sessions at rest are
 * told once a minute too.
 *
 * A member that starts again is another incarnation: what it had counted stays in the sums.
 * Who is new gets the sums by a full synchronisation, with how far each member is in them.
 */
#include "clcount.h"
#include "acct_queue.h"
#include "clmsg.h"
#include "clrec.h"
#include "cluster.h"
#include "counter.h"
#include "loop.h"
#include "session.h"
#include "shm.h"
#include "timer.h"

#include <string.h>

enum {
	MEMBERS = REPL_MEMBERS - 1,
	STEP_MS = 20,	 /* between two parts of the walk over the sessions */
	STEPS = 50,	 /* in which it goes over all of them */
	REST_SEC = 64,	 /* sessions at rest are told so often */
	ASKED_MOST = 256 /* sessions in one COUNT_ASK */
};

struct counts {
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};

/* Of which session: another one may have the id by now. */
struct row {
	uint32_t unique;
	struct counts n;
};

static struct member {
	uint64_t incarnation; /* 0: free */
	uint64_t heard_ms;
	struct row *rows; /* last figure told, by session; NULL: never used */
} members[MEMBERS];

static struct row *others; /* how much of the sum is not our own */
static struct row *told;   /* what we have told of our own */
static uint32_t limit;
static struct timer walk_timer;
static sess_id walk_at;
static uint32_t walks; /* since the start */

static struct row *
row_of(struct row *rows, sess_id id)
{
	uint32_t unique = session_get(id)->unique;

	if (rows[id].unique != unique)
		rows[id] = (struct row){ .unique = unique };
	return &rows[id];
}

static struct counts
total(sess_id id)
{
	const struct sess_fast *f = session_fast(id);

	return (struct counts){ f->rx_bytes, f->rx_packets, f->tx_bytes, f->tx_packets };
}

static struct counts
minus(struct counts a, struct counts b)
{
	return (struct counts){ a.rx_bytes - b.rx_bytes, a.rx_packets - b.rx_packets,
		a.tx_bytes - b.tx_bytes, a.tx_packets - b.tx_packets };
}

static void
add(struct counts *to, struct counts n)
{
	to->rx_bytes += n.rx_bytes;
	to->rx_packets += n.rx_packets;
	to->tx_bytes += n.tx_bytes;
	to->tx_packets += n.tx_packets;
}

static struct counts
own(sess_id id)
{
	return minus(total(id), row_of(others, id)->n);
}

static bool
is_zero(struct counts n)
{
	return n.rx_packets == 0 && n.tx_packets == 0;
}

/* --- telling --- */

static struct wr
open_message(uint8_t *buf)
{
	return wr_init(buf, CLREC_ROOM);
}

static struct cl_count
figure(sess_id id)
{
	const struct sess_fast *f = session_fast(id);
	struct counts n = own(id);

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
put(struct wr *w, uint8_t *buf, const struct cl_count *c)
{
	if (clmsg_put_count(w, c))
		return;
	cluster_send(0, CL_COUNT, buf, wr_len(w));
	*w = open_message(buf);
	(void)clmsg_put_count(w, c);
}

static void
tell(struct wr *w, uint8_t *buf, sess_id id)
{
	struct cl_count c = figure(id);

	put(w, buf, &c);
	row_of(told, id)->n = own(id);
}

static bool
is_news(sess_id id)
{
	struct counts now = own(id), n = minus(now, row_of(told, id)->n);

	return !is_zero(n) || (!is_zero(now) && (walks + id) % REST_SEC == 0);
}

static void
on_walk(uint32_t unused)
{
	uint8_t buf[CLREC_ROOM];
	struct wr w = open_message(buf);
	uint32_t n, highest = session_highest();

	(void)unused;
	timer_set(&walk_timer, cluster_has_peers() ? MS(STEP_MS) : SEC(1));
	if (!cluster_has_peers())
		return;
	for (n = highest / STEPS + 1; n > 0; n--) {
		if (walk_at >= highest) {
			walk_at = 0;
			walks++;
		}
		if (session_get(++walk_at) && is_news(walk_at))
			tell(&w, buf, walk_at);
	}
	if (wr_len(&w))
		cluster_send(0, CL_COUNT, buf, wr_len(&w));
}

/* --- hearing --- */

static void
take_place(struct member *m, uint64_t incarnation)
{
	size_t size = (limit + (size_t)1) * sizeof(*m->rows);

	if (!m->rows)
		m->rows = shm_map_parent("counters of a member", size);
	else
		shm_trim(m->rows, size, 0);
	m->incarnation = incarnation;
}

static struct member *
member_of(uint64_t incarnation)
{
	struct member *m, *oldest = members;

	for (m = members; m < members + MEMBERS; m++) {
		if (m->incarnation == incarnation) {
			m->heard_ms = loop_now_ms();
			return m;
		}
		if (m->heard_ms < oldest->heard_ms)
			oldest = m;
	}
	take_place(oldest, incarnation);
	oldest->heard_ms = loop_now_ms();
	return oldest;
}

static bool
is_ours(sess_id id, uint32_t unique)
{
	const struct session *s = id <= limit ? session_get(id) : NULL;

	return s && s->unique == unique;
}

/* A figure only grows; one that came late says nothing new. */
static void
hear(struct member *m, const struct cl_count *c)
{
	struct counts n = { c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets }, more;
	struct sess_fast *f = session_fast(c->session);
	struct row *last = row_of(m->rows, c->session);

	f->last_data = MAX(f->last_data, loop_now_ds() - MIN(c->data_ds, loop_now_ds()));
	f->last_rx = MAX(f->last_rx, loop_now_ds() - MIN(c->frame_ds, loop_now_ds()));
	if (n.rx_packets < last->n.rx_packets || n.tx_packets < last->n.tx_packets)
		return;
	more = minus(n, last->n);
	last->n = n;
	f->rx_bytes += more.rx_bytes;
	f->rx_packets += more.rx_packets;
	f->tx_bytes += more.tx_bytes;
	f->tx_packets += more.tx_packets;
	add(&row_of(others, c->session)->n, more);
}

/* --- what is missing in a Stop --- */

enum { FINALS = 4096, FINAL_MS = 1000 };

/* A session that has ended, and what of each member's figure is in its Stop. */
static struct final {
	uint32_t unique;
	unsigned int left; /* members that have not answered */
	uint64_t key, until_ms;
	struct known {
		uint64_t incarnation;
		struct counts n;
		bool answered;
	} known[MEMBERS];
} * finals; /* by unique modulo FINALS */

static struct {
	uint8_t buf[CLREC_ROOM];
	struct wr w;
} asked;

void
clcount_flush(void)
{
	if (asked.w.pos > asked.w.buf)
		cluster_send(0, CL_COUNT_ASK, asked.buf, wr_len(&asked.w));
	asked.w = wr_init(asked.buf, sizeof(asked.buf));
}

uint32_t
clcount_final(sess_id id, uint64_t key)
{
	struct cl_count c = { .session = id, .unique = session_get(id)->unique };
	struct final *f = &finals[c.unique % FINALS];
	unsigned int i;

	if (!cluster_has_peers() || f->until_ms > loop_now_ms())
		return 0;
	if (!clmsg_put_count(&asked.w, &c)) {
		clcount_flush();
		(void)clmsg_put_count(&asked.w, &c);
	}
	*f = (struct final){ .unique = c.unique,
		.left = cluster_peers_alive(),
		.key = key,
		.until_ms = loop_now_ms() + FINAL_MS };
	for (i = 0; i < MEMBERS; i++) {
		f->known[i].incarnation = members[i].incarnation;
		if (members[i].incarnation && members[i].rows[id].unique == c.unique)
			f->known[i].n = members[i].rows[id].n;
	}
	return f->left ? FINAL_MS : 0;
}

static struct known *
known_of(struct final *f, uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; i < MEMBERS; i++)
		if (f->known[i].incarnation == incarnation || f->known[i].incarnation == 0) {
			f->known[i].incarnation = incarnation;
			return &f->known[i];
		}
	return NULL;
}

/* What a member says of a session that has ended. */
static void
hear_final(uint64_t incarnation, const struct cl_count *c)
{
	struct counts n = { c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets }, more;
	struct final *f = &finals[c->unique % FINALS];
	struct known *known;

	if (f->unique != c->unique || f->until_ms <= loop_now_ms() ||
	    !(known = known_of(f, incarnation)) || n.rx_packets < known->n.rx_packets ||
	    n.tx_packets < known->n.tx_packets)
		return;
	more = minus(n, known->n);
	known->n = n;
	acct_queue_amend(f->key,
	    &(struct rad_moved){ more.rx_bytes, more.rx_packets, more.tx_bytes, more.tx_packets });
	if (!known->answered && f->left && --f->left == 0) {
		acct_queue_release(f->key);
		f->until_ms = 0;
	}
	known->answered = true;
}

/* --- messages --- */

static void
on_count(uint32_t from, struct rd fields)
{
	struct member *m = member_of(cluster_sender()->incarnation);
	struct cl_count c;

	(void)from;
	while (clmsg_next_count(&fields, &c)) {
		hear_final(m->incarnation, &c);
		if (is_ours(c.session, c.unique))
			hear(m, &c);
	}
	if (fields.bad)
		COUNT(cluster_malformed);
}

/* Who has counted nothing says so: nobody waits for it then. */
static void
on_ask(uint32_t from, struct rd fields)
{
	uint8_t buf[CLREC_ROOM];
	struct wr w = open_message(buf);
	struct cl_count c;
	unsigned int n = 0;

	(void)from;
	while (n++ < ASKED_MOST && clmsg_next_count(&fields, &c))
		if (is_ours(c.session, c.unique))
			tell(&w, buf, c.session);
	if (wr_len(&w))
		cluster_send(0, CL_COUNT, buf, wr_len(&w));
	if (fields.bad)
		COUNT(cluster_malformed);
}

/* --- full synchronisation --- */

static void
export_member(struct repl_count *c, uint64_t incarnation, struct counts n)
{
	if (is_zero(n) || c->n == REPL_MEMBERS)
		return;
	c->member[c->n++] = (struct repl_member){ .incarnation = incarnation,
		.rx_bytes = n.rx_bytes,
		.rx_packets = n.rx_packets,
		.tx_bytes = n.tx_bytes,
		.tx_packets = n.tx_packets };
}

bool
clcount_export(sess_id id, struct repl_count *c)
{
	const struct session *s = session_get(id);
	const struct sess_fast *f = session_fast(id);
	struct member *m;

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
	export_member(c, cluster_incarnation(), own(id));
	for (m = members; m < members + MEMBERS; m++)
		if (m->incarnation && m->rows[id].unique == s->unique)
			export_member(c, m->incarnation, m->rows[id].n);
	return true;
}

/* The sum as the master has it, and what we have counted since he last heard of us. */
void
clcount_install(const struct repl_count *c)
{
	struct counts sum = { c->rx_bytes, c->rx_packets, c->tx_bytes, c->tx_packets }, mine, known;
	struct sess_fast *f = session_fast(c->id);
	unsigned int i;

	if (!is_ours(c->id, c->unique))
		return;
	mine = own(c->id);
	known = (struct counts){ 0 };
	for (i = 0; i < c->n; i++) {
		const struct repl_member *r = &c->member[i];
		struct counts n = { r->rx_bytes, r->rx_packets, r->tx_bytes, r->tx_packets };

		if (r->incarnation == cluster_incarnation())
			known = n;
		else
			row_of(member_of(r->incarnation)->rows, c->id)->n = n;
	}
	add(&sum, minus(mine, known));
	f->rx_bytes = sum.rx_bytes;
	f->rx_packets = sum.rx_packets;
	f->tx_bytes = sum.tx_bytes;
	f->tx_packets = sum.tx_packets;
	row_of(others, c->id)->n = minus(sum, mine);
	f->last_data = MAX(f->last_data, loop_now_ds() - MIN(c->data_ds, loop_now_ds()));
	f->last_rx = MAX(f->last_rx, loop_now_ds() - MIN(c->frame_ds, loop_now_ds()));
}

void
clcount_init(uint32_t max_sessions)
{
	size_t size = (max_sessions + (size_t)1) * sizeof(struct row);

	limit = max_sessions;
	others = shm_map_parent("counters of other members", size);
	told = shm_map_parent("counters told", size);
	finals = shm_map_parent("counters of ended sessions", FINALS * sizeof(*finals));
	asked.w = wr_init(asked.buf, sizeof(asked.buf));
	timer_init(&walk_timer, on_walk, 0);
	timer_set(&walk_timer, MS(STEP_MS));
	cluster_on_message(CL_COUNT, on_count);
	cluster_on_message(CL_COUNT_ASK, on_ask);
}
