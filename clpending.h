/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that must not be lost between a slave and the master: numbered and repeated on the
 * slave until the master says that it has them, known again by their numbers on the master.
 * Of the group clfwd.c alone.
 */
#ifndef CLPENDING_H
#define CLPENDING_H

#include "clmsg.h"

enum {
	CLPENDING_PAYLOAD = 1900, /* octets of a packet at most */
	CLPENDING_LIFE_MS = 1000, /* so long it is repeated: then a LAC repeats it itself */
};

/* Start-up only. `send` is cluster_send(). */
void clpending_init(bool (*send)(uint32_t to, uint8_t kind, const void *fields, size_t len));

/* ---- on a slave ---- */

/* For cl_forward.number of the next one: never 0. */
uint64_t clpending_number(void);

/*
 * Sends that one's fields to the master, and keeps a copy until they are acknowledged. Those of one
 * `order` are sent one after the other; 0: at once. False: too many of that order wait.
 */
bool clpending_send(uint64_t number, uint32_t order, const void *fields, size_t len);

/* What the master says it has. */
void clpending_acked(const struct cl_forward_ack *m);

/* ---- on the master ---- */

/*
 * A message with a number came from the member of that incarnation and address: false when it
 * has come before. It is acknowledged at the end of the turn either way.
 */
bool clpending_is_new(uint64_t incarnation, uint32_t address, uint64_t number);

/* At the end of a turn. */
void clpending_turn_end(void);

#endif
