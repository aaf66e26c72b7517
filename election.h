/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is master. Each member decides by itself from the heartbeats it hears. Pure: no
 * socket, no clock; all times are the caller's, in ms of his monotonic clock.
 *
 *	election_step() at each turn of the loop, before any input is acted on
 *	election_heard() for each HEARTBEAT of a peer, election_left() for its LEAVE
 *	election_tell() for what a HEARTBEAT of ours says
 *
 * What a step says is done in struct election already; the caller has to follow.
 */
#ifndef ELECTION_H
#define ELECTION_H

#include "clmsg.h"

enum { ELECTION_PEERS = 32 };

struct election_peer {
	uint64_t incarnation; /* 0: free */
	uint64_t heard_ms;
	uint64_t current_ms; /* when it said last that it is up to date; 0: never */
	uint64_t unheard_ms; /* since when it says that it does not hear us; 0: it does, or does not
				say */
	uint32_t term;
	struct cl_heartbeat hb; /* the last one */
};

struct election {
	/* set by the caller, before a step, as it changes */
	uint64_t version; /* of our tables */
	bool holds_state; /* we have sessions or tunnels, or know that there are none */
	bool up_to_date;  /* as a slave: nothing of the master's is missing */
	uint32_t interval_ms, timeout_ms; /* cluster_hb_interval, cluster_hb_timeout */

	/* for the caller to read */
	uint64_t incarnation;
	uint32_t address; /* network order */
	uint8_t role;	  /* enum cl_role */
	uint32_t term;	  /* highest seen, or ours */
	uint64_t master;  /* incarnation of the master we follow, or ours; 0: none is known */
	struct election_peer peers[ELECTION_PEERS];

	/* its own */
	uint32_t seen; /* highest term that anybody has told */
	uint64_t started_ms, stepped_ms;
	uint64_t listens_ms; /* since when we hear others without a break */
	uint64_t elect_ms;   /* an election may be held from here on, as far as we know */
	uint64_t waits_for;  /* incarnation of who should become master instead of us; 0: nobody */
	uint64_t waits_ms;   /* since when */
	uint32_t passed;     /* a bit for each place of `peers`: waited for in vain */
	uint64_t successor;  /* named by a master that has left; 0: nobody */
	uint64_t gone;	   /* incarnation of a master that has left; 0: none, or there is another */
	uint64_t rival_ms; /* since when another master does not give way; 0: there is none */
};

enum election_what {
	ELECTION_NOTHING,
	ELECTION_MASTER, /* we are master now, of term `term`: adopt, heartbeat at once */
	ELECTION_RAISED, /* we are master as before, of a higher term: heartbeat at once */
	ELECTION_YIELD,	 /* we were master, and follow `master` now: yield, offer, synchronise */
	ELECTION_FROZEN, /* our loop stood still: yield if we were master; throw away input that
			    waits */
	ELECTION_FOLLOW, /* slave, and another master: synchronise with `master` */
	ELECTION_LOST,	 /* slave, and the master we followed is gone: there is none for now */
};

struct election_step {
	enum election_what what;
	bool was_master; /* with ELECTION_FROZEN */
	uint64_t master; /* incarnation of the master to follow; 0: none */
	uint32_t term;
};

/* A slave that knows nothing, now. */
void election_init(struct election *e, uint64_t incarnation, uint32_t address, uint32_t interval_ms,
    uint32_t timeout_ms, uint64_t now_ms);

/* What time it makes of it: the next thing to do, one at a time. Ask until it is ELECTION_NOTHING.
 */
struct election_step election_step(struct election *e, uint64_t now_ms);

/* No other member can be there (no interface): master at the next step. */
void election_alone(struct election *e);

/* There can be others now, as we have an address. Who is master goes on as such until it meets
 * another.
 */
void election_join(struct election *e, uint32_t address, uint64_t now_ms);

/* A heartbeat of a peer the guard lets us hear; `term` is from its head. */
void election_heard(struct election *e, uint64_t incarnation, uint32_t term,
    const struct cl_heartbeat *hb, uint64_t now_ms);

/* What is known of that member; NULL: nothing. */
const struct election_peer *election_peer(const struct election *e, uint64_t incarnation);

/* Its LEAVE; `successor` as that says. */
void election_left(struct election *e, uint64_t incarnation, uint64_t successor, uint64_t now_ms);

/* The peer is forgotten for another reason. */
void election_forget(struct election *e, uint64_t incarnation);

/* We leave: who is to be master after us, for LEAVE; 0: nobody can. */
uint64_t election_successor(const struct election *e, uint64_t now_ms);

/*
 * Slave: the master we follow has not heard us for cluster_hb_timeout, so it cannot give us what we
 * miss, nor take what we hand it.
 */
bool election_unheard(const struct election *e, uint64_t now_ms);

/* Slave without a master: others, whom we hear, follow one, whom we do not. */
bool election_shut_out(struct election *e, uint64_t now_ms);

/* The part of our own heartbeat that is ours to say: role, flags, uptime, version, master, and whom
 * we hear. */
void election_tell(const struct election *e, uint64_t now_ms, struct cl_heartbeat *hb);

/* Slaves that are heard of lately, and that draw traffic: for cluster_master_min_adv. */
unsigned int election_drawing(const struct election *e, uint64_t now_ms);

/* Slaves that are heard of lately, and that are up to date or were so within `linger_ms`. */
unsigned int election_up_to_date(const struct election *e, uint64_t linger_ms, uint64_t now_ms);

#endif
