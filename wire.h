/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checked cursors for reading and writing packets. Every access is tested
 * against the end; the first one that does not fit sets `bad` for good and all
 * later ones read zero (or write nothing), so a decoder looks at `bad` once, at
 * its end. Numbers on the wire are big endian, in the program host order.
 *
 * Static inline, free of libc but for memcpy: the kernel's eBPF verifier accepts
 * the same text (RD_SHORT has the form it understands).
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *pos; /* next octet to read */
	const uint8_t *end; /* first octet behind the data */
	bool bad;	    /* a read went past the end */
};

struct wr {
	uint8_t *buf; /* start of the buffer */
	uint8_t *pos; /* next octet to write */
	uint8_t *end; /* first octet behind the buffer */
	bool bad;     /* a write did not fit */
};

#ifdef __bpf__
#define RD_SHORT(r, n) ((r)->pos + (n) > (r)->end)
#else
#define RD_SHORT(r, n) ((size_t)(n) > (size_t)((r)->end - (r)->pos))
#endif

/* A cursor over `len` octets at `buf`, which must outlive it. */
static inline struct rd
rd_init(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	return (struct rd){ .pos = p, .end = p + len, .bad = false };
}

/* Octets left to read; 0 when the cursor is bad. */
static inline size_t
rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->pos);
}

/* The next `n` octets in place, or NULL when there are fewer. */
static inline const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->pos;

	if (r->bad || RD_SHORT(r, n)) {
		r->bad = true;
		return NULL;
	}
	r->pos += n;
	return p;
}

static inline void
rd_skip(struct rd *r, size_t n)
{
	(void)rd_bytes(r, n);
}

static inline uint8_t
rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t
rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t
rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t
rd_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

/* A 32-bit word as it stands on the wire: IPv4 addresses are kept so. */
static inline uint32_t
rd_be32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

/* Copies `n` octets to `to`; zeroes them when there are fewer. */
static inline void
rd_copy(struct rd *r, void *to, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

/* A cursor of its own over the next `n` octets, which are skipped here; bad when there are fewer. */
static inline struct rd
rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return (struct rd){ .pos = p, .end = p ? p + n : p, .bad = p == NULL };
}

/* A cursor that writes at most `size` octets to `buf`. */
static inline struct wr
wr_init(void *buf, size_t size)
{
	uint8_t *p = buf;

	return (struct wr){ .buf = p, .pos = p, .end = p + size, .bad = false };
}

/* Octets written so far; 0 after an overflow. */
static inline size_t
wr_len(const struct wr *w)
{
	return w->bad ? 0 : (size_t)(w->pos - w->buf);
}

/* Room for `n` octets at the cursor, or NULL: the caller fills them. */
static inline uint8_t *
wr_space(struct wr *w, size_t n)
{
	uint8_t *p = w->pos;

	if (w->bad || n > (size_t)(w->end - w->pos)) {
		w->bad = true;
		return NULL;
	}
	w->pos += n;
	return p;
}

static inline void
wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_space(w, 1);

	if (p)
		p[0] = v;
}

static inline void
wr_u16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_space(w, 2);

	if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void
wr_u32(struct wr *w, uint32_t v)
{
	wr_u16(w, (uint16_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

static inline void
wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static inline void
wr_bytes(struct wr *w, const void *from, size_t n)
{
	uint8_t *p = wr_space(w, n);

	if (p && n)
		memcpy(p, from, n);
}

/* A 32-bit word that is in network order already. */
static inline void
wr_be32(struct wr *w, uint32_t v)
{
	wr_bytes(w, &v, sizeof(v));
}

/* Leaves two octets for a number that comes later; wr_patch_u16() fills them. */
static inline size_t
wr_mark(struct wr *w)
{
	size_t mark = (size_t)(w->pos - w->buf);

	wr_u16(w, 0);
	return mark;
}

static inline void
wr_patch_u16(struct wr *w, size_t mark, uint16_t v)
{
	if (w->bad)
		return;
	w->buf[mark] = (uint8_t)(v >> 8);
	w->buf[mark + 1] = (uint8_t)v;
}

/* Writes at `mark` the octets written from `mark` - `before` up to here: a length field. */
static inline void
wr_patch_len(struct wr *w, size_t mark, size_t before)
{
	wr_patch_u16(w, mark, (uint16_t)((size_t)(w->pos - w->buf) - mark + before));
}

#endif
