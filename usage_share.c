/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a cluster the master alone writes usage files, and the others know what it has told: the
 * reports of each run (USAGE), then that the run is in force (USAGE_RUN), both before the file gets
 * its name. So of a master that dies all files stand, and the next one goes on from the reports
 * in force; what he may have given its name is never told again. Each change of what is in force is
 * a decision, and these are counted, so that none that comes late undoes the next.
 *
 * Sessions that have ended and have still to tell (USAGE_END) are told when they end, and dropped
 * by all when a file has them: a run names for each origin the number up to which it tells them.
 *
 * Behind a split of the cluster the one that was master too offers how much it has told of each
 * session; that counts as told. What both sides had still to tell when they parted both may tell.
 *
 * A full synchronisation walks over the reports in force, those of a run that is being told, and
 * those that have ended.
 *
 * Owns the decisions, and what a run tells of those that have ended. Called by clshare.c and
 * usage.c.
 */
#include "usage_share.h"
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "role.h"
#include "session.h"
#include "usage.h"
#include "usage_report.h"
#include "util.h"

#include <string.h>

enum {
	KNOWN_MS = 60000,  /* what the last master told of its files is good for so long */
	TELL_BATCH = 1024, /* sessions, in a tick */
	ORIGINS = 16,
	FAR = 1024, /* decisions: what was heard of such a one was wrong */
};

static const struct usage_watch *watch; /* NULL: there is no cluster */
static uint64_t decision;		/* of the cluster's masters, how many */
static uint64_t decided_by;		/* who has told us of the last one */
static uint64_t known_ms;		/* when a master told us what is in force; 0: never */
static bool led;			/* we were the master last */
static bool keeps_books;		/* as master: the one before has told us */

/* A run that is being told. */
static sess_id tell_at;
static unsigned int ended_at, ended_to;

static struct {
	uint64_t origin; /* 0: free */
	uint32_t number;
} run_tells[ORIGINS]; /* of those that have ended, which the run tells */

bool
usage_share_leads(void)
{
	return watch && watch->leads();
}

uint64_t
usage_share_origin(void)
{
	return watch ? watch->origin() : 1;
}

/* --- telling --- */

void
usage_share_end(const struct usage_ended *e)
{
	struct repl_usage_end r;

	if (!usage_share_leads())
		return;
	usage_ended_export(e, &r);
	watch->end(&r);
}

static void
export_report(sess_id id, const struct usage_report *r, struct repl_usage *to)
{
	*to = (struct repl_usage){
		.id = id,
		.version = 1,
		.unique = r->unique,
		.run = atomic_load(&r->run),
		.up = r->n.up,
		.down = r->n.down,
	};
	if (role_is_master())
		return;
	to->own_up = r->own.up;
	to->own_down = r->own.down;
}

static void
tell_report(sess_id id, const struct usage_report *r)
{
	struct repl_usage to;

	export_report(id, r, &to);
	watch->report(&to);
}

/* Which run is in force, and which of those that have ended it tells. */
static void
tell_run(uint32_t run, bool over)
{
	struct repl_usage_run r = { .id = run, .version = decision, .over = over };
	unsigned int i = 0;

	do {
		r.origin = run_tells[i].origin;
		r.told = run_tells[i].number;
		watch->run(&r);
	} while (++i < ORIGINS && run_tells[i].origin);
}

void
usage_share_run(bool over)
{
	if (usage_share_leads())
		tell_run(usage_report_committed(), over);
}

static void
note_told(uint64_t origin, uint32_t number)
{
	unsigned int i;

	if (!number) /* it was told before */
		return;
	for (i = 0; i < ORIGINS && run_tells[i].origin && run_tells[i].origin != origin; i++)
		;
	if (i == ORIGINS)
		return;
	run_tells[i].origin = origin;
	run_tells[i].number = MAX(run_tells[i].number, number);
}

void
usage_share_forget(void)
{
	memset(run_tells, 0, sizeof(run_tells));
}

void
usage_share_over(void)
{
	unsigned int i;

	for (i = 0; i < ORIGINS && run_tells[i].origin; i++)
		usage_ended_told(run_tells[i].origin, run_tells[i].number);
	usage_share_forget();
}

void
usage_share_begin(unsigned int ended)
{
	tell_at = 1;
	ended_at = 0;
	ended_to = ended;
	usage_share_forget();
}

bool
usage_share_batch(void)
{
	uint32_t run = usage_report_last_run();
	unsigned int n;
	const struct usage_report *r;
	const struct usage_ended *e;

	for (n = 0; n < TELL_BATCH && tell_at <= session_highest(); n++, tell_at++) {
		r = usage_report_of_run(tell_at, run);
		if (usage_share_leads() && session_get(tell_at) && atomic_load(&r->run) == run)
			tell_report(tell_at, r);
	}
	for (; n < TELL_BATCH && ended_at < ended_to; n++, ended_at++) {
		e = usage_ended_get(ended_at);
		note_told(e->origin, e->number);
	}
	return tell_at > session_highest() && ended_at == ended_to;
}

void
usage_share_decide(void)
{
	decision++;
}

void
usage_share_in_force(void)
{
	if (!usage_share_leads())
		return;
	usage_share_decide();
	tell_run(usage_report_last_run(), false);
	watch->flush();
}

void
usage_share_take_back(void)
{
	if (!usage_share_leads() || !decision)
		return;
	usage_share_decide();
	tell_run(usage_report_committed(), false);
}

void
usage_share_role(bool master)
{
	if (master) {
		usage_share_over(); /* the file may stand */
		keeps_books = known_ms && loop_now_ms() - known_ms < KNOWN_MS;
	} else {
		if (led)
			known_ms = loop_now_ms();
		decided_by = 0;
	}
	led = master;
}

bool
usage_share_keeps_books(void)
{
	return keeps_books;
}

void
usage_subscribe(const struct usage_watch *w)
{
	watch = w;
}

/* --- hearing --- */

/* Who was master too has told so much of a session: it counts as told. */
static void
take_own(const struct repl_usage *r)
{
	sess_id id = session_by_unique(r->unique);
	const struct usage_report *told;

	if (!id || (r->own_up == 0 && r->own_down == 0))
		return;
	usage_give_run_up(); /* it does not know */
	told = usage_report_more(id, r->unique, (struct usage){ r->own_up, r->own_down });
	if (usage_share_leads())
		tell_report(id, told);
}

void
usage_install(const struct repl_usage *r)
{
	struct usage_report *to;

	if (role_is_master()) {
		take_own(r);
		return;
	}
	if (r->id > conf->max_sessions || r->run == 0 || r->run % USAGE_RUN_STEP)
		return;
	to = usage_report_of_run(r->id, r->run);
	to->n = (struct usage){ r->up, r->down };
	to->own = (struct usage){ 0 };
	to->unique = r->unique;
	atomic_store(&to->run, r->run);
	usage_report_seen_run(r->run);
}

void
usage_install_run(const struct repl_usage_run *r, uint64_t from)
{
	bool late = from == decided_by && r->version < decision;

	if (role_is_master() || r->id % USAGE_RUN_STEP || (late && decision - r->version < FAR))
		return;
	known_ms = loop_now_ms();
	decided_by = from;
	decision = r->version;
	usage_report_seen_run(r->id);
	if (r->id != usage_report_committed()) {
		usage_report_turn(r->id);
		usage_share_forget();
	}
	note_told(r->origin, r->told);
	if (r->over)
		usage_share_over();
	usage_ended_clean();
}

bool
usage_install_end(const struct repl_usage_end *r)
{
	struct usage_ended *e = usage_ended_of(r->origin, r->unique);

	if (usage_ended_is_told(r->origin, r->id) || (e && role_is_master()))
		return false;
	if (!e)
		e = usage_ended_add(r->origin, r->unique);
	if (!e) {
		COUNT(usage_merged);
		return false;
	}
	usage_ended_import(r, e);
	usage_share_end(e);
	return true;
}

/* --- all there is --- */

enum { REPORTS_FIRST = 1, ENDED_FIRST = 1 << 30 };

/* Of each session two places: the report in force, and that of a run that is being told. */
static bool
export_place(uint32_t place, struct repl_usage *to)
{
	sess_id id = place / 2 + 1;
	bool next = place % 2;
	const struct session *s = session_get(id);
	const struct usage_report *r = next ? usage_report_next(id) : usage_report_good(id);
	uint32_t run = next ? usage_run_told() : usage_report_committed();

	if (!s || !run || r->unique != s->unique || atomic_load(&r->run) != run)
		return false;
	export_report(id, r, to);
	return true;
}

static int
export_ended(uint32_t *pos, struct usage_told *to)
{
	uint32_t dropped = usage_ended_dropped() % ENDED_FIRST, i;

	if (*pos < ENDED_FIRST)
		*pos = ENDED_FIRST + dropped;
	i = (*pos - ENDED_FIRST - dropped) % ENDED_FIRST;
	if (i > ENDED_FIRST / 2) { /* dropped meanwhile */
		*pos = ENDED_FIRST + dropped;
		i = 0;
	}
	if (i >= usage_ended_count())
		return -1;
	*pos = ENDED_FIRST + (dropped + i + 1) % ENDED_FIRST;
	if (usage_ended_is_over(usage_ended_get(i)))
		return 0;
	to->kind = REPL_USAGE_END;
	usage_ended_export(usage_ended_get(i), &to->end);
	return 1;
}

int
usage_export(uint32_t *pos, struct usage_told *to)
{
	if (*pos >= ENDED_FIRST || *pos > 2 * session_highest())
		return export_ended(pos, to);
	if (++*pos == REPORTS_FIRST) {
		to->kind = REPL_USAGE_RUN;
		to->run =
		    (struct repl_usage_run){ .id = usage_report_committed(), .version = decision };
		return 1;
	}
	to->kind = REPL_USAGE;
	return export_place(*pos - REPORTS_FIRST - 1, &to->report);
}
