/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of packets: passwords are blank in them, everything else is there. */
#include "dump.h"
#include "avp.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t dumped[16384]; /* the octets, taken out of the log lines */
static size_t n_dumped;
static uint8_t packet[PKT_SIZE];
static struct wr w;

static void
sink(int level, const char *line, size_t len)
{
	const char *p = strstr(line, "00/00   ");
	unsigned int octet;
	int used;

	(void)len;
	assert_int_equal(level, LOG_PACKET);
	if (!p)
		return; /* the title */
	p = strchr(p, ':') + 1;
	for (; sscanf(p, " %2x%n", &octet, &used) == 1; p += used)
		dumped[n_dumped++] = (uint8_t)octet;
}

static void
dump(void)
{
	struct pkt pkt = { .data = packet, .len = (uint16_t)wr_len(&w) };
	struct rd payload = rd_init(packet, pkt.len);
	struct l2tp_hdr h;
	enum l2tp_hdr_result r = l2tp_hdr_decode(&payload, &h);

	n_dumped = 0;
	dump_from_lac(&pkt, &h, payload, r);
	assert_int_equal(n_dumped, wr_len(&w));
}

static bool
is_in(const char *what)
{
	return memmem(dumped, n_dumped, what, strlen(what)) != NULL;
}

static void
begin(uint16_t flags)
{
	w = wr_init(packet, sizeof(packet));
	wr_u16(&w, flags | L2TP_VERSION);
	if (flags & L2TP_FLAG_LENGTH)
		wr_u16(&w, 0);
	wr_u16(&w, 1);
	wr_u16(&w, 2);
	if (flags & L2TP_FLAG_SEQUENCE)
		wr_u32(&w, 0);
}

static void
end(void)
{
	assert_false(w.bad);
	if (packet[0] << 8 & L2TP_FLAG_LENGTH)
		wr_patch_u16(&w, 2, (uint16_t)wr_len(&w));
}

static void
frame(const char *bytes, size_t n)
{
	wr_bytes(&w, bytes, n);
	end();
	dump();
}

#define FRAME(bytes) frame(bytes, sizeof(bytes) - 1)

static void
pap(void **state)
{
	(void)state;
	begin(0);
	FRAME("\xc0\x23\x01\x07\0\x0e\x03joe\x06Secret");
	assert_false(is_in("Secret"));
	assert_memory_equal(dumped, packet, 6 + 2 + 4);
	begin(L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE);
	FRAME("\xff\x03\xc0\x23\x01\x07\0\x0e\x03joe\x06Secret");
	assert_false(is_in("Secret"));
	begin(0);
	FRAME("\xc0\x23\x01\x07\0\xff\x03joe\xf0Secret"); /* lengths that lie */
	assert_false(is_in("Secret"));
	begin(0);
	FRAME("\xc0\x23\x01");
	assert_memory_equal(dumped, packet, n_dumped);
}

static void
other_frames(void **state)
{
	static const char *const frames[] = { "!Secret", "\xff\x03\xc0\x21Secret", "\xc2\x23Secret",
		"", "\xff" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(frames); i++) {
		begin(0);
		frame(frames[i], strlen(frames[i]));
		assert_memory_equal(dumped, packet, n_dumped);
	}
}

enum { CONTROL = L2TP_FLAG_TYPE | L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE };

static void
proxy_response(void **state)
{
	size_t behind;

	(void)state;
	begin(CONTROL);
	avp_put_u16(&w, AVP_MANDATORY, AVP_MESSAGE_TYPE, CTL_ICCN);
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_NAME, "joe");
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_RESPONSE, "Secret");
	behind = wr_len(&w);
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_RESPONSE, "Secret again");
	avp_put_str(&w, 0, AVP_CALLING_NUMBER, "0733");
	end();
	dump();
	assert_false(is_in("Secret"));
	assert_true(is_in("joe"));
	assert_true(is_in("0733"));
	assert_memory_equal(dumped, packet, behind - 6);
	assert_memory_equal(dumped + behind - 6, "******", 6);
}

static void
avps_that_make_no_sense(void **state)
{
	(void)state;
	begin(CONTROL);
	avp_put_u16(&w, AVP_MANDATORY, AVP_MESSAGE_TYPE, CTL_ICCN);
	wr_u16(&w, 3); /* shorter than its header */
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_RESPONSE, "Secret");
	end();
	dump();
	assert_false(is_in("Secret"));
	assert_memory_equal(dumped, packet, 12 + 8);
	begin(CONTROL);
	wr_u16(&w, 1000); /* longer than the message */
	wr_u32(&w, AVP_PROXY_AUTHEN_RESPONSE);
	wr_bytes(&w, "Secret", 6);
	end();
	dump();
	assert_false(is_in("Secret"));
}

static void
headers_that_make_no_sense(void **state)
{
	(void)state;
	begin(0);
	packet[1] = 1;
	FRAME("\xff\x03\xc0\x23\x01\x07\0\x0e\x03joe\x06Secret");
	assert_false(is_in("Secret"));
	assert_memory_equal(dumped, packet, 12);
	w = wr_init(packet, sizeof(packet));
	wr_u8(&w, 0);
	dump();
	assert_memory_equal(dumped, packet, 1);
}

/* Whatever it is made of: as long as it came, and no octet but itself or a blank. */
static void
random_packets(void **state)
{
	size_t i, n;
	int round;

	(void)state;
	srand(10);
	for (round = 0; round < 3000; round++) {
		n = (size_t)rand() % 80;
		begin(round & 1 ? CONTROL : (uint16_t)(rand() & 0xff00));
		for (i = 0; i < n; i++)
			wr_u8(&w, (uint8_t)(rand() % 3 ? rand() % 8 : rand()));
		if (round & 1)
			end();
		dump();
		for (i = 0; i < n_dumped; i++)
			assert_true(dumped[i] == packet[i] || dumped[i] == '*');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pap),
		cmocka_unit_test(other_frames),
		cmocka_unit_test(proxy_response),
		cmocka_unit_test(avps_that_make_no_sense),
		cmocka_unit_test(headers_that_make_no_sense),
		cmocka_unit_test(random_packets),
	};

	log_set_level(-1);
	log_set_sink(sink, LOG_PACKET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
