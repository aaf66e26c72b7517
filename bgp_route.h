/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The routes we announce, the same to all BGP neighbours, and how far each neighbour
 * has been told. Adding and removing cost the same whatever the number of routes, and
 * a neighbour that reads slowly costs no memory.
 */
#ifndef BGP_ROUTE_H
#define BGP_ROUTE_H

#include "bgpupdate.h"

enum { BGP_READERS = 64 };

/* Room for so many routes. Start-up only. */
void bgp_route_init(uint32_t routes);

/*
 * One more, or one less, wants it announced. A network that is `whole` (a pool's, an
 * address of ours) covers those inside it: they are not announced beside it.
 */
void bgp_route_add(const struct bgp_prefix *p, bool whole);
void bgp_route_del(const struct bgp_prefix *p, bool whole);

/* The same in IPv4, address in network order. */
void bgp_route_add4(uint32_t addr, unsigned int len, bool whole);
void bgp_route_del4(uint32_t addr, unsigned int len, bool whole);

/*
 * When a network that is whole has gone: some of what it no longer covers comes out. True
 * while there is more to look at. To be called each turn.
 */
bool bgp_route_uncover(void);

/* Routes that are announced now. */
uint32_t bgp_route_count(enum bgp_afi afi);

/* A number that changes with the routes. */
uint64_t bgp_route_changes(void);

/*
 * Reader number 0..BGP_READERS - 1 begins: all routes lie before him. Or begins again,
 * while what was withdrawn meanwhile waits for him all the same. Or ends.
 */
void bgp_reader_start(unsigned int reader, enum bgp_afi afi);
void bgp_reader_again(unsigned int reader, enum bgp_afi afi);
void bgp_reader_stop(unsigned int reader, enum bgp_afi afi);

/* The next that was withdrawn, or that is announced; peek looks, take goes on. False: he is at the
 * end. */
enum bgp_list { BGP_WITHDRAWN, BGP_ANNOUNCED, BGP_LISTS };
bool bgp_reader_peek(
    unsigned int reader, enum bgp_afi afi, enum bgp_list list, struct bgp_prefix *p);
void bgp_reader_take(unsigned int reader, enum bgp_afi afi, enum bgp_list list);

/* Called when there is no room, with the reader who holds back most; he must stop. */
void bgp_route_on_full(void (*fn)(unsigned int reader));

#endif
