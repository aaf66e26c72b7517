/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outside programs (iptables, build-garden), one after the other in the order asked
 * for. No shell comes in between, and the loop does not wait.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "l2tpns.h"

#include <sys/types.h>

enum { COMMAND_QUEUE = 64 };

/* The end: exit status (127: could not be run), or minus the signal that ended it. */
typedef void (*command_fn)(void *arg, int status);

/* Start-up. */
void command_init(void);

/*
 * Puts a program in the queue: argv[0] is looked for in PATH, `len` octets at `input`
 * are its standard input (0: nothing to read), what it prints goes to the log. `done`
 * may be NULL; it is called from the loop. What is given is copied. -1: the queue is
 * full, or argv has no room in it.
 */
int command_run(char *const argv[], const void *input, size_t len, command_fn done, void *arg);

/* From SIGCHLD, with waitpid()'s status. False: it was none of these. */
bool command_exit(pid_t pid, int status);

/* The daemon's end: what is queued is still run, for less than a second, then killed. */
void command_fini(void);

#endif
