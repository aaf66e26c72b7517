/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP with IP_PKTINFO for servers that answer a packet at a time: control.c and dae.c.
 * L2TP's own sockets, which move everybody's packets, are udp.c's.
 */
#include "dgram.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

/* The kernel's own limit does not matter to root; where it does, it gives what it may. */
static void
make_room(int fd, int octets)
{
	if (octets && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

int
dgram_open(uint32_t addr, uint16_t port, int room, loop_fn on_readable)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = addr,
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, why;

	if (fd < 0)
		return -1;
	make_room(fd, room);
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0 &&
	    loop_add(fd, on_readable, NULL) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

void
dgram_name(struct dgram_peer *peer)
{
	snprintf(peer->who, sizeof(peer->who), "%s:%u", ip4_text(peer->ip), (unsigned)peer->port);
}

static void
describe(struct msghdr *msg, const struct sockaddr_in *sa, struct dgram_peer *from)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct in_pktinfo info = { 0 };

	if (cmsg && cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO)
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
	from->ip = sa->sin_addr.s_addr;
	from->port = ntohs(sa->sin_port);
	from->asked = info.ipi_spec_dst.s_addr;
	from->ifindex = (unsigned int)info.ipi_ifindex;
	dgram_name(from);
}

static void (*before_send)(void); /* NULL: nobody cares */

void
dgram_before_send(void (*fn)(void))
{
	before_send = fn;
}

ssize_t
dgram_receive(int fd, void *buf, size_t size, struct dgram_peer *from)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct sockaddr_in sa = { 0 };
	union control control;
	struct msghdr msg = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return -1;
	from->fd = fd;
	describe(&msg, &sa, from);
	return n;
}

int
dgram_send(const struct dgram_peer *to, const void *data, size_t len)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(to->port),
		.sin_addr.s_addr = to->ip,
	};
	struct in_pktinfo source = { .ipi_spec_dst.s_addr = to->asked };
	struct iovec iov = { .iov_len = len };
	union control control = { 0 };
	struct msghdr msg = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	memcpy(&iov.iov_base, &data, sizeof(data)); /* sendmsg() only reads it */
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(source));
	memcpy(CMSG_DATA(cmsg), &source, sizeof(source));
	if (before_send)
		before_send();
	return sendmsg(to->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

void
dgram_close(int fd)
{
	loop_del(fd);
	close(fd);
}
