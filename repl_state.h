/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions and tunnels between the tables and the cluster's records (repl.h): a record is made
 * of what there is, or installed under the same id. An installed session forwards, has its
 * addresses and routes, and stands in all indices, but no engine runs for it: it is passive.
 * When the member becomes master the engines adopt it, and give it up when it steps down;
 * both in batches, and on demand for one that something happens to before its turn.
 *
 * Installing is idempotent: what is not newer than the place is ignored, so records may come
 * in any order and twice.
 */
#ifndef REPL_STATE_H
#define REPL_STATE_H

#include "l2tpns.h"
#include "repl.h"

/* Start-up, behind hook_init(). */
void repl_state_init(void);

/* --- on the master: records of what is there. False: there is no such object (a tombstone). --- */

bool session_export(sess_id id, struct repl_session *r);
bool tunnel_export(tunn_id id, struct repl_tunnel *r);

/*
 * The tunnel's queued messages, behind its own record. From *ns on, which moves behind what is
 * told: begin with repl_tunnel.acked. The other: those that it has not given yet, for the stream;
 * a new message marks the tunnel as changed.
 */
bool chan_export(tunn_id t, uint16_t *ns, struct repl_chan *r);
bool chan_export_new(tunn_id t, struct repl_chan *r);

/* --- on a slave: records into the tables --- */

enum install {
	INSTALL_EARLY = -2,   /* the tunnel that it is in is not here (yet) */
	INSTALL_REFUSED = -1, /* cannot be: id out of range, no place; counted */
	INSTALL_OLD = 0,      /* not newer than what is there */
	INSTALL_DONE = 1,
};

enum install session_install(const struct repl_session *r);
enum install tunnel_install(const struct repl_tunnel *r);
enum install chan_install(const struct repl_chan *r);

/* Tombstones; a tunnel takes its sessions along. Also for an id that a full synchronisation has
 * passed without, with the version of that time. */
enum install session_remove(sess_id id, uint64_t version);
enum install tunnel_remove(tunn_id id, uint64_t version);

/* --- the role. role_set() comes first. --- */

/*
 * The engines make their state of all there is and go on with it, batches in the turns that
 * follow; `done` (or NULL) is called behind the last, which may be at once. What happens to one
 * before its turn adopts that first.
 */
void repl_state_adopt(void (*done)(void));

/*
 * The engines give all up, silently: no CDN, no Stop, no event. Records stay and go on forwarding.
 * From role_set(false, ...) on no timer acts any more; this frees what they hold, in batches too.
 */
void repl_state_yield(void (*done)(void));

/* No walk is under way. */
bool repl_state_settled(void);

/* --- for repl_offer.c: the steps of all this, of one --- */

/* -1: its place is not free, or its tunnel's ids are used otherwise. */
int repl_state_place_session(const struct repl_session *r);
int repl_state_place_tunnel(const struct repl_tunnel *r);

/* From active to passive, silently. */
void repl_state_yield_session(sess_id s);
void repl_state_yield_tunnel(tunn_id t);

/* And back. Nothing ends a session in here: who has woken it goes on with it. */
void repl_state_adopt_session(sess_id s);
void repl_state_adopt_tunnel(tunn_id t);

#endif
