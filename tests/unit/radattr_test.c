/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RADIUS packets: the examples of RFC 2865 7, signatures and what breaks them, vendor
 * data in all shapes, and lengths that lie.
 */
#include "radattr.h"

#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECRET "xyzzy5461"

/* RFC 2865 7.1: user nemo, password arctangent, wants to telnet */
static const uint8_t telnet_request[] = { 0x01, 0x00, 0x00, 0x38, 0x0f, 0x40, 0x3f, 0x94, 0x73,
	0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a, 0x01, 0x06, 0x6e, 0x65,
	0x6d, 0x6f, 0x02, 0x12, 0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4,
	0x3f, 0x78, 0x2a, 0x0a, 0xee, 0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10, 0x05, 0x06, 0x00, 0x00,
	0x00, 0x03 };
static const uint8_t telnet_accept[] = { 0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24,
	0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0, 0xb2, 0x06, 0x06, 0x00, 0x00, 0x00,
	0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03 };

/* RFC 2865 7.2: user flopsy with CHAP, framed */
static const uint8_t chap_request[] = { 0x01, 0x01, 0x00, 0x47, 0x2a, 0xee, 0x86, 0xf0, 0x8d, 0x0d,
	0x55, 0x96, 0x9c, 0xa5, 0x97, 0x8e, 0x0d, 0x33, 0x67, 0xa2, 0x01, 0x08, 0x66, 0x6c, 0x6f,
	0x70, 0x73, 0x79, 0x03, 0x13, 0x16, 0xe9, 0x75, 0x57, 0xc3, 0x16, 0x18, 0x58, 0x95, 0xf2,
	0x93, 0xff, 0x63, 0x44, 0x07, 0x72, 0x75, 0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10, 0x05, 0x06,
	0x00, 0x00, 0x00, 0x14, 0x06, 0x06, 0x00, 0x00, 0x00, 0x02, 0x07, 0x06, 0x00, 0x00, 0x00,
	0x01 };
static const uint8_t chap_accept[] = { 0x02, 0x01, 0x00, 0x38, 0x15, 0xef, 0xbc, 0x7d, 0xab, 0x26,
	0xcf, 0xa3, 0xdc, 0x34, 0xd9, 0xc0, 0x3c, 0x86, 0x01, 0xa4, 0x06, 0x06, 0x00, 0x00, 0x00,
	0x02, 0x07, 0x06, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0xff, 0xff, 0xff, 0xfe, 0x0a, 0x06,
	0x00, 0x00, 0x00, 0x02, 0x0d, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x06, 0x00, 0x00, 0x05,
	0xdc };

static uint8_t buf[RAD_MAX_PACKET + 300];
static struct wr w;

static void
begin(uint8_t code, const uint8_t *authenticator)
{
	w = wr_init(buf, sizeof(buf));
	rad_begin(&w, code, 7, authenticator);
}

static struct rad_packet
packet(void)
{
	struct rad_packet p;

	assert_true(rad_decode(buf, rad_end(&w), &p));
	return p;
}

static const uint8_t *
authenticator_of(const uint8_t *request)
{
	return request + RAD_HEADER - RAD_AUTH_LEN;
}

/* --- the RFC's examples --- */

static void
rfc_2865_password_request(void **state)
{
	(void)state;
	w = wr_init(buf, sizeof(buf));
	rad_begin(&w, RAD_ACCESS_REQUEST, 0, authenticator_of(telnet_request));
	rad_put_str(&w, RAD_USER_NAME, "nemo");
	rad_put_password(&w, "arctangent", 10, SECRET, authenticator_of(telnet_request));
	rad_put(&w, RAD_NAS_IP_ADDRESS, "\300\250\1\20", 4);
	rad_put_u32(&w, RAD_NAS_PORT, 3);
	assert_int_equal(rad_end(&w), sizeof(telnet_request));
	assert_memory_equal(buf, telnet_request, sizeof(telnet_request));
}

static void
rfc_2865_accepts_check(void **state)
{
	struct rad_packet p;
	bool has_ma = true;

	(void)state;
	assert_true(rad_decode(telnet_accept, sizeof(telnet_accept), &p));
	assert_int_equal(p.code, RAD_ACCESS_ACCEPT);
	assert_int_equal(
	    rad_check_reply(&p, authenticator_of(telnet_request), SECRET, &has_ma), RAD_CHECK_OK);
	assert_false(has_ma);
	assert_true(rad_decode(chap_accept, sizeof(chap_accept), &p));
	assert_int_equal(p.id, 1);
	assert_int_equal(
	    rad_check_reply(&p, authenticator_of(chap_request), SECRET, &has_ma), RAD_CHECK_OK);
	assert_int_equal(rad_check_reply(&p, authenticator_of(telnet_request), SECRET, &has_ma),
	    RAD_CHECK_AUTHENTICATOR);
	assert_int_equal(rad_check_reply(&p, authenticator_of(chap_request), "xyzzy5462", &has_ma),
	    RAD_CHECK_AUTHENTICATOR);
}

static void
rfc_2865_attributes(void **state)
{
	static const uint8_t types[] = { 6, 7, 8, 10, 13, 12 };
	struct rad_packet p;
	struct rd sub = { 0 };
	struct rad_attr a;
	uint32_t v;
	size_t i;

	(void)state;
	assert_true(rad_decode(chap_accept, sizeof(chap_accept), &p));
	for (i = 0; i < ARRAY_LEN(types); i++) {
		assert_true(rad_attr_next(&p.attrs, &sub, &a));
		assert_int_equal(a.type, types[i]);
		assert_int_equal(a.vendor, 0);
		assert_true(rad_attr_u32(&a, &v));
	}
	assert_int_equal(v, 1500);
	assert_true(rad_attr_be32(&a, &v));
	assert_memory_equal(&v, "\0\0\5\334", 4);
	assert_false(rad_attr_next(&p.attrs, &sub, &a));
	assert_false(p.attrs.bad);
}

/* --- signatures --- */

/* The sum was made with another program: HMAC-MD5 over the whole. */
static void
request_with_message_authenticator(void **state)
{
	static const uint8_t want[] = { 0x43, 0x9b, 0xdf, 0x37, 0xdd, 0xd3, 0x54, 0x41, 0x06, 0xb2,
		0xc8, 0x78, 0x96, 0x3e, 0xde, 0xec };
	uint8_t authenticator[RAD_AUTH_LEN];
	size_t place, i;

	(void)state;
	for (i = 0; i < sizeof(authenticator); i++)
		authenticator[i] = (uint8_t)i;
	begin(RAD_ACCESS_REQUEST, authenticator);
	place = rad_put_message_authenticator(&w);
	rad_put_str(&w, RAD_USER_NAME, "nemo");
	rad_sign(buf, rad_end(&w), place, SECRET);
	assert_int_equal(place, RAD_HEADER + 2);
	assert_memory_equal(buf + place, want, sizeof(want));
}

/* A reply to the telnet request, signed both ways. */
static size_t
signed_reply(void)
{
	size_t place, len;

	begin(RAD_ACCESS_ACCEPT, authenticator_of(telnet_request));
	rad_put_u32(&w, RAD_SERVICE_TYPE, 2);
	place = rad_put_message_authenticator(&w);
	rad_put_str(&w, RAD_REPLY_MESSAGE, "welcome");
	len = rad_end(&w);
	rad_sign(buf, len, place, SECRET);
	rad_sign_md5(buf, len, authenticator_of(telnet_request), SECRET);
	return len;
}

static enum rad_check
check_reply(bool *has_ma)
{
	struct rad_packet p = packet();

	return rad_check_reply(&p, authenticator_of(telnet_request), SECRET, has_ma);
}

static void
signed_reply_checks(void **state)
{
	bool has_ma = false;

	(void)state;
	signed_reply();
	assert_int_equal(check_reply(&has_ma), RAD_CHECK_OK);
	assert_true(has_ma);
}

static void
any_bit_breaks_it(void **state)
{
	size_t len = signed_reply(), bit;
	struct rad_packet p;
	bool has_ma;

	(void)state;
	for (bit = 0; bit < 8 * len; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (rad_decode(buf, len, &p))
			assert_int_equal(
			    rad_check_reply(&p, authenticator_of(telnet_request), SECRET, &has_ma),
			    RAD_CHECK_AUTHENTICATOR);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Right as far as MD5 goes (which can be forged), and wrong by the Message-Authenticator. */
static void
wrong_message_authenticators(void **state)
{
	static const size_t lens[] = { 0, 15, 16, 17 };
	bool has_ma;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		begin(RAD_ACCESS_ACCEPT, NULL);
		rad_put(&w, RAD_MESSAGE_AUTHENTICATOR, telnet_request, lens[i]);
		rad_sign_md5(buf, rad_end(&w), authenticator_of(telnet_request), SECRET);
		has_ma = false;
		assert_int_equal(check_reply(&has_ma), RAD_CHECK_MESSAGE_AUTHENTICATOR);
		assert_true(has_ma);
	}
}

/* Whichever of two is right, one could be of somebody else's making. */
static void
two_message_authenticators(void **state)
{
	size_t first, second, len;
	bool has_ma, last;

	(void)state;
	for (last = false;; last = true) {
		begin(RAD_ACCESS_ACCEPT, authenticator_of(telnet_request));
		first = rad_put_message_authenticator(&w);
		second = rad_put_message_authenticator(&w);
		len = rad_end(&w);
		rad_sign(buf, len, last ? second : first, SECRET);
		rad_sign_md5(buf, len, authenticator_of(telnet_request), SECRET);
		assert_int_equal(check_reply(&has_ma), RAD_CHECK_MESSAGE_AUTHENTICATOR);
		if (last)
			break;
	}
}

static void
requests_over_zeroes(void **state)
{
	struct rad_packet p;
	size_t place, len;
	bool has_ma;

	(void)state;
	begin(RAD_DISCONNECT_REQUEST, NULL);
	rad_put_str(&w, RAD_USER_NAME, "nemo");
	rad_sign_md5(buf, rad_end(&w), NULL, SECRET);
	p = packet();
	assert_int_equal(rad_check_request(&p, SECRET, &has_ma), RAD_CHECK_OK);
	assert_false(has_ma);
	begin(RAD_COA_REQUEST, NULL);
	place = rad_put_message_authenticator(&w);
	len = rad_end(&w);
	rad_sign(buf, len, place, SECRET);
	rad_sign_md5(buf, len, NULL, SECRET);
	p = packet();
	assert_int_equal(rad_check_request(&p, SECRET, &has_ma), RAD_CHECK_OK);
	assert_true(has_ma);
	assert_int_equal(rad_check_request(&p, "other", &has_ma), RAD_CHECK_AUTHENTICATOR);
	buf[RAD_HEADER + 2] ^= 1;
	rad_sign_md5(buf, len, NULL, SECRET);
	assert_int_equal(rad_check_request(&p, SECRET, &has_ma), RAD_CHECK_MESSAGE_AUTHENTICATOR);
}

/* --- vendors --- */

static void
assert_next(struct rd *attrs, struct rd *sub, uint32_t vendor, uint8_t type, const char *value)
{
	struct rad_attr a;

	assert_true(rad_attr_next(attrs, sub, &a));
	assert_int_equal(a.vendor, vendor);
	assert_int_equal(a.type, type);
	assert_int_equal(a.len, strlen(value));
	assert_memory_equal(a.value, value, a.len);
}

static void
vendor_data_in_all_shapes(void **state)
{
	struct rad_packet p;
	struct rd sub = { 0 };
	struct rad_attr a;

	(void)state;
	begin(RAD_ACCESS_ACCEPT, NULL);
	rad_put_vendor(&w, RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "a=b", 3);
	rad_put(&w, RAD_VENDOR_SPECIFIC, "\0\0\1\67\34\5one\35\5two\36\2", 16); /* three in one */
	rad_put_str(&w, RAD_USER_NAME, "between");
	rad_put(&w, RAD_VENDOR_SPECIFIC, "\0\0\0\11\1\5xy", 8);	 /* too short for its length */
	rad_put(&w, RAD_VENDOR_SPECIFIC, "\0\0\0\11\1\4xyz", 9); /* something behind */
	rad_put(&w, RAD_VENDOR_SPECIFIC, "\0\0\0\11\1\1xy", 8);	 /* length 1 */
	rad_put(&w, RAD_VENDOR_SPECIFIC, "\0\0\0\11", 4);	 /* nothing */
	rad_put(&w, RAD_VENDOR_SPECIFIC, "abc", 3);		 /* not even a vendor */
	rad_put_str(&w, RAD_USER_NAME, "end");
	p = packet();
	assert_next(&p.attrs, &sub, RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "a=b");
	assert_next(&p.attrs, &sub, RAD_VENDOR_MICROSOFT, RAD_MS_PRIMARY_DNS, "one");
	assert_next(&p.attrs, &sub, RAD_VENDOR_MICROSOFT, RAD_MS_SECONDARY_DNS, "two");
	assert_next(&p.attrs, &sub, RAD_VENDOR_MICROSOFT, 30, "");
	assert_next(&p.attrs, &sub, 0, RAD_USER_NAME, "between");
	assert_next(&p.attrs, &sub, RAD_VENDOR_CISCO, 0, "\1\5xy");
	assert_next(&p.attrs, &sub, RAD_VENDOR_CISCO, 0, "\1\4xyz");
	assert_next(&p.attrs, &sub, RAD_VENDOR_CISCO, 0, "\1\1xy");
	assert_next(&p.attrs, &sub, RAD_VENDOR_CISCO, 0, "");
	assert_next(&p.attrs, &sub, 0, RAD_VENDOR_SPECIFIC, "abc");
	assert_next(&p.attrs, &sub, 0, RAD_USER_NAME, "end");
	assert_false(rad_attr_next(&p.attrs, &sub, &a));
}

/* --- writing --- */

static void
numbers_of_the_wrong_length(void **state)
{
	struct rad_attr a = { .len = 3, .value = (const uint8_t *)"\1\2\3\4\5" };
	uint32_t v;

	(void)state;
	assert_false(rad_attr_u32(&a, &v));
	assert_false(rad_attr_be32(&a, &v));
	a.len = 5;
	assert_false(rad_attr_u32(&a, &v));
	a.len = 4;
	assert_true(rad_attr_u32(&a, &v));
	assert_int_equal(v, 0x01020304);
}

static void
long_values_are_cut(void **state)
{
	char text[400];
	struct rad_packet p;
	struct rd sub = { 0 };
	struct rad_attr a;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin(RAD_ACCESS_REQUEST, NULL);
	rad_put_str(&w, RAD_USER_NAME, text);
	rad_put_vendor(&w, RAD_VENDOR_CISCO, 1, text, sizeof(text));
	rad_put_be32(&w, RAD_FRAMED_IP_ADDRESS, 0);
	p = packet();
	assert_true(rad_attr_next(&p.attrs, &sub, &a));
	assert_int_equal(a.len, RAD_MAX_VALUE);
	assert_true(rad_attr_next(&p.attrs, &sub, &a));
	assert_int_equal(a.vendor, RAD_VENDOR_CISCO);
	assert_int_equal(a.len, RAD_MAX_VALUE - 6);
	assert_true(rad_attr_next(&p.attrs, &sub, &a));
	assert_int_equal(a.type, RAD_FRAMED_IP_ADDRESS);
}

static void
too_much_is_an_overflow(void **state)
{
	uint8_t small[30], value[RAD_MAX_VALUE] = { 0 };
	unsigned int i;

	(void)state;
	begin(RAD_ACCESS_REQUEST, NULL);
	for (i = 0; i < 15; i++)
		rad_put(&w, RAD_CLASS, value, sizeof(value));
	rad_put(&w, RAD_CLASS, value, 249);
	assert_int_equal(rad_end(&w), RAD_MAX_PACKET);
	rad_put(&w, RAD_CLASS, value, 0);
	assert_int_equal(rad_end(&w), 0);
	w = wr_init(small, sizeof(small));
	rad_begin(&w, RAD_ACCESS_REQUEST, 1, NULL);
	assert_int_equal(rad_put_message_authenticator(&w), 0);
	memset(small, 7, sizeof(small));
	rad_sign(small, sizeof(small), 0, SECRET); /* the place is none */
	assert_int_equal(small[0] & small[29], 7);
}

/* --- passwords --- */

/* By RFC 2865 5.2 and RFC 2868 3.5, backwards; a salt of no octets is none. */
static void
hide(uint8_t *p, size_t n, const uint8_t *authenticator, const char *salt, size_t salt_len)
{
	uint8_t key[16];
	struct md5_ctx md5;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i % 16 == 0) {
			md5_init(&md5);
			md5_update(&md5, strlen(SECRET), (const uint8_t *)SECRET);
			md5_update(&md5, 16, i ? p + i - 16 : authenticator);
			if (i == 0)
				md5_update(&md5, salt_len, (const uint8_t *)salt);
			md5_digest(&md5, 16, key);
		}
		p[i] ^= key[i % 16];
	}
}

static void
passwords_of_all_lengths(void **state)
{
	const uint8_t *authenticator = authenticator_of(telnet_request);
	uint8_t password[128], want[128];
	size_t len, n;

	(void)state;
	memset(password, 'p', sizeof(password));
	for (len = 0; len <= sizeof(password); len++) {
		n = len;
		memset(want, 0, sizeof(want));
		memcpy(want, password, n);
		n = n ? (n + 15) / 16 * 16 : 16;
		hide(want, n, authenticator, NULL, 0);
		w = wr_init(buf, sizeof(buf));
		rad_put_password(&w, password, len, SECRET, authenticator);
		assert_int_equal(wr_len(&w), n + 2);
		assert_int_equal(buf[0], RAD_USER_PASSWORD);
		assert_int_equal(buf[1], n + 2);
		assert_memory_equal(buf + 2, want, n);
	}
}

static void
a_password_too_long_is_not_cut(void **state)
{
	char password[255];
	size_t len;

	(void)state;
	memset(password, 'p', sizeof(password));
	for (len = 129; len <= sizeof(password); len++) {
		w = wr_init(buf, sizeof(buf));
		rad_put_password(&w, password, len, SECRET, authenticator_of(telnet_request));
		assert_int_equal(wr_len(&w), 0);
	}
}

/* A Tunnel-Password attribute with `octets` as its hidden part. */
static bool
tunnel_password(const void *octets, size_t n, char *out, size_t size)
{
	uint8_t value[RAD_MAX_VALUE] = { 1, 0x80, 0x42 };
	const struct rad_attr a = {
		.type = RAD_TUNNEL_PASSWORD, .len = (uint8_t)(n + 3), .value = value
	};

	memcpy(value + 3, octets, n);
	hide(value + 3, n, authenticator_of(telnet_request), "\x80\x42", 2);
	return rad_tunnel_password(&a, SECRET, authenticator_of(telnet_request), out, size);
}

static void
tunnel_passwords(void **state)
{
	char out[64], plain[240] = { 0 };

	(void)state;
	memcpy(plain, "\12tunnel pwd", 11);
	assert_true(tunnel_password(plain, 16, out, sizeof(out)));
	assert_string_equal(out, "tunnel pwd");
	assert_true(tunnel_password(plain, 240, out, sizeof(out)));
	assert_string_equal(out, "tunnel pwd");
	assert_true(tunnel_password(plain, 16, out, 11));
	assert_false(tunnel_password(plain, 16, out, 10));
	assert_false(tunnel_password(plain, 15, out, sizeof(out)));
	assert_false(tunnel_password(plain, 0, out, sizeof(out)));
	plain[0] = 11; /* a NUL inside */
	assert_false(tunnel_password(plain, 16, out, sizeof(out)));
	memset(plain, 'x', sizeof(plain));
	plain[0] = 15;
	assert_true(tunnel_password(plain, 16, out, sizeof(out)));
	plain[0] = 16;
	assert_false(tunnel_password(plain, 16, out, sizeof(out)));
	assert_true(tunnel_password(plain, 32, out, sizeof(out)));
	plain[0] = 0;
	assert_true(tunnel_password(plain, 16, out, sizeof(out)));
	assert_string_equal(out, "");
}

static void
short_tunnel_passwords(void **state)
{
	uint8_t *value = malloc(2);
	struct rad_attr a = { .value = value };
	char out[64];

	(void)state;
	for (a.len = 0; a.len <= 2; a.len++)
		assert_false(rad_tunnel_password(
		    &a, SECRET, authenticator_of(telnet_request), out, sizeof(out)));
	free(value);
}

/* --- structure --- */

static void
packet_lengths_that_lie(void **state)
{
	uint8_t exact[sizeof(chap_accept)];
	struct rad_packet p;
	uint32_t len;
	bool sound;

	(void)state;
	memcpy(exact, chap_accept, sizeof(exact));
	for (len = 0; len <= UINT16_MAX; len++) {
		exact[2] = (uint8_t)(len >> 8);
		exact[3] = (uint8_t)len;
		sound = len >= RAD_HEADER && len <= sizeof(exact) && (len - RAD_HEADER) % 6 == 0;
		assert_int_equal(rad_decode(exact, sizeof(exact), &p), sound);
		if (sound)
			assert_int_equal(p.len, len);
	}
	for (len = 0; len < sizeof(chap_accept); len++)
		assert_false(rad_decode(chap_accept, len, &p));
}

static void
largest_packet(void **state)
{
	static uint8_t big[RAD_MAX_PACKET + 2];
	struct rad_packet p;
	size_t at;

	(void)state;
	for (at = RAD_HEADER; at < sizeof(big); at += 2)
		big[at + 1] = 2; /* empty attributes */
	big[2] = RAD_MAX_PACKET >> 8;
	assert_true(rad_decode(big, sizeof(big), &p)); /* with padding behind */
	big[3] = 2;
	assert_false(rad_decode(big, sizeof(big), &p));
}

/* Less than an attribute's own header, and as many octets behind as that wraps to. */
static void
attribute_shorter_than_its_header(void **state)
{
	uint8_t data[RAD_HEADER + 2 + 255] = { 0 };
	struct rad_packet p;

	(void)state;
	data[2] = sizeof(data) >> 8;
	data[3] = sizeof(data) & 0xff;
	data[RAD_HEADER + 1] = 1;
	assert_false(rad_decode(data, sizeof(data), &p));
	data[RAD_HEADER + 1] = 0;
	assert_false(rad_decode(data, sizeof(data), &p));
}

/* Each attribute's length through all its values; whatever is sound can be walked. */
static void
attribute_lengths_that_lie(void **state)
{
	size_t len = signed_reply(), at;
	uint8_t *exact = malloc(len);
	struct rad_packet p;
	struct rad_attr a;
	struct rd sub;
	unsigned int lie;

	(void)state;
	for (at = RAD_HEADER; at < len; at += buf[at + 1]) {
		for (lie = 0; lie < 256; lie++) {
			memcpy(exact, buf, len);
			exact[at + 1] = (uint8_t)lie;
			if (!rad_decode(exact, len, &p))
				continue;
			assert_true(lie >= 2 && lie <= len - at);
			sub = (struct rd){ 0 };
			while (rad_attr_next(&p.attrs, &sub, &a))
				assert_true(a.value + a.len <= exact + len);
			assert_false(p.attrs.bad);
		}
	}
	free(exact);
}

static void
random_vendor_data_does_no_harm(void **state)
{
	struct rad_packet p;
	struct rad_attr a;
	struct rd sub;
	unsigned int round, steps;
	uint8_t data[24];
	size_t i, n;

	(void)state;
	srandom(1);
	for (round = 0; round < 50000; round++) {
		begin(RAD_ACCESS_ACCEPT, NULL);
		for (n = 1 + (size_t)random() % 4; n > 0; n--) {
			for (i = 0; i < sizeof(data); i++)
				data[i] = (uint8_t)(random() % 6);
			rad_put(&w, RAD_VENDOR_SPECIFIC, data, (size_t)random() % sizeof(data));
		}
		p = packet();
		sub = (struct rd){ 0 };
		for (steps = 0; rad_attr_next(&p.attrs, &sub, &a); steps++)
			assert_true(a.value + a.len <= buf + p.len);
		assert_in_range(steps, 1, 4 * 10);
	}
}

/* A packet made for another server is the one that would have been built for it. */
static void
rekey(void **state)
{
	static const uint8_t first[RAD_AUTH_LEN] = "first authentic",
			     second[RAD_AUTH_LEN] = "second authenti";
	uint8_t a[300], b[300], password[128];
	size_t n, len[2], place;
	struct wr out;

	(void)state;
	for (n = 0; n < sizeof(password); n++)
		password[n] = (uint8_t)(n * 7 + 1);
	for (n = 0; n <= sizeof(password); n++) {
		out = wr_init(a, sizeof(a));
		rad_begin(&out, RAD_ACCESS_REQUEST, 9, first);
		place = rad_put_message_authenticator(&out);
		rad_put_str(&out, RAD_USER_NAME, "fred");
		rad_put_password(&out, password, n, "one", first);
		rad_put_u32(&out, RAD_NAS_PORT, 1);
		len[0] = rad_end(&out);
		rad_sign(a, len[0], place, "one");
		out = wr_init(b, sizeof(b));
		rad_begin(&out, RAD_ACCESS_REQUEST, 9, second);
		place = rad_put_message_authenticator(&out);
		rad_put_str(&out, RAD_USER_NAME, "fred");
		rad_put_password(&out, password, n, "another", second);
		rad_put_u32(&out, RAD_NAS_PORT, 1);
		len[1] = rad_end(&out);
		rad_sign(b, len[1], place, "another");
		rad_rekey(a, len[0], "one", "another", second);
		assert_int_equal(len[0], len[1]);
		assert_memory_equal(a, b, len[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rekey),
		cmocka_unit_test(rfc_2865_password_request),
		cmocka_unit_test(rfc_2865_accepts_check),
		cmocka_unit_test(rfc_2865_attributes),
		cmocka_unit_test(request_with_message_authenticator),
		cmocka_unit_test(signed_reply_checks),
		cmocka_unit_test(any_bit_breaks_it),
		cmocka_unit_test(wrong_message_authenticators),
		cmocka_unit_test(two_message_authenticators),
		cmocka_unit_test(requests_over_zeroes),
		cmocka_unit_test(vendor_data_in_all_shapes),
		cmocka_unit_test(numbers_of_the_wrong_length),
		cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(too_much_is_an_overflow),
		cmocka_unit_test(passwords_of_all_lengths),
		cmocka_unit_test(a_password_too_long_is_not_cut),
		cmocka_unit_test(tunnel_passwords),
		cmocka_unit_test(short_tunnel_passwords),
		cmocka_unit_test(packet_lengths_that_lie),
		cmocka_unit_test(largest_packet),
		cmocka_unit_test(attribute_shorter_than_its_header),
		cmocka_unit_test(attribute_lengths_that_lie),
		cmocka_unit_test(random_vendor_data_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
