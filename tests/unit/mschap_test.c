/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MS-CHAPv2: the vectors of RFC 2759 9.2, and passwords that are not ASCII. */
#include "mschap.h"

#include <nettle/md4.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 2759 9.2; the password is "clientPass", the user "User" */
static const uint8_t auth_challenge[] = { 0x5B, 0x5D, 0x7C, 0x7D, 0x7B, 0x3F, 0x2F, 0x3E, 0x3C,
	0x2C, 0x60, 0x21, 0x32, 0x26, 0x26, 0x28 };
static const uint8_t peer_challenge[] = { 0x21, 0x40, 0x23, 0x24, 0x25, 0x5E, 0x26, 0x2A, 0x28,
	0x29, 0x5F, 0x2B, 0x3A, 0x33, 0x7C, 0x7E };
static const uint8_t password_hash[] = { 0x44, 0xEB, 0xBA, 0x8D, 0x53, 0x12, 0xB8, 0xD6, 0x11, 0x47,
	0x44, 0x11, 0xF5, 0x69, 0x89, 0xAE };
static const uint8_t nt_response[] = { 0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70, 0x8B, 0x5E, 0xA0, 0x8F,
	0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54, 0x42, 0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF };

static void
rfc_2759_vectors(void **state)
{
	uint8_t hash[MSCHAP_HASH], response[MSCHAP_NT_RESPONSE];
	char text[MSCHAP_AUTH_RESPONSE];

	(void)state;
	mschap_nt_hash("clientPass", hash);
	assert_memory_equal(hash, password_hash, sizeof(hash));
	mschap_nt_response(auth_challenge, peer_challenge, "User", "clientPass", response);
	assert_memory_equal(response, nt_response, sizeof(response));
	mschap_auth_response(
	    "clientPass", nt_response, peer_challenge, auth_challenge, "User", text);
	assert_string_equal(text, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}

/* The hash of `text` must be the MD4 of these 16-bit units. */
static void
check_units(const char *text, const uint16_t *units, size_t n)
{
	uint8_t hash[MSCHAP_HASH], want[MSCHAP_HASH], octets[2];
	struct md4_ctx md4;

	md4_init(&md4);
	for (; n > 0; n--, units++) {
		octets[0] = (uint8_t)*units;
		octets[1] = (uint8_t)(*units >> 8);
		md4_update(&md4, 2, octets);
	}
	md4_digest(&md4, sizeof(want), want);
	mschap_nt_hash(text, hash);
	assert_memory_equal(hash, want, sizeof(hash));
}

#define CHECK_UNITS(text, ...)                                                                     \
	do {                                                                                       \
		const uint16_t units_[] = { __VA_ARGS__ };                                         \
		check_units(text, units_, ARRAY_LEN(units_));                                      \
	} while (0)

static void
utf8_becomes_utf16(void **state)
{
	(void)state;
	check_units("", NULL, 0);
	CHECK_UNITS("a\xc3\xa4\xe2\x82\xac", 'a', 0xe4, 0x20ac);
	CHECK_UNITS("\xf0\x9f\x98\x80!", 0xd83d, 0xde00, '!');
	CHECK_UNITS("\xf4\x8f\xbf\xbf", 0xdbff, 0xdfff);
	CHECK_UNITS("\xc2\x80\xef\xbf\xbf\xe0\xa0\x80", 0x80, 0xffff, 0x800);
}

static void
octets_that_are_no_utf8_stand_for_themselves(void **state)
{
	(void)state;
	CHECK_UNITS("\xe4", 0xe4);			     /* ISO 8859-1 */
	CHECK_UNITS("\xc3", 0xc3);			     /* cut short */
	CHECK_UNITS("\xe2\x82", 0xe2, 0x82);		     /* the same */
	CHECK_UNITS("\xf0\x9f\x98x", 0xf0, 0x9f, 0x98, 'x'); /* the same, not at the end */
	CHECK_UNITS("\xc0\x80", 0xc0, 0x80);		     /* longer than need be */
	CHECK_UNITS("\xe0\x9f\xbf", 0xe0, 0x9f, 0xbf);
	CHECK_UNITS("\xed\xa0\x80", 0xed, 0xa0, 0x80);		 /* half a pair */
	CHECK_UNITS("\xf4\x90\x80\x80", 0xf4, 0x90, 0x80, 0x80); /* above U+10FFFF */
	CHECK_UNITS("\xff\xfe\xf8\x88", 0xff, 0xfe, 0xf8, 0x88);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_2759_vectors),
		cmocka_unit_test(utf8_becomes_utf16),
		cmocka_unit_test(octets_that_are_no_utf8_stand_for_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
