/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cluster as the rest of the daemon sees it: whether this member is the master,
 * where the master is, and who wants to hear when that changes. A server that stands
 * alone is the master of a cluster of one. What members say to each other is in
 * Docs/cluster-protocol.md. The lower part is for the group alone.
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include "clmsg.h"
#include "l2tpns.h"
#include "wire.h"

/* Start-up only, behind role_init() and the tables. */
void cluster_init(void);

/*
 * Opens the socket; -1 with a reason. When cluster_interface is not there, has no
 * address or is the loopback, nobody else can be.
 */
int cluster_open(char *why, size_t why_size);

/* Behind all else of the start: who is alone is master at once, others look for each other. */
void cluster_start(void);

/* At the end of a turn, and in front of packets that leave earlier: tells what has changed, first.
 */
void cluster_flush(void);
void cluster_fini(void);

/* The master's address on the cluster's link, network order: ours when it is us; 0: none is known.
 */
uint32_t cluster_master_address(void);

/* Our own address there; 0: we stand alone. */
uint32_t cluster_own_address(void);

/* On a slave: whether the master hears us, by its last heartbeat. */
bool cluster_is_heard(void);

/* On a slave: whether the master acknowledges FORWARDs. */
bool cluster_master_acknowledges(void);

/* Whether others of the cluster are there. */
bool cluster_has_peers(void);

/* As master: it began with nothing, and nobody else had anything. */
bool cluster_is_first(void);

/*
 * Called at each change: this member is to draw traffic (true: raise its BGP routes, answer ARP for
 * the shared addresses) or not. Several may register; each is called with what is so at once.
 */
void cluster_on_routes(void (*fn)(bool raise));

/* Who is asked whether routes that are raised here are heard by anybody: the others count on it. */
void cluster_announces_by(bool (*fn)(void));

/* Called behind each change of role or of the master's address, with role_is_master(). */
void cluster_on_role(void (*fn)(bool master));

/* Called when another member has left, or has been silent for cluster_hb_timeout. */
void cluster_on_gone(void (*fn)(void));

/*
 * Messages of a kind go to `fn`, with a cursor over the fields and the address of the member,
 * admitted and verified, that they are from.
 */
void cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields));

/*
 * Sends fields as one message of a kind to a member's address; 0: to all. It is queued (a copy) and
 * leaves at the end of the turn at the latest. False: no room, or we stand alone (counted).
 */
bool cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len);

/*
 * A planned stop (SIGTERM; SIGQUIT on a slave): hands the master's part to an up-to-date member,
 * which takes over at once, and withdraws the routes. `done` is called when this process may end,
 * with whether others go on with the sessions, so that no Stop is to be made for them: all of them
 * may be leaving. False: there is nobody to begin with.
 */
bool cluster_leave(void (*done)(bool handed_over));

/* ---- for `show cluster`, in a CLI child ---- */

struct cluster_peer_status {
	uint32_t address; /* network order */
	uint8_t role;	  /* enum cl_role */
	uint16_t flags;	  /* enum cl_flags */
	uint32_t silent_ms;
	uint64_t uptime_ms, version;
	uint64_t lag; /* changes of the master's that it had not got when it was last heard */
	uint32_t sessions, tunnels;
	char host[HOSTNAME_LEN], software[CLMSG_SOFTWARE];
	char differs[96]; /* settings that it has otherwise: "bind_address, plugin" */
};

struct cluster_status {
	uint32_t seq; /* odd while it is written */
	uint8_t role;
	bool alone;	   /* nobody else can be */
	char trouble[128]; /* why, though there should be others */
	bool up_to_date;   /* holds all that the master holds */
	bool routes;	   /* draws traffic */
	bool leaving;	   /* has been told to end, and others go on */
	uint32_t term;
	uint32_t master_silent_ms; /* since the master was heard; 0: it is us, or none is known */
	uint64_t uptime_ms;
	uint64_t lag;	      /* changes of the master's that we have not got */
	uint32_t own, master; /* network order */
	uint64_t version, heartbeat, queued;
	unsigned int n;
	struct cluster_peer_status peers[32];
};

/* False: it was being written all the time. */
bool cluster_snapshot(struct cluster_status *copy);

/* ---- inside the group ---- */

/* Who sent the message in hand. */
struct cluster_sender {
	uint64_t incarnation;
	uint32_t address, term;
};
const struct cluster_sender *cluster_sender(void);

/* Members beside us that were heard lately. */
unsigned int cluster_peers_alive(void);

/* Our own incarnation. */
uint64_t cluster_incarnation(void);

/* Milliseconds since this member's mastership began. */
uint64_t cluster_master_age_ms(void);

/* Something has changed that decides whether we draw traffic. */
void cluster_settle_routes(void);

/* A full synchronisation has ended, or begins since something is missing. */
void cluster_synced(bool yes);

#endif
