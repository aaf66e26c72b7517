/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `show cluster` shows: cluster_snapshot() of cluster.h reads it. */
#ifndef CLSTATUS_H
#define CLSTATUS_H

#include "election.h"

/* Start-up only: from here on CLI children see it. */
void clstatus_init(void);

/* How things are now; `heartbeats` that we have sent. */
void clstatus_publish(const struct election *el, bool up_to_date, uint64_t heartbeats);

#endif
