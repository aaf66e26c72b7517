/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The L2TP sockets: batches in by recvmmsg(), batches out by sendmmsg(). Knows
 * nothing of what the packets mean. A "local" is one of our addresses with the
 * socket it is reached through: replies leave from the address that was asked.
 */
#ifndef UDP_H
#define UDP_H

#include "l2tpns.h"

enum {
	UDP_BATCH = 64,
	PKT_HEADROOM = 64, /* free octets in front of a packet's data */
	PKT_SIZE = 9216 + 256,
};

struct pkt {
	uint8_t *data;
	uint16_t len;
	uint16_t from_port; /* host order */
	uint32_t from_ip;   /* network order */
	uint8_t local;
};

/* Gets each batch that came; the packets are gone when it returns. */
typedef void (*udp_input_fn)(struct pkt *pkts, unsigned int n);

/*
 * Opens a socket on `port` of each address. -1 with a reason in `why` ("address in
 * use..."). Start-up only.
 */
int udp_init(const uint32_t *addrs, unsigned int n, uint16_t port, udp_input_fn input, char *why,
    size_t why_size);
void udp_fini(void);

/* Address of a local, network order. */
uint32_t udp_local_address(uint8_t local);

/* The number by which an address of ours (network order) is reached, for packets that came by
 * another member of the cluster; -1: no socket has it. */
int udp_local_of(uint32_t addr);

/* Which socket (in the order given to udp_init()) a local belongs to. */
unsigned int udp_local_index(uint8_t local);

/*
 * Queues a copy of a packet, to leave at the end of the turn at the latest. The port
 * is in host order.
 */
void udp_send(uint8_t local, uint32_t ip, uint16_t port, const void *data, size_t len);

/* The same without a copy: `data` must stay as it is until udp_flush(). Ports in network order. */
void udp_send_in_place(uint8_t local, uint32_t ip, uint16_t port_be, void *data, size_t len);

/* Throws away what waits in the sockets. */
void udp_discard(void);

/* Sends what is queued. */
void udp_flush(void);

/* `fn` is called in front of each flush that has something to send, also when a full batch leaves
 * early: what a reply depends on leaves before it. It must queue nothing here. */
void udp_before_flush(void (*fn)(void));

#endif
