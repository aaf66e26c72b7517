/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other members: heard of by their heartbeats, missed, and forgotten. The list itself is the
 * election's (election.h), which decides by it who is master; here is what else hangs on a
 * member's coming and going: changes are told only while there is somebody to hear them, and
 * who shares our addresses on a LAN has to know when one goes. One that has fallen silent without a
 * LEAVE may live, cut off from us, and serve LACs that do not reach us. So for half an hour a
 * master takes nobody's silence for his end (role_is_split()), and one that hears no LAC at all
 * never does: what both sides had ended so would have two Stops, and be lost at the one that wins.
 *
 * Called by cluster.c, which owns the election.
 */
#include "clpeers.h"
#include "change.h"
#include "clleave.h"
#include "clmsg.h"
#include "clpost.h"
#include "clsame.h"
#include "clstream.h"
#include "cluster.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "util.h"

enum {
	FORGET_MS = 60000,	   /* one that is silent is thought of for so long */
	SPLIT_MS = 30 * 60 * 1000, /* so long it may live */
	BACK_MS = 10000,	   /* until those who are back have told all, and LACs were heard */
	DEAF_MS = 60000,	   /* who has heard no LAC for so long is cut off himself */
};

/* Who has fallen silent, by their addresses: one that is heard from there again is back. */
static struct {
	uint32_t address;  /* 0: free */
	uint64_t since_ms; /* it was heard last */
} missing[ELECTION_PEERS];
static uint64_t split_until_ms;
static uint64_t lac_ms, lac_packets; /* when the last packet of any LAC came; all of them */

static struct election *el;
static void (*gone_watcher)(void);
static unsigned int others; /* that were heard lately, at the last look */

/* --- asked by others --- */

bool
cluster_has_peers(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation)
			return true;
	return false;
}

unsigned int
cluster_peers_alive(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ELECTION_PEERS; i++)
		n += el->peers[i].incarnation &&
		     loop_now_ms() - el->peers[i].heard_ms <= 3 * (uint64_t)el->interval_ms;
	return n;
}

bool
cluster_master_acknowledges(void)
{
	const struct election_peer *master = election_peer(el, el->master);

	return master && master->hb.flags & CL_ACKNOWLEDGES;
}

bool
cluster_is_heard(void)
{
	const struct election_peer *master = election_peer(el, el->master);

	return master && master->unheard_ms == 0;
}

bool
clpeers_hold_state(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation && (el->peers[i].hb.flags & CL_HOLDS_STATE))
			return true;
	return false;
}

/* Numbers that we give are above all that anybody has. */
void
clpeers_count_above(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation)
			change_seen_version(el->peers[i].hb.version);
}

/* --- who may live though he is not heard --- */

static void
note_missing(uint32_t address, uint64_t since_ms)
{
	unsigned int i, oldest = 0;

	for (i = 0; i < ELECTION_PEERS; i++) {
		if (missing[i].address == address)
			return;
		if (missing[i].since_ms < missing[oldest].since_ms)
			oldest = i;
	}
	missing[oldest].address = address;
	missing[oldest].since_ms = since_ms;
}

static void
is_back(uint32_t address)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (missing[i].address == address)
			missing[i].address = missing[i].since_ms = 0;
}

/* How many are, that have been for no longer than this. */
static unsigned int
missing_for(uint64_t most_ms)
{
	unsigned int i, n = 0;

	for (i = 0; i < ELECTION_PEERS; i++)
		n += missing[i].address && loop_now_ms() - missing[i].since_ms < most_ms;
	return n;
}

/* Not one of them: what is silent is our own network. */
static bool
hears_no_lac(void)
{
	if (counters->tunnel_rx_packets != lac_packets) {
		lac_packets = counters->tunnel_rx_packets;
		lac_ms = loop_now_ms();
	}
	return loop_now_ms() - lac_ms >= DEAF_MS;
}

static void
look_for_split(void)
{
	bool was = role_is_split(), deaf = hears_no_lac();

	if (deaf && missing_for(UINT64_MAX) > 0)
		split_until_ms = loop_now_ms() + DEAF_MS;
	else if (missing_for(SPLIT_MS) > 0)
		split_until_ms = MAX(split_until_ms, loop_now_ms() + BACK_MS);
	role_set_split(loop_now_ms() < split_until_ms);
	if (was != role_is_split() && role_is_master())
		plog(LOG_WARNING, "cluster: %s",
		    was ? "who is silent is ended again"
			: "members are missing: nobody is ended for his silence");
}

/* --- they come and go --- */

void
clpeers_fewer(void)
{
	change_subscribe(cluster_has_peers());
	if (role_is_master() && !cluster_has_peers())
		clstream_break();
}

void
clpeers_forget(uint64_t incarnation)
{
	const struct election_peer *p = election_peer(el, incarnation);

	if (p)
		plog(LOG_WARNING, "cluster: %s is gone", ip4_text(p->hb.address));
	clpost_forget(incarnation);
	election_forget(el, incarnation);
	clpeers_fewer();
}

static void
on_heartbeat(uint32_t from, struct rd fields)
{
	struct cl_heartbeat hb;
	bool known = election_peer(el, cluster_sender()->incarnation);

	if (!clmsg_get_heartbeat(fields, &hb)) {
		COUNT(cluster_malformed);
		return;
	}
	hb.address = from;
	is_back(from);
	election_heard(
	    el, cluster_sender()->incarnation, cluster_sender()->term, &hb, loop_now_ms());
	if (!known) {
		plog(LOG_WARNING, "cluster: hearing %s (%s)", ip4_text(from), hb.host);
		change_subscribe(true);
	}
	clsame_heard(from, &hb, loop_now_ms());
	if (hb.role == CL_MASTER)
		clleave_heard_master();
	if (role_is_master() && hb.role == CL_SLAVE) /* another master is told by it: election.c */
		change_seen_version(hb.version);
	else if (cluster_sender()->incarnation == el->master && cluster_sender()->term == el->term)
		clstream_heard(hb.seq);
	cluster_settle_routes();
}

static void
drop_silent(void)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation && loop_now_ms() - el->peers[i].heard_ms > FORGET_MS)
			clpeers_forget(el->peers[i].incarnation);
}

void
cluster_on_gone(void (*fn)(void))
{
	gone_watcher = fn;
}

/* Also by another incarnation, which it is behind a restart. */
static bool
is_heard_from(uint32_t address)
{
	unsigned int i;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (el->peers[i].incarnation && el->peers[i].hb.address == address &&
		    loop_now_ms() - el->peers[i].heard_ms <= el->timeout_ms)
			return true;
	return false;
}

static void
count_others(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ELECTION_PEERS; i++)
		if (!el->peers[i].incarnation)
			continue;
		else if (loop_now_ms() - el->peers[i].heard_ms <= el->timeout_ms)
			n++;
		else if (!is_heard_from(el->peers[i].hb.address))
			note_missing(el->peers[i].hb.address, el->peers[i].heard_ms);
	if (n < others && gone_watcher)
		gone_watcher();
	others = n;
}

void
clpeers_look(void)
{
	count_others();
	drop_silent();
	look_for_split();
}

void
clpeers_init(struct election *election)
{
	el = election;
	cluster_on_message(CL_HEARTBEAT, on_heartbeat);
}
