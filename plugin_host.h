/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of plugins: loading, and raising events. What plugins see is
 * plugin.h.
 */
#ifndef PLUGIN_HOST_H
#define PLUGIN_HOST_H

#include "hook.h"

/* Loads NAME.so of plugin_dir; -1 with a text for the operator in `why`. */
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
