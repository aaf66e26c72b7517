/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building Accounting-Requests (RFC 2866; 2869 2.1 for Interim-Update, 5.1 to 5.3 for
 * gigawords and Event-Timestamp; 2867 4.1). A record's attributes are made here once, when
 * what it tells of happens; the packet round them is made by radius.c each time it is sent.
 *
 * Input is what comes from the subscriber, Output what goes to him: seen from the port
 * he is connected to (RFC 2866 5.3 and 5.4). Packets have no second word: beyond 32 bits
 * their number stays at the highest.
 *
 * What must be there comes first. What may be many comes last, as far as there is room:
 * access line attributes, what plugins add, and the routes.
 *
 * Called by acct.c; keeps nothing.
 */
#include "rad_acct.h"
#include "hook.h"
#include "note.h"
#include "rad_sess.h"
#include "radattr.h"
#include "radius.h"
#include "util.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { ROUTE_TEXT = 48, ATTR_HEAD = 2 };

static bool
has_counters(const struct rad_account *a)
{
	return a->status == RAD_ACCT_STOP || a->status == RAD_ACCT_INTERIM;
}

static void
put_who(struct wr *w, const struct session *s)
{
	if (s->user[0])
		rad_put_str(w, RAD_USER_NAME, s->user);
	if (s->ip4)
		rad_put_be32(w, RAD_FRAMED_IP_ADDRESS, s->ip4);
	if (s->netmask)
		rad_put_be32(w, RAD_FRAMED_IP_NETMASK, s->netmask);
	/* who was let out of the garden was believed by an operator, not by RADIUS */
	rad_put_u32(w, RAD_ACCT_AUTHENTIC, s->authentic ? s->authentic : AUTHENTIC_LOCAL);
}

/* What the server gave for us to return: Class (RFC 2865 5.25), and CUI (RFC 4372 2.1). */
static void
put_returned(struct wr *w, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note n;

	while (note_next(&pos, &n)) {
		if (n.kind == NOTE_CLASS)
			rad_put(w, RAD_CLASS, n.data, n.len);
		else if (n.kind == NOTE_CUI)
			rad_put(w, RAD_CHARGEABLE_USER_IDENTITY, n.data, n.len);
	}
}

static void
put_packets(struct wr *w, uint8_t type, uint64_t n)
{
	rad_put_u32(w, type, (uint32_t)MIN(n, UINT32_MAX));
}

/* Octets in two words; the upper one always, so that a server need not guess. */
static void
put_octets(struct wr *w, uint8_t type, uint8_t giga_type, uint64_t n)
{
	rad_put_u32(w, type, (uint32_t)n);
	rad_put_u32(w, giga_type, (uint32_t)(n >> 32));
}

static void
put_counters(struct wr *w, const struct rad_account *a)
{
	rad_put_u32(w, RAD_ACCT_SESSION_TIME, a->seconds);
	put_octets(w, RAD_ACCT_INPUT_OCTETS, RAD_ACCT_INPUT_GIGAWORDS, a->in_bytes);
	put_octets(w, RAD_ACCT_OUTPUT_OCTETS, RAD_ACCT_OUTPUT_GIGAWORDS, a->out_bytes);
	put_packets(w, RAD_ACCT_INPUT_PACKETS, a->in_packets);
	put_packets(w, RAD_ACCT_OUTPUT_PACKETS, a->out_packets);
}

/* Framed-Route: the gateway is the subscriber's own address (RFC 2865 5.22). */
static void
put_routes(struct wr *w, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note_route route;
	struct note n;
	char text[ROUTE_TEXT];

	while (note_next(&pos, &n) && (size_t)(w->end - w->pos) >= ATTR_HEAD + ROUTE_TEXT) {
		if (n.kind != NOTE_ROUTE || n.len != sizeof(route))
			continue;
		memcpy(&route, n.data, sizeof(route));
		snprintf(text, sizeof(text), "%s/%u 0.0.0.0 1", ip4_text(route.addr), route.len);
		rad_put_str(w, RAD_FRAMED_ROUTE, text);
	}
}

size_t
rad_acct_put(const struct session *s, const struct rad_account *a, void *buf)
{
	struct wr w = wr_init(buf, RADIUS_ACCT_ATTRS);

	rad_put_u32(&w, RAD_ACCT_STATUS_TYPE, a->status);
	put_who(&w, s);
	put_returned(&w, s);
	rad_put_u32(&w, RAD_EVENT_TIMESTAMP, (uint32_t)a->when);
	if (has_counters(a))
		put_counters(&w, a);
	if (a->status == RAD_ACCT_STOP)
		rad_put_u32(&w, RAD_ACCT_TERMINATE_CAUSE, a->cause);
	rad_sess_put(&w, s);
	hook_account(session_id(s), &w);
	put_routes(&w, s);
	return wr_len(&w);
}

/* The value of an attribute of four octets; NULL: it is not there. */
static uint8_t *
word_of(uint8_t *attrs, size_t len, uint8_t type)
{
	size_t at = 0;

	while (at + ATTR_HEAD + 4 <= len && attrs[at + 1] >= ATTR_HEAD) {
		if (attrs[at] == type && attrs[at + 1] == ATTR_HEAD + 4)
			return attrs + at + ATTR_HEAD;
		at += attrs[at + 1];
	}
	return NULL;
}

static uint32_t
get_word(const uint8_t *p)
{
	struct rd r = rd_init(p, 4);

	return rd_u32(&r);
}

static void
set_word(uint8_t *p, uint64_t n)
{
	struct wr w = wr_init(p, 4);

	wr_u32(&w, (uint32_t)n);
}

static void
add_octets(uint8_t *low, uint8_t *high, uint64_t more)
{
	uint64_t n;

	if (!low || !high)
		return;
	n = ((uint64_t)get_word(high) << 32 | get_word(low)) + more;
	set_word(low, n);
	set_word(high, n >> 32);
}

static void
add_packets(uint8_t *p, uint64_t more)
{
	if (p)
		set_word(p, MIN(get_word(p) + more, UINT32_MAX));
}

void
rad_acct_amend(void *attrs, size_t len, const struct rad_moved *more)
{
	add_octets(word_of(attrs, len, RAD_ACCT_INPUT_OCTETS),
	    word_of(attrs, len, RAD_ACCT_INPUT_GIGAWORDS), more->in_bytes);
	add_octets(word_of(attrs, len, RAD_ACCT_OUTPUT_OCTETS),
	    word_of(attrs, len, RAD_ACCT_OUTPUT_GIGAWORDS), more->out_bytes);
	add_packets(word_of(attrs, len, RAD_ACCT_INPUT_PACKETS), more->in_packets);
	add_packets(word_of(attrs, len, RAD_ACCT_OUTPUT_PACKETS), more->out_packets);
}

size_t
rad_acct_put_nas(enum rad_acct_status status, int64_t when, void *buf)
{
	struct wr w = wr_init(buf, RADIUS_ACCT_ATTRS);
	char id[RAD_ACCT_ID_TEXT];

	snprintf(id, sizeof(id), "%08X00000000", (uint32_t)when);
	rad_put_u32(&w, RAD_ACCT_STATUS_TYPE, status);
	rad_put_str(&w, RAD_ACCT_SESSION_ID, id); /* RFC 2866 5.5: in each of them */
	rad_put_u32(&w, RAD_EVENT_TIMESTAMP, (uint32_t)when);
	rad_sess_put_nas(&w);
	return wr_len(&w);
}
