/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forwarding path, both directions. Its input functions are given to udp_init() and
 * tundev_init(). */
#ifndef DATA_H
#define DATA_H

#include "tbf.h"
#include "udp.h"

/* After session_init(). */
void data_init(void);

/* A batch from the LACs: control messages go to hook_control(), PPP to hook_frame(), IP to the tun.
 */
void data_from_lacs(struct pkt *pkts, unsigned int n);

/* A batch from the tun device, to the subscribers. */
void data_from_tun(struct pkt *pkts, unsigned int n);

/* The same that slaves have read from theirs, on the master. The packets are gone afterwards but
 * for what udp_flush() is to send. */
void data_to_subscribers(struct pkt *pkts, unsigned int n);

/* From tbf.c: a packet that waited may pass. PKT_HEADROOM octets in front of it are free. */
void data_release(sess_id s, enum tbf_dir dir, uint8_t *data, size_t len);

#endif
