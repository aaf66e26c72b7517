/* Commands that end sessions and tunnels, and those that wait for something to happen. */
#include <string.h>

#include "blast.h"
#include "call.h"
#include "cmd.h"
#include "net.h"
#include "ppp.h"
#include "tunnel.h"

/* All tunnels have nothing left that is not acknowledged. */
static bool
queues_empty(void *unused)
{
	const struct tunnel *t;

	(void)unused;
	for (t = tunnels; t < tunnels + tunnel_count; t++) {
		if (t->state != T_CLOSED && t->chan.queued && !t->frozen)
			return false;
	}
	return true;
}

struct sess_range {
	uint32_t first, last;
};

static bool
all_closed(void *arg_)
{
	const struct sess_range *g = arg_;
	uint32_t i;

	for (i = g->first; i <= g->last; i++) {
		if (session_open(&sessions[i]))
			return false;
	}
	return true;
}

bool
cmd_close(struct run *r)
{
	const char *how = arg_str(r, "how");
	bool cdn = !strcmp(how, "cdn"), lcp = !strcmp(how, "lcp");
	uint64_t start = (clock_update(), now_us);
	struct sess_range g;
	uint32_t i, n = 0;

	if (!cdn && !lcp && strcmp(how, "vanish") != 0)
		return cmd_fail(r, "how=%s: cdn, lcp or vanish wanted", how);
	if (!arg_sessions(r, &g.first, &g.last))
		return false;
	for (i = g.first; i <= g.last; i++) {
		if (!session_open(&sessions[i]))
			continue;
		n++;
		if (cdn)
			call_hangup(&sessions[i], WHY_LOCAL, (uint16_t)arg_num(r, "result"),
			    (uint16_t)arg_num(r, "error"));
		else if (lcp)
			ppp_terminate(&sessions[i]);
		else
			call_ended(&sessions[i], WHY_LOCAL);
		if (n % 256 == 0)
			net_turn(0);
	}
	if (!net_until(all_closed, &g, arg_num(r, "timeout") * 1000) ||
	    !net_until(queues_empty, NULL, arg_num(r, "timeout") * 1000))
		cmd_fail(r, "not all acknowledged in time");
	cmd_reply(r, "closed=%u ms=%llu", n, (unsigned long long)(now_us - start) / 1000);
	return !r->why[0];
}

static bool
tunnels_closed(void *arg_)
{
	const struct sess_range *g = arg_;
	uint32_t i;

	for (i = g->first; i <= g->last; i++) {
		if (tunnels[i].state != T_CLOSED && tunnels[i].state != T_FREE)
			return false;
	}
	return true;
}

bool
cmd_stop(struct run *r)
{
	struct sess_range g;
	uint32_t i;

	if (!arg_tunnels(r, &g.first, &g.last))
		return false;
	for (i = g.first; i <= g.last; i++) {
		if (tunnels[i].state != T_FREE)
			tunnel_stop(&tunnels[i], (uint16_t)arg_num(r, "result"),
			    (uint16_t)arg_num(r, "error"), "local request");
	}
	if (!net_until(tunnels_closed, &g, arg_num(r, "timeout") * 1000))
		return cmd_fail(r, "not acknowledged in time");
	return true;
}

static bool
sessions_up(void *arg_)
{
	const struct sess_range *g = arg_;
	uint32_t i;

	for (i = g->first; i <= g->last; i++) {
		if (sessions[i].state != S_UP)
			return false;
	}
	return true;
}

/* Terminate-Request or login refusal has come, or it is closed. */
static bool
sessions_ended(void *arg_)
{
	const struct sess_range *g = arg_;
	uint32_t i;

	for (i = g->first; i <= g->last; i++) {
		if (sessions[i].state < S_REFUSED)
			return false;
	}
	return true;
}

static bool
blast_over(void *unused)
{
	(void)unused;
	return !blast_running();
}

static bool
received(void *arg_)
{
	const uint32_t *n = arg_;

	return totals.rx_packets >= *n;
}

static bool
quiet(void *arg_)
{
	const uint32_t *ms = arg_;

	return now_us - totals.rx_last_us > (uint64_t)*ms * 1000;
}

static void
report_ended(struct run *r, const struct sess_range *g)
{
	const struct session *s = &sessions[g->last];

	cmd_reply(r, "session=%u state=%s why=%s result=%u error=%u cause=%u text=\"%s\"", g->last,
	    call_state_name(s), call_why_name(s), s->result, s->error, s->cause,
	    s->text ? s->text : "");
}

static bool
wait_session(struct run *r, uint64_t ms)
{
	bool (*done)(void *) = all_closed;
	struct sess_range g;

	if (!arg_sessions(r, &g.first, &g.last))
		return false;
	if (!strcmp(arg_str(r, "event"), "up"))
		done = sessions_up;
	else if (!strcmp(arg_str(r, "event"), "ended"))
		done = sessions_ended;
	if (!net_until(done, &g, ms))
		cmd_fail(r, "timeout");
	report_ended(r, &g);
	return !r->why[0];
}

static bool
wait_tunnel(struct run *r, uint64_t ms)
{
	const struct tunnel *t;
	struct sess_range g;

	if (!arg_tunnels(r, &g.first, &g.last))
		return false;
	if (!net_until(tunnels_closed, &g, ms))
		cmd_fail(r, "timeout");
	t = &tunnels[g.last];
	cmd_reply(r, "tunnel=%u state=%s result=%u error=%u text=\"%s\"", g.last,
	    tunnel_state_name(t), t->result, t->error, t->text ? t->text : "");
	return !r->why[0];
}

static bool
wait_traffic(struct run *r, const char *what, uint64_t ms)
{
	uint32_t n = arg_num(r, "packets"), quiet_ms = arg_num(r, "ms");
	const struct blast *b;
	bool done;

	if (!strcmp(what, "blast"))
		done = net_until(blast_over, NULL, ms);
	else if (!strcmp(what, "received"))
		done = net_until(received, &n, ms);
	else if (!strcmp(what, "quiet"))
		done = net_until(quiet, &quiet_ms, ms);
	else
		return cmd_fail(
		    r, "event=%s: closed, ended, up, blast, received or quiet wanted", what);
	b = blast_now();
	if (!strcmp(what, "blast"))
		cmd_reply(r, "sent=%llu ms=%llu", (unsigned long long)b->sent,
		    (unsigned long long)(b->end_us - b->start_us) / 1000);
	else
		cmd_reply(r, "rx_packets=%llu", (unsigned long long)totals.rx_packets);
	return done ? true : cmd_fail(r, "timeout");
}

bool
cmd_wait(struct run *r)
{
	const char *what = arg_str(r, "event");
	uint64_t ms = (uint64_t)arg_num(r, "timeout") * 1000 + 1;
	bool about_state = !strcmp(what, "closed") || !strcmp(what, "up") || !strcmp(what, "ended");

	if (!about_state)
		return wait_traffic(r, what, ms);
	if (arg(r, "tunnel")->given)
		return wait_tunnel(r, ms);
	if (!arg(r, "session")->given)
		return cmd_fail(r, "wait: session= or tunnel= is missing");
	return wait_session(r, ms);
}
