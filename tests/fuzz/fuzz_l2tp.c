/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet from the net as udp.c hands it on: L2TP header, then the AVPs of a control
 * message. Whatever comes out must lie in the packet or in the message's scratch space.
 */
#include "avp.h"
#include "l2tp_hdr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ctl_msg m;

static void
check_val(const struct avp_val *v, const struct rd *packet)
{
	bool in_packet = v->p >= packet->pos && v->p + v->len <= packet->end;
	bool in_scratch = v->p >= m.scratch && v->p + v->len <= m.scratch + m.scratch_used;

	if (v->len && !in_packet && !in_scratch)
		abort();
}

static void
check_message(struct rd avps, const char *secret)
{
	const struct avp_val *const vals[] = { &m.error_message, &m.host_name, &m.vendor_name,
		&m.challenge, &m.challenge_response, &m.called, &m.calling, &m.sub_address,
		&m.initial_rx_lcp, &m.last_tx_lcp, &m.last_rx_lcp, &m.proxy_name,
		&m.proxy_challenge, &m.proxy_response, &m.private_group, &m.disconnect_message };
	enum ctl_result result = ctl_decode(avps, secret, &m);
	size_t i;

	for (i = 0; i < ARRAY_LEN(vals); i++)
		check_val(vals[i], &avps);
	for (i = 0; i < m.n_line; i++)
		check_val(&m.line[i].val, &avps);
	if (m.n_line > CTL_MAX_LINE_AVPS || m.scratch_used > CTL_SCRATCH)
		abort();
	if (CTL_HAS(&m, AVP_ASSIGNED_TUNNEL_ID) != (m.assigned_tid != 0))
		abort();
	(void)ctl_result_error(result);
	(void)ctl_type_name(m.type);
	(void)avp_type_name(m.bad_type);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct l2tp_hdr h;

	if (l2tp_hdr_decode(&r, &h) != L2TP_HDR_OK)
		return 0;
	if (r.pos < data || r.pos > r.end || r.end > data + size)
		abort();
	if (h.flags & L2TP_FLAG_TYPE) {
		check_message(r, "");
		check_message(r, "secret");
	}
	return 0;
}
