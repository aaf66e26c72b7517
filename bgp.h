/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BGP speaker (SPEC 14): tells the routes of bgp_route.h to the neighbours of
 * `router bgp`, and installs nothing that it hears.
 */
#ifndef BGP_H
#define BGP_H

#include "bgp_fsm.h"
#include "config.h"

/* Tables, and what happens at a change of the configuration. Start-up only. */
void bgp_init(void);

/* Listens and begins to connect, when `router bgp` is configured. */
void bgp_start(void);

/* The one door: announces all routes to all neighbours, or withdraws them. */
void bgp_serve(bool on);

/* True while a neighbour is Established. */
bool bgp_has_neighbours(void);

/* Whether somebody would hear our routes: a neighbour is Established whom no operator has
 * suspended, or there is no BGP here. */
bool bgp_can_announce(void);

/* True when nothing is left to be told to anybody. */
bool bgp_quiet(void);

/* Says good-bye (Cease, Administrative Shutdown) and closes all. */
void bgp_fini(void);

/* Hook turn end: neighbours learn of the turn's changes. */
void bgp_turn_end(void);

/*
 * Operators: `suspend bgp`, `no suspend bgp`, `restart bgp`, for all ("") or one. False
 * with the reason in `why`, or with a remark on success.
 */
bool bgp_suspend(const char *peer, bool on, char *why, size_t size);
bool bgp_restart(const char *peer, char *why, size_t size);

/* Our identifier, network order; 0: BGP is not at work. May be called by a CLI child. */
uint32_t bgp_router_id(void);

/* What there is to be seen of a neighbour. */
struct bgp_view {
	char name[HOSTNAME_LEN];
	char address[64];	      /* "-": not known yet */
	char error[320];	      /* the last NOTIFICATION or failure in words; "": none */
	uint32_t as, id;	      /* id: his, network order; 0: not known */
	uint8_t state;		      /* enum bgp_state */
	bool suspended;		      /* by an operator */
	bool announced;		      /* he has our routes, or is getting them */
	bool pending;		      /* something waits to be told to him */
	bool ip6;		      /* IPv6 unicast is agreed upon */
	unsigned int retries;	      /* failures in a row; 0 while Established */
	unsigned int keepalive, hold; /* s: agreed upon, else as configured */
	uint64_t retry_at_ms;	      /* loop clock; 0: no attempt is due */
	uint64_t since_ms; /* loop clock of the last change to or from Established; 0: never */
	uint64_t sent, withdrawn, updates,
	    heard;    /* routes told and taken back, UPDATEs sent, received */
	uint64_t ups; /* times it was Established */
};

/* Neighbour number 0 .. CONF_PEERS - 1; false: there is none. For CLI children. */
bool bgp_view(unsigned int i, struct bgp_view *v);

#endif
