/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Incoming calls of tunnels, RFC 2661 7.4.2, LNS; for l2tp.c. */
#ifndef L2TP_CALL_H
#define L2TP_CALL_H

#include "hook.h"

struct ctl_msg;

/* CDN result codes, RFC 2661 4.4.2. */
enum cdn_result {
	CDN_LOST_CARRIER = 1,
	CDN_GENERAL = 2,
	CDN_ADMIN = 3,
	CDN_NO_FACILITY = 4,
	CDN_NO_FACILITY_EVER = 5,
	CDN_NOT_IN_TIME = 10,
};

/* After tunnel_init() and session_init(). */
void l2tp_call_init(void);

/* ICRQ in an open tunnel: makes the session, or refuses it with a CDN. */
void l2tp_call_request(tunn_id t, const struct ctl_msg *msg);

/* Refuses, with a CDN, a call that never became a session; one without a session id, without. */
void l2tp_call_refuse(
    tunn_id t, const struct ctl_msg *msg, uint16_t result, uint16_t error, const char *why);

/* Whether messages of this type are of a call. */
bool l2tp_call_is_message(uint16_t type);

/*
 * The session a call message is for: by our id in its header, else (a CDN may) by the LAC's.
 * 0: none.
 */
sess_id l2tp_call_of(tunn_id t, uint16_t wire_sid, const struct ctl_msg *msg);

/* A call message for this session; one in the wrong state ends it. */
void l2tp_call_event(sess_id s, const struct ctl_msg *msg);

/* The session ends, is accounted and freed; `cdn`: the LAC is told. */
void l2tp_call_end(sess_id s, const struct sess_end *end, bool cdn);

/* The peer's name or address is known now: whose `lac` line its sessions count for. */
void l2tp_call_set_carrier(tunn_id t);

/* The `lac` lines have changed. */
void l2tp_call_reconfigure(void);

/* A session is up, or gone. */
void l2tp_call_session(sess_id s, enum sess_event ev);

/* See struct hook_member. */
void l2tp_call_adopt(sess_id s);
void l2tp_call_yield(sess_id s);

#endif
