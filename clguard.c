/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may be heard. A genuine message may have been recorded and be sent again, when its
 * sender has long restarted or we have; a wall clock would tell, but there is none to
 * trust. So:
 *
 * A sender is known by his incarnation, a random number of each process. One that is new
 * to us must show that he is alive: we send him a nonce, which he sends back. The nonce is
 * a keyed digest of incarnation, address and our monotonic clock, with a key
 * drawn at start; nothing is kept of those who only ask. Both messages tell the address
 * of who sends them, so that nobody in between can get himself bound in another's place.
 * A proof that was asked for earlier than that of who is at the address now is one of an
 * earlier life, sent again.
 *
 * From there on his counter tells: each value once, and none that lies CLGUARD_WINDOW or
 * more behind the highest. What he sent before his proof is not heard any more.
 *
 * What is for one member names his incarnation, so that it means nothing to another, nor
 * to the same one when he has restarted: each of them has counters of its own.
 *
 * Owns struct clguard. Called by the cluster's engine for each genuine message.
 */
#include "clguard.h"
#include "util.h"

enum {
	GOOD_MS = 10000, /* a nonce is good for so long */
	TIME_BYTES = 4,	 /* of the nonce: when it was made; the rest is digest */
	RATE = 10,	 /* challenges, or proofs, a second to those of a bucket */
	BURST = 8,	 /* and at once */
	TOKEN = 1000,
};

void
clguard_init(struct clguard *g, uint64_t own, uint32_t address)
{
	memset(g, 0, sizeof(*g));
	g->own = own;
	g->address = address;
	random_bytes(g->key, sizeof(g->key));
	random_bytes(&g->spread, sizeof(g->spread));
	g->spread |= 1;
}

/* --- peers --- */

static struct clguard_peer *
find(struct clguard *g, uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; i < CLGUARD_PEERS; i++)
		if (g->peers[i].incarnation == incarnation)
			return &g->peers[i];
	return NULL;
}

static bool
is_stale(const struct clguard_peer *p, uint64_t now_ms)
{
	return now_ms - p->heard_ms >= CLGUARD_STALE_MS;
}

static unsigned int
place_of(const struct clguard *g, const struct clguard_peer *p)
{
	return (unsigned int)(p - g->peers);
}

const struct clguard_peer *
clguard_peer(const struct clguard *g, unsigned int peer)
{
	return peer < CLGUARD_PEERS && g->peers[peer].incarnation ? &g->peers[peer] : NULL;
}

/* The place of who is at an address; CLGUARD_PEERS: nobody. */
static unsigned int
place_at(const struct clguard *g, uint32_t address)
{
	unsigned int i = 0;

	while (i < CLGUARD_PEERS && (!g->peers[i].incarnation || g->peers[i].address != address))
		i++;
	return i;
}

uint64_t
clguard_incarnation_at(const struct clguard *g, uint32_t address)
{
	unsigned int i = place_at(g, address);

	return i < CLGUARD_PEERS ? g->peers[i].incarnation : 0;
}

void
clguard_forget(struct clguard *g, unsigned int peer)
{
	if (peer < CLGUARD_PEERS)
		g->peers[peer].incarnation = 0;
}

/* The place for who has just proven himself; an older incarnation at his address gives way. */
static struct clguard_peer *
place_for(struct clguard *g, uint64_t incarnation, uint32_t from, uint64_t now_ms)
{
	struct clguard_peer *p = find(g, incarnation), *oldest = g->peers;
	unsigned int there = place_at(g, from);

	if (p && there < CLGUARD_PEERS && p != &g->peers[there])
		clguard_forget(g, there); /* he has moved to where it was */
	if (p)
		return p;
	if (there < CLGUARD_PEERS)
		return &g->peers[there];
	p = find(g, 0);
	if (p)
		return p;
	for (p = g->peers; p < g->peers + CLGUARD_PEERS; p++)
		if (p->heard_ms < oldest->heard_ms)
			oldest = p;
	return is_stale(oldest, now_ms) ? oldest : NULL;
}

/* --- counters --- */

static bool
bit(struct clguard_peer *p, uint64_t counter)
{
	return p->seen[counter / 64 % (CLGUARD_WINDOW / 64)] >> counter % 64 & 1;
}

static void
set_bit(struct clguard_peer *p, uint64_t counter, bool on)
{
	uint64_t *word = &p->seen[counter / 64 % (CLGUARD_WINDOW / 64)];
	uint64_t mask = (uint64_t)1 << counter % 64;

	*word = on ? *word | mask : *word & ~mask;
}

static void
advance(struct clguard_peer *p, uint64_t counter)
{
	if (counter - p->high >= CLGUARD_WINDOW)
		memset(p->seen, 0, sizeof(p->seen));
	else
		while (p->high < counter)
			set_bit(p, ++p->high, false);
	p->high = counter;
}

/* Takes a counter that is new; false when it is none. */
static bool
take(struct clguard_peer *p, uint64_t counter, uint64_t now_ms)
{
	if (counter > p->high)
		advance(p, counter);
	else if (p->high - counter >= CLGUARD_WINDOW || bit(p, counter))
		return false;
	set_bit(p, counter, true);
	p->heard_ms = now_ms;
	return true;
}

/* --- nonces --- */

static void
make_nonce(const struct clguard *g, uint64_t incarnation, uint32_t from, uint32_t ms,
    uint8_t nonce[CLMSG_NONCE])
{
	uint8_t bound[4 + 8 + 4];
	struct wr b = wr_init(bound, sizeof(bound)), w = wr_init(nonce, CLMSG_NONCE);
	struct hmac_sha256_ctx ctx;

	wr_u32(&b, ms);
	wr_u64(&b, incarnation);
	wr_be32(&b, from);
	wr_u32(&w, ms);
	hmac_sha256_set_key(&ctx, sizeof(g->key), g->key);
	hmac_sha256_update(&ctx, sizeof(bound), bound);
	hmac_sha256_digest(&ctx, CLMSG_NONCE - TIME_BYTES, nonce + TIME_BYTES);
}

void
clguard_nonce(const struct clguard *g, uint64_t incarnation, uint32_t from, uint64_t now_ms,
    uint8_t nonce[CLMSG_NONCE])
{
	make_nonce(g, incarnation, from, (uint32_t)now_ms, nonce);
}

/* *age: milliseconds since it was made. */
static bool
is_our_nonce(const struct clguard *g, uint64_t incarnation, uint32_t from, uint64_t now_ms,
    const uint8_t nonce[CLMSG_NONCE], uint32_t *age)
{
	struct rd r = rd_init(nonce, CLMSG_NONCE);
	uint32_t ms = rd_u32(&r);
	uint8_t ours[CLMSG_NONCE];

	*age = (uint32_t)now_ms - ms;
	if (*age > GOOD_MS)
		return false;
	make_nonce(g, incarnation, from, ms, ours);
	return secret_equal(ours, nonce, CLMSG_NONCE);
}

/* --- what to do with a message --- */

/* Whether one more challenge or proof may be sent to an address. A flood of one's own hinders only
 * those who share its bucket. */
static bool
may_send(struct clguard *g, struct clguard_tokens *buckets, uint32_t to, uint64_t now_ms)
{
	struct clguard_tokens *t = &buckets[((to * g->spread) >> 32) % CLGUARD_BUCKETS];
	uint64_t passed = MIN(now_ms - t->ms, 1000);

	t->left = MIN(t->left + passed * TOKEN * RATE / 1000, BURST * TOKEN);
	t->ms = now_ms;
	if (t->left < TOKEN)
		return false;
	t->left -= TOKEN;
	return true;
}

static bool
is_for(const struct clguard *g, const struct cl_head *head)
{
	return head->receiver == g->own ||
	       (head->receiver == 0 && !clmsg_names_receiver(head->kind));
}

/* A CHALLENGE is never longer than what it answers, nor comes oftener. */
static bool
is_asked(struct clguard *g, const struct cl_head *head, uint32_t from, uint64_t now_ms)
{
	return head->kind == CL_HEARTBEAT && head->len >= CLMSG_CHALLENGE &&
	       may_send(g, g->challenges, from, now_ms);
}

/* A message of the peer, who is known: whether to hear it. */
static enum clguard_verdict
judge(struct clguard_peer *p, uint64_t counter, uint32_t from, uint64_t now_ms)
{
	if (p->address != from)
		return CLGUARD_MOVED;
	return take(p, counter, now_ms) ? CLGUARD_HEAR : CLGUARD_REPLAY;
}

enum clguard_verdict
clguard_check(struct clguard *g, const struct cl_head *head, uint32_t from, uint64_t now_ms,
    unsigned int *peer)
{
	struct clguard_peer *p = find(g, head->incarnation);

	if (head->incarnation == g->own)
		return CLGUARD_OWN;
	if (!is_for(g, head))
		return CLGUARD_OTHERS;
	if (p && (p->address == from || !is_stale(p, now_ms))) {
		*peer = place_of(g, p);
		return judge(p, head->counter, from, now_ms);
	}
	return is_asked(g, head, from, now_ms) ? CLGUARD_CHALLENGE : CLGUARD_IGNORE;
}

enum clguard_verdict
clguard_answers(struct clguard *g, const struct cl_head *head, const struct cl_proof *m,
    uint32_t from, uint64_t now_ms)
{
	struct clguard_peer *p = find(g, head->incarnation);

	if (head->incarnation == g->own)
		return CLGUARD_OWN;
	if (!is_for(g, head))
		return CLGUARD_OTHERS;
	if (m->address != from)
		return CLGUARD_BAD_PROOF;
	if (p && judge(p, head->counter, from, now_ms) != CLGUARD_HEAR)
		return CLGUARD_REPLAY;
	return may_send(g, g->proofs, from, now_ms) ? CLGUARD_HEAR : CLGUARD_IGNORE;
}

/* Who is at the address was asked no earlier: this one's proof has come from an earlier life. */
static bool
is_past(const struct clguard *g, uint64_t incarnation, uint32_t from, uint64_t asked_ms)
{
	unsigned int there = place_at(g, from);

	return there < CLGUARD_PEERS && g->peers[there].incarnation != incarnation &&
	       g->peers[there].asked_ms >= asked_ms;
}

/* His counters begin here. */
static void
admit(struct clguard_peer *p, const struct cl_head *head, uint32_t from, uint64_t now_ms,
    uint64_t asked_ms)
{
	p->asked_ms = asked_ms;
	p->incarnation = head->incarnation;
	p->address = from;
	p->high = head->counter;
	p->heard_ms = now_ms;
	memset(p->seen, 0xff, sizeof(p->seen));
}

enum clguard_verdict
clguard_prove(struct clguard *g, const struct cl_head *head, const struct cl_proof *m,
    uint32_t from, uint64_t now_ms, unsigned int *peer)
{
	struct clguard_peer *p;
	uint32_t age;

	if (head->incarnation == g->own)
		return CLGUARD_OWN;
	if (!is_for(g, head))
		return CLGUARD_OTHERS;
	if (m->address != from || !is_our_nonce(g, head->incarnation, from, now_ms, m->nonce, &age))
		return CLGUARD_BAD_PROOF;
	if (is_past(g, head->incarnation, from, now_ms - age))
		return CLGUARD_REPLAY;
	p = place_for(g, head->incarnation, from, now_ms);
	if (!p)
		return CLGUARD_FULL;
	*peer = place_of(g, p);
	if (p->incarnation == head->incarnation && p->address == from)
		return judge(p, head->counter, from, now_ms);
	admit(p, head, from, now_ms, now_ms - age);
	return CLGUARD_HEAR;
}
