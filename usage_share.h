/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What usage files have told, and what ended sessions have still to tell, as the members of a
 * cluster tell each other. Of the group of usage.c.
 */
#ifndef USAGE_SHARE_H
#define USAGE_SHARE_H

#include "repl.h"
#include "usage_ended.h"

/* ---- for clshare.c ---- */

/* Who tells the other members. */
struct usage_watch {
	bool (*leads)(void); /* we are the master, and others are there */
	uint64_t (*origin)(void);
	void (*report)(const struct repl_usage *r);
	void (*run)(const struct repl_usage_run *r);
	void (*end)(const struct repl_usage_end *r);
	void (*flush)(void); /* what was told leaves now */
};
void usage_subscribe(const struct usage_watch *watch);

/* What the master tells us; or, on a master, what one offers who was one too. */
void usage_install(const struct repl_usage *r);
void usage_install_run(const struct repl_usage_run *r, uint64_t from);
bool usage_install_end(const struct repl_usage_end *r);

/* All there is to tell of; *pos begins at 0. 1: a record; 0: nothing in this place; -1: the end. */
struct usage_told {
	enum repl_kind kind;
	union {
		struct repl_usage report;
		struct repl_usage_run run;
		struct repl_usage_end end;
	};
};
int usage_export(uint32_t *pos, struct usage_told *to);

/* ---- for usage.c ---- */

/* Whether there is anybody to tell; and who has made what we number. */
bool usage_share_leads(void);
uint64_t usage_share_origin(void);

/* A session has ended, or what it has still to tell is another sum now. */
void usage_share_end(const struct usage_ended *e);

/*
 * The reports of the last run, and which of those that have ended it tells: the first so many. A
 * batch at a time; true when all is told.
 */
void usage_share_begin(unsigned int ended);
bool usage_share_batch(void);

/* It is in force for all members from here on, at once; or it was before they were told. */
void usage_share_in_force(void);
void usage_share_decide(void);

/* It is not, for it has failed after that: the one before is. */
void usage_share_take_back(void);

/* Tells which run is in force; `over`: those that have ended and it tells may be dropped. */
void usage_share_run(bool over);

/* Those that have ended and the run tells are over; or there is no such run. */
void usage_share_over(void);
void usage_share_forget(void);

/* The role; and whether, as a master, the one before has told us of the files. */
void usage_share_role(bool master);
bool usage_share_keeps_books(void);

#endif
