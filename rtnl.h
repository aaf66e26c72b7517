/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address, MTU and routes of the tun device by rtnetlink (rtnetlink(7)). Addresses in
 * network order.
 */
#ifndef RTNL_H
#define RTNL_H

#include "l2tpns.h"

/* Room for `routes` routes. Start-up only. */
void rtnl_init(uint32_t routes);

/* Opens the socket. -1 with a reason. Start-up only. */
int rtnl_open(char *why, size_t why_size);
void rtnl_fini(void);

/*
 * Sets the MTU and brings the link up: it is the one that all that follows is about.
 * Gives it an address (/32). Changes its MTU later. These wait for the answer.
 */
int rtnl_link_up(unsigned int ifindex, unsigned int mtu, char *why, size_t why_size);
int rtnl_addr_add(uint32_t addr, char *why, size_t why_size);
int rtnl_link_mtu(unsigned int mtu, char *why, size_t why_size);

/*
 * A route to a network through the device is wanted by one more, or one less. The kernel
 * hears of it by rtnl_flush(). One that it refuses, as it has such a route not from us,
 * is logged and counted as netlink_errors; the next who wants it makes us ask again.
 */
void rtnl_route_add(uint32_t addr, unsigned int len);
void rtnl_route_del(uint32_t addr, unsigned int len);

/* Hook turn end: sends some of what waits. */
void rtnl_flush(void);

/* Start-up: sends all of it. */
void rtnl_settle(void);

/* Route changes that wait. */
uint32_t rtnl_waiting(void);

#endif
