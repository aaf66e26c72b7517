/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line for operators: the parent's side. Listens on cli_bind_address and
 * cli_socket, forks a child for each connection and does what the children ask.
 * (libcli has a cli_init() of its own, hence start and stop.)
 */
#ifndef CLI_H
#define CLI_H

#include "l2tpns.h"

#include <sys/types.h>

/*
 * Opens the listening sockets; behind config_read() and users_commit(). -1 with one line
 * in `why` when that cannot be, as "CLI: 127.0.0.1 port 23: Address already in use".
 */
int cli_start(char *why, size_t why_size);

/* There is another table of users: listens where it says, see cli_bind_address. */
void cli_users_changed(void);

/* Closes them and ends the children. */
void cli_stop(void);

/* From SIGCHLD, with waitpid()'s status: a child has ended. False: it was none of the CLI's. */
bool cli_child_exit(pid_t pid, int status);

#endif
