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

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum { TENTH_MS = 100 };

/* ---- cluster ---- */

/* Our address among the members. */
static uint32_t
member_address(void)
{
	return ifaddr_first(conf->cluster_interface, NULL);
}

/* What a peer is for the master we know, or lacks. */
static const char *
peer_state(const struct cluster_status *s, const struct cluster_peer_status *p)
{
	if (p->silent_ms > 3 * conf->cluster_hb_interval * TENTH_MS)
		return "silent";
	if (p->role == CL_MASTER)
		return p->address == s->master ? "master" : "other master";
	return p->flags & CL_UP_TO_DATE ? "up to date" : "synchronising";
}

static const char *
own_state(const struct cluster_status *s)
{
	if (s->leaving)
		return "leaving";
	if (s->alone)
		return "alone";
	if (s->role == CL_MASTER)
		return "master";
	if (!s->master)
		return "electing";
	return s->up_to_date ? "up to date" : "synchronising";
}

static const char *
role_name(uint8_t role)
{
	return role == CL_MASTER ? "Master" : "Slave";
}

/* This member as it is seen by others. */
static struct cluster_peer_status
own_line(const struct cluster_status *s)
{
	struct cluster_peer_status own = {
		.address = s->own,
		.role = s->role,
		.uptime_ms = s->uptime_ms,
		.version = s->version,
		.lag = s->lag,
		.sessions = session_count(),
		.tunnels = tunnel_count(),
	};

	str_copy(own.host, sizeof(own.host), conf->hostname);
	str_copy(own.software, sizeof(own.software), L2TPNS_VERSION);
	return own;
}

static void
member_line(struct cli_def *cli, bool own, const char *state, const struct cluster_peer_status *p)
{
	char heard[16] = "-";

	if (!own)
		snprintf(heard, sizeof(heard), "%ums", p->silent_ms);
	cli_print(cli, "%c %-15s %-6s %-13s %8llus %8s %10llu %8llu %8u %7u %-16s %s",
	    own ? '*' : ' ', ip4_text(p->address), role_name(p->role), state,
	    (unsigned long long)p->uptime_ms / 1000, heard, (unsigned long long)p->version,
	    (unsigned long long)p->lag, p->sessions, p->tunnels, cli_clean(p->host),
	    cli_clean(p->software));
}

/* This member first, the others below it. */
static void
members(struct cli_def *cli, const struct cluster_status *s)
{
	struct cluster_peer_status own = own_line(s);
	unsigned int i;

	cli_print(cli, "  %-15s %-6s %-13s %9s %8s %10s %8s %8s %7s %-16s %s", "Member", "Role",
	    "State", "Uptime", "Heard", "Version", "Lag", "Sessions", "Tunnels", "Host",
	    "Software");
	member_line(cli, true, own_state(s), &own);
	for (i = 0; i < s->n; i++)
		member_line(cli, false, peer_state(s, &s->peers[i]), &s->peers[i]);
}

static int
by_address(const void *a, const void *b)
{
	uint32_t x = ntohl(((const struct cluster_peer_status *)a)->address);
	uint32_t y = ntohl(((const struct cluster_peer_status *)b)->address);

	return (x > y) - (x < y);
}

/* One at a time, each peer where it was the last time. NULL: it could not be read. */
static const struct cluster_status *
cluster_now(struct cli_def *cli)
{
	static struct cluster_status s;

	if (cluster_snapshot(&s)) {
		qsort(s.peers, s.n, sizeof(s.peers[0]), by_address);
		return &s;
	}
	cli_print(cli, "busy; try again");
	return NULL;
}

/* What is not alike and should be, on this member or there. */
static void
differences(struct cli_def *cli, const struct cluster_status *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->peers[i].differs[0])
			cli_print(cli, "Differs          : %s: %s", ip4_text(s->peers[i].address),
			    cli_clean(s->peers[i].differs));
}

static void
show_members(struct cli_def *cli, const struct cluster_status *s)
{
	char heard[32] = "";

	if (s->role != CL_MASTER && s->master)
		snprintf(heard, sizeof(heard), ", heard %u ms ago", s->master_silent_ms);
	cli_print(cli, " ");
	cli_print(cli, "State            : %s", own_state(s));
	cli_print(cli, "Master           : %s%s", s->master ? ip4_text(s->master) : "none is known",
	    heard);
	cli_print(cli, "Term             : %u", s->term);
	cli_print(cli, "Traffic          : %s", s->routes ? "drawn" : "left to others");
	cli_print(cli, "Messages         : %s",
	    conf->cluster_secret[0] ? "signed" : "NOT SIGNED, there is no cluster_secret");
	differences(cli, s);
	cli_print(cli, " ");
	members(cli, s);
}

/* Alone, though there is a configuration for more than one. */
static void
show_trouble(struct cli_def *cli, const struct cluster_status *s)
{
	if (s->trouble[0] == '\0')
		return;
	cli_print(cli, " ");
	cli_print(cli, "State            : alone, %s", s->trouble);
}

static void
show_cluster(struct cli_def *cli, int argc, char **argv)
{
	const struct cluster_status *s = cluster_now(cli);

	(void)argc;
	(void)argv;
	if (!s)
		return;
	cli_print(cli, "Cluster status   : %s", role_name(s->role));
	cli_print(cli, "My address       : %s", ip4_text(s->own ? s->own : member_address()));
	cli_print(cli, "VIP address      : %s", ip4_text(conf->bind_address));
	cli_print(cli, "Multicast address: %s", ip4_text(conf->cluster_address));
	cli_print(cli, "UDP port         : %u", conf->cluster_port);
	cli_print(cli, "Multicast i'face : %s", conf->cluster_interface);
	cli_print(cli, "Table version #  : %llu", (unsigned long long)s->version);
	cli_print(cli, "Next heartbeat # : %llu", (unsigned long long)s->heartbeat);
	cli_print(cli, "Highest session  : %u", session_highest());
	cli_print(cli, "Highest bundle   : 0");
	cli_print(cli, "Highest tunnel   : %u", tunnel_highest());
	cli_print(cli, "%llu changes queued for sending", (unsigned long long)s->queued);
	cli_print(cli, "%u peers.", s->n);
	if (s->alone)
		show_trouble(cli, s);
	else
		show_members(cli, s);
}

static json_t *
cluster_peer_object(const struct cluster_status *s, const struct cluster_peer_status *p)
{
	json_t *o = json_object();

	json_put_text(o, "address", ip4_text(p->address));
	json_put_text(o, "role", p->role == CL_MASTER ? "master" : "slave");
	json_put_text(o, "state", peer_state(s, p));
	json_put_number(o, "uptime_seconds", p->uptime_ms / 1000);
	json_put_number(o, "table_version", p->version);
	json_put_number(o, "lag", p->lag);
	json_put_number(o, "silent_ms", p->silent_ms);
	json_put_number(o, "sessions", p->sessions);
	json_put_number(o, "tunnels", p->tunnels);
	json_put_text(o, "host", p->host);
	json_put_text(o, "software", p->software);
	json_put_text(o, "differs", p->differs);
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
		json_array_append_new(peers, cluster_peer_object(s, &s->peers[i]));
	if (s) {
		json_put_text(o, "status", s->role == CL_MASTER ? "master" : "slave");
		json_put_text(o, "address", ip4_text(s->own ? s->own : member_address()));
		json_put_text(o, "master", s->master ? ip4_text(s->master) : "");
		json_put_text(o, "state", own_state(s));
		json_put_text(o, "trouble", s->trouble);
		json_put_number(o, "master_silent_ms", s->master_silent_ms);
		json_put_bool(o, "up_to_date", s->up_to_date);
		json_put_number(o, "lag", s->lag);
		json_put_number(o, "uptime_seconds", s->uptime_ms / 1000);
		json_put_bool(o, "draws_traffic", s->routes);
		json_put_number(o, "term", s->term);
		json_put_number(o, "table_version", s->version);
		json_put_number(o, "next_heartbeat", s->heartbeat);
		json_put_number(o, "queued_changes", s->queued);
	}
	json_put_bool(o, "signed", conf->cluster_secret[0] != '\0');
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
