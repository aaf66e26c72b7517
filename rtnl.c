/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink by libmnl. Of every route somebody wants there is a record: how many want it
 * (a network of the pool may be a subscriber's Framed-Route too), and whether the kernel
 * has it. Where the two differ the record hangs in a queue; a route that is wanted no
 * more before it was sent just leaves it, and so on. At the end of a turn up to BATCH
 * of them go to the kernel in one message, before the packets of the turn, so that a
 * subscriber is reachable when he learns his address.
 *
 * rtnetlink works while we send, and without NLM_F_ACK it answers only what it refuses:
 * the answers are read at once. A route that the machine has already is never replaced
 * (NLM_F_EXCL), and so never deleted: the record is marked and rests.
 *
 * Owns the records, in memory that children do not have. At start-up requests for the
 * device wait for their answer. The routes go with the device at the end.
 */
#include "rtnl.h"
#include "counter.h"
#include "hash.h"
#include "idset.h"
#include "ll.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	REQUEST_SIZE = 256,
	ROUTE_SIZE = 64, /* room for a route message */
	BATCH = 256,	 /* half a millisecond */
	SOCKET_BUFFER = 4 << 20,
	RETRY_MS = 1000, /* when the kernel takes nothing */
};

enum route_state {
	ROUTE_ABSENT,
	ROUTE_PRESENT, /* the kernel has it from us */
	ROUTE_REFUSED, /* it did not take it: there is one of the machine's own, mostly */
};

struct route {
	struct id_link link; /* in the queue */
	uint32_t addr;	     /* network order */
	uint16_t wanted;     /* by so many */
	uint8_t len;
	uint8_t state; /* enum route_state */
	bool queued;
};

/* A message of the batch that was sent. */
struct change {
	uint32_t id; /* of the route; it may be gone after a deletion */
	uint32_t addr;
	uint8_t len;
	bool add;
};

static struct mnl_socket *nl;
static uint32_t sequence;
static unsigned int device; /* its index */
static struct route *routes;
static struct idset ids;
static struct hash by_prefix;
static struct id_list queue;
static struct change sent[BATCH];
static unsigned int n_sent;
static uint32_t first_sent;  /* sequence number of sent[0] */
static uint64_t retry_at_ms; /* nothing is sent before */
static struct timer wake_timer;

/* The end of the turn does the work. */
static void
on_wake(uint32_t unused)
{
	(void)unused;
}

void
rtnl_init(uint32_t n)
{
	routes = shm_map_parent("routes", (n + (size_t)1) * sizeof(*routes));
	idset_init(&ids, "route ids", n);
	hash_init(&by_prefix, "routes by prefix", n);
	timer_init(&wake_timer, on_wake, 0);
}

int
rtnl_open(char *why, size_t why_size)
{
	int size = SOCKET_BUFFER;

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		snprintf(why, why_size, "netlink: %s", strerror(errno));
		return -1;
	}
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

void
rtnl_fini(void)
{
	if (!nl)
		return;
	timer_stop(&wake_timer);
	mnl_socket_close(nl);
	nl = NULL;
}

/* ---- the device ---- */

static struct nlmsghdr *
request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++sequence;
	return h;
}

/* Sends and reads the acknowledgement, which rtnetlink writes before send returns. */
static int
ask(const struct nlmsghdr *h, const char *what, char *why, size_t why_size)
{
	_Alignas(NLMSG_ALIGNTO) char buf[4096];
	const struct nlmsghdr *answer = (const void *)buf;
	ssize_t n;

	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0 ||
	    (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) < 0) {
		snprintf(why, why_size, "%s: %s", what, strerror(errno));
		return -1;
	}
	if (mnl_nlmsg_ok(answer, (int)n) && answer->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);

		if (e->error == 0 || e->error == -EEXIST)
			return 0;
		snprintf(why, why_size, "%s: %s", what, strerror(-e->error));
		return -1;
	}
	snprintf(why, why_size, "%s: no answer from the kernel", what);
	return -1;
}

int
rtnl_link_up(unsigned int ifindex, unsigned int mtu, char *why, size_t why_size)
{
	_Alignas(NLMSG_ALIGNTO) char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	device = ifindex;
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_TXQLEN, 2000);
	return ask(h, "tun device", why, why_size);
}

int
rtnl_link_mtu(unsigned int mtu, char *why, size_t why_size)
{
	_Alignas(NLMSG_ALIGNTO) char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)device;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return ask(h, "MTU of the tun device", why, why_size);
}

int
rtnl_addr_add(uint32_t addr, char *why, size_t why_size)
{
	_Alignas(NLMSG_ALIGNTO) char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifa_family = AF_INET;
	m->ifa_prefixlen = 32;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	m->ifa_index = device;
	mnl_attr_put_u32(h, IFA_LOCAL, addr);
	mnl_attr_put_u32(h, IFA_ADDRESS, addr);
	return ask(h, "tun address", why, why_size);
}

/* ---- routes ---- */

static struct id_link *
link_of(uint32_t id)
{
	return &routes[id].link;
}

static uint64_t
key(uint32_t addr, unsigned int len)
{
	return (uint64_t)len << 32 | addr;
}

/* Whether the kernel must hear of it. */
static bool
is_due(const struct route *r)
{
	return r->state == (r->wanted > 0 ? ROUTE_ABSENT : ROUTE_PRESENT);
}

/* Puts a record where its state says: into the queue, out of it, or away. */
static void
place(uint32_t id)
{
	struct route *r = &routes[id];
	bool due = is_due(r);

	if (due && !r->queued)
		ll_append(&queue, id, link_of);
	if (!due && r->queued)
		ll_remove(&queue, id, link_of);
	r->queued = due;
	if (due || r->wanted > 0)
		return;
	hash_del(&by_prefix, key(r->addr, r->len));
	*r = (struct route){ 0 };
	idset_give(&ids, id);
}

/* The record of a prefix, a new one at need; 0 when there are too many. */
static uint32_t
record_of(uint32_t addr, unsigned int len)
{
	uint32_t id = hash_get(&by_prefix, key(addr, len));

	if (!id)
		id = idset_take(&ids);
	if (!id)
		return 0;
	hash_put(&by_prefix, key(addr, len), id);
	routes[id].addr = addr;
	routes[id].len = (uint8_t)len;
	return id;
}

void
rtnl_route_add(uint32_t addr, unsigned int len)
{
	uint32_t id = record_of(addr, len);

	if (!id) {
		COUNT(netlink_errors);
		plog_limit(LOG_ERROR, "no room for the route %s/%u", ip4_text(addr), len);
		return;
	}
	routes[id].wanted++;
	if (routes[id].state == ROUTE_REFUSED) /* perhaps it is not by now */
		routes[id].state = ROUTE_ABSENT;
	place(id);
}

void
rtnl_route_del(uint32_t addr, unsigned int len)
{
	uint32_t id = hash_get(&by_prefix, key(addr, len));

	if (!id || routes[id].wanted == 0)
		return;
	routes[id].wanted--;
	place(id);
}

/* Writes the message for a route; its length. */
static size_t
put_route(char *buf, const struct change *c)
{
	struct nlmsghdr *h = request(
	    buf, c->add ? RTM_NEWROUTE : RTM_DELROUTE, c->add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = c->len;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_DST, c->addr);
	mnl_attr_put_u32(h, RTA_OIF, device);
	return NLMSG_ALIGN(h->nlmsg_len);
}

/* The first of the queue into a batch, which they stay in until it is sent. Its length. */
static size_t
fill(char *buf)
{
	const struct route *r;
	size_t len = 0;
	uint32_t id;

	n_sent = 0;
	first_sent = sequence + 1;
	for (id = queue.head; id && n_sent < BATCH; id = r->link.next) {
		r = &routes[id];
		sent[n_sent] = (struct change){
			.id = id,
			.addr = r->addr,
			.len = r->len,
			.add = r->wanted > 0,
		};
		len += put_route(buf + len, &sent[n_sent++]);
	}
	return len;
}

/* The batch is the kernel's. What it refused is told next. */
static void
is_sent(void)
{
	unsigned int i;

	for (i = 0; i < n_sent; i++) {
		routes[sent[i].id].state = sent[i].add ? ROUTE_PRESENT : ROUTE_ABSENT;
		place(sent[i].id);
	}
}

static void
refused(const struct change *c, int error)
{
	if (!c->add && error == ESRCH) /* somebody else deleted it */
		return;
	COUNT(netlink_errors);
	if (c->add)
		routes[c->id].state = ROUTE_REFUSED;
	if (c->add && error == EEXIST)
		plog_limit(LOG_ERROR, "route %s/%u is the machine's already: left as it is",
		    ip4_text(c->addr), c->len);
	else
		plog_limit(LOG_ERROR, "the kernel refused to %s the route %s/%u: %s",
		    c->add ? "add" : "delete", ip4_text(c->addr), c->len, strerror(error));
}

static void
read_message(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	uint32_t i;

	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < mnl_nlmsg_size(sizeof(*e)))
		return;
	i = e->msg.nlmsg_seq - first_sent;
	if (i < n_sent && e->error)
		refused(&sent[i], -e->error);
}

/* All there is: nobody but us makes the kernel write. */
static void
read_refusals(void)
{
	_Alignas(NLMSG_ALIGNTO) char buf[16384];
	const struct nlmsghdr *h;
	ssize_t n;
	int left;

	while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0) {
		left = (int)n;
		for (h = (const void *)buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			read_message(h);
	}
	if (n < 0 && errno != EAGAIN) {
		COUNT(netlink_errors);
		plog_limit(LOG_ERROR, "netlink: reading: %s", strerror(errno));
	}
}

void
rtnl_flush(void)
{
	_Alignas(NLMSG_ALIGNTO) char buf[BATCH * ROUTE_SIZE];
	size_t len;

	if (queue.count == 0 || loop_now_ms() < retry_at_ms)
		return;
	len = fill(buf);
	if (mnl_socket_sendto(nl, buf, len) < 0) {
		COUNT(netlink_errors);
		plog_limit(LOG_ERROR, "netlink: sending: %s", strerror(errno));
		retry_at_ms = loop_now_ms() + RETRY_MS;
		timer_set(&wake_timer, RETRY_MS);
		return;
	}
	is_sent();
	read_refusals();
	if (queue.count > 0)
		timer_set(&wake_timer, MS(TIMER_TICK_MS));
}

void
rtnl_settle(void)
{
	while (queue.count > 0 && retry_at_ms == 0)
		rtnl_flush();
}

uint32_t
rtnl_waiting(void)
{
	return queue.count;
}
