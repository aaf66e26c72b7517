/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process may do, at start: the capabilities it needs, memory that stays in
 * core, real-time scheduling, and the change to the user of `setuid`.
 */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include "l2tpns.h"

/* The first of the capabilities we need that we have not; NULL when all are there. */
const char *privilege_missing(void);

/* `lock_pages` and `scheduler_fifo`: before privilege_drop(), after which they are refused. */
void privilege_raise(void);

/*
 * `setuid`: gives the files we go on writing to that user, becomes him and says what he
 * cannot do. Ends the process when it cannot become him. The three capabilities stay, and
 * pass to the programs we run. Nothing when `setuid` is 0.
 */
void privilege_drop(const char *config_file);

#endif
