/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doors by which a session's service is changed while it lives, whoever asks:
 * operators, RADIUS, plugins. They write the session, tell the log, and raise
 * SESS_EV_CHANGED for those who act on it.
 */
#ifndef POLICY_H
#define POLICY_H

#include "hook.h"

enum { POLICY_MAX_KBIT = 10000000 };

/* A rate that is to stay as it is. */
#define POLICY_KEEP UINT32_MAX

/* Rates in kbit/s from and to the subscriber; 0: none; too large ones become POLICY_MAX_KBIT. */
void policy_throttle(sess_id s, uint32_t in_kbit, uint32_t out_kbit);

/* Copies of his packets go to ip (network order) and port (host order); ip 0: no longer. */
void policy_snoop(sess_id s, uint32_t ip, uint16_t port);

/* Access lists by their numbers (filter.h); 0: none. */
enum { POLICY_KEEP_LIST = -1 };
void policy_filter(sess_id s, int in, int out);

/*
 * The lists that an answer's Filter-Ids (`name.in`, `name.out`; of several the last)
 * name, POLICY_KEEP_LIST where none does. One that names no list is counted and logged;
 * -1 when that is to refuse the login (filter_unknown).
 */
int policy_filter_ids(sess_id s, const struct auth_result *res, int *in, int *out);

/* The same for one Filter-Id; it leaves the direction alone that it does not name. */
int policy_filter_id(sess_id s, const uint8_t *text, size_t len, int *in, int *out);

/* Seconds between Interim-Updates; 0: as configured. */
void policy_interim(sess_id s, uint32_t sec);

/* In the walled garden or out of it: the flag; who keeps the garden acts on it. */
void policy_garden(sess_id s, bool on);

/* Seconds since the call began, and without data, after which he is dropped; 0: never. */
void policy_timeouts(sess_id s, uint32_t session_sec, uint32_t idle_sec);

#endif
