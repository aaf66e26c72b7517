/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages and their AVPs (RFC 2661 4 and 6, RFC 3145, RFC 5515): a whole
 * message is decoded into one struct ctl_msg, and AVPs are written one by one.
 * Sees no tables, clock or sockets.
 */
#ifndef AVP_H
#define AVP_H

#include "l2tpns.h"
#include "wire.h"

/* Message types, RFC 2661 3.2; the last two are RFC 5515's. */
enum ctl_type {
	CTL_ZLB = 0, /* no message at all, only an acknowledgement */
	CTL_SCCRQ = 1,
	CTL_SCCRP = 2,
	CTL_SCCCN = 3,
	CTL_STOPCCN = 4,
	CTL_HELLO = 6,
	CTL_OCRQ = 7,
	CTL_OCRP = 8,
	CTL_OCCN = 9,
	CTL_ICRQ = 10,
	CTL_ICRP = 11,
	CTL_ICCN = 12,
	CTL_CDN = 14,
	CTL_WEN = 15,
	CTL_SLI = 16,
	CTL_CSUN = 28,
	CTL_CSURQ = 29,
	CTL_TYPES
};

/* Attribute types of vendor 0, RFC 2661 4.4 and RFC 3145. */
enum avp_type {
	AVP_MESSAGE_TYPE = 0,
	AVP_RESULT_CODE = 1,
	AVP_PROTOCOL_VERSION = 2,
	AVP_FRAMING_CAPABILITIES = 3,
	AVP_BEARER_CAPABILITIES = 4,
	AVP_TIE_BREAKER = 5,
	AVP_FIRMWARE_REVISION = 6,
	AVP_HOST_NAME = 7,
	AVP_VENDOR_NAME = 8,
	AVP_ASSIGNED_TUNNEL_ID = 9,
	AVP_RECEIVE_WINDOW_SIZE = 10,
	AVP_CHALLENGE = 11,
	AVP_CAUSE_CODE = 12,
	AVP_CHALLENGE_RESPONSE = 13,
	AVP_ASSIGNED_SESSION_ID = 14,
	AVP_CALL_SERIAL_NUMBER = 15,
	AVP_MINIMUM_BPS = 16,
	AVP_MAXIMUM_BPS = 17,
	AVP_BEARER_TYPE = 18,
	AVP_FRAMING_TYPE = 19,
	AVP_CALLED_NUMBER = 21,
	AVP_CALLING_NUMBER = 22,
	AVP_SUB_ADDRESS = 23,
	AVP_TX_CONNECT_SPEED = 24,
	AVP_PHYSICAL_CHANNEL_ID = 25,
	AVP_INITIAL_RECEIVED_LCP = 26,
	AVP_LAST_SENT_LCP = 27,
	AVP_LAST_RECEIVED_LCP = 28,
	AVP_PROXY_AUTHEN_TYPE = 29,
	AVP_PROXY_AUTHEN_NAME = 30,
	AVP_PROXY_AUTHEN_CHALLENGE = 31,
	AVP_PROXY_AUTHEN_ID = 32,
	AVP_PROXY_AUTHEN_RESPONSE = 33,
	AVP_CALL_ERRORS = 34,
	AVP_ACCM = 35,
	AVP_RANDOM_VECTOR = 36,
	AVP_PRIVATE_GROUP_ID = 37,
	AVP_RX_CONNECT_SPEED = 38,
	AVP_SEQUENCING_REQUIRED = 39,
	AVP_PPP_DISCONNECT_CAUSE = 46, /* RFC 3145 */
	AVP_TYPES = 64,
	AVP_CONNECT_SPEED_UPDATE = 97, /* RFC 5515; may be there many times */
};

enum {
	AVP_HEADER = 6,
	AVP_MANDATORY = 0x8000,
	AVP_HIDDEN = 0x4000,
	AVP_RESERVED = 0x3c00,
	AVP_LENGTH = 0x03ff,
	AVP_VENDOR_ADSL_FORUM = 3561, /* RFC 5515 access line AVPs */
	CTL_MAX_LINE_AVPS = 40,
	CTL_MAX_SPEEDS = 84, /* as many as a message of 1,500 octets can hold */
	CTL_SCRATCH = 4096,  /* room for revealed hidden values */
};

/* General error codes for a Result Code AVP, RFC 2661 4.4.2. */
enum l2tp_error {
	L2TP_ERR_NONE = 0,
	L2TP_ERR_NO_CONTROL = 1,
	L2TP_ERR_LENGTH = 2,
	L2TP_ERR_RANGE = 3,
	L2TP_ERR_RESOURCES = 4,
	L2TP_ERR_SESSION_ID = 5,
	L2TP_ERR_VENDOR = 6,
	L2TP_ERR_TRY_ANOTHER = 7,
	L2TP_ERR_UNKNOWN_AVP = 8,
};

/* One AVP as it stands in a message. */
struct avp {
	uint16_t vendor, type;
	bool mandatory, hidden;
	bool reserved; /* a bit that must be 0 is set */
	struct rd val; /* a cursor of its own over the value */
};

/* A value of variable length inside the message (or the scratch space of ctl_msg). */
struct avp_val {
	const uint8_t *p;
	uint16_t len;
};

/*
 * A decoded control message; lives as long as the packet it was made from. Not to be
 * copied: a revealed value points into its own scratch space.
 */
struct ctl_msg {
	uint16_t type;	     /* enum ctl_type, or one we do not know */
	bool type_mandatory; /* M bit of the Message Type AVP */
	bool revealed;	     /* it had a hidden AVP, which the secret opened */
	uint64_t have;	     /* a bit for each AVP type of vendor 0 that was there and sound */

	uint16_t result, error; /* Result Code AVP; error 0 when absent */
	struct avp_val error_message;
	uint16_t protocol_version; /* as on the wire: 0x0100 */
	uint32_t framing_capabilities, bearer_capabilities;
	uint64_t tie_breaker;
	uint16_t firmware;
	struct avp_val host_name, vendor_name;
	uint16_t assigned_tid, window;
	struct avp_val challenge, challenge_response; /* response: 16 octets */
	uint16_t cause_code;
	uint8_t cause_msg;

	uint16_t assigned_sid;
	uint32_t call_serial, minimum_bps, maximum_bps;
	uint32_t bearer_type, framing_type;
	struct avp_val called, calling, sub_address;
	uint32_t tx_speed, rx_speed; /* bit/s */
	uint32_t physical_channel;
	struct avp_val initial_rx_lcp, last_tx_lcp, last_rx_lcp; /* options without CP header */
	uint16_t proxy_type; /* 1 text, 2 CHAP, 3 PAP, 4 none, 5 MS-CHAPv1 */
	struct avp_val proxy_name, proxy_challenge, proxy_response;
	uint8_t proxy_id;
	struct avp_val private_group;
	uint32_t call_errors[6]; /* CRC, framing, hardware, buffer overruns, time-outs, alignment */
	uint32_t accm_send, accm_receive;
	uint16_t disconnect_code, disconnect_protocol; /* RFC 3145 */
	uint8_t disconnect_direction;
	struct avp_val disconnect_message;

	unsigned int n_line; /* RFC 5515 access line AVPs, as they came */
	struct {
		uint16_t type;
		struct avp_val val;
	} line[CTL_MAX_LINE_AVPS];

	uint16_t bad_vendor, bad_type; /* the AVP a refusal is about */
	unsigned int n_speed;	       /* Connect Speed Updates (RFC 5515) */
	uint16_t scratch_used;
	struct {
		uint16_t wire_sid; /* ours */
		uint32_t tx, rx;   /* bit/s */
	} speed[CTL_MAX_SPEEDS];
	uint8_t scratch[CTL_SCRATCH];
};

/* The value as a text of at most size - 1 octets; "" when it is not there. */
void avp_text(char *to, size_t size, const struct avp_val *v);

#define CTL_HAS(m, avp) (((m)->have >> (avp)) & 1)

enum ctl_result {
	CTL_OK,
	CTL_MALFORMED,	 /* an AVP's length is impossible, or the first is not Message Type */
	CTL_BAD_VALUE,	 /* a known AVP of the wrong length or of a value that cannot be */
	CTL_UNKNOWN_AVP, /* an unknown AVP with the M bit, or one with a reserved bit too */
	CTL_HIDDEN,  /* a hidden mandatory AVP without secret or Random Vector, or garbage inside */
	CTL_MISSING, /* an AVP without which the message means nothing */
};

/* What the result code's general error should say for each refusal. */
enum l2tp_error ctl_result_error(enum ctl_result result);

/* "SCCRQ"...; "type N" for one we do not know. Static buffer. */
const char *ctl_type_name(uint16_t type);

/* "Assigned-Tunnel-Id"...; "AVP N" for one we do not know. Static buffer. */
const char *avp_type_name(uint16_t type);

/* The next AVP of a message; false at the end or when it is malformed (msg->bad tells which). */
bool avp_next(struct rd *msg, struct avp *a);

/*
 * Decodes the AVPs behind the control header. `secret` ("" when there is none)
 * reveals hidden AVPs (RFC 2661 4.3). An AVP without M that is unknown, unreadable
 * or wrong is skipped, of any vendor. The first of several of a type counts.
 * All AVPs are read even when one is refused, so that ids to answer to are
 * known; the first refusal is returned, with bad_vendor and bad_type set.
 * No AVPs at all are a ZLB. An unknown message type is CTL_OK. Mandatory presence
 * is checked for known types (RFC 2661 6): CTL_MISSING.
 */
enum ctl_result ctl_decode(struct rd avps, const char *secret, struct ctl_msg *m);

/*
 * Writing. Each puts a whole AVP of vendor 0; `flags` is 0 or AVP_MANDATORY. A value over
 * 1017 octets is an overflow.
 */
void avp_put(struct wr *w, uint16_t flags, uint16_t type, const void *val, size_t len);
void avp_put_u16(struct wr *w, uint16_t flags, uint16_t type, uint16_t v);
void avp_put_u32(struct wr *w, uint16_t flags, uint16_t type, uint32_t v);
void avp_put_str(struct wr *w, uint16_t flags, uint16_t type, const char *s);

/* Result Code AVP; error and message are left out when error is 0 and message NULL. */
void avp_put_result(struct wr *w, uint16_t result, uint16_t error, const char *message);

/* PPP Disconnect Cause Code AVP (RFC 3145 2.1): direction 0 global, 1 at peer, 2 at local. */
void avp_put_disconnect(
    struct wr *w, uint16_t code, uint16_t protocol, uint8_t direction, const char *message);

/*
 * A hidden AVP (RFC 2661 4.3): put the Random Vector AVP (avp_put) first, and give
 * the same vector here. Pads the value by `pad` zeroes.
 */
void avp_put_hidden(struct wr *w, uint16_t flags, uint16_t type, const void *val, size_t len,
    const char *secret, const void *vector, size_t vector_len, size_t pad);

/*
 * Starts a control message at the start of the buffer of `w`: header with zero ids and
 * numbers, then the Message Type AVP, which a CTL_ZLB has not.
 */
void ctl_begin(struct wr *w, uint16_t type);

/* Ends it: fills the header's length and the receiver's ids. Its length, 0 after an overflow. */
size_t ctl_end(struct wr *w, uint16_t wire_tid, uint16_t wire_sid);

/* Sets Ns and Nr in a message (at least a control header long) that is about to leave. */
void ctl_set_sequence(uint8_t *msg, uint16_t ns, uint16_t nr);

/*
 * Tunnel authentication, RFC 2661 5.1.1 (CHAP's MD5 with the message type as id):
 * the 16-octet response to a challenge, to be carried by a message of type `type`.
 */
void l2tp_response(
    uint8_t type, const char *secret, const void *challenge, size_t len, uint8_t *out);

#endif
