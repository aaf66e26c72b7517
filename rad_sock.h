/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets towards the RADIUS servers and their identifiers. A slot is one identifier
 * of one socket: socket * 256 + RADIUS id.
 */
#ifndef RAD_SOCK_H
#define RAD_SOCK_H

#include "rad_server.h"

#include <netinet/in.h>

/* A packet has come on that socket. */
typedef void (*rad_sock_input_fn)(
    unsigned int sock, const uint8_t *data, size_t len, const struct sockaddr_in *from);

/* Start-up only. Sockets are opened as they are needed, within radius_bind_min..max when set. */
void rad_sock_init(rad_sock_input_fn input);

/* Closes them. All slots have been given back. */
void rad_sock_fini(void);

/* How many requests of a kind there may be. */
unsigned int rad_sock_most(enum rad_kind kind);

/* Whether there are fewer now, those that rest included. */
bool rad_sock_has_room(enum rad_kind kind);

/*
 * A slot for a request of that kind; -1: there is none to be had. `beyond`: though there
 * are as many of the kind as there may be, which is for a probe.
 */
int rad_sock_take(enum rad_kind kind, bool beyond);

/* Gives it back. `rest`: an answer may still come, so nobody gets it for a while. */
void rad_sock_give(unsigned int slot, enum rad_kind kind, bool rest);

void rad_sock_send(unsigned int slot, const struct rad_dest *d, const uint8_t *packet, size_t len);

/* Takes what has come, outside of the loop. */
void rad_sock_poll(void);

/* Slots in use, and those that rest; a CLI child may ask. */
void rad_sock_counts(uint32_t *used, uint32_t *resting);

#endif
