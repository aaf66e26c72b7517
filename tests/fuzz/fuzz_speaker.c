/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole BGP speaker, over TCP in a network namespace of its own. The input is what a
 * neighbour sends: its first octet says how far he has come before (connected, OPEN sent,
 * Established), whether it comes in pieces, and whether it is raw, or messages (type, two
 * octets of length, body) that get their heads here. Whatever that was, what comes back
 * must be whole messages, and when he is gone he must be able to begin again and be told all
 * routes.
 */
#include "bgp.h"
#include "bgp_route.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "timer.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUTES = 2, TURNS = 4, AS = 64513, MANY_TURNS = 200, PIECE = 7, OPEN_SIZE = 64 };
enum { FAR = 3, IN_PIECES = 4, WITH_HEADS = 8, AGAIN = 64 }; /* of the first octet; inputs */

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(                                                                   \
			    stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #what, errno);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int turns_left;
static uint8_t heard[1 << 20];
static size_t n_heard;

/* ---- the speaker ---- */

static void
on_turn(void)
{
	if (--turns_left <= 0)
		loop_stop();
}

/* No turn waits: this is always readable. */
static void
on_pipe(int fd, void *unused)
{
	(void)fd;
	(void)unused;
}

static void
run(int turns)
{
	turns_left = turns;
	loop_run();
}

static void
own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	MUST(unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	MUST(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	close(fd);
}

static void
on_error(const char *line)
{
	fprintf(stderr, "%s\n", line);
	abort();
}

static void
configure(void)
{
	static const char text[] = "set debug 0\nset bind_address 127.0.0.9\nrouter bgp 64512\n"
				   "neighbour 127.0.0.2 remote-as 64513 timers 0 0\n";
	int fd = memfd_create("configuration", 0);
	char path[64];

	MUST(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_init();
	config_read(path, on_error);
	close(fd);
}

static void
begin(void)
{
	int fds[2], i;

	own_network();
	loop_clock();
	timer_run(loop_now_ms());
	configure();
	counter_init();
	bgp_route_init(ROUTES + 2);
	bgp_init();
	for (i = 0; i < ROUTES; i++)
		bgp_route_add4(htonl(0x0a000000 + ((uint32_t)i << 8)), 24, true);
	bgp_start();
	bgp_serve(true);
	loop_at_turn_end(bgp_turn_end);
	loop_at_turn_end(on_turn);
	MUST(pipe(fds) == 0 && write(fds[1], "", 1) == 1 && loop_add(fds[0], on_pipe, NULL) == 0);
}

/* ---- the neighbour ---- */

static int
meet(void)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = from;
	const struct linger at_once = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(BGP_PORT);
	MUST(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	MUST(bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0);
	MUST(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
	MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	n_heard = 0;
	run(TURNS);
	return fd;
}

static void
hear(int fd)
{
	ssize_t n;

	while ((n = recv(fd, heard + n_heard, sizeof(heard) - n_heard, 0)) > 0)
		n_heard += (size_t)n;
}

static void
say(int fd, const uint8_t *data, size_t size)
{
	if (size > 0 && send(fd, data, size, MSG_NOSIGNAL) < 0)
		MUST(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
	run(TURNS);
	hear(fd);
}

static void
greet(int fd, int far)
{
	const struct bgp_open mine = {
		.as = AS, .id = htonl(INADDR_LOOPBACK + 1), .hold = 90, .afi = { true, true }
	};
	static uint8_t buf[BGP_MAX];

	if (far >= 1)
		say(fd, buf, bgp_put_open(buf, &mine));
	if (far >= 2)
		say(fd, buf, bgp_put_keepalive(buf));
}

/* The messages that have come; whether all routes were among them. */
static bool
check_heard(bool to_the_end)
{
	struct rd r = rd_init(heard, n_heard);
	static const uint8_t routes[] = { 24, 10, 0, 0, 24, 10, 0, 1 };
	bool found = false;
	struct bgp_error e;
	uint16_t len;
	uint8_t type;

	while (rd_left(&r) >= BGP_HEADER) {
		MUST(bgp_read_header(r, &len, &type, &e) == 0);
		if (rd_left(&r) < len)
			break;
		rd_skip(&r, BGP_HEADER);
		struct rd body = rd_sub(&r, len - (size_t)BGP_HEADER);

		MUST(type != BGP_UPDATE || bgp_check_update(body, true, false, &e) == 0 ||
		     bgp_check_update(body, false, false, &e) == 0);
		found = found || memmem(body.pos, rd_left(&body), routes, sizeof(routes));
	}
	MUST(!to_the_end || rd_left(&r) == 0);
	return found;
}

static bool
is_met(void)
{
	struct bgp_view v;

	return bgp_view(0, &v) && v.state >= BGP_OPEN_SENT && v.state != BGP_IDLE;
}

static void
leave(int fd)
{
	int i;

	hear(fd);
	close(fd);
	for (i = 0; i < MANY_TURNS && is_met(); i++)
		run(TURNS);
}

/* Whoever was there before: a neighbour who does as he should becomes Established. */
static void
begin_again(void)
{
	struct bgp_view v;
	int i, fd = meet();

	greet(fd, 2);
	for (i = 0; i < MANY_TURNS && !check_heard(false); i++)
		say(fd, heard, 0);
	MUST(bgp_view(0, &v) && v.state == BGP_ESTABLISHED && check_heard(true));
	leave(fd);
}

static void
say_input(int fd, bool in_pieces, const uint8_t *data, size_t size)
{
	size_t n;

	for (; size > 0; data += n, size -= n) {
		n = in_pieces ? MIN(size, (size_t)PIECE) : size;
		say(fd, data, n);
	}
}

/* Heads in front of what the input has as messages; the octets. */
static size_t
with_heads(uint8_t *to, size_t room, const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct wr w = wr_init(to, room);
	size_t len;

	while (rd_left(&r) > 3 && wr_len(&w) + BGP_MAX < room) {
		uint8_t type = rd_u8(&r);

		len = rd_u16(&r) % (BGP_MAX - BGP_HEADER);
		len = MIN(len, rd_left(&r));
		memset(w.pos, 0xff, 16);
		w.pos += 16;
		wr_u16(&w, (uint16_t)(len + BGP_HEADER));
		wr_u8(&w, type);
		wr_bytes(&w, rd_bytes(&r, len), len);
	}
	return wr_len(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t messages[1 << 16];
	static unsigned int inputs;
	int fd;

	if (inputs++ == 0)
		begin();
	if (size == 0)
		return 0;
	fd = meet();
	greet(fd, data[0] & FAR);
	if (data[0] & WITH_HEADS)
		say_input(fd, data[0] & IN_PIECES, messages,
		    with_heads(messages, sizeof(messages), data + 1, size - 1));
	else
		say_input(fd, data[0] & IN_PIECES, data + 1, size - 1);
	leave(fd);
	check_heard(false);
	if (inputs % AGAIN == 1)
		begin_again();
	return 0;
}
