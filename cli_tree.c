/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the tables of commands to libcli's tree and back. libcli knows the words, their
 * abbreviations and completion; all else about a command is in its row. The tree calls
 * one function for all, which finds the row by the command's full words.
 */
#include "cli_tree.h"
#include "json.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TABLES = 16, WORD = 32 };

static const struct command *tables[MAX_TABLES];
static unsigned int n_tables;

static const char *
group_help(const char *word)
{
	static const struct {
		const char *word, *help;
	} groups[] = {
		{ "clear", "Set something back" },
		{ "drop", "Disconnect something" },
		{ "histogram", "Sessions by their times" },
		{ "ip", "Access lists" },
		{ "load", "Add something" },
		{ "no", "Take something back" },
		{ "radius", "RADIUS servers" },
		{ "remove", "Take something out" },
		{ "restart", "Begin something anew" },
		{ "router", "Routing protocols" },
		{ "show", "Show what is going on" },
		{ "suspend", "Stop something for a while" },
		{ "write", "Write or print the configuration" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(groups); i++)
		if (strcmp(groups[i].word, word) == 0)
			return groups[i].help;
	return NULL;
}

static const struct command *
find(const char *words)
{
	const struct command *row;
	unsigned int i;

	for (i = 0; i < n_tables; i++)
		for (row = tables[i]; row->words; row++)
			if (strcmp(row->words, words) == 0)
				return row;
	return NULL;
}

/* ---- running ---- */

static void
print_help(struct cli_def *cli, const struct command *row, int argc, char **argv)
{
	if (row->hint) {
		row->hint(cli, argc, argv);
		return;
	}
	if (row->max > 0 && argc <= row->max)
		cli_print(cli, "  %-20s %s", row->args, row->args_help);
	if (row->json)
		cli_print(cli, "  %-20s %s", "[json]", "for programs");
	if (argc > row->min)
		cli_print(cli, "  <cr>");
}

static void
put_line(void *arg, const char *line)
{
	cli_print(arg, "%s", line);
}

static void
run_json(struct cli_def *cli, const struct command *row, int argc, char **argv)
{
	struct json j = { .out = put_line, .arg = cli };

	row->json(cli, &j, argc, argv);
	if (j.failed)
		cli_error(cli, "No memory");
}

/* libcli calls this for every command of the tables. */
static int
run(struct cli_def *cli, const char *words, char **argv, int argc)
{
	const struct command *row = find(words);
	const char *last = argc > 0 ? argv[argc - 1] : "";
	bool json;

	if (!row || (row->privilege == PRIVILEGE_PRIVILEGED && !cli_may_enable()))
		return CLI_ERROR;
	loop_clock();
	cli_not_stuck();
	json = row->json && strcmp(last, "json") == 0;
	if (json)
		argc--;
	if (last[0] && last[strlen(last) - 1] == '?')
		print_help(cli, row, argc, argv);
	else if (argc < row->min || argc > row->max)
		cli_error(cli, "usage: %s%s%s%s", row->words, row->args[0] ? " " : "", row->args,
		    row->json ? " [json]" : "");
	else if (json)
		run_json(cli, row, argc, argv);
	else
		row->fn(cli, argc, argv);
	return CLI_OK;
}

/* ---- help, history: libcli's own go past the filters ---- */

static bool
visible(struct cli_def *cli, const struct cli_command *c)
{
	return c->privilege <= cli->privilege && (c->mode == MODE_ANY || c->mode == cli->mode);
}

static void
help_on(struct cli_def *cli, const struct cli_command *c)
{
	for (; c; c = c->next) {
		if (c->command_type != CLI_REGULAR_COMMAND || !visible(cli, c))
			continue;
		if (c->callback)
			cli_print(cli, "  %-20s %s", c->full_command_name, c->help ? c->help : "");
		help_on(cli, c->children);
	}
}

static void
show_help(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	cli_print(cli, "\nCommands available:");
	help_on(cli, cli->commands);
}

static void
show_history(struct cli_def *cli, int argc, char **argv)
{
	int i;

	(void)argc;
	(void)argv;
	cli_print(cli, "\nCommand history:");
	for (i = 0; i < MAX_HISTORY; i++)
		if (cli->history[i])
			cli_print(cli, "%3d. %s", i, cli->history[i]);
}

/* ---- building ---- */

static struct cli_command *
child_of(struct cli_def *cli, struct cli_command *parent, const char *word)
{
	struct cli_command *c = parent ? parent->children : cli->commands;

	while (c && strcmp(c->command, word) != 0)
		c = c->next;
	return c;
}

/* The word as a group; it is there for all who may use one of its commands. */
static struct cli_command *
group(struct cli_def *cli, struct cli_command *parent, const char *word, const struct command *row)
{
	struct cli_command *c = child_of(cli, parent, word);

	if (!c)
		return cli_register_command(
		    cli, parent, word, NULL, row->privilege, row->mode, group_help(word));
	if (c->mode != row->mode)
		c->mode = MODE_ANY;
	c->privilege = MIN(c->privilege, row->privilege);
	return c;
}

static void
add_row(struct cli_def *cli, const struct command *row)
{
	struct cli_command *parent = NULL;
	const char *word = row->words, *end;
	char text[WORD];

	for (; (end = strchr(word, ' ')); word = end + 1) {
		snprintf(text, sizeof(text), "%.*s", (int)(end - word), word);
		parent = group(cli, parent, text, row);
	}
	cli_register_command(cli, parent, word, run, row->privilege, row->mode, row->help);
}

void
cli_tree_add(struct cli_def *cli, const struct command *table)
{
	if (n_tables == MAX_TABLES)
		return;
	tables[n_tables++] = table;
	for (; table->words; table++)
		add_row(cli, table);
}

void
cli_tree_init(struct cli_def *cli)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED };
	static const struct command table[] = {
		{ "help", USER, MODE_ANY, show_help, 0, 0, "", "", "Show available commands", NULL,
		    NULL },
		{ "history", USER, MODE_ANY, show_history, 0, 0, "", "",
		    "Show a list of previously run commands", NULL, NULL },
		{ 0 },
	};

	cli_unregister_command(cli, "help");
	cli_unregister_command(cli, "history");
	cli_tree_add(cli, table);
}
