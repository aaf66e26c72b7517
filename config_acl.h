/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `ip access-list` and the `permit` and `deny` lines below it, as a family. */
#ifndef CONFIG_ACL_H
#define CONFIG_ACL_H

#include "config_family.h"

int config_acl_take(struct config *c, const struct conf_words *w);
int config_acl_undo(struct config *c, const struct conf_words *w);

/* `permit ...`, `deny ...` and their `no` forms. */
extern const char *const config_acl_words[];
int config_acl_inner(struct config *c, const struct conf_words *w);

unsigned int config_acl_count(const struct config *c);
void config_acl_title(const struct config *c, unsigned int i, char *text, size_t size);
void config_acl_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg);

/* The list of that name; NULL: none. */
const struct conf_acl *config_acl_find(const struct config *c, const char *name);

/* A rule of a list of that kind as it is read back, without the blank in front. */
void config_acl_rule(const struct conf_rule *r, bool extended, char *line, size_t size);

#endif
