/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who we are to BGP neighbours: AS, identifier, source address. */
#ifndef BGP_SELF_H
#define BGP_SELF_H

#include "bgp_tcp.h"

/* BGP begins to run under an AS, and chooses an identifier; 0: it ends. */
void bgp_self_begin(uint32_t as);

/* 0: not at work. The identifier is bgp_router_id(). */
uint32_t bgp_self_as(void);

/*
 * Whether there is an identifier. `known`: a neighbour has heard it, so it stays. But one
 * that is none, or is shared with others, was chosen when the machine had no address yet:
 * perhaps it has now.
 */
bool bgp_self_has_id(bool known);

/*
 * Where to connect from; false: the kernel may choose. That is update-source, "" when
 * there is none; or an address beside the kernel's choice where that is shared.
 */
bool bgp_self_source(const char *update_source, const union bgp_addr *to, union bgp_addr *source);

/* The next hop to us for IPv4, when our end of the connection is this. */
uint32_t bgp_self_next_hop(const union bgp_addr *own);

#endif
