/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: signals under load, what a stop leaves undone, descriptors that come and go. */
#include "loop.h"
#include "counter.h"
#include "log.h"
#include "timer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPES = 3, MANY = 1000 };

static int pipes[PIPES][2];
static unsigned int read_calls, write_calls, signal_calls, timer_calls, turns;
static unsigned int stop_at_call; /* of a reader; 0: never */
static struct timer timer;

static void
on_ready(int fd, void *arg)
{
	(void)fd;
	assert_ptr_equal(arg, pipes);
	if (++read_calls == stop_at_call)
		loop_stop();
}

static void
on_writable(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	write_calls++;
	loop_stop();
}

static void
on_end(int signo)
{
	(void)signo;
	signal_calls++;
	loop_stop();
}

static void
on_timer(uint32_t unused)
{
	(void)unused;
	timer_calls++;
	loop_stop();
}

static void
on_turn_end(void)
{
	turns++;
}

/* Pipes that are always readable. */
static int
ready_pipes(void **state)
{
	int i;

	(void)state;
	read_calls = write_calls = signal_calls = timer_calls = turns = stop_at_call = 0;
	loop_clock();
	timer_run(loop_now_ms());
	for (i = 0; i < PIPES; i++)
		if (pipe(pipes[i]) < 0 || write(pipes[i][1], "x", 1) != 1 ||
		    loop_add(pipes[i][0], on_ready, pipes) < 0)
			return -1;
	return 0;
}

static int
no_pipes(void **state)
{
	int i;

	(void)state;
	timer_stop(&timer);
	for (i = 0; i < PIPES; i++) {
		loop_del(pipes[i][0]);
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	return 0;
}

static void
raise_later(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	if (read_calls++ == 0)
		raise(SIGTERM);
	else if (read_calls == MANY)
		loop_stop();
}

static void
signals_are_taken_while_a_descriptor_is_ready(void **state)
{
	(void)state;
	loop_del(pipes[1][0]);
	loop_del(pipes[2][0]);
	loop_add(pipes[0][0], raise_later, NULL);
	loop_run();
	assert_int_equal(signal_calls, 1);
	assert_int_equal(read_calls, 1);
}

static void
signals_are_taken_while_none_is(void **state)
{
	(void)state;
	no_pipes(NULL);
	raise(SIGTERM);
	loop_run();
	assert_int_equal(signal_calls, 1);
	ready_pipes(NULL);
}

static void
no_input_is_handled_after_a_signal_stopped(void **state)
{
	(void)state;
	raise(SIGTERM);
	timer_set(&timer, 0);
	loop_run();
	assert_int_equal(signal_calls, 1);
	assert_int_equal(read_calls, 0);
	assert_int_equal(timer_calls, 0);
	assert_int_equal(turns, 1); /* what was to be sent is */
}

static void
no_input_is_handled_after_a_reader_stopped(void **state)
{
	(void)state;
	stop_at_call = 2;
	timer_set(&timer, 0);
	loop_run();
	assert_int_equal(read_calls, 2);
	assert_int_equal(timer_calls, 0);
}

static void
timers_run_while_a_descriptor_is_ready(void **state)
{
	(void)state;
	timer_set(&timer, 20);
	loop_run();
	assert_int_equal(timer_calls, 1);
	assert_true(read_calls >= PIPES);
}

static void
writable_descriptors(void **state)
{
	(void)state;
	no_pipes(NULL);
	ready_pipes(NULL);
	loop_add(pipes[0][1], on_ready, pipes);
	loop_want_write(pipes[0][1], on_writable);
	loop_run();
	assert_int_equal(write_calls, 1);
	loop_want_write(pipes[0][1], NULL);
	stop_at_call = read_calls + MANY;
	loop_run();
	assert_int_equal(write_calls, 1);
	loop_del(pipes[0][1]);
}

static void
forget_the_others(int fd, void *arg)
{
	int i;

	(void)arg;
	read_calls++;
	for (i = 0; i < PIPES; i++)
		if (pipes[i][0] != fd)
			loop_del(pipes[i][0]);
	loop_stop();
}

/* The set of ready descriptors is older than what a callback has done. */
static void
a_descriptor_forgotten_in_a_turn_is_not_served_in_it(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < PIPES; i++)
		loop_add(pipes[i][0], forget_the_others, NULL);
	loop_run();
	assert_int_equal(read_calls, 1);
}

static void
a_descriptor_too_high_is_counted(void **state)
{
	uint64_t before = counters->fd_overflow;

	(void)state;
	assert_int_equal(loop_add(FD_SETSIZE, on_ready, pipes), -1);
	assert_int_equal(counters->fd_overflow, before + 1);
	assert_int_equal(loop_add(-1, on_ready, pipes), -1);
}

static void
a_child_has_the_default_actions(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		loop_child();
		raise(SIGTERM);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    signals_are_taken_while_a_descriptor_is_ready, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(
		    signals_are_taken_while_none_is, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(
		    no_input_is_handled_after_a_signal_stopped, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(
		    no_input_is_handled_after_a_reader_stopped, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(
		    timers_run_while_a_descriptor_is_ready, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(writable_descriptors, ready_pipes, no_pipes),
		cmocka_unit_test_setup_teardown(
		    a_descriptor_forgotten_in_a_turn_is_not_served_in_it, ready_pipes, no_pipes),
		cmocka_unit_test(a_descriptor_too_high_is_counted),
		cmocka_unit_test_setup_teardown(
		    a_child_has_the_default_actions, ready_pipes, no_pipes),
	};

	log_set_level(-1);
	timer_init(&timer, on_timer, 0);
	loop_on_signal(SIGTERM, on_end);
	loop_at_turn_end(on_turn_end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
