/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the configuration to its file. Blocks on the disk: for a CLI child, not for the loop. */
#ifndef CONFIG_SAVE_H
#define CONFIG_SAVE_H

#include <stddef.h>

/*
 * Puts what is configured in place of the startup-config, all or nothing; its mode and
 * owner stay, a new one is for its owner alone. When the file has comments, which are
 * not in what is written, it stays as FILE.bak. 0, or -1; `said` tells it in words.
 */
int config_save(char *said, size_t size);

#endif
