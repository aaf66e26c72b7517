/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: interception by RADIUS. Cisco-AVPair
 *
 *	intercept=IP:PORT	copies of his packets go there
 *	intercept=yes		to snoop_host and snoop_port
 *	intercept=no		no longer
 *
 * A CoA's reset ends it too, until a pair of the CoA starts it anew. Accounting records
 * of an intercepted session say nothing of it: they pass more hands than they should.
 */
#include "plugin.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

/* A port number, 0 when it is none. */
static uint16_t
parse_port(const char *text)
{
	char *end;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return 0;
	n = strtoul(text, &end, 10);
	return *end == '\0' && n <= UINT16_MAX ? (uint16_t)n : 0;
}

/* "10.0.0.1:9999". 0 when it is not that. */
static int
parse_target(const char *text, struct in_addr *ip, uint16_t *port)
{
	char address[INET_ADDRSTRLEN];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (n == 0 || n >= sizeof(address))
		return 0;
	memcpy(address, text, n);
	address[n] = '\0';
	*port = parse_port(colon + 1);
	return inet_pton(AF_INET, address, ip) == 1 && ip->s_addr && *port;
}

static int
configured_target(struct in_addr *ip, uint16_t *port)
{
	*port = parse_port(f->get_config("snoop_port"));
	return inet_pton(AF_INET, f->get_config("snoop_host"), ip) == 1 && ip->s_addr && *port;
}

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

/* Where copies are to go, ip 0: nowhere. 1: the pair is ours; 0: it is not; -1: it cannot be. */
static int
understand(plugin_session s, const char *key, const char *value, struct in_addr *ip, uint16_t *port)
{
	ip->s_addr = 0;
	*port = 0;
	if (strcmp(key, "intercept") != 0)
		return 0;
	if (strcmp(value, "no") == 0)
		return 1;
	if (strcmp(value, "yes") == 0) {
		if (configured_target(ip, port))
			return 1;
		f->log(PLUGIN_LOG_WARNING, s,
		    "intercept=yes, but snoop_host and snoop_port are not set");
		return -1;
	}
	if (parse_target(value, ip, port))
		return 1;
	f->log(PLUGIN_LOG_WARNING, s, "intercept=%s is not yes, no or IP:PORT", value);
	return -1;
}

int
plugin_radius_response(struct param_radius_response *p)
{
	struct in_addr ip;
	uint16_t port;

	if (understand(p->s, p->key, p->value, &ip, &port) > 0)
		f->snoop(p->s, ip.s_addr, port);
	return PLUGIN_RET_OK;
}

int
plugin_radius_check(struct param_radius_check *p)
{
	struct in_addr ip;
	uint16_t port;
	int is_ours = understand(p->s, p->key, p->value, &ip, &port);

	return is_ours < 0 ? PLUGIN_RET_ERROR : is_ours > 0 ? PLUGIN_RET_STOP : PLUGIN_RET_OK;
}

int
plugin_radius_reset(struct param_radius_reset *p)
{
	f->snoop(p->s, 0, 0);
	return PLUGIN_RET_OK;
}
