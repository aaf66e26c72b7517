/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Versions and the queue of changes. One record for each place of the two tables, in private
 * memory that is touched as used and, unlike the tables, never given back: a free place keeps
 * the version of the end of what was there, so that a late record of it is known as old.
 *
 * The queue is a list through the records; tunnels go first, since a session cannot be
 * installed before its tunnel. A place stands in it once however often it changes.
 *
 * Called by the setters of session.c and tunnel.c for each change; read by the cluster's stream.
 */
#include "change.h"
#include "role.h"
#include "shm.h"

struct place {
	uint64_t version;
	uint32_t next;	     /* in the queue; 0: last */
	uint32_t mastership; /* in which the engines made their state of it; 0: passive */
	bool queued;
};

struct queue {
	uint32_t head, tail;
};

static struct place *places[CHANGE_KINDS];
static uint32_t limits[CHANGE_KINDS];
static struct queue queues[CHANGE_KINDS];
static uint64_t table_version;
static uint32_t mastership = 1;
static bool subscribed;
static uint64_t queued; /* places that are */

void
change_init(uint32_t max_tunnels, uint32_t max_sessions)
{
	limits[CHANGE_TUNNEL] = max_tunnels;
	limits[CHANGE_SESSION] = max_sessions;
	places[CHANGE_TUNNEL] = shm_map_private(
	    "versions of tunnels", (max_tunnels + (size_t)1) * sizeof(struct place));
	places[CHANGE_SESSION] = shm_map_private(
	    "versions of sessions", (max_sessions + (size_t)1) * sizeof(struct place));
}

void
change_mark(enum change_kind kind, uint32_t id)
{
	struct queue *q = &queues[kind];
	struct place *p;

	if (!places[kind] || !role_is_master())
		return;
	p = &places[kind][id];
	p->version = ++table_version;
	if (!subscribed || p->queued)
		return;
	p->queued = true;
	queued++;
	p->next = 0;
	if (q->head)
		places[kind][q->tail].next = id;
	else
		q->head = id;
	q->tail = id;
}

static bool
unqueue(enum change_kind *kind, uint32_t *id)
{
	unsigned int k;

	for (k = 0; k < CHANGE_KINDS; k++) {
		if (!queues[k].head)
			continue;
		*kind = (enum change_kind)k;
		*id = queues[k].head;
		queues[k].head = places[k][*id].next;
		places[k][*id].queued = false;
		queued--;
		return true;
	}
	return false;
}

/* With a version of its own: so whoever has the highest of a message has all that was told before.
 */
bool
change_next(enum change_kind *kind, uint32_t *id)
{
	if (!unqueue(kind, id))
		return false;
	places[*kind][*id].version = ++table_version;
	return true;
}

uint64_t
change_queued(void)
{
	return queued;
}

void
change_subscribe(bool on)
{
	enum change_kind kind;
	uint32_t id;

	subscribed = on;
	while (!on && unqueue(&kind, &id))
		;
}

uint64_t
change_version(enum change_kind kind, uint32_t id)
{
	return places[kind] && id <= limits[kind] ? places[kind][id].version : 0;
}

uint64_t
change_table_version(void)
{
	return table_version;
}

/* Nobody has changed so much more: who says it errs, and must not bring the counter to its end. */
static const uint64_t FAR = (uint64_t)1 << 48;

void
change_seen_version(uint64_t version)
{
	if (version > table_version && version - table_version < FAR)
		table_version = version;
}

void
change_set_version(enum change_kind kind, uint32_t id, uint64_t version)
{
	places[kind][id].version = version;
	change_seen_version(version);
}

bool
change_is_active(enum change_kind kind, uint32_t id)
{
	return !places[kind] || places[kind][id].mastership == mastership;
}

void
change_set_active(enum change_kind kind, uint32_t id, bool on)
{
	if (places[kind])
		places[kind][id].mastership = on ? mastership : 0;
}

bool
change_was_active(enum change_kind kind, uint32_t id)
{
	return places[kind] && places[kind][id].mastership != 0;
}

void
change_new_mastership(void)
{
	mastership++;
}
