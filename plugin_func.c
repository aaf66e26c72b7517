/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that plugins may call. A plugin never sees a struct of ours: a session
 * is named by a number that looks like a pointer, the sess_id and, where a pointer has
 * room, the number of this very session since start. A handle of a session that has
 * ended finds nothing, and what is done with it does nothing.
 *
 * A plugin may want to end a session while an engine is in the midst of it. So
 * kill_session() notes it down, and a tick later hook_close() is called; for so many in a
 * tick and no more, as a plugin may want to end them all.
 *
 * On a slave of a cluster plugins can look, and change nothing.
 *
 * Owns the notes of sessions to end and of programs under way. Called by plugins.
 */
#include "plugin_func.h"
#include "command.h"
#include "config.h"
#include "config_item.h"
#include "filter.h"
#include "iptab.h"
#include "log.h"
#include "note.h"
#include "policy.h"
#include "radattr.h"
#include "role.h"
#include "tbf.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOG_TEXT = 1024,
	CLOSED_BY_OPERATOR = 3,
	HEAD = 2, /* of an attribute; of a vendor's */
	VENDOR_HEAD = 8,
	END_BATCH = 128,  /* sessions ended in one tick */
	END_LOOKS = 4096, /* the same with those that had ended by themselves */
};

static struct plugin_caller caller;
static bool is_master;	 /* since the plugins were told */
static bool overreached; /* a plugin wanted a change that is not ours to make */

static struct {
	plugin_help_fn line;
	void *arg;
} help;

/* Programs under way; done NULL: nobody wants to know, or a free record. */
static struct call {
	bool used;
	unsigned int owner;
	char name[CONF_PLUGIN_NAME];
	plugin_command_done done;
	void *arg;
} calls[COMMAND_QUEUE];

/* Sessions to end: those from first_doomed on. */
static struct doomed {
	plugin_session s;
	char reason[sizeof(((struct sess_end *)0)->message)];
} * doomed;
static size_t n_doomed, first_doomed, doomed_room;
static struct timer kill_timer;

/* ---- names ---- */

plugin_session
plugin_handle(sess_id id)
{
	const struct session *s = session_get(id);
	uintptr_t handle = id;

	if (!s)
		return NULL;
#if UINTPTR_MAX > UINT32_MAX
	handle |= (uintptr_t)s->unique << 32;
#endif
	return (plugin_session)handle;
}

/* NULL when it has ended. */
static const struct session *
get(plugin_session handle)
{
	sess_id id = (uint32_t)(uintptr_t)handle;

	return handle && plugin_handle(id) == handle ? session_get(id) : NULL;
}

plugin_tunnel
plugin_tunnel_of(sess_id id)
{
	const struct session *s = session_get(id);

	return s ? (plugin_tunnel)(uintptr_t)s->tunnel : NULL;
}

/* For who looks for one: a session that has ended lies about until its peer has said good-bye, but
 * plugins have heard the last of it and its address may be another's. */
static plugin_session
living(sess_id id)
{
	const struct session *s = session_get(id);

	return s && !s->down ? plugin_handle(id) : NULL;
}

static plugin_session
by_user(const char *user)
{
	sess_id id = session_by_user(user);

	while (id && session_get(id)->down)
		id = session_next_of_user(id);
	return plugin_handle(id);
}

static plugin_session
by_ip(uint32_t ip)
{
	sess_id id = ip ? iptab_exact(ip, 32) : 0;
	const struct session *s = session_get(id);

	return s && s->ip4 == ip ? plugin_handle(id) : NULL;
}

static plugin_session
next_session(plugin_session s)
{
	sess_id id = (uint32_t)(uintptr_t)s, last = session_highest();

	while (++id <= last)
		if (living(id))
			return plugin_handle(id);
	return NULL;
}

/* ---- reading ---- */

#define READ(name, type, none, value)                                                              \
	static type name(plugin_session handle)                                                    \
	{                                                                                          \
		const struct session *s = get(handle);                                             \
                                                                                                   \
		return s ? (value) : (none);                                                       \
	}

READ(id_of, uint32_t, 0, session_id(s))
READ(tunnel_of, plugin_tunnel, NULL, plugin_tunnel_of(session_id(s)))
READ(user_of, const char *, "", s->authed ? s->user : "")
READ(calling_of, const char *, "", s->calling)
READ(called_of, const char *, "", s->called)
READ(ip_of, uint32_t, 0, s->ip4)
READ(is_up, int, 0, (session_fast(session_id(s))->flags & SF_ON) != 0)
READ(rx_speed_of, uint32_t, 0, s->rx_speed)
READ(tx_speed_of, uint32_t, 0, s->tx_speed)
READ(is_in_garden, int, 0, s->garden)

static uint32_t
tunnel_number(plugin_tunnel t)
{
	return (uint32_t)(uintptr_t)t;
}

static void
get_throttle(plugin_session handle, uint32_t *in, uint32_t *out)
{
	const struct session *s = get(handle);

	*in = s ? s->rate_in : 0;
	*out = s ? s->rate_out : 0;
}

static int
is_throttled(plugin_session handle)
{
	const struct session *s = get(handle);

	return s && (s->rate_in || s->rate_out) && !tbf_is_short(session_id(s));
}

/* ---- changing ---- */

/* The same for who wants to change it: a slave has only a copy. */
static const struct session *
get_ours(plugin_session handle)
{
	if (role_is_master())
		return get(handle);
	overreached = true;
	return NULL;
}

static void
set_rx_speed(plugin_session handle, uint32_t speed)
{
	const struct session *s = get_ours(handle);

	if (s)
		session_set_speeds(session_id(s), s->tx_speed, speed);
}

static void
set_tx_speed(plugin_session handle, uint32_t speed)
{
	const struct session *s = get_ours(handle);

	if (s)
		session_set_speeds(session_id(s), speed, s->rx_speed);
}

_Static_assert(PLUGIN_RATE_KEEP == POLICY_KEEP, "it is handed on");

static void
set_throttle(plugin_session handle, uint32_t in, uint32_t out)
{
	const struct session *s = get_ours(handle);

	if (s)
		policy_throttle(session_id(s), in, out);
}

static void
set_snoop(plugin_session handle, uint32_t ip, uint16_t port)
{
	const struct session *s = get_ours(handle);

	if (s)
		policy_snoop(session_id(s), ip, port);
}

static void
set_garden(plugin_session handle, int on)
{
	const struct session *s = get_ours(handle);

	if (s)
		policy_garden(session_id(s), on != 0);
}

/* NULL: as it is; "": none. */
static int
list_of(const char *name)
{
	return !name ? POLICY_KEEP_LIST : filter_find(name);
}

static int
set_filter(plugin_session handle, const char *in, const char *out)
{
	const struct session *s = get_ours(handle);

	if (!s || (in && in[0] && !filter_find(in)) || (out && out[0] && !filter_find(out)))
		return -1;
	policy_filter(session_id(s), list_of(in), list_of(out));
	return 0;
}

static plugin_session
find_session(const char *word)
{
	plugin_session s = NULL;
	uint64_t id;

	if (parse_uint(word, 1, UINT32_MAX, &id))
		s = living((uint32_t)id);
	return s ? s : by_user(word);
}

static int
refuse_command(struct param_control *p, const char *fmt, ...)
{
	static char reason[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	p->response = 0;
	p->additional = reason;
	return PLUGIN_RET_STOP;
}

static int
set_user(plugin_session handle, const char *user)
{
	const struct session *s = get_ours(handle);
	bool authed = s && s->authed;
	struct note n;

	if (!s || user[0] == '\0' || strlen(user) >= USER_LEN)
		return -1;
	if (s->accounted)
		return strcmp(s->user, user) == 0 ? 0 : -1;
	if (authed && !note_find(s->notes, NOTE_LOGIN, &n)) /* his link goes on asking by it */
		session_add_note(session_id(s), NOTE_LOGIN, 0, s->user, strlen(s->user));
	session_set_user(session_id(s), user);
	if (authed)
		session_set_authed(session_id(s));
	return 0;
}

/* True when there was something to end. */
static bool
end_one(const struct doomed *d)
{
	const struct session *s = role_is_master() ? get(d->s) : NULL;
	struct sess_end end = {
		.cause = TERM_ADMIN_RESET,
		.result = CLOSED_BY_OPERATOR,
	};

	str_copy(end.message, sizeof(end.message), d->reason);
	if (s)
		hook_close(session_id(s), &end);
	return s != NULL;
}

static void
end_doomed(uint32_t unused)
{
	unsigned int ends = 0, looks;

	(void)unused;
	/* a plugin may ask for more while it hears of these */
	for (looks = 0; looks < END_LOOKS && ends < END_BATCH && first_doomed < n_doomed; looks++)
		ends += end_one(&doomed[first_doomed++]);
	if (first_doomed < n_doomed)
		timer_set(&kill_timer, MS(TIMER_TICK_MS));
	else
		first_doomed = n_doomed = 0;
}

/* Room for one more; NULL when there is no memory. */
static struct doomed *
new_doomed(void)
{
	struct doomed *more;

	if (n_doomed == doomed_room && first_doomed > doomed_room / 2) {
		n_doomed -= first_doomed;
		memmove(doomed, doomed + first_doomed, n_doomed * sizeof(*doomed));
		first_doomed = 0;
	}
	if (n_doomed == doomed_room) {
		more = realloc(doomed, (doomed_room * 2 + 16) * sizeof(*doomed));
		if (!more)
			return NULL;
		doomed = more;
		doomed_room = doomed_room * 2 + 16;
	}
	return &doomed[n_doomed++];
}

static void
kill_session(plugin_session s, const char *reason)
{
	struct doomed *d;

	if (!role_is_master()) {
		overreached = true;
		return;
	}
	d = new_doomed();
	if (!d) {
		plog(LOG_ERROR, "%s: no memory to end a session",
		    caller.name ? caller.name : "plugin");
		return;
	}
	d->s = s;
	str_copy(d->reason, sizeof(d->reason), reason && reason[0] ? reason : "ended by a plugin");
	if (!timer_running(&kill_timer))
		timer_set(&kill_timer, MS(TIMER_TICK_MS));
}

/* ---- the daemon ---- */

static void __attribute__((format(printf, 3, 4)))
write_log(int level, plugin_session handle, const char *fmt, ...)
{
	const struct session *s = get(handle);
	char text[LOG_TEXT];
	va_list args;

	if (!log_on(level))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_write(level, s ? session_id(s) : 0, s ? s->tunnel : 0, "%s: %s",
	    caller.name ? caller.name : "plugin", text);
}

static const char *
get_config(const char *name)
{
	static char text[ITEM_TEXT];
	const struct item *it = item_find(name);

	if (!it)
		return "";
	item_print(it, conf, text, sizeof(text));
	return text[0] == '"' || text[0] == '\'' ? (const char *)conf + it->offset : text;
}

static const char *
config_file(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", config_dir(), name);
	return path;
}

static int
radius_add(void *packet, uint32_t vendor, uint8_t type, const void *value, size_t len)
{
	struct wr *w = packet;
	size_t head = vendor ? VENDOR_HEAD : HEAD;

	if (len == 0 || head + len > HEAD + RAD_MAX_VALUE || (size_t)(w->end - w->pos) < head + len)
		return -1;
	if (vendor)
		rad_put_vendor(w, vendor, type, value, len);
	else
		rad_put(w, type, value, len);
	return 0;
}

static void
control_help(const char *command, const char *what)
{
	if (help.line)
		help.line(help.arg, command, what);
}

void
plugin_func_help(plugin_help_fn line, void *arg)
{
	help.line = line;
	help.arg = arg;
}

static int
ask_is_master(void)
{
	return is_master && role_is_master();
}

void
plugin_func_master(bool now)
{
	is_master = now;
}

bool
plugin_func_overreached(void)
{
	bool was = overreached;

	overreached = false;
	return was;
}

/* ---- outside programs ---- */

static void
on_command_done(void *arg, int status)
{
	struct call c = *(struct call *)arg;
	struct plugin_caller before;

	((struct call *)arg)->used = false;
	if (!c.done)
		return;
	before = plugin_caller_set((struct plugin_caller){ c.owner, c.name });
	c.done(c.arg, status);
	plugin_caller_set(before);
}

static int
run_with_input(
    char *const argv[], const void *input, size_t len, plugin_command_done done, void *arg)
{
	struct call *c = calls;

	while (c < calls + COMMAND_QUEUE && c->used)
		c++;
	if (c == calls + COMMAND_QUEUE || command_run(argv, input, len, on_command_done, c) < 0)
		return -1;
	*c = (struct call){ .used = true, .owner = caller.number, .done = done, .arg = arg };
	str_copy(c->name, sizeof(c->name), caller.name ? caller.name : "plugin");
	return 0;
}

static int
run_command(char *const argv[], plugin_command_done done, void *arg)
{
	return run_with_input(argv, NULL, 0, done, arg);
}

void
plugin_func_forget(unsigned int number)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(calls); i++)
		if (calls[i].owner == number)
			calls[i].done = NULL;
}

/* ---- who calls ---- */

struct plugin_caller
plugin_caller_set(struct plugin_caller now)
{
	struct plugin_caller before = caller;

	caller = now;
	return before;
}

bool
plugin_caller_is(void)
{
	return caller.number != 0;
}

void
plugin_func_init(void)
{
	timer_init(&kill_timer, end_doomed, 0);
}

const struct pluginfuncs plugin_funcs = {
	.size = sizeof(plugin_funcs),
	.log = write_log,
	.get_config = get_config,
	.get_session_by_user = by_user,
	.get_session_by_id = living,
	.get_session_by_ip = by_ip,
	.next_session = next_session,
	.session_id = id_of,
	.session_tunnel = tunnel_of,
	.tunnel_id = tunnel_number,
	.session_user = user_of,
	.session_calling = calling_of,
	.session_called = called_of,
	.session_ip = ip_of,
	.session_up = is_up,
	.session_rx_speed = rx_speed_of,
	.session_tx_speed = tx_speed_of,
	.set_rx_speed = set_rx_speed,
	.set_tx_speed = set_tx_speed,
	.kill_session = kill_session,
	.throttle = set_throttle,
	.get_throttle = get_throttle,
	.snoop = set_snoop,
	.set_garden = set_garden,
	.in_garden = is_in_garden,
	.filter = set_filter,
	.radius_add = radius_add,
	.control_help = control_help,
	.run_command = run_command,
	.is_master = ask_is_master,
	.run_with_input = run_with_input,
	.config_file = config_file,
	.set_user = set_user,
	.find_session = find_session,
	.refuse = refuse_command,
	.is_throttled = is_throttled,
};
