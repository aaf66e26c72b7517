/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the cluster: their head, signature and fields. The format is in clmsg.h and,
 * by tag, in Docs/cluster-protocol.md.
 *
 * What a message says is a table of tag and struct member (clfield.h); records, the
 * payload of a FORWARD and the items of a COUNT are fields of their own. A message is
 * verified before anything in it is looked at, but for what the verifying needs.
 *
 * Owns nothing, sees no tables, clock or sockets. Called by the cluster's engine, which
 * asks clguard.c whether what is genuine is also to be heard.
 */
#include "clmsg.h"
#include "clfield.h"
#include "util.h"

enum { MAGIC = 0x4c4e, SIGNED = 1 };

_Static_assert(CLMSG_MAC == SHA256_DIGEST_SIZE, "CLMSG_MAC is that of SHA-256");

/* --- head and signature --- */

bool
clmsg_names_receiver(uint8_t kind)
{
	static const bool named[CLMSG_KINDS] = {
		[CL_CHALLENGE] = true,
		[CL_PROOF] = true,
		[CL_RESEND] = true,
		[CL_SYNC_ASK] = true,
		[CL_SYNC] = true,
		[CL_SYNC_ACK] = true,
		[CL_FORWARD] = true,
		[CL_OFFER] = true,
	};

	return kind < CLMSG_KINDS && named[kind];
}

void
clmsg_set_key(struct clmsg_key *key, const char *secret)
{
	memset(key, 0, sizeof(*key));
	if (secret[0] == '\0')
		return;
	key->set = true;
	hmac_sha256_set_key(&key->ctx, strlen(secret), (const uint8_t *)secret);
}

static void
sign(const struct clmsg_key *key, const void *data, size_t len, uint8_t mac[CLMSG_MAC])
{
	struct hmac_sha256_ctx ctx = key->ctx;

	hmac_sha256_update(&ctx, len, data);
	hmac_sha256_digest(&ctx, CLMSG_MAC, mac);
}

struct wr
clmsg_begin(void *buf, size_t size, const struct cl_head *head)
{
	struct wr w = wr_init(buf, size > CLMSG_MAC ? size - CLMSG_MAC : 0);

	wr_u16(&w, MAGIC);
	wr_u8(&w, CLMSG_FORMAT);
	wr_u8(&w, head->kind);
	wr_u16(&w, 0); /* flags: clmsg_seal() */
	wr_u16(&w, 0); /* reserved */
	wr_u64(&w, head->incarnation);
	wr_u64(&w, head->receiver);
	wr_u64(&w, head->counter);
	wr_u32(&w, head->term);
	return w;
}

size_t
clmsg_seal(struct wr *w, const struct clmsg_key *key)
{
	size_t len = wr_len(w);

	if (len < CLMSG_HEADER || !key->set)
		return len;
	w->buf[5] |= SIGNED;
	sign(key, w->buf, len, w->pos); /* in the room that clmsg_begin() has kept */
	return len + CLMSG_MAC;
}

static void
read_head(struct rd *r, struct cl_head *head)
{
	head->kind = rd_u8(r);
	rd_skip(r, 2 + 2); /* flags, reserved */
	head->incarnation = rd_u64(r);
	head->receiver = rd_u64(r);
	head->counter = rd_u64(r);
	head->term = rd_u32(r);
}

bool
clmsg_says_signed(const void *packet, size_t len)
{
	const uint8_t *p = packet;

	return len >= CLMSG_HEADER && p[5] & SIGNED;
}

enum clmsg_verdict
clmsg_open(const void *packet, size_t len, const struct clmsg_key *key, struct cl_head *head,
    struct rd *fields)
{
	const uint8_t *p = packet;
	size_t tail = key->set ? CLMSG_MAC : 0;
	struct rd r = rd_init(packet, len);
	uint8_t mac[CLMSG_MAC];

	if (len < CLMSG_HEADER || len > CLMSG_LARGEST || rd_u16(&r) != MAGIC)
		return CLMSG_MALFORMED;
	if (rd_u8(&r) != CLMSG_FORMAT)
		return CLMSG_OTHER_FORMAT;
	if ((p[5] & SIGNED) != (key->set ? SIGNED : 0) || len < CLMSG_HEADER + tail)
		return CLMSG_BAD_MAC;
	if (key->set) {
		sign(key, p, len - CLMSG_MAC, mac);
		if (!secret_equal(mac, p + len - CLMSG_MAC, CLMSG_MAC))
			return CLMSG_BAD_MAC;
	}
	read_head(&r, head);
	head->len = (uint16_t)(len - tail);
	if (head->incarnation == 0 || head->counter == 0)
		return CLMSG_MALFORMED;
	*fields = rd_init(r.pos, rd_left(&r) - tail);
	return CLMSG_OK;
}

/* --- what is in them --- */

static const struct clfield heartbeat_fields[] = {
	{ CLT_ROLE, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, role), CL_MASTER },
	{ CLT_FLAGS, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, flags), 0 },
	{ CLT_UPTIME, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, uptime_ms), 0 },
	{ CLT_VERSION, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, version), 0 },
	{ CLT_SEQ, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, seq), INT64_MAX },
	{ CLT_ADDRESS, CLFIELD_OCTETS, CLFIELD_OF(struct cl_heartbeat, address), 0 },
	{ CLT_HOST, CLFIELD_TEXT, CLFIELD_OF(struct cl_heartbeat, host), 0 },
	{ CLT_SOFTWARE, CLFIELD_TEXT, CLFIELD_OF(struct cl_heartbeat, software), 0 },
	{ CLT_SESSIONS, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, sessions), 0 },
	{ CLT_TUNNELS, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, tunnels), 0 },
	{ CLT_MASTER, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, master), 0 },
	{ CLT_BASE, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, base), 0 },
	{ CLT_BEFORE, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, before), 0 },
	{ CLT_SETTING, CLFIELD_TEXT, CLFIELD_OF(struct cl_heartbeat, setting), 0 },
	{ CLT_DIGEST, CLFIELD_NUMBER, CLFIELD_OF(struct cl_heartbeat, digest), 0 },
};

static const struct clfield proof_fields[] = {
	{ CLT_ADDRESS, CLFIELD_OCTETS, CLFIELD_OF(struct cl_proof, address), 0 },
	{ CLT_NONCE, CLFIELD_OCTETS, CLFIELD_OF(struct cl_proof, nonce), 0 },
};

static const struct clfield change_fields[] = {
	{ CLT_SEQ, CLFIELD_NUMBER, CLFIELD_OF(struct cl_change, seq), INT64_MAX },
};

static const struct clfield resend_fields[] = {
	{ CLT_FROM, CLFIELD_NUMBER, CLFIELD_OF(struct cl_resend, from), INT64_MAX },
	{ CLT_TO, CLFIELD_NUMBER, CLFIELD_OF(struct cl_resend, to), INT64_MAX },
};

static const struct clfield sync_ask_fields[] = {
	{ CLT_SYNC, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync_ask, sync), 0 },
};

static const struct clfield sync_fields[] = {
	{ CLT_VERSION, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync, version), 0 },
	{ CLT_SEQ, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync, seq), INT64_MAX },
	{ CLT_SYNC, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync, sync), 0 },
	{ CLT_PART, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync, part), 0 },
	{ CLT_LAST, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync, last), 1 },
};

static const struct clfield sync_ack_fields[] = {
	{ CLT_SYNC, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync_ack, sync), 0 },
	{ CLT_PART, CLFIELD_NUMBER, CLFIELD_OF(struct cl_sync_ack, part), 0 },
};

static const struct clfield leave_fields[] = {
	{ CLT_SUCCESSOR, CLFIELD_NUMBER, CLFIELD_OF(struct cl_leave, successor), 0 },
};

static const struct clfield forward_fields[] = {
	{ CLT_WHAT, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward, what), 0 },
	{ CLT_FROM_IP, CLFIELD_OCTETS, CLFIELD_OF(struct cl_forward, from_ip), 0 },
	{ CLT_FROM_PORT, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward, from_port), 0 },
	{ CLT_TO_IP, CLFIELD_OCTETS, CLFIELD_OF(struct cl_forward, to_ip), 0 },
	{ CLT_TO_PORT, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward, to_port), 0 },
	{ CLT_SESSION, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward, session), 0 },
	{ CLT_NUMBER, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward, number), 0 },
};

static const struct clfield forward_ack_fields[] = {
	{ CLT_NUMBER, CLFIELD_NUMBER, CLFIELD_OF(struct cl_forward_ack, number), 0 },
	{ CLT_HEARD, CLFIELD_OCTETS, CLFIELD_OF(struct cl_forward_ack, heard), 0 },
};

#define PUT(table, m) clfield_put(w, table, ARRAY_LEN(table), m)
#define GET(table, m)                                                                              \
	(memset(m, 0, sizeof(*(m))), clfield_get_all(table, ARRAY_LEN(table), fields, m))

/* What asks for a CHALLENGE is no shorter than it, so that a forger gains nothing by it. */
static void
fill(struct wr *w)
{
	static const uint8_t zeroes[CLMSG_CHALLENGE];
	size_t len = wr_len(w) + CLFIELD_HEAD;

	if (len < CLMSG_CHALLENGE)
		clfield_put_octets(w, CLT_FILL, zeroes, CLMSG_CHALLENGE - len);
}

static void
put_hears(struct wr *w, const uint64_t *hears)
{
	size_t mark = clfield_begin(w, CLT_HEARS);
	unsigned int i;

	for (i = 0; i < CLMSG_HEARS && hears[i]; i++)
		wr_u64(w, hears[i]);
	clfield_end(w, mark);
}

void
clmsg_put_heartbeat(struct wr *w, const struct cl_heartbeat *m)
{
	PUT(heartbeat_fields, m);
	if (m->hears[0])
		put_hears(w, m->hears);
	fill(w);
}

/* Those beyond our own limit are left out. */
static bool
get_hears(struct rd val, uint64_t *hears)
{
	unsigned int i;

	if (rd_left(&val) % sizeof(*hears) != 0)
		return false;
	for (i = 0; i < CLMSG_HEARS && rd_left(&val) > 0; i++)
		hears[i] = rd_u64(&val);
	return true;
}

bool
clmsg_get_heartbeat(struct rd fields, struct cl_heartbeat *m)
{
	struct rd val;
	uint16_t tag;

	if (!GET(heartbeat_fields, m))
		return false;
	while (clfield_next(&fields, &tag, &val))
		if (tag == CLT_HEARS && !get_hears(val, m->hears))
			return false;
	return true;
}

void
clmsg_put_proof(struct wr *w, const struct cl_proof *m)
{
	PUT(proof_fields, m);
}

bool
clmsg_get_proof(struct rd fields, struct cl_proof *m)
{
	return GET(proof_fields, m);
}

void
clmsg_put_change(struct wr *w, const struct cl_change *m)
{
	PUT(change_fields, m);
}

bool
clmsg_get_change(struct rd fields, struct cl_change *m)
{
	return GET(change_fields, m) && m->seq > 0;
}

void
clmsg_put_sync(struct wr *w, const struct cl_sync *m)
{
	PUT(sync_fields, m);
}

bool
clmsg_get_sync(struct rd fields, struct cl_sync *m)
{
	return GET(sync_fields, m) && m->part > 0;
}

void
clmsg_put_resend(struct wr *w, const struct cl_resend *m)
{
	PUT(resend_fields, m);
}

bool
clmsg_get_resend(struct rd fields, struct cl_resend *m)
{
	return GET(resend_fields, m) && m->from > 0 && m->from <= m->to;
}

void
clmsg_put_sync_ask(struct wr *w, const struct cl_sync_ask *m)
{
	PUT(sync_ask_fields, m);
}

bool
clmsg_get_sync_ask(struct rd fields, struct cl_sync_ask *m)
{
	return GET(sync_ask_fields, m);
}

void
clmsg_put_sync_ack(struct wr *w, const struct cl_sync_ack *m)
{
	PUT(sync_ack_fields, m);
}

bool
clmsg_get_sync_ack(struct rd fields, struct cl_sync_ack *m)
{
	return GET(sync_ack_fields, m);
}

void
clmsg_put_leave(struct wr *w, const struct cl_leave *m)
{
	PUT(leave_fields, m);
}

bool
clmsg_get_leave(struct rd fields, struct cl_leave *m)
{
	return GET(leave_fields, m);
}

void
clmsg_put_forward_ack(struct wr *w, const struct cl_forward_ack *m)
{
	PUT(forward_ack_fields, m);
}

bool
clmsg_get_forward_ack(struct rd fields, struct cl_forward_ack *m)
{
	return GET(forward_ack_fields, m) && m->number > 0;
}

/* --- FORWARD: the payload stays where it is --- */

void
clmsg_put_forward(struct wr *w, const struct cl_forward *m)
{
	PUT(forward_fields, m);
	clfield_put_octets(w, CLT_PAYLOAD, m->payload, m->len);
}

bool
clmsg_get_forward(struct rd fields, struct cl_forward *m)
{
	struct rd val;
	uint16_t tag;

	if (!GET(forward_fields, m))
		return false;
	while (clfield_next(&fields, &tag, &val))
		if (tag == CLT_PAYLOAD) {
			m->payload = val.pos;
			m->len = rd_left(&val);
		}
	return m->what > 0 && m->len > 0;
}

/* --- COUNT: an item a session, as there may be very many. Numbers at its end may be missing
 * (then they are 0), or there may be more than we know. --- */

enum { ITEM_NUMBERS = 8 };

bool
clmsg_put_count(struct wr *w, const struct cl_count *c)
{
	const uint64_t number[ITEM_NUMBERS] = { c->session, c->unique, c->rx_bytes, c->rx_packets,
		c->tx_bytes, c->tx_packets, c->data_ds, c->frame_ds };
	struct wr was = *w;
	size_t mark = clfield_begin(w, CLT_COUNT), n = ITEM_NUMBERS, i;

	while (n > 0 && number[n - 1] == 0)
		n--;
	for (i = 0; i < n; i++)
		clfield_write_varint(w, number[i]);
	clfield_end(w, mark);
	if (!w->bad)
		return true;
	*w = was;
	return false;
}

static bool
read_item(struct rd *val, struct cl_count *c)
{
	uint64_t number[ITEM_NUMBERS] = { 0 };
	size_t i;

	for (i = 0; i < ITEM_NUMBERS && rd_left(val) > 0; i++)
		number[i] = clfield_read_varint(val);
	*c = (struct cl_count){
		.session = (uint32_t)number[0],
		.unique = (uint32_t)number[1],
		.rx_bytes = number[2],
		.rx_packets = number[3],
		.tx_bytes = number[4],
		.tx_packets = number[5],
		.data_ds = (uint32_t)MIN(number[6], UINT32_MAX),
		.frame_ds = (uint32_t)MIN(number[7], UINT32_MAX),
	};
	return !val->bad && number[0] > 0 && number[0] <= MAX_SESSIONS_LIMIT &&
	       number[1] <= UINT32_MAX;
}

bool
clmsg_next_count(struct rd *fields, struct cl_count *c)
{
	struct rd val;
	uint16_t tag;

	while (clfield_next(fields, &tag, &val)) {
		if (tag != CLT_COUNT)
			continue;
		if (read_item(&val, c))
			return true;
		fields->bad = true;
	}
	return false;
}
