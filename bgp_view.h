/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bgp.h lets CLI children see, written by the parent. */
#ifndef BGP_VIEW_H
#define BGP_VIEW_H

#include "bgp.h"

struct bgp_peer;

/* Before everything else of BGP. */
void bgp_view_init(void);

/* Our identifier, network order; 0: none. */
void bgp_view_set_id(uint32_t router_id);

/* A neighbour as he is now. */
void bgp_view_publish(struct bgp_peer *p);

#endif
