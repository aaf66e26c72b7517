/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wheel: a random run against a plain list of times, and what callbacks may do.
 * The wheel is one for the process, so time goes on from test to test.
 */
#include "timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TIMERS = 400 };

static struct timer timers[TIMERS];
static uint64_t due_ms[TIMERS];	    /* by the model; 0: not running */
static uint64_t now_ms = 123456789; /* not a whole tick */
static uint64_t last_due;
static unsigned int fired[TIMERS];

static uint64_t
ceil_tick(uint64_t ms)
{
	return (ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS * TIMER_TICK_MS;
}

/* The time of the wheel's last tick: what is set counts from there. */
static uint64_t
tick_time(void)
{
	return now_ms - (now_ms - 123456789) % TIMER_TICK_MS;
}

static void
start(uint32_t i, uint64_t ms)
{
	timer_set(&timers[i], ms);
	due_ms[i] = tick_time() + (ms ? ceil_tick(ms) : TIMER_TICK_MS);
}

static void
stop(uint32_t i)
{
	timer_stop(&timers[i]);
	due_ms[i] = 0;
}

static void
on_timer(uint32_t i)
{
	assert_false(timer_running(&timers[i]));
	assert_true(due_ms[i] != 0 && due_ms[i] <= now_ms);
	assert_true(due_ms[i] >= last_due); /* in the order of their times */
	last_due = due_ms[i];
	due_ms[i] = 0;
	fired[i]++;
}

static void
init_all(timer_fn fn)
{
	uint32_t i;

	for (i = 0; i < TIMERS; i++) {
		timer_init(&timers[i], fn, i);
		due_ms[i] = 0;
		fired[i] = 0;
	}
}

/* Lets time pass; whatever is due must have come, and no more. */
static void
pass(uint64_t ms)
{
	uint32_t i;

	now_ms += ms;
	last_due = 0;
	timer_run(now_ms);
	for (i = 0; i < TIMERS; i++) {
		assert_int_equal(timer_running(&timers[i]), due_ms[i] != 0);
		assert_true(due_ms[i] == 0 || due_ms[i] > now_ms);
	}
}

/* Must come first: the wheel does not know the time yet. */
static void
set_before_the_first_run(void **state)
{
	(void)state;
	init_all(on_timer);
	assert_int_equal(timer_next(now_ms, 1000), 0);
	start(0, 10);
	start(1, 5000);
	start(2, 1000000);
	pass(0);
	pass(10);
	assert_int_equal(fired[0], 1);
	pass(4980);
	assert_int_equal(fired[1], 0);
	pass(10);
	assert_int_equal(fired[1], 1);
	pass(SEC(995));
	assert_int_equal(fired[2], 1);
}

/* Durations of all sizes: about as many within a slot as over hours. */
static uint64_t
random_ms(void)
{
	return (uint64_t)random() >> (7 + random() % 24);
}

static void
check_left(uint32_t i)
{
	assert_int_equal(timer_left(&timers[i]), due_ms[i] ? due_ms[i] - tick_time() : 0);
}

/* Whoever sleeps as long as told misses no timer by a tick. */
static void
check_next(void)
{
	uint64_t until = now_ms + timer_next(now_ms, 1000);
	uint32_t i;

	assert_true(until <= now_ms + 1000);
	for (i = 0; i < TIMERS; i++)
		assert_true(due_ms[i] == 0 || until <= due_ms[i]);
}

static void
random_run_against_a_list(void **state)
{
	uint32_t round, n, i;

	(void)state;
	srandom(1);
	init_all(on_timer);
	for (round = 0; round < 3000; round++) {
		for (n = 0; n < 20; n++) {
			i = (uint32_t)random() % TIMERS;
			if (random() % 4)
				start(i, random_ms());
			else
				stop(i);
			check_left(i);
		}
		check_next();
		pass(random() % 3 ? (uint64_t)random() % 300 : random_ms() / 4);
	}
	pass(SEC(3600) * 48);
	for (i = 0; i < TIMERS; i++)
		assert_false(timer_running(&timers[i]));
}

static void
sleeping_as_told_is_on_time(void **state)
{
	uint64_t wait, due;

	(void)state;
	init_all(on_timer);
	start(0, 12340);
	due = due_ms[0];
	while (!fired[0]) {
		wait = timer_next(now_ms, 60000);
		assert_true(wait > 0);
		pass(wait);
	}
	assert_true(now_ms - due < TIMER_TICK_MS);
}

static void
at_most_and_at_least(void **state)
{
	(void)state;
	init_all(on_timer);
	timer_set(&timers[0], SEC(3600) * 1000);
	assert_true(timer_left(&timers[0]) >= SEC(3600) * 40);
	stop(0);
	start(0, 0);
	pass(TIMER_TICK_MS - 1);
	pass(1);
	assert_int_equal(fired[0], 1);
}

static void
jitter_adds_an_eighth_at_most(void **state)
{
	uint64_t least = UINT64_MAX, most = 0, left;
	unsigned int n;

	(void)state;
	init_all(on_timer);
	for (n = 0; n < 1000; n++) {
		timer_set_jitter(&timers[0], 8000);
		left = timer_left(&timers[0]);
		least = MIN(least, left);
		most = MAX(most, left);
	}
	timer_stop(&timers[0]);
	assert_in_range(least, 8000, 8100);
	assert_in_range(most, 8900, 9000);
}

static void
again_and_stop_the_next(uint32_t i)
{
	fired[i]++;
	timer_set(&timers[i], 100);
	timer_stop(&timers[i + 1]);
}

/* Two are due in the same tick; whichever runs first stops the other or not at all. */
static void
callbacks_set_and_stop(void **state)
{
	unsigned int n;

	(void)state;
	init_all(again_and_stop_the_next);
	timer_set(&timers[1], 100);
	timer_set(&timers[0], 100); /* runs first: the latest of a slot is its head */
	for (n = 0; n < 10; n++) {
		now_ms += 100;
		timer_run(now_ms);
	}
	assert_int_equal(fired[0], 10);
	assert_int_equal(fired[1], 0);
	assert_false(timer_running(&timers[1]));
	timer_stop(&timers[0]);
	timer_stop(&timers[0]); /* twice does no harm */
}

/* A callback of a descriptor sets a timer after a long sleep, before the wheel is run. */
static void
set_after_a_sleep(void **state)
{
	(void)state;
	init_all(on_timer);
	now_ms += 500;
	timer_clock(now_ms);
	timer_set(&timers[0], 1000);
	due_ms[0] = now_ms + 1000 - TIMER_TICK_MS; /* and no earlier */
	last_due = 0;
	timer_run(now_ms);
	now_ms += 900;
	timer_run(now_ms);
	assert_true(timer_running(&timers[0]));
	now_ms += 100 + TIMER_TICK_MS;
	timer_run(now_ms);
	assert_false(timer_running(&timers[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_before_the_first_run),
		cmocka_unit_test(random_run_against_a_list),
		cmocka_unit_test(sleeping_as_told_is_on_time),
		cmocka_unit_test(at_most_and_at_least),
		cmocka_unit_test(jitter_adds_an_eighth_at_most),
		cmocka_unit_test(callbacks_set_and_stop),
		cmocka_unit_test(set_after_a_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
