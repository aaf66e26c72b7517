/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two members with one address on their network do not hear each other at all: what comes from
 * one's own address the kernel takes for forged. Where there are but these two, each finds itself
 * alone and becomes master. So a packet socket looks for it; the kernel gives it nothing else, by a
 * filter, and that is nothing at all as long as all is well.
 *
 * Owns the socket. Called by clpost.c.
 */
#include "cltwin.h"
#include "loop.h"
#include "wire.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	A_TURN = 8,
	LARGEST = 2048, /* a HEARTBEAT is shorter */
	IP_PROTOCOL = 9,
	IP_SOURCE = 12,
	UDP_TO = 2,
	UDP_HEADER = 8,
};

static int sock = -1;
static void (*fn)(const uint8_t *data, size_t len);

/* A packet as the filter lets it pass: IPv4 and UDP. */
static void
take(const uint8_t *packet, size_t len)
{
	struct rd r = rd_init(packet, len);
	size_t header = (rd_u8(&r) & 0xf) * 4;

	r = rd_init(packet, len);
	rd_skip(&r, header + UDP_HEADER);
	if (!r.bad)
		fn(r.pos, rd_left(&r));
}

static void
on_readable(int fd, void *unused)
{
	uint8_t packet[LARGEST];
	ssize_t n = 1;
	int i;

	(void)unused;
	for (i = 0; i < A_TURN && n > 0; i++) {
		n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (n > 0)
			take(packet, (size_t)n);
	}
}

/* UDP from the address to the port, and not what we send ourselves. */
static int
set_filter(int fd, uint32_t address, uint16_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 8, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_SOURCE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(address), 0, 6),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_PROTOCOL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 4),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, UDP_TO),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, LARGEST),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* The filter first: what it does not pass must not come in between. */
static int
open_it(const char *interface, uint32_t address, uint16_t port)
{
	struct sockaddr_ll from = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && set_filter(fd, address, port) == 0 &&
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
	    loop_add(fd, on_readable, NULL) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void
cltwin_watch(const char *interface, uint32_t address, uint16_t port,
    void (*heard)(const uint8_t *data, size_t len))
{
	if (sock >= 0) {
		loop_del(sock);
		close(sock);
	}
	fn = heard;
	sock = open_it(interface, address, port);
}
