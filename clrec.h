/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records between the tables and messages, for the stream and for synchronisations. Of the
 * group of cluster.c.
 */
#ifndef CLREC_H
#define CLREC_H

#include "change.h"
#include "clmsg.h"
#include "repl.h"

/* Octets of fields that a message is filled up to; and that one of a single record may have. */
enum {
	CLREC_ROOM = CLMSG_PACKET - CLMSG_HEADER - CLMSG_MAC,
	CLREC_LARGEST = CLMSG_LARGEST - CLMSG_HEADER - CLMSG_MAC,
};

/*
 * Adds an object as it is, or its tombstone, to a message. False when there is no room: the message
 * is as it was. One that never was is not told.
 */
bool clrec_put(struct wr *w, enum change_kind kind, uint32_t id);

/*
 * Installs all records among the fields of a message of the master. False: some were malformed or
 * refused (counted).
 */
bool clrec_apply(struct rd fields);

/* The same with what a master that steps down, or a member that joins, offers to us as master. */
bool clrec_take_offer(struct rd fields);

#endif
