/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `show bgp`, `suspend bgp`, `restart bgp`. The table's columns are those that operators'
 * scripts know; what is new stands below it, for one neighbour, and in the JSON form.
 * Runs in a CLI child, on the views that bgp_view.c shares.
 */
#include "cli_bgp.h"
#include "bgp.h"
#include "json.h"
#include "loop.h"
#include "utf8.h"
#include "util.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
view_of(const char *name, struct bgp_view *v)
{
	unsigned int i;

	for (i = 0; i < CONF_PEERS; i++)
		if (bgp_view(i, v) && strcmp(v->name, name) == 0)
			return true;
	return false;
}

/* The next neighbour of the configuration, or the one that was asked for. */
static bool
next_view(unsigned int *i, int argc, char **argv, struct bgp_view *v)
{
	while (*i < MIN(conf->n_peers, CONF_PEERS)) {
		const struct conf_peer *p = &conf->peers[(*i)++];

		if ((argc == 0 || strcasecmp(p->name, argv[0]) == 0) && view_of(p->name, v))
			return true;
	}
	return false;
}

static uint64_t
seconds_since(uint64_t then_ms)
{
	return then_ms && loop_now_ms() > then_ms ? (loop_now_ms() - then_ms) / 1000 : 0;
}

static unsigned int
retry_in(const struct bgp_view *v)
{
	return v->retry_at_ms > loop_now_ms()
		   ? (unsigned int)((v->retry_at_ms - loop_now_ms() + 999) / 1000)
		   : 0;
}

static void
show_line(struct cli_def *cli, const struct bgp_view *v)
{
	cli_print(cli, "%-18s %5u %15s %-11s %7u %7us %5s %4s %4u %4u", v->name, v->as, v->address,
	    bgp_state_names[v->state], v->retries, retry_in(v), v->announced ? "yes" : "no",
	    v->pending ? "yes" : "no", v->keepalive, v->hold);
}

static void
show_details(struct cli_def *cli, const struct bgp_view *v)
{
	bool up = v->state == BGP_ESTABLISHED;
	char error[4 * sizeof(v->error)];

	cli_print(cli, " ");
	cli_print(cli, "%-20s: %s", "Identifier", v->id ? ip4_text(v->id) : "not known");
	cli_print(cli, "%-20s: %s", "Suspended", v->suspended ? "yes" : "no");
	cli_print(cli, "%-20s: %s", "IPv6 agreed upon", v->ip6 ? "yes" : "no");
	cli_print(cli, "%-20s: %llu s", up ? "Up for" : "Down for",
	    (unsigned long long)seconds_since(v->since_ms));
	cli_print(cli, "%-20s: %llu", "Times established", (unsigned long long)v->ups);
	cli_print(cli, "%-20s: %llu", "Routes announced", (unsigned long long)v->sent);
	cli_print(cli, "%-20s: %llu", "Routes withdrawn", (unsigned long long)v->withdrawn);
	cli_print(cli, "%-20s: %llu", "UPDATEs sent", (unsigned long long)v->updates);
	cli_print(cli, "%-20s: %llu", "UPDATEs received", (unsigned long long)v->heard);
	utf8_escape(error, sizeof(error), v->error, ""); /* he may have said it */
	cli_print(cli, "%-20s: %s", "Last error", error[0] ? error : "none");
}

static void
show_bgp(struct cli_def *cli, int argc, char **argv)
{
	struct bgp_view v;
	unsigned int i = 0;

	if (!conf->bgp_as) {
		cli_print(cli, "BGP is not configured");
		return;
	}
	cli_print(cli, "BGPv4 router identifier %s, local AS number %u", ip4_text(bgp_router_id()),
	    conf->bgp_as);
	cli_print(cli, " ");
	cli_print(cli, "%-18s %5s %15s %-11s %7s %8s %5s %4s %9s", "Peer", "AS", "Address", "State",
	    "Retries", "Retry in", "Route", "Pend", "Timers");
	cli_print(cli,
	    "------------------ ----- --------------- ----------- ------- -------- ----- "
	    "---- ---------");
	while (next_view(&i, argc, argv, &v)) {
		show_line(cli, &v);
		if (argc > 0)
			show_details(cli, &v);
	}
}

static json_t *
peer_object(const struct bgp_view *v)
{
	json_t *o = json_object();

	json_put_text(o, "name", v->name);
	json_put_number(o, "as", v->as);
	json_put_text(o, "address", v->address);
	json_put_text(o, "state", bgp_state_names[v->state]);
	json_put_text(o, "router_id", v->id ? ip4_text(v->id) : "");
	json_put_number(o, "seconds_in_state", seconds_since(v->since_ms));
	json_put_number(o, "times_established", v->ups);
	json_put_number(o, "retries", v->retries);
	json_put_number(o, "retry_in_seconds", retry_in(v));
	json_put_bool(o, "suspended", v->suspended);
	json_put_bool(o, "announced", v->announced);
	json_put_bool(o, "pending", v->pending);
	json_put_bool(o, "ipv6", v->ip6);
	json_put_number(o, "keepalive_seconds", v->keepalive);
	json_put_number(o, "hold_seconds", v->hold);
	json_put_number(o, "routes_announced", v->sent);
	json_put_number(o, "routes_withdrawn", v->withdrawn);
	json_put_number(o, "updates_sent", v->updates);
	json_put_number(o, "updates_received", v->heard);
	json_put_text(o, "last_error", v->error);
	return o;
}

static void
json_bgp(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *head = json_object();
	struct bgp_view v;
	unsigned int i = 0;

	(void)cli;
	json_put_bool(head, "configured", conf->bgp_as != 0);
	json_put_bool(head, "served", true);
	if (conf->bgp_as) {
		json_put_text(head, "router_id", ip4_text(bgp_router_id()));
		json_put_number(head, "as", conf->bgp_as);
	}
	json_begin(j, head, "peers");
	while (next_view(&i, argc, argv, &v))
		json_row(j, peer_object(&v));
	json_end(j);
}

static void
ask_about_bgp(struct cli_def *cli, const char *what, int argc, char **argv)
{
	const char *const words[] = { "bgp", what, argc > 0 ? argv[0] : "" };

	cli_ask_and_print(cli, ARRAY_LEN(words), words);
}

static void
cmd_suspend(struct cli_def *cli, int argc, char **argv)
{
	ask_about_bgp(cli, "suspend", argc, argv);
}

static void
cmd_no_suspend(struct cli_def *cli, int argc, char **argv)
{
	ask_about_bgp(cli, "resume", argc, argv);
}

static void
cmd_restart(struct cli_def *cli, int argc, char **argv)
{
	ask_about_bgp(cli, "restart", argc, argv);
}

const struct command *
cli_bgp_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, ENABLED = PRIVILEGE_PRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "no suspend bgp", ENABLED, EXEC, cmd_no_suspend, 0, 1, "[PEER]",
		    "one neighbour alone", "Announce routes again", NULL, NULL },
		{ "restart bgp", ENABLED, EXEC, cmd_restart, 0, 1, "[PEER]", "one neighbour alone",
		    "Close BGP connections and open them again", NULL, NULL },
		{ "show bgp", USER, EXEC, show_bgp, 0, 1, "[NEIGHBOUR]", "one alone",
		    "BGP neighbours", NULL, json_bgp },
		{ "suspend bgp", ENABLED, EXEC, cmd_suspend, 0, 1, "[PEER]", "one neighbour alone",
		    "Withdraw routes", NULL, NULL },
		{ 0 },
	};

	return table;
}
