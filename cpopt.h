/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP control packets (RFC 1661 5: code, id, length, data) and their options
 * (RFC 1661 6: type, length, value). Sees no tables, clock or sockets.
 */
#ifndef CPOPT_H
#define CPOPT_H

#include "l2tpns.h"
#include "wire.h"

enum ppp_protocol {
	PPP_IP = 0x0021,
	PPP_MP = 0x003d,
	PPP_IPV6 = 0x0057,
	PPP_IPCP = 0x8021,
	PPP_IPV6CP = 0x8057,
	PPP_CCP = 0x80fd,
	PPP_LCP = 0xc021,
	PPP_PAP = 0xc023,
	PPP_LQR = 0xc025,
	PPP_CHAP = 0xc223,
};

/* Codes of RFC 1661 5, shared by LCP and the NCPs; from 8 on LCP only. */
enum cp_code {
	CP_CONF_REQ = 1,
	CP_CONF_ACK = 2,
	CP_CONF_NAK = 3,
	CP_CONF_REJ = 4,
	CP_TERM_REQ = 5,
	CP_TERM_ACK = 6,
	CP_CODE_REJ = 7,
	CP_PROTO_REJ = 8,
	CP_ECHO_REQ = 9,
	CP_ECHO_REPLY = 10,
	CP_DISCARD_REQ = 11,
	CP_IDENTIFICATION = 12, /* RFC 1570 */
	CP_TIME_REMAINING = 13,
};

enum { CP_HEADER = 4, CP_OPT_HEADER = 2 };

struct cp_pkt {
	uint8_t code, id;
	struct rd data; /* behind the header, up to the packet's own length */
};

struct cp_opt {
	uint8_t type;
	struct rd val;	      /* a cursor of its own over the value */
	const uint8_t *start; /* the whole option as it came, */
	size_t len;	      /* header included: for Ack, Nak and Reject */
};

/*
 * Address and control field and the protocol number, compressed or not (RFC 1661
 * 6.5, 6.6; RFC 1662). The cursor then holds the information field. 0: malformed.
 */
uint16_t ppp_protocol_decode(struct rd *frame);

/* Decodes a control packet, cuts padding; false when its length is over the frame's or under 4. */
bool cp_decode(struct rd frame, struct cp_pkt *p);

/* The next option; false at the end or when malformed (data->bad tells which). */
bool cp_opt_next(struct rd *data, struct cp_opt *o);

/*
 * Starts a control packet at the start of the buffer of `w`; cp_end() fills its length and
 * returns it, 0 after an overflow.
 */
void cp_begin(struct wr *w, uint8_t code, uint8_t id);
size_t cp_end(struct wr *w);

/* Options. cp_put_be32 takes network order. */
void cp_put(struct wr *w, uint8_t type, const void *val, size_t len);
void cp_put_u16(struct wr *w, uint8_t type, uint16_t v);
void cp_put_u32(struct wr *w, uint8_t type, uint32_t v);
void cp_put_be32(struct wr *w, uint8_t type, uint32_t v);

#endif
