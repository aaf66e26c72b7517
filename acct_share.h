/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records as other members of the cluster hear of them, one or all that wait. Of the
 * group of acct_queue.c.
 */
#ifndef ACCT_SHARE_H
#define ACCT_SHARE_H

#include "acct_spill.h"
#include "repl.h"

/* One that is told of (struct acct_watch). */
void acct_export_one(const struct acct_rec *rec, struct repl_acct *r);

/*
 * On a slave: a record waits at the master, or (`done`) has arrived; on a master: one that steps
 * down, or joins, has it still to send. 1: so it is; 0: no news; -1: no room (counted).
 */
int acct_install(const struct repl_acct *r);

/*
 * Each that waits, in memory or in the file; *pos begins at 0. 1: a record; 0: nothing in this
 * place; -1: the end.
 */
int acct_export(uint32_t *pos, struct repl_acct *r);

/* The same for what an earlier process has left in the file. */
int acct_export_left(uint32_t *pos, struct repl_acct *r);

#endif
