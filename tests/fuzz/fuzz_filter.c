/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets against access lists. The input is lines of an extended list, a NUL, and an IP
 * packet, which lies at the very end of its memory. Asking twice gives the same answer,
 * and one hit each time, of a rule or of the rest.
 */
#include "config.h"
#include "filter.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_lines(const char *text)
{
	struct config_mode mode = { 0 };
	char line[1024], why[512];
	size_t n;

	config_line(&mode, "no ip access-list extended x", why, sizeof(why));
	config_line(&mode, "ip access-list extended x", why, sizeof(why));
	for (; *text; text += n + (text[n] != '\0')) {
		n = strcspn(text, "\n");
		if (n >= sizeof(line) || strncmp(text, "ip", 2) == 0)
			continue;
		memcpy(line, text, n);
		line[n] = '\0';
		config_line(&mode, line, why, sizeof(why));
	}
}

static uint64_t
all_hits(uint8_t list)
{
	struct conf_rule rule;
	struct filter_row row;
	uint64_t hits, sum;
	unsigned int i;

	if (!filter_row(list, &row))
		abort();
	for (i = 0, sum = row.rest; i < row.n; i++, sum += hits)
		if (!filter_rule(list, i, &rule, &hits))
			abort();
	return sum;
}

static void
try(uint8_t list, const uint8_t *data, size_t len)
{
	uint8_t *packet = malloc(len);
	uint64_t before = all_hits(list);
	struct ip4 ip;
	bool permitted;

	if (!packet)
		abort();
	memcpy(packet, data, len);
	if (ip4_decode(packet, len, &ip)) {
		permitted = filter_permits(list, &ip);
		if (filter_permits(list, &ip) != permitted || all_hits(list) != before + 2)
			abort();
	}
	free(packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	const uint8_t *nul = memchr(data, '\0', size);

	if (!ready) {
		config_init();
		log_set_level(-1);
		filter_init();
		ready = true;
	}
	if (!nul || nul + 1 == data + size)
		return 0;
	take_lines((const char *)data);
	if (filter_find("x"))
		try(filter_find("x"), nul + 1, (size_t)(data + size - nul) - 1);
	return 0;
}
