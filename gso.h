/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super-packets: packets of a flow that the kernel takes or gives as one, with a
 * struct virtio_net_hdr in front that says how it falls into packets (TCP segmentation
 * offload and the like). Putting together changes nothing that the receiver could see.
 */
#ifndef GSO_H
#define GSO_H

#include "wire.h"

#include <linux/virtio_net.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { GSO_MAX_HEADERS = 20 + 60, GSO_MAX_LEN = 65535 };

/* Packets of a flow that are to become one. They stay where they are. */
struct gso_merge {
	const uint8_t *first; /* the first packet, whose headers stand for all */
	uint16_t first_len;
	uint16_t head; /* octets of its headers, IP and transport */
	uint16_t size; /* octets of payload of each packet but the last */
	uint16_t n;    /* packets */
	uint32_t len;  /* octets of the whole */
	uint8_t flags; /* of TCP: those of the last one */
	bool complete; /* nothing may follow the last one */
	bool verified; /* the first one's checksums are right */
};

/* Begins with an IPv4 packet; false when it is of no kind that is merged (TCP, and UDP with `udp`).
 * Reads headers only. */
bool gso_merge_start(struct gso_merge *m, const uint8_t *p, size_t len, bool udp);

/*
 * Whether `p` is the next packet of the flow, so that the kernel, when it takes the
 * whole apart, makes the very same packets. If so, its payload - what follows m->head
 * octets - is a part of the whole from now on. Checksums are verified last.
 */
bool gso_merge_add(struct gso_merge *m, const uint8_t *p, size_t len);

/* The headers of the whole into `to` (GSO_MAX_HEADERS octets), and what to tell the kernel. */
void gso_merge_header(const struct gso_merge *m, struct virtio_net_hdr *h, uint8_t *to);

/* A super-packet that is being taken apart; zeroed there is nothing in it. */
struct gso_split {
	const uint8_t *data;
	uint32_t len;  /* octets of the whole */
	uint32_t pos;  /* payload that is out already */
	uint16_t head; /* octets of the headers */
	uint16_t l4;   /* where the transport header begins */
	uint16_t size; /* octets of payload of each packet but the last */
	uint16_t n;    /* packets that are out already */
	uint8_t protocol;
};

/*
 * Begins with what the kernel gave, IPv4 or IPv6; `data` must stay until all is out.
 * No packet will be longer than `most`. False when it is malformed.
 */
bool gso_split_start(struct gso_split *s, const struct virtio_net_hdr *h, const uint8_t *data,
    size_t len, size_t most);

/* The next packet into `to`, checksums complete. Returns its length; 0: there is none left. */
size_t gso_split_next(struct gso_split *s, uint8_t *to);

/* Completes the checksum of a single packet if the kernel has left that to us. False when the
 * header points outside of the packet. */
bool gso_complete(const struct virtio_net_hdr *h, uint8_t *data, size_t len);

#endif
