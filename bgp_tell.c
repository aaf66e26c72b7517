/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns routes into UPDATEs for one neighbour. Of each family he is in one of three modes:
 * nothing is told to him; routes are announced, the changes as they come; or all is being
 * withdrawn, once. To tell all again, or to withdraw all, is to put his marker in
 * front of the list. One message a call, withdrawals first, as many routes as fit.
 *
 * The owner of the struct is bgp_peer.c, its caller.
 */
#include "bgp_tell.h"
#include "counter.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MED = 1 };

#define NO_EXPORT UINT32_C(0xffffff01) /* RFC 1997 */

enum mode { QUIET, ANNOUNCING, WITHDRAWING };

/* ---- attributes ---- */

static bool
parse_community(const char *word, uint32_t *value)
{
	static const struct {
		const char *name;
		uint32_t value;
	} names[] = { { "no-export", NO_EXPORT }, { "no-advertise", UINT32_C(0xffffff02) },
		{ "no-export-subconfed", UINT32_C(0xffffff03) },
		{ "no-peer", UINT32_C(0xffffff04) } };
	const char *colon = strchr(word, ':');
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, word) == 0) {
			*value = names[i].value;
			return true;
		}
	if (strcmp(word, "none") == 0)
		return false;
	*value = (uint32_t)strtoul(word, NULL, 10);
	if (colon)
		*value = *value << 16 | (uint32_t)strtoul(colon + 1, NULL, 10);
	return true;
}

static void
fill_communities(struct bgp_attrs *a, const struct conf_peer *c)
{
	char list[sizeof(c->community)], *rest = list, *word;

	a->n_communities = 0;
	if (!c->has_community) {
		a->communities[a->n_communities++] = NO_EXPORT;
		return;
	}
	str_copy(list, sizeof(list), c->community);
	while ((word = strsep(&rest, " ")) && a->n_communities < BGP_COMMUNITIES)
		if (parse_community(word, &a->communities[a->n_communities]))
			a->n_communities++;
}

void
bgp_tell_attrs(
    struct bgp_attrs *a, const struct conf_peer *c, const struct sockaddr *own, uint32_t next_hop)
{
	struct sockaddr_in6 in6 = { 0 };

	if (own->sa_family == AF_INET6)
		memcpy(&in6, own, sizeof(in6));
	a->med = c->has_med ? c->med : DEFAULT_MED;
	fill_communities(a, c);
	a->next_hop = conf->nexthop_address ? conf->nexthop_address : next_hop;
	a->next_hop6 = conf->nexthop6_address;
	if (IN6_IS_ADDR_UNSPECIFIED(&a->next_hop6))
		a->next_hop6 = in6.sin6_addr;
}

/* ---- what is to be told ---- */

void
bgp_tell_begin(struct bgp_tell *t, const struct bgp_open *his)
{
	int afi;

	t->sent = t->withdrawn = t->updates = 0;
	for (afi = 0; afi < BGP_AFIS; afi++) {
		t->speaks[afi] = his->afi[afi];
		t->mode[afi] = QUIET;
		t->end_of_rib[afi] = his->afi[afi] && his->restart; /* RFC 4724 2 */
	}
}

void
bgp_tell_end(struct bgp_tell *t)
{
	int afi;

	for (afi = 0; afi < BGP_AFIS; afi++) {
		bgp_reader_stop(t->reader, afi);
		t->mode[afi] = QUIET;
		t->speaks[afi] = t->end_of_rib[afi] = false;
	}
}

/* There must be a next hop for the family. */
static bool
may_announce(const struct bgp_tell *t, enum bgp_afi afi)
{
	return t->speaks[afi] && (afi == BGP_IP4 || !IN6_IS_ADDR_UNSPECIFIED(&t->attrs.next_hop6));
}

static enum mode
wanted_mode(const struct bgp_tell *t, enum bgp_afi afi, bool announce)
{
	if (announce && may_announce(t, afi))
		return ANNOUNCING;
	return t->mode[afi] == ANNOUNCING ? WITHDRAWING : t->mode[afi];
}

void
bgp_tell_set(struct bgp_tell *t, bool announce)
{
	int afi;

	for (afi = 0; afi < BGP_AFIS; afi++) {
		enum mode mode = wanted_mode(t, afi, announce);

		if (mode == t->mode[afi])
			continue;
		t->mode[afi] = (uint8_t)mode;
		bgp_reader_again(t->reader, afi);
	}
}

void
bgp_tell_again(struct bgp_tell *t, enum bgp_afi afi)
{
	if (t->mode[afi] == ANNOUNCING)
		bgp_reader_again(t->reader, afi);
}

bool
bgp_tell_announces(const struct bgp_tell *t)
{
	return t->mode[BGP_IP4] == ANNOUNCING || t->mode[BGP_IP6] == ANNOUNCING;
}

bool
bgp_tell_waits(const struct bgp_tell *t)
{
	struct bgp_prefix unused;
	int afi;

	for (afi = 0; afi < BGP_AFIS; afi++)
		if (t->end_of_rib[afi] || t->mode[afi] == WITHDRAWING ||
		    bgp_reader_peek(t->reader, afi, BGP_WITHDRAWN, &unused) ||
		    bgp_reader_peek(t->reader, afi, BGP_ANNOUNCED, &unused))
			return true;
	return false;
}

/* ---- messages ---- */

/* An UPDATE of what comes next in a list; 0: nothing does. */
static size_t
put_batch(struct bgp_tell *t, uint8_t *buf, enum bgp_afi afi, enum bgp_list list)
{
	bool announce = list == BGP_ANNOUNCED && t->mode[afi] == ANNOUNCING;
	struct bgp_prefix prefix;
	struct bgp_batch b;
	unsigned int n = 0;

	if (!bgp_reader_peek(t->reader, afi, list, &prefix))
		return 0;
	bgp_batch_begin(&b, buf, afi, announce ? &t->attrs : NULL);
	while (bgp_reader_peek(t->reader, afi, list, &prefix) && bgp_batch_add(&b, &prefix)) {
		bgp_reader_take(t->reader, afi, list);
		n++;
	}
	*(announce ? &t->sent : &t->withdrawn) += n;
	t->updates++;
	COUNT(bgp_updates_sent);
	COUNT_ADD(bgp_routes_sent, n);
	return bgp_batch_end(&b);
}

static size_t
tell_family(struct bgp_tell *t, uint8_t *buf, enum bgp_afi afi)
{
	size_t len = put_batch(t, buf, afi, BGP_WITHDRAWN);

	if (!len)
		len = put_batch(t, buf, afi, BGP_ANNOUNCED);
	if (len)
		return len;
	if (t->mode[afi] == WITHDRAWING) {
		t->mode[afi] = QUIET;
		bgp_reader_stop(t->reader, afi);
	}
	if (!t->end_of_rib[afi])
		return 0;
	t->end_of_rib[afi] = false;
	return bgp_put_end_of_rib(buf, afi);
}

size_t
bgp_tell_next(struct bgp_tell *t, uint8_t *buf)
{
	size_t len = 0;
	int afi;

	for (afi = 0; afi < BGP_AFIS && !len; afi++)
		len = tell_family(t, buf, afi);
	return len;
}
