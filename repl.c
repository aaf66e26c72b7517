/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of the cluster: struct <-> tagged fields (clfield.h). The tables say by which
 * tag each member goes; Docs/cluster-protocol.md says the same for people, and tests hold
 * both against the structs, so that a member cannot be forgotten.
 *
 * A record is a field of a message: kind 1, flags 1 (GONE), id 4, version 8, fields. What
 * depends on this process - places in lists, clocks, the layout of a struct - is not in it.
 * Numbers of enums are on the wire as they are in the code: new ones go to their end.
 *
 * Reading is total: what no member would send is refused, so that who installs a record
 * need not look at each value again; only whether ids fit his tables.
 *
 * A field of a session that is not in the table is a later release's. It is kept as a note and
 * told on as it came: so what a newer member has made of a session is not lost when an older
 * one is the master for a while.
 *
 * Owns nothing, sees no tables, clock or sockets.
 */
#include "repl.h"
#include "clfield.h"
#include "clmsg.h"
#include "tunnel.h"

enum {
	GONE = 1,
	NOTE_HEAD = 4,		/* as they lie in struct repl_session */
	LAST_CP_STATE = 9,	/* RFC 1661 4.2: Opened */
	LAST_AUTHTYPE = 3,	/* as many kinds of proof may be configured */
	LAST_ACCOUNT_STATE = 2, /* its Start was made */
	LAST_STATUS = 8,	/* RFC 2866 5.1: Accounting-Off */
	CONTROL_HEADER = 12,
	MOST_KBIT = 10000000,
};

_Static_assert(SESS_CLOSING == 3 && PPP_TERMINATE == 4 && AUTH_MSCHAPV2 == 3 &&
		   AUTHENTIC_LOCAL == 2 && DISC_LOCAL == 2 && TUNNEL_OPENING == 3 && SESS_CPS == 4,
    "these are on the wire");

/* --- what goes by which tag --- */

#define SESSION(tag, kind, member, most)                                                           \
	{                                                                                          \
		tag, CLFIELD_##kind, CLFIELD_OF(struct repl_session, member), most                 \
	}

static const struct clfield session_fields[] = {
	SESSION(1, NUMBER, rec.tunnel, MAX_TUNNELS_LIMIT),
	SESSION(2, NUMBER, rec.wire_sid, 0),
	SESSION(3, NUMBER, rec.peer_sid, 0),
	SESSION(4, NUMBER, rec.unique, 0),
	SESSION(5, NUMBER, rec.opened, 0),
	SESSION(6, NUMBER, rec.call_serial, 0),
	SESSION(7, NUMBER, rec.tx_speed, 0),
	SESSION(8, NUMBER, rec.rx_speed, 0),
	SESSION(9, OCTETS, rec.ip4, 0),
	SESSION(10, OCTETS, rec.netmask, 0),
	SESSION(11, OCTETS, rec.dns1, 0),
	SESSION(12, OCTETS, rec.dns2, 0),
	SESSION(13, NUMBER, rec.session_timeout, 0),
	SESSION(14, NUMBER, rec.idle_timeout, 0),
	SESSION(15, NUMBER, rec.interim, 0),
	SESSION(16, NUMBER, rec.mru, 0),
	SESSION(17, NUMBER, rec.peer_mru, 0),
	SESSION(18, NUMBER, rec.radius_mtu, 0),
	SESSION(19, NUMBER, rec.state, SESS_CLOSING),
	SESSION(20, NUMBER, rec.phase, PPP_TERMINATE),
	SESSION(21, NUMBER, rec.cp[SESS_CP_LCP], LAST_CP_STATE),
	SESSION(22, NUMBER, rec.cp[SESS_CP_IPCP], LAST_CP_STATE),
	SESSION(23, NUMBER, rec.cp[SESS_CP_IPV6CP], LAST_CP_STATE),
	SESSION(24, NUMBER, rec.cp[SESS_CP_CCP], LAST_CP_STATE),
	SESSION(25, NUMBER, rec.auth, AUTH_MSCHAPV2),
	SESSION(26, NUMBER, rec.pooled, 1),
	SESSION(27, NUMBER, rec.sequencing, 1),
	SESSION(28, NUMBER, rec.authed, 1),
	SESSION(29, NUMBER, rec.authentic, AUTHENTIC_LOCAL),
	SESSION(30, NUMBER, rec.down, 1),
	SESSION(31, NUMBER, rec.accounted, 1),
	SESSION(32, NUMBER, rec.magic, 0),
	SESSION(33, NUMBER, rec.peer_magic, 0),
	SESSION(34, NUMBER, rec.rate_in, MOST_KBIT),
	SESSION(35, NUMBER, rec.rate_out, MOST_KBIT),
	SESSION(36, OCTETS, rec.snoop_ip, 0),
	SESSION(37, NUMBER, rec.snoop_port, 0),
	SESSION(38, NUMBER, rec.garden, 1),
	SESSION(39, TEXT, rec.user, 0),
	SESSION(40, TEXT, rec.called, 0),
	SESSION(41, TEXT, rec.calling, 0),
	SESSION(42, NUMBER, rec.end.cause, TERM_HOST_REQUEST),
	SESSION(43, NUMBER, rec.end.result, 0),
	SESSION(44, NUMBER, rec.end.error, 0),
	SESSION(45, NUMBER, rec.end.disconnect, 0),
	SESSION(46, NUMBER, rec.end.disconnect_protocol, 0),
	SESSION(47, NUMBER, rec.end.disconnect_side, DISC_LOCAL),
	SESSION(48, TEXT, rec.end.message, 0),
	SESSION(49, NUMBER, on, 1),
	SESSION(50, NUMBER, login, 0),
	SESSION(51, NUMBER, age_ds, 0),
	SESSION(52, TEXT, filter_in, 0),
	SESSION(53, TEXT, filter_out, 0),
	SESSION(54, NUMBER, acct.state, LAST_ACCOUNT_STATE),
	SESSION(55, NUMBER, acct.age_ds, 0),
	SESSION(56, NUMBER, acct.interim_ds, 0),
	SESSION(57, NUMBER, acct.rx_bytes, 0),
	SESSION(58, NUMBER, acct.rx_packets, 0),
	SESSION(59, NUMBER, acct.tx_bytes, 0),
	SESSION(60, NUMBER, acct.tx_packets, 0),
	SESSION(61, NUMBER, ppp.lcp_id, 0),
	SESSION(62, NUMBER, ppp.lcp_last_id, 0),
	SESSION(63, NUMBER, ppp.ipcp_id, 0),
	SESSION(64, NUMBER, ppp.ipcp_last_id, 0),
	SESSION(65, NUMBER, ppp.authtype, LAST_AUTHTYPE),
	SESSION(66, NUMBER, ppp.auth_id, 0),
	SESSION(67, NUMBER, ppp.echo_id, 0),
	SESSION(68, NUMBER, ppp.ask_mru, 1),
	SESSION(69, NUMBER, ppp.ask_magic, 1),
	SESSION(70, NUMBER, ppp.heard, 1),
	SESSION(71, NUMBER, ppp.auth_done, 1),
	SESSION(72, NUMBER, ppp.served, 1),
	SESSION(73, NUMBER, ppp.proxied, 1),
	SESSION(74, NUMBER, ppp.ask_address, 1),
	SESSION(75, NUMBER, ppp.any_address, 1),
	SESSION(76, NUMBER, ppp.has_address, 1),
	SESSION(77, NUMBER, ppp.announced, 1),
	SESSION(78, OCTETS, ppp.challenge, 0),
	SESSION(79, NUMBER, ppp.our_mru, 0),
	SESSION(80, NUMBER, ppp.our_magic, 0),
	SESSION(81, TEXT, ppp.pool, 0),
	SESSION(82, NUMBER, rec.answered, 1),
	SESSION(84, NUMBER, garden.known, 1),
	SESSION(85, NUMBER, garden.past_up, 0),
	SESSION(86, NUMBER, garden.past_down, 0),
	SESSION(87, NUMBER, garden.since_up, 0),
	SESSION(88, NUMBER, garden.since_down, 0),
};

enum { SESSION_NOTE = 83 }; /* kind 1, tag 2, octets; each note is such a field */

#define TUNNEL(tag, kind, member, most)                                                            \
	{                                                                                          \
		tag, CLFIELD_##kind, CLFIELD_OF(struct repl_tunnel, member), most                  \
	}

static const struct clfield tunnel_fields[] = {
	TUNNEL(1, NUMBER, state, TUNNEL_OPENING),
	TUNNEL(2, NUMBER, sequencing, 1),
	TUNNEL(3, NUMBER, hides, 1),
	TUNNEL(4, NUMBER, challenged, 1),
	TUNNEL(5, NUMBER, chan_open, 1),
	TUNNEL(6, NUMBER, wire_tid, 0),
	TUNNEL(7, NUMBER, peer_tid, 0),
	TUNNEL(8, OCTETS, local_ip, 0),
	TUNNEL(9, OCTETS, peer_ip, 0),
	TUNNEL(10, NUMBER, peer_port, 0),
	TUNNEL(11, NUMBER, peer_window, 0),
	TUNNEL(12, NUMBER, peer_framing, 0),
	TUNNEL(13, NUMBER, opened, 0),
	TUNNEL(14, NUMBER, age_ds, 0),
	TUNNEL(15, NUMBER, ns, 0),
	TUNNEL(16, NUMBER, nr, 0),
	TUNNEL(17, NUMBER, acked, 0),
	TUNNEL(18, NUMBER, high, 0),
	TUNNEL(19, OCTETS, challenge, 0),
	TUNNEL(20, TEXT, hostname, 0),
	TUNNEL(21, TEXT, vendor, 0),
	TUNNEL(22, NUMBER, replaces, 0),
};

enum { CHAN_DATA = 1 };

static const struct clfield acct_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, origin), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, done), 1 },
	{ 3, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, status), LAST_STATUS },
	{ 4, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, session), MAX_SESSIONS_LIMIT },
	{ 5, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, key), 0 },
	{ 6, CLFIELD_NUMBER, CLFIELD_OF(struct repl_acct, age_ds), 0 },
};

enum { ACCT_ATTRS = 7 };

static const struct clfield pool_fields[] = {
	{ 1, CLFIELD_OCTETS, CLFIELD_OF(struct repl_pool, ip4), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_pool, age_ds), 0 },
	{ 3, CLFIELD_TEXT, CLFIELD_OF(struct repl_pool, user), 0 },
};

static const struct clfield count_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, unique), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, data_ds), 0 },
	{ 3, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, frame_ds), 0 },
	{ 4, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, rx_bytes), 0 },
	{ 5, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, rx_packets), 0 },
	{ 6, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, tx_bytes), 0 },
	{ 7, CLFIELD_NUMBER, CLFIELD_OF(struct repl_count, tx_packets), 0 },
};

static const struct clfield ended_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_ended, wire_tid), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_ended, wire_sid), 0 },
};

static const struct clfield mark_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_mark, origin), 0 },
};

static const struct clfield dae_fields[] = {
	{ 1, CLFIELD_OCTETS, CLFIELD_OF(struct repl_dae, ip), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_dae, port), 0 },
	{ 3, CLFIELD_NUMBER, CLFIELD_OF(struct repl_dae, request), 0 },
	{ 4, CLFIELD_NUMBER, CLFIELD_OF(struct repl_dae, stamped), 1 },
	{ 5, CLFIELD_OCTETS, CLFIELD_OF(struct repl_dae, authenticator), 0 },
	{ 6, CLFIELD_NUMBER, CLFIELD_OF(struct repl_dae, cause), 0 },
	{ 7, CLFIELD_NUMBER, CLFIELD_OF(struct repl_dae, age_ds), 0 },
};

static const struct clfield usage_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, unique), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, run), 0 },
	{ 3, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, up), 0 },
	{ 4, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, down), 0 },
	{ 5, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, own_up), 0 },
	{ 6, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage, own_down), 0 },
};

static const struct clfield usage_run_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_run, origin), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_run, told), 0 },
	{ 3, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_run, over), 1 },
};

static const struct clfield usage_end_fields[] = {
	{ 1, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, origin), 0 },
	{ 2, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, unique), 0 },
	{ 3, CLFIELD_OCTETS, CLFIELD_OF(struct repl_usage_end, ip4), 0 },
	{ 4, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, throttled), 1 },
	{ 5, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, place), 0 },
	{ 6, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, run), 0 },
	{ 7, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, up), 0 },
	{ 8, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, down), 0 },
	{ 9, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, less_up), 0 },
	{ 10, CLFIELD_NUMBER, CLFIELD_OF(struct repl_usage_end, less_down), 0 },
	{ 11, CLFIELD_TEXT, CLFIELD_OF(struct repl_usage_end, user), 0 },
};

enum { COUNT_MEMBER = 8 }; /* incarnation 8, then four numbers as clfield_write_varint() does */

/* Notes by their number on the wire; 0: no such note travels. */
static const uint8_t note_numbers[NOTE_KINDS] = {
	[NOTE_ROUTE] = 1,
	[NOTE_WAITS] = 2,
	[NOTE_LINE] = 3,
	[NOTE_CLASS] = 4,
	[NOTE_REPLY] = 5,
	[NOTE_STATE] = 6,
	[NOTE_CUI] = 7,
	[NOTE_LOGIN] = 8,
	[NOTE_PROXY] = 9,
	[NOTE_SUCCESS] = 10,
};

/* --- a record in a message --- */

static size_t
begin(struct wr *w, enum repl_kind kind, uint8_t flags, uint32_t id, uint64_t version)
{
	size_t mark = clfield_begin(w, CLT_RECORD);

	wr_u8(w, (uint8_t)kind);
	wr_u8(w, flags);
	wr_u32(w, id);
	wr_u64(w, version);
	return mark;
}

static bool
end(struct wr *w, size_t mark, const struct wr *was)
{
	clfield_end(w, mark);
	if (!w->bad)
		return true;
	*w = *was;
	return false;
}

#define FIELDS(table) (table), ARRAY_LEN(table)

/* A record of a table's fields and no others. */
static bool
put(struct wr *w, enum repl_kind kind, uint32_t id, uint64_t version, const struct clfield *fields,
    size_t n, const void *from)
{
	struct wr was = *w;
	size_t mark = begin(w, kind, 0, id, version);

	clfield_put(w, fields, n, from);
	return end(w, mark, &was);
}

bool
repl_put_gone(struct wr *w, enum repl_kind kind, uint32_t id, uint64_t version)
{
	struct wr was = *w;
	size_t mark = begin(w, kind, GONE, id, version);

	return end(w, mark, &was);
}

bool
repl_next(struct rd *fields, struct repl_record *rec)
{
	struct rd val;
	uint16_t tag;

	do {
		if (!clfield_next(fields, &tag, &val))
			return false;
	} while (tag != CLT_RECORD);
	rec->kind = rd_u8(&val);
	rec->gone = rd_u8(&val) & GONE;
	rec->id = rd_u32(&val);
	rec->version = rd_u64(&val);
	rec->fields = val;
	fields->bad = val.bad || rec->version > INT64_MAX; /* nobody has counted so far */
	return !fields->bad;
}

/* A record of that kind, with fields. */
static bool
is_of(const struct repl_record *rec, enum repl_kind kind, uint32_t most)
{
	return rec->kind == kind && !rec->gone && rec->id > 0 && rec->id <= most;
}

/* --- sessions --- */

void
repl_clear_session(struct repl_session *s)
{
	memset(s, 0, offsetof(struct repl_session, notes));
}

bool
repl_add_note(struct repl_session *s, const struct note *n)
{
	struct wr w = wr_init(s->notes + s->notes_len, sizeof(s->notes) - s->notes_len);

	wr_u8(&w, n->kind);
	wr_u8(&w, n->len);
	wr_u16(&w, n->tag);
	wr_bytes(&w, n->data, n->len);
	s->notes_len = (uint16_t)(s->notes_len + wr_len(&w));
	return !w.bad;
}

bool
repl_next_note(const struct repl_session *s, uint16_t *pos, struct note *n)
{
	struct rd r = rd_init(s->notes + *pos, s->notes_len - *pos);

	if (rd_left(&r) == 0)
		return false;
	n->kind = rd_u8(&r);
	n->len = rd_u8(&r);
	n->tag = rd_u16(&r);
	rd_copy(&r, n->data, n->len);
	*pos = (uint16_t)(*pos + NOTE_HEAD + n->len);
	return !r.bad;
}

static void
put_note(struct wr *w, const struct note *n)
{
	size_t mark;

	if (n->kind == NOTE_FOREIGN)
		clfield_put_octets(w, n->tag, n->data, n->len);
	if (n->kind >= NOTE_KINDS || note_numbers[n->kind] == 0)
		return;
	mark = clfield_begin(w, SESSION_NOTE);
	wr_u8(w, note_numbers[n->kind]);
	wr_u16(w, n->tag);
	wr_bytes(w, n->data, n->len);
	clfield_end(w, mark);
}

bool
repl_put_session(struct wr *w, const struct repl_session *s)
{
	struct wr was = *w;
	size_t mark = begin(w, REPL_SESSION, 0, s->id, s->version);
	uint16_t pos = 0;
	struct note n;

	clfield_put(w, session_fields, ARRAY_LEN(session_fields), s);
	while (repl_next_note(s, &pos, &n))
		put_note(w, &n);
	return end(w, mark, &was);
}

static uint8_t
note_of(uint8_t number)
{
	uint8_t kind = NOTE_END + 1;

	while (kind < NOTE_KINDS && (number == 0 || note_numbers[kind] != number))
		kind++;
	return kind;
}

static bool
is_route(const struct note *n)
{
	struct note_route route;

	if (n->len != sizeof(route))
		return false;
	memcpy(&route, n->data, sizeof(route));
	return route.len <= 32;
}

/* How much of that kind there is, as note.c counts. */
static size_t
foreign_octets(const struct repl_session *s)
{
	uint16_t pos = 0;
	struct note n;
	size_t octets = 0;

	while (repl_next_note(s, &pos, &n))
		octets += n.kind == NOTE_FOREIGN ? (size_t)NOTE_HEAD + n.len : 0;
	return octets;
}

/* What is too long for a note, or too much, is left out. */
static bool
keep_foreign(uint16_t tag, struct rd val, struct repl_session *s)
{
	struct note n = { .kind = NOTE_FOREIGN, .tag = tag };
	size_t len = rd_left(&val);

	if (len == 0 || len > sizeof(n.data) ||
	    foreign_octets(s) + NOTE_HEAD + len > NOTE_FOREIGN_MOST)
		return true;
	n.len = (uint8_t)len;
	rd_copy(&val, n.data, len);
	(void)repl_add_note(s, &n);
	return true;
}

/* One of a kind that we do not know is a later release's field. */
static bool
get_note(struct rd val, struct repl_session *s)
{
	struct rd whole = val;
	struct note n;
	size_t len;

	n.kind = note_of(rd_u8(&val));
	n.tag = rd_u16(&val);
	len = rd_left(&val);
	if (val.bad || len > sizeof(n.data))
		return false;
	if (n.kind == NOTE_KINDS)
		return keep_foreign(SESSION_NOTE, whole, s);
	n.len = (uint8_t)len;
	rd_copy(&val, n.data, len);
	if ((n.kind == NOTE_ROUTE || n.kind == NOTE_WAITS) && !is_route(&n))
		return false;
	return repl_add_note(s, &n);
}

static bool
is_session(const struct sess_rec *s)
{
	return s->tunnel > 0 && s->wire_sid > 0 && s->state != SESS_FREE &&
	       term_cause_names[s->end.cause];
}

bool
repl_get_session(const struct repl_record *rec, struct repl_session *s)
{
	struct rd fields = rec->fields, val;
	uint16_t tag;
	bool good;

	repl_clear_session(s);
	s->id = rec->id;
	s->version = rec->version;
	if (!is_of(rec, REPL_SESSION, MAX_SESSIONS_LIMIT))
		return false;
	while (clfield_next(&fields, &tag, &val)) {
		if (tag == SESSION_NOTE)
			good = get_note(val, s);
		else if (clfield_has(session_fields, ARRAY_LEN(session_fields), tag))
			good = clfield_get(session_fields, ARRAY_LEN(session_fields), tag, val, s);
		else
			good = keep_foreign(tag, val, s);
		if (!good)
			return false;
	}
	return !fields.bad && is_session(&s->rec);
}

/* --- tunnels and their queues --- */

bool
repl_put_tunnel(struct wr *w, const struct repl_tunnel *t)
{
	return put(w, REPL_TUNNEL, t->id, t->version, FIELDS(tunnel_fields), t);
}

bool
repl_get_tunnel(const struct repl_record *rec, struct repl_tunnel *t)
{
	memset(t, 0, sizeof(*t));
	t->id = rec->id;
	t->version = rec->version;
	return is_of(rec, REPL_TUNNEL, MAX_TUNNELS_LIMIT) &&
	       clfield_get_all(tunnel_fields, ARRAY_LEN(tunnel_fields), rec->fields, t) &&
	       t->state != TUNNEL_FREE && t->wire_tid > 0;
}

uint32_t
repl_chan_id(uint16_t tunnel, uint16_t ns)
{
	return (uint32_t)tunnel << 16 | ns;
}

uint16_t
repl_chan_tunnel(uint32_t id)
{
	return (uint16_t)(id >> 16);
}

uint16_t
repl_chan_ns(uint32_t id)
{
	return (uint16_t)id;
}

bool
repl_put_chan(struct wr *w, const struct repl_chan *c)
{
	struct wr was = *w;
	size_t mark = begin(w, REPL_CHAN, 0, repl_chan_id(c->tunnel, c->ns), c->version);

	clfield_put_octets(w, CHAN_DATA, c->data, c->len);
	return end(w, mark, &was);
}

/* The one field of octets of varying length that a record has: at most `most`. */
static bool
get_octets(struct rd fields, uint16_t wanted, void *to, size_t most, uint16_t *len)
{
	struct rd val;
	uint16_t tag;

	for (*len = 0; clfield_next(&fields, &tag, &val);) {
		if (tag != wanted)
			continue;
		if (rd_left(&val) > most)
			return false;
		*len = (uint16_t)rd_left(&val);
		rd_copy(&val, to, *len);
	}
	return !fields.bad;
}

bool
repl_get_chan(const struct repl_record *rec, struct repl_chan *c)
{
	c->version = rec->version;
	c->tunnel = repl_chan_tunnel(rec->id);
	c->ns = repl_chan_ns(rec->id);
	return is_of(rec, REPL_CHAN, UINT32_MAX) && c->tunnel > 0 &&
	       c->tunnel <= MAX_TUNNELS_LIMIT &&
	       get_octets(rec->fields, CHAN_DATA, c->data, sizeof(c->data), &c->len) &&
	       c->len >= CONTROL_HEADER;
}

/* --- accounting records --- */

bool
repl_put_acct(struct wr *w, const struct repl_acct *a)
{
	struct wr was = *w;
	size_t mark = begin(w, REPL_ACCT, 0, a->id, a->version);

	clfield_put(w, acct_fields, ARRAY_LEN(acct_fields), a);
	clfield_put_octets(w, ACCT_ATTRS, a->attrs, a->done ? 0 : a->len);
	return end(w, mark, &was);
}

bool
repl_get_acct(const struct repl_record *rec, struct repl_acct *a)
{
	memset(a, 0, offsetof(struct repl_acct, attrs));
	a->id = rec->id;
	a->version = rec->version;
	return is_of(rec, REPL_ACCT, UINT32_MAX) &&
	       clfield_get_all(acct_fields, ARRAY_LEN(acct_fields), rec->fields, a) &&
	       get_octets(rec->fields, ACCT_ATTRS, a->attrs, sizeof(a->attrs), &a->len) &&
	       a->origin > 0 && (a->done || (a->status > 0 && a->len > 0));
}

/* --- addresses --- */

bool
repl_put_pool(struct wr *w, const struct repl_pool *p)
{
	return put(w, REPL_POOL, ntohl(p->ip4), p->version, FIELDS(pool_fields), p);
}

bool
repl_get_pool(const struct repl_record *rec, struct repl_pool *p)
{
	memset(p, 0, sizeof(*p));
	p->version = rec->version;
	return is_of(rec, REPL_POOL, UINT32_MAX) &&
	       clfield_get_all(pool_fields, ARRAY_LEN(pool_fields), rec->fields, p) &&
	       ntohl(p->ip4) == rec->id && p->user[0];
}

/* --- sessions that have ended --- */

bool
repl_put_ended(struct wr *w, const struct repl_ended *e)
{
	return put(w, REPL_ENDED, e->unique, 0, FIELDS(ended_fields), e);
}

bool
repl_get_ended(const struct repl_record *rec, struct repl_ended *e)
{
	*e = (struct repl_ended){ .unique = rec->id };
	return is_of(rec, REPL_ENDED, UINT32_MAX) &&
	       clfield_get_all(ended_fields, ARRAY_LEN(ended_fields), rec->fields, e);
}

/* --- counters --- */

static void
put_member(struct wr *w, const struct repl_member *m)
{
	size_t mark = clfield_begin(w, COUNT_MEMBER);

	wr_u64(w, m->incarnation);
	clfield_write_varint(w, m->rx_bytes);
	clfield_write_varint(w, m->rx_packets);
	clfield_write_varint(w, m->tx_bytes);
	clfield_write_varint(w, m->tx_packets);
	clfield_end(w, mark);
}

bool
repl_put_count(struct wr *w, const struct repl_count *c)
{
	struct wr was = *w;
	size_t mark = begin(w, REPL_COUNT, 0, c->id, c->version);
	unsigned int i;

	clfield_put(w, count_fields, ARRAY_LEN(count_fields), c);
	for (i = 0; i < c->n; i++)
		put_member(w, &c->member[i]);
	return end(w, mark, &was);
}

static bool
get_member(struct rd val, struct repl_count *c)
{
	struct repl_member *m = &c->member[c->n];

	if (c->n == REPL_MEMBERS)
		return false;
	m->incarnation = rd_u64(&val);
	m->rx_bytes = clfield_read_varint(&val);
	m->rx_packets = clfield_read_varint(&val);
	m->tx_bytes = clfield_read_varint(&val);
	m->tx_packets = clfield_read_varint(&val);
	c->n++;
	return !val.bad && m->incarnation > 0;
}

bool
repl_get_count(const struct repl_record *rec, struct repl_count *c)
{
	struct rd fields = rec->fields, val;
	uint16_t tag;
	bool good;

	memset(c, 0, offsetof(struct repl_count, member));
	c->id = rec->id;
	c->version = rec->version;
	if (!is_of(rec, REPL_COUNT, MAX_SESSIONS_LIMIT))
		return false;
	while (clfield_next(&fields, &tag, &val)) {
		good = tag == COUNT_MEMBER
			   ? get_member(val, c)
			   : clfield_get(count_fields, ARRAY_LEN(count_fields), tag, val, c);
		if (!good)
			return false;
	}
	return !fields.bad;
}

/* --- how far accounting records are known --- */

bool
repl_put_mark(struct wr *w, const struct repl_mark *m)
{
	return put(w, REPL_MARK, m->id, m->version, FIELDS(mark_fields), m);
}

bool
repl_get_mark(const struct repl_record *rec, struct repl_mark *m)
{
	memset(m, 0, sizeof(*m));
	m->id = rec->id;
	m->version = rec->version;
	return is_of(rec, REPL_MARK, UINT32_MAX) &&
	       clfield_get_all(mark_fields, ARRAY_LEN(mark_fields), rec->fields, m) &&
	       m->origin > 0;
}

/* --- answers to RFC 5176 --- */

bool
repl_put_dae(struct wr *w, const struct repl_dae *d)
{
	return put(w, REPL_DAE, d->id, d->version, FIELDS(dae_fields), d);
}

bool
repl_get_dae(const struct repl_record *rec, struct repl_dae *d)
{
	memset(d, 0, sizeof(*d));
	d->id = rec->id;
	d->version = rec->version;
	return is_of(rec, REPL_DAE, UINT32_MAX) &&
	       clfield_get_all(dae_fields, ARRAY_LEN(dae_fields), rec->fields, d) && d->ip != 0;
}

/* --- usage files --- */

bool
repl_put_usage(struct wr *w, const struct repl_usage *u)
{
	return put(w, REPL_USAGE, u->id, u->version, FIELDS(usage_fields), u);
}

bool
repl_get_usage(const struct repl_record *rec, struct repl_usage *u)
{
	memset(u, 0, sizeof(*u));
	u->id = rec->id;
	u->version = rec->version;
	return is_of(rec, REPL_USAGE, MAX_SESSIONS_LIMIT) &&
	       clfield_get_all(usage_fields, ARRAY_LEN(usage_fields), rec->fields, u);
}

bool
repl_put_usage_run(struct wr *w, const struct repl_usage_run *r)
{
	return put(w, REPL_USAGE_RUN, r->id, r->version, FIELDS(usage_run_fields), r);
}

bool
repl_get_usage_run(const struct repl_record *rec, struct repl_usage_run *r)
{
	memset(r, 0, sizeof(*r));
	r->id = rec->id;
	r->version = rec->version;
	return rec->kind == REPL_USAGE_RUN && !rec->gone &&
	       clfield_get_all(usage_run_fields, ARRAY_LEN(usage_run_fields), rec->fields, r);
}

bool
repl_put_usage_end(struct wr *w, const struct repl_usage_end *e)
{
	return put(w, REPL_USAGE_END, e->id, e->version, FIELDS(usage_end_fields), e);
}

bool
repl_get_usage_end(const struct repl_record *rec, struct repl_usage_end *e)
{
	memset(e, 0, sizeof(*e));
	e->id = rec->id;
	e->version = rec->version;
	return is_of(rec, REPL_USAGE_END, UINT32_MAX) &&
	       clfield_get_all(usage_end_fields, ARRAY_LEN(usage_end_fields), rec->fields, e) &&
	       e->origin > 0;
}
