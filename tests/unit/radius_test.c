/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS client against two servers on loopback sockets, with a clock that the
 * test turns: schedule, fail-over, dead servers, checks of replies, slots. Loop,
 * sessions and configuration are stand-ins; the digests are worked out here.
 */
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "note.h"
#include "rad_server.h"
#include "radattr.h"
#include "radius.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"
#include "tests/unit/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SESSIONS = 20000 };

/* How a reply is spoilt. */
enum fault { FINE, BAD_AUTHENTICATOR, BAD_MA, NO_MA, WRONG_ID, CUT, ODD_CODE, STRANGER, JUNK };

static struct config config;
const struct config *conf = &config;
static struct session session = { .user = "fred" };
static int server_fd[2], stranger_fd;
static unsigned int server_port[2];
static uint16_t *table;

static struct {
	loop_fn fn;
	void *arg;
} watched[FD_SETSIZE];

static struct {
	const char *name;
	config_apply_fn fn;
} applies[32];
static unsigned int n_applies;

/* The last result, and how many there were. */
static struct auth_result result;
static sess_id result_of;
static unsigned int results;
static const char *reply_secret = "secret"; /* what replies are signed with */
static bool again;			    /* ask anew from inside the callback */

static const struct auth_request pap = {
	.proto = AUTH_PAP,
	.id = 1,
	.user = "fred",
	.password = (const uint8_t *)"flintstone",
	.password_len = 10,
};

void
hook_auth_result(sess_id s, const struct auth_result *res)
{
	result = *res;
	result_of = s;
	results++;
	if (again) {
		again = false;
		assert_true(radius_authenticate(s, &pap));
	}
}

int
loop_add(int fd, loop_fn fn, void *arg)
{
	watched[fd].fn = fn;
	watched[fd].arg = arg;
	return 0;
}

void
loop_del(int fd)
{
	watched[fd].fn = NULL;
}

const struct session *
session_get(sess_id id)
{
	return id > 0 && id <= SESSIONS ? &session : NULL;
}

sess_id
session_id(const struct session *s)
{
	(void)s;
	return 1;
}

void *
session_table(const char *what, size_t size)
{
	(void)what;
	assert_int_equal(size, sizeof(*table));
	return table;
}

const struct tunnel *
tunnel_get(tunn_id id)
{
	(void)id;
	return NULL;
}

uint32_t
udp_local_address(uint8_t local)
{
	(void)local;
	return 0;
}

uint32_t
config_nas_ip(void)
{
	return htonl(INADDR_LOOPBACK);
}

unsigned int
config_radius_port(int server)
{
	return server_port[server];
}

void
config_on_change(const char *name, config_apply_fn fn)
{
	assert_true(n_applies < ARRAY_LEN(applies));
	applies[n_applies].name = name;
	applies[n_applies++].fn = fn;
}

static void
changed(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_applies; i++)
		if (strcmp(applies[i].name, name) == 0)
			applies[i].fn();
}

static int
loopback_socket(unsigned int *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&sin, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &size), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static void
servers(int first, int second)
{
	config.primary_radius = first ? htonl(INADDR_LOOPBACK) : 0;
	config.secondary_radius = second ? htonl(INADDR_LOOPBACK) : 0;
	changed("primary_radius");
}

/* Calls what is due; `ms` in steps as the loop would. */
static void
advance(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	while (now_ms < until) {
		now_ms += MIN(until - now_ms, TIMER_TICK_MS);
		timer_run(now_ms);
	}
}

/* Readable sockets are read. */
static void
run_sockets(void)
{
	int fd, pass;
	fd_set set;
	struct timeval none = { 0 };

	for (pass = 0; pass < 4; pass++) {
		FD_ZERO(&set);
		for (fd = 0; fd < FD_SETSIZE; fd++)
			if (watched[fd].fn)
				FD_SET(fd, &set);
		if (select(FD_SETSIZE, &set, NULL, NULL, &none) <= 0)
			return;
		for (fd = 0; fd < FD_SETSIZE; fd++)
			if (FD_ISSET(fd, &set) && watched[fd].fn)
				watched[fd].fn(fd, watched[fd].arg);
	}
}

/* A request that came to a server. */
struct got {
	uint8_t data[RAD_MAX_PACKET];
	size_t len;
	struct sockaddr_in from;
	int server;
};

static struct got probe; /* the last Status-Server that came */
static unsigned int probes;

static bool
get(int server, struct got *g)
{
	socklen_t size = sizeof(g->from);
	ssize_t n = recvfrom(
	    server_fd[server], g->data, sizeof(g->data), 0, (struct sockaddr *)&g->from, &size);

	g->len = n > 0 ? (size_t)n : 0;
	g->server = server;
	if (n > 0 && g->data[0] == RAD_STATUS_SERVER) {
		probe = *g;
		probes++;
		return get(server, g);
	}
	return n > 0;
}

static unsigned int
drain(int server)
{
	struct got g;
	unsigned int n = 0;

	while (get(server, &g))
		n++;
	return n;
}

/* Message-Authenticator (if any, right behind the header) and Response Authenticator of a reply. */
static void
sign(uint8_t *packet, size_t len, const uint8_t *request_authenticator, const char *secret, bool ma)
{
	struct hmac_md5_ctx hmac;
	struct md5_ctx md5;

	memcpy(packet + 4, request_authenticator, 16);
	if (ma) {
		hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
		hmac_md5_update(&hmac, len, packet);
		hmac_md5_digest(&hmac, 16, packet + 22);
	}
	md5_init(&md5);
	md5_update(&md5, len, packet);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_digest(&md5, 16, packet + 4);
}

static void
answer(const struct got *g, uint8_t code, enum fault fault)
{
	uint8_t p[128] = { fault == ODD_CODE ? RAD_ACCOUNTING_RESPONSE : code, g->data[1], 0, 0 };
	size_t len = RAD_HEADER;
	int fd = fault == STRANGER ? stranger_fd : server_fd[g->server];

	if (fault == WRONG_ID)
		p[1]++;
	if (fault != NO_MA) {
		p[len] = RAD_MESSAGE_AUTHENTICATOR;
		p[len + 1] = 18;
		len += 18;
	}
	memcpy(p + len, "\10\6\12\1\2\3", 6); /* Framed-IP-Address 10.1.2.3 */
	len += 6;
	p[3] = (uint8_t)len;
	sign(p, len, g->data + 4, reply_secret, fault != NO_MA);
	if (fault == BAD_MA) { /* wrong inside, the whole signed all the same */
		p[30] ^= 1;
		sign(p, len, g->data + 4, reply_secret, false);
	}
	if (fault == BAD_AUTHENTICATOR)
		p[4] ^= 1;
	if (fault == JUNK)
		memset(p, 0xff, len);
	if (fault == CUT)
		len--;
	assert_int_equal(
	    sendto(fd, p, len, 0, (const struct sockaddr *)&g->from, sizeof(g->from)), len);
	run_sockets();
}

static uint32_t
in_use(void)
{
	struct radius_counts c;

	radius_counts(&c);
	assert_int_equal(c.free + c.used + c.resting, RADIUS_SLOTS);
	return c.used;
}

static uint32_t
resting(void)
{
	struct radius_counts c;

	radius_counts(&c);
	return c.resting;
}

static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	strcpy(config.radius_secret, "secret");
	strcpy(config.hostname, "lns");
	drain(0);
	drain(1);
	servers(0, 0); /* forgets what was learnt */
	servers(1, 1);
	memset(&result, 0, sizeof(result));
	results = 0;
	probes = 0;
	again = false;
	memset(counters, 0, sizeof(*counters));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	radius_fini();
	assert_int_equal(in_use() + resting(), 0);
	return 0;
}

static void
accepted_login(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	assert_int_equal(in_use(), 1);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(result_of, 5);
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
	assert_int_equal(result.ip4, htonl(0x0a010203));
	assert_int_equal(in_use(), 0);
	answer(&g, RAD_ACCESS_ACCEPT, FINE); /* the same once more */
	assert_int_equal(results, 1);
	assert_int_equal(counters->radius_bad_id, 1);
	advance(20000);
	assert_int_equal(results, 1);
	assert_int_equal(drain(0) + drain(1), 0);
}

static void
refused_logins(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_REJECT, FINE);
	assert_int_equal(result.verdict, AUTH_REFUSED);
	assert_int_equal(result.ip4, 0);
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_CHALLENGE, FINE);
	assert_int_equal(results, 2);
	assert_int_equal(result.verdict, AUTH_REFUSED);
}

static void
repeated_login_starts_no_second_request(void **state)
{
	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(radius_authenticate(5, &pap));
	assert_int_equal(in_use(), 1);
	assert_int_equal(drain(0), 1);
	assert_true(radius_authenticate(6, &pap));
	assert_int_equal(in_use(), 2);
}

/* Another login of the session: the answer about the first one meets nobody. */
static void
another_login_replaces_the_first(void **state)
{
	struct auth_request other = pap;
	struct got first, second;

	(void)state;
	other.number = 17;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &first));
	assert_true(radius_authenticate(5, &other));
	assert_int_equal(in_use(), 1);
	assert_true(get(0, &second));
	answer(&first, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 0);
	assert_int_equal(counters->radius_bad_id, 1);
	answer(&second, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(result.number, 17);
}

static void
cancelled_login_is_not_answered(void **state)
{
	struct got g;

	(void)state;
	radius_cancel(5);
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	radius_cancel(5);
	assert_int_equal(in_use(), 0);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	advance(13000);
	assert_int_equal(results, 0);
	assert_int_equal(drain(0) + drain(1), 0);
}

/* Turns the clock through a whole request and checks when which server saw it. */
static void
check_schedule(const unsigned int at_ms[6], const int server[6])
{
	uint64_t began = now_ms;
	unsigned int step, sent = 0;
	struct got g, first;
	int last = -1;

	for (step = 0; step <= 12050; step += TIMER_TICK_MS) {
		assert_true(sent < 6 || results == 0 || now_ms - began >= 12000);
		while (get(0, &g) || get(1, &g)) {
			assert_true(sent < 6);
			assert_int_equal(g.server, server[sent]);
			assert_in_range(now_ms - began, at_ms[sent], at_ms[sent] + 60);
			if (g.server != last)
				first = g;
			last = g.server;
			assert_int_equal(g.len, first.len);
			assert_memory_equal(g.data, first.data, g.len);
			sent++;
		}
		if (step < 12000)
			assert_int_equal(results, 0);
		advance(TIMER_TICK_MS);
	}
	assert_int_equal(sent, 6);
	advance(100);
	assert_int_equal(results, 1);
	assert_int_equal(result.verdict, AUTH_NO_ANSWER);
	assert_int_equal(in_use(), 0);
	assert_int_equal(counters->radius_sent, 6);
	assert_int_equal(counters->radius_retries, 5);
	assert_int_equal(counters->radius_timeout, 1);
}

static void
schedule_with_two_servers(void **state)
{
	(void)state;
	assert_true(radius_authenticate(5, &pap));
	check_schedule((const unsigned int[]){ 0, 1000, 3000, 5000, 6000, 8000 },
	    (const int[]){ 0, 0, 0, 1, 1, 1 });
	assert_int_equal(counters->radius_failover, 1);
}

static void
schedule_with_one_server(void **state)
{
	(void)state;
	servers(0, 1);
	assert_true(radius_authenticate(5, &pap));
	check_schedule((const unsigned int[]){ 0, 1000, 3000, 5000, 6000, 8000 },
	    (const int[]){ 1, 1, 1, 1, 1, 1 });
	assert_int_equal(counters->radius_failover, 0);
}

static void
schedule_after_a_pause_of_the_clock(void **state)
{
	(void)state;
	assert_true(radius_authenticate(5, &pap));
	now_ms += 7000; /* the loop stood still */
	timer_run(now_ms);
	assert_int_equal(drain(0), 2);
	advance(1900); /* the waits stay what they are: no burst */
	assert_int_equal(drain(0) + drain(1), 0);
	advance(200);
	assert_int_equal(drain(0), 1);
}

static void
timer_that_is_early_sends_nothing(void **state)
{
	(void)state;
	now_ms += 500; /* the wheel has not been turned since */
	assert_true(radius_authenticate(5, &pap));
	assert_int_equal(drain(0), 1);
	advance(990);
	assert_int_equal(drain(0), 0);
	advance(50);
	assert_int_equal(drain(0), 1);
}

static void
late_answer_of_the_first_server_counts(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	advance(5500);
	assert_int_equal(drain(1), 1);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
}

static void
second_server_that_was_not_asked_is_a_stranger(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	g.server = 1;
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 0);
	assert_int_equal(counters->radius_bad_source, 1);
}

static void
bad_replies_are_dropped_and_counted(void **state)
{
	static const struct {
		enum fault fault;
		size_t counter;
	} cases[] = {
		{ BAD_AUTHENTICATOR, offsetof(struct counters, radius_bad_authenticator) },
		{ BAD_MA, offsetof(struct counters, radius_no_message_authenticator) },
		{ NO_MA, offsetof(struct counters, radius_no_message_authenticator) },
		{ WRONG_ID, offsetof(struct counters, radius_bad_id) },
		{ CUT, offsetof(struct counters, radius_malformed) },
		{ ODD_CODE, offsetof(struct counters, radius_malformed) },
		{ JUNK, offsetof(struct counters, radius_malformed) },
		{ STRANGER, offsetof(struct counters, radius_bad_source) },
	};
	struct got g;
	uint64_t count;
	size_t i;

	(void)state;
	config.radius_require_message_authenticator = CONF_YES;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		memset(counters, 0, sizeof(*counters));
		answer(&g, RAD_ACCESS_ACCEPT, cases[i].fault);
		assert_int_equal(results, 0);
		assert_int_equal(in_use(), 1);
		memcpy(&count, (const char *)counters + cases[i].counter, sizeof(count));
		assert_int_equal(count, 1);
		assert_int_equal(counters->radius_received, 1);
	}
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
}

/* A login whose reply lacks the Message-Authenticator. */
static bool
unsigned_reply_is_taken(void)
{
	struct got g;
	bool taken;

	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	results = 0;
	answer(&g, RAD_ACCESS_ACCEPT, NO_MA);
	taken = results == 1;
	if (!taken)
		answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	return taken;
}

static void
message_authenticator_auto_learns(void **state)
{
	struct got g;

	(void)state;
	assert_true(unsigned_reply_is_taken());
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_REJECT, FINE);
	assert_false(unsigned_reply_is_taken());
	config.radius_require_message_authenticator = CONF_NO;
	assert_true(unsigned_reply_is_taken());
}

/* A login whose first packet goes where? */
static int
asked_first(void)
{
	struct got g;
	int first;

	assert_true(radius_authenticate(7, &pap));
	first = get(0, &g) ? 0 : get(1, &g) ? 1 : -1;
	radius_session(7, SESS_EV_GONE);
	return first;
}

static void
leave_unanswered(unsigned int times)
{
	unsigned int i;

	for (i = 0; i < times; i++) {
		assert_true(radius_authenticate(5, &pap));
		advance(12100);
	}
	drain(0);
	drain(1);
}

static void
dead_server_is_asked_last_and_probed(void **state)
{
	struct got g;

	(void)state;
	servers(1, 1);
	/* three at once, moved on after 5 s; the second server answers them */
	assert_true(radius_authenticate(1, &pap));
	assert_true(radius_authenticate(2, &pap));
	assert_int_equal(asked_first(), 0);
	assert_true(radius_authenticate(3, &pap));
	advance(5100);
	drain(0);
	while (get(1, &g))
		answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 3);
	assert_int_equal(asked_first(), 1);
	advance(34800); /* a Status-Server was not answered meanwhile */
	assert_int_equal(asked_first(), 1);
	advance(300);
	assert_int_equal(asked_first(), 0); /* on trial */
	assert_int_equal(asked_first(), 1);
	assert_int_equal(probes, 1);
	advance(30100);
	assert_true(radius_authenticate(4, &pap)); /* the next one */
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_REJECT, FINE);
	assert_int_equal(asked_first(), 0);
	assert_int_equal(counters->radius_probes, 2);
	advance(60000);
	assert_int_equal(counters->radius_probes, 2);
}

static void
reply_between_keeps_a_server_alive(void **state)
{
	struct got g;

	(void)state;
	leave_unanswered(2);
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_REJECT, FINE);
	leave_unanswered(2);
	assert_int_equal(asked_first(), 0);
	leave_unanswered(1);
	assert_int_equal(asked_first(), 0); /* the other one is dead too: in order all the same */
}

static void
forged_reply_revives_nobody(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(1, &pap));
	assert_true(radius_authenticate(2, &pap));
	assert_true(radius_authenticate(3, &pap));
	assert_true(get(0, &g));
	advance(5100);
	drain(0);
	assert_int_equal(asked_first(), 1);
	answer(&g, RAD_ACCESS_ACCEPT, BAD_AUTHENTICATOR);
	assert_int_equal(asked_first(), 1);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(asked_first(), 0);
}

static void
session_that_goes_is_forgotten(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	radius_session(5, SESS_EV_UP);
	radius_session(6, SESS_EV_GONE);
	assert_int_equal(in_use(), 1);
	radius_session(5, SESS_EV_DOWN);
	radius_session(5, SESS_EV_GONE);
	assert_int_equal(in_use(), 0);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	advance(20000);
	assert_int_equal(results, 0);
	assert_int_equal(drain(0) + drain(1), 0);
}

static void
callback_may_ask_again(void **state)
{
	struct got g;

	(void)state;
	again = true;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_REJECT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(in_use(), 1);
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 2);
	assert_int_equal(result.verdict, AUTH_ACCEPTED);
}

/* Socket and id of a request as the server sees them. */
static uint32_t
seen_as(const struct got *g)
{
	return (uint32_t)ntohs(g->from.sin_port) << 8 | g->data[1];
}

static void
id_comes_back_as_late_as_possible(void **state)
{
	static uint32_t seen[RADIUS_SLOTS + 1];
	struct got g;
	unsigned int i, k, doubles = 0;

	(void)state;
	for (i = 0; i <= RADIUS_SLOTS; i++) {
		assert_true(radius_authenticate(5, &pap));
		assert_true(get(0, &g));
		seen[i] = seen_as(&g);
		answer(&g, RAD_ACCESS_ACCEPT, FINE);
	}
	assert_int_equal(resting(), 0);
	for (i = 1; i < RADIUS_SLOTS; i += 97)
		for (k = 0; k < i; k++)
			doubles += seen[i] == seen[k];
	assert_int_equal(doubles, 0);
	assert_int_equal(seen[0], seen[RADIUS_SLOTS]);
}

static void
all_slots_and_one_more(void **state)
{
	struct radius_row row;
	sess_id s;
	uint32_t i, rows = 0;

	(void)state;
	for (s = 1; s <= RADIUS_SLOTS; s++)
		assert_true(radius_authenticate(s, &pap));
	assert_int_equal(in_use(), RADIUS_SLOTS);
	assert_int_equal(counters->radius_overflow, 0);
	assert_true(radius_authenticate(s, &pap));
	assert_int_equal(counters->radius_overflow, 1);
	assert_int_equal(results, 1);
	assert_int_equal(result.verdict, AUTH_BUSY);
	assert_int_equal(result_of, s);
	results = 0;
	for (i = 0; i < RADIUS_SLOTS + 10; i++)
		rows += radius_row(i, &row);
	assert_int_equal(rows, RADIUS_SLOTS);
	radius_session(77, SESS_EV_GONE); /* its answer may come still */
	assert_true(radius_authenticate(s, &pap));
	assert_int_equal(result.verdict, AUTH_BUSY);
	advance(10100);
	assert_true(radius_authenticate(s, &pap));
	assert_int_equal(in_use(), RADIUS_SLOTS);
	advance(2100);
	assert_int_equal(results, RADIUS_SLOTS);
	assert_int_equal(in_use(), 1);
	assert_int_equal(resting(), RADIUS_SLOTS - 1);
	advance(10400);
	assert_int_equal(in_use(), 0);
	assert_int_equal(resting(), 1);
	advance(10000);
	assert_int_equal(resting(), 0);
}

static void
rows_for_show(void **state)
{
	const struct auth_request chap = {
		.proto = AUTH_CHAP,
		.user = "fred",
		.password = (const uint8_t *)"0123456789abcdef",
		.password_len = 16,
		.challenge = (const uint8_t *)"challenge",
		.challenge_len = 9,
	};
	struct radius_row row = { 0 };
	uint32_t i, rows = 0;

	(void)state;
	assert_true(radius_authenticate(8, &chap));
	advance(1100);
	for (i = 0; i < RADIUS_SLOTS && !rows; i++)
		rows += radius_row(i, &row);
	assert_int_equal(rows, 1);
	assert_int_equal(row.id, i - 1);
	assert_int_equal(row.s, 8);
	assert_int_equal(row.state, RADIUS_CHAP);
	assert_string_equal(radius_state_names[row.state], "CHAP");
	assert_int_equal(row.tries, 2);
	assert_in_range(row.retry * 100, now_ms + 1700, now_ms + 2000);
	assert_false(radius_row(RADIUS_SLOTS, &row));
}

static void
nothing_configured(void **state)
{
	(void)state;
	config.radius_secret[0] = '\0';
	changed("radius_secret");
	assert_false(radius_authenticate(5, &pap));
	strcpy(config.radius_secret, "secret");
	servers(0, 0);
	assert_false(radius_authenticate(5, &pap));
	assert_int_equal(in_use(), 0);
	servers(1, 0);
	assert_true(radius_authenticate(5, &pap));
}

static void
login_that_no_packet_can_hold_is_refused(void **state)
{
	struct auth_request odd = pap;

	(void)state;
	odd.proto = AUTH_CHAP;
	assert_true(radius_authenticate(5, &odd));
	assert_int_equal(results, 1);
	assert_int_equal(result.verdict, AUTH_REFUSED);
	assert_int_equal(in_use(), 0);
}

static void
pending_request_keeps_its_secret_and_server(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	strcpy(config.radius_secret, "another");
	servers(0, 1);
	advance(1100);
	assert_int_equal(drain(0), 1);
	answer(&g, RAD_ACCESS_ACCEPT, FINE); /* signed with the old one */
	assert_int_equal(results, 1);
	assert_int_equal(asked_first(), 1);
}

static void
ports_of_the_range_are_used(void **state)
{
	struct got g;
	sess_id s;

	(void)state;
	config.radius_bind_min = 40000;
	config.radius_bind_max = 40255;
	changed("radius_bind_min");
	for (s = 1; s <= 1000; s++) {
		assert_true(radius_authenticate(s, &pap));
		assert_true(get(0, &g));
		assert_in_range(ntohs(g.from.sin_port), 40000, 40255);
	}
	config.radius_bind_min = config.radius_bind_max = 0;
	changed("radius_bind_max");
	for (; s <= 1200;
	     s++) { /* not through sockets of the range, though requests keep them open */
		assert_true(radius_authenticate(s, &pap));
		assert_true(get(0, &g));
		assert_false(ntohs(g.from.sin_port) >= 40000 && ntohs(g.from.sin_port) <= 40255);
	}
}

/* Ports that are not to be had cost capacity and nothing else. */
static void
narrow_range_serves_what_it_can(void **state)
{
	unsigned int taken;
	int fd = loopback_socket(&taken);
	sess_id s;

	(void)state;
	config.radius_bind_min = config.radius_bind_max = taken;
	changed("radius_bind_min");
	assert_true(radius_authenticate(5, &pap)); /* every port is taken */
	assert_int_equal(counters->radius_overflow, 1);
	close(fd);
	advance(6000);
	assert_true(radius_authenticate(5, &pap));
	assert_int_equal(in_use(), 1);
	assert_int_equal(drain(0), 1);
	for (s = 10; s < 10 + 255; s++)
		assert_true(radius_authenticate(s, &pap));
	assert_int_equal(in_use(), 256);
	assert_true(radius_authenticate(9, &pap)); /* full */
	assert_int_equal(in_use(), 256);
	for (s = 10; s < 10 + 255; s++)
		radius_session(s, SESS_EV_GONE);
	radius_session(5, SESS_EV_GONE);
	assert_int_equal(in_use(), 0);
	config.radius_bind_min = config.radius_bind_max = 0;
	changed("radius_bind_min");
}

/* However many sockets do not open, a login looks at each once and finds the one that does. */
static void
one_socket_in_many(void **state)
{
	unsigned int taken, round;
	int fd = loopback_socket(&taken);
	struct got g;

	(void)state;
	close(fd);
	config.radius_bind_min = config.radius_bind_max = taken;
	changed("radius_bind_min");
	for (round = 0; round < 1000; round++) {
		assert_true(radius_authenticate(5, &pap));
		assert_int_equal(in_use(), 1);
		assert_true(get(0, &g));
		answer(&g, RAD_ACCESS_ACCEPT, FINE);
	}
	config.radius_bind_min = config.radius_bind_max = 0;
	changed("radius_bind_min");
}

/* --- accounting --- */

static int acct_fd[2];
static uint32_t accounted_record;
static bool accounted_well;
static unsigned int accounted_tries, accounted_times;

static void
on_accounted(uint32_t record, bool acknowledged, unsigned int tries)
{
	accounted_record = record;
	accounted_well = acknowledged;
	accounted_tries = tries;
	accounted_times++;
}

/* `asked`: the servers that had their turn. */
static bool
account(uint32_t asked, uint32_t delay_sec)
{
	static const uint8_t attrs[] = { RAD_ACCT_STATUS_TYPE, 6, 0, 0, 0, 1 };
	const struct radius_record rec = {
		.state = RADIUS_START,
		.s = 5,
		.asked = &asked,
		.attrs = attrs,
		.len = sizeof(attrs),
		.delay_sec = delay_sec,
		.record = 4711,
		.done = on_accounted,
	};

	return radius_account(&rec);
}

/* The servers' accounting ports are those behind the others; some may be taken by somebody. */
static void
accounting_sockets(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int i;

	for (i = 0; i < 2; i++) {
		acct_fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		sin.sin_port = htons((uint16_t)(server_port[i] + 1));
		assert_int_equal(bind(acct_fd[i], (const struct sockaddr *)&sin, sizeof(sin)), 0);
	}
	accounted_times = 0;
}

static bool
get_acct(int server, struct got *g)
{
	int auth = server_fd[server];
	bool got;

	server_fd[server] = acct_fd[server];
	got = get(server, g);
	server_fd[server] = auth;
	return got;
}

static void
answer_acct(const struct got *g, uint8_t code)
{
	uint8_t p[RAD_HEADER] = { code, g->data[1], 0, RAD_HEADER };

	sign(p, sizeof(p), g->data + 4, reply_secret, false);
	assert_int_equal(sendto(acct_fd[g->server], p, sizeof(p), 0,
			     (const struct sockaddr *)&g->from, sizeof(g->from)),
	    sizeof(p));
	run_sockets();
}

static int
end_accounting(void **state)
{
	close(acct_fd[0]);
	close(acct_fd[1]);
	return teardown(state);
}

static void
accounting_request(void **state)
{
	uint8_t want[16];
	struct got g;

	(void)state;
	accounting_sockets();
	config.radius_require_message_authenticator = CONF_YES; /* of Access replies */
	assert_true(account(0, 77));
	assert_true(get_acct(0, &g));
	assert_int_equal(g.len, RAD_HEADER + 12);
	assert_int_equal(g.data[0], RAD_ACCOUNTING_REQUEST);
	assert_memory_equal(g.data + RAD_HEADER, "\50\6\0\0\0\1\51\6\0\0\0\115", 12);
	memcpy(want, g.data + 4, 16);
	memset(g.data + 4, 0, 16);
	sign(g.data, g.len, g.data + 4, "secret", false);
	assert_memory_equal(g.data + 4, want, 16); /* RFC 2866 3 */
	answer_acct(&g, RAD_ACCESS_ACCEPT);
	assert_int_equal(accounted_times, 0);
	assert_int_equal(counters->radius_malformed, 1);
	answer_acct(&g, RAD_ACCOUNTING_RESPONSE);
	assert_int_equal(accounted_times, 1);
	assert_true(accounted_well);
	assert_int_equal(accounted_record, 4711);
	assert_int_equal(accounted_tries, 1);
	assert_int_equal(in_use(), 0);
	assert_int_equal(results, 0);
}

/* One server a round, three times the same packet in 5 s. */
static void
accounting_schedule(void **state)
{
	struct got first, g;
	unsigned int n = 1;

	(void)state;
	accounting_sockets();
	assert_true(account(1, 0));
	assert_true(get_acct(1, &first));
	for (; accounted_times == 0 && n < 10; advance(10))
		if (get_acct(1, &g)) {
			assert_memory_equal(g.data, first.data, first.len);
			n++;
		}
	assert_int_equal(n, 3);
	assert_false(accounted_well);
	assert_int_equal(accounted_tries, 3);
	assert_false(get_acct(0, &g));
	assert_int_equal(counters->radius_timeout, 0);
}

/* Neither a session that goes nor a login of it touches its records. */
static void
accounting_outlives_its_session(void **state)
{
	struct got g;

	(void)state;
	accounting_sockets();
	assert_true(account(0, 0));
	assert_true(radius_authenticate(5, &pap));
	radius_session(5, SESS_EV_DOWN);
	radius_session(5, SESS_EV_GONE);
	assert_int_equal(in_use(), 1);
	assert_true(get_acct(0, &g));
	answer_acct(&g, RAD_ACCOUNTING_RESPONSE);
	assert_true(accounted_well);
}

/* A dead server of one kind is not one of the other. */
static void
accounting_has_its_own_dead(void **state)
{
	unsigned int i;
	struct got g;

	(void)state;
	accounting_sockets();
	for (i = 0; i < 3; i++)
		assert_true(account(0, 0));
	advance(5100);
	assert_int_equal(accounted_times, 3);
	while (get_acct(0, &g))
		;
	assert_true(account(0, 0));
	assert_false(get_acct(0, &g));
	assert_true(get_acct(1, &g));
	assert_int_equal(asked_first(), 0);
}

/* Logins leave a quarter of the slots; accounting takes no more than that. */
static void
accounting_has_slots_of_its_own(void **state)
{
	unsigned int n = 0;
	sess_id s;

	(void)state;
	accounting_sockets();
	config.radius_accounting = true;
	for (s = 1; s <= RADIUS_SLOTS; s++)
		assert_true(radius_authenticate(s, &pap));
	assert_int_equal(in_use(), RADIUS_SLOTS - RADIUS_ACCT_SLOTS);
	assert_int_equal(counters->radius_overflow, RADIUS_ACCT_SLOTS);
	while (account(0, 0))
		n++;
	assert_int_equal(n, RADIUS_ACCT_SLOTS);
	assert_int_equal(in_use(), RADIUS_SLOTS);
}

/* --- servers of their own --- */

/* Both servers as lines, the first with a secret of its own. */
static void
lines(const char *first_secret)
{
	unsigned int i;

	servers(0, 0);
	for (i = 0; i < 2; i++) {
		config.servers[i].ip = htonl(INADDR_LOOPBACK);
		config.servers[i].auth_port = server_port[i];
		config.servers[i].acct_port = server_port[i] + 1;
	}
	strcpy(config.servers[0].secret, first_secret);
	config.n_servers = 2;
	changed("radius server");
}

/* User-Password of a request in clear. */
static void
password_of(const struct got *g, const char *secret, char clear[17])
{
	struct rad_packet p;
	struct rad_attr a;
	struct rd sub = { 0 };
	struct md5_ctx md5;
	uint8_t key[16];
	unsigned int i;

	assert_true(rad_decode(g->data, g->len, &p));
	while (rad_attr_next(&p.attrs, &sub, &a) && a.type != RAD_USER_PASSWORD)
		;
	assert_int_equal(a.len, 16);
	md5_init(&md5);
	md5_update(&md5, strlen(secret), (const uint8_t *)secret);
	md5_update(&md5, 16, g->data + 4);
	md5_digest(&md5, 16, key);
	for (i = 0; i < 16; i++)
		clear[i] = (char)(a.value[i] ^ key[i]);
	clear[16] = '\0';
}

/* Whether the Message-Authenticator, the first attribute, is right. */
static bool
is_signed(const struct got *g, const char *secret)
{
	uint8_t copy[RAD_MAX_PACKET], digest[16];
	struct hmac_md5_ctx hmac;

	memcpy(copy, g->data, g->len);
	memset(copy + 22, 0, 16);
	hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
	hmac_md5_update(&hmac, g->len, copy);
	hmac_md5_digest(&hmac, 16, digest);
	return g->data[20] == RAD_MESSAGE_AUTHENTICATOR && memcmp(digest, g->data + 22, 16) == 0;
}

/* A login that two servers were asked about. */
static void
ask_both(struct got *first, struct got *second)
{
	lines("own");
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, first));
	advance(5100);
	assert_true(get(1, second));
	drain(0);
}

static void
each_server_has_its_secret(void **state)
{
	struct got first, second;
	char clear[17];

	(void)state;
	ask_both(&first, &second);
	password_of(&first, "own", clear);
	assert_string_equal(clear, "flintstone");
	password_of(&second, "secret", clear);
	assert_string_equal(clear, "flintstone");
	assert_true(is_signed(&first, "own"));
	assert_true(is_signed(&second, "secret"));
	assert_memory_not_equal(first.data + 4, second.data + 4, 16);
	reply_secret = "own"; /* which is the first one's */
	answer(&second, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 0);
	assert_int_equal(counters->radius_bad_authenticator, 1);
	reply_secret = "secret";
	answer(&second, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
}

static void
late_answer_under_its_own_secret(void **state)
{
	struct got first, second;

	(void)state;
	ask_both(&first, &second);
	reply_secret = "own";
	answer(&first, RAD_ACCESS_REJECT, FINE);
	reply_secret = "secret";
	assert_int_equal(results, 1);
	assert_int_equal(result.verdict, AUTH_REFUSED);
	assert_int_equal(in_use(), 0);
	answer(&second, RAD_ACCESS_ACCEPT, FINE); /* meets nobody */
	assert_int_equal(results, 1);
	assert_int_equal(counters->radius_bad_id, 1);
	assert_int_equal(resting(), 1);
}

/* The first server is dead, and login 5 asks it on trial. */
static void
put_on_trial(void)
{
	struct got g;
	unsigned int i;

	for (i = 1; i <= 3; i++)
		assert_true(radius_authenticate(i, &pap));
	advance(5100);
	while (get(1, &g))
		answer(&g, RAD_ACCESS_ACCEPT, FINE);
	drain(0);
	advance(35100);
	drain(0);
	results = 0;
	assert_true(radius_authenticate(5, &pap));
}

/* A login asks a dead server once, and a second later goes on as any other. */
static void
login_on_trial(void **state)
{
	static const unsigned int at_ms[] = { 0, 1000, 2000, 4000, 6000, 7000, 9000 };
	unsigned int i, sent = 0;
	struct got g;

	(void)state;
	put_on_trial();
	for (i = 0; i < 12000; i += TIMER_TICK_MS) {
		while (get(0, &g) || get(1, &g)) {
			assert_int_equal(g.server, sent == 0 ? 0 : 1);
			assert_in_range(i, at_ms[sent], at_ms[sent] + 80);
			sent++;
		}
		assert_int_equal(results, 0);
		advance(TIMER_TICK_MS);
	}
	assert_int_equal(sent, 7);
	advance(100);
	assert_int_equal(result.verdict, AUTH_NO_ANSWER);
}

/* The second server answers at once what the first one left unanswered. */
static void
tries_at_the_server_before_do_not_count(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	advance(5100);
	assert_true(get(1, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(result.tries, 1);
}

/* That the dead server is silent tells nothing of how busy the living ones are. */
static void
trial_is_no_try(void **state)
{
	struct got g;

	(void)state;
	put_on_trial();
	assert_true(get(0, &g));
	advance(1100);
	assert_true(get(1, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_int_equal(result.tries, 1);
	/* but a second sending to the living one does */
	advance(30100);
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	advance(2200);
	assert_true(get(1, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 2);
	assert_int_equal(result.tries, 2);
}

/* Leaves three requests unanswered, so that the server is dead. */
static void
die_of_silence(void)
{
	unsigned int i;

	for (i = 1; i <= 3; i++)
		assert_true(radius_authenticate(i, &pap));
	advance(5100);
	for (i = 1; i <= 3; i++)
		radius_cancel(i);
	drain(0);
	drain(1);
}

static void
probe_brings_a_server_back(void **state)
{
	struct got g;

	(void)state;
	die_of_silence();
	assert_int_equal(asked_first(), 1);
	advance(29800);
	drain(0);
	assert_int_equal(probes, 0);
	advance(1300);
	drain(0);
	assert_int_equal(probes, 1);
	assert_int_equal(probe.server, 0);
	assert_true(is_signed(&probe, "secret"));
	assert_memory_equal(probe.data + 38, "\4\6\177\0\0\1\40\5lns", 11); /* who asks */
	assert_int_equal(probe.len, 38 + 11);
	assert_int_equal(in_use(), 1);
	answer(&probe, RAD_ACCESS_ACCEPT, BAD_AUTHENTICATOR);
	assert_int_equal(asked_first(), 1);
	answer(&probe, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(in_use(), 0);
	assert_int_equal(results, 0);
	assert_int_equal(asked_first(), 0);
	/* it knows Status-Server: no login is put on trial with it any more */
	die_of_silence();
	while (get(1, &g))
		;
	advance(60000);
	assert_int_equal(asked_first(), 1);
}

/* A probe that nobody answers is sent once, and its identifier rests. */
static void
probe_without_answer(void **state)
{
	(void)state;
	die_of_silence();
	advance(31000);
	drain(0);
	assert_int_equal(probes, 1);
	assert_int_equal(in_use(), 1);
	assert_int_equal(resting(), 0); /* those of the logins have rested */
	advance(5100);
	assert_int_equal(in_use(), 0);
	assert_int_equal(resting(), 1);
	advance(20000);
	drain(0);
	assert_int_equal(probes, 1);
	assert_int_equal(resting(), 0);
	assert_int_equal(counters->radius_timeout, 0);
}

/* RFC 5997 3: at the accounting port a random authenticator too, and another answer. */
static void
probe_of_accounting(void **state)
{
	unsigned int i;
	struct got g;

	(void)state;
	accounting_sockets();
	for (i = 0; i < 3; i++)
		assert_true(account(0, 0));
	advance(5100);
	advance(31000);
	while (get_acct(0, &g))
		;
	assert_int_equal(probes, 1);
	assert_true(is_signed(&probe, "secret"));
	answer_acct(&probe, RAD_ACCESS_ACCEPT);
	assert_true(account(0, 0));
	assert_true(get_acct(1, &g));
	answer_acct(&probe, RAD_ACCOUNTING_RESPONSE);
	assert_true(account(0, 0));
	assert_true(get_acct(0, &g));
}

/* --- identifiers that rest --- */

static void
only_a_doubtful_id_rests(void **state)
{
	struct got g;

	(void)state;
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE); /* sent once, answered once */
	assert_int_equal(resting(), 0);
	assert_true(radius_authenticate(5, &pap));
	advance(1100);
	assert_true(get(0, &g));
	answer(&g, RAD_ACCESS_ACCEPT, FINE); /* it may be answered once more */
	assert_int_equal(resting(), 1);
	assert_true(radius_authenticate(5, &pap));
	radius_cancel(5);
	assert_int_equal(resting(), 2);
	assert_int_equal(in_use(), 0);
	advance(9800);
	assert_int_equal(resting(), 2);
	advance(300);
	assert_int_equal(resting(), 0);
}

/* With one socket only its 256 identifiers are soon spent; none comes back before its time. */
static void
resting_id_is_not_used(void **state)
{
	unsigned int port, i;
	int fd = loopback_socket(&port);
	bool seen[256] = { 0 };
	struct got g;

	(void)state;
	close(fd);
	config.radius_bind_min = config.radius_bind_max = port;
	changed("radius_bind_min");
	for (i = 0; i < 256; i++) {
		assert_true(radius_authenticate(5, &pap));
		assert_true(get(0, &g));
		assert_false(seen[g.data[1]]);
		seen[g.data[1]] = true;
		radius_cancel(5);
		advance(10);
	}
	assert_int_equal(resting(), 256);
	assert_true(radius_authenticate(5, &pap));
	assert_int_equal(result.verdict, AUTH_BUSY);
	assert_int_equal(counters->radius_overflow, 1);
	advance(8000);
	assert_true(radius_authenticate(5, &pap)); /* the first has rested */
	assert_int_equal(in_use(), 1);
	config.radius_bind_min = config.radius_bind_max = 0;
	changed("radius_bind_min");
}

/* Switched off with Stops to be sent still: logins get no slot that one of them waits for. */
static void
stops_of_before_have_their_slots(void **state)
{
	struct got g;
	sess_id s;

	(void)state;
	accounting_sockets();
	for (s = 1; s <= RADIUS_SLOTS; s++) {
		assert_true(radius_authenticate(s, &pap));
		if (s == 1)
			assert_true(get(0, &g));
	}
	assert_int_equal(in_use(), RADIUS_SLOTS);
	assert_false(account(0, 0));
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
	assert_true(radius_authenticate(s, &pap));
	assert_int_equal(result.verdict, AUTH_BUSY);
	assert_true(account(0, 0));
}

/* Logins that nobody answers leave accounting its quarter, resting or not. */
static void
resting_logins_leave_accounting_its_slots(void **state)
{
	unsigned int n = 0;
	sess_id s;

	(void)state;
	accounting_sockets();
	config.radius_accounting = true;
	for (s = 1; s <= RADIUS_SLOTS; s++)
		assert_true(radius_authenticate(s, &pap));
	for (s = 1; s <= RADIUS_SLOTS; s++)
		radius_cancel(s);
	assert_int_equal(resting(), RADIUS_SLOTS - RADIUS_ACCT_SLOTS);
	results = 0;
	assert_true(radius_authenticate(1, &pap));
	assert_int_equal(result.verdict, AUTH_BUSY);
	while (account(0, 0))
		n++;
	assert_int_equal(n, RADIUS_ACCT_SLOTS);
	advance(4000);
	for (n = 0; n < RADIUS_SLOTS; n++)
		assert_true(radius_authenticate(1, &pap)); /* and it is no walk over all of them */
	advance(6500);
	assert_true(radius_authenticate(1, &pap));
	assert_int_equal(in_use(), 1);
}

static void
junk_does_no_harm(void **state)
{
	struct got g;
	uint8_t junk[300];
	unsigned int i;
	size_t n, k;

	(void)state;
	srandom(2);
	assert_true(radius_authenticate(5, &pap));
	assert_true(get(0, &g));
	for (i = 0; i < 3000; i++) {
		n = (size_t)random() % sizeof(junk);
		for (k = 0; k < n; k++)
			junk[k] = (uint8_t)random();
		if (n > 4 && random() & 1) {
			junk[0] = 2;
			junk[1] = g.data[1];
			junk[2] = (uint8_t)(n >> 8);
			junk[3] = (uint8_t)n;
		}
		sendto(server_fd[0], junk, n, 0, (const struct sockaddr *)&g.from, sizeof(g.from));
		if (i % 16 == 0)
			run_sockets();
	}
	run_sockets();
	assert_int_equal(results, 0);
	answer(&g, RAD_ACCESS_ACCEPT, FINE);
	assert_int_equal(results, 1);
}

#define TEST(fn)      cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define ACCT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, end_accounting)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_login),
		TEST(refused_logins),
		TEST(repeated_login_starts_no_second_request),
		TEST(another_login_replaces_the_first),
		TEST(cancelled_login_is_not_answered),
		TEST(schedule_with_two_servers),
		TEST(schedule_with_one_server),
		TEST(schedule_after_a_pause_of_the_clock),
		TEST(timer_that_is_early_sends_nothing),
		TEST(late_answer_of_the_first_server_counts),
		TEST(second_server_that_was_not_asked_is_a_stranger),
		TEST(bad_replies_are_dropped_and_counted),
		TEST(message_authenticator_auto_learns),
		TEST(dead_server_is_asked_last_and_probed),
		TEST(reply_between_keeps_a_server_alive),
		TEST(forged_reply_revives_nobody),
		TEST(session_that_goes_is_forgotten),
		TEST(callback_may_ask_again),
		TEST(id_comes_back_as_late_as_possible),
		TEST(all_slots_and_one_more),
		TEST(rows_for_show),
		TEST(nothing_configured),
		TEST(login_that_no_packet_can_hold_is_refused),
		TEST(pending_request_keeps_its_secret_and_server),
		TEST(ports_of_the_range_are_used),
		TEST(narrow_range_serves_what_it_can),
		TEST(one_socket_in_many),
		ACCT_TEST(accounting_request),
		ACCT_TEST(accounting_schedule),
		ACCT_TEST(accounting_outlives_its_session),
		ACCT_TEST(accounting_has_its_own_dead),
		ACCT_TEST(accounting_has_slots_of_its_own),
		TEST(each_server_has_its_secret),
		TEST(late_answer_under_its_own_secret),
		TEST(login_on_trial),
		TEST(trial_is_no_try),
		TEST(tries_at_the_server_before_do_not_count),
		TEST(probe_brings_a_server_back),
		TEST(probe_without_answer),
		ACCT_TEST(probe_of_accounting),
		TEST(only_a_doubtful_id_rests),
		TEST(resting_id_is_not_used),
		ACCT_TEST(stops_of_before_have_their_slots),
		ACCT_TEST(resting_logins_leave_accounting_its_slots),
		TEST(junk_does_no_harm),
	};

	server_fd[0] = loopback_socket(&server_port[0]);
	server_fd[1] = loopback_socket(&server_port[1]);
	stranger_fd = loopback_socket(&(unsigned int){ 0 });
	table = calloc(SESSIONS + 1, sizeof(*table));
	note_init(10);
	timer_run(now_ms);
	radius_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
