/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: rates by nsctl, in kbit/s.
 *
 *	throttle USER|SID			to throttle_speed, both ways
 *	throttle USER|SID RATE			to RATE, both ways
 *	throttle USER|SID in RATE		from the subscriber; what is not named stays
 *	throttle USER|SID out RATE		to the subscriber
 *	throttle USER|SID in RATE out RATE
 *	unthrottle USER|SID
 */
#include "plugin.h"

#include <stdlib.h>
#include <string.h>

int plugin_api_version = PLUGIN_API_VERSION;

enum { HIGHEST_RATE = 10000000 }; /* kbit/s */

static const struct pluginfuncs *f;

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

static int
parse_rate(const char *word, uint32_t *rate)
{
	unsigned long value = strtoul(word, NULL, 10);

	if (word[0] == '\0' || word[strspn(word, "0123456789")] || value < 1 ||
	    value > HIGHEST_RATE)
		return 0;
	*rate = (uint32_t)value;
	return 1;
}

/* [RATE | in RATE | out RATE ...] to rates; the word that is wrong, or NULL. */
static const char *
read_rates(int argc, char **argv, uint32_t *in, uint32_t *out)
{
	int i;

	if (argc == 1) {
		if (!parse_rate(argv[0], in))
			return argv[0];
		*out = *in;
		return NULL;
	}
	*in = *out = PLUGIN_RATE_KEEP;
	for (i = 0; i + 1 < argc; i += 2) {
		uint32_t *which = strcmp(argv[i], "in") == 0	? in
				  : strcmp(argv[i], "out") == 0 ? out
								: NULL;

		if (!which)
			return argv[i];
		if (!parse_rate(argv[i + 1], which))
			return argv[i + 1];
	}
	return i < argc ? argv[i] : NULL;
}

static int
throttle(struct param_control *p)
{
	plugin_session s;
	uint32_t in, out;
	const char *wrong;

	if (p->argc < 2)
		return f->refuse(p, "usage: %s USER|SID [RATE|in RATE|out RATE ...]", p->argv[0]);
	s = f->find_session(p->argv[1]);
	if (!s)
		return f->refuse(p, "user %s is not connected", p->argv[1]);
	if (p->argc == 2) {
		if (!parse_rate(f->get_config("throttle_speed"), &in))
			return f->refuse(
			    p, "%s: no rate is given, and throttle_speed is not set", p->argv[0]);
		out = in;
	} else {
		wrong = read_rates(p->argc - 2, p->argv + 2, &in, &out);
		if (wrong)
			return f->refuse(
			    p, "%s is not RATE (1..10000000 kbit/s), in RATE or out RATE", wrong);
	}
	f->throttle(s, in, out);
	if (!f->is_throttled(s))
		return f->refuse(p, "all buckets are in use: user %s is not throttled", p->argv[1]);
	p->response = 1;
	return PLUGIN_RET_STOP;
}

static int
unthrottle(struct param_control *p)
{
	plugin_session s;

	if (p->argc != 2)
		return f->refuse(p, "usage: %s USER|SID", p->argv[0]);
	s = f->find_session(p->argv[1]);
	if (!s)
		return f->refuse(p, "user %s is not connected", p->argv[1]);
	f->throttle(s, 0, 0);
	p->response = 1;
	return PLUGIN_RET_STOP;
}

int
plugin_control(struct param_control *p)
{
	int is_throttle = strcmp(p->argv[0], "throttle") == 0;

	if (strcmp(p->argv[0], "help") == 0) {
		f->control_help("throttle USER|SID [RATE|in RATE|out RATE]",
		    "limit rates, in kbit/s; to throttle_speed if none is given");
		f->control_help("unthrottle USER|SID", "limit them no longer");
		return PLUGIN_RET_OK;
	}
	if (!is_throttle && strcmp(p->argv[0], "unthrottle") != 0)
		return PLUGIN_RET_OK;
	if (!p->iam_master)
		return PLUGIN_RET_NOTMASTER;
	return is_throttle ? throttle(p) : unthrottle(p);
}
