/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and routes of sessions: chosen at login, reachable while up, given back
 * at the end. Keeps pool, lookup table and the kernel's routes in step.
 */
#ifndef ADDR_H
#define ADDR_H

#include "hook.h"

/* Behind session_init(). */
void addr_init(void);

/* The pool that was staged comes into force, and the kernel's routes to its networks with it. */
void addr_commit_pool(void);

/*
 * Gives the session its address, netmask and routes as the login's answer says. When
 * that asks for "what the client wants" (255.255.255.255), none is given yet. -1 with
 * a reason in *why.
 */
int addr_assign(sess_id s, const struct auth_result *res, const char **why);

/* The address the client asked for if it is free and of the named pool, else another of it. -1:
 * none. */
int addr_assign_wanted(sess_id s, uint32_t wanted, const char *pool);

/* Hook session: kernel routes at UP; everything given back at DOWN. */
void addr_session(sess_id s, enum sess_event ev);

/*
 * A passive session: has the address and routes that its record says, whoever had them before, and
 * the kernel's routes when it is `up` (SESS_EV_UP was raised); and gives them back, before the
 * record changes or goes.
 */
void addr_mirror(sess_id s, bool up);
void addr_unmirror(sess_id s);

/*
 * The same session's address `old` of the pool has another owner: takes another one of that pool.
 * False: there is none, or the address was not the pool's to give.
 */
bool addr_replace(sess_id s, uint32_t old, bool up);

#endif
