/*
 * A RADIUS responder for load and for misbehaviour (RFC 2865, 2866, 2869).
 *
 * Accepts every Access-Request (or rejects by user prefix) and acknowledges every
 * Accounting-Request, at hundreds of thousands a second. Checks Message-Authenticator and the
 * accounting authenticator of what arrives; signs what it sends, or does it wrong on request.
 * Delayed replies wait in a ring in order of arrival: the delay is the same for all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "bytes.h"
#include "radmsg.h"

enum { MAX_PORTS = 16, SEEN = 1 << 18, RING = 1 << 16, TOLD = 1 << 20 };

struct options {
	struct in_addr listen;
	uint16_t ports[MAX_PORTS];
	int port_count;
	struct rad_reply reply;
	uint32_t delay_ms;
	uint32_t rate;	  /* requests taken in a second; 0: all */
	int buffer_bytes; /* of each socket for what comes in; 0: large */
	unsigned int drop_percent;
	const char *reject_prefix;
	const char *wrong_source;
	const char *count_file;
	const char *log_file;
};

static struct {
	uint64_t access, accounting, start, stop, interim, on, off, told_start, told_stop, accepts,
	    rejects, duplicates, dropped;
	uint64_t bad_packet, bad_authenticator, no_message_authenticator, replies;
} count;

/* A reply that waits for its time. */
struct waiting {
	uint64_t due_us;
	int fd;
	struct sockaddr_in to;
	uint16_t len;
	uint8_t data[RAD_MAX];
};

static struct options opt = { .reply = { .secret = "testing123" } };
static struct tx_batch *tx;
static uint64_t seen[SEEN]; /* fingerprints of requests, to tell duplicates */
static uint64_t told[TOLD]; /* (session, Start or Stop) acknowledged; 0: free */
static struct waiting *ring;
static unsigned int ring_head, ring_tail;
static int wrong_source_fd = -1;
static FILE *log_out;
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
	if (sig == SIGUSR1)
		print_asked = 1;
	else
		stop_asked = 1;
}

static void
print_counts(FILE *f)
{
	fprintf(f,
	    "ok access=%llu accepts=%llu rejects=%llu accounting=%llu start=%llu stop=%llu "
	    "interim=%llu on=%llu off=%llu started=%llu stopped=%llu duplicates=%llu dropped=%llu "
	    "replies=%llu bad_packet=%llu "
	    "bad_authenticator=%llu no_message_authenticator=%llu\n",
	    (unsigned long long)count.access, (unsigned long long)count.accepts,
	    (unsigned long long)count.rejects, (unsigned long long)count.accounting,
	    (unsigned long long)count.start, (unsigned long long)count.stop,
	    (unsigned long long)count.interim, (unsigned long long)count.on,
	    (unsigned long long)count.off, (unsigned long long)count.told_start,
	    (unsigned long long)count.told_stop, (unsigned long long)count.duplicates,
	    (unsigned long long)count.dropped, (unsigned long long)count.replies,
	    (unsigned long long)count.bad_packet, (unsigned long long)count.bad_authenticator,
	    (unsigned long long)count.no_message_authenticator);
	fflush(f);
}

static void
report(void)
{
	FILE *f;

	print_counts(stdout);
	if (!opt.count_file)
		return;
	f = fopen(opt.count_file, "w");
	if (!f) {
		perror(opt.count_file);
		return;
	}
	print_counts(f);
	fclose(f);
}

/* Was there a request with this port, identifier and authenticator lately? Remembers it. */
static bool
is_duplicate(const struct rad_request *r)
{
	uint64_t print = get64(r->data + 4) ^ get64(r->data + 12) * 31;
	uint64_t *slot;

	print ^= ((uint64_t)r->from->sin_port << 8 | r->data[1]) * 0x9e3779b97f4a7c15;
	slot = &seen[print % SEEN];
	if (*slot == print)
		return true;
	*slot = print;
	return false;
}

static bool
rejected(const struct rad_request *r)
{
	size_t n = opt.reject_prefix ? strlen(opt.reject_prefix) : 0;

	return n && r->user_len >= n && memcmp(r->user, opt.reject_prefix, n) == 0;
}

static void
reply(int fd, const struct rad_request *r, enum rad_code code)
{
	struct waiting *w;
	uint8_t *p;

	count.replies++;
	if (wrong_source_fd >= 0)
		fd = wrong_source_fd;
	if (!opt.delay_ms) {
		p = tx_room(tx, fd, r->from, RAD_MAX);
		tx_commit(tx, rad_build(p, &opt.reply, r, code), NULL, 0);
		return;
	}
	if (ring_tail - ring_head == RING) {
		count.dropped++;
		return;
	}
	w = &ring[ring_tail++ % RING];
	w->due_us = clock_us() + (uint64_t)opt.delay_ms * 1000;
	w->fd = fd;
	w->to = *r->from;
	w->len = (uint16_t)rad_build(w->data, &opt.reply, r, code);
}

static void
send_due(void)
{
	uint64_t now = clock_us();
	struct waiting *w;

	for (; ring_head != ring_tail; ring_head++) {
		w = &ring[ring_head % RING];
		if (w->due_us > now)
			break;
		memcpy(tx_room(tx, w->fd, &w->to, sizeof(w->data)), w->data, w->len);
		tx_commit(tx, w->len, NULL, 0);
	}
	tx_flush(tx);
}

static void
count_accounting(const struct rad_request *r)
{
	count.accounting++;
	if (r->status == 1)
		count.start++;
	else if (r->status == 2)
		count.stop++;
	else if (r->status == 3)
		count.interim++;
	else if (r->status == 7)
		count.on++;
	else if (r->status == 8)
		count.off++;
}

/* Counts each session's Start and Stop once, however often they come. */
static void
count_told(const struct rad_request *r)
{
	uint64_t print = 0xcbf29ce484222325 ^ r->status;
	size_t i, at;

	if (r->status != 1 && r->status != 2)
		return;
	for (i = 0; i < r->session_id_len; i++)
		print = (print ^ r->session_id[i]) * 0x100000001b3;
	for (at = print % TOLD; told[at] && told[at] != print; at = (at + 1) % TOLD)
		;
	if (told[at] == print || count.told_start + count.told_stop >= TOLD / 2)
		return;
	told[at] = print;
	if (r->status == 1)
		count.told_start++;
	else
		count.told_stop++;
}

static void
log_request(const struct rad_request *r)
{
	fprintf(log_out, "%s id=%u user=%.*s", r->data[0] == ACCESS_REQUEST ? "access" : "acct",
	    r->data[1], (int)r->user_len, r->user ? (const char *)r->user : "");
	if (r->data[0] == ACCOUNTING_REQUEST)
		fprintf(log_out, " status=%u session=%.*s cause=%u", r->status,
		    (int)r->session_id_len, r->session_id ? (const char *)r->session_id : "",
		    r->cause);
	fputc('\n', log_out);
}

static void
input(int fd, const struct datagram *d)
{
	struct rad_request r = { .data = d->data, .len = d->len, .from = d->from };
	bool access;

	if (r.len > 0 && r.data[0] == STATUS_SERVER)
		return; /* which this server does not know */
	if (!rad_parse(&r) || (r.data[0] != ACCESS_REQUEST && r.data[0] != ACCOUNTING_REQUEST)) {
		count.bad_packet++;
		return;
	}
	if (!rad_authentic(&r, opt.reply.secret)) {
		count.bad_authenticator++;
		return;
	}
	access = r.data[0] == ACCESS_REQUEST;
	if (access && !r.ma_at)
		count.no_message_authenticator++;
	if (is_duplicate(&r))
		count.duplicates++;
	if (access)
		count.access++;
	else
		count_accounting(&r);
	if (log_out)
		log_request(&r);
	if (opt.drop_percent && (unsigned int)(random() % 100) < opt.drop_percent) {
		count.dropped++;
	} else if (!access) {
		count_told(&r);
		reply(fd, &r, ACCOUNTING_RESPONSE);
	} else if (rejected(&r)) {
		count.rejects++;
		reply(fd, &r, ACCESS_REJECT);
	} else {
		count.accepts++;
		reply(fd, &r, ACCESS_ACCEPT);
	}
}

static void
die(const char *what, const char *arg)
{
	fprintf(stderr, "radresp: %s: %s\n", what, arg);
	exit(2);
}

static void
port_option(const char *arg)
{
	char *end;

	for (;; arg = end + 1) {
		unsigned long v = strtoul(arg, &end, 10);

		if (end == arg || v < 1 || v > 65535 || opt.port_count == MAX_PORTS)
			die("bad port", arg);
		opt.ports[opt.port_count++] = (uint16_t)v;
		if (*end != ',')
			break;
	}
}

static const char usage[] =
    "usage: radresp [options]      answers RADIUS until SIGTERM or SIGINT, then prints counts\n"
    "  -l, --listen ADDR               default 0.0.0.0\n"
    "  -p, --port PORT[,PORT...]       default 1812,1813; either kind of request on each\n"
    "  -s, --secret SECRET             default testing123\n"
    "      --reply ATTR=VALUE          in each Access-Accept, repeatable; ATTR a name or number,\n"
    "                                  VALUE as its type or 0xHEX;\n"
    "                                  Framed-IP-Address=BASE+COUNT counts addresses up\n"
    "      --delay MS                  reply so much later\n"
    "      --rate N                    take no more than so many a second; the rest waits in the\n"
    "                                  socket\n"
    "      --buffer BYTES              that the socket holds for what waits (32 MB)\n"
    "      --drop PERCENT              do not answer so many\n"
    "      --reject PREFIX             Access-Reject for users that begin so\n"
    "      --bad-authenticator         Response Authenticator wrong\n"
    "      --wrong-source ADDR         reply from another address\n"
    "      --no-message-authenticator  leave Message-Authenticator out\n"
    "      --bad-message-authenticator Message-Authenticator wrong\n"
    "      --wrong-id                  identifier off by one\n"
    "      --count-file FILE           counts also into FILE at SIGUSR1 and at the end\n"
    "      --log FILE                  a line for each request (- : stdout)\n"
    "SIGUSR1 prints the counts; started and stopped are those of sessions, each counted once.\n"
    "`ready` is printed when the sockets are open.\n";

enum {
	O_REPLY = 256,
	O_DELAY,
	O_RATE,
	O_BUFFER,
	O_DROP,
	O_REJECT,
	O_BADAUTH,
	O_SOURCE,
	O_NOMA,
	O_BADMA,
	O_ID,
	O_COUNT,
	O_LOG,
	O_HELP
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "port", required_argument, NULL, 'p' },
	{ "secret", required_argument, NULL, 's' },
	{ "reply", required_argument, NULL, O_REPLY },
	{ "delay", required_argument, NULL, O_DELAY },
	{ "rate", required_argument, NULL, O_RATE },
	{ "buffer", required_argument, NULL, O_BUFFER },
	{ "drop", required_argument, NULL, O_DROP },
	{ "reject", required_argument, NULL, O_REJECT },
	{ "bad-authenticator", no_argument, NULL, O_BADAUTH },
	{ "wrong-source", required_argument, NULL, O_SOURCE },
	{ "no-message-authenticator", no_argument, NULL, O_NOMA },
	{ "bad-message-authenticator", no_argument, NULL, O_BADMA },
	{ "wrong-id", no_argument, NULL, O_ID },
	{ "count-file", required_argument, NULL, O_COUNT },
	{ "log", required_argument, NULL, O_LOG },
	{ "help", no_argument, NULL, O_HELP },
	{ NULL, 0, NULL, 0 },
};

static void
take_option(int c)
{
	const char *fault;

	switch (c) {
	case 'l':
		if (inet_pton(AF_INET, optarg, &opt.listen) != 1)
			die("not an address", optarg);
		break;
	case 'p':
		port_option(optarg);
		break;
	case 's':
		opt.reply.secret = optarg;
		break;
	case O_REPLY:
		fault = rad_add_attr(&opt.reply, optarg);
		if (fault)
			die(fault, optarg);
		break;
	case O_DELAY:
		opt.delay_ms = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case O_RATE:
		opt.rate = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case O_BUFFER:
		opt.buffer_bytes = (int)strtol(optarg, NULL, 10);
		break;
	case O_DROP:
		opt.drop_percent = (unsigned int)strtoul(optarg, NULL, 10);
		break;
	case O_REJECT:
		opt.reject_prefix = optarg;
		break;
	case O_BADAUTH:
		opt.reply.bad_authenticator = true;
		break;
	case O_SOURCE:
		opt.wrong_source = optarg;
		break;
	case O_NOMA:
		opt.reply.no_message_authenticator = true;
		break;
	case O_BADMA:
		opt.reply.bad_message_authenticator = true;
		break;
	case O_ID:
		opt.reply.wrong_id = true;
		break;
	case O_COUNT:
		opt.count_file = optarg;
		break;
	case O_LOG:
		opt.log_file = optarg;
		break;
	case O_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static int
open_at(struct in_addr addr, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = addr };
	int fd;

	sin.sin_port = htons(port);
	fd = udp_open(&sin, true);
	if (fd < 0) {
		fprintf(
		    stderr, "radresp: %s port %u: %s\n", inet_ntoa(addr), port, strerror(errno));
		exit(1);
	}
	if (opt.buffer_bytes)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt.buffer_bytes, sizeof(int));
	return fd;
}

static void
open_wrong_source(void)
{
	struct in_addr a;

	if (inet_pton(AF_INET, opt.wrong_source, &a) != 1)
		die("not an address", opt.wrong_source);
	wrong_source_fd = open_at(a, opt.ports[0]);
}

static void
open_log(void)
{
	log_out = strcmp(opt.log_file, "-") ? fopen(opt.log_file, "w") : stdout;
	if (!log_out)
		die(opt.log_file, strerror(errno));
	setvbuf(log_out, NULL, _IOLBF, 0);
}

/* With --rate: whether a batch may be taken now. What it holds is debt, paid by the time. */
static bool
may_take(const int64_t *debt_us)
{
	return !opt.rate || *debt_us <= 0;
}

static void
pass_time(int64_t *debt_us)
{
	static uint64_t last;
	uint64_t now = clock_us();

	*debt_us -= (int64_t)(now - last);
	last = now;
	if (*debt_us < 0)
		*debt_us = 0;
}

static void
take_batch(struct rx_batch *rx, int fd, int64_t *debt_us)
{
	struct datagram d;

	if (!rx_read(rx, fd))
		return;
	while (rx_next(rx, &d)) {
		input(fd, &d);
		if (opt.rate)
			*debt_us += 1000000 / opt.rate;
	}
	tx_flush(tx);
}

static void
serve(struct pollfd *p, int n)
{
	static struct rx_batch *rx;
	int64_t debt_us = 0;
	int i, wait_ms;

	rx = rx_new();
	while (!stop_asked) {
		pass_time(&debt_us);
		if (!may_take(&debt_us))
			usleep(1000);
		wait_ms = !may_take(&debt_us) ? 0 : ring_head != ring_tail ? 1 : 1000;
		if (poll(p, (nfds_t)n, wait_ms) < 0 && errno != EINTR)
			break;
		for (i = 0; i < n; i++) {
			if (may_take(&debt_us))
				take_batch(rx, p[i].fd, &debt_us);
		}
		send_due();
		if (print_asked) {
			print_asked = 0;
			report();
		}
	}
}

int
main(int argc, char **argv)
{
	struct pollfd p[MAX_PORTS];
	struct sigaction sa = { .sa_handler = on_signal };
	int c, i;

	while ((c = getopt_long(argc, argv, "l:p:s:", long_options, NULL)) != -1)
		take_option(c);
	if (optind != argc)
		die("unexpected", argv[optind]);
	if (!opt.port_count)
		port_option("1812,1813");
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	tx = tx_new();
	if (opt.delay_ms && !(ring = calloc(RING, sizeof(*ring))))
		die("out of memory", "");
	for (i = 0; i < opt.port_count; i++)
		p[i] = (struct pollfd){ .fd = open_at(opt.listen, opt.ports[i]), .events = POLLIN };
	if (opt.wrong_source)
		open_wrong_source();
	if (opt.log_file)
		open_log();
	puts("ready");
	fflush(stdout);
	serve(p, opt.port_count);
	report();
	return 0;
}
