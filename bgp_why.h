/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a BGP neighbour is not Established, in words: for `show bgp`, and for the log - once, and
 * each hour as long as it stays the same. For the files bgp*.c.
 */
#ifndef BGP_WHY_H
#define BGP_WHY_H

#include "bgp_peer.h"

/* A NOTIFICATION of ours, which is p->error, on that connection; and one of his. */
void bgp_why_sent(struct bgp_peer *p, const struct bgp_conn *c);
void bgp_why_received(struct bgp_peer *p, int which, const struct bgp_error *e);

/* A connection fails; and ours gets no answer at all. */
void bgp_why_failed(struct bgp_peer *p, int which, const char *why);
void bgp_why_silent(struct bgp_peer *p);

#endif
