/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records on their way to the servers: kept until they are acknowledged, each
 * session's in order, in bounded memory and then in the spill file.
 */
#ifndef ACCT_QUEUE_H
#define ACCT_QUEUE_H

#include "acct_spill.h"

/* Start-up, behind radius_init(). */
void acct_queue_init(void);

/* Takes a record of a session, or Accounting-Off, and gives it its number. */
void acct_queue_add(struct acct_rec *rec);

/*
 * The same for one whose counters may be amended for so many ms: it is sent after that, or when it
 * is released. Both are about the last record of a session, and nothing when that was sent.
 */
void acct_queue_add_held(struct acct_rec *rec, uint32_t ms);
void acct_queue_amend(uint64_t key, const struct rad_moved *more);
void acct_queue_release(uint64_t key);

/* Begins to send what was left in the file. */
void acct_queue_start(void);

/*
 * Whether an Interim-Update of this session is worth making: not while a record of it is
 * waiting, which it would stand behind (RFC 2869 2.1), or while many are.
 */
bool acct_queue_takes_interim(uint64_t key);

/* Nothing is left to send. */
bool acct_queue_empty(void);

/*
 * The end of the process, after acct_line_close(): puts all into the new spill file
 * (acct_spill_save_begin() was called), or with `append` what the old one does not have.
 */
void acct_queue_save(bool append);

/*
 * The role. A master sends what is here, in order; a slave sends nothing, and what it had to send
 * is the next master's.
 */
void acct_queue_role(bool master);

#endif
