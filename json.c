/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form in which jansson's values leave: compact, a row a line, so that the CLI's
 * filters still mean something. All that is not ASCII is escaped, since a terminal may
 * take a C1 control character for an order; names come from peers, and a reader must get
 * valid JSON whatever they are.
 */
#include "json.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 6 }; /* of a real number: none here is more exact */

static const size_t dump_flags =
    JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY | JSON_REAL_PRECISION(DIGITS);

/* Text of a value, which is given up; to be freed, NULL without memory. */
static char *
dump(json_t *value)
{
	char *text = value ? json_dumps(value, dump_flags) : NULL;

	json_decref(value);
	return text;
}

/* Puts out `before` and the text, which is freed, as one line. */
static void
put_line(struct json *j, const char *before, char *text)
{
	size_t size = strlen(before) + (text ? strlen(text) : 0) + 1;
	char *line = text ? malloc(size) : NULL;

	if (line) {
		snprintf(line, size, "%s%s", before, text);
		j->out(j->arg, line);
	} else {
		j->failed = true;
	}
	free(line);
	free(text);
}

void
json_whole(struct json *j, json_t *value)
{
	put_line(j, "", dump(value));
}

void
json_begin(struct json *j, json_t *head, const char *key)
{
	char *text;

	j->rows = false;
	j->member = head != NULL;
	if (!head) {
		j->out(j->arg, "[");
		return;
	}
	json_object_set_new(head, key, json_array());
	text = dump(head);
	if (text)
		text[strlen(text) - strlen("]}")] = '\0';
	put_line(j, "", text);
}

void
json_row(struct json *j, json_t *row)
{
	put_line(j, j->rows ? "," : "", dump(row));
	j->rows = true;
}

void
json_end(struct json *j)
{
	j->out(j->arg, j->member ? "]}" : "]");
}

json_t *
json_text(const char *value)
{
	static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
	size_t n, len = 0, room = strlen(value) * (sizeof(unknown) - 1) + 1;
	char *text = malloc(room);
	json_t *string;

	if (!text)
		return NULL;
	for (; *value; value += n ? n : 1) {
		n = utf8_len(value);
		memcpy(text + len, n ? value : unknown, n ? n : sizeof(unknown) - 1);
		len += n ? n : sizeof(unknown) - 1;
	}
	string = json_stringn(text, len);
	free(text);
	return string;
}

void
json_put_text(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_text(value));
}

void
json_put_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)MIN(value, INT64_MAX)));
}

void
json_put_real(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real(value));
}

void
json_put_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}
