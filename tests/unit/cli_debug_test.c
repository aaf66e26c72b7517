/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines on connections: levels, what is lost and told, and a reader beside a writer. */
#include "cli_debug.h"
#include "log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PLACES = 3, MANY = 3000, RACE = 300000 };

static struct cli_def *cli;
static unsigned int lines;	/* printed, but for empty ones and those about lost ones */
static unsigned long long lost; /* as told */
static unsigned int last;	/* the number in the last line */
static bool disorder;

static void
on_print(struct cli_def *unused, const char *line)
{
	unsigned int number, again;
	unsigned long long n;
	const char *p;

	(void)unused;
	if (line[0] == '\0')
		return;
	if (sscanf(line, "(%llu lines were lost", &n) == 1) {
		lost += n;
		return;
	}
	lines++;
	p = strstr(line, "line ");
	if (!p || sscanf(p, "line %u of the log, which is %u", &number, &again) != 2 ||
	    number != again || number <= last)
		disorder = true;
	else
		last = number;
}

static int
start(void **state)
{
	unsigned int i;

	(void)state;
	lines = last = 0;
	lost = 0;
	disorder = false;
	for (i = 0; i < PLACES; i++)
		cli_debug_set(i, -1);
	cli_debug_attach(1);
	return 0;
}

static void
write_lines(unsigned int from, unsigned int n, int level)
{
	unsigned int i;

	for (i = from; i < from + n; i++)
		plog(level, "line %u of the log, which is %u", i, i);
}

static void
drain(void)
{
	unsigned int before;

	do {
		before = lines;
		cli_debug_drain(cli);
	} while (lines > before);
}

static void
each_place_has_its_level(void **state)
{
	(void)state;
	cli_debug_set(0, LOG_PACKET);
	cli_debug_set(1, LOG_INFO);
	write_lines(1, 3, LOG_INFO);
	write_lines(4, 3, LOG_CALL);
	drain();
	assert_int_equal(lines, 3);
	assert_int_equal(last, 3);
	cli_debug_attach(0);
	write_lines(7, 2, LOG_CALL);
	drain();
	assert_int_equal(lines, 5);
	assert_false(disorder);
	assert_int_equal(lost, 0);
}

/* While nobody wants more than the log has, the lines are not even made. */
static void
threshold_follows_the_highest(void **state)
{
	(void)state;
	assert_false(log_on(LOG_INFO));
	cli_debug_set(2, LOG_CALL);
	cli_debug_set(0, LOG_INFO);
	assert_true(log_on(LOG_CALL));
	cli_debug_set(2, -1);
	assert_true(log_on(LOG_INFO));
	assert_false(log_on(LOG_CALL));
	cli_debug_set(0, -1);
	assert_false(log_on(LOG_INFO));
}

static void
what_is_lost_is_told(void **state)
{
	(void)state;
	cli_debug_set(1, LOG_INFO);
	write_lines(1, MANY, LOG_INFO);
	drain();
	assert_true(lost > 0);
	assert_int_equal(lines + lost, MANY);
	assert_int_equal(last, MANY);
	write_lines(MANY + 1, 10, LOG_INFO);
	lost = 0;
	drain();
	assert_int_equal(last, MANY + 10);
	assert_int_equal(lost, 0);
	assert_false(disorder);
}

static void
records_are_no_debugging(void **state)
{
	(void)state;
	cli_debug_set(1, LOG_PACKET);
	log_record("line 1 of the log, which is 1");
	drain();
	assert_int_equal(lines, 0);
}

static void *
writer(void *unused)
{
	(void)unused;
	write_lines(1, RACE, LOG_INFO);
	return NULL;
}

/* No line is torn or out of order, and each is printed or counted. */
static void
reader_beside_writer(void **state)
{
	pthread_t thread;

	(void)state;
	cli_debug_set(1, LOG_INFO);
	assert_int_equal(pthread_create(&thread, NULL, writer, NULL), 0);
	while (last < RACE)
		cli_debug_drain(cli);
	pthread_join(thread, NULL);
	assert_false(disorder);
	assert_int_equal(lines + lost, RACE);
}

static void
names(void **state)
{
	(void)state;
	assert_int_equal(cli_debug_level("critical"), LOG_CRITICAL);
	assert_int_equal(cli_debug_level("calls"), LOG_CALL);
	assert_int_equal(cli_debug_level("call"), LOG_CALL);
	assert_int_equal(cli_debug_level("all"), LOG_CALL);
	assert_int_equal(cli_debug_level("data"), LOG_PACKET);
	assert_int_equal(cli_debug_level("W"), LOG_WARNING);
	assert_int_equal(cli_debug_level("5"), LOG_PACKET);
	assert_int_equal(cli_debug_level("off"), -1);
	assert_int_equal(cli_debug_level("6"), -2);
	assert_int_equal(cli_debug_level("10"), -2);
	assert_int_equal(cli_debug_level(""), -2);
	assert_int_equal(cli_debug_level("foo"), -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_place_has_its_level, start),
		cmocka_unit_test_setup(threshold_follows_the_highest, start),
		cmocka_unit_test_setup(what_is_lost_is_told, start),
		cmocka_unit_test_setup(records_are_no_debugging, start),
		cmocka_unit_test_setup(reader_beside_writer, start),
		cmocka_unit_test(names),
	};

	log_set_level(LOG_ERROR);
	cli = cli_init();
	cli_print_callback(cli, on_print);
	cli_debug_init(PLACES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
