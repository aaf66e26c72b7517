/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands in libcli's tree: what is typed leads to a row of a table, which gives
 * its help, the usage line, the check of the argument count and the function.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "cli_child.h"

/* Puts what every connection has into the tree: help, history. */
void cli_tree_init(struct cli_def *cli);

/* Puts the rows of a table into the tree, up to one without words. */
void cli_tree_add(struct cli_def *cli, const struct command *table);

/* `include`, `exclude` and the other filters behind a bar. */
void cli_filter_add(struct cli_def *cli);

#endif
