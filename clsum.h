/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of a session and how they are reckoned with, for clcount.c and clfinal.c. Of the group
 * of cluster.c.
 */
#ifndef CLSUM_H
#define CLSUM_H

#include "util.h"

struct clsum {
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};

static inline struct clsum
clsum_minus(struct clsum a, struct clsum b)
{
	return (struct clsum){ a.rx_bytes - b.rx_bytes, a.rx_packets - b.rx_packets,
		a.tx_bytes - b.tx_bytes, a.tx_packets - b.tx_packets };
}

static inline struct clsum
clsum_higher(struct clsum a, struct clsum b)
{
	return (struct clsum){ MAX(a.rx_bytes, b.rx_bytes), MAX(a.rx_packets, b.rx_packets),
		MAX(a.tx_bytes, b.tx_bytes), MAX(a.tx_packets, b.tx_packets) };
}

static inline struct clsum
clsum_lower(struct clsum a, struct clsum b)
{
	return (struct clsum){ MIN(a.rx_bytes, b.rx_bytes), MIN(a.rx_packets, b.rx_packets),
		MIN(a.tx_bytes, b.tx_bytes), MIN(a.tx_packets, b.tx_packets) };
}

/* How much a figure is above another. */
static inline struct clsum
clsum_above(struct clsum a, struct clsum b)
{
	return clsum_minus(clsum_higher(a, b), b);
}

static inline void
clsum_add(struct clsum *to, struct clsum n)
{
	to->rx_bytes += n.rx_bytes;
	to->rx_packets += n.rx_packets;
	to->tx_bytes += n.tx_bytes;
	to->tx_packets += n.tx_packets;
}

static inline bool
clsum_is_zero(struct clsum n)
{
	return n.rx_packets == 0 && n.tx_packets == 0;
}

#endif
