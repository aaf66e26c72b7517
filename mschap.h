/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sums of MS-CHAPv2 (RFC 2759 8). Passwords are UTF-8; `user` is the name as the
 * peer gave it, less a "DOMAIN\" in front. Sees no tables, clock or sockets.
 */
#ifndef MSCHAP_H
#define MSCHAP_H

#include "l2tpns.h"

enum {
	MSCHAP_CHALLENGE = 16,	   /* ours and the peer's */
	MSCHAP_HASH = 16,	   /* of a password */
	MSCHAP_NT_RESPONSE = 24,   /* what the peer proves itself with */
	MSCHAP_RESPONSE = 49,	   /* value field of a Response packet, RFC 2759 4 */
	MSCHAP_AUTH_RESPONSE = 43, /* "S=" and 40 hex digits, with the final NUL */
};

/* The MD4 of the password in UTF-16 (8.3). */
void mschap_nt_hash(const char *password, uint8_t out[MSCHAP_HASH]);

/* The NT-Response (8.1). */
void mschap_nt_response(const uint8_t *auth_challenge, const uint8_t *peer_challenge,
    const char *user, const char *password, uint8_t out[MSCHAP_NT_RESPONSE]);

/* The Authenticator Response for the message of a Success packet (8.7). */
void mschap_auth_response(const char *password, const uint8_t *nt_response,
    const uint8_t *peer_challenge, const uint8_t *auth_challenge, const char *user,
    char out[MSCHAP_AUTH_RESPONSE]);

#endif
