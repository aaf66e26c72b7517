/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP sockets of the small servers (nsctl, DAE): one packet at a time, with who sent it
 * and which of our addresses he sent it to, from which the answer leaves.
 */
#ifndef DGRAM_H
#define DGRAM_H

#include "loop.h"

#include <sys/types.h>

/* Who sent a packet, and where to. */
struct dgram_peer {
	int fd;		      /* socket it came to */
	uint32_t ip;	      /* network order */
	uint16_t port;	      /* host order */
	uint32_t asked;	      /* the address of ours, network order */
	unsigned int ifindex; /* interface it came in by */
	char who[32];	      /* "ADDRESS:PORT", for the log */
};

/*
 * A socket on addr (network order) and port, in the loop; -1 with errno. So many octets may wait
 * in it; 0: as the kernel has it.
 */
int dgram_open(uint32_t addr, uint16_t port, int room, loop_fn on_readable);

/* Octets of the next packet, cut at `size`; -1: there is none. */
ssize_t dgram_receive(int fd, void *buf, size_t size, struct dgram_peer *from);

/* Fills in `who`, for a packet that came another way. */
void dgram_name(struct dgram_peer *peer);

/* `fn` is called in front of each answer: what depends on it is told first. */
void dgram_before_send(void (*fn)(void));

/* Answers from the address that was asked. -1: the kernel refused, errno says why. */
int dgram_send(const struct dgram_peer *to, const void *data, size_t len);

void dgram_close(int fd);

#endif
