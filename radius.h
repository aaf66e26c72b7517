/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS client (RFC 2865, 2866, 2869): requests in fixed slots. A login asks two
 * servers in order, at 0, 1, 3 then 5, 6, 8 s, and is refused at 12 s; its answer leaves
 * by hook_auth_result(). Now and then one asks a dead server for a second before that. An
 * accounting request asks one server, at 0, 1, 3 s, and who sent it hears after 5 s at the latest.
 */
#ifndef RADIUS_H
#define RADIUS_H

#include "hook.h"

enum {
	RADIUS_SOCKETS = 64,
	RADIUS_SLOTS = RADIUS_SOCKETS * 256,
	RADIUS_ACCT_SLOTS = RADIUS_SLOTS / 4, /* kept for accounting when it is on; all it gets */
	/* longest attributes of an accounting record: each text at its longest, all Class and
	 * access line attributes, and room for those of plugins */
	RADIUS_ACCT_ATTRS = 3296,
};

/*
 * Tables; start-up only, after session_init(). Sockets are opened as they are needed, within
 * radius_bind_min..max when those are set.
 */
void radius_init(void);
void radius_fini(void);

/*
 * Takes an authentication request: true when it will be
 * answered by hook_auth_result() - later, or at once when no packet can hold it or all
 * slots are in use (AUTH_BUSY) -, also when this very request is pending already
 * (another of the session is given up); false when no server (or no secret) is
 * configured.
 */
bool radius_authenticate(sess_id s, const struct auth_request *req);

/* Whether there are slots for one more login. */
bool radius_has_room(void);

/* Forgets what is pending for the session. */
void radius_cancel(sess_id s);

/* Session events: forgets what is pending for a session that goes. */
void radius_session(sess_id s, enum sess_event ev);

/* For `show radius`: one row a slot. */
enum radius_state {
	RADIUS_NULL, /* free */
	RADIUS_CHAP, /* Access-Request for CHAP or MS-CHAPv2 */
	RADIUS_AUTH, /* the same for PAP */
	RADIUS_WAIT, /* Status-Server to a dead server */
	RADIUS_START,
	RADIUS_STOP,
	RADIUS_INTERIM,
};

/*
 * The end of an accounting request: whether it was acknowledged, and how often it had
 * been sent. `record` is what the asker gave it.
 */
typedef void (*radius_accounted_fn)(uint32_t record, bool acknowledged, unsigned int tries);

/* An accounting record to send once more, with an identifier of its own each time. */
struct radius_record {
	enum radius_state state; /* RADIUS_START, RADIUS_STOP or RADIUS_INTERIM: for show radius */
	sess_id s;		 /* the same; 0: none */
	uint32_t *asked;	 /* servers that had their turn, see rad_server_next() */
	const uint8_t *attrs;	 /* without Acct-Delay-Time */
	size_t len;		 /* of them, at most RADIUS_ACCT_ATTRS */
	uint32_t delay_sec;	 /* Acct-Delay-Time */
	uint32_t record;	 /* handed to `done` */
	radius_accounted_fn done;
};

/* At the end: takes the replies that are on their way, for a fraction of a second at most. */
void radius_settle(void);

/* Sends it. False when no slot is free or no server configured: nothing happens then. */
bool radius_account(const struct radius_record *rec);

struct radius_row {
	uint32_t id;	/* slot: 256 * socket + RADIUS id */
	uint8_t state;	/* enum radius_state */
	uint8_t tries;	/* sent so often */
	sess_id s;	/* whose it is; may have gone when the state is START, STOP, INTERIM */
	uint32_t retry; /* 0.1 s of the loop clock at the next sending */
};
bool radius_row(uint32_t slot, struct radius_row *row); /* false: slot free */

/* Slots by what they are. One that rests is of no request, and not free while an answer may come.
 */
struct radius_counts {
	uint32_t free, used, resting;
};
void radius_counts(struct radius_counts *c);

extern const char *const radius_state_names[];

#endif
