/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the cluster: head, signature, each kind there and back, what is refused. */
#include "clmsg.h"
#include "clfield.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cl_head head = {
	.kind = CL_HEARTBEAT,
	.incarnation = 0x0123456789abcdef,
	.receiver = 42,
	.counter = 77,
	.term = 5,
};
static struct clmsg_key none, key;
static uint8_t buf[CLMSG_LARGEST];

static int
set_up(void **state)
{
	(void)state;
	clmsg_set_key(&none, "");
	clmsg_set_key(&key, "a secret of the cluster");
	return 0;
}

static struct rd
opened(size_t len, const struct clmsg_key *k, struct cl_head *h)
{
	struct rd fields = { 0 };

	assert_int_equal(clmsg_open(buf, len, k, h, &fields), CLMSG_OK);
	return fields;
}

/* A message with what put() wrote: its fields as a receiver gets them. */
#define SENT(put, m)                                                                               \
	({                                                                                         \
		struct wr w_ = clmsg_begin(buf, sizeof(buf), &head);                               \
		struct cl_head h_;                                                                 \
		put(&w_, m);                                                                       \
		opened(clmsg_seal(&w_, &key), &key, &h_);                                          \
	})

static void
assert_same(const void *a, const void *b, size_t n)
{
	assert_memory_equal(a, b, n);
}

/* --- head and signature --- */

static void
a_message_has_its_form(void **state)
{
	static const uint8_t plain[] = { 0x4c, 0x4e, 1, 1, 0, 0, 0, 0, 0x01, 0x23, 0x45, 0x67, 0x89,
		0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 5, 0,
		6, 0, 2, 0x01, 0x02 };
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);

	(void)state;
	clfield_put_number(&w, CLT_SEQ, 0x102);
	assert_int_equal(clmsg_seal(&w, &none), sizeof(plain));
	assert_memory_equal(buf, plain, sizeof(plain));
	assert_int_equal(clmsg_seal(&w, &key), sizeof(plain) + CLMSG_MAC);
	assert_int_equal(buf[5], 1);
}

static void
what_is_sealed_is_opened(void **state)
{
	const struct clmsg_key *keys[] = { &none, &key };
	struct cl_head h;
	struct rd fields;
	struct wr w;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		w = clmsg_begin(buf, CLMSG_PACKET, &head);
		clfield_put_number(&w, CLT_SEQ, 9);
		fields = opened(clmsg_seal(&w, keys[i]), keys[i], &h);
		assert_int_equal(rd_left(&fields), 5);
		assert_int_equal(h.kind, head.kind);
		assert_int_equal(h.incarnation, head.incarnation);
		assert_int_equal(h.receiver, head.receiver);
		assert_int_equal(h.counter, head.counter);
		assert_int_equal(h.len, CLMSG_HEADER + 5);
		assert_int_equal(h.term, head.term);
	}
}

static void
another_key_or_none_is_told(void **state)
{
	struct clmsg_key other;
	struct cl_head h;
	struct rd fields;
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	size_t len;

	(void)state;
	clmsg_set_key(&other, "a secret of another");
	len = clmsg_seal(&w, &key);
	assert_int_equal(clmsg_open(buf, len, &other, &h, &fields), CLMSG_BAD_MAC);
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_BAD_MAC);
	w = clmsg_begin(buf, CLMSG_PACKET, &head);
	len = clmsg_seal(&w, &none);
	assert_int_equal(clmsg_open(buf, len, &key, &h, &fields), CLMSG_BAD_MAC);
}

static void
each_bit_is_under_the_signature(void **state)
{
	struct cl_head h;
	struct rd fields;
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	size_t len, i;

	(void)state;
	clfield_put_number(&w, CLT_SEQ, 9);
	len = clmsg_seal(&w, &key);
	for (i = 0; i < len * 8; i++) {
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(clmsg_open(buf, len, &key, &h, &fields), CLMSG_OK);
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < len; i++)
		assert_int_not_equal(clmsg_open(buf, i, &key, &h, &fields), CLMSG_OK);
	assert_int_equal(clmsg_open(buf, len, &key, &h, &fields), CLMSG_OK);
}

/* A forger who gets a CHALLENGE sent to somebody has spent as many octets himself. */
static void
a_heartbeat_is_as_long_as_a_challenge(void **state)
{
	const struct cl_proof proof = { .nonce = { 1 }, .address = 1 };
	const struct cl_heartbeat nothing = { 0 };
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	struct cl_heartbeat got;

	(void)state;
	clmsg_put_proof(&w, &proof);
	assert_int_equal(clmsg_seal(&w, &none), CLMSG_CHALLENGE);
	w = clmsg_begin(buf, CLMSG_PACKET, &head);
	clmsg_put_heartbeat(&w, &nothing);
	assert_int_equal(clmsg_seal(&w, &none), CLMSG_CHALLENGE);
	assert_true(
	    clmsg_get_heartbeat(opened(CLMSG_CHALLENGE, &none, &(struct cl_head){ 0 }), &got));
	assert_same(&got, &nothing, sizeof(got));
}

static void
other_things_are_no_messages(void **state)
{
	struct cl_head h = head;
	struct rd fields;
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	size_t len = clmsg_seal(&w, &none);

	(void)state;
	buf[0] ^= 1;
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_MALFORMED);
	buf[0] ^= 1;
	buf[2]++;
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_OTHER_FORMAT);
	h = head;
	h.incarnation = 0;
	w = clmsg_begin(buf, CLMSG_PACKET, &h);
	len = clmsg_seal(&w, &none);
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_MALFORMED);
	h = head;
	h.counter = 0;
	w = clmsg_begin(buf, CLMSG_PACKET, &h);
	len = clmsg_seal(&w, &none);
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_MALFORMED);
	h = head;
	h.kind = 200; /* of a later version: who dispatches counts it */
	w = clmsg_begin(buf, CLMSG_PACKET, &h);
	len = clmsg_seal(&w, &none);
	assert_int_equal(clmsg_open(buf, len, &none, &h, &fields), CLMSG_OK);
	assert_int_equal(h.kind, 200);
}

/* The signature's room is kept whatever is put. */
static void
a_full_message_can_be_sealed(void **state)
{
	const struct cl_count c = { .session = 1, .unique = 2, .rx_bytes = 3 };
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	unsigned int n = 0, heard = 0;
	struct cl_count got;
	struct cl_head h;
	struct rd fields;
	size_t len;

	(void)state;
	while (clmsg_put_count(&w, &c))
		n++;
	len = clmsg_seal(&w, &key);
	assert_in_range(len, CLMSG_PACKET - 8, CLMSG_PACKET);
	fields = opened(len, &key, &h);
	while (clmsg_next_count(&fields, &got))
		heard++;
	assert_false(fields.bad);
	assert_int_equal(heard, n);

	w = clmsg_begin(buf, CLMSG_HEADER + CLMSG_MAC - 1, &head);
	assert_int_equal(clmsg_seal(&w, &key), 0);
	w = clmsg_begin(buf, 5, &head);
	assert_int_equal(clmsg_seal(&w, &key), 0);
}

/* --- there and back --- */

static void
each_kind_comes_as_it_was_sent(void **state)
{
	static const struct cl_heartbeat hb = { .role = CL_MASTER,
		.flags = CL_UP_TO_DATE | 0x8000,
		.uptime_ms = UINT64_MAX,
		.version = 1,
		.seq = 1 << 16,
		.master = 3,
		.base = 8,
		.before = 9,
		.address = 0x0100000a,
		.sessions = UINT32_MAX,
		.tunnels = 256,
		.host = "lns1",
		.software = L2TPNS_VERSION,
		.setting = "bind_address",
		.digest = 0xfedcba98,
		.hears = { 5, UINT64_MAX } };
	static const struct cl_proof proof = { .nonce = { 1, 2, 3 }, .address = 0x0200000a };
	static const struct cl_change change = { .seq = 4711 };
	static const struct cl_sync sync = { 1, 2, 1, 3, 4 }, first = { .sync = 1, .part = 1 };
	static const struct cl_resend resend = { 5, 5 };
	static const struct cl_sync_ask ask = { 0xdeadbeef };
	static const struct cl_sync_ack ack = { 7, 0 };
	static const struct cl_leave leave = { 0xffffffffff };
	struct cl_heartbeat hb2;
	struct cl_proof proof2;
	struct cl_change change2;
	struct cl_sync sync2;
	struct cl_resend resend2;
	struct cl_sync_ask ask2;
	struct cl_sync_ack ack2;
	struct cl_leave leave2;
	struct cl_forward_ack heard = { .number = 9 }, heard2;

	(void)state;
	memset(&hb2, 0xff, sizeof(hb2)); /* what was there is no matter */
	assert_true(clmsg_get_heartbeat(SENT(clmsg_put_heartbeat, &hb), &hb2));
	assert_same(&hb, &hb2, sizeof(hb));
	assert_true(clmsg_get_proof(SENT(clmsg_put_proof, &proof), &proof2));
	assert_same(&proof, &proof2, sizeof(proof));
	assert_true(clmsg_get_change(SENT(clmsg_put_change, &change), &change2));
	assert_same(&change, &change2, sizeof(change));
	assert_true(clmsg_get_sync(SENT(clmsg_put_sync, &sync), &sync2));
	assert_true(sync2.sync == 1 && sync2.part == 2 && sync2.last == 1 && sync2.seq == 3 &&
		    sync2.version == 4);
	assert_true(clmsg_get_sync(SENT(clmsg_put_sync, &first), &sync2));
	assert_true(sync2.sync == 1 && sync2.part == 1 && sync2.last == 0 && sync2.seq == 0);
	assert_true(clmsg_get_resend(SENT(clmsg_put_resend, &resend), &resend2));
	assert_same(&resend, &resend2, sizeof(resend));
	assert_true(clmsg_get_sync_ask(SENT(clmsg_put_sync_ask, &ask), &ask2));
	assert_same(&ask, &ask2, sizeof(ask));
	assert_true(clmsg_get_sync_ack(SENT(clmsg_put_sync_ack, &ack), &ack2));
	assert_same(&ack, &ack2, sizeof(ack));
	assert_true(clmsg_get_leave(SENT(clmsg_put_leave, &leave), &leave2));
	assert_same(&leave, &leave2, sizeof(leave));
	random_bytes(heard.heard, sizeof(heard.heard));
	assert_true(clmsg_get_forward_ack(SENT(clmsg_put_forward_ack, &heard), &heard2));
	assert_same(&heard, &heard2, sizeof(heard));
}

static void
a_forwarded_packet_comes_whole(void **state)
{
	static uint8_t packet[9472];
	const struct cl_forward f = { .what = CL_L2TP,
		.session = 99,
		.from_ip = htonl(0x0a000001),
		.to_ip = htonl(0x0a000002),
		.from_port = 1701,
		.to_port = 65535,
		.number = UINT64_MAX,
		.payload = packet,
		.len = sizeof(packet) };
	struct cl_forward got;

	(void)state;
	random_bytes(packet, sizeof(packet));
	assert_true(clmsg_get_forward(SENT(clmsg_put_forward, &f), &got));
	assert_int_equal(got.len, f.len);
	assert_memory_equal(got.payload, packet, sizeof(packet));
	assert_true(got.payload > buf && got.payload < buf + sizeof(buf));
	got.payload = packet;
	assert_true(got.what == f.what && got.session == f.session && got.from_ip == f.from_ip &&
		    got.to_ip == f.to_ip && got.from_port == f.from_port &&
		    got.to_port == f.to_port && got.number == f.number);
}

static void
counters_come_as_they_were_sent(void **state)
{
	const struct cl_count c[] = {
		{ 1, 2, 3, 4, 5, 6, 7, 8 },
		{ 1000000, UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX,
		    UINT32_MAX },
		{ .session = 5, .unique = 6 },
		{ .session = 5 },
		{ .session = 5, .frame_ds = 128 },
	};
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	struct cl_count got;
	struct cl_head h;
	struct rd fields;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++)
		assert_true(clmsg_put_count(&w, &c[i]));
	fields = opened(clmsg_seal(&w, &key), &key, &h);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_true(clmsg_next_count(&fields, &got));
		assert_same(&got, &c[i], sizeof(got));
	}
	assert_false(clmsg_next_count(&fields, &got));
	assert_false(fields.bad);
}

/* --- what is refused --- */

static struct rd
field(uint16_t tag, const void *value, size_t len)
{
	struct wr w = wr_init(buf, sizeof(buf));

	wr_u16(&w, tag);
	wr_u16(&w, (uint16_t)len);
	wr_bytes(&w, value, len);
	return rd_init(buf, wr_len(&w));
}

#define FIELD(tag, ...)                                                                            \
	field(tag, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void
values_that_cannot_be_are_refused(void **state)
{
	static const char long_name[HOSTNAME_LEN];
	struct cl_heartbeat hb;
	struct cl_proof proof;

	(void)state;
	assert_true(clmsg_get_heartbeat(FIELD(CLT_ROLE, 1), &hb));
	assert_true(clmsg_get_heartbeat(FIELD(CLT_ROLE, 0, 0, 1), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_ROLE, 2), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_FLAGS, 1, 0, 0), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_UPTIME, 0, 0, 0, 0, 0, 0, 0, 0, 1), &hb));
	assert_false(clmsg_get_heartbeat(field(CLT_UPTIME, "", 0), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_ADDRESS, 10, 0, 0), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_ADDRESS, 10, 0, 0, 1, 1), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_HOST, 'a', 0, 'b'), &hb));
	assert_false(clmsg_get_heartbeat(FIELD(CLT_HEARS, 0, 0, 0, 0, 0, 0, 0, 1, 2), &hb));
	assert_false(clmsg_get_heartbeat(field(CLT_HOST, long_name, HOSTNAME_LEN), &hb));
	assert_false(clmsg_get_proof(FIELD(CLT_NONCE, 1, 2), &proof));
}

static void
messages_that_say_nothing_are_refused(void **state)
{
	struct rd empty = rd_init(buf, 0);
	struct cl_change change;
	struct cl_sync sync;
	struct cl_resend resend = { 6, 5 };
	struct cl_forward f;

	(void)state;
	assert_false(clmsg_get_change(empty, &change));
	assert_false(clmsg_get_sync(empty, &sync));
	assert_false(clmsg_get_resend(SENT(clmsg_put_resend, &resend), &resend));
	assert_false(clmsg_get_resend(empty, &resend));
	assert_false(clmsg_get_forward(empty, &f));
	assert_false(clmsg_get_forward(FIELD(CLT_WHAT, 1), &f));
	assert_false(clmsg_get_forward(FIELD(CLT_PAYLOAD, 1), &f));
}

static void
fields_that_end_too_late_are_refused(void **state)
{
	struct rd r = FIELD(CLT_ROLE, 1);
	struct cl_heartbeat hb;
	size_t cut, len = rd_left(&r);

	(void)state;
	for (cut = 1; cut < len; cut++)
		assert_false(clmsg_get_heartbeat(rd_init(buf, len - cut), &hb));
}

static void
bad_items_are_refused(void **state)
{
	static const struct {
		uint8_t len, item[12];
		bool good;
	} row[] = {
		{ 1, { 5 }, true }, { 1, { 0 }, false },     /* no session */
		{ 0, { 0 }, false }, { 1, { 0x80 }, false }, /* does not end */
		{ 3, { 0xc0, 0x84, 0x3d }, true },	     /* 1,000,000 */
		{ 3, { 0xc1, 0x84, 0x3d }, false },
		{ 6, { 5, 0xff, 0xff, 0xff, 0xff, 0x0f }, true },
		{ 6, { 5, 0xff, 0xff, 0xff, 0xff, 0x1f }, false },
		{ 12, { 5, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, true },
		{ 12, { 5, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 }, false },
		{ 12, { 5, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81 }, false },
		{ 12, { 5, 1, 1, 1, 1, 1, 1, 1, 1, 0x80, 0x80, 0x80 },
		    true }, /* a later version's */
	};
	struct cl_count c;
	struct rd r;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		r = field(CLT_COUNT, row[i].item, row[i].len);
		assert_int_equal(clmsg_next_count(&r, &c), row[i].good);
		assert_int_equal(r.bad, !row[i].good);
	}
}

/* --- neighbouring versions --- */

static void
unknown_fields_are_skipped(void **state)
{
	static const struct cl_heartbeat hb = { .role = CL_MASTER, .uptime_ms = 5 };
	struct wr w = clmsg_begin(buf, CLMSG_PACKET, &head);
	struct cl_heartbeat got;
	struct cl_head h;

	(void)state;
	clfield_put_octets(&w, 200, "something new", 13);
	clmsg_put_heartbeat(&w, &hb);
	clfield_put_number(&w, 0xffff, 1);
	assert_true(clmsg_get_heartbeat(opened(clmsg_seal(&w, &key), &key, &h), &got));
	assert_memory_equal(&got, &hb, sizeof(hb));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_its_form),
		cmocka_unit_test(what_is_sealed_is_opened),
		cmocka_unit_test(another_key_or_none_is_told),
		cmocka_unit_test(each_bit_is_under_the_signature),
		cmocka_unit_test(a_heartbeat_is_as_long_as_a_challenge),
		cmocka_unit_test(other_things_are_no_messages),
		cmocka_unit_test(a_full_message_can_be_sealed),
		cmocka_unit_test(each_kind_comes_as_it_was_sent),
		cmocka_unit_test(a_forwarded_packet_comes_whole),
		cmocka_unit_test(counters_come_as_they_were_sent),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(messages_that_say_nothing_are_refused),
		cmocka_unit_test(fields_that_end_too_late_are_refused),
		cmocka_unit_test(bad_items_are_refused),
		cmocka_unit_test(unknown_fields_are_skipped),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
