/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * L2TP sockets. One a listening address; with a wildcard address, IP_PKTINFO tells
 * which of the machine's addresses a packet was sent to, and the answer is sent from
 * there. Such (socket, address) pairs are numbered ("locals", at most 255) so that a
 * session needs one octet for it.
 *
 * Outer packets leave without DF (SPEC 6), so path MTU discovery is off. Buffers for
 * receiving and copying are not inherited by CLI children.
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
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_SOCKETS = 32,
	MAX_LOCALS = 255,
	COPY_SIZE = 2048,
	SOCKET_BUFFER = 16 << 20,
	TURN_PACKETS = 512, /* at most this many a socket in one turn */
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
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

static struct mmsghdr in_msg[UDP_BATCH];
static struct iovec in_iov[UDP_BATCH];
static struct sockaddr_in in_from[UDP_BATCH];
static union control in_control[UDP_BATCH];
static struct pkt in_pkt[UDP_BATCH];
static uint8_t *in_buf;

static struct mmsghdr out_msg[UDP_BATCH];
static struct iovec out_iov[UDP_BATCH];
static struct sockaddr_in out_to[UDP_BATCH];
static union control out_control[UDP_BATCH];
static uint8_t *out_copy;
static unsigned int n_out, out_socket; /* queued packets, all for one socket */

static udp_input_fn input_fn;

static void
set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		plog(LOG_WARNING, "L2TP socket: %s: %s", what, strerror(errno));
}

static void
set_options(int fd)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, size, "receive buffer");
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		set_option(fd, SOL_SOCKET, SO_SNDBUF, size, "send buffer");
	set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "IP_MTU_DISCOVER");
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

static uint32_t
destination(struct msghdr *msg)
{
	struct cmsghdr *c;
	struct in_pktinfo info;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		return info.ipi_addr.s_addr;
	}
	return 0;
}

static void
prepare_input(void)
{
	unsigned int i;

	for (i = 0; i < UDP_BATCH; i++) {
		in_iov[i].iov_base = in_buf + (size_t)i * PKT_SIZE + PKT_HEADROOM;
		in_iov[i].iov_len = PKT_SIZE - PKT_HEADROOM;
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

/* Makes the pkts of a batch; packets to an address for which there is no number are left out. */
static unsigned int
take_batch(unsigned int sock, unsigned int n)
{
	unsigned int i, kept = 0;
	uint64_t bytes = 0;
	uint32_t last_addr = 0;
	int local = -1;

	for (i = 0; i < n; i++) {
		struct pkt *p = &in_pkt[kept];
		uint32_t addr =
		    sockets[sock].addr ? sockets[sock].addr : destination(&in_msg[i].msg_hdr);

		in_msg[i].msg_hdr.msg_namelen = sizeof(in_from[i]);
		in_msg[i].msg_hdr.msg_controllen = sizeof(in_control[i]);
		bytes += in_msg[i].msg_len;
		if (local < 0 || addr != last_addr)
			local = local_of(sock, addr);
		last_addr = addr;
		if (local < 0 || in_msg[i].msg_hdr.msg_flags & MSG_TRUNC) {
			COUNT(tunnel_rx_dropped);
			continue;
		}
		p->data = in_iov[i].iov_base;
		p->len = (uint16_t)in_msg[i].msg_len;
		p->from_ip = in_from[i].sin_addr.s_addr;
		p->from_port = ntohs(in_from[i].sin_port);
		p->local = (uint8_t)local;
		kept++;
	}
	COUNT_ADD(tunnel_rx_packets, n);
	COUNT_ADD(tunnel_rx_bytes, bytes);
	return kept;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int sock = (unsigned int)(uintptr_t)arg, total = 0;
	unsigned int most = MAX(conf->multi_read_count, TURN_PACKETS);
	int n;

	do {
		n = recvmmsg(fd, in_msg, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n <= 0)
			break; /* ECONNREFUSED and the like: an ICMP for something we sent */
		total += (unsigned int)n;
		input_fn(in_pkt, take_batch(sock, (unsigned int)n));
	} while (n == UDP_BATCH && total < most);
	if (total > 1)
		COUNT(multi_read_used);
	if (n == UDP_BATCH)
		COUNT(multi_read_exceeded);
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
	set_options(fd);
	return fd;
}

int
udp_init(const uint32_t *addrs, unsigned int n, uint16_t port, udp_input_fn input, char *why,
    size_t why_size)
{
	unsigned int i;

	input_fn = input;
	in_buf = shm_map_parent("L2TP input", (size_t)UDP_BATCH * PKT_SIZE);
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

unsigned int
udp_local_index(uint8_t local)
{
	return locals[local].socket;
}

static void
set_source(struct msghdr *msg, union control *control, uint32_t addr)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = addr };
	struct cmsghdr *c;

	msg->msg_control = control;
	msg->msg_controllen = sizeof(*control);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

void
udp_send_in_place(uint8_t local, uint32_t ip, uint16_t port_be, void *data, size_t len)
{
	unsigned int sock = locals[local].socket, i;

	if (n_out == UDP_BATCH || (n_out && sock != out_socket))
		udp_flush();
	i = n_out++;
	out_socket = sock;
	out_iov[i].iov_base = data;
	out_iov[i].iov_len = len;
	out_to[i] = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = port_be,
		.sin_addr.s_addr = ip,
	};
	out_msg[i].msg_hdr = (struct msghdr){
		.msg_name = &out_to[i],
		.msg_namelen = sizeof(out_to[i]),
		.msg_iov = &out_iov[i],
		.msg_iovlen = 1,
	};
	if (sockets[sock].addr == 0)
		set_source(&out_msg[i].msg_hdr, &out_control[i], locals[local].addr);
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

void
udp_flush(void)
{
	unsigned int done = 0;
	int n;

	while (done < n_out) {
		n = sendmmsg(sockets[out_socket].fd, out_msg + done, n_out - done, MSG_DONTWAIT);
		if (n > 0) {
			done += (unsigned int)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		COUNT(tunnel_tx_errors); /* this one cannot be sent; the next ones may */
		plog_limit(LOG_WARNING, "L2TP: sending to %s: %s",
		    ip4_text(out_to[done].sin_addr.s_addr), strerror(errno));
		done++;
	}
	n_out = 0;
}
