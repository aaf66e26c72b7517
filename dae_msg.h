/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disconnect- and CoA-Requests (RFC 5176): a packet into a struct, and the answer to
 * it. Sees no tables, clock or sockets.
 */
#ifndef DAE_MSG_H
#define DAE_MSG_H

#include "radattr.h"

/* Error-Cause, RFC 5176 3.5; with 0 the answer is an ACK. */
enum dae_cause {
	DAE_OK = 0,
	DAE_UNSUPPORTED_ATTRIBUTE = 401,
	DAE_MISSING_ATTRIBUTE = 402,
	DAE_OTHER_NAS = 403,
	DAE_INVALID_REQUEST = 404,
	DAE_UNSUPPORTED_SERVICE = 405,
	DAE_INVALID_VALUE = 407,
	DAE_NOT_FOUND = 503,
	DAE_NOT_REMOVABLE = 504,
	DAE_NO_RESOURCES = 506,
	DAE_SEVERAL = 508,
};

/* What a request has. */
enum dae_has {
	DAE_USER = 1,
	DAE_ACCT_ID = 1 << 1,
	DAE_FRAMED_IP = 1 << 2,
	DAE_PORT = 1 << 3,
	DAE_PORT_ID = 1 << 4,
	DAE_CALLING = 1 << 5,
	DAE_CALLED = 1 << 6, /* narrows down what the others find, and finds nothing itself */
	DAE_IDENTIFIES =
	    DAE_USER | DAE_ACCT_ID | DAE_FRAMED_IP | DAE_PORT | DAE_PORT_ID | DAE_CALLING,
	DAE_NAS_IP = 1 << 7,
	DAE_NAS_ID = 1 << 8,
	DAE_TIMESTAMP = 1 << 9,
	DAE_SESSION_TIMEOUT = 1 << 10,
	DAE_IDLE_TIMEOUT = 1 << 11,
	DAE_INTERIM = 1 << 12,
	DAE_NAS_IP6 = 1 << 13,
};

enum {
	DAE_TEXT = RAD_MAX_VALUE + 1,
	DAE_MESSAGE = 64,
	DAE_MAX_PAIRS = 64,
	DAE_MAX_FILTERS = 8,
	DAE_MAX_CLASSES = 4
};

struct dae_request {
	bool is_coa;	  /* else it is to end the session */
	uint16_t cause;	  /* enum dae_cause of the first attribute that cannot be; or 0 */
	uint8_t wrong;	  /* and its type */
	unsigned int has; /* enum dae_has */
	char user[DAE_TEXT], acct_id[DAE_TEXT], port_id[DAE_TEXT];
	char calling[DAE_TEXT], called[DAE_TEXT], nas_id[DAE_TEXT];
	uint32_t nas_ip, framed_ip; /* network order */
	uint32_t port;
	uint32_t timestamp;			/* Event-Timestamp: wall clock, s */
	uint32_t session_timeout, idle_timeout; /* s; 0: none */
	uint32_t interim;			/* Acct-Interim-Interval, s; 0: as configured */
	char message[DAE_MESSAGE];		/* Reply-Message, cut */
	unsigned int n_pairs, n_filters, n_classes;
	struct dae_octets {
		const uint8_t *p;
		uint8_t len;
	} pairs[DAE_MAX_PAIRS],	      /* Cisco-AVPair, inside the packet */
	    filters[DAE_MAX_FILTERS], /* Filter-Id, the same */
	    classes[DAE_MAX_CLASSES]; /* Class */
};

/*
 * Decodes what rad_decode() found sound. False: it is not such a request, or what an answer
 * must repeat of it leaves no room for one. `r` is written whole otherwise.
 */
bool dae_decode(const struct rad_packet *p, struct dae_request *r);

/*
 * The answer, signed; its length. State and Proxy-State come back as they came, and it has a
 * Message-Authenticator when the request has (`sign`). The same request and cause make the
 * same octets.
 */
size_t dae_encode(const struct rad_packet *request, enum dae_cause cause, bool sign,
    const char *secret, uint8_t answer[RAD_MAX_PACKET]);

/* Words for an Error-Cause. */
const char *dae_cause_text(enum dae_cause cause);

#endif
