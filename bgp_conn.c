/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the connections of BGP neighbours come about: looking a name up, connecting, listening
 * and accepting, and the signatures of RFC 2385 on both sides. What becomes of them is told
 * to the automaton (bgp_peer.c).
 *
 * Names are looked up anew each time we connect, and their addresses are tried in turn; until that
 * is done for the first time the neighbour cannot connect to us either. Called by bgp_peer.c and
 * bgp.c.
 */
#include "bgp_peer.h"
#include "bgp_self.h"
#include "counter.h"
#include "log.h"
#include "resolve.h"
#include "util.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int listeners[2] = { -1, -1 };

/* ---- we connect ---- */

/* Our identifier stays while anybody has heard it. */
static bool
is_known(void)
{
	FOR_EACH_PEER(p)
	if (p->conns[BGP_OURS].state >= BGP_OPEN_SENT || p->conns[BGP_HIS].state >= BGP_OPEN_SENT)
		return true;
	return false;
}

static void
connect_now(struct bgp_peer *p)
{
	struct bgp_conn *c = &p->conns[BGP_OURS];
	union bgp_addr source;
	bool bound = bgp_self_source(p->conf.update_source, &p->addr, &source);

	if (!bgp_self_has_id(is_known())) {
		bgp_conn_fails(p, BGP_OURS, "we have no address to be known by");
		return;
	}
	if (bgp_addr_is_link_local(&p->addr) && !p->addr.in6.sin6_scope_id) {
		bgp_conn_fails(p, BGP_OURS, "there is no such interface");
		return;
	}
	if (bgp_tcp_connect(&c->tcp, &p->addr, bound ? &source : NULL, p->conf.password) < 0) {
		bgp_conn_fails(p, BGP_OURS, strerror(errno));
		return;
	}
	if (loop_add(c->tcp.fd, bgp_on_readable, c) < 0) {
		close(c->tcp.fd);
		c->tcp.fd = -1;
		bgp_conn_fails(p, BGP_OURS, "too many descriptors");
		return;
	}
	bgp_peer_arm(p, c);
}

/* So that the kernel knows his signatures before he connects. */
void
bgp_conn_password(struct bgp_peer *p, const char *password)
{
	int fd = listeners[p->addr.sa.sa_family == AF_INET6];

	if (fd < 0 || !p->addr.sa.sa_family)
		return;
	p->unsigned_in = bgp_tcp_password(fd, &p->addr, password) < 0 && password[0];
	if (p->unsigned_in)
		plog(LOG_ERROR, "bgp %s: password: %s; he cannot connect to us", p->conf.name,
		    strerror(errno));
}

static void
on_address(void *arg, const struct sockaddr_storage *addr)
{
	struct bgp_peer *p = arg;

	p->lookup = -1;
	if (!addr) {
		bgp_conn_fails(p, BGP_OURS, "the name has no address");
		return;
	}
	if (p->addr.sa.sa_family)
		bgp_conn_password(p, "");
	p->addr.room = *addr;
	p->dirty = true;
	if (p->conf.password[0])
		bgp_conn_password(p, p->conf.password);
	connect_now(p);
}

void
bgp_conn_begin(struct bgp_peer *p)
{
	union bgp_addr addr, source;

	if (bgp_addr_parse(p->conf.name, &addr)) {
		p->addr = addr; /* its interface may be another by now */
		connect_now(p);
		return;
	}
	bgp_addr_parse(p->conf.update_source, &source);
	p->lookup = resolve_start(p->conf.name, source.sa.sa_family, p->failures, on_address, p);
	if (p->lookup < 0)
		bgp_conn_fails(p, BGP_OURS, "the name cannot be looked up now");
}

/* ---- he connects ---- */

static struct bgp_peer *
peer_at(const union bgp_addr *from)
{
	FOR_EACH_PEER(p)
	if (p->running && bgp_addr_equal(&p->addr, from))
		return p;
	return NULL;
}

/*
 * He who is Established and connects again has forgotten that, or so it seems: a word to
 * the old connection makes his TCP deny it, if it is so. One on which he never said a word
 * gives way to the new one.
 */
static bool
may_accept(struct bgp_peer *p)
{
	if (p->up)
		bgp_peer_send_keepalive(p, p->up);
	else if (p->conns[BGP_HIS].state == BGP_OPEN_SENT)
		bgp_event(p, BGP_HIS, BGP_EV_TCP_FAILS);
	return !p->up && !p->unsigned_in && p->conns[BGP_HIS].state == BGP_ACTIVE &&
	       p->conns[BGP_HIS].tcp.fd < 0;
}

static void
on_connection(int listener, void *unused)
{
	union bgp_addr from = { 0 };
	int fd = bgp_tcp_accept(listener, &from);
	char text[BGP_ADDR_TEXT];
	struct bgp_peer *p;

	(void)unused;
	if (fd < 0)
		return;
	p = peer_at(&from);
	if (!p || !bgp_self_has_id(is_known()) || !may_accept(p) ||
	    loop_add(fd, bgp_on_readable, &p->conns[BGP_HIS]) < 0) {
		COUNT(bgp_refused);
		plog_limit(
		    LOG_INFO, "bgp: a connection from %s is refused", bgp_addr_text(&from, text));
		close(fd);
		return;
	}
	bgp_tcp_adopt(&p->conns[BGP_HIS].tcp, fd);
	bgp_event(p, BGP_HIS, BGP_EV_TCP_UP);
}

static void
listen_on(int place, int family)
{
	int fd = bgp_tcp_listen(family);

	if (fd >= 0 && loop_add(fd, on_connection, NULL) == 0)
		listeners[place] = fd;
	else if (fd >= 0)
		close(fd);
	else if (errno != EAFNOSUPPORT)
		plog(LOG_ERROR, "bgp: %s port %d: %s; neighbours cannot connect to us",
		    family == AF_INET ? "IPv4" : "IPv6", BGP_PORT, strerror(errno));
}

void
bgp_listen(void)
{
	listen_on(0, AF_INET);
	listen_on(1, AF_INET6);
}

void
bgp_unlisten(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (listeners[i] < 0)
			continue;
		loop_del(listeners[i]);
		close(listeners[i]);
		listeners[i] = -1;
	}
}
