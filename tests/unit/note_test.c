/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes: what goes in comes out, chains are limited by kind, and what comes before a
 * login leaves room for what comes with one.
 */
#include "counter.h"
#include "note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CELLS = 300, CHAINS = 64 };

static uint32_t chains[CHAINS];
static const uint8_t zeros[NOTE_MAX + 1];

static int
teardown(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < CHAINS; i++)
		note_free(&chains[i]);
	return 0;
}

/* Octets of data that a fresh chain takes of a kind, in pieces of `len`. */
static size_t
takes(uint32_t *chain, uint8_t kind, size_t len)
{
	size_t sum = 0;

	while (note_add(chain, kind, 1, zeros, len) == 0)
		sum += len;
	return sum;
}

/* Records that all chains together take. */
static unsigned int
fill(uint8_t kind, size_t len)
{
	unsigned int i, n = 0;

	for (i = 0; i < CHAINS; i++)
		n += (unsigned int)(takes(&chains[i], kind, len) / len);
	return n;
}

static void
random_records_come_back(void **state)
{
	struct {
		uint8_t kind, len;
		uint16_t tag;
	} model[64];
	struct note_pos pos;
	struct note n;
	unsigned int count = 0, run, i;

	(void)state;
	srandom(7);
	for (run = 0; run < 200; run++) {
		for (count = 0; count < 8; count++) {
			model[count].kind = (uint8_t)(NOTE_ROUTE + random() % 3);
			model[count].len = (uint8_t)(random() % 120);
			model[count].tag = (uint16_t)random();
			memset(n.data, model[count].tag, sizeof(n.data));
			if (note_add(&chains[0], model[count].kind, model[count].tag, n.data,
				model[count].len) < 0)
				break;
		}
		pos = note_first(chains[0]);
		for (i = 0; i < count; i++) {
			assert_true(note_next(&pos, &n));
			assert_int_equal(n.kind, model[i].kind);
			assert_int_equal(n.len, model[i].len);
			assert_int_equal(n.tag, model[i].tag);
			assert_true(n.len == 0 || n.data[n.len - 1] == (uint8_t)n.tag);
		}
		assert_false(note_next(&pos, &n));
		note_free(&chains[0]);
	}
}

static void
chain_has_limits_by_kind(void **state)
{
	uint64_t before = counters->notes_full;

	(void)state;
	assert_in_range(takes(&chains[0], NOTE_LINE, 60), 400, 512);
	assert_int_equal(counters->notes_full, before + 1);
	assert_in_range(takes(&chains[0], NOTE_PROXY, 60), 800, 1024);
	assert_in_range(takes(&chains[0], NOTE_CLASS, 253), 4 * 253, 4 * 253); /* four Classes */
	assert_in_range(takes(&chains[0], NOTE_ROUTE, 8), 65 * 8, 70 * 8); /* 64 and a netmask's */
	assert_int_equal(note_add(&chains[0], NOTE_STATE, 0, zeros, NOTE_MAX + 1), -1);
}

/* Calls that never log in take what they can: two thirds. Routes find the rest. */
static void
calls_leave_room_for_logins(void **state)
{
	(void)state;
	assert_int_equal(fill(NOTE_LINE, 55), CELLS * 2 / 3); /* a record is a cell */
	assert_int_equal(note_add(&chains[0], NOTE_LINE, 1, zeros, 55), -1);
	assert_int_equal(fill(NOTE_CLASS, 55), CELLS / 3);
	assert_int_equal(note_add(&chains[1], NOTE_ROUTE, 1, zeros, 8), -1);
	note_free(&chains[0]);
	assert_int_equal(note_add(&chains[1], NOTE_ROUTE, 1, zeros, 8), 0);
}

static struct note
note_of(uint8_t kind, uint16_t tag, uint8_t len)
{
	struct note n = { .kind = kind, .tag = tag, .len = len };

	return n;
}

/* Of one kind; the others stay, and all of it when there is no room. */
static void
a_kind_is_replaced(void **state)
{
	const struct note with[] = { note_of(NOTE_CLASS, 7, 250), note_of(NOTE_CLASS, 8, 1) };
	static const uint16_t tags[] = { 1, 3, 7, 8 };
	struct note_pos pos;
	struct note n;
	unsigned int i;

	(void)state;
	note_add(&chains[0], NOTE_LINE, 1, zeros, 20);
	note_add(&chains[0], NOTE_CLASS, 2, zeros, 200);
	note_add(&chains[0], NOTE_ROUTE, 3, zeros, 8);
	assert_int_equal(note_replace(&chains[0], NOTE_CLASS, with, 2), 0);
	pos = note_first(chains[0]);
	for (i = 0; i < 4; i++) {
		assert_true(note_next(&pos, &n));
		assert_int_equal(n.tag, tags[i]);
	}
	assert_false(note_next(&pos, &n));
	note_free(&chains[0]);
	assert_int_equal(fill(NOTE_CLASS, 55), CELLS); /* none was lost */
	assert_int_equal(note_replace(&chains[0], NOTE_CLASS, with, 2), -1);
	pos = note_first(chains[0]);
	assert_true(note_next(&pos, &n));
	assert_int_equal(n.len, 55);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(random_records_come_back, teardown),
		cmocka_unit_test_teardown(chain_has_limits_by_kind, teardown),
		cmocka_unit_test_teardown(a_kind_is_replaced, teardown),
		cmocka_unit_test_teardown(calls_leave_room_for_logins, teardown),
	};

	note_init(CELLS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
