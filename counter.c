/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counter block and its description for printing. Everybody counts with
 * COUNT(); the CLI reads. The rates of the last second are worked out here from
 * the totals, so that the data path only adds.
 */
#include "counter.h"
#include "shm.h"

#define ROW(name, help) { #name, help, offsetof(struct counters, name) },

static const struct counter_row traffic_rows[] = { COUNTER_TRAFFIC(ROW){ NULL, NULL, 0 } };
static const struct counter_row list_rows[] = { COUNTER_LIST(ROW){ NULL, NULL, 0 } };

static struct counters early;
struct counters *counters = &early;

/* Totals at the last counter_second(). */
static struct {
	uint64_t udp_rx, udp_tx, tun_rx, tun_tx, in, out;
} last;

void
counter_init(void)
{
	counters = shm_map("counters", sizeof(*counters));
	counters->reset_time = time(NULL);
}

void
counter_clear(void)
{
	*counters = (struct counters){ .reset_time = time(NULL) };
	last.udp_rx = last.udp_tx = last.tun_rx = last.tun_tx = last.in = last.out = 0;
}

static uint64_t
step(uint64_t total, uint64_t *before)
{
	uint64_t diff = total - *before;

	*before = total;
	return diff;
}

void
counter_second(void)
{
	counters->rate_udp_rx = step(counters->tunnel_rx_bytes, &last.udp_rx);
	counters->rate_udp_tx = step(counters->tunnel_tx_bytes, &last.udp_tx);
	counters->rate_tun_rx = step(counters->tun_rx_bytes, &last.tun_rx);
	counters->rate_tun_tx = step(counters->tun_tx_bytes, &last.tun_tx);
	counters->rate_in_packets = (uint32_t)step(counters->tunnel_rx_packets, &last.in);
	counters->rate_out_packets = (uint32_t)step(counters->tun_rx_packets, &last.out);
}

const struct counter_row *
counter_traffic_rows(void)
{
	return traffic_rows;
}

const struct counter_row *
counter_rows(void)
{
	return list_rows;
}

uint64_t
counter_value(const struct counter_row *row)
{
	return *(const uint64_t *)(const void *)((const char *)counters + row->offset);
}
