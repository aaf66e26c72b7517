/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists as configuration (SPEC 7): text to struct conf_rule and back.
 *
 *	ip access-list standard NAME
 *	 permit|deny SRC [DST]
 *	ip access-list extended NAME
 *	 permit|deny ip|tcp|udp SRC [PORTS] DST [PORTS]
 *	     [established | match-any|match-all [+-]FLAG...] [fragments]
 *
 * SRC and DST are `any`, `host A`, `A WILDCARD` or `A` alone; PORTS `eq|neq|gt|lt N` or
 * `range A B`. Ports are numbers. `fragments` stands in rules without ports and flags,
 * since later fragments have none. A rule that is there already is not added again: it
 * could match nothing. What the rules do to packets is filter.c's.
 *
 * The rules of all lists lie in one array, those of a list together, so a list may be
 * long while struct config stays small.
 */
#include "config_acl.h"
#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PORT = 65535, RULE_TEXT = 256 };

const char *const config_acl_words[] = { "permit", "deny", NULL };

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-";

static const struct {
	const char *word;
	uint8_t number;
} protocols[] = { { "ip", 0 }, { "tcp", 6 }, { "udp", 17 } };

static const char *const port_words[] = {
	[CONF_PORT_EQ] = "eq",
	[CONF_PORT_NEQ] = "neq",
	[CONF_PORT_GT] = "gt",
	[CONF_PORT_LT] = "lt",
	[CONF_PORT_RANGE] = "range",
};

static const char *const tcp_words[] = {
	[CONF_TCP_ESTABLISHED] = "established",
	[CONF_TCP_MATCH_ANY] = "match-any",
	[CONF_TCP_MATCH_ALL] = "match-all",
};

/* By bit. */
static const char *const flag_words[] = { "fin", "syn", "rst", "psh", "ack", "urg" };

/* ---- lists ---- */

static struct conf_acl *
find(struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->n_acls; i++)
		if (strcmp(c->acls[i].name, name) == 0)
			return &c->acls[i];
	return NULL;
}

const struct conf_acl *
config_acl_find(const struct config *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < MIN(c->n_acls, CONF_ACLS); i++)
		if (strcmp(c->acls[i].name, name) == 0)
			return &c->acls[i];
	return NULL;
}

static const char *
kind(bool extended)
{
	return extended ? "extended" : "standard";
}

/* `ip access-list standard|extended NAME` from word `at` on; NULL: refused. */
static const char *
read_head(const struct conf_words *w, int at, bool *extended)
{
	const char *name = w->argc == at + 4 ? w->argv[at + 3] : "";

	*extended = w->argc == at + 4 && strcmp(w->argv[at + 2], kind(true)) == 0;
	if (w->argc != at + 4 || (!*extended && strcmp(w->argv[at + 2], kind(false)) != 0)) {
		conf_refuse(
		    w, "expected: %sip access-list standard|extended NAME", at ? "no " : "");
		return NULL;
	}
	if (name[0] && strlen(name) < CONF_ACL_NAME && !name[strspn(name, name_chars)])
		return name;
	conf_refuse(w, "access-list: a name has 1 to %d letters, digits, - and _, not '%.40s'",
	    CONF_ACL_NAME - 1, name);
	return NULL;
}

int
config_acl_take(struct config *c, const struct conf_words *w)
{
	bool extended;
	const char *name = read_head(w, 0, &extended);
	struct conf_acl *at = name ? find(c, name) : NULL;

	if (!name)
		return -1;
	if (at && at->extended != extended)
		return conf_refuse(w, "access-list %s is %s", name, kind(at->extended));
	if (!at && c->n_acls == CONF_ACLS)
		return conf_refuse(w, "access-list: there may be %d at most", CONF_ACLS);
	if (!at) {
		at = &c->acls[c->n_acls++];
		str_copy(at->name, sizeof(at->name), name);
		at->extended = extended;
		at->first = c->n_rules;
	}
	w->mode->place = CONFIG_ACL;
	str_copy(w->mode->arg, sizeof(w->mode->arg), name);
	return 0;
}

/* Where the rules of each list begin, once a list has become longer or shorter. */
static void
lay_out(struct config *c)
{
	unsigned int i, first = 0;

	for (i = 0; i < c->n_acls; i++) {
		c->acls[i].first = first;
		first += c->acls[i].n;
	}
	c->n_rules = first;
}

/* Puts a rule into a list at place `at` of the array. */
static void
put_rule(struct config *c, struct conf_acl *acl, unsigned int at, const struct conf_rule *r)
{
	memmove(&c->rules[at + 1], &c->rules[at], (c->n_rules - at) * sizeof(*r));
	c->rules[at] = *r;
	acl->n++;
	lay_out(c);
}

/* Takes `n` rules out of a list, from place `at` of the array on. */
static void
remove_rules(struct config *c, struct conf_acl *acl, unsigned int at, unsigned int n)
{
	struct conf_rule *r = &c->rules[at];

	memmove(r, r + n, (c->n_rules - at - n) * sizeof(*r));
	memset(&c->rules[c->n_rules - n], 0, n * sizeof(*r));
	acl->n -= n;
	lay_out(c);
}

int
config_acl_undo(struct config *c, const struct conf_words *w)
{
	bool extended;
	const char *name = read_head(w, 1, &extended);
	struct conf_acl *at = name ? find(c, name) : NULL;
	unsigned int i;

	if (!name)
		return -1;
	if (!at || at->extended != extended)
		return conf_refuse(
		    w, "no ip access-list: there is no %s list %s", kind(extended), name);
	remove_rules(c, at, at->first, at->n);
	i = (unsigned int)(at - c->acls);
	c->n_acls--;
	memmove(at, at + 1, (c->n_acls - i) * sizeof(*at));
	memset(&c->acls[c->n_acls], 0, sizeof(*at));
	return 0;
}

/* ---- a rule: text to struct ---- */

/* The words of a rule from `at` on. */
struct cursor {
	const struct conf_words *w;
	int at;
};

/* The next word, "" at the end. */
static const char *
peek(const struct cursor *p)
{
	return p->at < p->w->argc ? p->w->argv[p->at] : "";
}

static bool
take(struct cursor *p, const char *word)
{
	if (strcmp(peek(p), word) != 0)
		return false;
	p->at++;
	return true;
}

/* Takes one of `words` (holes are NULL); its number, or -1. */
static int
take_one(struct cursor *p, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (words[i] && take(p, words[i]))
			return (int)i;
	return -1;
}

static int
read_address(struct cursor *p, const char *what, uint32_t *addr, uint32_t *mask)
{
	bool host;
	uint32_t wild;

	*addr = *mask = 0;
	if (take(p, "any"))
		return 0;
	host = take(p, "host");
	if (peek(p)[0] == '\0')
		return conf_refuse(p->w, "%s: the %s is missing", p->w->argv[0], what);
	if (!ip4_parse(peek(p), addr))
		return conf_refuse(p->w, "%s: %s '%.40s' is not any, host A or A WILDCARD",
		    p->w->argv[0], what, peek(p));
	p->at++;
	*mask = UINT32_MAX;
	if (!host && ip4_parse(peek(p), &wild)) {
		*mask = ~wild;
		p->at++;
	}
	return 0;
}

static int
read_port(struct cursor *p, uint16_t *port)
{
	uint64_t v;

	if (!parse_uint(peek(p), 0, MAX_PORT, &v))
		return conf_refuse(
		    p->w, "%s: '%.40s' is not a port, 0..%d", p->w->argv[0], peek(p), MAX_PORT);
	*port = (uint16_t)v;
	p->at++;
	return 0;
}

static int
read_ports(struct cursor *p, uint8_t protocol, uint8_t *op, uint16_t port[2])
{
	int word = take_one(p, port_words, ARRAY_LEN(port_words));

	if (word < 0)
		return 0;
	if (protocol == 0)
		return conf_refuse(p->w, "%s: ports belong to tcp and udp", p->w->argv[0]);
	*op = (uint8_t)word;
	if (read_port(p, &port[0]) < 0)
		return -1;
	if (word != CONF_PORT_RANGE)
		return 0;
	if (read_port(p, &port[1]) < 0)
		return -1;
	if (port[1] < port[0])
		return conf_refuse(
		    p->w, "%s: range %u %u is empty", p->w->argv[0], port[0], port[1]);
	return 0;
}

/* The flags behind match-any and match-all. */
static int
read_flags(struct cursor *p, struct conf_rule *r)
{
	size_t i;

	for (; peek(p)[0] == '+' || peek(p)[0] == '-'; p->at++) {
		for (i = 0; i < ARRAY_LEN(flag_words); i++)
			if (strcmp(peek(p) + 1, flag_words[i]) == 0)
				break;
		if (i == ARRAY_LEN(flag_words))
			return conf_refuse(
			    p->w, "%s: '%.40s' is not a TCP flag", p->w->argv[0], peek(p) + 1);
		if (peek(p)[0] == '+')
			r->tcp_on |= (uint8_t)(1 << i);
		else
			r->tcp_off |= (uint8_t)(1 << i);
	}
	if (r->tcp_on || r->tcp_off)
		return 0;
	return conf_refuse(
	    p->w, "%s: %s needs flags: +syn -ack ...", p->w->argv[0], tcp_words[r->tcp]);
}

static bool
has_transport(const struct conf_rule *r)
{
	return r->src_op || r->dst_op || r->tcp;
}

static int
read_options(struct cursor *p, struct conf_rule *r)
{
	int word = take_one(p, tcp_words, ARRAY_LEN(tcp_words));

	if (word >= 0) {
		if (r->protocol != 6)
			return conf_refuse(
			    p->w, "%s: %s belongs to tcp", p->w->argv[0], tcp_words[word]);
		r->tcp = (uint8_t)word;
		if (word != CONF_TCP_ESTABLISHED && read_flags(p, r) < 0)
			return -1;
	}
	if (!take(p, "fragments"))
		return 0;
	if (has_transport(r))
		return conf_refuse(
		    p->w, "%s: later fragments have no ports and flags", p->w->argv[0]);
	r->fragments = 1;
	return 0;
}

static int
read_protocol(struct cursor *p, struct conf_rule *r)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(protocols); i++) {
		if (take(p, protocols[i].word)) {
			r->protocol = protocols[i].number;
			return 0;
		}
	}
	return conf_refuse(p->w, "%s: '%.40s' is not ip, tcp or udp", p->w->argv[0], peek(p));
}

static int
read_standard(struct cursor *p, struct conf_rule *r)
{
	if (read_address(p, "source", &r->src, &r->src_mask) < 0)
		return -1;
	return p->at < p->w->argc ? read_address(p, "destination", &r->dst, &r->dst_mask) : 0;
}

static int
read_extended(struct cursor *p, struct conf_rule *r)
{
	if (read_protocol(p, r) < 0 || read_address(p, "source", &r->src, &r->src_mask) < 0 ||
	    read_ports(p, r->protocol, &r->src_op, r->src_port) < 0 ||
	    read_address(p, "destination", &r->dst, &r->dst_mask) < 0 ||
	    read_ports(p, r->protocol, &r->dst_op, r->dst_port) < 0)
		return -1;
	return read_options(p, r);
}

/* `permit ...` or `deny ...` from word `at` on. */
static int
read_rule(const struct conf_words *w, int at, bool extended, struct conf_rule *r)
{
	struct cursor p = { w, at };

	memset(r, 0, sizeof(*r));
	r->permit = strcmp(peek(&p), config_acl_words[0]) == 0;
	p.at++;
	if ((extended ? read_extended(&p, r) : read_standard(&p, r)) < 0)
		return -1;
	if (p.at < w->argc)
		return conf_refuse(w, "%s: '%.40s' was not expected", w->argv[0], peek(&p));
	return 0;
}

static unsigned int
find_rule(const struct config *c, const struct conf_acl *acl, const struct conf_rule *r)
{
	unsigned int i;

	for (i = acl->first; i < acl->first + acl->n; i++)
		if (memcmp(&c->rules[i], r, sizeof(*r)) == 0)
			break;
	return i;
}

int
config_acl_inner(struct config *c, const struct conf_words *w)
{
	struct conf_acl *acl = find(c, w->mode->arg);
	bool undo = strcmp(w->argv[0], "no") == 0;
	struct conf_rule r;
	unsigned int at;

	if (!acl)
		return conf_refuse(w, "there is no access-list %s any more", w->mode->arg);
	if (read_rule(w, undo, acl->extended, &r) < 0)
		return -1;
	at = find_rule(c, acl, &r);
	if (undo && at == acl->first + acl->n)
		return conf_refuse(w, "access-list %s has no such rule", acl->name);
	if (!undo && at < acl->first + acl->n)
		return 0;
	if (!undo && c->n_rules == CONF_RULES)
		return conf_refuse(w, "access-list: there may be %d rules in all", CONF_RULES);
	if (undo)
		remove_rules(c, acl, at, 1);
	else
		put_rule(c, acl, at, &r);
	return 0;
}

/* ---- a rule: struct to text ---- */

struct out {
	char *text;
	size_t size, len;
};

static void PRINTF_LIKE(2, 3) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (o->len >= o->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(o->text + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	o->len += n > 0 ? (size_t)n : 0;
}

static void
put_address(struct out *o, uint32_t addr, uint32_t mask)
{
	if (mask == UINT32_MAX)
		put(o, " host %s", ip4_text(addr));
	else if (mask == 0 && addr == 0)
		put(o, " any");
	else
		put(o, " %s %s", ip4_text(addr), ip4_text(~mask));
}

static void
put_ports(struct out *o, uint8_t op, const uint16_t port[2])
{
	if (op == CONF_PORT_ANY || op >= ARRAY_LEN(port_words))
		return;
	put(o, " %s %u", port_words[op], port[0]);
	if (op == CONF_PORT_RANGE)
		put(o, " %u", port[1]);
}

static void
put_flags(struct out *o, const struct conf_rule *r)
{
	size_t i;

	if (r->tcp == CONF_TCP_ANY || r->tcp >= ARRAY_LEN(tcp_words))
		return;
	put(o, " %s", tcp_words[r->tcp]);
	for (i = 0; i < ARRAY_LEN(flag_words); i++) {
		if (r->tcp_on >> i & 1)
			put(o, " +%s", flag_words[i]);
		if (r->tcp_off >> i & 1)
			put(o, " -%s", flag_words[i]);
	}
}

void
config_acl_rule(const struct conf_rule *r, bool extended, char *line, size_t size)
{
	struct out o = { .text = line, .size = size };
	size_t i;

	put(&o, "%s", config_acl_words[!r->permit]);
	for (i = 0; extended && i < ARRAY_LEN(protocols); i++)
		if (r->protocol == protocols[i].number)
			put(&o, " %s", protocols[i].word);
	put_address(&o, r->src, r->src_mask);
	put_ports(&o, r->src_op, r->src_port);
	if (extended || r->dst_mask || r->dst)
		put_address(&o, r->dst, r->dst_mask);
	put_ports(&o, r->dst_op, r->dst_port);
	put_flags(&o, r);
	if (r->fragments)
		put(&o, " fragments");
}

unsigned int
config_acl_count(const struct config *c)
{
	return c->n_acls;
}

void
config_acl_title(const struct config *c, unsigned int i, char *text, size_t size)
{
	snprintf(text, size, "ip access-list %s %s", kind(c->acls[i].extended), c->acls[i].name);
}

void
config_acl_print(const struct config *c, unsigned int i, bool secrets, config_out_fn out, void *arg)
{
	const struct conf_acl *acl = &c->acls[i];
	char text[RULE_TEXT];
	unsigned int n;

	(void)secrets;
	config_acl_title(c, i, text, sizeof(text));
	out(arg, text);
	for (n = acl->first; n < acl->first + acl->n; n++) {
		config_acl_rule(&c->rules[n], acl->extended, text, sizeof(text));
		family_line(out, arg, " %s", text);
	}
}
