/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The automaton against the table of RFC 1661 4.1, written out below as the RFC prints
 * it: every cell is entered from its state by a real packet, a timeout or a call, and
 * what is sent, called and counted is compared. Then long random runs. The protocol is
 * a toy with one option (type 1 is fine, type 2 is Nakked, others are Rejected).
 */
#include "config.h"
#include "counter.h"
#include "cp.h"
#include "frame.h"
#include "timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1, TRIES = 77, MAX_CONFIGURE = 10, MAX_TERMINATE = 2, MAX_FAILURE = 3, ECHO = 9 };

/* clang-format off */
static const char *const rfc[CP_EVENTS][CP_STATES] = {
/*              Initial   Starting     Closed       Stopped        Closing    Stopping */
[CP_UP]       = { "2",    "irc,scr/6", "-",         "-",           "-",       "-",
/*              Req-Sent     Ack-Rcvd     Ack-Sent     Opened */
		"-",         "-",         "-",         "-" },
[CP_DOWN]     = { "-",    "-",         "0",         "tls/1",       "0",       "1",
		"1",         "1",         "1",         "tld/1" },
[CP_OPEN]     = { "tls/1", "1",        "irc,scr/6", "3",           "5",       "5",
		"6",         "7",         "8",         "9" },
[CP_CLOSE]    = { "0",    "tlf/0",     "2",         "2",           "4",       "4",
		"irc,str/4", "irc,str/4", "irc,str/4", "tld,irc,str/4" },
[CP_TO_MORE]  = { "-",    "-",         "-",         "-",           "str/4",   "str/5",
		"scr/6",     "scr/6",     "scr/8",     "-" },
[CP_TO_LAST]  = { "-",    "-",         "-",         "-",           "tlf/2",   "tlf/3",
		"tlf/3",     "tlf/3",     "tlf/3",     "-" },
[CP_RCR_GOOD] = { "-",    "-",         "sta/2",     "irc,scr,sca/8", "4",     "5",
		"sca/8",     "sca,tlu/9", "sca/8",     "tld,scr,sca/8" },
[CP_RCR_BAD]  = { "-",    "-",         "sta/2",     "irc,scr,scn/6", "4",     "5",
		"scn/6",     "scn/7",     "scn/6",     "tld,scr,scn/6" },
[CP_RCA]      = { "-",    "-",         "sta/2",     "sta/3",       "4",       "5",
		"irc/7",     "scr/6",     "irc,tlu/9", "tld,scr/6" },
[CP_RCN]      = { "-",    "-",         "sta/2",     "sta/3",       "4",       "5",
		"irc,scr/6", "scr/6",     "irc,scr/8", "tld,scr/6" },
[CP_RTR]      = { "-",    "-",         "sta/2",     "sta/3",       "sta/4",   "sta/5",
		"sta/6",     "sta/6",     "sta/6",     "tld,zrc,sta/5" },
[CP_RTA]      = { "-",    "-",         "2",         "3",           "tlf/2",   "tlf/3",
		"6",         "6",         "8",         "tld,scr/6" },
[CP_RUC]      = { "-",    "-",         "scj/2",     "scj/3",       "scj/4",   "scj/5",
		"scj/6",     "scj/7",     "scj/8",     "scj/9" },
[CP_RXJ_GOOD] = { "-",    "-",         "2",         "3",           "4",       "5",
		"6",         "6",         "8",         "9" },
[CP_RXJ_BAD]  = { "-",    "-",         "tlf/2",     "tlf/3",       "tlf/2",   "tlf/3",
		"tlf/3",     "tlf/3",     "tlf/3",     "tld,irc,str/5" },
[CP_RXR]      = { "-",    "-",         "2",         "3",           "4",       "5",
		"6",         "7",         "8",         "ser/9" },
};
/* clang-format on */

static struct config config = {
	.ppp_max_configure = MAX_CONFIGURE,
	.ppp_max_failure = MAX_FAILURE,
	.ppp_restart_time = 3,
};
const struct config *conf = &config;
static struct session session = { .peer_mru = 1500 };
static struct cp cp;
static uint64_t now_ms = 1000;

/* What has happened, in order: "tld,scr,sta". */
static char happened[256];
static struct {
	uint8_t data[1600];
	size_t len;
	uint8_t request_id; /* of the last Configure-Request */
} sent;

static void
note_that(const char *what)
{
	size_t len = strlen(happened);

	snprintf(happened + len, sizeof(happened) - len, "%s%s", len ? "," : "", what);
}

/* --- what cp.c sees of the daemon --- */

void
frame_send(sess_id s, uint16_t protocol, const void *data, size_t len)
{
	static const char *const names[] = {
		[CP_CONF_REQ] = "scr",
		[CP_CONF_ACK] = "sca",
		[CP_CONF_NAK] = "scn",
		[CP_CONF_REJ] = "scn",
		[CP_TERM_REQ] = "str",
		[CP_TERM_ACK] = "sta",
		[CP_CODE_REJ] = "scj",
		[CP_ECHO_REPLY] = "ser",
	};

	assert_int_equal(s, S);
	assert_int_equal(protocol, PPP_IPCP);
	assert_in_range(len, CP_HEADER, sizeof(sent.data));
	memcpy(sent.data, data, len);
	sent.len = len;
	assert_int_equal(sent.data[2] << 8 | sent.data[3], len);
	assert_in_range(sent.data[0], CP_CONF_REQ, CP_ECHO_REPLY);
	assert_non_null(names[sent.data[0]]);
	note_that(names[sent.data[0]]);
	if (sent.data[0] == CP_CONF_REQ)
		sent.request_id = sent.data[1];
}

const struct session *
session_get(sess_id id)
{
	return id == S ? &session : NULL;
}

sess_id
session_id(const struct session *s)
{
	(void)s;
	return S;
}

void
session_set_cp(sess_id id, enum sess_cp slot, uint8_t state)
{
	assert_int_equal(id, S);
	session.cp[slot] = state;
}

/* --- the toy protocol --- */

static const struct cp_proto proto;

static struct cp *
toy_cp(sess_id s)
{
	(void)s;
	return &cp;
}

static void
toy_timeout(uint32_t s)
{
	cp_timeout(&proto, s);
}

static void
put_options(sess_id s, struct wr *w)
{
	(void)s;
	cp_put_u16(w, 1, 42);
}

static void
begin(sess_id s)
{
	(void)s;
}

static enum cp_code
option(sess_id s, const struct cp_opt *o, struct wr *nak)
{
	(void)s;
	if (o->type == 1)
		return CP_CONF_ACK;
	if (o->type != 2)
		return CP_CONF_REJ;
	cp_put_u16(nak, 2, 7);
	return CP_CONF_NAK;
}

static void
refused(sess_id s, const struct cp_opt *o)
{
	(void)s;
	(void)o;
}

static void
up(sess_id s)
{
	(void)s;
	note_that("tlu");
}

static void
down(sess_id s)
{
	(void)s;
	note_that("tld");
}

static void
finished(sess_id s)
{
	(void)s;
	note_that("tlf");
}

static void
peer_closed(sess_id s)
{
	(void)s;
}

static bool
extra(sess_id s, const struct cp_pkt *pkt)
{
	if (pkt->code != ECHO)
		return false;
	cp_answer(&proto, s, CP_ECHO_REPLY, pkt->id, "abcd", 4);
	return true;
}

static const struct cp_proto proto = {
	.name = "Toy",
	.protocol = PPP_IPCP,
	.slot = SESS_CP_IPCP,
	.cp = toy_cp,
	.timeout = toy_timeout,
	.put_options = put_options,
	.begin = begin,
	.option = option,
	.nakked = refused,
	.rejected = refused,
	.up = up,
	.down = down,
	.finished = finished,
	.peer_closed = peer_closed,
	.extra = extra,
};

/* --- driving it --- */

static void
packet(uint8_t code, uint8_t id, const void *data, size_t len)
{
	uint8_t buf[2048];
	struct wr w = wr_init(buf, sizeof(buf));

	cp_begin(&w, code, id);
	wr_bytes(&w, data, len);
	cp_input(&proto, S, rd_init(buf, cp_end(&w)));
}

static void
pass(uint64_t ms)
{
	now_ms += ms;
	timer_run(now_ms);
}

static void
cause(enum cp_event ev)
{
	static const uint8_t good[] = { 1, 4, 0, 42 }, bad[] = { 2, 4, 0, 42 };

	switch (ev) {
	case CP_TO_MORE:
		cp.tries = TRIES;
		pass(3100);
		break;
	case CP_TO_LAST:
		cp.tries = 0;
		pass(3100);
		break;
	case CP_RCR_GOOD:
		packet(CP_CONF_REQ, 9, good, sizeof(good));
		break;
	case CP_RCR_BAD:
		packet(CP_CONF_REQ, 9, bad, sizeof(bad));
		break;
	case CP_RCA:
		packet(CP_CONF_ACK, cp.id, good, sizeof(good));
		break;
	case CP_RCN:
		packet(CP_CONF_NAK, cp.id, good, sizeof(good));
		break;
	case CP_RTR:
		packet(CP_TERM_REQ, 9, NULL, 0);
		break;
	case CP_RTA:
		packet(CP_TERM_ACK, 9, NULL, 0);
		break;
	case CP_RUC:
		packet(99, 9, "?", 1);
		break;
	case CP_RXJ_GOOD:
		packet(CP_CODE_REJ, 9, "\x63", 1);
		break;
	case CP_RXJ_BAD:
		packet(CP_CODE_REJ, 9, "\x01", 1);
		break;
	case CP_RXR:
		packet(ECHO, 9, "abcd", 4);
		break;
	default:
		cp_event(&proto, S, ev);
	}
}

static bool
waits(unsigned int state)
{
	return state >= CP_CLOSING && state <= CP_ACK_SENT;
}

static void
enter(enum cp_state state)
{
	cp_init(&proto, S);
	cp.state = (uint8_t)state;
	cp.tries = TRIES;
	if (waits(state))
		timer_set(&cp.restart, SEC(3));
	happened[0] = '\0';
}

/* The order in which cp.c does what the RFC names in a cell. */
static void
in_our_order(const char *cell, char *to, size_t size)
{
	static const char *const order[] = { "tld", "scr", "sca", "scn", "scj", "ser", "str", "sta",
		"tlu", "tlf" };
	unsigned int i;

	to[0] = '\0';
	for (i = 0; i < ARRAY_LEN(order); i++)
		if (strstr(cell, order[i]))
			snprintf(
			    to + strlen(to), size - strlen(to), "%s%s", to[0] ? "," : "", order[i]);
}

static unsigned int
tries_after(const char *cell, enum cp_event ev)
{
	unsigned int tries = ev == CP_TO_LAST ? 0 : TRIES;

	if (strstr(cell, "irc"))
		tries = strstr(cell, "str") ? MAX_TERMINATE : MAX_CONFIGURE;
	if (strstr(cell, "zrc"))
		tries = 0;
	return strstr(cell, "scr") || strstr(cell, "str") ? tries - 1 : tries;
}

static void
check_cell(enum cp_event ev, enum cp_state state)
{
	const char *cell = rfc[ev][state];
	bool legal = cell[0] != '-';
	const char *slash = strchr(cell, '/');
	unsigned int next = legal ? (unsigned int)atoi(slash ? slash + 1 : cell) : state;
	char want[64];

	enter(state);
	if (!legal && (ev == CP_TO_MORE || ev == CP_TO_LAST))
		return; /* no timer runs there */
	cause(ev);
	in_our_order(cell, want, sizeof(want));
	if (strcmp(happened, want) != 0 || cp.state != next)
		fail_msg("event %d in %s: %s, then %s; the RFC has %s", ev, cp_state_names[state],
		    happened[0] ? happened : "nothing", cp_state_names[cp.state], cell);
	assert_int_equal(cp.tries, tries_after(cell, ev));
	assert_int_equal(timer_running(&cp.restart), waits(next));
	assert_int_equal(session.cp[SESS_CP_IPCP], next == state ? CP_INITIAL : next);
}

static void
every_cell_of_the_rfc(void **unused)
{
	unsigned int ev, state;

	(void)unused;
	for (ev = 0; ev < CP_EVENTS; ev++)
		for (state = 0; state < CP_STATES; state++)
			check_cell((enum cp_event)ev, (enum cp_state)state);
	cp_stop(&proto, S);
}

static void
open_it(void)
{
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	cause(CP_RCR_GOOD);
	cause(CP_RCA);
	assert_int_equal(cp.state, CP_OPENED);
}

/* Once, and not when the peer has answered our request. */
static void
asks_before_it_answers(void **unused)
{
	(void)unused;
	enter(CP_REQ_SENT);
	cp.ask_first = true;
	cause(CP_RCR_BAD);
	assert_string_equal(happened, "scr,scn");
	cause(CP_RCA);
	cause(CP_RCR_GOOD);
	assert_string_equal(happened, "scr,scn,sca,tlu");
	enter(CP_ACK_RCVD);
	cp.ask_first = true;
	cause(CP_RCR_GOOD);
	assert_string_equal(happened, "sca,tlu");
	cp_stop(&proto, S);
}

/* RFC 1661 5.2: the Ack carries the id of the request, whatever else was sent meanwhile. */
static void
ack_after_a_code_reject(void **unused)
{
	uint8_t request;

	(void)unused;
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	request = sent.request_id;
	cause(CP_RUC);
	assert_int_equal(sent.data[0], CP_CODE_REJ);
	assert_int_not_equal(sent.data[1], request);
	packet(CP_CONF_ACK, request, "\1\4\0\x2a", 4);
	assert_int_equal(cp.state, CP_ACK_RCVD);
	cause(CP_TO_MORE);
	assert_int_not_equal(sent.request_id, request);
	cp_stop(&proto, S);
}

static void
ack_of_another_request_or_changed(void **unused)
{
	(void)unused;
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	packet(CP_CONF_ACK, (uint8_t)(cp.id + 1), "\1\4\0\x2a", 4);
	packet(CP_CONF_ACK, cp.id, "\1\4\0\x2b", 4);
	packet(CP_CONF_ACK, cp.id, "\1\4\0\x2a\1\4\0\x2a", 8);
	packet(CP_CONF_ACK, cp.id, NULL, 0);
	assert_int_equal(cp.state, CP_REQ_SENT);
	cp_stop(&proto, S);
}

/* RFC 1661 4.6, Max-Failure: then what would be Nakked is Rejected, as it came. */
static void
nak_turns_into_reject(void **unused)
{
	unsigned int i;

	(void)unused;
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	for (i = 0; i < MAX_FAILURE; i++) {
		cause(CP_RCR_BAD);
		assert_int_equal(sent.data[0], CP_CONF_NAK);
		assert_memory_equal(sent.data + CP_HEADER, "\2\4\0\7", 4);
	}
	cause(CP_RCR_BAD);
	assert_int_equal(sent.data[0], CP_CONF_REJ);
	assert_memory_equal(sent.data + CP_HEADER, "\2\4\0\x2a", 4);
	cause(CP_RCR_GOOD);
	cause(CP_RCA);
	assert_int_equal(cp.state, CP_OPENED);
	cause(CP_RCR_BAD); /* a new negotiation has new patience */
	assert_int_equal(sent.data[0], CP_CONF_NAK);
	cp_stop(&proto, S);
}

/* Rejects go before Naks, RFC 1661 5.4. */
static void
reject_goes_first(void **unused)
{
	(void)unused;
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	packet(CP_CONF_REQ, 1, "\2\4\0\x2a\1\2\5\3x\7\2", 11);
	assert_int_equal(sent.data[0], CP_CONF_REJ);
	assert_int_equal(sent.len, CP_HEADER + 5);
	assert_memory_equal(sent.data + CP_HEADER, "\5\3x\7\2", 5);
	cp_stop(&proto, S);
}

static void
unanswered_requests_end(void **unused)
{
	unsigned int requests;

	(void)unused;
	enter(CP_INITIAL);
	cause(CP_OPEN);
	cause(CP_UP);
	for (requests = 1; cp.state == CP_REQ_SENT && requests < 100; requests++)
		pass(3100);
	assert_int_equal(requests, MAX_CONFIGURE + 1);
	assert_int_equal(cp.state, CP_STOPPED);
	assert_false(timer_running(&cp.restart));
}

/* A request of more than 1,500 octets: dropped, not answered with an empty frame. */
static void
request_too_long_to_answer(void **unused)
{
	static uint8_t options[1600];
	uint64_t before = counters->ppp_malformed;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(options); i += 2)
		memcpy(options + i, "\1\2", 2);
	enter(CP_REQ_SENT);
	packet(CP_CONF_REQ, 1, options, 1498);
	assert_string_equal(happened, "");
	assert_int_equal(counters->ppp_malformed, before + 1);
	packet(CP_CONF_REQ, 2, options, 1496);
	assert_string_equal(happened, "sca");
	assert_int_equal(sent.len, 1500);
	cp_stop(&proto, S);
}

/* RFC 1661 5.6: a Code-Reject must not exceed what the peer can take. */
static void
code_reject_is_cut_to_the_mru(void **unused)
{
	static const uint8_t data[600];

	(void)unused;
	session.peer_mru = 128;
	enter(CP_OPENED);
	packet(99, 1, data, sizeof(data));
	assert_int_equal(sent.data[0], CP_CODE_REJ);
	assert_int_equal(sent.len, 128);
	session.peer_mru = 1500;
	cp_stop(&proto, S);
}

/* Any event or packet in any order; the invariants of the timer and of the states. */
static void
random_step(void)
{
	uint8_t junk[64];
	size_t i, n = (size_t)random() % sizeof(junk);

	switch (random() % 4) {
	case 0:
		for (i = 0; i < n; i++)
			junk[i] = (uint8_t)random();
		packet((uint8_t)(random() % 12), random() & 1 ? cp.id : (uint8_t)random(), junk, n);
		break;
	case 1:
		pass((uint64_t)random() % 4000);
		break;
	default:
		cause((enum cp_event)(random() % CP_EVENTS));
	}
	happened[0] = '\0';
	assert_in_range(cp.state, CP_INITIAL, CP_OPENED);
	assert_int_equal(timer_running(&cp.restart), waits(cp.state));
	assert_true(cp.tries <= TRIES);
}

static void
random_runs(void **unused)
{
	unsigned int run, i;

	(void)unused;
	srandom(1661);
	for (run = 0; run < 300; run++) {
		enter(CP_INITIAL);
		for (i = 0; i < 300; i++)
			random_step();
		cp_stop(&proto, S);
		assert_false(timer_running(&cp.restart));
	}
	open_it();
	cp_stop(&proto, S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_of_the_rfc),
		cmocka_unit_test(asks_before_it_answers),
		cmocka_unit_test(ack_after_a_code_reject),
		cmocka_unit_test(ack_of_another_request_or_changed),
		cmocka_unit_test(nak_turns_into_reject),
		cmocka_unit_test(reject_goes_first),
		cmocka_unit_test(unanswered_requests_end),
		cmocka_unit_test(request_too_long_to_answer),
		cmocka_unit_test(code_reject_is_cut_to_the_mru),
		cmocka_unit_test(random_runs),
	};

	timer_run(now_ms);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
