/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel table and its indices: by our wire id (an array), by the peer's address,
 * port and Assigned Tunnel ID (a map, to know a repeated SCCRQ), and the list of
 * half-open tunnels, oldest first. Owns struct tunnel; l2tp.c decides, this file
 * remembers. RFC 2661 5.2 asks for ids that are hard to guess.
 */
#include "tunnel.h"
#include "change.h"
#include "counter.h"
#include "hash.h"
#include "idset.h"
#include "loop.h"
#include "seq.h"
#include "shm.h"
#include "util.h"

#include <string.h>

struct shared {
	uint32_t count;
	uint32_t highest;
};

static struct tunnel *tunnels;
static struct shared *shared;
static uint32_t limit;
static struct idset ids;
static struct hash by_peer;
static uint16_t *by_wire;		 /* tunn_id of each wire id */
static struct id_list half_open, dieing; /* oldest first */

const char *const tunnel_state_names[] = {
	[TUNNEL_FREE] = "Free",
	[TUNNEL_OPEN] = "Open",
	[TUNNEL_DIEING] = "Dieing",
	[TUNNEL_OPENING] = "Opening",
};

void
tunnel_init(uint32_t max_tunnels)
{
	limit = max_tunnels;
	tunnels = shm_map("tunnels", (max_tunnels + (size_t)1) * sizeof(*tunnels));
	shared = shm_map("tunnel counts", sizeof(*shared));
	by_wire = shm_map_private("tunnels by wire id", (UINT16_MAX + 1) * sizeof(*by_wire));
	idset_init(&ids, "tunnel ids", max_tunnels);
	hash_init(&by_peer, "tunnels by peer", max_tunnels);
}

static uint64_t
peer_key(uint32_t ip, uint16_t port, uint16_t tid)
{
	return (uint64_t)ip << 32 | (uint64_t)port << 16 | tid;
}

static struct id_link *
list_link(uint32_t id)
{
	return &tunnels[id].link;
}

const struct tunnel *
tunnel_get(tunn_id id)
{
	if (id == 0 || id > limit || tunnels[id].state == TUNNEL_FREE)
		return NULL;
	return &tunnels[id];
}

tunn_id
tunnel_id(const struct tunnel *t)
{
	return (tunn_id)(t - tunnels);
}

struct id_list *
tunnel_sessions(tunn_id id)
{
	return &tunnels[id].sessions;
}

tunn_id
tunnel_by_wire(uint16_t wire_tid)
{
	return by_wire[wire_tid];
}

tunn_id
tunnel_by_peer(uint32_t peer_ip, uint16_t peer_port, uint16_t peer_tid)
{
	return hash_get(&by_peer, peer_key(peer_ip, peer_port, peer_tid));
}

uint32_t
tunnel_half_open(void)
{
	return half_open.count;
}

tunn_id
tunnel_oldest_half_open(void)
{
	return half_open.head;
}

tunn_id
tunnel_oldest_dieing(void)
{
	return dieing.head;
}

uint32_t
tunnel_count(void)
{
	return shared->count;
}

tunn_id
tunnel_highest(void)
{
	return shared->highest;
}

static void
update_shared(void)
{
	shared->count = ids.used;
	shared->highest = idset_highest(&ids);
}

static uint16_t
free_wire_tid(void)
{
	uint16_t tid;

	do
		tid = random_u16();
	while (tid == 0 || by_wire[tid]); /* max_tunnels leaves hundreds free */
	return tid;
}

tunn_id
tunnel_new(uint32_t peer_ip, uint16_t peer_port, uint16_t peer_tid, uint8_t local)
{
	tunn_id id = idset_take(&ids);
	struct tunnel *t = &tunnels[id];

	if (!id) {
		COUNT(tunnel_overflow);
		return 0;
	}
	seq_begin(&t->seq);
	t->state = TUNNEL_OPENING;
	t->wire_tid = free_wire_tid();
	t->peer_tid = peer_tid;
	t->peer_ip = peer_ip;
	t->peer_port = peer_port;
	t->local = local;
	t->opened = loop_time();
	t->last_packet = loop_now_ds();
	seq_end(&t->seq);
	by_wire[t->wire_tid] = (uint16_t)id;
	hash_put(&by_peer, peer_key(peer_ip, peer_port, peer_tid), id);
	ll_append(&half_open, id, list_link);
	update_shared();
	change_set_active(CHANGE_TUNNEL, id, true);
	change_mark(CHANGE_TUNNEL, id);
	return id;
}

static void
forget_peer(tunn_id id)
{
	const struct tunnel *t = &tunnels[id];
	uint64_t key = peer_key(t->peer_ip, t->peer_port, t->peer_tid);

	if (hash_get(&by_peer, key) == id)
		hash_del(&by_peer, key);
}

void
tunnel_free(tunn_id id)
{
	struct tunnel *t = &tunnels[id];

	if (t->state != TUNNEL_DIEING)
		tunnel_set_state(id, TUNNEL_DIEING);
	ll_remove(&dieing, id, list_link);
	by_wire[t->wire_tid] = 0;
	seq_begin(&t->seq);
	memset((char *)t + sizeof(t->seq), 0, sizeof(*t) - sizeof(t->seq));
	seq_end(&t->seq);
	idset_give(&ids, id);
	update_shared();
	change_set_active(CHANGE_TUNNEL, id, false);
	change_mark(CHANGE_TUNNEL, id);
}

/* A place for a record of another member: free, or this very tunnel's. */
static bool
place_fits(tunn_id id, const struct tunnel *from)
{
	if (id == 0 || id > limit || from->state == TUNNEL_FREE ||
	    (by_wire[from->wire_tid] && by_wire[from->wire_tid] != id))
		return false;
	return tunnels[id].state == TUNNEL_FREE || tunnels[id].wire_tid == from->wire_tid;
}

static struct id_list *
list_of(uint8_t state)
{
	return state == TUNNEL_OPENING ? &half_open : state == TUNNEL_DIEING ? &dieing : NULL;
}

static void
change_list(tunn_id id, struct id_list *from, struct id_list *to)
{
	if (from == to)
		return;
	if (from)
		ll_remove(from, id, list_link);
	if (to)
		ll_append(to, id, list_link);
}

tunn_id
tunnel_free_place(void)
{
	return (tunn_id)idset_lowest(&ids);
}

int
tunnel_place(tunn_id id, const struct tunnel *from)
{
	struct tunnel *t = &tunnels[id], own;

	if (!place_fits(id, from))
		return -1;
	if (t->state == TUNNEL_FREE) {
		idset_claim(&ids, id);
		by_wire[from->wire_tid] = (uint16_t)id;
		update_shared();
	}
	forget_peer(id);
	change_list(id, list_of(t->state), list_of(from->state));
	own = *t;
	seq_begin(&t->seq);
	memcpy((char *)t + sizeof(t->seq), (const char *)from + sizeof(t->seq),
	    sizeof(*t) - sizeof(t->seq));
	t->link = own.link;
	t->sessions = own.sessions;
	t->last_packet = own.state == TUNNEL_FREE ? loop_now_ds() : own.last_packet;
	seq_end(&t->seq);
	if (t->state != TUNNEL_DIEING)
		hash_put(&by_peer, peer_key(t->peer_ip, t->peer_port, t->peer_tid), id);
	return 0;
}

bool
tunnel_snapshot(tunn_id id, struct tunnel *copy)
{
	if (id == 0 || id > limit)
		return false;
	return seq_copy(&tunnels[id].seq, copy, &tunnels[id], sizeof(*copy));
}

void
tunnel_set_state(tunn_id id, enum tunnel_state state)
{
	struct tunnel *t = &tunnels[id];

	if (t->state == state)
		return;
	tlog(t, LOG_CALL, "tunnel %s --> %s", tunnel_state_names[t->state],
	    tunnel_state_names[state]);
	if (t->state == TUNNEL_OPENING)
		ll_remove(&half_open, id, list_link);
	if (state == TUNNEL_DIEING) {
		forget_peer(id); /* he may come again with the same id at once */
		ll_append(&dieing, id, list_link);
	}
	seq_begin(&t->seq);
	t->state = (uint8_t)state;
	seq_end(&t->seq);
	change_mark(CHANGE_TUNNEL, id);
}

void
tunnel_set_peer(
    tunn_id id, const char *hostname, const char *vendor, uint16_t window, uint32_t framing)
{
	struct tunnel *t = &tunnels[id];

	seq_begin(&t->seq);
	str_copy(t->hostname, sizeof(t->hostname), hostname);
	str_copy(t->vendor, sizeof(t->vendor), vendor);
	t->peer_window = window;
	t->peer_framing = framing;
	seq_end(&t->seq);
	change_mark(CHANGE_TUNNEL, id);
}

void
tunnel_set_address(tunn_id id, uint32_t peer_ip, uint16_t peer_port)
{
	struct tunnel *t = &tunnels[id];

	forget_peer(id);
	seq_begin(&t->seq);
	t->peer_ip = peer_ip;
	t->peer_port = peer_port;
	seq_end(&t->seq);
	if (t->state != TUNNEL_DIEING) /* such a one is forgotten for good */
		hash_put(&by_peer, peer_key(peer_ip, peer_port, t->peer_tid), id);
	change_mark(CHANGE_TUNNEL, id);
}

void
tunnel_set_hides(tunn_id id)
{
	struct tunnel *t = &tunnels[id];

	if (t->hides)
		return;
	seq_begin(&t->seq);
	t->hides = 1;
	seq_end(&t->seq);
	change_mark(CHANGE_TUNNEL, id);
}

void
tunnel_set_channel(tunn_id id, uint16_t ns, uint16_t nr, uint32_t queued)
{
	struct tunnel *t = &tunnels[id];

	seq_begin(&t->seq);
	t->ns = ns;
	t->nr = nr;
	t->queued = queued;
	seq_end(&t->seq);
	change_mark(CHANGE_TUNNEL, id);
}

void
tunnel_seen(tunn_id id)
{
	tunnels[id].last_packet = loop_now_ds();
}
