/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration table: a row for each name of `set`, and the types that turn
 * values into text and back. A row's order is its place in `show running-config`:
 * first the names operators know, in the order they know, then the newer ones.
 *
 * A parse function writes only when the whole value is good. Strings cannot hold
 * control characters, so that what is printed is always one line. A string prints
 * in double quotes; a double quote inside it goes into single ones, 'like "this',
 * and pieces that touch are one word when read back.
 */
#include "config_item.h"
#include "log_target.h"
#include "utf8.h"
#include "util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum { MAX_PORT = 65535, DAY = 86400, MAX_RATE = 10000000, DUID_MAX = 130 };

static const char *const yes_words[] = { "yes", "true", "on", "1" };
static const char *const no_words[] = { "no", "false", "off", "0" };
static const char *const auto_words[] = {
	[CONF_AUTO] = "auto", [CONF_YES] = "yes", [CONF_NO] = "no", NULL
};
static const char *const filter_words[] = { "ignore", "reject", NULL };

/* ---- numbers, words, addresses ---- */

static bool
parse_number(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	uint64_t v;

	if (!parse_uint(text, it->min, it->max, &v)) {
		snprintf(why, why_size, "%.64s is not in %llu..%llu", text,
		    (unsigned long long)it->min, (unsigned long long)it->max);
		return false;
	}
	*(unsigned int *)to = (unsigned int)v;
	return true;
}

static void
print_number(const struct item *it, const void *from, char *text, size_t size)
{
	(void)it;
	snprintf(text, size, "%u", *(const unsigned int *)from);
}

/* 1 yes, 0 no, -1 neither. */
static int
truth(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(yes_words); i++) {
		if (strcasecmp(text, yes_words[i]) == 0)
			return 1;
		if (strcasecmp(text, no_words[i]) == 0)
			return 0;
	}
	return -1;
}

static bool
parse_bool(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	int v = truth(text);

	(void)it;
	if (v < 0) {
		snprintf(why, why_size, "'%.64s' is not yes or no", text);
		return false;
	}
	*(bool *)to = v;
	return true;
}

static void
print_bool(const struct item *it, const void *from, char *text, size_t size)
{
	(void)it;
	snprintf(text, size, "%s", *(const bool *)from ? "yes" : "no");
}

static bool
parse_enum(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	const char *as = truth(text) < 0 ? text : truth(text) ? "yes" : "no";
	unsigned int i;
	size_t n;

	for (i = 0; it->words[i]; i++) {
		if (strcasecmp(it->words[i], text) == 0 || strcmp(it->words[i], as) == 0) {
			*(unsigned int *)to = i;
			return true;
		}
	}
	n = (size_t)snprintf(why, why_size, "'%.64s' is not one of", text);
	for (i = 0; it->words[i] && n < why_size; i++)
		n += (size_t)snprintf(why + n, why_size - n, " %s", it->words[i]);
	return false;
}

static void
print_enum(const struct item *it, const void *from, char *text, size_t size)
{
	snprintf(text, size, "%s", it->words[*(const unsigned int *)from]);
}

static bool
parse_ip4(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	uint32_t addr;

	if (!ip4_parse(text, &addr)) {
		snprintf(why, why_size, "'%.64s' is not an IPv4 address", text);
		return false;
	}
	if (it->valid && !it->valid(text, why, why_size))
		return false;
	*(uint32_t *)to = addr;
	return true;
}

static void
print_ip4(const struct item *it, const void *from, char *text, size_t size)
{
	(void)it;
	snprintf(text, size, "%s", ip4_text(*(const uint32_t *)from));
}

static bool
parse_ip6(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	struct in6_addr addr;
	const char *slash = strchr(text, '/');
	char bare[INET6_ADDRSTRLEN] = "";

	(void)it;
	if (!slash)
		str_copy(bare, sizeof(bare), text);
	else if (strcmp(slash, "/64") == 0)
		str_copy_n(bare, sizeof(bare), text, (size_t)(slash - text));
	if (inet_pton(AF_INET6, bare, &addr) != 1) {
		snprintf(why, why_size, "'%.64s' is not an IPv6 address", text);
		return false;
	}
	*(struct in6_addr *)to = addr;
	return true;
}

static void
print_ip6(const struct item *it, const void *from, char *text, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	(void)it;
	snprintf(text, size, "%s", inet_ntop(AF_INET6, from, addr, sizeof(addr)));
}

/* ---- strings ---- */

static bool
parse_string(const struct item *it, const char *text, void *to, char *why, size_t why_size)
{
	const char *p;

	if (strlen(text) > it->max) {
		snprintf(
		    why, why_size, "is longer than %llu characters", (unsigned long long)it->max);
		return false;
	}
	for (p = text; *p; p++) {
		if (iscntrl((unsigned char)*p)) {
			snprintf(why, why_size, "has a control character");
			return false;
		}
	}
	if (it->valid && !it->valid(text, why, why_size))
		return false;
	memset(to, 0, it->size); /* so that equal strings are equal memory */
	str_copy(to, it->size, text);
	return true;
}

void
item_quote(const char *p, char *text, size_t size)
{
	struct {
		char *to;
		size_t left;
	} out = { text, size };

	do {
		char quote = *p == '"' ? '\'' : '"';
		size_t n = quote == '"' ? strcspn(p, "\"") : strspn(p, "\"");
		int len = snprintf(out.to, out.left, "%c%.*s%c", quote, (int)n, p, quote);

		if ((size_t)len >= out.left)
			return;
		out.to += len;
		out.left -= (size_t)len;
		p += n;
	} while (*p);
}

static void
print_string(const struct item *it, const void *from, char *text, size_t size)
{
	(void)it;
	item_quote(from, text, size);
}

bool
item_list_next(const char **pos, char *word, size_t size)
{
	const char *p = *pos + strspn(*pos, ", \t");
	size_t n = strcspn(p, ", \t");

	*pos = p + n;
	return n > 0 && str_copy_n(word, size, p, n);
}

/* ---- what a string must look like ---- */

int
item_authtypes(
    const char *text, enum auth_proto *protos, unsigned int most, char *why, size_t why_size)
{
	static const char *const names[] = {
		[AUTH_PAP] = "pap", [AUTH_CHAP] = "chap", [AUTH_MSCHAPV2] = "mschapv2"
	};
	unsigned int n = 0, i, seen = 0;
	char word[32];

	while (*(text += strspn(text, ", \t"))) {
		if (!item_list_next(&text, word, sizeof(word)))
			word[0] = '\0'; /* too long for any */
		for (i = AUTH_PAP; i < ARRAY_LEN(names) && strcasecmp(word, names[i]) != 0; i++)
			continue;
		if (i == ARRAY_LEN(names) || seen & 1u << i) {
			snprintf(why, why_size, "'%s' is %s", word,
			    i == ARRAY_LEN(names) ? "not one of pap chap mschapv2" : "there twice");
			return -1;
		}
		seen |= 1u << i;
		if (n < most)
			protos[n++] = (enum auth_proto)i;
	}
	if (n == 0)
		snprintf(why, why_size, "names no protocol: pap, chap, mschapv2");
	return n ? (int)n : -1;
}

static bool
valid_authtypes(const char *value, char *why, size_t why_size)
{
	enum auth_proto protos[4];

	return item_authtypes(value, protos, ARRAY_LEN(protos), why, why_size) > 0;
}

static bool
valid_addresses(const char *value, char *why, size_t why_size)
{
	char word[IP4_TEXT] = "";
	uint32_t addr;

	while (*(value += strspn(value, ", \t"))) {
		if (!item_list_next(&value, word, sizeof(word)) || !ip4_parse(word, &addr)) {
			snprintf(why, why_size, "'%s' is not an IPv4 address", word);
			return false;
		}
	}
	return true;
}

static bool
valid_path(const char *value, char *why, size_t why_size)
{
	if (value[0] == '\0' || value[0] == '/')
		return true;
	snprintf(why, why_size, "'%.64s' is not an absolute path", value);
	return false;
}

static bool
valid_dir(const char *value, char *why, size_t why_size)
{
	if (value[0] == '/')
		return true;
	snprintf(why, why_size, "'%.64s' is not an absolute path", value);
	return false;
}

static bool
valid_interface(const char *value, char *why, size_t why_size)
{
	if (!strpbrk(value, "/ :") && strcmp(value, ".") != 0 && strcmp(value, "..") != 0)
		return true;
	snprintf(why, why_size, "'%s' is not the name of an interface", value);
	return false;
}

static bool
valid_hostname(const char *value, char *why, size_t why_size)
{
	const char *p;

	for (p = value; *p && !utf8_control(p); p++)
		continue;
	if (!utf8_valid(value) || *p)
		snprintf(why, why_size, "is not text in UTF-8");
	else if (strchr(value, ' '))
		snprintf(why, why_size, "has a space");
	else
		return true;
	return false;
}

static bool
valid_group(const char *value, char *why, size_t why_size)
{
	uint32_t addr;

	if (ip4_parse(value, &addr) && IN_MULTICAST(ntohl(addr)))
		return true;
	snprintf(why, why_size, "%s is not a multicast address", value);
	return false;
}

static bool
valid_duid(const char *value, char *why, size_t why_size)
{
	size_t digits = 0, n;

	for (n = 0; value[n]; n++) {
		if (isxdigit((unsigned char)value[n]))
			digits++;
		else if (value[n] != ':' && value[n] != '-')
			break;
	}
	if (value[n] == '\0' && digits <= 2 * DUID_MAX)
		return true;
	snprintf(why, why_size, "is not up to %d octets in hexadecimal, or 0", DUID_MAX);
	return false;
}

/* ---- the table ---- */

static const struct item_type number_type = { "int", parse_number, print_number };
static const struct item_type bool_type = { "bool", parse_bool, print_bool };
static const struct item_type enum_type = { "enum", parse_enum, print_enum };
static const struct item_type string_type = { "string", parse_string, print_string };
static const struct item_type list_type = { "list", parse_string, print_string };
static const struct item_type ip4_type = { "ip", parse_ip4, print_ip4 };
static const struct item_type ip6_type = { "ip6", parse_ip6, print_ip6 };

#define MEMBER(n)     (((struct config *)0)->n)
#define IS_A(n, kind) _Generic(MEMBER(n), kind : true, default : false)
#define CHECKED(cond) (0 * sizeof(char[(cond) ? 1 : -1]))
#define ROW(n, t, ...)                                                                             \
	{                                                                                          \
		.name = #n, .type = &t, .offset = offsetof(struct config, n), __VA_ARGS__          \
	}
#define SIZE_IF(n, ok) .size = sizeof(MEMBER(n)) + CHECKED(ok)

#define UINT(n, lo, hi, dflt, fl, text)                                                            \
	ROW(n, number_type, SIZE_IF(n, IS_A(n, unsigned int)), .min = (lo), .max = (hi),           \
	    .initial = (dflt), .flags = (fl), .help = text)
#define BOOL(n, dflt, fl, text)                                                                    \
	ROW(n, bool_type, SIZE_IF(n, IS_A(n, bool)), .initial = (dflt), .flags = (fl), .help = text)
#define ENUM(n, list, dflt, fl, text)                                                              \
	ROW(n, enum_type, SIZE_IF(n, IS_A(n, unsigned int)), .words = (list), .initial = (dflt),   \
	    .flags = (fl), .help = text)
#define IP4(n, check, dflt, fl, text)                                                              \
	ROW(n, ip4_type, SIZE_IF(n, IS_A(n, uint32_t)), .valid = (check), .initial = (dflt),       \
	    .flags = (fl), .help = text)
#define IP6(n, fl, text)                                                                           \
	ROW(n, ip6_type, SIZE_IF(n, IS_A(n, struct in6_addr)), .initial = "::", .flags = (fl),     \
	    .help = text)
#define STRING(n, most, check, dflt, fl, text)                                                     \
	ROW(n, string_type, SIZE_IF(n, (most) < sizeof(MEMBER(n))), .max = (most),                 \
	    .valid = (check), .initial = (dflt), .flags = (fl), .help = text)
#define LIST(n, check, dflt, fl, text)                                                             \
	ROW(n, list_type, SIZE_IF(n, true), .max = sizeof(MEMBER(n)) - 1, .valid = (check),        \
	    .initial = (dflt), .flags = ITEM_LIST | (fl), .help = text)

enum {
	TEXT = CONF_TEXT - 1,
	SECRET = SECRET_LEN - 1,
	IFACE = IFNAMSIZ - 1,
	SUN_PATH = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

static const struct item items[] = {
	UINT(debug, 0, 5, "1", 0,
	    "log level: 0 critical, 1 error, 2 warning, 3 info, 4 calls, 5 packets"),
	STRING(log_file, TEXT, log_target_valid, "", 0,
	    "path of the log, or syslog:FACILITY; empty: stdout"),
	STRING(
	    pid_file, TEXT, valid_path, "", ITEM_RESTART, "file for the process id, absolute path"),
	STRING(random_device, TEXT, NULL, "/dev/urandom", 0, "accepted; getrandom(2) serves"),
	STRING(l2tp_secret, SECRET, NULL, "", ITEM_SECRET | ITEM_SAME,
	    "secret for tunnel authentication and hidden AVPs"),
	UINT(l2tp_mtu, 576, 9216, "1500", ITEM_SAME, "MTU of the path to the LAC"),
	UINT(ppp_restart_time, 1, 60, "3", 0, "seconds before a PPP request is sent again"),
	UINT(ppp_max_configure, 1, 1000, "10", 0, "PPP Configure-Requests without an answer"),
	UINT(ppp_max_failure, 1, 1000, "5", 0, "PPP Configure-Naks before Rejects are sent"),
	BOOL(ppp_keepalive, "yes", 0, "LCP echo only when idle; no: under traffic too"),
	IP4(primary_dns, NULL, "0.0.0.0", ITEM_SAME, "first DNS server given to subscribers"),
	IP4(secondary_dns, NULL, "0.0.0.0", ITEM_SAME, "second DNS server given to subscribers"),
	IP4(primary_radius, NULL, "0.0.0.0", ITEM_SAME, "RADIUS server"),
	IP4(secondary_radius, NULL, "0.0.0.0", ITEM_SAME,
	    "RADIUS server when the first does not answer"),
	UINT(primary_radius_port, 0, MAX_PORT - 1, "1645", ITEM_SAME,
	    "its port; accounting is one above"),
	UINT(secondary_radius_port, 0, MAX_PORT - 1, "0", ITEM_SAME,
	    "port of the second server; 0: as primary"),
	BOOL(radius_accounting, "no", ITEM_SAME, "send Start and Stop records"),
	UINT(radius_interim, 0, 30 * DAY, "0", ITEM_SAME,
	    "seconds between Interim-Updates; 0: none"),
	STRING(radius_secret, SECRET, NULL, "", ITEM_SECRET | ITEM_SAME,
	    "secret shared with the RADIUS servers"),
	LIST(radius_authtypes, valid_authtypes, "pap", ITEM_SAME,
	    "of pap, chap, mschapv2, in order of preference"),
	UINT(radius_dae_port, 1, MAX_PORT, "3799", ITEM_RESTART | ITEM_SAME,
	    "port for CoA and Disconnect requests"),
	UINT(radius_bind_min, 0, MAX_PORT, "0", 0, "lowest local port towards RADIUS servers"),
	UINT(radius_bind_max, 0, MAX_PORT, "0", 0, "highest local port, at least 64 wide"),
	BOOL(allow_duplicate_users, "no", ITEM_SAME,
	    "no: a new login ends the older session of that name"),
	BOOL(kill_timedout_sessions, "yes", ITEM_SAME, "whether idle_echo_timeout drops a session"),
	STRING(guest_account, USER_LEN - 1, NULL, "", ITEM_SAME,
	    "a name that may log in many times all the same"),
	IP4(bind_address, NULL, "0.0.0.0", ITEM_RESTART | ITEM_SAME,
	    "L2TP listen and source address"),
	IP4(peer_address, NULL, "0.0.0.0", ITEM_SAME, "our address in IPCP; 0.0.0.0: the tun's"),
	BOOL(send_garp, "yes", 0, "gratuitous ARP for bind_address when ready"),
	UINT(throttle_speed, 0, MAX_RATE, "0", ITEM_SAME, "kbit/s where no rate is named; 0: none"),
	UINT(throttle_buckets, 0, 2 * MAX_SESSIONS_LIMIT, "6000", ITEM_RESTART,
	    "token buckets; a throttled session needs two"),
	STRING(accounting_dir, TEXT, NULL, "", 0, "directory for usage files every 5 minutes"),
	BOOL(account_all_origin, "no", 0, "usage files tell of LAC and PPPoE sessions too"),
	BOOL(dump_speed, "no", 0, "log the bandwidth every second"),
	UINT(multi_read_count, 1, 1000, "10", 0, "packets taken per readable descriptor a turn"),
	BOOL(scheduler_fifo, "no", ITEM_RESTART, "run under SCHED_FIFO"),
	BOOL(lock_pages, "no", ITEM_RESTART, "lock all memory"),
	UINT(icmp_rate, 0, 1000000, "0", 0, "host-unreachables per second at most; 0: none"),
	UINT(packet_limit, 0, 1000000, "0", 0, "packets to a session per 0.1 s; 0: no limit"),
	IP4(cluster_address, valid_group, "239.192.13.13", ITEM_RESTART,
	    "multicast group of the cluster"),
	UINT(cluster_port, 1, MAX_PORT, "32792", ITEM_RESTART, "UDP port of the cluster"),
	STRING(cluster_interface, IFACE, valid_interface, "eth0", ITEM_RESTART,
	    "interface of the cluster"),
	UINT(cluster_mcast_ttl, 0, 255, "1", 0, "TTL of cluster multicasts"),
	UINT(cluster_hb_interval, 1, 600, "5", ITEM_SAME, "tenths of a second between heartbeats"),
	UINT(cluster_hb_timeout, 1, 36000, "150", ITEM_SAME,
	    "tenths of a second of silence before an election"),
	UINT(cluster_master_min_adv, 0, 255, "1", ITEM_SAME,
	    "up-to-date slaves before the master withdraws its routes"),
	IP6(ipv6_prefix, ITEM_LATER, "prefix from which sessions get a /64; with :: no IPv6"),
	IP4(cli_bind_address, NULL, "0.0.0.0", ITEM_RESTART | ITEM_OPEN,
	    "where the CLI listens; not set: everywhere when there are users, else loopback"),
	STRING(hostname, HOSTNAME_LEN - 1, valid_hostname, "", 0,
	    "our name in L2TP, RADIUS and the prompt; empty: the system's"),
	IP4(nexthop_address, NULL, "0.0.0.0", 0, "BGP next hop"),
	IP6(nexthop6_address, 0, "BGP next hop, IPv6"),
	UINT(echo_timeout, 1, DAY, "10", ITEM_SAME, "idle seconds before an LCP echo"),
	UINT(idle_echo_timeout, 1, DAY, "240", ITEM_SAME,
	    "seconds without an answer before a session is dropped"),
	IP4(iftun_address, NULL, "0.0.0.0", ITEM_RESTART,
	    "address of the tun interface; 0.0.0.0: bind_address"),
	STRING(tundevicename, IFACE, valid_interface, "tun0", ITEM_RESTART,
	    "name of the tun interface"),
	BOOL(disable_lac_func, "no", ITEM_LATER, "no forwarding to remote LNSs"),
	BOOL(auth_tunnel_change_addr_src, "no", ITEM_SAME,
	    "accept a tunnel whose source address changes"),
	IP4(bind_address_remotelns, NULL, "0.0.0.0", ITEM_RESTART | ITEM_LATER,
	    "our address towards remote LNSs"),
	UINT(bind_portremotelns, 0, MAX_PORT, "65432", ITEM_RESTART | ITEM_LATER,
	    "our port towards remote LNSs"),
	STRING(pppoe_if_to_bind, IFACE, valid_interface, "", ITEM_RESTART | ITEM_LATER,
	    "interface of the PPPoE server; empty: none"),
	STRING(pppoe_service_name, TEXT, NULL, "", ITEM_LATER, "PPPoE service name"),
	STRING(pppoe_ac_name, TEXT, NULL, "l2tpns-pppoe", ITEM_LATER,
	    "PPPoE access concentrator name"),
	BOOL(disable_sending_hello, "no", 0, "for LACs that mishandle HELLO"),
	BOOL(disable_no_spoof, "no", ITEM_SAME,
	    "yes: pass packets whose source is not the session's"),
	LIST(bind_multi_address, valid_addresses, "", ITEM_RESTART | ITEM_SAME,
	    "addresses to listen on, instead of bind_address"),
	BOOL(pppoe_only_equal_svc_name, "no", ITEM_LATER,
	    "PPPoE: only clients that ask for pppoe_service_name"),
	LIST(multi_hostname, NULL, "", ITEM_SAME, "host name to use per LAC"),
	BOOL(no_throttle_local_IP, "no", ITEM_SAME,
	    "traffic of the tun's own networks is not throttled"),
	UINT(dhcp6_preferred_lifetime, 0, UINT32_MAX, "3600", ITEM_LATER, "seconds"),
	UINT(dhcp6_valid_lifetime, 0, UINT32_MAX, "7200", ITEM_LATER, "seconds"),
	STRING(dhcp6_server_duid, TEXT, valid_duid, "0", ITEM_LATER,
	    "our DUID in hexadecimal; 0: from the MAC address"),
	UINT(dns6_lifetime, 0, UINT32_MAX, "1200", ITEM_LATER,
	    "seconds that IPv6 DNS servers are good for"),
	IP6(primary_ipv6_dns, ITEM_LATER, "first IPv6 DNS server"),
	IP6(secondary_ipv6_dns, ITEM_LATER, "second IPv6 DNS server"),
	LIST(default_ipv6_domain_list, NULL, "", ITEM_LATER,
	    "search list given with IPv6 DNS servers"),
	STRING(plugin_dir, TEXT, NULL, "/usr/lib/l2tpns", 0, "where plugins lie"),
	STRING(state_dir, TEXT, valid_dir, "/var/lib/l2tpns", ITEM_RESTART,
	    "where records are kept over a restart"),
	STRING(cli_socket, SUN_PATH, NULL, "/run/l2tpns.sock", ITEM_RESTART,
	    "local CLI socket; empty: none"),
	UINT(hello_interval, 1, DAY, "60", ITEM_SAME, "seconds of silence before a HELLO"),
	UINT(receive_window, 1, 32768, "512", 0, "Receive Window Size we advertise"),
	UINT(shutdown_drain, 0, 600, "8", 0, "tenths of a second that we forward after SIGTERM"),
	BOOL(
	    require_tunnel_auth, "no", ITEM_SAME, "refuse a LAC that does not authenticate itself"),
	UINT(radius_interim_min, 0, 30 * DAY, "60", ITEM_SAME,
	    "least seconds between Interim-Updates"),
	IP4(radius_nas_ip, NULL, "0.0.0.0", 0, "NAS-IP-Address; 0.0.0.0: bind_address"),
	UINT(radius_acct_retry_time, 0, 365 * DAY, "86400", 0,
	    "seconds an unacknowledged record is kept"),
	LIST(radius_dae_client, valid_addresses, "", ITEM_SAME,
	    "who may send CoA and Disconnect; empty: the servers"),
	ENUM(radius_require_message_authenticator, auto_words, "auto", 0,
	    "drop replies without it; auto: once seen"),
	ENUM(filter_unknown, filter_words, "ignore", ITEM_SAME,
	    "a Filter-Id that names no access list"),
	IP4(snoop_host, NULL, "0.0.0.0", ITEM_SAME, "where intercept=yes sends"),
	UINT(snoop_port, 0, MAX_PORT, "0", ITEM_SAME, "the same: port"),
	UINT(setuid, 0, INT32_MAX, "0", ITEM_RESTART, "user id to run under after the start"),
	STRING(cluster_secret, SECRET, NULL, "", ITEM_SECRET, "key for cluster messages"),
	STRING(
	    nsctl_secret, SECRET, NULL, "", ITEM_SECRET, "needed for nsctl from beyond loopback"),
	BOOL(cli_local_login, "no", 0, "ask a login from loopback and the socket too"),
	UINT(cli_port, 1, MAX_PORT, "23", ITEM_RESTART, "TCP port of the CLI"),
	IP4(nsctl_bind_address, NULL, "127.0.0.1", ITEM_RESTART, "where nsctl is heard"),
	UINT(max_sessions, 1, MAX_SESSIONS_LIMIT, "200000", ITEM_RESTART | ITEM_SAME,
	    "sessions at most"),
	UINT(max_tunnels, 1, MAX_TUNNELS_LIMIT, "20000", ITEM_RESTART | ITEM_SAME,
	    "tunnels at most"),
	STRING(
	    local_users, TEXT, NULL, "", 0, "chap-secrets style file of users who need no RADIUS"),
};

_Static_assert(ARRAY_LEN(items) <= 8 * sizeof(MEMBER(is_set)), "a bit a row");

static const struct {
	const char *name, *means;
} aliases[] = {
	{ "nexthop", "nexthop_address" },
	{ "nexthop6", "nexthop6_address" },
};

const struct item *
item_get(unsigned int i)
{
	return i < ARRAY_LEN(items) ? &items[i] : NULL;
}

unsigned int
item_number(const struct item *it)
{
	return (unsigned int)(it - items);
}

const struct item *
item_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0)
			name = aliases[i].means;
	for (i = 0; i < ARRAY_LEN(items); i++)
		if (strcmp(items[i].name, name) == 0)
			return &items[i];
	return NULL;
}

/* Letters to change, add or leave out to make one word of the other; words of up to 63. */
static unsigned int
distance(const char *a, const char *b)
{
	unsigned int row[64], i, j, left_up, up;
	size_t nb = strlen(b);

	if (nb >= ARRAY_LEN(row) || strlen(a) >= ARRAY_LEN(row))
		return UINT32_MAX;
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		left_up = row[0]++;
		for (j = 1; j <= nb; j++) {
			up = row[j];
			row[j] = MIN(MIN(up, row[j - 1]) + 1, left_up + (a[i] != b[j - 1]));
			left_up = up;
		}
	}
	return row[nb];
}

const char *
item_nearest(const char *name)
{
	unsigned int best = 2 + (unsigned int)strlen(name) / 4, d;
	const char *nearest = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(items); i++) {
		d = distance(name, items[i].name);
		if (d < best) {
			best = d;
			nearest = items[i].name;
		}
	}
	return nearest;
}

int
item_parse(const struct item *it, struct config *c, const char *text, char *why, size_t why_size)
{
	return it->type->parse(it, text, (char *)c + it->offset, why, why_size) ? 0 : -1;
}

void
item_print(const struct item *it, const struct config *c, char *text, size_t size)
{
	it->type->print(it, (const char *)c + it->offset, text, size);
}

bool
item_equal(const struct item *it, const struct config *a, const struct config *b)
{
	return memcmp((const char *)a + it->offset, (const char *)b + it->offset, it->size) == 0;
}

bool
item_is_set(const struct item *it, const struct config *c)
{
	unsigned int n = item_number(it);

	return c->is_set[n / 64] >> (n % 64) & 1;
}

void
item_mark_set(const struct item *it, struct config *c)
{
	unsigned int n = item_number(it);

	c->is_set[n / 64] |= UINT64_C(1) << (n % 64);
}

void
item_copy(const struct item *it, struct config *to, const struct config *from)
{
	unsigned int n = item_number(it);

	memcpy((char *)to + it->offset, (const char *)from + it->offset, it->size);
	to->is_set[n / 64] &= ~(UINT64_C(1) << (n % 64));
	if (item_is_set(it, from))
		item_mark_set(it, to);
}
