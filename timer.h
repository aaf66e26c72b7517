/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers on a wheel of 4 levels of 64 slots of 10 ms: set and stop cost the same
 * whatever the number of timers, and nothing is allocated. The callback gets an
 * id, not a pointer: a dead session's timer finds nothing.
 */
#ifndef TIMER_H
#define TIMER_H

#include "l2tpns.h"

#define MS(n)  ((uint64_t)(n))
#define SEC(n) ((uint64_t)(n)*1000)

enum { TIMER_TICK_MS = 10 };

typedef void (*timer_fn)(uint32_t id);

struct timer {
	struct timer *next;
	struct timer **pprev; /* NULL: not running */
	uint64_t when;	      /* tick it is due at */
	timer_fn fn;
	uint32_t id;
};

/* Names what is to be called; the memory must be zero or a stopped timer. */
void timer_init(struct timer *t, timer_fn fn, uint32_t id);

/* Starts it, or starts it again, to fire once after `ms` (at least one tick, at most 40 h). */
void timer_set(struct timer *t, uint64_t ms);

/* The same, spread over ms .. ms + ms / 8, so that many do not fire together. */
void timer_set_jitter(struct timer *t, uint64_t ms);

void timer_stop(struct timer *t);

static inline bool
timer_running(const struct timer *t)
{
	return t->pprev != NULL;
}

/* Milliseconds left, 0 when not running. */
uint64_t timer_left(const struct timer *t);

/* Tells the time without calling anything: timers set from now on count from here. */
void timer_clock(uint64_t now_ms);

/* Moves the wheel to `now_ms` (monotonic) and calls what is due. */
void timer_run(uint64_t now_ms);

/* Milliseconds until the next timer may be due, at most `max_ms`. */
uint64_t timer_next(uint64_t now_ms, uint64_t max_ms);

#endif
