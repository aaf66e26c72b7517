/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of Disconnect- and CoA-Requests over a loopback socket, with clocks that the
 * test turns, against a small model of the session table. Loop, hooks and configuration are
 * stand-ins.
 */
#include "config.h"
#include "counter.h"
#include "dae.h"
#include "dae_find.h"
#include "evict.h"
#include "hook.h"
#include "iptab.h"
#include "loop.h"
#include "note.h"
#include "policy.h"
#include "rad_server.h"
#include "rad_sess.h"
#include "role.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SESSIONS = 10000, OURS = 0x0100007f /* 127.0.0.1 */, ADDRESSES = 0x0a000000 };

static struct config config;
const struct config *conf = &config;
static uint64_t now_ms = 100000;
static time_t wall = 1700000000;
static loop_fn server;
static int server_fd, client_fd;
static const char *server_secret;

static struct session sessions[SESSIONS + 1];
static char done[4096]; /* what was done to sessions, in words */
static unsigned int closed;
static struct sess_end last_end;
static bool evict_full, notes_full;

static uint8_t handed_on[RAD_MAX_PACKET]; /* by a slave */
static size_t handed_on_len;
static struct clfwd_from handed_from;

/* --- stand-ins --- */

int
loop_add(int fd, loop_fn fn, void *arg)
{
	(void)arg;
	server_fd = fd;
	server = fn;
	return 0;
}

void
loop_del(int fd)
{
	assert_int_equal(fd, server_fd);
}

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

time_t
loop_time(void)
{
	return wall;
}

uint32_t
config_nas_ip(void)
{
	return inet_addr("192.0.2.1");
}

bool
config_is_own_address(uint32_t addr)
{
	return addr == inet_addr("192.0.2.2");
}

bool
config_is_dae_client(uint32_t addr)
{
	return addr == inet_addr(config.radius_dae_client);
}

const char *
rad_server_secret(uint32_t ip)
{
	return ip == inet_addr("127.0.0.1") ? server_secret : NULL;
}

static void
note(const char *what)
{
	size_t len = strlen(done);

	snprintf(done + len, sizeof(done) - len, "%s;", what);
}

void
policy_timeouts(sess_id s, uint32_t session_sec, uint32_t idle_sec)
{
	char text[64];

	snprintf(text, sizeof(text), "timeouts %u %u %u", s, session_sec, idle_sec);
	note(text);
}

void
policy_interim(sess_id s, uint32_t sec)
{
	char text[64];

	snprintf(text, sizeof(text), "interim %u %u", s, sec);
	note(text);
}

/* Lists have numbers for names: "5.in", "6.out". */
int
policy_filter_id(sess_id s, const uint8_t *text, size_t len, int *in, int *out)
{
	(void)s;
	if (len < 4 || text[0] > '9')
		return -1;
	*(text[2] == 'i' ? in : out) = text[0] - '0';
	return 0;
}

void
policy_filter(sess_id s, int in, int out)
{
	char text[64];

	if (in == POLICY_KEEP_LIST && out == POLICY_KEEP_LIST)
		return;
	snprintf(text, sizeof(text), "lists %u %d %d", s, in, out);
	note(text);
}

void
hook_avpair_reset(sess_id s)
{
	(void)s;
	note("reset");
}

enum avpair_verdict
hook_avpair_check(sess_id s, const uint8_t *text, size_t len)
{
	(void)s;
	assert_true(len > 1);
	return text[1] == '?' ? AVPAIR_UNKNOWN : text[1] == '!' ? AVPAIR_BAD : AVPAIR_GOOD;
}

int
session_replace_notes(sess_id s, uint8_t kind, const struct note *with, unsigned int n)
{
	char text[64];

	assert_int_equal(kind, NOTE_CLASS);
	if (notes_full)
		return -1;
	snprintf(text, sizeof(text), "%u Classes %u, first %.*s", n, s, with[0].len, with[0].data);
	note(text);
	return 0;
}

int
session_add_note(sess_id s, uint8_t kind, uint16_t tag, const void *data, size_t len)
{
	char text[64];

	(void)tag;
	assert_int_equal(kind, NOTE_CLASS);
	snprintf(text, sizeof(text), "Class %u %.*s", s, (int)len, (const char *)data);
	note(text);
	return 0;
}

void
hook_avpair(sess_id s, const uint8_t *text, size_t len)
{
	char copy[256];

	(void)s;
	str_copy_n(copy, sizeof(copy), text, len);
	note(copy);
}

void
hook_close(sess_id s, const struct sess_end *end)
{
	char text[16];

	assert_false(sessions[s].down);
	sessions[s].down = 1;
	last_end = *end;
	if (closed++ < 10) {
		snprintf(text, sizeof(text), "close %u", s);
		note(text);
	}
}

bool
evict_matching(const struct evict_who *who, const struct sess_end *end)
{
	char text[700];

	if (evict_full)
		return false;
	last_end = *end;
	snprintf(text, sizeof(text), "evict %s/%s/%s", who->user, who->calling, who->called);
	note(text);
	return true;
}

const struct session *
session_get(sess_id id)
{
	return id > 0 && id <= SESSIONS && sessions[id].state != SESS_FREE ? &sessions[id] : NULL;
}

bool
session_is_unproven(const struct session *s)
{
	return s->garden && s->authentic == AUTHENTIC_NONE;
}

sess_id
session_id(const struct session *s)
{
	return (sess_id)(s - sessions);
}

static sess_id
behind(sess_id id, const char *user, const char *calling)
{
	for (id++; id <= SESSIONS; id++)
		if (sessions[id].authed && strcmp(user ? sessions[id].user : sessions[id].calling,
					       user ? user : calling) == 0)
			return id;
	return 0;
}

sess_id
session_by_user(const char *user)
{
	return behind(0, user, NULL);
}

sess_id
session_next_of_user(sess_id id)
{
	return behind(id, sessions[id].user, NULL);
}

sess_id
session_by_calling(const char *calling)
{
	return behind(0, NULL, calling);
}

sess_id
session_next_of_calling(sess_id id)
{
	return behind(id, NULL, sessions[id].calling);
}

sess_id
session_by_unique(uint32_t unique)
{
	return unique > 1000 && unique <= 1000 + SESSIONS ? unique - 1000 : 0;
}

sess_id
iptab_exact(uint32_t addr, unsigned int len)
{
	uint32_t n = ntohl(addr) - ADDRESSES;

	assert_int_equal(len, 32);
	return n > 0 && n <= SESSIONS ? n : 0;
}

int
clfwd_dae(const struct clfwd_from *from, const void *data, size_t len)
{
	assert_in_range(len, 1, sizeof(handed_on));
	handed_from = *from;
	handed_on_len = len;
	memcpy(handed_on, data, len);
	return 0;
}

void
rad_sess_acct_id(const struct session *s, char text[RAD_ACCT_ID_TEXT])
{
	snprintf(text, RAD_ACCT_ID_TEXT, "65ABCDEF%08X", s->unique);
}

void
rad_sess_port_id(const struct session *s, char text[RAD_PORT_ID_TEXT])
{
	snprintf(text, RAD_PORT_ID_TEXT, "l2tp:7:%u", session_id(s));
}

/* --- a client --- */

static uint8_t request[RAD_MAX_PACKET], reply[RAD_MAX_PACKET], first_reply[RAD_MAX_PACKET];
static size_t request_len, reply_len;
static struct wr w;
static size_t ma_place;

static void
begin(uint8_t code)
{
	static uint8_t id;

	w = wr_init(request, sizeof(request));
	rad_begin(&w, code, id++, NULL);
	ma_place = 0;
}

static void
sign(const char *secret)
{
	request_len = rad_end(&w);
	assert_int_not_equal(request_len, 0);
	memset(request + 4, 0, RAD_AUTH_LEN);
	rad_sign(request, request_len, ma_place, secret);
	rad_sign_md5(request, request_len, NULL, secret);
}

static void
send_it(void)
{
	assert_int_equal(send(client_fd, request, request_len, 0), (int)request_len);
	server(server_fd, NULL);
}

/* -1: silence. Else the Error-Cause, 0 for an ACK. */
static int
hear(void)
{
	ssize_t n = recv(client_fd, reply, sizeof(reply), MSG_DONTWAIT);
	struct rad_packet p;
	struct rd attrs, sub = { 0 };
	struct rad_attr a;
	uint32_t cause = 0;
	bool has_ma;

	if (n < 0)
		return -1;
	reply_len = (size_t)n;
	assert_true(rad_decode(reply, reply_len, &p));
	assert_int_equal(p.id, request[1]);
	assert_int_equal(rad_check_reply(&p, request + 4, "secret", &has_ma), RAD_CHECK_OK);
	assert_int_equal(has_ma, ma_place > 0);
	attrs = p.attrs;
	while (rad_attr_next(&attrs, &sub, &a))
		if (a.type == RAD_ERROR_CAUSE)
			assert_true(rad_attr_u32(&a, &cause));
	assert_int_equal(p.code, request[0] + (cause ? 2 : 1));
	return (int)cause;
}

static int
ask(void)
{
	sign("secret");
	send_it();
	return hear();
}

static void
put_pair(const char *text)
{
	rad_put_vendor(&w, RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, text, strlen(text));
}

static int
set_up(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = OURS };
	socklen_t size = sizeof(sin);
	uint32_t ours = OURS, i;
	char why[256];
	int fd;

	(void)state;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sin, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &size), 0);
	close(fd);
	memset(&config, 0, sizeof(config));
	memset(counters, 0, sizeof(*counters));
	config.radius_dae_port = ntohs(sin.sin_port);
	str_copy(config.hostname, sizeof(config.hostname), "lns1");
	str_copy(config.radius_secret, sizeof(config.radius_secret), "secret");
	server_secret = "secret";
	assert_int_equal(dae_start(&ours, 1, why, sizeof(why)), 0);
	client_fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(client_fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	memset(sessions, 0, sizeof(sessions));
	for (i = 1; i <= SESSIONS; i++) {
		struct session *s = &sessions[i];

		*s = (struct session){ .state = SESS_OPEN, .authed = 1, .unique = 1000 + i };
		s->ip4 = htonl(ADDRESSES + i);
		s->authentic = AUTHENTIC_RADIUS;
		s->session_timeout = 11;
		s->idle_timeout = 22;
		snprintf(s->user, sizeof(s->user), "u%u", i);
		snprintf(s->calling, sizeof(s->calling), "0733%u", i);
		str_copy(s->called, sizeof(s->called), i % 2 ? "odd" : "even");
	}
	done[0] = '\0';
	closed = 0;
	evict_full = notes_full = false;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dae_stop();
	close(client_fd);
	return 0;
}

/* --- tests --- */

static void
one_by_each_name(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "u1");
	assert_int_equal(ask(), 0);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_ACCT_SESSION_ID, "65abcdef000003ea"); /* 1002 */
	assert_int_equal(ask(), 0);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_FRAMED_IP_ADDRESS, ADDRESSES + 3);
	assert_int_equal(ask(), 0);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 4);
	assert_int_equal(ask(), 0);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_NAS_PORT_ID, "l2tp:7:5");
	assert_int_equal(ask(), 0);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_CALLING_STATION_ID, "07336");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "close 1;close 2;close 3;close 4;close 5;close 6;");
	assert_int_equal(last_end.cause, TERM_ADMIN_RESET);
	assert_int_equal(counters->dae_acked, 6);
}

/* Each attribute that names one is spoilt in its turn: all must match. */
static void
all_must_match(void **state)
{
	unsigned int wrong;

	(void)state;
	for (wrong = 0; wrong <= 7; wrong++) {
		begin(RAD_DISCONNECT_REQUEST);
		rad_put_str(&w, RAD_USER_NAME, wrong == 1 ? "u8" : "u9");
		rad_put_str(
		    &w, RAD_ACCT_SESSION_ID, wrong == 2 ? "65ABCDF0000003F1" : "65ABCDEF000003F1");
		rad_put_u32(&w, RAD_FRAMED_IP_ADDRESS, ADDRESSES + (wrong == 3 ? 8 : 9));
		rad_put_u32(&w, RAD_NAS_PORT, wrong == 4 ? 8 : 9);
		rad_put_str(&w, RAD_NAS_PORT_ID, wrong == 5 ? "l2tp:8:9" : "l2tp:7:9");
		rad_put_str(&w, RAD_CALLING_STATION_ID, wrong == 6 ? "0733" : "07339");
		rad_put_str(&w, RAD_CALLED_STATION_ID, wrong == 7 ? "even" : "odd");
		assert_int_equal(ask(), wrong ? DAE_NOT_FOUND : 0);
		assert_int_equal(closed, 1);
		sessions[9].down = 0;
	}
}

static void
names_nobody(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	assert_int_equal(ask(), DAE_MISSING_ATTRIBUTE);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_CALLED_STATION_ID, "odd"); /* half of all */
	assert_int_equal(ask(), DAE_MISSING_ATTRIBUTE);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "stranger");
	assert_int_equal(ask(), DAE_NOT_FOUND);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_ACCT_SESSION_ID, "x");
	assert_int_equal(ask(), DAE_NOT_FOUND);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, UINT32_MAX);
	assert_int_equal(ask(), DAE_NOT_FOUND);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_NAS_PORT_ID, "7");
	assert_int_equal(ask(), DAE_NOT_FOUND);
	sessions[1].ip4 = 0; /* what iptab knows is a route of his */
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_FRAMED_IP_ADDRESS, ADDRESSES + 1);
	assert_int_equal(ask(), DAE_NOT_FOUND);
	sessions[2].down = 1;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 2);
	assert_int_equal(ask(), DAE_NOT_FOUND);
	sessions[3].authed = 0;
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 3);
	assert_int_equal(ask(), DAE_NOT_FOUND);
	assert_string_equal(done, "");
	assert_int_equal(counters->dae_refused, 9);
}

static void
same_name(unsigned int n)
{
	unsigned int i;

	for (i = 1; i <= n; i++)
		strcpy(sessions[i].user, "guest");
}

static void
several(void **state)
{
	(void)state;
	same_name(5);
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 1);
	assert_int_equal(ask(), DAE_SEVERAL);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_CALLING_STATION_ID, "07332");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "close 2;");
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_REPLY_MESSAGE, "good night");
	assert_int_equal(ask(), 0);
	assert_int_equal(closed, 5);
	assert_string_equal(last_end.message, "good night");
}

/* Who was refused and sits in the garden under somebody's name. */
static void
impostors(void **state)
{
	unsigned int i;

	(void)state;
	same_name(100);
	for (i = 1; i <= 100; i++) {
		sessions[i].garden = 1;
		sessions[i].authentic = i == 70 ? AUTHENTIC_RADIUS : AUTHENTIC_NONE;
	}
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 1);
	assert_int_equal(ask(), 0); /* the one who was put in by others */
	assert_string_equal(done, "timeouts 70 1 22;");
	sessions[90].garden = 0; /* let out: his now */
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	assert_int_equal(ask(), DAE_SEVERAL);
	sessions[70].down = sessions[90].down = 1;
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	assert_int_equal(ask(), DAE_SEVERAL);
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_u32(&w, RAD_NAS_PORT, 3);
	assert_int_equal(ask(), 0); /* by number */
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_CALLING_STATION_ID, "07334");
	assert_int_equal(ask(), 0); /* nobody else calls from there */
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_CALLING_STATION_ID, "07334");
	assert_int_equal(ask(), 0);
	assert_int_equal(closed, 1);
}

static void
very_many(void **state)
{
	(void)state;
	same_name(DAE_MOST);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_CALLED_STATION_ID, "odd");
	assert_int_equal(ask(), 0);
	assert_int_equal(closed, DAE_MOST / 2);
	done[0] = '\0';
	same_name(SESSIONS / 2);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_CALLED_STATION_ID, "odd");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "evict guest//odd;");
	evict_full = true;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	assert_int_equal(ask(), DAE_NOT_REMOVABLE);
	/* the user has thousands, the number but one */
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_CALLING_STATION_ID, "07334999");
	assert_int_equal(ask(), 0);
	assert_true(sessions[4999].down);
	/* nobody among the first thousands: it is not looked for ever */
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_USER_NAME, "guest");
	rad_put_str(&w, RAD_CALLED_STATION_ID, "else");
	assert_int_equal(ask(), DAE_NO_RESOURCES);
}

static void
other_nas(void **state)
{
	static const char *const ips[] = { "192.0.2.1", "192.0.2.2", "127.0.0.1", "192.0.2.3" };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ips); i++) {
		begin(RAD_COA_REQUEST);
		rad_put_be32(&w, RAD_NAS_IP_ADDRESS, inet_addr(ips[i]));
		rad_put_u32(&w, RAD_FRAMED_MTU, 1400);
		assert_int_equal(ask(), i < 3 ? DAE_UNSUPPORTED_ATTRIBUTE : DAE_OTHER_NAS);
	}
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_NAS_IDENTIFIER, "lns1");
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), 0);
	begin(RAD_COA_REQUEST);
	rad_put_str(&w, RAD_NAS_IDENTIFIER, "lns");
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), DAE_OTHER_NAS);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put(&w, RAD_NAS_IPV6_ADDRESS, "0123456789abcdef", 16);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), DAE_OTHER_NAS);
}

static void
coa(void **state)
{
	(void)state;
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_IDLE_TIMEOUT, 60);
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "timeouts 1 11 60;");
	done[0] = '\0';
	begin(RAD_COA_REQUEST);
	put_pair("throttle=yes,intercept=no");
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 0);
	put_pair("a=b");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "timeouts 1 0 22;reset;throttle=yes,intercept=no;a=b;");
	done[0] = '\0';
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 2);
	rad_put_str(&w, RAD_FILTER_ID, "5.in");
	assert_int_equal(ask(), 0);
	rad_put_str(&w, RAD_FILTER_ID, "6.out");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "lists 2 5 -1;timeouts 2 11 22;lists 2 5 6;timeouts 2 11 22;");
	/* all or nothing */
	done[0] = '\0';
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_str(&w, RAD_FILTER_ID, "5.in");
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 5);
	rad_put_str(&w, RAD_FILTER_ID, "other.out");
	assert_int_equal(ask(), DAE_INVALID_VALUE);
	assert_string_equal(done, "");
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 5);
	put_pair("a=b");
	rad_put_u32(&w, RAD_FRAMED_MTU, 1400);
	assert_int_equal(ask(), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_string_equal(done, "");
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 5);
	rad_put_str(&w, RAD_FILTER_ID, "5.in");
	rad_put_str(&w, RAD_CLASS, "c");
	put_pair("a=b");
	put_pair("a!");
	assert_int_equal(ask(), DAE_INVALID_VALUE);
	put_pair("a?");
	assert_int_equal(ask(), DAE_INVALID_VALUE);
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 5);
	put_pair("a=b");
	put_pair("a?");
	assert_int_equal(ask(), DAE_UNSUPPORTED_ATTRIBUTE);
	assert_string_equal(done, "");
}

static void
classes(void **state)
{
	unsigned int i;

	(void)state;
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_str(&w, RAD_CLASS, "one");
	rad_put_str(&w, RAD_CLASS, "two");
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "2 Classes 1, first one;timeouts 1 11 22;");
	done[0] = '\0';
	notes_full = true;
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_SESSION_TIMEOUT, 5);
	rad_put_str(&w, RAD_CLASS, "one");
	put_pair("a=b");
	assert_int_equal(ask(), DAE_NO_RESOURCES);
	assert_string_equal(done, "");
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	for (i = 0; i < 5; i++)
		rad_put_str(&w, RAD_CLASS, "one");
	assert_int_equal(ask(), DAE_INVALID_REQUEST);
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_str(&w, RAD_CLASS, "last");
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), 0);
	assert_string_equal(done, "Class 1 last;close 1;");
}

static void
dropped(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	sign("secrey");
	send_it();
	assert_int_equal(hear(), -1);
	assert_int_equal(counters->dae_bad_authenticator, 1);
	begin(RAD_DISCONNECT_REQUEST);
	ma_place = rad_put_message_authenticator(&w);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	sign("secret");
	request[ma_place] ^= 1;
	rad_sign_md5(request, request_len, NULL, "secret");
	send_it();
	assert_int_equal(hear(), -1);
	assert_int_equal(counters->dae_bad_authenticator, 2);
	begin(RAD_ACCESS_REQUEST);
	sign("secret");
	send_it();
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	sign("secret");
	request_len--;
	send_it();
	request_len = 0;
	send_it();
	assert_int_equal(hear(), -1);
	assert_int_equal(counters->dae_malformed, 3);
	assert_int_equal(counters->dae_received, 5);
	assert_string_equal(done, "");
}

static void
clients(void **state)
{
	(void)state;
	begin(RAD_COA_REQUEST);
	ma_place = rad_put_message_authenticator(&w);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	str_copy(config.radius_dae_client, sizeof(config.radius_dae_client), "127.0.0.2");
	assert_int_equal(ask(), -1); /* a server, but not in the list */
	server_secret = NULL;
	config.radius_dae_client[0] = '\0';
	assert_int_equal(ask(), -1); /* neither */
	assert_int_equal(counters->dae_foreign, 2);
	str_copy(config.radius_dae_client, sizeof(config.radius_dae_client), "127.0.0.1");
	assert_int_equal(ask(), 0); /* in the list, and no server */
	config.radius_secret[0] = '\0';
	assert_int_equal(ask(), -1);
	assert_int_equal(counters->dae_foreign, 3);
}

/* The same packet again: the same answer, nothing done; later it counts again. */
static void
repeated(void **state)
{
	size_t len;

	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	ma_place = rad_put_message_authenticator(&w);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_str(&w, RAD_PROXY_STATE, "p");
	assert_int_equal(ask(), 0);
	len = reply_len;
	memcpy(first_reply, reply, len);
	now_ms += 29000;
	send_it();
	assert_int_equal(hear(), 0);
	assert_int_equal(reply_len, len);
	assert_memory_equal(reply, first_reply, len);
	assert_int_equal(counters->dae_repeated, 1);
	assert_int_equal(closed, 1);
	now_ms += 2000;
	send_it();
	assert_int_equal(hear(), DAE_NOT_FOUND);
	send_it();
	assert_int_equal(hear(), DAE_NOT_FOUND);
	assert_int_equal(counters->dae_refused, 1);
}

/* A slave does nothing but hand on; the master answers the client from the address he asked. */
static void
by_a_slave(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	role_set(false, 0);
	assert_int_equal(ask(), -1);
	assert_int_equal(closed, 0);
	assert_int_equal(handed_on_len, request_len);
	assert_memory_equal(handed_on, request, request_len);
	assert_int_equal(handed_from.asked, OURS);
	role_set(true, 0);
	dae_forwarded(&handed_from, handed_on, handed_on_len);
	assert_int_equal(hear(), 0);
	assert_int_equal(closed, 1);
}

/* It is one request, whatever members it came by. */
static void
repeated_by_a_slave(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), 0);
	role_set(false, 0);
	send_it();
	assert_int_equal(hear(), -1);
	role_set(true, 0);
	dae_forwarded(&handed_from, handed_on, handed_on_len);
	dae_forwarded(&handed_from, handed_on, handed_on_len);
	assert_int_equal(hear(), 0);
	assert_int_equal(hear(), 0);
	send_it();
	assert_int_equal(hear(), 0);
	assert_int_equal(closed, 1);
	assert_int_equal(counters->dae_repeated, 3);
}

/* What is not genuine goes no further, and a master trusts no slave that it was. */
static void
forged_by_a_slave(void **state)
{
	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	sign("wrong");
	role_set(false, 0);
	handed_on_len = 0;
	send_it();
	assert_int_equal(handed_on_len, 0);
	assert_int_equal(counters->dae_bad_authenticator, 1);
	role_set(true, 0);
	dae_forwarded(&handed_from, request, request_len);
	assert_int_equal(hear(), -1);
	assert_int_equal(counters->dae_bad_authenticator, 2);
	handed_from.asked = inet_addr("192.0.2.99");
	dae_forwarded(&handed_from, request, request_len);
	assert_int_equal(counters->forward_bad_address, 1);
	assert_int_equal(closed, 0);
}

/* A turn of the loop does so much for slaves, too. */
static void
turns_for_slaves(void **state)
{
	unsigned int i, answers = 0;

	(void)state;
	begin(RAD_DISCONNECT_REQUEST);
	role_set(false, 0);
	assert_int_equal(ask(), -1);
	role_set(true, 0);
	for (i = 0; i < 2 * DAE_MOST; i++) {
		begin(RAD_DISCONNECT_REQUEST);
		rad_put_u32(&w, RAD_NAS_PORT, i + 1);
		sign("secret");
		dae_forwarded(&handed_from, request, request_len);
	}
	while (recv(client_fd, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		answers++;
	assert_int_equal(answers, DAE_MOST);
	assert_int_equal(counters->dae_busy, DAE_MOST);
	now_ms++;
	dae_forwarded(&handed_from, request, request_len);
	assert_int_equal(hear(), 0);
}

/* More than can be kept are not carried out; what was answered is still known. */
static void
too_many(void **state)
{
	uint8_t kept[RAD_MAX_PACKET];
	size_t len = 0;
	uint32_t i;

	(void)state;
	for (i = 0; i < 65536; i++) {
		begin(RAD_COA_REQUEST);
		rad_put_u32(&w, RAD_NAS_PORT, UINT32_MAX - i);
		assert_int_equal(ask(), DAE_NOT_FOUND);
		if (i == 0)
			memcpy(kept, request, len = request_len);
	}
	now_ms += 29000;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), -1);
	assert_int_equal(counters->dae_busy, 1);
	assert_string_equal(done, "");
	send_it();
	assert_int_equal(hear(), -1); /* nor is it taken for answered */
	memcpy(request, kept, request_len = len);
	send_it();
	assert_int_equal(hear(), DAE_NOT_FOUND);
	assert_int_equal(counters->dae_repeated, 1);
	now_ms += 2000;
	begin(RAD_DISCONNECT_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	assert_int_equal(ask(), 0);
}

static void
timestamps(void **state)
{
	static const struct {
		int off, answer;
	} cases[] = { { 0, 0 }, { -300, 0 }, { 300, 0 }, { -301, -1 }, { 301, -1 } };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		begin(RAD_COA_REQUEST);
		rad_put_u32(&w, RAD_NAS_PORT, 1);
		rad_put_u32(&w, RAD_EVENT_TIMESTAMP, (uint32_t)(wall + cases[i].off));
		assert_int_equal(ask(), cases[i].answer);
	}
	begin(RAD_COA_REQUEST);
	rad_put_u32(&w, RAD_NAS_PORT, 1);
	rad_put_u32(&w, RAD_EVENT_TIMESTAMP, 0);
	assert_int_equal(ask(), -1);
	assert_int_equal(counters->dae_stale, 3);
}

/* A turn takes so many packets, and so many ends. */
static void
turns(void **state)
{
	unsigned int i, answers;

	(void)state;
	for (i = 1; i <= 100; i++) {
		begin(RAD_COA_REQUEST);
		rad_put_u32(&w, RAD_NAS_PORT, i);
		sign("secret");
		assert_int_equal(send(client_fd, request, request_len, 0), (int)request_len);
	}
	server(server_fd, NULL);
	for (answers = 0; recv(client_fd, reply, sizeof(reply), MSG_DONTWAIT) > 0; answers++)
		continue;
	assert_int_equal(answers, 32);
	for (i = 0; i < 5; i++)
		server(server_fd, NULL);
	for (; recv(client_fd, reply, sizeof(reply), MSG_DONTWAIT) > 0; answers++)
		continue;
	assert_int_equal(answers, 100);
	for (i = 1; i <= 1000; i++)
		snprintf(sessions[i].user, USER_LEN, "user%u", i / 50);
	for (i = 1; i <= 10; i++) {
		begin(RAD_DISCONNECT_REQUEST);
		snprintf((char *)reply, sizeof(reply), "user%u", i);
		rad_put_str(&w, RAD_USER_NAME, (char *)reply);
		sign("secret");
		assert_int_equal(send(client_fd, request, request_len, 0), (int)request_len);
	}
	closed = 0;
	server(server_fd, NULL);
	assert_int_equal(closed, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_by_each_name),
		TEST(all_must_match),
		TEST(names_nobody),
		TEST(several),
		TEST(impostors),
		TEST(very_many),
		TEST(other_nas),
		TEST(coa),
		TEST(classes),
		TEST(dropped),
		TEST(clients),
		TEST(repeated),
		TEST(too_many),
		TEST(timestamps),
		TEST(turns),
		TEST(by_a_slave),
		TEST(repeated_by_a_slave),
		TEST(forged_by_a_slave),
		TEST(turns_for_slaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
