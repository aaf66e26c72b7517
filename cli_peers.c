/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `show cluster`, from what cluster.c keeps in shared memory, and `show remotelns-conf`; first
 * the lines that operators' scripts know. Text and JSON form stand together. Runs in a CLI
 * child.
 */
#include "cli_peers.h"
#include "cli_show.h"
#include "cluster.h"
#include "config.h"
#include "ifaddr.h"
#include "json.h"
#include "session.h"
#include "tunnel.h"
#include "util.h"

/* ---- cluster ---- */

/* Our address among the members. */
static uint32_t
member_address(void)
{
	return ifaddr_first(conf->cluster_interface, NULL);
}

/* What a slave lacks, or whether a master decides for anybody. */
static const char *
member_state(uint8_t role, uint16_t flags)
{
	if (role == CL_MASTER)
		return "master";
	return flags & CL_UP_TO_DATE ? "up to date" : "synchronising";
}

static void
peer_line(struct cli_def *cli, const struct cluster_peer_status *p)
{
	cli_print(cli, "%-15s %-6s %-13s %8llus %10llu %8llu %8u %7u %s", ip4_text(p->address),
	    p->role == CL_MASTER ? "Master" : "Slave", member_state(p->role, p->flags),
	    (unsigned long long)p->uptime_ms / 1000, (unsigned long long)p->version,
	    (unsigned long long)p->lag, p->sessions, p->tunnels, cli_clean(p->host));
}

/* One at a time. False: it could not be read. */
static const struct cluster_status *
cluster_now(struct cli_def *cli)
{
	static struct cluster_status s;

	if (cluster_snapshot(&s))
		return &s;
	cli_print(cli, "busy; try again");
	return NULL;
}

static void
show_cluster(struct cli_def *cli, int argc, char **argv)
{
	const struct cluster_status *s = cluster_now(cli);
	unsigned int i;

	(void)argc;
	(void)argv;
	if (!s)
		return;
	cli_print(cli, "Cluster status   : %s", s->role == CL_MASTER ? "Master" : "Slave");
	cli_print(cli, "My address       : %s", ip4_text(s->own ? s->own : member_address()));
	cli_print(cli, "VIP address      : %s", ip4_text(conf->bind_address));
	cli_print(cli, "Multicast address: %s", ip4_text(conf->cluster_address));
	cli_print(cli, "UDP port         : %u", conf->cluster_port);
	cli_print(cli, "Multicast i'face : %s", conf->cluster_interface);
	if (s->role != CL_MASTER)
		cli_print(cli, "Master address   : %s", s->master ? ip4_text(s->master) : "none");
	cli_print(cli, "Table version #  : %llu", (unsigned long long)s->version);
	cli_print(cli, "Next heartbeat # : %llu", (unsigned long long)s->heartbeat);
	cli_print(cli, "Highest session  : %u", session_highest());
	cli_print(cli, "Highest bundle   : 0");
	cli_print(cli, "Highest tunnel   : %u", tunnel_highest());
	if (s->role != CL_MASTER)
		cli_print(
		    cli, "State            : %s", s->up_to_date ? "up to date" : "synchronising");
	cli_print(cli, "%llu changes queued for sending", (unsigned long long)s->queued);
	cli_print(cli, "%u peers.", s->n);
	if (s->n)
		cli_print(cli, "%-15s %-6s %-13s %9s %10s %8s %8s %7s %s", "Peer", "Role", "State",
		    "Uptime", "Version", "Lag", "Sessions", "Tunnels", "Host");
	for (i = 0; i < s->n; i++)
		peer_line(cli, &s->peers[i]);
}

static json_t *
cluster_peer_object(const struct cluster_peer_status *p)
{
	json_t *o = json_object();

	json_put_text(o, "address", ip4_text(p->address));
	json_put_text(o, "role", p->role == CL_MASTER ? "master" : "slave");
	json_put_text(o, "state", member_state(p->role, p->flags));
	json_put_number(o, "uptime_seconds", p->uptime_ms / 1000);
	json_put_number(o, "table_version", p->version);
	json_put_number(o, "lag", p->lag);
	json_put_number(o, "silent_ms", p->silent_ms);
	json_put_number(o, "sessions", p->sessions);
	json_put_number(o, "tunnels", p->tunnels);
	json_put_text(o, "host", p->host);
	json_put_text(o, "software", p->software);
	return o;
}

static void
json_cluster(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	const struct cluster_status *s = cluster_now(cli);
	json_t *o = json_object(), *peers = json_array();
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; s && i < s->n; i++)
		json_array_append_new(peers, cluster_peer_object(&s->peers[i]));
	if (s) {
		json_put_text(o, "status", s->role == CL_MASTER ? "master" : "slave");
		json_put_text(o, "address", ip4_text(s->own ? s->own : member_address()));
		json_put_text(o, "master", s->master ? ip4_text(s->master) : "");
		json_put_bool(o, "up_to_date", s->up_to_date);
		json_put_bool(o, "draws_traffic", s->routes);
		json_put_number(o, "term", s->term);
		json_put_number(o, "table_version", s->version);
		json_put_number(o, "next_heartbeat", s->heartbeat);
		json_put_number(o, "queued_changes", s->queued);
	}
	json_put_text(o, "vip", ip4_text(conf->bind_address));
	json_put_text(o, "multicast", ip4_text(conf->cluster_address));
	json_put_number(o, "port", conf->cluster_port);
	json_put_text(o, "interface", conf->cluster_interface);
	json_put_number(o, "highest_session", session_highest());
	json_put_number(o, "highest_bundle", 0);
	json_put_number(o, "highest_tunnel", tunnel_highest());
	json_object_set_new(o, "peers", peers);
	json_whole(j, o);
}

/* ---- remote LNSs ---- */

static void
show_remotelns(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	cli_print(cli, "%15s %-4s %-32s %-32s %11s %7s %10s", "IP Remote LNS", "TID", "l2tp secret",
	    "assignment Id", "File/Radius", "State", "Count Sess");
}

static void
json_remotelns(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	json_whole(j, json_array());
}

const struct command *
cli_peers_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, ENABLED = PRIVILEGE_PRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "show cluster", USER, EXEC, show_cluster, 0, 0, "", "",
		    "This member of the cluster and the others", NULL, json_cluster },
		{ "show remotelns-conf", ENABLED, EXEC, show_remotelns, 0, 0, "", "",
		    "Remote LNSs that sessions are forwarded to", NULL, json_remotelns },
		{ 0 },
	};

	return table;
}
