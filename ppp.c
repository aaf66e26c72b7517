/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP of a session (RFC 1661 3): its phases, which frames they take, and its clock -
 * echoes, idle and session timeouts. Owns struct ppp, one beside each session in
 * private memory. LCP, IPCP and the authentication protocols are in files of their
 * own and come here when they are done; nothing else of the daemon is called but by
 * hooks.
 *
 * Under a cluster a slave keeps struct ppp as the master tells it. A new master goes on with what
 * was established; a link that was being negotiated begins that part anew, for what has been
 * said of it last is not known.
 *
 * A session ends gracefully by ppp_close(): service stops at once, LCP says good-bye,
 * and when the peer has answered or will not, hook_call_close() ends the call.
 */
#include "ppp.h"
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "role.h"
#include "tunnel.h"
#include "util.h"

enum {
	LOGIN_SEC = 60,
	LOOK_SEC = 60,
	SPREAD_DS = 100,
	REPEAT_DS = 40, /* in which a peer who is not answered has repeated himself */
};

static struct ppp *ppps;

static void on_watch(uint32_t s);

void
ppp_init(void)
{
	ppps = session_table("PPP", sizeof(*ppps));
}

struct ppp *
ppp_get(sess_id s)
{
	return &ppps[s];
}

void
ppp_call_up(sess_id s)
{
	struct ppp *p = &ppps[s];

	timer_init(&p->watch, on_watch, s);
	timer_init(&p->auth, auth_timeout, s);
	cp_init(&ipcp_proto, s);
	session_fast(s)->last_rx = session_fast(s)->last_data = loop_now_ds();
	ppp_set_phase(s, PPP_ESTABLISH);
	lcp_start(s);
}

void
ppp_set_phase(sess_id s, enum ppp_phase phase)
{
	struct ppp *p = &ppps[s];

	if (session_get(s)->phase == phase && phase != PPP_DEAD)
		return;
	session_set_phase(s, phase);
	auth_stop(s);
	if (phase != PPP_NETWORK && p->ipcp.state > CP_STARTING)
		cp_event(&ipcp_proto, s, CP_DOWN);
	if (phase == PPP_TERMINATE)
		timer_stop(&p->watch);
	else
		timer_set(&p->watch, SEC(LOGIN_SEC));
}

void
ppp_established(sess_id s)
{
	ppp_set_phase(s, PPP_AUTHENTICATE);
	auth_start(s);
}

void
ppp_authenticated(sess_id s)
{
	ppp_set_phase(s, PPP_NETWORK);
	ipcp_start(s);
}

void
ppp_network(sess_id s, bool up)
{
	struct ppp *p = &ppps[s];

	if (session_get(s)->state != SESS_OPEN)
		return;
	session_forwarding(s, up);
	if (!up) {
		timer_set(&p->watch, SEC(LOGIN_SEC)); /* to come to an agreement again */
		return;
	}
	slog(session_get(s), LOG_INFO, "session of %s is up", session_get(s)->user);
	if (!p->announced)
		session_fast(s)->last_data = loop_now_ds();
	p->echoed_ds = loop_now_ds();
	timer_set(&p->watch, MS(TIMER_TICK_MS));
	if (p->announced)
		return;
	p->announced = true;
	hook_session(s, SESS_EV_UP);
}

void
ppp_finished(sess_id s)
{
	struct sess_end end = ppp_why(s, ppps[s].heard ? PPP_END_SILENT : PPP_END_NO_LCP, NULL);

	hook_session_down(s, &end);
	hook_call_close(s);
}

void
ppp_close(sess_id s, const struct sess_end *end)
{
	const struct session *sess = session_get(s);

	if (!sess || sess->state == SESS_CLOSING)
		return;
	hook_session_down(s, end);
	if (sess->state == SESS_OPENING) { /* PPP has not begun */
		hook_call_close(s);
		return;
	}
	session_set_state(s, SESS_CLOSING);
	ppp_set_phase(s, PPP_TERMINATE);
	cp_event(&lcp_proto, s, CP_CLOSE);
	if (ppps[s].lcp.state != CP_CLOSING)
		hook_call_close(s);
}

/* Has passed all that is negotiated: its clock is for echoes and timeouts now. */
static bool
is_served(sess_id s)
{
	const struct session *sess = session_get(s);

	return sess->state == SESS_OPEN && sess->phase == PPP_NETWORK &&
	       ppps[s].ipcp.state == CP_OPENED;
}

static void
stop(sess_id s)
{
	struct ppp *p = &ppps[s];

	timer_stop(&p->watch);
	timer_stop(&p->auth);
	cp_stop(&lcp_proto, s);
	cp_stop(&ipcp_proto, s);
}

static void
forget(sess_id s)
{
	stop(s);
	ppps[s] = (struct ppp){ 0 };
}

void
ppp_session(sess_id s, enum sess_event ev)
{
	struct ppp *p = &ppps[s];

	if (ev == SESS_EV_CHANGED && is_served(s)) /* a timeout, perhaps */
		timer_set(&p->watch, MS(TIMER_TICK_MS));
	if (ev == SESS_EV_GONE)
		forget(s);
}

/* --- frames --- */

/*
 * He speaks IP where a PAP request is awaited: another master has let him in, and could not tell
 * us. It takes LCP for him to say again who he is.
 */
static bool
was_let_in_elsewhere(sess_id s, uint16_t protocol)
{
	const struct session *sess = session_get(s);

	return protocol == PPP_IPCP && role_is_split() && sess->phase == PPP_AUTHENTICATE &&
	       sess->auth == AUTH_PAP && !ppps[s].asked;
}

static void
begin_again(sess_id s)
{
	slog(session_get(s), LOG_INFO, "the peer was let in by another master: LCP begins again");
	ppp_set_phase(s, PPP_ESTABLISH);
	session_drop_scratch(s); /* what the LAC had negotiated, too */
	lcp_start(s);
}

static void
network_frame(sess_id s, uint16_t protocol, struct rd data)
{
	if (was_let_in_elsewhere(s, protocol))
		begin_again(s);
	else if (session_get(s)->phase != PPP_NETWORK) /* RFC 1661 3.5: silently discarded */
		COUNT(ppp_unexpected);
	else if (protocol == PPP_IPCP)
		cp_input(&ipcp_proto, s, data);
	else
		lcp_protocol_reject(s, protocol, data);
}

void
ppp_frame(sess_id s, struct rd frame)
{
	const struct session *sess = session_get(s);
	uint16_t protocol = ppp_protocol_decode(&frame);

	if (protocol == 0) {
		COUNT(ppp_malformed);
		return;
	}
	if (sess->state != SESS_OPEN && protocol != PPP_LCP) {
		COUNT(ppp_unexpected);
		return;
	}
	switch (protocol) {
	case PPP_LCP:
		lcp_input(s, frame);
		break;
	case PPP_PAP:
		auth_pap_input(s, frame);
		break;
	case PPP_CHAP:
		auth_chap_input(s, frame);
		break;
	default:
		network_frame(s, protocol, frame);
	}
}

/* --- ends --- */

/* Stands for the authentication protocol of the session. */
#define PPP_AUTH_AGREED 1

/*
 * One row a reason: Acct-Terminate-Cause; CDN result code (RFC 2661 4.4.2); code, control
 * protocol and side for the PPP Disconnect Cause AVP (RFC 3145), which is left out where
 * the RFC has nothing that fits; and words.
 */
/* clang-format off */
static const struct sess_end ends[] = {
#define END(why, cause, result, code, protocol, side, message)                                     \
	[PPP_END_##why] = { TERM_##cause, result, 0, DISC_##code, protocol, DISC_##side, false,    \
		false, message }
	END(PEER, USER_REQUEST, 1, TERMINATED, 0, PEER, "the peer ended PPP"),
	END(SILENT, LOST_CARRIER, 1, LCP_TIMEOUT, PPP_LCP, GLOBAL, "the peer does not answer PPP"),
	END(NO_LCP, LOST_CARRIER, 1, NO_LCP, PPP_LCP, GLOBAL, "the peer does not speak PPP"),
	END(LOOP, PORT_ERROR, 2, LOOP, PPP_LCP, GLOBAL, "the link is looped back"),
	END(ECHO, LOST_CARRIER, 1, ECHO, PPP_LCP, GLOBAL, "no answer to LCP echoes"),
	END(NO_AUTH, USER_ERROR, 3, AUTH_REFUSED, PPP_AUTH_AGREED, PEER,
	    "no authentication protocol agreed"),
	END(CHALLENGE, USER_ERROR, 3, AUTH_TIMEOUT, PPP_AUTH_AGREED, GLOBAL,
	    "no answer to the challenge"),
	END(REFUSED, USER_ERROR, 3, AUTH_FAILED, PPP_AUTH_AGREED, PEER, "login refused"),
	END(NOT_SERVED, NAS_ERROR, 3, NONE, 0, GLOBAL, "no service"),
	END(ELSEWHERE, ADMIN_RESET, 3, TERMINATED, 0, LOCAL, "the user has logged in again"),
	END(SESSION_TIMEOUT, SESSION_TIMEOUT, 3, TERMINATED, 0, LOCAL, "Session-Timeout"),
	END(IDLE_TIMEOUT, IDLE_TIMEOUT, 3, TERMINATED, 0, LOCAL, "Idle-Timeout"),
	END(SLOW_LCP, USER_ERROR, 3, LCP_TIMEOUT, PPP_LCP, GLOBAL, "LCP took too long"),
	END(SLOW_AUTH, USER_ERROR, 3, AUTH_TIMEOUT, PPP_AUTH_AGREED, GLOBAL,
	    "the login took too long"),
	END(SLOW_IPCP, USER_ERROR, 3, NCP_TIMEOUT, PPP_IPCP, GLOBAL, "IPCP took too long"),
	END(POOL_EMPTY, NAS_ERROR, 4, NONE, 0, GLOBAL, "no address is free in the pool"),
	END(NO_ADDRESS, USER_ERROR, 3, ADDRESS, PPP_IPCP, PEER, "the client took no address"),
	END(IPCP_FAILED, USER_ERROR, 3, NCP_TIMEOUT, PPP_IPCP, GLOBAL,
	    "IPCP did not come to an agreement"),
	END(IPCP_REJECTED, USER_ERROR, 3, NO_NCP, PPP_IPCP, PEER, "the peer rejects IPCP"),
	END(IPCP_CLOSED, USER_REQUEST, 3, NONE, 0, GLOBAL, "the peer ended IP"),
#undef END
};
/* clang-format on */

static uint32_t
silence_ds(sess_id s)
{
	return loop_now_ds() - session_fast(s)->last_rx;
}

/* The LAC was heard in the later half of the session's silence: so that is no matter of the way to
 * us, nor would another master hear more (role_is_split()). */
static bool
lac_speaks(sess_id s)
{
	const struct tunnel *t = tunnel_get(session_get(s)->tunnel);

	return loop_now_ds() - t->last_packet < silence_ds(s) / 2;
}

bool
ppp_is_elsewhere(sess_id s)
{
	return role_is_split() && silence_ds(s) >= REPEAT_DS && !lac_speaks(s);
}

void
ppp_timeout(const struct cp_proto *p, sess_id s)
{
	struct cp *cp = p->cp(s);

	if (session_get(s) && cp->state >= CP_REQ_SENT && ppp_is_elsewhere(s))
		timer_set(&cp->restart, SEC(conf->ppp_restart_time));
	else
		cp_timeout(p, s);
}

struct sess_end
ppp_why(sess_id s, enum ppp_end why, const char *message)
{
	struct sess_end end = ends[why];

	end.guess =
	    end.cause == TERM_IDLE_TIMEOUT || (end.cause == TERM_LOST_CARRIER && !lac_speaks(s));
	if (end.disconnect_protocol == PPP_AUTH_AGREED)
		end.disconnect_protocol = auth_agreed(s) == AUTH_PAP ? PPP_PAP : PPP_CHAP;
	if (message)
		str_copy(end.message, sizeof(end.message), message);
	return end;
}

void
ppp_end(sess_id s, enum ppp_end why)
{
	struct sess_end end = ppp_why(s, why, NULL);

	hook_close(s, &end);
}

/* --- the clock --- */

static void
end_timed(sess_id s, enum ppp_end why)
{
	COUNT(session_timeout);
	ppp_end(s, why);
}

/* Silence after which the peer is asked: in any case well before it is dropped. */
static uint32_t
echo_after_ds(void)
{
	uint32_t echo_ds = conf->echo_timeout * 10;

	return conf->kill_timedout_sessions ? MIN(echo_ds, conf->idle_echo_timeout * 5) : echo_ds;
}

/* True when a limit has passed: the session is ending. */
static bool
limit_passed(sess_id s, const struct session *sess, uint32_t silent_ds)
{
	if (sess->session_timeout && session_age(sess) >= sess->session_timeout)
		end_timed(s, PPP_END_SESSION_TIMEOUT);
	else if (sess->idle_timeout && session_idle(s) >= sess->idle_timeout && !role_is_split())
		end_timed(s, PPP_END_IDLE_TIMEOUT);
	else if (conf->kill_timedout_sessions && silent_ds >= conf->idle_echo_timeout * 10 &&
		 (lac_speaks(s) || !role_is_split()))
		end_timed(s, PPP_END_ECHO);
	else
		return false;
	return true;
}

/* Since the peer was asked last or, with ppp_keepalive, heard. */
static uint32_t
quiet_ds(sess_id s, uint32_t silent_ds)
{
	uint32_t unasked_ds = loop_now_ds() - ppps[s].echoed_ds;

	return conf->ppp_keepalive ? MIN(silent_ds, unasked_ds) : unasked_ds;
}

/* Milliseconds until something of this session may be due; not so long that another echo_timeout
 * would be noticed late. */
static uint64_t
next_look(sess_id s, const struct session *sess, uint32_t silent_ds)
{
	uint32_t echo_ds = echo_after_ds(), quiet = quiet_ds(s, silent_ds);
	uint64_t next = MIN(MS(100) * (quiet < echo_ds ? echo_ds - quiet : 0), SEC(LOOK_SEC));

	if (sess->session_timeout)
		next = MIN(next, SEC(sess->session_timeout - session_age(sess)));
	if (sess->idle_timeout > session_idle(s))
		next = MIN(next, SEC(sess->idle_timeout - session_idle(s)));
	return MAX(next, MS(100));
}

static void
on_watch(uint32_t s)
{
	const struct session *sess = session_get(s);
	struct ppp *p = &ppps[s];
	uint32_t silent_ds;

	if (!sess || sess->state != SESS_OPEN || !role_is_master())
		return;
	if (!is_served(s) && ppp_is_elsewhere(s)) {
		timer_set(&p->watch, SEC(LOGIN_SEC));
		return;
	}
	if (!is_served(s)) {
		end_timed(s, sess->phase == PPP_NETWORK	       ? PPP_END_SLOW_IPCP
			     : sess->phase == PPP_AUTHENTICATE ? PPP_END_SLOW_AUTH
							       : PPP_END_SLOW_LCP);
		return;
	}
	silent_ds = silence_ds(s);
	if (limit_passed(s, sess, silent_ds))
		return;
	if (quiet_ds(s, silent_ds) >= echo_after_ds()) {
		lcp_send_echo(s);
		p->echoed_ds = loop_now_ds();
	}
	timer_set(&p->watch, next_look(s, sess, silent_ds));
}

/* --- the cluster --- */

static void export(sess_id s, struct repl_session *r)
{
	const struct ppp *p = &ppps[s];

	r->ppp = (struct repl_ppp){
		.lcp_id = p->lcp.id,
		.lcp_last_id = p->lcp.last_id,
		.ipcp_id = p->ipcp.id,
		.ipcp_last_id = p->ipcp.last_id,
		.authtype = p->authtype,
		.auth_id = p->auth_id,
		.echo_id = p->echo_id,
		.ask_mru = p->ask_mru,
		.ask_magic = p->ask_magic,
		.heard = p->heard,
		.auth_done = p->auth_done,
		.served = p->served,
		.proxied = p->proxied,
		.ask_address = p->ask_address,
		.any_address = p->any_address,
		.has_address = p->has_address,
		.announced = p->announced,
		.our_mru = p->mru,
		.our_magic = p->magic,
	};
	memcpy(r->ppp.challenge, p->challenge, sizeof(r->ppp.challenge));
	str_copy(r->ppp.pool, sizeof(r->ppp.pool), p->pool);
}

static void
install(sess_id s, const struct repl_session *r)
{
	const struct repl_ppp *from = &r->ppp;
	struct ppp *p = &ppps[s];

	*p = (struct ppp){
		.lcp = { .state = r->rec.cp[SESS_CP_LCP],
		    .id = from->lcp_id,
		    .last_id = from->lcp_last_id,
		    .tries = cp_full_tries() },
		.ipcp = { .state = r->rec.cp[SESS_CP_IPCP],
		    .id = from->ipcp_id,
		    .last_id = from->ipcp_last_id,
		    .tries = cp_full_tries() },
		.magic = from->our_magic,
		.mru = from->our_mru,
		.ask_mru = from->ask_mru,
		.ask_magic = from->ask_magic,
		.authtype = from->authtype,
		.peer_magic = r->rec.peer_magic,
		.peer_mru = r->rec.peer_mru,
		.heard = from->heard,
		.auth_id = from->auth_id,
		.auth_done = from->auth_done,
		.served = from->served,
		.proxied = from->proxied,
		.ask_address = from->ask_address,
		.any_address = from->any_address,
		.has_address = from->has_address,
		.echo_id = from->echo_id,
		.announced = from->announced,
	};
	memcpy(p->challenge, from->challenge, sizeof(p->challenge));
	str_copy(p->pool, sizeof(p->pool), from->pool);
}

/*
 * He could not be heard while there was no master: he has as long as anybody who is asked now. All
 * sessions come here at once, so each is asked in a moment of its own.
 */
static void
go_on(sess_id s)
{
	struct sess_fast *f = session_fast(s);
	uint32_t now = loop_now_ds(), echo_ds = echo_after_ds();
	uint32_t wait_ds = 1 + random_u32() % MIN(echo_ds, (uint32_t)SPREAD_DS);

	if (f->last_data == 0) /* nobody has told of any */
		f->last_data = now;
	if (now - f->last_rx > echo_ds - wait_ds)
		f->last_rx = now - (echo_ds - wait_ds);
	ppps[s].echoed_ds = now - (echo_ds - wait_ds);
	timer_set(&ppps[s].watch, MS(100) * wait_ds);
}

static void
negotiate_again(sess_id s)
{
	struct ppp *p = &ppps[s];

	timer_set(&p->watch, SEC(LOGIN_SEC));
	p->proxied = false;
	if (session_get(s)->phase == PPP_AUTHENTICATE && p->auth_done)
		session_set_phase(s, PPP_NETWORK); /* he may have heard of it already */
	if (session_get(s)->phase == PPP_NETWORK) {
		auth_tell_again(s); /* or not: with CHAP he does not ask (RFC 1994 4.2) */
		ipcp_start(s);
		p->ipcp.ask_first = true;
	} else if (session_get(s)->phase == PPP_AUTHENTICATE) {
		auth_resume(s);
	} else {
		session_drop_scratch(s); /* what the LAC has negotiated was good for a beginning */
		lcp_start(s);
		p->lcp.ask_first = true;
	}
}

/* Its good-byes were said by the old master: the call's end is what is left. */
static void
finish(sess_id s)
{
	struct ppp *p = &ppps[s];

	p->lcp.state = CP_CLOSING;
	p->lcp.tries = 0;
	timer_set(&p->lcp.restart, MS(TIMER_TICK_MS));
}

static void
adopt(sess_id s)
{
	const struct session *sess = session_get(s);
	struct ppp *p = &ppps[s];

	if (sess->state == SESS_OPENING)
		return; /* PPP begins when the call is up */
	timer_init(&p->watch, on_watch, s);
	timer_init(&p->auth, auth_timeout, s);
	timer_init(&p->lcp.restart, lcp_proto.timeout, s);
	timer_init(&p->ipcp.restart, ipcp_proto.timeout, s);
	if (is_served(s) && session_fast(s)->flags & SF_ON)
		go_on(s);
	else if (sess->state == SESS_OPEN && !sess->down)
		negotiate_again(s);
	else
		finish(s);
}

static void
yield(sess_id s)
{
	auth_stop(s);
	stop(s);
}

const struct hook_member ppp_member = {
	.export = export,
	.install = install,
	.remove = forget,
	.adopt = adopt,
	.yield = yield,
};
