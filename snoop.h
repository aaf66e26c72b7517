/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interception: copies of a session's raw IP packets in UDP, without any header of ours. */
#ifndef SNOOP_H
#define SNOOP_H

#include "ip4.h"
#include "session.h"

/* Opens the socket. -1 with a reason in `why`. Start-up only. */
int snoop_init(char *why, size_t why_size);
void snoop_fini(void);

/* Queues a copy of an intercepted session's packet for its collector. */
void snoop_packet(sess_id s, const struct ip4 *ip);

/* At the end of a turn: sends the copies. */
void snoop_flush(void);

#endif
