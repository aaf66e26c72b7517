/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reliable delivery of control messages, RFC 2661 5.8 and appendix A. Owns struct
 * chan, one a tunnel in private memory, and two pools of message cells (small ones,
 * since nearly all are ICRP and CDN, and large ones).
 *
 * Sending: messages get their Ns when queued; those from `unsent` on have not left
 * (again). At a timeout everything unacknowledged counts as unsent and the window
 * shrinks to one, so recovery is slow start over the same queue. Receiving: a message
 * that is ahead is kept, within the window we advertise, until the gap is filled. So is one
 * of a peer that has too much of ours to acknowledge: its turn comes when it has, and the
 * peer's window bounds what it can send until then. An acknowledgement never waits for our own
 * messages: what no message has carried by the end of the turn leaves as a ZLB.
 *
 * Under a cluster a slave's channels are passive: closed, with numbers and queue as the master
 * tells them. A new master sends the queue anew, but its numbers may lag behind what the old
 * one has told the peer. So the peer's first packet counts: what it acknowledges, we have sent;
 * and when a message of its stays missing, and it repeats a later one instead, the old master
 * has had all in front of that. When the members have lost each other there may be two masters, and
 * the routers turn a peer from the one to the other and back: then this holds for all channels at
 * all times, with more patience.
 *
 * Called by l2tp.c, which gets back what arrived through struct chan_events.
 */
#include "l2tp_chan.h"
#include "avp.h"
#include "config.h"
#include "counter.h"
#include "idset.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"

enum {
	SMALL_DATA = 112,
	LARGE_DATA = 1400,
	LARGE_CELLS = 32768,
	EARLY_CELLS = 16384,
	LARGE_BIT = 0x80000000, /* in a cell id: it is of the large pool */
	EARLY_MAX = 512,	/* messages ahead that are kept a tunnel */
	EARLY_OPENING = 4,	/* the same while anybody could have made the tunnel */
	QUEUE_MAX = 1024,	/* unacknowledged messages beyond which we take acks only */
	QUEUE_SCARCE = 16,	/* the same when cells are running out */
	MAX_RETRIES = 5,
	FIRST_RETRY_SEC = 1,
	LONGEST_RETRY_SEC = 8,
	SPLIT_RETRIES = 3, /* while he may be heard by others: time is left when they are back */
	GAP_DS = 25, /* for so long a peer has repeated what was not acknowledged (1, 2 s behind) */
	DOUBT_DS = 65, /* the same where that is less likely the reason (1, 2, 4 s behind) */
	LATE_DS = 20,  /* a repetition may be */
	OVER_DS = 300, /* behind which there is none */
};

/* A queued message, out or ahead of its turn in. */
struct cell {
	uint32_t next; /* cell id; 0: last */
	uint16_t ns;
	uint16_t len;
	uint16_t wire_sid;	    /* of one that came in */
	uint32_t first_ds, last_ds; /* of one that came in: when, and when last */
	uint8_t data[];
};

struct pool {
	uint8_t *cells;
	size_t size; /* of a cell */
	struct idset ids;
};

struct chan {
	struct timer retry;
	struct timer gap;	    /* adopted: how long a message of the peer's is waited for */
	uint32_t head, tail;	    /* queued out, oldest first */
	uint32_t unsent;	    /* first that has to leave; 0: none */
	uint32_t untold;	    /* first that the cluster has not been told of; 0: none */
	uint32_t early, early_tail; /* came ahead of their turn or are held back, by Ns */
	uint16_t ns;		    /* the next message queued gets it */
	uint16_t sent;		    /* Ns of `unsent`, or ns */
	uint16_t high;		    /* Ns of the first that has never left */
	uint16_t nr;		    /* expected next from the peer */
	uint16_t acked;		    /* the peer expects this next: Ns of `head`, or ns */
	uint16_t inherited;	    /* adopted: messages before this one are the old master's */
	uint16_t window, threshold; /* congestion window and ssthresh */
	uint16_t credit;	    /* acknowledgements towards the next step of window */
	uint8_t retries;
	uint8_t n_early;
	bool open; /* else nothing is sent or heard */
	bool ack_due, in_ack_list;
	bool opens;	    /* passive: open when it is adopted */
	bool lags, nr_lags; /* adopted: our Ns, our Nr may be behind what the peer knows */
};

static struct chan *chans;
static struct pool small_pool, large_pool; /* messages to send */
static struct pool early_pool;		   /* messages that came ahead of their turn */
static const struct chan_events *events;
static uint16_t *ack_list; /* tunn_ids */
static uint32_t n_acks;
static bool doubt; /* there may be two masters */

static void on_retry(uint32_t t);
static void on_gap(uint32_t t);

static void
pool_init(struct pool *p, const char *what, size_t data, uint32_t n)
{
	p->size = (sizeof(struct cell) + data + 7) & ~(size_t)7;
	p->cells = shm_map_private(what, (n + (size_t)1) * p->size);
	idset_init(&p->ids, what, n);
}

void
l2tp_chan_init(uint32_t max_tunnels, uint32_t max_sessions, const struct chan_events *ev)
{
	events = ev;
	chans = shm_map_private("control channels", (max_tunnels + (size_t)1) * sizeof(*chans));
	ack_list = shm_map_private("due acknowledgements", (max_tunnels + 1) * sizeof(*ack_list));
	pool_init(&small_pool, "small control messages", SMALL_DATA, max_sessions + 65536);
	pool_init(&large_pool, "large control messages", LARGE_DATA, LARGE_CELLS);
	pool_init(&early_pool, "early control messages", LARGE_DATA, EARLY_CELLS);
}

static struct cell *
pool_get(const struct pool *p, uint32_t id)
{
	return (void *)(p->cells + id * p->size);
}

static struct cell *
cell_get(uint32_t id)
{
	return pool_get(id & LARGE_BIT ? &large_pool : &small_pool, id & ~LARGE_BIT);
}

static struct cell *
early_get(uint32_t id)
{
	return pool_get(&early_pool, id);
}

static uint32_t
cell_new(const void *data, size_t len)
{
	bool large = len > SMALL_DATA;
	uint32_t id = len > LARGE_DATA ? 0 : idset_take(large ? &large_pool.ids : &small_pool.ids);
	struct cell *c;

	if (!id) {
		COUNT(control_queue_full);
		return 0;
	}
	if (large)
		id |= LARGE_BIT;
	c = cell_get(id);
	c->next = 0;
	c->len = (uint16_t)len;
	memcpy(c->data, data, len);
	return id;
}

static void
cell_free(uint32_t id)
{
	idset_give(id & LARGE_BIT ? &large_pool.ids : &small_pool.ids, id & ~LARGE_BIT);
}

void
l2tp_chan_open(tunn_id t)
{
	struct chan *c = &chans[t];

	*c = (struct chan){
		.window = 1,
		.threshold = UINT16_MAX,
		.open = true,
		.in_ack_list = c->in_ack_list,
	};
	timer_init(&c->retry, on_retry, t);
	timer_init(&c->gap, on_gap, t);
}

static void
drop_queue(struct chan *c)
{
	uint32_t id, next;

	for (id = c->head; id; id = next) {
		next = cell_get(id)->next;
		cell_free(id);
	}
	c->head = c->tail = c->unsent = c->untold = 0;
}

static void
drop_early(struct chan *c)
{
	uint32_t id, next;

	for (id = c->early; id; id = next) {
		next = early_get(id)->next;
		idset_give(&early_pool.ids, id);
	}
	c->early = c->early_tail = c->n_early = 0;
}

void
l2tp_chan_close(tunn_id t)
{
	struct chan *c = &chans[t];

	timer_stop(&c->retry);
	timer_stop(&c->gap);
	drop_queue(c);
	drop_early(c);
	*c = (struct chan){ .in_ack_list = c->in_ack_list };
}

static void
show(tunn_id t)
{
	const struct chan *c = &chans[t];

	tunnel_set_channel(t, c->ns, c->nr, (uint16_t)(c->ns - c->acked));
}

static uint64_t
retry_delay(const struct chan *c)
{
	return SEC(MIN(FIRST_RETRY_SEC << c->retries, LONGEST_RETRY_SEC));
}

static void
transmit(tunn_id t, const struct tunnel *tun, struct cell *m)
{
	struct chan *c = &chans[t];

	ctl_set_sequence(m->data, m->ns, c->nr);
	udp_send(tun->local, tun->peer_ip, tun->peer_port, m->data, m->len);
	c->ack_due = false;
}

/* Sends what the windows allow; keeps the retransmission timer running while anything is out. */
static void
pump(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	struct chan *c = &chans[t];
	uint16_t window = MIN(c->window, MAX(tun->peer_window, 1));

	while (c->unsent && (uint16_t)(c->sent - c->acked) < window) {
		struct cell *m = cell_get(c->unsent);

		transmit(t, tun, m);
		c->unsent = m->next;
		c->sent++;
		if ((int16_t)(c->sent - c->high) > 0)
			c->high = c->sent;
	}
	if (c->head && !timer_running(&c->retry))
		timer_set(&c->retry, retry_delay(c));
}

int
l2tp_chan_send(tunn_id t, const void *msg, size_t len)
{
	struct chan *c = &chans[t];
	uint32_t id;

	if (!c->open)
		return 0; /* nobody would hear it */
	id = cell_new(msg, len);
	if (!id)
		return -1;
	cell_get(id)->ns = c->ns++;
	if (c->head)
		cell_get(c->tail)->next = id;
	else
		c->head = id;
	c->tail = id;
	if (!c->unsent)
		c->unsent = id;
	if (!c->untold)
		c->untold = id;
	pump(t);
	show(t);
	return 0;
}

static void
on_retry(uint32_t t)
{
	struct chan *c = &chans[t];

	if (!tunnel_get(t) || !c->head || !role_is_master())
		return;
	if (role_is_split() && tunnel_get(t)->state == TUNNEL_OPEN)
		c->retries = MIN(c->retries, SPLIT_RETRIES - 1);
	if (c->retries == MAX_RETRIES) {
		events->dead(t);
		return;
	}
	c->retries++;
	COUNT(tunnel_retries);
	c->threshold = MAX((uint16_t)(c->sent - c->acked) / 2, 1);
	c->window = 1;
	c->credit = 0;
	c->unsent = c->head;
	c->sent = c->acked;
	pump(t);
}

/* Slow start below the threshold, one step a window above it (RFC 2661 appendix A). */
static void
grow_window(struct chan *c)
{
	if (c->window < c->threshold) {
		c->window = (uint16_t)MIN(c->window + 1, INT16_MAX);
	} else if (++c->credit >= c->window) {
		c->credit = 0;
		c->window = (uint16_t)MIN(c->window + 1, INT16_MAX);
	}
}

static void
take_ack(tunn_id t, uint16_t nr)
{
	struct chan *c = &chans[t];

	while (c->acked != nr) {
		uint32_t id = c->head;

		c->head = cell_get(id)->next;
		if (c->unsent == id) { /* sent again in vain: it had arrived */
			c->unsent = c->head;
			c->sent++;
		}
		if (c->untold == id)
			c->untold = c->head;
		cell_free(id);
		c->acked++;
		grow_window(c);
	}
	c->retries = 0;
	timer_stop(&c->retry);
	if (!c->head)
		c->tail = 0;
	pump(t);
	show(t);
	if (!c->head)
		events->drained(t);
}

static void
ack_later(tunn_id t)
{
	struct chan *c = &chans[t];

	c->ack_due = true;
	if (c->in_ack_list)
		return;
	c->in_ack_list = true;
	ack_list[n_acks++] = (uint16_t)t;
}

void
l2tp_chan_flush(void)
{
	uint8_t zlb[L2TP_CONTROL_HEADER];
	uint32_t i;

	for (i = 0; i < n_acks; i++) {
		const struct tunnel *tun = tunnel_get(ack_list[i]);
		struct chan *c = &chans[ack_list[i]];
		struct wr w = wr_init(zlb, sizeof(zlb));

		c->in_ack_list = false;
		if (!tun || !c->ack_due)
			continue;
		c->ack_due = false;
		wr_u16(&w, L2TP_FLAG_TYPE | L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE | L2TP_VERSION);
		wr_u16(&w, sizeof(zlb));
		wr_u16(&w, tun->peer_tid);
		wr_u16(&w, 0);
		wr_u16(&w, c->high);
		wr_u16(&w, c->nr);
		udp_send(tun->local, tun->peer_ip, tun->peer_port, zlb, sizeof(zlb));
	}
	n_acks = 0;
}

enum chan_verdict
l2tp_chan_judge(tunn_id t, const struct l2tp_hdr *h, bool empty)
{
	const struct chan *c = &chans[t];
	uint16_t ahead = (uint16_t)(h->ns - c->nr);

	if ((int16_t)(h->nr - c->high) > 0) /* acknowledges what was never sent */
		return CHAN_OUTSIDE;
	if (empty || (int16_t)ahead < 0)
		return CHAN_ACK;
	return ahead < conf->receive_window ? CHAN_IN_WINDOW : CHAN_OUTSIDE;
}

/* Where in the list of kept messages the one with this Ns is or belongs. */
static uint32_t *
early_link(struct chan *c, uint16_t ns)
{
	uint32_t *link = &c->early;

	if (*link && (int16_t)(early_get(c->early_tail)->ns - ns) < 0)
		return &early_get(c->early_tail)->next; /* nearly all are */
	while (*link && (int16_t)(early_get(*link)->ns - ns) < 0)
		link = &early_get(*link)->next;
	return link;
}

/* Messages are kept that wait for one in front of them. */
static void
watch_gap(struct chan *c)
{
	if (c->early && (c->nr_lags || doubt) && !timer_running(&c->gap))
		timer_set(&c->gap, SEC(1));
}

/*
 * Keeps a message whose turn has not come, in order of Ns; a second copy or one too many is
 * dropped: it will be sent again.
 */
static void
keep_early(tunn_id t, const struct l2tp_hdr *h, struct rd avps)
{
	struct chan *c = &chans[t];
	unsigned int most = tunnel_get(t)->state == TUNNEL_OPENING ? EARLY_OPENING : EARLY_MAX;
	uint32_t *link = early_link(c, h->ns), id;
	struct cell *m;

	if (*link && early_get(*link)->ns == h->ns) {
		early_get(*link)->last_ds = loop_now_ds();
		COUNT(control_duplicate);
		return;
	}
	id = c->n_early < most && rd_left(&avps) <= LARGE_DATA ? idset_take(&early_pool.ids) : 0;
	if (!id) {
		COUNT(control_early_dropped);
		return;
	}
	m = early_get(id);
	m->len = (uint16_t)rd_left(&avps);
	memcpy(m->data, avps.pos, m->len);
	m->ns = h->ns;
	m->wire_sid = h->wire_sid;
	m->first_ds = m->last_ds = loop_now_ds();
	m->next = *link;
	if (!m->next)
		c->early_tail = id;
	*link = id;
	c->n_early++;
	if (h->ns == c->nr)
		return;
	COUNT(control_reordered);
	watch_gap(c);
}

/* A peer that speaks but does not acknowledge what we say has to wait. */
static bool
may_speak(const struct chan *c)
{
	bool scarce = small_pool.ids.used > small_pool.ids.limit / 4 * 3 ||
		      large_pool.ids.used > large_pool.ids.limit / 4 * 3;

	return (uint16_t)(c->ns - c->acked) < (scarce ? QUEUE_SCARCE : QUEUE_MAX);
}

/* Delivers kept messages whose turn has come. The tunnel may end on the way. */
static void
deliver_kept(tunn_id t)
{
	struct chan *c = &chans[t];
	uint8_t copy[LARGE_DATA];

	while (tunnel_get(t) && c->early && early_get(c->early)->ns == c->nr && may_speak(c)) {
		uint32_t id = c->early;
		struct cell *m = early_get(id);
		uint16_t len = m->len, wire_sid = m->wire_sid;

		memcpy(copy, m->data, len);
		ack_later(t);
		c->early = m->next;
		c->n_early--;
		c->nr++;
		idset_give(&early_pool.ids, id);
		events->message(t, wire_sid, rd_init(copy, len));
	}
}

static void
drop_first(struct chan *c)
{
	uint32_t id = c->head;

	c->head = cell_get(id)->next;
	if (!c->head)
		c->tail = 0;
	cell_free(id);
}

/* Numbers without a gap: a message that was lost with the old master cannot be sent again. */
static void
number_queue(struct chan *c)
{
	uint16_t ns = c->acked;
	uint32_t id;

	for (id = c->head; id; id = cell_get(id)->next)
		cell_get(id)->ns = ns++;
	if (c->head)
		c->ns = ns;
}

/*
 * The peer repeats it to us, each time after twice as long, so it is not acknowledged. One that he
 * should have repeated and has not was acknowledged by another master, as what is missing was.
 */
static bool
is_repeated(const struct chan *c, const struct cell *m)
{
	uint32_t for_ds = m->last_ds - m->first_ds;

	return for_ds >= (c->nr_lags ? GAP_DS : DOUBT_DS) &&
	       loop_now_ds() - m->last_ds <= for_ds + LATE_DS;
}

static void
drop_first_early(struct chan *c)
{
	uint32_t id = c->early;

	c->early = early_get(id)->next;
	c->n_early--;
	idset_give(&early_pool.ids, id);
}

/* The first that is repeated is the peer's next. False: there is none yet. */
static bool
find_next(struct chan *c)
{
	uint32_t id = c->early;

	while (id && !is_repeated(c, early_get(id)))
		id = early_get(id)->next;
	while (id && c->early != id)
		drop_first_early(c);
	while (!id && c->early && loop_now_ds() - early_get(c->early)->last_ds > OVER_DS)
		drop_first_early(c);
	return id != 0;
}

/* The peer had the time to repeat what is missing: it had been acknowledged. */
static void
on_gap(uint32_t t)
{
	struct chan *c = &chans[t];

	if (!tunnel_get(t) || !c->early || !(c->nr_lags || doubt) || !role_is_master())
		return;
	if (!find_next(c)) {
		watch_gap(c);
		return;
	}
	tlog(tunnel_get(t), LOG_INFO, "the peer's messages up to %u had another master",
	    early_get(c->early)->ns);
	c->nr_lags = false;
	c->nr = early_get(c->early)->ns;
	deliver_kept(t);
	if (tunnel_get(t))
		show(t);
}

/* The first packet behind a takeover, any while there may be two masters: what it acknowledges
 * beyond our numbers, the other one had sent. */
static void
catch_up(tunn_id t, uint16_t nr)
{
	struct chan *c = &chans[t];
	uint16_t ahead = (uint16_t)(nr - c->high);
	uint32_t id;

	if (!c->lags)
		c->inherited = c->acked; /* what waits is our own */
	c->lags = false;
	if (ahead == 0 || ahead > QUEUE_MAX)
		return;
	tlog(tunnel_get(t), LOG_INFO, "the peer expects Ns %u, not %u", nr, c->high);
	while ((id = c->head) && (int16_t)(cell_get(id)->ns - c->inherited) < 0)
		drop_first(c);
	c->sent = c->high = c->acked = c->ns = nr;
	c->unsent = c->untold = c->head;
	number_queue(c);
	timer_stop(&c->retry);
	pump(t);
}

void
l2tp_chan_input(tunn_id t, const struct l2tp_hdr *h, struct rd avps)
{
	struct chan *c = &chans[t];
	bool empty = rd_left(&avps) == 0;

	if (!c->open)
		return;
	if (c->lags || doubt)
		catch_up(t, h->nr);
	if (l2tp_chan_judge(t, h, empty) == CHAN_OUTSIDE) {
		COUNT(control_outside_window);
		return;
	}
	if ((int16_t)(h->nr - c->acked) > 0) { /* else an old packet */
		take_ack(t, h->nr);
		deliver_kept(t);
	}
	if (empty || !tunnel_get(t) || !c->open)
		return;
	if (h->ns == c->nr && !may_speak(c)) {
		COUNT(control_held_back);
		keep_early(t, h, avps);
		return;
	}
	ack_later(t);
	if (h->ns == c->nr) {
		c->nr_lags = false;
		c->nr++;
		timer_stop(&c->gap);
		events->message(t, h->wire_sid, avps);
		deliver_kept(t);
		watch_gap(c);
	} else if ((int16_t)(h->ns - c->nr) > 0) {
		keep_early(t, h, avps);
	} else {
		COUNT(control_duplicate);
	}
	if (tunnel_get(t))
		show(t);
}

bool
l2tp_chan_idle(tunn_id t)
{
	return chans[t].head == 0;
}

bool
l2tp_chan_settled(tunn_id t)
{
	return l2tp_chan_idle(t) && chans[t].n_early == 0;
}

/* --- the cluster --- */

void
l2tp_chan_doubt(bool yes)
{
	doubt = yes;
}

void
l2tp_chan_export(tunn_id t, struct chan_state *st)
{
	const struct chan *c = &chans[t];

	*st = (struct chan_state){ .ns = c->ns,
		.nr = c->nr,
		.acked = c->acked,
		.high = c->high,
		.open = c->open || c->opens };
}

static bool
tell(uint32_t id, uint16_t *ns, const uint8_t **data, uint16_t *len)
{
	const struct cell *m = cell_get(id);

	if (!id)
		return false;
	*ns = m->ns;
	*data = m->data;
	*len = m->len;
	return true;
}

bool
l2tp_chan_message(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len)
{
	uint32_t id = chans[t].head;

	while (id && (int16_t)(cell_get(id)->ns - *ns) < 0)
		id = cell_get(id)->next;
	return tell(id, ns, data, len);
}

bool
l2tp_chan_untold(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len)
{
	uint32_t id = chans[t].untold;

	if (id)
		chans[t].untold = cell_get(id)->next;
	return tell(id, ns, data, len);
}

/* Messages from this one on are none of the master's: we had them when it was us. */
static void
drop_from(struct chan *c, uint16_t ns)
{
	uint32_t *link = &c->head, id;

	c->tail = 0;
	for (; (id = *link) && (int16_t)(cell_get(id)->ns - ns) < 0; link = &cell_get(id)->next)
		c->tail = id;
	while ((id = *link)) {
		*link = cell_get(id)->next;
		cell_free(id);
	}
}

void
l2tp_chan_install(tunn_id t, const struct chan_state *st)
{
	struct chan *c = &chans[t];

	drop_early(c);
	while (c->head && (int16_t)(cell_get(c->head)->ns - st->acked) < 0)
		drop_first(c);
	drop_from(c, st->ns);
	c->ns = st->ns;
	c->nr = st->nr;
	c->acked = st->acked;
	c->high = st->high;
	c->opens = st->open;
}

int
l2tp_chan_keep(tunn_id t, uint16_t ns, const uint8_t *data, uint16_t len)
{
	struct chan *c = &chans[t];
	uint32_t *link = &c->head, id, old;

	if ((uint16_t)(ns - c->acked) > INT16_MAX)
		return 0; /* has been acknowledged */
	if (c->head && (int16_t)(cell_get(c->tail)->ns - ns) < 0)
		link = &cell_get(c->tail)->next; /* nearly all are */
	while (*link && (int16_t)(cell_get(*link)->ns - ns) < 0)
		link = &cell_get(*link)->next;
	id = cell_new(data, len);
	if (!id)
		return -1;
	old = *link;
	cell_get(id)->ns = ns;
	cell_get(id)->next = old;
	if (old && cell_get(old)->ns == ns) { /* perhaps of when we were master */
		cell_get(id)->next = cell_get(old)->next;
		cell_free(old);
	}
	if (!cell_get(id)->next)
		c->tail = id;
	*link = id;
	return 0;
}

void
l2tp_chan_adopt(tunn_id t)
{
	struct chan *c = &chans[t];

	timer_init(&c->retry, on_retry, t);
	timer_init(&c->gap, on_gap, t);
	number_queue(c);
	c->high = c->inherited = c->ns; /* any of them may have left */
	c->unsent = c->head;
	c->sent = c->acked = c->head ? c->acked : c->ns;
	c->untold = 0;
	c->window = 1;
	c->threshold = UINT16_MAX;
	c->credit = c->retries = 0;
	c->open = c->opens;
	c->opens = false;
	c->lags = c->nr_lags = true;
	watch_gap(c); /* what came ahead of its turn is still there, when we were master just now */
	if (c->open)
		pump(t);
}

void
l2tp_chan_yield(tunn_id t)
{
	struct chan *c = &chans[t];

	timer_stop(&c->retry);
	timer_stop(&c->gap);
	c->opens = c->open;
	c->open = c->ack_due = false;
	c->unsent = c->untold = 0; /* records of the next master may free the messages */
}
