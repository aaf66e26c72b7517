/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: joe@example.net logs in as joe. The name is cut at its first '@', before
 * anybody is asked; one that would be empty then stays as it is.
 *
 * Sessions that are forwarded to another LNS by their domain (`setforward`) are chosen
 * by the name as it came, before plugins hear of a login.
 */
#include "plugin.h"

#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

int
plugin_pre_auth(struct param_pre_auth *p)
{
	char *at = strchr(p->username, '@');

	if (at && at > p->username)
		*at = '\0';
	return PLUGIN_RET_OK;
}
