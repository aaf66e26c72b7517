/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UPDATE of BGP (RFC 4271 4.3): whether one that came is well formed, and those that we send.
 * Checked reads and writes only, no state.
 */
#ifndef BGPUPDATE_H
#define BGPUPDATE_H

#include "bgpmsg.h"

#include <netinet/in.h>

enum { BGP_COMMUNITIES = 64 };

struct bgp_prefix {
	uint8_t afi;	  /* enum bgp_afi */
	uint8_t len;	  /* bits */
	uint8_t addr[16]; /* network order; IPv4 in the first four; the bits behind `len` are 0 */
};

/* What goes with a route; the same for all routes to one neighbour. */
struct bgp_attrs {
	uint32_t as; /* ours */
	bool ibgp;   /* the neighbour is of our AS */
	bool as4;    /* he knows four-octet numbers */
	uint32_t med;
	unsigned int n_communities;
	uint32_t communities[BGP_COMMUNITIES];
	uint32_t next_hop; /* network order */
	struct in6_addr next_hop6;
};

/*
 * An UPDATE's form: 0 good, 1 its routes count as withdrawn (RFC 7606), -1 the
 * connection ends with `e`. `as4`: AS numbers have four octets.
 */
int bgp_check_update(struct rd r, bool as4, bool ibgp, struct bgp_error *e);

/* An UPDATE under way: routes of one family, all announced or all withdrawn. */
struct bgp_batch {
	struct wr w;
	enum bgp_afi afi;
	bool withdraw;
	size_t list; /* where the length in front of the routes stands */
	size_t attrs;
	size_t tail_len;
	uint8_t tail[64 + 4 * BGP_COMMUNITIES]; /* attributes behind MP_REACH_NLRI */
};

/* `a` is NULL to withdraw. */
void bgp_batch_begin(struct bgp_batch *b, uint8_t *buf, enum bgp_afi afi, const struct bgp_attrs *a)
    BGP_BUF(2);

/* False: it is full. */
bool bgp_batch_add(struct bgp_batch *b, const struct bgp_prefix *p);
size_t bgp_batch_end(struct bgp_batch *b);

/* A whole one (RFC 4724 2); the octets written. */
size_t bgp_put_end_of_rib(uint8_t *buf, enum bgp_afi afi) BGP_BUF(1);

#endif
