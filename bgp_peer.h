/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BGP neighbours, for the files bgp*.c among themselves. A neighbour has a place of its own
 * by its name in the configuration, and two connections.
 */
#ifndef BGP_PEER_H
#define BGP_PEER_H

#include "bgp.h"
#include "bgp_tcp.h"
#include "bgp_tell.h"
#include "timer.h"

enum { BGP_OURS, BGP_HIS, BGP_CONNS }; /* who opened it */

/* An error in words, behind "received " or the like. */
enum { BGP_ERROR_TEXT = sizeof(((struct bgp_view *)0)->error) - 16 };

struct bgp_conn {
	struct bgp_tcp tcp;
	uint8_t state; /* enum bgp_state */
	struct timer retry, hold, keepalive;
	struct bgp_open open;		      /* his */
	unsigned int hold_sec, keepalive_sec; /* agreed upon */
};

struct bgp_peer {
	bool used;
	bool running; /* not being taken away */
	bool suspended;
	bool dirty;	       /* his view is old */
	bool unsigned_in;      /* the listener would take from him what is not signed */
	unsigned int failures; /* in a row: the RFC's ConnectRetryCounter */
	struct conf_peer conf;
	union bgp_addr addr; /* family 0: not known */
	int lookup;	     /* of resolve.h; -1: none */
	struct bgp_conn conns[BGP_CONNS];
	struct bgp_conn *up; /* the one that is Established; NULL: none */
	struct bgp_tell tell;
	enum bgp_afi refresh;	/* what a ROUTE-REFRESH asks for */
	struct bgp_error error; /* what the present event is answered with */
	struct timer send_hold;
	struct bgp_told { /* the log's last word of what is wrong, by connection */
		char text[sizeof(((struct bgp_view *)0)->error)];
		uint64_t ms;
	} told[BGP_CONNS];
	struct bgp_view view;
};

/* All places, CONF_PEERS of them. */
struct bgp_peer *bgp_peers(void);

#define FOR_EACH_PEER(p)                                                                           \
	for (struct bgp_peer *p = bgp_peers(); p < bgp_peers() + CONF_PEERS; p++)                  \
		if (p->used)

/* Whose connection it is; BGP_OURS or BGP_HIS. */
struct bgp_peer *bgp_owner(const struct bgp_conn *c);
int bgp_which(const struct bgp_peer *p, const struct bgp_conn *c);

/* ---- bgp_peer.c ---- */

void bgp_peer_init(void);

/* A neighbour begins. Is started, or stopped: connections end with `why`, and stay so. */
void bgp_peer_new(const struct conf_peer *conf_peer, bool suspended);
void bgp_peer_start(struct bgp_peer *p);
void bgp_peer_stop(struct bgp_peer *p, const struct bgp_error *why);

/* The one door for a change of a connection's state. What it brings is set before. */
void bgp_event(struct bgp_peer *p, int which, enum bgp_event ev);
void bgp_peer_error(struct bgp_peer *p, uint8_t code, uint8_t sub);

/* A connection fails: the event, and the reason for operators. */
void bgp_conn_fails(struct bgp_peer *p, int which, const char *why);

/* All neighbours are to have our routes, or none. */
void bgp_peer_serve(bool on);

/* Whether he is to have them may be different now; all once more, their attributes changed. */
void bgp_peer_retell(struct bgp_peer *p);
void bgp_peer_tell_again(struct bgp_peer *p);

/* Whether routes wait for him; the next UPDATE into his buffer. */
bool bgp_peer_has_work(const struct bgp_peer *p);
void bgp_peer_tell(struct bgp_peer *p);

/* Asks to be called when he takes something, if there is anything for him. */
void bgp_peer_arm(struct bgp_peer *p, const struct bgp_conn *c);

void bgp_peer_send_keepalive(struct bgp_peer *p, struct bgp_conn *c);

/* Timers as configured, s. */
unsigned int bgp_peer_hold(const struct bgp_peer *p);
unsigned int bgp_peer_keepalive(const struct bgp_peer *p);

/* ---- bgp_conn.c ---- */

/* Connects, once the name is known. */
void bgp_conn_begin(struct bgp_peer *p);

/* So that the kernel knows his signatures before he connects; "" takes them away. */
void bgp_conn_password(struct bgp_peer *p, const char *password);

void bgp_listen(void);
void bgp_unlisten(void);

/* ---- bgp_input.c: the loop's calls, `arg` is the connection ---- */

void bgp_on_readable(int fd, void *arg);
void bgp_on_writable(int fd, void *arg);

#endif
