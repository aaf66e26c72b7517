/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sessions that a request of RFC 5176 names. What names a single one - Acct-Session-Id,
 * NAS-Port, NAS-Port-Id, the address - is asked first, then the list of the user's sessions
 * or of those from the calling number, whichever is shorter; so no request costs a walk over
 * all sessions. Whatever the request says beside must be so too.
 *
 * Who was refused and sits in the garden has a name that he may have made up. He does not stand
 * in the way of a CoA for him whose name it is; a CoA finds him when there is nobody
 * else, so that his server can let him out. A Disconnect ends all.
 *
 * Reads tables, writes nothing. Called by dae.c.
 */
#include "dae_find.h"
#include "iptab.h"
#include "rad_sess.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Number of a session since start: the last 8 hexadecimal digits. 0 when there are none. */
static uint32_t
unique_of(const char *acct_id)
{
	size_t len = strlen(acct_id);

	return len < 8 ? 0 : (uint32_t)strtoul(acct_id + len - 8, NULL, 16);
}

static bool
has_acct_id(const struct session *s, const char *acct_id)
{
	char text[RAD_ACCT_ID_TEXT];

	rad_sess_acct_id(s, text);
	return strcasecmp(text, acct_id) == 0;
}

static bool
has_port_id(const struct session *s, const char *port_id)
{
	char text[RAD_PORT_ID_TEXT];

	rad_sess_port_id(s, text);
	return strcmp(text, port_id) == 0;
}

static bool
matches(const struct session *s, const struct dae_request *r)
{
	return s->authed && !s->down && (!(r->has & DAE_USER) || strcmp(s->user, r->user) == 0) &&
	       (!(r->has & DAE_ACCT_ID) || has_acct_id(s, r->acct_id)) &&
	       (!(r->has & DAE_FRAMED_IP) || (s->ip4 && s->ip4 == r->framed_ip)) &&
	       (!(r->has & DAE_PORT) || session_id(s) == r->port) &&
	       (!(r->has & DAE_PORT_ID) || has_port_id(s, r->port_id)) &&
	       (!(r->has & DAE_CALLING) || strcmp(s->calling, r->calling) == 0) &&
	       (!(r->has & DAE_CALLED) || strcmp(s->called, r->called) == 0);
}

/* Takes the session when it is meant; `unproven` gets those that a CoA is not for, as yet. */
static void
look_at(sess_id id, const struct dae_request *r, struct dae_found *f, struct dae_found *unproven)
{
	const struct session *s = session_get(id);

	f->looks++;
	if (!s || !matches(s, r))
		return;
	if (r->is_coa && session_is_unproven(s))
		f = unproven;
	if (f->n < DAE_MOST)
		f->ids[f->n++] = id;
	else
		f->more = true;
}

/* The one that it must be, if it is there; false when the request may mean several. */
static bool
single(const struct dae_request *r, sess_id *id)
{
	const char *last = strrchr(r->port_id, ':');

	if (r->has & DAE_ACCT_ID)
		*id = session_by_unique(unique_of(r->acct_id));
	else if (r->has & DAE_PORT)
		*id = r->port;
	else if (r->has & DAE_PORT_ID)
		*id = last ? (sess_id)strtoul(last + 1, NULL, 10) : 0;
	else if (r->has & DAE_FRAMED_IP)
		*id = iptab_exact(r->framed_ip, 32);
	else
		return false;
	return true;
}

/* Both lists are counted off together until the shorter one ends. */
static bool
calling_is_rarer(const struct dae_request *r, unsigned int *looks)
{
	sess_id u = session_by_user(r->user), c = session_by_calling(r->calling);

	for (; u && c && *looks < DAE_LOOKS / 2; ++*looks) {
		u = session_next_of_user(u);
		c = session_next_of_calling(c);
	}
	return u && !c;
}

static void
look_through(const struct dae_request *r, struct dae_found *f, struct dae_found *unproven)
{
	bool by_calling =
	    !(r->has & DAE_USER) || (r->has & DAE_CALLING && calling_is_rarer(r, &f->looks));
	sess_id s = by_calling ? session_by_calling(r->calling) : session_by_user(r->user);

	for (; s && !f->more; s = by_calling ? session_next_of_calling(s) : session_next_of_user(s))
		if (f->looks < DAE_LOOKS)
			look_at(s, r, f, unproven);
		else
			f->more = true;
}

void
dae_find(const struct dae_request *r, struct dae_found *f)
{
	struct dae_found unproven = { 0 };
	sess_id id;

	*f = (struct dae_found){ 0 };
	if (single(r, &id))
		look_at(id, r, f, &unproven);
	else
		look_through(r, f, &unproven);
	if (f->n > 0 || f->more)
		return;
	unproven.looks = f->looks;
	*f = unproven;
}
