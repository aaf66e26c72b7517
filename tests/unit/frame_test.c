/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbered data packets: what is late is dropped, and who has missed half the numbers, as a
 * member of a cluster may, finds in again.
 */
#include "config.h"
#include "counter.h"
#include "cpopt.h"
#include "frame.h"
#include "hook.h"
#include "l2tp_hdr.h"
#include "loop.h"
#include "session.h"
#include "tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NUMBERS = 65536 };

static sess_id s;
static uint16_t expected; /* by the LAC, as the next number */
static unsigned int accepted, discards;

uint32_t
loop_now_ds(void)
{
	return 0;
}

time_t
loop_time(void)
{
	return 0;
}

uint16_t
config_mru(void)
{
	return 1462;
}

/* As a LAC does, RFC 2661 5.4: what is behind the number it expects is late. */
static void
lac_hears(const void *data, size_t len)
{
	struct rd r = rd_init(data, len);
	struct l2tp_hdr h;

	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
	assert_true(h.flags & L2TP_FLAG_SEQUENCE);
	if ((int16_t)(h.ns - expected) < 0)
		return;
	expected = (uint16_t)(h.ns + 1);
	accepted++;
	rd_skip(&r, 2);
	discards += rd_u16(&r) == PPP_LCP && rd_u8(&r) == 11;
}

void
udp_send(uint8_t local, uint32_t ip, uint16_t port, const void *data, size_t len)
{
	(void)local;
	(void)ip;
	(void)port;
	lac_hears(data, len);
}

void
udp_send_in_place(uint8_t local, uint32_t ip, uint16_t port_be, void *data, size_t len)
{
	(void)local;
	(void)ip;
	(void)port_be;
	(void)data;
	(void)len;
}

void
hook_frame(sess_id id, struct rd frame)
{
	(void)id;
	(void)frame;
}

static int
fresh(void **state)
{
	(void)state;
	frame_session(s, SESS_EV_GONE);
	return 0;
}

static void
late_ones_are_dropped(void **state)
{
	(void)state;
	assert_true(frame_in_sequence(s, 65534));
	assert_true(frame_in_sequence(s, 65535));
	assert_true(frame_in_sequence(s, 1)); /* 0 is lost or late */
	assert_false(frame_in_sequence(s, 0));
	assert_false(frame_in_sequence(s, 1));
	assert_true(frame_in_sequence(s, 2));
}

/* A run of late packets as a short detour makes it. */
static void
some_late_ones_in_a_row(void **state)
{
	uint16_t i;

	(void)state;
	assert_true(frame_in_sequence(s, 100));
	for (i = 80; i < 100; i++)
		assert_false(frame_in_sequence(s, i));
	assert_true(frame_in_sequence(s, 101));
	for (i = 70; i < 90; i++)
		assert_false(frame_in_sequence(s, i));
}

/* 40,000 went by another member: what comes now looks late, and is not. */
static void
half_the_numbers_missed(void **state)
{
	uint16_t ns = (uint16_t)(100 + 40000);
	unsigned int lost = 0, i;

	(void)state;
	assert_true(frame_in_sequence(s, 100));
	for (i = 0; i < 1000; i++)
		lost += !frame_in_sequence(s, ns++);
	assert_in_range(lost, 1, 40);
}

/* Wherever the master before had come to, and wherever we had when we were it. */
static void
a_new_masters_numbers_are_taken(void **state)
{
	static const uint8_t ip[20];
	unsigned int e;

	(void)state;
	session_set_sequencing(s, true);
	session_forwarding(s, true);
	for (e = 0; e < NUMBERS; e++) {
		expected = (uint16_t)e;
		frame_member.adopt(s);
		accepted = 0;
		frame_send(s, PPP_IP, ip, sizeof(ip));
		frame_send(s, PPP_IP, ip, sizeof(ip));
		assert_int_equal(accepted, 2);
		if (e % 7 == 0)
			frame_member.remove(s);
	}
	assert_true(discards >= NUMBERS); /* one or both each time, but for those just behind */
}

/* Who wants no numbers hears nothing. */
static void
no_numbers_no_word(void **state)
{
	(void)state;
	session_set_sequencing(s, false);
	session_forwarding(s, true);
	accepted = 0;
	frame_member.adopt(s);
	assert_int_equal(accepted, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(late_ones_are_dropped, fresh),
		cmocka_unit_test_setup(some_late_ones_in_a_row, fresh),
		cmocka_unit_test_setup(half_the_numbers_missed, fresh),
		cmocka_unit_test_setup(a_new_masters_numbers_are_taken, fresh),
		cmocka_unit_test_setup(no_numbers_no_word, fresh),
	};

	tunnel_init(10);
	session_init(10);
	frame_init();
	s = session_new(tunnel_new(1, 1701, 1, 0), 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
