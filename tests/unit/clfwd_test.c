/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a slave hands on and the master takes in: the two sides speak to each other through
 * the real codec, in turn in one process. Doors, clock and sockets are stand-ins.
 */
#include "clfwd.h"
#include "clmsg.h"
#include "counter.h"
#include "loop.h"
#include "role.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MASTER = 0x0200000a, LAC = 0x0300000a, SERVER = 0x0400000a, OURS = 0x0500000a };

static uint32_t now_ds = 1000;
static int local = 7; /* of OURS */

static uint8_t message[CLMSG_LARGEST]; /* the last one a slave sent */
static size_t message_len;
static unsigned int messages;
static bool no_room, repeats;
static unsigned int acks;

static struct pkt got[2 * UDP_BATCH]; /* what a door got */
static uint8_t got_data[2 * UDP_BATCH][64];
static unsigned int n_up, n_down, batches, dae_requests, flushes;
static struct clfwd_from dae_from;

/* --- stand-ins --- */

uint32_t
loop_now_ds(void)
{
	return now_ds;
}

uint64_t
loop_now_ms(void)
{
	return (uint64_t)now_ds * 100;
}

static bool
acknowledges(void)
{
	return repeats;
}

static uint64_t
sender(void)
{
	return 77;
}

uint32_t
udp_local_address(uint8_t l)
{
	assert_int_equal(l, local);
	return OURS;
}

int
udp_local_of(uint32_t addr)
{
	return addr == OURS ? local : -1;
}

void
udp_flush(void)
{
	flushes++;
}

static void
keep(struct pkt *pkts, unsigned int n, unsigned int *count)
{
	unsigned int i;

	assert_in_range(n, 1, UDP_BATCH);
	batches++;
	for (i = 0; i < n; i++, (*count)++) {
		got[*count] = pkts[i];
		memcpy(got_data[*count], pkts[i].data, MIN(pkts[i].len, sizeof(got_data[0])));
		memset(pkts[i].data - PKT_HEADROOM, 0xee, PKT_HEADROOM); /* it is ours */
	}
}

static void
from_lacs(struct pkt *pkts, unsigned int n)
{
	keep(pkts, n, &n_up);
}

static void
to_subscribers(struct pkt *pkts, unsigned int n)
{
	keep(pkts, n, &n_down);
}

static void
dae(const struct clfwd_from *from, const void *data, size_t len)
{
	dae_requests++;
	dae_from = *from;
	assert_int_equal(len, 5);
	assert_memory_equal(data, "hello", 5);
}

static bool
send_message(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	assert_int_equal(to, kind == CL_FORWARD ? MASTER : LAC);
	if (kind == CL_FORWARD_ACK)
		acks++;
	else
		assert_int_equal(kind, CL_FORWARD);
	if (no_room)
		return false;
	messages++;
	message_len = len;
	memcpy(message, fields, len);
	return true;
}

/* --- the two sides --- */

static struct pkt
packet(const char *text)
{
	static uint8_t data[64];

	memcpy(data, text, strlen(text));
	return (struct pkt){
		.data = data,
		.len = (uint16_t)strlen(text),
		.from_ip = LAC,
		.from_port = 1705,
		.local = (uint8_t)local,
	};
}

static void
be_slave(void)
{
	role_set(false, MASTER);
}

/* The last message comes to the master. */
static void
master_hears(void)
{
	role_set(true, 0);
	clfwd_input(LAC, rd_init(message, message_len));
}

static int
setup(void **state)
{
	(void)state;
	now_ds++;
	messages = n_up = n_down = batches = dae_requests = flushes = 0;
	message_len = 0;
	no_room = repeats = false;
	acks = 0;
	memset(counters, 0, sizeof(*counters));
	be_slave();
	return 0;
}

/* --- tests --- */

static void
a_packet_of_a_lac_comes_as_it_was(void **state)
{
	struct pkt p = packet("control");

	(void)state;
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), 0);
	assert_int_equal(messages, 1);
	assert_int_equal(counters->cluster_forwarded, 1);
	master_hears();
	assert_int_equal(n_up, 0); /* there may be more */
	clfwd_turn_end();
	assert_int_equal(n_up, 1);
	assert_int_equal(got[0].len, 7);
	assert_memory_equal(got_data[0], "control", 7);
	assert_int_equal(got[0].from_ip, LAC);
	assert_int_equal(got[0].from_port, 1705);
	assert_int_equal(got[0].local, local);
	assert_int_equal(counters->recv_forward, 1);
	clfwd_turn_end();
	assert_int_equal(n_up, 1);
	assert_int_equal(flushes, 0);
}

/* They are sent from where they lie, so the batch may be used again only behind a flush. */
static void
a_packet_for_a_subscriber(void **state)
{
	(void)state;
	assert_int_equal(clfwd_to_subscriber((const uint8_t *)"ip", 2), 0);
	master_hears();
	clfwd_turn_end();
	assert_int_equal(n_down, 1);
	assert_int_equal(n_up, 0);
	assert_memory_equal(got_data[0], "ip", 2);
	assert_int_equal(flushes, 1);
}

static void
a_request_of_a_server(void **state)
{
	const struct clfwd_from from = { .ip = SERVER, .asked = OURS, .port = 50000 };

	(void)state;
	assert_int_equal(clfwd_dae(&from, "hello", 5), 0);
	master_hears();
	assert_int_equal(dae_requests, 1);
	assert_int_equal(dae_from.ip, SERVER);
	assert_int_equal(dae_from.asked, OURS);
	assert_int_equal(dae_from.port, 50000);
}

/* Order is kept, and no batch is more than the doors take. */
static void
many_packets_in_batches(void **state)
{
	char text[32];
	unsigned int i;

	(void)state;
	for (i = 0; i < UDP_BATCH + 10; i++) {
		struct pkt p;

		snprintf(text, sizeof(text), "packet %u", i);
		p = packet(text);
		be_slave();
		assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), 0);
		master_hears();
	}
	assert_int_equal(n_up, UDP_BATCH);
	clfwd_turn_end();
	assert_int_equal(n_up, UDP_BATCH + 10);
	assert_int_equal(batches, 2);
	for (i = 0; i < n_up; i++) {
		snprintf(text, sizeof(text), "packet %u", i);
		assert_memory_equal(got_data[i], text, strlen(text));
	}
}

static void
without_a_master(void **state)
{
	const struct clfwd_from from = { .ip = SERVER, .asked = OURS, .port = 50000 };
	struct pkt p = packet("x");

	(void)state;
	role_set(false, 0);
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), -1);
	assert_int_equal(clfwd_to_subscriber(p.data, 1), -1);
	assert_int_equal(clfwd_dae(&from, "x", 1), -1);
	assert_int_equal(messages, 0);
	assert_int_equal(counters->forward_no_master, 3);
	assert_int_equal(counters->cluster_forwarded, 0);
}

/* Nothing is handed on twice: who is no master drops it, be it there already or not. */
static void
who_is_no_master_drops(void **state)
{
	struct pkt p = packet("x");

	(void)state;
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), 0);
	clfwd_input(LAC, rd_init(message, message_len));
	clfwd_turn_end();
	assert_int_equal(counters->forward_not_master, 1);
	master_hears();
	be_slave();
	clfwd_turn_end();
	assert_int_equal(counters->forward_not_master, 2);
	role_set(true, 0);
	clfwd_turn_end();
	assert_int_equal(n_up, 0);
	assert_int_equal(messages, 1);
}

static void
packets_of_unknown_sessions_are_rationed(void **state)
{
	struct pkt p = packet("x");
	unsigned int i, sent = 0;

	(void)state;
	for (i = 0; i < 2 * CLFWD_PER_TENTH; i++)
		sent += i % 2 ? clfwd_unknown_from_lac(&p, CLFWD_ONCE) == 0
			      : clfwd_unknown_to_subscriber(p.data, 1) == 0;
	assert_int_equal(sent, CLFWD_PER_TENTH);
	assert_int_equal(messages, CLFWD_PER_TENTH);
	assert_int_equal(counters->forward_unknown, CLFWD_PER_TENTH);
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), 0); /* these are not */
	now_ds++;
	assert_int_equal(clfwd_unknown_from_lac(&p, CLFWD_ONCE), 0);
}

static void
what_cannot_be_sent(void **state)
{
	struct pkt p = packet("x");
	uint8_t *large = calloc(1, 65535);

	(void)state;
	assert_non_null(large);
	no_room = true;
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), -1);
	no_room = false;
	p.data = large;
	p.len = 65507;
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), -1);
	assert_int_equal(counters->forward_failed, 2);
	p.len = CLFWD_PAYLOAD;
	assert_int_equal(clfwd_from_lac(&p, CLFWD_ONCE), 0);
	free(large);
	master_hears();
	clfwd_turn_end();
	assert_int_equal(n_up, 1);
	assert_int_equal(got[0].len, CLFWD_PAYLOAD);
}

static void
input(const struct cl_forward *f)
{
	static uint8_t buf[CLMSG_LARGEST];
	struct wr w = wr_init(buf, sizeof(buf));

	clmsg_put_forward(&w, f);
	role_set(true, 0);
	clfwd_input(LAC, rd_init(buf, wr_len(&w)));
	clfwd_turn_end();
}

static void
what_the_master_does_not_take(void **state)
{
	static uint8_t data[CLFWD_PAYLOAD + 1];
	struct cl_forward f = {
		.what = CL_L2TP, .from_ip = LAC, .to_ip = SERVER, .payload = data, .len = 10
	};

	(void)state;
	input(&f); /* to an address that is none of ours */
	assert_int_equal(counters->forward_bad_address, 1);
	f.to_ip = OURS;
	f.len = CLFWD_PAYLOAD + 1;
	input(&f);
	assert_int_equal(counters->forward_malformed, 1);
	f.len = 10;
	f.what = 99;
	input(&f);
	assert_int_equal(counters->forward_malformed, 2);
	clfwd_input(LAC, rd_init("\0\1\0\5x", 5));
	assert_int_equal(counters->forward_malformed, 3);
	clfwd_turn_end();
	assert_int_equal(n_up + n_down + dae_requests, 0);
}

/* Only to a master that acknowledges, and IP never. */
static void
what_controls_something_is_numbered(void **state)
{
	struct pkt p = packet("x");
	struct cl_forward f;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		repeats = i & 2;
		assert_int_equal(clfwd_from_lac(&p, i & 1 ? CLFWD_REPEAT : CLFWD_ONCE), 0);
		assert_true(clmsg_get_forward(rd_init(message, message_len), &f));
		assert_int_equal(f.number != 0, i == 3);
	}
	master_hears();
	clfwd_input(LAC, rd_init(message, message_len));
	clfwd_turn_end();
	assert_int_equal(n_up, 1);
	assert_int_equal(acks, 1);
	assert_int_equal(counters->forward_duplicate, 1);
	clfwd_acked(MASTER, rd_init(message, message_len));
	clfwd_acked(MASTER, rd_init("x", 1));
	assert_int_equal(counters->forward_malformed, 1);
}

static void
refusals_name_the_master(void **state)
{
	char text[80];

	(void)state;
	role_refusal(text, sizeof(text));
	assert_string_equal(text, "not master, the master is 10.0.0.2");
	role_set(false, 0);
	role_refusal(text, sizeof(text));
	assert_string_equal(text, "not master, and no master is known");
	role_set(true, MASTER);
	assert_int_equal(role_master_address(), 0);
}

int
main(void)
{
	static const struct clfwd_doors doors = { from_lacs, to_subscribers, dae, send_message,
		acknowledges, sender };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_packet_of_a_lac_comes_as_it_was, setup),
		cmocka_unit_test_setup(a_packet_for_a_subscriber, setup),
		cmocka_unit_test_setup(a_request_of_a_server, setup),
		cmocka_unit_test_setup(many_packets_in_batches, setup),
		cmocka_unit_test_setup(without_a_master, setup),
		cmocka_unit_test_setup(who_is_no_master_drops, setup),
		cmocka_unit_test_setup(packets_of_unknown_sessions_are_rationed, setup),
		cmocka_unit_test_setup(what_cannot_be_sent, setup),
		cmocka_unit_test_setup(what_the_master_does_not_take, setup),
		cmocka_unit_test_setup(what_controls_something_is_numbered, setup),
		cmocka_unit_test_setup(refusals_name_the_master, setup),
	};

	if (!role_is_master()) /* until somebody says otherwise */
		return 1;
	role_init();
	clfwd_init(&doors);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
