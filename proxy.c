/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proxy LCP and proxy authentication (RFC 2661 4.4.5): what a LAC has negotiated with
 * the subscriber before it called us. It is used when it suffices - an authentication
 * protocol of ours was agreed, the MRU is one we can serve, nothing was agreed that we
 * cannot do, and the proof came along; else LCP starts afresh. l2tp.c has put the AVPs of the ICCN
 * into the session's notes. Called by lcp.c and auth.c.
 */
#include "avp.h"
#include "config.h"
#include "note.h"
#include "ppp.h"

enum {
	OPT_MRU = 1,
	OPT_AUTH = 3,
	OPT_MAGIC = 5,
	DEFAULT_MRU = 1500,
	SMALLEST_MRU = 128, /* as in lcp.c */
	PROXY_CHAP = 2,	    /* Proxy Authen Type values */
	PROXY_PAP = 3,
	MD5_LEN = 16,
};

/* The note of an AVP; false when the LAC did not send it. */
static bool
find(sess_id s, uint16_t type, struct note *n)
{
	struct note_pos pos = note_first(session_get(s)->scratch);

	while (note_next(&pos, n))
		if (n->kind == NOTE_PROXY && n->tag == type)
			return true;
	return false;
}

/* Place in our list of the protocol agreed; -1 when it is none of ours. */
static int
auth_index(enum auth_proto proto)
{
	enum auth_proto list[MAX_AUTHTYPES];
	unsigned int n = config_authtypes(list, MAX_AUTHTYPES), i;

	for (i = 0; i < n; i++)
		if (proto != AUTH_NONE && list[i] == proto)
			return (int)i;
	return -1;
}

/*
 * What the LAC asked of the subscriber, as if we had. False: not what we would have -
 * what else it asked for (multilink, callback...) is in force now and we cannot do it.
 */
static bool
take_sent(struct ppp *p, struct rd options)
{
	uint16_t mru = DEFAULT_MRU;
	struct cp_opt o;
	int auth = -1;

	p->ask_magic = false;
	while (cp_opt_next(&options, &o)) {
		struct rd val = o.val;

		if (o.type == OPT_AUTH) {
			auth = auth_index(lcp_auth_proto(val));
		} else if (!lcp_knows_option(&o)) {
			return false;
		} else if (o.type == OPT_MRU) {
			mru = rd_u16(&val);
		} else if (o.type == OPT_MAGIC) {
			p->magic = rd_u32(&val);
			p->ask_magic = true;
		}
	}
	if (options.bad || auth < 0 || mru > config_mru())
		return false;
	p->mru = mru;
	p->ask_mru = true;
	p->authtype = (uint8_t)auth;
	return true;
}

static bool
take_received(struct ppp *p, struct rd options)
{
	struct cp_opt o;

	p->peer_mru = DEFAULT_MRU;
	p->peer_magic = 0;
	while (cp_opt_next(&options, &o)) {
		struct rd val = o.val;

		if (!lcp_knows_option(&o))
			return false; /* we would have rejected it */
		if (o.type == OPT_MRU)
			p->peer_mru = rd_u16(&val);
		else if (o.type == OPT_MAGIC)
			p->peer_magic = rd_u32(&val);
	}
	if (p->peer_magic && p->ask_magic && p->peer_magic == p->magic)
		return false; /* a loop, RFC 1661 6.4 */
	return !options.bad && p->peer_mru >= SMALLEST_MRU;
}

/* True when LCP may be taken as open, with *p filled accordingly. */
bool
proxy_lcp(sess_id s, struct ppp *p)
{
	struct note sent, received, name, challenge, proof;
	struct auth_request req;

	if (!find(s, AVP_LAST_SENT_LCP, &sent) || !find(s, AVP_LAST_RECEIVED_LCP, &received) ||
	    !take_sent(p, rd_init(sent.data, sent.len)) ||
	    !take_received(p, rd_init(received.data, received.len)))
		return false;
	return proxy_auth(s, &req, &name, &challenge, &proof) && req.proto == auth_agreed(s);
}

/* The proof that the LAC heard, as a request; the notes hold what it points to. */
bool
proxy_auth(sess_id s, struct auth_request *req, struct note *name, struct note *challenge,
    struct note *proof)
{
	struct note type;

	if (!find(s, AVP_PROXY_AUTHEN_TYPE, &type) || type.len != 3 ||
	    !find(s, AVP_PROXY_AUTHEN_NAME, name) || name->len == 0 ||
	    !find(s, AVP_PROXY_AUTHEN_RESPONSE, proof))
		return false;
	*req = (struct auth_request){
		.id = type.data[2],
		.password = proof->data,
		.password_len = proof->len,
	};
	switch (type.data[0] << 8 | type.data[1]) {
	case PROXY_PAP:
		req->proto = AUTH_PAP;
		return true;
	case PROXY_CHAP:
		if (!find(s, AVP_PROXY_AUTHEN_CHALLENGE, challenge) || challenge->len == 0 ||
		    proof->len != MD5_LEN)
			return false;
		req->proto = AUTH_CHAP;
		req->challenge = challenge->data;
		req->challenge_len = challenge->len;
		return true;
	default:
		return false;
	}
}
