/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard of nsctl's server: nonces and their time, answers kept, the rate. */
#include "ctlguard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOT_MS = 32000, RATE = 200, START_MS = 5 * SLOT_MS };

static const struct ctlguard_id joe = { .ip = 0x0a000001, .port = 4711, .id = 99 };

static int
set_up(void **state)
{
	(void)state;
	ctlguard_init();
	return 0;
}

static void
a_nonce_is_good_for_a_while(void **state)
{
	uint8_t nonce[CTLMSG_NONCE];

	(void)state;
	ctlguard_nonce(&joe, START_MS, nonce);
	assert_true(ctlguard_nonce_ok(&joe, START_MS, nonce));
	assert_true(ctlguard_nonce_ok(&joe, START_MS + 2 * SLOT_MS - 1, nonce));
	assert_false(ctlguard_nonce_ok(&joe, START_MS + 2 * SLOT_MS, nonce));
	assert_false(ctlguard_nonce_ok(&joe, START_MS - 1, nonce));
	ctlguard_nonce(&joe, START_MS + SLOT_MS - 1, nonce);
	assert_true(ctlguard_nonce_ok(
	    &joe, START_MS + SLOT_MS - 1 + CTLMSG_LONGEST_WAIT_SEC * 1000, nonce));
}

static void
a_nonce_is_for_one_request(void **state)
{
	struct ctlguard_id other[3] = { joe, joe, joe };
	uint8_t nonce[CTLMSG_NONCE];
	size_t i;

	(void)state;
	other[0].ip++;
	other[1].port++;
	other[2].id++;
	ctlguard_nonce(&joe, START_MS, nonce);
	for (i = 0; i < ARRAY_LEN(other); i++)
		assert_false(ctlguard_nonce_ok(&other[i], START_MS, nonce));
	for (i = 0; i < CTLMSG_NONCE; i++) {
		nonce[i] ^= 1;
		assert_false(ctlguard_nonce_ok(&joe, START_MS, nonce));
		nonce[i] ^= 1;
	}
	ctlguard_init(); /* another run of the daemon: another key */
	assert_false(ctlguard_nonce_ok(&joe, START_MS, nonce));
}

static void
an_answer_is_found_again(void **state)
{
	struct ctlguard_id other = joe;
	struct ctlguard_answer *a;

	(void)state;
	assert_null(ctlguard_find(&joe));
	a = ctlguard_new(&joe);
	a->status = CTLMSG_REFUSED;
	strcpy(a->text, "no");
	assert_ptr_equal(ctlguard_find(&joe), a);
	other.port++;
	assert_null(ctlguard_find(&other));
	assert_string_equal(ctlguard_find(&joe)->text, "no");
}

static void
the_rate_is_kept(void **state)
{
	unsigned int taken = 0, ms, i;

	(void)state;
	for (ms = 0; ms < 10000; ms++)
		for (i = 0; i < 10; i++)
			taken += ctlguard_allow(START_MS + ms);
	assert_in_range(taken, 10 * RATE + RATE - 1, 10 * RATE + RATE);
}

/* At the highest rate, each is still known when its nonce has just become too old. */
static void
answers_outlive_nonces(void **state)
{
	enum { ALL = 4 * SLOT_MS / 1000 * RATE };
	struct ctlguard_id id = joe;
	uint32_t taken = 0, oldest = 0;
	static uint64_t at_ms[ALL + 10];
	uint64_t now;

	(void)state;
	for (now = START_MS; taken < ALL; now++) {
		while (taken < ALL && ctlguard_allow(now)) {
			id.id = ++taken;
			at_ms[taken] = now;
			snprintf(ctlguard_new(&id)->text, CTLGUARD_TEXT, "%u", taken);
		}
		for (; at_ms[oldest + 1] + 2 * SLOT_MS < now; oldest++)
			;
		id.id = oldest + 1;
		assert_non_null(ctlguard_find(&id));
		assert_int_equal(atoi(ctlguard_find(&id)->text), oldest + 1);
	}
	id.id = 1; /* long ago: the ring has come round */
	assert_null(ctlguard_find(&id));
}

/* The ring comes round many times: what has left it is not in the index either. */
static void
the_index_does_not_fill(void **state)
{
	enum { ALL = 8 * SLOT_MS / 1000 * RATE };
	struct ctlguard_id id = joe;

	(void)state;
	for (id.id = 1; id.id <= ALL; id.id++) {
		(void)ctlguard_new(&id);
		assert_non_null(ctlguard_find(&id));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_nonce_is_good_for_a_while, set_up),
		cmocka_unit_test_setup(a_nonce_is_for_one_request, set_up),
		cmocka_unit_test_setup(an_answer_is_found_again, set_up),
		cmocka_unit_test_setup(the_rate_is_kept, set_up),
		cmocka_unit_test_setup(answers_outlive_nonces, set_up),
		cmocka_unit_test_setup(the_index_does_not_fill, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
