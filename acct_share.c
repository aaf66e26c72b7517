/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of acct_queue.c and of the file (acct_spill.h) to those of the cluster (repl.h) and back.
 *
 * A slave keeps what it hears by the same rule as the master, in memory or in the file, in no line.
 * A master hears of records from one that steps down, or that joins with a file of its own: it
 * takes what is neither here nor known to have arrived (acct_mark.h), and tells the others.
 *
 * A walk goes over the pool, the file, and the pool again, for what has come from the file
 * meanwhile: one that is told twice is no news. Places in the file are counted in steps shorter
 * than any record, so that a walk that is begun anew from a place finds its way.
 *
 * Called by clshare.c and clrec.c.
 */
#include "acct_share.h"
#include "acct_feed.h"
#include "acct_line.h"
#include "acct_mark.h"
#include "acct_number.h"
#include "acct_pool.h"
#include "counter.h"

#include <string.h>

enum {
	SECOND = ACCT_POOL + 1, /* the pool again */
	FILE_FIRST = 2 * SECOND,
	FILE_STEP = 16, /* octets; records are longer */
};

static void
export_aged(const struct acct_rec *rec, uint64_t age_ms, struct repl_acct *r)
{
	r->id = rec->number;
	r->version = rec->amended ? 2 : 1;
	r->origin = rec->origin;
	r->done = 0;
	r->status = rec->status;
	r->session = rec->s;
	r->key = rec->key;
	r->age_ds = (uint32_t)(age_ms / 100);
	r->len = rec->len;
	memcpy(r->attrs, rec->attrs, rec->len);
}

void
acct_export_one(const struct acct_rec *rec, struct repl_acct *r)
{
	export_aged(rec, (uint64_t)MAX(acct_pool_clock() - rec->when, 0) * 1000, r);
}

static int
export_place(uint32_t i, struct repl_acct *r)
{
	const struct acct_rec *rec;
	uint64_t age_ms;

	if (!acct_pool_look(i, &rec, &age_ms))
		return 0;
	export_aged(rec, age_ms, r);
	return 1;
}

/* From a place in the file on; -1: its end. A place begins within the record in front of it. */
static int
export_file(uint32_t *pos, struct repl_acct *r)
{
	static struct acct_rec rec;
	uint64_t at = (uint64_t)(*pos - FILE_FIRST) * FILE_STEP;
	int what = acct_spill_look(&at, &rec);

	if (what == 0)
		what = acct_spill_look(&at, &rec);
	*pos = MAX(*pos + 1, FILE_FIRST + (uint32_t)(at / FILE_STEP));
	if (what > 0)
		acct_export_one(&rec, r);
	return what > 0 && !rec.number ? 0 : what;
}

int
acct_export(uint32_t *pos, struct repl_acct *r)
{
	uint32_t highest = acct_pool_highest();
	int what;

	if (*pos < highest)
		return export_place(++*pos, r);
	if (*pos < SECOND)
		*pos = FILE_FIRST;
	if (*pos >= FILE_FIRST) {
		what = export_file(pos, r);
		if (what < 0)
			*pos = SECOND;
		return MAX(what, 0);
	}
	return *pos - SECOND < highest ? export_place(++*pos - SECOND, r) : -1;
}

int
acct_export_left(uint32_t *pos, struct repl_acct *r)
{
	*pos = MAX(*pos, (uint32_t)FILE_FIRST);
	if ((uint64_t)(*pos - FILE_FIRST + 1) * FILE_STEP > acct_spill_left())
		return -1;
	return export_file(pos, r);
}

/* --- hearing --- */

static void
import(const struct repl_acct *r, struct acct_rec *rec)
{
	rec->status = r->status;
	rec->s = r->session;
	rec->key = r->key;
	rec->when = acct_pool_clock() - r->age_ds / 10;
	rec->origin = r->origin;
	rec->number = r->id;
	rec->amended = r->version > 1;
	rec->left = false;
	rec->len = r->len;
	memcpy(rec->attrs, r->attrs, r->len);
}

/* A slave keeps it; a master gets it from one that steps down, and tells the others. */
static void
take_offered(uint32_t i)
{
	if (acct_number_is_passive()) {
		acct_line_keep_copy(i);
		return;
	}
	acct_line_add(i);
	acct_line_pump();
}

static int
install(const struct acct_rec *rec)
{
	if (!acct_feed_is_due() || !acct_feed_put(rec)) {
		if (acct_pool_used() == ACCT_POOL) {
			COUNT(acct_lost);
			return -1;
		}
		take_offered(acct_pool_take(rec));
	}
	acct_pool_gauge();
	return 1;
}

/* What we have of it is as it was before it was amended. */
static int
replace(uint32_t i, const struct acct_rec *rec)
{
	struct acct_rec *ours = &acct_place(i)->rec;

	if (!i) /* in the file */
		return acct_spill_add(rec) ? 1 : -1;
	ours->amended = true;
	ours->len = rec->len;
	memcpy(ours->attrs, rec->attrs, rec->len);
	return 1;
}

static int
arrived(uint32_t i, const struct repl_acct *r)
{
	if (!acct_number_is_passive())
		return 0;
	acct_mark_arrived(r->origin, r->id);
	if (i)
		acct_line_drop_copy(i);
	else if (acct_spill_drop(r->origin, r->id))
		acct_pool_settle();
	else
		return 0;
	acct_pool_gauge();
	return 1;
}

int
acct_install(const struct repl_acct *r)
{
	static struct acct_rec rec;
	uint32_t i = acct_pool_find(r->origin, r->id);
	bool amended, in_file = !i && acct_spill_has(r->origin, r->id, &amended);

	if (!r->id || r->len > sizeof(rec.attrs))
		return 0;
	if (r->done)
		return arrived(i, r);
	if (!acct_number_is_passive() && !i && !in_file && acct_mark_is_over(r->origin, r->id)) {
		acct_number_gone(r->origin, r->id);
		return 0;
	}
	acct_mark_next(r->origin, r->id);
	import(r, &rec);
	if (i)
		amended = acct_place(i)->rec.amended || acct_place(i)->state == ACCT_PLACE_SENT;
	if (i || in_file)
		return rec.amended && !amended ? replace(i, &rec) : 0;
	acct_number_added(&rec);
	return install(&rec);
}
