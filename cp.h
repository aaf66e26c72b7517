/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option negotiation automaton of RFC 1661 4, for LCP and the NCPs. A protocol
 * is a const table of callbacks; its state per session is a struct cp.
 */
#ifndef CP_H
#define CP_H

#include "cpopt.h"
#include "session.h"
#include "timer.h"

/* In the RFC's order and with its numbers (4.2). */
enum cp_state {
	CP_INITIAL,
	CP_STARTING,
	CP_CLOSED,
	CP_STOPPED,
	CP_CLOSING,
	CP_STOPPING,
	CP_REQ_SENT,
	CP_ACK_RCVD,
	CP_ACK_SENT,
	CP_OPENED,
	CP_STATES
};

/* RFC 1661 4.3. */
enum cp_event {
	CP_UP,
	CP_DOWN,
	CP_OPEN,
	CP_CLOSE,
	CP_TO_MORE, /* TO+: restart counter above zero */
	CP_TO_LAST, /* TO- */
	CP_RCR_GOOD,
	CP_RCR_BAD,
	CP_RCA,
	CP_RCN,
	CP_RTR,
	CP_RTA,
	CP_RUC,
	CP_RXJ_GOOD,
	CP_RXJ_BAD,
	CP_RXR,
	CP_EVENTS
};

struct cp {
	struct timer restart;
	uint8_t state;	  /* enum cp_state */
	uint8_t id;	  /* of the last Configure-Request sent: its answers carry it */
	uint8_t last_id;  /* of the last packet sent of our own accord */
	uint8_t tries;	  /* restart counter */
	uint8_t failures; /* Configure-Naks sent without coming together */
	bool ask_first;	  /* the answer to our request may be lost: ask again before we answer */
};

struct cp_proto {
	const char *name;
	uint16_t protocol; /* enum ppp_protocol */
	enum sess_cp slot; /* where its state is shown */
	struct cp *(*cp)(sess_id s);
	timer_fn timeout; /* calls cp_timeout() */
	/* Our Configure-Request's options, the same each time until something is refused. */
	void (*put_options)(sess_id s, struct wr *w);
	/* The peer's Configure-Request: begins; each option; ends (may ask for missing ones). */
	void (*begin)(sess_id s);
	enum cp_code (*option)(sess_id s, const struct cp_opt *o, struct wr *nak);
	void (*missing)(sess_id s, struct wr *nak);
	/* An option of ours was refused: another value is wanted, or the option is not. */
	void (*nakked)(sess_id s, const struct cp_opt *o);
	void (*rejected)(sess_id s, const struct cp_opt *o);
	/* This-Layer-Up, -Down, -Finished. */
	void (*up)(sess_id s);
	void (*down)(sess_id s);
	void (*finished)(sess_id s);
	/* The peer has sent a Terminate-Request and got its answer. */
	void (*peer_closed)(sess_id s);
	/* Codes above Code-Reject; false: unknown. NULL: all are. */
	bool (*extra)(sess_id s, const struct cp_pkt *p);
};

/* The one door for a change of state: logs it and does the actions. */
void cp_event(const struct cp_proto *p, sess_id s, enum cp_event ev);

/* A packet of the protocol. */
void cp_input(const struct cp_proto *p, sess_id s, struct rd frame);

/* Somebody else has negotiated: straight from the beginning to CP_OPENED, this-layer-up. */
void cp_set_opened(const struct cp_proto *p, sess_id s);

/* From the protocol's timer callback. */
void cp_timeout(const struct cp_proto *p, sess_id s);

/* The restart counter for Configure-Requests at its full height. */
uint8_t cp_full_tries(void);

/* An identifier for a packet of our own accord: each has another (RFC 1661 5). */
uint8_t cp_new_id(struct cp *cp);

/* From a protocol's `extra`: answers with this packet where an echo may be answered (RXR). */
void cp_answer(
    const struct cp_proto *p, sess_id s, uint8_t code, uint8_t id, const void *data, size_t len);

/* Before first use, and when the session goes. */
void cp_init(const struct cp_proto *p, sess_id s);
void cp_stop(const struct cp_proto *p, sess_id s);

extern const char *const cp_state_names[CP_STATES];

#endif
