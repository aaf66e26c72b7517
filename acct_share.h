/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records as other members of the cluster hear of them, one or all that wait. Of the
 * group of acct_queue.c.
 */
#ifndef ACCT_SHARE_H
#define ACCT_SHARE_H

#include "acct_spill.h"
#include "repl.h"

/* One that acct_queue.c tells of (struct acct_watch); and the other way round. */
void acct_export_one(const struct acct_rec *rec, struct repl_acct *r);
void acct_import(const struct repl_acct *r, struct acct_rec *rec);

/*
 * Each that waits, in memory or in the file; *pos begins at 0. 1: a record; 0: nothing in this
 * place; -1: the end.
 */
int acct_export(uint32_t *pos, struct repl_acct *r);

/* The same for what an earlier process has left in the file. */
int acct_export_left(uint32_t *pos, struct repl_acct *r);

#endif
