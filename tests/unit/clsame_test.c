/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings that members should have alike: what is told, what is compared, and when it is logged.
 */
#include "clsame.h"
#include "config.h"
#include "log.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUND = 64, HERE = 0x0100000a }; /* more heartbeats than there are settings */

static unsigned int errors, warnings;
static char last[512];

static void
sink(int level, const char *line, size_t len)
{
	errors += level == LOG_ERROR;
	warnings += level == LOG_WARNING;
	str_copy_n(last, sizeof(last), line, len);
}

static void
set(const char *line)
{
	struct config_mode mode = { 0 };
	char why[512];

	if (config_line(&mode, line, why, sizeof(why)) < 0)
		fail_msg("%s: %s", line, why);
}

static int
set_up(void **state)
{
	(void)state;
	log_set_level(LOG_CRITICAL);
	log_set_sink(sink, LOG_WARNING);
	set("set cluster_secret \"among us\"");
	errors = warnings = 0;
	return 0;
}

/* What a heartbeat of ours says of a setting; digest 0: nothing does. */
static struct cl_heartbeat
told(const char *name)
{
	struct cl_heartbeat hb = { 0 };
	unsigned int i;

	for (i = 0; i < ROUND; i++) {
		memset(&hb, 0, sizeof(hb));
		clsame_tell(&hb);
		if (strcmp(hb.setting, name) == 0)
			return hb;
	}
	return (struct cl_heartbeat){ 0 };
}

static void
each_setting_is_told_in_turn(void **state)
{
	static const char *const names[] = { "ip_pool", "bind_address", "max_sessions",
		"l2tp_secret", "lac", "radius server", "plugin", "access-list" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++)
		assert_int_not_equal(told(names[i]).digest, 0);
	assert_int_equal(told("hostname").digest, 0);
	assert_int_equal(told("cluster_secret").digest, 0);
}

/* Whoever listens could try passwords. */
static void
secrets_are_told_under_a_secret_only(void **state)
{
	uint32_t before;

	(void)state;
	set("set cluster_secret \"\"");
	assert_int_equal(told("l2tp_secret").digest, 0);
	assert_int_equal(told("radius_secret").digest, 0);
	assert_int_not_equal(told("bind_address").digest, 0);
	before = told("lac").digest;
	set("lac carrier secret one");
	set("set l2tp_mtu 1400");
	assert_int_not_equal(told("lac").digest, before); /* that there is one */
	before = told("lac").digest;
	set("lac carrier secret two");
	assert_int_equal(told("lac").digest, before);
	set("set cluster_secret \"among us\"");
	before = told("lac").digest;
	set("lac carrier secret three");
	assert_int_not_equal(told("lac").digest, before);
	set("no lac carrier");
	set("set l2tp_mtu 1500");
}

static void
another_key_makes_other_digests(void **state)
{
	uint32_t before = told("plugin").digest, address = told("bind_address").digest;

	(void)state;
	set("set cluster_secret \"another\"");
	assert_int_not_equal(told("plugin").digest, before);
	assert_int_not_equal(told("bind_address").digest, address);
}

static void
a_difference_is_logged_once(void **state)
{
	struct cl_heartbeat same = told("l2tp_mtu"), other = same;
	char text[96];
	int i;

	(void)state;
	other.digest++;
	clsame_heard(HERE, &other, 1);
	assert_int_equal(errors, 0); /* somebody may be changing it */
	clsame_differs(HERE, text, sizeof(text));
	assert_string_equal(text, "");
	for (i = 0; i < 1000; i++)
		clsame_heard(HERE, &other, 2);
	assert_int_equal(errors, 1);
	assert_non_null(
	    strstr(last, "cluster: 10.0.0.1 has another l2tp_mtu than this member, here "
			 "it is 1500: all"));
	clsame_differs(HERE, text, sizeof(text));
	assert_string_equal(text, "l2tp_mtu");
	clsame_heard(HERE, &same, 3);
	clsame_heard(HERE, &same, 4);
	assert_int_equal(warnings, 1);
	clsame_differs(HERE, text, sizeof(text));
	assert_string_equal(text, "");
}

static void
what_is_not_known_is_no_difference(void **state)
{
	struct cl_heartbeat hb = { .digest = 4711, .setting = "of_next_year" }, none = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		clsame_heard(HERE, &hb, 5);
		clsame_heard(HERE, &none, 5);
	}
	assert_int_equal(errors, 0);
}

/* There are never so many at once. */
static void
of_many_members_those_stay_that_are_heard(void **state)
{
	struct cl_heartbeat other = told("max_tunnels");
	char text[96], small[4];
	uint32_t i;

	(void)state;
	other.digest++;
	for (i = 0; i < 1000; i++) {
		clsame_heard(0x0200000a + (i << 24), &other, 10 + i);
		clsame_heard(0x0200000a + (i << 24), &other, 10 + i);
	}
	clsame_differs(0x0200000a + (999u << 24), text, sizeof(text));
	assert_string_equal(text, "max_tunnels");
	clsame_differs(0x0200000a + (999u << 24), small, sizeof(small));
	assert_string_equal(small, "max");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_setting_is_told_in_turn, set_up),
		cmocka_unit_test_setup(secrets_are_told_under_a_secret_only, set_up),
		cmocka_unit_test_setup(another_key_makes_other_digests, set_up),
		cmocka_unit_test_setup(a_difference_is_logged_once, set_up),
		cmocka_unit_test_setup(what_is_not_known_is_no_difference, set_up),
		cmocka_unit_test_setup(of_many_members_those_stay_that_are_heard, set_up),
	};

	config_init();
	clsame_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
