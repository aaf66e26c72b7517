/*
 * Commands that open tunnels and sessions.
 *
 * `session` feeds new calls in by a pump, so many in flight and so many a second at most, and
 * gathers each one's fate as call.c reports it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "call.h"
#include "cmd.h"
#include "net.h"
#include "tunnel.h"

/* The running `session` command. */
static struct {
	struct profile *prof;
	uint32_t want, started, in_flight, up, failed;
	uint32_t first_number, number_given;
	uint32_t parallel, per_tunnel, rate;
	uint32_t tunnel_first, tunnel_last, tunnel_next;
	uint32_t by_why[WHY_PPP + 1];
	uint32_t no_room, renegotiated;
	uint32_t *setup_us;
	uint64_t start_us, end_us;
	const struct session *last_failed;
	const char *auth_text;
	uint16_t cdn_result, cdn_error;
	const char *cdn_text;
	const char *lcp_text;
} job;

static struct tunnel_profile *tunnel_profiles;
static struct profile *profiles;

static void
copy_text(char *dst, const char *src)
{
	snprintf(dst, TEXT_MAX, "%s", src);
}

static bool
tunnels_settled(void *pending)
{
	(void)pending;
	return tunnels_pending == 0;
}

static struct tunnel_profile *
tunnel_profile(struct run *r, uint32_t number)
{
	struct tunnel_profile *p = calloc(1, sizeof(*p));
	const struct arg_val *challenge = arg(r, "challenge");

	if (!p)
		abort();
	p->next = tunnel_profiles;
	tunnel_profiles = p;
	copy_text(p->secret, arg_str(r, "secret"));
	expand(p->hostname, sizeof(p->hostname), arg_str(r, "hostname"), number);
	p->challenge = challenge->given ? challenge->num != 0 : p->secret[0] != 0;
	p->hidden = arg_num(r, "hidden");
	p->half = arg_num(r, "half");
	p->tie_breaker = arg_num(r, "tie_breaker");
	p->window = (uint16_t)arg_num(r, "window");
	p->timeout_ms = arg_num(r, "timeout") * 1000;
	p->hello_ms = arg_num(r, "hello") * 1000;
	p->extra_len = r->hex_len < sizeof(p->extra) ? r->hex_len : sizeof(p->extra);
	memcpy(p->extra, r->hex, p->extra_len);
	return p;
}

static struct sock *
tunnel_sock(struct run *r)
{
	const struct arg_val *port = arg(r, "port"), *local = arg(r, "local");
	struct in_addr addr = lac_addr;
	struct sock *k;

	if (local->given)
		addr.s_addr = htonl(local->num);
	k = net_sock(addr, (uint16_t)port->num, port->given && port->num == 0);
	if (!k)
		cmd_fail(r, "socket: %s", strerror(errno));
	return k;
}

static bool
start_tunnels(struct run *r, uint32_t count)
{
	bool each = strchr(arg_str(r, "hostname"), '%') != NULL;
	struct tunnel_profile *p = tunnel_profile(r, tunnel_count);
	struct sock *k;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (each && i)
			p = tunnel_profile(r, tunnel_count);
		k = tunnel_sock(r);
		if (!k)
			return false;
		if (!tunnel_start(p, k))
			return cmd_fail(r, "tunnel table full");
		if (i % 256 == 255)
			net_turn(0);
	}
	return true;
}

static void
report_tunnels(struct run *r, uint32_t first, uint64_t start_us)
{
	const struct tunnel *t, *bad = NULL;
	uint32_t up = 0, failed = 0, half = 0;
	uint64_t last = start_us;

	for (t = tunnels + first; t < tunnels + tunnel_count; t++) {
		if (t->state == T_UP)
			up++;
		else if (t->prof && t->prof->half && t->state == T_WAIT_REPLY)
			half++;
		else if (t->state != T_FREE)
			failed++;
		if (t->state == T_CLOSED || t->state == T_STOPPING)
			bad = t;
		if (t->up_us > last)
			last = t->up_us;
	}
	cmd_reply(r, "first=%u up=%u failed=%u half=%u ms=%llu", first, up, failed, half,
	    (unsigned long long)(last - start_us) / 1000);
	if (bad)
		cmd_reply(r, "result=%u error=%u text=\"%s\"", bad->result, bad->error,
		    bad->text ? bad->text : "");
	if (failed)
		cmd_fail(r, "%u tunnels failed", failed);
}

bool
cmd_tunnel(struct run *r)
{
	uint32_t first = tunnel_count, count = arg_num(r, "count");
	uint64_t start = (clock_update(), now_us);

	if (arg_num(r, "hidden") && !*arg_str(r, "secret"))
		return cmd_fail(r, "hidden needs a secret");
	if (!start_tunnels(r, count))
		return false;
	net_until(tunnels_settled, NULL, arg_num(r, "timeout") * 1000 + 5000);
	report_tunnels(r, first, start);
	return !r->why[0];
}

static bool
parse_auth(const char *s, enum auth_kind *kind)
{
	static const char *const words[] = {
		[AUTH_NONE] = "none",
		[AUTH_PAP] = "pap",
		[AUTH_CHAP] = "chap",
		[AUTH_ANY] = "any",
	};
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(s, words[i]) == 0) {
			*kind = (enum auth_kind)i;
			return true;
		}
	}
	return false;
}

static struct profile *
session_profile(struct run *r)
{
	struct profile *p = calloc(1, sizeof(*p));

	if (!p || getrandom(&p->magic_seed, 4, 0) != 4)
		abort();
	p->next = profiles;
	profiles = p;
	copy_text(p->user, arg_str(r, "user"));
	copy_text(p->password, arg_str(r, "password"));
	copy_text(p->calling, arg_str(r, "calling"));
	copy_text(p->called, arg_str(r, "called"));
	p->mru = (uint16_t)arg_num(r, "mru");
	p->ip = arg_num(r, "ip");
	p->tx_speed = arg_num(r, "tx_speed");
	p->rx_speed = arg_num(r, "rx_speed");
	p->timeout_ms = arg_num(r, "timeout") * 1000;
	p->restart_ms = arg_num(r, "restart");
	p->offset = (uint8_t)arg_num(r, "offset");
	p->dns = arg_num(r, "dns");
	p->pfc = arg_num(r, "pfc");
	p->acfc = arg_num(r, "acfc");
	p->race = arg_num(r, "race");
	p->sequencing = arg_num(r, "sequencing");
	p->proxy = arg_num(r, "proxy");
	p->length_bit = arg_num(r, "length");
	p->router = arg_num(r, "router");
	return p;
}

static void
note_failure(const struct session *s)
{
	job.failed++;
	job.by_why[s->why <= WHY_PPP ? s->why : WHY_NONE]++;
	if (s->why == WHY_AUTH)
		job.auth_text = s->text;
	if (s->why == WHY_LCP)
		job.lcp_text = s->text;
	if (s->why == WHY_CDN) {
		job.cdn_result = s->result;
		job.cdn_error = s->error;
		job.cdn_text = s->text;
	}
}

static void
job_settled(struct session *s)
{
	if (s->prof != job.prof)
		return;
	job.in_flight--;
	job.end_us = now_us;
	if (s->renegotiations)
		job.renegotiated++;
	if (s->state == S_UP)
		job.setup_us[job.up++] = s->setup_us;
	else
		note_failure(s);
}

/* The next tunnel of the range that is up and not too busy; NULL: none. none_up: not even busy. */
static struct tunnel *
next_tunnel(bool *none_up)
{
	struct tunnel *t;
	uint32_t tries;

	*none_up = true;
	for (tries = job.tunnel_first; tries <= job.tunnel_last; tries++) {
		if (job.tunnel_next > job.tunnel_last)
			job.tunnel_next = job.tunnel_first;
		t = &tunnels[job.tunnel_next++];
		if (t->state != T_UP)
			continue;
		*none_up = false;
		if (!job.per_tunnel || t->setting_up < job.per_tunnel)
			return t;
	}
	return NULL;
}

/* False: not now. */
static bool
start_one(void)
{
	uint32_t number = job.number_given ? job.first_number + job.started : session_count;
	bool none_up;
	struct tunnel *t = next_tunnel(&none_up);

	if (none_up) {
		job.no_room += job.want - job.started;
		job.started = job.want;
		return false;
	}
	if (!t)
		return false;
	job.started++;
	if (call_start(t, job.prof, number))
		job.in_flight++;
	else
		job.no_room++;
	return true;
}

static bool
feed(int *wait_ms)
{
	uint64_t due = job.want;

	if (job.started == job.want)
		return false;
	if (job.rate) {
		due = (now_us - job.start_us) * job.rate / 1000000 + 1;
		if (due > job.want)
			due = job.want;
		*wait_ms = 1;
	}
	while (job.started < due && job.in_flight < job.parallel && start_one())
		;
	return job.started < job.want;
}

static bool
job_done(void *unused)
{
	(void)unused;
	return job.started == job.want && job.in_flight == 0;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static double
setup_ms(uint32_t percent)
{
	return job.up ? (double)job.setup_us[(uint64_t)(job.up - 1) * percent / 100] / 1000 : 0;
}

static void
report_job(struct run *r, uint32_t first)
{
	double s = (double)(job.end_us - job.start_us) / 1e6;

	qsort(job.setup_us, job.up, sizeof(job.setup_us[0]), by_value);
	cmd_reply(r, "first=%u up=%u failed=%u seconds=%.3f rate=%.1f", first, job.up,
	    job.failed + job.no_room, s, s > 0 ? job.up / s : 0);
	cmd_reply(r, "min_ms=%.2f median_ms=%.2f p99_ms=%.2f max_ms=%.2f", setup_ms(0),
	    setup_ms(50), setup_ms(99), setup_ms(100));
	if (job.renegotiated)
		cmd_reply(r, "lcp_renegotiated=%u", job.renegotiated);
	if (job.no_room)
		cmd_reply(r, "no_room=%u", job.no_room);
	if (job.by_why[WHY_AUTH])
		cmd_reply(r, "auth_refused=%u auth_text=\"%s\"", job.by_why[WHY_AUTH],
		    job.auth_text ? job.auth_text : "");
	if (job.by_why[WHY_CDN])
		cmd_reply(r, "cdn=%u cdn_result=%u cdn_error=%u cdn_text=\"%s\"",
		    job.by_why[WHY_CDN], job.cdn_result, job.cdn_error,
		    job.cdn_text ? job.cdn_text : "");
	if (job.by_why[WHY_TIMEOUT])
		cmd_reply(r, "timeout=%u", job.by_why[WHY_TIMEOUT]);
	if (job.by_why[WHY_TUNNEL])
		cmd_reply(r, "tunnel_lost=%u", job.by_why[WHY_TUNNEL]);
	if (job.by_why[WHY_LCP])
		cmd_reply(r, "lcp_terminated=%u lcp_text=\"%s\"", job.by_why[WHY_LCP],
		    job.lcp_text ? job.lcp_text : "");
	if (job.failed + job.no_room)
		cmd_fail(r, "%u of %u sessions failed", job.failed + job.no_room, job.want);
}

bool
cmd_session(struct run *r)
{
	uint32_t first = session_count;
	enum auth_kind auth;

	memset(&job, 0, sizeof(job));
	if (!parse_auth(arg_str(r, "auth"), &auth))
		return cmd_fail(r, "auth=%s: pap, chap, any or none wanted", arg_str(r, "auth"));
	if (!arg_tunnels(r, &job.tunnel_first, &job.tunnel_last))
		return false;
	job.want = arg_num(r, "count");
	job.parallel = arg_num(r, "parallel");
	job.per_tunnel = arg_num(r, "per_tunnel");
	job.rate = arg_num(r, "rate");
	job.number_given = arg(r, "first")->given;
	job.first_number = arg_num(r, "first");
	job.tunnel_next = job.tunnel_first;
	job.prof = session_profile(r);
	job.prof->auth = auth;
	job.setup_us = calloc(job.want, sizeof(job.setup_us[0]));
	if (!job.setup_us)
		return cmd_fail(r, "out of memory");
	clock_update();
	job.start_us = job.end_us = now_us;
	call_settled = job_settled;
	net_pump(feed);
	net_until(job_done, NULL, 0);
	call_settled = NULL;
	report_job(r, first);
	free(job.setup_us);
	return !r->why[0];
}

static void
free_profiles(void)
{
	struct profile *p;

	while ((p = profiles)) {
		profiles = p->next;
		free(p);
	}
}

static void
free_tunnel_profiles(void)
{
	struct tunnel_profile *p;

	while ((p = tunnel_profiles)) {
		tunnel_profiles = p->next;
		free(p);
	}
}

bool
cmd_forget(struct run *r)
{
	if (!call_forget())
		return cmd_fail(r, "a session is open");
	free_profiles();
	if (tunnel_forget())
		free_tunnel_profiles();
	cmd_reply(r, "tunnels=%u", tunnel_count);
	return true;
}
