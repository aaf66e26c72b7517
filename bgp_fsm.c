/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 4271 8.2.2, to be laid beside it: a row an event, a column a state. Of the options
 * DampPeerOscillations is on (IdleHoldTimer), DelayOpen off, and each of the two
 * connections a neighbour may have is an automaton of its own (8.2.1): the one we open
 * begins with START, the one he opens with START_PASSIVE.
 *
 * A cell that is not named is of no consequence in Idle, Connect and Active, where there
 * is no connection to complain on; elsewhere it is a Finite State Machine Error (6.6).
 * Where we leave the RFC: a NOTIFICATION is never answered by another (it has so in
 * OpenSent), since 6 says that none is to be.
 */
#include "bgp_fsm.h"

#define NO_WAY	     (BGP_DO_DROP | BGP_DO_COUNT | BGP_DO_RETRY_STOP | BGP_DO_IDLE_HOLD)
#define TELL_AND_END (BGP_DO_NOTIFY | NO_WAY)
#define STOPPED	     (BGP_DO_DROP | BGP_DO_ZERO | BGP_DO_RETRY_STOP)
#define GIVES_WAY    (BGP_DO_DROP | BGP_DO_RETRY_STOP)
#define GREET	     (BGP_DO_RETRY_STOP | BGP_DO_OPEN | BGP_DO_HOLD_LARGE)
#define TRY	     (BGP_DO_RETRY | BGP_DO_CONNECT)
#define IS_DOWN	     BGP_DO_DOWN

#define STEP(actions, next)                                                                        \
	{                                                                                          \
		actions, next, true                                                                \
	}

struct cell {
	uint32_t actions;
	uint8_t next;
	bool named;
};

const char *const bgp_state_names[BGP_STATES] = {
	[BGP_IDLE] = "Idle",
	[BGP_CONNECT] = "Connect",
	[BGP_ACTIVE] = "Active",
	[BGP_OPEN_SENT] = "OpenSent",
	[BGP_OPEN_CONFIRM] = "OpenConfirm",
	[BGP_ESTABLISHED] = "Established",
};

const char *const bgp_event_names[BGP_EVENTS] = {
	[BGP_EV_START] = "start",
	[BGP_EV_STOP] = "stop",
	[BGP_EV_START_PASSIVE] = "passive start",
	[BGP_EV_RETRY_EXPIRES] = "connect retry",
	[BGP_EV_HOLD_EXPIRES] = "hold time expired",
	[BGP_EV_KEEPALIVE_EXPIRES] = "keepalive time",
	[BGP_EV_IDLE_HOLD_EXPIRES] = "idle hold over",
	[BGP_EV_TCP_UP] = "connected",
	[BGP_EV_TCP_FAILS] = "connection lost",
	[BGP_EV_OPEN] = "OPEN",
	[BGP_EV_HEADER_ERROR] = "bad header",
	[BGP_EV_OPEN_ERROR] = "bad OPEN",
	[BGP_EV_COLLISION] = "collision",
	[BGP_EV_NOTIFICATION] = "NOTIFICATION",
	[BGP_EV_KEEPALIVE] = "KEEPALIVE",
	[BGP_EV_UPDATE] = "UPDATE",
	[BGP_EV_UPDATE_ERROR] = "bad UPDATE",
	[BGP_EV_REFRESH] = "ROUTE-REFRESH",
};

/* clang-format off */
static const struct cell table[BGP_EVENTS][BGP_STATES] = {
	[BGP_EV_START] = {
		[BGP_IDLE]         = STEP(BGP_DO_ZERO | TRY, BGP_CONNECT),
		[BGP_CONNECT]      = STEP(0, BGP_CONNECT),
		[BGP_ACTIVE]       = STEP(0, BGP_ACTIVE),
		[BGP_OPEN_SENT]    = STEP(0, BGP_OPEN_SENT),
		[BGP_OPEN_CONFIRM] = STEP(0, BGP_OPEN_CONFIRM),
		[BGP_ESTABLISHED]  = STEP(0, BGP_ESTABLISHED),
	},
	[BGP_EV_STOP] = {
		[BGP_IDLE]         = STEP(STOPPED, BGP_IDLE),
		[BGP_CONNECT]      = STEP(STOPPED, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(STOPPED, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(BGP_DO_NOTIFY | STOPPED, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(BGP_DO_NOTIFY | STOPPED, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_NOTIFY | IS_DOWN | STOPPED, BGP_IDLE),
	},
	[BGP_EV_START_PASSIVE] = {
		[BGP_IDLE]         = STEP(0, BGP_ACTIVE),
		[BGP_CONNECT]      = STEP(0, BGP_CONNECT),
		[BGP_ACTIVE]       = STEP(0, BGP_ACTIVE),
		[BGP_OPEN_SENT]    = STEP(0, BGP_OPEN_SENT),
		[BGP_OPEN_CONFIRM] = STEP(0, BGP_OPEN_CONFIRM),
		[BGP_ESTABLISHED]  = STEP(0, BGP_ESTABLISHED),
	},
	[BGP_EV_RETRY_EXPIRES] = {
		[BGP_CONNECT]      = STEP(BGP_DO_DROP | TRY, BGP_CONNECT),
		[BGP_ACTIVE]       = STEP(TRY, BGP_CONNECT),
	},
	[BGP_EV_HOLD_EXPIRES] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(TELL_AND_END, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(TELL_AND_END, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(IS_DOWN | TELL_AND_END, BGP_IDLE),
	},
	[BGP_EV_KEEPALIVE_EXPIRES] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(BGP_DO_KEEPALIVE, BGP_OPEN_CONFIRM),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_KEEPALIVE, BGP_ESTABLISHED),
	},
	[BGP_EV_IDLE_HOLD_EXPIRES] = {
		[BGP_IDLE]         = STEP(TRY, BGP_CONNECT),
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
	},
	[BGP_EV_TCP_UP] = {
		[BGP_CONNECT]      = STEP(GREET, BGP_OPEN_SENT),
		[BGP_ACTIVE]       = STEP(GREET, BGP_OPEN_SENT),
	},
	[BGP_EV_TCP_FAILS] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(BGP_DO_DROP | BGP_DO_COUNT | BGP_DO_RETRY, BGP_ACTIVE),
		[BGP_OPEN_CONFIRM] = STEP(NO_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(IS_DOWN | NO_WAY, BGP_IDLE),
	},
	[BGP_EV_OPEN] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(BGP_DO_RETRY_STOP | BGP_DO_KEEPALIVE | BGP_DO_HOLD,
		                          BGP_OPEN_CONFIRM),
	},
	[BGP_EV_HEADER_ERROR] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(TELL_AND_END, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(TELL_AND_END, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(IS_DOWN | TELL_AND_END, BGP_IDLE),
	},
	[BGP_EV_OPEN_ERROR] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(TELL_AND_END, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(TELL_AND_END, BGP_IDLE),
	},
	[BGP_EV_COLLISION] = {
		[BGP_IDLE]         = STEP(BGP_DO_RETRY_STOP, BGP_IDLE),
		[BGP_CONNECT]      = STEP(GIVES_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(GIVES_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(BGP_DO_NOTIFY | GIVES_WAY, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(BGP_DO_NOTIFY | GIVES_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_NOTIFY | IS_DOWN | GIVES_WAY, BGP_IDLE),
	},
	[BGP_EV_NOTIFICATION] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_SENT]    = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(NO_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(IS_DOWN | NO_WAY, BGP_IDLE),
	},
	[BGP_EV_KEEPALIVE] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_OPEN_CONFIRM] = STEP(BGP_DO_HOLD | BGP_DO_UP, BGP_ESTABLISHED),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_HOLD, BGP_ESTABLISHED),
	},
	[BGP_EV_UPDATE] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_HOLD, BGP_ESTABLISHED),
	},
	[BGP_EV_UPDATE_ERROR] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(IS_DOWN | TELL_AND_END, BGP_IDLE),
	},
	[BGP_EV_REFRESH] = {
		[BGP_CONNECT]      = STEP(NO_WAY, BGP_IDLE),
		[BGP_ACTIVE]       = STEP(NO_WAY, BGP_IDLE),
		[BGP_ESTABLISHED]  = STEP(BGP_DO_HOLD | BGP_DO_RESEND, BGP_ESTABLISHED),
	},
};
/* clang-format on */

struct bgp_step
bgp_fsm(enum bgp_state state, enum bgp_event ev)
{
	const struct cell *c = &table[ev][state];
	struct bgp_step refused = { BGP_DO_NOTIFY_FSM | NO_WAY, BGP_IDLE };

	if (c->named)
		return (struct bgp_step){ c->actions, c->next };
	if (state < BGP_OPEN_SENT)
		return (struct bgp_step){ 0, (uint8_t)state };
	if (state == BGP_ESTABLISHED)
		refused.actions |= IS_DOWN;
	return refused;
}
