/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super-packets. The first octet chooses: 0, a struct virtio_net_hdr and a packet as the
 * tun device gives them; else packets, each behind two octets of length. What of these
 * merges must come apart to the same packets.
 */
#include "gso.h"
#include "util.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 9408, PACKETS = 64 };

static uint8_t out[MOST], super[GSO_MAX_LEN];

static void
split(struct rd r)
{
	struct virtio_net_hdr h;
	struct gso_split s;
	size_t n, len, sum = 0;
	uint8_t *copy;

	rd_copy(&r, &h, sizeof(h));
	len = rd_left(&r);
	copy = malloc(len + 1);
	if (!copy)
		exit(1);
	rd_copy(&r, copy, len);
	if (gso_split_start(&s, &h, copy, len, sizeof(out)))
		while ((n = gso_split_next(&s, out)) > 0)
			sum += n - s.head;
	if (sum > len)
		abort();
	gso_complete(&h, copy, len);
	free(copy);
}

static void
compare(const struct gso_merge *m, const struct rd *packets)
{
	struct virtio_net_hdr h;
	struct gso_split s;
	size_t len = m->head, i, n;

	gso_merge_header(m, &h, super);
	for (i = 0; i < m->n; i++) {
		n = rd_left(&packets[i]) - m->head;
		if (len + n > sizeof(super))
			abort();
		memcpy(super + len, packets[i].pos + m->head, n);
		len += n;
	}
	if (len != m->len || !gso_split_start(&s, &h, super, len, sizeof(super)))
		abort();
	for (i = 0; i < m->n; i++) {
		n = gso_split_next(&s, out);
		if (n != rd_left(&packets[i]) || memcmp(out, packets[i].pos, n) != 0)
			abort();
	}
	if (gso_split_next(&s, out) != 0)
		abort();
}

static void
merge(struct rd r)
{
	struct rd packets[PACKETS];
	struct gso_merge m;
	size_t i, n = 0;

	while (n < PACKETS && rd_left(&r) > 0) {
		packets[n] = rd_sub(&r, rd_u16(&r));
		n += rd_left(&packets[n]) > 0 && rd_left(&packets[n]) <= MOST;
	}
	if (n == 0 || !gso_merge_start(&m, packets[0].pos, rd_left(&packets[0]), true))
		return;
	for (i = 1; i < n && gso_merge_add(&m, packets[i].pos, rd_left(&packets[i])); i++)
		continue;
	if (i != m.n)
		abort();
	if (m.n > 1)
		compare(&m, packets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	if (rd_u8(&r) == 0)
		split(r);
	else
		merge(r);
	return 0;
}
