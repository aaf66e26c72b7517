/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PPP frames, control packets and options: what is written is read; lengths that lie are seen. */
#include "cpopt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* An LCP Configure-Request with MRU, Auth-Protocol CHAP, Magic and PFC. */
static const uint8_t request[] = { 0x01, 0x07, 0x00, 0x17, 0x01, 0x04, 0x05, 0xdc, 0x03, 0x05, 0xc2,
	0x23, 0x05, 0x05, 0x06, 0x12, 0x34, 0x56, 0x78, 0x07, 0x02, 0x08, 0x02 };

static uint16_t
protocol_of(const char *octets, size_t n, size_t left)
{
	struct rd r = rd_init(octets, n);
	uint16_t protocol = ppp_protocol_decode(&r);

	if (protocol)
		assert_int_equal(rd_left(&r), left);
	return protocol;
}

static void
protocols(void **state)
{
	(void)state;
	assert_int_equal(protocol_of("\xff\x03\xc0\x21\x01", 5, 1), PPP_LCP);
	assert_int_equal(protocol_of("\xc0\x21\x01", 3, 1), PPP_LCP);
	assert_int_equal(protocol_of("\xff\x03\x00\x21", 4, 0), PPP_IP);
	assert_int_equal(protocol_of("\xff\x03\x21\x45", 4, 1), PPP_IP);
	assert_int_equal(protocol_of("\x21\x45", 2, 1), PPP_IP);
	assert_int_equal(protocol_of("\x57", 1, 0), PPP_IPV6);
	assert_int_equal(protocol_of("\x3d\xc0", 2, 1), PPP_MP);
	assert_int_equal(protocol_of("", 0, 0), 0);
	assert_int_equal(protocol_of("\xff", 1, 0), 0);
	assert_int_equal(protocol_of("\xff\x03", 2, 0), 0);
	assert_int_equal(protocol_of("\xff\x04\xc0\x21", 4, 0), 0);
	assert_int_equal(protocol_of("\xff\x03\xff\x03\xc0\x21", 6, 0), 0);
	assert_int_equal(protocol_of("\xc0", 1, 0), 0);
	assert_int_equal(protocol_of("\xc0\x20\x01", 3, 0), 0); /* even: no protocol, RFC 1661 2 */
}

static void
packet_with_options(void **state)
{
	static const uint8_t types[] = { 1, 3, 5, 7, 8 }, lens[] = { 4, 5, 6, 2, 2 };
	struct cp_pkt p;
	struct cp_opt o;
	size_t i;

	(void)state;
	assert_true(cp_decode(rd_init(request, sizeof(request)), &p));
	assert_int_equal(p.code, CP_CONF_REQ);
	assert_int_equal(p.id, 7);
	for (i = 0; i < ARRAY_LEN(types); i++) {
		assert_true(cp_opt_next(&p.data, &o));
		assert_int_equal(o.type, types[i]);
		assert_int_equal(o.len, lens[i]);
		assert_int_equal(o.start[0], types[i]);
		assert_int_equal(rd_left(&o.val), lens[i] - CP_OPT_HEADER);
	}
	assert_false(cp_opt_next(&p.data, &o));
	assert_false(p.data.bad);
}

static void
the_same_written(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	cp_begin(&w, CP_CONF_REQ, 7);
	cp_put_u16(&w, 1, 1500);
	cp_put(&w, 3, "\xc2\x23\x05", 3);
	cp_put_u32(&w, 5, 0x12345678);
	cp_put(&w, 7, NULL, 0);
	cp_put(&w, 8, NULL, 0);
	assert_int_equal(cp_end(&w), sizeof(request));
	assert_memory_equal(buf, request, sizeof(request));
}

static void
addresses_keep_their_order(void **state)
{
	const uint8_t want[] = { 3, 6, 192, 0, 2, 1 };
	uint8_t buf[8];
	struct wr w = wr_init(buf, sizeof(buf));
	uint32_t addr;

	(void)state;
	memcpy(&addr, want + 2, sizeof(addr));
	cp_put_be32(&w, 3, addr);
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void
what_does_not_fit_is_an_overflow(void **state)
{
	uint8_t buf[300], small[5], val[254] = { 0 };
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	cp_put(&w, 1, val, 253);
	assert_int_equal(wr_len(&w), 255);
	cp_put(&w, 1, val, 0);
	assert_int_equal(wr_len(&w), 257);
	w = wr_init(buf, sizeof(buf));
	cp_put(&w, 1, val, 254);
	assert_true(w.bad);
	w = wr_init(small, sizeof(small));
	cp_begin(&w, CP_ECHO_REQ, 1);
	wr_u32(&w, 0);
	assert_int_equal(cp_end(&w), 0);
}

static void
padding_is_cut(void **state)
{
	uint8_t padded[sizeof(request) + 5] = { 0 };
	struct cp_pkt p;

	(void)state;
	memcpy(padded, request, sizeof(request));
	assert_true(cp_decode(rd_init(padded, sizeof(padded)), &p));
	assert_int_equal(rd_left(&p.data), sizeof(request) - CP_HEADER);
}

static void
packet_lengths_that_lie(void **state)
{
	uint8_t packet[sizeof(request)];
	struct cp_pkt p;
	uint32_t len;

	(void)state;
	memcpy(packet, request, sizeof(packet));
	for (len = 0; len <= UINT16_MAX; len++) {
		packet[2] = (uint8_t)(len >> 8);
		packet[3] = (uint8_t)len;
		assert_int_equal(cp_decode(rd_init(packet, sizeof(packet)), &p),
		    len >= CP_HEADER && len <= sizeof(packet));
	}
	for (len = 0; len < sizeof(request); len++)
		assert_false(cp_decode(rd_init(request, len), &p));
}

/* Walks options; their lengths and what is left must add up at every step. */
static bool
walk(struct rd data)
{
	struct cp_opt o;
	const uint8_t *at = data.pos;

	while (cp_opt_next(&data, &o)) {
		assert_ptr_equal(o.start, at);
		assert_int_equal(o.len, rd_left(&o.val) + CP_OPT_HEADER);
		assert_ptr_equal(o.start + o.len, data.pos);
		at = data.pos;
	}
	return !data.bad;
}

static void
option_lengths_that_lie(void **state)
{
	const uint8_t *options = request + CP_HEADER;
	size_t n = sizeof(request) - CP_HEADER, len;
	uint8_t one[6] = { 5 };
	unsigned int lie;

	(void)state;
	for (len = 0; len <= n; len++) {
		bool whole =
		    len == 0 || len == 4 || len == 9 || len == 15 || len == 17 || len == 19;

		assert_int_equal(walk(rd_init(options, len)), whole);
	}
	for (lie = 0; lie < 256; lie++) { /* zeroes behind it are no option */
		one[1] = (uint8_t)lie;
		assert_int_equal(walk(rd_init(one, sizeof(one))), lie == sizeof(one));
	}
}

static void
random_options_come_back(void **state)
{
	uint8_t buf[1500], val[253];
	uint8_t types[20], lens[20];
	struct wr w;
	struct cp_pkt p;
	struct cp_opt o;
	size_t round, i, n, j;

	(void)state;
	srandom(1);
	for (j = 0; j < sizeof(val); j++)
		val[j] = (uint8_t)random();
	for (round = 0; round < 5000; round++) {
		w = wr_init(buf, sizeof(buf));
		cp_begin(&w, CP_CONF_NAK, (uint8_t)round);
		n = (size_t)random() % ARRAY_LEN(types);
		for (i = 0; i < n; i++) {
			types[i] = (uint8_t)random();
			lens[i] = (uint8_t)(random() % 60);
			cp_put(&w, types[i], val, lens[i]);
		}
		assert_true(cp_decode(rd_init(buf, cp_end(&w)), &p));
		for (i = 0; i < n; i++) {
			assert_true(cp_opt_next(&p.data, &o));
			assert_int_equal(o.type, types[i]);
			assert_int_equal(rd_left(&o.val), lens[i]);
			assert_memory_equal(o.start + CP_OPT_HEADER, val, lens[i]);
		}
		assert_false(cp_opt_next(&p.data, &o));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocols),
		cmocka_unit_test(packet_with_options),
		cmocka_unit_test(the_same_written),
		cmocka_unit_test(addresses_keep_their_order),
		cmocka_unit_test(what_does_not_fit_is_an_overflow),
		cmocka_unit_test(padding_is_cut),
		cmocka_unit_test(packet_lengths_that_lie),
		cmocka_unit_test(option_lengths_that_lie),
		cmocka_unit_test(random_options_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
