/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: struct config, and the one table (config.c) from which come
 * the parser, range errors, `show running-config`, `write memory` and the check of
 * the man page. Acting on a change is not done here: a row names a subject, and
 * whoever cares registers an apply function for it.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "l2tpns.h"

#include <netinet/in.h>
#include <stdio.h>

enum {
	CONF_TEXT = 256,
	CONF_LIST = 1024,
	CONF_LACS = 64,
	CONF_PLUGINS = 32,
	CONF_PLUGIN_NAME = 64,
	CONF_ACLS = 128,
	CONF_RULES = 4096, /* of all access lists together */
	CONF_ACL_NAME = 33,
	CONF_PEERS = 64,
	CONF_FORWARDS = 64,
	CONF_SERVERS = 16,
};

enum conf_auto { CONF_AUTO, CONF_YES, CONF_NO };

/* `lac NETWORK|HOSTNAME secret S [max-sessions N]`: what one carrier has of its own. */
struct conf_lac {
	char name[HOSTNAME_LEN]; /* as written: a host name, or a network */
	uint32_t addr;		 /* network order; a network when is_net */
	uint8_t len;
	bool is_net;
	char secret[SECRET_LEN];
	unsigned int max_sessions; /* 0: no limit */
};

/* How a rule of an access list looks at a port, and at TCP's flags. */
enum conf_port {
	CONF_PORT_ANY,
	CONF_PORT_EQ,
	CONF_PORT_NEQ,
	CONF_PORT_GT,
	CONF_PORT_LT,
	CONF_PORT_RANGE
};
enum conf_tcp { CONF_TCP_ANY, CONF_TCP_ESTABLISHED, CONF_TCP_MATCH_ANY, CONF_TCP_MATCH_ALL };

/* A `permit` or `deny` line, as it is applied to packets: all of it is compared. */
struct conf_rule {
	uint32_t src, src_mask, dst, dst_mask; /* network order; mask: the bits that matter */
	uint16_t src_port[2], dst_port[2];     /* [1] for CONF_PORT_RANGE only */
	uint8_t permit;
	uint8_t protocol;	 /* of the IP header; 0: any */
	uint8_t src_op, dst_op;	 /* enum conf_port */
	uint8_t tcp;		 /* enum conf_tcp */
	uint8_t tcp_on, tcp_off; /* flags that are to be set, and not set */
	uint8_t fragments;	 /* later fragments only */
};

/* `ip access-list standard|extended NAME`: its rules lie together in struct config. */
struct conf_acl {
	char name[CONF_ACL_NAME];
	bool extended;
	unsigned int first, n; /* of rules[] */
};

/* A `neighbour` of `router bgp`. */
struct conf_peer {
	char name[HOSTNAME_LEN]; /* host name or address, as written */
	uint32_t as;
	bool has_timers;	      /* false: the speaker's own */
	unsigned int keepalive, hold; /* s; 0: none */
	char update_source[64];	      /* IPv4 or IPv6 address; "": any */
	char password[80 + 1];	      /* RFC 2385; "": none */
	bool has_med, has_community;  /* false: as 2.4.1, MED 1 and NO_EXPORT */
	uint32_t med;
	char community[CONF_TEXT]; /* words, each a space behind the one before */
};

/* `setforward MASK IP PORT SECRET`: users that a remote LNS serves. */
struct conf_forward {
	char mask[USER_LEN];
	uint32_t ip; /* network order */
	unsigned int port;
	char secret[SECRET_LEN];
};

/* `radius server IP ...`: 0 and "" where a word is not given. */
struct conf_server {
	uint32_t ip; /* network order */
	unsigned int auth_port, acct_port, weight;
	char secret[SECRET_LEN];
};

/* One member a row of SPEC 3, of the row's name. IPv4 addresses in network order; 0: unset. */
struct config {
	unsigned int debug;
	char log_file[CONF_TEXT], pid_file[CONF_TEXT], hostname[HOSTNAME_LEN];
	char random_device[CONF_TEXT];
	char plugin_dir[CONF_TEXT], state_dir[CONF_TEXT], cli_socket[CONF_TEXT];
	unsigned int hello_interval; /* s */
	unsigned int receive_window; /* messages */
	unsigned int shutdown_drain; /* 0.1 s */
	char l2tp_secret[SECRET_LEN];
	bool require_tunnel_auth;
	unsigned int l2tp_mtu;
	unsigned int ppp_restart_time, ppp_max_configure, ppp_max_failure; /* s, tries, tries */
	bool ppp_keepalive;
	unsigned int echo_timeout, idle_echo_timeout; /* s */
	bool kill_timedout_sessions;
	uint32_t primary_dns, secondary_dns;
	uint32_t primary_radius, secondary_radius;
	unsigned int primary_radius_port, secondary_radius_port; /* secondary 0: as primary */
	bool radius_accounting;
	unsigned int radius_interim, radius_interim_min; /* s */
	uint32_t radius_nas_ip;
	unsigned int radius_acct_retry_time; /* s */
	char radius_dae_client[CONF_LIST];
	char radius_secret[SECRET_LEN];
	char radius_authtypes[CONF_TEXT];
	unsigned int radius_dae_port;
	unsigned int radius_bind_min, radius_bind_max;
	unsigned int radius_require_message_authenticator; /* enum conf_auto */
	bool allow_duplicate_users;
	char guest_account[USER_LEN];
	uint32_t bind_address;
	char bind_multi_address[CONF_LIST];
	uint32_t iftun_address;
	char tundevicename[CONF_TEXT];
	uint32_t peer_address;
	bool send_garp;
	unsigned int throttle_speed, throttle_buckets; /* kbit/s, buckets */
	unsigned int filter_unknown;		       /* 0 ignore, 1 reject */
	uint32_t snoop_host;
	unsigned int snoop_port;
	bool no_throttle_local_IP;
	char accounting_dir[CONF_TEXT];
	bool account_all_origin;
	unsigned int setuid;
	bool dump_speed;
	unsigned int multi_read_count;
	bool scheduler_fifo, lock_pages;
	unsigned int icmp_rate, packet_limit;
	uint32_t cluster_address;
	unsigned int cluster_port;
	char cluster_interface[CONF_TEXT];
	unsigned int cluster_mcast_ttl, cluster_hb_interval, cluster_hb_timeout;
	unsigned int cluster_master_min_adv;
	char cluster_secret[SECRET_LEN];
	uint32_t nexthop_address;
	struct in6_addr nexthop6_address;
	bool disable_lac_func;
	char nsctl_secret[SECRET_LEN];
	bool cli_local_login;
	uint32_t cli_bind_address;
	unsigned int cli_port;
	uint32_t nsctl_bind_address;
	bool auth_tunnel_change_addr_src;
	uint32_t bind_address_remotelns;
	unsigned int bind_portremotelns;
	bool disable_sending_hello, disable_no_spoof;
	char multi_hostname[CONF_LIST];
	struct in6_addr ipv6_prefix;
	unsigned int dhcp6_preferred_lifetime, dhcp6_valid_lifetime;
	char dhcp6_server_duid[CONF_TEXT];
	unsigned int dns6_lifetime;
	struct in6_addr primary_ipv6_dns, secondary_ipv6_dns;
	char default_ipv6_domain_list[CONF_TEXT];
	char pppoe_if_to_bind[CONF_TEXT], pppoe_service_name[CONF_TEXT], pppoe_ac_name[CONF_TEXT];
	bool pppoe_only_equal_svc_name;
	unsigned int max_sessions, max_tunnels;
	char local_users[CONF_TEXT];

	unsigned int n_lacs;
	struct conf_lac lacs[CONF_LACS];

	unsigned int n_plugins;
	char plugins[CONF_PLUGINS][CONF_PLUGIN_NAME]; /* `load plugin`, in this order */

	unsigned int n_servers;
	struct conf_server servers[CONF_SERVERS];

	unsigned int n_forwards;
	struct conf_forward forwards[CONF_FORWARDS];

	uint32_t bgp_as; /* 0: no `router bgp` */
	unsigned int n_peers;
	struct conf_peer peers[CONF_PEERS];

	unsigned int n_acls, n_rules;
	struct conf_acl acls[CONF_ACLS];
	struct conf_rule rules[CONF_RULES]; /* in the order of the lists */

	uint64_t is_set[2]; /* a bit a row: named by the operator, not a default */
};

/*
 * The configuration in force; and what was configured last, which is what people see:
 * it holds the values that wait for a restart. In shared memory after config_share().
 */
extern const struct config *conf, *conf_next;

/* Where errors of a configuration text go: "FILE:LINE: message". */
typedef void (*config_error_fn)(const char *line);

/* Defaults into force; the system's host name. Before everything else. */
void config_init(void);

/* Moves the configuration to shared memory, for the CLI's children. */
void config_share(void);

/* The host name of -h: it stays, whatever a file or an operator says. */
void config_force_hostname(const char *name);

/*
 * Reads a file of configuration commands into force, over the defaults. Each error goes to `error`
 * as "FILE:LINE: set l2tp_mtu: 9 is not in 576..9216"; the rest is still read. Returns the number
 * of errors, or -1 when the file cannot be read (also told to `error`).
 */
int config_read(const char *file, config_error_fn error);

/* Where lines of text go. */
typedef void (*config_out_fn)(void *arg, const char *line);

/*
 * Reads the same file again, for SIGHUP. It comes into force by config_commit() and not
 * before; until then config_staged() shows what it says. Result as config_read(). What
 * becomes different is told to `report`, unless that is NULL.
 */
int config_stage(config_error_fn error);
const struct config *config_staged(void);
void config_commit(config_out_fn report, void *arg);

/*
 * Where a parser of configuration lines stands. Behind `ip access-list` and `router
 * bgp` come lines that belong to them; the first one that does not ends that, and so
 * does `exit`.
 */
enum config_place { CONFIG_TOP, CONFIG_ACL, CONFIG_BGP };
struct config_mode {
	enum config_place place;
	char arg[64]; /* CONFIG_ACL: the list's name */
};

/*
 * One line of configuration, from a file or typed in configuration mode. 0, or -1
 * with a message in `why` ("set l2tp_mtu: 9 is not in 576..9216"); on success `why`
 * holds a remark for the operator or "" ("takes effect at restart").
 */
int config_line(struct config_mode *mode, const char *line, char *why, size_t why_size);

/*
 * Does something at a change of the named item at run time, after all new values are
 * in force. The name of a family of lines does as well: "lac", "access-list", "bgp",
 * "radius server", "setforward", "plugin". A function registered for several items is called once
 * for a file that changes more than one. Register behind config_read().
 */
typedef void (*config_apply_fn)(void);
void config_on_change(const char *name, config_apply_fn fn);

/*
 * Loads or unloads the plugin of that name as conf->plugins has it; NULL: all of them.
 * -1 with `why` when that cannot be: a line typed at run time is then refused.
 */
typedef int (*config_plugins_fn)(const char *name, char *why, size_t why_size);
void config_on_plugins(config_plugins_fn fn);

/* The line for a carrier: by its host name ("" when not known yet), else the longest network. NULL:
 * none. */
const struct conf_lac *config_lac(uint32_t peer_ip, const char *hostname);

/*
 * Before any change of `name` is accepted: false refuses it with `why`. Of a family's
 * lines it is asked before one is taken back at run time; `value` is what the line names.
 */
typedef bool (*config_check_fn)(const char *value, char *why, size_t why_size);
void config_check(const char *name, config_check_fn fn);

/* For a CLI child: a consistent copy of conf_next; false when it was being written all the time. */
bool config_snapshot(struct config *copy);

/*
 * Prints all as configuration commands that read back to the same configuration; each
 * line to `out`. Without `secrets` those become comments, `# set l2tp_secret ****`.
 */
void config_show(config_out_fn out, void *arg, bool secrets);

/*
 * What is configured, though nothing in this version serves it: "send_garp, router bgp".
 * False when there is nothing of the kind.
 */
bool config_unserved(const struct config *c, char *text, size_t size);

/* Walks the table: for completion, man page checks, json. False at the end. */
struct config_row {
	const char *name, *help;
	const char *type;	 /* "int", "bool", "enum", "string", "list", "ip", "ip6" */
	const char *initial;	 /* default, as text without quotes */
	bool secret, at_restart; /* never printed in user mode; new value serves after a restart */
	bool later;		 /* nothing serves it yet */
};
bool config_row(unsigned int i, struct config_row *row);

/* Text of one item's value in conf_next, as `set` would take it back. -1: no such item. */
int config_value(const char *name, char *text, size_t size);

/* True when the operator named the item; `c` is conf or conf_next. */
bool config_is_set(const struct config *c, const char *name);

/* The file given to config_read(), and its directory, for users, ip_pool, build-garden. */
const char *config_path(void);
const char *config_dir(void);

/* Derived values, worked out at each call from the configuration. */
uint16_t config_mru(void);	   /* MRU offered = tun MTU, see l2tp_mtu */
uint32_t config_tun_address(void); /* iftun_address, else bind_address, else 1.1.1.1 */
uint32_t config_our_address(void); /* in IPCP: peer_address, else bind_address, else the tun's */
uint32_t config_nas_ip(void);	   /* radius_nas_ip, else bind_address */
unsigned int config_radius_port(int server); /* 0 primary, 1 secondary; default 1645 */

/* Addresses to listen on for L2TP: bind_multi_address or bind_address. Returns how many. */
unsigned int config_bind_addresses(uint32_t *addrs, unsigned int most);

/* All addresses that are ours and nobody's beside: to listen on, the tun's, the one in IPCP. */
enum { CONF_OWN_ADDRESSES = 40 };
unsigned int config_own_addresses(uint32_t addrs[CONF_OWN_ADDRESSES]);
bool config_is_own_address(uint32_t addr);

/* True for an address that radius_dae_client names. */
bool config_is_dae_client(uint32_t addr);

/* Authentication protocols to offer, in order; returns how many (at least 1). */
unsigned int config_authtypes(enum auth_proto *protos, unsigned int most);

#endif
