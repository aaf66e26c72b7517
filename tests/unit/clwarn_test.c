/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators are told of members that are not heard: once, again after a while, and no flood.
 */
#include "clwarn.h"
#include "log.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEC_MS = 1000, MIN_MS = 60 * SEC_MS, HOUR_MS = 60 * MIN_MS };

static unsigned int lines;
static char last[512];
static uint64_t now_ms = HOUR_MS; /* goes on from test to test, as addresses do */
static uint32_t address = 0x0100000a;

static void
sink(int level, const char *line, size_t len)
{
	assert_int_equal(level, LOG_ERROR);
	str_copy_n(last, sizeof(last), line, len);
	lines++;
}

static int
set_up(void **state)
{
	(void)state;
	log_set_level(LOG_CRITICAL);
	log_set_sink(sink, LOG_ERROR);
	lines = 0;
	now_ms += 3 * (uint64_t)HOUR_MS; /* what was told is old */
	address += 0x01000000;
	return 0;
}

/* So many messages, ten a second. */
static void
come(enum clwarn what, unsigned int n)
{
	while (n--) {
		clwarn(address, what, now_ms);
		now_ms += 100;
	}
}

static void
it_is_told_once_and_each_hour(void **state)
{
	(void)state;
	come(CLWARN_OTHER_SECRET, 1000);
	assert_int_equal(lines, 1);
	assert_non_null(strstr(last, "cluster: 10.0.0.2 has another cluster_secret"));
	come(CLWARN_OTHER_SECRET, HOUR_MS / 100);
	assert_int_equal(lines, 2);
	come(CLWARN_SIGNED, 10); /* another thing */
	assert_int_equal(lines, 3);
}

static void
it_is_told_again_when_it_was_right(void **state)
{
	(void)state;
	come(CLWARN_UNSIGNED, 10);
	clwarn_heard(address);
	come(CLWARN_UNSIGNED, 10); /* a minute at the earliest: anybody can send such messages */
	assert_int_equal(lines, 1);
	clwarn_heard(address);
	now_ms += MIN_MS;
	come(CLWARN_UNSIGNED, 10);
	assert_int_equal(lines, 2);
	now_ms += MIN_MS; /* it has lasted since then */
	come(CLWARN_UNSIGNED, 10);
	assert_int_equal(lines, 2);
}

static void
strangers_make_no_flood(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100000; i++)
		clwarn(0xac100000 + i, CLWARN_OTHER_SECRET, now_ms + i);
	assert_int_equal(lines, 32);
	now_ms += HOUR_MS + 100000;
	come(CLWARN_OTHER_SECRET, 10);
	assert_int_equal(lines, 33);
}

static void
a_restart_is_no_twin(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		come(CLWARN_TWINS, 3);
		now_ms += MIN_MS;
	}
	assert_int_equal(lines, 0);
	come(CLWARN_TWINS, 6);
	assert_int_equal(lines, 1);
	for (i = 0; i < 1000; i++) {
		clwarn_heard(address); /* the other one of the two */
		come(CLWARN_TWINS, 1);
	}
	now_ms += 2 * MIN_MS;
	come(CLWARN_TWINS, 100);
	assert_int_equal(lines, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_told_once_and_each_hour, set_up),
		cmocka_unit_test_setup(it_is_told_again_when_it_was_right, set_up),
		cmocka_unit_test_setup(strangers_make_no_flood, set_up),
		cmocka_unit_test_setup(a_restart_is_no_twin, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
