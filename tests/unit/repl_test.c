/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of the cluster: that no member is forgotten, each kind there and back, what is
 * refused, and versions that know more or less than ours. Includes the codec itself, for
 * its tables.
 */
#include "repl.c"

#include "cp.h"
#include "policy.h"
#include "ppp.h"
#include "rad_acct.h"
#include "radius.h"
#include "tunnel.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t buf[CLMSG_LARGEST];
static struct wr w;
static uint32_t seed;

static uint32_t
any(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static int
set_up(void **state)
{
	(void)state;
	w = wr_init(buf, sizeof(buf));
	seed = 1;
	return 0;
}

/* The only record that was written. */
static struct repl_record
written(void)
{
	struct rd fields = rd_init(buf, wr_len(&w)), rest;
	struct repl_record rec, more;

	assert_true(wr_len(&w) > 0);
	assert_true(repl_next(&fields, &rec));
	rest = fields;
	assert_false(repl_next(&rest, &more));
	assert_false(rest.bad);
	return rec;
}

/* --- the tables --- */

/*
 * What no row is about: ids, versions, what goes by a field of its own, and padding. A member
 * that is added to a struct shows here: it needs a row, and it goes into the document.
 */
enum {
	HEAD = 4 + 4 + 8,     /* id, padding, version */
	REC_LEFT = 4 + 2 + 2, /* notes; filter_in, filter_out; end.elsewhere, end.guess */
	REC_PADDING = 4 + 1 + 1,
	ACCOUNT_PADDING = 3 + 4,
	SESSION_LEFT = HEAD + REC_LEFT + REC_PADDING + 3 + 2 + ACCOUNT_PADDING + 1 + 7,
	TUNNEL_LEFT = HEAD + 1 + 2 + 4 + 2,
};

static const struct {
	const struct clfield *table;
	size_t n, size; /* of the struct */
	size_t left;	/* octets that no row is about */
	uint16_t own;	/* tag of a field that is no plain member */
} tables[] = {
	{ session_fields, ARRAY_LEN(session_fields), offsetof(struct repl_session, notes_len),
	    SESSION_LEFT, SESSION_NOTE },
	{ tunnel_fields, ARRAY_LEN(tunnel_fields), sizeof(struct repl_tunnel), TUNNEL_LEFT, 0 },
	{ acct_fields, ARRAY_LEN(acct_fields), offsetof(struct repl_acct, len), HEAD + 2,
	    ACCT_ATTRS },
	{ pool_fields, ARRAY_LEN(pool_fields), sizeof(struct repl_pool), 8, 0 },
	{ ended_fields, ARRAY_LEN(ended_fields), sizeof(struct repl_ended), 4, 0 },
	{ count_fields, ARRAY_LEN(count_fields), offsetof(struct repl_count, n), HEAD + 4,
	    COUNT_MEMBER },
	{ mark_fields, ARRAY_LEN(mark_fields), sizeof(struct repl_mark), HEAD, 0 },
	{ dae_fields, ARRAY_LEN(dae_fields), sizeof(struct repl_dae), HEAD + 2, 0 },
	{ usage_fields, ARRAY_LEN(usage_fields), sizeof(struct repl_usage), HEAD, 0 },
	{ usage_run_fields, ARRAY_LEN(usage_run_fields), sizeof(struct repl_usage_run), HEAD + 3,
	    0 },
	{ usage_end_fields, ARRAY_LEN(usage_end_fields), sizeof(struct repl_usage_end), HEAD + 2,
	    0 },
};

static void
each_row_is_sound(void **state)
{
	const struct clfield *f;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(tables); i++)
		for (k = 0; k < tables[i].n; k++) {
			f = &tables[i].table[k];
			assert_true(f->tag > (k ? f[-1].tag : 0)); /* in order, none twice */
			assert_int_not_equal(f->tag, tables[i].own);
			assert_true(f->offset + f->size <= tables[i].size);
			if (f->kind == CLFIELD_NUMBER)
				assert_true(
				    f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
		}
}

/* Octets of a struct that no row is about; each is in one row at most. */
static size_t
left_out(const struct clfield *table, size_t n, size_t size)
{
	static uint8_t rows[sizeof(struct repl_session)];
	size_t i, k, left = 0;

	memset(rows, 0, sizeof(rows));
	for (i = 0; i < n; i++)
		for (k = 0; k < table[i].size; k++)
			rows[table[i].offset + k]++;
	for (i = 0; i < size; i++) {
		assert_true(rows[i] <= 1);
		left += rows[i] == 0;
	}
	return left;
}

static void
no_member_is_forgotten(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(tables); i++)
		assert_int_equal(
		    left_out(tables[i].table, tables[i].n, tables[i].size), tables[i].left);
}

static void
limits_are_those_of_their_owners(void **state)
{
	(void)state;
	assert_int_equal(LAST_CP_STATE, CP_STATES - 1);
	assert_int_equal(LAST_AUTHTYPE, MAX_AUTHTYPES);
	assert_int_equal(MOST_KBIT, POLICY_MAX_KBIT);
	assert_int_equal(REPL_ACCT_ATTRS, RADIUS_ACCT_ATTRS);
	assert_int_equal(REPL_CHALLENGE, CHALLENGE_LEN);
	assert_int_equal(REPL_POOL_NAME, sizeof(((struct ppp *)NULL)->pool));
	assert_int_equal(LAST_STATUS, RAD_ACCT_OFF);
}

/* Their numbers are on the wire for good. */
static void
each_kind_of_note_travels(void **state)
{
	uint8_t kind;

	(void)state;
	for (kind = NOTE_END + 1; kind < NOTE_KINDS; kind++) {
		if (kind == NOTE_FOREIGN)
			continue; /* is a field of its own */
		assert_true(note_numbers[kind] > 0);
		assert_int_equal(note_of(note_numbers[kind]), kind);
	}
	assert_int_equal(note_of(0), NOTE_KINDS);
	assert_int_equal(note_of(200), NOTE_KINDS);
}

/* --- there and back --- */

static void
store(uint8_t *to, size_t size, uint64_t v)
{
	const uint16_t u16 = (uint16_t)v;
	const uint32_t u32 = (uint32_t)v;

	if (size == 1)
		*to = (uint8_t)v;
	else
		memcpy(to,
		    size == 2	? (const void *)&u16
		    : size == 4 ? (const void *)&u32
				: &v,
		    size);
}

static void
fill_text(char *to, size_t size)
{
	size_t len = any((uint32_t)size), i;

	memset(to, 0, size);
	for (i = 0; i < len; i++)
		to[i] = (char)(1 + any(255));
}

static void
fill_number(uint8_t *to, const struct clfield *f)
{
	uint64_t most = f->most ? f->most : UINT64_MAX >> (64 - 8 * f->size);
	uint64_t v = (uint64_t)any(1 << 24) << 48 ^ (uint64_t)any(1 << 24) << 24 ^ any(1 << 24);

	v >>= any(64);
	v = any(8) ? v : most;
	store(to, f->size, most == UINT64_MAX ? v : v % (most + 1));
}

/* Values that its members may have, many of them 0. */
static void
fill(void *to, const struct clfield *table, size_t n)
{
	uint8_t *member;
	size_t i, k;

	for (i = 0; i < n; i++) {
		member = (uint8_t *)to + table[i].offset;
		if (any(3) == 0)
			continue;
		if (table[i].kind == CLFIELD_NUMBER)
			fill_number(member, &table[i]);
		else if (table[i].kind == CLFIELD_TEXT)
			fill_text((char *)member, table[i].size);
		else
			for (k = 0; k < table[i].size; k++)
				member[k] = (uint8_t)any(256);
	}
}

static struct note
any_note(void)
{
	struct note n = { .kind = (uint8_t)(1 + any(NOTE_KINDS - 1)),
		.tag = (uint16_t)any(65536),
		.len = (uint8_t)any(256) };
	unsigned int i;

	if (n.kind == NOTE_FOREIGN) {
		n.tag = (uint16_t)(1000 + any(1000));
		n.len = (uint8_t)(1 + any(20));
	}
	for (i = 0; i < n.len; i++)
		n.data[i] = (uint8_t)any(256);
	if (n.kind == NOTE_ROUTE || n.kind == NOTE_WAITS) {
		n.len = sizeof(struct note_route);
		n.data[offsetof(struct note_route, len)] = (uint8_t)any(33);
	}
	return n;
}

static void
fill_session(struct repl_session *s)
{
	struct note n;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	fill(s, session_fields, ARRAY_LEN(session_fields));
	s->id = 1 + any(MAX_SESSIONS_LIMIT);
	s->version = (uint64_t)any(1 << 24) << 39;
	s->rec.tunnel = 1 + any(MAX_TUNNELS_LIMIT);
	s->rec.wire_sid = (uint16_t)(1 + any(65535));
	s->rec.state = (uint8_t)(1 + any(SESS_CLOSING));
	s->rec.end.cause = any(2) ? TERM_USER_ERROR : TERM_NONE;
	for (i = any(20); i > 0; i--) {
		n = any_note();
		assert_true(repl_add_note(s, &n));
	}
}

static void
a_session_comes_as_it_was_sent(void **state)
{
	static struct repl_session s, got;
	struct repl_record rec;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		fill_session(&s);
		memset(&got, i & 1 ? 0xff : 0, sizeof(got));
		w = wr_init(buf, sizeof(buf));
		assert_true(repl_put_session(&w, &s));
		rec = written();
		assert_true(rec.kind == REPL_SESSION && !rec.gone);
		assert_true(rec.id == s.id && rec.version == s.version);
		assert_true(repl_get_session(&rec, &got));
		assert_memory_equal(&s, &got, offsetof(struct repl_session, notes));
		assert_memory_equal(s.notes, got.notes, s.notes_len);
	}
}

static void
notes_are_read_as_they_were_added(void **state)
{
	static struct repl_session s;
	struct note notes[64], n;
	unsigned int i, k;
	uint16_t pos = 0;

	(void)state;
	repl_clear_session(&s);
	for (i = 0; i < ARRAY_LEN(notes); i++) {
		notes[i] = any_note();
		if (!repl_add_note(&s, &notes[i]))
			break;
	}
	assert_true(i > 20 && i < ARRAY_LEN(notes)); /* there was no room for this one */
	for (k = 0; k < i; k++) {
		assert_true(repl_next_note(&s, &pos, &n));
		assert_int_equal(n.kind, notes[k].kind);
		assert_int_equal(n.tag, notes[k].tag);
		assert_int_equal(n.len, notes[k].len);
		assert_memory_equal(n.data, notes[k].data, n.len);
	}
	assert_false(repl_next_note(&s, &pos, &n));
}

/* As long as a record can be: all members full, and notes that are heads only. */
static void
the_longest_session_fits_a_message(void **state)
{
	static struct repl_session s, got;
	const struct cl_head head = { .kind = CL_CHANGE, .incarnation = 1, .counter = 1 };
	const struct note n = { .kind = NOTE_CLASS };
	struct repl_record rec;
	struct wr m;
	size_t i;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.id = MAX_SESSIONS_LIMIT;
	for (i = 0; i < ARRAY_LEN(session_fields); i++) {
		const struct clfield *f = &session_fields[i];
		uint8_t *member = (uint8_t *)&s + f->offset;

		if (f->kind == CLFIELD_NUMBER && f->most)
			store(member, f->size, f->most);
		else
			memset(member, 'x', f->kind == CLFIELD_TEXT ? f->size - 1U : f->size);
	}
	while (repl_add_note(&s, &n))
		continue;
	assert_true(repl_put_session(&w, &s));
	assert_in_range(wr_len(&w), 10000, REPL_LONGEST);
	rec = written();
	assert_true(repl_get_session(&rec, &got));
	m = clmsg_begin(buf, CLMSG_LARGEST, &head);
	assert_true(repl_put_session(&m, &s));
}

static void
a_tunnel_comes_as_it_was_sent(void **state)
{
	struct repl_tunnel t, got;
	struct repl_record rec;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		memset(&t, 0, sizeof(t));
		fill(&t, tunnel_fields, ARRAY_LEN(tunnel_fields));
		t.id = 1 + any(MAX_TUNNELS_LIMIT);
		t.version = i;
		t.wire_tid = (uint16_t)(1 + any(65535));
		t.state = (uint8_t)(1 + any(TUNNEL_STATES - 1));
		w = wr_init(buf, sizeof(buf));
		assert_true(repl_put_tunnel(&w, &t));
		rec = written();
		assert_true(repl_get_tunnel(&rec, &got));
		assert_memory_equal(&t, &got, sizeof(t));
	}
}

static void
a_control_message_comes_as_it_was_sent(void **state)
{
	static struct repl_chan c = { .version = 9,
		.tunnel = 65000,
		.ns = 65535,
		.len = REPL_MESSAGE },
				got;
	struct repl_record rec;

	(void)state;
	random_bytes(c.data, sizeof(c.data));
	assert_true(repl_put_chan(&w, &c));
	rec = written();
	assert_int_equal(rec.id, repl_chan_id(65000, 65535));
	assert_true(repl_get_chan(&rec, &got));
	assert_memory_equal(&c, &got, sizeof(c));
	assert_int_equal(repl_chan_tunnel(rec.id), 65000);
	assert_int_equal(repl_chan_ns(rec.id), 65535);
}

static void
an_accounting_record_comes_as_it_was_sent(void **state)
{
	static struct repl_acct a = { .id = 1,
		.version = 2,
		.origin = 3,
		.status = 2,
		.session = 5,
		.key = UINT64_MAX,
		.age_ds = 1,
		.len = REPL_ACCT_ATTRS },
				got;
	struct repl_record rec;

	(void)state;
	random_bytes(a.attrs, sizeof(a.attrs));
	assert_true(repl_put_acct(&w, &a));
	rec = written();
	assert_true(repl_get_acct(&rec, &got));
	assert_memory_equal(&a, &got, sizeof(a));
	a.done = 1;
	w = wr_init(buf, sizeof(buf));
	assert_true(repl_put_acct(&w, &a));
	assert_true(wr_len(&w) < 80); /* it has arrived: no attributes any more */
	rec = written();
	assert_true(repl_get_acct(&rec, &got));
	assert_true(got.done && got.len == 0 && got.id == 1 && got.origin == 3);
}

static void
an_address_comes_as_it_was_sent(void **state)
{
	struct repl_pool p = { .version = 5,
		.ip4 = htonl(0x0a000001),
		.age_ds = 77,
		.user = "joe@example.net" },
			 got;
	struct repl_record rec;

	(void)state;
	assert_true(repl_put_pool(&w, &p));
	rec = written();
	assert_int_equal(rec.id, 0x0a000001);
	assert_true(repl_get_pool(&rec, &got));
	assert_memory_equal(&p, &got, sizeof(p));
}

static void
marks_and_answers_come_as_they_were_sent(void **state)
{
	static struct repl_mark m = { .id = 7, .version = 1, .origin = UINT64_MAX }, m_got;
	static struct repl_dae d = { .id = 5,
		.version = 1,
		.port = 3799,
		.request = 9,
		.stamped = 1,
		.authenticator = "0123456789abcde",
		.cause = 503,
		.age_ds = 20 },
			       d_got;
	struct repl_record rec;

	(void)state;
	d.ip = htonl(0x0a000001);
	assert_true(repl_put_mark(&w, &m));
	rec = written();
	assert_true(repl_get_mark(&rec, &m_got));
	assert_memory_equal(&m, &m_got, sizeof(m));
	w = wr_init(buf, sizeof(buf));
	assert_true(repl_put_dae(&w, &d));
	rec = written();
	assert_true(repl_get_dae(&rec, &d_got));
	assert_memory_equal(&d, &d_got, sizeof(d));
}

static void
usage_comes_as_it_was_sent(void **state)
{
	static struct repl_usage u = { .id = 3,
		.unique = 9,
		.run = 4,
		.up = 7,
		.down = UINT64_MAX,
		.own_up = 1,
		.own_down = 2 },
				 u_got;
	static struct repl_usage_run r = { .id = 0,
		.version = 5,
		.origin = 8,
		.told = 9,
		.over = 1 },
				     r_got;
	static struct repl_usage_end e = { .id = 5,
		.version = 1,
		.origin = 8,
		.unique = 77,
		.ip4 = 0x0100000a,
		.throttled = 1,
		.place = 'L',
		.run = 6,
		.up = 100,
		.down = 200,
		.less_up = 1,
		.less_down = 2,
		.user = "joe" },
				     e_got;
	struct repl_record rec;

	(void)state;
	assert_true(repl_put_usage(&w, &u));
	rec = written();
	assert_true(repl_get_usage(&rec, &u_got));
	assert_memory_equal(&u, &u_got, sizeof(u));
	w = wr_init(buf, sizeof(buf));
	assert_true(repl_put_usage_run(&w, &r));
	rec = written();
	assert_true(repl_get_usage_run(&rec, &r_got));
	assert_memory_equal(&r, &r_got, sizeof(r));
	w = wr_init(buf, sizeof(buf));
	assert_true(repl_put_usage_end(&w, &e));
	rec = written();
	assert_true(repl_get_usage_end(&rec, &e_got));
	assert_memory_equal(&e, &e_got, sizeof(e));
	e.origin = 0; /* nobody's */
	w = wr_init(buf, sizeof(buf));
	assert_true(repl_put_usage_end(&w, &e));
	rec = written();
	assert_false(repl_get_usage_end(&rec, &e_got));
}

static void
sums_of_counters_come_as_they_were_sent(void **state)
{
	static struct repl_count c = { .id = 8,
		.version = 1,
		.unique = 4,
		.data_ds = 1,
		.frame_ds = 2,
		.rx_bytes = UINT64_MAX,
		.tx_packets = 3,
		.n = REPL_MEMBERS },
				 got;
	struct repl_record rec;
	unsigned int i;

	(void)state;
	for (i = 0; i < c.n; i++)
		c.member[i] = (struct repl_member){ UINT64_MAX - i, i, UINT64_MAX, 0, 1 };
	assert_true(repl_put_count(&w, &c));
	assert_true(wr_len(&w) <= REPL_LONGEST);
	rec = written();
	assert_true(repl_get_count(&rec, &got));
	assert_memory_equal(&c, &got, sizeof(c));
}

/* --- several in a message --- */

static void
what_has_no_room_leaves_no_trace(void **state)
{
	static struct repl_session s;
	struct repl_record rec;
	struct rd fields;
	unsigned int n = 0, heard = 0;
	uint8_t *pos;

	(void)state;
	fill_session(&s);
	w = wr_init(buf, CLMSG_PACKET * 4);
	while (repl_put_gone(&w, REPL_TUNNEL, n + 1, n), repl_put_session(&w, &s))
		n++;
	pos = w.pos;
	assert_false(repl_put_session(&w, &s));
	assert_ptr_equal(pos, w.pos);
	assert_false(w.bad);
	fields = rd_init(buf, wr_len(&w));
	for (; repl_next(&fields, &rec); heard++)
		assert_int_equal(rec.kind, heard & 1 ? REPL_SESSION : REPL_TUNNEL);
	assert_false(fields.bad);
	assert_in_range(heard, 2 * n, 2 * n + 1);
}

static void
a_tombstone_is_no_object(void **state)
{
	static struct repl_session s;
	struct repl_record rec;

	(void)state;
	assert_true(repl_put_gone(&w, REPL_SESSION, 12, INT64_MAX));
	rec = written();
	assert_true(
	    rec.gone && rec.kind == REPL_SESSION && rec.id == 12 && rec.version == INT64_MAX);
	assert_false(repl_get_session(&rec, &s));
}

/* Behind it there would be no newer one. */
static void
a_version_near_its_end_is_malformed(void **state)
{
	struct repl_record rec;
	struct rd fields;

	(void)state;
	assert_true(repl_put_gone(&w, REPL_SESSION, 12, (uint64_t)INT64_MAX + 1));
	fields = rd_init(buf, wr_len(&w));
	assert_false(repl_next(&fields, &rec));
	assert_true(fields.bad);
}

static void
other_fields_of_the_message_are_passed_over(void **state)
{
	const struct cl_change change = { .seq = 7 };
	struct repl_record rec;
	struct rd fields;

	(void)state;
	clmsg_put_change(&w, &change);
	assert_true(repl_put_gone(&w, REPL_SESSION, 12, 1));
	clfield_put_number(&w, 999, 1);
	fields = rd_init(buf, wr_len(&w));
	assert_true(repl_next(&fields, &rec));
	assert_int_equal(rec.id, 12);
	assert_false(repl_next(&fields, &rec));
	assert_false(fields.bad);
}

/* --- what is refused --- */

/* A session's record with one field changed: true when it is taken. */
static bool
takes(uint16_t tag, uint64_t v)
{
	static struct repl_session s, got;
	struct repl_record rec;
	size_t mark;

	memset(&s, 0, sizeof(s));
	s.rec.tunnel = s.rec.wire_sid = 1;
	s.rec.state = SESS_OPEN;
	w = wr_init(buf, sizeof(buf));
	mark = begin(&w, REPL_SESSION, 0, 1, 1);
	clfield_put(&w, session_fields, ARRAY_LEN(session_fields), &s);
	if (v > 0)
		clfield_put_number(&w, tag, v);
	else
		clfield_put_octets(&w, tag, "", 1);
	clfield_end(&w, mark);
	rec = written();
	return repl_get_session(&rec, &got);
}

static void
values_that_cannot_be_are_refused(void **state)
{
	const struct clfield *f;
	size_t i;
	uint64_t most;

	(void)state;
	for (i = 0; i < ARRAY_LEN(session_fields); i++) {
		f = &session_fields[i];
		if (f->kind != CLFIELD_NUMBER)
			continue;
		most = f->most ? f->most : UINT64_MAX >> (64 - 8 * f->size);
		assert_true(takes(f->tag, most));
		if (most < UINT64_MAX)
			assert_false(takes(f->tag, most + 1));
	}
	assert_false(takes(1, 0));  /* no tunnel */
	assert_false(takes(2, 0));  /* no wire id */
	assert_false(takes(19, 0)); /* SESS_FREE */
	assert_true(takes(42, TERM_USER_ERROR));
	assert_false(takes(42, 12)); /* a cause without a name */
}

static void
ids_that_cannot_be_are_refused(void **state)
{
	static struct repl_session s;
	struct repl_tunnel t;
	struct repl_record rec;

	(void)state;
	fill_session(&s);
	assert_true(repl_put_session(&w, &s));
	rec = written();
	rec.id = 0;
	assert_false(repl_get_session(&rec, &s));
	rec.id = MAX_SESSIONS_LIMIT + 1;
	assert_false(repl_get_session(&rec, &s));
	rec.id = 1;
	assert_true(repl_get_session(&rec, &s));
	rec.kind = REPL_TUNNEL;
	assert_false(repl_get_session(&rec, &s));
	rec.fields = rd_init(buf, 0);
	assert_false(repl_get_tunnel(&rec, &t));
}

static bool
takes_note(uint8_t number, size_t len, uint8_t with)
{
	static struct repl_session s;
	struct wr v = wr_init(buf, sizeof(buf));
	size_t i;

	wr_u8(&v, number);
	wr_u16(&v, 5);
	for (i = 0; i < len; i++)
		wr_u8(&v, with);
	repl_clear_session(&s);
	return get_note(rd_init(buf, wr_len(&v)), &s);
}

static void
notes_that_cannot_be_are_refused(void **state)
{
	static struct repl_session s;

	(void)state;
	assert_true(takes_note(note_numbers[NOTE_CLASS], 255, 1));
	assert_false(takes_note(note_numbers[NOTE_CLASS], 256, 1));
	assert_true(takes_note(note_numbers[NOTE_ROUTE], 8, 32));
	assert_false(takes_note(note_numbers[NOTE_ROUTE], 8, 33));
	assert_false(takes_note(note_numbers[NOTE_WAITS], 7, 1));
	assert_true(takes_note(99, 255, 1));
	assert_false(get_note(rd_init(buf, 2), &s));
}

/* Cut anywhere, and with any octet another: nothing but a refusal or a sound session comes of it.
 */
static void
damaged_records_do_no_harm(void **state)
{
	static struct repl_session s, got;
	static uint8_t copy[CLMSG_LARGEST];
	struct repl_record rec;
	struct rd fields;
	size_t len, i;
	uint16_t pos;
	struct note n;

	(void)state;
	fill_session(&s);
	assert_true(repl_put_session(&w, &s));
	len = wr_len(&w);
	for (i = 0; i < len; i++) {
		fields = rd_init(buf, i);
		if (i > 0) {
			assert_false(repl_next(&fields, &rec));
			assert_true(fields.bad);
		}
	}
	for (i = 0; i < 50000; i++) {
		memcpy(copy, buf, len);
		copy[any((uint32_t)len)] = (uint8_t)any(256);
		fields = rd_init(copy, len);
		if (!repl_next(&fields, &rec) || !repl_get_session(&rec, &got))
			continue;
		assert_true(got.rec.state > SESS_FREE && got.rec.state <= SESS_CLOSING);
		assert_true(got.rec.phase <= PPP_TERMINATE && got.rec.tunnel > 0);
		assert_non_null(memchr(got.rec.user, '\0', USER_LEN));
		for (pos = 0; repl_next_note(&got, &pos, &n);)
			assert_true(n.kind > NOTE_END && n.kind < NOTE_KINDS);
		assert_int_equal(pos, got.notes_len);
	}
}

static void
other_records_are_refused_too(void **state)
{
	static struct repl_chan c = { .tunnel = 1, .len = CONTROL_HEADER - 1 };
	static struct repl_acct a = { .id = 1, .origin = 1, .status = 1 };
	struct repl_pool p = { .ip4 = htonl(1) };
	static struct repl_count n = { .id = 1, .n = 1 };
	struct repl_record rec;

	(void)state;
	assert_true(repl_put_chan(&w, &c));
	rec = written();
	assert_false(repl_get_chan(&rec, &c)); /* too short */
	set_up(NULL);
	assert_true(repl_put_acct(&w, &a));
	rec = written();
	assert_false(repl_get_acct(&rec, &a)); /* says nothing */
	set_up(NULL);
	assert_true(repl_put_pool(&w, &p));
	rec = written();
	assert_false(repl_get_pool(&rec, &p)); /* nobody's */
	set_up(NULL);
	assert_true(repl_put_count(&w, &n));
	rec = written();
	assert_false(repl_get_count(&rec, &n)); /* a member without incarnation */
}

/* --- neighbouring versions --- */

enum { NEW_NUMBER = 500, NEW_TEXT = 501, NEW_NOTE = 90 };

/* What the next version might have, and what the last one did not have yet. */
struct next {
	struct repl_session s;
	uint64_t number;
	char text[40];
};

static struct clfield next_fields[ARRAY_LEN(session_fields) + 2];

static void
make_next_table(void)
{
	memcpy(next_fields, session_fields, sizeof(session_fields));
	next_fields[ARRAY_LEN(session_fields)] =
	    (struct clfield){ NEW_NUMBER, CLFIELD_NUMBER, CLFIELD_OF(struct next, number), 0 };
	next_fields[ARRAY_LEN(session_fields) + 1] =
	    (struct clfield){ NEW_TEXT, CLFIELD_TEXT, CLFIELD_OF(struct next, text), 0 };
}

/* And it gets back what we know nothing of. */
static void
the_next_version_is_understood(void **state)
{
	static const uint8_t note[] = { NEW_NOTE, 0, 0, 'n', 'e', 'w' };
	static struct next theirs = { .number = UINT64_MAX, .text = "something new" }, back;
	static struct repl_session ours;
	struct repl_record rec;
	unsigned int i, notes;
	struct rd val;
	uint16_t tag;
	size_t mark;

	(void)state;
	make_next_table();
	for (i = 0; i < 500; i++) {
		fill_session(&theirs.s);
		theirs.s.notes_len = 0;
		w = wr_init(buf, sizeof(buf));
		mark = begin(&w, REPL_SESSION, 0, theirs.s.id, theirs.s.version);
		clfield_put_octets(&w, SESSION_NOTE, note, sizeof(note));
		clfield_put(&w, next_fields, ARRAY_LEN(next_fields), &theirs);
		clfield_end(&w, mark);
		rec = written();
		assert_true(repl_get_session(&rec, &ours));
		assert_memory_equal(&ours, &theirs.s, offsetof(struct repl_session, notes_len));
		w = wr_init(buf, sizeof(buf));
		assert_true(repl_put_session(&w, &ours));
		rec = written();
		memset(&back, 0, sizeof(back));
		assert_true(
		    clfield_get_all(next_fields, ARRAY_LEN(next_fields), rec.fields, &back));
		assert_true(back.number == theirs.number && strcmp(back.text, theirs.text) == 0);
		for (notes = 0; clfield_next(&rec.fields, &tag, &val);)
			if (tag == SESSION_NOTE && rd_left(&val) == sizeof(note))
				notes += memcmp(val.pos, note, sizeof(note)) == 0;
		assert_int_equal(notes, 1);
	}
}

/* It may not fill our memory, nor make a record malformed. */
static void
so_much_of_the_next_version_is_kept(void **state)
{
	static const uint8_t zeroes[300];
	static struct repl_session s;
	struct repl_record rec;
	unsigned int i;
	size_t mark;

	(void)state;
	fill_session(&s);
	s.notes_len = 0;
	mark = begin(&w, REPL_SESSION, 0, s.id, s.version);
	clfield_put(&w, session_fields, ARRAY_LEN(session_fields), &s);
	clfield_put_octets(&w, 999, zeroes, sizeof(zeroes)); /* longer than a note */
	wr_u16(&w, 998);
	wr_u16(&w, 0); /* nothing in it */
	for (i = 0; i < 40; i++)
		clfield_put_octets(&w, (uint16_t)(1000 + i), zeroes, 28);
	clfield_end(&w, mark);
	rec = written();
	assert_true(repl_get_session(&rec, &s));
	assert_int_equal(s.notes_len, NOTE_FOREIGN_MOST);
	assert_int_equal(foreign_octets(&s), NOTE_FOREIGN_MOST);
}

static void
the_next_version_understands_us(void **state)
{
	static struct next theirs;
	static struct repl_session ours;
	struct repl_record rec;
	unsigned int i;

	(void)state;
	make_next_table();
	for (i = 0; i < 500; i++) {
		fill_session(&ours);
		w = wr_init(buf, sizeof(buf));
		assert_true(repl_put_session(&w, &ours));
		rec = written();
		memset(&theirs, 0, sizeof(theirs));
		assert_true(
		    clfield_get_all(next_fields, ARRAY_LEN(next_fields), rec.fields, &theirs));
		assert_memory_equal(&ours.rec, &theirs.s.rec, sizeof(ours.rec));
		assert_true(theirs.number == 0 && theirs.text[0] == '\0');
	}
}

/* A record of a kind, and a member's count with a number more, that are new. */
static void
new_kinds_and_longer_items_are_no_matter(void **state)
{
	struct repl_count got;
	struct repl_record rec;
	size_t mark, inner;
	unsigned int i;

	(void)state;
	assert_true(repl_put_gone(&w, REPL_KINDS + 5, 1, 1));
	rec = written();
	assert_int_equal(rec.kind, REPL_KINDS + 5);
	w = wr_init(buf, sizeof(buf));
	mark = begin(&w, REPL_COUNT, 0, 1, 1);
	inner = clfield_begin(&w, COUNT_MEMBER);
	wr_u64(&w, 77);
	for (i = 1; i <= 6; i++)
		clfield_write_varint(&w, i);
	clfield_end(&w, inner);
	clfield_end(&w, mark);
	rec = written();
	assert_true(repl_get_count(&rec, &got));
	assert_true(got.n == 1 && got.member[0].incarnation == 77 && got.member[0].tx_packets == 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_row_is_sound, set_up),
		cmocka_unit_test_setup(no_member_is_forgotten, set_up),
		cmocka_unit_test_setup(limits_are_those_of_their_owners, set_up),
		cmocka_unit_test_setup(each_kind_of_note_travels, set_up),
		cmocka_unit_test_setup(a_session_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(notes_are_read_as_they_were_added, set_up),
		cmocka_unit_test_setup(the_longest_session_fits_a_message, set_up),
		cmocka_unit_test_setup(a_tunnel_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(a_control_message_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(an_accounting_record_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(an_address_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(marks_and_answers_come_as_they_were_sent, set_up),
		cmocka_unit_test_setup(usage_comes_as_it_was_sent, set_up),
		cmocka_unit_test_setup(sums_of_counters_come_as_they_were_sent, set_up),
		cmocka_unit_test_setup(what_has_no_room_leaves_no_trace, set_up),
		cmocka_unit_test_setup(a_tombstone_is_no_object, set_up),
		cmocka_unit_test_setup(a_version_near_its_end_is_malformed, set_up),
		cmocka_unit_test_setup(other_fields_of_the_message_are_passed_over, set_up),
		cmocka_unit_test_setup(values_that_cannot_be_are_refused, set_up),
		cmocka_unit_test_setup(ids_that_cannot_be_are_refused, set_up),
		cmocka_unit_test_setup(notes_that_cannot_be_are_refused, set_up),
		cmocka_unit_test_setup(damaged_records_do_no_harm, set_up),
		cmocka_unit_test_setup(other_records_are_refused_too, set_up),
		cmocka_unit_test_setup(the_next_version_is_understood, set_up),
		cmocka_unit_test_setup(so_much_of_the_next_version_is_kept, set_up),
		cmocka_unit_test_setup(the_next_version_understands_us, set_up),
		cmocka_unit_test_setup(new_kinds_and_longer_items_are_no_matter, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
