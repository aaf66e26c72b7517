/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: levels, escaping, the rate limit, and files that are moved or cannot be opened. */
#include "log.h"
#include "counter.h"
#include "log_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/log_test.XXXXXX";
static char file[64], moved[64];
static char text[65536];
static uint64_t coarse_ms = 1000; /* the clock of the rate limit */

/* In place of libc's: the limit's clock is ours, the others are the real ones. */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, ts);
	ts->tv_sec = (time_t)(coarse_ms / 1000);
	ts->tv_nsec = (long)(coarse_ms % 1000) * 1000000;
	return 0;
}

static const char *
contents(const char *name)
{
	FILE *f = fopen(name, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static unsigned int
count(const char *all, const char *what)
{
	unsigned int n = 0;

	while ((all = strstr(all, what))) {
		n++;
		all += strlen(what);
	}
	return n;
}

static int
fresh_file(void **state)
{
	char why[256];

	(void)state;
	unlink(file);
	unlink(moved);
	log_set_level(LOG_INFO);
	return log_target_open(file, why, sizeof(why));
}

static void
lines_have_time_level_and_ids(void **state)
{
	int y, mon, d, h, min, s, ms;
	unsigned int tid, sid;
	char level[16];

	(void)state;
	log_write(LOG_INFO, 12, 7, "session %s", "up");
	assert_int_equal(sscanf(contents(file), "%d-%d-%d %d:%d:%d.%d %15s %u/%u session up\n", &y,
			     &mon, &d, &h, &min, &s, &ms, level, &tid, &sid),
	    10);
	assert_string_equal(level, "info");
	assert_int_equal(tid, 7);
	assert_int_equal(sid, 12);
	assert_int_equal(count(text, "\n"), 1);
}

static void
each_level_has_a_word(void **state)
{
	static const char *const words[] = {
		[LOG_CRITICAL] = " critical 00/00 level 0\n",
		[LOG_ERROR] = " error 00/00 level 1\n",
		[LOG_WARNING] = " warning 00/00 level 2\n",
		[LOG_INFO] = " info 00/00 level 3\n",
		[LOG_CALL] = " call 00/00 level 4\n",
		[LOG_PACKET] = " packet 00/00 level 5\n",
	};
	int i;

	(void)state;
	log_set_level(LOG_PACKET);
	for (i = LOG_CRITICAL; i <= LOG_PACKET; i++)
		plog(i, "level %d", i);
	contents(file);
	for (i = LOG_CRITICAL; i <= LOG_PACKET; i++)
		assert_non_null(strstr(text, words[i]));
}

static int evaluated;

static int
evaluate(void)
{
	return ++evaluated;
}

static void
arguments_below_the_level_are_not_evaluated(void **state)
{
	(void)state;
	evaluated = 0;
	plog(LOG_INFO, "shown %d", evaluate());
	plog(LOG_CALL, "hidden %d", evaluate());
	log_hex("hidden", "abc", 3);
	assert_int_equal(evaluated, 1);
	assert_non_null(strstr(contents(file), "shown 1"));
	assert_null(strstr(text, "hidden"));
}

static void
control_characters_are_escaped(void **state)
{
	(void)state;
	plog(LOG_INFO, "a\nb\r\x1b[2J\x7f\tc %s", "d\n2026-01-01 forged");
	assert_non_null(
	    strstr(contents(file), "a\\x0ab\\x0d\\x1b[2J\\x7f\\x09c d\\x0a2026-01-01 forged\n"));
	assert_int_equal(count(text, "\n"), 1);
}

static void
text_that_is_not_utf8_is_escaped(void **state)
{
	(void)state;
	plog(LOG_INFO, "J\xc3\xbcrgen J\xfcrgen \x9b%s a\\x1b", "2J\xc2\x9b");
	assert_non_null(
	    strstr(contents(file), "J\xc3\xbcrgen J\\xfcrgen \\x9b2J\\xc2\\x9b a\\\\x1b\n"));
}

static void
long_lines_are_cut(void **state)
{
	char longest[5000];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	plog(LOG_INFO, "%s", longest);
	memset(longest, '\n', sizeof(longest) - 1); /* four times as long when escaped */
	plog(LOG_INFO, "%s", longest);
	plog(LOG_INFO, "next");
	assert_int_equal(count(contents(file), "\n"), 3);
	assert_in_range(count(text, "x\\x"), 0, 1);
	assert_true(count(text, "x") > 900);
	assert_non_null(strstr(text, "next\n"));
}

static void
hex_lines(void **state)
{
	uint8_t data[18];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 0xf8);
	log_set_level(LOG_PACKET);
	log_hex("packet", data, sizeof(data));
	log_hex("empty", data, 0);
	assert_non_null(strstr(contents(file), "packet, 18 octets\n"));
	assert_non_null(strstr(text, "  0000: f8 f9 fa fb fc fd fe ff 00 01 02 03 04 05 06 07\n"));
	assert_non_null(strstr(text, "  0010: 08 09\n"));
	assert_int_equal(count(text, "\n"), 4);
}

static char sunk[1024];
static int sunk_level;

static void
sink(int level, const char *line, size_t len)
{
	assert_int_equal(strlen(line), len);
	sunk_level = level;
	snprintf(sunk, sizeof(sunk), "%s", line);
}

static void
sink_has_a_level_of_its_own(void **state)
{
	(void)state;
	sunk[0] = '\0';
	log_set_sink(sink, LOG_CALL);
	plog(LOG_CALL, "for the sink");
	assert_non_null(strstr(sunk, "for the sink"));
	assert_int_equal(sunk_level, LOG_CALL);
	assert_null(strstr(contents(file), "for the sink"));
	log_set_sink(NULL, -1);
	plog(LOG_INFO, "for the file");
	assert_null(strstr(sunk, "for the file"));
	assert_non_null(strstr(contents(file), "for the file"));
}

static void
peer_says(const char *what)
{
	plog_limit(LOG_INFO, "peer says %s", what);
}

static void
limit_lets_ten_a_second_out(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		peer_says("one");
		coarse_ms += 9;
	}
	assert_int_equal(count(contents(file), "peer says one"), 10);
	coarse_ms += 1000;
	peer_says("two");
	assert_non_null(strstr(contents(file), "90 lines like the next were left out"));
	assert_int_equal(count(text, "peer says two"), 1);
	plog_limit(LOG_INFO, "another place"); /* has its own limit */
	assert_non_null(strstr(contents(file), "another place"));
}

static void
goes_on_after_the_file_is_moved(void **state)
{
	char why[256];

	(void)state;
	plog(LOG_INFO, "before");
	assert_int_equal(rename(file, moved), 0);
	plog(LOG_INFO, "between");
	assert_int_equal(log_target_reopen(why, sizeof(why)), 0);
	plog(LOG_INFO, "after");
	assert_int_equal(count(contents(moved), "\n"), 2);
	assert_int_equal(count(contents(file), "\n"), 1);
	assert_non_null(strstr(text, "after"));
}

static void
keeps_the_old_target_when_the_new_cannot_be(void **state)
{
	char why[256], too_long[600];

	(void)state;
	why[0] = '\0';
	assert_int_equal(log_target_open("/nonexistent/log", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "/nonexistent/log: "));
	assert_int_equal(log_target_open("syslog:nonsense", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "nonsense"));
	memset(too_long, '/', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(log_target_open(too_long, why, sizeof(why)), -1);
	plog(LOG_INFO, "still here");
	assert_non_null(strstr(contents(file), "still here"));
	assert_int_equal(rename(file, moved), 0);
	assert_int_equal(log_target_reopen(why, sizeof(why)), 0); /* knows the name still */
	plog(LOG_INFO, "and here");
	assert_non_null(strstr(contents(file), "and here"));
}

static void
what_cannot_be_written_is_counted(void **state)
{
	char why[256];
	uint64_t before = counters->log_lost;

	(void)state;
	assert_int_equal(log_target_open("/dev/full", why, sizeof(why)), 0);
	plog(LOG_INFO, "lost");
	assert_int_equal(counters->log_lost, before + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_have_time_level_and_ids, fresh_file),
		cmocka_unit_test_setup(each_level_has_a_word, fresh_file),
		cmocka_unit_test_setup(arguments_below_the_level_are_not_evaluated, fresh_file),
		cmocka_unit_test_setup(control_characters_are_escaped, fresh_file),
		cmocka_unit_test_setup(text_that_is_not_utf8_is_escaped, fresh_file),
		cmocka_unit_test_setup(long_lines_are_cut, fresh_file),
		cmocka_unit_test_setup(hex_lines, fresh_file),
		cmocka_unit_test_setup(sink_has_a_level_of_its_own, fresh_file),
		cmocka_unit_test_setup(limit_lets_ten_a_second_out, fresh_file),
		cmocka_unit_test_setup(goes_on_after_the_file_is_moved, fresh_file),
		cmocka_unit_test_setup(keeps_the_old_target_when_the_new_cannot_be, fresh_file),
		cmocka_unit_test_setup(what_cannot_be_written_is_counted, fresh_file),
	};
	char why[256];
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_target_open("", why, sizeof(why));
	unlink(file);
	unlink(moved);
	rmdir(dir);
	return failed;
}
