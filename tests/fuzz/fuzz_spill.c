/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A spill file as somebody or something has left it. The input is a row of pieces: junk as
 * it is, or a record - its checksum made here, which no fuzzer finds - whole, with an octet
 * changed, or cut. Whatever lies between them, every whole record is read, in order; and
 * what is read is left the same by another start.
 */
#include "acct_spill.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 64, HEAD = 28, CHECKED = 24 };

enum piece { JUNK, WHOLE, CHANGED, CUT, PIECES };

static char dir[] = "/dev/shm/fuzz_spill_XXXXXX", file[64];
static struct acct_rec whole[MOST];
static unsigned int n_whole;

static void
clean_up(void)
{
	unlink(file);
	rmdir(dir);
}

static void
first_time(void)
{
	if (file[0])
		return;
	if (!mkdtemp(dir))
		abort();
	snprintf(file, sizeof(file), "%s/acct-spill", dir);
	atexit(clean_up);
	log_set_level(-1);
}

static void
append(const void *p, size_t n)
{
	int f = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (f < 0 || write(f, p, n) != (ssize_t)n)
		abort();
	close(f);
}

static uint32_t
crc32(uint32_t crc, const uint8_t *p, size_t n)
{
	unsigned int bit;

	for (; n > 0; n--)
		for (crc ^= *p++, bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	return crc;
}

/* As it stands at the head of acct_spill.c. */
static size_t
encode(const struct acct_rec *rec, uint8_t *buf, size_t size)
{
	struct wr w = wr_init(buf, size);

	wr_u32(&w, 0x4c324152);
	wr_u8(&w, 1);
	wr_u8(&w, rec->status);
	wr_u16(&w, rec->len);
	wr_u64(&w, rec->key);
	wr_u64(&w, (uint64_t)rec->when);
	wr_u32(&w, ~crc32(crc32(~0U, buf, CHECKED), rec->attrs, rec->len));
	wr_bytes(&w, rec->attrs, rec->len);
	return wr_len(&w);
}

static bool
is_kept(const struct acct_rec *rec)
{
	return rec->status >= RAD_ACCT_START && rec->status <= RAD_ACCT_INTERIM && rec->when >= 0;
}

static void
put_record(struct rd *r, enum piece kind)
{
	struct acct_rec rec = { .status = rd_u8(r), .when = (int32_t)rd_u32(r), .key = rd_u8(r) };
	uint8_t buf[HEAD + RADIUS_ACCT_ATTRS], by = rd_u8(r);
	uint16_t where = rd_u16(r);
	size_t len = rd_u16(r), n;

	rec.len = (uint16_t)MIN(MIN(len, rd_left(r)), sizeof(rec.attrs));
	rd_copy(r, rec.attrs, rec.len);
	n = encode(&rec, buf, sizeof(buf));
	if (kind == CHANGED)
		buf[where % n] ^= by;
	append(buf, kind == CUT ? where % n : n);
	if ((kind == WHOLE || (kind == CHANGED && by == 0)) && is_kept(&rec) && n_whole < MOST)
		whole[n_whole++] = rec;
}

static void
put_junk(struct rd *r)
{
	size_t n = rd_u16(r);

	n = MIN(n, rd_left(r));
	append(r->pos, n);
	rd_skip(r, n);
}

static bool
same(const struct acct_rec *a, const struct acct_rec *b)
{
	return a->status == b->status && a->key == b->key && a->when == b->when &&
	       a->len == b->len && memcmp(a->attrs, b->attrs, a->len) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct acct_rec rec;
	struct rd r = rd_init(data, size);
	unsigned int found = 0, n = 0;
	uint8_t kind;

	first_time();
	unlink(file);
	for (n_whole = 0; rd_left(&r) > 0 && n_whole < MOST;) {
		kind = rd_u8(&r) % PIECES;
		if (kind == JUNK)
			put_junk(&r);
		else
			put_record(&r, kind);
	}
	acct_spill_open(dir);
	for (; acct_spill_next(&rec); n++)
		if (found < n_whole && same(&rec, &whole[found]))
			found++;
	if (found < n_whole)
		abort();
	acct_spill_open(dir);
	if (acct_spill_count() != n)
		abort();
	return 0;
}
