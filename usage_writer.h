/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child that writes a usage file, and what it says of it. Of the group of usage.c.
 */
#ifndef USAGE_WRITER_H
#define USAGE_WRITER_H

#include "session.h"
#include "usage_file.h"
#include "usage_sum.h"

#include <sys/types.h>

/* What a child is to write besides the sessions. */
struct usage_job {
	unsigned int ended; /* so many of those that have ended */
	struct usage rest;  /* those that found no room there */
	bool asks;	    /* it waits for usage_writer_let_go() before the file gets its name */
	bool last;	    /* it does not die with the parent */
};

struct usage_result {
	unsigned int lines;
	char name[USAGE_NAME]; /* "": nothing to tell, so no file */
	char why[256];	       /* it fails */
};

/* Start-up. */
void usage_writer_init(void);

/* Forks the child of the last run that got a number. -1: errno. */
pid_t usage_writer_start(const struct usage_job *job);

/* Whether it has written all, and waits. */
bool usage_writer_is_ready(void);

/* The file may get its name; and whether it may. */
void usage_writer_let_go(void);
bool usage_writer_may_go(void);

/* When it is gone: whether the file is in place or there was none to write, and what it said. */
bool usage_writer_has_written(void);
const struct usage_result *usage_writer_result(void);

/* Who pays for a session: a name that is not proven is nobody's. */
const char *usage_writer_name(const struct session *s);

#endif
