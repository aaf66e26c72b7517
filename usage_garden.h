/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session has moved outside of the garden: that is what usage files tell. Of the group of
 * usage.c.
 */
#ifndef USAGE_GARDEN_H
#define USAGE_GARDEN_H

#include "repl.h"
#include "usage_sum.h"

/* Start-up. */
void usage_garden_init(void);

/* A session is up or has changed: it may have come into the garden, or have left it. */
void usage_garden_look(sess_id id);

/* It has gone. */
void usage_garden_forget(sess_id id);

/* What a session has moved outside, until now. Also for children, while the parent writes. */
struct usage usage_garden_outside(sess_id id, uint32_t unique);

/* As members of hook_member: what other members of the cluster know of it. */
void usage_garden_export(sess_id id, struct repl_session *r);
void usage_garden_install(sess_id id, const struct repl_session *r);

#endif
