/*
 * LCP as a subscriber's client does it (RFC 1661): asks for MRU, magic number, PFC and ACFC,
 * accepts PAP or CHAP-MD5 as told, answers echoes. An LNS that starts LCP again is followed.
 */
#include "call.h"
#include "ppp.h"

enum { OPT_MRU = 1, OPT_ACCM, OPT_AUTH, OPT_MAGIC = 5, OPT_PFC = 7, OPT_ACFC = 8 };
enum { WANT_MRU = 1, WANT_MAGIC = 2, WANT_PFC = 4, WANT_ACFC = 8 };
enum { OPTS_MAX = 64, CHAP_MD5 = 5 };

size_t
lcp_options(const struct session *s, uint8_t *p, size_t room)
{
	struct out o = out_make(p, room);
	const struct profile *f = s->prof;

	if ((s->lcp.want & WANT_MRU) && f->mru) {
		out_u16(&o, OPT_MRU << 8 | 4);
		out_u16(&o, s->mru);
	}
	if (s->lcp.want & WANT_MAGIC) {
		out_u16(&o, OPT_MAGIC << 8 | 6);
		out_u32(&o, s->magic);
	}
	if ((s->lcp.want & WANT_PFC) && f->pfc)
		out_u16(&o, OPT_PFC << 8 | 2);
	if ((s->lcp.want & WANT_ACFC) && f->acfc)
		out_u16(&o, OPT_ACFC << 8 | 2);
	return out_len(&o);
}

void
lcp_send_request(struct session *s)
{
	uint8_t opts[OPTS_MAX];
	size_t n = lcp_options(s, opts, sizeof(opts));

	if (++s->lcp.tries > CP_MAX_TRIES)
		return;
	s->lcp.acked = false;
	ppp_send(s, PPP_LCP, CP_CONF_REQ, ++s->lcp.id, opts, n);
}

static void
check_open(struct session *s)
{
	if (s->state != S_LCP || !s->lcp.acked || !s->lcp.acking)
		return;
	if (s->auth_proto) {
		ppp_phase(s, S_AUTH);
		auth_start(s);
	} else {
		ipcp_start(s);
	}
}

/* The authentication protocols we agree to. */
static bool
auth_wanted(const struct session *s, const uint8_t *v, size_t n)
{
	enum auth_kind kind = s->prof->auth;

	if (n == 2 && get16(v) == PPP_PAP)
		return kind == AUTH_PAP || kind == AUTH_ANY;
	if (n == 3 && get16(v) == PPP_CHAP && v[2] == CHAP_MD5)
		return kind == AUTH_CHAP || kind == AUTH_ANY;
	return false;
}

struct verdict {
	struct out nak;
	struct out rej;
};

static void
judge_auth(struct session *s, const uint8_t *opt, struct verdict *v)
{
	if (auth_wanted(s, opt + 2, (size_t)opt[1] - 2)) {
		s->auth_proto = get16(opt + 2);
	} else if (s->prof->auth == AUTH_NONE) {
		out_bytes(&v->rej, opt, opt[1]);
	} else if (s->prof->auth == AUTH_CHAP) {
		out_u32(&v->nak, 0x0305c223);
		out_u8(&v->nak, CHAP_MD5);
	} else {
		out_u32(&v->nak, 0x0304c023);
	}
}

static void
judge(struct session *s, const uint8_t *opt, struct verdict *v)
{
	static const uint8_t length[] = {
		[OPT_MRU] = 4, [OPT_ACCM] = 6, [OPT_MAGIC] = 6, [OPT_PFC] = 2, [OPT_ACFC] = 2
	};

	if (opt[0] == OPT_AUTH) {
		judge_auth(s, opt, v);
		return;
	}
	if (opt[0] >= sizeof(length) || !length[opt[0]]) {
		out_bytes(&v->rej, opt, opt[1]);
		return;
	}
	if (opt[1] != length[opt[0]]) {
		violation("LCP option %u of length %u", opt[0], opt[1]);
		out_bytes(&v->rej, opt, opt[1]);
		return;
	}
	if (opt[0] == OPT_MRU)
		s->peer_mru = get16(opt + 2);
	else if (opt[0] == OPT_PFC)
		s->peer_pfc = true;
	else if (opt[0] == OPT_ACFC)
		s->peer_acfc = true;
	else if (opt[0] == OPT_MAGIC && get32(opt + 2) == s->magic)
		violation("the LNS uses our magic number");
}

/* A Configure-Request after LCP was open takes it down again (RFC 1661 4.3). */
static void
renegotiate(struct session *s)
{
	s->renegotiations++;
	s->ipcp.acked = s->ipcp.acking = false;
	s->lcp.tries = 0;
	ppp_phase(s, S_LCP);
	lcp_send_request(s);
}

static void
answer(struct session *s, const struct cp_pkt *k, struct verdict *v)
{
	s->lcp.acking = false;
	if (out_len(&v->rej)) {
		ppp_send(s, PPP_LCP, CP_CONF_REJ, k->id, v->rej.start, out_len(&v->rej));
	} else if (out_len(&v->nak)) {
		ppp_send(s, PPP_LCP, CP_CONF_NAK, k->id, v->nak.start, out_len(&v->nak));
	} else {
		ppp_send(s, PPP_LCP, CP_CONF_ACK, k->id, k->data, k->len);
		s->lcp.acking = true;
	}
}

static void
take_request(struct session *s, const struct cp_pkt *k)
{
	uint8_t nak[OPTS_MAX], rej[512];
	struct verdict v = { out_make(nak, sizeof(nak)), out_make(rej, sizeof(rej)) };
	const uint8_t *p = k->data, *end = p + k->len;

	if (s->state == S_CLOSING || s->state == S_TERM || s->state == S_REFUSED)
		return;
	if (!s->lcp_started) {
		s->lcp_started = true;
		lcp_send_request(s);
	} else if (s->state > S_LCP) {
		renegotiate(s);
	}
	s->auth_proto = 0;
	s->peer_pfc = s->peer_acfc = false;
	for (; p < end; p += p[1]) {
		if (end - p < 2 || p[1] < 2 || p[1] > end - p) {
			violation("LCP option runs past the end");
			return;
		}
		judge(s, p, &v);
	}
	answer(s, k, &v);
	check_open(s);
}

static void
take_ack(struct session *s, const struct cp_pkt *k)
{
	uint8_t opts[OPTS_MAX];
	size_t n = lcp_options(s, opts, sizeof(opts));

	if (k->id != s->lcp.id)
		return;
	if (k->len != n || memcmp(k->data, opts, n) != 0) {
		violation("LCP Configure-Ack with other options than asked");
		return;
	}
	s->lcp.acked = true;
	s->lcp.tries = 0;
	check_open(s);
}

static uint8_t
want_bit(uint8_t opt)
{
	return opt == OPT_MRU	  ? WANT_MRU
	       : opt == OPT_MAGIC ? WANT_MAGIC
	       : opt == OPT_PFC	  ? WANT_PFC
	       : opt == OPT_ACFC  ? WANT_ACFC
				  : 0;
}

static void
take_nak_rej(struct session *s, const struct cp_pkt *k)
{
	const uint8_t *p = k->data, *end = p + k->len;

	if (k->id != s->lcp.id || s->state != S_LCP)
		return;
	for (; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1]) {
		if (k->code == CP_CONF_REJ)
			s->lcp.want &= (uint8_t)~want_bit(p[0]);
		else if (p[0] == OPT_MRU && p[1] == 4)
			s->mru = get16(p + 2);
		else if (p[0] == OPT_MAGIC)
			s->magic = s->magic * 1664525 + 1013904223;
	}
	lcp_send_request(s);
}

static void
take_terminate(struct session *s, const struct cp_pkt *k)
{
	ppp_send(s, PPP_LCP, CP_TERM_ACK, k->id, NULL, 0);
	if (s->state == S_CLOSING || s->state == S_TERM)
		return;
	if (s->why == WHY_NONE) {
		s->why = WHY_LCP;
		if (k->len)
			s->text = intern(k->data, k->len);
	}
	event("lcp-terminate session=%u text=\"%s\"", session_index(s), s->text ? s->text : "");
	ppp_phase(s, S_TERM);
}

static void
take_echo(struct session *s, const struct cp_pkt *k)
{
	uint8_t buf[256];
	size_t n = k->len < sizeof(buf) ? k->len : sizeof(buf);

	totals.lcp_echo++;
	s->echo_requests++;
	if (n < 4) {
		violation("LCP Echo-Request without magic number");
		return;
	}
	if (s->silent || s->state <= S_LCP)
		return;
	memcpy(buf, k->data, n);
	put32(buf, s->lcp.want & WANT_MAGIC ? s->magic : 0);
	ppp_send(s, PPP_LCP, LCP_ECHO_REP, k->id, buf, n);
}

static void
reject_code(struct session *s, const struct cp_pkt *k)
{
	ppp_send(
	    s, PPP_LCP, CP_CODE_REJ, ++s->lcp.id, k->data - 4, k->len + 4 > 256 ? 256 : k->len + 4);
}

void
lcp_input(struct session *s, const struct cp_pkt *k)
{
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
		take_terminate(s, k);
		break;
	case CP_TERM_ACK:
		if (s->state == S_CLOSING)
			call_hangup(s, WHY_LOCAL, 3, 0);
		break;
	case LCP_ECHO_REQ:
		take_echo(s, k);
		break;
	case CP_CODE_REJ:
	case LCP_PROTO_REJ:
	case LCP_ECHO_REP:
		event("lcp session=%u code=%u len=%zu", session_index(s), k->code, k->len);
		break;
	case LCP_DISCARD:
	case LCP_IDENTIFICATION:
	case LCP_TIME_REMAINING:
		break;
	default:
		reject_code(s, k);
		break;
	}
}
