/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two things stand against a recorded request that is sent again.
 *
 * The nonce of a signed request is bound to the client's address and port, the request's
 * id and a slot of our monotonic clock; it is a keyed digest of these, so nothing is kept
 * for clients that only ask. The key is drawn at start. A nonce is good in its slot and the
 * next one.
 *
 * Within that time, the ring of answers tells a request that was carried out: it gets the
 * same answer again. The rate at which new ones are taken is such that the ring cannot come
 * round to an answer whose nonce is still good, nor one whose client may still repeat itself.
 *
 * Owns the ring, its index and the key. Called by control.c.
 */
#include "ctlguard.h"
#include "hash.h"
#include "shm.h"
#include "util.h"
#include "wire.h"

#include <nettle/hmac.h>

enum {
	SLOT_SEC = CTLMSG_LONGEST_WAIT_SEC + 2,
	RATE = 200,  /* requests a second */
	BURST = 200, /* and at once */
	ANSWERS = RATE * 2 * SLOT_SEC + BURST,
	SLOT_BYTES = 4, /* of the nonce; the rest is digest */
	TOKEN = 1000,
};

static struct ctlguard_answer *answers; /* [ANSWERS + 1]; 0 is none */
static struct hash index_of;		/* key_of() a request -> its answer */
static uint32_t last;			/* the newest answer */
static uint8_t own_key[32];
static uint64_t tokens, tokens_ms; /* thousandths of a request; when they were counted */

void
ctlguard_init(void)
{
	answers = shm_map_parent("answers to nsctl", (ANSWERS + 1) * sizeof(*answers));
	hash_init(&index_of, "answers to nsctl", ANSWERS);
	random_bytes(own_key, sizeof(own_key));
	tokens = BURST * TOKEN;
	tokens_ms = 0;
	last = 0;
}

/* A digest of a request, and for a nonce of its slot, that nobody else can work out. */
static void
digest(const struct ctlguard_id *id, uint32_t slot, size_t len, uint8_t *to)
{
	struct hmac_sha256_ctx ctx;
	uint8_t bound[4 + 4 + 2 + 8];
	struct wr w = wr_init(bound, sizeof(bound));

	wr_u32(&w, slot);
	wr_be32(&w, id->ip);
	wr_u16(&w, id->port);
	wr_u64(&w, id->id);
	hmac_sha256_set_key(&ctx, sizeof(own_key), own_key);
	hmac_sha256_update(&ctx, sizeof(bound), bound);
	hmac_sha256_digest(&ctx, len, to);
}

/* --- nonces --- */

static void
make_nonce(const struct ctlguard_id *id, uint32_t slot, uint8_t nonce[CTLMSG_NONCE])
{
	struct wr w = wr_init(nonce, CTLMSG_NONCE);

	wr_u32(&w, slot);
	digest(id, slot, CTLMSG_NONCE - SLOT_BYTES, nonce + SLOT_BYTES);
}

/* Counted from 1; 0 is for keys of the index. */
static uint32_t
slot_of(uint64_t now_ms)
{
	return (uint32_t)(now_ms / (SLOT_SEC * 1000)) + 1;
}

void
ctlguard_nonce(const struct ctlguard_id *id, uint64_t now_ms, uint8_t nonce[CTLMSG_NONCE])
{
	make_nonce(id, slot_of(now_ms), nonce);
}

bool
ctlguard_nonce_ok(const struct ctlguard_id *id, uint64_t now_ms, const uint8_t nonce[CTLMSG_NONCE])
{
	struct rd r = rd_init(nonce, CTLMSG_NONCE);
	uint32_t slot = rd_u32(&r), now = slot_of(now_ms);
	uint8_t ours[CTLMSG_NONCE];

	if (slot != now && slot + 1 != now)
		return false;
	make_nonce(id, slot, ours);
	return secret_equal(ours, nonce, CTLMSG_NONCE);
}

/* --- answers --- */

static uint64_t
key_of(const struct ctlguard_id *id)
{
	uint64_t key;

	digest(id, 0, sizeof(key), (uint8_t *)&key);
	return key;
}

static bool
same(const struct ctlguard_id *a, const struct ctlguard_id *b)
{
	return a->ip == b->ip && a->port == b->port && a->id == b->id;
}

const struct ctlguard_answer *
ctlguard_find(const struct ctlguard_id *id)
{
	const struct ctlguard_answer *a = &answers[hash_get(&index_of, key_of(id))];

	return a != answers && same(&a->of, id) ? a : NULL;
}

bool
ctlguard_allow(uint64_t now_ms)
{
	tokens = MIN(tokens + (now_ms - tokens_ms) * TOKEN * RATE / 1000, BURST * TOKEN);
	tokens_ms = now_ms;
	if (tokens < TOKEN)
		return false;
	tokens -= TOKEN;
	return true;
}

struct ctlguard_answer *
ctlguard_new(const struct ctlguard_id *id)
{
	struct ctlguard_answer *a;

	last = last % ANSWERS + 1;
	a = &answers[last];
	if (a->key)
		(void)hash_del(&index_of, a->key);
	*a = (struct ctlguard_answer){ .of = *id, .key = key_of(id) };
	(void)hash_put(&index_of, a->key, last);
	return a;
}
