/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of the cluster: who is heard (clguard.h), who is master (election.h), and
 * what follows from that. Owns the list of peers, the heartbeat, and the change of role: what
 * the stream (clstream.c), full synchronisations (clsync.c) and the engines (repl_state.h)
 * have to do then is in take_mastership(), step_down() and follow() below, in order.
 *
 * Every message passes on_input(): signature, admission, role of who sent it; then it goes to
 * who has registered for its kind.
 *
 * A member draws traffic when it is the master and too few slaves are there to do it, or a slave
 * that is up to date (SPEC 13).
 */
#include "cluster.h"
#include "acct_queue.h"
#include "change.h"
#include "clcount.h"
#include "clguard.h"
#include "clsock.h"
#include "clstream.h"
#include "clsync.h"
#include "config.h"
#include "counter.h"
#include "election.h"
#include "log.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "seq.h"
#include "session.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum {
	WATCHERS = 8,
	STEP_MS = 100,	   /* the election is asked at least so often */
	SOON_MS = 20,	   /* behind a burst of changes a heartbeat follows */
	LINGER_MS = 2000,  /* who draws traffic, and need or may no longer, goes on for so long */
	FORGET_MS = 60000, /* a peer that is silent is thought of for so long */
	GIVE_UP_MS = 2000, /* a master that leaves waits for the next one so long */
	TENTH_MS = 100,
};

static struct clguard guard;
static struct election el;
static struct clmsg_key key;
static uint64_t counter;  /* of our messages */
static bool alone = true; /* nobody else can be there */
static bool synced;	  /* as a slave: a full synchronisation has ended, nothing was lost since */
static bool first;	  /* as master: there was nothing before us */
static uint64_t followed; /* incarnation of the master before the present one */
static uint64_t in_step_with; /* of the master we had all of, last; our own when we were it */
static uint64_t led_ms;	      /* when our mastership began */
static uint64_t draws_ms;     /* last time that we had to draw traffic, or, as a slave, might */
static bool routes;
static uint64_t heartbeats;
static uint64_t places[CLGUARD_PEERS]; /* incarnations, as the guard had them */
static struct cluster_sender sender;
static struct timer beat_timer, soon_timer, step_timer, leave_timer;
static void (*left)(bool handed_over); /* we leave: to be called when we may end */
static uint64_t leave_ms;	       /* when that is */
static bool hands_over;		       /* we were master */
static uint64_t successor;
static struct cluster_status *status;

static void (*handlers[CLMSG_KINDS])(uint32_t from, struct rd fields);
static void (*route_watchers[WATCHERS])(bool raise);
static void (*role_watchers[WATCHERS])(bool master);
static void (*gone_watcher)(void);
static unsigned int others; /* members, at the last step */

/* --- asked by others --- */

bool
cluster_is_master(void)
{
	return role_is_master();
}

uint32_t
cluster_own_address(void)
{
	return alone ? 0 : clsock_address();
}

uint32_t
cluster_master_address(void)
{
	return role_is_master() ? cluster_own_address() : role_master_address();
}

static const struct election_peer *
peer_of(uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; incarnation && i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation == incarnation)
			return &el.peers[i];
	return NULL;
}

bool
cluster_master_acknowledges(void)
{
	const struct election_peer *master = peer_of(el.master);

	return master && master->hb.flags & CL_ACKNOWLEDGES;
}

bool
cluster_is_first(void)
{
	return first;
}

bool
cluster_has_peers(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation)
			return true;
	return false;
}

unsigned int
cluster_peers_alive(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ELECTION_PEERS; i++)
		n += el.peers[i].incarnation &&
		     loop_now_ms() - el.peers[i].heard_ms <= 3 * (uint64_t)el.interval_ms;
	return n;
}

const struct cluster_sender *
cluster_sender(void)
{
	return &sender;
}

uint64_t
cluster_incarnation(void)
{
	return el.incarnation;
}

uint64_t
cluster_master_age_ms(void)
{
	return loop_now_ms() - led_ms;
}

void
cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields))
{
	handlers[kind] = fn;
}

static bool
up_to_date(void)
{
	return role_is_master() || (synced && clstream_complete());
}

/* --- routes --- */

static bool
too_few_slaves(void)
{
	return alone || election_up_to_date(&el, LINGER_MS, loop_now_ms()) <
			    MAX(conf->cluster_master_min_adv, 1);
}

/* Routers do not like routes that come and go, as they would when heartbeats are lost. */
static bool
draws_traffic(void)
{
	bool now = role_is_master() ? too_few_slaves() : up_to_date();

	if (left)
		return false;
	if (!el.master)
		return routes; /* who forwards goes on */
	if (now)
		draws_ms = loop_now_ms();
	return now || (routes && loop_now_ms() - draws_ms < LINGER_MS);
}

static void
settle_routes(void)
{
	bool raise = draws_traffic();
	unsigned int i;

	if (raise == routes)
		return;
	routes = raise;
	plog(LOG_WARNING, "cluster: %s traffic", raise ? "drawing" : "no longer drawing");
	for (i = 0; i < WATCHERS && route_watchers[i]; i++)
		route_watchers[i](raise);
}

void
cluster_on_routes(void (*fn)(bool raise))
{
	unsigned int i;

	for (i = 0; i < WATCHERS; i++)
		if (!route_watchers[i]) {
			route_watchers[i] = fn;
			fn(routes);
			return;
		}
}

void
cluster_on_role(void (*fn)(bool master))
{
	unsigned int i;

	for (i = 0; i < WATCHERS; i++)
		if (!role_watchers[i]) {
			role_watchers[i] = fn;
			return;
		}
}

void
cluster_on_gone(void (*fn)(void))
{
	gone_watcher = fn;
}

static void
tell_role(void)
{
	unsigned int i;

	for (i = 0; i < WATCHERS && role_watchers[i]; i++)
		role_watchers[i](role_is_master());
	settle_routes();
}

/* --- sending --- */

static struct wr
begin(uint8_t kind, uint64_t receiver)
{
	static uint8_t buf[CLMSG_LARGEST];
	struct cl_head head = {
		.kind = kind,
		.incarnation = el.incarnation,
		.receiver = receiver,
		.counter = ++counter,
		.term = el.term,
	};

	return clmsg_begin(buf, sizeof(buf), &head);
}

static bool
post(uint32_t to, struct wr *w)
{
	size_t len = clmsg_seal(w, &key);

	return len && clsock_send(to, w->buf, len);
}

bool
cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	uint64_t receiver = to ? clguard_incarnation_at(&guard, to) : 0;
	struct wr w;

	if (alone || (to && !receiver)) {
		COUNT(cluster_send_failed);
		return false;
	}
	w = begin(kind, receiver);
	wr_bytes(&w, fields, len);
	if (kind == CL_CHANGE && !to && !timer_running(&soon_timer))
		timer_set(&soon_timer, MS(SOON_MS)); /* who has lost it is told so */
	return post(to, &w);
}

static void
send_heartbeat(uint32_t to)
{
	struct cl_heartbeat hb = {
		.seq = clstream_seq(),
		.base = role_is_master() ? clstream_base() : 0,
		.before = role_is_master() ? followed : 0,
		.address = clsock_address(),
		.sessions = session_count(),
		.tunnels = tunnel_count(),
	};
	struct wr w;

	el.version = change_table_version();
	el.up_to_date = up_to_date();
	election_tell(&el, loop_now_ms(), &hb);
	hb.flags |= CL_ACKNOWLEDGES;
	str_copy(hb.host, sizeof(hb.host), conf->hostname);
	str_copy(hb.software, sizeof(hb.software), L2TPNS_VERSION);
	w = begin(CL_HEARTBEAT, to ? clguard_incarnation_at(&guard, to) : 0);
	clmsg_put_heartbeat(&w, &hb);
	post(to, &w);
	heartbeats++;
}

static void
on_beat(uint32_t unused)
{
	(void)unused;
	send_heartbeat(0);
	timer_set(&beat_timer, MS(conf->cluster_hb_interval * (uint64_t)TENTH_MS));
}

static void
on_soon(uint32_t unused)
{
	(void)unused;
	if (role_is_master())
		send_heartbeat(0);
}

static void
send_proof(uint32_t to, uint64_t receiver, uint8_t kind, const uint8_t *nonce)
{
	struct cl_proof m = { .address = clsock_address() };
	struct wr w = begin(kind, receiver);

	memcpy(m.nonce, nonce, sizeof(m.nonce));
	clmsg_put_proof(&w, &m);
	post(to, &w);
}

/* --- roles --- */

static uint32_t
address_of(uint64_t incarnation)
{
	const struct election_peer *p = peer_of(incarnation);

	return p ? p->hb.address : 0;
}

static bool
somebody_holds_state(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation && (el.peers[i].hb.flags & CL_HOLDS_STATE))
			return true;
	return false;
}

/* Numbers that we give are above all that anybody has. */
static void
count_above(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation)
			change_seen_version(el.peers[i].hb.version);
}

static void
take_mastership(void)
{
	plog(LOG_WARNING, "cluster: this member is master now, term %u", el.term);
	first = !el.holds_state && !somebody_holds_state();
	followed = in_step_with;
	in_step_with = el.incarnation;
	led_ms = loop_now_ms();
	clsync_stop();
	role_set(true, 0);
	clstream_lead();
	count_above();
	el.holds_state = true;
	COUNT(cluster_elections);
	if (!alone)
		on_beat(0);
	repl_state_adopt(NULL);
	tell_role();
}

/* What is to be had of the new master: nothing, when we had all of the one before, as it had. */
static void
catch_up(const struct election_peer *master)
{
	bool same = in_step_with && in_step_with == master->hb.before;
	uint64_t version = change_table_version();

	synced = same && version >= master->hb.base;
	clstream_follow(synced ? 0 : master->hb.seq);
	clstream_heard(master->hb.seq);
	if (el.holds_state && version > master->hb.base)
		clsync_offer(master->hb.base, !synced);
	else if (!synced)
		clsync_ask();
	if (synced)
		in_step_with = master->incarnation;
}

static void
follow(uint64_t incarnation)
{
	const struct election_peer *master = peer_of(incarnation);
	bool led = role_is_master();

	clsync_stop();
	role_set(false, master ? master->hb.address : 0);
	if (led) {
		COUNT(cluster_yielded);
		repl_state_yield(NULL);
		clstream_follow(0);
		synced = true; /* it was all there is */
	}
	if (master) {
		plog(LOG_WARNING, "cluster: %s is master, term %u", ip4_text(master->hb.address),
		    el.term);
		catch_up(master);
		send_heartbeat(0);
	} else {
		plog(LOG_WARNING, "cluster: no master is known");
		send_heartbeat(0); /* they need not wait for our next one to elect */
	}
	tell_role();
}

/* What came while we stood still is old, and somebody else may be master. */
static void
thaw(const struct election_step *step)
{
	COUNT(cluster_frozen);
	plog(LOG_ERROR, "cluster: the loop stood still for longer than cluster_hb_timeout");
	clsock_discard();
	udp_discard();
	if (step->was_master)
		follow(0);
}

static bool
carry_out(const struct election_step *step)
{
	switch (step->what) {
	case ELECTION_NOTHING:
		return false;
	case ELECTION_MASTER:
		take_mastership();
		break;
	case ELECTION_FROZEN:
		thaw(step);
		break;
	case ELECTION_RAISED:
		send_heartbeat(0);
		break;
	case ELECTION_YIELD:
	case ELECTION_FOLLOW:
		follow(step->master);
		break;
	case ELECTION_LOST:
		follow(0);
		break;
	}
	return true;
}

/* Ahead of all input of a turn. Who is alone has nobody to give way to. */
static void
step(void)
{
	struct election_step s;

	if (left || (alone && led_ms))
		return;
	do {
		el.version = change_table_version();
		el.up_to_date = up_to_date();
		el.interval_ms = conf->cluster_hb_interval * TENTH_MS;
		el.timeout_ms = conf->cluster_hb_timeout * TENTH_MS;
		s = election_step(&el, loop_now_ms());
	} while (carry_out(&s));
}

void
cluster_synced(bool yes)
{
	if (yes) {
		plog(LOG_WARNING, "cluster: up to date with the master");
		in_step_with = el.master;
		el.holds_state = true;
	}
	synced = yes;
	if (!yes)
		in_step_with = 0;
	settle_routes();
}

/* --- hearing --- */

static void
forget(uint64_t incarnation)
{
	const struct election_peer *p = peer_of(incarnation);

	unsigned int i;

	if (p)
		plog(LOG_WARNING, "cluster: %s is gone", ip4_text(p->hb.address));
	for (i = 0; i < CLGUARD_PEERS; i++)
		if (places[i] == incarnation) {
			clguard_forget(&guard, i);
			places[i] = 0;
		}
	election_forget(&el, incarnation);
	change_subscribe(cluster_has_peers());
	if (role_is_master() && !cluster_has_peers())
		clstream_break();
}

static void
on_heartbeat(uint32_t from, struct rd fields)
{
	struct cl_heartbeat hb;
	bool known = peer_of(sender.incarnation);

	if (!clmsg_get_heartbeat(fields, &hb)) {
		COUNT(cluster_malformed);
		return;
	}
	hb.address = from;
	election_heard(&el, sender.incarnation, sender.term, &hb, loop_now_ms());
	if (!known) {
		plog(LOG_WARNING, "cluster: hearing %s (%s)", ip4_text(from), hb.host);
		change_subscribe(true);
	}
	if (role_is_master())
		change_seen_version(hb.version);
	else if (sender.incarnation == el.master && sender.term == el.term)
		clstream_heard(hb.seq);
	settle_routes();
}

static void
on_leave(uint32_t from, struct rd fields)
{
	struct cl_leave m;

	if (!clmsg_get_leave(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	if (peer_of(sender.incarnation)) /* it says so several times */
		plog(LOG_WARNING, "cluster: %s leaves", ip4_text(from));
	election_left(&el, sender.incarnation, m.successor, loop_now_ms());
	step();
}

/* From whom a kind is heard. */
static bool
fits_role(uint8_t kind)
{
	switch (kind) {
	case CL_CHANGE:
	case CL_SYNC:
	case CL_FORWARD_ACK:
		return !role_is_master() && sender.incarnation == el.master &&
		       sender.term == el.term;
	case CL_RESEND:
	case CL_SYNC_ASK:
	case CL_OFFER:
		return role_is_master() && sender.term == el.term;
	default:
		return true;
	}
}

static void
dispatch(const struct cl_head *head, uint32_t from, struct rd fields)
{
	sender = (struct cluster_sender){
		.incarnation = head->incarnation, .address = from, .term = head->term
	};
	if (head->kind >= CLMSG_KINDS || !handlers[head->kind])
		COUNT(cluster_unknown_kind);
	else if (!fits_role(head->kind))
		COUNT(cluster_wrong_role);
	else
		handlers[head->kind](from, fields);
}

/* Another incarnation has the place of one that must be gone then. */
static void
watch_place(unsigned int i)
{
	const struct clguard_peer *p = clguard_peer(&guard, i);
	uint64_t now = p ? p->incarnation : 0;

	uint64_t before = places[i];

	places[i] = now;
	if (before && before != now)
		forget(before);
}

/* Why somebody is not heard. */
static void
turn_away(enum clguard_verdict verdict)
{
	if (verdict == CLGUARD_OTHERS)
		COUNT(cluster_not_for_us);
	else if (verdict == CLGUARD_REPLAY)
		COUNT(cluster_replayed);
	else
		COUNT(cluster_not_admitted);
}

static void
answer_challenge(const struct cl_head *head, uint32_t from, const struct cl_proof *m)
{
	enum clguard_verdict verdict = clguard_answers(&guard, head, m, from, loop_now_ms());

	if (verdict == CLGUARD_HEAR)
		send_proof(from, head->incarnation, CL_PROOF, m->nonce);
	else
		turn_away(verdict);
}

static void
take_proof(const struct cl_head *head, uint32_t from, const struct cl_proof *m)
{
	unsigned int place;
	enum clguard_verdict verdict = clguard_prove(&guard, head, m, from, loop_now_ms(), &place);

	if (verdict != CLGUARD_HEAR) {
		turn_away(verdict);
		return;
	}
	watch_place(place);
	send_heartbeat(from); /* he asks us in turn */
}

static void
prove(const struct cl_head *head, uint32_t from, struct rd fields)
{
	struct cl_proof m;

	if (!clmsg_get_proof(fields, &m))
		COUNT(cluster_malformed);
	else if (head->kind == CL_CHALLENGE)
		answer_challenge(head, from, &m);
	else
		take_proof(head, from, &m);
}

static void
admit(const struct cl_head *head, uint32_t from, struct rd fields)
{
	uint8_t nonce[CLMSG_NONCE];
	unsigned int place;
	enum clguard_verdict verdict = clguard_check(&guard, head, from, loop_now_ms(), &place);

	if (verdict == CLGUARD_HEAR) {
		dispatch(head, from, fields);
	} else if (verdict == CLGUARD_CHALLENGE) {
		COUNT(cluster_challenged);
		clguard_nonce(&guard, head->incarnation, from, loop_now_ms(), nonce);
		send_proof(from, head->incarnation, CL_CHALLENGE, nonce);
	} else {
		turn_away(verdict);
	}
}

static void
on_input(uint32_t from, const uint8_t *data, size_t len)
{
	struct cl_head head;
	struct rd fields;

	COUNT(cluster_received);
	if (!key.set && !clsock_is_near(from)) {
		COUNT(cluster_far);
		return;
	}
	switch (clmsg_open(data, len, &key, &head, &fields)) {
	case CLMSG_OK:
		break;
	case CLMSG_BAD_MAC:
		COUNT(cluster_bad_hmac);
		plog_limit(LOG_WARNING, "cluster: %s has another cluster_secret", ip4_text(from));
		return;
	case CLMSG_OTHER_FORMAT:
		COUNT(cluster_other_format);
		plog_limit(LOG_WARNING, "cluster: %s speaks another version", ip4_text(from));
		return;
	default:
		COUNT(cluster_malformed);
		return;
	}
	if (head.kind == CL_CHALLENGE || head.kind == CL_PROOF)
		prove(&head, from, fields);
	else
		admit(&head, from, fields);
}

/* --- leaving --- */

static void
say_leave(void)
{
	struct cl_leave m = { .successor = successor };
	struct wr w;

	w = begin(CL_LEAVE, 0);
	clmsg_put_leave(&w, &m);
	post(0, &w);
}

/* Who was to follow us may leave itself, and all others too: the sessions are ours again then. */
static void
on_taken_back(void)
{
	left(false);
}

/* Nobody is there, or nobody has become master though there was time for it. */
static bool
in_vain(void)
{
	return hands_over && !election_other_master(&el, loop_now_ms()) &&
	       (!cluster_peers_alive() || loop_now_ms() >= leave_ms + GIVE_UP_MS);
}

static void
take_back(void)
{
	plog(LOG_WARNING, "cluster: nobody has taken over");
	role_set(true, 0);
	repl_state_adopt(on_taken_back);
}

/* Again, until another is master; then we go on forwarding until routers know better. */
static void
on_leave_timer(uint32_t unused)
{
	(void)unused;
	if (loop_now_ms() >= leave_ms && in_vain()) {
		take_back();
		return;
	}
	if (loop_now_ms() >= leave_ms &&
	    (!hands_over || election_other_master(&el, loop_now_ms()))) {
		left(true);
		return;
	}
	if (hands_over && !peer_of(successor))
		successor = election_successor(&el, loop_now_ms());
	say_leave();
	timer_set(&leave_timer, MS(STEP_MS));
}

bool
cluster_leave(void (*done)(bool handed_over))
{
	bool leads = role_is_master();

	successor = leads && !alone ? election_successor(&el, loop_now_ms()) : 0;
	if (left || (leads ? !successor : !el.master))
		return false;
	left = done;
	hands_over = leads;
	leave_ms = loop_now_ms() + conf->shutdown_drain * (uint64_t)TENTH_MS;
	timer_stop(&beat_timer);
	plog(LOG_WARNING, "cluster: leaving%s%s", leads ? ", the next master is " : "",
	    leads ? ip4_text(address_of(successor)) : "");
	if (leads) {
		clstream_flush();
		say_leave();
		role_set(false, address_of(successor));
		repl_state_yield(NULL);
	}
	settle_routes();
	timer_set(&leave_timer, MS(TIMER_TICK_MS));
	return true;
}

/* --- for people --- */

static void
fill_peer(struct cluster_peer_status *s, const struct election_peer *p)
{
	uint64_t seq = clstream_seq();

	*s = (struct cluster_peer_status){
		.address = p->hb.address,
		.role = p->hb.role,
		.flags = p->hb.flags,
		.silent_ms = (uint32_t)MIN(loop_now_ms() - p->heard_ms, UINT32_MAX),
		.uptime_ms = p->hb.uptime_ms,
		.version = p->hb.version,
		.lag = role_is_master() && seq > p->hb.seq ? seq - p->hb.seq : 0,
		.sessions = p->hb.sessions,
		.tunnels = p->hb.tunnels,
	};
	str_copy(s->host, sizeof(s->host), p->hb.host);
	str_copy(s->software, sizeof(s->software), p->hb.software);
}

static void
publish(void)
{
	unsigned int i;

	seq_begin(&status->seq);
	status->role = el.role;
	status->alone = alone;
	status->up_to_date = up_to_date();
	status->routes = routes;
	status->term = el.term;
	status->own = cluster_own_address();
	status->master = cluster_master_address();
	status->version = change_table_version();
	status->heartbeat = heartbeats;
	status->queued = role_is_master() ? 0 : clstream_complete() ? 0 : 1;
	status->n = 0;
	for (i = 0; i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation &&
		    loop_now_ms() - el.peers[i].heard_ms <= el.timeout_ms)
			fill_peer(&status->peers[status->n++], &el.peers[i]);
	seq_end(&status->seq);
}

bool
cluster_snapshot(struct cluster_status *copy)
{
	return seq_copy(&status->seq, copy, status, sizeof(*copy));
}

static void
drop_silent(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el.peers[i].incarnation && loop_now_ms() - el.peers[i].heard_ms > FORGET_MS)
			forget(el.peers[i].incarnation);
}

static uint8_t
allowed_ttl(void)
{
	if (conf->cluster_mcast_ttl > 1 && conf->cluster_secret[0] == '\0') {
		plog(LOG_ERROR, "cluster_mcast_ttl %u needs a cluster_secret: 1 is used",
		    conf->cluster_mcast_ttl);
		return 1;
	}
	return (uint8_t)conf->cluster_mcast_ttl;
}

int
cluster_open(char *why, size_t why_size)
{
	struct clsock_config c = {
		.interface = conf->cluster_interface,
		.group = conf->cluster_address,
		.port = (uint16_t)conf->cluster_port,
		.ttl = allowed_ttl(),
		.input = on_input,
	};
	enum clsock_result result = clsock_open(&c, why, why_size);

	alone = result != CLSOCK_OPEN;
	return result == CLSOCK_FAILED ? -1 : 0;
}

/* The link is there. */
static void
begin_to_talk(void)
{
	if (!key.set)
		plog(LOG_ERROR,
		    "cluster_secret is not set: every host on %s can speak for a member of the "
		    "cluster",
		    conf->cluster_interface);
	clguard_init(&guard, el.incarnation, clsock_address());
	on_beat(0);
}

static void
count_others(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ELECTION_PEERS; i++)
		n += el.peers[i].incarnation &&
		     loop_now_ms() - el.peers[i].heard_ms <= el.timeout_ms;
	if (n < others && gone_watcher)
		gone_watcher();
	others = n;
}

/* The interface, or its address, may come later than we. */
static void
look_for_link(void)
{
	char why[128];

	if (cluster_open(why, sizeof(why)) < 0)
		plog_limit(LOG_ERROR, "%s", why);
	if (alone)
		return;
	plog(LOG_WARNING, "cluster: %s has the address %s now", conf->cluster_interface,
	    ip4_text(clsock_address()));
	election_join(&el, clsock_address(), loop_now_ms());
	begin_to_talk();
}

/* The election is asked in each turn; this makes turns. */
static void
on_step(uint32_t unused)
{
	(void)unused;
	if (alone)
		look_for_link();
	timer_set(&step_timer, alone ? SEC(1) : MS(STEP_MS));
	drop_silent();
	count_others();
	settle_routes();
	publish();
}

/* --- start and end --- */

static void
apply_ttl(void)
{
	clsock_set_ttl(allowed_ttl());
}

static void
apply_secret(void)
{
	clmsg_set_key(&key, conf->cluster_secret);
	apply_ttl();
}

void
cluster_init(void)
{
	status = shm_map("cluster status", sizeof(*status));
	timer_init(&beat_timer, on_beat, 0);
	timer_init(&soon_timer, on_soon, 0);
	timer_init(&step_timer, on_step, 0);
	timer_init(&leave_timer, on_leave_timer, 0);
	clstream_init();
	clsync_init(conf->max_tunnels, conf->max_sessions);
	clcount_init(conf->max_sessions);
	cluster_on_message(CL_HEARTBEAT, on_heartbeat);
	cluster_on_message(CL_LEAVE, on_leave);
}

static uint64_t
new_incarnation(void)
{
	uint64_t n = 0;

	while (n == 0)
		random_bytes(&n, sizeof(n));
	return n;
}

static void
begin_as_slave(void)
{
	role_set(false, 0);
	repl_state_yield(NULL);
	begin_to_talk();
}

void
cluster_start(void)
{
	clmsg_set_key(&key, conf->cluster_secret);
	election_init(&el, new_incarnation(), clsock_address(),
	    conf->cluster_hb_interval * TENTH_MS, conf->cluster_hb_timeout * TENTH_MS,
	    loop_now_ms());
	acct_queue_set_origin(el.incarnation);
	if (alone)
		election_alone(&el);
	else
		begin_as_slave();
	config_on_change("cluster_secret", apply_secret);
	config_on_change("cluster_mcast_ttl", apply_ttl);
	loop_at_turn_begin(step);
	step();
	on_step(0);
}

void
cluster_flush(void)
{
	clcount_flush();
	clstream_flush();
	clsock_flush();
}

void
cluster_fini(void)
{
	successor = 0;
	if (!alone)
		say_leave();
	clsock_close();
}
