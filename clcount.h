/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of sessions, summed up over all members. Of the group of cluster.c. */
#ifndef CLCOUNT_H
#define CLCOUNT_H

#include "clsum.h"
#include "hook.h"
#include "repl.h"

enum { CLCOUNT_MEMBERS = REPL_MEMBERS - 1 }; /* places of others */

/* Start-up only. */
void clcount_init(uint32_t max_sessions);

/* How far each member is in a session's counters, as we know it; false: there is no such session.
 */
bool clcount_export(sess_id id, struct repl_count *c);

/* The same as another member knows it: of two figures the higher one counts. It is for the session
 * with that number (repl_count.unique), whatever id that has here. */
void clcount_merge(const struct repl_count *c);

/* A session's record comes and goes: what has been counted here stays with its number. */
extern const struct hook_member clcount_member;
void clcount_session(sess_id s, enum sess_event ev);

/* We are about to end: all is told at shorter intervals; and right at the end, what is new. */
void clcount_leave(void);
void clcount_tell_last(void);

/* For clfinal.c: what a member, by its place, has told of a session. */
struct clsum clcount_told(unsigned int member, sess_id id);

#endif
