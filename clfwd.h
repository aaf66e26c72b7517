/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a slave hands to the master, and the master's door for it: packets that would change
 * state, or that one member alone may pass on, with the addresses and ports they came with.
 */
#ifndef CLFWD_H
#define CLFWD_H

#include "udp.h"
#include "wire.h"

enum {
	CLFWD_PAYLOAD = PKT_SIZE, /* octets of a packet at most; a message is 64 longer */
	CLFWD_PER_TENTH = 500,	  /* packets of unknown sessions handed on in a tenth of a second */
};

/* How it is handed on: CLFWD_REPEAT until the master has it, which is for what few others repeat so
 * soon; IP is handed on once. */
enum clfwd_care { CLFWD_ONCE, CLFWD_REPEAT };

/* Who asked, and what: a request to dae.c's socket. Addresses in network, ports in host order. */
struct clfwd_from {
	uint32_t ip, asked;
	uint16_t port;
};

/* Who gets what a slave hands on, on the master; and how a slave sends. */
struct clfwd_doors {
	void (*from_lacs)(struct pkt *pkts, unsigned int n);
	void (*to_subscribers)(struct pkt *pkts, unsigned int n); /* read from a slave's tun */
	void (*dae)(const struct clfwd_from *from, const void *data, size_t len);

	/* cluster_send(): a copy is queued. */
	bool (*send)(uint32_t to, uint8_t kind, const void *fields, size_t len);
	/* Whether the master acknowledges what has a number. */
	bool (*acknowledges)(void);
	/* Incarnation of the member that the message in hand is from. */
	uint64_t (*sender)(void);
};

/* Start-up only, behind udp_init(). */
void clfwd_init(const struct clfwd_doors *doors);

/* On a slave. Each is a copy that leaves in this turn of the loop; without a master it is counted
 * and lost, and -1 is returned. */
int clfwd_from_lac(const struct pkt *pkt, enum clfwd_care care);
int clfwd_to_subscriber(const uint8_t *data, size_t len);
int clfwd_dae(const struct clfwd_from *from, const void *data, size_t len);

/* The same for packets of a session that is not known here (yet): so many a second. */
int clfwd_unknown_from_lac(const struct pkt *pkt, enum clfwd_care care);
int clfwd_unknown_to_subscriber(const uint8_t *data, size_t len);

/* From cluster.c, on a master: the fields of a CL_FORWARD that a member sent. They are copied, and
 * seen to when a batch is full or the turn ends. What comes to a slave is counted and dropped. */
void clfwd_input(uint32_t member, struct rd fields);

/* The same on a slave, of a CL_FORWARD_ACK from the master. */
void clfwd_acked(uint32_t member, struct rd fields);

/* At the end of a turn, in front of all that sends. */
void clfwd_turn_end(void);

#endif
