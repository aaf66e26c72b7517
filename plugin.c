/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads plugins and passes events to them, in the order in which they were loaded. A
 * plugin's functions are found by name, as plugin.h says; the table `events` has one
 * row an event. What runs in a plugin, runs in the daemon's one thread.
 *
 * Which plugins there are is the configuration's to say (`load plugin`); plugin_sync()
 * follows it, at start, at SIGHUP and for a line typed by an operator. A plugin is never
 * unloaded, nor one loaded, while one of their functions runs.
 *
 * The packet events are wired only while a plugin wants them; else the data path tests
 * one pointer.
 *
 * Owns struct plugin. Called by the hook list of l2tpns.c, by config.c through
 * config_on_plugins(), by the command line and nsctl. plugin_func.c has what plugins
 * may call.
 */
#include "plugin_func.h"
#include "config.h"
#include "config_item.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum event {
	PRE_AUTH,
	POST_AUTH,
	PACKET_RX,
	PACKET_TX,
	TIMER,
	NEW_SESSION,
	KILL_SESSION,
	CONTROL,
	RADIUS_RESPONSE,
	RADIUS_CHECK,
	RADIUS_RESET,
	RADIUS_ACCOUNT,
	BECOME_MASTER,
	NEW_SESSION_MASTER,
	EVENTS,
};

static const char *const events[EVENTS] = {
	[PRE_AUTH] = "plugin_pre_auth",
	[POST_AUTH] = "plugin_post_auth",
	[PACKET_RX] = "plugin_packet_rx",
	[PACKET_TX] = "plugin_packet_tx",
	[TIMER] = "plugin_timer",
	[NEW_SESSION] = "plugin_new_session",
	[KILL_SESSION] = "plugin_kill_session",
	[CONTROL] = "plugin_control",
	[RADIUS_RESPONSE] = "plugin_radius_response",
	[RADIUS_CHECK] = "plugin_radius_check",
	[RADIUS_RESET] = "plugin_radius_reset",
	[RADIUS_ACCOUNT] = "plugin_radius_account",
	[BECOME_MASTER] = "plugin_become_master",
	[NEW_SESSION_MASTER] = "plugin_new_session_master",
};

struct plugin {
	char name[CONF_PLUGIN_NAME];
	unsigned int number; /* never given again */
	void *dl;
	int (*fn[EVENTS])(void *param); /* NULL: does not hear of it */
	void (*done)(void);
};

static struct plugin plugins[CONF_PLUGINS];
static unsigned int n_plugins, last_number;
static struct timer second_timer;

/* What `show plugins` sees. */
static struct shared {
	unsigned int n;
	char names[CONF_PLUGINS][CONF_PLUGIN_NAME];
} * shared;

/* ---- events ---- */

static bool
somebody_hears(enum event ev)
{
	unsigned int i;

	for (i = 0; i < n_plugins; i++)
		if (plugins[i].fn[ev])
			return true;
	return false;
}

static int
call(const struct plugin *p, enum event ev, void *param)
{
	struct plugin_caller before =
	    plugin_caller_set((struct plugin_caller){ p->number, p->name });
	int result = p->fn[ev](param);

	plugin_caller_set(before);
	if (result == PLUGIN_RET_ERROR && ev != PACKET_RX && ev != PACKET_TX && ev != RADIUS_CHECK)
		plog_limit(LOG_WARNING, "%s: %s failed", p->name, events[ev]);
	return result;
}

/* The result of the plugin that ended it, PLUGIN_RET_OK when none did. */
static int
raise_event(enum event ev, void *param)
{
	int result = PLUGIN_RET_OK;
	unsigned int i;

	for (i = 0; i < n_plugins && result == PLUGIN_RET_OK; i++)
		if (plugins[i].fn[ev])
			result = call(&plugins[i], ev, param);
	return result;
}

static bool
packet_rx(sess_id s, void *data, size_t len)
{
	struct param_packet_rx p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.buf = data,
		.len = (uint16_t)len,
	};

	return raise_event(PACKET_RX, &p) == PLUGIN_RET_OK;
}

static bool
packet_tx(sess_id s, void *data, size_t len)
{
	struct param_packet_tx p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.buf = data,
		.len = (uint16_t)len,
	};

	return raise_event(PACKET_TX, &p) == PLUGIN_RET_OK;
}

void
plugin_session_event(sess_id s, enum sess_event ev)
{
	struct param_new_session up = { plugin_tunnel_of(s), plugin_handle(s) };
	struct param_kill_session down = { plugin_tunnel_of(s), plugin_handle(s) };

	if (ev == SESS_EV_UP)
		raise_event(NEW_SESSION, &up);
	else if (ev == SESS_EV_DOWN)
		raise_event(KILL_SESSION, &down);
}

static int
protocol_number(enum auth_proto proto)
{
	return proto == AUTH_PAP ? PLUGIN_PAP : proto == AUTH_CHAP ? PLUGIN_CHAP : PLUGIN_MSCHAPV2;
}

/* What plugins have made of a login, back into ours. False: it is no login any more. */
static bool
take_back(struct login *login, const struct param_pre_auth *p)
{
	if (!p->username || !str_copy(login->user, sizeof(login->user), p->username) ||
	    login->user[0] == '\0')
		return false;
	if (!p->password || strcmp(p->password, login->password) == 0)
		return true;
	login->new_password = true;
	return str_copy(login->password, sizeof(login->password), p->password);
}

bool
plugin_before_auth(sess_id s, struct login *login)
{
	struct param_pre_auth p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.protocol = protocol_number(login->proto),
		.continue_auth = 1,
	};
	bool good;

	if (!somebody_hears(PRE_AUTH))
		return true;
	p.username = strdup(login->user);
	p.password = login->proto == AUTH_PAP ? strdup(login->password) : NULL;
	good = p.username && raise_event(PRE_AUTH, &p) != PLUGIN_RET_ERROR && p.continue_auth &&
	       take_back(login, &p);
	if (p.password)
		explicit_bzero(p.password, strlen(p.password));
	free(p.password);
	free(p.username);
	return good;
}

bool
plugin_after_auth(sess_id s, enum auth_proto proto, bool allowed)
{
	struct param_post_auth p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.username = session_get(s)->user,
		.auth_allowed = allowed,
		.protocol = protocol_number(proto),
	};

	return raise_event(POST_AUTH, &p) != PLUGIN_RET_ERROR && p.auth_allowed;
}

void
plugin_avpair(sess_id s, const char *key, const char *value)
{
	struct param_radius_response p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.key = key,
		.value = value,
	};

	raise_event(RADIUS_RESPONSE, &p);
}

/* Whether one takes pairs and does not tell which. */
static bool
somebody_takes_any(void)
{
	unsigned int i;

	for (i = 0; i < n_plugins; i++)
		if (plugins[i].fn[RADIUS_RESPONSE] && !plugins[i].fn[RADIUS_CHECK])
			return true;
	return false;
}

enum avpair_verdict
plugin_avpair_check(sess_id s, const char *key, const char *value)
{
	struct param_radius_check p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.key = key,
		.value = value,
	};
	int result = raise_event(RADIUS_CHECK, &p);

	if (result == PLUGIN_RET_ERROR)
		return AVPAIR_BAD;
	return result == PLUGIN_RET_STOP || somebody_takes_any() ? AVPAIR_GOOD : AVPAIR_UNKNOWN;
}

void
plugin_avpair_reset(sess_id s)
{
	struct param_radius_reset p = { plugin_tunnel_of(s), plugin_handle(s) };

	raise_event(RADIUS_RESET, &p);
}

void
plugin_add_account(sess_id s, struct wr *attrs)
{
	struct param_radius_account p = {
		.t = plugin_tunnel_of(s),
		.s = plugin_handle(s),
		.packet = attrs,
	};

	raise_event(RADIUS_ACCOUNT, &p);
}

void
plugin_role(bool master)
{
	static bool was_master;
	struct param_become_master p = { 0 };

	plugin_func_master(master);
	if (master && !was_master)
		raise_event(BECOME_MASTER, &p);
	was_master = master;
}

static void
adopt(sess_id s)
{
	struct param_new_session_master n = { plugin_tunnel_of(s), plugin_handle(s) };

	raise_event(NEW_SESSION_MASTER, &n);
}

const struct hook_member plugin_member = { .adopt = adopt };

static void
on_second(uint32_t unused)
{
	struct param_timer p = { .time_now = loop_time() };

	(void)unused;
	raise_event(TIMER, &p);
	timer_set(&second_timer, SEC(1));
}

/* ---- nsctl ---- */

enum plugin_verdict
plugin_control(int argc, char **argv, char *text, size_t size)
{
	struct param_control p = {
		.iam_master = plugin_funcs.is_master(), .argc = argc, .argv = argv
	};
	int result;

	(void)plugin_func_overreached();
	result = raise_event(CONTROL, &p);
	snprintf(text, size, "%s", result != PLUGIN_RET_OK && p.additional ? p.additional : "");
	if (plugin_func_overreached() || result == PLUGIN_RET_NOTMASTER)
		return PLUGIN_NOT_MASTER;
	if (result == PLUGIN_RET_STOP)
		return p.response ? PLUGIN_DONE : PLUGIN_REFUSED;
	return result == PLUGIN_RET_OK ? PLUGIN_UNKNOWN : PLUGIN_REFUSED;
}

void
plugin_help(plugin_help_fn line, void *arg)
{
	char word[] = "help", *argv[] = { word, NULL };
	struct param_control p = {
		.iam_master = plugin_funcs.is_master(), .argc = 1, .argv = argv
	};

	plugin_func_help(line, arg);
	raise_event(CONTROL, &p);
	plugin_func_help(NULL, NULL);
}

/* ---- loading ---- */

/* After a change of the list: who hears packets, what `show plugins` shows. */
static void
list_changed(void)
{
	unsigned int i;

	hook_packet_rx = somebody_hears(PACKET_RX) ? packet_rx : NULL;
	hook_packet_tx = somebody_hears(PACKET_TX) ? packet_tx : NULL;
	for (i = 0; i < n_plugins; i++)
		memcpy(shared->names[i], plugins[i].name, sizeof(shared->names[i]));
	shared->n = n_plugins;
}

static struct plugin *
find(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_plugins; i++)
		if (strcmp(plugins[i].name, name) == 0)
			return &plugins[i];
	return NULL;
}

/* -1 with the reason when it was built against another plugin.h. */
static int
check_version(const struct plugin *p, char *why, size_t why_size)
{
	const int *version = dlsym(p->dl, "plugin_api_version");

	if (!version)
		snprintf(
		    why, why_size, "%s.so is no plugin: it has no plugin_api_version", p->name);
	else if (*version < PLUGIN_API_VERSION)
		snprintf(why, why_size,
		    "%s.so is older than this l2tpns: it has plugin interface %d, not %d; build it "
		    "anew",
		    p->name, *version, PLUGIN_API_VERSION);
	else if (*version > PLUGIN_API_VERSION)
		snprintf(why, why_size,
		    "%s.so is newer than this l2tpns: it has plugin interface %d, not %d", p->name,
		    *version, PLUGIN_API_VERSION);
	else
		return 0;
	return -1;
}

/* Puts the address of a function into the pointer at `to`; NULL when there is none. */
static void
find_function(void *dl, const char *name, void *to)
{
	void *address = dlsym(dl, name);

	memcpy(to, &address, sizeof(address));
}

/* Finds its functions and lets it begin. */
static int
begin(struct plugin *p, char *why, size_t why_size)
{
	int (*init)(const struct pluginfuncs *f);
	struct plugin_caller before;
	int ev, good = 1;

	if (check_version(p, why, why_size) < 0)
		return -1;
	for (ev = 0; ev < EVENTS; ev++)
		find_function(p->dl, events[ev], &p->fn[ev]);
	find_function(p->dl, "plugin_done", &p->done);
	find_function(p->dl, "plugin_init", &init);
	p->number = ++last_number;
	before = plugin_caller_set((struct plugin_caller){ p->number, p->name });
	if (init)
		good = init(&plugin_funcs);
	plugin_caller_set(before);
	if (!good) {
		plugin_func_forget(p->number);
		snprintf(why, why_size, "%s.so does not want to be loaded", p->name);
	}
	return good ? 0 : -1;
}

static int
load(const char *name, char *why, size_t why_size)
{
	struct plugin p = { 0 };
	char path[PATH_MAX];

	str_copy(p.name, sizeof(p.name), name);
	snprintf(path, sizeof(path), "%s/%s.so", conf->plugin_dir, name);
	p.dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!p.dl) {
		snprintf(why, why_size, "%s", dlerror());
		return -1;
	}
	if (begin(&p, why, why_size) < 0) {
		dlclose(p.dl);
		return -1;
	}
	plugins[n_plugins++] = p;
	list_changed();
	plog(LOG_WARNING, "plugin %s is loaded", name);
	return 0;
}

static void
unload(struct plugin *p)
{
	struct plugin gone = *p;
	struct plugin_caller before =
	    plugin_caller_set((struct plugin_caller){ gone.number, gone.name });

	if (gone.done)
		gone.done();
	plugin_caller_set(before);
	plugin_func_forget(gone.number);
	n_plugins--;
	memmove(p, p + 1, (size_t)(plugins + n_plugins - p) * sizeof(*p));
	list_changed();
	dlclose(gone.dl);
	plog(LOG_WARNING, "plugin %s is unloaded", gone.name);
}

static bool
is_wanted(const char *name)
{
	unsigned int i;

	for (i = 0; i < conf->n_plugins; i++)
		if (strcmp(conf->plugins[i], name) == 0)
			return true;
	return false;
}

/* Loads it when it is wanted and not there. */
static int
load_wanted(const char *name, char *why, size_t why_size)
{
	if (find(name) || !is_wanted(name))
		return 0;
	if (load(name, why, why_size) == 0)
		return 0;
	plog(LOG_ERROR, "cannot load plugin %s: %s", name, why);
	return -1;
}

int
plugin_sync(const char *name, char *why, size_t why_size)
{
	unsigned int i;
	int bad = 0;

	if (plugin_caller_is()) {
		snprintf(why, why_size, "a plugin is at work");
		return -1;
	}
	if (name && find(name) && is_wanted(name)) {
		snprintf(why, why_size, "plugin %s is loaded already", name);
		return -1;
	}
	for (i = n_plugins; i-- > 0;)
		if ((!name || strcmp(plugins[i].name, name) == 0) && !is_wanted(plugins[i].name))
			unload(&plugins[i]);
	if (name)
		return load_wanted(name, why, why_size);
	for (i = 0; i < conf->n_plugins; i++)
		bad |= load_wanted(conf->plugins[i], why, why_size);
	return bad;
}

static int
config_command(const char *command, const char *name, char *why, size_t why_size)
{
	struct config_mode mode = { 0 };
	char line[ITEM_TEXT], quoted[ITEM_TEXT];

	if (strlen(name) >= CONF_PLUGIN_NAME) {
		snprintf(why, why_size, "'%.80s' is no name of a plugin", name);
		return -1;
	}
	item_quote(name, quoted, sizeof(quoted));
	snprintf(line, sizeof(line), "%s plugin %.200s", command, quoted);
	return config_line(&mode, line, why, why_size);
}

int
plugin_load(const char *name, char *why, size_t why_size)
{
	return config_command("load", name, why, why_size);
}

int
plugin_unload(const char *name, char *why, size_t why_size)
{
	return config_command("remove", name, why, why_size);
}

const char *
plugin_name(unsigned int i)
{
	return i < shared->n ? shared->names[i] : NULL;
}

/* ---- start and end ---- */

void
plugin_start(void)
{
	shared = shm_map("plugins", sizeof(*shared));
	plugin_func_init();
	timer_init(&second_timer, on_second, 0);
	timer_set(&second_timer, SEC(1));
}

void
plugin_fini(void)
{
	while (n_plugins > 0)
		unload(&plugins[n_plugins - 1]);
}
