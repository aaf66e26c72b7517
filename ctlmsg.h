/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsctl's messages over UDP: written, read, signed. Sees no tables, clock or sockets.
 * One message a packet, numbers big endian:
 *
 *	magic 4 "NSCT", version 1, type 1, flags 2, id 8, nonce 16
 *	HELLO, CHALLENGE:  nothing more
 *	COMMAND:           number of words 1, each word: length 2, octets
 *	REPLY:             status 1, part 1, parts 1, length 2, text
 *	with CTLMSG_SIGNED:   HMAC-SHA-256 over all before it, 32
 *
 * The client chooses the id, at random, once for each command. Unsigned: COMMAND, REPLY, with
 * zeroes for the nonce. Signed: HELLO, CHALLENGE (the server's nonce for that id), COMMAND and
 * REPLY with that nonce. A long text comes in parts.
 */
#ifndef CTLMSG_H
#define CTLMSG_H

#include "l2tpns.h"

#include <stddef.h>
#include <stdint.h>

enum {
	CTLMSG_PORT = 1702,
	CTLMSG_NONCE = 16,
	CTLMSG_MAC = 32,
	CTLMSG_MAX_PACKET = 1400,
	CTLMSG_MAX_WORDS = 32,
	CTLMSG_PART_TEXT = 1200, /* octets of text in one part */
	CTLMSG_MAX_PARTS = 16,
	CTLMSG_MAX_TEXT = CTLMSG_PART_TEXT * CTLMSG_MAX_PARTS,
	CTLMSG_LONGEST_WAIT_SEC = 30, /* a client gives a command up then at the latest */
};

enum ctlmsg_type { CTLMSG_HELLO = 1, CTLMSG_CHALLENGE = 2, CTLMSG_COMMAND = 3, CTLMSG_REPLY = 4 };

enum ctlmsg_status { CTLMSG_OK, CTLMSG_REFUSED };

/* A message; must not be copied, as argv points inside. */
struct ctlmsg {
	enum ctlmsg_type type;
	bool is_signed; /* not of HELLO and CHALLENGE */
	uint64_t id;
	uint8_t nonce[CTLMSG_NONCE];

	int argc; /* COMMAND: 1..CTLMSG_MAX_WORDS words, strings; NULL behind the last */
	char *argv[CTLMSG_MAX_WORDS + 1];

	enum ctlmsg_status status; /* REPLY */
	uint8_t part, parts;	   /* 0 .. parts - 1 */
	const char *text;	   /* no NUL at its end */
	uint16_t text_len;

	char words[CTLMSG_MAX_PACKET]; /* where ctlmsg_decode() puts them */
};

/* True when the packet is a message, down to its last octet. The text stays in the packet. */
bool ctlmsg_decode(const void *packet, size_t len, struct ctlmsg *m);

/* True when a packet that was decoded as signed was signed with `secret`; in constant time. */
bool ctlmsg_verify(const void *packet, size_t len, const char *secret);

/* The packet's length; 0 when it does not fit. `secret` is for a signed one. */
size_t ctlmsg_encode(const struct ctlmsg *m, const char *secret, void *buf, size_t size);

/* How many parts a text makes: at least one. */
unsigned int ctlmsg_parts(size_t text_len);

/* Makes `m`, a REPLY, the `part`-th of `text`. */
void ctlmsg_set_part(struct ctlmsg *m, const char *text, size_t text_len, unsigned int part);

#endif
