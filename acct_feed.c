/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the pool has many records, new ones go to the spill file, and as long as there are any in
 * the file, all do, so that the order stays. The file is fed back a batch a tick, while the pool is
 * less than half full.
 *
 * A Stop that waits for what other members of the cluster have counted is in memory meanwhile,
 * whatever is in the file (HELD), and goes there when it is final.
 *
 * Accounting-On ends all sessions at the server. It is sent when all is on its way that was in
 * the file at start, Stops of those very sessions; acct_line.c sends it behind these.
 *
 * A slave's file comes back to memory as the master's does, so that it ends though there is always
 * something that waits. Only what an earlier process has left there stays until the master has it.
 *
 * Called by the others of the group and the loop.
 */
#include "acct_feed.h"
#include "acct_line.h"
#include "acct_number.h"
#include "acct_pool.h"
#include "counter.h"
#include "hash.h"
#include "loop.h"

enum {
	SPILL_MARK = ACCT_POOL / 4 * 3, /* from so many on new ones go to the file */
	FEED_MARK = ACCT_POOL / 2,	/* up to so many come from it */
	FEED_BATCH = 256,		/* in a tick */
	HOLD_SILENT_SEC = 600,
};

static struct hash held_of; /* session to its Stop that is HELD */
static struct timer feed_timer;

/* Accounting-On. */
static struct {
	struct acct_rec rec;
	uint64_t after; /* records of the file that go first */
	bool due;	/* not in the pool yet */
} on;

/* --- to the file --- */

bool
acct_feed_is_due(void)
{
	return acct_spill_count() > 0 || acct_pool_used() >= SPILL_MARK;
}

bool
acct_feed_put(const struct acct_rec *rec)
{
	if (!acct_spill_add(rec))
		return false;
	COUNT(acct_spilled);
	acct_feed_soon();
	return true;
}

void
acct_feed_hold(const struct acct_rec *rec, uint32_t ms)
{
	uint32_t i = acct_pool_take(rec);
	struct acct_place *p = acct_place(i);

	p->state = ACCT_PLACE_HELD;
	hash_put(&held_of, rec->key, i);
	timer_set(&p->timer, ms);
}

uint32_t
acct_feed_held(uint64_t key)
{
	return hash_get(&held_of, key);
}

void
acct_feed_put_off(uint32_t i)
{
	const struct acct_place *p = acct_place(i);

	hash_del(&held_of, p->rec.key);
	if (!acct_spill_add(&p->rec)) {
		acct_line_add(i);
		return;
	}
	COUNT(acct_spilled);
	acct_pool_hide(i);
	acct_pool_release(i);
}

/* --- from the file --- */

bool
acct_feed_is_calm(void)
{
	return acct_spill_count() == 0 && acct_pool_used() < FEED_MARK;
}

bool
acct_feed_has_left(void)
{
	return acct_spill_left() > 0 && acct_spill_count() > 0;
}

void
acct_feed_left_told(void)
{
	acct_spill_forget_left();
	acct_feed_soon();
}

void
acct_feed_soon(void)
{
	/* the master must have it from the file */
	bool waits = acct_number_is_passive() && acct_feed_has_left();

	if (!waits && acct_spill_count() > 0 && acct_pool_used() < FEED_MARK &&
	    !timer_running(&feed_timer))
		timer_set(&feed_timer, MS(TIMER_TICK_MS));
}

/* What an earlier process has left the others may not know yet. */
static void
take_from_file(struct acct_rec *rec)
{
	uint32_t i;

	if (!rec->number)
		acct_number_give(rec);
	else if (acct_pool_find(rec->origin, rec->number))
		return;
	if (rec->left)
		acct_number_added(rec);
	i = acct_pool_take(rec);
	acct_pool_set_spilled(i);
	if (acct_number_is_passive())
		acct_line_keep_copy(i);
	else
		acct_line_add(i);
}

static void
take_on(void)
{
	uint32_t i = acct_pool_take(&on.rec);

	on.due = false;
	acct_line_set_on(i);
	acct_line_add(i);
}

static void
on_feed(uint32_t unused)
{
	static struct acct_rec rec;
	unsigned int n;

	(void)unused;
	for (n = 0; n < FEED_BATCH && acct_pool_used() < FEED_MARK && acct_spill_next(&rec); n++) {
		take_from_file(&rec);
		if (on.due && --on.after == 0)
			take_on();
	}
	if (on.due && acct_spill_count() == 0)
		take_on();
	acct_line_pump();
	acct_feed_soon();
}

void
acct_feed_begin(const struct acct_rec *rec)
{
	on.rec = *rec;
	on.due = true;
	on.after = acct_spill_count();
	acct_line_expect_on(SEC(HOLD_SILENT_SEC));
	if (on.after == 0)
		take_on();
}

/* --- start, and the end of being master --- */

void
acct_feed_step_down(void)
{
	uint32_t i;

	timer_stop(&feed_timer);
	on.due = false;
	for (i = 1; i <= acct_pool_highest(); i++) {
		if (acct_place(i)->state != ACCT_PLACE_HELD)
			continue;
		hash_del(&held_of, acct_place(i)->rec.key);
		timer_stop(&acct_place(i)->timer);
		acct_line_keep_copy(i);
	}
}

void
acct_feed_init(void)
{
	hash_init(&held_of, "accounting records that are held", ACCT_POOL);
	timer_init(&feed_timer, on_feed, 0);
}
