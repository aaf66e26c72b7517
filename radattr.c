/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RADIUS packets, both ways: head and attributes (RFC 2865 3 and 5), sub-attributes of
 * vendors (5.26), User-Password (5.2), Tunnel-Password (RFC 2868 3.5), the Response
 * Authenticator (RFC 2865 3), the authenticator of accounting and dynamic authorization
 * requests (RFC 2866 3, RFC 5176 2.3) and Message-Authenticator (RFC 2869 5.14).
 *
 * rad_decode() looks at the whole structure once, so that whoever walks the attributes
 * afterwards meets no malformed one. The checks compute over the packet in pieces, with
 * other octets in place of the authenticator, and so leave it as it came. A packet with
 * two Message-Authenticators, or one of the wrong length, has a wrong one.
 *
 * Meaning of attributes: rad_reply.c, acct.c, dae.c. Order in a packet: the callers'.
 * Keeps no state. MD5 and HMAC come from nettle.
 */
#include "radattr.h"
#include "util.h"

#include <nettle/hmac.h>
#include <nettle/md5.h>

enum { BLOCK = 16, MAX_PASSWORD = 128, VENDOR_ID = 4, SUB_HEADER = 2, TAG_AND_SALT = 3 };

static const uint8_t zeroes[BLOCK];

/* --- decoding --- */

static bool
read_attr(struct rd *attrs, struct rad_attr *a)
{
	uint8_t len;

	if (rd_left(attrs) == 0)
		return false;
	a->vendor = 0;
	a->type = rd_u8(attrs);
	len = rd_u8(attrs);
	if (len < SUB_HEADER) {
		attrs->bad = true;
		return false;
	}
	a->len = (uint8_t)(len - SUB_HEADER);
	a->value = rd_bytes(attrs, a->len);
	return !attrs->bad;
}

bool
rad_decode(const void *data, size_t len, struct rad_packet *p)
{
	struct rd r = rd_init(data, len), walk;
	struct rad_attr a;

	p->data = data;
	p->code = rd_u8(&r);
	p->id = rd_u8(&r);
	p->len = rd_u16(&r);
	p->authenticator = rd_bytes(&r, RAD_AUTH_LEN);
	if (r.bad || p->len < RAD_HEADER || p->len > RAD_MAX_PACKET || p->len > len)
		return false;
	p->attrs = rd_sub(&r, p->len - RAD_HEADER); /* more is padding */
	walk = p->attrs;
	while (read_attr(&walk, &a))
		;
	return !walk.bad;
}

/* True when sub-attributes fill the data of a vendor to the last octet, and there is one. */
static bool
has_sub_attrs(struct rd data)
{
	struct rad_attr a;

	if (rd_left(&data) == 0)
		return false;
	while (read_attr(&data, &a))
		;
	return !data.bad;
}

/* Puts the next sub-attribute in the place of the Vendor-Specific attribute `a`. */
static void
read_vendor(struct rad_attr *a, struct rd *sub)
{
	struct rd data = rd_init(a->value, a->len);
	uint32_t vendor = rd_u32(&data);

	if (data.bad)
		return;
	if (rd_left(sub) == 0)
		*sub = data;
	if (sub->pos != data.pos || has_sub_attrs(data)) {
		read_attr(sub, a);
	} else {
		a->type = 0;
		a->len = (uint8_t)rd_left(&data);
		a->value = data.pos;
		*sub = (struct rd){ 0 };
	}
	a->vendor = vendor;
}

bool
rad_attr_next(struct rd *attrs, struct rd *sub, struct rad_attr *a)
{
	struct rd next = *attrs;

	if (!read_attr(&next, a)) {
		attrs->bad = next.bad;
		return false;
	}
	if (a->type == RAD_VENDOR_SPECIFIC)
		read_vendor(a, sub);
	if (rd_left(sub) == 0)
		*attrs = next;
	return true;
}

bool
rad_attr_u32(const struct rad_attr *a, uint32_t *v)
{
	struct rd r = rd_init(a->value, a->len);

	*v = rd_u32(&r);
	return a->len == sizeof(*v);
}

bool
rad_attr_be32(const struct rad_attr *a, uint32_t *v)
{
	struct rd r = rd_init(a->value, a->len);

	*v = rd_be32(&r);
	return a->len == sizeof(*v);
}

/* --- encoding --- */

void
rad_begin(struct wr *w, uint8_t code, uint8_t id, const uint8_t *authenticator)
{
	wr_u8(w, code);
	wr_u8(w, id);
	wr_u16(w, 0); /* length: by rad_end() */
	wr_bytes(w, authenticator ? authenticator : zeroes, RAD_AUTH_LEN);
}

size_t
rad_end(struct wr *w)
{
	if (wr_len(w) > RAD_MAX_PACKET)
		w->bad = true;
	wr_patch_u16(w, 2, (uint16_t)wr_len(w));
	return wr_len(w);
}

void
rad_put(struct wr *w, uint8_t type, const void *value, size_t len)
{
	len = MIN(len, RAD_MAX_VALUE);
	wr_u8(w, type);
	wr_u8(w, (uint8_t)(len + SUB_HEADER));
	wr_bytes(w, value, len);
}

void
rad_put_str(struct wr *w, uint8_t type, const char *s)
{
	rad_put(w, type, s, strlen(s));
}

void
rad_put_u32(struct wr *w, uint8_t type, uint32_t v)
{
	wr_u8(w, type);
	wr_u8(w, SUB_HEADER + sizeof(v));
	wr_u32(w, v);
}

void
rad_put_be32(struct wr *w, uint8_t type, uint32_t v)
{
	rad_put(w, type, &v, sizeof(v));
}

void
rad_put_vendor(struct wr *w, uint32_t vendor, uint8_t type, const void *value, size_t len)
{
	len = MIN(len, RAD_MAX_VALUE - VENDOR_ID - SUB_HEADER);
	wr_u8(w, RAD_VENDOR_SPECIFIC);
	wr_u8(w, (uint8_t)(SUB_HEADER + VENDOR_ID + SUB_HEADER + len));
	wr_u32(w, vendor);
	rad_put(w, type, value, len);
}

size_t
rad_put_message_authenticator(struct wr *w)
{
	rad_put(w, RAD_MESSAGE_AUTHENTICATOR, zeroes, RAD_AUTH_LEN);
	return w->bad ? 0 : wr_len(w) - RAD_AUTH_LEN;
}

/* --- hiding --- */

/*
 * The key stream of RFC 2865 5.2 and RFC 2868 3.5: MD5 over the secret and the block of
 * cipher text before; over the authenticator and the salt (if any) for the first.
 */
static void
block_key(uint8_t *key, const char *secret, const uint8_t *before, const uint8_t *salt)
{
	struct md5_ctx md5;

	md5_init(&md5);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_update(&md5, BLOCK, before);
	if (salt)
		md5_update(&md5, 2, salt);
	md5_digest(&md5, BLOCK, key);
}

static void
xor_block(uint8_t *to, const uint8_t *from, const uint8_t *key)
{
	size_t i;

	for (i = 0; i < BLOCK; i++)
		to[i] = from[i] ^ key[i];
}

void
rad_put_password(struct wr *w, const void *password, size_t len, const char *secret,
    const uint8_t *authenticator)
{
	uint8_t hidden[MAX_PASSWORD] = { 0 }, key[BLOCK];
	size_t blocks, i;

	if (len > sizeof(hidden)) {
		w->bad = true;
		return;
	}
	blocks = MAX((len + BLOCK - 1) / BLOCK, 1);
	if (len)
		memcpy(hidden, password, len);
	for (i = 0; i < blocks; i++) {
		uint8_t *block = hidden + i * BLOCK;

		block_key(key, secret, i ? block - BLOCK : authenticator, NULL);
		xor_block(block, block, key);
	}
	rad_put(w, RAD_USER_PASSWORD, hidden, blocks * BLOCK);
}

bool
rad_tunnel_password(const struct rad_attr *a, const char *secret,
    const uint8_t *request_authenticator, char *out, size_t size)
{
	uint8_t plain[RAD_MAX_VALUE], key[BLOCK];
	const uint8_t *salt = a->value + 1, *cipher = a->value + TAG_AND_SALT;
	size_t n = a->len < TAG_AND_SALT ? 0 : a->len - (size_t)TAG_AND_SALT, i;

	if (n == 0 || n % BLOCK)
		return false;
	for (i = 0; i < n; i += BLOCK) {
		if (i == 0)
			block_key(key, secret, request_authenticator, salt);
		else
			block_key(key, secret, cipher + i - BLOCK, NULL);
		xor_block(plain + i, cipher + i, key);
	}
	n--; /* the first octet is the length */
	if (plain[0] > n || plain[0] >= size || memchr(plain + 1, '\0', plain[0]))
		return false;
	memcpy(out, plain + 1, plain[0]);
	out[plain[0]] = '\0';
	return true;
}

/* --- authenticators --- */

/* MD5 over the packet with `authenticator` in the place of its own, and the secret. */
static void
packet_md5(const uint8_t *packet, size_t len, const uint8_t *authenticator, const char *secret,
    uint8_t *digest)
{
	struct md5_ctx md5;

	md5_init(&md5);
	md5_update(&md5, RAD_HEADER - RAD_AUTH_LEN, packet);
	md5_update(&md5, RAD_AUTH_LEN, authenticator);
	md5_update(&md5, len - RAD_HEADER, packet + RAD_HEADER);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_digest(&md5, MD5_DIGEST_SIZE, digest);
}

/* HMAC-MD5 over the packet with that authenticator, and zeroes at the Message-Authenticator. */
static void
packet_hmac(const uint8_t *packet, size_t len, const uint8_t *authenticator, size_t place,
    const char *secret, uint8_t *digest)
{
	size_t behind = place + RAD_AUTH_LEN;
	struct hmac_md5_ctx hmac;

	hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
	hmac_md5_update(&hmac, RAD_HEADER - RAD_AUTH_LEN, packet);
	hmac_md5_update(&hmac, RAD_AUTH_LEN, authenticator);
	hmac_md5_update(&hmac, place - RAD_HEADER, packet + RAD_HEADER);
	hmac_md5_update(&hmac, RAD_AUTH_LEN, zeroes);
	hmac_md5_update(&hmac, len - behind, packet + behind);
	hmac_md5_digest(&hmac, MD5_DIGEST_SIZE, digest);
}

void
rad_sign(uint8_t *packet, size_t len, size_t place, const char *secret)
{
	uint8_t digest[MD5_DIGEST_SIZE];

	if (place < RAD_HEADER || place + RAD_AUTH_LEN > len)
		return;
	packet_hmac(packet, len, packet + RAD_HEADER - RAD_AUTH_LEN, place, secret, digest);
	memcpy(packet + place, digest, sizeof(digest));
}

void
rad_sign_md5(uint8_t *packet, size_t len, const uint8_t *request_authenticator, const char *secret)
{
	uint8_t digest[MD5_DIGEST_SIZE];

	packet_md5(
	    packet, len, request_authenticator ? request_authenticator : zeroes, secret, digest);
	memcpy(packet + RAD_HEADER - RAD_AUTH_LEN, digest, sizeof(digest));
}

/* Hides a User-Password anew. Never more than a block of it is in clear. */
static void
rehide(uint8_t *value, size_t len, const char *from, const uint8_t *from_auth, const char *to,
    const uint8_t *to_auth)
{
	uint8_t key[BLOCK], old[2][BLOCK];
	size_t i;

	memcpy(old[1], from_auth, BLOCK);
	for (i = 0; i + BLOCK <= len; i += BLOCK) {
		uint8_t *block = value + i;

		memcpy(old[0], block, BLOCK);
		block_key(key, from, old[1], NULL);
		xor_block(block, block, key);
		block_key(key, to, i ? block - BLOCK : to_auth, NULL);
		xor_block(block, block, key);
		memcpy(old[1], old[0], BLOCK);
	}
	explicit_bzero(key, sizeof(key));
}

void
rad_rekey(
    uint8_t *packet, size_t len, const char *from, const char *to, const uint8_t *authenticator)
{
	uint8_t before[RAD_AUTH_LEN], *head = packet + RAD_HEADER - RAD_AUTH_LEN;
	size_t place = 0, at;
	struct rad_packet p;
	struct rad_attr a;

	if (!rad_decode(packet, len, &p))
		return;
	memcpy(before, head, sizeof(before));
	memcpy(head, authenticator, RAD_AUTH_LEN);
	while (read_attr(&p.attrs, &a)) {
		at = (size_t)(a.value - packet);
		if (a.type == RAD_USER_PASSWORD)
			rehide(packet + at, a.len, from, before, to, authenticator);
		if (a.type == RAD_MESSAGE_AUTHENTICATOR && a.len == RAD_AUTH_LEN)
			place = at;
	}
	rad_sign(packet, len, place, to);
}

/* The Message-Authenticators of a packet: how many, and the value of the last. */
static unsigned int
find_ma(const struct rad_packet *p, struct rad_attr *ma)
{
	struct rd attrs = p->attrs;
	struct rad_attr a;
	unsigned int n = 0;

	while (read_attr(&attrs, &a)) {
		if (a.type != RAD_MESSAGE_AUTHENTICATOR)
			continue;
		*ma = a;
		n++;
	}
	return n;
}

static enum rad_check
check_packet(
    const struct rad_packet *p, const uint8_t *authenticator, const char *secret, bool *has_ma)
{
	uint8_t digest[MD5_DIGEST_SIZE];
	struct rad_attr ma;
	unsigned int n = find_ma(p, &ma);

	*has_ma = n > 0;
	packet_md5(p->data, p->len, authenticator, secret, digest);
	if (!secret_equal(digest, p->authenticator, sizeof(digest)))
		return RAD_CHECK_AUTHENTICATOR;
	if (n == 0)
		return RAD_CHECK_OK;
	if (n > 1 || ma.len != RAD_AUTH_LEN)
		return RAD_CHECK_MESSAGE_AUTHENTICATOR;
	packet_hmac(p->data, p->len, authenticator, (size_t)(ma.value - p->data), secret, digest);
	return secret_equal(digest, ma.value, sizeof(digest)) ? RAD_CHECK_OK
							      : RAD_CHECK_MESSAGE_AUTHENTICATOR;
}

enum rad_check
rad_check_reply(const struct rad_packet *reply, const uint8_t *request_authenticator,
    const char *secret, bool *has_ma)
{
	return check_packet(reply, request_authenticator, secret, has_ma);
}

enum rad_check
rad_check_request(const struct rad_packet *req, const char *secret, bool *has_ma)
{
	return check_packet(req, zeroes, secret, has_ma);
}
