/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operators' names and passwords, in a fixed table of private memory: a CLI
 * child has the copy of the time of its fork. Passwords are compared in constant
 * time, and a name that does not exist costs a comparison too; that plain ones cost
 * less than hashes is hidden by the CLI, which answers a failure after a fixed time.
 *
 * A file is read beside the table that serves, which it replaces as a whole when its
 * reader is content with it. A file of lines that are all wrong is not one without
 * entries: somebody meant to have logins asked for.
 *
 * Owns the table; read at start and at SIGHUP by l2tpns.c, asked by the CLI's
 * children.
 */
#include "users.h"
#include "textfile.h"
#include "util.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MAX_USERS = 256, NAME_SIZE = 64, PASSWORD_SIZE = 256, LINE_SIZE = 512 };

struct user {
	char name[NAME_SIZE];
	char password[PASSWORD_SIZE]; /* as in the file */
};

struct table {
	unsigned int n;
	bool broken; /* had lines that were wrong, or could not be read */
	struct user users[MAX_USERS];
};

static struct table known, fresh; /* fresh: while a file is read */

static const char enable_name[] = "enable";
static const char crypt_mark[] = "{crypt}";
static const struct user nobody = { .password = "$1$nobody$................" };

static const struct user *
find(const struct table *t, const char *name)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->users[i].name, name) == 0)
			return &t->users[i];
	return NULL;
}

static void
read_line(struct textfile *t, char *line)
{
	struct user *u = &fresh.users[fresh.n];
	char *colon = strchr(line, ':');

	if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
		return;
	if (!colon || colon == line) {
		textfile_error(t, "not NAME:PASSWORD");
		return;
	}
	*colon = '\0';
	if (colon[1] == '\0')
		textfile_error(t, "%.64s has no password", line);
	else if (find(&fresh, line))
		textfile_error(t, "%.64s is there twice", line);
	else if (fresh.n == MAX_USERS)
		textfile_error(t, "more than %d names", MAX_USERS);
	else if (!str_copy(u->name, sizeof(u->name), line))
		textfile_error(t, "the name is longer than %d characters", NAME_SIZE - 1);
	else if (!str_copy(u->password, sizeof(u->password), colon + 1))
		textfile_error(t, "the password of %s is longer than %d characters", u->name,
		    PASSWORD_SIZE - 1);
	else
		fresh.n++;
}

int
users_stage(const char *file, void (*error)(const char *line))
{
	struct textfile t;
	char line[LINE_SIZE];
	int errors;

	memset(&fresh, 0, sizeof(fresh));
	if (access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	textfile_open(&t, file, file, error);
	while (textfile_next(&t, line, sizeof(line)))
		read_line(&t, line);
	errors = textfile_close(&t);
	fresh.broken = errors != 0;
	explicit_bzero(line, sizeof(line));
	return errors;
}

void
users_commit(void)
{
	known = fresh;
	explicit_bzero(&fresh, sizeof(fresh));
}

unsigned int
users_count(void)
{
	return known.n - users_has_enable();
}

bool
users_ask_login(void)
{
	return users_count() > 0 || known.broken;
}

/* The hash to compare with, when the entry is one; NULL: the password stands there in clear. */
static const char *
hash_in(const char *entry)
{
	if (strncmp(entry, crypt_mark, sizeof(crypt_mark) - 1) == 0)
		return entry + sizeof(crypt_mark) - 1;
	return strncmp(entry, "$1$", 3) == 0 ? entry : NULL;
}

static bool
matches(const struct user *u, const char *password)
{
	struct crypt_data data = { 0 };
	const char *hash = hash_in(u->password), *result;
	bool good;

	if (!hash)
		return secret_equal_str(password, u->password);
	result = crypt_r(password, hash, &data);
	good = result && result[0] != '*' && secret_equal_str(result, hash);
	explicit_bzero(&data, sizeof(data));
	return good;
}

bool
users_login(const char *name, const char *password)
{
	const struct user *u = strcmp(name, enable_name) == 0 ? NULL : find(&known, name);

	return matches(u ? u : &nobody, password) && u;
}

bool
users_has_enable(void)
{
	return find(&known, enable_name) != NULL;
}

bool
users_enable(const char *password)
{
	const struct user *u = find(&known, enable_name);

	return u && matches(u, password);
}
