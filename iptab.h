/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an IPv4 address to the session behind it: exact addresses and prefixes,
 * longest match. The cost does not depend on how many there are.
 */
#ifndef IPTAB_H
#define IPTAB_H

#include "l2tpns.h"

/* Room for `routes` entries in all. */
void iptab_init(uint32_t routes);

/* Adds addr/len (network order, host bits zero). -1: taken by another session, or full. */
int iptab_add(uint32_t addr, unsigned int len, sess_id s);

/* Removes it when it is the session's. */
void iptab_del(uint32_t addr, unsigned int len, sess_id s);

/* The session an address belongs to; 0: none. */
sess_id iptab_lookup(uint32_t addr);

/* The session that has exactly this entry; 0: none. */
sess_id iptab_exact(uint32_t addr, unsigned int len);

void iptab_prefetch(uint32_t addr);

/* Entries of all lengths. */
uint32_t iptab_count(void);

#endif
