/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ip_pool file as text: lines to a list of networks with the number of their
 * pool. A line is [ADDRESS:] [pool NAME] NETWORK, with comments from # or !; the
 * address makes it one for the member that has it. Host bits in a network are
 * ignored, as operators' files have them. A network that is there twice is dropped,
 * and that is an error when the two are of different pools.
 *
 * Called by ippool.c only.
 */
#include "ippool_file.h"
#include "textfile.h"
#include "util.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024 };

/* The file being read. */
static struct {
	struct textfile text;
	struct ippool_file *to;
	const uint32_t *our_addrs;
	unsigned int n_addrs;
} reading;

/* The number of a named pool, a new one at need; -1 with an error. */
static int
pool_number(const char *name)
{
	struct ippool_file *to = reading.to;
	uint32_t i;

	for (i = 0; i < to->n_pools; i++)
		if (strcmp(to->names[i], name) == 0)
			return (int)i;
	if (i == IPPOOL_POOLS) {
		textfile_error(&reading.text, "more than %d named pools", IPPOOL_POOLS - 1);
		return -1;
	}
	if (!str_copy(to->names[i], IPPOOL_NAME, name)) {
		textfile_error(&reading.text, "the name of the pool is longer than %d characters",
		    IPPOOL_NAME - 1);
		return -1;
	}
	return (int)to->n_pools++;
}

static void
add_network(const char *text, int pool)
{
	struct ippool_file *to = reading.to;
	const char *slash = strchr(text, '/');
	char addr_text[IP4_TEXT];
	uint64_t len = 32;
	uint32_t addr, host;
	bool good;

	good = str_copy_n(
	    addr_text, sizeof(addr_text), text, slash ? (size_t)(slash - text) : strlen(text));
	if (!good || !ip4_parse(addr_text, &addr) ||
	    (slash && !parse_uint(slash + 1, 1, 32, &len))) {
		textfile_error(&reading.text, "'%.64s' is not an address or network", text);
		return;
	}
	host = ~ntohl(ip4_mask((unsigned int)len));
	addr = ntohl(addr) & ~host;
	if (addr == 0 && len >= 31)
		textfile_error(&reading.text, "0.0.0.0 cannot be given to anybody");
	else if (to->n_specs == IPPOOL_NETS)
		textfile_error(&reading.text, "more than %d networks", IPPOOL_NETS);
	else
		to->specs[to->n_specs++] = (struct ippool_spec){
			.first = addr,
			.last = addr | host,
			.line = reading.text.line,
			.len = (uint8_t)len,
			.pool = (uint8_t)pool,
		};
}

static char *
next_word(char **pos)
{
	char *word = *pos + strspn(*pos, " \t\r\n");

	*pos = word + strcspn(word, " \t\r\n");
	if (**pos)
		*(*pos)++ = '\0';
	return word;
}

/* Takes "A.B.C.D:" off the front. 1: for us (or none there), 0: for another, -1: an error. */
static int
take_member(char **pos)
{
	char *start = *pos + strspn(*pos, " \t"), *colon = strchr(start, ':');
	uint32_t addr;
	unsigned int i;

	if (!colon)
		return 1;
	*colon = '\0';
	*pos = colon + 1;
	if (!ip4_parse(start, &addr)) {
		textfile_error(&reading.text, "'%.64s' in front of ':' is not an address", start);
		return -1;
	}
	for (i = 0; i < reading.n_addrs; i++)
		if (reading.our_addrs[i] == addr)
			return 1;
	return 0;
}

static void
read_line(char *line)
{
	char *pos = line, *word;
	int pool = 0, ours;

	line[strcspn(line, "#!")] = '\0';
	ours = take_member(&pos);
	word = next_word(&pos);
	if (ours <= 0 || !*word)
		return;
	if (strcmp(word, "pool") == 0) {
		word = next_word(&pos);
		if (!*word || strchr(word, '/')) {
			textfile_error(&reading.text, "pool: what? (pool NAME NETWORK)");
			return;
		}
		pool = pool_number(word);
		word = next_word(&pos);
	}
	if (*next_word(&pos))
		textfile_error(&reading.text, "more than one network on the line");
	else if (pool >= 0)
		add_network(word, pool);
}

static int
by_place(const void *a, const void *b)
{
	const struct ippool_spec *x = &reading.to->specs[*(const uint32_t *)a];
	const struct ippool_spec *y = &reading.to->specs[*(const uint32_t *)b];

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->last != y->last)
		return x->last < y->last ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Leaves out networks that are there twice. `order` has room for all their numbers. */
static void
drop_doubles(struct ippool_file *to, uint32_t *order)
{
	struct ippool_spec *sp, *before = NULL;
	uint32_t i, kept = 0;

	for (i = 0; i < to->n_specs; i++)
		order[i] = i;
	qsort(order, to->n_specs, sizeof(*order), by_place);
	for (i = 0; i < to->n_specs; i++) {
		sp = &to->specs[order[i]];
		if (!before || before->first != sp->first || before->last != sp->last) {
			before = sp;
			continue;
		}
		reading.text.line = sp->line;
		if (before->pool != sp->pool)
			textfile_error(
			    &reading.text, "the network is in another pool, line %u", before->line);
		sp->line = 0;
	}
	for (i = 0; i < to->n_specs; i++)
		if (to->specs[i].line)
			to->specs[kept++] = to->specs[i];
	to->n_specs = kept;
}

int
ippool_file_read(struct ippool_file *to, const char *file, const uint32_t *our_addrs,
    unsigned int n_addrs, void (*error)(const char *line))
{
	static uint32_t order[IPPOOL_NETS];
	char line[LINE_SIZE];

	reading.to = to;
	reading.our_addrs = our_addrs;
	reading.n_addrs = n_addrs;
	to->n_specs = 0;
	to->n_pools = 1;
	to->names[0][0] = '\0';
	textfile_open(&reading.text, file, file, error);
	while (textfile_next(&reading.text, line, sizeof(line)))
		read_line(line);
	drop_doubles(to, order);
	return textfile_close(&reading.text);
}

bool
ippool_file_equal(const struct ippool_file *a, const struct ippool_file *b)
{
	uint32_t i;

	if (a->n_pools != b->n_pools || a->n_specs != b->n_specs)
		return false;
	for (i = 0; i < a->n_pools; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	for (i = 0; i < a->n_specs; i++)
		if (a->specs[i].first != b->specs[i].first || a->specs[i].len != b->specs[i].len ||
		    a->specs[i].pool != b->specs[i].pool)
			return false;
	return true;
}

void
ippool_file_copy(struct ippool_file *to, const struct ippool_file *from)
{
	memcpy(to->names, from->names, sizeof(to->names));
	memcpy(to->specs, from->specs, from->n_specs * sizeof(*to->specs));
	to->n_pools = from->n_pools;
	to->n_specs = from->n_specs;
}
