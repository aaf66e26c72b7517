/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists on packets: each construct with packets that fit and ones that do not,
 * fragments, IP options, headers that are cut; random rules and packets against a second
 * reading of the rules' text; lists that change, leave and come back while in use.
 */
#include "config.h"
#include "config_acl.h"
#include "filter.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TCP = 6, UDP = 17, ICMP = 1, FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

static struct config_mode mode;
static char remark[512];

static int PRINTF_LIKE(1, 2) line(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return config_line(&mode, text, remark, sizeof(remark));
}

/* What a packet of the tests is like. */
struct packet {
	const char *src, *dst;
	uint8_t protocol;
	uint16_t sport, dport;
	uint8_t flags;
	uint16_t frag;	 /* flags and offset in units of 8 */
	uint8_t options; /* octets of IP options */
	uint16_t cut;	 /* transport octets that are there, from 1; 0: all */
};

/* Exactly as long as it says, so that a sanitizer sees a look beyond. */
static bool
passes(uint8_t list, const struct packet *p)
{
	size_t head = 20u + p->options, transport = p->protocol == TCP ? 20 : 8;
	size_t len = head + (p->cut ? p->cut - 1u : transport);
	uint8_t full[128] = { 0 }, *data = malloc(len);
	struct ip4 ip;
	bool result;
	uint32_t addr;

	assert_non_null(data);
	full[0] = (uint8_t)(0x40 | head / 4);
	full[3] = (uint8_t)len;
	full[6] = (uint8_t)(p->frag >> 8);
	full[7] = (uint8_t)p->frag;
	full[9] = p->protocol;
	assert_true(ip4_parse(p->src ? p->src : "10.0.0.1", &addr));
	memcpy(full + 12, &addr, 4);
	assert_true(ip4_parse(p->dst ? p->dst : "10.9.9.9", &addr));
	memcpy(full + 16, &addr, 4);
	memset(full + 20, 1, p->options);
	full[head] = (uint8_t)(p->sport >> 8);
	full[head + 1] = (uint8_t)p->sport;
	full[head + 2] = (uint8_t)(p->dport >> 8);
	full[head + 3] = (uint8_t)p->dport;
	full[head + 12] = 0x50;
	full[head + 13] = p->flags;
	memcpy(data, full, len);
	assert_true(ip4_decode(data, len, &ip));
	result = filter_permits(list, &ip);
	free(data);
	return result;
}

/* A list of one rule, by the way in which it is typed. */
static uint8_t
list_of(const char *rule)
{
	bool extended = strstr(rule, " ip ") || strstr(rule, " tcp ") || strstr(rule, " udp ");

	line("no ip access-list standard one");
	line("no ip access-list extended one");
	assert_int_equal(line("ip access-list %s one", extended ? "extended" : "standard"), 0);
	if (line("%s", rule) < 0)
		fail_msg("%s: %s", rule, remark);
	return filter_find("one");
}

static void
each_construct(void **state)
{
	static const struct {
		const char *rule;
		struct packet yes, no;
	} rows[] = {
		{ "permit host 10.0.0.1", { 0 }, { .src = "10.0.0.2" } },
		{ "permit 10.0.0.1", { .protocol = ICMP }, { .src = "10.0.0.0" } },
		{ "permit 10.0.0.0 0.0.0.255", { .src = "10.0.0.77" }, { .src = "10.0.1.77" } },
		{ "permit 10.0.0.0 0.255.0.255", { .src = "10.7.0.5" }, { .src = "10.7.1.5" } },
		{ "permit any host 10.9.9.9", { 0 }, { .dst = "10.9.9.8" } },
		{ "permit 10.0.0.0 0.0.0.255 10.9.0.0 0.0.255.255", { 0 }, { .dst = "10.8.0.0" } },
		{ "permit ip host 10.0.0.1 any", { .protocol = ICMP }, { .src = "10.0.0.9" } },
		{ "permit tcp any any", { .protocol = TCP }, { .protocol = UDP } },
		{ "permit udp any any", { .protocol = UDP }, { .protocol = ICMP } },
		{ "permit tcp any any eq 80", { .protocol = TCP, .dport = 80 },
		    { .protocol = TCP, .sport = 80 } },
		{ "permit udp any eq 53 any", { .protocol = UDP, .sport = 53 },
		    { .protocol = UDP, .dport = 53 } },
		{ "permit udp any neq 53 any", { .protocol = UDP, .sport = 54 },
		    { .protocol = UDP, .sport = 53 } },
		{ "permit tcp any any gt 1023", { .protocol = TCP, .dport = 1024 },
		    { .protocol = TCP, .dport = 1023 } },
		{ "permit tcp any any lt 1024", { .protocol = TCP, .dport = 1023 },
		    { .protocol = TCP, .dport = 1024 } },
		{ "permit udp any range 5 7 any", { .protocol = UDP, .sport = 7 },
		    { .protocol = UDP, .sport = 8 } },
		{ "permit udp any range 5 7 any", { .protocol = UDP, .sport = 5 },
		    { .protocol = UDP, .sport = 4 } },
		{ "permit tcp any any established", { .protocol = TCP, .flags = ACK },
		    { .protocol = TCP, .flags = SYN } },
		{ "permit tcp any any established", { .protocol = TCP, .flags = RST },
		    { .protocol = TCP, .flags = FIN | PSH | URG } },
		{ "permit tcp any any match-any +syn -ack", { .protocol = TCP, .flags = SYN | ACK },
		    { .protocol = TCP, .flags = ACK } },
		{ "permit tcp any any match-any +syn -ack", { .protocol = TCP, .flags = FIN },
		    { .protocol = TCP, .flags = ACK | URG } },
		{ "permit tcp any any match-all +syn -ack", { .protocol = TCP, .flags = SYN },
		    { .protocol = TCP, .flags = SYN | ACK } },
		{ "permit tcp any any match-all +syn +urg -ack -fin",
		    { .protocol = TCP, .flags = SYN | URG | PSH },
		    { .protocol = TCP, .flags = SYN | URG | FIN } },
		{ "permit ip any any fragments", { .protocol = UDP, .frag = 100 },
		    { .protocol = UDP, .frag = 0x2000 } },
		{ "permit udp any any fragments", { .protocol = UDP, .frag = 0x2000 | 1 },
		    { .protocol = TCP, .frag = 100 } },
		/* a later fragment is permitted by addresses and protocol */
		{ "permit udp any any eq 5", { .protocol = UDP, .frag = 3, .cut = 1 },
		    { .protocol = TCP, .frag = 3, .cut = 1 } },
		{ "permit tcp any any established", { .protocol = TCP, .frag = 2, .cut = 1 },
		    { .protocol = TCP, .frag = 1, .flags = ACK } },
		/* options move the transport header */
		{ "permit tcp any any eq 80", { .protocol = TCP, .dport = 80, .options = 40 },
		    { .protocol = TCP, .dport = 81, .options = 40 } },
		/* what is cut has no ports */
		{ "permit udp any any eq 0", { .protocol = UDP }, { .protocol = UDP, .cut = 8 } },
		{ "permit udp any any neq 7", { .protocol = UDP }, { .protocol = UDP, .cut = 1 } },
		{ "permit tcp any any neq 7", { .protocol = TCP }, { .protocol = TCP, .cut = 20 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t list = list_of(rows[i].rule);

		if (!passes(list, &rows[i].yes))
			fail_msg("%zu %s: does not let pass", i, rows[i].rule);
		if (passes(list, &rows[i].no))
			fail_msg("%zu %s: lets pass", i, rows[i].rule);
	}
}

/* First match, implicit deny, and what `deny` makes of fragments and of what is cut. */
static void
order_and_rest(void **state)
{
	const struct packet later = { .protocol = TCP, .frag = 9 };
	const struct packet cut = { .protocol = TCP, .cut = 5 };
	const struct packet other = { .protocol = TCP, .dport = 9 };
	const struct packet wanted = { .protocol = TCP, .dport = 80 };
	struct filter_row row;
	struct conf_rule rule;
	uint64_t hits[3];
	uint8_t list;
	unsigned int i;

	(void)state;
	assert_int_equal(line("ip access-list extended many"), 0);
	list = filter_find("many");
	assert_false(passes(list, &wanted));
	assert_int_equal(line("deny tcp any any eq 80"), 0);
	assert_int_equal(line("permit tcp any host 10.9.9.9"), 0);
	assert_int_equal(line("deny ip any any"), 0);
	assert_false(passes(list, &wanted));
	assert_true(passes(list, &other));
	assert_true(passes(list, &later));
	assert_false(passes(list, &cut));
	for (i = 0; i < 3; i++)
		assert_true(filter_rule(list, i, &rule, &hits[i]));
	assert_false(filter_rule(list, 3, &rule, &hits[0]));
	assert_int_equal(hits[0], 2);
	assert_int_equal(hits[1], 2);
	assert_int_equal(hits[2], 0);
	assert_true(filter_row(list, &row));
	assert_int_equal(row.rest, 1);
	assert_int_equal(row.n, 3);
	/* a rule that stays keeps its hits */
	assert_int_equal(line("no permit tcp any host 10.9.9.9"), 0);
	assert_int_equal(line("permit udp any any"), 0);
	assert_true(filter_rule(list, 0, &rule, &hits[0]));
	assert_true(filter_rule(list, 2, &rule, &hits[2]));
	assert_int_equal(hits[0], 2);
	assert_int_equal(hits[2], 0);
}

/* ---- random rules, read a second time from their text ---- */

static char words[40][24];
static int n_words, at;

static const char *
word(void)
{
	return at < n_words ? words[at] : "";
}

static bool
next_is(const char *text)
{
	if (strcmp(word(), text) != 0)
		return false;
	at++;
	return true;
}

static bool
address_fits(const char *have)
{
	uint32_t addr, wild = 0, mine;

	if (next_is("any"))
		return true;
	ip4_parse(have, &mine);
	if (next_is("host")) {
		ip4_parse(words[at++], &addr);
		return addr == mine;
	}
	ip4_parse(words[at++], &addr);
	ip4_parse(words[at++], &wild);
	return ((addr ^ mine) & ~wild) == 0;
}

static bool
number_fits(uint16_t have, bool *about)
{
	long a, b;

	*about |= word()[0] && (strchr("engl", word()[0]) || strcmp(word(), "range") == 0);
	if (next_is("eq"))
		return have == atol(words[at++]);
	if (next_is("neq"))
		return have != atol(words[at++]);
	if (next_is("gt"))
		return have > atol(words[at++]);
	if (next_is("lt"))
		return have < atol(words[at++]);
	if (!next_is("range"))
		return true;
	a = atol(words[at++]);
	b = atol(words[at++]);
	return have >= a && have <= b;
}

static bool
options_fit(uint8_t flags, bool *about)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh", "ack", "urg" };
	bool all, fits;
	int i;

	if (word()[0] == '\0')
		return true;
	*about = true;
	if (next_is("established"))
		return flags & ACK || flags & RST;
	all = strcmp(word(), "match-all") == 0;
	fits = all;
	for (at++; word()[0]; at++) {
		for (i = 0; strcmp(names[i], word() + 1) != 0; i++)
			continue;
		if (((flags >> i & 1) == (word()[0] == '+')) != all)
			fits = !all;
	}
	return fits;
}

/* 1 permit, 0 deny, -1 does not fit. */
static int
read_again(const char *rule, const struct packet *p)
{
	bool permit, about = false, fits = true, later = p->frag & 0x1fff;
	const char *protocol;

	n_words = at = 0;
	while (n_words < 40 && sscanf(rule, " %23s", words[n_words]) == 1) {
		rule = strstr(rule, words[n_words]) + strlen(words[n_words]);
		n_words++;
	}
	permit = next_is("permit");
	at += !permit;
	protocol = words[at++];
	if (strcmp(protocol, "ip") != 0)
		fits = p->protocol == (protocol[0] == 't' ? TCP : UDP);
	fits &= address_fits(p->src);
	if (!fits)
		return -1;
	fits = number_fits(p->sport, &about);
	if (!address_fits(p->dst))
		return -1;
	fits &= number_fits(p->dport, &about);
	if (next_is("fragments"))
		return later ? permit : -1;
	fits &= options_fit(p->flags, &about);
	if (!about)
		return permit;
	if (later)
		return permit ? 1 : -1;
	return fits ? permit : -1;
}

static void
random_address(char text[48])
{
	if (random() % 4 == 0)
		strcpy(text, "any");
	else if (random() % 3 == 0)
		snprintf(text, 48, "host 10.0.0.%ld", random() % 4);
	else
		snprintf(text, 48, "10.0.0.%ld 0.0.0.%ld", random() % 4, random() % 4);
}

static void
random_rule(char text[256])
{
	static const char *const ops[] = { "eq 1", "neq 2", "gt 1", "lt 3", "range 1 2", "", "" };
	static const char *const tcps[] = { "established", "match-any +syn -ack", "match-all +syn",
		"match-all -fin -rst +ack", "match-any +urg +psh", "fragments" };
	static const char *const protocols[] = { "ip", "tcp", "udp" };
	long protocol = random() % 3;
	char src[48], dst[48];
	const char *sport = "", *dport = "", *options = "";

	random_address(src);
	random_address(dst);
	if (protocol > 0) {
		sport = ops[random() % 7];
		dport = ops[random() % 7];
	}
	if (protocol == 1 && random() & 1)
		options = tcps[random() % 5];
	else if (!sport[0] && !dport[0] && random() % 3 == 0)
		options = "fragments";
	snprintf(text, 256, "%s %s %s %s %s %s %s", random() & 1 ? "permit" : "deny",
	    protocols[protocol], src, sport, dst, dport, options);
}

static void
against_a_second_reading(void **state)
{
	static const uint8_t protocols[] = { TCP, UDP, ICMP };
	char rules[12][256], src[16], dst[16];
	int round, n, i, expected;
	uint8_t list;

	(void)state;
	srandom(8);
	for (round = 0; round < 20000; round++) {
		struct packet p = {
			.src = src,
			.dst = dst,
			.protocol = protocols[random() % 3],
			.sport = (uint16_t)(random() % 4),
			.dport = (uint16_t)(random() % 4),
			.flags = (uint8_t)(random() & 63),
			.frag = (uint16_t)(random() % 4 ? 0 : 2 + random() % 9),
			.options = (uint8_t)(random() % 3 * 4),
		};
		if (round % 50 == 0) {
			line("no ip access-list extended random");
			assert_int_equal(line("ip access-list extended random"), 0);
			for (n = 0; n < 12; n++) {
				random_rule(rules[n]);
				if (line("%s", rules[n]) < 0)
					fail_msg("%s: %s", rules[n], remark);
			}
		}
		list = filter_find("random");
		snprintf(src, sizeof(src), "10.0.0.%ld", random() % 4);
		snprintf(dst, sizeof(dst), "10.0.0.%ld", random() % 4);
		for (i = 0, expected = -1; i < 12 && expected < 0; i++)
			expected = read_again(rules[i], &p);
		if (passes(list, &p) != (expected == 1))
			fail_msg("rule %d, %s: protocol %u ports %u %u flags %x frag %x", i,
			    rules[i - 1], p.protocol, p.sport, p.dport, p.flags, p.frag);
	}
}

/* ---- lists that change ---- */

static void
read_file(const char *text)
{
	char file[] = "/tmp/filter_test.XXXXXX";
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(config_read(file, NULL), 0);
	unlink(file);
}

static void
lists_in_use(void **state)
{
	static const struct packet from_one = { .src = "10.0.0.1" };
	struct filter_row row;
	uint8_t a, b, c;

	(void)state;
	read_file("ip access-list standard a\npermit host 10.0.0.1\nip access-list standard b\n");
	a = filter_find("a");
	b = filter_find("b");
	assert_true(a == 1 && b == 2);
	filter_attach(a, b);
	filter_attach(a, a);
	assert_true(filter_row(a, &row));
	assert_int_equal(row.sessions, 2);
	mode.place = CONFIG_TOP;
	assert_int_equal(line("no ip access-list standard a"), -1);
	assert_string_equal(remark, "access-list a is in use by 2 sessions");
	assert_int_equal(line("no ip access-list standard b"), -1);
	assert_string_equal(remark, "access-list b is in use by 1 session");
	/* a file may do without it: those who use it keep it, and nobody else gets it */
	read_file("ip access-list standard c\npermit any\n");
	assert_int_equal(filter_find("a"), 0);
	c = filter_find("c");
	assert_true(c != a && c != b);
	assert_true(filter_row(a, &row) && !row.configured && row.n == 1);
	assert_true(passes(a, &from_one));
	/* it comes back with other rules, in its old place */
	read_file("ip access-list extended a\ndeny ip any any\nip access-list standard c\n");
	assert_int_equal(filter_find("a"), a);
	assert_false(passes(a, &from_one));
	assert_true(filter_row(a, &row) && row.configured && row.extended);
	/* the last one goes */
	read_file("ip access-list standard c\n");
	filter_detach(a, b);
	assert_false(filter_row(b, &row));
	assert_true(filter_row(a, &row));
	filter_detach(a, a);
	assert_false(filter_row(a, &row));
	read_file("ip access-list standard c\nip access-list standard d\n");
	assert_int_equal(filter_find("d"), a);
	assert_int_equal(filter_find("c"), c);
	assert_int_equal(filter_find(""), 0);
}

/* One that comes in the turn in which another one leaves takes its place, and not its hits. */
static void
hits_of_another(void **state)
{
	static const struct packet from_one = { .src = "10.0.0.1" }, other = { .src = "10.0.0.7" };
	struct filter_row row;
	struct conf_rule rule;
	uint64_t hits;

	(void)state;
	read_file("ip access-list standard old\npermit host 10.0.0.1\n");
	assert_true(passes(filter_find("old"), &from_one));
	assert_false(passes(filter_find("old"), &other));
	read_file("ip access-list standard new\npermit host 10.0.0.1\n");
	assert_true(filter_row(filter_find("new"), &row));
	assert_int_equal(row.rest, 0);
	assert_true(filter_rule(filter_find("new"), 0, &rule, &hits));
	assert_int_equal(hits, 0);
}

/* As many sessions as there may be use one list: it costs a number. */
/* By name, for who has it with another member: configured, left, or never seen. */
static void
lists_of_others(void **state)
{
	struct packet p = { .src = "1.1.1.1", .dst = "2.2.2.2", .protocol = UDP };
	struct filter_row row;
	uint8_t a, b;

	(void)state;
	assert_int_equal(filter_of_name(""), 0);
	read_file("ip access-list standard a\npermit any\n");
	a = filter_find("a");
	assert_int_equal(filter_of_name("a"), a);
	filter_attach(a, 0);
	read_file("");
	assert_int_equal(filter_find("a"), 0);
	assert_int_equal(filter_of_name("a"), a);
	assert_true(passes(a, &p));
	b = filter_of_name("b");
	assert_true(b && b != a);
	filter_attach(0, b);
	assert_false(passes(b, &p));
	assert_true(filter_row(b, &row) && !row.configured && row.sessions == 1);
	read_file("ip access-list standard b\npermit any\n");
	assert_int_equal(filter_find("b"), b);
	assert_true(passes(b, &p));
	filter_detach(a, b);
	assert_false(filter_row(a, &row));
	read_file("");
}

static void
many_sessions(void **state)
{
	struct filter_row row;
	uint8_t a;
	int i;

	(void)state;
	read_file("ip access-list standard a\npermit any\n");
	a = filter_find("a");
	for (i = 0; i < 200000; i++)
		filter_attach(a, i % 2 ? a : 0);
	read_file("");
	assert_true(filter_row(a, &row) && !row.configured);
	assert_int_equal(row.sessions, 200000);
	for (i = 0; i < 200000; i++)
		filter_detach(a, i % 2 ? a : 0);
	assert_false(filter_row(a, &row));
}

static void
too_many_lists(void **state)
{
	char text[4096] = "", *end = text;
	struct filter_row row;
	int i;

	(void)state;
	for (i = 0; i < CONF_ACLS; i++)
		end += sprintf(end, "ip access-list standard x%d\n", i);
	read_file(text);
	for (i = 1; i <= FILTER_LISTS; i++)
		if (filter_row((uint8_t)i, &row))
			filter_attach((uint8_t)i, 0);
	for (end = text, i = 0; i < CONF_ACLS; i++)
		end += sprintf(end, "ip access-list standard y%d\n", i);
	read_file(text);
	assert_int_equal(filter_find("x0"), 0);
	assert_true(filter_find("y126") > 0);
	assert_int_equal(filter_find("y127"), 0); /* 128 of old and 127 of new: full */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_in_use),
		cmocka_unit_test(hits_of_another),
		cmocka_unit_test(lists_of_others),
		cmocka_unit_test(many_sessions),
		cmocka_unit_test(each_construct),
		cmocka_unit_test(order_and_rest),
		cmocka_unit_test(against_a_second_reading),
		cmocka_unit_test(too_many_lists),
	};

	config_init();
	log_set_level(-1);
	filter_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
