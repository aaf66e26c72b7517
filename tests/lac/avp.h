/* Attribute-value pairs of control messages (RFC 2661 4). */
#ifndef LAC_AVP_H
#define LAC_AVP_H

#include "bytes.h"

enum msg_type {
	MSG_SCCRQ = 1,
	MSG_SCCRP,
	MSG_SCCCN,
	MSG_STOPCCN,
	MSG_HELLO = 6,
	MSG_OCRQ,
	MSG_OCRP,
	MSG_OCCN,
	MSG_ICRQ,
	MSG_ICRP,
	MSG_ICCN,
	MSG_CDN = 14,
	MSG_WEN,
	MSG_SLI,
};

enum avp_type {
	AVP_MESSAGE_TYPE,
	AVP_RESULT_CODE,
	AVP_PROTOCOL_VERSION,
	AVP_FRAMING_CAPABILITIES,
	AVP_BEARER_CAPABILITIES,
	AVP_TIE_BREAKER,
	AVP_FIRMWARE_REVISION,
	AVP_HOST_NAME,
	AVP_VENDOR_NAME,
	AVP_ASSIGNED_TUNNEL_ID,
	AVP_RECEIVE_WINDOW_SIZE,
	AVP_CHALLENGE,
	AVP_CAUSE_CODE,
	AVP_CHALLENGE_RESPONSE,
	AVP_ASSIGNED_SESSION_ID,
	AVP_CALL_SERIAL_NUMBER,
	AVP_MINIMUM_BPS,
	AVP_MAXIMUM_BPS,
	AVP_BEARER_TYPE,
	AVP_FRAMING_TYPE,
	AVP_CALLED_NUMBER = 21,
	AVP_CALLING_NUMBER,
	AVP_SUB_ADDRESS,
	AVP_TX_CONNECT_SPEED,
	AVP_PHYSICAL_CHANNEL,
	AVP_INITIAL_LCP,
	AVP_LAST_SENT_LCP,
	AVP_LAST_RECEIVED_LCP,
	AVP_PROXY_AUTH_TYPE,
	AVP_PROXY_AUTH_NAME,
	AVP_PROXY_AUTH_CHALLENGE,
	AVP_PROXY_AUTH_ID,
	AVP_PROXY_AUTH_RESPONSE,
	AVP_CALL_ERRORS,
	AVP_ACCM,
	AVP_RANDOM_VECTOR,
	AVP_PRIVATE_GROUP_ID,
	AVP_RX_CONNECT_SPEED,
	AVP_SEQUENCING_REQUIRED,
	AVP_PPP_DISCONNECT_CAUSE = 46, /* RFC 3145 */
	AVP_TYPES,
};

/* A message being written. */
struct avp_out {
	struct out o;
	const char *secret; /* for hiding; NULL: hide nothing */
	uint8_t vector[16];
};

/* Starts with Message Type, and a Random Vector when secret is not NULL. */
void avp_start(
    struct avp_out *a, uint8_t *buf, size_t room, enum msg_type type, const char *secret);
/* hide: may be hidden, and is when the message has a secret. */
void avp_bytes(
    struct avp_out *a, enum avp_type type, bool mandatory, bool hide, const void *v, size_t n);
void avp_u16(struct avp_out *a, enum avp_type type, bool mandatory, bool hide, uint16_t v);
void avp_u32(struct avp_out *a, enum avp_type type, bool mandatory, bool hide, uint32_t v);

struct span {
	const uint8_t *p; /* NULL: the AVP is not there */
	size_t n;
};

/* A message read. Values point into the message, hidden ones into a static buffer. */
struct ctl {
	uint16_t type;
	struct span v[AVP_TYPES];
	const char *fault; /* what is wrong with it; NULL: nothing */
};

void avp_parse(struct ctl *c, const uint8_t *body, size_t len, const char *secret);
/* A value as a number; 0 when it is not there. */
uint32_t avp_number(const struct ctl *c, enum avp_type type);
/* MD5(id secret challenge), RFC 2661 4.4.3. */
void avp_response(uint8_t *out, uint8_t id, const char *secret, const uint8_t *chal, size_t n);

#endif
