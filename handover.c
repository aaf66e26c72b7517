/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chown() with care. Root gives away what the configuration names, and what lies there
 * may have been put there by somebody else: a symbolic link to a file of root's, in a
 * folder that others may write to - after the first start the user's own, say.
 *
 * So each component of a path must lie in a folder that only root (or the user who
 * starts us) may write to, or in a sticky one and be ours. Where the last one does not,
 * it may still be given, but not if it is a link. A file must be plain, ours and without
 * a second name, a folder without folders in it: one that is shared with others, like
 * /var/log, has some. Only the owner changes; the group may be there to let people read.
 */
#include "handover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Whether only we can have put `entry` into `folder`. */
static bool
is_safe_in(const char *folder, const char *entry)
{
	struct stat f, e;

	if (stat(folder, &f) < 0 || !is_ours(&f))
		return false;
	if (!(f.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	return f.st_mode & S_ISVTX && lstat(entry, &e) == 0 && is_ours(&e);
}

int
handover_way(const char *path, char *why, size_t why_size)
{
	char folder[PATH_SIZE], entry[PATH_SIZE];
	size_t at = 0, end, next;

	if (path[0] != '/' || strlen(path) >= PATH_SIZE) {
		snprintf(why, why_size, "not an absolute path");
		return -1;
	}
	for (;; at = next) {
		at += strspn(path + at, "/");
		end = at + strcspn(path + at, "/");
		next = end + strspn(path + end, "/");
		snprintf(folder, sizeof(folder), "%.*s", (int)at, path);
		snprintf(entry, sizeof(entry), "%.*s", (int)end, path);
		if (path[next] == '\0')
			return is_safe_in(folder, entry) ? 0 : O_NOFOLLOW;
		if (is_safe_in(folder, entry))
			continue;
		snprintf(why, why_size, "others may write to %s", folder);
		return -1;
	}
}

static int
give(int fd, uid_t uid)
{
	return fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH);
}

/* What keeps us from giving the file away; NULL: nothing. */
static const char *
objection(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a plain file";
	if (!is_ours(st))
		return "it belongs to somebody else";
	if (st->st_nlink != 1)
		return "it has a second name";
	return NULL;
}

static int
open_path(int dir, const char *name, int flags, struct stat *st)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC | flags), error;

	if (fd >= 0 && fstat(fd, st) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int
handover_file(const char *path, uid_t uid, char *why, size_t why_size)
{
	int way = handover_way(path, why, why_size), fd, result = -1;
	const char *what = NULL;
	struct stat st;

	if (way < 0)
		return -1;
	fd = open_path(AT_FDCWD, path, way, &st);
	if (fd >= 0 && st.st_uid != uid)
		what = objection(&st);
	if (fd >= 0 && !what)
		result = st.st_uid == uid ? 0 : give(fd, uid);
	if (result < 0)
		snprintf(why, why_size, "%s", what ? what : strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

/* Calls `fn` for every name in the folder until it says false, which is 1; 0: never; -1: errno. */
static int
each_entry(int folder, bool (*fn)(int folder, const char *name, uid_t uid), uid_t uid)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;
	bool going_on = true;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (going_on && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			going_on = fn(folder, e->d_name, uid);
	closedir(d);
	return !going_on;
}

static bool
is_no_folder(int folder, const char *name, uid_t uid)
{
	struct stat st;

	(void)uid;
	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode);
}

/* One that we must not give away stays. */
static bool
give_entry(int folder, const char *name, uid_t uid)
{
	struct stat st;
	int fd = open_path(folder, name, O_NOFOLLOW, &st);

	if (fd < 0)
		return true;
	if (!objection(&st))
		give(fd, uid);
	close(fd);
	return true;
}

/* The folder that `fd` names. NULL when it is given, else why not. */
static const char *
give_folder(int fd, const struct stat *st, uid_t uid, bool files)
{
	int found;

	if (st->st_uid != uid && !is_ours(st))
		return "it belongs to somebody else";
	found = each_entry(fd, is_no_folder, uid);
	if (found > 0)
		return "it has folders in it";
	if (found == 0 && files)
		found = each_entry(fd, give_entry, uid);
	if (found < 0 || (st->st_uid != uid && give(fd, uid) < 0))
		return strerror(errno);
	return NULL;
}

int
handover_folder(const char *path, uid_t uid, bool files, char *why, size_t why_size)
{
	int way = handover_way(path, why, why_size), fd;
	const char *what;
	struct stat st;

	if (way < 0)
		return -1;
	fd = open_path(AT_FDCWD, path, O_DIRECTORY | way, &st);
	what = fd < 0 ? strerror(errno) : give_folder(fd, &st, uid, files);
	if (fd >= 0)
		close(fd);
	if (what)
		snprintf(why, why_size, "%s", what);
	return what ? -1 : 0;
}
