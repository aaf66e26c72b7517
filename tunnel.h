/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel table: who the peers are. The reliable channel of each is l2tp_chan.c's
 * and lies in private memory; what people want to see of it is copied here.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "l2tpns.h"
#include "ll.h"
#include "log.h"

enum tunnel_state { TUNNEL_FREE, TUNNEL_OPEN, TUNNEL_DIEING, TUNNEL_OPENING, TUNNEL_STATES };

struct tunnel {
	uint32_t seq;		 /* odd while being written */
	struct id_link link;	 /* in the list of half-open or of dieing ones */
	struct id_list sessions; /* through session.c */
	uint8_t state;		 /* enum tunnel_state */
	uint8_t local;		 /* local address, see udp.h */
	uint8_t sequencing;
	uint8_t hides;		     /* the peer hides AVPs: so do we */
	uint16_t wire_tid, peer_tid; /* our id and the LAC's, host order */
	uint32_t peer_ip;	     /* network order */
	uint16_t peer_port;	     /* host order */
	uint16_t peer_window;	     /* what the peer can take */
	uint32_t peer_framing;
	int64_t opened; /* wall clock, seconds */
	char hostname[HOSTNAME_LEN], vendor[HOSTNAME_LEN];
	/* of the control channel, for show */
	uint16_t ns, nr;
	uint32_t queued;
	uint32_t last_packet; /* 0.1 s of the loop clock */
};

void tunnel_init(uint32_t max_tunnels);

/* A new tunnel, TUNNEL_OPENING, with an unpredictable wire id; 0 when the table is full (counted).
 */
tunn_id tunnel_new(uint32_t peer_ip, uint16_t peer_port, uint16_t peer_tid, uint8_t local);

/* Gives it back. It must have no sessions. */
void tunnel_free(tunn_id id);

/*
 * For repl_state.c: puts what a record of the master's says of a tunnel in the place of that id,
 * which is free or has this very one. Lists, sessions and times are this table's own. -1: there is
 * no such place, or another tunnel has its wire id.
 */
int tunnel_place(tunn_id id, const struct tunnel *from);

/* A place that is free; 0: none is. */
tunn_id tunnel_free_place(void);

const struct tunnel *tunnel_get(tunn_id id);
tunn_id tunnel_id(const struct tunnel *t);

/* The tunnel a packet's header names; 0 when none. */
tunn_id tunnel_by_wire(uint16_t wire_tid);

/* The tunnel that an SCCRQ of this address, port and Assigned Tunnel ID made; 0 when it is a new
 * one. */
tunn_id tunnel_by_peer(uint32_t peer_ip, uint16_t peer_port, uint16_t peer_tid);

/* Half-open tunnels: how many, and the oldest. */
uint32_t tunnel_half_open(void);
tunn_id tunnel_oldest_half_open(void);

/* The tunnel that has been dieing longest; 0: none. */
tunn_id tunnel_oldest_dieing(void);

uint32_t tunnel_count(void);
tunn_id tunnel_highest(void);

#define FOR_EACH_TUNNEL(id)                                                                        \
	for (tunn_id id = 1, last_ = tunnel_highest(); id <= last_; id++)                          \
		if (tunnel_get(id))

bool tunnel_snapshot(tunn_id id, struct tunnel *copy);

/* Setters. All but the last mark the tunnel as changed (change.h). */
void tunnel_set_state(tunn_id id, enum tunnel_state state);
void tunnel_set_peer(
    tunn_id id, const char *hostname, const char *vendor, uint16_t window, uint32_t framing);
void tunnel_set_address(tunn_id id, uint32_t peer_ip, uint16_t peer_port);
void tunnel_set_hides(tunn_id id);
void tunnel_set_channel(tunn_id id, uint16_t ns, uint16_t nr, uint32_t queued);
void tunnel_seen(tunn_id id);

/* For session.c: the tunnel's list of sessions. */
struct id_list *tunnel_sessions(tunn_id id);

extern const char *const tunnel_state_names[];

#define tlog(t, level, ...)                                                                        \
	do {                                                                                       \
		if (log_on(level))                                                                 \
			log_write((level), 0, tunnel_id(t), __VA_ARGS__);                          \
	} while (0)
#define tlog_limit(t, level, ...) log_limited(level, 0, tunnel_id(t), __VA_ARGS__)

#endif
