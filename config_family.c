/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of families. What a line of one means is its own file's; here is what they
 * have in common. A family's part of struct config is one block of it: unused places
 * are zero, so that equal lists are equal memory.
 */
#include "config_family.h"
#include "config_acl.h"
#include "config_bgp.h"
#include "config_forward.h"
#include "config_item.h"
#include "config_lac.h"
#include "config_plugin.h"
#include "config_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The block from one member to the end of another. */
#define BLOCK(from, to)                                                                            \
	.offset = offsetof(struct config, from), .size = offsetof(struct config, to) +             \
							 sizeof(((struct config *)0)->to) -        \
							 offsetof(struct config, from)

static const struct family families[] = {
	{
	    .name = "lac",
	    .first = "lac",
	    .undo_word = "no",
	    BLOCK(n_lacs, lacs),
	    .flags = FAMILY_SAME,
	    .take = config_lac_take,
	    .undo = config_lac_undo,
	    .count = config_lac_count,
	    .title = config_lac_title,
	    .print = config_lac_print,
	},
	{
	    .name = "radius server",
	    .first = "radius",
	    .second = "server",
	    .undo_word = "no",
	    BLOCK(n_servers, servers),
	    .flags = FAMILY_SAME,
	    .take = config_server_take,
	    .undo = config_server_undo,
	    .count = config_server_count,
	    .title = config_server_title,
	    .print = config_server_print,
	},
	{
	    .name = "setforward",
	    .first = "setforward",
	    .undo_word = "no",
	    BLOCK(n_forwards, forwards),
	    .flags = FAMILY_LATER,
	    .take = config_forward_take,
	    .undo = config_forward_undo,
	    .count = config_forward_count,
	    .title = config_forward_title,
	    .print = config_forward_print,
	},
	{
	    .name = "plugin",
	    .first = "load",
	    .second = "plugin",
	    .undo_word = "remove",
	    .heading = "# Plugins",
	    BLOCK(n_plugins, plugins),
	    .flags = FAMILY_PLUGIN | FAMILY_SAME,
	    .take = config_plugin_take,
	    .undo = config_plugin_undo,
	    .count = config_plugin_count,
	    .title = config_plugin_title,
	    .print = config_plugin_print,
	},
	{
	    .name = "bgp",
	    .first = "router",
	    .second = "bgp",
	    .undo_word = "no",
	    .heading = "# BGP",
	    BLOCK(bgp_as, peers),
	    .take = config_bgp_take,
	    .undo = config_bgp_undo,
	    .place = CONFIG_BGP,
	    .inner_words = config_bgp_words,
	    .inner = config_bgp_inner,
	    .count = config_bgp_count,
	    .title = config_bgp_title,
	    .print = config_bgp_print,
	},
	{
	    .name = "access-list",
	    .first = "ip",
	    .second = "access-list",
	    .undo_word = "no",
	    .heading = "# Filters",
	    BLOCK(n_acls, rules),
	    .flags = FAMILY_SAME,
	    .take = config_acl_take,
	    .undo = config_acl_undo,
	    .place = CONFIG_ACL,
	    .inner_words = config_acl_words,
	    .inner = config_acl_inner,
	    .count = config_acl_count,
	    .title = config_acl_title,
	    .print = config_acl_print,
	},
};

int
conf_refuse(const struct conf_words *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, w->why_size, fmt, ap);
	va_end(ap);
	return -1;
}

const struct family *
family_get(unsigned int i)
{
	return i < ARRAY_LEN(families) ? &families[i] : NULL;
}

const struct family *
family_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(families[i].name, name) == 0)
			return &families[i];
	return NULL;
}

/* Whether the words from number `n` on are those a line of the family begins with. */
static bool
begins(const struct family *f, const struct conf_words *w, int n, const char *first)
{
	return w->argc > n && strcmp(w->argv[n], first) == 0 &&
	       (!f->second || (w->argc > n + 1 && strcmp(w->argv[n + 1], f->second) == 0));
}

const struct family *
family_of(const struct conf_words *w, bool *undo)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *f = &families[i];

		*undo = f->flags & FAMILY_PLUGIN
			    ? begins(f, w, 0, f->undo_word)
			    : strcmp(w->argv[0], f->undo_word) == 0 && begins(f, w, 1, f->first);
		if (*undo || begins(f, w, 0, f->first))
			return f;
	}
	return NULL;
}

const struct family *
family_inside(const struct conf_words *w)
{
	int at = strcmp(w->argv[0], "no") == 0;
	const char *const *word;
	size_t i;

	if (w->mode->place == CONFIG_TOP || at == w->argc)
		return NULL;
	for (i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].place == w->mode->place)
			for (word = families[i].inner_words; *word; word++)
				if (strcmp(*word, w->argv[at]) == 0)
					return &families[i];
	return NULL;
}

void
family_copy(const struct family *f, struct config *to, const struct config *from)
{
	memcpy((char *)to + f->offset, (const char *)from + f->offset, f->size);
}

bool
family_equal(const struct family *f, const struct config *a, const struct config *b)
{
	return memcmp((const char *)a + f->offset, (const char *)b + f->offset, f->size) == 0;
}

void
family_line(config_out_fn out, void *arg, const char *fmt, ...)
{
	char line[2 * ITEM_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	out(arg, line);
}

const char *
family_secret(const char *secret, bool shown)
{
	static char text[2][ITEM_TEXT];
	static unsigned int turn;

	if (!shown)
		return "****";
	item_quote(secret, text[turn ^= 1], sizeof(text[0]));
	return text[turn];
}
