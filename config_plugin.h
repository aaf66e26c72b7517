/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `load plugin` lines of the configuration. For config.c alone. */
#ifndef CONFIG_PLUGIN_H
#define CONFIG_PLUGIN_H

#include "config.h"

/* `load plugin NAME` and `remove plugin NAME`. -1 with `why`. */
int config_plugin_line(struct config *c, int argc, char **argv, char *why, size_t why_size);

/* One line as it is read back. */
void config_plugin_print(const char *name, char *line, size_t size);

void config_plugin_copy(struct config *to, const struct config *from);

#endif
