/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the command line that changes, writes and re-reads the configuration:
 * what is typed in configuration mode, `write memory`, `reload`.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli_child.h"
#include "json.h"

/* Modes beside libcli's own: lines below `ip access-list` and `router bgp`. */
enum { CLI_MODE_ACL = MODE_CONFIG + 1, CLI_MODE_BGP };

/* Ends with a row without words. */
const struct command *cli_config_table(void);

/* The families of lines, as a member of the JSON form of `show running-config`. */
void cli_config_json(json_t *o, bool secrets);

/* In the parent: a child's request, its words; `who` for the log. False: refused. */
bool cli_config_request(const char *who, int argc, char **argv, char *answer, size_t size);

#endif
