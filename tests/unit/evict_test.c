/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending a user's sessions against a small model of the session table: all that were
 * meant end, none that came later, and no turn ends more than a batch.
 */
#include "evict.h"
#include "hook.h"
#include "role.h"
#include "timer.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 20000 };

static struct session sessions[SESSIONS + 1];
static struct id_list users[128]; /* by the number behind the u of the name; newest first */
static uint32_t logins;
static unsigned int ended; /* since the last turn began */
static bool freed_at_once;
static uint64_t now_ms;

static const struct sess_end end = { .cause = TERM_ADMIN_RESET };

static struct id_link *
link_of(uint32_t id)
{
	return &sessions[id].user_link;
}

static struct id_list *
list_of(const char *user)
{
	return &users[atoi(user + 1) % (int)ARRAY_LEN(users)];
}

sess_id
session_id(const struct session *s)
{
	return (sess_id)(s - sessions);
}

const struct session *
session_get(sess_id id)
{
	return id && sessions[id].state != SESS_FREE ? &sessions[id] : NULL;
}

sess_id
session_by_user(const char *user)
{
	return list_of(user)->tail;
}

sess_id
session_next_of_user(sess_id id)
{
	return sessions[id].user_link.prev;
}

static sess_id
from_calling(const char *calling, sess_id s)
{
	for (; s <= SESSIONS; s++)
		if (sessions[s].state != SESS_FREE && strcmp(sessions[s].calling, calling) == 0)
			return s;
	return 0;
}

sess_id
session_by_calling(const char *calling)
{
	return from_calling(calling, 1);
}

sess_id
session_next_of_calling(sess_id id)
{
	return from_calling(sessions[id].calling, id + 1);
}

uint32_t
session_last_login(void)
{
	return logins;
}

static void
free_session(sess_id s)
{
	ll_remove(list_of(sessions[s].user), s, link_of);
	sessions[s] = (struct session){ 0 };
}

void
hook_close(sess_id s, const struct sess_end *why)
{
	assert_int_equal(why->cause, TERM_ADMIN_RESET);
	assert_false(sessions[s].down);
	sessions[s].down = 1;
	ended++;
	if (freed_at_once)
		free_session(s);
}

static void
login(sess_id s, unsigned int user)
{
	sessions[s].state = SESS_OPEN;
	sessions[s].authed = 1;
	sessions[s].login = ++logins;
	snprintf(sessions[s].user, sizeof(sessions[s].user), "u%u", user);
	ll_append(list_of(sessions[s].user), s, link_of);
}

/* A turn of the loop; how many it ended. */
static unsigned int
turn(void)
{
	ended = 0;
	now_ms += TIMER_TICK_MS;
	timer_run(now_ms);
	return ended;
}

static unsigned int
alive(void)
{
	unsigned int n = 0, s;

	for (s = 1; s <= SESSIONS; s++)
		n += sessions[s].state == SESS_OPEN && !sessions[s].down;
	return n;
}

static int
clean(void **state)
{
	(void)state;
	while (turn() > 0)
		continue;
	memset(sessions, 0, sizeof(sessions));
	memset(users, 0, sizeof(users));
	logins = 0;
	ended = 0;
	freed_at_once = false;
	return 0;
}

static void
few_at_once(void **state)
{
	(void)state;
	login(1, 1);
	login(2, 2);
	login(3, 1);
	evict_user("u1", 0, &end);
	assert_int_equal(ended, 2);
	assert_false(sessions[2].down);
	evict_user("u1", 0, &end); /* ending already */
	evict_user("u9", 0, &end);
	assert_int_equal(ended, 2);
}

/* Who logs in again on his own link is not the one to go. */
static void
spared(void **state)
{
	(void)state;
	login(1, 1);
	login(2, 1);
	evict_user("u1", 1, &end);
	assert_int_equal(ended, 1);
	assert_false(sessions[1].down);
}

/* All of one name, each batch in a turn of its own, whether or not they are gone at once. */
static void
many(void **state)
{
	unsigned int s, turns = 0, n;

	freed_at_once = *state != NULL;
	for (s = 1; s <= SESSIONS; s++)
		login(s, s == 777 ? 2 : 1);
	evict_user("u1", 0, &end);
	assert_int_equal(ended, EVICT_BATCH);
	while ((n = turn()) > 0) {
		assert_in_range(n, 1, EVICT_BATCH);
		turns++;
	}
	assert_in_range(turns, SESSIONS / EVICT_BATCH - 1, SESSIONS / EVICT_BATCH);
	assert_int_equal(alive(), 1);
}

static void
later_ones_stay(void **state)
{
	unsigned int s;

	(void)state;
	for (s = 1; s <= 1000; s++)
		login(s, 1);
	evict_user("u1", 0, &end);
	for (s = 1001; s <= 1100; s++) {
		login(s, 1);
		turn();
	}
	assert_int_equal(alive(), 100);
	evict_user("u1", 0, &end);
	assert_int_equal(alive(), 0);
}

/* The session it was to go on with goes by itself: it begins anew at the front, where later ones
 * are. */
static void
where_it_stopped_has_gone(void **state)
{
	unsigned int s;

	(void)state;
	for (s = 1; s <= 1000; s++)
		login(s, 1);
	evict_user("u1", 0, &end);
	free_session(1000 - EVICT_BATCH);
	for (s = 1001; s <= 1100; s++)
		login(s, 1);
	while (turn() > 0)
		continue;
	assert_int_equal(alive(), 100);
	for (s = 1001; s <= 1100; s++)
		assert_false(sessions[s].down);
}

/* A second call while the first is at work means all up to then. */
static void
again_in_between(void **state)
{
	unsigned int s;

	(void)state;
	for (s = 1; s <= 1000; s++)
		login(s, 1);
	evict_user("u1", 0, &end);
	turn();
	login(1001, 1);
	evict_user("u1", 0, &end);
	login(1002, 1);
	while (turn() > 0)
		continue;
	assert_int_equal(alive(), 1);
	assert_false(sessions[1002].down);
}

/* More names than there are places. */
static void
many_names(void **state)
{
	unsigned int s, u;
	char name[8];

	(void)state;
	for (s = 1; s <= SESSIONS; s++)
		login(s, s % 100);
	for (u = 0; u < 100; u++) {
		snprintf(name, sizeof(name), "u%u", u);
		evict_user(name, 0, &end);
	}
	while (turn() > 0)
		assert_in_range(ended, 1, EVICT_BATCH);
	assert_int_equal(alive(), 0);
}

/* Sessions come and go by themselves while the walk is at work. */
static void
random_changes(void **state)
{
	unsigned int round, s;
	uint32_t meant;

	(void)state;
	srandom(8);
	for (s = 1; s <= 3000; s++)
		login(s, 1);
	meant = logins;
	evict_user("u1", 0, &end);
	for (round = 0; round < 200; round++) {
		for (s = 1; s <= 3500; s++) {
			if (random() % 20)
				continue;
			if (sessions[s].state != SESS_FREE)
				free_session(s);
			else
				login(s, 1);
		}
		turn();
	}
	for (s = 1; s <= 3500; s++)
		if (sessions[s].state != SESS_FREE)
			assert_int_equal(sessions[s].down, sessions[s].login <= meant);
}

/* All from one number that have logged in, of which some have the user's name too. */
static void
by_number(void **state)
{
	const struct evict_who number = { .calling = "0733" };
	const struct evict_who both = { .user = "u2", .calling = "0733" };
	unsigned int s;

	(void)state;
	for (s = 1; s <= 1000; s++) {
		login(s, s % 4);
		strcpy(sessions[s].calling, s % 2 ? "0733" : "0734");
	}
	login(1001, 2);
	strcpy(sessions[1001].calling, "0733");
	sessions[1002] = (struct session){ .state = SESS_OPENING, .calling = "0733" };
	assert_true(evict_matching(&both, &end));
	assert_int_equal(ended, 1);
	assert_true(sessions[1001].down);
	assert_true(evict_matching(&number, &end));
	assert_int_equal(ended, 1 + EVICT_BATCH);
	login(1003, 1);
	strcpy(sessions[1003].calling, "0733"); /* came later */
	while (turn() > 0)
		assert_in_range(ended, 1, EVICT_BATCH);
	assert_int_equal(alive(), 500 + 1);
	assert_false(sessions[1002].down);
}

/* No more are taken than there is room to go on with. */
static void
too_many_matching(void **state)
{
	struct evict_who who = { .user = "u1" };
	unsigned int s, taken = 0;

	(void)state;
	for (s = 1; s <= SESSIONS; s++) {
		login(s, 1);
		snprintf(sessions[s].called, NUMBER_LEN, "%u", s % 100);
	}
	for (s = 0; s < 100; s++) {
		snprintf(who.called, sizeof(who.called), "%u", s);
		taken += evict_matching(&who, &end);
	}
	assert_in_range(taken, 32, 64);
	for (s = 0; s < 1000; s++) /* in some of them it looks only */
		assert_in_range(turn(), 0, EVICT_BATCH);
	assert_int_equal(alive(), SESSIONS - taken * (SESSIONS / 100));
}

/* Who turns slave in the midst of it ends nobody any more, nor when he is master again. */
static void
a_slave_gives_up(void **state)
{
	unsigned int s;

	(void)state;
	for (s = 1; s <= SESSIONS; s++)
		login(s, 1);
	evict_user("u1", 0, &end);
	role_set(false, 0);
	assert_int_equal(turn(), 0);
	role_set(true, 0);
	assert_int_equal(turn(), 0);
	assert_int_equal(alive(), SESSIONS - EVICT_BATCH);
}

#define TEST(name) cmocka_unit_test_setup(name, clean)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(few_at_once),
		TEST(spared),
		TEST(many),
		{ "many, gone at once", many, clean, NULL, &logins },
		TEST(later_ones_stay),
		TEST(where_it_stopped_has_gone),
		TEST(again_in_between),
		TEST(many_names),
		TEST(random_changes),
		TEST(by_number),
		TEST(too_many_matching),
		TEST(a_slave_gives_up),
	};

	timer_run(now_ms);
	evict_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
