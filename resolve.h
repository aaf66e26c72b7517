/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses in a child process: the loop never waits for a name server. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "l2tpns.h"

#include <sys/socket.h>

/* `addr` is NULL when there is none. */
typedef void (*resolve_fn)(void *arg, const struct sockaddr_storage *addr);

/*
 * Looks a host name up, of a family or AF_UNSPEC; `done` is called from the loop, once. Of
 * several addresses it gets number `turn`, modulo their number. Returns a handle (a
 * descriptor), or -1 when it cannot begin.
 */
int resolve_start(const char *name, int family, unsigned int turn, resolve_fn done, void *arg);

/* `done` is not to be called any more. */
void resolve_cancel(int handle);

#endif
