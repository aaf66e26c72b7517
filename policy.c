/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doors for the policy of one session. Each compares with what is in force, so that
 * asking twice is harmless, then sets, logs and raises SESS_EV_CHANGED: tbf.c takes or
 * gives back buckets then, ppp.c sets its clock. Lists are counted as used by filter.c.
 * Called by the CLI's parent side, RADIUS and plugins.
 */
#include "policy.h"
#include "counter.h"
#include "filter.h"
#include "iptab.h"
#include "util.h"

#include <string.h>

enum { RAD_TEXT = 256 };

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
	if (ip && iptab_lookup(ip))
		slog(s, LOG_WARNING, "the collector is a subscriber's address: nothing is copied");
	session_set_snoop(id, ip, ip ? port : 0);
	hook_session(id, SESS_EV_CHANGED);
}

/* The name of a list for the log. */
static const char *
list_name(uint8_t list, struct filter_row *row)
{
	return list && filter_row(list, row) ? row->name : "none";
}

void
policy_filter(sess_id id, int in, int out)
{
	const struct session *s = session_get(id);
	uint8_t old_in = s->filter_in, old_out = s->filter_out;
	uint8_t new_in = in == POLICY_KEEP_LIST ? old_in : (uint8_t)in;
	uint8_t new_out = out == POLICY_KEEP_LIST ? old_out : (uint8_t)out;
	struct filter_row row_in, row_out;

	if (new_in == old_in && new_out == old_out)
		return;
	slog(s, LOG_INFO, "access lists in %s, out %s", list_name(new_in, &row_in),
	    list_name(new_out, &row_out));
	filter_attach(new_in, new_out);
	session_set_filters(id, new_in, new_out);
	filter_detach(old_in, old_out);
	hook_session(id, SESS_EV_CHANGED);
}

/* The list that a Filter-Id names, 0: none, and for which direction. */
static uint8_t
list_of_id(const char *id, bool *is_in)
{
	const char *dot = strrchr(id, '.');
	char name[CONF_ACL_NAME];

	*is_in = dot && strcmp(dot, ".in") == 0;
	if (!dot || (!*is_in && strcmp(dot, ".out") != 0) ||
	    !str_copy_n(name, sizeof(name), id, (size_t)(dot - id)))
		return 0;
	return filter_find(name);
}

int
policy_filter_id(sess_id s, const uint8_t *text, size_t len, int *in, int *out)
{
	char id[RAD_TEXT];
	bool is_in, reject = conf->filter_unknown;
	uint8_t list;

	str_copy_n(id, sizeof(id), text, len);
	list = list_of_id(id, &is_in);
	if (list) {
		*(is_in ? in : out) = list;
		return 0;
	}
	COUNT(filter_unknown);
	slog_limit(session_get(s), LOG_WARNING, "Filter-Id \"%s\" names no access list; %s", id,
	    reject ? "refused" : "ignored");
	return reject ? -1 : 0;
}

int
policy_filter_ids(sess_id s, const struct auth_result *res, int *in, int *out)
{
	unsigned int i;
	int result = 0;

	*in = *out = POLICY_KEEP_LIST;
	for (i = 0; i < res->n_filters; i++)
		if (policy_filter_id(s, res->filters[i].p, res->filters[i].len, in, out) < 0)
			result = -1;
	return result;
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

void
policy_timeouts(sess_id id, uint32_t session_sec, uint32_t idle_sec)
{
	const struct session *s = session_get(id);

	if (session_sec == s->session_timeout && idle_sec == s->idle_timeout)
		return;
	slog(s, LOG_INFO, "Session-Timeout %u --> %u s, Idle-Timeout %u --> %u s",
	    (unsigned)s->session_timeout, (unsigned)session_sec, (unsigned)s->idle_timeout,
	    (unsigned)idle_sec);
	session_set_timeouts(id, session_sec, idle_sec);
	hook_session(id, SESS_EV_CHANGED);
}

void
policy_interim(sess_id id, uint32_t sec)
{
	const struct session *s = session_get(id);

	if (sec == s->interim)
		return;
	slog(s, LOG_INFO, "Acct-Interim-Interval %u --> %u s", (unsigned)s->interim, (unsigned)sec);
	session_set_accounting(id, (enum authentic)s->authentic, sec);
	hook_session(id, SESS_EV_CHANGED);
}
