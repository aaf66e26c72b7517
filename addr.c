/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has which address. An address is a session's from addr_assign() on: it stands in
 * iptab, which is also what makes it unique; the pool knows it too when it is the
 * pool's. The kernel needs a route only for what lies outside the pool networks, whose
 * routes stand from the start.
 *
 * What the kernel was asked for stands in a table beside the sessions: which networks
 * are the pool's may have changed when a session ends.
 *
 * Framed-Route and Framed-IP-Netmask (RFC 2865 5.9, 5.22) become notes of the session
 * and entries of iptab. A network that another session has waits (heir.c) and is his when
 * that one leaves; a single address does not, since it may be the other's own.
 */
#include "addr.h"
#include "bgp_route.h"
#include "config.h"
#include "counter.h"
#include "heir.h"
#include "ippool.h"
#include "iptab.h"
#include "note.h"
#include "rtnl.h"
#include "shm.h"
#include "tunnel.h"
#include "util.h"

#include <netinet/in.h>

/* RFC 2865 5.8: the user may choose; the NAS chooses. */
#define ADDR_USER_CHOOSES htonl(0xffffffff)
#define ADDR_NAS_CHOOSES  htonl(0xfffffffe)

/* A /8 is what a network has at most, public or of RFC 1918. */
enum { SHORTEST_ROUTE = 8 };

/* What a session has of the kernel, bits. */
enum { ROUTE_NETS = 1, ROUTE_HOST = 2 };

static uint8_t *installed; /* by session */

/* The pool's networks that are routed to us. */
static struct ip4_net {
	uint32_t addr; /* network order */
	uint8_t len;
} * routed;
static unsigned int n_routed;

typedef void (*route_fn)(uint32_t addr, unsigned int len);

static void
reserve_own(void)
{
	uint32_t addrs[CONF_OWN_ADDRESSES];

	ippool_reserve(addrs, config_own_addresses(addrs));
}

/* peer_address is the one of them that may change. */
static void
own_changed(void)
{
	reserve_own();
	addr_commit_pool();
}

void
addr_init(void)
{
	installed = session_table("kernel routes", sizeof(*installed));
	routed = shm_map_parent("routed pool networks", IPPOOL_NETS * sizeof(*routed));
	heir_init(conf->max_sessions);
	config_on_change("peer_address", own_changed);
	reserve_own();
}

/* The kernel and our BGP neighbours hear of the same. */
static void
add_net(uint32_t addr, unsigned int len)
{
	rtnl_route_add(addr, len);
	bgp_route_add4(addr, len, true);
}

static void
del_net(uint32_t addr, unsigned int len)
{
	rtnl_route_del(addr, len);
	bgp_route_del4(addr, len, true);
}

static void
add_his(uint32_t addr, unsigned int len)
{
	rtnl_route_add(addr, len);
	bgp_route_add4(addr, len, false);
}

static void
del_his(uint32_t addr, unsigned int len)
{
	rtnl_route_del(addr, len);
	bgp_route_del4(addr, len, false);
}

/* What is in the pool by now is added before what was goes: a network that stays never leaves. */
static void
route_pool(void)
{
	struct ippool_net net;
	unsigned int i;

	for (i = 0; ippool_net(i, &net); i++)
		add_net(net.addr, net.len);
	for (i = 0; i < n_routed; i++)
		del_net(routed[i].addr, routed[i].len);
	for (n_routed = 0; ippool_net(n_routed, &net); n_routed++)
		routed[n_routed] = (struct ip4_net){ net.addr, net.len };
}

static void
host_route(sess_id s)
{
	installed[s] |= ROUTE_HOST;
	add_his(session_get(s)->ip4, 32);
}

void
addr_commit_pool(void)
{
	uint32_t pos = 0;
	sess_id s;

	if (ippool_commit())
		while ((s = ippool_orphan(&pos)))
			if (installed[s] == ROUTE_NETS)
				host_route(s);
	route_pool();
}

static bool
is_unicast(uint32_t addr)
{
	uint32_t a = ntohl(addr);

	return a >> 24 != 0 && a >> 24 != 127 && a >> 28 < 14;
}

static bool
usable(uint32_t addr)
{
	return is_unicast(addr) && !config_is_own_address(addr);
}

static void
leave_out(sess_id s, uint32_t addr, uint8_t len, const char *why)
{
	COUNT(route_refused);
	slog_limit(
	    session_get(s), LOG_WARNING, "route %s/%u is left out: %s", ip4_text(addr), len, why);
}

static bool
covers(uint32_t net, uint8_t len, uint32_t addr)
{
	return addr && (addr & ip4_mask(len)) == net;
}

/* Answers to these must not be led into the tunnel they came from. */
static bool
covers_server(uint32_t net, uint8_t len)
{
	unsigned int i;

	for (i = 0; i < conf->n_servers; i++)
		if (covers(net, len, conf->servers[i].ip))
			return true;
	return covers(net, len, conf->primary_radius) || covers(net, len, conf->secondary_radius);
}

/* Nor must what is said to a router: it would think us dead. */
static bool
covers_neighbour(uint32_t net, uint8_t len)
{
	unsigned int i;
	uint32_t addr;

	for (i = 0; i < conf->n_peers; i++)
		if (ip4_parse(conf->peers[i].name, &addr) && covers(net, len, addr))
			return true;
	return false;
}

static bool
covers_own(uint32_t net, uint8_t len)
{
	uint32_t own[CONF_OWN_ADDRESSES];
	unsigned int n = config_bind_addresses(own, CONF_OWN_ADDRESSES - 1);

	for (own[n++] = config_tun_address(); n > 0; n--)
		if (covers(net, len, own[n - 1]))
			return true;
	return false;
}

/*
 * Why nobody can have this network behind him; NULL: he can. The kernel would send what
 * the machine itself says to it into the tunnel too.
 */
static const char *
not_routable(sess_id s, uint32_t net, uint8_t len)
{
	if (len < SHORTEST_ROUTE)
		return "nobody has so much of the net behind him";
	if (!is_unicast(net) || (len == 32 && config_is_own_address(net)))
		return "it is ours, or cannot be anybody's";
	if (covers_own(net, len))
		return "an address of ours is in it";
	if (covers_server(net, len))
		return "a RADIUS server is in it";
	if (covers_neighbour(net, len))
		return "a BGP neighbour is in it";
	if (covers(net, len, tunnel_get(session_get(s)->tunnel)->peer_ip))
		return "his LAC is in it";
	return NULL;
}

/* A single address that is the pool's must not be given to others meanwhile. */
static int
take_route(sess_id s, uint32_t addr, uint8_t len)
{
	if (len == 32 && ippool_claim(addr, "", s) < 0)
		return -1;
	if (iptab_add(addr, len, s) == 0)
		return 0;
	if (len == 32)
		ippool_give(addr, s);
	return -1;
}

static void
drop_route(sess_id s, uint32_t addr, uint8_t len)
{
	iptab_del(addr, len, s);
	if (len == 32)
		ippool_give(addr, s);
}

static void
wait_for_route(sess_id s, uint32_t addr, uint8_t len)
{
	struct note_route r = { .addr = addr, .len = len };

	if (len == 32) {
		leave_out(s, addr, len, "it is another session's");
	} else if (session_add_note(s, NOTE_WAITS, 0, &r, sizeof(r)) < 0 ||
		   heir_add(addr, len, s) < 0) {
		leave_out(s, addr, len, "no room");
	} else {
		slog_limit(session_get(s), LOG_WARNING,
		    "route %s/%u waits: it is another session's", ip4_text(addr), len);
	}
}

static int
keep_route(sess_id s, uint32_t addr, uint8_t len)
{
	struct note_route r = { .addr = addr, .len = len };

	if (take_route(s, addr, len) < 0)
		return -1;
	if (session_add_note(s, NOTE_ROUTE, 0, &r, sizeof(r)) == 0)
		return 0;
	drop_route(s, addr, len);
	return -1;
}

static void
add_route(sess_id s, uint32_t addr, uint8_t len)
{
	const char *why = not_routable(s, addr, len);
	sess_id owner = iptab_exact(addr, len);

	if (owner == s)
		return;
	if (why)
		leave_out(s, addr, len, why);
	else if (owner)
		wait_for_route(s, addr, len);
	else if (keep_route(s, addr, len) < 0)
		leave_out(s, addr, len, "no room");
}

/* The network has become free: it is the next one's. */
static void
pass_on(uint32_t addr, uint8_t len)
{
	sess_id s;

	while ((s = heir_take(addr, len))) {
		if (keep_route(s, addr, len) < 0)
			continue;
		slog(session_get(s), LOG_INFO, "route %s/%u is his now", ip4_text(addr), len);
		if (installed[s] & ROUTE_NETS)
			add_his(addr, len);
		return;
	}
}

/* The one door by which a session gets an address. */
static int
take(sess_id s, uint32_t addr, uint32_t netmask, bool pooled)
{
	if (iptab_add(addr, 32, s) < 0) {
		if (pooled)
			ippool_give(addr, s);
		return -1;
	}
	session_set_ip4(s, addr, netmask, pooled);
	return 0;
}

static int
take_from_pool(sess_id s, const char *pool)
{
	const struct session *sess = session_get(s);
	uint32_t addr = ippool_take(pool, sess->user, s);

	return addr ? take(s, addr, 0, true) : -1;
}

static int
take_given(sess_id s, uint32_t addr, uint32_t netmask)
{
	const struct session *sess = session_get(s);

	if (iptab_exact(addr, 32) || ippool_claim(addr, sess->user, s) < 0)
		return -1;
	return take(s, addr, netmask, ippool_has(addr));
}

static void
add_routes(sess_id s, const struct auth_result *res)
{
	int mask = res->netmask ? ip4_mask_len(res->netmask) : 32;
	unsigned int i;

	if (mask > 0 && mask < 32)
		add_route(s, session_get(s)->ip4 & res->netmask, (uint8_t)mask);
	for (i = 0; i < res->n_routes; i++)
		add_route(s, res->routes[i].addr, res->routes[i].len);
}

int
addr_assign(sess_id s, const struct auth_result *res, const char **why)
{
	int done;

	if (res->ip4 == ADDR_USER_CHOOSES) {
		add_routes(s, res);
		return 0;
	}
	if (res->ip4 == 0 || res->ip4 == ADDR_NAS_CHOOSES) {
		done = take_from_pool(s, res->pool);
		*why = !res->pool[0] || ippool_pool_exists(res->pool)
			   ? "no address is free in the pool"
			   : "there is no pool of the name in Framed-Pool";
	} else {
		done = usable(res->ip4) ? take_given(s, res->ip4, res->netmask) : -1;
		*why = "the address is in use or cannot be one";
	}
	if (done < 0) {
		COUNT(address_refused);
		return -1;
	}
	add_routes(s, res);
	return 0;
}

int
addr_assign_wanted(sess_id s, uint32_t wanted, const char *pool)
{
	if (usable(wanted) && ippool_pool_has(pool, wanted) && take_given(s, wanted, 0) == 0)
		return 0;
	return take_from_pool(s, pool);
}

/* The next note of a kind of route; false at the end. */
static bool
next_route(struct note_pos *pos, uint8_t kind, struct note_route *r)
{
	struct note n;

	while (note_next(pos, &n))
		if (n.kind == kind) {
			memcpy(r, n.data, sizeof(*r));
			return true;
		}
	return false;
}

static void
net_routes(const struct session *sess, route_fn fn)
{
	struct note_pos pos = note_first(sess->notes);
	struct note_route r;

	while (next_route(&pos, NOTE_ROUTE, &r))
		fn(r.addr, r.len);
}

static void
give_back(sess_id s, const struct session *sess)
{
	struct note_pos pos = note_first(sess->notes);
	struct note_route r;

	while (next_route(&pos, NOTE_WAITS, &r))
		heir_del(r.addr, r.len, s);
	pos = note_first(sess->notes);
	while (next_route(&pos, NOTE_ROUTE, &r)) {
		drop_route(s, r.addr, r.len);
		if (!iptab_exact(r.addr, r.len))
			pass_on(r.addr, r.len);
	}
	if (!sess->ip4)
		return;
	iptab_del(sess->ip4, 32, s);
	ippool_give(sess->ip4, s);
}

static void
kernel_routes_on(sess_id s, const struct session *sess)
{
	installed[s] = ROUTE_NETS;
	net_routes(sess, add_his);
	if (sess->ip4 && !ippool_has(sess->ip4))
		host_route(s);
}

static void
kernel_routes_off(sess_id s, const struct session *sess)
{
	if (installed[s] & ROUTE_NETS)
		net_routes(sess, del_his);
	if (installed[s] & ROUTE_HOST)
		del_his(sess->ip4, 32);
	installed[s] = 0;
}

void
addr_session(sess_id s, enum sess_event ev)
{
	const struct session *sess = session_get(s);

	if (ev == SESS_EV_UP)
		kernel_routes_on(s, sess);
	if (ev != SESS_EV_DOWN)
		return;
	kernel_routes_off(s, sess);
	give_back(s, sess);
}

/* --- passive sessions --- */

/* The master has given it to this one: who had it here has lost it, of which the record is late. */
static void
mirror_address(sess_id s, uint32_t addr, uint8_t len, const char *user)
{
	sess_id owner = iptab_exact(addr, len);

	if (owner && owner != s)
		drop_route(owner, addr, len);
	if (len == 32 && ippool_claim(addr, user, s) < 0)
		plog_limit(LOG_WARNING, "no room for the pool address %s", ip4_text(addr));
	if (iptab_add(addr, len, s) < 0)
		leave_out(s, addr, len, "no room");
}

void
addr_mirror(sess_id s, bool up)
{
	const struct session *sess = session_get(s);
	struct note_pos pos = note_first(sess->notes);
	struct note_route r;

	if (sess->ip4)
		mirror_address(s, sess->ip4, 32, sess->user);
	while (next_route(&pos, NOTE_ROUTE, &r))
		mirror_address(s, r.addr, r.len, "");
	pos = note_first(sess->notes);
	while (next_route(&pos, NOTE_WAITS, &r))
		if (iptab_exact(r.addr, r.len) != s)
			heir_add(r.addr, r.len, s);
	if (up)
		kernel_routes_on(s, sess);
}

void
addr_unmirror(sess_id s)
{
	const struct session *sess = session_get(s);
	struct note_pos pos = note_first(sess->notes);
	struct note_route r;

	kernel_routes_off(s, sess);
	while (next_route(&pos, NOTE_ROUTE, &r))
		drop_route(s, r.addr, r.len);
	pos = note_first(sess->notes);
	while (next_route(&pos, NOTE_WAITS, &r))
		heir_del(r.addr, r.len, s);
	if (sess->ip4)
		drop_route(s, sess->ip4, 32);
}

/* The pool an address is of, by its name. */
static const char *
pool_of(uint32_t addr, struct ippool_net *net)
{
	unsigned int i;

	for (i = 0; ippool_net(i, net); i++)
		if ((addr & ip4_mask(net->len)) == net->addr && ippool_pool_has(net->name, addr))
			return net->name;
	return "";
}

bool
addr_replace(sess_id s, uint32_t old, bool up)
{
	const struct session *sess = session_get(s);
	struct ippool_net net;
	uint32_t fresh = 0;

	if (sess->pooled) /* while he has the old one, which he would get again */
		fresh = ippool_take(pool_of(old, &net), sess->user, s);
	addr_unmirror(s);
	session_set_ip4(s, fresh, 0, fresh != 0);
	addr_mirror(s, up);
	return fresh != 0;
}
