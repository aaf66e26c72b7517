/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line in front of the RADIUS servers: which accounting record is sent when, and what becomes
 * of it. Of the group of acct_queue.c. A record is named by its place (acct_pool.h).
 */
#ifndef ACCT_LINE_H
#define ACCT_LINE_H

#include "acct_pool.h"

/* Start-up, behind acct_pool_init(). */
void acct_line_init(void);

/* A record stands behind the last one of its session; or else it is to be sent. */
void acct_line_add(uint32_t i);

/* One that was just added waits for so long, if nothing stands in front of it. 0: it does not. */
void acct_line_delay(uint32_t i, uint32_t ms);

/* It has waited: it goes in front of those that came later. */
void acct_line_again(uint32_t i);

/* The last record of a session; 0: none waits. */
uint32_t acct_line_last(uint64_t key);

/*
 * An Accounting-On is to come: what is added behind it is held until it has arrived, or so long.
 * This is the one.
 */
void acct_line_expect_on(uint32_t ms);
void acct_line_set_on(uint32_t i);

/* Sends what may be sent; or, where others are told first, at the end of the turn. */
void acct_line_pump(void);

/* For the end of a turn, behind who tells: sends what was held for that. */
void acct_line_turn_end(void);

/* On a slave: a copy of what waits at the master; and the same has arrived. */
void acct_line_keep_copy(uint32_t i);
void acct_line_drop_copy(uint32_t i);

/* The role: all that stands in line becomes copies, and the other way round. */
void acct_line_step_down(void);
void acct_line_take_over(void);

/* The end of the process: sends nothing more, and takes what answers are there. */
void acct_line_close(void);

#endif
