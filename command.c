/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of outside programs. The one at its head runs, in a process group of its own,
 * without any of our descriptors; its output is read line by line into the log. SIGCHLD
 * says that it has ended; then its `done` is called and the next one starts, a tick
 * later, so that nobody is called back from within command_run().
 *
 * A program that hangs stops those behind it, not us: it is reported after HANG_SEC and
 * killed with its group after KILL_SEC. What it leaves running in the background lives
 * on, but loses its output.
 *
 * posix_spawn() is vfork() inside: no copy of the page tables of 200,000 sessions is
 * made. Ambient capabilities pass to the program as they are. iptables of the old kind
 * takes a lock file in /run, which we may not have a right to; then it gets one of ours.
 *
 * Owns the queue. Called by the plugins' functions and l2tpns.c.
 */
#include "command.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "timer.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_ARGS = 32,
	TEXT_SIZE = 4096, /* all words of a command */
	NAME_SIZE = 160,  /* of a command in the log */
	HANG_SEC = 5,
	KILL_SEC = 60,
	LINE_SIZE = 256,
	MAX_LINES = 100, /* of one program in the log */
	READS_A_TURN = 4,
	MAX_ENV = 256,
	NOT_RUN = 127,
	FINI_MS = 700,
	FINI_POLL_MS = 10,
};

struct command {
	char text[TEXT_SIZE]; /* the words, each with its NUL */
	char *argv[MAX_ARGS + 1];
	int input; /* memory file; -1: /dev/null */
	command_fn done;
	void *arg;
};

static struct command queue[COMMAND_QUEUE]; /* a ring */
static unsigned int head, count;

/* The one that runs: queue[head]. */
static struct {
	pid_t pid;  /* 0: none */
	int output; /* our end of its pipe; -1: closed */
	uint64_t since_ms;
	char line[LINE_SIZE]; /* the beginning of one, or the last whole one */
	size_t len;
	unsigned int lines;
} running = { .output = -1 };

static struct timer start_timer, watch_timer;

/* ---- its output ---- */

static void
log_line(void)
{
	running.line[running.len] = '\0';
	if (running.lines++ < MAX_LINES)
		plog(LOG_INFO, "%s: %s", queue[head].argv[0], running.line);
	running.len = 0;
}

static void
take_output(const char *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (*p != '\n')
			running.line[running.len++] = *p;
		if (running.len > 0 && (*p == '\n' || running.len == sizeof(running.line) - 1))
			log_line();
	}
}

static void
close_output(void)
{
	if (running.output < 0)
		return;
	loop_del(running.output);
	close(running.output);
	running.output = -1;
	if (running.len > 0)
		log_line();
}

static void
on_output(int fd, void *arg)
{
	char buf[4096];
	ssize_t n;
	int i;

	(void)arg;
	for (i = 0; i < READS_A_TURN; i++) {
		n = read(fd, buf, sizeof(buf));
		if (n > 0)
			take_output(buf, (size_t)n);
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			break;
	}
	if (i < READS_A_TURN)
		close_output();
}

/* ---- start ---- */

/* The command as one line for the log. */
static const char *
name_of(const struct command *c)
{
	static char name[NAME_SIZE];
	size_t len = 0;
	int i;

	name[0] = '\0';
	for (i = 0; c->argv[i] && len < sizeof(name) - 1; i++)
		len += (size_t)snprintf(
		    name + len, sizeof(name) - len, "%s%s", i ? " " : "", c->argv[i]);
	return name;
}

/* The lock file of iptables-legacy: the system's when we may use it, so that others keep out. */
static bool
may_use_system_lock(void)
{
	int fd = open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Our environment, but for what was said to us alone. */
static char **
environment(void)
{
	static char *env[MAX_ENV + 2], lock[CONF_TEXT + 64];
	unsigned int i, n = 0;

	for (i = 0; environ[i] && n < MAX_ENV; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 &&
		    strncmp(environ[i], "XTABLES_LOCKFILE=", 17) != 0)
			env[n++] = environ[i];
	snprintf(lock, sizeof(lock), "XTABLES_LOCKFILE=%s/xtables.lock", conf->state_dir);
	if (!may_use_system_lock())
		env[n++] = lock;
	env[n] = NULL;
	return env;
}

static int
set_attributes(posix_spawnattr_t *attr)
{
	const struct sched_param none = { 0 };
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t empty, usual;

	sigemptyset(&empty);
	sigfillset(&usual);
	if (sched_getscheduler(0) != SCHED_OTHER)
		flags |= POSIX_SPAWN_SETSCHEDULER;
	posix_spawnattr_setpgroup(attr, 0);
	posix_spawnattr_setsigmask(attr, &empty);
	posix_spawnattr_setsigdefault(attr, &usual);
	posix_spawnattr_setschedpolicy(attr, SCHED_OTHER);
	posix_spawnattr_setschedparam(attr, &none);
	return posix_spawnattr_setflags(attr, flags);
}

static int
set_descriptors(posix_spawn_file_actions_t *fds, const struct command *c, int out)
{
	int bad = c->input >= 0 ? posix_spawn_file_actions_adddup2(fds, c->input, STDIN_FILENO)
				: posix_spawn_file_actions_addopen(
				      fds, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!bad)
		bad = posix_spawn_file_actions_adddup2(fds, out, STDOUT_FILENO);
	if (!bad)
		bad = posix_spawn_file_actions_adddup2(fds, out, STDERR_FILENO);
	if (!bad)
		bad = posix_spawn_file_actions_addclosefrom_np(fds, STDERR_FILENO + 1);
	return bad;
}

/* Runs it with its output to `out`. An errno, or 0. */
static int
spawn(const struct command *c, int out)
{
	posix_spawn_file_actions_t fds;
	posix_spawnattr_t attr;
	int bad;

	posix_spawn_file_actions_init(&fds);
	posix_spawnattr_init(&attr);
	bad = set_descriptors(&fds, c, out);
	if (!bad)
		bad = set_attributes(&attr);
	if (!bad)
		bad = posix_spawnp(&running.pid, c->argv[0], &fds, &attr, c->argv, environment());
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fds);
	return bad;
}

/* The pipe, the program, the watch. An errno, or 0. */
static int
begin(const struct command *c)
{
	int pipe_fds[2], bad;

	running.len = running.lines = 0;
	running.line[0] = '\0';
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return errno;
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	bad = loop_add(pipe_fds[0], on_output, NULL) < 0 ? EMFILE : spawn(c, pipe_fds[1]);
	close(pipe_fds[1]);
	if (bad) {
		loop_del(pipe_fds[0]);
		close(pipe_fds[0]);
		running.pid = 0;
		return bad;
	}
	running.output = pipe_fds[0];
	running.since_ms = loop_now_ms();
	timer_set(&watch_timer, SEC(HANG_SEC));
	return 0;
}

/* ---- the queue ---- */

static void
next_soon(void)
{
	if (count > 0 && running.pid == 0 && !timer_running(&start_timer))
		timer_set(&start_timer, MS(TIMER_TICK_MS));
}

/* The head has ended, or could not begin. */
static void
finish(int status)
{
	command_fn done = queue[head].done;
	void *arg = queue[head].arg;

	timer_stop(&watch_timer);
	if (queue[head].input >= 0)
		close(queue[head].input);
	running.pid = 0;
	head = (head + 1) % COMMAND_QUEUE;
	count--;
	if (status)
		COUNT(command_failed);
	if (done)
		done(arg, status);
	next_soon();
}

static void
on_start(uint32_t unused)
{
	int bad;

	(void)unused;
	if (count == 0 || running.pid)
		return;
	plog(LOG_CALL, "running %s", name_of(&queue[head]));
	bad = begin(&queue[head]);
	if (bad) {
		plog(LOG_ERROR, "cannot run %s: %s", name_of(&queue[head]), strerror(bad));
		finish(NOT_RUN);
	}
}

static void
on_watch(uint32_t unused)
{
	unsigned int sec = (unsigned int)((loop_now_ms() - running.since_ms) / 1000);

	(void)unused;
	if (!running.pid)
		return;
	if (sec < KILL_SEC) {
		plog(LOG_ERROR, "%s has not ended after %u seconds", name_of(&queue[head]), sec);
		timer_set(&watch_timer, SEC(KILL_SEC - sec));
		return;
	}
	plog(LOG_ERROR, "%s hangs: killed after %u seconds", name_of(&queue[head]), sec);
	kill(-running.pid, SIGKILL);
	timer_set(
	    &watch_timer, SEC(KILL_SEC)); /* one that cannot even be killed is told of again */
}

static void
log_end(int status)
{
	const char *said = running.line[0] ? "; it said: " : "";

	if (running.lines > MAX_LINES)
		plog(LOG_INFO, "%s: %u lines more", queue[head].argv[0], running.lines - MAX_LINES);
	if (status > 0)
		plog(LOG_ERROR, "%s: exit status %d%s%s", name_of(&queue[head]), status, said,
		    running.line);
	else if (status < 0)
		plog(LOG_ERROR, "%s: ended by signal %d%s%s", name_of(&queue[head]), -status, said,
		    running.line);
}

bool
command_exit(pid_t pid, int status)
{
	if (pid == 0 || pid != running.pid)
		return false;
	if (running.output >= 0)
		on_output(running.output, NULL);
	close_output();
	status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	log_end(status);
	finish(status);
	return true;
}

/* ---- asking for one ---- */

static int
copy_words(struct command *c, char *const argv[])
{
	size_t used = 0, n;
	int i;

	for (i = 0; argv[i]; i++, used += n) {
		n = strlen(argv[i]) + 1;
		if (i == MAX_ARGS || used + n > sizeof(c->text))
			return -1;
		c->argv[i] = memcpy(c->text + used, argv[i], n);
	}
	c->argv[i] = NULL;
	return i > 0 ? 0 : -1;
}

/* A file in memory, read from its beginning. -1: no room. */
static int
memory_file(const char *p, size_t len)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && len > 0) {
		n = write(fd, p, len);
		if (n <= 0) {
			close(fd);
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

int
command_run(char *const argv[], const void *input, size_t len, command_fn done, void *arg)
{
	struct command *c = &queue[(head + count) % COMMAND_QUEUE];

	if (count == COMMAND_QUEUE || copy_words(c, argv) < 0) {
		COUNT(command_refused);
		plog_limit(LOG_ERROR, "cannot run %s: %s", argv[0] ? argv[0] : "nothing",
		    count == COMMAND_QUEUE ? "too many programs are waiting" : "bad arguments");
		return -1;
	}
	c->input = len ? memory_file(input, len) : -1;
	if (len && c->input < 0) {
		COUNT(command_refused);
		plog_limit(LOG_ERROR, "cannot run %s: %s", argv[0], strerror(errno));
		return -1;
	}
	c->done = done;
	c->arg = arg;
	count++;
	next_soon();
	return 0;
}

/* ---- start and end ---- */

void
command_init(void)
{
	timer_init(&start_timer, on_start, 0);
	timer_init(&watch_timer, on_watch, 0);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The loop has stopped: does what it would do. */
static void
wait_a_little(void)
{
	struct pollfd output = { .fd = running.output, .events = POLLIN };
	int status;

	if (poll(&output, 1, FINI_POLL_MS) > 0)
		on_output(running.output, NULL);
	if (waitpid(running.pid, &status, WNOHANG) == running.pid)
		command_exit(running.pid, status);
}

void
command_fini(void)
{
	uint64_t end = now_ms() + FINI_MS;

	while (count > 0 && now_ms() < end) {
		if (running.pid)
			wait_a_little();
		else
			on_start(0);
	}
	if (running.pid) {
		kill(-running.pid, SIGKILL);
		close_output();
	}
	for (; count > 0; count--, head = (head + 1) % COMMAND_QUEUE)
		plog(LOG_ERROR, "%s was not done before the end", name_of(&queue[head]));
	timer_stop(&start_timer);
	timer_stop(&watch_timer);
}
