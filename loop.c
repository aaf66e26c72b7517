/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * select() dispatch, as SPEC 1 wants it: an array of callbacks by descriptor, two
 * fd_sets that are copied a turn, signals taken once a turn. A turn is: wait, clock,
 * who must hear of it first, signals, readable and writable descriptors, timers, turn-end list.
 * After loop_stop() nothing but the turn-end list is called.
 */
#include "loop.h"
#include "counter.h"
#include "log.h"
#include "timer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>

enum { MAX_TURN_END = 16, MAX_WAIT_MS = 1000, MAX_SIGNAL = 64 };

static struct {
	loop_fn on_read;
	loop_fn on_write;
	void *arg;
} slots[FD_SETSIZE];

static fd_set read_set, write_set;
static int highest_fd = -1;
static loop_turn_fn turn_end[MAX_TURN_END];
static unsigned int n_turn_end;
static loop_turn_fn turn_begin;
static loop_signal_fn signal_fn[MAX_SIGNAL];
static volatile sig_atomic_t signal_seen[MAX_SIGNAL];
static sigset_t blocked, outside; /* signals we take; mask while in pselect() */
static bool stopping, mask_ready;
static uint64_t now_ms, busy_us;
static time_t now_wall;

int
loop_add(int fd, loop_fn fn, void *arg)
{
	if (fd < 0 || fd >= FD_SETSIZE) {
		COUNT(fd_overflow);
		plog_limit(LOG_ERROR, "descriptor %d does not fit into select()", fd);
		return -1;
	}
	slots[fd].on_read = fn;
	slots[fd].on_write = NULL;
	slots[fd].arg = arg;
	FD_SET(fd, &read_set);
	highest_fd = MAX(highest_fd, fd);
	return 0;
}

void
loop_want_write(int fd, loop_fn fn)
{
	slots[fd].on_write = fn;
	if (fn)
		FD_SET(fd, &write_set);
	else
		FD_CLR(fd, &write_set);
}

void
loop_del(int fd)
{
	slots[fd].on_read = NULL;
	slots[fd].on_write = NULL;
	FD_CLR(fd, &read_set);
	FD_CLR(fd, &write_set);
	while (highest_fd >= 0 && !slots[highest_fd].on_read)
		highest_fd--;
}

void
loop_at_turn_begin(loop_turn_fn fn)
{
	turn_begin = fn;
}

void
loop_at_turn_end(loop_turn_fn fn)
{
	if (n_turn_end == MAX_TURN_END)
		fatal("too many turn-end functions");
	turn_end[n_turn_end++] = fn;
}

static void
on_signal(int signo)
{
	signal_seen[signo] = 1;
}

void
loop_on_signal(int signo, loop_signal_fn fn)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (!mask_ready) {
		sigemptyset(&blocked);
		sigprocmask(SIG_BLOCK, NULL, &outside);
		mask_ready = true;
	}
	signal_fn[signo] = fn;
	sigaddset(&blocked, signo);
	sigdelset(&outside, signo);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(signo, &sa, NULL);
}

void
loop_child(void)
{
	int signo;

	for (signo = 1; signo < MAX_SIGNAL; signo++)
		if (signal_fn[signo])
			signal(signo, SIG_DFL);
	if (mask_ready)
		sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
loop_clock(void)
{
	now_ms = clock_us() / 1000;
	now_wall = time(NULL);
}

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

uint32_t
loop_now_ds(void)
{
	return (uint32_t)(now_ms / 100);
}

uint32_t
loop_busy_ms(void)
{
	return (uint32_t)(busy_us / 1000);
}

time_t
loop_time(void)
{
	return now_wall;
}

/* pselect() lets no signal in while a descriptor is ready: those are asked for. */
static void
take_pending_signals(void)
{
	static const struct timespec at_once;
	int signo, i;

	for (i = 0; i < MAX_SIGNAL; i++) {
		signo = sigtimedwait(&blocked, NULL, &at_once);
		if (signo < 0)
			return;
		signal_seen[signo] = 1;
	}
}

static void
run_signals(void)
{
	int signo;

	for (signo = 1; signo < MAX_SIGNAL; signo++) {
		if (!signal_seen[signo])
			continue;
		signal_seen[signo] = 0;
		signal_fn[signo](signo);
	}
}

static void
run_fds(const fd_set *r, const fd_set *w, int n)
{
	int fd;

	for (fd = 0; n > 0 && fd <= highest_fd && !stopping; fd++) {
		if (FD_ISSET(fd, r)) {
			n--;
			if (slots[fd].on_read)
				slots[fd].on_read(fd, slots[fd].arg);
		}
		if (FD_ISSET(fd, w)) {
			n--;
			if (slots[fd].on_write && !stopping)
				slots[fd].on_write(fd, slots[fd].arg);
		}
	}
}

static int
wait_for_input(fd_set *r, fd_set *w)
{
	uint64_t wait_ms = timer_next(now_ms, MAX_WAIT_MS);
	struct timespec ts = {
		.tv_sec = (time_t)(wait_ms / 1000),
		.tv_nsec = (long)(wait_ms % 1000) * 1000000,
	};
	int n;

	*r = read_set;
	*w = write_set;
	n = pselect(highest_fd + 1, r, w, NULL, &ts, mask_ready ? &outside : NULL);
	if (n < 0 && errno != EINTR)
		plog_limit(LOG_ERROR, "select: %s", strerror(errno));
	COUNT(select_called);
	return n;
}

void
loop_run(void)
{
	fd_set r, w;
	unsigned int i;
	uint64_t began;
	int n;

	stopping = false;
	while (!stopping) {
		n = wait_for_input(&r, &w);
		began = clock_us();
		now_ms = began / 1000;
		now_wall = time(NULL);
		timer_clock(now_ms);
		if (turn_begin)
			turn_begin();
		if (n > 0 && mask_ready)
			take_pending_signals();
		run_signals();
		run_fds(&r, &w, n);
		if (!stopping)
			timer_run(now_ms);
		for (i = 0; i < n_turn_end; i++)
			turn_end[i]();
		busy_us = clock_us() - began;
		counters->loop_longest_us = MAX(counters->loop_longest_us, busy_us);
	}
}

void
loop_stop(void)
{
	stopping = true;
}
