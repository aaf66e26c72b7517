/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded default: users of a file in the style of pppd's chap-secrets,
 * authenticated without RADIUS. A line: NAME SERVER SECRET [ADDRESS], words may be
 * quoted, SERVER is not looked at, `*` as address (or none) means the pool.
 */
#ifndef LOCAL_USERS_H
#define LOCAL_USERS_H

#include "hook.h"

/*
 * Reads the file named by the local_users item ("": nobody), which serves after
 * local_users_commit() and not before. Errors go to `error` as "FILE:LINE: message",
 * and the rest is still taken; the number of errors, -1 when it cannot be read (told
 * too; then there is nothing to commit).
 */
int local_users_stage(const char *file, void (*error)(const char *line));

/* What was staged takes the place of the users before. Nothing happens when nothing is. */
void local_users_commit(void);

/* For the hook list, before RADIUS: answers at once for names in the file; false for others. */
bool local_users_authenticate(sess_id s, const struct auth_request *req);

#endif
