/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spill file: what goes in comes out, in order; torn ends, flipped bits and junk cost
 * the records they hit and no other. The disk is real but for a write() that may refuse.
 */
#include "acct_spill.h"
#include "counter.h"
#include "log.h"
#include "loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/acct_spill_XXXXXX";
static char file[64];
static uint64_t now_ms = 1000;

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

/* As a new process finds it. */
static void
reopen(void)
{
	acct_spill_open(dir);
}

static struct acct_rec
record(uint32_t n)
{
	struct acct_rec rec = {
		.status = (uint8_t)(n % 2 ? RAD_ACCT_START : RAD_ACCT_STOP),
		.key = (uint64_t)n << 32 | 7,
		.when = 1700000000 + (int64_t)n,
		.len = (uint16_t)(n * 37 % RADIUS_ACCT_ATTRS),
	};

	memset(rec.attrs, (int)n, rec.len);
	return rec;
}

static void
add(uint32_t n)
{
	struct acct_rec rec = record(n);

	assert_true(acct_spill_add(&rec));
}

static void
assert_next(uint32_t n)
{
	struct acct_rec want = record(n), got;

	assert_true(acct_spill_next(&got));
	assert_int_equal(got.key, want.key);
	assert_int_equal(got.status, want.status);
	assert_int_equal(got.when, want.when);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.attrs, want.attrs, want.len);
}

static off_t
file_size(void)
{
	struct stat st;

	return stat(file, &st) < 0 ? -1 : st.st_size;
}

static int
setup(void **state)
{
	(void)state;
	unlink(file);
	memset(counters, 0, sizeof(*counters));
	now_ms += 10000;
	reopen();
	return 0;
}

static void
in_and_out(void **state)
{
	struct acct_rec rec;
	uint32_t n;

	(void)state;
	assert_int_equal(file_size(), -1); /* nothing is made before there is something */
	for (n = 0; n < 3000; n++) {
		add(n);
		if (n % 7 == 0)
			acct_spill_flush();
	}
	assert_int_equal(acct_spill_count(), 3000);
	for (n = 0; n < 3000; n++)
		assert_next(n);
	assert_false(acct_spill_next(&rec));
	assert_true(file_size() > 0);
	acct_spill_settled();
	assert_int_equal(file_size(), 0);
	add(1);
	acct_spill_flush();
	assert_next(1);
}

static void
taken_while_more_is_put(void **state)
{
	uint32_t in_n = 0, out_n = 0;

	(void)state;
	srandom(3);
	while (out_n < 20000) {
		unsigned int k = (unsigned int)random() % 50;

		while (in_n < 20000 && k-- > 0)
			add(in_n++);
		if (random() % 3)
			acct_spill_flush();
		for (k = (unsigned int)random() % 60; k > 0 && out_n < in_n; k--)
			assert_next(out_n++);
		assert_int_equal(acct_spill_count(), in_n - out_n);
		acct_spill_settled();
	}
	assert_int_equal(file_size(), 0);
}

static void
found_at_the_next_start(void **state)
{
	uint32_t n;

	(void)state;
	for (n = 0; n < 100; n++)
		add(n);
	acct_spill_flush();
	for (n = 0; n < 60; n++)
		assert_next(n);
	reopen(); /* a crash: those that were taken come again */
	assert_int_equal(acct_spill_count(), 100);
	for (n = 0; n < 100; n++)
		assert_next(n);
}

static void
torn_at_every_octet(void **state)
{
	off_t whole, at;
	size_t last;

	(void)state;
	add(1);
	acct_spill_flush();
	last = (size_t)file_size();
	add(3);
	acct_spill_flush();
	whole = file_size();
	for (at = whole - 1; at >= 0; at--) {
		assert_int_equal(truncate(file, at), 0);
		reopen();
		assert_int_equal(acct_spill_count(), at >= (off_t)last);
		assert_int_equal(file_size(), at >= (off_t)last ? (off_t)last : 0);
		if (at < (off_t)last)
			break;
		assert_next(1);
		add(3);
		acct_spill_flush();
		assert_next(3);
		assert_int_equal(file_size(), whole);
	}
}

static void
flip(off_t at, uint8_t mask)
{
	int f = open(file, O_RDWR);
	uint8_t c;

	assert_int_equal(pread(f, &c, 1, at), 1);
	c ^= mask;
	assert_int_equal(pwrite(f, &c, 1, at), 1);
	close(f);
}

/* Each octet of the middle one damaged: it is gone, the others are not. */
static void
flipped_bits(void **state)
{
	off_t from, to, at;

	(void)state;
	add(5);
	acct_spill_flush();
	from = file_size();
	add(2);
	acct_spill_flush();
	to = file_size();
	add(4);
	acct_spill_flush();
	for (at = from; at < to; at++) {
		flip(at, (uint8_t)(1u << (at % 8)));
		reopen();
		assert_int_equal(acct_spill_count(), 2);
		assert_next(5);
		assert_next(4);
		flip(at, (uint8_t)(1u << (at % 8)));
	}
}

static void
junk_is_passed_over(void **state)
{
	uint8_t junk[5000];
	unsigned int round;
	size_t i, n;
	int f;

	(void)state;
	srandom(5);
	for (round = 0; round < 300; round++) {
		f = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		for (n = (size_t)random() % sizeof(junk), i = 0; i < n; i++)
			junk[i] = (uint8_t)(random() & 1 ? random() : "L2AR\1\1"[i % 6]);
		assert_int_equal(write(f, junk, n), n);
		close(f);
		reopen();
		assert_int_equal(acct_spill_count(), 0);
		assert_int_equal(file_size(), 0);
		add(round);
		acct_spill_flush();
		f = open(file, O_WRONLY | O_APPEND);
		assert_int_equal(write(f, junk, n), n);
		close(f);
		reopen();
		assert_int_equal(acct_spill_count(), 1);
		assert_next(round);
	}
}

/* A file that may not grow: whole records stay in memory, and are written when it may. */
static void
full_disk(void **state)
{
	struct rlimit small = { 4000, RLIM_INFINITY }, before;
	uint32_t n;

	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	add(99); /* 367 octets of attributes */
	acct_spill_flush();
	setrlimit(RLIMIT_FSIZE, &small);
	for (n = 0; n < 20; n++)
		add(99);
	acct_spill_flush();
	assert_int_equal(counters->acct_spill_errors, 1);
	assert_int_equal(file_size() % 411, 0);
	acct_spill_flush(); /* not at once again */
	assert_int_equal(counters->acct_spill_errors, 1);
	setrlimit(RLIMIT_FSIZE, &before);
	for (n = 0; n < 10; n++)
		assert_next(99);
	now_ms += 2000;
	acct_spill_flush();
	for (n = 0; n < 11; n++)
		assert_next(99);
	assert_int_equal(acct_spill_count(), 0);
}

static void
memory_is_bounded(void **state)
{
	struct acct_rec rec = record(81); /* 2997 octets */
	uint32_t n;

	(void)state;
	acct_spill_open("/nonexistent");
	for (n = 0; acct_spill_add(&rec); n++)
		;
	assert_in_range(n, 1000, 2000);
	assert_int_equal(acct_spill_count(), n);
	while (n-- > 0)
		assert_next(81);
}

static void
saved_at_the_end(void **state)
{
	uint32_t n;

	(void)state;
	for (n = 0; n < 2000; n++)
		add(n);
	acct_spill_flush();
	for (n = 0; n < 900; n++)
		assert_next(n);
	for (n = 2000; n < 2010; n++)
		add(n); /* not written yet */
	acct_spill_save_begin(false);
	for (n = 500; n < 900; n++) { /* these had not arrived */
		struct acct_rec rec = record(n);

		acct_spill_save(&rec);
	}
	acct_spill_save_rest();
	for (n = 2010; n < 5000; n++) {
		struct acct_rec rec = record(n);

		acct_spill_save(&rec);
	}
	assert_true(acct_spill_save_end());
	reopen();
	assert_int_equal(acct_spill_count(), 4500);
	for (n = 500; n < 5000; n++)
		assert_next(n);
	assert_int_equal(counters->acct_lost, 0);
}

static void
nowhere_to_save(void **state)
{
	struct acct_rec rec = record(3);

	(void)state;
	acct_spill_open("/nonexistent");
	add(3);
	acct_spill_flush();
	assert_int_equal(counters->acct_spill_errors, 1);
	acct_spill_save_begin(false);
	acct_spill_save(&rec);
	acct_spill_save_rest();
	assert_false(acct_spill_save_end());
	acct_spill_save_begin(true);
	acct_spill_save(&rec);
	acct_spill_save_rest();
	assert_false(acct_spill_save_end());
	assert_int_equal(counters->acct_lost, 1);
}

/* A disk that has no room for a second file, but for some records behind the first. */
static void
no_room_for_a_copy(void **state)
{
	struct rlimit small = { 36 * 411, RLIM_INFINITY }, before;
	struct acct_rec rec = record(99);
	uint32_t n;

	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	for (n = 0; n < 30; n++)
		add(99);
	acct_spill_flush();
	for (n = 0; n < 2; n++)
		assert_next(99); /* under way; they stay in the file */
	add(99);		 /* not written yet */
	setrlimit(RLIMIT_FSIZE, &small);
	acct_spill_save_begin(false);
	for (n = 0; n < 7; n++)
		acct_spill_save(&rec);
	acct_spill_save_rest();
	for (n = 0; n < 2; n++)
		acct_spill_save(&rec);
	assert_false(acct_spill_save_end());
	assert_int_equal(file_size(), 30 * 411);
	acct_spill_save_begin(true);
	for (n = 0; n < 2; n++)
		acct_spill_save(&rec);
	acct_spill_save_rest();
	for (n = 0; n < 2; n++)
		acct_spill_save(&rec);
	assert_true(acct_spill_save_end());
	setrlimit(RLIMIT_FSIZE, &before);
	reopen();
	assert_int_equal(acct_spill_count(), 35);
	assert_int_equal(counters->acct_spill_junk, 0);
}

/* Statuses that are never kept, times that nobody means: no records, whoever made the checksum. */
static void
hostile_records(void **state)
{
	static const int64_t times[] = { -1, INT64_MIN, INT64_MAX };
	struct acct_rec rec;
	unsigned int i;
	off_t size;

	(void)state;
	for (i = 0; i < 256; i++) {
		rec = record(3);
		rec.status = (uint8_t)i;
		assert_true(acct_spill_add(&rec));
	}
	for (i = 0; i < ARRAY_LEN(times); i++) {
		rec = record(3);
		rec.when = times[i];
		assert_true(acct_spill_add(&rec));
	}
	acct_spill_flush();
	size = file_size();
	reopen();
	assert_int_equal(acct_spill_count(), 3); /* Start, Stop, Interim-Update */
	assert_int_equal(counters->acct_spill_junk, size / 259 * 256);
}

/* What is no regular file is put beside, and does not stop us. */
static void
no_regular_file(void **state)
{
	char unread[80];
	unsigned int i;

	(void)state;
	snprintf(unread, sizeof(unread), "%s.unread", file);
	for (i = 0; i < 2; i++) {
		unlink(file);
		assert_int_equal(i ? mkfifo(file, 0600) : mkdir(file, 0700), 0);
		reopen();
		assert_int_equal(counters->acct_spill_errors, i + 1);
		assert_int_equal(file_size(), -1);
		assert_int_equal(i ? unlink(unread) : rmdir(unread), 0);
		add(5);
		acct_spill_flush();
		reopen();
		assert_next(5);
	}
}

enum { ORIGIN = 0x1234567 };

static void
add_numbered(uint32_t n, bool amended)
{
	struct acct_rec rec = record(n);

	rec.origin = ORIGIN;
	rec.number = n;
	rec.amended = amended;
	assert_true(acct_spill_add(&rec));
}

static unsigned int
look_at_all(void)
{
	struct acct_rec rec;
	unsigned int n = 0;
	uint64_t pos = 0;
	int what;

	while ((what = acct_spill_look(&pos, &rec)) >= 0)
		n += (unsigned int)what;
	return n;
}

/* What has arrived from elsewhere is passed over, however much; all of it: the file is empty. */
static void
some_have_arrived(void **state)
{
	struct acct_rec rec;
	bool amended;
	uint32_t n;

	(void)state;
	for (n = 1; n <= 20000; n++) {
		add_numbered(n, false);
		if (n == 15000)
			acct_spill_flush();
	}
	assert_int_equal(look_at_all(), 20000); /* also what is not written yet */
	for (n = 1; n <= 20000; n++)
		assert_true(n % 5000 == 0 || acct_spill_drop(ORIGIN, n));
	assert_false(acct_spill_drop(ORIGIN, 1));
	assert_false(acct_spill_drop(ORIGIN + 1, 5000));
	assert_true(acct_spill_has(ORIGIN, 5000, &amended) && !amended);
	assert_false(acct_spill_has(ORIGIN, 5001, &amended));
	assert_int_equal(acct_spill_count(), 4);
	assert_int_equal(look_at_all(), 4);
	for (n = 5000; n <= 20000; n += 5000) {
		while (!acct_spill_next(&rec))
			assert_true(acct_spill_count() > 0); /* a call passes over so many */
		assert_int_equal(rec.number, n);
		assert_int_equal(rec.origin, ORIGIN);
	}
	acct_spill_settled();
	assert_int_equal(file_size(), 0);
}

/* One that comes again counts once, as it came last; so it does at the next start. */
static void
amended_later(void **state)
{
	struct acct_rec rec;
	bool amended;
	unsigned int i;

	(void)state;
	add_numbered(1, false);
	add_numbered(2, false);
	add_numbered(1, true);
	acct_spill_flush();
	for (i = 0; i < 2; i++) {
		assert_int_equal(acct_spill_count(), 2);
		assert_int_equal(look_at_all(), 2);
		assert_true(acct_spill_has(ORIGIN, 1, &amended) && amended);
		assert_true(acct_spill_next(&rec));
		assert_int_equal(rec.number, 2);
		assert_int_equal(rec.left, i);
		assert_true(acct_spill_next(&rec));
		assert_true(rec.number == 1 && rec.amended);
		assert_false(acct_spill_next(&rec));
		reopen();
	}
	assert_int_equal(acct_spill_left(), file_size());
}

/* The same file of version 1 on two members: records have the same names there. */
static void
version_1(void **state)
{
	static const uint8_t octets[] = { 0x4c, 0x32, 0x41, 0x52, 1, 2, 0, 3, 0, 0, 0, 1, 0, 0, 0,
		7, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0, 0x99, 0x22, 0x48, 0x19, 'a', 'b', 'c' };
	uint32_t number[2];
	struct acct_rec rec;
	unsigned int i;
	int f;

	(void)state;
	for (i = 0; i < 2; i++) {
		f = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(f, octets, sizeof(octets)), sizeof(octets));
		close(f);
		reopen();
		assert_int_equal(acct_spill_count(), 1);
		assert_true(acct_spill_next(&rec));
		assert_true(rec.key == UINT64_C(0x100000007) && rec.len == 3);
		assert_int_equal(rec.origin, rec.key);
		number[i] = rec.number;
	}
	assert_true(number[0] != 0 && number[0] == number[1]);
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_and_out),
		TEST(taken_while_more_is_put),
		TEST(found_at_the_next_start),
		TEST(torn_at_every_octet),
		TEST(flipped_bits),
		TEST(junk_is_passed_over),
		TEST(full_disk),
		TEST(memory_is_bounded),
		TEST(saved_at_the_end),
		TEST(nowhere_to_save),
		TEST(no_room_for_a_copy),
		TEST(hostile_records),
		TEST(no_regular_file),
		TEST(some_have_arrived),
		TEST(amended_later),
		TEST(version_1),
	};
	int failed;

	signal(SIGXFSZ, SIG_IGN);
	log_set_level(-1);
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/acct-spill", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	rmdir(dir);
	return failed;
}
