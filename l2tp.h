/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels and incoming calls, the LNS side of RFC 2661. Functions are for the hook list and for
 * main. */
#ifndef L2TP_H
#define L2TP_H

#include "hook.h"

/* After tunnel_init() and session_init(). */
void l2tp_init(void);

/* Hook control: a control packet. */
void l2tp_control(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps);

/* Hook call_close: sends CDN with what session_set_end() remembered, and frees the session. */
void l2tp_call_close(sess_id s);

/* Hook tunnel_close: CDN for each session, then StopCCN. */
void l2tp_tunnel_close(tunn_id t);

/* Hook session. */
void l2tp_session(sess_id s, enum sess_event ev);

/* Hook members. */
extern const struct hook_member l2tp_member;
extern const struct hook_tunnel_member l2tp_tunnel_member;

/*
 * No more calls; StopCCN to all. l2tp_stopped(): every tunnel is gone, or is there for repetitions
 * of its last words alone.
 */
void l2tp_stop(void);
bool l2tp_stopped(void);

/* Settings that tunnels go by have changed: hello_interval, `lac` lines. */
void l2tp_reconfigure(void);

#endif
