/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places of fixed size in private memory. A record lies in one until a server has acknowledged it,
 * or it is older than radius_acct_retry_time. What is done about it is acct_line.c's; here it is
 * found by its number, and told how old it is.
 *
 * Acct-Delay-Time is counted by the monotonic clock while the process lives, also over the file.
 * Between two processes there is only the wall clock; so what an earlier one has left is kept
 * for radius_acct_retry_time from our start, whatever its age.
 *
 * Places are given lowest first, those freed before that; when all are free and many were used,
 * the pages are given back.
 *
 * Owns struct acct_place, but for its state and what goes with that. Called by the others of the
 * group.
 */
#include "acct_pool.h"
#include "acct_number.h"
#include "config.h"
#include "counter.h"
#include "hash.h"
#include "loop.h"
#include "shm.h"

enum { TRIM = 1024 }; /* an empty pool that held more gives its memory back */

static struct acct_place *places; /* 1..ACCT_POOL */
static uint32_t free_place;	  /* head of those freed */
static uint32_t highest;	  /* those above were never used */
static uint32_t used, used_spilled;
static struct hash by_number;
static int64_t begun_ms; /* loop clock at the start */
static int64_t steady;	 /* wall clock at zero of the loop clock, as it was at the start, ms */
static void (*on_wait_over)(uint32_t i);
static void (*on_released)(void);

int64_t
acct_pool_clock(void)
{
	return (steady + (int64_t)loop_now_ms()) / 1000;
}

struct acct_place *
acct_place(uint32_t i)
{
	return &places[i];
}

uint32_t
acct_pool_highest(void)
{
	return highest;
}

uint32_t
acct_pool_used(void)
{
	return used;
}

void
acct_pool_gauge(void)
{
	counters->acct_queued = used + acct_spill_count();
}

uint32_t
acct_pool_find(uint64_t origin, uint32_t number)
{
	uint32_t i = hash_get(&by_number, acct_number_key(origin, number));

	return places[i].rec.origin == origin && places[i].rec.number == number ? i : 0;
}

void
acct_pool_hide(uint32_t i)
{
	const struct acct_rec *rec = &places[i].rec;

	if (rec->number)
		hash_del(&by_number, acct_number_key(rec->origin, rec->number));
}

/* Where a record is kept, but its attributes. */
uint32_t
acct_pool_take(const struct acct_rec *rec)
{
	uint32_t i = free_place;
	struct acct_place *p;

	if (i)
		free_place = places[i].next;
	else
		i = ++highest;
	p = &places[i];
	*p = (struct acct_place){ .state = ACCT_PLACE_FREE };
	memcpy(&p->rec, rec, offsetof(struct acct_rec, attrs) + rec->len);
	p->born_ms = (int64_t)loop_now_ms() - MAX(acct_pool_clock() - rec->when, 0) * 1000;
	timer_init(&p->timer, on_wait_over, i);
	used++;
	if (rec->number)
		hash_put(&by_number, acct_number_key(rec->origin, rec->number), i);
	return i;
}

void
acct_pool_set_spilled(uint32_t i)
{
	places[i].spilled = true;
	used_spilled++;
}

void
acct_pool_settle(void)
{
	if (used_spilled == 0)
		acct_spill_settled();
}

/* An empty pool starts over at its first page. */
static void
trim(void)
{
	if (used > 0 || highest <= TRIM)
		return;
	shm_trim(places, (ACCT_POOL + 1) * sizeof(*places), 0);
	free_place = highest = 0;
}

void
acct_pool_release(uint32_t i)
{
	used--;
	used_spilled -= places[i].spilled;
	places[i] = (struct acct_place){ .next = free_place };
	free_place = i;
	trim();
	acct_pool_settle();
	on_released();
}

uint64_t
acct_pool_age_ms(uint32_t i)
{
	return (uint64_t)((int64_t)loop_now_ms() - places[i].born_ms);
}

bool
acct_pool_is_too_old(uint32_t i)
{
	int64_t since = MAX(places[i].born_ms, begun_ms);

	return (int64_t)loop_now_ms() - since > (int64_t)SEC(conf->radius_acct_retry_time);
}

bool
acct_pool_look(uint32_t i, const struct acct_rec **rec, uint64_t *age_ms)
{
	const struct acct_place *p = &places[i];

	if (p->state == ACCT_PLACE_FREE || p->state == ACCT_PLACE_OVER || !p->rec.number)
		return false;
	*rec = &p->rec;
	*age_ms = acct_pool_age_ms(i);
	return true;
}

void
acct_pool_init(void (*wait_over)(uint32_t i), void (*released)(void))
{
	places = shm_map_parent("accounting records", (ACCT_POOL + 1) * sizeof(*places));
	hash_init(&by_number, "accounting records by number", ACCT_POOL);
	on_wait_over = wait_over;
	on_released = released;
	begun_ms = (int64_t)loop_now_ms();
	steady = (int64_t)loop_time() * 1000 - begun_ms;
}
