/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies to Access-Requests into struct auth_result. The input is a code (even: accept,
 * odd: reject) and the attributes; the header is made here, since its length field would
 * only keep the fuzzer busy.
 */
#include "rad_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct auth_result *res)
{
	if (!memchr(res->message, '\0', sizeof(res->message)) ||
	    !memchr(res->mschap, '\0', sizeof(res->mschap)) ||
	    !memchr(res->pool, '\0', sizeof(res->pool)))
		abort();
	if (res->n_filters > AUTH_MAX_FILTERS || res->n_routes > AUTH_MAX_ROUTES || res->n_class > AUTH_MAX_CLASS)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[RAD_MAX_PACKET] = { RAD_ACCESS_ACCEPT };
	size_t len = RAD_HEADER + size - 1;
	struct rad_packet p;
	struct auth_result res;

	if (size == 0 || len > sizeof(packet))
		return 0;
	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	memcpy(packet + RAD_HEADER, data + 1, size - 1);
	if (!rad_decode(packet, len, &p))
		return 0;
	if (data[0] & 1)
		radius_decode_reject(&p, &res);
	else
		radius_decode_accept(&p, &res);
	check(&res);
	return 0;
}
