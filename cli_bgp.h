/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about BGP, for the CLI. */
#ifndef CLI_BGP_H
#define CLI_BGP_H

#include "cli_child.h"

const struct command *cli_bgp_table(void);

#endif
