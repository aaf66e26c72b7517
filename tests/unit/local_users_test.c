/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The users' file: what it may look like, what is refused, and the three proofs of a password. */
#include "local_users.h"
#include "mschap.h"
#include "util.h"

#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/local_users_test.XXXXXX";
static char errors[4096]; /* each after the file's name, lines ended by \n */

static struct auth_result result;
static sess_id result_of;

static const uint8_t challenge[16] = "our challenge 16";

void
hook_auth_result(sess_id s, const struct auth_result *res)
{
	result = *res;
	result_of = s;
}

static void
on_error(const char *line)
{
	assert_memory_equal(line, file, strlen(file));
	line += strlen(file);
	snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s\n", line);
}

static void
write_file(const void *text, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

/* As at start: what is good serves. */
static int
read_named(const char *name)
{
	int found = local_users_stage(name, on_error);

	local_users_commit();
	return found;
}

/* Number of errors in a file of this text. */
static int
read_text(const char *text)
{
	write_file(text, strlen(text));
	errors[0] = '\0';
	return read_named(file);
}

static bool
ask(const struct auth_request *req)
{
	memset(&result, 0xff, sizeof(result));
	result_of = 0;
	return local_users_authenticate(9, req);
}

static struct auth_request
pap(const char *user, const char *password)
{
	return (struct auth_request){
		.proto = AUTH_PAP,
		.user = user,
		.claimed = user,
		.password = (const uint8_t *)password,
		.password_len = strlen(password),
	};
}

/* The address of an accepted login, 1 when refused, 2 when the name is not known. */
static uint32_t
pap_login(const char *user, const char *password)
{
	struct auth_request req = pap(user, password);

	if (!ask(&req))
		return 2;
	assert_int_equal(result_of, 9);
	return result.verdict == AUTH_ACCEPTED ? ntohl(result.ip4) : 1;
}

static void
ordinary_file(void **state)
{
	(void)state;
	assert_int_equal(read_text("# users\n"
				   "\n"
				   "fred * flintstone\n"
				   "  barney\tlns\trubble   10.1.2.3  # he has an address\n"
				   "wilma * pebbles *\r\n"
				   "\"mr slate\" * 'say \"boss\"'\n"
				   "a\\ b * \"x\\\"y#z\" \n"
				   "half\" quoted\"name '' pass#word\n"
				   "last * line"),
	    0);
	assert_string_equal(errors, "");
	assert_int_equal(pap_login("fred", "flintstone"), 0);
	assert_int_equal(pap_login("barney", "rubble"), 0x0a010203);
	assert_int_equal(pap_login("wilma", "pebbles"), 0);
	assert_int_equal(pap_login("mr slate", "say \"boss\""), 0);
	assert_int_equal(pap_login("a b", "x\"y#z"), 0);
	assert_int_equal(pap_login("half quotedname", "pass#word"), 0);
	assert_int_equal(pap_login("last", "line"), 0);
	assert_int_equal(pap_login("nobody", "x"), 2);
	assert_int_equal(pap_login("", ""), 2);
	assert_int_equal(pap_login("Fred", "flintstone"), 2);
}

static void
wrong_lines_are_named_and_the_rest_is_read(void **state)
{
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text),
	    "one * 1\n"
	    "two *\n"
	    "three * 3 10.0.0.1 10.0.0.2\n"
	    "four * 4 10.0.0.256\n"
	    "five * \"5\n"
	    "\"\" * 6\n"
	    "seven * \"\"\n"
	    "%0300d * 8\n"
	    "nine * %0300d\n"
	    "one * other\n"
	    "eleven * 11\n",
	    1, 1);
	assert_int_equal(read_text(text), 9);
	assert_string_equal(errors, ":2: NAME SERVER SECRET [ADDRESS] expected, found fewer words\n"
				    ":3: NAME SERVER SECRET [ADDRESS] expected, found more words\n"
				    ":4: 10.0.0.256 is not an IPv4 address or *\n"
				    ":5: a quote is not closed\n"
				    ":6: a name has 1 to 255 octets\n"
				    ":7: a secret has 1 to 255 octets\n"
				    ":8: a name has 1 to 255 octets\n"
				    ":9: a secret has 1 to 255 octets\n"
				    ":10: one is in line 1 already\n");
	assert_int_equal(pap_login("one", "1"), 0);
	assert_int_equal(pap_login("one", "other"), 1);
	assert_int_equal(pap_login("eleven", "11"), 0);
	assert_int_equal(pap_login("four", "4"), 2);
}

static void
unreadable_file_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(read_text("fred * flintstone\n"), 0);
	unlink(file);
	assert_int_equal(read_named(file), -1);
	assert_non_null(strstr(errors, "No such file"));
	assert_int_equal(pap_login("fred", "flintstone"), 0);
	write_file("a * b\0\n", 7);
	assert_int_equal(read_named(file), -1);
	assert_int_equal(pap_login("fred", "flintstone"), 0);
	assert_int_equal(read_text(""), 0);
	assert_int_equal(pap_login("fred", "flintstone"), 2);
}

static void
staged_is_not_in_force(void **state)
{
	(void)state;
	assert_int_equal(read_text("fred * flintstone\n"), 0);
	write_file("wilma * pebbles\nbarney\n", 23);
	assert_int_equal(local_users_stage(file, on_error), 1);
	assert_int_equal(pap_login("fred", "flintstone"), 0);
	assert_int_equal(pap_login("wilma", "pebbles"), 2);
	local_users_commit();
	local_users_commit();
	assert_int_equal(pap_login("fred", "flintstone"), 2);
	assert_int_equal(pap_login("wilma", "pebbles"), 0);
}

static void
no_file_forgets_all(void **state)
{
	(void)state;
	assert_int_equal(read_text("fred * flintstone\n"), 0);
	assert_int_equal(read_named(""), 0);
	assert_int_equal(pap_login("fred", "flintstone"), 2);
}

static void
pap_takes_the_password_only(void **state)
{
	char big[400];
	struct auth_request req;

	(void)state;
	assert_int_equal(read_text("fred * flintstone\n"), 0);
	assert_int_equal(pap_login("fred", ""), 1);
	assert_int_equal(pap_login("fred", "flint"), 1);
	assert_int_equal(pap_login("fred", "flintstones"), 1);
	assert_int_equal(pap_login("fred", "flintstoneflintstone"), 1);
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(pap_login("fred", big), 1);
	req = pap("fred", "flintstone");
	req.password = (const uint8_t *)"flintstone\0x";
	req.password_len = 12;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
}

static void
chap_md5(void **state)
{
	uint8_t digest[16];
	struct md5_ctx md5;
	struct auth_request req = {
		.proto = AUTH_CHAP,
		.id = 0x21,
		.user = "fred",
		.claimed = "fred",
		.password = digest,
		.password_len = sizeof(digest),
		.challenge = challenge,
		.challenge_len = sizeof(challenge),
	};

	(void)state;
	assert_int_equal(read_text("fred * flintstone\n"), 0);
	md5_init(&md5);
	md5_update(&md5, 27,
	    (const uint8_t *)"\x21"
			     "flintstone"
			     "our challenge 16");
	md5_digest(&md5, sizeof(digest), digest);
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
	req.id++;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
	req.id--;
	req.password_len = 15;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
	req.password_len = 16;
	req.proto = AUTH_NONE;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
}

/* RFC 2759 9.2: the values of its own example. */
static const uint8_t rfc_challenge[16] = { 0x5b, 0x5d, 0x7c, 0x7d, 0x7b, 0x3f, 0x2f, 0x3e, 0x3c,
	0x2c, 0x60, 0x21, 0x32, 0x26, 0x26, 0x28 };
static const uint8_t rfc_response[49] = {
	0x21,
	0x40,
	0x23,
	0x24,
	0x25,
	0x5e,
	0x26,
	0x2a,
	0x28,
	0x29,
	0x5f,
	0x2b,
	0x3a,
	0x33,
	0x7c,
	0x7e, /* peer */
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0, /* reserved */
	0x82,
	0x30,
	0x9e,
	0xcd,
	0x8d,
	0x70,
	0x8b,
	0x5e,
	0xa0,
	0x8f,
	0xaa,
	0x39,
	0x81,
	0xcd,
	0x83,
	0x54,
	0x42,
	0x33,
	0x11,
	0x4a,
	0x3d,
	0x85,
	0xd6,
	0xdf, /* NT */
	0,
};

static void
mschap2_of_the_rfc(void **state)
{
	struct auth_request req = {
		.proto = AUTH_MSCHAPV2,
		.user = "User",
		.claimed = "User",
		.password = rfc_response,
		.password_len = sizeof(rfc_response),
		.challenge = rfc_challenge,
		.challenge_len = sizeof(rfc_challenge),
	};

	(void)state;
	assert_int_equal(read_text("User * clientPass 10.0.0.9\n"
				   "ISP\\\\User * clientPass\n"),
	    0);
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
	assert_int_equal(ntohl(result.ip4), 0x0a000009);
	assert_string_equal(result.mschap, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
	req.user = req.claimed = "ISP\\User"; /* the domain is no part of the sum */
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
	assert_int_equal(result.ip4, 0);
	assert_string_equal(result.mschap, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}

static void
mschap2_refused(void **state)
{
	uint8_t response[49];
	char first[AUTH_TEXT];
	struct auth_request req = {
		.proto = AUTH_MSCHAPV2,
		.user = "User",
		.claimed = "User",
		.password = response,
		.password_len = sizeof(response),
		.challenge = rfc_challenge,
		.challenge_len = sizeof(rfc_challenge),
	};

	(void)state;
	assert_int_equal(read_text("User * clientPass\n"), 0);
	memcpy(response, rfc_response, sizeof(response));
	response[30] ^= 1;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
	assert_memory_equal(result.mschap, "E=691 R=0 C=", 12);
	assert_int_equal(strspn(result.mschap + 12, "0123456789ABCDEF"), 32);
	assert_string_equal(result.mschap + 44, " V=3 M=Access denied");
	strcpy(first, result.mschap);
	assert_true(ask(&req));
	assert_string_not_equal(first, result.mschap); /* a fresh challenge each time */
	req.password = rfc_response;
	req.password_len = 48;
	assert_true(ask(&req));
	assert_int_equal(result.verdict, AUTH_REFUSED);
}

static void
many_users(void **state)
{
	enum { USERS = 50000 };
	char name[32], secret[32];
	FILE *f = fopen(file, "w");
	unsigned int i;

	(void)state;
	assert_non_null(f);
	for (i = 0; i < USERS; i++)
		fprintf(
		    f, "user%u@isp * secret%u 10.%u.%u.%u\n", i, i, i >> 16, i >> 8 & 255, i & 255);
	fclose(f);
	errors[0] = '\0';
	assert_int_equal(read_named(file), 0);
	for (i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user%u@isp", i);
		snprintf(secret, sizeof(secret), "secret%u", i);
		assert_int_equal(pap_login(name, secret), 0x0a000000 + i);
	}
	assert_int_equal(pap_login("user50000@isp", "secret50000"), 2);
}

static void
random_files_do_no_harm(void **state)
{
	static const char letters[] = "ab\"'\\ \t\n\n#*1.\r";
	char text[400];
	unsigned int turn;
	size_t i, n;

	(void)state;
	srandom(3);
	for (turn = 0; turn < 3000; turn++) {
		n = (size_t)random() % (sizeof(text) - 1);
		for (i = 0; i < n; i++)
			text[i] = letters[(size_t)random() % (sizeof(letters) - 1)];
		text[n] = '\0';
		read_text(text);
		pap_login("a", "b");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_file),
		cmocka_unit_test(wrong_lines_are_named_and_the_rest_is_read),
		cmocka_unit_test(unreadable_file_changes_nothing),
		cmocka_unit_test(staged_is_not_in_force),
		cmocka_unit_test(no_file_forgets_all),
		cmocka_unit_test(pap_takes_the_password_only),
		cmocka_unit_test(chap_md5),
		cmocka_unit_test(mschap2_of_the_rfc),
		cmocka_unit_test(mschap2_refused),
		cmocka_unit_test(many_users),
		cmocka_unit_test(random_files_do_no_harm),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
