/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one BGP neighbour is told: which routes with which attributes, and the UPDATEs that
 * come next. Knows the routes (bgp_route.h), not the connection.
 */
#ifndef BGP_TELL_H
#define BGP_TELL_H

#include "bgp_route.h"
#include "config.h"

struct bgp_tell {
	unsigned int reader;	   /* his number in bgp_route.h */
	bool speaks[BGP_AFIS];	   /* both sides do */
	uint8_t mode[BGP_AFIS];	   /* enum mode of bgp_tell.c */
	bool end_of_rib[BGP_AFIS]; /* to be sent yet */
	struct bgp_attrs attrs;
	uint64_t sent, withdrawn, updates; /* routes, routes, messages: on this connection */
};

/*
 * MED, communities and next hops as configured; otherwise `next_hop` for IPv4, and for IPv6
 * our end of the connection, `own`, if it is an IPv6 address.
 */
void bgp_tell_attrs(
    struct bgp_attrs *a, const struct conf_peer *c, const struct sockaddr *own, uint32_t next_hop);

/* A connection begins: his OPEN says which families, and whether he knows End-of-RIB. */
void bgp_tell_begin(struct bgp_tell *t, const struct bgp_open *his);
void bgp_tell_end(struct bgp_tell *t);

/* All routes are announced to him from now on, or all are withdrawn. */
void bgp_tell_set(struct bgp_tell *t, bool announce);

/* What he has been told is told again, of one family. */
void bgp_tell_again(struct bgp_tell *t, enum bgp_afi afi);

/* Whether he has our routes or is getting them; whether something is to be told to him. */
bool bgp_tell_announces(const struct bgp_tell *t);
bool bgp_tell_waits(const struct bgp_tell *t);

/* The next message, into a buffer of BGP_MAX; its length, 0: there is none. */
size_t bgp_tell_next(struct bgp_tell *t, uint8_t *buf);

#endif
