/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of ids: random runs against an array of flags, at limits around the word sizes. */
#include "idset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 300000 };

static bool in_use[MOST + 2];

static uint32_t
lowest_free(uint32_t limit)
{
	uint32_t id = 1;

	while (id <= limit && in_use[id])
		id++;
	return id <= limit ? id : 0;
}

static uint32_t
highest_used(uint32_t limit)
{
	uint32_t id = limit;

	while (id > 0 && !in_use[id])
		id--;
	return id;
}

static void
random_run(uint32_t limit)
{
	struct idset set;
	uint32_t id, n;

	memset(in_use, 0, sizeof(in_use));
	idset_init(&set, "test", limit);
	assert_int_equal(idset_highest(&set), 0);
	assert_false(idset_claim(&set, 0));
	assert_false(idset_claim(&set, limit + 1));
	for (n = 0; n < 20000; n++) {
		id = 1 + (uint32_t)random() % limit;
		if (in_use[id] && random() % 10 < (n / 1000 % 2 ? 9 : 3)) {
			idset_give(&set, id);
			in_use[id] = false;
		} else if (random() % 4 == 0) {
			assert_int_equal(idset_claim(&set, id), !in_use[id]);
			in_use[id] = true;
		} else {
			id = idset_lowest(&set);
			assert_int_equal(idset_take(&set), id);
			assert_int_equal(id, lowest_free(limit));
			in_use[id] = id != 0;
		}
		if (n % 50 == 0)
			assert_int_equal(idset_highest(&set), highest_used(limit));
	}
}

static void
small_sets(void **state)
{
	static const uint32_t limits[] = { 1, 2, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 5000 };
	size_t i;

	(void)state;
	srandom(1);
	for (i = 0; i < ARRAY_LEN(limits); i++)
		random_run(limits[i]);
}

static void
large_set_fills_and_empties(void **state)
{
	struct idset set;
	uint32_t id;

	(void)state;
	idset_init(&set, "test", MOST);
	for (id = 1; id <= MOST; id++)
		assert_int_equal(idset_take(&set), id);
	assert_int_equal(idset_take(&set), 0);
	assert_int_equal(idset_highest(&set), MOST);
	idset_give(&set, 262144); /* where all levels begin a word */
	assert_int_equal(idset_take(&set), 262144);
	for (id = MOST; id > 0; id--) {
		assert_int_equal(idset_highest(&set), id);
		idset_give(&set, id);
	}
	assert_int_equal(idset_highest(&set), 0);
	assert_int_equal(set.used, 0);
	assert_int_equal(idset_take(&set), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_sets),
		cmocka_unit_test(large_set_fills_and_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
