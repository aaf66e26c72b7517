/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `lac` lines of the configuration. For config.c alone; config.h has config_lac(). */
#ifndef CONFIG_LAC_H
#define CONFIG_LAC_H

#include "config.h"

/* `lac NETWORK|HOSTNAME secret S [max-sessions N]` and `no lac NETWORK|HOSTNAME`. -1 with `why`. */
int config_lac_set(struct config *c, int argc, char **argv, char *why, size_t why_size);
int config_lac_unset(struct config *c, const char *name, char *why, size_t why_size);

/* All lines of one configuration into another. */
void config_lac_copy(struct config *to, const struct config *from);

bool config_lac_equal(const struct config *a, const struct config *b);

/* One line as it is read back; the secret masked, and the line a comment, unless `secrets`. */
void config_lac_print(const struct conf_lac *lac, bool secrets, char *line, size_t size);

#endif
