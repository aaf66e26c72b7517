/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `write memory`: the text of config_show() with its secrets into a new file beside the
 * old one, synced, then renamed over it, so that there is a whole file at any moment. A
 * symbolic link stays one: what it points to is written.
 *
 * Comments of the operator are lost in the new file, so one that has some is kept as
 * FILE.bak; a file that we have written ourselves has none, and takes that place from
 * nobody. Called by a CLI child, which may wait for the disk.
 */
#include "config_save.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEW_MODE = 0600, EXTRA = 16 };

/* The names of one attempt. */
struct names {
	char file[PATH_MAX], backup[PATH_MAX + EXTRA], temp[PATH_MAX + EXTRA];
};

static int
fail(const char *path, const char *what, char *said, size_t size)
{
	int error = errno;

	snprintf(said, size, "%s: %s%s%s", path, what, what[0] ? ": " : "", strerror(error));
	return -1;
}

static void
make_names(struct names *n)
{
	if (!realpath(config_path(), n->file))
		snprintf(n->file, sizeof(n->file), "%s", config_path());
	snprintf(n->backup, sizeof(n->backup), "%s.bak", n->file);
	snprintf(n->temp, sizeof(n->temp), "%s.XXXXXX", n->file);
}

/* A comment, but for those that config_show() writes. */
static bool
is_comment_of_his(const char *line)
{
	static const char *const ours[] = { "# Current configuration:\n", "# Plugins\n", "# BGP\n",
		"# Filters\n", "# end\n" };
	static const char unset[] = " is not set\n";
	size_t i, len = strlen(line);

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(line, ours[i]) == 0)
			return false;
	if (line[0] == '#' && len >= sizeof(unset) &&
	    strcmp(line + len - (sizeof(unset) - 1), unset) == 0)
		return false;
	return line[strspn(line, " \t")] == '#' || line[strspn(line, " \t")] == '!';
}

static bool
has_comments(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = is_comment_of_his(line);
	free(line);
	if (f)
		fclose(f);
	return found;
}

static void
put_line(void *f, const char *line)
{
	fprintf(f, "%s\n", line);
}

/* As the old file is, as far as we may; a new one is the owner's alone. */
static int
set_rights(int fd, const char *path)
{
	struct stat old;

	if (stat(path, &old) < 0)
		return fchmod(fd, NEW_MODE);
	if (fchown(fd, old.st_uid, old.st_gid) < 0 && errno != EPERM)
		return -1;
	return fchmod(fd, old.st_mode & 07777);
}

static int
write_temp(struct names *n)
{
	int fd = mkostemp(n->temp, O_CLOEXEC), error;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool good;

	if (!f) {
		error = errno;
		if (fd >= 0)
			close(fd);
		errno = error;
		return -1;
	}
	config_show(put_line, f, true);
	good = set_rights(fd, n->file) == 0 && fflush(f) == 0 && !ferror(f) && fsync(fd) == 0;
	error = errno;
	if (fclose(f) != 0 && good) {
		error = errno;
		good = false;
	}
	errno = error;
	return good ? 0 : -1;
}

/* The rename is on the disk too when this is. */
static void
sync_folder(void)
{
	int fd = open(config_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int
config_save(char *said, size_t size)
{
	struct names n;
	bool kept;

	make_names(&n);
	kept = has_comments(n.file);
	if (write_temp(&n) < 0) {
		fail(n.file, "", said, size);
		unlink(n.temp);
		return -1;
	}
	if (kept && ((unlink(n.backup) < 0 && errno != ENOENT) || link(n.file, n.backup) < 0)) {
		fail(n.backup, "the comments cannot be kept", said, size);
		unlink(n.temp);
		return -1;
	}
	if (rename(n.temp, n.file) < 0) {
		fail(n.file, "", said, size);
		unlink(n.temp);
		return -1;
	}
	sync_folder();
	snprintf(said, size, "Configuration written to %s%s%s", n.file,
	    kept ? "; what it was, with its comments, is " : "", kept ? n.backup : "");
	return 0;
}
