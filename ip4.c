/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to IPv4 packets on their way: MSS clamping, ICMP errors, fragments.
 * Works on single packets; sends nothing and counts nothing.
 */
#include "ip4.h"
#include "util.h"

#include <string.h>

enum {
	TCP_HEADER = 20,
	TCP_SYN = 2,
	TCP_OPT_END = 0,
	TCP_OPT_NOP = 1,
	TCP_OPT_MSS = 2,
	ICMP_HEADER = 8,
	OPT_COPIED = 0x80, /* an IP option that every fragment carries */
};

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* One 16-bit word covered by the checksum changes (RFC 1624 3). */
static void
mend_checksum(uint8_t *sum, uint16_t from, uint16_t to)
{
	uint32_t s = (uint32_t)(uint16_t)~get16(sum) + (uint16_t)~from + to;

	s = (s & 0xffff) + (s >> 16);
	s += s >> 16;
	put16(sum, (uint16_t)~s);
}

/* The MSS option's value in a TCP header of `len` octets, or NULL. */
static uint8_t *
find_mss(uint8_t *tcp, size_t len)
{
	size_t i = TCP_HEADER;

	while (i < len && tcp[i] != TCP_OPT_END) {
		if (tcp[i] == TCP_OPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || tcp[i + 1] < 2 || i + tcp[i + 1] > len)
			return NULL;
		if (tcp[i] == TCP_OPT_MSS && tcp[i + 1] == 4)
			return tcp + i + 2;
		i += tcp[i + 1];
	}
	return NULL;
}

void
ip4_clamp_mss(const struct ip4 *ip, uint16_t mss)
{
	uint8_t *tcp = ip->data + ip->header_len, *value;
	size_t room = (size_t)ip->len - ip->header_len, len;

	if (ip->protocol != IP4_TCP || ip->frag & IP4_OFFSET || room < TCP_HEADER)
		return;
	len = (size_t)(tcp[12] >> 4) * 4;
	if (!(tcp[13] & TCP_SYN) || len < TCP_HEADER || len > room)
		return;
	value = find_mss(tcp, len);
	if (!value || get16(value) <= mss)
		return;
	if ((value - tcp) % 2 == 0) {
		mend_checksum(tcp + 16, get16(value), mss);
	} else { /* the value straddles two words: mend each by its changed octet */
		mend_checksum(tcp + 16, value[0], (uint16_t)(mss >> 8));
		mend_checksum(tcp + 16, (uint16_t)(value[1] << 8), (uint16_t)((mss & 0xff) << 8));
	}
	put16(value, mss);
}

static void
put_header(uint8_t *buf, uint16_t len, uint8_t protocol, uint32_t src, uint32_t dst)
{
	memset(buf, 0, IP4_HEADER);
	buf[0] = 0x45;
	buf[1] = 0xc0; /* precedence 6 (RFC 1812 4.3.2.5) */
	put16(buf + 2, len);
	put16(buf + 4, random_u16());
	buf[8] = 64;
	buf[9] = protocol;
	memcpy(buf + 12, &src, 4);
	memcpy(buf + 16, &dst, 4);
}

static void
set_checksum(uint8_t *at, const uint8_t *data, size_t len)
{
	uint16_t sum;

	memset(at, 0, 2);
	sum = cksum_fold(cksum_add(0, data, len));
	memcpy(at, &sum, 2); /* computed over words as they lie in memory */
}

/* No error about an ICMP error, a later fragment, or an address that is not one host's. */
static bool
deserves_error(const struct ip4 *ip)
{
	const uint8_t *src = (const uint8_t *)&ip->src, *dst = (const uint8_t *)&ip->dst;

	if (ip->frag & IP4_OFFSET || src[0] == 0 || src[0] == 127 || src[0] >= 224 || dst[0] >= 224)
		return false;
	if (ip->protocol != IP4_ICMP)
		return true;
	if (ip->len < ip->header_len + ICMP_HEADER)
		return false;
	switch (ip->data[ip->header_len]) {
	case 0:	 /* echo reply */
	case 8:	 /* echo */
	case 13: /* timestamp and its reply */
	case 14:
		return true;
	default:
		return false;
	}
}

size_t
ip4_icmp_error(uint8_t *buf, const struct ip4 *ip, uint32_t from, uint8_t code, uint16_t mtu)
{
	uint8_t *icmp = buf + IP4_HEADER;
	size_t quote = MIN((size_t)ip->len, ICMP_ERROR_MAX - IP4_HEADER - ICMP_HEADER);
	size_t len = IP4_HEADER + ICMP_HEADER + quote;

	if (!deserves_error(ip))
		return 0;
	put_header(buf, (uint16_t)len, IP4_ICMP, from, ip->src);
	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = code;
	if (code == ICMP_FRAG_NEEDED)
		put16(icmp + 6, mtu); /* RFC 1191 4 */
	memcpy(icmp + ICMP_HEADER, ip->data, quote);
	set_checksum(icmp + 2, icmp, ICMP_HEADER + quote);
	set_checksum(buf + 10, buf, IP4_HEADER);
	return len;
}

/* Header of a later fragment: only options with the copy bit. Returns its length. */
static size_t
copy_header(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t i = IP4_HEADER, n = IP4_HEADER, opt;

	memcpy(to, from, IP4_HEADER);
	while (i < len && from[i] != 0) {
		opt = from[i] == 1 ? 1 : i + 1 < len ? from[i + 1] : 0;
		if (opt == 0 || i + opt > len)
			break;
		if (from[i] & OPT_COPIED) {
			memcpy(to + n, from + i, opt);
			n += opt;
		}
		i += opt;
	}
	while (n % 4)
		to[n++] = 0;
	to[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

size_t
ip4_fragment(uint8_t *buf, const struct ip4 *ip, uint16_t mtu, uint16_t *offset)
{
	size_t payload = (size_t)ip->len - ip->header_len, head, n;
	bool last;

	if (*offset >= payload)
		return 0;
	if (*offset == 0) {
		head = ip->header_len;
		memcpy(buf, ip->data, head);
	} else {
		head = copy_header(buf, ip->data, ip->header_len);
	}
	n = MIN(payload - *offset, ((size_t)mtu - head) & ~(size_t)7);
	last = *offset + n == payload;
	memcpy(buf + head, ip->data + ip->header_len + *offset, n);
	put16(buf + 2, (uint16_t)(head + n));
	put16(buf + 6, (uint16_t)((ip->frag & ~(IP4_MF | IP4_OFFSET)) |
				  ((ip->frag & IP4_OFFSET) + *offset / 8) |
				  (last ? ip->frag & IP4_MF : IP4_MF)));
	set_checksum(buf + 10, buf, head);
	*offset = (uint16_t)(*offset + n);
	return head + n;
}
