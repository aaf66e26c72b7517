/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passing events and requests to the subscribers of the one table in l2tpns.c. This
 * file knows nobody; it walks arrays of functions. The one thing done here is the
 * end of a session's service, which must happen once whoever begins it.
 */
#include "hook.h"
#include "avpair.h"
#include "counter.h"
#include "tunnel.h"
#include "util.h"

static const struct hook_table *hooks;
hook_packet_fn hook_packet_rx, hook_packet_tx;
void (*hook_wake_session)(sess_id s);
void (*hook_wake_tunnel)(tunn_id t);

#define CALL_ALL(list, ...)                                                                        \
	for (unsigned int i_ = 0; hooks->list[i_]; i_++)                                           \
	hooks->list[i_](__VA_ARGS__)

void
hook_init(const struct hook_table *table)
{
	hooks = table;
}

void
hook_wake(sess_id s)
{
	if (hook_wake_session)
		hook_wake_session(s);
}

void
hook_wake_for_tunnel(tunn_id t)
{
	if (hook_wake_tunnel)
		hook_wake_tunnel(t);
}

void
hook_session(sess_id s, enum sess_event ev)
{
	hook_wake(s);
	CALL_ALL(session, s, ev);
}

void
hook_control(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps)
{
	hook_wake_for_tunnel(tunnel_by_wire(h->wire_tid));
	CALL_ALL(control, pkt, h, avps);
}

void
hook_frame(sess_id s, struct rd frame)
{
	hook_wake(s);
	CALL_ALL(frame, s, frame);
}

void
hook_call_up(sess_id s)
{
	CALL_ALL(call_up, s);
}

void
hook_call_close(sess_id s)
{
	hook_wake(s);
	CALL_ALL(call_close, s);
}

void
hook_close(sess_id s, const struct sess_end *end)
{
	hook_wake(s);
	CALL_ALL(close, s, end);
}

bool
hook_authenticate(sess_id s, const struct auth_request *req)
{
	unsigned int i;

	for (i = 0; hooks->authenticate[i]; i++)
		if (hooks->authenticate[i](s, req))
			return true;
	return false;
}

void
hook_auth_result(sess_id s, const struct auth_result *res)
{
	CALL_ALL(auth_result, s, res);
}

void
hook_auth_cancel(sess_id s)
{
	CALL_ALL(auth_cancel, s);
}

void
hook_tunnel_close(tunn_id t)
{
	hook_wake_for_tunnel(t);
	CALL_ALL(tunnel_close, t);
}

bool
hook_pre_auth(sess_id s, struct login *login)
{
	unsigned int i;

	for (i = 0; hooks->pre_auth[i]; i++)
		if (!hooks->pre_auth[i](s, login))
			return false;
	return true;
}

bool
hook_post_auth(sess_id s, enum auth_proto proto, bool allowed)
{
	unsigned int i;

	for (i = 0; hooks->post_auth[i]; i++)
		allowed = hooks->post_auth[i](s, proto, allowed);
	return allowed;
}

void
hook_avpair(sess_id s, const uint8_t *text, size_t len)
{
	char line[AVPAIR_TEXT];
	const char *pos = line;
	struct avpair pair;

	str_copy_n(line, sizeof(line), text, len);
	while (avpair_next(&pos, &pair))
		CALL_ALL(avpair, s, pair.key, pair.value);
}

enum avpair_verdict
hook_avpair_check(sess_id s, const uint8_t *text, size_t len)
{
	enum avpair_verdict worst = AVPAIR_GOOD, one;
	char line[AVPAIR_TEXT];
	const char *pos = line;
	struct avpair pair;

	str_copy_n(line, sizeof(line), text, len);
	while (avpair_next(&pos, &pair)) {
		one = hooks->avpair_check(s, pair.key, pair.value);
		worst = MAX(worst, one);
	}
	return pos == line ? AVPAIR_UNKNOWN : worst; /* commas and blanks are no pair */
}

void
hook_avpair_reset(sess_id s)
{
	CALL_ALL(avpair_reset, s);
}

void
hook_account(sess_id s, struct wr *attrs)
{
	CALL_ALL(account, s, attrs);
}

void
hook_role(bool master)
{
	CALL_ALL(role, master);
}

/* Each member's function of that name. */
#define CALL_MEMBERS(fn, ...)                                                                      \
	for (const struct hook_member *const *m_ = hooks->members; m_ && *m_; m_++)                \
		if ((*m_)->fn)                                                                     \
	(*m_)->fn(__VA_ARGS__)

void
hook_export(sess_id s, struct repl_session *r)
{
	CALL_MEMBERS(export, s, r);
}

void
hook_install(sess_id s, const struct repl_session *r)
{
	CALL_MEMBERS(install, s, r);
}

void
hook_remove(sess_id s)
{
	CALL_MEMBERS(remove, s);
}

void
hook_adopt(sess_id s)
{
	CALL_MEMBERS(adopt, s);
}

void
hook_yield(sess_id s)
{
	CALL_MEMBERS(yield, s);
}

const struct hook_tunnel_member *
hook_tunnel_member(void)
{
	return hooks->tunnel_member;
}

bool
hook_session_down(sess_id id, const struct sess_end *end)
{
	const struct session *s = session_get(id);

	hook_wake(id);
	session_set_end(id, end);
	if (s->down)
		return false;
	session_forwarding(id, false);
	session_set_down(id);
	slog(s, LOG_INFO, "session of %s ends: %s, %s", s->user[0] ? s->user : "*",
	    term_cause_names[s->end.cause], s->end.message);
	hook_session(id, SESS_EV_DOWN);
	return true;
}
