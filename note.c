/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes of sessions: records (kind, length, tag, octets) packed one behind the other
 * into chains of 64-octet cells. A chain is only ever appended to and freed whole; what
 * replaces a kind makes a new one.
 *
 * The pool is common to all sessions. So that nobody starves the others, a chain holds
 * a limited number of octets of a kind, and the kinds that come with a call, before
 * anybody has logged in, leave the last third of the pool to those that come after.
 *
 * Lies in shared memory; a CLI child may read a chain while the parent writes, so
 * reading checks every step and stops at nonsense.
 */
#include "note.h"
#include "counter.h"
#include "idset.h"
#include "shm.h"

#include <string.h>

enum { CELL_DATA = 59, RECORD_HEAD = 4 };

struct cell {
	uint32_t next; /* 0: last of the chain */
	uint8_t used;  /* octets of data in it */
	uint8_t data[CELL_DATA];
};

_Static_assert(sizeof(struct cell) == 64, "a cache line");

/* What a chain may hold of a kind. */
static const struct {
	uint16_t most; /* octets, heads of records included */
	bool login;    /* comes with an accepted login: may use the whole pool */
} kinds[NOTE_KINDS] = {
	[NOTE_ROUTE] = { 800, true },
	[NOTE_WAITS] = { 800, true },
	[NOTE_LINE] = { 512, false },
	[NOTE_CLASS] = { 1040, true },
	[NOTE_REPLY] = { 512, true },
	[NOTE_STATE] = { 512, true },
	[NOTE_CUI] = { 260, true },
	[NOTE_LOGIN] = { 260, true },
	[NOTE_FOREIGN] = { NOTE_FOREIGN_MOST, true },
	[NOTE_PROXY] = { 1024, false },
	[NOTE_SUCCESS] = { 260, true },
};

const char *const note_kind_names[NOTE_KINDS] = {
	[NOTE_END] = "nothing",
	[NOTE_ROUTE] = "a route",
	[NOTE_WAITS] = "a route that waits",
	[NOTE_LINE] = "an access line AVP",
	[NOTE_CLASS] = "a Class",
	[NOTE_REPLY] = "a Reply-Message",
	[NOTE_STATE] = "a State",
	[NOTE_CUI] = "a Chargeable-User-Identity",
	[NOTE_LOGIN] = "the name of a login",
	[NOTE_FOREIGN] = "what a later release has told",
	[NOTE_PROXY] = "a proxy AVP",
	[NOTE_SUCCESS] = "the text of a Success",
};

static struct cell *cells;
static struct idset ids;

void
note_init(uint32_t n)
{
	cells = shm_map("notes", ((size_t)n + 1) * sizeof(*cells));
	idset_init(&ids, "note ids", n);
}

static uint32_t
last_cell(uint32_t head)
{
	while (cells[head].next)
		head = cells[head].next;
	return head;
}

/* Cells that must be new for `len` more octets. */
static uint32_t
cells_needed(uint32_t head, size_t len)
{
	size_t room = head ? (size_t)CELL_DATA - cells[last_cell(head)].used : 0;

	return len <= room ? 0 : (uint32_t)((len - room + CELL_DATA - 1) / CELL_DATA);
}

static uint32_t
append_cell(uint32_t *head)
{
	uint32_t id = idset_take(&ids);

	cells[id] = (struct cell){ 0 };
	if (*head)
		cells[last_cell(*head)].next = id;
	else
		*head = id;
	return id;
}

static void
append(uint32_t *head, const uint8_t *p, size_t len)
{
	uint32_t id = *head ? last_cell(*head) : append_cell(head);

	while (len > 0) {
		size_t n = MIN(len, (size_t)CELL_DATA - cells[id].used);

		memcpy(cells[id].data + cells[id].used, p, n);
		cells[id].used = (uint8_t)(cells[id].used + n);
		p += n;
		len -= n;
		if (len > 0)
			id = append_cell(head);
	}
}

static size_t
octets_of_kind(uint32_t head, uint8_t kind)
{
	struct note_pos pos = note_first(head);
	struct note n;
	size_t sum = 0;

	while (note_next(&pos, &n))
		if (n.kind == kind)
			sum += RECORD_HEAD + n.len;
	return sum;
}

static bool
has_room(uint32_t head, uint8_t kind, size_t len)
{
	uint32_t reserve = kinds[kind].login ? 0 : ids.limit / 3;

	return octets_of_kind(head, kind) + len <= kinds[kind].most &&
	       cells_needed(head, len) + reserve <= ids.limit - ids.used;
}

int
note_add(uint32_t *head, uint8_t kind, uint16_t tag, const void *data, size_t len)
{
	uint8_t record[RECORD_HEAD + NOTE_MAX];

	if (len > NOTE_MAX || !has_room(*head, kind, len + RECORD_HEAD)) {
		COUNT(notes_full);
		return -1;
	}
	record[0] = kind;
	record[1] = (uint8_t)len;
	memcpy(record + 2, &tag, sizeof(tag));
	memcpy(record + RECORD_HEAD, data, len);
	append(head, record, len + RECORD_HEAD);
	return 0;
}

struct note_pos
note_first(uint32_t head)
{
	return (struct note_pos){ .cell = head };
}

static bool
take(struct note_pos *pos, uint8_t *to, size_t len)
{
	while (len > 0) {
		const struct cell *c;
		size_t n;

		if (pos->cell == 0 || pos->cell > ids.limit)
			return false;
		c = &cells[pos->cell];
		if (c->used > CELL_DATA)
			return false;
		if (pos->offset >= c->used) {
			pos->cell = c->next;
			pos->offset = 0;
			continue;
		}
		n = MIN(len, (size_t)c->used - pos->offset);
		memcpy(to, c->data + pos->offset, n);
		pos->offset += (unsigned int)n;
		to += n;
		len -= n;
	}
	return true;
}

bool
note_next(struct note_pos *pos, struct note *n)
{
	uint8_t head[RECORD_HEAD];

	if (!take(pos, head, sizeof(head)) || head[0] == NOTE_END)
		return false;
	n->kind = head[0];
	n->len = head[1];
	memcpy(&n->tag, head + 2, sizeof(n->tag));
	return take(pos, n->data, n->len);
}

/* Adds what a chain has of other kinds to another one. */
static int
copy_others(uint32_t *to, uint32_t head, uint8_t kind)
{
	struct note_pos pos = note_first(head);
	struct note n;

	while (note_next(&pos, &n))
		if (n.kind != kind && note_add(to, n.kind, n.tag, n.data, n.len) < 0)
			return -1;
	return 0;
}

int
note_replace(uint32_t *head, uint8_t kind, const struct note *with, unsigned int n)
{
	uint32_t fresh = 0;
	unsigned int i;
	int result = copy_others(&fresh, *head, kind);

	for (i = 0; i < n && result == 0; i++)
		result = note_add(&fresh, kind, with[i].tag, with[i].data, with[i].len);
	if (result < 0) {
		note_free(&fresh);
		return -1;
	}
	note_free(head);
	*head = fresh;
	return 0;
}

void
note_free(uint32_t *head)
{
	uint32_t id = *head, next;

	*head = 0;
	for (; id; id = next) {
		next = cells[id].next;
		cells[id] = (struct cell){ 0 };
		idset_give(&ids, id);
	}
}

bool
note_find(uint32_t head, uint8_t kind, struct note *n)
{
	struct note_pos pos = note_first(head);

	while (note_next(&pos, n))
		if (n->kind == kind)
			return true;
	return false;
}
