/*
 * The core network's end of the traffic tests: a sink and an echo server for what comes up the
 * sessions, a source of what goes down to them. Content is that of pattern.c, so every packet is
 * checked byte by byte; sequence numbers run per subscriber address.
 *
 * Arguments are NAME=VALUE. Prints `ready` when the socket is open and one `ok NAME=VALUE...`
 * line at the end: after seconds=, after idle= without a packet, or at SIGTERM or SIGINT.
 * SIGUSR1 prints the line at once and goes on, SIGUSR2 too and then starts counting from zero.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "pattern.h"

enum { STREAMS = 1 << 20, IP_UDP = 28, MAX_TARGETS = 1 << 20 };

/* What has come from one subscriber. */
struct stream {
	uint32_t addr; /* 0: free */
	uint64_t packets;
	uint64_t next;
};

static struct {
	struct in_addr bind;
	uint16_t port;
	double seconds;
	double idle;
	struct in_addr to;
	uint32_t count;
	uint32_t size;
	uint32_t pps; /* 0: as fast as it goes */
	uint64_t packets;
	const char *list;
	uint32_t burst;
	bool gso;
	bool gro;
} opt = { .port = 9000, .count = 1, .size = 64, .burst = 1, .gro = true };

static struct {
	uint64_t packets, bytes, corrupt, other, lost, late, wrong_source, streams, sent;
	uint64_t first_us, last_us;
} sum;

static struct stream *streams;
static uint32_t *targets;
static uint32_t target_count;
static struct tx_batch *tx;
static int fd = -1;
static volatile sig_atomic_t stop_asked, print_asked;

static uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
on_signal(int sig)
{
	if (sig == SIGUSR1 || sig == SIGUSR2)
		print_asked = sig;
	else
		stop_asked = 1;
}

static void
report(void)
{
	uint64_t us = sum.last_us - sum.first_us;
	uint64_t n = sum.sent ? sum.sent : sum.packets;

	printf("ok packets=%llu bytes=%llu corrupt=%llu lost=%llu late=%llu other=%llu "
	       "wrong_source=%llu streams=%llu sent=%llu ms=%llu pps=%.0f socket_drops=%u",
	    (unsigned long long)sum.packets, (unsigned long long)sum.bytes,
	    (unsigned long long)sum.corrupt, (unsigned long long)sum.lost,
	    (unsigned long long)sum.late, (unsigned long long)sum.other,
	    (unsigned long long)sum.wrong_source, (unsigned long long)sum.streams,
	    (unsigned long long)sum.sent, (unsigned long long)us / 1000,
	    us ? (double)n * 1e6 / (double)us : 0.0, udp_drops(fd));
	if (tx)
		printf(" send_errors=%llu", (unsigned long long)tx_totals(tx)->errors);
	putchar('\n');
	fflush(stdout);
}

static void
answer_signal(void)
{
	int sig = print_asked;

	if (!sig)
		return;
	print_asked = 0;
	report();
	if (sig != SIGUSR2)
		return;
	memset(&sum, 0, sizeof(sum));
	memset(streams, 0, STREAMS * sizeof(*streams));
}

static struct stream *
find_stream(uint32_t addr)
{
	uint32_t h = addr * 2654435761u >> 12;
	struct stream *s;

	while ((s = &streams[h % STREAMS])->addr != addr) {
		if (!s->addr) {
			s->addr = addr;
			sum.streams++;
			break;
		}
		h++;
	}
	return s;
}

static void
count_packet(const struct datagram *d, const struct pattern *pat)
{
	struct stream *s = find_stream(ntohl(d->from->sin_addr.s_addr));

	if (pat->stream != s->addr)
		sum.wrong_source++;
	if (!s->packets++) {
		s->next = pat->seq + 1;
	} else if (pat->seq >= s->next) {
		sum.lost += pat->seq - s->next;
		s->next = pat->seq + 1;
	} else {
		sum.late++;
		if (sum.lost)
			sum.lost--;
	}
}

static void
take(const struct datagram *d, uint64_t now)
{
	struct pattern pat;
	bool ok;

	if (!sum.first_us)
		sum.first_us = now;
	sum.last_us = now;
	if (!pattern_parse(d->data, d->len, &pat, &ok)) {
		sum.other++;
		return;
	}
	sum.packets++;
	sum.bytes += d->len + IP_UDP;
	if (!ok)
		sum.corrupt++;
	else
		count_packet(d, &pat);
}

static void
echo(const struct datagram *d)
{
	memcpy(tx_room(tx, fd, d->from, d->len), d->data, d->len);
	tx_commit(tx, d->len, NULL, 0);
}

/* Under load a short sleep instead of poll(): waking up for every packet would cost more than
 * taking it, at the expense of what is being measured. */
static void
wait_input(uint64_t now)
{
	const struct timespec nap = { .tv_nsec = 300000 };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!tx && sum.last_us && now - sum.last_us < 20000)
		nanosleep(&nap, NULL);
	else
		poll(&p, 1, 50);
}

/* sink and echo: until told to stop, too late, or too quiet. */
static void
receive(bool answering)
{
	static struct rx_batch *rx;
	uint64_t start = clock_us(), now = start;
	struct datagram d;

	rx = rx_new();
	while (!stop_asked) {
		if (!rx_read(rx, fd))
			wait_input(now);
		now = clock_us();
		while (rx_next(rx, &d)) {
			take(&d, now);
			if (answering)
				echo(&d);
		}
		if (tx)
			tx_flush(tx);
		answer_signal();
		if (opt.seconds > 0 && (double)(now - start) > opt.seconds * 1e6)
			break;
		if (opt.idle > 0 && sum.last_us && (double)(now - sum.last_us) > opt.idle * 1e6)
			break;
	}
}

static void
send_one(uint32_t target, uint64_t seq)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
	struct pattern pat = { .kind = PATTERN_DOWN, .stream = target, .seq = seq };

	to.sin_addr.s_addr = htonl(target);
	pattern_head(tx_room(tx, fd, &to, PATTERN_HEAD), &pat);
	tx_commit(tx, PATTERN_HEAD, pattern_body(&pat), opt.size - IP_UDP - PATTERN_HEAD);
	sum.bytes += opt.size;
	sum.sent++;
}

static uint64_t
due(uint64_t passed_us)
{
	uint64_t n = sum.sent + 256;

	if (opt.pps) {
		n = passed_us * opt.pps / 1000000 + 1;
		if (n > sum.sent + 256)
			n = sum.sent + 256;
	}
	return opt.packets && n > opt.packets ? opt.packets : n;
}

static void
source(void)
{
	const struct timespec nap = { .tv_nsec = 200000 };
	uint64_t start = clock_us(), now = start, n, seq = 0;
	uint32_t next = 0, in_burst = 0;

	sum.first_us = start;
	while (!stop_asked && (double)(now - start) < opt.seconds * 1e6) {
		n = due(now - start);
		if (opt.packets && sum.sent >= opt.packets)
			break;
		if (n <= sum.sent)
			nanosleep(&nap, NULL);
		while (sum.sent < n) {
			send_one(targets[next], seq * opt.burst + in_burst);
			if (++in_burst < opt.burst)
				continue;
			in_burst = 0;
			if (++next == target_count) {
				next = 0;
				seq++;
			}
		}
		tx_flush(tx);
		answer_signal();
		now = clock_us();
	}
	sum.last_us = now;
}

static const char usage[] =
    "usage: traffic sink|echo|source NAME=VALUE...\n"
    "  all:     bind=ADDR   address of the socket (any)\n"
    "           port=N      sink, echo: listen here; source: destination (9000)\n"
    "           seconds=S   stop after so long (source: 5; else: never)\n"
    "  sink, echo: idle=S   stop so long after the last packet\n"
    "           gro=yes|no  receive with UDP GRO (yes)\n"
    "  source:  to=ADDR     first subscriber address\n"
    "           count=N     so many from there on (1)\n"
    "           list=FILE   or these, one a line, instead of to= and count=\n"
    "           size=N      inner IP length, 48..9216 (64)\n"
    "           pps=N|max   packets a second (max)\n"
    "           packets=N   stop after so many\n"
    "           burst=N     packets to a subscriber in a row (1)\n"
    "           gso=yes|no  send with UDP GSO (no)\n"
    "prints `ready`, and at the end `ok packets=... corrupt=... lost=...`.\n";

static void
die(const char *what, const char *arg)
{
	fprintf(stderr, "traffic: %s: %s\n", what, arg);
	exit(2);
}

static uint32_t
number(const char *s, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (end == s || *end || v < min || v > max)
		die("bad number", s);
	return (uint32_t)v;
}

static bool
yes(const char *s)
{
	if (strcmp(s, "yes") != 0 && strcmp(s, "no") != 0)
		die("yes or no wanted", s);
	return *s == 'y';
}

static bool
is(const char *arg, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0 || arg[n] != '=')
		return false;
	*value = arg + n + 1;
	return true;
}

static void
take_arg(const char *a)
{
	const char *v;

	if (is(a, "port", &v))
		opt.port = (uint16_t)number(v, 1, 65535);
	else if (is(a, "seconds", &v))
		opt.seconds = strtod(v, NULL);
	else if (is(a, "idle", &v))
		opt.idle = strtod(v, NULL);
	else if (is(a, "count", &v))
		opt.count = number(v, 1, MAX_TARGETS);
	else if (is(a, "size", &v))
		opt.size = number(v, IP_UDP + PATTERN_HEAD, PATTERN_MAX);
	else if (is(a, "pps", &v))
		opt.pps = strcmp(v, "max") ? number(v, 1, UINT32_MAX) : 0;
	else if (is(a, "packets", &v))
		opt.packets = number(v, 1, UINT32_MAX);
	else if (is(a, "list", &v))
		opt.list = v;
	else if (is(a, "burst", &v))
		opt.burst = number(v, 1, 1000000);
	else if (is(a, "gso", &v))
		opt.gso = yes(v);
	else if (is(a, "gro", &v))
		opt.gro = yes(v);
	else if (is(a, "bind", &v) ? inet_pton(AF_INET, v, &opt.bind) != 1
		 : is(a, "to", &v) ? inet_pton(AF_INET, v, &opt.to) != 1
				   : true)
		die("bad argument", a);
}

static void
read_list(void)
{
	FILE *f = fopen(opt.list, "r");
	char line[64];
	struct in_addr a;

	if (!f)
		die(opt.list, strerror(errno));
	while (target_count < MAX_TARGETS && fgets(line, sizeof(line), f)) {
		line[strcspn(line, " \t\n")] = 0;
		if (inet_pton(AF_INET, line, &a) != 1)
			die("not an address", line);
		targets[target_count++] = ntohl(a.s_addr);
	}
	fclose(f);
}

static void
set_targets(void)
{
	uint32_t i;

	targets = calloc(MAX_TARGETS, sizeof(*targets));
	if (!targets)
		die("out of memory", "targets");
	if (opt.list) {
		read_list();
	} else {
		for (i = 0; i < opt.count; i++)
			targets[i] = ntohl(opt.to.s_addr) + i;
		target_count = opt.to.s_addr ? opt.count : 0;
	}
	if (!target_count)
		die("source", "to= or list= is missing");
	if (opt.seconds <= 0)
		opt.seconds = 5;
}

static void
init(bool sending)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = opt.bind };
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	pattern_init();
	sin.sin_port = sending ? 0 : htons(opt.port);
	fd = udp_open(&sin, !sending && opt.gro);
	if (fd < 0)
		die("socket", strerror(errno));
	streams = calloc(STREAMS, sizeof(*streams));
	if (!streams)
		die("out of memory", "streams");
}

int
main(int argc, char **argv)
{
	bool is_source, is_echo;
	int i;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	is_source = !strcmp(argv[1], "source");
	is_echo = !strcmp(argv[1], "echo");
	if (!is_source && !is_echo && strcmp(argv[1], "sink") != 0)
		die("unknown mode", argv[1]);
	for (i = 2; i < argc; i++)
		take_arg(argv[i]);
	if (is_source)
		set_targets();
	init(is_source);
	if (is_source || is_echo)
		tx = tx_new();
	if (tx)
		tx_set_gso(tx, opt.gso);
	puts("ready");
	fflush(stdout);
	if (is_source)
		source();
	else
		receive(is_echo);
	report();
	return sum.corrupt ? 1 : 0;
}
