/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that have ended while this member was the master. When it turns out that there
 * was another master too, that one may hold them still.
 */
#ifndef ENDED_H
#define ENDED_H

#include "l2tpns.h"

/* How many are remembered. */
enum { ENDED_MOST = 65536 };

/* By what a session is known on every member, and how it has ended. */
struct ended {
	uint16_t wire_tid, wire_sid; /* our ids of its tunnel and of itself */
	uint32_t unique;	     /* sess_rec.unique */
	bool guess;		     /* sess_end.guess: another master may know better */
};

/* Start-up only. */
void ended_init(void);

/* From session_free(): it has had its Stop. */
void ended_note(const struct ended *e);

/* Whether the session of that number is among them. */
bool ended_has(uint32_t unique);

/* The one at a position, from 1 to ended_count(); the oldest are forgotten. */
uint32_t ended_count(void);
const struct ended *ended_get(uint32_t pos);

/* A mastership begins: what was before it, the others know. */
void ended_clear(void);

#endif
