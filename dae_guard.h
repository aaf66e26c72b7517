/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests answered in the last 30 seconds, so that one sent again is not done again
 * (RFC 5176 2.3); those with an Event-Timestamp for as long as that may be current. Time is
 * the caller's.
 */
#ifndef DAE_GUARD_H
#define DAE_GUARD_H

#include "radattr.h"
#include "repl.h"

enum { DAE_WINDOW_SEC = 300 }; /* an Event-Timestamp may be so far off (RFC 5176 6.3) */

/* Whose request, and which: the authenticator is a digest of all the rest of it. */
struct dae_id {
	uint32_t ip;   /* network order */
	uint16_t port; /* host order */
	uint8_t id;
	bool stamped; /* has an Event-Timestamp: who repeats it from another port replays it */
	uint8_t authenticator[RAD_AUTH_LEN];
};

/* Start-up only. */
void dae_guard_init(void);

/* True when it was answered; with what Error-Cause. The answer is made of that and of the request.
 */
bool dae_guard_find(const struct dae_id *id, uint64_t now_ms, uint16_t *cause);

/* Whether one more answer can be kept: false when too many come. */
bool dae_guard_room(uint64_t now_ms);

/* Keeps the answer of a new request; after dae_guard_room(). */
void dae_guard_keep(const struct dae_id *id, uint64_t now_ms, uint16_t cause);

/*
 * The cluster: the subscriber hears of each answer that is kept by dae_guard_keep(), for the
 * others. NULL: nobody.
 */
void dae_guard_subscribe(void (*kept)(const struct repl_dae *r));

/* One answer after the other that may be asked for; *pos begins at 0. 1: one; 0: none here; -1:
 * end. */
int dae_guard_export(uint32_t *pos, uint64_t now_ms, struct repl_dae *r);

/* What another member has answered. False: it is known. */
bool dae_guard_install(const struct repl_dae *r, uint64_t now_ms);

#endif
