/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this member of the cluster is the master, and where the master is, for those who must
 * know it at each step: the data path and all surfaces. A process begins as master; cluster.c,
 * the only one to change it, says otherwise.
 */
#ifndef ROLE_H
#define ROLE_H

#include "l2tpns.h"

/* Start-up only: from here on CLI children see it. */
void role_init(void);

/* Whether this member decides. False on a slave, and while none is elected. */
bool role_is_master(void);

/* The master's address on the cluster's link, network order; 0: none is known, or it is us. */
uint32_t role_master_address(void);

/* The role changes, or the master's address: ahead of all else that a change of role does. */
void role_set(bool master, uint32_t master_address);

/*
 * Other members have fallen silent, and may live: who is not heard here may be well with them, so
 * nobody is to be ended for his silence. Not for ever: they may be dead.
 */
bool role_is_split(void);
void role_set_split(bool split);

/* What a slave answers to who wants something changed: "not master, the master is 10.0.0.2". */
void role_refusal(char *text, size_t size);

#endif
