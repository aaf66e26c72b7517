/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON writer for output a piece at a time. It does not check that brackets match;
 * what it does see to are commas, escapes and UTF-8, as names come from peers and a
 * reader must get valid JSON whatever they are.
 */
#include "json.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
put(struct json *j, const char *s, size_t n)
{
	char *more;

	if (j->len + n + 1 > j->room) {
		more = realloc(j->text, 2 * (j->len + n + 1));
		if (!more) {
			j->failed = true;
			return;
		}
		j->text = more;
		j->room = 2 * (j->len + n + 1);
	}
	memcpy(j->text + j->len, s, n);
	j->len += n;
	j->text[j->len] = '\0';
}

static void
put_string(struct json *j, const char *s)
{
	char escape[8];
	size_t n;

	put(j, "\"", 1);
	for (; *s; s += n ? n : 1) {
		n = utf8_len(s);
		if (n == 0) {
			put(j, "\\ufffd", 6);
		} else if (*s == '"' || *s == '\\') {
			put(j, *s == '"' ? "\\\"" : "\\\\", 2);
		} else if (utf8_control(s)) {
			snprintf(escape, sizeof(escape), "\\u%04x", (uint8_t)s[n - 1]);
			put(j, escape, 6);
		} else {
			put(j, s, n);
		}
	}
	put(j, "\"", 1);
}

/* What stands in front of a value. */
static void
begin(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
	if (key) {
		put_string(j, key);
		put(j, ":", 1);
	}
}

void
json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void
json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void
json_text(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	put_string(j, value);
}

void
json_number(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	begin(j, key);
	put(j, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value));
}

void
json_real(struct json *j, const char *key, double value)
{
	char text[64];

	begin(j, key);
	put(j, text, (size_t)snprintf(text, sizeof(text), "%.2f", value));
}

void
json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	put(j, value ? "true" : "false", value ? 4 : 5);
}

void
json_null(struct json *j, const char *key)
{
	begin(j, key);
	put(j, "null", 4);
}

void
json_flush(struct json *j)
{
	j->len = 0;
	if (j->text)
		j->text[0] = '\0';
}

void
json_free(struct json *j)
{
	free(j->text);
	*j = (struct json){ 0 };
}
