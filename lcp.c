/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LCP (RFC 1661 6; RFC 1570 for Identification): the options of the link. We ask for
 * an MRU, for authentication by the first of radius_authtypes the peer will take, and
 * for a magic number. Multilink is rejected. What the link was opened with is copied
 * to struct session when LCP opens. Called by ppp.c and cp.c.
 */
#include "config.h"
#include "counter.h"
#include "ppp.h"
#include "frame.h"
#include "util.h"

enum {
	OPT_MRU = 1,
	OPT_ACCM = 2,
	OPT_AUTH = 3,
	OPT_MAGIC = 5,
	OPT_PFC = 7,
	OPT_ACFC = 8,
	DEFAULT_MRU = 1500,
	SMALLEST_MRU = 128,
	CHAP_MD5 = 5,
	CHAP_MSCHAPV2 = 0x81,
	REJECT_MAX = 512, /* octets of a rejected packet we send back */
};

static struct cp *
lcp_cp(sess_id s)
{
	return &ppp_get(s)->lcp;
}

static void
lcp_timeout(uint32_t s)
{
	ppp_timeout(&lcp_proto, s);
}

/* The proto now asked for. */
enum auth_proto
auth_agreed(sess_id s)
{
	enum auth_proto list[MAX_AUTHTYPES];
	unsigned int n = config_authtypes(list, MAX_AUTHTYPES);

	return list[MIN(ppp_get(s)->authtype, n - 1)];
}

static void
put_auth(sess_id s, struct wr *w)
{
	uint8_t chap[3] = { PPP_CHAP >> 8, PPP_CHAP & 0xff, CHAP_MD5 };

	switch (auth_agreed(s)) {
	case AUTH_MSCHAPV2:
		chap[2] = CHAP_MSCHAPV2;
		/* fall through */
	case AUTH_CHAP:
		cp_put(w, OPT_AUTH, chap, sizeof(chap));
		break;
	default:
		cp_put_u16(w, OPT_AUTH, PPP_PAP);
	}
}

static void
put_options(sess_id s, struct wr *w)
{
	const struct ppp *p = ppp_get(s);

	if (p->ask_mru)
		cp_put_u16(w, OPT_MRU, p->mru);
	put_auth(s, w);
	if (p->ask_magic)
		cp_put_u32(w, OPT_MAGIC, p->magic);
}

static void
begin(sess_id s)
{
	struct ppp *p = ppp_get(s);

	p->peer_mru = DEFAULT_MRU;
	p->peer_magic = 0;
}

static enum cp_code
peer_mru(struct ppp *p, struct rd val, struct wr *nak)
{
	uint16_t mru = rd_u16(&val);

	if (mru < SMALLEST_MRU) {
		cp_put_u16(nak, OPT_MRU, SMALLEST_MRU);
		return CP_CONF_NAK;
	}
	p->peer_mru = mru;
	return CP_CONF_ACK;
}

/* RFC 1661 6.4: our own number means a looped link; chance does not repeat itself. */
static void
loop_seen(sess_id s, struct ppp *p)
{
	COUNT(ppp_loops);
	p->loops++;
	if (p->loops >= MIN(conf->ppp_max_failure, UINT8_MAX))
		ppp_end(s, PPP_END_LOOP);
}

static enum cp_code
peer_magic(sess_id s, struct ppp *p, struct rd val, struct wr *nak)
{
	uint32_t magic = rd_u32(&val);

	if (magic != 0 && magic != p->magic) {
		p->peer_magic = magic;
		p->loops = 0;
		return CP_CONF_ACK;
	}
	if (magic != 0)
		loop_seen(s, p);
	cp_put_u32(nak, OPT_MAGIC, random_u32() | 1);
	return CP_CONF_NAK;
}

bool
lcp_knows_option(const struct cp_opt *o)
{
	switch (o->type) {
	case OPT_MRU:
		return rd_left(&o->val) == 2;
	case OPT_ACCM:
	case OPT_MAGIC:
		return rd_left(&o->val) == 4;
	case OPT_PFC:
	case OPT_ACFC:
		return rd_left(&o->val) == 0;
	default:
		return false;
	}
}

static enum cp_code
option(sess_id s, const struct cp_opt *o, struct wr *nak)
{
	struct ppp *p = ppp_get(s);

	if (!lcp_knows_option(o))
		return CP_CONF_REJ;
	if (o->type == OPT_MRU)
		return peer_mru(p, o->val, nak);
	if (o->type == OPT_MAGIC)
		return peer_magic(s, p, o->val, nak);
	return CP_CONF_ACK; /* of no meaning over L2TP, or always understood */
}

enum auth_proto
lcp_auth_proto(struct rd val)
{
	uint16_t proto = rd_u16(&val);

	if (proto == PPP_PAP)
		return AUTH_PAP;
	if (proto != PPP_CHAP)
		return AUTH_NONE;
	switch (rd_u8(&val)) {
	case CHAP_MD5:
		return AUTH_CHAP;
	case CHAP_MSCHAPV2:
		return AUTH_MSCHAPV2;
	default:
		return AUTH_NONE;
	}
}

/* The peer wants another proto: that one if it is in our list, else our next one. */
static void
other_auth(sess_id s, struct rd val)
{
	enum auth_proto list[MAX_AUTHTYPES], wanted = lcp_auth_proto(val);
	unsigned int n = config_authtypes(list, MAX_AUTHTYPES), i;
	struct ppp *p = ppp_get(s);

	for (i = 0; i < n; i++) {
		if (list[i] != wanted)
			continue;
		p->authtype = (uint8_t)i;
		return;
	}
	if (++p->authtype >= n)
		ppp_end(s, PPP_END_NO_AUTH);
}

static void
nakked(sess_id s, const struct cp_opt *o)
{
	struct ppp *p = ppp_get(s);
	struct rd val = o->val;
	uint16_t mru;

	switch (o->type) {
	case OPT_MRU:
		mru = rd_u16(&val);
		if (mru >= SMALLEST_MRU && mru < p->mru)
			p->mru = mru;
		else
			p->ask_mru = false; /* it wants more than we can take */
		break;
	case OPT_AUTH:
		other_auth(s, val);
		break;
	case OPT_MAGIC:
		p->magic = random_u32() | 1;
		break;
	}
}

static void
rejected(sess_id s, const struct cp_opt *o)
{
	struct ppp *p = ppp_get(s);

	if (p->loops) /* it is our own answer to our own request */
		return;
	if (o->type == OPT_MRU)
		p->ask_mru = false;
	else if (o->type == OPT_MAGIC)
		p->ask_magic = false;
	else if (o->type == OPT_AUTH)
		ppp_end(s, PPP_END_NO_AUTH);
}

static void
up(sess_id s)
{
	struct ppp *p = ppp_get(s);

	p->loops = 0;
	session_set_lcp(s, p->ask_mru ? p->mru : DEFAULT_MRU, p->peer_mru,
	    p->ask_magic ? p->magic : 0, p->peer_magic);
	session_set_auth(s, auth_agreed(s));
	ppp_established(s);
}

static void
down(sess_id s)
{
	if (session_get(s)->state == SESS_OPEN)
		ppp_set_phase(s, PPP_ESTABLISH);
}

static void
peer_closed(sess_id s)
{
	struct sess_end end = ppp_why(s, PPP_END_PEER, NULL);

	hook_session_down(s, &end);
	session_set_state(s, SESS_CLOSING);
	ppp_set_phase(s, PPP_TERMINATE);
}

/* --- LCP's own codes, RFC 1661 5.7 to 5.9 --- */

/* What the peer can take of a packet whose first `head` octets are ours. */
static size_t
room_for(sess_id s, size_t head)
{
	return session_get(s)->peer_mru - CP_HEADER - head;
}

static void
echo_request(sess_id s, const struct cp_pkt *pkt)
{
	uint8_t buf[1500];
	struct ppp *p = ppp_get(s);
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd data = pkt->data;
	uint32_t magic = rd_u32(&data);

	if (data.bad) {
		COUNT(ppp_malformed);
		return;
	}
	if (p->ask_magic && magic == p->magic && p->lcp.state == CP_OPENED) {
		loop_seen(s, p); /* our own comes back */
		return;
	}
	p->loops = 0;
	wr_u32(&w, p->ask_magic ? p->magic : 0);
	wr_bytes(&w, data.pos, MIN(rd_left(&data), MIN(room_for(s, 4), sizeof(buf) - 4)));
	cp_answer(&lcp_proto, s, CP_ECHO_REPLY, pkt->id, buf, wr_len(&w));
}

/* That the peer is there has been seen by ppp.c already, from any frame; here is whether it is he.
 */
static void
echo_reply(sess_id s, const struct cp_pkt *pkt)
{
	struct ppp *p = ppp_get(s);
	struct rd data = pkt->data;
	uint32_t magic = rd_u32(&data);

	if (data.bad)
		COUNT(ppp_malformed);
	else if (p->lcp.state != CP_OPENED || pkt->id != p->echo_id || magic != p->peer_magic)
		COUNT(ppp_unexpected);
	else
		p->loops = 0;
}

static void
protocol_rejected(sess_id s, const struct cp_pkt *pkt)
{
	struct rd data = pkt->data;

	if (ppp_get(s)->lcp.state != CP_OPENED) { /* RFC 1661 5.7: discarded */
		COUNT(ppp_unexpected);
		return;
	}
	switch (rd_u16(&data)) {
	case PPP_IPCP:
	case PPP_IP:
		ppp_end(s, PPP_END_IPCP_REJECTED); /* there is no other network protocol */
		break;
	case PPP_PAP:
	case PPP_CHAP:
		ppp_end(s, PPP_END_NO_AUTH);
		break;
	case PPP_LCP:
		cp_event(&lcp_proto, s, CP_RXJ_BAD);
		break;
	default:
		cp_event(&lcp_proto, s, CP_RXJ_GOOD);
	}
}

static bool
extra(sess_id s, const struct cp_pkt *pkt)
{
	switch (pkt->code) {
	case CP_PROTO_REJ:
		protocol_rejected(s, pkt);
		return true;
	case CP_ECHO_REQ:
		echo_request(s, pkt);
		return true;
	case CP_ECHO_REPLY:
		echo_reply(s, pkt);
		return true;
	case CP_DISCARD_REQ:
	case CP_TIME_REMAINING:
		return true;
	case CP_IDENTIFICATION:
		slog(session_get(s), LOG_INFO, "the peer says it is %.*s",
		    (int)(rd_left(&pkt->data) > 4 ? rd_left(&pkt->data) - 4 : 0),
		    rd_left(&pkt->data) > 4 ? (const char *)pkt->data.pos + 4 : "");
		return true;
	default:
		return false;
	}
}

const struct cp_proto lcp_proto = {
	.name = "LCP",
	.protocol = PPP_LCP,
	.slot = SESS_CP_LCP,
	.cp = lcp_cp,
	.timeout = lcp_timeout,
	.put_options = put_options,
	.begin = begin,
	.option = option,
	.nakked = nakked,
	.rejected = rejected,
	.up = up,
	.down = down,
	.finished = ppp_finished,
	.peer_closed = peer_closed,
	.extra = extra,
};

void
lcp_start(sess_id s)
{
	struct ppp *p = ppp_get(s);

	cp_init(&lcp_proto, s);
	p->proxied = proxy_lcp(s, p);
	if (p->proxied) {
		cp_set_opened(&lcp_proto, s);
		return;
	}
	session_drop_scratch(s);
	p->magic = random_u32() | 1;
	p->mru = config_mru();
	p->ask_mru = p->ask_magic = true;
	p->authtype = 0;
	cp_event(&lcp_proto, s, CP_OPEN);
	cp_event(&lcp_proto, s, CP_UP);
}

void
lcp_input(sess_id s, struct rd frame)
{
	struct cp_pkt pkt;

	if (cp_decode(frame, &pkt))
		ppp_get(s)->heard = true;
	cp_input(&lcp_proto, s, frame);
}

void
lcp_send_echo(sess_id s)
{
	struct ppp *p = ppp_get(s);
	uint8_t buf[CP_HEADER + 4];
	struct wr w = wr_init(buf, sizeof(buf));

	cp_begin(&w, CP_ECHO_REQ, ++p->echo_id);
	wr_u32(&w, p->ask_magic ? p->magic : 0);
	frame_send(s, PPP_LCP, buf, cp_end(&w));
}

void
lcp_protocol_reject(sess_id s, uint16_t protocol, struct rd data)
{
	uint8_t buf[CP_HEADER + 2 + REJECT_MAX];
	struct ppp *p = ppp_get(s);
	struct wr w = wr_init(buf, sizeof(buf));

	COUNT(ppp_rejected);
	if (p->lcp.state != CP_OPENED) /* RFC 1661 5.7 */
		return;
	cp_begin(&w, CP_PROTO_REJ, cp_new_id(&p->lcp));
	wr_u16(&w, protocol);
	wr_bytes(&w, data.pos, MIN(rd_left(&data), MIN(room_for(s, 2), REJECT_MAX)));
	frame_send(s, PPP_LCP, buf, cp_end(&w));
}
