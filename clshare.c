/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is neither session nor tunnel. Answers to Disconnect- and CoA-Requests go through the
 * stream in the turn in which they leave, and all that may be asked for again through a full
 * synchronisation.
 *
 * Which address a user had last all members know of themselves, as they see sessions come and go;
 * who joins is told.
 *
 * Accounting records go through the stream when they are made, amended or have arrived, and all
 * that wait through a full synchronisation, those in the master's file too. Every few seconds the
 * stream tells how far all are known (acct_mark.h); who has not had everything yet does not
 * listen to that.
 *
 * What usage files have told of each session goes through the stream with each file, and what
 * sessions that ended have still to tell at once; usage_share.c knows what that means.
 *
 * A member that joins with records of its own former life offers them, once it has all of the
 * master's; and again when that one is followed by another before it has taken all.
 *
 * Called by clstream.c, clsync.c and clrec.c; subscribes to acct_number.c and dae_guard.c.
 */
#include "clshare.h"
#include "acct.h"
#include "acct_feed.h"
#include "acct_mark.h"
#include "acct_number.h"
#include "acct_share.h"
#include "clstream.h"
#include "clsync.h"
#include "cluster.h"
#include "dae_guard.h"
#include "ippool.h"
#include "loop.h"
#include "role.h"
#include "timer.h"
#include "usage.h"
#include "usage_share.h"
#include "util.h"

#include <string.h>

enum { MARKS_SEC = 5, LONGEST_USER = 63 };

static struct timer marks_timer;
static struct repl_acct acct; /* in hand */

static bool
leads(void)
{
	return role_is_master() && cluster_has_peers();
}

/* `what` is as the exports have it: 1: a record; 0: nothing in this place; -1: the end. */
static enum clshare_put
walked(struct clshare_walk *walk, uint32_t pos, int what, bool fits)
{
	if (what < 0)
		return CLSHARE_END;
	if (!fits)
		return CLSHARE_FULL;
	walk->pos = pos;
	return CLSHARE_NEXT;
}

/* --- accounting records --- */

static bool
put_acct(struct wr *w, const void *what)
{
	return repl_put_acct(w, what);
}

static bool
put_mark(struct wr *w, const void *what)
{
	return repl_put_mark(w, what);
}

static void
acct_added(const struct acct_rec *rec)
{
	if (!leads())
		return;
	acct_export_one(rec, &acct);
	clstream_add(put_acct, &acct);
}

static void
acct_gone(uint64_t origin, uint32_t number)
{
	const struct repl_acct a = { .id = number, .version = 1, .origin = origin, .done = true };

	if (leads())
		clstream_add(put_acct, &a);
}

static void
on_marks(uint32_t unused)
{
	struct repl_mark m = { .version = 1 };
	unsigned int pos = 0;

	(void)unused;
	timer_set(&marks_timer, SEC(MARKS_SEC));
	clsync_offer_left();
	usage_tell_run();
	while (leads() && acct_mark_each(&pos, &m.origin, &m.id))
		clstream_add(put_mark, &m);
}

static enum clshare_put
walk_acct(struct wr *w, struct clshare_walk *walk)
{
	uint32_t pos = walk->pos;
	int what = walk->left ? acct_export_left(&pos, &acct) : acct_export(&pos, &acct);

	return walked(walk, pos, what, what <= 0 || repl_put_acct(w, &acct));
}

static enum install
apply_acct(const struct repl_record *rec)
{
	if (!repl_get_acct(rec, &acct))
		return INSTALL_REFUSED;
	if (!acct.done && acct.status == RAD_ACCT_INTERIM)
		acct_interim_made(acct.key, acct.age_ds);
	return (enum install)acct_install(&acct);
}

static enum install
apply_mark(const struct repl_record *rec)
{
	struct repl_mark m;

	if (!repl_get_mark(rec, &m))
		return INSTALL_REFUSED;
	if (role_is_master() || clsync_under_way())
		return INSTALL_OLD;
	acct_mark_set(m.origin, m.id);
	return INSTALL_DONE;
}

/* --- answers to RFC 5176 --- */

static bool
put_dae(struct wr *w, const void *what)
{
	return repl_put_dae(w, what);
}

static void
dae_kept(const struct repl_dae *r)
{
	if (leads())
		clstream_add(put_dae, r);
}

static enum clshare_put
walk_dae(struct wr *w, struct clshare_walk *walk)
{
	uint32_t pos = walk->pos;
	struct repl_dae r;
	int what = walk->left ? -1 : dae_guard_export(&pos, loop_now_ms(), &r);

	return walked(walk, pos, what, what <= 0 || repl_put_dae(w, &r));
}

/* One that was offered to us as master: the others may not have it. */
static enum install
apply_dae(const struct repl_record *rec)
{
	struct repl_dae r;

	if (!repl_get_dae(rec, &r))
		return INSTALL_REFUSED;
	if (!dae_guard_install(&r, loop_now_ms()))
		return INSTALL_OLD;
	dae_kept(&r);
	return INSTALL_DONE;
}

/* --- addresses --- */

/* Of a name that is too long ippool.c has the first part only. */
static bool
is_remembered(const struct ippool_row *row)
{
	return !row->s && row->user[0] && strlen(row->user) < LONGEST_USER;
}

static enum clshare_put
walk_pool(struct wr *w, struct clshare_walk *walk)
{
	uint32_t pos = walk->pos;
	struct ippool_row row;
	struct repl_pool r = { .version = 1 };

	if (walk->left || !ippool_row(&pos, &row))
		return CLSHARE_END;
	if (is_remembered(&row)) {
		r.ip4 = row.addr;
		r.age_ds = loop_now_ds() - row.freed;
		str_copy(r.user, sizeof(r.user), row.user);
		if (!repl_put_pool(w, &r))
			return CLSHARE_FULL;
	}
	walk->pos = pos;
	return CLSHARE_NEXT;
}

/* What a master that steps down remembers is not asked for. */
static enum install
apply_pool(const struct repl_record *rec)
{
	struct repl_pool r;

	if (!repl_get_pool(rec, &r))
		return INSTALL_REFUSED;
	if (role_is_master())
		return INSTALL_OLD;
	ippool_remember(r.ip4, r.user, loop_now_ds() - r.age_ds);
	return INSTALL_DONE;
}

/* --- usage files --- */

static struct usage_told told; /* in hand */

static bool
put_told(struct wr *w, const void *what)
{
	const struct usage_told *t = what;

	switch (t->kind) {
	case REPL_USAGE:
		return repl_put_usage(w, &t->report);
	case REPL_USAGE_RUN:
		return repl_put_usage_run(w, &t->run);
	default:
		return repl_put_usage_end(w, &t->end);
	}
}

static void
usage_report(const struct repl_usage *r)
{
	told.kind = REPL_USAGE;
	told.report = *r;
	clstream_add(put_told, &told);
}

static void
usage_run(const struct repl_usage_run *r)
{
	told.kind = REPL_USAGE_RUN;
	told.run = *r;
	clstream_add(put_told, &told);
}

static void
usage_end(const struct repl_usage_end *r)
{
	told.kind = REPL_USAGE_END;
	told.end = *r;
	clstream_add(put_told, &told);
}

static enum clshare_put
walk_usage(struct wr *w, struct clshare_walk *walk)
{
	uint32_t pos = walk->pos;
	int what = walk->left ? -1 : usage_export(&pos, &told);

	return walked(walk, pos, what, what <= 0 || put_told(w, &told));
}

static enum install
apply_usage(const struct repl_record *rec)
{
	if (!repl_get_usage(rec, &told.report))
		return INSTALL_REFUSED;
	usage_install(&told.report);
	return INSTALL_DONE;
}

static enum install
apply_usage_run(const struct repl_record *rec)
{
	if (!repl_get_usage_run(rec, &told.run))
		return INSTALL_REFUSED;
	usage_install_run(&told.run, cluster_sender()->incarnation);
	return INSTALL_DONE;
}

static enum install
apply_usage_end(const struct repl_record *rec)
{
	static struct repl_usage_end end; /* what is told of it is in `told` */

	if (!repl_get_usage_end(rec, &end))
		return INSTALL_REFUSED;
	return usage_install_end(&end) ? INSTALL_DONE : INSTALL_OLD;
}

/* --- all kinds --- */

enum clshare_put
clshare_put(struct wr *w, struct clshare_walk *walk)
{
	switch (walk->kind) {
	case REPL_ACCT:
		return walk_acct(w, walk);
	case REPL_DAE:
		return walk_dae(w, walk);
	case REPL_POOL:
		return walk_pool(w, walk);
	case REPL_USAGE:
		return walk_usage(w, walk);
	default:
		return CLSHARE_END;
	}
}

enum install
clshare_apply(const struct repl_record *rec)
{
	switch (rec->kind) {
	case REPL_ACCT:
		return apply_acct(rec);
	case REPL_MARK:
		return apply_mark(rec);
	case REPL_DAE:
		return apply_dae(rec);
	case REPL_POOL:
		return apply_pool(rec);
	case REPL_USAGE:
		return apply_usage(rec);
	case REPL_USAGE_RUN:
		return apply_usage_run(rec);
	case REPL_USAGE_END:
		return apply_usage_end(rec);
	default:
		return INSTALL_OLD;
	}
}

bool
clshare_left(void)
{
	return acct_feed_has_left();
}

void
clshare_left_told(void)
{
	acct_feed_left_told();
}

void
clshare_init(void)
{
	static const struct acct_watch watch = {
		.added = acct_added, .gone = acct_gone, .holds = leads
	};
	static const struct usage_watch usage_watch = {
		.leads = leads,
		.origin = cluster_incarnation,
		.report = usage_report,
		.run = usage_run,
		.end = usage_end,
		.flush = cluster_flush,
	};

	acct_number_subscribe(&watch);
	usage_subscribe(&usage_watch);
	dae_guard_subscribe(dae_kept);
	timer_init(&marks_timer, on_marks, 0);
	timer_set(&marks_timer, SEC(MARKS_SEC));
}
