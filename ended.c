/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of the sessions that this master has ended, each with its Stop. Two masters on both
 * sides of a broken link hold the same sessions; a LAC or an operator who ends one tells the
 * one master that he reaches. When the link heals, the one that steps down offers this list
 * (clsync.c), and the other drops without a word what it holds of it: it would be dead for
 * the subscriber, and its Stop a second one. For the same reason the other does not take
 * what it has ended itself.
 *
 * What ended since nobody answered (sess_end.guess) is not offered: the answers may have gone
 * to the other master, where the session is well.
 *
 * Written by session_free(), read by the cluster's synchronisation.
 */
#include "ended.h"
#include "hash.h"
#include "shm.h"

static struct ended *ring; /* by number modulo ENDED_MOST */
static uint32_t first, count;
static struct hash by_unique; /* place in the ring, from 1 */

void
ended_init(void)
{
	ring = shm_map_private("sessions ended", ENDED_MOST * sizeof(*ring));
	hash_init(&by_unique, "sessions ended, by number", ENDED_MOST);
}

static struct ended *
at(uint32_t pos)
{
	return &ring[(first + pos - 1) % ENDED_MOST];
}

static void
forget_first(void)
{
	hash_del(&by_unique, at(1)->unique);
	first = (first + 1) % ENDED_MOST;
	count--;
}

void
ended_note(const struct ended *e)
{
	if (!ring)
		return;
	if (count == ENDED_MOST)
		forget_first();
	count++;
	*at(count) = *e;
	hash_put(&by_unique, e->unique, (uint32_t)(at(count) - ring) + 1);
}

bool
ended_has(uint32_t unique)
{
	return count && hash_get(&by_unique, unique) != 0;
}

uint32_t
ended_count(void)
{
	return count;
}

const struct ended *
ended_get(uint32_t pos)
{
	return pos && pos <= count ? at(pos) : NULL;
}

void
ended_clear(void)
{
	while (count)
		forget_first();
}
