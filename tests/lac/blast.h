/* Load upstream: as many packets a second as asked for, a burst from each session in turn. */
#ifndef LAC_BLAST_H
#define LAC_BLAST_H

#include "inner.h"

struct blast {
	struct target target;
	uint32_t first, last; /* sessions */
	uint32_t burst;	      /* packets of a session in a row */
	uint32_t pps;	      /* 0: as fast as it goes */
	uint32_t ms;
	uint64_t packets; /* at most; 0: no limit */
	/* results */
	uint64_t sent;
	uint64_t start_us, end_us;
};

/* Starts it; the loop carries it on. */
void blast_start(const struct blast *b);
bool blast_running(void);
/* Results so far, or of the last one. */
const struct blast *blast_now(void);

#endif
