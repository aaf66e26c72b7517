/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of the latest answers with an index. Of an answer its Error-Cause is kept and no
 * more: a request that comes again is the same octets - its authenticator is a digest of
 * them - and makes the same answer. As many requests are taken in 30 seconds as the ring has
 * places, so none is overwritten while it may be asked for. One with an Event-Timestamp is
 * known for longer, though a flood of others may overwrite it then.
 *
 * The members of a cluster tell each other what was answered, so a request that was heard before
 * is not carried out by another master either.
 *
 * Owns the ring and its index. Called by dae.c and clshare.c.
 */
#include "dae_guard.h"
#include "hash.h"
#include "shm.h"

#include <string.h>

enum { ANSWERS = 65536, KEEP_MS = 30000, STAMPED_MS = 2 * DAE_WINDOW_SEC * 1000 };

struct answer {
	uint64_t when_ms; /* 0: place was never used */
	struct dae_id of;
	uint16_t cause;
};

static struct answer *answers; /* [ANSWERS + 1]; 0 is none */
static struct hash index_of;   /* key_of() a request -> its answer */
static uint32_t last;	       /* the newest answer */
static void (*watch)(const struct repl_dae *r);

void
dae_guard_init(void)
{
	answers = shm_map_parent("answers to DAE", (ANSWERS + 1) * sizeof(*answers));
	hash_init(&index_of, "answers to DAE", ANSWERS);
	last = 0;
}

/* The map is seeded, and only who has the secret makes authenticators that come here. */
static uint64_t
key_of(const struct dae_id *id)
{
	uint64_t key;

	memcpy(&key, id->authenticator, sizeof(key));
	return key ^
	       ((uint64_t)id->ip << 32 | (id->stamped ? 0 : (uint32_t)id->port << 8) | id->id);
}

static bool
same(const struct dae_id *a, const struct dae_id *b)
{
	return a->ip == b->ip && a->id == b->id && a->stamped == b->stamped &&
	       (a->stamped || a->port == b->port) &&
	       memcmp(a->authenticator, b->authenticator, RAD_AUTH_LEN) == 0;
}

static bool
is_younger(const struct answer *a, uint64_t ms, uint64_t now_ms)
{
	return a->when_ms && now_ms - a->when_ms < ms;
}

bool
dae_guard_find(const struct dae_id *id, uint64_t now_ms, uint16_t *cause)
{
	const struct answer *a = &answers[hash_get(&index_of, key_of(id))];

	if (a == answers || !same(&a->of, id) ||
	    !is_younger(a, id->stamped ? STAMPED_MS : KEEP_MS, now_ms))
		return false;
	*cause = a->cause;
	return true;
}

static struct answer *
oldest(void)
{
	return &answers[last % ANSWERS + 1];
}

bool
dae_guard_room(uint64_t now_ms)
{
	return !is_younger(oldest(), KEEP_MS, now_ms);
}

static uint32_t
keep(const struct dae_id *id, uint64_t when_ms, uint16_t cause)
{
	struct answer *a = oldest();
	uint64_t key = key_of(&a->of);

	last = last % ANSWERS + 1;
	if (a->when_ms && hash_get(&index_of, key) == last)
		(void)hash_del(&index_of, key);
	*a = (struct answer){ .when_ms = when_ms, .of = *id, .cause = cause };
	(void)hash_put(&index_of, key_of(id), last);
	return last;
}

static void export(uint32_t i, uint64_t now_ms, struct repl_dae *r)
{
	const struct answer *a = &answers[i];

	*r = (struct repl_dae){
		.id = i,
		.version = 1,
		.ip = a->of.ip,
		.port = a->of.port,
		.request = a->of.id,
		.stamped = a->of.stamped,
		.cause = a->cause,
		.age_ds = (uint32_t)((now_ms - a->when_ms) / 100),
	};
	memcpy(r->authenticator, a->of.authenticator, sizeof(r->authenticator));
}

void
dae_guard_keep(const struct dae_id *id, uint64_t now_ms, uint16_t cause)
{
	struct repl_dae r;
	uint32_t i = keep(id, now_ms, cause);

	if (!watch)
		return;
	export(i, now_ms, &r);
	watch(&r);
}

/* --- the cluster --- */

void
dae_guard_subscribe(void (*kept)(const struct repl_dae *r))
{
	watch = kept;
}

int
dae_guard_export(uint32_t *pos, uint64_t now_ms, struct repl_dae *r)
{
	uint32_t i = *pos + 1;

	if (!answers || i > ANSWERS || !answers[i].when_ms)
		return -1; /* places are taken in order */
	*pos = i;
	if (!is_younger(&answers[i], answers[i].of.stamped ? STAMPED_MS : KEEP_MS, now_ms))
		return 0;
	export(i, now_ms, r);
	return 1;
}

bool
dae_guard_install(const struct repl_dae *r, uint64_t now_ms)
{
	struct dae_id id = {
		.ip = r->ip, .port = r->port, .id = r->request, .stamped = r->stamped
	};
	uint64_t age_ms = (uint64_t)r->age_ds * 100;
	uint16_t cause;

	memcpy(id.authenticator, r->authenticator, sizeof(id.authenticator));
	if (!answers || dae_guard_find(&id, now_ms, &cause) || age_ms >= now_ms)
		return false;
	(void)keep(&id, now_ms - age_ms, r->cause);
	return true;
}
