/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For each session there are two reports in shared memory. The child of a run writes what it has
 * counted into one of them; when the file has its name, and not before, the parent turns
 * to that one: it holds the baselines now. When the run fails the parent stays with the other one,
 * and the next run counts from there again.
 *
 * When a session ends while a child is at work, the number in its report decides, by one
 * compare-and-swap of either side, whether this child counts it. Runs have even numbers; the odd
 * one above says "the parent was first".
 *
 * A report is in force if it is in the right one of the two, has the number of the run that
 * succeeded last, and is about this session and no former one of its id. So nothing is ever
 * cleared.
 *
 * Slaves have the same reports, as the master tells them (usage_share.c). `own` is for a split of
 * the cluster: how much of it the files of this very member have told.
 *
 * Owns the reports and the numbers of runs. Called by the others of the group.
 */
#include "usage_report.h"
#include "config.h"
#include "shm.h"

static struct usage_report *reports[2];
static unsigned int good;  /* which of them has the baselines */
static uint32_t last_run;  /* number of the last run begun */
static uint32_t committed; /* of the last one that succeeded; 0: none */

uint32_t
usage_report_new_run(void)
{
	last_run += USAGE_RUN_STEP;
	if (last_run == 0)
		last_run = USAGE_RUN_STEP;
	return last_run;
}

uint32_t
usage_report_last_run(void)
{
	return last_run;
}

uint32_t
usage_report_committed(void)
{
	return committed;
}

void
usage_report_seen_run(uint32_t run)
{
	last_run = MAX(last_run, run);
}

void
usage_report_turn(uint32_t run)
{
	good = !good;
	committed = run;
}

struct usage_report *
usage_report_good(sess_id id)
{
	return &reports[good][id];
}

struct usage_report *
usage_report_next(sess_id id)
{
	return &reports[!good][id];
}

struct usage_report *
usage_report_of_run(sess_id id, uint32_t run)
{
	return run == committed ? usage_report_good(id) : usage_report_next(id);
}

/* The report in force of a session; NULL: no file has told anything of it. */
static struct usage_report *
report_of(sess_id id, uint32_t unique)
{
	struct usage_report *r = usage_report_good(id);

	return committed && atomic_load(&r->run) == committed && r->unique == unique ? r : NULL;
}

struct usage
usage_report_baseline(sess_id id, uint32_t unique)
{
	const struct usage_report *r = report_of(id, unique);

	return r ? r->n : (struct usage){ 0 };
}

bool
usage_report_count(sess_id id, uint32_t unique, struct usage now, struct usage *left)
{
	struct usage_report *r = usage_report_next(id);
	const struct usage_report *old = report_of(id, unique);
	uint32_t run = atomic_load(&r->run);

	if (run == (last_run | 1))
		return false;
	r->n = usage_higher(now, usage_report_baseline(id, unique));
	*left = usage_minus(r->n, usage_report_baseline(id, unique));
	r->own = old ? old->own : (struct usage){ 0 };
	usage_add(&r->own, *left);
	r->unique = unique;
	return atomic_compare_exchange_strong(&r->run, &run, last_run);
}

bool
usage_report_is_counted(sess_id id, uint32_t unique, struct usage *n)
{
	struct usage_report *r = usage_report_next(id);
	uint32_t run = atomic_load(&r->run);

	while (run != last_run)
		if (atomic_compare_exchange_weak(&r->run, &run, last_run | 1))
			return false;
	*n = r->n;
	return r->unique == unique; /* else it has counted the one before, and passed */
}

void
usage_report_assume(sess_id id, uint32_t unique, struct usage now, bool at_work)
{
	unsigned int i;

	if (committed == 0)
		committed = at_work ? last_run : usage_report_new_run();
	for (i = 0; i < 2; i++) {
		reports[i][id].n = now;
		reports[i][id].own = (struct usage){ 0 };
		reports[i][id].unique = unique;
	}
	atomic_store(&usage_report_good(id)->run, committed);
	if (at_work)
		atomic_store(&usage_report_next(id)->run, last_run);
}

struct usage_report *
usage_report_more(sess_id id, uint32_t unique, struct usage more)
{
	struct usage_report *r = usage_report_good(id);

	if (committed == 0)
		committed = usage_report_new_run();
	if (!report_of(id, unique)) {
		r->n = r->own = (struct usage){ 0 };
		r->unique = unique;
		atomic_store(&r->run, committed);
	}
	usage_add(&r->n, more);
	return r;
}

void *
usage_report_to_write(void)
{
	return reports[!good];
}

void
usage_report_init(void)
{
	size_t size = (conf->max_sessions + (size_t)1) * sizeof(*reports[0]);

	reports[0] = shm_map("usage reports", size);
	reports[1] = shm_map("usage reports", size);
}
