/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address, MTU and routes of the tun device by rtnetlink (rtnetlink(7)). Addresses in network
 * order. */
#ifndef RTNL_H
#define RTNL_H

#include "l2tpns.h"

/* Opens the socket. -1 with a reason. Start-up only. */
int rtnl_init(char *why, size_t why_size);
void rtnl_fini(void);

/* Sets the MTU and brings the link up; gives it an address (/32). These wait for the answer. */
int rtnl_link_up(unsigned int ifindex, unsigned int mtu, char *why, size_t why_size);
int rtnl_addr_add(unsigned int ifindex, uint32_t addr, char *why, size_t why_size);

/*
 * Route to a network through the device. The answer comes later: a refusal is logged
 * and counted as netlink_errors, except "exists" and "not there".
 */
void rtnl_route_add(unsigned int ifindex, uint32_t addr, unsigned int len);
void rtnl_route_del(unsigned int ifindex, uint32_t addr, unsigned int len);

#endif
