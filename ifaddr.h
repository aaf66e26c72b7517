/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's own IPv4 addresses, asked from the kernel: at start and in children. */
#ifndef IFADDR_H
#define IFADDR_H

#include "l2tpns.h"

#include <netinet/in.h>

/*
 * The first address of an interface (NULL: of any but loopback) that `is_shared` (NULL: none
 * are) does not refuse, network order; 0: there is none.
 */
uint32_t ifaddr_first(const char *interface, bool (*is_shared)(uint32_t addr));

/* The first other address of the interface that has `addr` too, with the same conditions. */
uint32_t ifaddr_beside(uint32_t addr, bool (*is_shared)(uint32_t addr));

/* The first of the interface that has an IPv6 address. */
uint32_t ifaddr_beside6(const struct in6_addr *addr, bool (*is_shared)(uint32_t addr));

/* An Ethernet interface that carries the address: its index and hardware address. False: none. */
bool ifaddr_ethernet(uint32_t addr, int *ifindex, uint8_t mac[6]);

#endif
