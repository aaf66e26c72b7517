/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and routes of sessions: one map of (length, prefix) -> session. A lookup asks
 * for the whole address first, which is nearly always the answer, then for the lengths
 * that are in use in his part of the net, longest first.
 *
 * Which those are is told by a word for each /20, a bit a length: customers' networks of
 * many lengths seldom lie in one /20, so that one or two more questions are all, however
 * many lengths there are in all. A route wider than a /20 has its bit in each that it
 * covers; those wider than a /8 have theirs in one word for all. Of longer ones it is
 * counted how many each /20 has. The words are touched as used, 4 MB at most.
 */
#include "iptab.h"
#include "hash.h"
#include "shm.h"
#include "util.h"

#include <arpa/inet.h>

enum { BLOCK_LEN = 20, SHORT_LEN = 8, HOST_LEN = 32 };

static struct hash tab;
static uint32_t *blocks;       /* lengths in use in each /20, from SHORT_LEN on */
static struct hash in_block;   /* (length, /20) -> entries longer than BLOCK_LEN */
static uint32_t short_lengths; /* the others in use */
static uint32_t per_short[SHORT_LEN];

void
iptab_init(uint32_t routes)
{
	hash_init(&tab, "addresses and routes", routes);
	hash_init(&in_block, "routes by part of the net", routes);
	blocks = shm_map_private("lengths of routes", (1u << BLOCK_LEN) * sizeof(*blocks));
}

static uint64_t
key(uint32_t addr, unsigned int len)
{
	return (uint64_t)len << 32 | addr;
}

static uint32_t
block_of(uint32_t addr)
{
	return ntohl(addr) >> (HOST_LEN - BLOCK_LEN);
}

static void
mark(uint32_t addr, unsigned int len, bool on)
{
	uint32_t first = block_of(addr), n = len < BLOCK_LEN ? 1u << (BLOCK_LEN - len) : 1, i;

	for (i = 0; i < n; i++)
		blocks[first + i] = (blocks[first + i] & ~(1u << len)) | (uint32_t)on << len;
}

/* A lookup is to ask for this one's length, too. */
static int
add_length(uint32_t addr, unsigned int len)
{
	uint64_t part = key(block_of(addr), len);

	if (len == HOST_LEN)
		return 0;
	if (len < SHORT_LEN) {
		per_short[len]++;
		short_lengths |= 1u << len;
		return 0;
	}
	if (len > BLOCK_LEN && hash_put(&in_block, part, hash_get(&in_block, part) + 1) < 0)
		return -1;
	mark(addr, len, true);
	return 0;
}

static void
del_length(uint32_t addr, unsigned int len)
{
	uint64_t part = key(block_of(addr), len);
	uint32_t left = 0;

	if (len == HOST_LEN)
		return;
	if (len < SHORT_LEN) {
		if (--per_short[len] == 0)
			short_lengths &= ~(1u << len);
		return;
	}
	if (len > BLOCK_LEN)
		left = hash_get(&in_block, part) - 1;
	if (left)
		hash_put(&in_block, part, left);
	else
		hash_del(&in_block, part);
	if (!left)
		mark(addr, len, false);
}

int
iptab_add(uint32_t addr, unsigned int len, sess_id s)
{
	sess_id owner = iptab_exact(addr, len);

	if (owner)
		return owner == s ? 0 : -1;
	if (hash_put(&tab, key(addr, len), s) < 0)
		return -1;
	if (add_length(addr, len) < 0) {
		hash_del(&tab, key(addr, len));
		return -1;
	}
	return 0;
}

void
iptab_del(uint32_t addr, unsigned int len, sess_id s)
{
	if (iptab_exact(addr, len) != s)
		return;
	hash_del(&tab, key(addr, len));
	del_length(addr, len);
}

sess_id
iptab_exact(uint32_t addr, unsigned int len)
{
	return hash_get(&tab, key(addr, len));
}

sess_id
iptab_lookup(uint32_t addr)
{
	sess_id s = hash_get(&tab, key(addr, HOST_LEN));
	uint32_t left;
	unsigned int len;

	if (s)
		return s;
	for (left = blocks[block_of(addr)] | short_lengths; left && !s; left &= ~(1u << len)) {
		len = 31 - (unsigned int)__builtin_clz(left);
		s = hash_get(&tab, key(addr & ip4_mask(len), len));
	}
	return s;
}

void
iptab_prefetch(uint32_t addr)
{
	hash_prefetch(&tab, key(addr, HOST_LEN));
	__builtin_prefetch(&blocks[block_of(addr)]);
}

uint32_t
iptab_count(void)
{
	return tab.used;
}
