/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How engines talk without knowing each other: events and requests that go to the
 * subscribers named in the one list in l2tpns.c, in its order. So the life of a
 * call is read in one place.
 */
#ifndef HOOK_H
#define HOOK_H

#include "config.h"
#include "l2tp_hdr.h"
#include "repl.h"
#include "session.h"
#include "udp.h"

enum sess_event {
	SESS_EV_UP,	 /* has an address; forwarding begins */
	SESS_EV_CHANGED, /* policy changed while up */
	SESS_EV_DOWN,	 /* forwarding ends; give back what it holds */
	SESS_EV_GONE,	 /* the record is about to be freed: stop timers, forget requests */
};

/* What a subscriber said to prove who he is. Lives during the call only. */
struct auth_request {
	uint32_t number; /* the answer carries it */
	enum auth_proto proto;
	uint8_t id; /* of the PAP or CHAP packet */
	const char *user;
	const char *claimed;	 /* the name he gave, which MS-CHAPv2's proof is about */
	const uint8_t *password; /* PAP: in clear; CHAP: 16 octets; MS-CHAPv2: 49 octets */
	size_t password_len;
	const uint8_t *challenge; /* CHAP: ours */
	size_t challenge_len;
};

/* A login before anybody is asked. Subscribers may put another name or PAP password in place. */
struct login {
	enum auth_proto proto;
	char user[USER_LEN];
	char password[USER_LEN]; /* PAP; "" for the others */
	bool new_password;	 /* a subscriber has written it */
};

enum auth_verdict {
	AUTH_ACCEPTED,
	AUTH_REFUSED,
	AUTH_NO_ANSWER, /* of any server */
	AUTH_BUSY,	/* nobody was asked: when the peer repeats itself, ask again */
};

enum {
	AUTH_MAX_ROUTES = 64,
	AUTH_MAX_CLASS = 4,
	AUTH_MAX_PAIRS = 64,
	AUTH_MAX_FILTERS = 8,
	AUTH_TEXT = 254
};

/* What the server answered, as far as it is known. Lives during the call only. */
struct auth_result {
	uint32_t number; /* of the request it answers */
	uint8_t tries;	 /* times the last server was asked; 0: none was */
	enum auth_verdict verdict;
	char message[AUTH_TEXT]; /* Reply-Message, or "" */
	char mschap[AUTH_TEXT];	 /* MS-CHAP2-Success ("S=...") or MS-CHAP-Error ("E=...") text */
	uint32_t ip4;	     /* network order; 0 or 255.255.255.254: pool; 255.255.255.255: asked */
	uint32_t netmask;    /* network order; 0: none */
	char pool[32];	     /* Framed-Pool */
	uint32_t dns1, dns2; /* network order; 0: not given */
	uint32_t session_timeout, idle_timeout; /* s; 0: none */
	uint32_t interim;			/* Acct-Interim-Interval, s; 0: none */
	uint32_t port_limit;			/* sessions the user may have; 0: any number */
	bool local;				/* no server was asked */
	uint16_t mtu;				/* Framed-MTU; 0: none */
	unsigned int n_routes;
	struct {
		uint32_t addr;
		uint8_t len;
	} routes[AUTH_MAX_ROUTES];
	unsigned int n_class;
	struct {
		const uint8_t *p;
		uint8_t len;
	} class[AUTH_MAX_CLASS];
	struct {
		const uint8_t *p; /* NULL: none */
		uint8_t len;
	} cui; /* Chargeable-User-Identity */
	unsigned int n_pairs;
	struct {
		const uint8_t *p;
		uint8_t len;
	} pairs[AUTH_MAX_PAIRS]; /* Cisco-AVPair, as it came */
	unsigned int n_filters;
	struct {
		const uint8_t *p;
		uint8_t len;
	} filters[AUTH_MAX_FILTERS]; /* Filter-Id, as it came */
};

/* What is known of a pair of a CoA. */
enum avpair_verdict {
	AVPAIR_GOOD,	/* it can be done */
	AVPAIR_UNKNOWN, /* nobody does it */
	AVPAIR_BAD,	/* its value cannot be */
};

/*
 * What an engine has of a session beside struct session, for a cluster. A slave's engines keep it
 * as the master's records say, without acting on it: no timer runs, nothing is sent.
 */
struct hook_member {
	/* Its part of a record; and that part into its own, of a passive session. */
	void (*export)(sess_id s, struct repl_session *r);
	void (*install)(sess_id s, const struct repl_session *r);
	/* The passive session is no more. */
	void (*remove)(sess_id s);
	/* The session is ours from here on: goes on with it. And the reverse, without a word. */
	void (*adopt)(sess_id s);
	void (*yield)(sess_id s);
};

/* The same for a tunnel. */
struct hook_tunnel_member {
	void (*export)(tunn_id t, struct repl_tunnel *r);
	void (*install)(tunn_id t, const struct repl_tunnel *r);
	void (*remove)(tunn_id t);
	void (*adopt)(tunn_id t);
	void (*yield)(tunn_id t);
	/* Messages that wait in its queue (l2tp_chan.h): from *ns on, not told yet, one to keep. */
	bool (*message)(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len);
	bool (*untold)(tunn_id t, uint16_t *ns, const uint8_t **data, uint16_t *len);
	int (*keep)(tunn_id t, uint16_t ns, const uint8_t *data, uint16_t len);
};

/* The lists; each array ends with NULL. */
struct hook_table {
	void (*const *session)(sess_id s, enum sess_event ev);
	void (*const *control)(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps);
	void (*const *frame)(sess_id s, struct rd frame);
	void (*const *call_up)(sess_id s);
	void (*const *call_close)(sess_id s);
	void (*const *close)(sess_id s, const struct sess_end *end);
	bool (*const *authenticate)(sess_id s, const struct auth_request *req);
	void (*const *auth_cancel)(sess_id s);
	void (*const *auth_result)(sess_id s, const struct auth_result *res);
	void (*const *tunnel_close)(tunn_id t);
	bool (*const *pre_auth)(sess_id s, struct login *login);
	bool (*const *post_auth)(sess_id s, enum auth_proto proto, bool allowed);
	void (*const *avpair)(sess_id s, const char *key, const char *value);
	enum avpair_verdict (*avpair_check)(sess_id s, const char *key, const char *value);
	void (*const *avpair_reset)(sess_id s);
	void (*const *account)(sess_id s, struct wr *attrs);
	void (*const *role)(bool master);
	const struct hook_member *const *members; /* a member's function may be NULL */
	const struct hook_tunnel_member *tunnel_member;
};

/* Start-up: the one list of who hears what. */
void hook_init(const struct hook_table *table);

/* An event of a session, to all. */
void hook_session(sess_id s, enum sess_event ev);

/* An L2TP control message, from the data path: its header and a cursor over its AVPs. */
void hook_control(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps);

/* A PPP frame that is not an IP packet (protocol field still in front), from the data path. */
void hook_frame(sess_id s, struct rd frame);

/* The call is up: PPP may begin. */
void hook_call_up(sess_id s);

/* PPP has said good-bye (or never will): send CDN and free the session. */
void hook_call_close(sess_id s);

/* Anybody: end this session, with a word to the subscriber. Nothing happens when it is ending. */
void hook_close(sess_id s, const struct sess_end *end);

/* Who this is: the first subscriber that takes the request answers later by hook_auth_result(). */
bool hook_authenticate(sess_id s, const struct auth_request *req);
void hook_auth_result(sess_id s, const struct auth_result *res);

/* Nobody waits for the answer any more. */
void hook_auth_cancel(sess_id s);

/* Before a login is asked for: false refuses it. */
bool hook_pre_auth(sess_id s, struct login *login);

/* Behind the answer: whether he is to be let in, all considered. */
bool hook_post_auth(sess_id s, enum auth_proto proto, bool allowed);

/* Policy by name: each `key=value` of a Cisco-AVPair. A reset comes before those of a CoA. */
void hook_avpair(sess_id s, const uint8_t *text, size_t len);

/* The worst that is known of its pairs. Changes nothing. */
enum avpair_verdict hook_avpair_check(sess_id s, const uint8_t *text, size_t len);
void hook_avpair_reset(sess_id s);

/* An accounting record is made: more attributes. */
void hook_account(sess_id s, struct wr *attrs);

/*
 * Looks at each packet from (rx) and to (tx) subscribers, and may change it in place;
 * false drops it. NULL while nobody wants to, which is all it costs then.
 */
typedef bool (*hook_packet_fn)(sess_id s, void *data, size_t len);
extern hook_packet_fn hook_packet_rx, hook_packet_tx;

/* This member is the master now, or a slave. Each of both may be told again. */
void hook_role(bool master);

/* What engines have of a session or a tunnel, see struct hook_member. */
void hook_export(sess_id s, struct repl_session *r);
void hook_install(sess_id s, const struct repl_session *r);
void hook_remove(sess_id s);
void hook_adopt(sess_id s);
void hook_yield(sess_id s);
const struct hook_tunnel_member *hook_tunnel_member(void);

/*
 * A new master has not adopted all it has yet: something is to happen to this session or tunnel,
 * which so has its turn. The pointers are repl_state.c's, NULL while there is nothing to adopt.
 */
extern void (*hook_wake_session)(sess_id s);
extern void (*hook_wake_tunnel)(tunn_id t);
void hook_wake(sess_id s);
void hook_wake_for_tunnel(tunn_id t);

/* An operator: close the tunnel, CDN for each session first. */
void hook_tunnel_close(tunn_id t);

/* Takes a session down once: remembers why, stops forwarding, raises SESS_EV_DOWN. False: was down.
 */
bool hook_session_down(sess_id s, const struct sess_end *end);

#endif
