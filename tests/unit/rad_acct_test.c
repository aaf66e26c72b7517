/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting records, taken apart by hand: directions, gigawords, what a Start has not.
 * Session, tunnel and configuration are stand-ins.
 */
#include "config.h"
#include "hook.h"
#include "note.h"
#include "rad_acct.h"
#include "radattr.h"
#include "radius.h"
#include "tunnel.h"
#include "udp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct config config;
const struct config *conf = &config;
static struct session session;
static struct tunnel tunnel;
static size_t plugin_octets; /* what a plugin adds */
static uint8_t buf[RADIUS_ACCT_ATTRS];
static size_t len;

void
hook_account(sess_id s, struct wr *attrs)
{
	uint8_t value[100] = { 0 };

	assert_int_equal(s, 4711);
	for (; plugin_octets > 0; plugin_octets -= 100)
		rad_put(attrs, RAD_FILTER_ID, value, 98);
}

uint32_t
config_nas_ip(void)
{
	return htonl(0x0a000009);
}

sess_id
session_id(const struct session *s)
{
	return s == &session ? 4711 : 0;
}

const struct tunnel *
tunnel_get(tunn_id id)
{
	return id == 12 ? &tunnel : NULL;
}

uint32_t
udp_local_address(uint8_t local)
{
	(void)local;
	return htonl(0x0a000001);
}

static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&session, 0, sizeof(session));
	strcpy(config.hostname, "lns1");
	strcpy(session.user, "fred");
	session.tunnel = 12;
	session.opened = 0x123456789;
	session.unique = 0xabc;
	session.ip4 = htonl(0x0a090001);
	session.authentic = AUTHENTIC_LOCAL;
	plugin_octets = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	note_free(&session.notes);
	return 0;
}

/* The n-th value of a type, NULL when there is none; the whole is walked. */
static const uint8_t *
value(uint8_t type, unsigned int n, size_t *value_len)
{
	const uint8_t *p, *found = NULL;

	for (p = buf; p < buf + len; p += p[1]) {
		assert_true(p[1] >= 2 && p + p[1] <= buf + len);
		if (p[0] == type && !found && n-- == 0) {
			*value_len = p[1] - 2u;
			found = p + 2;
		}
	}
	return found;
}

static uint32_t
number(uint8_t type)
{
	size_t n;
	const uint8_t *p = value(type, 0, &n);

	assert_non_null(p);
	assert_int_equal(n, 4);
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool
has(uint8_t type)
{
	size_t n;

	return value(type, 0, &n) != NULL;
}

static const struct rad_account stop = {
	.status = RAD_ACCT_STOP,
	.when = 0x5eadbeef,
	.seconds = 100000,
	.in_bytes = 0x1122334455,
	.in_packets = 77,
	.out_bytes = UINT64_C(0xaabbccdd00000001),
	.out_packets = UINT64_C(0x100000005),
	.cause = TERM_IDLE_TIMEOUT,
};

static void
stop_tells_all(void **state)
{
	size_t n;

	(void)state;
	len = rad_acct_put(&session, &stop, buf);
	assert_int_equal(number(RAD_ACCT_STATUS_TYPE), 2);
	assert_int_equal(number(RAD_EVENT_TIMESTAMP), 0x5eadbeef);
	assert_int_equal(number(RAD_ACCT_SESSION_TIME), 100000);
	assert_int_equal(number(RAD_ACCT_INPUT_GIGAWORDS), 0x11);
	assert_int_equal(number(RAD_ACCT_INPUT_OCTETS), 0x22334455);
	assert_int_equal(number(RAD_ACCT_OUTPUT_GIGAWORDS), 0xaabbccdd);
	assert_int_equal(number(RAD_ACCT_OUTPUT_OCTETS), 1);
	assert_int_equal(number(RAD_ACCT_INPUT_PACKETS), 77);
	assert_int_equal(number(RAD_ACCT_OUTPUT_PACKETS), UINT32_MAX);
	assert_int_equal(number(RAD_ACCT_TERMINATE_CAUSE), 4);
	assert_int_equal(number(RAD_ACCT_AUTHENTIC), 2);
	assert_memory_equal(value(RAD_ACCT_SESSION_ID, 0, &n), "2345678900000ABC", 16);
	assert_memory_equal(value(RAD_USER_NAME, 0, &n), "fred", 4);
	assert_memory_equal(value(RAD_FRAMED_IP_ADDRESS, 0, &n), "\12\11\0\1", 4);
	assert_false(has(RAD_FRAMED_IP_NETMASK));
	assert_false(has(RAD_ACCT_DELAY_TIME));
}

/* One octet below and at the wrap. */
static void
gigaword_wraps(void **state)
{
	struct rad_account a = stop;

	(void)state;
	a.in_bytes = UINT32_MAX;
	a.out_bytes = UINT64_C(1) << 32;
	len = rad_acct_put(&session, &a, buf);
	assert_int_equal(number(RAD_ACCT_INPUT_GIGAWORDS), 0);
	assert_int_equal(number(RAD_ACCT_INPUT_OCTETS), UINT32_MAX);
	assert_int_equal(number(RAD_ACCT_OUTPUT_GIGAWORDS), 1);
	assert_int_equal(number(RAD_ACCT_OUTPUT_OCTETS), 0);
}

static void
start_and_interim(void **state)
{
	struct rad_account a = stop;

	(void)state;
	a.status = RAD_ACCT_START;
	len = rad_acct_put(&session, &a, buf);
	assert_int_equal(number(RAD_ACCT_STATUS_TYPE), 1);
	assert_false(has(RAD_ACCT_INPUT_OCTETS) || has(RAD_ACCT_SESSION_TIME));
	assert_false(has(RAD_ACCT_TERMINATE_CAUSE));
	a.status = RAD_ACCT_INTERIM;
	len = rad_acct_put(&session, &a, buf);
	assert_int_equal(number(RAD_ACCT_STATUS_TYPE), 3);
	assert_int_equal(number(RAD_ACCT_INPUT_PACKETS), 77);
	assert_false(has(RAD_ACCT_TERMINATE_CAUSE));
}

static void
class_and_routes(void **state)
{
	const struct note_route route = { htonl(0xc0a80700), 24, { 0 } };
	size_t n;

	(void)state;
	note_add(&session.notes, NOTE_CLASS, 0, "one", 3);
	note_add(&session.notes, NOTE_ROUTE, 0, &route, sizeof(route));
	note_add(&session.notes, NOTE_CLASS, 0, "\0\1", 2);
	note_add(&session.notes, NOTE_CUI, 0, "\0who", 4);
	len = rad_acct_put(&session, &stop, buf);
	assert_memory_equal(value(RAD_CLASS, 0, &n), "one", 3);
	assert_memory_equal(value(RAD_CLASS, 1, &n), "\0\1", 2);
	assert_memory_equal(value(RAD_CHARGEABLE_USER_IDENTITY, 0, &n), "\0who", 4);
	assert_int_equal(n, 4);
	assert_memory_equal(value(RAD_FRAMED_ROUTE, 0, &n), "192.168.7.0/24 0.0.0.0 1", n);
}

/* Everything at its longest, and a plugin that fills the rest: what must be there is. */
static void
longest_record(void **state)
{
	uint8_t junk[255];
	uint16_t i;

	(void)state;
	memset(junk, 'x', sizeof(junk));
	memset(session.user, 'u', USER_LEN - 1);
	memset(session.called, '1', NUMBER_LEN - 1);
	memset(session.calling, '2', NUMBER_LEN - 1);
	memset(tunnel.hostname, 'h', HOSTNAME_LEN - 1);
	memset(config.hostname, 'n', HOSTNAME_LEN - 1);
	session.tx_speed = session.rx_speed = UINT32_MAX;
	session.netmask = htonl(0xffffff00);
	for (i = 0; i < 4; i++)
		assert_int_equal(note_add(&session.notes, NOTE_CLASS, 0, junk, 253), 0);
	assert_int_equal(note_add(&session.notes, NOTE_CUI, 0, junk, 253), 0);
	for (i = 0; note_add(&session.notes, NOTE_LINE, 0x81, "\0\0\1\0", 4) == 0; i++)
		;
	assert_true(i > 50);
	len = rad_acct_put(&session, &stop, buf);
	assert_in_range(len, 2500, RADIUS_ACCT_ATTRS - 200);
	plugin_octets = 200;
	len = rad_acct_put(&session, &stop, buf);
	assert_true(has(RAD_ACCT_SESSION_ID) && has(RAD_ACCT_TUNNEL_CONNECTION));
	assert_true(has(RAD_FILTER_ID));
}

static void
about_us_alone(void **state)
{
	size_t n;

	(void)state;
	len = rad_acct_put_nas(RAD_ACCT_OFF, 0x1234, buf);
	assert_int_equal(number(RAD_ACCT_STATUS_TYPE), 8);
	assert_int_equal(number(RAD_EVENT_TIMESTAMP), 0x1234);
	assert_memory_equal(value(RAD_NAS_IDENTIFIER, 0, &n), "lns1", 4);
	assert_memory_equal(value(RAD_ACCT_SESSION_ID, 0, &n), "0000123400000000", 16);
	assert_false(has(RAD_USER_NAME) || has(RAD_NAS_PORT));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stop_tells_all),
		TEST(gigaword_wraps),
		TEST(start_and_interim),
		TEST(class_and_routes),
		TEST(longest_record),
		TEST(about_us_alone),
	};

	note_init(1000);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
