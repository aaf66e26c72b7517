/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Token buckets: shaping of throttled sessions, each direction by itself. A packet that
 * comes too early waits in a short queue, one that would wait too long is dropped.
 */
#ifndef TBF_H
#define TBF_H

#include "hook.h"
#include "ip4.h"

enum tbf_dir { TBF_IN, TBF_OUT, TBF_DIRS }; /* from the subscriber, to him */

/* A bucket in use, as `show tbf` tells. */
struct tbf_row {
	sess_id s;		       /* 0: free */
	uint32_t kbit;		       /* 1 kbit/s is 1024 bit/s of inner IP */
	uint32_t dir;		       /* enum tbf_dir */
	uint32_t queued;	       /* packets that wait */
	int64_t credit;		       /* thousandths of an octet it may send; below 0: owed */
	uint64_t in_bytes, in_packets; /* offered */
	uint64_t sent_bytes, sent_packets;
	uint64_t dropped, delayed; /* packets */
};

/*
 * A packet's time has come; PKT_HEADROOM octets in front of it are free, and it stays
 * until tbf_turn_end().
 */
typedef void (*tbf_output_fn)(sess_id s, enum tbf_dir dir, uint8_t *data, size_t len);

/* After session_init() and config_read(). */
void tbf_init(uint32_t n_buckets, uint32_t max_sessions, tbf_output_fn output);

/*
 * A packet of a throttled session. 1: it may pass now; 0: a copy was kept and comes by
 * the output function; -1: dropped and counted.
 */
int tbf_input(sess_id s, enum tbf_dir dir, const struct ip4 *ip);

/* Session events: takes buckets for its rates, gives them back at its end. */
void tbf_session(sess_id s, enum sess_event ev);

/* Hook member. */
extern const struct hook_member tbf_member;

/* A rate of the session is not kept, as no bucket was free. */
bool tbf_is_short(sess_id s);

/* Behind udp_flush(): the packets that left are gone now. */
void tbf_turn_end(void);

/* The rest is for CLI children too. Bucket of a session's direction; 0: none. */
uint32_t tbf_bucket(sess_id s, enum tbf_dir dir);

/* A copy of a bucket with the credit of this moment; false: free. */
bool tbf_row(uint32_t bucket, struct tbf_row *row);

/* Buckets in use and in all; the highest one in use. */
void tbf_counts(uint32_t *used, uint32_t *total);
uint32_t tbf_highest(void);

#endif
