/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this member draws traffic: raises its routes by BGP. The rule is SPEC 13's - a slave that
 * is up to date does, and a master who has too few of those -; routers do not like routes that come
 * and go, as they would when heartbeats are lost or a slave lags for a moment. So who draws traffic
 * and need or may no longer goes on for a while.
 *
 * A slave that no router hears - its neighbours are down, or an operator has suspended them - says
 * so, and does not count: else nobody would announce anything.
 *
 * Called by cluster.c, which knows what the rule says, and by who raises the routes.
 */
#include "clroutes.h"
#include "cluster.h"
#include "log.h"
#include "loop.h"

enum {
	WATCHERS = 8,
	LINGER_MS = 2000,
};

static bool routes;
static uint64_t draws_ms; /* last time that the rule said so */
static void (*watchers[WATCHERS])(bool raise);
static bool (*can_announce)(void); /* NULL: nobody knows */

bool
clroutes_draws(void)
{
	return routes;
}

bool
clroutes_announces(void)
{
	return routes && (!can_announce || can_announce());
}

void
cluster_announces_by(bool (*fn)(void))
{
	can_announce = fn;
}

static bool
goes_on(enum clroutes_rule rule)
{
	switch (rule) {
	case CLROUTES_DRAW:
		draws_ms = loop_now_ms();
		return true;
	case CLROUTES_DO_NOT:
		return routes && loop_now_ms() - draws_ms < LINGER_MS;
	case CLROUTES_AS_IT_IS:
		return routes;
	default:
		return false;
	}
}

void
clroutes_settle(enum clroutes_rule rule)
{
	bool raise = goes_on(rule);
	unsigned int i;

	if (raise == routes)
		return;
	routes = raise;
	plog(LOG_WARNING, "cluster: %s traffic", raise ? "drawing" : "no longer drawing");
	for (i = 0; i < WATCHERS && watchers[i]; i++)
		watchers[i](raise);
}

void
cluster_on_routes(void (*fn)(bool raise))
{
	unsigned int i;

	for (i = 0; i < WATCHERS; i++)
		if (!watchers[i]) {
			watchers[i] = fn;
			fn(routes);
			return;
		}
}
