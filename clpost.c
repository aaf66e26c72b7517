/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of the cluster's messages. What leaves gets its head, counter and signature here.
 * What comes passes in order: the signature, with cluster_secret, or the sender's network without
 * one; admission (clguard.h), where a stranger is challenged; whether such a message may come
 * from one of its sender's role and term; and then goes to who has registered for its kind.
 *
 * Owns the link's settings, the key, and the guard, whose places it follows: an incarnation that
 * has lost its place is gone for all others too. Called by cluster.c and the socket.
 */
#include "clpost.h"
#include "clguard.h"
#include "clsock.h"
#include "cltwin.h"
#include "cluster.h"
#include "clwarn.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "util.h"

#include <string.h>

static const struct clpost_doors *doors;
static struct clguard guard;
static struct clmsg_key key;
static uint64_t counter;	       /* of our messages */
static uint64_t places[CLGUARD_PEERS]; /* incarnations, as the guard had them */
static struct cluster_sender sender;
static void (*handlers[CLMSG_KINDS])(uint32_t from, struct rd fields);

/* --- out --- */

static struct wr
for_one(uint8_t kind, uint64_t receiver)
{
	static uint8_t buf[CLMSG_LARGEST];
	struct cl_head head = {
		.kind = kind,
		.incarnation = doors->el->incarnation,
		.receiver = receiver,
		.counter = ++counter,
		.term = doors->el->term,
	};

	return clmsg_begin(buf, sizeof(buf), &head);
}

struct wr
clpost_begin(uint8_t kind, uint32_t to)
{
	return for_one(kind, to ? clguard_incarnation_at(&guard, to) : 0);
}

bool
clpost_send(uint32_t to, struct wr *w)
{
	size_t len = clmsg_seal(w, &key);

	return len && clsock_send(to, w->buf, len);
}

bool
clpost_knows(uint32_t address)
{
	return clguard_incarnation_at(&guard, address) != 0;
}

static void
send_proof(uint32_t to, uint64_t receiver, uint8_t kind, const uint8_t *nonce)
{
	struct cl_proof m = { .address = clsock_address() };
	struct wr w = for_one(kind, receiver);

	memcpy(m.nonce, nonce, sizeof(m.nonce));
	clmsg_put_proof(&w, &m);
	clpost_send(to, &w);
}

/* --- in --- */

void
cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields))
{
	handlers[kind] = fn;
}

const struct cluster_sender *
cluster_sender(void)
{
	return &sender;
}

/* From whom a kind is heard. */
static bool
fits_role(uint8_t kind)
{
	switch (kind) {
	case CL_CHANGE:
	case CL_SYNC:
	case CL_FORWARD_ACK:
		return !role_is_master() && sender.incarnation == doors->el->master &&
		       sender.term == doors->el->term;
	case CL_RESEND:
	case CL_SYNC_ASK:
	case CL_OFFER:
		return role_is_master() && sender.term == doors->el->term;
	default:
		return true;
	}
}

static void
dispatch(const struct cl_head *head, uint32_t from, struct rd fields)
{
	sender = (struct cluster_sender){
		.incarnation = head->incarnation, .address = from, .term = head->term
	};
	if (head->kind >= CLMSG_KINDS || !handlers[head->kind])
		COUNT(cluster_unknown_kind);
	else if (!fits_role(head->kind))
		COUNT(cluster_wrong_role);
	else
		handlers[head->kind](from, fields);
}

/* Another incarnation has the place of one that must be gone then. */
static void
watch_place(unsigned int i)
{
	const struct clguard_peer *p = clguard_peer(&guard, i);
	uint64_t now = p ? p->incarnation : 0;

	uint64_t before = places[i];

	places[i] = now;
	if (before && before != now)
		doors->gone(before);
}

void
clpost_forget(uint64_t incarnation)
{
	unsigned int i;

	for (i = 0; i < CLGUARD_PEERS; i++)
		if (places[i] == incarnation) {
			clguard_forget(&guard, i);
			places[i] = 0;
		}
}

/* Why somebody is not heard. */
static void
turn_away(enum clguard_verdict verdict)
{
	if (verdict == CLGUARD_OTHERS)
		COUNT(cluster_not_for_us);
	else if (verdict == CLGUARD_REPLAY)
		COUNT(cluster_replayed);
	else
		COUNT(cluster_not_admitted);
}

static void
answer_challenge(const struct cl_head *head, uint32_t from, const struct cl_proof *m)
{
	enum clguard_verdict verdict = clguard_answers(&guard, head, m, from, loop_now_ms());

	if (verdict == CLGUARD_HEAR)
		send_proof(from, head->incarnation, CL_PROOF, m->nonce);
	else
		turn_away(verdict);
}

static void
take_proof(const struct cl_head *head, uint32_t from, const struct cl_proof *m)
{
	unsigned int place;
	enum clguard_verdict verdict = clguard_prove(&guard, head, m, from, loop_now_ms(), &place);

	if (verdict != CLGUARD_HEAR) {
		turn_away(verdict);
		return;
	}
	watch_place(place);
	doors->admitted(from); /* he asks us in turn */
}

static void
prove(const struct cl_head *head, uint32_t from, struct rd fields)
{
	struct cl_proof m;

	if (!clmsg_get_proof(fields, &m))
		COUNT(cluster_malformed);
	else if (head->kind == CL_CHALLENGE)
		answer_challenge(head, from, &m);
	else
		take_proof(head, from, &m);
}

/* A stranger speaks from the address of one that is heard at the same time. */
static void
look_for_twin(const struct cl_head *head, uint32_t from)
{
	const struct clguard_peer *p;
	unsigned int i;

	for (i = 0; head->kind == CL_HEARTBEAT && i < CLGUARD_PEERS; i++) {
		p = clguard_peer(&guard, i);
		if (p && p->address == from && p->incarnation != head->incarnation &&
		    loop_now_ms() - p->heard_ms <= (uint64_t)2 * doors->el->interval_ms)
			clwarn(from, CLWARN_TWINS, loop_now_ms());
	}
}

static void
admit(const struct cl_head *head, uint32_t from, struct rd fields)
{
	uint8_t nonce[CLMSG_NONCE];
	unsigned int place;
	enum clguard_verdict verdict = clguard_check(&guard, head, from, loop_now_ms(), &place);

	if (verdict == CLGUARD_CHALLENGE || verdict == CLGUARD_IGNORE)
		look_for_twin(head, from);
	if (verdict == CLGUARD_HEAR) {
		clwarn_heard(from);
		dispatch(head, from, fields);
	} else if (verdict == CLGUARD_CHALLENGE) {
		COUNT(cluster_challenged);
		clguard_nonce(&guard, head->incarnation, from, loop_now_ms(), nonce);
		send_proof(from, head->incarnation, CL_CHALLENGE, nonce);
	} else {
		turn_away(verdict);
	}
}

/* A message under a key that is not ours. */
static void
tell_of_secret(uint32_t from, bool is_signed)
{
	enum clwarn what = is_signed ? CLWARN_OTHER_SECRET : CLWARN_UNSIGNED;

	COUNT(cluster_bad_hmac);
	clwarn(from, key.set ? what : CLWARN_SIGNED, loop_now_ms());
}

static void
on_input(uint32_t from, const uint8_t *data, size_t len)
{
	struct cl_head head;
	struct rd fields;

	COUNT(cluster_received);
	if (!key.set && !clsock_is_near(from)) {
		COUNT(cluster_far);
		clwarn(from, CLWARN_FAR, loop_now_ms());
		return;
	}
	switch (clmsg_open(data, len, &key, &head, &fields)) {
	case CLMSG_OK:
		break;
	case CLMSG_BAD_MAC:
		tell_of_secret(from, clmsg_says_signed(data, len));
		return;
	case CLMSG_OTHER_FORMAT:
		COUNT(cluster_other_format);
		clwarn(from, CLWARN_FORMAT, loop_now_ms());
		return;
	default:
		COUNT(cluster_malformed);
		return;
	}
	if (head.kind == CL_CHALLENGE || head.kind == CL_PROOF)
		prove(&head, from, fields);
	else
		admit(&head, from, fields);
}

/* --- the link --- */

static uint8_t
allowed_ttl(void)
{
	if (conf->cluster_mcast_ttl > 1 && conf->cluster_secret[0] == '\0') {
		plog(LOG_ERROR, "cluster_mcast_ttl %u needs a cluster_secret: 1 is used",
		    conf->cluster_mcast_ttl);
		return 1;
	}
	return (uint8_t)conf->cluster_mcast_ttl;
}

/* From our own address: a member that has it too, or a net that gives us back what we say. */
static void
on_own_address(const uint8_t *data, size_t len)
{
	struct cl_head head;
	struct rd fields;

	if (clmsg_open(data, len, &key, &head, &fields) == CLMSG_OK &&
	    head.incarnation != doors->el->incarnation)
		clwarn(clsock_address(), CLWARN_TWINS, loop_now_ms());
}

enum clsock_result
clpost_open(char *why, size_t why_size)
{
	struct clsock_config c = {
		.interface = conf->cluster_interface,
		.group = conf->cluster_address,
		.port = (uint16_t)conf->cluster_port,
		.ttl = allowed_ttl(),
		.input = on_input,
	};

	enum clsock_result result = clsock_open(&c, why, why_size);

	if (result == CLSOCK_OPEN)
		cltwin_watch(c.interface, clsock_address(), c.port, on_own_address);
	return result;
}

static void
apply_ttl(void)
{
	clsock_set_ttl(allowed_ttl());
}

static void
apply_secret(void)
{
	clmsg_set_key(&key, conf->cluster_secret);
	apply_ttl();
}

void
clpost_talk(void)
{
	if (!key.set)
		plog(LOG_ERROR,
		    "cluster_secret is not set: every host on %s can speak for a member of the "
		    "cluster",
		    conf->cluster_interface);
	clguard_init(&guard, doors->el->incarnation, clsock_address());
}

void
clpost_init(const struct clpost_doors *d)
{
	doors = d;
	clmsg_set_key(&key, conf->cluster_secret);
	config_on_change("cluster_secret", apply_secret);
	config_on_change("cluster_mcast_ttl", apply_ttl);
}
