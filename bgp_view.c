/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to be seen of BGP, in shared memory: our identifier, and a view of each
 * neighbour that the parent writes at the end of a turn under a sequence number. CLI children
 * read it.
 */
#include "bgp_view.h"
#include "bgp_peer.h"
#include "shm.h"
#include "util.h"

#include <string.h>

/* `sequence` is odd while it is written. */
struct views {
	uint32_t sequence;
	uint32_t router_id;
	bool used[CONF_PEERS];
	struct bgp_view at[CONF_PEERS];
};

static struct views *views;

void
bgp_view_init(void)
{
	views = shm_map("BGP views", sizeof(*views));
}

void
bgp_view_set_id(uint32_t router_id)
{
	views->router_id = router_id;
}

uint32_t
bgp_router_id(void)
{
	return views->router_id;
}

static void
fill_view(struct bgp_peer *p)
{
	const struct bgp_conn *out = &p->conns[BGP_OURS], *in = &p->conns[BGP_HIS];
	const struct bgp_conn *best =
	    in->state >= BGP_OPEN_SENT && in->state > out->state ? in : out;
	struct bgp_view *v = &p->view;

	str_copy(v->name, sizeof(v->name), p->conf.name);
	bgp_addr_text(&p->addr, v->address);
	v->as = p->conf.as;
	v->state = best->state;
	v->retries = p->up ? 0 : p->failures;
	v->suspended = p->suspended;
	v->announced = bgp_tell_announces(&p->tell);
	v->pending = bgp_peer_has_work(p) || (p->up && p->up->tcp.out_len > 0);
	v->ip6 = p->tell.speaks[BGP_IP6];
	v->sent = p->tell.sent;
	v->withdrawn = p->tell.withdrawn;
	v->updates = p->tell.updates;
	v->hold = p->up ? p->up->hold_sec : bgp_peer_hold(p);
	v->keepalive = p->up ? p->up->keepalive_sec : bgp_peer_keepalive(p);
	v->retry_at_ms = timer_running(&out->retry) ? loop_now_ms() + timer_left(&out->retry) : 0;
}

void
bgp_view_publish(struct bgp_peer *p)
{
	unsigned int n = p->tell.reader;

	p->dirty = false;
	fill_view(p);
	__atomic_store_n(&views->sequence, views->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	views->used[n] = p->used;
	views->at[n] = p->view;
	__atomic_store_n(&views->sequence, views->sequence + 1, __ATOMIC_RELEASE);
}

bool
bgp_view(unsigned int i, struct bgp_view *v)
{
	uint32_t before;
	bool used;
	int tries;

	for (tries = 0; i < CONF_PEERS && tries < 1000; tries++) {
		before = __atomic_load_n(&views->sequence, __ATOMIC_ACQUIRE);
		used = views->used[i];
		*v = views->at[i];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(before & 1) && before == __atomic_load_n(&views->sequence, __ATOMIC_RELAXED))
			return used;
	}
	return false;
}
