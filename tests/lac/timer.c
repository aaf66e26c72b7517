/*
 * Timer wheel: one slot a millisecond, 4,096 slots; a timer further away than one turn stays in
 * its slot until its time has come. The caller embeds struct timer and owns it.
 */
#include "timer.h"

#include <stdbool.h>
#include <time.h>

enum { SLOTS = 4096 };

uint64_t now_us;

static struct timer *wheel[SLOTS];
static uint64_t done_ms; /* slots up to here have been visited */
static unsigned int armed;

void
clock_update(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
put_in(struct timer **head, struct timer *tm)
{
	tm->next = *head;
	if (tm->next)
		tm->next->link = &tm->next;
	tm->link = head;
	*head = tm;
}

static void
take_out(struct timer *tm)
{
	*tm->link = tm->next;
	if (tm->next)
		tm->next->link = tm->link;
	tm->link = NULL;
}

void
timer_stop(struct timer *tm)
{
	if (!tm->link)
		return;
	take_out(tm);
	armed--;
}

void
timer_set(struct timer *tm, uint32_t ms, void (*fire)(struct timer *))
{
	timer_stop(tm);
	if (!done_ms)
		done_ms = now_us / 1000;
	tm->due_ms = now_us / 1000 + (ms ? ms : 1);
	if (tm->due_ms <= done_ms)
		tm->due_ms = done_ms + 1;
	tm->fire = fire;
	put_in(&wheel[tm->due_ms % SLOTS], tm);
	armed++;
}

static void
run_slot(struct timer **slot, uint64_t now_ms)
{
	struct timer *due = NULL;
	struct timer *tm, *next;

	for (tm = *slot; tm; tm = next) {
		next = tm->next;
		if (tm->due_ms > now_ms)
			continue;
		take_out(tm);
		put_in(&due, tm);
	}
	/* firing one may stop another of this list */
	while (due) {
		tm = due;
		timer_stop(tm);
		tm->fire(tm);
	}
}

void
timer_run(void)
{
	uint64_t now_ms = now_us / 1000;
	uint64_t from = done_ms + 1;

	if (!done_ms || !armed) {
		done_ms = now_ms;
		return;
	}
	if (now_ms >= from + SLOTS)
		from = now_ms - SLOTS + 1;
	for (; from <= now_ms; from++) {
		done_ms = from;
		if (wheel[from % SLOTS])
			run_slot(&wheel[from % SLOTS], now_ms);
	}
}

int
timer_wait(int max)
{
	int ms;

	if (!armed)
		return max;
	for (ms = 1; ms < max && ms < 50; ms++) {
		if (wheel[(done_ms + (uint64_t)ms) % SLOTS])
			return ms;
	}
	return ms;
}
