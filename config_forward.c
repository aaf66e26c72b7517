/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remote LNSs and the users who go there (SPEC 15): a short array, in the order of the
 * lines. One mask may have several servers; a line for a mask, address and port that
 * are there replaces the secret.
 */
#include "config_forward.h"
#include "config_item.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PORT = 65535 };

static int
read_forward(const struct conf_words *w, struct conf_forward *f)
{
	uint64_t port;

	if (w->argc != 5)
		return conf_refuse(w, "expected: setforward MASK IP PORT SECRET");
	if (w->argv[1][0] == '\0' || !str_copy(f->mask, sizeof(f->mask), w->argv[1]))
		return conf_refuse(w, "setforward: a mask has 1 to %d characters", USER_LEN - 1);
	if (!ip4_parse(w->argv[2], &f->ip) || f->ip == 0)
		return conf_refuse(
		    w, "setforward: '%.40s' is not the address of an LNS", w->argv[2]);
	if (!parse_uint(w->argv[3], 1, MAX_PORT, &port))
		return conf_refuse(
		    w, "setforward: port %.20s is not in 1..%d", w->argv[3], MAX_PORT);
	f->port = (unsigned int)port;
	if (!str_copy(f->secret, sizeof(f->secret), w->argv[4]))
		return conf_refuse(
		    w, "setforward: a secret has at most %d characters", SECRET_LEN - 1);
	return 0;
}

int
config_forward_take(struct config *c, const struct conf_words *w)
{
	struct conf_forward f = { 0 };
	const struct conf_forward *at;
	unsigned int i;

	if (read_forward(w, &f) < 0)
		return -1;
	for (i = 0; i < c->n_forwards; i++) {
		at = &c->forwards[i];
		if (strcmp(at->mask, f.mask) == 0 && at->ip == f.ip && at->port == f.port)
			break;
	}
	if (i == CONF_FORWARDS)
		return conf_refuse(w, "setforward: there may be %d at most", CONF_FORWARDS);
	c->forwards[i] = f;
	c->n_forwards = MAX(c->n_forwards, i + 1);
	return 0;
}

/* Whether the words behind `no setforward`, as far as they go, name it. */
static bool
is_named(const struct conf_words *w, const struct conf_forward *f)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", f->port);
	return (w->argc < 3 || strcmp(w->argv[2], f->mask) == 0) &&
	       (w->argc < 4 || strcmp(w->argv[3], ip4_text(f->ip)) == 0) &&
	       (w->argc < 5 || strcmp(w->argv[4], port) == 0);
}

int
config_forward_undo(struct config *c, const struct conf_words *w)
{
	unsigned int i, kept = 0, n = c->n_forwards;

	if (w->argc > 5)
		return conf_refuse(w, "expected: no setforward [MASK [IP [PORT]]]");
	for (i = 0; i < n; i++)
		if (!is_named(w, &c->forwards[i]))
			c->forwards[kept++] = c->forwards[i];
	if (kept == n)
		return conf_refuse(w, "no setforward: there is no such line");
	memset(&c->forwards[kept], 0, (n - kept) * sizeof(c->forwards[0]));
	c->n_forwards = kept;
	return 0;
}

unsigned int
config_forward_count(const struct config *c)
{
	return c->n_forwards;
}

void
config_forward_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	const struct conf_forward *f = &c->forwards[i];
	char mask[3 * USER_LEN];

	item_quote(f->mask, mask, sizeof(mask));
	snprintf(text, size, "setforward %s %s %u", mask, ip4_text(f->ip), f->port);
}

void
config_forward_print(
    const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	char title[ITEM_TEXT];

	config_forward_title(c, i, title, sizeof(title));
	family_line(out, arg, "%s%s %s", secrets ? "" : "# ", title,
	    family_secret(c->forwards[i].secret, secrets));
}
