/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line in front of RADIUS. When a LAC has rebooted, fifty thousand users log in within
 * seconds. A server that is asked all at once drops what its socket cannot hold, answers
 * others so late that they have been sent again, and so works for nothing; users are
 * refused who gave the right password. So no more are asked about at a time than the
 * server deals with, and the rest wait here: nobody has to log in a second time.
 *
 *   authenticate --> [waiting: a list for each tunnel] --turn--> asked --> answer
 *          +----- nobody waits and the window is open -------------^
 *
 * The window is how many are asked about at a time. While anybody waits, it grows by one with
 * each answer that was quick - no later than twice the quickest one, and a bit -, and shrinks by
 * one with each that was slow: then there is a queue at the server that gains nothing. What the
 * loop was busy for meanwhile is not the server's. One that was sent to its last server more than
 * once, or never answered, halves it, once for all that had been sent before; from there on it
 * grows by one a window. That an earlier server was silent does not: it says nothing of this one.
 *
 * Tunnels that have somebody waiting take turns, so a LAC with one login waits behind one of each
 * other tunnel and not behind a crowd. Who waits and what he has proven lies in a pool of
 * fixed size that no child has; it is wiped when it has served. A full pool is counted, and
 * the login is put off (AUTH_BUSY).
 *
 * Owns struct waiter. Called by the hooks; asks by radius.c.
 */
#include "login_queue.h"
#include "counter.h"
#include "ll.h"
#include "loop.h"
#include "radius.h"
#include "session.h"
#include "shm.h"
#include "timer.h"

#include <string.h>
#include <sys/mman.h>

enum {
	POOL = 65536,
	PROOF_MAX = 512,
	WINDOW_LEAST = 64,
	WINDOW_MOST = RADIUS_SLOTS,
	QUICK_MS = 50,	 /* an answer that much later than the quickest is quick still */
	SLOW_MS = 400,	 /* and that much later there is a queue; a proxying server is in between */
	ASK_BATCH = 256, /* before the loop has its turn */
	NO_SLOT_MS = 100, /* before it is tried again */
};

struct waiter {
	struct id_link link; /* in its tunnel's list; of a free one, `next` is the next free */
	sess_id s;
	uint32_t number; /* of the question */
	tunn_id tunnel;
	uint8_t proto; /* enum auth_proto */
	uint8_t id;
	uint16_t password_len, challenge_len;
	uint8_t proof[PROOF_MAX]; /* password or response, then the challenge */
};

/* A tunnel that has somebody waiting. */
struct lane {
	struct id_link link; /* in `turns` */
	struct id_list waiting;
};

/* Of a session. */
struct place {
	uint32_t waiter; /* 0: does not wait */
	bool asked;
	uint64_t asked_ms;
};

static struct waiter *waiters; /* 1..POOL */
static uint32_t free_waiter, highest;
static struct lane *lanes; /* by tunn_id */
static struct id_list turns;
static struct place *places;
static uint32_t waiting, asked;
static uint32_t window, threshold, credit; /* from the threshold on it grows by one a window */
static uint64_t quickest_ms; /* answer since nobody was asked about; UINT64_MAX: none */
static uint64_t halved_ms;
static struct timer pump_timer;
static bool pumping;

static void pump(void);

static struct id_link *
waiter_link(uint32_t i)
{
	return &waiters[i].link;
}

static struct id_link *
lane_link(uint32_t t)
{
	return &lanes[t].link;
}

static void
on_timer(uint32_t unused)
{
	(void)unused;
	pump();
}

static void
fresh_window(void)
{
	window = WINDOW_LEAST;
	threshold = WINDOW_MOST;
	credit = 0;
	quickest_ms = UINT64_MAX;
}

void
login_queue_init(uint32_t max_tunnels)
{
	waiters = shm_map_parent("logins that wait", (POOL + (size_t)1) * sizeof(*waiters));
	madvise(waiters, (POOL + (size_t)1) * sizeof(*waiters), MADV_DONTDUMP); /* passwords */
	lanes = shm_map_private("logins by tunnel", (max_tunnels + (size_t)1) * sizeof(*lanes));
	places = session_table("logins by session", sizeof(*places));
	free_waiter = highest = waiting = asked = 0;
	turns = (struct id_list){ 0 };
	fresh_window();
	halved_ms = 0;
	timer_init(&pump_timer, on_timer, 0);
}

/* --- who waits --- */

static uint32_t
take_waiter(void)
{
	uint32_t i = free_waiter;

	if (i)
		free_waiter = waiters[i].link.next;
	else if (highest < POOL)
		i = ++highest;
	return i;
}

/* False: too many do. */
static bool
line_up(sess_id s, const struct auth_request *req)
{
	tunn_id t = session_get(s)->tunnel;
	uint32_t i = req->password_len + req->challenge_len <= PROOF_MAX ? take_waiter() : 0;
	struct waiter *w = &waiters[i];

	if (!i)
		return false;
	w->s = s;
	w->number = req->number;
	w->tunnel = t;
	w->proto = (uint8_t)req->proto;
	w->id = req->id;
	w->password_len = (uint16_t)req->password_len;
	w->challenge_len = (uint16_t)req->challenge_len;
	memcpy(w->proof, req->password, req->password_len);
	if (req->challenge_len)
		memcpy(w->proof + req->password_len, req->challenge, req->challenge_len);
	if (lanes[t].waiting.count == 0)
		ll_append(&turns, t, lane_link);
	ll_append(&lanes[t].waiting, i, waiter_link);
	places[s].waiter = i;
	COUNT(login_waited);
	counters->login_waiting = ++waiting;
	return true;
}

static void
leave_line(uint32_t i)
{
	struct waiter *w = &waiters[i];
	struct lane *lane = &lanes[w->tunnel];

	ll_remove(&lane->waiting, i, waiter_link);
	if (lane->waiting.count == 0)
		ll_remove(&turns, w->tunnel, lane_link);
	places[w->s].waiter = 0;
	explicit_bzero(w->proof, sizeof(w->proof));
	w->link.next = free_waiter;
	free_waiter = i;
	counters->login_waiting = --waiting;
}

/* --- who is asked about --- */

static bool
may_ask(void)
{
	return asked < window && radius_has_room();
}

static void
answered(sess_id s)
{
	places[s].asked = false;
	if (--asked > 0)
		return;
	fresh_window(); /* by the next time all may be otherwise */
}

static bool
ask(sess_id s, const struct auth_request *req)
{
	places[s].asked = true;
	places[s].asked_ms = loop_now_ms();
	asked++;
	if (radius_authenticate(s, req))
		return true;
	answered(s);
	return false;
}

static void
tell(sess_id s, uint32_t number, enum auth_verdict verdict)
{
	struct auth_result res = { .number = number, .verdict = verdict };

	hook_auth_result(s, &res);
}

/* The next tunnel's first one. */
static void
ask_next(void)
{
	tunn_id t = (tunn_id)turns.head;
	uint32_t i = lanes[t].waiting.head;
	struct waiter w = waiters[i];
	struct auth_request req = {
		.number = w.number,
		.proto = (enum auth_proto)w.proto,
		.id = w.id,
		.user = session_get(w.s)->user,
		.claimed = session_get(w.s)->user,
		.password = w.proof,
		.password_len = w.password_len,
		.challenge = w.proof + w.password_len,
		.challenge_len = w.challenge_len,
	};

	leave_line(i);
	if (lanes[t].waiting.count) {
		ll_remove(&turns, t, lane_link);
		ll_append(&turns, t, lane_link);
	}
	if (!ask(w.s, &req)) /* the servers have been taken out of the configuration */
		tell(w.s, w.number, AUTH_NO_ANSWER);
	explicit_bzero(w.proof, sizeof(w.proof));
}

/* Asks about as many as may be. Answers that come meanwhile do not begin again. */
static void
pump(void)
{
	unsigned int n;

	if (pumping)
		return;
	pumping = true;
	for (n = 0; n < ASK_BATCH && waiting && may_ask(); n++)
		ask_next();
	pumping = false;
	if (waiting && asked < window && !timer_running(&pump_timer))
		timer_set(&pump_timer, n == ASK_BATCH ? MS(TIMER_TICK_MS) : MS(NO_SLOT_MS));
}

bool
login_queue_authenticate(sess_id s, const struct auth_request *req)
{
	if (!session_get(s))
		return true;
	login_queue_cancel(s);
	if (!waiting && may_ask())
		return ask(s, req);
	if (!line_up(s, req)) {
		COUNT(login_queue_full);
		tell(s, req->number, AUTH_BUSY);
	}
	pump();
	return true;
}

void
login_queue_cancel(sess_id s)
{
	if (places[s].waiter)
		leave_line(places[s].waiter);
	if (!places[s].asked)
		return;
	radius_cancel(s);
	answered(s);
	pump();
}

void
login_queue_session(sess_id s, enum sess_event ev)
{
	if (ev == SESS_EV_DOWN || ev == SESS_EV_GONE)
		login_queue_cancel(s);
}

/* --- the window --- */

static void
halve(uint64_t asked_ms)
{
	if (asked_ms <= halved_ms)
		return;
	window = MAX(window / 2, (uint32_t)WINDOW_LEAST);
	threshold = window;
	halved_ms = loop_now_ms();
}

static void
grow(void)
{
	if (window >= threshold && ++credit < window)
		return;
	credit = 0;
	window = MIN(window + 1, (uint32_t)WINDOW_MOST);
}

static void
adjust(uint64_t took_ms)
{
	quickest_ms = MIN(quickest_ms, took_ms);
	if (waiting && took_ms <= 2 * quickest_ms + QUICK_MS)
		grow();
	else if (took_ms > 4 * quickest_ms + SLOW_MS)
		window = MAX(window - 1, (uint32_t)WINDOW_LEAST);
}

void
login_queue_result(sess_id s, const struct auth_result *res)
{
	uint64_t asked_ms = places[s].asked_ms, took_ms = loop_now_ms() - asked_ms;
	uint64_t ours_ms = 2 * (uint64_t)loop_busy_ms(); /* the turns it left and came in */

	if (!places[s].asked)
		return; /* by another one */
	if (res->tries > 1)
		halve(asked_ms);
	else if (res->tries == 1)
		adjust(took_ms > ours_ms ? took_ms - ours_ms : 0);
	answered(s);
	pump();
}
