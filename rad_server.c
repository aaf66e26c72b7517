/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which RADIUS server to ask. Owns the lists of servers, one for each kind of request,
 * made from primary_radius and secondary_radius, with the little that is learnt of each
 * one. Accounting is at the port behind that of the logins (RFC 2866 3, and always so).
 *
 * A server is dead after three requests in a row that had all their tries at it and
 * no answer, with no reply to any other request between. Then new requests begin at
 * the other server, but for one every 30 seconds that asks the dead one first; any
 * genuine reply brings it to life. A dead server behind a living one is not probed
 * so: that would cost a subscriber seconds and tell nothing that matters before the
 * first one fails, and then it is asked anyway.
 *
 * Message-Authenticator in replies (RFC 3579 3.2) cannot be demanded of every old
 * server, so with `auto` it is demanded of those that have sent it once. Until then a
 * reply without it is open to the forgery known as CVE-2024-3596.
 *
 * Called by radius.c. Servers are named by kind, address and port; one that has left the
 * configuration is not found any more, and what is told of it is forgotten.
 */
#include "rad_server.h"
#include "config.h"
#include "log.h"
#include "loop.h"
#include "timer.h"
#include "util.h"

#include <string.h>

enum { DEAD_AFTER = 3, PROBE_SEC = 30 };

struct server {
	struct rad_dest dest;
	bool dead;
	bool signs;		 /* has sent a Message-Authenticator */
	unsigned int unanswered; /* requests since its last reply */
	uint64_t probe_ms;	 /* loop clock at which a dead one is asked again */
};

static struct server servers[RAD_KINDS][RAD_SERVERS];
static unsigned int n_servers;

static bool
same(const struct rad_dest *a, const struct rad_dest *b)
{
	return a->ip == b->ip && a->port == b->port && a->kind == b->kind;
}

static struct server *
find(const struct rad_dest *d)
{
	unsigned int i;

	for (i = 0; i < n_servers; i++)
		if (same(&servers[d->kind][i].dest, d))
			return &servers[d->kind][i];
	return NULL;
}

/* The list of a kind as configured, into `list`; one named twice counts once. */
static unsigned int
configured(enum rad_kind kind, struct rad_dest list[RAD_SERVERS])
{
	const uint32_t ip[RAD_SERVERS] = { conf->primary_radius, conf->secondary_radius };
	unsigned int i, n = 0;

	for (i = 0; i < RAD_SERVERS; i++) {
		list[n].ip = ip[i];
		list[n].port =
		    (uint16_t)(config_radius_port((int)i) + (kind == RAD_KIND_ACCT ? 1 : 0));
		list[n].kind = (uint8_t)kind;
		if (ip[i] && !(n == 1 && same(&list[0], &list[1])))
			n++;
	}
	return n;
}

/* Takes a list over; a server that stays keeps what is known of it. */
static void
adopt(const struct rad_dest list[RAD_SERVERS], unsigned int n, enum rad_kind kind)
{
	struct server fresh[RAD_SERVERS] = { 0 };
	const struct server *old;
	unsigned int i;

	for (i = 0; i < n; i++) {
		old = find(&list[i]);
		if (old)
			fresh[i] = *old;
		fresh[i].dest = list[i];
	}
	memcpy(servers[kind], fresh, sizeof(fresh));
}

static void
configure(void)
{
	struct rad_dest list[RAD_SERVERS];
	unsigned int kind, n = 0;

	for (kind = 0; kind < RAD_KINDS; kind++) {
		n = configured((enum rad_kind)kind, list);
		adopt(list, n, (enum rad_kind)kind);
	}
	n_servers = n; /* of each kind */
}

void
rad_server_init(void)
{
	config_on_change("primary_radius", configure);
	config_on_change("secondary_radius", configure);
	config_on_change("primary_radius_port", configure);
	config_on_change("secondary_radius_port", configure);
	n_servers = 0;
	configure();
}

bool
rad_server_configured(void)
{
	return n_servers > 0 && conf->radius_secret[0];
}

const char *
rad_server_secret(uint32_t ip)
{
	unsigned int i;

	for (i = 0; i < n_servers; i++)
		if (servers[RAD_KIND_ACCESS][i].dest.ip == ip)
			return conf->radius_secret;
	return NULL;
}

/* Whether a dead server is due for its probe; the answer yes is given once in PROBE_SEC. */
static bool
probe_due(struct server *srv)
{
	if (loop_now_ms() < srv->probe_ms)
		return false;
	srv->probe_ms = loop_now_ms() + SEC(PROBE_SEC);
	return true;
}

/* The index of the server a new request asks first. */
static unsigned int
first(struct server list[RAD_SERVERS])
{
	if (n_servers < 2 || !list[0].dead || list[1].dead)
		return 0;
	return probe_due(&list[0]) ? 0 : 1;
}

unsigned int
rad_server_order(enum rad_kind kind, struct rad_dest dest[RAD_SERVERS])
{
	unsigned int i, start = n_servers > 0 ? first(servers[kind]) : 0;

	for (i = 0; i < n_servers; i++)
		dest[i] = servers[kind][(start + i) % n_servers].dest;
	return n_servers;
}

void
rad_server_silent(const struct rad_dest *d)
{
	struct server *srv = find(d);

	if (!srv || ++srv->unanswered < DEAD_AFTER || srv->dead)
		return;
	srv->dead = true;
	srv->probe_ms = loop_now_ms() + SEC(PROBE_SEC);
	plog(LOG_ERROR, "RADIUS server %s:%u is dead: %d requests without an answer",
	    ip4_text(d->ip), d->port, DEAD_AFTER);
}

void
rad_server_answered(const struct rad_dest *d, bool has_ma)
{
	struct server *srv = find(d);

	if (!srv)
		return;
	if (srv->dead)
		plog(LOG_ERROR, "RADIUS server %s:%u answers again", ip4_text(d->ip), d->port);
	srv->dead = false;
	srv->unanswered = 0;
	srv->signs = srv->signs || has_ma;
}

bool
rad_server_must_sign(const struct rad_dest *d)
{
	const struct server *srv = find(d);

	if (d->kind != RAD_KIND_ACCESS)
		return false; /* an accounting reply has nothing to forge but its being there */
	switch (conf->radius_require_message_authenticator) {
	case CONF_YES:
		return true;
	case CONF_NO:
		return false;
	default:
		return srv && srv->signs;
	}
}
