/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of each session the usage files have told, and the numbers of their runs. Of the group
 * of usage.c.
 */
#ifndef USAGE_REPORT_H
#define USAGE_REPORT_H

#include "l2tpns.h"
#include "usage_sum.h"

#include <stdatomic.h>

enum { USAGE_RUN_STEP = 2 }; /* numbers of runs are even, and not 0 */

/* What the child of a run has counted of a session. */
struct usage_report {
	struct usage n;
	struct usage own; /* how much of it this member's files have told */
	uint32_t unique;  /* which session of that id */
	_Atomic uint32_t run;
};

/* Start-up. */
void usage_report_init(void);

/* A new run gets its number; the last one that did; the last one that succeeded, 0: none. */
uint32_t usage_report_new_run(void);
uint32_t usage_report_last_run(void);
uint32_t usage_report_committed(void);

/* Another member has given out this number. */
void usage_report_seen_run(uint32_t run);

/* The reports of this run are in force now; those that were are the next run's to write. */
void usage_report_turn(uint32_t run);

/* A session's place among the reports in force, and among those that are being written. */
struct usage_report *usage_report_good(sess_id id);
struct usage_report *usage_report_next(sess_id id);

/* The place of a run's report: among those in force if it is the one that succeeded. */
struct usage_report *usage_report_of_run(sess_id id, uint32_t run);

/* What the files have told of a session. */
struct usage usage_report_baseline(sess_id id, uint32_t unique);

/*
 * In the child: counts a session that has moved so much, and has *left to tell. False: it has just
 * ended, and the parent has been first.
 */
bool usage_report_count(sess_id id, uint32_t unique, struct usage now, struct usage *left);

/* In the parent: whether the child at work counts it, and how much; if not it never will. */
bool usage_report_is_counted(sess_id id, uint32_t unique, struct usage *n);

/* Nothing is known of its files: they are taken to have told all there is; also those at work. */
void usage_report_assume(sess_id id, uint32_t unique, struct usage now, bool at_work);

/* Another member's files have told so much more of it. */
struct usage_report *usage_report_more(sess_id id, uint32_t unique, struct usage more);

/* For shm_read_write(): what the child writes. */
void *usage_report_to_write(void);

#endif
