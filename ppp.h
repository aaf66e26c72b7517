/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PPP of a session: phases, and what its protocols keep. The upper part is for the
 * hook list, the lower for the group lcp.c, ipcp.c, auth.c, addr.c alone.
 */
#ifndef PPP_H
#define PPP_H

#include "cp.h"
#include "hook.h"
#include "note.h"

/* After session_init(). */
void ppp_init(void);

/* Hooks: the call is up; a frame came; end the session; the session goes. */
void ppp_call_up(sess_id s);
void ppp_frame(sess_id s, struct rd frame);
void ppp_close(sess_id s, const struct sess_end *end);
void ppp_session(sess_id s, enum sess_event ev);

/* Hook members. */
extern const struct hook_member ppp_member;

/* Hook auth_result. */
void auth_result(sess_id s, const struct auth_result *res);

/* ---- inside the group ---- */

enum { CHALLENGE_LEN = 16, MAX_AUTHTYPES = 3 };

struct ppp {
	struct cp lcp, ipcp;
	struct timer watch; /* echo, timeouts */
	struct timer auth;  /* repeats our challenge; limits the wait for a login */

	/* LCP: what we ask for */
	uint32_t magic;
	uint16_t mru;
	bool ask_mru, ask_magic;
	uint8_t authtype; /* index in the list of config_authtypes() */
	/* and what the peer asks for */
	uint32_t peer_magic;
	uint16_t peer_mru;
	bool heard;    /* any LCP packet */
	uint8_t loops; /* packets of our own that came back, one behind the other */

	/* authentication */
	uint8_t challenge[CHALLENGE_LEN];
	uint8_t auth_id;   /* of the challenge, or of the PAP request in hand */
	uint8_t auth_sent; /* challenges sent */
	uint32_t asked;	   /* number of the question that is out; 0: none */
	bool auth_done;	   /* accepted */
	bool served;	   /* was accepted once: the user and what he was given stay */
	bool proxied;	   /* the LAC has heard the proof already (RFC 2661 4.4.5) */

	/* IPCP */
	bool ask_address; /* our own address is put into the request */
	bool any_address; /* he may have what he asks for (255.255.255.255) */
	bool has_address; /* his request named his address */

	uint8_t echo_id;
	uint32_t echoed_ds; /* loop clock at the last echo, or when IPCP opened */
	bool announced;	    /* SESS_EV_UP was raised */
	char pool[32];	    /* Framed-Pool, while the address is to be chosen */
};

/* Why PPP ends a session. */
enum ppp_end {
	PPP_END_PEER, /* Terminate-Request */
	PPP_END_SILENT,
	PPP_END_NO_LCP,
	PPP_END_LOOP,
	PPP_END_ECHO,
	PPP_END_NO_AUTH,
	PPP_END_CHALLENGE,
	PPP_END_REFUSED,
	PPP_END_NOT_SERVED, /* no fault of the user's */
	PPP_END_ELSEWHERE,
	PPP_END_SESSION_TIMEOUT,
	PPP_END_IDLE_TIMEOUT,
	PPP_END_SLOW_LCP,
	PPP_END_SLOW_AUTH,
	PPP_END_SLOW_IPCP,
	PPP_END_POOL_EMPTY,
	PPP_END_NO_ADDRESS,
	PPP_END_IPCP_FAILED,
	PPP_END_IPCP_REJECTED,
	PPP_END_IPCP_CLOSED,
};

struct ppp *ppp_get(sess_id s);

/* What is told of that end; a message other than the usual one, or NULL. */
struct sess_end ppp_why(sess_id s, enum ppp_end why, const char *message);

/* Ends the session for that reason. */
void ppp_end(sess_id s, enum ppp_end why);

/* The door to a phase; what is in hand stops, the new phase's things start. */
void ppp_set_phase(sess_id s, enum ppp_phase phase);

/* The peer's frames may go to another master, who serves him: what we said would only disturb that,
 * and his silence is no end. */
bool ppp_is_elsewhere(sess_id s);

/* For the timer callbacks of LCP and IPCP. */
void ppp_timeout(const struct cp_proto *p, sess_id s);

/* LCP is open: authentication, or at once the network phase. */
void ppp_established(sess_id s);

/* He is who he says: NCPs start. */
void ppp_authenticated(sess_id s);

/* IPCP is open or not: forwarding. */
void ppp_network(sess_id s, bool up);

/* LCP has finished: nothing more to say on this call. */
void ppp_finished(sess_id s);

/* LCP (lcp.c). */
extern const struct cp_proto lcp_proto;
void lcp_start(sess_id s);
void lcp_input(sess_id s, struct rd frame);
void lcp_send_echo(sess_id s);
bool lcp_knows_option(const struct cp_opt *o); /* one of the peer's that we can do */
void lcp_protocol_reject(sess_id s, uint16_t protocol, struct rd data);

/* What the LAC negotiated in our place (proxy.c). */
bool proxy_lcp(sess_id s, struct ppp *p);
bool proxy_auth(sess_id s, struct auth_request *req, struct note *name, struct note *challenge,
    struct note *proof);
enum auth_proto lcp_auth_proto(struct rd val);

/* IPCP (ipcp.c). */
extern const struct cp_proto ipcp_proto;
void ipcp_start(sess_id s);

/* Authentication (auth.c). */
enum auth_proto auth_agreed(sess_id s);
void auth_start(sess_id s);
void auth_resume(sess_id s); /* as a new master */
void auth_stop(sess_id s);
void auth_tell_again(sess_id s); /* that he was let in */
void auth_pap_input(sess_id s, struct rd frame);
void auth_chap_input(sess_id s, struct rd frame);
void auth_timeout(uint32_t s);

#endif
