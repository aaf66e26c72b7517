/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 headers as the data path needs them (RFC 791, RFC 9293): checked once by
 * ip4_parse(), after which header and transport offsets are safe to use.
 */
#ifndef IP4_H
#define IP4_H

#include "wire.h"

enum {
	IP4_HEADER = 20,
	IP4_DF = 0x4000,
	IP4_MF = 0x2000,
	IP4_OFFSET = 0x1fff,
	IP4_ICMP = 1,
	IP4_TCP = 6,
	IP4_UDP = 17,
};

struct ip4 {
	uint8_t *data;	    /* the packet */
	uint16_t len;	    /* its Total Length */
	uint8_t header_len; /* octets, options included */
	uint8_t protocol;
	uint16_t frag;	   /* flags and fragment offset */
	uint32_t src, dst; /* network order */
};

/* Checks version and lengths of the packet at `data`; false: malformed. Link padding is cut off. */
static inline bool
ip4_decode(uint8_t *data, size_t len, struct ip4 *ip)
{
	struct rd r = rd_init(data, len);
	uint8_t first = rd_u8(&r);

	ip->data = data;
	ip->header_len = (uint8_t)((first & 15) * 4);
	rd_skip(&r, 1);
	ip->len = rd_u16(&r);
	rd_skip(&r, 2);
	ip->frag = rd_u16(&r);
	rd_skip(&r, 1);
	ip->protocol = rd_u8(&r);
	rd_skip(&r, 2);
	ip->src = rd_be32(&r);
	ip->dst = rd_be32(&r);
	return !r.bad && first >> 4 == 4 && ip->header_len >= IP4_HEADER &&
	       ip->len >= ip->header_len && ip->len <= len;
}

/*
 * On a TCP SYN lowers the MSS option to `mss` and mends the checksum (RFC 6691,
 * RFC 1624). Other packets are left alone.
 */
void ip4_clamp_mss(const struct ip4 *ip, uint16_t mss);

/* ICMP error towards the source of `ip`, into `buf` of ICMP_ERROR_MAX octets. 0: none may be sent
 * (RFC 1122 3.2.2). */
enum { ICMP_ERROR_MAX = 576, ICMP_UNREACHABLE = 3, ICMP_HOST = 1, ICMP_FRAG_NEEDED = 4 };
size_t ip4_icmp_error(
    uint8_t *buf, const struct ip4 *ip, uint32_t from, uint8_t code, uint16_t mtu);

/*
 * The next fragment of a packet for a link of `mtu` (RFC 791 3.2), into `buf` of `mtu`
 * octets. *offset starts at 0 and moves on; returns the fragment's length, 0 at the end.
 */
size_t ip4_fragment(uint8_t *buf, const struct ip4 *ip, uint16_t mtu, uint16_t *offset);

#endif
