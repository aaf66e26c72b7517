/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `lac` lines of the configuration, as a family; config.h has config_lac(). */
#ifndef CONFIG_LAC_H
#define CONFIG_LAC_H

#include "config_family.h"

/* `lac NETWORK|HOSTNAME secret S [max-sessions N]` and `no lac NETWORK|HOSTNAME`. */
int config_lac_take(struct config *c, const struct conf_words *w);
int config_lac_undo(struct config *c, const struct conf_words *w);

unsigned int config_lac_count(const struct config *c);
void config_lac_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_lac_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

#endif
