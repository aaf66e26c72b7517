/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between l2tpns and its plugins; all that a plugin's author needs.
 * Docs/plugins.md has a worked example.
 *
 * A plugin is NAME.so in plugin_dir. It exports
 *
 *	int plugin_api_version = PLUGIN_API_VERSION;
 *
 * and any of
 *
 *	int plugin_init(const struct pluginfuncs *f);	1: loaded, 0: refused
 *	void plugin_done(void);				before it is unloaded
 *	int plugin_EVENT(struct param_EVENT *p);		for each EVENT it wants to hear of
 *
 * Events go to the plugins in the order in which they were loaded. What a function returns
 * decides how it goes on, see the PLUGIN_RET_ values. All of it runs in the daemon's one thread:
 * a plugin must never wait. Outside programs are run by run_command().
 *
 * Strings handed in are read-only and live until the function returns, unless said otherwise. IPv4
 * addresses are in network order. A session handle is valid as long as the session is; kill_session
 * is its last event.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Raised when a struct param_ or a member of struct pluginfuncs changes its meaning. */
#define PLUGIN_API_VERSION 10

enum {
	PLUGIN_RET_ERROR = 0,	  /* failed: no further plugin hears of it, and what it was about is
				   * refused */
	PLUGIN_RET_OK = 1,	  /* go on with the next plugin */
	PLUGIN_RET_STOP = 2,	  /* done: no further plugin hears of it */
	PLUGIN_RET_NOTMASTER = 3, /* control: only the master of the cluster can do that */
};

/* A session and a tunnel; never NULL in an event unless it says so. */
typedef struct plugin_session *plugin_session;
typedef struct plugin_tunnel *plugin_tunnel;

/*
 * Protocols of pre_auth and post_auth: PPP's numbers; MS-CHAPv2 is CHAP with its
 * algorithm above that.
 */
enum { PLUGIN_PAP = 0xc023, PLUGIN_CHAP = 0xc223, PLUGIN_MSCHAPV2 = 0x81c223 };

/*
 * Somebody wants to log in. `username` and `password` are allocated with malloc(); a plugin may
 * free them and put another in their place (the password only for PAP, else it is NULL). With
 * continue_auth set to 0 he is refused without asking anybody. An MS-CHAPv2 proof is about
 * the name as he gave it: who checks it must know that one.
 */
struct param_pre_auth {
	plugin_tunnel t;
	plugin_session s;
	char *username;
	char *password;
	int protocol;
	int continue_auth;
};

/*
 * The answer has come: auth_allowed 1 or 0. A plugin may change it; see garden. A refused
 * MS-CHAPv2 login stays refused, for no answer would be valid.
 */
struct param_post_auth {
	plugin_tunnel t;
	plugin_session s;
	const char *username;
	short auth_allowed;
	int protocol;
};

/*
 * An IP packet from the subscriber (rx) or to him (tx). It may be changed in place, not in length.
 * PLUGIN_RET_ERROR or PLUGIN_RET_STOP drops it. Costs time for each packet: a plugin that has
 * these two makes everybody's packets slower.
 */
struct param_packet_rx {
	plugin_tunnel t;
	plugin_session s;
	char *buf;
	uint16_t len;
};

struct param_packet_tx {
	plugin_tunnel t;
	plugin_session s;
	char *buf;
	uint16_t len;
};

/* Once a second. */
struct param_timer {
	time_t time_now;
};

/* A session has an address and is up; it is known to the master and, after a take-over, to us. */
struct param_new_session {
	plugin_tunnel t;
	plugin_session s;
};

/* A session has ended; its members can still be read. */
struct param_kill_session {
	plugin_tunnel t;
	plugin_session s;
};

/*
 * A command of nsctl that is not built in. A plugin that does not know argv[0] returns
 * PLUGIN_RET_OK. One that does returns PLUGIN_RET_STOP with `response` 1 for done, 0 for refused,
 * and in `additional` a line for the operator or NULL (a string that stays until the next event).
 * For the command "help" argc is 1: add lines to the answer by control_help() and return
 * PLUGIN_RET_OK.
 */
struct param_control {
	int iam_master;
	int argc;
	char **argv;
	int response;
	const char *additional;
};

/* One Cisco-AVPair of an Access-Accept or a CoA, taken apart at its first '='. */
struct param_radius_response {
	plugin_tunnel t;
	plugin_session s;
	const char *key;
	const char *value;
};

/*
 * A pair of a CoA, before anything is changed. PLUGIN_RET_STOP: it is ours; PLUGIN_RET_ERROR: it
 * is, and cannot be done; PLUGIN_RET_OK: it is not. Nothing of a CoA with a pair that cannot be
 * done, or is nobody's, is done: the server gets a NAK. A plugin that hears of radius_response
 * and not of this takes all. The plugin changes nothing here.
 */
struct param_radius_check {
	plugin_tunnel t;
	plugin_session s;
	const char *key;
	const char *value;
};

/* A CoA comes: what radius_response set before is to be set back, for new pairs follow. */
struct param_radius_reset {
	plugin_tunnel t;
	plugin_session s;
};

/*
 * An accounting record is made. The plugin adds attributes by radius_add(); `packet` names the
 * record for it.
 */
struct param_radius_account {
	plugin_tunnel t;
	plugin_session s;
	void *packet;
};

/* We are the master now; new_session_master follows for each session there is. */
struct param_become_master {
	int unused;
};

struct param_new_session_master {
	plugin_tunnel t;
	plugin_session s;
};

/* Log levels. */
enum {
	PLUGIN_LOG_CRITICAL,
	PLUGIN_LOG_ERROR,
	PLUGIN_LOG_WARNING,
	PLUGIN_LOG_INFO,
	PLUGIN_LOG_CALL,
	PLUGIN_LOG_PACKET,
};

/* The end of a command of run_command(): its exit status, or minus the signal that ended it. */
typedef void (*plugin_command_done)(void *arg, int status);

/*
 * What the daemon does for a plugin. `size` is that of the table in the running daemon: a member
 * behind it is not there.
 */
struct pluginfuncs {
	size_t size;

	/* A line in the log; s may be NULL. */
	void (*log)(int level, plugin_session s, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

	/* A setting's value as text, without quotes; "" for an unknown one. A static buffer. */
	const char *(*get_config)(const char *name);

	/* Sessions: by name of the user (the first of several), by number, by address; NULL: none,
	 * or it has ended. */
	plugin_session (*get_session_by_user)(const char *username);
	plugin_session (*get_session_by_id)(uint32_t sid);
	plugin_session (*get_session_by_ip)(uint32_t ip);

	/* The one after `s` (NULL: the first); NULL at the end. For plugin_init and plugin_done. */
	plugin_session (*next_session)(plugin_session s);

	uint32_t (*session_id)(plugin_session s);
	plugin_tunnel (*session_tunnel)(plugin_session s);
	uint32_t (*tunnel_id)(plugin_tunnel t);
	const char *(*session_user)(plugin_session s); /* "" before he has logged in */
	const char *(*session_calling)(plugin_session s);
	const char *(*session_called)(plugin_session s);
	uint32_t (*session_ip)(plugin_session s);	/* 0: none yet */
	int (*session_up)(plugin_session s);		/* packets flow */
	uint32_t (*session_rx_speed)(plugin_session s); /* of the line, bit/s */
	uint32_t (*session_tx_speed)(plugin_session s);
	void (*set_rx_speed)(plugin_session s, uint32_t bit_per_sec);
	void (*set_tx_speed)(plugin_session s, uint32_t bit_per_sec);

	/* Ends the session soon; `reason` for log, LAC and accounting (Admin-Reset). */
	void (*kill_session)(plugin_session s, const char *reason);

	/* Rates in kbit/s from and to the subscriber; 0: none. PLUGIN_RATE_KEEP: as it is. */
	void (*throttle)(plugin_session s, uint32_t in, uint32_t out);
	void (*get_throttle)(plugin_session s, uint32_t *in, uint32_t *out);

	/* Copies of his packets to ip and port (host order); ip 0: no longer. */
	void (*snoop)(plugin_session s, uint32_t ip, uint16_t port);

	/* The flag of the walled garden. Setting and clearing it does nothing else. */
	void (*set_garden)(plugin_session s, int on);
	int (*in_garden)(plugin_session s);

	/* Access lists by name, "" for none, NULL: as it is. -1: there is no such list. */
	int (*filter)(plugin_session s, const char *in, const char *out);

	/* Adds an attribute of `vendor` (0: none) to an accounting record. -1: no room, or a value
	 * that is empty or longer than 253 octets (a vendor's: 247). */
	int (*radius_add)(
	    void *packet, uint32_t vendor, uint8_t type, const void *value, size_t len);

	/* A line of the answer to `help`: a command with its arguments, and what it does. */
	void (*control_help)(const char *command, const char *what);

	/*
	 * Runs a program (argv[0] is looked for in PATH; the array ends with NULL), one after the
	 * other in the order asked for, with nothing on its input and its output in the log.
	 * `done` may be NULL. A program that hangs is reported, and killed after a minute.
	 * Returns -1 when too many are waiting.
	 */
	int (*run_command)(char *const argv[], plugin_command_done done, void *arg);

	/* We are the master of the cluster, or alone. */
	int (*is_master)(void);

	/* The same with `len` octets on its input, which are copied. */
	int (*run_with_input)(
	    char *const argv[], const void *input, size_t len, plugin_command_done done, void *arg);

	/* The path of a file beside the startup-config. A static buffer. */
	const char *(*config_file)(const char *name);

	/*
	 * Another name for a session, in show and accounting. 0; -1 when it is none, or when
	 * accounting has begun: a Stop must bear the name of its Start.
	 */
	int (*set_user)(plugin_session s, const char *user);

	/*
	 * A session as operators name it: by its number when the word is all digits and there
	 * is such a session, else by its user's name. NULL: there is none.
	 */
	plugin_session (*find_session)(const char *word);

	/* Refuses a command of nsctl with a reason; its value is what plugin_control returns. */
	int (*refuse)(struct param_control *p, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

	/*
	 * Whether the session's packets are held to the rates that throttle() set; 0 when they
	 * pass freely all the same, as all token buckets are in use (throttle_buckets).
	 */
	int (*is_throttled)(plugin_session s);
};

#define PLUGIN_RATE_KEEP UINT32_MAX

/* What a plugin exports, so that its compiler can check it. */
#ifndef PLUGIN_HOST_H
extern int plugin_api_version;
int plugin_init(const struct pluginfuncs *f);
void plugin_done(void);
int plugin_pre_auth(struct param_pre_auth *p);
int plugin_post_auth(struct param_post_auth *p);
int plugin_packet_rx(struct param_packet_rx *p);
int plugin_packet_tx(struct param_packet_tx *p);
int plugin_timer(struct param_timer *p);
int plugin_new_session(struct param_new_session *p);
int plugin_kill_session(struct param_kill_session *p);
int plugin_control(struct param_control *p);
int plugin_radius_response(struct param_radius_response *p);
int plugin_radius_check(struct param_radius_check *p);
int plugin_radius_reset(struct param_radius_reset *p);
int plugin_radius_account(struct param_radius_account *p);
int plugin_become_master(struct param_become_master *p);
int plugin_new_session_master(struct param_new_session_master *p);
#endif

#endif
