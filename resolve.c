/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that calls getaddrinfo() and writes one address into a pipe; its end
 * of the pipe closing without one says that there is none. It gives itself LIMIT_SEC, and
 * dies with us. It is reaped as any child. Called by bgp_conn.c.
 */
#include "resolve.h"
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <unistd.h>

enum { LIMIT_SEC = 20, HANDLES = FD_SETSIZE };

static struct {
	resolve_fn done;
	void *arg;
} waiting[HANDLES];

static const struct addrinfo *
choose(const struct addrinfo *found, unsigned int turn)
{
	const struct addrinfo *i;
	unsigned int n = 0;

	for (i = found; i; i = i->ai_next)
		n++;
	for (turn %= n; turn > 0; turn--)
		found = found->ai_next;
	return found;
}

static __attribute__((noreturn)) void
look_up(const char *name, int family, unsigned int turn, int fd)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct sockaddr_storage addr = { 0 };
	const struct addrinfo *one;
	struct addrinfo *found;

	loop_child();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDERR_FILENO + 1);
	close_range(STDERR_FILENO + 2, ~0U, 0);
	alarm(LIMIT_SEC);
	if (getaddrinfo(name, NULL, &hints, &found) == 0) {
		one = choose(found, turn);
		memcpy(&addr, one->ai_addr, MIN(one->ai_addrlen, sizeof(addr)));
		if (write(STDERR_FILENO + 1, &addr, sizeof(addr)) < 0)
			_exit(1);
	}
	_exit(0);
}

static void
on_answer(int fd, void *unused)
{
	struct sockaddr_storage addr;
	ssize_t n = read(fd, &addr, sizeof(addr));
	resolve_fn done = waiting[fd].done;
	void *arg = waiting[fd].arg;

	(void)unused;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	resolve_cancel(fd);
	done(arg, n == (ssize_t)sizeof(addr) ? &addr : NULL);
}

int
resolve_start(const char *name, int family, unsigned int turn, resolve_fn done, void *arg)
{
	char copy[HOSTNAME_LEN]; /* the name's memory may be such that children do not have it */
	int fds[2];
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", name);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pid = fds[0] < HANDLES && loop_add(fds[0], on_answer, NULL) == 0 ? fork() : -1;
	if (pid == 0)
		look_up(copy, family, turn, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		if (fds[0] < HANDLES)
			loop_del(fds[0]);
		close(fds[0]);
		return -1;
	}
	waiting[fds[0]].done = done;
	waiting[fds[0]].arg = arg;
	return fds[0];
}

void
resolve_cancel(int handle)
{
	loop_del(handle);
	close(handle);
}
