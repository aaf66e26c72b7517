/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that the daemon goes on writing under another user are given to him. For
 * `setuid`, at start. Nothing is given that others could have put in the place of
 * what the configuration names. Results: 0, or -1 with the reason in `why`.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "l2tpns.h"

#include <sys/types.h>

/*
 * Flags to open a path with, as root: 0 when only we can have put there what it names, or
 * O_NOFOLLOW when its last part may be somebody else's. -1 when even a folder on the way may be.
 */
int handover_way(const char *path, char *why, size_t why_size);

/* A plain file; his already is fine. */
int handover_file(const char *path, uid_t uid, char *why, size_t why_size);

/* A folder that holds nothing but files; with `files`, those too as far as they are ours. */
int handover_folder(const char *path, uid_t uid, bool files, char *why, size_t why_size);

#endif
