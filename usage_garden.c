/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session moves while it sits in the garden is not told in usage files, as 2.4 did not: for
 * one, its name may not be proven. It is taken off the session's counters: when one comes in, its
 * counters are kept, and when it goes out, what it has moved since then is added to what it
 * had moved in former stays.
 *
 * The parent writes; the child that writes a file copies, with the number of seq.h. Most sessions
 * never see the garden: theirs has no `unique`, and their counters are right as they are. Other
 * members of the cluster get it with the session's record, and go on from there as masters.
 *
 * Owns struct gardened, one a session in shared memory. Called by usage.c and usage_writer.c.
 */
#include "usage_garden.h"
#include "config.h"
#include "seq.h"
#include "session.h"
#include "shm.h"

#include <sched.h>

/* What a session has moved in the garden; written by the parent, read by children. */
struct gardened {
	uint32_t seq;
	uint32_t unique;    /* which session of that id */
	struct usage past;  /* in former stays */
	struct usage since; /* its counters when it came in */
	bool inside;
};

static struct gardened *gardened;

static struct usage
moved(sess_id id)
{
	const volatile struct sess_fast *f = session_fast(id);

	return (struct usage){ f->rx_bytes, f->tx_bytes };
}

struct usage
usage_garden_outside(sess_id id, uint32_t unique)
{
	struct gardened g;

	while (!seq_copy(&gardened[id].seq, &g, &gardened[id], sizeof(g)))
		sched_yield();
	if (g.unique != unique)
		return moved(id);
	return usage_minus(g.inside ? g.since : moved(id), g.past);
}

void
usage_garden_look(sess_id id)
{
	const struct session *s = session_get(id);
	struct gardened *g = &gardened[id];
	bool inside = s->garden;

	if (inside == g->inside)
		return;
	seq_begin(&g->seq);
	g->unique = s->unique;
	if (inside)
		g->since = moved(id);
	else
		usage_add(&g->past, usage_minus(moved(id), g->since));
	g->inside = inside;
	seq_end(&g->seq);
}

void
usage_garden_forget(sess_id id)
{
	struct gardened *g = &gardened[id];

	if (g->unique == 0)
		return;
	seq_begin(&g->seq);
	*g = (struct gardened){ .seq = g->seq };
	seq_end(&g->seq);
}

void
usage_garden_export(sess_id id, struct repl_session *r)
{
	const struct gardened *g = &gardened[id];

	if (g->unique != session_get(id)->unique)
		return;
	r->garden = (struct repl_garden){ 1, g->past.up, g->past.down, g->since.up, g->since.down };
}

void
usage_garden_install(sess_id id, const struct repl_session *r)
{
	struct gardened *g = &gardened[id];

	if (!r->garden.known) {
		usage_garden_look(id);
		return;
	}
	seq_begin(&g->seq);
	g->unique = r->rec.unique;
	g->past = (struct usage){ r->garden.past_up, r->garden.past_down };
	g->since = (struct usage){ r->garden.since_up, r->garden.since_down };
	g->inside = r->rec.garden;
	seq_end(&g->seq);
}

void
usage_garden_init(void)
{
	gardened =
	    shm_map("usage in the garden", (conf->max_sessions + (size_t)1) * sizeof(*gardened));
}
