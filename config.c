/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration in force, and the one parser of configuration commands: for
 * startup-config and, line by line, for the CLI. The names and types of `set` are
 * in config_item.c, all other lines belong to a family of config_family.c.
 *
 * A file is read into a copy that starts from the defaults, and comes into force
 * as a whole at its end; a name that has left the file is at its default again.
 * At start bad lines are reported and the rest serves. At SIGHUP the file is staged,
 * and committed by l2tpns.c when it and the files it leads to have no errors. A line
 * typed at run time is in force at once, or has no effect at all.
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
#include "config_family.h"
#include "config_item.h"
#include "config_show.h"
#include "log.h"
#include "seq.h"
#include "shm.h"
#include "textfile.h"
#include "util.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, MAX_WORDS = 64, MAX_HOOKS = 128, WHY_SIZE = 512, RADIUS_PORTS = 64 };

/* Moved to shared memory at start. seq is odd while `next` is written. */
struct state {
	uint32_t seq;
	struct config now, next;
};
static struct state early, *state = &early;
static struct config staging; /* what a file or a line makes of it, before it is in force */
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

/* Who acts on a change of an item or of a family, or has a say on it. */
static struct subject {
	const struct item *item; /* NULL: it is a family's */
	const struct family *family;
	config_apply_fn apply;
	config_check_fn check;
} hooks[MAX_HOOKS];
static unsigned int n_hooks;
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
	state = shm_map("configuration", sizeof(*state));
	state->now = *current;
	state->next = *next;
	conf = current = &state->now;
	conf_next = next = &state->next;
}

void
config_force_hostname(const char *name)
{
	str_copy(forced_hostname, sizeof(forced_hostname), name);
	complete(current);
	complete(next);
}

/* ---- who acts on changes ---- */

static struct subject *
new_hook(const char *name)
{
	struct subject *h = &hooks[n_hooks++];

	h->item = item_find(name);
	if (!h->item)
		h->family = family_by_name(name);
	if (!h->item && !h->family)
		fatal("no configuration item %s", name);
	return h;
}

void
config_on_change(const char *name, config_apply_fn fn)
{
	new_hook(name)->apply = fn;
}

void
config_on_plugins(config_plugins_fn fn)
{
	plugins_hook = fn;
}

void
config_check(const char *name, config_check_fn fn)
{
	new_hook(name)->check = fn;
}

/* Whether nobody has anything against a value for an item, or the end of what a family names. */
static bool
acceptable(const void *subject, const char *value, char *why, size_t why_size)
{
	unsigned int i;

	for (i = 0; i < n_hooks; i++)
		if ((hooks[i].item == subject || hooks[i].family == subject) && hooks[i].check &&
		    !hooks[i].check(value, why, why_size))
			return false;
	return true;
}

static bool
is_changed(const struct subject *h, const struct config *before)
{
	return h->item ? !item_equal(h->item, before, current)
		       : !family_equal(h->family, before, current);
}

/* Calls each function whose subject differs from `before`, once though it may be registered for
 * several. */
static void
apply_changes(const struct config *before)
{
	unsigned int i, j;

	for (i = 0; i < n_hooks; i++) {
		if (!hooks[i].apply || !is_changed(&hooks[i], before))
			continue;
		for (j = 0; j < i; j++)
			if (hooks[j].apply == hooks[i].apply && is_changed(&hooks[j], before))
				break;
		if (j == i)
			hooks[i].apply();
	}
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

/* Whether a value is not to be in force yet; `why` for the operator. */
static bool
must_wait(const struct config *c, const struct item *it, char *why, size_t why_size)
{
	size_t n;

	if (is_port(it) && !ports_fit(c, why, why_size)) {
		n = strlen(why);
		snprintf(why + n, why_size - n, "; not in force until they do");
		return true;
	}
	if (!(it->flags & ITEM_RESTART))
		return false;
	if (item_equal(it, current, c) &&
	    (!(it->flags & ITEM_OPEN) || item_is_set(it, current) == item_is_set(it, c)))
		return false;
	snprintf(why, why_size, "takes effect at restart");
	return true;
}

/* What is staged is what is configured, and comes into force but for what must wait; at start
 * nothing does. */
static void
come_into_force(bool at_start)
{
	static struct config before;
	const struct family *f;
	const struct item *it;
	char why[WHY_SIZE];
	unsigned int i;

	before = *current;
	seq_begin(&state->seq);
	*next = staging;
	for (i = 0; (it = item_get(i)); i++)
		if (at_start || !must_wait(next, it, why, sizeof(why)))
			item_copy(it, current, next);
	for (i = 0; (f = family_get(i)); i++)
		family_copy(f, current, next);
	seq_end(&state->seq);
	apply_changes(&before);
}

static void
remark(const struct item *it, char *why, size_t why_size)
{
	why[0] = '\0';
	if (must_wait(&staging, it, why, why_size))
		return;
	if (it->offset == offsetof(struct config, hostname) && forced_hostname[0])
		snprintf(why, why_size, "the host name stays as given with -h");
	else if (it->flags & ITEM_LATER)
		snprintf(why, why_size, "kept, but nothing in this version serves it");
}

static int
take_set(const struct conf_words *w)
{
	const struct item *it = w->argc > 1 ? item_find(w->argv[1]) : NULL;
	char value[LINE_SIZE], reason[WHY_SIZE] = "";

	if (w->argc < 2)
		return conf_refuse(w, "set: what? (set NAME VALUE)");
	if (!it)
		return unknown_item(w->argv[1], w->why, w->why_size);
	if (value_of(it, w->argc, w->argv, value, reason, sizeof(reason)) < 0 ||
	    !acceptable(it, value, reason, sizeof(reason)) ||
	    item_parse(it, &staging, value, reason, sizeof(reason)) < 0)
		return conf_refuse(w, "set %s: %s", it->name, reason);
	mark_set(&staging, it);
	complete(&staging);
	if (!reading)
		remark(it, w->why, w->why_size);
	return 0;
}

/* A line of a family, but for its sub-mode's. What a family names stands last. */
static int
take_family(const struct family *f, bool undo, const struct conf_words *w)
{
	if (undo && !reading && !acceptable(f, w->argv[w->argc - 1], w->why, w->why_size))
		return -1;
	if ((undo ? f->undo : f->take)(&staging, w) < 0)
		return -1;
	if (!undo && !reading && f->flags & FAMILY_LATER)
		snprintf(w->why, w->why_size, "kept, but nothing in this version serves it");
	return 0;
}

/* What a line makes of the staged configuration. */
static int
take_words(const struct conf_words *w)
{
	const struct family *f = family_inside(w);
	bool undo;

	if (f)
		return f->inner(&staging, w);
	w->mode->place = CONFIG_TOP;
	if (strcmp(w->argv[0], "exit") == 0 && w->argc == 1)
		return 0;
	if (strcmp(w->argv[0], "set") == 0)
		return take_set(w);
	f = family_of(w, &undo);
	if (f)
		return take_family(f, undo, w);
	if (strcmp(w->argv[0], "no") == 0)
		return conf_refuse(w, "no: what? (no lac, no ip access-list, no router bgp ...)");
	return conf_refuse(w, "unknown command '%.64s'", w->argv[0]);
}

/* A plugin that cannot be loaded, or not be unloaded, leaves all as it was. */
static int
plugin_follows(const struct conf_words *w)
{
	static struct config before;
	const struct family *f = family_by_name("plugin");

	family_copy(f, &before, next);
	come_into_force(false);
	if (apply_plugins(w->argv[2], w->why, w->why_size) == 0)
		return 0;
	family_copy(f, &staging, &before);
	come_into_force(false);
	return -1;
}

/* Takes a line that was typed: in force at once, or without any effect. */
static int
take_typed(const struct conf_words *w)
{
	const struct family *f;
	bool undo;

	staging = *next;
	if (take_words(w) < 0)
		return -1;
	f = family_of(w, &undo);
	if (f && f->flags & FAMILY_PLUGIN)
		return plugin_follows(w);
	come_into_force(false);
	return 0;
}

int
config_line(struct config_mode *mode, const char *line, char *why, size_t why_size)
{
	char room[LINE_SIZE], *words[MAX_WORDS];
	struct conf_words w = { split_line(line, room, words, why, why_size), words, mode, why,
		why_size };

	if (w.argc < 0)
		return -1;
	why[0] = '\0';
	if (w.argc == 0)
		return 0;
	return reading ? take_words(&w) : take_typed(&w);
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
	char why[WHY_SIZE];
	int errors;

	remember_path(file);
	errors = read_file(path, file, error);
	if (errors < 0)
		return errors;
	come_into_force(true);
	apply_plugins(NULL, why, sizeof(why));
	return errors;
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
config_commit(config_out_fn report, void *arg)
{
	char why[WHY_SIZE];

	if (report)
		config_diff(next, &staging, report, arg);
	come_into_force(false);
	apply_plugins(NULL, why, sizeof(why)); /* which logs what it cannot do */
}

const char *
config_path(void)
{
	return path;
}

const char *
config_dir(void)
{
	return dir;
}

bool
config_snapshot(struct config *copy)
{
	return seq_copy(&state->seq, copy, next, sizeof(*copy));
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

bool
config_is_dae_client(uint32_t addr)
{
	const char *pos = conf->radius_dae_client;
	char word[IP4_TEXT];
	uint32_t client;

	while (item_list_next(&pos, word, sizeof(word)))
		if (ip4_parse(word, &client) && client == addr)
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
