/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared and private mappings. The list of shared ones is kept so that a CLI
 * child can make them all read-only with one call.
 */
#include "shm.h"
#include "log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_MAPS = 256 };

static struct {
	void *addr;
	size_t size;
	bool shared;
} maps[MAX_MAPS];
static unsigned int n_maps;

static size_t
page_round(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

static void *
map(const char *what, size_t size, int kind)
{
	void *p;

	size = page_round(size);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		fatal("no memory for %s (%zu MiB): %s", what, size >> 20, strerror(errno));
	if (n_maps == MAX_MAPS)
		fatal("too many tables at %s", what);
	maps[n_maps].addr = p;
	maps[n_maps].size = size;
	maps[n_maps].shared = kind == MAP_SHARED;
	n_maps++;
	return p;
}

void *
shm_map(const char *what, size_t size)
{
	return map(what, size, MAP_SHARED);
}

void *
shm_map_private(const char *what, size_t size)
{
	return map(what, size, MAP_PRIVATE);
}

void *
shm_map_parent(const char *what, size_t size)
{
	void *p = map(what, size, MAP_PRIVATE);

	if (madvise(p, page_round(size), MADV_DONTFORK) < 0)
		plog(LOG_WARNING, "madvise for %s: %s", what, strerror(errno));
	return p;
}

static bool
is_shared(const void *addr)
{
	unsigned int i;

	for (i = 0; i < n_maps; i++)
		if (maps[i].addr == addr)
			return maps[i].shared;
	return false;
}

/* Pages that are locked (lock_pages) are let loose first, and what comes in their place locked. */
static int
give_back(void *p, size_t size, int advice)
{
	int result = madvise(p, size, advice);

	if (result == 0 || errno != EINVAL || munlock(p, size) < 0)
		return result;
	result = madvise(p, size, advice);
	if (mlock2(p, size, MLOCK_ONFAULT) < 0)
		plog(LOG_WARNING, "mlock2: %s", strerror(errno));
	return result;
}

void
shm_trim(void *addr, size_t size, size_t used)
{
	size_t from = page_round(used);

	size = page_round(size);
	if (from >= size)
		return;
	if (give_back((char *)addr + from, size - from,
		is_shared(addr) ? MADV_REMOVE : MADV_DONTNEED) < 0)
		plog(LOG_WARNING, "madvise: %s; memory stays in use", strerror(errno));
}

void
shm_read_only(void)
{
	unsigned int i;

	for (i = 0; i < n_maps; i++)
		if (maps[i].shared)
			mprotect(maps[i].addr, maps[i].size, PROT_READ);
}

void
shm_read_write(void *p)
{
	unsigned int i;

	for (i = 0; i < n_maps; i++)
		if (maps[i].addr == p)
			mprotect(p, maps[i].size, PROT_READ | PROT_WRITE);
}
