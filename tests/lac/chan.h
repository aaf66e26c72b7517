/* Reliable delivery of control messages (RFC 2661 5.8, appendix A). */
#ifndef LAC_CHAN_H
#define LAC_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timer.h"

enum { CTL_HEAD = 12, CTL_MAX = 1400 };

struct tunnel;

/* A queued control message. */
struct msg {
	struct msg *next;
	uint32_t session; /* whom chan_acked() is about, index + 1; 0: the tunnel */
	uint16_t type;
	uint16_t ns;
	uint16_t len;
	uint8_t data[];
};

struct early; /* a message that came before its turn */

struct chan {
	struct msg *head;   /* oldest not acknowledged */
	struct msg *unsent; /* first that waits for the window */
	struct msg *tail;
	struct early *early;
	struct timer retry;
	struct chan *ack_next; /* list of those that owe an acknowledgement */
	uint16_t ns;	       /* of the next message queued */
	uint16_t nr;	       /* expected next from the peer */
	uint16_t shown_nr;     /* what we acknowledge: nr, unless muted */
	uint16_t sent;	       /* highest Ns sent + 1 */
	uint16_t in_flight;
	uint16_t peer_window;
	uint16_t my_window;
	uint16_t cwnd, ssthresh, cwnd_acks;
	uint16_t queued;
	uint8_t tries;
	bool ack_due;
	bool listed; /* in the list of those */
	bool muted;  /* acknowledge nothing */
};

extern uint32_t chan_retries;  /* unanswered retransmissions until the tunnel is lost */
extern uint32_t chan_retry_ms; /* first interval */

void chan_init(struct chan *c, uint16_t my_window);
/* Drops all messages and the timer. */
void chan_fini(struct chan *c);
/* Queues a message without its header; sends it when the window allows. */
void chan_send(struct chan *c, struct msg *m);
struct msg *msg_new(uint16_t type, uint32_t session, const uint8_t *avps, size_t len);
/* Takes Ns, Nr and body of a control message; hands messages in order to tunnel_message(). */
void chan_input(
    struct chan *c, uint16_t sid, uint16_t ns, uint16_t nr, const uint8_t *body, size_t len);
/* Sends an empty acknowledgement for each channel that owes one. */
void chan_flush_acks(void);
void chan_mute(struct chan *c, bool on);

/* Called by chan.c, implemented in tunnel.c. */
void tunnel_message(struct tunnel *t, uint16_t sid, const uint8_t *body, size_t len);
void tunnel_acked(struct tunnel *t, const struct msg *m);
void tunnel_lost(struct tunnel *t);
void tunnel_transmit(struct tunnel *t, uint8_t *packet, size_t len);

#endif
