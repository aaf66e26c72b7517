/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon in numbers: counters, histograms of the sessions' times, uptime and
 * bandwidth, the version. Text and JSON form stand together. Runs in a CLI child.
 */
#include "cli_stats.h"
#include "counter.h"
#include "json.h"
#include "loop.h"
#include "session.h"
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- counters ---- */

static void
traffic_line(struct cli_def *cli, const char *name, uint64_t bytes, uint64_t packets,
    uint64_t errors, uint64_t last)
{
	cli_print(cli, "%-10s %10llu %10llu %10llu %10llu", name, (unsigned long long)bytes,
	    (unsigned long long)packets, (unsigned long long)errors, (unsigned long long)last);
}

static void
show_counters(struct cli_def *cli, int argc, char **argv)
{
	const struct counters *c = counters;
	const struct counter_row *row;
	time_t reset = (time_t)c->reset_time;
	char text[32];

	(void)argc;
	(void)argv;
	cli_print(
	    cli, "%-10s %10s %10s %10s %10s", "Ethernet", "Bytes", "Packets", "Errors", "Dropped");
	traffic_line(
	    cli, "RX", c->tun_rx_bytes, c->tun_rx_packets, c->tun_rx_errors, c->tun_rx_dropped);
	traffic_line(
	    cli, "TX", c->tun_tx_bytes, c->tun_tx_packets, c->tun_tx_errors, c->tun_tx_dropped);
	cli_print(cli, " ");
	cli_print(
	    cli, "%-10s %10s %10s %10s %10s", "Tunnel", "Bytes", "Packets", "Errors", "Retries");
	traffic_line(cli, "RX", c->tunnel_rx_bytes, c->tunnel_rx_packets, c->tunnel_rx_errors, 0);
	traffic_line(cli, "TX", c->tunnel_tx_bytes, c->tunnel_tx_packets, c->tunnel_tx_errors,
	    c->tunnel_retries);
	cli_print(cli, " ");
	cli_print(cli, "%-30s%-10s", "Counter", "Value");
	cli_print(cli, "-----------------------------------------");
	for (row = counter_rows(); row->name; row++)
		cli_print(cli, "%-29s %llu", row->name, (unsigned long long)counter_value(row));
	cli_print(cli, "%-29s %llu", "tunnel_rx_dropped", (unsigned long long)c->tunnel_rx_dropped);
	cli_print(cli, " ");
	cli_print(cli, "Last counter reset %.24s", ctime_r(&reset, text));
}

static void
json_counters(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	const struct counter_row *row;
	json_t *o = json_object();

	(void)cli;
	(void)argc;
	(void)argv;
	for (row = counter_traffic_rows(); row->name; row++)
		json_put_number(o, row->name, counter_value(row));
	for (row = counter_rows(); row->name; row++)
		json_put_number(o, row->name, counter_value(row));
	json_put_number(o, "reset_time", (uint64_t)counters->reset_time);
	json_whole(j, o);
}

/* ---- histograms ---- */

enum {
	IDLE_STEP = 5,	   /* seconds a bucket */
	IDLE_BUCKETS = 64, /* the last one is for all that is longer */
	OPEN_BUCKETS = 30, /* each twice as long as the one before; longer ones are in none */
};

struct histogram {
	uint32_t sessions; /* in all */
	uint32_t in[IDLE_BUCKETS];
};

static unsigned int
idle_bucket(sess_id id, const struct session *s)
{
	(void)s;
	return MIN(session_idle(id) / IDLE_STEP, IDLE_BUCKETS - 1);
}

static unsigned int
open_bucket(sess_id id, const struct session *s)
{
	uint32_t age = session_age(s);

	(void)id;
	return age ? 32 - (unsigned int)__builtin_clz(age) : 0;
}

static struct histogram
count_sessions(unsigned int (*bucket)(sess_id id, const struct session *s))
{
	struct histogram h = { 0 };
	struct session s;

	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s))
			continue;
		h.sessions++;
		h.in[bucket(id, &s)]++;
	}
	return h;
}

static double
percent(const struct histogram *h, unsigned int i)
{
	return h->sessions ? 100.0 * h->in[i] / h->sessions : 0;
}

static void
show_idle(struct cli_def *cli, int argc, char **argv)
{
	struct histogram h = count_sessions(idle_bucket);
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; i < IDLE_BUCKETS - 1; i++)
		cli_print(
		    cli, "%3u seconds  : %7.2f%% (%6u)", i * IDLE_STEP, percent(&h, i), h.in[i]);
	cli_print(cli, "lots of secs : %7.2f%% (%6u)", percent(&h, i), h.in[i]);
	cli_print(cli, "%u total sessions open.", h.sessions);
}

static void
show_open(struct cli_def *cli, int argc, char **argv)
{
	struct histogram h = count_sessions(open_bucket);
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; i < OPEN_BUCKETS; i++)
		cli_print(cli, " < %8u seconds : %7.2f%% (%6u)", 1U << i, percent(&h, i), h.in[i]);
	cli_print(cli, "%u total sessions open.", h.sessions);
}

/* `upper` is the bucket's end; 0: it has none. */
static json_t *
bucket_object(const struct histogram *h, unsigned int i, uint32_t upper)
{
	json_t *o = json_object();

	if (upper)
		json_put_number(o, "below_seconds", upper);
	json_put_number(o, "sessions", h->in[i]);
	json_put_real(o, "percent", percent(h, i));
	return o;
}

static void
json_idle(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct histogram h = count_sessions(idle_bucket);
	json_t *head = json_object();
	unsigned int i;

	(void)cli;
	(void)argc;
	(void)argv;
	json_put_number(head, "sessions", h.sessions);
	json_begin(j, head, "buckets");
	for (i = 0; i < IDLE_BUCKETS; i++)
		json_row(j, bucket_object(&h, i, i < IDLE_BUCKETS - 1 ? (i + 1) * IDLE_STEP : 0));
	json_end(j);
}

static void
json_open(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct histogram h = count_sessions(open_bucket);
	json_t *head = json_object();
	unsigned int i;

	(void)cli;
	(void)argc;
	(void)argv;
	json_put_number(head, "sessions", h.sessions);
	json_begin(j, head, "buckets");
	for (i = 0; i < OPEN_BUCKETS; i++)
		json_row(j, bucket_object(&h, i, 1U << i));
	json_end(j);
}

/* ---- uptime, version ---- */

/* "3 mins", "2:05", "1 day, 2:05" */
static void
uptime_text(char *text, size_t size, unsigned long seconds)
{
	unsigned long days = seconds / 86400, hours = seconds / 3600 % 24, mins = seconds / 60 % 60;
	int n = 0;

	if (days)
		n = snprintf(text, size, "%lu day%s, ", days, days == 1 ? "" : "s");
	if (days || hours)
		snprintf(text + n, size - (size_t)n, "%lu:%02lu", hours, mins);
	else
		snprintf(text, size, "%lu min%s", mins, mins == 1 ? "" : "s");
}

static void
show_uptime(struct cli_def *cli, int argc, char **argv)
{
	const struct counters *c = counters;
	double load[3] = { 0 }, mbit = 8e-6;
	time_t now = loop_time();
	char clock[16], up[64];
	uint32_t n = session_count();
	struct tm tm;

	(void)argc;
	(void)argv;
	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	uptime_text(up, sizeof(up), cli_uptime());
	getloadavg(load, ARRAY_LEN(load));
	cli_print(cli, "%s up %s, %u user%s, load average: %.2f, %.2f, %.2f", clock, up, n,
	    n == 1 ? "" : "s", load[0], load[1], load[2]);
	cli_print(cli,
	    "Bandwidth: UDP-ETH:%1.0f/%1.0f  ETH-UDP:%1.0f/%1.0f  TOTAL:%0.1f   IN:%u OUT:%u",
	    (double)c->rate_udp_rx * mbit, (double)c->rate_tun_tx * mbit,
	    (double)c->rate_tun_rx * mbit, (double)c->rate_udp_tx * mbit,
	    (double)(c->rate_udp_rx + c->rate_tun_tx + c->rate_tun_rx + c->rate_udp_tx) * mbit,
	    c->rate_in_packets, c->rate_out_packets);
}

static void
show_version(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	cli_print(cli, "L2TPNS %s", L2TPNS_VERSION);
}

static void
json_uptime(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *o = json_object(), *averages = json_array();
	double load[3] = { 0 };
	size_t i;

	(void)cli;
	(void)argc;
	(void)argv;
	json_put_number(o, "uptime_seconds", cli_uptime());
	json_put_number(o, "sessions", session_count());
	json_put_number(o, "tunnels", tunnel_count());
	json_put_number(o, "udp_rx_bits_per_second", counters->rate_udp_rx * 8);
	json_put_number(o, "udp_tx_bits_per_second", counters->rate_udp_tx * 8);
	json_put_number(o, "tun_rx_bits_per_second", counters->rate_tun_rx * 8);
	json_put_number(o, "tun_tx_bits_per_second", counters->rate_tun_tx * 8);
	json_put_number(o, "in_packets_per_second", counters->rate_in_packets);
	json_put_number(o, "out_packets_per_second", counters->rate_out_packets);
	getloadavg(load, ARRAY_LEN(load));
	for (i = 0; i < ARRAY_LEN(load); i++)
		json_array_append_new(averages, json_real(load[i]));
	json_object_set_new(o, "load", averages);
	json_whole(j, o);
}

static void
json_version(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *o = json_object();

	(void)cli;
	(void)argc;
	(void)argv;
	json_put_text(o, "name", "L2TPNS");
	json_put_text(o, "version", L2TPNS_VERSION);
	json_whole(j, o);
}

const struct command *
cli_stats_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "show counters", USER, EXEC, show_counters, 0, 0, "", "",
		    "Traffic and event counters", NULL, json_counters },
		{ "show histogram idle", USER, EXEC, show_idle, 0, 0, "", "",
		    "How long sessions have been idle", NULL, json_idle },
		{ "show histogram open", USER, EXEC, show_open, 0, 0, "", "",
		    "How long sessions have been open", NULL, json_open },
		{ "show version", USER, EXEC, show_version, 0, 0, "", "", "Version of this program",
		    NULL, json_version },
		{ "uptime", USER, EXEC, show_uptime, 0, 0, "", "",
		    "Time since start, and bandwidth", NULL, json_uptime },
		{ 0 },
	};

	return table;
}
