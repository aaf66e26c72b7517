/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An order that holds for all sessions of a user, however many those are: carried out
 * without keeping the loop.
 */
#ifndef ORDER_H
#define ORDER_H

#include "session.h"

enum { ORDER_BATCH = 256, ORDER_ANSWER = 256 }; /* sessions in a turn, at most; octets */

struct order {
	char user[USER_LEN];
	uint32_t asker; /* whom to tell the answer, if it comes later */
	uint32_t value[2];
	uint16_t port;
	unsigned int noted; /* sessions that the answer is to tell of */

	/* What is done to each; it must do no harm twice. */
	void (*act)(struct order *o, sess_id s);

	/* At the end: what is said; false: as a refusal. */
	bool (*answer)(const struct order *o, char *text, size_t size);

	sess_id next; /* where to go on */
	uint32_t next_login, last_login;
};

enum order_result { ORDER_DONE, ORDER_LATER, ORDER_TOO_MANY };

/* Start-up only. `tell` hears the answers of the orders that took more than a turn. */
void order_init(void (*tell)(uint32_t asker, bool ok, const char *text));

/*
 * For the sessions that have logged in under this name up to now: a batch at once. DONE:
 * that was all, and *o is as after it. TOO_MANY orders are in hand: nothing was done.
 */
enum order_result order_give(struct order *o);

#endif
