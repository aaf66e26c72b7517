/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sessions had still to tell when they ended, until it stands in a usage file. Of the group
 * of usage.c.
 */
#ifndef USAGE_ENDED_H
#define USAGE_ENDED_H

#include "repl.h"
#include "usage_file.h"

struct usage_ended {
	char user[USER_LEN];
	uint32_t ip4, unique;
	uint64_t origin; /* who has made and numbered it, the same on all members; 0: we alone */
	uint32_t number;
	uint32_t run; /* the file that was being written then; 0: none */
	bool throttled;
	bool final;		      /* nothing that comes later counts */
	char place;		      /* where it came from: L, R or P */
	uint64_t ms;		      /* loop clock at its end */
	struct usage failed, written; /* what is left to tell, by how that run has ended */
};

/* Start-up: room for so many. */
void usage_ended_init(unsigned int most);

/* A place behind the others, all zero, of that session and origin; NULL: there is none. */
struct usage_ended *usage_ended_add(uint64_t origin, uint32_t unique);

/* That of a session; NULL: there is none, or another session has its place in the index. */
struct usage_ended *usage_ended_of(uint64_t origin, uint32_t unique);

unsigned int usage_ended_count(void);
bool usage_ended_is_half_full(void);

/* The i-th, from 0. */
struct usage_ended *usage_ended_get(unsigned int i);

/* The first n go. */
void usage_ended_drop(unsigned int n);

/* How many have been dropped since the start: for who walks while some are. */
uint32_t usage_ended_dropped(void);

/*
 * Those of an origin up to a number are in a file: they are over, also when they come again. 0:
 * none.
 */
void usage_ended_told(uint64_t origin, uint32_t number);
bool usage_ended_is_told(uint64_t origin, uint32_t number);
bool usage_ended_is_over(const struct usage_ended *e);

/* Some of those that are over and the first go. */
void usage_ended_clean(void);

/* A record of the cluster, and the other way round. */
void usage_ended_export(const struct usage_ended *e, struct repl_usage_end *r);
void usage_ended_import(const struct repl_usage_end *r, struct usage_ended *e);

#endif
