/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tun device: everybody's IP packets go through it, several as one where they can. */
#ifndef TUNDEV_H
#define TUNDEV_H

#include "l2tpns.h"

/*
 * Gets each batch of IP packets read; `data` has PKT_HEADROOM octets free in front,
 * and stays valid until the next batch is read (the output batch is flushed before).
 */
typedef void (*tundev_input_fn)(struct pkt *pkts, unsigned int n);

/* Opens (creates) the device. -1 with a reason in `why`. Start-up only. */
int tundev_init(const char *name, tundev_input_fn input, char *why, size_t why_size);
void tundev_fini(void);

/* The kernel's index of the device, for routes. */
unsigned int tundev_ifindex(void);

/*
 * Hands a session's IP packet to the kernel, at tundev_flush() at the latest; `data` must
 * stay until then. `room` octets in front of it may be overwritten. Packets of a session
 * keep their order.
 */
void tundev_write(sess_id session, uint8_t *data, size_t len, size_t room);
void tundev_flush(void);

#endif
