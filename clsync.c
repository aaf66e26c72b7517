/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Full synchronisation. A slave asks; the master walks over tunnels with what waits in their
 * channels, sessions with their counters, and all that clshare.c has, and sends parts by
 * unicast: present state, so that a part which has to go again is written anew. 64
 * parts at most are under way, acknowledged as a whole; what is not acknowledged in time
 * goes again from there on. Each slave has a walk of its own. The stream of changes goes on
 * meanwhile, so a place may be told by either first: versions decide, but the first word
 * about a place in a synchronisation wins over what was there before (clrec.c).
 * At its end the slave drops what it holds and was not told of.
 *
 * A master that steps down walks likewise, and sends as an OFFER what its peer may lack: which
 * sessions it has ended; all tunnels, since the same one may have another id there; and the
 * sessions that have changed since its peer's mastership began. Then it asks as any slave.
 *
 * Who is in step and still has what an earlier process of his has left offers that alone, to
 * one master after the other until one has acknowledged all.
 */
#include "clsync.h"
#include "clcount.h"
#include "clrec.h"
#include "clshare.h"
#include "clstream.h"
#include "cluster.h"
#include "counter.h"
#include "ended.h"
#include "log.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "session.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <string.h>

enum {
	WALKS = 33,	      /* to each peer, and an offer */
	WINDOW = 64,	      /* parts under way */
	ACK_EACH = 16,	      /* parts, and the last */
	PARTS_A_TURN = 64,    /* for all walks together */
	PLACES_A_PART = 4096, /* looked at for one part; empty ones cost little */
	BACK_MS = 20,	      /* a loss is told of again and again for so long */
	AGAIN_MS = 100,	      /* without an acknowledgement */
	AGAIN_TIMES = 100,    /* then the peer is given up */
	ASK_MS = 200,	      /* without the first part */
	STALL_SEC = 10,	      /* without another one */
	DROP_A_TURN = 8192,   /* places looked at, at the end */
	HEAD_ROOM = 64,	      /* octets of a part in front of its records */
};

/* Instead of a version: of records of an earlier process of ours, and nothing else. */
#define ONLY_LEFT UINT64_MAX

/* Where a walk is. */
struct cursor {
	uint8_t kind; /* enum repl_kind, in the order of walk_order[] */
	uint32_t id;  /* the next place */
	uint16_t ns;  /* of a tunnel's channel, behind its own record */
	bool inside;  /* the record of the place is told, what belongs to it is not yet */
};

static const uint8_t walk_order[] = { REPL_ENDED, REPL_TUNNEL, REPL_SESSION, REPL_DAE, REPL_POOL,
	REPL_ACCT, REPL_USAGE, REPL_KINDS };

struct walk {
	uint32_t to;		   /* address; 0: free */
	uint8_t message;	   /* CL_SYNC, CL_OFFER */
	uint32_t sync;		   /* number of it */
	uint64_t above;		   /* an OFFER: what has no higher version is the peer's too */
	uint64_t seq, version;	   /* at the begin */
	uint32_t next, acked;	   /* parts */
	uint32_t last;		   /* number of the last part; 0: not made yet */
	unsigned int again;	   /* times nothing came */
	uint64_t sent_ms, back_ms; /* the last part; when it went back for a lost one */
	uint64_t began_ms;
	struct cursor at[WINDOW]; /* where part n begins, n modulo WINDOW */
};

static struct walk walks[WALKS];
static struct timer work_timer;

/* --- the walk --- */

static bool
past_end(const struct cursor *c)
{
	return walk_order[c->kind] == REPL_KINDS;
}

static void
next_kind(struct cursor *c)
{
	*c = (struct cursor){ .kind = (uint8_t)(c->kind + 1), .id = 1 };
	if (walk_order[c->kind] != REPL_TUNNEL && walk_order[c->kind] != REPL_SESSION)
		c->id = 0;
}

static void
next_place(struct cursor *c)
{
	c->id++;
	c->inside = false;
}

/* A tunnel's queue of messages, one a call; moves on behind the last. */
static bool
put_channel(struct wr *w, struct cursor *c)
{
	static struct repl_chan r;
	uint16_t ns = c->ns;

	if (!chan_export(c->id, &ns, &r)) {
		next_place(c);
		return true;
	}
	if (!repl_put_chan(w, &r))
		return false;
	c->ns = ns;
	return true;
}

/* What has not changed is told so that it can be known again, without its queue. */
static bool
put_tunnel(struct wr *w, struct cursor *c, bool changed)
{
	struct repl_tunnel t;

	if (c->inside)
		return put_channel(w, c);
	if (!tunnel_export(c->id, &t)) {
		next_place(c);
		return true;
	}
	if (!repl_put_tunnel(w, &t))
		return false;
	if (!changed) {
		next_place(c);
		return true;
	}
	c->inside = true;
	c->ns = t.acked;
	return true;
}

static bool
put_session(struct wr *w, struct cursor *c)
{
	static struct repl_count count;

	if (!c->inside) {
		if (session_get(c->id) && !clrec_put(w, CHANGE_SESSION, c->id))
			return false;
		c->inside = session_get(c->id);
	}
	if (clcount_export(c->id, &count) && !repl_put_count(w, &count))
		return false;
	next_place(c);
	return true;
}

/* Only who offers has any to tell of. */
static bool
put_ended(struct wr *w, const struct walk *k, struct cursor *c)
{
	bool tells = k->message == CL_OFFER && k->above != ONLY_LEFT;
	const struct ended *e = tells ? ended_get(c->id) : NULL;
	struct repl_ended r;

	if (!e) {
		next_kind(c);
		return true;
	}
	r = (struct repl_ended){
		.unique = e->unique, .wire_tid = e->wire_tid, .wire_sid = e->wire_sid
	};
	if (!e->guess && !repl_put_ended(w, &r))
		return false;
	next_place(c);
	return true;
}

/* What there is besides tunnels and sessions. */
static bool
put_share(struct wr *w, struct cursor *c, uint64_t above)
{
	struct clshare_walk walk = {
		.kind = walk_order[c->kind], .left = above == ONLY_LEFT, .pos = c->id
	};
	enum clshare_put result = clshare_put(w, &walk);

	if (result == CLSHARE_END)
		next_kind(c);
	else
		c->id = walk.pos;
	return result != CLSHARE_FULL;
}

/* Of a tunnel or a session. */
static bool
put_place(struct wr *w, const struct walk *k, struct cursor *c)
{
	bool tunnels = walk_order[c->kind] == REPL_TUNNEL, changed;

	if (k->above == ONLY_LEFT || c->id > (tunnels ? tunnel_highest() : session_highest())) {
		next_kind(c);
		return true;
	}
	changed = change_version(tunnels ? CHANGE_TUNNEL : CHANGE_SESSION, c->id) > k->above;
	if (tunnels)
		return put_tunnel(w, c, changed);
	if (changed)
		return put_session(w, c);
	next_place(c);
	return true;
}

/* One record of what the cursor stands at. False: no room. */
static bool
put_next(struct wr *w, const struct walk *k, struct cursor *c)
{
	switch (walk_order[c->kind]) {
	case REPL_ENDED:
		return put_ended(w, k, c);
	case REPL_TUNNEL:
	case REPL_SESSION:
		return put_place(w, k, c);
	default:
		return put_share(w, c, k->above);
	}
}

/* Fills a part from the cursor on, and moves it. */
static void
fill(struct wr *w, const struct walk *k, struct cursor *c)
{
	unsigned int n;

	for (n = 0; n < PLACES_A_PART && !past_end(c); n++) {
		if (put_next(w, k, c))
			continue;
		if (wr_len(w))
			return;
		w->end = w->buf + CLREC_LARGEST - HEAD_ROOM; /* one record that is longer */
		if (!put_next(w, k, c))
			next_place(c);
		return;
	}
}

static void
send_part(struct walk *k)
{
	static uint8_t buf[HEAD_ROOM + CLREC_LARGEST];
	struct wr head, w = wr_init(buf + HEAD_ROOM, CLREC_ROOM - HEAD_ROOM);
	struct cursor c = k->at[k->next % WINDOW];
	struct cl_sync m = {
		.sync = k->sync, .part = k->next, .seq = k->seq, .version = k->version
	};
	uint8_t tmp[HEAD_ROOM], *start;

	fill(&w, k, &c);
	m.last = past_end(&c); /* so the head is written behind what follows it */
	head = wr_init(tmp, sizeof(tmp));
	clmsg_put_sync(&head, &m);
	start = buf + HEAD_ROOM - wr_len(&head);
	memcpy(start, tmp, wr_len(&head));
	cluster_send(k->to, k->message, start, wr_len(&head) + wr_len(&w));
	COUNT(cluster_sync_parts);
	if (m.last)
		k->last = k->next;
	k->next++;
	k->at[k->next % WINDOW] = c;
	k->sent_ms = loop_now_ms();
}

static void end_walk(struct walk *k, bool whole);

/* Who is not heard by the new master has time until he is. */
static bool
in_vain(struct walk *k)
{
	if (k->message == CL_OFFER && !cluster_is_heard())
		return false;
	return k->again++ >= AGAIN_TIMES;
}

static void
send_again(struct walk *k)
{
	if (in_vain(k)) {
		plog(LOG_WARNING, "cluster: %s does not acknowledge; no longer synchronised",
		    ip4_text(k->to));
		end_walk(k, false);
		return;
	}
	k->next = k->acked + 1;
	k->last = 0;
}

static unsigned int
work_on(struct walk *k, unsigned int budget)
{
	unsigned int n = 0;

	if (k->next > k->acked + 1 && loop_now_ms() - k->sent_ms >= AGAIN_MS)
		send_again(k);
	while (k->to && n < budget && !k->last && k->next - k->acked < WINDOW) {
		send_part(k);
		n++;
	}
	return n;
}

static void
work(uint32_t unused)
{
	unsigned int i, budget = PARTS_A_TURN;
	bool more = false;

	(void)unused;
	for (i = 0; i < WALKS; i++) {
		if (!walks[i].to)
			continue;
		budget -= work_on(&walks[i], budget);
		more = true;
	}
	if (more)
		timer_set(&work_timer, MS(TIMER_TICK_MS));
}

static void
begin(uint32_t to, uint8_t message, uint32_t sync, uint64_t above)
{
	struct walk *k = NULL;
	unsigned int i;

	for (i = 0; i < WALKS; i++)
		if (walks[i].to == to)
			k = &walks[i];
		else if (!walks[i].to && !k)
			k = &walks[i];
	if (!k || (k->to == to && k->sync == sync && k->message == message))
		return; /* asked again, while the first part was on its way */
	if (k->to == to && k->message == message && loop_now_ms() - k->began_ms < ASK_MS / 2) {
		COUNT(cluster_too_often);
		return;
	}
	*k = (struct walk){
		.to = to,
		.message = message,
		.sync = sync,
		.above = above,
		.seq = clstream_seq(),
		.version = change_table_version(),
		.next = 1,
		.sent_ms = loop_now_ms(),
		.began_ms = loop_now_ms(),
	};
	k->at[1].id = 1;
	COUNT(cluster_syncs);
	work(0);
}

static void
on_ask(uint32_t from, struct rd fields)
{
	struct cl_sync_ask m;

	if (!clmsg_get_sync_ask(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	plog_limit(LOG_INFO, "cluster: %s asks for all there is", ip4_text(from));
	clstream_flush(); /* what the stream has told counts as told before */
	begin(from, CL_SYNC, m.sync, 0);
}

/* The same number twice: what is behind it was lost. One burst of these is one loss. */
static void
acked(struct walk *k, uint32_t part)
{
	if (part <= k->acked) {
		if (part == k->acked && loop_now_ms() - k->back_ms >= BACK_MS) {
			k->back_ms = loop_now_ms();
			k->next = k->acked + 1;
			k->last = 0;
			work(0);
		}
		return;
	}
	k->acked = part;
	k->again = 0;
	k->sent_ms = loop_now_ms();
	if (k->acked == k->last)
		end_walk(k, true);
	work(0);
}

static void
on_ack(uint32_t from, struct rd fields)
{
	struct cl_sync_ack m;
	struct walk *k;

	if (!clmsg_get_sync_ack(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	for (k = walks; k < walks + WALKS; k++)
		if (k->to == from && k->sync == m.sync && m.part < k->next)
			acked(k, m.part);
}

/* --- who gets parts --- */

/* Parts of one walk of one member, in order. */
struct taking {
	uint32_t from; /* address; 0: nothing is under way */
	uint32_t sync;
	uint32_t part; /* up to here all have come */
	bool ended;
};

static struct taking sync_in;
static struct taking offers_in[WALKS]; /* a master that steps down and its slaves may all offer */
static struct timer ask_timer;
static bool ask_behind_offer;
static uint64_t *met[2]; /* bits by tunnel and session id */
static uint32_t limits[2];
static bool dropping;
static uint32_t drop_at[2];

static void
acknowledge(const struct taking *t)
{
	struct cl_sync_ack m = { .sync = t->sync, .part = t->part };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	clmsg_put_sync_ack(&w, &m);
	cluster_send(t->from, CL_SYNC_ACK, buf, wr_len(&w));
}

/* The next part in order: its records are to be taken. */
static bool
is_next(struct taking *t, const struct cl_sync *m)
{
	if (m->part != t->part + 1) {
		acknowledge(t); /* it has come already, or one before it was lost */
		return false;
	}
	t->part++;
	t->ended = m->last;
	if (m->last || t->part % ACK_EACH == 0)
		acknowledge(t);
	return true;
}

static void
ask(uint32_t unused)
{
	struct cl_sync_ask m = { .sync = sync_in.sync };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)unused;
	if (role_is_master() || !role_master_address())
		return;
	if (sync_in.part) { /* the master has stopped in the middle */
		clsync_ask();
		return;
	}
	clmsg_put_sync_ask(&w, &m);
	cluster_send(role_master_address(), CL_SYNC_ASK, buf, wr_len(&w));
	timer_set(&ask_timer, MS(ASK_MS));
}

void
clsync_ask(void)
{
	sync_in = (struct taking){ .from = role_master_address(), .sync = random_u32() | 1 };
	memset(met[0], 0, (limits[0] / 64 + 1) * sizeof(*met[0]));
	memset(met[1], 0, (limits[1] / 64 + 1) * sizeof(*met[1]));
	dropping = false;
	cluster_synced(false);
	ask(0);
}

void
clsync_repair(void)
{
	if (!sync_in.from)
		clsync_ask();
}

bool
clsync_under_way(void)
{
	return sync_in.from != 0;
}

bool
clsync_met(uint8_t kind, uint32_t id)
{
	unsigned int i = kind == REPL_SESSION;
	uint64_t bit = (uint64_t)1 << (id % 64);
	bool was;

	if (!sync_in.from || id > limits[i])
		return true;
	was = met[i][id / 64] & bit;
	met[i][id / 64] |= bit;
	return was;
}

/* A place that the walk has passed without a word is free at the master; sessions go first. */
static void
drop_place(unsigned int i, uint32_t id)
{
	enum change_kind kind = i ? CHANGE_SESSION : CHANGE_TUNNEL;
	uint64_t version = change_version(kind, id);

	if (!version || met[i][id / 64] & (uint64_t)1 << (id % 64))
		return;
	if (i)
		session_remove(id, version + 1);
	else
		tunnel_remove(id, version + 1);
	change_set_version(kind, id, 0); /* what we thought of it is another mastership's */
}

static void
drop_unmet(void)
{
	unsigned int n;

	for (n = 0; n < DROP_A_TURN && drop_at[1] + drop_at[0] > 0; n++) {
		unsigned int i = drop_at[1] > 0;

		drop_place(i, drop_at[i]--);
	}
	dropping = drop_at[0] > 0;
	if (dropping) {
		timer_set(&ask_timer, MS(TIMER_TICK_MS));
		return;
	}
	timer_stop(&ask_timer);
	sync_in.from = 0;
	cluster_synced(true);
	clsync_offer_left();
}

static void
on_timer(uint32_t unused)
{
	if (dropping)
		drop_unmet();
	else
		ask(unused);
}

static void
on_part(uint32_t from, struct rd fields)
{
	struct cl_sync m;

	if (!clmsg_get_sync(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	if (from != sync_in.from || m.sync != sync_in.sync || !is_next(&sync_in, &m))
		return;
	(void)clrec_apply(fields);
	if (!m.last) {
		timer_set(&ask_timer, SEC(STALL_SEC));
		return;
	}
	drop_at[0] = limits[0];
	drop_at[1] = limits[1];
	drop_unmet();
}

/* The place of who offers, or one for him. */
static struct taking *
offer_of(uint32_t from)
{
	struct taking *t, *room = NULL;

	for (t = offers_in; t < offers_in + WALKS; t++) {
		if (t->from == from)
			return t;
		if (!room && (!t->from || t->ended))
			room = t;
	}
	return room;
}

static void
on_offer(uint32_t from, struct rd fields)
{
	struct taking *t;
	struct cl_sync m;

	if (!clmsg_get_sync(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	t = offer_of(from);
	if (!t)
		return; /* he will try again */
	if (from != t->from || m.sync != t->sync)
		*t = (struct taking){ .from = from, .sync = m.sync };
	if (is_next(t, &m))
		(void)clrec_take_offer(fields);
}

/* --- offering --- */

/* Given up, or all of it has come. */
static void
end_walk(struct walk *k, bool whole)
{
	k->to = 0;
	if (k->message != CL_OFFER)
		return;
	if (k->above == ONLY_LEFT && whole)
		clshare_left_told();
	else if (ask_behind_offer)
		clsync_ask();
}

void
clsync_offer(uint64_t base, bool then_ask)
{
	ask_behind_offer = then_ask;
	begin(role_master_address(), CL_OFFER, random_u32() | 1, base);
}

void
clsync_offer_left(void)
{
	uint32_t to = role_master_address();
	unsigned int i;

	if (role_is_master() || !to || clsync_under_way() || !clshare_left())
		return;
	for (i = 0; i < WALKS; i++)
		if (walks[i].to)
			return;
	begin(to, CL_OFFER, random_u32() | 1, ONLY_LEFT);
}

void
clsync_stop(void)
{
	memset(walks, 0, sizeof(walks));
	sync_in = (struct taking){ 0 };
	memset(offers_in, 0, sizeof(offers_in));
	dropping = false;
	timer_stop(&ask_timer);
	timer_stop(&work_timer);
}

void
clsync_init(uint32_t max_tunnels, uint32_t max_sessions)
{
	limits[0] = max_tunnels;
	limits[1] = max_sessions;
	met[0] = shm_map_parent("tunnels synchronised", (max_tunnels / 64 + (size_t)1) * 8);
	met[1] = shm_map_parent("sessions synchronised", (max_sessions / 64 + (size_t)1) * 8);
	timer_init(&work_timer, work, 0);
	timer_init(&ask_timer, on_timer, 0);
	cluster_on_message(CL_SYNC_ASK, on_ask);
	cluster_on_message(CL_SYNC_ACK, on_ack);
	cluster_on_message(CL_SYNC, on_part);
	cluster_on_message(CL_OFFER, on_offer);
}
