/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Families of configuration lines beside `set`: lists whose entries are added by one
 * kind of line and taken back by another. One row a family gives parser, undoing,
 * printing, comparing and copying. For config.c and config_show.c.
 */
#ifndef CONFIG_FAMILY_H
#define CONFIG_FAMILY_H

#include "config.h"

enum {
	FAMILY_LATER = 1,  /* nothing serves it yet */
	FAMILY_PLUGIN = 2, /* whoever loads plugins may refuse a line at run time */
	FAMILY_SAME = 4,   /* all members of a cluster should have the same lines */
};

/* A line in words, where it stands, and where a refusal is told. */
struct conf_words {
	int argc;
	char **argv;
	struct config_mode *mode;
	char *why;
	size_t why_size;
};

/* Writes the reason and yields -1. */
int conf_refuse(const struct conf_words *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Takes a line into `c`, -1 when it cannot be: then nothing is changed there. */
typedef int (*family_line_fn)(struct config *c, const struct conf_words *w);

struct family {
	const char *name;
	const char *first, *second; /* the words its lines begin with; second NULL: only one */
	const char *undo_word;	    /* in front of them, or, with FAMILY_PLUGIN, in place of one */
	const char *heading;	    /* printed in front of its first entry; NULL: none */
	size_t offset, size;	    /* its part of struct config */
	unsigned int flags;
	family_line_fn take, undo;
	enum config_place place;	/* its sub-mode; CONFIG_TOP: has none */
	const char *const *inner_words; /* the commands of the sub-mode, NULL behind the last */
	family_line_fn inner;		/* one of them, also behind `no` */
	unsigned int (*count)(const struct config *c); /* entries */
	/* What an entry is called in a report. */
	void (*title)(const struct config *c, unsigned int i, char *text, size_t size);
	/* The lines of an entry; secrets masked, and such lines comments, unless `secrets`. */
	void (*print)(
	    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);
};

/* In the order of `show running-config`; NULL behind the last. */
const struct family *family_get(unsigned int i);

const struct family *family_by_name(const char *name);

/* The family of a line, and whether the line takes something back; NULL: none. */
const struct family *family_of(const struct conf_words *w, bool *undo);

/* The family whose sub-mode the line belongs to where it stands; NULL: it belongs to none. */
const struct family *family_inside(const struct conf_words *w);

void family_copy(const struct family *f, struct config *to, const struct config *from);
bool family_equal(const struct family *f, const struct config *a, const struct config *b);

/* Prints an entry's line into `line` and gives it to `out`: for the families. */
void family_line(config_out_fn out, void *arg, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A secret as a word of a line, or "****"; one of two static buffers. */
const char *family_secret(const char *secret, bool shown);

#endif
