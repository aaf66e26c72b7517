/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RADIUS packets (RFC 2865, 2866, 2869, 2548): attributes read by a cursor and
 * written one by one; password hiding, authenticators, Message-Authenticator.
 * Sees no tables, clock or sockets.
 */
#ifndef RADATTR_H
#define RADATTR_H

#include "l2tpns.h"
#include "wire.h"

enum rad_code {
	RAD_ACCESS_REQUEST = 1,
	RAD_ACCESS_ACCEPT = 2,
	RAD_ACCESS_REJECT = 3,
	RAD_ACCOUNTING_REQUEST = 4,
	RAD_ACCOUNTING_RESPONSE = 5,
	RAD_ACCESS_CHALLENGE = 11,
	RAD_STATUS_SERVER = 12,
	RAD_DISCONNECT_REQUEST = 40,
	RAD_DISCONNECT_ACK = 41,
	RAD_DISCONNECT_NAK = 42,
	RAD_COA_REQUEST = 43,
	RAD_COA_ACK = 44,
	RAD_COA_NAK = 45,
};

enum rad_type {
	RAD_USER_NAME = 1,
	RAD_USER_PASSWORD = 2,
	RAD_CHAP_PASSWORD = 3,
	RAD_NAS_IP_ADDRESS = 4,
	RAD_NAS_PORT = 5,
	RAD_SERVICE_TYPE = 6,
	RAD_FRAMED_PROTOCOL = 7,
	RAD_FRAMED_IP_ADDRESS = 8,
	RAD_FRAMED_IP_NETMASK = 9,
	RAD_FILTER_ID = 11,
	RAD_FRAMED_MTU = 12,
	RAD_REPLY_MESSAGE = 18,
	RAD_FRAMED_ROUTE = 22,
	RAD_STATE = 24,
	RAD_CLASS = 25,
	RAD_VENDOR_SPECIFIC = 26,
	RAD_SESSION_TIMEOUT = 27,
	RAD_IDLE_TIMEOUT = 28,
	RAD_CALLED_STATION_ID = 30,
	RAD_CALLING_STATION_ID = 31,
	RAD_NAS_IDENTIFIER = 32,
	RAD_PROXY_STATE = 33,
	RAD_ACCT_STATUS_TYPE = 40,
	RAD_ACCT_DELAY_TIME = 41,
	RAD_ACCT_INPUT_OCTETS = 42,
	RAD_ACCT_OUTPUT_OCTETS = 43,
	RAD_ACCT_SESSION_ID = 44,
	RAD_ACCT_AUTHENTIC = 45,
	RAD_ACCT_SESSION_TIME = 46,
	RAD_ACCT_INPUT_PACKETS = 47,
	RAD_ACCT_OUTPUT_PACKETS = 48,
	RAD_ACCT_TERMINATE_CAUSE = 49,
	RAD_ACCT_INPUT_GIGAWORDS = 52,
	RAD_ACCT_OUTPUT_GIGAWORDS = 53,
	RAD_EVENT_TIMESTAMP = 55,
	RAD_CHAP_CHALLENGE = 60,
	RAD_NAS_PORT_TYPE = 61,
	RAD_PORT_LIMIT = 62,
	RAD_TUNNEL_TYPE = 64,
	RAD_TUNNEL_MEDIUM_TYPE = 65,
	RAD_TUNNEL_CLIENT_ENDPOINT = 66,
	RAD_TUNNEL_SERVER_ENDPOINT = 67,
	RAD_ACCT_TUNNEL_CONNECTION = 68,
	RAD_TUNNEL_PASSWORD = 69,
	RAD_CONNECT_INFO = 77,
	RAD_MESSAGE_AUTHENTICATOR = 80,
	RAD_TUNNEL_ASSIGNMENT_ID = 82,
	RAD_TUNNEL_PREFERENCE = 83,
	RAD_ACCT_INTERIM_INTERVAL = 85,
	RAD_NAS_PORT_ID = 87,
	RAD_FRAMED_POOL = 88,
	RAD_CHARGEABLE_USER_IDENTITY = 89,
	RAD_TUNNEL_CLIENT_AUTH_ID = 90,
	RAD_TUNNEL_SERVER_AUTH_ID = 91,
	RAD_NAS_IPV6_ADDRESS = 95,
	RAD_FRAMED_IPV6_PREFIX = 97,
	RAD_FRAMED_IPV6_ROUTE = 99,
	RAD_ERROR_CAUSE = 101,
	RAD_DELEGATED_IPV6_PREFIX = 123,
	RAD_ASCEND_PRIMARY_DNS = 135, /* old form, without vendor */
	RAD_ASCEND_SECONDARY_DNS = 136,
	RAD_FRAMED_IPV6_ADDRESS = 168,
};

enum {
	RAD_VENDOR_CISCO = 9,
	RAD_VENDOR_MICROSOFT = 311,
	RAD_VENDOR_ASCEND = 529,
	RAD_VENDOR_ADSL_FORUM = 3561,
	RAD_CISCO_AVPAIR = 1,
	RAD_MS_CHAP_ERROR = 2,
	RAD_MS_CHAP_CHALLENGE = 11,
	RAD_MS_CHAP2_RESPONSE = 25,
	RAD_MS_CHAP2_SUCCESS = 26,
	RAD_MS_PRIMARY_DNS = 28,
	RAD_MS_SECONDARY_DNS = 29,
};

enum { RAD_HEADER = 20, RAD_AUTH_LEN = 16, RAD_MAX_PACKET = 4096, RAD_MAX_VALUE = 253 };

/* The head of a packet that was found sound: lengths agree, every attribute fits. */
struct rad_packet {
	uint8_t code, id;
	const uint8_t *authenticator; /* 16 octets */
	const uint8_t *data;	      /* whole packet */
	size_t len;		      /* by its own length field */
	struct rd attrs;	      /* cursor over the attributes */
};

/* One attribute, or one sub-attribute of a Vendor-Specific one. */
struct rad_attr {
	uint32_t vendor; /* 0: standard */
	uint8_t type;
	uint8_t len;	      /* of the value */
	const uint8_t *value; /* inside the packet */
};

/* Decodes and checks the whole packet's structure (RFC 2865 3 and 5); false: malformed. */
bool rad_decode(const void *data, size_t len, struct rad_packet *p);

/*
 * The next attribute of `*attrs`. Vendor-Specific ones of the known vendors' form
 * (RFC 2865 5.26: type, length, value, several in one) come out one sub-attribute
 * at a time; malformed vendor data comes out whole, behind the vendor's number, with
 * type 0 (or as type 26 of vendor 0, when it has not even that). `sub` holds the place
 * inside, zero at first; meanwhile `attrs` stays on the Vendor-Specific attribute.
 */
bool rad_attr_next(struct rd *attrs, struct rd *sub, struct rad_attr *a);

/* Number of an attribute's value; false when it is not 4 octets. */
bool rad_attr_u32(const struct rad_attr *a, uint32_t *v);
/* The same, left in network order: addresses. */
bool rad_attr_be32(const struct rad_attr *a, uint32_t *v);

/*
 * Starts a packet: code, id, authenticator (NULL: zeroes). rad_end() fills the
 * length and returns it, 0 after an overflow.
 */
void rad_begin(struct wr *w, uint8_t code, uint8_t id, const uint8_t *authenticator);
size_t rad_end(struct wr *w);

/* Attributes; values longer than 253 octets are cut. */
void rad_put(struct wr *w, uint8_t type, const void *value, size_t len);
void rad_put_str(struct wr *w, uint8_t type, const char *s);
void rad_put_u32(struct wr *w, uint8_t type, uint32_t v);
void rad_put_be32(struct wr *w, uint8_t type, uint32_t v);
void rad_put_vendor(struct wr *w, uint32_t vendor, uint8_t type, const void *value, size_t len);

/* Room for a Message-Authenticator (RFC 2869 5.14); returns its place for rad_sign(), or 0. */
size_t rad_put_message_authenticator(struct wr *w);

/* User-Password, hidden (RFC 2865 5.2); one over 128 octets cannot be sent and spoils the packet.
 */
void rad_put_password(struct wr *w, const void *password, size_t len, const char *secret,
    const uint8_t *authenticator);

/*
 * Fills the Message-Authenticator at `place` of a finished packet: HMAC-MD5 over the packet
 * as it stands (RFC 2869 5.14), so before rad_sign_md5(): with the request's authenticator
 * in a reply, with zeroes in an accounting request. Does nothing when `place` is 0.
 */
void rad_sign(uint8_t *packet, size_t len, size_t place, const char *secret);

/*
 * Makes an Access-Request one for another server: puts `authenticator` in, hides its
 * User-Password under the secret `to` instead of `from`, signs it anew.
 */
void rad_rekey(
    uint8_t *packet, size_t len, const char *from, const char *to, const uint8_t *authenticator);

/*
 * Response Authenticator of a reply we write (RFC 2865 3) or of an accounting
 * request (RFC 2866 3; request_authenticator NULL: zeroes): MD5 over code, id,
 * length, that authenticator, attributes and the secret. Written into the packet.
 */
void rad_sign_md5(
    uint8_t *packet, size_t len, const uint8_t *request_authenticator, const char *secret);

enum rad_check {
	RAD_CHECK_OK,
	RAD_CHECK_AUTHENTICATOR,	 /* Response Authenticator wrong */
	RAD_CHECK_MESSAGE_AUTHENTICATOR, /* there, and wrong */
};

/*
 * Checks a reply against the request it answers, in constant time. `has_ma` tells
 * whether it carried a Message-Authenticator (the caller decides if one is required).
 */
enum rad_check rad_check_reply(const struct rad_packet *reply, const uint8_t *request_authenticator,
    const char *secret, bool *has_ma);

/* The same for a request to us (DAE, RFC 5176 2.3; RFC 2866): its authenticator over zeroes. */
enum rad_check rad_check_request(const struct rad_packet *req, const char *secret, bool *has_ma);

/* Tunnel-Password (RFC 2868 3.5) into `out` (NUL ended); false when malformed or too long. */
bool rad_tunnel_password(const struct rad_attr *a, const char *secret,
    const uint8_t *request_authenticator, char *out, size_t size);

#endif
