/*
 * Probes in rounds: one to each session at a steady rate, then the answers are awaited. A round
 * ends when every session has its answer (or an ICMP error about it), or the time is over.
 */
#include "probe.h"

#include <stdlib.h>

#include "net.h"

enum { PER_TURN = 64 };

struct slot {
	uint64_t sent_us;
	uint64_t seq;
	bool waiting;
};

static struct probe *now; /* the one that runs */
static struct slot *slots;
static uint32_t next;
static uint32_t waiting;
static uint64_t round_seq;
static uint64_t round_start_us, last_sent_us;

static void
send_one(struct session *s)
{
	struct slot *l = &slots[session_index(s)];
	const struct target *g = &now->target;
	struct pattern pat = {
		.kind = PATTERN_ECHO, .stream = g->from ? g->from : s->ip, .seq = round_seq
	};

	l->sent_us = now_us;
	l->seq = round_seq;
	l->waiting = true;
	waiting++;
	now->sent++;
	last_sent_us = now_us;
	if (now->kind == PROBE_PING)
		inner_send_ping(s, g, (uint16_t)round_seq);
	else
		inner_send_udp(s, g, &pat);
}

static bool
pump(int *wait_ms)
{
	uint64_t due;
	int n;

	if (!now || next > now->last)
		return false;
	due = now->first + 1 + (now_us - round_start_us) * now->rate / 1000000;
	for (n = 0; n < PER_TURN && next <= now->last && next < due; next++) {
		if (sessions[next].state != S_UP)
			continue;
		send_one(&sessions[next]);
		n++;
	}
	*wait_ms = n ? 0 : 1;
	return true;
}

static bool
round_over(void *arg)
{
	(void)arg;
	if (next <= now->last)
		return false;
	return !waiting || now_us - last_sent_us > (uint64_t)now->timeout_ms * 1000;
}

void
probe_run(struct probe *p)
{
	static uint64_t seq;
	uint32_t i;

	slots = calloc(session_count + 1, sizeof(*slots));
	if (!slots)
		abort();
	now = p;
	p->rtt_min_us = UINT64_MAX;
	for (i = 0; i < p->count; i++) {
		round_seq = ++seq & 0xffff;
		next = p->first;
		waiting = 0;
		clock_update();
		round_start_us = now_us;
		net_pump(pump);
		net_until(round_over, NULL, 0);
	}
	if (!p->received)
		p->rtt_min_us = 0;
	now = NULL;
	free(slots);
	slots = NULL;
}

static struct slot *
find_slot(const struct session *s, enum probe_kind kind)
{
	uint32_t i = session_index(s);

	if (!now || now->kind != kind || i < now->first || i > now->last)
		return NULL;
	return &slots[i];
}

void
probe_reply(struct session *s, enum probe_kind kind, uint64_t seq, bool ok)
{
	struct slot *l = find_slot(s, kind);
	uint64_t rtt;

	if (!ok)
		totals.rx_corrupt++;
	if (!l)
		return;
	if (!l->waiting || l->seq != seq) {
		now->duplicates++;
		return;
	}
	l->waiting = false;
	waiting--;
	if (!ok) {
		now->corrupt++;
		return;
	}
	rtt = now_us - l->sent_us;
	now->received++;
	now->rtt_sum_us += rtt;
	if (rtt < now->rtt_min_us)
		now->rtt_min_us = rtt;
	if (rtt > now->rtt_max_us)
		now->rtt_max_us = rtt;
}

void
probe_error(struct session *s, enum probe_kind kind, uint64_t seq)
{
	struct slot *l = find_slot(s, kind);

	if (!l || !l->waiting || (seq != UINT64_MAX && l->seq != seq))
		return;
	l->waiting = false;
	waiting--;
	now->refused++;
}
