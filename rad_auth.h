/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access-Requests (RFC 2865 4.1) from a subscriber's login. */
#ifndef RAD_AUTH_H
#define RAD_AUTH_H

#include "hook.h"

/* Longer than any: each text at its longest, and all access line attributes. */
enum { RAD_AUTH_MAX = 2048 };

struct rad_access {
	uint8_t id;
	const uint8_t *authenticator; /* 16 unpredictable octets */
	const char *secret;
	const struct session *s;
	const struct auth_request *login;
};

/* Writes the signed packet; its length, 0 when the login's parts are no possible ones. */
size_t rad_auth_build(const struct rad_access *a, void *buf, size_t size);

#endif
