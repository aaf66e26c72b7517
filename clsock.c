/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One UDP socket for all that members say to each other: a member of the multicast group,
 * bound to the interface of the cluster (SO_BINDTODEVICE), so that nothing from elsewhere
 * is heard. What is sent leaves from the interface's first address, whatever the routes say
 * (IP_PKTINFO). The interface may go and come again, or get another address: who calls sees to
 * that (clsock_moved()). Messages are queued and leave by sendmmsg(); they come by recvmmsg().
 *
 * Called by cluster.c.
 */
#include "clsock.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BATCH = 64,
	OUT_SIZE = 1 << 20, /* octets of queued messages */
	ROOM = 16 << 20,    /* octets the kernel may keep for us */
	BATCHES_A_TURN = 4, /* then others have their turn */
};

union control {
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

static int sock = -1;
static struct in_pktinfo from_here;
static uint32_t netmask;
static struct {
	unsigned int index; /* 0: it is not there */
	uint32_t address;   /* network order; 0: it has none */
} seen;
static struct sockaddr_in group;
static clsock_input_fn input;

static struct {
	uint8_t *data; /* BATCH buffers */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
} in;

static struct {
	uint8_t *data; /* OUT_SIZE octets */
	size_t used;
	unsigned int n;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in to[BATCH];
	union control control[BATCH];
} out;

/* --- opening --- */

/* The first address of the interface. False: it has none, is down, or is the loopback. */
static bool
find_address(const char *interface)
{
	struct ifaddrs *list, *i;
	struct sockaddr_in addr, mask;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET ||
		    (i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP) ||
		    strcmp(i->ifa_name, interface) != 0)
			continue;
		memcpy(&addr, i->ifa_addr, sizeof(addr));
		memcpy(&mask, i->ifa_netmask, sizeof(mask));
		from_here.ipi_spec_dst = addr.sin_addr;
		from_here.ipi_ifindex = (int)if_nametoindex(interface);
		netmask = mask.sin_addr.s_addr;
		found = true;
	}
	freeifaddrs(list);
	return found;
}

/* Why there is nobody to talk to on an interface. */
static const char *
nobody(const char *interface)
{
	struct ifaddrs *list, *i;
	unsigned int flags = 0;

	if (interface[0] == '\0')
		return "is empty";
	if (if_nametoindex(interface) == 0)
		return "is no interface of this machine";
	if (getifaddrs(&list) < 0)
		return strerror(errno);
	for (i = list; i; i = i->ifa_next)
		if (strcmp(i->ifa_name, interface) == 0)
			flags = i->ifa_flags;
	freeifaddrs(list);
	if (flags & IFF_LOOPBACK)
		return "is the loopback, where no other member can be";
	return flags & IFF_UP ? "has no IPv4 address" : "is down";
}

bool
clsock_moved(const char *interface)
{
	struct ifreq r = { 0 };
	struct sockaddr_in addr = { 0 };
	unsigned int index = if_nametoindex(interface);
	int fd = index ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	bool moved;

	str_copy(r.ifr_name, sizeof(r.ifr_name), interface);
	if (fd >= 0 && ioctl(fd, SIOCGIFADDR, &r) == 0)
		memcpy(&addr, &r.ifr_addr, sizeof(addr));
	if (fd >= 0)
		close(fd);
	moved = index != seen.index || addr.sin_addr.s_addr != seen.address;
	seen.index = index;
	seen.address = addr.sin_addr.s_addr;
	return moved;
}

/* What the kernel's own limit refuses to others, root gets. */
static void
make_room(int fd)
{
	int octets = ROOM;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof(octets)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
}

static struct ip_mreqn
member_of(const struct clsock_config *c)
{
	return (struct ip_mreqn){
		.imr_multiaddr.s_addr = c->group,
		.imr_address = from_here.ipi_spec_dst,
		.imr_ifindex = from_here.ipi_ifindex,
	};
}

static int
set_up(int fd, const struct clsock_config *c)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(c->port) };
	struct ip_mreqn member = member_of(c);
	int off = 0, ttl = c->ttl;

	make_room(fd);
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->interface,
		   (socklen_t)strlen(c->interface) + 1) < 0 ||
		       bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &member, sizeof(member)) < 0 ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof(off)) < 0 ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)) < 0 ||
		       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl)) < 0
		   ? -1
		   : 0;
}

static int
join(int fd, const struct clsock_config *c)
{
	struct ip_mreqn member = member_of(c);

	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member));
}

/* Once: the link may be opened again and again. */
static void
lay_out_buffers(void)
{
	unsigned int i;

	if (in.data)
		return;
	in.data = shm_map_parent("cluster input", (size_t)BATCH * CLMSG_LARGEST);
	out.data = shm_map_parent("cluster output", OUT_SIZE);
	for (i = 0; i < BATCH; i++) {
		in.iov[i].iov_base = in.data + (size_t)i * CLMSG_LARGEST;
		in.iov[i].iov_len = CLMSG_LARGEST;
		in.msgs[i].msg_hdr.msg_iov = &in.iov[i];
		in.msgs[i].msg_hdr.msg_iovlen = 1;
		in.msgs[i].msg_hdr.msg_name = &in.from[i];
	}
}

static unsigned int
receive(void)
{
	unsigned int i;
	int n;

	for (i = 0; i < BATCH; i++)
		in.msgs[i].msg_hdr.msg_namelen = sizeof(in.from[i]);
	n = recvmmsg(sock, in.msgs, BATCH, MSG_DONTWAIT, NULL);
	return n < 0 ? 0 : (unsigned int)n;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int i, n = BATCH, round;

	(void)fd;
	(void)arg;
	for (round = 0; n == BATCH && round < BATCHES_A_TURN; round++) {
		n = receive();
		for (i = 0; i < n; i++)
			input(in.from[i].sin_addr.s_addr, in.iov[i].iov_base, in.msgs[i].msg_len);
	}
}

/* Opens the socket, and tells at what that failed. */
static int
open_socket(const struct clsock_config *c, char *why, size_t why_size)
{
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0 || set_up(sock, c) < 0)
		snprintf(why, why_size, "cluster_port %u on %s: %s", (unsigned)c->port,
		    c->interface, strerror(errno));
	else if (join(sock, c) < 0)
		snprintf(why, why_size, "cluster_address %s cannot be joined on %s: %s",
		    ip4_text(c->group), c->interface, strerror(errno));
	else if (loop_add(sock, on_readable, NULL) < 0)
		snprintf(why, why_size, "cluster_port %u: too many descriptors", (unsigned)c->port);
	else
		return 0;
	if (sock >= 0)
		close(sock);
	sock = -1;
	return -1;
}

enum clsock_result
clsock_open(const struct clsock_config *c, char *why, size_t why_size)
{
	(void)clsock_moved(c->interface);
	if (!find_address(c->interface)) {
		snprintf(why, why_size, "cluster_interface%s%s %s", c->interface[0] ? " " : "",
		    c->interface, nobody(c->interface));
		return CLSOCK_NOBODY;
	}
	group = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(c->port),
		.sin_addr.s_addr = c->group,
	};
	input = c->input;
	if (open_socket(c, why, why_size) < 0)
		return CLSOCK_FAILED;
	lay_out_buffers();
	return CLSOCK_OPEN;
}

void
clsock_close(void)
{
	if (sock < 0)
		return;
	clsock_flush();
	loop_del(sock);
	close(sock);
	sock = -1;
}

uint32_t
clsock_address(void)
{
	return from_here.ipi_spec_dst.s_addr;
}

bool
clsock_is_near(uint32_t addr)
{
	return ((addr ^ from_here.ipi_spec_dst.s_addr) & netmask) == 0;
}

void
clsock_set_ttl(uint8_t ttl)
{
	int value = ttl;

	if (sock >= 0 && setsockopt(sock, IPPROTO_IP, IP_MULTICAST_TTL, &value, sizeof(value)) < 0)
		plog(LOG_ERROR, "cluster_mcast_ttl: %s", strerror(errno));
}

/* --- output --- */

static void
address(unsigned int i, uint32_t to)
{
	struct msghdr *msg = &out.msgs[i].msg_hdr;
	struct cmsghdr *cmsg;

	out.to[i] = group;
	if (to)
		out.to[i].sin_addr.s_addr = to;
	*msg = (struct msghdr){
		.msg_name = &out.to[i],
		.msg_namelen = sizeof(out.to[i]),
		.msg_iov = &out.iov[i],
		.msg_iovlen = 1,
		.msg_control = &out.control[i],
		.msg_controllen = sizeof(out.control[i]),
	};
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(from_here));
	memcpy(CMSG_DATA(cmsg), &from_here, sizeof(from_here));
}

bool
clsock_send(uint32_t to, const void *data, size_t len)
{
	if (sock < 0 || len > CLMSG_LARGEST) {
		COUNT(cluster_send_failed);
		return false;
	}
	if (out.n == BATCH || out.used + len > OUT_SIZE)
		clsock_flush();
	memcpy(out.data + out.used, data, len);
	out.iov[out.n] = (struct iovec){ .iov_base = out.data + out.used, .iov_len = len };
	address(out.n, to);
	out.used += len;
	out.n++;
	return true;
}

void
clsock_flush(void)
{
	unsigned int done = 0;
	int n;

	while (done < out.n) {
		n = sendmmsg(sock, out.msgs + done, out.n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0) {
			COUNT(cluster_send_failed);
			n = 1; /* that one is lost */
		}
		done += (unsigned int)n;
	}
	COUNT_ADD(cluster_sent, out.n);
	out.n = 0;
	out.used = 0;
}

/* A message a buffer: what is there at this moment, and little of what comes meanwhile. */
void
clsock_discard(void)
{
	unsigned int n, round;

	if (sock < 0)
		return;
	for (round = 0; round < ROOM / CLMSG_LARGEST; round++) {
		n = receive();
		COUNT_ADD(cluster_stale, n);
		if (n < BATCH)
			return;
	}
}
