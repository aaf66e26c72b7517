/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records on their way to the servers: kept until they are acknowledged, each
 * session's in order, in bounded memory and then in the spill file.
 */
#ifndef ACCT_QUEUE_H
#define ACCT_QUEUE_H

#include "acct_spill.h"
#include "repl.h"

enum { ACCT_QUEUE_POOL = 16384 }; /* records in memory */

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

/*
 * The cluster. Each record has a number of who made it (its incarnation is the origin). The
 * subscriber hears of each that is added here or was amended, and of each that has arrived or
 * was given up.
 */
struct acct_watch {
	void (*added)(const struct acct_rec *rec);
	void (*gone)(uint64_t origin, uint32_t number);
	bool (*holds)(void); /* what it hears it tells at the end of the turn. NULL: never */
};

/* For the end of a turn, behind who tells: sends what was held for that. */
void acct_queue_turn_end(void);

/* NULL: nobody. */
void acct_queue_subscribe(const struct acct_watch *watch);

/* Our incarnation: the origin of records made from now on. */
void acct_queue_set_origin(uint64_t origin);

/* A record of the end of the process, which is told to nobody, gets its number. */
void acct_queue_number(struct acct_rec *rec);

/* What waits in memory: a place from 1 to the highest. False: it has nothing that others know of.
 */
uint32_t acct_queue_places(void);
bool acct_queue_place(uint32_t i, const struct acct_rec **rec, uint64_t *age_ms);

/* An earlier process has left something in the file; and: a master has all of that. */
bool acct_queue_has_left(void);
void acct_queue_left_told(void);

/*
 * On a slave: a record waits at the master, or (`done`) has arrived; on a master: one that steps
 * down, or joins, has it still to send. 1: so it is; 0: no news; -1: no room (counted).
 */
int acct_install(const struct repl_acct *r);

/* On a master: one that was offered is not to be sent, by nobody. */
void acct_refuse(const struct repl_acct *r);

/*
 * The role. A master sends what is here, in order; a slave sends nothing, and what it had to send
 * is the next master's.
 */
void acct_queue_role(bool master);

#endif
