/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RADIUS accounting (RFC 2866): a Start, Interim-Updates and a Stop of each session. */
#ifndef ACCT_H
#define ACCT_H

#include "hook.h"

/* Tables, and what an earlier process has left in state_dir; behind radius_init(). */
void acct_init(void);

/* Session events, for the hook list, in front of those who give back what the session has. */
void acct_session(sess_id s, enum sess_event ev);

/* Hook member. */
extern const struct hook_member acct_member;

/*
 * Who is asked at each Stop, by session and the key of its records: how many ms it is to wait for
 * what other members of the cluster have counted. NULL: nobody.
 */
void acct_on_stop(uint32_t (*fn)(sess_id s, uint64_t key));

/* As a slave: the master made an Interim-Update of the session of these records so long ago. */
void acct_interim_made(uint64_t key, uint32_t age_ds);

/* The session of these records is accounted here, and goes on. */
bool acct_goes_on(uint64_t key);

/* We are the master, with no session: sends what was left over, then Accounting-On. */
void acct_begin(void);

/*
 * The master goes for good and has no sessions any more: true when all records have
 * arrived, Accounting-Off as the last of them. To be asked again and again.
 */
bool acct_finished(void);

/* The process ends: what has not arrived, and a Stop of each session there is, is kept. */
void acct_fini(void);

#endif
