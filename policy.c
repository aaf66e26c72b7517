/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doors for the policy of one session. Each compares with what is in force, so that
 * asking twice is harmless, then sets, logs and raises SESS_EV_CHANGED: tbf.c takes or
 * gives back buckets then. Called by the CLI's parent side, RADIUS and plugins.
 */
#include "policy.h"
#include "util.h"

static uint32_t
new_rate(uint32_t asked, uint32_t now)
{
	return asked == POLICY_KEEP ? now : MIN(asked, POLICY_MAX_KBIT);
}

void
policy_throttle(sess_id id, uint32_t in_kbit, uint32_t out_kbit)
{
	const struct session *s = session_get(id);
	uint32_t in = new_rate(in_kbit, s->rate_in), out = new_rate(out_kbit, s->rate_out);

	/* the same rates again may find the buckets that were not free before */
	if (in != s->rate_in || out != s->rate_out)
		slog(s, LOG_INFO, "rates %u/%u kbit/s --> %u/%u", (unsigned)s->rate_in,
		    (unsigned)s->rate_out, (unsigned)in, (unsigned)out);
	session_set_rates(id, in, out);
	hook_session(id, SESS_EV_CHANGED);
}

void
policy_snoop(sess_id id, uint32_t ip, uint16_t port)
{
	const struct session *s = session_get(id);

	if (ip == s->snoop_ip && port == s->snoop_port)
		return;
	if (ip)
		slog(s, LOG_INFO, "intercepted, copies to %s:%u", ip4_text(ip), port);
	else
		slog(s, LOG_INFO, "no longer intercepted");
	session_set_snoop(id, ip, ip ? port : 0);
	hook_session(id, SESS_EV_CHANGED);
}

void
policy_garden(sess_id id, bool on)
{
	const struct session *s = session_get(id);

	if (on == (bool)s->garden)
		return;
	slog(s, LOG_INFO, on ? "put into the garden" : "let out of the garden");
	session_set_garden(id, on);
	hook_session(id, SESS_EV_CHANGED);
}
