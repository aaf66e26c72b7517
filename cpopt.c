/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP frames and control packets, both ways: the protocol number in front of a frame
 * (RFC 1661 2 and 6.5, RFC 1662 3.1 for address and control field, which L2TP carries
 * or not), the packets of LCP and the NCPs (RFC 1661 5) and their options (RFC 1661 6).
 *
 * Which codes and options there are is the protocols' business; here is only the form.
 * Compressed headers are read whether or not they were negotiated, as RFC 1661 6.5 and
 * RFC 1662 advise, since reading them is never ambiguous. Octets behind a packet's own
 * length are padding (RFC 1661 5) and are cut.
 *
 * Called by ppp.c, cp.c, auth.c and the protocols; keeps no state.
 */
#include "cpopt.h"

enum { ALL_STATIONS = 0xff, UI = 0x03, OPTION_MAX = 255 };

uint16_t
ppp_protocol_decode(struct rd *frame)
{
	uint8_t first = rd_u8(frame);
	uint8_t second;

	if (first == ALL_STATIONS) {
		if (rd_u8(frame) != UI)
			return 0;
		first = rd_u8(frame);
	}
	if (frame->bad || first == ALL_STATIONS) /* 0x00ff is never used, RFC 1661 2 */
		return 0;
	if (first & 1)
		return first;
	second = rd_u8(frame);
	return second & 1 ? (uint16_t)(first << 8 | second) : 0;
}

bool
cp_decode(struct rd frame, struct cp_pkt *p)
{
	uint16_t len;

	p->code = rd_u8(&frame);
	p->id = rd_u8(&frame);
	len = rd_u16(&frame);
	p->data = rd_sub(&frame, (size_t)(len < CP_HEADER ? 0 : len - CP_HEADER));
	return len >= CP_HEADER && !frame.bad;
}

bool
cp_opt_next(struct rd *data, struct cp_opt *o)
{
	if (rd_left(data) == 0)
		return false;
	o->start = data->pos;
	o->type = rd_u8(data);
	o->len = rd_u8(data);
	if (o->len < CP_OPT_HEADER)
		data->bad = true;
	o->val = rd_sub(data, data->bad ? 0 : o->len - CP_OPT_HEADER);
	return !data->bad;
}

void
cp_begin(struct wr *w, uint8_t code, uint8_t id)
{
	wr_u8(w, code);
	wr_u8(w, id);
	wr_u16(w, 0); /* length: by cp_end() */
}

size_t
cp_end(struct wr *w)
{
	if (wr_len(w) > UINT16_MAX)
		w->bad = true;
	wr_patch_u16(w, 2, (uint16_t)wr_len(w));
	return wr_len(w);
}

void
cp_put(struct wr *w, uint8_t type, const void *val, size_t len)
{
	if (len > OPTION_MAX - CP_OPT_HEADER) {
		w->bad = true;
		return;
	}
	wr_u8(w, type);
	wr_u8(w, (uint8_t)(len + CP_OPT_HEADER));
	wr_bytes(w, val, len);
}

void
cp_put_u16(struct wr *w, uint8_t type, uint16_t v)
{
	const uint8_t val[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	cp_put(w, type, val, sizeof(val));
}

void
cp_put_u32(struct wr *w, uint8_t type, uint32_t v)
{
	uint8_t val[4];
	struct wr out = wr_init(val, sizeof(val));

	wr_u32(&out, v);
	cp_put(w, type, val, sizeof(val));
}

void
cp_put_be32(struct wr *w, uint8_t type, uint32_t v)
{
	cp_put(w, type, &v, sizeof(v));
}
