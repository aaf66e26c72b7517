/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The u64 -> u32 map behind sessions by wire id, by address and the like. Deletion
 * shifts the following cells back, so there are no tombstones and a map that was
 * full once is as quick as a new one. The map doubles when three quarters are in use,
 * which takes a few milliseconds at a hundred thousand entries and happens a dozen
 * times in the life of the process; it shrinks when it empties.
 */
#include "hash.h"
#include "log.h"
#include "util.h"

#include <sys/mman.h>

enum { FEWEST_CELLS = 1024 };

static uint32_t
home(const struct hash *h, uint64_t key)
{
	key = (key ^ h->seed) * UINT64_C(0x9e3779b97f4a7c15);
	key ^= key >> 32;
	key *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(key >> 32) & h->mask;
}

static struct hash_cell *
new_cells(size_t n)
{
	void *p = mmap(NULL, n * sizeof(struct hash_cell), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
hash_init(struct hash *h, const char *what, uint32_t limit)
{
	h->cells = new_cells(FEWEST_CELLS);
	if (!h->cells)
		fatal("no memory for %s", what);
	h->mask = FEWEST_CELLS - 1;
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

/* Moves all entries to a mapping of `n` cells. Without memory for it all stays as it is. */
static int
resize(struct hash *h, size_t n)
{
	struct hash_cell *old = h->cells, *cells = new_cells(n);
	size_t old_n = (size_t)h->mask + 1, i;

	if (!cells)
		return -1;
	h->cells = cells;
	h->mask = (uint32_t)(n - 1);
	for (i = 0; i < old_n; i++)
		if (old[i].value)
			cells[find(h, old[i].key)] = old[i];
	munmap(old, old_n * sizeof(*old));
	return 0;
}

/* Room for one more; a quarter of the cells stays empty. */
static bool
has_room(struct hash *h)
{
	size_t n = (size_t)h->mask + 1;

	if (h->used == h->limit)
		return false;
	if (h->used < n / 4 * 3)
		return true;
	return resize(h, 2 * n) == 0 || h->used < h->mask;
}

int
hash_put(struct hash *h, uint64_t key, uint32_t value)
{
	struct hash_cell *cell = &h->cells[find(h, key)];

	if (!cell->value) {
		if (!has_room(h))
			return -1;
		h->used++;
		cell = &h->cells[find(h, key)]; /* it may have moved */
	}
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
	if (--h->used == 0 && h->mask >= FEWEST_CELLS)
		resize(h, FEWEST_CELLS);
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
