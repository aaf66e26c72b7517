/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for the tables: zeroed, sized at start, touched only as used. Shared
 * mappings are seen by the CLI children; the parent alone writes them.
 */
#ifndef SHM_H
#define SHM_H

#include <stddef.h>

/* A shared zeroed mapping of `size` octets. Start-up only: ends the process when there is no
 * memory. */
void *shm_map(const char *what, size_t size);

/* The same, private: a child sees a copy of the time of its fork. */
void *shm_map_private(const char *what, size_t size);

/* The same, and a child does not have it at all: packet buffers. */
void *shm_map_parent(const char *what, size_t size);

/*
 * Gives the pages behind the first `used` octets of a mapping back to the system;
 * they read as zero afterwards. For tables whose upper part has become free.
 */
void shm_trim(void *map, size_t size, size_t used);

/* In a child: from here on a write to any shared mapping is a crash of the child. */
void shm_read_only(void);

/* The exception: a mapping that the child is to fill. */
void shm_read_write(void *map);

#endif
