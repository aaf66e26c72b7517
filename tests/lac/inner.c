/*
 * The subscriber's IP stack, as much of it as a test needs.
 *
 * Every packet that comes down is checked: header, addressed to this session, pattern content
 * byte by byte with its place in the sequence. Echo requests and UDP to port 7 are answered;
 * replies and ICMP errors go to the probe that waits for them; fragments are put together. An
 * attached device (attach.c) takes everything instead.
 */
#include "inner.h"

#include <stdlib.h>

#include "attach.h"
#include "ipv4.h"
#include "ppp.h"
#include "probe.h"

enum { ICMP_ECHO_REPLY = 0, ICMP_ECHO_REQUEST = 8 };
enum { FRAG_DF = 0x4000, FRAG_MF = 0x2000, FRAG_OFFSET = 0x1fff };
enum { COPY_BELOW = 512, PARTS = 32 };

struct icmp_note last_icmp;

/* A packet being put together. Pieces are counted, not mapped: the LNS does not overlap them. */
static struct part {
	struct session *s;
	uint32_t src;
	uint16_t id;
	size_t have, total;
	uint8_t data[MAX_SIZE];
} * parts;
static unsigned int part_next;

static uint16_t
ping_id(const struct session *s)
{
	return (uint16_t)(session_index(s) ^ 0x1234);
}

static struct pattern
ping_pattern(const struct session *s, uint16_t seq)
{
	return (struct pattern){ .kind = PATTERN_ECHO, .stream = session_index(s), .seq = seq };
}

static void
put_body(struct out *o, const uint8_t **tail, size_t *tail_len)
{
	if (*tail_len >= COPY_BELOW)
		return;
	out_bytes(o, *tail, *tail_len);
	*tail_len = 0;
}

static void
count_sent(struct session *s, size_t n)
{
	totals.tx_packets++;
	totals.tx_bytes += n;
	s->tx_bytes += n;
}

void
inner_send_packet(struct session *s, const uint8_t *p, size_t n)
{
	struct out o = ppp_frame(s, PPP_IP, n);

	out_bytes(&o, p, n);
	ppp_commit(s, &o, NULL, 0);
	count_sent(s, n);
}

void
inner_send_udp(struct session *s, const struct target *g, const struct pattern *pat)
{
	struct out o = ppp_frame(s, PPP_IP, COPY_BELOW + MIN_UDP_SIZE);
	const uint8_t *body = pattern_body(pat);
	size_t n = (size_t)g->size - MIN_UDP_SIZE;
	struct ipv4 ip = { .src = g->from ? g->from : s->ip,
		.dst = g->to,
		.id = s->ip_id++,
		.frag = g->df ? FRAG_DF : 0,
		.proto = IP_PROTO_UDP,
		.len = g->size - IP_HEAD };
	uint8_t *p = out_room(&o, MIN_UDP_SIZE);

	if (!p)
		return;
	pattern_head(p + IP_HEAD + UDP_HEAD, pat);
	udp_head(p + IP_HEAD, &ip, OUR_PORT, g->port,
	    ip_sum(p + IP_HEAD + UDP_HEAD, PATTERN_HEAD, pattern_body_sum(body, n)));
	ip_head(p, &ip);
	put_body(&o, &body, &n);
	ppp_commit(s, &o, body, n);
	count_sent(s, g->size);
}

void
inner_send_ping(struct session *s, const struct target *g, uint16_t seq)
{
	struct out o = ppp_frame(s, PPP_IP, COPY_BELOW + IP_HEAD + ICMP_HEAD);
	struct pattern pat = ping_pattern(s, seq);
	const uint8_t *body = pattern_body(&pat);
	size_t n = (size_t)g->size - IP_HEAD - ICMP_HEAD;
	struct ipv4 ip = { .src = g->from ? g->from : s->ip,
		.dst = g->to,
		.id = s->ip_id++,
		.frag = g->df ? FRAG_DF : 0,
		.proto = IP_PROTO_ICMP,
		.len = g->size - IP_HEAD };
	uint8_t *p = out_room(&o, IP_HEAD + ICMP_HEAD);
	uint8_t *icmp = p + IP_HEAD;

	if (!p)
		return;
	memset(icmp, 0, ICMP_HEAD);
	icmp[0] = ICMP_ECHO_REQUEST;
	put16(icmp + 4, ping_id(s));
	put16(icmp + 6, seq);
	put16(icmp + 2, ip_sum_end(ip_sum(icmp, ICMP_HEAD, pattern_body_sum(body, n))));
	ip_head(p, &ip);
	put_body(&o, &body, &n);
	ppp_commit(s, &o, body, n);
	count_sent(s, g->size);
}

static void
answer_ping(struct session *s, const struct ipv4 *in)
{
	struct out o = ppp_frame(s, PPP_IP, IP_HEAD + in->len);
	struct ipv4 ip = { .src = in->dst,
		.dst = in->src,
		.id = s->ip_id++,
		.proto = IP_PROTO_ICMP,
		.len = in->len };
	uint8_t *p = out_room(&o, IP_HEAD + in->len);

	if (!p)
		return;
	memcpy(p + IP_HEAD, in->payload, in->len);
	p[IP_HEAD] = ICMP_ECHO_REPLY;
	put16(p + IP_HEAD + 2, 0);
	put16(p + IP_HEAD + 2, ip_sum_end(ip_sum(p + IP_HEAD, in->len, 0)));
	ip_head(p, &ip);
	ppp_commit(s, &o, NULL, 0);
	count_sent(s, IP_HEAD + in->len);
}

/* Sends a datagram back where it came from: addresses and ports change places. */
static void
answer_udp(struct session *s, const struct ipv4 *in)
{
	struct out o = ppp_frame(s, PPP_IP, IP_HEAD + in->len);
	struct ipv4 ip = { .src = in->dst,
		.dst = in->src,
		.id = s->ip_id++,
		.proto = IP_PROTO_UDP,
		.len = in->len };
	uint8_t *p = out_room(&o, IP_HEAD + in->len);
	uint8_t *udp = p + IP_HEAD;

	if (!p)
		return;
	memcpy(udp, in->payload, in->len);
	udp_head(udp, &ip, get16(in->payload + 2), get16(in->payload),
	    ip_sum(in->payload + UDP_HEAD, in->len - UDP_HEAD, 0));
	ip_head(p, &ip);
	ppp_commit(s, &o, NULL, 0);
	count_sent(s, IP_HEAD + in->len);
}

static void
ping_reply(struct session *s, const struct ipv4 *ip)
{
	uint16_t seq = get16(ip->payload + 6);
	struct pattern pat = ping_pattern(s, seq);
	size_t n = ip->len - ICMP_HEAD;

	if (get16(ip->payload + 4) != ping_id(s)) {
		totals.rx_misrouted++;
		return;
	}
	probe_reply(s, PROBE_PING, seq,
	    n <= PATTERN_MAX && memcmp(ip->payload + ICMP_HEAD, pattern_body(&pat), n) == 0);
}

/* An error quotes our packet's IP header and 8 bytes more; for a probe these name it. */
static void
icmp_error(struct session *s, const struct ipv4 *ip)
{
	const uint8_t *q = ip->payload + ICMP_HEAD;

	totals.icmp_errors++;
	last_icmp = (struct icmp_note){ .type = ip->payload[0],
		.code = ip->payload[1],
		.mtu = get16(ip->payload + 6),
		.from = ip->src };
	event("icmp session=%u type=%u code=%u mtu=%u", session_index(s), last_icmp.type,
	    last_icmp.code, last_icmp.mtu);
	if (ip->len < ICMP_HEAD + IP_HEAD + 8 || get32(q + 12) != s->ip)
		return;
	if (q[9] == IP_PROTO_ICMP)
		probe_error(s, PROBE_PING, get16(q + IP_HEAD + 6));
	else
		probe_error(s, PROBE_UDP, UINT64_MAX);
}

static void
icmp_input(struct session *s, const struct ipv4 *ip)
{
	if (ip->len < ICMP_HEAD || ip_sum_end(ip_sum(ip->payload, ip->len, 0)) != 0) {
		totals.rx_corrupt++;
		return;
	}
	switch (ip->payload[0]) {
	case ICMP_ECHO_REQUEST:
		answer_ping(s, ip);
		break;
	case ICMP_ECHO_REPLY:
		ping_reply(s, ip);
		break;
	case 3:
	case 11:
	case 12:
		icmp_error(s, ip);
		break;
	default:
		totals.rx_other++;
		break;
	}
}

static bool
udp_sum_ok(const struct ipv4 *ip, const struct pattern *pat, bool ok)
{
	uint32_t sum = ip_pseudo_sum(ip->src, ip->dst, IP_PROTO_UDP, ip->len);
	size_t head = UDP_HEAD + PATTERN_HEAD;

	if (!get16(ip->payload + 6))
		return true;
	if (!ok) /* the content is not the table's */
		return ip_sum_end(ip_sum(ip->payload, ip->len, sum)) == 0;
	sum = ip_sum(ip->payload, head, sum);
	return ip_sum_end(sum + pattern_body_sum(pattern_body(pat), ip->len - head)) == 0;
}

/* Sequence numbers run per session: a gap is loss, a step back is reordering or a duplicate. */
static void
pattern_down(struct session *s, const struct ipv4 *ip, const struct pattern *pat, bool ok)
{
	if (!totals.rx_first_us)
		totals.rx_first_us = now_us;
	totals.rx_last_us = now_us;
	totals.rx_packets++;
	totals.rx_bytes += IP_HEAD + ip->len;
	s->rx_packets++;
	s->rx_bytes += IP_HEAD + ip->len;
	if (!ok) {
		totals.rx_corrupt++;
		s->rx_corrupt++;
		return;
	}
	if (pat->seq >= s->rx_seq) {
		s->rx_lost += pat->seq - s->rx_seq;
		totals.rx_lost += pat->seq - s->rx_seq;
		s->rx_seq = pat->seq + 1;
		return;
	}
	s->rx_late++;
	totals.rx_late++;
	if (s->rx_lost) {
		s->rx_lost--;
		totals.rx_lost--;
	}
}

static void
udp_input(struct session *s, const struct ipv4 *ip)
{
	struct pattern pat;
	bool ok;

	if (ip->len < UDP_HEAD || get16(ip->payload + 4) != ip->len) {
		totals.rx_corrupt++;
		return;
	}
	if (get16(ip->payload + 2) == ECHO_PORT) {
		answer_udp(s, ip);
		return;
	}
	if (!pattern_parse(ip->payload + UDP_HEAD, ip->len - UDP_HEAD, &pat, &ok)) {
		totals.rx_other++;
		return;
	}
	ok = udp_sum_ok(ip, &pat, ok) && ok;
	if (pat.stream != ip->dst)
		totals.rx_misrouted++;
	else if (pat.kind == PATTERN_ECHO)
		probe_reply(s, PROBE_UDP, pat.seq, ok);
	else if (pat.kind == PATTERN_DOWN)
		pattern_down(s, ip, &pat, ok);
	else
		totals.rx_other++;
}

static struct part *
find_part(struct session *s, const struct ipv4 *ip)
{
	struct part *q;
	unsigned int i;

	if (!parts && !(parts = calloc(PARTS, sizeof(*parts))))
		abort();
	for (i = 0; i < PARTS; i++) {
		q = &parts[i];
		if (q->s == s && q->src == ip->src && q->id == ip->id)
			return q;
	}
	q = &parts[part_next++ % PARTS];
	q->s = s;
	q->src = ip->src;
	q->id = ip->id;
	q->have = q->total = 0;
	return q;
}

/* True when the packet is whole: ip then describes it. */
static bool
assemble(struct session *s, struct ipv4 *ip)
{
	struct part *q = find_part(s, ip);
	size_t at = (size_t)(ip->frag & FRAG_OFFSET) * 8;

	totals.rx_fragments++;
	if (at + ip->len > sizeof(q->data)) {
		totals.rx_corrupt++;
		return false;
	}
	memcpy(q->data + at, ip->payload, ip->len);
	q->have += ip->len;
	if (!(ip->frag & FRAG_MF))
		q->total = at + ip->len;
	if (!q->total || q->have < q->total)
		return false;
	ip->payload = q->data;
	ip->len = q->total;
	q->s = NULL;
	return true;
}

void
inner_input(struct session *s, const uint8_t *p, size_t n)
{
	struct ipv4 ip;

	if (s->state != S_UP) {
		totals.early_ip++;
		return;
	}
	if (!ip_parse(p, n, &ip)) {
		totals.rx_corrupt++;
		return;
	}
	if (ip.dst != s->ip && !s->prof->router) {
		totals.rx_misrouted++;
		return;
	}
	if (s->tun_fd) {
		attach_output(s, p, n);
		return;
	}
	if ((ip.frag & (FRAG_MF | FRAG_OFFSET)) && !assemble(s, &ip))
		return;
	if (ip.proto == IP_PROTO_ICMP)
		icmp_input(s, &ip);
	else if (ip.proto == IP_PROTO_UDP)
		udp_input(s, &ip);
	else
		totals.rx_other++;
}

void
inner_reset(void)
{
	struct session *s;

	for (s = sessions; s < sessions + session_count; s++) {
		s->rx_packets = s->rx_bytes = s->rx_lost = 0;
		s->rx_corrupt = s->rx_late = 0;
		s->tx_bytes = s->tx_seq = s->rx_seq = 0;
	}
	memset(&totals, 0, sizeof(totals));
}
