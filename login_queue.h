/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logins on their way to RADIUS: how many are asked at once, and in which order the others
 * have their turn. Stands in the hook list where radius.c would.
 */
#ifndef LOGIN_QUEUE_H
#define LOGIN_QUEUE_H

#include "hook.h"

/* Tables; start-up only, after session_init() and radius_init(). */
void login_queue_init(uint32_t max_tunnels);

/*
 * Hook authenticate: asks at once or in its turn; the answer comes by hook_auth_result().
 * Too many wait already: the answer is AUTH_BUSY, at once. False: no server is configured.
 */
bool login_queue_authenticate(sess_id s, const struct auth_request *req);

/* Hook auth_cancel: forgets the login, be it waiting or asked about. */
void login_queue_cancel(sess_id s);

/* Hook auth_result, in front of the one who wanted to know: what it tells of the servers. */
void login_queue_result(sess_id s, const struct auth_result *res);

/* Session events: a session that goes has nothing to ask. */
void login_queue_session(sess_id s, enum sess_event ev);

#endif
