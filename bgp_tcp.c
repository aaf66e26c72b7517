/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets for bgp_conn.c: connecting, accepting, RFC 2385 signatures (TCP_MD5SIG), and two
 * buffers a connection, of one message in and a few out, so that no peer makes us
 * keep more. Control traffic is marked as such (CS6, as RFC 4271's appendix E asks).
 *
 * The kernel answers data that it has to throw away at close() with a reset, and that
 * overtakes our NOTIFICATION: what has come is read first.
 */
#include "bgp_tcp.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>

enum { TOS = 0xc0, BACKLOG = 16, DRAIN_READS = 16 };

bool
bgp_addr_parse(const char *text, union bgp_addr *a)
{
	const char *zone = strchr(text, '%');
	char addr[INET6_ADDRSTRLEN];

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1) {
		a->sa.sa_family = AF_INET;
	} else if (str_copy_n(addr, sizeof(addr), text, strcspn(text, "%")) &&
		   inet_pton(AF_INET6, addr, &a->in6.sin6_addr) == 1) {
		a->sa.sa_family = AF_INET6;
		a->in6.sin6_scope_id = zone ? if_nametoindex(zone + 1) : 0;
	}
	return a->sa.sa_family != 0;
}

bool
bgp_addr_is_link_local(const union bgp_addr *a)
{
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr);
}

static void
add_zone(const union bgp_addr *a, char text[BGP_ADDR_TEXT])
{
	size_t len = strlen(text);

	if (!bgp_addr_is_link_local(a))
		return;
	text[len] = '%';
	if (!if_indextoname(a->in6.sin6_scope_id, text + len + 1))
		text[len] = '\0';
}

const char *
bgp_addr_text(const union bgp_addr *a, char text[BGP_ADDR_TEXT])
{
	const void *addr = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr
						       : (const void *)&a->in.sin_addr;

	if (!a->sa.sa_family || !inet_ntop(a->sa.sa_family, addr, text, INET6_ADDRSTRLEN))
		strcpy(text, "-");
	add_zone(a, text);
	return text;
}

bool
bgp_addr_equal(const union bgp_addr *a, const union bgp_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

static socklen_t
length(const union bgp_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static union bgp_addr
with_port(const union bgp_addr *a, uint16_t port)
{
	union bgp_addr copy = *a;

	if (copy.sa.sa_family == AF_INET6)
		copy.in6.sin6_port = htons(port);
	else
		copy.in.sin_port = htons(port);
	return copy;
}

static void
set_options(int fd, int family)
{
	const int on = 1, tos = TOS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	else
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
}

int
bgp_tcp_password(int fd, const union bgp_addr *peer, const char *password)
{
	struct tcp_md5sig md5 = { 0 };
	union bgp_addr any = with_port(peer, 0);

	memcpy(&md5.tcpm_addr, &any, MIN(sizeof(md5.tcpm_addr), sizeof(any)));
	md5.tcpm_keylen = (uint16_t)MIN(strlen(password), sizeof(md5.tcpm_key));
	memcpy(md5.tcpm_key, password, md5.tcpm_keylen);
	return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5));
}

static void
reset(struct bgp_tcp *t, int fd, bool connecting)
{
	t->fd = fd;
	t->connecting = connecting;
	t->in_len = t->out_len = 0;
}

static int
prepare(int fd, const union bgp_addr *to, const union bgp_addr *source, const char *password)
{
	union bgp_addr from;

	set_options(fd, to->sa.sa_family);
	if (password[0] && bgp_tcp_password(fd, to, password) < 0)
		return -1;
	if (!source)
		return 0;
	from = with_port(source, 0);
	if (bgp_addr_is_link_local(&from) && !from.in6.sin6_scope_id)
		from.in6.sin6_scope_id = to->in6.sin6_scope_id;
	return bind(fd, &from.sa, length(&from));
}

int
bgp_tcp_connect(
    struct bgp_tcp *t, const union bgp_addr *to, const union bgp_addr *source, const char *password)
{
	union bgp_addr there = with_port(to, BGP_PORT);
	int why, fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (prepare(fd, to, source, password) == 0 &&
	    (connect(fd, &there.sa, length(&there)) == 0 || errno == EINPROGRESS)) {
		reset(t, fd, true);
		return 0;
	}
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

int
bgp_tcp_connected(struct bgp_tcp *t)
{
	socklen_t len = sizeof(int), peer_len = sizeof(union bgp_addr);
	union bgp_addr peer;
	int error = 0;

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (!error && getpeername(t->fd, &peer.sa, &peer_len) < 0)
		return EINPROGRESS;
	t->connecting = false;
	return error;
}

void
bgp_tcp_adopt(struct bgp_tcp *t, int fd)
{
	union bgp_addr local = { 0 };

	reset(t, fd, false);
	bgp_tcp_local(t, &local);
	set_options(fd, local.sa.sa_family);
}

bool
bgp_tcp_local(const struct bgp_tcp *t, union bgp_addr *local)
{
	socklen_t len = sizeof(*local);

	return getsockname(t->fd, &local->sa, &len) == 0;
}

/* Connecting a datagram socket sends nothing. */
bool
bgp_tcp_source(const union bgp_addr *to, union bgp_addr *source)
{
	union bgp_addr there = with_port(to, BGP_PORT);
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*source);
	bool found = fd >= 0 && connect(fd, &there.sa, length(&there)) == 0 &&
		     getsockname(fd, &source->sa, &len) == 0;

	if (fd >= 0)
		close(fd);
	return found;
}

int
bgp_tcp_read(struct bgp_tcp *t)
{
	ssize_t n = recv(t->fd, t->in + t->in_len, sizeof(t->in) - t->in_len, 0);

	if (n > 0) {
		t->in_len += (size_t)n;
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	errno = n == 0 ? 0 : errno;
	return -1;
}

void
bgp_tcp_eat(struct bgp_tcp *t, size_t n)
{
	t->in_len -= n;
	memmove(t->in, t->in + n, t->in_len);
}

uint8_t *
bgp_tcp_room(struct bgp_tcp *t)
{
	return sizeof(t->out) - t->out_len >= BGP_MAX ? t->out + t->out_len : NULL;
}

void
bgp_tcp_put(struct bgp_tcp *t, size_t len)
{
	t->out_len += len;
}

ssize_t
bgp_tcp_flush(struct bgp_tcp *t)
{
	ssize_t n;

	if (t->out_len == 0)
		return 0;
	n = send(t->fd, t->out, t->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	t->out_len -= (size_t)n;
	memmove(t->out, t->out + n, t->out_len);
	return n;
}

void
bgp_tcp_close(struct bgp_tcp *t)
{
	int i;

	if (t->fd < 0)
		return;
	shutdown(t->fd, SHUT_WR);
	for (i = 0; i < DRAIN_READS; i++)
		if (recv(t->fd, t->in, sizeof(t->in), MSG_DONTWAIT) <= 0)
			break;
	close(t->fd);
	reset(t, -1, false);
}

int
bgp_tcp_listen(int family)
{
	union bgp_addr any = { .sa.sa_family = (sa_family_t)family };
	int why, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		return -1;
	any = with_port(&any, BGP_PORT);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &any.sa, length(&any)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

int
bgp_tcp_accept(int listener, union bgp_addr *from)
{
	socklen_t len = sizeof(*from);

	return accept4(listener, &from->sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
