/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration at run time. One grammar: the child sends a line, put together again
 * with its quotes, and the mode it is typed in to the parent, which takes it with the
 * parser that reads startup-config. The modes below `ip access-list` and `router bgp`
 * are libcli's, under the names that 2.4.1 gives them in the prompt.
 *
 * `write memory` is the child's own work, since it waits for the disk; the parent is
 * told, for the log. `reload` is the parent's, whose answer has a line for each change.
 */
#include "cli_config.h"
#include "config.h"
#include "config_acl.h"
#include "config_family.h"
#include "config_item.h"
#include "config_save.h"
#include "log.h"
#include "reload.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ARGS = 32, COMMAND_SIZE = 128 };

/* How the modes are called in a request. */
static const char *const place_words[] = {
	[CONFIG_TOP] = "top",
	[CONFIG_ACL] = "acl",
	[CONFIG_BGP] = "bgp",
};

/* ---- in the parent ---- */

/* What of a line goes to the log: values may be secrets, but not those of access lists. */
static void
log_line(const char *who, const struct config_mode *mode, const char *line)
{
	char command[32] = "", name[64] = "";

	if (mode->place == CONFIG_ACL || strncmp(line, "ip ", 3) == 0 ||
	    strncmp(line, "no ip ", 6) == 0) {
		plog(LOG_INFO, "CLI %s: %s%s%s", who, mode->arg, mode->arg[0] ? ": " : "", line);
		return;
	}
	sscanf(line, "%31s %63s", command, name);
	plog(LOG_INFO, "CLI %s: %s %s", who, command, name);
}

/* "config", the line, then the mode and what it is about unless it is the top. */
static bool
config_line_request(const char *who, int argc, char **argv, char *answer, size_t size)
{
	struct config_mode mode = { 0 }, before;
	size_t i;

	for (i = 0; argc > 2 && i < ARRAY_LEN(place_words); i++)
		if (strcmp(argv[2], place_words[i]) == 0)
			mode.place = (enum config_place)i;
	if (argc > 3)
		str_copy(mode.arg, sizeof(mode.arg), argv[3]);
	before = mode;
	if (config_line(&mode, argv[1], answer, size) < 0)
		return false;
	log_line(who, &before, argv[1]);
	return true;
}

/* Where the lines of a report go; what does not fit is in the log. */
struct report {
	char *text;
	size_t size, len;
	bool full;
};

static void
add_line(void *arg, const char *line)
{
	static const char more[] = "\n(more in the log)";
	struct report *r = arg;
	size_t n = strlen(line);

	if (r->full)
		return;
	r->full = r->len + n + 1 + sizeof(more) > r->size;
	if (r->full)
		snprintf(r->text + r->len, r->size - r->len, "%s", more);
	else
		r->len += (size_t)snprintf(
		    r->text + r->len, r->size - r->len, "%s%s", r->len ? "\n" : "", line);
}

static bool
reload_request(const char *who, char *answer, size_t size)
{
	struct report r = { .text = answer, .size = size };

	plog(LOG_INFO, "CLI %s: reload", who);
	return reload_all(add_line, &r);
}

bool
cli_config_request(const char *who, int argc, char **argv, char *answer, size_t size)
{
	if (strcmp(argv[0], "config") == 0)
		return config_line_request(who, argc, argv, answer, size);
	if (strcmp(argv[0], "reload") == 0)
		return reload_request(who, answer, size);
	plog(LOG_WARNING, "CLI %s: %s", who, argv[1]); /* "wrote" */
	return true;
}

/* ---- in the child: lines of configuration ---- */

static char list_name[CONF_ACL_NAME]; /* of the list in whose mode we are */
static bool list_extended;

/* A word as it can be read back; without quotes when it needs none. */
static void
quote(const char *word, char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.,:;/+-_@%";

	if (word[0] && !word[strspn(word, plain)])
		snprintf(text, ITEM_TEXT, "%s", word);
	else
		item_quote(word, text, ITEM_TEXT);
}

static bool
ask_for_line(struct cli_def *cli, const char *line)
{
	const char *words[4] = { "config", line };
	char answer[CLI_ANSWER];
	bool done;

	words[2] = place_words[cli->mode == CLI_MODE_ACL   ? CONFIG_ACL
			       : cli->mode == CLI_MODE_BGP ? CONFIG_BGP
							   : CONFIG_TOP];
	words[3] = list_name;
	done = cli_ask(answer, cli->mode == CLI_MODE_ACL ? 4 : 3, words);
	if (!done)
		cli_error(cli, "%s", answer);
	else if (answer[0])
		cli_print(cli, "%s", answer);
	return done;
}

/* The line to the parent; true when it was taken. */
static bool
relay(struct cli_def *cli, const char *command, int argc, char **argv)
{
	char line[CLI_MESSAGE - COMMAND_SIZE];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s", command);
	int i;

	for (i = 0; i < argc; i++) {
		if (len + 1 + ITEM_TEXT > sizeof(line)) {
			cli_error(cli, "The command is too long");
			return false;
		}
		line[len++] = ' ';
		quote(argv[i], line + len);
		len += strlen(line + len);
	}
	return ask_for_line(cli, line);
}

/* A row's function for a command that is just relayed. */
#define RELAY(name, words)                                                                         \
	static void name(struct cli_def *cli, int argc, char **argv)                               \
	{                                                                                          \
		relay(cli, words, argc, argv);                                                     \
	}

RELAY(cmd_lac, "lac")
RELAY(cmd_no_lac, "no lac")
RELAY(cmd_load_plugin, "load plugin")
RELAY(cmd_remove_plugin, "remove plugin")
RELAY(cmd_radius_server, "radius server")
RELAY(cmd_no_radius, "no radius server")
RELAY(cmd_setforward, "setforward")
RELAY(cmd_no_setforward, "no setforward")
RELAY(cmd_no_ip, "no ip access-list")
RELAY(cmd_no_router, "no router bgp")
RELAY(cmd_permit, "permit")
RELAY(cmd_deny, "deny")
RELAY(cmd_no_permit, "no permit")
RELAY(cmd_no_deny, "no deny")
RELAY(cmd_neighbour, "neighbour")
RELAY(cmd_no_neighbour, "no neighbour")

static void
cmd_set(struct cli_def *cli, int argc, char **argv)
{
	char command[COMMAND_SIZE];

	/* the name as it is, since the parent logs it */
	snprintf(command, sizeof(command), "set %.64s", argv[0]);
	relay(cli, command, argc - 1, argv + 1);
	cli_set_hostname(cli, conf->hostname);
}

static void
cmd_access_list(struct cli_def *cli, int argc, char **argv)
{
	if (!relay(cli, "ip access-list", argc, argv))
		return;
	list_extended = strcmp(argv[0], "extended") == 0;
	str_copy(list_name, sizeof(list_name), argv[1]);
	cli_set_configmode(cli, CLI_MODE_ACL, list_extended ? "ext-nacl" : "std-nacl");
}

static void
cmd_router(struct cli_def *cli, int argc, char **argv)
{
	if (relay(cli, "router bgp", argc, argv))
		cli_set_configmode(cli, CLI_MODE_BGP, "router");
}

/* ---- in the child: help ---- */

static void
hint_value(struct cli_def *cli, const struct item *it)
{
	char value[ITEM_TEXT], range[64] = "";

	item_print(it, conf_next, value, sizeof(value));
	if (it->max && it->min < it->max && !it->valid)
		snprintf(range, sizeof(range), " %llu..%llu", (unsigned long long)it->min,
		    (unsigned long long)it->max);
	cli_print(cli, "  %s%s  %s", it->type->name, range, it->help);
	cli_print(cli, "  default %s, now %s", it->initial[0] ? it->initial : "\"\"",
	    it->flags & ITEM_SECRET ? "****" : value);
}

/* Behind `set`: the names that begin so; behind a name: what it takes. */
static void
hint_set(struct cli_def *cli, int argc, char **argv)
{
	const struct item *it = item_find(argv[0]);
	size_t typed = strcspn(argv[0], "?");
	unsigned int i;

	if (argc > 1 && it)
		hint_value(cli, it);
	for (i = 0; argc == 1 && (it = item_get(i)); i++)
		if (strncmp(it->name, argv[0], typed) == 0)
			cli_print(cli, "  %-36s %s", it->name, it->help);
}

/* Behind `permit` and `deny`: what the list that is being typed takes. */
static void
hint_rule(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (list_extended) {
		cli_print(cli, "  %-24s %s", "ip|tcp|udp", "protocol");
		cli_print(cli, "  %-24s %s", "SOURCE [PORTS]", "any, host A or A WILDCARD; ports:");
		cli_print(
		    cli, "  %-24s %s", "DESTINATION [PORTS]", "eq N, neq N, gt N, lt N, range A B");
		cli_print(cli, "  %-24s %s", "established", "tcp with ACK or RST");
		cli_print(cli, "  %-24s %s", "match-any|match-all", "tcp flags: +syn -ack ...");
		cli_print(cli, "  %-24s %s", "fragments", "later fragments only");
	} else {
		cli_print(cli, "  %-24s %s", "SOURCE [DESTINATION]", "any, host A or A WILDCARD");
	}
}

static void
hint_neighbour(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	cli_print(cli, "  %-24s %s", "PEER", "name, IPv4 or IPv6 address; then of these:");
	cli_print(cli, "  %-24s %s", "remote-as AS", "his AS number; comes first");
	cli_print(cli, "  %-24s %s", "timers KEEPALIVE HOLD", "seconds");
	cli_print(cli, "  %-24s %s", "update-source IP", "address to speak from");
	cli_print(cli, "  %-24s %s", "password SECRET", "for TCP MD5 signatures");
	cli_print(cli, "  %-24s %s", "med N", "MULTI_EXIT_DISC of what is announced");
	cli_print(cli, "  %-24s %s", "community LIST", "AS:N, no-export ..., or none");
}

/* ---- in the child: the file ---- */

static void
cmd_write_memory(struct cli_def *cli, int argc, char **argv)
{
	char said[CLI_ANSWER / 2], answer[CLI_ANSWER];
	const char *const words[] = { "wrote", said };

	(void)argc;
	(void)argv;
	if (config_save(said, sizeof(said)) < 0) {
		cli_error(cli, "%s", said);
		return;
	}
	cli_print(cli, "%s", said);
	cli_ask(answer, ARRAY_LEN(words), words);
}

static void
cmd_reload(struct cli_def *cli, int argc, char **argv)
{
	const char *const words[] = { "reload" };

	(void)argc;
	(void)argv;
	cli_ask_and_print(cli, ARRAY_LEN(words), words);
	cli_set_hostname(cli, conf->hostname);
}

/* ---- JSON ---- */

static void
put_line(void *list, const char *line)
{
	json_array_append_new(list, json_text(line));
}

void
cli_config_json(json_t *o, bool secrets)
{
	static struct config copy;
	json_t *lines = json_object(), *list;
	const struct family *f;
	unsigned int i, n;

	for (i = 0; config_snapshot(&copy) && (f = family_get(i)); i++) {
		list = json_array();
		for (n = 0; n < f->count(&copy); n++)
			f->print(&copy, n, secrets, put_line, list);
		json_object_set_new(lines, f->name, list);
	}
	json_object_set_new(o, "lines", lines);
}

/* ---- the table ---- */

const struct command *
cli_config_table(void)
{
	enum {
		ENABLED = PRIVILEGE_PRIVILEGED,
		EXEC = MODE_EXEC,
		CONFIG = MODE_CONFIG,
		ACL = CLI_MODE_ACL,
		BGP = CLI_MODE_BGP
	};
	static const char rule_help[] = "as it was given";
	static const struct command table[] = {
		{ "deny", ENABLED, ACL, cmd_deny, 1, MAX_ARGS, "RULE", rule_help,
		    "Packets that this list drops", hint_rule, NULL },
		{ "ip access-list", ENABLED, CONFIG, cmd_access_list, 2, 2,
		    "standard|extended NAME", "kind and name of the list",
		    "Begin or change an access list", NULL, NULL },
		{ "lac", ENABLED, CONFIG, cmd_lac, 3, 5,
		    "NETWORK|HOSTNAME secret S [max-sessions N]", "what one carrier has of its own",
		    "Secret and limit of a carrier", NULL, NULL },
		{ "load plugin", ENABLED, CONFIG, cmd_load_plugin, 1, 1, "NAME",
		    "of a file NAME.so in plugin_dir", "Load a plugin", NULL, NULL },
		{ "neighbor", ENABLED, BGP, cmd_neighbour, 2, MAX_ARGS, "PEER ...",
		    "as of neighbour", "The same as neighbour", hint_neighbour, NULL },
		{ "neighbour", ENABLED, BGP, cmd_neighbour, 2, MAX_ARGS, "PEER remote-as AS ...",
		    "who, and what of him", "Begin or change a BGP neighbour", hint_neighbour,
		    NULL },
		{ "no deny", ENABLED, ACL, cmd_no_deny, 1, MAX_ARGS, "RULE", rule_help,
		    "Remove a rule", hint_rule, NULL },
		{ "no ip access-list", ENABLED, CONFIG, cmd_no_ip, 2, 2, "standard|extended NAME",
		    "one that no session uses", "Remove an access list", NULL, NULL },
		{ "no lac", ENABLED, CONFIG, cmd_no_lac, 1, 1, "NETWORK|HOSTNAME",
		    "as it was given", "Remove a carrier's line", NULL, NULL },
		{ "no neighbor", ENABLED, BGP, cmd_no_neighbour, 1, 1, "PEER", "as it was given",
		    "The same as no neighbour", NULL, NULL },
		{ "no neighbour", ENABLED, BGP, cmd_no_neighbour, 1, 1, "PEER", "as it was given",
		    "Remove a BGP neighbour", NULL, NULL },
		{ "no permit", ENABLED, ACL, cmd_no_permit, 1, MAX_ARGS, "RULE", rule_help,
		    "Remove a rule", hint_rule, NULL },
		{ "no radius server", ENABLED, CONFIG, cmd_no_radius, 1, 1, "IP", "as it was given",
		    "Remove a RADIUS server", NULL, NULL },
		{ "no router bgp", ENABLED, CONFIG, cmd_no_router, 0, 1, "[AS]", "our AS number",
		    "End BGP and forget its neighbours", NULL, NULL },
		{ "no setforward", ENABLED, CONFIG, cmd_no_setforward, 0, 3, "[MASK [IP [PORT]]]",
		    "which ones; all of them without", "Remove remote LNSs", NULL, NULL },
		{ "permit", ENABLED, ACL, cmd_permit, 1, MAX_ARGS, "RULE", rule_help,
		    "Packets that this list lets pass", hint_rule, NULL },
		{ "radius server", ENABLED, CONFIG, cmd_radius_server, 1, 9,
		    "IP [auth-port N] [acct-port N] [secret S] [weight N]",
		    "beside primary_ and secondary_radius", "A RADIUS server", NULL, NULL },
		{ "reload", ENABLED, EXEC, cmd_reload, 0, 0, "", "",
		    "Read the configuration files again; sessions stay", NULL, NULL },
		{ "remove plugin", ENABLED, CONFIG, cmd_remove_plugin, 1, 1, "NAME",
		    "as in show plugins", "Unload a plugin", NULL, NULL },
		{ "router bgp", ENABLED, CONFIG, cmd_router, 1, 1, "AS", "our AS number",
		    "Begin or change BGP", NULL, NULL },
		{ "set", ENABLED, CONFIG, cmd_set, 2, MAX_ARGS, "NAME VALUE",
		    "as in startup-config", "Change a setting", hint_set, NULL },
		{ "setforward", ENABLED, CONFIG, cmd_setforward, 4, 4, "MASK IP PORT SECRET",
		    "users, and the remote LNS that serves them",
		    "Forward sessions to a remote LNS", NULL, NULL },
		{ "write memory", ENABLED, EXEC, cmd_write_memory, 0, 0, "", "",
		    "Write what is configured to startup-config", NULL, NULL },
		{ 0 },
	};

	return table;
}
