/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The u64 -> u32 map behind sessions by wire id, by address and the like. Deletion
 * shifts the following cells back, so there are no tombstones and a map that was
 * full once is as quick as a new one. When it empties, its pages are given back.
 */
#include "hash.h"
#include "shm.h"
#include "util.h"

static uint32_t
home(const struct hash *h, uint64_t key)
{
	key = (key ^ h->seed) * UINT64_C(0x9e3779b97f4a7c15);
	key ^= key >> 32;
	key *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(key >> 32) & h->mask;
}

void
hash_init(struct hash *h, const char *what, uint32_t limit)
{
	uint32_t cells = 64;

	while (cells < limit + (uint64_t)limit / 4)
		cells *= 2;
	h->cells = shm_map_private(what, cells * sizeof(*h->cells));
	h->mask = cells - 1;
	h->used = 0;
	h->limit = limit;
	random_bytes(&h->seed, sizeof(h->seed));
}

/* The cell that holds the key, or the empty one where it would go. */
static uint32_t
find(const struct hash *h, uint64_t key)
{
	uint32_t i = home(h, key);

	while (h->cells[i].value && h->cells[i].key != key)
		i = (i + 1) & h->mask;
	return i;
}

uint32_t
hash_get(const struct hash *h, uint64_t key)
{
	return h->cells[find(h, key)].value;
}

int
hash_put(struct hash *h, uint64_t key, uint32_t value)
{
	struct hash_cell *cell = &h->cells[find(h, key)];

	if (!cell->value && h->used == h->limit)
		return -1;
	if (!cell->value)
		h->used++;
	cell->key = key;
	cell->value = value;
	return 0;
}

uint32_t
hash_del(struct hash *h, uint64_t key)
{
	uint32_t hole = find(h, key);
	uint32_t value = h->cells[hole].value, i;

	if (!value)
		return 0;
	for (i = (hole + 1) & h->mask; h->cells[i].value; i = (i + 1) & h->mask) {
		uint32_t want = home(h, h->cells[i].key);

		/* cells whose home lies cyclically in (hole, i] stay */
		if (((i - want) & h->mask) < ((i - hole) & h->mask))
			continue;
		h->cells[hole] = h->cells[i];
		hole = i;
	}
	h->cells[hole].value = 0;
	if (--h->used == 0)
		shm_trim(h->cells, ((size_t)h->mask + 1) * sizeof(*h->cells), 0);
	return value;
}

uint64_t
hash_text(const char *text)
{
	static uint64_t seed;
	uint64_t h;

	while (!seed)
		random_bytes(&seed, sizeof(seed));
	for (h = seed; *text; text++) {
		h = (h ^ (uint8_t)*text) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 28;
	}
	return h;
}

void
hash_prefetch(const struct hash *h, uint64_t key)
{
	__builtin_prefetch(&h->cells[home(h, key)]);
}
