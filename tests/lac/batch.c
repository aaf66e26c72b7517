/*
 * Batched datagram input and output for the test peers.
 *
 * Receiving takes up to 64 buffers with one recvmmsg(); where the kernel hands over several
 * datagrams in one buffer (UDP_GRO), rx_next() takes them apart. Sending collects datagrams for
 * one socket and passes them on with one sendmmsg(); a datagram may end in a tail that lies
 * elsewhere (the pattern table), so bulk content is not copied. With GSO a run of datagrams of
 * equal length to one destination becomes one message with a UDP_SEGMENT size: their iovecs lie
 * side by side anyway.
 */
#include "batch.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RX_BUF = 65536,
	ARENA = 192 * 1024,
	SOCK_BUF = 32 << 20,
	GSO_MAX_BYTES = 60000,
	GSO_MAX_SEGMENT = 1472, /* must fit the MTU */
};

union cmsg_space {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

struct rx_batch {
	struct mmsghdr msg[BATCH_SIZE];
	struct iovec iov[BATCH_SIZE];
	struct sockaddr_in from[BATCH_SIZE];
	union cmsg_space ctl[BATCH_SIZE];
	uint8_t *buf;
	int filled;
	int at;	     /* buffer being taken apart */
	size_t done; /* bytes of it handed out */
};

struct tx_batch {
	struct mmsghdr msg[BATCH_SIZE];
	struct iovec iov[BATCH_SIZE * 2];
	struct sockaddr_in to[BATCH_SIZE];
	size_t len[BATCH_SIZE];
	size_t iovs[BATCH_SIZE]; /* iovecs used by this datagram */
	union cmsg_space ctl[BATCH_SIZE];
	uint8_t *arena;
	size_t used;
	size_t iov_count;
	int count;
	int fd;
	bool gso;
	struct tx_totals totals;
};

int
udp_open(const struct sockaddr_in *local, bool gro)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = SOCK_BUF, on = 1;
	struct sockaddr_in addr = *local;

	if (fd < 0)
		return -1;
	/* FORCE needs CAP_NET_ADMIN; the plain form is bounded by net.core.[rw]mem_max */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (gro)
		setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

uint32_t
udp_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}

struct rx_batch *
rx_new(void)
{
	struct rx_batch *b = calloc(1, sizeof(*b));
	int i;

	if (!b || !(b->buf = malloc((size_t)BATCH_SIZE * RX_BUF)))
		abort();
	for (i = 0; i < BATCH_SIZE; i++) {
		b->iov[i].iov_base = b->buf + (size_t)i * RX_BUF;
		b->iov[i].iov_len = RX_BUF;
		b->msg[i].msg_hdr.msg_iov = &b->iov[i];
		b->msg[i].msg_hdr.msg_iovlen = 1;
		b->msg[i].msg_hdr.msg_name = &b->from[i];
		b->msg[i].msg_hdr.msg_control = &b->ctl[i];
	}
	return b;
}

int
rx_read(struct rx_batch *b, int fd)
{
	int i, n;

	for (i = 0; i < BATCH_SIZE; i++) {
		b->msg[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
		b->msg[i].msg_hdr.msg_controllen = sizeof(b->ctl[i]);
	}
	n = recvmmsg(fd, b->msg, BATCH_SIZE, MSG_DONTWAIT, NULL);
	b->filled = n > 0 ? n : 0;
	b->at = 0;
	b->done = 0;
	return b->filled;
}

/* Length of the datagrams that lie in one buffer; 0: it is a single one. */
static size_t
segment_size(struct msghdr *m)
{
	struct cmsghdr *c;
	int size;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		return size > 0 ? (size_t)size : 0;
	}
	return 0;
}

bool
rx_next(struct rx_batch *b, struct datagram *d)
{
	size_t total, size;

	if (b->at >= b->filled)
		return false;
	total = b->msg[b->at].msg_len;
	size = segment_size(&b->msg[b->at].msg_hdr);
	if (!size || size > total - b->done)
		size = total - b->done;
	d->data = b->buf + (size_t)b->at * RX_BUF + b->done;
	d->len = size;
	d->from = &b->from[b->at];
	b->done += size;
	if (b->done >= total) {
		b->at++;
		b->done = 0;
	}
	return true;
}

struct tx_batch *
tx_new(void)
{
	struct tx_batch *b = calloc(1, sizeof(*b));

	if (!b || !(b->arena = malloc(ARENA)))
		abort();
	b->fd = -1;
	return b;
}

void
tx_set_gso(struct tx_batch *b, bool on)
{
	tx_flush(b);
	b->gso = on;
}

const struct tx_totals *
tx_totals(const struct tx_batch *b)
{
	return &b->totals;
}

uint8_t *
tx_room(struct tx_batch *b, int fd, const struct sockaddr_in *to, size_t room)
{
	if (b->count && (b->count == BATCH_SIZE || fd != b->fd || b->used + room > ARENA))
		tx_flush(b);
	b->fd = fd;
	b->to[b->count] = *to;
	return b->arena + b->used;
}

void
tx_commit(struct tx_batch *b, size_t len, const uint8_t *tail, size_t tail_len)
{
	struct iovec *v = &b->iov[b->iov_count];

	v[0].iov_base = b->arena + b->used;
	v[0].iov_len = len;
	if (tail_len) {
		memcpy(&v[1].iov_base, &tail, sizeof(tail)); /* sendmmsg() does not write to it */
		v[1].iov_len = tail_len;
	}
	b->len[b->count] = len + tail_len;
	b->iovs[b->count] = tail_len ? 2 : 1;
	b->iov_count += b->iovs[b->count];
	b->used += (len + 7) & ~(size_t)7;
	b->count++;
}

static bool
same_addr(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

/* How many datagrams from i on can go as one message: equal lengths, the last may be shorter. */
static int
gso_run(const struct tx_batch *b, int i)
{
	size_t bytes = b->len[i];
	int n = 1;

	if (!b->gso || b->len[i] > GSO_MAX_SEGMENT)
		return 1;
	while (i + n < b->count && same_addr(&b->to[i], &b->to[i + n]) &&
	       b->len[i + n] <= b->len[i] && bytes + b->len[i + n] <= GSO_MAX_BYTES) {
		bytes += b->len[i + n];
		if (b->len[i + n++] < b->len[i])
			break;
	}
	return n;
}

static void
add_segment_size(struct msghdr *m, union cmsg_space *space, size_t size)
{
	uint16_t v = (uint16_t)size;
	struct cmsghdr *c;

	m->msg_control = space;
	m->msg_controllen = CMSG_SPACE(sizeof(v));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(v));
	memcpy(CMSG_DATA(c), &v, sizeof(v));
}

/* Fills b->msg from the queued datagrams; the number of messages. */
static int
build_messages(struct tx_batch *b)
{
	struct iovec *v = b->iov;
	struct msghdr *m;
	int i, j, run, n = 0;

	for (i = 0; i < b->count; i += run, n++) {
		run = gso_run(b, i);
		m = &b->msg[n].msg_hdr;
		memset(m, 0, sizeof(*m));
		m->msg_name = &b->to[i];
		m->msg_namelen = sizeof(b->to[i]);
		m->msg_iov = v;
		for (j = i; j < i + run; j++)
			m->msg_iovlen += b->iovs[j];
		v += m->msg_iovlen;
		if (run > 1)
			add_segment_size(m, &b->ctl[n], b->len[i]);
	}
	return n;
}

/* After an error on message msg[0]: 1 to skip it, 0 to try it again. */
static int
send_failed(struct tx_batch *b)
{
	struct pollfd p = { .fd = b->fd, .events = POLLOUT };

	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS) {
		poll(&p, 1, 10);
		return 0;
	}
	b->totals.errors++;
	b->totals.last_errno = errno;
	return 1;
}

void
tx_flush(struct tx_batch *b)
{
	int at = 0, n, sent;

	if (!b->count)
		return;
	n = build_messages(b);
	while (at < n) {
		sent = sendmmsg(b->fd, b->msg + at, (unsigned int)(n - at), MSG_DONTWAIT);
		at += sent > 0 ? sent : send_failed(b);
	}
	b->totals.datagrams += (uint64_t)b->count;
	b->count = 0;
	b->iov_count = 0;
	b->used = 0;
}
