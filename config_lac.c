/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carriers with a secret and a limit of their own: `lac` lines (SPEC 3). They are a
 * short array in struct config; a carrier is known by the Host Name of its SCCRQ or by
 * the longest network its address lies in. A line for a name that is there replaces it.
 */
#include "config_lac.h"
#include "config_item.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

static const char lac_usage[] = "lac NETWORK|HOSTNAME secret SECRET [max-sessions N]";

static struct conf_lac *
find(struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n_lacs; i++)
		if (strcmp(c->lacs[i].name, name) == 0)
			return &c->lacs[i];
	return NULL;
}

/* An address or network when it looks like one, else a host name. */
static int
parse_name(struct conf_lac *lac, const char *name, const struct conf_words *w)
{
	unsigned int len;

	if (!str_copy(lac->name, sizeof(lac->name), name) || name[0] == '\0')
		return conf_refuse(w, "lac: a host name has 1 to %d characters", HOSTNAME_LEN - 1);
	lac->is_net = ip4_parse_prefix(name, &lac->addr, &len);
	if (!lac->is_net && name[strspn(name, "0123456789./")] == '\0')
		return conf_refuse(
		    w, "lac: '%.40s' is not a network (host bits must be zero)", name);
	lac->len = lac->is_net ? (uint8_t)len : 0;
	return 0;
}

int
config_lac_take(struct config *c, const struct conf_words *w)
{
	struct conf_lac lac = { 0 }, *at;
	uint64_t most = 0;

	if ((w->argc != 4 && w->argc != 6) || strcmp(w->argv[2], "secret") != 0 ||
	    (w->argc == 6 && strcmp(w->argv[4], "max-sessions") != 0))
		return conf_refuse(w, "expected: %s", lac_usage);
	if (parse_name(&lac, w->argv[1], w) < 0)
		return -1;
	if (!str_copy(lac.secret, sizeof(lac.secret), w->argv[3]))
		return conf_refuse(w, "lac: a secret has at most %d characters", SECRET_LEN - 1);
	if (w->argc == 6 && !parse_uint(w->argv[5], 1, MAX_SESSIONS_LIMIT, &most))
		return conf_refuse(
		    w, "lac: max-sessions %.20s is not in 1..%d", w->argv[5], MAX_SESSIONS_LIMIT);
	lac.max_sessions = (unsigned int)most;
	at = find(c, w->argv[1]);
	if (!at && c->n_lacs == CONF_LACS)
		return conf_refuse(w, "lac: there may be %d at most", CONF_LACS);
	if (!at)
		at = &c->lacs[c->n_lacs++];
	*at = lac;
	return 0;
}

int
config_lac_undo(struct config *c, const struct conf_words *w)
{
	struct conf_lac *at = w->argc == 3 ? find(c, w->argv[2]) : NULL;

	if (w->argc != 3)
		return conf_refuse(w, "expected: no lac NETWORK|HOSTNAME");
	if (!at)
		return conf_refuse(w, "no lac: there is no lac '%.40s'", w->argv[2]);
	*at = c->lacs[--c->n_lacs];
	c->lacs[c->n_lacs] = (struct conf_lac){ 0 };
	return 0;
}

unsigned int
config_lac_count(const struct config *c)
{
	return c->n_lacs;
}

void
config_lac_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	char name[3 * HOSTNAME_LEN];

	item_quote(c->lacs[i].name, name, sizeof(name));
	snprintf(text, size, "lac %s", name);
}

void
config_lac_print(const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	const struct conf_lac *lac = &c->lacs[i];
	char title[ITEM_TEXT], limit[32] = "";

	config_lac_title(c, i, title, sizeof(title));
	if (lac->max_sessions)
		snprintf(limit, sizeof(limit), " max-sessions %u", lac->max_sessions);
	family_line(out, arg, "%s%s secret %s%s", secrets ? "" : "# ", title,
	    family_secret(lac->secret, secrets), limit);
}

const struct conf_lac *
config_lac(uint32_t peer_ip, const char *hostname)
{
	const struct conf_lac *best = NULL;
	unsigned int i;

	for (i = 0; i < conf->n_lacs; i++) {
		const struct conf_lac *lac = &conf->lacs[i];

		if (!lac->is_net && hostname[0] && strcmp(lac->name, hostname) == 0)
			return lac;
		if (lac->is_net && (peer_ip & ip4_mask(lac->len)) == lac->addr &&
		    (!best || lac->len > best->len))
			best = lac;
	}
	return best;
}
