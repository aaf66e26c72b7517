/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which RADIUS server to ask. Owns the lists of servers, one for each kind of request,
 * with the little that is learnt of each one: primary_radius, secondary_radius, then the
 * `radius server` lines in their order. Accounting is at the port behind that of the
 * logins (RFC 2866 3, and always so), where a line does not say otherwise.
 *
 * The lines with a weight are one group, at the place of the first of them. It shares
 * the requests in proportion to the weights, by a smooth round robin: each request adds
 * its weight to every living member, goes to the one that has most, and takes the sum
 * from it. So the proportion is exact, without chance; who has most of the others is
 * the next one to ask.
 *
 * A server is dead after three requests in a row that had all their tries at it and
 * no answer, with no reply to any other request between, nor since their last try: one
 * that lives again is not killed by those that have waited for it in vain. Dead ones are asked
 * last, and of them that one first which was not heard of silence for the longest time. Any genuine
 * reply brings a server to life, and two things look for one:
 *
 * - Status-Server (RFC 5997), every 30 seconds to each dead server, no two in one second;
 * - a server that was never seen to answer that may not know it, so every 30 seconds one
 *   request asks it first: a record, whom nobody waits for, or a login, which asks the
 *   dead server once and one second later goes on as all others do. This only where the
 *   server, living, would be asked first: behind a living one it would cost a
 *   subscriber a second and tell nothing that matters before the first one fails, and
 *   then it is asked anyway.
 *
 * Message-Authenticator in replies (RFC 3579 3.2) cannot be demanded of every old
 * server, so with `auto` it is demanded of those that have sent it once. Until then a
 * reply without it is open to the forgery known as CVE-2024-3596.
 *
 * Called by radius.c. Servers are named by kind, address and port; one that has left the
 * configuration is not found any more, and what is told of it is forgotten. What people
 * may see of the lists lies in shared memory, the secrets beside it.
 */
#include "rad_server.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <string.h>

enum { DEAD_AFTER = 3, PROBE_SEC = 30, TRIAL_SEC = PROBE_SEC + 5 };

struct server {
	struct rad_server_row row;
	bool signs;	       /* has sent a Message-Authenticator */
	bool status;	       /* has answered a Status-Server */
	unsigned int in_a_row; /* requests unanswered since its last reply */
	int credit;	       /* among those with a weight: who has most is next */
	uint64_t replied_ms;   /* loop clock of its last reply */
	uint64_t silent_ms;    /* loop clock of the last request unanswered */
	uint64_t probe_ms;     /* and at which a dead one is probed next */
	uint64_t trial_ms;     /* and at which a request may ask it first */
};

struct list {
	unsigned int n;
	struct server at[RAD_SERVERS];
};

const char *const rad_kind_names[RAD_KINDS] = {
	[RAD_KIND_ACCESS] = "auth",
	[RAD_KIND_ACCT] = "acct",
};

static struct list *lists; /* of each kind; shared */
static char secrets[RAD_KINDS][RAD_SERVERS][SECRET_LEN];
static rad_server_probe_fn send_probe;
static struct timer probe_timer;

/* --- the lists --- */

static struct server *
find(enum rad_kind kind, uint32_t ip, uint16_t port)
{
	struct list *l = &lists[kind];
	unsigned int i;

	for (i = 0; i < l->n; i++)
		if (l->at[i].row.ip == ip && l->at[i].row.port == port)
			return &l->at[i];
	return NULL;
}

static struct server *
find_dest(const struct rad_dest *d)
{
	return find((enum rad_kind)d->kind, d->ip, d->port);
}

/* A list that is being made. */
struct draft {
	enum rad_kind kind;
	struct list list;
	char secrets[RAD_SERVERS][SECRET_LEN];
};

/* Puts a server behind the others; one named twice counts once, one without a secret not at all. A
 * server that was there keeps what is known of it. */
static void
add(struct draft *d, uint32_t ip, unsigned int port, const char *secret, unsigned int weight)
{
	const struct server *old = find(d->kind, ip, (uint16_t)port);
	struct server *srv = &d->list.at[d->list.n];
	unsigned int i;

	if (!ip || !secret[0])
		return;
	for (i = 0; i < d->list.n; i++)
		if (d->list.at[i].row.ip == ip && d->list.at[i].row.port == port)
			return;
	*srv = old ? *old : (struct server){ .row = { .ip = ip, .port = (uint16_t)port } };
	srv->row.weight = (uint16_t)weight;
	srv->credit = 0;
	str_copy(d->secrets[d->list.n++], SECRET_LEN, secret);
}

static void
add_line(struct draft *d, const struct conf_server *line)
{
	unsigned int auth = line->auth_port ? line->auth_port : config_radius_port(0);
	unsigned int port = d->kind == RAD_KIND_ACCESS ? auth
			    : line->acct_port	       ? line->acct_port
						       : auth + 1;

	if (port <= UINT16_MAX)
		add(d, line->ip, port, line->secret[0] ? line->secret : conf->radius_secret,
		    line->weight);
}

/* The lines, with all that have a weight at the place of the first of them. */
static void
add_lines(struct draft *d)
{
	const struct conf_server *line = conf->servers, *end = line + conf->n_servers, *other;
	bool grouped = false;

	for (; line < end; line++) {
		if (!line->weight) {
			add_line(d, line);
			continue;
		}
		for (other = line; other < end && !grouped; other++)
			if (other->weight)
				add_line(d, other);
		grouped = true;
	}
}

static void
configure_kind(enum rad_kind kind)
{
	static struct draft d;
	unsigned int behind = kind == RAD_KIND_ACCT ? 1 : 0;

	d = (struct draft){ .kind = kind };
	add(&d, conf->primary_radius, config_radius_port(0) + behind, conf->radius_secret, 0);
	add(&d, conf->secondary_radius, config_radius_port(1) + behind, conf->radius_secret, 0);
	add_lines(&d);
	lists[kind] = d.list;
	memcpy(secrets[kind], d.secrets, sizeof(d.secrets));
	explicit_bzero(&d, sizeof(d));
}

static void
configure(void)
{
	configure_kind(RAD_KIND_ACCESS);
	configure_kind(RAD_KIND_ACCT);
}

bool
rad_server_configured(enum rad_kind kind)
{
	return lists[kind].n > 0;
}

static bool
is_named(uint32_t ip)
{
	unsigned int i;

	for (i = 0; i < conf->n_servers; i++)
		if (conf->servers[i].ip == ip)
			return true;
	return ip && (ip == conf->primary_radius || ip == conf->secondary_radius);
}

const char *
rad_server_secret(uint32_t ip)
{
	unsigned int kind, i;

	for (kind = 0; kind < RAD_KINDS; kind++)
		for (i = 0; i < lists[kind].n; i++)
			if (lists[kind].at[i].row.ip == ip)
				return secrets[kind][i];
	return is_named(ip) ? "" : NULL;
}

unsigned int
rad_server_living(enum rad_kind kind)
{
	const struct list *l = &lists[kind];
	unsigned int i, n = 0;

	for (i = 0; i < l->n; i++)
		n += !l->at[i].row.dead;
	return n;
}

/* --- whom to ask --- */

static void
fill(struct rad_dest *d, enum rad_kind kind, unsigned int i)
{
	const struct server *srv = &lists[kind].at[i];

	d->ip = srv->row.ip;
	d->port = srv->row.port;
	d->kind = (uint8_t)kind;
	memcpy(d->secret, secrets[kind][i], sizeof(d->secret));
}

/* Each of those that share may claim its weight more. Returns the sum, which the one that gets the
 * request is charged with. */
static int
grow_credits(struct list *l)
{
	struct server *srv;
	int sum = 0;

	for (srv = l->at; srv < l->at + l->n; srv++) {
		if (srv->row.dead)
			continue;
		srv->credit += srv->row.weight;
		sum += srv->row.weight;
	}
	return sum;
}

static bool
shares(const struct server *srv)
{
	return srv->row.weight && !srv->row.dead;
}

/* Whether `a`, which stands behind `b` in the list, is to be asked before it. */
static bool
goes_first(const struct server *a, const struct server *b)
{
	if (a->row.dead != b->row.dead)
		return b->row.dead;
	if (a->row.dead)
		return a->silent_ms < b->silent_ms;
	return shares(a) && shares(b) && a->credit > b->credit;
}

/* Puts the places of a list into the order in which they are asked. */
static void
sort(const struct list *l, uint8_t order[RAD_SERVERS])
{
	unsigned int i, k;

	for (i = 0; i < l->n; i++) {
		for (k = i; k > 0 && goes_first(&l->at[i], &l->at[order[k - 1]]); k--)
			order[k] = order[k - 1];
		order[k] = (uint8_t)i;
	}
}

/* Whether a dead server would be asked first if it lived, now and then in a group. */
static bool
would_be_first(const struct list *l, unsigned int i)
{
	unsigned int k;

	for (k = 0; k < i; k++)
		if (!l->at[k].row.dead && !(l->at[k].row.weight && l->at[i].row.weight))
			return false;
	return true;
}

/* A dead server that the next request is to ask first, -1: none. It is named once in PROBE_SEC. */
static int
on_trial(struct list *l)
{
	unsigned int i;

	for (i = 0; i < l->n; i++) {
		struct server *srv = &l->at[i];

		if (!srv->row.dead || srv->status || loop_now_ms() < srv->trial_ms ||
		    !would_be_first(l, i))
			continue;
		srv->trial_ms = loop_now_ms() + SEC(PROBE_SEC);
		return (int)i;
	}
	return -1;
}

void
rad_server_route(struct rad_route *r)
{
	struct list *l = &lists[RAD_KIND_ACCESS];
	int trial = rad_server_living(RAD_KIND_ACCESS) > 0 ? on_trial(l) : -1;
	int sum = grow_credits(l);
	uint8_t order[RAD_SERVERS];
	unsigned int i, most = RAD_ASKED - (trial < 0);

	sort(l, order);
	r->n = 0;
	r->trial = trial >= 0;
	if (r->trial)
		fill(&r->dest[r->n++], RAD_KIND_ACCESS, (unsigned int)trial);
	for (i = 0; i < l->n && r->n < most; i++)
		if (order[i] != trial)
			fill(&r->dest[r->n++], RAD_KIND_ACCESS, order[i]);
	for (i = 0; i < l->n; i++)
		if (shares(&l->at[order[i]])) {
			l->at[order[i]].credit -= sum;
			break;
		}
}

/* The first in that order whose bit is not set, living unless all are dead; the very first when
 * there is none. */
static unsigned int
first_not_asked(const struct list *l, const uint8_t *order, uint32_t *asked)
{
	unsigned int living = rad_server_living(RAD_KIND_ACCT), i;

	for (i = 0; i < (living ? living : l->n); i++)
		if (!(*asked & UINT32_C(1) << order[i]))
			return order[i];
	*asked = 0;
	return order[0];
}

/* The place of the server for a record. */
static unsigned int
choose(struct list *l, uint32_t *asked)
{
	int trial = rad_server_living(RAD_KIND_ACCT) > 0 ? on_trial(l) : -1, sum;
	uint8_t order[RAD_SERVERS];
	unsigned int i;

	if (trial >= 0)
		return (unsigned int)trial;
	sum = grow_credits(l);
	sort(l, order);
	i = first_not_asked(l, order, asked);
	if (shares(&l->at[i]))
		l->at[i].credit -= sum;
	return i;
}

bool
rad_server_next(uint32_t *asked, struct rad_dest *d)
{
	struct list *l = &lists[RAD_KIND_ACCT];
	unsigned int i;

	if (l->n == 0)
		return false;
	i = choose(l, asked);
	*asked |= UINT32_C(1) << i;
	fill(d, RAD_KIND_ACCT, i);
	return true;
}

/* --- what is learnt --- */

static bool
probe_due(const struct server *srv)
{
	return srv->row.dead && loop_now_ms() >= srv->probe_ms;
}

static bool
any_dead(void)
{
	unsigned int kind;

	for (kind = 0; kind < RAD_KINDS; kind++)
		if (rad_server_living((enum rad_kind)kind) < lists[kind].n)
			return true;
	return false;
}

/* The dead server whose probe is due for longest: its place, -1: none. */
static int
most_overdue(enum rad_kind kind)
{
	const struct list *l = &lists[kind];
	unsigned int i;
	int best = -1;

	for (i = 0; i < l->n; i++)
		if (probe_due(&l->at[i]) && (best < 0 || l->at[i].probe_ms < l->at[best].probe_ms))
			best = (int)i;
	return best;
}

/* One probe a second at most: those of a kind take turns with those of the other. */
static void
on_second(uint32_t turn)
{
	enum rad_kind kind = (enum rad_kind)(turn % RAD_KINDS);
	int i = most_overdue(kind);
	struct rad_dest d;

	if (i < 0) {
		kind = (enum rad_kind)((turn + 1) % RAD_KINDS);
		i = most_overdue(kind);
	}
	if (i >= 0) {
		fill(&d, kind, (unsigned int)i);
		if (send_probe(&d))
			lists[kind].at[i].probe_ms = loop_now_ms() + SEC(PROBE_SEC);
		explicit_bzero(d.secret, sizeof(d.secret));
	}
	timer_init(&probe_timer, on_second, turn + 1);
	if (any_dead())
		timer_set(&probe_timer, SEC(1));
}

void
rad_server_asked(const struct rad_dest *d)
{
	struct server *srv = find_dest(d);

	if (srv)
		srv->row.requests++;
}

static void
die(struct server *srv, const struct rad_dest *d)
{
	srv->row.dead = true;
	srv->row.since_ds = loop_now_ds();
	srv->credit = 0;
	srv->probe_ms = loop_now_ms() + SEC(PROBE_SEC);
	srv->trial_ms = loop_now_ms() + SEC(TRIAL_SEC);
	if (!timer_running(&probe_timer))
		timer_set(&probe_timer, SEC(1));
	plog(LOG_ERROR, "RADIUS server %s:%u is dead: %d requests without an answer",
	    ip4_text(d->ip), d->port, DEAD_AFTER);
}

void
rad_server_silent(const struct rad_dest *d, uint64_t sent_ms)
{
	struct server *srv = find_dest(d);

	if (!srv)
		return;
	srv->row.unanswered++;
	srv->silent_ms = loop_now_ms();
	if (sent_ms < srv->replied_ms) /* it has lived since */
		return;
	if (++srv->in_a_row >= DEAD_AFTER && !srv->row.dead)
		die(srv, d);
}

void
rad_server_answered(const struct rad_dest *d, const struct rad_answer *a)
{
	struct server *srv = find_dest(d);

	if (!srv)
		return;
	if (srv->row.dead) {
		plog(LOG_ERROR, "RADIUS server %s:%u answers again", ip4_text(d->ip), d->port);
		srv->row.since_ds = loop_now_ds();
	}
	srv->row.dead = false;
	srv->row.replies++;
	srv->row.rtt_ms = a->rtt_ms;
	srv->replied_ms = loop_now_ms();
	srv->in_a_row = 0;
	srv->signs = srv->signs || a->has_ma;
	srv->status = srv->status || a->status;
}

bool
rad_server_must_sign(const struct rad_dest *d)
{
	const struct server *srv = find_dest(d);

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

bool
rad_server_row(enum rad_kind kind, unsigned int i, struct rad_server_row *row)
{
	const struct list *l = &lists[kind];

	if (i >= MIN(l->n, (unsigned int)RAD_SERVERS))
		return false;
	*row = l->at[i].row;
	return true;
}

void
rad_server_init(rad_server_probe_fn probe)
{
	static const char *const names[] = { "primary_radius", "secondary_radius",
		"primary_radius_port", "secondary_radius_port", "radius_secret", "radius server" };
	size_t i;

	send_probe = probe;
	lists = shm_map("RADIUS servers", RAD_KINDS * sizeof(*lists));
	timer_init(&probe_timer, on_second, 0);
	for (i = 0; i < ARRAY_LEN(names); i++)
		config_on_change(names[i], configure);
	configure();
}
