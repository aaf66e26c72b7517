/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two masters have met: the one that steps down offers what it has, and this one takes what it
 * lacks. Places are each one's own, so a session of his may need another one here, or may be here
 * in another already: it is known by its number, and its tunnel by its wire id and peer.
 *
 * What is taken is placed as on a slave, marked as changed, so that all hear of it, and adopted.
 * Where both have given out the same address the older session keeps it; of two calls by one id of
 * the LAC's the later one is the LAC's. What he has ended, with a Stop, ends here without another
 * one.
 *
 * Owns which of ours each of his tunnels is. Called by clrec.c, which knows what is news; uses the
 * steps of repl_state.c.
 */
#include "repl_offer.h"
#include "addr.h"
#include "change.h"
#include "config.h"
#include "hook.h"
#include "iptab.h"
#include "log.h"
#include "loop.h"
#include "session.h"
#include "shm.h"
#include "tunnel.h"
#include "util.h"

#include <string.h>

static uint16_t *offered; /* our tunn_id for each of who steps down; 0: none of ours */

static bool
is_same_tunnel(tunn_id t, const struct repl_tunnel *r)
{
	const struct tunnel *tun = tunnel_get(t);

	return tun->peer_tid == r->peer_tid && tun->peer_ip == r->peer_ip;
}

void
tunnel_match(const struct repl_tunnel *r)
{
	tunn_id same = tunnel_by_wire(r->wire_tid);

	if (r->id == 0 || r->id > conf->max_tunnels)
		return;
	offered[r->id] = same && is_same_tunnel(same, r) ? (uint16_t)same : 0;
}

void
tunnel_resync(const struct repl_tunnel *r)
{
	tunn_id t = r->id && r->id <= conf->max_tunnels ? offered[r->id] : 0;

	if (!t || !tunnel_get(t))
		return;
	repl_state_yield_tunnel(t);
	repl_state_adopt_tunnel(t);
}

/* The place for what is offered: of the same thing, its own one, or another; 0: none. */
static uint32_t
place_for(uint32_t same, uint32_t own, bool own_is_free, uint32_t other)
{
	return same ? same : own_is_free ? own : other;
}

/* The LAC's SCCRQ has come to us as well, and to him in vain. */
static bool
was_opened_here(const struct repl_tunnel *r)
{
	tunn_id t = tunnel_by_peer(r->peer_ip, r->peer_port, r->peer_tid);

	return t && r->state == TUNNEL_OPENING && tunnel_get(t)->wire_tid != r->wire_tid;
}

enum install
tunnel_offer(const struct repl_tunnel *r)
{
	tunn_id same = tunnel_by_wire(r->wire_tid);
	struct repl_tunnel copy = *r;

	if (r->id == 0 || r->id > conf->max_tunnels || r->wire_tid == 0 || r->state == TUNNEL_FREE)
		return INSTALL_REFUSED;
	if (r->state == TUNNEL_DIEING)
		return INSTALL_OLD; /* it may live on here: he heard nobody, perhaps */
	offered[r->id] = 0;
	if ((same && !is_same_tunnel(same, r)) || was_opened_here(r))
		return INSTALL_OLD;
	copy.id = place_for(same, r->id, tunnel_get((tunn_id)r->id) == NULL, tunnel_free_place());
	if (!copy.id)
		return INSTALL_REFUSED;
	repl_state_yield_tunnel((tunn_id)copy.id);
	if (repl_state_place_tunnel(&copy) < 0)
		return INSTALL_REFUSED;
	offered[r->id] = (uint16_t)copy.id;
	change_mark(CHANGE_TUNNEL, copy.id);
	repl_state_adopt_tunnel((tunn_id)copy.id);
	return INSTALL_DONE;
}

/*
 * The address of the younger of two sessions is the other's: he gets another one, of which IPCP
 * tells him since the session does not forward when it is adopted; or the session ends, when only
 * this address would do.
 */
static void
leave_address(sess_id s, uint32_t old, bool up)
{
	const struct sess_end end = {
		.cause = TERM_NAS_REQUEST,
		.result = 3, /* RFC 2661 4.4.2: administrative reasons */
		.message = "its address is an older session's",
	};
	bool replaced;

	repl_state_yield_session(s);
	session_forwarding(s, false);
	replaced = addr_replace(s, old, up);
	repl_state_adopt_session(s);
	slog(session_get(s), LOG_WARNING,
	    "address %s is an older session's of another master: now %s", ip4_text(old),
	    replaced ? "another one" : "none");
	if (!replaced)
		hook_close(s, &end);
}

/* True: what is offered may have its address. Else it is an older session's of ours. */
static bool
settle_address(const struct repl_session *r)
{
	static struct repl_session before;
	sess_id owner = r->rec.ip4 && !r->rec.down ? iptab_exact(r->rec.ip4, 32) : 0;

	if (!owner || owner == r->id)
		return true;
	if (session_age(session_get(owner)) >= r->age_ds / 10)
		return false;
	session_export(owner, &before);
	leave_address(owner, r->rec.ip4, before.ppp.announced);
	return true;
}

/* Length of the route in a note when another session has it; 0: it has not, or it is none. */
static uint8_t
anothers_route(const struct note *n, sess_id s)
{
	struct note_route route;
	sess_id owner;

	if (n->kind != NOTE_ROUTE)
		return 0;
	memcpy(&route, n->data, sizeof(route));
	owner = iptab_exact(route.addr, route.len);
	return owner && owner != s ? route.len : 0;
}

/* Routes that are another session's here: what is offered waits for them, but does not for one of a
 * single address (addr.c). */
static void
wait_for_routes(struct repl_session *r)
{
	uint16_t pos = 0, at = 0, kept = 0;
	struct note n;
	uint8_t len;

	for (; repl_next_note(r, &pos, &n); at = pos) {
		len = anothers_route(&n, r->id);
		if (len == 32)
			continue;
		if (len)
			r->notes[at] = NOTE_WAITS;
		memmove(r->notes + kept, r->notes + at, pos - (size_t)at);
		kept = (uint16_t)(kept + pos - at);
	}
	r->notes_len = kept;
}

/*
 * A LAC has one call by an id of its. Of two that are known by it each master may have one: the
 * LAC's is the later one, or that which is open. True: that is `other`, of ours.
 */
static bool
is_outdated(const struct repl_session *r, sess_id other)
{
	const struct session *s = session_get(other);

	if (r->rec.state != s->state)
		return r->rec.state == SESS_OPENING;
	return r->age_ds >= loop_now_ds() - s->began_ds;
}

static void
end_outdated(sess_id s)
{
	static const struct sess_end end = {
		.cause = TERM_LOST_CARRIER,
		.message = "the LAC uses the id again",
	};

	hook_session_down(s, &end);
	hook_session(s, SESS_EV_GONE);
	session_free(s);
}

/* What is offered under the id and tunnel it has here; false: there is nothing to take. */
static bool
here(const struct repl_session *r, struct repl_session *copy)
{
	tunn_id t = r->rec.tunnel <= conf->max_tunnels ? offered[r->rec.tunnel] : 0;
	sess_id same, other;

	if (!t || !tunnel_get(t))
		return false;
	*copy = *r;
	copy->rec.tunnel = t;
	same = session_by_wire(tunnel_get(t)->wire_tid, r->rec.wire_sid);
	if (same && session_get(same)->unique != r->rec.unique)
		return false;
	other = session_by_peer(t, r->rec.peer_sid);
	if (other && other != same) {
		if (is_outdated(r, other))
			return false;
		end_outdated(other);
	}
	copy->id = place_for(same, r->id, session_get(r->id) == NULL, session_free_place());
	return copy->id != 0;
}

enum install
session_offer(const struct repl_session *r)
{
	static struct repl_session copy;
	bool keeps;

	if (r->id == 0 || r->id > conf->max_sessions || r->rec.state == SESS_FREE)
		return INSTALL_REFUSED;
	if (r->rec.down || r->rec.state == SESS_CLOSING || !here(r, &copy))
		return INSTALL_OLD;
	keeps = settle_address(&copy);
	if (!keeps) {
		copy.rec.ip4 = 0;
		copy.on = 0;
	}
	wait_for_routes(&copy);
	repl_state_yield_session(copy.id);
	if (repl_state_place_session(&copy) < 0)
		return INSTALL_REFUSED;
	change_mark(CHANGE_SESSION, copy.id);
	if (keeps)
		repl_state_adopt_session(copy.id);
	else
		leave_address(copy.id, r->rec.ip4, r->ppp.announced);
	return INSTALL_DONE;
}

bool
session_came_up_there(const struct repl_session *r, sess_id ours)
{
	const struct session *s = session_get(ours);

	return r->on && !s->down && s->phase < PPP_NETWORK;
}

void
session_agree(const struct repl_session *r)
{
	sess_id id = session_by_unique(r->rec.unique);
	const struct session *s = session_get(id);

	if (!s || s->down || s->state != SESS_OPEN || !s->ip4 || !r->rec.ip4 ||
	    s->ip4 == r->rec.ip4)
		return;
	slog(s, LOG_WARNING, "address %s of another master is %s here: IPCP begins again",
	    ip4_text(r->rec.ip4), ip4_text(s->ip4));
	repl_state_yield_session(id);
	session_forwarding(id, false);
	repl_state_adopt_session(id);
}

enum install
session_ended_elsewhere(const struct repl_ended *r)
{
	static const struct sess_end end = {
		.cause = TERM_LOST_CARRIER,
		.elsewhere = true,
		.message = "at another master",
	};
	sess_id id = session_by_unique(r->unique);

	if (!id || id != session_by_wire(r->wire_tid, r->wire_sid))
		return INSTALL_OLD;
	hook_session_down(id, &end);
	hook_session(id, SESS_EV_GONE);
	session_free(id);
	return INSTALL_DONE;
}

void
repl_offer_begin(void)
{
	memset(offered, 0, (conf->max_tunnels + (size_t)1) * sizeof(*offered));
}

void
repl_offer_init(void)
{
	offered =
	    shm_map_private("tunnels offered", (conf->max_tunnels + (size_t)1) * sizeof(*offered));
}
