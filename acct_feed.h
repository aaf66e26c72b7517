/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records on their way to the spill file and back: which ones go there, and when they
 * come from it. Of the group of acct_queue.c.
 */
#ifndef ACCT_FEED_H
#define ACCT_FEED_H

#include "acct_spill.h"

/* Start-up. */
void acct_feed_init(void);

/* Whether new records go to the file; and puts one there. False: the disk does not take it. */
bool acct_feed_is_due(void);
bool acct_feed_put(const struct acct_rec *rec);

/* It goes to the file, but its counters may be amended for so long. */
void acct_feed_hold(const struct acct_rec *rec, uint32_t ms);

/* The record of a session that is held so; 0: none is. */
uint32_t acct_feed_held(uint64_t key);

/* One that is held is final: it goes to the file, or, when there is no room, is sent from here. */
void acct_feed_put_off(uint32_t i);

/* Whether nothing is in the file, and so little in memory that it may be fed. */
bool acct_feed_is_calm(void);

/* Some of what is in the file comes to memory, when that has room. */
void acct_feed_soon(void);

/* An Accounting-On is to be sent behind what is in the file now. */
void acct_feed_begin(const struct acct_rec *on);

/* The role: those that are held become copies, and no Accounting-On is to be sent. */
void acct_feed_step_down(void);

/* An earlier process has left something in the file; and: a master has all of that. */
bool acct_feed_has_left(void);
void acct_feed_left_told(void);

#endif
