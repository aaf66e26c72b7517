/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP for BGP: one connection with its buffers, and the two listeners. Non-blocking;
 * whole messages in, octets out.
 */
#ifndef BGP_TCP_H
#define BGP_TCP_H

#include "bgpmsg.h"
#include "loop.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { BGP_OUT = 3 * BGP_MAX, BGP_ADDR_TEXT = INET6_ADDRSTRLEN + IF_NAMESIZE };

union bgp_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

/*
 * IPv4 or IPv6 text; false when it is none. A link-local address has its interface behind
 * a % (RFC 4007 11); while there is no such interface its scope is 0.
 */
bool bgp_addr_parse(const char *text, union bgp_addr *a);
bool bgp_addr_is_link_local(const union bgp_addr *a);
const char *bgp_addr_text(const union bgp_addr *a, char text[BGP_ADDR_TEXT]);
bool bgp_addr_equal(const union bgp_addr *a, const union bgp_addr *b);

struct bgp_tcp {
	int fd; /* -1: none */
	bool connecting;
	size_t in_len, out_len;
	uint8_t in[BGP_MAX], out[BGP_OUT];
};

/* Begins to connect from `source` (NULL: as the kernel chooses). -1: errno says why. */
int bgp_tcp_connect(struct bgp_tcp *t, const union bgp_addr *to, const union bgp_addr *source,
    const char *password);

/* What came of it: 0 connected, or an errno; EINPROGRESS: nothing yet. */
int bgp_tcp_connected(struct bgp_tcp *t);

/* Takes a connection that bgp_tcp_accept() has brought. */
void bgp_tcp_adopt(struct bgp_tcp *t, int fd);

/* Our end of it. */
bool bgp_tcp_local(const struct bgp_tcp *t, union bgp_addr *local);

/* The address the kernel would send from. */
bool bgp_tcp_source(const union bgp_addr *to, union bgp_addr *source);

/* Reads once: 1 something came, 0 nothing now, -1 it has ended (errno, 0: closed). */
int bgp_tcp_read(struct bgp_tcp *t);

/* Octets `n` at the front of `in` are done with. */
void bgp_tcp_eat(struct bgp_tcp *t, size_t n);

/* Room for one message more in `out`; NULL: there is none. It counts once put. */
uint8_t *bgp_tcp_room(struct bgp_tcp *t);
void bgp_tcp_put(struct bgp_tcp *t, size_t len);

/* Writes what the kernel takes: octets, or -1 (errno). */
ssize_t bgp_tcp_flush(struct bgp_tcp *t);

/* Closes it so that what was written last arrives. */
void bgp_tcp_close(struct bgp_tcp *t);

/* Listens on port 179 of a family; -1: errno says why. */
int bgp_tcp_listen(int family);

/* The next that connects; -1: nobody. */
int bgp_tcp_accept(int listener, union bgp_addr *from);

/* RFC 2385 on a listener: the password of one peer; "" takes it away. -1: errno. */
int bgp_tcp_password(int fd, const union bgp_addr *peer, const char *password);

#endif
