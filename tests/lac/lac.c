/*
 * A LAC for tests (RFC 2661), with its subscribers: tunnels and sessions by the ten thousand in
 * one process. Reads commands (cmd_table.c) from -e, -f or standard input, answers each with one
 * line, and goes on serving its sessions between them. Ends at the end of the input, and at once
 * when that comes, or a signal, while a command runs: whoever wanted its answer is gone. The exit
 * code is 0 when every command succeeded.
 */
#include "lac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "call.h"
#include "cmd.h"
#include "net.h"
#include "pattern.h"
#include "tunnel.h"

enum { MAX_TEXTS = 4096, SHOWN_VIOLATIONS = 20 };

struct totals totals;
struct sockaddr_in lns;
struct in_addr lac_addr;
bool events_on = true;

static char input[CMD_LINE * 8];
static size_t input_len;
static bool input_over;
static bool running; /* a command of standard input */

void
event(const char *fmt, ...)
{
	va_list ap;

	if (!events_on)
		return;
	va_start(ap, fmt);
	fputs("event ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

void
violation(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (totals.violations++ < SHOWN_VIOLATIONS)
		event("violation text=\"%s\"", text);
}

const char *
intern(const uint8_t *p, size_t n)
{
	static char *texts[MAX_TEXTS];
	char clean[256];
	size_t i, h = 5381;

	if (n > sizeof(clean) - 1)
		n = sizeof(clean) - 1;
	for (i = 0; i < n; i++) {
		clean[i] = p[i] >= ' ' && p[i] < 127 && p[i] != '"' ? (char)p[i] : '.';
		h = h * 33 + p[i];
	}
	clean[n] = 0;
	for (i = 0; i < 16; i++) {
		char **slot = &texts[(h + i) % MAX_TEXTS];

		if (!*slot)
			*slot = strdup(clean);
		if (*slot && strcmp(*slot, clean) == 0)
			return *slot;
	}
	return "(too many texts)";
}

void
expand(char *dst, size_t room, const char *pattern, uint32_t number)
{
	const char *p = strchr(pattern, '%');
	int width = 0;
	char *end;

	if (!p) {
		snprintf(dst, room, "%s", pattern);
		return;
	}
	width = (int)strtol(p + 1, &end, 10);
	if (*end != 'd' || width < 0 || width > 20) {
		snprintf(dst, room, "%s", pattern);
		return;
	}
	snprintf(dst, room, "%.*s%0*u%s", (int)(p - pattern), pattern, width, number, end + 1);
}

static void
on_signal(int sig)
{
	(void)sig;
	net_stop = 1;
}

static void
stdin_ready(int fd)
{
	ssize_t n = read(fd, input + input_len, sizeof(input) - 1 - input_len);

	if (n <= 0) {
		input_over = true;
		if (running)
			net_stop = 1;
		net_unwatch(fd);
		return;
	}
	input_len += (size_t)n;
	if (input_len == sizeof(input) - 1)
		net_unwatch(fd); /* until some of it has been used */
}

/* Takes a whole line out of the input; false: there is none yet. */
static bool
next_line(char *line)
{
	char *nl = memchr(input, '\n', input_len);
	size_t n;

	if (!nl && !(input_over && input_len) && input_len < sizeof(input) - 1)
		return false;
	n = nl ? (size_t)(nl - input) : input_len;
	snprintf(line, CMD_LINE, "%.*s", (int)n, input);
	if (nl)
		n++;
	input_len -= n;
	memmove(input, input + n, input_len);
	return true;
}

static bool
have_line(void *line)
{
	static bool full;
	bool got = next_line(line);

	if (full && !input_over && got)
		net_watch(STDIN_FILENO, stdin_ready);
	full = input_len == sizeof(input) - 1;
	return got || net_stop || (input_over && !input_len);
}

static bool
run_stdin(void)
{
	static char line[CMD_LINE];
	bool ok = true;

	net_watch(STDIN_FILENO, stdin_ready);
	while (!cmd_quit && !net_stop) {
		line[0] = 0;
		net_until(have_line, line, 0);
		if (!line[0] && input_over && !input_len)
			break;
		running = true;
		ok = cmd_line(line) && ok;
		running = false;
	}
	return ok;
}

/* Commands separated by semicolons outside quotes. */
static bool
run_text(char *text)
{
	bool ok = true;
	char quote = 0, *p, *start = text;

	for (p = text; !cmd_quit && !net_stop; p++) {
		if (*p && (quote || *p != ';')) {
			if (quote ? *p == quote : (*p == '"' || *p == '\''))
				quote = quote ? 0 : *p;
			continue;
		}
		if (!*p)
			return cmd_line(start) && ok;
		*p = 0;
		ok = cmd_line(start) && ok;
		start = p + 1;
	}
	return ok;
}

static bool
run_file(const char *name)
{
	static char line[CMD_LINE];
	FILE *f = fopen(name, "r");
	bool ok = true;

	if (!f) {
		fprintf(stderr, "lac: %s: %s\n", name, strerror(errno));
		return false;
	}
	while (!cmd_quit && !net_stop && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		ok = cmd_line(line) && ok;
	}
	fclose(f);
	return ok;
}

static const char usage[] =
    "usage: lac -l LNS [options]       a test LAC; commands from standard input\n"
    "  -l ADDR[:PORT]   the LNS (port 1701)\n"
    "  -a ADDR          our address (default: chosen by the kernel)\n"
    "  -p PORT          our port (default: any)\n"
    "  -e 'CMD; CMD'    these commands, then end (repeatable)\n"
    "  -f FILE          commands from a file, then end\n"
    "  -q               no event lines\n"
    "  -r MS            first retransmission of control messages (1000)\n"
    "  -R N             retransmissions until a tunnel is lost (5)\n"
    "  -G               send with UDP GSO\n"
    "      --no-gro     receive without UDP GRO\n"
    "      --help\n"
    "Each command is answered by one line: `ok NAME=VALUE...` or `error why=\"...\" "
    "NAME=VALUE...`.\n"
    "Lines before it may begin with `item` (lists) and, at any time, `event`.\n"
    "Commands:\n";

struct options {
	char *texts[16];
	int text_count;
	const char *file;
	uint16_t port;
	bool gso;
	bool no_gro;
};

static void
die(const char *what, const char *arg_)
{
	fprintf(stderr, "lac: %s: %s\n", what, arg_);
	exit(2);
}

static void
set_lns(char *s)
{
	char *colon = strchr(s, ':');

	if (colon)
		*colon = 0;
	lns.sin_family = AF_INET;
	lns.sin_port = htons(colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 1701);
	if (inet_pton(AF_INET, s, &lns.sin_addr) != 1)
		die("not an address", s);
}

static void
take_option(struct options *o, int c)
{
	switch (c) {
	case 'l':
		set_lns(optarg);
		break;
	case 'a':
		if (inet_pton(AF_INET, optarg, &lac_addr) != 1)
			die("not an address", optarg);
		break;
	case 'p':
		o->port = (uint16_t)strtoul(optarg, NULL, 10);
		break;
	case 'e':
		if (o->text_count == 16)
			die("too many", "-e");
		o->texts[o->text_count++] = optarg;
		break;
	case 'f':
		o->file = optarg;
		break;
	case 'q':
		events_on = false;
		break;
	case 'r':
		chan_retry_ms = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'R':
		chan_retries = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'G':
		o->gso = true;
		break;
	case 'g':
		o->no_gro = true;
		break;
	case 'h':
		fputs(usage, stdout);
		cmd_help();
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void
init(const struct options *o)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct rlimit files = { 65536, 65536 };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	setrlimit(RLIMIT_NOFILE, &files);
	pattern_init();
	net_init(!o->no_gro);
	tx_set_gso(net_tx, o->gso);
	tunnel_init();
	call_init();
	if (!net_sock(lac_addr, o->port, false)) {
		fprintf(stderr, "lac: port %u: %s\n", o->port, strerror(errno));
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "no-gro", no_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { 0 };
	bool ok = true;
	int c, i;

	while ((c = getopt_long(argc, argv, "l:a:p:e:f:qr:R:G", long_options, NULL)) != -1)
		take_option(&o, c);
	if (optind != argc)
		die("unexpected", argv[optind]);
	if (!lns.sin_port)
		die("-l LNS is missing", "see --help");
	init(&o);
	for (i = 0; i < o.text_count; i++)
		ok = run_text(o.texts[i]) && ok;
	if (o.file)
		ok = run_file(o.file) && ok;
	if (!o.text_count && !o.file)
		ok = run_stdin();
	if (!cmd_quit && !net_stop)
		stop_all_tunnels();
	return ok ? 0 : 1;
}
