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

void
clstatus_publish(const struct election *el, bool up_to_date, uint64_t heartbeats)
{
	const struct election_peer *master = election_peer(el, el->master);
	unsigned int i;

	seq_begin(&status->seq);
	status->role = el->role;
	status->alone = cluster_own_address() == 0;
	str_copy(status->trouble, sizeof(status->trouble), clwarn_trouble());
	status->up_to_date = up_to_date;
	status->routes = clroutes_draws();
	status->leaving = clleave_begun();
	status->master_silent_ms = master ? silent_ms(master) : 0;
	status->uptime_ms = loop_now_ms() - el->started_ms;
	status->lag = lag_at(master, clstream_seq());
	status->term = el->term;
	status->own = cluster_own_address();
	status->master = cluster_master_address();
	status->version = change_table_version();
	status->heartbeat = heartbeats;
	status->queued = role_is_master() ? change_queued() : clstream_complete() ? 0 : 1;
	status->n = 0;
	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation &&
		    loop_now_ms() - el->peers[i].heard_ms <= el->timeout_ms)
			fill_peer(&status->peers[status->n++], &el->peers[i], master);
	seq_end(&status->seq);
}

bool
cluster_snapshot(struct cluster_status *copy)
{
	return seq_copy(&status->seq, copy, status, sizeof(*copy));
}
