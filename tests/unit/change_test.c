/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions and the queue of changes, against a plain model of both. */
#include "change.h"
#include "role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TUNNELS = 7, SESSIONS = 50 };

static void
drain(void)
{
	enum change_kind kind;
	uint32_t id;

	while (change_next(&kind, &id))
		;
}

static void
nothing_is_queued_alone(void **state)
{
	uint64_t before = change_table_version();
	enum change_kind kind;
	uint32_t id;

	(void)state;
	change_mark(CHANGE_SESSION, 3);
	assert_false(change_next(&kind, &id));
	assert_true(change_version(CHANGE_SESSION, 3) == before + 1);
	assert_true(change_table_version() == before + 1);
}

/* A member that has a larger table offers what has no place in ours. */
static void
beyond_the_table(void **state)
{
	(void)state;
	assert_true(change_version(CHANGE_SESSION, MAX_SESSIONS_LIMIT) == 0);
	assert_true(change_version(CHANGE_TUNNEL, UINT16_MAX) == 0);
	assert_true(change_version(CHANGE_SESSION, UINT32_MAX) == 0);
}

static void
a_slave_changes_nothing(void **state)
{
	uint64_t before = change_table_version();
	enum change_kind kind;
	uint32_t id;

	(void)state;
	change_subscribe(true);
	role_set(false, 0);
	change_mark(CHANGE_SESSION, 4);
	change_set_version(CHANGE_SESSION, 4, before + 1000);
	role_set(true, 0);
	assert_false(change_next(&kind, &id));
	assert_true(change_version(CHANGE_SESSION, 4) == before + 1000);
	change_mark(CHANGE_SESSION, 5); /* goes on counting from what was seen */
	assert_true(change_version(CHANGE_SESSION, 5) == before + 1001);
	assert_int_equal(change_queued(), 1);
	change_subscribe(false);
	assert_int_equal(change_queued(), 0);
	assert_false(change_next(&kind, &id));
}

/* Told in another order than they were changed: who has the last one's version has all. */
static void
versions_rise_as_told(void **state)
{
	uint64_t last = 0;
	enum change_kind kind;
	unsigned int n = 0;
	uint32_t id;

	(void)state;
	change_subscribe(true);
	change_mark(CHANGE_SESSION, 1);
	change_mark(CHANGE_SESSION, 2);
	change_mark(CHANGE_TUNNEL, 1);
	change_mark(CHANGE_SESSION, 1);
	while (change_next(&kind, &id)) {
		assert_true(change_version(kind, id) > last);
		last = change_version(kind, id);
		n++;
	}
	assert_int_equal(n, 3);
	assert_true(last == change_table_version());
	change_mark(CHANGE_SESSION, 2);
	last = change_table_version();
	change_subscribe(false); /* nobody is told */
	assert_true(change_table_version() == last);
}

/* A version that cannot be does not bring the counter to its end, where it would begin again. */
static void
a_version_from_nowhere_is_not_believed(void **state)
{
	uint64_t before = change_table_version();

	(void)state;
	change_seen_version(UINT64_MAX);
	change_seen_version(before + ((uint64_t)1 << 48));
	assert_true(change_table_version() == before);
	change_seen_version(before + ((uint64_t)1 << 40));
	assert_true(change_table_version() == before + ((uint64_t)1 << 40));
}

/* Each that was marked comes once, tunnels first, in the order of the first mark. */
static void
random_marks(void **state)
{
	uint32_t order[2][SESSIONS], n[2], at[2], id, i, k;
	bool queued[2][SESSIONS + 1];
	enum change_kind kind;
	int round;

	(void)state;
	change_subscribe(true);
	for (round = 0; round < 500; round++) {
		memset(queued, 0, sizeof(queued));
		n[0] = n[1] = at[0] = at[1] = 0;
		for (i = (uint32_t)random() % 200; i > 0; i--) {
			k = (uint32_t)random() % 2;
			id = 1 + (uint32_t)random() % (k == CHANGE_TUNNEL ? TUNNELS : SESSIONS);
			change_mark((enum change_kind)k, id);
			assert_true(
			    change_version((enum change_kind)k, id) == change_table_version());
			if (!queued[k][id])
				order[k][n[k]++] = id;
			queued[k][id] = true;
		}
		while (change_next(&kind, &id)) {
			assert_true(kind == CHANGE_TUNNEL || at[0] == n[0]);
			assert_int_equal(id, order[kind][at[kind]++]);
		}
		assert_int_equal(at[0], n[0]);
		assert_int_equal(at[1], n[1]);
	}
	drain();
	change_subscribe(false);
}

static void
activity_ends_with_a_mastership(void **state)
{
	(void)state;
	assert_false(change_is_active(CHANGE_TUNNEL, 2));
	change_set_active(CHANGE_TUNNEL, 2, true);
	assert_true(change_is_active(CHANGE_TUNNEL, 2));
	change_new_mastership();
	assert_false(change_is_active(CHANGE_TUNNEL, 2));
	assert_true(change_was_active(CHANGE_TUNNEL, 2));
	change_set_active(CHANGE_TUNNEL, 2, false);
	assert_false(change_was_active(CHANGE_TUNNEL, 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_queued_alone),
		cmocka_unit_test(beyond_the_table),
		cmocka_unit_test(a_slave_changes_nothing),
		cmocka_unit_test(versions_rise_as_told),
		cmocka_unit_test(a_version_from_nowhere_is_not_believed),
		cmocka_unit_test(random_marks),
		cmocka_unit_test(activity_ends_with_a_mastership),
	};

	srandom(4711);
	change_init(TUNNELS, SESSIONS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
