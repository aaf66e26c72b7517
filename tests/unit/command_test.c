/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outside programs: order, output, input, those that fail, hang, or are too many. */
#include "command.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "timer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_ENDS = 80 };

static char logged[65536];
static int ends[MAX_ENDS], n_ends, wanted_ends;
static uint64_t ahead_ms; /* of the monotonic clock */
static struct timer limit;

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_MONOTONIC)
		ts->tv_sec += (time_t)(ahead_ms / 1000);
	return result;
}

static void
keep_line(int level, const char *line, size_t len)
{
	size_t have = strlen(logged);

	(void)level;
	if (have + len + 2 < sizeof(logged))
		snprintf(logged + have, sizeof(logged) - have, "%.*s\n", (int)len, line);
}

static bool
was_logged(const char *what)
{
	return strstr(logged, what) != NULL;
}

static void
on_end(void *arg, int status)
{
	ends[n_ends++] = arg ? *(int *)arg : status;
	if (n_ends == wanted_ends)
		loop_stop();
}

static void
on_child(int signo)
{
	pid_t pid;
	int status;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		assert_true(command_exit(pid, status));
}

static void
on_limit(uint32_t unused)
{
	(void)unused;
	loop_stop();
}

/* Lets the loop run until so many have ended. */
static void
run_until(int n)
{
	wanted_ends = n;
	loop_clock(); /* it may have been put ahead */
	timer_clock(loop_now_ms());
	timer_set(&limit, SEC(20));
	if (n_ends < n)
		loop_run();
	timer_stop(&limit);
	assert_int_equal(n_ends, n);
}

static int
shell(const char *script)
{
	char text[512];
	char *const argv[] = { "sh", "-c", text, NULL };

	snprintf(text, sizeof(text), "%s", script);
	return command_run(argv, NULL, 0, on_end, NULL);
}

static int
fresh(void **state)
{
	(void)state;
	logged[0] = '\0';
	n_ends = 0;
	return 0;
}

static void
one_after_the_other(void **state)
{
	(void)state;
	shell("sleep 0.1; echo first");
	shell("echo second; exit 3");
	shell("kill -9 $$");
	run_until(3);
	assert_int_equal(ends[0], 0);
	assert_int_equal(ends[1], 3);
	assert_int_equal(ends[2], -SIGKILL);
	assert_true(strstr(logged, "sh: first") < strstr(logged, "sh: second"));
	assert_true(was_logged("sh -c echo second; exit 3: exit status 3; it said: second"));
	assert_true(was_logged("ended by signal 9"));
}

static void
input_and_both_outputs(void **state)
{
	char *const argv[] = { "cat", NULL };

	(void)state;
	command_run(argv, "line one\nline two", 17, on_end, NULL);
	shell("echo wrong >&2; cat");
	run_until(2);
	assert_true(was_logged("cat: line one"));
	assert_true(was_logged("cat: line two"));
	assert_true(was_logged("sh: wrong"));
	assert_int_equal(ends[1], 0);
}

static void
a_program_that_is_not_there(void **state)
{
	char *const argv[] = { "no-such-program", "x", NULL };

	(void)state;
	assert_int_equal(command_run(argv, NULL, 0, on_end, NULL), 0);
	shell("exit 0");
	run_until(2);
	assert_int_equal(ends[0], 127);
	assert_int_equal(ends[1], 0);
	assert_true(was_logged("cannot run no-such-program x: No such file"));
}

/* Neither a long line nor many of them fill the log or memory. */
static void
much_output(void **state)
{
	const char *p;
	unsigned int lines = 0;

	(void)state;
	shell("head -c 100000 /dev/zero | tr '\\0' x; echo; seq 5000");
	run_until(1);
	for (p = logged; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(lines < 110);
	assert_true(was_logged("lines more"));
}

/* What it leaves in the background does not hold up those behind it. */
static void
background(void **state)
{
	(void)state;
	shell("sleep 3 & exit 0");
	shell("exit 0");
	run_until(2);
	assert_int_equal(ends[0] | ends[1], 0);
}

static void
no_descriptors_and_signals_of_ours(void **state)
{
	/* no shell in between: it would set its signals right by itself; libc ignores 32 and 33 */
	static char *const argv[] = { "grep", "-Ecx", "SigBlk:\\s0+|SigIgn:\\s0{7}[01][08]0{7}",
		"/proc/self/status", NULL };
	int fd = fcntl(0, F_DUPFD, 9);

	(void)state;
	assert_int_equal(fd, 9);
	signal(SIGPIPE, SIG_IGN);
	shell("[ ! -e /proc/self/fd/9 ]");
	command_run(argv, NULL, 0, on_end, NULL);
	run_until(2);
	assert_int_equal(ends[0], 0);
	assert_true(was_logged("grep: 2"));
	close(fd);
}

/* Of a process that is not our child: it has gone, or nobody has taken note of its end yet. */
static void
wait_for_end(pid_t pid)
{
	char path[64], state = '?';
	unsigned int tries;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (tries = 0; tries < 500; tries++, usleep(10000)) {
		f = fopen(path, "r");
		if (!f)
			return;
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 'X'; /* it went as we read */
		fclose(f);
		if (state == 'Z' || state == 'X')
			return;
	}
	fail_msg("process %d lives on", (int)pid);
}

/* Time passes by the stepped clock: told after 5 s, killed after 60 s, and then the next one. */
static void
a_hang(void **state)
{
	const char *child;

	(void)state;
	shell("sleep 1000 & echo child $!; wait");
	shell("exit 0");
	timer_set(&limit, MS(100));
	loop_run();
	assert_false(was_logged("has not ended"));
	ahead_ms += 5000;
	timer_set(&limit, MS(50));
	loop_run();
	assert_true(was_logged("wait has not ended after 5 seconds"));
	assert_int_equal(n_ends, 0);
	ahead_ms += 56000;
	run_until(2);
	assert_true(was_logged("hangs: killed after 61 seconds"));
	child = strstr(logged, "sh: child ");
	assert_non_null(child);
	wait_for_end((pid_t)atoi(child + strlen("sh: child ")));
	assert_int_equal(ends[0], -SIGKILL);
	assert_int_equal(ends[1], 0);
}

static void
a_full_queue(void **state)
{
	char *const argv[] = { "true", NULL };
	char *long_argv[] = { "true", NULL, NULL };
	uint64_t before = counters->command_refused;
	int i;

	(void)state;
	for (i = 0; i < COMMAND_QUEUE; i++)
		assert_int_equal(command_run(argv, NULL, 0, on_end, NULL), 0);
	assert_int_equal(command_run(argv, NULL, 0, on_end, NULL), -1);
	assert_true(was_logged("too many programs are waiting"));
	run_until(COMMAND_QUEUE);
	long_argv[1] = calloc(1, 10000);
	memset(long_argv[1], 'x', 9999);
	assert_int_equal(command_run(long_argv, NULL, 0, on_end, NULL), -1);
	assert_int_equal(counters->command_refused, before + 2);
	free(long_argv[1]);
}

/* The end: what is there is done, but a program that hangs is not waited for. */
static void
the_end(void **state)
{
	(void)state;
	shell("exit 0");
	shell("exit 0");
	command_fini();
	assert_int_equal(n_ends, 2);
	shell("sleep 1000");
	shell("exit 0");
	command_fini();
	assert_int_equal(n_ends, 2);
	assert_true(was_logged("sh -c sleep 1000 was not done before the end"));
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
	command_init();
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_after_the_other),
		TEST(input_and_both_outputs),
		TEST(a_program_that_is_not_there),
		TEST(much_output),
		TEST(background),
		TEST(no_descriptors_and_signals_of_ours),
		TEST(a_hang),
		TEST(a_full_queue),
		TEST(the_end),
	};

	config_init();
	log_set_level(LOG_INFO);
	log_set_sink(keep_line, LOG_INFO);
	loop_clock();
	timer_run(loop_now_ms());
	timer_init(&limit, on_limit, 0);
	command_init();
	loop_on_signal(SIGCHLD, on_child);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
