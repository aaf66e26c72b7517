/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session table. struct session is the cold part, struct sess_fast the cache
 * line that the data path touches; both lie in shared memory and are written here
 * only. Engines read through const pointers and change by setters; a CLI child
 * copies with session_snapshot().
 */
#ifndef SESSION_H
#define SESSION_H

#include "l2tpns.h"
#include "ll.h"
#include "log.h"

enum sess_state {
	SESS_FREE,
	SESS_OPENING, /* ICRQ taken, ICRP sent, waiting for ICCN */
	SESS_OPEN,    /* call is up; PPP runs */
	SESS_CLOSING, /* down; PPP says good-bye, CDN follows */
};

enum ppp_phase { PPP_DEAD, PPP_ESTABLISH, PPP_AUTHENTICATE, PPP_NETWORK, PPP_TERMINATE };

/* Control protocols whose state is kept in struct session for `show session`. */
enum sess_cp { SESS_CP_LCP, SESS_CP_IPCP, SESS_CP_IPV6CP, SESS_CP_CCP, SESS_CPS };

/* Acct-Terminate-Cause, RFC 2866 5.10: also our name for why a session ended. */
enum term_cause {
	TERM_NONE = 0,
	TERM_USER_REQUEST = 1,
	TERM_LOST_CARRIER = 2,
	TERM_LOST_SERVICE = 3,
	TERM_IDLE_TIMEOUT = 4,
	TERM_SESSION_TIMEOUT = 5,
	TERM_ADMIN_RESET = 6,
	TERM_ADMIN_REBOOT = 7,
	TERM_PORT_ERROR = 8,
	TERM_NAS_ERROR = 9,
	TERM_NAS_REQUEST = 10,
	TERM_NAS_REBOOT = 11,
	TERM_USER_ERROR = 17,
	TERM_HOST_REQUEST = 18,
};

/* Acct-Authentic, RFC 2866 5.6: who knew the subscriber. NONE: he was refused, and let in by a
 * plugin. */
enum authentic { AUTHENTIC_NONE = 0, AUTHENTIC_RADIUS = 1, AUTHENTIC_LOCAL = 2 };

/* PPP Disconnect Cause Codes of RFC 3145, as far as we send them, and at whose side the cause is.
 */
enum disconnect {
	DISC_NONE = 0,
	DISC_ADMIN = 1,
	DISC_TERMINATED = 3, /* LCP Terminate-Request */
	DISC_LCP_TIMEOUT = 5,
	DISC_NO_LCP = 6, /* no recognisable packet */
	DISC_LOOP = 7,
	DISC_ECHO = 8,
	DISC_AUTH_TIMEOUT = 13,
	DISC_AUTH_REFUSED = 15, /* the protocol */
	DISC_AUTH_FAILED = 16,
	DISC_NCP_TIMEOUT = 17,
	DISC_NO_NCP = 18,
	DISC_ADDRESS = 19,
};

enum disconnect_side { DISC_GLOBAL, DISC_PEER, DISC_LOCAL };

/* Why and how a session ends: for the Stop record, the CDN and the log. */
struct sess_end {
	uint16_t cause;		      /* enum term_cause */
	uint16_t result;	      /* CDN result code, RFC 2661 4.4.2 */
	uint16_t error;		      /* its general error code, for result 2 */
	uint16_t disconnect;	      /* enum disconnect; 0: no AVP about it */
	uint16_t disconnect_protocol; /* the control protocol it is about; 0: none */
	uint8_t disconnect_side;      /* enum disconnect_side */
	bool elsewhere;		      /* at another master, which has made the Stop */
	bool guess;	  /* since nobody answers or uses it, not that anybody said so */
	char message[64]; /* for people; in the CDN too */
};

enum sess_flags {
	SF_ON = 1,	 /* forwarding; set last, cleared first */
	SF_SEQUENCE = 2, /* data packets carry Ns and Nr */
	SF_ROUTES = 4,	 /* has more than its own address: ask iptab for the source */
	/* has a policy that struct session tells; a packet without any of these needs no look there
	 */
	SF_FILTER = 8,	  /* access lists */
	SF_THROTTLE = 16, /* rates */
	SF_SNOOP = 32,	  /* is intercepted */
	SF_GARDEN = 64,	  /* sits in the walled garden */
	SF_POLICY = SF_FILTER | SF_THROTTLE | SF_SNOOP | SF_GARDEN,
};

struct sess_fast {
	uint32_t flags;	    /* enum sess_flags */
	uint32_t peer_ip;   /* LAC, network order */
	uint16_t peer_port; /* network order */
	uint16_t peer_tid;  /* the LAC's ids, network order */
	uint16_t peer_sid;
	uint16_t mtu;	 /* of inner packets to the subscriber */
	uint32_t ip4;	 /* the subscriber's, network order */
	uint16_t tunnel; /* tunn_id */
	uint8_t local;	 /* which local address it talks to, see udp.h */
	uint8_t spare;
	uint32_t last_data; /* 0.1 s of the loop clock: last IP packet either way; 0: unknown */
	uint32_t last_rx;   /* the same: last frame of any kind from the peer */
	uint64_t rx_bytes, rx_packets; /* from the subscriber, inner IP */
	uint64_t tx_bytes, tx_packets; /* to him */
};

_Static_assert(sizeof(struct sess_fast) == 64, "a cache line");

/* What a member of a cluster must know of a session, beside its counters. */
struct sess_rec {
	uint32_t tunnel;	     /* tunn_id */
	uint16_t wire_sid, peer_sid; /* our id and the LAC's, host order */
	uint32_t unique;	     /* number of this session, for Acct-Session-Id */
	int64_t opened;		     /* wall clock, seconds: to show and for records only */
	uint32_t call_serial;
	uint32_t tx_speed, rx_speed;   /* of the line, bit/s, as the LAC says */
	uint32_t ip4, netmask;	       /* network order; 0: none yet */
	uint32_t dns1, dns2;	       /* network order; 0: not given */
	uint32_t session_timeout;      /* s; 0: none */
	uint32_t idle_timeout;	       /* s; 0: none */
	uint32_t interim;	       /* s, Acct-Interim-Interval; 0: none given */
	uint16_t mru;		       /* the peer may send us so much */
	uint16_t peer_mru;	       /* we may send the peer so much */
	uint16_t radius_mtu;	       /* Framed-MTU; 0: none */
	uint8_t state;		       /* enum sess_state */
	uint8_t phase;		       /* enum ppp_phase */
	uint8_t cp[SESS_CPS];	       /* enum cp_state of each */
	uint8_t auth;		       /* enum auth_proto agreed */
	uint8_t pooled;		       /* its address is from the pool */
	uint8_t sequencing;	       /* the LAC asked for sequence numbers */
	uint8_t authed;		       /* has logged in; before, people see "*" */
	uint8_t authentic;	       /* by whom: enum authentic */
	uint8_t down;		       /* SESS_EV_DOWN was raised */
	uint8_t accounted;	       /* its Start was made, and its Stop not yet */
	uint8_t answered;	       /* has its ICRP */
	uint32_t magic, peer_magic;    /* LCP magic numbers */
	uint32_t notes;		       /* chain of note.h */
	uint32_t rate_in, rate_out;    /* kbit/s from and to the subscriber; 0: not throttled */
	uint32_t snoop_ip;	       /* network order: who gets copies; 0: nobody */
	uint16_t snoop_port;	       /* host order */
	uint8_t filter_in, filter_out; /* access lists by number (filter.h); 0: none */
	uint8_t garden;		       /* in the walled garden */
	char user[USER_LEN];
	char called[NUMBER_LEN], calling[NUMBER_LEN];
	struct sess_end end;
};

struct session {
	uint32_t seq;	  /* odd while being written */
	uint32_t login;	  /* number of its login since start; 0: none yet */
	uint32_t scratch; /* chain of note.h: what only PPP needs, and for a while */
	struct id_link tunnel_link, user_link, calling_link;
	uint32_t began_ds; /* 0.1 s of the loop clock: what its age is counted from */
	struct sess_rec;
};

/* Tables for max_sessions sessions. Start-up only. */
void session_init(uint32_t max_sessions);

/*
 * A private array beside the session table, one zeroed record of `size` octets a
 * session id, for an engine's own state. Its owner zeroes a record at SESS_EV_GONE;
 * when many sessions have gone, the memory of the upper part is given back.
 */
void *session_table(const char *what, size_t size);

/*
 * A new session inside a tunnel, SESS_OPENING, with an unpredictable wire id that is
 * unique in it. 0 when the table or the tunnel's ids are full (counted).
 */
sess_id session_new(tunn_id t, uint16_t peer_sid);

/* Gives the record back. The caller has raised the hooks. */
void session_free(sess_id id);

/*
 * For repl_state.c: puts a record of the master's in the place of that id, which is free or has
 * this very session; its notes and policy lists stay as they are here. -1: there is no such
 * place or tunnel, or another session has its wire id. SF_ON is not touched.
 */
int session_place(sess_id id, const struct sess_rec *rec, uint32_t age_ds, uint32_t login);

/* A place that is free; 0: none is. */
sess_id session_free_place(void);

/* The same: forgets all its notes, scratch too; those of the record are added one by one. */
void session_drop_notes(sess_id id);

/* The record of a session in use, NULL for any other id. Not to be kept past a callback. */
const struct session *session_get(sess_id id);
struct sess_fast *session_fast(sess_id id);
sess_id session_id(const struct session *s);

/* The session that a LAC's packet names; 0 when there is none. The prefetch warms the cache for it.
 */
sess_id session_by_wire(uint16_t wire_tid, uint16_t wire_sid);
void session_prefetch(uint16_t wire_tid, uint16_t wire_sid);

/* The call that a LAC names by its own session id, for repeated ICRQs; 0: none. */
sess_id session_by_peer(tunn_id t, uint16_t peer_sid);

/* The session of that number since start (sess_rec.unique); 0: none. */
sess_id session_by_unique(uint32_t unique);

/* The first session of a user who has logged in; session_next_of_user() gives the others, then 0.
 */
sess_id session_by_user(const char *user);
sess_id session_next_of_user(sess_id id);

/* Who was refused and sits in the garden: the name may be another's. Let out, it is his. */
bool session_is_unproven(const struct session *s);

/* The same for those from a calling number, logged in or not. */
sess_id session_by_calling(const char *calling);
sess_id session_next_of_calling(sess_id id);

/* The number of the latest login: who comes later has a higher one. */
uint32_t session_last_login(void);

/* Sessions of a tunnel: head of the list and the next one; 0 at the end. */
sess_id session_first_of_tunnel(tunn_id t);
sess_id session_next_of_tunnel(sess_id id);

uint32_t session_count(void);
sess_id session_highest(void);

/* For CLI children and slow walks only. */
#define FOR_EACH_SESSION(id)                                                                       \
	for (sess_id id = 1, last_ = session_highest(); id <= last_; id++)                         \
		if (session_get(id))

/* A consistent copy while the parent may write; false: not in use (or too busy, after many tries).
 */
bool session_snapshot(sess_id id, struct session *copy);

/*
 * Setters. Each is one write section. Those of what others must know before an answer to it leaves
 * mark the session as changed (change.h); what is negotiated on the way goes with the next of them.
 */
void session_set_state(sess_id id, enum sess_state state);
void session_set_phase(sess_id id, enum ppp_phase phase);
void session_set_cp(sess_id id, enum sess_cp cp, uint8_t state);
void session_set_numbers(sess_id id, const char *called, const char *calling, uint32_t serial);
void session_set_speeds(sess_id id, uint32_t tx_speed, uint32_t rx_speed);
void session_set_sequencing(sess_id id, bool on);
void session_set_lcp(
    sess_id id, uint16_t mru, uint16_t peer_mru, uint32_t magic, uint32_t peer_magic);
void session_set_auth(sess_id id, enum auth_proto auth);
void session_set_user(sess_id id, const char *user); /* claimed */
void session_set_authed(sess_id id);		     /* proven: session_by_user() finds it now */
void session_set_ip4(sess_id id, uint32_t ip4, uint32_t netmask, bool pooled);
void session_set_dns(sess_id id, uint32_t dns1, uint32_t dns2);
void session_set_timeouts(sess_id id, uint32_t session_sec, uint32_t idle_sec);
void session_set_accounting(sess_id id, enum authentic authentic, uint32_t interim_sec);
void session_set_accounted(sess_id id, bool on);
void session_set_answered(sess_id id);
void session_set_mtu(sess_id id, uint16_t radius_mtu);
void session_set_rates(sess_id id, uint32_t in_kbit, uint32_t out_kbit);
void session_set_filters(sess_id id, uint8_t in, uint8_t out);
void session_set_snoop(sess_id id, uint32_t ip, uint16_t port);
void session_set_garden(sess_id id, bool on);

/* Remembers why it ends. False when it was ending already: the first reason stays. */
bool session_set_end(sess_id id, const struct sess_end *end);
void session_set_down(sess_id id);

/* Adds a note (note.h). -1 when there is no room: counted and logged. */
int session_add_note(sess_id id, uint8_t kind, uint16_t tag, const void *data, size_t len);

struct note;

/* Puts these in place of the notes of a kind (not of scratch). -1 when there is no room: counted
 * and logged, and nothing was done. */
int session_replace_notes(sess_id id, uint8_t kind, const struct note *with, unsigned int n);

/* Forgets the notes that only PPP needs (struct session, scratch). */
void session_drop_scratch(sess_id id);

/* Works out the fast part afresh from session and tunnel, and sets or clears SF_ON. */
void session_forwarding(sess_id id, bool on);

/* The tunnel's peer has another address or port. */
void session_follow_tunnel(sess_id id);

/* Seconds since it was opened, and since its last data; whatever the wall clock does. */
uint32_t session_age(const struct session *s);
uint32_t session_idle(sess_id id);

extern const char *const ppp_phase_names[];
extern const char
    *const term_cause_names[]; /* by number, holes are NULL; up to TERM_HOST_REQUEST */

/* Log lines with tunnel and session in front. */
#define slog(s, level, ...)                                                                        \
	do {                                                                                       \
		if (log_on(level))                                                                 \
			log_write((level), session_id(s), (s)->tunnel, __VA_ARGS__);               \
	} while (0)
#define slog_limit(s, level, ...) log_limited(level, session_id(s), (s)->tunnel, __VA_ARGS__)

#endif
