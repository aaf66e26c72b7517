/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The automaton of a BGP connection (RFC 4271 8) as a table, without connections: what is
 * to be done at an event in a state, and the state behind it.
 */
#ifndef BGP_FSM_H
#define BGP_FSM_H

#include "l2tpns.h"

/* In the RFC's order (8.2.2). */
enum bgp_state {
	BGP_IDLE,
	BGP_CONNECT,
	BGP_ACTIVE,
	BGP_OPEN_SENT,
	BGP_OPEN_CONFIRM,
	BGP_ESTABLISHED,
	BGP_STATES
};

/* In the RFC's order; its number of each in the comment (8.1). */
enum bgp_event {
	BGP_EV_START,		  /* 1 */
	BGP_EV_STOP,		  /* 2, 8 */
	BGP_EV_START_PASSIVE,	  /* 4 */
	BGP_EV_RETRY_EXPIRES,	  /* 9 */
	BGP_EV_HOLD_EXPIRES,	  /* 10 */
	BGP_EV_KEEPALIVE_EXPIRES, /* 11 */
	BGP_EV_IDLE_HOLD_EXPIRES, /* 13 */
	BGP_EV_TCP_UP,		  /* 16, 17 */
	BGP_EV_TCP_FAILS,	  /* 18 */
	BGP_EV_OPEN,		  /* 19 */
	BGP_EV_HEADER_ERROR,	  /* 21 */
	BGP_EV_OPEN_ERROR,	  /* 22 */
	BGP_EV_COLLISION,	  /* 23 */
	BGP_EV_NOTIFICATION,	  /* 24, 25 */
	BGP_EV_KEEPALIVE,	  /* 26 */
	BGP_EV_UPDATE,		  /* 27 */
	BGP_EV_UPDATE_ERROR,	  /* 28 */
	BGP_EV_REFRESH,		  /* RFC 2918 */
	BGP_EVENTS
};

/* What is to be done, in this order. */
enum {
	BGP_DO_NOTIFY = 1 << 0,	     /* send the NOTIFICATION that the event brings */
	BGP_DO_NOTIFY_FSM = 1 << 1,  /* send Finite State Machine Error */
	BGP_DO_DOWN = 1 << 2,	     /* was Established: forget what he has been told */
	BGP_DO_DROP = 1 << 3,	     /* close TCP; stop the timers of the connection */
	BGP_DO_COUNT = 1 << 4,	     /* ConnectRetryCounter + 1 */
	BGP_DO_ZERO = 1 << 5,	     /* ConnectRetryCounter = 0 */
	BGP_DO_RETRY = 1 << 6,	     /* start ConnectRetryTimer */
	BGP_DO_RETRY_STOP = 1 << 7,  /* stop it */
	BGP_DO_IDLE_HOLD = 1 << 8,   /* start IdleHoldTimer, longer after each failure */
	BGP_DO_CONNECT = 1 << 9,     /* begin to connect */
	BGP_DO_OPEN = 1 << 10,	     /* send OPEN */
	BGP_DO_HOLD_LARGE = 1 << 11, /* HoldTimer for the OPEN of the other side */
	BGP_DO_KEEPALIVE = 1 << 12,  /* send KEEPALIVE, start KeepaliveTimer */
	BGP_DO_HOLD = 1 << 13,	     /* HoldTimer anew */
	BGP_DO_UP = 1 << 14,	     /* now Established: tell all there is */
	BGP_DO_RESEND = 1 << 15,     /* tell a family's routes again */
};

struct bgp_step {
	uint32_t actions;
	uint8_t next; /* enum bgp_state */
};

extern const char *const bgp_state_names[BGP_STATES], *const bgp_event_names[BGP_EVENTS];

struct bgp_step bgp_fsm(enum bgp_state state, enum bgp_event ev);

#endif
