/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of sessions, summed up over all members. Of the group of cluster.c. */
#ifndef CLCOUNT_H
#define CLCOUNT_H

#include "repl.h"

/* Start-up only. */
void clcount_init(uint32_t max_sessions);

/* What a full synchronisation tells of a session's counters; false: there is no such session. */
bool clcount_export(sess_id id, struct repl_count *c);
void clcount_install(const struct repl_count *c);

/*
 * A session ends: the other members are asked for what they have counted, and what they say
 * goes into its Stop, the last record with this key. How many ms that is to wait for it.
 */
uint32_t clcount_final(sess_id id, uint64_t key);

/* In front of the changes that tell of the end: sends what was asked. */
void clcount_flush(void);

#endif
