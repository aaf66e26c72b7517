/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disconnect- and CoA-Requests into struct dae_request, and the answers. The input is a code
 * (even: Disconnect, odd: CoA), a cause and the attributes; the header is made here, since its
 * length field would only keep the fuzzer busy. Whatever is decoded must have an answer that is
 * a sound packet and checks against the request.
 */
#include "dae_msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char text[DAE_TEXT], bool is_there)
{
	const char *end = memchr(text, '\0', DAE_TEXT);

	if (!end || (is_there && end == text))
		abort();
}

/* Octets of the packet, all of them. */
static void
check_octets(const struct dae_octets *list, unsigned int n, unsigned int most,
    const uint8_t *packet, size_t len)
{
	unsigned int i;

	if (n > most)
		abort();
	for (i = 0; i < n; i++)
		if (list[i].len == 0 || list[i].p < packet ||
		    list[i].p + list[i].len > packet + len)
			abort();
}

static void
check(const struct dae_request *r, const uint8_t *packet, size_t len)
{
	check_text(r->user, r->has & DAE_USER);
	check_text(r->acct_id, r->has & DAE_ACCT_ID);
	check_text(r->port_id, r->has & DAE_PORT_ID);
	check_text(r->calling, r->has & DAE_CALLING);
	check_text(r->called, r->has & DAE_CALLED);
	check_text(r->nas_id, r->has & DAE_NAS_ID);
	if (!memchr(r->message, '\0', sizeof(r->message)))
		abort();
	check_octets(r->pairs, r->n_pairs, DAE_MAX_PAIRS, packet, len);
	check_octets(r->filters, r->n_filters, DAE_MAX_FILTERS, packet, len);
	check_octets(r->classes, r->n_classes, DAE_MAX_CLASSES, packet, len);
}

static void
check_answer(const struct rad_packet *request, enum dae_cause cause, bool sign)
{
	uint8_t answer[RAD_MAX_PACKET];
	size_t len = dae_encode(request, cause, sign, "secret", answer);
	struct rad_packet p;
	bool has_ma;

	if (len == 0 || !rad_decode(answer, len, &p) || p.len != len)
		abort();
	if (rad_check_reply(&p, request->authenticator, "secret", &has_ma) != RAD_CHECK_OK ||
	    has_ma != sign)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[RAD_MAX_PACKET] = { RAD_DISCONNECT_REQUEST, 1 };
	size_t len = RAD_HEADER + size - 2;
	struct rad_packet p;
	struct dae_request r;

	if (size < 2 || len > sizeof(packet))
		return 0;
	packet[0] = data[0] & 1 ? RAD_COA_REQUEST : RAD_DISCONNECT_REQUEST;
	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	memcpy(packet + RAD_HEADER, data + 2, size - 2);
	if (!rad_decode(packet, len, &p) || !dae_decode(&p, &r))
		return 0;
	check(&r, packet, len);
	check_answer(&p, data[1] ? DAE_NOT_FOUND : DAE_OK, data[0] & 2);
	return 0;
}
