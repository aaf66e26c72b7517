/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in the log at level 5, without the passwords in them. */
#ifndef DUMP_H
#define DUMP_H

#include "l2tp_hdr.h"
#include "udp.h"

/* A packet from a LAC: its header, decoded with the result `r`, and what is behind the header. */
void dump_from_lac(
    const struct pkt *pkt, const struct l2tp_hdr *h, struct rd payload, enum l2tp_hdr_result r);

#endif
