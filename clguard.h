/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom of the cluster we hear. A message is heard when the incarnation that sent it has
 * proven to be alive now, comes from the address it proved that from, and its counter was
 * not seen before. Pure: no socket; time is the caller's. Ask only about messages that
 * clmsg_open() found good.
 *
 *	HEARTBEAT of a stranger ->  CLGUARD_CHALLENGE: send him CHALLENGE with clguard_nonce()
 *	CHALLENGE ->  clguard_answers(): send back PROOF with its nonce
 *	PROOF ->  clguard_prove(): he is a peer
 */
#ifndef CLGUARD_H
#define CLGUARD_H

#include "clmsg.h"

enum {
	CLGUARD_PEERS = 32,
	CLGUARD_WINDOW = 1024, /* counters: one that is further behind is refused */
	CLGUARD_BUCKETS = 64,
	CLGUARD_STALE_MS = 60 * 1000, /* who is silent for so long makes room for another */
};

struct clguard_peer {
	uint64_t incarnation;		    /* 0: free */
	uint64_t high;			    /* highest counter seen */
	uint64_t heard_ms;		    /* time of the last message that was heard */
	uint64_t asked_ms;		    /* when the challenge was made that he has answered */
	uint32_t address;		    /* network order */
	uint64_t seen[CLGUARD_WINDOW / 64]; /* a bit for each counter up to `high` */
};

struct clguard {
	uint64_t own;	  /* our own incarnation */
	uint32_t address; /* and our address, network order */
	uint8_t key[32];
	uint64_t spread; /* of the hash: random, so that nobody can find who shares a bucket */
	struct clguard_peer peers[CLGUARD_PEERS];
	/* challenges and proofs that may be sent, by a keyed hash of the address */
	struct clguard_tokens {
		uint64_t left, ms;
	} challenges[CLGUARD_BUCKETS], proofs[CLGUARD_BUCKETS];
};

enum clguard_verdict {
	CLGUARD_HEAR,	   /* from peer *peer */
	CLGUARD_CHALLENGE, /* a stranger, who is to prove himself */
	CLGUARD_IGNORE, /* a stranger who is not asked: too many are already, or it was no HEARTBEAT
			 */
	CLGUARD_OWN,	/* our own message has come back */
	CLGUARD_OTHERS, /* it is for another member, or should name one and does not */
	CLGUARD_REPLAY, /* seen before, or older than can be told */
	CLGUARD_MOVED,	/* a peer, but from another address */
	CLGUARD_BAD_PROOF, /* not our nonce, not for him, too old, or passed on by another */
	CLGUARD_FULL,	   /* there are CLGUARD_PEERS peers, all alive */
};

/* With our incarnation, which is not 0, and our address among the members. */
void clguard_init(struct clguard *g, uint64_t own, uint32_t address);

/*
 * Any message but CHALLENGE and PROOF: whether to hear it. `from` is the source address, network
 * order. *peer is the place of the peer, 0 .. CLGUARD_PEERS - 1, with CLGUARD_HEAR.
 */
enum clguard_verdict clguard_check(struct clguard *g, const struct cl_head *head, uint32_t from,
    uint64_t now_ms, unsigned int *peer);

/* What to put into a CHALLENGE; good for ten seconds. Nothing is kept of it. */
void clguard_nonce(const struct clguard *g, uint64_t incarnation, uint32_t from, uint64_t now_ms,
    uint8_t nonce[CLMSG_NONCE]);

/* A CHALLENGE: CLGUARD_HEAR when it is to be answered with a PROOF. */
enum clguard_verdict clguard_answers(struct clguard *g, const struct cl_head *head,
    const struct cl_proof *m, uint32_t from, uint64_t now_ms);

/*
 * A PROOF: CLGUARD_HEAR when he is a peer now, at place *peer. The place may have been another's,
 * whose incarnation is forgotten then; who follows peers by place compares.
 */
enum clguard_verdict clguard_prove(struct clguard *g, const struct cl_head *head,
    const struct cl_proof *m, uint32_t from, uint64_t now_ms, unsigned int *peer);

/* He has gone, or is not wanted any more; he may prove himself again. */
void clguard_forget(struct clguard *g, unsigned int peer);

/* The incarnation to name in what is sent to a member's address; 0: no peer has it. */
uint64_t clguard_incarnation_at(const struct clguard *g, uint32_t address);

/* The peer at that place; NULL: free. */
const struct clguard_peer *clguard_peer(const struct clguard *g, unsigned int peer);

#endif
