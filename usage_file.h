/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A usage file: the form that 2.4's scripts read, under a temporary name until it is
 * whole. For usage_writer.c, a child; all of it blocks.
 */
#ifndef USAGE_FILE_H
#define USAGE_FILE_H

#include "l2tpns.h"
#include "usage_sum.h"

#include <stdio.h>
#include <time.h>

enum { USAGE_NAME = 512, USAGE_FROM_LAC = 'L' /* as all sessions are */ };

struct usage_file {
	FILE *f;
	char temp[USAGE_NAME], name[USAGE_NAME];
	bool origins; /* a column tells where sessions come from */
	unsigned int lines;
};

/* What the first lines say. */
struct usage_head {
	const char *host;
	uint32_t endpoint; /* network order */
	time_t when;	   /* wall clock; the name too */
	unsigned long uptime;
};

/* Begins a file in the folder. -1: errno. */
int usage_file_open(
    struct usage_file *u, const char *folder, const struct usage_head *head, bool origins);

/* One line; none when both figures are 0. `origin` is L, R or P. */
void usage_file_line(struct usage_file *u, const char *user, uint32_t ip4, bool throttled,
    const struct usage *n, char origin);

/* All of it on the disk, still under the temporary name. -1: errno. */
int usage_file_sync(struct usage_file *u);

/* Gives it its name. -1: errno. */
int usage_file_publish(struct usage_file *u);

/* There will be none. */
void usage_file_discard(struct usage_file *u);

#endif
