/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record of each prefix. By its state it hangs in one of the lists of its family, at
 * the end of which it comes at each change:
 *
 *	announced	wanted, and not inside a network that is announced as a whole
 *	withdrawn	not wanted any more, and some reader has not passed it yet
 *	hidden		wanted, but inside such a network
 *
 * A reader has a marker in each of the first two: what stands behind it he does not know
 * yet. Reading is moving the marker; a new change is behind every marker by itself. A
 * withdrawn record is freed when no marker stands in front of it, so the head of that
 * list is looked at when a marker moves. When there is no room, he whose marker is
 * nearest to the head is told to go.
 *
 * The markers are records too, the first of the table. Owns the table, in memory that
 * children do not have. Called by addr.c, bgp.c and bgp_tell.c.
 */
#include "bgp_route.h"
#include "counter.h"
#include "hash.h"
#include "idset.h"
#include "ll.h"
#include "log.h"
#include "shm.h"
#include "util.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
	MARKERS = BGP_READERS * BGP_AFIS * BGP_LISTS,
	SHORTEST = 8,
	COLLECT = 64,
	UNCOVER = 4096, /* a turn: a millisecond or two */
	LISTS = BGP_LISTS + 1
};
enum { HIDDEN = BGP_LISTS, NOWHERE };

struct record {
	struct id_link link;
	struct bgp_prefix prefix;
	uint16_t wanted; /* by so many */
	uint16_t whole;	 /* so many of them as a whole */
	uint8_t list;	 /* enum bgp_list, HIDDEN, NOWHERE */
};

static struct record *records;
static struct idset ids; /* 1 is record MARKERS + 1 */
static struct hash by_prefix;
static struct id_list lists[BGP_AFIS][LISTS];
static uint32_t n_announced[BGP_AFIS];
static uint32_t n_whole[BGP_AFIS][129]; /* by length: most have none, and need no look */
static uint32_t to_uncover[BGP_AFIS];	/* so many of the hidden may be covered no longer */
static uint64_t changes;
static bool reading[BGP_READERS][BGP_AFIS];
static void (*on_full)(unsigned int reader);

static struct id_link *
link_of(uint32_t id)
{
	return &records[id].link;
}

static uint32_t
marker(unsigned int reader, enum bgp_afi afi, enum bgp_list list)
{
	return 1 + (reader * BGP_AFIS + afi) * BGP_LISTS + list;
}

static bool
is_marker(uint32_t id)
{
	return id <= MARKERS;
}

void
bgp_route_init(uint32_t routes)
{
	uint32_t id;

	records = shm_map_parent("BGP routes", (MARKERS + routes + (size_t)1) * sizeof(*records));
	idset_init(&ids, "BGP route ids", routes);
	hash_init(&by_prefix, "BGP routes by prefix", routes);
	for (id = 1; id <= MARKERS; id++)
		records[id].list = NOWHERE;
}

void
bgp_route_on_full(void (*fn)(unsigned int reader))
{
	on_full = fn;
}

/* ---- lists ---- */

static void
leave_list(uint32_t id)
{
	struct record *r = &records[id];

	if (r->list == NOWHERE)
		return;
	ll_remove(&lists[r->prefix.afi][r->list], id, link_of);
	if (r->list == BGP_ANNOUNCED && !is_marker(id))
		n_announced[r->prefix.afi]--;
	r->list = NOWHERE;
}

static void
join_list(uint32_t id, uint8_t list)
{
	struct record *r = &records[id];

	ll_append(&lists[r->prefix.afi][list], id, link_of);
	if (list == BGP_ANNOUNCED && !is_marker(id))
		n_announced[r->prefix.afi]++;
	r->list = list;
}

/* The first record behind a marker; other readers' markers are stepped over. */
static uint32_t
behind(uint32_t id)
{
	do
		id = records[id].link.next;
	while (id && is_marker(id));
	return id;
}

/* ---- records ---- */

static uint64_t
key(const struct bgp_prefix *p)
{
	char text[INET6_ADDRSTRLEN + 8];
	uint32_t addr;

	if (p->afi == BGP_IP4) {
		memcpy(&addr, p->addr, sizeof(addr));
		return (uint64_t)p->len << 32 | addr;
	}
	inet_ntop(AF_INET6, p->addr, text, INET6_ADDRSTRLEN);
	snprintf(text + strlen(text), 8, "/%u", p->len);
	return hash_text(text) | UINT64_C(1) << 63; /* IPv4 has no such keys */
}

static bool
equal(const struct bgp_prefix *a, const struct bgp_prefix *b)
{
	return a->afi == b->afi && a->len == b->len &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static uint32_t
find(const struct bgp_prefix *p)
{
	uint32_t id = hash_get(&by_prefix, key(p));

	return id && equal(&records[id].prefix, p) ? id : 0;
}

static void
forget(uint32_t id)
{
	leave_list(id);
	hash_del(&by_prefix, key(&records[id].prefix));
	records[id] = (struct record){ 0 };
	idset_give(&ids, id - MARKERS);
}

/*
 * Frees what all have passed, a few at each change: one who held back everything may leave
 * the whole table to be freed. How many it was.
 */
static unsigned int
collect(enum bgp_afi afi)
{
	unsigned int n;
	uint32_t id;

	for (n = 0; n < COLLECT; n++) {
		id = lists[afi][BGP_WITHDRAWN].head;
		if (!id || is_marker(id))
			break;
		forget(id);
	}
	return n;
}

/* Whoever holds the oldest withdrawn route; -1: nobody. */
static int
slowest(void)
{
	uint32_t id;
	int afi;

	for (afi = 0; afi < BGP_AFIS; afi++) {
		id = lists[afi][BGP_WITHDRAWN].head;
		if (id && behind(id))
			return (int)((id - 1) / (BGP_AFIS * BGP_LISTS));
	}
	return -1;
}

/* Makes room, at need by sending the slowest reader away. */
static bool
make_room(void)
{
	int reader;

	if (collect(BGP_IP4) + collect(BGP_IP6) > 0)
		return true;
	reader = slowest();
	if (!on_full || reader < 0)
		return false;
	on_full((unsigned int)reader);
	return true;
}

static uint32_t
take_id(void)
{
	uint32_t id;

	do
		id = idset_take(&ids);
	while (!id && make_room());
	return id ? id + MARKERS : 0;
}

static uint32_t
record_of(const struct bgp_prefix *p)
{
	uint64_t k = key(p);
	uint32_t id = hash_get(&by_prefix, k);

	if (id)
		return equal(&records[id].prefix, p) ? id : 0;
	id = take_id();
	if (!id)
		return 0;
	records[id] = (struct record){ .prefix = *p, .list = NOWHERE };
	hash_put(&by_prefix, k, id);
	return id;
}

/* ---- what is announced ---- */

static void
clear_bits(struct bgp_prefix *p, unsigned int len)
{
	unsigned int i;

	p->len = (uint8_t)len;
	for (i = 0; i < sizeof(p->addr); i++)
		if (8 * i >= len)
			p->addr[i] = 0;
		else if (8 * i + 8 > len)
			p->addr[i] &= (uint8_t)(0xff << (8 * i + 8 - len));
}

/* Whether a shorter one is announced as a whole. */
static bool
is_covered(const struct bgp_prefix *p)
{
	struct bgp_prefix up = *p;
	unsigned int len;
	uint32_t id;

	for (len = p->len; len-- > SHORTEST;) {
		if (n_whole[p->afi][len] == 0)
			continue;
		clear_bits(&up, len);
		id = find(&up);
		if (id && records[id].whole > 0)
			return true;
	}
	return false;
}

/* Hidden is what no neighbour has heard of: one who has must be told of its end. */
static bool
may_hide(const struct record *r)
{
	return (r->list == NOWHERE || r->list == HIDDEN) && r->whole == 0 && is_covered(&r->prefix);
}

/* Puts a record where it belongs by now. */
static void
place(uint32_t id)
{
	struct record *r = &records[id];
	uint8_t list = BGP_WITHDRAWN;

	if (r->wanted > 0)
		list = may_hide(r) ? HIDDEN : BGP_ANNOUNCED;
	if (list == r->list)
		return;
	if (r->list == BGP_ANNOUNCED || list == BGP_ANNOUNCED)
		changes++;
	if (list == BGP_WITHDRAWN && r->list == HIDDEN) {
		forget(id);
		return;
	}
	leave_list(id);
	join_list(id, list);
	if (list == BGP_WITHDRAWN)
		collect(r->prefix.afi);
}

static void
count_whole(struct record *r, int n)
{
	uint8_t afi = r->prefix.afi;

	r->whole = (uint16_t)(r->whole + n);
	n_whole[afi][r->prefix.len] += (uint32_t)n;
	if (n < 0 && r->whole == 0)
		to_uncover[afi] = lists[afi][HIDDEN].count;
}

void
bgp_route_add(const struct bgp_prefix *p, bool whole)
{
	uint32_t id = record_of(p);

	if (!id) {
		COUNT(bgp_routes_full);
		plog_limit(LOG_ERROR, "bgp: no room for one more route");
		return;
	}
	records[id].wanted++;
	count_whole(&records[id], whole ? 1 : 0);
	place(id);
}

void
bgp_route_del(const struct bgp_prefix *p, bool whole)
{
	uint32_t id = find(p);

	if (!id || records[id].wanted == 0)
		return;
	records[id].wanted--;
	count_whole(&records[id], whole && records[id].whole > 0 ? -1 : 0);
	place(id);
}

static struct bgp_prefix
prefix4(uint32_t addr, unsigned int len)
{
	struct bgp_prefix p = { .afi = BGP_IP4, .len = (uint8_t)len };

	memcpy(p.addr, &addr, sizeof(addr));
	return p;
}

void
bgp_route_add4(uint32_t addr, unsigned int len, bool whole)
{
	struct bgp_prefix p = prefix4(addr, len);

	bgp_route_add(&p, whole);
}

void
bgp_route_del4(uint32_t addr, unsigned int len, bool whole)
{
	struct bgp_prefix p = prefix4(addr, len);

	bgp_route_del(&p, whole);
}

/* The first of the hidden comes out, or goes behind all others. */
static void
look_again(enum bgp_afi afi)
{
	uint32_t id = lists[afi][HIDDEN].head;

	if (!id)
		return;
	leave_list(id);
	place(id);
}

bool
bgp_route_uncover(void)
{
	unsigned int n = 0;
	int afi;

	for (afi = 0; afi < BGP_AFIS; afi++)
		for (; n < UNCOVER && to_uncover[afi] > 0; n++, to_uncover[afi]--)
			look_again(afi);
	return to_uncover[BGP_IP4] > 0 || to_uncover[BGP_IP6] > 0;
}

uint32_t
bgp_route_count(enum bgp_afi afi)
{
	return n_announced[afi];
}

uint64_t
bgp_route_changes(void)
{
	return changes;
}

/* ---- readers ---- */

static void
put_marker(uint32_t id, enum bgp_afi afi, enum bgp_list list)
{
	leave_list(id);
	records[id].prefix.afi = (uint8_t)afi;
	join_list(id, (uint8_t)list);
}

/* In front of all. */
static void
rewind_marker(uint32_t id, enum bgp_afi afi, enum bgp_list list)
{
	struct id_list *l = &lists[afi][list];

	leave_list(id);
	records[id].prefix.afi = (uint8_t)afi;
	records[id].list = (uint8_t)list;
	ll_insert(l, id, 0, link_of);
}

void
bgp_reader_start(unsigned int reader, enum bgp_afi afi)
{
	reading[reader][afi] = true;
	put_marker(marker(reader, afi, BGP_WITHDRAWN), afi, BGP_WITHDRAWN);
	rewind_marker(marker(reader, afi, BGP_ANNOUNCED), afi, BGP_ANNOUNCED);
	collect(afi);
}

void
bgp_reader_again(unsigned int reader, enum bgp_afi afi)
{
	if (reading[reader][afi])
		rewind_marker(marker(reader, afi, BGP_ANNOUNCED), afi, BGP_ANNOUNCED);
	else
		bgp_reader_start(reader, afi);
}

void
bgp_reader_stop(unsigned int reader, enum bgp_afi afi)
{
	if (!reading[reader][afi])
		return;
	reading[reader][afi] = false;
	leave_list(marker(reader, afi, BGP_WITHDRAWN));
	leave_list(marker(reader, afi, BGP_ANNOUNCED));
	collect(afi);
}

bool
bgp_reader_peek(unsigned int reader, enum bgp_afi afi, enum bgp_list list, struct bgp_prefix *p)
{
	uint32_t id = reading[reader][afi] ? behind(marker(reader, afi, list)) : 0;

	if (id)
		*p = records[id].prefix;
	return id != 0;
}

void
bgp_reader_take(unsigned int reader, enum bgp_afi afi, enum bgp_list list)
{
	uint32_t m = marker(reader, afi, list), id = behind(m);
	struct id_list *l = &lists[afi][list];

	if (!id)
		return;
	ll_remove(l, m, link_of);
	ll_insert(l, m, id, link_of);
	if (list == BGP_WITHDRAWN)
		collect(afi);
}
