/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hierarchical bitmaps over ids, four levels of 64: up to 16 million. Two trees,
 * since "lowest free" asks where a word is not full and "highest used" where it
 * is not empty.
 */
#include "idset.h"
#include "shm.h"

static uint32_t
words_at(uint32_t limit, unsigned int level)
{
	return (limit >> (6 * (level + 1))) + 1;
}

void
idset_init(struct idset *set, const char *what, uint32_t limit)
{
	size_t total = 0;
	unsigned int level;
	uint64_t *words;

	for (level = 0; level < IDSET_LEVELS; level++)
		total += 2 * words_at(limit, level);
	words = shm_map_private(what, total * sizeof(*words));
	for (level = 0; level < IDSET_LEVELS; level++) {
		set->full[level] = words;
		words += words_at(limit, level);
		set->any[level] = level == 0 ? set->full[0] : words;
		words += words_at(limit, level);
	}
	set->limit = limit;
	set->used = 0;
	set->full[0][0] = 1; /* id 0 is never given out */
}

static void
use(struct idset *set, uint32_t id)
{
	uint32_t i = id;
	int level;

	for (level = 0; level < IDSET_LEVELS; level++, i /= 64) {
		set->full[level][i / 64] |= UINT64_C(1) << (i % 64);
		if (~set->full[level][i / 64])
			break;
	}
	for (level = 1, i = id / 64; level < IDSET_LEVELS; level++, i /= 64)
		set->any[level][i / 64] |= UINT64_C(1) << (i % 64);
	set->used++;
}

uint32_t
idset_lowest(const struct idset *set)
{
	uint32_t id = 0;
	int level;

	if (set->used == set->limit)
		return 0;
	for (level = IDSET_LEVELS - 1; level >= 0; level--)
		id = id * 64 + (uint32_t)__builtin_ctzll(~set->full[level][id]);
	return id;
}

uint32_t
idset_take(struct idset *set)
{
	uint32_t id = idset_lowest(set);

	if (id)
		use(set, id);
	return id;
}

bool
idset_claim(struct idset *set, uint32_t id)
{
	if (id == 0 || id > set->limit || set->full[0][id / 64] & UINT64_C(1) << (id % 64))
		return false;
	use(set, id);
	return true;
}

void
idset_give(struct idset *set, uint32_t id)
{
	uint32_t i = id;
	int level;

	for (level = 0; level < IDSET_LEVELS; level++, i /= 64)
		set->full[level][i / 64] &= ~(UINT64_C(1) << (i % 64));
	for (level = 1, i = id / 64; level < IDSET_LEVELS; level++, i /= 64) {
		if (set->any[level - 1][i])
			break;
		set->any[level][i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
	set->used--;
}

uint32_t
idset_highest(const struct idset *set)
{
	uint32_t id = 0;
	int level;

	if (set->used == 0)
		return 0;
	for (level = IDSET_LEVELS - 1; level >= 0; level--)
		id = id * 64 + 63 - (uint32_t)__builtin_clzll(set->any[level][id]);
	return id;
}
