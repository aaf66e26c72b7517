/* The line protocol: commands with named arguments, each answered by one `ok` or `error` line. */
#ifndef LAC_CMD_H
#define LAC_CMD_H

#include <stdbool.h>
#include <stdint.h>

enum arg_kind {
	ARG_NUM,
	ARG_BOOL,
	ARG_WORD,  /* any text */
	ARG_IP,	   /* A.B.C.D */
	ARG_DEST,  /* A.B.C.D:PORT */
	ARG_RANGE, /* K, K-L or all */
	ARG_HEX,
};

/* One argument a command knows; the table gives parser, ranges and help. */
struct arg_def {
	const char *name;
	enum arg_kind kind;
	const char *def; /* NULL: must be given; "": may be left out */
	uint32_t min, max;
	const char *help;
};

enum { CMD_ARGS = 32, CMD_HEX = 2048, CMD_LINE = 8192 };

struct arg_val {
	bool given; /* or has a default */
	uint32_t num;
	uint32_t num2; /* last of a range; port of a destination */
	bool all;
	const char *str;
};

struct cmd;

/* One command being carried out. */
struct run {
	const struct cmd *cmd;
	struct arg_val val[CMD_ARGS];
	char answer[CMD_LINE];
	char why[512];
	uint8_t hex[CMD_HEX];
	uint32_t hex_len;
};

struct cmd {
	const char *name;
	const char *help;
	const struct arg_def *args; /* ends with a NULL name */
	bool (*run)(struct run *r); /* false: failed, see cmd_fail() */
};

/* Carries out a line; prints its answer; false when it failed. */
bool cmd_line(char *line);
/* Was `quit` given? */
extern bool cmd_quit;
extern const struct cmd cmd_table[];
void cmd_help(void);
/* Prints a whole output line now. */
void cmd_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For the commands: arguments by name, and the answer. */
const struct arg_val *arg(const struct run *r, const char *name);
uint32_t arg_num(const struct run *r, const char *name);
const char *arg_str(const struct run *r, const char *name);
void cmd_reply(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The answer will be `error why="..."`; returns false. */
bool cmd_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* cmd_setup.c */
bool cmd_tunnel(struct run *r);
bool cmd_session(struct run *r);
bool cmd_forget(struct run *r);
/* cmd_end.c */
bool cmd_close(struct run *r);
bool cmd_stop(struct run *r);
bool cmd_wait(struct run *r);
/* cmd_show.c */
bool cmd_list(struct run *r);
bool cmd_tunnels(struct run *r);
bool cmd_count(struct run *r);
bool cmd_stats(struct run *r);
bool cmd_show_help(struct run *r);
/* cmd_traffic.c */
bool cmd_ping(struct run *r);
bool cmd_echo(struct run *r);
bool cmd_blast(struct run *r);
bool cmd_spoof(struct run *r);
bool cmd_raw(struct run *r);
bool cmd_datagram(struct run *r);
bool cmd_attach(struct run *r);
/* cmd_fault.c */
bool cmd_freeze(struct run *r);
bool cmd_thaw(struct run *r);
bool cmd_silent(struct run *r);
bool cmd_mute(struct run *r);
bool cmd_trace(struct run *r);
bool cmd_loss(struct run *r);
bool cmd_hello(struct run *r);
bool cmd_lazy(struct run *r);
bool cmd_events(struct run *r);
bool cmd_sleep(struct run *r);
bool cmd_do_quit(struct run *r);
/* StopCCN to every tunnel; waits for the acknowledgements for three seconds. */
void stop_all_tunnels(void);

/* Sessions a range argument names; false (with the answer) when there are none. */
bool arg_sessions(struct run *r, uint32_t *first, uint32_t *last);
bool arg_tunnels(struct run *r, uint32_t *first, uint32_t *last);

#endif
