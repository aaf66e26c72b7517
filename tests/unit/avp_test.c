/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages: every attribute there and back, what RFC 2661 4.1 and 7.1 refuse
 * and forgive, hiding against sums made by hand, and messages cut and bent at random.
 */
#include "avp.h"
#include "l2tp_hdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECRET "a secret"
static const char vector[] = "0123456789:;<=>?"; /* 16 octets, 0x30 to 0x3f */

static uint8_t buf[8192];
static struct wr w;
static struct ctl_msg m;

static void
begin(uint16_t type)
{
	w = wr_init(buf, sizeof(buf));
	ctl_begin(&w, type);
}

/* The message's AVPs, behind the control header. */
static struct rd
avps(void)
{
	size_t len = ctl_end(&w, 1, 2);

	assert_true(len >= L2TP_CONTROL_HEADER);
	return rd_init(buf + L2TP_CONTROL_HEADER, len - L2TP_CONTROL_HEADER);
}

static enum ctl_result
decode(void)
{
	return ctl_decode(avps(), SECRET, &m);
}

static void
put_raw(uint16_t word, uint16_t vendor, uint16_t type, const void *val, size_t len)
{
	wr_u16(&w, word);
	wr_u16(&w, vendor);
	wr_u16(&w, type);
	wr_bytes(&w, val, len);
}

static void
assert_val(const struct avp_val *v, const char *want)
{
	assert_int_equal(v->len, strlen(want));
	assert_memory_equal(v->p, want, v->len);
}

/* --- there and back --- */

static void
control_connection_messages(void **state)
{
	(void)state;
	begin(CTL_SCCRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_PROTOCOL_VERSION, 0x0100);
	avp_put_u32(&w, AVP_MANDATORY, AVP_FRAMING_CAPABILITIES, 3);
	avp_put_u32(&w, AVP_MANDATORY, AVP_BEARER_CAPABILITIES, 1);
	avp_put(&w, 0, AVP_TIE_BREAKER, "\1\2\3\4\5\6\7\10", 8);
	avp_put_u16(&w, 0, AVP_FIRMWARE_REVISION, 0x0690);
	avp_put_str(&w, AVP_MANDATORY, AVP_HOST_NAME, "lac.example.net");
	avp_put_str(&w, 0, AVP_VENDOR_NAME, "");
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, 4711);
	avp_put_u16(&w, AVP_MANDATORY, AVP_RECEIVE_WINDOW_SIZE, 8);
	avp_put_str(&w, AVP_MANDATORY, AVP_CHALLENGE, "who?");
	avp_put(&w, AVP_MANDATORY, AVP_CHALLENGE_RESPONSE, vector, 16);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.type, CTL_SCCRQ);
	assert_true(m.type_mandatory);
	assert_int_equal(m.protocol_version, 0x0100);
	assert_int_equal(m.framing_capabilities, 3);
	assert_int_equal(m.bearer_capabilities, 1);
	assert_true(m.tie_breaker == UINT64_C(0x0102030405060708));
	assert_int_equal(m.firmware, 0x0690);
	assert_val(&m.host_name, "lac.example.net");
	assert_val(&m.vendor_name, "");
	assert_true(CTL_HAS(&m, AVP_VENDOR_NAME));
	assert_int_equal(m.assigned_tid, 4711);
	assert_int_equal(m.window, 8);
	assert_val(&m.challenge, "who?");
	assert_val(&m.challenge_response, vector);
	assert_false(CTL_HAS(&m, AVP_ASSIGNED_SESSION_ID));
}

static void
call_requests(void **state)
{
	(void)state;
	begin(CTL_ICRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 99);
	avp_put_u32(&w, AVP_MANDATORY, AVP_CALL_SERIAL_NUMBER, 0x80000001);
	avp_put_u32(&w, AVP_MANDATORY, AVP_MINIMUM_BPS, 1000);
	avp_put_u32(&w, AVP_MANDATORY, AVP_MAXIMUM_BPS, 2000);
	avp_put_u32(&w, AVP_MANDATORY, AVP_BEARER_TYPE, 2);
	avp_put_u32(&w, AVP_MANDATORY, AVP_FRAMING_TYPE, 1);
	avp_put_str(&w, AVP_MANDATORY, AVP_CALLED_NUMBER, "0800123");
	avp_put_str(&w, AVP_MANDATORY, AVP_CALLING_NUMBER, "0301234");
	avp_put_str(&w, AVP_MANDATORY, AVP_SUB_ADDRESS, "sub");
	avp_put_u32(&w, 0, AVP_PHYSICAL_CHANNEL_ID, 0xfffffffe);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.assigned_sid, 99);
	assert_int_equal(m.call_serial, 0x80000001);
	assert_int_equal(m.minimum_bps, 1000);
	assert_int_equal(m.maximum_bps, 2000);
	assert_int_equal(m.bearer_type, 2);
	assert_int_equal(m.framing_type, 1);
	assert_val(&m.called, "0800123");
	assert_val(&m.calling, "0301234");
	assert_val(&m.sub_address, "sub");
	assert_int_equal(m.physical_channel, 0xfffffffe);
}

static void
connected_call(void **state)
{
	(void)state;
	begin(CTL_ICCN);
	avp_put_u32(&w, AVP_MANDATORY, AVP_TX_CONNECT_SPEED, 100000000);
	avp_put_u32(&w, 0, AVP_RX_CONNECT_SPEED, 40000000);
	avp_put(&w, 0, AVP_INITIAL_RECEIVED_LCP, "\1\4\5\324", 4);
	avp_put(&w, 0, AVP_LAST_SENT_LCP, "\5\6abcd", 6);
	avp_put(&w, 0, AVP_LAST_RECEIVED_LCP, "\1\4\5\322", 4);
	avp_put_u16(&w, 0, AVP_PROXY_AUTHEN_TYPE, 2);
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_NAME, "user@example.net");
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_CHALLENGE, "chal");
	avp_put_u16(&w, 0, AVP_PROXY_AUTHEN_ID, 0xaa17); /* the first octet is reserved */
	avp_put_str(&w, 0, AVP_PROXY_AUTHEN_RESPONSE, "resp");
	avp_put_str(&w, 0, AVP_PRIVATE_GROUP_ID, "group");
	avp_put(&w, AVP_MANDATORY, AVP_SEQUENCING_REQUIRED, NULL, 0);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.tx_speed, 100000000);
	assert_int_equal(m.rx_speed, 40000000);
	assert_val(&m.initial_rx_lcp, "\1\4\5\324");
	assert_val(&m.last_tx_lcp, "\5\6abcd");
	assert_val(&m.last_rx_lcp, "\1\4\5\322");
	assert_int_equal(m.proxy_type, 2);
	assert_val(&m.proxy_name, "user@example.net");
	assert_val(&m.proxy_challenge, "chal");
	assert_int_equal(m.proxy_id, 0x17);
	assert_val(&m.proxy_response, "resp");
	assert_val(&m.private_group, "group");
	assert_true(CTL_HAS(&m, AVP_SEQUENCING_REQUIRED));
}

static void
errors_and_accm(void **state)
{
	static const uint8_t errors[26] = {
		[5] = 1, [9] = 2, [13] = 3, [17] = 4, [21] = 5, [25] = 6
	};
	size_t i;

	(void)state;
	begin(CTL_WEN);
	avp_put(&w, AVP_MANDATORY, AVP_CALL_ERRORS, errors, sizeof(errors));
	assert_int_equal(decode(), CTL_OK);
	for (i = 0; i < ARRAY_LEN(m.call_errors); i++)
		assert_int_equal(m.call_errors[i], i + 1);
	begin(CTL_SLI);
	avp_put(&w, AVP_MANDATORY, AVP_ACCM, "\0\0\0\12\0\0\377\377\377\377", 10);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.accm_send, 0x000a0000);
	assert_int_equal(m.accm_receive, 0xffffffff);
}

static void
result_codes(void **state)
{
	(void)state;
	begin(CTL_CDN);
	avp_put_result(&w, 3, 0, NULL);
	assert_int_equal(wr_len(&w), L2TP_CONTROL_HEADER + 8 + 8);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.result, 3);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.error_message.len, 0);
	begin(CTL_CDN);
	avp_put_result(&w, 2, L2TP_ERR_RESOURCES, NULL);
	avp_put_result(&w, 9, 9, NULL); /* the first counts */
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.result, 2);
	assert_int_equal(m.error, L2TP_ERR_RESOURCES);
	begin(CTL_STOPCCN);
	avp_put_result(&w, 1, 0, "bye");
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.error, 0);
	assert_val(&m.error_message, "bye");
	begin(CTL_STOPCCN);
	put_raw(AVP_MANDATORY | 9, 0, AVP_RESULT_CODE, "\0\1\0", 3); /* half an error code */
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.result, 1);
}

static void
causes(void **state)
{
	(void)state;
	begin(CTL_CDN);
	avp_put(&w, AVP_MANDATORY, AVP_CAUSE_CODE, "\0\20\177adv", 6);
	avp_put_disconnect(&w, 3, 0xc223, 1, "no such user");
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.cause_code, 16);
	assert_int_equal(m.cause_msg, 0x7f);
	assert_int_equal(m.disconnect_code, 3);
	assert_int_equal(m.disconnect_protocol, 0xc223);
	assert_int_equal(m.disconnect_direction, 1);
	assert_val(&m.disconnect_message, "no such user");
}

static void
longest_values(void **state)
{
	static char longest[2000];
	const size_t most = AVP_LENGTH - AVP_HEADER;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	begin(CTL_STOPCCN);
	avp_put_result(&w, 1, 2, longest); /* cut */
	avp_put_disconnect(&w, 1, 0, 0, longest);
	avp_put(&w, 0, AVP_HOST_NAME, longest, most);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.error_message.len, most - 4);
	assert_int_equal(m.disconnect_message.len, most - 5);
	assert_int_equal(m.host_name.len, most);
	avp_put(&w, 0, AVP_HOST_NAME, longest, most + 1);
	assert_int_equal(ctl_end(&w, 1, 1), 0);
}

static void
header_of_a_message(void **state)
{
	struct l2tp_hdr h;
	struct rd r;
	uint8_t small[10];

	(void)state;
	begin(CTL_ZLB);
	assert_int_equal(ctl_end(&w, 7, 0), L2TP_CONTROL_HEADER);
	ctl_set_sequence(buf, 0x0102, 0xfffe);
	r = rd_init(buf, L2TP_CONTROL_HEADER);
	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
	assert_int_equal(h.wire_tid, 7);
	assert_int_equal(h.ns, 0x0102);
	assert_int_equal(h.nr, 0xfffe);
	assert_int_equal(ctl_decode(r, "", &m), CTL_OK);
	assert_int_equal(m.type, CTL_ZLB);
	assert_true(m.have == 0);
	w = wr_init(small, sizeof(small));
	ctl_begin(&w, CTL_HELLO);
	assert_int_equal(ctl_end(&w, 1, 1), 0);
}

static void
names(void **state)
{
	uint16_t type;

	(void)state;
	assert_string_equal(ctl_type_name(CTL_SCCRQ), "SCCRQ");
	assert_string_equal(ctl_type_name(CTL_CSURQ), "CSURQ");
	assert_string_equal(ctl_type_name(5), "type 5");
	assert_string_equal(ctl_type_name(65535), "type 65535");
	assert_string_equal(avp_type_name(AVP_ASSIGNED_TUNNEL_ID), "Assigned-Tunnel-Id");
	assert_string_equal(avp_type_name(20), "AVP 20");
	assert_string_equal(avp_type_name(65535), "AVP 65535");
	for (type = 0; type < AVP_TYPES; type++)
		assert_non_null(avp_type_name(type));
	assert_int_equal(ctl_result_error(CTL_OK), L2TP_ERR_NONE);
	assert_int_equal(ctl_result_error(CTL_UNKNOWN_AVP), L2TP_ERR_UNKNOWN_AVP);
}

/* --- what is refused, what forgiven --- */

static void
message_type_comes_first(void **state)
{
	(void)state;
	begin(CTL_ZLB);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, 5);
	avp_put_u16(&w, AVP_MANDATORY, AVP_MESSAGE_TYPE, CTL_SCCRQ);
	assert_int_equal(decode(), CTL_MALFORMED);
	assert_int_equal(m.type, 0);
	begin(CTL_ZLB);
	put_raw(AVP_MANDATORY | AVP_HIDDEN | 8, 0, AVP_MESSAGE_TYPE, "\0\1", 2);
	assert_int_equal(decode(), CTL_MALFORMED);
	begin(CTL_ZLB);
	put_raw(AVP_MANDATORY | 7, 0, AVP_MESSAGE_TYPE, "\1", 1);
	assert_int_equal(decode(), CTL_MALFORMED);
	begin(CTL_ZLB);
	put_raw(AVP_MANDATORY | 8, 9, AVP_MESSAGE_TYPE, "\0\1", 2);
	assert_int_equal(decode(), CTL_MALFORMED);
	begin(CTL_HELLO);
	avp_put_u16(&w, AVP_MANDATORY, AVP_MESSAGE_TYPE, CTL_SCCRQ);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.type, CTL_HELLO);
}

static void
unknown_message_type_is_told(void **state)
{
	(void)state;
	begin(CTL_ZLB);
	avp_put_u16(&w, 0, AVP_MESSAGE_TYPE, 1000);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.type, 1000);
	assert_false(m.type_mandatory);
	begin(CTL_ZLB);
	avp_put_u16(&w, AVP_MANDATORY, AVP_MESSAGE_TYPE, 0); /* reserved, and no ZLB */
	assert_int_equal(decode(), CTL_OK);
	assert_true(m.type_mandatory);
	assert_true(CTL_HAS(&m, AVP_MESSAGE_TYPE));
}

static void
unknown_avps_by_their_m_bit(void **state)
{
	(void)state;
	begin(CTL_HELLO);
	put_raw(8, 0, 20, "xx", 2);
	put_raw(8, 0, 1000, "xx", 2);
	put_raw(8, 9, AVP_HOST_NAME, "xx", 2);
	put_raw(AVP_HIDDEN | 8, 9, 1, "xx", 2);
	put_raw(AVP_RESERVED | 8, 0, AVP_HOST_NAME, "xx", 2);
	assert_int_equal(decode(), CTL_OK);
	assert_false(CTL_HAS(&m, AVP_HOST_NAME));
	put_raw(AVP_MANDATORY | 8, 9, 77, "xx", 2);
	put_raw(AVP_MANDATORY | 8, 0, 20, "xx", 2); /* the first is told of */
	assert_int_equal(decode(), CTL_UNKNOWN_AVP);
	assert_int_equal(m.bad_vendor, 9);
	assert_int_equal(m.bad_type, 77);
}

static void
reserved_bit_makes_an_avp_unknown(void **state)
{
	uint16_t bit;

	(void)state;
	for (bit = 0x0400; bit < AVP_HIDDEN; bit = (uint16_t)(bit << 1)) {
		begin(CTL_HELLO);
		put_raw(AVP_MANDATORY | bit | 8, 0, AVP_HOST_NAME, "xx", 2);
		assert_int_equal(decode(), CTL_UNKNOWN_AVP);
		assert_int_equal(m.bad_type, AVP_HOST_NAME);
	}
}

/* Each attribute of a fixed length, one octet too long and one too short. */
static void
wrong_lengths_by_the_m_bit(void **state)
{
	static const struct {
		uint16_t type, len;
	} fixed[] = {
		{ AVP_PROTOCOL_VERSION, 2 },
		{ AVP_FRAMING_CAPABILITIES, 4 },
		{ AVP_BEARER_CAPABILITIES, 4 },
		{ AVP_TIE_BREAKER, 8 },
		{ AVP_FIRMWARE_REVISION, 2 },
		{ AVP_ASSIGNED_TUNNEL_ID, 2 },
		{ AVP_RECEIVE_WINDOW_SIZE, 2 },
		{ AVP_CHALLENGE_RESPONSE, 16 },
		{ AVP_ASSIGNED_SESSION_ID, 2 },
		{ AVP_CALL_SERIAL_NUMBER, 4 },
		{ AVP_MINIMUM_BPS, 4 },
		{ AVP_MAXIMUM_BPS, 4 },
		{ AVP_BEARER_TYPE, 4 },
		{ AVP_FRAMING_TYPE, 4 },
		{ AVP_TX_CONNECT_SPEED, 4 },
		{ AVP_PHYSICAL_CHANNEL_ID, 4 },
		{ AVP_PROXY_AUTHEN_TYPE, 2 },
		{ AVP_PROXY_AUTHEN_ID, 2 },
		{ AVP_CALL_ERRORS, 26 },
		{ AVP_ACCM, 10 },
		{ AVP_RX_CONNECT_SPEED, 4 },
	};
	const uint8_t ones[32] = { 1, 1, 1, 1 };
	size_t i;
	int off;

	(void)state;
	for (i = 0; i < ARRAY_LEN(fixed); i++) {
		for (off = -1; off <= 1; off++) {
			size_t len = (size_t)(fixed[i].len + off);

			begin(CTL_HELLO);
			avp_put(&w, 0, fixed[i].type, ones, len);
			assert_int_equal(decode(), CTL_OK);
			assert_int_equal(CTL_HAS(&m, fixed[i].type), off == 0);
			avp_put(&w, AVP_MANDATORY, fixed[i].type, ones, len);
			assert_int_equal(decode(), off == 0 ? CTL_OK : CTL_BAD_VALUE);
			if (off)
				assert_int_equal(m.bad_type, fixed[i].type);
		}
	}
}

static void
least_lengths(void **state)
{
	static const struct {
		uint16_t type, least;
	} rows[] = { { AVP_RESULT_CODE, 2 }, { AVP_HOST_NAME, 1 }, { AVP_CHALLENGE, 1 },
		{ AVP_CAUSE_CODE, 3 }, { AVP_RANDOM_VECTOR, 1 }, { AVP_PPP_DISCONNECT_CAUSE, 5 } };
	const uint8_t zeroes[8] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		begin(CTL_HELLO);
		avp_put(&w, AVP_MANDATORY, rows[i].type, zeroes, rows[i].least);
		assert_int_equal(decode(), CTL_OK);
		avp_put(&w, AVP_MANDATORY, rows[i].type, zeroes, rows[i].least - 1U);
		assert_int_equal(
		    decode(), rows[i].type == AVP_RANDOM_VECTOR ? CTL_BAD_VALUE : CTL_OK);
		begin(CTL_HELLO);
		avp_put(&w, AVP_MANDATORY, rows[i].type, zeroes, rows[i].least - 1U);
		assert_int_equal(decode(), CTL_BAD_VALUE);
	}
}

static void
ids_of_zero(void **state)
{
	(void)state;
	begin(CTL_SCCRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, 0);
	assert_int_equal(decode(), CTL_BAD_VALUE);
	assert_int_equal(m.bad_type, AVP_ASSIGNED_TUNNEL_ID);
	begin(CTL_ICRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 0);
	assert_int_equal(decode(), CTL_BAD_VALUE);
	begin(CTL_CDN); /* from one that refuses before he has an id */
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 0);
	avp_put_result(&w, 4, 0, NULL);
	assert_int_equal(decode(), CTL_OK);
	assert_false(CTL_HAS(&m, AVP_ASSIGNED_SESSION_ID));
	assert_int_equal(m.result, 4);
}

static void
window_of_zero_is_one(void **state)
{
	(void)state;
	begin(CTL_HELLO);
	avp_put_u16(&w, AVP_MANDATORY, AVP_RECEIVE_WINDOW_SIZE, 0);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.window, 1);
}

static void
what_each_message_must_have(void **state)
{
	static const struct {
		uint16_t type, avp;
	} rows[] = {
		{ CTL_SCCRP, AVP_ASSIGNED_TUNNEL_ID },
		{ CTL_OCRQ, AVP_ASSIGNED_SESSION_ID },
		{ CTL_OCRP, AVP_ASSIGNED_SESSION_ID },
		{ CTL_ICRQ, AVP_ASSIGNED_SESSION_ID },
		{ CTL_ICRP, AVP_ASSIGNED_SESSION_ID },
		{ CTL_SCCCN, 0 },
		{ CTL_STOPCCN, 0 },
		{ CTL_HELLO, 0 },
		{ CTL_OCCN, 0 },
		{ CTL_ICCN, 0 },
		{ CTL_CDN, 0 },
		{ CTL_WEN, 0 },
		{ CTL_SLI, 0 },
		{ CTL_CSUN, 0 },
		{ CTL_CSURQ, 0 },
		{ 5, 0 },
		{ 40, 0 },
		{ 65535, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		begin(rows[i].type);
		assert_int_equal(decode(), rows[i].avp ? CTL_MISSING : CTL_OK);
		assert_int_equal(m.bad_type, rows[i].avp);
		if (rows[i].avp)
			avp_put_u16(&w, AVP_MANDATORY, rows[i].avp, 1);
		assert_int_equal(decode(), CTL_OK);
	}
}

static void
what_an_sccrq_must_have(void **state)
{
	(void)state;
	begin(CTL_SCCRQ);
	assert_int_equal(decode(), CTL_MISSING);
	avp_put_u32(&w, AVP_MANDATORY, AVP_FRAMING_CAPABILITIES, 3);
	avp_put_str(&w, AVP_MANDATORY, AVP_HOST_NAME, "lac");
	assert_int_equal(decode(), CTL_MISSING);
	assert_int_equal(m.bad_type, AVP_ASSIGNED_TUNNEL_ID);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, 1);
	assert_int_equal(decode(), CTL_OK);
}

static void
ids_are_known_behind_a_refusal(void **state)
{
	(void)state;
	begin(CTL_ICRQ);
	put_raw(AVP_MANDATORY | 6, 0, 20, NULL, 0);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 1234);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 5678);
	assert_int_equal(decode(), CTL_UNKNOWN_AVP);
	assert_int_equal(m.assigned_sid, 1234);
}

static void
access_line_avps_are_kept(void **state)
{
	unsigned int i;

	(void)state;
	begin(CTL_ICRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 1);
	put_raw(13, AVP_VENDOR_ADSL_FORUM, 1, "circuit", 7);
	for (i = 1; i < CTL_MAX_LINE_AVPS + 5; i++)
		put_raw(AVP_MANDATORY | 8, AVP_VENDOR_ADSL_FORUM, (uint16_t)(128 + i), "xy", 2);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.n_line, CTL_MAX_LINE_AVPS);
	assert_int_equal(m.line[0].type, 1);
	assert_val(&m.line[0].val, "circuit");
	assert_int_equal(m.line[CTL_MAX_LINE_AVPS - 1].type, 128 + CTL_MAX_LINE_AVPS - 1);
	assert_val(&m.line[1].val, "xy");
}

static void
speed_updates_are_listed(void **state)
{
	static const uint8_t update[12] = { 0, 0, 0x12, 0x34, 0, 1, 0, 0, 0, 2, 0, 0 };
	unsigned int i;

	(void)state;
	begin(CTL_CSUN);
	put_raw(17, 0, AVP_CONNECT_SPEED_UPDATE, update, 11);
	for (i = 0; i < 3; i++)
		put_raw(18, 0, AVP_CONNECT_SPEED_UPDATE, update, 12);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.n_speed, 3);
	assert_int_equal(m.speed[2].wire_sid, 0x1234);
	assert_int_equal(m.speed[2].tx, 65536);
	assert_int_equal(m.speed[2].rx, 131072);
	begin(CTL_CSUN);
	put_raw(AVP_MANDATORY | 17, 0, AVP_CONNECT_SPEED_UPDATE, update, 11);
	assert_int_equal(decode(), CTL_BAD_VALUE);
}

/* --- hiding --- */

static void
put_hidden(uint16_t flags, uint16_t type, const void *val, size_t len, size_t pad)
{
	avp_put_hidden(&w, flags, type, val, len, SECRET, vector, 16, pad);
}

/* The sums were made with another program; the value takes two blocks. */
static void
hidden_as_computed_by_hand(void **state)
{
	static const uint8_t want[] = { 0xc0, 0x1e, 0, 0, 0, 9, 0x25, 0xaf, 0x39, 0xa0, 0x7d, 0xde,
		0x32, 0xee, 0x40, 0xfb, 0x7d, 0x59, 0xb6, 0x6a, 0x41, 0xd5, 0x5e, 0xd9, 0x6f, 0xd9,
		0x14, 0x35, 0x5b, 0x05 };

	(void)state;
	w = wr_init(buf, sizeof(buf));
	put_hidden(AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, "\x12\x34", 2, 20);
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void
hidden_values_come_back(void **state)
{
	char text[900];
	size_t len, pad;

	(void)state;
	memset(text, 'h', sizeof(text));
	for (len = 1; len < sizeof(text); len += 13) {
		for (pad = 0; pad < 100; pad += 33) {
			begin(CTL_SCCRP);
			avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
			put_hidden(AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, "\x12\x34", 2, pad);
			put_hidden(AVP_MANDATORY, AVP_HOST_NAME, text, len, pad);
			assert_int_equal(decode(), CTL_OK);
			assert_int_equal(m.assigned_tid, 0x1234);
			assert_int_equal(m.host_name.len, len);
			assert_memory_equal(m.host_name.p, text, len);
		}
	}
}

static void
unreadable_avps_by_the_m_bit(void **state)
{
	uint16_t flags;

	(void)state;
	for (flags = 0;; flags = AVP_MANDATORY) {
		enum ctl_result want = flags ? CTL_HIDDEN : CTL_OK;

		begin(CTL_HELLO); /* no vector before it */
		put_hidden(flags, AVP_HOST_NAME, "name", 4, 0);
		avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
		assert_int_equal(decode(), want);
		begin(CTL_HELLO);
		avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
		put_hidden(flags, AVP_HOST_NAME, "name", 4, 0);
		assert_int_equal(decode(), CTL_OK);
		assert_int_equal(ctl_decode(avps(), "", &m), want);
		assert_int_equal(ctl_decode(avps(), "other", &m), want); /* length is garbage */
		assert_false(CTL_HAS(&m, AVP_HOST_NAME));
		begin(CTL_HELLO);
		avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
		put_raw(flags | AVP_HIDDEN | 7, 0, AVP_HOST_NAME, "x", 1); /* no length inside */
		put_raw(flags | AVP_HIDDEN | 6, 0, AVP_HOST_NAME, NULL, 0);
		assert_int_equal(decode(), want);
		if (flags)
			break;
	}
}

static void
last_vector_counts(void **state)
{
	(void)state;
	begin(CTL_HELLO);
	avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, "another", 7);
	avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
	put_hidden(AVP_MANDATORY, AVP_HOST_NAME, "name", 4, 3);
	put_raw(AVP_MANDATORY | 13, 0, AVP_RANDOM_VECTOR, "another", 7);
	avp_put_hidden(&w, AVP_MANDATORY, AVP_VENDOR_NAME, "v", 1, SECRET, "another", 7, 0);
	assert_int_equal(decode(), CTL_OK);
	assert_val(&m.host_name, "name");
	assert_val(&m.vendor_name, "v");
	put_raw(AVP_MANDATORY | AVP_HIDDEN | 13, 0, AVP_RANDOM_VECTOR, "another", 7);
	assert_int_equal(decode(), CTL_BAD_VALUE);
}

static void
scratch_space_has_an_end(void **state)
{
	char text[1000] = { 0 };
	unsigned int i;

	(void)state;
	begin(CTL_HELLO);
	avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
	for (i = 0; i < 4; i++)
		put_hidden(AVP_MANDATORY, (uint16_t)(AVP_CALLED_NUMBER + i % 3), text, 1000, 0);
	assert_int_equal(decode(), CTL_OK);
	assert_int_equal(m.scratch_used, 4 * 1002);
	put_hidden(AVP_MANDATORY, AVP_HOST_NAME, text, 100, 0);
	assert_int_equal(decode(), CTL_HIDDEN);
	assert_int_equal(m.bad_type, AVP_HOST_NAME);
}

static void
hidden_too_long_is_an_overflow(void **state)
{
	static char text[1100];

	(void)state;
	begin(CTL_HELLO);
	put_hidden(0, AVP_HOST_NAME, text, 1015, 0);
	assert_false(w.bad);
	put_hidden(0, AVP_HOST_NAME, text, 1000, 16);
	assert_true(w.bad);
	begin(CTL_HELLO);
	put_hidden(0, AVP_HOST_NAME, text, 1, SIZE_MAX);
	assert_true(w.bad);
}

/* The sum was made with another program: MD5 of 2, "a secret", "challenge!". */
static void
tunnel_authentication(void **state)
{
	static const uint8_t want[] = { 0xe2, 0x50, 0xe4, 0x04, 0x93, 0x72, 0x85, 0x0d, 0x20, 0x22,
		0x9e, 0xb4, 0x17, 0xa5, 0xb8, 0xa0 };
	uint8_t out[16];

	(void)state;
	l2tp_response(CTL_SCCRP, SECRET, "challenge!", 10, out);
	assert_memory_equal(out, want, sizeof(out));
}

/* --- cut and bent --- */

/* A message with some of everything; the end of each AVP is marked. */
static size_t
large_message(bool *is_end, size_t size)
{
	struct rd r;
	struct avp a;

	begin(CTL_ICRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 7);
	avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, 16);
	put_hidden(AVP_MANDATORY, AVP_CALLING_NUMBER, "0301234", 7, 20);
	avp_put_str(&w, AVP_MANDATORY, AVP_CALLED_NUMBER, "0800123");
	avp_put_result(&w, 2, 4, "text");
	avp_put_disconnect(&w, 3, 0xc021, 1, "text");
	put_raw(13, AVP_VENDOR_ADSL_FORUM, 1, "circuit", 7);
	avp_put(&w, 0, AVP_SEQUENCING_REQUIRED, NULL, 0);
	memset(is_end, 0, size * sizeof(*is_end));
	r = avps();
	is_end[0] = true;
	while (avp_next(&r, &a))
		is_end[r.pos - (buf + L2TP_CONTROL_HEADER)] = true;
	assert_false(r.bad);
	return (size_t)(r.pos - (buf + L2TP_CONTROL_HEADER));
}

static void
every_truncation(void **state)
{
	bool is_end[512];
	size_t n = large_message(is_end, ARRAY_LEN(is_end)), len;
	uint8_t *exact;
	enum ctl_result result;

	(void)state;
	for (len = 0; len <= n; len++) {
		exact = malloc(len ? len : 1);
		memcpy(exact, buf + L2TP_CONTROL_HEADER, len);
		result = ctl_decode(rd_init(exact, len), SECRET, &m);
		if (!is_end[len])
			assert_int_equal(result, CTL_MALFORMED);
		else
			assert_int_equal(result, len == 8 ? CTL_MISSING : CTL_OK);
		free(exact);
	}
}

/* Every AVP's length field through all its values: nothing is read outside. */
static void
every_length(void **state)
{
	bool is_end[512];
	size_t n = large_message(is_end, ARRAY_LEN(is_end)), at;
	uint8_t *exact = malloc(n);
	unsigned int len;

	(void)state;
	for (at = 0; at < n; at++) {
		for (len = 0; is_end[at] && len <= AVP_LENGTH; len++) {
			memcpy(exact, buf + L2TP_CONTROL_HEADER, n);
			exact[at] = (uint8_t)((exact[at] & 0xfc) | len >> 8);
			exact[at + 1] = (uint8_t)len;
			if (len < AVP_HEADER || len > n - at)
				assert_int_not_equal(
				    ctl_decode(rd_init(exact, n), SECRET, &m), CTL_OK);
			else
				(void)ctl_decode(rd_init(exact, n), SECRET, &m);
		}
	}
	free(exact);
}

static void
random_bits_do_no_harm(void **state)
{
	bool is_end[512];
	size_t n = large_message(is_end, ARRAY_LEN(is_end));
	uint8_t *exact = malloc(n);
	unsigned int round, flips;

	(void)state;
	srandom(1);
	for (round = 0; round < 50000; round++) {
		memcpy(exact, buf + L2TP_CONTROL_HEADER, n);
		for (flips = 1 + (unsigned int)random() % 8; flips > 0; flips--)
			exact[(size_t)random() % n] ^= (uint8_t)(1 << random() % 8);
		(void)ctl_decode(rd_init(exact, n), SECRET, &m);
	}
	free(exact);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_connection_messages),
		cmocka_unit_test(call_requests),
		cmocka_unit_test(connected_call),
		cmocka_unit_test(errors_and_accm),
		cmocka_unit_test(result_codes),
		cmocka_unit_test(causes),
		cmocka_unit_test(longest_values),
		cmocka_unit_test(header_of_a_message),
		cmocka_unit_test(names),
		cmocka_unit_test(message_type_comes_first),
		cmocka_unit_test(unknown_message_type_is_told),
		cmocka_unit_test(unknown_avps_by_their_m_bit),
		cmocka_unit_test(reserved_bit_makes_an_avp_unknown),
		cmocka_unit_test(wrong_lengths_by_the_m_bit),
		cmocka_unit_test(least_lengths),
		cmocka_unit_test(ids_of_zero),
		cmocka_unit_test(window_of_zero_is_one),
		cmocka_unit_test(what_each_message_must_have),
		cmocka_unit_test(what_an_sccrq_must_have),
		cmocka_unit_test(ids_are_known_behind_a_refusal),
		cmocka_unit_test(access_line_avps_are_kept),
		cmocka_unit_test(speed_updates_are_listed),
		cmocka_unit_test(hidden_as_computed_by_hand),
		cmocka_unit_test(hidden_values_come_back),
		cmocka_unit_test(unreadable_avps_by_the_m_bit),
		cmocka_unit_test(last_vector_counts),
		cmocka_unit_test(scratch_space_has_an_end),
		cmocka_unit_test(hidden_too_long_is_an_overflow),
		cmocka_unit_test(tunnel_authentication),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_length),
		cmocka_unit_test(random_bits_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
