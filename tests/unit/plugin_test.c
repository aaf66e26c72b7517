/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader, and what each shipped plugin makes of what it is told; no packets, no iptables. */
#include "command.h"
#include "config.h"
#include "counter.h"
#include "iptab.h"
#include "log.h"
#include "loop.h"
#include "note.h"
#include "plugin_func.h"
#include "role.h"
#include "radattr.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <dlfcn.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char plugin_dir[512], logged[16384], why[512];
static tunn_id tunnel;
static sess_id s;

/* ---- the daemon round it ---- */

static struct sess_end closed;
static unsigned int changes, closes;

static void
note_change(sess_id id, enum sess_event ev)
{
	(void)id;
	changes += ev == SESS_EV_CHANGED;
}

static void
note_close(sess_id id, const struct sess_end *end)
{
	(void)id;
	closed = *end;
	closes++;
}

static const struct hook_table table = {
	.session =
	    (void (*const[])(sess_id, enum sess_event)){ note_change, plugin_session_event, NULL },
	.close = (void (*const[])(sess_id, const struct sess_end *)){ note_close, NULL },
	.pre_auth = (bool (*const[])(sess_id, struct login *)){ plugin_before_auth, NULL },
	.post_auth = (bool (*const[])(sess_id, enum auth_proto, bool)){ plugin_after_auth, NULL },
	.avpair = (void (*const[])(sess_id, const char *, const char *)){ plugin_avpair, NULL },
	.avpair_check = plugin_avpair_check,
	.avpair_reset = (void (*const[])(sess_id)){ plugin_avpair_reset, NULL },
	.account = (void (*const[])(sess_id, struct wr *)){ plugin_add_account, NULL },
};

static void
keep_line(int level, const char *line, size_t len)
{
	size_t have = strlen(logged);

	(void)level;
	if (have + len + 2 < sizeof(logged))
		snprintf(logged + have, sizeof(logged) - have, "%.*s\n", (int)len, line);
}

static int PRINTF_LIKE(1, 2) line(const char *fmt, ...)
{
	struct config_mode mode = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return config_line(&mode, text, why, sizeof(why));
}

/* No plugins; one session of joe, logged in and up. */
static int
fresh(void **state)
{
	(void)state;
	plugin_fini();
	while (conf->n_plugins > 0)
		line("remove plugin %s", conf->plugins[0]);
	line("set throttle_speed 0");
	if (s)
		session_free(s);
	s = session_new(tunnel, 7);
	session_set_user(s, "joe");
	session_set_authed(s);
	session_set_ip4(s, htonl(0x0a090001), 0, false);
	session_set_speeds(s, 8000000, 1000000);
	session_set_state(s, SESS_OPEN);
	session_forwarding(s, true);
	logged[0] = '\0';
	changes = 0;
	return 0;
}

static void
pair(const char *text)
{
	hook_avpair(s, (const uint8_t *)text, strlen(text));
}

static bool
was_logged(const char *what)
{
	return strstr(logged, what) != NULL;
}

static enum plugin_verdict
control(const char *command, const char *arg, const char *more)
{
	char words[3][64];
	char *argv[4] = { words[0], arg ? words[1] : NULL, more ? words[2] : NULL, NULL };

	snprintf(words[0], sizeof(words[0]), "%s", command);
	snprintf(words[1], sizeof(words[1]), "%s", arg ? arg : "");
	snprintf(words[2], sizeof(words[2]), "%s", more ? more : "");
	return plugin_control(1 + (arg != NULL) + (more != NULL), argv, why, sizeof(why));
}

/* ---- the loader ---- */

static const char *
names(void)
{
	static char text[512];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; plugin_name(i); i++) {
		strcat(text, plugin_name(i));
		strcat(text, " ");
	}
	return text;
}

static void
in_order(void **state)
{
	(void)state;
	assert_int_equal(plugin_load("stripdomain", why, sizeof(why)), 0);
	assert_int_equal(line("load plugin autosnoop"), 0);
	assert_int_equal(plugin_load("setrxspeed", why, sizeof(why)), 0);
	assert_string_equal(names(), "stripdomain autosnoop setrxspeed ");
	assert_int_equal(line("load plugin autosnoop"), -1);
	assert_string_equal(why, "plugin autosnoop is loaded already");
	assert_int_equal(plugin_unload("autosnoop", why, sizeof(why)), 0);
	assert_string_equal(names(), "stripdomain setrxspeed ");
	assert_int_equal(plugin_unload("autosnoop", why, sizeof(why)), -1);
	assert_int_equal(plugin_load("autosnoop", why, sizeof(why)), 0);
	assert_string_equal(names(), "stripdomain setrxspeed autosnoop ");
	plugin_fini();
	assert_string_equal(names(), "");
}

static void
bad_names(void **state)
{
	static const char *const bad[] = { "", "../plugins/garden", "/etc/passwd", ".garden",
		"garden.so\"", "a b" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(plugin_load(bad[i], why, sizeof(why)), -1);
		assert_non_null(strstr(why, "is no name of a plugin"));
	}
	assert_int_equal(plugin_load("nonesuch", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "nonesuch.so"));
	assert_non_null(strstr(why, "No such file"));
	assert_string_equal(names(), "");
	assert_int_equal(conf->n_plugins, 0);
}

static void
add_help(void *arg, const char *command, const char *what)
{
	assert_true(what[0]);
	strcat(arg, command);
	strcat(arg, ";");
}

static void
commands(void **state)
{
	char help[512] = "";

	(void)state;
	assert_int_equal(control("garden", "joe", NULL), PLUGIN_UNKNOWN);
	assert_int_equal(plugin_load("garden", why, sizeof(why)), 0);
	assert_int_equal(control("nonsense", NULL, NULL), PLUGIN_UNKNOWN);
	plugin_help(add_help, help);
	assert_string_equal(help, "garden USER|SID;ungarden SID [USER];");
}

/* What the packet path tests. */
static void
no_packets_for_nobody(void **state)
{
	(void)state;
	assert_int_equal(plugin_load("garden", why, sizeof(why)), 0);
	assert_null(hook_packet_rx);
	assert_null(hook_packet_tx);
}

/* ---- what plugins may call ---- */

static void
handles(void **state)
{
	const struct pluginfuncs *f = &plugin_funcs;
	plugin_session h = f->get_session_by_user("joe");
	uint32_t in, out;

	(void)state;
	assert_non_null(h);
	assert_ptr_equal(f->get_session_by_id(s), h);
	assert_ptr_equal(f->next_session(NULL), h);
	assert_null(f->next_session(h));
	assert_int_equal(f->session_id(h), s);
	assert_int_equal(f->tunnel_id(f->session_tunnel(h)), tunnel);
	assert_string_equal(f->session_user(h), "joe");
	assert_int_equal(f->session_ip(h), htonl(0x0a090001));
	assert_int_equal(f->session_up(h), 1);
	assert_null(f->get_session_by_user("jim"));
	assert_null(f->get_session_by_user(""));
	assert_null(f->get_session_by_id(0));
	assert_null(f->get_session_by_id(UINT32_MAX));
	f->throttle(h, 300, PLUGIN_RATE_KEEP);
	f->throttle(h, PLUGIN_RATE_KEEP, 200);
	f->get_throttle(h, &in, &out);
	assert_true(in == 300 && out == 200);
}

/* The id is another session's by now: what an old handle asks for must not hit it. */
static void
stale_handles(void **state)
{
	const struct pluginfuncs *f = &plugin_funcs;
	plugin_session old = f->get_session_by_id(s), none = NULL;
	sess_id before = s;
	uint32_t in = 1, out = 1;

	(void)state;
	fresh(NULL);
	assert_int_equal(s, before);
	assert_int_equal(f->session_id(old), 0);
	assert_int_equal(f->session_ip(old), 0);
	assert_string_equal(f->session_user(old), "");
	assert_string_equal(f->session_user(none), "");
	assert_null(f->session_tunnel(old));
	f->throttle(old, 9, 9);
	f->snoop(old, 9, 9);
	f->set_garden(old, 1);
	f->set_user(old, "jim");
	f->set_rx_speed(old, 9);
	f->kill_session(old, "wrong");
	f->get_throttle(old, &in, &out);
	f->log(PLUGIN_LOG_INFO, old, "of nobody");
	assert_int_equal(in | out, 0);
	assert_int_equal(f->filter(old, "", ""), -1);
	assert_int_equal(session_get(s)->rate_in | session_get(s)->snoop_ip, 0);
	assert_int_equal(session_get(s)->garden, 0);
	assert_string_equal(session_get(s)->user, "joe");
	timer_run(loop_now_ms() + 100);
	assert_int_equal(closed.cause, TERM_NONE);
	f->kill_session(f->get_session_by_id(s), "right");
	assert_int_equal(closed.cause, TERM_NONE); /* not from within */
	timer_run(loop_now_ms() + 200);
	assert_string_equal(closed.message, "right");
	assert_int_equal(closed.cause, TERM_ADMIN_RESET);
}

/* A slave has a copy: plugins may look at it, and change nothing. */
static void
copies_of_a_slave(void **state)
{
	const struct pluginfuncs *f = &plugin_funcs;
	plugin_session h = f->get_session_by_id(s);
	uint32_t in, out;

	(void)state;
	closed.cause = TERM_NONE;
	f->kill_session(h, "no more");
	role_set(false, 1);
	assert_string_equal(f->session_user(h), "joe");
	f->throttle(h, 9, 9);
	f->snoop(h, 9, 9);
	f->set_garden(h, 1);
	f->set_rx_speed(h, 9);
	f->get_throttle(h, &in, &out);
	assert_int_equal(in | out, 0);
	assert_int_equal(f->filter(h, "", ""), -1);
	assert_int_equal(f->set_user(h, "jim"), -1);
	assert_int_equal(session_get(s)->snoop_ip, 0);
	assert_int_not_equal(session_get(s)->rx_speed, 9);
	assert_int_equal(session_get(s)->garden, 0);
	assert_int_equal(f->is_master(), 0);
	assert_true(plugin_func_overreached());
	assert_false(plugin_func_overreached());
	f->kill_session(h, "no");
	assert_true(plugin_func_overreached());
	timer_run(loop_now_ms() + 300);
	role_set(true, 0);
	timer_run(loop_now_ms() + 400);
	assert_int_equal(closed.cause, TERM_NONE);
	f->throttle(h, 9, 9);
	assert_false(plugin_func_overreached());
}

/* It has ended, and waits for its peer's good-bye: nobody finds it, who has it may read it. */
static void
ended_sessions(void **state)
{
	const struct pluginfuncs *f = &plugin_funcs;
	plugin_session older = f->get_session_by_id(s), h;
	sess_id other = session_new(tunnel, 8);

	(void)state;
	session_set_user(other, "joe");
	session_set_authed(other);
	h = f->get_session_by_user("joe");
	assert_int_equal(f->session_id(h), other);
	session_set_down(other);
	assert_ptr_equal(f->get_session_by_user("joe"), older);
	assert_null(f->get_session_by_id(other));
	assert_null(f->next_session(older));
	assert_string_equal(f->session_user(h), "joe");
	session_set_down(s);
	assert_null(f->get_session_by_user("joe"));
	assert_null(f->next_session(NULL));
	session_free(other);
}

/* However many a plugin wants to end, a turn of the loop ends so many only. */
static void
many_to_end(void **state)
{
	enum { MANY = 500, MOST_A_TICK = 128 };
	uint64_t now = loop_now_ms() + 1000;
	unsigned int before = closes, turn_began, left;
	sess_id ids[MANY];
	int i;

	(void)state;
	timer_run(now);
	for (i = 0; i < MANY; i++) {
		ids[i] = session_new(tunnel, (uint16_t)(1000 + i));
		assert_int_not_equal(ids[i], 0);
		plugin_funcs.kill_session(plugin_handle(ids[i]), "all of them");
	}
	for (left = MANY; left; left = MANY - (closes - before)) {
		turn_began = closes;
		timer_run(now += TIMER_TICK_MS);
		assert_in_range(closes - turn_began, 0, MOST_A_TICK);
		assert_true(now < loop_now_ms() + 5000);
		/* more come in the midst of it */
		if (left == MANY)
			for (i = 0; i < MANY; i++)
				plugin_funcs.kill_session(NULL, "nobody");
	}
	timer_run(now += 1000);
	assert_int_equal(closes - before, MANY);
	for (i = 0; i < MANY; i++)
		session_free(ids[i]);
}

static void
settings(void **state)
{
	(void)state;
	assert_string_equal(plugin_funcs.get_config("plugin_dir"), plugin_dir);
	assert_string_equal(plugin_funcs.get_config("l2tp_mtu"), "1500");
	assert_string_equal(plugin_funcs.get_config("snoop_host"), "0.0.0.0");
	assert_string_equal(plugin_funcs.get_config("send_garp"), "yes");
	assert_string_equal(plugin_funcs.get_config("nonesuch"), "");
	assert_non_null(strstr(plugin_funcs.config_file("build-garden"), "/build-garden"));
}

/* ---- shipped plugins ---- */

static const char *
login_as(const char *user)
{
	static struct login login;

	login = (struct login){ .proto = AUTH_PAP };
	snprintf(login.user, sizeof(login.user), "%s", user);
	strcpy(login.password, "secret");
	assert_true(hook_pre_auth(s, &login));
	assert_false(login.new_password);
	return login.user;
}

static void
stripdomain(void **state)
{
	(void)state;
	assert_string_equal(login_as("joe@example.net"), "joe@example.net");
	assert_int_equal(plugin_load("stripdomain", why, sizeof(why)), 0);
	assert_string_equal(login_as("joe@example.net"), "joe");
	assert_string_equal(login_as("joe@a@b"), "joe");
	assert_string_equal(login_as("joe"), "joe");
	assert_string_equal(login_as("@example.net"), "@example.net");
}

static void
setrxspeed(void **state)
{
	(void)state;
	assert_int_equal(plugin_load("setrxspeed", why, sizeof(why)), 0);
	assert_true(hook_post_auth(s, AUTH_PAP, true));
	assert_int_equal(session_get(s)->rx_speed, 1000000);
	session_set_speeds(s, 8000000, 0);
	assert_false(hook_post_auth(s, AUTH_PAP, false));
	assert_int_equal(session_get(s)->rx_speed, 0);
	assert_true(hook_post_auth(s, AUTH_PAP, true));
	assert_int_equal(session_get(s)->rx_speed, 8000000);
}

static void
autothrottle(void **state)
{
	enum { KEPT = 77 };
	static const struct {
		const char *text;
		uint32_t in, out;
	} rows[] = {
		{ "throttle=300", 300, 300 },
		{ "throttle=no", 0, 0 },
		{ "throttle=0", 0, 0 },
		{ "throttle=yes", 512, 512 },
		{ "throttle=in 300", 300, KEPT },
		{ "throttle=out 200", KEPT, 200 },
		{ "throttle=in 300 out 200", 300, 200 },
		{ "throttle=out 200,in 300,other=x", 300, 200 },
		{ "lcp:interface-config#1=service-policy input 300", 300, KEPT },
		{ "lcp:interface-config#42=service-policy output 200", KEPT, 200 },
		{ "lcp:interface-config=Service-Policy Input 300", 300, KEPT },
		{ "lcp:interface-config#1=service-policy input GOLD", KEPT, KEPT },
		{ "lcp:interface-config#1=ip unnumbered Loopback0", KEPT, KEPT },
		{ "lcp:interface-config#1=service-policy input", KEPT, KEPT },
		{ "throttle=", KEPT, KEPT },
		{ "throttle=fast", KEPT, KEPT },
		{ "throttle=-1", KEPT, KEPT },
		{ "throttle=10000001", KEPT, KEPT },
		{ "throttle=99999999999999999999", KEPT, KEPT },
		{ "throttle=in", KEPT, KEPT },
		{ "throttle=in 1 out", KEPT, KEPT },
		{ "throttle=in 1 up 2", KEPT, KEPT },
		{ "throttle=in 1 out 2 in 3", KEPT, KEPT },
		{ "throttled=300", KEPT, KEPT },
	};
	size_t i;

	(void)state;
	assert_int_equal(plugin_load("autothrottle", why, sizeof(why)), 0);
	line("set throttle_speed 512");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		session_set_rates(s, KEPT, KEPT);
		pair(rows[i].text);
		if (session_get(s)->rate_in != rows[i].in ||
		    session_get(s)->rate_out != rows[i].out)
			fail_msg("%s: %u/%u", rows[i].text, session_get(s)->rate_in,
			    session_get(s)->rate_out);
	}
	assert_true(changes >= 11);
	assert_true(was_logged("autothrottle: throttle=fast is not yes, no"));
	line("set throttle_speed 0");
	pair("throttle=yes");
	assert_int_equal(session_get(s)->rate_in, KEPT);
	assert_true(was_logged("throttle_speed is not set"));
	hook_avpair_reset(s);
	assert_int_equal(session_get(s)->rate_in | session_get(s)->rate_out, 0);
}

static void
autothrottle_in_accounting(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	assert_int_equal(plugin_load("autothrottle", why, sizeof(why)), 0);
	hook_account(s, &w);
	assert_int_equal(wr_len(&w), 0);
	pair("throttle=300");
	hook_account(s, &w);
	assert_int_equal(wr_len(&w), 20);
	assert_memory_equal(buf, "\x1a\x14\0\0\0\x09\x01\x0ethrottle=yes", 20);
	w = wr_init(buf, 19); /* no room: the record stays as it is */
	hook_account(s, &w);
	assert_int_equal(wr_len(&w), 0);
	assert_false(w.bad);
}

static void
autosnoop(void **state)
{
	static const char *const bad[] = { "intercept=", "intercept=1.2.3.4",
		"intercept=1.2.3.4:", "intercept=1.2.3.4:0", "intercept=1.2.3.4:65536",
		"intercept=1.2.3:9", "intercept=:9", "intercept=0.0.0.0:9", "intercept=1.2.3.4:9x",
		"intercept=255.255.255.255.255:9" };
	size_t i;

	(void)state;
	assert_int_equal(plugin_load("autosnoop", why, sizeof(why)), 0);
	pair("intercept=yes");
	assert_int_equal(session_get(s)->snoop_ip, 0);
	assert_true(was_logged("snoop_host and snoop_port are not set"));
	line("set snoop_host 10.1.2.3");
	line("set snoop_port 4000");
	pair("intercept=yes");
	assert_int_equal(session_get(s)->snoop_ip, htonl(0x0a010203));
	assert_int_equal(session_get(s)->snoop_port, 4000);
	assert_true(session_fast(s)->flags & SF_SNOOP);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		pair(bad[i]);
	assert_int_equal(session_get(s)->snoop_port, 4000);
	pair("intercept=10.9.9.9:5000,x=y");
	assert_int_equal(session_get(s)->snoop_ip, htonl(0x0a090909));
	assert_int_equal(session_get(s)->snoop_port, 5000);
	pair("intercept=no");
	assert_int_equal(session_get(s)->snoop_ip, 0);
	pair("intercept=yes");
	hook_avpair_reset(s);
	assert_int_equal(session_get(s)->snoop_ip | session_get(s)->snoop_port, 0);
}

static void
garden_of_the_refused(void **state)
{
	(void)state;
	assert_false(hook_post_auth(s, AUTH_PAP, false));
	assert_int_equal(plugin_load("garden", why, sizeof(why)), 0);
	assert_true(hook_post_auth(s, AUTH_PAP, true));
	assert_int_equal(session_get(s)->garden, 0);
	assert_false(hook_post_auth(s, AUTH_MSCHAPV2, false));
	assert_int_equal(session_get(s)->garden, 0);
	assert_true(hook_post_auth(s, AUTH_CHAP, false));
	assert_int_equal(session_get(s)->garden, 1);
	pair("garden=maybe");
	assert_int_equal(session_get(s)->garden, 1);
	hook_avpair_reset(s);
	assert_int_equal(session_get(s)->garden, 1);
	pair("garden=no");
	assert_int_equal(session_get(s)->garden, 0);
	pair("garden=yes");
	assert_int_equal(session_get(s)->garden, 1);
}

/* A daemon of the test's own round the garden. */
static unsigned int walked;
static char told[1024];
static plugin_command_done ended;

static plugin_session
count_next(plugin_session h)
{
	walked++;
	return plugin_funcs.next_session(h);
}

static int
keep_input(char *const argv[], const void *input, size_t len, plugin_command_done done, void *arg)
{
	(void)argv;
	(void)arg;
	snprintf(told, sizeof(told), "%.*s", (int)len, (const char *)input);
	ended = done ? done : ended;
	return 0;
}

static int
keep_command(char *const argv[], plugin_command_done done, void *arg)
{
	(void)argv;
	(void)arg;
	ended = done ? done : ended;
	return 0;
}

static int
yes(void)
{
	return 1;
}

static void
find_function(void *dl, const char *name, void *to)
{
	void *address = dlsym(dl, name);

	assert_non_null(address);
	memcpy(to, &address, sizeof(address));
}

static void
seconds(int (*timer)(struct param_timer *), int n)
{
	struct param_timer p = { 0 };

	told[0] = '\0';
	while (n--)
		timer(&p);
}

/* When iptables has failed: from the list, which follows the sessions in the meantime. */
static void
garden_made_anew(void **state)
{
	struct pluginfuncs own = plugin_funcs;
	struct param_kill_session down = { NULL, plugin_handle(s) };
	int (*init)(const struct pluginfuncs *), (*timer)(struct param_timer *);
	int (*kill_session)(struct param_kill_session *);
	void (*done)(void);
	char path[600];
	void *dl;

	(void)state;
	own.next_session = count_next;
	own.run_with_input = keep_input;
	own.run_command = keep_command;
	own.is_master = yes;
	session_set_garden(s, true);
	snprintf(path, sizeof(path), "%s/garden.so", plugin_dir);
	dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(dl);
	find_function(dl, "plugin_init", &init);
	find_function(dl, "plugin_done", &done);
	find_function(dl, "plugin_timer", &timer);
	find_function(dl, "plugin_kill_session", &kill_session);
	assert_int_equal(init(&own), 1);
	ended(NULL, 0);
	assert_non_null(strstr(told, "-A garden_users -s 10.9.0.1 -j garden\n"));
	assert_int_equal(walked, 2);
	ended(NULL, 1);
	seconds(timer, 4);
	assert_string_equal(told, "");
	seconds(timer, 1);
	assert_non_null(strstr(told, ":garden_users - [0:0]\nCOMMIT\n"));
	ended(NULL, 0);
	assert_non_null(strstr(told, "-A garden_users -s 10.9.0.1 -j garden\n"));
	ended(NULL, 1);
	kill_session(&down);
	seconds(timer, 10);
	assert_non_null(strstr(told, ":garden_users - [0:0]\nCOMMIT\n"));
	assert_int_equal(walked, 2);
	done();
	dlclose(dl);
}

static int
no(void)
{
	return 0;
}

/* Who is master no more has no chains, and forgets who was in them. */
static void
garden_of_a_slave(void **state)
{
	struct pluginfuncs own = plugin_funcs;
	struct param_become_master master = { 0 };
	struct param_new_session_master copy = { NULL, plugin_handle(s) };
	int (*init)(const struct pluginfuncs *), (*timer)(struct param_timer *);
	int (*become_master)(struct param_become_master *);
	int (*new_session_master)(struct param_new_session_master *);
	void (*done)(void);
	char path[600];
	void *dl;

	(void)state;
	own.run_with_input = keep_input;
	own.run_command = keep_command;
	own.is_master = yes;
	session_set_garden(s, true);
	snprintf(path, sizeof(path), "%s/garden.so", plugin_dir);
	dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(dl);
	find_function(dl, "plugin_init", &init);
	find_function(dl, "plugin_done", &done);
	find_function(dl, "plugin_timer", &timer);
	find_function(dl, "plugin_become_master", &become_master);
	find_function(dl, "plugin_new_session_master", &new_session_master);
	assert_int_equal(init(&own), 1);
	ended(NULL, 0);
	own.is_master = no;
	seconds(timer, 1);
	assert_non_null(strstr(told, "-X garden_users\n"));
	told[0] = '\0';
	ended(NULL, 0); /* of what was under way */
	seconds(timer, 10);
	assert_string_equal(told, "");
	own.is_master = yes;
	session_set_garden(s, false); /* let out by another master */
	become_master(&master);
	assert_non_null(strstr(told, ":garden_users - [0:0]\nCOMMIT\n"));
	new_session_master(&copy);
	told[0] = '\0';
	ended(NULL, 0);
	assert_string_equal(told, "");
	session_set_garden(s, true);
	new_session_master(&copy);
	assert_non_null(strstr(told, "-A garden_users -s 10.9.0.1 -j garden\n"));
	done();
	dlclose(dl);
}

/* Many gardened sessions, by number, and what iptables has of them. */
enum { GARDENED = 20000, GARDEN_BATCH = 4096 };
static uint32_t garden_ip[GARDENED + 1]; /* 0: not in it */
static uint8_t in_chain[2 * GARDENED + 2];
static bool iptables_is_busy;

static plugin_session
fake_next(plugin_session h)
{
	uintptr_t id = (uintptr_t)h;

	do
		id++;
	while (id <= GARDENED && !garden_ip[id]);
	return id <= GARDENED ? (plugin_session)id : NULL;
}

static uint32_t
fake_id(plugin_session h)
{
	return (uint32_t)(uintptr_t)h;
}

static uint32_t
fake_ip(plugin_session h)
{
	return garden_ip[(uintptr_t)h] ? htonl(garden_ip[(uintptr_t)h]) : 0;
}

static int
fake_in_garden(plugin_session h)
{
	return garden_ip[(uintptr_t)h] != 0;
}

/* iptables-restore: no rule twice, none deleted that is not there, no more than a batch. */
static int
model_input(char *const argv[], const void *input, size_t len, plugin_command_done done, void *arg)
{
	char *text = strndup(input, len), *line, *rest = text;
	unsigned int a, b, c, d, rules = 0;
	char what;

	(void)argv;
	(void)arg;
	for (; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, ":garden_users", 13) == 0)
			memset(in_chain, 0, sizeof(in_chain));
		if (sscanf(line, "-%c garden_users -s %u.%u.%u.%u -j garden", &what, &a, &b, &c,
			&d) != 5)
			continue;
		rules++;
		a = c << 8 | d;
		assert_int_equal(in_chain[a], what == 'D');
		in_chain[a] = what == 'A';
	}
	assert_in_range(rules, 0, GARDEN_BATCH);
	free(text);
	ended = done ? done : ended;
	iptables_is_busy = true;
	return 0;
}

static void
iptables_ends(int status)
{
	iptables_is_busy = false;
	ended(NULL, status);
}

/* Sessions end and others come; the addresses move. */
static void
garden_changes(int (*kill_session)(struct param_kill_session *),
    int (*new_session)(struct param_new_session *))
{
	uintptr_t id;
	int n;

	for (n = 0; n < 500; n++) {
		id = 1 + (uintptr_t)random() % GARDENED;
		if (garden_ip[id]) {
			struct param_kill_session k = { NULL, (plugin_session)id };

			kill_session(&k);
			garden_ip[id] = 0;
		} else {
			struct param_new_session p = { NULL, (plugin_session)id };

			garden_ip[id] = (uint32_t)id + (random() % 2 ? GARDENED : 0);
			new_session(&p);
		}
	}
}

/* The chains are filled a batch a command, whatever happens in the meantime, a failure included. */
static void
garden_in_batches(void **state)
{
	struct pluginfuncs own = plugin_funcs;
	int (*init)(const struct pluginfuncs *), (*timer)(struct param_timer *);
	int (*kill_session)(struct param_kill_session *);
	int (*new_session)(struct param_new_session *);
	unsigned int i, wanted = 0, held = 0, commands = 0;
	void (*done)(void);
	char path[600];
	void *dl;

	(void)state;
	own.next_session = fake_next;
	own.session_id = fake_id;
	own.session_ip = fake_ip;
	own.in_garden = fake_in_garden;
	own.run_with_input = model_input;
	own.run_command = keep_command;
	own.is_master = yes;
	for (i = 1; i <= GARDENED; i++)
		garden_ip[i] = random() % 4 ? i : 0;
	snprintf(path, sizeof(path), "%s/garden.so", plugin_dir);
	dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(dl);
	find_function(dl, "plugin_init", &init);
	find_function(dl, "plugin_done", &done);
	find_function(dl, "plugin_timer", &timer);
	find_function(dl, "plugin_kill_session", &kill_session);
	find_function(dl, "plugin_new_session", &new_session);
	assert_int_equal(init(&own), 1);
	for (; iptables_is_busy; commands++) {
		if (commands < 20)
			garden_changes(kill_session, new_session);
		iptables_ends(commands == 3 || commands == 4);
		if (commands == 3 || commands == 4)
			seconds(timer, 10);
	}
	for (i = 1; i <= GARDENED; i++) {
		wanted += garden_ip[i] != 0;
		assert_true(!garden_ip[i] || in_chain[garden_ip[i]]);
	}
	for (i = 0; i < sizeof(in_chain); i++)
		held += in_chain[i];
	assert_int_equal(held, wanted);
	assert_true(commands > 8);
	done();
	dlclose(dl);
}

/* The last one: from here on we are the master. */
static void
garden_commands(void **state)
{
	char sid[16];

	(void)state;
	snprintf(sid, sizeof(sid), "%u", s);
	assert_int_equal(plugin_load("garden", why, sizeof(why)), 0);
	assert_int_equal(control("garden", "joe", NULL), PLUGIN_NOT_MASTER);
	plugin_role(true);
	assert_int_equal(control("garden", NULL, NULL), PLUGIN_REFUSED);
	assert_string_equal(why, "usage: garden USER|SID");
	assert_int_equal(control("garden", "jim", NULL), PLUGIN_REFUSED);
	assert_string_equal(why, "no such session");
	assert_int_equal(control("garden", "joe", NULL), PLUGIN_DONE);
	assert_string_equal(why, "");
	assert_int_equal(session_get(s)->garden, 1);
	assert_int_equal(control("garden", sid, NULL), PLUGIN_REFUSED);
	assert_int_equal(control("ungarden", sid, "jim"), PLUGIN_DONE);
	assert_int_equal(session_get(s)->garden, 0);
	assert_int_equal(session_by_user("jim"), s);
	assert_int_equal(session_by_user("joe"), 0);
	assert_int_equal(control("ungarden", sid, NULL), PLUGIN_REFUSED);
	assert_int_equal(control("ungarden", "99999999999", NULL), PLUGIN_REFUSED);
	assert_int_equal(control("garden", "jim", NULL), PLUGIN_DONE);
	hook_session(s, SESS_EV_DOWN);
	plugin_fini();
}

static int
add(struct wr *w, uint32_t vendor, size_t len)
{
	static const uint8_t value[300];

	return plugin_funcs.radius_add(w, vendor, 1, value, len);
}

/* As much as RADIUS can carry, and as much as there is room for; else nothing. */
static void
attributes_of_records(void **state)
{
	uint8_t buf[600];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	assert_int_equal(add(&w, 0, 253), 0);
	assert_int_equal(add(&w, 9, 247), 0);
	assert_int_equal(wr_len(&w), 2 * 255);
	assert_int_equal(add(&w, 0, 254), -1);
	assert_int_equal(add(&w, 9, 248), -1);
	assert_int_equal(add(&w, 0, 0), -1); /* RFC 2865 5: it is to be left out */
	assert_int_equal(add(&w, 0, 89), -1);
	assert_int_equal(add(&w, 9, 83), -1);
	assert_int_equal(wr_len(&w), 2 * 255);
	assert_int_equal(add(&w, 9, 72), 0);
	assert_int_equal(add(&w, 0, 8), 0);
	assert_int_equal(wr_len(&w), sizeof(buf));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order),
		TEST(bad_names),
		TEST(commands),
		TEST(no_packets_for_nobody),
		TEST(handles),
		TEST(stale_handles),
		TEST(copies_of_a_slave),
		TEST(ended_sessions),
		TEST(many_to_end),
		TEST(settings),
		TEST(stripdomain),
		TEST(setrxspeed),
		TEST(autothrottle),
		TEST(autothrottle_in_accounting),
		TEST(autosnoop),
		TEST(garden_of_the_refused),
		TEST(garden_made_anew),
		TEST(garden_of_a_slave),
		TEST(garden_in_batches),
		TEST(garden_commands),
		TEST(attributes_of_records),
	};

	(void)argc;
	snprintf(plugin_dir, sizeof(plugin_dir), "%.400s/../../plugins", dirname(argv[0]));
	config_init();
	config_share();
	line("set plugin_dir %s", plugin_dir);
	log_set_level(LOG_INFO);
	log_set_sink(keep_line, LOG_INFO);
	loop_clock();
	timer_run(loop_now_ms());
	counter_init();
	note_init(100);
	tunnel_init(10);
	session_init(1000);
	iptab_init(100);
	hook_init(&table);
	command_init();
	plugin_start();
	config_on_plugins(plugin_sync);
	tunnel = tunnel_new(htonl(0x0a010002), 1701, 5, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
