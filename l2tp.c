/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tunnels: the automaton of RFC 2661 7.2.1 (control connection, the side that answers) as a
 * table of message by state, its timers, and which message is for whom; calls are
 * l2tp_call.c's. l2tp_chan.c delivers messages in order; avp.c has decoded them; tunnel.c
 * and session.c remember.
 *
 * A tunnel that ends is TUNNEL_DIEING until its sessions have been ended, a batch a
 * tick, and the peer has had a full retransmission cycle (5.7) or has acknowledged
 * our StopCCN. Who refuses what with which result code stands at each refusal.
 */
#include "l2tp.h"
#include "avp.h"
#include "change.h"
#include "config.h"
#include "counter.h"
#include "l2tp_call.h"
#include "l2tp_chan.h"
#include "l2tp_say.h"
#include "loop.h"
#include "role.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <string.h>

enum {
	MSG_MAX = 1400,
	CHALLENGE_LEN = 16,
	FULL_CYCLE_SEC = 31, /* RFC 2661 5.7 */
	OPEN_SEC = 60,	     /* for the peer to go on with what it began */
	END_BATCH = 256,     /* sessions ended in one tick */
	MOVE_BATCH = 1024,   /* sessions that follow their tunnel in one tick */
	HALF_OPEN_SHARE = 4, /* at most a quarter of the table */
	DEFAULT_WINDOW = 4,  /* RFC 2661 4.4.3, Receive Window Size */
	OUR_VERSION = 0x0100,
	FRAMING_BOTH = 3,
	FIRMWARE = 0x0300,
};

/* StopCCN result codes, RFC 2661 4.4.2. */
enum stop_result {
	STOP_CLEAR = 1,
	STOP_GENERAL = 2,
	STOP_NOT_AUTHORIZED = 4,
	STOP_VERSION = 5,
	STOP_SHUTDOWN = 6,
	STOP_FSM = 7,
};

/* What a tunnel has beside struct tunnel. */
struct control {
	struct timer hello;
	struct timer life; /* opening: give up; dieing: end sessions, then linger */
	uint8_t challenge[CHALLENGE_LEN];
	bool challenged; /* we sent that challenge */
	bool with_cdn;	 /* dieing: tell the peer of each call's end */
	uint8_t stop;	 /* dieing: result code of the StopCCN still to send; 0: none */
	uint16_t stop_error;
	bool stop_sent;
	bool lost;	   /* dieing: the peer did not answer */
	uint16_t replaces; /* opening: our id on the wire of the peer's tunnel from before it began
			      anew; 0: none */
	uint32_t born_ds;  /* 0.1 s of the loop clock */
	struct timer move; /* the peer speaks from elsewhere: its sessions follow */
	sess_id move_next;
	const char *stop_why;
};

static struct control *controls;
static struct ctl_msg msg; /* the message in hand */
static bool stopping;

static void on_hello(uint32_t t);
static void on_life(uint32_t t);
static void on_move(uint32_t t);
static void on_message(tunn_id t, uint16_t wire_sid, struct rd avps);
static void on_dead(tunn_id t);
static void on_drained(tunn_id t);

static const struct chan_events channel_events = {
	.message = on_message,
	.dead = on_dead,
	.drained = on_drained,
};

void
l2tp_init(void)
{
	controls =
	    shm_map_private("tunnel timers", (conf->max_tunnels + (size_t)1) * sizeof(*controls));
	l2tp_call_init();
	l2tp_chan_init(conf->max_tunnels, conf->max_sessions, &channel_events);
}

/* --- sending --- */

/* The name of the local end: of the list multi_hostname, by the address that was called. */
static const char *
host_name(const struct tunnel *t)
{
	static char name[HOSTNAME_LEN];
	const char *p = conf->multi_hostname;
	unsigned int skip = udp_local_index(t->local);

	while (skip > 0 && (p = strchr(p, ',')) != NULL) {
		p++;
		skip--;
	}
	if (!p || *p == '\0')
		return conf->hostname;
	p += strspn(p, " ");
	str_copy_n(name, sizeof(name), p, strcspn(p, ", "));
	return name;
}

static void
send_sccrp(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	struct control *c = &controls[t];
	uint8_t buf[MSG_MAX], response[16];
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_begin(&w, CTL_SCCRP);
	avp_put_u16(&w, AVP_MANDATORY, AVP_PROTOCOL_VERSION, OUR_VERSION);
	avp_put_u32(&w, AVP_MANDATORY, AVP_FRAMING_CAPABILITIES, FRAMING_BOTH);
	avp_put_u16(&w, 0, AVP_FIRMWARE_REVISION, FIRMWARE);
	avp_put_str(&w, AVP_MANDATORY, AVP_HOST_NAME, host_name(tun));
	avp_put_str(&w, 0, AVP_VENDOR_NAME, "l2tpns");
	l2tp_say_id(t, &w, AVP_ASSIGNED_TUNNEL_ID, tun->wire_tid);
	avp_put_u16(&w, AVP_MANDATORY, AVP_RECEIVE_WINDOW_SIZE, (uint16_t)conf->receive_window);
	if (c->challenged) {
		random_bytes(c->challenge, sizeof(c->challenge));
		avp_put(&w, AVP_MANDATORY, AVP_CHALLENGE, c->challenge, sizeof(c->challenge));
	}
	if (CTL_HAS(&msg, AVP_CHALLENGE)) {
		l2tp_response(
		    CTL_SCCRP, l2tp_secret(tun), msg.challenge.p, msg.challenge.len, response);
		avp_put(&w, AVP_MANDATORY, AVP_CHALLENGE_RESPONSE, response, sizeof(response));
	}
	l2tp_say(t, &w, 0);
}

static void
send_stopccn(tunn_id t)
{
	struct control *c = &controls[t];
	uint8_t buf[MSG_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_begin(&w, CTL_STOPCCN);
	l2tp_say_id(t, &w, AVP_ASSIGNED_TUNNEL_ID, tunnel_get(t)->wire_tid);
	avp_put_result(&w, c->stop, c->stop_error, c->stop_why);
	c->stop = 0;
	c->stop_sent = true;
	l2tp_say(t, &w, 0);
}

/* --- ends --- */

static void
stop_timers(struct control *c)
{
	timer_stop(&c->hello);
	timer_stop(&c->life);
	timer_stop(&c->move);
}

static void
free_tunnel(tunn_id t)
{
	struct control *c = &controls[t];

	tlog(tunnel_get(t), LOG_CALL, "tunnel is gone");
	stop_timers(c);
	l2tp_chan_close(t);
	*c = (struct control){ 0 };
	tunnel_free(t);
}

/* Why the sessions of a dieing tunnel end. */
static struct sess_end
end_with_tunnel(const struct control *c)
{
	struct sess_end end = {
		.cause = TERM_LOST_CARRIER,
		.result = CDN_LOST_CARRIER,
		.guess = c->lost,
	};

	if (c->with_cdn || c->stop) {
		end.cause = stopping ? TERM_NAS_REBOOT : TERM_ADMIN_RESET;
		end.result = CDN_ADMIN;
	}
	str_copy(end.message, sizeof(end.message), c->stop_why ? c->stop_why : "tunnel closed");
	return end;
}

/* One batch of sessions; true when none is left. */
static bool
end_sessions(tunn_id t)
{
	struct sess_end end = end_with_tunnel(&controls[t]);
	unsigned int i;
	sess_id s;

	for (i = 0; i < END_BATCH && (s = session_first_of_tunnel(t)); i++)
		l2tp_call_end(s, &end, controls[t].with_cdn);
	return session_first_of_tunnel(t) == 0;
}

static void
dieing(tunn_id t)
{
	struct control *c = &controls[t];

	if (!end_sessions(t)) {
		timer_set(&c->life, MS(TIMER_TICK_MS));
		return;
	}
	if (c->stop)
		send_stopccn(t);
	timer_set(&c->life, SEC(FULL_CYCLE_SEC));
}

/*
 * The tunnel ends: `result` is for the StopCCN we send, 0 to send none. Its sessions
 * end from the next tick on. `why` is a text that stays.
 */
static void
end_tunnel(tunn_id t, uint8_t result, uint16_t error, const char *why, bool with_cdn)
{
	struct control *c = &controls[t];
	const struct tunnel *tun = tunnel_get(t);

	hook_wake_for_tunnel(t);
	if (tun->state == TUNNEL_DIEING)
		return;
	tlog_limit(tun, LOG_WARNING, "tunnel to %s (%s) ends: %s", ip4_text(tun->peer_ip),
	    tun->hostname[0] ? tun->hostname : "no name yet", why);
	if (tun->state == TUNNEL_OPENING && result)
		COUNT(tunnel_refused);
	tunnel_set_state(t, TUNNEL_DIEING);
	timer_stop(&c->hello);
	c->stop = result;
	c->stop_error = error;
	c->stop_why = why;
	c->with_cdn = with_cdn;
	dieing(t);
}

void
l2tp_call_close(sess_id s)
{
	const struct session *sess = session_get(s);

	if (sess)
		l2tp_call_end(s, &sess->end, true);
}

void
l2tp_tunnel_close(tunn_id t)
{
	if (tunnel_get(t))
		end_tunnel(t, STOP_CLEAR, 0, "closed by the operator", true);
}

void
l2tp_session(sess_id s, enum sess_event ev)
{
	struct control *c = &controls[session_get(s)->tunnel];

	l2tp_call_session(s, ev);
	if (ev == SESS_EV_GONE && c->move_next == s)
		c->move_next = session_next_of_tunnel(s);
}

void
l2tp_stop(void)
{
	stopping = true;
	FOR_EACH_TUNNEL (t)
		end_tunnel(t, STOP_SHUTDOWN, 0, "shutting down", false);
}

/* Whether all is said, on both sides: such a tunnel stays for repetitions alone. */
static bool
is_over(tunn_id t)
{
	return tunnel_get(t)->state == TUNNEL_DIEING && !session_first_of_tunnel(t) &&
	       l2tp_chan_idle(t);
}

bool
l2tp_stopped(void)
{
	FOR_EACH_TUNNEL (t)
		if (!is_over(t))
			return false;
	return true;
}

/* --- timers and the channel's news --- */

static void
on_life(uint32_t t)
{
	const struct tunnel *tun = tunnel_get(t);

	if (!tun || !role_is_master())
		return;
	if (tun->state == TUNNEL_OPENING)
		end_tunnel(t, STOP_CLEAR, 0, "no SCCCN came", false);
	else if (tun->state == TUNNEL_DIEING && session_first_of_tunnel(t))
		dieing(t);
	else if (tun->state == TUNNEL_DIEING)
		free_tunnel(t);
}

static void
on_hello(uint32_t t)
{
	const struct tunnel *tun = tunnel_get(t);
	uint64_t silent, interval = SEC(conf->hello_interval);
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!tun || tun->state != TUNNEL_OPEN || !role_is_master())
		return;
	silent = (loop_now_ds() - tun->last_packet) * (uint64_t)100;
	if (silent < interval) {
		timer_set(&controls[t].hello, interval - silent);
		return;
	}
	timer_set(&controls[t].hello, interval);
	if (conf->disable_sending_hello || !l2tp_chan_idle(t))
		return;
	ctl_begin(&w, CTL_HELLO);
	l2tp_say(t, &w, 0);
}

void
l2tp_reconfigure(void)
{
	l2tp_call_reconfigure();
	FOR_EACH_TUNNEL (t) {
		const struct tunnel *tun = tunnel_get(t);

		if (tun->state == TUNNEL_OPEN && change_is_active(CHANGE_TUNNEL, t))
			timer_set_jitter(&controls[t].hello, MS(TIMER_TICK_MS));
	}
}

static void
on_dead(tunn_id t)
{
	if (tunnel_get(t)->state == TUNNEL_DIEING && !session_first_of_tunnel(t)) {
		free_tunnel(t);
		return;
	}
	COUNT(tunnel_timeout);
	l2tp_chan_close(t); /* nobody hears us: no StopCCN either */
	controls[t].lost = true;
	end_tunnel(t, 0, 0, "the peer does not answer", false);
}

static void
on_drained(tunn_id t)
{
	if (tunnel_get(t)->state == TUNNEL_DIEING && controls[t].stop_sent &&
	    !session_first_of_tunnel(t)) /* one may have been offered since */
		free_tunnel(t);
}

/* --- the control connection, RFC 2661 7.2.1 --- */

/* SCCRQ on a tunnel just made for it: why it cannot be taken, or NULL. */
static const char *
sccrq_refusal(const struct tunnel *t, uint8_t *result, uint16_t *error)
{
	*result = STOP_NOT_AUTHORIZED;
	*error = 0;
	if (stopping) {
		*result = STOP_SHUTDOWN;
		return "shutting down";
	}
	if (msg.protocol_version >> 8 != OUR_VERSION >> 8) {
		*result = STOP_VERSION;
		*error = OUR_VERSION; /* the highest we support (RFC 2661 4.4.2) */
		return "protocol version is not 1";
	}
	if (conf->require_tunnel_auth && l2tp_secret(t)[0] == '\0')
		return "tunnel authentication is required and no secret is configured";
	if (CTL_HAS(&msg, AVP_CHALLENGE) && l2tp_secret(t)[0] == '\0')
		return "challenged, and no secret is configured";
	return NULL;
}

static void
take_sccrq(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	char name[HOSTNAME_LEN], vendor[HOSTNAME_LEN];
	const char *why;
	uint16_t error;
	uint8_t result;

	if (timer_running(&controls[t].life)) {
		end_tunnel(t, STOP_FSM, 0, "a second SCCRQ in the tunnel", false);
		return;
	}
	avp_text(name, sizeof(name), &msg.host_name);
	avp_text(vendor, sizeof(vendor), &msg.vendor_name);
	tunnel_set_peer(t, name, vendor,
	    CTL_HAS(&msg, AVP_RECEIVE_WINDOW_SIZE) ? msg.window : DEFAULT_WINDOW,
	    msg.framing_capabilities);
	l2tp_call_set_carrier(t);
	why = sccrq_refusal(tun, &result, &error);
	if (why) {
		end_tunnel(t, result, error, why, false);
		return;
	}
	controls[t].challenged =
	    l2tp_secret(tun)[0] && (conf->require_tunnel_auth || CTL_HAS(&msg, AVP_CHALLENGE));
	timer_set(&controls[t].life, SEC(OPEN_SEC));
	send_sccrp(t);
}

/* The peer has proven itself in a new tunnel: what it had before it began anew is no more. */
static void
end_replaced(tunn_id t)
{
	tunn_id id = controls[t].replaces ? tunnel_by_wire(controls[t].replaces) : 0;
	const struct tunnel *old = tunnel_get(id), *tun = tunnel_get(t);

	if (old && old->state == TUNNEL_OPEN && old->peer_ip == tun->peer_ip &&
	    old->peer_tid == tun->peer_tid)
		end_tunnel(id, 0, 0, "the peer began anew", false);
	controls[t].replaces = 0;
}

static void
take_scccn(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	struct control *c = &controls[t];
	uint8_t want[16];

	if (c->challenged) {
		l2tp_response(
		    CTL_SCCCN, l2tp_secret(tun), c->challenge, sizeof(c->challenge), want);
		if (!CTL_HAS(&msg, AVP_CHALLENGE_RESPONSE) || msg.challenge_response.len != 16 ||
		    !secret_equal(want, msg.challenge_response.p, sizeof(want))) {
			end_tunnel(t, STOP_NOT_AUTHORIZED, 0, "wrong tunnel secret", false);
			return;
		}
	}
	timer_stop(&c->life);
	tunnel_set_state(t, TUNNEL_OPEN);
	COUNT(tunnel_created);
	tlog(tun, LOG_INFO, "tunnel to %s port %u (%s) is open", ip4_text(tun->peer_ip),
	    tun->peer_port, tun->hostname);
	timer_set_jitter(&c->hello, SEC(conf->hello_interval));
	end_replaced(t);
}

static void
take_stopccn(tunn_id t)
{
	tlog(tunnel_get(t), LOG_INFO, "StopCCN: result %u error %u %.*s", msg.result, msg.error,
	    (int)msg.error_message.len,
	    msg.error_message.p ? (const char *)msg.error_message.p : "");
	end_tunnel(t, 0, 0, "closed by the peer", false);
}

static void
take_nothing(tunn_id t)
{
	(void)t;
}

static void
take_ocrq(tunn_id t)
{
	l2tp_call_refuse(t, &msg, CDN_NO_FACILITY_EVER, 0, "outgoing calls are not made here");
}

/* RFC 5515: lines of the LAC's have trained anew. */
static void
take_csun(tunn_id t)
{
	unsigned int i;
	sess_id s;

	for (i = 0; i < msg.n_speed; i++) {
		s = session_by_wire(tunnel_get(t)->wire_tid, msg.speed[i].wire_sid);
		if (!s) {
			COUNT(control_unexpected); /* crossed with our CDN */
			continue;
		}
		slog(session_get(s), LOG_INFO, "connect speed is now %u/%u bit/s",
		    (unsigned)msg.speed[i].tx, (unsigned)msg.speed[i].rx);
		session_set_speeds(s, msg.speed[i].tx, msg.speed[i].rx);
	}
}

static void
take_icrq(tunn_id t)
{
	if (stopping)
		l2tp_call_refuse(t, &msg, CDN_ADMIN, 0, "shutting down");
	else
		l2tp_call_request(t, &msg);
}

typedef void (*tunnel_fn)(tunn_id t);

/* clang-format off */
static const tunnel_fn tunnel_table[CTL_TYPES][TUNNEL_STATES] = {
	[CTL_SCCRQ]   = { [TUNNEL_OPENING] = take_sccrq },
	[CTL_SCCCN]   = { [TUNNEL_OPENING] = take_scccn },
	[CTL_STOPCCN] = { [TUNNEL_OPENING] = take_stopccn, [TUNNEL_OPEN] = take_stopccn },
	[CTL_HELLO]   = { [TUNNEL_OPENING] = take_nothing, [TUNNEL_OPEN] = take_nothing },
	[CTL_ICRQ]    = { [TUNNEL_OPEN] = take_icrq },
	[CTL_OCRQ]    = { [TUNNEL_OPEN] = take_ocrq },
	[CTL_CSUN]    = { [TUNNEL_OPEN] = take_csun },
	[CTL_CSURQ]   = { [TUNNEL_OPEN] = take_nothing },
};
/* clang-format on */

static void
tunnel_event(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	tunnel_fn fn = tunnel_table[msg.type][tun->state];

	if (fn) {
		fn(t);
		return;
	}
	COUNT(control_unexpected);
	tlog_limit(tun, LOG_WARNING, "%s in state %s", ctl_type_name(msg.type),
	    tunnel_state_names[tun->state]);
	if (msg.type != CTL_STOPCCN)
		end_tunnel(t, STOP_FSM, 0, "message in the wrong state", false);
}

static bool
is_known(uint16_t type)
{
	return l2tp_call_is_message(type) || type == CTL_SCCRP ||
	       (type < CTL_TYPES &&
		   (tunnel_table[type][TUNNEL_OPENING] || tunnel_table[type][TUNNEL_OPEN]));
}

/* A message that cannot be understood ends the call it belongs to, or the tunnel. */
static void
refuse_message(tunn_id t, uint16_t wire_sid, enum ctl_result result)
{
	const struct tunnel *tun = tunnel_get(t);
	uint8_t error = (uint8_t)ctl_result_error(result);
	sess_id s = l2tp_call_is_message(msg.type) ? l2tp_call_of(t, wire_sid, &msg) : 0;
	struct sess_end end = {
		.cause = TERM_PORT_ERROR,
		.result = CDN_GENERAL,
		.error = error,
		.message = "bad message",
	};

	COUNT(control_malformed);
	tlog_limit(tun, LOG_WARNING, "%s refused: error %u at %s of vendor %u",
	    ctl_type_name(msg.type), error, avp_type_name(msg.bad_type), msg.bad_vendor);
	if (tun->state == TUNNEL_DIEING)
		return;
	if (msg.bad_vendor == 0 && msg.bad_type == AVP_CHALLENGE_RESPONSE)
		end_tunnel(t, STOP_NOT_AUTHORIZED, 0, "wrong tunnel secret", false);
	else if (msg.type == CTL_STOPCCN) /* whatever else it says, the peer goes */
		end_tunnel(t, 0, 0, "closed by the peer", false);
	else if (msg.type == CTL_CDN && s)
		l2tp_call_end(s, &end, false);
	else if (s)
		l2tp_call_end(s, &end, true);
	else if (msg.type == CTL_ICRQ && CTL_HAS(&msg, AVP_ASSIGNED_SESSION_ID))
		l2tp_call_refuse(t, &msg, CDN_GENERAL, error, "bad ICRQ");
	else if (!l2tp_call_is_message(msg.type))
		end_tunnel(t, STOP_GENERAL, error, "bad message", false);
}

/* --- input --- */

static void
on_message(tunn_id t, uint16_t wire_sid, struct rd avps)
{
	const struct tunnel *tun = tunnel_get(t);
	enum ctl_result result = ctl_decode(avps, l2tp_secret(tun), &msg);
	sess_id s;

	tlog(tun, LOG_INFO, "%s from %s session %u", ctl_type_name(msg.type),
	    ip4_text(tun->peer_ip), wire_sid);
	if (result != CTL_OK) {
		refuse_message(t, wire_sid, result);
		return;
	}
	if (tun->state == TUNNEL_DIEING)
		return;
	if (msg.revealed)
		tunnel_set_hides(t);
	if (!is_known(msg.type)) {
		COUNT(control_unknown);
		if (msg.type_mandatory)
			end_tunnel(
			    t, STOP_GENERAL, L2TP_ERR_UNKNOWN_AVP, "unknown message type", false);
		return;
	}
	if (!l2tp_call_is_message(msg.type)) {
		tunnel_event(t);
		return;
	}
	s = l2tp_call_of(t, wire_sid, &msg);
	if (s)
		l2tp_call_event(s, &msg);
	else
		COUNT(control_unexpected); /* crossed with our CDN */
}

/* Such a one has no sessions, unless a record errs: then these end first. */
static void
drop_half_open(tunn_id t)
{
	if (session_first_of_tunnel(t))
		end_tunnel(t, STOP_CLEAR, 0, "it has sessions, and is not open", false);
	else
		free_tunnel(t);
}

/* Makes room in the table by the rules of SPEC 5. */
static void
make_room(void)
{
	tunn_id t;

	if (tunnel_half_open() >= MAX(conf->max_tunnels / HALF_OPEN_SHARE, 1)) {
		COUNT(tunnel_halfopen_dropped);
		drop_half_open(tunnel_oldest_half_open());
	}
	t = tunnel_oldest_dieing();
	if (tunnel_count() >= conf->max_tunnels && t && !session_first_of_tunnel(t))
		free_tunnel(t);
}

/* Decodes an SCCRQ into `msg`: the secret, for what is hidden in it, may hang on the name it bears.
 */
static enum ctl_result
decode_first(uint32_t peer_ip, struct rd avps, char name[HOSTNAME_LEN])
{
	const struct conf_lac *lac = config_lac(peer_ip, ""), *named;
	enum ctl_result result = ctl_decode(avps, lac ? lac->secret : conf->l2tp_secret, &msg);

	name[0] = '\0';
	if (!CTL_HAS(&msg, AVP_HOST_NAME))
		return result;
	avp_text(name, HOSTNAME_LEN, &msg.host_name);
	named = config_lac(peer_ip, name);
	return named == lac ? result : ctl_decode(avps, named->secret, &msg);
}

/* Answers an SCCRQ for which there is no tunnel, once and without keeping anything. */
static void
refuse_sccrq(
    const struct pkt *pkt, const struct l2tp_hdr *h, enum l2tp_error error, const char *why)
{
	uint8_t buf[128];
	struct wr w = wr_init(buf, sizeof(buf));
	size_t len;

	ctl_begin(&w, CTL_STOPCCN);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, (uint16_t)(random_u16() | 1));
	avp_put_result(&w, STOP_GENERAL, (uint16_t)error, why);
	len = ctl_end(&w, msg.assigned_tid, 0);
	ctl_set_sequence(buf, 0, (uint16_t)(h->ns + 1));
	udp_send(pkt->local, pkt->from_ip, pkt->from_port, buf, len);
}

/* The tunnel for an SCCRQ that is not a repeated one; 0 when the table is full. */
static tunn_id
make_tunnel(const struct pkt *pkt, const char *name, tunn_id replaces)
{
	struct control *c;
	tunn_id t;

	make_room();
	t = tunnel_new(pkt->from_ip, pkt->from_port, msg.assigned_tid, pkt->local);
	if (!t)
		return 0;
	c = &controls[t];
	*c = (struct control){ .born_ds = loop_now_ds() };
	if (replaces)
		c->replaces = tunnel_get(replaces)->wire_tid;
	timer_init(&c->hello, on_hello, t);
	timer_init(&c->life, on_life, t);
	timer_init(&c->move, on_move, t);
	tunnel_set_peer(t, name, "", DEFAULT_WINDOW, 0);
	l2tp_chan_open(t);
	return t;
}

/* Too old for its SCCRQ to come again: the LAC has started afresh and does not know it any more. */
static bool
outlived(tunn_id t)
{
	return tunnel_get(t)->state == TUNNEL_OPEN &&
	       loop_now_ds() - controls[t].born_ds > FULL_CYCLE_SEC * 10;
}

/* A packet for tunnel 0: only an SCCRQ may be that. */
static int
new_tunnel(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps)
{
	char name[HOSTNAME_LEN];
	enum ctl_result result = decode_first(pkt->from_ip, avps, name);
	tunn_id t;

	if (rd_left(&avps) == 0 || msg.type != CTL_SCCRQ)
		return DROP(rx_unknown_tunnel, "%s for tunnel 0 from %s", ctl_type_name(msg.type),
		    ip4_text(pkt->from_ip));
	if (!CTL_HAS(&msg, AVP_ASSIGNED_TUNNEL_ID) || msg.assigned_tid == 0) {
		refuse_sccrq(pkt, h, ctl_result_error(result), "bad SCCRQ");
		return DROP(
		    control_malformed, "SCCRQ from %s without tunnel id", ip4_text(pkt->from_ip));
	}
	if (h->ns != 0)
		return DROP(control_outside_window, "SCCRQ from %s with Ns %u",
		    ip4_text(pkt->from_ip), h->ns);
	t = tunnel_by_peer(pkt->from_ip, pkt->from_port, msg.assigned_tid);
	if (!t || outlived(t))
		t = make_tunnel(pkt, name, t);
	if (!t) {
		refuse_sccrq(pkt, h, L2TP_ERR_RESOURCES, "no room for more tunnels");
		return DROP(tunnel_refused, "table full, SCCRQ from %s", ip4_text(pkt->from_ip));
	}
	l2tp_chan_input(t, h, avps);
	return 0;
}

/* --- a peer that moves --- */

/* The peer of the tunnel speaks from elsewhere: the next sessions send there. One batch a tick. */
static void
on_move(uint32_t t)
{
	struct control *c = &controls[t];
	unsigned int i;

	if (!c->move_next)
		return;
	for (i = 0; i < MOVE_BATCH && c->move_next; i++) {
		session_follow_tunnel(c->move_next);
		c->move_next = session_next_of_tunnel(c->move_next);
	}
	timer_set(&c->move, MS(TIMER_TICK_MS));
}

/* A NAT has changed its mapping (SPEC 5). */
static void
follow_peer(tunn_id t, const struct pkt *pkt)
{
	struct control *c = &controls[t];

	COUNT(tunnel_moved);
	tlog_limit(tunnel_get(t), LOG_WARNING, "the peer is now at %s port %u",
	    ip4_text(pkt->from_ip), pkt->from_port);
	tunnel_set_address(t, pkt->from_ip, pkt->from_port);
	c->move_next = session_first_of_tunnel(t);
	if (!timer_running(&c->move))
		on_move(t);
}

void
l2tp_control(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps)
{
	tunn_id t = tunnel_by_wire(h->wire_tid);
	const struct tunnel *tun = tunnel_get(t);

	if (h->wire_tid == 0) {
		new_tunnel(pkt, h, avps);
		return;
	}
	if (!tun) {
		(void)DROP(
		    rx_unknown_tunnel, "tunnel %u from %s", h->wire_tid, ip4_text(pkt->from_ip));
		return;
	}
	if (tun->peer_ip != pkt->from_ip && !conf->auth_tunnel_change_addr_src) {
		(void)DROP(
		    rx_wrong_source, "tunnel %u from %s", h->wire_tid, ip4_text(pkt->from_ip));
		return;
	}
	if ((tun->peer_port != pkt->from_port || tun->peer_ip != pkt->from_ip) &&
	    l2tp_chan_judge(t, h, rd_left(&avps) == 0) == CHAN_IN_WINDOW)
		follow_peer(t, pkt);
	tunnel_seen(t);
	l2tp_chan_input(t, h, avps);
}

/* --- the cluster --- */

static void
export_tunnel(tunn_id t, struct repl_tunnel *r)
{
	const struct control *c = &controls[t];
	struct chan_state st;

	l2tp_chan_export(t, &st);
	r->chan_open = st.open;
	r->ns = st.ns;
	r->nr = st.nr;
	r->acked = st.acked;
	r->high = st.high;
	r->hides = tunnel_get(t)->hides;
	r->age_ds = loop_now_ds() - c->born_ds;
	if (tunnel_get(t)->state != TUNNEL_OPENING)
		return;
	r->challenged = c->challenged;
	r->replaces = c->replaces;
	memcpy(r->challenge, c->challenge, sizeof(r->challenge));
}

static void
install_tunnel(tunn_id t, const struct repl_tunnel *r)
{
	const struct chan_state st = {
		.ns = r->ns, .nr = r->nr, .acked = r->acked, .high = r->high, .open = r->chan_open
	};
	struct control *c = &controls[t];

	l2tp_chan_install(t, &st);
	c->challenged = r->challenged;
	c->replaces = r->replaces;
	c->born_ds = loop_now_ds() - r->age_ds;
	memcpy(c->challenge, r->challenge, sizeof(c->challenge));
}

/* Its sessions send to where the peer is now; those that come later know. */
static void
follow_installed(tunn_id t)
{
	struct control *c = &controls[t];
	const struct tunnel *tun = tunnel_get(t);
	sess_id s = session_first_of_tunnel(t);

	if (!s || (session_fast(s)->peer_ip == tun->peer_ip &&
		      session_fast(s)->peer_port == htons(tun->peer_port)))
		return;
	c->move_next = s;
	timer_init(&c->move, on_move, t);
	on_move(t);
}

static void
install_and_follow(tunn_id t, const struct repl_tunnel *r)
{
	install_tunnel(t, r);
	follow_installed(t);
}

static void
remove_tunnel(tunn_id t)
{
	stop_timers(&controls[t]);
	l2tp_chan_close(t);
	controls[t] = (struct control){ 0 };
}

/* A tunnel that was ending goes on with that: whether the peer was told is in the queue. */
static void
end_adopted(tunn_id t)
{
	struct control *c = &controls[t];

	c->stop_why = "its end was begun by another master";
	c->with_cdn = true;
	c->stop = session_first_of_tunnel(t) ? STOP_CLEAR : 0;
	c->stop_sent = !c->stop;
	timer_set(&c->life, c->stop ? MS(TIMER_TICK_MS) : SEC(FULL_CYCLE_SEC));
}

static void
adopt_tunnel(tunn_id t)
{
	const struct tunnel *tun = tunnel_get(t);
	struct control *c = &controls[t];

	timer_init(&c->hello, on_hello, t);
	timer_init(&c->life, on_life, t);
	if (!timer_running(&c->move))
		timer_init(&c->move, on_move, t);
	l2tp_call_set_carrier(t);
	l2tp_chan_adopt(t);
	if (tun->state == TUNNEL_OPENING)
		timer_set(&c->life, SEC(OPEN_SEC));
	else if (tun->state == TUNNEL_OPEN)
		timer_set_jitter(&c->hello, SEC(conf->hello_interval));
	else
		end_adopted(t);
}

static void
yield_tunnel(tunn_id t)
{
	struct control *c = &controls[t];

	timer_stop(&c->hello);
	timer_stop(&c->life);
	l2tp_chan_yield(t);
}

static void
remove_call(sess_id s)
{
	struct control *c = &controls[session_get(s)->tunnel];

	if (c->move_next == s)
		c->move_next = session_next_of_tunnel(s);
}

const struct hook_member l2tp_member = {
	.remove = remove_call,
	.adopt = l2tp_call_adopt,
	.yield = l2tp_call_yield,
};

const struct hook_tunnel_member l2tp_tunnel_member = {
	.export = export_tunnel,
	.install = install_and_follow,
	.remove = remove_tunnel,
	.adopt = adopt_tunnel,
	.yield = yield_tunnel,
	.message = l2tp_chan_message,
	.untold = l2tp_chan_untold,
	.keep = l2tp_chan_keep,
};
