/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accounting-Requests (RFC 2866) from a session and its counters. */
#ifndef RAD_ACCT_H
#define RAD_ACCT_H

#include "session.h"

/* Acct-Status-Type, RFC 2866 5.1. */
enum rad_acct_status {
	RAD_ACCT_START = 1,
	RAD_ACCT_STOP = 2,
	RAD_ACCT_INTERIM = 3,
	RAD_ACCT_ON = 7,
	RAD_ACCT_OFF = 8,
};

/* What a record tells beside what struct session does. */
struct rad_account {
	enum rad_acct_status status;
	int64_t when;		       /* wall clock: Event-Timestamp */
	uint32_t seconds;	       /* of service */
	uint64_t in_bytes, in_packets; /* from the subscriber */
	uint64_t out_bytes, out_packets;
	enum term_cause cause; /* of a Stop */
};

/*
 * Writes the attributes of a session's record, at most RADIUS_ACCT_ATTRS octets, plugins'
 * additions included; returns their length.
 */
size_t rad_acct_put(const struct session *s, const struct rad_account *a, void *buf);

/* Octets and packets, from the subscriber and to him. */
struct rad_moved {
	uint64_t in_bytes, in_packets, out_bytes, out_packets;
};

/* Adds to the counters in a record's attributes. */
void rad_acct_amend(void *attrs, size_t len, const struct rad_moved *more);

/* The attributes of Accounting-On and -Off, which are about no session. */
size_t rad_acct_put_nas(enum rad_acct_status status, int64_t when, void *buf);

#endif
