/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every file may know: the version, hard limits, id types and the names of
 * the structs that travel between modules. Includes nothing of ours.
 */
#ifndef L2TPNS_H
#define L2TPNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define L2TPNS_VERSION "3.0.0"

/* Internal names of a session and a tunnel; zero is none. The 16-bit wire ids are others. */
typedef uint32_t sess_id;
typedef uint32_t tunn_id;

enum {
	MAX_SESSIONS_LIMIT = 1000000, /* highest max_sessions one may set */
	MAX_TUNNELS_LIMIT = 65000,    /* tunnel ids on the wire are 16 bit */
	USER_LEN = 256,		      /* user name with its final NUL: RADIUS takes 253 octets */
	NUMBER_LEN = 64,	      /* calling and called number */
	HOSTNAME_LEN = 128,	      /* host names of peers and ours */
	SECRET_LEN = 128,	      /* shared secrets */
};

/* How a login is proven, in LCP's words. */
enum auth_proto { AUTH_NONE, AUTH_PAP, AUTH_CHAP, AUTH_MSCHAPV2 };

struct pkt;
struct session;
struct sess_fast;
struct tunnel;
struct config;

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)	       (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	       ((a) < (b) ? (a) : (b))
#define MAX(a, b)	       ((a) > (b) ? (a) : (b))

#endif
