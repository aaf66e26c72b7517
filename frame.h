/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP frames in L2TP data packets: the header towards the LAC (RFC 2661 3.1), data
 * sequence numbers (5.4), and frames that came before their call was up.
 */
#ifndef FRAME_H
#define FRAME_H

#include "hook.h"
#include "session.h"
#include "wire.h"

/* Tables beside the session table. After session_init(). */
void frame_init(void);

/*
 * Sends an IP packet that has PKT_HEADROOM octets free in front; they are written,
 * and the packet must stay until udp_flush(). Counts nothing.
 */
void frame_send_ip(struct sess_fast *f, sess_id s, uint8_t *data, size_t len);

/* Sends a copy of a PPP frame: protocol number and information field. */
void frame_send(sess_id s, uint16_t protocol, const void *data, size_t len);

/* A data packet's Ns came in: false when it is late or repeated and must be dropped. */
bool frame_in_sequence(sess_id s, uint16_t ns);

/* Keeps a copy of a frame for a call that is not up yet; full or large ones are counted and lost.
 */
void frame_keep_early(sess_id s, struct rd frame);

/* Whether there are any; gives them to hook_frame() in order, and forgets them; or only forgets. */
bool frame_has_early(sess_id s);
void frame_replay_early(sess_id s);
void frame_drop_early(sess_id s);

/* A new master goes on with the numbers of a session that wants them. */
extern const struct hook_member frame_member;

/* Session events: forgets what is kept for one that goes. */
void frame_session(sess_id s, enum sess_event ev);

#endif
