/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `router bgp` and the `neighbour` lines below it, as a family. */
#ifndef CONFIG_BGP_H
#define CONFIG_BGP_H

#include "config_family.h"

int config_bgp_take(struct config *c, const struct conf_words *w);
int config_bgp_undo(struct config *c, const struct conf_words *w);

/* `neighbour PEER ...`, also spelt `neighbor`, and `no neighbour PEER`. */
extern const char *const config_bgp_words[];
int config_bgp_inner(struct config *c, const struct conf_words *w);

/* The entries: `router bgp`, then each neighbour. */
unsigned int config_bgp_count(const struct config *c);
void config_bgp_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_bgp_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

#endif
