/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slave hands packets to the master over a link that loses, repeats and reorders them: each
 * comes, and once. Both sides are the real ones; clock and link are stand-ins.
 */
#include "clpending.h"
#include "counter.h"
#include "loop.h"
#include "role.h"
#include "timer.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MASTER = 1, OTHER = 2, SLAVE = 3, MANY = 20000 };

static uint64_t now_ms = 1000000;
static uint64_t incarnation = 100; /* of the slave */
static unsigned int loss;	   /* percent */
static bool deaf;
static unsigned char come[2 * MANY]; /* how often */
static uint64_t first_number;
static uint64_t newest[50]; /* number that came, of an order */
static uint32_t said_to;
static unsigned int came, acks;

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

static bool
is_lost(void)
{
	return deaf || (unsigned int)(rand() % 100) < loss;
}

/* The other end of the link. */
static bool
say(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	struct cl_forward_ack ack;
	struct cl_forward f;

	said_to = to;
	if (is_lost())
		return true;
	if (kind == CL_FORWARD_ACK) {
		assert_int_equal(to, SLAVE);
		assert_true(clmsg_get_forward_ack(rd_init(fields, len), &ack));
		acks++;
		clpending_acked(&ack);
		return true;
	}
	assert_int_equal(kind, CL_FORWARD);
	assert_true(clmsg_get_forward(rd_init(fields, len), &f));
	if (clpending_is_new(incarnation, SLAVE, f.number)) {
		came++;
		if (f.session) {
			assert_true(f.number > newest[f.session % ARRAY_LEN(newest)]);
			newest[f.session % ARRAY_LEN(newest)] = f.number;
		}
		if (f.number - first_number < sizeof(come))
			come[f.number - first_number]++;
	}
	return true;
}

/* `order` travels in `session`, so that the other side can see to it. */
static bool
hand_on(uint32_t order, size_t len)
{
	static uint8_t payload[CLPENDING_PAYLOAD], fields[CLMSG_LARGEST];
	struct cl_forward f = { .what = CL_L2TP,
		.from_ip = 1,
		.to_ip = 1,
		.from_port = UINT16_MAX,
		.to_port = UINT16_MAX,
		.session = order,
		.number = clpending_number(),
		.payload = payload,
		.len = len };
	struct wr w = wr_init(fields, sizeof(fields));

	clmsg_put_forward(&w, &f);
	assert_false(w.bad);
	return clpending_send(f.number, order, fields, wr_len(&w));
}

static void
pass(unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < ms; i += TIMER_TICK_MS) {
		now_ms += TIMER_TICK_MS;
		timer_run(now_ms);
		clpending_turn_end();
	}
}

static int
setup(void **state)
{
	(void)state;
	deaf = false;
	loss = 0;
	role_set(false, MASTER);
	pass(2 * CLPENDING_LIFE_MS); /* nothing is pending */
	memset(counters, 0, sizeof(*counters));
	memset(come, 0, sizeof(come));
	first_number = clpending_number();
	came = acks = 0;
	return 0;
}

static void
nothing_is_repeated_that_has_come(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++)
		hand_on(0, 50);
	clpending_turn_end();
	assert_int_equal(acks, 1);
	pass(1000);
	assert_int_equal(came, 100);
	assert_int_equal(counters->forward_repeated, 0);
}

/* Nearly all, each once, and those of an order in order. */
static void
all_comes_over_a_bad_link(void **state)
{
	unsigned int i, n;

	(void)state;
	loss = 20;
	for (i = 0; i < MANY; i++) {
		hand_on((uint32_t)rand() % 50, (size_t)rand() % CLPENDING_PAYLOAD + 1);
		if (i % 10 == 0)
			pass(TIMER_TICK_MS);
	}
	pass(CLPENDING_LIFE_MS);
	for (i = n = 0; i < MANY; i++) {
		assert_in_range(come[i], 0, 1);
		n += come[i];
	}
	assert_in_range(n, MANY - 10, MANY);
	assert_true(counters->forward_repeated > MANY / 5);
	assert_true(counters->forward_duplicate > 0);
	assert_true(counters->forward_unacknowledged >= MANY - n);
}

static void
nobody_answers(void **state)
{
	unsigned int i;

	(void)state;
	deaf = true;
	for (i = 0; i < CL_FORWARD_WINDOW + 10; i++)
		hand_on(0, 50);
	assert_int_equal(counters->forward_unacknowledged, 10); /* the oldest ones make room */
	pass(CLPENDING_LIFE_MS + 1000);
	assert_int_equal(counters->forward_unacknowledged, CL_FORWARD_WINDOW + 10);
	assert_in_range(counters->forward_repeated, CL_FORWARD_WINDOW, 10 * CL_FORWARD_WINDOW);
}

/* What a frozen process had in hand is old when it goes on. */
static void
what_is_old_is_not_repeated(void **state)
{
	(void)state;
	deaf = true;
	hand_on(0, 50);
	deaf = false;
	now_ms += 30000;
	pass(1000);
	assert_int_equal(counters->forward_repeated, 0);
	assert_int_equal(counters->forward_unacknowledged, 1);
}

static void
a_new_master_gets_what_the_old_one_has_not(void **state)
{
	(void)state;
	deaf = true;
	hand_on(0, 50);
	role_set(false, 0);
	pass(100);
	assert_int_equal(said_to, MASTER);
	role_set(false, OTHER);
	deaf = false;
	pass(200);
	assert_int_equal(said_to, SLAVE); /* and it was acknowledged */
	assert_int_equal(came, 1);
}

/* Who becomes master itself has nobody to repeat it to. */
static void
a_slave_becomes_master(void **state)
{
	(void)state;
	deaf = true;
	hand_on(0, 50);
	role_set(true, 0);
	deaf = false;
	pass(1000);
	assert_int_equal(came, 0);
	assert_int_equal(counters->forward_repeated, 0);
}

/* One that is given up does not hold up those behind it; other orders do not wait. */
static void
one_waits_for_the_other(void **state)
{
	(void)state;
	deaf = true;
	hand_on(7, 50);
	deaf = false;
	hand_on(7, 50);
	hand_on(8, 50);
	hand_on(0, 50);
	assert_int_equal(came, 2);
	pass(50);
	assert_int_equal(came, 4);
	assert_int_equal(counters->forward_repeated, 1);
	deaf = true;
	hand_on(7, 50);
	pass(500);
	hand_on(7, CLPENDING_PAYLOAD);
	pass(490);
	deaf = false;
	pass(20);
	assert_int_equal(came, 5);
	assert_int_equal(counters->forward_unacknowledged, 1);
}

/* Who sends frame upon frame does not push out the message of another that is still to be repeated.
 */
static void
a_flood_of_one_session(void **state)
{
	unsigned int i, taken = 0;

	(void)state;
	deaf = true;
	hand_on(8, 50);
	hand_on(0, 50);
	for (i = 0; i < 10 * CL_FORWARD_WINDOW; i++)
		taken += hand_on(7, 50);
	assert_in_range(taken, 10, CL_FORWARD_WINDOW / 8);
	assert_int_equal(counters->forward_unacknowledged, 0);
	deaf = false;
	pass(500);
	assert_int_equal(come[0], 1);
	assert_int_equal(come[1], 1);
	assert_int_equal(came, 2 + taken);
	assert_true(hand_on(7, 50)); /* it may go on */
	pass(10);
	assert_int_equal(came, 3 + taken);
}

/* A number that nobody can have got to does not make all those behind it old. */
static void
a_member_errs(void **state)
{
	(void)state;
	assert_true(clpending_is_new(3, SLAVE, 5));
	assert_true(clpending_is_new(3, SLAVE, UINT64_MAX - 1));
	assert_true(clpending_is_new(3, SLAVE, 6));
	assert_false(clpending_is_new(3, SLAVE, 6));
	assert_true(clpending_is_new(3, SLAVE, 7));
}

/* Its numbers begin anew with it. */
static void
a_member_starts_again(void **state)
{
	(void)state;
	assert_true(clpending_is_new(1, SLAVE, 5000));
	assert_false(clpending_is_new(1, SLAVE, 5000));
	assert_true(clpending_is_new(1, SLAVE, 4999));
	assert_false(clpending_is_new(1, SLAVE, 5000 - CL_FORWARD_WINDOW)); /* nobody can tell */
	assert_true(clpending_is_new(2, SLAVE, 1));
	assert_true(clpending_is_new(1, SLAVE, 5000 + 3 * CL_FORWARD_WINDOW));
	assert_true(clpending_is_new(1, SLAVE, 5001 + 2 * CL_FORWARD_WINDOW));
	assert_true(clpending_is_new(1, SLAVE, UINT64_MAX));
	assert_false(clpending_is_new(1, SLAVE, UINT64_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_repeated_that_has_come, setup),
		cmocka_unit_test_setup(all_comes_over_a_bad_link, setup),
		cmocka_unit_test_setup(nobody_answers, setup),
		cmocka_unit_test_setup(what_is_old_is_not_repeated, setup),
		cmocka_unit_test_setup(a_new_master_gets_what_the_old_one_has_not, setup),
		cmocka_unit_test_setup(a_slave_becomes_master, setup),
		cmocka_unit_test_setup(one_waits_for_the_other, setup),
		cmocka_unit_test_setup(a_flood_of_one_session, setup),
		cmocka_unit_test_setup(a_member_errs, setup),
		cmocka_unit_test_setup(a_member_starts_again, setup),
	};

	srand(1);
	role_init();
	timer_clock(now_ms);
	clpending_init(say);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
