/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Families of configuration lines: what is taken, refused and printed of access lists,
 * BGP, RADIUS servers and remote LNSs; where sub-modes end; tables that are full; a
 * startup-config as operators of 2.4.1 have it; what a new file makes different.
 */
#include "config.h"
#include "config_acl.h"
#include "config_family.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/config_family_test.XXXXXX";
static char errors[8192], remark[512], shown[200000];
static struct config_mode mode;

static void
on_error(const char *text)
{
	size_t len = strlen(errors);

	snprintf(errors + len, sizeof(errors) - len, "%s\n", text + strlen(file) + 1);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	errors[0] = '\0';
}

static void
read_text(const char *text)
{
	write_file(text);
	if (config_read(file, on_error) != 0)
		fail_msg("%s", errors);
}

static int PRINTF_LIKE(1, 2) line(const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return config_line(&mode, text, remark, sizeof(remark));
}

static int
defaults(void **state)
{
	(void)state;
	mode = (struct config_mode){ 0 };
	read_text("");
	return 0;
}

static void
collect(void *arg, const char *text)
{
	size_t len = strlen(shown);

	(void)arg;
	snprintf(shown + len, sizeof(shown) - len, "%s\n", text);
}

/* What is printed behind the settings. */
static const char *
lists(bool secrets)
{
	shown[0] = '\0';
	config_show(collect, NULL, secrets);
	return strstr(shown, "\nset local_users \"\"\n") + strlen("\nset local_users \"\"\n");
}

/* ---- access lists ---- */

static void
rules_as_they_print(void **state)
{
	static const struct {
		bool extended;
		const char *typed, *printed;
	} rules[] = {
		{ false, "permit any", NULL },
		{ false, "permit any any", "permit any" },
		{ false, "deny host 10.0.0.1", NULL },
		{ false, "deny 10.0.0.1", "deny host 10.0.0.1" },
		{ false, "permit 10.0.0.1 0.0.0.0", "permit host 10.0.0.1" },
		{ false, "permit 10.0.0.0 0.255.255.255", NULL },
		{ false, "permit 10.1.2.3 0.0.0.255", NULL },
		{ false, "permit 10.1.2.3 255.255.255.255", NULL },
		{ false, "permit 0.0.0.0 255.255.255.255", "permit any" },
		{ false, "permit any host 10.0.0.2", NULL },
		{ false, "permit 10.0.0.1 host 10.0.0.2", "permit host 10.0.0.1 host 10.0.0.2" },
		{ false, "permit 10.0.0.0 0.0.0.255 10.1.0.0 0.0.0.255", NULL },
		{ true, "permit ip any any", NULL },
		{ true, "permit tcp any any eq 80 established", NULL },
		{ true, "deny udp any range 1 100 any", NULL },
		{ true, "permit ip any any fragments", NULL },
		{ true, "permit tcp any any fragments", NULL },
		{ true, "permit tcp any gt 65535 host 10.0.0.1 lt 0", NULL },
		{ true, "permit udp 10.0.0.1 any neq 53", "permit udp host 10.0.0.1 any neq 53" },
		{ true, "permit tcp any any match-all +syn +ack -fin",
		    "permit tcp any any match-all -fin +syn +ack" },
		{ true, "permit tcp any any match-any +syn -syn", NULL },
		{ true, "permit tcp 10.0.0.0 0.0.0.255 range 5 5 any range 0 65535 match-any +urg",
		    NULL },
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rules); i++) {
		bool extended = rules[i].extended;

		assert_int_equal(
		    line("ip access-list %s a", extended ? "extended" : "standard"), 0);
		if (line("%s", rules[i].typed) < 0)
			fail_msg("%s: %s", rules[i].typed, remark);
		config_acl_rule(&conf->rules[0], extended, text, sizeof(text));
		assert_string_equal(text, rules[i].printed ? rules[i].printed : rules[i].typed);
		assert_int_equal(line("no %s", text), 0);
		assert_int_equal(
		    line("no ip access-list %s a", extended ? "extended" : "standard"), 0);
	}
	assert_int_equal(conf->n_acls + conf->n_rules, 0);
}

static void
rules_that_are_none(void **state)
{
	static const struct {
		const char *typed, *why;
	} bad[] = {
		{ "permit", "permit: '' is not ip, tcp or udp" },
		{ "permit icmp any any", "permit: 'icmp' is not ip, tcp or udp" },
		{ "permit tcp any", "permit: the destination is missing" },
		{ "permit tcp host", "permit: the source is missing" },
		{ "permit tcp all any", "permit: source 'all' is not any, host A or A WILDCARD" },
		{ "permit ip any any eq 80", "permit: ports belong to tcp and udp" },
		{ "permit tcp any any eq www", "permit: 'www' is not a port, 0..65535" },
		{ "permit tcp any any eq 65536", "permit: '65536' is not a port, 0..65535" },
		{ "permit tcp any any eq", "permit: '' is not a port, 0..65535" },
		{ "permit tcp any range 9 8 any", "permit: range 9 8 is empty" },
		{ "permit tcp any range 9 any", "permit: 'any' is not a port, 0..65535" },
		{ "permit udp any any established", "permit: established belongs to tcp" },
		{ "permit tcp any any match-all", "permit: match-all needs flags: +syn -ack ..." },
		{ "permit tcp any any match-any +sin", "permit: 'sin' is not a TCP flag" },
		{ "permit tcp any any established fragments",
		    "permit: later fragments have no ports and flags" },
		{ "permit tcp any any eq 80 443", "permit: '443' was not expected" },
		{ "deny ip any any log", "deny: 'log' was not expected" },
	};
	size_t i;

	(void)state;
	assert_int_equal(line("ip access-list extended a"), 0);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (line("%s", bad[i].typed) == 0)
			fail_msg("%s was taken", bad[i].typed);
		assert_string_equal(remark, bad[i].why);
	}
	assert_int_equal(line("permit ip any any"), 0);
	assert_int_equal(line("no permit ip any host 10.0.0.1"), -1);
	assert_string_equal(remark, "access-list a has no such rule");
	assert_int_equal(conf->n_rules, 1);
}

static void
lists_by_name(void **state)
{
	(void)state;
	assert_int_equal(line("ip access-list standard a.b"), -1);
	assert_int_equal(line("ip access-list standard"), -1);
	assert_string_equal(remark, "expected: ip access-list standard|extended NAME");
	assert_int_equal(line("ip access-list extended 7-up_X"), 0);
	assert_int_equal(line("ip access-list standard 7-up_X"), -1);
	assert_string_equal(remark, "access-list 7-up_X is extended");
	assert_int_equal(line("no ip access-list standard 7-up_X"), -1);
	assert_string_equal(remark, "no ip access-list: there is no standard list 7-up_X");
	assert_int_equal(line("no ip access-list extended 7-up_X"), 0);
	assert_int_equal(line("ip access-list standard x3456789012345678901234567890123"), 0);
	assert_int_equal(line("ip access-list standard x34567890123456789012345678901234"), -1);
}

/* A rule that is there already stays where it is, and lists do not run into each other. */
static void
rules_keep_apart(void **state)
{
	(void)state;
	read_text(
	    "ip access-list standard a\nip access-list standard b\nip access-list standard c\n");
	assert_int_equal(line("ip access-list standard c"), 0);
	assert_int_equal(line("permit host 10.0.0.3"), 0);
	assert_int_equal(line("ip access-list standard a"), 0);
	assert_int_equal(line("permit host 10.0.0.1"), 0);
	assert_int_equal(line("deny any"), 0);
	assert_int_equal(line("ip access-list standard b"), 0);
	assert_int_equal(line("permit host 10.0.0.2"), 0);
	assert_int_equal(line("ip access-list standard a"), 0);
	assert_int_equal(line("permit host 10.0.0.1"), 0);
	assert_string_equal(lists(true),
	    "# Filters\nip access-list standard a\n permit host 10.0.0.1\n deny any\n"
	    "ip access-list standard b\n permit host 10.0.0.2\n"
	    "ip access-list standard c\n permit host 10.0.0.3\n# end\n");
	assert_int_equal(line("no deny any"), 0);
	assert_int_equal(line("no ip access-list standard b"), 0);
	assert_string_equal(lists(true),
	    "# Filters\nip access-list standard a\n permit host 10.0.0.1\n"
	    "ip access-list standard c\n permit host 10.0.0.3\n# end\n");
	assert_int_equal(line("permit host 10.0.0.1"), -1); /* the mode ended */
}

static void
full_tables(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < CONF_ACLS; i++)
		assert_int_equal(line("ip access-list standard l%d", i), 0);
	assert_int_equal(line("ip access-list standard more"), -1);
	assert_string_equal(remark, "access-list: there may be 128 at most");
	assert_int_equal(line("ip access-list standard l7"), 0);
	for (i = 0; i < CONF_RULES; i++)
		assert_int_equal(line("permit host 10.0.%d.%d", i >> 8, i & 255), 0);
	assert_int_equal(line("permit any"), -1);
	assert_string_equal(remark, "access-list: there may be 4096 rules in all");
	assert_int_equal(line("router bgp 1"), 0);
	for (i = 0; i < CONF_PEERS; i++)
		assert_int_equal(line("neighbour 10.0.0.%d remote-as 2", i), 0);
	assert_int_equal(line("neighbour more remote-as 2"), -1);
	for (i = 0; i < CONF_SERVERS; i++)
		assert_int_equal(line("radius server 10.0.0.%d", i + 1), 0);
	assert_int_equal(line("radius server 10.0.1.1"), -1);
	for (i = 0; i < CONF_FORWARDS; i++)
		assert_int_equal(line("setforward m%d 10.0.0.1 1701 s", i), 0);
	assert_int_equal(line("setforward more 10.0.0.1 1701 s"), -1);
	assert_int_equal(conf->n_acls, CONF_ACLS);
	assert_int_equal(conf->n_rules, CONF_RULES);
}

/* ---- BGP ---- */

static void
bgp(void **state)
{
	(void)state;
	assert_int_equal(line("router bgp 1.10"), 0);
	assert_int_equal(conf->bgp_as, 65546);
	assert_int_equal(line("neighbor peer.example remote-as 4200000000"), 0);
	assert_int_equal(line("neighbour 2001:db8::1 timers 5 15"), -1);
	assert_string_equal(remark, "neighbour 2001:db8::1: its remote-as comes first");
	assert_int_equal(
	    line("neighbour 2001:db8::1 remote-as 7 timers 5 15 update-source 2001:db8::2 "
		 "password 'a b' med 0 community 7:1, no-export 12"),
	    0);
	assert_string_equal(lists(true),
	    "# BGP\nrouter bgp 65546\n neighbour peer.example remote-as 4200000000\n"
	    " neighbour 2001:db8::1 remote-as 7\n neighbour 2001:db8::1 timers 5 15\n"
	    " neighbour 2001:db8::1 update-source 2001:db8::2\n"
	    " neighbour 2001:db8::1 password \"a b\"\n neighbour 2001:db8::1 med 0\n"
	    " neighbour 2001:db8::1 community 7:1 no-export 12\n# end\n");
	assert_non_null(strstr(lists(false), "\n# neighbour 2001:db8::1 password ****\n"));
	assert_int_equal(line("neighbour 2001:DB8:0::1 med 4"), 0); /* the same in other words */
	assert_int_equal(line("neighbour fe80::1 remote-as 7"), -1);
	assert_string_equal(remark, "neighbour fe80::1: on which interface? (fe80::1%eth0)");
	assert_int_equal(line("neighbour fe80::1%%eth0.100 remote-as 7"), 0);
	assert_int_equal(line("no neighbour FE80::1%%eth0.100"), 0);
	assert_int_equal(line("neighbour fe80::1%% remote-as 7"), -1);
	assert_int_equal(line("neighbour fe80::1%%a-name-that-is-long remote-as 7"), -1);
	assert_int_equal(line("neighbour 2001:db8::1%%eth0 remote-as 7"), -1);
	assert_int_equal(line("neighbour 2001:db8::1 update-source 10.0.0.1"), -1);
	assert_int_equal(line("neighbour 10.0.0.9 remote-as 1 update-source 2001:db8::1"), -1);
	assert_string_equal(
	    remark, "neighbour 10.0.0.9: update-source 2001:db8::1 is of another family");
	assert_int_equal(line("neighbour Peer.Example update-source 10.0.0.1 med 5"), 0);
	assert_int_equal(conf->n_peers, 2);
	assert_string_equal(conf->peers[1].name, "2001:db8::1");
	assert_int_equal(conf->peers[1].med, 4);
	assert_int_equal(line("no neighbour peer.EXAMPLE"), 0);
	assert_int_equal(line("no neighbour peer.example"), -1);
	assert_int_equal(line("router bgp 2"), -1);
	assert_string_equal(remark, "router bgp: AS 65546 is there; no router bgp 65546 first");
	assert_int_equal(line("no router bgp 2"), -1);
	assert_int_equal(line("no router bgp 65546"), 0);
	assert_string_equal(lists(true), "# end\n");
	assert_int_equal(line("neighbour x remote-as 1"), -1);
}

static void
bgp_refused(void **state)
{
	static const char *const bad[] = { "neighbour a", "neighbour a/b remote-as 1",
		"neighbour a remote-as 0", "neighbour a remote-as 4294967296",
		"neighbour a remote-as 1.65536", "neighbour a remote-as 1 timers 1",
		"neighbour a remote-as 1 timers 0 9", "neighbour a remote-as 1 timers 1 2",
		"neighbour a remote-as 1 update-source b", "neighbour a remote-as 1 med -1",
		"neighbour a remote-as 1 community x", "neighbour a remote-as 1 community",
		"neighbour a remote-as 1 community 1:65536", "neighbour a remote-as 1 weight 2" };
	size_t i;

	(void)state;
	assert_int_equal(line("router bgp x"), -1);
	assert_int_equal(line("router bgp 0.0"), -1);
	assert_int_equal(line("router bgp 1"), 0);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (line("%s", bad[i]) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(conf->n_peers, 0);
	assert_int_equal(line("neighbour a remote-as 1 password %082d", 1), -1);
	assert_null(strstr(remark, "0001"));
}

/* ---- servers ---- */

static void
servers(void **state)
{
	(void)state;
	read_text(
	    "radius server 10.0.0.1\nradius server 10.0.0.2 acct-port 9 secret 's\"x' weight 3\n"
	    "setforward /isp@example.net 10.0.0.9 1701 hush\nradius server 10.0.0.3\n"
	    "setforward /isp@example.net 10.0.0.10 1701 hush\n"
	    "radius server 10.0.0.1 auth-port 7\nno radius server 10.0.0.3\n");
	assert_string_equal(lists(true),
	    "radius server 10.0.0.1 auth-port 7\n"
	    "radius server 10.0.0.2 acct-port 9 secret \"s\"'\"'\"x\" weight 3\n"
	    "setforward \"/isp@example.net\" 10.0.0.9 1701 \"hush\"\n"
	    "setforward \"/isp@example.net\" 10.0.0.10 1701 \"hush\"\n# end\n");
	assert_string_equal(lists(false),
	    "radius server 10.0.0.1 auth-port 7\n"
	    "# radius server 10.0.0.2 acct-port 9 secret **** weight 3\n"
	    "# setforward \"/isp@example.net\" 10.0.0.9 1701 ****\n"
	    "# setforward \"/isp@example.net\" 10.0.0.10 1701 ****\n# end\n");
	assert_int_equal(line("no setforward /isp@example.net 10.0.0.9"), 0);
	assert_int_equal(conf->n_forwards, 1);
	assert_int_equal(line("no setforward"), 0);
	assert_int_equal(line("no setforward"), -1);
	assert_int_equal(line("radius server"), -1);
	assert_int_equal(line("radius server 0.0.0.0"), -1);
	assert_int_equal(line("radius server 10.0.0.1 weight"), -1);
	assert_int_equal(line("radius server 10.0.0.1 weight 0"), -1);
	assert_int_equal(line("radius server 10.0.0.1 auth-port 65536"), -1);
	assert_int_equal(line("no radius server 10.0.0.7"), -1);
	assert_int_equal(line("setforward m 10.0.0.1 0 s"), -1);
	assert_int_equal(line("setforward m 10.0.0.1 1701"), -1);
	assert_int_equal(line("setforward '' 10.0.0.1 1701 s"), -1);
	assert_int_equal(line("setforward m nowhere 1701 s"), -1);
}

/* ---- sub-modes ---- */

static void
where_sub_modes_end(void **state)
{
	(void)state;
	write_file("ip access-list standard a\npermit any\n! remark\n\n  deny any\nset debug 2\n"
		   "permit any\nrouter bgp 1\n neighbour b remote-as 2\nexit\n"
		   " neighbour c remote-as 3\nip access-list standard a\nexit\n permit any\n"
		   "ip access-list extended a\npermit ip any any\n");
	assert_int_equal(config_read(file, on_error), 5);
	assert_string_equal(errors, "7: unknown command 'permit'\n"
				    "11: unknown command 'neighbour'\n"
				    "14: unknown command 'permit'\n"
				    "15: access-list a is standard\n"
				    "16: unknown command 'permit'\n");
	assert_int_equal(conf->debug, 2);
	assert_int_equal(conf->n_rules, 2);
	assert_int_equal(conf->n_peers, 1);
}

/* A list may be removed while another operator is in its mode. */
static void
list_that_went(void **state)
{
	struct config_mode other = { 0 };

	(void)state;
	assert_int_equal(line("ip access-list standard a"), 0);
	assert_int_equal(
	    config_line(&other, "no ip access-list standard a", remark, sizeof(remark)), 0);
	assert_int_equal(line("permit any"), -1);
	assert_string_equal(remark, "there is no access-list a any more");
}

/* ---- whole files ---- */

/* As an operator of 2.4.1 may have it, with each name that it knows. */
static const char old_file[] =
    "# what we run\nset debug 3\nset log_file \"/var/log/l2tpns\"\n"
    "set pid_file \"/var/run/l2tpns.pid\"\nset random_device \"/dev/urandom\"\n"
    "set l2tp_secret \"secret\"\nset l2tp_mtu 1500\nset ppp_restart_time 3\n"
    "set ppp_max_configure 10\nset ppp_max_failure 5\nset ppp_keepalive yes\n"
    "set primary_dns 10.0.0.1\nset secondary_dns 10.0.0.2\nset primary_radius 10.0.0.3\n"
    "set secondary_radius 10.0.0.4\nset primary_radius_port 1812\nset secondary_radius_port 0\n"
    "set radius_accounting yes\nset radius_interim 0\nset radius_secret \"secret\"\n"
    "set radius_authtypes \"chap, pap\"\nset radius_dae_port 3799\nset radius_bind_min 0\n"
    "set radius_bind_max 0\nset allow_duplicate_users no\nset kill_timedout_sessions yes\n"
    "set guest_account \"guest\"\nset bind_address 10.99.0.1\nset peer_address 0.0.0.0\n"
    "set send_garp yes\nset throttle_speed 1000\nset throttle_buckets 3000\n"
    "set accounting_dir \"/var/run/l2tpns/acct\"\nset account_all_origin no\nset dump_speed no\n"
    "set multi_read_count 10\nset scheduler_fifo no\nset lock_pages no\nset icmp_rate 0\n"
    "set packet_limit 0\nset cluster_address 239.192.13.13\nset cluster_port 32792\n"
    "set cluster_interface eth0\nset cluster_mcast_ttl 1\nset cluster_hb_interval 5\n"
    "set cluster_hb_timeout 150\nset cluster_master_min_adv 1\nset ipv6_prefix ::\n"
    "set cli_bind_address 127.0.0.1\nset hostname lns1\nset nexthop 10.0.1.1\n"
    "set nexthop6 2001:db8::1\nset nexthop_address 10.0.1.1\nset nexthop6_address 2001:db8::1\n"
    "set echo_timeout 10\nset idle_echo_timeout 240\nset iftun_address 10.99.0.1\n"
    "set tundevicename \"tun0\"\nset disable_lac_func no\nset auth_tunnel_change_addr_src no\n"
    "set bind_address_remotelns 0.0.0.0\nset bind_portremotelns 65432\nset pppoe_if_to_bind \"\"\n"
    "set pppoe_service_name \"\"\nset pppoe_ac_name \"l2tpns-pppoe\"\n"
    "set disable_sending_hello no\nset disable_no_spoof no\nset bind_multi_address \"\"\n"
    "set pppoe_only_equal_svc_name no\nset multi_hostname \"\"\nset no_throttle_local_IP no\n"
    "set dhcp6_preferred_lifetime 3600\nset dhcp6_valid_lifetime 7200\n"
    "set dhcp6_server_duid 0000\nset dns6_lifetime 1200\nset primary_ipv6_dns 2001:db8::2\n"
    "set secondary_ipv6_dns ::\nset default_ipv6_domain_list \"example.net\"\n"
    "load plugin \"sessionctl\"\nload plugin \"garden\"\n"
    "setforward /isp@example.net 10.0.0.9 1701 secret\n"
    "router bgp 64512\n neighbour 127.0.0.2 remote-as 64513\n"
    " neighbour 127.0.0.2 timers 30 90\n"
    "ip access-list standard std1\n permit 10.0.0.0 0.255.255.255\n deny any\n"
    "ip access-list extended ext1\n permit tcp any any eq 80 established\n"
    " deny udp any range 1 100 any\n permit ip any any fragments\n";

static void
file_of_the_old_product(void **state)
{
	static const char tail[] =
	    "setforward \"/isp@example.net\" 10.0.0.9 1701 \"secret\"\n"
	    "# Plugins\nload plugin \"sessionctl\"\nload plugin \"garden\"\n"
	    "# BGP\nrouter bgp 64512\n neighbour 127.0.0.2 remote-as 64513\n"
	    " neighbour 127.0.0.2 timers 30 90\n"
	    "# Filters\nip access-list standard std1\n permit 10.0.0.0 0.255.255.255\n deny any\n"
	    "ip access-list extended ext1\n permit tcp any any eq 80 established\n"
	    " deny udp any range 1 100 any\n permit ip any any fragments\n# end\n";
	static struct config before;

	(void)state;
	read_text(old_file);
	assert_string_equal(lists(true), tail);
	before = *conf;
	write_file(shown);
	assert_int_equal(config_read(file, on_error), 0);
	memcpy(before.is_set, conf->is_set, sizeof(before.is_set));
	assert_memory_equal(&before, conf, sizeof(before));
}

static void
what_becomes_different(void **state)
{
	(void)state;
	read_text("set l2tp_mtu 1500\nset l2tp_secret one\nset bind_address 10.0.0.1\n"
		  "lac a secret x\nlac b secret y\nload plugin p\nrouter bgp 1\n"
		  " neighbour n remote-as 2\n neighbour o remote-as 2\n"
		  "ip access-list standard s\n permit any\nip access-list standard t\n deny any\n");
	write_file("set l2tp_mtu 1400\nset l2tp_secret two\nset bind_address 10.0.0.2\n"
		   "set cli_bind_address 0.0.0.0\nlac a secret z\nlac c secret y\nload plugin p\n"
		   "router bgp 1\n neighbour n remote-as 3\n neighbour o remote-as 2\n"
		   "ip access-list standard t\n deny any\nip access-list extended s\n"
		   " permit ip any any\n");
	assert_int_equal(config_stage(on_error), 0);
	shown[0] = '\0';
	config_commit(collect, NULL);
	assert_string_equal(shown,
	    "set l2tp_secret **** (was another)\nset l2tp_mtu 1400 (was 1500)\n"
	    "set bind_address 10.0.0.2 (was 10.0.0.1); takes effect at restart\n"
	    "set cli_bind_address 0.0.0.0 (was not set); takes effect at restart\nremoved lac "
	    "\"b\"\nchanged lac \"a\"\n"
	    "added lac \"c\"\nchanged neighbour n\nremoved ip access-list standard s\n"
	    "added ip access-list extended s\n");
	assert_int_equal(config_stage(on_error), 0);
	shown[0] = '\0';
	config_commit(collect, NULL);
	assert_string_equal(shown, "");
}

static unsigned int changes;

static void
on_change(void)
{
	changes++;
}

static bool
keep_std1(const char *name, char *why, size_t why_size)
{
	if (strcmp(name, "std1") != 0)
		return true;
	snprintf(why, why_size, "in use");
	return false;
}

static void
families_have_hooks(void **state)
{
	(void)state;
	config_on_change("access-list", on_change);
	config_on_change("bgp", on_change);
	config_check("access-list", keep_std1);
	changes = 0;
	assert_int_equal(line("ip access-list standard std1"), 0);
	assert_int_equal(line("permit any"), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(line("permit any"), 0);
	assert_int_equal(line("set debug 1"), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(line("no ip access-list standard std1"), -1);
	assert_string_equal(remark, "in use");
	read_text("router bgp 1\n"); /* a file is not asked */
	assert_int_equal(changes, 3);
	assert_int_equal(conf->n_acls, 0);
}

static void
what_is_not_served(void **state)
{
	char text[4096];

	(void)state;
	assert_false(config_unserved(conf, text, sizeof(text)));
	read_text(
	    "set pppoe_service_name a\nset pppoe_service_name b\nsetforward m 10.0.0.1 1701 s\n");
	assert_true(config_unserved(conf, text, sizeof(text)));
	assert_string_equal(text, "pppoe_service_name, setforward");
}

#define TEST(name) cmocka_unit_test_setup(name, defaults)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rules_as_they_print),
		TEST(rules_that_are_none),
		TEST(lists_by_name),
		TEST(rules_keep_apart),
		TEST(full_tables),
		TEST(bgp),
		TEST(bgp_refused),
		TEST(servers),
		TEST(where_sub_modes_end),
		TEST(list_that_went),
		TEST(file_of_the_old_product),
		TEST(what_becomes_different),
		TEST(what_is_not_served),
		TEST(families_have_hooks),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	config_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
