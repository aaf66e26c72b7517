/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one tun device (Linux Documentation/networking/tuntap.rst), without packet
 * information header but with a struct virtio_net_hdr: the kernel may give and take
 * several packets of a flow as one (gso.c), at hardly more cost than for a single one.
 * It is read until it has no more or a batch is full. Address, MTU and routes are
 * rtnl.c's.
 *
 * Out: a packet waits at most for the end of its input batch. A slot holds one session's
 * open super-packet. What does not continue it sends it off first, so that nothing is
 * reordered within a session; sessions that share a slot do the same to each other.
 *
 * In: packets lie in one buffer one behind the other, so that a batch of small ones stays
 * in the cache. What is longer than a packet spills into a second buffer and is taken
 * apart from there, over several batches if need be.
 */
#include "tundev.h"
#include "config.h"
#include "counter.h"
#include "gso.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "udp.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	TURN_PACKETS = 512,
	VNET_HEADER = sizeof(struct virtio_net_hdr),
	PACKET_ROOM = PKT_SIZE - PKT_HEADROOM, /* octets of the longest single packet */
	SUPER_SIZE = 65536 + PACKET_ROOM,
	ALIGN = 64,
	SLOTS = 64,
	NONE = 255,
};

_Static_assert((int)VNET_HEADER <= (int)PKT_HEADROOM, "it is read into the headroom");
_Static_assert((int)UDP_BATCH < (int)NONE, "numbers of queued packets are octets");

static int tun_fd = -1;
static unsigned int ifindex;
static bool can_merge_udp; /* the kernel takes UDP super-packets */
static tundev_input_fn input_fn;

static uint8_t *in_buf;	   /* a batch of packets, each with headroom */
static uint8_t *super_buf; /* a packet longer than PACKET_ROOM */
static struct gso_split split;
static struct pkt in_pkt[UDP_BATCH];

/* Packets to be written, in chains by slot. */
static struct {
	uint8_t *data;
	uint16_t len;
	uint8_t next; /* in the chain; NONE: the last */
	bool room;    /* VNET_HEADER octets in front of it are free */
} queue[UDP_BATCH];
static unsigned int n_queue;

static struct slot {
	sess_id session;
	uint8_t first, last; /* in the queue */
	struct gso_merge merge;
} slots[SLOTS];
static uint64_t open_slots; /* bit i: slots[i] holds something */

/* The next packet of the super-packet at hand. */
static size_t
take_split(uint8_t *data)
{
	size_t n = gso_split_next(&split, data);

	if (n)
		COUNT(tun_rx_merged);
	return n;
}

static bool
split_pending(void)
{
	return split.len > split.head + split.pos;
}

/*
 * Reads one packet to `data`, or begins with a super-packet and takes its first one.
 * Returns its length, -1 when there is none. A malformed one has no octets: whoever gets
 * it counts it.
 */
static ssize_t
read_packet(uint8_t *data)
{
	struct iovec iov[2] = {
		{ data - VNET_HEADER, VNET_HEADER + PACKET_ROOM },
		{ super_buf + PACKET_ROOM, SUPER_SIZE - PACKET_ROOM },
	};
	ssize_t n = readv(tun_fd, iov, 2);
	struct virtio_net_hdr h;
	size_t len;

	if (n <= 0)
		return -1;
	if (n < VNET_HEADER)
		return 0;
	len = (size_t)n - VNET_HEADER;
	memcpy(&h, data - VNET_HEADER, sizeof(h));
	if (h.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return len <= PACKET_ROOM && gso_complete(&h, data, len) ? (ssize_t)len : 0;
	memcpy(super_buf, data, MIN(len, (size_t)PACKET_ROOM));
	if (!gso_split_start(&split, &h, super_buf, len, PACKET_ROOM))
		return 0;
	return (ssize_t)take_split(data);
}

static unsigned int
read_batch(uint64_t *bytes)
{
	uint8_t *data = in_buf + PKT_HEADROOM;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < UDP_BATCH; i++) {
		n = (ssize_t)take_split(data);
		if (n == 0)
			n = read_packet(data);
		if (n < 0)
			break;
		in_pkt[i].data = data;
		in_pkt[i].len = (uint16_t)n;
		*bytes += (uint64_t)n;
		data += ((size_t)n + PKT_HEADROOM + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	}
	return i;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int n, total = 0, most = MAX(conf->multi_read_count, TURN_PACKETS);
	uint64_t bytes = 0;

	(void)fd;
	(void)arg;
	do {
		udp_flush(); /* the buffers may still be queued */
		n = read_batch(&bytes);
		input_fn(in_pkt, n);
		total += n;
	} while (
	    n == UDP_BATCH && (total < most || split_pending())); /* no event tells of its rest */
	COUNT_ADD(tun_rx_packets, total);
	COUNT_ADD(tun_rx_bytes, bytes);
	if (total > 1)
		COUNT(multi_read_used);
	if (n == UDP_BATCH)
		COUNT(multi_read_exceeded);
}

/* What the kernel need not do for us; it is asked for the most first. UDP came with Linux 6.2. */
static void
set_offloads(void)
{
	unsigned int tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	can_merge_udp = ioctl(tun_fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (!can_merge_udp && ioctl(tun_fd, TUNSETOFFLOAD, tcp) < 0)
		plog(LOG_INFO, "tun device: no offloads: %s", strerror(errno));
}

int
tundev_init(const char *name, tundev_input_fn input, char *why, size_t why_size)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	input_fn = input;
	in_buf = shm_map_parent("tun input", (size_t)UDP_BATCH * (PKT_SIZE + ALIGN));
	super_buf = shm_map_parent("tun super-packet", SUPER_SIZE);
	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	tun_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun_fd < 0) {
		snprintf(why, why_size, "/dev/net/tun: %s", strerror(errno));
		return -1;
	}
	if (ioctl(tun_fd, TUNSETIFF, &ifr) < 0) {
		snprintf(why, why_size, "tun device %s: %s", name, strerror(errno));
		return -1;
	}
	set_offloads();
	ifindex = if_nametoindex(ifr.ifr_name);
	if (ifindex == 0 || loop_add(tun_fd, on_readable, NULL) < 0) {
		snprintf(why, why_size, "tun device %s cannot be used", name);
		return -1;
	}
	return 0;
}

void
tundev_fini(void)
{
	if (tun_fd < 0)
		return;
	loop_del(tun_fd);
	close(tun_fd);
	tun_fd = -1;
}

unsigned int
tundev_ifindex(void)
{
	return ifindex;
}

/* With an empty header: in front of it in place, where there is room. */
static void
write_single(uint8_t *data, size_t len, bool room)
{
	static struct virtio_net_hdr none;
	const struct iovec iov[2] = { { &none, sizeof(none) }, { data, len } };
	ssize_t n;

	if (room) {
		memset(data - VNET_HEADER, 0, VNET_HEADER);
		n = write(tun_fd, data - VNET_HEADER, VNET_HEADER + len);
	} else {
		n = writev(tun_fd, iov, 2);
	}
	if (n < 0) {
		COUNT(tun_tx_errors);
		plog_limit(LOG_WARNING, "tun device: %s", strerror(errno));
		return;
	}
	COUNT(tun_tx_packets);
	COUNT_ADD(tun_tx_bytes, len);
}

/* The packets of a slot as one: new headers, and the payloads from where they lie. */
static bool
write_merged(const struct slot *s)
{
	struct iovec iov[2 + UDP_BATCH];
	uint8_t headers[GSO_MAX_HEADERS];
	struct virtio_net_hdr h;
	size_t head = s->merge.head, bytes = 0;
	unsigned int i, n = 2;

	gso_merge_header(&s->merge, &h, headers);
	iov[0] = (struct iovec){ &h, sizeof(h) };
	iov[1] = (struct iovec){ headers, head };
	for (i = s->first; i != NONE; i = queue[i].next) {
		iov[n++] = (struct iovec){ queue[i].data + head, queue[i].len - head };
		bytes += queue[i].len;
	}
	if (writev(tun_fd, iov, (int)n) < 0)
		return false;
	COUNT_ADD(tun_tx_packets, s->merge.n);
	COUNT_ADD(tun_tx_merged, s->merge.n);
	COUNT_ADD(tun_tx_bytes, bytes);
	return true;
}

static void
flush_slot(unsigned int number)
{
	const struct slot *s = &slots[number];
	unsigned int i;

	open_slots &= ~((uint64_t)1 << number);
	if (s->merge.n > 1 && write_merged(s))
		return;
	for (i = s->first; i != NONE; i = queue[i].next)
		write_single(queue[i].data, queue[i].len, queue[i].room);
}

void
tundev_flush(void)
{
	while (open_slots)
		flush_slot((unsigned int)__builtin_ctzll(open_slots));
	n_queue = 0;
}

static unsigned int
enqueue(uint8_t *data, size_t len, bool room)
{
	queue[n_queue].data = data;
	queue[n_queue].len = (uint16_t)len;
	queue[n_queue].next = NONE;
	queue[n_queue].room = room;
	return n_queue++;
}

void
tundev_write(sess_id session, uint8_t *data, size_t len, size_t room)
{
	bool in_place = room >= VNET_HEADER;
	unsigned int number = session % SLOTS;
	struct slot *s = &slots[number];

	if (n_queue == UDP_BATCH)
		tundev_flush();
	if (open_slots >> number & 1) {
		if (s->session == session && gso_merge_add(&s->merge, data, len)) {
			queue[s->last].next = (uint8_t)n_queue;
			s->last = (uint8_t)enqueue(data, len, in_place);
			return;
		}
		flush_slot(number);
	}
	if (!gso_merge_start(&s->merge, data, len, can_merge_udp)) {
		write_single(data, len, in_place);
		return;
	}
	s->session = session;
	s->first = s->last = (uint8_t)enqueue(data, len, in_place);
	open_slots |= (uint64_t)1 << number;
}
