/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `accounting_dir`: every five minutes a file that tells what each session has moved since
 * the last one. Every octet stands in one file, whatever fails; see usage.c.
 */
#ifndef USAGE_H
#define USAGE_H

#include "hook.h"
#include "repl.h"

#include <sys/types.h>

/* Start-up, behind session_init(). */
void usage_init(void);

/*
 * Hook: remembers what a session had moved that ends, and what it has moved in the garden. In
 * front of who takes its address.
 */
void usage_session(sess_id id, enum sess_event ev);

/* Hook member. */
extern const struct hook_member usage_member;

/* From SIGCHLD, with waitpid()'s status. False: it was not ours. */
bool usage_child_exit(pid_t pid, int status);

/* Of a session that has ended: so much more was counted by other members of the cluster. */
void usage_amend(uint32_t unique, uint64_t up, uint64_t down);

/* Hook: the role. */
void usage_role(bool master);

/* The daemon's end: the last file. Waits for it less than half a second; it is finished anyway. */
void usage_fini(void);

/* ---- the cluster ---- */

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

/* On a master, from time to time: tells again which run is in force. */
void usage_tell_run(void);

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

#endif
