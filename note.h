/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes: things of variable length that few sessions have (routes, Class, access
 * line AVPs...), as (kind, tag, octets) records in chains of small cells of shared
 * memory, so that a session without any pays four octets. Of each kind a chain holds
 * so much and no more, and what comes before a login may not take the whole pool.
 */
#ifndef NOTE_H
#define NOTE_H

#include "l2tpns.h"

enum note_kind {
	NOTE_END,
	NOTE_ROUTE,   /* struct note_route */
	NOTE_WAITS,   /* the same: another session has it (or had, when both are there) */
	NOTE_LINE,    /* RFC 5515 access line AVP; tag: its attribute type */
	NOTE_CLASS,   /* RADIUS Class, as it came */
	NOTE_REPLY,   /* Reply-Message */
	NOTE_STATE,   /* RADIUS State */
	NOTE_CUI,     /* Chargeable-User-Identity, as it came */
	NOTE_LOGIN,   /* the name he logged in by, when he has got another one since */
	NOTE_FOREIGN, /* a field that a later release has told us of; tag: its own (repl.c) */
	/* for PPP alone, in the session's scratch chain: */
	NOTE_PROXY,   /* proxy LCP and authentication AVPs; tag: the AVP's type */
	NOTE_SUCCESS, /* text of the MS-CHAPv2 Success, for a repetition */
	NOTE_KINDS
};

enum {
	NOTE_MAX = 255,
	NOTE_FOREIGN_MOST = 512, /* octets of that kind in a chain, with 4 in front of each */
};

/* A network behind a subscriber. */
struct note_route {
	uint32_t addr; /* network order */
	uint8_t len;   /* prefix length */
	uint8_t spare[3];
};

struct note {
	uint8_t kind;
	uint8_t len;
	uint16_t tag;
	uint8_t data[NOTE_MAX];
};

/* A place in a chain while it is read. */
struct note_pos {
	uint32_t cell;
	unsigned int offset;
};

/* Room for `cells` cells. Start-up only. */
void note_init(uint32_t cells);

/*
 * Adds a record to the chain whose head is *head (0: empty). -1 when the chain has enough of the
 * kind or the pool has no room for it; counted.
 */
int note_add(uint32_t *head, uint8_t kind, uint16_t tag, const void *data, size_t len);

/*
 * Puts the `n` notes in place of those of that kind. -1 when the pool has no room (it needs
 * some for both at once): counted, and the chain is as it was.
 */
int note_replace(uint32_t *head, uint8_t kind, const struct note *with, unsigned int n);

/* Starts reading a chain; note_next() copies out one record after the other, false at the end. */
struct note_pos note_first(uint32_t head);
bool note_next(struct note_pos *pos, struct note *n);

/* Copies out the first record of a kind; false: there is none. */
bool note_find(uint32_t head, uint8_t kind, struct note *n);

extern const char *const note_kind_names[NOTE_KINDS];

/* Frees the chain; *head is 0 afterwards. */
void note_free(uint32_t *head);

#endif
