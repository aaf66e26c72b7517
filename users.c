/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operators' names and passwords, in a fixed table of private memory: a CLI
 * child has the copy of the time of its fork. Passwords are compared in constant
 * time, and a name that does not exist costs a comparison too; that plain ones cost
 * less than hashes is hidden by the CLI, which answers a failure after a fixed time.
 *
 * Owns the table; read at start and at SIGHUP by l2tpns.c, asked by the CLI's
 * children.
 */
#include "users.h"
#include "log.h"
#include "util.h"

#include <crypt.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_USERS = 256, NAME_SIZE = 64, PASSWORD_SIZE = 256, LINE_SIZE = 512 };

struct user {
	char name[NAME_SIZE];
	char password[PASSWORD_SIZE]; /* as in the file */
};

struct table {
	unsigned int n;
	struct user users[MAX_USERS];
};

static struct table known, fresh; /* fresh: while a file is read */

static const char enable_name[] = "enable";
static const char crypt_mark[] = "{crypt}";
static const struct user nobody = { .password = "$1$nobody$................" };

static struct {
	const char *file;
	unsigned int line;
	int errors;
	void (*error)(const char *line);
} reading;

static void PRINTF_LIKE(1, 2) file_error(const char *fmt, ...)
{
	char text[256], all[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (reading.line)
		snprintf(all, sizeof(all), "%s:%u: %s", reading.file, reading.line, text);
	else
		snprintf(all, sizeof(all), "%s: %s", reading.file, text);
	reading.errors++;
	reading.error(all);
}

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
read_line(char *line)
{
	struct user *u = &fresh.users[fresh.n];
	char *colon = strchr(line, ':');

	line[strcspn(line, "\r\n")] = '\0';
	if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
		return;
	if (!colon || colon == line) {
		file_error("not NAME:PASSWORD");
		return;
	}
	*colon = '\0';
	if (colon[1] == '\0')
		file_error("%.64s has no password", line);
	else if (find(&fresh, line))
		file_error("%.64s is there twice", line);
	else if (fresh.n == MAX_USERS)
		file_error("more than %d names", MAX_USERS);
	else if (!str_copy(u->name, sizeof(u->name), line))
		file_error("the name is longer than %d characters", NAME_SIZE - 1);
	else if (!str_copy(u->password, sizeof(u->password), colon + 1))
		file_error(
		    "the password of %s is longer than %d characters", u->name, PASSWORD_SIZE - 1);
	else
		fresh.n++;
}

static void
read_lines(FILE *f)
{
	char line[LINE_SIZE];
	int c;

	while (fgets(line, sizeof(line), f)) {
		reading.line++;
		if (strchr(line, '\n') || feof(f)) {
			read_line(line);
			continue;
		}
		file_error("line is longer than %d characters", LINE_SIZE - 2);
		do
			c = getc(f);
		while (c != EOF && c != '\n');
	}
}

int
users_read(const char *file, void (*error)(const char *line))
{
	FILE *f = fopen(file, "re");

	reading.file = file;
	reading.line = 0;
	reading.errors = 0;
	reading.error = error;
	memset(&fresh, 0, sizeof(fresh));
	if (!f && errno == ENOENT) {
		known = fresh;
		return 0;
	}
	if (f)
		read_lines(f);
	if (!f || ferror(f)) {
		reading.line = 0;
		file_error("%s", strerror(errno));
		reading.errors = -1;
	} else {
		known = fresh;
	}
	if (f)
		fclose(f);
	explicit_bzero(&fresh, sizeof(fresh));
	return reading.errors;
}

unsigned int
users_count(void)
{
	return known.n - users_has_enable();
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
