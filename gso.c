/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting IPv4 packets together for the kernel and taking apart what it gives. Pure
 * functions over packets; called by tundev.c.
 *
 * Together: only where the kernel's own segmentation (inet_gso_segment(),
 * tcp_gso_segment(), __udp_gso_segment()) gives back each packet octet by octet. That
 * repeats the first one's headers, counts the IP id up by one, adds the size to the TCP
 * sequence number, leaves FIN and PSH to the last one, and works out the checksums. So a
 * packet with a wrong checksum must not be merged - it would be healed -, nor one
 * without, nor one whose checksum could be written in another way: zero has two forms.
 * A constant IP id cannot be told to the kernel (there is no room for it in struct
 * virtio_net_hdr), nor is a packet merged whose TTL ends here: each deserves its error.
 *
 * Apart: the same the other way round (RFC 791, 768, 9293). The kernel is trusted with the
 * contents but not with the lengths.
 */
#include "gso.h"
#include "ip4.h"
#include "util.h"

#include <arpa/inet.h>

/* Where fields of the headers are, counted from the header's own begin. */
enum {
	IP4_LENGTH = 2,
	IP4_ID = 4,
	IP4_FRAG = 6,
	IP4_TTL = 8,
	IP4_PROTOCOL = 9,
	IP4_CHECK = 10,
	IP4_ADDRESSES = 12,
	IP6_HEADER = 40,
	IP6_LENGTH = 4,
	IP6_NEXT = 6,
	IP6_ADDRESSES = 8,
	TCP_HEADER = 20,
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CHECK = 16,
	TCP_URGENT = 18,
	UDP_HEADER = 8,
	UDP_LENGTH = 4,
	UDP_CHECK = 6,
};

enum { FIN = 1, PSH = 8, ACK = 16, CWR = 128 };

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

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
	put16(p + 2, v);
}

/* Sum over the pseudo header (RFC 9293 3.1, RFC 8200 8.1) of `n` octets of addresses. */
static uint32_t
pseudo_sum(const uint8_t *addresses, size_t n, uint8_t protocol, size_t len)
{
	return cksum_add((uint32_t)htons((uint16_t)len) + htons(protocol), addresses, n);
}

static uint16_t
ip_cksum(const uint8_t *p, size_t head)
{
	return cksum_fold(cksum_add(0, p, head));
}

static void
put_cksum(uint8_t *at, uint16_t sum)
{
	memcpy(at, &sum, sizeof(sum)); /* it was computed over words as they lie in memory */
}

/* --- together --- */

/* A TCP header of which more of the kind may follow: no flag but ACK, with FIN or PSH on the last
 * one; no reserved bits. 0: something else. */
static size_t
tcp_header_len(const uint8_t *tcp, size_t left)
{
	size_t len;

	if (left < TCP_HEADER || tcp[TCP_OFFSET] & 0x0f)
		return 0;
	len = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
	if (len < TCP_HEADER || len > left || (tcp[TCP_FLAGS] & ~(FIN | PSH)) != ACK)
		return 0;
	return len;
}

static size_t
udp_header_len(const uint8_t *udp, size_t left)
{
	if (left < UDP_HEADER || get16(udp + UDP_LENGTH) != left || get16(udp + UDP_CHECK) == 0)
		return 0;
	return UDP_HEADER;
}

/* Octets of IP and transport header, 0 for a packet that stays alone. */
static size_t
headers_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	if (len <= IP4_HEADER || len > GSO_MAX_LEN || p[0] != 0x45 ||
	    get16(p + IP4_LENGTH) != len || get16(p + IP4_FRAG) & ~IP4_DF || p[IP4_TTL] <= 1)
		return 0;
	if (p[IP4_PROTOCOL] == IP4_TCP)
		n = tcp_header_len(p + IP4_HEADER, len - IP4_HEADER);
	else if (p[IP4_PROTOCOL] == IP4_UDP)
		n = udp_header_len(p + IP4_HEADER, len - IP4_HEADER);
	return n ? IP4_HEADER + n : 0;
}

static bool
is_tcp(const uint8_t *p)
{
	return p[IP4_PROTOCOL] == IP4_TCP;
}

static uint8_t
last_flags(const uint8_t *p)
{
	return is_tcp(p) ? p[IP4_HEADER + TCP_FLAGS] & (FIN | PSH) : 0;
}

bool
gso_merge_start(struct gso_merge *m, const uint8_t *p, size_t len, bool udp)
{
	size_t head = headers_len(p, len);

	if (head == 0 || len == head || (!udp && !is_tcp(p)))
		return false;
	*m = (struct gso_merge){
		.first = p,
		.first_len = (uint16_t)len,
		.head = (uint16_t)head,
		.size = (uint16_t)(len - head),
		.n = 1,
		.len = (uint32_t)len,
		.flags = last_flags(p),
		.complete = last_flags(p) != 0,
	};
	return true;
}

/* Version, TOS, flags, TTL, protocol, addresses, and the id that is next. */
static bool
ip_follows(const struct gso_merge *m, const uint8_t *p)
{
	const uint8_t *a = m->first;

	return memcmp(a, p, IP4_LENGTH) == 0 &&
	       memcmp(a + IP4_FRAG, p + IP4_FRAG, IP4_CHECK - IP4_FRAG) == 0 &&
	       memcmp(a + IP4_ADDRESSES, p + IP4_ADDRESSES, 8) == 0 &&
	       get16(p + IP4_ID) == (uint16_t)(get16(a + IP4_ID) + m->n);
}

/* All but flags and checksum, which have been or will be looked at; the sequence number that is
 * next. */
static bool
tcp_follows(const struct gso_merge *m, const uint8_t *tcp)
{
	const uint8_t *a = m->first + IP4_HEADER;

	return memcmp(a, tcp, TCP_SEQ) == 0 &&
	       get32(tcp + TCP_SEQ) == get32(a + TCP_SEQ) + (uint32_t)m->n * m->size &&
	       memcmp(a + TCP_ACK, tcp + TCP_ACK, TCP_FLAGS - TCP_ACK) == 0 &&
	       memcmp(a + TCP_WINDOW, tcp + TCP_WINDOW, TCP_CHECK - TCP_WINDOW) == 0 &&
	       memcmp(a + TCP_URGENT, tcp + TCP_URGENT, m->head - IP4_HEADER - TCP_URGENT) == 0;
}

/* The checksums are right, and written as the kernel would write them. */
static bool
checksums_right(const uint8_t *p, size_t len)
{
	const uint8_t *l4 = p + IP4_HEADER;
	size_t n = len - IP4_HEADER;
	uint32_t pseudo;
	uint16_t sum;

	if (ip_cksum(p, IP4_HEADER) != 0 || get16(p + IP4_CHECK) == 0xffff)
		return false;
	if (is_tcp(p)) {
		sum = get16(l4 + TCP_CHECK);
		if (sum == 0 || sum == 0xffff)
			return false;
	}
	pseudo = pseudo_sum(p + IP4_ADDRESSES, 8, p[IP4_PROTOCOL], n);
	return cksum_fold(cksum_add(pseudo, l4, n)) == 0;
}

bool
gso_merge_add(struct gso_merge *m, const uint8_t *p, size_t len)
{
	if (m->complete || len > m->first_len || m->len + len - m->head > GSO_MAX_LEN ||
	    len <= m->head || !ip_follows(m, p) || headers_len(p, len) != m->head)
		return false;
	if (is_tcp(p) ? !tcp_follows(m, p + IP4_HEADER)
		      : memcmp(m->first + IP4_HEADER, p + IP4_HEADER, UDP_LENGTH) != 0)
		return false;
	if (!m->verified && !checksums_right(m->first, m->first_len))
		return false;
	m->verified = true;
	if (!checksums_right(p, len))
		return false;
	m->n++;
	m->len += (uint32_t)(len - m->head);
	m->flags = last_flags(p);
	m->complete = m->flags || len < m->first_len;
	return true;
}

void
gso_merge_header(const struct gso_merge *m, struct virtio_net_hdr *h, uint8_t *to)
{
	bool tcp = is_tcp(m->first);
	uint8_t *l4 = to + IP4_HEADER;
	size_t check = tcp ? TCP_CHECK : UDP_CHECK, n = m->len - IP4_HEADER;

	*h = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = m->head,
		.gso_size = m->size,
		.csum_start = IP4_HEADER,
		.csum_offset = (uint16_t)check,
	};
	memcpy(to, m->first, m->head);
	put16(to + IP4_LENGTH, m->len);
	put16(to + IP4_CHECK, 0);
	put_cksum(to + IP4_CHECK, ip_cksum(to, IP4_HEADER));
	if (tcp)
		l4[TCP_FLAGS] |= m->flags;
	else
		put16(l4 + UDP_LENGTH, n);
	/* the sum over the pseudo header, to go on from */
	put_cksum(l4 + check,
	    (uint16_t)~cksum_fold(pseudo_sum(to + IP4_ADDRESSES, 8, to[IP4_PROTOCOL], n)));
}

/* --- apart --- */

/*
 * Where the transport header of a super-packet begins, by its IP header; cuts off padding.
 * 0: malformed, another protocol, or behind IPv6 extension headers, which is not taken.
 */
static size_t
find_transport(const uint8_t *data, uint32_t *len, uint8_t protocol)
{
	size_t l4;

	if (*len >= IP4_HEADER && data[0] >> 4 == 4) {
		l4 = (size_t)(data[0] & 15) * 4;
		if (l4 < IP4_HEADER || get16(data + IP4_LENGTH) > *len ||
		    data[IP4_PROTOCOL] != protocol ||
		    get16(data + IP4_FRAG) & (IP4_MF | IP4_OFFSET))
			return 0;
		*len = get16(data + IP4_LENGTH);
		return l4;
	}
	if (*len < IP6_HEADER || data[0] >> 4 != 6 || data[IP6_NEXT] != protocol ||
	    (uint32_t)IP6_HEADER + get16(data + IP6_LENGTH) > *len)
		return 0;
	*len = (uint32_t)IP6_HEADER + get16(data + IP6_LENGTH);
	return IP6_HEADER;
}

/* Protocol and IP version as the kernel's header names them; 0: none that we take. */
static uint8_t
protocol_of(uint8_t gso_type, uint8_t version)
{
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return version == 4 ? IP4_TCP : 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return version == 6 ? IP4_TCP : 0;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return IP4_UDP;
	default:
		return 0;
	}
}

static bool
split_headers(struct gso_split *s)
{
	size_t l4 = find_transport(s->data, &s->len, s->protocol), n = UDP_HEADER;

	if (l4 == 0 || l4 + (s->protocol == IP4_TCP ? TCP_HEADER : UDP_HEADER) > s->len)
		return false;
	if (s->protocol == IP4_TCP) {
		n = (size_t)(s->data[l4 + TCP_OFFSET] >> 4) * 4;
		if (n < TCP_HEADER)
			return false;
	}
	s->l4 = (uint16_t)l4;
	s->head = (uint16_t)(l4 + n);
	return s->head < s->len;
}

bool
gso_split_start(struct gso_split *s, const struct virtio_net_hdr *h, const uint8_t *data,
    size_t len, size_t most)
{
	struct gso_split new = { .data = data, .len = (uint32_t)len, .size = h->gso_size };

	*s = (struct gso_split){ 0 };
	if (len == 0 || len > UINT32_MAX || h->gso_size == 0)
		return false;
	new.protocol = protocol_of(h->gso_type, data[0] >> 4);
	if (new.protocol == 0 || !split_headers(&new) ||
	    new.head + MIN((size_t)h->gso_size, new.len - new.head) > most)
		return false;
	*s = new;
	return true;
}

static void
split_ip(const struct gso_split *s, uint8_t *to, size_t len)
{
	if (to[0] >> 4 != 4) {
		put16(to + IP6_LENGTH, len - IP6_HEADER);
		return;
	}
	put16(to + IP4_LENGTH, len);
	put16(to + IP4_ID, (size_t)get16(s->data + IP4_ID) + s->n);
	put16(to + IP4_CHECK, 0);
	put_cksum(to + IP4_CHECK, ip_cksum(to, s->l4));
}

static void
split_tcp(const struct gso_split *s, uint8_t *tcp, bool last)
{
	put32(tcp + TCP_SEQ, get32(s->data + s->l4 + TCP_SEQ) + s->pos);
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(FIN | PSH);
	if (s->n > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR;
}

static void
split_cksum(const struct gso_split *s, const uint8_t *ip, uint8_t *l4, size_t n)
{
	uint8_t *at = l4 + (s->protocol == IP4_TCP ? TCP_CHECK : UDP_CHECK);
	bool v4 = ip[0] >> 4 == 4;
	uint32_t pseudo =
	    pseudo_sum(ip + (v4 ? IP4_ADDRESSES : IP6_ADDRESSES), v4 ? 8 : 32, s->protocol, n);
	uint16_t sum;

	put16(at, 0);
	sum = cksum_fold(cksum_add(pseudo, l4, n));
	put_cksum(at, sum || s->protocol == IP4_TCP ? sum : 0xffff);
}

size_t
gso_split_next(struct gso_split *s, uint8_t *to)
{
	size_t left = s->len - s->head - s->pos, n = MIN(left, s->size), len = s->head + n;
	uint8_t *l4 = to + s->l4;

	if (left == 0)
		return 0;
	memcpy(to, s->data, s->head);
	memcpy(to + s->head, s->data + s->head + s->pos, n);
	split_ip(s, to, len);
	if (s->protocol == IP4_TCP)
		split_tcp(s, l4, n == left);
	else
		put16(l4 + UDP_LENGTH, len - s->l4);
	split_cksum(s, to, l4, len - s->l4);
	s->pos += (uint32_t)n;
	s->n++;
	return len;
}

bool
gso_complete(const struct virtio_net_hdr *h, uint8_t *data, size_t len)
{
	size_t start = h->csum_start, at = start + h->csum_offset;
	uint16_t sum;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (at + sizeof(sum) > len)
		return false;
	sum = cksum_fold(cksum_add(0, data + start, len - start));
	put_cksum(data + at, sum ? sum : 0xffff);
	return true;
}
