// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The codec of BGP-4's UPDATE: RFC 4271 4.3 and 5 (its attributes) and 6.3 (what is wrong with it),
 * RFC 4760 (IPv6), RFC 6793 (four-octet AS numbers), RFC 1997 (communities), RFC 7606 (bad ones
 * that do not end a connection).
 *
 * Reading finds out whether the form is right and nothing else: nothing that is learnt is used.
 * Where RFC 7606 lets the routes count as withdrawn there is nothing to do, and the connection
 * stays; it ends when the routes themselves cannot be told from the rest, or a well-known attribute
 * is none.
 *
 * Writing: MP_REACH_NLRI and MP_UNREACH_NLRI stand first (RFC 7606 5.1), so of IPv6 the
 * other attributes are kept until the routes are there.
 *
 * Called by bgp_input.c and bgp_tell.c.
 */
#include "bgpupdate.h"
#include "util.h"

enum { LOCAL_PREF = 100 };
enum { FLAG_OPTIONAL = 0x80, FLAG_TRANSITIVE = 0x40, FLAG_LONG = 0x10 };
enum { AS_SET = 1, AS_SEQUENCE = 2 };
enum {
	ATTR_ORIGIN = 1,
	ATTR_AS_PATH,
	ATTR_NEXT_HOP,
	ATTR_MED,
	ATTR_LOCAL_PREF,
	ATTR_ATOMIC,
	ATTR_AGGREGATOR,
	ATTR_COMMUNITIES,
	ATTR_MP_REACH = 14,
	ATTR_MP_UNREACH = 15,
	ATTR_AS4_PATH = 17,
};

/* ---- reading ---- */

/* Each prefix fits and has no more bits than an address. */
static bool
good_prefixes(struct rd *r, unsigned int most)
{
	while (rd_left(r)) {
		unsigned int bits = rd_u8(r);

		if (bits > most)
			return false;
		rd_skip(r, (bits + 7) / 8);
	}
	return !r->bad;
}

/* RFC 4271 4.3 b: segments of AS numbers. */
static bool
good_path(struct rd *r, bool as4)
{
	while (rd_left(r)) {
		uint8_t type = rd_u8(r), n = rd_u8(r);

		if (type < AS_SET || type > 4 || n == 0) /* 3, 4: RFC 5065 */
			return false;
		rd_skip(r, (size_t)n * (as4 ? 4 : 2));
	}
	return !r->bad;
}

/* MP_REACH_NLRI and MP_UNREACH_NLRI of a family that is not ours are passed over. */
static bool
good_mp(struct rd *r, bool reach)
{
	uint16_t wire = rd_u16(r);
	uint8_t hop, safi = rd_u8(r);
	enum bgp_afi afi;

	if (r->bad)
		return false;
	if (!bgp_known_afi(wire, safi, &afi))
		return true;
	if (reach) {
		hop = rd_u8(r);
		if (afi == BGP_IP6 ? hop != 16 && hop != 32 : hop != 4 && hop != 16 && hop != 32)
			return false;
		rd_skip(r, (size_t)hop + 1);
	}
	return good_prefixes(r, afi == BGP_IP6 ? 128 : 32);
}

/* An attribute, and how it was found. */
struct attr {
	uint8_t flags, type;
	struct rd value;
	const uint8_t *at; /* the whole of it */
	size_t size;
};

static bool
next_attr(struct rd *r, struct attr *a)
{
	a->at = r->pos;
	a->flags = rd_u8(r);
	a->type = rd_u8(r);
	a->value = rd_sub(r, a->flags & FLAG_LONG ? rd_u16(r) : rd_u8(r));
	a->size = (size_t)(r->pos - a->at);
	return !a->value.bad;
}

/* Flags and length of those RFC 4271 5 and RFC 1997 know; len -1: any. */
static const struct {
	uint8_t flags;
	int len;
} known[] = {
	[ATTR_ORIGIN] = { FLAG_TRANSITIVE, 1 },
	[ATTR_AS_PATH] = { FLAG_TRANSITIVE, -1 },
	[ATTR_NEXT_HOP] = { FLAG_TRANSITIVE, 4 },
	[ATTR_MED] = { FLAG_OPTIONAL, 4 },
	[ATTR_LOCAL_PREF] = { FLAG_TRANSITIVE, 4 },
	[ATTR_ATOMIC] = { FLAG_TRANSITIVE, 0 },
	[ATTR_AGGREGATOR] = { FLAG_OPTIONAL | FLAG_TRANSITIVE, -1 },
	[ATTR_COMMUNITIES] = { FLAG_OPTIONAL | FLAG_TRANSITIVE, -1 },
};

static bool
good_attr(struct attr *a, bool as4)
{
	size_t len = rd_left(&a->value);

	if (a->type >= ARRAY_LEN(known) || a->type == 0)
		return true;
	if ((a->flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE)) != known[a->type].flags)
		return false;
	if (known[a->type].len >= 0 && len != (size_t)known[a->type].len)
		return false;
	switch (a->type) {
	case ATTR_ORIGIN:
		return rd_u8(&a->value) <= 2;
	case ATTR_AS_PATH:
		return good_path(&a->value, as4);
	case ATTR_AGGREGATOR:
		return len == (as4 ? 8 : 6);
	case ATTR_COMMUNITIES:
		return len % 4 == 0 && len > 0;
	}
	return true;
}

/* The attributes: 0 good, 1 bad, -1 the end. `seen` has a bit for each of them. */
static int
check_attrs(struct rd r, bool as4, uint32_t *seen, struct bgp_error *e)
{
	struct attr a;
	int result = 0;

	while (rd_left(&r)) {
		if (!next_attr(&r, &a))
			return 1; /* RFC 7606 4 */
		bool mp = a.type == ATTR_MP_REACH || a.type == ATTR_MP_UNREACH;
		uint32_t bit = a.type < 32 ? UINT32_C(1) << a.type : 0;

		if (mp && *seen & bit) /* RFC 7606 3 g */
			return bgp_wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_LIST, NULL, 0);
		if (*seen & bit)
			continue;
		*seen |= bit;
		if (!(a.flags & FLAG_OPTIONAL) && (a.type == 0 || a.type >= ARRAY_LEN(known)) &&
		    !mp)
			return bgp_wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_WELL_KNOWN, a.at, a.size);
		if (mp && !good_mp(&a.value, a.type == ATTR_MP_REACH)) /* RFC 7606 5.3, 7.11 */
			return bgp_wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_OPTIONAL, a.at, a.size);
		if (!good_attr(&a, as4))
			result = 1;
	}
	return result;
}

int
bgp_check_update(struct rd r, bool as4, bool ibgp, struct bgp_error *e)
{
	const uint32_t needed = 1 << ATTR_ORIGIN | 1 << ATTR_AS_PATH;
	struct rd withdrawn = rd_sub(&r, rd_u16(&r));
	struct rd attrs = rd_sub(&r, rd_u16(&r));
	bool announces = rd_left(&r) > 0;
	uint32_t seen = 0;
	int result;

	if (r.bad)
		return bgp_wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_LIST, NULL, 0);
	if (!good_prefixes(&withdrawn, 32) || !good_prefixes(&r, 32))
		return bgp_wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_NETWORK, NULL, 0);
	result = check_attrs(attrs, as4, &seen, e);
	if (result != 0)
		return result;
	if (announces && !(seen & 1 << ATTR_NEXT_HOP))
		return 1;
	if ((announces || seen & 1 << ATTR_MP_REACH) &&
	    ((seen & needed) != needed || (ibgp && !(seen & 1 << ATTR_LOCAL_PREF))))
		return 1; /* RFC 7606 3 d */
	return 0;
}

/* ---- writing ---- */

static void
put_attr(struct wr *w, uint8_t flags, uint8_t type, uint8_t len)
{
	wr_u8(w, flags);
	wr_u8(w, type);
	wr_u8(w, len);
}

/* RFC 6793 4.2.2: to one who knows two octets only, the true path goes apart. */
static void
put_path(struct wr *w, const struct bgp_attrs *a)
{
	if (a->ibgp) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_AS_PATH, 0);
		return;
	}
	put_attr(w, FLAG_TRANSITIVE, ATTR_AS_PATH, a->as4 ? 6 : 4);
	wr_u8(w, AS_SEQUENCE);
	wr_u8(w, 1);
	if (a->as4)
		wr_u32(w, a->as);
	else
		wr_u16(w, a->as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)a->as);
}

static void
put_as4_path(struct wr *w, const struct bgp_attrs *a)
{
	put_attr(w, FLAG_OPTIONAL | FLAG_TRANSITIVE, ATTR_AS4_PATH, 6);
	wr_u8(w, AS_SEQUENCE);
	wr_u8(w, 1);
	wr_u32(w, a->as);
}

static void
put_communities(struct wr *w, const struct bgp_attrs *a)
{
	unsigned int i;

	wr_u8(w, FLAG_OPTIONAL | FLAG_TRANSITIVE | FLAG_LONG);
	wr_u8(w, ATTR_COMMUNITIES);
	wr_u16(w, (uint16_t)(4 * a->n_communities));
	for (i = 0; i < a->n_communities; i++)
		wr_u32(w, a->communities[i]);
}

/* In the order of their types, as RFC 4271 5 wishes. */
static void
put_attrs(struct wr *w, enum bgp_afi afi, const struct bgp_attrs *a)
{
	put_attr(w, FLAG_TRANSITIVE, ATTR_ORIGIN, 1);
	wr_u8(w, 0); /* IGP */
	put_path(w, a);
	if (afi == BGP_IP4) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_NEXT_HOP, 4);
		wr_be32(w, a->next_hop);
	}
	put_attr(w, FLAG_OPTIONAL, ATTR_MED, 4);
	wr_u32(w, a->med);
	if (a->ibgp) {
		put_attr(w, FLAG_TRANSITIVE, ATTR_LOCAL_PREF, 4);
		wr_u32(w, LOCAL_PREF);
	}
	if (a->n_communities)
		put_communities(w, a);
	if (!a->ibgp && !a->as4 && a->as > UINT16_MAX)
		put_as4_path(w, a);
}

/* The head of MP_REACH_NLRI or MP_UNREACH_NLRI; where its length stands. */
static size_t
put_mp(struct wr *w, const struct bgp_attrs *a)
{
	size_t list;

	wr_u8(w, FLAG_OPTIONAL | FLAG_LONG);
	wr_u8(w, a ? ATTR_MP_REACH : ATTR_MP_UNREACH);
	list = wr_mark(w);
	wr_u16(w, bgp_wire_afi[BGP_IP6]);
	wr_u8(w, BGP_SAFI_UNICAST);
	if (a) {
		wr_u8(w, sizeof(a->next_hop6));
		wr_bytes(w, &a->next_hop6, sizeof(a->next_hop6));
		wr_u8(w, 0);
	}
	return list;
}

void
bgp_batch_begin(struct bgp_batch *b, uint8_t *buf, enum bgp_afi afi, const struct bgp_attrs *a)
{
	struct wr tail;

	b->w = bgp_begin(buf, BGP_UPDATE);
	b->afi = afi;
	b->withdraw = a == NULL;
	b->tail_len = 0;
	b->list = wr_mark(&b->w);
	if (afi == BGP_IP4 && b->withdraw)
		return;
	b->attrs = wr_mark(&b->w);
	if (afi == BGP_IP4) {
		put_attrs(&b->w, afi, a);
		wr_patch_len(&b->w, b->attrs, (size_t)-2);
		return;
	}
	b->list = put_mp(&b->w, a);
	if (!a)
		return;
	tail = wr_init(b->tail, sizeof(b->tail));
	put_attrs(&tail, afi, a);
	b->tail_len = wr_len(&tail);
}

bool
bgp_batch_add(struct bgp_batch *b, const struct bgp_prefix *p)
{
	size_t octets = (p->len + 7U) / 8;
	size_t kept = b->tail_len + 2; /* the length of the attributes, where these come last */

	if (1 + octets + kept > (size_t)(b->w.end - b->w.pos))
		return false;
	wr_u8(&b->w, p->len);
	wr_bytes(&b->w, p->addr, octets);
	return true;
}

size_t
bgp_batch_end(struct bgp_batch *b)
{
	if (b->afi == BGP_IP4 && b->withdraw) {
		wr_patch_len(&b->w, b->list, (size_t)-2);
		wr_u16(&b->w, 0);
	} else if (b->afi == BGP_IP6) {
		wr_patch_len(&b->w, b->list, (size_t)-2);
		wr_bytes(&b->w, b->tail, b->tail_len);
		wr_patch_len(&b->w, b->attrs, (size_t)-2);
	}
	return bgp_end(&b->w);
}

size_t
bgp_put_end_of_rib(uint8_t *buf, enum bgp_afi afi)
{
	struct bgp_batch b;

	bgp_batch_begin(&b, buf, afi, NULL);
	return bgp_batch_end(&b);
}
