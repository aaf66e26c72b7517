/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders for all sessions of a user against a small model of the session table: each is
 * acted upon, none that came later, no turn sees to more than a batch, and the answer comes
 * once, at the end.
 */
#include "order.h"
#include "role.h"
#include "timer.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 20000, ROUNDS = 40 };

static struct session sessions[SESSIONS + 1];
static unsigned int acted[SESSIONS + 1];
static sess_id heads[2]; /* of "u0" and "u1", newest first */
static uint32_t logins;
static unsigned int in_turn, answers;
static uint32_t asker_told;
static bool ok_told;
static char text_told[ORDER_ANSWER];
static uint64_t now_ms;

const struct session *
session_get(sess_id id)
{
	return id && sessions[id].state != SESS_FREE ? &sessions[id] : NULL;
}

sess_id
session_by_user(const char *user)
{
	return heads[user[1] - '0'];
}

sess_id
session_next_of_user(sess_id id)
{
	return sessions[id].user_link.next;
}

uint32_t
session_last_login(void)
{
	return logins;
}

static void
log_in(sess_id id, unsigned int user)
{
	sess_id head = heads[user];

	sessions[id] = (struct session){ .state = SESS_OPEN, .authed = 1, .login = ++logins };
	sessions[id].user[0] = 'u';
	sessions[id].user[1] = (char)('0' + user);
	sessions[id].user_link.next = head;
	if (head)
		sessions[head].user_link.prev = id;
	heads[user] = id;
}

static void
leave(sess_id id)
{
	struct session *s = &sessions[id];

	if (s->user_link.prev)
		sessions[s->user_link.prev].user_link.next = s->user_link.next;
	else
		heads[s->user[1] - '0'] = s->user_link.next;
	if (s->user_link.next)
		sessions[s->user_link.next].user_link.prev = s->user_link.prev;
	*s = (struct session){ 0 };
}

static void
act(struct order *o, sess_id s)
{
	assert_string_equal(sessions[s].user, o->user);
	acted[s]++;
	in_turn++;
	o->noted += s % 2;
}

static bool
answer(const struct order *o, char *text, size_t size)
{
	str_copy(text, size, o->user);
	return o->noted == 0;
}

static void
tell(uint32_t asker, bool ok, const char *text)
{
	str_copy(text_told, sizeof(text_told), text);
	answers++;
	asker_told = asker;
	ok_told = ok;
}

static void
turn(void)
{
	in_turn = 0;
	now_ms += TIMER_TICK_MS;
	timer_run(now_ms);
	assert_in_range(in_turn, 0, ORDER_BATCH);
}

static struct order
order_of(const char *user, uint32_t asker)
{
	struct order o = { .asker = asker, .act = act, .answer = answer };

	str_copy(o.user, sizeof(o.user), user);
	in_turn = 0;
	return o;
}

static int
fresh(void **state)
{
	(void)state;
	memset(sessions, 0, sizeof(sessions));
	memset(acted, 0, sizeof(acted));
	heads[0] = heads[1] = 0;
	logins = 0;
	answers = 0;
	return 0;
}

static void
few_are_done_at_once(void **state)
{
	struct order o = order_of("u0", 1);
	sess_id s;

	(void)state;
	for (s = 1; s <= ORDER_BATCH; s++)
		log_in(s, 0);
	assert_int_equal(order_give(&o), ORDER_DONE);
	assert_int_equal(in_turn, ORDER_BATCH);
	assert_int_equal(o.noted, ORDER_BATCH / 2);
	turn();
	assert_int_equal(answers, 0);
}

static void
many_in_batches(void **state)
{
	struct order o = order_of("u0", 77);
	unsigned int turns = 0;
	sess_id s;

	(void)state;
	for (s = 1; s < SESSIONS; s++)
		log_in(s, s % 10 == 0);
	assert_int_equal(order_give(&o), ORDER_LATER);
	assert_in_range(in_turn, 1, ORDER_BATCH);
	log_in(SESSIONS, 0);
	for (; !answers; turns++)
		turn();
	assert_in_range(turns, SESSIONS / ORDER_BATCH * 8 / 10, SESSIONS / ORDER_BATCH);
	for (s = 1; s < SESSIONS; s++)
		assert_int_equal(acted[s], s % 10 != 0);
	assert_int_equal(acted[SESSIONS], 0);
	assert_int_equal(asker_told, 77);
	assert_string_equal(text_told, "u0");
	assert_false(ok_told);
	for (turns = 0; turns < 5; turns++)
		turn();
	assert_int_equal(answers, 1);
}

/* Sessions come and go in the meantime, those included where a walk has stopped. */
static void
whoever_stays_is_reached(void **state)
{
	struct order o = order_of("u0", 1);
	unsigned int turns = 0;
	sess_id s;
	long n;

	(void)state;
	for (s = 1; s <= SESSIONS / 2; s++)
		log_in(s, 0);
	order_give(&o);
	while (!answers) {
		turn();
		for (n = random() % 200; n; n--) {
			s = 1 + (sess_id)random() % SESSIONS;
			if (sessions[s].state == SESS_FREE)
				log_in(s, 0);
			else if (s % 2 || sessions[s].login > SESSIONS / 2)
				leave(s);
		}
		assert_in_range(++turns, 1, 2000);
	}
	for (s = 2; s <= SESSIONS / 2; s += 2)
		assert_true(acted[s] > 0);
}

static void
several_and_too_many(void **state)
{
	unsigned int given, i;
	struct order o;
	sess_id s;

	(void)state;
	for (s = 1; s <= SESSIONS / 10; s++)
		log_in(s, 1);
	for (given = 0;; given++) {
		o = order_of("u1", given);
		if (order_give(&o) == ORDER_TOO_MANY)
			break;
	}
	assert_in_range(given, 20, 64);
	assert_int_equal(in_turn, 0);
	for (i = 0; answers < given; i++)
		turn();
	for (s = 1; s <= SESSIONS / 10; s++)
		assert_int_equal(acted[s], given);
	o = order_of("u1", 1);
	assert_int_equal(order_give(&o), ORDER_LATER);
	while (answers == given)
		turn();
}

/* Who turns slave in the midst of it does nothing more, and says so to each who waits. */
static void
a_slave_gives_up(void **state)
{
	struct order o;
	unsigned int i, done = 0;
	sess_id s;

	(void)state;
	for (s = 1; s <= SESSIONS / 2; s++)
		log_in(s, 0);
	for (i = 0; i < 2; i++) {
		o = order_of("u0", i);
		assert_int_equal(order_give(&o), ORDER_LATER);
	}
	role_set(false, 0x0200000a);
	for (i = 0; i < 5; i++) {
		turn();
		done += in_turn;
	}
	role_set(true, 0);
	assert_int_equal(done, 0);
	assert_int_equal(answers, 2);
	assert_false(ok_told);
	assert_string_equal(text_told, "not master, the master is 10.0.0.2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(few_are_done_at_once, fresh),
		cmocka_unit_test_setup(many_in_batches, fresh),
		cmocka_unit_test_setup(whoever_stays_is_reached, fresh),
		cmocka_unit_test_setup(several_and_too_many, fresh),
		cmocka_unit_test_setup(a_slave_gives_up, fresh),
	};

	timer_clock(0);
	order_init(tell);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
