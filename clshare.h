/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What members share besides sessions and tunnels: accounting records that wait, which requests of
 * RFC 5176 were answered, who had which address, and what usage files have told. Of the group of
 * cluster.c.
 */
#ifndef CLSHARE_H
#define CLSHARE_H

#include "repl.h"
#include "repl_state.h"

void clshare_init(void);

/* A walk of a synchronisation or an offer over one kind. */
struct clshare_walk {
	uint8_t kind; /* enum repl_kind */
	bool left;    /* only what an earlier process of ours has left */
	uint32_t pos; /* begins at 0 */
};

enum clshare_put {
	CLSHARE_END,
	CLSHARE_FULL, /* no room: the message and the walk are as they were */
	CLSHARE_NEXT, /* a place was dealt with */
};
enum clshare_put clshare_put(struct wr *w, struct clshare_walk *walk);

/* A record of such a kind from the master, or of who steps down or joins; others are no news. */
enum install clshare_apply(const struct repl_record *rec);

/* An earlier process of ours has left what the master may lack. */
bool clshare_left(void);

/* It has all of that. */
void clshare_left_told(void);

#endif
