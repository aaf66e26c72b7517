/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursors: what was written is read back, and nothing is touched behind the end. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEPS = 40 };

enum op { OP_U8, OP_U16, OP_U32, OP_U64, OP_BE32, OP_BYTES, OPS };

struct step {
	enum op op;
	uint64_t value;
	uint8_t bytes[16];
	size_t len;
};

static uint64_t
random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void
choose(struct step *s)
{
	static const uint64_t masks[OPS] = { 0xff, 0xffff, 0xffffffff, UINT64_MAX, 0xffffffff, 0 };
	size_t i;

	s->op = (enum op)(random() % OPS);
	s->value = random_u64() & masks[s->op];
	s->len = (size_t)random() % (sizeof(s->bytes) + 1);
	for (i = 0; i < sizeof(s->bytes); i++)
		s->bytes[i] = (uint8_t)random();
}

static void
write_step(struct wr *w, const struct step *s)
{
	switch (s->op) {
	case OP_U8:
		wr_u8(w, (uint8_t)s->value);
		break;
	case OP_U16:
		wr_u16(w, (uint16_t)s->value);
		break;
	case OP_U32:
		wr_u32(w, (uint32_t)s->value);
		break;
	case OP_U64:
		wr_u64(w, s->value);
		break;
	case OP_BE32:
		wr_be32(w, (uint32_t)s->value);
		break;
	default:
		wr_bytes(w, s->bytes, s->len);
	}
}

/* True when the step's value stood there. */
static bool
read_step(struct rd *r, const struct step *s)
{
	uint8_t copy[sizeof(s->bytes)];

	switch (s->op) {
	case OP_U8:
		return rd_u8(r) == s->value;
	case OP_U16:
		return rd_u16(r) == s->value;
	case OP_U32:
		return rd_u32(r) == s->value;
	case OP_U64:
		return rd_u64(r) == s->value;
	case OP_BE32:
		return rd_be32(r) == s->value;
	default:
		rd_copy(r, copy, s->len);
		return memcmp(copy, s->bytes, s->len) == 0;
	}
}

static void
reads_back_what_was_written(void **state)
{
	struct step steps[STEPS];
	uint8_t buf[16 * STEPS];
	struct wr w;
	struct rd r;
	size_t round, i;

	(void)state;
	srandom(1);
	for (round = 0; round < 2000; round++) {
		w = wr_init(buf, sizeof(buf));
		for (i = 0; i < STEPS; i++) {
			choose(&steps[i]);
			write_step(&w, &steps[i]);
		}
		assert_false(w.bad);
		r = rd_init(buf, wr_len(&w));
		for (i = 0; i < STEPS; i++)
			assert_true(read_step(&r, &steps[i]));
		assert_false(r.bad);
		assert_int_equal(rd_left(&r), 0);
	}
}

/* Every truncation, in memory that ends where the data ends. */
static void
short_data_is_bad_for_good(void **state)
{
	struct step steps[STEPS];
	uint8_t buf[16 * STEPS], *exact;
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd r;
	size_t i, len;

	(void)state;
	srandom(2);
	for (i = 0; i < STEPS; i++) {
		choose(&steps[i]);
		steps[i].len = steps[i].len ? steps[i].len : 1;
		write_step(&w, &steps[i]);
	}
	for (len = 0; len < wr_len(&w); len++) {
		exact = malloc(len ? len : 1);
		memcpy(exact, buf, len);
		r = rd_init(exact, len);
		for (i = 0; i < STEPS; i++)
			(void)read_step(&r, &steps[i]);
		assert_true(r.bad);
		assert_int_equal(rd_left(&r), 0);
		assert_int_equal(rd_u8(&r) | rd_u16(&r) | rd_u32(&r) | rd_be32(&r) | rd_u64(&r), 0);
		free(exact);
	}
}

static void
bad_leaves_the_place(void **state)
{
	const uint8_t data[] = { 1, 2, 3 };
	struct rd r = rd_init(data, sizeof(data));

	(void)state;
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u32(&r), 0);
	assert_true(r.bad);
	assert_ptr_equal(r.pos, data + 1);
	assert_int_equal(rd_u8(&r), 0); /* though there would be one */
}

static void
lengths_beyond_all_bounds(void **state)
{
	uint8_t data[8] = { 0 };
	struct rd r = rd_init(data, sizeof(data));
	struct wr w = wr_init(data, sizeof(data));

	(void)state;
	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
	assert_null(wr_space(&w, SIZE_MAX));
	assert_true(w.bad);
	assert_int_equal(wr_len(&w), 0);
}

static void
sub_cursor_keeps_inside(void **state)
{
	const uint8_t data[] = { 1, 2, 3, 4, 5 };
	struct rd r = rd_init(data, sizeof(data)), sub;

	(void)state;
	sub = rd_sub(&r, 2);
	assert_int_equal(rd_u16(&sub), 0x0102);
	assert_int_equal(rd_u8(&sub), 0);
	assert_true(sub.bad);
	assert_int_equal(rd_u8(&r), 3); /* the outer one is behind it, and well */
	sub = rd_sub(&r, 0);
	assert_false(sub.bad);
	assert_int_equal(rd_left(&sub), 0);
	sub = rd_sub(&r, 3);
	assert_true(sub.bad);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&sub), 0);
}

static void
short_copy_is_zeroes(void **state)
{
	const uint8_t data[] = { 1, 2 };
	uint8_t to[4] = { 9, 9, 9, 9 };
	const uint8_t none[4] = { 0 };
	struct rd r = rd_init(data, sizeof(data));

	(void)state;
	rd_copy(&r, to, sizeof(to));
	assert_memory_equal(to, none, sizeof(to));
	assert_true(r.bad);
}

static void
overflow_stays_inside(void **state)
{
	uint8_t buf[8];
	struct wr w = wr_init(buf, 4);
	size_t mark;

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	mark = wr_mark(&w);
	wr_u32(&w, 1);
	assert_true(w.bad);
	wr_u8(&w, 1); /* would fit */
	wr_patch_u16(&w, mark, 0x1234);
	assert_int_equal(wr_len(&w), 0);
	assert_int_equal(buf[0] | buf[1], 0); /* of the mark */
	assert_int_equal(buf[4], 0xee);
}

static void
mark_takes_the_length(void **state)
{
	const uint8_t want[] = { 7, 0, 6, 1, 2, 3, 4 };
	uint8_t buf[16];
	struct wr w = wr_init(buf, sizeof(buf));
	size_t mark;

	(void)state;
	wr_u8(&w, 7);
	mark = wr_mark(&w);
	wr_u32(&w, 0x01020304);
	wr_patch_len(&w, mark, 0);
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	wr_patch_len(&w, mark, 1);
	assert_int_equal(buf[2], 7);
}

static void
numbers_are_big_endian(void **state)
{
	const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t buf[8];
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd r = rd_init(buf, sizeof(buf));
	uint32_t word;

	(void)state;
	wr_u64(&w, UINT64_C(0x0102030405060708));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(rd_u16(&r), 0x0102);
	rd_skip(&r, 2);
	memcpy(&word, want + 4, sizeof(word));
	assert_int_equal(rd_be32(&r), word);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_was_written),
		cmocka_unit_test(short_data_is_bad_for_good),
		cmocka_unit_test(bad_leaves_the_place),
		cmocka_unit_test(lengths_beyond_all_bounds),
		cmocka_unit_test(sub_cursor_keeps_inside),
		cmocka_unit_test(short_copy_is_zeroes),
		cmocka_unit_test(overflow_stays_inside),
		cmocka_unit_test(mark_takes_the_length),
		cmocka_unit_test(numbers_are_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
