/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP-4 (RFC 4271), the side that announces: the configuration becomes neighbours
 * (bgp_peer.c), and what operators and the rest of the daemon want is passed on to them. A
 * change of one neighbour leaves the others alone. Called by l2tpns.c, cli.c and the cluster.
 */
#include "bgp.h"
#include "bgp_peer.h"
#include "bgp_self.h"
#include "bgp_view.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool all_suspended;
static uint64_t seen_changes;
static struct timer uncover_timer;

/* ---- neighbours come and go ---- */

static void
remove_peer(struct bgp_peer *p, uint8_t sub)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = sub };

	bgp_peer_stop(p, &why);
	p->used = false;
	p->dirty = true;
}

/* What the routes say may change under way; for the rest he must be met anew. */
static void
change_peer(struct bgp_peer *p, const struct conf_peer *to)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_CHANGE };
	struct conf_peer same;

	memcpy(&same, &p->conf, sizeof(same));
	same.has_med = to->has_med;
	same.med = to->med;
	same.has_community = to->has_community;
	memcpy(same.community, to->community, sizeof(same.community));
	if (memcmp(&same, to, sizeof(same)) == 0) {
		memcpy(&p->conf, to, sizeof(p->conf));
		bgp_peer_tell_again(p);
		return;
	}
	bgp_peer_stop(p, &why);
	memcpy(&p->conf, to, sizeof(p->conf));
	bgp_peer_start(p);
}

static const struct conf_peer *
configured(const char *name)
{
	unsigned int i;

	for (i = 0; i < conf->n_peers; i++)
		if (strcmp(conf->peers[i].name, name) == 0)
			return &conf->peers[i];
	return NULL;
}

static struct bgp_peer *
find_peer(const char *name)
{
	FOR_EACH_PEER(p)
	if (strcasecmp(p->conf.name, name) == 0)
		return p;
	return NULL;
}

static void
open_bgp(void)
{
	bgp_self_begin(conf->bgp_as);
	bgp_listen();
}

static void
close_bgp(uint8_t sub)
{
	FOR_EACH_PEER(p)
	remove_peer(p, sub);
	bgp_unlisten();
	bgp_self_begin(0);
}

static void
reconfigure(void)
{
	unsigned int i;

	if (bgp_self_as() && bgp_self_as() != conf->bgp_as)
		close_bgp(conf->bgp_as ? BGP_CEASE_CHANGE : BGP_CEASE_DECONFIGURED);
	if (!conf->bgp_as)
		return;
	if (!bgp_self_as())
		open_bgp();
	FOR_EACH_PEER(p)
	{
		const struct conf_peer *to = configured(p->conf.name);

		if (!to)
			remove_peer(p, BGP_CEASE_DECONFIGURED);
		else if (memcmp(to, &p->conf, sizeof(*to)) != 0)
			change_peer(p, to);
	}
	for (i = 0; i < conf->n_peers; i++)
		if (!find_peer(conf->peers[i].name))
			bgp_peer_new(&conf->peers[i], all_suspended);
}

static void
next_hop_changed(void)
{
	FOR_EACH_PEER(p)
	bgp_peer_tell_again(p);
}

static void
hold_back(unsigned int reader)
{
	struct bgp_peer *p = &bgp_peers()[reader];

	bgp_peer_error(p, BGP_ERR_CEASE, BGP_CEASE_RESOURCES);
	if (p->up)
		bgp_event(p, bgp_which(p, p->up), BGP_EV_STOP);
	bgp_tell_end(&p->tell);
}

/* ---- the doors ---- */

/* The end of the turn does the work. */
static void
on_uncover(uint32_t unused)
{
	(void)unused;
}

void
bgp_init(void)
{
	bgp_peer_init();
	bgp_view_init();
	timer_init(&uncover_timer, on_uncover, 0);
	bgp_route_on_full(hold_back);
	config_on_change("bgp", reconfigure);
	config_on_change("nexthop_address", next_hop_changed);
	config_on_change("nexthop6_address", next_hop_changed);
}

void
bgp_start(void)
{
	uint32_t addrs[CONF_OWN_ADDRESSES];
	unsigned int i, n = config_bind_addresses(addrs, CONF_OWN_ADDRESSES);

	for (i = 0; i < n; i++)
		if (addrs[i])
			bgp_route_add4(addrs[i], 32, true);
	reconfigure();
}

void
bgp_serve(bool on)
{
	bgp_peer_serve(on);
}

bool
bgp_has_neighbours(void)
{
	FOR_EACH_PEER(p)
	if (p->up)
		return true;
	return false;
}

bool
bgp_can_announce(void)
{
	FOR_EACH_PEER(p)
	if (p->up && !p->suspended)
		return true;
	return !conf->bgp_as;
}

bool
bgp_quiet(void)
{
	FOR_EACH_PEER(p)
	if (p->up && (p->up->tcp.out_len > 0 || bgp_peer_has_work(p)))
		return false;
	return true;
}

void
bgp_fini(void)
{
	static const char words[] = "l2tpns stops";
	struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_SHUTDOWN };

	why.data[0] = sizeof(words) - 1; /* RFC 9003 2 */
	memcpy(why.data + 1, words, sizeof(words) - 1);
	why.len = sizeof(words);
	FOR_EACH_PEER(p)
	bgp_peer_stop(p, &why);
	close_bgp(BGP_CEASE_SHUTDOWN);
}

/* Calls fn for all, or for the one; false with the reason. */
static bool
for_peers(
    const char *name, void (*fn)(struct bgp_peer *p, bool on), bool on, char *why, size_t size)
{
	struct bgp_peer *one = name[0] ? find_peer(name) : NULL;

	if (!conf->bgp_as) {
		snprintf(why, size, "BGP is not configured");
		return false;
	}
	if (name[0] && !one) {
		snprintf(why, size, "There is no neighbour %.64s", name);
		return false;
	}
	FOR_EACH_PEER(p)
	if (!one || p == one)
		fn(p, on);
	return true;
}

static void
suspend(struct bgp_peer *p, bool on)
{
	p->suspended = on;
	bgp_peer_retell(p);
}

bool
bgp_suspend(const char *peer, bool on, char *why, size_t size)
{
	snprintf(why, size, on ? "Routes are withdrawn" : "Routes are announced");
	if (!for_peers(peer, suspend, on, why, size))
		return false;
	if (!peer[0]) /* who is added later is one of all */
		all_suspended = on;
	return true;
}

static void
restart(struct bgp_peer *p, bool unused)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_RESET };

	(void)unused;
	bgp_peer_stop(p, &why);
	bgp_peer_start(p);
}

bool
bgp_restart(const char *peer, char *why, size_t size)
{
	snprintf(why, size, "Connections are opened again");
	return for_peers(peer, restart, true, why, size);
}

void
bgp_turn_end(void)
{
	struct bgp_peer *p;
	bool news;

	if (bgp_route_uncover())
		timer_set(&uncover_timer, MS(TIMER_TICK_MS));
	news = seen_changes != bgp_route_changes();

	if (!bgp_self_as() && !bgp_router_id())
		return;
	seen_changes = bgp_route_changes();
	for (p = bgp_peers(); p < bgp_peers() + CONF_PEERS; p++) {
		if (news && p->used && p->up)
			bgp_peer_arm(p, p->up);
		if (p->dirty || (news && p->used))
			bgp_view_publish(p);
	}
	if (!bgp_self_as())
		bgp_view_set_id(0);
}
