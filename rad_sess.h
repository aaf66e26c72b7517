/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes that tell a RADIUS server which call a request is about: the same
 * in Access- and Accounting-Requests.
 */
#ifndef RAD_SESS_H
#define RAD_SESS_H

#include "session.h"
#include "wire.h"

enum { RAD_ACCT_ID_TEXT = 17, RAD_PORT_ID_TEXT = 32 };

/* Appends NAS-*, Service-Type, station ids, speeds, tunnel, Acct-Session-Id and access line
 * attributes. */
void rad_sess_put(struct wr *w, const struct session *s);

/* The part of it that is about us: NAS-IP-Address and NAS-Identifier. */
void rad_sess_put_nas(struct wr *w);

/* Acct-Session-Id: 8 hex digits of the time the call came in and 8 of its number. */
void rad_sess_acct_id(const struct session *s, char text[RAD_ACCT_ID_TEXT]);

/* NAS-Port-Id: "l2tp:TUNNEL:SESSION". NAS-Port is the sess_id. */
void rad_sess_port_id(const struct session *s, char text[RAD_PORT_ID_TEXT]);

#endif
