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

/* One line of any length; what fits of it goes to `line`. False at the end of the file. */
static bool
read_line(FILE *f, char *line, size_t size, size_t *len, bool *has_nul)
{
	int c;

	*len = 0;
	*has_nul = false;
	while ((c = getc(f)) != EOF && c != '\n') {
		if (*len < size)
			line[*len] = (char)c;
		++*len;
		*has_nul |= c == '\0';
	}
	return !ferror(f) && (c != EOF || *len > 0);
}

bool
textfile_next(struct textfile *t, char *line, size_t size)
{
	size_t len, most = size - 2;
	bool has_nul;

	while (t->f && read_line(t->f, line, size, &len, &has_nul)) {
		t->line++;
		if (has_nul) {
			textfile_error(t, "line has a NUL character");
		} else if (len > most) {
			textfile_error(t, "line is longer than %zu characters", most);
		} else {
			line[len] = '\0';
			line[strcspn(line, "\r")] = '\0';
			return true;
		}
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
