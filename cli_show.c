/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line shows. Runs in a child, on shared memory that the parent goes
 * on writing: records are copied by the tables' snapshot functions and judged by the
 * copy alone. Columns and their widths are those operators' scripts know; whatever is
 * newer stands at the end of a line or behind the known lines.
 *
 * Names come from peers: they are printed with control characters escaped, and what is
 * not UTF-8.
 */
#include "cli_show.h"
#include "cli_policy.h"
#include "config.h"
#include "cp.h"
#include "loop.h"
#include "note.h"
#include "plugin_host.h"
#include "rad_server.h"
#include "radius.h"
#include "tunnel.h"
#include "utf8.h"
#include "util.h"
#include "wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLEAN_SIZE = 4 * USER_LEN, MAX_IDS = 16, MAX_NOTES = 256 };

const char *
cli_clean(const char *name)
{
	static char buf[4][CLEAN_SIZE];
	static unsigned int turn;
	char *text = buf[turn++ % ARRAY_LEN(buf)];

	utf8_escape(text, CLEAN_SIZE, name, "");
	return text;
}

/* ---- sessions ---- */

const char *
cli_user_of(const struct session *s)
{
	return s->authed ? cli_clean(s->user) : "*";
}

uint32_t
cli_time_left(const struct session *s)
{
	uint32_t age = session_age(s);

	return s->session_timeout > age ? s->session_timeout - age : 0;
}

static const char *
yes_no(bool yes)
{
	return yes ? "Y" : "N";
}

static void
session_line(struct cli_def *cli, sess_id id, const struct session *s)
{
	const struct sess_fast *f = session_fast(id);
	struct tunnel t;

	if (!tunnel_snapshot(s->tunnel, &t))
		t.peer_ip = 0;
	cli_print(cli,
	    "%5u %7d %4u %-32s %-15s %s %s %s %s %10u %10llu %10llu %4u %10u %3s%-20s %s", id, 0,
	    s->tunnel, cli_user_of(s), ip4_text(s->ip4), yes_no(s->snoop_ip),
	    yes_no(cli_policy_throttled(id, s)), yes_no(s->garden), "N", session_age(s),
	    (unsigned long long)f->tx_bytes, (unsigned long long)f->rx_bytes, session_idle(id),
	    cli_time_left(s), "(L)", ip4_text(t.peer_ip), cli_clean(s->calling));
}

const char *
cli_cp_name(const struct session *s, enum sess_cp cp)
{
	return s->cp[cp] < CP_STATES ? cp_state_names[s->cp[cp]] : "?";
}

static void
session_link(struct cli_def *cli, sess_id id, const struct session *s)
{
	const struct sess_fast *f = session_fast(id);

	cli_print(cli, "\tUnique SID:\t%u", s->unique);
	cli_print(cli, "\tOpened:\t\t%u seconds", session_age(s));
	cli_print(cli, "\tIdle time:\t%u seconds", session_idle(id));
	if (s->session_timeout)
		cli_print(cli, "\tSess Timeout:\t%u seconds", cli_time_left(s));
	if (s->idle_timeout)
		cli_print(cli, "\tIdle Timeout:\t%u seconds",
		    s->idle_timeout - MIN(session_idle(id), s->idle_timeout));
	cli_print(cli, "\tBytes In/Out:\t%llu/%llu", (unsigned long long)f->tx_bytes,
	    (unsigned long long)f->rx_bytes);
	cli_print(cli, "\tPkts In/Out:\t%llu/%llu", (unsigned long long)f->tx_packets,
	    (unsigned long long)f->rx_packets);
	cli_print(cli, "\tMRU:\t\t%u", s->mru);
	cli_print(cli, "\tRx Speed:\t%u", s->rx_speed);
	cli_print(cli, "\tTx Speed:\t%u", s->tx_speed);
}

const char *
cli_line_name(uint16_t tag)
{
	enum { FIRST = 0x81 };
	static const char *const names[] = {
		"Actual-Data-Rate-Upstream",
		"Actual-Data-Rate-Downstream",
		"Minimum-Data-Rate-Upstream",
		"Minimum-Data-Rate-Downstream",
		"Attainable-Data-Rate-Upstream",
		"Attainable-Data-Rate-Downstream",
		"Maximum-Data-Rate-Upstream",
		"Maximum-Data-Rate-Downstream",
		"Minimum-Data-Rate-Upstream-Low-Power",
		"Minimum-Data-Rate-Downstream-Low-Power",
		"Maximum-Interleaving-Delay-Upstream",
		"Actual-Interleaving-Delay-Upstream",
		"Maximum-Interleaving-Delay-Downstream",
		"Actual-Interleaving-Delay-Downstream",
	};

	return tag >= FIRST && tag < FIRST + ARRAY_LEN(names) ? names[tag - FIRST] : NULL;
}

/* RFC 5515: numbers of four or eight octets, else text. */
static void
line_note(struct cli_def *cli, const struct note *n)
{
	enum { CIRCUIT_ID = 1, REMOTE_ID = 2 };
	struct rd r = rd_init(n->data, n->len);
	uint64_t number = n->len == 8 ? rd_u64(&r) : rd_u32(&r);
	char text[NOTE_MAX + 1];

	str_copy_n(text, sizeof(text), n->data, n->len);
	if (cli_line_name(n->tag) && !r.bad)
		cli_print(cli, "\t%s:\t%llu", cli_line_name(n->tag), (unsigned long long)number);
	else if (n->tag == CIRCUIT_ID || n->tag == REMOTE_ID)
		cli_print(cli, "\tAgent-%s-Id:\t%s", n->tag == CIRCUIT_ID ? "Circuit" : "Remote",
		    cli_clean(text));
	else
		cli_print(cli, "\tAccess line %u:\t%u octets", n->tag, n->len);
}

static void
session_notes(struct cli_def *cli, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note_route route;
	struct note n;
	int i;

	/* the chain may change under us: no more than a session can have */
	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++) {
		if (n.kind == NOTE_ROUTE && n.len == sizeof(route)) {
			memcpy(&route, n.data, sizeof(route));
			cli_print(cli, "\tRoute:\t\t%s/%u", ip4_text(route.addr), route.len);
		} else if (n.kind == NOTE_LINE) {
			line_note(cli, &n);
		}
	}
}

static void
session_details(struct cli_def *cli, sess_id id, const struct session *s)
{
	cli_print(cli, "\nSession %u:", id);
	cli_print(cli, "\tUser:\t\t%s", cli_user_of(s));
	cli_print(cli, "\tCalling Num:\t%s", cli_clean(s->calling));
	cli_print(cli, "\tCalled Num:\t%s", cli_clean(s->called));
	cli_print(cli, "\tTunnel ID:\t%u", s->tunnel);
	cli_print(
	    cli, "\tPPP Phase:\t%s", s->phase <= PPP_TERMINATE ? ppp_phase_names[s->phase] : "?");
	cli_print(cli, "\t IPCP state:\t%s", cli_cp_name(s, SESS_CP_IPCP));
	cli_print(cli, "\t IPV6CP state:\t%s", cli_cp_name(s, SESS_CP_IPV6CP));
	cli_print(cli, "\t CCP state:\t%s", cli_cp_name(s, SESS_CP_CCP));
	cli_print(cli, "\tIP address:\t%s", ip4_text(s->ip4));
	session_link(cli, id, s);
	cli_policy_show(cli, id, s);
	session_notes(cli, s);
}

static void
show_session(struct cli_def *cli, int argc, char **argv)
{
	struct session s;
	uint64_t number;
	int i;

	for (i = 0; i < argc; i++) {
		if (parse_uint(argv[i], 1, UINT32_MAX, &number) &&
		    session_snapshot((sess_id)number, &s))
			session_details(cli, (sess_id)number, &s);
		else
			cli_error(cli, "There is no session %s", argv[i]);
	}
	if (argc > 0)
		return;
	cli_print(cli, "%5s %7s %4s %-32s %-15s %s %s %s %s %10s %10s %10s %4s %10s %-23s %s",
	    "SID", "LkToSID", "TID", "Username", "IP", "I", "T", "G", "6", "opened", "downloaded",
	    "uploaded", "idle", "Rem.Time", "LAC(L)/RLNS(R)/PPPOE(P)", "CLI");
	FOR_EACH_SESSION (id)
		if (session_snapshot(id, &s))
			session_line(cli, id, &s);
}

static void
show_users(struct cli_def *cli, int argc, char **argv)
{
	struct session s;

	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s) || !s.authed)
			continue;
		if (argc == 0)
			cli_print(cli, "%s", cli_clean(s.user));
		else if (strcmp(s.user, argv[0]) == 0)
			session_details(cli, id, &s);
	}
}

/* ---- tunnels ---- */

static const char *
tunnel_host(const struct tunnel *t)
{
	return t->state == TUNNEL_FREE || t->hostname[0] == '\0' ? "(none)"
								 : cli_clean(t->hostname);
}

static const char *
tunnel_state(const struct tunnel *t)
{
	return t->state < TUNNEL_STATES ? tunnel_state_names[t->state] : "?";
}

static void
tunnel_line(struct cli_def *cli, tunn_id id, const struct tunnel *t)
{
	cli_print(cli, "%4u %20s %20s %6s %6u %s", id, tunnel_host(t), ip4_text(t->peer_ip),
	    tunnel_state(t), t->sessions.count, "Tunnel To LAC");
}

/* The ids of a tunnel's sessions, found by asking all: its own list may change under us. */
static void
tunnel_session_ids(struct cli_def *cli, tunn_id tunnel)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct session s;

	if (!f)
		return;
	FOR_EACH_SESSION (id)
		if (session_snapshot(id, &s) && s.tunnel == tunnel)
			fprintf(f, "%s%u", ftello(f) ? " " : "", id);
	fclose(f);
	cli_print(cli, "\tSessions:\t%s", text);
	free(text);
}

static void
tunnel_details(struct cli_def *cli, tunn_id id, const struct tunnel *t)
{
	uint32_t age = t->state == TUNNEL_FREE ? 0 : loop_seconds_since(t->last_packet);

	cli_print(cli, "\nTunnel %u:", id);
	cli_print(cli, "\tState:\t\t%s", tunnel_state(t));
	cli_print(cli, "\tHostname:\t%s", tunnel_host(t));
	cli_print(cli, "\tRemote IP:\t%s", ip4_text(t->peer_ip));
	cli_print(cli, "\tRemote Port:\t%u", t->peer_port);
	cli_print(cli, "\tRx Window:\t%u", t->peer_window);
	cli_print(cli, "\tNext Recv:\t%u", t->nr);
	cli_print(cli, "\tNext Send:\t%u", t->ns);
	cli_print(cli, "\tQueue Len:\t%u", t->queued);
	cli_print(cli, "\tLast Packet Age:%u", age);
	if (t->state == TUNNEL_FREE)
		cli_print(cli, "\tSessions:\t");
	else
		tunnel_session_ids(cli, id);
}

static void
show_tunnels(struct cli_def *cli, int argc, char **argv)
{
	bool all = argc > 0 && strcmp(argv[0], "all") == 0;
	uint64_t number;
	struct tunnel t;
	tunn_id id;

	if (argc > 0 && !all) {
		if (parse_uint(argv[0], 1, UINT32_MAX, &number) &&
		    tunnel_snapshot((tunn_id)number, &t))
			tunnel_details(cli, (tunn_id)number, &t);
		else
			cli_error(cli, "There is no tunnel %s", argv[0]);
		return;
	}
	cli_print(cli, "%4s %20s %20s %6s %s", "TID", "Hostname", "IP", "State", "Sessions");
	for (id = 1; id <= tunnel_highest(); id++)
		if (tunnel_snapshot(id, &t) &&
		    (all || t.state == TUNNEL_OPEN || t.state == TUNNEL_OPENING))
			tunnel_line(cli, id, &t);
}

/* ---- address pool ---- */

static int
by_address(const void *a, const void *b)
{
	uint32_t x = ntohl(((const struct ippool_row *)a)->addr);
	uint32_t y = ntohl(((const struct ippool_row *)b)->addr);

	return x < y ? -1 : x > y;
}

/* All rows in order of address; malloc'ed. */
static struct ippool_row *
pool_rows(size_t *n)
{
	struct ippool_row *rows = NULL, *more, row;
	size_t room = 0;
	uint32_t pos = 0;

	for (*n = 0; ippool_row(&pos, &row); rows[(*n)++] = row) {
		if (*n < room)
			continue;
		room = room * 2 + 64;
		more = realloc(rows, room * sizeof(*rows));
		if (!more)
			break;
		rows = more;
	}
	if (*n)
		qsort(rows, *n, sizeof(*rows), by_address);
	return rows;
}

void
cli_pool_walk(bool all, cli_pool_fn fn, void *arg)
{
	uint32_t addr = all ? ippool_next(0) : 0;
	struct ippool_row *rows;
	size_t n, i;

	rows = pool_rows(&n);
	for (i = 0; i < n; i++) {
		for (; addr && ntohl(addr) < ntohl(rows[i].addr); addr = ippool_next(addr))
			fn(arg, addr, NULL);
		if (addr == rows[i].addr)
			addr = ippool_next(addr);
		fn(arg, rows[i].addr, &rows[i]);
	}
	for (; addr; addr = ippool_next(addr))
		fn(arg, addr, NULL);
	free(rows);
}

static void
pool_line(void *arg, uint32_t addr, const struct ippool_row *row)
{
	struct cli_def *cli = arg;

	if (!row)
		cli_print(cli, "%-15s\tN", ip4_text(addr));
	else if (row->s)
		cli_print(cli, "%-15s\tY %8u %s", ip4_text(addr), row->s, cli_clean(row->user));
	else
		cli_print(cli, "%-15s\tN %8s [%s] %us", ip4_text(addr), "", cli_clean(row->user),
		    loop_seconds_since(row->freed));
}

static void
show_pool(struct cli_def *cli, int argc, char **argv)
{
	bool all = argc > 0 && strcmp(argv[0], "all") == 0;
	uint64_t free_count, used_count;

	if (argc > 0 && !all) {
		cli_error(cli, "usage: show pool [all] [json]");
		return;
	}
	cli_print(cli, "IP Address      Used  Session User");
	cli_pool_walk(all, pool_line, cli);
	if (!all)
		cli_print(cli, "(Not displaying unused addresses)");
	ippool_counts(&free_count, &used_count);
	cli_print(cli, "\nFree: %llu\nUsed: %llu", (unsigned long long)free_count,
	    (unsigned long long)used_count);
}

/* ---- where addresses lead ---- */

/* The routes of a session, from the notes: the chain may change under us. */
static void
walk_routes(sess_id id, const struct session *s, cli_ipcache_fn fn, void *arg)
{
	struct note_pos pos = note_first(s->notes);
	struct note_route route;
	struct note n;
	int i;

	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++) {
		if (n.kind != NOTE_ROUTE || n.len != sizeof(route))
			continue;
		memcpy(&route, n.data, sizeof(route));
		fn(arg, id, route.addr, route.len);
	}
}

/* From the sessions, since iptab.c's own map is the parent's: an entry there is one of these. */
void
cli_ipcache_walk(cli_ipcache_fn fn, void *arg)
{
	struct session s;

	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s))
			continue;
		if (s.ip4)
			fn(arg, id, s.ip4, 32);
		walk_routes(id, &s, fn, arg);
	}
}

struct cached {
	struct cli_def *cli;
	uint32_t n;
};

static void
cached_line(void *arg, sess_id id, uint32_t addr, unsigned int len)
{
	struct cached *c = arg;

	if (len == 32)
		cli_print(c->cli, "%7u %s", id, ip4_text(addr));
	else
		cli_print(c->cli, "%7u %s/%u", id, ip4_text(addr), len);
	c->n++;
}

static void
show_ipcache(struct cli_def *cli, int argc, char **argv)
{
	struct cached c = { .cli = cli };

	(void)argc;
	(void)argv;
	cli_print(cli, "%7s %s", "Sess#", "IP Address");
	cli_ipcache_walk(cached_line, &c);
	cli_print(cli, "%u entries in cache", c.n);
}

/* ---- RADIUS ---- */

static void
show_radius_servers(struct cli_def *cli)
{
	struct rad_server_row row;
	unsigned int kind, i;
	char since[16];

	cli_print(cli, "%-15s %5s %-4s %6s %-5s %8s %10s %10s %10s %6s", "Server", "Port", "For",
	    "Weight", "State", "Since", "Requests", "Replies", "Unanswered", "RTT ms");
	for (kind = 0; kind < RAD_KINDS; kind++)
		for (i = 0; rad_server_row((enum rad_kind)kind, i, &row); i++) {
			snprintf(since, sizeof(since), "%us", loop_seconds_since(row.since_ds));
			cli_print(cli, "%-15s %5u %-4s %6u %-5s %8s %10llu %10llu %10llu %6u",
			    ip4_text(row.ip), row.port, rad_kind_names[kind], row.weight,
			    row.dead ? "dead" : "up", row.since_ds ? since : "-",
			    (unsigned long long)row.requests, (unsigned long long)row.replies,
			    (unsigned long long)row.unanswered, row.rtt_ms);
		}
}

static void
show_radius(struct cli_def *cli, int argc, char **argv)
{
	bool all = argc > 0 && strcmp(argv[0], "all") == 0;
	uint32_t slot, now = loop_now_ds();
	struct radius_counts counts;
	struct radius_row row;

	if (argc > 0 && strcmp(argv[0], "servers") == 0) {
		show_radius_servers(cli);
		return;
	}
	if (argc > 0 && !all) {
		cli_error(cli, "usage: show radius [all|servers] [json]");
		return;
	}
	cli_print(cli, "%6s%7s%5s%6s%9s%9s%4s", "ID", "Radius", "Sock", "State", "Session", "Retry",
	    "Try");
	for (slot = 0; slot < RADIUS_SLOTS; slot++) {
		bool used = radius_row(slot, &row);
		uint32_t wait = used && row.retry > now ? row.retry - now : 0;

		if (used || all)
			cli_print(cli, "%6u%7u%5u%6s%9u%7u.%u%4u", slot, slot & 255, slot >> 8,
			    radius_state_names[used ? row.state : RADIUS_NULL], used ? row.s : 0,
			    wait / 10, wait % 10, used ? row.tries : 0);
	}
	radius_counts(&counts);
	cli_print(cli, "\nFree: %u\nUsed: %u", counts.free, counts.used);
	if (counts.resting)
		cli_print(cli, "Resting: %u", counts.resting);
}

/* ---- the daemon ---- */

static void
show_plugins(struct cli_def *cli, int argc, char **argv)
{
	const char *name;
	unsigned int i;

	(void)argc;
	(void)argv;
	cli_print(cli, "Plugins currently loaded:");
	for (i = 0; (name = plugin_name(i)); i++)
		cli_print(cli, "  %s", name);
}

static void
print_line(void *cli, const char *line)
{
	cli_print(cli, "%s", line);
}

static void
show_config(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	config_show(print_line, cli, cli->privilege == PRIVILEGE_PRIVILEGED);
}

const struct command *
cli_show_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, ENABLED = PRIVILEGE_PRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "show ipcache", USER, EXEC, show_ipcache, 0, 0, "", "",
		    "Addresses and routes, and the sessions they lead to", NULL, cli_json_ipcache },
		{ "show plugins", USER, EXEC, show_plugins, 0, 0, "", "",
		    "Plugins in the order in which they hear of events", NULL, cli_json_plugins },
		{ "show pool", USER, EXEC, show_pool, 0, 1, "[all]", "addresses never used too",
		    "Address pool", NULL, cli_json_pool },
		{ "show radius", USER, EXEC, show_radius, 0, 1, "[all|servers]",
		    "free slots too, or the servers", "RADIUS requests under way", NULL,
		    cli_json_radius },
		{ "show running-config", ENABLED, EXEC, show_config, 0, 0, "", "",
		    "The configuration in force", NULL, cli_json_config },
		{ "show session", USER, EXEC, show_session, 0, MAX_IDS, "[ID]...",
		    "all about the sessions of these numbers", "Sessions", NULL, cli_json_session },
		{ "show tunnels", USER, EXEC, show_tunnels, 0, 1, "[all|ID]",
		    "closed ones too, or all about one", "Tunnels", NULL, cli_json_tunnels },
		{ "show users", USER, EXEC, show_users, 0, 1, "[USER]", "all about his sessions",
		    "Names of connected users", NULL, cli_json_users },
		{ "write terminal", USER, EXEC, show_config, 0, 0, "", "",
		    "The configuration in force; secrets only when enabled", NULL, NULL },
		{ 0 },
	};

	return table;
}
