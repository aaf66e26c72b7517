/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super-packets. "The kernel" below is a model of its segmentation by its own rules
 * (inet_gso_segment() and what it calls), written apart from gso.c: whatever gets merged,
 * the model must give back octet by octet.
 */
#include "gso.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 40, LONGEST = 1500, TCP = 6, UDP = 17, FIN = 1, PSH = 8, ACK = 16, CWR = 128 };

/* A packet to be made. */
struct plan {
	uint8_t proto, tos, ttl, flags;
	uint16_t id, frag, sport, window;
	uint32_t seq, ack;
	size_t options, payload; /* octets */
	uint8_t stamp;		 /* what the TCP options hold */
};

struct packet {
	uint8_t data[LONGEST + 64];
	size_t len;
};

static const struct plan tcp_plan = { .proto = TCP,
	.ttl = 64,
	.flags = ACK,
	.id = 65530,
	.frag = 0x4000,
	.sport = 5000,
	.window = 500,
	.seq = 0xfffffc00,
	.ack = 77,
	.options = 12,
	.payload = 100 };
static const struct plan udp_plan = {
	.proto = UDP, .ttl = 64, .id = 9, .sport = 5000, .payload = 100
};

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static size_t
get16(const uint8_t *p)
{
	return (size_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)(get16(p) << 16 | get16(p + 2));
}

static uint32_t
sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	size_t i;

	for (i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The checksum of the transport header of an IPv4 packet with `head` octets of IP header. */
static uint16_t
transport_sum(const uint8_t *p, size_t len, size_t head, uint8_t proto)
{
	uint32_t sum = sum16(p + 12, 8, (uint32_t)(len - head) + proto);
	uint16_t result = (uint16_t)~sum16(p + head, len - head, sum);

	return proto == UDP && result == 0 ? 0xffff : result;
}

static uint8_t *
check_field(uint8_t *p)
{
	return p + 20 + (p[9] == TCP ? 16 : 6);
}

static void
finish(struct packet *k)
{
	uint8_t *p = k->data;

	put16(p + 2, k->len);
	put16(p + 10, 0);
	put16(p + 10, (uint16_t)~sum16(p, 20, 0));
	put16(check_field(p), 0);
	put16(check_field(p), transport_sum(p, k->len, 20, p[9]));
}

static void
make(struct packet *k, const struct plan *w)
{
	static const uint8_t addresses[8] = { 10, 9, 0, 1, 192, 0, 2, 77 };
	uint8_t *p = k->data, *l4 = p + 20;
	size_t head = w->proto == TCP ? 20 + w->options : 8, i;

	memset(p, 0, 20 + head);
	p[0] = 0x45;
	p[1] = w->tos;
	put16(p + 4, w->id);
	put16(p + 6, w->frag);
	p[8] = w->ttl;
	p[9] = w->proto;
	memcpy(p + 12, addresses, 8);
	put16(l4, w->sport);
	put16(l4 + 2, 80);
	if (w->proto == TCP) {
		put32(l4 + 4, w->seq);
		put32(l4 + 8, w->ack);
		l4[12] = (uint8_t)(head / 4 << 4);
		l4[13] = w->flags;
		put16(l4 + 14, w->window);
		memset(l4 + 20, w->stamp, w->options);
	} else {
		put16(l4 + 4, 8 + w->payload);
	}
	for (i = 0; i < w->payload; i++)
		l4[head + i] = (uint8_t)random();
	k->len = 20 + head + w->payload;
	finish(k);
}

/* The next packet of the flow. */
static void
advance(struct plan *w)
{
	w->id++;
	if (w->proto == TCP)
		w->seq += (uint32_t)w->payload;
}

/* --- the model: segments of a super-packet as the kernel makes them --- */

static void
kernel_segment(const struct virtio_net_hdr *h, const uint8_t *super, size_t len, size_t pos,
    size_t index, struct packet *to)
{
	bool tcp = h->gso_type == VIRTIO_NET_HDR_GSO_TCPV4;
	size_t head = h->hdr_len, n = MIN((size_t)h->gso_size, len - head - pos);
	uint8_t *l4 = to->data + h->csum_start;

	memcpy(to->data, super, head);
	memcpy(to->data + head, super + head + pos, n);
	to->len = head + n;
	put16(to->data + 4, (get16(super + 4) + index) & 0xffff);
	if (tcp) {
		put32(l4 + 4, get32(l4 + 4) + (uint32_t)pos);
		if (pos + n < len - head)
			l4[13] &= (uint8_t) ~(FIN | PSH);
		if (index)
			l4[13] &= (uint8_t)~CWR;
	} else {
		put16(l4 + 4, 8 + n);
	}
	finish(to);
}

/* What the kernel demands of a super-packet (virtio_net_hdr_to_skb(), ip_rcv()). */
static void
check_super(const struct virtio_net_hdr *h, const uint8_t *super, size_t len)
{
	bool tcp = super[9] == TCP;
	size_t l4 = h->csum_start;
	uint32_t pseudo = sum16(super + 12, 8, (uint32_t)(len - 20) + super[9]);

	assert_int_equal(h->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h->gso_type, tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4);
	assert_int_equal(l4, 20);
	assert_int_equal(h->csum_offset, tcp ? 16 : 6);
	assert_int_equal(h->hdr_len, tcp ? 20 + (super[32] >> 4) * 4 : 28);
	assert_true(len - h->hdr_len > h->gso_size);
	assert_int_equal(get16(super + 2), len);
	assert_int_equal(sum16(super, 20, 0), 0xffff);
	assert_int_equal(get16(super + l4 + h->csum_offset), pseudo);
	if (!tcp)
		assert_int_equal(get16(super + l4 + 4), len - 20);
}

/* The merged packets k[0..m->n) as the kernel would get and segment them. */
static void
check_merged(const struct gso_merge *m, const struct packet *k)
{
	static uint8_t super[GSO_MAX_LEN];
	struct virtio_net_hdr h;
	struct packet got;
	size_t len = m->head, i;

	gso_merge_header(m, &h, super);
	for (i = 0; i < m->n; i++) {
		memcpy(super + len, k[i].data + m->head, k[i].len - m->head);
		len += k[i].len - m->head;
	}
	assert_int_equal(len, m->len);
	check_super(&h, super, len);
	for (i = 0; i < m->n; i++) {
		kernel_segment(&h, super, len, i * h.gso_size, i, &got);
		assert_int_equal(got.len, k[i].len);
		assert_memory_equal(got.data, k[i].data, got.len);
	}
}

/* How many of the packets merge, from the first on. */
static unsigned int
merge(struct gso_merge *m, const struct packet *k, unsigned int n)
{
	unsigned int i;

	if (!gso_merge_start(m, k[0].data, k[0].len, true))
		return 0;
	for (i = 1; i < n && gso_merge_add(m, k[i].data, k[i].len); i++)
		continue;
	assert_int_equal(m->n, i);
	return i;
}

static void
make_run(struct packet *k, struct plan w, unsigned int n)
{
	for (; n > 0; n--, k++) {
		make(k, &w);
		advance(&w);
	}
}

static void
a_run_merges(void **state)
{
	static struct packet k[MOST];
	struct gso_merge m;

	(void)state;
	make_run(k, tcp_plan, MOST);
	assert_int_equal(merge(&m, k, MOST), MOST);
	check_merged(&m, k);
	make_run(k, udp_plan, MOST);
	assert_int_equal(merge(&m, k, MOST), MOST);
	check_merged(&m, k);
	assert_false(gso_merge_start(&m, k[0].data, k[0].len, false));
}

/* Nothing follows one that is shorter or has PSH or FIN, but it is a part itself. */
static void
ends_of_a_run(void **state)
{
	static const uint8_t ends[] = { PSH, FIN, FIN | PSH };
	static struct packet k[4];
	struct gso_merge m;
	struct plan w;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		make_run(k, tcp_plan, 4);
		k[2].data[33] |= ends[i];
		finish(&k[2]);
		assert_int_equal(merge(&m, k, 4), 3);
		check_merged(&m, k);
		assert_int_equal(merge(&m, k + 2, 2), 1);
	}
	w = udp_plan;
	make_run(k, w, 2);
	w.id = (uint16_t)(w.id + 2);
	w.payload = 99;
	make_run(k + 2, w, 2);
	assert_int_equal(merge(&m, k, 4), 3);
	check_merged(&m, k);
	w.id = (uint16_t)(udp_plan.id + 1);
	w.payload = 101;
	make_run(k + 1, w, 1);
	assert_int_equal(merge(&m, k, 2), 1);
}

/* The second packet differs from the one that would follow by one octet, checksums right. */
static void
differences(void **state)
{
	static const struct {
		size_t at;
		uint8_t mask;
	} in_tcp[] = { { 1, 1 }, { 1, 0x80 }, { 4, 1 }, { 5, 1 }, { 6, 0x40 }, { 6, 0x20 },
		{ 6, 0x80 }, { 7, 1 }, { 8, 1 }, { 12, 1 }, { 19, 1 }, { 20, 1 }, { 23, 1 },
		{ 24, 1 }, { 27, 1 }, { 28, 1 }, { 31, 1 }, { 32, 1 }, { 32, 0x10 }, { 33, 2 },
		{ 33, 4 }, { 33, 16 }, { 33, 32 }, { 33, 64 }, { 33, 128 }, { 34, 1 }, { 35, 1 },
		{ 38, 1 }, { 39, 1 }, { 40, 1 }, { 51, 1 } },
	  in_udp[] = { { 1, 2 }, { 5, 1 }, { 8, 1 }, { 15, 1 }, { 20, 1 }, { 22, 1 }, { 25, 1 } };
	static struct packet k[2];
	struct gso_merge m;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(in_tcp) + ARRAY_LEN(in_udp); i++) {
		bool tcp = i < ARRAY_LEN(in_tcp);
		size_t at = tcp ? in_tcp[i].at : in_udp[i - ARRAY_LEN(in_tcp)].at;

		make_run(k, tcp ? tcp_plan : udp_plan, 2);
		assert_int_equal(merge(&m, k, 2), 2);
		k[1].data[at] ^= tcp ? in_tcp[i].mask : in_udp[i - ARRAY_LEN(in_tcp)].mask;
		finish(&k[1]);
		assert_int_equal(merge(&m, k, 2), 1);
	}
}

/* Also when all packets have it. */
static void
never_merged(void **state)
{
	static struct packet k[2];
	struct plan w[8];
	struct gso_merge m;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(w); i++)
		w[i] = tcp_plan;
	w[0].ttl = 1;
	w[1].flags = ACK | CWR;
	w[2].flags = ACK | 2; /* SYN */
	w[3].flags = 0;
	w[4].frag = 0x2000;
	w[5].frag = 10;
	w[6].payload = 0;
	w[7].proto = 47;
	for (i = 0; i < ARRAY_LEN(w); i++) {
		make_run(k, w[i], 2);
		assert_int_equal(merge(&m, k, 2), 0);
	}
	make_run(k, tcp_plan, 2);
	k[0].data[0] = 0x46;
	assert_int_equal(merge(&m, k, 2), 0);
	make_run(k, udp_plan, 2);
	put16(k[0].data + 26, 0); /* no checksum */
	assert_int_equal(merge(&m, k, 2), 0);
	make_run(k, udp_plan, 2);
	put16(k[1].data + 26, 0);
	assert_int_equal(merge(&m, k, 2), 1);
}

/* A constant id cannot be told to the kernel. */
static void
ids(void **state)
{
	static struct packet k[3];
	struct plan w = tcp_plan;
	struct gso_merge m;

	(void)state;
	make(&k[0], &w);
	w.seq += (uint32_t)w.payload;
	make(&k[1], &w);
	assert_int_equal(merge(&m, k, 2), 1);
	w.id = (uint16_t)(w.id + 2);
	make(&k[1], &w);
	assert_int_equal(merge(&m, k, 2), 1);
}

static void
wrong_checksums_stay(void **state)
{
	static const size_t at[] = { 10, 36, 37, 60,
		150 }; /* headers, and the payload under them */
	static struct packet k[4];
	struct gso_merge m;
	size_t i, j;

	(void)state;
	for (i = 0; i < 4; i++) {
		for (j = 0; j < ARRAY_LEN(at); j++) {
			make_run(k, tcp_plan, 4);
			k[i].data[at[j]] ^= 0x10;
			assert_int_equal(merge(&m, k, 4), i == 0 ? 1 : i);
		}
	}
	make_run(k, udp_plan, 2);
	k[1].data[127] ^= 1;
	assert_int_equal(merge(&m, k, 2), 1);
}

/* Zero can be written in two ways; what the kernel writes cannot be known. */
static void
checksum_zero(void **state)
{
	static struct packet k[2];
	struct plan w = tcp_plan;
	struct gso_merge m;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make_run(k, tcp_plan, 2);
		/* let the payload make up for the checksum, which then is 0 */
		put16(k[i].data + 52, 0);
		finish(&k[i]);
		put16(k[i].data + 52, get16(k[i].data + 36));
		finish(&k[i]);
		assert_int_equal(get16(k[i].data + 36), 0);
		assert_int_equal(merge(&m, k, 2), 1);
		put16(k[i].data + 36, 0xffff);
		assert_int_equal(merge(&m, k, 2), 1);
	}
	w.id = 0;
	make_run(k, w, 1);
	w.id = (uint16_t)get16(k[0].data + 10);
	make_run(k, w, 2);
	assert_int_equal(get16(k[0].data + 10), 0);
	assert_int_equal(merge(&m, k, 2), 2);
	put16(k[0].data + 10, 0xffff);
	assert_int_equal(merge(&m, k, 2), 1);
	make_run(k, udp_plan, 2);
	put16(k[1].data + 28, 0);
	finish(&k[1]);
	put16(k[1].data + 28, get16(k[1].data + 26));
	finish(&k[1]);
	assert_int_equal(get16(k[1].data + 26), 0xffff);
	assert_int_equal(merge(&m, k, 2), 2); /* UDP has one way only */
	check_merged(&m, k);
}

static void
largest(void **state)
{
	static struct packet k[60];
	struct plan w = udp_plan;
	struct gso_merge m;
	unsigned int n;

	(void)state;
	w.payload = LONGEST - 28;
	make_run(k, w, ARRAY_LEN(k));
	n = merge(&m, k, ARRAY_LEN(k));
	assert_int_equal(n, (GSO_MAX_LEN - 28) / (LONGEST - 28));
	check_merged(&m, k);
}

static bool
chance(unsigned int percent)
{
	return (unsigned int)random() % 100 < percent;
}

static struct plan
random_plan(void)
{
	struct plan w = chance(60) ? tcp_plan : udp_plan;

	w.id = (uint16_t)random();
	w.frag = chance(50) ? 0x4000 : 0;
	w.seq = (uint32_t)random() << 4;
	w.tos = (uint8_t)random();
	w.ttl = (uint8_t)(2 + random() % 250);
	w.options = w.proto == TCP ? (size_t)random() % 11 * 4 : 0;
	w.payload = 1 + (size_t)random() % (chance(20) ? 1400 : 40);
	return w;
}

/* What a flow may do between two packets; mostly nothing. */
static void
disturb(struct plan *w)
{
	switch (random() % 60) {
	case 0:
		w->id = (uint16_t)(w->id + random() % 3 - 1);
		break;
	case 1:
		w->payload = 1 + (size_t)random() % 40;
		break;
	case 2:
		w->flags ^= (uint8_t)(1 << random() % 8);
		break;
	case 3:
		w->stamp++;
		break;
	case 4:
		w->ack += 100;
		break;
	case 5:
		w->seq -= 10;
		break;
	case 6:
		w->window ^= 1;
		break;
	case 7:
		w->sport ^= 1;
		break;
	case 8:
		w->frag ^= 0x4000;
		break;
	default:
		break;
	}
}

/* Whatever merges, the kernel takes apart to the same; and all of it was valid. */
static void
random_flows(void **state)
{
	static struct packet k[MOST];
	unsigned int round, i, n, merged = 0;
	struct gso_merge m;
	struct plan w;

	(void)state;
	srandom(5);
	for (round = 0; round < 20000; round++) {
		w = random_plan();
		for (i = 0; i < MOST / 2; i++) {
			make(&k[i], &w);
			if (chance(3))
				k[i].data[(size_t)random() % k[i].len] ^= (uint8_t)random();
			advance(&w);
			disturb(&w);
		}
		for (i = 0; i < MOST / 2; i += MAX(n, 1)) {
			n = merge(&m, k + i, MOST / 2 - i);
			if (n < 2)
				continue;
			check_merged(&m, k + i);
			merged += n;
		}
	}
	assert_true(merged > 100000);
}

/* --- apart --- */

/* A super-packet whose packets are k[0..n), with junk for all that is worked out anew. */
static size_t
make_super(uint8_t *super, const struct packet *k, unsigned int n, struct virtio_net_hdr *h)
{
	bool tcp = k[0].data[9] == TCP;
	size_t head = tcp ? 20 + (size_t)(k[0].data[32] >> 4) * 4 : 28, len = head;
	unsigned int i;

	*h = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = (uint16_t)head,
		.gso_size = (uint16_t)(k[0].len - head),
		.csum_start = 20,
		.csum_offset = tcp ? 16 : 6,
	};
	memcpy(super, k[0].data, head);
	for (i = 0; i < n; i++) {
		memcpy(super + len, k[i].data + head, k[i].len - head);
		len += k[i].len - head;
	}
	put16(super + 2, len);
	put16(super + 10, random() & 0xffff);
	put16(super + 20 + h->csum_offset, random() & 0xffff);
	if (tcp)
		super[33] = k[0].data[33] | k[n - 1].data[33];
	return len;
}

static void
check_split(const struct virtio_net_hdr *h, const uint8_t *super, size_t len,
    const struct packet *k, unsigned int n)
{
	struct gso_split s;
	struct packet got;
	unsigned int i;

	assert_true(gso_split_start(&s, h, super, len, sizeof(got.data)));
	for (i = 0; i < n; i++) {
		got.len = gso_split_next(&s, got.data);
		assert_int_equal(got.len, k[i].len);
		assert_memory_equal(got.data, k[i].data, got.len);
	}
	assert_int_equal(gso_split_next(&s, got.data), 0);
	assert_int_equal(gso_split_next(&s, got.data), 0);
}

static void
split_is_what_it_stands_for(void **state)
{
	static uint8_t super[GSO_MAX_LEN];
	static struct packet k[MOST];
	struct virtio_net_hdr h;
	unsigned int round, n;
	struct plan w;
	size_t len;

	(void)state;
	srandom(6);
	for (round = 0; round < 3000; round++) {
		n = 1 + (unsigned int)random() % MOST;
		w = random_plan();
		make_run(k, w, n);
		if (w.proto == TCP) {
			k[0].data[33] |= chance(50) ? CWR : 0;
			finish(&k[0]);
			k[n - 1].data[33] |= (uint8_t)(random() & (FIN | PSH));
			finish(&k[n - 1]);
		}
		len = make_super(super, k, n, &h);
		if (w.proto == TCP && chance(50))
			h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		check_split(&h, super, len, k, n);
		check_split(&h, super, len + 3 < sizeof(super) ? len + 3 : len, k, n); /* padding */
	}
}

/* IPv6: addresses of 32 octets in the pseudo header, no checksum or id of its own. */
static void
split_ip6(void **state)
{
	uint8_t super[40 + 8 + 250] = { 0x60 }, got[200];
	struct virtio_net_hdr h = { .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 100 };
	static const size_t lens[] = { 148, 148, 98 };
	struct gso_split s;
	size_t i;

	(void)state;
	put16(super + 4, 258);
	super[6] = UDP;
	for (i = 8; i < sizeof(super); i++)
		super[i] = (uint8_t)random();
	assert_true(gso_split_start(&s, &h, super, sizeof(super), sizeof(got)));
	for (i = 0; i < 3; i++) {
		assert_int_equal(gso_split_next(&s, got), lens[i]);
		assert_int_equal(get16(got + 4), lens[i] - 40);
		assert_int_equal(get16(got + 44), lens[i] - 40);
		assert_int_equal(
		    sum16(got + 40, lens[i] - 40, sum16(got + 8, 32, (uint32_t)lens[i] - 40 + UDP)),
		    0xffff);
		assert_memory_equal(got + 48, super + 48 + i * 100, lens[i] - 48);
	}
	assert_int_equal(gso_split_next(&s, got), 0);
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	assert_false(gso_split_start(&s, &h, super, sizeof(super), sizeof(got)));
}

static void
malformed_supers(void **state)
{
	static uint8_t super[GSO_MAX_LEN];
	static struct packet k[3];
	struct virtio_net_hdr h, bad;
	struct gso_split s;
	uint8_t got[200];
	size_t len, cut;

	(void)state;
	make_run(k, tcp_plan, 3);
	len = make_super(super, k, 3, &h);
	assert_true(gso_split_start(&s, &h, super, len, k[0].len));
	assert_false(gso_split_start(&s, &h, super, len, k[0].len - 1));
	assert_int_equal(gso_split_next(&s, got), 0); /* nothing is left of a bad one */
	for (cut = 0; cut < len; cut++)
		assert_false(gso_split_start(&s, &h, super, cut, sizeof(got)));
	bad = h;
	bad.gso_size = 0;
	assert_false(gso_split_start(&s, &bad, super, len, sizeof(got)));
	bad = h;
	bad.gso_type = VIRTIO_NET_HDR_GSO_UDP; /* fragments: never asked for */
	assert_false(gso_split_start(&s, &bad, super, len, sizeof(got)));
	bad.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4; /* it is TCP */
	assert_false(gso_split_start(&s, &bad, super, len, sizeof(got)));
	super[32] = 0x40; /* too short a TCP header */
	assert_false(gso_split_start(&s, &h, super, len, sizeof(got)));
	super[32] = 0x80;
	super[6] = 0x20; /* a fragment */
	assert_false(gso_split_start(&s, &h, super, len, sizeof(got)));
}

static void
partial_checksums(void **state)
{
	struct virtio_net_hdr h = { .csum_start = 20, .csum_offset = 6 };
	static struct packet k, right;

	(void)state;
	make(&right, &udp_plan);
	k = right;
	put16(k.data + 26, sum16(k.data + 12, 8, (uint32_t)k.len - 20 + UDP));
	assert_true(gso_complete(&h, k.data, k.len)); /* not asked for */
	assert_memory_not_equal(k.data, right.data, k.len);
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	assert_true(gso_complete(&h, k.data, k.len));
	assert_memory_equal(k.data, right.data, k.len);
	h.csum_offset = (uint16_t)(k.len - 21);
	assert_false(gso_complete(&h, k.data, k.len));
	h.csum_offset = 0xffff;
	h.csum_start = 0xffff;
	assert_false(gso_complete(&h, k.data, k.len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_merges),
		cmocka_unit_test(ends_of_a_run),
		cmocka_unit_test(differences),
		cmocka_unit_test(never_merged),
		cmocka_unit_test(ids),
		cmocka_unit_test(wrong_checksums_stay),
		cmocka_unit_test(checksum_zero),
		cmocka_unit_test(largest),
		cmocka_unit_test(random_flows),
		cmocka_unit_test(split_is_what_it_stands_for),
		cmocka_unit_test(split_ip6),
		cmocka_unit_test(malformed_supers),
		cmocka_unit_test(partial_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
