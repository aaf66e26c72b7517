/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `show cluster`, `show bgp`, `show remotelns-conf`, and what suspends BGP. This version
 * stands alone and speaks no BGP: what is shown is true for such a server, in the
 * columns that operators' scripts know. Text and JSON form stand together. Runs in a
 * CLI child.
 */
#include "cli_peers.h"
#include "config.h"
#include "json.h"
#include "session.h"
#include "tunnel.h"
#include "util.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* ---- cluster ---- */

/* Our address among the members: the first of cluster_interface; 0: it has none. */
static uint32_t
member_address(void)
{
	struct ifaddrs *list, *i;
	struct sockaddr_in in;
	uint32_t found = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (i = list; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    strcmp(i->ifa_name, conf->cluster_interface) != 0)
			continue;
		memcpy(&in, i->ifa_addr, sizeof(in));
		found = in.sin_addr.s_addr;
	}
	freeifaddrs(list);
	return found;
}

static void
show_cluster(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	cli_print(cli, "Cluster status   : Master");
	cli_print(cli, "My address       : %s", ip4_text(member_address()));
	cli_print(cli, "VIP address      : %s", ip4_text(conf->bind_address));
	cli_print(cli, "Multicast address: %s", ip4_text(conf->cluster_address));
	cli_print(cli, "UDP port         : %u", conf->cluster_port);
	cli_print(cli, "Multicast i'face : %s", conf->cluster_interface);
	cli_print(cli, "Table version #  : 0");
	cli_print(cli, "Next heartbeat # : 0");
	cli_print(cli, "Highest session  : %u", session_highest());
	cli_print(cli, "Highest bundle   : 0");
	cli_print(cli, "Highest tunnel   : %u", tunnel_highest());
	cli_print(cli, "0 changes queued for sending");
	cli_print(cli, "0 peers.");
}

static void
json_cluster(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *o = json_object();

	(void)cli;
	(void)argc;
	(void)argv;
	json_put_text(o, "status", "master");
	json_put_text(o, "address", ip4_text(member_address()));
	json_put_text(o, "vip", ip4_text(conf->bind_address));
	json_put_text(o, "multicast", ip4_text(conf->cluster_address));
	json_put_number(o, "port", conf->cluster_port);
	json_put_text(o, "interface", conf->cluster_interface);
	json_put_number(o, "table_version", 0);
	json_put_number(o, "next_heartbeat", 0);
	json_put_number(o, "highest_session", session_highest());
	json_put_number(o, "highest_bundle", 0);
	json_put_number(o, "highest_tunnel", tunnel_highest());
	json_put_number(o, "queued_changes", 0);
	json_object_set_new(o, "peers", json_array());
	json_whole(j, o);
}

/* ---- BGP ---- */

enum { KEEPALIVE = 60, HOLD = 180 }; /* s, of a neighbour without `timers` */

static const char not_served[] = "BGP is not served by this version";

/* The peer's address as far as nobody needs to be asked. */
static const char *
peer_address(const struct conf_peer *p)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, p->name, &addr) == 1 || inet_pton(AF_INET6, p->name, &addr) == 1
		   ? p->name
		   : "-";
}

/* All of them, or the one that was asked for. */
static bool
wants_peer(const struct conf_peer *p, int argc, char **argv)
{
	return argc == 0 || strcasecmp(p->name, argv[0]) == 0;
}

static void
bgp_line(struct cli_def *cli, const struct conf_peer *p)
{
	bool own = p->keepalive || p->hold;

	cli_print(cli, "%-18s %5u %15s %-11s %7u %7us %5s %4s %4u %4u", p->name, p->as,
	    peer_address(p), "Idle", 0, 0, "no", "no", own ? p->keepalive : KEEPALIVE,
	    own ? p->hold : HOLD);
}

static void
show_bgp(struct cli_def *cli, int argc, char **argv)
{
	unsigned int i;

	if (!conf->bgp_as) {
		cli_print(cli, "BGP is not configured");
		return;
	}
	cli_print(cli, "BGPv4 router identifier %s, local AS number %u", ip4_text(member_address()),
	    conf->bgp_as);
	cli_print(cli, " ");
	cli_print(cli, "%-18s %5s %15s %-11s %7s %8s %5s %4s %9s", "Peer", "AS", "Address", "State",
	    "Retries", "Retry in", "Route", "Pend", "Timers");
	cli_print(cli,
	    "------------------ ----- --------------- ----------- ------- -------- ----- "
	    "---- ---------");
	for (i = 0; i < MIN(conf->n_peers, CONF_PEERS); i++)
		if (wants_peer(&conf->peers[i], argc, argv))
			bgp_line(cli, &conf->peers[i]);
	cli_print(cli, "%s", not_served);
}

static json_t *
peer_object(const struct conf_peer *p)
{
	bool own = p->keepalive || p->hold;
	json_t *o = json_object();

	json_put_text(o, "name", p->name);
	json_put_number(o, "as", p->as);
	json_put_text(o, "state", "Idle");
	json_put_number(o, "keepalive_seconds", own ? p->keepalive : KEEPALIVE);
	json_put_number(o, "hold_seconds", own ? p->hold : HOLD);
	return o;
}

static void
json_bgp(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *head = json_object();
	unsigned int i;

	(void)cli;
	json_put_bool(head, "configured", conf->bgp_as != 0);
	json_put_bool(head, "served", false);
	if (conf->bgp_as) {
		json_put_text(head, "router_id", ip4_text(member_address()));
		json_put_number(head, "as", conf->bgp_as);
	}
	json_begin(j, head, "peers");
	for (i = 0; i < MIN(conf->n_peers, CONF_PEERS); i++)
		if (wants_peer(&conf->peers[i], argc, argv))
			json_row(j, peer_object(&conf->peers[i]));
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
		{ "no suspend bgp", ENABLED, EXEC, cmd_no_suspend, 0, 1, "[PEER]",
		    "one neighbour alone", "Announce routes again", NULL, NULL },
		{ "restart bgp", ENABLED, EXEC, cmd_restart, 0, 1, "[PEER]", "one neighbour alone",
		    "Close BGP connections and open them again", NULL, NULL },
		{ "show bgp", USER, EXEC, show_bgp, 0, 1, "[NEIGHBOUR]", "one alone",
		    "BGP neighbours", NULL, json_bgp },
		{ "show cluster", USER, EXEC, show_cluster, 0, 0, "", "",
		    "This member of the cluster and the others", NULL, json_cluster },
		{ "show remotelns-conf", ENABLED, EXEC, show_remotelns, 0, 0, "", "",
		    "Remote LNSs that sessions are forwarded to", NULL, json_remotelns },
		{ "suspend bgp", ENABLED, EXEC, cmd_suspend, 0, 1, "[PEER]", "one neighbour alone",
		    "Withdraw routes", NULL, NULL },
		{ 0 },
	};

	return table;
}
