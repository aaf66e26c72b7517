/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a BGP neighbour sends: octets become messages, messages events of his automaton. An OPEN
 * is checked against the configuration, and against his other connection (RFC 4271 6.8). An
 * UPDATE is looked through for its form and forgotten. One read a turn, so that nobody who
 * sends much keeps the loop. Called by the loop.
 */
#include "bgp_peer.h"
#include "bgp_self.h"
#include "bgp_view.h"
#include "bgp_why.h"
#include "counter.h"
#include "log.h"
#include "util.h"

#include <errno.h>
#include <string.h>

/* ---- messages ---- */

/* Whether this connection is the one to go, now that both are open (RFC 4271 6.8). */
static bool
loses(const struct bgp_peer *p, int which)
{
	const struct bgp_conn *c = &p->conns[which], *other = &p->conns[!which];
	uint32_t mine = ntohl(bgp_router_id()), his = ntohl(c->open.id);
	bool ours_stays = mine != his ? mine > his : bgp_self_as() > p->conf.as; /* RFC 6286 2.3 */

	if (other->state == BGP_ESTABLISHED)
		return true;
	return other->state == BGP_OPEN_CONFIRM && (which == BGP_HIS) == ours_stays;
}

static void
agree(const struct bgp_peer *p, struct bgp_conn *c)
{
	c->hold_sec = MIN(bgp_peer_hold(p), c->open.hold);
	c->keepalive_sec = c->hold_sec ? MAX(MIN(bgp_peer_keepalive(p), c->hold_sec / 3), 1) : 0;
}

static int
check_open(struct bgp_peer *p, const struct bgp_open *o)
{
	if (o->as != p->conf.as) {
		bgp_peer_error(p, BGP_ERR_OPEN, BGP_OPEN_AS);
		return -1;
	}
	if (o->as == bgp_self_as() && o->id == bgp_router_id()) { /* RFC 6286 2.2 */
		bgp_peer_error(p, BGP_ERR_OPEN, BGP_OPEN_ID);
		return -1;
	}
	return 0;
}

static void
take_open(struct bgp_peer *p, int which, struct rd body)
{
	struct bgp_conn *c = &p->conns[which];

	if (c->state != BGP_OPEN_SENT) {
		bgp_event(p, which, BGP_EV_OPEN);
		return;
	}
	if (bgp_read_open(body, &c->open, &p->error) < 0 || check_open(p, &c->open) < 0) {
		bgp_event(p, which, BGP_EV_OPEN_ERROR);
		return;
	}
	bgp_peer_error(p, BGP_ERR_CEASE, BGP_CEASE_COLLISION);
	if (loses(p, which)) {
		bgp_event(p, which, BGP_EV_COLLISION);
		return;
	}
	if (p->conns[!which].state == BGP_OPEN_CONFIRM)
		bgp_event(p, !which, BGP_EV_COLLISION);
	agree(p, c);
	bgp_event(p, which, BGP_EV_OPEN);
}

static void
take_update(struct bgp_peer *p, int which, struct rd body)
{
	struct bgp_conn *c = &p->conns[which];
	int form = 0;

	if (c->state == BGP_ESTABLISHED)
		form = bgp_check_update(body, c->open.as4, p->conf.as == bgp_self_as(), &p->error);
	COUNT(bgp_updates_received);
	p->view.heard++;
	if (form > 0) {
		COUNT(bgp_updates_bad);
		plog_limit(LOG_WARNING, "bgp %s: an UPDATE with bad attributes", p->conf.name);
	}
	bgp_event(p, which, form < 0 ? BGP_EV_UPDATE_ERROR : BGP_EV_UPDATE);
}

static void
take_notification(struct bgp_peer *p, int which, struct rd body)
{
	struct bgp_error e;

	COUNT(bgp_notifications_received);
	bgp_read_notification(body, &e);
	bgp_why_received(p, which, &e);
	bgp_event(p, which, BGP_EV_NOTIFICATION);
}

static void
take_refresh(struct bgp_peer *p, int which, struct rd body)
{
	if (bgp_read_refresh(body, &p->refresh) || p->conns[which].state != BGP_ESTABLISHED)
		bgp_event(p, which, BGP_EV_REFRESH);
}

static void
dispatch(struct bgp_peer *p, int which, uint8_t type, struct rd body)
{
	switch (type) {
	case BGP_OPEN:
		take_open(p, which, body);
		break;
	case BGP_UPDATE:
		take_update(p, which, body);
		break;
	case BGP_NOTIFICATION:
		take_notification(p, which, body);
		break;
	case BGP_KEEPALIVE:
		bgp_event(p, which, BGP_EV_KEEPALIVE);
		break;
	case BGP_REFRESH:
		take_refresh(p, which, body);
		break;
	}
}

/* One message out of the buffer; false when there is none that is whole. */
static bool
take_message(struct bgp_peer *p, int which)
{
	struct bgp_tcp *tcp = &p->conns[which].tcp;
	int fd = tcp->fd;
	uint16_t len;
	uint8_t type;

	if (tcp->in_len < BGP_HEADER)
		return false;
	if (bgp_read_header(rd_init(tcp->in, BGP_HEADER), &len, &type, &p->error) < 0) {
		bgp_event(p, which, BGP_EV_HEADER_ERROR);
		return false;
	}
	if (tcp->in_len < len)
		return false;
	dispatch(p, which, type, rd_init(tcp->in + BGP_HEADER, len - (size_t)BGP_HEADER));
	if (tcp->fd != fd)
		return false;
	bgp_tcp_eat(tcp, len);
	return true;
}

/* ---- the loop's calls ---- */

static void
connected(struct bgp_peer *p, int which)
{
	int error = bgp_tcp_connected(&p->conns[which].tcp);

	if (error == EINPROGRESS) /* what was ready was one of the same number before */
		return;
	if (error)
		bgp_conn_fails(p, which, strerror(error));
	else
		bgp_event(p, which, BGP_EV_TCP_UP);
}

void
bgp_on_readable(int fd, void *arg)
{
	struct bgp_conn *c = arg;
	struct bgp_peer *p = bgp_owner(c);
	int which = bgp_which(p, c), got;

	(void)fd;
	if (c->tcp.connecting) {
		connected(p, which);
		return;
	}
	got = bgp_tcp_read(&c->tcp);
	if (got < 0)
		bgp_conn_fails(p, which, errno ? strerror(errno) : "he has closed the connection");
	while (got > 0 && take_message(p, which))
		;
}

void
bgp_on_writable(int fd, void *arg)
{
	struct bgp_conn *c = arg;
	struct bgp_peer *p = bgp_owner(c);
	ssize_t n;

	(void)fd;
	if (c->tcp.connecting) {
		connected(p, bgp_which(p, c));
		return;
	}
	if (p->up == c && c->tcp.out_len < BGP_MAX)
		bgp_peer_tell(p);
	n = bgp_tcp_flush(&c->tcp);
	if (n < 0) {
		bgp_conn_fails(p, bgp_which(p, c), strerror(errno));
		return;
	}
	if (p->up == c && n > 0)
		timer_stop(&p->send_hold); /* bgp_peer_arm() starts it again */
	p->dirty = true;
	bgp_peer_arm(p, c);
}
