/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's descriptor. Whatever it leads to may stop taking lines: a pipe that nobody
 * reads, a terminal after ^S, a journald that is stopped. The loop must not wait for any
 * of them, so each is written in a way that cannot block.
 *
 * Stdout is shared with whoever started us: O_NONBLOCK on it would be in force for them
 * too. A socket is told with each send; a pipe or a terminal is opened once more, to
 * have flags of our own; a plain file never blocks, and its offset is to stay common.
 * Where opening fails, poll() is asked first.
 *
 * Root does not follow a link that somebody else may have laid: lines would go into a
 * file of his choice.
 *
 * Syslog is spoken here (RFC 3164 form to /dev/log) since syslog(3) blocks.
 */
#include "log_target.h"
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_SIZE = 256 };

static const char syslog_prefix[] = "syslog:";

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

enum way {
	WAY_POLL,   /* asks first: the descriptor may block */
	WAY_WRITE,  /* it does not */
	WAY_SEND,   /* a socket of lines */
	WAY_SYSLOG, /* the syslog socket */
};

static int out_fd = STDOUT_FILENO;
static enum way out_way = WAY_POLL;
static bool on_stdout = true; /* out_fd is stdout, or the same thing opened again */
static bool in_midst;	      /* the last line was taken in part */
static int facility;	      /* of WAY_SYSLOG */
static char path[PATH_SIZE];  /* of the file; "": none */

static void
use(int fd, enum way way, const char *file)
{
	if (out_fd != STDOUT_FILENO)
		close(out_fd);
	out_fd = fd;
	out_way = way;
	on_stdout = in_midst = false;
	if (file != path)
		snprintf(path, sizeof(path), "%s", file);
}

/* --- opening --- */

static void
use_stdout(void)
{
	struct stat st = { 0 };
	int again;

	use(STDOUT_FILENO, WAY_POLL, "");
	on_stdout = true;
	fstat(STDOUT_FILENO, &st);
	if (S_ISSOCK(st.st_mode)) {
		out_way = WAY_SEND;
	} else if (S_ISREG(st.st_mode)) {
		out_way = WAY_WRITE;
	} else {
		again = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (again < 0)
			return;
		out_fd = again;
		out_way = WAY_WRITE;
	}
}

static int
facility_number(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(facilities); i++)
		if (strcmp(name, facilities[i].name) == 0)
			return facilities[i].number;
	return -1;
}

/* The name behind "syslog:"; NULL when the target is another. */
static const char *
facility_of(const char *target)
{
	size_t n = sizeof(syslog_prefix) - 1;

	return strncmp(target, syslog_prefix, n) == 0 ? target + n : NULL;
}

static int
connect_syslog(int fd)
{
	static const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
}

static int
open_syslog(int number, char *why, size_t why_size)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect_syslog(fd) < 0) {
		snprintf(why, why_size, "/dev/log: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	use(fd, WAY_SYSLOG, "");
	facility = number;
	return 0;
}

static int
open_file(const char *name, char *why, size_t why_size)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int way = geteuid() == 0 ? handover_way(name, why, why_size) : 0;
	int fd = open(name, flags | (way ? O_NOFOLLOW : 0), 0640), error = errno;
	struct stat st;

	if (fd >= 0) {
		use(fd, WAY_WRITE, name);
		return 0;
	}
	if (error == ENXIO && stat(name, &st) == 0 && S_ISFIFO(st.st_mode))
		snprintf(why, why_size, "%s: nobody reads this FIFO", name);
	else
		snprintf(why, why_size, "%s: %s", name, strerror(error));
	return -1;
}

bool
log_target_valid(const char *target, char *why, size_t why_size)
{
	const char *name = facility_of(target);

	if (name && facility_number(name) < 0)
		snprintf(why, why_size, "syslog facility '%.64s' is not known", name);
	else if (!name && target[0] && target[0] != '/')
		snprintf(why, why_size, "'%.64s' is neither an absolute path nor syslog:FACILITY",
		    target);
	else if (strlen(target) >= PATH_SIZE)
		snprintf(why, why_size, "is longer than %d characters", PATH_SIZE - 1);
	else
		return true;
	return false;
}

int
log_target_open(const char *target, char *why, size_t why_size)
{
	if (!log_target_valid(target, why, why_size))
		return -1;
	if (facility_of(target))
		return open_syslog(facility_number(facility_of(target)), why, why_size);
	if (target[0])
		return open_file(target, why, why_size);
	use_stdout();
	return 0;
}

int
log_target_reopen(char *why, size_t why_size)
{
	return path[0] ? open_file(path, why, why_size) : 0;
}

bool
log_target_is_stdout(void)
{
	return on_stdout;
}

/* --- writing --- */

static ssize_t
put(struct iovec *iov, size_t n)
{
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	struct pollfd writable = { .fd = out_fd, .events = POLLOUT };

	if (out_way == WAY_SEND)
		return sendmsg(out_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (out_way == WAY_POLL && (poll(&writable, 1, 0) <= 0 || !(writable.revents & POLLOUT)))
		return -1;
	return writev(out_fd, iov, (int)n);
}

static bool
put_line(char *line, size_t len)
{
	static char end[] = "\n";
	struct iovec parts[] = {
		{ .iov_base = end, .iov_len = 1 }, /* of the last one, when a part of it was lost */
		{ .iov_base = line, .iov_len = len },
		{ .iov_base = end, .iov_len = 1 },
	};
	size_t all = len + 1 + in_midst;
	ssize_t sent = put(parts + !in_midst, in_midst ? 3 : 2);

	if (sent > 0)
		in_midst = (size_t)sent < all && !(in_midst && sent == 1);
	return sent > 0 && (size_t)sent == all;
}

static bool
put_syslog(int severity, char *line, size_t len)
{
	char head[24];
	struct iovec iov[2] = {
		{ .iov_base = head },
		{ .iov_base = line, .iov_len = len },
	};
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	ssize_t sent;

	iov[0].iov_len =
	    (size_t)snprintf(head, sizeof(head), "<%d>l2tpns: ", facility * 8 + severity);
	sent = sendmsg(out_fd, &msg, flags);
	if (sent < 0 && (errno == ECONNREFUSED || errno == ENOTCONN) && connect_syslog(out_fd) == 0)
		sent = sendmsg(out_fd, &msg, flags); /* it was restarted */
	return sent >= 0;
}

bool
log_target_write(int severity, char *line, size_t len)
{
	return out_way == WAY_SYSLOG ? put_syslog(severity, line, len) : put_line(line, len);
}
