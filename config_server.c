/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RADIUS servers beside primary_ and secondary_radius (SPEC 3): a short array, in the
 * order of the lines. A line for an address that is there replaces it in its place. What
 * a line does not say is the reader's to fill in, so it prints as it was given.
 */
#include "config_server.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PORT = 65535, MAX_WEIGHT = 1000 };

static const char usage[] = "radius server IP [auth-port N] [acct-port N] [secret S] [weight N]";

static unsigned int
find(const struct config *c, uint32_t ip)
{
	unsigned int i;

	for (i = 0; i < c->n_servers; i++)
		if (c->servers[i].ip == ip)
			break;
	return i;
}

static int
read_ip(const struct conf_words *w, int at, uint32_t *ip)
{
	if (w->argc > at && ip4_parse(w->argv[at], ip) && *ip)
		return 0;
	return conf_refuse(w, "radius server: '%.40s' is not the address of a server",
	    w->argc > at ? w->argv[at] : "");
}

static int
read_number(const struct conf_words *w, int at, unsigned int most, unsigned int *to)
{
	uint64_t v;

	if (!parse_uint(w->argv[at + 1], 1, most, &v))
		return conf_refuse(w, "radius server: %s %.20s is not in 1..%u", w->argv[at],
		    w->argv[at + 1], most);
	*to = (unsigned int)v;
	return 0;
}

/* A word and its value, at `at`. */
static int
read_option(const struct conf_words *w, int at, struct conf_server *s)
{
	const char *word = w->argv[at];

	if (strcmp(word, "auth-port") == 0)
		return read_number(w, at, MAX_PORT, &s->auth_port);
	if (strcmp(word, "acct-port") == 0)
		return read_number(w, at, MAX_PORT, &s->acct_port);
	if (strcmp(word, "weight") == 0)
		return read_number(w, at, MAX_WEIGHT, &s->weight);
	if (strcmp(word, "secret") != 0)
		return conf_refuse(w, "expected: %s", usage);
	if (!str_copy(s->secret, sizeof(s->secret), w->argv[at + 1]))
		return conf_refuse(
		    w, "radius server: a secret has at most %d characters", SECRET_LEN - 1);
	return 0;
}

int
config_server_take(struct config *c, const struct conf_words *w)
{
	struct conf_server s = { 0 };
	unsigned int i;
	int at;

	if (read_ip(w, 2, &s.ip) < 0)
		return -1;
	if (w->argc % 2 == 0)
		return conf_refuse(w, "expected: %s", usage);
	for (at = 3; at < w->argc; at += 2)
		if (read_option(w, at, &s) < 0)
			return -1;
	i = find(c, s.ip);
	if (i == CONF_SERVERS)
		return conf_refuse(w, "radius server: there may be %d at most", CONF_SERVERS);
	c->servers[i] = s;
	c->n_servers = MAX(c->n_servers, i + 1);
	return 0;
}

int
config_server_undo(struct config *c, const struct conf_words *w)
{
	unsigned int i;
	uint32_t ip;

	if (read_ip(w, 3, &ip) < 0)
		return -1;
	i = find(c, ip);
	if (w->argc != 4 || i == c->n_servers)
		return conf_refuse(w, "no radius server: there is no server %s", ip4_text(ip));
	c->n_servers--;
	memmove(&c->servers[i], &c->servers[i + 1], (c->n_servers - i) * sizeof(c->servers[0]));
	memset(&c->servers[c->n_servers], 0, sizeof(c->servers[0]));
	return 0;
}

unsigned int
config_server_count(const struct config *c)
{
	return c->n_servers;
}

void
config_server_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	snprintf(text, size, "radius server %s", ip4_text(c->servers[i].ip));
}

static void
number(char *text, size_t size, const char *word, unsigned int value)
{
	text[0] = '\0';
	if (value)
		snprintf(text, size, " %s %u", word, value);
}

void
config_server_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	const struct conf_server *s = &c->servers[i];
	bool masked = s->secret[0] && !secrets;
	char auth[32], acct[32], weight[32];

	number(auth, sizeof(auth), "auth-port", s->auth_port);
	number(acct, sizeof(acct), "acct-port", s->acct_port);
	number(weight, sizeof(weight), "weight", s->weight);
	family_line(out, arg, "%sradius server %s%s%s%s%s%s", masked ? "# " : "", ip4_text(s->ip),
	    auth, acct, s->secret[0] ? " secret " : "",
	    s->secret[0] ? family_secret(s->secret, secrets) : "", weight);
}
