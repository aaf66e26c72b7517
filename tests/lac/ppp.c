/*
 * PPP frames of the sessions: encapsulation both ways, phases, restart timer.
 *
 * Receiving tolerates every compression (ACFC, PFC) whether agreed or not. One timer a session
 * covers the phase it is in and the limit of the whole set-up.
 */
#include "ppp.h"

#include "call.h"
#include "net.h"

enum { ADDRESS_CONTROL = 0xff03, TERM_WAIT_MS = 5000, LINGER_MS = 10000 };

/* Begins a data message: L2TP header as the session wants it (RFC 2661 3.1). */
static struct out
data_header(struct session *s, size_t room)
{
	const struct profile *p = s->prof;
	uint8_t *buf = tx_room(net_tx, s->t->sock->fd, &s->t->peer, room + FRAME_HEAD);
	struct out o = out_make(buf, room + FRAME_HEAD);
	uint8_t *pad;

	out_u16(&o, (uint16_t)(2 | (p->length_bit ? 0x4000 : 0) | (p->sequencing ? 0x0800 : 0) |
			       (p->offset ? 0x0200 : 0)));
	if (p->length_bit)
		out_u16(&o, 0);
	out_u16(&o, s->t->peer_tid);
	out_u16(&o, s->peer_sid);
	if (p->sequencing) {
		out_u16(&o, s->data_ns++);
		out_u16(&o, 0);
	}
	if (p->offset) {
		out_u16(&o, p->offset);
		pad = out_room(&o, p->offset);
		if (pad)
			memset(pad, 0xee, p->offset);
	}
	return o;
}

struct out
ppp_frame(struct session *s, uint16_t proto, size_t room)
{
	struct out o = data_header(s, room);

	if (!(s->peer_acfc && s->prof->acfc) || proto == PPP_LCP)
		out_u16(&o, ADDRESS_CONTROL);
	if (s->peer_pfc && s->prof->pfc && proto < 0x100)
		out_u8(&o, (uint8_t)proto);
	else
		out_u16(&o, proto);
	return o;
}

void
ppp_commit(struct session *s, struct out *o, const uint8_t *tail, size_t tail_len)
{
	if (o->full || s->t->frozen || s->frozen || net_lose(net_loss_tx))
		return;
	if (s->prof->length_bit)
		put16(o->start + 2, (uint16_t)(out_len(o) + tail_len));
	tx_commit(net_tx, out_len(o), tail, tail_len);
}

void
ppp_send(struct session *s, uint16_t proto, uint8_t code, uint8_t id, const void *data, size_t len)
{
	struct out o = ppp_frame(s, proto, len + 4);

	out_u8(&o, code);
	out_u8(&o, id);
	out_u16(&o, (uint16_t)(len + 4));
	out_bytes(&o, data, len);
	ppp_commit(s, &o, NULL, 0);
}

void
ppp_send_raw(struct session *s, const uint8_t *p, size_t n)
{
	struct out o = data_header(s, n);

	out_bytes(&o, p, n);
	ppp_commit(s, &o, NULL, 0);
}

static void
restart_fire(struct timer *tm)
{
	struct session *s = TIMER_OWNER(tm, struct session, timer);

	if (s->state == S_TERM || s->state == S_REFUSED) {
		call_hangup(s, WHY_NONE, 1, 0);
		return;
	}
	if (s->state == S_CLOSING) {
		call_hangup(s, WHY_LOCAL, 3, 0);
		return;
	}
	if (!call_time_left(s) && !s->counted) {
		call_hangup(s, WHY_TIMEOUT, 10, 0);
		return;
	}
	if (s->state != S_LCP || s->lcp_started)
		totals.ppp_repeats++;
	if (s->state == S_LCP && s->lcp_started)
		lcp_send_request(s);
	else if (s->state == S_AUTH && s->auth_proto == PPP_PAP)
		auth_send_pap(s);
	else if (s->state == S_IPCP)
		ipcp_send_request(s);
	ppp_phase(s, s->state);
}

/* In all phases of set-up the timer is the restart time, cut to the time left. */
void
ppp_phase(struct session *s, enum session_state state)
{
	uint32_t ms = s->prof->restart_ms, left = call_time_left(s);

	s->state = (uint8_t)state;
	if (state == S_TERM || state == S_CLOSING)
		ms = TERM_WAIT_MS;
	else if (state == S_REFUSED)
		ms = LINGER_MS;
	else if (left && left < ms)
		ms = left;
	if (state == S_UP)
		timer_stop(&s->timer);
	else
		timer_set(&s->timer, ms, restart_fire);
}

void
ppp_start(struct session *s)
{
	const struct profile *p = s->prof;

	s->magic = p->magic_seed ^ (session_index(s) * 2654435761u);
	s->mru = p->mru;
	s->peer_mru = 1500;
	s->pap_id = 1;
	s->lcp.want = 0xff;
	s->ipcp.want = 0xff;
	s->ip = p->ip;
	ppp_phase(s, S_LCP);
}

void
ppp_link_up(struct session *s)
{
	if (s->lcp_started || s->state != S_LCP)
		return;
	s->lcp_started = true;
	if (!s->prof->proxy) {
		lcp_send_request(s);
		ppp_phase(s, S_LCP);
		return;
	}
	/* the LAC has done LCP and collected the login; the answer is awaited */
	s->lcp.acked = s->lcp.acking = true;
	s->auth_proto = s->prof->auth == AUTH_CHAP ? PPP_CHAP : PPP_PAP;
	ppp_phase(s, S_AUTH);
}

void
ppp_terminate(struct session *s)
{
	static const char text[] = "User request";

	ppp_send(s, PPP_LCP, CP_TERM_REQ, ++s->lcp.id, text, sizeof(text) - 1);
	ppp_phase(s, S_CLOSING);
}

size_t
ppp_proxy_lcp(struct session *s, uint8_t *p, size_t room, bool lns_side)
{
	struct out o = out_make(p, room);

	if (!lns_side)
		return lcp_options(s, p, room);
	out_u32(&o, 0x01040000 | s->prof->mru);
	if (s->prof->auth == AUTH_CHAP) {
		out_u32(&o, 0x0305c223);
		out_u8(&o, 5);
	} else {
		out_u32(&o, 0x0304c023);
	}
	out_u16(&o, 0x0506);
	out_u32(&o, s->magic ^ 0x5a5a5a5a);
	return out_len(&o);
}

static void
trace_frame(const struct session *s, uint16_t proto, const uint8_t *p, size_t n)
{
	char hex[2 * 256 + 1];
	size_t i;

	hex[0] = 0;
	for (i = 0; i < n && i < 256; i++) {
		hex[2 * i] = "0123456789abcdef"[p[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
		hex[2 * i + 2] = 0;
	}
	event("frame session=%u proto=%04x len=%zu hex=%s", session_index(s), proto, n, hex);
}

static void
reject_protocol(struct session *s, uint16_t proto, const uint8_t *p, size_t n)
{
	uint8_t buf[260];

	if (s->state < S_AUTH || s->state > S_UP)
		return;
	if (n > 256)
		n = 256;
	put16(buf, proto);
	memcpy(buf + 2, p, n);
	ppp_send(s, PPP_LCP, LCP_PROTO_REJ, ++s->lcp.id, buf, n + 2);
}

static void
control_input(struct session *s, uint16_t proto, const uint8_t *p, size_t n)
{
	struct cp_pkt k;
	uint16_t len = n >= 4 ? get16(p + 2) : 0;

	if (s->trace)
		trace_frame(s, proto, p, n);
	if (n < 4 || len < 4 || len > n) {
		violation("PPP packet of protocol %04x, length %u in %zu bytes", proto, len, n);
		return;
	}
	k = (struct cp_pkt){ .code = p[0], .id = p[1], .data = p + 4, .len = (size_t)len - 4 };
	if (proto == PPP_LCP)
		lcp_input(s, &k);
	else if (proto == PPP_PAP)
		auth_pap_input(s, &k);
	else if (proto == PPP_CHAP)
		auth_chap_input(s, &k);
	else if (proto == PPP_IPCP)
		ipcp_input(s, &k);
	else
		reject_protocol(s, proto, p, n);
}

void
ppp_input(struct session *s, const uint8_t *p, size_t n)
{
	uint16_t proto;

	if (n >= 2 && get16(p) == ADDRESS_CONTROL) {
		p += 2;
		n -= 2;
	}
	if (n >= 1 && (p[0] & 1)) {
		proto = p[0];
		p++;
		n--;
	} else if (n >= 2) {
		proto = get16(p);
		p += 2;
		n -= 2;
	} else {
		violation("PPP frame of %zu bytes", n);
		return;
	}
	if (proto == PPP_IP)
		inner_input(s, p, n);
	else
		control_input(s, proto, p, n);
}
