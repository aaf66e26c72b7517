/* The subscriber's side of IPv4: headers and checksums. Addresses are host order. */
#ifndef LAC_IPV4_H
#define LAC_IPV4_H

#include "bytes.h"

enum { IP_HEAD = 20, UDP_HEAD = 8, ICMP_HEAD = 8 };
enum { IP_PROTO_ICMP = 1, IP_PROTO_UDP = 17 };

struct ipv4 {
	uint32_t src;
	uint32_t dst;
	uint16_t id;
	uint16_t frag; /* flags and offset as on the wire */
	uint8_t proto;
	const uint8_t *payload;
	size_t len; /* of payload */
};

/* One's complement sum, not folded; chain parts of even length through sum. */
uint32_t ip_sum(const uint8_t *p, size_t len, uint32_t sum);
/* Folds and inverts. */
uint16_t ip_sum_end(uint32_t sum);
/* Sum of the pseudo header. */
uint32_t ip_pseudo_sum(uint32_t src, uint32_t dst, uint8_t proto, size_t len);
/* Writes 20 bytes; ip->len is the payload's length. */
void ip_head(uint8_t *p, const struct ipv4 *ip);
/* Writes 8 bytes; sum covers the payload. */
void udp_head(uint8_t *p, const struct ipv4 *ip, uint16_t sport, uint16_t dport, uint32_t sum);
/* Checks version, lengths and header checksum. Bytes after the total length are padding. */
bool ip_parse(const uint8_t *p, size_t n, struct ipv4 *ip);

#endif
