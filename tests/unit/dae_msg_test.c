/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disconnect- and CoA-Requests taken apart, what is refused in them, and the answers, whose
 * digests are worked out here.
 */
#include "dae_msg.h"

#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t packet[RAD_MAX_PACKET], out[RAD_MAX_PACKET];
static struct rad_packet p;
static struct dae_request r;

/* A request of these attributes; each is a type, a length of the value, and the value. */
static void
make(uint8_t code, const void *attrs, size_t len)
{
	packet[0] = code;
	packet[1] = 77;
	packet[2] = (uint8_t)((RAD_HEADER + len) >> 8);
	packet[3] = (uint8_t)(RAD_HEADER + len);
	memset(packet + 4, 0xa5, RAD_AUTH_LEN);
	memcpy(packet + RAD_HEADER, attrs, len);
	assert_true(rad_decode(packet, RAD_HEADER + len, &p));
}

/* Decodes; the Error-Cause. */
static uint16_t
decode(uint8_t code, const void *attrs, size_t len)
{
	make(code, attrs, len);
	assert_true(dae_decode(&p, &r));
	return r.cause;
}

#define COA(attrs)  decode(RAD_COA_REQUEST, attrs, sizeof(attrs) - 1)
#define DISC(attrs) decode(RAD_DISCONNECT_REQUEST, attrs, sizeof(attrs) - 1)

static void
names(void **state)
{
	(void)state;
	assert_int_equal(DISC("\1\5joe"
			      "\4\6\x0a\1\2\3"
			      "\5\6\0\0\1\2"
			      "\x8\6\x0a\x9\0\1"
			      "\x1e\6"
			      "0800"
			      "\x1f\6"
			      "0733"
			      "\x20\6lns1"
			      "\x2c\x12"
			      "65A0B1C20000002A"
			      "\x57\xalp:1:258"),
	    0);
	assert_false(r.is_coa);
	assert_int_equal(r.has, DAE_USER | DAE_NAS_IP | DAE_PORT | DAE_FRAMED_IP | DAE_CALLED |
				    DAE_CALLING | DAE_NAS_ID | DAE_ACCT_ID | DAE_PORT_ID);
	assert_string_equal(r.user, "joe");
	assert_memory_equal(&r.nas_ip, "\x0a\1\2\3", 4);
	assert_memory_equal(&r.framed_ip, "\x0a\x9\0\1", 4);
	assert_int_equal(r.port, 258);
	assert_string_equal(r.called, "0800");
	assert_string_equal(r.calling, "0733");
	assert_string_equal(r.nas_id, "lns1");
	assert_string_equal(r.acct_id, "65A0B1C20000002A");
	assert_string_equal(r.port_id, "lp:1:258");
}

static void
changes(void **state)
{
	(void)state;
	assert_int_equal(COA("\1\5joe"
			     "\x1b\6\0\0\x0e\x10"
			     "\x1c\6\0\0\0\x3c"
			     "\x55\6\0\0\1\x2c"
			     "\x37\6\x65\0\0\0"
			     "\x1a\xc\0\0\0\x9\1\6a=1x"
			     "\x1a\xb\0\0\0\x9\1\5b=2"
			     "\xb\6x.in"
			     "\x12\5bye"),
	    0);
	assert_true(r.is_coa);
	assert_int_equal(
	    r.has, DAE_USER | DAE_SESSION_TIMEOUT | DAE_IDLE_TIMEOUT | DAE_INTERIM | DAE_TIMESTAMP);
	assert_int_equal(r.interim, 300);
	assert_int_equal(r.session_timeout, 3600);
	assert_int_equal(r.idle_timeout, 60);
	assert_int_equal(r.timestamp, 0x65000000);
	assert_int_equal(r.n_pairs, 2);
	assert_int_equal(r.pairs[0].len, 4);
	assert_memory_equal(r.pairs[0].p, "a=1x", 4);
	assert_memory_equal(r.pairs[1].p, "b=2", 3);
	assert_int_equal(r.n_filters, 1);
	assert_int_equal(r.filters[0].len, 4);
	assert_memory_equal(r.filters[0].p, "x.in", 4);
	assert_string_equal(r.message, "bye");
}

static void
refused(void **state)
{
	(void)state;
	/* unsupported: a Framed-MTU, a DNS server, a vendor's that is not known or not sound */
	assert_int_equal(COA("\1\5joe\x0c\6\0\0\5\0"), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_int_equal(r.wrong, RAD_FRAMED_MTU);
	assert_int_equal(COA("\1\5joe\x1a\xc\0\0\1\x37\x1c\6\1\2\3\4"), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_int_equal(COA("\1\5joe\x1a\x8\0\0\0\x9\1\1"), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_int_equal(COA("\1\5joe\x1a\3x"), DAE_UNSUPPORTED_ATTRIBUTE);
	/* what changes has no place in a Disconnect-Request */
	assert_int_equal(DISC("\1\5joe\x1b\6\0\0\0\1"), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_int_equal(DISC("\1\5joe\x1a\xb\0\0\0\x9\1\5b=2"), DAE_UNSUPPORTED_ATTRIBUTE);
	/* Class is a change in a CoA, and for the Stop in a Disconnect-Request */
	assert_int_equal(DISC("\1\5joe\x19\4xy\x19\4yz\x31\6\0\0\0\6"), 0);
	assert_int_equal(r.n_classes, 2);
	assert_memory_equal(r.classes[1].p, "yz", 2);
	assert_int_equal(COA("\1\5joe\x19\4xy"), 0);
	assert_int_equal(r.n_classes, 1);
	assert_int_equal(COA("\1\5joe\x19\2"), DAE_INVALID_VALUE);
	/* Service-Type: Framed, Authorize-Only */
	assert_int_equal(COA("\1\5joe\6\6\0\0\0\2\7\6\0\0\0\1\x3d\6\0\0\0\5"), 0);
	assert_int_equal(COA("\1\5joe\6\6\0\0\0\x11"), DAE_UNSUPPORTED_SERVICE);
	assert_int_equal(DISC("\1\5joe\6\6\0\0\0\x11"), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_int_equal(COA("\1\5joe\7\6\0\0\0\2"), DAE_INVALID_VALUE);
	/* values: empty, with a NUL, of a wrong length */
	assert_int_equal(DISC("\1\2"), DAE_INVALID_VALUE);
	assert_int_equal(DISC("\1\6jo\0e"), DAE_INVALID_VALUE);
	assert_int_equal(DISC("\x8\5\1\2\3"), DAE_INVALID_VALUE);
	assert_int_equal(COA("\1\5joe\x1b\3\1"), DAE_INVALID_VALUE);
	assert_int_equal(COA("\1\5joe\x1a\x8\0\0\0\x9\1\2"), DAE_INVALID_VALUE);
	assert_int_equal(DISC("\1\5joe\x37\4xy"), DAE_INVALID_VALUE);
	assert_int_equal(r.has, DAE_USER);
	/* twice */
	assert_int_equal(DISC("\1\5joe\1\5joe"), DAE_INVALID_REQUEST);
	assert_int_equal(COA("\1\5joe\x1b\6\0\0\0\1\x1b\6\0\0\0\2"), DAE_INVALID_REQUEST);
	assert_int_equal(COA("\1\5joe\x18\3s\x18\3s"), DAE_INVALID_REQUEST);
	/* the first thing wrong is told */
	assert_int_equal(COA("\1\5joe\x1b\3\1\x0c\6\0\0\5\0"), DAE_INVALID_VALUE);
	assert_int_equal(r.wrong, RAD_SESSION_TIMEOUT);
}

static void
too_many_pairs(void **state)
{
	static const char pair[] = "\x1a\xb\0\0\0\x9\1\5b=2";
	char attrs[(DAE_MAX_PAIRS + 1) * (sizeof(pair) - 1)];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(attrs); i += sizeof(pair) - 1)
		memcpy(attrs + i, pair, sizeof(pair) - 1);
	make(RAD_COA_REQUEST, attrs, sizeof(attrs));
	assert_true(dae_decode(&p, &r));
	assert_int_equal(r.cause, DAE_INVALID_REQUEST);
	assert_int_equal(r.n_pairs, DAE_MAX_PAIRS);
}

static void
other_packets(void **state)
{
	(void)state;
	make(RAD_ACCESS_REQUEST, "\1\5joe", 5);
	assert_false(dae_decode(&p, &r));
	make(RAD_DISCONNECT_ACK, "", 0);
	assert_false(dae_decode(&p, &r));
}

/* MD5 and HMAC-MD5 as RFC 2865 3 and RFC 2869 5.14 have them for replies. */
static void
check_signatures(size_t len, const char *secret, bool has_ma)
{
	struct md5_ctx md5;
	struct hmac_md5_ctx hmac;
	uint8_t copy[RAD_MAX_PACKET], digest[MD5_DIGEST_SIZE];

	memcpy(copy, out, len);
	memcpy(copy + 4, packet + 4, RAD_AUTH_LEN);
	md5_init(&md5);
	md5_update(&md5, len, copy);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_digest(&md5, sizeof(digest), digest);
	assert_memory_equal(digest, out + 4, RAD_AUTH_LEN);
	if (!has_ma)
		return;
	assert_memory_equal(out + RAD_HEADER, "\x50\x12", 2);
	memset(copy + RAD_HEADER + 2, 0, RAD_AUTH_LEN);
	hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
	hmac_md5_update(&hmac, len, copy);
	hmac_md5_digest(&hmac, sizeof(digest), digest);
	assert_memory_equal(digest, out + RAD_HEADER + 2, RAD_AUTH_LEN);
}

static void
answers(void **state)
{
	static const uint8_t echoed[] = "\x18\3S\x21\4p1\x21\5p22";
	size_t len;

	(void)state;
	COA("\x18\3S\1\5joe\x21\4p1\x1b\6\0\0\0\1\x21\5p22");
	len = dae_encode(&p, DAE_SEVERAL, true, "secret", out);
	assert_int_equal(len, RAD_HEADER + 18 + sizeof(echoed) - 1 + 6);
	assert_int_equal(out[0], RAD_COA_NAK);
	assert_int_equal(out[1], 77);
	assert_int_equal(out[2] << 8 | out[3], len);
	assert_memory_equal(out + RAD_HEADER + 18, echoed, sizeof(echoed) - 1);
	assert_memory_equal(out + len - 6, "\x65\6\0\0\1\xfc", 6);
	check_signatures(len, "secret", true);
	len = dae_encode(&p, DAE_OK, false, "secret", out);
	assert_int_equal(out[0], RAD_COA_ACK);
	assert_int_equal(len, RAD_HEADER + sizeof(echoed) - 1);
	check_signatures(len, "secret", false);

	DISC("\1\5joe");
	len = dae_encode(&p, DAE_OK, true, "other", out);
	assert_int_equal(out[0], RAD_DISCONNECT_ACK);
	assert_memory_equal(out + len - 6, "\x31\6\0\0\0\6", 6); /* Admin-Reset */
	check_signatures(len, "other", true);
	dae_encode(&p, DAE_NOT_FOUND, false, "other", out);
	assert_int_equal(out[0], RAD_DISCONNECT_NAK);
}

/* What must be repeated leaves room for the rest of the answer, or there is none. */
static void
room_for_the_answer(void **state)
{
	uint8_t attrs[RAD_MAX_PACKET - RAD_HEADER];
	size_t len, left, piece;

	(void)state;
	for (len = sizeof(attrs) - 60; len <= sizeof(attrs); len++) {
		for (left = len; left > 0; left -= piece) {
			piece = left > 255 + 2 ? 255 : left > 255 ? 200 : left;
			attrs[len - left] = RAD_PROXY_STATE;
			attrs[len - left + 1] = (uint8_t)piece;
		}
		make(RAD_COA_REQUEST, attrs, len);
		if (!dae_decode(&p, &r))
			break;
		assert_int_not_equal(dae_encode(&p, DAE_SEVERAL, true, "s", out), 0);
	}
	assert_in_range(len, sizeof(attrs) - 59, sizeof(attrs) - 18 - 6 + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(changes),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_many_pairs),
		cmocka_unit_test(other_packets),
		cmocka_unit_test(answers),
		cmocka_unit_test(room_for_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
