/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files are staged by their modules, each of which tells what is wrong with its
 * own, and committed together. What becomes different is reported line by line by
 * config_commit(). Called by l2tpns.c at start and at SIGHUP, and by the CLI.
 */
#include "reload.h"
#include "addr.h"
#include "cli.h"
#include "ippool.h"
#include "local_users.h"
#include "log.h"
#include "users.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ADDRESSES = 32, NAME_ROOM = 16, LINE_ROOM = 128 };

/* Who hears of the present run, beside the log. */
static config_out_fn listener;
static void *listener_arg;
static unsigned int changes;

static void
tell(const char *line)
{
	if (listener)
		listener(listener_arg, line);
}

static void
on_error(const char *line)
{
	plog(LOG_ERROR, "%s", line);
	tell(line);
}

static void
on_change(void *arg, const char *line)
{
	(void)arg;
	changes++;
	plog(LOG_WARNING, "%s", line);
	tell(line);
}

/* A file beside the startup-config. */
static const char *
beside(const char *name)
{
	static char path[PATH_MAX + NAME_ROOM];

	snprintf(path, sizeof(path), "%s/%s", config_dir(), name);
	return path;
}

int
reload_stage(const struct config *c, config_error_fn error)
{
	uint32_t addrs[MAX_ADDRESSES];
	unsigned int n = config_bind_addresses(addrs, MAX_ADDRESSES);
	int bad = 0;

	bad += abs(ippool_stage(beside("ip_pool"), addrs, n, error));
	bad += abs(users_stage(beside("users"), error));
	bad += abs(local_users_stage(c->local_users, error));
	return bad;
}

void
reload_commit(void)
{
	addr_commit_pool();
	users_commit();
	local_users_commit();
}

bool
reload_all(config_out_fn out, void *arg)
{
	char text[LINE_ROOM];
	int bad;

	listener = out;
	listener_arg = arg;
	changes = 0;
	plog(LOG_WARNING, "reading the configuration again");
	bad = abs(config_stage(on_error));
	bad += reload_stage(config_staged(), on_error);
	if (bad) {
		snprintf(
		    text, sizeof(text), "%d errors: the old configuration stays in force", bad);
		on_error(text);
		return false;
	}
	reload_commit();
	config_commit(on_change, NULL);
	cli_users_changed();
	if (!changes)
		tell("No setting has changed");
	return true;
}
