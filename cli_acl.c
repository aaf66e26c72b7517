/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists on the command line. An order holds for all sessions that the user has
 * now. Lists are shown as they are in force; a line of the text form is a line that can
 * be typed again, so hits stand in the JSON form, and in the text when `hits` is asked
 * for.
 */
#include "cli_acl.h"
#include "config_acl.h"
#include "filter.h"
#include "policy.h"

#include <stdio.h>
#include <string.h>

enum { RULE_TEXT = 256, MAX_WORDS = 6 };

/* ---- in the parent ---- */

#define REFUSE(...) (snprintf(answer, size, __VA_ARGS__), false)

static const char filter_usage[] = "usage: filter USER in|out NAME ...";

/* `in NAME`, `out NAME`, in any order. */
static bool
parse_lists(int argc, char **argv, int *in, int *out, char *answer, size_t size)
{
	int i, *to;

	*in = *out = POLICY_KEEP_LIST;
	for (i = 0; i < argc; i += 2) {
		to = strcmp(argv[i], "in") == 0 ? in : strcmp(argv[i], "out") == 0 ? out : NULL;
		if (!to || i + 1 == argc)
			return REFUSE("%s", filter_usage);
		if (*to != POLICY_KEEP_LIST)
			return REFUSE("%s already filtered", to == in ? "Input" : "Output");
		*to = filter_find(argv[i + 1]);
		if (!*to)
			return REFUSE("Access-list %s not defined", argv[i + 1]);
	}
	return i > 0 || REFUSE("%s", filter_usage);
}

static bool
filter(const char *user, int argc, char **argv, char *answer, size_t size)
{
	int in, out;
	sess_id s;

	if (!parse_lists(argc, argv, &in, &out, answer, size))
		return false;
	if (!session_by_user(user))
		return REFUSE("User %s is not connected", user);
	for (s = session_by_user(user); s; s = session_next_of_user(s))
		policy_filter(s, in, out);
	snprintf(answer, size, "Filtering user %s", user);
	return true;
}

static bool
unfilter(const char *user, int argc, char **argv, char *answer, size_t size)
{
	int in = argc ? POLICY_KEEP_LIST : 0, out = in, i;
	bool filtered = false;
	sess_id s;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "in") == 0)
			in = 0;
		else if (strcmp(argv[i], "out") == 0)
			out = 0;
		else
			return REFUSE("usage: no filter USER [in] [out]");
	}
	if (!session_by_user(user))
		return REFUSE("User %s is not connected", user);
	for (s = session_by_user(user); s; s = session_next_of_user(s)) {
		const struct session *sess = session_get(s);

		filtered |= (!in && sess->filter_in) || (!out && sess->filter_out);
		policy_filter(s, in, out);
	}
	if (!filtered)
		return REFUSE("User %s not filtered", user);
	snprintf(answer, size, "Removing filters from user %s", user);
	return true;
}

bool
cli_acl_request(int argc, char **argv, char *answer, size_t size)
{
	if (strcmp(argv[0], "no") == 0)
		return argc > 2 ? unfilter(argv[2], argc - 3, argv + 3, answer, size)
				: REFUSE("unknown request");
	return filter(argv[1], argc - 2, argv + 2, answer, size);
}

/* ---- in the child: commands ---- */

static void
relay(struct cli_def *cli, const char *no, int argc, char **argv)
{
	const char *words[CLI_WORDS];
	int n = 0, i;

	if (no)
		words[n++] = no;
	words[n++] = "filter";
	for (i = 0; i < argc && n < CLI_WORDS; i++)
		words[n++] = argv[i];
	cli_ask_and_print(cli, n, words);
}

static void
cmd_filter(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, NULL, argc, argv);
}

static void
cmd_no_filter(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, "no", argc, argv);
}

/* ---- in the child: what there is ---- */

static void
show_rules(struct cli_def *cli, uint8_t list, const struct filter_row *row, bool with_hits)
{
	char text[RULE_TEXT];
	struct conf_rule rule;
	unsigned int i;
	uint64_t hits;

	for (i = 0; i < row->n && filter_rule(list, i, &rule, &hits); i++) {
		config_acl_rule(&rule, row->extended, text, sizeof(text));
		if (with_hits)
			cli_print(cli, " %s (%llu hits)", text, (unsigned long long)hits);
		else
			cli_print(cli, " %s", text);
	}
	if (with_hits)
		cli_print(
		    cli, " (%llu denied behind the last rule)", (unsigned long long)row->rest);
}

static void
show_list(struct cli_def *cli, uint8_t list, const struct filter_row *row, bool with_hits)
{
	char left[96] = "";

	if (!row->configured)
		snprintf(left, sizeof(left), " (has left the configuration; sessions use it: %u)",
		    (unsigned)row->sessions);
	cli_print(cli, "%s IP access list %s%s", row->extended ? "Extended" : "Standard", row->name,
	    left);
	show_rules(cli, list, row, with_hits);
}

/* The name that is asked for; NULL: all. */
static const char *
wanted(int argc, char **argv, bool *with_hits)
{
	*with_hits = argc > 0 && strcmp(argv[argc - 1], "hits") == 0 && !filter_find("hits");
	return argc > (*with_hits ? 1 : 0) ? argv[0] : NULL;
}

static void
show_access_list(struct cli_def *cli, int argc, char **argv)
{
	struct filter_row row;
	bool with_hits, found = false;
	const char *name = wanted(argc, argv, &with_hits);
	unsigned int i;

	for (i = 1; i <= FILTER_LISTS; i++) {
		if (!filter_row((uint8_t)i, &row) || (name && strcmp(row.name, name) != 0))
			continue;
		found = true;
		show_list(cli, (uint8_t)i, &row, with_hits);
	}
	if (name && !found)
		cli_error(cli, "Access-list %s not defined", name);
}

/* A list's number and name, "" for none. */
static const char *
name_of(uint8_t list, struct filter_row *row)
{
	return list && filter_row(list, row) ? row->name : "";
}

void
cli_acl_show(struct cli_def *cli, const struct session *s)
{
	struct filter_row row;

	if (s->filter_in)
		cli_print(cli, "\tFilter in:\t%u (%s)", s->filter_in, name_of(s->filter_in, &row));
	if (s->filter_out)
		cli_print(
		    cli, "\tFilter out:\t%u (%s)", s->filter_out, name_of(s->filter_out, &row));
}

/* ---- the same for programs ---- */

void
cli_acl_json(json_t *o, const struct session *s)
{
	struct filter_row row;

	if (s->filter_in)
		json_put_text(o, "filter_in", name_of(s->filter_in, &row));
	if (s->filter_out)
		json_put_text(o, "filter_out", name_of(s->filter_out, &row));
}

static json_t *
rules_of(uint8_t list, const struct filter_row *row)
{
	json_t *rules = json_array(), *o;
	char text[RULE_TEXT];
	struct conf_rule rule;
	unsigned int i;
	uint64_t hits;

	for (i = 0; i < row->n && filter_rule(list, i, &rule, &hits); i++) {
		config_acl_rule(&rule, row->extended, text, sizeof(text));
		o = json_object();
		json_put_text(o, "rule", text);
		json_put_number(o, "hits", hits);
		json_array_append_new(rules, o);
	}
	return rules;
}

static json_t *
list_of(uint8_t list, const struct filter_row *row)
{
	json_t *o = json_object();

	json_put_text(o, "name", row->name);
	json_put_text(o, "type", row->extended ? "extended" : "standard");
	json_put_bool(o, "configured", row->configured);
	json_put_number(o, "sessions", row->sessions);
	json_object_set_new(o, "rules", rules_of(list, row));
	json_put_number(o, "denied_behind_last_rule", row->rest);
	return o;
}

static void
json_access_list(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct filter_row row;
	bool with_hits;
	const char *name = wanted(argc, argv, &with_hits);
	unsigned int i;

	(void)cli;
	json_begin(j, NULL, NULL);
	for (i = 1; i <= FILTER_LISTS; i++)
		if (filter_row((uint8_t)i, &row) && (!name || strcmp(row.name, name) == 0))
			json_row(j, list_of((uint8_t)i, &row));
	json_end(j);
}

const struct command *
cli_acl_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, ENABLED = PRIVILEGE_PRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "filter", ENABLED, EXEC, cmd_filter, 3, MAX_WORDS, "USER in|out NAME ...",
		    "who, and lists for packets from (in) and to (out) him",
		    "Apply access lists to a user", NULL, NULL },
		{ "no filter", ENABLED, EXEC, cmd_no_filter, 1, 3, "USER [in] [out]",
		    "without in or out: both", "Take a user's access lists from him", NULL, NULL },
		{ "show access-list", USER, EXEC, show_access_list, 0, 2, "[NAME] [hits]",
		    "one of them; how many packets each rule decided on", "Access lists", NULL,
		    json_access_list },
		{ 0 },
	};

	return table;
}
