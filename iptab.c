/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and routes of sessions: one map of (length, prefix) -> session and the
 * set of lengths in use. A lookup asks for the whole address first, which is nearly
 * always the answer, then for the other lengths in use, longest first.
 */
#include "iptab.h"
#include "hash.h"
#include "util.h"

#include <arpa/inet.h>

static struct hash tab;
static uint32_t per_length[33];
static uint64_t lengths; /* a bit a prefix length in use */

void
iptab_init(uint32_t routes)
{
	hash_init(&tab, "addresses and routes", routes);
}

static uint64_t
key(uint32_t addr, unsigned int len)
{
	return (uint64_t)len << 32 | addr;
}

int
iptab_add(uint32_t addr, unsigned int len, sess_id s)
{
	sess_id owner = iptab_exact(addr, len);

	if (owner)
		return owner == s ? 0 : -1;
	if (hash_put(&tab, key(addr, len), s) < 0)
		return -1;
	per_length[len]++;
	lengths |= UINT64_C(1) << len;
	return 0;
}

void
iptab_del(uint32_t addr, unsigned int len, sess_id s)
{
	if (iptab_exact(addr, len) != s)
		return;
	hash_del(&tab, key(addr, len));
	if (--per_length[len] == 0)
		lengths &= ~(UINT64_C(1) << len);
}

sess_id
iptab_exact(uint32_t addr, unsigned int len)
{
	return hash_get(&tab, key(addr, len));
}

sess_id
iptab_lookup(uint32_t addr)
{
	sess_id s = hash_get(&tab, key(addr, 32));
	uint64_t left = lengths & UINT32_MAX; /* 0..31 */

	while (!s && left) {
		unsigned int len = 63 - (unsigned int)__builtin_clzll(left);

		s = hash_get(&tab, key(addr & ip4_mask(len), len));
		left &= ~(UINT64_C(1) << len);
	}
	return s;
}

void
iptab_prefetch(uint32_t addr)
{
	hash_prefetch(&tab, key(addr, 32));
}

uint32_t
iptab_count(void)
{
	return tab.used;
}
