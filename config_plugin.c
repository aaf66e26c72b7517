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

/* The name in a line; NULL, refused, when it is none. */
static const char *
name_in(const struct conf_words *w)
{
	const char *name = w->argc == 3 ? w->argv[2] : "";

	if (w->argc != 3) {
		conf_refuse(w, "expected: %s plugin NAME", w->argv[0]);
		return NULL;
	}
	if (name[0] && name[0] != '.' && strlen(name) < CONF_PLUGIN_NAME &&
	    !name[strspn(name, name_chars)])
		return name;
	conf_refuse(w, "%s plugin: '%.80s' is no name of a plugin", w->argv[0], name);
	return NULL;
}

int
config_plugin_take(struct config *c, const struct conf_words *w)
{
	const char *name = name_in(w);
	unsigned int i = name ? find(c, name) : 0;

	if (!name)
		return -1;
	if (i == CONF_PLUGINS)
		return conf_refuse(w, "load plugin: there may be %d at most", CONF_PLUGINS);
	if (i == c->n_plugins)
		str_copy(c->plugins[c->n_plugins++], CONF_PLUGIN_NAME, name);
	return 0;
}

int
config_plugin_undo(struct config *c, const struct conf_words *w)
{
	const char *name = name_in(w);
	unsigned int i = name ? find(c, name) : 0;

	if (!name)
		return -1;
	if (i == c->n_plugins)
		return conf_refuse(w, "remove plugin: %s is not loaded", name);
	c->n_plugins--;
	memmove(c->plugins[i], c->plugins[i + 1], (c->n_plugins - i) * sizeof(c->plugins[0]));
	memset(c->plugins[c->n_plugins], 0, sizeof(c->plugins[0]));
	return 0;
}

unsigned int
config_plugin_count(const struct config *c)
{
	return c->n_plugins;
}

void
config_plugin_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	snprintf(text, size, "load plugin \"%s\"", c->plugins[i]);
}

void
config_plugin_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	(void)secrets;
	family_line(out, arg, "load plugin \"%s\"", c->plugins[i]);
}
