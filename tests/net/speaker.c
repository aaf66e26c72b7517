/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BGP speaker of the daemon alone: its neighbours are those of the configuration file, its
 * routes what standard input says, which are more than a test can make sessions for, and IPv6.
 *
 *	speaker FILE
 *	add PREFIX | del PREFIX | cover PREFIX | uncover PREFIX
 *	many N | few N | serve | withdraw
 *
 * `cover` adds a network as a whole, which covers those inside, as the pool's do;
 * `many` adds and `few` deletes N addresses from 10.64.0.0 on. Each line is answered by one: the
 * IPv4 routes that are announced, what the first neighbour has been sent and had withdrawn,
 * whether something waits for him, how often he was Established, the longest turn in us.
 */
#include "bgp.h"
#include "bgp_route.h"
#include "counter.h"
#include "loop.h"
#include "timer.h"
#include "util.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUTES = 400000, FIRST = 0x0a400000 };

static bool
parse_prefix(const char *text, struct bgp_prefix *p)
{
	char addr[64];
	const char *slash = strchr(text, '/');

	*p = (struct bgp_prefix){ .afi = strchr(text, ':') ? BGP_IP6 : BGP_IP4 };
	if (!slash || !str_copy_n(addr, sizeof(addr), text, (size_t)(slash - text)))
		return false;
	p->len = (uint8_t)atoi(slash + 1);
	return inet_pton(p->afi == BGP_IP6 ? AF_INET6 : AF_INET, addr, p->addr) == 1;
}

static void
many(uint32_t n, void (*fn)(uint32_t addr, unsigned int len, bool whole))
{
	uint32_t i;

	for (i = 0; i < n; i++)
		fn(htonl(FIRST + i), 32, false);
}

static void
obey(const char *word, const char *value)
{
	struct bgp_prefix p;

	if (strcmp(word, "many") == 0)
		many((uint32_t)atoi(value), bgp_route_add4);
	else if (strcmp(word, "few") == 0)
		many((uint32_t)atoi(value), bgp_route_del4);
	else if (strcmp(word, "add") == 0 && parse_prefix(value, &p))
		bgp_route_add(&p, false);
	else if (strcmp(word, "del") == 0 && parse_prefix(value, &p))
		bgp_route_del(&p, false);
	else if (strcmp(word, "cover") == 0 && parse_prefix(value, &p))
		bgp_route_add(&p, true);
	else if (strcmp(word, "uncover") == 0 && parse_prefix(value, &p))
		bgp_route_del(&p, true);
	else if (strcmp(word, "serve") == 0 || strcmp(word, "withdraw") == 0)
		bgp_serve(word[0] == 's');
}

static void
answer(void)
{
	struct bgp_view v = { 0 };

	bgp_view(0, &v);
	printf("%" PRIu32 " %" PRIu64 " %" PRIu64 " %d %" PRIu64 " %" PRIu64 "\n",
	    bgp_route_count(BGP_IP4), v.sent, v.withdrawn, v.pending, v.ups,
	    counters->loop_longest_us);
	counters->loop_longest_us = 0;
	fflush(stdout);
}

static void
on_line(int fd, void *unused)
{
	char text[128], word[16] = "", value[64] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);

	(void)unused;
	if (n <= 0) {
		loop_stop();
		return;
	}
	text[n] = '\0';
	sscanf(text, "%15s %63s", word, value);
	obey(word, value);
	answer();
}

static void
on_error(const char *line)
{
	fprintf(stderr, "%s\n", line);
	exit(1);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		on_error("expected: speaker FILE");
	loop_clock();
	timer_run(loop_now_ms());
	config_init();
	config_read(argv[1], on_error);
	counter_init();
	bgp_route_init(ROUTES);
	bgp_init();
	bgp_start();
	bgp_serve(true);
	loop_at_turn_end(bgp_turn_end);
	if (loop_add(STDIN_FILENO, on_line, NULL) < 0)
		return 1;
	loop_run();
	bgp_fini();
	return 0;
}
