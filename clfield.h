/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tagged fields, what all messages and records of the cluster are made of: tag 2 octets,
 * length 2, value. A table says which member of a struct each tag is. A member that is
 * zero or empty is not sent; one that does not come is zero; a tag that is not in the
 * table is skipped. So neighbouring versions understand each other, as long as a tag is
 * never used again for something else.
 */
#ifndef CLFIELD_H
#define CLFIELD_H

#include "l2tpns.h"
#include "wire.h"

enum { CLFIELD_HEAD = 4 }; /* octets in front of a value */

enum clfield_kind {
	CLFIELD_NUMBER, /* member of 1, 2, 4 or 8 octets; sent in as few as hold it */
	CLFIELD_OCTETS, /* the whole member as it stands: addresses in network order, nonces */
	CLFIELD_TEXT,	/* string, without its NUL */
};

/* A member of a struct. */
struct clfield {
	uint16_t tag;
	uint8_t kind; /* enum clfield_kind */
	uint16_t offset, size;
	uint64_t most; /* of a number that may not be all its member could hold; 0: no such limit */
};

/* Offset and size of a member, for a row. */
#define CLFIELD_OF(type, member) offsetof(type, member), sizeof(((type *)NULL)->member)

/* The fields of a struct that are not zero. */
void clfield_put(struct wr *w, const struct clfield *table, size_t n, const void *from);

/* One field that is no plain member. Nothing when it is zero or empty. */
void clfield_put_number(struct wr *w, uint16_t tag, uint64_t v);
void clfield_put_octets(struct wr *w, uint16_t tag, const void *from, size_t len);

/* A field whose value is written behind this; clfield_end() with what it returned ends it. */
size_t clfield_begin(struct wr *w, uint16_t tag);
void clfield_end(struct wr *w, size_t mark);

/*
 * Inside of a value, where there are many numbers: 7 bits an octet, the lowest first, the high
 * bit set on all but the last.
 */
void clfield_write_varint(struct wr *w, uint64_t v);
uint64_t clfield_read_varint(struct rd *r); /* r->bad when it does not end or fit */

/* The next field; false at the end, and, with r->bad, where it is malformed. */
bool clfield_next(struct rd *r, uint16_t *tag, struct rd *val);

/*
 * A field into its member; true also when the tag is not in the table. False: its value is
 * not one that the member can have.
 */
bool clfield_get(const struct clfield *table, size_t n, uint16_t tag, struct rd val, void *to);

/* Whether a tag is in the table. */
bool clfield_has(const struct clfield *table, size_t n, uint16_t tag);

/* All fields into a struct that is zero; false when one is malformed. */
bool clfield_get_all(const struct clfield *table, size_t n, struct rd fields, void *to);

#endif
