/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending all sessions of a user, or from a calling number, however many those are, without
 * keeping the loop.
 */
#ifndef EVICT_H
#define EVICT_H

#include "session.h"

enum { EVICT_BATCH = 128 }; /* sessions ended in a turn, at most */

/* Start-up only. */
void evict_init(void);

/*
 * Ends the sessions that have logged in under this name up to now: some at once, the rest
 * in the turns that follow. Who logs in later is left alone, and so is `spared` (0: nobody),
 * whose login it is that ends the others.
 */
void evict_user(const char *user, sess_id spared, const struct sess_end *end);

/* Whose sessions: all that is not "" must be so; user or calling is needed. */
struct evict_who {
	char user[USER_LEN];
	char called[NUMBER_LEN], calling[NUMBER_LEN];
};

/*
 * The same for all these sessions that have logged in. False when too many such requests
 * are in hand: nothing was done then.
 */
bool evict_matching(const struct evict_who *who, const struct sess_end *end);

#endif
