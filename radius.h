/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS client's Access side (RFC 2865, 2869): requests of fixed slots, two
 * servers in order, retries at 0, 1, 3 then 5, 6, 8 s, refused at 12 s. Answers
 * leave by hook_auth_result().
 */
#ifndef RADIUS_H
#define RADIUS_H

#include "hook.h"

enum { RADIUS_SOCKETS = 64, RADIUS_SLOTS = RADIUS_SOCKETS * 256 };

/*
 * Tables; start-up only, after session_init(). Sockets are opened as they are needed, within
 * radius_bind_min..max when those are set.
 */
void radius_init(void);
void radius_fini(void);

/*
 * Takes an authentication request, for the hook list: true when it will be
 * answered by hook_auth_result() - later, or at once when no packet can hold it or all
 * slots are in use (AUTH_BUSY) -, also when this very request is pending already
 * (another of the session is given up); false when no server (or no secret) is
 * configured.
 */
bool radius_authenticate(sess_id s, const struct auth_request *req);

/* Forgets what is pending for the session, for the hook list. */
void radius_cancel(sess_id s);

/* Session events: forgets what is pending for a session that goes. */
void radius_session(sess_id s, enum sess_event ev);

/* For `show radius`: one row a slot. */
enum radius_state {
	RADIUS_NULL, /* free */
	RADIUS_CHAP, /* Access-Request for CHAP or MS-CHAPv2 */
	RADIUS_AUTH, /* the same for PAP */
	RADIUS_WAIT,
	RADIUS_START,
	RADIUS_STOP,
	RADIUS_INTERIM,
};

struct radius_row {
	uint32_t id;	/* slot: 256 * socket + RADIUS id */
	uint8_t state;	/* enum radius_state */
	uint8_t tries;	/* sent so often */
	sess_id s;	/* whose login it is */
	uint32_t retry; /* 0.1 s of the loop clock at the next sending */
};
bool radius_row(uint32_t slot, struct radius_row *row); /* false: slot free */
void radius_counts(uint32_t *free_count, uint32_t *used_count);

extern const char *const radius_state_names[];

#endif
