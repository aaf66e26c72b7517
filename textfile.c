/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of startup-config, ip_pool and users. Knows nothing of what they mean; a file
 * without a last newline, or with those of another system, is fine.
 */
#include "textfile.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void
textfile_open(
    struct textfile *t, const char *path, const char *name, void (*error)(const char *message))
{
	*t = (struct textfile){ .name = name, .error = error, .f = fopen(path, "re") };
	if (!t->f)
		textfile_error(t, "%s", strerror(errno));
}

static void
skip_line(FILE *f)
{
	int c;

	do
		c = getc(f);
	while (c != EOF && c != '\n');
}

bool
textfile_next(struct textfile *t, char *line, size_t size)
{
	while (t->f && fgets(line, (int)size, t->f)) {
		t->line++;
		if (strchr(line, '\n') || feof(t->f)) {
			line[strcspn(line, "\r\n")] = '\0';
			return true;
		}
		skip_line(t->f);
		textfile_error(t, "line is longer than %zu characters", size - 2);
	}
	return false;
}

void
textfile_error(struct textfile *t, const char *fmt, ...)
{
	char text[512], all[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->line)
		snprintf(all, sizeof(all), "%s:%u: %s", t->name, t->line, text);
	else
		snprintf(all, sizeof(all), "%s: %s", t->name, text);
	t->errors++;
	t->error(all);
}

int
textfile_close(struct textfile *t)
{
	int result = t->errors;

	if (!t->f)
		return -1;
	if (ferror(t->f)) {
		t->line = 0;
		textfile_error(t, "%s", strerror(errno));
		result = -1;
	}
	fclose(t->f);
	return result;
}
