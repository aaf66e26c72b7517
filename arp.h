/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gratuitous ARP: neighbours on a LAN learn that an address of ours is here now. */
#ifndef ARP_H
#define ARP_H

/*
 * Tells of the addresses we listen on, a few times, on the Ethernet interfaces that
 * carry them. Needs CAP_NET_RAW. Nothing happens where none does.
 */
void arp_announce(void);

/* What it still would repeat is left: the addresses are another's now. */
void arp_stop(void);

#endif
