/* IPCP (RFC 1332, DNS options RFC 1877) as a client: takes the address it is given. */
#include "call.h"
#include "ppp.h"

enum { OPT_ADDRESS = 3, OPT_DNS1 = 129, OPT_DNS2 = 131 };
enum { WANT_ADDRESS = 1, WANT_DNS1 = 2, WANT_DNS2 = 4 };
enum { OPTS_MAX = 32 };

static void
put_option(struct out *o, uint8_t type, uint32_t addr)
{
	out_u8(o, type);
	out_u8(o, 6);
	out_u32(o, addr);
}

static size_t
options(const struct session *s, uint8_t *p, size_t room)
{
	struct out o = out_make(p, room);

	if (s->ipcp.want & WANT_ADDRESS)
		put_option(&o, OPT_ADDRESS, s->ip);
	if ((s->ipcp.want & WANT_DNS1) && s->prof->dns)
		put_option(&o, OPT_DNS1, s->dns1);
	if ((s->ipcp.want & WANT_DNS2) && s->prof->dns)
		put_option(&o, OPT_DNS2, s->dns2);
	return out_len(&o);
}

void
ipcp_send_request(struct session *s)
{
	uint8_t opts[OPTS_MAX];
	size_t n = options(s, opts, sizeof(opts));

	if (++s->ipcp.tries > CP_MAX_TRIES)
		return;
	s->ipcp.acked = false;
	ppp_send(s, PPP_IPCP, CP_CONF_REQ, ++s->ipcp.id, opts, n);
}

void
ipcp_start(struct session *s)
{
	s->ipcp.tries = 0;
	ppp_phase(s, S_IPCP);
	ipcp_send_request(s);
}

static void
check_open(struct session *s)
{
	if (s->state != S_IPCP || !s->ipcp.acked || !s->ipcp.acking)
		return;
	if (!s->setup_us)
		s->setup_us = (uint32_t)(now_us - s->start_us);
	ppp_phase(s, S_UP);
	event("session-up session=%u", session_index(s));
	call_settle(s);
}

static void
take_request(struct session *s, const struct cp_pkt *k)
{
	const uint8_t *p = k->data, *end = p + k->len;
	uint8_t rej[512];
	struct out o = out_make(rej, sizeof(rej));

	for (; p < end; p += p[1]) {
		if (end - p < 2 || p[1] < 2 || p[1] > end - p) {
			violation("IPCP option runs past the end");
			return;
		}
		if (p[0] == OPT_ADDRESS && p[1] == 6)
			s->peer_ip = get32(p + 2);
		else
			out_bytes(&o, p, p[1]);
	}
	if (s->state == S_UP)
		ipcp_start(s); /* the LNS begins anew */
	s->ipcp.acking = !out_len(&o);
	if (out_len(&o))
		ppp_send(s, PPP_IPCP, CP_CONF_REJ, k->id, rej, out_len(&o));
	else
		ppp_send(s, PPP_IPCP, CP_CONF_ACK, k->id, k->data, k->len);
	check_open(s);
}

static void
take_ack(struct session *s, const struct cp_pkt *k)
{
	uint8_t opts[OPTS_MAX];
	size_t n = options(s, opts, sizeof(opts));

	if (k->id != s->ipcp.id)
		return;
	if (k->len != n || memcmp(k->data, opts, n) != 0) {
		violation("IPCP Configure-Ack with other options than asked");
		return;
	}
	if (!s->ip)
		violation("IPCP Configure-Ack for address 0.0.0.0");
	s->ipcp.acked = true;
	s->ipcp.tries = 0;
	check_open(s);
}

static void
take_nak(struct session *s, const uint8_t *p)
{
	if (p[1] != 6)
		return;
	if (p[0] == OPT_ADDRESS)
		s->ip = get32(p + 2);
	else if (p[0] == OPT_DNS1)
		s->dns1 = get32(p + 2);
	else if (p[0] == OPT_DNS2)
		s->dns2 = get32(p + 2);
}

static void
take_nak_rej(struct session *s, const struct cp_pkt *k)
{
	const uint8_t *p = k->data, *end = p + k->len;

	if (k->id != s->ipcp.id || s->state != S_IPCP)
		return;
	for (; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1]) {
		if (k->code == CP_CONF_NAK)
			take_nak(s, p);
		else if (p[0] == OPT_ADDRESS)
			s->ipcp.want &= (uint8_t)~WANT_ADDRESS;
		else if (p[0] == OPT_DNS1)
			s->ipcp.want &= (uint8_t)~WANT_DNS1;
		else if (p[0] == OPT_DNS2)
			s->ipcp.want &= (uint8_t)~WANT_DNS2;
	}
	ipcp_send_request(s);
}

void
ipcp_input(struct session *s, const struct cp_pkt *k)
{
	if (s->state != S_IPCP && s->state != S_UP)
		return; /* RFC 1661 3.5: not before authentication is done */
	switch (k->code) {
	case CP_CONF_REQ:
		take_request(s, k);
		break;
	case CP_CONF_ACK:
		take_ack(s, k);
		break;
	case CP_CONF_NAK:
	case CP_CONF_REJ:
		take_nak_rej(s, k);
		break;
	case CP_TERM_REQ:
		ppp_send(s, PPP_IPCP, CP_TERM_ACK, k->id, NULL, 0);
		if (s->why == WHY_NONE && k->len)
			s->text = intern(k->data, k->len);
		break;
	default:
		break;
	}
}
