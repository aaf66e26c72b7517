/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream: each change of a table is told to all members before anything that depends
 * on it leaves the machine. What has changed stands in a queue (change.h); clstream_flush()
 * writes each object's present state into CHANGE messages, which are numbered, multicast,
 * and kept for a while in a ring, for slaves that miss some (RESEND).
 *
 * A flush tells all there is, however much: who has made so many changes in one turn has taken
 * its time for each of them, and what is told of one costs less than that. Left for the next
 * turn it would come behind the reply. What the kernel has no room for is lost as any message
 * may be that is under way; the heartbeat behind a burst tells of it. How often a slave may
 * ask for what is lost is limited, as its question is small and the answer is not.
 *
 * A slave takes CHANGEs in order. Those that come early wait; for those that are missing it
 * asks, and when they cannot be had any more it synchronises in full. Since it hears the last
 * number in each heartbeat, and one follows soon behind a burst, a lost last one is noticed.
 *
 * When the master changes, numbers begin again. All the new one's heartbeats carry the table
 * version it began with (clstream_base()): who has that, and followed the same master before,
 * lacks nothing.
 */
#include "clstream.h"
#include "change.h"
#include "clguard.h"
#include "clrec.h"
#include "clsync.h"
#include "cluster.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "session.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"

#include <string.h>

enum {
	RING = 8192,	      /* messages kept */
	RING_SIZE = 16 << 20, /* and their octets */
	EARLY = 1024,	      /* messages that may wait for one before them */
	ASK_MS = 50,	      /* between two RESENDs */
	ASK_AT_ONCE = 256,    /* messages one asks for */
	PATIENCE_MS = 30000,  /* between two synchronisations since records are refused */
	ASK_TIMES = 40,	      /* in vain, then a full synchronisation is asked for */
	RESENT_A_MS = 10,     /* messages sent again to a member */
	RESENT_MOST = 1024,   /* at once */
	AHEAD_MOST = 3,	      /* heartbeats that say that we have what there is not */
	FAR = 1 << 20,	      /* messages: nobody is so far from what the master says */
	WALK_MS = 100,	      /* a step of the slow walk */
	WALK_STEPS = 3000,    /* all is told once in five minutes */
	WALK_MOST = 256,      /* places in a step */
};

/* --- master --- */

static struct {
	uint64_t seq;  /* of the last message */
	uint64_t base; /* table version when our mastership began */

	struct {
		size_t offset, len;
	} kept[RING]; /* by seq modulo RING */
	uint8_t *octets;
	size_t end;	 /* where the next one goes */
	uint64_t oldest; /* those behind this one are whole */

	uint8_t buf[CLREC_LARGEST]; /* message in hand */
	struct wr w;
	size_t head; /* octets of it in front of records */
} out;

static struct timer walk_timer;
static uint32_t walk_at[CHANGE_KINDS];

/* The oldest one that is kept. */
static size_t
first_kept(void)
{
	return (out.oldest + 1) % RING;
}

static bool
lies_in_front_or_behind(size_t i, size_t len)
{
	return out.kept[i].offset + out.kept[i].len <= out.end ||
	       out.kept[i].offset >= out.end + len;
}

/* Room for a message; those that lie there are kept no more. */
static uint8_t *
ring_room(size_t len)
{
	if (out.end + len > RING_SIZE) { /* those at its end are the oldest */
		while (out.oldest + 1 < out.seq && out.kept[first_kept()].offset >= out.end)
			out.oldest++;
		out.end = 0;
	}
	while (out.oldest + 1 < out.seq &&
	       (out.seq - out.oldest > RING || !lies_in_front_or_behind(first_kept(), len)))
		out.oldest++;
	out.kept[out.seq % RING].offset = out.end;
	out.kept[out.seq % RING].len = len;
	out.end += len;
	return out.octets + out.kept[out.seq % RING].offset;
}

static void
open_message(void)
{
	struct cl_change m = { .seq = out.seq + 1 };

	out.w = wr_init(out.buf, CLREC_ROOM);
	clmsg_put_change(&out.w, &m);
	out.head = wr_len(&out.w);
}

static void
send_message(void)
{
	size_t len = wr_len(&out.w);

	if (len <= out.head)
		return;
	out.seq++;
	memcpy(ring_room(len), out.buf, len);
	cluster_send(0, CL_CHANGE, out.buf, len);
	open_message();
}

void
clstream_add(clstream_put_fn put, const void *what)
{
	if (put(&out.w, what))
		return;
	send_message();
	if (put(&out.w, what))
		return;
	out.w.end = out.buf + CLREC_LARGEST;
	if (!put(&out.w, what)) {
		COUNT(cluster_refused);
		plog_limit(LOG_ERROR, "cluster: a record is too long to be told");
	}
	send_message();
	open_message();
}

struct object {
	enum change_kind kind;
	uint32_t id;
};

static bool
put_object(struct wr *w, const void *what)
{
	const struct object *o = what;

	return clrec_put(w, o->kind, o->id);
}

static bool
put_chan(struct wr *w, const void *what)
{
	return repl_put_chan(w, what);
}

static void
tell(enum change_kind kind, uint32_t id)
{
	struct object o = { .kind = kind, .id = id };
	struct repl_chan c;

	clstream_add(put_object, &o);
	while (kind == CHANGE_TUNNEL && chan_export_new(id, &c))
		clstream_add(put_chan, &c);
}

void
clstream_flush(void)
{
	struct object o;

	if (!role_is_master() || !cluster_has_peers())
		return;
	while (change_next(&o.kind, &o.id))
		tell(o.kind, o.id);
	send_message();
}

/* One that nobody has, and that is not kept either. */
void
clstream_break(void)
{
	out.seq++;
	out.oldest = out.seq;
	open_message();
}

/* --- slow walk --- */

static void
walk(enum change_kind kind, uint32_t highest)
{
	unsigned int n = MIN(highest / WALK_STEPS + 1, WALK_MOST);

	for (; n > 0; n--) {
		walk_at[kind] = walk_at[kind] < highest ? walk_at[kind] + 1 : 1;
		if (change_version(kind, walk_at[kind]))
			tell(kind, walk_at[kind]);
	}
}

static void
on_walk(uint32_t unused)
{
	(void)unused;
	timer_set(&walk_timer, MS(WALK_MS));
	if (!role_is_master() || !cluster_has_peers())
		return;
	walk(CHANGE_TUNNEL, tunnel_highest());
	walk(CHANGE_SESSION, session_highest());
}

/* --- slaves that miss something --- */

/* What may be sent again to a member at this moment. */
static struct asker {
	uint32_t address;
	uint64_t ms, left;
} askers[CLGUARD_PEERS];

/* Its place, or that of who has asked longest ago. */
static struct asker *
asker_at(uint32_t address)
{
	struct asker *a, *oldest = askers;

	for (a = askers; a < askers + CLGUARD_PEERS; a++) {
		if (a->address == address)
			return a;
		if (a->ms < oldest->ms)
			oldest = a;
	}
	*oldest = (struct asker){ .address = address };
	return oldest;
}

static uint64_t
take_allowance(uint32_t address, uint64_t wanted)
{
	struct asker *a = asker_at(address);
	uint64_t passed = MIN(loop_now_ms() - a->ms, RESENT_MOST / RESENT_A_MS + 1), n;

	a->left = MIN(a->left + passed * RESENT_A_MS, RESENT_MOST);
	a->ms = loop_now_ms();
	n = MIN(a->left, wanted);
	a->left -= n;
	return n;
}

static void
resend(uint32_t to, struct rd fields)
{
	struct cl_resend m;
	uint64_t seq, n, wanted;
	size_t i;

	if (!clmsg_get_resend(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	m.from = MAX(m.from, out.oldest + 1);
	m.to = MIN(m.to, out.seq);
	wanted = m.from <= m.to ? MIN(m.to - m.from + 1, ASK_AT_ONCE) : 0;
	n = take_allowance(to, wanted);
	if (n < wanted)
		COUNT(cluster_too_often);
	for (seq = m.from; seq < m.from + n; seq++) {
		i = seq % RING;
		cluster_send(to, CL_CHANGE, out.octets + out.kept[i].offset, out.kept[i].len);
		COUNT(cluster_resent);
	}
}

void
clstream_lead(void)
{
	out.base = change_table_version();
	out.seq = out.oldest = 0;
	out.end = 0;
	open_message();
}

uint64_t
clstream_base(void)
{
	return out.base;
}

/* --- slave --- */

static struct {
	uint64_t applied;   /* up to here all have come */
	uint64_t heard;	    /* so many there are, as far as we know */
	uint64_t told;	    /* and by the master's last heartbeat */
	unsigned int ahead; /* heartbeats one behind the other that say less than we have */
	unsigned int asked;
	uint64_t patient_ms; /* records that are refused are no reason to synchronise before */
	struct timer timer;
	struct {
		uint64_t seq;
		size_t len;
	} early[EARLY]; /* by seq modulo EARLY */
	uint8_t *octets;
} in;

static void
ask_again(uint32_t unused)
{
	struct cl_resend m = { .from = in.applied + 1,
		.to = MIN(in.heard, in.applied + ASK_AT_ONCE) };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)unused;
	if (role_is_master() || in.applied >= in.heard || !role_master_address())
		return;
	if (in.asked++ >= ASK_TIMES || in.heard - in.applied >= RING) {
		plog(LOG_WARNING, "cluster: %llu changes of the master are missing",
		    (unsigned long long)(in.heard - in.applied));
		clstream_follow(in.told);
		clsync_ask();
		return;
	}
	clmsg_put_resend(&w, &m);
	cluster_send(role_master_address(), CL_RESEND, buf, wr_len(&w));
	timer_set(&in.timer, MS(ASK_MS));
}

/* Messages cross on their way: one that is late is not lost yet. */
static void
look_for_gap(void)
{
	if (in.applied < in.heard && !timer_running(&in.timer)) {
		COUNT(cluster_gaps);
		in.asked = 0;
		timer_set(&in.timer, MS(TIMER_TICK_MS));
	}
}

static void
keep_early(uint64_t seq, struct rd fields)
{
	size_t i = seq % EARLY, len = rd_left(&fields);

	if (seq - in.applied >= EARLY || len > CLREC_ROOM)
		return; /* it will be asked for */
	in.early[i].seq = seq;
	in.early[i].len = len;
	memcpy(in.octets + i * CLREC_ROOM, fields.pos, len);
}

static void
take(struct rd fields)
{
	in.applied++;
	in.asked = 0;
	if (clrec_apply(fields) || loop_now_ms() < in.patient_ms)
		return;
	in.patient_ms = loop_now_ms() + PATIENCE_MS;
	clsync_repair();
}

static void
take_early(void)
{
	size_t i = (in.applied + 1) % EARLY;

	while (in.early[i].seq == in.applied + 1) {
		take(rd_init(in.octets + i * CLREC_ROOM, in.early[i].len));
		i = (in.applied + 1) % EARLY;
	}
}

static void
on_change(uint32_t from, struct rd fields)
{
	struct cl_change m;

	(void)from;
	if (!clmsg_get_change(fields, &m) || m.seq > in.heard + FAR) {
		COUNT(cluster_malformed);
		return;
	}
	in.heard = MAX(in.heard, m.seq);
	if (m.seq > in.applied + 1)
		keep_early(m.seq, fields);
	else if (m.seq == in.applied + 1)
		take(fields);
	take_early();
	look_for_gap();
}

void
clstream_follow(uint64_t seq)
{
	in.applied = in.heard = in.told = seq;
	in.asked = in.ahead = 0;
	memset(in.early, 0, sizeof(in.early));
	timer_stop(&in.timer);
}

/* We may think that there is much more, since somebody said so: then all we hear seems old. */
void
clstream_heard(uint64_t seq)
{
	in.told = seq;
	in.ahead = in.applied > seq ? in.ahead + 1 : 0; /* one may have been late */
	if (in.applied > seq + FAR || in.ahead == AHEAD_MOST) {
		COUNT(cluster_malformed);
		clstream_follow(seq);
		clsync_ask();
		return;
	}
	in.heard = MAX(in.heard, seq);
	look_for_gap();
}

bool
clstream_complete(void)
{
	return in.applied >= in.heard;
}

uint64_t
clstream_seq(void)
{
	return role_is_master() ? out.seq : in.applied;
}

void
clstream_init(void)
{
	out.octets = shm_map_parent("cluster changes sent", RING_SIZE);
	in.octets = shm_map_parent("cluster changes that came early", (size_t)EARLY * CLREC_ROOM);
	timer_init(&in.timer, ask_again, 0);
	timer_init(&walk_timer, on_walk, 0);
	timer_set(&walk_timer, MS(WALK_MS));
	cluster_on_message(CL_CHANGE, on_change);
	cluster_on_message(CL_RESEND, resend);
	open_message();
}
