/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration in force, and the one parser of configuration commands: for
 * startup-config and, line by line, for the CLI. The names and types of `set` are
 * in config_item.c; other commands get a row in statements[].
 *
 * A file is read into a copy that starts from the defaults, and comes into force
 * as a whole at its end; a name that has left the file is at its default again.
 * At start bad lines are reported and the rest serves. At SIGHUP the file is staged,
 * and committed by l2tpns.c when it and the files it leads to have no errors. A line
 * typed at run time is in force at once.
 *
 * There are two of each value: `conf_next`, what was configured last and is shown and
 * written, and `conf`, what is in force. They differ in the items of which the daemon
 * took the value at its start (ITEM_RESTART), and in a pair of ports that is no range.
 *
 * Who has to act on a change registers for it; the functions are called when all
 * new values are in force. Owns struct config; everybody else reads it through
 * `conf`. Called by l2tpns.c and the CLI's parent side.
 */
#include "config.h"
#include "config_item.h"
#include "config_lac.h"
#include "config_plugin.h"
#include "log.h"
#include "shm.h"
#include "textfile.h"
#include "util.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, MAX_WORDS = 64, MAX_HOOKS = 128, WHY_SIZE = 512, RADIUS_PORTS = 64 };

static struct {
	struct config now, next;
} early;
static struct config staging;
static struct config *current = &early.now, *next = &early.next;
const struct config *conf = &early.now, *conf_next = &early.next;

static char forced_hostname[HOSTNAME_LEN];
static char path[PATH_MAX]; /* of the file read; with a directory in front */
static char dir[PATH_MAX] = ".";

/* A file while it is read; NULL: lines go into force. */
static struct reading {
	struct textfile text;
	unsigned int set_at[8 * sizeof(staging.is_set)]; /* line of each item; 0: not in the file */
	config_error_fn error;
	int errors;
} * reading;

static struct {
	const struct item *item;
	config_apply_fn apply;
	config_check_fn check;
} hooks[MAX_HOOKS];
static unsigned int n_hooks;
static config_apply_fn lacs_hook; /* for the `lac` lines */
static config_plugins_fn plugins_hook;

/* ---- defaults and start ---- */

static void
system_hostname(char *name, size_t size)
{
	if (gethostname(name, size) < 0 || name[0] == '\0')
		str_copy(name, size, "l2tpns");
	name[size - 1] = '\0';
}

static void
set_defaults(struct config *c)
{
	const struct item *it;
	unsigned int i;
	char why[WHY_SIZE];

	memset(c, 0, sizeof(*c));
	for (i = 0; (it = item_get(i)); i++)
		if (item_parse(it, c, it->initial, why, sizeof(why)) < 0)
			fatal("default of %s: %s", it->name, why);
}

/* What an item means when it is not named, and what outside powers ask for. */
static void
complete(struct config *c)
{
	char name[HOSTNAME_LEN] = "";

	if (forced_hostname[0])
		str_copy(name, sizeof(name), forced_hostname);
	else if (c->hostname[0] == '\0')
		system_hostname(name, sizeof(name));
	if (name[0]) {
		memset(c->hostname, 0, sizeof(c->hostname));
		str_copy(c->hostname, sizeof(c->hostname), name);
	}
}

void
config_init(void)
{
	set_defaults(next);
	complete(next);
	*current = *next;
}

void
config_share(void)
{
	struct config *shared = shm_map("configuration", 2 * sizeof(*shared));

	shared[0] = *current;
	shared[1] = *next;
	conf = current = &shared[0];
	conf_next = next = &shared[1];
}

void
config_force_hostname(const char *name)
{
	str_copy(forced_hostname, sizeof(forced_hostname), name);
	complete(current);
	complete(next);
}

/* ---- who acts on changes ---- */

static const struct item *
known(const char *name)
{
	const struct item *it = item_find(name);

	if (!it)
		fatal("no configuration item %s", name);
	if (n_hooks == MAX_HOOKS)
		fatal("too many functions for configuration items");
	return it;
}

void
config_on_change(const char *name, config_apply_fn fn)
{
	hooks[n_hooks].item = known(name);
	hooks[n_hooks++].apply = fn;
}

void
config_on_lacs(config_apply_fn fn)
{
	lacs_hook = fn;
}

void
config_on_plugins(config_plugins_fn fn)
{
	plugins_hook = fn;
}

void
config_check(const char *name, config_check_fn fn)
{
	hooks[n_hooks].item = known(name);
	hooks[n_hooks++].check = fn;
}

static bool
acceptable(const struct item *it, const char *value, char *why, size_t why_size)
{
	unsigned int i;

	for (i = 0; i < n_hooks; i++)
		if (hooks[i].item == it && hooks[i].check && !hooks[i].check(value, why, why_size))
			return false;
	return true;
}

/* Calls each function whose item differs from `before`, once though it may be registered for
 * several. */
static void
apply_changes(const struct config *before)
{
	unsigned int i, j;

	for (i = 0; i < n_hooks; i++) {
		if (!hooks[i].apply || item_equal(hooks[i].item, before, current))
			continue;
		for (j = 0; j < i; j++)
			if (hooks[j].apply == hooks[i].apply &&
			    !item_equal(hooks[j].item, before, current))
				break;
		if (j == i)
			hooks[i].apply();
	}
	if (lacs_hook && !config_lac_equal(before, current))
		lacs_hook();
}

static int
apply_plugins(const char *name, char *why, size_t why_size)
{
	return plugins_hook ? plugins_hook(name, why, why_size) : 0;
}

/* ---- a line ---- */

/* One word from *p, unquoted, to `to` (as long as the line). False when a quote has no end. */
static bool
take_word(const char **p, char *to)
{
	const char *from = *p;

	if (*from != '"' && *from != '\'') {
		while (*from && !isspace((unsigned char)*from) && *from != '#' && *from != '!')
			*to++ = *from++;
	}
	while (*from == '"' || *from == '\'') {
		const char *end = strchr(from + 1, *from);

		if (!end)
			return false;
		memcpy(to, from + 1, (size_t)(end - from) - 1);
		to += end - from - 1;
		from = end + 1;
	}
	*to = '\0';
	*p = from;
	return true;
}

/* Splits a line into words kept in `room`; their number, or -1 with `why`. */
static int
split_line(
    const char *line, char room[LINE_SIZE], char *words[MAX_WORDS], char *why, size_t why_size)
{
	int n = 0;

	if (strlen(line) >= LINE_SIZE) {
		snprintf(why, why_size, "line is longer than %d characters", LINE_SIZE - 1);
		return -1;
	}
	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (*line == '\0' || *line == '#' || *line == '!')
			return n;
		if (n == MAX_WORDS) {
			snprintf(why, why_size, "more than %d words", MAX_WORDS);
			return -1;
		}
		if (!take_word(&line, room)) {
			snprintf(why, why_size, "a quote is not closed");
			return -1;
		}
		words[n++] = room;
		room += strlen(room) + 1;
	}
}

static int
unknown_item(const char *name, char *why, size_t why_size)
{
	const char *nearest = item_nearest(name);

	if (nearest)
		snprintf(
		    why, why_size, "set %.64s: no such setting; did you mean %s?", name, nearest);
	else
		snprintf(why, why_size, "set %.64s: no such setting", name);
	return -1;
}

/* The value behind `set NAME`: one word, or all of them for a list. */
static int
value_of(const struct item *it, int argc, char **argv, char *value, char *why, size_t why_size)
{
	int i;

	if (argc < 3) {
		snprintf(why, why_size, "no value");
		return -1;
	}
	if (argc > 3 && !(it->flags & ITEM_LIST)) {
		snprintf(why, why_size, "more than one value; quote it when it has spaces");
		return -1;
	}
	value[0] = '\0';
	for (i = 2; i < argc; i++) {
		strcat(value, argv[i]);
		if (i + 1 < argc)
			strcat(value, " ");
	}
	return 0;
}

static void
mark_set(struct config *c, const struct item *it)
{
	item_mark_set(it, c);
	if (reading)
		reading->set_at[item_number(it)] = reading->text.line;
}

/* Two ports that must go together: a remark when they do not. */
static bool
ports_fit(const struct config *c, char *why, size_t why_size)
{
	unsigned int min = c->radius_bind_min, max = c->radius_bind_max;

	if ((min == 0 && max == 0) || (min > 0 && max >= min + RADIUS_PORTS - 1))
		return true;
	snprintf(why, why_size, "radius_bind_min %u and radius_bind_max %u do not hold %d ports",
	    min, max, RADIUS_PORTS);
	return false;
}

static bool
is_port(const struct item *it)
{
	return it->offset == offsetof(struct config, radius_bind_min) ||
	       it->offset == offsetof(struct config, radius_bind_max);
}

/* Whether the value of `next` is not to be in force yet; `why` for the operator. */
static bool
must_wait(const struct item *it, char *why, size_t why_size)
{
	size_t n;

	if (is_port(it) && !ports_fit(next, why, why_size)) {
		n = strlen(why);
		snprintf(why + n, why_size - n, "; not in force until they do");
		return true;
	}
	if (!(it->flags & ITEM_RESTART))
		return false;
	if (item_equal(it, current, next) &&
	    (!(it->flags & ITEM_OPEN) || item_is_set(it, current) == item_is_set(it, next)))
		return false;
	snprintf(why, why_size, "takes effect at restart");
	return true;
}

/* What `next` says comes into force, but for what must wait. */
static void
come_into_force(void)
{
	const struct item *it;
	char why[WHY_SIZE];
	unsigned int i;

	for (i = 0; (it = item_get(i)); i++)
		if (!must_wait(it, why, sizeof(why)))
			item_copy(it, current, next);
	config_lac_copy(current, next);
	config_plugin_copy(current, next);
}

static void
remark(const struct item *it, char *why, size_t why_size)
{
	why[0] = '\0';
	if (must_wait(it, why, why_size))
		return;
	if (it->offset == offsetof(struct config, hostname) && forced_hostname[0])
		snprintf(why, why_size, "the host name stays as given with -h");
}

/* Where a statement writes: the file being read, or at run time what is to be in force. */
static struct config *
target(void)
{
	return reading ? &staging : next;
}

/* A statement has written: acts on it at run time. */
static int
written(int result)
{
	struct config before;

	if (result < 0 || reading)
		return result;
	before = *current;
	come_into_force();
	apply_changes(&before);
	return 0;
}

static int
statement_set(struct config_mode *mode, int argc, char **argv, char *why, size_t why_size)
{
	const struct item *it = argc > 1 ? item_find(argv[1]) : NULL;
	char value[LINE_SIZE], reason[WHY_SIZE] = "";

	(void)mode;
	if (argc < 2) {
		snprintf(why, why_size, "set: what? (set NAME VALUE)");
		return -1;
	}
	if (!it)
		return unknown_item(argv[1], why, why_size);
	if (value_of(it, argc, argv, value, reason, sizeof(reason)) < 0 ||
	    !acceptable(it, value, reason, sizeof(reason)) ||
	    item_parse(it, target(), value, reason, sizeof(reason)) < 0) {
		snprintf(why, why_size, "set %s: %s", it->name, reason);
		return -1;
	}
	mark_set(target(), it);
	complete(target());
	if (!reading)
		remark(it, why, why_size);
	return written(0);
}

static int
statement_lac(struct config_mode *mode, int argc, char **argv, char *why, size_t why_size)
{
	(void)mode;
	return written(config_lac_set(target(), argc, argv, why, why_size));
}

/* `load plugin NAME` and `remove plugin NAME`; what cannot be done at run time changes nothing. */
static int
statement_plugin(struct config_mode *mode, int argc, char **argv, char *why, size_t why_size)
{
	(void)mode;
	if (config_plugin_line(target(), argc, argv, why, why_size) < 0)
		return -1;
	if (reading)
		return 0;
	staging = *current;
	config_plugin_copy(current, next);
	if (apply_plugins(argv[2], why, why_size) == 0)
		return 0;
	config_plugin_copy(current, &staging);
	config_plugin_copy(next, &staging);
	return -1;
}

static int
statement_no(struct config_mode *mode, int argc, char **argv, char *why, size_t why_size)
{
	(void)mode;
	if (argc == 3 && strcmp(argv[1], "lac") == 0)
		return written(config_lac_unset(target(), argv[2], why, why_size));
	snprintf(why, why_size, "no: what? (no lac NETWORK|HOSTNAME)");
	return -1;
}

/* The commands by their first word. Later ones get a row here. */
static const struct {
	const char *word;
	int (*fn)(struct config_mode *mode, int argc, char **argv, char *why, size_t why_size);
} statements[] = {
	{ "lac", statement_lac },
	{ "load", statement_plugin },
	{ "no", statement_no },
	{ "remove", statement_plugin },
	{ "set", statement_set },
};

int
config_line(struct config_mode *mode, const char *line, char *why, size_t why_size)
{
	char room[LINE_SIZE], *words[MAX_WORDS];
	int n = split_line(line, room, words, why, why_size);
	size_t i;

	if (n < 0)
		return -1;
	why[0] = '\0';
	if (n == 0)
		return 0;
	for (i = 0; i < ARRAY_LEN(statements); i++)
		if (strcmp(words[0], statements[i].word) == 0)
			return statements[i].fn(mode, n, words, why, why_size);
	snprintf(why, why_size, "unknown command '%.64s'", words[0]);
	return -1;
}

/* ---- a file ---- */

static void
check_ports(void)
{
	const struct item *min = item_find("radius_bind_min"), *max = item_find("radius_bind_max");
	char why[WHY_SIZE];

	if (ports_fit(&staging, why, sizeof(why)))
		return;
	staging.radius_bind_min = staging.radius_bind_max = 0;
	reading->text.line =
	    MAX(reading->set_at[item_number(min)], reading->set_at[item_number(max)]);
	textfile_error(&reading->text, "%s", why);
}

/* Reads into staging; the number of errors, -1 when the file cannot be read. */
static int
read_file(const char *file, const char *shown, config_error_fn error)
{
	struct config_mode mode = { 0 };
	struct reading r = { 0 };
	char line[LINE_SIZE + 1], why[WHY_SIZE];

	set_defaults(&staging);
	reading = &r;
	textfile_open(&r.text, file, shown, error);
	while (textfile_next(&r.text, line, sizeof(line)))
		if (config_line(&mode, line, why, sizeof(why)) < 0)
			textfile_error(&r.text, "%s", why);
	check_ports();
	complete(&staging);
	reading = NULL;
	return textfile_close(&r.text);
}

/* The file's full name, so that a change of directory does not matter later. */
static void
remember_path(const char *file)
{
	char cwd[PATH_MAX];
	char *slash;

	if (file[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", cwd, cwd[0] ? "/" : "", file) >=
	    sizeof(path))
		fatal("%s: name too long", file);
	str_copy(dir, sizeof(dir), path);
	slash = strrchr(dir, '/');
	if (!slash)
		str_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
}

int
config_read(const char *file, config_error_fn error)
{
	static struct config before;
	char why[WHY_SIZE];
	int errors;

	remember_path(file);
	errors = read_file(path, file, error);
	if (errors < 0)
		return errors;
	before = *current;
	*current = *next = staging;
	apply_changes(&before);
	apply_plugins(NULL, why, sizeof(why));
	return errors;
}

static void
log_restart_items(void)
{
	const struct item *it;
	unsigned int i;

	for (i = 0; (it = item_get(i)); i++)
		if (it->flags & ITEM_RESTART && !item_equal(it, current, &staging))
			plog(LOG_WARNING, "%s: the new value takes effect at restart", it->name);
}

int
config_stage(config_error_fn error)
{
	return read_file(path, path, error);
}

const struct config *
config_staged(void)
{
	return &staging;
}

void
config_commit(void)
{
	char why[WHY_SIZE];

	log_restart_items();
	*next = staging;
	written(0);
	apply_plugins(NULL, why, sizeof(why)); /* which logs what it cannot do */
}

const char *
config_dir(void)
{
	return dir;
}

/* ---- printing ---- */

void
config_show(config_out_fn out, void *arg, bool secrets)
{
	char value[ITEM_TEXT], line[ITEM_TEXT + 128];
	const struct item *it;
	unsigned int i;

	out(arg, "# Current configuration:");
	for (i = 0; (it = item_get(i)); i++) {
		item_print(it, conf_next, value, sizeof(value));
		if (it->flags & ITEM_OPEN && !config_is_set(conf_next, it->name))
			snprintf(line, sizeof(line), "# %s is not set", it->name);
		else if (it->flags & ITEM_SECRET && !secrets && strcmp(value, "\"\"") != 0)
			snprintf(line, sizeof(line), "# set %s ****", it->name);
		else
			snprintf(line, sizeof(line), "set %s %s", it->name, value);
		out(arg, line);
	}
	for (i = 0; i < conf_next->n_lacs; i++) {
		config_lac_print(&conf_next->lacs[i], secrets, line, sizeof(line));
		out(arg, line);
	}
	if (conf_next->n_plugins)
		out(arg, "# Plugins");
	for (i = 0; i < conf_next->n_plugins; i++) {
		config_plugin_print(conf_next->plugins[i], line, sizeof(line));
		out(arg, line);
	}
	out(arg, "# end");
}

bool
config_row(unsigned int i, struct config_row *row)
{
	const struct item *it = item_get(i);

	if (!it)
		return false;
	*row = (struct config_row){
		.name = it->name,
		.help = it->help,
		.type = it->type->name,
		.initial = it->initial,
		.secret = it->flags & ITEM_SECRET,
		.at_restart = it->flags & ITEM_RESTART,
	};
	return true;
}

int
config_value(const char *name, char *text, size_t size)
{
	const struct item *it = item_find(name);

	if (!it)
		return -1;
	item_print(it, conf_next, text, size);
	return 0;
}

bool
config_is_set(const struct config *c, const char *name)
{
	const struct item *it = item_find(name);

	return it && item_is_set(it, c);
}

/* ---- derived values ---- */

uint16_t
config_mru(void)
{
	enum { OVERHEAD = 38, ETHERNET_MRU = 1500, PPPOE_MRU = 1492 };
	unsigned int room = conf->l2tp_mtu - OVERHEAD;

	return (uint16_t)(room >= ETHERNET_MRU ? ETHERNET_MRU : MIN(room, PPPOE_MRU));
}

unsigned int
config_bind_addresses(uint32_t *addrs, unsigned int most)
{
	const char *pos = conf->bind_multi_address;
	char word[IP4_TEXT];
	unsigned int n = 0;

	while (n < most && item_list_next(&pos, word, sizeof(word)))
		if (ip4_parse(word, &addrs[n]))
			n++;
	if (n == 0 && most > 0)
		addrs[n++] = conf->bind_address;
	return n;
}

static uint32_t
first_bind_address(void)
{
	uint32_t addr;

	config_bind_addresses(&addr, 1);
	return addr;
}

uint32_t
config_tun_address(void)
{
	uint32_t addr = first_bind_address(), fallback;

	if (conf->iftun_address && conf->bind_multi_address[0] == '\0')
		addr = conf->iftun_address;
	if (addr == 0 && ip4_parse("1.1.1.1", &fallback))
		addr = fallback;
	return addr;
}

uint32_t
config_our_address(void)
{
	if (conf->peer_address)
		return conf->peer_address;
	return first_bind_address() ? first_bind_address() : config_tun_address();
}

unsigned int
config_own_addresses(uint32_t addrs[CONF_OWN_ADDRESSES])
{
	unsigned int n = config_bind_addresses(addrs, CONF_OWN_ADDRESSES - 2);

	addrs[n++] = config_tun_address();
	addrs[n++] = config_our_address();
	return n;
}

bool
config_is_own_address(uint32_t addr)
{
	uint32_t addrs[CONF_OWN_ADDRESSES];
	unsigned int n = config_own_addresses(addrs), i;

	for (i = 0; i < n; i++)
		if (addrs[i] == addr)
			return true;
	return false;
}

uint32_t
config_nas_ip(void)
{
	return conf->radius_nas_ip ? conf->radius_nas_ip : first_bind_address();
}

unsigned int
config_radius_port(int server)
{
	enum { DEFAULT_PORT = 1645 };
	unsigned int primary = conf->primary_radius_port ? conf->primary_radius_port : DEFAULT_PORT;

	return server == 1 && conf->secondary_radius_port ? conf->secondary_radius_port : primary;
}

unsigned int
config_authtypes(enum auth_proto *protos, unsigned int most)
{
	char why[WHY_SIZE];
	int n = item_authtypes(conf->radius_authtypes, protos, most, why, sizeof(why));

	if (n > 0)
		return (unsigned int)n;
	protos[0] = AUTH_PAP;
	return 1;
}
