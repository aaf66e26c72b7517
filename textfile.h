/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a file of lines that people write: gives one after the other, and collects
 * what is wrong with it as "FILE:LINE: message". For start-up and SIGHUP.
 */
#ifndef TEXTFILE_H
#define TEXTFILE_H

#include "l2tpns.h"

#include <stdio.h>

struct textfile {
	FILE *f;	   /* NULL: could not be opened */
	const char *name;  /* in messages */
	unsigned int line; /* number of the last one; 0: messages are about the file */
	int errors;	   /* told so far */
	void (*error)(const char *message);
};

/* Opens `path`, called `name` in messages. When that fails textfile_next() gives nothing. */
void textfile_open(
    struct textfile *t, const char *path, const char *name, void (*error)(const char *message));

/*
 * The next line without its end; false behind the last. A longer one, and one with a NUL
 * in it, is an error and left out.
 */
bool textfile_next(struct textfile *t, char *line, size_t size);

/* Tells of an error in the present line. */
void textfile_error(struct textfile *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* How many errors there were; -1 when the file could not be read, which is told too. */
int textfile_close(struct textfile *t);

#endif
