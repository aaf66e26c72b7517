/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the configuration files again - startup-config, ip_pool, users and the local
 * users -, all of them or none: what one says may need what another does.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include "config.h"

/* For SIGHUP and operators. Each error and each change is logged, and told to `out` unless that is
 * NULL. False: there were errors, and nothing has changed. */
bool reload_all(config_out_fn out, void *arg);

/* For the start: the files that a configuration leads to; the number of errors. What is good in
 * them comes into force by reload_commit(). */
int reload_stage(const struct config *c, config_error_fn error);
void reload_commit(void);

#endif
