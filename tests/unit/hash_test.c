/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map: a random run against a plain array, full maps, and maps that empty. */
#include "hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEYS = 300, LIMIT = 200 };

/* Keys that differ in low bits, in high bits, and by little. */
static uint64_t
key_of(uint32_t i)
{
	switch (i % 3) {
	case 0:
		return i;
	case 1:
		return (uint64_t)i << 48;
	default:
		return UINT64_MAX - i;
	}
}

static void
check_all(const struct hash *h, const uint32_t *model)
{
	uint32_t i, used = 0;

	for (i = 0; i < KEYS; i++) {
		assert_int_equal(hash_get(h, key_of(i)), model[i]);
		used += model[i] != 0;
	}
	assert_int_equal(h->used, used);
}

static void
random_run_against_an_array(void **state)
{
	uint32_t model[KEYS] = { 0 }, used = 0, i, n, value;
	struct hash h;

	(void)state;
	srandom(1);
	hash_init(&h, "test", LIMIT);
	for (n = 0; n < 200000; n++) {
		i = (uint32_t)random() % KEYS;
		value = (uint32_t)random() + 1;
		/* the map fills and empties in turn */
		if (random() % 10 < (n / 2000 % 2 ? 7 : 3)) {
			assert_int_equal(
			    hash_put(&h, key_of(i), value), model[i] || used < LIMIT ? 0 : -1);
			if (model[i] || used < LIMIT) {
				used += model[i] == 0;
				model[i] = value;
			}
		} else {
			assert_int_equal(hash_del(&h, key_of(i)), model[i]);
			used -= model[i] != 0;
			model[i] = 0;
		}
		if (n % 500 == 0)
			check_all(&h, model);
	}
	check_all(&h, model);
}

static void
full_map_refuses_new_keys_only(void **state)
{
	struct hash h;
	uint32_t i;

	(void)state;
	hash_init(&h, "test", 64);
	for (i = 1; i <= 64; i++)
		assert_int_equal(hash_put(&h, i, i), 0);
	assert_int_equal(hash_put(&h, 65, 65), -1);
	assert_int_equal(hash_get(&h, 65), 0);
	assert_int_equal(hash_put(&h, 64, 1), 0);
	assert_int_equal(hash_get(&h, 64), 1);
	assert_int_equal(hash_del(&h, 1), 1);
	assert_int_equal(hash_put(&h, 65, 65), 0);
}

static void
empties_and_fills_again(void **state)
{
	struct hash h;
	uint32_t i, round;

	(void)state;
	hash_init(&h, "test", 100000);
	for (round = 0; round < 3; round++) {
		for (i = 1; i <= 100000; i++)
			assert_int_equal(hash_put(&h, (uint64_t)i << 16, i), 0);
		for (i = 1; i <= 100000; i++)
			assert_int_equal(hash_del(&h, (uint64_t)i << 16), i);
		assert_int_equal(h.used, 0);
		assert_int_equal(hash_get(&h, 1 << 16), 0);
		assert_int_equal(hash_del(&h, 1 << 16), 0);
	}
}

/* While entries move to twice as many cells: each is found, replaced, removed and put again. */
static void
all_is_there_while_it_doubles(void **state)
{
	enum { MOST = 5000 };
	static uint32_t model[MOST];
	uint32_t i, n, moved_at_once = 0, doubled = 0, was;
	struct hash h;

	(void)state;
	srandom(2);
	hash_init(&h, "test", MOST);
	for (i = 0; i < MOST; i++) {
		bool before = h.old;

		was = h.moving;
		model[i] = i + 1;
		assert_int_equal(hash_put(&h, key_of(i * 3), i + 1), 0);
		doubled += h.old && !before;
		if (h.old && before && h.moving > was)
			moved_at_once =
			    h.moving - was > moved_at_once ? h.moving - was : moved_at_once;
		for (n = 0; n < 3; n++) {
			uint32_t k = (uint32_t)random() % (i + 1);

			assert_int_equal(hash_get(&h, key_of(k * 3)), model[k]);
			if (n == 0) {
				model[k] = model[k] ? model[k] + MOST : 0;
				if (model[k])
					assert_int_equal(hash_put(&h, key_of(k * 3), model[k]), 0);
			} else if (n == 1 && random() % 4 == 0) {
				assert_int_equal(hash_del(&h, key_of(k * 3)), model[k]);
				assert_int_equal(hash_del(&h, key_of(k * 3)), 0);
				model[k] = 0;
			}
		}
		if (i % 16 == 0)
			for (n = 0; n <= i; n++)
				assert_int_equal(hash_get(&h, key_of(n * 3)), model[n]);
	}
	assert_true(doubled >= 2);
	assert_true(moved_at_once > 0 && moved_at_once <= 8);
	for (i = 0; i < MOST; i++)
		assert_int_equal(hash_del(&h, key_of(i * 3)), model[i]);
	assert_int_equal(h.used, 0);
	assert_null(h.old);
}

static void
small_map(void **state)
{
	struct hash h;

	(void)state;
	hash_init(&h, "test", 1);
	hash_prefetch(&h, 0);
	assert_int_equal(hash_put(&h, 0, UINT32_MAX), 0);
	assert_int_equal(hash_put(&h, 1, 1), -1);
	assert_int_equal(hash_get(&h, 0), UINT32_MAX);
}

static void
texts(void **state)
{
	(void)state;
	assert_true(hash_text("user@example.net") == hash_text("user@example.net"));
	assert_true(hash_text("user@example.net") != hash_text("user@example.nes"));
	assert_true(hash_text("") != hash_text("a"));
}

/* Also in the middle of a growth, whose entries must not come back. */
static void
cleared(void **state)
{
	struct hash h;
	uint64_t key;
	unsigned int round;

	(void)state;
	hash_init(&h, "test", 100000);
	for (round = 0; round < 3; round++) {
		for (key = 1; key <= 1600 + 100 * round; key++)
			assert_int_equal(hash_put(&h, key * 7, (uint32_t)key), 0);
		hash_clear(&h);
		for (key = 1; key <= 2000; key++)
			assert_int_equal(hash_get(&h, key * 7), 0);
		for (key = 1; key <= 5000; key++)
			assert_int_equal(hash_put(&h, key * 13, (uint32_t)key), 0);
		for (key = 1; key <= 5000; key++)
			assert_int_equal(hash_get(&h, key * 13), key);
		hash_clear(&h);
		assert_int_equal(h.used, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_run_against_an_array),
		cmocka_unit_test(full_map_refuses_new_keys_only),
		cmocka_unit_test(empties_and_fills_again),
		cmocka_unit_test(all_is_there_while_it_doubles),
		cmocka_unit_test(small_map),
		cmocka_unit_test(texts),
		cmocka_unit_test(cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
