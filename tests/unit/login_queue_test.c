/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line in front of RADIUS, against a server that the test plays, with a clock that it
 * turns: what waits is asked about in turn, tunnel by tunnel, with what it had proven; the
 * window follows the server; who goes is forgotten; a full line says so.
 */
#include "counter.h"
#include "login_queue.h"
#include "loop.h"
#include "note.h"
#include "radius.h"
#include "session.h"
#include "timer.h"
#include "tunnel.h"
#include "tests/unit/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 80000, TUNNELS = 4, FIRST_WINDOW = 64, POOL = 65536 };

static uint32_t busy_ms;
static unsigned int slots = RADIUS_SLOTS;
static bool configured = true;

/* What is under way, in the order in which it was sent. */
static struct {
	sess_id s;
	uint32_t number;
} sent[RADIUS_SLOTS];
static unsigned int n_sent, total_sent, most_sent;
static unsigned int n_results, n_busy, n_nobody;
static char last_user[64], last_password[64], last_challenge[64];
static uint8_t last_id;

uint32_t
loop_busy_ms(void)
{
	return busy_ms;
}

time_t
loop_time(void)
{
	return 1700000000;
}

bool
radius_has_room(void)
{
	return n_sent < slots;
}

bool
radius_authenticate(sess_id s, const struct auth_request *req)
{
	if (!configured)
		return false;
	assert_true(n_sent < slots);
	sent[n_sent].s = s;
	sent[n_sent++].number = req->number;
	total_sent++;
	most_sent = MAX(most_sent, n_sent);
	snprintf(last_user, sizeof(last_user), "%s", req->user);
	snprintf(last_password, sizeof(last_password), "%.*s", (int)req->password_len,
	    (const char *)req->password);
	snprintf(last_challenge, sizeof(last_challenge), "%.*s", (int)req->challenge_len,
	    req->challenge_len ? (const char *)req->challenge : "");
	last_id = req->id;
	return true;
}

static void
forget(unsigned int i)
{
	n_sent--;
	memmove(&sent[i], &sent[i + 1], (n_sent - i) * sizeof(sent[0]));
}

void
radius_cancel(sess_id s)
{
	unsigned int i;

	for (i = 0; i < n_sent; i++)
		if (sent[i].s == s)
			forget(i--);
}

static void
hear_result(sess_id s, const struct auth_result *res)
{
	(void)s;
	n_results++;
	n_busy += res->verdict == AUTH_BUSY;
	n_nobody += res->verdict == AUTH_NO_ANSWER;
}

static const struct hook_table hooks = {
	.session = (void (*const[])(sess_id, enum sess_event)){ login_queue_session, NULL },
	.auth_result = (void (*const[])(sess_id, const struct auth_result *)){ login_queue_result,
	    hear_result, NULL },
};

/* The server's answer to the i-th that is under way. */
static void
answer(unsigned int i, uint8_t tries)
{
	struct auth_result res = { .verdict = AUTH_ACCEPTED, .number = sent[i].number };
	sess_id s = sent[i].s;

	assert_true(i < n_sent);
	res.tries = tries;
	forget(i);
	hook_auth_result(s, &res);
}

static void
pass(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	for (; now_ms < until; now_ms += 10, timer_run(now_ms))
		;
}

static tunn_id tunnels[TUNNELS];

static sess_id
log_in(unsigned int tunnel, uint32_t number)
{
	static uint16_t peer_sid;
	struct auth_request req = {
		.number = number,
		.proto = AUTH_CHAP,
		.id = (uint8_t)number,
		.password = (const uint8_t *)"response",
		.password_len = 8,
		.challenge = (const uint8_t *)"challenge",
		.challenge_len = 9,
	};
	sess_id s = session_new(tunnels[tunnel], ++peer_sid ? peer_sid : ++peer_sid);
	char user[32];

	assert_int_not_equal(s, 0);
	snprintf(user, sizeof(user), "user%u", (unsigned)number);
	session_set_user(s, user);
	req.user = req.claimed = user;
	assert_int_equal(login_queue_authenticate(s, &req), configured);
	return s;
}

static void
end(sess_id s)
{
	hook_session(s, SESS_EV_GONE);
	session_free(s);
}

static int
set_up(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < TUNNELS; i++) {
		tunnels[i] = tunnel_new(htonl(1 + i), 1701, 7, 0);
		tunnel_set_state(tunnels[i], TUNNEL_OPEN);
	}
	slots = RADIUS_SLOTS;
	configured = true;
	n_sent = total_sent = most_sent = n_results = n_busy = n_nobody = 0;
	counter_clear();
	return 0;
}

static int
tear_down(void **state)
{
	unsigned int i;
	sess_id s;

	(void)state;
	for (i = 0; i < TUNNELS; i++) {
		while ((s = session_first_of_tunnel(tunnels[i])))
			end(s);
		tunnel_free(tunnels[i]);
	}
	assert_int_equal(counters->login_waiting, 0);
	assert_int_equal(n_sent, 0);
	pass(2000);
	return 0;
}

static void
one_is_asked_at_once(void **state)
{
	(void)state;
	log_in(0, 5);
	assert_int_equal(n_sent, 1);
	assert_int_equal(counters->login_waited, 0);
	answer(0, 1);
	assert_int_equal(n_results, 1);
}

static void
the_rest_waits_with_its_proof(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 1; i <= FIRST_WINDOW + 2; i++)
		log_in(0, i);
	assert_int_equal(n_sent, FIRST_WINDOW);
	assert_int_equal(counters->login_waiting, 2);
	last_user[0] = last_password[0] = '\0';
	answer(0, 2); /* a slow server: the window stays at its least */
	assert_int_equal(n_sent, FIRST_WINDOW);
	assert_string_equal(last_user, "user65");
	assert_string_equal(last_password, "response");
	assert_string_equal(last_challenge, "challenge");
	assert_int_equal(last_id, 65);
	assert_int_equal(sent[n_sent - 1].number, 65);
	while (n_sent)
		answer(0, 1);
	assert_int_equal(total_sent, FIRST_WINDOW + 2);
	assert_int_equal(n_results, FIRST_WINDOW + 2);
	assert_int_equal(counters->login_waited, 2);
}

/* One login of another tunnel does not wait behind a thousand. */
static void
tunnels_take_turns(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 1; i <= 1000; i++)
		log_in(0, i);
	log_in(1, 2000);
	log_in(2, 3000);
	for (i = 0; i < 3; i++)
		answer(0, 2);
	assert_int_equal(sent[FIRST_WINDOW - 3].number, 65);
	assert_int_equal(sent[FIRST_WINDOW - 2].number, 2000);
	assert_int_equal(sent[FIRST_WINDOW - 1].number, 3000);
	answer(0, 2);
	assert_int_equal(sent[FIRST_WINDOW - 1].number, 66);
}

/* A server that answers within 20 ms, however many ask, is asked about thousands at a time. */
static void
window_follows_a_fast_server(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 1; i <= 20000; i++)
		log_in(i % TUNNELS, i);
	while (n_sent) {
		pass(20);
		for (n = n_sent; n; n--)
			answer(0, 1);
	}
	assert_int_equal(total_sent, 20000);
	assert_in_range(most_sent, 4000, RADIUS_SLOTS);
}

/* That we were busy does not make it slow. */
static void
window_grows_while_we_are_slow(void **state)
{
	unsigned int i, n;

	(void)state;
	busy_ms = 200;
	for (i = 1; i <= 20000; i++)
		log_in(i % TUNNELS, i);
	answer(0, 1); /* at once */
	while (n_sent) {
		pass(200);
		for (n = n_sent; n; n--)
			answer(0, 1);
	}
	busy_ms = 0;
	assert_in_range(most_sent, 4000, RADIUS_SLOTS);
}

/* One that does 2,000 a second is not asked about more than it does in a quarter of one. */
static void
window_follows_a_slow_server(void **state)
{
	unsigned int i, n;

	(void)state;
	for (i = 1; i <= 20000; i++)
		log_in(i % TUNNELS, i);
	while (n_sent) {
		pass(10);
		for (n = 0; n < 20 && n_sent; n++)
			answer(0, 1);
	}
	assert_int_equal(total_sent, 20000);
	assert_in_range(most_sent, FIRST_WINDOW, 500);
}

/* Losses of one moment count once. */
static void
window_is_halved_by_loss(void **state)
{
	unsigned int i, before;

	(void)state;
	for (i = 1; i <= 10000; i++)
		log_in(0, i);
	for (i = 0; i < 1000; i++)
		answer(0, 1);
	before = n_sent;
	assert_in_range(before, 1000, 1200);
	pass(1000);
	for (i = 0; i < 100; i++)
		answer(0, 2);
	while (n_sent > before / 2)
		answer(0, 2);
	answer(0, 2);
	assert_int_equal(n_sent, before / 2);
	before = n_sent;
	for (i = 0; i < before; i++) /* all that had been sent before */
		answer(0, 2);
	assert_int_equal(n_sent, before);
	for (i = 0; i < before + 1; i++) /* and grows by one a window */
		answer(0, 1);
	assert_int_equal(n_sent, before + 1);
}

static void
who_goes_is_forgotten(void **state)
{
	sess_id s[FIRST_WINDOW + 3];
	unsigned int i;

	(void)state;
	for (i = 0; i < FIRST_WINDOW + 3; i++)
		s[i] = log_in(0, i + 1);
	end(s[FIRST_WINDOW]); /* waited */
	assert_int_equal(counters->login_waiting, 2);
	assert_int_equal(n_sent, FIRST_WINDOW);
	end(s[0]); /* was asked about: the next one has its turn */
	assert_int_equal(n_sent, FIRST_WINDOW);
	assert_int_equal(sent[FIRST_WINDOW - 1].s, s[FIRST_WINDOW + 1]);
	login_queue_cancel(s[FIRST_WINDOW + 2]);
	assert_int_equal(counters->login_waiting, 0);
}

/* Slots that accounting or a narrow range of ports leaves: tried again when there may be some. */
static void
no_slots(void **state)
{
	unsigned int i;

	(void)state;
	slots = 10;
	for (i = 1; i <= 30; i++)
		log_in(0, i);
	assert_int_equal(n_sent, 10);
	assert_int_equal(n_busy, 0);
	slots = 20;
	pass(300);
	assert_int_equal(n_sent, 20);
}

static void
servers_are_taken_away(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 1; i <= FIRST_WINDOW + 100; i++)
		log_in(0, i);
	configured = false;
	while (n_sent)
		answer(0, 1);
	assert_int_equal(n_nobody, 100);
	assert_int_equal(counters->login_waiting, 0);
	log_in(0, 1000);
}

static void
too_many_wait(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < FIRST_WINDOW + POOL + 5; i++)
		log_in(i % TUNNELS, i + 1);
	assert_int_equal(counters->login_waiting, POOL);
	assert_int_equal(counters->login_queue_full, 5);
	assert_int_equal(n_busy, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(one_is_asked_at_once),
		T(the_rest_waits_with_its_proof),
		T(tunnels_take_turns),
		T(window_follows_a_fast_server),
		T(window_grows_while_we_are_slow),
		T(window_follows_a_slow_server),
		T(window_is_halved_by_loss),
		T(who_goes_is_forgotten),
		T(no_slots),
		T(servers_are_taken_away),
		T(too_many_wait),
#undef T
	};

	counter_init();
	note_init(SESSIONS);
	tunnel_init(TUNNELS);
	session_init(SESSIONS);
	login_queue_init(TUNNELS);
	hook_init(&hooks);
	timer_run(now_ms);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
