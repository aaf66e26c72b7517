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

/* Takes a record of a session, or Accounting-Off. */
void acct_queue_add(const struct acct_rec *rec);

/* Accounting-On: behind what was left in the file, in front of all that comes now. */
void acct_queue_begin(const struct acct_rec *on);

/* Begins to send what was left in the file. */
void acct_queue_start(void);

/* Seconds that a record's `when` is told in: the wall clock at the start, and steady since. */
int64_t acct_queue_clock(void);

/*
 * Whether an Interim-Update of this session is worth making: not while a record of it is
 * waiting, which it would stand behind (RFC 2869 2.1), or while many are.
 */
bool acct_queue_takes_interim(uint64_t key);

/* Nothing is left to send. */
bool acct_queue_empty(void);

/* The end of the process: sends nothing more, and takes what answers are there. */
void acct_queue_close(void);

/*
 * After that: puts all into the new spill file (acct_spill_save_begin() was called), or with
 * `append` what the old one does not have.
 */
void acct_queue_save(bool append);

#endif
