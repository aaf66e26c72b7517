/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ip_pool file, read into a list of networks. For ippool.c, its only caller. */
#ifndef IPPOOL_FILE_H
#define IPPOOL_FILE_H

#include "ippool.h"

enum {
	IPPOOL_POOLS = 64, /* number 0 is the one without a name */
	IPPOOL_NAME = 32,  /* with its final NUL */
};

struct ippool_spec {
	uint32_t first, last; /* host order */
	uint32_t line;	      /* in the file */
	uint8_t len, pool;
};

struct ippool_file {
	uint32_t n_pools, n_specs;
	char names[IPPOOL_POOLS][IPPOOL_NAME];
	struct ippool_spec specs[IPPOOL_NETS]; /* in the file's order, none twice */
};

/*
 * Reads the file's lines that are for all or for one of our addresses. Errors go to
 * `error` as "FILE:LINE: message"; returns their number, -1 when it cannot be read.
 */
int ippool_file_read(struct ippool_file *to, const char *file, const uint32_t *our_addrs,
    unsigned int n_addrs, void (*error)(const char *line));

/* True when both name the same networks of the same pools in the same order. */
bool ippool_file_equal(const struct ippool_file *a, const struct ippool_file *b);

/* Copies what is in use, so that a short list costs little memory. */
void ippool_file_copy(struct ippool_file *to, const struct ippool_file *from);

#endif
