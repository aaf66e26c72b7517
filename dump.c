/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hex dumps of packets. Two things that LACs send are passwords in clear: a PAP
 * Authenticate-Request (RFC 1334 2.2.1) and the Proxy Authen Response AVP (RFC 2661
 * 4.4.5), which a LAC that has asked for PAP repeats to us. They are dumped as octets
 * 2a; so is, of AVPs that cannot be told apart, the rest of the message, and all of a
 * packet whose header makes no sense but that header.
 *
 * What subscribers send each other in IP packets is theirs: dumped as it is.
 * Called by data.c; does nothing below level 5.
 */
#include "dump.h"
#include "avp.h"
#include "cpopt.h"
#include "log.h"

#include <string.h>

enum { BLANK = '*', HEADER = 12 };

static uint8_t copy[PKT_SIZE];

/* Octets `from`..`end` of the packet at `data`. */
static void
blank(const uint8_t *data, const uint8_t *from, const uint8_t *end)
{
	size_t start = (size_t)(from - data), stop = MIN((size_t)(end - data), sizeof(copy));

	if (start < stop)
		memset(copy + start, BLANK, stop - start);
}

static void
blank_proxy_response(const uint8_t *data, struct rd avps)
{
	const uint8_t *begin = avps.pos;
	struct avp a;

	for (; rd_left(&avps) > 0; begin = avps.pos) {
		if (!avp_next(&avps, &a)) {
			blank(data, begin, avps.end);
			return;
		}
		if (a.vendor == 0 && a.type == AVP_PROXY_AUTHEN_RESPONSE)
			blank(data, a.val.pos, a.val.end);
	}
}

/* All but code, identifier and length. */
static void
blank_pap(const uint8_t *data, struct rd frame)
{
	if (ppp_protocol_decode(&frame) != PPP_PAP)
		return;
	rd_skip(&frame, CP_HEADER);
	if (!frame.bad)
		blank(data, frame.pos, frame.end);
}

void
dump_from_lac(
    const struct pkt *pkt, const struct l2tp_hdr *h, struct rd payload, enum l2tp_hdr_result r)
{
	size_t len = MIN(pkt->len, sizeof(copy));

	if (!log_on(LOG_PACKET))
		return;
	memcpy(copy, pkt->data, len);
	if (r != L2TP_HDR_OK)
		blank(pkt->data, pkt->data + MIN(len, (size_t)HEADER), pkt->data + pkt->len);
	else if (h->flags & L2TP_FLAG_TYPE)
		blank_proxy_response(pkt->data, payload);
	else
		blank_pap(pkt->data, payload);
	log_hex("from a LAC", copy, len);
	explicit_bzero(copy, len);
}
