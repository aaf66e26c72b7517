/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On a master that gets an OFFER of one that steps down: his sessions and tunnels into our tables,
 * beside what is there.
 */
#ifndef REPL_OFFER_H
#define REPL_OFFER_H

#include "repl_state.h"

/* Start-up. */
void repl_offer_init(void);

/* Our mastership begins: nothing was offered to it. */
void repl_offer_begin(void);

/*
 * Whether it is news is the caller's to know: versions of two masters cannot be compared. Taken
 * under another id when the place is not free, marked as changed, and adopted. INSTALL_OLD: another
 * of ours has the wire id. On a conflict of addresses the older session keeps it and the other one
 * gets another, or ends when its address was not the pool's. Tunnels come before their sessions.
 */
enum install session_offer(const struct repl_session *r);
enum install tunnel_offer(const struct repl_tunnel *r);

/* He has served it, and we, in whose place `ours` it is, have got no further than its login: the LAC
 * was with him. */
bool session_came_up_there(const struct repl_session *r, sess_id ours);

/* One that is not taken since we have gone on with it as well: the peer may believe what the other
 * master has told him. What he has to know otherwise he is told again. */
void session_agree(const struct repl_session *r);

/* Which of ours each of his tunnels is, in front of its sessions, whether or not it is taken. A
 * session whose tunnel is none of ours is not taken, whatever else has the tunnel's id here. */
void tunnel_match(const struct repl_tunnel *r);

/* Both of us went on with this one: the peer may have spoken with the other, so the numbers of the
 * control channel are found again as behind a takeover. */
void tunnel_resync(const struct repl_tunnel *r);

/* He has ended it, with a Stop: it goes without one, and without a word to the peer. INSTALL_OLD:
 * we have no such session. */
enum install session_ended_elsewhere(const struct repl_ended *r);

#endif
