/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists on the command line. An order holds for all sessions that the user has
 * now. Lists are shown as they are in force; a line of the text form is a line that can
 * be typed again, so hits stand in the JSON form, and in the text when `hits` is asked
 * for.
 */
#include "cli_acl.h"
#include "cli_policy.h"
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

static void
filter_one(struct order *o, sess_id s)
{
	policy_filter(s, (int)o->value[0], (int)o->value[1]);
}

/* The order's lists are in use while it goes on, lest their numbers become others'. */
static void
hold(const struct order *o, void (*fn)(uint8_t in, uint8_t out))
{
	const uint32_t keep = (uint32_t)POLICY_KEEP_LIST;

	fn(o->value[0] == keep ? 0 : (uint8_t)o->value[0],
	    o->value[1] == keep ? 0 : (uint8_t)o->value[1]);
}

static bool
is_filtered(const struct order *o, char *text, size_t size)
{
	hold(o, filter_detach);
	snprintf(text, size, "Filtering user %s", o->user);
	return true;
}

static bool
filter(const char *user, int argc, char **argv, struct cli_answer *a)
{
	struct order o = { .act = filter_one, .answer = is_filtered };
	int in, out;

	if (!parse_lists(argc, argv, &in, &out, a->text, a->size))
		return false;
	o.value[0] = (uint32_t)in;
	o.value[1] = (uint32_t)out;
	hold(&o, filter_attach);
	if (cli_policy_order(&o, user, a))
		return true;
	hold(&o, filter_detach); /* refused, so it has not come to an end */
	return false;
}

static void
unfilter_one(struct order *o, sess_id s)
{
	const struct session *sess = session_get(s);

	o->noted += (!o->value[0] && sess->filter_in) || (!o->value[1] && sess->filter_out);
	filter_one(o, s);
}

static bool
is_unfiltered(const struct order *o, char *text, size_t size)
{
	snprintf(text, size, o->noted ? "Removing filters from user %s" : "User %s not filtered",
	    o->user);
	return o->noted;
}

static bool
unfilter(const char *user, int argc, char **argv, struct cli_answer *a)
{
	struct order o = { .act = unfilter_one, .answer = is_unfiltered };
	int i;

	o.value[0] = o.value[1] = argc ? (uint32_t)POLICY_KEEP_LIST : 0;
	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "in") != 0 && strcmp(argv[i], "out") != 0) {
			snprintf(a->text, a->size, "usage: no filter USER [in] [out]");
			return false;
		}
		o.value[argv[i][0] == 'o'] = 0;
	}
	return cli_policy_order(&o, user, a);
}

bool
cli_acl_request(int argc, char **argv, struct cli_answer *a)
{
	if (strcmp(argv[0], "no") != 0)
		return filter(argv[1], argc - 2, argv + 2, a);
	if (argc > 2)
		return unfilter(argv[2], argc - 3, argv + 3, a);
	snprintf(a->text, a->size, "unknown request");
	return false;
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
