// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The codec of BGP-4: RFC 4271 4 (messages) and 6 (what is wrong with them), RFC 4760
 * (IPv6), RFC 6793 (four-octet AS numbers), RFC 5492 and RFC 9072 (capabilities), RFC
 * 7606 (bad UPDATEs that do not end a connection), RFC 9003 (words with a Cease).
 *
 * Reading an UPDATE finds out whether its form is right and nothing else: nothing that
 * is learnt is used. Where RFC 7606 lets its routes count as withdrawn there is nothing
 * to do, and the connection stays; it ends when the routes themselves cannot be told
 * from the rest, or a well-known attribute is none.
 *
 * Writing: MP_REACH_NLRI and MP_UNREACH_NLRI stand first (RFC 7606 5.1), so of IPv6 the
 * other attributes are kept until the routes are there.
 *
 * Called by bgp_peer.c, bgp_input.c and bgp_tell.c.
 */
#include "bgpmsg.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { AFI_IP4 = 1, AFI_IP6 = 2, SAFI_UNICAST = 1, VERSION = 4, LOCAL_PREF = 100 };
enum { PARAM_CAPABILITIES = 2, PARAM_EXTENDED = 255 };
enum { CAP_MP = 1, CAP_REFRESH = 2, CAP_RESTART = 64, CAP_AS4 = 65 };
enum { MP_SIZE = 6, REFRESH_SIZE = 2, RESTART_SIZE = 4, AS4_SIZE = 6 };
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

static const uint16_t wire_afi[BGP_AFIS] = { AFI_IP4, AFI_IP6 };

static int
wrong(struct bgp_error *e, uint8_t code, uint8_t sub, const void *data, size_t len)
{
	*e = (struct bgp_error){ .code = code, .sub = sub };
	e->len = (uint16_t)MIN(len, sizeof(e->data));
	if (e->len)
		memcpy(e->data, data, e->len);
	return -1;
}

/* ---- errors in words ---- */

static const char *const code_names[] = {
	[BGP_ERR_HEADER] = "Message Header Error",
	[BGP_ERR_OPEN] = "OPEN Message Error",
	[BGP_ERR_UPDATE] = "UPDATE Message Error",
	[BGP_ERR_HOLD] = "Hold Timer Expired",
	[BGP_ERR_FSM] = "Finite State Machine Error",
	[BGP_ERR_CEASE] = "Cease",
	[BGP_ERR_REFRESH] = "ROUTE-REFRESH Message Error",
	[BGP_ERR_SEND_HOLD] = "Send Hold Timer Expired",
};

static const char *const sub_names[ARRAY_LEN(code_names)][12] = {
	[BGP_ERR_HEADER] = { NULL, "Connection Not Synchronized", "Bad Message Length",
	    "Bad Message Type" },
	[BGP_ERR_OPEN] = { NULL, "Unsupported Version Number", "Bad Peer AS", "Bad BGP Identifier",
	    "Unsupported Optional Parameter", NULL, "Unacceptable Hold Time",
	    "Unsupported Capability" },
	[BGP_ERR_UPDATE] = { NULL, "Malformed Attribute List", "Unrecognized Well-known Attribute",
	    "Missing Well-known Attribute", "Attribute Flags Error", "Attribute Length Error",
	    "Invalid ORIGIN Attribute", NULL, "Invalid NEXT_HOP Attribute",
	    "Optional Attribute Error", "Invalid Network Field", "Malformed AS_PATH" },
	[BGP_ERR_FSM] = { NULL, "Unexpected Message in OpenSent",
	    "Unexpected Message in OpenConfirm", "Unexpected Message in Established" },
	[BGP_ERR_CEASE] = { NULL, "Maximum Number of Prefixes Reached", "Administrative Shutdown",
	    "Peer De-configured", "Administrative Reset", "Connection Rejected",
	    "Other Configuration Change", "Connection Collision Resolution", "Out of Resources",
	    "Hard Reset", "BFD Down" },
};

/* The words of a shutdown communication: a length, then UTF-8. 0: there are none. */
static int
words_len(const struct bgp_error *e)
{
	bool may =
	    e->code == BGP_ERR_CEASE && (e->sub == BGP_CEASE_SHUTDOWN || e->sub == BGP_CEASE_RESET);

	return may && e->len > 1 ? MIN(e->data[0], e->len - 1) : 0;
}

const char *
bgp_error_text(const struct bgp_error *e, char *text, size_t size)
{
	const char *code = e->code < ARRAY_LEN(code_names) ? code_names[e->code] : NULL;
	const char *sub =
	    code && e->sub < ARRAY_LEN(sub_names[0]) ? sub_names[e->code][e->sub] : NULL;
	int n, len = words_len(e);

	if (!code)
		n = snprintf(text, size, "code %u/%u", e->code, e->sub);
	else if (!sub && e->sub)
		n = snprintf(text, size, "%s/%u", code, e->sub);
	else
		n = snprintf(text, size, "%s%s%s", code, sub ? "/" : "", sub ? sub : "");
	if (len && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, ": \"%.*s\"", len, (const char *)e->data + 1);
	return text;
}

/* ---- reading ---- */

/* Least and most octets of a message, RFC 4271 6.1, RFC 2918 3. */
static const struct {
	uint16_t least, most;
} lengths[] = {
	[BGP_OPEN] = { 29, BGP_MAX },
	[BGP_UPDATE] = { 23, BGP_MAX },
	[BGP_NOTIFICATION] = { 21, BGP_MAX },
	[BGP_KEEPALIVE] = { BGP_HEADER, BGP_HEADER },
	[BGP_REFRESH] = { 23, 23 },
};

int
bgp_read_header(struct rd r, uint16_t *len, uint8_t *type, struct bgp_error *e)
{
	const uint8_t *marker = rd_bytes(&r, 16);
	uint8_t told[2];
	int i;

	*len = rd_u16(&r);
	*type = rd_u8(&r);
	told[0] = (uint8_t)(*len >> 8);
	told[1] = (uint8_t)*len;
	for (i = 0; i < 16; i++)
		if (r.bad || marker[i] != 0xff)
			return wrong(e, BGP_ERR_HEADER, BGP_HEADER_SYNC, NULL, 0);
	if (*len < BGP_HEADER || *len > BGP_MAX)
		return wrong(e, BGP_ERR_HEADER, BGP_HEADER_LENGTH, told, 2);
	if (*type < BGP_OPEN || *type > BGP_REFRESH)
		return wrong(e, BGP_ERR_HEADER, BGP_HEADER_TYPE, type, 1);
	if (*len < lengths[*type].least || *len > lengths[*type].most)
		return wrong(e, BGP_ERR_HEADER, BGP_HEADER_LENGTH, told, 2);
	return 0;
}

static bool
known_afi(uint16_t wire, uint8_t safi, enum bgp_afi *afi)
{
	if (safi != SAFI_UNICAST || (wire != AFI_IP4 && wire != AFI_IP6))
		return false;
	*afi = wire == AFI_IP4 ? BGP_IP4 : BGP_IP6;
	return true;
}

static void
take_mp(struct rd *value, struct bgp_open *o, bool *any)
{
	uint16_t wire = rd_u16(value);
	enum bgp_afi afi;

	rd_u8(value);
	*any = true;
	if (known_afi(wire, rd_u8(value), &afi) && !value->bad)
		o->afi[afi] = true;
}

/* The capabilities of one parameter; what is unknown is no matter (RFC 5492 4). */
static bool
read_capabilities(struct rd *r, struct bgp_open *o, bool *any)
{
	while (rd_left(r)) {
		uint8_t code = rd_u8(r);
		struct rd value = rd_sub(r, rd_u8(r));

		if (code == CAP_MP)
			take_mp(&value, o, any);
		else if (code == CAP_REFRESH)
			o->refresh = true;
		else if (code == CAP_RESTART)
			o->restart = true;
		else if (code == CAP_AS4) {
			o->as4 = true;
			o->as = rd_u32(&value);
		}
		if (value.bad)
			return false;
	}
	return !r->bad;
}

static int
read_parameters(struct rd *r, struct bgp_open *o, struct bgp_error *e)
{
	struct rd params, extended;
	uint8_t len = rd_u8(r);
	bool any = false, wide;

	extended = *r; /* RFC 9072 2: type 255 says that lengths have two octets */
	wide = len != 0 && rd_u8(&extended) == PARAM_EXTENDED;
	if (wide)
		*r = extended;
	params = rd_sub(r, wide ? rd_u16(r) : len);
	while (rd_left(&params)) {
		uint8_t type = rd_u8(&params);
		struct rd value = rd_sub(&params, wide ? rd_u16(&params) : rd_u8(&params));

		if (!value.bad && type != PARAM_CAPABILITIES)
			return wrong(e, BGP_ERR_OPEN, BGP_OPEN_PARAMETER, NULL, 0);
		if (value.bad || !read_capabilities(&value, o, &any))
			return wrong(e, BGP_ERR_OPEN, 0, NULL, 0);
	}
	if (params.bad || rd_left(r))
		return wrong(e, BGP_ERR_OPEN, 0, NULL, 0);
	if (!any) /* RFC 4760 8: he does not know of others */
		o->afi[BGP_IP4] = true;
	return 0;
}

int
bgp_read_open(struct rd r, struct bgp_open *o, struct bgp_error *e)
{
	static const uint8_t version[2] = { 0, VERSION };

	*o = (struct bgp_open){ 0 };
	if (rd_u8(&r) != VERSION)
		return wrong(e, BGP_ERR_OPEN, BGP_OPEN_VERSION, version, sizeof(version));
	o->as = rd_u16(&r);
	o->hold = rd_u16(&r);
	o->id = rd_be32(&r);
	if (read_parameters(&r, o, e) < 0)
		return -1;
	if (o->as == 0)
		return wrong(e, BGP_ERR_OPEN, BGP_OPEN_AS, NULL, 0);
	if (o->hold != 0 && o->hold < BGP_LEAST_HOLD)
		return wrong(e, BGP_ERR_OPEN, BGP_OPEN_HOLD, NULL, 0);
	if (o->id == 0) /* RFC 6286 2.2 */
		return wrong(e, BGP_ERR_OPEN, BGP_OPEN_ID, NULL, 0);
	return 0;
}

void
bgp_read_notification(struct rd r, struct bgp_error *e)
{
	*e = (struct bgp_error){ 0 };
	e->code = rd_u8(&r);
	e->sub = rd_u8(&r);
	e->len = (uint16_t)MIN(rd_left(&r), sizeof(e->data));
	rd_copy(&r, e->data, e->len);
}

bool
bgp_read_refresh(struct rd r, enum bgp_afi *afi)
{
	uint16_t wire = rd_u16(&r);

	if (rd_u8(&r) != 0) /* RFC 7313 3.2: begin or end of one, which we have not agreed to */
		return false;
	return known_afi(wire, rd_u8(&r), afi) && !r.bad;
}

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
	if (!known_afi(wire, safi, &afi))
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
			return wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_LIST, NULL, 0);
		if (*seen & bit)
			continue;
		*seen |= bit;
		if (!(a.flags & FLAG_OPTIONAL) && (a.type == 0 || a.type >= ARRAY_LEN(known)) &&
		    !mp)
			return wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_WELL_KNOWN, a.at, a.size);
		if (mp && !good_mp(&a.value, a.type == ATTR_MP_REACH)) /* RFC 7606 5.3, 7.11 */
			return wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_OPTIONAL, a.at, a.size);
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
		return wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_LIST, NULL, 0);
	if (!good_prefixes(&withdrawn, 32) || !good_prefixes(&r, 32))
		return wrong(e, BGP_ERR_UPDATE, BGP_UPDATE_NETWORK, NULL, 0);
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

/* GCC 12 sees buffers of no size, unless it sees here that they are not NULL. */
static struct wr begin(uint8_t *buf, enum bgp_type type) __attribute__((always_inline, nonnull(1)));

static inline struct wr
begin(uint8_t *buf, enum bgp_type type)
{
	static const uint8_t marker[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct wr w = wr_init(buf, BGP_MAX);

	wr_bytes(&w, marker, sizeof(marker));
	wr_u16(&w, 0);
	wr_u8(&w, (uint8_t)type);
	return w;
}

static size_t
end(struct wr *w)
{
	wr_patch_u16(w, 16, (uint16_t)wr_len(w));
	return wr_len(w);
}

static void
put_mp_capability(struct wr *w, enum bgp_afi afi)
{
	wr_u8(w, CAP_MP);
	wr_u8(w, 4);
	wr_u16(w, wire_afi[afi]);
	wr_u8(w, 0);
	wr_u8(w, SAFI_UNICAST);
}

/* RFC 4724 3: no family, so nothing is kept alive; End-of-RIB is what it is for. */
static void
put_capabilities(struct wr *w, const struct bgp_open *o)
{
	static const uint8_t fixed[REFRESH_SIZE + RESTART_SIZE] = { CAP_REFRESH, 0, CAP_RESTART, 2,
		0, 0 };
	int i;

	wr_bytes(w, fixed, sizeof(fixed));
	wr_u8(w, CAP_AS4);
	wr_u8(w, 4);
	wr_u32(w, o->as);
	for (i = 0; i < BGP_AFIS; i++)
		if (o->afi[i])
			put_mp_capability(w, i);
}

size_t
bgp_put_open(uint8_t *buf, const struct bgp_open *o)
{
	struct wr w = begin(buf, BGP_OPEN);
	unsigned int len = REFRESH_SIZE + RESTART_SIZE + AS4_SIZE;
	int i;

	for (i = 0; i < BGP_AFIS; i++)
		len += o->afi[i] ? MP_SIZE : 0;
	wr_u8(&w, VERSION);
	wr_u16(&w, o->as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)o->as);
	wr_u16(&w, o->hold);
	wr_be32(&w, o->id);
	wr_u8(&w, (uint8_t)(len + 2));
	wr_u8(&w, PARAM_CAPABILITIES);
	wr_u8(&w, (uint8_t)len);
	put_capabilities(&w, o);
	return end(&w);
}

size_t
bgp_put_keepalive(uint8_t *buf)
{
	struct wr w = begin(buf, BGP_KEEPALIVE);

	return end(&w);
}

size_t
bgp_put_notification(uint8_t *buf, const struct bgp_error *e)
{
	struct wr w = begin(buf, BGP_NOTIFICATION);

	wr_u8(&w, e->code);
	wr_u8(&w, e->sub);
	wr_bytes(&w, e->data, e->len);
	return end(&w);
}

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
	wr_u16(w, AFI_IP6);
	wr_u8(w, SAFI_UNICAST);
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

	b->w = begin(buf, BGP_UPDATE);
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
	return end(&b->w);
}

size_t
bgp_put_end_of_rib(uint8_t *buf, enum bgp_afi afi)
{
	struct bgp_batch b;

	bgp_batch_begin(&b, buf, afi, NULL);
	return bgp_batch_end(&b);
}
