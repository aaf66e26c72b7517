/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record that is offered by who was master before, or that lay in the file of a member which
 * was away, may have been sent long since by another one. Nobody keeps a list of all that have
 * arrived. But an origin counts its records, the master's stream tells each in order, and the
 * master tells from time to time up to where it knows all: what is below and does not wait has
 * arrived. Where the mark is too low a record is sent twice, and none is lost.
 *
 * A file that a former process has left has gaps where records had arrived, so for these the mark
 * stays below the first gap. The last that have arrived above their mark are remembered one by one.
 *
 * Owns the marks. Called by acct_number.c, acct_share.c and clshare.c.
 */
#include "acct_mark.h"
#include "acct_number.h"
#include "hash.h"
#include "shm.h"

enum { ARRIVED = 1 << 16 };

static struct mark {
	uint64_t origin; /* 0: free */
	uint32_t number;
	uint32_t used; /* when, by `now` */
} marks[ACCT_MARKS];

static uint32_t now;

static struct one {
	uint64_t origin; /* 0: free */
	uint32_t number;
} * arrived; /* the oldest at n_arrived modulo ARRIVED */

static uint32_t n_arrived;
static struct hash arrived_at; /* a record to its place + 1 */

static struct mark *
find(uint64_t origin)
{
	struct mark *m;

	for (m = marks; m < marks + ACCT_MARKS; m++)
		if (m->origin == origin)
			return m;
	return NULL;
}

static struct mark *
find_or_make(uint64_t origin)
{
	struct mark *m = find(origin), *k;

	if (m)
		return m;
	for (m = k = marks; k < marks + ACCT_MARKS; k++)
		if (!k->origin || (m->origin && now - k->used > now - m->used))
			m = k;
	*m = (struct mark){ .origin = origin };
	return m;
}

uint32_t
acct_mark(uint64_t origin)
{
	const struct mark *m = origin ? find(origin) : NULL;

	return m ? m->number : 0;
}

void
acct_mark_next(uint64_t origin, uint32_t number)
{
	if (origin && number == acct_mark(origin) + 1)
		acct_mark_set(origin, number);
}

void
acct_mark_set(uint64_t origin, uint32_t number)
{
	struct mark *m;

	if (!origin || number <= acct_mark(origin))
		return;
	m = find_or_make(origin);
	m->number = number;
	m->used = ++now;
}

bool
acct_mark_each(unsigned int *pos, uint64_t *origin, uint32_t *number)
{
	while (*pos < ACCT_MARKS) {
		const struct mark *m = &marks[(*pos)++];

		if (!m->origin)
			continue;
		*origin = m->origin;
		*number = m->number;
		return true;
	}
	return false;
}

static bool
has_arrived(uint64_t origin, uint32_t number)
{
	uint32_t i = hash_get(&arrived_at, acct_number_key(origin, number));

	return i && arrived[i - 1].origin == origin && arrived[i - 1].number == number;
}

bool
acct_mark_is_over(uint64_t origin, uint32_t number)
{
	return number <= acct_mark(origin) || has_arrived(origin, number);
}

void
acct_mark_arrived(uint64_t origin, uint32_t number)
{
	uint32_t i = n_arrived % ARRIVED;
	struct one *oldest = &arrived[i];

	if (!origin || acct_mark_is_over(origin, number))
		return;
	if (oldest->origin &&
	    hash_get(&arrived_at, acct_number_key(oldest->origin, oldest->number)) == i + 1)
		hash_del(&arrived_at, acct_number_key(oldest->origin, oldest->number));
	*oldest = (struct one){ .origin = origin, .number = number };
	if (hash_put(&arrived_at, acct_number_key(origin, number), i + 1) == 0)
		n_arrived++;
}

void
acct_mark_init(void)
{
	arrived = shm_map_parent("accounting records that arrived", ARRIVED * sizeof(*arrived));
	hash_init(&arrived_at, "accounting records that arrived", ARRIVED);
}
