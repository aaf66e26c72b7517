/*
 * RADIUS packets for the responder: attributes of a request, checking and making authenticators,
 * replies with attributes named on the command line.
 */
#include "radmsg.h"

#include <arpa/inet.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bytes.h"

enum {
	ATTR_USER_NAME = 1,
	ATTR_FRAMED_IP = 8,
	ATTR_REPLY_MESSAGE = 18,
	ATTR_ACCT_STATUS_TYPE = 40,
	ATTR_ACCT_SESSION_ID = 44,
	ATTR_ACCT_TERMINATE_CAUSE = 49,
	ATTR_MESSAGE_AUTHENTICATOR = 80,
};

enum kind { KIND_NUM, KIND_IP, KIND_TEXT };

/* Attribute names for --reply; a bare number works too, with text or 0xHEX. */
static const struct attr_name {
	const char *name;
	uint8_t type;
	enum kind kind;
	uint32_t vendor;
} attr_names[] = {
	{ "Service-Type", 6, KIND_NUM, 0 },
	{ "Framed-Protocol", 7, KIND_NUM, 0 },
	{ "Framed-IP-Address", ATTR_FRAMED_IP, KIND_IP, 0 },
	{ "Framed-IP-Netmask", 9, KIND_IP, 0 },
	{ "Filter-Id", 11, KIND_TEXT, 0 },
	{ "Framed-MTU", 12, KIND_NUM, 0 },
	{ "Reply-Message", ATTR_REPLY_MESSAGE, KIND_TEXT, 0 },
	{ "Framed-Route", 22, KIND_TEXT, 0 },
	{ "Class", 25, KIND_TEXT, 0 },
	{ "Session-Timeout", 27, KIND_NUM, 0 },
	{ "Idle-Timeout", 28, KIND_NUM, 0 },
	{ "Acct-Interim-Interval", 85, KIND_NUM, 0 },
	{ "Framed-Pool", 88, KIND_TEXT, 0 },
	{ "Ascend-Primary-DNS", 135, KIND_IP, 0 },
	{ "Ascend-Secondary-DNS", 136, KIND_IP, 0 },
	{ "MS-Primary-DNS", 28, KIND_IP, 311 },
	{ "MS-Secondary-DNS", 29, KIND_IP, 311 },
	{ "Cisco-AVPair", 1, KIND_TEXT, 9 },
};

static void
take_attr(struct rad_request *r, uint8_t type, const uint8_t *v, size_t n)
{
	switch (type) {
	case ATTR_USER_NAME:
		r->user = v;
		r->user_len = n;
		break;
	case ATTR_ACCT_STATUS_TYPE:
		r->status = n == 4 ? get32(v) : 0;
		break;
	case ATTR_ACCT_TERMINATE_CAUSE:
		r->cause = n == 4 ? get32(v) : 0;
		break;
	case ATTR_ACCT_SESSION_ID:
		r->session_id = v;
		r->session_id_len = n;
		break;
	case ATTR_MESSAGE_AUTHENTICATOR:
		if (n == RAD_DIGEST)
			r->ma_at = (size_t)(v - r->data);
		break;
	default:
		break;
	}
}

bool
rad_parse(struct rad_request *r)
{
	size_t at, n;

	if (r->len < RAD_HEAD || get16(r->data + 2) < RAD_HEAD || get16(r->data + 2) > r->len)
		return false;
	r->len = get16(r->data + 2);
	for (at = RAD_HEAD; at < r->len; at += n) {
		if (r->len - at < 2)
			return false;
		n = r->data[at + 1];
		if (n < 2 || n > r->len - at)
			return false;
		take_attr(r, r->data[at], r->data + at + 2, n - 2);
	}
	return true;
}

static void
sign_message(
    uint8_t *ma, const uint8_t *p, size_t len, const uint8_t *authenticator, const char *secret)
{
	struct hmac_md5_ctx c;
	static const uint8_t zero[RAD_DIGEST];
	size_t at = (size_t)(ma - p);

	hmac_md5_set_key(&c, strlen(secret), (const uint8_t *)secret);
	hmac_md5_update(&c, 4, p);
	hmac_md5_update(&c, RAD_DIGEST, authenticator);
	hmac_md5_update(&c, at - RAD_HEAD, p + RAD_HEAD);
	hmac_md5_update(&c, RAD_DIGEST, zero);
	hmac_md5_update(&c, len - at - RAD_DIGEST, p + at + RAD_DIGEST);
	hmac_md5_digest(&c, RAD_DIGEST, ma);
}

static bool
message_authenticator_ok(const struct rad_request *r, const char *secret)
{
	uint8_t copy[4096], want[RAD_DIGEST];

	if (r->len > sizeof(copy))
		return false;
	memcpy(copy, r->data, r->len);
	sign_message(copy + r->ma_at, copy, r->len, r->data + 4, secret);
	memcpy(want, copy + r->ma_at, RAD_DIGEST);
	return memcmp(want, r->data + r->ma_at, RAD_DIGEST) == 0;
}

static bool
accounting_authenticator_ok(const struct rad_request *r, const char *secret)
{
	struct md5_ctx c;
	uint8_t want[RAD_DIGEST];
	static const uint8_t zero[RAD_DIGEST];

	md5_init(&c);
	md5_update(&c, 4, r->data);
	md5_update(&c, RAD_DIGEST, zero);
	md5_update(&c, r->len - RAD_HEAD, r->data + RAD_HEAD);
	md5_update(&c, strlen(secret), (const uint8_t *)secret);
	md5_digest(&c, RAD_DIGEST, want);
	return memcmp(want, r->data + 4, RAD_DIGEST) == 0;
}

bool
rad_authentic(const struct rad_request *r, const char *secret)
{
	if (r->data[0] == ACCOUNTING_REQUEST)
		return accounting_authenticator_ok(r, secret);
	return !r->ma_at || message_authenticator_ok(r, secret);
}

static void
add_next_ip(struct out *o, struct rad_reply *f)
{
	out_u8(o, ATTR_FRAMED_IP);
	out_u8(o, 6);
	out_u32(o, f->ip_next);
	if (++f->ip_next - f->ip_first >= f->ip_count)
		f->ip_next = f->ip_first;
}

static void
add_reject_text(struct out *o)
{
	static const char text[] = "Not today";

	out_u8(o, ATTR_REPLY_MESSAGE);
	out_u8(o, sizeof(text) + 1);
	out_str(o, text);
}

static void
sign_reply(
    uint8_t *p, size_t len, size_t ma_at, const struct rad_reply *f, const struct rad_request *r)
{
	struct md5_ctx c;

	put16(p + 2, (uint16_t)len);
	if (ma_at)
		sign_message(p + ma_at, p, len, r->data + 4, f->secret);
	if (ma_at && f->bad_message_authenticator)
		p[ma_at] ^= 0x55;
	md5_init(&c);
	md5_update(&c, 4, p);
	md5_update(&c, RAD_DIGEST, r->data + 4);
	md5_update(&c, len - RAD_HEAD, p + RAD_HEAD);
	md5_update(&c, strlen(f->secret), (const uint8_t *)f->secret);
	md5_digest(&c, RAD_DIGEST, p + 4);
	if (f->bad_authenticator)
		p[4] ^= 0x55;
}

size_t
rad_build(uint8_t *p, struct rad_reply *f, const struct rad_request *r, enum rad_code code)
{
	struct out o = out_make(p, RAD_MAX);
	size_t ma_at = 0;

	out_u8(&o, (uint8_t)code);
	out_u8(&o, (uint8_t)(r->data[1] + (f->wrong_id ? 1 : 0)));
	out_u16(&o, 0);
	out_room(&o, RAD_DIGEST);
	if (code != ACCOUNTING_RESPONSE && !f->no_message_authenticator) {
		out_u8(&o, ATTR_MESSAGE_AUTHENTICATOR);
		out_u8(&o, 2 + RAD_DIGEST);
		ma_at = out_len(&o);
		out_room(&o, RAD_DIGEST);
	}
	if (code == ACCESS_REJECT)
		add_reject_text(&o);
	if (code == ACCESS_ACCEPT && f->ip_count)
		add_next_ip(&o, f);
	if (code == ACCESS_ACCEPT)
		out_bytes(&o, f->attrs, f->attrs_len);
	sign_reply(p, out_len(&o), ma_at, f, r);
	return out_len(&o);
}

static bool
put_text(struct out *o, const char *v)
{
	unsigned int byte;

	if (strncmp(v, "0x", 2) != 0) {
		out_str(o, v);
		return true;
	}
	for (v += 2; *v; v += 2) {
		if (!v[1] || sscanf(v, "%2x", &byte) != 1)
			return false;
		out_u8(o, (uint8_t)byte);
	}
	return true;
}

static bool
put_ip(struct out *o, const char *v)
{
	struct in_addr a;

	if (inet_pton(AF_INET, v, &a) != 1)
		return false;
	out_u32(o, ntohl(a.s_addr));
	return true;
}

static bool
put_number(struct out *o, const char *v)
{
	char *end;
	unsigned long n = strtoul(v, &end, 0);

	out_u32(o, (uint32_t)n);
	return end != v && !*end && n <= UINT32_MAX;
}

static bool
put_value(struct out *o, enum kind kind, const char *v)
{
	if (kind == KIND_NUM)
		return put_number(o, v);
	return kind == KIND_IP ? put_ip(o, v) : put_text(o, v);
}

/* The vendor's number, and its own type, length and value (RFC 2865 5.26). */
static bool
put_vendor_value(struct out *o, const struct attr_name *a, const char *v)
{
	size_t start;
	uint8_t *len;
	bool ok;

	out_u32(o, a->vendor);
	start = out_len(o);
	out_u8(o, a->type);
	len = out_room(o, 1);
	ok = put_value(o, a->kind, v);
	if (len)
		*len = (uint8_t)(out_len(o) - start);
	return ok;
}

/* BASE+COUNT: the next address of the range for each user. */
static bool
put_ip_range(struct rad_reply *f, const char *v)
{
	const char *plus = strchr(v, '+');
	char base[32] = "";
	struct in_addr a;

	if (!plus || (size_t)(plus - v) >= sizeof(base))
		return false;
	memcpy(base, v, (size_t)(plus - v));
	if (inet_pton(AF_INET, base, &a) != 1)
		return false;
	f->ip_first = f->ip_next = ntohl(a.s_addr);
	f->ip_count = (uint32_t)strtoul(plus + 1, NULL, 10);
	return f->ip_count != 0;
}

/* Type 0: unknown. */
static struct attr_name
find_attr(const char *name, size_t n)
{
	struct attr_name any = { "", (uint8_t)strtoul(name, NULL, 10), KIND_TEXT, 0 };
	size_t i;

	for (i = 0; i < sizeof(attr_names) / sizeof(attr_names[0]); i++) {
		if (strlen(attr_names[i].name) == n && !strncasecmp(attr_names[i].name, name, n))
			return attr_names[i];
	}
	return any;
}

const char *
rad_add_attr(struct rad_reply *f, const char *text)
{
	struct out o = out_make(f->attrs + f->attrs_len, sizeof(f->attrs) - f->attrs_len);
	const char *eq = strchr(text, '=');
	struct attr_name a;
	uint8_t *len;

	if (!eq)
		return "ATTR=VALUE wanted";
	a = find_attr(text, (size_t)(eq - text));
	if (!a.type)
		return "unknown attribute";
	if (a.type == ATTR_FRAMED_IP && !a.vendor && strchr(eq, '+'))
		return put_ip_range(f, eq + 1) ? NULL : "BASE+COUNT wanted";
	out_u8(&o, a.vendor ? 26 : a.type);
	len = out_room(&o, 1);
	if (!(a.vendor ? put_vendor_value(&o, &a, eq + 1) : put_value(&o, a.kind, eq + 1)))
		return "bad value";
	if (o.full || !len || out_len(&o) > 255)
		return "too long";
	*len = (uint8_t)out_len(&o);
	f->attrs_len += out_len(&o);
	return NULL;
}
