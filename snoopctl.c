/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: interception by nsctl.
 *
 *	snoop USER|SID IP PORT		copies of all his packets go there by UDP
 *	unsnoop USER|SID
 */
#include "plugin.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

static int
parse_address(const char *word, uint32_t *ip)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, word, &addr) != 1 || addr.s_addr == 0)
		return 0;
	*ip = addr.s_addr;
	return 1;
}

static int
parse_port(const char *word, uint16_t *port)
{
	unsigned long value = strtoul(word, NULL, 10);

	if (word[0] == '\0' || word[strspn(word, "0123456789")] || value < 1 || value > UINT16_MAX)
		return 0;
	*port = (uint16_t)value;
	return 1;
}

static int
snoop(struct param_control *p)
{
	plugin_session s;
	uint32_t ip;
	uint16_t port;

	if (p->argc != 4)
		return f->refuse(p, "usage: %s USER|SID IP PORT", p->argv[0]);
	s = f->find_session(p->argv[1]);
	if (!s)
		return f->refuse(p, "user %s is not connected", p->argv[1]);
	if (!parse_address(p->argv[2], &ip))
		return f->refuse(p, "%s is no IP address", p->argv[2]);
	if (!parse_port(p->argv[3], &port))
		return f->refuse(p, "%s is no port", p->argv[3]);
	f->snoop(s, ip, port);
	p->response = 1;
	return PLUGIN_RET_STOP;
}

static int
unsnoop(struct param_control *p)
{
	plugin_session s;

	if (p->argc != 2)
		return f->refuse(p, "usage: %s USER|SID", p->argv[0]);
	s = f->find_session(p->argv[1]);
	if (!s)
		return f->refuse(p, "user %s is not connected", p->argv[1]);
	f->snoop(s, 0, 0);
	p->response = 1;
	return PLUGIN_RET_STOP;
}

int
plugin_control(struct param_control *p)
{
	int is_snoop = strcmp(p->argv[0], "snoop") == 0;

	if (strcmp(p->argv[0], "help") == 0) {
		f->control_help(
		    "snoop USER|SID IP PORT", "send copies of all packets of a session there");
		f->control_help("unsnoop USER|SID", "send them no longer");
		return PLUGIN_RET_OK;
	}
	if (!is_snoop && strcmp(p->argv[0], "unsnoop") != 0)
		return PLUGIN_RET_OK;
	if (!p->iam_master)
		return PLUGIN_RET_NOTMASTER;
	return is_snoop ? snoop(p) : unsnoop(p);
}
