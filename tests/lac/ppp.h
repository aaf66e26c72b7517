/* The subscriber's PPP: frames, LCP, PAP and CHAP-MD5, IPCP. */
#ifndef LAC_PPP_H
#define LAC_PPP_H

#include "bytes.h"
#include "lac.h"

enum {
	PPP_IP = 0x0021,
	PPP_IPCP = 0x8021,
	PPP_LCP = 0xc021,
	PPP_PAP = 0xc023,
	PPP_CHAP = 0xc223,
};

enum cp_code {
	CP_CONF_REQ = 1,
	CP_CONF_ACK,
	CP_CONF_NAK,
	CP_CONF_REJ,
	CP_TERM_REQ,
	CP_TERM_ACK,
	CP_CODE_REJ,
	LCP_PROTO_REJ,
	LCP_ECHO_REQ,
	LCP_ECHO_REP,
	LCP_DISCARD,
	LCP_IDENTIFICATION,
	LCP_TIME_REMAINING,
};

enum { CP_MAX_TRIES = 10, FRAME_HEAD = 300 };

/* A PPP control packet: code, id, and the data of its length. */
struct cp_pkt {
	uint8_t code;
	uint8_t id;
	const uint8_t *data;
	size_t len;
};

/* ppp.c: before ICCN is sent; when PPP may begin; a frame from the LNS. */
void ppp_start(struct session *s);
void ppp_link_up(struct session *s);
void ppp_input(struct session *s, const uint8_t *p, size_t n);
/* The options a LAC would report as negotiated: ours, or the LNS's (with its authentication). */
size_t ppp_proxy_lcp(struct session *s, uint8_t *p, size_t room, bool lns_side);
/* Starts a frame in the output batch; write to the returned cursor, then ppp_commit(). */
struct out ppp_frame(struct session *s, uint16_t proto, size_t room);
void ppp_commit(struct session *s, struct out *o, const uint8_t *tail, size_t tail_len);
/* A whole control packet. */
void ppp_send(
    struct session *s, uint16_t proto, uint8_t code, uint8_t id, const void *data, size_t len);
/* A frame without any header of ours: what `raw` sends. */
void ppp_send_raw(struct session *s, const uint8_t *p, size_t n);
/* Next phase, with its timer. */
void ppp_phase(struct session *s, enum session_state state);
/* Asks the LNS to end (LCP Terminate-Request), a CDN follows. */
void ppp_terminate(struct session *s);

/* lcp.c */
void lcp_send_request(struct session *s);
void lcp_input(struct session *s, const struct cp_pkt *k);
size_t lcp_options(const struct session *s, uint8_t *p, size_t room);

/* auth.c */
void auth_start(struct session *s);
void auth_send_pap(struct session *s);
void auth_pap_input(struct session *s, const struct cp_pkt *k);
void auth_chap_input(struct session *s, const struct cp_pkt *k);

/* ipcp.c */
void ipcp_start(struct session *s);
void ipcp_send_request(struct session *s);
void ipcp_input(struct session *s, const struct cp_pkt *k);

/* inner.c */
void inner_input(struct session *s, const uint8_t *p, size_t n);

#endif
