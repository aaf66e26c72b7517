/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPCP (RFC 1332) with the DNS options of RFC 1877. The subscriber gets the address
 * his session was given at login and no other; DNS servers when there are any. Header
 * compression and everything else is rejected. Called by ppp.c and cp.c.
 */
#include "addr.h"
#include "config.h"
#include "ppp.h"

enum {
	OPT_ADDRESS = 3,
	OPT_DNS1 = 129,
	OPT_DNS2 = 131,
};

static struct cp *
ipcp_cp(sess_id s)
{
	return &ppp_get(s)->ipcp;
}

static void
ipcp_timeout(uint32_t s)
{
	ppp_timeout(&ipcp_proto, s);
}

static void
put_options(sess_id s, struct wr *w)
{
	if (ppp_get(s)->ask_address)
		cp_put_be32(w, OPT_ADDRESS, config_our_address());
}

static void
begin(sess_id s)
{
	ppp_get(s)->has_address = false;
}

/* RFC 2865 5.8, 255.255.255.255: now it is known what he asks for. */
static void
choose_address(sess_id s, struct ppp *p, uint32_t wanted)
{
	p->any_address = false;
	if (addr_assign_wanted(s, wanted, p->pool) == 0)
		return;
	slog_limit(session_get(s), LOG_ERROR, "no address for %s: the pool is empty",
	    session_get(s)->user);
	ppp_end(s, PPP_END_POOL_EMPTY);
}

static enum cp_code
must_be(uint8_t type, uint32_t asked, uint32_t given, struct wr *nak)
{
	if (given == 0)
		return CP_CONF_REJ;
	if (asked == given)
		return CP_CONF_ACK;
	cp_put_be32(nak, type, given);
	return CP_CONF_NAK;
}

static enum cp_code
option(sess_id s, const struct cp_opt *o, struct wr *nak)
{
	const struct session *sess = session_get(s);
	struct ppp *p = ppp_get(s);
	struct rd val = o->val;
	uint32_t asked;

	if (rd_left(&val) != 4)
		return CP_CONF_REJ;
	asked = rd_be32(&val);
	switch (o->type) {
	case OPT_ADDRESS:
		p->has_address = true;
		if (p->any_address)
			choose_address(s, p, asked);
		return must_be(o->type, asked, sess->ip4, nak);
	case OPT_DNS1:
		return must_be(o->type, asked, sess->dns1, nak);
	case OPT_DNS2:
		return must_be(o->type, asked, sess->dns2, nak);
	default:
		return CP_CONF_REJ;
	}
}

/* A request without address gets it by a Nak (RFC 1332 3.3). */
static void
missing(sess_id s, struct wr *nak)
{
	struct ppp *p = ppp_get(s);

	if (p->has_address)
		return;
	if (p->any_address)
		choose_address(s, p, 0);
	cp_put_be32(nak, OPT_ADDRESS, session_get(s)->ip4);
}

static void
nakked(sess_id s, const struct cp_opt *o)
{
	/* our address is not the peer's to choose; without one it may still work */
	if (o->type == OPT_ADDRESS)
		ppp_get(s)->ask_address = false;
}

static void
up(sess_id s)
{
	if (ppp_get(s)->has_address && session_get(s)->ip4)
		ppp_network(s, true);
	else
		ppp_end(s, PPP_END_NO_ADDRESS);
}

static void
down(sess_id s)
{
	ppp_network(s, false);
}

static void
finished(sess_id s)
{
	ppp_end(s, PPP_END_IPCP_FAILED); /* there is no other network protocol */
}

static void
peer_closed(sess_id s)
{
	ppp_end(s, PPP_END_IPCP_CLOSED);
}

const struct cp_proto ipcp_proto = {
	.name = "IPCP",
	.protocol = PPP_IPCP,
	.slot = SESS_CP_IPCP,
	.cp = ipcp_cp,
	.timeout = ipcp_timeout,
	.put_options = put_options,
	.begin = begin,
	.option = option,
	.missing = missing,
	.nakked = nakked,
	.rejected = nakked,
	.up = up,
	.down = down,
	.finished = finished,
	.peer_closed = peer_closed,
};

void
ipcp_start(sess_id s)
{
	cp_init(&ipcp_proto, s);
	ppp_get(s)->ask_address = true;
	cp_event(&ipcp_proto, s, CP_OPEN);
	cp_event(&ipcp_proto, s, CP_UP);
}
