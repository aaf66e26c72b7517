/* The upstream load: a pump that sends what is due by the clock, in batches. */
#include "blast.h"

#include "net.h"

enum { PER_TURN = 256 };

static struct blast cur;
static bool running;
static uint32_t next;
static uint32_t in_burst; /* packets that session next - 1 has still to send */

static struct session *
next_session(void)
{
	uint32_t tries;

	if (in_burst && sessions[next - 1].state == S_UP) {
		in_burst--;
		return &sessions[next - 1];
	}
	in_burst = cur.burst - 1;
	for (tries = cur.first; tries <= cur.last; tries++) {
		if (next > cur.last)
			next = cur.first;
		if (sessions[next++].state == S_UP)
			return &sessions[next - 1];
	}
	return NULL;
}

static bool
stop(void)
{
	cur.end_us = now_us;
	running = false;
	event("blast sent=%llu ms=%llu", (unsigned long long)cur.sent,
	    (unsigned long long)(cur.end_us - cur.start_us) / 1000);
	return false;
}

static uint64_t
due(void)
{
	uint64_t n = cur.sent + PER_TURN;

	if (cur.pps) {
		n = (now_us - cur.start_us) * cur.pps / 1000000 + 1;
		if (n > cur.sent + PER_TURN)
			n = cur.sent + PER_TURN;
	}
	if (cur.packets && n > cur.packets)
		n = cur.packets;
	return n;
}

static bool
pump(int *wait_ms)
{
	struct session *s;
	struct pattern pat;
	uint64_t n;

	if ((cur.ms && now_us - cur.start_us >= (uint64_t)cur.ms * 1000) ||
	    (cur.packets && cur.sent >= cur.packets))
		return stop();
	n = due();
	*wait_ms = n > cur.sent + 8 ? 0 : 1;
	if (!cur.pps)
		*wait_ms = 0;
	while (cur.sent < n) {
		s = next_session();
		if (!s)
			return stop();
		pat = (struct pattern){ .kind = PATTERN_UP, .seq = s->tx_seq++ };
		pat.stream = cur.target.from ? cur.target.from : s->ip;
		inner_send_udp(s, &cur.target, &pat);
		cur.sent++;
	}
	return true;
}

void
blast_start(const struct blast *b)
{
	cur = *b;
	cur.sent = 0;
	clock_update();
	cur.start_us = now_us;
	next = cur.first;
	in_burst = 0;
	running = true;
	net_pump(pump);
}

bool
blast_running(void)
{
	return running;
}

const struct blast *
blast_now(void)
{
	if (running)
		cur.end_us = now_us;
	return &cur;
}
