/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookup of a packet's destination with 200,000 sessions that have an address and a
 * route each (SPEC 8: no more than about 100 ns), printed as lines "what: figure unit".
 * Destinations come in random order, so that nearly each is a cache miss, which is more
 * than a line of subscribers with bursts of packets costs.
 */
#include "iptab.h"
#include "util.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SESSIONS = 200000, LOOKUPS = 1 << 20, ROUNDS = 8, BATCH = 64 };

static uint32_t route[SESSIONS + 1], wanted[LOOKUPS];
static unsigned int length[SESSIONS + 1];

static uint32_t
random32(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint32_t
address_of(uint32_t s)
{
	return htonl(0x0a000000 + s);
}

/* Networks as ISPs give them: small ones mostly, a /24 now and then, few of a /16. */
static unsigned int
some_length(unsigned int kinds)
{
	static const uint8_t usual[] = { 29, 30, 28, 29, 27, 24, 26, 25, 23, 22, 21, 20, 19, 18, 17,
		16 };

	return usual[random32() % kinds];
}

static void
fill(unsigned int kinds)
{
	uint32_t s;

	for (s = 1; s <= SESSIONS; s++) {
		iptab_add(address_of(s), 32, s);
		do {
			length[s] = some_length(kinds);
			route[s] = htonl(0x20000000 | random32() >> 3) & ip4_mask(length[s]);
		} while (iptab_add(route[s], length[s], s) < 0);
	}
}

static void
empty(void)
{
	uint32_t s;

	for (s = 1; s <= SESSIONS; s++) {
		iptab_del(address_of(s), 32, s);
		iptab_del(route[s], length[s], s);
	}
}

/* The best of some rounds: what the machine can do, not what else it had to do. */
static void
measure(const char *what, unsigned int kinds)
{
	double best = 1e9, start;
	unsigned int round, i;
	uint64_t sum = 0;

	for (round = 0; round < ROUNDS; round++) {
		start = now_ns();
		for (i = 0; i < LOOKUPS; i++) {
			if (i % BATCH == 0 && i + BATCH <= LOOKUPS) /* as data_from_tun() does */
				for (unsigned int j = i; j < i + BATCH; j++)
					iptab_prefetch(wanted[j]);
			sum += iptab_lookup(wanted[i]);
		}
		start = now_ns() - start;
		best = start / LOOKUPS < best ? start / LOOKUPS : best;
	}
	printf("lookup, %s, %u route lengths: %.0f ns\n", what, kinds, best);
	if (sum == 1)
		puts("");
}

int
main(void)
{
	static const unsigned int kinds[] = { 4, 8, 16 };
	unsigned int k, i;
	uint32_t s;

	iptab_init(4 * SESSIONS);
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		fill(kinds[k]);
		for (i = 0; i < LOOKUPS; i++)
			wanted[i] = address_of(1 + random32() % SESSIONS);
		measure("a session's address", kinds[k]);
		for (i = 0; i < LOOKUPS; i++) {
			s = 1 + random32() % SESSIONS;
			wanted[i] = route[s] | (htonl(random32()) & ~ip4_mask(length[s]));
		}
		measure("an address behind one", kinds[k]);
		for (i = 0; i < LOOKUPS; i++)
			wanted[i] = htonl(0xc0000000 | random32() >> 3);
		measure("nobody's address", kinds[k]);
		empty();
	}
	return 0;
}
