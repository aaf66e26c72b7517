/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may stand behind a bar: `| include WORDS`, `exclude`, `begin`, `count`, `grep`
 * and `egrep`. They take the place of libcli's, which know no abbreviation - "inc" is
 * taken there for a filter of another kind, and shows nothing at all -; `between` is
 * libcli's still.
 */
#include "cli_tree.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct filter {
	bool invert;			/* lines that do not match pass */
	bool begun;			/* begin: the first match was seen */
	unsigned int hits;		/* count */
	regex_t regex;			/* grep */
	char text[CLI_MAX_LINE_LENGTH]; /* the others */
};

/* The words behind the filter's name as they were typed, one blank between them. */
static struct filter *
new_filter(int argc, char **argv)
{
	struct filter *f = calloc(1, sizeof(*f));
	int i;

	for (i = 1; f && i < argc; i++) { /* words of one line: they fit */
		strcat(f->text, argv[i]);
		if (i + 1 < argc)
			strcat(f->text, " ");
	}
	return f;
}

static int
start(struct filter *f, struct cli_filter *filter)
{
	filter->data = f;
	return f ? CLI_OK : CLI_ERROR;
}

static int
needs_words(struct cli_def *cli, char **argv)
{
	cli_error(cli, "%s: what?", argv[0]);
	return CLI_ERROR;
}

/* ---- include, exclude, begin, count ---- */

/* Here and below CLI_OK lets a line through; NULL is the end of the output. */
static int
match_line(struct cli_def *cli, const char *line, void *data)
{
	const struct filter *f = data;

	(void)cli;
	if (!line) {
		free(data);
		return CLI_OK;
	}
	return (strstr(line, f->text) != NULL) != f->invert ? CLI_OK : CLI_ERROR;
}

static int
start_include(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	filter->filter = match_line;
	return argc < 2 ? needs_words(cli, argv) : start(new_filter(argc, argv), filter);
}

static int
start_exclude(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	struct filter *f;

	if (argc < 2)
		return needs_words(cli, argv);
	f = new_filter(argc, argv);
	if (f)
		f->invert = true;
	filter->filter = match_line;
	return start(f, filter);
}

static int
begin_line(struct cli_def *cli, const char *line, void *data)
{
	struct filter *f = data;

	(void)cli;
	if (!line) {
		free(data);
		return CLI_OK;
	}
	f->begun = f->begun || strstr(line, f->text);
	return f->begun ? CLI_OK : CLI_ERROR;
}

static int
start_begin(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	filter->filter = begin_line;
	return argc < 2 ? needs_words(cli, argv) : start(new_filter(argc, argv), filter);
}

/* Empty lines are none. */
static int
count_line(struct cli_def *cli, const char *line, void *data)
{
	struct filter *f = data;

	if (line) {
		f->hits += line[strspn(line, " \t\r\n")] && strstr(line, f->text);
		return CLI_ERROR;
	}
	if (cli->client)
		fprintf(cli->client, "%u\r\n", f->hits);
	free(data);
	return CLI_OK;
}

static int
start_count(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	(void)cli;
	filter->filter = count_line;
	return start(new_filter(argc, argv), filter);
}

/* ---- grep, egrep ---- */

static int
grep_line(struct cli_def *cli, const char *line, void *data)
{
	struct filter *f = data;

	(void)cli;
	if (!line) {
		regfree(&f->regex);
		free(data);
		return CLI_OK;
	}
	return (regexec(&f->regex, line, 0, NULL, 0) == 0) != f->invert ? CLI_OK : CLI_ERROR;
}

/* Options in front of the pattern; where they end, -1 when one is not known. */
static int
grep_options(int argc, char **argv, int *flags, bool *invert)
{
	const char *p;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		for (p = argv[i] + 1; *p; p++) {
			if (*p == 'v')
				*invert = true;
			else if (*p == 'i')
				*flags |= REG_ICASE;
			else if (*p != 'e')
				return -1;
		}
		if (strchr(argv[i], 'e'))
			return i + 1;
	}
	return i;
}

static int
start_regex(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter, int flags)
{
	bool invert = false;
	int first = grep_options(argc, argv, &flags, &invert);
	struct filter *f;

	if (first < 0 || first >= argc) {
		cli_error(cli, "usage: %s [-v] [-i] [-e] REGEX", argv[0]);
		return CLI_ERROR;
	}
	f = new_filter(argc - first + 1, argv + first - 1);
	if (f && regcomp(&f->regex, f->text, flags | REG_NOSUB) != 0) {
		cli_error(cli, "%s: '%s' is no regular expression", argv[0], f->text);
		free(f);
		return CLI_ERROR;
	}
	if (f)
		f->invert = invert;
	filter->filter = grep_line;
	return start(f, filter);
}

static int
start_grep(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	return start_regex(cli, argc, argv, filter, 0);
}

static int
start_egrep(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter)
{
	return start_regex(cli, argc, argv, filter, REG_EXTENDED);
}

static const struct {
	const char *name;
	int (*init)(struct cli_def *cli, int argc, char **argv, struct cli_filter *filter);
	int (*filter)(struct cli_def *cli, const char *line, void *data);
	const char *help;
} filters[] = {
	{ "begin", start_begin, begin_line, "Show from the first line with these words on" },
	{ "count", start_count, count_line, "Count lines, or those with these words" },
	{ "egrep", start_egrep, grep_line, "Show lines that match an extended regex" },
	{ "exclude", start_exclude, match_line, "Leave out lines with these words" },
	{ "grep", start_grep, grep_line,
	    "Show lines that match a regex (-v: do not; -i: any case)" },
	{ "include", start_include, match_line, "Show only lines with these words" },
};

void
cli_filter_add(struct cli_def *cli)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(filters); i++) {
		cli_unregister_filter(cli, filters[i].name);
		cli_register_filter(cli, filters[i].name, filters[i].init, filters[i].filter,
		    PRIVILEGE_UNPRIVILEGED, MODE_ANY, filters[i].help);
	}
}
