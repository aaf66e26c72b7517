/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a packet. Up: L2TP header, session by wire ids, PPP protocol, source
 * check, MSS, tun. Down: session by destination, limits, MTU, MSS, L2TP header in
 * place, output batch. A packet of an up session touches one cell of a map and one
 * struct sess_fast, whatever the number of sessions.
 *
 * Nothing here allocates, logs (but by the rate-limited DROP) or makes a system call
 * of its own. Everything that is not IP for an up session leaves by a hook.
 *
 * On a slave of a cluster this passes on the IP of up sessions and nothing else: what
 * changes state goes to the master (clfwd.c) and comes in there as from its own
 * socket, and so does what one member alone may pass on (see MASTER_UP).
 * RFC 2661 3.1 and 5.4, RFC 1661 2, RFC 791, RFC 1191.
 */
#include "data.h"
#include "clfwd.h"
#include "config.h"
#include "counter.h"
#include "cpopt.h"
#include "dump.h"
#include "filter.h"
#include "frame.h"
#include "hook.h"
#include "icmp.h"
#include "ip4.h"
#include "iptab.h"
#include "l2tp_hdr.h"
#include "loop.h"
#include "role.h"
#include "session.h"
#include "snoop.h"
#include "tbf.h"
#include "tundev.h"
#include "tunnel.h"
#include "util.h"

enum { TCP_IP_HEADERS = 40, SMALLEST_MTU = 68 };

/*
 * Sessions whose packets only the master passes on: buckets are one place's, and so is the
 * NAT of the garden, which must see both directions. To who wants sequence numbers there
 * is one sender of them.
 */
enum { MASTER_UP = SF_THROTTLE | SF_GARDEN, MASTER_DOWN = MASTER_UP | SF_SEQUENCE };

/* Downstream packets of the running tenth of a second, for packet_limit. */
struct limit {
	uint32_t tenth;
	uint32_t packets;
};

static struct limit *limits;

void
data_init(void)
{
	limits = session_table("packet limits", sizeof(*limits));
}

static bool
source_ok(const struct sess_fast *f, sess_id s, uint32_t src)
{
	if (src == f->ip4 || conf->disable_no_spoof)
		return true;
	return f->flags & SF_ROUTES && iptab_lookup(src) == s;
}

/* A plugin may drop a packet, or change it: then it is read anew. */
static bool
plugin_passes(hook_packet_fn look, sess_id s, struct ip4 *ip)
{
	return look(s, ip->data, ip->len) && ip4_decode(ip->data, ip->len, ip);
}

/* What nothing stands against any more; `room` octets in front of it are free. */
static void
pass_up(sess_id s, struct sess_fast *f, const struct ip4 *ip, size_t room)
{
	ip4_clamp_mss(ip, (uint16_t)(f->mtu - TCP_IP_HEADERS));
	f->rx_bytes += ip->len;
	f->rx_packets++;
	f->last_data = loop_now_ds();
	tundev_write(s, ip->data, ip->len, room);
}

/* The last step of a policy: interception is of what passes, as it came. */
static void
pass_up_policy(sess_id s, struct sess_fast *f, const struct ip4 *ip, size_t room)
{
	if (f->flags & SF_SNOOP)
		snoop_packet(s, ip);
	pass_up(s, f, ip, room);
}

/* Whether an access list has nothing against it; 0: there is none. */
static bool
list_permits(uint8_t list, const struct ip4 *ip)
{
	return !list || filter_permits(list, ip);
}

/* What few sessions have: access lists come first here, then rates, then interception. */
static int
policy_up(sess_id s, struct sess_fast *f, const struct ip4 *ip, size_t room)
{
	int now;

	if (f->flags & SF_FILTER && !list_permits(session_get(s)->filter_in, ip))
		return DROP(rx_filtered, "session %u, to %s", (unsigned)s, ip4_text(ip->dst));
	now = f->flags & SF_THROTTLE ? tbf_input(s, TBF_IN, ip) : 1;
	if (now > 0)
		pass_up_policy(s, f, ip, room);
	return MIN(now, 0);
}

/* An IP packet from a subscriber, behind `before` octets of L2TP and PPP that are done with. */
static int
ip_up(sess_id s, struct sess_fast *f, uint8_t *data, size_t len, size_t before)
{
	struct ip4 ip;

	if (!(f->flags & SF_ON))
		return DROP(rx_not_up, "session %u", (unsigned)s);
	if (!ip4_decode(data, len, &ip))
		return DROP(rx_bad_ip, "session %u, %zu octets", (unsigned)s, len);
	if (!source_ok(f, s, ip.src))
		return DROP(rx_spoofed, "session %u, from %s", (unsigned)s, ip4_text(ip.src));
	if (hook_packet_rx && !plugin_passes(hook_packet_rx, s, &ip))
		return DROP(rx_plugin, "session %u", (unsigned)s);
	if (f->flags & SF_POLICY)
		return policy_up(s, f, &ip, before);
	pass_up(s, f, &ip, before);
	return 0;
}

/* The information field of an IP frame, for the usual ways of writing its header; 0: something
 * else. */
static size_t
ip_header_len(const struct rd *frame)
{
	const uint8_t *p = frame->pos;
	size_t left = rd_left(frame);

	if (left >= 4 && p[0] == 0xff && p[1] == 0x03 && p[2] == 0x00 && p[3] == 0x21)
		return 4;
	if (left >= 2 && p[0] == 0x00 && p[1] == 0x21)
		return 2;
	if (left >= 3 && p[0] == 0xff && p[1] == 0x03 && p[2] == 0x21)
		return 3;
	return left >= 1 && p[0] == 0x21;
}

/* Whether a slave passes on a frame itself: IP of an up session that is not one for the master. */
static bool
is_ours_up(const struct sess_fast *f, bool is_ip)
{
	return is_ip && (f->flags & (SF_ON | MASTER_UP)) == SF_ON;
}

/* One that is not up here may be at the master: it is as good as unknown. */
static int
hand_up(const struct pkt *pkt, const struct sess_fast *f, bool is_ip)
{
	if (is_ip && !(f->flags & SF_ON))
		return clfwd_unknown_from_lac(pkt, CLFWD_ONCE);
	return clfwd_from_lac(pkt, is_ip ? CLFWD_ONCE : CLFWD_REPEAT);
}

/* A data packet whose session is known. */
static int
frame_up(struct pkt *pkt, const struct l2tp_hdr *h, struct rd frame, sess_id s)
{
	struct sess_fast *f = session_fast(s);
	const struct session *sess;
	size_t skip, before;

	if (f->peer_ip != pkt->from_ip)
		return DROP(rx_wrong_source, "data for session %u from %s", (unsigned)s,
		    ip4_text(pkt->from_ip));
	skip = ip_header_len(&frame);
	if (!role_is_master() && !is_ours_up(f, skip > 0))
		return hand_up(pkt, f, skip > 0);
	if (h->flags & L2TP_FLAG_SEQUENCE && f->flags & SF_SEQUENCE && !frame_in_sequence(s, h->ns))
		return -1;
	f->last_rx = loop_now_ds();
	tunnel_seen(f->tunnel);
	if (skip) {
		before = (size_t)(frame.pos - pkt->data) + skip;
		return ip_up(s, f, pkt->data + before, rd_left(&frame) - skip, before);
	}
	sess = session_get(s);
	if (sess->state == SESS_OPENING)
		frame_keep_early(s, frame);
	else
		hook_frame(s, frame);
	return 0;
}

/* A tunnel that is not known here may be at the master; for most strays it is not. */
static int
control_up(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps)
{
	if (!role_is_master() && h->wire_tid && !tunnel_by_wire(h->wire_tid))
		return clfwd_unknown_from_lac(pkt, CLFWD_REPEAT);
	if (!role_is_master())
		return clfwd_from_lac(pkt, CLFWD_REPEAT);
	hook_control(pkt, h, avps);
	return 0;
}

static int
packet_up(struct pkt *pkt, const struct l2tp_hdr *h, struct rd payload, enum l2tp_hdr_result r)
{
	sess_id s;

	if (r == L2TP_HDR_VERSION)
		return DROP(rx_bad_version, "from %s", ip4_text(pkt->from_ip));
	if (r == L2TP_HDR_SHORT)
		return DROP(rx_short, "from %s, %u octets", ip4_text(pkt->from_ip), pkt->len);
	if (r == L2TP_HDR_BAD)
		return DROP(
		    rx_bad_header, "from %s, flags 0x%04x", ip4_text(pkt->from_ip), h->flags);
	if (h->flags & L2TP_FLAG_TYPE)
		return control_up(pkt, h, payload);
	s = session_by_wire(h->wire_tid, h->wire_sid);
	if (!s && !role_is_master())
		return clfwd_unknown_from_lac(
		    pkt, ip_header_len(&payload) > 0 ? CLFWD_ONCE : CLFWD_REPEAT);
	if (!s)
		return DROP(rx_unknown_session, "tunnel %u session %u from %s", h->wire_tid,
		    h->wire_sid, ip4_text(pkt->from_ip));
	return frame_up(pkt, h, payload, s);
}

void
data_from_lacs(struct pkt *pkts, unsigned int n)
{
	struct l2tp_hdr h[UDP_BATCH];
	struct rd payload[UDP_BATCH];
	enum l2tp_hdr_result r[UDP_BATCH];
	unsigned int i;

	for (i = 0; i < n; i++) {
		payload[i] = rd_init(pkts[i].data, pkts[i].len);
		r[i] = l2tp_hdr_decode(&payload[i], &h[i]);
		if (r[i] == L2TP_HDR_OK && !(h[i].flags & L2TP_FLAG_TYPE))
			session_prefetch(h[i].wire_tid, h[i].wire_sid);
	}
	for (i = 0; i < n; i++) {
		if (log_on(LOG_PACKET))
			dump_from_lac(&pkts[i], &h[i], payload[i], r[i]);
		if (packet_up(&pkts[i], &h[i], payload[i], r[i]) < 0)
			COUNT(tunnel_rx_dropped);
	}
	tundev_flush(); /* the packets are gone afterwards */
}

static bool
limit_ok(sess_id s)
{
	struct limit *l = &limits[s];

	if (l->tenth != loop_now_ds())
		*l = (struct limit){ .tenth = loop_now_ds() };
	return ++l->packets <= conf->packet_limit;
}

static void
count_down(struct sess_fast *f, size_t len)
{
	f->tx_bytes += len;
	f->tx_packets++;
}

/* What the subscriber gets is counted: the headers of all of them. */
static void
send_fragments(sess_id s, struct sess_fast *f, const struct ip4 *ip)
{
	uint16_t mtu = MAX(f->mtu, SMALLEST_MTU), offset = 0;
	uint8_t buf[2048];
	size_t len;

	while ((len = ip4_fragment(buf, ip, mtu, &offset)) > 0) {
		frame_send(s, PPP_IP, buf, len);
		count_down(f, len);
	}
}

/* As it is or in fragments. */
static bool
fits(const struct sess_fast *f, const struct ip4 *ip)
{
	return ip->len <= f->mtu || !(ip->frag & IP4_DF);
}

/* A packet larger than the session's MTU. */
static int
large_packet(sess_id s, struct sess_fast *f, const struct ip4 *ip)
{
	if (!fits(f, ip)) {
		icmp_too_big(ip, f->mtu);
		return DROP(tx_too_big, "session %u, %u octets", (unsigned)s, ip->len);
	}
	COUNT(tx_fragmented);
	send_fragments(s, f, ip);
	return 0;
}

static int
pass_down(sess_id s, struct sess_fast *f, const struct ip4 *ip)
{
	ip4_clamp_mss(ip, (uint16_t)(f->mtu - TCP_IP_HEADERS));
	if (ip->len > f->mtu) {
		if (large_packet(s, f, ip) < 0)
			return -1;
	} else {
		count_down(f, ip->len);
		frame_send_ip(f, s, ip->data, ip->len);
	}
	f->last_data = loop_now_ds();
	return 0;
}

static int
pass_down_policy(sess_id s, struct sess_fast *f, const struct ip4 *ip)
{
	if (f->flags & SF_SNOOP && fits(f, ip))
		snoop_packet(s, ip);
	return pass_down(s, f, ip);
}

/* The same order as upwards. */
static int
policy_down(sess_id s, struct sess_fast *f, const struct ip4 *ip)
{
	int now;

	if (f->flags & SF_FILTER && !list_permits(session_get(s)->filter_out, ip))
		return DROP(tx_filtered, "session %u, from %s", (unsigned)s, ip4_text(ip->src));
	if (conf->packet_limit && !limit_ok(s))
		return DROP(tx_packet_limit, "session %u", (unsigned)s);
	now = f->flags & SF_THROTTLE ? tbf_input(s, TBF_OUT, ip) : 1;
	return now > 0 ? pass_down_policy(s, f, ip) : now;
}

/* Counted as those that come just now are. */
static void
release_dropped(sess_id s, enum tbf_dir dir)
{
	if (dir == TBF_IN) {
		DROP(rx_not_up, "session %u", (unsigned)s);
		COUNT(tunnel_rx_dropped);
	} else {
		DROP(tx_no_session, "session %u", (unsigned)s);
		COUNT(tun_rx_dropped);
	}
}

void
data_release(sess_id s, enum tbf_dir dir, uint8_t *data, size_t len)
{
	struct sess_fast *f = session_fast(s);
	struct ip4 ip;

	if (!ip4_decode(data, len, &ip))
		return;
	if (!(f->flags & SF_ON)) /* its link is being negotiated anew */
		release_dropped(s, dir);
	else if (dir == TBF_IN)
		pass_up_policy(s, f, &ip, 0);
	else if (pass_down_policy(s, f, &ip) < 0)
		COUNT(tun_rx_dropped);
}

/* Whether a slave passes on a packet for that session itself. */
static bool
is_ours_down(const struct sess_fast *f)
{
	return (f->flags & (SF_ON | MASTER_DOWN)) == SF_ON;
}

static int
hand_down(const struct ip4 *ip, const struct sess_fast *f)
{
	return f->flags & SF_ON ? clfwd_to_subscriber(ip->data, ip->len)
				: clfwd_unknown_to_subscriber(ip->data, ip->len);
}

static int
packet_down(struct pkt *pkt)
{
	struct sess_fast *f;
	struct ip4 ip;
	sess_id s;

	if (!ip4_decode(pkt->data, pkt->len, &ip)) {
		COUNT(tun_rx_errors);
		return 0; /* IPv6 neighbour discovery of the kernel and the like */
	}
	s = iptab_lookup(ip.dst);
	f = session_fast(s);
	if (!role_is_master() && !is_ours_down(f))
		return hand_down(&ip, f);
	if (!s || !(f->flags & SF_ON)) {
		icmp_unreachable(&ip);
		return DROP(tx_no_session, "to %s", ip4_text(ip.dst));
	}
	if (hook_packet_tx && !plugin_passes(hook_packet_tx, s, &ip))
		return DROP(tx_plugin, "session %u", (unsigned)s);
	if (f->flags & SF_POLICY)
		return policy_down(s, f, &ip);
	if (conf->packet_limit && !limit_ok(s))
		return DROP(tx_packet_limit, "session %u", (unsigned)s);
	return pass_down(s, f, &ip);
}

void
data_from_tun(struct pkt *pkts, unsigned int n)
{
	struct rd dst;
	unsigned int i;

	for (i = 0; i < n; i++) {
		dst = rd_init(pkts[i].data, pkts[i].len);
		rd_skip(&dst, 16);
		iptab_prefetch(rd_be32(&dst));
	}
	for (i = 0; i < n; i++) {
		if (log_on(LOG_PACKET))
			log_hex("from the tun", pkts[i].data, pkts[i].len);
		if (packet_down(&pkts[i]) < 0)
			COUNT(tun_rx_dropped);
	}
}

/* To the garden: by our own tun, where the NAT that saw the other direction takes it back. It comes
 * in there again as from the core. */
static bool
pass_by_own_tun(struct pkt *pkt)
{
	struct ip4 ip;
	sess_id s;

	if (!ip4_decode(pkt->data, pkt->len, &ip))
		return false;
	s = iptab_lookup(ip.dst);
	if (!(session_fast(s)->flags & SF_GARDEN))
		return false;
	tundev_write(s, ip.data, ip.len, PKT_HEADROOM);
	return true;
}

void
data_to_subscribers(struct pkt *pkts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!pass_by_own_tun(&pkts[i]) && packet_down(&pkts[i]) < 0)
			COUNT(tun_rx_dropped);
	tundev_flush();
}
