/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The L2TP header: every combination of flags, every truncation, and lengths that lie. */
#include "l2tp_hdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t payload[] = { 0xff, 0x03, 0xc0, 0x21, 1, 2 };

/* A packet as its flags say, with an offset pad of 3 where there is one. */
static size_t
build(uint8_t *buf, size_t size, uint16_t flags)
{
	struct wr w = wr_init(buf, size);
	size_t mark = 0;

	wr_u16(&w, flags);
	if (flags & L2TP_FLAG_LENGTH)
		mark = wr_mark(&w);
	wr_u16(&w, 0x1122);
	wr_u16(&w, 0x3344);
	if (flags & L2TP_FLAG_SEQUENCE) {
		wr_u16(&w, 0x5566);
		wr_u16(&w, 0x7788);
	}
	if (flags & L2TP_FLAG_OFFSET) {
		wr_u16(&w, 3);
		wr_bytes(&w, "pad", 3);
	}
	wr_bytes(&w, payload, sizeof(payload));
	if (flags & L2TP_FLAG_LENGTH)
		wr_patch_len(&w, mark, 2);
	return wr_len(&w);
}

static bool
is_allowed(uint16_t flags)
{
	return !(flags & L2TP_FLAG_TYPE) ||
	       (flags & L2TP_FLAG_LENGTH && flags & L2TP_FLAG_SEQUENCE &&
		   !(flags & L2TP_FLAG_OFFSET));
}

static void
check_payload(struct rd r)
{
	assert_int_equal(rd_left(&r), sizeof(payload));
	assert_memory_equal(r.pos, payload, sizeof(payload));
}

static void
all_flags(void **state)
{
	uint8_t buf[64];
	struct l2tp_hdr h;
	struct rd r;
	uint32_t high;
	uint16_t flags;

	(void)state;
	for (high = 0; high < 0x1000; high++) { /* reserved bits too: ignored, RFC 2661 3.1 */
		flags = (uint16_t)(high << 4 | L2TP_VERSION);
		r = rd_init(buf, build(buf, sizeof(buf), flags));
		if (!is_allowed(flags)) {
			assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_BAD);
			continue;
		}
		assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
		assert_int_equal(h.flags, flags);
		assert_int_equal(h.wire_tid, 0x1122);
		assert_int_equal(h.wire_sid, 0x3344);
		assert_int_equal(h.ns, flags & L2TP_FLAG_SEQUENCE ? 0x5566 : 0);
		assert_int_equal(h.nr, flags & L2TP_FLAG_SEQUENCE ? 0x7788 : 0);
		check_payload(r);
	}
}

static void
versions(void **state)
{
	uint8_t buf[64];
	struct l2tp_hdr h;
	struct rd r;
	uint16_t version;

	(void)state;
	for (version = 0; version < 16; version++) {
		if (version == L2TP_VERSION)
			continue;
		r = rd_init(buf, build(buf, sizeof(buf), version | L2TP_FLAG_LENGTH));
		assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_VERSION);
	}
}

/* Without its length field a header is short; with it, the length lies. */
static void
truncations(void **state)
{
	static const uint16_t kinds[] = { 0, L2TP_FLAG_LENGTH, L2TP_FLAG_SEQUENCE,
		L2TP_FLAG_OFFSET | L2TP_FLAG_SEQUENCE,
		L2TP_FLAG_TYPE | L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE };
	uint8_t buf[64], *exact;
	struct l2tp_hdr h;
	struct rd r;
	size_t i, len, full;
	enum l2tp_hdr_result result;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		full = build(buf, sizeof(buf), kinds[i] | L2TP_VERSION);
		for (len = 0; len < full; len++) {
			exact = malloc(len ? len : 1);
			memcpy(exact, buf, len);
			r = rd_init(exact, len);
			result = l2tp_hdr_decode(&r, &h);
			if (kinds[i] & L2TP_FLAG_LENGTH)
				assert_int_equal(result, len < 4 ? L2TP_HDR_SHORT : L2TP_HDR_BAD);
			else
				assert_int_equal(result,
				    len < full - sizeof(payload) ? L2TP_HDR_SHORT : L2TP_HDR_OK);
			free(exact);
		}
	}
}

static void
what_lies_behind_the_length_is_cut(void **state)
{
	uint8_t buf[64] = { 0 };
	struct l2tp_hdr h;
	struct rd r;

	(void)state;
	build(buf, sizeof(buf), L2TP_FLAG_LENGTH | L2TP_VERSION);
	r = rd_init(buf, sizeof(buf));
	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
	check_payload(r);
}

static void
lengths_that_lie(void **state)
{
	uint8_t buf[64];
	struct l2tp_hdr h;
	struct rd r;
	uint32_t len;
	size_t full = build(buf, sizeof(buf), L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE | L2TP_VERSION);
	enum l2tp_hdr_result result;

	(void)state;
	for (len = 0; len <= UINT16_MAX; len++) {
		buf[2] = (uint8_t)(len >> 8);
		buf[3] = (uint8_t)len;
		r = rd_init(buf, full);
		result = l2tp_hdr_decode(&r, &h);
		if (len > full || len < 4)
			assert_int_equal(result, L2TP_HDR_BAD);
		else
			assert_int_equal(
			    result, len < L2TP_CONTROL_HEADER ? L2TP_HDR_SHORT : L2TP_HDR_OK);
	}
}

static void
offset_beyond_the_end(void **state)
{
	const uint8_t packet[] = { 0x02, 0x02, 0, 1, 0, 2, 0, 3, 0, 0 };
	struct rd r = rd_init(packet, sizeof(packet));
	struct l2tp_hdr h;

	(void)state;
	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_SHORT);
	assert_int_equal(rd_left(&r), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_flags),
		cmocka_unit_test(versions),
		cmocka_unit_test(truncations),
		cmocka_unit_test(what_lies_behind_the_length_is_cut),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(offset_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
