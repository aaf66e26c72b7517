/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cluster as `show cluster` has it: written down ten times a second in shared memory, where
 * the CLI's children read it. Called by cluster.c.
 */
#include "clstatus.h"
#include "change.h"
#include "clleave.h"
#include "clroutes.h"
#include "clsame.h"
#include "clstream.h"
#include "cluster.h"
#include "clwarn.h"
#include "loop.h"
#include "role.h"
#include "seq.h"
#include "shm.h"
#include "util.h"

#include <unistd.h>

enum { PATIENCE_MS = 500 }; /* of who reads */

static struct cluster_status *status;

void
clstatus_init(void)
{
	status = shm_map("cluster status", sizeof(*status));
}

static uint32_t
silent_ms(const struct election_peer *p)
{
	return (uint32_t)MIN(loop_now_ms() - p->heard_ms, UINT32_MAX);
}

/* How many changes of the master's, if we know of one, somebody who has them up to `seq` lacks. */
static uint64_t
lag_at(const struct election_peer *master, uint64_t seq)
{
	uint64_t last = role_is_master() ? clstream_seq() : master ? master->hb.seq : 0;

	return last > seq ? last - seq : 0;
}

static void
fill_peer(struct cluster_peer_status *s, const struct election_peer *p,
    const struct election_peer *master)
{
	*s = (struct cluster_peer_status){
		.address = p->hb.address,
		.role = p->hb.role,
		.flags = p->hb.flags,
		.silent_ms = silent_ms(p),
		.uptime_ms = p->hb.uptime_ms,
		.version = p->hb.version,
		.lag = p->hb.role == CL_MASTER ? 0 : lag_at(master, p->hb.seq),
		.sessions = p->hb.sessions,
		.tunnels = p->hb.tunnels,
	};
	str_copy(s->host, sizeof(s->host), p->hb.host);
	str_copy(s->software, sizeof(s->software), p->hb.software);
	clsame_differs(p->hb.address, s->differs, sizeof(s->differs));
}

/* All but `seq`. */
static void
fill(struct cluster_status *s, const struct election *el, bool up_to_date, uint64_t heartbeats)
{
	const struct election_peer *master = election_peer(el, el->master);
	unsigned int i;

	s->role = el->role;
	s->alone = cluster_own_address() == 0;
	str_copy(s->trouble, sizeof(s->trouble), clwarn_trouble());
	s->up_to_date = up_to_date;
	s->routes = clroutes_draws();
	s->leaving = clleave_begun();
	s->master_silent_ms = master ? silent_ms(master) : 0;
	s->uptime_ms = loop_now_ms() - el->started_ms;
	s->lag = lag_at(master, clstream_seq());
	s->term = el->term;
	s->own = cluster_own_address();
	s->master = cluster_master_address();
	s->version = change_table_version();
	s->heartbeat = heartbeats;
	s->queued = role_is_master() ? change_queued() : clstream_complete() ? 0 : 1;
	s->n = 0;
	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation &&
		    loop_now_ms() - el->peers[i].heard_ms <= el->timeout_ms)
			fill_peer(&s->peers[s->n++], &el->peers[i], master);
}

/* Readers find it busy while it is written: so it is put together elsewhere. */
void
clstatus_publish(const struct election *el, bool up_to_date, uint64_t heartbeats)
{
	static struct cluster_status now;

	fill(&now, el, up_to_date, heartbeats);
	seq_begin(&status->seq);
	now.seq = status->seq;
	*status = now;
	seq_end(&status->seq);
}

/* The parent may have lost the CPU in the midst of it. */
bool
cluster_snapshot(struct cluster_status *copy)
{
	int i;

	for (i = 0; i < PATIENCE_MS; i++) {
		if (seq_copy(&status->seq, copy, status, sizeof(*copy)))
			return true;
		usleep(1000);
	}
	return false;
}
