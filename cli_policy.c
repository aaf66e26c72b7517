/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `throttle`, `snoop`, their `no` forms, `show tbf`, `show throttle` and the lines of
 * `show session` that belong to them. The commands go to the parent word by word, which
 * judges them and answers; showing is done by the child from shared memory. An order
 * holds for all sessions that the user has now.
 *
 * Columns are those operators' scripts know. Credit that is owed shows as 0.
 */
#include "cli_policy.h"
#include "cli_acl.h"
#include "cli_show.h"
#include "config.h"
#include "iptab.h"
#include "policy.h"
#include "role.h"
#include "tbf.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PORT = 65535, BITS_OF_KBIT = 1024, MILLI = 1000 };

/* ---- in the parent: what is asked for ---- */

#define ANSWER(a, ...) (snprintf((a)->text, (a)->size, __VA_ARGS__), true)
#define REFUSE(a, ...) (!ANSWER(a, __VA_ARGS__))

bool
cli_policy_order(struct order *o, const char *user, struct cli_answer *a)
{
	enum order_result result;

	if (!session_by_user(user))
		return REFUSE(a, "User %s is not connected", user);
	str_copy(o->user, sizeof(o->user), user);
	o->asker = a->asker;
	result = order_give(o);
	if (result == ORDER_TOO_MANY)
		return REFUSE(a, "Too many orders are being carried out: try again");
	a->later = result == ORDER_LATER;
	return a->later || o->answer(o, a->text, a->size);
}

static bool
parse_rate(const char *text, uint32_t *kbit, const struct cli_answer *a)
{
	uint64_t value;

	if (!parse_uint(text, 1, POLICY_MAX_KBIT, &value))
		return REFUSE(a, "RATE is 1..%d kbit/s, not '%s'", (int)POLICY_MAX_KBIT, text);
	*kbit = (uint32_t)value;
	return true;
}

static bool
usual_rate(uint32_t *kbit, const struct cli_answer *a)
{
	*kbit = conf->throttle_speed;
	return *kbit || REFUSE(a, "throttle_speed is 0: name a RATE in kbit/s");
}

static bool
is_direction(const char *word)
{
	return strcmp(word, "in") == 0 || strcmp(word, "out") == 0;
}

/* Nothing, RATE, or `in RATE` and `out RATE` in any order. */
static bool
parse_rates(int argc, char **argv, uint32_t *in, uint32_t *out, const struct cli_answer *a)
{
	bool both = argc == 1 && !is_direction(argv[0]);
	int i;

	*in = *out = POLICY_KEEP;
	if (argc == 0 || both) {
		if (both ? !parse_rate(argv[0], in, a) : !usual_rate(in, a))
			return false;
		*out = *in;
		return true;
	}
	for (i = 0; i < argc; i += 2) {
		if (!is_direction(argv[i]) || i + 1 == argc)
			return REFUSE(a, "usage: throttle USER [RATE | in RATE | out RATE ...]");
		if (!parse_rate(argv[i + 1], argv[i][0] == 'i' ? in : out, a))
			return false;
	}
	return true;
}

bool
cli_policy_throttled(sess_id id, const struct session *s)
{
	if (!role_is_master()) /* the buckets are there */
		return s->rate_in || s->rate_out;
	return tbf_bucket(id, TBF_IN) || tbf_bucket(id, TBF_OUT);
}

static void
throttle_one(struct order *o, sess_id s)
{
	policy_throttle(s, o->value[0], o->value[1]);
	o->noted += tbf_is_short(s);
}

static bool
is_throttled(const struct order *o, char *text, size_t size)
{
	snprintf(text, size,
	    o->noted ? "All buckets are in use: user %s is not throttled" : "Throttling user %s",
	    o->user);
	return !o->noted;
}

static bool
throttle(const char *user, int argc, char **argv, struct cli_answer *a)
{
	struct order o = { .act = throttle_one, .answer = is_throttled };

	return parse_rates(argc, argv, &o.value[0], &o.value[1], a) &&
	       cli_policy_order(&o, user, a);
}

static bool
is_unthrottled(const struct order *o, char *text, size_t size)
{
	snprintf(text, size, "Unthrottling user %s", o->user);
	return true;
}

static bool
unthrottle(const char *user, struct cli_answer *a)
{
	struct order o = { .act = throttle_one, .answer = is_unthrottled };

	return cli_policy_order(&o, user, a);
}

static void
snoop_one(struct order *o, sess_id s)
{
	policy_snoop(s, o->value[0], o->port);
}

static bool
is_snooped(const struct order *o, char *text, size_t size)
{
	snprintf(text, size, "Snooping user %s to %s:%u", o->user, ip4_text(o->value[0]),
	    (unsigned)o->port);
	return true;
}

static bool
snoop(const char *user, const char *addr, const char *port, struct cli_answer *a)
{
	struct order o = { .act = snoop_one, .answer = is_snooped };
	uint64_t number;
	uint32_t ip;

	if (!ip4_parse(addr, &ip) || ip == 0 || ip == UINT32_MAX)
		return REFUSE(a, "IP is the address of a collector, not '%s'", addr);
	if (!parse_uint(port, 1, MAX_PORT, &number))
		return REFUSE(a, "PORT is 1..%d, not '%s'", (int)MAX_PORT, port);
	if (iptab_lookup(ip))
		return REFUSE(a, "%s is a subscriber's address: copies cannot go there", addr);
	o.value[0] = ip;
	o.port = (uint16_t)number;
	return cli_policy_order(&o, user, a);
}

static bool
is_unsnooped(const struct order *o, char *text, size_t size)
{
	snprintf(text, size, "Not snooping user %s", o->user);
	return true;
}

static bool
unsnoop(const char *user, struct cli_answer *a)
{
	struct order o = { .act = snoop_one, .answer = is_unsnooped };

	return cli_policy_order(&o, user, a);
}

bool
cli_policy_request(int argc, char **argv, struct cli_answer *a)
{
	bool no = strcmp(argv[0], "no") == 0;
	const char *what = argv[no], *user = argv[no + 1];

	if (strcmp(what, "filter") == 0)
		return cli_acl_request(argc, argv, a);
	if (argc >= 2 && !no && strcmp(what, "throttle") == 0)
		return throttle(user, argc - 2, argv + 2, a);
	if (argc == 3 && no && strcmp(what, "throttle") == 0)
		return unthrottle(user, a);
	if (argc == 4 && !no && strcmp(what, "snoop") == 0)
		return snoop(user, argv[2], argv[3], a);
	if (argc == 3 && no && strcmp(what, "snoop") == 0)
		return unsnoop(user, a);
	return REFUSE(a, "unknown request");
}

/* ---- in the child: the commands ---- */

static void
relay(struct cli_def *cli, const char *no, const char *what, int argc, char **argv)
{
	const char *words[CLI_WORDS];
	char answer[CLI_ANSWER];
	int n = 0, i;

	if (no)
		words[n++] = no;
	words[n++] = what;
	for (i = 0; i < argc && n < CLI_WORDS; i++)
		words[n++] = argv[i];
	if (cli_ask(answer, n, words))
		cli_print(cli, "%s", answer);
	else
		cli_error(cli, "%s", answer);
}

static void
cmd_throttle(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, NULL, "throttle", argc, argv);
}

static void
cmd_no_throttle(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, "no", "throttle", argc, argv);
}

static void
cmd_snoop(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, NULL, "snoop", argc, argv);
}

static void
cmd_no_snoop(struct cli_def *cli, int argc, char **argv)
{
	relay(cli, "no", "snoop", argc, argv);
}

/* ---- in the child: what there is ---- */

typedef unsigned long long ull;

static unsigned int
credit_of(const struct tbf_row *row)
{
	return row->credit > 0 ? (unsigned int)(row->credit / MILLI) : 0;
}

static void
bucket_counts(char *text, size_t size, const struct tbf_row *row)
{
	snprintf(text, size, "%5llu %6u %6u | %7llu %7llu %8llu %8llu %8llu %8llu",
	    (ull)row->kbit * BITS_OF_KBIT, credit_of(row), row->queued, (ull)row->in_bytes,
	    (ull)row->in_packets, (ull)row->sent_bytes, (ull)row->sent_packets, (ull)row->dropped,
	    (ull)row->delayed);
}

static void
show_tbf(struct cli_def *cli, int argc, char **argv)
{
	uint32_t id, used, total;
	struct tbf_row row;
	char counts[160];

	(void)argc;
	(void)argv;
	cli_print(cli, "%6s %5s %5s %6s %6s | %7s %7s %8s %8s %8s %9s", "TBF#", "Sid", "Rate",
	    "Credit", "Queued", "ByteIn", "PackIn", "ByteSent", "PackSent", "PackDrop",
	    "PackDelay");
	for (id = 1; id <= tbf_highest(); id++) {
		if (!tbf_row(id, &row))
			continue;
		bucket_counts(counts, sizeof(counts), &row);
		cli_print(cli, "%5u %6u %s", id, row.s, counts);
	}
	tbf_counts(&used, &total);
	cli_print(cli, "%u tbf entries used, %u total", used, total);
}

static void
show_throttle(struct cli_def *cli, int argc, char **argv)
{
	struct session s;

	(void)argc;
	(void)argv;
	cli_print(cli, "%5s %4s %-32s %7s %6s %6s %6s", "SID", "TID", "Username", "Rate In", "Out",
	    "TBFI", "TBFO");
	FOR_EACH_SESSION (id)
		if (session_snapshot(id, &s) && (s.rate_in || s.rate_out))
			cli_print(cli, "%5u %4u %-32s %7u %6u %6u %6u", id, s.tunnel,
			    cli_user_of(&s), s.rate_in, s.rate_out, tbf_bucket(id, TBF_IN),
			    tbf_bucket(id, TBF_OUT));
}

static void
session_bucket(struct cli_def *cli, const char *name, uint32_t id)
{
	struct tbf_row row;
	char counts[160];

	if (!tbf_row(id, &row))
		return;
	bucket_counts(counts, sizeof(counts), &row);
	cli_print(cli, "\t%s#%u \t%s%s", name, id, id < 10 ? "\t" : "", counts);
}

void
cli_policy_show(struct cli_def *cli, sess_id id, const struct session *s)
{
	cli_acl_show(cli, s);
	if (s->snoop_ip)
		cli_print(cli, "\tIntercepted:\t%s:%u", ip4_text(s->snoop_ip), s->snoop_port);
	else
		cli_print(cli, "\tIntercepted:\tno");
	cli_print(cli, "\tWalled Garden:\t%s", s->garden ? "YES" : "no");
	if (!s->rate_in && !s->rate_out) {
		cli_print(cli, "\tThrottled:\tno");
		return;
	}
	cli_print(cli, "\tThrottled:\t%s (%ukbps/%ukbps)",
	    cli_policy_throttled(id, s) ? "YES" : "no, all buckets are in use", s->rate_in,
	    s->rate_out);
	if (!cli_policy_throttled(id, s))
		return;
	cli_print(cli, "\t\t\t%5s %6s %6s | %7s %7s %8s %8s %8s %9s", "Rate", "Credit", "Queued",
	    "ByteIn", "PackIn", "ByteSent", "PackSent", "PackDrop", "PackDelay");
	session_bucket(cli, "TBFI", tbf_bucket(id, TBF_IN));
	session_bucket(cli, "TBFO", tbf_bucket(id, TBF_OUT));
}

/* ---- the same for programs ---- */

static void
put_rates(json_t *o, sess_id id, const struct session *s)
{
	json_put_number(o, "rate_in_kbit", s->rate_in);
	json_put_number(o, "rate_out_kbit", s->rate_out);
	json_put_number(o, "bucket_in", tbf_bucket(id, TBF_IN));
	json_put_number(o, "bucket_out", tbf_bucket(id, TBF_OUT));
}

void
cli_policy_json(json_t *o, sess_id id, const struct session *s)
{
	cli_acl_json(o, s);
	json_put_bool(o, "intercepted", s->snoop_ip);
	if (s->snoop_ip) {
		json_put_text(o, "snoop_ip", ip4_text(s->snoop_ip));
		json_put_number(o, "snoop_port", s->snoop_port);
	}
	json_put_bool(o, "throttled", cli_policy_throttled(id, s));
	if (s->rate_in || s->rate_out)
		put_rates(o, id, s);
	json_put_bool(o, "garden", s->garden);
}

static json_t *
bucket_object(uint32_t id, const struct tbf_row *row)
{
	json_t *o = json_object();

	json_put_number(o, "id", id);
	json_put_number(o, "session", row->s);
	json_put_text(o, "direction", row->dir == TBF_IN ? "in" : "out");
	json_put_number(o, "rate_bits_per_second", (uint64_t)row->kbit * BITS_OF_KBIT);
	json_put_number(o, "credit_bytes", credit_of(row));
	json_put_number(o, "queued_packets", row->queued);
	json_put_number(o, "in_bytes", row->in_bytes);
	json_put_number(o, "in_packets", row->in_packets);
	json_put_number(o, "sent_bytes", row->sent_bytes);
	json_put_number(o, "sent_packets", row->sent_packets);
	json_put_number(o, "dropped_packets", row->dropped);
	json_put_number(o, "delayed_packets", row->delayed);
	return o;
}

static void
json_tbf(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	json_t *head = json_object();
	uint32_t id, used, total;
	struct tbf_row row;

	(void)cli;
	(void)argc;
	(void)argv;
	tbf_counts(&used, &total);
	json_put_number(head, "used", used);
	json_put_number(head, "total", total);
	json_begin(j, head, "buckets");
	for (id = 1; id <= tbf_highest(); id++)
		if (tbf_row(id, &row))
			json_row(j, bucket_object(id, &row));
	json_end(j);
}

static void
json_throttle(struct cli_def *cli, struct json *j, int argc, char **argv)
{
	struct session s;
	json_t *row;

	(void)cli;
	(void)argc;
	(void)argv;
	json_begin(j, NULL, NULL);
	FOR_EACH_SESSION (id) {
		if (!session_snapshot(id, &s) || (!s.rate_in && !s.rate_out))
			continue;
		row = json_object();
		json_put_number(row, "session", id);
		json_put_number(row, "tunnel", s.tunnel);
		if (s.authed)
			json_put_text(row, "user", s.user);
		put_rates(row, id, &s);
		json_row(j, row);
	}
	json_end(j);
}

const struct command *
cli_policy_table(void)
{
	enum { USER = PRIVILEGE_UNPRIVILEGED, ENABLED = PRIVILEGE_PRIVILEGED, EXEC = MODE_EXEC };
	static const struct command table[] = {
		{ "no snoop", ENABLED, EXEC, cmd_no_snoop, 1, 1, "USER", "name as in show users",
		    "Stop intercepting a user", NULL, NULL },
		{ "no throttle", ENABLED, EXEC, cmd_no_throttle, 1, 1, "USER",
		    "name as in show users", "Stop throttling a user", NULL, NULL },
		{ "show tbf", USER, EXEC, show_tbf, 0, 0, "", "", "Token buckets in use", NULL,
		    json_tbf },
		{ "show throttle", USER, EXEC, show_throttle, 0, 0, "", "", "Throttled sessions",
		    NULL, json_throttle },
		{ "snoop", ENABLED, EXEC, cmd_snoop, 3, 3, "USER IP PORT",
		    "who, and where copies of his packets go by UDP", "Intercept a user", NULL,
		    NULL },
		{ "throttle", ENABLED, EXEC, cmd_throttle, 1, 5,
		    "USER [RATE | in RATE | out RATE ...]",
		    "kbit/s from (in) and to (out) the user; without: throttle_speed",
		    "Throttle a user", NULL, NULL },
		{ 0 },
	};

	return table;
}
