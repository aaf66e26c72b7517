/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access-Accept and Access-Reject into struct auth_result: what counts, and what is left out. */
#include "rad_reply.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A packet in the making; attributes are written by hand, not by the code under test. */
static uint8_t packet[RAD_MAX_PACKET];
static size_t len;

static void
begin(uint8_t code)
{
	memset(packet, 0, sizeof(packet));
	packet[0] = code;
	len = RAD_HEADER;
}

static void
add(uint8_t type, const void *value, size_t n)
{
	assert_true(n <= RAD_MAX_VALUE && len + 2 + n <= sizeof(packet));
	packet[len++] = type;
	packet[len++] = (uint8_t)(n + 2);
	memcpy(packet + len, value, n);
	len += n;
}

static void
add_text(uint8_t type, const char *text)
{
	add(type, text, strlen(text));
}

static void
add_u32(uint8_t type, uint32_t v)
{
	const uint8_t value[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		(uint8_t)v };

	add(type, value, sizeof(value));
}

static void
add_vendor(uint32_t vendor, uint8_t type, const void *value, size_t n)
{
	uint8_t v[RAD_MAX_VALUE] = { 0, 0, (uint8_t)(vendor >> 8), (uint8_t)vendor, type,
		(uint8_t)(n + 2) };

	assert_true(n + 6 <= sizeof(v));
	memcpy(v + 6, value, n);
	add(RAD_VENDOR_SPECIFIC, v, n + 6);
}

static bool
decode(struct auth_result *res)
{
	struct rad_packet p;

	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	if (!rad_decode(packet, len, &p))
		return false;
	if (packet[0] == RAD_ACCESS_ACCEPT)
		radius_decode_accept(&p, res);
	else
		radius_decode_reject(&p, res);
	return true;
}

static struct auth_result
decoded(void)
{
	struct auth_result res;

	memset(&res, 0xff, sizeof(res));
	assert_true(decode(&res));
	return res;
}

/* Address of a dotted quad, network order. */
static uint32_t
ip(const char *text)
{
	uint32_t addr = 0;

	assert_true(ip4_parse(text, &addr));
	return addr;
}

static void
empty_accept_says_nothing(void **state)
{
	struct auth_result res, none;

	(void)state;
	memset(&none, 0, sizeof(none));
	none.verdict = AUTH_ACCEPTED;
	begin(RAD_ACCESS_ACCEPT);
	res = decoded();
	assert_memory_equal(&res, &none, sizeof(res));
}

static void
plain_attributes(void **state)
{
	struct auth_result res;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	add_u32(RAD_SERVICE_TYPE, 8); /* not Framed: tolerated */
	add_u32(RAD_FRAMED_IP_ADDRESS, 0x0a010203);
	add_u32(RAD_FRAMED_IP_NETMASK, 0xffffff00);
	add_u32(RAD_FRAMED_MTU, 1400);
	add_u32(RAD_SESSION_TIMEOUT, 3600);
	add_u32(RAD_IDLE_TIMEOUT, 4000000000u);
	add_u32(RAD_ACCT_INTERIM_INTERVAL, 600);
	add_u32(RAD_PORT_LIMIT, 2);
	add_text(RAD_FRAMED_POOL, "gold");
	add_text(200, "what is this?");
	res = decoded();
	assert_int_equal(res.verdict, AUTH_ACCEPTED);
	assert_int_equal(res.ip4, ip("10.1.2.3"));
	assert_int_equal(res.netmask, ip("255.255.255.0"));
	assert_int_equal(res.mtu, 1400);
	assert_int_equal(res.session_timeout, 3600);
	assert_int_equal(res.idle_timeout, 4000000000u);
	assert_int_equal(res.interim, 600);
	assert_int_equal(res.port_limit, 2);
	assert_string_equal(res.pool, "gold");
}

static void
impossible_values_are_left_out(void **state)
{
	struct auth_result res, none;

	(void)state;
	memset(&none, 0, sizeof(none));
	none.verdict = AUTH_ACCEPTED;
	begin(RAD_ACCESS_ACCEPT);
	add(RAD_FRAMED_IP_ADDRESS, "\1\2\3", 3);
	add(RAD_SESSION_TIMEOUT, "\1\2\3\4\5", 5);
	add(RAD_IDLE_TIMEOUT, "", 0);
	add_u32(RAD_FRAMED_MTU, 63);
	add_u32(RAD_FRAMED_MTU, 65536);
	add(RAD_FRAMED_MTU, "\5", 1);
	add_text(RAD_FRAMED_POOL, "a name of a pool that is longer than any of ours");
	add(RAD_FRAMED_POOL, "", 0);
	res = decoded();
	assert_memory_equal(&res, &none, sizeof(res));
}

static void
dns_in_each_form(void **state)
{
	static const struct {
		uint32_t vendor;
		uint8_t first;
	} forms[] = { { 0, 135 }, { RAD_VENDOR_ASCEND, 135 }, { RAD_VENDOR_MICROSOFT, 28 } };
	struct auth_result res;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		begin(RAD_ACCESS_ACCEPT);
		if (forms[i].vendor) {
			add_vendor(forms[i].vendor, forms[i].first, "\12\0\0\1", 4);
			add_vendor(forms[i].vendor, (uint8_t)(forms[i].first + 1), "\12\0\0\2", 4);
		} else {
			add(forms[i].first, "\12\0\0\1", 4);
			add((uint8_t)(forms[i].first + 1), "\12\0\0\2", 4);
		}
		res = decoded();
		assert_int_equal(res.dns1, ip("10.0.0.1"));
		assert_int_equal(res.dns2, ip("10.0.0.2"));
	}
}

static void
numbers_of_other_vendors_are_not_ours(void **state)
{
	struct auth_result res;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	add(RAD_IDLE_TIMEOUT, "\0\0\0\7", 4); /* 28, Microsoft's number for a DNS server */
	add_vendor(RAD_VENDOR_MICROSOFT, 135, "\12\0\0\1", 4);
	add_vendor(RAD_VENDOR_ASCEND, 28, "\12\0\0\2", 4);
	res = decoded();
	assert_int_equal(res.dns1, 0);
	assert_int_equal(res.dns2, 0);
	assert_int_equal(res.idle_timeout, 7);
}

static void
routes(void **state)
{
	static const struct {
		const char *text;
		const char *addr; /* NULL: refused */
		unsigned int len;
	} cases[] = {
		{ "192.168.10.0/24 192.168.10.1 1", "192.168.10.0", 24 },
		{ "192.168.10.128/25", "192.168.10.128", 25 },
		{ "0.0.0.0/0 10.0.0.1 1", "0.0.0.0", 0 },
		{ "10.9.8.7/32\t0.0.0.0 1 2 -1 3", "10.9.8.7", 32 },
		{ "  172.16.5.9/16 0.0.0.0", "172.16.0.0", 16 },
		{ "10.0.0.0 10.0.0.1 1", "10.0.0.0", 8 },
		{ "172.16.0.0 0.0.0.0 1", "172.16.0.0", 16 },
		{ "192.168.7.0", "192.168.7.0", 24 },
		{ "192.168.7.9 0.0.0.0 1", "192.168.7.9", 32 },
		{ "224.0.0.0", "224.0.0.0", 32 },
		{ "192.168.10.0/33", NULL, 0 },
		{ "192.168.10.0/240", NULL, 0 },
		{ "192.168.10.0/-1", NULL, 0 },
		{ "192.168.10.0/", NULL, 0 },
		{ "192.168.10.0/x", NULL, 0 },
		{ "192.168.10.0x", NULL, 0 },
		{ "192.168.10/24", NULL, 0 },
		{ "192.168.10.256/24", NULL, 0 },
		{ "1234.5678.9012.3456/24", NULL, 0 },
		{ "2001:db8::/32 :: 1", NULL, 0 },
		{ "default", NULL, 0 },
		{ "", NULL, 0 },
	};
	struct auth_result res;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		begin(RAD_ACCESS_ACCEPT);
		add_text(RAD_FRAMED_ROUTE, cases[i].text);
		res = decoded();
		assert_int_equal(res.n_routes, cases[i].addr ? 1 : 0);
		if (!cases[i].addr)
			continue;
		assert_int_equal(res.routes[0].addr, ip(cases[i].addr));
		assert_int_equal(res.routes[0].len, cases[i].len);
	}
}

static void
many_routes_and_a_bad_one_between(void **state)
{
	struct auth_result res;
	char text[32];
	unsigned int i;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	for (i = 0; i < AUTH_MAX_ROUTES + 5; i++) {
		snprintf(text, sizeof(text), "10.%u.0.0/16 0.0.0.0", i);
		add_text(RAD_FRAMED_ROUTE, text);
		if (i == 3)
			add_text(RAD_FRAMED_ROUTE, "nonsense");
	}
	res = decoded();
	assert_int_equal(res.n_routes, AUTH_MAX_ROUTES);
	assert_int_equal(res.routes[4].addr, ip("10.4.0.0"));
	assert_int_equal(res.routes[AUTH_MAX_ROUTES - 1].addr, ip("10.63.0.0"));
}

static void
classes_as_they_came(void **state)
{
	struct auth_result res;
	unsigned int i;
	uint8_t value[3] = { 'a', 0, 'z' };

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	for (i = 0; i < AUTH_MAX_CLASS + 2; i++, value[0]++)
		add(RAD_CLASS, value, sizeof(value));
	res = decoded();
	assert_int_equal(res.n_class, AUTH_MAX_CLASS);
	assert_int_equal(res.class[1].len, 3);
	assert_memory_equal(res.class[1].p, "b\0z", 3);
}

static void
chargeable_user_identity(void **state)
{
	struct auth_result res;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	res = decoded();
	assert_null(res.cui.p);
	add(RAD_CHARGEABLE_USER_IDENTITY, "\0id", 3);
	res = decoded();
	assert_int_equal(res.cui.len, 3);
	assert_memory_equal(res.cui.p, "\0id", 3);
}

static void
messages_are_joined_and_cut(void **state)
{
	struct auth_result res;
	char big[RAD_MAX_VALUE + 1];

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	add_text(RAD_REPLY_MESSAGE, "Welcome.");
	add_text(RAD_REPLY_MESSAGE, "Be good.");
	res = decoded();
	assert_string_equal(res.message, "Welcome. Be good.");

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	begin(RAD_ACCESS_ACCEPT);
	add_text(RAD_REPLY_MESSAGE, big);
	add_text(RAD_REPLY_MESSAGE, big);
	add_text(RAD_REPLY_MESSAGE, "y");
	res = decoded();
	assert_int_equal(strlen(res.message), AUTH_TEXT - 1);
}

static void
mschap_texts_lose_their_identifier(void **state)
{
	struct auth_result res;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	add_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP2_SUCCESS, "\x53S=0123456789ABCDEF", 19);
	res = decoded();
	assert_string_equal(res.mschap, "S=0123456789ABCDEF");

	begin(RAD_ACCESS_REJECT);
	add_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_ERROR, "E=691 R=1", 9);
	res = decoded();
	assert_string_equal(res.mschap, "E=691 R=1");

	begin(RAD_ACCESS_REJECT);
	add_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_ERROR, "\0", 1);
	res = decoded();
	assert_string_equal(res.mschap, "");
}

static void
reject_gives_texts_only(void **state)
{
	struct auth_result res;

	(void)state;
	begin(RAD_ACCESS_REJECT);
	add_u32(RAD_FRAMED_IP_ADDRESS, 0x0a010203);
	add_text(RAD_REPLY_MESSAGE, "go away");
	add_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_ERROR, "\7E=691 R=0 V=3", 14);
	res = decoded();
	assert_int_equal(res.verdict, AUTH_REFUSED);
	assert_int_equal(res.ip4, 0);
	assert_string_equal(res.message, "go away");
	assert_string_equal(res.mschap, "E=691 R=0 V=3");

	begin(RAD_ACCESS_CHALLENGE);
	add_text(RAD_REPLY_MESSAGE, "your mother's name?");
	res = decoded();
	assert_int_equal(res.verdict, AUTH_REFUSED);
	assert_string_equal(res.message, "your mother's name?");
}

/* Every string inside must end, whatever comes; the sanitizers watch the rest. */
static void
random_packets_do_no_harm(void **state)
{
	static const uint8_t types[] = { 8, 9, 12, 18, 22, 25, 26, 27, 28, 88, 135, 136 };
	static const char digits[] = "0123456789./ ";
	struct auth_result res;
	uint8_t value[64];
	unsigned int turn, i;
	size_t n;

	(void)state;
	srandom(1);
	for (turn = 0; turn < 20000; turn++) {
		begin(random() & 1 ? RAD_ACCESS_ACCEPT : RAD_ACCESS_REJECT);
		while (len < 600 && random() % 8) {
			n = (size_t)random() % sizeof(value);
			for (i = 0; i < n; i++)
				value[i] =
				    turn & 1 ? (uint8_t)random() : (uint8_t)digits[random() % 13];
			add(types[(size_t)random() % sizeof(types)], value, n);
		}
		if (!decode(&res))
			continue;
		assert_true(strlen(res.message) < AUTH_TEXT && strlen(res.mschap) < AUTH_TEXT);
		assert_true(strlen(res.pool) < sizeof(res.pool));
		assert_true(res.n_routes <= AUTH_MAX_ROUTES && res.n_class <= AUTH_MAX_CLASS);
	}
}

static void
pairs(void **state)
{
	struct auth_result res;
	int i;

	(void)state;
	begin(RAD_ACCESS_ACCEPT);
	add_vendor(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "throttle=yes", 12);
	add_vendor(RAD_VENDOR_CISCO, 2, "no", 2);
	add_text(RAD_CISCO_AVPAIR, "a user name");
	add_vendor(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "intercept=no,x=y", 16);
	res = decoded();
	assert_int_equal(res.n_pairs, 2);
	assert_int_equal(res.pairs[0].len, 12);
	assert_memory_equal(res.pairs[0].p, "throttle=yes", 12);
	assert_memory_equal(res.pairs[1].p, "intercept=no,x=y", 16);
	begin(RAD_ACCESS_ACCEPT);
	for (i = 0; i < AUTH_MAX_PAIRS + 10; i++)
		add_vendor(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "a=b", 3);
	assert_int_equal(decoded().n_pairs, AUTH_MAX_PAIRS);
	begin(RAD_ACCESS_REJECT);
	add_vendor(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, "a=b", 3);
	assert_int_equal(decoded().n_pairs, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_accept_says_nothing),
		cmocka_unit_test(plain_attributes),
		cmocka_unit_test(impossible_values_are_left_out),
		cmocka_unit_test(dns_in_each_form),
		cmocka_unit_test(numbers_of_other_vendors_are_not_ours),
		cmocka_unit_test(routes),
		cmocka_unit_test(many_routes_and_a_bad_one_between),
		cmocka_unit_test(classes_as_they_came),
		cmocka_unit_test(chargeable_user_identity),
		cmocka_unit_test(messages_are_joined_and_cut),
		cmocka_unit_test(mschap_texts_lose_their_identifier),
		cmocka_unit_test(reject_gives_texts_only),
		cmocka_unit_test(random_packets_do_no_harm),
		cmocka_unit_test(pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
