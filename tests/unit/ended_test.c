/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions that have ended: in order, found by number, the oldest forgotten. */
#include "ended.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
note(uint32_t unique)
{
	ended_note(&(struct ended){ 1, (uint16_t)unique, unique, unique % 2 });
}

static void
the_oldest_are_forgotten(void **state)
{
	uint32_t n;

	(void)state;
	assert_false(ended_has(1));
	assert_null(ended_get(1));
	for (n = 1; n <= ENDED_MOST + 10; n++)
		note(n);
	assert_int_equal(ended_count(), ENDED_MOST);
	assert_false(ended_has(10));
	assert_true(ended_has(11));
	assert_true(ended_has(ENDED_MOST + 10));
	for (n = 1; n <= ENDED_MOST; n++)
		assert_int_equal(ended_get(n)->unique, n + 10);
	assert_null(ended_get(0));
	assert_null(ended_get(ENDED_MOST + 1));
	ended_clear();
	assert_int_equal(ended_count(), 0);
	assert_false(ended_has(11));
	note(7);
	assert_true(ended_has(7));
	assert_true(ended_get(1)->guess);
	ended_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_are_forgotten),
	};

	ended_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
