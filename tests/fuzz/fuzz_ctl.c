/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An nsctl message. What is one must be written again as the same octets, must check once
 * we have signed it, and its words must be strings inside the message.
 */
#include "ctlmsg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_words(const struct ctlmsg *m)
{
	const char *end = m->words + sizeof(m->words);
	int i;

	for (i = 0; i < m->argc; i++)
		if (m->argv[i] < m->words || m->argv[i] + strlen(m->argv[i]) >= end)
			abort();
	if (m->argv[m->argc] || m->argv[0][0] == '\0')
		abort();
}

static void
check_text(const struct ctlmsg *m, const uint8_t *data, size_t size)
{
	const uint8_t *text = (const uint8_t *)m->text;

	if (text < data || text + m->text_len > data + size || m->part >= m->parts)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[CTLMSG_MAX_PACKET];
	struct ctlmsg m;
	size_t len;

	if (!ctlmsg_decode(data, size, &m))
		return 0;
	if (m.type == CTLMSG_COMMAND)
		check_words(&m);
	if (m.type == CTLMSG_REPLY)
		check_text(&m, data, size);
	len = ctlmsg_encode(&m, "secret", again, sizeof(again));
	if (len != size || memcmp(again, data, size - (m.is_signed ? CTLMSG_MAC : 0)) != 0)
		abort();
	if (m.is_signed && !ctlmsg_verify(again, len, "secret"))
		abort();
	return 0;
}
