/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PPP frame: its protocol, the control packet in it and the packet's options; and the
 * same again written from what was read, which must give the same octets.
 */
#include "cpopt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const struct wr *w, const uint8_t *want, size_t len)
{
	if (wr_len(w) != len || memcmp(w->buf, want, len) != 0)
		abort();
}

static void
check_options(struct rd data)
{
	uint8_t buf[65536];
	struct wr w = wr_init(buf, sizeof(buf));
	const uint8_t *start = data.pos;
	struct cp_opt o;

	while (cp_opt_next(&data, &o)) {
		if (o.start + o.len != data.pos || o.len != rd_left(&o.val) + CP_OPT_HEADER)
			abort();
		cp_put(&w, o.type, o.val.pos, rd_left(&o.val));
	}
	check_same(&w, start, (size_t)(data.bad ? o.start : data.pos) - (size_t)start);
}

static void
check_packet(struct rd frame)
{
	uint8_t buf[65536];
	struct wr w = wr_init(buf, sizeof(buf));
	struct cp_pkt p;

	if (!cp_decode(frame, &p))
		return;
	cp_begin(&w, p.code, p.id);
	wr_bytes(&w, p.data.pos, rd_left(&p.data));
	if (cp_end(&w) > rd_left(&frame))
		abort();
	check_same(&w, frame.pos, wr_len(&w));
	check_options(p.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd frame = rd_init(data, size);
	uint16_t protocol = ppp_protocol_decode(&frame);

	if (protocol == 0)
		return 0;
	if (!(protocol & 1) || protocol & 0x100 || frame.bad)
		abort();
	check_packet(frame);
	return 0;
}
