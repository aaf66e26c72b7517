/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saying something to a tunnel's peer; for l2tp.c and l2tp_call.c. */
#ifndef L2TP_SAY_H
#define L2TP_SAY_H

#include "l2tpns.h"
#include "wire.h"

struct tunnel;

/*
 * Ends the message that ctl_begin() has begun in `w` and queues it in the tunnel's channel.
 * `peer_sid` is the LAC's session id, 0 for the control connection. What cannot be queued is
 * logged.
 */
void l2tp_say(tunn_id t, struct wr *w, uint16_t peer_sid);

/*
 * Writes an AVP with an id of ours: hidden (RFC 2661 4.3) from a peer that hides what it sends,
 * which shows that it knows the secret.
 */
void l2tp_say_id(tunn_id t, struct wr *w, uint16_t type, uint16_t id);

/* The secret shared with the tunnel's peer: of its `lac` line, else the common one. "": none. */
const char *l2tp_secret(const struct tunnel *t);

#endif
