/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom of the cluster we hear: proofs, counters, addresses, places. */
#include "clguard.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OWN = 7, JOE = 1000, HERE = 0x0a000001, THERE = 0x0a000002, START_MS = 50000 };

static struct clguard g;

static int
set_up(void **state)
{
	(void)state;
	clguard_init(&g, OWN, HERE);
	return 0;
}

/* A heartbeat to all. */
static struct cl_head
from(uint64_t incarnation, uint64_t counter)
{
	return (struct cl_head){
		.kind = CL_HEARTBEAT, .incarnation = incarnation, .counter = counter, .len = 100
	};
}

static struct cl_head
to_us(uint8_t kind, uint64_t incarnation, uint64_t counter)
{
	struct cl_head head = from(incarnation, counter);

	head.kind = kind;
	head.receiver = OWN;
	return head;
}

static enum clguard_verdict
check(uint64_t incarnation, uint64_t counter, uint32_t address, uint64_t now_ms)
{
	struct cl_head head = from(incarnation, counter);
	unsigned int peer;

	return clguard_check(&g, &head, address, now_ms, &peer);
}

/* His answer to our challenge. */
static enum clguard_verdict
prove(uint64_t incarnation, uint64_t counter, uint32_t address, uint64_t now_ms, unsigned int *peer)
{
	struct cl_head head = to_us(CL_PROOF, incarnation, counter);
	struct cl_proof m = { .address = address };

	clguard_nonce(&g, incarnation, address, now_ms, m.nonce);
	return clguard_prove(&g, &head, &m, address, now_ms, peer);
}

static unsigned int
admit(uint64_t incarnation, uint64_t counter, uint32_t address, uint64_t now_ms)
{
	unsigned int peer = CLGUARD_PEERS;

	assert_int_equal(prove(incarnation, counter, address, now_ms, &peer), CLGUARD_HEAR);
	assert_true(peer < CLGUARD_PEERS);
	assert_int_equal(clguard_peer(&g, peer)->incarnation, incarnation);
	return peer;
}

/* --- proofs --- */

static void
a_stranger_is_asked_first(void **state)
{
	unsigned int peer;

	(void)state;
	assert_int_equal(check(JOE, 1, THERE, START_MS), CLGUARD_CHALLENGE);
	assert_int_equal(check(JOE, 2, THERE, START_MS), CLGUARD_CHALLENGE);
	peer = admit(JOE, 3, THERE, START_MS + 1);
	assert_int_equal(check(JOE, 4, THERE, START_MS + 2), CLGUARD_HEAR);
	assert_int_equal(clguard_peer(&g, peer)->heard_ms, START_MS + 2);
}

/* What was recorded before is as old as it is, whatever its counter. */
static void
what_came_before_the_proof_is_not_heard(void **state)
{
	uint64_t counter;

	(void)state;
	admit(JOE, 5000, THERE, START_MS);
	for (counter = 1; counter <= 5000; counter++)
		assert_int_equal(check(JOE, counter, THERE, START_MS), CLGUARD_REPLAY);
	assert_int_equal(check(JOE, 5001, THERE, START_MS), CLGUARD_HEAR);
}

static void
a_nonce_is_for_one_member_at_one_address_for_a_while(void **state)
{
	struct cl_head head = to_us(CL_PROOF, JOE, 1);
	struct cl_proof m = { .address = THERE };
	unsigned int peer, i;

	(void)state;
	clguard_nonce(&g, JOE, THERE, START_MS, m.nonce);
	for (i = 0; i < CLMSG_NONCE; i++) {
		m.nonce[i] ^= 1;
		assert_int_equal(
		    clguard_prove(&g, &head, &m, THERE, START_MS, &peer), CLGUARD_BAD_PROOF);
		m.nonce[i] ^= 1;
	}
	head.incarnation++;
	assert_int_equal(clguard_prove(&g, &head, &m, THERE, START_MS, &peer), CLGUARD_BAD_PROOF);
	head.incarnation--;
	m.address = HERE;
	assert_int_equal(clguard_prove(&g, &head, &m, HERE, START_MS, &peer), CLGUARD_BAD_PROOF);
	m.address = THERE;
	assert_int_equal(
	    clguard_prove(&g, &head, &m, THERE, START_MS + 10001, &peer), CLGUARD_BAD_PROOF);
	assert_int_equal(
	    clguard_prove(&g, &head, &m, THERE, START_MS - 1, &peer), CLGUARD_BAD_PROOF);
	assert_int_equal(
	    clguard_prove(&g, &head, &m, THERE, START_MS + 10000, &peer), CLGUARD_HEAR);
	clguard_init(&g, OWN, HERE); /* another run of the daemon: another key */
	assert_int_equal(clguard_prove(&g, &head, &m, THERE, START_MS, &peer), CLGUARD_BAD_PROOF);
}

/* Somebody in between passes our challenge on to him, and his proof on to us. */
static void
a_proof_cannot_be_passed_on(void **state)
{
	struct cl_head head = to_us(CL_PROOF, JOE, 1);
	struct cl_proof m = { .address = THERE };
	unsigned int peer;

	(void)state;
	clguard_nonce(&g, JOE, THERE + 1, START_MS, m.nonce);
	assert_int_equal(
	    clguard_prove(&g, &head, &m, THERE + 1, START_MS, &peer), CLGUARD_BAD_PROOF);
	m.address = THERE + 1; /* nor will he answer one */
	head.kind = CL_CHALLENGE;
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_BAD_PROOF);
}

static void
challenges_are_answered_as_long_as_they_are_new(void **state)
{
	struct cl_head head = to_us(CL_CHALLENGE, JOE, 1), own = to_us(CL_CHALLENGE, OWN, 1);
	struct cl_proof m = { .address = THERE };

	(void)state;
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(clguard_answers(&g, &own, &m, THERE, START_MS), CLGUARD_OWN);
	admit(JOE, 10, THERE, START_MS);
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_REPLAY);
	head.counter = 11;
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_REPLAY);
}

/* What is for one member is nothing to another, whose counters know nothing of it. */
static void
what_is_for_another_is_not_heard(void **state)
{
	static const uint8_t named[] = { CL_RESEND, CL_SYNC_ASK, CL_SYNC, CL_SYNC_ACK, CL_FORWARD,
		CL_OFFER };
	struct cl_head head;
	struct cl_proof m = { .address = THERE };
	unsigned int i, peer;

	(void)state;
	admit(JOE, 10, THERE, START_MS);
	for (i = 0; i < ARRAY_LEN(named); i++) {
		head = to_us(named[i], JOE, 11 + i);
		head.receiver = OWN + 1;
		assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_OTHERS);
		head.receiver = 0;
		assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_OTHERS);
		head.receiver = OWN; /* and its counter was not used up */
		assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_HEAR);
	}
	head = to_us(CL_HEARTBEAT, JOE, 30);
	head.receiver = OWN + 1;
	assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_OTHERS);
	head = to_us(CL_CHALLENGE, JOE, 31);
	head.receiver = OWN + 1;
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_OTHERS);
	head = to_us(CL_PROOF, JOE + 1, 1);
	head.receiver = 0;
	clguard_nonce(&g, JOE + 1, THERE, START_MS, m.nonce);
	assert_int_equal(clguard_prove(&g, &head, &m, THERE, START_MS, &peer), CLGUARD_OTHERS);
}

/* A challenge is an answer: no longer than what it answers, and to heartbeats alone. */
static void
nothing_is_gained_by_asking(void **state)
{
	struct cl_head head = from(JOE, 1);
	unsigned int peer;
	uint8_t kind;

	(void)state;
	head.len = CLMSG_CHALLENGE - 1;
	assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_IGNORE);
	head.len = CLMSG_CHALLENGE;
	assert_int_equal(clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_CHALLENGE);
	for (kind = 0; kind < CLMSG_KINDS; kind++) {
		head = to_us(kind, JOE, 2);
		if (kind != CL_HEARTBEAT)
			assert_int_equal(
			    clguard_check(&g, &head, THERE, START_MS, &peer), CLGUARD_IGNORE);
	}
}

/* Nor does the flood of one address shut out another, but by a chance that nobody can arrange. */
static void
who_floods_harms_himself(void **state)
{
	unsigned int shut = 0, others, i;

	(void)state;
	for (others = 0; others < 1000; others++) {
		clguard_init(&g, OWN, HERE);
		for (i = 0; i < 100; i++)
			(void)check(JOE + i, 1, THERE, START_MS);
		shut += check(1, 1, THERE + 1, START_MS) != CLGUARD_CHALLENGE;
	}
	assert_in_range(shut, 0, 50); /* one in 64 */
	clguard_init(&g, OWN, HERE);
	for (i = 0, others = 0; i < 1000000; i++)
		others += check(JOE + i, 1, i, START_MS) == CLGUARD_CHALLENGE;
	assert_int_equal(others, CLGUARD_BUCKETS * 8); /* whatever the number of addresses */
}

/* Strangers may use up what there is of challenges: a member that asks us is answered. */
static void
proofs_have_their_own_limit(void **state)
{
	struct cl_head head = to_us(CL_CHALLENGE, JOE, 1);
	struct cl_proof m = { .address = THERE };
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		(void)check(JOE + 1 + i, 1, THERE, START_MS);
	assert_int_equal(check(JOE, 1, THERE, START_MS), CLGUARD_IGNORE);
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_HEAR);
	for (i = 0; i < 1000; i++)
		(void)clguard_answers(&g, &head, &m, THERE, START_MS);
	assert_int_equal(clguard_answers(&g, &head, &m, THERE, START_MS), CLGUARD_IGNORE);
}

static void
so_many_a_second_are_asked(void **state)
{
	unsigned int n = 0, i;

	(void)state;
	for (i = 0; i < 1000; i++)
		n += check(JOE + i, 1, THERE, START_MS) == CLGUARD_CHALLENGE;
	assert_int_equal(n, 8);
	assert_int_equal(check(JOE, 1, THERE, START_MS), CLGUARD_IGNORE);
	for (i = 0; i < 10000; i++)
		n += check(JOE + i, 1, THERE, START_MS + i) == CLGUARD_CHALLENGE;
	assert_in_range(n, 8 + 99, 8 + 101);
	admit(JOE, 3, THERE, START_MS);
	assert_int_equal(check(JOE, 4, THERE, START_MS), CLGUARD_HEAR); /* peers need no asking */
}

static void
our_own_messages_are_told(void **state)
{
	unsigned int peer;

	(void)state;
	assert_int_equal(check(OWN, 1, HERE, START_MS), CLGUARD_OWN);
	assert_int_equal(prove(OWN, 1, HERE, START_MS, &peer), CLGUARD_OWN);
}

/* --- counters --- */

/* Against a model that remembers everything. */
static void
each_counter_is_heard_once(void **state)
{
	enum { N = 20000 };
	static bool heard[N + 1];
	uint64_t high = 1, counter;
	uint32_t seed = 1, i;
	bool good;

	(void)state;
	memset(heard, 0, sizeof(heard));
	admit(JOE, 1, THERE, START_MS);
	heard[1] = true;
	for (i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		counter = high + (seed >> 8) % 1400;
		counter = counter > 1300 ? counter - 1300 : 1;
		if (counter > N)
			break;
		good = !heard[counter] && counter + CLGUARD_WINDOW > high;
		assert_int_equal(
		    check(JOE, counter, THERE, START_MS), good ? CLGUARD_HEAR : CLGUARD_REPLAY);
		heard[counter] |= good;
		high = MAX(high, counter);
	}
	assert_true(high > N - 1400);
}

static void
the_window_jumps(void **state)
{
	(void)state;
	admit(JOE, 1, THERE, START_MS);
	assert_int_equal(check(JOE, 1000000, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(check(JOE, 1000000 - 1024, THERE, START_MS), CLGUARD_REPLAY);
	assert_int_equal(check(JOE, 1000000 - 1023, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(check(JOE, 1000000 - 1023, THERE, START_MS), CLGUARD_REPLAY);
	assert_int_equal(check(JOE, 1000000 - 1, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(check(JOE, UINT64_MAX - 5, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(check(JOE, UINT64_MAX, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(check(JOE, UINT64_MAX, THERE, START_MS), CLGUARD_REPLAY);
}

static void
a_second_proof_does_not_open_the_window_again(void **state)
{
	unsigned int peer;

	(void)state;
	admit(JOE, 10, THERE, START_MS);
	assert_int_equal(check(JOE, 20, THERE, START_MS), CLGUARD_HEAR);
	assert_int_equal(prove(JOE, 15, THERE, START_MS, &peer), CLGUARD_HEAR);
	assert_int_equal(prove(JOE, 15, THERE, START_MS, &peer), CLGUARD_REPLAY);
	assert_int_equal(check(JOE, 20, THERE, START_MS), CLGUARD_REPLAY);
	assert_int_equal(check(JOE, 16, THERE, START_MS), CLGUARD_HEAR);
}

/* --- addresses and places --- */

static void
a_peer_is_heard_from_his_address_only(void **state)
{
	unsigned int peer;

	(void)state;
	peer = admit(JOE, 1, THERE, START_MS);
	assert_int_equal(check(JOE, 2, THERE + 1, START_MS), CLGUARD_MOVED);
	assert_int_equal(check(JOE, 2, THERE, START_MS), CLGUARD_HEAR);
	/* he was silent for long: he may have moved, and is to prove that */
	assert_int_equal(check(JOE, 3, THERE + 1, START_MS + CLGUARD_STALE_MS), CLGUARD_CHALLENGE);
	assert_int_equal(admit(JOE, 4, THERE + 1, START_MS + CLGUARD_STALE_MS), peer);
	assert_int_equal(check(JOE, 5, THERE, START_MS + CLGUARD_STALE_MS), CLGUARD_MOVED);
	/* nor is anybody else at that address any more */
	admit(JOE + 1, 1, THERE, START_MS + CLGUARD_STALE_MS);
	admit(JOE, 5, THERE, START_MS + 2 * CLGUARD_STALE_MS);
	assert_int_equal(clguard_incarnation_at(&g, THERE), JOE);
	assert_int_equal(clguard_incarnation_at(&g, THERE + 1), 0);
}

static void
an_older_incarnation_at_the_address_gives_way(void **state)
{
	unsigned int peer;

	(void)state;
	peer = admit(JOE, 900, THERE, START_MS - 1);
	assert_int_equal(clguard_incarnation_at(&g, THERE), JOE);
	assert_int_equal(admit(JOE + 1, 1, THERE, START_MS), peer);
	assert_int_equal(clguard_incarnation_at(&g, THERE), JOE + 1);
	assert_int_equal(clguard_incarnation_at(&g, HERE), 0);
	assert_int_equal(check(JOE, 901, THERE, START_MS), CLGUARD_CHALLENGE);
	assert_int_equal(check(JOE + 1, 2, THERE, START_MS), CLGUARD_HEAR);
}

/* He has started again, and somebody has recorded the proof that he gave before that. */
static void
a_proof_of_an_earlier_life_is_old(void **state)
{
	struct cl_head head = to_us(CL_PROOF, JOE, 5);
	struct cl_proof m = { .address = THERE };
	unsigned int peer;

	(void)state;
	clguard_nonce(&g, JOE, THERE, START_MS, m.nonce);
	assert_int_equal(clguard_prove(&g, &head, &m, THERE, START_MS, &peer), CLGUARD_HEAR);
	admit(JOE + 1, 1, THERE, START_MS + 100);
	assert_int_equal(
	    clguard_prove(&g, &head, &m, THERE, START_MS + 200, &peer), CLGUARD_REPLAY);
	assert_int_equal(clguard_incarnation_at(&g, THERE), JOE + 1);
	assert_int_equal(check(JOE + 1, 2, THERE, START_MS + 200), CLGUARD_HEAR);
}

static void
there_are_so_many_peers(void **state)
{
	unsigned int i, peer, late = CLGUARD_STALE_MS;

	(void)state;
	for (i = 0; i < CLGUARD_PEERS; i++)
		assert_int_equal(admit(JOE + i, 1, THERE + i, START_MS + i), i);
	assert_int_equal(prove(JOE + i, 1, THERE + i, START_MS, &peer), CLGUARD_FULL);
	assert_int_equal(check(JOE, 2, THERE, START_MS + late), CLGUARD_HEAR);
	/* the one that is silent for longest makes room */
	assert_int_equal(admit(JOE + i, 1, THERE + i, START_MS + 1 + late), 1);
	assert_int_equal(
	    prove(JOE + i + 1, 1, THERE + i + 1, START_MS + 1 + late, &peer), CLGUARD_FULL);
	clguard_forget(&g, 5);
	assert_null(clguard_peer(&g, 5));
	assert_int_equal(admit(JOE + i + 1, 1, THERE + i + 1, START_MS + 1 + late), 5);
	assert_null(clguard_peer(&g, CLGUARD_PEERS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_stranger_is_asked_first, set_up),
		cmocka_unit_test_setup(what_came_before_the_proof_is_not_heard, set_up),
		cmocka_unit_test_setup(
		    a_nonce_is_for_one_member_at_one_address_for_a_while, set_up),
		cmocka_unit_test_setup(a_proof_cannot_be_passed_on, set_up),
		cmocka_unit_test_setup(challenges_are_answered_as_long_as_they_are_new, set_up),
		cmocka_unit_test_setup(what_is_for_another_is_not_heard, set_up),
		cmocka_unit_test_setup(nothing_is_gained_by_asking, set_up),
		cmocka_unit_test_setup(who_floods_harms_himself, set_up),
		cmocka_unit_test_setup(proofs_have_their_own_limit, set_up),
		cmocka_unit_test_setup(so_many_a_second_are_asked, set_up),
		cmocka_unit_test_setup(our_own_messages_are_told, set_up),
		cmocka_unit_test_setup(each_counter_is_heard_once, set_up),
		cmocka_unit_test_setup(the_window_jumps, set_up),
		cmocka_unit_test_setup(a_second_proof_does_not_open_the_window_again, set_up),
		cmocka_unit_test_setup(a_peer_is_heard_from_his_address_only, set_up),
		cmocka_unit_test_setup(an_older_incarnation_at_the_address_gives_way, set_up),
		cmocka_unit_test_setup(a_proof_of_an_earlier_life_is_old, set_up),
		cmocka_unit_test_setup(there_are_so_many_peers, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
