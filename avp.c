/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AVPs of control messages, both ways. avp_defs[] has a row for each attribute of
 * vendor 0 (RFC 2661 4.4, RFC 3145): name, lengths, where its value goes in struct
 * ctl_msg and which messages mean nothing without it. Decoding is a walk over the
 * message with that table in hand; nothing else is known about any one attribute but
 * by the take_*() functions of the few that have a structure inside.
 *
 * How strict: what RFC 2661 7.1 calls recoverable is recovered from, that is, an AVP
 * without the M bit which is unknown, wrong or unreadable is as if it were not there.
 * One with a reserved bit set counts as unknown (4.1). Of several of one type the
 * first counts, so that nothing behind an id can change it; of Random Vectors the last
 * one before a hidden AVP (4.3). Of the AVPs that section 6 demands only
 * those are missed without which one cannot answer, and the few that every LAC sends
 * with SCCRQ: real peers leave out and add what they like.
 *
 * RFC 5515 access line AVPs (vendor 3561) are listed as they come and not looked into;
 * so are its Connect Speed Updates, of which a message has one a session.
 *
 * Called by l2tp.c and l2tp_chan.c; keeps no state but the buffers of the two name
 * functions. MD5 comes from nettle.
 */
#include "avp.h"
#include "l2tp_hdr.h"
#include "util.h"

#include <nettle/md5.h>
#include <stdio.h>

enum avp_kind {
	KIND_NONE, /* no such attribute */
	KIND_FLAG, /* being there is all */
	KIND_U16,
	KIND_ID, /* a 16-bit id, not 0 */
	KIND_U32,
	KIND_U64,
	KIND_BYTES,
	KIND_TAKE, /* by the row's own function */
};

struct avp_def {
	const char *name;
	enum avp_kind kind;
	uint16_t offset;   /* of the member in struct ctl_msg */
	uint16_t min, max; /* length of the value, octets */
	uint32_t required; /* a bit for each message type that must have it */
	void (*take)(struct rd *val, struct ctl_msg *m);
};

/* What reveals and hides: RFC 2661 4.3. */
struct hiding {
	const char *secret;
	const uint8_t *vector; /* of the last Random Vector AVP */
	size_t vector_len;
	uint16_t type;
};

static struct avp_val
rest_of(struct rd *val)
{
	struct avp_val v = { .len = (uint16_t)rd_left(val) };

	v.p = rd_bytes(val, v.len);
	return v;
}

/* 4.4.2: result, then perhaps an error code, then perhaps its text. */
static void
take_result(struct rd *val, struct ctl_msg *m)
{
	m->result = rd_u16(val);
	if (rd_left(val) < 2)
		return;
	m->error = rd_u16(val);
	m->error_message = rest_of(val);
}

/* 4.4.6: Q.931 cause code and message; the advisory text is not kept. */
static void
take_cause(struct rd *val, struct ctl_msg *m)
{
	m->cause_code = rd_u16(val);
	m->cause_msg = rd_u8(val);
}

/* 4.4.5: a reserved octet stands in front. */
static void
take_proxy_id(struct rd *val, struct ctl_msg *m)
{
	rd_skip(val, 1);
	m->proxy_id = rd_u8(val);
}

/* 4.4.6 */
static void
take_call_errors(struct rd *val, struct ctl_msg *m)
{
	size_t i;

	rd_skip(val, 2);
	for (i = 0; i < ARRAY_LEN(m->call_errors); i++)
		m->call_errors[i] = rd_u32(val);
}

/* 4.4.6 */
static void
take_accm(struct rd *val, struct ctl_msg *m)
{
	rd_skip(val, 2);
	m->accm_send = rd_u32(val);
	m->accm_receive = rd_u32(val);
}

/* RFC 3145 2.1 */
static void
take_disconnect(struct rd *val, struct ctl_msg *m)
{
	m->disconnect_code = rd_u16(val);
	m->disconnect_protocol = rd_u16(val);
	m->disconnect_direction = rd_u8(val);
	m->disconnect_message = rest_of(val);
}

/* clang-format off */
#define IN(type)	     (UINT32_C(1) << (CTL_##type))
#define ANY		     (AVP_LENGTH - AVP_HEADER)
#define ROW(n, k, least, most)	.name = (n), .kind = (k), .min = (least), .max = (most)
#define AT(member)		.offset = offsetof(struct ctl_msg, member)
#define FLAG(n)			{ ROW(n, KIND_FLAG, 0, ANY) }
#define U16(n, m)		{ ROW(n, KIND_U16, 2, 2), AT(m) }
#define U32(n, m)		{ ROW(n, KIND_U32, 4, 4), AT(m) }
#define U64(n, m)		{ ROW(n, KIND_U64, 8, 8), AT(m) }
#define ID(n, m, req)		{ ROW(n, KIND_ID, 2, 2), AT(m), .required = (req) }
#define BYTES(n, m, least, most) { ROW(n, KIND_BYTES, least, most), AT(m) }
#define TAKE(n, fn, least, most) { ROW(n, KIND_TAKE, least, most), .take = (fn) }

static const struct avp_def avp_defs[AVP_TYPES] = {
	[AVP_MESSAGE_TYPE]           = U16("Message-Type", type),
	[AVP_RESULT_CODE]            = TAKE("Result-Code", take_result, 2, ANY),
	[AVP_PROTOCOL_VERSION]       = U16("Protocol-Version", protocol_version),
	[AVP_FRAMING_CAPABILITIES]   = { ROW("Framing-Capabilities", KIND_U32, 4, 4),
		AT(framing_capabilities), .required = IN(SCCRQ) },
	[AVP_BEARER_CAPABILITIES]    = U32("Bearer-Capabilities", bearer_capabilities),
	[AVP_TIE_BREAKER]            = U64("Tie-Breaker", tie_breaker),
	[AVP_FIRMWARE_REVISION]      = U16("Firmware-Revision", firmware),
	[AVP_HOST_NAME]              = { ROW("Host-Name", KIND_BYTES, 1, ANY), AT(host_name),
		.required = IN(SCCRQ) },
	[AVP_VENDOR_NAME]            = BYTES("Vendor-Name", vendor_name, 0, ANY),
	[AVP_ASSIGNED_TUNNEL_ID]     = ID("Assigned-Tunnel-Id", assigned_tid, IN(SCCRQ) | IN(SCCRP)),
	[AVP_RECEIVE_WINDOW_SIZE]    = U16("Receive-Window-Size", window),
	[AVP_CHALLENGE]              = BYTES("Challenge", challenge, 1, ANY),
	[AVP_CAUSE_CODE]             = TAKE("Q.931-Cause-Code", take_cause, 3, ANY),
	[AVP_CHALLENGE_RESPONSE]     = BYTES("Challenge-Response", challenge_response, 16, 16),
	[AVP_ASSIGNED_SESSION_ID]    = ID("Assigned-Session-Id", assigned_sid,
		IN(ICRQ) | IN(ICRP) | IN(OCRQ) | IN(OCRP)),
	[AVP_CALL_SERIAL_NUMBER]     = U32("Call-Serial-Number", call_serial),
	[AVP_MINIMUM_BPS]            = U32("Minimum-BPS", minimum_bps),
	[AVP_MAXIMUM_BPS]            = U32("Maximum-BPS", maximum_bps),
	[AVP_BEARER_TYPE]            = U32("Bearer-Type", bearer_type),
	[AVP_FRAMING_TYPE]           = U32("Framing-Type", framing_type),
	[AVP_CALLED_NUMBER]          = BYTES("Called-Number", called, 0, ANY),
	[AVP_CALLING_NUMBER]         = BYTES("Calling-Number", calling, 0, ANY),
	[AVP_SUB_ADDRESS]            = BYTES("Sub-Address", sub_address, 0, ANY),
	[AVP_TX_CONNECT_SPEED]       = U32("Tx-Connect-Speed", tx_speed),
	[AVP_PHYSICAL_CHANNEL_ID]    = U32("Physical-Channel-Id", physical_channel),
	[AVP_INITIAL_RECEIVED_LCP]   = BYTES("Initial-Received-LCP-CONFREQ", initial_rx_lcp, 0, ANY),
	[AVP_LAST_SENT_LCP]          = BYTES("Last-Sent-LCP-CONFREQ", last_tx_lcp, 0, ANY),
	[AVP_LAST_RECEIVED_LCP]      = BYTES("Last-Received-LCP-CONFREQ", last_rx_lcp, 0, ANY),
	[AVP_PROXY_AUTHEN_TYPE]      = U16("Proxy-Authen-Type", proxy_type),
	[AVP_PROXY_AUTHEN_NAME]      = BYTES("Proxy-Authen-Name", proxy_name, 0, ANY),
	[AVP_PROXY_AUTHEN_CHALLENGE] = BYTES("Proxy-Authen-Challenge", proxy_challenge, 0, ANY),
	[AVP_PROXY_AUTHEN_ID]        = TAKE("Proxy-Authen-Id", take_proxy_id, 2, 2),
	[AVP_PROXY_AUTHEN_RESPONSE]  = BYTES("Proxy-Authen-Response", proxy_response, 0, ANY),
	[AVP_CALL_ERRORS]            = TAKE("Call-Errors", take_call_errors, 26, 26),
	[AVP_ACCM]                   = TAKE("ACCM", take_accm, 10, 10),
	[AVP_RANDOM_VECTOR]          = FLAG("Random-Vector"),
	[AVP_PRIVATE_GROUP_ID]       = BYTES("Private-Group-Id", private_group, 0, ANY),
	[AVP_RX_CONNECT_SPEED]       = U32("Rx-Connect-Speed", rx_speed),
	[AVP_SEQUENCING_REQUIRED]    = FLAG("Sequencing-Required"),
	[AVP_PPP_DISCONNECT_CAUSE]   = TAKE("PPP-Disconnect-Cause", take_disconnect, 5, ANY),
};
/* clang-format on */

static const char *const type_names[CTL_TYPES] = {
	[CTL_ZLB] = "ZLB",
	[CTL_SCCRQ] = "SCCRQ",
	[CTL_SCCRP] = "SCCRP",
	[CTL_SCCCN] = "SCCCN",
	[CTL_STOPCCN] = "StopCCN",
	[CTL_HELLO] = "HELLO",
	[CTL_OCRQ] = "OCRQ",
	[CTL_OCRP] = "OCRP",
	[CTL_OCCN] = "OCCN",
	[CTL_ICRQ] = "ICRQ",
	[CTL_ICRP] = "ICRP",
	[CTL_ICCN] = "ICCN",
	[CTL_CDN] = "CDN",
	[CTL_WEN] = "WEN",
	[CTL_SLI] = "SLI",
	[CTL_CSUN] = "CSUN",
	[CTL_CSURQ] = "CSURQ",
};

/* --- names --- */

const char *
ctl_type_name(uint16_t type)
{
	static char text[16];

	if (type < CTL_TYPES && type_names[type])
		return type_names[type];
	snprintf(text, sizeof(text), "type %u", type);
	return text;
}

const char *
avp_type_name(uint16_t type)
{
	static char text[16];

	if (type < AVP_TYPES && avp_defs[type].name)
		return avp_defs[type].name;
	snprintf(text, sizeof(text), "AVP %u", type);
	return text;
}

/* RFC 2661 4.4.2 has no code for what is missing: the message's value is out of range then. */
enum l2tp_error
ctl_result_error(enum ctl_result result)
{
	static const enum l2tp_error errors[] = {
		[CTL_OK] = L2TP_ERR_NONE,
		[CTL_MALFORMED] = L2TP_ERR_LENGTH,
		[CTL_BAD_VALUE] = L2TP_ERR_RANGE,
		[CTL_UNKNOWN_AVP] = L2TP_ERR_UNKNOWN_AVP,
		[CTL_HIDDEN] = L2TP_ERR_UNKNOWN_AVP,
		[CTL_MISSING] = L2TP_ERR_RANGE,
	};

	return errors[result];
}

/* --- hiding, RFC 2661 4.3 --- */

/*
 * Hides or reveals `n` octets: each block of 16 is xored with the MD5 of the secret and
 * the block of cipher text before it; the first with that of type, secret and vector.
 * Hiding is done in place (`from` is `to`), revealing is not: so `from` holds cipher text
 * behind the block at work in both cases.
 */
static void
crypt_value(const struct hiding *h, uint8_t *to, const uint8_t *from, size_t n)
{
	const uint8_t type[2] = { (uint8_t)(h->type >> 8), (uint8_t)h->type };
	uint8_t key[MD5_DIGEST_SIZE];
	struct md5_ctx md5;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i % sizeof(key) == 0) {
			md5_init(&md5);
			if (i == 0)
				md5_update(&md5, sizeof(type), type);
			md5_update(&md5, strlen(h->secret), (const uint8_t *)h->secret);
			if (i == 0)
				md5_update(&md5, h->vector_len, h->vector);
			else
				md5_update(&md5, sizeof(key), from + i - sizeof(key));
			md5_digest(&md5, sizeof(key), key);
		}
		to[i] = from[i] ^ key[i % sizeof(key)];
	}
}

/* Makes `val` the plain value, in the scratch space of the message. */
static bool
reveal(const struct hiding *h, struct ctl_msg *m, struct rd *val)
{
	size_t n = rd_left(val);
	uint8_t *to = m->scratch + m->scratch_used;
	struct rd plain;

	if (h->secret[0] == '\0' || !h->vector || n > sizeof(m->scratch) - m->scratch_used)
		return false;
	crypt_value(h, to, val->pos, n);
	plain = rd_init(to, n);
	*val = rd_sub(&plain, rd_u16(&plain)); /* the rest is padding */
	if (val->bad)
		return false;
	m->scratch_used = (uint16_t)(m->scratch_used + n);
	return true;
}

/* --- decoding --- */

bool
avp_next(struct rd *msg, struct avp *a)
{
	uint16_t word, len;

	if (rd_left(msg) == 0)
		return false;
	word = rd_u16(msg);
	len = word & AVP_LENGTH;
	a->mandatory = word & AVP_MANDATORY;
	a->hidden = word & AVP_HIDDEN;
	a->reserved = word & AVP_RESERVED;
	a->vendor = rd_u16(msg);
	a->type = rd_u16(msg);
	if (len < AVP_HEADER)
		msg->bad = true;
	a->val = rd_sub(msg, (size_t)(msg->bad ? 0 : len - AVP_HEADER));
	return !msg->bad;
}

static const struct avp_def *
find_def(const struct avp *a)
{
	if (a->vendor != 0 || a->type >= AVP_TYPES || avp_defs[a->type].kind == KIND_NONE)
		return NULL;
	return &avp_defs[a->type];
}

static bool
is_required(const struct ctl_msg *m, const struct avp_def *def)
{
	return m->type < CTL_TYPES && (def->required >> m->type & 1);
}

/* Puts a number into the member that the row names. */
static void
store(struct ctl_msg *m, const struct avp_def *def, const void *v, size_t n)
{
	memcpy((char *)m + def->offset, v, n);
}

/* Stores a value whose length is right; false when it is one that cannot be. */
static bool
take_value(struct ctl_msg *m, const struct avp_def *def, struct rd *val)
{
	struct avp_val bytes;
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (def->kind) {
	case KIND_U16:
	case KIND_ID:
		v16 = rd_u16(val);
		if (v16 == 0 && def->kind == KIND_ID)
			return false;
		store(m, def, &v16, sizeof(v16));
		break;
	case KIND_U32:
		v32 = rd_u32(val);
		store(m, def, &v32, sizeof(v32));
		break;
	case KIND_U64:
		v64 = rd_u64(val);
		store(m, def, &v64, sizeof(v64));
		break;
	case KIND_BYTES:
		bytes = rest_of(val);
		store(m, def, &bytes, sizeof(bytes));
		break;
	case KIND_TAKE:
		def->take(val, m);
		break;
	case KIND_FLAG:
	case KIND_NONE:
		break;
	}
	return true;
}

static void
keep_line(struct ctl_msg *m, const struct avp *a)
{
	struct rd val = a->val;

	if (m->n_line == CTL_MAX_LINE_AVPS)
		return;
	m->line[m->n_line].type = a->type;
	m->line[m->n_line].val = rest_of(&val);
	m->n_line++;
}

/* RFC 5515: two octets reserved, session id, speeds. */
static enum ctl_result
take_speed(struct ctl_msg *m, struct rd *val)
{
	unsigned int i = m->n_speed;

	if (rd_left(val) != 12)
		return CTL_BAD_VALUE;
	if (i == CTL_MAX_SPEEDS)
		return CTL_OK;
	rd_skip(val, 2);
	m->speed[i].wire_sid = rd_u16(val);
	m->speed[i].tx = rd_u32(val);
	m->speed[i].rx = rd_u32(val);
	m->n_speed++;
	return CTL_OK;
}

static bool
is_speed(const struct avp *a)
{
	return a->vendor == 0 && a->type == AVP_CONNECT_SPEED_UPDATE;
}

/* 4.4.1: the vector serves the hidden AVPs behind it; it cannot be hidden itself. */
static enum ctl_result
take_vector(struct ctl_msg *m, struct avp *a, struct hiding *h)
{
	if (a->hidden || rd_left(&a->val) == 0)
		return CTL_BAD_VALUE;
	h->vector_len = rd_left(&a->val);
	h->vector = rd_bytes(&a->val, h->vector_len);
	m->have |= UINT64_C(1) << AVP_RANDOM_VECTOR;
	return CTL_OK;
}

/* One AVP, in the order of RFC 2661 4.1: recognized, revealed, of the right length, of sense. */
static enum ctl_result
take_avp(struct ctl_msg *m, struct avp *a, struct hiding *h)
{
	const struct avp_def *def = find_def(a);

	if (a->reserved || (!def && a->vendor != AVP_VENDOR_ADSL_FORUM && !is_speed(a)))
		return CTL_UNKNOWN_AVP;
	if (def && a->type == AVP_RANDOM_VECTOR)
		return take_vector(m, a, h);
	h->type = a->type;
	if (a->hidden && !reveal(h, m, &a->val))
		return CTL_HIDDEN;
	m->revealed |= a->hidden;
	if (is_speed(a))
		return take_speed(m, &a->val);
	if (!def) {
		keep_line(m, a);
		return CTL_OK;
	}
	if (CTL_HAS(m, a->type) || a->type == AVP_MESSAGE_TYPE)
		return CTL_OK; /* not the first */
	if (rd_left(&a->val) < def->min || rd_left(&a->val) > def->max)
		return CTL_BAD_VALUE;
	if (!take_value(m, def, &a->val)) /* StopCCN and CDN may be from one that had no id yet */
		return is_required(m, def) ? CTL_BAD_VALUE : CTL_OK;
	m->have |= UINT64_C(1) << a->type;
	return CTL_OK;
}

/* RFC 2661 4.4.1: Message Type comes first, in the clear. Type 0 is reserved. */
static enum ctl_result
take_type(struct ctl_msg *m, struct avp *a)
{
	if (a->vendor != 0 || a->type != AVP_MESSAGE_TYPE || a->hidden || a->reserved ||
	    rd_left(&a->val) != 2)
		return CTL_MALFORMED;
	m->type_mandatory = a->mandatory;
	m->type = rd_u16(&a->val);
	m->have |= UINT64_C(1) << AVP_MESSAGE_TYPE;
	return CTL_OK;
}

/* The first AVP that the message must have and has not, or AVP_TYPES. */
static uint16_t
missing(const struct ctl_msg *m)
{
	unsigned int type;

	for (type = 0; type < AVP_TYPES; type++)
		if (is_required(m, &avp_defs[type]) && !CTL_HAS(m, type))
			break;
	return (uint16_t)type;
}

/* Keeps the first refusal and what it is about. */
static void
refuse(struct ctl_msg *m, enum ctl_result *first, enum ctl_result r, const struct avp *a)
{
	if (*first != CTL_OK || r == CTL_OK)
		return;
	*first = r;
	m->bad_vendor = a->vendor;
	m->bad_type = a->type;
}

void
avp_text(char *to, size_t size, const struct avp_val *v)
{
	str_copy_n(to, size, v->p ? (const char *)v->p : "", v->len);
}

enum ctl_result
ctl_decode(struct rd avps, const char *secret, struct ctl_msg *m)
{
	struct hiding h = { .secret = secret };
	enum ctl_result result = CTL_OK, r;
	struct avp a = { 0 };

	memset(m, 0, offsetof(struct ctl_msg, speed));
	if (rd_left(&avps) == 0)
		return avps.bad ? CTL_MALFORMED : CTL_OK;
	if (avp_next(&avps, &a))
		refuse(m, &result, take_type(m, &a), &a);
	while (avp_next(&avps, &a)) {
		r = take_avp(m, &a, &h);
		if (a.mandatory)
			refuse(m, &result, r, &a);
	}
	if (avps.bad)
		refuse(m, &result, CTL_MALFORMED, &a);
	a = (struct avp){ .type = missing(m) };
	if (a.type != AVP_TYPES)
		refuse(m, &result, CTL_MISSING, &a);
	if (CTL_HAS(m, AVP_RECEIVE_WINDOW_SIZE) && m->window == 0)
		m->window = 1; /* a peer that takes nothing could not be spoken to */
	return result;
}

/* --- encoding --- */

/* The header of an AVP and room for its value; NULL and `w` bad when it does not fit. */
static uint8_t *
put_header(struct wr *w, uint16_t flags, uint16_t type, size_t len)
{
	if (len > AVP_LENGTH - AVP_HEADER) {
		w->bad = true;
		return NULL;
	}
	wr_u16(w, (uint16_t)(flags | (len + AVP_HEADER)));
	wr_u16(w, 0);
	wr_u16(w, type);
	return wr_space(w, len);
}

void
avp_put(struct wr *w, uint16_t flags, uint16_t type, const void *val, size_t len)
{
	uint8_t *to = put_header(w, flags, type, len);

	if (to && len)
		memcpy(to, val, len);
}

void
avp_put_u16(struct wr *w, uint16_t flags, uint16_t type, uint16_t v)
{
	const uint8_t val[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	avp_put(w, flags, type, val, sizeof(val));
}

void
avp_put_u32(struct wr *w, uint16_t flags, uint16_t type, uint32_t v)
{
	uint8_t val[4];
	struct wr out = wr_init(val, sizeof(val));

	wr_u32(&out, v);
	avp_put(w, flags, type, val, sizeof(val));
}

void
avp_put_str(struct wr *w, uint16_t flags, uint16_t type, const char *s)
{
	avp_put(w, flags, type, s, strlen(s));
}

void
avp_put_result(struct wr *w, uint16_t result, uint16_t error, const char *message)
{
	uint8_t val[AVP_LENGTH - AVP_HEADER];
	struct wr out = wr_init(val, sizeof(val));

	wr_u16(&out, result);
	if (error || message)
		wr_u16(&out, error);
	if (message)
		wr_bytes(&out, message, MIN(strlen(message), sizeof(val) - 4));
	avp_put(w, AVP_MANDATORY, AVP_RESULT_CODE, val, wr_len(&out));
}

void
avp_put_disconnect(
    struct wr *w, uint16_t code, uint16_t protocol, uint8_t direction, const char *message)
{
	uint8_t val[AVP_LENGTH - AVP_HEADER];
	struct wr out = wr_init(val, sizeof(val));

	wr_u16(&out, code);
	wr_u16(&out, protocol);
	wr_u8(&out, direction);
	if (message)
		wr_bytes(&out, message, MIN(strlen(message), sizeof(val) - 5));
	avp_put(w, 0, AVP_PPP_DISCONNECT_CAUSE, val, wr_len(&out));
}

void
avp_put_hidden(struct wr *w, uint16_t flags, uint16_t type, const void *val, size_t len,
    const char *secret, const void *vector, size_t vector_len, size_t pad)
{
	const struct hiding h = { secret, vector, vector_len, type };
	size_t n = 2 + MIN(len, AVP_LENGTH) + MIN(pad, AVP_LENGTH);
	uint8_t *to = put_header(w, flags | AVP_HIDDEN, type, n);
	struct wr out;

	if (!to)
		return;
	memset(to, 0, n);
	out = wr_init(to, n);
	wr_u16(&out, (uint16_t)len);
	wr_bytes(&out, val, len);
	crypt_value(&h, to, to, n);
}

void
ctl_begin(struct wr *w, uint16_t type)
{
	wr_u16(w, L2TP_FLAG_TYPE | L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE | L2TP_VERSION);
	wr_u16(w, 0); /* length, ids: by ctl_end() */
	wr_u32(w, 0);
	wr_u32(w, 0); /* Ns, Nr: by ctl_set_sequence() */
	if (type != CTL_ZLB)
		avp_put_u16(w, AVP_MANDATORY, AVP_MESSAGE_TYPE, type);
}

size_t
ctl_end(struct wr *w, uint16_t wire_tid, uint16_t wire_sid)
{
	if (wr_len(w) > UINT16_MAX)
		w->bad = true;
	wr_patch_u16(w, 2, (uint16_t)wr_len(w));
	wr_patch_u16(w, 4, wire_tid);
	wr_patch_u16(w, 6, wire_sid);
	return wr_len(w);
}

void
ctl_set_sequence(uint8_t *msg, uint16_t ns, uint16_t nr)
{
	struct wr w = wr_init(msg, L2TP_CONTROL_HEADER);

	wr_patch_u16(&w, 8, ns);
	wr_patch_u16(&w, 10, nr);
}

void
l2tp_response(uint8_t type, const char *secret, const void *challenge, size_t len, uint8_t *out)
{
	struct md5_ctx md5;

	md5_init(&md5);
	md5_update(&md5, 1, &type);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_update(&md5, len, challenge);
	md5_digest(&md5, MD5_DIGEST_SIZE, out);
}
