/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, inside the child that serves one connection: login, the tables
 * of commands, questions to the parent. Nothing here can change the daemon's state.
 */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "l2tpns.h"

#include <libcli.h>
#include <sys/types.h>
#include <time.h>

enum {
	CLI_MESSAGE = 8192, /* octets of a request: words, each with its final NUL */
	CLI_ANSWER = 16384, /* octets of an answer: '+' or '-', a text, NUL */
	CLI_WORDS = 16,
};

struct json;

/* One command; the row serves parsing, `?` and the usage line. */
struct command {
	const char *words; /* "show session" */
	int privilege;	   /* PRIVILEGE_UNPRIVILEGED or PRIVILEGE_PRIVILEGED */
	int mode;	   /* MODE_EXEC, MODE_CONFIG, one of cli_config.h, or MODE_ANY */
	void (*fn)(struct cli_def *cli, int argc, char **argv);
	int min, max;						  /* how many arguments */
	const char *args;					  /* "[ID]..." */
	const char *args_help;					  /* what they are */
	const char *help;					  /* what the command does */
	void (*hint)(struct cli_def *cli, int argc, char **argv); /* more on `?`; may be NULL */
	/* Its form with `json` as last word, see json.h; may be NULL. */
	void (*json)(struct cli_def *cli, struct json *j, int argc, char **argv);
};

/* Who is connected. */
struct cli_peer {
	int client, pair; /* his socket; ours to the parent */
	pid_t parent;
	unsigned int place; /* among the connections, for cli_debug.h */
	time_t started;	    /* the daemon, by the wall clock */
	bool local;	    /* from this machine */
	bool telnet;	    /* not the local socket */
};

/* The child's life from the fork on. */
void cli_child_run(const struct cli_peer *peer) __attribute__((noreturn));

/*
 * Asks the parent: sends the words, waits for the answer. True when it was done;
 * `answer` has the parent's text either way.
 */
bool cli_ask(char answer[CLI_ANSWER], int argc, const char *const *argv);

/* The same, and the answer goes to the operator. */
void cli_ask_and_print(struct cli_def *cli, int argc, const char *const *argv);

/* Whether this connection may use privileged commands once it has asked for them. */
bool cli_may_enable(void);

/* Somebody is there and takes what we write: the child may live on. */
void cli_not_stuck(void);

/* Seconds since the daemon started. */
unsigned long cli_uptime(void);

/* The commands that show something; ends with a row without words. */
const struct command *cli_show_table(void);

#endif
