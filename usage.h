/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `accounting_dir`: every five minutes a file that tells what each session has moved since
 * the last one. Every octet stands in one file, whatever fails; see usage.c.
 */
#ifndef USAGE_H
#define USAGE_H

#include "hook.h"

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

/* On a master, from time to time: tells the cluster again which run is in force. */
void usage_tell_run(void);

/* For usage_share.c: the run whose reports are in force when the file has its name; 0: none. */
uint32_t usage_run_told(void);

/* For usage_share.c: the file at work gets no name, for it may tell what another one told. */
void usage_give_run_up(void);

#endif
