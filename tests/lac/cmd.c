/*
 * Reading commands. A line is words; the first is the command, the others NAME=VALUE (a boolean
 * may stand alone for NAME=yes). Quotes keep blanks together. The table in cmd_table.c gives
 * names, kinds, ranges and defaults, and the help is printed from it.
 */
#include "cmd.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cmd_quit;

void
cmd_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void
cmd_reply(struct run *r, const char *fmt, ...)
{
	size_t n = strlen(r->answer);
	va_list ap;

	va_start(ap, fmt);
	if (n + 1 < sizeof(r->answer)) {
		r->answer[n++] = ' ';
		vsnprintf(r->answer + n, sizeof(r->answer) - n, fmt, ap);
	}
	va_end(ap);
}

bool
cmd_fail(struct run *r, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	for (p = r->why; *p; p++) {
		if (*p == '"')
			*p = '\'';
	}
	return false;
}

/* The next word of the line, quotes taken off; NULL at the end. */
static char *
next_word(char **line)
{
	char *p = *line, *start, *out;
	char quote = 0;

	while (isspace((unsigned char)*p))
		p++;
	if (!*p)
		return NULL;
	for (start = out = p; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (quote ? *p == quote : (*p == '"' || *p == '\''))
			quote = quote ? 0 : *p;
		else
			*out++ = *p;
	}
	if (*p)
		p++;
	*line = p;
	*out = 0;
	return start;
}

static bool
parse_num(const char *s, uint32_t *v)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 0);
	if (end == s || *end || errno || n > UINT32_MAX || *s == '-')
		return false;
	*v = (uint32_t)n;
	return true;
}

static bool
parse_bool(const char *s, uint32_t *v)
{
	static const char *const words[] = { "no", "yes", "off", "on", "0", "1", "false", "true" };
	uint32_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(s, words[i]) == 0) {
			*v = i & 1;
			return true;
		}
	}
	return false;
}

static bool
parse_ip(const char *s, uint32_t *v)
{
	struct in_addr a;

	if (inet_pton(AF_INET, s, &a) != 1)
		return false;
	*v = ntohl(a.s_addr);
	return true;
}

static bool
parse_dest(const char *s, struct arg_val *v)
{
	char text[32];
	const char *colon = strchr(s, ':');

	if (!colon || (size_t)(colon - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(colon - s));
	text[colon - s] = 0;
	return parse_ip(text, &v->num) && parse_num(colon + 1, &v->num2) && v->num2 > 0 &&
	       v->num2 < 65536;
}

static bool
parse_range(const char *s, struct arg_val *v)
{
	char text[32];
	const char *dash = strchr(s, '-');

	if (strcmp(s, "all") == 0) {
		v->all = true;
		return true;
	}
	if (!dash) {
		v->num2 = 0;
		return parse_num(s, &v->num) && (v->num2 = v->num, true);
	}
	if ((size_t)(dash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(dash - s));
	text[dash - s] = 0;
	return parse_num(text, &v->num) && parse_num(dash + 1, &v->num2) && v->num <= v->num2;
}

static bool
parse_hex(struct run *r, const char *s)
{
	unsigned int byte;

	r->hex_len = 0;
	for (; *s; s += 2) {
		if (r->hex_len == CMD_HEX || !isxdigit((unsigned char)s[0]) ||
		    !isxdigit((unsigned char)s[1]) || sscanf(s, "%2x", &byte) != 1)
			return false;
		r->hex[r->hex_len++] = (uint8_t)byte;
	}
	return true;
}

static const char *const kind_names[] = {
	[ARG_NUM] = "a number",
	[ARG_BOOL] = "yes or no",
	[ARG_WORD] = "text",
	[ARG_IP] = "an address",
	[ARG_DEST] = "ADDRESS:PORT",
	[ARG_RANGE] = "K, K-L or all",
	[ARG_HEX] = "hexadecimal",
};

static bool
parse_value(struct run *r, const struct arg_def *d, struct arg_val *v, const char *s)
{
	v->str = s;
	switch (d->kind) {
	case ARG_NUM:
		return parse_num(s, &v->num);
	case ARG_BOOL:
		return parse_bool(s, &v->num);
	case ARG_WORD:
		return true;
	case ARG_IP:
		return parse_ip(s, &v->num);
	case ARG_DEST:
		return parse_dest(s, v);
	case ARG_RANGE:
		return parse_range(s, v);
	case ARG_HEX:
		return parse_hex(r, s);
	}
	return false;
}

static bool
set_value(struct run *r, const struct arg_def *d, const char *s)
{
	struct arg_val *v = &r->val[d - r->cmd->args];

	memset(v, 0, sizeof(*v));
	v->given = true;
	if (!parse_value(r, d, v, s))
		return cmd_fail(r, "%s=%s: %s wanted", d->name, s, kind_names[d->kind]);
	if (d->kind == ARG_NUM && d->max && (v->num < d->min || v->num > d->max))
		return cmd_fail(r, "%s=%s: not in %u..%u", d->name, s, d->min, d->max);
	return true;
}

static const struct arg_def *
find_def(const struct cmd *c, const char *name)
{
	const struct arg_def *d;

	for (d = c->args; d->name; d++) {
		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

static bool
take_word(struct run *r, char *word)
{
	char *eq = strchr(word, '=');
	const struct arg_def *d;

	if (eq)
		*eq = 0;
	d = find_def(r->cmd, word);
	if (!d)
		return cmd_fail(r, "%s: unknown argument %s", r->cmd->name, word);
	if (!eq && d->kind != ARG_BOOL)
		return cmd_fail(r, "%s: %s needs a value", r->cmd->name, word);
	return set_value(r, d, eq ? eq + 1 : "yes");
}

static bool
take_defaults(struct run *r)
{
	const struct arg_def *d;

	for (d = r->cmd->args; d->name; d++) {
		if (r->val[d - r->cmd->args].given)
			continue;
		if (!d->def)
			return cmd_fail(r, "%s: %s= is missing", r->cmd->name, d->name);
		if (*d->def && !set_value(r, d, d->def))
			return false;
	}
	return true;
}

static bool
parse_and_run(struct run *r, const char *name, char *rest)
{
	char *word;

	for (r->cmd = cmd_table; r->cmd->name && strcmp(r->cmd->name, name) != 0; r->cmd++)
		;
	if (!r->cmd->name)
		return cmd_fail(r, "unknown command %s", name);
	while ((word = next_word(&rest))) {
		if (!take_word(r, word))
			return false;
	}
	return take_defaults(r) && r->cmd->run(r);
}

bool
cmd_line(char *line)
{
	static struct run r;
	char *name = next_word(&line);
	bool ok;

	if (!name || *name == '#')
		return true;
	memset(&r, 0, sizeof(r));
	ok = parse_and_run(&r, name, line);
	if (ok)
		cmd_print("ok%s", r.answer);
	else
		cmd_print("error why=\"%s\"%s", r.why, r.answer);
	return ok;
}

const struct arg_val *
arg(const struct run *r, const char *name)
{
	const struct arg_def *d = find_def(r->cmd, name);

	if (!d)
		abort();
	return &r->val[d - r->cmd->args];
}

uint32_t
arg_num(const struct run *r, const char *name)
{
	return arg(r, name)->num;
}

const char *
arg_str(const struct run *r, const char *name)
{
	const struct arg_val *v = arg(r, name);

	return v->given ? v->str : "";
}

static void
help_args(const struct cmd *c)
{
	const struct arg_def *d;

	for (d = c->args; d->name; d++) {
		printf("      %s=%s  %s", d->name, kind_names[d->kind], d->help);
		if (!d->def)
			printf(" (must be given)");
		else if (*d->def)
			printf(" (default %s)", d->def);
		if (d->max)
			printf(" [%u..%u]", d->min, d->max);
		putchar('\n');
	}
}

void
cmd_help(void)
{
	const struct cmd *c;

	for (c = cmd_table; c->name; c++) {
		printf("  %s - %s\n", c->name, c->help);
		help_args(c);
	}
}
