/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON for programs, on jansson: a small value is put out as a whole, a list a row at a
 * time, so that its length is no matter. For CLI children, since it calls malloc.
 *
 *	json_begin(j, NULL, NULL);		[
 *	json_row(j, row);			{"id":1}
 *	json_row(j, row);			,{"id":2}
 *	json_end(j);				]
 */
#ifndef JSON_H
#define JSON_H

#include "l2tpns.h"

#include <jansson.h>

typedef void (*json_out_fn)(void *arg, const char *line);

/* A document under way. Set `out` and `arg`, the rest to zero. */
struct json {
	json_out_fn out; /* gets each line */
	void *arg;
	bool rows;   /* one was put out: the next begins with a comma */
	bool member; /* the list is the last member of an object */
	bool failed; /* no memory: what was put out is not whole */
};

/* The whole document. Here and below a value given is taken over. */
void json_whole(struct json *j, json_t *value);

/* A document that is a list; with `head`, an object that ends with the list `key`. */
void json_begin(struct json *j, json_t *head, const char *key);
void json_row(struct json *j, json_t *row);
void json_end(struct json *j);

/* A string; octets that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *value);

/* Members of an object. */
void json_put_text(json_t *object, const char *key, const char *value);
void json_put_number(json_t *object, const char *key, uint64_t value);
void json_put_real(json_t *object, const char *key, double value);
void json_put_bool(json_t *object, const char *key, bool value);

#endif
