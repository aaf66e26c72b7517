/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: rates by RADIUS, in kbit/s. Cisco-AVPair
 *
 *	throttle=yes			both ways throttle_speed
 *	throttle=no			none
 *	throttle=RATE			both ways
 *	throttle=in RATE		from the subscriber
 *	throttle=out RATE		to him
 *	throttle=in RATE out RATE	(a comma may stand between)
 *	lcp:interface-config#N=service-policy input RATE
 *	lcp:interface-config#N=service-policy output RATE
 *
 * A service-policy with a name in place of a number is meant for another router. A CoA's
 * reset takes the rates away, until its pairs bring others. Accounting records of a
 * session with a rate have `throttle=yes`.
 */
#include "plugin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_RATE = 10000000, VENDOR_CISCO = 9, CISCO_AVPAIR = 1, MAX_WORDS = 4, TEXT_SIZE = 256 };

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

static int
parse_rate(const char *text, uint32_t *rate)
{
	char *end;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return 0;
	n = strtoul(text, &end, 10);
	*rate = (uint32_t)n;
	return *end == '\0' && n <= MAX_RATE;
}

/* Words between blanks and commas; how many, MAX_WORDS + 1 when there are more. */
static int
split(char *text, char *words[MAX_WORDS])
{
	char *save = NULL, *word;
	int n = 0;

	for (word = strtok_r(text, " \t,", &save); word; word = strtok_r(NULL, " \t,", &save)) {
		if (n == MAX_WORDS)
			return MAX_WORDS + 1;
		words[n++] = word;
	}
	return n;
}

/* "in 300 out 200": 0 when it is not that. */
static int
parse_ways(char *const words[], int n, uint32_t *in, uint32_t *out)
{
	int i;

	if (n != 2 && n != 4)
		return 0;
	*in = *out = PLUGIN_RATE_KEEP;
	for (i = 0; i < n; i += 2) {
		uint32_t *rate = strcmp(words[i], "in") == 0	? in
				 : strcmp(words[i], "out") == 0 ? out
								: NULL;

		if (!rate || !parse_rate(words[i + 1], rate))
			return 0;
	}
	return 1;
}

/* The value of `throttle`. 0 when it is none that we know. */
static int
parse_throttle(const char *value, uint32_t *in, uint32_t *out)
{
	char text[TEXT_SIZE] = "", *words[MAX_WORDS];
	int n;

	if (strlen(value) >= sizeof(text))
		return 0;
	memcpy(text, value, strlen(value) + 1);
	n = split(text, words);
	if (n != 1)
		return parse_ways(words, n, in, out);
	*in = 0;
	if (strcmp(words[0], "yes") == 0) {
		if (!parse_rate(f->get_config("throttle_speed"), in))
			return 0;
	} else if (strcmp(words[0], "no") != 0 && !parse_rate(words[0], in)) {
		return 0;
	}
	*out = *in;
	return 1;
}

/* What a pair asks for. 1: it is ours; 0: it is not; -1: it cannot be. */
static int
by_throttle(plugin_session s, const char *value, uint32_t *in, uint32_t *out)
{
	if (!parse_throttle(value, in, out))
		f->log(PLUGIN_LOG_WARNING, s,
		    "throttle=%s is not yes, no, RATE or in RATE out RATE", value);
	else if (strcmp(value, "yes") == 0 && *in == 0)
		f->log(PLUGIN_LOG_WARNING, s, "throttle=yes, but throttle_speed is not set");
	else
		return 1;
	return -1;
}

/* "service-policy input 300" */
static int
by_interface_config(plugin_session s, const char *value, uint32_t *in, uint32_t *out)
{
	char text[TEXT_SIZE] = "", *words[MAX_WORDS];
	uint32_t rate;
	int is_in;

	if (strlen(value) >= sizeof(text))
		return 0;
	memcpy(text, value, strlen(value) + 1);
	if (split(text, words) != 3 || strcasecmp(words[0], "service-policy") != 0)
		return 0;
	is_in = strcasecmp(words[1], "input") == 0;
	if (!is_in && strcasecmp(words[1], "output") != 0)
		return 0;
	if (!parse_rate(words[2], &rate)) {
		f->log(PLUGIN_LOG_INFO, s, "service-policy %s is not a rate", words[2]);
		return 0;
	}
	*in = is_in ? rate : PLUGIN_RATE_KEEP;
	*out = is_in ? PLUGIN_RATE_KEEP : rate;
	return 1;
}

static int
understand(plugin_session s, const char *key, const char *value, uint32_t *in, uint32_t *out)
{
	static const char config[] = "lcp:interface-config";

	if (strcmp(key, "throttle") == 0)
		return by_throttle(s, value, in, out);
	if (strncmp(key, config, sizeof(config) - 1) == 0)
		return by_interface_config(s, value, in, out);
	return 0;
}

int
plugin_radius_response(struct param_radius_response *p)
{
	uint32_t in, out;

	if (understand(p->s, p->key, p->value, &in, &out) > 0)
		f->throttle(p->s, in, out);
	return PLUGIN_RET_OK;
}

int
plugin_radius_check(struct param_radius_check *p)
{
	uint32_t in, out;
	int is_ours = understand(p->s, p->key, p->value, &in, &out);

	return is_ours < 0 ? PLUGIN_RET_ERROR : is_ours > 0 ? PLUGIN_RET_STOP : PLUGIN_RET_OK;
}

int
plugin_radius_reset(struct param_radius_reset *p)
{
	f->throttle(p->s, 0, 0);
	return PLUGIN_RET_OK;
}

int
plugin_radius_account(struct param_radius_account *p)
{
	static const char text[] = "throttle=yes";
	uint32_t in, out;

	f->get_throttle(p->s, &in, &out);
	if (in || out)
		f->radius_add(p->packet, VENDOR_CISCO, CISCO_AVPAIR, text, sizeof(text) - 1);
	return PLUGIN_RET_OK;
}
