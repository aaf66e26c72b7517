/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A planned stop: cluster_leave(), and what the rest of the group has to know of it. */
#ifndef CLLEAVE_H
#define CLLEAVE_H

#include "election.h"

/* Start-up only. */
void clleave_init(const struct election *el);

/* We are on our way out: there are no elections and no heartbeats any more. */
bool clleave_begun(void);

/* Another member says that it is master. */
void clleave_heard_master(void);

/* The last word, whatever was said before. */
void clleave_end(void);

#endif
