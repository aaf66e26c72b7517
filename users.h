/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operators: the `users` file with the CLI's logins and its enable password. A line
 * is NAME:PASSWORD; the password plain, $1$SALT$HASH (crypt MD5), or {crypt} and
 * anything crypt(3) knows.
 */
#ifndef USERS_H
#define USERS_H

#include "l2tpns.h"

/*
 * Reads the file, which serves after users_commit() and not before. Errors go to
 * `error` as "FILE:LINE: message"; returns their number, -1 when it cannot be read. A
 * file that does not exist is one without entries: 0.
 */
int users_stage(const char *file, void (*error)(const char *line));

/* The file read last takes the place of the one before, without its wrong lines. Once. */
void users_commit(void);

/* How many names may log in; the enable password is not one. */
unsigned int users_count(void);

/* Whether those from elsewhere must log in: there are names, or lines that failed to be some. */
bool users_ask_login(void);

/* True when the name may log in with this password. */
bool users_login(const char *name, const char *password);

/* Whether there is an enable password, and whether this is it. */
bool users_has_enable(void);
bool users_enable(const char *password);

#endif
