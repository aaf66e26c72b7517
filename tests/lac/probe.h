/* Pings and UDP echoes whose answers are awaited and compared. */
#ifndef LAC_PROBE_H
#define LAC_PROBE_H

#include "inner.h"

enum probe_kind { PROBE_NONE, PROBE_PING, PROBE_UDP };

struct probe {
	enum probe_kind kind;
	struct target target;
	uint32_t first, last; /* sessions */
	uint32_t count;
	uint32_t timeout_ms;
	uint32_t rate; /* a second */
	/* results */
	uint64_t sent, received, corrupt, duplicates, refused;
	uint64_t rtt_min_us, rtt_max_us, rtt_sum_us;
};

/* Runs it to the end. */
void probe_run(struct probe *p);

/* Called by inner.c: an answer to number seq of this session, or an error about it. */
void probe_reply(struct session *s, enum probe_kind kind, uint64_t seq, bool ok);
void probe_error(struct session *s, enum probe_kind kind, uint64_t seq);

#endif
