/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the subscriber is: PAP (RFC 1334), CHAP with MD5 (RFC 1994) and MS-CHAPv2
 * (RFC 2759). This file speaks the protocols; who knows the passwords is asked by
 * hook_authenticate() and answers, at once or later, by auth_result().
 *
 * One question at a time: what the peer repeats while an answer is awaited is ignored,
 * what it repeats after it gets the same answer again. A question is given up when the
 * Authenticate phase is left, and an answer counts for the question it bears the number
 * of and no other, so nobody comes in by an answer about somebody else.
 *
 * An accepted login puts the policy of the answer into the session, and ends older
 * sessions of the same name unless those are allowed. A user who has been let in may
 * negotiate again, and keeps what he has; another one may not on the same link.
 *
 * Plugins hear of a login twice: before anybody is asked (hook_pre_auth()), when they may
 * put another name or password in place, and behind the answer (hook_post_auth()), when
 * they may turn it. A refusal that is turned lets him in with nothing but an address.
 */
#include "addr.h"
#include "config.h"
#include "counter.h"
#include "evict.h"
#include "frame.h"
#include "ppp.h"
#include "loop.h"
#include "note.h"
#include "policy.h"
#include "role.h"
#include "util.h"

#include <stdio.h>

enum {
	PAP_REQUEST = 1,
	PAP_ACK = 2,
	PAP_NAK = 3,
	CHAP_CHALLENGE = 1,
	CHAP_RESPONSE = 2,
	CHAP_SUCCESS = 3,
	CHAP_FAILURE = 4,
	MD5_LEN = 16,
	MSCHAPV2_LEN = 49,
	CHALLENGE_TRIES = 10,
	MOST_PORTS = 1024,
};

static void
send_challenge(sess_id s)
{
	struct ppp *p = ppp_get(s);
	uint8_t buf[CP_HEADER + 1 + CHALLENGE_LEN + HOSTNAME_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	cp_begin(&w, CHAP_CHALLENGE, p->auth_id);
	wr_u8(&w, CHALLENGE_LEN);
	wr_bytes(&w, p->challenge, CHALLENGE_LEN);
	wr_bytes(&w, conf->hostname, strlen(conf->hostname));
	frame_send(s, PPP_CHAP, buf, cp_end(&w));
	p->auth_sent++;
	timer_set(&p->auth, SEC(conf->ppp_restart_time));
}

static void
new_challenge(struct ppp *p)
{
	random_bytes(p->challenge, sizeof(p->challenge));
	p->auth_id = (uint8_t)random_u16();
}

static void ask(sess_id s, struct auth_request *req, const uint8_t *name, size_t name_len);

/*
 * The LAC has heard the proof: it is not asked for again. A CHAP response and its challenge stay
 * until there is an answer, for the next master to ask about if we go; a password does not, the
 * peer repeats it. False: there is no proof.
 */
static bool
ask_with_proxy(sess_id s)
{
	struct note name, challenge, proof;
	struct auth_request req;

	bool found = proxy_auth(s, &req, &name, &challenge, &proof);

	if (!found || req.proto == AUTH_PAP)
		session_drop_scratch(s);
	if (found)
		ask(s, &req, name.data, name.len);
	return found;
}

void
auth_start(sess_id s)
{
	struct ppp *p = ppp_get(s);

	p->auth_done = false;
	p->auth_sent = 0;
	if (p->proxied) {
		p->proxied = false; /* a renegotiation asks afresh */
		(void)ask_with_proxy(s);
		return;
	}
	session_drop_scratch(s); /* of an earlier login */
	if (session_get(s)->auth == AUTH_PAP)
		return; /* the peer begins */
	new_challenge(p);
	send_challenge(s);
}

static bool
was_challenged(const struct ppp *p)
{
	static const uint8_t none[CHALLENGE_LEN];

	return memcmp(p->challenge, none, sizeof(none)) != 0;
}

/*
 * The old master may have had an answer that it asked RADIUS about. The same challenge once
 * more has the same answer (RFC 1994 4.1), and one that is under way fits it still. What the LAC
 * has heard of a peer is at hand.
 */
void
auth_resume(sess_id s)
{
	struct ppp *p = ppp_get(s);

	p->auth_sent = 0;
	if (session_get(s)->auth == AUTH_PAP)
		return; /* the peer repeats */
	if (was_challenged(p)) {
		send_challenge(s);
	} else if (!ask_with_proxy(s)) {
		new_challenge(p);
		send_challenge(s);
	}
}

void
auth_stop(sess_id s)
{
	struct ppp *p = ppp_get(s);

	timer_stop(&p->auth);
	if (p->asked)
		hook_auth_cancel(s);
	p->asked = 0;
}

void
auth_timeout(uint32_t s)
{
	struct ppp *p = ppp_get(s);
	const struct session *sess = session_get(s);

	if (!sess || sess->phase != PPP_AUTHENTICATE || p->asked || !role_is_master())
		return;
	if (ppp_is_elsewhere(s))
		timer_set(&p->auth, SEC(conf->ppp_restart_time));
	else if (p->auth_sent < CHALLENGE_TRIES)
		send_challenge(s);
	else
		ppp_end(s, PPP_END_CHALLENGE);
}

/* PAP's Ack and Nak have the text behind its length, CHAP's have it bare. */
static void
send_verdict(sess_id s, bool good, const char *text)
{
	uint8_t buf[CP_HEADER + 256];
	bool pap = session_get(s)->auth == AUTH_PAP;
	struct wr w = wr_init(buf, sizeof(buf));
	size_t len = strnlen(text, 250);

	cp_begin(&w, good ? (pap ? PAP_ACK : CHAP_SUCCESS) : (pap ? PAP_NAK : CHAP_FAILURE),
	    ppp_get(s)->auth_id);
	if (pap)
		wr_u8(&w, (uint8_t)len);
	wr_bytes(&w, text, len);
	frame_send(s, pap ? PPP_PAP : PPP_CHAP, buf, cp_end(&w));
}

/* We close the link: a server's "R=1", that another try is allowed, is not passed on. */
static void
forbid_retry(char *text)
{
	char *message = strstr(text, " M="), *retry = strstr(text, " R=1");

	if (retry && (!message || retry < message))
		retry[3] = '0';
}

/* The text of a refusal in the words of the protocol; `message` for people, `mschap` the server's
 * or "". */
static void
failure_text(sess_id s, const char *message, const char *mschap, char *text, size_t size)
{
	if (session_get(s)->auth != AUTH_MSCHAPV2) {
		snprintf(text, size, "%.250s", message);
		return;
	}
	if (strstr(mschap, " M="))
		snprintf(text, size, "%.250s", mschap);
	else if (mschap[0])
		snprintf(text, size, "%.120s M=%.120s", mschap, message);
	else /* RFC 2759 6: login failure, no retry, a challenge that will not be used */
		snprintf(text, size, "E=691 R=0 C=%08x%08x%08x%08x V=3 M=%.120s",
		    (unsigned)random_u32(), (unsigned)random_u32(), (unsigned)random_u32(),
		    (unsigned)random_u32(), message);
	forbid_retry(text);
}

static void
refuse(sess_id s, enum ppp_end why, const char *message, const char *mschap)
{
	struct sess_end end = ppp_why(s, why, message);
	char text[256];

	COUNT(auth_refused);
	slog_limit(session_get(s), end.cause == TERM_USER_ERROR ? LOG_WARNING : LOG_ERROR,
	    "login of %s refused: %s", session_get(s)->user, message);
	failure_text(s, message, mschap, text, sizeof(text));
	send_verdict(s, false, text);
	hook_close(s, &end);
}

static void
accept_text(sess_id s, const struct auth_result *res, char *text, size_t size)
{
	if (session_get(s)->auth != AUTH_MSCHAPV2)
		snprintf(text, size, "%.250s", res->message);
	else if (strstr(res->mschap, " M=")) /* RFC 2759 5 */
		snprintf(text, size, "%.250s", res->mschap);
	else
		snprintf(text, size, "%.120s M=%.120s", res->mschap, res->message);
}

/* RFC 2759 5: the Success proves that the password is known, so it is the same again. */
static void
keep_success(sess_id s, const char *text)
{
	session_drop_scratch(s); /* of an earlier login */
	if (session_get(s)->auth == AUTH_MSCHAPV2)
		session_add_note(s, NOTE_SUCCESS, 0, text, strlen(text));
}

static void
send_success(sess_id s)
{
	struct note_pos pos = note_first(session_get(s)->scratch);
	struct note n;
	char text[NOTE_MAX + 1] = "";

	if (session_get(s)->auth == AUTH_MSCHAPV2) {
		if (!note_next(&pos, &n))
			return; /* could not be kept; without it the peer would refuse us */
		str_copy_n(text, sizeof(text), n.data, n.len);
	}
	send_verdict(s, true, text);
}

static bool
may_be_many(const struct session *sess)
{
	return conf->allow_duplicate_users || strcmp(sess->user, conf->guest_account) == 0;
}

void
auth_tell_again(sess_id s)
{
	if (ppp_get(s)->auth_done)
		send_success(s);
}

static void
end_older_sessions(sess_id s)
{
	const struct session *sess = session_get(s);
	const struct sess_end end = ppp_why(s, PPP_END_ELSEWHERE, NULL);

	if (!may_be_many(sess))
		evict_user(sess->user, s, &end);
}

/* Port-Limit, RFC 2865 5.42. One that is higher than we look is none. */
static bool
port_is_free(sess_id s, const struct auth_result *res)
{
	const struct session *sess = session_get(s), *other;
	uint32_t used = 0, looks = 0;
	sess_id id = session_by_user(sess->user);

	if (!res->port_limit || !may_be_many(sess))
		return true;
	for (; id && looks < MOST_PORTS; id = session_next_of_user(id), looks++) {
		other = session_get(id);
		used += id != s && !other->down && !other->garden;
		if (used >= res->port_limit)
			return false;
	}
	return true;
}

static void
set_policy(sess_id s, const struct auth_result *res, bool proven)
{
	enum authentic by = res->local ? AUTHENTIC_LOCAL : AUTHENTIC_RADIUS;
	struct ppp *p = ppp_get(s);
	unsigned int i;

	session_set_dns(s, res->dns1 ? res->dns1 : conf->primary_dns,
	    res->dns2 ? res->dns2 : conf->secondary_dns);
	session_set_timeouts(s, res->session_timeout, res->idle_timeout);
	session_set_accounting(s, proven ? by : AUTHENTIC_NONE, res->interim);
	session_set_mtu(s, res->mtu);
	for (i = 0; i < res->n_class; i++)
		session_add_note(s, NOTE_CLASS, 0, res->class[i].p, res->class[i].len);
	if (res->cui.p)
		session_add_note(s, NOTE_CUI, 0, res->cui.p, res->cui.len);
	str_copy(p->pool, sizeof(p->pool), res->pool);
	p->any_address = res->ip4 == INADDR_BROADCAST;
}

/*
 * A link that is renegotiated keeps what its session has. A name that is not proven
 * must not end the sessions of who has it by right.
 */
static int
give_service(sess_id s, const struct auth_result *res, bool proven, const char **why)
{
	struct ppp *p = ppp_get(s);
	int in, out;

	if (!p->served && policy_filter_ids(s, res, &in, &out) < 0) {
		*why = "unknown access list";
		return -1;
	}
	if (!p->served && !port_is_free(s, res)) {
		*why = "as many sessions as Port-Limit allows";
		return -1;
	}
	if (proven)
		end_older_sessions(s);
	if (p->served)
		return 0;
	set_policy(s, res, proven);
	policy_filter(s, in, out);
	p->served = addr_assign(s, res, why) == 0;
	return p->served ? 0 : -1;
}

/*
 * Nobody could be asked. A PAP client repeats its request by itself; one of CHAP does
 * so for a challenge, the one he has or, when the LAC had spoken to him, a first one.
 */
static void
ask_later(sess_id s)
{
	struct ppp *p = ppp_get(s);

	if (session_get(s)->auth == AUTH_PAP)
		return;
	if (p->auth_sent == 0)
		new_challenge(p);
	timer_set(&p->auth, SEC(conf->ppp_restart_time));
}

static void
let_in(sess_id s, const struct auth_result *res, bool proven)
{
	const struct session *sess = session_get(s);
	const char *why = "no address";
	bool again = ppp_get(s)->served;
	char text[256];
	unsigned int i;

	if (give_service(s, res, proven, &why) < 0) {
		refuse(s, PPP_END_NOT_SERVED, why, "");
		return;
	}
	COUNT(auth_accepted);
	ppp_get(s)->auth_done = true;
	session_set_authed(s);
	slog(sess, LOG_INFO, "login of %s accepted, address %s", sess->user, ip4_text(sess->ip4));
	for (i = 0; i < res->n_pairs && !again; i++)
		hook_avpair(s, res->pairs[i].p, res->pairs[i].len);
	accept_text(s, res, text, sizeof(text));
	keep_success(s, text);
	send_verdict(s, true, text);
	ppp_authenticated(s);
}

/* What plugins make of the answer. A refused MS-CHAPv2 login stays so: there is no answer to it
 * that the peer would take (RFC 2759 5). */
static bool
is_let_in(sess_id s, bool accepted)
{
	enum auth_proto proto = (enum auth_proto)session_get(s)->auth;

	return hook_post_auth(s, proto, accepted) && (accepted || proto != AUTH_MSCHAPV2);
}

void
auth_result(sess_id s, const struct auth_result *res)
{
	static const struct auth_result bare = { .verdict = AUTH_ACCEPTED };
	const struct session *sess = session_get(s);
	struct ppp *p = ppp_get(s);
	bool accepted = res->verdict == AUTH_ACCEPTED;

	if (!sess || sess->phase != PPP_AUTHENTICATE || !p->asked || res->number != p->asked ||
	    !role_is_master())
		return;
	p->asked = 0;
	if (res->verdict == AUTH_BUSY) {
		ask_later(s);
		return;
	}
	if (res->verdict == AUTH_NO_ANSWER) {
		refuse(s, PPP_END_NOT_SERVED, "no answer from the RADIUS servers", "");
		return;
	}
	if (accepted && sess->auth == AUTH_MSCHAPV2 && res->mschap[0] == '\0') {
		/* RFC 2759 5: without it the peer would refuse us */
		refuse(s, PPP_END_NOT_SERVED, "the server gave no MS-CHAP2-Success", "");
		return;
	}
	if (is_let_in(s, accepted))
		let_in(s, accepted ? res : &bare, accepted);
	else if (accepted)
		refuse(s, PPP_END_REFUSED, "refused by a plugin", "");
	else
		refuse(s, PPP_END_REFUSED,
		    res->message[0] ? res->message : "wrong user name or password", res->mschap);
}

/* Lets plugins have their say on who asks; `login` has what the request points at then. */
static bool
rewrite(sess_id s, struct auth_request *req, struct login *login)
{
	login->proto = req->proto;
	if (req->proto == AUTH_PAP)
		str_copy_n(
		    login->password, sizeof(login->password), req->password, req->password_len);
	if (!hook_pre_auth(s, login))
		return false;
	req->user = login->user;
	if (login->new_password && req->proto == AUTH_PAP) {
		req->password = (const uint8_t *)login->password;
		req->password_len = strlen(login->password);
	}
	return true;
}

/* Questions of all sessions are numbered, so that a late answer is taken for no other question. */
static uint32_t
new_number(void)
{
	static uint32_t last;

	if (++last == 0)
		last = 1;
	return last;
}

/* Whose link this is: his name, or that by which he came before an operator gave him another. */
static bool
is_his_name(const struct session *sess, const char *name)
{
	struct note n;

	if (strcmp(name, sess->user) == 0)
		return true;
	return note_find(sess->notes, NOTE_LOGIN, &n) && n.len == strlen(name) &&
	       memcmp(n.data, name, n.len) == 0;
}

/* Asks plugins, then whoever knows. The name of a user who is served stays. */
static void
ask_all(sess_id s, struct auth_request *req, struct login *login)
{
	struct ppp *p = ppp_get(s);

	if (!p->served)
		session_set_user(s, login->user);
	if (!rewrite(s, req, login)) {
		refuse(s, PPP_END_REFUSED, "refused by a plugin", "");
		return;
	}
	if (p->served && !is_his_name(session_get(s), login->user)) {
		refuse(s, PPP_END_REFUSED, "this link is another user's", "");
		return;
	}
	if (!p->served)
		session_set_user(s, login->user);
	p->asked = req->number = new_number();
	if (!hook_authenticate(s, req) && session_get(s) && p->asked) {
		p->asked = 0;
		refuse(s, PPP_END_NOT_SERVED, "no authentication server is configured", "");
	}
}

/* The challenge timer rests: the peer has spoken. */
static void
ask(sess_id s, struct auth_request *req, const uint8_t *name, size_t name_len)
{
	struct login login = { 0 };
	char user[USER_LEN];
	struct ppp *p = ppp_get(s);

	if (!str_copy_n(user, sizeof(user), name, name_len) || strlen(user) != name_len ||
	    name_len == 0) {
		COUNT(ppp_malformed);
		refuse(s, PPP_END_REFUSED, "impossible user name", "");
		return;
	}
	timer_stop(&p->auth);
	p->auth_id = req->id;
	req->claimed = user;
	str_copy(login.user, sizeof(login.user), user);
	ask_all(s, req, &login);
	explicit_bzero(login.password, sizeof(login.password));
}

/* The peer repeats itself: true when there is nothing new to ask. */
static bool
repeated(sess_id s)
{
	struct ppp *p = ppp_get(s);

	if (p->auth_done)
		send_success(s);
	return p->auth_done || p->asked;
}

void
auth_pap_input(sess_id s, struct rd frame)
{
	struct auth_request req = { .proto = AUTH_PAP };
	const uint8_t *name;
	struct cp_pkt pkt;
	size_t name_len;

	if (!cp_decode(frame, &pkt) || pkt.code != PAP_REQUEST) {
		COUNT(ppp_malformed);
		return;
	}
	if (session_get(s)->auth != AUTH_PAP || session_get(s)->phase < PPP_AUTHENTICATE) {
		COUNT(ppp_unexpected);
		return;
	}
	name_len = rd_u8(&pkt.data);
	name = rd_bytes(&pkt.data, name_len);
	req.password_len = rd_u8(&pkt.data);
	req.password = rd_bytes(&pkt.data, req.password_len);
	if (pkt.data.bad) {
		COUNT(ppp_malformed);
		return;
	}
	ppp_get(s)->auth_id = pkt.id;
	if (repeated(s))
		return;
	req.id = pkt.id;
	ask(s, &req, name, name_len);
}

void
auth_chap_input(sess_id s, struct rd frame)
{
	const struct session *sess = session_get(s);
	struct ppp *p = ppp_get(s);
	struct auth_request req = { .proto = (enum auth_proto)sess->auth };
	struct cp_pkt pkt;

	if (!cp_decode(frame, &pkt) || pkt.code != CHAP_RESPONSE) {
		COUNT(ppp_malformed);
		return;
	}
	if (sess->auth == AUTH_PAP || sess->phase < PPP_AUTHENTICATE || pkt.id != p->auth_id) {
		COUNT(ppp_unexpected);
		return;
	}
	req.password_len = rd_u8(&pkt.data);
	req.password = rd_bytes(&pkt.data, req.password_len);
	if (pkt.data.bad ||
	    req.password_len != (sess->auth == AUTH_CHAP ? MD5_LEN : MSCHAPV2_LEN)) {
		COUNT(ppp_malformed);
		return;
	}
	if (repeated(s))
		return;
	req.id = pkt.id;
	req.challenge = p->challenge;
	req.challenge_len = sizeof(p->challenge);
	ask(s, &req, pkt.data.pos, rd_left(&pkt.data));
}
