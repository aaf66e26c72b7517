/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which RADIUS server is asked: order, weights, dead ones and how they are looked after.
 * Clock and configuration are the test's.
 */
#include "rad_server.h"
#include "loop.h"
#include "timer.h"
#include "util.h"
#include "tests/unit/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { A = 1, B, C, D, PRIMARY = 101, SECONDARY, MANY = 900 };

static struct config config;
const struct config *conf = &config;
static config_apply_fn apply;

/* The probes that were sent: to whom, and when. */
static struct {
	struct rad_dest to;
	uint64_t at_ms;
} probed[1000];
static unsigned int n_probed;
static bool can_probe;

unsigned int
config_radius_port(int server)
{
	return server && config.secondary_radius_port ? config.secondary_radius_port : 1645;
}

void
config_on_change(const char *name, config_apply_fn fn)
{
	(void)name;
	apply = fn;
}

static bool
on_probe(const struct rad_dest *d)
{
	if (!can_probe)
		return false;
	assert_true(n_probed < ARRAY_LEN(probed));
	probed[n_probed].to = *d;
	probed[n_probed++].at_ms = now_ms;
	return true;
}

/* Addresses are told apart by their last octet. */
static uint32_t
address(unsigned int number)
{
	return htonl(0x0a000000 + number);
}

static unsigned int
number(const struct rad_dest *d)
{
	return ntohl(d->ip) & 0xff;
}

static void
line(unsigned int host, unsigned int weight)
{
	struct conf_server *s = &config.servers[config.n_servers++];

	*s = (struct conf_server){ .ip = address(host), .weight = weight };
	apply();
}

static void
advance(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	while (now_ms < until) {
		now_ms += MIN(until - now_ms, TIMER_TICK_MS);
		timer_run(now_ms);
	}
}

static struct rad_dest
dest(enum rad_kind kind, unsigned int host)
{
	struct rad_dest d = { .ip = address(host), .kind = (uint8_t)kind };

	d.port = kind == RAD_KIND_ACCESS ? 1645 : 1646;
	return d;
}

static void
kill_server(enum rad_kind kind, unsigned int host)
{
	struct rad_dest d = dest(kind, host);
	unsigned int i;

	for (i = 0; i < 3; i++)
		rad_server_silent(&d, now_ms);
}

static void
revive(enum rad_kind kind, unsigned int host, bool status)
{
	struct rad_dest d = dest(kind, host);

	rad_server_answered(&d, &(struct rad_answer){ .status = status, .rtt_ms = 7 });
}

/* The servers a login asks now, as decimal digits. */
static unsigned int
asks(void)
{
	struct rad_route r;
	unsigned int i, text = 0;

	rad_server_route(&r);
	for (i = 0; i < r.n; i++)
		text = text * 10 + number(&r.dest[i]) % 100;
	return text;
}

static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	apply(); /* forgets what was learnt */
	advance(1000);
	strcpy(config.radius_secret, "common");
	n_probed = 0;
	can_probe = true;
	return 0;
}

static void
order_of_the_configuration(void **state)
{
	struct rad_server_row row;
	unsigned int i, want[] = { PRIMARY, SECONDARY, C, A };

	(void)state;
	config.primary_radius = address(PRIMARY);
	config.secondary_radius = address(SECONDARY);
	config.secondary_radius_port = 1812;
	line(C, 0);
	line(A, 0);
	for (i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(rad_server_row(RAD_KIND_ACCESS, i, &row));
		assert_int_equal(row.ip, address(want[i]));
		assert_int_equal(row.port, want[i] == SECONDARY ? 1812 : 1645);
		assert_true(rad_server_row(RAD_KIND_ACCT, i, &row));
		assert_int_equal(row.ip, address(want[i]));
		assert_int_equal(row.port, want[i] == SECONDARY ? 1813 : 1646);
	}
	assert_false(rad_server_row(RAD_KIND_ACCESS, i, &row));
	assert_int_equal(asks(), 12); /* the two of primary and secondary_radius */
}

static void
ports_and_secrets_of_a_line(void **state)
{
	struct rad_server_row row;
	struct rad_dest d;
	uint32_t asked = 0;

	(void)state;
	line(A, 0);
	line(B, 0);
	config.servers[0].auth_port = 1812;
	strcpy(config.servers[0].secret, "own");
	config.servers[1].auth_port = 1812;
	config.servers[1].acct_port = 99;
	apply();
	assert_true(rad_server_row(RAD_KIND_ACCT, 0, &row));
	assert_int_equal(row.port, 1813);
	assert_true(rad_server_row(RAD_KIND_ACCT, 1, &row));
	assert_int_equal(row.port, 99);
	assert_true(rad_server_next(&asked, &d));
	assert_string_equal(d.secret, "own");
	assert_true(rad_server_next(&asked, &d));
	assert_string_equal(d.secret, "common");
	assert_string_equal(rad_server_secret(address(A)), "own");
	assert_string_equal(rad_server_secret(address(B)), "common");
	assert_null(rad_server_secret(address(C)));
}

/* Named twice is there once; without a secret, or without a port behind its last, not at all. */
static void
lines_that_do_not_count(void **state)
{
	(void)state;
	config.primary_radius = config.secondary_radius = address(A);
	line(A, 0);
	line(B, 0);
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 2);
	config.servers[1].auth_port = UINT16_MAX;
	apply();
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 2);
	assert_int_equal(rad_server_living(RAD_KIND_ACCT), 1);
	config.radius_secret[0] = '\0';
	apply();
	assert_false(rad_server_configured(RAD_KIND_ACCESS));
	strcpy(config.servers[1].secret, "own");
	apply();
	assert_true(rad_server_configured(RAD_KIND_ACCESS));
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 1);
}

/* How often each is asked first by so many logins. */
static void
count_logins(unsigned int times, unsigned int count[5])
{
	struct rad_route r;
	unsigned int i;

	memset(count, 0, 5 * sizeof(*count));
	for (i = 0; i < times; i++) {
		rad_server_route(&r);
		assert_int_equal(r.n, 2);
		assert_int_not_equal(number(&r.dest[0]), number(&r.dest[1]));
		count[number(&r.dest[0])]++;
	}
}

static void
weights_are_kept_exactly(void **state)
{
	unsigned int count[5], i, last = 0, repeats = 0;

	(void)state;
	line(A, 5);
	line(B, 3);
	line(C, 1);
	count_logins(MANY, count);
	assert_int_equal(count[A], MANY / 9 * 5);
	assert_int_equal(count[B], MANY / 9 * 3);
	assert_int_equal(count[C], MANY / 9);
	for (i = 0; i < 9; i++) { /* mixed, not in blocks */
		struct rad_route r;

		rad_server_route(&r);
		repeats += number(&r.dest[0]) == last;
		last = number(&r.dest[0]);
	}
	assert_in_range(repeats, 0, 2);
	kill_server(RAD_KIND_ACCESS, A); /* the others share what it had */
	count_logins(MANY, count);
	assert_int_equal(count[A], 0);
	assert_int_equal(count[B], MANY / 4 * 3);
	assert_int_equal(count[C], MANY / 4);
}

/* All with a weight stand where the first of them does. */
static void
group_has_its_place(void **state)
{
	static const unsigned int want[] = { A, B, D, C };
	struct rad_server_row row;
	unsigned int i, count[5];

	(void)state;
	line(A, 0);
	line(B, 1);
	line(C, 0);
	line(D, 1);
	for (i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(rad_server_row(RAD_KIND_ACCESS, i, &row));
		assert_int_equal(row.ip, address(want[i]));
	}
	count_logins(MANY, count);
	assert_int_equal(count[A], MANY);
	assert_int_equal(asks() + asks(), 12 + 14); /* and they share those that come behind A */
	kill_server(RAD_KIND_ACCESS, A);
	count_logins(MANY, count);
	assert_int_equal(count[B], MANY / 2);
	assert_int_equal(count[D], MANY / 2);
	kill_server(RAD_KIND_ACCESS, B);
	assert_int_equal(asks(), 43);
	kill_server(RAD_KIND_ACCESS, D);
	assert_int_equal(asks(), 31);
}

static void
dead_ones_are_asked_last(void **state)
{
	struct rad_dest d = dest(RAD_KIND_ACCESS, A);

	(void)state;
	line(A, 0);
	line(B, 0);
	line(C, 0);
	rad_server_silent(&d, now_ms);
	rad_server_silent(&d, now_ms);
	revive(RAD_KIND_ACCESS, A, false); /* a reply between */
	rad_server_silent(&d, now_ms);
	rad_server_silent(&d, now_ms);
	assert_int_equal(asks(), 12);
	rad_server_silent(&d, now_ms);
	assert_int_equal(asks(), 23);
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 2);
	assert_int_equal(rad_server_living(RAD_KIND_ACCT), 3);
	kill_server(RAD_KIND_ACCESS, B);
	assert_int_equal(asks(), 31);
	revive(RAD_KIND_ACCESS, A, false);
	assert_int_equal(asks(), 13);
}

/* Those that were sent before it lived again tell nothing of it. */
static void
silence_of_before(void **state)
{
	struct rad_dest d = dest(RAD_KIND_ACCESS, A);
	struct rad_server_row row;
	unsigned int i;

	(void)state;
	line(A, 0);
	kill_server(RAD_KIND_ACCESS, A);
	advance(1000);
	revive(RAD_KIND_ACCESS, A, true);
	for (i = 0; i < 10; i++)
		rad_server_silent(&d, now_ms - 1000);
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 1);
	assert_true(rad_server_row(RAD_KIND_ACCESS, 0, &row));
	assert_int_equal(row.unanswered, 13);
	kill_server(RAD_KIND_ACCESS, A);
	assert_int_equal(rad_server_living(RAD_KIND_ACCESS), 0);
}

/* All are dead: each has its turn, so that one that lives again is found. */
static void
all_dead_take_turns(void **state)
{
	struct rad_route r;
	unsigned int i, k, asked[5] = { 0 };

	(void)state;
	line(A, 0);
	line(B, 0);
	line(C, 0);
	for (i = A; i <= C; i++)
		kill_server(RAD_KIND_ACCESS, i);
	for (i = 0; i < 3; i++) {
		rad_server_route(&r);
		assert_false(r.trial);
		assert_int_equal(r.n, 2);
		for (k = 0; k < r.n; k++) {
			advance(5000);
			asked[number(&r.dest[k])]++;
			rad_server_silent(&r.dest[k], now_ms);
		}
	}
	for (i = A; i <= C; i++)
		assert_int_equal(asked[i], 2);
}

/* A server that may not know Status-Server is tried with a login. */
static void
trial_of_the_first(void **state)
{
	struct rad_route r;
	unsigned int i, trials = 0;

	(void)state;
	line(A, 0);
	line(B, 0);
	line(C, 0);
	kill_server(RAD_KIND_ACCESS, A);
	advance(34900);
	assert_int_equal(n_probed, 1); /* it had its chance */
	assert_int_equal(asks(), 23);
	for (i = 0; i < 600; i++) {
		advance(100);
		rad_server_route(&r);
		trials += r.trial;
		assert_int_equal(r.n, r.trial ? 3 : 2);
		assert_int_equal(number(&r.dest[0]), r.trial ? A : B);
		assert_int_equal(number(&r.dest[r.trial]), B);
		assert_int_equal(number(&r.dest[r.trial + 1]), C);
	}
	assert_int_equal(trials, 2); /* in a minute */
}

static void
no_trial_where_none_is_needed(void **state)
{
	struct rad_route r;
	unsigned int i;

	(void)state;
	line(A, 0);
	line(B, 0);
	revive(RAD_KIND_ACCESS, A, true); /* it knows Status-Server */
	kill_server(RAD_KIND_ACCESS, A);
	for (i = 0; i < 100; i++, advance(1000)) {
		rad_server_route(&r);
		assert_false(r.trial);
	}
	revive(RAD_KIND_ACCESS, A, true);
	kill_server(RAD_KIND_ACCESS, B); /* behind one that lives */
	for (i = 0; i < 100; i++, advance(1000)) {
		rad_server_route(&r);
		assert_false(r.trial);
	}
}

static void
trial_within_a_group(void **state)
{
	struct rad_route r;

	(void)state;
	line(A, 1);
	line(B, 1);
	kill_server(RAD_KIND_ACCESS, B);
	advance(36000);
	rad_server_route(&r);
	assert_true(r.trial);
	assert_int_equal(number(&r.dest[0]), B);
	assert_int_equal(number(&r.dest[1]), A);
	assert_int_equal(r.n, 2);
}

static void
probes_of_dead_ones_only(void **state)
{
	unsigned int i, first;

	(void)state;
	line(A, 0);
	line(B, 0);
	advance(100000);
	assert_int_equal(n_probed, 0);
	kill_server(RAD_KIND_ACCESS, B);
	advance(29900);
	assert_int_equal(n_probed, 0);
	advance(300000);
	assert_in_range(n_probed, 9, 11);
	for (i = 0; i < n_probed; i++) {
		assert_int_equal(number(&probed[i].to), B);
		assert_string_equal(probed[i].to.secret, "common");
		if (i > 0)
			assert_in_range(probed[i].at_ms - probed[i - 1].at_ms, 30000, 31100);
	}
	first = n_probed;
	revive(RAD_KIND_ACCESS, B, true);
	advance(100000);
	assert_int_equal(n_probed, first);
}

/* Many die at once: no two probes in one second, and each has its probe all the same. */
static void
probes_are_spread(void **state)
{
	unsigned int i, seen[RAD_KINDS][CONF_SERVERS + 1] = { 0 };

	(void)state;
	for (i = 1; i <= CONF_SERVERS; i++)
		line(i, 0);
	for (i = 1; i <= CONF_SERVERS; i++) {
		kill_server(RAD_KIND_ACCESS, i);
		kill_server(RAD_KIND_ACCT, i);
	}
	advance(30000 + 2 * CONF_SERVERS * 1020);
	for (i = 0; i < n_probed; i++) {
		seen[probed[i].to.kind][number(&probed[i].to)]++;
		if (i > 0)
			assert_in_range(probed[i].at_ms - probed[i - 1].at_ms, 1000, 1100);
	}
	for (i = 1; i <= CONF_SERVERS; i++) {
		assert_in_range(seen[RAD_KIND_ACCESS][i], 1, 2);
		assert_in_range(seen[RAD_KIND_ACCT][i], 1, 2);
	}
}

/* No identifier to be had: it is tried again in a second, not in thirty. */
static void
probe_that_cannot_be_sent(void **state)
{
	(void)state;
	line(A, 0);
	can_probe = false;
	kill_server(RAD_KIND_ACCESS, A);
	advance(35000);
	assert_int_equal(n_probed, 0);
	can_probe = true;
	advance(1100);
	assert_int_equal(n_probed, 1);
}

/* The server of a record's next round. */
static unsigned int
next(uint32_t *asked)
{
	struct rad_dest d;

	assert_true(rad_server_next(asked, &d));
	return number(&d);
}

static void
records_ask_each_living_one(void **state)
{
	uint32_t asked = 0;

	(void)state;
	line(A, 0);
	line(B, 0);
	line(C, 0);
	assert_int_equal(next(&asked), A);
	assert_int_equal(next(&asked), B);
	assert_int_equal(next(&asked), C);
	assert_int_equal(next(&asked), A);
	kill_server(RAD_KIND_ACCT, B);
	assert_int_equal(next(&asked), C);
	assert_int_equal(next(&asked), A);
	kill_server(RAD_KIND_ACCT, A);
	kill_server(RAD_KIND_ACCT, C);
	asked = 0;
	assert_int_equal(next(&asked), A);
	assert_int_equal(next(&asked), B);
	assert_int_equal(next(&asked), C);
	asked = 0;
	revive(RAD_KIND_ACCT, C, false);
	advance(36000);
	assert_int_equal(next(&asked), A); /* on trial */
	assert_int_equal(next(&asked), B); /* so is this one, which is no worse */
	assert_int_equal(next(&asked), C);
}

static void
records_and_weights(void **state)
{
	unsigned int i, count[5] = { 0 }, seen;
	uint32_t asked;

	(void)state;
	line(A, 1);
	line(B, 2);
	for (i = 0; i < MANY; i++) {
		asked = 0;
		count[next(&asked)]++;
	}
	assert_int_equal(count[A], MANY / 3);
	assert_int_equal(count[B], MANY / 3 * 2);
	for (i = 0; i < 30; i++) { /* another one each round, whoever began */
		asked = 0;
		seen = next(&asked);
		assert_int_equal(seen + next(&asked), A + B);
	}
}

static void
none_is_configured(void **state)
{
	uint32_t asked = 0;
	struct rad_dest d;
	struct rad_route r;

	(void)state;
	assert_false(rad_server_configured(RAD_KIND_ACCESS));
	assert_false(rad_server_next(&asked, &d));
	rad_server_route(&r);
	assert_int_equal(r.n, 0);
}

/* What is known of a server outlives a change of the others. */
static void
change_of_configuration(void **state)
{
	struct rad_server_row row;
	struct rad_dest d = dest(RAD_KIND_ACCESS, B);

	(void)state;
	line(A, 0);
	line(B, 0);
	rad_server_asked(&d);
	kill_server(RAD_KIND_ACCESS, B);
	config.servers[0] = config.servers[1];
	config.n_servers = 1;
	strcpy(config.servers[0].secret, "new");
	apply();
	assert_true(rad_server_row(RAD_KIND_ACCESS, 0, &row));
	assert_int_equal(row.ip, address(B));
	assert_true(row.dead);
	assert_int_equal(row.since_ds, loop_now_ds());
	assert_int_equal(row.requests, 1);
	assert_int_equal(row.unanswered, 3);
	assert_string_equal(rad_server_secret(address(B)), "new");
	revive(RAD_KIND_ACCESS, B, false);
	assert_true(rad_server_row(RAD_KIND_ACCESS, 0, &row));
	assert_false(row.dead);
	assert_int_equal(row.replies, 1);
	assert_int_equal(row.rtt_ms, 7);
	kill_server(RAD_KIND_ACCESS, A); /* it has gone: nothing happens */
	rad_server_asked(&d);
}

static void
who_must_sign(void **state)
{
	struct rad_dest d = dest(RAD_KIND_ACCESS, A), acct = dest(RAD_KIND_ACCT, A);

	(void)state;
	line(A, 0);
	config.radius_require_message_authenticator = CONF_AUTO;
	assert_false(rad_server_must_sign(&d));
	rad_server_answered(&d, &(struct rad_answer){ .has_ma = true });
	rad_server_answered(&d, &(struct rad_answer){ .has_ma = false });
	assert_true(rad_server_must_sign(&d));
	assert_false(rad_server_must_sign(&acct));
	config.radius_require_message_authenticator = CONF_NO;
	assert_false(rad_server_must_sign(&d));
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(order_of_the_configuration),
		TEST(ports_and_secrets_of_a_line),
		TEST(lines_that_do_not_count),
		TEST(weights_are_kept_exactly),
		TEST(group_has_its_place),
		TEST(dead_ones_are_asked_last),
		TEST(silence_of_before),
		TEST(all_dead_take_turns),
		TEST(trial_of_the_first),
		TEST(no_trial_where_none_is_needed),
		TEST(trial_within_a_group),
		TEST(probes_of_dead_ones_only),
		TEST(probes_are_spread),
		TEST(probe_that_cannot_be_sent),
		TEST(records_ask_each_living_one),
		TEST(records_and_weights),
		TEST(none_is_configured),
		TEST(change_of_configuration),
		TEST(who_must_sign),
	};

	timer_run(now_ms);
	rad_server_init(on_probe);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
