/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that wait for a network which another one has: who waits longest gets it when
 * that one leaves.
 */
#ifndef HEIR_H
#define HEIR_H

#include "l2tpns.h"

/* Room for `n` that wait. Start-up only. */
void heir_init(uint32_t n);

/* The session waits for addr/len from now on. -1: there is no room. */
int heir_add(uint32_t addr, unsigned int len, sess_id s);

/* It waits no more, if it did. */
void heir_del(uint32_t addr, unsigned int len, sess_id s);

/* The session that has waited longest, and waits no more; 0: none. */
sess_id heir_take(uint32_t addr, unsigned int len);

#endif
