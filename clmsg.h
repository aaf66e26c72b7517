/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the members of a cluster, Docs/cluster-protocol.md: written, read,
 * signed. Sees no tables, clock or sockets. One message a UDP packet, numbers big endian:
 *
 *	magic 2, format 1, kind 1, flags 2, reserved 2, incarnation 8, receiver 8, counter 8,
 *	term 4
 *	fields (clfield.h)
 *	with CLMSG_SIGNED: HMAC-SHA-256 over all before it, 32
 *
 * To send one:
 *
 *	w = clmsg_begin(buf, CLMSG_PACKET, &head);
 *	clmsg_put_heartbeat(&w, &hb);
 *	len = clmsg_seal(&w, &key);
 *
 * and to hear one: clmsg_open(), the guard (clguard.h), clmsg_get_...(fields, ...). Whatever
 * is put, a message that is not full is closed with clmsg_seal(), which has kept its room.
 */
#ifndef CLMSG_H
#define CLMSG_H

#include "l2tpns.h"
#include "wire.h"

#include <nettle/hmac.h>

enum {
	CLMSG_FORMAT = 1,
	CLMSG_HEADER = 36,
	CLMSG_MAC = 32,
	CLMSG_NONCE = 16,
	CLMSG_CHALLENGE = CLMSG_HEADER + 4 + 4 + 4 + CLMSG_NONCE, /* octets of one, unsigned */
	CLMSG_SOFTWARE = 32,					  /* a version with its NUL */
	CLMSG_SETTING = 40, /* the name of a setting with its NUL */
	/* what messages are filled up to, so that they fit any Ethernet */
	CLMSG_PACKET = 1400,
	/* no message is longer: one record, or a forwarded packet, that does not fit CLMSG_PACKET
	 * goes in a longer message of its own, and the kernel fragments it */
	CLMSG_LARGEST = 16384,
};

enum clmsg_kind {
	CL_HEARTBEAT = 1,
	CL_CHALLENGE = 2,  /* prove that you are alive: a nonce */
	CL_PROOF = 3,	   /* the same nonce */
	CL_CHANGE = 4,	   /* records, in the order of the stream */
	CL_RESEND = 5,	   /* CHANGEs that have been lost */
	CL_SYNC_ASK = 6,   /* send me all there is */
	CL_SYNC = 7,	   /* a part of that: records */
	CL_SYNC_ACK = 8,   /* parts of a SYNC or an OFFER that have come */
	CL_FORWARD = 9,	   /* a packet for another member to deal with */
	CL_COUNT = 10,	   /* counters of sessions */
	CL_COUNT_ASK = 11, /* tell the counters of these sessions at once */
	CL_OFFER = 12,	   /* as SYNC, from a master that steps down */
	CL_LEAVE = 13,
	CL_FORWARD_ACK = 14, /* FORWARDs that have come */
	CLMSG_KINDS
};

/* Tags of the fields of messages, whatever kind they are in. */
enum clmsg_tag {
	CLT_RECORD = 1, /* repl.h */
	CLT_ROLE = 2,
	CLT_FLAGS = 3,
	CLT_UPTIME = 4,
	CLT_VERSION = 5,
	CLT_SEQ = 6,
	CLT_ADDRESS = 7,
	CLT_HOST = 8,
	CLT_SOFTWARE = 9,
	CLT_SESSIONS = 10,
	CLT_TUNNELS = 11,
	CLT_MASTER = 12,
	CLT_NONCE = 13,
	CLT_FROM = 14,
	CLT_TO = 15,
	CLT_SYNC = 16,
	CLT_PART = 17,
	CLT_LAST = 18,
	CLT_WHAT = 19,
	CLT_FROM_IP = 20,
	CLT_FROM_PORT = 21,
	CLT_TO_IP = 22,
	CLT_TO_PORT = 23,
	CLT_PAYLOAD = 24,
	CLT_COUNT = 25,
	CLT_SUCCESSOR = 26,
	CLT_SESSION = 27,
	CLT_BASE = 28,
	CLT_BEFORE = 29,
	CLT_FILL = 30, /* nothing: so that a message has its length */
	CLT_NUMBER = 31,
	CLT_HEARD = 32,
	CLT_HEARS = 33,
	CLT_SETTING = 40,
	CLT_DIGEST = 41,
};

/* In front of every message. */
struct cl_head {
	uint8_t kind;	      /* enum clmsg_kind, or one we do not know */
	uint64_t incarnation; /* of who sent it: random, another one at each start */
	uint64_t receiver;    /* incarnation of whom it is for; 0: all */
	uint64_t counter;     /* his: one higher with each message that he sends */
	uint32_t term;	      /* of the mastership he knows */
	uint16_t len;	      /* octets without the signature, of one that was opened */
};

/* Whether a kind goes to one member alone, who is named in it. */
bool clmsg_names_receiver(uint8_t kind);

/* The key schedule of cluster_secret. Zeroed: there is none, messages are not signed. */
struct clmsg_key {
	bool set;
	struct hmac_sha256_ctx ctx;
};

/* "": none. */
void clmsg_set_key(struct clmsg_key *key, const char *secret);

/*
 * Begins a message in `buf`, at most `size` octets with its signature. The cursor ends where
 * the signature's room begins: fill it until it is bad, or as far as you like.
 */
struct wr clmsg_begin(void *buf, size_t size, const struct cl_head *head);

/* Octets of the message, signed when there is a key; 0 when something did not fit. */
size_t clmsg_seal(struct wr *w, const struct clmsg_key *key);

/* Whether a message says that it is signed: with what key, or whether it is, is another question.
 */
bool clmsg_says_signed(const void *packet, size_t len);

enum clmsg_verdict {
	CLMSG_OK,
	CLMSG_MALFORMED,
	CLMSG_OTHER_FORMAT, /* of a version that is too far from ours */
	CLMSG_BAD_MAC,	    /* another key: signed by us and not by him or the reverse, too */
};

/*
 * Reads the head and gives a cursor over the fields, which stay in the packet. Nothing of it is
 * to be believed but with CLMSG_OK. A kind that we do not know is CLMSG_OK too.
 */
enum clmsg_verdict clmsg_open(const void *packet, size_t len, const struct clmsg_key *key,
    struct cl_head *head, struct rd *fields);

/* ---- what is in them. Each clmsg_get is total, and false for what a member would not send. ----
 */

enum cl_role { CL_SLAVE, CL_MASTER };

enum cl_flags {
	CL_HOLDS_STATE = 1,  /* has sessions or tunnels, or had been told that there are none */
	CL_UP_TO_DATE = 2,   /* could become master without loss */
	CL_ACKNOWLEDGES = 4, /* as master: FORWARDs that have a number */
	CL_DRAWS = 8,	     /* traffic: routers have its routes */
	CL_TELLS_HEARS = 16, /* whom it hears */
};

enum { CLMSG_HEARS = 32 }; /* members that one heartbeat tells of */

struct cl_heartbeat {
	uint8_t role;	/* enum cl_role */
	uint16_t flags; /* enum cl_flags */
	uint64_t uptime_ms;
	uint64_t version; /* highest table version it has */
	uint64_t seq;	  /* master: last CHANGE it sent; slave: last one up to which it has all */
	uint64_t master;  /* incarnation of the master it follows, or its own; 0: knows none */
	uint64_t base;	  /* master: table version with which its mastership began */
	uint64_t before;  /* master: incarnation of the one before, all of whose tables it had */
	uint32_t address; /* its own among the members, network order */
	uint32_t sessions, tunnels; /* that it has */
	char host[HOSTNAME_LEN];
	char software[CLMSG_SOFTWARE]; /* its version */
	uint64_t hears[CLMSG_HEARS];   /* incarnations of whom it has heard lately; then 0 */
	char setting[CLMSG_SETTING];   /* one that members should have alike (clsame.h) */
	uint32_t digest;	       /* of its value; 0: no setting is told */
};

/* CHALLENGE and PROOF. */
struct cl_proof {
	uint8_t nonce[CLMSG_NONCE];
	uint32_t address; /* who sends this, network order: so that nobody can pass it on */
};

struct cl_change {
	uint64_t seq; /* one higher with each CHANGE of a mastership */
};

struct cl_resend {
	uint64_t from, to; /* CHANGEs, both included */
};

struct cl_sync_ask {
	uint32_t sync; /* a number that the asker chose; the parts carry it */
};

/* SYNC and OFFER. */
struct cl_sync {
	uint32_t sync;
	uint32_t part;	  /* counted from 1 */
	uint8_t last;	  /* no more parts */
	uint64_t seq;	  /* of the last CHANGE when the walk began: the stream goes on behind it */
	uint64_t version; /* of the table then: what the walk passed without is gone */
};

struct cl_sync_ack {
	uint32_t sync;
	uint32_t part; /* up to here all have come */
};

enum cl_what {
	CL_L2TP = 1,	/* UDP payload that came to our L2TP address */
	CL_IP_DOWN = 2, /* IP packet for a subscriber, as from the tun */
	CL_DAE = 3,	/* UDP payload that came to our DAE port */
};

struct cl_forward {
	uint8_t what;		     /* enum cl_what, or one we do not know */
	uint32_t session;	     /* sess_id it is of, when that is known */
	uint32_t from_ip, to_ip;     /* network order */
	uint16_t from_port, to_port; /* host order */
	uint64_t number;	     /* it is repeated until it is acknowledged; 0: it is not */
	const uint8_t *payload;	     /* stays where it is */
	size_t len;
};

enum { CL_FORWARD_WINDOW = 1024 };

struct cl_forward_ack {
	uint64_t number; /* the highest that has come */
	/* of the CL_FORWARD_WINDOW numbers up to it: bit n % 8 of octet n / 8 % 128 for number n */
	uint8_t heard[CL_FORWARD_WINDOW / 8];
};

/* A session's counters; in COUNT_ASK, all but the first two are 0. */
struct cl_count {
	uint32_t session; /* sess_id */
	uint32_t unique;  /* sess_rec.unique: so that it is no other's of the same id */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets; /* the sender's own, since its start */
	uint32_t data_ds,
	    frame_ds; /* 0.1 s since the last IP packet, the last frame; that it saw */
};

struct cl_leave {
	uint64_t successor; /* of a master: incarnation of who is to take over; 0: nobody */
};

/* Never shorter than a CHALLENGE, which answers one. */
void clmsg_put_heartbeat(struct wr *w, const struct cl_heartbeat *m);
bool clmsg_get_heartbeat(struct rd fields, struct cl_heartbeat *m);
void clmsg_put_proof(struct wr *w, const struct cl_proof *m);
bool clmsg_get_proof(struct rd fields, struct cl_proof *m);

/* These come first in their message; records follow (repl_put_...). */
void clmsg_put_change(struct wr *w, const struct cl_change *m);
bool clmsg_get_change(struct rd fields, struct cl_change *m);
void clmsg_put_sync(struct wr *w, const struct cl_sync *m);
bool clmsg_get_sync(struct rd fields, struct cl_sync *m);

void clmsg_put_resend(struct wr *w, const struct cl_resend *m);
bool clmsg_get_resend(struct rd fields, struct cl_resend *m);
void clmsg_put_sync_ask(struct wr *w, const struct cl_sync_ask *m);
bool clmsg_get_sync_ask(struct rd fields, struct cl_sync_ask *m);
void clmsg_put_sync_ack(struct wr *w, const struct cl_sync_ack *m);
bool clmsg_get_sync_ack(struct rd fields, struct cl_sync_ack *m);
void clmsg_put_leave(struct wr *w, const struct cl_leave *m);
bool clmsg_get_leave(struct rd fields, struct cl_leave *m);

/* The payload is copied into the message; use a buffer of CLMSG_LARGEST. */
void clmsg_put_forward(struct wr *w, const struct cl_forward *m);
bool clmsg_get_forward(struct rd fields, struct cl_forward *m);

void clmsg_put_forward_ack(struct wr *w, const struct cl_forward_ack *m);
bool clmsg_get_forward_ack(struct rd fields, struct cl_forward_ack *m);

/* One more session; false when the message is full: it is as it was then. */
bool clmsg_put_count(struct wr *w, const struct cl_count *c);

/* The next one, moving `fields` on; false at the end, and, with fields->bad, where it is malformed.
 */
bool clmsg_next_count(struct rd *fields, struct cl_count *c);

#endif
