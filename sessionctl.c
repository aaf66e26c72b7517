/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: ends sessions by nsctl.
 *
 *	drop USER|SID [REASON]
 *	kill USER|SID [REASON]
 *
 * In l2tpns 2.4 `kill` took the session away without a word to the subscriber, who then went
 * on sending until his own timers told him. Here both are the same: PPP says good-bye and the
 * LAC is told, which takes no longer for him who answers, and a few seconds for him who does
 * not; packets stop at once. Of a user with several sessions it ends the first.
 */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

/* The words behind the session's, with a blank between. */
static const char *
reason(int argc, char **argv)
{
	static char text[256];
	size_t len = 0;
	int i;

	if (argc <= 2)
		return "dropped by nsctl";
	for (i = 2; i < argc && len < sizeof(text); i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "%s%s", i > 2 ? " " : "", argv[i]);
	return text;
}

int
plugin_control(struct param_control *p)
{
	plugin_session s;

	if (strcmp(p->argv[0], "help") == 0) {
		f->control_help("drop USER|SID [REASON]", "end a session");
		f->control_help("kill USER|SID [REASON]", "the same");
		return PLUGIN_RET_OK;
	}
	if (strcmp(p->argv[0], "drop") != 0 && strcmp(p->argv[0], "kill") != 0)
		return PLUGIN_RET_OK;
	if (!p->iam_master)
		return PLUGIN_RET_NOTMASTER;
	if (p->argc < 2)
		return f->refuse(p, "usage: %s USER|SID [REASON]", p->argv[0]);
	s = f->find_session(p->argv[1]);
	if (!s)
		return f->refuse(p, "user %s is not connected", p->argv[1]);
	f->kill_session(s, reason(p->argc, p->argv));
	p->response = 1;
	return PLUGIN_RET_STOP;
}
