/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of sessions, summed up over all members. Of the group of cluster.c. */
#ifndef CLCOUNT_H
#define CLCOUNT_H

#include "hook.h"
#include "repl.h"

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

/*
 * A session ends: the other members are asked for what they have counted, and what they say
 * goes into its Stop, the last record with this key. How many ms that is to wait for it.
 */
uint32_t clcount_final(sess_id id, uint64_t key);

/* In front of the changes that tell of the end: sends what was asked. */
void clcount_flush(void);

#endif
