/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the tables and the cluster's records: made of what there is, installed under the same
 * id, adopted by the engines when this member becomes master, and given up when it is no more.
 *
 * A passive session has its record in the table and all indices, its addresses in iptab, pool and
 * kernel, its access lists, and what the engines have beside it in their own tables, all as the
 * master says; so it forwards, and nothing else happens to it. Which sessions and tunnels are
 * passive change.c knows. A record comes with the version of its object at the master; what is
 * not newer than the place is no news.
 *
 * Installing finds what is in the way - another session in the place or with the wire id, whose
 * tombstone is still to come - and removes it first. It compares before it moves addresses and
 * notes, for most records change neither.
 *
 * Adopting and yielding walk over all in batches, tunnels first. What happens to a session or a
 * tunnel before its turn goes through a door of hook.c, which wakes it.
 *
 * What one master takes over of another is in repl_offer.c.
 *
 * Owns the walk. Called by the cluster's engine, and by hook.c through two pointers.
 */
#include "repl_state.h"
#include "addr.h"
#include "change.h"
#include "filter.h"
#include "frame.h"
#include "hook.h"
#include "loop.h"
#include "repl_offer.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"
#include "util.h"

#include <string.h>

enum {
	WALK_BATCH = 1024, /* in a tick; adopting one takes about a microsecond */
	NEW_DS = 100,	   /* a session that is younger has just come to the master, too */
};

static struct {
	bool yields;
	tunn_id t;
	sess_id s;
	void (*done)(void);
	struct timer timer;
} walk;

static bool walking;
static struct repl_session before; /* what is in a place, while a record is compared with it */

/* --- records of what there is --- */

static void
export_chain(uint32_t head, struct repl_session *r)
{
	struct note_pos pos = note_first(head);
	struct note n;

	while (note_next(&pos, &n))
		repl_add_note(r, &n);
}

static void
export_list(uint8_t list, char name[CONF_ACL_NAME])
{
	struct filter_row row;

	if (list && filter_row(list, &row))
		memcpy(name, row.name, CONF_ACL_NAME);
}

bool
session_export(sess_id id, struct repl_session *r)
{
	const struct session *s = session_get(id);

	if (!s)
		return false;
	repl_clear_session(r);
	r->id = id;
	r->version = change_version(CHANGE_SESSION, id);
	memcpy(&r->rec, (const char *)s + offsetof(struct session, tunnel), sizeof(r->rec));
	r->rec.notes = 0;
	r->rec.filter_in = r->rec.filter_out = 0;
	r->on = session_fast(id)->flags & SF_ON ? 1 : 0;
	r->login = s->login;
	r->age_ds = loop_now_ds() - s->began_ds;
	export_list(s->filter_in, r->filter_in);
	export_list(s->filter_out, r->filter_out);
	export_chain(s->notes, r);
	export_chain(s->scratch, r);
	hook_export(id, r);
	return true;
}

bool
tunnel_export(tunn_id id, struct repl_tunnel *r)
{
	const struct tunnel *t = tunnel_get(id);

	if (!t)
		return false;
	*r = (struct repl_tunnel){
		.id = id,
		.version = change_version(CHANGE_TUNNEL, id),
		.state = t->state,
		.sequencing = t->sequencing,
		.wire_tid = t->wire_tid,
		.peer_tid = t->peer_tid,
		.local_ip = udp_local_address(t->local),
		.peer_ip = t->peer_ip,
		.peer_port = t->peer_port,
		.peer_window = t->peer_window,
		.peer_framing = t->peer_framing,
		.opened = t->opened,
	};
	memcpy(r->hostname, t->hostname, sizeof(r->hostname));
	memcpy(r->vendor, t->vendor, sizeof(r->vendor));
	hook_tunnel_member()->export(id, r);
	return true;
}

static bool
chan_record(tunn_id t, uint16_t ns, const uint8_t *data, uint16_t len, struct repl_chan *r)
{
	r->version = change_version(CHANGE_TUNNEL, t);
	r->tunnel = (uint16_t)t;
	r->ns = ns;
	r->len = len;
	memcpy(r->data, data, len);
	return true;
}

bool
chan_export(tunn_id t, uint16_t *ns, struct repl_chan *r)
{
	const uint8_t *data;
	uint16_t len;

	if (!hook_tunnel_member()->message(t, ns, &data, &len))
		return false;
	return chan_record(t, (*ns)++, data, len, r);
}

bool
chan_export_new(tunn_id t, struct repl_chan *r)
{
	const uint8_t *data;
	uint16_t ns, len;

	return hook_tunnel_member()->untold(t, &ns, &data, &len) &&
	       chan_record(t, ns, data, len, r);
}

/* --- giving up one --- */

void
repl_state_yield_session(sess_id s)
{
	if (!change_was_active(CHANGE_SESSION, s))
		return;
	hook_yield(s);
	change_set_active(CHANGE_SESSION, s, false);
}

void
repl_state_yield_tunnel(tunn_id t)
{
	if (!change_was_active(CHANGE_TUNNEL, t))
		return;
	hook_tunnel_member()->yield(t);
	change_set_active(CHANGE_TUNNEL, t, false);
}

/* Nobody is told: the master has done that. */
static void
drop_session(sess_id id)
{
	const struct session *s = session_get(id);
	uint8_t in = s->filter_in, out = s->filter_out;

	repl_state_yield_session(id);
	session_forwarding(id, false);
	addr_unmirror(id);
	hook_remove(id);
	frame_session(id, SESS_EV_GONE);
	session_free(id);
	filter_detach(in, out);
}

/* Its sessions have had their tombstones, but for strays. */
static void
drop_tunnel(tunn_id t)
{
	sess_id s;

	while ((s = session_first_of_tunnel(t)))
		drop_session(s);
	repl_state_yield_tunnel(t);
	hook_tunnel_member()->remove(t);
	tunnel_free(t);
}

/* --- installing --- */

/* Another session in the place, or elsewhere with the wire id, has gone at the master. */
static void
make_way(const struct repl_session *r)
{
	const struct session *s = session_get(r->id);
	sess_id other;

	if (s && (s->unique != r->rec.unique || s->tunnel != r->rec.tunnel ||
		     s->wire_sid != r->rec.wire_sid))
		drop_session(r->id);
	other = session_by_wire(tunnel_get((tunn_id)r->rec.tunnel)->wire_tid, r->rec.wire_sid);
	if (other && other != r->id)
		drop_session(other);
}

static bool
same_notes(const struct repl_session *r)
{
	return before.notes_len == r->notes_len &&
	       memcmp(before.notes, r->notes, r->notes_len) == 0;
}

static bool
same_addresses(const struct repl_session *r)
{
	return before.rec.ip4 == r->rec.ip4 && before.rec.down == r->rec.down &&
	       before.ppp.announced == r->ppp.announced &&
	       strcmp(before.rec.user, r->rec.user) == 0 && same_notes(r);
}

static void
install_notes(const struct repl_session *r)
{
	uint16_t pos = 0;
	struct note n;

	session_drop_notes(r->id);
	while (repl_next_note(r, &pos, &n))
		session_add_note(r->id, n.kind, n.tag, n.data, n.len);
}

/*
 * His last frame is as good as now: he is asked when he was silent. When his last packet came the
 * others will say, and we must not tell them that it came just now.
 */
static void
set_last_seen(const struct repl_session *r)
{
	struct sess_fast *f = session_fast(r->id);

	f->last_rx = loop_now_ds();
	f->last_data = r->age_ds < NEW_DS ? loop_now_ds() : 0;
}

int
repl_state_place_session(const struct repl_session *r)
{
	bool anew = !session_export(r->id, &before), moves = anew || !same_addresses(r);
	uint8_t in = 0, out = 0;
	struct sess_rec rec = r->rec;

	rec.filter_in = filter_of_name(r->filter_in);
	rec.filter_out = filter_of_name(r->filter_out);
	filter_attach(rec.filter_in, rec.filter_out);
	if (!anew) {
		in = session_get(r->id)->filter_in;
		out = session_get(r->id)->filter_out;
	}
	if (!anew && moves)
		addr_unmirror(r->id);
	if (session_place(r->id, &rec, r->age_ds, r->login) < 0) {
		filter_detach(rec.filter_in, rec.filter_out);
		return -1;
	}
	filter_detach(in, out);
	if (anew || !same_notes(r))
		install_notes(r);
	if (anew)
		set_last_seen(r);
	hook_install(r->id, r);
	session_forwarding(r->id, r->on);
	if (moves && !rec.down)
		addr_mirror(r->id, r->ppp.announced);
	return 0;
}

enum install
session_install(const struct repl_session *r)
{
	if (r->id == 0 || r->id > conf->max_sessions)
		return INSTALL_REFUSED;
	if (r->version <= change_version(CHANGE_SESSION, r->id))
		return INSTALL_OLD;
	if (r->rec.state == SESS_FREE)
		return INSTALL_REFUSED;
	if (!tunnel_get((tunn_id)r->rec.tunnel))
		return INSTALL_EARLY;
	make_way(r);
	repl_state_yield_session(r->id);
	if (repl_state_place_session(r) < 0)
		return INSTALL_REFUSED;
	change_set_version(CHANGE_SESSION, r->id, r->version);
	return INSTALL_DONE;
}

int
repl_state_place_tunnel(const struct repl_tunnel *r)
{
	int local = udp_local_of(r->local_ip);
	struct tunnel t = {
		.state = r->state,
		.local = (uint8_t)MAX(local, 0),
		.sequencing = r->sequencing,
		.hides = r->hides,
		.wire_tid = r->wire_tid,
		.peer_tid = r->peer_tid,
		.peer_ip = r->peer_ip,
		.peer_port = r->peer_port,
		.peer_window = r->peer_window,
		.peer_framing = r->peer_framing,
		.opened = r->opened,
		.ns = r->ns,
		.nr = r->nr,
		.queued = (uint16_t)(r->ns - r->acked),
	};

	if (local < 0)
		plog_limit(LOG_ERROR, "a tunnel of the master's is at %s, which is not ours",
		    ip4_text(r->local_ip));
	memcpy(t.hostname, r->hostname, sizeof(t.hostname));
	memcpy(t.vendor, r->vendor, sizeof(t.vendor));
	if (tunnel_place((tunn_id)r->id, &t) < 0)
		return -1;
	hook_tunnel_member()->install((tunn_id)r->id, r);
	return 0;
}

/* The same for a tunnel as make_way(). */
static void
make_way_for_tunnel(const struct repl_tunnel *r)
{
	const struct tunnel *t = tunnel_get((tunn_id)r->id);
	tunn_id other;

	if (t && t->wire_tid != r->wire_tid)
		drop_tunnel((tunn_id)r->id);
	other = tunnel_by_wire(r->wire_tid);
	if (other && other != r->id)
		drop_tunnel(other);
}

enum install
tunnel_install(const struct repl_tunnel *r)
{
	if (r->id == 0 || r->id > conf->max_tunnels || r->wire_tid == 0 || r->state == TUNNEL_FREE)
		return INSTALL_REFUSED;
	if (r->version <= change_version(CHANGE_TUNNEL, r->id))
		return INSTALL_OLD;
	make_way_for_tunnel(r);
	repl_state_yield_tunnel((tunn_id)r->id);
	if (repl_state_place_tunnel(r) < 0)
		return INSTALL_REFUSED;
	change_set_version(CHANGE_TUNNEL, r->id, r->version);
	return INSTALL_DONE;
}

enum install
chan_install(const struct repl_chan *r)
{
	if (!tunnel_get(r->tunnel))
		return INSTALL_EARLY;
	if (hook_tunnel_member()->keep(r->tunnel, r->ns, r->data, r->len) < 0)
		return INSTALL_REFUSED;
	return INSTALL_DONE;
}

enum install
session_remove(sess_id id, uint64_t version)
{
	if (id == 0 || id > conf->max_sessions)
		return INSTALL_REFUSED;
	if (version <= change_version(CHANGE_SESSION, id))
		return INSTALL_OLD;
	if (session_get(id))
		drop_session(id);
	change_set_version(CHANGE_SESSION, id, version);
	return INSTALL_DONE;
}

enum install
tunnel_remove(tunn_id id, uint64_t version)
{
	if (id == 0 || id > conf->max_tunnels)
		return INSTALL_REFUSED;
	if (version <= change_version(CHANGE_TUNNEL, id))
		return INSTALL_OLD;
	if (tunnel_get(id))
		drop_tunnel(id);
	change_set_version(CHANGE_TUNNEL, id, version);
	return INSTALL_DONE;
}

/* --- adopting --- */

void
repl_state_adopt_tunnel(tunn_id t)
{
	if (!tunnel_get(t) || change_is_active(CHANGE_TUNNEL, t))
		return;
	repl_state_yield_tunnel(t);
	change_set_active(CHANGE_TUNNEL, t, true);
	hook_tunnel_member()->adopt(t);
}

void
repl_state_adopt_session(sess_id s)
{
	if (!session_get(s) || change_is_active(CHANGE_SESSION, s))
		return;
	repl_state_adopt_tunnel((tunn_id)session_get(s)->tunnel);
	repl_state_yield_session(s);
	change_set_active(CHANGE_SESSION, s, true);
	hook_adopt(s);
}

/* --- the walk --- */

static bool
walk_batch(void (*tunnel)(tunn_id t), void (*session)(sess_id s))
{
	unsigned int n;

	for (n = 0; n < WALK_BATCH && walk.t <= tunnel_highest(); n++)
		tunnel(walk.t++);
	for (; n < WALK_BATCH && walk.s <= session_highest(); n++)
		session(walk.s++);
	return walk.t > tunnel_highest() && walk.s > session_highest();
}

static void
on_walk(uint32_t unused)
{
	(void)unused;
	walking = walk.yields ? !walk_batch(repl_state_yield_tunnel, repl_state_yield_session)
			      : !walk_batch(repl_state_adopt_tunnel, repl_state_adopt_session);
	if (walking) {
		timer_set(&walk.timer, MS(TIMER_TICK_MS));
		return;
	}
	hook_wake_session = NULL;
	hook_wake_tunnel = NULL;
	if (walk.done)
		walk.done();
}

static void
begin_walk(bool yields, void (*done)(void))
{
	walk.yields = yields;
	walk.t = walk.s = 1;
	walk.done = done;
	timer_stop(&walk.timer);
	hook_wake_session = yields ? NULL : repl_state_adopt_session;
	hook_wake_tunnel = yields ? NULL : repl_state_adopt_tunnel;
	on_walk(0);
}

void
repl_state_adopt(void (*done)(void))
{
	change_new_mastership();
	repl_offer_begin();
	hook_role(true);
	begin_walk(false, done);
}

void
repl_state_yield(void (*done)(void))
{
	hook_role(false);
	begin_walk(true, done);
}

bool
repl_state_settled(void)
{
	return !walking;
}

void
repl_state_init(void)
{
	timer_init(&walk.timer, on_walk, 0);
	repl_offer_init();
}
