/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other members of the cluster. Of the group of cluster.c, which has the public half of this.
 */
#ifndef CLPEERS_H
#define CLPEERS_H

#include "election.h"

/* Start-up only. */
void clpeers_init(struct election *el);

/* Whether one of them holds state. */
bool clpeers_hold_state(void);

/* Numbers that we give from here on are above all that any of them has. */
void clpeers_count_above(void);

/* That one is gone: it has to prove itself again. */
void clpeers_forget(uint64_t incarnation);

/* There is one less: nobody may be left to tell of changes. */
void clpeers_fewer(void);

/* Ten times a second: who has become silent. */
void clpeers_look(void);

#endif
