/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP-4 (RFC 4271), the side that announces. A neighbour has a place of its own, by its
 * name in the configuration, and two connections: the one we open, and the one he
 * opens, each with the automaton of bgp_fsm.c. When both get as far as OPEN, 6.8 says
 * which of them goes. event() is the one door for a change of state.
 *
 * A neighbour is told (SPEC 14): all routes while we serve and he is not suspended, else
 * that they are withdrawn, once; by bgp_tell.c. As long as his TCP takes data, one
 * UPDATE a turn is made and written. One who takes nothing for a long time is given up
 * (RFC 9687).
 *
 * Graceful restart is offered without any family: our
 * forwarding dies with us. What is received is looked through for its form and forgotten.
 *
 * Owns the neighbours, in memory that children do not have, and the block of views that
 * they read. Timers get a connection's number. Called by the loop, l2tpns.c, cli.c.
 */
#include "bgp.h"
#include "bgp_tcp.h"
#include "bgp_tell.h"
#include "counter.h"
#include "ifaddr.h"
#include "log.h"
#include "resolve.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	KEEPALIVE_SEC = 60,
	HOLD_SEC = 180,
	HOLD_LARGE_SEC = 240, /* RFC 4271 8.2.2 */
	CONNECT_SEC = 30,
	FIRST_RETRY_SEC = 2,
	LAST_RETRY_SEC = 120,
	STABLE_SEC = 60,	/* who was up for so long is no failure */
	SEND_HOLD_SEC = 8 * 60, /* RFC 9687 */
	WORD = 16,		/* "received " in front of an error */
};

enum { OUT, IN, CONNS }; /* who opened it */

struct conn {
	struct bgp_tcp tcp;
	uint8_t state; /* enum bgp_state */
	struct timer retry, hold, keepalive;
	struct bgp_open open;		      /* his */
	unsigned int hold_sec, keepalive_sec; /* agreed upon */
};

struct peer {
	bool used;
	bool running; /* not being taken away */
	bool suspended;
	bool dirty;	       /* his view is old */
	bool unsigned_in;      /* the listener would take from him what is not signed */
	unsigned int failures; /* in a row: the RFC's ConnectRetryCounter */
	struct conf_peer conf;
	union bgp_addr addr; /* family 0: not known */
	int lookup;	     /* of resolve.h; -1: none */
	struct conn conns[CONNS];
	struct conn *up; /* the one that is Established; NULL: none */
	struct bgp_tell tell;
	enum bgp_afi refresh;	/* what a ROUTE-REFRESH asks for */
	struct bgp_error error; /* what the present event is answered with */
	struct timer send_hold;
	struct bgp_view view;
};

/* Shared; `sequence` is odd while it is written. */
struct views {
	uint32_t sequence;
	uint32_t router_id;
	bool used[CONF_PEERS];
	struct bgp_view at[CONF_PEERS];
};

static struct peer *peers;
static struct views *views;
static int listeners[2] = { -1, -1 };
static uint32_t running_as; /* 0: not at work */
static bool serving, all_suspended;
static uint64_t seen_changes;

#define FOR_EACH_PEER(p)                                                                           \
	for (struct peer *p = peers; p < peers + CONF_PEERS; p++)                                  \
		if (p->used)

static void event(struct peer *p, int which, enum bgp_event ev);
static void on_readable(int fd, void *arg);
static void on_writable(int fd, void *arg);

static unsigned int
number(const struct peer *p)
{
	return (unsigned int)(p - peers);
}

static int
which_of(const struct peer *p, const struct conn *c)
{
	return c == &p->conns[OUT] ? OUT : IN;
}

static struct peer *
peer_of(uint32_t id)
{
	return &peers[id / CONNS];
}

/* The peer of a connection that the loop hands us. */
static struct peer *
owner(const struct conn *c)
{
	return &peers[(size_t)((const char *)c - (const char *)peers) / sizeof(*peers)];
}

static void
remember(struct peer *p, const char *verb, const char *what)
{
	snprintf(p->view.error, sizeof(p->view.error), "%s%s", verb, what);
	p->dirty = true;
}

static void
set_error(struct peer *p, uint8_t code, uint8_t sub)
{
	p->error = (struct bgp_error){ .code = code, .sub = sub };
}

/* ---- what a neighbour is told ---- */

static bool
has_work(const struct peer *p)
{
	return p->up && bgp_tell_waits(&p->tell);
}

/* RFC 9687: he has a while to take what waits for him. */
static void
watch_sending(struct peer *p, bool waits)
{
	if (!waits)
		timer_stop(&p->send_hold);
	else if (!timer_running(&p->send_hold))
		timer_set(&p->send_hold, SEC(MAX(SEND_HOLD_SEC, 2 * p->up->hold_sec)));
}

/* Asks to be called when he takes something, if there is anything. */
static void
arm(struct peer *p, const struct conn *c)
{
	bool wants = c->tcp.connecting || c->tcp.out_len > 0 || (p->up == c && has_work(p));

	if (c->tcp.fd >= 0)
		loop_want_write(c->tcp.fd, wants ? on_writable : NULL);
	if (p->up == c)
		watch_sending(p, wants);
}

static void
fill_attrs(struct peer *p)
{
	union bgp_addr own = { 0 };

	bgp_tcp_local(&p->up->tcp, &own);
	p->tell.attrs.as = running_as;
	p->tell.attrs.ibgp = p->conf.as == running_as;
	p->tell.attrs.as4 = p->up->open.as4;
	bgp_tell_attrs(&p->tell.attrs, &p->conf, &own.sa, views->router_id);
}

/* Whether he is to have our routes may be different now. */
static void
retell(struct peer *p)
{
	p->dirty = true;
	if (!p->up)
		return;
	bgp_tell_set(&p->tell, serving && !p->suspended);
	arm(p, p->up);
}

/* All of it once more: its attributes have changed. */
static void
tell_again(struct peer *p)
{
	int afi;

	if (!p->up)
		return;
	fill_attrs(p);
	for (afi = 0; afi < BGP_AFIS; afi++)
		bgp_tell_again(&p->tell, afi);
	retell(p);
}

static void
tell(struct peer *p)
{
	uint8_t *room = bgp_tcp_room(&p->up->tcp);

	if (room)
		bgp_tcp_put(&p->up->tcp, bgp_tell_next(&p->tell, room));
	p->dirty = true;
}

/* ---- actions of the automaton ---- */

static unsigned int
backoff_sec(const struct peer *p)
{
	unsigned int doublings = MIN(MAX(p->failures, 1) - 1, 6);

	return MIN((unsigned int)FIRST_RETRY_SEC << doublings, LAST_RETRY_SEC);
}

static void
start_retry(struct peer *p, int which, unsigned int sec)
{
	if (which == OUT)
		timer_set_jitter(&p->conns[OUT].retry, SEC(sec));
}

static void
put(struct peer *p, struct conn *c, size_t len)
{
	bgp_tcp_put(&c->tcp, len);
	arm(p, c);
}

static void
notify(struct peer *p, struct conn *c)
{
	uint8_t *room = bgp_tcp_room(&c->tcp);
	char text[sizeof(p->view.error) - WORD];

	if (p->error.code == 0 || c->tcp.fd < 0)
		return;
	COUNT(bgp_notifications_sent);
	bgp_error_text(&p->error, text, sizeof(text));
	plog_limit(LOG_WARNING, "bgp %s: told him: %s", p->conf.name, text);
	remember(p, "sent ", text);
	if (!room) /* he does not read anyway */
		return;
	bgp_tcp_put(&c->tcp, bgp_put_notification(room, &p->error));
	bgp_tcp_flush(&c->tcp);
}

/* RFC 6608: which state the message did not fit. */
static void
notify_fsm(struct peer *p, struct conn *c, enum bgp_state old)
{
	set_error(p, BGP_ERR_FSM, (uint8_t)(old - BGP_OPEN_SENT + 1));
	notify(p, c);
}

static void
go_down(struct peer *p)
{
	bgp_tell_end(&p->tell);
	if (loop_now_ms() - p->view.since_ms > SEC(STABLE_SEC))
		p->failures = 0;
	p->view.since_ms = loop_now_ms();
	timer_stop(&p->send_hold);
	plog_limit(LOG_WARNING, "bgp %s: is not Established any more", p->conf.name);
	p->up = NULL;
}

static void
drop(struct peer *p, int which)
{
	struct conn *c = &p->conns[which];

	timer_stop(&c->hold);
	timer_stop(&c->keepalive);
	if (which == OUT && p->lookup >= 0) {
		resolve_cancel(p->lookup);
		p->lookup = -1;
	}
	if (c->tcp.fd < 0)
		return;
	loop_del(c->tcp.fd);
	bgp_tcp_close(&c->tcp);
}

static void
tcp_fails(struct peer *p, int which, const char *why)
{
	if (p->conns[which].state >= BGP_OPEN_SENT || which == OUT)
		remember(p, "", why);
	plog_limit(LOG_INFO, "bgp %s: %s", p->conf.name, why);
	event(p, which, BGP_EV_TCP_FAILS);
}

static bool
is_shared(uint32_t addr)
{
	return config_is_own_address(addr);
}

/* Loopback's would be the same on all members (cluster_interface may be that). */
static bool
tells_nothing(uint32_t addr)
{
	return is_shared(addr) || (ntohl(addr) >> 24) == IN_LOOPBACKNET;
}

/*
 * Where to connect from. The kernel may choose; but where it takes an address that others
 * have too, and the interface has one of our own beside it, that one.
 */
static bool
source_for(const struct peer *p, union bgp_addr *source)
{
	uint32_t own;

	if (bgp_addr_parse(p->conf.update_source, source))
		return true;
	if (p->addr.sa.sa_family != AF_INET || !bgp_tcp_source(&p->addr, source) ||
	    !is_shared(source->in.sin_addr.s_addr))
		return false;
	own = ifaddr_beside(source->in.sin_addr.s_addr, tells_nothing);
	source->in.sin_addr.s_addr = own;
	return own != 0;
}

static void
choose_id(void)
{
	uint32_t id = ifaddr_first(conf->cluster_interface, tells_nothing);

	if (!id)
		id = ifaddr_first(NULL, tells_nothing);
	if (!id)
		id = conf->bind_address;
	if (id != views->router_id)
		plog(LOG_INFO, "bgp: AS %u, identifier %s", running_as, ip4_text(id));
	views->router_id = id;
}

/*
 * The identifier stays while anybody knows it. But one that is none, or is shared with
 * others, was chosen when the machine had no address yet: perhaps it has now.
 */
static bool
have_id(void)
{
	if (views->router_id && !is_shared(views->router_id))
		return true;
	FOR_EACH_PEER(p)
	if (p->conns[OUT].state >= BGP_OPEN_SENT || p->conns[IN].state >= BGP_OPEN_SENT)
		return true;
	choose_id();
	return views->router_id != 0;
}

static void
connect_now(struct peer *p)
{
	struct conn *c = &p->conns[OUT];
	union bgp_addr source;
	bool bound = source_for(p, &source);

	if (!have_id()) {
		tcp_fails(p, OUT, "we have no address to be known by");
		return;
	}
	if (bgp_tcp_connect(&c->tcp, &p->addr, bound ? &source : NULL, p->conf.password) < 0) {
		tcp_fails(p, OUT, strerror(errno));
		return;
	}
	if (loop_add(c->tcp.fd, on_readable, c) < 0) {
		close(c->tcp.fd);
		c->tcp.fd = -1;
		tcp_fails(p, OUT, "too many descriptors");
		return;
	}
	arm(p, c);
}

/* So that the kernel knows his signatures before he connects. */
static void
set_password(struct peer *p, const char *password)
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
	struct peer *p = arg;

	p->lookup = -1;
	if (!addr) {
		tcp_fails(p, OUT, "the name has no address");
		return;
	}
	if (p->addr.sa.sa_family)
		set_password(p, "");
	p->addr.room = *addr;
	p->dirty = true;
	if (p->conf.password[0])
		set_password(p, p->conf.password);
	connect_now(p);
}

static void
begin_connect(struct peer *p)
{
	union bgp_addr addr, source;

	if (bgp_addr_parse(p->conf.name, &addr)) {
		connect_now(p);
		return;
	}
	bgp_addr_parse(p->conf.update_source, &source);
	p->lookup = resolve_start(p->conf.name, source.sa.sa_family, on_address, p);
	if (p->lookup < 0)
		tcp_fails(p, OUT, "the name cannot be looked up now");
}

static unsigned int
hold_of(const struct peer *p)
{
	return p->conf.keepalive || p->conf.hold ? p->conf.hold : HOLD_SEC;
}

static unsigned int
keepalive_of(const struct peer *p)
{
	return p->conf.keepalive || p->conf.hold ? p->conf.keepalive : KEEPALIVE_SEC;
}

static void
send_open(struct peer *p, struct conn *c)
{
	const struct bgp_open mine = {
		.as = running_as,
		.id = views->router_id,
		.hold = (uint16_t)hold_of(p),
		.afi = { true, true },
	};

	put(p, c, bgp_put_open(bgp_tcp_room(&c->tcp), &mine));
}

/* What waits to be sent does as well, where there is no room. */
static void
send_keepalive(struct peer *p, struct conn *c)
{
	uint8_t *room = bgp_tcp_room(&c->tcp);

	if (room)
		put(p, c, bgp_put_keepalive(room));
	if (c->keepalive_sec) /* RFC 4271 10: jitter of 0.75 .. 1.0 */
		timer_set_jitter(&c->keepalive, SEC(c->keepalive_sec) * 7 / 8);
}

static void
restart_hold(struct conn *c)
{
	if (c->hold_sec)
		timer_set(&c->hold, SEC(c->hold_sec));
	else
		timer_stop(&c->hold);
}

static void
go_up(struct peer *p, struct conn *c)
{
	int other = !which_of(p, c);

	p->up = c;
	p->view.since_ms = loop_now_ms();
	p->view.ups++;
	p->view.heard = 0;
	p->view.id = c->open.id;
	fill_attrs(p);
	set_error(p, BGP_ERR_CEASE, BGP_CEASE_COLLISION);
	event(p, other, BGP_EV_COLLISION);
	bgp_tell_begin(&p->tell, &c->open);
	retell(p);
	plog_limit(LOG_WARNING, "bgp %s: AS %u is Established%s", p->conf.name, p->conf.as,
	    c->open.afi[BGP_IP6] ? ", IPv4 and IPv6" : "");
}

static void
resend(struct peer *p)
{
	bgp_tell_again(&p->tell, p->refresh);
	arm(p, p->up);
}

static void
act(struct peer *p, int which, enum bgp_state old, struct bgp_step step)
{
	struct conn *c = &p->conns[which];
	uint32_t todo = step.actions;

	if (todo & BGP_DO_NOTIFY)
		notify(p, c);
	if (todo & BGP_DO_NOTIFY_FSM)
		notify_fsm(p, c, old);
	if (todo & BGP_DO_DOWN)
		go_down(p);
	if (todo & BGP_DO_DROP)
		drop(p, which);
	if (todo & BGP_DO_COUNT)
		p->failures++;
	if (todo & BGP_DO_ZERO)
		p->failures = 0;
	if (todo & BGP_DO_RETRY)
		start_retry(p, which, step.next == BGP_CONNECT ? CONNECT_SEC : backoff_sec(p));
	if (todo & BGP_DO_RETRY_STOP)
		timer_stop(&c->retry);
	if (todo & BGP_DO_IDLE_HOLD)
		start_retry(p, which, backoff_sec(p));
	if (todo & BGP_DO_CONNECT)
		begin_connect(p);
	if (todo & BGP_DO_OPEN)
		send_open(p, c);
	if (todo & BGP_DO_HOLD_LARGE)
		timer_set(&c->hold, SEC(HOLD_LARGE_SEC));
	if (todo & BGP_DO_KEEPALIVE)
		send_keepalive(p, c);
	if (todo & BGP_DO_HOLD)
		restart_hold(c);
	if (todo & BGP_DO_UP)
		go_up(p, c);
	if (todo & BGP_DO_RESEND)
		resend(p);
}

/* He may always connect; we try again when there is no other connection under way. */
static void
revive(struct peer *p)
{
	const struct conn *out = &p->conns[OUT], *in = &p->conns[IN];

	if (!p->running)
		return;
	if (in->state == BGP_IDLE)
		event(p, IN, BGP_EV_START_PASSIVE);
	if (out->state == BGP_IDLE && !timer_running(&out->retry) && in->state < BGP_OPEN_CONFIRM)
		start_retry(p, OUT, backoff_sec(p));
}

static void
event(struct peer *p, int which, enum bgp_event ev)
{
	struct conn *c = &p->conns[which];
	enum bgp_state old = c->state;
	struct bgp_step step = bgp_fsm(old, ev);

	c->state = step.next;
	if (old != step.next)
		plog_limit(LOG_INFO, "bgp %s%s: %s --%s--> %s", p->conf.name,
		    which == IN ? " (his)" : "", bgp_state_names[old], bgp_event_names[ev],
		    bgp_state_names[step.next]);
	p->dirty = true;
	act(p, which, old, step);
	revive(p);
}

/* ---- timers ---- */

static void
on_retry(uint32_t id)
{
	struct peer *p = peer_of(id);

	if (p->conns[IN].state >= BGP_OPEN_CONFIRM) { /* his may do */
		start_retry(p, OUT, backoff_sec(p));
		return;
	}
	event(p, OUT,
	    p->conns[OUT].state == BGP_IDLE ? BGP_EV_IDLE_HOLD_EXPIRES : BGP_EV_RETRY_EXPIRES);
}

static void
on_hold(uint32_t id)
{
	struct peer *p = peer_of(id);

	set_error(p, BGP_ERR_HOLD, 0);
	event(p, (int)(id % CONNS), BGP_EV_HOLD_EXPIRES);
}

static void
on_keepalive(uint32_t id)
{
	event(peer_of(id), (int)(id % CONNS), BGP_EV_KEEPALIVE_EXPIRES);
}

static void
on_send_hold(uint32_t id)
{
	struct peer *p = peer_of(id);

	if (p->up)
		tcp_fails(p, which_of(p, p->up), "he has taken nothing for too long (RFC 9687)");
}

/* ---- messages ---- */

/* Whether this connection is the one to go, now that both are open (RFC 4271 6.8). */
static bool
loses(const struct peer *p, int which)
{
	const struct conn *c = &p->conns[which], *other = &p->conns[!which];
	uint32_t mine = ntohl(views->router_id), his = ntohl(c->open.id);
	bool ours_stays = mine != his ? mine > his : running_as > p->conf.as; /* RFC 6286 2.3 */

	if (other->state == BGP_ESTABLISHED)
		return true;
	return other->state == BGP_OPEN_CONFIRM && (which == IN) == ours_stays;
}

static void
agree(const struct peer *p, struct conn *c)
{
	c->hold_sec = MIN(hold_of(p), c->open.hold);
	c->keepalive_sec = c->hold_sec ? MAX(MIN(keepalive_of(p), c->hold_sec / 3), 1) : 0;
}

static int
check_open(struct peer *p, const struct bgp_open *o)
{
	if (o->as != p->conf.as) {
		set_error(p, BGP_ERR_OPEN, BGP_OPEN_AS);
		return -1;
	}
	if (o->as == running_as && o->id == views->router_id) { /* RFC 6286 2.2 */
		set_error(p, BGP_ERR_OPEN, BGP_OPEN_ID);
		return -1;
	}
	return 0;
}

static void
take_open(struct peer *p, int which, struct rd body)
{
	struct conn *c = &p->conns[which];

	if (c->state != BGP_OPEN_SENT) {
		event(p, which, BGP_EV_OPEN);
		return;
	}
	if (bgp_read_open(body, &c->open, &p->error) < 0 || check_open(p, &c->open) < 0) {
		event(p, which, BGP_EV_OPEN_ERROR);
		return;
	}
	set_error(p, BGP_ERR_CEASE, BGP_CEASE_COLLISION);
	if (loses(p, which)) {
		event(p, which, BGP_EV_COLLISION);
		return;
	}
	if (p->conns[!which].state == BGP_OPEN_CONFIRM)
		event(p, !which, BGP_EV_COLLISION);
	agree(p, c);
	event(p, which, BGP_EV_OPEN);
}

static void
take_update(struct peer *p, int which, struct rd body)
{
	struct conn *c = &p->conns[which];
	int form = 0;

	if (c->state == BGP_ESTABLISHED)
		form = bgp_check_update(body, c->open.as4, p->conf.as == running_as, &p->error);
	COUNT(bgp_updates_received);
	p->view.heard++;
	if (form > 0) {
		COUNT(bgp_updates_bad);
		plog_limit(LOG_WARNING, "bgp %s: an UPDATE with bad attributes", p->conf.name);
	}
	event(p, which, form < 0 ? BGP_EV_UPDATE_ERROR : BGP_EV_UPDATE);
}

static void
take_notification(struct peer *p, int which, struct rd body)
{
	char text[sizeof(p->view.error) - WORD];
	struct bgp_error e;

	COUNT(bgp_notifications_received);
	bgp_read_notification(body, &e);
	bgp_error_text(&e, text, sizeof(text));
	plog_limit(LOG_WARNING, "bgp %s: he says: %s", p->conf.name, text);
	remember(p, "received ", text);
	event(p, which, BGP_EV_NOTIFICATION);
}

static void
take_refresh(struct peer *p, int which, struct rd body)
{
	if (bgp_read_refresh(body, &p->refresh) || p->conns[which].state != BGP_ESTABLISHED)
		event(p, which, BGP_EV_REFRESH);
}

static void
dispatch(struct peer *p, int which, uint8_t type, struct rd body)
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
		event(p, which, BGP_EV_KEEPALIVE);
		break;
	case BGP_REFRESH:
		take_refresh(p, which, body);
		break;
	}
}

/* One message out of the buffer; false when there is none that is whole. */
static bool
take_message(struct peer *p, int which)
{
	struct bgp_tcp *tcp = &p->conns[which].tcp;
	int fd = tcp->fd;
	uint16_t len;
	uint8_t type;

	if (tcp->in_len < BGP_HEADER)
		return false;
	if (bgp_read_header(rd_init(tcp->in, BGP_HEADER), &len, &type, &p->error) < 0) {
		event(p, which, BGP_EV_HEADER_ERROR);
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
connected(struct peer *p, int which)
{
	int error = bgp_tcp_connected(&p->conns[which].tcp);

	if (error == EINPROGRESS) /* what was ready was one of the same number before */
		return;
	if (error)
		tcp_fails(p, which, strerror(error));
	else
		event(p, which, BGP_EV_TCP_UP);
}

static void
on_readable(int fd, void *arg)
{
	struct conn *c = arg;
	struct peer *p = owner(c);
	int which = which_of(p, c), got;

	(void)fd;
	if (c->tcp.connecting) {
		connected(p, which);
		return;
	}
	got = bgp_tcp_read(&c->tcp);
	if (got < 0)
		tcp_fails(p, which, errno ? strerror(errno) : "he has closed the connection");
	while (got > 0 && take_message(p, which))
		;
}

static void
on_writable(int fd, void *arg)
{
	struct conn *c = arg;
	struct peer *p = owner(c);
	ssize_t n;

	(void)fd;
	if (c->tcp.connecting) {
		connected(p, which_of(p, c));
		return;
	}
	if (p->up == c && c->tcp.out_len < BGP_MAX)
		tell(p);
	n = bgp_tcp_flush(&c->tcp);
	if (n < 0) {
		tcp_fails(p, which_of(p, c), strerror(errno));
		return;
	}
	if (p->up == c && n > 0)
		timer_stop(&p->send_hold); /* arm() starts it again */
	p->dirty = true;
	arm(p, c);
}

static struct peer *
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
may_accept(struct peer *p)
{
	if (p->up)
		send_keepalive(p, p->up);
	else if (p->conns[IN].state == BGP_OPEN_SENT)
		event(p, IN, BGP_EV_TCP_FAILS);
	return !p->up && !p->unsigned_in && p->conns[IN].state == BGP_ACTIVE &&
	       p->conns[IN].tcp.fd < 0;
}

static void
on_connection(int listener, void *unused)
{
	union bgp_addr from = { 0 };
	int fd = bgp_tcp_accept(listener, &from);
	char text[INET6_ADDRSTRLEN];
	struct peer *p;

	(void)unused;
	if (fd < 0)
		return;
	p = peer_at(&from);
	if (!p || !have_id() || !may_accept(p) || loop_add(fd, on_readable, &p->conns[IN]) < 0) {
		COUNT(bgp_refused);
		plog_limit(
		    LOG_INFO, "bgp: a connection from %s is refused", bgp_addr_text(&from, text));
		close(fd);
		return;
	}
	bgp_tcp_adopt(&p->conns[IN].tcp, fd);
	event(p, IN, BGP_EV_TCP_UP);
}

/* ---- neighbours come and go ---- */

static void
start_peer(struct peer *p)
{
	p->running = true;
	if (p->conf.password[0])
		set_password(p, p->conf.password);
	event(p, IN, BGP_EV_START_PASSIVE);
	event(p, OUT, BGP_EV_START);
}

static void
stop_peer(struct peer *p, const struct bgp_error *why)
{
	int which;

	p->running = false;
	for (which = 0; which < CONNS; which++) {
		p->error = *why;
		event(p, which, BGP_EV_STOP);
	}
	timer_stop(&p->send_hold);
	set_password(p, "");
}

static void
init_conn(struct conn *c, uint32_t id)
{
	c->tcp.fd = -1;
	timer_init(&c->retry, on_retry, id);
	timer_init(&c->hold, on_hold, id);
	timer_init(&c->keepalive, on_keepalive, id);
}

static void
add_peer(const struct conf_peer *conf_peer)
{
	struct peer *p = peers;
	uint32_t id;

	while (p->used)
		p++; /* there are as many places as lines */
	id = number(p) * CONNS;
	*p = (struct peer){
		.used = true, .suspended = all_suspended, .lookup = -1, .tell.reader = number(p)
	};
	memcpy(&p->conf, conf_peer, sizeof(p->conf)); /* with what lies between: it is compared */
	init_conn(&p->conns[OUT], id + OUT);
	init_conn(&p->conns[IN], id + IN);
	timer_init(&p->send_hold, on_send_hold, id);
	bgp_addr_parse(p->conf.name, &p->addr);
	start_peer(p);
}

static void
remove_peer(struct peer *p, uint8_t sub)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = sub };

	stop_peer(p, &why);
	p->used = false;
	p->dirty = true;
}

/* What the routes say may change under way; for the rest he must be met anew. */
static void
change_peer(struct peer *p, const struct conf_peer *to)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_CHANGE };
	struct conf_peer same;

	memcpy(&same, &p->conf, sizeof(same));
	same.has_med = to->has_med;
	same.med = to->med;
	same.has_community = to->has_community;
	memcpy(same.community, to->community, sizeof(same.community));
	if (memcmp(&same, to, sizeof(same)) == 0) {
		memcpy(&p->conf, to, sizeof(p->conf));
		tell_again(p);
		return;
	}
	stop_peer(p, &why);
	memcpy(&p->conf, to, sizeof(p->conf));
	start_peer(p);
}

static const struct conf_peer *
configured(const char *name)
{
	unsigned int i;

	for (i = 0; i < conf->n_peers; i++)
		if (strcmp(conf->peers[i].name, name) == 0)
			return &conf->peers[i];
	return NULL;
}

static struct peer *
find_peer(const char *name)
{
	FOR_EACH_PEER(p)
	if (strcasecmp(p->conf.name, name) == 0)
		return p;
	return NULL;
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

static void
open_bgp(void)
{
	running_as = conf->bgp_as;
	choose_id();
	listen_on(0, AF_INET);
	listen_on(1, AF_INET6);
}

static void
close_bgp(uint8_t sub)
{
	int i;

	FOR_EACH_PEER(p)
	remove_peer(p, sub);
	for (i = 0; i < 2; i++) {
		if (listeners[i] < 0)
			continue;
		loop_del(listeners[i]);
		close(listeners[i]);
		listeners[i] = -1;
	}
	running_as = 0;
}

static void
reconfigure(void)
{
	unsigned int i;

	if (running_as && running_as != conf->bgp_as)
		close_bgp(conf->bgp_as ? BGP_CEASE_CHANGE : BGP_CEASE_DECONFIGURED);
	if (!conf->bgp_as)
		return;
	if (!running_as)
		open_bgp();
	FOR_EACH_PEER(p)
	{
		const struct conf_peer *to = configured(p->conf.name);

		if (!to)
			remove_peer(p, BGP_CEASE_DECONFIGURED);
		else if (memcmp(to, &p->conf, sizeof(*to)) != 0)
			change_peer(p, to);
	}
	for (i = 0; i < conf->n_peers; i++)
		if (!find_peer(conf->peers[i].name))
			add_peer(&conf->peers[i]);
}

static void
next_hop_changed(void)
{
	FOR_EACH_PEER(p)
	tell_again(p);
}

static void
hold_back(unsigned int reader)
{
	struct peer *p = &peers[reader];

	set_error(p, BGP_ERR_CEASE, BGP_CEASE_RESOURCES);
	if (p->up)
		event(p, which_of(p, p->up), BGP_EV_STOP);
	bgp_tell_end(&p->tell);
}

/* ---- the doors ---- */

void
bgp_init(void)
{
	peers = shm_map_parent("BGP neighbours", CONF_PEERS * sizeof(*peers));
	views = shm_map("BGP views", sizeof(*views));
	bgp_route_on_full(hold_back);
	config_on_change("bgp", reconfigure);
	config_on_change("nexthop_address", next_hop_changed);
	config_on_change("nexthop6_address", next_hop_changed);
}

void
bgp_start(void)
{
	uint32_t addrs[CONF_OWN_ADDRESSES];
	unsigned int i, n = config_bind_addresses(addrs, CONF_OWN_ADDRESSES);

	for (i = 0; i < n; i++)
		if (addrs[i])
			bgp_route_add4(addrs[i], 32, true);
	reconfigure();
}

void
bgp_serve(bool on)
{
	serving = on;
	FOR_EACH_PEER(p)
	retell(p);
}

bool
bgp_has_neighbours(void)
{
	FOR_EACH_PEER(p)
	if (p->up)
		return true;
	return false;
}

bool
bgp_quiet(void)
{
	FOR_EACH_PEER(p)
	if (p->up && (p->up->tcp.out_len > 0 || has_work(p)))
		return false;
	return true;
}

void
bgp_fini(void)
{
	static const char words[] = "l2tpns stops";
	struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_SHUTDOWN };

	why.data[0] = sizeof(words) - 1; /* RFC 9003 2 */
	memcpy(why.data + 1, words, sizeof(words) - 1);
	why.len = sizeof(words);
	FOR_EACH_PEER(p)
	stop_peer(p, &why);
	close_bgp(BGP_CEASE_SHUTDOWN);
}

/* Calls fn for all, or for the one; false with the reason. */
static bool
for_peers(const char *name, void (*fn)(struct peer *p, bool on), bool on, char *why, size_t size)
{
	struct peer *one = name[0] ? find_peer(name) : NULL;

	if (!conf->bgp_as) {
		snprintf(why, size, "BGP is not configured");
		return false;
	}
	if (name[0] && !one) {
		snprintf(why, size, "There is no neighbour %.64s", name);
		return false;
	}
	FOR_EACH_PEER(p)
	if (!one || p == one)
		fn(p, on);
	return true;
}

static void
suspend(struct peer *p, bool on)
{
	p->suspended = on;
	retell(p);
}

bool
bgp_suspend(const char *peer, bool on, char *why, size_t size)
{
	snprintf(why, size, on ? "Routes are withdrawn" : "Routes are announced");
	if (!for_peers(peer, suspend, on, why, size))
		return false;
	if (!peer[0]) /* who is added later is one of all */
		all_suspended = on;
	return true;
}

static void
restart(struct peer *p, bool unused)
{
	const struct bgp_error why = { .code = BGP_ERR_CEASE, .sub = BGP_CEASE_RESET };

	(void)unused;
	stop_peer(p, &why);
	start_peer(p);
}

bool
bgp_restart(const char *peer, char *why, size_t size)
{
	snprintf(why, size, "Connections are opened again");
	return for_peers(peer, restart, true, why, size);
}

/* ---- what is seen ---- */

static void
fill_view(struct peer *p)
{
	const struct conn *out = &p->conns[OUT], *in = &p->conns[IN];
	const struct conn *best = in->state >= BGP_OPEN_SENT && in->state > out->state ? in : out;
	struct bgp_view *v = &p->view;

	str_copy(v->name, sizeof(v->name), p->conf.name);
	bgp_addr_text(&p->addr, v->address);
	v->as = p->conf.as;
	v->state = best->state;
	v->retries = p->up ? 0 : p->failures;
	v->suspended = p->suspended;
	v->announced = bgp_tell_announces(&p->tell);
	v->pending = has_work(p) || (p->up && p->up->tcp.out_len > 0);
	v->ip6 = p->tell.speaks[BGP_IP6];
	v->sent = p->tell.sent;
	v->withdrawn = p->tell.withdrawn;
	v->updates = p->tell.updates;
	v->hold = p->up ? p->up->hold_sec : hold_of(p);
	v->keepalive = p->up ? p->up->keepalive_sec : keepalive_of(p);
	v->retry_at_ms = timer_running(&out->retry) ? loop_now_ms() + timer_left(&out->retry) : 0;
}

static void
publish(struct peer *p)
{
	unsigned int n = number(p);

	p->dirty = false;
	fill_view(p);
	__atomic_store_n(&views->sequence, views->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	views->used[n] = p->used;
	views->at[n] = p->view;
	__atomic_store_n(&views->sequence, views->sequence + 1, __ATOMIC_RELEASE);
}

void
bgp_turn_end(void)
{
	struct peer *p;
	bool news = seen_changes != bgp_route_changes();

	if (!running_as && !views->router_id)
		return;
	seen_changes = bgp_route_changes();
	for (p = peers; p < peers + CONF_PEERS; p++) {
		if (news && p->used && p->up)
			arm(p, p->up);
		if (p->dirty || (news && p->used))
			publish(p);
	}
	if (!running_as)
		views->router_id = 0;
}

uint32_t
bgp_router_id(void)
{
	return views->router_id;
}

bool
bgp_view(unsigned int i, struct bgp_view *v)
{
	uint32_t before;
	bool used;
	int tries;

	for (tries = 0; i < CONF_PEERS && tries < 1000; tries++) {
		before = __atomic_load_n(&views->sequence, __ATOMIC_ACQUIRE);
		used = views->used[i];
		*v = views->at[i];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(before & 1) && before == __atomic_load_n(&views->sequence, __ATOMIC_RELAXED))
			return used;
	}
	return false;
}
