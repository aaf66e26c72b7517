/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Incoming calls: the automaton of RFC 2661 7.4.2, LNS, as a table of message by state, its
 * timers, and who may begin when. l2tp.c gives the messages of a tunnel that is open; from
 * the ICCN on a call is PPP's (hook_call_up()).
 *
 * Owns `calls`, what a session has beside struct session, and `lines`, what the calls of a
 * tunnel have together: those that wait for their ICRP, and the carrier (a `lac` line) whose
 * max_sessions they count for.
 *
 * When all subscribers of a LAC come back at once, each sends its PPP frames as soon as his
 * call is up, and everybody's would queue in front of everybody else's. So only so many are
 * let begin; the others have a session and wait for their ICRP, a tunnel's after another's.
 * Control messages behind their ICRQ do not wait.
 */
#include "l2tp_call.h"
#include "avp.h"
#include "config.h"
#include "counter.h"
#include "frame.h"
#include "l2tp_chan.h"
#include "l2tp_say.h"
#include "ll.h"
#include "loop.h"
#include "note.h"
#include "role.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum {
	MSG_MAX = 1400,
	OPEN_SEC = 60, /* for the LAC to go on with a call it began */
	OPEN_LONGEST_SEC = 300,
	ICCN_SEC = 5,	    /* between two looks; in which a LAC has repeated itself */
	SET_UP_MOST = 2048, /* calls in set-up at a time */
	SET_UP_SEC = 2,	    /* one that takes longer waits for something else than us */
};

/* What a session has beside struct session. */
struct call {
	struct timer timer;  /* for the set-up, then for the ICCN */
	struct id_link link; /* in its tunnel's `waiting` */
	bool waits;
	bool counted;	   /* in set_up */
	bool carried;	   /* in its carrier's sessions */
	bool shared;	   /* another master may have had its ICCN */
	bool late;	   /* went on without that, which may still come */
	uint32_t since_ds; /* the ICCN is awaited */
};

/* What the calls of a tunnel have together. */
struct line {
	struct id_list waiting; /* calls that wait for their ICRP */
	struct id_link turn;	/* in `turns`, while there are any */
	uint8_t carrier;	/* place in conf->lacs, from 1; 0: none */
	uint32_t carried;	/* its sessions that are counted for that */
};

static struct call *calls;
static struct line *lines;
static struct id_list turns; /* tunnels with calls that wait */
static uint32_t set_up;	     /* calls that have their ICRP, are not up and may be soon */
static uint32_t carrier_sessions[CONF_LACS + 1]; /* by place in conf->lacs, from 1 */

void
l2tp_call_init(void)
{
	calls = session_table("calls", sizeof(*calls));
	lines =
	    shm_map_private("calls of tunnels", (conf->max_tunnels + (size_t)1) * sizeof(*lines));
}

/* --- ends --- */

static void
send_cdn(tunn_id t, uint16_t wire_sid, uint16_t peer_sid, const struct sess_end *end)
{
	uint8_t buf[MSG_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_begin(&w, CTL_CDN);
	avp_put_result(&w, end->result, end->error, end->message);
	l2tp_say_id(t, &w, AVP_ASSIGNED_SESSION_ID, wire_sid);
	if (end->disconnect)
		avp_put_disconnect(
		    &w, end->disconnect, end->disconnect_protocol, end->disconnect_side, NULL);
	l2tp_say(t, &w, peer_sid);
}

void
l2tp_call_refuse(
    tunn_id t, const struct ctl_msg *msg, uint16_t result, uint16_t error, const char *why)
{
	struct sess_end end = { .result = result, .error = error };

	if (!CTL_HAS(msg, AVP_ASSIGNED_SESSION_ID))
		return;
	str_copy(end.message, sizeof(end.message), why);
	tlog_limit(tunnel_get(t), LOG_WARNING, "call refused: %s", why);
	send_cdn(t, (uint16_t)(random_u16() | 1), msg->assigned_sid, &end);
}

void
l2tp_call_end(sess_id s, const struct sess_end *end, bool cdn)
{
	const struct session *sess = session_get(s);

	hook_session_down(s, end);
	if (cdn)
		send_cdn(sess->tunnel, sess->wire_sid, sess->peer_sid, &sess->end);
	hook_session(s, SESS_EV_GONE);
	session_free(s);
}

/* --- calls that wait for their ICRP --- */

static struct id_link *
call_link(uint32_t s)
{
	return &calls[s].link;
}

static struct id_link *
turn_link(uint32_t t)
{
	return &lines[t].turn;
}

static void
send_icrp(sess_id s)
{
	const struct session *sess = session_get(s);
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	set_up++;
	calls[s].counted = true;
	calls[s].since_ds = loop_now_ds();
	timer_set(&calls[s].timer, SEC(SET_UP_SEC));
	ctl_begin(&w, CTL_ICRP);
	l2tp_say_id(sess->tunnel, &w, AVP_ASSIGNED_SESSION_ID, sess->wire_sid);
	l2tp_say(sess->tunnel, &w, sess->peer_sid);
	session_set_answered(s);
}

static void
stop_waiting(sess_id s)
{
	tunn_id t = session_get(s)->tunnel;

	if (!calls[s].waits)
		return;
	calls[s].waits = false;
	ll_remove(&lines[t].waiting, s, call_link);
	ll_remove(&turns, t, turn_link);
	if (lines[t].waiting.count)
		ll_append(&turns, t, turn_link);
}

/* Calls are answered as others are done, a tunnel's after another's. */
static void
answer_waiting(void)
{
	sess_id s;

	while (set_up < SET_UP_MOST && turns.head) {
		s = lines[turns.head].waiting.head;
		stop_waiting(s);
		send_icrp(s);
	}
}

static void
answer_call(tunn_id t, sess_id s)
{
	if (set_up < SET_UP_MOST && !turns.head) {
		send_icrp(s);
		return;
	}
	COUNT(call_waited);
	calls[s].waits = true;
	if (lines[t].waiting.count == 0)
		ll_append(&turns, t, turn_link);
	ll_append(&lines[t].waiting, s, call_link);
}

/* Up, gone, or too slow to be waited for. */
static void
set_up_over(sess_id s)
{
	if (!calls[s].counted)
		return;
	calls[s].counted = false;
	set_up--;
	answer_waiting();
}

/* --- sessions of a carrier: each that is ours counts, however it has come --- */

/* The place of the tunnel's carrier in the configuration, from 1; 0: it has none of its own. */
static uint8_t
carrier_of(const struct tunnel *t)
{
	const struct conf_lac *lac = config_lac(t->peer_ip, t->hostname);

	return lac ? (uint8_t)(lac - conf->lacs + 1) : 0;
}

/* False when the carrier has as many sessions as it may. */
static bool
carrier_has_room(tunn_id t)
{
	uint8_t n = lines[t].carrier;

	return n == 0 || n > conf->n_lacs || conf->lacs[n - 1].max_sessions == 0 ||
	       carrier_sessions[n] < conf->lacs[n - 1].max_sessions;
}

static void
carry(sess_id s)
{
	struct line *c = &lines[session_get(s)->tunnel];

	if (calls[s].carried)
		return;
	calls[s].carried = true;
	carrier_sessions[c->carrier]++;
	c->carried++;
}

static void
carry_no_more(sess_id s)
{
	struct line *c = &lines[session_get(s)->tunnel];

	if (!calls[s].carried)
		return;
	calls[s].carried = false;
	carrier_sessions[c->carrier]--;
	c->carried--;
}

void
l2tp_call_set_carrier(tunn_id t)
{
	struct line *c = &lines[t];

	carrier_sessions[c->carrier] -= c->carried;
	c->carrier = carrier_of(tunnel_get(t));
	carrier_sessions[c->carrier] += c->carried;
}

void
l2tp_call_reconfigure(void)
{
	memset(carrier_sessions, 0, sizeof(carrier_sessions));
	FOR_EACH_TUNNEL (t) {
		lines[t].carrier = carrier_of(tunnel_get(t));
		carrier_sessions[lines[t].carrier] += lines[t].carried;
	}
}

/* --- timers --- */

/* What the ICCN begins. */
static void
open_call(sess_id s)
{
	session_set_state(s, SESS_OPEN);
	session_forwarding(s, false);
	hook_call_up(s);
}

/* He speaks PPP, so the LAC has said its ICCN; and it does not say it again, so another master had
 * it. */
static bool
has_had_iccn(sess_id s)
{
	return calls[s].shared && frame_has_early(s) && l2tp_chan_settled(session_get(s)->tunnel);
}

/* What he has said over and over is said again: answered all at once it would begin anew each time.
 */
static void
go_on_without_iccn(sess_id s)
{
	frame_drop_early(s);
	slog(session_get(s), LOG_INFO, "the ICCN was another master's");
	calls[s].late = true;
	open_call(s);
}

/* What the LAC says may go to another master: it is silent here since the call began. */
static bool
is_elsewhere(const struct session *sess)
{
	uint32_t silence_ds = loop_now_ds() - tunnel_get((tunn_id)sess->tunnel)->last_packet;

	return role_is_split() && silence_ds >= (loop_now_ds() - sess->began_ds) / 2;
}

/*
 * Neither our ICRP nor the ICCN can overtake what is in front of them: a call is not given up
 * while its tunnel waits for lost messages, as one over a bad link does for minutes when all
 * its calls come at once.
 */
static bool
may_come(sess_id s)
{
	const struct session *sess = session_get(s);

	return loop_seconds_since(calls[s].since_ds) < OPEN_SEC || is_elsewhere(sess) ||
	       (session_age(sess) < OPEN_LONGEST_SEC && !l2tp_chan_settled(sess->tunnel));
}

static void
on_call_timeout(uint32_t s)
{
	const struct session *sess = session_get(s);
	const struct sess_end end = {
		.cause = TERM_LOST_CARRIER,
		.result = CDN_NOT_IN_TIME,
		.message = "no ICCN came",
	};

	if (!sess || sess->state != SESS_OPENING)
		return;
	calls[s].shared = calls[s].shared || role_is_split();
	if (has_had_iccn(s))
		go_on_without_iccn(s);
	else if (may_come(s))
		timer_set(&calls[s].timer, SEC(ICCN_SEC));
	else
		l2tp_call_end(s, &end, true);
}

static void
on_call_timer(uint32_t s)
{
	if (!role_is_master())
		return;
	if (!calls[s].counted) {
		on_call_timeout(s);
		return;
	}
	timer_set(&calls[s].timer, SEC(ICCN_SEC));
	set_up_over(s);
}

/* --- messages --- */

void
l2tp_call_request(tunn_id t, const struct ctl_msg *msg)
{
	sess_id old = session_by_peer(t, msg->assigned_sid), s;
	struct sess_end lost = {
		.cause = TERM_LOST_CARRIER,
		.result = CDN_GENERAL,
		.error = L2TP_ERR_SESSION_ID,
		.message = "the LAC uses the id again",
	};
	char called[NUMBER_LEN], calling[NUMBER_LEN];
	unsigned int i;

	if (old && session_get(old)->state == SESS_OPENING &&
	    session_get(old)->call_serial == msg->call_serial) {
		COUNT(control_duplicate);
		return;
	}
	if (old)
		l2tp_call_end(old, &lost, false);
	s = carrier_has_room(t) ? session_new(t, msg->assigned_sid) : 0;
	if (!s) {
		l2tp_call_refuse(t, msg, CDN_NO_FACILITY, 0, "no room for more sessions");
		return;
	}
	calls[s].shared = calls[s].late = false;
	carry(s);
	avp_text(called, sizeof(called), &msg->called);
	avp_text(calling, sizeof(calling), &msg->calling);
	session_set_numbers(s, called, calling, msg->call_serial);
	for (i = 0; i < msg->n_line; i++)
		session_add_note(s, NOTE_LINE, msg->line[i].type, msg->line[i].val.p,
		    MIN(msg->line[i].val.len, NOTE_MAX));
	session_forwarding(s, false); /* where frames go is known now */
	timer_init(&calls[s].timer, on_call_timer, s);
	answer_call(t, s);
}

static void
keep_proxy_avp(sess_id s, const struct ctl_msg *msg, uint16_t type, const struct avp_val *v)
{
	if (CTL_HAS(msg, type))
		session_add_note(s, NOTE_PROXY, type, v->p, MIN(v->len, NOTE_MAX));
}

static void
set_speeds(sess_id s, const struct ctl_msg *msg)
{
	session_set_speeds(
	    s, msg->tx_speed, CTL_HAS(msg, AVP_RX_CONNECT_SPEED) ? msg->rx_speed : msg->tx_speed);
}

static void
take_iccn(sess_id s, const struct ctl_msg *msg)
{
	uint8_t numbers[3] = { (uint8_t)(msg->proxy_type >> 8), (uint8_t)msg->proxy_type,
		msg->proxy_id };

	set_speeds(s, msg);
	session_set_sequencing(s, CTL_HAS(msg, AVP_SEQUENCING_REQUIRED));
	keep_proxy_avp(s, msg, AVP_INITIAL_RECEIVED_LCP, &msg->initial_rx_lcp);
	keep_proxy_avp(s, msg, AVP_LAST_SENT_LCP, &msg->last_tx_lcp);
	keep_proxy_avp(s, msg, AVP_LAST_RECEIVED_LCP, &msg->last_rx_lcp);
	keep_proxy_avp(s, msg, AVP_PROXY_AUTHEN_NAME, &msg->proxy_name);
	keep_proxy_avp(s, msg, AVP_PROXY_AUTHEN_CHALLENGE, &msg->proxy_challenge);
	keep_proxy_avp(s, msg, AVP_PROXY_AUTHEN_RESPONSE, &msg->proxy_response);
	if (CTL_HAS(msg, AVP_PROXY_AUTHEN_TYPE) && CTL_HAS(msg, AVP_PROXY_AUTHEN_ID))
		session_add_note(s, NOTE_PROXY, AVP_PROXY_AUTHEN_TYPE, numbers, sizeof(numbers));
	open_call(s);
	frame_replay_early(s);
}

static void
take_cdn(sess_id s, const struct ctl_msg *msg)
{
	struct sess_end end = {
		.cause = TERM_USER_REQUEST,
		.result = msg->result,
		.error = msg->error,
		.disconnect = msg->disconnect_code,
	};
	char text[48];

	if (msg->result == CDN_LOST_CARRIER)
		end.cause = TERM_LOST_CARRIER;
	else if (msg->result == CDN_GENERAL)
		end.cause = TERM_PORT_ERROR;
	else if (msg->result == CDN_ADMIN)
		end.cause = TERM_ADMIN_RESET;
	avp_text(text, sizeof(text), &msg->error_message);
	snprintf(end.message, sizeof(end.message), "CDN %u/%u %s", msg->result, msg->error, text);
	l2tp_call_end(s, &end, false);
}

static void
take_wen(sess_id s, const struct ctl_msg *msg)
{
	(void)msg;
	slog(session_get(s), LOG_INFO, "WAN error notify from the LAC");
}

static void
take_sli(sess_id s, const struct ctl_msg *msg)
{
	slog(session_get(s), LOG_INFO, "SLI: ACCM send %08x receive %08x", (unsigned)msg->accm_send,
	    (unsigned)msg->accm_receive);
}

typedef void (*call_fn)(sess_id s, const struct ctl_msg *msg);

/* clang-format off */
static const call_fn call_table[CTL_TYPES][SESS_CLOSING + 1] = {
	[CTL_ICCN] = { [SESS_OPENING] = take_iccn },
	[CTL_CDN]  = { [SESS_OPENING] = take_cdn, [SESS_OPEN] = take_cdn, [SESS_CLOSING] = take_cdn },
	[CTL_WEN]  = { [SESS_OPENING] = take_wen, [SESS_OPEN] = take_wen, [SESS_CLOSING] = take_wen },
	[CTL_SLI]  = { [SESS_OPENING] = take_sli, [SESS_OPEN] = take_sli, [SESS_CLOSING] = take_sli },
};
/* clang-format on */

bool
l2tp_call_is_message(uint16_t type)
{
	return type == CTL_ICRP || type == CTL_OCRP || type == CTL_OCCN || type == CTL_ICCN ||
	       type == CTL_CDN || type == CTL_WEN || type == CTL_SLI;
}

sess_id
l2tp_call_of(tunn_id t, uint16_t wire_sid, const struct ctl_msg *msg)
{
	if (wire_sid)
		return session_by_wire(tunnel_get(t)->wire_tid, wire_sid);
	if (msg->type == CTL_CDN && CTL_HAS(msg, AVP_ASSIGNED_SESSION_ID))
		return session_by_peer(t, msg->assigned_sid);
	return 0;
}

void
l2tp_call_event(sess_id s, const struct ctl_msg *msg)
{
	const struct session *sess = session_get(s);
	call_fn fn;
	struct sess_end end = {
		.cause = TERM_PORT_ERROR,
		.result = CDN_GENERAL,
		.error = L2TP_ERR_VENDOR, /* what it is says the message */
		.message = "message in the wrong state",
	};

	hook_wake(s);
	fn = call_table[msg->type][sess->state];
	if (fn) {
		fn(s, msg);
		return;
	}
	if (msg->type == CTL_ICCN && calls[s].late) {
		calls[s].late = false;
		set_speeds(s, msg);
		return;
	}
	COUNT(control_unexpected);
	slog_limit(sess, LOG_WARNING, "%s in the wrong state", ctl_type_name(msg->type));
	if (sess->state != SESS_CLOSING) /* RFC 2661 7.4.2: clean up */
		l2tp_call_end(s, &end, true);
}

/* --- events of sessions --- */

void
l2tp_call_session(sess_id s, enum sess_event ev)
{
	if (ev == SESS_EV_UP)
		set_up_over(s);
	if (ev != SESS_EV_GONE)
		return;
	timer_stop(&calls[s].timer);
	stop_waiting(s);
	set_up_over(s);
	carry_no_more(s);
}

void
l2tp_call_adopt(sess_id s)
{
	const struct session *sess = session_get(s);

	timer_init(&calls[s].timer, on_call_timer, s);
	calls[s].shared = true;
	calls[s].late = false;
	calls[s].since_ds = loop_now_ds();
	carry(s);
	if (sess->state != SESS_OPENING)
		return;
	if (sess->answered)
		timer_set(&calls[s].timer, SEC(ICCN_SEC));
	else
		answer_call((tunn_id)sess->tunnel, s);
}

void
l2tp_call_yield(sess_id s)
{
	timer_stop(&calls[s].timer);
	stop_waiting(s);
	if (calls[s].counted)
		set_up--;
	calls[s].counted = false;
	carry_no_more(s);
}
