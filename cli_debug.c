/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `debug`. A ring is an array of slots, used in turn; line number n lies in slot
 * n % SLOTS. The parent takes the slot's number off, writes the line, and puts its own
 * number there; the child copies the line and looks whether the number is still the
 * same. A child that falls behind by more than the ring loses lines, knows how many,
 * and tells. Rings are separate, so that what one operator asks for in plenty takes
 * nothing from another.
 *
 * libcli waits for keys, a tick at a time; lines are printed between ticks, so a
 * command's own output is never mixed with them.
 */
#include "cli_debug.h"
#include "shm.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	SLOTS = 2048,
	LINE = 1110,  /* the longest line that log.c makes fits */
	A_TICK = 400, /* lines printed before keys are looked at again */
	TICK_US = 100000,
};

struct slot {
	uint64_t number; /* of the line that is in it, from 1; 0: is being written */
	uint16_t len;
	char text[LINE];
};

struct ring {
	uint64_t last; /* number of the newest line */
	struct slot slots[SLOTS];
};

static struct ring *rings;
static unsigned int n_rings;

/* ---- in the parent ---- */

static int *levels; /* by place; -1: nobody there */

static void
put_line(struct ring *r, const char *line, size_t len)
{
	uint64_t number = r->last + 1;
	struct slot *slot = &r->slots[number % SLOTS];

	__atomic_store_n(&slot->number, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
	slot->len = (uint16_t)MIN(len, sizeof(slot->text));
	memcpy(slot->text, line, slot->len);
	__atomic_store_n(&slot->number, number, __ATOMIC_RELEASE);
	__atomic_store_n(&r->last, number, __ATOMIC_RELEASE);
}

static void
on_line(int level, const char *line, size_t len)
{
	unsigned int i;

	for (i = 0; i < n_rings; i++)
		if (level <= levels[i])
			put_line(&rings[i], line, len);
}

void
cli_debug_init(unsigned int places)
{
	unsigned int i;

	rings = shm_map("debug lines", places * sizeof(*rings));
	levels = shm_map_private("debug levels", places * sizeof(*levels));
	n_rings = places;
	for (i = 0; i < places; i++)
		levels[i] = -1;
}

void
cli_debug_set(unsigned int place, int level)
{
	int highest = -1;
	unsigned int i;

	levels[place] = level;
	for (i = 0; i < n_rings; i++)
		highest = MAX(highest, levels[i]);
	log_set_sink(highest < 0 ? NULL : on_line, highest);
}

static const struct {
	const char *name, *help;
	int level;
} names[] = {
	{ "critical", "The service is down or about to be", LOG_CRITICAL },
	{ "error", "Something an operator must look at", LOG_ERROR },
	{ "warning", "Something odd that was dealt with", LOG_WARNING },
	{ "info", "Control packets' parameters", LOG_INFO },
	{ "calls", "Steps of a call, state changes", LOG_CALL },
	{ "data", "Each packet, with hex dump", LOG_PACKET },
	{ "all", "Everything but data", LOG_CALL },
};

int
cli_debug_level(const char *text)
{
	size_t i, n = strlen(text);

	if (strcmp(text, "off") == 0)
		return -1;
	if (n == 1 && text[0] >= '0' + LOG_CRITICAL && text[0] <= '0' + LOG_PACKET)
		return text[0] - '0';
	for (i = 0; n && i < ARRAY_LEN(names); i++)
		if (strncasecmp(names[i].name, text, n) == 0)
			return names[i].level;
	return strcasecmp(text, "packet") == 0 ? LOG_PACKET : -2;
}

/* ---- in the child ---- */

static const struct ring *ring;
static uint64_t seen, lost; /* number of the line printed last; lines lost since the last telling */
static int my_level = DEBUG_START;

void
cli_debug_attach(unsigned int place)
{
	ring = &rings[place];
	seen = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
}

/* The next line, with its NUL; false when there is none. Counts those that are gone. */
static bool
next_line(char text[LINE + 1])
{
	uint64_t last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
	const struct slot *slot;
	size_t len;

	if (last - seen > SLOTS) {
		lost += last - seen - SLOTS;
		seen = last - SLOTS;
	}
	for (; seen < last; lost++) {
		slot = &ring->slots[++seen % SLOTS];
		if (__atomic_load_n(&slot->number, __ATOMIC_ACQUIRE) != seen)
			continue;
		len = MIN(slot->len, LINE);
		memcpy(text, slot->text, len);
		text[len] = '\0';
		atomic_thread_fence(memory_order_acquire);
		if (__atomic_load_n(&slot->number, __ATOMIC_RELAXED) == seen)
			return true;
	}
	return false;
}

static void
tell_of_lost(struct cli_def *cli)
{
	if (lost)
		cli_print(
		    cli, "(%llu lines were lost: they came too fast)", (unsigned long long)lost);
	lost = 0;
}

void
cli_debug_drain(struct cli_def *cli)
{
	char text[LINE + 1];
	unsigned int n;

	for (n = 0; n < A_TICK && next_line(text); n++) {
		if (n == 0)
			cli_print(cli, "%s", ""); /* off the prompt's line */
		tell_of_lost(cli);
		cli_print(cli, "%s", text);
	}
	if (n)
		cli_reprompt(cli);
}

static void
change(struct cli_def *cli, const char *text)
{
	const char *const words[] = { "debug", text };
	char answer[CLI_ANSWER];

	if (!cli_ask(answer, ARRAY_LEN(words), words)) {
		cli_error(cli, "%s", answer);
		return;
	}
	my_level = cli_debug_level(text);
	if (my_level < 0)
		seen = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
	cli->timeout_tm = my_level > DEBUG_START ? (struct timeval){ .tv_usec = TICK_US }
						 : (struct timeval){ .tv_sec = 1 };
}

static void
show_level(struct cli_def *cli)
{
	char text[128] = "";
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(names) - 1; i++)
		if (names[i].level <= my_level)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", names[i].name);
	if (my_level < 0)
		cli_print(cli, "Debugging off");
	else
		cli_print(cli, "Currently debugging:%s", text);
}

static void
cmd_debug(struct cli_def *cli, int argc, char **argv)
{
	if (argc == 0)
		show_level(cli);
	else
		change(cli, argv[0]);
}

static void
cmd_no_debug(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	change(cli, "off");
}

static void
hint_debug(struct cli_def *cli, int argc, char **argv)
{
	size_t i, typed = strcspn(argv[argc - 1], "?");

	for (i = 0; argc == 1 && i < ARRAY_LEN(names); i++)
		if (strncmp(names[i].name, argv[0], typed) == 0)
			cli_print(cli, "  %-20s %s", names[i].name, names[i].help);
	if (argc > 1 || typed == 0)
		cli_print(cli, "  <cr>");
}

const struct command *
cli_debug_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "debug", USER, EXEC, cmd_debug, 0, 1, "[LEVEL|all]",
		    "this level and graver ones; 0..5 too",
		    "Show log lines on this connection; alone: tell what is shown", hint_debug,
		    NULL },
		{ "no debug", USER, EXEC, cmd_no_debug, 0, 0, "", "", "Show no log lines any more",
		    NULL, NULL },
		{ 0 },
	};

	return table;
}
