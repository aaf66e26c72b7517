/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helpers: addresses as text, strings, numbers, checksums. */
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
addresses_as_text(void **state)
{
	const char *a = ip4_text(htonl(0x0a000001)), *b = ip4_text(htonl(0xffffffff));
	uint32_t addr;

	(void)state;
	assert_string_equal(a, "10.0.0.1"); /* there are four buffers */
	assert_string_equal(b, "255.255.255.255");
	assert_true(ip4_parse("192.0.2.7", &addr));
	assert_int_equal(addr, htonl(0xc0000207));
	assert_false(ip4_parse("192.0.2", &addr));
	assert_false(ip4_parse("192.0.2.256", &addr));
	assert_false(ip4_parse("192.0.2.1 ", &addr));
	assert_false(ip4_parse("", &addr));
}

static void
prefixes(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1",
		"/8", "10.0.0.0/8/8", "100.100.100.100.1/8", "10.0.0.0/8 ", "a/8", "" };
	uint32_t addr;
	unsigned int len;
	size_t i;

	(void)state;
	assert_true(ip4_parse_prefix("10.0.0.0/8", &addr, &len));
	assert_int_equal(addr, htonl(0x0a000000));
	assert_int_equal(len, 8);
	assert_true(ip4_parse_prefix("192.0.2.1", &addr, &len));
	assert_int_equal(len, 32);
	assert_true(ip4_parse_prefix("0.0.0.0/0", &addr, &len));
	assert_int_equal(len, 0);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ip4_parse_prefix(bad[i], &addr, &len));
}

static void
masks(void **state)
{
	unsigned int len;

	(void)state;
	for (len = 0; len <= 32; len++)
		assert_int_equal(ip4_mask_len(ip4_mask(len)), len);
	assert_int_equal(ip4_mask(24), htonl(0xffffff00));
	assert_int_equal(ip4_mask_len(htonl(0xff00ff00)), -1);
	assert_int_equal(ip4_mask_len(htonl(0x00ffffff)), -1);
}

static void
random_octets(void **state)
{
	uint8_t a[1000], b[1000];
	unsigned int seen[256] = { 0 };
	size_t i;

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (i = 0; i < 100000; i++)
		seen[random_u16() & 0xff]++;
	for (i = 0; i < 256; i++) /* 390 each: 15 sigma off is no chance */
		assert_in_range(seen[i], 100, 700);
	assert_true(random_u32() != random_u32() || random_u32() != random_u32());
}

static void
secrets(void **state)
{
	(void)state;
	assert_true(secret_equal("abc", "abc", 3));
	assert_true(secret_equal("abc", "abd", 2));
	assert_false(secret_equal("abc", "abd", 3));
	assert_true(secret_equal("a", "b", 0));
	assert_true(secret_equal_str("abc", "abc"));
	assert_true(secret_equal_str("", ""));
	assert_false(secret_equal_str("abc", ""));
	assert_false(secret_equal_str("", "abc"));
	assert_false(secret_equal_str("abcabc", "abc"));
	assert_false(secret_equal_str("abc", "abcabc"));
	assert_false(secret_equal_str("abc", "abC"));
}

static void
strings(void **state)
{
	char to[4];

	(void)state;
	assert_true(str_copy(to, sizeof(to), "abc"));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, sizeof(to), "abcd"));
	assert_string_equal(to, "abc");
	assert_true(str_copy_n(to, sizeof(to), "xyz", 2));
	assert_string_equal(to, "xy");
	assert_true(str_copy_n(to, sizeof(to), "x\0yzzzz", 7));
	assert_string_equal(to, "x");
	assert_true(str_copy_n(to, sizeof(to), NULL, 0));
	assert_string_equal(to, "");
	assert_false(str_copy(to, 1, "a"));
	assert_string_equal(to, "");
}

static void
numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "+1", "-1", "1 ", "0x1", "1a", "4", "101",
		"18446744073709551616", "99999999999999999999" };
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(parse_uint(bad[i], 5, 100, &v));
	assert_int_equal(v, 7);
	assert_true(parse_uint("5", 5, 100, &v));
	assert_int_equal(v, 5);
	assert_true(parse_uint("100", 5, 100, &v));
	assert_int_equal(v, 100);
	assert_true(parse_uint("18446744073709551615", 0, UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
}

/* By the definition: 16-bit words in network order, end-around carry. */
static uint16_t
slow_cksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return htons((uint16_t)~sum);
}

static void
checksums(void **state)
{
	/* RFC 1071 3: the sum is ddf2 */
	const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t data[300];
	size_t round, n, cut, i;

	(void)state;
	assert_int_equal(cksum_fold(cksum_add(0, example, 8)), htons((uint16_t)~0xddf2));
	srandom(1);
	for (round = 0; round < 5000; round++) {
		n = (size_t)random() % sizeof(data);
		for (i = 0; i < n; i++)
			data[i] = random() % 3 ? (uint8_t)random() : 0xff;
		cut = ((size_t)random() % (n + 1)) & ~(size_t)1;
		assert_int_equal(cksum_fold(cksum_add(0, data, n)), slow_cksum(data, n));
		assert_int_equal(
		    cksum_fold(cksum_add(cksum_add(0, data, cut), data + cut, n - cut)),
		    slow_cksum(data, n));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_as_text),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(masks),
		cmocka_unit_test(random_octets),
		cmocka_unit_test(secrets),
		cmocka_unit_test(strings),
		cmocka_unit_test(numbers),
		cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
