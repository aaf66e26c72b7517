/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink by libmnl. At start-up a request waits for its answer; later ones are sent
 * and their acknowledgements read when the loop finds the socket readable, so that a
 * login never waits for the kernel's tables.
 */
#include "rtnl.h"
#include "counter.h"
#include "log.h"
#include "loop.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REQUEST_SIZE = 256, SOCKET_BUFFER = 4 << 20 };

static struct mnl_socket *nl;
static uint32_t sequence;

static int
on_ack(const struct nlmsghdr *h, void *data)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	(void)data;
	if (h->nlmsg_len < mnl_nlmsg_size(sizeof(*e)) || e->error == 0)
		return MNL_CB_OK;
	if (e->error == -EEXIST || e->error == -ESRCH)
		return MNL_CB_OK;
	COUNT(netlink_errors);
	plog_limit(LOG_ERROR, "the kernel refused a route change: %s", strerror(-e->error));
	return MNL_CB_OK;
}

static mnl_cb_t control_cbs[NLMSG_MIN_TYPE] = { [NLMSG_ERROR] = on_ack };

static void
on_readable(int fd, void *arg)
{
	char buf[16384];
	ssize_t n;

	(void)fd;
	(void)arg;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n > 0)
		mnl_cb_run2(buf, (size_t)n, 0, 0, NULL, NULL, control_cbs, ARRAY_LEN(control_cbs));
	else if (n < 0 && errno == ENOBUFS)
		COUNT(netlink_errors);
}

int
rtnl_init(char *why, size_t why_size)
{
	int size = SOCKET_BUFFER;

	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    loop_add(mnl_socket_get_fd(nl), on_readable, NULL) < 0) {
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
	loop_del(mnl_socket_get_fd(nl));
	mnl_socket_close(nl);
	nl = NULL;
}

static struct nlmsghdr *
request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++sequence;
	return h;
}

/* Start-up: sends and reads the acknowledgement, which rtnetlink writes before send returns. */
static int
ask(const struct nlmsghdr *h, const char *what, char *why, size_t why_size)
{
	char buf[4096];
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
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)ifindex;
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_TXQLEN, 2000);
	return ask(h, "tun device", why, why_size);
}

int
rtnl_addr_add(unsigned int ifindex, uint32_t addr, char *why, size_t why_size)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifa_family = AF_INET;
	m->ifa_prefixlen = 32;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	m->ifa_index = ifindex;
	mnl_attr_put_u32(h, IFA_LOCAL, addr);
	mnl_attr_put_u32(h, IFA_ADDRESS, addr);
	return ask(h, "tun address", why, why_size);
}

static void
route(uint16_t type, uint16_t flags, unsigned int ifindex, uint32_t addr, unsigned int len)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, type, flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = (unsigned char)len;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_DST, addr);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0) {
		COUNT(netlink_errors);
		plog_limit(LOG_ERROR, "netlink: %s", strerror(errno));
	}
}

void
rtnl_route_add(unsigned int ifindex, uint32_t addr, unsigned int len)
{
	route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, ifindex, addr, len);
}

void
rtnl_route_del(unsigned int ifindex, uint32_t addr, unsigned int len)
{
	route(RTM_DELROUTE, 0, ifindex, addr, len);
}
