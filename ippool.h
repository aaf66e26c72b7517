/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address pool of the ip_pool file: networks, some with a name (Framed-Pool).
 * Memory is used for addresses that were given out only, so a /8 costs nothing. A
 * user gets the address he had before when it is free, else the least recently
 * used one; addresses never used come first.
 */
#ifndef IPPOOL_H
#define IPPOOL_H

#include "l2tpns.h"

enum { IPPOOL_NETS = 65536, IPPOOL_RESERVED = 64 }; /* networks, own addresses at most */

/*
 * Room for `entries` addresses in use or remembered: more than there can be sessions.
 * In shared memory: `show pool` walks it. Start-up only.
 */
void ippool_init(uint32_t entries);

/*
 * Reads the file: a network or address a line, "A.B.C.D:" in front for one member
 * only, "pool NAME NETWORK", comments with # or !. Errors go to `error` as
 * "FILE:LINE: message"; returns their number, -1 when it cannot be read. The good
 * lines serve after ippool_commit() and not before; addresses in use stay in use. A
 * file that does not exist changes nothing.
 */
int ippool_stage(const char *file, const uint32_t *our_addrs, unsigned int n_addrs,
    void (*error)(const char *line));

/*
 * Our own addresses, network order, which are as if they were not in the file: also
 * after ippool_commit(). What was staged is forgotten.
 */
void ippool_reserve(const uint32_t *addrs, unsigned int n);

/* What was staged or reserved comes into force. False: nothing changed. */
bool ippool_commit(void);

/* An address for a session, network order; 0 when the pool ("" or NULL: the unnamed ones) is empty.
 */
uint32_t ippool_take(const char *pool, const char *user, sess_id s);

/*
 * Marks a given address as used by the session when it lies in the pool. 0: fine
 * (or not in the pool at all); -1: another session has it.
 */
int ippool_claim(uint32_t addr, const char *user, sess_id s);

/* The session has done with the address. Nothing happens when it is not the pool's or not his. */
void ippool_give(uint32_t addr, sess_id s);

/*
 * A free address is remembered for a user, who gave it back at `freed` (0.1 s of the loop clock).
 * Nothing happens when it is in use or not the pool's.
 */
void ippool_remember(uint32_t addr, const char *user, uint32_t freed);

/* True when the address lies in one of the pool's networks (and may be handed out). */
bool ippool_has(uint32_t addr);

/* The same for the networks of one pool. */
bool ippool_pool_has(const char *pool, uint32_t addr);

/* Whether the file in force has a pool of that name. */
bool ippool_pool_exists(const char *pool);

/*
 * After ippool_commit(): sessions whose address has left the file; *pos starts at 0. 0 at
 * the end.
 */
sess_id ippool_orphan(uint32_t *pos);

/* A number that is the same where the same networks are in force, whatever their order. */
uint64_t ippool_sum(void);

/* Addresses free and used. */
void ippool_counts(uint64_t *free_count, uint64_t *used_count);

/* The networks, for routes; false behind the last. */
struct ippool_net {
	uint32_t addr; /* network order */
	uint8_t len;
	char name[32]; /* "": the unnamed pool */
};
bool ippool_net(unsigned int i, struct ippool_net *net);

/*
 * One address in use or remembered after the other, in no order, for `show pool`;
 * *pos starts at 0. False at the end. May be called by a child.
 */
struct ippool_row {
	uint32_t addr;	     /* network order */
	sess_id s;	     /* 0: free */
	uint32_t freed;	     /* 0.1 s of the loop clock when it became free */
	char user[USER_LEN]; /* who has or had it; the first 63 characters */
};
bool ippool_row(uint32_t *pos, struct ippool_row *row);

/*
 * The lowest address above `addr` that the pool may give; 0 at the end. For `show
 * pool all`, which lays the rows beside it.
 */
uint32_t ippool_next(uint32_t addr);

#endif
