/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the cluster. The input is a kind and the fields of a message, unsigned, as
 * after a signature that was found good; the head is made here. All decoders get them. A
 * record that is taken must be sound, and must come out the same when it is written and read
 * again; so must an item of a COUNT.
 */
#include "clmsg.h"
#include "repl.h"
#include "tunnel.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clmsg_key none;
static uint8_t again[CLMSG_LARGEST];

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

/* The record that was written to `again`. */
static struct repl_record
read_again(const struct wr *w)
{
	struct rd fields = rd_init(again, wr_len(w));
	struct repl_record rec;

	MUST(wr_len(w) > 0 && wr_len(w) <= REPL_LONGEST + 4);
	MUST(repl_next(&fields, &rec));
	return rec;
}

/* Reads it, writes it, reads it. */
#define RECORD(what, same_until)                                                                   \
	static void what(const struct repl_record *rec)                                            \
	{                                                                                          \
		static struct repl_##what a, b;                                                    \
		struct wr w = wr_init(again, sizeof(again));                                       \
		struct repl_record second;                                                         \
                                                                                                   \
		if (!repl_get_##what(rec, &a))                                                     \
			return;                                                                    \
		sound_##what(&a);                                                                  \
		MUST(repl_put_##what(&w, &a));                                                     \
		second = read_again(&w);                                                           \
		MUST(second.id == rec->id);                                                        \
		MUST(second.version == rec->version || rec->kind == REPL_ENDED); /* has none */    \
		MUST(repl_get_##what(&second, &b));                                                \
		MUST(memcmp(&a, &b, same_until) == 0);                                             \
	}

static void
sound_session(const struct repl_session *s)
{
	uint16_t pos = 0;
	struct note n;

	MUST(s->id > 0 && s->rec.tunnel > 0 && s->rec.state > SESS_FREE);
	MUST(s->rec.state <= SESS_CLOSING && s->rec.phase <= PPP_TERMINATE && s->on <= 1);
	MUST(term_cause_names[s->rec.end.cause]);
	MUST(memchr(s->rec.user, '\0', USER_LEN) && memchr(s->filter_in, '\0', CONF_ACL_NAME));
	MUST(s->notes_len <= REPL_NOTES);
	while (repl_next_note(s, &pos, &n))
		MUST(n.kind > NOTE_END && n.kind < NOTE_KINDS);
	MUST(pos == s->notes_len);
}

static void
sound_tunnel(const struct repl_tunnel *t)
{
	MUST(t->id > 0 && t->state > TUNNEL_FREE && t->state < TUNNEL_STATES && t->wire_tid > 0);
	MUST(memchr(t->hostname, '\0', HOSTNAME_LEN) && memchr(t->vendor, '\0', HOSTNAME_LEN));
}

static void
sound_chan(const struct repl_chan *c)
{
	MUST(c->tunnel > 0 && c->len >= 12 && c->len <= REPL_MESSAGE);
}

static void
sound_acct(const struct repl_acct *a)
{
	MUST(a->id > 0 && a->origin > 0 && a->len <= REPL_ACCT_ATTRS && a->done <= 1);
}

static void
sound_pool(const struct repl_pool *p)
{
	MUST(p->ip4 && p->user[0] && memchr(p->user, '\0', USER_LEN));
}

static void
sound_count(const struct repl_count *c)
{
	MUST(c->id > 0 && c->n <= REPL_MEMBERS);
}

static void
sound_ended(const struct repl_ended *e)
{
	MUST(e->unique > 0);
}

static void
sound_usage(const struct repl_usage *u)
{
	MUST(u->id > 0);
}

static void
sound_usage_run(const struct repl_usage_run *r)
{
	MUST(r->over <= 1);
}

static void
sound_usage_end(const struct repl_usage_end *e)
{
	MUST(e->id > 0 && e->origin > 0 && memchr(e->user, '\0', USER_LEN));
}

RECORD(session, offsetof(struct repl_session, notes) + a.notes_len)
RECORD(tunnel, sizeof(a))
RECORD(chan, offsetof(struct repl_chan, data) + a.len)
RECORD(acct, offsetof(struct repl_acct, len))
RECORD(pool, sizeof(a))
RECORD(ended, sizeof(a))
RECORD(usage, sizeof(a))
RECORD(usage_run, sizeof(a))
RECORD(usage_end, sizeof(a))
RECORD(count, offsetof(struct repl_count, member) + a.n * sizeof(a.member[0]))

static void
records(struct rd fields)
{
	struct repl_record rec;

	while (repl_next(&fields, &rec)) {
		session(&rec);
		tunnel(&rec);
		chan(&rec);
		acct(&rec);
		pool(&rec);
		count(&rec);
		ended(&rec);
		usage(&rec);
		usage_run(&rec);
		usage_end(&rec);
	}
}

static void
counts(struct rd fields)
{
	struct cl_count a, b;
	struct rd r;
	struct wr w;

	while (clmsg_next_count(&fields, &a)) {
		w = wr_init(again, sizeof(again));
		MUST(clmsg_put_count(&w, &a));
		r = rd_init(again, wr_len(&w));
		MUST(clmsg_next_count(&r, &b) && memcmp(&a, &b, sizeof(a)) == 0);
	}
}

static void
forward(struct rd fields, const uint8_t *data, size_t len)
{
	struct cl_forward m;

	if (clmsg_get_forward(fields, &m))
		MUST(m.len > 0 && m.payload > data && m.payload + m.len <= data + len);
}

static void
small_ones(struct rd fields)
{
	struct cl_heartbeat hb;
	struct cl_proof proof;
	struct cl_change change;
	struct cl_resend resend;
	struct cl_sync sync;
	struct cl_sync_ask ask;
	struct cl_sync_ack ack;
	struct cl_leave leave;
	struct cl_forward_ack forward_ack;

	if (clmsg_get_heartbeat(fields, &hb))
		MUST(hb.role <= CL_MASTER && memchr(hb.host, '\0', HOSTNAME_LEN) &&
		     memchr(hb.software, '\0', CLMSG_SOFTWARE));
	if (clmsg_get_resend(fields, &resend))
		MUST(resend.from <= resend.to);
	if (clmsg_get_sync(fields, &sync))
		MUST(sync.part > 0 && sync.last <= 1);
	(void)clmsg_get_proof(fields, &proof);
	(void)clmsg_get_change(fields, &change);
	(void)clmsg_get_sync_ask(fields, &ask);
	(void)clmsg_get_sync_ack(fields, &ack);
	(void)clmsg_get_leave(fields, &leave);
	(void)clmsg_get_forward_ack(fields, &forward_ack);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cl_head head = { .kind = size ? data[0] : 0, .incarnation = 1, .counter = 1 };
	static uint8_t packet[CLMSG_LARGEST];
	struct wr w = clmsg_begin(packet, sizeof(packet), &head);
	struct rd fields;
	size_t len;

	(void)clmsg_open(data, size, &none, &head, &fields);
	if (size < 1)
		return 0;
	wr_bytes(&w, data + 1, size - 1);
	len = clmsg_seal(&w, &none);
	if (len == 0)
		return 0;
	MUST(clmsg_open(packet, len, &none, &head, &fields) == CLMSG_OK && head.kind == data[0]);
	small_ones(fields);
	forward(fields, packet, len);
	counts(fields);
	records(fields);
	return 0;
}
