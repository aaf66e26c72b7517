/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on operators' connections, each with a level of its own. Each connection
 * has a place with a ring of lines in shared memory: the parent writes and never waits,
 * the child reads.
 */
#ifndef CLI_DEBUG_H
#define CLI_DEBUG_H

#include "cli_child.h"
#include "log.h"

enum { DEBUG_START = LOG_CRITICAL }; /* a connection's level until it says another */

/* In the parent: rings for so many places. Start-up only. */
void cli_debug_init(unsigned int places);

/* In the parent: the lines at or below `level` go to the place's ring from now on; -1: none. */
void cli_debug_set(unsigned int place, int level);

/* In the parent: a level by number, name or "all"; -2 when it is none, -1 for "off". */
int cli_debug_level(const char *text);

/* In the child: what is written from now on is this connection's. */
void cli_debug_attach(unsigned int place);

/* In the child: prints what has come, as much of it as fits between two keys. */
void cli_debug_drain(struct cli_def *cli);

/* `debug`, `no debug`. */
const struct command *cli_debug_table(void);

#endif
