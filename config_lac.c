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
parse_name(struct conf_lac *lac, const char *name, char *why, size_t why_size)
{
	unsigned int len;

	if (!str_copy(lac->name, sizeof(lac->name), name) || name[0] == '\0') {
		snprintf(
		    why, why_size, "lac: a host name has 1 to %d characters", HOSTNAME_LEN - 1);
		return -1;
	}
	lac->is_net = ip4_parse_prefix(name, &lac->addr, &len);
	if (!lac->is_net && name[strspn(name, "0123456789./")] == '\0') {
		snprintf(
		    why, why_size, "lac: '%.40s' is not a network (host bits must be zero)", name);
		return -1;
	}
	lac->len = lac->is_net ? (uint8_t)len : 0;
	return 0;
}

int
config_lac_set(struct config *c, int argc, char **argv, char *why, size_t why_size)
{
	struct conf_lac lac = { 0 }, *at;
	uint64_t most = 0;

	if ((argc != 4 && argc != 6) || strcmp(argv[2], "secret") != 0 ||
	    (argc == 6 && strcmp(argv[4], "max-sessions") != 0)) {
		snprintf(why, why_size, "expected: %s", lac_usage);
		return -1;
	}
	if (parse_name(&lac, argv[1], why, why_size) < 0)
		return -1;
	if (!str_copy(lac.secret, sizeof(lac.secret), argv[3])) {
		snprintf(why, why_size, "lac: a secret has at most %d characters", SECRET_LEN - 1);
		return -1;
	}
	if (argc == 6 && !parse_uint(argv[5], 1, MAX_SESSIONS_LIMIT, &most)) {
		snprintf(why, why_size, "lac: max-sessions %.20s is not in 1..%d", argv[5],
		    MAX_SESSIONS_LIMIT);
		return -1;
	}
	lac.max_sessions = (unsigned int)most;
	at = find(c, argv[1]);
	if (!at && c->n_lacs == CONF_LACS) {
		snprintf(why, why_size, "lac: there may be %d at most", CONF_LACS);
		return -1;
	}
	if (!at)
		at = &c->lacs[c->n_lacs++];
	*at = lac;
	return 0;
}

int
config_lac_unset(struct config *c, const char *name, char *why, size_t why_size)
{
	struct conf_lac *at = find(c, name);

	if (!at) {
		snprintf(why, why_size, "no lac: there is no lac '%.40s'", name);
		return -1;
	}
	*at = c->lacs[--c->n_lacs];
	c->lacs[c->n_lacs] = (struct conf_lac){ 0 };
	return 0;
}

bool
config_lac_equal(const struct config *a, const struct config *b)
{
	return a->n_lacs == b->n_lacs && memcmp(a->lacs, b->lacs, sizeof(a->lacs)) == 0;
}

void
config_lac_copy(struct config *to, const struct config *from)
{
	memcpy(to->lacs, from->lacs, sizeof(to->lacs));
	to->n_lacs = from->n_lacs;
}

void
config_lac_print(const struct conf_lac *lac, bool secrets, char *line, size_t size)
{
	char name[ITEM_TEXT], secret[ITEM_TEXT], limit[32] = "";

	item_quote(lac->name, name, sizeof(name));
	item_quote(lac->secret, secret, sizeof(secret));
	if (lac->max_sessions)
		snprintf(limit, sizeof(limit), " max-sessions %u", lac->max_sessions);
	if (secrets)
		snprintf(line, size, "lac %s secret %s%s", name, secret, limit);
	else
		snprintf(line, size, "# lac %s secret ****%s", name, limit);
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
