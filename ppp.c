/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP of a session (RFC 1661 3): its phases, which frames they take, and its clock -
 * echoes, idle and session timeouts. Owns struct ppp, one beside each session in
 * private memory. LCP, IPCP and the authentication protocols are in files of their
 * own and come here when they are done; nothing else of the daemon is called but by
 * hooks.
 *
 * A session ends gracefully by ppp_close(): service stops at once, LCP says good-bye,
 * and when the peer has answered or will not, hook_call_close() ends the call.
 */
#include "ppp.h"
#include "config.h"
#include "counter.h"
#include "loop.h"

#include <stdio.h>

enum { LOGIN_SEC = 60 };

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
	timer_set(&p->watch, MS(TIMER_TICK_MS));
	if (p->announced)
		return;
	p->announced = true;
	hook_session(s, SESS_EV_UP);
}

void
ppp_finished(sess_id s)
{
	struct sess_end end = {
		.cause = TERM_LOST_CARRIER,
		.result = 1,
		.message = "the peer does not answer PPP",
	};

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

void
ppp_session(sess_id s, enum sess_event ev)
{
	struct ppp *p = &ppps[s];

	if (ev != SESS_EV_GONE)
		return;
	timer_stop(&p->watch);
	timer_stop(&p->auth);
	cp_stop(&lcp_proto, s);
	cp_stop(&ipcp_proto, s);
	*p = (struct ppp){ 0 };
}

/* --- frames --- */

static void
network_frame(sess_id s, uint16_t protocol, struct rd data)
{
	if (session_get(s)->phase != PPP_NETWORK) /* RFC 1661 3.5: silently discarded */
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
		cp_input(&lcp_proto, s, frame);
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

/* --- the clock --- */

static void
close_with(sess_id s, uint16_t cause, uint16_t result, uint16_t disconnect, const char *message)
{
	struct sess_end end = { .cause = cause, .result = result, .disconnect = disconnect };

	snprintf(end.message, sizeof(end.message), "%s", message);
	COUNT(session_timeout);
	hook_close(s, &end);
}

/* True when a limit has passed: the session is ending. */
static bool
limit_passed(sess_id s, const struct session *sess, uint32_t silent_ds)
{
	if (sess->session_timeout && session_age(sess) >= sess->session_timeout)
		close_with(s, TERM_SESSION_TIMEOUT, 3, 0, "Session-Timeout");
	else if (sess->idle_timeout && session_idle(s) >= sess->idle_timeout)
		close_with(s, TERM_IDLE_TIMEOUT, 3, 0, "Idle-Timeout");
	else if (conf->kill_timedout_sessions && silent_ds >= conf->idle_echo_timeout * 10)
		close_with(s, TERM_LOST_CARRIER, 1, 0, "no answer to LCP echoes");
	else
		return false;
	return true;
}

/* Milliseconds until something of this session may be due. */
static uint64_t
next_look(sess_id s, const struct session *sess, uint32_t silent_ds)
{
	uint32_t echo_ds = conf->echo_timeout * 10;
	uint64_t next =
	    MS(100) * (conf->ppp_keepalive && silent_ds < echo_ds ? echo_ds - silent_ds : echo_ds);

	if (sess->session_timeout)
		next = MIN(next, SEC(sess->session_timeout - session_age(sess)));
	if (sess->idle_timeout)
		next = MIN(next, SEC(sess->idle_timeout - session_idle(s)));
	return MAX(next, MS(100));
}

static void
on_watch(uint32_t s)
{
	const struct session *sess = session_get(s);
	struct ppp *p = &ppps[s];
	uint32_t silent_ds;

	if (!sess || sess->state != SESS_OPEN)
		return;
	if (sess->phase != PPP_NETWORK || p->ipcp.state != CP_OPENED) {
		close_with(s, TERM_USER_ERROR, 3, 0, "PPP negotiation took too long");
		return;
	}
	silent_ds = loop_now_ds() - session_fast(s)->last_rx;
	if (limit_passed(s, sess, silent_ds))
		return;
	if (!conf->ppp_keepalive || silent_ds >= conf->echo_timeout * 10)
		lcp_send_echo(s);
	timer_set(&p->watch, next_look(s, sess, silent_ds));
}
