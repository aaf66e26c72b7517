/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server's reply to an Access-Request says, as far as we heed it. */
#ifndef RAD_REPLY_H
#define RAD_REPLY_H

#include "hook.h"
#include "radattr.h"

/*
 * Decodes an Access-Accept (verdict AUTH_ACCEPTED). Attributes that are malformed or
 * make no sense are left out with a line in the log. `res` is written whole; its
 * class and pair pointers point into the packet.
 */
void radius_decode_accept(const struct rad_packet *p, struct auth_result *res);

/* The same for an Access-Reject or Access-Challenge: AUTH_REFUSED, and the texts. */
void radius_decode_reject(const struct rad_packet *p, struct auth_result *res);

#endif
