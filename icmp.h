/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors about packets for subscribers, towards their senders in the core. */
#ifndef ICMP_H
#define ICMP_H

#include "ip4.h"
#include "l2tpns.h"

/* Opens the raw socket. -1 with a reason. Start-up only. */
int icmp_init(char *why, size_t why_size);
void icmp_fini(void);

/* Nobody has the address: Host Unreachable, at most icmp_rate a second. */
void icmp_unreachable(const struct ip4 *ip);

/* DF is set and the packet is larger than `mtu`: Fragmentation Needed, at most 1,000 a second. */
void icmp_too_big(const struct ip4 *ip, uint16_t mtu);

#endif
