/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `show cluster` and `show remotelns-conf`. This version stands alone: what is shown is
 * true for such a server, in the columns that operators' scripts know. Text and JSON form
 * stand together. Runs in a CLI child.
 */
#include "cli_peers.h"
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
