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

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;
static char answer[320];

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

static int refuse(struct param_control *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Answers with the reason. */
static int
refuse(struct param_control *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(answer, sizeof(answer), fmt, ap);
	va_end(ap);
	p->response = 0;
	p->additional = answer;
	return PLUGIN_RET_STOP;
}

/* All digits: a session's number, if there is such a session; else a user's name. */
static plugin_session
find(const char *word)
{
	plugin_session s = NULL;

	if (word[0] && word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10)
		s = f->get_session_by_id((uint32_t)strtoul(word, NULL, 10));
	return s ? s : f->get_session_by_user(word);
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
		return refuse(p, "usage: %s USER|SID [REASON]", p->argv[0]);
	s = find(p->argv[1]);
	if (!s)
		return refuse(p, "user %s is not connected", p->argv[1]);
	f->kill_session(s, reason(p->argc, p->argv));
	p->response = 1;
	return PLUGIN_RET_STOP;
}
