/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent's side of the command line. Each connection is served by a forked child
 * (cli_child.c), so that the data path never waits for an operator. What a child wants
 * changed it asks for over a socketpair, one message a request: the words of the
 * command, each with its NUL; the answer is '+' or '-' and a text. The pair is of
 * type SOCK_SEQPACKET, so a message is whole or not there.
 *
 * The parent never blocks on a child: it reads one message a turn, and a child that
 * does not take its answer is killed. A child's word is trusted as far as its
 * operator's is: who may ask for what is the child's to see to.
 *
 * Owns the listening sockets and the list of children. Called by l2tpns.c.
 */
#include "cli.h"
#include "bgp.h"
#include "cli_child.h"
#include "cli_config.h"
#include "cli_debug.h"
#include "cli_policy.h"
#include "config.h"
#include "counter.h"
#include "evict.h"
#include "hook.h"
#include "log.h"
#include "loop.h"
#include "order.h"
#include "role.h"
#include "session.h"
#include "tunnel.h"
#include "users.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_CHILDREN = 20,
	MAX_REMOTE = 16, /* the rest is kept for this machine, so that nobody can lock it out */
	BACKLOG = 128,
	CLOSED_BY_OPERATOR = 3, /* CDN result code: administrative reasons */
};

struct child {
	pid_t pid; /* 0: free */
	int fd;	   /* our end of the pair; -1: closed */
	bool local;
	bool waits;	 /* for an answer that comes later */
	uint32_t number; /* since start */
	char who[128];	 /* for the log */
};

static struct child children[MAX_CHILDREN];
static uint32_t last_number;
static time_t started;
static int tcp_fd = -1, unix_fd = -1;
static uint32_t tcp_addr; /* where tcp_fd listens */
static struct sockaddr_un unix_addr = { .sun_family = AF_UNIX };
static struct stat unix_file; /* the socket we made */

/* ---- what children ask for ---- */

typedef bool (*request_fn)(struct child *c, int argc, char **argv, char *answer, size_t size);

static const struct sess_end dropped = {
	.cause = TERM_ADMIN_RESET,
	.result = CLOSED_BY_OPERATOR,
	.disconnect = DISC_ADMIN,
	.message = "dropped by the operator",
};

static bool
drop_session(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	uint64_t id;

	(void)argc;
	if (!parse_uint(argv[2], 1, UINT32_MAX, &id) || !session_get((sess_id)id)) {
		snprintf(answer, size, "There is no session %s", argv[2]);
		return false;
	}
	plog(LOG_INFO, "CLI %s: drop session %s", c->who, argv[2]);
	hook_close((sess_id)id, &dropped);
	snprintf(answer, size, "Dropping session %s", argv[2]);
	return true;
}

static bool
drop_user(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	(void)argc;
	if (!session_by_user(argv[2])) {
		snprintf(answer, size, "User %s is not connected", argv[2]);
		return false;
	}
	plog(LOG_INFO, "CLI %s: drop user %s", c->who, argv[2]);
	evict_user(argv[2], 0, &dropped);
	snprintf(answer, size, "Dropping user %s", argv[2]);
	return true;
}

static bool
drop_tunnel(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	uint64_t id;

	(void)argc;
	if (!parse_uint(argv[2], 1, UINT32_MAX, &id) || !tunnel_get((tunn_id)id)) {
		snprintf(answer, size, "There is no tunnel %s", argv[2]);
		return false;
	}
	plog(LOG_INFO, "CLI %s: drop tunnel %s", c->who, argv[2]);
	hook_tunnel_close((tunn_id)id);
	snprintf(answer, size, "Dropping tunnel %s", argv[2]);
	return true;
}

static bool
clear_counters(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	(void)argc;
	(void)argv;
	plog(LOG_INFO, "CLI %s: clear counters", c->who);
	counter_clear();
	snprintf(answer, size, "Counters cleared");
	return true;
}

/* Lines of configuration, and what is done with its file. */
static bool
change_config(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	return cli_config_request(c->who, argc, argv, answer, size);
}

/* Access lists, throttling, interception: a user's service. */
static bool
change_policy(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	struct cli_answer a = { .text = answer, .size = size, .asker = c->number };
	bool done = cli_policy_request(argc, argv, &a);

	c->waits = a.later;
	if (done && !a.later)
		plog(LOG_INFO, "CLI %s: %s", c->who, answer);
	return done;
}

/* Lines of the log for a connection. */
static bool
change_debug(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	int level = cli_debug_level(argv[1]);

	(void)argc;
	if (level < -1) {
		snprintf(answer, size, "Invalid debugging flag \"%.64s\"", argv[1]);
		return false;
	}
	cli_debug_set((unsigned int)(c - children), level);
	return true;
}

static bool
change_bgp(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	(void)c;
	(void)argc;
	if (strcmp(argv[1], "restart") == 0)
		return bgp_restart(argv[2], answer, size);
	return bgp_suspend(argv[2], strcmp(argv[1], "suspend") == 0, answer, size);
}

/* As SIGTERM, and once the answer is on its way. */
static bool
shut_down(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	(void)argc;
	(void)argv;
	plog(LOG_WARNING, "CLI %s: shutdown", c->who);
	kill(getpid(), SIGTERM);
	snprintf(answer, size, "Shutting down");
	return true;
}

static bool
logged_in(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	size_t n = strlen(c->who);

	(void)argc;
	(void)answer;
	(void)size;
	snprintf(c->who + n, sizeof(c->who) - n, " (%s)", argv[1]);
	plog(LOG_INFO, "CLI %s: logged in", c->who);
	return true;
}

static bool
login_failed(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	(void)argc;
	(void)answer;
	(void)size;
	COUNT(cli_login_failures);
	plog_limit(LOG_WARNING, "CLI %s: wrong password for %s", c->who, argv[1]);
	return true;
}

/* Where a request is carried out: by each member for itself, or by the master for all. */
enum place { MEMBER, MASTER };

static const struct {
	const char *word, *second; /* second: NULL, any */
	int argc;		   /* 0: any from 2 on */
	enum place place;
	request_fn fn;
} requests[] = {
	{ "bgp", NULL, 3, MEMBER, change_bgp },
	{ "clear", "counters", 2, MEMBER, clear_counters },
	{ "config", NULL, 0, MEMBER, change_config },
	{ "debug", NULL, 2, MEMBER, change_debug },
	{ "drop", "session", 3, MASTER, drop_session },
	{ "drop", "tunnel", 3, MASTER, drop_tunnel },
	{ "drop", "user", 3, MASTER, drop_user },
	{ "filter", NULL, 0, MASTER, change_policy },
	{ "login", NULL, 2, MEMBER, logged_in },
	{ "login-failed", NULL, 2, MEMBER, login_failed },
	{ "no", "filter", 0, MASTER, change_policy },
	{ "no", "snoop", 3, MASTER, change_policy },
	{ "no", "throttle", 3, MASTER, change_policy },
	{ "reload", NULL, 1, MEMBER, change_config },
	{ "shutdown", NULL, 1, MEMBER, shut_down },
	{ "snoop", NULL, 4, MASTER, change_policy },
	{ "throttle", NULL, 0, MASTER, change_policy },
	{ "wrote", NULL, 2, MEMBER, change_config },
};

/* Everything that changes anything passes here. */
static bool
carry_out(struct child *c, int argc, char **argv, char *answer, size_t size)
{
	size_t i;

	answer[0] = '\0';
	for (i = 0; i < ARRAY_LEN(requests); i++) {
		if ((requests[i].argc ? argc != requests[i].argc : argc <= 1) ||
		    strcmp(argv[0], requests[i].word) != 0 ||
		    (requests[i].second && strcmp(argv[1], requests[i].second) != 0))
			continue;
		if (requests[i].place == MEMBER || role_is_master())
			return requests[i].fn(c, argc, argv, answer, size);
		role_refusal(answer, size);
		return false;
	}
	snprintf(answer, size, "unknown request");
	return false;
}

/* ---- children ---- */

static void
close_pair(struct child *c)
{
	if (c->fd < 0)
		return;
	loop_del(c->fd);
	close(c->fd);
	c->fd = -1;
	cli_debug_set((unsigned int)(c - children), -1);
}

static void
kill_child(struct child *c, const char *why)
{
	plog(LOG_WARNING, "CLI %s: %s; ended", c->who, why);
	kill(c->pid, SIGKILL);
	close_pair(c);
}

/* The words of a message, each ended by NUL; their number, -1 when it is none of ours. */
static int
split_message(char *msg, size_t len, char *words[CLI_WORDS])
{
	int n = 0;
	char *p;

	if (len == 0 || msg[len - 1] != '\0')
		return -1;
	for (p = msg; p < msg + len; p += strlen(p) + 1) {
		if (n == CLI_WORDS)
			return -1;
		words[n++] = p;
	}
	return n;
}

static void
reply(struct child *c, bool ok, const char *text)
{
	char msg[CLI_ANSWER];

	snprintf(msg, sizeof(msg), "%c%s", ok ? '+' : '-', text);
	if (send(c->fd, msg, strlen(msg) + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		kill_child(c, "does not take its answer");
}

static void
on_request(int fd, void *arg)
{
	struct child *c = arg;
	char msg[CLI_MESSAGE], answer[CLI_ANSWER - 1], *words[CLI_WORDS];
	ssize_t len = recv(fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_TRUNC);
	bool ok;
	int n;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		close_pair(c);
		return;
	}
	n = (size_t)len > sizeof(msg) ? -1 : split_message(msg, (size_t)len, words);
	if (n < 0) {
		kill_child(c, "malformed request");
		return;
	}
	ok = carry_out(c, n, words, answer, sizeof(answer));
	explicit_bzero(msg, sizeof(msg));
	if (c->waits)
		loop_del(fd); /* answers keep the order of the requests */
	else
		reply(c, ok, answer);
}

/* A request took more than its turn of the loop. Its child may have gone. */
static void
answer_later(uint32_t number, bool ok, const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(children); i++) {
		if (children[i].number != number || !children[i].waits || children[i].fd < 0)
			continue;
		children[i].waits = false;
		loop_add(children[i].fd, on_request, &children[i]);
		if (ok)
			plog(LOG_INFO, "CLI %s: %s", children[i].who, text);
		reply(&children[i], ok, text);
	}
}

/* What signals end a child in the ordinary course: the client left, was too slow, or we did it. */
static bool
is_ordinary(int signo)
{
	return signo == SIGPIPE || signo == SIGALRM || signo == SIGKILL || signo == SIGTERM;
}

bool
cli_child_exit(pid_t pid, int status)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(children); i++) {
		if (children[i].pid != pid)
			continue;
		if (WIFSIGNALED(status) && !is_ordinary(WTERMSIG(status)))
			plog(LOG_ERROR, "CLI %s: the child crashed, signal %d", children[i].who,
			    WTERMSIG(status));
		close_pair(&children[i]);
		children[i].pid = 0;
		return true;
	}
	return false;
}

/* A free record; NULL when there are too many connections. */
static struct child *
free_child(bool local)
{
	struct child *found = NULL;
	unsigned int remote = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(children); i++) {
		if (children[i].pid == 0)
			found = &children[i];
		else if (!children[i].local)
			remote++;
	}
	return local || remote < MAX_REMOTE ? found : NULL;
}

/* ---- connections ---- */

/* Forks the child that serves the connection. On failure nothing is left but the client's socket.
 */
static int
start_child(struct child *c, int client, bool telnet)
{
	struct cli_peer peer = { .client = client, .local = c->local, .telnet = telnet };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (loop_add(pair[0], on_request, c) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	peer.pair = pair[1];
	peer.place = (unsigned int)(c - children);
	peer.parent = getpid();
	peer.started = started;
	c->fd = pair[0];
	c->number = ++last_number;
	c->waits = false;
	c->pid = fork();
	if (c->pid == 0)
		cli_child_run(&peer);
	close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close_pair(c);
		return -1;
	}
	cli_debug_set(peer.place, DEBUG_START);
	return 0;
}

/* Names the other end; true when it is on this machine. */
static bool
name_peer(int client, bool telnet, char *who, size_t size)
{
	struct sockaddr_in in = { 0 };
	struct ucred cred = { 0 };
	socklen_t len = telnet ? sizeof(in) : sizeof(cred);

	if (telnet) {
		getpeername(client, (struct sockaddr *)&in, &len);
		snprintf(who, size, "%s:%u", ip4_text(in.sin_addr.s_addr), ntohs(in.sin_port));
		return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
	getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	snprintf(who, size, "uid %u", (unsigned int)cred.uid);
	return true;
}

static void
serve(int client, bool telnet)
{
	static const char busy[] = "Too many connections\r\n";
	char who[sizeof(children[0].who)];
	bool local = name_peer(client, telnet, who, sizeof(who));
	struct child *c = free_child(local);
	const int on = 1;

	if (!c) {
		COUNT(cli_refused);
		plog_limit(LOG_WARNING, "CLI %s: refused, too many connections", who);
		if (send(client, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			plog(LOG_CALL, "CLI %s: %s", who, strerror(errno));
		return;
	}
	if (telnet)
		setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	c->local = local;
	str_copy(c->who, sizeof(c->who), who);
	if (start_child(c, client, telnet) < 0)
		plog_limit(LOG_ERROR, "CLI %s: %s", who, strerror(errno));
	else
		COUNT(cli_connections);
}

/* One a turn: a fork takes a millisecond when there are many sessions. */
static void
on_connection(int fd, void *arg)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)arg;
	if (client >= 0) {
		serve(client, fd == tcp_fd);
		close(client);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		plog_limit(LOG_ERROR, "CLI: accept: %s", strerror(errno));
	}
}

/* ---- start and stop ---- */

static uint32_t
bind_address(void)
{
	if (config_is_set(conf, "cli_bind_address"))
		return conf->cli_bind_address;
	return htonl(users_count() ? INADDR_ANY : INADDR_LOOPBACK);
}

/* Who may come in, for the log: what an operator must not find out later. */
static void
tell_of_logins(void)
{
	bool loopback = ntohl(tcp_addr) >> 24 == IN_LOOPBACKNET;

	if (users_ask_login() && users_count() == 0)
		plog(LOG_ERROR, "the users file has no good line: nobody can log in to the CLI%s",
		    conf->cli_local_login ? "" : " but from this machine");
	else if (!users_ask_login() && !loopback)
		plog(LOG_ERROR, "the CLI on %s asks for no login: the users file names nobody",
		    ip4_text(tcp_addr));
}

static int
listen_tcp(char *why, size_t why_size)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = bind_address(),
		.sin_port = htons((uint16_t)conf->cli_port),
	};
	const int on = 1;

	tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (tcp_fd < 0 || setsockopt(tcp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(tcp_fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(tcp_fd, BACKLOG) < 0) {
		snprintf(why, why_size, "CLI: %s port %u: %s", ip4_text(in.sin_addr.s_addr),
		    conf->cli_port, strerror(errno));
		return -1;
	}
	tcp_addr = in.sin_addr.s_addr;
	tell_of_logins();
	return loop_add(tcp_fd, on_connection, NULL);
}

/* Binds, over the socket of a process that is no more. */
static int
bind_unix(void)
{
	const struct sockaddr *addr = (const struct sockaddr *)&unix_addr;
	int probe, busy;

	if (bind(unix_fd, addr, sizeof(unix_addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return -1;
	busy = connect(probe, addr, sizeof(unix_addr)) == 0 || errno != ECONNREFUSED;
	close(probe);
	if (busy || lstat(unix_addr.sun_path, &unix_file) < 0 || !S_ISSOCK(unix_file.st_mode)) {
		errno = EADDRINUSE;
		return -1;
	}
	unlink(unix_addr.sun_path);
	return bind(unix_fd, addr, sizeof(unix_addr));
}

static int
listen_unix(char *why, size_t why_size)
{
	mode_t mask;
	int bound;

	if (conf->cli_socket[0] == '\0')
		return 0;
	str_copy(unix_addr.sun_path, sizeof(unix_addr.sun_path), conf->cli_socket);
	unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	bound = unix_fd < 0 ? -1 : bind_unix();
	umask(mask);
	if (bound < 0 || listen(unix_fd, BACKLOG) < 0) {
		snprintf(
		    why, why_size, "CLI: cli_socket %s: %s", conf->cli_socket, strerror(errno));
		return -1;
	}
	lstat(unix_addr.sun_path, &unix_file);
	return loop_add(unix_fd, on_connection, NULL);
}

int
cli_start(char *why, size_t why_size)
{
	started = loop_time();
	cli_debug_init(MAX_CHILDREN);
	order_init(answer_later);
	return listen_tcp(why, why_size) < 0 || listen_unix(why, why_size) < 0 ? -1 : 0;
}

static void
close_listener(int *fd)
{
	if (*fd < 0)
		return;
	loop_del(*fd);
	close(*fd);
	*fd = -1;
}

void
cli_users_changed(void)
{
	char why[512];

	if (tcp_fd >= 0 && bind_address() == tcp_addr) {
		tell_of_logins();
		return;
	}
	close_listener(&tcp_fd);
	if (listen_tcp(why, sizeof(why)) == 0)
		return;
	plog(LOG_ERROR, "%s", why);
	close_listener(&tcp_fd);
}

void
cli_stop(void)
{
	struct stat now;
	size_t i;

	if (unix_fd >= 0 && lstat(unix_addr.sun_path, &now) == 0 &&
	    now.st_dev == unix_file.st_dev && now.st_ino == unix_file.st_ino)
		unlink(unix_addr.sun_path);
	close_listener(&tcp_fd);
	close_listener(&unix_fd);
	for (i = 0; i < ARRAY_LEN(children); i++) {
		if (children[i].pid == 0)
			continue;
		kill(children[i].pid, SIGKILL);
		close_pair(&children[i]);
	}
}
