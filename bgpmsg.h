/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP messages (RFC 4271 4): octets to structs and back. Checked reads and writes only,
 * no state. What a message that is wrong is answered with comes as a struct bgp_error.
 */
#ifndef BGPMSG_H
#define BGPMSG_H

#include "l2tpns.h"
#include "wire.h"

enum {
	BGP_PORT = 179,
	BGP_HEADER = 19,
	BGP_MAX = 4096, /* octets of a message */
	BGP_AS_TRANS = 23456,
	BGP_LEAST_HOLD = 3,
	BGP_TEXT = 256, /* a shutdown communication and its length (RFC 9003 2) */
};

enum bgp_type {
	BGP_OPEN = 1,
	BGP_UPDATE,
	BGP_NOTIFICATION,
	BGP_KEEPALIVE,
	BGP_REFRESH /* RFC 2918 */
};

/* Address families we speak, unicast; the numbers are indices, not those of the wire. */
enum bgp_afi { BGP_IP4, BGP_IP6, BGP_AFIS };

/* Error codes and subcodes (RFC 4271 4.5, 6; RFC 4486; RFC 6608; RFC 7313; RFC 9687). */
enum {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN,
	BGP_ERR_UPDATE,
	BGP_ERR_HOLD,
	BGP_ERR_FSM,
	BGP_ERR_CEASE,
	BGP_ERR_REFRESH,
	BGP_ERR_SEND_HOLD
};
enum { BGP_HEADER_SYNC = 1, BGP_HEADER_LENGTH, BGP_HEADER_TYPE };
enum {
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_AS = 2,
	BGP_OPEN_ID = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD = 6
};
enum {
	BGP_UPDATE_LIST = 1,
	BGP_UPDATE_WELL_KNOWN = 2,
	BGP_UPDATE_OPTIONAL = 9,
	BGP_UPDATE_NETWORK = 10
};
enum {
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CHANGE = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8
};

/* The contents of a NOTIFICATION. */
struct bgp_error {
	uint8_t code, sub;
	uint16_t len; /* of data */
	uint8_t data[BGP_TEXT];
};

/* "Cease/Administrative Shutdown", and behind it the words that came along. */
const char *bgp_error_text(const struct bgp_error *e, char *text, size_t size);

struct bgp_open {
	uint32_t as, id; /* id in network order */
	uint16_t hold;	 /* s */
	bool afi[BGP_AFIS];
	bool refresh, as4, restart; /* capabilities: RFC 2918, 6793, 4724 */
};

/* Length and type out of the header. -1: e says what is wrong. */
int bgp_read_header(struct rd r, uint16_t *len, uint8_t *type, struct bgp_error *e);

/* Bodies. -1: e says what is wrong. */
int bgp_read_open(struct rd r, struct bgp_open *o, struct bgp_error *e);
void bgp_read_notification(struct rd r, struct bgp_error *e);

/* False: of a family that is not ours, to be ignored (RFC 2918 4). */
bool bgp_read_refresh(struct rd r, enum bgp_afi *afi);

/* Whole messages; the octets written. `buf` has room for BGP_MAX, and is not NULL. */
#define BGP_BUF(n) __attribute__((nonnull(n)))
size_t bgp_put_open(uint8_t *buf, const struct bgp_open *o) BGP_BUF(1);
size_t bgp_put_keepalive(uint8_t *buf) BGP_BUF(1);
size_t bgp_put_notification(uint8_t *buf, const struct bgp_error *e) BGP_BUF(1);

/* ---- for bgpupdate.c ---- */

/* The families on the wire; false: not one of ours. */
enum { BGP_SAFI_UNICAST = 1 };
extern const uint16_t bgp_wire_afi[BGP_AFIS];
bool bgp_known_afi(uint16_t wire, uint8_t safi, enum bgp_afi *afi);

/* Fills *e; -1. */
int bgp_wrong(struct bgp_error *e, uint8_t code, uint8_t sub, const void *data, size_t len);

/* A message into `buf`; its length in the head, and returned. */
struct wr bgp_begin(uint8_t *buf, enum bgp_type type) BGP_BUF(1);
size_t bgp_end(struct wr *w);

#endif
