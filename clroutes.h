/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this member draws traffic, and who wants to hear when that changes. Of the group of
 * cluster.c, which has the public half of this (cluster_on_routes(), cluster_announces_by()).
 */
#ifndef CLROUTES_H
#define CLROUTES_H

#include "l2tpns.h"

enum clroutes_rule {
	CLROUTES_DRAW,
	CLROUTES_DO_NOT,   /* in a while */
	CLROUTES_AS_IT_IS, /* no master is known: who forwards goes on */
	CLROUTES_LEAVE,	   /* not any more, at once */
};

/* What the rule says now; watchers are told of what becomes of it. */
void clroutes_settle(enum clroutes_rule rule);

bool clroutes_draws(void);

/* It does, and routers hear of it. */
bool clroutes_announces(void);

#endif
