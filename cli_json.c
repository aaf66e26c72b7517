/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON form of the `show` commands, for programs: the same facts as the text, under
 * names that stay. Units stand in the names; addresses are text; what is not known is
 * left out. A list is put out a record at a time, so that 200,000 sessions need no
 * memory, and a line a record, so that filters still mean something.
 *
 * Runs in a CLI child on snapshots, as cli_show.c does, which has the table.
 */
#include "cli_show.h"
#include "cli_policy.h"
#include "config.h"
#include "config_item.h"
#include "counter.h"
#include "loop.h"
#include "note.h"
#include "plugin_host.h"
#include "radius.h"
#include "tunnel.h"
#include "util.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NOTES = 256 }; /* no more than a session can have: a chain may change under us */

void
cli_json_emit(struct cli_def *cli, struct json *j)
{
	if (j->len)
		cli_print(cli, "%s", j->text);
	json_flush(j);
}

static bool
wants_all(int argc, char **argv)
{
	return argc > 0 && strcmp(argv[0], "all") == 0;
}

/* ---- sessions ---- */

static void
put_routes(struct json *j, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note_route route;
	struct note n;
	char text[IP4_TEXT + 4];
	int i;

	json_open(j, "routes", '[');
	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++) {
		if (n.kind != NOTE_ROUTE || n.len != sizeof(route))
			continue;
		memcpy(&route, n.data, sizeof(route));
		snprintf(text, sizeof(text), "%s/%u", ip4_text(route.addr), route.len);
		json_text(j, NULL, text);
	}
	json_close(j, ']');
}

static void
put_line_note(struct json *j, const struct note *n)
{
	static const char *const ids[] = { NULL, "Agent-Circuit-Id", "Agent-Remote-Id" };
	struct rd r = rd_init(n->data, n->len);
	uint64_t number = n->len == 8 ? rd_u64(&r) : rd_u32(&r);
	char text[NOTE_MAX + 1];

	if (cli_line_name(n->tag) && !r.bad) {
		json_number(j, cli_line_name(n->tag), number);
	} else if (n->tag > 0 && n->tag < ARRAY_LEN(ids)) {
		str_copy_n(text, sizeof(text), n->data, n->len);
		json_text(j, ids[n->tag], text);
	}
}

static void
put_access_line(struct json *j, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note n;
	int i;

	json_open(j, "access_line", '{');
	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++)
		if (n.kind == NOTE_LINE)
			put_line_note(j, &n);
	json_close(j, '}');
}

static void
put_traffic(struct json *j, sess_id id, const struct session *s)
{
	const struct sess_fast *f = session_fast(id);

	json_number(j, "opened_seconds", session_age(s));
	json_number(j, "idle_seconds", session_idle(id));
	json_number(j, "downloaded_bytes", f->tx_bytes);
	json_number(j, "uploaded_bytes", f->rx_bytes);
	json_number(j, "downloaded_packets", f->tx_packets);
	json_number(j, "uploaded_packets", f->rx_packets);
	if (s->session_timeout) {
		json_number(j, "session_timeout_seconds", s->session_timeout);
		json_number(j, "remaining_seconds", cli_time_left(s));
	}
	if (s->idle_timeout)
		json_number(j, "idle_timeout_seconds", s->idle_timeout);
}

static void
put_session(struct json *j, sess_id id, const struct session *s)
{
	struct tunnel t;

	json_open(j, NULL, '{');
	json_number(j, "id", id);
	json_number(j, "tunnel", s->tunnel);
	json_number(j, "unique_id", s->unique);
	if (s->authed)
		json_text(j, "user", s->user);
	if (s->ip4)
		json_text(j, "ip", ip4_text(s->ip4));
	if (tunnel_snapshot(s->tunnel, &t))
		json_text(j, "lac", ip4_text(t.peer_ip));
	json_text(j, "calling", s->calling);
	json_text(j, "called", s->called);
	cli_policy_json(j, id, s);
	json_bool(j, "ipv6", false);
	json_text(j, "phase", s->phase <= PPP_TERMINATE ? ppp_phase_names[s->phase] : "?");
	json_text(j, "lcp_state", cli_cp_name(s, SESS_CP_LCP));
	json_text(j, "ipcp_state", cli_cp_name(s, SESS_CP_IPCP));
	json_text(j, "ipv6cp_state", cli_cp_name(s, SESS_CP_IPV6CP));
	json_text(j, "ccp_state", cli_cp_name(s, SESS_CP_CCP));
	put_traffic(j, id, s);
	json_number(j, "mru", s->mru);
	json_number(j, "rx_speed", s->rx_speed);
	json_number(j, "tx_speed", s->tx_speed);
	put_routes(j, s);
	put_access_line(j, s);
	json_close(j, '}');
}

void
cli_json_session(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct session s;
	uint64_t number;
	int i;

	json_open(j, NULL, '[');
	for (i = 0; i < argc; i++)
		if (parse_uint(argv[i], 1, UINT32_MAX, &number) &&
		    session_snapshot((sess_id)number, &s))
			put_session(j, (sess_id)number, &s);
	if (argc == 0) {
		FOR_EACH_SESSION (id) {
			if (session_snapshot(id, &s))
				put_session(j, id, &s);
			cli_json_emit(cli, j);
		}
	}
	json_close(j, ']');
}

void
cli_json_users(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct session s;

	json_open(j, NULL, '[');
	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s) || !s.authed)
			continue;
		if (argc > 0 && strcmp(s.user, argv[0]) == 0)
			put_session(j, id, &s);
		if (argc == 0) {
			json_open(j, NULL, '{');
			json_text(j, "user", s.user);
			json_number(j, "session", id);
			json_close(j, '}');
		}
		cli_json_emit(cli, j);
	}
	json_close(j, ']');
}

/* ---- tunnels ---- */

static void
put_session_ids(struct json *j, tunn_id tunnel)
{
	struct session s;

	json_open(j, "session_ids", '[');
	FOR_EACH_SESSION (id)
		if (session_snapshot(id, &s) && s.tunnel == tunnel)
			json_number(j, NULL, id);
	json_close(j, ']');
}

static void
put_tunnel(struct json *j, tunn_id id, const struct tunnel *t, bool with_ids)
{
	json_open(j, NULL, '{');
	json_number(j, "id", id);
	json_text(j, "state", t->state < TUNNEL_STATES ? tunnel_state_names[t->state] : "?");
	if (t->state != TUNNEL_FREE) {
		json_text(j, "hostname", t->hostname);
		json_text(j, "vendor", t->vendor);
		json_text(j, "ip", ip4_text(t->peer_ip));
		json_number(j, "port", t->peer_port);
		json_number(j, "sessions", t->sessions.count);
		json_number(j, "window", t->peer_window);
		json_number(j, "next_receive", t->nr);
		json_number(j, "next_send", t->ns);
		json_number(j, "queued", t->queued);
		json_number(j, "last_packet_seconds", (loop_now_ds() - t->last_packet) / 10);
		if (with_ids)
			put_session_ids(j, id);
	}
	json_close(j, '}');
}

void
cli_json_tunnels(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	bool all = wants_all(argc, argv);
	uint64_t number;
	struct tunnel t;
	tunn_id id;

	json_open(j, NULL, '[');
	if (argc > 0 && !all) {
		if (parse_uint(argv[0], 1, UINT32_MAX, &number) &&
		    tunnel_snapshot((tunn_id)number, &t))
			put_tunnel(j, (tunn_id)number, &t, true);
	} else {
		for (id = 1; id <= tunnel_highest(); id++) {
			if (tunnel_snapshot(id, &t) &&
			    (all || t.state == TUNNEL_OPEN || t.state == TUNNEL_OPENING))
				put_tunnel(j, id, &t, false);
			cli_json_emit(cli, j);
		}
	}
	json_close(j, ']');
}

/* ---- pool, RADIUS ---- */

struct pool_out {
	struct cli_def *cli;
	struct json *j;
};

static void
put_address(void *arg, uint32_t addr, const struct ippool_row *row)
{
	struct pool_out *out = arg;
	struct json *j = out->j;

	json_open(j, NULL, '{');
	json_text(j, "ip", ip4_text(addr));
	json_bool(j, "used", row && row->s);
	if (row)
		json_text(j, "user", row->user);
	if (row && row->s)
		json_number(j, "session", row->s);
	else if (row)
		json_number(j, "free_seconds", (loop_now_ds() - row->freed) / 10);
	json_close(j, '}');
	cli_json_emit(out->cli, j);
}

void
cli_json_pool(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct pool_out out = { .cli = cli, .j = j };
	uint64_t free_count, used_count;

	ippool_counts(&free_count, &used_count);
	json_open(j, NULL, '{');
	json_number(j, "free", free_count);
	json_number(j, "used", used_count);
	json_open(j, "addresses", '[');
	cli_pool_walk(wants_all(argc, argv), put_address, &out);
	json_close(j, ']');
	json_close(j, '}');
}

void
cli_json_radius(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	uint32_t slot, free_count, used_count, now = loop_now_ds();
	struct radius_row row;

	(void)argc;
	(void)argv;
	radius_counts(&free_count, &used_count);
	json_open(j, NULL, '{');
	json_number(j, "free", free_count);
	json_number(j, "used", used_count);
	json_open(j, "requests", '[');
	for (slot = 0; slot < RADIUS_SLOTS; slot++) {
		if (!radius_row(slot, &row))
			continue;
		json_open(j, NULL, '{');
		json_number(j, "radius_id", slot & 255);
		json_number(j, "socket", slot >> 8);
		json_text(j, "state", radius_state_names[row.state]);
		json_number(j, "session", row.s);
		json_real(j, "retry_seconds", row.retry > now ? (row.retry - now) / 10.0 : 0);
		json_number(j, "tries", row.tries);
		json_close(j, '}');
		cli_json_emit(cli, j);
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* ---- the daemon ---- */

void
cli_json_counters(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	const struct counter_row *row;

	(void)cli;
	(void)argc;
	(void)argv;
	json_open(j, NULL, '{');
	for (row = counter_traffic_rows(); row->name; row++)
		json_number(j, row->name, counter_value(row));
	for (row = counter_rows(); row->name; row++)
		json_number(j, row->name, counter_value(row));
	json_number(j, "reset_time", (uint64_t)counters->reset_time);
	json_close(j, '}');
}

void
cli_json_uptime(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	double load[3] = { 0 };
	size_t i;

	(void)cli;
	(void)argc;
	(void)argv;
	json_open(j, NULL, '{');
	json_number(j, "uptime_seconds", cli_uptime());
	json_number(j, "sessions", session_count());
	json_number(j, "tunnels", tunnel_count());
	json_number(j, "udp_rx_bits_per_second", counters->rate_udp_rx * 8);
	json_number(j, "udp_tx_bits_per_second", counters->rate_udp_tx * 8);
	json_number(j, "tun_rx_bits_per_second", counters->rate_tun_rx * 8);
	json_number(j, "tun_tx_bits_per_second", counters->rate_tun_tx * 8);
	json_number(j, "in_packets_per_second", counters->rate_in_packets);
	json_number(j, "out_packets_per_second", counters->rate_out_packets);
	json_open(j, "load", '[');
	getloadavg(load, ARRAY_LEN(load));
	for (i = 0; i < ARRAY_LEN(load); i++)
		json_real(j, NULL, load[i]);
	json_close(j, ']');
	json_close(j, '}');
}

void
cli_json_version(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	json_open(j, NULL, '{');
	json_text(j, "name", "L2TPNS");
	json_text(j, "version", L2TPNS_VERSION);
	json_close(j, '}');
}

void
cli_json_plugins(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	const char *name;
	unsigned int i;

	(void)cli;
	(void)argc;
	(void)argv;
	json_open(j, NULL, '[');
	for (i = 0; (name = plugin_name(i)); i++)
		json_text(j, NULL, name);
	json_close(j, ']');
}

static void
put_setting(struct json *j, const struct item *it, bool secrets)
{
	const char *type = it->type->name, *value = (const char *)conf_next + it->offset;
	char text[ITEM_TEXT];

	item_print(it, conf_next, text, sizeof(text));
	if ((it->flags & ITEM_SECRET && !secrets) ||
	    (it->flags & ITEM_OPEN && !config_is_set(conf_next, it->name)))
		json_null(j, it->name);
	else if (strcmp(type, "int") == 0)
		json_number(j, it->name, strtoul(text, NULL, 10));
	else if (strcmp(type, "bool") == 0)
		json_bool(j, it->name, strcmp(text, "yes") == 0);
	else if (text[0] == '"' || text[0] == '\'')
		json_text(j, it->name, value); /* a string: without its quotes */
	else
		json_text(j, it->name, text);
}

static void
put_lac(struct json *j, const struct conf_lac *lac, bool secrets)
{
	json_open(j, NULL, '{');
	json_text(j, "name", lac->name);
	if (secrets)
		json_text(j, "secret", lac->secret);
	else
		json_null(j, "secret");
	if (lac->max_sessions)
		json_number(j, "max_sessions", lac->max_sessions);
	json_close(j, '}');
}

void
cli_json_config(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	bool secrets = cli->privilege == PRIVILEGE_PRIVILEGED;
	const struct item *it;
	unsigned int i;

	(void)argc;
	(void)argv;
	json_open(j, NULL, '{');
	for (i = 0; (it = item_get(i)); i++)
		put_setting(j, it, secrets);
	json_open(j, "lac", '[');
	for (i = 0; i < MIN(conf->n_lacs, CONF_LACS); i++)
		put_lac(j, &conf->lacs[i], secrets);
	json_close(j, ']');
	json_close(j, '}');
}
