/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far this member knows the accounting records of each origin: up to which number it has
 * been told of all. So one of those that does not wait here has arrived.
 */
#ifndef ACCT_MARK_H
#define ACCT_MARK_H

#include "l2tpns.h"

enum { ACCT_MARKS = 64 }; /* origins; who has made no record for longest is forgotten */

/* Start-up. */
void acct_mark_init(void);

/* Up to which number all records of the origin are known; 0: none. */
uint32_t acct_mark(uint64_t origin);

/* A record was told in order: the next one moves the mark, one behind a gap does not. */
void acct_mark_next(uint64_t origin, uint32_t number);

/* All up to here have been told. */
void acct_mark_set(uint64_t origin, uint32_t number);

/* One has arrived. */
void acct_mark_arrived(uint64_t origin, uint32_t number);

/* A record that does not wait here has arrived, as far as we know. */
bool acct_mark_is_over(uint64_t origin, uint32_t number);

/* The marks, for others: *pos begins at 0; false at the end. */
bool acct_mark_each(unsigned int *pos, uint64_t *origin, uint32_t *number);

#endif
