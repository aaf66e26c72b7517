/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child that serves one connection of the command line, on libcli. It begins by
 * giving up what it does not need: all descriptors but its two, the right to write to
 * shared memory, the parent's scheduling; it logs nothing and dies with its parent.
 * It reads the tables through snapshots and asks the parent for every change.
 *
 * A command is a row of commands[] here or of another file's table, see cli_tree.c.
 * An alarm ends a child that is stuck in writing to a client who does not read.
 */
#include "cli_child.h"
#include "cli_acl.h"
#include "cli_config.h"
#include "cli_debug.h"
#include "cli_bgp.h"
#include "cli_peers.h"
#include "cli_policy.h"
#include "cli_stats.h"
#include "cli_tree.h"
#include "config.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "users.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENT_FD = 3, /* where the two descriptors lie, behind the three on /dev/null */
	PAIR_FD = 4,
	LOGIN_SEC = 60,
	IDLE_SEC = 900,
	STUCK_SEC = 600, /* one command may take so long */
	ANSWER_SEC = 30,
	NICE = 10, /* a long output stands back behind the data path */
	FAILURES = 3,
	FAILURE_SEC = 2, /* a wrong password is answered after so long, whatever was wrong */
};

static struct cli_peer peer;
static bool logged_in, may_enable;
static unsigned int failures;

/* ---- giving up rights ---- */

static void
lie_at(int fd, int where)
{
	if (dup2(fd, where) < 0)
		_exit(1);
}

static void
keep_two_descriptors(void)
{
	int client = fcntl(peer.client, F_DUPFD, PAIR_FD + 1);
	int pair = fcntl(peer.pair, F_DUPFD, PAIR_FD + 1);
	int null = open("/dev/null", O_RDWR);

	if (client < 0 || pair < 0 || null < 0)
		_exit(1);
	lie_at(null, STDIN_FILENO);
	lie_at(null, STDOUT_FILENO);
	lie_at(null, STDERR_FILENO);
	lie_at(client, CLIENT_FD);
	lie_at(pair, PAIR_FD);
	close_range(PAIR_FD + 1, ~0U, 0);
}

static void
give_up_rights(void)
{
	const struct sched_param none = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != peer.parent)
		_exit(0); /* it died before that */
	keep_two_descriptors();
	log_set_sink(NULL, -1);
	log_set_level(-1);
	loop_child();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	if (sched_getscheduler(0) != SCHED_OTHER)
		sched_setscheduler(0, SCHED_OTHER, &none);
	setpriority(PRIO_PROCESS, 0, NICE);
	shm_read_only();
}

/* ---- asking the parent ---- */

/* The parent answers in order: what it still owes to commands that gave up waiting comes first. */
static ssize_t
take_answer(char answer[CLI_ANSWER])
{
	static unsigned int owed;
	ssize_t got;

	owed++;
	do
		got = recv(PAIR_FD, answer, CLI_ANSWER - 1, 0);
	while (got > 0 && --owed > 0);
	return got;
}

bool
cli_ask(char answer[CLI_ANSWER], int argc, const char *const *argv)
{
	char msg[CLI_MESSAGE];
	size_t len = 0, n;
	ssize_t got;
	int i;

	for (i = 0; i < argc; i++, len += n) {
		n = strlen(argv[i]) + 1;
		if (len + n > sizeof(msg)) {
			snprintf(answer, CLI_ANSWER, "The command is too long");
			return false;
		}
		memcpy(msg + len, argv[i], n);
	}
	if (send(PAIR_FD, msg, len, MSG_NOSIGNAL) < 0)
		_exit(0); /* nobody there */
	got = take_answer(answer);
	if (got <= 0 && errno == EAGAIN)
		snprintf(answer, CLI_ANSWER, "The daemon does not answer");
	else if (got <= 0)
		_exit(0);
	if (got <= 0)
		return false;
	answer[got] = '\0';
	got = answer[0];
	memmove(answer, answer + 1, strlen(answer));
	return got == '+';
}

/* Tells the parent something; what it answers does not matter. */
static void
tell(const char *what, const char *detail)
{
	char answer[CLI_ANSWER];
	const char *const words[] = { what, detail };

	cli_ask(answer, ARRAY_LEN(words), words);
}

void
cli_ask_and_print(struct cli_def *cli, int argc, const char *const *argv)
{
	char answer[CLI_ANSWER];

	if (!cli_ask(answer, argc, argv))
		cli_error(cli, "%s", answer);
	else if (answer[0])
		cli_print(cli, "%s", answer);
}

bool
cli_may_enable(void)
{
	return may_enable;
}

void
cli_not_stuck(void)
{
	alarm(STUCK_SEC);
}

unsigned long
cli_uptime(void)
{
	return (unsigned long)(MAX(loop_time() - peer.started, 0));
}

/* ---- login and enable ---- */

static void
sleep_until(time_t when)
{
	struct timespec ts = { .tv_sec = when };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}

static time_t
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* The third wrong password ends the connection. */
static int
fail(const char *name, time_t began)
{
	static const char farewell[] = "\r\nToo many failures\r\n";
	char typed[256];

	tell("login-failed", name);
	sleep_until(began + FAILURE_SEC + 1);
	if (++failures < FAILURES)
		return CLI_ERROR;
	/* what he typed is taken first, or else closing would reset the connection */
	while (recv(CLIENT_FD, typed, sizeof(typed), MSG_DONTWAIT) > 0)
		continue;
	if (send(CLIENT_FD, farewell, sizeof(farewell) - 1, MSG_DONTWAIT) < 0)
		_exit(1);
	_exit(0);
}

static int
check_login(const char *name, const char *password)
{
	time_t began = seconds_now();

	if (!users_login(name, password))
		return fail(name, began);
	failures = 0;
	logged_in = true;
	alarm(STUCK_SEC);
	tell("login", name);
	return CLI_OK;
}

/* For libcli, here and only here, anything but 0 is good. */
static int
check_enable(const char *password)
{
	time_t began = seconds_now();

	if (!users_enable(password)) {
		fail("enable", began);
		return 0;
	}
	failures = 0;
	may_enable = true;
	return 1;
}

static int
refuse_enable(struct cli_def *cli, const char *command, char **argv, int argc)
{
	(void)command;
	(void)argv;
	(void)argc;
	cli_error(cli, "enable works from this machine only: the users file has no enable entry");
	return CLI_OK;
}

static void
set_up_login(struct cli_def *cli)
{
	bool ask = users_ask_login() && (!peer.local || conf->cli_local_login);

	logged_in = !ask;
	alarm(ask ? LOGIN_SEC : STUCK_SEC);
	if (ask)
		cli_set_auth_callback(cli, check_login);
	may_enable = peer.local && !users_has_enable();
	if (users_has_enable()) {
		cli_set_enable_callback(cli, check_enable);
	} else if (!peer.local) {
		cli_unregister_command(cli, "enable");
		cli_register_command(cli, NULL, "enable", refuse_enable, PRIVILEGE_UNPRIVILEGED,
		    MODE_EXEC, "Turn on privileged commands");
	}
}

/* ---- commands that change something ---- */

static void
do_drop(struct cli_def *cli, const char *what, const char *which)
{
	const char *const words[] = { "drop", what, which };

	cli_ask_and_print(cli, ARRAY_LEN(words), words);
}

static void
cmd_drop_session(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	do_drop(cli, "session", argv[0]);
}

static void
cmd_drop_tunnel(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	do_drop(cli, "tunnel", argv[0]);
}

static void
cmd_drop_user(struct cli_def *cli, int argc, char **argv)
{
	(void)argc;
	do_drop(cli, "user", argv[0]);
}

static void
cmd_clear_counters(struct cli_def *cli, int argc, char **argv)
{
	const char *const words[] = { "clear", "counters" };

	(void)argc;
	(void)argv;
	cli_ask_and_print(cli, ARRAY_LEN(words), words);
}

/* Asks on the operator's terminal; all but y and yes is no. */
static bool
confirm(struct cli_def *cli, const char *question)
{
	char typed[8] = "", c;
	size_t n = 0;

	fprintf(cli->client, "%s [y/N] ", question);
	fflush(cli->client);
	while (recv(CLIENT_FD, &c, 1, 0) == 1 && c != '\r') {
		if (!isprint((unsigned char)c)) /* the end of the line before, too */
			continue;
		if (n < sizeof(typed) - 1)
			typed[n++] = c;
		fputc(c, cli->client);
		fflush(cli->client);
	}
	fputs("\r\n", cli->client);
	fflush(cli->client);
	return strcasecmp(typed, "y") == 0 || strcasecmp(typed, "yes") == 0;
}

static void
cmd_shutdown(struct cli_def *cli, int argc, char **argv)
{
	const char *const words[] = { "shutdown" };

	(void)argc;
	(void)argv;
	if (confirm(cli, "Stop l2tpns on this machine?"))
		cli_ask_and_print(cli, ARRAY_LEN(words), words);
	else
		cli_print(cli, "Not stopped");
}

static const struct command commands[] = {
	{ "clear counters", PRIVILEGE_PRIVILEGED, MODE_EXEC, cmd_clear_counters, 0, 0, "", "",
	    "Set all counters to zero", NULL, NULL },
	{ "drop session", PRIVILEGE_PRIVILEGED, MODE_EXEC, cmd_drop_session, 1, 1, "ID",
	    "number in the column SID of show session", "Disconnect a session", NULL, NULL },
	{ "drop tunnel", PRIVILEGE_PRIVILEGED, MODE_EXEC, cmd_drop_tunnel, 1, 1, "ID",
	    "number in the column TID of show tunnels", "Disconnect a tunnel and its sessions",
	    NULL, NULL },
	{ "drop user", PRIVILEGE_PRIVILEGED, MODE_EXEC, cmd_drop_user, 1, 1, "USER",
	    "name as in show users", "Disconnect all sessions of a user", NULL, NULL },
	{ "shutdown", PRIVILEGE_PRIVILEGED, MODE_EXEC, cmd_shutdown, 0, 0, "", "",
	    "Stop the daemon; tunnels stay as they are", NULL, NULL },
	{ 0 },
};

/* ---- the child's life ---- */

/* A tick of libcli while nothing is typed: a second, or less while debugging. */
static int
on_tick(struct cli_def *cli)
{
	if (!logged_in)
		return CLI_OK;
	cli_not_stuck();
	cli_debug_drain(cli);
	return CLI_OK;
}

static int
on_idle(struct cli_def *cli)
{
	cli_error(cli, "\nIdle for too long: good-bye");
	return CLI_QUIT;
}

void
cli_child_run(const struct cli_peer *who)
{
	const struct timeval wait = { .tv_sec = ANSWER_SEC };
	struct cli_def *cli;

	peer = *who;
	cli_debug_attach(peer.place);
	give_up_rights();
	setsockopt(PAIR_FD, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	cli = cli_init();
	cli_telnet_protocol(cli, peer.telnet);
	cli_set_hostname(cli, conf->hostname);
	cli_tree_init(cli);
	cli_tree_add(cli, cli_show_table());
	cli_tree_add(cli, cli_stats_table());
	cli_tree_add(cli, cli_peers_table());
	cli_tree_add(cli, cli_bgp_table());
	cli_tree_add(cli, commands);
	cli_tree_add(cli, cli_policy_table());
	cli_tree_add(cli, cli_acl_table());
	cli_tree_add(cli, cli_config_table());
	cli_tree_add(cli, cli_debug_table());
	cli_filter_add(cli);
	set_up_login(cli);
	cli_regular(cli, on_tick);
	cli_set_idle_timeout_callback(cli, IDLE_SEC, on_idle);
	cli_loop(cli, CLIENT_FD);
	_exit(0);
}
