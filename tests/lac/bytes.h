/*
 * Big-endian bytes in and out: a checked reader and a checked writer. The test peers have codecs
 * of their own, so that a mistake in the daemon's codec cannot cancel itself out.
 */
#ifndef LAC_BYTES_H
#define LAC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline uint64_t
get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static inline void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static inline void
put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

/* Reader: what is not there reads as zero and sets bad for good. */
struct in {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline struct in
in_make(const uint8_t *p, size_t n)
{
	return (struct in){ p, p + n, false };
}

static inline size_t
in_left(const struct in *i)
{
	return i->bad ? 0 : (size_t)(i->end - i->p);
}

static inline const uint8_t *
in_take(struct in *i, size_t n)
{
	const uint8_t *p = i->p;

	if (in_left(i) < n) {
		i->bad = true;
		return NULL;
	}
	i->p += n;
	return p;
}

static inline uint8_t
in_u8(struct in *i)
{
	const uint8_t *p = in_take(i, 1);

	return p ? p[0] : 0;
}

static inline uint16_t
in_u16(struct in *i)
{
	const uint8_t *p = in_take(i, 2);

	return p ? get16(p) : 0;
}

static inline uint32_t
in_u32(struct in *i)
{
	const uint8_t *p = in_take(i, 4);

	return p ? get32(p) : 0;
}

/* Writer: what does not fit is not written and sets full for good. */
struct out {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool full;
};

static inline struct out
out_make(uint8_t *p, size_t room)
{
	return (struct out){ p, p, p + room, false };
}

static inline size_t
out_len(const struct out *o)
{
	return (size_t)(o->p - o->start);
}

static inline uint8_t *
out_room(struct out *o, size_t n)
{
	uint8_t *p = o->p;

	if (o->full || (size_t)(o->end - o->p) < n) {
		o->full = true;
		return NULL;
	}
	o->p += n;
	return p;
}

static inline void
out_u8(struct out *o, uint8_t v)
{
	uint8_t *p = out_room(o, 1);

	if (p)
		*p = v;
}

static inline void
out_u16(struct out *o, uint16_t v)
{
	uint8_t *p = out_room(o, 2);

	if (p)
		put16(p, v);
}

static inline void
out_u32(struct out *o, uint32_t v)
{
	uint8_t *p = out_room(o, 4);

	if (p)
		put32(p, v);
}

static inline void
out_bytes(struct out *o, const void *src, size_t n)
{
	uint8_t *p = out_room(o, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void
out_str(struct out *o, const char *s)
{
	out_bytes(o, s, strlen(s));
}

#endif
