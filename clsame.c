/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members have the same configuration (SPEC 13), which nobody hands out: it is copied by people.
 * So they tell each other digests of what must be alike - items with ITEM_SAME, families of lines
 * with FAMILY_SAME, and the pool -, one a heartbeat, by name. A name that is not known here is
 * another release's. What differs twice, a whole round apart, is told once: in between an operator
 * may be changing all members one after the other.
 *
 * A digest is 32 bits of an HMAC under cluster_secret, so that who listens cannot try values; where
 * there is no cluster_secret, secrets are not told. Digests of families, whose lines may be
 * thousands, are kept until one is changed.
 *
 * Owns the list of what is compared and what each member has otherwise. Called by clpeers.c and
 * cluster.c.
 */
#include "clsame.h"
#include "config.h"
#include "config_family.h"
#include "config_item.h"
#include "ippool.h"
#include "log.h"
#include "util.h"

#include <nettle/hmac.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 64, PEERS = 32, SHOWN = 60 };

/* Neither item nor family: the pool. */
static struct row {
	const char *name;
	const struct item *item;
	const struct family *family;
	uint32_t digest; /* of a family; 0: to be worked out */
} rows[ROWS];
static unsigned int n_rows, turn;

/* A bit a row. */
static struct other {
	uint32_t address; /* network order; 0: free */
	uint64_t heard_ms;
	uint64_t doubt; /* differed when it was told last */
	uint64_t told;	/* and the log says so */
} others[PEERS];

/* --- digests --- */

static struct hmac_sha256_ctx hmac;

static void
add_line(void *unused, const char *line)
{
	(void)unused;
	hmac_sha256_update(&hmac, strlen(line) + 1, (const uint8_t *)line);
}

static void
add_family(const struct family *f)
{
	unsigned int i;

	for (i = 0; i < f->count(conf); i++)
		f->print(conf, i, conf->cluster_secret[0] != '\0', add_line, NULL);
}

static void
add_value(const struct row *r)
{
	char text[ITEM_TEXT];

	if (r->family) {
		add_family(r->family);
		return;
	}
	if (r->item)
		item_print(r->item, conf, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%llu", (unsigned long long)ippool_sum());
	add_line(NULL, text);
}

static uint32_t
work_out(const struct row *r)
{
	uint32_t digest = 0;

	hmac_sha256_set_key(
	    &hmac, strlen(conf->cluster_secret), (const uint8_t *)conf->cluster_secret);
	add_line(NULL, r->name);
	add_value(r);
	hmac_sha256_digest(&hmac, sizeof(digest), (uint8_t *)&digest);
	return digest ? digest : 1;
}

/* 0: not to be told. */
static uint32_t
digest_of(struct row *r)
{
	if (r->item && r->item->flags & ITEM_SECRET && !conf->cluster_secret[0])
		return 0;
	if (!r->family)
		return work_out(r);
	if (!r->digest)
		r->digest = work_out(r);
	return r->digest;
}

static void
on_change(void)
{
	unsigned int i;

	for (i = 0; i < n_rows; i++)
		rows[i].digest = 0;
}

/* --- what others have --- */

/* A member's place; one that is new gets the place of who was heard longest ago. */
static struct other *
place_of(uint32_t address)
{
	struct other *p, *oldest = others;

	for (p = others; p < others + PEERS; p++) {
		if (p->address == address)
			return p;
		if (p->heard_ms < oldest->heard_ms)
			oldest = p;
	}
	*oldest = (struct other){ .address = address };
	return oldest;
}

static void
tell_of_difference(uint32_t from, const struct row *r)
{
	char text[ITEM_TEXT] = "";

	if (r->item && !(r->item->flags & ITEM_SECRET))
		item_print(r->item, conf, text, sizeof(text));
	plog(LOG_ERROR,
	    "cluster: %s has another %s than this member%s%.*s: all members should have the same",
	    ip4_text(from), r->name, text[0] ? ", here it is " : "", SHOWN, text);
}

static void
compare(struct other *p, struct row *r, uint32_t digest)
{
	uint64_t bit = (uint64_t)1 << (r - rows);
	uint32_t ours = digest_of(r);

	if (!ours)
		return;
	if (ours == digest) {
		if (p->told & bit)
			plog(LOG_WARNING, "cluster: %s has the same %s now", ip4_text(p->address),
			    r->name);
		p->told &= ~bit;
		p->doubt &= ~bit;
	} else if (!(p->doubt & bit)) {
		p->doubt |= bit;
	} else if (!(p->told & bit)) {
		p->told |= bit;
		tell_of_difference(p->address, r);
	}
}

void
clsame_heard(uint32_t from, const struct cl_heartbeat *hb, uint64_t now_ms)
{
	struct other *p = place_of(from);
	unsigned int i;

	p->heard_ms = now_ms;
	for (i = 0; hb->digest && i < n_rows; i++)
		if (strcmp(rows[i].name, hb->setting) == 0)
			compare(p, &rows[i], hb->digest);
}

void
clsame_differs(uint32_t address, char *text, size_t size)
{
	unsigned int i, k;
	size_t len = 0;

	text[0] = '\0';
	for (k = 0; k < PEERS; k++)
		for (i = 0; others[k].address == address && i < n_rows && len < size; i++)
			if (others[k].told >> i & 1)
				len += (size_t)snprintf(
				    text + len, size - len, "%s%s", len ? ", " : "", rows[i].name);
}

void
clsame_tell(struct cl_heartbeat *hb)
{
	struct row *r = &rows[turn++ % n_rows];

	hb->digest = digest_of(r);
	if (hb->digest)
		str_copy(hb->setting, sizeof(hb->setting), r->name);
}

/* --- start --- */

static void
add_row(struct row r)
{
	if (n_rows < ROWS)
		rows[n_rows++] = r;
}

void
clsame_init(void)
{
	const struct family *f;
	const struct item *it;
	unsigned int i;

	n_rows = 0;
	add_row((struct row){ .name = "ip_pool" });
	for (i = 0; (it = item_get(i)); i++)
		if (it->flags & ITEM_SAME)
			add_row((struct row){ .name = it->name, .item = it });
	for (i = 0; (f = family_get(i)); i++) {
		if (!(f->flags & FAMILY_SAME))
			continue;
		add_row((struct row){ .name = f->name, .family = f });
		config_on_change(f->name, on_change);
	}
	config_on_change("cluster_secret", on_change);
}
