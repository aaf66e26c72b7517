/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists as packets meet them. The first rule that fits decides; a packet that
 * none fits is denied, so a list without rules denies all.
 *
 * A later fragment has no ports and no flags. As with Cisco, a rule about those permits
 * it by addresses and protocol alone, but never denies it; `fragments` is for later
 * fragments only. A first fragment (or packet) too short for its TCP or UDP header is
 * never permitted by such a rule, and denied by one whose addresses fit. TCP fragments
 * at offset 1, which could put other flags in place of those that were looked at, are
 * denied by every list (RFC 1858 4, RFC 3128).
 *
 * Lists come from the configuration by name. One that leaves it while sessions use it
 * stays as it was until the last of them has gone or got another one; the command line
 * refuses to remove such a list, a file that is read anew does not. Under a cluster one that
 * other members' sessions use and that is not configured here yet is there likewise, without
 * rules. Rules that stay in a changed list keep their hits.
 *
 * Owns the table of lists in force, in shared memory. Called by data.c for sessions with
 * SF_FILTER, by policy.c, and for show.
 */
#include "filter.h"
#include "config_acl.h"
#include "seq.h"
#include "shm.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum {
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	TCP_RST = 4,
	TCP_ACK = 16,
	ROOM = 2 * CONF_RULES, /* those configured, and as many that have left */
};

struct list {
	char name[CONF_ACL_NAME]; /* "": free */
	bool extended, configured;
	uint32_t sessions;
	unsigned int first, n; /* of rules[] */
	uint64_t rest;
};

struct table {
	unsigned int n_rules;
	struct list lists[FILTER_LISTS + 1];
	struct conf_rule rules[ROOM];
	uint64_t hits[ROOM];
};

static struct shared {
	uint32_t seq; /* odd while lists change; hits are single words */
	struct table table;
} * shared;

static struct table *table; /* the one in shared memory */
static struct table fresh;  /* the next one while it is made */

/* ---- a packet ---- */

/* What rules look at. */
struct view {
	uint32_t src, dst;
	uint8_t protocol, flags;
	bool later;    /* a later fragment */
	bool readable; /* has its transport header */
	uint16_t sport, dport;
};

static void
look(const struct ip4 *ip, struct view *v)
{
	struct rd r = rd_init(ip->data + ip->header_len, (size_t)(ip->len - ip->header_len));

	*v = (struct view){ .src = ip->src, .dst = ip->dst, .protocol = ip->protocol };
	v->later = ip->frag & IP4_OFFSET;
	if (v->later || (ip->protocol != IP4_TCP && ip->protocol != IP4_UDP))
		return;
	v->readable = rd_left(&r) >= (ip->protocol == IP4_TCP ? TCP_HEADER : UDP_HEADER);
	v->sport = rd_u16(&r);
	v->dport = rd_u16(&r);
	rd_skip(&r, 9);
	if (ip->protocol == IP4_TCP)
		v->flags = rd_u8(&r);
}

static bool
port_fits(uint8_t op, const uint16_t port[2], uint16_t have)
{
	switch (op) {
	case CONF_PORT_EQ:
		return have == port[0];
	case CONF_PORT_NEQ:
		return have != port[0];
	case CONF_PORT_GT:
		return have > port[0];
	case CONF_PORT_LT:
		return have < port[0];
	case CONF_PORT_RANGE:
		return have >= port[0] && have <= port[1];
	default:
		return true;
	}
}

static bool
flags_fit(const struct conf_rule *r, uint8_t flags)
{
	switch (r->tcp) {
	case CONF_TCP_ESTABLISHED:
		return flags & (TCP_ACK | TCP_RST);
	case CONF_TCP_MATCH_ANY:
		return flags & r->tcp_on || ~flags & r->tcp_off;
	case CONF_TCP_MATCH_ALL:
		return (flags & r->tcp_on) == r->tcp_on && !(flags & r->tcp_off);
	default:
		return true;
	}
}

static bool
rule_fits(const struct conf_rule *r, const struct view *v)
{
	if ((v->src ^ r->src) & r->src_mask || (v->dst ^ r->dst) & r->dst_mask ||
	    (r->protocol && r->protocol != v->protocol))
		return false;
	if (r->fragments)
		return v->later;
	if (!(r->src_op | r->dst_op | r->tcp))
		return true;
	if (v->later)
		return r->permit;
	if (!v->readable)
		return !r->permit;
	return port_fits(r->src_op, r->src_port, v->sport) &&
	       port_fits(r->dst_op, r->dst_port, v->dport) && flags_fit(r, v->flags);
}

bool
filter_permits(uint8_t list, const struct ip4 *ip)
{
	struct list *l = &table->lists[list];
	struct view v;
	unsigned int i;

	look(ip, &v);
	if (v.protocol == IP4_TCP && (ip->frag & IP4_OFFSET) == 1) {
		l->rest++;
		return false;
	}
	for (i = l->first; i < l->first + l->n; i++) {
		if (rule_fits(&table->rules[i], &v)) {
			table->hits[i]++;
			return table->rules[i].permit;
		}
	}
	l->rest++;
	return false;
}

/* ---- lists follow the configuration ---- */

/* By name, also those that have left the configuration; 0: none. */
static uint8_t
find(const struct table *t, const char *name)
{
	unsigned int i;

	for (i = 1; i <= FILTER_LISTS; i++)
		if (strcmp(t->lists[i].name, name) == 0)
			return (uint8_t)i;
	return 0;
}

uint8_t
filter_find(const char *name)
{
	uint8_t list = name[0] ? find(table, name) : 0;

	return list && table->lists[list].configured ? list : 0;
}

uint8_t
filter_of_name(const char *name)
{
	uint8_t list = name[0] ? find(table, name) : 0;

	if (list || name[0] == '\0')
		return list;
	list = find(table, "");
	plog_limit(LOG_ERROR, "access-list %s is not configured, but sessions use it: %s", name,
	    list ? "it denies all" : "there are too many, and they have none");
	if (!list)
		return 0;
	seq_begin(&shared->seq);
	str_copy(table->lists[list].name, sizeof(table->lists[list].name), name);
	seq_end(&shared->seq);
	return list;
}

/* A rule that was in the list before goes on counting; rules mostly keep their order, so the
 * search begins behind the one found last. */
static uint64_t
hits_before(const struct list *old, const struct conf_rule *r, unsigned int *from)
{
	unsigned int i;

	for (i = 0; i < old->n; i++) {
		unsigned int at = old->first + (*from + i) % old->n;

		if (memcmp(&table->rules[at], r, sizeof(*r)) == 0) {
			*from = (at - old->first + 1) % old->n;
			return table->hits[at];
		}
	}
	return 0;
}

static void
put_rules(struct list *l, const struct conf_rule *rules, unsigned int n, const struct list *old)
{
	unsigned int i, from = 0;

	l->first = fresh.n_rules;
	l->n = n;
	for (i = 0; i < n; i++) {
		fresh.rules[l->first + i] = rules[i];
		fresh.hits[l->first + i] = hits_before(old, &rules[i], &from);
	}
	fresh.n_rules += n;
}

/* A list of the configuration, in the place it has. A new one may get that of one that leaves. */
static void
put_configured(const struct conf_acl *acl)
{
	static const struct list none;
	uint8_t at = find(table, acl->name);
	const struct list *old = at ? &table->lists[at] : &none;
	struct list *l;

	if (!at)
		at = find(&fresh, "");
	if (!at) {
		plog(LOG_ERROR, "access-list %s: too many lists, with those still in use",
		    acl->name);
		return;
	}
	l = &fresh.lists[at];
	*l = *old;
	str_copy(l->name, sizeof(l->name), acl->name);
	l->extended = acl->extended;
	l->configured = true;
	put_rules(l, &conf->rules[acl->first], acl->n, old);
}

/* A list that has left the configuration, for those who use it. */
static void
put_left(uint8_t at)
{
	const struct list *old = &table->lists[at];
	unsigned int n = MIN(old->n, ROOM - fresh.n_rules);

	if (old->configured)
		plog(LOG_WARNING,
		    "access-list %s has left the configuration; %u sessions use it, for which it "
		    "stays",
		    old->name, (unsigned)old->sessions);
	if (n < old->n)
		plog(LOG_ERROR, "access-list %s: no room for its rules: it denies all", old->name);
	fresh.lists[at] = *old;
	fresh.lists[at].configured = false;
	put_rules(&fresh.lists[at], &table->rules[old->first], n < old->n ? 0 : n, old);
}

static void
rebuild(void)
{
	unsigned int i;

	memset(&fresh, 0, sizeof(fresh));
	/* the places of those in use are not free */
	for (i = 1; i <= FILTER_LISTS; i++)
		if (table->lists[i].sessions || config_acl_find(conf, table->lists[i].name))
			fresh.lists[i] = table->lists[i];
	for (i = 0; i < conf->n_acls; i++)
		put_configured(&conf->acls[i]);
	for (i = 1; i <= FILTER_LISTS; i++)
		if (fresh.lists[i].name[0] && !config_acl_find(conf, fresh.lists[i].name))
			put_left((uint8_t)i);
	seq_begin(&shared->seq);
	*table = fresh;
	seq_end(&shared->seq);
}

/* For config_check(): a list in use is not removed. */
static bool
may_remove(const char *name, char *why, size_t why_size)
{
	uint8_t list = filter_find(name);

	if (!list || !table->lists[list].sessions)
		return true;
	snprintf(why, why_size, "access-list %s is in use by %u session%s", name,
	    (unsigned)table->lists[list].sessions, table->lists[list].sessions == 1 ? "" : "s");
	return false;
}

void
filter_init(void)
{
	shared = shm_map("access lists", sizeof(*shared));
	table = &shared->table;
	config_on_change("access-list", rebuild);
	config_check("access-list", may_remove);
	rebuild();
}

/* ---- who uses them ---- */

static void
release(uint8_t list)
{
	struct list *l = &table->lists[list];

	if (--l->sessions > 0 || l->configured)
		return;
	seq_begin(&shared->seq);
	*l = (struct list){ 0 };
	seq_end(&shared->seq);
}

void
filter_attach(uint8_t in, uint8_t out)
{
	if (in)
		table->lists[in].sessions++;
	if (out && out != in)
		table->lists[out].sessions++;
}

void
filter_detach(uint8_t in, uint8_t out)
{
	if (in)
		release(in);
	if (out && out != in)
		release(out);
}

void
filter_session(sess_id s, enum sess_event ev)
{
	const struct session *sess = session_get(s);

	if (ev == SESS_EV_GONE)
		filter_detach(sess->filter_in, sess->filter_out);
}

/* ---- for show ---- */

bool
filter_row(uint8_t list, struct filter_row *row)
{
	struct list l;

	if (!seq_copy(&shared->seq, &l, &table->lists[list], sizeof(l)) || l.name[0] == '\0')
		return false;
	*row = (struct filter_row){ .extended = l.extended,
		.configured = l.configured,
		.sessions = l.sessions,
		.n = l.n,
		.rest = l.rest };
	memcpy(row->name, l.name, sizeof(row->name));
	return true;
}

bool
filter_rule(uint8_t list, unsigned int i, struct conf_rule *rule, uint64_t *hits)
{
	struct list l;

	if (!seq_copy(&shared->seq, &l, &table->lists[list], sizeof(l)) || i >= l.n)
		return false;
	*hits = table->hits[l.first + i];
	return seq_copy(&shared->seq, rule, &table->rules[l.first + i], sizeof(*rule));
}
