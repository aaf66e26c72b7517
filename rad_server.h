/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS servers of the configuration and what is known of each: whether it
 * answers, and whether it signs its replies. Two for now, in the operator's order. One
 * that takes logins and one that takes accounts are two servers, though on one machine.
 */
#ifndef RAD_SERVER_H
#define RAD_SERVER_H

#include "l2tpns.h"

enum { RAD_SERVERS = 2 };

enum rad_kind { RAD_KIND_ACCESS, RAD_KIND_ACCT, RAD_KINDS };

/* Where a request goes. A request keeps its own copy, so a change of configuration leaves it alone.
 */
struct rad_dest {
	uint32_t ip;   /* network order */
	uint16_t port; /* host order */
	uint8_t kind;  /* enum rad_kind */
};

/* Takes the servers from the configuration, and again whenever they are changed. */
void rad_server_init(void);

/* Whether there is a server, and a secret for it. */
bool rad_server_configured(void);

/* The secret that is shared with the server at this address, on whatever port; NULL: there is none.
 */
const char *rad_server_secret(uint32_t ip);

/*
 * The servers for a new request of that kind, the one to ask first in front; returns how
 * many. A dead one comes last, unless it is time for its probe or all are dead.
 */
unsigned int rad_server_order(enum rad_kind kind, struct rad_dest dest[RAD_SERVERS]);

/* A request had all its tries at this server and no answer. */
void rad_server_silent(const struct rad_dest *d);

/* A reply of this server was found genuine; `has_ma`: it carried a Message-Authenticator. */
void rad_server_answered(const struct rad_dest *d, bool has_ma);

/* Whether a reply of this server must carry a Message-Authenticator to be taken. */
bool rad_server_must_sign(const struct rad_dest *d);

#endif
