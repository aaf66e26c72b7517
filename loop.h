/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one select() loop: descriptors, signals, timers and the end of each turn.
 * Nothing called from here may block; the counter loop_longest_us tells.
 */
#ifndef LOOP_H
#define LOOP_H

#include "l2tpns.h"

#include <time.h>

typedef void (*loop_fn)(int fd, void *arg);
typedef void (*loop_turn_fn)(void);
typedef void (*loop_signal_fn)(int signo);

/*
 * Calls `fn(fd, arg)` whenever fd is readable. -1 when the descriptor does not fit
 * into select(); it is then counted and the caller closes it.
 */
int loop_add(int fd, loop_fn fn, void *arg);

/* Asks for (or gives up) a call when fd is writable. */
void loop_want_write(int fd, loop_fn fn);

/* Forgets fd; the caller closes it. */
void loop_del(int fd);

/* Calls `fn` when a turn begins, ahead of all input, with the clock read: after a long stop one may
 * have to think again. */
void loop_at_turn_begin(loop_turn_fn fn);

/* Calls `fn` at the end of each turn, in the order of registration: flushing output. */
void loop_at_turn_end(loop_turn_fn fn);

/* Calls `fn(signo)` from the loop, never from the handler. Blocks the signal outside select(). */
void loop_on_signal(int signo, loop_signal_fn fn);

/* In a forked child: no more signals taken here, default actions again. */
void loop_child(void);

/* Monotonic milliseconds, the same in tenths of a second, and wall clock seconds; all as of the
 * start of this turn. */
uint64_t loop_now_ms(void);
uint32_t loop_now_ds(void);
time_t loop_time(void);

/* Seconds since a loop_now_ds(); 0 when that lies ahead: a CLI child's clock is its command's
 * start. */
static inline uint32_t
loop_seconds_since(uint32_t then_ds)
{
	int32_t gone = (int32_t)(loop_now_ds() - then_ds);

	return gone > 0 ? (uint32_t)gone / 10 : 0;
}

/* Milliseconds that the turn before this one worked: so much later than it might have been is what
 * came meanwhile seen. */
uint32_t loop_busy_ms(void);

/* Reads the clocks again: for use before the loop runs, and in a child. */
void loop_clock(void);

/* Runs until loop_stop(), after which no signal, descriptor or timer is served. */
void loop_run(void);
void loop_stop(void);

#endif
