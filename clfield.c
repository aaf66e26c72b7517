/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields that messages (clmsg.c) and records (repl.c) of the cluster are made of.
 *
 * A number travels in as few octets as hold it, big endian, so that its member may get
 * wider in a later version; the reader refuses one that its own member cannot hold. A text
 * has no NUL in it. Octets are of the member's size exactly.
 *
 * Owns nothing, sees no tables, clock or sockets.
 */
#include "clfield.h"

/* --- writing --- */

size_t
clfield_begin(struct wr *w, uint16_t tag)
{
	wr_u16(w, tag);
	return wr_mark(w);
}

void
clfield_end(struct wr *w, size_t mark)
{
	size_t len;

	if (w->bad)
		return;
	len = (size_t)(w->pos - w->buf) - mark - 2;
	if (len > UINT16_MAX)
		w->bad = true;
	else
		wr_patch_u16(w, mark, (uint16_t)len);
}

static unsigned int
octets_of(uint64_t v)
{
	return (unsigned int)(64 - __builtin_clzll(v) + 7) / 8;
}

void
clfield_put_number(struct wr *w, uint16_t tag, uint64_t v)
{
	unsigned int n;

	if (v == 0)
		return;
	n = octets_of(v);
	wr_u16(w, tag);
	wr_u16(w, (uint16_t)n);
	while (n-- > 0)
		wr_u8(w, (uint8_t)(v >> 8 * n));
}

void
clfield_put_octets(struct wr *w, uint16_t tag, const void *from, size_t len)
{
	size_t mark;

	if (len == 0)
		return;
	mark = clfield_begin(w, tag);
	wr_bytes(w, from, len);
	clfield_end(w, mark);
}

static uint64_t
load(const void *member, size_t size)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (size) {
	case 1:
		memcpy(&u8, member, sizeof(u8));
		return u8;
	case 2:
		memcpy(&u16, member, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, member, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, member, sizeof(u64));
		return u64;
	}
}

static void
store(void *member, size_t size, uint64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	switch (size) {
	case 1:
		memcpy(member, &u8, sizeof(u8));
		return;
	case 2:
		memcpy(member, &u16, sizeof(u16));
		return;
	case 4:
		memcpy(member, &u32, sizeof(u32));
		return;
	default:
		memcpy(member, &v, sizeof(v));
	}
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static void
put(struct wr *w, const struct clfield *f, const uint8_t *member)
{
	switch (f->kind) {
	case CLFIELD_NUMBER:
		clfield_put_number(w, f->tag, load(member, f->size));
		return;
	case CLFIELD_TEXT:
		clfield_put_octets(w, f->tag, member, strnlen((const char *)member, f->size - 1U));
		return;
	default:
		clfield_put_octets(w, f->tag, member, is_zero(member, f->size) ? 0 : f->size);
	}
}

void
clfield_put(struct wr *w, const struct clfield *table, size_t n, const void *from)
{
	size_t i;

	for (i = 0; i < n; i++)
		put(w, &table[i], (const uint8_t *)from + table[i].offset);
}

void
clfield_write_varint(struct wr *w, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		wr_u8(w, (uint8_t)(v | 0x80));
	wr_u8(w, (uint8_t)v);
}

/* --- reading --- */

uint64_t
clfield_read_varint(struct rd *r)
{
	uint64_t v = 0;
	unsigned int shift;
	uint8_t octet;

	for (shift = 0; shift < 64; shift += 7) {
		octet = rd_u8(r);
		if (shift == 63 && octet > 1)
			break;
		v |= (uint64_t)(octet & 0x7f) << shift;
		if (!(octet & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

bool
clfield_next(struct rd *r, uint16_t *tag, struct rd *val)
{
	if (rd_left(r) == 0)
		return false;
	*tag = rd_u16(r);
	*val = rd_sub(r, rd_u16(r));
	return !r->bad;
}

/* A number of 1 to 8 octets. False when it is none, or above `most`. */
static bool
read_number(struct rd val, uint64_t most, uint64_t *v)
{
	size_t n = rd_left(&val);

	if (n == 0 || n > sizeof(*v))
		return false;
	for (*v = 0; n > 0; n--)
		*v = *v << 8 | rd_u8(&val);
	return *v <= most;
}

static bool
get_number(const struct clfield *f, struct rd val, uint8_t *member)
{
	uint64_t most = f->most ? f->most : UINT64_MAX >> (64 - 8 * f->size), v;

	if (!read_number(val, most, &v))
		return false;
	store(member, f->size, v);
	return true;
}

static bool
get_text(const struct clfield *f, struct rd val, uint8_t *member)
{
	size_t len = rd_left(&val);

	if (len >= f->size || memchr(val.pos, '\0', len))
		return false;
	memcpy(member, val.pos, len);
	memset(member + len, 0, f->size - len);
	return true;
}

static bool
get_octets(const struct clfield *f, struct rd val, uint8_t *member)
{
	if (rd_left(&val) != f->size)
		return false;
	rd_copy(&val, member, f->size);
	return true;
}

/* Tables have their rows by tag, nearly all without a gap: the row is there at once. */
static const struct clfield *
row_of(const struct clfield *table, size_t n, uint16_t tag)
{
	size_t i;

	if (tag > 0 && tag <= n && table[tag - 1].tag == tag)
		return &table[tag - 1];
	for (i = 0; i < n; i++)
		if (table[i].tag == tag)
			return &table[i];
	return NULL;
}

bool
clfield_has(const struct clfield *table, size_t n, uint16_t tag)
{
	return row_of(table, n, tag) != NULL;
}

bool
clfield_get(const struct clfield *table, size_t n, uint16_t tag, struct rd val, void *to)
{
	const struct clfield *f = row_of(table, n, tag);
	uint8_t *member = to;

	if (!f)
		return true;
	member += f->offset;
	switch (f->kind) {
	case CLFIELD_NUMBER:
		return get_number(f, val, member);
	case CLFIELD_TEXT:
		return get_text(f, val, member);
	default:
		return get_octets(f, val, member);
	}
}

bool
clfield_get_all(const struct clfield *table, size_t n, struct rd fields, void *to)
{
	struct rd val;
	uint16_t tag;

	while (clfield_next(&fields, &tag, &val))
		if (!clfield_get(table, n, tag, val, to))
			return false;
	return !fields.bad;
}
