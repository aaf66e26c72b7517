/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that show the daemon in numbers. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli_child.h"

const struct command *cli_stats_table(void);

#endif
