/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsctl: sends one command to the daemon and tells the answer. The exit status is 0 when
 * it was done, 1 when it was refused (the reason is on stdout), 2 for wrong usage or when
 * there was no answer (stderr says why).
 *
 * The request goes out again until it is answered or the time is over; the daemon carries it
 * out once, as its id stays the same. With a secret, and to another machine, a challenge is
 * asked for first and the command is signed (ctlmsg.h); an answer that is not signed is then
 * none.
 */
#include "ctlmsg.h"
#include "util.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_TROUBLE = 2 };
enum { FIRST_WAIT_MS = 100, LONGEST_WAIT_MS = 400, DEFAULT_TIMEOUT_SEC = 2, HOST_LEN = 256 };

static const char usage[] =
    "usage: nsctl [-d] [-h HOST[:PORT]] [-s FILE] [-t TIMEOUT] COMMAND [ARG...]\n"
    "  -d              show the packets on stderr\n"
    "  -h HOST[:PORT]  the daemon's address or name (127.0.0.1:1702)\n"
    "  -s FILE         holds the secret, for a daemon on another machine;\n"
    "                  without it the environment's NSCTL_SECRET\n"
    "  -t TIMEOUT      seconds to wait for the answer, 1..30 (2)\n"
    "  --help          print this text\n"
    "`nsctl help` lists the daemon's commands.\n";

struct options {
	const char *host, *secret_file;
	uint64_t timeout_sec;
	char **command;
	int command_len;
};

/* One command's way to the daemon and back. */
struct talk {
	int fd;
	char peer[HOST_LEN + 8];
	char secret[SECRET_LEN]; /* "": nothing is signed */
	struct ctlmsg out;	 /* what we say: HELLO until there is a nonce, then COMMAND */
	uint32_t have;		 /* parts of the answer that are here, a bit each */
	unsigned int parts;
	enum ctlmsg_status status;
	char text[CTLMSG_MAX_TEXT];
	size_t len; /* of the text, once all is here */
};

static bool debug;

static void die(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

static void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("nsctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_TROUBLE);
}

/* --- options --- */

static void
wrong_usage(const char *why, const char *what)
{
	fprintf(stderr, "nsctl: %s%s\n%s", why, what, usage);
	exit(EXIT_TROUBLE);
}

static void
read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = { { "help", no_argument, NULL, 'H' }, { 0 } };
	int c;

	*o = (struct options){ .host = "127.0.0.1", .timeout_sec = DEFAULT_TIMEOUT_SEC };
	while ((c = getopt_long(argc, argv, "+dh:s:t:", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			debug = true;
			break;
		case 'h':
			o->host = optarg;
			break;
		case 's':
			o->secret_file = optarg;
			break;
		case 't':
			if (!parse_uint(optarg, 1, CTLMSG_LONGEST_WAIT_SEC, &o->timeout_sec))
				wrong_usage("the timeout must be 1..30 seconds, not ", optarg);
			break;
		case 'H':
			fputs(usage, stdout);
			exit(EXIT_DONE);
		default:
			fputs(usage, stderr);
			exit(EXIT_TROUBLE);
		}
	}
	if (optind == argc || argv[optind][0] == '\0')
		wrong_usage("what is the command?", "");
	o->command = argv + optind;
	o->command_len = argc - optind;
}

/* The first line of the file. */
static void
read_secret_file(const char *file, char *secret, size_t size)
{
	FILE *f = fopen(file, "re");
	struct stat st;

	if (!f || !fgets(secret, (int)size, f))
		die("%s: %s", file, f && !ferror(f) ? "there is no secret in it" : strerror(errno));
	if (fstat(fileno(f), &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
		fprintf(stderr, "nsctl: warning: others have access to %s\n", file);
	fclose(f);
	if (!strchr(secret, '\n') && strlen(secret) == size - 1)
		die("%s: the secret is too long", file);
	secret[strcspn(secret, "\r\n")] = '\0';
	if (secret[0] == '\0')
		die("%s: its first line is empty", file);
}

static void
read_secret(const struct options *o, char *secret, size_t size)
{
	const char *given = getenv("NSCTL_SECRET");

	if (o->secret_file)
		read_secret_file(o->secret_file, secret, size);
	else if (given && !str_copy(secret, size, given))
		die("NSCTL_SECRET is too long");
}

/* --- the socket --- */

static void
split_host(const char *text, char *host, size_t size, uint64_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*port = CTLMSG_PORT;
	if (len == 0 || len >= size || memchr(text, ':', len))
		wrong_usage("this is no HOST[:PORT]: ", text);
	if (colon && !parse_uint(colon + 1, 1, UINT16_MAX, port))
		wrong_usage("the port must be 1..65535: ", text);
	(void)str_copy_n(host, size, text, len);
}

/* Connects to the daemon; what is at loopback needs no signature. */
static void
open_socket(struct talk *t, const char *host_port)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
	struct sockaddr_in sa;
	struct addrinfo *found;
	char host[HOST_LEN];
	uint64_t port;
	int bad;

	split_host(host_port, host, sizeof(host), &port);
	bad = getaddrinfo(host, NULL, &hints, &found);
	if (bad)
		die("%s: %s", host, gai_strerror(bad));
	memcpy(&sa, found->ai_addr, sizeof(sa));
	freeaddrinfo(found);
	sa.sin_port = htons((uint16_t)port);
	snprintf(t->peer, sizeof(t->peer), "%s:%u", host, (unsigned)port);
	t->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("%s: %s", t->peer, strerror(errno));
	if (ntohl(sa.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
		t->secret[0] = '\0';
}

/* --- talking --- */

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
show(const char *way, const char *what, size_t len)
{
	if (debug)
		fprintf(stderr, "%s %s, %zu octets\n", way, what, len);
}

static void
say(const struct talk *t)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	size_t len = ctlmsg_encode(&t->out, t->secret, packet, sizeof(packet));

	if (len == 0)
		die("the command is too long");
	show("->", t->out.type == CTLMSG_HELLO ? "hello" : "command", len);
	if (send(t->fd, packet, len, 0) < 0)
		die("%s: %s", t->peer, strerror(errno));
}

static void
start_command(struct talk *t, const struct options *o)
{
	int i;

	if (o->command_len > CTLMSG_MAX_WORDS)
		die("the command has more than %d words", CTLMSG_MAX_WORDS);
	for (i = 0; i < o->command_len; i++)
		t->out.argv[i] = o->command[i];
	t->out.argc = o->command_len;
	t->out.type = t->secret[0] ? CTLMSG_HELLO : CTLMSG_COMMAND;
	random_bytes(&t->out.id, sizeof(t->out.id));
}

/* The nonce is here: from now on the command is what we say. */
static bool
take_challenge(struct talk *t, const struct ctlmsg *m)
{
	if (t->out.type != CTLMSG_HELLO)
		return false;
	t->out.type = CTLMSG_COMMAND;
	t->out.is_signed = true;
	memcpy(t->out.nonce, m->nonce, sizeof(m->nonce));
	say(t);
	return true;
}

static bool
take_part(struct talk *t, const struct ctlmsg *m)
{
	bool is_last = m->part + 1 == m->parts;

	if (t->have && (m->parts != t->parts || m->status != t->status))
		return false;
	if (!is_last && m->text_len != CTLMSG_PART_TEXT)
		return false;
	t->parts = m->parts;
	t->status = m->status;
	t->have |= 1U << m->part;
	memcpy(t->text + (size_t)m->part * CTLMSG_PART_TEXT, m->text, m->text_len);
	if (is_last)
		t->len = (size_t)m->part * CTLMSG_PART_TEXT + m->text_len;
	return true;
}

static bool
take_packet(struct talk *t, const uint8_t *packet, size_t len)
{
	struct ctlmsg m;

	if (!ctlmsg_decode(packet, len, &m) || m.id != t->out.id)
		return false;
	if (m.type == CTLMSG_CHALLENGE)
		return take_challenge(t, &m);
	if (m.type != CTLMSG_REPLY || t->out.type != CTLMSG_COMMAND ||
	    m.is_signed != t->out.is_signed || memcmp(m.nonce, t->out.nonce, sizeof(m.nonce)) != 0)
		return false;
	if (m.is_signed && !ctlmsg_verify(packet, len, t->secret))
		return false;
	return take_part(t, &m);
}

static void
hear(struct talk *t)
{
	uint8_t packet[CTLMSG_MAX_PACKET + 1];
	ssize_t n = recv(t->fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("%s: %s", t->peer, strerror(errno));
	if (n < 0)
		return;
	show("<-", "packet", (size_t)n);
	if (!take_packet(t, packet, (size_t)n))
		show("  ", "not for us, or not as it should be: left out", (size_t)n);
}

static bool
answered(const struct talk *t)
{
	return t->have && t->have == (1U << t->parts) - 1;
}

static void
no_answer(const struct talk *t, unsigned int sec)
{
	if (t->out.is_signed)
		die("%s did not answer within %u s: is the secret right?", t->peer, sec);
	die("%s did not answer within %u s", t->peer, sec);
}

/* Until all of the answer is here. */
static void
converse(struct talk *t, unsigned int timeout_sec)
{
	uint64_t end = now_ms() + timeout_sec * UINT64_C(1000), again = 0, now;
	uint64_t wait_ms = FIRST_WAIT_MS;
	struct pollfd p = { .fd = t->fd, .events = POLLIN };

	while (!answered(t)) {
		now = now_ms();
		if (now >= end)
			no_answer(t, timeout_sec);
		if (now >= again) {
			say(t);
			again = now + wait_ms;
			wait_ms = MIN(wait_ms * 2, LONGEST_WAIT_MS);
		}
		if (poll(&p, 1, (int)(MIN(again, end) - now)) > 0)
			hear(t);
	}
}

/* The terminal gets no control characters, whatever names the text may hold. */
static void
print(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		putchar((c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? '?' : c);
	}
	if (len > 0 && text[len - 1] != '\n')
		putchar('\n');
}

int
main(int argc, char **argv)
{
	static struct talk t;
	struct options o;

	read_options(argc, argv, &o);
	read_secret(&o, t.secret, sizeof(t.secret));
	open_socket(&t, o.host);
	start_command(&t, &o);
	converse(&t, (unsigned int)o.timeout_sec);
	print(t.text, t.len);
	if (fflush(stdout) != 0)
		die("cannot write the answer: %s", strerror(errno));
	return t.status == CTLMSG_OK ? EXIT_DONE : EXIT_REFUSED;
}
