/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon does for plugins: the function table. For the loader, plugin.c; what
 * plugins see of it is in plugin.h.
 */
#ifndef PLUGIN_FUNC_H
#define PLUGIN_FUNC_H

#include "plugin_host.h" /* before plugin.h: what plugins export is not ours to declare */
#include "plugin.h"

extern const struct pluginfuncs plugin_funcs;

void plugin_func_init(void);

/* Sessions and tunnels as plugins name them. */
plugin_session plugin_handle(sess_id s);
plugin_tunnel plugin_tunnel_of(sess_id s);

/* The plugin whose function runs. Numbers are given once. */
struct plugin_caller {
	unsigned int number; /* 0: none */
	const char *name;
};

/* Says who runs from now on, and yields who did. */
struct plugin_caller plugin_caller_set(struct plugin_caller now);
bool plugin_caller_is(void);

/* A plugin goes: the ends of its programs are not told to it any more. */
void plugin_func_forget(unsigned int number);

/* Where control_help() puts its lines; NULL: nowhere. */
void plugin_func_help(plugin_help_fn line, void *arg);

void plugin_func_master(bool is_master);

/* Whether a plugin has asked for a change that only the master makes, since this was last asked. */
bool plugin_func_overreached(void);

#endif
