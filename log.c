/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines: levels, form, rate limits. A line is formatted into one buffer, escaped,
 * and given to log_target.c, which never blocks the loop: a line that cannot be written
 * at once is counted, and when lines are taken again one tells how many were lost.
 *
 * Called by everybody; calls log_target.c and utf8.c alone.
 */
#include "log.h"
#include "counter.h"
#include "log_target.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_SIZE = 1024, LOG_BURST = 10, LIMIT_WINDOW_MS = 1000 };

static const struct {
	const char *name;
	int severity; /* RFC 3164 4.1.1 */
} levels[] = {
	[LOG_CRITICAL] = { "critical", 2 },
	[LOG_ERROR] = { "error", 3 },
	[LOG_WARNING] = { "warning", 4 },
	[LOG_INFO] = { "info", 6 },
	[LOG_CALL] = { "call", 7 },
	[LOG_PACKET] = { "packet", 7 },
};

int log_threshold = LOG_ERROR;
static int wanted_level = LOG_ERROR;
static unsigned int lost; /* lines since one was written */
static void (*sink_fn)(int level, const char *line, size_t len);
static int sink_level = -1;

static void
update_threshold(void)
{
	log_threshold = sink_fn && sink_level > wanted_level ? sink_level : wanted_level;
}

void
log_set_level(int level)
{
	wanted_level = level;
	update_threshold();
}

void
log_set_sink(void (*sink)(int level, const char *line, size_t len), int level)
{
	sink_fn = sink;
	sink_level = level;
	update_threshold();
}

static int
line_head(char *line, size_t size, int level, sess_id sid, tunn_id tid)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(line, size, "%Y-%m-%d %H:%M:%S", &tm);
	return (int)n + snprintf(line + n, size - n, ".%03ld %s %02u/%02u ", now.tv_nsec / 1000000,
			    levels[level].name, (unsigned)tid, (unsigned)sid);
}

static bool
tell_of_lost(void)
{
	char line[128];
	size_t n = (size_t)line_head(line, sizeof(line), LOG_ERROR, 0, 0);

	n += (size_t)snprintf(
	    line + n, sizeof(line) - n, "%u log lines were lost: nobody took them", lost);
	if (!log_target_write(levels[LOG_ERROR].severity, line, n))
		return false;
	lost = 0;
	return true;
}

static void
put_line(int level, char *line, size_t len)
{
	if ((lost == 0 || tell_of_lost()) && log_target_write(levels[level].severity, line, len))
		return;
	COUNT(log_lost);
	lost++;
}

static size_t
format(char line[LINE_SIZE + 64], int level, sess_id sid, tunn_id tid, const char *fmt, va_list ap)
{
	char text[LINE_SIZE];
	size_t n = (size_t)line_head(line, LINE_SIZE + 64, level, sid, tid);

	vsnprintf(text, sizeof(text), fmt, ap);
	return n + utf8_escape(line + n, LINE_SIZE + 64 - n - 1, text, "\\");
}

void
log_write(int level, sess_id sid, tunn_id tid, const char *fmt, ...)
{
	char line[LINE_SIZE + 64];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = format(line, level, sid, tid, fmt, ap);
	va_end(ap);
	if (level <= wanted_level)
		put_line(level, line, len);
	if (sink_fn && level <= sink_level)
		sink_fn(level, line, len);
}

void
log_record(const char *fmt, ...)
{
	char line[LINE_SIZE + 64];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = format(line, LOG_INFO, 0, 0, fmt, ap);
	va_end(ap);
	put_line(LOG_INFO, line, len);
}

void
log_hex(const char *title, const void *data, size_t len)
{
	const uint8_t *p = data;
	char text[3 * 16 + 1];
	size_t i;

	if (!log_on(LOG_PACKET))
		return;
	plog(LOG_PACKET, "%s, %zu octets", title, len);
	for (i = 0; i < len; i++) {
		snprintf(text + 3 * (i % 16), 4, " %02x", p[i]);
		if (i % 16 == 15 || i + 1 == len)
			plog(LOG_PACKET, "  %04zx:%s", i & ~(size_t)15, text);
	}
}

bool
log_limit_ok(struct log_limit *limit, int level)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	if (now - limit->since_ms >= LIMIT_WINDOW_MS || limit->since_ms == 0) {
		if (limit->left_out)
			log_write(
			    level, 0, 0, "%u lines like the next were left out", limit->left_out);
		*limit = (struct log_limit){ .since_ms = now };
	}
	if (limit->used < LOG_BURST) {
		limit->used++;
		return true;
	}
	limit->left_out++;
	return false;
}

void
fatal(const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "l2tpns: %s\n", text);
	if (!log_target_is_stdout())
		plog(LOG_CRITICAL, "%s", text);
	exit(1);
}
