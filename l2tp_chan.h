/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reliable control channel of a tunnel (RFC 2661 5.8): numbers, windows, slow
 * start, retransmission, acknowledgements, messages out of order. What the messages
 * say is l2tp.c's.
 */
#ifndef L2TP_CHAN_H
#define L2TP_CHAN_H

#include "l2tp_hdr.h"
#include "l2tpns.h"

struct chan_events {
	/* The next message in order: session id of its header, cursor over its AVPs. */
	void (*message)(tunn_id t, uint16_t wire_sid, struct rd avps);
	/* The peer has not acknowledged after the last retransmission. */
	void (*dead)(tunn_id t);
	/* All that was sent has been acknowledged. */
	void (*drained)(tunn_id t);
};

/* Tables for max_tunnels, and messages for so many sessions. Start-up only. */
void l2tp_chan_init(uint32_t max_tunnels, uint32_t max_sessions, const struct chan_events *events);

/* A channel at its beginning; and its end: forgets everything queued. */
void l2tp_chan_open(tunn_id t);
void l2tp_chan_close(tunn_id t);

/*
 * Queues a message made by ctl_end(); it is sent as the window allows. -1: no memory, counted.
 * On a closed channel it is forgotten.
 */
int l2tp_chan_send(tunn_id t, const void *msg, size_t len);

enum chan_verdict {
	CHAN_IN_WINDOW, /* a message, new or early, whose numbers fit */
	CHAN_ACK,	/* no message, or one seen before */
	CHAN_OUTSIDE,	/* numbers that cannot be: dropped */
};

/* What input would make of a packet, without any effect. */
enum chan_verdict l2tp_chan_judge(tunn_id t, const struct l2tp_hdr *h, bool empty);

/* A control packet of this tunnel: takes the acknowledgement, delivers what is in order. */
void l2tp_chan_input(tunn_id t, const struct l2tp_hdr *h, struct rd avps);

/*
 * The cluster. The numbers of a channel as others must know them, and the messages that wait in its
 * queue: each at or behind *ns, which moves on, and those that were not told yet. `data` is good
 * until the channel is touched.
 */
struct chan_state {
	uint16_t ns, nr, acked, high;
	bool open;
};

void l2tp_chan_export(tunn_id t, struct chan_state *st);
bool l2tp_chan_message(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len);
bool l2tp_chan_untold(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len);

/* A passive channel sends and hears nothing: it keeps what a new master will need. -1: no room. */
void l2tp_chan_install(tunn_id t, const struct chan_state *st);
int l2tp_chan_keep(tunn_id t, uint16_t ns, const uint8_t *data, uint16_t len);

/*
 * There may be another master, which takes part of a peer's messages and answers them: from here on
 * every channel can be behind, at any time. False: not so any more.
 */
void l2tp_chan_doubt(bool yes);

/*
 * It goes on: sends its queue again, and takes over from the peer's first packet what the record
 * had not told. And it is passive once more.
 */
void l2tp_chan_adopt(tunn_id t);
void l2tp_chan_yield(tunn_id t);

/* Nothing is waiting to be sent or acknowledged. */
bool l2tp_chan_idle(tunn_id t);

/* The same, and nothing of the peer's is missing. */
bool l2tp_chan_settled(tunn_id t);

/* Turn end: acknowledgements that no message carried leave as ZLBs. */
void l2tp_chan_flush(void);

#endif
