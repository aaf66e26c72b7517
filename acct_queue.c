/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of accounting records: what comes, what becomes of it at the end, and the role. A record
 * lies in the pool (acct_pool.c) until a server has acknowledged it, or it is too old.
 *
 *                       +--------------------------- its session's next one ---+
 *                       v                                                      |
 *   add --> [behind]  fresh --> sent --acknowledged--> free --------------------+
 *              |        ^        |
 *              |      again <-- waiting (not answered)
 *              +--> spill file --> (feed) --> fresh
 *
 * What stands in line and is sent is acct_line.c's; what goes to the file and comes back from it is
 * acct_feed.c's.
 *
 * Under a cluster the slaves have a copy of each session's record until it has arrived, in the
 * same order and by the same rule in memory or in their file. A slave sends nothing. A new master
 * sends what it has: some for the second time, as nobody could tell it of the last
 * acknowledgements. All members know a record by its origin and number (acct_number.c), also when
 * it was left in the file of one that was away and joins again: it offers what it finds there, and
 * the master takes what is neither here nor known to have arrived (acct_share.c, acct_mark.h).
 *
 * The Stop of a session waits for what other members have counted; an amended record is told
 * once more.
 *
 * Called by acct.c, clfinal.c and the list of hooks.
 */
#include "acct_queue.h"
#include "acct_feed.h"
#include "acct_line.h"
#include "acct_mark.h"
#include "acct_number.h"
#include "acct_pool.h"
#include "counter.h"
#include "log.h"
#include "loop.h"

/* --- what comes --- */

static void
tell_amended(struct acct_place *p)
{
	if (p->untold)
		acct_number_added(&p->rec);
	p->untold = false;
}

static void
on_wait_over(uint32_t i)
{
	struct acct_place *p = acct_place(i);

	tell_amended(p);
	if (p->state == ACCT_PLACE_HELD)
		acct_feed_put_off(i);
	else
		acct_line_again(i);
	acct_line_pump();
}

static void
keep(const struct acct_rec *rec, uint32_t ms)
{
	uint32_t i;

	if (acct_pool_used() == ACCT_POOL) {
		COUNT(acct_lost);
		plog_limit(LOG_CRITICAL, "an accounting record is lost: memory and disk are full");
		return;
	}
	i = acct_pool_take(rec);
	acct_line_add(i);
	acct_line_delay(i, ms);
}

void
acct_queue_add_held(struct acct_rec *rec, uint32_t ms)
{
	bool to_file = acct_feed_is_due();

	acct_number_give(rec);
	acct_number_added(rec);
	if (to_file && ms && acct_pool_used() < ACCT_POOL)
		acct_feed_hold(rec, ms);
	else if (!to_file || !acct_feed_put(rec))
		keep(rec, ms);
	acct_line_pump();
}

void
acct_queue_add(struct acct_rec *rec)
{
	acct_queue_add_held(rec, 0);
}

/* The last record of a session, when it was not sent yet; 0: there is none. */
static uint32_t
unsent(uint64_t key)
{
	uint32_t held = acct_feed_held(key), i = held ? held : acct_line_last(key);
	const struct acct_place *p = acct_place(i);

	return p->state == ACCT_PLACE_HELD || (p->rounds == 0 && (p->state == ACCT_PLACE_WAITING ||
								     p->state == ACCT_PLACE_BEHIND))
		   ? i
		   : 0;
}

void
acct_queue_amend(uint64_t key, const struct rad_moved *more)
{
	uint32_t i = unsent(key);
	struct acct_place *p = acct_place(i);

	if (!i || !(more->in_bytes || more->in_packets || more->out_bytes || more->out_packets))
		return;
	rad_acct_amend(p->rec.attrs, p->rec.len, more);
	p->rec.amended = p->untold = true;
	if (p->state == ACCT_PLACE_BEHIND) /* no timer runs for it */
		tell_amended(p);
}

void
acct_queue_release(uint64_t key)
{
	uint32_t i = unsent(key);

	if (!i || acct_place(i)->state == ACCT_PLACE_BEHIND)
		return;
	timer_stop(&acct_place(i)->timer);
	on_wait_over(i);
}

bool
acct_queue_takes_interim(uint64_t key)
{
	return acct_feed_is_calm() && !acct_line_last(key);
}

bool
acct_queue_empty(void)
{
	return acct_pool_used() == 0 && acct_spill_count() == 0;
}

/* --- the role --- */

void
acct_queue_role(bool master)
{
	if (master != acct_number_is_passive())
		return;
	acct_number_set_passive(!master);
	if (master) {
		acct_line_take_over();
		acct_queue_start();
	} else {
		acct_feed_step_down();
		acct_line_step_down();
	}
	acct_feed_soon();
}

/* --- start and end --- */

void
acct_queue_init(void)
{
	acct_pool_init(on_wait_over, acct_feed_soon);
	acct_line_init();
	acct_feed_init();
	acct_mark_init();
	acct_pool_gauge();
}

void
acct_queue_start(void)
{
	acct_line_pump();
	acct_feed_soon();
}

/* The next start sends an Accounting-On of its own, and each session its Stop. */
static bool
is_worth_keeping(const struct acct_rec *rec)
{
	return rec->status == RAD_ACCT_START || rec->status == RAD_ACCT_STOP;
}

static void
save(uint32_t i)
{
	struct acct_rec *rec = &acct_place(i)->rec;

	rec->when =
	    (int64_t)loop_time() - (int64_t)(acct_pool_age_ms(i) / 1000); /* the wall clock now */
	if (is_worth_keeping(rec))
		acct_spill_save(rec);
}

static bool
begins_chain(const struct acct_place *p)
{
	return (p->state >= ACCT_PLACE_READY && p->state <= ACCT_PLACE_WAITING) ||
	       p->state == ACCT_PLACE_COPY;
}

void
acct_queue_save(bool append)
{
	uint32_t i, k;

	for (i = 1; i <= acct_pool_highest(); i++)
		if (begins_chain(acct_place(i)))
			for (k = i; k; k = acct_place(k)->next)
				if (!append || !acct_place(k)->spilled)
					save(k);
	acct_spill_save_rest();
	for (i = 1; i <= acct_pool_highest(); i++)
		if (acct_place(i)->state == ACCT_PLACE_HELD)
			save(i);
}
