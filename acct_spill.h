/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file in state_dir that accounting records wait in when memory should not hold them
 * all, and over a restart: first in, first out.
 */
#ifndef ACCT_SPILL_H
#define ACCT_SPILL_H

#include "rad_acct.h"
#include "radius.h"

/* A record as it waits: all that is needed to send it. */
struct acct_rec {
	uint8_t status;	 /* enum rad_acct_status */
	sess_id s;	 /* for people only; not kept in the file */
	uint64_t key;	 /* its session, as Acct-Session-Id has it; 0: none */
	int64_t when;	 /* acct_pool_clock(): what Acct-Delay-Time counts from */
	uint64_t origin; /* who has numbered it, the same on all members */
	uint32_t number; /* 0: none; then nobody else knows of it */
	bool amended;	 /* has other counters than when it was made */
	bool left;	 /* from the file: an earlier process has left it */
	uint16_t len;	 /* of attrs */
	uint8_t attrs[RADIUS_ACCT_ATTRS];
};

/*
 * Start-up: finds what was left in `dir`, counts it, cuts off a torn end, and says so. Once
 * more: starts over as a new process would.
 * Nothing is created there before there is something to keep.
 */
void acct_spill_open(const char *dir);

/*
 * Puts a record behind the others; one with the same origin and number is replaced. False when
 * memory is full, since the disk does not take it.
 */
bool acct_spill_add(const struct acct_rec *rec);

/* Writes out what was added; for the end of each turn. */
void acct_spill_flush(void);

/* Takes the first record out; false when there is none, or none was found yet: ask again. */
bool acct_spill_next(struct acct_rec *rec);

/* Whether such a record waits in it, and in which form. */
bool acct_spill_has(uint64_t origin, uint32_t number, bool *amended);

/* It has arrived from elsewhere: takes it out. False: it is not there. */
bool acct_spill_drop(uint64_t origin, uint32_t number);

/*
 * Looks at one record behind the other, in order, and takes none out. *pos begins at 0. 1: one
 * that waits; 0: one that does not any more, or none that is good; -1: the end.
 */
int acct_spill_look(uint64_t *pos, struct acct_rec *rec);

/* How far what an earlier process has left goes; 0: there is none any more. */
uint64_t acct_spill_left(void);

/* It is as any other from here on. */
void acct_spill_forget_left(void);

/* Records in it. */
uint64_t acct_spill_count(void);

/* All that was taken out has arrived: an empty file is truncated. */
void acct_spill_settled(void);

/*
 * The end of the process: a new file takes the place of the old one. First what is put by
 * acct_spill_save(), then, after acct_spill_save_rest(), what was still in the old one, and
 * then what is put again. False: the disk did not take it, and the old file is as it was.
 *
 * With `append`, for that case, all goes behind what is in the old file, as far as there is
 * room.
 */
void acct_spill_save_begin(bool append);
void acct_spill_save(const struct acct_rec *rec);
void acct_spill_save_rest(void);
bool acct_spill_save_end(void);

#endif
