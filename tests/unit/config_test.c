/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: each row of the table with its default, its ends and what lies beyond
 * them; the texts of errors; comments and quotes; reading a file at start and again;
 * and that what config_show() prints reads back to the same configuration.
 */
#include "config.h"
#include "config_family.h"
#include "config_item.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 300 };

static char file[] = "/tmp/config_test.XXXXXX";
static char errors[8192]; /* each after the file's name, lines ended by \n */
static char remark[512];  /* of the last line() */

static void
on_error(const char *text)
{
	assert_memory_equal(text, file, strlen(file));
	text += strlen(file);
	snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s\n", text);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

static int
read_text(const char *text)
{
	write_file(text);
	errors[0] = '\0';
	return config_read(file, on_error);
}

static struct config_mode mode; /* where line() stands */

/* A line typed at run time. */
static int PRINTF_LIKE(1, 2) line(const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return config_line(&mode, text, remark, sizeof(remark));
}

static const char *
value(const char *name)
{
	static char text[ITEM_TEXT];

	assert_int_equal(config_value(name, text, sizeof(text)), 0);
	return text;
}

static int
defaults(void **state)
{
	(void)state;
	mode = (struct config_mode){ 0 };
	assert_int_equal(read_text(""), 0);
	return 0;
}

/* ---- rows ---- */

static void
every_member_has_a_row(void **state)
{
	const struct family *f;
	const struct item *it;
	size_t total = 0;
	unsigned int i;

	(void)state;
	for (i = 0; (it = item_get(i)); i++) {
		total += it->size;
		assert_ptr_equal(item_find(it->name), it);
		assert_int_equal(item_number(it), i);
		assert_true(it->help && it->help[0]);
	}
	/* but for what `set` does not name, and the gaps that alignment makes */
	for (i = 0; (f = family_get(i)); i++)
		total += f->size;
	total += sizeof(conf->is_set);
	assert_true(total <= sizeof(struct config));
	assert_true(sizeof(struct config) - total < 128);
}

static void
number_rows(const struct item *it)
{
	assert_int_equal(line("set %s %llu", it->name, (unsigned long long)it->min), 0);
	assert_int_equal(strtoull(value(it->name), NULL, 10), it->min);
	assert_int_equal(line("set %s %llu", it->name, (unsigned long long)it->max), 0);
	assert_int_equal(strtoull(value(it->name), NULL, 10), it->max);
	assert_int_equal(line("set %s %llu", it->name, (unsigned long long)it->max + 1), -1);
	if (it->min > 0)
		assert_int_equal(
		    line("set %s %llu", it->name, (unsigned long long)it->min - 1), -1);
	assert_int_equal(line("set %s -1", it->name), -1);
	assert_int_equal(line("set %s 1x", it->name), -1);
	assert_int_equal(line("set %s \"\"", it->name), -1);
	assert_int_equal(line("set %s 99999999999999999999999", it->name), -1);
	assert_int_equal(strtoull(value(it->name), NULL, 10), it->max);
}

static void
bool_rows(const struct item *it)
{
	static const char *const words[] = { "yes", "no", "true", "false", "on", "off", "1", "0",
		"YES", "False" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(line("set %s %s", it->name, words[i]), 0);
		assert_string_equal(value(it->name), i % 2 ? "no" : "yes");
	}
	assert_int_equal(line("set %s maybe", it->name), -1);
	assert_int_equal(line("set %s 2", it->name), -1);
}

static void
enum_rows(const struct item *it)
{
	unsigned int i;

	for (i = 0; it->words[i]; i++) {
		assert_int_equal(line("set %s %s", it->name, it->words[i]), 0);
		assert_string_equal(value(it->name), it->words[i]);
	}
	assert_int_equal(line("set %s nonsense", it->name), -1);
}

static void
string_rows(const struct item *it)
{
	char text[CONF_LIST + 1];

	assert_int_equal(line("set %s \"a\tb\"", it->name), -1);
	memset(text, it->valid ? '1' : 'x', sizeof(text));
	text[it->max + 1] = '\0';
	assert_int_equal(line("set %s %s", it->name, text), -1);
	if (it->valid)
		return; /* what they take is seen in special_strings */
	text[it->max] = '\0';
	assert_int_equal(line("set %s %s", it->name, text), 0);
	assert_memory_equal(value(it->name) + 1, text, it->max);
	assert_int_equal(line("set %s ''", it->name), 0);
	if (strcmp(it->name, "hostname") != 0)
		assert_string_equal(value(it->name), "\"\"");
}

static void
ip_rows(const struct item *it)
{
	const char *addr = strcmp(it->name, "cluster_address") == 0 ? "239.1.2.3" : "10.1.2.3";

	assert_int_equal(line("set %s %s", it->name, addr), 0);
	assert_string_equal(value(it->name), addr);
	assert_int_equal(line("set %s 10.1.2", it->name), -1);
	assert_int_equal(line("set %s 10.1.2.256", it->name), -1);
	assert_int_equal(line("set %s host.example", it->name), -1);
	assert_string_equal(value(it->name), addr);
}

static void
ip6_rows(const struct item *it)
{
	assert_int_equal(line("set %s 2001:db8:0::1", it->name), 0);
	assert_string_equal(value(it->name), "2001:db8::1");
	assert_int_equal(line("set %s 10.1.2.3", it->name), -1);
	assert_int_equal(line("set %s 2001:db8", it->name), -1);
	assert_int_equal(line("set %s 2001:db8::/32", it->name), -1);
}

static void
each_row_takes_its_range(void **state)
{
	static const struct {
		const char *type;
		void (*try)(const struct item *it);
	} kinds[] = {
		{ "int", number_rows },
		{ "bool", bool_rows },
		{ "enum", enum_rows },
		{ "string", string_rows },
		{ "list", string_rows },
		{ "ip", ip_rows },
		{ "ip6", ip6_rows },
	};
	const struct item *it;
	unsigned int i;
	size_t k;

	(void)state;
	for (i = 0; (it = item_get(i)); i++) {
		assert_false(config_is_set(conf, it->name));
		for (k = 0; k < ARRAY_LEN(kinds); k++)
			if (strcmp(kinds[k].type, it->type->name) == 0)
				break;
		assert_true(k < ARRAY_LEN(kinds));
		kinds[k].try(it);
		if (!it->valid || it->type->print != item_find("hostname")->type->print)
			assert_true(config_is_set(conf_next, it->name));
	}
}

static void
special_strings(void **state)
{
	(void)state;
	assert_int_equal(line("set pid_file /run/x.pid"), 0);
	assert_int_equal(line("set pid_file \"\""), 0);
	assert_int_equal(line("set pid_file x.pid"), -1);
	assert_int_equal(line("set log_file /var/log/l2tpns"), 0);
	assert_int_equal(line("set log_file syslog:daemon"), 0);
	assert_int_equal(line("set log_file \"\""), 0);
	assert_int_equal(line("set log_file log/l2tpns"), -1);
	assert_string_equal(
	    remark, "set log_file: 'log/l2tpns' is neither an absolute path nor syslog:FACILITY");
	assert_int_equal(line("set log_file syslog:nosuch"), -1);
	assert_string_equal(remark, "set log_file: syslog facility 'nosuch' is not known");
	assert_int_equal(line("set state_dir /var/lib/x"), 0);
	assert_int_equal(line("set state_dir var/lib/x"), -1);
	assert_string_equal(remark, "set state_dir: 'var/lib/x' is not an absolute path");
	assert_int_equal(line("set state_dir ''"), -1);
	assert_int_equal(line("set hostname z\xc3\xbcrich"), 0);
	assert_int_equal(line("set hostname z\xfcrich"), -1);
	assert_string_equal(remark, "set hostname: is not text in UTF-8");
	assert_int_equal(line("set hostname z\xc2\x9brich"), -1);
	assert_int_equal(line("set hostname 'a b'"), -1);
	assert_int_equal(line("set tundevicename tun123456789012"), 0);
	assert_int_equal(line("set tundevicename tun1234567890123"), -1);
	assert_string_equal(remark, "set tundevicename: is longer than 15 characters");
	assert_int_equal(line("set cluster_interface \"a b\""), -1);
	assert_int_equal(line("set cluster_interface eth0.7"), 0);
	assert_int_equal(line("set cluster_address 10.0.0.1"), -1);
	assert_int_equal(line("set bind_multi_address \"10.0.0.1, 10.0.0.2\""), 0);
	assert_int_equal(line("set bind_multi_address 10.0.0.1,10.0.0"), -1);
	assert_string_equal(remark, "set bind_multi_address: '10.0.0' is not an IPv4 address");
	assert_int_equal(line("set dhcp6_server_duid 00:03:00:01:02-11-22-33-44-55"), 0);
	assert_int_equal(line("set dhcp6_server_duid 0"), 0);
	assert_int_equal(line("set dhcp6_server_duid 0x11"), -1);
	assert_int_equal(line("set ipv6_prefix 2001:db8::/64"), 0);
	assert_string_equal(value("ipv6_prefix"), "2001:db8::");
	assert_int_equal(line("set radius_require_message_authenticator 1"), 0);
	assert_int_equal(conf->radius_require_message_authenticator, CONF_YES);
}

static void
older_names(void **state)
{
	(void)state;
	assert_int_equal(line("set nexthop 10.0.0.1"), 0);
	assert_string_equal(value("nexthop_address"), "10.0.0.1");
	assert_int_equal(line("set nexthop6 2001:db8::1"), 0);
	assert_string_equal(value("nexthop6_address"), "2001:db8::1");
}

/* ---- lines ---- */

static void
error_texts(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text(
		"set l2tp_mtu 1400\n\n# set\nset l2tp_mtu 9\nset l2tp_mtu\nset\n"
		"set l2tp_mut 1400\nset zzzzzz 1\nlaod plugin \"x\"\nset send_garp maybe\n"
		"set debug 1 2\nset log_file \"x\nset filter_unknown drop\nset primary_dns x\n"
		"set ipv6_prefix x\nset radius_authtypes pap,eap\nset radius_authtypes pap pap\n"
		"set radius_authtypes \"\"\n"),
	    15);
	assert_string_equal(errors,
	    ":4: set l2tp_mtu: 9 is not in 576..9216\n"
	    ":5: set l2tp_mtu: no value\n"
	    ":6: set: what? (set NAME VALUE)\n"
	    ":7: set l2tp_mut: no such setting; did you mean l2tp_mtu?\n"
	    ":8: set zzzzzz: no such setting\n"
	    ":9: unknown command 'laod'\n"
	    ":10: set send_garp: 'maybe' is not yes or no\n"
	    ":11: set debug: more than one value; quote it when it has spaces\n"
	    ":12: a quote is not closed\n"
	    ":13: set filter_unknown: 'drop' is not one of ignore reject\n"
	    ":14: set primary_dns: 'x' is not an IPv4 address\n"
	    ":15: set ipv6_prefix: 'x' is not an IPv6 address\n"
	    ":16: set radius_authtypes: 'eap' is not one of pap chap mschapv2\n"
	    ":17: set radius_authtypes: 'pap' is there twice\n"
	    ":18: set radius_authtypes: names no protocol: pap, chap, mschapv2\n");
	assert_int_equal(conf->l2tp_mtu, 1400);
}

static void
secrets_are_not_repeated(void **state)
{
	(void)state;
	assert_int_equal(line("set l2tp_secret verysecret%0200d", 1), -1);
	assert_null(strstr(remark, "verysecret"));
	assert_int_equal(line("set l2tp_secret very secret"), -1);
	assert_null(strstr(remark, "very"));
}

static void
comments_and_quotes(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("  set debug 2 # louder\r\n! set debug 3\nset plugin_dir '#x!'! y\n"
		      "\tset\tguest_account\t\"joe's\"\nset l2tp_secret \"a\"'\"'\"#b\" # c\n"
		      "set cluster_secret o'neill\nset hostname x#y\nset accounting_dir ''"),
	    0);
	assert_int_equal(conf->debug, 2);
	assert_string_equal(conf->plugin_dir, "#x!");
	assert_string_equal(conf->guest_account, "joe's");
	assert_string_equal(conf->l2tp_secret, "a\"#b");
	assert_string_equal(conf->cluster_secret, "o'neill");
	assert_string_equal(conf->hostname, "x");
	assert_string_equal(conf->accounting_dir, "");
}

static void
long_lines(void **state)
{
	char text[20000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "set log_file ", 13);
	strcpy(text + sizeof(text) - 14, "\nset debug 9\n");
	assert_int_equal(read_text(text), 2);
	assert_string_equal(errors, ":1: line is longer than 4095 characters\n"
				    ":2: set debug: 9 is not in 0..5\n");
	memset(text, ' ', sizeof(text));
	memcpy(text + 5000, "x", 2);
	assert_int_equal(line("%s", text), -1);
}

static void
random_lines_do_no_harm(void **state)
{
	static const char letters[] = "set debug l2tp_secret \"\"\"'''#! \t9,";
	char text[4096];
	size_t i, n;
	int round;

	(void)state;
	srandom(5);
	for (round = 0; round < 20000; round++) {
		n = (size_t)random() % (round % 50 ? 40 : sizeof(text) - 1);
		for (i = 0; i < n; i++)
			text[i] = letters[(size_t)random() % (sizeof(letters) - 1)];
		text[n] = '\0';
		line("%s%s", round & 1 ? "set plugin_dir " : "", text);
	}
}

static void
authtypes(void **state)
{
	enum auth_proto p[4];

	(void)state;
	assert_int_equal(config_authtypes(p, 4), 1);
	assert_int_equal(p[0], AUTH_PAP);
	assert_int_equal(line("set radius_authtypes mschapv2, chap pap"), 0);
	assert_int_equal(config_authtypes(p, 4), 3);
	assert_int_equal(p[0], AUTH_MSCHAPV2);
	assert_int_equal(p[1], AUTH_CHAP);
	assert_int_equal(p[2], AUTH_PAP);
	assert_int_equal(line("set radius_authtypes \"CHAP,pap\""), 0);
	assert_int_equal(config_authtypes(p, 1), 1);
	assert_int_equal(p[0], AUTH_CHAP);
}

static void
radius_ports_go_together(void **state)
{
	(void)state;
	assert_int_equal(read_text("set radius_bind_max 5062\nset radius_bind_min 5000\n\n"), 1);
	assert_string_equal(
	    errors, ":2: radius_bind_min 5000 and radius_bind_max 5062 do not hold 64 ports\n");
	assert_int_equal(conf->radius_bind_max, 0);
	assert_int_equal(read_text("set radius_bind_max 5063\nset radius_bind_min 5000\n\n"), 0);
	assert_int_equal(line("set radius_bind_min 6000"), 0);
	assert_string_equal(remark,
	    "radius_bind_min 6000 and radius_bind_max 5063 do not hold 64 ports; not in force "
	    "until they do");
	assert_int_equal(conf->radius_bind_min, 5000);
	assert_string_equal(value("radius_bind_min"), "6000");
	assert_int_equal(line("set radius_bind_max 7000"), 0);
	assert_string_equal(remark, "");
	assert_int_equal(conf->radius_bind_min, 6000);
	assert_int_equal(conf->radius_bind_max, 7000);
}

/* ---- files, changes ---- */

static unsigned int changes;

static void
on_change(void)
{
	changes++;
}

static bool
refuse_tmp(const char *text, char *why, size_t why_size)
{
	if (strcmp(text, "/tmp/no") != 0)
		return true;
	snprintf(why, why_size, "not there");
	return false;
}

static void
changes_are_told(void **state)
{
	(void)state;
	config_on_change("primary_dns", on_change);
	config_on_change("secondary_dns", on_change);
	config_check("accounting_dir", refuse_tmp);
	changes = 0;
	assert_int_equal(line("set primary_dns 10.0.0.1"), 0);
	assert_string_equal(remark, "");
	assert_int_equal(changes, 1);
	assert_int_equal(line("set primary_dns 10.0.0.1"), 0);
	assert_int_equal(line("set primary_dns x"), -1);
	assert_int_equal(line("set debug 2"), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(read_text("set primary_dns 10.0.0.2\nset secondary_dns 10.0.0.3\n"), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(line("set accounting_dir /tmp/no"), -1);
	assert_string_equal(remark, "set accounting_dir: not there");
	assert_int_equal(read_text("set accounting_dir /tmp/no"), 1);
	assert_int_equal(line("set cli_port 24"), 0);
	assert_string_equal(remark, "takes effect at restart");
}

/* SIGHUP. */
static int
read_again(void)
{
	int result = config_stage(on_error);

	if (result == 0)
		config_commit(NULL, NULL);
	return result;
}

static void
reload(void **state)
{
	(void)state;
	assert_int_equal(read_text("set l2tp_mtu 1400\nset debug 3\n"), 0);
	assert_int_equal(line("set echo_timeout 20"), 0);
	write_file("set l2tp_mtu 1300\nset debug 9\n");
	errors[0] = '\0';
	assert_int_equal(read_again(), 1);
	assert_string_equal(errors, ":2: set debug: 9 is not in 0..5\n");
	assert_int_equal(conf->l2tp_mtu, 1400);
	assert_int_equal(conf->echo_timeout, 20);
	write_file("set l2tp_mtu 1300\n");
	assert_int_equal(config_stage(on_error), 0);
	assert_int_equal(config_staged()->l2tp_mtu, 1300);
	assert_int_equal(conf->l2tp_mtu, 1400);
	config_commit(NULL, NULL);
	assert_int_equal(conf->l2tp_mtu, 1300);
	assert_int_equal(conf->debug, 1);
	assert_int_equal(conf->echo_timeout, 10);
	assert_false(config_is_set(conf, "debug"));
	unlink(file);
	errors[0] = '\0';
	assert_int_equal(read_again(), -1);
	assert_string_equal(errors, ": No such file or directory\n");
	assert_int_equal(conf->l2tp_mtu, 1300);
}

static void
ignore(const char *text)
{
	(void)text;
}

static void
unreadable_file(void **state)
{
	(void)state;
	assert_int_equal(config_read("/tmp", ignore), -1);
	assert_int_equal(config_read("/nowhere/startup-config", ignore), -1);
	assert_string_equal(config_dir(), "/nowhere");
	write_file("set l2tp_mtu 1300\n");
	assert_int_equal(config_read(file, on_error), 0);
	assert_string_equal(config_dir(), "/tmp");
}

static void
hostname_of_the_system(void **state)
{
	char name[HOSTNAME_LEN];

	(void)state;
	gethostname(name, sizeof(name));
	assert_string_equal(conf->hostname, name);
	assert_int_equal(line("set hostname lns1"), 0);
	assert_string_equal(conf->hostname, "lns1");
	assert_int_equal(line("set hostname ''"), 0);
	assert_string_equal(conf->hostname, name);
}

/* The last of all: it cannot be taken back. */
static void
forced_hostname(void **state)
{
	(void)state;
	config_force_hostname("forced");
	assert_string_equal(conf->hostname, "forced");
	assert_int_equal(read_text("set hostname lns2\n"), 0);
	assert_string_equal(conf->hostname, "forced");
	assert_int_equal(line("set hostname lns3"), 0);
	assert_string_equal(remark, "the host name stays as given with -h");
	assert_string_equal(conf->hostname, "forced");
}

/* ---- derived values ---- */

static void
mru(void **state)
{
	static const unsigned int pairs[][2] = { { 576, 538 }, { 1500, 1462 }, { 1530, 1492 },
		{ 1537, 1492 }, { 1538, 1500 }, { 9216, 1500 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(line("set l2tp_mtu %u", pairs[i][0]), 0);
		assert_int_equal(config_mru(), pairs[i][1]);
	}
}

static void
addresses(void **state)
{
	uint32_t list[4];

	(void)state;
	assert_string_equal(ip4_text(config_tun_address()), "1.1.1.1");
	assert_string_equal(ip4_text(config_our_address()), "1.1.1.1");
	assert_int_equal(config_bind_addresses(list, 4), 1);
	assert_int_equal(list[0], 0);
	assert_int_equal(read_text("set bind_address 10.0.0.1\n"), 0);
	assert_string_equal(ip4_text(config_tun_address()), "10.0.0.1");
	assert_string_equal(ip4_text(config_nas_ip()), "10.0.0.1");
	assert_int_equal(read_text("set bind_address 10.0.0.1\nset iftun_address 10.0.0.2\n"), 0);
	assert_string_equal(ip4_text(config_tun_address()), "10.0.0.2");
	assert_string_equal(ip4_text(config_our_address()), "10.0.0.1");
	assert_int_equal(line("set peer_address 10.0.0.3"), 0);
	assert_string_equal(ip4_text(config_our_address()), "10.0.0.3");
	assert_int_equal(line("set radius_nas_ip 10.0.0.4"), 0);
	assert_string_equal(ip4_text(config_nas_ip()), "10.0.0.4");
	assert_int_equal(read_text("set bind_multi_address 10.0.0.5,10.0.0.6 10.0.0.7\n"), 0);
	assert_int_equal(config_bind_addresses(list, 4), 3);
	assert_string_equal(ip4_text(list[2]), "10.0.0.7");
	assert_int_equal(config_bind_addresses(list, 2), 2);
	assert_string_equal(ip4_text(config_tun_address()), "10.0.0.5");
}

static void
radius_ports(void **state)
{
	(void)state;
	assert_int_equal(config_radius_port(0), 1645);
	assert_int_equal(config_radius_port(1), 1645);
	assert_int_equal(line("set primary_radius_port 1812"), 0);
	assert_int_equal(config_radius_port(1), 1812);
	assert_int_equal(line("set secondary_radius_port 1900"), 0);
	assert_int_equal(config_radius_port(0), 1812);
	assert_int_equal(config_radius_port(1), 1900);
}

/* ---- printing ---- */

static char shown[400000];
static size_t shown_len;

static void
collect(void *arg, const char *text)
{
	(void)arg;
	assert_null(strchr(text, '\n'));
	shown_len += (size_t)snprintf(shown + shown_len, sizeof(shown) - shown_len, "%s\n", text);
	assert_true(shown_len < sizeof(shown));
}

static const char *
show(bool secrets)
{
	shown[0] = '\0';
	shown_len = 0;
	config_show(collect, NULL, secrets);
	return shown;
}

static void
order_and_form(void **state)
{
	static const char head[] =
	    "# Current configuration:\nset debug 1\nset log_file \"\"\nset pid_file \"\"\n"
	    "set random_device \"/dev/urandom\"\nset l2tp_secret \"\"\nset l2tp_mtu 1500\n";

	(void)state;
	assert_memory_equal(show(true), head, sizeof(head) - 1);
	assert_string_equal(shown + strlen(shown) - 6, "# end\n");
	assert_non_null(strstr(shown, "# cli_bind_address is not set\n"));
	assert_int_equal(line("set cli_bind_address 0.0.0.0"), 0);
	assert_non_null(strstr(show(true), "set cli_bind_address 0.0.0.0\n"));
}

/* What the daemon took at its start stays, whatever is configured for the next one. */
static void
what_waits_for_a_restart(void **state)
{
	const struct item *it;
	unsigned int i;

	(void)state;
	assert_int_equal(
	    read_text("set pid_file /run/a\nset bind_address 10.0.0.1\nset cli_port 24\n"), 0);
	assert_int_equal(line("set pid_file /run/b"), 0);
	assert_string_equal(remark, "takes effect at restart");
	assert_int_equal(line("set cli_bind_address 0.0.0.0"), 0);
	assert_string_equal(remark, "takes effect at restart");
	assert_false(config_is_set(conf, "cli_bind_address"));
	assert_int_equal(line("set cli_bind_address 10.0.0.9"), 0);
	assert_string_equal(conf->pid_file, "/run/a");
	assert_string_equal(value("pid_file"), "\"/run/b\"");
	assert_non_null(strstr(show(true), "set pid_file \"/run/b\""));
	assert_false(config_is_set(conf, "cli_bind_address"));
	assert_non_null(strstr(show(true), "set cli_bind_address 10.0.0.9"));
	assert_int_equal(line("set pid_file /run/a"), 0);
	assert_string_equal(remark, "");

	write_file("set bind_address 10.0.0.2\nset debug 2\n");
	assert_int_equal(read_again(), 0);
	assert_int_equal(conf->debug, 2);
	assert_string_equal(ip4_text(conf->bind_address), "10.0.0.1");
	assert_string_equal(ip4_text(config_our_address()), "10.0.0.1");
	assert_string_equal(value("bind_address"), "10.0.0.2");
	assert_int_equal(conf->cli_port, 24);
	assert_string_equal(value("cli_port"), "23");
	for (i = 0; (it = item_get(i)); i++)
		if (!(it->flags & ITEM_RESTART))
			assert_true(item_equal(it, conf, conf_next));
}

static void
secrets_are_masked(void **state)
{
	(void)state;
	assert_int_equal(line("set l2tp_secret hidden1"), 0);
	assert_int_equal(line("set radius_secret hidden2"), 0);
	assert_int_equal(line("set cluster_secret hidden3"), 0);
	assert_int_equal(line("set nsctl_secret hidden4"), 0);
	assert_non_null(strstr(show(true), "\nset l2tp_secret \"hidden1\"\n"));
	assert_null(strstr(show(false), "hidden"));
	assert_non_null(strstr(shown, "\n# set nsctl_secret ****\n"));
	assert_int_equal(read_text(shown), 0);
	assert_string_equal(conf->l2tp_secret, "");
}

/* A value that the row takes, by chance. */
static void
random_value(const struct item *it, char *text, size_t size)
{
	static const char letters[] = "abcXYZ019 .,:/#!'\"\\-_@%$&*\xc3\xa9";
	uint64_t span = it->max - it->min + 1;
	size_t n, i;

	if (strcmp(it->type->name, "int") == 0) {
		snprintf(text, size, "%llu",
		    (unsigned long long)(it->min +
					 ((uint64_t)random() << 8 ^ (uint64_t)random()) % span));
	} else if (strcmp(it->type->name, "string") == 0 || strcmp(it->type->name, "list") == 0) {
		n = random() % 4 == 0 ? it->max : (size_t)random() % MIN(it->max + 1, 12);
		for (i = 0; i < n; i++)
			text[i] = letters[(size_t)random() % (sizeof(letters) - 1)];
		text[n] = '\0';
	} else if (strcmp(it->type->name, "ip6") == 0) {
		snprintf(text, size, "2001:db8::%lx", random() & 0xffff);
	} else if (strcmp(it->type->name, "ip") == 0) {
		snprintf(text, size, "%ld.%ld.0.1", 224 + random() % 16, random() & 255);
	} else {
		snprintf(text, size, "%s", random() & 1 ? "yes" : "no");
	}
}

static const char *
random_address(char text[80])
{
	switch (random() % 4) {
	case 0:
		return strcpy(text, "any");
	case 1:
		snprintf(text, 80, "host 10.%ld.%ld.9", random() % 3, random() % 3);
		break;
	default:
		snprintf(text, 80, "10.%ld.0.%ld %ld.0.%ld.255", random() % 3, random() % 3,
		    random() & 255, random() & 255);
	}
	return text;
}

static const char *
random_ports(char text[80], bool have)
{
	static const char *const words[] = { "eq", "neq", "gt", "lt" };
	long from = random() % 65536;

	text[0] = '\0';
	if (have && random() % 3 == 0)
		snprintf(text, 80, "range %ld %ld", from, from + random() % (65536 - from));
	else if (have && random() % 2)
		snprintf(text, 80, "%s %ld", words[random() % 4], from);
	return text;
}

static const char *
random_options(char text[80], bool tcp, bool ports)
{
	static const char *const tcps[] = { "established", "match-any +syn -ack",
		"match-all -fin +rst +urg -psh", "match-any -syn +syn" };

	text[0] = '\0';
	if (tcp && random() % 2)
		snprintf(text, 80, "%s", tcps[random() % 4]);
	else if (!ports && random() % 3 == 0)
		snprintf(text, 80, "fragments");
	return text;
}

static void
random_rule(bool extended)
{
	static const char *const protocols[] = { "ip", "tcp", "udp" };
	char src[80], dst[80], sport[80], dport[80], options[80];
	long protocol = random() % 3;
	const char *verb = random() & 1 ? "permit" : "deny";

	random_address(src);
	random_address(dst);
	if (!extended) {
		assert_int_equal(line("%s %s %s", verb, src, random() & 1 ? dst : ""), 0);
		return;
	}
	random_ports(sport, protocol > 0);
	random_ports(dport, protocol > 0);
	random_options(options, protocol == 1, sport[0] || dport[0]);
	if (line("%s %s %s %s %s %s %s", verb, protocols[protocol], src, sport, dst, dport,
		options) < 0)
		fail_msg("%s", remark);
}

/* Lines of all families, some of which take others back. */
static void
random_families(void)
{
	int i, n;
	bool extended;

	for (i = 0; i < 4; i++) {
		line("lac c%ld.example secret \"s%ld'\" max-sessions %ld", random() % 9,
		    random() % 9, 1 + random() % 99);
		line("no lac c%ld.example", random() % 9);
		line("radius server 10.0.0.%ld auth-port %ld weight %ld secret 'a \"%ld'",
		    1 + random() % 20, 1 + random() % 999, 1 + random() % 9, random());
		line(
		    "radius server 10.0.1.%ld acct-port %ld", 1 + random() % 9, 1 + random() % 999);
		line("no radius server 10.0.0.%ld", random() % 20);
		line("setforward '/isp%ld@x#y' 10.1.0.%ld 1701 \"%ld\"", random() % 9,
		    1 + random() % 9, random());
		line("no setforward '/isp%ld@x#y' 10.1.0.%ld", random() % 9, 1 + random() % 9);
		line("load plugin p%ld", random() % 9);
		line("remove plugin p%ld", random() % 9);
		line("router bgp %ld", random() % 3 ? 64512 : 4200000001);
		line("neighbour n%ld.example remote-as 1.%ld timers 10 %ld", random() % 9,
		    random() % 9, 30 + random() % 9);
		line("neighbour 2001:db8::%ld remote-as 7 password '\"%ld' update-source 10.0.0.1",
		    random() % 9, random());
		line("neighbor 2001:db8::%ld remote-as 8 med %ld community 1:2 no-export",
		    random() % 9, random());
		line("no neighbour n%ld.example", random() % 9);
		if (random() % 9 == 0)
			line("no router bgp");
	}
	for (i = 0; i < 6; i++) {
		extended = random() & 1;
		line("ip access-list %s %s%ld", extended ? "extended" : "standard",
		    extended ? "ext" : "std", random() % 20);
		for (n = random() % 12; n > 0; n--)
			random_rule(extended);
		line("no ip access-list %s %s%ld", extended ? "extended" : "standard",
		    extended ? "ext" : "std", random() % 20);
	}
}

static void
what_is_shown_reads_back(void **state)
{
	char text[CONF_LIST + 1], quoted[ITEM_TEXT], why[512];
	static struct config before, scratch;
	const struct family *f;
	const struct item *it;
	unsigned int i, round, taken = 0;

	(void)state;
	srandom(4);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; (it = item_get(i)); i++) {
			random_value(it, text, sizeof(text));
			if (random() % 3 || item_parse(it, &scratch, text, why, sizeof(why)) < 0)
				continue;
			item_quote(text, quoted, sizeof(quoted));
			assert_int_equal(line("set %s %s", it->name, quoted), 0);
			taken++;
		}
		line("set radius_bind_min 0");
		line("set radius_bind_max 0");
		random_families();
		before = *conf_next;
		if (read_text(show(true)) != 0)
			fail_msg("%s", errors);
		for (i = 0; (it = item_get(i)); i++)
			if (!item_equal(it, &before, conf_next))
				fail_msg("%s: %s", it->name, value(it->name));
		for (i = 0; (f = family_get(i)); i++)
			if (!family_equal(f, &before, conf_next))
				fail_msg("%s: %s", f->name, show(true));
	}
	assert_true(taken > 20 * ROUNDS);
}

/* ---- plugins ---- */

static char told[256]; /* what the function for plugins was told, in order */
static const char *unwilling;

static int
note_plugin(const char *name, char *why, size_t why_size)
{
	size_t n = strlen(told);

	snprintf(told + n, sizeof(told) - n, "%s,", name ? name : "all");
	if (!unwilling || !name || strcmp(name, unwilling) != 0)
		return 0;
	snprintf(why, why_size, "cannot have %s", name);
	return -1;
}

static void
plugins_in_order(void **state)
{
	(void)state;
	assert_int_equal(read_text("load plugin \"garden\"\nload plugin two\n"
				   "load plugin 'three'\nload plugin two\n"),
	    0);
	assert_non_null(strstr(show(true), "# Plugins\nload plugin \"garden\"\n"
					   "load plugin \"two\"\nload plugin \"three\"\n# end\n"));
	assert_int_equal(line("remove plugin two"), 0);
	assert_int_equal(conf->n_plugins, 2);
	assert_string_equal(conf->plugins[1], "three");
	assert_int_equal(line("remove plugin two"), -1);
	assert_int_equal(read_text(show(true)), 0);
	assert_int_equal(conf->n_plugins, 2);
	assert_int_equal(read_text(""), 0);
	assert_null(strstr(show(true), "Plugins"));
}

static void
names_of_plugins(void **state)
{
	static const char *const bad[] = { "''", "../x", "a/b", ".hidden", "a\tb", "'a b'",
		"0123456789012345678901234567890123456789012345678901234567890123" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (line("load plugin %s", bad[i]) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(line("load plugin"), -1);
	assert_int_equal(line("load garden"), -1);
	assert_int_equal(line("load plugin a b"), -1);
	for (i = 0; i < CONF_PLUGINS; i++)
		assert_int_equal(line("load plugin p%zu", i), 0);
	assert_int_equal(line("load plugin another"), -1);
	assert_int_equal(line("remove plugin p%d", CONF_PLUGINS - 1), 0);
}

static void
plugins_are_told(void **state)
{
	(void)state;
	told[0] = '\0';
	config_on_plugins(note_plugin);
	assert_int_equal(read_text("load plugin a\nload plugin b\n"), 0);
	assert_string_equal(told, "all,");
	assert_int_equal(line("load plugin c"), 0);
	assert_string_equal(told, "all,c,");
	unwilling = "d";
	assert_int_equal(line("load plugin d"), -1);
	assert_string_equal(remark, "cannot have d");
	assert_int_equal(conf->n_plugins, 3);
	unwilling = "a";
	assert_int_equal(line("remove plugin a"), -1);
	assert_string_equal(conf->plugins[0], "a");
	unwilling = NULL;
	config_on_plugins(NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, defaults)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_member_has_a_row),
		TEST(each_row_takes_its_range),
		TEST(special_strings),
		TEST(older_names),
		TEST(error_texts),
		TEST(secrets_are_not_repeated),
		TEST(comments_and_quotes),
		TEST(long_lines),
		TEST(random_lines_do_no_harm),
		TEST(authtypes),
		TEST(radius_ports_go_together),
		TEST(changes_are_told),
		TEST(reload),
		TEST(what_waits_for_a_restart),
		TEST(unreadable_file),
		TEST(hostname_of_the_system),
		TEST(mru),
		TEST(addresses),
		TEST(radius_ports),
		TEST(order_and_form),
		TEST(secrets_are_masked),
		TEST(what_is_shown_reads_back),
		TEST(plugins_in_order),
		TEST(names_of_plugins),
		TEST(plugins_are_told),
		TEST(forced_hostname),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	config_init();
	config_share();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
