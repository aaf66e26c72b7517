/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A planned stop. A slave says that it leaves, and forwards for shutdown_drain more while routers
 * turn away. A master names who takes over, an up-to-date slave - one that lags at this moment is
 * given a little time -, and is slave itself from there on; it waits until another is master. The
 * one it has named may leave too: then it names the next. When there is nobody, the sessions are
 * its own again, so that their Stops are kept.
 *
 * LEAVE is said again and again, for it may be lost.
 */
#include "clleave.h"
#include "clcount.h"
#include "clmsg.h"
#include "clpost.h"
#include "clstream.h"
#include "cluster.h"
#include "config.h"
#include "log.h"
#include "loop.h"
#include "repl_state.h"
#include "role.h"
#include "timer.h"
#include "util.h"

enum {
	AGAIN_MS = 100,
	TENTH_MS = 100,
	GIVE_UP_MS = 2000, /* the next master is waited for so long */
	LAG_MS = 2000,	   /* a slave that lags, too */
	LAG_POLL_MS = 20,
};

static const struct election *el;
static struct timer leave_timer, lag_timer;
static void (*wants)(
    bool handed_over); /* somebody wants us to leave: to be called when we may end */
static void (*left)(bool handed_over); /* the same, and we are on our way */
static uint64_t leave_ms;	       /* when that is */
static uint64_t lag_ms;		       /* no slave that lags is waited for any more */
static bool taken_over;		       /* another was master since then, and may be gone again */
static bool hands_over;		       /* we were master */
static uint64_t successor;

bool
clleave_begun(void)
{
	return left != NULL;
}

void
clleave_heard_master(void)
{
	taken_over = true;
}

static void
say_leave(void)
{
	struct cl_leave m = { .successor = successor };
	struct wr w;

	w = clpost_begin(CL_LEAVE, 0);
	clmsg_put_leave(&w, &m);
	clpost_send(0, &w);
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
	return hands_over && !taken_over &&
	       (!cluster_has_peers() || loop_now_ms() >= leave_ms + GIVE_UP_MS);
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
	if (loop_now_ms() >= leave_ms && (!hands_over || taken_over)) {
		left(true);
		return;
	}
	if (hands_over && !election_peer(el, successor))
		successor = election_successor(el, loop_now_ms());
	say_leave();
	timer_set(&leave_timer, MS(AGAIN_MS));
}

static uint32_t
successor_address(void)
{
	const struct election_peer *p = election_peer(el, successor);

	return p ? p->hb.address : 0;
}

static void
leave(bool leads)
{
	left = wants;
	hands_over = leads;
	taken_over = false;
	leave_ms = loop_now_ms() + conf->shutdown_drain * (uint64_t)TENTH_MS;
	plog(LOG_WARNING, "cluster: leaving%s%s", leads ? ", the next master is " : "",
	    leads ? ip4_text(successor_address()) : "");
	if (leads) {
		clstream_flush();
		say_leave();
		role_set(false, successor_address());
		repl_state_yield(NULL);
	}
	clcount_leave();
	cluster_settle_routes();
	timer_set(&leave_timer, MS(TIMER_TICK_MS));
}

/* Whether there will be somebody to go on with the sessions, as far as we can see. */
static bool
others_can(void)
{
	if (!role_is_master())
		return el->master != 0;
	successor = cluster_own_address() ? election_successor(el, loop_now_ms()) : 0;
	return successor != 0;
}

static bool
one_lags(void)
{
	return role_is_master() && cluster_own_address() && loop_now_ms() < lag_ms &&
	       election_up_to_date(el, LAG_MS, loop_now_ms()) > 0;
}

static void
on_lag_timer(uint32_t unused)
{
	(void)unused;
	if (others_can())
		leave(role_is_master());
	else if (one_lags())
		timer_set(&lag_timer, MS(LAG_POLL_MS));
	else
		wants(false);
}

bool
cluster_leave(void (*done)(bool handed_over))
{
	if (wants)
		return false;
	lag_ms = loop_now_ms() + LAG_MS;
	if (!others_can() && !one_lags())
		return false;
	wants = done;
	on_lag_timer(0);
	return true;
}

void
clleave_end(void)
{
	successor = 0;
	clcount_tell_last();
	say_leave();
}

void
clleave_init(const struct election *election)
{
	el = election;
	timer_init(&leave_timer, on_leave_timer, 0);
	timer_init(&lag_timer, on_lag_timer, 0);
}
