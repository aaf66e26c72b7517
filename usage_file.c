/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file's form is that of l2tpns 2.4, header lines included: names of fourteen digits,
 * and fields with a blank between. So a blank in a user name is written as \x20, what
 * else does not belong into a line is escaped as in the log, and a name that begins with
 * # gets a backslash: that line is no comment.
 *
 * A file that is there already, since the clock was set back, say, is left alone: the
 * next free second gives the name.
 */
#include "usage_file.h"
#include "utf8.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0644, STAMP = 16, TRIES = 1000 };

/* The first name from `when` on that is free. -1: errno. */
static int
find_name(struct usage_file *u, const char *folder, time_t when)
{
	char stamp[STAMP];
	struct tm tm;
	int i;

	for (i = 0; i < TRIES; i++, when++) {
		localtime_r(&when, &tm);
		strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
		snprintf(u->name, sizeof(u->name), "%s/%s", folder, stamp);
		snprintf(u->temp, sizeof(u->temp), "%s/.%s.%d.tmp", folder, stamp, (int)getpid());
		if (access(u->name, F_OK) == 0)
			continue;
		return errno == ENOENT ? 0 : -1;
	}
	errno = EEXIST;
	return -1;
}

int
usage_file_open(
    struct usage_file *u, const char *folder, const struct usage_head *head, bool origins)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	*u = (struct usage_file){ .origins = origins };
	if (find_name(u, folder, head->when) < 0)
		return -1;
	fd = open(u->temp, flags, MODE);
	u->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!u->f) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	fprintf(u->f,
	    "# dslwatch.pl dump file V1.01\n# host: %s\n# endpoint: %s\n# time: %lld\n"
	    "# uptime: %lu\n# format: username ip qos uptxoctets downrxoctets%s\n",
	    head->host, ip4_text(head->endpoint), (long long)head->when, head->uptime,
	    origins ? " origin(L=LAC, R=Remote LNS, P=PPPOE)" : "");
	return 0;
}

static void
put_name(FILE *f, const char *user)
{
	char name[4 * USER_LEN + 1];
	const char *p;

	utf8_escape(name, sizeof(name), user, "\\");
	if (name[0] == '\0')
		fputc('*', f);
	if (name[0] == '#')
		fputc('\\', f);
	for (p = name; *p; p++) {
		if (*p == ' ')
			fputs("\\x20", f);
		else
			fputc(*p, f);
	}
}

void
usage_file_line(struct usage_file *u, const char *user, uint32_t ip4, bool throttled,
    const struct usage *n, char origin)
{
	if (n->up == 0 && n->down == 0)
		return;
	put_name(u->f, user);
	fprintf(u->f, " %s %d %llu %llu", ip4_text(ip4), throttled ? 2 : 1,
	    (unsigned long long)n->up, (unsigned long long)n->down);
	if (u->origins)
		fprintf(u->f, " %c", origin);
	fputc('\n', u->f);
	u->lines++;
}

int
usage_file_sync(struct usage_file *u)
{
	bool bad = fflush(u->f) != 0 || ferror(u->f) || fsync(fileno(u->f)) < 0;
	int error = bad ? errno : 0;

	if (fclose(u->f) != 0 && !error)
		error = errno;
	u->f = NULL;
	errno = error;
	return error ? -1 : 0;
}

int
usage_file_publish(struct usage_file *u)
{
	int result = renameat2(AT_FDCWD, u->temp, AT_FDCWD, u->name, RENAME_NOREPLACE);

	if (result < 0 && errno == EINVAL) /* a file system that knows no such thing */
		result = rename(u->temp, u->name);
	return result;
}

void
usage_file_discard(struct usage_file *u)
{
	if (u->f)
		fclose(u->f);
	u->f = NULL;
	unlink(u->temp);
}
