/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket that members of a cluster talk by: multicast and unicast on one interface
 * and port, batches in and out. Knows nothing of what is said.
 */
#ifndef CLSOCK_H
#define CLSOCK_H

#include "clmsg.h"
#include "l2tpns.h"

/* Gets each message, its sender (network order) and length. */
typedef void (*clsock_input_fn)(uint32_t from, const uint8_t *data, size_t len);

struct clsock_config {
	const char *interface;
	uint32_t group; /* network order */
	uint16_t port;
	uint8_t ttl;
	clsock_input_fn input;
};

enum clsock_result {
	CLSOCK_OPEN,
	CLSOCK_NOBODY, /* nobody to talk to: no such interface, down, no address, or the loopback */
	CLSOCK_FAILED,
};

/* With a reason, but for CLSOCK_OPEN: "cluster_interface eth1 is down". */
enum clsock_result clsock_open(const struct clsock_config *c, char *why, size_t why_size);
void clsock_close(void);

/*
 * Whether the interface, or its address, is another one than when the socket was opened or this was
 * last asked: it has to be closed and opened anew. To be asked often: no list is made.
 */
bool clsock_moved(const char *interface);

/* Our address on the interface, network order; 0: it has none. */
uint32_t clsock_address(void);

/* Whether an address is of the interface's own network. */
bool clsock_is_near(uint32_t addr);

/* How many routers a multicast may pass. */
void clsock_set_ttl(uint8_t ttl);

/*
 * Queues a copy of a message for a member; 0: for all. False: it is longer than CLMSG_LARGEST, or
 * the kernel has no room (counted).
 */
bool clsock_send(uint32_t to, const void *data, size_t len);

/* Sends what is queued. */
void clsock_flush(void);

/* Throws away what waits in the socket. */
void clsock_discard(void);

#endif
