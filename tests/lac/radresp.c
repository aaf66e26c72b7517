/*
 * A RADIUS responder for load and for misbehaviour (RFC 2865, 2866, 2869).
 *
 * Accepts every Access-Request (or rejects by user prefix) and acknowledges every
 * Accounting-Request, at hundreds of thousands a second. Checks Message-Authenticator and the
 * accounting authenticator of what arrives; signs what it sends, or does it wrong on request.
 * Delayed replies wait in a ring in order of arrival: the delay is the same for all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "bytes.h"

enum {
	ACCESS_REQUEST = 1,
	ACCESS_ACCEPT = 2,
	ACCESS_REJECT = 3,
	ACCOUNTING_REQUEST = 4,
	ACCOUNTING_RESPONSE = 5,
};

enum {
	ATTR_USER_NAME = 1,
	ATTR_FRAMED_IP = 8,
	ATTR_REPLY_MESSAGE = 18,
	ATTR_ACCT_STATUS_TYPE = 40,
	ATTR_ACCT_SESSION_ID = 44,
	ATTR_ACCT_TERMINATE_CAUSE = 49,
	ATTR_MESSAGE_AUTHENTICATOR = 80,
};

enum { HEAD = 20, DIGEST = 16, MAX_PORTS = 16, MAX_REPLY = 1024, SEEN = 1 << 18, RING = 1 << 16 };

enum kind { KIND_NUM, KIND_IP, KIND_TEXT, KIND_VENDOR_IP, KIND_AVPAIR };

/* Attribute names for --reply and --accept-only; a bare number works too (text or 0xHEX). */
static const struct attr_name {
	const char *name;
	uint8_t type;
	enum kind kind;
	uint32_t vendor;
} attr_names[] = {
	{ "Service-Type", 6, KIND_NUM, 0 },
	{ "Framed-Protocol", 7, KIND_NUM, 0 },
	{ "Framed-IP-Address", ATTR_FRAMED_IP, KIND_IP, 0 },
	{ "Framed-IP-Netmask", 9, KIND_IP, 0 },
	{ "Filter-Id", 11, KIND_TEXT, 0 },
	{ "Framed-MTU", 12, KIND_NUM, 0 },
	{ "Reply-Message", ATTR_REPLY_MESSAGE, KIND_TEXT, 0 },
	{ "Framed-Route", 22, KIND_TEXT, 0 },
	{ "Class", 25, KIND_TEXT, 0 },
	{ "Session-Timeout", 27, KIND_NUM, 0 },
	{ "Idle-Timeout", 28, KIND_NUM, 0 },
	{ "Acct-Interim-Interval", 85, KIND_NUM, 0 },
	{ "Framed-Pool", 88, KIND_TEXT, 0 },
	{ "Ascend-Primary-DNS", 135, KIND_IP, 0 },
	{ "Ascend-Secondary-DNS", 136, KIND_IP, 0 },
	{ "MS-Primary-DNS", 28, KIND_VENDOR_IP, 311 },
	{ "MS-Secondary-DNS", 29, KIND_VENDOR_IP, 311 },
	{ "Cisco-AVPair", 1, KIND_AVPAIR, 9 },
};

struct options {
	struct in_addr listen;
	uint16_t ports[MAX_PORTS];
	int port_count;
	const char *secret;
	uint8_t reply[MAX_REPLY]; /* ready-made attributes */
	size_t reply_len;
	bool ip_counter;
	uint32_t ip_next;
	uint32_t ip_first;
	uint32_t ip_count;
	uint32_t delay_ms;
	unsigned int drop_percent;
	const char *reject_prefix;
	const char *wrong_source;
	const char *count_file;
	const char *log_file;
	bool bad_authenticator;
	bool no_message_authenticator;
	bool bad_message_authenticator;
	bool wrong_id;
	bool quiet;
};

static struct {
	uint64_t access, accounting, start, stop, interim, accepts, rejects, duplicates, dropped;
	uint64_t bad_packet, bad_authenticator, no_message_authenticator, replies;
} count;

/* A reply that waits for its time. */
struct waiting {
	uint64_t due_us;
	int fd;
	struct sockaddr_in to;
	uint16_t len;
	uint8_t data[MAX_REPLY + 128];
};

struct request {
	const uint8_t *data;
	size_t len;
	const struct sockaddr_in *from;
	const uint8_t *user;
	size_t user_len;
	size_t ma_at; /* offset of Message-Authenticator's value; 0: none */
	uint32_t status;
	uint32_t cause;
	const uint8_t *session_id;
	size_t session_id_len;
};

static struct options opt = { .secret = "testing123" };
static struct tx_batch *tx;
static uint64_t seen[SEEN]; /* fingerprints of requests, to tell duplicates */
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
	    "interim=%llu duplicates=%llu dropped=%llu replies=%llu bad_packet=%llu "
	    "bad_authenticator=%llu no_message_authenticator=%llu\n",
	    (unsigned long long)count.access, (unsigned long long)count.accepts,
	    (unsigned long long)count.rejects, (unsigned long long)count.accounting,
	    (unsigned long long)count.start, (unsigned long long)count.stop,
	    (unsigned long long)count.interim, (unsigned long long)count.duplicates,
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
is_duplicate(const struct request *r)
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

static void
take_attr(struct request *r, uint8_t type, const uint8_t *v, size_t n)
{
	switch (type) {
	case ATTR_USER_NAME:
		r->user = v;
		r->user_len = n;
		break;
	case ATTR_ACCT_STATUS_TYPE:
		r->status = n == 4 ? get32(v) : 0;
		break;
	case ATTR_ACCT_TERMINATE_CAUSE:
		r->cause = n == 4 ? get32(v) : 0;
		break;
	case ATTR_ACCT_SESSION_ID:
		r->session_id = v;
		r->session_id_len = n;
		break;
	case ATTR_MESSAGE_AUTHENTICATOR:
		if (n == DIGEST)
			r->ma_at = (size_t)(v - r->data);
		break;
	default:
		break;
	}
}

static bool
parse_request(struct request *r)
{
	size_t at, n;

	if (r->len < HEAD || get16(r->data + 2) < HEAD || get16(r->data + 2) > r->len)
		return false;
	r->len = get16(r->data + 2);
	for (at = HEAD; at < r->len; at += n) {
		if (r->len - at < 2)
			return false;
		n = r->data[at + 1];
		if (n < 2 || n > r->len - at)
			return false;
		take_attr(r, r->data[at], r->data + at + 2, n - 2);
	}
	return true;
}

static void
sign_message(uint8_t *ma, const uint8_t *p, size_t len, const uint8_t *authenticator)
{
	struct hmac_md5_ctx c;
	static const uint8_t zero[DIGEST];
	size_t at = (size_t)(ma - p);

	hmac_md5_set_key(&c, strlen(opt.secret), (const uint8_t *)opt.secret);
	hmac_md5_update(&c, 4, p);
	hmac_md5_update(&c, DIGEST, authenticator);
	hmac_md5_update(&c, at - HEAD, p + HEAD);
	hmac_md5_update(&c, DIGEST, zero);
	hmac_md5_update(&c, len - at - DIGEST, p + at + DIGEST);
	hmac_md5_digest(&c, DIGEST, ma);
}

static bool
message_authenticator_ok(const struct request *r)
{
	uint8_t copy[4096], want[DIGEST];

	if (r->len > sizeof(copy))
		return false;
	memcpy(copy, r->data, r->len);
	sign_message(copy + r->ma_at, copy, r->len, r->data + 4);
	memcpy(want, copy + r->ma_at, DIGEST);
	return memcmp(want, r->data + r->ma_at, DIGEST) == 0;
}

static bool
accounting_authenticator_ok(const struct request *r)
{
	struct md5_ctx c;
	uint8_t want[DIGEST];
	static const uint8_t zero[DIGEST];

	md5_init(&c);
	md5_update(&c, 4, r->data);
	md5_update(&c, DIGEST, zero);
	md5_update(&c, r->len - HEAD, r->data + HEAD);
	md5_update(&c, strlen(opt.secret), (const uint8_t *)opt.secret);
	md5_digest(&c, DIGEST, want);
	return memcmp(want, r->data + 4, DIGEST) == 0;
}

static bool
authentic(const struct request *r)
{
	if (r->data[0] == ACCOUNTING_REQUEST)
		return accounting_authenticator_ok(r);
	if (!r->ma_at) {
		count.no_message_authenticator++;
		return true;
	}
	return message_authenticator_ok(r);
}

static bool
rejected(const struct request *r)
{
	size_t n = opt.reject_prefix ? strlen(opt.reject_prefix) : 0;

	return n && r->user_len >= n && memcmp(r->user, opt.reject_prefix, n) == 0;
}

/* The address is derived from the counter and wraps within the range. */
static void
add_counter_ip(struct out *o)
{
	out_u8(o, ATTR_FRAMED_IP);
	out_u8(o, 6);
	out_u32(o, opt.ip_next);
	if (++opt.ip_next - opt.ip_first >= opt.ip_count)
		opt.ip_next = opt.ip_first;
}

static void
add_reject_text(struct out *o)
{
	static const char text[] = "Not today";

	out_u8(o, ATTR_REPLY_MESSAGE);
	out_u8(o, sizeof(text) + 1);
	out_str(o, text);
}

static void
finish_reply(uint8_t *p, size_t len, size_t ma_at, const struct request *r)
{
	struct md5_ctx c;

	put16(p + 2, (uint16_t)len);
	if (ma_at)
		sign_message(p + ma_at, p, len, r->data + 4);
	if (ma_at && opt.bad_message_authenticator)
		p[ma_at] ^= 0x55;
	md5_init(&c);
	md5_update(&c, 4, p);
	md5_update(&c, DIGEST, r->data + 4);
	md5_update(&c, len - HEAD, p + HEAD);
	md5_update(&c, strlen(opt.secret), (const uint8_t *)opt.secret);
	md5_digest(&c, DIGEST, p + 4);
	if (opt.bad_authenticator)
		p[4] ^= 0x55;
}

static size_t
build_reply(uint8_t *p, size_t room, const struct request *r, uint8_t code)
{
	struct out o = out_make(p, room);
	size_t ma_at = 0;

	out_u8(&o, code);
	out_u8(&o, (uint8_t)(r->data[1] + (opt.wrong_id ? 1 : 0)));
	out_u16(&o, 0);
	out_room(&o, DIGEST);
	if (code != ACCOUNTING_RESPONSE && !opt.no_message_authenticator) {
		out_u8(&o, ATTR_MESSAGE_AUTHENTICATOR);
		out_u8(&o, 2 + DIGEST);
		ma_at = out_len(&o);
		out_room(&o, DIGEST);
	}
	if (code == ACCESS_REJECT)
		add_reject_text(&o);
	if (code == ACCESS_ACCEPT && opt.ip_counter)
		add_counter_ip(&o);
	if (code == ACCESS_ACCEPT)
		out_bytes(&o, opt.reply, opt.reply_len);
	finish_reply(p, out_len(&o), ma_at, r);
	return out_len(&o);
}

static void
reply(int fd, const struct request *r, uint8_t code)
{
	struct waiting *w;
	uint8_t *p;

	count.replies++;
	if (wrong_source_fd >= 0)
		fd = wrong_source_fd;
	if (!opt.delay_ms) {
		p = tx_room(tx, fd, r->from, MAX_REPLY + 128);
		tx_commit(tx, build_reply(p, MAX_REPLY + 128, r, code), NULL, 0);
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
	w->len = (uint16_t)build_reply(w->data, sizeof(w->data), r, code);
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
count_accounting(const struct request *r)
{
	count.accounting++;
	if (r->status == 1)
		count.start++;
	else if (r->status == 2)
		count.stop++;
	else if (r->status == 3)
		count.interim++;
}

static void
log_request(const struct request *r)
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
	struct request r = { .data = d->data, .len = d->len, .from = d->from };
	bool access;

	if (!parse_request(&r) ||
	    (r.data[0] != ACCESS_REQUEST && r.data[0] != ACCOUNTING_REQUEST)) {
		count.bad_packet++;
		return;
	}
	if (!authentic(&r)) {
		count.bad_authenticator++;
		return;
	}
	access = r.data[0] == ACCESS_REQUEST;
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

static uint8_t
hex_digit(char c, const char *arg)
{
	const char *at = strchr("0123456789abcdef", c | 0x20);

	if (!at || !c)
		die("not hexadecimal", arg);
	return (uint8_t)(strchr("0123456789abcdef", c | 0x20) - "0123456789abcdef");
}

static void
put_text(struct out *o, const char *v)
{
	if (strncmp(v, "0x", 2) != 0) {
		out_str(o, v);
		return;
	}
	for (v += 2; v[0] && v[1]; v += 2)
		out_u8(o, (uint8_t)(hex_digit(v[0], v) << 4 | hex_digit(v[1], v)));
}

static void
put_ip(struct out *o, const char *v)
{
	struct in_addr a;

	if (inet_pton(AF_INET, v, &a) != 1)
		die("not an address", v);
	out_u32(o, ntohl(a.s_addr));
}

static void
put_value(struct out *o, const struct attr_name *a, const char *v)
{
	size_t vendor_len;
	uint8_t *vl;

	if (a->vendor) {
		out_u32(o, a->vendor);
		out_u8(o, a->type);
		vl = out_room(o, 1);
		vendor_len = out_len(o) - 2;
		if (a->kind == KIND_VENDOR_IP)
			put_ip(o, v);
		else
			put_text(o, v);
		if (vl)
			*vl = (uint8_t)(out_len(o) - vendor_len);
		return;
	}
	if (a->kind == KIND_NUM)
		out_u32(o, (uint32_t)strtoul(v, NULL, 0));
	else if (a->kind == KIND_IP)
		put_ip(o, v);
	else
		put_text(o, v);
}

/* Framed-IP-Address=BASE+COUNT: the next address of the range for each user. */
static bool
counter_option(const char *v)
{
	char base[32];
	struct in_addr a;
	const char *plus = strchr(v, '+');

	if (!plus || (size_t)(plus - v) >= sizeof(base))
		return false;
	memcpy(base, v, (size_t)(plus - v));
	base[plus - v] = 0;
	if (inet_pton(AF_INET, base, &a) != 1)
		die("not an address", base);
	opt.ip_counter = true;
	opt.ip_first = opt.ip_next = ntohl(a.s_addr);
	opt.ip_count = (uint32_t)strtoul(plus + 1, NULL, 0);
	if (!opt.ip_count)
		die("empty range", v);
	return true;
}

static struct attr_name
find_attr(const char *name, size_t n)
{
	struct attr_name any = { "", 0, KIND_TEXT, 0 };
	size_t i;

	for (i = 0; i < sizeof(attr_names) / sizeof(attr_names[0]); i++) {
		if (strlen(attr_names[i].name) == n && !strncasecmp(attr_names[i].name, name, n))
			return attr_names[i];
	}
	any.type = (uint8_t)strtoul(name, NULL, 10);
	if (!any.type)
		die("unknown attribute", name);
	return any;
}

static void
reply_option(const char *arg)
{
	struct out o = out_make(opt.reply + opt.reply_len, sizeof(opt.reply) - opt.reply_len);
	const char *eq = strchr(arg, '=');
	struct attr_name a;
	uint8_t *len;

	if (!eq)
		die("ATTR=VALUE wanted", arg);
	a = find_attr(arg, (size_t)(eq - arg));
	if (a.type == ATTR_FRAMED_IP && counter_option(eq + 1))
		return;
	out_u8(&o, a.vendor ? 26 : a.type);
	len = out_room(&o, 1);
	put_value(&o, &a, eq + 1);
	if (o.full || out_len(&o) > 255)
		die("too long", arg);
	*len = (uint8_t)out_len(&o);
	opt.reply_len += out_len(&o);
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
    "      --drop PERCENT              do not answer so many\n"
    "      --reject PREFIX             Access-Reject for users that begin so\n"
    "      --bad-authenticator         Response Authenticator wrong\n"
    "      --wrong-source ADDR         reply from another address\n"
    "      --no-message-authenticator  leave Message-Authenticator out\n"
    "      --bad-message-authenticator Message-Authenticator wrong\n"
    "      --wrong-id                  identifier off by one\n"
    "      --count-file FILE           counts also into FILE at SIGUSR1 and at the end\n"
    "      --log FILE                  a line for each request (- : stdout)\n"
    "SIGUSR1 prints the counts; `ready` is printed when the sockets are open.\n";

enum {
	O_REPLY = 256,
	O_DELAY,
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
	switch (c) {
	case 'l':
		if (inet_pton(AF_INET, optarg, &opt.listen) != 1)
			die("not an address", optarg);
		break;
	case 'p':
		port_option(optarg);
		break;
	case 's':
		opt.secret = optarg;
		break;
	case O_REPLY:
		reply_option(optarg);
		break;
	case O_DELAY:
		opt.delay_ms = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case O_DROP:
		opt.drop_percent = (unsigned int)strtoul(optarg, NULL, 10);
		break;
	case O_REJECT:
		opt.reject_prefix = optarg;
		break;
	case O_BADAUTH:
		opt.bad_authenticator = true;
		break;
	case O_SOURCE:
		opt.wrong_source = optarg;
		break;
	case O_NOMA:
		opt.no_message_authenticator = true;
		break;
	case O_BADMA:
		opt.bad_message_authenticator = true;
		break;
	case O_ID:
		opt.wrong_id = true;
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

static void
serve(struct pollfd *p, int n)
{
	struct rx_batch *rx = rx_new();
	struct datagram d;
	int i;

	while (!stop_asked) {
		if (poll(p, (nfds_t)n, ring_head != ring_tail ? 1 : 1000) < 0 && errno != EINTR)
			break;
		for (i = 0; i < n; i++) {
			if (!rx_read(rx, p[i].fd))
				continue;
			while (rx_next(rx, &d))
				input(p[i].fd, &d);
			tx_flush(tx);
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
