/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spill file of accounting: records one behind the other, all numbers big endian.
 *
 *   0  "L2AR"              4
 *   4  version, 2          1
 *   5  Acct-Status-Type    1
 *   6  length of the attributes  2
 *   8  session             8
 *  16  wall clock, s       8
 *  24  origin              8
 *  32  number              4
 *  36  serial in the file, amended (lowest bit)  4
 *  40  CRC-32 of the 40 octets above and the attributes  4
 *  44  attributes, as RADIUS has them
 *
 * Origin and number name a record on all members of a cluster, each of which has a file of its
 * own. One that was told to have arrived stays where it lies; an index in memory has the serials
 * of those that wait, and what is not there, or has another serial since an amended one
 * came later, is passed over. Version 1 has neither origin, number nor serial: the session and
 * the checksum take their place, so that the same record has the same name everywhere. Of more
 * than a million records the rest are not indexed: those are sent although another member may
 * have done it.
 *
 * Reading is total: where no good record begins, an octet is skipped and the next place
 * tried, so what follows damage is found again. At start the whole file is looked at
 * once, and what is behind the last good record is cut off. What is no regular file, or
 * cannot be opened, gets another name, so that it is neither read nor lost.
 *
 * Writing is appending whole records, at most a buffer full in a turn, with no fsync():
 * that may take seconds, and the page cache outlives the process. What a full disk does
 * not take in one piece is cut off again, and stays in the buffer to be tried later.
 *
 * Records that were taken out stay in the file until all of them have arrived; then it is
 * truncated. So a crash repeats some, and loses none that ever was here. At an orderly
 * end a new file is written, without what has arrived, and put in the place of the old;
 * where there is no room for both, what is not in the old one goes behind it.
 *
 * Owns the file and its buffers. Called by acct.c and the group of acct_queue.c, one thread. Who
 * else runs on the same state_dir is kept out by the lock there (l2tpns.c).
 */
#include "acct_spill.h"
#include "counter.h"
#include "hash.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "timer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC = 0x4c324152,
	MAGIC_FIRST = 0x4c, /* its first octet on disk */
	VERSION = 2,
	VERSION_1 = 1,
	CHECKED = 40, /* octets of the head that the checksum covers */
	CHECKED_1 = 24,
	CHECK = 4,
	LONGEST = CHECKED + CHECK + RADIUS_ACCT_ATTRS,
	INDEX = 1 << 20,
	SERIAL_1 = 2, /* of all records of version 1 */
	SERIAL_FIRST = 4,
	SERIAL_STEP = 2,
	PASSED = 4096, /* records passed over in one call */
	IN_SIZE = 256 << 10,
	LOOK_SIZE = 64 << 10,
	OUT_SIZE = 4 << 20,
	SAVE_SIZE = 1 << 20,
	RETRY_SEC = 1, /* after the disk refused */
};

static const int64_t LATEST = INT64_C(1) << 40; /* s; later times are not meant */

static char path[PATH_MAX];
static int fd = -1;
static uint64_t size;	 /* of the file: whole records */
static uint64_t read_at; /* where in[] goes on */
static uint64_t count;	 /* records not taken out yet */
static uint64_t skipped; /* octets that were no records */
static uint64_t retry_ms;

static struct hash index_of; /* key_of() a record -> its serial */
static bool crowded;	     /* there are more than the index holds */
static uint32_t next_serial = SERIAL_FIRST;
static uint64_t left_end; /* of what an earlier process has left */

static uint8_t *in; /* a piece of the file */
static size_t in_pos, in_len;
static uint8_t *out; /* what is yet to be written */
static size_t out_pos, out_len;

static struct {
	uint64_t at; /* where in the file it is from */
	size_t len;
	uint8_t *buf;
} view;

static struct {
	int fd;
	bool append, failed;
	size_t len;
	uint8_t *buf;
} save = { .fd = -1 };

/* --- a record --- */

static uint32_t
crc32(uint32_t crc, const uint8_t *p, size_t n)
{
	static uint32_t table[256];
	uint32_t i, k;

	if (!table[1])
		for (i = 0; i < ARRAY_LEN(table); i++)
			for (table[i] = i, k = 0; k < 8; k++)
				table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	for (crc = ~crc; n > 0; n--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static uint64_t
key_of(uint64_t origin, uint32_t number)
{
	return origin ^ (uint64_t)number << 32; /* the map is seeded */
}

/* Its length; 0 when it does not fit. */
static size_t
encode(const struct acct_rec *rec, uint32_t serial, uint8_t *to, size_t room)
{
	struct wr w = wr_init(to, room);

	wr_u32(&w, MAGIC);
	wr_u8(&w, VERSION);
	wr_u8(&w, rec->status);
	wr_u16(&w, rec->len);
	wr_u64(&w, rec->key);
	wr_u64(&w, (uint64_t)rec->when);
	wr_u64(&w, rec->origin);
	wr_u32(&w, rec->number);
	wr_u32(&w, serial);
	if (!w.bad)
		wr_u32(&w, crc32(crc32(0, to, CHECKED), rec->attrs, rec->len));
	wr_bytes(&w, rec->attrs, rec->len);
	return wr_len(&w);
}

/* Nothing else is ever written, whatever the checksum says. */
static bool
is_ours(const struct acct_rec *rec)
{
	return rec->status >= RAD_ACCT_START && rec->status <= RAD_ACCT_INTERIM && rec->when >= 0 &&
	       rec->when <= LATEST;
}

/* The head of a record behind its version; returns how much of it the checksum covers. */
static size_t
decode_head(struct rd *r, uint8_t version, struct acct_rec *rec, uint32_t *serial)
{
	rec->status = rd_u8(r);
	rec->len = rd_u16(r);
	rec->key = rd_u64(r);
	rec->when = (int64_t)rd_u64(r);
	rec->origin = rec->number = *serial = 0;
	rec->s = 0;
	if (version == VERSION_1)
		return CHECKED_1;
	rec->origin = rd_u64(r);
	rec->number = rd_u32(r);
	*serial = rd_u32(r);
	return CHECKED;
}

static void
name_version_1(struct acct_rec *rec, uint32_t crc, uint32_t *serial)
{
	rec->origin = rec->key;
	rec->number = rec->key ? MAX(crc, 1) : 0;
	*serial = SERIAL_1;
}

/* The length of the record that begins here; 0: more octets are needed to tell; -1: none does. */
static int
decode(const uint8_t *from, size_t n, struct acct_rec *rec, uint32_t *serial)
{
	struct rd r = rd_init(from, n);
	uint32_t magic = rd_u32(&r), crc;
	uint8_t version = rd_u8(&r);
	size_t checked = decode_head(&r, version, rec, serial);
	const uint8_t *attrs;

	if (n > 0 && from[0] != MAGIC_FIRST)
		return -1;
	crc = rd_u32(&r);
	if (r.bad)
		return 0;
	if (magic != MAGIC || (version != VERSION && version != VERSION_1) ||
	    rec->len > sizeof(rec->attrs) || !is_ours(rec))
		return -1;
	attrs = rd_bytes(&r, rec->len);
	if (r.bad)
		return 0;
	if (crc != crc32(crc32(0, from, checked), attrs, rec->len))
		return -1;
	if (version == VERSION_1)
		name_version_1(rec, crc, serial);
	rec->amended = *serial & 1;
	memcpy(rec->attrs, attrs, rec->len);
	return (int)(checked + CHECK + rec->len);
}

/* --- what waits --- */

/* A record has come into the file. */
static void
enter(const struct acct_rec *rec, uint32_t serial)
{
	uint64_t key = key_of(rec->origin, rec->number);

	count += !rec->number || !hash_get(&index_of, key);
	if (rec->number && hash_put(&index_of, key, serial) < 0)
		crowded = true;
}

static bool
waits(const struct acct_rec *rec, uint32_t serial)
{
	uint32_t indexed;

	if (!rec->number)
		return true;
	indexed = hash_get(&index_of, key_of(rec->origin, rec->number));
	return indexed ? indexed == serial : crowded;
}

static void
leave(const struct acct_rec *rec)
{
	if (rec->number)
		(void)hash_del(&index_of, key_of(rec->origin, rec->number));
	count--;
}

bool
acct_spill_has(uint64_t origin, uint32_t number, bool *amended)
{
	uint32_t serial = hash_get(&index_of, key_of(origin, number));

	*amended = serial & 1;
	return serial != 0;
}

bool
acct_spill_drop(uint64_t origin, uint32_t number)
{
	if (!hash_del(&index_of, key_of(origin, number)))
		return false;
	count--;
	return true;
}

/* --- reading --- */

/* Gets more of the file into in[]; false when there is no more. */
static bool
fill(void)
{
	size_t left = in_len - in_pos, want;
	ssize_t n;

	memmove(in, in + in_pos, left);
	in_pos = 0;
	in_len = left;
	want = (size_t)MIN(IN_SIZE - left, size - read_at);
	if (want == 0 || fd < 0)
		return false;
	n = pread(fd, in + left, want, (off_t)read_at);
	if (n <= 0) {
		plog(LOG_ERROR, "%s: %s; %llu octets of accounting records are not to be read",
		    path, n < 0 ? strerror(errno) : "it has become shorter",
		    (unsigned long long)(size - read_at));
		read_at = size;
		return false;
	}
	in_len += (size_t)n;
	read_at += (uint64_t)n;
	return true;
}

/* No record begins at in_pos: on to the next place where one may. */
static void
skip(void)
{
	const uint8_t *next = memchr(in + in_pos + 1, MAGIC_FIRST, in_len - in_pos - 1);
	size_t to = next ? (size_t)(next - in) : in_len;

	skipped += to - in_pos;
	in_pos = to;
}

static bool
next_in_file(struct acct_rec *rec, uint32_t *serial)
{
	int n;

	for (;;) {
		n = decode(in + in_pos, in_len - in_pos, rec, serial);
		if (n > 0) {
			in_pos += (size_t)n;
			return true;
		}
		if (n == 0 && fill())
			continue;
		if (in_pos == in_len)
			return false;
		skip();
	}
}

/* What could not be written yet. */
static bool
next_in_buffer(struct acct_rec *rec, uint32_t *serial)
{
	int n = decode(out + out_pos, out_len - out_pos, rec, serial);

	if (n <= 0)
		return false;
	out_pos += (size_t)n;
	if (out_pos == out_len)
		out_pos = out_len = 0;
	return true;
}

/* Where in the file the next record to be taken out is. */
static uint64_t
read_pos(void)
{
	return read_at - (in_len - in_pos);
}

bool
acct_spill_next(struct acct_rec *rec)
{
	uint32_t serial;
	unsigned int n;

	for (n = 0; count > 0 && n < PASSED; n++) {
		if (!next_in_file(rec, &serial) && !next_in_buffer(rec, &serial)) {
			plog(LOG_ERROR, "%s: %llu accounting records are damaged", path,
			    (unsigned long long)count);
			COUNT_ADD(acct_lost, count);
			count = 0;
			return false;
		}
		if (!waits(rec, serial))
			continue;
		rec->left = read_pos() <= left_end;
		leave(rec);
		return true;
	}
	return false;
}

/* What stands in the file, or is still to be written there, from `pos` on. */
static const uint8_t *
view_at(uint64_t pos, size_t *n)
{
	ssize_t got;

	if (pos >= size) {
		*n = (size_t)MIN(out_len - out_pos - MIN(pos - size, out_len - out_pos), LONGEST);
		return out + out_pos + (pos - size);
	}
	if (pos < view.at || pos + LONGEST > view.at + view.len) {
		got = pread(fd, view.buf, (size_t)MIN((uint64_t)LOOK_SIZE, size - pos), (off_t)pos);
		view.at = pos;
		view.len = got > 0 ? (size_t)got : 0;
	}
	*n = view.len - (size_t)(pos - view.at);
	return view.buf + (pos - view.at);
}

int
acct_spill_look(uint64_t *pos, struct acct_rec *rec)
{
	size_t n;
	const uint8_t *p = view_at(*pos, &n), *next;
	uint32_t serial;
	int len = decode(p, n, rec, &serial);

	if (len == 0)
		return -1;
	if (len > 0) {
		*pos += (unsigned int)len;
		return waits(rec, serial);
	}
	next = memchr(p + 1, MAGIC_FIRST, n - 1);
	*pos += next ? (size_t)(next - p) : n;
	return 0;
}

uint64_t
acct_spill_left(void)
{
	return left_end;
}

void
acct_spill_forget_left(void)
{
	left_end = 0;
}

uint64_t
acct_spill_count(void)
{
	return count;
}

static void
rewind_file(void)
{
	read_at = 0;
	in_pos = in_len = view.len = 0;
}

void
acct_spill_settled(void)
{
	if (fd < 0 || size == 0 || count > 0)
		return;
	if (ftruncate(fd, 0) < 0)
		plog_limit(LOG_ERROR, "%s: %s", path, strerror(errno));
	size = left_end = 0;
	crowded = false;
	hash_clear(&index_of);
	rewind_file();
}

/* --- the start --- */

/* Reads it once; returns where the last good record ends. */
static uint64_t
survey(void)
{
	struct acct_rec rec;
	uint32_t serial;
	uint64_t end = 0;

	while (next_in_file(&rec, &serial)) {
		end = read_pos();
		next_serial = MAX(next_serial, (serial & ~1U) + SERIAL_STEP);
		enter(&rec, serial);
	}
	return end;
}

static void
cut(uint64_t end)
{
	COUNT_ADD(acct_spill_junk, skipped);
	if (skipped > 0)
		plog(LOG_ERROR,
		    "%s: %llu octets are no accounting records, %llu of them at the end", path,
		    (unsigned long long)skipped, (unsigned long long)(size - end));
	if (end < size && ftruncate(fd, (off_t)end) < 0)
		plog(LOG_ERROR, "%s: %s", path, strerror(errno));
	size = left_end = end;
	skipped = 0;
}

static void
start_over(void)
{
	if (!in) {
		in = shm_map_parent("accounting file, input", IN_SIZE);
		out = shm_map_parent("accounting file, output", OUT_SIZE);
		view.buf = shm_map_parent("accounting file, looked at", LOOK_SIZE);
		save.buf = shm_map_parent("accounting file, new", SAVE_SIZE);
		hash_init(&index_of, "accounting file, index", INDEX);
	}
	if (fd >= 0)
		close(fd);
	hash_clear(&index_of);
	crowded = false;
	next_serial = SERIAL_FIRST;
	size = count = skipped = retry_ms = left_end = 0;
	out_pos = out_len = 0;
	rewind_file();
}

/* Opens a regular file and takes its size; nothing else may stop us, be it a pipe. */
static void
open_file(int create)
{
	struct stat st;

	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | create, 0600);
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))) {
		size = fd < 0 ? 0 : (uint64_t)st.st_size;
		return;
	}
	close(fd);
	fd = -1;
	errno = EINVAL;
}

static void
set_aside(const char *why)
{
	char name[PATH_MAX + 8];

	snprintf(name, sizeof(name), "%s.unread", path);
	COUNT(acct_spill_errors);
	if (renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0)
		plog(LOG_CRITICAL, "%s: %s; it is kept as %s", path, why, name);
	else
		plog(LOG_CRITICAL, "%s: %s; %s: %s", path, why, name, strerror(errno));
}

void
acct_spill_open(const char *dir)
{
	start_over();
	snprintf(path, sizeof(path), "%s/acct-spill", dir);
	open_file(0);
	if (fd < 0) {
		if (errno != ENOENT)
			set_aside(strerror(errno));
		return;
	}
	cut(survey());
	rewind_file();
	if (count > 0)
		plog(LOG_WARNING, "%llu accounting records wait in %s", (unsigned long long)count,
		    path);
}

/* --- writing --- */

static void
refused(const char *what)
{
	COUNT(acct_spill_errors);
	retry_ms = loop_now_ms() + SEC(RETRY_SEC);
	plog_limit(LOG_ERROR, "%s: %s; accounting records stay in memory", path, what);
}

void
acct_spill_flush(void)
{
	size_t want = out_len - out_pos;
	ssize_t n;

	if (want == 0 || loop_now_ms() < retry_ms)
		return;
	if (fd < 0)
		open_file(O_CREAT);
	if (fd < 0) {
		refused(strerror(errno));
		return;
	}
	n = write(fd, out + out_pos, want);
	if (n == (ssize_t)want) {
		size += want;
		out_pos = out_len = 0;
		return;
	}
	refused(n < 0 ? strerror(errno) : "the disk is full");
	if (n > 0 && ftruncate(fd, (off_t)size) < 0)
		plog_limit(LOG_ERROR, "%s: %s", path, strerror(errno)); /* reading skips it */
}

/* Serials are told from one another by being equal or not, so they may begin again. */
static uint32_t
take_serial(const struct acct_rec *rec)
{
	uint32_t serial = next_serial | rec->amended;

	next_serial += SERIAL_STEP;
	if (next_serial < SERIAL_FIRST)
		next_serial = SERIAL_FIRST;
	return serial;
}

bool
acct_spill_add(const struct acct_rec *rec)
{
	uint32_t serial = take_serial(rec);
	size_t n = encode(rec, serial, out + out_len, OUT_SIZE - out_len);

	if (n == 0) {
		acct_spill_flush();
		n = encode(rec, serial, out + out_len, OUT_SIZE - out_len);
	}
	if (n == 0)
		return false;
	out_len += n;
	enter(rec, serial);
	return true;
}

/* --- the end --- */

static void
save_failed(const char *why)
{
	save.failed = true;
	if (save.append)
		plog(LOG_CRITICAL, "%s: %s; accounting records are lost", path, why);
	else
		plog(LOG_ERROR, "%s.new: %s", path, why);
}

static void
save_write(const uint8_t *p, size_t n)
{
	ssize_t done;

	for (; n > 0 && !save.failed; n -= (size_t)done, p += done) {
		done = write(save.fd, p, n);
		if (done <= 0) {
			save_failed(done < 0 ? strerror(errno) : "the disk is full");
			return;
		}
	}
}

static void
save_flush(void)
{
	save_write(save.buf, save.len);
	save.len = 0;
}

static const char *
new_name(void)
{
	static char name[PATH_MAX + 8];

	snprintf(name, sizeof(name), "%s.new", path);
	return name;
}

void
acct_spill_save_begin(bool append)
{
	save.append = append;
	save.failed = false;
	save.len = 0;
	if (append && fd < 0)
		open_file(O_CREAT);
	save.fd = append ? fd : open(new_name(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (save.fd < 0)
		save_failed(strerror(errno));
}

void
acct_spill_save(const struct acct_rec *rec)
{
	uint32_t serial = take_serial(rec);
	size_t n = encode(rec, serial, save.buf + save.len, SAVE_SIZE - save.len);

	if (n == 0) {
		save_flush();
		n = encode(rec, serial, save.buf + save.len, SAVE_SIZE - save.len);
	}
	save.len += n;
	if (save.failed && save.append)
		COUNT(acct_lost);
}

void
acct_spill_save_rest(void)
{
	static struct acct_rec rec;
	uint32_t serial;

	while (!save.append && !save.failed && next_in_file(&rec, &serial))
		if (waits(&rec, serial))
			acct_spill_save(&rec);
	save_flush();
	save_write(out + out_pos, out_len - out_pos);
}

bool
acct_spill_save_end(void)
{
	save_flush();
	if (save.append)
		return !save.failed;
	if (save.fd >= 0)
		close(save.fd);
	if (!save.failed && rename(new_name(), path) < 0)
		save_failed(strerror(errno));
	if (save.failed)
		unlink(new_name());
	return !save.failed;
}
