/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two forms of `show` share, and the JSON form of each command: one object
 * or array, keys as documented in the manual. All of it runs in a CLI child.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli_child.h"
#include "ippool.h"
#include "json.h"
#include "session.h"

/* Seconds until Session-Timeout ends it; 0: has none (or is about to end). */
uint32_t cli_time_left(const struct session *s);

/* A name fit for a terminal. One of four static buffers: use it at once. */
const char *cli_clean(const char *name);

/* The user's name, fit for a terminal; "*" before it is proven. Use it at once. */
const char *cli_user_of(const struct session *s);

/* Name of a control protocol's state. */
const char *cli_cp_name(const struct session *s, enum sess_cp cp);

/*
 * Calls `fn` for each address of the pool that is used or remembered, in order, with
 * its row; with `all` for the others too, with NULL.
 */
typedef void (*cli_pool_fn)(void *arg, uint32_t addr, const struct ippool_row *row);
void cli_pool_walk(bool all, cli_pool_fn fn, void *arg);

/* The name of an RFC 5515 rate or delay; NULL when the attribute is no number. */
const char *cli_line_name(uint16_t tag);

/* Calls `fn` for each address and route that leads to a session. */
typedef void (*cli_ipcache_fn)(void *arg, sess_id id, uint32_t addr, unsigned int len);
void cli_ipcache_walk(cli_ipcache_fn fn, void *arg);

/* Arguments are checked by the text form's rules; what is not there gives an empty value. */
void cli_json_config(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_ipcache(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_plugins(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_pool(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_radius(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_session(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_tunnels(struct cli_def *cli, struct json *j, int argc, char **argv);
void cli_json_users(struct cli_def *cli, struct json *j, int argc, char **argv);

#endif
