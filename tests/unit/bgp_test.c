/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The automaton's table by its rules, and the lists of routes: readers that read in any
 * order and speed know in the end what is announced, and no more.
 */
#include "bgp_fsm.h"
#include "bgp_route.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NETS = 40, RECORDS = 60, READERS = 3 };

/* ---- the automaton ---- */

/* RFC 4271 8.2.2: who leaves Established says why, forgets what was told, closes, tries again. */
static void
what_ends_a_connection(void **state)
{
	static const struct {
		enum bgp_event ev;
		bool told;
	} ends[] = { { BGP_EV_STOP, true }, { BGP_EV_HOLD_EXPIRES, true },
		{ BGP_EV_TCP_FAILS, false }, { BGP_EV_HEADER_ERROR, true },
		{ BGP_EV_COLLISION, true }, { BGP_EV_NOTIFICATION, false },
		{ BGP_EV_UPDATE_ERROR, true } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		struct bgp_step s = bgp_fsm(BGP_ESTABLISHED, ends[i].ev);

		assert_int_equal(s.next, BGP_IDLE);
		assert_true(s.actions & BGP_DO_DOWN && s.actions & BGP_DO_DROP);
		assert_int_equal(!!(s.actions & BGP_DO_NOTIFY), ends[i].told);
	}
}

static void
each_cell_is_sound(void **state)
{
	struct bgp_step s;
	int ev, st;

	(void)state;
	for (ev = 0; ev < BGP_EVENTS; ev++)
		for (st = 0; st < BGP_STATES; st++) {
			s = bgp_fsm(st, ev);
			assert_non_null(bgp_event_names[ev]);
			assert_non_null(bgp_state_names[st]);
			/* a NOTIFICATION is for one with whom there is a connection */
			if (s.actions & (BGP_DO_NOTIFY | BGP_DO_NOTIFY_FSM))
				assert_true(st >= BGP_OPEN_SENT && s.actions & BGP_DO_DROP);
			assert_int_equal(!!(s.actions & BGP_DO_DOWN),
			    st == BGP_ESTABLISHED && s.next != BGP_ESTABLISHED);
			assert_int_equal(!!(s.actions & BGP_DO_UP),
			    st != BGP_ESTABLISHED && s.next == BGP_ESTABLISHED);
			if (s.next == BGP_IDLE && st != BGP_IDLE)
				assert_true(s.actions & BGP_DO_DROP);
			if (s.next == BGP_CONNECT && st != BGP_CONNECT)
				assert_true(s.actions & BGP_DO_CONNECT);
		}
}

static void
the_way_up(void **state)
{
	static const struct {
		enum bgp_event ev;
		enum bgp_state next;
	} way[] = { { BGP_EV_START, BGP_CONNECT }, { BGP_EV_TCP_UP, BGP_OPEN_SENT },
		{ BGP_EV_OPEN, BGP_OPEN_CONFIRM }, { BGP_EV_KEEPALIVE, BGP_ESTABLISHED },
		{ BGP_EV_UPDATE, BGP_ESTABLISHED }, { BGP_EV_REFRESH, BGP_ESTABLISHED } };
	enum bgp_state now = BGP_IDLE;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(way); i++) {
		now = bgp_fsm(now, way[i].ev).next;
		assert_int_equal(now, way[i].next);
	}
	assert_int_equal(bgp_fsm(BGP_IDLE, BGP_EV_START_PASSIVE).next, BGP_ACTIVE);
	assert_int_equal(bgp_fsm(BGP_ACTIVE, BGP_EV_TCP_UP).next, BGP_OPEN_SENT);
}

/* ---- routes ---- */

struct reader {
	bool on;
	bool knows[NETS];
};

static struct reader readers[READERS];
static bool wanted[NETS];
static unsigned int sent_away;

static uint32_t
net(unsigned int i)
{
	return htonl(0xc0a80000 + i);
}

static void
on_full(unsigned int reader)
{
	sent_away++;
	readers[reader].on = false;
	bgp_reader_stop(reader, BGP_IP4);
}

static unsigned int
index_of(const struct bgp_prefix *p)
{
	unsigned int i = p->addr[3];

	assert_in_range(i, 0, NETS - 1);
	assert_int_equal(p->len, 32);
	return i;
}

static bool
read_one(unsigned int r, enum bgp_list list)
{
	struct bgp_prefix p;

	if (!bgp_reader_peek(r, BGP_IP4, list, &p))
		return false;
	readers[r].knows[index_of(&p)] = list == BGP_ANNOUNCED;
	bgp_reader_take(r, BGP_IP4, list);
	return true;
}

static void
read_all(unsigned int r)
{
	while (read_one(r, BGP_WITHDRAWN) || read_one(r, BGP_ANNOUNCED))
		;
}

static void
start_or_stop(unsigned int r)
{
	if (readers[r].on)
		bgp_reader_stop(r, BGP_IP4);
	else
		bgp_reader_start(r, BGP_IP4);
	readers[r] = (struct reader){ .on = !readers[r].on };
}

static void
change(unsigned int i)
{
	if (wanted[i])
		bgp_route_del4(net(i), 32, false);
	else
		bgp_route_add4(net(i), 32, false);
	wanted[i] = !wanted[i];
}

/* Any order of changes, reading, beginning and ending: who has read all knows what is announced. */
static void
readers_learn_what_is_announced(void **state)
{
	unsigned int round, r, i;

	(void)state;
	srandom(3);
	for (round = 0; round < 200000; round++) {
		r = (unsigned int)random() % READERS;
		switch (random() % 8) {
		case 0:
			if (random() % 50 == 0)
				start_or_stop(r);
			break;
		case 1:
		case 2:
			if (readers[r].on && !read_one(r, BGP_WITHDRAWN))
				read_one(r, BGP_ANNOUNCED);
			break;
		case 3:
			if (readers[r].on && random() % 20 == 0)
				bgp_reader_again(r, BGP_IP4);
			break;
		default:
			change((unsigned int)random() % NETS);
		}
		if (!readers[r].on || random() % 100)
			continue;
		read_all(r);
		for (i = 0; i < NETS; i++)
			assert_int_equal(readers[r].knows[i], wanted[i]);
	}
}

static void
calm(void)
{
	unsigned int i;

	for (i = 0; i < READERS; i++) {
		bgp_reader_stop(i, BGP_IP4);
		readers[i] = (struct reader){ 0 };
	}
	for (i = 0; i < NETS; i++)
		if (wanted[i])
			change(i);
	assert_int_equal(bgp_route_count(BGP_IP4), 0);
}

/* He who does not read makes the table full with what he has to be told; then he must go. */
static void
a_reader_that_holds_back_is_sent_away(void **state)
{
	unsigned int i;

	(void)state;
	calm();
	bgp_reader_start(0, BGP_IP4);
	bgp_reader_start(1, BGP_IP4);
	readers[0].on = readers[1].on = true;
	sent_away = 0;
	for (i = 0; i < 3 * RECORDS; i++) {
		bgp_route_add4(htonl(0x0a000000 + i), 32, false);
		bgp_route_del4(htonl(0x0a000000 + i), 32, false);
		while (bgp_reader_peek(1, BGP_IP4, BGP_WITHDRAWN, &(struct bgp_prefix){ 0 }))
			bgp_reader_take(1, BGP_IP4, BGP_WITHDRAWN);
	}
	assert_int_equal(sent_away, 1);
	assert_false(readers[0].on);
	assert_true(readers[1].on);
}

static unsigned int
told(unsigned int r)
{
	struct bgp_prefix p;
	unsigned int n = 0;

	while (bgp_reader_peek(r, BGP_IP4, BGP_ANNOUNCED, &p)) {
		bgp_reader_take(r, BGP_IP4, BGP_ANNOUNCED);
		n++;
	}
	return n;
}

/* A network of the pool covers what is in it; when it goes, that comes out. */
static void
inside_a_pool(void **state)
{
	(void)state;
	calm();
	bgp_reader_start(0, BGP_IP4);
	bgp_route_add4(htonl(0x0a000000), 8, true);
	bgp_route_add4(htonl(0x0a010200), 24, false);
	bgp_route_add4(htonl(0x0a010200), 24, false); /* twice */
	bgp_route_add4(htonl(0x0b010200), 24, false);
	assert_int_equal(told(0), 2);
	assert_int_equal(bgp_route_count(BGP_IP4), 2);
	bgp_route_del4(htonl(0x0a000000), 8, true);
	bgp_route_uncover();
	assert_int_equal(told(0), 1);
	bgp_route_add4(htonl(0x0a000000), 8, true);
	bgp_route_del4(htonl(0x0a010200), 24, false);
	assert_int_equal(bgp_route_count(BGP_IP4), 3);
	bgp_route_del4(htonl(0x0a010200), 24, false);
	assert_int_equal(bgp_route_count(BGP_IP4), 2);
}

static void
ip6(void **state)
{
	struct bgp_prefix p = { .afi = BGP_IP6, .len = 48, .addr = { 0x20, 1, 0xd, 0xb8, 0, 1 } },
			  q;

	(void)state;
	bgp_reader_start(2, BGP_IP6);
	bgp_route_add(&p, false);
	assert_true(bgp_reader_peek(2, BGP_IP6, BGP_ANNOUNCED, &q));
	assert_memory_equal(&p, &q, sizeof(p));
	bgp_route_del(&p, false);
	assert_false(bgp_reader_peek(2, BGP_IP6, BGP_ANNOUNCED, &q));
	assert_true(bgp_reader_peek(2, BGP_IP6, BGP_WITHDRAWN, &q));
	bgp_reader_stop(2, BGP_IP6);
	assert_int_equal(bgp_route_count(BGP_IP6), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ends_a_connection),
		cmocka_unit_test(each_cell_is_sound),
		cmocka_unit_test(the_way_up),
		cmocka_unit_test(readers_learn_what_is_announced),
		cmocka_unit_test(a_reader_that_holds_back_is_sent_away),
		cmocka_unit_test(inside_a_pool),
		cmocka_unit_test(ip6),
	};

	bgp_route_init(RECORDS);
	bgp_route_on_full(on_full);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
