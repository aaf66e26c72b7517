/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that show whom the daemon deals with beside LACs: cluster, BGP, remote LNSs. */
#ifndef CLI_PEERS_H
#define CLI_PEERS_H

#include "cli_child.h"

const struct command *cli_peers_table(void);

#endif
