/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the cluster on their way out and in: head and signature, admission, and whom of the
 * others each kind is heard from. Of the group of cluster.c, which has the public half of this
 * (cluster_on_message()).
 */
#ifndef CLPOST_H
#define CLPOST_H

#include "clmsg.h"
#include "clsock.h"
#include "election.h"

struct clpost_doors {
	const struct election *el; /* whose we are, what term it is, and who is master */
	void (*gone)(uint64_t incarnation);
	void (*admitted)(uint32_t address);
};

/* Start-up only, behind the settings. */
void clpost_init(const struct clpost_doors *doors);

/* Opens the link; CLSOCK_FAILED with a reason. */
enum clsock_result clpost_open(char *why, size_t why_size);

/* It is open, and the election has begun: who is heard begins with nobody. */
void clpost_talk(void);

/* Begins a message to a member's address, 0: to all; and sends it, signed. */
struct wr clpost_begin(uint8_t kind, uint32_t to);
bool clpost_send(uint32_t to, struct wr *w);

/* Whether one of that address is admitted. */
bool clpost_knows(uint32_t address);

/* That incarnation is gone: it has to prove itself again. */
void clpost_forget(uint64_t incarnation);

#endif
