/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of plugins: loading, and raising events. What plugins see is
 * plugin.h.
 */
#ifndef PLUGIN_HOST_H
#define PLUGIN_HOST_H

#include "hook.h"

/* Start-up, behind session_init(). */
void plugin_start(void);

/*
 * Loads or unloads the plugin of that name as the configuration's `load plugin` lines
 * have it; NULL: all, in order. -1 when that cannot be, with the reason in `why` (the
 * last one of several; each is logged).
 */
int plugin_sync(const char *name, char *why, size_t why_size);

/* Hook member: plugins hear of each session that a new master adopts. */
extern const struct hook_member plugin_member;

/* Hook role: plugins are told of a beginning. */
void plugin_role(bool master);

/* Hooks. */
void plugin_session_event(sess_id s, enum sess_event ev);
bool plugin_before_auth(sess_id s, struct login *login);
bool plugin_after_auth(sess_id s, enum auth_proto proto, bool allowed);
void plugin_avpair(sess_id s, const char *key, const char *value);
enum avpair_verdict plugin_avpair_check(sess_id s, const char *key, const char *value);
void plugin_avpair_reset(sess_id s);
void plugin_add_account(sess_id s, struct wr *attrs);

/* `load plugin NAME` and `remove plugin NAME`; -1 with a text for the operator in `why`. */
int plugin_load(const char *name, char *why, size_t why_size);
int plugin_unload(const char *name, char *why, size_t why_size);

/* All of them, last one first; at the daemon's end. */
void plugin_fini(void);

/* Name of the i-th in order of loading; NULL behind the last. */
const char *plugin_name(unsigned int i);

enum plugin_verdict { PLUGIN_DONE, PLUGIN_REFUSED, PLUGIN_UNKNOWN, PLUGIN_NOT_MASTER };

/*
 * A command of nsctl to the plugins' control hooks. `text` gets a line for the operator or "".
 * PLUGIN_UNKNOWN: none of them knows the command.
 */
enum plugin_verdict plugin_control(int argc, char **argv, char *text, size_t size);

/* The plugins' commands for `help`, one call each. */
typedef void (*plugin_help_fn)(void *arg, const char *command, const char *what);
void plugin_help(plugin_help_fn line, void *arg);

#endif
