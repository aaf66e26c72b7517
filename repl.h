/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of the cluster, Docs/cluster-protocol.md: what a member must know of a session,
 * a tunnel and so on, as tagged fields. Sees no tables, clock or sockets. A record says
 * how its object is now, with the version of that; what has an older version than what is
 * there already is to be ignored, so they may come in any order and twice.
 *
 *	while (repl_next(&fields, &rec))
 *		if (rec.kind == REPL_SESSION && !rec.gone && repl_get_session(&rec, &s))
 *			session_install(&s);
 *	if (fields.bad) ... malformed
 *
 * Times are ages, in tenths of a second; lists and local addresses go by their names and
 * not by a number of ours.
 */
#ifndef REPL_H
#define REPL_H

#include "config.h"
#include "l2tpns.h"
#include "note.h"
#include "session.h"
#include "wire.h"

enum repl_kind {
	REPL_SESSION = 1,
	REPL_TUNNEL = 2,
	REPL_CHAN = 3,	     /* a control message that waits in a tunnel's queue */
	REPL_ACCT = 4,	     /* an accounting record that waits, or has arrived */
	REPL_POOL = 5,	     /* an address, and who had it last */
	REPL_COUNT = 6,	     /* a session's counters, and whose they are */
	REPL_ENDED = 7,	     /* a session that the master who offers this has ended */
	REPL_MARK = 8,	     /* how far accounting records are known */
	REPL_DAE = 9,	     /* a Disconnect- or CoA-Request that was answered */
	REPL_USAGE = 10,     /* what usage files tell of a session */
	REPL_USAGE_RUN = 11, /* which of them are in force */
	REPL_USAGE_END = 12, /* what a session that has ended has still to tell */
	REPL_KINDS
};

enum {
	REPL_NOTES = 6144,	/* octets of a session's notes, heads included */
	REPL_MESSAGE = 1400,	/* longest control message */
	REPL_ACCT_ATTRS = 3296, /* longest attributes of an accounting record */
	REPL_MEMBERS = 33,	/* whose counters are told */
	REPL_POOL_NAME = 32,
	REPL_CHALLENGE = 16,
	REPL_AUTHENTICATOR = 16,
	REPL_LONGEST = 12288, /* no record is longer */
};

/* What an accounted session has beside struct session. */
struct repl_account {
	uint8_t state;	     /* enum state of acct.c: 0 not accounted, 1 held, 2 started */
	uint32_t age_ds;     /* since its Start */
	uint32_t interim_ds; /* until its next Interim-Update; 0: none */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets; /* counters at its Start */
};

/* What a session has moved in the garden, which no usage file tells. */
struct repl_garden {
	uint8_t known;		       /* it has been there */
	uint64_t past_up, past_down;   /* in former stays */
	uint64_t since_up, since_down; /* its counters when it came in */
};

/* What PPP has beside struct session (struct ppp), for an established session to go on. */
struct repl_ppp {
	uint8_t lcp_id, lcp_last_id, ipcp_id, ipcp_last_id; /* struct cp: id, last_id */
	uint8_t authtype;
	uint8_t auth_id; /* of the challenge, or of the PAP request */
	uint8_t echo_id;
	uint8_t ask_mru, ask_magic, heard;
	uint8_t auth_done, served, proxied;
	uint8_t ask_address, any_address, has_address;
	uint8_t announced;
	uint8_t challenge[REPL_CHALLENGE];
	uint16_t our_mru; /* struct ppp: mru, magic, which renegotiation begins with */
	uint32_t our_magic;
	char pool[REPL_POOL_NAME];
};

struct repl_session {
	uint32_t id; /* sess_id */
	uint64_t version;
	struct sess_rec rec; /* but notes, filter_in and filter_out, which are below */
	uint8_t on;	     /* forwards: SF_ON */
	uint32_t login;	     /* struct session: number of its login */
	uint32_t age_ds;     /* since it was opened */
	char filter_in[CONF_ACL_NAME], filter_out[CONF_ACL_NAME]; /* ""; none */
	struct repl_account acct;
	struct repl_ppp ppp;
	struct repl_garden garden;
	/* both chains of note.h, by repl_add_note(): [kind 1, len 1, tag 2 (big endian), data] */
	uint16_t notes_len;
	uint8_t notes[REPL_NOTES];
};

struct repl_tunnel {
	uint32_t id; /* tunn_id */
	uint64_t version;
	uint8_t state; /* enum tunnel_state */
	uint8_t sequencing;
	uint8_t hides;	    /* the peer hides AVPs: so do we */
	uint8_t challenged; /* opening: we sent `challenge` */
	uint8_t chan_open;
	uint16_t wire_tid, peer_tid; /* host order */
	uint32_t local_ip;	     /* our address that it talks to, network order */
	uint32_t peer_ip;	     /* network order */
	uint16_t peer_port;	     /* host order */
	uint16_t peer_window;
	uint32_t peer_framing;
	int64_t opened;		/* wall clock, seconds */
	uint32_t age_ds;	/* since it was made */
	uint16_t ns, nr, acked; /* struct chan; high too, when that is not ns */
	uint16_t high;
	uint16_t replaces; /* opening: wire id of the tunnel that the peer had before; 0: none */
	uint8_t challenge[REPL_CHALLENGE];
	char hostname[HOSTNAME_LEN], vendor[HOSTNAME_LEN];
};

/* A queued control message. Its id is made of tunnel and ns. It goes as a tombstone. */
struct repl_chan {
	uint64_t version;
	uint16_t tunnel; /* tunn_id */
	uint16_t ns;
	uint16_t len;
	uint8_t data[REPL_MESSAGE];
};

/* An accounting record. When it has arrived it is `done`, without attributes. Its version is
 * 1, or 2 when it was amended. */
struct repl_acct {
	uint32_t id; /* number of it, counted by `origin` */
	uint64_t version;
	uint64_t origin; /* incarnation of who made it */
	uint8_t done;
	uint8_t status;	  /* enum rad_acct_status */
	uint32_t session; /* sess_id, for people only */
	uint64_t key;	  /* struct acct_rec: of its session */
	uint32_t age_ds;  /* since it was made */
	uint16_t len;
	uint8_t attrs[REPL_ACCT_ATTRS];
};

/* All accounting records of an origin up to a number were told, here or before: what has not been
 * told as waiting has arrived. */
struct repl_mark {
	uint32_t id; /* the number */
	uint64_t version;
	uint64_t origin;
};

/* A request of RFC 5176 that was answered (struct dae_id), and how. */
struct repl_dae {
	uint32_t id; /* a number of the master's, not 0 */
	uint64_t version;
	uint32_t ip; /* of the client, network order */
	uint16_t port;
	uint8_t request; /* its Identifier */
	uint8_t stamped; /* has an Event-Timestamp */
	uint8_t authenticator[REPL_AUTHENTICATOR];
	uint16_t cause;	 /* Error-Cause of the answer; 0: an ACK */
	uint32_t age_ds; /* since it was answered */
};

/* An address of the pool that is remembered for a user. */
struct repl_pool {
	uint64_t version;
	uint32_t ip4;	 /* network order; its id */
	uint32_t age_ds; /* since he gave it back */
	char user[USER_LEN];
};

/* A session that has ended for good. Its id is the number of it, `unique`. */
struct repl_ended {
	uint32_t unique;	     /* sess_rec.unique */
	uint16_t wire_tid, wire_sid; /* our ids of its tunnel and of itself */
};

/*
 * Up to where its counters stand in usage files when that run's is in force. In an offer: how much
 * of that who offers it has told.
 */
struct repl_usage {
	uint32_t id; /* sess_id */
	uint64_t version;
	uint32_t unique; /* sess_rec.unique */
	uint32_t run;
	uint64_t up, down;
	uint64_t own_up, own_down;
};

/* Its id is the number of the run that is in force. It tells of those that have ended, of an origin
 * up to a number; they are `over` when its file stands. */
struct repl_usage_run {
	uint32_t id;
	uint64_t version; /* one higher with each decision */
	uint64_t origin;  /* 0: of none */
	uint32_t told;
	uint8_t over;
};

struct repl_usage_end {
	uint32_t id; /* number of it, counted by `origin` */
	uint64_t version;
	uint64_t origin; /* incarnation of who made it */
	uint32_t unique; /* sess_rec.unique */
	uint32_t ip4;	 /* network order */
	uint8_t throttled;
	uint8_t place;		     /* where it came from: a letter */
	uint32_t run;		     /* the one under way when it ended; 0: none */
	uint64_t up, down;	     /* what is left to tell */
	uint64_t less_up, less_down; /* so much less when that run is in force */
	char user[USER_LEN];
};

/* Counters of a session, for a full synchronisation: the sum, and what of it each member has told.
 */
struct repl_count {
	uint32_t id; /* sess_id */
	uint64_t version;
	uint32_t unique;	    /* sess_rec.unique */
	uint32_t data_ds, frame_ds; /* 0.1 s since its last IP packet, its last frame, anywhere */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
	unsigned int n;
	struct repl_member {
		uint64_t incarnation;
		uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets; /* last absolute ones seen */
	} member[REPL_MEMBERS];
};

/*
 * Adds a record to a message. False when there is no room: the message is as it was. With an
 * empty message of CLMSG_LARGEST octets there always is.
 */
bool repl_put_session(struct wr *w, const struct repl_session *s);
bool repl_put_tunnel(struct wr *w, const struct repl_tunnel *t);
bool repl_put_chan(struct wr *w, const struct repl_chan *c);
bool repl_put_acct(struct wr *w, const struct repl_acct *a);
bool repl_put_pool(struct wr *w, const struct repl_pool *p);
bool repl_put_count(struct wr *w, const struct repl_count *c);
bool repl_put_ended(struct wr *w, const struct repl_ended *e);
bool repl_put_mark(struct wr *w, const struct repl_mark *m);
bool repl_put_dae(struct wr *w, const struct repl_dae *d);
bool repl_put_usage(struct wr *w, const struct repl_usage *u);
bool repl_put_usage_run(struct wr *w, const struct repl_usage_run *r);
bool repl_put_usage_end(struct wr *w, const struct repl_usage_end *e);

/* A tombstone: there is no such object any more (REPL_SESSION, REPL_TUNNEL, REPL_CHAN). */
bool repl_put_gone(struct wr *w, enum repl_kind kind, uint32_t id, uint64_t version);

/* A record as it lies in a message. */
struct repl_record {
	uint8_t kind; /* enum repl_kind, or one we do not know */
	bool gone;    /* is a tombstone: no fields */
	uint32_t id;
	uint64_t version;
	struct rd fields;
};

/* The next record among the fields of a message; false at the end, and, with fields->bad, where it
 * is malformed. */
bool repl_next(struct rd *fields, struct repl_record *rec);

/* Reads a record of that kind, all of the struct. False when it is malformed or has a value that
 * cannot be. */
bool repl_get_session(const struct repl_record *rec, struct repl_session *s);
bool repl_get_tunnel(const struct repl_record *rec, struct repl_tunnel *t);
bool repl_get_chan(const struct repl_record *rec, struct repl_chan *c);
bool repl_get_acct(const struct repl_record *rec, struct repl_acct *a);
bool repl_get_pool(const struct repl_record *rec, struct repl_pool *p);
bool repl_get_count(const struct repl_record *rec, struct repl_count *c);
bool repl_get_ended(const struct repl_record *rec, struct repl_ended *e);
bool repl_get_mark(const struct repl_record *rec, struct repl_mark *m);
bool repl_get_dae(const struct repl_record *rec, struct repl_dae *d);
bool repl_get_usage(const struct repl_record *rec, struct repl_usage *u);
bool repl_get_usage_run(const struct repl_record *rec, struct repl_usage_run *r);
bool repl_get_usage_end(const struct repl_record *rec, struct repl_usage_end *e);

/* The id of a control message, and its parts. */
uint32_t repl_chan_id(uint16_t tunnel, uint16_t ns);
uint16_t repl_chan_tunnel(uint32_t id);
uint16_t repl_chan_ns(uint32_t id);

/* All zero, but for the room of the notes, which is not touched. */
void repl_clear_session(struct repl_session *s);

/* Notes of both chains, in order. False: no room. *pos begins at 0; false at the end. */
bool repl_add_note(struct repl_session *s, const struct note *n);
bool repl_next_note(const struct repl_session *s, uint16_t *pos, struct note *n);

#endif
