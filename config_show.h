/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as text: what differs between two of them. For config.c. */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include "config.h"

/*
 * A line for each item that differs, "set l2tp_mtu 1400 (was 1500)", and for each entry
 * of a family, "added ip access-list standard std1". Secrets are masked.
 */
void config_diff(const struct config *from, const struct config *to, config_out_fn out, void *arg);

#endif
