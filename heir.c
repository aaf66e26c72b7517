/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for a network. Two lines of one customer may have the same Framed-Route, one
 * being there for the other's failure: the first to log in has it, the rest wait in the
 * order of their logins. A queue is a ring of places; its first place is found by the
 * network, and each place by session and network, so that nothing is walked over however
 * many wait: a guest account may give all its sessions the same route.
 *
 * Owns the places, in memory that is touched as used. Called by addr.c, which knows what
 * a session is told of.
 */
#include "heir.h"
#include "hash.h"
#include "idset.h"
#include "shm.h"

enum { LEN_SHIFT = 32, SESSION_SHIFT = 37 }; /* a length up to 31: host routes do not wait */

struct place {
	uint32_t prev, next; /* in the ring */
	sess_id s;
};

static struct place *places;
static struct idset ids;
static struct hash firsts;  /* network -> place of who has waited longest */
static struct hash by_both; /* session and network -> place */

void
heir_init(uint32_t n)
{
	places = shm_map_private("waiting for routes", (n + (size_t)1) * sizeof(*places));
	idset_init(&ids, "waiting for routes", n);
	hash_init(&firsts, "first to wait for a route", n);
	hash_init(&by_both, "waiting for routes, by session", n);
}

/* With session 0: the network alone. */
static uint64_t
key(uint32_t addr, unsigned int len, sess_id s)
{
	return (uint64_t)s << SESSION_SHIFT | (uint64_t)len << LEN_SHIFT | addr;
}

static void
append(uint32_t id, uint32_t first)
{
	struct place *p = &places[id];

	p->next = first ? first : id;
	p->prev = first ? places[first].prev : id;
	places[p->prev].next = id;
	places[p->next].prev = id;
}

int
heir_add(uint32_t addr, unsigned int len, sess_id s)
{
	uint64_t net = key(addr, len, 0);
	uint32_t first = hash_get(&firsts, net), id;

	if (hash_get(&by_both, key(addr, len, s)))
		return 0;
	id = idset_take(&ids);
	if (!id)
		return -1;
	if (hash_put(&by_both, key(addr, len, s), id) < 0 ||
	    (!first && hash_put(&firsts, net, id) < 0)) {
		hash_del(&by_both, key(addr, len, s));
		idset_give(&ids, id);
		return -1;
	}
	places[id].s = s;
	append(id, first);
	return 0;
}

void
heir_del(uint32_t addr, unsigned int len, sess_id s)
{
	uint32_t id = hash_del(&by_both, key(addr, len, s));
	uint64_t net = key(addr, len, 0);
	const struct place *p = &places[id];

	if (!id)
		return;
	if (p->next == id)
		hash_del(&firsts, net);
	else if (hash_get(&firsts, net) == id)
		hash_put(&firsts, net, p->next);
	places[p->prev].next = p->next;
	places[p->next].prev = p->prev;
	idset_give(&ids, id);
}

sess_id
heir_take(uint32_t addr, unsigned int len)
{
	uint32_t id = hash_get(&firsts, key(addr, len, 0));
	sess_id s = places[id].s;

	if (!id)
		return 0;
	heir_del(addr, len, s);
	return s;
}
