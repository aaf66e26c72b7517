/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring in private memory: who forks to write a file has it as it was then. Entries are in the
 * order in which sessions ended, but for those that came from other members of the cluster. They
 * are known by who made them and a number there; of each such origin is remembered up to which
 * number all have been told, so that what is offered late is not told twice.
 *
 * One that was told out of order stays until it is the first.
 *
 * Owns the entries. Called by usage.c, usage_writer.c and usage_share.c.
 */
#include "usage_ended.h"
#include "hash.h"
#include "loop.h"
#include "shm.h"
#include "util.h"

#include <string.h>

enum { MIN_TRIM = 1024, ORIGINS_KEPT = 16, CLEAN_BATCH = 4096 };

static struct usage_ended *ring;
static unsigned int head, count, size;
static uint32_t dropped;
static struct hash places; /* key_of() to place + 1 */

static struct {
	uint64_t origin; /* 0: free */
	uint32_t number;
} marks[ORIGINS_KEPT]; /* the newest in front */

static uint64_t
key_of(uint64_t origin, uint32_t unique)
{
	return origin + unique; /* origins are far apart */
}

struct usage_ended *
usage_ended_get(unsigned int i)
{
	return &ring[(head + i) % size];
}

unsigned int
usage_ended_count(void)
{
	return count;
}

bool
usage_ended_is_half_full(void)
{
	return count >= size / 2;
}

uint32_t
usage_ended_dropped(void)
{
	return dropped;
}

struct usage_ended *
usage_ended_add(uint64_t origin, uint32_t unique)
{
	unsigned int place = (head + count) % size;

	if (count == size)
		return NULL;
	count++;
	ring[place] =
	    (struct usage_ended){ .origin = origin, .unique = unique, .ms = loop_now_ms() };
	if (origin)
		hash_put(&places, key_of(origin, unique), place + 1);
	return &ring[place];
}

struct usage_ended *
usage_ended_of(uint64_t origin, uint32_t unique)
{
	uint32_t place = hash_get(&places, key_of(origin, unique));
	struct usage_ended *e = place ? &ring[place - 1] : NULL;

	return e && e->origin == origin && e->unique == unique ? e : NULL;
}

static void
forget(struct usage_ended *e)
{
	if (e->origin)
		hash_del(&places, key_of(e->origin, e->unique));
	*e = (struct usage_ended){ 0 };
}

void
usage_ended_drop(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		forget(usage_ended_get(i));
	head = (head + n) % size;
	count -= n;
	dropped += n;
	if (count == 0 && n > MIN_TRIM)
		shm_trim(ring, size * sizeof(*ring), 0);
}

/* The mark of an origin; the one that has not moved for longest gives way to a new one. */
static void
mark(uint64_t origin, uint32_t number)
{
	unsigned int i;

	for (i = 0; i < ORIGINS_KEPT - 1 && marks[i].origin != origin; i++)
		;
	if (marks[i].origin == origin)
		number = MAX(number, marks[i].number);
	memmove(&marks[1], &marks[0], i * sizeof(marks[0]));
	marks[0].origin = origin;
	marks[0].number = number;
}

bool
usage_ended_is_told(uint64_t origin, uint32_t number)
{
	unsigned int i;

	for (i = 0; i < ORIGINS_KEPT; i++)
		if (marks[i].origin == origin)
			return number <= marks[i].number;
	return false;
}

bool
usage_ended_is_over(const struct usage_ended *e)
{
	return e->number && usage_ended_is_told(e->origin, e->number);
}

void
usage_ended_told(uint64_t origin, uint32_t number)
{
	if (origin && !usage_ended_is_told(origin, number))
		mark(origin, number);
}

void
usage_ended_clean(void)
{
	unsigned int n;

	for (n = 0; n < CLEAN_BATCH && n < count && usage_ended_is_over(usage_ended_get(n)); n++)
		;
	usage_ended_drop(n);
}

void
usage_ended_export(const struct usage_ended *e, struct repl_usage_end *r)
{
	*r = (struct repl_usage_end){
		.id = e->number,
		.version = 1,
		.origin = e->origin,
		.unique = e->unique,
		.ip4 = e->ip4,
		.throttled = e->throttled,
		.place = (uint8_t)e->place,
		.run = e->run,
		.up = e->failed.up,
		.down = e->failed.down,
		.less_up = e->failed.up - e->written.up,
		.less_down = e->failed.down - e->written.down,
	};
	memcpy(r->user, e->user, sizeof(r->user));
}

void
usage_ended_import(const struct repl_usage_end *r, struct usage_ended *e)
{
	e->number = r->id;
	e->ip4 = r->ip4;
	e->throttled = r->throttled;
	e->place = strchr("RP", r->place) && r->place ? (char)r->place : 'L';
	e->run = r->run;
	e->failed = (struct usage){ r->up, r->down };
	e->written = (struct usage){ r->up - r->less_up, r->down - r->less_down };
	str_copy(e->user, sizeof(e->user), r->user);
}

void
usage_ended_init(unsigned int most)
{
	size = most;
	ring = shm_map_private("usage of ended sessions", size * sizeof(*ring));
	hash_init(&places, "usage of ended sessions", size);
}
