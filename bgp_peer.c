/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A BGP neighbour (RFC 4271 8). He has two connections: the one we open, and the one he opens,
 * each with the automaton of bgp_fsm.c; bgp_event() is the one door for a change of state, and
 * what it orders is done here. bgp_conn.c makes connections, bgp_input.c reads from them.
 *
 * He is told (SPEC 14): all routes while we serve and he is not suspended, else that they
 * are withdrawn, once; by bgp_tell.c. As long as his TCP takes data, one UPDATE a turn is
 * made and written. One who takes nothing for a long time is given up (RFC 9687).
 *
 * Graceful restart is offered without any family: our forwarding dies with us.
 *
 * Owns the neighbours, in memory that children do not have. Timers get a connection's number.
 */
#include "bgp_peer.h"
#include "bgp_self.h"
#include "bgp_view.h"
#include "bgp_why.h"
#include "counter.h"
#include "log.h"
#include "resolve.h"
#include "shm.h"
#include "util.h"

#include <string.h>

enum {
	KEEPALIVE_SEC = 60,
	HOLD_SEC = 180,
	HOLD_LARGE_SEC = 240, /* RFC 4271 8.2.2 */
	CONNECT_SEC = 30,
	FIRST_RETRY_SEC = 2,
	LAST_RETRY_SEC = 120,
	STABLE_SEC = 60,	/* who was up for so long is no failure */
	SEND_HOLD_SEC = 8 * 60, /* RFC 9687 */
};

static struct bgp_peer *peers;
static bool serving;

struct bgp_peer *
bgp_peers(void)
{
	return peers;
}

struct bgp_peer *
bgp_owner(const struct bgp_conn *c)
{
	return &peers[(size_t)((const char *)c - (const char *)peers) / sizeof(*peers)];
}

int
bgp_which(const struct bgp_peer *p, const struct bgp_conn *c)
{
	return c == &p->conns[BGP_OURS] ? BGP_OURS : BGP_HIS;
}

static struct bgp_peer *
peer_of(uint32_t id)
{
	return &peers[id / BGP_CONNS];
}

void
bgp_peer_error(struct bgp_peer *p, uint8_t code, uint8_t sub)
{
	p->error = (struct bgp_error){ .code = code, .sub = sub };
}

/* ---- what a neighbour is told ---- */

bool
bgp_peer_has_work(const struct bgp_peer *p)
{
	return p->up && bgp_tell_waits(&p->tell);
}

/* RFC 9687: he has a while to take what waits for him. */
static void
watch_sending(struct bgp_peer *p, bool waits)
{
	if (!waits)
		timer_stop(&p->send_hold);
	else if (!timer_running(&p->send_hold))
		timer_set(&p->send_hold, SEC(MAX(SEND_HOLD_SEC, 2 * p->up->hold_sec)));
}

/* Asks to be called when he takes something, if there is anything. */
void
bgp_peer_arm(struct bgp_peer *p, const struct bgp_conn *c)
{
	bool wants =
	    c->tcp.connecting || c->tcp.out_len > 0 || (p->up == c && bgp_peer_has_work(p));

	if (c->tcp.fd >= 0)
		loop_want_write(c->tcp.fd, wants ? bgp_on_writable : NULL);
	if (p->up == c)
		watch_sending(p, wants);
}

static void
fill_attrs(struct bgp_peer *p)
{
	union bgp_addr own = { 0 };

	bgp_tcp_local(&p->up->tcp, &own);
	p->tell.attrs.as = bgp_self_as();
	p->tell.attrs.ibgp = p->conf.as == bgp_self_as();
	p->tell.attrs.as4 = p->up->open.as4;
	bgp_tell_attrs(&p->tell.attrs, &p->conf, &own.sa, bgp_self_next_hop(&own));
}

/* Whether he is to have our routes may be different now. */
void
bgp_peer_retell(struct bgp_peer *p)
{
	p->dirty = true;
	if (!p->up)
		return;
	bgp_tell_set(&p->tell, serving && !p->suspended);
	bgp_peer_arm(p, p->up);
}

void
bgp_peer_serve(bool on)
{
	serving = on;
	FOR_EACH_PEER(p)
	bgp_peer_retell(p);
}

/* All of it once more: its attributes have changed. */
void
bgp_peer_tell_again(struct bgp_peer *p)
{
	int afi;

	if (!p->up)
		return;
	fill_attrs(p);
	for (afi = 0; afi < BGP_AFIS; afi++)
		bgp_tell_again(&p->tell, afi);
	bgp_peer_retell(p);
}

void
bgp_peer_tell(struct bgp_peer *p)
{
	uint8_t *room = bgp_tcp_room(&p->up->tcp);

	if (room)
		bgp_tcp_put(&p->up->tcp, bgp_tell_next(&p->tell, room));
	p->dirty = true;
}

/* ---- actions of the automaton ---- */

static unsigned int
backoff_sec(const struct bgp_peer *p)
{
	unsigned int doublings = MIN(MAX(p->failures, 1) - 1, 6);

	return MIN((unsigned int)FIRST_RETRY_SEC << doublings, LAST_RETRY_SEC);
}

static void
start_retry(struct bgp_peer *p, int which, unsigned int sec)
{
	if (which == BGP_OURS)
		timer_set_jitter(&p->conns[BGP_OURS].retry, SEC(sec));
}

static void
put(struct bgp_peer *p, struct bgp_conn *c, size_t len)
{
	bgp_tcp_put(&c->tcp, len);
	bgp_peer_arm(p, c);
}

static void
notify(struct bgp_peer *p, struct bgp_conn *c)
{
	uint8_t *room = bgp_tcp_room(&c->tcp);

	if (p->error.code == 0 || c->tcp.fd < 0)
		return;
	COUNT(bgp_notifications_sent);
	bgp_why_sent(p, c);
	if (!room) /* he does not read anyway */
		return;
	bgp_tcp_put(&c->tcp, bgp_put_notification(room, &p->error));
	bgp_tcp_flush(&c->tcp);
}

/* RFC 6608: which state the message did not fit. */
static void
notify_fsm(struct bgp_peer *p, struct bgp_conn *c, enum bgp_state old)
{
	bgp_peer_error(p, BGP_ERR_FSM, (uint8_t)(old - BGP_OPEN_SENT + 1));
	notify(p, c);
}

static void
go_down(struct bgp_peer *p)
{
	bgp_tell_end(&p->tell);
	if (loop_now_ms() - p->view.since_ms > SEC(STABLE_SEC)) {
		p->failures = 0;
		memset(p->told, 0, sizeof(p->told));
	}
	p->view.since_ms = loop_now_ms();
	timer_stop(&p->send_hold);
	plog_limit(LOG_WARNING, "bgp %s: is not Established any more", p->conf.name);
	p->up = NULL;
}

static void
drop(struct bgp_peer *p, int which)
{
	struct bgp_conn *c = &p->conns[which];

	timer_stop(&c->hold);
	timer_stop(&c->keepalive);
	if (which == BGP_OURS && p->lookup >= 0) {
		resolve_cancel(p->lookup);
		p->lookup = -1;
	}
	if (c->tcp.fd < 0)
		return;
	loop_del(c->tcp.fd);
	bgp_tcp_close(&c->tcp);
}

void
bgp_conn_fails(struct bgp_peer *p, int which, const char *why)
{
	bgp_why_failed(p, which, why);
	bgp_event(p, which, BGP_EV_TCP_FAILS);
}

unsigned int
bgp_peer_hold(const struct bgp_peer *p)
{
	return p->conf.has_timers ? p->conf.hold : HOLD_SEC;
}

unsigned int
bgp_peer_keepalive(const struct bgp_peer *p)
{
	return p->conf.has_timers ? p->conf.keepalive : KEEPALIVE_SEC;
}

static void
send_open(struct bgp_peer *p, struct bgp_conn *c)
{
	const struct bgp_open mine = {
		.as = bgp_self_as(),
		.id = bgp_router_id(),
		.hold = (uint16_t)bgp_peer_hold(p),
		.afi = { true, true },
	};

	put(p, c, bgp_put_open(bgp_tcp_room(&c->tcp), &mine));
}

/* What waits to be sent does as well, where there is no room. */
void
bgp_peer_send_keepalive(struct bgp_peer *p, struct bgp_conn *c)
{
	uint8_t *room = bgp_tcp_room(&c->tcp);

	if (room)
		put(p, c, bgp_put_keepalive(room));
	if (c->keepalive_sec) /* RFC 4271 10: jitter of 0.75 .. 1.0 */
		timer_set_jitter(&c->keepalive, SEC(c->keepalive_sec) * 7 / 8);
}

static void
restart_hold(struct bgp_conn *c)
{
	if (c->hold_sec)
		timer_set(&c->hold, SEC(c->hold_sec));
	else
		timer_stop(&c->hold);
}

static void
go_up(struct bgp_peer *p, struct bgp_conn *c)
{
	int other = !bgp_which(p, c);

	p->up = c;
	p->view.since_ms = loop_now_ms();
	p->view.ups++;
	p->view.heard = 0;
	p->view.id = c->open.id;
	fill_attrs(p);
	bgp_peer_error(p, BGP_ERR_CEASE, BGP_CEASE_COLLISION);
	bgp_event(p, other, BGP_EV_COLLISION);
	bgp_tell_begin(&p->tell, &c->open);
	bgp_peer_retell(p);
	plog_limit(LOG_WARNING, "bgp %s: AS %u is Established%s", p->conf.name, p->conf.as,
	    c->open.afi[BGP_IP6] ? ", IPv4 and IPv6" : "");
}

static void
resend(struct bgp_peer *p)
{
	bgp_tell_again(&p->tell, p->refresh);
	bgp_peer_arm(p, p->up);
}

static void
act(struct bgp_peer *p, int which, enum bgp_state old, struct bgp_step step)
{
	struct bgp_conn *c = &p->conns[which];
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
		bgp_conn_begin(p);
	if (todo & BGP_DO_OPEN)
		send_open(p, c);
	if (todo & BGP_DO_HOLD_LARGE)
		timer_set(&c->hold, SEC(HOLD_LARGE_SEC));
	if (todo & BGP_DO_KEEPALIVE)
		bgp_peer_send_keepalive(p, c);
	if (todo & BGP_DO_HOLD)
		restart_hold(c);
	if (todo & BGP_DO_UP)
		go_up(p, c);
	if (todo & BGP_DO_RESEND)
		resend(p);
}

/* He may always connect; we try again when there is no other connection under way. */
static void
revive(struct bgp_peer *p)
{
	const struct bgp_conn *out = &p->conns[BGP_OURS], *in = &p->conns[BGP_HIS];

	if (!p->running)
		return;
	if (in->state == BGP_IDLE)
		bgp_event(p, BGP_HIS, BGP_EV_START_PASSIVE);
	if (out->state == BGP_IDLE && !timer_running(&out->retry) && in->state < BGP_OPEN_CONFIRM)
		start_retry(p, BGP_OURS, backoff_sec(p));
}

void
bgp_event(struct bgp_peer *p, int which, enum bgp_event ev)
{
	struct bgp_conn *c = &p->conns[which];
	enum bgp_state old = c->state;
	struct bgp_step step = bgp_fsm(old, ev);

	c->state = step.next;
	if (old != step.next)
		plog_limit(LOG_INFO, "bgp %s%s: %s --%s--> %s", p->conf.name,
		    which == BGP_HIS ? " (his)" : "", bgp_state_names[old], bgp_event_names[ev],
		    bgp_state_names[step.next]);
	p->dirty = true;
	act(p, which, old, step);
	revive(p);
}

/* ---- timers ---- */

static void
on_retry(uint32_t id)
{
	struct bgp_peer *p = peer_of(id);

	if (p->conns[BGP_HIS].state >= BGP_OPEN_CONFIRM) { /* his may do */
		start_retry(p, BGP_OURS, backoff_sec(p));
		return;
	}
	if (p->conns[BGP_OURS].state == BGP_CONNECT)
		bgp_why_silent(p);
	bgp_event(p, BGP_OURS,
	    p->conns[BGP_OURS].state == BGP_IDLE ? BGP_EV_IDLE_HOLD_EXPIRES : BGP_EV_RETRY_EXPIRES);
}

static void
on_hold(uint32_t id)
{
	struct bgp_peer *p = peer_of(id);

	bgp_peer_error(p, BGP_ERR_HOLD, 0);
	bgp_event(p, (int)(id % BGP_CONNS), BGP_EV_HOLD_EXPIRES);
}

static void
on_keepalive(uint32_t id)
{
	bgp_event(peer_of(id), (int)(id % BGP_CONNS), BGP_EV_KEEPALIVE_EXPIRES);
}

static void
on_send_hold(uint32_t id)
{
	struct bgp_peer *p = peer_of(id);

	if (p->up)
		bgp_conn_fails(
		    p, bgp_which(p, p->up), "he has taken nothing for too long (RFC 9687)");
}

/* ---- neighbours come and go ---- */

void
bgp_peer_init(void)
{
	peers = shm_map_parent("BGP neighbours", CONF_PEERS * sizeof(*peers));
}

void
bgp_peer_start(struct bgp_peer *p)
{
	p->running = true;
	if (p->conf.password[0])
		bgp_conn_password(p, p->conf.password);
	bgp_event(p, BGP_HIS, BGP_EV_START_PASSIVE);
	bgp_event(p, BGP_OURS, BGP_EV_START);
}

void
bgp_peer_stop(struct bgp_peer *p, const struct bgp_error *why)
{
	int which;

	p->running = false;
	for (which = 0; which < BGP_CONNS; which++) {
		p->error = *why;
		bgp_event(p, which, BGP_EV_STOP);
	}
	timer_stop(&p->send_hold);
	bgp_conn_password(p, "");
}

static void
init_conn(struct bgp_conn *c, uint32_t id)
{
	c->tcp.fd = -1;
	timer_init(&c->retry, on_retry, id);
	timer_init(&c->hold, on_hold, id);
	timer_init(&c->keepalive, on_keepalive, id);
}

void
bgp_peer_new(const struct conf_peer *conf_peer, bool suspended)
{
	struct bgp_peer *p = peers;
	uint32_t id;

	while (p->used)
		p++; /* there are as many places as lines */
	id = (uint32_t)(p - peers) * BGP_CONNS;
	*p = (struct bgp_peer){
		.used = true, .suspended = suspended, .lookup = -1, .tell.reader = id / BGP_CONNS
	};
	memcpy(&p->conf, conf_peer, sizeof(p->conf)); /* with what lies between: it is compared */
	init_conn(&p->conns[BGP_OURS], id + BGP_OURS);
	init_conn(&p->conns[BGP_HIS], id + BGP_HIS);
	timer_init(&p->send_hold, on_send_hold, id);
	bgp_addr_parse(p->conf.name, &p->addr);
	bgp_peer_start(p);
}
