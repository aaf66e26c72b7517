/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shaping by token buckets (SPEC 7, 8). Credit grows with time up to a small burst; a
 * packet may pass while there is any and may leave the bucket owing, so that the rate is
 * exact for packets of every size. Without credit, packets wait in their order. The wait
 * is foretold from what is owed and queued: a packet that would wait longer than MAX_WAIT_MS
 * is dropped, and so is one that has waited LONGEST_MS since the loop was late. At rates
 * so low that a few large packets take longer than that, these few may wait all the same,
 * or TCP could not work at all.
 *
 * A bucket with a queue has a timer; it is served by that and, finer than the wheel's
 * ticks, by each packet that comes. While packets wait, credit may grow further, so that
 * the rate is kept when a turn of the loop comes late.
 *
 * Owns struct bucket and a pool of cells for waiting packets, both of fixed size. Buckets
 * lie in shared memory for `show tbf`; the cells do not. A cell whose packet has been put
 * out lies in the output batch until the turn ends, and is only then used again.
 *
 * Called by data.c and by session events; calls back into data.c by one function.
 */
#include "tbf.h"
#include "config.h"
#include "counter.h"
#include "idset.h"
#include "ippool.h"
#include "iptab.h"
#include "loop.h"
#include "shm.h"
#include "timer.h"
#include "udp.h"

enum {
	BURST_MS = 20,	     /* credit of an idle bucket, as time at its rate */
	LATE_MS = 100,	     /* the same while packets wait: the loop may be late by so much */
	MAX_WAIT_MS = 60,    /* a packet that would wait longer is dropped */
	LONGEST_MS = 100,    /* so is one that has waited longer, as a turn was long */
	SLACK_MS = 40,	     /* at rates where more than that was foretold */
	SLOW_PACKETS = 3,    /* so many large packets may wait at any rate... */
	SLOW_WAIT_MS = 1000, /* ...unless it is lower than any line's */
	LARGE_PACKET = 1500,
	LONG_MS = 100000, /* after so long any debt is paid */
	CELLS = 32768,	  /* 60 ms of 6 Gbit/s in packets of 1500 octets */
	BUCKET_CELLS = CELLS / 8,
	CELL_ROOM = 1600,
	CELL_SIZE = PKT_HEADROOM + CELL_ROOM,
	TRIM_SEC = 10, /* unused cells go back to the system */
	MAX_OWN = 34,
};

/* 1 kbit/s is 128 octets a second: so many thousandths a millisecond. */
#define PER_MS(kbit) ((int64_t)(kbit)*128)
#define COST(len)    ((int64_t)(len)*1000)

struct bucket {
	struct tbf_row;
	uint64_t updated_ms;  /* when credit was worked out */
	uint64_t bytes;	      /* octets that wait */
	uint32_t first, last; /* cells; 0: none */
};

struct cell {
	uint32_t next;
	uint16_t len;
	uint32_t since_ms; /* low part of the clock when it came */
};

/* What children must see beside the buckets. */
struct shared {
	uint32_t used, total, highest;
};

/* The buckets of a session. */
struct held {
	uint32_t bucket[TBF_DIRS];
};

static struct bucket *buckets;
static struct timer *timers; /* of each bucket; runs while packets wait */
static struct shared *shared;
static struct held *held;
static struct idset ids;
static tbf_output_fn output_fn;

static struct cell *cells;
static uint8_t *cell_data;
static struct idset cell_ids;
static uint32_t spent_cell;	/* list of those in the output batch */
static uint32_t touched;	/* the highest cell whose data may take up memory */
static struct timer trim_timer; /* runs while any does */

static uint32_t own[MAX_OWN]; /* our addresses */
static unsigned int n_own;

/* ---- cells ---- */

static uint8_t *
data_of(uint32_t cell)
{
	return cell_data + (size_t)cell * CELL_SIZE + PKT_HEADROOM;
}

/* The lowest free one, so that what a rush has touched can be given back behind it. */
static uint32_t
take_cell(void)
{
	uint32_t cell = idset_take(&cell_ids);

	touched = MAX(touched, cell);
	if (cell && !timer_running(&trim_timer))
		timer_set(&trim_timer, SEC(TRIM_SEC));
	return cell;
}

static void
trim_cells(uint32_t unused)
{
	uint32_t highest = idset_highest(&cell_ids);

	(void)unused;
	if (highest < touched)
		shm_trim(
		    cell_data, (CELLS + (size_t)1) * CELL_SIZE, (highest + (size_t)1) * CELL_SIZE);
	touched = highest;
	if (touched)
		timer_set(&trim_timer, SEC(TRIM_SEC));
}

static void
put_cell_when_sent(uint32_t cell)
{
	cells[cell].next = spent_cell;
	spent_cell = cell;
}

void
tbf_turn_end(void)
{
	uint32_t cell, next;

	for (cell = spent_cell; cell; cell = next) {
		next = cells[cell].next;
		idset_give(&cell_ids, cell);
	}
	spent_cell = 0;
}

/* ---- credit ---- */

static int64_t
credit_now(const struct bucket *b)
{
	int64_t rate = PER_MS(b->kbit), ms = (int64_t)(loop_now_ms() - b->updated_ms);
	int64_t most = rate * (b->queued ? LATE_MS : BURST_MS);

	return MIN(b->credit + rate * MIN(MAX(ms, 0), LONG_MS), most);
}

static void
refill(struct bucket *b)
{
	b->credit = credit_now(b);
	b->updated_ms = loop_now_ms();
}

static void
spend(struct bucket *b, size_t len)
{
	b->credit -= COST(len);
	b->sent_bytes += len;
	b->sent_packets++;
}

/* What may be owed and queued in front of a packet that waits. */
static int64_t
most_in_front(const struct bucket *b)
{
	int64_t rate = PER_MS(b->kbit);
	int64_t slow = MIN(COST(SLOW_PACKETS * LARGE_PACKET), rate * SLOW_WAIT_MS);

	return MAX(rate * MAX_WAIT_MS, slow);
}

static int64_t
in_front(const struct bucket *b)
{
	return COST(b->bytes) - b->credit;
}

/* ---- queues ---- */

static uint32_t
unqueue(struct bucket *b)
{
	uint32_t cell = b->first;

	b->first = cells[cell].next;
	b->bytes -= cells[cell].len;
	b->queued--;
	return cell;
}

static uint32_t
waited_ms(const struct bucket *b)
{
	return (uint32_t)loop_now_ms() - cells[b->first].since_ms;
}

static void
put_out(struct bucket *b)
{
	uint32_t waited = waited_ms(b), cell = unqueue(b);

	counters->throttle_longest_ms = MAX(counters->throttle_longest_ms, waited);
	spend(b, cells[cell].len);
	output_fn(b->s, (enum tbf_dir)b->dir, data_of(cell), cells[cell].len);
	put_cell_when_sent(cell);
}

static void
drop_first(struct bucket *b)
{
	idset_give(&cell_ids, unqueue(b));
	b->dropped++;
	COUNT(throttle_dropped);
}

/* A packet that has waited longer is of no use: its turn of the loop came late. */
static uint32_t
too_long_ms(const struct bucket *b)
{
	uint32_t foretold = (uint32_t)(most_in_front(b) / PER_MS(b->kbit));

	return foretold < LONGEST_MS ? LONGEST_MS : foretold + SLACK_MS;
}

/* Puts out what the credit allows, and sees to the rest's being put out in time. */
static void
serve(uint32_t id)
{
	struct bucket *b = &buckets[id];
	uint32_t too_long = too_long_ms(b);

	refill(b);
	while (b->queued && b->credit > 0) {
		if (waited_ms(b) <= too_long)
			put_out(b);
		else
			drop_first(b);
	}
	if (!b->queued)
		timer_stop(&timers[id]);
	else if (!timer_running(&timers[id]))
		timer_set(&timers[id], (uint64_t)(-b->credit / PER_MS(b->kbit)) + 1);
}

static int
enqueue(struct bucket *b, const struct ip4 *ip)
{
	bool room = ip->len <= CELL_ROOM && b->queued < BUCKET_CELLS;
	uint32_t cell;

	if (in_front(b) > most_in_front(b))
		return DROP(throttle_dropped, "session %u", (unsigned)b->s);
	cell = room ? take_cell() : 0;
	if (!cell)
		return DROP(throttle_pool_empty, "session %u, %u octets", (unsigned)b->s, ip->len);
	memcpy(data_of(cell), ip->data, ip->len);
	cells[cell] = (struct cell){ .len = ip->len, .since_ms = (uint32_t)loop_now_ms() };
	if (b->queued)
		cells[b->last].next = cell;
	else
		b->first = cell;
	b->last = cell;
	b->queued++;
	b->bytes += ip->len;
	b->delayed++;
	COUNT(throttle_delayed);
	return 0;
}

/* The other end is another subscriber or ourselves: see no_throttle_local_IP. */
static bool
is_local(uint32_t addr)
{
	unsigned int i;

	for (i = 0; i < n_own; i++)
		if (addr == own[i])
			return true;
	return addr == conf->peer_address || iptab_lookup(addr) || ippool_has(addr);
}

int
tbf_input(sess_id s, enum tbf_dir dir, const struct ip4 *ip)
{
	uint32_t id = held[s].bucket[dir];
	struct bucket *b = &buckets[id];
	int kept;

	if (!id || (conf->no_throttle_local_IP && is_local(dir == TBF_IN ? ip->dst : ip->src)))
		return 1;
	b->in_bytes += ip->len;
	b->in_packets++;
	serve(id);
	if (!b->queued && b->credit > 0) {
		spend(b, ip->len);
		return 1;
	}
	kept = enqueue(b, ip);
	if (kept < 0)
		b->dropped++;
	else
		serve(id);
	return kept;
}

/* ---- buckets ---- */

static void
update_shared(void)
{
	shared->used = ids.used;
	shared->highest = idset_highest(&ids);
}

static void
take_bucket(sess_id s, enum tbf_dir dir, uint32_t kbit)
{
	uint32_t id = idset_take(&ids);
	struct bucket *b = &buckets[id];

	*b = (struct bucket){ 0 };
	b->kbit = kbit;
	b->dir = dir;
	b->credit = PER_MS(kbit) * BURST_MS;
	b->updated_ms = loop_now_ms();
	b->s = s;
	timer_init(&timers[id], serve, id);
	held[s].bucket[dir] = id;
	update_shared();
}

/* What waits is put out at once, or thrown away. */
static void
give_bucket(sess_id s, enum tbf_dir dir, bool deliver)
{
	uint32_t id = held[s].bucket[dir];
	struct bucket *b = &buckets[id];

	if (!id)
		return;
	while (b->queued) {
		if (deliver)
			put_out(b);
		else
			drop_first(b);
	}
	timer_stop(&timers[id]);
	b->s = 0;
	held[s].bucket[dir] = 0;
	idset_give(&ids, id);
	update_shared();
}

/* What has been earned at the old rate stays; of what waits, that which would now wait too long
 * goes. */
static void
set_rate(uint32_t id, uint32_t kbit)
{
	struct bucket *b = &buckets[id];

	refill(b);
	b->kbit = kbit;
	while (b->queued && in_front(b) > most_in_front(b))
		drop_first(b);
	timer_stop(&timers[id]);
	serve(id);
}

/* Buckets as the session's rates ask for: all that are missing, or none of them. */
static void
follow_rates(sess_id s, const struct session *sess)
{
	const uint32_t kbit[TBF_DIRS] = { sess->rate_in, sess->rate_out };
	uint32_t missing = 0;
	unsigned int dir;

	for (dir = 0; dir < TBF_DIRS; dir++) {
		if (!kbit[dir])
			give_bucket(s, (enum tbf_dir)dir, true);
		else if (held[s].bucket[dir])
			set_rate(held[s].bucket[dir], kbit[dir]);
		else
			missing++;
	}
	if (missing > ids.limit - ids.used) {
		COUNT(throttle_no_bucket);
		slog_limit(sess, LOG_WARNING,
		    "not throttled: all %u buckets are in use (throttle_buckets)",
		    (unsigned)ids.limit);
		return;
	}
	for (dir = 0; dir < TBF_DIRS; dir++)
		if (kbit[dir] && !held[s].bucket[dir])
			take_bucket(s, (enum tbf_dir)dir, kbit[dir]);
}

static void
yield(sess_id s)
{
	give_bucket(s, TBF_IN, false);
	give_bucket(s, TBF_OUT, false);
}

void
tbf_session(sess_id s, enum sess_event ev)
{
	const struct session *sess = session_get(s);

	if ((ev == SESS_EV_UP || ev == SESS_EV_CHANGED) && !sess->down) {
		follow_rates(s, sess);
	} else if (ev == SESS_EV_DOWN || ev == SESS_EV_GONE) {
		yield(s);
	}
}

/* A slave leaves throttling to the master, so it has no buckets. */
static void
adopt(sess_id s)
{
	const struct session *sess = session_get(s);

	if (session_fast(s)->flags & SF_ON && !sess->down)
		follow_rates(s, sess);
}

const struct hook_member tbf_member = { .adopt = adopt, .yield = yield };

bool
tbf_is_short(sess_id s)
{
	const struct session *sess = session_get(s);

	return (sess->rate_in && !held[s].bucket[TBF_IN]) ||
	       (sess->rate_out && !held[s].bucket[TBF_OUT]);
}

void
tbf_init(uint32_t n_buckets, uint32_t max_sessions, tbf_output_fn output)
{
	size_t n = n_buckets + (size_t)1;

	output_fn = output;
	buckets = shm_map("token buckets", n * sizeof(*buckets));
	timers = shm_map_private("token bucket timers", n * sizeof(*timers));
	shared = shm_map("token bucket counts", sizeof(*shared));
	held = shm_map("buckets of sessions", (max_sessions + (size_t)1) * sizeof(*held));
	cells = shm_map_private("throttled packets", (CELLS + 1) * sizeof(*cells));
	cell_data = shm_map_parent("throttled packets' data", (CELLS + (size_t)1) * CELL_SIZE);
	idset_init(&ids, "token bucket ids", n_buckets);
	idset_init(&cell_ids, "throttled packets' ids", CELLS);
	timer_init(&trim_timer, trim_cells, 0);
	shared->total = n_buckets;
	n_own = config_bind_addresses(own, MAX_OWN - 1);
	own[n_own++] = config_tun_address();
}

/* ---- for show ---- */

uint32_t
tbf_bucket(sess_id s, enum tbf_dir dir)
{
	return held[s].bucket[dir];
}

bool
tbf_row(uint32_t bucket, struct tbf_row *row)
{
	const struct bucket *b = &buckets[bucket];

	*row = (struct tbf_row){ 0 };
	if (bucket == 0 || bucket > shared->total || !b->s)
		return false;
	memcpy(row, b, sizeof(*row));
	row->credit = credit_now(b);
	return row->s != 0;
}

void
tbf_counts(uint32_t *used, uint32_t *total)
{
	*used = shared->used;
	*total = shared->total;
}

uint32_t
tbf_highest(void)
{
	return shared->highest;
}
