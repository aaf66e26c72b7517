/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP as configuration (SPEC 14): one `router bgp AS` and up to 64 neighbours, each by
 * name or by IPv4 or IPv6 address.
 *
 *	neighbour PEER remote-as AS [timers ...]
 *	neighbour PEER timers KEEPALIVE HOLD | update-source IP | password SECRET
 *	neighbour PEER med N | community LIST
 *
 * Several of these may stand in one line. The first line about a peer gives its
 * remote-as. AS numbers have four octets (RFC 6793) and may be written as asdot
 * (RFC 5396): 1.10. They print as plain numbers. A community is AS:N, a number, or one
 * of the names of RFC 1997 and RFC 3765; `community none` sends none.
 */
#include "config_bgp.h"
#include "config_item.h"
#include "util.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_TIMER = 65535, LEAST_HOLD = 3, MAX_PART = 65535 };

const char *const config_bgp_words[] = { "neighbour", "neighbor", NULL };

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-.";

/* An IPv6 address is written in many ways, a host name in large or small letters. */
static bool
same_name(const char *a, const char *b)
{
	struct in6_addr one, other;

	if (inet_pton(AF_INET6, a, &one) == 1 && inet_pton(AF_INET6, b, &other) == 1)
		return IN6_ARE_ADDR_EQUAL(&one, &other);
	return strcasecmp(a, b) == 0;
}

static unsigned int
find(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n_peers; i++)
		if (same_name(c->peers[i].name, name))
			break;
	return i;
}

/* Two 16-bit numbers with `dot` between them. */
static bool
parse_pair(const char *text, char dot, uint32_t *value)
{
	const char *second = strchr(text, dot);
	char first[8];
	uint64_t high, low;

	if (!second || !str_copy_n(first, sizeof(first), text, (size_t)(second - text)) ||
	    !parse_uint(first, 0, MAX_PART, &high) || !parse_uint(second + 1, 0, MAX_PART, &low))
		return false;
	*value = (uint32_t)(high << 16 | low);
	return true;
}

static int
read_as(const struct conf_words *w, const char *text, uint32_t *as)
{
	uint64_t v;

	if (parse_uint(text, 1, UINT32_MAX, &v)) {
		*as = (uint32_t)v;
		return 0;
	}
	if (parse_pair(text, '.', as) && *as)
		return 0;
	return conf_refuse(w, "bgp: '%.40s' is not an AS number", text);
}

int
config_bgp_take(struct config *c, const struct conf_words *w)
{
	uint32_t as;

	if (w->argc != 3)
		return conf_refuse(w, "expected: router bgp AS");
	if (read_as(w, w->argv[2], &as) < 0)
		return -1;
	if (c->bgp_as && c->bgp_as != as)
		return conf_refuse(
		    w, "router bgp: AS %u is there; no router bgp %u first", c->bgp_as, c->bgp_as);
	c->bgp_as = as;
	w->mode->place = CONFIG_BGP;
	return 0;
}

int
config_bgp_undo(struct config *c, const struct conf_words *w)
{
	uint32_t as = c->bgp_as;

	if (w->argc > 4)
		return conf_refuse(w, "expected: no router bgp [AS]");
	if (w->argc == 4 && read_as(w, w->argv[3], &as) < 0)
		return -1;
	if (!c->bgp_as || as != c->bgp_as)
		return conf_refuse(w, "no router bgp: there is none");
	c->bgp_as = c->n_peers = 0;
	memset(c->peers, 0, sizeof(c->peers));
	return 0;
}

/* ---- a neighbour's line ---- */

/* The words of one from `at` on: the option's, then its values. */
struct option {
	const struct conf_words *w;
	int at;
	struct conf_peer *peer;
};

static const char *
value(const struct option *o, int i)
{
	return o->at + i < o->w->argc ? o->w->argv[o->at + i] : "";
}

static bool
is_address(const char *text)
{
	struct in6_addr addr;
	uint32_t ip;

	return ip4_parse(text, &ip) || inet_pton(AF_INET6, text, &addr) == 1;
}

/* Each takes its values; how many words they were with its own, -1: refused. */
static int
take_remote_as(const struct option *o)
{
	return read_as(o->w, value(o, 1), &o->peer->as) < 0 ? -1 : 2;
}

static int
take_timers(const struct option *o)
{
	uint64_t keepalive, hold;

	if (!parse_uint(value(o, 1), 0, MAX_TIMER, &keepalive) ||
	    !parse_uint(value(o, 2), 0, MAX_TIMER, &hold))
		return conf_refuse(o->w, "neighbour: timers are seconds, 0..%d", MAX_TIMER);
	if ((hold && hold < LEAST_HOLD) || (hold && !keepalive)) /* RFC 4271 4.2 */
		return conf_refuse(
		    o->w, "neighbour: HOLD is 0 or at least %d, with a KEEPALIVE", LEAST_HOLD);
	o->peer->has_timers = true;
	o->peer->keepalive = (unsigned int)keepalive;
	o->peer->hold = (unsigned int)hold;
	return 3;
}

static int
take_source(const struct option *o)
{
	if (!is_address(value(o, 1)))
		return conf_refuse(
		    o->w, "neighbour: update-source '%.40s' is not an address", value(o, 1));
	memset(o->peer->update_source, 0, sizeof(o->peer->update_source));
	str_copy(o->peer->update_source, sizeof(o->peer->update_source), value(o, 1));
	return 2;
}

static int
take_password(const struct option *o)
{
	if (o->at + 1 >= o->w->argc || strlen(value(o, 1)) >= sizeof(o->peer->password))
		return conf_refuse(o->w, "neighbour: a password has at most %zu characters",
		    sizeof(o->peer->password) - 1);
	memset(o->peer->password, 0, sizeof(o->peer->password));
	str_copy(o->peer->password, sizeof(o->peer->password), value(o, 1));
	return 2;
}

static int
take_med(const struct option *o)
{
	uint64_t med;

	if (!parse_uint(value(o, 1), 0, UINT32_MAX, &med))
		return conf_refuse(o->w, "neighbour: med '%.40s' is not a number", value(o, 1));
	o->peer->has_med = true;
	o->peer->med = (uint32_t)med;
	return 2;
}

static bool
is_community(const char *text)
{
	static const char *const names[] = { "none", "no-export", "no-advertise",
		"no-export-subconfed", "no-peer" };
	uint64_t number;
	uint32_t pair;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], text) == 0)
			return true;
	return parse_pair(text, ':', &pair) || parse_uint(text, 0, UINT32_MAX, &number);
}

/* All words that are communities; commas do for blanks. */
static int
take_community(const struct option *o)
{
	char list[sizeof(o->peer->community)] = "", word[32];
	size_t len = 0;
	int n;

	for (n = 1; o->at + n < o->w->argc; n++) {
		const char *pos = value(o, n);

		if (n > 1 && !is_community(pos) && !strchr(pos, ','))
			break; /* the next option */
		while (pos[strspn(pos, ", ")]) {
			if (!item_list_next(&pos, word, sizeof(word)) || !is_community(word))
				return conf_refuse(
				    o->w, "neighbour: '%.40s' is not a community", value(o, n));
			len += (size_t)snprintf(
			    list + len, sizeof(list) - len, "%s%s", len ? " " : "", word);
			if (len >= sizeof(list))
				return conf_refuse(o->w, "neighbour: too many communities");
		}
	}
	if (list[0] == '\0')
		return conf_refuse(o->w, "neighbour: community: which? (AS:N, no-export, none)");
	o->peer->has_community = true;
	memset(o->peer->community, 0, sizeof(o->peer->community));
	str_copy(o->peer->community, sizeof(o->peer->community), list);
	return n;
}

static const struct {
	const char *word;
	int (*take)(const struct option *o);
} options[] = {
	{ "community", take_community },
	{ "med", take_med },
	{ "password", take_password },
	{ "remote-as", take_remote_as },
	{ "timers", take_timers },
	{ "update-source", take_source },
};

static int
read_options(const struct conf_words *w, struct conf_peer *peer)
{
	struct option o = { .w = w, .at = 2, .peer = peer };
	size_t i;
	int n;

	while (o.at < w->argc) {
		for (i = 0; i < ARRAY_LEN(options); i++)
			if (strcmp(w->argv[o.at], options[i].word) == 0)
				break;
		if (i == ARRAY_LEN(options))
			return conf_refuse(w, "neighbour: '%.40s' was not expected", w->argv[o.at]);
		n = options[i].take(&o);
		if (n < 0)
			return -1;
		o.at += n;
	}
	return 0;
}

/* A link-local address has its interface behind it: fe80::1%eth0 (RFC 4007 11). */
static bool
is_zoned(const char *name)
{
	char addr[INET6_ADDRSTRLEN];
	size_t len = strcspn(name, "%");
	struct in6_addr in6;

	return str_copy_n(addr, sizeof(addr), name, len) && inet_pton(AF_INET6, addr, &in6) == 1 &&
	       IN6_IS_ADDR_LINKLOCAL(&in6) && name[len] && name[len + 1] &&
	       strlen(name + len + 1) < IF_NAMESIZE &&
	       !name[len + 1 + strspn(name + len + 1, name_chars)];
}

static bool
needs_zone(const char *name)
{
	struct in6_addr in6;

	return inet_pton(AF_INET6, name, &in6) == 1 && IN6_IS_ADDR_LINKLOCAL(&in6);
}

static bool
is_name(const char *name)
{
	return name[0] && strlen(name) < HOSTNAME_LEN &&
	       (is_address(name) || is_zoned(name) || !name[strspn(name, name_chars)]);
}

/* Addresses of two families do not connect. */
static bool
other_family(const struct conf_peer *peer)
{
	bool is_address_4 = strspn(peer->name, "0123456789.") == strlen(peer->name);
	bool is_address_6 = strchr(peer->name, ':') != NULL;
	bool source_6 = strchr(peer->update_source, ':') != NULL;

	return peer->update_source[0] &&
	       ((is_address_4 && source_6) || (is_address_6 && !source_6));
}

static int
take_peer(struct config *c, const struct conf_words *w)
{
	const char *name = w->argc > 2 ? w->argv[1] : "";
	unsigned int i = find(c, name);
	struct conf_peer peer = { 0 };

	if (!is_name(name))
		return conf_refuse(w, "expected: neighbour PEER remote-as AS");
	if (needs_zone(name))
		return conf_refuse(
		    w, "neighbour %.64s: on which interface? (%.64s%%eth0)", name, name);
	if (i == CONF_PEERS)
		return conf_refuse(w, "neighbour: there may be %d at most", CONF_PEERS);
	if (i < c->n_peers)
		peer = c->peers[i];
	else
		str_copy(peer.name, sizeof(peer.name), name);
	if (read_options(w, &peer) < 0)
		return -1;
	if (peer.as == 0)
		return conf_refuse(w, "neighbour %.64s: its remote-as comes first", name);
	if (other_family(&peer))
		return conf_refuse(w, "neighbour %.64s: update-source %.40s is of another family",
		    name, peer.update_source);
	c->peers[i] = peer;
	c->n_peers = MAX(c->n_peers, i + 1);
	return 0;
}

static int
undo_peer(struct config *c, const struct conf_words *w)
{
	unsigned int i = w->argc == 3 ? find(c, w->argv[2]) : c->n_peers;

	if (w->argc != 3)
		return conf_refuse(w, "expected: no neighbour PEER");
	if (i == c->n_peers)
		return conf_refuse(w, "no neighbour: there is no %.64s", w->argv[2]);
	c->n_peers--;
	memmove(&c->peers[i], &c->peers[i + 1], (c->n_peers - i) * sizeof(c->peers[0]));
	memset(&c->peers[c->n_peers], 0, sizeof(c->peers[0]));
	return 0;
}

int
config_bgp_inner(struct config *c, const struct conf_words *w)
{
	if (!c->bgp_as)
		return conf_refuse(w, "there is no router bgp any more");
	return strcmp(w->argv[0], "no") == 0 ? undo_peer(c, w) : take_peer(c, w);
}

/* ---- printing ---- */

unsigned int
config_bgp_count(const struct config *c)
{
	return c->bgp_as ? 1 + c->n_peers : 0;
}

void
config_bgp_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	if (i == 0)
		snprintf(text, size, "router bgp %u", c->bgp_as);
	else
		snprintf(text, size, "neighbour %s", c->peers[i - 1].name);
}

void
config_bgp_print(const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	const struct conf_peer *p = &c->peers[i ? i - 1 : 0];

	if (i == 0) {
		family_line(out, arg, "router bgp %u", c->bgp_as);
		return;
	}
	family_line(out, arg, " neighbour %s remote-as %u", p->name, p->as);
	if (p->has_timers)
		family_line(out, arg, " neighbour %s timers %u %u", p->name, p->keepalive, p->hold);
	if (p->update_source[0])
		family_line(out, arg, " neighbour %s update-source %s", p->name, p->update_source);
	if (p->password[0])
		family_line(out, arg, "%sneighbour %s password %s", secrets ? " " : "# ", p->name,
		    family_secret(p->password, secrets));
	if (p->has_med)
		family_line(out, arg, " neighbour %s med %u", p->name, p->med);
	if (p->has_community)
		family_line(out, arg, " neighbour %s community %s", p->name, p->community);
}
