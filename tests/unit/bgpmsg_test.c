/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BGP messages: what we write is read back as it was meant, and every truncation is refused. */
#include "bgpmsg.h"
#include "bgpupdate.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buf[BGP_MAX];

/* The body of a message that has come out well. */
static struct rd
body(size_t len, enum bgp_type want)
{
	struct bgp_error e;
	uint16_t told;
	uint8_t type;

	assert_int_equal(bgp_read_header(rd_init(buf, len), &told, &type, &e), 0);
	assert_int_equal(told, len);
	assert_int_equal(type, want);
	return rd_init(buf + BGP_HEADER, len - BGP_HEADER);
}

static void
an_open_comes_back(void **state)
{
	const uint32_t numbers[] = { 1, 65535, 65536, 4200000001 };
	struct bgp_open o, mine = { .hold = 90, .id = htonl(0x0a020001), .afi = { true, true } };
	struct bgp_error e;
	size_t i, len;

	(void)state;
	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		mine.as = numbers[i];
		assert_int_equal(
		    bgp_read_open(body(bgp_put_open(buf, &mine), BGP_OPEN), &o, &e), 0);
		assert_int_equal(o.as, numbers[i]);
		assert_int_equal(o.hold, 90);
		assert_int_equal(o.id, mine.id);
		assert_true(o.afi[BGP_IP4] && o.afi[BGP_IP6] && o.as4 && o.refresh && o.restart);
	}
	len = bgp_put_open(buf, &mine);
	for (i = BGP_HEADER; i < len; i++) /* no octet may be missing */
		assert_int_equal(
		    bgp_read_open(rd_init(buf + BGP_HEADER, i - BGP_HEADER), &o, &e), -1);
}

static void
a_notification_comes_back(void **state)
{
	struct bgp_error back, e = { .code = BGP_ERR_CEASE,
		.sub = BGP_CEASE_SHUTDOWN,
		.len = 4,
		.data = { 3, 'b', 'y', 'e' } };
	char text[320];

	(void)state;
	bgp_read_notification(body(bgp_put_notification(buf, &e), BGP_NOTIFICATION), &back);
	assert_memory_equal(&back, &e, sizeof(e));
	assert_string_equal(
	    bgp_error_text(&back, text, sizeof(text)), "Cease/Administrative Shutdown: \"bye\"");
	back.data[0] = 200; /* longer than it is */
	assert_string_equal(
	    bgp_error_text(&back, text, sizeof(text)), "Cease/Administrative Shutdown: \"bye\"");
	e.data[0] = 255; /* as long as RFC 9003 lets it be */
	memset(e.data + 1, 'w', 255);
	e.len = 256;
	bgp_read_notification(body(bgp_put_notification(buf, &e), BGP_NOTIFICATION), &back);
	assert_memory_equal(&back, &e, sizeof(e));
	assert_int_equal(strlen(bgp_error_text(&back, text, sizeof(text))),
	    strlen("Cease/Administrative Shutdown: \"\"") + 255);
	back = (struct bgp_error){ .code = 77, .sub = 9 };
	assert_string_equal(bgp_error_text(&back, text, sizeof(text)), "code 77/9");
	back = (struct bgp_error){ .code = BGP_ERR_SEND_HOLD };
	assert_string_equal(bgp_error_text(&back, text, sizeof(text)), "Send Hold Timer Expired");
	back = (struct bgp_error){ .code = BGP_ERR_OPEN, .sub = 200 };
	assert_string_equal(bgp_error_text(&back, text, sizeof(text)), "OPEN Message Error/200");
}

static struct bgp_prefix
prefix(enum bgp_afi afi, unsigned int i)
{
	struct bgp_prefix p = { .afi = (uint8_t)afi, .len = afi == BGP_IP4 ? 32 : 64 };

	p.addr[0] = 10;
	p.addr[1] = (uint8_t)(i >> 16);
	p.addr[2] = (uint8_t)(i >> 8);
	p.addr[3] = (uint8_t)i;
	return p;
}

static const struct bgp_attrs attrs = { .as = 4200000001,
	.as4 = true,
	.med = 1,
	.n_communities = 1,
	.communities = { 0xffffff01 },
	.next_hop = 0x0100020a };

/* As many as fit; the message is good, is full, and is no longer than it may be. */
static void
a_full_update_is_good(void **state)
{
	struct bgp_attrs a = attrs;
	struct bgp_prefix p;
	struct bgp_batch b;
	struct bgp_error e;
	unsigned int n, kind, afi, withdraw;
	size_t len;

	(void)state;
	for (kind = 0; kind < 16; kind++) {
		afi = kind & 1;
		withdraw = kind & 2;
		a.ibgp = kind & 4;
		a.as4 = kind & 8;
		bgp_batch_begin(&b, buf, afi, withdraw ? NULL : &a);
		for (n = 0; p = prefix(afi, n), bgp_batch_add(&b, &p); n++)
			;
		len = bgp_batch_end(&b);
		assert_in_range(len, BGP_MAX - 20, BGP_MAX);
		assert_in_range(n, 400, 815);
		assert_int_equal(bgp_check_update(body(len, BGP_UPDATE), a.as4, a.ibgp, &e), 0);
	}
}

/* Octet by octet, IPv6: MP_REACH_NLRI is the first attribute (RFC 7606 5.1). */
static void
an_ip6_update_as_it_is(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 68, 0x90, 14, 0, 30, 0, 2, 1, 16, 0x20, 1, 0xd,
		0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 64, 10, 0, 0, 5, 0, 0, 0, 0, 0x40, 1,
		1, 0, 0x40, 2, 6, 2, 1, 0xfa, 0x56, 0xea, 1, 0x80, 4, 4, 0, 0, 0, 1, 0xd0, 8, 0, 4,
		0xff, 0xff, 0xff, 1 };
	struct bgp_attrs a = attrs;
	struct bgp_prefix p = prefix(BGP_IP6, 5);
	struct bgp_batch b;
	size_t len;

	(void)state;
	inet_pton(AF_INET6, "2001:db8::1", &a.next_hop6);
	bgp_batch_begin(&b, buf, BGP_IP6, &a);
	assert_true(bgp_batch_add(&b, &p));
	len = bgp_batch_end(&b);
	assert_int_equal(len, BGP_HEADER + sizeof(want));
	assert_memory_equal(buf + BGP_HEADER + 4, want + 4, sizeof(want) - 4);
	assert_int_equal(buf[BGP_HEADER + 3], sizeof(want) - 4);
}

static void
the_end_of_a_rib(void **state)
{
	struct bgp_error e;
	size_t len;

	(void)state;
	assert_int_equal(bgp_put_end_of_rib(buf, BGP_IP4), 23); /* RFC 4724 2 */
	assert_int_equal(bgp_check_update(body(23, BGP_UPDATE), true, false, &e), 0);
	len = bgp_put_end_of_rib(buf, BGP_IP6);
	assert_int_equal(len, 30);
	assert_int_equal(bgp_check_update(body(len, BGP_UPDATE), true, false, &e), 0);
}

static void
a_refresh(void **state)
{
	enum bgp_afi afi;

	(void)state;
	assert_true(bgp_read_refresh(rd_init("\0\2\0\1", 4), &afi));
	assert_int_equal(afi, BGP_IP6);
	assert_false(bgp_read_refresh(rd_init("\0\2\0\2", 4), &afi)); /* multicast */
	assert_false(bgp_read_refresh(rd_init("\0\1\1\1", 4), &afi)); /* begin of one */
	assert_false(bgp_read_refresh(rd_init("\0\1\0", 3), &afi));
}

/* Nothing that comes may be read past its end; the sanitizers look on. */
static void
random_octets(void **state)
{
	struct bgp_error e;
	struct bgp_open o;
	unsigned int round;
	size_t i, len;
	uint8_t *copy;

	(void)state;
	srandom(7);
	for (round = 0; round < 20000; round++) {
		len = (size_t)random() % 60;
		copy = malloc(len + 1);
		for (i = 0; i < len; i++)
			copy[i] = (uint8_t)(random() % 4 ? random() % 5 : random());
		bgp_read_open(rd_init(copy, len), &o, &e);
		assert_in_range(bgp_check_update(rd_init(copy, len), true, true, &e) + 1, 0, 2);
		bgp_read_notification(rd_init(copy, len), &e);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_comes_back),
		cmocka_unit_test(a_notification_comes_back),
		cmocka_unit_test(a_full_update_is_good),
		cmocka_unit_test(an_ip6_update_as_it_is),
		cmocka_unit_test(the_end_of_a_rib),
		cmocka_unit_test(a_refresh),
		cmocka_unit_test(random_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
