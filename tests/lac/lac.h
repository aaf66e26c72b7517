/*
 * The test LAC's two nouns: a tunnel to the LNS and a session (call) in it. One process holds
 * some ten thousand of one and some hundred thousand of the other; both live in tables that are
 * touched only as used, and are named by their index in commands and answers.
 */
#ifndef LAC_LAC_H
#define LAC_LAC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "chan.h"
#include "timer.h"

enum { MAX_TUNNELS = 65535, MAX_SESSIONS = 1 << 20, TEXT_MAX = 128 };

enum auth_kind { AUTH_NONE, AUTH_PAP, AUTH_CHAP, AUTH_ANY };

/* What one `tunnel` command asked for; shared by its tunnels, freed when they are forgotten. */
struct tunnel_profile {
	struct tunnel_profile *next;
	char secret[TEXT_MAX];
	char hostname[TEXT_MAX];
	bool challenge; /* we challenge the LNS */
	bool hidden;	/* hide the AVPs that may be hidden */
	bool half;	/* never answer the SCCRP */
	bool tie_breaker;
	uint16_t window;
	uint32_t timeout_ms;
	uint32_t hello_ms;  /* 0: we send no HELLO */
	uint8_t extra[512]; /* AVPs put behind those of the SCCRQ */
	size_t extra_len;
};

enum tunnel_state { T_FREE, T_WAIT_REPLY, T_WAIT_ACK, T_UP, T_STOPPING, T_CLOSED };

struct session;
struct sock;

struct tunnel {
	enum tunnel_state state;
	uint16_t my_tid;
	uint16_t peer_tid;
	uint16_t result; /* of the StopCCN, either way */
	uint16_t error;
	bool frozen;	 /* take nothing, send nothing */
	bool trace;	 /* print control messages */
	bool challenged; /* the LNS wanted a response */
	bool counted;	 /* the running command knows its fate */
	uint8_t challenge[16];
	const char *text; /* of the StopCCN, or what we disliked */
	const char *peer_name;
	struct tunnel_profile *prof;
	struct sock *sock;
	struct sockaddr_in peer;
	struct chan chan;
	struct timer timer; /* setup limit, settle time, hello */
	uint64_t start_us;
	uint64_t up_us;
	struct session **by_slot; /* our session id, descrambled, to session */
	uint32_t slot_room;	  /* a power of two, at most 65,536 */
	uint32_t slot_next;
	uint32_t calls;	     /* sessions not closed */
	uint32_t setting_up; /* of these, whose fate is not known */
};

/* What one `session` command asked for; shared by its sessions, freed when they are forgotten. */
struct profile {
	struct profile *next;
	char user[TEXT_MAX]; /* may contain one %d or %0Nd */
	char password[TEXT_MAX];
	char calling[TEXT_MAX];
	char called[TEXT_MAX];
	enum auth_kind auth;
	uint16_t mru;
	uint32_t ip; /* to ask for; 0: none */
	uint32_t magic_seed;
	uint32_t tx_speed;
	uint32_t rx_speed;
	uint32_t timeout_ms;
	uint32_t restart_ms;
	uint8_t offset; /* Offset field in data packets: pad so many bytes; 0: no field */
	bool dns, pfc, acfc, race, sequencing, proxy, length_bit;
	bool router; /* takes packets to any destination: there are networks behind it */
};

enum session_state {
	S_FREE,
	S_CALL,	   /* ICRQ sent */
	S_LCP,	   /* ICCN sent */
	S_AUTH,	   /* LCP open */
	S_IPCP,	   /* authenticated */
	S_UP,	   /* IPCP open */
	S_REFUSED, /* login refused, the LNS has not yet closed */
	S_TERM,	   /* Terminate-Request came, the LNS has not yet closed */
	S_CLOSING, /* we sent Terminate-Request */
	S_CLOSED,
};

enum why { WHY_NONE, WHY_CDN, WHY_LCP, WHY_AUTH, WHY_TIMEOUT, WHY_TUNNEL, WHY_LOCAL, WHY_PPP };

/* Negotiation of one control protocol, RFC 1661 reduced to what a test peer needs. */
struct cp {
	uint8_t id;    /* of our last Configure-Request */
	uint8_t tries; /* how many of these */
	uint8_t want;  /* options still asked for, a bit each */
	bool acked;    /* by the peer */
	bool acking;   /* we acked the peer's */
};

struct session {
	struct timer timer; /* restart and setup limit */
	struct tunnel *t;
	struct profile *prof;
	const char *text; /* last authentication message, or why it ended */
	uint64_t start_us;
	uint32_t number; /* for %d */
	uint32_t setup_us;
	uint32_t ip, peer_ip, dns1, dns2;
	uint32_t magic;
	uint16_t my_sid, peer_sid;
	uint16_t mru, peer_mru;
	uint16_t auth_proto; /* what LCP agreed on; 0: none */
	uint16_t result, error, cause;
	uint16_t data_ns, data_nr; /* sequence numbers of data packets */
	uint16_t ip_id;
	uint8_t state, why;
	uint8_t pap_id;
	uint8_t renegotiations; /* of LCP */
	struct cp lcp, ipcp;
	bool lcp_started;
	bool peer_acfc, peer_pfc; /* the LNS can receive these */
	bool silent;		  /* answer no LCP echo */
	bool trace;		  /* print PPP control frames */
	bool frozen;
	bool counted; /* the running `session` command knows its fate */
	int tun_fd;   /* attached device; 0: none */
	/* traffic */
	uint64_t tx_seq, tx_bytes;
	uint64_t rx_packets, rx_bytes, rx_seq, rx_lost;
	uint32_t rx_corrupt, rx_late;
	uint32_t echo_requests; /* LCP */
};

/* Totals of the process; one line of `stats`. */
struct totals {
	uint64_t rx_datagrams, rx_control, rx_data;
	uint64_t rx_packets, rx_bytes, rx_corrupt, rx_lost, rx_late, rx_misrouted, rx_other;
	uint64_t rx_fragments;
	uint64_t tx_packets, tx_bytes;
	uint64_t unknown_tunnel, unknown_session, early_ip;
	uint64_t ppp_repeats; /* requests of LCP, PAP and IPCP that went unanswered for too long */
	uint64_t retransmits, duplicates, reordered, zlb_sent, zlb_received;
	uint64_t violations; /* what the LNS did against an RFC */
	uint64_t lcp_echo, icmp_errors;
	uint64_t rx_first_us, rx_last_us; /* of pattern packets */
};

extern struct tunnel *tunnels;
extern uint32_t tunnel_count; /* indices in use are 0 .. count-1 */
extern struct session *sessions;
extern uint32_t session_count;
extern struct totals totals;
extern struct sockaddr_in lns;
extern struct in_addr lac_addr; /* ours, when none is named */
extern bool events_on;

static inline uint32_t
tunnel_index(const struct tunnel *t)
{
	return (uint32_t)(t - tunnels);
}

static inline uint32_t
session_index(const struct session *s)
{
	return (uint32_t)(s - sessions);
}

static inline bool
session_open(const struct session *s)
{
	return s->state > S_FREE && s->state < S_CLOSED;
}

/* An `event` line, unless events are off. */
void event(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Counts what the LNS did against an RFC, and shows the first ones as events. */
void violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A lasting copy of peer text; equal texts share one. Unprintable bytes become '.'. */
const char *intern(const uint8_t *p, size_t n);
/* Turns "user%03d" and 7 to "user007". */
void expand(char *dst, size_t room, const char *pattern, uint32_t number);

#endif
