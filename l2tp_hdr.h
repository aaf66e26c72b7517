/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The L2TP header of RFC 2661 3.1, data and control. Static inline, over the
 * cursors of wire.h, so that the data path and a packet program share it.
 */
#ifndef L2TP_HDR_H
#define L2TP_HDR_H

#include "wire.h"

enum l2tp_flags {
	L2TP_FLAG_TYPE = 0x8000, /* control message */
	L2TP_FLAG_LENGTH = 0x4000,
	L2TP_FLAG_SEQUENCE = 0x0800,
	L2TP_FLAG_OFFSET = 0x0200,
	L2TP_FLAG_PRIORITY = 0x0100,
	L2TP_FLAG_VERSION = 0x000f,
};

enum { L2TP_VERSION = 2, L2TP_CONTROL_HEADER = 12, L2TP_DATA_HEADER = 6, L2TP_PORT = 1701 };

enum l2tp_hdr_result {
	L2TP_HDR_OK,
	L2TP_HDR_SHORT,	  /* shorter than its flags say */
	L2TP_HDR_VERSION, /* not version 2 */
	L2TP_HDR_BAD,	  /* a control message without length or sequence, or a wrong length */
};

struct l2tp_hdr {
	uint16_t flags;
	uint16_t wire_tid, wire_sid; /* the receiver's ids */
	uint16_t ns, nr;	     /* 0 when there are none */
};

/*
 * Reads the header at the cursor, which then holds the payload alone: behind the
 * offset pad, and up to Length when there is one.
 */
static inline enum l2tp_hdr_result
l2tp_hdr_decode(struct rd *r, struct l2tp_hdr *h)
{
	const uint8_t *start = r->pos;
	size_t total = rd_left(r);
	uint16_t length = 0;

	h->ns = h->nr = 0;
	h->flags = rd_u16(r);
	if (r->bad)
		return L2TP_HDR_SHORT;
	if ((h->flags & L2TP_FLAG_VERSION) != L2TP_VERSION)
		return L2TP_HDR_VERSION;
	if (h->flags & L2TP_FLAG_TYPE &&
	    (h->flags & (L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE | L2TP_FLAG_OFFSET)) !=
		(L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE))
		return L2TP_HDR_BAD;
	if (h->flags & L2TP_FLAG_LENGTH) {
		length = rd_u16(r);
		if (r->bad)
			return L2TP_HDR_SHORT;
		if (length > total || start + length < r->pos)
			return L2TP_HDR_BAD;
		r->end = start + length;
	}
	h->wire_tid = rd_u16(r);
	h->wire_sid = rd_u16(r);
	if (h->flags & L2TP_FLAG_SEQUENCE) {
		h->ns = rd_u16(r);
		h->nr = rd_u16(r);
	}
	if (h->flags & L2TP_FLAG_OFFSET)
		rd_skip(r, rd_u16(r));
	return r->bad ? L2TP_HDR_SHORT : L2TP_HDR_OK;
}

#endif
