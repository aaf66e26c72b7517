/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has changed, for the cluster: each place of the session and tunnel tables, also a
 * free one, has the version of its last change, a number from one counter of the master;
 * places that have changed stand in a queue until the stream has told the others.
 *
 * And whose state a session or tunnel is: one that was installed from a record is passive
 * until the engines have adopted it (repl_state.h).
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "l2tpns.h"

enum change_kind { CHANGE_TUNNEL, CHANGE_SESSION, CHANGE_KINDS };

/* Start-up only, before session_init() and tunnel_init(). */
void change_init(uint32_t max_tunnels, uint32_t max_sessions);

/*
 * From the setters of session.c, tunnel.c: the object has changed, begins or has gone. Gives it a
 * new version and, while there are subscribers, a place in the queue. Nothing on a slave.
 */
void change_mark(enum change_kind kind, uint32_t id);

/* For the stream: whether changes are queued (there are peers). Off forgets what is queued. */
void change_subscribe(bool on);

/* How many are. */
uint64_t change_queued(void);

/*
 * Master: takes the next object out of the queue, tunnels first, and gives it a new version, so
 * that versions rise in the order in which they are told; false: the queue is empty. One that is
 * there no more (session_get() is NULL) is to be told as a tombstone, with change_version(): that
 * is 0 for one that never was, be it beyond the table.
 */
bool change_next(enum change_kind *kind, uint32_t *id);

/* The version of a place's last change; 0: never used. */
uint64_t change_version(enum change_kind kind, uint32_t id);

/* The highest version given or seen: the table version. */
uint64_t change_table_version(void);

/* A version was seen elsewhere: a new master goes on counting from there. */
void change_seen_version(uint64_t version);

/* For install and remove: the place holds what had this version at the master. */
void change_set_version(enum change_kind kind, uint32_t id, uint64_t version);

/*
 * Whether the engines have their own state of it, in this mastership, and that they have, or not;
 * whether they have any, perhaps of an earlier one that they have not given up yet.
 */
bool change_is_active(enum change_kind kind, uint32_t id);
void change_set_active(enum change_kind kind, uint32_t id, bool on);
bool change_was_active(enum change_kind kind, uint32_t id);

/* The member becomes master: nothing is active any more. */
void change_new_mastership(void);

#endif
