/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which plugins are to be loaded, in order: `load plugin` lines (SPEC 3). A line for a
 * name that is there changes nothing. Whether there is such a plugin is the loader's
 * to see.
 */
#include "config_plugin.h"
#include "config_item.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-.+";

/* Place in the list; n_plugins: not there. */
static unsigned int
find(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n_plugins; i++)
		if (strcmp(c->plugins[i], name) == 0)
			break;
	return i;
}

static int
add(struct config *c, const char *name, char *why, size_t why_size)
{
	unsigned int i = find(c, name);

	if (i == CONF_PLUGINS) {
		snprintf(why, why_size, "load plugin: there may be %d at most", CONF_PLUGINS);
		return -1;
	}
	if (i < c->n_plugins)
		return 0;
	str_copy(c->plugins[c->n_plugins++], CONF_PLUGIN_NAME, name);
	return 0;
}

static int
del(struct config *c, const char *name, char *why, size_t why_size)
{
	unsigned int i = find(c, name);

	if (i == c->n_plugins) {
		snprintf(why, why_size, "remove plugin: %s is not loaded", name);
		return -1;
	}
	c->n_plugins--;
	memmove(c->plugins[i], c->plugins[i + 1], (c->n_plugins - i) * sizeof(c->plugins[0]));
	memset(c->plugins[c->n_plugins], 0, sizeof(c->plugins[0]));
	return 0;
}

int
config_plugin_line(struct config *c, int argc, char **argv, char *why, size_t why_size)
{
	const char *name = argc == 3 ? argv[2] : "";

	if (argc != 3 || strcmp(argv[1], "plugin") != 0) {
		snprintf(why, why_size, "expected: %s plugin NAME", argv[0]);
		return -1;
	}
	if (name[0] == '\0' || name[0] == '.' || strlen(name) >= CONF_PLUGIN_NAME ||
	    name[strspn(name, name_chars)]) {
		snprintf(why, why_size, "%s plugin: '%.80s' is no name of a plugin", argv[0], name);
		return -1;
	}
	return strcmp(argv[0], "load") == 0 ? add(c, name, why, why_size)
					    : del(c, name, why, why_size);
}

void
config_plugin_print(const char *name, char *line, size_t size)
{
	snprintf(line, size, "load plugin \"%s\"", name);
}

void
config_plugin_copy(struct config *to, const struct config *from)
{
	to->n_plugins = from->n_plugins;
	memcpy(to->plugins, from->plugins, sizeof(to->plugins));
}
