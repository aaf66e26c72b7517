/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elections by simulation: members with clocks of their own on a net that delays, loses and
 * parts, with tables that are no more than a version. A tick is 10 ms.
 */
#include "election.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MEMBERS = 8,
	TICK = 10,
	INTERVAL = 500,
	TIMEOUT = 3000,
	DELAY = 40,		 /* ms, at most */
	SYNC_MS = 400,		 /* that a slave needs to be up to date */
	FRESH_MS = 3 * INTERVAL, /* a member that lives is heard in that */
	FLYING = 4096,		 /* heartbeats on their way */
	QUIET = 6 * TIMEOUT,	 /* in which all must be well again */
};

struct member {
	struct election e;
	uint64_t clock;	  /* its clock is ahead of the simulation's by that */
	uint64_t beat;	  /* next heartbeat, simulation's time */
	uint64_t synced;  /* will be up to date then; 0: is, or is none that follows */
	uint64_t frozen;  /* until then */
	uint32_t term;	  /* highest it had */
	unsigned int net; /* the part of the net it is in */
	bool alive;
};

struct flying {
	uint64_t at;
	unsigned int to;
	uint64_t from; /* incarnation */
	uint32_t term;
	struct cl_heartbeat hb;
};

static struct member members[MEMBERS];
static struct flying flying[FLYING];
static unsigned int n_flying, n_members, loss; /* percent */
static uint64_t now, incarnations;
static bool blocked[MEMBERS][MEMBERS]; /* from, to */
static uint32_t interval, timeout;
static uint32_t seed;

static uint32_t
any(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static uint64_t
clock_of(const struct member *m)
{
	return now + m->clock;
}

static void
start(unsigned int i)
{
	struct member *m = &members[i];

	*m =
	    (struct member){ .alive = true, .clock = 1 + any(1000000), .beat = now, .net = m->net };
	election_init(&m->e, ++incarnations, htonl(0x0a000001 + i), interval, timeout, clock_of(m));
}

static void
begin(unsigned int n, uint32_t with)
{
	unsigned int i;

	memset(members, 0, sizeof(members));
	memset(blocked, 0, sizeof(blocked));
	now = 1000;
	n_flying = loss = 0;
	interval = INTERVAL;
	timeout = TIMEOUT;
	n_members = n;
	seed = with;
	for (i = 0; i < n; i++)
		start(i);
}

/* --- the net --- */

static bool
reaches(const struct member *m, unsigned int to)
{
	return members[to].alive && members[to].net == m->net && !blocked[m - members][to];
}

static void
send_to(const struct member *m, unsigned int to)
{
	struct flying *f = &flying[n_flying];

	if (!reaches(m, to) || any(100) < loss)
		return;
	assert_true(n_flying < FLYING);
	n_flying++;
	f->at = now + 1 + any(DELAY);
	f->to = to;
	f->from = m->e.incarnation;
	f->term = m->e.term;
	memset(&f->hb, 0, sizeof(f->hb));
	election_tell(&m->e, clock_of(m), &f->hb);
}

static void
beat(struct member *m)
{
	unsigned int i;

	for (i = 0; i < n_members; i++)
		if (&members[i] != m)
			send_to(m, i);
	m->beat = now + interval;
}

static void
drop_flying(unsigned int i)
{
	flying[i] = flying[--n_flying];
}

/* What waits in its socket. */
static void
forget_input(const struct member *m)
{
	unsigned int i = 0;

	while (i < n_flying)
		if (&members[flying[i].to] == m && flying[i].at <= now)
			drop_flying(i);
		else
			i++;
}

static struct member *
by_incarnation(uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; i < n_members; i++)
		if (members[i].alive && members[i].e.incarnation == incarnation)
			return &members[i];
	return NULL;
}

/* The stream: who is up to date has with the heartbeat what the master had. */
static void
hear(struct member *m, const struct flying *f)
{
	election_heard(&m->e, f->from, f->term, &f->hb, clock_of(m));
	if (m->e.role == CL_SLAVE && m->e.master == f->from && f->hb.role == CL_MASTER &&
	    m->e.up_to_date)
		m->e.version = MAX(m->e.version, f->hb.version);
}

static void
deliver(void)
{
	unsigned int i = 0;
	struct flying f;

	while (i < n_flying) {
		f = flying[i];
		if (f.at > now || members[f.to].frozen > now) {
			i++;
			continue;
		}
		drop_flying(i);
		if (members[f.to].alive)
			hear(&members[f.to], &f);
	}
}

/* --- a member --- */

static void
act(struct member *m, const struct election_step *step)
{
	struct member *winner;

	assert_true(step->term >= m->term);
	if (step->what == ELECTION_MASTER || step->what == ELECTION_RAISED)
		assert_true(step->term > m->term);
	m->term = step->term;
	if (step->what == ELECTION_FROZEN)
		forget_input(m);
	if (step->what == ELECTION_MASTER || step->what == ELECTION_LOST)
		m->synced = 0;
	if (step->what == ELECTION_FOLLOW || step->what == ELECTION_YIELD)
		m->synced = now + SYNC_MS;
	if (step->what == ELECTION_YIELD) {
		winner = by_incarnation(step->master);
		if (winner && reaches(m, (unsigned int)(winner - members))) /* the offer */
			winner->e.version = MAX(winner->e.version, m->e.version);
	}
	beat(m);
}

static void
sync(struct member *m)
{
	const struct member *master = by_incarnation(m->e.master);

	if (!m->synced || now < m->synced)
		return;
	m->synced = 0;
	if (!master || master->frozen > now || master->e.role != CL_MASTER ||
	    !reaches(master, (unsigned int)(m - members)) ||
	    !reaches(m, (unsigned int)(master - members)))
		m->synced = now + SYNC_MS; /* asks again */
	else {
		m->e.version = master->e.version;
		m->e.up_to_date = true;
	}
}

static void
turn(struct member *m)
{
	struct election_step step;
	unsigned int n = 0;

	if (!m->alive || m->frozen > now)
		return;
	do {
		m->e.holds_state = m->e.version > 0;
		step = election_step(&m->e, clock_of(m));
		if (step.what != ELECTION_NOTHING)
			act(m, &step);
		assert_true(++n < 10);
	} while (step.what != ELECTION_NOTHING);
	sync(m);
	if (now >= m->beat)
		beat(m);
}

static void
run(uint64_t ms)
{
	uint64_t end = now + ms;
	unsigned int i;

	while (now < end) {
		for (i = 0; i < n_members; i++)
			turn(&members[i]);
		deliver();
		now += TICK;
	}
}

/* --- what must be so --- */

static struct member *
master_of(unsigned int net)
{
	struct member *found = NULL;
	unsigned int i;

	for (i = 0; i < n_members; i++)
		if (members[i].alive && members[i].net == net && members[i].e.role == CL_MASTER) {
			assert_null(found);
			found = &members[i];
		}
	return found;
}

/* One master in each part of the net that has members, and all follow it, up to date. */
static void
assert_settled(void)
{
	unsigned int i;

	for (i = 0; i < n_members; i++) {
		struct member *m = &members[i], *master = master_of(m->net);

		if (!m->alive)
			continue;
		assert_non_null(master);
		assert_int_equal(m->e.master, master->e.incarnation);
		assert_int_equal(m->e.term, master->e.term);
		assert_true(m->e.up_to_date);
		assert_int_equal(m->e.version, master->e.version);
	}
}

static void
change(unsigned int n)
{
	struct member *m = master_of(0);

	assert_non_null(m);
	m->e.version += n;
}

static struct member *
a_slave(unsigned int nth)
{
	unsigned int i;

	for (i = 0; i < n_members; i++)
		if (members[i].alive && members[i].e.role == CL_SLAVE && nth-- == 0)
			return &members[i];
	return NULL;
}

static void
block(const struct member *from, const struct member *to, bool on)
{
	blocked[from - members][to - members] = on;
}

static void
mute(const struct member *m, bool on)
{
	unsigned int i;

	for (i = 0; i < n_members; i++)
		blocked[m - members][i] = on;
}

/* --- a cold start --- */

static void
alone_it_serves_after_two_seconds(void **state)
{
	(void)state;
	begin(1, 1);
	run(1990);
	assert_null(master_of(0));
	run(20);
	assert_non_null(master_of(0));
	assert_int_equal(members[0].e.term, 1);
}

static void
with_a_short_timeout_it_serves_after_that(void **state)
{
	(void)state;
	begin(1, 1);
	election_init(&members[0].e, 1, 1, 100, 700, clock_of(&members[0]));
	run(690);
	assert_null(master_of(0));
	run(20);
	assert_non_null(master_of(0));
}

static void
who_has_no_net_serves_at_once(void **state)
{
	(void)state;
	begin(1, 1);
	election_alone(&members[0].e);
	run(TICK);
	assert_non_null(master_of(0));
}

static void
the_first_started_is_master_after_two_seconds(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < MEMBERS; i++) {
		begin(MEMBERS, 7 + i);
		run(100);
		members[i].e.started_ms -= 200;
		members[i].e.listens_ms -= 200;
		run(1810);
		assert_ptr_equal(master_of(0), &members[i]);
		run(1000);
		assert_settled();
		assert_int_equal(members[0].e.term, 1);
	}
}

static void
of_those_started_at_once_the_highest_address_is_master(void **state)
{
	unsigned int i;

	(void)state;
	begin(3, 11);
	for (i = 0; i < 3; i++) {
		struct cl_heartbeat hb = { 0 };
		unsigned int k;

		for (k = 0; k < 3; k++) {
			if (k == i)
				continue;
			hb.uptime_ms = 1500;
			hb.address = members[k].e.address;
			election_heard(&members[i].e, members[k].e.incarnation, 0, &hb,
			    members[i].e.started_ms + 1500);
		}
		members[i].e.stepped_ms = members[i].e.started_ms + 1500;
		assert_int_equal(election_step(&members[i].e, members[i].e.started_ms + 2000).what,
		    i == 2 ? ELECTION_MASTER : ELECTION_NOTHING);
	}
}

static void
who_comes_later_follows(void **state)
{
	unsigned int i;

	(void)state;
	begin(4, 3);
	members[3].alive = false;
	run(4000);
	change(10);
	start(3);
	run(INTERVAL + SYNC_MS + 100);
	assert_settled();
	for (i = 0; i < 4; i++)
		assert_int_equal(members[i].e.term, 1);
}

/* --- a net that carries one way only, or between some --- */

static void
a_slave_that_nobody_hears_takes_nothing_over(void **state)
{
	struct member *m, *mute_one;
	uint64_t end;

	(void)state;
	begin(3, 6);
	run(5000);
	change(5);
	run(1000);
	m = master_of(0);
	mute_one = a_slave(0);
	mute(mute_one, true);
	run(TIMEOUT - INTERVAL);
	assert_false(election_unheard(&mute_one->e, clock_of(mute_one)));
	run(2 * INTERVAL + FRESH_MS);
	assert_true(election_unheard(&mute_one->e, clock_of(mute_one)));
	run(10 * TIMEOUT);
	assert_ptr_equal(master_of(0), m);
	assert_int_equal(m->e.term, 1);
	assert_int_equal(mute_one->e.master, m->e.incarnation);
	m->alive = false;
	for (end = now + 10 * TIMEOUT; now < end; run(TICK))
		assert_ptr_not_equal(master_of(0), mute_one);
	assert_int_equal(mute_one->e.master, master_of(0)->e.incarnation);
	mute(mute_one, false);
	run(TIMEOUT);
	assert_false(election_unheard(&mute_one->e, clock_of(mute_one)));
	assert_settled();
}

static void
a_master_that_nobody_hears_gives_way(void **state)
{
	struct member *m;
	uint64_t muted, two = 0;

	(void)state;
	begin(3, 8);
	run(5000);
	m = master_of(0);
	mute(m, true);
	muted = now;
	while (m->e.role == CL_MASTER) {
		two += TICK * (a_slave(0) == NULL || a_slave(1) == NULL);
		run(TICK);
		assert_true(now - muted < TIMEOUT + 3 * INTERVAL);
	}
	assert_true(two <= DELAY + 2 * TICK);
	run(2 * TIMEOUT);
	assert_non_null(master_of(0));
	assert_true(election_unheard(&m->e, clock_of(m)));
	mute(m, false);
	run(TIMEOUT);
	assert_settled();
}

/* Both were masters when the one fell silent for the other. */
static void
of_two_masters_the_one_that_is_not_heard_gives_way(void **state)
{
	struct member *low, *high;

	(void)state;
	begin(2, 9);
	members[1].net = 1;
	run(5000);
	master_of(1)->e.version = 20;
	low = master_of(0);
	high = master_of(1);
	block(high, low, true);
	members[1].net = 0;
	run(TIMEOUT + 2 * INTERVAL);
	assert_ptr_equal(master_of(0), low);
	assert_int_equal(high->e.master, low->e.incarnation);
	block(high, low, false);
	run(2 * TIMEOUT);
	assert_settled();
}

static void
a_pair_that_does_not_hear_each_other_makes_no_second_master(void **state)
{
	struct member *m, *apart;

	(void)state;
	begin(3, 10);
	run(5000);
	m = master_of(0);
	apart = a_slave(1);
	block(m, apart, true);
	block(apart, m, true);
	run(10 * TIMEOUT);
	assert_ptr_equal(master_of(0), m);
	assert_int_equal(m->e.term, 1);
	assert_int_equal(apart->e.master, 0);
	assert_true(election_shut_out(&apart->e, clock_of(apart)));
	block(m, apart, false);
	block(apart, m, false);
	run(TIMEOUT);
	assert_settled();
	block(a_slave(0), a_slave(1), true);
	block(a_slave(1), a_slave(0), true);
	run(5 * TIMEOUT);
	assert_settled(); /* slaves need not hear each other */
}

/* --- the master goes --- */

static void
silence_makes_another_master(void **state)
{
	struct member *m;

	(void)state;
	begin(4, 5);
	run(5000);
	change(5);
	run(1000);
	m = master_of(0);
	m->alive = false;
	run(TIMEOUT - INTERVAL - DELAY - TICK);
	assert_null(master_of(0));
	run(2 * INTERVAL + 2 * DELAY + 2 * TICK);
	assert_non_null(master_of(0));
	run(1000);
	assert_settled();
	assert_int_equal(master_of(0)->e.version, 5);
	assert_int_equal(master_of(0)->e.term, 2);
}

/* Whatever their uptime: those that have nothing let those go first that have it all. */
static void
who_is_up_to_date_wins(void **state)
{
	unsigned int i, keeper;
	uint32_t with;

	(void)state;
	for (with = 1; with <= 200; with++) {
		begin(6, with);
		run(5000);
		loss = any(30);
		change(100);
		run(2000);
		do
			keeper = any(6);
		while (&members[keeper] == master_of(0));
		for (i = 0; i < 6; i++)
			if (&members[i] != master_of(0) && i != keeper) {
				members[i].e.up_to_date = false; /* lags */
				members[i].e.version = any(100);
				members[i].synced = 0;
			}
		run(INTERVAL * 2);
		master_of(0)->alive = false;
		run(QUIET);
		loss = 0;
		run(QUIET);
		assert_settled();
		assert_int_equal(master_of(0)->e.version, 100);
	}
}

static void
the_last_one_serves(void **state)
{
	unsigned int left;

	(void)state;
	begin(MEMBERS, 9);
	run(5000);
	change(3);
	run(1000);
	for (left = MEMBERS; left > 1; left--) {
		master_of(0)->alive = false;
		run(QUIET);
		assert_settled();
		assert_int_equal(master_of(0)->e.version, 3);
	}
	members[0].alive = true;
}

static void
a_planned_leave_names_an_up_to_date_one(void **state)
{
	struct member *m, *heir;
	unsigned int i;
	uint64_t successor;

	(void)state;
	begin(5, 13);
	run(5000);
	change(7);
	run(1000);
	m = master_of(0);
	for (i = 0; i < 5; i++)
		if (&members[i] != m && i != 1 + (m == &members[1]))
			members[i].e.up_to_date = false;
	run(2 * INTERVAL);
	successor = election_successor(&m->e, clock_of(m));
	heir = by_incarnation(successor);
	assert_ptr_equal(heir, &members[1 + (m == &members[1])]);
	for (i = 0; i < 5; i++)
		if (&members[i] != m)
			election_left(
			    &members[i].e, m->e.incarnation, successor, clock_of(&members[i]));
	m->alive = false;
	run(2 * TICK);
	assert_ptr_equal(master_of(0), heir);
	run(INTERVAL);
	assert_int_equal(heir->e.term, 2);
	for (i = 0; i < 5; i++)
		if (members[i].alive)
			assert_int_equal(members[i].e.master, successor);
}

/* The heir is dead too: nobody waits for ever. */
static void
an_heir_that_is_silent_is_passed_over(void **state)
{
	unsigned int i;
	struct member *m, *heir;

	(void)state;
	begin(4, 17);
	run(5000);
	m = master_of(0);
	heir = by_incarnation(election_successor(&m->e, clock_of(m)));
	for (i = 0; i < 4; i++)
		election_left(
		    &members[i].e, m->e.incarnation, heir->e.incarnation, clock_of(&members[i]));
	m->alive = heir->alive = false;
	run(5 * INTERVAL);
	assert_non_null(master_of(0));
	run(1000);
	assert_settled();
}

static void
nobody_is_named_who_is_not_up_to_date(void **state)
{
	unsigned int i;

	(void)state;
	begin(3, 19);
	run(5000);
	assert_int_equal(
	    election_up_to_date(&master_of(0)->e, 4 * INTERVAL, clock_of(master_of(0))), 2);
	assert_int_equal(election_drawing(&master_of(0)->e, clock_of(master_of(0))), 0);
	for (i = 0; i < 3; i++)
		if (&members[i] != master_of(0))
			members[i].e.up_to_date = false;
	run(2 * INTERVAL);
	assert_int_equal(election_successor(&master_of(0)->e, clock_of(master_of(0))), 0);
	assert_int_equal(election_up_to_date(&master_of(0)->e, 0, clock_of(master_of(0))), 0);
	assert_int_equal(
	    election_up_to_date(&master_of(0)->e, 4 * INTERVAL, clock_of(master_of(0))), 2);
	assert_int_equal(election_drawing(&master_of(0)->e, clock_of(master_of(0))), 0);
	for (i = 0; i < ELECTION_PEERS; i++)
		master_of(0)->e.peers[i].hb.flags |= CL_DRAWS;
	assert_int_equal(election_drawing(&master_of(0)->e, clock_of(master_of(0))), 2);
}

/* --- a member stands still --- */

static void
who_was_frozen_is_slave_before_it_acts(void **state)
{
	struct member *m;
	struct election_step step;

	(void)state;
	begin(3, 23);
	run(5000);
	change(4);
	run(1000);
	m = master_of(0);
	m->frozen = now + 2 * TIMEOUT;
	run(2 * TIMEOUT - TICK);
	step = election_step(&m->e, clock_of(m));
	assert_int_equal(step.what, ELECTION_FROZEN);
	assert_true(step.was_master);
	assert_int_equal(m->e.role, CL_SLAVE);
	forget_input(m);
	run(QUIET);
	assert_settled();
	assert_ptr_not_equal(master_of(0), m);
	assert_int_equal(master_of(0)->e.version, 4);
}

/* As when the machine was stopped that all of them run on. */
static void
if_nobody_else_became_master_it_is_again(void **state)
{
	struct member *m;
	unsigned int i;

	(void)state;
	begin(4, 29);
	run(5000);
	m = master_of(0);
	for (i = 0; i < 4; i++)
		members[i].frozen = now + 2 * TIMEOUT;
	run(2 * TIMEOUT + 4 * INTERVAL);
	assert_ptr_equal(master_of(0), m);
	run(1000);
	assert_settled();
	assert_int_equal(m->e.term, 2);
}

static void
alone_and_frozen_it_goes_on_at_once(void **state)
{
	(void)state;
	begin(1, 31);
	run(3000);
	change(1);
	members[0].frozen = now + 2 * TIMEOUT;
	run(2 * TIMEOUT + TICK);
	assert_int_equal(members[0].e.role, CL_MASTER);
	assert_int_equal(members[0].e.term, 2);
}

static void
a_frozen_slave_does_not_elect_itself(void **state)
{
	struct member *m, *s;

	(void)state;
	begin(2, 37);
	run(5000);
	m = master_of(0);
	s = m == members ? &members[1] : members;
	s->frozen = now + 3 * TIMEOUT;
	run(QUIET);
	assert_settled();
	assert_ptr_equal(master_of(0), m);
	assert_int_equal(m->e.term, 1);
}

/* --- two masters --- */

static struct election_step
meets(struct election *e, uint32_t term, uint64_t version, uint64_t uptime_ms, uint32_t address)
{
	struct cl_heartbeat hb = { .role = CL_MASTER,
		.version = version,
		.uptime_ms = uptime_ms,
		.address = htonl(address),
		.master = 99 };

	election_heard(e, 99, term, &hb, 10000);
	return election_step(e, 10000);
}

static void
masters_give_way_in_order(void **state)
{
	static const struct {
		uint32_t term;
		uint64_t version, uptime_ms;
		uint32_t address;
		bool yields;
	} row[] = {
		{ 6, 0, 0, 1, true },
		{ 4, 100, 100000, 9, false },
		{ 5, 51, 0, 1, true },
		{ 5, 49, 100000, 9, false },
		{ 5, 50, 10000, 1, true },
		{ 5, 50, 8000, 9, false },
		{ 5, 50, 9000, 6, true },
		{ 5, 50, 9000, 4, false },
	};
	struct election_step step;
	struct election e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		election_init(&e, 1, htonl(5), INTERVAL, TIMEOUT, 1000);
		election_alone(&e);
		assert_int_equal(election_step(&e, 1000).what, ELECTION_MASTER);
		e.term = 5;
		e.version = 50;
		e.stepped_ms = 9990;
		step = meets(&e, row[i].term, row[i].version, row[i].uptime_ms, row[i].address);
		assert_int_equal(step.what, row[i].yields ? ELECTION_YIELD : ELECTION_NOTHING);
		assert_int_equal(e.role, row[i].yields ? CL_SLAVE : CL_MASTER);
		if (row[i].yields)
			assert_int_equal(step.master, 99);
	}
}

/* As long as heartbeats take longer than the uptimes differ, each finds itself the older one. */
static void
rivals_that_both_feel_higher_come_to_an_end(void **state)
{
	unsigned int i;

	(void)state;
	begin(2, 41);
	for (i = 0; i < 2; i++) {
		members[i].net = i;
		election_alone(&members[i].e);
	}
	members[1].e.started_ms -= 120;
	run(1000);
	members[1].net = 0;
	run(5 * INTERVAL);
	assert_settled();
	assert_ptr_equal(master_of(0), &members[1]);
}

static void
parts_of_a_net_come_together(void **state)
{
	unsigned int i;

	(void)state;
	begin(6, 43);
	run(5000);
	change(9);
	run(1000);
	for (i = 3; i < 6; i++)
		members[i].net = 1;
	run(QUIET);
	assert_settled();
	master_of(1)->e.version += 5;
	run(1000);
	for (i = 3; i < 6; i++)
		members[i].net = 0;
	run(QUIET);
	assert_settled();
	assert_int_equal(master_of(0)->e.version, 14);
}

/* A slave has followed a master that the others never heard. */
static void
a_master_raises_its_term_above_what_it_hears(void **state)
{
	struct cl_heartbeat hb = { .role = CL_SLAVE, .address = htonl(77) };
	struct election_step step;
	struct election e;

	(void)state;
	election_init(&e, 1, htonl(5), INTERVAL, TIMEOUT, 1000);
	election_alone(&e);
	assert_int_equal(election_step(&e, 1000).what, ELECTION_MASTER);
	hb.master = 55;
	election_heard(&e, 2, 7, &hb, 1010);
	assert_int_equal(election_step(&e, 1010).what, ELECTION_NOTHING);
	hb.master = 0;
	election_heard(&e, 2, 7, &hb, 1020);
	step = election_step(&e, 1020);
	assert_int_equal(step.what, ELECTION_RAISED);
	assert_int_equal(step.term, 8);
	assert_int_equal(election_step(&e, 1030).what, ELECTION_NOTHING);
}

/* --- one member, and what it hears --- */

enum { PEER = 99, OTHER = 98 };

static struct election one;

/* Since 10 s a slave that is up to date, of a master that it heard last at time 1000. */
static void
follow_peer(uint32_t timeout_ms)
{
	struct cl_heartbeat hb = { .role = CL_MASTER,
		.address = htonl(9),
		.master = PEER,
		.flags = CL_HOLDS_STATE | CL_UP_TO_DATE,
		.uptime_ms = 20000 };

	election_init(&one, 1, htonl(5), INTERVAL, timeout_ms, 990);
	one.started_ms -= 10000;
	election_heard(&one, PEER, 3, &hb, 1000);
	assert_int_equal(election_step(&one, 1000).what, ELECTION_FOLLOW);
	one.up_to_date = one.holds_state = true;
	one.version = 50;
}

static void
hear_slave(uint64_t incarnation, uint16_t flags, uint64_t version, uint64_t master, uint64_t at)
{
	struct cl_heartbeat hb = { .flags = flags,
		.version = version,
		.master = master,
		.uptime_ms = 30000 + at,
		.address = htonl((uint32_t)incarnation) };

	election_heard(&one, incarnation, 3, &hb, at);
}

/* Steps in ticks up to `until`, hearing the slave all the time; when something happened, and what.
 */
static uint64_t
happens(uint64_t from, uint64_t until, uint16_t flags, uint64_t master, enum election_what *what)
{
	uint64_t at;

	for (at = from; at < until; at += TICK) {
		if (flags)
			hear_slave(OTHER, flags, 50, master, at);
		*what = election_step(&one, at).what;
		if (*what != ELECTION_NOTHING)
			return at;
	}
	return 0;
}

static void
a_short_timeout_is_kept(void **state)
{
	enum election_what what;

	(void)state;
	follow_peer(2 * INTERVAL);
	assert_int_equal(happens(1010, 9000, 0, 0, &what), 1000 + 2 * INTERVAL);
	assert_int_equal(what, ELECTION_LOST);
	assert_int_equal(election_step(&one, 1000 + 2 * INTERVAL).what, ELECTION_MASTER);
	assert_int_equal(one.term, 4);
}

static void
what_a_master_said_before_it_left_is_ignored(void **state)
{
	struct cl_heartbeat hb = { .role = CL_MASTER, .master = PEER, .uptime_ms = 20100 };

	(void)state;
	follow_peer(TIMEOUT);
	election_left(&one, PEER, OTHER, 1100);
	election_heard(&one, PEER, 3, &hb, 1110);
	assert_int_equal(election_step(&one, 1110).what, ELECTION_LOST);
	assert_int_equal(
	    election_step(&one, 1110).what, ELECTION_MASTER); /* the heir is not heard */
}

/* One that hears the master still has us wait, for as long as we hear that. */
static void
a_master_that_another_hears_is_given_time(void **state)
{
	enum election_what what;

	(void)state;
	follow_peer(TIMEOUT);
	assert_int_equal(happens(1010, 9000, CL_HOLDS_STATE, PEER, &what), 1000 + TIMEOUT);
	assert_int_equal(what, ELECTION_LOST);
	assert_int_equal(happens(1000 + TIMEOUT, 50000, CL_HOLDS_STATE, PEER, &what), 0);
	assert_true(election_shut_out(&one, 50000));
	assert_int_equal(happens(50000, 60000, 0, 0, &what), 49990 + FRESH_MS + TICK);
	assert_int_equal(what, ELECTION_MASTER);
}

/* It is better, and says so, but does not become master. */
static void
who_should_be_master_is_waited_for_a_while(void **state)
{
	const uint16_t flags = CL_HOLDS_STATE | CL_UP_TO_DATE;
	enum election_what what;

	(void)state;
	follow_peer(TIMEOUT);
	assert_int_equal(happens(1010, 9000, flags, 0, &what), 1000 + TIMEOUT);
	assert_int_equal(
	    happens(1000 + TIMEOUT, 9000, flags, 0, &what), 1000 + TIMEOUT + 2 * INTERVAL + TICK);
	assert_int_equal(what, ELECTION_MASTER);

	follow_peer(TIMEOUT);
	one.up_to_date = false;
	assert_int_equal(happens(1010, 9000, flags, 0, &what), 1000 + TIMEOUT);
	assert_int_equal(
	    happens(1000 + TIMEOUT, 19000, flags, 0, &what), 1000 + 2 * TIMEOUT + TICK);
	assert_int_equal(what, ELECTION_MASTER);
}

/* Of those that are up to date, the one that has more; the version of another is no matter. */
static void
newer_tables_go_before_uptime(void **state)
{
	static const struct {
		uint16_t flags;
		uint64_t version;
		bool waits;
	} row[] = {
		{ CL_HOLDS_STATE | CL_UP_TO_DATE, 51, true },
		{ CL_HOLDS_STATE | CL_UP_TO_DATE, 50, true }, /* the longer uptime */
		{ CL_HOLDS_STATE | CL_UP_TO_DATE, 49, false },
		{ CL_HOLDS_STATE, 51, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		follow_peer(TIMEOUT);
		one.stepped_ms = 1000 + TIMEOUT - TICK;
		assert_int_equal(election_step(&one, 1000 + TIMEOUT).what, ELECTION_LOST);
		hear_slave(OTHER, row[i].flags, row[i].version, 0, 1000 + TIMEOUT);
		assert_int_equal(election_step(&one, 1000 + TIMEOUT).what,
		    row[i].waits ? ELECTION_NOTHING : ELECTION_MASTER);
	}
}

/*
 * Each is older than the other, as it sees it: when that does not end, the address decides,
 * which both see alike.
 */
static void
a_rival_that_stays_is_told_by_its_address(void **state)
{
	struct cl_heartbeat hb = { .role = CL_MASTER };
	uint32_t address;
	uint64_t at;

	(void)state;
	for (address = 4; address <= 6; address += 2) {
		election_init(&one, 1, htonl(5), INTERVAL, TIMEOUT, 1000);
		election_alone(&one);
		assert_int_equal(election_step(&one, 1000).what, ELECTION_MASTER);
		hb.address = htonl(address);
		for (at = 2000; at < 9000; at += TICK) {
			hb.uptime_ms = at - 1000 - 500;
			election_heard(&one, PEER, 1, &hb, at);
			one.stepped_ms = at - TICK;
			if (election_step(&one, at).what == ELECTION_YIELD)
				break;
		}
		assert_int_equal(at, address > 5 ? 2000 + 3 * INTERVAL + TICK : 9000);
	}
}

/* --- everything at once --- */

static void
trouble(void)
{
	struct member *m = &members[any(n_members)];
	unsigned int i;

	switch (any(9)) {
	case 0:
		m->alive = false;
		return;
	case 1:
	case 2:
		if (!m->alive)
			start((unsigned int)(m - members));
		return;
	case 3:
		m->frozen = now + any(3 * timeout);
		return;
	case 4:
		for (i = 0; i < n_members; i++)
			members[i].net = any(3);
		return;
	case 5:
		for (i = 0; i < n_members; i++)
			members[i].net = 0;
		return;
	case 6:
		loss = any(60);
		return;
	case 7:
		for (i = 0; i < n_members; i++)
			blocked[any(n_members)][any(n_members)] = any(2);
		return;
	default:
		for (i = 0; i < n_members; i++)
			if (members[i].e.role == CL_MASTER)
				members[i].e.version += any(10);
	}
}

static void
whatever_happens_there_is_one_master_in_the_end(void **state)
{
	unsigned int i, n;
	uint32_t with;

	(void)state;
	for (with = 1; with <= 400; with++) {
		begin(0, with);
		interval = 100 * (1 + any(5));
		timeout = interval * (1 + any(8));
		n_members = 1 + any(MEMBERS);
		for (i = 0; i < n_members; i++)
			start(i);
		for (n = 5 + any(30); n > 0; n--) {
			trouble();
			run(any(2 * timeout));
		}
		loss = 0;
		memset(blocked, 0, sizeof(blocked));
		for (i = 0; i < n_members; i++)
			members[i].frozen = 0;
		members[0].net = 0;
		if (!members[0].alive)
			start(0);
		run(QUIET);
		assert_settled();
		for (i = 0; i < n_members; i++)
			members[i].net = 0;
		run(QUIET);
		assert_settled();
	}
}

/* Loss alone makes no second master: with a timeout of six intervals one in five may be lost. */
static void
loss_alone_changes_nothing(void **state)
{
	(void)state;
	begin(5, 47);
	run(5000);
	loss = 10;
	run(600000);
	loss = 0;
	run(1000);
	assert_settled();
	assert_int_equal(master_of(0)->e.term, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_it_serves_after_two_seconds),
		cmocka_unit_test(with_a_short_timeout_it_serves_after_that),
		cmocka_unit_test(who_has_no_net_serves_at_once),
		cmocka_unit_test(the_first_started_is_master_after_two_seconds),
		cmocka_unit_test(of_those_started_at_once_the_highest_address_is_master),
		cmocka_unit_test(who_comes_later_follows),
		cmocka_unit_test(a_pair_that_does_not_hear_each_other_makes_no_second_master),
		cmocka_unit_test(of_two_masters_the_one_that_is_not_heard_gives_way),
		cmocka_unit_test(a_master_that_nobody_hears_gives_way),
		cmocka_unit_test(a_slave_that_nobody_hears_takes_nothing_over),
		cmocka_unit_test(silence_makes_another_master),
		cmocka_unit_test(who_is_up_to_date_wins),
		cmocka_unit_test(the_last_one_serves),
		cmocka_unit_test(a_planned_leave_names_an_up_to_date_one),
		cmocka_unit_test(an_heir_that_is_silent_is_passed_over),
		cmocka_unit_test(nobody_is_named_who_is_not_up_to_date),
		cmocka_unit_test(who_was_frozen_is_slave_before_it_acts),
		cmocka_unit_test(if_nobody_else_became_master_it_is_again),
		cmocka_unit_test(alone_and_frozen_it_goes_on_at_once),
		cmocka_unit_test(a_frozen_slave_does_not_elect_itself),
		cmocka_unit_test(masters_give_way_in_order),
		cmocka_unit_test(rivals_that_both_feel_higher_come_to_an_end),
		cmocka_unit_test(parts_of_a_net_come_together),
		cmocka_unit_test(a_master_raises_its_term_above_what_it_hears),
		cmocka_unit_test(a_short_timeout_is_kept),
		cmocka_unit_test(what_a_master_said_before_it_left_is_ignored),
		cmocka_unit_test(a_master_that_another_hears_is_given_time),
		cmocka_unit_test(who_should_be_master_is_waited_for_a_while),
		cmocka_unit_test(newer_tables_go_before_uptime),
		cmocka_unit_test(a_rival_that_stays_is_told_by_its_address),
		cmocka_unit_test(loss_alone_changes_nothing),
		cmocka_unit_test(whatever_happens_there_is_one_master_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
