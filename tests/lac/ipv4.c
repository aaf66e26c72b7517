/* IPv4, UDP headers and checksums for the inner packets (RFC 791, 768). */
#include "ipv4.h"

uint32_t
ip_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(p + i);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

uint16_t
ip_sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t
ip_pseudo_sum(uint32_t src, uint32_t dst, uint8_t proto, size_t len)
{
	return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (uint32_t)len;
}

void
ip_head(uint8_t *p, const struct ipv4 *ip)
{
	p[0] = 0x45;
	p[1] = 0;
	put16(p + 2, (uint16_t)(IP_HEAD + ip->len));
	put16(p + 4, ip->id);
	put16(p + 6, ip->frag);
	p[8] = 64;
	p[9] = ip->proto;
	put16(p + 10, 0);
	put32(p + 12, ip->src);
	put32(p + 16, ip->dst);
	put16(p + 10, ip_sum_end(ip_sum(p, IP_HEAD, 0)));
}

void
udp_head(uint8_t *p, const struct ipv4 *ip, uint16_t sport, uint16_t dport, uint32_t sum)
{
	uint16_t check;

	sum += ip_pseudo_sum(ip->src, ip->dst, IP_PROTO_UDP, ip->len);
	sum += (uint32_t)sport + dport + (uint32_t)ip->len;
	check = ip_sum_end(sum);
	put16(p, sport);
	put16(p + 2, dport);
	put16(p + 4, (uint16_t)ip->len);
	put16(p + 6, check ? check : 0xffff);
}

bool
ip_parse(const uint8_t *p, size_t n, struct ipv4 *ip)
{
	size_t head, total;

	if (n < IP_HEAD || p[0] >> 4 != 4)
		return false;
	head = (size_t)(p[0] & 15) * 4;
	total = get16(p + 2);
	if (head < IP_HEAD || total < head || total > n)
		return false;
	if (ip_sum_end(ip_sum(p, head, 0)) != 0)
		return false;
	*ip = (struct ipv4){
		.src = get32(p + 12),
		.dst = get32(p + 16),
		.id = get16(p + 4),
		.frag = get16(p + 6),
		.proto = p[9],
		.payload = p + head,
		.len = total - head,
	};
	return true;
}
