/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access-Requests, taken apart again by hand. Session, tunnel and configuration are
 * stand-ins; the digests are worked out here a second time.
 */
#include "config.h"
#include "note.h"
#include "rad_auth.h"
#include "rad_sess.h"
#include "radattr.h"
#include "tunnel.h"
#include "udp.h"
#include "util.h"

#include <arpa/inet.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct config config;
const struct config *conf = &config;
static struct session session;
static struct tunnel tunnel;
static uint32_t nas_ip;

uint32_t
config_nas_ip(void)
{
	return nas_ip;
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
	return local == 3 ? htonl(0x0a000001) : 0;
}

static const uint8_t authenticator[RAD_AUTH_LEN] = "0123456789abcdef";
static const uint8_t challenge[16] = "our challenge 16";
static const char secret[] = "a secret";
static uint8_t packet[RAD_AUTH_MAX];
static size_t len;

static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&session, 0, sizeof(session));
	memset(&tunnel, 0, sizeof(tunnel));
	strcpy(config.hostname, "lns1");
	nas_ip = htonl(0x0a000009);
	session.tunnel = 12;
	strcpy(session.called, "0800123");
	strcpy(session.calling, "+49 30 1");
	session.tx_speed = 16000000;
	session.rx_speed = 1000000;
	session.opened = 0x123456789;
	session.unique = 0xabc;
	session.call_serial = 99;
	tunnel.local = 3;
	tunnel.peer_ip = htonl(0xc0000207);
	strcpy(tunnel.hostname, "lac7");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	note_free(&session.notes);
	return 0;
}

static struct auth_request
login(enum auth_proto proto, const void *password, size_t password_len)
{
	return (struct auth_request){
		.proto = proto,
		.id = 0x5c,
		.user = "fred@example.net",
		.password = password,
		.password_len = password_len,
		.challenge = challenge,
		.challenge_len = sizeof(challenge),
	};
}

static void
build(const struct auth_request *req)
{
	struct rad_access a = {
		.id = 200,
		.authenticator = authenticator,
		.secret = secret,
		.s = &session,
		.login = req,
	};

	len = rad_auth_build(&a, packet, sizeof(packet));
}

/* Walks the attributes by hand: the n-th value of a type, NULL when there is none. */
static const uint8_t *
value(uint8_t type, unsigned int n, size_t *value_len)
{
	const uint8_t *p = packet + RAD_HEADER;

	for (; p < packet + len; p += p[1]) {
		assert_true(p[1] > 2 && p + p[1] <= packet + len);
		if (p[0] == type && n-- == 0) {
			*value_len = p[1] - 2u;
			return p + 2;
		}
	}
	return NULL;
}

static void
assert_value(uint8_t type, const void *want, size_t want_len)
{
	size_t n;
	const uint8_t *p = value(type, 0, &n);

	assert_non_null(p);
	assert_int_equal(n, want_len);
	assert_memory_equal(p, want, want_len);
}

static void
assert_text(uint8_t type, const char *want)
{
	assert_value(type, want, strlen(want));
}

static void
assert_number(uint8_t type, uint32_t want)
{
	uint32_t be = htonl(want);

	assert_value(type, &be, sizeof(be));
}

static void
assert_none(uint8_t type)
{
	size_t n;

	assert_null(value(type, 0, &n));
}

/* A Vendor-Specific attribute with the one sub-attribute wanted, and its value. */
static const uint8_t *
vendor_value(uint32_t vendor, uint8_t type, size_t *value_len)
{
	const uint8_t *p;
	unsigned int i;

	for (i = 0; (p = value(RAD_VENDOR_SPECIFIC, i, value_len)); i++) {
		assert_true(*value_len >= 6 && p[5] == *value_len - 4);
		*value_len -= 6;
		if (((uint32_t)p[2] << 8 | p[3]) == vendor && p[4] == type)
			return p + 6;
	}
	return NULL;
}

static void
assert_vendor(uint32_t vendor, uint8_t type, const void *want, size_t want_len)
{
	size_t n;
	const uint8_t *p = vendor_value(vendor, type, &n);

	assert_non_null(p);
	assert_int_equal(n, want_len);
	assert_memory_equal(p, want, want_len);
}

/* Header right, Message-Authenticator in front, and HMAC-MD5 over all with it zeroed. */
static void
assert_signed(void)
{
	struct hmac_md5_ctx hmac;
	uint8_t copy[RAD_AUTH_MAX], digest[16];

	assert_true(len >= RAD_HEADER + 18);
	assert_int_equal(packet[0], RAD_ACCESS_REQUEST);
	assert_int_equal(packet[1], 200);
	assert_int_equal(packet[2] << 8 | packet[3], len);
	assert_memory_equal(packet + 4, authenticator, 16);
	assert_int_equal(packet[20], RAD_MESSAGE_AUTHENTICATOR);
	assert_int_equal(packet[21], 18);
	memcpy(copy, packet, len);
	memset(copy + 22, 0, 16);
	hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
	hmac_md5_update(&hmac, len, copy);
	hmac_md5_digest(&hmac, sizeof(digest), digest);
	assert_memory_equal(packet + 22, digest, 16);
}

/* RFC 2865 5.2, the other way. */
static void
unhide(const uint8_t *hidden, size_t n, char *out)
{
	const uint8_t *before = authenticator;
	struct md5_ctx md5;
	uint8_t pad[16];
	size_t i;

	for (i = 0; i < n; i++) {
		if (i % 16 == 0) {
			md5_init(&md5);
			md5_update(&md5, strlen(secret), (const uint8_t *)secret);
			md5_update(&md5, 16, before);
			md5_digest(&md5, sizeof(pad), pad);
			before = hidden + i;
		}
		out[i] = (char)(hidden[i] ^ pad[i % 16]);
	}
	out[n] = '\0';
}

static void
pap_password_is_hidden(void **state)
{
	static const char *const passwords[] = { "", "x", "exactly 16 chars",
		"a password of more than one block" };
	struct auth_request req;
	char clear[129];
	const uint8_t *p;
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(passwords); i++) {
		req = login(AUTH_PAP, passwords[i], strlen(passwords[i]));
		build(&req);
		assert_signed();
		assert_text(RAD_USER_NAME, "fred@example.net");
		p = value(RAD_USER_PASSWORD, 0, &n);
		assert_non_null(p);
		assert_true(n > 0 && n % 16 == 0 && n <= 128);
		unhide(p, n, clear);
		assert_string_equal(clear, passwords[i]);
		assert_none(RAD_CHAP_PASSWORD);
	}
}

static void
no_request_for_a_pap_password_too_long(void **state)
{
	char password[129] = { 0 };
	struct auth_request req = login(AUTH_PAP, password, sizeof(password));

	(void)state;
	build(&req);
	assert_int_equal(len, 0);
}

static void
chap_has_id_response_and_challenge(void **state)
{
	struct auth_request req = login(AUTH_CHAP, "0123456789ABCDEF", 16);

	(void)state;
	build(&req);
	assert_signed();
	assert_value(RAD_CHAP_PASSWORD,
	    "\x5c"
	    "0123456789ABCDEF",
	    17);
	assert_value(RAD_CHAP_CHALLENGE, challenge, 16);
	assert_none(RAD_USER_PASSWORD);
}

static void
mschap2_parts_are_in_radius_order(void **state)
{
	uint8_t ppp[49], want[50];
	struct auth_request req = login(AUTH_MSCHAPV2, ppp, sizeof(ppp));

	(void)state;
	memset(ppp, 'p', 16);	   /* peer challenge */
	memset(ppp + 16, 0, 8);	   /* reserved */
	memset(ppp + 24, 'n', 24); /* NT response */
	ppp[48] = 0x44;		   /* flags */
	want[0] = 0x5c;
	want[1] = 0x44;
	memcpy(want + 2, ppp, 48);
	build(&req);
	assert_signed();
	assert_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP2_RESPONSE, want, sizeof(want));
	assert_vendor(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_CHALLENGE, challenge, 16);
}

static void
impossible_logins_make_no_packet(void **state)
{
	static const uint8_t bytes[64];
	struct auth_request bad[] = {
		login(AUTH_CHAP, bytes, 15),
		login(AUTH_CHAP, bytes, 17),
		login(AUTH_CHAP, bytes, 16),
		login(AUTH_MSCHAPV2, bytes, 48),
		login(AUTH_MSCHAPV2, bytes, 50),
		login(AUTH_MSCHAPV2, bytes, 49),
		login(AUTH_NONE, bytes, 0),
		login(AUTH_PAP, bytes, 4),
	};
	size_t i;

	(void)state;
	bad[2].challenge_len = 0;
	bad[5].challenge_len = 15;
	bad[7].user = "";
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		build(&bad[i]);
		assert_int_equal(len, 0);
	}
}

static void
call_is_described(void **state)
{
	struct auth_request req = login(AUTH_PAP, "x", 1);

	(void)state;
	build(&req);
	assert_value(RAD_NAS_IP_ADDRESS, "\12\0\0\11", 4);
	assert_text(RAD_NAS_IDENTIFIER, "lns1");
	assert_number(RAD_NAS_PORT, 4711);
	assert_number(RAD_NAS_PORT_TYPE, 5);
	assert_text(RAD_NAS_PORT_ID, "l2tp:12:4711");
	assert_number(RAD_SERVICE_TYPE, 2);
	assert_number(RAD_FRAMED_PROTOCOL, 1);
	assert_text(RAD_CALLED_STATION_ID, "0800123");
	assert_text(RAD_CALLING_STATION_ID, "+49 30 1");
	assert_text(RAD_CONNECT_INFO, "16000000/1000000");
	assert_text(RAD_ACCT_SESSION_ID, "2345678900000ABC");
}

static void
tunnel_is_described(void **state)
{
	struct auth_request req = login(AUTH_PAP, "x", 1);

	(void)state;
	build(&req);
	assert_number(RAD_TUNNEL_TYPE, 3);
	assert_number(RAD_TUNNEL_MEDIUM_TYPE, 1);
	assert_value(RAD_TUNNEL_CLIENT_ENDPOINT,
	    "\0"
	    "192.0.2.7",
	    10);
	assert_value(RAD_TUNNEL_SERVER_ENDPOINT,
	    "\0"
	    "10.0.0.1",
	    9);
	assert_value(RAD_TUNNEL_CLIENT_AUTH_ID,
	    "\0"
	    "lac7",
	    5);
	assert_text(RAD_ACCT_TUNNEL_CONNECTION, "99");
	session.tunnel = 13;
	build(&req);
	assert_signed();
	assert_none(RAD_TUNNEL_TYPE);
}

static void
what_is_unknown_is_left_out(void **state)
{
	struct auth_request req = login(AUTH_PAP, "x", 1);

	(void)state;
	session.called[0] = session.calling[0] = tunnel.hostname[0] = config.hostname[0] = '\0';
	session.tx_speed = 0;
	nas_ip = 0;
	build(&req);
	assert_signed();
	assert_none(RAD_CALLED_STATION_ID);
	assert_none(RAD_CALLING_STATION_ID);
	assert_none(RAD_CONNECT_INFO);
	assert_none(RAD_NAS_IP_ADDRESS);
	assert_none(RAD_NAS_IDENTIFIER);
	assert_none(RAD_TUNNEL_CLIENT_AUTH_ID);
	session.tx_speed = 64000;
	session.rx_speed = 0;
	build(&req);
	assert_text(RAD_CONNECT_INFO, "64000");
}

static void
access_line_becomes_vendor_attributes(void **state)
{
	struct auth_request req = login(AUTH_PAP, "x", 1);
	size_t n;

	(void)state;
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 1, "dslam 1/2/3", 11), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x81, "\0\0\4\0", 4), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x82, "\0\0\0\0\0\1\0\0", 8), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x86, "\0\0\0\1\0\0\0\0", 8), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x83, "\1\2", 2), 0);  /* too short */
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x181, "abcd", 4), 0); /* no such */
	assert_int_equal(note_add(&session.notes, NOTE_CLASS, 2, "class", 5), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0x90, "\1\2\3", 3), 0);
	assert_int_equal(note_add(&session.notes, NOTE_LINE, 0xfe, "\0\0\0\0", 4), 0);
	build(&req);
	assert_signed();
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 1, "dslam 1/2/3", 11);
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 0x81, "\0\0\4\0", 4);
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 0x82, "\0\1\0\0", 4);
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 0x86, "\xff\xff\xff\xff", 4);
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 0x90, "\1\2\3", 3);
	assert_vendor(RAD_VENDOR_ADSL_FORUM, 0xfe, "", 0);
	assert_null(vendor_value(RAD_VENDOR_ADSL_FORUM, 0x83, &n));
	assert_null(vendor_value(RAD_VENDOR_ADSL_FORUM, 2, &n));
}

/* Everything at its longest, and as many line notes as are kept. */
static void
longest_request_fits(void **state)
{
	static char user[USER_LEN];
	static const uint8_t response[49];
	struct auth_request req = login(AUTH_MSCHAPV2, response, sizeof(response));
	char id[80];
	int i;

	(void)state;
	memset(user, 'u', 253);
	memset(id, 'i', sizeof(id));
	memset(config.hostname, 'h', sizeof(config.hostname) - 1);
	memset(tunnel.hostname, 't', sizeof(tunnel.hostname) - 1);
	memset(session.called, '1', sizeof(session.called) - 1);
	memset(session.calling, '2', sizeof(session.calling) - 1);
	session.tx_speed = session.rx_speed = UINT32_MAX;
	for (i = 0; note_add(&session.notes, NOTE_LINE, i & 1 ? 1 : 2, id, sizeof(id)) == 0; i++)
		;
	assert_in_range(i, 6, 40);
	req.user = user;
	build(&req);
	assert_signed();
	assert_text(RAD_USER_NAME, user);
	assert_text(RAD_ACCT_SESSION_ID, "2345678900000ABC");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pap_password_is_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    no_request_for_a_pap_password_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    chap_has_id_response_and_challenge, setup, teardown),
		cmocka_unit_test_setup_teardown(mschap2_parts_are_in_radius_order, setup, teardown),
		cmocka_unit_test_setup_teardown(impossible_logins_make_no_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(call_is_described, setup, teardown),
		cmocka_unit_test_setup_teardown(tunnel_is_described, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_unknown_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    access_line_becomes_vendor_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(longest_request_fits, setup, teardown),
	};

	note_init(1000);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
