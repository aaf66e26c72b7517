/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence numbers that let a reader in another process copy a record which the
 * parent may be writing: odd while open; the reader compares before and after.
 */
#ifndef SEQ_H
#define SEQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SEQ_TRIES = 1000 };

static inline void
seq_begin(uint32_t *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
}

static inline void
seq_end(uint32_t *seq)
{
	atomic_thread_fence(memory_order_release);
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELAXED);
}

/* Copies `size` octets at `from`, whose number is `seq`; false when it was busy every time. */
static inline bool
seq_copy(const uint32_t *seq, void *to, const void *from, size_t size)
{
	int i;

	for (i = 0; i < SEQ_TRIES; i++) {
		uint32_t before = __atomic_load_n(seq, __ATOMIC_ACQUIRE);

		if (before & 1)
			continue;
		memcpy(to, from, size);
		atomic_thread_fence(memory_order_acquire);
		if (__atomic_load_n(seq, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

#endif
