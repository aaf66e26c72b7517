/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is master: decided by each member for itself, from heartbeats.
 *
 * A slave whose master is silent for cluster_hb_timeout, leaves or steps down, holds an
 * election among those it has heard within three intervals: who is up to date comes first,
 * of these who has the newest tables, then who has been up longest, then the highest
 * address. The one that finds itself in front becomes master, with a term above all that
 * were told; the others wait for its heartbeat, not for ever, and then count without it. At
 * a cold start, when nobody who is heard holds state, two seconds of silence do.
 *
 * Members need not agree at each moment. When there are two masters, both know it by the
 * other's heartbeat, and the lower by (term, table version, uptime, address) becomes slave.
 * Versions and uptimes are compared with what a heartbeat told a while ago, so that both
 * may find themselves the higher one; after three intervals of that the address alone
 * decides, which both see alike. That both find themselves lower cannot be: the figures
 * only grow.
 *
 * Terms never go back: a slave follows no master of a lower term than it has followed, and
 * tells its term; a master that hears of a higher one, from a slave that has no master,
 * raises its own above that.
 *
 * The net may carry messages one way only, or between some of the members. So each says whom it
 * hears. Who does not hear the master, but one that follows it, elects nobody. Who is heard by
 * nobody leads nobody: in front of one who does not hear it a member is never elected, and it
 * gives way to a master of its term who does not.
 *
 * There is no quorum: the last member alive must serve. A member whose loop stood still for
 * longer than cluster_hb_timeout is slave before it does anything else, since there may be
 * another master by now; if not, it is elected again when its peers have had the time to
 * say so - at once, when it had none.
 *
 * Owns struct election. Called by the cluster's engine.
 */
#include "election.h"

#include <arpa/inet.h>

enum {
	FRESH = 3,    /* intervals in which a member that lives is heard */
	PATIENCE = 2, /* intervals that a better one may take to become master */
	COLD_MS = 2000,
	SAME_MS = 100, /* uptimes that differ by less are the same: they are not told to the ms */
};

/* With less than two intervals, each heartbeat that is lost would be a death. */
static uint64_t
timeout_of(const struct election *e)
{
	return MAX(e->timeout_ms, (uint64_t)2 * e->interval_ms);
}

void
election_init(struct election *e, uint64_t incarnation, uint32_t address, uint32_t interval_ms,
    uint32_t timeout_ms, uint64_t now_ms)
{
	memset(e, 0, sizeof(*e));
	e->incarnation = incarnation;
	e->address = address;
	e->interval_ms = interval_ms;
	e->timeout_ms = timeout_ms;
	e->started_ms = e->stepped_ms = e->listens_ms = now_ms;
	e->elect_ms = now_ms + timeout_of(e);
}

/* --- peers --- */

#define FOR_EACH_PEER(e, p)                                                                        \
	for (struct election_peer *p = (e)->peers; p < (e)->peers + ELECTION_PEERS; p++)           \
		if (p->incarnation)

static struct election_peer *
find(struct election *e, uint64_t incarnation)
{
	struct election_peer *p;

	for (p = e->peers; p < e->peers + ELECTION_PEERS; p++)
		if (p->incarnation == incarnation)
			return p;
	return NULL;
}

const struct election_peer *
election_peer(const struct election *e, uint64_t incarnation)
{
	const struct election_peer *p;

	for (p = e->peers; incarnation && p < e->peers + ELECTION_PEERS; p++)
		if (p->incarnation == incarnation)
			return p;
	return NULL;
}

static uint32_t
place_bit(const struct election *e, const struct election_peer *p)
{
	return (uint32_t)1 << (p - e->peers);
}

/* A free place, or that of who was heard longest ago. */
static struct election_peer *
place(struct election *e)
{
	struct election_peer *p = find(e, 0), *oldest = e->peers;

	if (p)
		return p;
	for (p = e->peers; p < e->peers + ELECTION_PEERS; p++)
		if (p->heard_ms < oldest->heard_ms)
			oldest = p;
	return oldest;
}

/* Heartbeats may be read later than a turn's time was taken. */
static uint64_t
since(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool
is_fresh(const struct election *e, const struct election_peer *p, uint64_t now_ms)
{
	uint64_t ms = since(p->heard_ms, now_ms);

	return ms <= (uint64_t)FRESH * e->interval_ms && ms < timeout_of(e);
}

static bool
says_it_hears(const struct cl_heartbeat *hb, uint64_t incarnation)
{
	unsigned int i;

	if (!(hb->flags & CL_TELLS_HEARS))
		return true;
	for (i = 0; i < CLMSG_HEARS && hb->hears[i]; i++)
		if (hb->hears[i] == incarnation)
			return true;
	return false;
}

/* `p` is what was known of it before, or NULL. Who is new to it, or back, needs longer to be heard.
 */
static uint64_t
unheard_since(const struct election *e, const struct election_peer *p,
    const struct cl_heartbeat *hb, uint64_t now_ms)
{
	uint64_t fresh_ms = (uint64_t)FRESH * e->interval_ms;

	if (says_it_hears(hb, e->incarnation))
		return 0;
	if (!p || since(p->heard_ms, now_ms) >= timeout_of(e))
		return now_ms + since(fresh_ms, timeout_of(e));
	return p->unheard_ms ? p->unheard_ms : now_ms;
}

/* It has not heard us for cluster_hb_timeout, and goes on saying so. */
static bool
is_deaf(const struct election *e, const struct election_peer *p, uint64_t now_ms)
{
	return p->unheard_ms && since(p->unheard_ms, now_ms) >= (uint64_t)FRESH * e->interval_ms;
}

void
election_heard(struct election *e, uint64_t incarnation, uint32_t term,
    const struct cl_heartbeat *hb, uint64_t now_ms)
{
	struct election_peer *p = find(e, incarnation);
	uint64_t current_ms = p ? p->current_ms : 0, unheard_ms = unheard_since(e, p, hb, now_ms);

	if (incarnation == e->gone && hb->role == CL_MASTER)
		return; /* said before it left */
	if (p && (hb->uptime_ms < p->hb.uptime_ms || term < p->term))
		return; /* overtaken by a later one */
	if (!p) {
		p = place(e);
		e->passed &= ~place_bit(e, p);
	}
	*p = (struct election_peer){ .incarnation = incarnation,
		.heard_ms = now_ms,
		.current_ms = hb->flags & CL_UP_TO_DATE ? now_ms : current_ms,
		.unheard_ms = unheard_ms,
		.term = term,
		.hb = *hb };
	e->seen = MAX(e->seen, term);
}

void
election_forget(struct election *e, uint64_t incarnation)
{
	struct election_peer *p = incarnation ? find(e, incarnation) : NULL;

	if (!p)
		return;
	e->passed &= ~place_bit(e, p);
	p->incarnation = 0;
}

void
election_left(struct election *e, uint64_t incarnation, uint64_t successor, uint64_t now_ms)
{
	election_forget(e, incarnation);
	if (e->role == CL_MASTER || incarnation != e->master)
		return;
	e->gone = incarnation;
	e->successor = successor;
	e->elect_ms = now_ms;
}

void
election_alone(struct election *e)
{
	e->elect_ms = 0;
}

void
election_join(struct election *e, uint32_t address, uint64_t now_ms)
{
	e->address = address;
	e->stepped_ms = e->listens_ms = now_ms;
}

/* --- who comes before whom --- */

struct claim {
	uint64_t first, version, uptime_ms; /* in this order, the higher one wins */
	uint32_t address;		    /* host order */
};

static bool
beats(const struct claim *a, const struct claim *b)
{
	if (a->first != b->first)
		return a->first > b->first;
	if (a->version != b->version)
		return a->version > b->version;
	if (since(b->uptime_ms, a->uptime_ms) >= SAME_MS)
		return true;
	if (since(a->uptime_ms, b->uptime_ms) >= SAME_MS)
		return false;
	return a->address > b->address;
}

static uint64_t
uptime_of(const struct election_peer *p, uint64_t now_ms)
{
	return p->hb.uptime_ms + since(p->heard_ms, now_ms);
}

/* Between masters. */
static struct claim
master_claim(const struct election_peer *p, uint64_t now_ms)
{
	return (struct claim){ p->term, p->hb.version, uptime_of(p, now_ms), ntohl(p->hb.address) };
}

static struct claim
own_master_claim(const struct election *e, uint64_t now_ms)
{
	return (struct claim){ e->term, e->version, now_ms - e->started_ms, ntohl(e->address) };
}

/* Among those that may be elected. The version of who is not up to date says nothing. */
static struct claim
candidate_claim(const struct election_peer *p, uint64_t now_ms)
{
	bool current = p->hb.flags & CL_UP_TO_DATE, holds = p->hb.flags & CL_HOLDS_STATE;

	return (struct claim){ current ? 2 : holds, current ? p->hb.version : 0,
		uptime_of(p, now_ms), ntohl(p->hb.address) };
}

static struct claim
own_candidate_claim(const struct election *e, uint64_t now_ms)
{
	return (struct claim){ e->up_to_date ? 2 : e->holds_state, e->up_to_date ? e->version : 0,
		now_ms - e->started_ms, ntohl(e->address) };
}

/* --- changes of role --- */

static struct election_step
nothing(const struct election *e)
{
	return (struct election_step){ ELECTION_NOTHING, false, e->master, e->term };
}

static struct election_step
settle(struct election *e, enum election_what what, uint64_t now_ms)
{
	e->waits_for = e->successor = 0;
	e->passed = 0;
	e->rival_ms = 0;
	e->elect_ms = now_ms + timeout_of(e);
	return (struct election_step){ .what = what, .master = e->master, .term = e->term };
}

static void
raise_term(struct election *e)
{
	e->seen = MAX(e->seen, e->term);
	e->term = e->seen < UINT32_MAX ? e->seen + 1 : e->seen;
	e->seen = e->term;
}

static struct election_step
become_master(struct election *e, uint64_t now_ms)
{
	raise_term(e);
	e->role = CL_MASTER;
	e->master = e->incarnation;
	e->gone = 0;
	e->up_to_date = true;
	return settle(e, ELECTION_MASTER, now_ms);
}

static struct election_step
follow(struct election *e, const struct election_peer *p, enum election_what what, uint64_t now_ms)
{
	e->role = CL_SLAVE;
	e->master = p->incarnation;
	e->term = p->term;
	e->gone = 0;
	e->up_to_date = false;
	return settle(e, what, now_ms);
}

/* --- a member that stood still --- */

static bool
had_peers(struct election *e, uint64_t then_ms)
{
	FOR_EACH_PEER(e, p)
	if (since(p->heard_ms, then_ms) <= timeout_of(e))
		return true;
	return false;
}

static struct election_step
thaw(struct election *e, uint64_t then_ms, uint64_t now_ms)
{
	bool was_master = e->role == CL_MASTER;
	bool alone = !had_peers(e, then_ms);
	struct election_step step;

	e->role = CL_SLAVE;
	e->listens_ms = now_ms;
	if (was_master)
		e->master = 0;
	step = settle(e, ELECTION_FROZEN, now_ms);
	step.was_master = was_master;
	if (was_master)
		e->elect_ms = now_ms + (alone ? 0 : (uint64_t)FRESH * e->interval_ms);
	return step;
}

/* --- a master among others --- */

/* The strongest of the other masters there are. */
static struct election_peer *
best_master(struct election *e, uint64_t now_ms)
{
	struct election_peer *best = NULL;
	struct claim a, b;

	FOR_EACH_PEER(e, p)
	{
		if (p->hb.role != CL_MASTER || !is_fresh(e, p, now_ms))
			continue;
		a = master_claim(p, now_ms);
		if (best)
			b = master_claim(best, now_ms);
		if (!best || beats(&a, &b))
			best = p;
	}
	return best;
}

static bool
gives_way_to(struct election *e, const struct election_peer *p, uint64_t now_ms)
{
	struct claim ours = own_master_claim(e, now_ms), theirs = master_claim(p, now_ms);

	if (!e->rival_ms)
		e->rival_ms = now_ms;
	if (ours.first == theirs.first && is_deaf(e, p, now_ms))
		return true; /* it cannot give way itself */
	if (ours.first == theirs.first && now_ms - e->rival_ms > (uint64_t)FRESH * e->interval_ms)
		return theirs.address > ours.address;
	return beats(&theirs, &ours);
}

/* A member without a master has followed one of a higher term. */
static bool
is_outdated(struct election *e, uint64_t now_ms)
{
	FOR_EACH_PEER(e, p)
	if (is_fresh(e, p, now_ms) && p->hb.role == CL_SLAVE && p->hb.master == 0 &&
	    p->term > e->term)
		return true;
	return false;
}

static struct election_step
step_master(struct election *e, uint64_t now_ms)
{
	struct election_peer *rival = best_master(e, now_ms);

	if (rival && gives_way_to(e, rival, now_ms))
		return follow(e, rival, ELECTION_YIELD, now_ms);
	if (!rival)
		e->rival_ms = 0;
	if (rival || !is_outdated(e, now_ms))
		return nothing(e);
	raise_term(e);
	return (struct election_step){ ELECTION_RAISED, false, e->master, e->term };
}

/* --- elections --- */

/* It is up to date and we are not: it is waited for as long as it may live at all. */
static bool
saves_state(const struct election *e, const struct election_peer *p)
{
	return p->hb.flags & CL_UP_TO_DATE && !e->up_to_date;
}

static bool
may_win(struct election *e, const struct election_peer *p, uint64_t now_ms)
{
	if (e->passed & place_bit(e, p))
		return false;
	return is_fresh(e, p, now_ms) ||
	       (saves_state(e, p) && since(p->heard_ms, now_ms) < timeout_of(e));
}

/* Who should be master, of those heard of lately and of us (NULL). */
static struct election_peer *
winner(struct election *e, uint64_t now_ms)
{
	struct claim most = own_candidate_claim(e, now_ms), its;
	struct election_peer *best = NULL;

	if (e->successor == e->incarnation)
		return NULL;
	FOR_EACH_PEER(e, p)
	{
		if (!may_win(e, p, now_ms))
			continue;
		if (p->incarnation == e->successor)
			return p;
		its = candidate_claim(p, now_ms);
		if ((!best && is_deaf(e, p, now_ms)) || beats(&its, &most)) {
			most = its;
			best = p;
		}
	}
	return best;
}

static uint64_t
patience(const struct election *e, const struct election_peer *p)
{
	uint64_t ms = (uint64_t)PATIENCE * e->interval_ms;

	return saves_state(e, p) ? MAX(ms, timeout_of(e)) : ms;
}

static struct election_step
elect(struct election *e, uint64_t now_ms)
{
	struct election_peer *p = winner(e, now_ms);

	if (!p)
		return become_master(e, now_ms);
	if (e->waits_for != p->incarnation) {
		e->waits_for = p->incarnation;
		e->waits_ms = now_ms;
	} else if (now_ms - e->waits_ms > patience(e, p)) {
		e->passed |= place_bit(e, p);
		return elect(e, now_ms);
	}
	return nothing(e);
}

/* Somebody hears a master that we do not hear. */
static bool
others_follow(struct election *e, uint64_t now_ms)
{
	const struct election_peer *m;

	FOR_EACH_PEER(e, p)
	{
		if (!is_fresh(e, p, now_ms) || p->hb.master == 0 || p->hb.role != CL_SLAVE)
			continue;
		if (p->hb.master == e->incarnation || p->hb.master == e->gone)
			continue;
		m = find(e, p->hb.master);
		if (!m || m->hb.role == CL_MASTER || !is_fresh(e, m, now_ms))
			return true;
	}
	return false;
}

static bool
is_cold(struct election *e, uint64_t now_ms)
{
	if (e->holds_state || e->term > 0)
		return false;
	FOR_EACH_PEER(e, p)
	if (is_fresh(e, p, now_ms) && p->hb.flags & CL_HOLDS_STATE)
		return false;
	return now_ms - e->listens_ms >= MIN(COLD_MS, timeout_of(e));
}

static bool
may_elect(struct election *e, uint64_t now_ms)
{
	if (now_ms < e->elect_ms)
		return is_cold(e, now_ms);
	return e->successor || !others_follow(e, now_ms);
}

/* --- a slave --- */

bool
election_shut_out(struct election *e, uint64_t now_ms)
{
	return e->role == CL_SLAVE && e->master == 0 && others_follow(e, now_ms);
}

bool
election_unheard(const struct election *e, uint64_t now_ms)
{
	const struct election_peer *p = election_peer(e, e->master);

	return e->role == CL_SLAVE && p && is_deaf(e, p, now_ms);
}

/* What the master we follow is now: its place while it is one. */
static struct election_peer *
our_master(struct election *e)
{
	struct election_peer *p = e->master ? find(e, e->master) : NULL;

	return p && p->hb.role == CL_MASTER ? p : NULL;
}

static struct election_step
lose_master(struct election *e)
{
	e->master = 0;
	e->waits_for = 0;
	return (struct election_step){ ELECTION_LOST, false, 0, e->term };
}

/* It has said that it is none any more. */
static bool
has_stepped_down(const struct election *e)
{
	const struct election_peer *p = election_peer(e, e->master);

	return p && p->hb.role != CL_MASTER;
}

static struct election_step
step_slave(struct election *e, uint64_t now_ms)
{
	struct election_peer *ours = our_master(e), *best = best_master(e, now_ms);

	if (ours) {
		e->term = MAX(e->term, ours->term);
		e->elect_ms = MAX(e->elect_ms, ours->heard_ms + timeout_of(e));
	}
	if (best && best != ours && best->term >= e->term &&
	    (!ours || best->term > ours->term || now_ms >= e->elect_ms))
		return follow(e, best, ELECTION_FOLLOW, now_ms);
	if (has_stepped_down(e)) {
		e->elect_ms =
		    now_ms + (uint64_t)FRESH * e->interval_ms; /* its new master may be heard */
		return lose_master(e);
	}
	if (e->master && now_ms >= e->elect_ms)
		return lose_master(e);
	return may_elect(e, now_ms) ? elect(e, now_ms) : nothing(e);
}

struct election_step
election_step(struct election *e, uint64_t now_ms)
{
	uint64_t then_ms = e->stepped_ms;

	e->stepped_ms = now_ms;
	if (now_ms - then_ms > timeout_of(e))
		return thaw(e, then_ms, now_ms);
	return e->role == CL_MASTER ? step_master(e, now_ms) : step_slave(e, now_ms);
}

/* --- what others are told --- */

uint64_t
election_successor(const struct election *e, uint64_t now_ms)
{
	const struct election_peer *p;
	struct claim most = { 0 }, its;
	uint64_t best = 0;

	for (p = e->peers; p < e->peers + ELECTION_PEERS; p++) {
		if (!p->incarnation || !is_fresh(e, p, now_ms) || p->hb.role != CL_SLAVE ||
		    p->hb.master != e->incarnation || !(p->hb.flags & CL_UP_TO_DATE))
			continue;
		its = candidate_claim(p, now_ms);
		its.version = 0; /* told at different times, while it changes */
		if (!best || beats(&its, &most)) {
			most = its;
			best = p->incarnation;
		}
	}
	return e->role == CL_MASTER ? best : 0;
}

static void
tell_whom_we_hear(const struct election *e, uint64_t now_ms, uint64_t *hears)
{
	const struct election_peer *p;
	unsigned int n = 0;

	for (p = e->peers; p < e->peers + ELECTION_PEERS && n < CLMSG_HEARS; p++)
		if (p->incarnation && since(p->heard_ms, now_ms) < timeout_of(e))
			hears[n++] = p->incarnation;
}

void
election_tell(const struct election *e, uint64_t now_ms, struct cl_heartbeat *hb)
{
	tell_whom_we_hear(e, now_ms, hb->hears);
	hb->role = e->role;
	hb->flags = (uint16_t)(CL_TELLS_HEARS | (e->holds_state ? CL_HOLDS_STATE : 0) |
			       (e->up_to_date ? CL_UP_TO_DATE : 0));
	hb->uptime_ms = now_ms - e->started_ms;
	hb->version = e->version;
	hb->master = e->master;
	hb->address = e->address;
}

static bool
follows_us(const struct election *e, const struct election_peer *p, uint64_t now_ms)
{
	return p->incarnation && is_fresh(e, p, now_ms) && p->hb.role == CL_SLAVE &&
	       p->hb.master == e->incarnation;
}

unsigned int
election_drawing(const struct election *e, uint64_t now_ms)
{
	const struct election_peer *p;
	unsigned int n = 0;

	for (p = e->peers; p < e->peers + ELECTION_PEERS; p++)
		n += follows_us(e, p, now_ms) && p->hb.flags & CL_DRAWS;
	return n;
}

unsigned int
election_up_to_date(const struct election *e, uint64_t linger_ms, uint64_t now_ms)
{
	const struct election_peer *p;
	unsigned int n = 0;

	for (p = e->peers; p < e->peers + ELECTION_PEERS; p++)
		n += follows_us(e, p, now_ms) && p->current_ms &&
		     since(p->current_ms, now_ms) <= linger_ms;
	return n;
}
