/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets of the log that take no lines: a pipe nobody reads, a FIFO, a stopped
 * terminal, a full socket. Nothing blocks (or the alarm ends the test), what is lost is
 * counted and told, and what we share with others keeps its flags.
 */
#include "log_target.h"
#include "counter.h"
#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES = 20000, SECONDS = 20 };

static char dir[] = "/tmp/log_target_test.XXXXXX";
static char file[64];
static char text[8 << 20];
static int real_stdout;

static int
set_up(void **state)
{
	(void)state;
	alarm(SECONDS);
	log_set_level(LOG_INFO);
	snprintf(file, sizeof(file), "%s/log", dir);
	unlink(file);
	return 0;
}

static int
back_to_stdout(void **state)
{
	char why[256];

	(void)state;
	dup2(real_stdout, STDOUT_FILENO);
	log_set_level(-1);
	return log_target_open("", why, sizeof(why));
}

/* The log goes to `fd` as if we had been started so. */
static void
log_to_stdout(int fd)
{
	char why[256];

	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(log_target_open("", why, sizeof(why)), 0);
	assert_true(log_target_is_stdout());
}

/* What can be read at once. */
static const char *
drain(int fd)
{
	size_t n = 0;
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}

static unsigned int
count(const char *all, const char *what)
{
	unsigned int n = 0;

	for (; (all = strstr(all, what)); all += strlen(what))
		n++;
	return n;
}

/* Fills the target behind `reader`, then sees that it goes on when there is room again. */
static void
lines_are_lost_and_told(int reader)
{
	uint64_t before = counters->log_lost, lost;
	char notice[64];
	unsigned int whole;
	int i;

	for (i = 0; i < LINES; i++)
		plog(LOG_INFO, "line %d of many, with an end of its own", i);
	lost = counters->log_lost - before;
	assert_in_range(lost, 1, LINES - 1);
	whole = count(drain(reader), "with an end of its own\n");
	assert_int_equal(whole + lost, LINES);
	assert_null(strstr(text, "lost"));
	plog(LOG_INFO, "there is room again");
	snprintf(notice, sizeof(notice), "error 00/00 %u log lines were lost", (unsigned)lost);
	assert_non_null(strstr(drain(reader), notice));
	assert_non_null(strstr(text, "there is room again\n"));
	plog(LOG_INFO, "and later");
	assert_null(strstr(drain(reader), "lost"));
	assert_non_null(strstr(text, "and later\n"));
	assert_int_equal(counters->log_lost, before + lost);
}

static void
a_pipe_that_nobody_reads(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_to_stdout(fds[1]);
	lines_are_lost_and_told(fds[0]);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0); /* others write there too */
	close(fds[0]);
	close(fds[1]);
}

static void
a_socket_that_nobody_reads(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	log_to_stdout(fds[1]);
	lines_are_lost_and_told(fds[0]);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}

static void
a_terminal_that_is_stopped(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	uint64_t before = counters->log_lost;
	struct termios raw;
	int i;

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	log_to_stdout(slave);
	tcflow(slave, TCOOFF); /* ^S */
	for (i = 0; i < LINES; i++)
		plog(LOG_INFO, "line %d of many", i);
	assert_in_range(counters->log_lost - before, 1, LINES);
	tcflow(slave, TCOON);
	drain(master);
	plog(LOG_INFO, "there is room again");
	assert_non_null(strstr(drain(master), " log lines were lost"));
	assert_non_null(strstr(text, "there is room again\n"));
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	close(slave);
	close(master);
}

static void
a_fifo(void **state)
{
	char why[256] = "";
	int reader;

	(void)state;
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(log_target_open(file, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "nobody reads this FIFO"));
	assert_non_null(strstr(why, file));
	reader = open(file, O_RDONLY | O_NONBLOCK);
	assert_int_equal(log_target_open(file, why, sizeof(why)), 0);
	assert_false(log_target_is_stdout());
	lines_are_lost_and_told(reader);
	close(reader);
}

/* Its offset is common with whoever else writes to the file. */
static void
stdout_that_is_a_file(void **state)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)state;
	assert_true(fd >= 0);
	log_to_stdout(fd);
	assert_int_equal(write(fd, "before\n", 7), 7);
	plog(LOG_INFO, "ours");
	assert_int_equal(write(fd, "behind\n", 7), 7);
	assert_true(lseek(fd, 0, SEEK_SET) == 0);
	drain(fd);
	assert_memory_equal(text, "before\n", 7);
	assert_non_null(strstr(text, " 00/00 ours\nbehind\n"));
	close(fd);
}

/* A file system that is full may take a part of a line: the next begins a line of its own. */
static void
a_line_taken_in_part(void **state)
{
	struct rlimit limit, small;
	uint64_t before = counters->log_lost;
	char why[256];
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 150;
	assert_int_equal(log_target_open(file, why, sizeof(why)), 0);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	plog(LOG_INFO, "%060d", 1);
	plog(LOG_INFO, "%060d", 2);
	plog(LOG_INFO, "%060d", 3);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(counters->log_lost, before + 2);
	plog(LOG_INFO, "whole");
	fd = open(file, O_RDONLY);
	drain(fd);
	close(fd);
	assert_int_equal(text[149], '0'); /* of the second */
	assert_int_equal(text[150], '\n');
	assert_int_equal(count(text, "\n"), 4);
	assert_non_null(strstr(text, "2 log lines were lost"));
	assert_non_null(strstr(text, " 00/00 whole\n"));
}

static void
names_that_cannot_be(void **state)
{
	char why[256], long_name[600];

	(void)state;
	memset(long_name, '/', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_false(log_target_valid(long_name, why, sizeof(why)));
	assert_false(log_target_valid("syslog:nosuch", why, sizeof(why)));
	assert_non_null(strstr(why, "nosuch"));
	assert_false(log_target_valid("syslog:", why, sizeof(why)));
	assert_false(log_target_valid("log/file", why, sizeof(why)));
	assert_non_null(strstr(why, "absolute"));
	assert_true(log_target_valid("", why, sizeof(why)));
	assert_true(log_target_valid("/var/log/l2tpns", why, sizeof(why)));
	assert_true(log_target_valid("syslog:daemon", why, sizeof(why)));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, back_to_stdout)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pipe_that_nobody_reads),
		TEST(a_socket_that_nobody_reads),
		TEST(a_terminal_that_is_stopped),
		TEST(a_fifo),
		TEST(stdout_that_is_a_file),
		TEST(a_line_taken_in_part),
		TEST(names_that_cannot_be),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	real_stdout = dup(STDOUT_FILENO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return failed;
}
