/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for networks, against a plain list in the order of coming. */
#include "heir.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 50, NETS = 3, SESSIONS = 40, STEPS = 200000, LEN = 24 };

static struct row {
	unsigned int net;
	sess_id s;
} rows[ROOM];
static unsigned int n_rows;

static uint32_t
addr_of(unsigned int net)
{
	return htonl(0x0a000000 | net << 8);
}

/* Where it stands in the list; n_rows: nowhere. Session 0: the first of the network. */
static unsigned int
find(unsigned int net, sess_id s)
{
	unsigned int i;

	for (i = 0; i < n_rows; i++)
		if (rows[i].net == net && (!s || rows[i].s == s))
			break;
	return i;
}

static void
drop(unsigned int i)
{
	if (i == n_rows)
		return;
	memmove(&rows[i], &rows[i + 1], (--n_rows - i) * sizeof(rows[0]));
}

static void
random_run_against_the_list(void **state)
{
	unsigned int step, net, i;
	sess_id s;

	(void)state;
	for (step = 0; step < STEPS; step++) {
		net = (unsigned int)random() % NETS;
		s = 1 + (sess_id)random() % SESSIONS;
		i = find(net, s);
		switch (random() % 8) {
		case 0:
			i = find(net, 0);
			assert_int_equal(heir_take(addr_of(net), LEN), i < n_rows ? rows[i].s : 0);
			drop(i);
			break;
		case 1:
		case 2:
			heir_del(addr_of(net), LEN, s);
			drop(i);
			break;
		default:
			if (i == n_rows && n_rows == ROOM) {
				assert_int_equal(heir_add(addr_of(net), LEN, s), -1);
				break;
			}
			assert_int_equal(heir_add(addr_of(net), LEN, s), 0);
			if (i == n_rows)
				rows[n_rows++] = (struct row){ net, s };
		}
	}
	for (net = 0; net < NETS; net++)
		while ((i = find(net, 0)) < n_rows) {
			assert_int_equal(heir_take(addr_of(net), LEN), rows[i].s);
			drop(i);
		}
	assert_int_equal(heir_take(addr_of(0), LEN), 0);
}

/* Other lengths and the largest session number are others. */
static void
keys_do_not_meet(void **state)
{
	const sess_id largest = 1000000;

	(void)state;
	assert_int_equal(heir_add(addr_of(0), 24, largest), 0);
	assert_int_equal(heir_add(addr_of(0), 23, 1), 0);
	heir_del(addr_of(0), 23, largest);
	heir_del(addr_of(0), 24, 1);
	assert_int_equal(heir_take(addr_of(0), 22), 0);
	assert_int_equal(heir_take(addr_of(0), 23), 1);
	assert_int_equal(heir_take(addr_of(0), 24), largest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_run_against_the_list),
		cmocka_unit_test(keys_do_not_meet),
	};

	heir_init(ROOM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
