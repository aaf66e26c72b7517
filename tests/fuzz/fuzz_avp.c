/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVPs there and back. The input is a list of values, each behind its type, its length
 * and an octet of flags; they are written as a message, in clear or hidden, and must be
 * read from it as they were. Then the input itself is walked as AVPs.
 */
#include "avp.h"
#include "l2tp_hdr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t vector[16] = "a random vector";

/*
 * Writes one value as an access line AVP, which takes any octets; false at the end of the
 * input, or when the message is as long as can be revealed.
 */
static bool
put_value(struct wr *w, struct rd *in, unsigned int n)
{
	uint8_t flags = rd_u8(in), len = rd_u8(in);
	const uint8_t *val = rd_bytes(in, len);
	size_t start = (size_t)(w->pos - w->buf);

	if (!val || n == CTL_MAX_LINE_AVPS || start > CTL_SCRATCH - 300)
		return false;
	if (flags & 1)
		avp_put_hidden(w, flags & 2 ? AVP_MANDATORY : 0, flags, val, len, "secret", vector,
		    sizeof(vector), flags >> 4);
	else
		avp_put(w, flags & 2 ? AVP_MANDATORY : 0, flags, val, len);
	if (!w->bad)
		wr_patch_u16(w, start + 2, AVP_VENDOR_ADSL_FORUM);
	return true;
}

/* Writes all, decodes, compares. */
static void
there_and_back(struct rd in)
{
	static struct ctl_msg m;
	uint8_t buf[CTL_SCRATCH];
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd again = in;
	unsigned int n = 0, i;
	size_t len;

	ctl_begin(&w, CTL_HELLO);
	avp_put(&w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, sizeof(vector));
	while (put_value(&w, &in, n))
		n++;
	len = ctl_end(&w, 1, 1);
	if (len == 0 || ctl_decode(rd_init(buf + L2TP_CONTROL_HEADER, len - L2TP_CONTROL_HEADER),
			    "secret", &m) != CTL_OK)
		abort();
	if (m.n_line != n)
		abort();
	for (i = 0; i < m.n_line; i++) {
		uint8_t flags = rd_u8(&again), want = rd_u8(&again);
		const uint8_t *val = rd_bytes(&again, want);

		if (m.line[i].type != flags || m.line[i].val.len != want ||
		    memcmp(m.line[i].val.p, val, want) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct avp a;
	size_t sum = 0;

	there_and_back(r);
	while (avp_next(&r, &a))
		sum += AVP_HEADER + rd_left(&a.val);
	if (sum > size || (!r.bad && sum != size))
		abort();
	return 0;
}
