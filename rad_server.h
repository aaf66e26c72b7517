/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS servers of the configuration and what is known of each: whether it
 * answers, and whether it signs its replies. One that takes logins and one that takes
 * accounts are two servers, though on one machine.
 */
#ifndef RAD_SERVER_H
#define RAD_SERVER_H

#include "config.h"

enum {
	RAD_SERVERS = CONF_SERVERS + 2, /* of a kind, at most */
	RAD_ASKED = 3,			/* a login asks so many at most: one on trial and two */
};

enum rad_kind { RAD_KIND_ACCESS, RAD_KIND_ACCT, RAD_KINDS };

/* Where a request goes. A request keeps its own copy, so a change of configuration leaves it alone.
 */
struct rad_dest {
	uint32_t ip;   /* network order */
	uint16_t port; /* host order */
	uint8_t kind;  /* enum rad_kind */
	char secret[SECRET_LEN];
};

/* The servers of a login, in the order they are to be asked. */
struct rad_route {
	struct rad_dest dest[RAD_ASKED];
	uint8_t n;
	bool trial; /* the first one is dead: asked once, to see whether it lives */
};

/* Sends a Status-Server; false when that cannot be now. */
typedef bool (*rad_server_probe_fn)(const struct rad_dest *d);

/* Takes the servers from the configuration, and again whenever they are changed. Start-up only. */
void rad_server_init(rad_server_probe_fn probe);

/* Whether there is a server of that kind, and a secret for it. */
bool rad_server_configured(enum rad_kind kind);

/* The secret that is shared with the server at this address, on whatever port; "": it has none yet.
 * NULL: there is no such server. */
const char *rad_server_secret(uint32_t ip);

/* The servers for a new login. */
void rad_server_route(struct rad_route *r);

/*
 * The server an accounting record asks next. `asked` is a bit for each that had its
 * turn, kept by the record and zero at first; when all living ones had it begins anew.
 * False: none is configured.
 */
bool rad_server_next(uint32_t *asked, struct rad_dest *d);

/* How many of a kind are not dead. */
unsigned int rad_server_living(enum rad_kind kind);

/* A request begins to ask this server. */
void rad_server_asked(const struct rad_dest *d);

/* A request had all its tries at this server, the last at `sent_ms` of the loop clock, and no
 * answer.
 */
void rad_server_silent(const struct rad_dest *d, uint64_t sent_ms);

/* A reply of a server was found genuine. */
struct rad_answer {
	bool has_ma;	 /* it carried a Message-Authenticator */
	bool status;	 /* it answers a Status-Server */
	uint32_t rtt_ms; /* since the last sending */
};
void rad_server_answered(const struct rad_dest *d, const struct rad_answer *a);

/* Whether a reply of this server must carry a Message-Authenticator to be taken. */
bool rad_server_must_sign(const struct rad_dest *d);

/* For `show radius servers`; a CLI child may ask. */
struct rad_server_row {
	uint32_t ip;
	uint16_t port;
	uint16_t weight; /* 0: none */
	bool dead;
	uint32_t since_ds;   /* loop_now_ds() when it was found so; 0: never anything else */
	uint32_t rtt_ms;     /* of its last reply */
	uint64_t requests;   /* that asked it, each counted once */
	uint64_t replies;    /* genuine ones */
	uint64_t unanswered; /* requests that had all their tries at it */
};

/* The i-th of a kind in the order they are asked; false: there are no more. */
bool rad_server_row(enum rad_kind kind, unsigned int i, struct rad_server_row *row);

extern const char *const rad_kind_names[RAD_KINDS];

#endif
