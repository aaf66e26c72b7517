/*
 * Tunnels of the test LAC.
 *
 * Owns the tunnel table and the way from a received datagram to its tunnel and session. The LNS
 * is checked as it goes: whatever RFC 2661 does not allow is counted as a violation. A closed
 * tunnel stays in the table, so that retransmitted messages are still acknowledged (5.7).
 */
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "call.h"
#include "net.h"
#include "ppp.h"

enum {
	HDR_T = 0x8000,
	HDR_L = 0x4000,
	HDR_S = 0x0800,
	HDR_O = 0x0200,
	HDR_P = 0x0100,
	HDR_RESERVED = 0x34f0,
	HDR_VERSION = 0x000f,
};

enum { SETTLE_MS = 50 };

struct tunnel *tunnels;
uint32_t tunnel_count;
uint32_t tunnels_pending;

static struct tunnel *by_tid[65536];
static uint16_t tid_base;

static const char *const state_names[] = {
	[T_FREE] = "free",
	[T_WAIT_REPLY] = "wait-reply",
	[T_WAIT_ACK] = "wait-ack",
	[T_UP] = "up",
	[T_STOPPING] = "stopping",
	[T_CLOSED] = "closed",
};

const char *
tunnel_state_name(const struct tunnel *t)
{
	return state_names[t->state];
}

void
tunnel_init(void)
{
	tunnels = calloc(MAX_TUNNELS, sizeof(*tunnels));
	if (!tunnels || getrandom(&tid_base, sizeof(tid_base), 0) != sizeof(tid_base))
		abort();
}

const char *
tunnel_hiding(const struct tunnel *t)
{
	return t->prof->hidden && t->prof->secret[0] ? t->prof->secret : NULL;
}

static void
transmit_once(struct tunnel *t, uint8_t *packet, size_t len)
{
	if (t->frozen || net_lose(net_loss_tx))
		return;
	memcpy(tx_room(net_tx, t->sock->fd, &t->peer, len), packet, len);
	tx_commit(net_tx, len, NULL, 0);
}

void
tunnel_transmit(struct tunnel *t, uint8_t *packet, size_t len)
{
	transmit_once(t, packet, len);
	if (net_lose(net_twice))
		transmit_once(t, packet, len);
}

void
tunnel_send(struct tunnel *t, struct avp_out *a, enum msg_type type, struct session *s)
{
	struct msg *m;

	if (a->o.full || t->state == T_CLOSED)
		return;
	m = msg_new((uint16_t)type, s ? session_index(s) + 1 : 0, a->o.start, out_len(&a->o));
	put16(m->data + 6, s ? s->peer_sid : 0);
	chan_send(&t->chan, m);
}

static void
settle(struct tunnel *t)
{
	if (t->counted)
		return;
	t->counted = true;
	tunnels_pending--;
}

static void
tunnel_down(struct tunnel *t, const char *text)
{
	uint32_t i;

	if (t->state == T_CLOSED)
		return;
	t->state = T_CLOSED;
	if (text && !t->text)
		t->text = text;
	timer_stop(&t->timer);
	chan_fini(&t->chan);
	for (i = 0; i < t->slot_room; i++) {
		if (t->by_slot[i])
			call_ended(t->by_slot[i], WHY_TUNNEL);
	}
	event("tunnel-closed tunnel=%u result=%u error=%u text=\"%s\"", tunnel_index(t), t->result,
	    t->error, t->text ? t->text : "");
	settle(t);
}

void
tunnel_lost(struct tunnel *t)
{
	tunnel_down(t, "no answer from the LNS");
}

void
tunnel_stop(struct tunnel *t, uint16_t result, uint16_t error, const char *text)
{
	uint8_t buf[CTL_MAX];
	uint8_t v[4];
	struct avp_out a;
	uint32_t i;

	if (t->state == T_CLOSED || t->state == T_STOPPING)
		return;
	for (i = 0; i < t->slot_room; i++) {
		if (t->by_slot[i])
			call_ended(t->by_slot[i], WHY_LOCAL);
	}
	t->state = T_STOPPING;
	t->result = result;
	t->error = error;
	t->text = text;
	timer_stop(&t->timer);
	put16(v, result);
	put16(v + 2, error);
	avp_start(&a, buf, sizeof(buf), MSG_STOPCCN, NULL);
	avp_u16(&a, AVP_ASSIGNED_TUNNEL_ID, true, false, t->my_tid);
	avp_bytes(&a, AVP_RESULT_CODE, true, false, v, error ? 4 : 2);
	tunnel_send(t, &a, MSG_STOPCCN, NULL);
	settle(t);
}

static void hello_fire(struct timer *tm);

static void
up(struct tunnel *t)
{
	t->state = T_UP;
	timer_stop(&t->timer);
	if (t->prof->hello_ms)
		timer_set(&t->timer, t->prof->hello_ms, hello_fire);
	event("tunnel-up tunnel=%u tid=%u peer_tid=%u", tunnel_index(t), t->my_tid, t->peer_tid);
	settle(t);
}

static void
settled_fire(struct timer *tm)
{
	up(TIMER_OWNER(tm, struct tunnel, timer));
}

static void
timeout_fire(struct timer *tm)
{
	tunnel_down(TIMER_OWNER(tm, struct tunnel, timer), "timeout");
}

void
tunnel_hello(struct tunnel *t)
{
	uint8_t buf[64];
	struct avp_out a;

	avp_start(&a, buf, sizeof(buf), MSG_HELLO, NULL);
	tunnel_send(t, &a, MSG_HELLO, NULL);
}

static void
hello_fire(struct timer *tm)
{
	struct tunnel *t = TIMER_OWNER(tm, struct tunnel, timer);

	tunnel_hello(t);
	timer_set(&t->timer, t->prof->hello_ms, hello_fire);
}

static void
send_sccrq(struct tunnel *t)
{
	const struct tunnel_profile *p = t->prof;
	uint8_t buf[CTL_MAX], tie[8];
	struct avp_out a;

	avp_start(&a, buf, sizeof(buf), MSG_SCCRQ, tunnel_hiding(t));
	avp_u16(&a, AVP_PROTOCOL_VERSION, true, false, 0x0100);
	avp_u32(&a, AVP_FRAMING_CAPABILITIES, true, true, 3);
	avp_u32(&a, AVP_BEARER_CAPABILITIES, true, true, 3);
	if (p->tie_breaker && getrandom(tie, sizeof(tie), 0) == sizeof(tie))
		avp_bytes(&a, AVP_TIE_BREAKER, false, false, tie, sizeof(tie));
	avp_u16(&a, AVP_FIRMWARE_REVISION, false, true, 0x0690);
	avp_bytes(&a, AVP_HOST_NAME, true, false, p->hostname, strlen(p->hostname));
	avp_bytes(&a, AVP_VENDOR_NAME, false, true, "test LAC", 8);
	avp_u16(&a, AVP_ASSIGNED_TUNNEL_ID, true, true, t->my_tid);
	avp_u16(&a, AVP_RECEIVE_WINDOW_SIZE, true, false, p->window);
	if (p->challenge)
		avp_bytes(&a, AVP_CHALLENGE, true, true, t->challenge, sizeof(t->challenge));
	out_bytes(&a.o, p->extra, p->extra_len);
	tunnel_send(t, &a, MSG_SCCRQ, NULL);
}

static uint32_t
free_index(void)
{
	uint16_t tid;

	for (; tunnel_count < MAX_TUNNELS; tunnel_count++) {
		tid = (uint16_t)(tunnel_count * 25173 + tid_base);
		if (tid)
			break;
	}
	return tunnel_count;
}

struct tunnel *
tunnel_start(struct tunnel_profile *prof, struct sock *k)
{
	uint32_t i = free_index();
	struct tunnel *t = &tunnels[i];

	if (i == MAX_TUNNELS)
		return NULL;
	tunnel_count = i + 1;
	memset(t, 0, sizeof(*t));
	t->my_tid = (uint16_t)(i * 25173 + tid_base);
	t->prof = prof;
	t->sock = k;
	t->peer = lns;
	t->state = T_WAIT_REPLY;
	t->start_us = now_us;
	if (getrandom(t->challenge, sizeof(t->challenge), 0) != sizeof(t->challenge))
		abort();
	chan_init(&t->chan, prof->window);
	by_tid[t->my_tid] = t;
	tunnels_pending++;
	timer_set(&t->timer, prof->timeout_ms, timeout_fire);
	send_sccrq(t);
	return t;
}

static const char *
check_sccrp(const struct tunnel *t, const struct ctl *c)
{
	uint8_t want[16];
	struct span r = c->v[AVP_CHALLENGE_RESPONSE];

	if (!c->v[AVP_PROTOCOL_VERSION].p || !c->v[AVP_FRAMING_CAPABILITIES].p ||
	    !c->v[AVP_HOST_NAME].p || !c->v[AVP_ASSIGNED_TUNNEL_ID].p)
		return "SCCRP lacks a mandatory AVP";
	if (avp_number(c, AVP_PROTOCOL_VERSION) >> 8 != 1)
		return "SCCRP with an unknown version";
	if (!avp_number(c, AVP_ASSIGNED_TUNNEL_ID))
		return "SCCRP assigns tunnel 0";
	if (!t->prof->challenge)
		return NULL;
	avp_response(want, MSG_SCCRP, t->prof->secret, t->challenge, sizeof(t->challenge));
	if (!r.p)
		return "the LNS did not answer our challenge";
	if (memcmp(want, r.p, 16) != 0)
		return "the LNS has another secret";
	return NULL;
}

static void
send_scccn(struct tunnel *t, const struct ctl *c)
{
	uint8_t buf[256], response[16];
	struct span chal = c->v[AVP_CHALLENGE];
	struct avp_out a;

	avp_start(&a, buf, sizeof(buf), MSG_SCCCN, tunnel_hiding(t));
	if (chal.p) {
		avp_response(response, MSG_SCCCN, t->prof->secret, chal.p, chal.n);
		avp_bytes(&a, AVP_CHALLENGE_RESPONSE, true, true, response, sizeof(response));
		t->challenged = true;
	}
	tunnel_send(t, &a, MSG_SCCCN, NULL);
}

static void
take_sccrp(struct tunnel *t, const struct ctl *c)
{
	const char *fault;
	uint32_t window;

	if (t->state != T_WAIT_REPLY) {
		violation("SCCRP in state %s", tunnel_state_name(t));
		return;
	}
	fault = check_sccrp(t, c);
	if (c->v[AVP_HOST_NAME].p)
		t->peer_name = intern(c->v[AVP_HOST_NAME].p, c->v[AVP_HOST_NAME].n);
	t->peer_tid = (uint16_t)avp_number(c, AVP_ASSIGNED_TUNNEL_ID);
	if (fault) {
		tunnel_stop(t, 4, 0, fault);
		return;
	}
	window = avp_number(c, AVP_RECEIVE_WINDOW_SIZE);
	if (c->v[AVP_RECEIVE_WINDOW_SIZE].p && !window)
		violation("Receive Window Size 0");
	if (window)
		t->chan.peer_window = (uint16_t)window;
	t->chan.ssthresh = t->chan.peer_window;
	if (t->prof->half) {
		settle(t);
		return;
	}
	t->state = T_WAIT_ACK;
	send_scccn(t, c);
}

static void
take_stopccn(struct tunnel *t, const struct ctl *c)
{
	struct span r = c->v[AVP_RESULT_CODE];

	if (!r.p)
		violation("StopCCN without Result Code");
	if (!c->v[AVP_ASSIGNED_TUNNEL_ID].p)
		violation("StopCCN without Assigned Tunnel ID");
	else if (t->peer_tid && avp_number(c, AVP_ASSIGNED_TUNNEL_ID) != t->peer_tid)
		violation("StopCCN with another Assigned Tunnel ID");
	t->peer_tid = (uint16_t)avp_number(c, AVP_ASSIGNED_TUNNEL_ID);
	t->result = r.n >= 2 ? get16(r.p) : 0;
	t->error = r.n >= 4 ? get16(r.p + 2) : 0;
	t->text = r.n > 4 ? intern(r.p + 4, r.n - 4) : "";
	tunnel_down(t, NULL);
}

static void
trace_message(const struct tunnel *t, const char *way, const uint8_t *p, size_t n)
{
	char hex[2 * CTL_MAX + 1];
	size_t i;

	for (i = 0; i < n && i < CTL_MAX; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	event("control tunnel=%u way=%s hex=%s", tunnel_index(t), way, i ? hex : "");
}

void
tunnel_message(struct tunnel *t, uint16_t sid, const uint8_t *body, size_t len)
{
	struct ctl c;

	avp_parse(&c, body, len, t->prof->secret);
	if (t->trace)
		trace_message(t, "in", body, len);
	if (c.fault)
		violation("message type %u: %s", c.type, c.fault);
	if (t->state == T_CLOSED)
		return;
	switch (c.type) {
	case MSG_SCCRP:
		take_sccrp(t, &c);
		break;
	case MSG_STOPCCN:
		take_stopccn(t, &c);
		break;
	case MSG_HELLO:
		if (sid)
			violation("HELLO with session id %u", sid);
		break;
	case MSG_ICRP:
	case MSG_CDN:
	case MSG_WEN:
	case MSG_SLI:
		call_message(t, sid, &c);
		break;
	default:
		violation("an LNS may not send message type %u", c.type);
		break;
	}
}

void
tunnel_acked(struct tunnel *t, const struct msg *m)
{
	if (m->type == MSG_SCCCN && t->state == T_WAIT_ACK) {
		t->up_us = now_us;
		/* a refusal of our response follows the acknowledgement closely */
		if (t->challenged)
			timer_set(&t->timer, SETTLE_MS, settled_fire);
		else
			up(t);
	} else if (m->type == MSG_STOPCCN && t->state == T_STOPPING) {
		tunnel_down(t, NULL);
	} else if (m->session) {
		call_acked(&sessions[m->session - 1], m->type);
	}
}

static void
input_control(struct tunnel *t, const struct datagram *d, uint16_t flags)
{
	uint16_t len = get16(d->data + 2);

	totals.rx_control++;
	if ((flags & (HDR_L | HDR_S)) != (HDR_L | HDR_S) || (flags & (HDR_O | HDR_P))) {
		violation("control message with flags %04x", flags);
		return;
	}
	if (d->len < CTL_HEAD || len < CTL_HEAD || len > d->len) {
		violation("control message of length %u in %zu bytes", len, d->len);
		return;
	}
	if (t->state == T_WAIT_REPLY)
		t->peer.sin_port =
		    d->from->sin_port; /* RFC 2661 8.1: the LNS may choose its port */
	chan_input(&t->chan, get16(d->data + 6), get16(d->data + 8), get16(d->data + 10),
	    d->data + CTL_HEAD, (size_t)len - CTL_HEAD);
}

/* Strips the data header (RFC 2661 3.1) and hands the frame to its session. */
static void
input_data(struct tunnel *t, const struct datagram *d, uint16_t flags)
{
	struct in i = in_make(d->data + 2, d->len - 2);
	struct session *s;
	uint16_t len, ns = 0;

	totals.rx_data++;
	if (flags & HDR_L) {
		len = in_u16(&i);
		if (len > d->len)
			violation("data message of length %u in %zu bytes", len, d->len);
		else
			i.end = d->data + len;
	}
	in_u16(&i); /* tunnel id */
	s = call_find(t, in_u16(&i));
	if (flags & HDR_S) {
		ns = in_u16(&i);
		in_u16(&i);
	}
	if (flags & HDR_O)
		in_take(&i, in_u16(&i));
	if (i.bad || i.p > i.end) {
		violation("data message cut short");
		return;
	}
	if (!s) {
		totals.unknown_session++;
		return;
	}
	if ((flags & HDR_S) && (int16_t)(ns - s->data_nr) < 0)
		violation("data Ns %u after %u", ns, s->data_nr);
	if (flags & HDR_S)
		s->data_nr = (uint16_t)(ns + 1);
	if (!s->frozen)
		ppp_input(s, i.p, in_left(&i));
}

void
l2tp_input(struct sock *k, const struct datagram *d)
{
	uint16_t flags, tid;
	struct tunnel *t;

	totals.rx_datagrams++;
	if (d->len < 6 || (get16(d->data) & HDR_VERSION) != 2) {
		violation("a datagram that is not L2TP version 2");
		return;
	}
	flags = get16(d->data);
	if (flags & HDR_RESERVED)
		violation("reserved bits in the header: %04x", flags);
	tid = get16(d->data + (flags & HDR_L ? 4 : 2));
	t = by_tid[tid];
	if (!t || t->sock != k || t->peer.sin_addr.s_addr != d->from->sin_addr.s_addr) {
		totals.unknown_tunnel++;
		return;
	}
	if (t->frozen)
		return;
	if (flags & HDR_T)
		input_control(t, d, flags);
	else
		input_data(t, d, flags);
}

bool
tunnel_forget(void)
{
	uint32_t i;

	for (i = 0; i < tunnel_count; i++) {
		if (tunnels[i].state != T_CLOSED && tunnels[i].state != T_FREE)
			return false;
	}
	chan_flush_acks();
	for (i = 0; i < tunnel_count; i++) {
		by_tid[tunnels[i].my_tid] = NULL;
		free(tunnels[i].by_slot);
		if (tunnels[i].sock && tunnels[i].sock->own)
			net_sock_close(tunnels[i].sock);
	}
	memset(tunnels, 0, tunnel_count * sizeof(*tunnels));
	tunnel_count = 0;
	return true;
}
