/*
 * The control channel of a tunnel: Ns and Nr, windows, retransmission, acknowledgement.
 *
 * RFC 2661 5.8 and appendix A: slow start to the peer's window, congestion avoidance, backoff
 * 1, 2, 4, 8, 8 s; after a timeout the oldest message goes first and the rest follow as the
 * window opens again. What arrives out of order within our window is kept. The messages are
 * owned by the channel from chan_send() on.
 */
#include "chan.h"

#include <stdlib.h>

#include "bytes.h"
#include "lac.h"

struct early {
	struct early *next;
	uint16_t sid;
	uint16_t ns;
	uint16_t len;
	uint8_t body[];
};

uint32_t chan_retries = 5;
uint32_t chan_retry_ms = 1000;

static struct chan *ack_list;

static struct tunnel *
owner(struct chan *c)
{
	return (struct tunnel *)(void *)((char *)c - offsetof(struct tunnel, chan));
}

void
chan_init(struct chan *c, uint16_t my_window)
{
	*c = (struct chan){ .my_window = my_window, .peer_window = 4, .cwnd = 1, .ssthresh = 4 };
}

void
chan_fini(struct chan *c)
{
	struct msg *m;
	struct early *e;

	timer_stop(&c->retry);
	while ((m = c->head)) {
		c->head = m->next;
		free(m);
	}
	while ((e = c->early)) {
		c->early = e->next;
		free(e);
	}
	c->unsent = c->tail = NULL;
	c->in_flight = c->queued = 0;
}

struct msg *
msg_new(uint16_t type, uint32_t session, const uint8_t *avps, size_t len)
{
	struct msg *m = calloc(1, sizeof(*m) + CTL_HEAD + len);

	if (!m)
		abort();
	m->type = type;
	m->session = session;
	m->len = (uint16_t)(CTL_HEAD + len);
	memcpy(m->data + CTL_HEAD, avps, len);
	return m;
}

static void
put_header(struct chan *c, uint8_t *p, uint16_t len, uint16_t ns)
{
	put16(p, 0xc802);
	put16(p + 2, len);
	put16(p + 4, owner(c)->peer_tid);
	put16(p + 8, ns);
	put16(p + 10, c->shown_nr);
	c->ack_due = false;
}

static void
transmit(struct chan *c, struct msg *m)
{
	if ((int16_t)(m->ns + 1 - c->sent) > 0)
		c->sent = (uint16_t)(m->ns + 1);
	put_header(c, m->data, m->len, m->ns);
	tunnel_transmit(owner(c), m->data, m->len);
}

static uint16_t
window(const struct chan *c)
{
	return c->cwnd < c->peer_window ? c->cwnd : c->peer_window;
}

static void retry_fire(struct timer *tm);

static void
arm_retry(struct chan *c)
{
	uint32_t ms = chan_retry_ms << (c->tries < 3 ? c->tries : 3);

	if (c->in_flight)
		timer_set(&c->retry, ms, retry_fire);
	else
		timer_stop(&c->retry);
}

static void
send_waiting(struct chan *c)
{
	while (c->unsent && c->in_flight < window(c)) {
		transmit(c, c->unsent);
		c->unsent = c->unsent->next;
		if (c->in_flight++ == 0)
			arm_retry(c);
	}
}

static void
retry_fire(struct timer *tm)
{
	struct chan *c = TIMER_OWNER(tm, struct chan, retry);

	if (owner(c)->frozen) {
		arm_retry(c);
		return;
	}
	if (++c->tries > chan_retries) {
		tunnel_lost(owner(c));
		return;
	}
	totals.retransmits++;
	c->ssthresh = window(c) > 1 ? window(c) / 2 : 1;
	c->cwnd = 1;
	c->cwnd_acks = 0;
	transmit(c, c->head);
	c->unsent = c->head->next;
	c->in_flight = 1;
	arm_retry(c);
}

void
chan_send(struct chan *c, struct msg *m)
{
	m->ns = c->ns++;
	if (c->tail)
		c->tail->next = m;
	else
		c->head = m;
	c->tail = m;
	if (!c->unsent)
		c->unsent = m;
	c->queued++;
	send_waiting(c);
}

static void
open_window(struct chan *c)
{
	if (c->cwnd >= c->peer_window)
		return;
	if (c->cwnd < c->ssthresh) {
		c->cwnd++;
	} else if (++c->cwnd_acks >= c->cwnd) {
		c->cwnd++;
		c->cwnd_acks = 0;
	}
}

/* Nr acknowledges all before it. After a timeout it may reach beyond what is in flight again. */
static void
take_ack(struct chan *c, uint16_t nr)
{
	uint16_t n = c->head ? (uint16_t)(nr - c->head->ns) : 0;
	struct msg *m;

	if ((int16_t)(nr - c->sent) > 0) {
		violation("Nr %u acknowledges what was never sent", nr);
		return;
	}
	if (n == 0 || n > 0x8000)
		return;
	while (n-- && c->head) {
		m = c->head;
		if (m == c->unsent) {
			c->unsent = m->next;
			c->in_flight++;
		}
		c->head = m->next;
		if (!c->head)
			c->tail = NULL;
		c->in_flight--;
		c->queued--;
		open_window(c);
		tunnel_acked(owner(c), m);
		free(m);
	}
	c->tries = 0;
	arm_retry(c);
	send_waiting(c);
}

static void
owe_ack(struct chan *c)
{
	if (!c->muted)
		c->shown_nr = c->nr;
	if (c->muted)
		return;
	c->ack_due = true;
	if (c->listed)
		return;
	c->listed = true;
	c->ack_next = ack_list;
	ack_list = c;
}

static void
keep_early(struct chan *c, uint16_t sid, uint16_t ns, const uint8_t *body, size_t len)
{
	struct early *e, **link;

	totals.reordered++;
	for (link = &c->early; *link; link = &(*link)->next) {
		if ((*link)->ns == ns)
			return;
	}
	e = malloc(sizeof(*e) + len);
	if (!e)
		abort();
	e->next = NULL;
	e->sid = sid;
	e->ns = ns;
	e->len = (uint16_t)len;
	memcpy(e->body, body, len);
	*link = e;
}

static struct early *
take_early(struct chan *c)
{
	struct early *e, **link;

	for (link = &c->early; (e = *link); link = &e->next) {
		if (e->ns == c->nr) {
			*link = e->next;
			return e;
		}
	}
	return NULL;
}

static void
deliver(struct chan *c, uint16_t sid, const uint8_t *body, size_t len)
{
	struct early *e;

	c->nr++;
	owe_ack(c);
	tunnel_message(owner(c), sid, body, len);
	while ((e = take_early(c))) {
		c->nr++;
		owe_ack(c);
		tunnel_message(owner(c), e->sid, e->body, e->len);
		free(e);
	}
}

void
chan_input(struct chan *c, uint16_t sid, uint16_t ns, uint16_t nr, const uint8_t *body, size_t len)
{
	uint16_t ahead = (uint16_t)(ns - c->nr);

	take_ack(c, nr);
	if (len == 0) {
		totals.zlb_received++;
		return;
	}
	if (ahead == 0) {
		deliver(c, sid, body, len);
	} else if (ahead >= 0x8000) {
		totals.duplicates++;
		owe_ack(c);
	} else if (ahead < c->my_window) {
		keep_early(c, sid, ns, body, len);
		owe_ack(c);
	} else {
		violation("Ns %u is beyond our window of %u", ns, c->my_window);
	}
}

void
chan_flush_acks(void)
{
	uint8_t zlb[CTL_HEAD];
	struct chan *c;

	while ((c = ack_list)) {
		ack_list = c->ack_next;
		c->listed = false;
		if (!c->ack_due)
			continue;
		memset(zlb, 0, sizeof(zlb));
		put_header(c, zlb, CTL_HEAD, c->unsent ? c->unsent->ns : c->ns);
		totals.zlb_sent++;
		tunnel_transmit(owner(c), zlb, CTL_HEAD);
	}
}

void
chan_mute(struct chan *c, bool on)
{
	c->muted = on;
	if (!on)
		owe_ack(c);
}
