/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsctl's server over a loopback socket, with a clock that the test turns. The plugins and
 * the loop are stand-ins.
 */
#include "config.h"
#include "control.h"
#include "counter.h"
#include "ctlmsg.h"
#include "loop.h"
#include "plugin_host.h"
#include "role.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
const struct config *conf = &config;
static uint64_t now_ms;
static loop_fn server;
static int server_fd, client_fd;

static int calls; /* of plugin_control() */
static enum plugin_verdict verdict;
static const char *plugin_says;
static char loaded[64];
static unsigned int help_lines;

int
loop_add(int fd, loop_fn fn, void *arg)
{
	(void)arg;
	server_fd = fd;
	server = fn;
	return 0;
}

void
loop_del(int fd)
{
	assert_int_equal(fd, server_fd);
}

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

time_t
loop_time(void)
{
	return 0;
}

int
plugin_load(const char *name, char *why, size_t why_size)
{
	snprintf(loaded, sizeof(loaded), "+%s", name);
	snprintf(why, why_size, "there is no plugin %s", name);
	return strcmp(name, "good") == 0 ? 0 : -1;
}

int
plugin_unload(const char *name, char *why, size_t why_size)
{
	snprintf(loaded, sizeof(loaded), "-%s", name);
	snprintf(why, why_size, "%s is not loaded", name);
	return strcmp(name, "good") == 0 ? 0 : -1;
}

enum plugin_verdict
plugin_control(int argc, char **argv, char *text, size_t size)
{
	assert_true(argc >= 1 && argv[argc] == NULL);
	calls++;
	snprintf(text, size, "%s", plugin_says);
	return verdict;
}

void
plugin_help(plugin_help_fn line, void *arg)
{
	unsigned int i;

	for (i = 0; i < help_lines; i++)
		line(arg, "drop USER|SID [REASON]", "end a session");
}

/* --- a client --- */

static struct ctlmsg request, reply;
static uint8_t sent[CTLMSG_MAX_PACKET + 100], got[CTLMSG_MAX_PACKET];
static size_t sent_len, got_len;

static void
send_raw(const void *data, size_t len)
{
	assert_int_equal(send(client_fd, data, len, 0), (int)len);
	server(server_fd, NULL);
}

/* The next packet of the server into `reply`; false when there is none. */
static bool
hear(void)
{
	ssize_t n = recv(client_fd, got, sizeof(got), MSG_DONTWAIT);

	if (n < 0)
		return false;
	got_len = (size_t)n;
	assert_true(ctlmsg_decode(got, got_len, &reply));
	assert_int_equal(reply.id, request.id);
	return true;
}

static void
say(const char *secret)
{
	sent_len = ctlmsg_encode(&request, secret, sent, sizeof(sent));
	assert_true(sent_len > 0);
	send_raw(sent, sent_len);
}

static void
prepare(enum ctlmsg_type type, const char *first, const char *second)
{
	static char words[2][64];

	request = (struct ctlmsg){ .type = type };
	random_bytes(&request.id, sizeof(request.id));
	snprintf(words[0], sizeof(words[0]), "%s", first);
	snprintf(words[1], sizeof(words[1]), "%s", second ? second : "");
	request.argc = second ? 2 : 1;
	request.argv[0] = words[0];
	request.argv[1] = second ? words[1] : NULL;
}

/* Gives an unsigned command. */
static void
give(const char *first, const char *second)
{
	prepare(CTLMSG_COMMAND, first, second);
	say("");
}

/* Asks for a challenge and signs the command. */
static void
give_signed(const char *first, const char *secret)
{
	prepare(CTLMSG_HELLO, first, NULL);
	say("");
	assert_true(hear());
	assert_int_equal(reply.type, CTLMSG_CHALLENGE);
	memcpy(request.nonce, reply.nonce, sizeof(reply.nonce));
	request.type = CTLMSG_COMMAND;
	request.is_signed = true;
	say(secret);
}

static void
assert_reply(enum ctlmsg_status status, const char *text)
{
	assert_true(hear());
	assert_int_equal(reply.type, CTLMSG_REPLY);
	assert_int_equal(reply.status, status);
	assert_int_equal(reply.text_len, strlen(text));
	assert_memory_equal(reply.text, text, reply.text_len);
}

static int
set_up(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(CTLMSG_PORT) };
	char why[256];

	(void)state;
	config = (struct config){
		.nsctl_bind_address = htonl(0x7f000000 | (random_u32() & 0xfffffe) | 1),
	};
	*counters = (struct counters){ 0 };
	now_ms = 1000000;
	calls = 0;
	help_lines = 1;
	verdict = PLUGIN_DONE;
	plugin_says = "";
	assert_int_equal(control_start(why, sizeof(why)), 0);
	to.sin_addr.s_addr = conf->nsctl_bind_address;
	client_fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(client_fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(client_fd);
	control_stop();
	return 0;
}

/* --- tests --- */

static void
plugins_are_loaded(void **state)
{
	(void)state;
	give("load_plugin", "good");
	assert_reply(CTLMSG_OK, "");
	assert_string_equal(loaded, "+good");
	give("unload_plugin", "good");
	assert_reply(CTLMSG_OK, "");
	assert_string_equal(loaded, "-good");
	give("load_plugin", "bad");
	assert_reply(CTLMSG_REFUSED, "there is no plugin bad");
	give("unload_plugin", "bad");
	assert_reply(CTLMSG_REFUSED, "bad is not loaded");
	give("load_plugin", NULL);
	assert_reply(CTLMSG_REFUSED, "usage: load_plugin NAME");
	assert_int_equal(calls, 0);
}

static void
plugins_decide(void **state)
{
	(void)state;
	give("drop", "joe");
	assert_reply(CTLMSG_OK, "");
	verdict = PLUGIN_REFUSED;
	plugin_says = "user joe is not connected";
	give("drop", "joe");
	assert_reply(CTLMSG_REFUSED, plugin_says);
	plugin_says = "";
	give("drop", "joe");
	assert_reply(CTLMSG_REFUSED, "drop: refused");
	verdict = PLUGIN_UNKNOWN;
	give("dorp", "joe");
	assert_reply(CTLMSG_REFUSED, "unknown command dorp");
	verdict = PLUGIN_NOT_MASTER;
	give("drop", "joe");
	assert_reply(CTLMSG_REFUSED, "not master, and no master is known");
	role_set(false, inet_addr("10.0.0.2"));
	give("drop", "joe");
	assert_reply(CTLMSG_REFUSED, "not master, the master is 10.0.0.2");
	role_set(true, 0);
}

static void
help_lists_all(void **state)
{
	char text[CTLMSG_MAX_TEXT + 1];
	size_t len = 0;

	(void)state;
	help_lines = 100;
	give("help", NULL);
	while (hear()) {
		memcpy(text + len, reply.text, reply.text_len);
		len += reply.text_len;
	}
	assert_int_equal(reply.part, reply.parts - 1);
	assert_true(reply.parts > 1);
	text[len] = '\0';
	assert_non_null(strstr(text, "load_plugin NAME "));
	assert_non_null(strstr(text, "unload_plugin NAME "));
	assert_non_null(strstr(text, "\ndrop USER|SID [REASON] "));
	assert_int_equal(text[len - 1], '\n');
}

static void
too_much_help_is_cut_at_a_line(void **state)
{
	(void)state;
	help_lines = 1000;
	give("help", NULL);
	while (hear())
		;
	assert_int_equal(reply.parts, CTLMSG_MAX_PARTS);
	assert_int_equal(reply.part, CTLMSG_MAX_PARTS - 1);
	assert_int_equal(reply.text[reply.text_len - 1], '\n');
}

static void
a_repeated_command_is_done_once(void **state)
{
	int i;

	(void)state;
	verdict = PLUGIN_REFUSED;
	plugin_says = "no";
	give("drop", "joe");
	assert_reply(CTLMSG_REFUSED, "no");
	verdict = PLUGIN_DONE;
	for (i = 0; i < 3; i++) {
		say("");
		assert_reply(CTLMSG_REFUSED, "no");
	}
	assert_int_equal(calls, 1);
	assert_int_equal(counters->nsctl_commands, 1);
	assert_int_equal(counters->nsctl_repeated, 3);
}

static void
a_signed_command_is_answered_signed(void **state)
{
	(void)state;
	strcpy(config.nsctl_secret, "sesame");
	give_signed("drop", "sesame");
	assert_reply(CTLMSG_OK, "");
	assert_true(reply.is_signed);
	assert_memory_equal(reply.nonce, request.nonce, sizeof(reply.nonce));
	assert_true(ctlmsg_verify(got, got_len, "sesame"));
	assert_int_equal(calls, 1);
}

static void
another_secret_is_not_answered(void **state)
{
	(void)state;
	strcpy(config.nsctl_secret, "sesame");
	give_signed("drop", "Sesame");
	assert_false(hear());
	assert_int_equal(counters->nsctl_bad_secret, 1);
	config.nsctl_secret[0] = '\0'; /* taken away meanwhile */
	say("");
	assert_false(hear());
	assert_int_equal(counters->nsctl_bad_secret, 2);
	prepare(CTLMSG_HELLO, "drop", NULL);
	say("");
	assert_false(hear()); /* without a secret there is no challenge */
	assert_int_equal(calls, 0);
}

static void
a_recorded_command_is_not_done_again(void **state)
{
	unsigned int sec;

	(void)state;
	strcpy(config.nsctl_secret, "sesame");
	give_signed("drop", "sesame");
	assert_reply(CTLMSG_OK, "");
	for (sec = 0; sec < 200; sec++) {
		now_ms += 1000;
		send_raw(sent, sent_len);
		assert_int_equal(hear(), sec < 64 && counters->nsctl_bad_nonce == 0);
	}
	assert_int_equal(calls, 1);
	assert_in_range(counters->nsctl_bad_nonce, 136, 168);
}

/* The nonce of one request does not serve another, nor another client. */
static void
a_nonce_cannot_be_used_again(void **state)
{
	(void)state;
	strcpy(config.nsctl_secret, "sesame");
	give_signed("drop", "sesame");
	assert_reply(CTLMSG_OK, "");
	request.id++;
	say("sesame");
	assert_false(hear());
	assert_int_equal(counters->nsctl_bad_nonce, 1);

	give_signed("drop", "sesame");
	assert_reply(CTLMSG_OK, "");
	assert_int_equal(calls, 2);
	tear_down(NULL);
	set_up(NULL); /* another port, another run of the daemon */
	strcpy(config.nsctl_secret, "sesame");
	send_raw(sent, sent_len);
	assert_false(hear());
	assert_int_equal(counters->nsctl_bad_nonce, 1);
}

static void
rubbish_is_dropped(void **state)
{
	uint8_t noise[CTLMSG_MAX_PACKET + 100];
	unsigned int i, n = 0;

	(void)state;
	for (i = 0; i < sizeof(noise); i += 13, n++) {
		random_bytes(noise, i);
		send_raw(noise, i);
	}
	prepare(CTLMSG_COMMAND, "drop", "joe");
	sent_len = ctlmsg_encode(&request, "", sent, sizeof(sent));
	send_raw(sent, sizeof(sent)); /* too long */
	request.type = CTLMSG_REPLY;
	request.parts = 1;
	say("");
	assert_false(hear());
	assert_int_equal(counters->nsctl_malformed, n + 2);
	assert_int_equal(calls, 0);
}

static void
too_many_are_dropped(void **state)
{
	unsigned int i, answered = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		give("drop", "joe");
		answered += hear();
	}
	assert_int_equal(answered, 200);
	assert_int_equal(counters->nsctl_busy, 800);
	say("");
	assert_false(hear());
	now_ms += 100;
	say(""); /* the client repeats itself: now it is done */
	assert_reply(CTLMSG_OK, "");
	assert_int_equal(calls, 201);
}

static void
the_port_is_ours_alone(void **state)
{
	char why[256];
	int fd = server_fd;

	(void)state;
	assert_int_equal(control_start(why, sizeof(why)), -1);
	assert_non_null(strstr(why, "port 1702: Address already in use"));
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plugins_are_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(plugins_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(help_lists_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_much_help_is_cut_at_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_repeated_command_is_done_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_signed_command_is_answered_signed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_secret_is_not_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_recorded_command_is_not_done_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_nonce_cannot_be_used_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rubbish_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_are_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_port_is_ours_alone, set_up, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
