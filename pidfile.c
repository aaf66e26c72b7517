/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pid file. It is opened before `setuid`, which may take the right to do so, and
 * held open. A symbolic link is not followed, nor is anything written to that is not
 * a plain file with this one name: the folder may be one that others write to.
 */
#include "pidfile.h"
#include "config.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd = -1;
static struct stat made;

void
pidfile_open(void)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	const char *what = NULL;

	if (conf->pid_file[0] == '\0')
		return;
	fd = open(conf->pid_file, flags, 0644);
	if (fd < 0 && errno == ELOOP)
		what = "is a symbolic link: not followed";
	else if (fd < 0 || fstat(fd, &made) < 0)
		what = strerror(errno);
	else if (!S_ISREG(made.st_mode) || made.st_nlink != 1)
		what = "is no plain file of one name";
	if (!what)
		return;
	plog(LOG_ERROR, "pid_file %s: %s", conf->pid_file, what);
	if (fd >= 0)
		close(fd);
	fd = -1;
}

void
pidfile_write(void)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (fd >= 0 && (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n))
		plog(LOG_ERROR, "pid_file %s: %s", conf->pid_file, strerror(errno));
}

void
pidfile_remove(void)
{
	struct stat now;

	if (fd < 0)
		return;
	if (lstat(conf->pid_file, &now) == 0 && now.st_dev == made.st_dev &&
	    now.st_ino == made.st_ino && unlink(conf->pid_file) < 0 && ftruncate(fd, 0) < 0)
		plog(LOG_WARNING, "pid_file %s: %s", conf->pid_file, strerror(errno));
	close(fd);
	fd = -1;
}
