/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON writer for output a piece at a time. It does not check that brackets match;
 * what it does see to are commas, escapes and UTF-8, as names come from peers and a
 * reader must get valid JSON whatever they are.
 */
#include "json.h"

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

/* Octets of the UTF-8 character at p, 0 when it is none (RFC 3629 4). */
static size_t
utf8_len(const unsigned char *p)
{
	static const struct {
		unsigned char first, last; /* of the lead octet */
		unsigned char low, high;   /* of the one behind it */
		size_t len;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0xff, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(forms); i++)
		if (*p >= forms[i].first && *p <= forms[i].last)
			break;
	if (i == ARRAY_LEN(forms) ||
	    (forms[i].len > 1 && (p[1] < forms[i].low || p[1] > forms[i].high)))
		return 0;
	for (n = 2; n < forms[i].len; n++)
		if ((p[n] & 0xc0) != 0x80)
			return 0;
	return forms[i].len;
}

static void
put_string(struct json *j, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	char escape[8];
	size_t n;

	put(j, "\"", 1);
	for (; *p; p += n ? n : 1) {
		n = utf8_len(p);
		if (n == 0) {
			put(j, "\\ufffd", 6);
		} else if (*p == '"' || *p == '\\') {
			put(j, *p == '"' ? "\\\"" : "\\\\", 2);
		} else if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) {
			snprintf(escape, sizeof(escape), "\\u%04x", n == 2 ? p[1] : p[0]);
			put(j, escape, 6);
		} else {
			put(j, (const char *)p, n);
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
