/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration as text: all of it, what is different in another one, and what of
 * it has no effect in this version. Everything comes from the tables of config_item.c
 * and config_family.c.
 *
 * Two entries of a family are the same one when their titles are, and equal when their
 * lines are. Called by config.c, the CLI's children and the one that writes the file.
 */
#include "config_show.h"
#include "config_family.h"
#include "config_item.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_SIZE = 2048 };

/* ---- all of it ---- */

static void
show_item(const struct config *c, const struct item *it, bool secrets, config_out_fn out, void *arg)
{
	char value[ITEM_TEXT];

	item_print(it, c, value, sizeof(value));
	if (it->flags & ITEM_OPEN && !item_is_set(it, c))
		family_line(out, arg, "# %s is not set", it->name);
	else if (it->flags & ITEM_SECRET && !secrets && strcmp(value, "\"\"") != 0)
		family_line(out, arg, "# set %s ****", it->name);
	else
		family_line(out, arg, "set %s %s", it->name, value);
}

void
config_show(config_out_fn out, void *arg, bool secrets)
{
	static struct config copy;
	const struct family *f;
	const struct item *it;
	unsigned int i, n;

	if (!config_snapshot(&copy)) {
		out(arg, "# The configuration is being changed: try again");
		return;
	}
	out(arg, "# Current configuration:");
	for (i = 0; (it = item_get(i)); i++)
		show_item(&copy, it, secrets, out, arg);
	for (i = 0; (f = family_get(i)); i++) {
		for (n = 0; n < f->count(&copy); n++) {
			if (n == 0 && f->heading)
				out(arg, f->heading);
			f->print(&copy, n, secrets, out, arg);
		}
	}
	out(arg, "# end");
}

/* ---- what is different ---- */

/* An item's value as a report has it. */
static void
value_of(const struct config *c, const struct item *it, char *text, size_t size)
{
	if (it->flags & ITEM_OPEN && !item_is_set(it, c))
		str_copy(text, size, "not set");
	else
		item_print(it, c, text, size);
}

static void
diff_item(const struct config *from, const struct config *to, const struct item *it,
    config_out_fn out, void *arg)
{
	char old[ITEM_TEXT], new[ITEM_TEXT], now[ITEM_TEXT];
	const char *when = "";

	value_of(from, it, old, sizeof(old));
	value_of(to, it, new, sizeof(new));
	if (strcmp(old, new) == 0)
		return;
	value_of(conf, it, now, sizeof(now));
	if (it->flags & ITEM_RESTART && strcmp(now, new) != 0)
		when = "; takes effect at restart";
	if (it->flags & ITEM_SECRET)
		family_line(out, arg, "set %s **** (was another)%s", it->name, when);
	else
		family_line(out, arg, "set %s %s (was %s)%s", it->name, new, old, when);
}

static void
to_stream(void *f, const char *line)
{
	fprintf(f, "%s\n", line);
}

/* The lines of an entry, malloc'ed; NULL: no memory. */
static char *
entry_text(const struct family *f, const struct config *c, unsigned int i)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	f->print(c, i, true, to_stream, stream);
	fclose(stream);
	return text;
}

static bool
same_entry(const struct family *f, const struct config *a, unsigned int i, const struct config *b,
    unsigned int j)
{
	char *one = entry_text(f, a, i), *other = entry_text(f, b, j);
	bool same = one && other && strcmp(one, other) == 0;

	free(one);
	free(other);
	return same;
}

/* The entry of that title; the family's count: none. */
static unsigned int
find_entry(const struct family *f, const struct config *c, const char *title)
{
	unsigned int i, n = f->count(c);
	char other[TITLE_SIZE];

	for (i = 0; i < n; i++) {
		f->title(c, i, other, sizeof(other));
		if (strcmp(title, other) == 0)
			break;
	}
	return i;
}

static void
diff_family(const struct config *from, const struct config *to, const struct family *f,
    config_out_fn out, void *arg)
{
	char title[TITLE_SIZE];
	unsigned int i, j;

	for (i = 0; i < f->count(from); i++) {
		f->title(from, i, title, sizeof(title));
		if (find_entry(f, to, title) == f->count(to))
			family_line(out, arg, "removed %s", title);
	}
	for (i = 0; i < f->count(to); i++) {
		f->title(to, i, title, sizeof(title));
		j = find_entry(f, from, title);
		if (j == f->count(from))
			family_line(out, arg, "added %s", title);
		else if (!same_entry(f, to, i, from, j))
			family_line(out, arg, "changed %s", title);
	}
}

void
config_diff(const struct config *from, const struct config *to, config_out_fn out, void *arg)
{
	const struct family *f;
	const struct item *it;
	unsigned int i;

	for (i = 0; (it = item_get(i)); i++)
		diff_item(from, to, it, out, arg);
	for (i = 0; (f = family_get(i)); i++)
		if (!family_equal(f, from, to))
			diff_family(from, to, f, out, arg);
}

/* ---- what has no effect ---- */

static bool
is_default(const struct config *c, const struct item *it)
{
	static struct config initial;
	char why[128];

	return item_parse(it, &initial, it->initial, why, sizeof(why)) == 0 &&
	       item_equal(it, &initial, c);
}

bool
config_unserved(const struct config *c, char *text, size_t size)
{
	const struct family *f;
	const struct item *it;
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; (it = item_get(i)); i++)
		if (it->flags & ITEM_LATER && !is_default(c, it) && len < size)
			len += (size_t)snprintf(
			    text + len, size - len, "%s%s", len ? ", " : "", it->name);
	for (i = 0; (f = family_get(i)); i++)
		if (f->flags & FAMILY_LATER && f->count(c) && len < size)
			len += (size_t)snprintf(
			    text + len, size - len, "%s%s", len ? ", " : "", f->name);
	return len > 0;
}

/* ---- single items ---- */

bool
config_row(unsigned int i, struct config_row *row)
{
	const struct item *it = item_get(i);

	if (!it)
		return false;
	*row = (struct config_row){
		.name = it->name,
		.help = it->help,
		.type = it->type->name,
		.initial = it->initial,
		.secret = it->flags & ITEM_SECRET,
		.at_restart = it->flags & ITEM_RESTART,
		.later = it->flags & ITEM_LATER,
	};
	return true;
}

int
config_value(const char *name, char *text, size_t size)
{
	const struct item *it = item_find(name);

	if (!it)
		return -1;
	item_print(it, conf_next, text, size);
	return 0;
}

bool
config_is_set(const struct config *c, const char *name)
{
	const struct item *it = item_find(name);

	return it && item_is_set(it, c);
}
