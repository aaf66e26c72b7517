/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of the cluster: who they are, who is master (election.h), and what follows from
 * that. Owns the list of peers, the heartbeat, and the change of role: what the stream
 * (clstream.c), full synchronisations (clsync.c) and the engines (repl_state.h) have to do
 * then is in take_mastership() and follow() below, in order.
 *
 * Others of the group: clpeers.c, who else is there; clpost.c, the messages' way out and in;
 * clroutes.c, whether we draw traffic; clleave.c, a planned stop; clsame.c, settings that should be
 * alike; clwarn.c, what operators have to put right; clstatus.c, what people see; clcount.c, what
 * each member has counted; clfinal.c, the same of sessions that have ended; clshare.c, what is
 * neither session nor tunnel.
 */
#include "cluster.h"
#include "acct_number.h"
#include "change.h"
#include "clcount.h"
#include "clfinal.h"
#include "clleave.h"
#include "clpeers.h"
#include "clpost.h"
#include "clroutes.h"
#include "clsame.h"
#include "clshare.h"
#include "clsock.h"
#include "clstatus.h"
#include "clstream.h"
#include "clsync.h"
#include "clwarn.h"
#include "config.h"
#include "counter.h"
#include "election.h"
#include "ended.h"
#include "log.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "session.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum {
	WATCHERS = 8,
	STEP_MS = 100, /* the election is asked at least so often */
	SOON_MS = 20,  /* behind a burst of changes a heartbeat follows */
	TENTH_MS = 100,
};

static struct election el;
static bool alone = true; /* nobody else can be there */
static bool synced;	  /* as a slave: a full synchronisation has ended, nothing was lost since */
static bool first;	  /* as master: there was nothing before us */
static uint64_t followed; /* incarnation of the master before the present one */
static uint64_t in_step_with; /* of the master we had all of, last; our own when we were it */
static uint64_t led_ms;	      /* when our mastership began */
static uint64_t heartbeats;
static struct timer beat_timer, soon_timer, step_timer;

static void (*role_watchers[WATCHERS])(bool master);

/* --- asked by others --- */

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

bool
cluster_is_first(void)
{
	return first;
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

static bool
up_to_date(void)
{
	return role_is_master() ||
	       (synced && clstream_complete() && !election_unheard(&el, loop_now_ms()));
}

static void send_heartbeat(uint32_t to);

static bool
too_few_slaves(void)
{
	return alone || election_drawing(&el, loop_now_ms()) < MAX(conf->cluster_master_min_adv, 1);
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

/* What SPEC 13 says of us as we are now. */
static enum clroutes_rule
rule(void)
{
	if (clleave_begun())
		return CLROUTES_LEAVE;
	if (!el.master)
		return election_shut_out(&el, loop_now_ms()) ? CLROUTES_DO_NOT : CLROUTES_AS_IT_IS;
	return (role_is_master() ? too_few_slaves() : up_to_date()) ? CLROUTES_DRAW
								    : CLROUTES_DO_NOT;
}

void
cluster_settle_routes(void)
{
	bool drew = clroutes_draws();

	clroutes_settle(rule());
	if (drew && !clroutes_draws() && !role_is_master() && !alone)
		send_heartbeat(0); /* the master may have to do it */
}

static void
tell_role(void)
{
	unsigned int i;

	for (i = 0; i < WATCHERS && role_watchers[i]; i++)
		role_watchers[i](role_is_master());
	cluster_settle_routes();
}

/* --- sending --- */

bool
cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	struct wr w;

	if (alone || (to && !clpost_knows(to))) {
		COUNT(cluster_send_failed);
		return false;
	}
	w = clpost_begin(kind, to);
	wr_bytes(&w, fields, len);
	if (kind == CL_CHANGE && !to && !timer_running(&soon_timer))
		timer_set(&soon_timer, MS(SOON_MS)); /* who has lost it is told so */
	return clpost_send(to, &w);
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

	if (clleave_begun())
		return; /* it would be heard as one who has come */
	el.version = change_table_version();
	el.up_to_date = up_to_date();
	election_tell(&el, loop_now_ms(), &hb);
	hb.flags |= CL_ACKNOWLEDGES | (clroutes_announces() ? CL_DRAWS : 0);
	str_copy(hb.host, sizeof(hb.host), conf->hostname);
	str_copy(hb.software, sizeof(hb.software), L2TPNS_VERSION);
	clsame_tell(&hb);
	w = clpost_begin(CL_HEARTBEAT, to);
	clmsg_put_heartbeat(&w, &hb);
	clpost_send(to, &w);
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

/* --- roles --- */

static void
take_mastership(void)
{
	plog(LOG_WARNING, "cluster: this member is master now, term %u", el.term);
	first = !el.holds_state && !clpeers_hold_state();
	followed = in_step_with;
	in_step_with = el.incarnation;
	led_ms = loop_now_ms();
	clsync_stop();
	role_set(true, 0);
	clstream_lead();
	ended_clear();
	clpeers_count_above();
	el.holds_state = true;
	COUNT(cluster_elections);
	if (!alone)
		on_beat(0);
	repl_state_adopt(NULL);
	tell_role();
}

/* What is to be had of the new master: nothing, when we had all of the one before, as it had. Who
 * has more has gone on without him. Both may have become masters when the old one died, he with
 * changes of the old one's that we had lost: what we did begins with our own mastership. */
static void
catch_up(const struct election_peer *master, bool led)
{
	bool same = in_step_with && in_step_with == master->hb.before;
	uint64_t version = change_table_version();
	uint64_t base = led ? MIN(master->hb.base, clstream_base()) : master->hb.base;

	synced = same && version == master->hb.base;
	clstream_follow(synced ? 0 : master->hb.seq);
	clstream_heard(master->hb.seq);
	if (el.holds_state && version > base)
		clsync_offer(base, !synced);
	else if (!synced)
		clsync_ask();
	if (synced)
		in_step_with = master->incarnation;
}

static void
follow(uint64_t incarnation)
{
	const struct election_peer *master = election_peer(&el, incarnation);
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
		catch_up(master, led);
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

	if (clleave_begun() || (alone && led_ms))
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
	cluster_settle_routes();
}

/* --- hearing --- */

static void
on_leave(uint32_t from, struct rd fields)
{
	struct cl_leave m;

	if (!clmsg_get_leave(fields, &m)) {
		COUNT(cluster_malformed);
		return;
	}
	if (election_peer(&el, cluster_sender()->incarnation)) /* it says so several times */
		plog(LOG_WARNING, "cluster: %s leaves", ip4_text(from));
	election_left(&el, cluster_sender()->incarnation, m.successor, loop_now_ms());
	clpeers_fewer();
	step();
}

static const struct clpost_doors post_doors = {
	.el = &el, .gone = clpeers_forget, .admitted = send_heartbeat
};

int
cluster_open(char *why, size_t why_size)
{
	enum clsock_result result;

	clpost_init(&post_doors);
	result = clpost_open(why, why_size);
	clwarn_link(result, why);
	alone = result != CLSOCK_OPEN;
	return result == CLSOCK_FAILED ? -1 : 0;
}

static bool
open_link(void)
{
	char why[128];
	enum clsock_result result = clpost_open(why, sizeof(why));

	clwarn_link(result, why);
	if (result != CLSOCK_OPEN)
		return false;
	plog(LOG_WARNING, "cluster: %s has the address %s now", conf->cluster_interface,
	    ip4_text(clsock_address()));
	return true;
}

/* The interface, or its address, may come later than we. */
static void
look_for_link(void)
{
	alone = !open_link();
	if (alone)
		return;
	election_join(&el, clsock_address(), loop_now_ms());
	clpost_talk();
	on_beat(0);
}

/*
 * An interface that is made anew, or has another address, needs another socket. Without one we are
 * cut off from the others as behind a broken link. They hear us at another address when we have
 * been silent for long enough (clguard.h).
 */
static void
watch_link(void)
{
	static bool lost;

	if (!clsock_moved(conf->cluster_interface) && !lost)
		return;
	clsock_close();
	lost = !open_link();
	if (lost)
		return;
	el.address = clsock_address();
	on_beat(0);
}

/* What an operator has to mend: the net carries our messages one way only, or not between some. */
static void
tell_of_deafness(void)
{
	static bool told;
	bool unheard = election_unheard(&el, loop_now_ms());

	if (unheard == told)
		return;
	told = unheard;
	COUNT_ADD(cluster_unheard, unheard);
	if (unheard)
		plog(LOG_ERROR, "cluster: the master %s does not hear this member",
		    ip4_text(role_master_address()));
	else if (role_master_address())
		plog(LOG_WARNING, "cluster: the master hears this member again");
}

/* For a moment it is so behind each master's end. */
static void
tell_of_shutting_out(void)
{
	static uint64_t since_ms;
	static bool told;

	if (!election_shut_out(&el, loop_now_ms())) {
		since_ms = 0;
		told = false;
		return;
	}
	if (!since_ms)
		since_ms = loop_now_ms();
	if (told || loop_now_ms() - since_ms < el.timeout_ms)
		return;
	told = true;
	plog(LOG_ERROR, "cluster: others hear a master that this member does not hear");
}

/* The election is asked in each turn; this makes turns. */
static void
on_step(uint32_t unused)
{
	static unsigned int n;

	(void)unused;
	if (alone)
		look_for_link();
	else if (++n % (1000 / STEP_MS) == 0)
		watch_link();
	timer_set(&step_timer, alone ? SEC(1) : MS(STEP_MS));
	clpeers_look();
	tell_of_deafness();
	tell_of_shutting_out();
	cluster_settle_routes();
	clstatus_publish(&el, up_to_date(), heartbeats);
}

/* --- start and end --- */

void
cluster_init(void)
{
	clstatus_init();
	clleave_init(&el);
	timer_init(&beat_timer, on_beat, 0);
	timer_init(&soon_timer, on_soon, 0);
	timer_init(&step_timer, on_step, 0);
	clstream_init();
	clshare_init();
	clsync_init(conf->max_tunnels, conf->max_sessions);
	clcount_init(conf->max_sessions);
	clpeers_init(&el);
	clsame_init();
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
	clpost_talk();
	on_beat(0);
}

void
cluster_start(void)
{
	election_init(&el, new_incarnation(), clsock_address(),
	    conf->cluster_hb_interval * TENTH_MS, conf->cluster_hb_timeout * TENTH_MS,
	    loop_now_ms());
	acct_number_set_origin(el.incarnation);
	if (alone)
		election_alone(&el);
	else
		begin_as_slave();
	loop_at_turn_begin(step);
	step();
	on_step(0);
}

void
cluster_flush(void)
{
	clfinal_flush();
	clstream_flush();
	clsock_flush();
}

void
cluster_fini(void)
{
	if (!alone)
		clleave_end();
	clsock_close();
}
