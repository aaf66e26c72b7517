/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards nsctl's server: nonces that prove a request to be new, and the answers already
 * given, so that a request sent again is not done again. Time is the caller's.
 */
#ifndef CTLGUARD_H
#define CTLGUARD_H

#include "ctlmsg.h"

/* Longer than any line a command is answered with. */
enum { CTLGUARD_TEXT = 384 };

/* Whose request, and which. */
struct ctlguard_id {
	uint32_t ip;   /* of the client, network order */
	uint16_t port; /* his, host order */
	uint64_t id;   /* of the request */
};

struct ctlguard_answer {
	struct ctlguard_id of;
	uint64_t key; /* in the index of answers */
	enum ctlmsg_status status;
	char text[CTLGUARD_TEXT];
};

/* Start-up only. */
void ctlguard_init(void);

/* The nonce for a request; good for half a minute at least. Nothing is kept of it. */
void ctlguard_nonce(const struct ctlguard_id *id, uint64_t now_ms, uint8_t nonce[CTLMSG_NONCE]);

/* True for a nonce we gave for this request, not long ago. */
bool ctlguard_nonce_ok(
    const struct ctlguard_id *id, uint64_t now_ms, const uint8_t nonce[CTLMSG_NONCE]);

/* The answer this request got; NULL: it is new. */
const struct ctlguard_answer *ctlguard_find(const struct ctlguard_id *id);

/* False when more come a second than are taken: ask before a request is carried out. */
bool ctlguard_allow(uint64_t now_ms);

/* Room for the answer of a new request. It is kept for longer than the request's nonce is good. */
struct ctlguard_answer *ctlguard_new(const struct ctlguard_id *id);

#endif
