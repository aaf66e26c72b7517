/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Full synchronisation: all there is, from the master to one slave; and what a master that
 * steps down offers to the one that stays. Of the group of cluster.c.
 */
#ifndef CLSYNC_H
#define CLSYNC_H

#include "l2tpns.h"

void clsync_init(uint32_t max_tunnels, uint32_t max_sessions);

/* Slave: asks the master for all it has, again until it comes; cluster_synced() tells the end. */
void clsync_ask(void);

/* The same when a record of the stream did not fit: not while one is under way, whose stream may be
 * ahead of it. */
void clsync_repair(void);

/* One is under way: what the stream says of how far all is known does not count here yet. */
bool clsync_under_way(void);

/* First offers what the new master may lack, whose mastership began with version `base`; then asks
 * for all, if `ask`. */
void clsync_offer(uint64_t base, bool ask);

/* Slave, from time to time: offers what an earlier process of ours has left, unless this master has
 * it all. */
void clsync_offer_left(void);

/* The role or the master has changed: what is under way is given up. */
void clsync_stop(void);

/* Slave, for each record that was told: it is not to be removed at the end of the synchronisation
 * under way. False: it is the first of its object in it, and wins over whatever is there. */
bool clsync_met(uint8_t kind, uint32_t id);

#endif
