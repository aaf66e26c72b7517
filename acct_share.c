/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of acct_queue.c and of the file (acct_spill.h) to those of the cluster (repl.h) and back.
 * A walk goes over the pool, the file, and the pool again, for what has come from the file
 * meanwhile: one that is told twice is no news. Places in the file are counted in steps shorter
 * than any record, so that a walk that is begun anew from a place finds its way.
 *
 * Called by clshare.c and acct_queue.c.
 */
#include "acct_share.h"
#include "acct_queue.h"

#include <string.h>

enum {
	SECOND = ACCT_QUEUE_POOL + 1, /* the pool again */
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
	export_aged(rec, (uint64_t)MAX(acct_queue_clock() - rec->when, 0) * 1000, r);
}

void
acct_import(const struct repl_acct *r, struct acct_rec *rec)
{
	rec->status = r->status;
	rec->s = r->session;
	rec->key = r->key;
	rec->when = acct_queue_clock() - r->age_ds / 10;
	rec->origin = r->origin;
	rec->number = r->id;
	rec->amended = r->version > 1;
	rec->left = false;
	rec->len = r->len;
	memcpy(rec->attrs, r->attrs, r->len);
}

static int
export_place(uint32_t i, struct repl_acct *r)
{
	const struct acct_rec *rec;
	uint64_t age_ms;

	if (!acct_queue_place(i, &rec, &age_ms))
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
	uint32_t highest = acct_queue_places();
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
