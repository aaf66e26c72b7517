/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * L2TP sockets. One a listening address; with a wildcard address, IP_PKTINFO tells
 * which of the machine's addresses a packet was sent to, and the answer is sent from
 * there. Such (socket, address) pairs are numbered ("locals", at most 255) so that a
 * session needs one octet for it.
 *
 * Most of a packet's cost is the kernel's way through its layers, so packets share it
 * where the kernel lets them: it may hand over several datagrams of one sender in one
 * buffer (UDP_GRO), and takes a run of packets of equal length to one peer as one
 * message (UDP_SEGMENT). Neither waits for more to come. A kernel that knows neither
 * gets and gives single packets.
 *
 * Outer packets leave without DF (SPEC 6), so path MTU discovery is off. A message
 * whose packets do not fit the path unfragmented cannot be segmented: it is sent as
 * single packets, and that peer gets nothing of this length merged for a while.
 * Buffers for receiving and copying are not inherited by CLI children.
 */
#include "udp.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_SOCKETS = 32,
	MAX_LOCALS = 255,
	COPY_SIZE = 2048,
	SOCKET_BUFFER = 64 << 20, /* what 50,000 subscribers say in the second a storm begins */
	TURN_PACKETS = 512,	  /* after so many of a socket a turn reads no more */
	IN_BUFFERS = 64,	  /* messages read by one call; each may hold many packets */
	IN_CROWDED = 8,		  /* the same while they do */
	IN_STRIDE = 65536 + 1280, /* not a power of two: they would share the cache's lines */
	IN_SIZE = 65536,	  /* more than any datagram or run of them */
	SEGMENTS_SIZE = 65000,	  /* octets of a message that the kernel segments */
	REFUSALS = 64,
	REFUSAL_TENTHS = 300,
	DISCARD_ROUNDS = 2048, /* as many reads as empty a full socket */
};

static struct {
	int fd;
	uint32_t addr; /* bound to; 0: any */
} sockets[MAX_SOCKETS];
static unsigned int n_sockets;

static struct {
	unsigned int socket;
	uint32_t addr;
} locals[MAX_LOCALS];
static unsigned int n_locals;

union control {
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static struct mmsghdr in_msg[IN_BUFFERS];
static struct iovec in_iov[IN_BUFFERS];
static struct sockaddr_in in_from[IN_BUFFERS];
static union control in_control[IN_BUFFERS];
static struct pkt in_pkt[UDP_BATCH];
static unsigned int n_in; /* packets in in_pkt */
static bool crowded;	  /* the last messages held many packets each */
static uint8_t *in_buf;

/* Where a queued packet goes; packets of one run have all of it in common. */
struct out {
	uint32_t to_ip;
	uint16_t to_port; /* both network order */
	uint8_t local;
};

static struct out out[UDP_BATCH];
static struct iovec out_iov[UDP_BATCH]; /* of the same packets */
static unsigned int n_out, out_socket;	/* queued packets, all for one socket */
static uint8_t *out_copy;
static bool can_segment; /* the kernel knows UDP_SEGMENT */

static struct mmsghdr out_msg[UDP_BATCH];
static struct sockaddr_in out_to[UDP_BATCH];
static union control out_control[UDP_BATCH];

/* The kernel would not segment packets of so many octets to that peer. */
static struct refusal {
	uint32_t ip;
	uint32_t since; /* loop_now_ds() */
	size_t len;
} refusals[REFUSALS];

static udp_input_fn input_fn;
static void (*before_flush)(void); /* NULL: nobody cares */

static void
set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		plog(LOG_WARNING, "L2TP socket: %s: %s", what, strerror(errno));
}

/* Both came with Linux 4.18 and 5.0; an older one ignores the UDP_SEGMENT of a message. */
static void
set_merging(int fd)
{
	int on = 1, off = 0;

	can_segment = setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof(off)) == 0;
	if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) < 0)
		plog(LOG_INFO, "L2TP socket: no UDP_GRO: %s", strerror(errno));
}

static void
set_options(int fd, bool any)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, size, "receive buffer");
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		set_option(fd, SOL_SOCKET, SO_SNDBUF, size, "send buffer");
	if (any)
		set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "IP_MTU_DISCOVER");
	set_merging(fd);
}

/* The number of the pair, made when new; -1 when there are too many. */
static int
local_of(unsigned int sock, uint32_t addr)
{
	unsigned int i;

	for (i = 0; i < n_locals; i++)
		if (locals[i].addr == addr && locals[i].socket == sock)
			return (int)i;
	if (n_locals == MAX_LOCALS)
		return -1;
	locals[n_locals].socket = sock;
	locals[n_locals].addr = addr;
	return (int)n_locals++;
}

/* What the kernel says about a message. */
struct extra {
	uint32_t addr; /* it was sent to, network order; 0: not said */
	size_t size;   /* of each datagram but the last; 0: it is one */
};

static struct extra
read_extra(struct msghdr *msg)
{
	struct extra extra = { 0 };
	struct in_pktinfo info;
	struct cmsghdr *c;
	int size;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			extra.addr = info.ipi_addr.s_addr;
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			extra.size = size > 0 ? (size_t)size : 0;
		}
	}
	return extra;
}

static void
prepare_input(void)
{
	unsigned int i;

	for (i = 0; i < IN_BUFFERS; i++) {
		in_iov[i].iov_base = in_buf + (size_t)i * IN_STRIDE;
		in_iov[i].iov_len = IN_SIZE;
		in_msg[i].msg_hdr = (struct msghdr){
			.msg_name = &in_from[i],
			.msg_namelen = sizeof(in_from[i]),
			.msg_iov = &in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &in_control[i],
			.msg_controllen = sizeof(in_control[i]),
		};
	}
}

static void
deliver(void)
{
	if (n_in)
		input_fn(in_pkt, n_in);
	n_in = 0;
}

/* The datagrams of a message become packets; a full batch is handed on. */
static void
take_datagrams(const struct pkt *like, size_t len, size_t size)
{
	size_t at = 0, n;

	do { /* also once for an empty one */
		n = MIN(size, len - at);
		if (n_in == UDP_BATCH)
			deliver();
		in_pkt[n_in] = *like;
		in_pkt[n_in].data += at;
		in_pkt[n_in++].len = (uint16_t)n;
		at += n;
	} while (at < len);
}

/* Yields how many packets the message held. Those to an address for which there is no number are
 * left out. */
static unsigned int
take_message(unsigned int sock, unsigned int i)
{
	struct msghdr *msg = &in_msg[i].msg_hdr;
	struct extra extra = read_extra(msg);
	size_t len = in_msg[i].msg_len, size = extra.size ? extra.size : MAX(len, 1);
	unsigned int n = len > size ? (unsigned int)((len + size - 1) / size) : 1;
	int local = local_of(sock, sockets[sock].addr ? sockets[sock].addr : extra.addr);
	struct pkt like = {
		.data = in_iov[i].iov_base,
		.from_ip = in_from[i].sin_addr.s_addr,
		.from_port = ntohs(in_from[i].sin_port),
		.local = (uint8_t)local,
	};

	COUNT_ADD(tunnel_rx_packets, n);
	COUNT_ADD(tunnel_rx_bytes, len);
	if (n > 1)
		COUNT_ADD(tunnel_rx_merged, n);
	if (local < 0 || msg->msg_flags & MSG_TRUNC)
		COUNT_ADD(tunnel_rx_dropped, n);
	else
		take_datagrams(&like, len, size);
	msg->msg_namelen = sizeof(in_from[i]);
	msg->msg_controllen = sizeof(in_control[i]);
	return n;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int sock = (unsigned int)(uintptr_t)arg, total = 0;
	unsigned int most = MAX(conf->multi_read_count, TURN_PACKETS), ask, took;
	int n, i;

	do {
		ask = crowded ? IN_CROWDED : IN_BUFFERS;
		n = recvmmsg(fd, in_msg, ask, MSG_DONTWAIT, NULL);
		if (n <= 0)
			break; /* ECONNREFUSED and the like: an ICMP for something we sent */
		for (i = 0, took = 0; i < n; i++)
			took += take_message(sock, (unsigned int)i);
		deliver(); /* the buffers are used again */
		crowded = took >= 4 * (unsigned int)n;
		total += took;
	} while (n == (int)ask && total < most);
	if (total > 1)
		COUNT(multi_read_used);
	if (n == (int)ask)
		COUNT(multi_read_exceeded);
}

/* What came while the loop stood still would be taken for news. */
void
udp_discard(void)
{
	unsigned int i, round;
	int n;

	for (i = 0; i < n_sockets; i++)
		for (round = 0; round < DISCARD_ROUNDS; round++) {
			n = recvmmsg(sockets[i].fd, in_msg, IN_BUFFERS, MSG_DONTWAIT, NULL);
			if (n <= 0)
				break;
			COUNT_ADD(tunnel_rx_dropped, n);
		}
	prepare_input();
}

static int
open_socket(uint32_t addr, uint16_t port, char *why, size_t why_size)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = addr,
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		snprintf(why, why_size, "L2TP: cannot listen on %s port %u: %s", ip4_text(addr),
		    port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	set_options(fd, addr == 0);
	return fd;
}

int
udp_init(const uint32_t *addrs, unsigned int n, uint16_t port, udp_input_fn input, char *why,
    size_t why_size)
{
	unsigned int i;

	input_fn = input;
	in_buf = shm_map_parent("L2TP input", (size_t)IN_BUFFERS * IN_STRIDE);
	out_copy = shm_map_parent("L2TP output", (size_t)UDP_BATCH * COPY_SIZE);
	prepare_input();
	for (i = 0; i < MIN(n, MAX_SOCKETS); i++) {
		int fd = open_socket(addrs[i], port, why, why_size);

		if (fd < 0)
			return -1;
		sockets[i].fd = fd;
		sockets[i].addr = addrs[i];
		n_sockets++;
		if (loop_add(fd, on_readable, (void *)(uintptr_t)i) < 0) {
			snprintf(why, why_size, "L2TP: too many descriptors");
			return -1;
		}
	}
	return 0;
}

void
udp_fini(void)
{
	unsigned int i;

	udp_flush();
	for (i = 0; i < n_sockets; i++) {
		loop_del(sockets[i].fd);
		close(sockets[i].fd);
	}
	n_sockets = 0;
}

uint32_t
udp_local_address(uint8_t local)
{
	return locals[local].addr;
}

int
udp_local_of(uint32_t addr)
{
	unsigned int i;

	for (i = 0; i < n_sockets; i++)
		if (sockets[i].addr == addr || sockets[i].addr == 0)
			return local_of(i, addr);
	return -1;
}

unsigned int
udp_local_index(uint8_t local)
{
	return locals[local].socket;
}

void
udp_send_in_place(uint8_t local, uint32_t ip, uint16_t port_be, void *data, size_t len)
{
	unsigned int sock = locals[local].socket, i;

	if (n_out == UDP_BATCH || (n_out && sock != out_socket))
		udp_flush();
	i = n_out++;
	out_socket = sock;
	out[i] = (struct out){ .to_ip = ip, .to_port = port_be, .local = local };
	out_iov[i].iov_base = data;
	out_iov[i].iov_len = len;
	COUNT(tunnel_tx_packets);
	COUNT_ADD(tunnel_tx_bytes, len);
}

void
udp_send(uint8_t local, uint32_t ip, uint16_t port, const void *data, size_t len)
{
	uint8_t *copy;

	if (len > COPY_SIZE) {
		COUNT(tunnel_tx_errors);
		return;
	}
	if (n_out == UDP_BATCH || (n_out && locals[local].socket != out_socket))
		udp_flush();
	copy = out_copy + (size_t)n_out * COPY_SIZE;
	memcpy(copy, data, len);
	udp_send_in_place(local, ip, htons(port), copy, len);
}

static struct refusal *
refusal_of(uint32_t ip)
{
	const uint8_t *p = (const uint8_t *)&ip;

	return &refusals[(p[0] ^ p[1] ^ p[2] ^ p[3]) % REFUSALS];
}

static bool
refused(uint32_t ip, size_t len)
{
	const struct refusal *r = refusal_of(ip);

	return r->ip == ip && r->len && len >= r->len && loop_now_ds() - r->since < REFUSAL_TENTHS;
}

static void
note_refusal(uint32_t ip, size_t len)
{
	plog_limit(LOG_INFO, "L2TP: packets of %zu octets to %s go one by one: %s", len,
	    ip4_text(ip), strerror(errno));
	*refusal_of(ip) = (struct refusal){ .ip = ip, .since = loop_now_ds(), .len = len };
}

/* How many packets from `first` on may leave as one message: the last may be shorter. */
static unsigned int
run_length(unsigned int first)
{
	const struct out *a = &out[first], *b;
	size_t size = out_iov[first].iov_len, bytes = size, len;
	unsigned int i;

	for (i = first + 1; i < n_out && out_iov[i - 1].iov_len == size; i++) {
		b = &out[i];
		len = out_iov[i].iov_len;
		if (b->to_ip != a->to_ip || b->to_port != a->to_port || b->local != a->local ||
		    len > size || bytes + len > SEGMENTS_SIZE)
			break;
		bytes += len;
	}
	if (i > first + 1 && (!can_segment || size == 0 || refused(a->to_ip, size)))
		return 1;
	return i - first;
}

static void
put_control(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (void *)((char *)msg->msg_control + msg->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

/* Message m: the n packets from `first` on. */
static void
build_message(unsigned int m, unsigned int first, unsigned int n)
{
	const struct out *o = &out[first];
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = locals[o->local].addr };
	uint16_t size = (uint16_t)out_iov[first].iov_len;
	struct msghdr *msg = &out_msg[m].msg_hdr;

	out_to[m] = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = o->to_port,
		.sin_addr.s_addr = o->to_ip,
	};
	*msg = (struct msghdr){
		.msg_name = &out_to[m],
		.msg_namelen = sizeof(out_to[m]),
		.msg_iov = &out_iov[first],
		.msg_iovlen = n,
		.msg_control = &out_control[m],
	};
	if (sockets[out_socket].addr == 0)
		put_control(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (n > 1)
		put_control(msg, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
}

static unsigned int
build_messages(void)
{
	unsigned int i, n, m = 0;

	for (i = 0; i < n_out; i += n) {
		n = run_length(i);
		build_message(m++, i, n);
		if (n > 1)
			COUNT_ADD(tunnel_tx_merged, n);
	}
	return m;
}

static void
count_failed(const struct sockaddr_in *to)
{
	COUNT(tunnel_tx_errors);
	plog_limit(
	    LOG_WARNING, "L2TP: sending to %s: %s", ip4_text(to->sin_addr.s_addr), strerror(errno));
}

/* The packets of a message that the kernel did not take as one. */
static void
send_singly(const struct msghdr *merged)
{
	struct msghdr msg = *merged;
	size_t i;

	/* what remains is IP_PKTINFO, if anything */
	msg.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	msg.msg_iovlen = 1;
	for (i = 0; i < merged->msg_iovlen; i++) {
		msg.msg_iov = &merged->msg_iov[i];
		if (sendmsg(sockets[out_socket].fd, &msg, MSG_DONTWAIT) < 0)
			count_failed(msg.msg_name);
	}
}

/* A message could not be sent; the next ones may. */
static void
message_failed(const struct msghdr *msg)
{
	const struct sockaddr_in *to = msg->msg_name;

	if (msg->msg_iovlen == 1) {
		count_failed(to);
		return;
	}
	/* over the MTU: EMSGSIZE or EINVAL, by the age of the kernel; IPsec in front of it: EIO */
	if (errno == EMSGSIZE || errno == EINVAL)
		note_refusal(to->sin_addr.s_addr, msg->msg_iov[0].iov_len);
	else if (errno == EIO)
		note_refusal(to->sin_addr.s_addr, 1);
	counters->tunnel_tx_merged -= msg->msg_iovlen;
	send_singly(msg);
}

void
udp_before_flush(void (*fn)(void))
{
	before_flush = fn;
}

void
udp_flush(void)
{
	unsigned int done = 0, all = build_messages();
	int n;

	if (all && before_flush)
		before_flush();
	while (done < all) {
		n = sendmmsg(sockets[out_socket].fd, out_msg + done, all - done, MSG_DONTWAIT);
		if (n > 0)
			done += (unsigned int)n;
		else if (errno != EINTR)
			message_failed(&out_msg[done++].msg_hdr);
	}
	n_out = 0;
}
