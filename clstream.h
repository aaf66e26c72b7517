/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream of changes: what the master multicasts before the reply that depends on it, and
 * what a slave makes of it. Of the group of cluster.c.
 */
#ifndef CLSTREAM_H
#define CLSTREAM_H

#include "wire.h"

void clstream_init(void);

/* The last CHANGE: that we sent; or, as a slave, up to which we have all. */
uint64_t clstream_seq(void);

/* The table version when our mastership began; what is above it may be unknown to others. */
uint64_t clstream_base(void);

/* --- master --- */

/* We are master now: a new stream begins. */
void clstream_lead(void);

/* There is nobody to tell of changes from here on: who comes back and has all up to now misses one.
 */
void clstream_break(void);

/* Adds a record to the message in hand, or, when that is full, to the next one. */
typedef bool (*clstream_put_fn)(struct wr *w, const void *what);
void clstream_add(clstream_put_fn put, const void *what);

/* Multicasts what has changed: at the end of a turn, and in front of packets that leave earlier. */
void clstream_flush(void);

/* --- slave --- */

/* Another master: its next CHANGE will be the one behind `seq`. */
void clstream_follow(uint64_t seq);

/* Its heartbeat: so many were sent. */
void clstream_heard(uint64_t seq);

/* Nothing of what was heard of is missing. */
bool clstream_complete(void);

#endif
