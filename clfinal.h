/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other members have counted of a session that has ended, for its Stop and its line in a usage
 * file. Of the group of cluster.c.
 */
#ifndef CLFINAL_H
#define CLFINAL_H

#include "clsum.h"
#include "l2tpns.h"

/* Start-up only. */
void clfinal_init(void);

/*
 * A session ends: the other members are asked for what they have counted, and what they say
 * goes into its Stop, the last record with this key. How many ms that is to wait for it.
 */
uint32_t clfinal_begin(sess_id id, uint64_t key);

/* Whether members are being asked about the session with this number. */
bool clfinal_has(uint32_t unique);

/* A member, by its place in clcount.c, has said so itself; or somebody else says it of it. */
void clfinal_heard(unsigned int member, uint32_t unique, struct clsum n);
void clfinal_heard_of(unsigned int member, uint32_t unique, struct clsum n);

/* Every few ms: who has not answered is asked again. */
void clfinal_step(void);

/* In front of the changes that tell of the end: sends what was asked. */
void clfinal_flush(void);

#endif
