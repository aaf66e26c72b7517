/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ids: a random run against an array that keeps the order. */
#include "ll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IDS = 50 };

static struct id_link links[IDS + 1];

static struct id_link *
link_of(uint32_t id)
{
	return &links[id];
}

/* Both ways round, and the count. */
static void
check(const struct id_list *list, const uint32_t *order, size_t n)
{
	uint32_t id = list->head;
	size_t i;

	assert_int_equal(list->count, n);
	for (i = 0; i < n; i++, id = links[id].next)
		assert_int_equal(id, order[i]);
	assert_int_equal(id, 0);
	for (id = list->tail; i > 0; id = links[id].prev)
		assert_int_equal(id, order[--i]);
	assert_int_equal(id, 0);
}

static void
random_run_against_an_array(void **state)
{
	struct id_list list = { 0 };
	uint32_t order[IDS], id, round;
	size_t n = 0, i;

	(void)state;
	srandom(1);
	for (round = 0; round < 20000; round++) {
		id = 1 + (uint32_t)random() % IDS;
		for (i = 0; i < n && order[i] != id; i++)
			;
		if (i == n && random() % 2) {
			ll_append(&list, id, link_of);
			order[n++] = id;
		} else if (i == n) {
			i = (size_t)random() % (n + 1); /* behind so many */
			ll_insert(&list, id, i ? order[i - 1] : 0, link_of);
			memmove(order + i + 1, order + i, (n++ - i) * sizeof(*order));
			order[i] = id;
		} else {
			ll_remove(&list, id, link_of);
			memmove(order + i, order + i + 1, (--n - i) * sizeof(*order));
			assert_int_equal(links[id].next | links[id].prev, 0);
		}
		check(&list, order, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_run_against_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
