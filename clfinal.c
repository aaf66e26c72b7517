/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is missing in a Stop. When a session ends the other members may have counted what they have
 * not told yet. So the master asks them (COUNT_ASK), all that ended in a turn in one message, in
 * front of the changes that tell of the end; acct_queue.c keeps the Stop back meanwhile. Who does
 * not answer is asked again each 0.1 s; when all have answered, or after a second, the Stop goes.
 *
 * What comes in that time is compared with what was known of each member when the session ended;
 * what is more goes into the Stop and the usage file. It may be told by the member itself, which
 * is an answer, or by another one that has heard it of it.
 *
 * Owns struct final, by the session's number. Called by clcount.c, who hears the figures.
 */
#include "clfinal.h"
#include "acct_queue.h"
#include "clcount.h"
#include "clmsg.h"
#include "clrec.h"
#include "cluster.h"
#include "loop.h"
#include "session.h"
#include "shm.h"
#include "usage.h"

enum {
	FINALS = 1 << 16, /* sessions that may end within FINAL_MS: a whole tunnel */
	FINAL_TRIES = 16, /* places looked at */
	FINAL_MS = 1000,
	AGAIN_MS = 100,	  /* then who has not answered is asked again */
	AGAIN_MOST = 256, /* sessions in a step */
};

/* A session that has ended, and what of each member's figure is in its Stop. */
static struct final {
	uint32_t unique;
	uint32_t answered; /* members, by place */
	unsigned int left; /* members that have not answered */
	sess_id session;   /* the id it had */
	uint64_t key, until_ms, asked_ms;
	struct clsum known[CLCOUNT_MEMBERS];
} * finals; /* by unique modulo FINALS, or behind it */

static uint64_t finals_until_ms; /* then none is waited for; 0: none is there */

/* Those that may have to be asked for again, by unique; who was asked for longest ago comes first.
 */
static uint32_t *unanswered; /* the first at first_unanswered modulo FINALS */
static uint32_t first_unanswered, n_unanswered;

static struct {
	uint8_t buf[CLREC_ROOM];
	struct wr w;
} asked;

void
clfinal_flush(void)
{
	if (asked.w.pos > asked.w.buf)
		cluster_send(0, CL_COUNT_ASK, asked.buf, wr_len(&asked.w));
	asked.w = wr_init(asked.buf, sizeof(asked.buf));
}

/* A free place for a session that has ended, or its own one; NULL: there is none. */
static struct final *
final_place(uint32_t unique, bool own_one)
{
	struct final *f;
	unsigned int i;

	for (i = 0; i < FINAL_TRIES; i++) {
		f = &finals[(unique + i) % FINALS];
		if (own_one ? f->unique == unique && f->until_ms > loop_now_ms()
			    : f->until_ms <= loop_now_ms())
			return f;
	}
	return NULL;
}

static void
ask(const struct cl_count *c)
{
	if (clmsg_put_count(&asked.w, c))
		return;
	clfinal_flush();
	(void)clmsg_put_count(&asked.w, c);
}

static void
ask_for(struct final *f)
{
	struct cl_count c = { .session = f->session, .unique = f->unique };

	ask(&c);
	f->asked_ms = loop_now_ms();
	if (n_unanswered < FINALS)
		unanswered[(first_unanswered + n_unanswered++) % FINALS] = f->unique;
}

/* The question or an answer may have been lost. */
static void
ask_again(void)
{
	unsigned int n;
	struct final *f;

	for (n = 0; n < AGAIN_MOST && n_unanswered > 0; n++) {
		f = final_place(unanswered[first_unanswered % FINALS], true);
		if (f && f->left && loop_now_ms() - f->asked_ms < AGAIN_MS)
			break;
		first_unanswered++;
		n_unanswered--;
		if (f && f->left)
			ask_for(f);
	}
	clfinal_flush();
}

uint32_t
clfinal_begin(sess_id id, uint64_t key)
{
	uint32_t unique = session_get(id)->unique;
	struct final *f = final_place(unique, false);
	unsigned int i;

	if (!f || !cluster_has_peers())
		return 0;
	finals_until_ms = loop_now_ms() + FINAL_MS;
	*f = (struct final){ .unique = unique,
		.session = id,
		.left = cluster_peers_alive(),
		.key = key,
		.until_ms = finals_until_ms };
	for (i = 0; i < CLCOUNT_MEMBERS; i++)
		f->known[i] = clcount_told(i, id);
	ask_for(f);
	return f->left ? FINAL_MS : 0;
}

/* What is known of a member's part in a session that has ended. */
static void
amend(struct final *f, unsigned int member, struct clsum n)
{
	struct clsum *known = &f->known[member], more = clsum_above(n, *known);

	if (clsum_is_zero(more))
		return;
	clsum_add(known, more);
	usage_amend(f->unique, more.rx_bytes, more.tx_bytes);
	acct_queue_amend(f->key,
	    &(struct rad_moved){ more.rx_bytes, more.rx_packets, more.tx_bytes, more.tx_packets });
}

void
clfinal_heard(unsigned int member, uint32_t unique, struct clsum n)
{
	struct final *f = final_place(unique, true);
	uint32_t bit = (uint32_t)1 << member;

	if (!f)
		return;
	amend(f, member, n);
	if (!(f->answered & bit) && f->left && --f->left == 0) {
		acct_queue_release(f->key);
		f->until_ms = 0;
	}
	f->answered |= bit;
}

void
clfinal_heard_of(unsigned int member, uint32_t unique, struct clsum n)
{
	struct final *f = final_place(unique, true);

	if (f)
		amend(f, member, n);
}

bool
clfinal_has(uint32_t unique)
{
	return final_place(unique, true) != NULL;
}

/* After many have ended at once. */
static void
trim_finals(void)
{
	if (!finals_until_ms || finals_until_ms > loop_now_ms())
		return;
	finals_until_ms = 0;
	shm_trim(finals, FINALS * sizeof(*finals), 0);
}

void
clfinal_step(void)
{
	trim_finals();
	ask_again();
}

void
clfinal_init(void)
{
	finals = shm_map_parent("counters of ended sessions", FINALS * sizeof(*finals));
	unanswered = shm_map_parent("sessions asked for", FINALS * sizeof(*unanswered));
	asked.w = wr_init(asked.buf, sizeof(asked.buf));
}
