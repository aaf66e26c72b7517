/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of configuration, one after the other as an operator types them. Whatever was
 * taken prints as lines that are taken again without an error, and that print the same.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char shown[2][MOST_TEXT];

static void
collect(void *arg, const char *line)
{
	strcat(arg, line);
	strcat(arg, "\n");
}

/* Each line of the text; the number of those refused. */
static int
take_lines(const char *text, size_t size)
{
	struct config_mode mode = { 0 };
	const char *end = text + size, *next;
	char line[8192], why[512];
	int refused = 0;

	for (; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (!next)
			next = end;
		snprintf(line, sizeof(line), "%.*s", (int)(next - text), text);
		refused += config_line(&mode, line, why, sizeof(why)) < 0;
	}
	return refused;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	shown[0][0] = shown[1][0] = '\0';
	config_init();
	take_lines((const char *)data, size);
	config_show(collect, shown[0], true);
	config_init();
	if (take_lines(shown[0], strlen(shown[0])) > 0)
		abort();
	config_show(collect, shown[1], true);
	if (strcmp(shown[0], shown[1]) != 0)
		abort();
	return 0;
}
