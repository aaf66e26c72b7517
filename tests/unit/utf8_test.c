/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8: what is valid, and what the escaping leaves of text that a peer chose. */
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
lengths(void **state)
{
	(void)state;
	assert_int_equal(utf8_len(""), 0);
	assert_int_equal(utf8_len("a"), 1);
	assert_int_equal(utf8_len("\xc3\xa9"), 2);
	assert_int_equal(utf8_len("\xe2\x82\xac"), 3);
	assert_int_equal(utf8_len("\xf0\x9f\x98\x80"), 4);
}

static void
what_is_not_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",						    /* not a lead octet */
		"\xbf", "\xc3",					    /* the end is missing */
		"\xe2\x82", "\xf0\x9f\x98", "\xc0\xaf",		    /* longer than needed */
		"\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", /* a surrogate */
		"\xf4\x90\x80\x80",				    /* beyond U+10FFFF */
		"\xfe", "\xe9t\xe9",				    /* Latin-1 */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(utf8_len(bad[i]), 0);
		assert_false(utf8_valid(bad[i]));
	}
	assert_true(utf8_valid(""));
	assert_true(utf8_valid("na\xc3\xafve \xe2\x82\xac"));
	assert_false(utf8_valid("na\xc3\xafve \xe2\x82"));
}

static void
escaped(const char *from, const char *to)
{
	char text[64];

	assert_int_equal(utf8_escape(text, sizeof(text), from, "\\"), strlen(to));
	assert_string_equal(text, to);
}

static void
escapes(void **state)
{
	char text[64];

	(void)state;
	escaped("", "");
	escaped("J\xc3\xbcrgen \xe2\x82\xac", "J\xc3\xbcrgen \xe2\x82\xac");
	escaped("\x1b[2J\n\x7f", "\\x1b[2J\\x0a\\x7f");
	escaped("\x9b"
		"2J",
	    "\\x9b2J");			     /* C1 as an octet */
	escaped("\xc2\x9b", "\\xc2\\x9b");   /* and in UTF-8 */
	escaped("\xc2\xa0", "\xc2\xa0");     /* behind them */
	escaped("J\xfcrgen", "J\\xfcrgen");  /* Latin-1 */
	escaped("\xe2\x82", "\\xe2\\x82");   /* cut off */
	escaped("a\\x1b\\", "a\\\\x1b\\\\"); /* cannot pass for an escape */
	assert_int_equal(utf8_escape(text, sizeof(text), "DOMAIN\\joe", ""), 10);
	assert_string_equal(text, "DOMAIN\\joe");
}

/* Whatever the octets and the room: within it, ended, and valid. */
static void
random_octets(void **state)
{
	char from[40], to[64];
	size_t size, i, n;
	int round;

	(void)state;
	srand(22);
	for (round = 0; round < 100000; round++) {
		for (i = 0; i < sizeof(from) - 1; i++)
			from[i] = (char)(rand() % 4 ? 0x80 + rand() % 0x80 : 1 + rand() % 0x7f);
		from[i] = '\0';
		size = 1 + (size_t)rand() % (sizeof(to) - 1);
		memset(to, 'Z', sizeof(to));
		n = utf8_escape(to, size, from, "\\");
		assert_true(n < size);
		assert_int_equal(strlen(to), n);
		assert_true(utf8_valid(to));
		for (i = 0; i < n; i++)
			assert_false(utf8_control(to + i));
		for (i = size; i < sizeof(to); i++)
			assert_int_equal(to[i], 'Z');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(what_is_not_utf8),
		cmocka_unit_test(escapes),
		cmocka_unit_test(random_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
