/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places in memory for accounting records that wait. Of the group of acct_queue.c.
 */
#ifndef ACCT_POOL_H
#define ACCT_POOL_H

#include "acct_spill.h"
#include "ll.h"
#include "timer.h"

enum { ACCT_POOL = 16384 }; /* records in memory */

/*
 * COPY: the master's, or ours before we stepped down. HELD: goes to the file when it is final.
 * OVER: has arrived, but radius.c has it.
 */
enum acct_place_state {
	ACCT_PLACE_FREE,
	ACCT_PLACE_READY,
	ACCT_PLACE_SENT,
	ACCT_PLACE_WAITING,
	ACCT_PLACE_BEHIND,
	ACCT_PLACE_COPY,
	ACCT_PLACE_HELD,
	ACCT_PLACE_OVER
};

struct acct_place {
	struct timer timer;  /* of one that waits */
	struct id_link link; /* in a list of acct_line.c */
	int64_t born_ms;     /* loop clock of what it tells of; before the start: negative */
	uint32_t next;	     /* the next one of its session; of a free one, the next free */
	uint8_t state;	     /* enum acct_place_state */
	uint8_t rounds;	     /* not answered so often */
	uint32_t asked;	     /* servers, see rad_server_next() */
	bool spilled;	     /* stands in the file still */
	bool flying;	     /* radius.c has it */
	bool untold;	     /* others have it as it was */
	struct acct_rec rec;
};

/* Start-up. Calls when the timer of a place has run out, and when a place has become free. */
void acct_pool_init(void (*wait_over)(uint32_t i), void (*released)(void));

/* Seconds that a record's `when` is told in: the wall clock at the start, and steady since. */
int64_t acct_pool_clock(void);

/* A place, from 1 on; the first one is nobody's and always free. */
struct acct_place *acct_place(uint32_t i);

/* Those above were never used; so many are. */
uint32_t acct_pool_highest(void);
uint32_t acct_pool_used(void);

/* Puts a record into a place, in no state yet. There must be room. */
uint32_t acct_pool_take(const struct acct_rec *rec);

/* It came from the file and stands there until it has arrived. */
void acct_pool_set_spilled(uint32_t i);

/* Where the record of this number lies; 0: not here. Nobody finds it any more. */
uint32_t acct_pool_find(uint64_t origin, uint32_t number);
void acct_pool_hide(uint32_t i);

/* Its place is free. */
void acct_pool_release(uint32_t i);

/* When none of these stands in the file any more, what was taken out of that has arrived. */
void acct_pool_settle(void);

/* How old a record is; and whether it is too old to be sent. */
uint64_t acct_pool_age_ms(uint32_t i);
bool acct_pool_is_too_old(uint32_t i);

/* What others know of a place; false: nothing. */
bool acct_pool_look(uint32_t i, const struct acct_rec **rec, uint64_t *age_ms);

/* The counter of what waits, here and in the file. */
void acct_pool_gauge(void);

#endif
