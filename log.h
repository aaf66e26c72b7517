/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: levels 0..5 as in the manual, to where log_target.h says, never
 * blocking. Arguments are not evaluated below the level. Control characters,
 * backslashes and octets that are not UTF-8 are escaped in the text, so that a peer
 * cannot forge lines.
 */
#ifndef LOG_H
#define LOG_H

#include "l2tpns.h"

enum log_level {
	LOG_CRITICAL, /* the service is down or about to be */
	LOG_ERROR,    /* something an operator must look at */
	LOG_WARNING,  /* something odd that was dealt with */
	LOG_INFO,     /* control packets' parameters */
	LOG_CALL,     /* steps of a call, state changes */
	LOG_PACKET,   /* each packet, with hex dump */
};

/* One per call site of plog_limit(): at most LOG_BURST lines a second leave it. */
struct log_limit {
	uint64_t since_ms; /* start of the running second */
	unsigned int used; /* lines let out in it */
	unsigned int left_out;
};

extern int log_threshold; /* read through log_on() only */

#define log_on(level) __builtin_expect((int)(level) <= log_threshold, 0)

/* The daemon's log line without session or tunnel. */
#define plog(level, ...)                                                                           \
	do {                                                                                       \
		if (log_on(level))                                                                 \
			log_write((level), 0, 0, __VA_ARGS__);                                     \
	} while (0)

/* The same where a peer can cause it at will; ids may be 0. */
#define log_limited(level, sid, tid, ...)                                                          \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		if (log_on(level) && log_limit_ok(&limit_, (level)))                               \
			log_write((level), (sid), (tid), __VA_ARGS__);                             \
	} while (0)
#define plog_limit(level, ...) log_limited(level, 0, 0, __VA_ARGS__)

/* Sends everything up to `level` to the log from now on. */
void log_set_level(int level);

/* A copy of each line at or below `level` goes to `sink` too (the CLI's debug); NULL: none. */
void log_set_sink(void (*sink)(int level, const char *line, size_t len), int level);

/* Writes one line: time, level, tunnel/session, text. Called through the macros above. */
void log_write(int level, sess_id sid, tunn_id tid, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* One line that was asked for as such (dump_speed): to the log whatever its level, and to no sink.
 */
void log_record(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Writes `len` octets as hex lines at LOG_PACKET; does nothing below that level. */
void log_hex(const char *title, const void *data, size_t len);

/* True while the call site may log; counts what it left out. */
bool log_limit_ok(struct log_limit *limit, int level);

/* For start-up only: one line on stderr (and the log), then exit status 1. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

#endif
