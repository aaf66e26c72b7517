/*
 * Writing and reading AVPs, with hiding (RFC 2661 4.3) both ways.
 *
 * The reader is stricter than a good peer would be: its fault tells of everything in the LNS's
 * messages that the RFC does not allow, and the test sees it as a violation.
 */
#include "avp.h"

#include <nettle/md5.h>
#include <stdio.h>
#include <sys/random.h>

enum { BIT_M = 0x8000, BIT_H = 0x4000, BITS_RESERVED = 0x3c00, LEN_MASK = 0x3ff, HEAD = 6 };

/* Permitted value lengths; max 0: may not appear with a value known to us. */
static const struct {
	uint16_t min, max;
} lengths[AVP_TYPES] = {
	[AVP_MESSAGE_TYPE] = { 2, 2 },
	[AVP_RESULT_CODE] = { 2, 1017 },
	[AVP_PROTOCOL_VERSION] = { 2, 2 },
	[AVP_FRAMING_CAPABILITIES] = { 4, 4 },
	[AVP_BEARER_CAPABILITIES] = { 4, 4 },
	[AVP_TIE_BREAKER] = { 8, 8 },
	[AVP_FIRMWARE_REVISION] = { 2, 2 },
	[AVP_HOST_NAME] = { 1, 1017 },
	[AVP_VENDOR_NAME] = { 1, 1017 },
	[AVP_ASSIGNED_TUNNEL_ID] = { 2, 2 },
	[AVP_RECEIVE_WINDOW_SIZE] = { 2, 2 },
	[AVP_CHALLENGE] = { 1, 1017 },
	[AVP_CAUSE_CODE] = { 3, 1017 },
	[AVP_CHALLENGE_RESPONSE] = { 16, 16 },
	[AVP_ASSIGNED_SESSION_ID] = { 2, 2 },
	[AVP_CALL_SERIAL_NUMBER] = { 4, 4 },
	[AVP_MINIMUM_BPS] = { 4, 4 },
	[AVP_MAXIMUM_BPS] = { 4, 4 },
	[AVP_BEARER_TYPE] = { 4, 4 },
	[AVP_FRAMING_TYPE] = { 4, 4 },
	[AVP_CALLED_NUMBER] = { 0, 1017 },
	[AVP_CALLING_NUMBER] = { 0, 1017 },
	[AVP_SUB_ADDRESS] = { 0, 1017 },
	[AVP_TX_CONNECT_SPEED] = { 4, 4 },
	[AVP_PHYSICAL_CHANNEL] = { 4, 4 },
	[AVP_INITIAL_LCP] = { 0, 1017 },
	[AVP_LAST_SENT_LCP] = { 0, 1017 },
	[AVP_LAST_RECEIVED_LCP] = { 0, 1017 },
	[AVP_PROXY_AUTH_TYPE] = { 2, 2 },
	[AVP_PROXY_AUTH_NAME] = { 0, 1017 },
	[AVP_PROXY_AUTH_CHALLENGE] = { 1, 1017 },
	[AVP_PROXY_AUTH_ID] = { 2, 2 },
	[AVP_PROXY_AUTH_RESPONSE] = { 0, 1017 },
	[AVP_CALL_ERRORS] = { 26, 26 },
	[AVP_ACCM] = { 10, 10 },
	[AVP_RANDOM_VECTOR] = { 1, 1017 },
	[AVP_PRIVATE_GROUP_ID] = { 0, 1017 },
	[AVP_RX_CONNECT_SPEED] = { 4, 4 },
	[AVP_SEQUENCING_REQUIRED] = { 0, 0 },
	[AVP_PPP_DISCONNECT_CAUSE] = { 5, 1017 },
};

/* The keystream block: MD5 of (type secret vector) first, of (secret block) later. */
static void
key_block(uint8_t *key, const uint8_t *type, const char *secret, const uint8_t *data, size_t n)
{
	struct md5_ctx c;

	md5_init(&c);
	if (type)
		md5_update(&c, 2, type);
	md5_update(&c, strlen(secret), (const uint8_t *)secret);
	md5_update(&c, n, data);
	md5_digest(&c, 16, key);
}

static void
xor16(uint8_t *dst, const uint8_t *src, const uint8_t *key, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = src[i] ^ key[i];
}

static void
hide(uint8_t *p, size_t n, uint16_t type, const char *secret, const uint8_t *vector)
{
	uint8_t key[16], t[2];
	size_t at, part;

	put16(t, type);
	key_block(key, t, secret, vector, 16);
	for (at = 0; at < n; at += 16) {
		part = n - at < 16 ? n - at : 16;
		if (at)
			key_block(key, NULL, secret, p + at - 16, 16);
		xor16(p + at, p + at, key, part);
	}
}

static void
unhide(
    uint8_t *dst, const uint8_t *p, size_t n, uint16_t type, const char *secret, struct span vector)
{
	uint8_t key[16], t[2];
	size_t at, part;

	put16(t, type);
	key_block(key, t, secret, vector.p, vector.n);
	for (at = 0; at < n; at += 16) {
		part = n - at < 16 ? n - at : 16;
		if (at)
			key_block(key, NULL, secret, p + at - 16, 16);
		xor16(dst + at, p + at, key, part);
	}
}

void
avp_start(struct avp_out *a, uint8_t *buf, size_t room, enum msg_type type, const char *secret)
{
	a->o = out_make(buf, room);
	a->secret = NULL;
	avp_u16(a, AVP_MESSAGE_TYPE, true, false, (uint16_t)type);
	if (!secret)
		return;
	if (getrandom(a->vector, sizeof(a->vector), 0) != sizeof(a->vector))
		return;
	avp_bytes(a, AVP_RANDOM_VECTOR, true, false, a->vector, sizeof(a->vector));
	a->secret = secret;
}

/* Hidden: original length, value, and up to 15 bytes of padding to veil the length. */
static void
put_hidden(struct avp_out *a, enum avp_type type, bool mandatory, const void *v, size_t n)
{
	size_t pad = a->vector[type % 16] & 15, len = 2 + n + pad;
	uint8_t *p;

	out_u16(&a->o, (uint16_t)((mandatory ? BIT_M : 0) | BIT_H | (HEAD + len)));
	out_u16(&a->o, 0);
	out_u16(&a->o, (uint16_t)type);
	p = out_room(&a->o, len);
	if (!p)
		return;
	memset(p, 0, len);
	put16(p, (uint16_t)n);
	memcpy(p + 2, v, n);
	hide(p, len, (uint16_t)type, a->secret, a->vector);
}

void
avp_bytes(
    struct avp_out *a, enum avp_type type, bool mandatory, bool hidden, const void *v, size_t n)
{
	if (hidden && a->secret) {
		put_hidden(a, type, mandatory, v, n);
		return;
	}
	out_u16(&a->o, (uint16_t)((mandatory ? BIT_M : 0) | (HEAD + n)));
	out_u16(&a->o, 0);
	out_u16(&a->o, (uint16_t)type);
	out_bytes(&a->o, v, n);
}

void
avp_u16(struct avp_out *a, enum avp_type type, bool mandatory, bool hidden, uint16_t v)
{
	uint8_t b[2];

	put16(b, v);
	avp_bytes(a, type, mandatory, hidden, b, sizeof(b));
}

void
avp_u32(struct avp_out *a, enum avp_type type, bool mandatory, bool hidden, uint32_t v)
{
	uint8_t b[4];

	put32(b, v);
	avp_bytes(a, type, mandatory, hidden, b, sizeof(b));
}

static void
fault(struct ctl *c, const char *what, uint16_t type)
{
	static char text[80];

	if (c->fault)
		return;
	snprintf(text, sizeof(text), "%s (AVP %u)", what, type);
	c->fault = text;
}

/* Replaces a hidden value by the plain one; false when that cannot be. */
static bool
reveal(struct ctl *c, struct span *v, uint16_t type, const char *secret, struct span vector)
{
	static uint8_t plain[4096];
	static size_t used;
	uint8_t *dst;

	if (!vector.p || !secret || !*secret) {
		fault(c, "hidden without Random Vector or secret", type);
		return false;
	}
	if (used + v->n > sizeof(plain))
		used = 0;
	dst = plain + used;
	used += v->n;
	unhide(dst, v->p, v->n, type, secret, vector);
	if (v->n < 2 || (size_t)get16(dst) > v->n - 2) {
		fault(c, "hidden value with a wrong length", type);
		return false;
	}
	*v = (struct span){ dst + 2, get16(dst) };
	return true;
}

static void
take_avp(struct ctl *c, uint16_t word, uint16_t type, struct span v, const char *secret)
{
	if (word & BITS_RESERVED)
		fault(c, "reserved bits are set", type);
	if (type >= AVP_TYPES || (!lengths[type].max && type != AVP_SEQUENCING_REQUIRED)) {
		if (word & BIT_M)
			fault(c, "unknown and mandatory", type);
		return;
	}
	if ((word & BIT_H) && !reveal(c, &v, type, secret, c->v[AVP_RANDOM_VECTOR]))
		return;
	if (v.n < lengths[type].min || v.n > lengths[type].max) {
		fault(c, "wrong length", type);
		return;
	}
	c->v[type] = v;
}

void
avp_parse(struct ctl *c, const uint8_t *body, size_t len, const char *secret)
{
	struct in i = in_make(body, len);
	uint16_t word, vendor, type;
	bool first = true;
	struct span v;

	memset(c, 0, sizeof(*c));
	for (; in_left(&i); first = false) {
		word = in_u16(&i);
		vendor = in_u16(&i);
		type = in_u16(&i);
		if (i.bad || (word & LEN_MASK) < HEAD) {
			fault(c, "length below 6", type);
			break;
		}
		v.n = (word & LEN_MASK) - HEAD;
		v.p = in_take(&i, v.n);
		if (!v.p) {
			fault(c, "runs past the end", type);
			break;
		}
		if (first && (vendor || type != AVP_MESSAGE_TYPE))
			fault(c, "Message Type is not first", type);
		if (vendor == 0)
			take_avp(c, word, type, v, secret);
		else if (word & BIT_M)
			fault(c, "vendor AVP with M bit", type);
	}
	c->type = (uint16_t)avp_number(c, AVP_MESSAGE_TYPE);
}

uint32_t
avp_number(const struct ctl *c, enum avp_type type)
{
	struct span v = c->v[type];

	if (!v.p)
		return 0;
	return v.n >= 4 ? get32(v.p) : v.n >= 2 ? get16(v.p) : 0;
}

void
avp_response(uint8_t *out, uint8_t id, const char *secret, const uint8_t *chal, size_t n)
{
	struct md5_ctx c;

	md5_init(&c);
	md5_update(&c, 1, &id);
	md5_update(&c, strlen(secret), (const uint8_t *)secret);
	md5_update(&c, n, chal);
	md5_digest(&c, 16, out);
}
