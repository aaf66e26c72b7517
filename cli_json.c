/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON form of the `show` commands, for programs: the same facts as the text, under
 * names that stay (Docs/cli-json.md). Units stand in the names; addresses are text; what
 * is not known is left out. A list is put out a row at a time, so that 200,000 sessions
 * need no memory.
 *
 * Runs in a CLI child on snapshots, as cli_show.c does, which has the table.
 */
#include "cli_show.h"
#include "cli_policy.h"
#include "cli_config.h"
#include "config.h"
#include "config_item.h"
#include "loop.h"
#include "note.h"
#include "plugin_host.h"
#include "rad_server.h"
#include "radius.h"
#include "tunnel.h"
#include "util.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NOTES = 256 }; /* no more than a session can have: a chain may change under us */

static bool
wants_all(int argc, char **argv)
{
	return argc > 0 && strcmp(argv[0], "all") == 0;
}

/* ---- sessions ---- */

static json_t *
routes_of(const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	json_t *list = json_array();
	struct note_route route;
	struct note n;
	char text[IP4_TEXT + 4];
	int i;

	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++) {
		if (n.kind != NOTE_ROUTE || n.len != sizeof(route))
			continue;
		memcpy(&route, n.data, sizeof(route));
		snprintf(text, sizeof(text), "%s/%u", ip4_text(route.addr), route.len);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void
put_line_note(json_t *line, const struct note *n)
{
	static const char *const ids[] = { NULL, "Agent-Circuit-Id", "Agent-Remote-Id" };
	struct rd r = rd_init(n->data, n->len);
	uint64_t number = n->len == 8 ? rd_u64(&r) : rd_u32(&r);
	char text[NOTE_MAX + 1];

	if (cli_line_name(n->tag) && !r.bad) {
		json_put_number(line, cli_line_name(n->tag), number);
	} else if (n->tag > 0 && n->tag < ARRAY_LEN(ids)) {
		str_copy_n(text, sizeof(text), n->data, n->len);
		json_put_text(line, ids[n->tag], text);
	}
}

static json_t *
access_line_of(const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	json_t *line = json_object();
	struct note n;
	int i;

	for (i = 0; i < MAX_NOTES && note_next(&pos, &n); i++)
		if (n.kind == NOTE_LINE)
			put_line_note(line, &n);
	return line;
}

static void
put_traffic(json_t *o, sess_id id, const struct session *s)
{
	const struct sess_fast *f = session_fast(id);

	json_put_number(o, "opened_seconds", session_age(s));
	json_put_number(o, "idle_seconds", session_idle(id));
	json_put_number(o, "downloaded_bytes", f->tx_bytes);
	json_put_number(o, "uploaded_bytes", f->rx_bytes);
	json_put_number(o, "downloaded_packets", f->tx_packets);
	json_put_number(o, "uploaded_packets", f->rx_packets);
	if (s->session_timeout) {
		json_put_number(o, "session_timeout_seconds", s->session_timeout);
		json_put_number(o, "remaining_seconds", cli_time_left(s));
	}
	if (s->idle_timeout)
		json_put_number(o, "idle_timeout_seconds", s->idle_timeout);
}

static void
put_link(json_t *o, const struct session *s)
{
	bool known = s->phase <= PPP_TERMINATE;

	json_put_bool(o, "ipv6", false);
	json_put_text(o, "phase", known ? ppp_phase_names[s->phase] : "?");
	json_put_text(o, "lcp_state", cli_cp_name(s, SESS_CP_LCP));
	json_put_text(o, "ipcp_state", cli_cp_name(s, SESS_CP_IPCP));
	json_put_text(o, "ipv6cp_state", cli_cp_name(s, SESS_CP_IPV6CP));
	json_put_text(o, "ccp_state", cli_cp_name(s, SESS_CP_CCP));
}

static json_t *
session_object(sess_id id, const struct session *s)
{
	json_t *o = json_object();
	struct tunnel t;

	json_put_number(o, "id", id);
	json_put_number(o, "tunnel", s->tunnel);
	json_put_number(o, "unique_id", s->unique);
	if (s->authed)
		json_put_text(o, "user", s->user);
	if (s->ip4)
		json_put_text(o, "ip", ip4_text(s->ip4));
	if (tunnel_snapshot(s->tunnel, &t))
		json_put_text(o, "lac", ip4_text(t.peer_ip));
	json_put_text(o, "calling", s->calling);
	json_put_text(o, "called", s->called);
	cli_policy_json(o, id, s);
	put_link(o, s);
	put_traffic(o, id, s);
	json_put_number(o, "mru", s->mru);
	json_put_number(o, "rx_speed", s->rx_speed);
	json_put_number(o, "tx_speed", s->tx_speed);
	json_object_set_new(o, "routes", routes_of(s));
	json_object_set_new(o, "access_line", access_line_of(s));
	return o;
}

void
cli_json_session(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct session s;
	uint64_t number;
	int i;

	(void)cli;
	json_begin(j, NULL, NULL);
	for (i = 0; i < argc; i++)
		if (parse_uint(argv[i], 1, UINT32_MAX, &number) &&
		    session_snapshot((sess_id)number, &s))
			json_row(j, session_object((sess_id)number, &s));
	if (argc == 0)
		FOR_EACH_SESSION (id)
			if (session_snapshot(id, &s))
				json_row(j, session_object(id, &s));
	json_end(j);
}

void
cli_json_users(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct session s;
	json_t *row;

	(void)cli;
	json_begin(j, NULL, NULL);
	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s) || !s.authed)
			continue;
		if (argc > 0 && strcmp(s.user, argv[0]) == 0)
			json_row(j, session_object(id, &s));
		if (argc > 0)
			continue;
		row = json_object();
		json_put_text(row, "user", s.user);
		json_put_number(row, "session", id);
		json_row(j, row);
	}
	json_end(j);
}

/* ---- tunnels ---- */

static json_t *
session_ids(tunn_id tunnel)
{
	json_t *list = json_array();
	struct session s;

	FOR_EACH_SESSION (id)
		if (session_snapshot(id, &s) && s.tunnel == tunnel)
			json_array_append_new(list, json_integer(id));
	return list;
}

static json_t *
tunnel_object(tunn_id id, const struct tunnel *t, bool with_ids)
{
	json_t *o = json_object();

	json_put_number(o, "id", id);
	json_put_text(o, "state", t->state < TUNNEL_STATES ? tunnel_state_names[t->state] : "?");
	if (t->state == TUNNEL_FREE)
		return o;
	json_put_text(o, "hostname", t->hostname);
	json_put_text(o, "vendor", t->vendor);
	json_put_text(o, "ip", ip4_text(t->peer_ip));
	json_put_number(o, "port", t->peer_port);
	json_put_number(o, "sessions", t->sessions.count);
	json_put_number(o, "window", t->peer_window);
	json_put_number(o, "next_receive", t->nr);
	json_put_number(o, "next_send", t->ns);
	json_put_number(o, "queued", t->queued);
	json_put_number(o, "last_packet_seconds", loop_seconds_since(t->last_packet));
	if (with_ids)
		json_object_set_new(o, "session_ids", session_ids(id));
	return o;
}

void
cli_json_tunnels(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	bool all = wants_all(argc, argv), one = argc > 0 && !all;
	uint64_t number;
	struct tunnel t;
	tunn_id id;

	(void)cli;
	json_begin(j, NULL, NULL);
	if (one && parse_uint(argv[0], 1, UINT32_MAX, &number) &&
	    tunnel_snapshot((tunn_id)number, &t))
		json_row(j, tunnel_object((tunn_id)number, &t, true));
	for (id = 1; !one && id <= tunnel_highest(); id++)
		if (tunnel_snapshot(id, &t) &&
		    (all || t.state == TUNNEL_OPEN || t.state == TUNNEL_OPENING))
			json_row(j, tunnel_object(id, &t, false));
	json_end(j);
}

/* ---- addresses, RADIUS ---- */

static void
put_address(void *arg, uint32_t addr, const struct ippool_row *row)
{
	json_t *o = json_object();

	json_put_text(o, "ip", ip4_text(addr));
	json_put_bool(o, "used", row && row->s);
	if (row)
		json_put_text(o, "user", row->user);
	if (row && row->s)
		json_put_number(o, "session", row->s);
	else if (row)
		json_put_number(o, "free_seconds", loop_seconds_since(row->freed));
	json_row(arg, o);
}

void
cli_json_pool(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	uint64_t free_count, used_count;
	json_t *head = json_object();

	(void)cli;
	ippool_counts(&free_count, &used_count);
	json_put_number(head, "free", free_count);
	json_put_number(head, "used", used_count);
	json_begin(j, head, "addresses");
	cli_pool_walk(wants_all(argc, argv), put_address, j);
	json_end(j);
}

static void
put_cached(void *arg, sess_id id, uint32_t addr, unsigned int len)
{
	json_t *o = json_object();

	json_put_number(o, "session", id);
	json_put_text(o, "ip", ip4_text(addr));
	json_put_number(o, "prefix_length", len);
	json_row(arg, o);
}

void
cli_json_ipcache(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	json_begin(j, NULL, NULL);
	cli_ipcache_walk(put_cached, j);
	json_end(j);
}

static json_t *
request_object(uint32_t slot, const struct radius_row *row)
{
	uint32_t now = loop_now_ds();
	json_t *o = json_object();

	json_put_number(o, "radius_id", slot & 255);
	json_put_number(o, "socket", slot >> 8);
	json_put_text(o, "state", radius_state_names[row->state]);
	json_put_number(o, "session", row->s);
	json_put_real(o, "retry_seconds", row->retry > now ? (row->retry - now) / 10.0 : 0);
	json_put_number(o, "tries", row->tries);
	return o;
}

static json_t *
server_object(enum rad_kind kind, const struct rad_server_row *row)
{
	json_t *o = json_object();

	json_put_text(o, "ip", ip4_text(row->ip));
	json_put_number(o, "port", row->port);
	json_put_text(o, "for", rad_kind_names[kind]);
	json_put_number(o, "weight", row->weight);
	json_put_bool(o, "dead", row->dead);
	json_put_number(o, "since_seconds", row->since_ds ? loop_seconds_since(row->since_ds) : 0);
	json_put_number(o, "requests", row->requests);
	json_put_number(o, "replies", row->replies);
	json_put_number(o, "unanswered", row->unanswered);
	json_put_number(o, "rtt_ms", row->rtt_ms);
	return o;
}

static json_t *
server_list(void)
{
	json_t *list = json_array();
	struct rad_server_row row;
	unsigned int kind, i;

	for (kind = 0; kind < RAD_KINDS; kind++)
		for (i = 0; rad_server_row((enum rad_kind)kind, i, &row); i++)
			json_array_append_new(list, server_object((enum rad_kind)kind, &row));
	return list;
}

void
cli_json_radius(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	uint32_t slot;
	json_t *head = json_object();
	struct radius_counts counts;
	struct radius_row row;

	(void)cli;
	(void)argc;
	(void)argv;
	radius_counts(&counts);
	json_put_number(head, "free", counts.free);
	json_put_number(head, "used", counts.used);
	json_put_number(head, "resting", counts.resting);
	json_object_set_new(head, "servers", server_list());
	json_begin(j, head, "requests");
	for (slot = 0; slot < RADIUS_SLOTS; slot++)
		if (radius_row(slot, &row))
			json_row(j, request_object(slot, &row));
	json_end(j);
}

/* ---- the daemon ---- */

void
cli_json_plugins(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *list = json_array();
	const char *name;
	unsigned int i;

	(void)cli;
	(void)argc;
	(void)argv;
	for (i = 0; (name = plugin_name(i)); i++)
		json_array_append_new(list, json_text(name));
	json_whole(j, list);
}

static json_t *
setting(const struct item *it, bool secrets)
{
	const char *type = it->type->name, *value = (const char *)conf_next + it->offset;
	char text[ITEM_TEXT];

	item_print(it, conf_next, text, sizeof(text));
	if ((it->flags & ITEM_SECRET && !secrets) ||
	    (it->flags & ITEM_OPEN && !config_is_set(conf_next, it->name)))
		return json_null();
	if (strcmp(type, "int") == 0)
		return json_integer((json_int_t)strtoul(text, NULL, 10));
	if (strcmp(type, "bool") == 0)
		return json_boolean(strcmp(text, "yes") == 0);
	/* a string: without its quotes */
	return json_text(text[0] == '"' || text[0] == '\'' ? value : text);
}

static json_t *
lac_object(const struct conf_lac *lac, bool secrets)
{
	json_t *o = json_object();

	json_put_text(o, "name", lac->name);
	json_object_set_new(o, "secret", secrets ? json_text(lac->secret) : json_null());
	if (lac->max_sessions)
		json_put_number(o, "max_sessions", lac->max_sessions);
	return o;
}

void
cli_json_config(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	bool secrets = cli->privilege == PRIVILEGE_PRIVILEGED;
	json_t *o = json_object(), *lacs = json_array();
	const struct item *it;
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; (it = item_get(i)); i++)
		json_object_set_new(o, it->name, setting(it, secrets));
	for (i = 0; i < MIN(conf->n_lacs, CONF_LACS); i++)
		json_array_append_new(lacs, lac_object(&conf->lacs[i], secrets));
	json_object_set_new(o, "lac", lacs);
	cli_config_json(o, secrets);
	json_whole(j, o);
}
