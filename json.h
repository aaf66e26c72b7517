/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON (RFC 8259) into a buffer that grows: for CLI children, since it calls
 * malloc. A key is NULL inside an array and at the top. Commas are seen to here.
 */
#ifndef JSON_H
#define JSON_H

#include "l2tpns.h"

struct json {
	char *text; /* always ends with NUL; NULL: nothing was written yet */
	size_t len, room;
	bool comma;  /* one is due before the next value */
	bool failed; /* no memory: the text is not whole */
};

/* '{' or '[' opens, '}' or ']' closes. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);

/* A string; octets that are not UTF-8 become U+FFFD. */
void json_text(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_real(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* Forgets the text but not where we are: what was written has been put out. */
void json_flush(struct json *j);
void json_free(struct json *j);

#endif
