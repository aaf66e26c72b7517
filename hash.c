/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The u64 -> u32 map behind sessions by wire id, by address and the like. Deletion
 * shifts the following cells back, so there are no tombstones and a map that was
 * full once is as quick as a new one. The map doubles when three quarters are in use, and
 * shrinks when it empties. As several maps of as many entries would double in the same turn,
 * entries move a few at a time, with each new one; until all have, the cells of before are looked
 * at too. What has moved out of those is marked, as an empty cell would end the search.
 */
#include "hash.h"
#include "log.h"
#include "util.h"

#include <string.h>
#include <sys/mman.h>

enum { FEWEST_CELLS = 1024, MOVED_A_PUT = 8 };

static uint32_t
scatter(const struct hash *h, uint64_t key)
{
	key = (key ^ h->seed) * UINT64_C(0x9e3779b97f4a7c15);
	key ^= key >> 32;
	key *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(key >> 32);
}

static uint32_t
home(const struct hash *h, uint64_t key)
{
	return scatter(h, key) & h->mask;
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
	h->old = NULL;
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

/* Where it is among the cells of before; NULL: not there. */
static struct hash_cell *
find_old(const struct hash *h, uint64_t key)
{
	uint32_t i;

	if (!h->old)
		return NULL;
	for (i = scatter(h, key) & h->old_mask; h->old[i].value; i = (i + 1) & h->old_mask)
		if (h->old[i].key == key && !h->old[i].moved)
			return &h->old[i];
	return NULL;
}

uint32_t
hash_get(const struct hash *h, uint64_t key)
{
	uint32_t value = h->cells[find(h, key)].value;
	const struct hash_cell *old;

	if (value || !h->old)
		return value;
	old = find_old(h, key);
	return old ? old->value : 0;
}

/* Takes it out of the cells of before; 0: not there. */
static uint32_t
take_old(struct hash *h, uint64_t key)
{
	struct hash_cell *old = find_old(h, key);

	if (!old)
		return 0;
	old->moved = 1;
	return old->value;
}

static void
drop_old(struct hash *h)
{
	if (h->old)
		munmap(h->old, ((size_t)h->old_mask + 1) * sizeof(*h->old));
	h->old = NULL;
}

static void
move_some(struct hash *h, uint32_t n)
{
	struct hash_cell *old;

	for (; h->old && n > 0; n--) {
		old = &h->old[h->moving];
		if (old->value && !old->moved) {
			h->cells[find(h, old->key)] =
			    (struct hash_cell){ .key = old->key, .value = old->value };
			old->moved = 1;
		}
		if (h->moving++ == h->old_mask)
			drop_old(h);
	}
}

/* A mapping of `n` cells; all entries are to move there. Without memory for it all stays as it is.
 */
static int
resize(struct hash *h, size_t n)
{
	struct hash_cell *cells = new_cells(n);

	if (!cells)
		return -1;
	move_some(h, UINT32_MAX); /* of a growth before: nothing is left by now */
	h->old = h->cells;
	h->old_mask = h->mask;
	h->moving = 0;
	h->cells = cells;
	h->mask = (uint32_t)(n - 1);
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
		if (!take_old(h, key)) {
			if (!has_room(h))
				return -1;
			h->used++;
		}
		move_some(h, MOVED_A_PUT);
		cell = &h->cells[find(h, key)]; /* it may have moved */
	}
	cell->key = key;
	cell->value = value;
	return 0;
}

/* All are gone. */
static void
shrink(struct hash *h)
{
	if (h->mask >= FEWEST_CELLS && resize(h, FEWEST_CELLS) < 0)
		return;
	drop_old(h);
}

/* Closes a hole in a row of cells. */
static void
close_up(struct hash *h, uint32_t hole)
{
	uint32_t i;

	for (i = (hole + 1) & h->mask; h->cells[i].value; i = (i + 1) & h->mask) {
		uint32_t want = home(h, h->cells[i].key);

		/* cells whose home lies cyclically in (hole, i] stay */
		if (((i - want) & h->mask) < ((i - hole) & h->mask))
			continue;
		h->cells[hole] = h->cells[i];
		hole = i;
	}
	h->cells[hole].value = 0;
}

uint32_t
hash_del(struct hash *h, uint64_t key)
{
	uint32_t hole = find(h, key);
	uint32_t value = h->cells[hole].value;

	if (value)
		close_up(h, hole);
	else
		value = take_old(h, key);
	if (value && --h->used == 0)
		shrink(h);
	return value;
}

void
hash_clear(struct hash *h)
{
	struct hash_cell *few = h->mask >= FEWEST_CELLS ? new_cells(FEWEST_CELLS) : NULL;
	size_t size = ((size_t)h->mask + 1) * sizeof(*h->cells);

	drop_old(h);
	h->used = 0;
	if (!few) {
		memset(h->cells, 0, size);
		return;
	}
	munmap(h->cells, size);
	h->cells = few;
	h->mask = FEWEST_CELLS - 1;
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
