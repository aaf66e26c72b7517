/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All members of a cluster know a record by its origin and number: who has made it, and the how
 * manieth it was there. So one that is told twice, by two members, or that lay in the file of
 * one that was away, is known to be the same. Accounting-On and -Off are each one's own and have no
 * number, nor has any record of a daemon without a cluster.
 *
 * What is told goes through clshare.c to the stream. A slave tells nothing: it has heard of all
 * that from the master.
 *
 * Called by the others of the group.
 */
#include "acct_number.h"
#include "acct_mark.h"

static const struct acct_watch *watch; /* NULL: nobody */
static uint64_t our_origin;
static uint32_t last_number;
static bool passive; /* a slave */

void
acct_number_subscribe(const struct acct_watch *w)
{
	watch = w;
}

void
acct_number_set_origin(uint64_t origin)
{
	our_origin = origin;
}

void
acct_number_set_passive(bool is_passive)
{
	passive = is_passive;
}

bool
acct_number_is_passive(void)
{
	return passive;
}

void
acct_number_give(struct acct_rec *rec)
{
	rec->origin = our_origin;
	rec->number = 0;
	rec->amended = rec->left = false;
	if (!rec->key || !our_origin)
		return;
	if (++last_number == 0)
		last_number = 1;
	rec->number = last_number;
	acct_mark_set(our_origin, last_number);
}

void
acct_number_added(const struct acct_rec *rec)
{
	if (rec->number && watch && !passive)
		watch->added(rec);
}

void
acct_number_gone(uint64_t origin, uint32_t number)
{
	if (!number || passive)
		return;
	acct_mark_arrived(origin, number);
	if (watch)
		watch->gone(origin, number);
}

void
acct_number_refuse(uint64_t origin, uint32_t number)
{
	if (watch && !passive)
		watch->gone(origin, number);
}

bool
acct_number_holds(void)
{
	return watch && watch->holds && watch->holds();
}
