/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What usage files are made of, octets both ways, and how it is reckoned with. Of the group of
 * usage.c.
 */
#ifndef USAGE_SUM_H
#define USAGE_SUM_H

#include "util.h"

struct usage {
	uint64_t up, down; /* octets of inner IP from and to the subscriber */
};

/* Not below 0: a child may tell a packet more, of who comes into the garden meanwhile. */
static inline uint64_t
usage_above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline struct usage
usage_minus(struct usage a, struct usage b)
{
	return (struct usage){ usage_above(a.up, b.up), usage_above(a.down, b.down) };
}

static inline struct usage
usage_higher(struct usage a, struct usage b)
{
	return (struct usage){ MAX(a.up, b.up), MAX(a.down, b.down) };
}

static inline void
usage_add(struct usage *sum, struct usage n)
{
	sum->up += n.up;
	sum->down += n.down;
}

#endif
