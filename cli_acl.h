/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the command line that is about access lists: `filter`, `no filter`,
 * `show access-list`, and what `show session` tells of them.
 */
#ifndef CLI_ACL_H
#define CLI_ACL_H

#include "cli_child.h"
#include "json.h"
#include "session.h"

/* Ends with a row without words. */
const struct command *cli_acl_table(void);

/* The lines of `show session ID`, and the members of its JSON form. */
void cli_acl_show(struct cli_def *cli, const struct session *s);
void cli_acl_json(json_t *o, const struct session *s);

/* In the parent: a child's request, its words; see cli_policy_request(). */
struct cli_answer;
bool cli_acl_request(int argc, char **argv, struct cli_answer *a);

#endif
