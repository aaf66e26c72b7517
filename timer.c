/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer wheel. Level n has 64 slots of 64^n ticks each; a timer lies in the
 * level that its distance needs and moves down as its slot comes up. A word a
 * level tells which slots hold any, so that an idle wheel costs nothing. Ticks are
 * counted from the first timer_run(): timers that were set before it start then.
 */
#include "timer.h"
#include "util.h"

enum { LEVELS = 4, SLOTS = 64, SLOT_BITS = 6 };

static struct timer *wheel[LEVELS][SLOTS];
static uint64_t busy[LEVELS]; /* a bit a slot */
static uint64_t now_tick;     /* all before and at it has been run */
static uint64_t clock_tick;   /* what time it is: ahead of now_tick until the wheel is run */
static uint64_t origin_ms;    /* when tick 0 was */
static bool started;

static void
insert(struct timer *t)
{
	uint64_t dist = t->when - now_tick;
	unsigned int level = 0, slot;

	while (level < LEVELS - 1 && dist >= UINT64_C(1) << (SLOT_BITS * (level + 1)))
		level++;
	slot = (t->when >> (SLOT_BITS * level)) % SLOTS;
	t->next = wheel[level][slot];
	t->pprev = &wheel[level][slot];
	if (t->next)
		t->next->pprev = &t->next;
	wheel[level][slot] = t;
	busy[level] |= UINT64_C(1) << slot;
}

void
timer_init(struct timer *t, timer_fn fn, uint32_t id)
{
	timer_stop(t);
	t->fn = fn;
	t->id = id;
}

void
timer_set(struct timer *t, uint64_t ms)
{
	const uint64_t most = (UINT64_C(1) << (SLOT_BITS * LEVELS)) - SLOTS * SLOTS * SLOTS;
	uint64_t ticks = (ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS;

	timer_stop(t);
	t->when = MAX(now_tick, clock_tick) + MIN(MAX(ticks, 1), most);
	insert(t);
}

void
timer_set_jitter(struct timer *t, uint64_t ms)
{
	timer_set(t, ms + ms * (random_u16() & 0xff) / 2048);
}

void
timer_stop(struct timer *t)
{
	if (!t->pprev)
		return;
	*t->pprev = t->next;
	if (t->next)
		t->next->pprev = t->pprev;
	t->pprev = NULL;
}

uint64_t
timer_left(const struct timer *t)
{
	return t->pprev && t->when > now_tick ? (t->when - now_tick) * TIMER_TICK_MS : 0;
}

/* Takes a slot's list off the wheel; its first timer then hangs on *head. */
static void
detach(unsigned int level, unsigned int slot, struct timer **head)
{
	*head = wheel[level][slot];
	if (*head)
		(*head)->pprev = head;
	wheel[level][slot] = NULL;
	busy[level] &= ~(UINT64_C(1) << slot);
}

static void
cascade(unsigned int level)
{
	unsigned int slot = (now_tick >> (SLOT_BITS * level)) % SLOTS;
	struct timer *head, *t;

	detach(level, slot, &head);
	while ((t = head)) {
		timer_stop(t);
		insert(t);
	}
}

static void
run_slot(void)
{
	struct timer *head, *t;

	detach(0, now_tick % SLOTS, &head);
	while ((t = head)) { /* a callback may stop others in the list */
		timer_stop(t);
		if (t->when > now_tick)
			insert(t);
		else
			t->fn(t->id);
	}
}

static void
one_tick(void)
{
	unsigned int level;

	now_tick++;
	for (level = 1; level < LEVELS; level++) {
		if (now_tick % (UINT64_C(1) << (SLOT_BITS * level)))
			break;
		cascade(level);
	}
	run_slot();
}

void
timer_clock(uint64_t now_ms)
{
	if (started)
		clock_tick = (now_ms - origin_ms) / TIMER_TICK_MS;
}

void
timer_run(uint64_t now_ms)
{
	uint64_t target;

	if (!started)
		origin_ms = now_ms;
	started = true;
	target = (now_ms - origin_ms) / TIMER_TICK_MS;
	while (now_tick < target) {
		if (!(busy[0] | busy[1] | busy[2] | busy[3])) {
			now_tick = target;
			return;
		}
		one_tick();
	}
}

uint64_t
timer_next(uint64_t now_ms, uint64_t max_ms)
{
	uint64_t tick = now_tick, due;
	unsigned int i;

	if (!started)
		return 0;
	for (i = 1; i < SLOTS; i++) {
		tick = now_tick + i;
		if (busy[0] & UINT64_C(1) << (tick % SLOTS) || tick % SLOTS == 0)
			break;
	}
	due = origin_ms + tick * TIMER_TICK_MS;
	if (due <= now_ms)
		return 0;
	return MIN(due - now_ms, max_ms);
}
