/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel against a peer played by the test, with a clock that the test
 * turns: windows, retransmission, order, acknowledgements, and what a peer that does
 * not play fair can make us keep. At the end two channels' worth of random loss.
 */
#include "avp.h"
#include "config.h"
#include "l2tp_chan.h"
#include "role.h"
#include "loop.h"
#include "timer.h"
#include "tunnel.h"
#include "udp.h"
#include "tests/unit/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SENT_MAX = 4096, LACS = 40, PEER_TID = 7 };

/* What left, in order. */
static struct {
	tunn_id t;
	uint16_t ns, nr, number;
	bool empty;
} sent[SENT_MAX];
static unsigned int n_sent;

static uint16_t delivered[SENT_MAX]; /* first octets of what l2tp.c would get */
static unsigned int n_delivered, n_dead, n_drained;
static tunn_id t;

time_t
loop_time(void)
{
	return (time_t)(now_ms / 1000);
}

void
udp_send(uint8_t local, uint32_t ip, uint16_t port, const void *data, size_t len)
{
	struct rd r = rd_init(data, len);
	struct l2tp_hdr h;

	(void)local;
	(void)port;
	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
	assert_int_equal(h.wire_tid, PEER_TID);
	if (n_sent == SENT_MAX)
		return;
	sent[n_sent].t = ntohl(ip);
	sent[n_sent].ns = h.ns;
	sent[n_sent].nr = h.nr;
	sent[n_sent].empty = rd_left(&r) == 0;
	rd_skip(&r, sent[n_sent].empty ? 0 : 8);
	sent[n_sent].number = rd_left(&r) >= 2 ? rd_u16(&r) : 0;
	n_sent++;
}

static void
on_message(tunn_id id, uint16_t wire_sid, struct rd avps)
{
	(void)id;
	(void)wire_sid;
	assert_true(n_delivered < SENT_MAX);
	delivered[n_delivered++] = rd_u16(&avps);
}

static void
on_dead(tunn_id id)
{
	n_dead++;
	l2tp_chan_close(id);
}

static void
on_drained(tunn_id id)
{
	(void)id;
	n_drained++;
}

static const struct chan_events events = {
	.message = on_message,
	.dead = on_dead,
	.drained = on_drained,
};

static void
pass(uint64_t ms)
{
	for (now_ms += ms % 10; ms >= 10; ms -= 10) {
		now_ms += 10;
		timer_run(now_ms);
		l2tp_chan_flush();
	}
}

/* A message of ours, its number in its body. */
static int
say(tunn_id id, uint16_t number, size_t room)
{
	uint8_t buf[1400] = { 0 };
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_begin(&w, CTL_HELLO);
	wr_u16(&w, number);
	if (room)
		memset(wr_space(&w, room), 0, room);
	return l2tp_chan_send(id, buf, ctl_end(&w, PEER_TID, 0));
}

/* A packet of the peer's; `number` 0: a ZLB. */
static void
hear(tunn_id id, uint16_t ns, uint16_t nr, uint16_t number)
{
	struct l2tp_hdr h = { .ns = ns, .nr = nr };
	uint8_t body[2] = { (uint8_t)(number >> 8), (uint8_t)number };

	l2tp_chan_input(id, &h, rd_init(body, number ? sizeof(body) : 0));
}

static int
set_up(void **state)
{
	(void)state;
	n_sent = n_delivered = n_dead = n_drained = 0;
	t = tunnel_new(htonl(1), 1701, PEER_TID, 0);
	tunnel_set_peer(t, "lac", "", 1000, 0);
	tunnel_set_state(t, TUNNEL_OPEN);
	l2tp_chan_open(t);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	l2tp_chan_close(t);
	tunnel_free(t);
	pass(20);
	return 0;
}

static void
nobody_answers(void **state)
{
	static const unsigned int gaps[] = { 1000, 2000, 4000, 8000, 8000 };
	unsigned int i;

	(void)state;
	say(t, 1, 0);
	pass(50);
	for (i = 0; i < ARRAY_LEN(gaps); i++) {
		pass(gaps[i] - 100);
		assert_int_equal(n_sent, i + 1);
		pass(100);
		assert_int_equal(n_sent, i + 2);
	}
	assert_int_equal(n_dead, 0);
	pass(8000);
	assert_int_equal(n_dead, 1);
	assert_int_equal(n_sent, 6);
	say(t, 2, 0); /* on a closed channel */
	pass(20000);
	assert_int_equal(n_sent, 6);
}

/* He may speak to members that we do not hear; when they are back he has some time yet. */
static void
while_members_are_missing_nobody_is_dead(void **state)
{
	(void)state;
	role_set_split(true);
	say(t, 1, 0);
	pass(1000000);
	assert_int_equal(n_dead, 0);
	assert_true(n_sent > 100);
	role_set_split(false);
	pass(15000);
	assert_int_equal(n_dead, 0);
	pass(15000);
	assert_int_equal(n_dead, 1);
}

static void
acknowledged_after_death(void **state)
{
	tunn_id other = tunnel_new(htonl(2), 1701, PEER_TID, 0);

	(void)state;
	say(t, 1, 0);
	pass(40000);
	assert_int_equal(n_dead, 1);
	hear(t, 0, 1, 0);
	hear(t, 0, 1, 5);
	assert_int_equal(n_delivered, 0);
	l2tp_chan_open(other);
	n_sent = 0;
	assert_int_equal(say(other, 1, 0), 0);
	assert_int_equal(n_sent, 1);
	l2tp_chan_close(other);
	tunnel_free(other);
}

static void
window_opens_slowly(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++)
		say(t, 1, 0);
	assert_int_equal(n_sent, 1);
	hear(t, 0, 1, 0);
	assert_int_equal(n_sent, 3); /* slow start: two for one */
	hear(t, 0, 3, 0);
	assert_int_equal(n_sent, 7);
	hear(t, 0, 7, 0);
	assert_int_equal(n_sent, 15);
	pass(1100); /* all eight lost: begins again with one */
	assert_int_equal(n_sent, 16);
	assert_int_equal(sent[15].ns, 7);
	hear(t, 0, 15,
	    0); /* they had arrived; beyond half the old window it grows by one a window */
	assert_true(n_sent <= 16 + 9);
	assert_int_equal(sent[16].ns, 15);
}

static void
never_more_than_the_peer_takes(void **state)
{
	unsigned int i;
	uint16_t acked = 0;

	(void)state;
	tunnel_set_peer(t, "lac", "", 4, 0);
	for (i = 0; i < 50; i++)
		say(t, 1, 0);
	while (acked < 50) {
		assert_true((uint16_t)(sent[n_sent - 1].ns - acked) < 4);
		hear(t, 0, ++acked, 0);
	}
	assert_int_equal(n_sent, 50);
	assert_int_equal(n_drained, 1);
	assert_true(l2tp_chan_idle(t));
}

static void
acknowledges_at_once(void **state)
{
	(void)state;
	say(t, 1, 0); /* not acknowledged: nothing may wait for it */
	hear(t, 0, 0, 11);
	hear(t, 1, 0, 12);
	l2tp_chan_flush();
	assert_int_equal(n_sent, 2);
	assert_true(sent[1].empty);
	assert_int_equal(sent[1].nr, 2);
	assert_int_equal(sent[1].ns, 1);
	l2tp_chan_flush();
	assert_int_equal(n_sent, 2);
	hear(t, 0, 0, 11); /* repeated: acknowledged again, not delivered */
	l2tp_chan_flush();
	assert_int_equal(n_sent, 3);
	assert_int_equal(n_delivered, 2);
}

static void
order_is_restored(void **state)
{
	static const uint16_t order[] = { 3, 1, 4, 2, 2, 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(order); i++)
		hear(t, order[i], 0, (uint16_t)(100 + order[i]));
	assert_int_equal(n_delivered, 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(delivered[i], 100 + i);
}

static void
numbers_wrap(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 66000; i++) {
		n_sent = n_delivered = 0;
		say(t, 1, 0);
		hear(t, (uint16_t)i, (uint16_t)(i + 1), 9);
		assert_int_equal(n_delivered, 1);
		assert_true(l2tp_chan_idle(t));
	}
}

static void
outside_the_window(void **state)
{
	(void)state;
	hear(t, 512, 0, 1);    /* beyond what we advertise */
	hear(t, 0x8001, 0, 1); /* before: an acknowledgement only */
	hear(t, 0, 1, 1);      /* acknowledges what was never sent */
	assert_int_equal(n_delivered, 0);
	hear(t, 511, 0, 511);
	hear(t, 0, 0, 1);
	assert_int_equal(n_delivered, 1);
}

static void
early_messages_are_few(void **state)
{
	tunn_id fresh = tunnel_new(htonl(3), 1701, PEER_TID, 0); /* opening */
	uint16_t i;

	(void)state;
	l2tp_chan_open(fresh);
	for (i = 1; i <= 600; i++) {
		hear(t, i, 0, i);
		hear(fresh, i, 0, i);
	}
	hear(fresh, 0, 0, 700);
	assert_int_equal(n_delivered, 1 + 4);
	hear(t, 0, 0, 700);
	assert_int_equal(n_delivered, 5 + 512); /* the window we advertise */
	assert_true(l2tp_chan_settled(t));
	l2tp_chan_close(fresh);
	tunnel_free(fresh);
}

/* A peer that makes us answer and never acknowledges is not listened to any more. What it says
 * within our window is kept, and has its turn as soon as it acknowledges. */
static void
greedy_peer_waits(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 1024; i++) {
		assert_int_equal(say(t, 1, 0), 0);
		n_delivered = 0;
		hear(t, (uint16_t)i, 0, 7);
		assert_int_equal(n_delivered, i < 1023);
	}
	hear(t, 1023, 0, 7); /* repeated, and nothing acknowledged */
	hear(t, 1025, 0, 9);
	hear(t, 1024, 0, 8);
	assert_int_equal(n_delivered, 0);
	assert_false(l2tp_chan_settled(t));
	n_sent = 0;
	hear(t, 0, 1, 0); /* one is */
	assert_int_equal(n_delivered, 3);
	assert_int_equal(delivered[0], 7);
	assert_int_equal(delivered[2], 9);
	l2tp_chan_flush();
	assert_true(n_sent > 0 && sent[n_sent - 1].nr == 1026);
}

static void
pools_come_back(void **state)
{
	tunn_id lac[LACS];
	unsigned int i, j, round, taken;

	(void)state;
	for (round = 0, taken = 0; round < 3; round++) {
		for (i = 0; i < LACS; i++) {
			lac[i] = tunnel_new(htonl(10 + i), 1701, PEER_TID, 0);
			l2tp_chan_open(lac[i]);
			for (j = 0; j < 900; j++)
				say(lac[i], 1, j % 2 ? 600 : 0);
		}
		for (i = 0; i < LACS; i++) {
			l2tp_chan_close(lac[i]);
			tunnel_free(lac[i]);
		}
		taken += say(t, 1, 600) == 0;
		taken += say(t, 1, 0) == 0;
	}
	assert_int_equal(taken, 6);
}

/* Whatever is lost, everything arrives once and in order, both ways. */
static void
random_loss(void **state)
{
	uint16_t peer_ns = 0, peer_nr = 0, said = 0;
	unsigned int seed = 4711, i, from, rounds = 0;

	(void)state;
	while ((peer_nr < 500 || n_delivered < 500) && rounds++ < 20000 && !n_dead) {
		if (said < 500 && rand_r(&seed) % 3 == 0)
			say(t, ++said, 0);
		from = n_sent;
		if (n_delivered < 500 && rand_r(&seed) % 2) /* its next, or one it thinks lost */
			hear(t, n_delivered, peer_nr, (uint16_t)(n_delivered + 1));
		if (rand_r(&seed) % 2)
			hear(t, peer_ns, peer_nr, 0);
		pass(20 * (rand_r(&seed) % 20));
		for (i = from; i < n_sent; i++)
			if (!sent[i].empty && sent[i].ns == peer_nr && rand_r(&seed) % 4)
				peer_nr++;
		if (n_sent > SENT_MAX / 2)
			n_sent = 0;
	}
	assert_int_equal(n_dead, 0);
	assert_int_equal(peer_nr, 500);
	assert_int_equal(n_delivered, 500);
	for (i = 0; i < 500; i++)
		assert_int_equal(delivered[i], i + 1);
}

/* --- masters that change --- */

/* A peer that keeps the rules: what it has sent and got. */
static struct {
	uint16_t acked, next; /* its messages are numbered from 1 */
	uint16_t nr;
	uint16_t got[2 * SENT_MAX];
	unsigned int n_got;
} peer;

static void
peer_hears(unsigned int from, unsigned int *seed)
{
	unsigned int i;

	for (i = from; i < n_sent; i++) {
		if (rand_r(seed) % 16 == 0) /* so seldom that no channel dies of it */
			continue;
		if ((uint16_t)(sent[i].nr - peer.acked) <= (uint16_t)(peer.next - peer.acked))
			peer.acked = sent[i].nr;
		if (sent[i].empty || sent[i].ns != peer.nr)
			continue;
		peer.nr++;
		peer.got[peer.n_got++] = sent[i].number;
	}
}

/* Something new, or what was not acknowledged, or an acknowledgement. */
static void
peer_speaks(tunn_id master, uint16_t most, unsigned int *seed)
{
	if (rand_r(seed) % 2 && peer.next < most && (uint16_t)(peer.next - peer.acked) < 8) {
		peer.next++;
		hear(master, (uint16_t)(peer.next - 1), peer.nr, peer.next);
	} else if (rand_r(seed) % 2 && peer.next != peer.acked) {
		hear(master, peer.acked, peer.nr, (uint16_t)(peer.acked + 1));
	} else {
		hear(master, peer.next, peer.nr, 0);
	}
}

/* What was still to be told when we stepped down has long been acknowledged when we are master
 * again: another channel's message lies in its place. */
static void
nothing_untold_behind_a_step_down(void **state)
{
	tunn_id other = tunnel_new(htonl(2), 1701, PEER_TID, 0);
	struct chan_state st;
	const uint8_t *data;
	uint16_t ns, len;

	(void)state;
	tunnel_set_state(other, TUNNEL_OPEN);
	l2tp_chan_open(other);
	say(t, 1, 0);
	l2tp_chan_export(t, &st);
	l2tp_chan_yield(t);
	st.acked = st.high = st.ns;
	l2tp_chan_install(t, &st);
	say(other, 2, 0);
	assert_false(l2tp_chan_untold(t, &ns, &data, &len));
	l2tp_chan_close(other);
	tunnel_free(other);
}

/* What the stream tells at the end of a turn, in front of the packets. */
static void
tell_slave(tunn_id master, tunn_id slave)
{
	struct chan_state st;
	const uint8_t *data;
	uint16_t ns, len;

	l2tp_chan_export(master, &st);
	l2tp_chan_install(slave, &st);
	while (l2tp_chan_untold(master, &ns, &data, &len))
		assert_int_equal(l2tp_chan_keep(slave, ns, data, len), 0);
}

/* One in `deaf` tellings is lost together with the master. 0: none. */
static void
run_masters(unsigned int seed, unsigned int deaf)
{
	tunn_id other = tunnel_new(htonl(2), 1701, PEER_TID, 0), master = t, slave = other, was;
	uint16_t said = 0, most = 400;
	unsigned int from, rounds = 0;

	tunnel_set_peer(slave, "lac", "", 1000, 0);
	tunnel_set_state(slave, TUNNEL_OPEN);
	memset(&peer, 0, sizeof(peer));
	n_delivered = 0;
	while ((said < most || peer.next < most || !l2tp_chan_idle(master) ||
		   peer.acked != peer.next) &&
	       rounds++ < 50000) {
		from = n_sent = 0;
		if (said < most && rand_r(&seed) % 3 == 0)
			say(master, ++said, 0);
		if (rand_r(&seed) % 2)
			peer_speaks(master, most, &seed);
		pass(20 * (rand_r(&seed) % 20));
		was = master;
		if (!deaf || rand_r(&seed) % deaf)
			tell_slave(master, slave);
		peer_hears(from, &seed);
		if (rand_r(&seed) % 60 == 0 && said < most) {
			l2tp_chan_yield(master);
			n_sent = 0;
			l2tp_chan_adopt(slave);
			peer_hears(0, &seed);
			master = slave;
			slave = was;
		}
	}
	assert_int_equal(n_dead, 0);
	assert_true(l2tp_chan_idle(master));
	assert_int_equal(peer.acked, most);
	l2tp_chan_close(other);
	tunnel_free(other);
}

/* Whoever is the master: all arrives once and in order, both ways. */
static void
changing_masters(void **state)
{
	unsigned int run, i;

	(void)state;
	for (run = 0; run < 40; run++) {
		run_masters(100 + run, 0);
		assert_int_equal(peer.n_got, 400);
		assert_int_equal(n_delivered, 400);
		for (i = 0; i < 400; i++) {
			assert_int_equal(peer.got[i], i + 1);
			assert_int_equal(delivered[i], i + 1);
		}
		tear_down(state);
		set_up(state);
	}
}

/* Also when one dies that could not tell all, the channel goes on. */
static void
masters_that_die_untold(void **state)
{
	unsigned int run;

	(void)state;
	for (run = 0; run < 40; run++) {
		run_masters(100 + run, 3);
		tear_down(state);
		set_up(state);
	}
}

/* One that is not acknowledged, as RFC 2661 5.8 says. */
static void
repeat(uint16_t ns, uint16_t nr)
{
	unsigned int wait, n_before = n_delivered;

	for (wait = 1000; wait <= 8000 && n_delivered == n_before; wait *= 2) {
		hear(t, ns, nr, (uint16_t)(ns + 1));
		pass(wait);
	}
}

/* The peer turns to another master, and back: what the other one has had is not waited for. */
static void
two_masters(void **state)
{
	(void)state;
	say(t, 1, 0);
	hear(t, 0, 1, 1);
	assert_int_equal(n_delivered, 1);
	say(t, 2, 0); /* and the other master has said two things */
	hear(t, 3, 3, 4);
	pass(20000);
	assert_int_equal(n_delivered, 1); /* alone there is none who has had what is missing */
	l2tp_chan_doubt(true);
	n_sent = 0;
	hear(t, 4, 3, 5);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].ns, 3); /* ours, with a number that the peer takes */
	assert_int_equal(sent[0].number, 2);
	hear(t, 5, 4, 0);
	pass(20000);
	assert_int_equal(n_delivered, 1); /* not repeated: the other has had these, too */
	repeat(5, 4);
	assert_int_equal(n_delivered, 2);
	assert_int_equal(delivered[1], 6);
	hear(t, 6, 4, 7);
	assert_int_equal(n_delivered, 3);
	hear(t, 8, 4, 9); /* the peer's own loss, repeated in time */
	pass(1000);
	hear(t, 7, 4, 8);
	hear(t, 10, 4, 11);
	pass(7500);
	hear(t, 9, 4, 10);
	assert_int_equal(n_delivered, 7);
	l2tp_chan_doubt(false);
}

/* Both masters agree about the tunnel, while a message of the peer's waits for one that it will not
 * say again: what is known of its repetitions is not forgotten. */
static void
masters_that_agree(void **state)
{
	(void)state;
	l2tp_chan_yield(t);
	l2tp_chan_adopt(t);
	hear(t, 1, 0, 2);
	pass(1000);
	hear(t, 1, 0, 2);
	pass(1500);
	assert_int_equal(n_delivered, 0);
	l2tp_chan_yield(t);
	l2tp_chan_adopt(t);
	pass(500);
	hear(t, 1, 0, 2);
	pass(1500);
	assert_int_equal(n_delivered, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    while_members_are_missing_nobody_is_dead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(acknowledged_after_death, set_up, tear_down),
		cmocka_unit_test_setup_teardown(window_opens_slowly, set_up, tear_down),
		cmocka_unit_test_setup_teardown(never_more_than_the_peer_takes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(acknowledges_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(order_is_restored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_wrap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(outside_the_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(early_messages_are_few, set_up, tear_down),
		cmocka_unit_test_setup_teardown(greedy_peer_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pools_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    nothing_untold_behind_a_step_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changing_masters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(masters_that_die_untold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_masters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(masters_that_agree, set_up, tear_down),
	};

	config_init();
	timer_run(now_ms);
	tunnel_init(1000);
	l2tp_chan_init(1000, 1000, &events);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
