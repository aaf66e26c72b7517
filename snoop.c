/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of packets for the collectors named by each session's snoop_ip and snoop_port.
 * They are taken at once, since the data path goes on to change and reuse its buffers,
 * and leave by one sendmmsg() when a batch is full or the turn ends. Whatever the socket
 * does not take is dropped and counted: a collector that is slow, absent or unreachable
 * costs nobody else anything.
 *
 * A collector must not be behind one of our sessions: its copies would come back to the
 * tun device, and if that session is intercepted too, copies of copies would never end.
 *
 * Called by data.c, and by operators' commands through policy.c only.
 */
#include "snoop.h"
#include "counter.h"
#include "iptab.h"
#include "shm.h"
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SOCKET_BUFFER = 4 << 20 };

static int snoop_fd = -1;
static uint8_t *copies; /* BATCH times PKT_SIZE octets */
static struct mmsghdr msgs[BATCH];
static struct iovec iovs[BATCH];
static struct sockaddr_in to[BATCH];
static unsigned int n_queued;

static void
prepare_messages(void)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		to[i].sin_family = AF_INET;
		iovs[i].iov_base = copies + (size_t)i * PKT_SIZE;
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &to[i],
			.msg_namelen = sizeof(to[i]),
			.msg_iov = &iovs[i],
			.msg_iovlen = 1,
		};
	}
}

int
snoop_init(char *why, size_t why_size)
{
	const int fragment = IP_PMTUDISC_DONT, size = SOCKET_BUFFER;

	snoop_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (snoop_fd < 0 ||
	    setsockopt(snoop_fd, IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof(fragment)) < 0) {
		snprintf(why, why_size, "socket for interception: %s", strerror(errno));
		return -1;
	}
	if (setsockopt(snoop_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(snoop_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	copies = shm_map_parent("intercepted packets", (size_t)BATCH * PKT_SIZE);
	prepare_messages();
	return 0;
}

void
snoop_fini(void)
{
	if (snoop_fd >= 0)
		close(snoop_fd);
	snoop_fd = -1;
}

void
snoop_packet(sess_id id, const struct ip4 *ip)
{
	const struct session *s = session_get(id);

	if (!s || ip->len > PKT_SIZE || iptab_lookup(s->snoop_ip)) {
		COUNT(snoop_dropped);
		return;
	}
	if (n_queued == BATCH)
		snoop_flush();
	memcpy(iovs[n_queued].iov_base, ip->data, ip->len);
	iovs[n_queued].iov_len = ip->len;
	to[n_queued].sin_addr.s_addr = s->snoop_ip;
	to[n_queued].sin_port = htons(s->snoop_port);
	n_queued++;
}

/*
 * An error is that of the first message only (a route that is missing, or an ICMP error
 * of before): the next ones may leave. A full socket takes none of them.
 */
void
snoop_flush(void)
{
	unsigned int done = 0, sent = 0;
	int n;

	while (done < n_queued) {
		n = sendmmsg(snoop_fd, msgs + done, n_queued - done, MSG_DONTWAIT);
		if (n > 0) {
			sent += (unsigned int)n;
			done += (unsigned int)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			break;
		} else if (errno != EINTR) {
			done++;
		}
	}
	COUNT_ADD(packets_snooped, sent);
	COUNT_ADD(snoop_dropped, n_queued - sent);
	n_queued = 0;
}
