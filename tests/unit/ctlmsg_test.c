/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nsctl's messages: there and back, every truncation, every changed bit, random octets. */
#include "ctlmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *words[] = { "drop", "joe", "", "a reason\x01", NULL };

static struct ctlmsg *
command(bool is_signed)
{
	static struct ctlmsg m;

	m = (struct ctlmsg){ .type = CTLMSG_COMMAND, .id = 0x0123456789abcdef, .argc = 4 };
	memcpy(m.argv, words, sizeof(words));
	m.is_signed = is_signed;
	memset(m.nonce, is_signed ? 7 : 0, sizeof(m.nonce));
	return &m;
}

static void
a_command_comes_back(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	struct ctlmsg m;
	bool is_signed;
	size_t len;
	int i;

	(void)state;
	for (is_signed = false;; is_signed = true) {
		len = ctlmsg_encode(command(is_signed), "secret", packet, sizeof(packet));
		assert_true(ctlmsg_decode(packet, len, &m));
		assert_int_equal(m.type, CTLMSG_COMMAND);
		assert_int_equal(m.id, 0x0123456789abcdef);
		assert_int_equal(m.is_signed, is_signed);
		assert_int_equal(m.argc, 4);
		for (i = 0; i < 4; i++)
			assert_string_equal(m.argv[i], words[i]);
		assert_null(m.argv[4]);
		if (is_signed)
			break;
	}
	assert_true(ctlmsg_verify(packet, len, "secret"));
	assert_false(ctlmsg_verify(packet, len, "Secret"));
	assert_false(ctlmsg_verify(packet, len, ""));
}

static void
nothing_is_verified_by_an_empty_secret(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	size_t len = ctlmsg_encode(command(true), "", packet, sizeof(packet));

	(void)state;
	assert_true(len > 0);
	assert_false(ctlmsg_verify(packet, len, ""));
}

static void
every_changed_bit_is_seen(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	size_t len = ctlmsg_encode(command(true), "secret", packet, sizeof(packet));
	struct ctlmsg m;
	size_t i;

	(void)state;
	for (i = 0; i < len * 8; i++) {
		packet[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ctlmsg_decode(packet, len, &m) && m.is_signed &&
			     ctlmsg_verify(packet, len, "secret"));
		packet[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void
only_the_whole_packet_is_a_message(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET + 1] = { 0 };
	struct ctlmsg hello = { .type = CTLMSG_HELLO, .id = 1 }, m;
	size_t len, i;

	(void)state;
	len = ctlmsg_encode(command(false), "", packet, sizeof(packet));
	for (i = 0; i < sizeof(packet); i++)
		assert_int_equal(ctlmsg_decode(packet, i, &m), i == len);
	len = ctlmsg_encode(&hello, "", packet, sizeof(packet));
	for (i = 0; i < sizeof(packet); i++)
		assert_int_equal(ctlmsg_decode(packet, i, &m), i == len);
}

static void
what_does_not_fit_is_not_written(void **state)
{
	static char big[CTLMSG_MAX_PACKET];
	uint8_t packet[CTLMSG_MAX_PACKET];
	struct ctlmsg *m = command(true);
	size_t len = ctlmsg_encode(m, "secret", packet, sizeof(packet)), i;

	(void)state;
	for (i = 0; i < len; i++)
		assert_int_equal(ctlmsg_encode(m, "secret", packet, i), 0);
	memset(big, 'x', sizeof(big) - 1);
	m->argv[1] = big;
	assert_int_equal(ctlmsg_encode(m, "secret", packet, sizeof(packet)), 0);
}

/* A message that is as it should be, but for one thing. */
static void
wrong_forms_are_refused(void **state)
{
	enum { ARGC = 32, LENGTH = 33, WORD = 35, STATUS = 32, PART = 33, PARTS = 34, TEXT = 35 };
	static const struct {
		bool reply;
		size_t at;
		uint8_t value;
	} changes[] = {
		{ false, 0, 'n' },	 /* magic */
		{ false, 4, 2 },	 /* version */
		{ false, 5, 0 },	 /* type */
		{ false, 5, 5 },	 /* type */
		{ false, 6, 1 },	 /* unknown flag */
		{ false, 7, 2 },	 /* unknown flag */
		{ false, 7, 1 },	 /* signed, without */
		{ false, 31, 1 },	 /* a nonce, unsigned */
		{ false, ARGC, 0 },	 /* no word */
		{ false, ARGC, 3 },	 /* octets left over */
		{ false, ARGC, 5 },	 /* words missing */
		{ false, ARGC, 33 },	 /* too many words */
		{ false, LENGTH, 0xff }, /* a word longer than all */
		{ false, WORD + 2, 0 },	 /* a NUL in a word */
		{ true, STATUS, 2 },	 /* status */
		{ true, PART, 1 },	 /* part of parts */
		{ true, PARTS, 0 },	 /* no part */
		{ true, PARTS, 17 },	 /* too many */
		{ true, TEXT, 0xff },	 /* text longer than all */
		{ true, TEXT + 1, 2 },	 /* octets left over */
	};
	struct ctlmsg reply = { .type = CTLMSG_REPLY, .id = 1 }, m;
	uint8_t packet[CTLMSG_MAX_PACKET];
	size_t i, len;

	(void)state;
	ctlmsg_set_part(&reply, "text", 4, 0);
	for (i = 0; i < ARRAY_LEN(changes); i++) {
		len = ctlmsg_encode(
		    changes[i].reply ? &reply : command(false), "", packet, sizeof(packet));
		assert_true(ctlmsg_decode(packet, len, &m));
		packet[changes[i].at] = changes[i].value;
		assert_false(ctlmsg_decode(packet, len, &m));
	}
}

static void
the_first_word_is_not_empty(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	struct ctlmsg *m = command(false), back;
	size_t len;

	(void)state;
	m->argv[0] = m->argv[2];
	len = ctlmsg_encode(m, "", packet, sizeof(packet));
	assert_true(len > 0);
	assert_false(ctlmsg_decode(packet, len, &back));
}

/* Texts of all lengths round the borders of parts. */
static void
parts_make_the_text(void **state)
{
	static char text[CTLMSG_MAX_TEXT], back[CTLMSG_MAX_TEXT];
	static const size_t lengths[] = { 0, 1, CTLMSG_PART_TEXT - 1, CTLMSG_PART_TEXT,
		CTLMSG_PART_TEXT + 1, 3 * CTLMSG_PART_TEXT, CTLMSG_MAX_TEXT };
	struct ctlmsg m = { .type = CTLMSG_REPLY }, got;
	uint8_t packet[CTLMSG_MAX_PACKET];
	unsigned int part;
	size_t i, at, len;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		for (part = 0, at = 0; part < ctlmsg_parts(lengths[i]); part++) {
			ctlmsg_set_part(&m, text, lengths[i], part);
			len = ctlmsg_encode(&m, "", packet, sizeof(packet));
			assert_true(ctlmsg_decode(packet, len, &got));
			assert_int_equal(got.part, part);
			memcpy(back + at, got.text, got.text_len);
			at += got.text_len;
		}
		assert_int_equal(at, lengths[i]);
		assert_memory_equal(back, text, at);
	}
}

/* Whatever was taken is written again as the same octets. */
static void
random_octets(void **state)
{
	uint8_t packet[CTLMSG_MAX_PACKET], again[CTLMSG_MAX_PACKET];
	struct ctlmsg m;
	unsigned int round, taken = 0;
	size_t len, i;

	(void)state;
	srandom(1);
	for (round = 0; round < 200000; round++) {
		len = ctlmsg_encode(command(false), "", packet, sizeof(packet));
		for (i = 0; i < 1 + round % 3; i++)
			packet[(size_t)random() % len] = (uint8_t)random();
		if (!ctlmsg_decode(packet, len, &m))
			continue;
		taken++;
		assert_int_equal(ctlmsg_encode(&m, "", again, sizeof(again)), len);
		assert_memory_equal(packet, again, len);
	}
	assert_in_range(taken, 1000, 199000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_comes_back),
		cmocka_unit_test(nothing_is_verified_by_an_empty_secret),
		cmocka_unit_test(every_changed_bit_is_seen),
		cmocka_unit_test(only_the_whole_packet_is_a_message),
		cmocka_unit_test(what_does_not_fit_is_not_written),
		cmocka_unit_test(wrong_forms_are_refused),
		cmocka_unit_test(the_first_word_is_not_empty),
		cmocka_unit_test(parts_make_the_text),
		cmocka_unit_test(random_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
