/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `setforward` lines of the configuration, as a family. */
#ifndef CONFIG_FORWARD_H
#define CONFIG_FORWARD_H

#include "config_family.h"

/* `setforward MASK IP PORT SECRET`; `no setforward [MASK [IP [PORT]]]` takes back all that fit. */
int config_forward_take(struct config *c, const struct conf_words *w);
int config_forward_undo(struct config *c, const struct conf_words *w);

unsigned int config_forward_count(const struct config *c);
void config_forward_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_forward_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

#endif
