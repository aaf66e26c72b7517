/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map from a 64-bit key to a 32-bit value that is not 0: open addressing with linear
 * probing. It grows by doubling, up to a limit of entries; the cost of an access does
 * not depend on how many there are.
 */
#ifndef HASH_H
#define HASH_H

#include "l2tpns.h"

struct hash_cell {
	uint64_t key;
	uint32_t value; /* 0: empty */
	uint32_t moved; /* in `old`: no longer here, but not empty for who looks further */
};

struct hash {
	struct hash_cell *cells;
	uint64_t seed; /* so that peers cannot choose colliding keys */
	uint32_t mask;
	struct hash_cell *old;	   /* before it doubled: what has not moved yet; NULL: all has */
	uint32_t old_mask, moving; /* the next cell of it to move */
	uint32_t used;
	uint32_t limit; /* entries it may hold */
};

/* A private map for up to `limit` entries. Start-up only. */
void hash_init(struct hash *h, const char *what, uint32_t limit);

/* The value of `key`, 0 when there is none. */
uint32_t hash_get(const struct hash *h, uint64_t key);

/* Sets or replaces; -1 when the map is full. */
int hash_put(struct hash *h, uint64_t key, uint32_t value);

/* Removes; returns the value that was there or 0. */
uint32_t hash_del(struct hash *h, uint64_t key);

/* Removes all. */
void hash_clear(struct hash *h);

/* A 64-bit key for a text, seeded per process so that peers cannot choose collisions (they may
 * still happen: the caller compares). */
uint64_t hash_text(const char *text);

/* Brings the cell of `key` into the cache, ahead of hash_get(). */
void hash_prefetch(const struct hash *h, uint64_t key);

#endif
