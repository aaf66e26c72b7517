/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages from our own address on the cluster's interface: another member has it too. The kernel
 * drops those before any UDP socket. Of the group of cluster.c.
 */
#ifndef CLTWIN_H
#define CLTWIN_H

#include "l2tpns.h"

/*
 * Looks for such messages to `port` from here on, whatever was looked for before. `heard` gets what
 * is in them. Without the right to do so it does nothing.
 */
void cltwin_watch(const char *interface, uint32_t address, uint16_t port,
    void (*heard)(const uint8_t *data, size_t len));

#endif
