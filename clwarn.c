/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members that should hear each other and do not: a secret that one has not got or has otherwise, a
 * release that is too old, an address that two have, a link that is not there. Each of
 * these comes with each message, ten times a second; it is told once.
 *
 * Who sends such messages may be anybody, so there is room for a few addresses only, and when it is
 * full of what is younger than an hour no more are told of: the counters are there still.
 *
 * Owns what was told. Called by clpost.c and cluster.c.
 */
#include "clwarn.h"
#include "config.h"
#include "log.h"
#include "util.h"

#include <string.h>

enum {
	PLACES = 32,
	AGAIN_MS = 60 * 60 * 1000,
	PAUSE_MS = 60 * 1000, /* between two of one kind, though it was right in between */
	TWIN_TIMES = 5,	      /* one process follows another at an address: that is a restart */
	TWIN_MS = 30 * 1000,
};

static const char *const texts[] = {
	[CLWARN_OTHER_SECRET] = "has another cluster_secret: it is not heard",
	[CLWARN_SIGNED] = "signs its messages, and no cluster_secret is set here: it is not heard",
	[CLWARN_UNSIGNED] =
	    "does not sign its messages: no cluster_secret is set there: it is not heard",
	[CLWARN_FORMAT] = "speaks another version of the protocol and is not heard: its release is "
			  "too far from ours",
	[CLWARN_FAR] = "is not heard: it is not of the network of cluster_interface, and no "
		       "cluster_secret is set",
	[CLWARN_TWINS] = "is the address of two members, or somebody repeats what was said there",
};

static struct place {
	uint32_t address; /* network order; 0: free */
	uint32_t lasting; /* a bit for each of enum clwarn: told, and not right since */
	uint32_t twins;	  /* messages of the other process */
	uint64_t twin_ms; /* since when they are counted */
	uint64_t told_ms[CLWARN_KINDS]; /* 0: never */
} places[PLACES];
static unsigned int n_lasting; /* places where something lasts: a look is to cost nothing */
static char trouble[128];

/* --- who is not heard --- */

static uint64_t
last_told(const struct place *p)
{
	uint64_t last = 0;
	int i;

	for (i = 0; i < CLWARN_KINDS; i++)
		last = MAX(last, p->told_ms[i]);
	return MAX(last, p->twin_ms);
}

/* The place of an address: NULL when there is none for one that is new. */
static struct place *
place_of(uint32_t address, uint64_t now_ms)
{
	struct place *p, *oldest = places;

	for (p = places; p < places + PLACES; p++) {
		if (p->address == address)
			return p;
		if (last_told(p) < last_told(oldest))
			oldest = p;
	}
	if (oldest->address && now_ms - last_told(oldest) < AGAIN_MS)
		return NULL;
	n_lasting -= oldest->lasting != 0;
	*oldest = (struct place){ .address = address };
	return oldest;
}

/* A member that was killed and is back looks like another one for a moment. */
static bool
is_twin(struct place *p, uint64_t now_ms)
{
	if (now_ms - p->twin_ms > TWIN_MS) {
		p->twin_ms = now_ms;
		p->twins = 0;
	}
	return ++p->twins > TWIN_TIMES;
}

static bool
is_due(const struct place *p, enum clwarn what, uint64_t now_ms)
{
	uint64_t pause = p->lasting >> what & 1 ? AGAIN_MS : PAUSE_MS;

	return p->told_ms[what] == 0 || now_ms - p->told_ms[what] >= pause;
}

void
clwarn(uint32_t from, enum clwarn what, uint64_t now_ms)
{
	struct place *p = place_of(from, now_ms);

	if (!p || (what == CLWARN_TWINS && !is_twin(p, now_ms)) || !is_due(p, what, now_ms))
		return;
	n_lasting += p->lasting == 0;
	p->lasting |= (uint32_t)1 << what;
	p->told_ms[what] = now_ms;
	plog(LOG_ERROR, "cluster: %s %s", ip4_text(from), texts[what]);
}

void
clwarn_heard(uint32_t from)
{
	const uint32_t twins = (uint32_t)1 << CLWARN_TWINS; /* one of them is heard */
	struct place *p;

	for (p = places; n_lasting && p < places + PLACES; p++)
		if (p->address == from && p->lasting & ~twins) {
			p->lasting &= twins;
			n_lasting -= !p->lasting;
			return;
		}
}

/* --- the link --- */

/* `lo`, or none at all, is how one says that there is no cluster. */
static bool
is_wanted(void)
{
	const char *interface = conf->cluster_interface;

	return conf->cluster_secret[0] || config_is_set(conf, "cluster_address") ||
	       (config_is_set(conf, "cluster_interface") && interface[0] &&
		   strcmp(interface, "lo") != 0);
}

void
clwarn_link(enum clsock_result result, const char *why)
{
	const char *now = result == CLSOCK_OPEN || !is_wanted() ? "" : why;

	if (strcmp(trouble, now) == 0)
		return;
	str_copy(trouble, sizeof(trouble), now);
	if (now[0])
		plog(LOG_ERROR, "cluster: %s: this member serves alone, whoever else does", now);
}

const char *
clwarn_trouble(void)
{
	return trouble;
}
