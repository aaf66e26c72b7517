/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers of the last 30 seconds, as many as there are. */
#include "dae_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 65536 };

static uint64_t now = 1000;

static struct dae_id
id_of(uint32_t n)
{
	struct dae_id id = { .ip = 1, .port = 2, .id = 3 };

	memcpy(id.authenticator, &n, sizeof(n));
	return id;
}

static int
fresh(void **state)
{
	(void)state;
	dae_guard_init();
	return 0;
}

static void
same_request_only(void **state)
{
	struct dae_id id = id_of(7), other;
	uint16_t cause;

	(void)state;
	assert_false(dae_guard_find(&id, now, &cause));
	assert_true(dae_guard_room(now));
	dae_guard_keep(&id, now, 503);
	assert_true(dae_guard_find(&id, now + 29999, &cause));
	assert_int_equal(cause, 503);
	assert_false(dae_guard_find(&id, now + 30000, &cause));
	other = id;
	other.ip++;
	assert_false(dae_guard_find(&other, now, &cause));
	other = id;
	other.port++;
	assert_false(dae_guard_find(&other, now, &cause));
	other = id;
	other.id++;
	assert_false(dae_guard_find(&other, now, &cause));
	other = id;
	other.authenticator[15]++;
	assert_false(dae_guard_find(&other, now, &cause));
}

/* After its time the same may come anew. */
static void
again_later(void **state)
{
	struct dae_id id = id_of(7);
	uint16_t cause;

	(void)state;
	dae_guard_keep(&id, now, 503);
	dae_guard_keep(&id, now + 40000, 0);
	assert_true(dae_guard_find(&id, now + 40001, &cause));
	assert_int_equal(cause, 0);
}

/* One with a time of its own is not taken again while that time is in the window, from no port. */
static void
stamped(void **state)
{
	struct dae_id id = id_of(7);
	uint16_t cause;

	(void)state;
	id.stamped = true;
	dae_guard_keep(&id, now, 503);
	id.port++;
	assert_true(dae_guard_find(&id, now + 599999, &cause));
	assert_int_equal(cause, 503);
	assert_false(dae_guard_find(&id, now + 600000, &cause));
	id.ip++;
	assert_false(dae_guard_find(&id, now, &cause));
}

/* A full ring takes no more until the first are old, and then forgets those. */
static void
no_more_than_it_holds(void **state)
{
	struct dae_id id;
	uint16_t cause;
	uint32_t n;

	(void)state;
	for (n = 1; n <= MANY; n++) {
		assert_true(dae_guard_room(now + n / 4));
		id = id_of(n);
		dae_guard_keep(&id, now + n / 4, (uint16_t)n);
	}
	assert_false(dae_guard_room(now + 29999));
	for (n = 1; n <= MANY; n++) {
		id = id_of(n);
		assert_true(dae_guard_find(&id, now + 29999, &cause));
		assert_int_equal(cause, (uint16_t)n);
	}
	assert_true(dae_guard_room(now + 30001));
	for (n = MANY + 1; n <= 2 * MANY; n++) {
		id = id_of(n);
		dae_guard_keep(&id, now + 60000, 1);
	}
	assert_false(dae_guard_room(now + 60000));
	id = id_of(2 * MANY);
	assert_true(dae_guard_find(&id, now + 60000, &cause));
}

/* --- the cluster --- */

static struct repl_dae told[4];
static unsigned int n_told;

static void
on_kept(const struct repl_dae *r)
{
	told[n_told++] = *r;
}

/* What one member has answered another one knows for as long as it would itself, and no longer. */
static void
known_elsewhere(void **state)
{
	struct dae_id id = id_of(7), stamped = id_of(8);
	struct repl_dae r;
	uint32_t pos = 0;
	uint16_t cause;

	(void)state;
	stamped.stamped = true;
	n_told = 0;
	now += 1000000;
	dae_guard_subscribe(on_kept);
	dae_guard_keep(&id, now, 503);
	dae_guard_keep(&stamped, now, 0);
	dae_guard_subscribe(NULL);
	assert_int_equal(n_told, 2);
	assert_int_equal(dae_guard_export(&pos, now + 60000, &r), 0); /* too old */
	assert_int_equal(dae_guard_export(&pos, now + 60000, &r), 1);
	assert_int_equal(r.age_ds, 600);
	assert_int_equal(dae_guard_export(&pos, now + 60000, &r), -1);
	dae_guard_init(); /* another member */
	assert_true(dae_guard_install(&told[0], now));
	assert_true(dae_guard_install(&r, now + 60000));
	assert_false(dae_guard_install(&told[1], now + 60000));
	assert_true(dae_guard_find(&id, now + 29999, &cause));
	assert_int_equal(cause, 503);
	assert_false(dae_guard_find(&id, now + 30000, &cause));
	stamped.port++; /* who replays it */
	assert_true(dae_guard_find(&stamped, now + 599999, &cause));
	assert_int_equal(cause, 0);
	assert_false(dae_guard_find(&stamped, now + 600000, &cause));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(same_request_only, fresh),
		cmocka_unit_test_setup(again_later, fresh),
		cmocka_unit_test_setup(known_elsewhere, fresh),
		cmocka_unit_test_setup(stamped, fresh),
		cmocka_unit_test_setup(no_more_than_it_holds, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
