/* RADIUS packets as the responder reads and writes them (RFC 2865, 2866, 2869). */
#ifndef LAC_RADMSG_H
#define LAC_RADMSG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rad_code {
	ACCESS_REQUEST = 1,
	ACCESS_ACCEPT = 2,
	ACCESS_REJECT = 3,
	ACCOUNTING_REQUEST = 4,
	ACCOUNTING_RESPONSE = 5,
	STATUS_SERVER = 12,
};

enum { RAD_HEAD = 20, RAD_DIGEST = 16, RAD_ATTRS = 1024, RAD_MAX = RAD_ATTRS + 128 };

/* A request read; pointers go into the packet. */
struct rad_request {
	const uint8_t *data;
	size_t len;
	const struct sockaddr_in *from;
	const uint8_t *user;
	size_t user_len;
	size_t ma_at; /* offset of Message-Authenticator's value; 0: none */
	uint32_t status;
	uint32_t cause;
	const uint8_t *session_id;
	size_t session_id_len;
};

/* What replies are made of. */
struct rad_reply {
	const char *secret;
	uint8_t attrs[RAD_ATTRS]; /* of each Access-Accept, ready-made */
	size_t attrs_len;
	uint32_t ip_first, ip_count, ip_next; /* Framed-IP-Address by turns; ip_count 0: no */
	bool bad_authenticator;
	bool no_message_authenticator;
	bool bad_message_authenticator;
	bool wrong_id;
};

/* Fills r from r->data and r->len; false when it is malformed. */
bool rad_parse(struct rad_request *r);
/* Message-Authenticator, if there is one, and the authenticator of accounting are right. */
bool rad_authentic(const struct rad_request *r, const char *secret);
/* Writes the reply to r; its length. */
size_t rad_build(uint8_t *p, struct rad_reply *f, const struct rad_request *r, enum rad_code code);
/* Takes "ATTR=VALUE" into the replies; NULL, or what is wrong. */
const char *rad_add_attr(struct rad_reply *f, const char *text);

#endif
