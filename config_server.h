/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `radius server` lines of the configuration, as a family. */
#ifndef CONFIG_SERVER_H
#define CONFIG_SERVER_H

#include "config_family.h"

/* `radius server IP [auth-port N] [acct-port N] [secret S] [weight N]`; `no radius server IP`. */
int config_server_take(struct config *c, const struct conf_words *w);
int config_server_undo(struct config *c, const struct conf_words *w);

unsigned int config_server_count(const struct config *c);
void config_server_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_server_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

#endif
