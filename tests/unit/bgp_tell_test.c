/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What neighbours are told, by its messages: whatever changes in the meantime - routes,
 * whether they are to have them, attributes - one who has heard all messages knows what is
 * announced, if he is to, and else nothing. End-of-RIB comes once, behind the first table.
 */
#include "bgp_tell.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NETS = 3000, ROUNDS = 20000, READERS = 3 };

struct neighbour {
	struct bgp_tell tell;
	bool on, announce;
	bool knows[BGP_AFIS][NETS];
	uint32_t med[BGP_AFIS][NETS];
	unsigned int ends[BGP_AFIS]; /* End-of-RIB messages */
};

static struct neighbour neighbours[READERS];
static bool wanted[BGP_AFIS][NETS];
static uint8_t buf[BGP_MAX];

/* ---- a neighbour's ears ---- */

static unsigned int
number_of(struct rd *r, enum bgp_afi afi)
{
	unsigned int bits = rd_u8(r), i;

	assert_int_equal(bits, afi == BGP_IP4 ? 32 : 64);
	rd_skip(r, afi == BGP_IP4 ? 2 : 6);
	i = rd_u16(r);
	assert_false(r->bad);
	assert_in_range(i, 0, NETS - 1);
	return i;
}

static void
take_routes(struct neighbour *n, enum bgp_afi afi, struct rd r, bool announced, uint32_t med)
{
	while (rd_left(&r)) {
		unsigned int i = number_of(&r, afi);

		n->knows[afi][i] = announced;
		n->med[afi][i] = med;
	}
	assert_false(r.bad);
}

struct found {
	bool reach, unreach;
	struct rd mp;
	uint32_t med;
};

static struct found
read_attrs(struct rd r)
{
	struct found f = { 0 };

	while (rd_left(&r)) {
		uint8_t flags = rd_u8(&r), type = rd_u8(&r);
		struct rd value = rd_sub(&r, flags & 0x10 ? rd_u16(&r) : rd_u8(&r));

		assert_false(value.bad);
		if (type == 4)
			f.med = rd_u32(&value);
		f.reach = f.reach || type == 14;
		f.unreach = f.unreach || type == 15;
		if (type == 14 || type == 15)
			f.mp = value;
	}
	return f;
}

/* AFI and SAFI; of MP_REACH_NLRI also next hop and the octet behind it. */
static struct rd
mp_routes(struct found *f)
{
	assert_int_equal(rd_u16(&f->mp), 2);
	rd_skip(&f->mp, 1);
	if (f->reach) {
		assert_int_equal(rd_u8(&f->mp), 16);
		rd_skip(&f->mp, 17);
	}
	return f->mp;
}

static void
hear(struct neighbour *n, size_t len)
{
	struct rd r = rd_init(buf, len);
	struct rd withdrawn, attrs;
	struct bgp_error e;
	struct found f;
	uint16_t told;
	uint8_t type;

	assert_int_equal(bgp_read_header(r, &told, &type, &e), 0);
	assert_int_equal(told, len);
	assert_int_equal(type, BGP_UPDATE);
	rd_skip(&r, BGP_HEADER);
	assert_int_equal(bgp_check_update(r, true, false, &e), 0);
	withdrawn = rd_sub(&r, rd_u16(&r));
	attrs = rd_sub(&r, rd_u16(&r));
	n->ends[BGP_IP4] += !rd_left(&withdrawn) && !rd_left(&attrs);
	f = read_attrs(attrs);
	take_routes(n, BGP_IP4, withdrawn, false, 0);
	take_routes(n, BGP_IP4, r, true, f.med);
	if (!f.reach && !f.unreach)
		return;
	r = mp_routes(&f);
	n->ends[BGP_IP6] += f.unreach && !rd_left(&r);
	take_routes(n, BGP_IP6, r, f.reach, f.med);
}

static bool
hear_one(struct neighbour *n)
{
	size_t len = bgp_tell_next(&n->tell, buf);

	if (len)
		hear(n, len);
	return len != 0;
}

/* ---- what may happen ---- */

static struct bgp_prefix
prefix(enum bgp_afi afi, unsigned int i)
{
	struct bgp_prefix p = { .afi = (uint8_t)afi, .len = afi == BGP_IP4 ? 32 : 64 };
	size_t at = p.len / 8U - 2;

	p.addr[0] = 0x20;
	p.addr[at] = (uint8_t)(i >> 8);
	p.addr[at + 1] = (uint8_t)i;
	return p;
}

static void
change(enum bgp_afi afi, unsigned int i)
{
	struct bgp_prefix p = prefix(afi, i);

	if (wanted[afi][i])
		bgp_route_del(&p, false);
	else
		bgp_route_add(&p, false);
	wanted[afi][i] = !wanted[afi][i];
}

static void
storm(void)
{
	unsigned int i, n = (unsigned int)random() % NETS;

	for (i = 0; i < n; i++)
		change((enum bgp_afi)(random() % BGP_AFIS), (unsigned int)random() % NETS);
}

static void
come_or_go(struct neighbour *n)
{
	const struct bgp_open his = {
		.afi = { true, random() % 2 == 0 }, .as4 = true, .restart = random() % 2 == 0
	};
	unsigned int reader = n->tell.reader;

	if (n->on) {
		bgp_tell_end(&n->tell);
		*n = (struct neighbour){ .tell.reader = reader };
		return;
	}
	*n = (struct neighbour){ .on = true, .tell.reader = reader };
	n->tell.attrs = (struct bgp_attrs){ .as = 64512, .as4 = true, .next_hop = 1 };
	n->tell.attrs.next_hop6.s6_addr[0] = 0x20;
	bgp_tell_begin(&n->tell, &his);
	n->announce = random() % 2 == 0;
	bgp_tell_set(&n->tell, n->announce);
}

static void
other_attributes(struct neighbour *n)
{
	int afi;

	n->tell.attrs.med = (uint32_t)random();
	for (afi = 0; afi < BGP_AFIS; afi++)
		bgp_tell_again(&n->tell, afi);
}

static void
check(struct neighbour *n)
{
	bool restart = n->tell.end_of_rib[BGP_IP4] || n->ends[BGP_IP4];
	unsigned int i;
	int afi;

	while (hear_one(n))
		;
	assert_false(bgp_tell_waits(&n->tell));
	assert_int_equal(n->ends[BGP_IP4], restart);
	assert_int_equal(n->ends[BGP_IP6], restart && n->tell.speaks[BGP_IP6]);
	for (afi = 0; afi < BGP_AFIS; afi++)
		for (i = 0; i < NETS; i++) {
			bool must = n->announce && n->tell.speaks[afi] && wanted[afi][i];

			assert_int_equal(n->knows[afi][i], must);
			if (must)
				assert_int_equal(n->med[afi][i], n->tell.attrs.med);
		}
}

static void
happen(struct neighbour *n)
{
	switch (random() % 12) {
	case 0:
		n->announce = !n->announce;
		bgp_tell_set(&n->tell, n->announce);
		break;
	case 1:
		other_attributes(n);
		break;
	case 2:
		check(n);
		break;
	default:
		hear_one(n);
	}
}

static void
who_has_heard_all_knows_all(void **state)
{
	struct neighbour *n;
	unsigned int i;

	(void)state;
	srandom(11);
	for (i = 0; i < READERS; i++)
		neighbours[i].tell.reader = i;
	for (i = 0; i < ROUNDS; i++) {
		n = &neighbours[random() % READERS];
		if (random() % 20 == 0)
			storm();
		if (random() % 60 == 0 || !n->on)
			come_or_go(n);
		if (n->on)
			happen(n);
	}
}

/* Without a next hop of the family nothing of it is said; when there is one, all is. */
static void
no_next_hop(void **state)
{
	const struct bgp_open his = { .afi = { true, true }, .as4 = true };
	struct neighbour *n = &neighbours[0];

	(void)state;
	bgp_tell_end(&n->tell);
	*n = (struct neighbour){ .on = true, .announce = true };
	n->tell.attrs = (struct bgp_attrs){ .as = 64512, .as4 = true, .next_hop = 1 };
	if (!wanted[BGP_IP6][5])
		change(BGP_IP6, 5);
	bgp_tell_begin(&n->tell, &his);
	bgp_tell_set(&n->tell, true);
	while (hear_one(n))
		;
	assert_false(n->knows[BGP_IP6][5]);
	n->tell.attrs.next_hop6.s6_addr[0] = 0x20;
	bgp_tell_set(&n->tell, true);
	check(n);
	memset(&n->tell.attrs.next_hop6, 0, sizeof(n->tell.attrs.next_hop6));
	bgp_tell_set(&n->tell, true);
	while (hear_one(n))
		;
	assert_false(n->knows[BGP_IP6][5]);
	assert_true(bgp_tell_announces(&n->tell));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_heard_all_knows_all),
		cmocka_unit_test(no_next_hop),
	};

	bgp_route_init(2 * NETS * BGP_AFIS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
