/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of ids 1..limit that gives out the lowest free one, in constant time: a
 * tree of 64-bit words. Low ids keep tables dense, so that after a rush the upper
 * pages can go back to the system.
 */
#ifndef IDSET_H
#define IDSET_H

#include "l2tpns.h"

enum { IDSET_LEVELS = 4 };

struct idset {
	uint64_t *full[IDSET_LEVELS]; /* bit set: id in use, or the whole word below is */
	uint64_t *any[IDSET_LEVELS];  /* bit set: some id below is in use; level 0 is full[0] */
	uint32_t limit;
	uint32_t used;
};

void idset_init(struct idset *set, const char *what, uint32_t limit);

/* The lowest free id, now taken; 0 when all are in use. */
uint32_t idset_take(struct idset *set);

/* The id that idset_take() would give; 0 when all are in use. */
uint32_t idset_lowest(const struct idset *set);

/* Takes this id. False: it is in use, or there is none such. */
bool idset_claim(struct idset *set, uint32_t id);

/* Gives back an id that was taken. */
void idset_give(struct idset *set, uint32_t id);

/* The highest id in use, 0 when none is. */
uint32_t idset_highest(const struct idset *set);

#endif
