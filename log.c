/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines to stdout, a file or the syslog socket. A line is formatted into one
 * buffer, escaped, and written by one write(2) or send(2) on a descriptor that
 * never blocks the loop: a full syslog socket loses the line and counts it.
 *
 * Syslog is spoken here (RFC 3164 form to /dev/log) since syslog(3) blocks.
 * Called by everybody; calls utf8.c alone.
 */
#include "log.h"
#include "counter.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024, LOG_BURST = 10, LIMIT_WINDOW_MS = 1000 };

static const struct {
	const char *name;
	int number;
} facilities[] = {
	{ "auth", 4 },
	{ "authpriv", 10 },
	{ "cron", 9 },
	{ "daemon", 3 },
	{ "ftp", 11 },
	{ "kern", 0 },
	{ "local0", 16 },
	{ "local1", 17 },
	{ "local2", 18 },
	{ "local3", 19 },
	{ "local4", 20 },
	{ "local5", 21 },
	{ "local6", 22 },
	{ "local7", 23 },
	{ "lpr", 6 },
	{ "mail", 2 },
	{ "news", 7 },
	{ "syslog", 5 },
	{ "user", 1 },
	{ "uucp", 8 },
};

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
static int out_fd = STDOUT_FILENO;
static int facility = -1; /* syslog facility, or -1 for a file */
static char path[256];
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

int
log_fd(void)
{
	return out_fd;
}

static void
use_fd(int fd, int new_facility)
{
	if (out_fd != STDOUT_FILENO)
		close(out_fd);
	out_fd = fd;
	facility = new_facility;
}

static int
connect_syslog(int fd)
{
	static const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
}

static int
open_syslog(const char *name, char *why, size_t why_size)
{
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_LEN(facilities); i++)
		if (strcmp(name, facilities[i].name) == 0)
			break;
	if (i == ARRAY_LEN(facilities)) {
		snprintf(why, why_size, "syslog facility '%s' is not known", name);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect_syslog(fd) < 0) {
		snprintf(why, why_size, "/dev/log: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	use_fd(fd, facilities[i].number);
	path[0] = '\0';
	return 0;
}

static int
open_file(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

int
log_open(const char *target, char *why, size_t why_size)
{
	int fd;

	if (target[0] == '\0') {
		use_fd(STDOUT_FILENO, -1);
		path[0] = '\0';
		return 0;
	}
	if (strncmp(target, "syslog:", 7) == 0)
		return open_syslog(target + 7, why, why_size);
	if (strlen(target) >= sizeof(path)) {
		snprintf(why, why_size, "%s: name too long", target);
		return -1;
	}
	fd = open_file(target);
	if (fd < 0) {
		snprintf(why, why_size, "%s: %s", target, strerror(errno));
		return -1;
	}
	use_fd(fd, -1);
	snprintf(path, sizeof(path), "%s", target);
	return 0;
}

void
log_reopen(void)
{
	int fd;

	if (path[0] == '\0')
		return;
	fd = open_file(path);
	if (fd < 0) {
		plog(
		    LOG_ERROR, "log file %s: %s; going on with the old one", path, strerror(errno));
		return;
	}
	use_fd(fd, -1);
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

static ssize_t
send_syslog(int level, char *line, size_t len)
{
	char head[24];
	struct iovec iov[2] = { { .iov_base = head }, { .iov_base = line, .iov_len = len } };
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t sent;

	iov[0].iov_len = (size_t)snprintf(
	    head, sizeof(head), "<%d>l2tpns: ", facility * 8 + levels[level].severity);
	sent = sendmsg(out_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && (errno == ECONNREFUSED || errno == ENOTCONN) && connect_syslog(out_fd) == 0)
		sent = sendmsg(out_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL); /* it was restarted */
	return sent;
}

static void
put_line(int level, char *line, size_t len)
{
	ssize_t sent;

	if (facility < 0) {
		line[len] = '\n';
		sent = write(out_fd, line, len + 1);
		line[len] = '\0';
	} else {
		sent = send_syslog(level, line, len);
	}
	if (sent < 0)
		COUNT(log_lost);
}

void
log_write(int level, sess_id sid, tunn_id tid, const char *fmt, ...)
{
	char text[LINE_SIZE], line[LINE_SIZE + 64];
	va_list ap;
	int head;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	head = line_head(line, sizeof(line), level, sid, tid);
	len = (size_t)head + utf8_escape(line + head, sizeof(line) - (size_t)head - 1, text, "\\");
	if (level <= wanted_level)
		put_line(level, line, len);
	if (sink_fn && level <= sink_level)
		sink_fn(level, line, len);
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
	if (out_fd != STDOUT_FILENO)
		plog(LOG_CRITICAL, "%s", text);
	exit(1);
}
