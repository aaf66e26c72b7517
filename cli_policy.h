/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the command line that is about single sessions' service: throttling and
 * interception. Commands, what they show, and what the parent does for them.
 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli_child.h"
#include "json.h"
#include "order.h"
#include "session.h"

/* Commands for users and for operators; ends with a row without words. */
const struct command *cli_policy_table(void);

/* The lines of `show session ID`, and the members of its JSON form. */
void cli_policy_show(struct cli_def *cli, sess_id id, const struct session *s);
void cli_policy_json(json_t *o, sess_id id, const struct session *s);

/* A session is being throttled: the column T. */
bool cli_policy_throttled(sess_id id, const struct session *s);

/* Where an answer goes. */
struct cli_answer {
	char *text;
	size_t size;
	uint32_t asker; /* whom to tell, when it comes later */
	bool later;	/* it does: see order.h */
};

/* In the parent: a child's request, its words; false: refused. The answer says it in words. */
bool cli_policy_request(int argc, char **argv, struct cli_answer *a);

/* Gives an order, which has its act and answer, for a user's sessions. */
bool cli_policy_order(struct order *o, const char *user, struct cli_answer *a);

#endif
