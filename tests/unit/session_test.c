/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session table with clocks that the test turns: ages, and what a record gives
 * back when it goes.
 */
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "note.h"
#include "session.h"
#include "tunnel.h"
#include "udp.h"
#include "tests/unit/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 100, CELLS = 60, PEER_SID = 77 };

static struct config config;
const struct config *conf = &config;
static time_t wall = 1700000000;
static tunn_id tunnel;

time_t
loop_time(void)
{
	return wall;
}

uint16_t
config_mru(void)
{
	return 1462;
}

/* NTP steps the wall clock, either way: no session is older or younger for it. */
static void
age_is_not_the_wall_clocks(void **state)
{
	sess_id s = session_new(tunnel, PEER_SID);

	(void)state;
	assert_int_not_equal(s, 0);
	assert_int_equal(session_get(s)->opened, wall);
	now_ms += 7900;
	wall += 1000000;
	assert_int_equal(session_age(session_get(s)), 7);
	wall -= 2000000;
	now_ms += 3600000;
	assert_int_equal(session_age(session_get(s)), 3607);
	wall = 1700000000;
	session_free(s);
}

static void
age_over_the_wrap_of_the_clock(void **state)
{
	uint64_t then = now_ms;
	sess_id s;

	(void)state;
	now_ms = (uint64_t)UINT32_MAX * 100 - 500;
	s = session_new(tunnel, PEER_SID);
	now_ms += 61000;
	assert_int_equal(session_age(session_get(s)), 61);
	session_free(s);
	now_ms = then;
}

/* A CLI child's clock stands still while it lists: who came since is 0 seconds old. */
static void
age_of_one_from_the_future(void **state)
{
	sess_id s = session_new(tunnel, PEER_SID);

	(void)state;
	now_ms -= 5000;
	assert_int_equal(session_age(session_get(s)), 0);
	session_fast(s)->last_data = loop_now_ds() + 10;
	assert_int_equal(session_idle(s), 0);
	now_ms += 5000;
	session_free(s);
}

/* Of one name the newest login is found first, but never one in the garden before another. */
static void
gardened_is_found_last(void **state)
{
	sess_id s[4];
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(s); i++) {
		s[i] = session_new(tunnel, (uint16_t)(PEER_SID + i));
		session_set_user(s[i], "joe");
		session_set_garden(s[i], i == 1 || i == 3);
		session_set_authed(s[i]);
	}
	assert_int_equal(session_by_user("joe"), s[2]);
	session_free(s[2]);
	assert_int_equal(session_next_of_user(session_by_user("joe")) != 0, 1);
	session_free(s[3]);
	session_free(s[0]);
	assert_int_equal(session_by_user("joe"), s[1]);
	session_free(s[1]);
	assert_int_equal(session_by_user("joe"), 0);
}

/* Notes of both chains come back to the pool. */
static void
notes_go_with_the_session(void **state)
{
	static const uint8_t data[200];
	unsigned int run, i;
	sess_id s;

	(void)state;
	for (run = 0; run < 50; run++) {
		s = session_new(tunnel, PEER_SID);
		for (i = 0; i < 2; i++) {
			assert_int_equal(session_add_note(s, NOTE_LINE, 1, data, sizeof(data)), 0);
			assert_int_equal(session_add_note(s, NOTE_PROXY, 1, data, sizeof(data)), 0);
		}
		assert_int_equal(session_add_note(s, NOTE_CLASS, 0, data, sizeof(data)), 0);
		if (run % 2)
			session_drop_scratch(s);
		session_free(s);
	}
	assert_int_equal(counters->notes_full, 0);
}

static void
call_from(sess_id s, const char *calling)
{
	session_set_numbers(s, "0800", calling, 1);
}

static void
by_number_since_start(void **state)
{
	sess_id a = session_new(tunnel, 1), b = session_new(tunnel, 2);
	uint32_t gone = session_get(a)->unique;

	(void)state;
	assert_int_equal(session_by_unique(session_get(a)->unique), a);
	assert_int_equal(session_by_unique(session_get(b)->unique), b);
	session_free(a);
	assert_int_equal(session_by_unique(gone), 0);
	a = session_new(tunnel, 1);
	assert_int_equal(session_by_unique(gone), 0);
	assert_int_equal(session_by_unique(session_get(a)->unique), a);
	session_free(a);
	session_free(b);
}

/* However they come and go, the list of a number is those that have it. */
static void
by_calling_number(void **state)
{
	sess_id ids[SESSIONS / 2] = { 0 }, s;
	unsigned int numbers[SESSIONS / 2] = { 0 }, run, i, n, listed;
	char text[NUMBER_LEN];

	(void)state;
	srand(1);
	for (run = 0; run < 3000; run++) {
		i = (unsigned int)rand() % ARRAY_LEN(ids);
		numbers[i] = (unsigned int)rand() % 5; /* 0: says none */
		snprintf(text, sizeof(text), numbers[i] ? "0733%u" : "", numbers[i]);
		if (ids[i] && rand() % 2) {
			session_free(ids[i]);
			ids[i] = 0;
			continue;
		}
		if (!ids[i])
			ids[i] = session_new(tunnel, (uint16_t)(i + 1));
		call_from(ids[i], text);
		for (n = 1, i = 0; i < ARRAY_LEN(ids); i++)
			n += ids[i] && numbers[i] == 1;
		for (s = session_by_calling("07331"), listed = 1; s; s = session_next_of_calling(s))
			listed++;
		assert_int_equal(listed, n);
	}
	assert_int_equal(session_by_calling(""), 0);
	for (i = 0; i < ARRAY_LEN(ids); i++)
		if (ids[i])
			session_free(ids[i]);
	assert_int_equal(session_by_calling("07331"), 0);
}

/* A record of the master's that errs gives a session another id of the LAC's. */
static void
by_the_lacs_id_that_changes(void **state)
{
	struct sess_rec rec = { .tunnel = tunnel,
		.wire_sid = 5,
		.peer_sid = PEER_SID,
		.unique = 9,
		.state = SESS_OPEN };
	sess_id s = session_free_place(), other;

	(void)state;
	assert_int_equal(session_place(s, &rec, 0, 0), 0);
	rec.peer_sid = PEER_SID + 1;
	assert_int_equal(session_place(s, &rec, 0, 0), 0);
	assert_int_equal(session_by_peer(tunnel, PEER_SID), 0);
	assert_int_equal(session_by_peer(tunnel, PEER_SID + 1), s);
	other = session_new(tunnel, PEER_SID);
	rec.peer_sid = PEER_SID;
	assert_int_equal(session_place(s, &rec, 0, 0), 0);
	session_free(s);
	assert_int_equal(session_by_peer(tunnel, PEER_SID), 0);
	assert_int_equal(session_by_peer(tunnel, PEER_SID + 1), 0);
	session_free(other);
	assert_int_equal(session_by_peer(tunnel, PEER_SID), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(age_is_not_the_wall_clocks),
		cmocka_unit_test(age_over_the_wrap_of_the_clock),
		cmocka_unit_test(age_of_one_from_the_future),
		cmocka_unit_test(gardened_is_found_last),
		cmocka_unit_test(notes_go_with_the_session),
		cmocka_unit_test(by_number_since_start),
		cmocka_unit_test(by_calling_number),
		cmocka_unit_test(by_the_lacs_id_that_changes),
	};

	note_init(CELLS);
	tunnel_init(10);
	session_init(SESSIONS);
	tunnel = tunnel_new(1, 1701, 1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
