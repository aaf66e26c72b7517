/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of the configuration table and what can be done with one: read a value
 * from text, print it as text. For config.c; the CLI quotes with it.
 */
#ifndef CONFIG_ITEM_H
#define CONFIG_ITEM_H

#include "config.h"

enum {
	ITEM_SECRET = 1,  /* never printed in user mode, never repeated in a message */
	ITEM_RESTART = 2, /* a new value serves after a restart */
	ITEM_LIST = 4,	  /* may be several words */
	ITEM_OPEN = 8,	  /* what serves when it is not set cannot be written as a value */
	ITEM_LATER = 16,  /* nothing serves it yet: a warning at start; goes with the first use */
	ITEM_SAME = 32,	  /* all members of a cluster should have the same value */
};

/* Room for any value as text, with its quotes. */
enum { ITEM_TEXT = 4 * CONF_LIST };

struct item;

/* Parses into the member at `to`; on failure nothing is written there but the reason to `why`. */
typedef bool (*item_parse_fn)(
    const struct item *it, const char *text, void *to, char *why, size_t why_size);
typedef void (*item_print_fn)(const struct item *it, const void *from, char *text, size_t size);

struct item_type {
	const char *name;
	item_parse_fn parse;
	item_print_fn print;
};

struct item {
	const char *name;
	const struct item_type *type;
	size_t offset, size;	  /* of the member in struct config */
	uint64_t min, max;	  /* of a number; max: characters of a string */
	const char *const *words; /* of an enum, by its value */
	bool (*valid)(const char *value, char *why, size_t why_size); /* of a string, or NULL */
	const char *initial;					      /* default, as text */
	unsigned int flags;
	const char *help;
};

/* The rows in the order of `show running-config`; NULL behind the last. */
const struct item *item_get(unsigned int i);
unsigned int item_number(const struct item *it);

/* By name or by an older name that is still taken; NULL: none. */
const struct item *item_find(const char *name);

/* The name most like a misspelt one, NULL when none is near. */
const char *item_nearest(const char *name);

/* Sets the member of `c`. -1 with the reason in `why`, "9 is not in 576..9216". */
int item_parse(
    const struct item *it, struct config *c, const char *text, char *why, size_t why_size);

/* The value as item_parse() would take it back, strings in quotes. */
void item_print(const struct item *it, const struct config *c, char *text, size_t size);

/* Text in quotes, as one word of a configuration line. */
void item_quote(const char *from, char *text, size_t size);

/* Whether the operator named the item, and that he did. */
bool item_is_set(const struct item *it, const struct config *c);
void item_mark_set(const struct item *it, struct config *c);

/* The value of one configuration, and whether it is set, into another. */
void item_copy(const struct item *it, struct config *to, const struct config *from);

bool item_equal(const struct item *it, const struct config *a, const struct config *b);

/* Splits a list at commas and spaces: the next word, false at the end (or when it does not fit). */
bool item_list_next(const char **pos, char *word, size_t size);

/* The protocols named by a radius_authtypes text, at most `most`; -1 with `why` when one is not
 * known. */
int item_authtypes(
    const char *text, enum auth_proto *protos, unsigned int most, char *why, size_t why_size);

#endif
