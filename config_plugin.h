/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `load plugin` lines of the configuration, as a family. */
#ifndef CONFIG_PLUGIN_H
#define CONFIG_PLUGIN_H

#include "config_family.h"

/* `load plugin NAME` and `remove plugin NAME`. */
int config_plugin_take(struct config *c, const struct conf_words *w);
int config_plugin_undo(struct config *c, const struct conf_words *w);

unsigned int config_plugin_count(const struct config *c);
void config_plugin_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_plugin_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

#endif
