/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of one session go one at a time, so that no Stop overtakes its Start; those of
 * different sessions go side by side, up to a window that grows with each record
 * acknowledged at its first try, is halved where tries were needed, and is small while no
 * server answers. A record that is not answered within its 5 seconds is sent anew, with
 * its age and so with another identifier, to the next server at once, and after all at
 * growing intervals of up to 30 s. So one that a server does not like holds up nobody.
 *
 * Accounting-On makes a server close what sessions it thinks open (RFC 2866 5.7). What comes later
 * is held until it is acknowledged itself. A server that answers, but not to this, is not waited
 * for longer than a minute; one that does not answer at all, ten. Then it is given up, for now it
 * would end the wrong sessions.
 *
 * A master of a cluster sends at the end of a turn only, when the slaves have been told: so there
 * is no record that a server has and no slave knows of. What they cannot know when the master dies
 * is that the last ones have arrived; these the next one sends again as they are.
 *
 * A slave sends nothing: it has copies, in no order but that of `status` when it takes over.
 *
 * Owns the lists, and the state of struct acct_place. Called by the others of the group and the
 * loop; sends by radius.c.
 */
#include "acct_line.h"
#include "acct_number.h"
#include "counter.h"
#include "hash.h"
#include "log.h"
#include "loop.h"
#include "rad_server.h"
#include "session.h"

enum {
	WINDOW_FIRST = 64,
	WINDOW_LEAST = 8,
	WINDOW_MOST = RADIUS_ACCT_SLOTS,
	SEND_BATCH = 512, /* before the loop has its turn */
	NO_SLOT_MS = 500, /* before it is tried again */
	LONGEST_WAIT_SEC = 30,
	HOLD_SEC = 60,
};

static struct id_list fresh, again; /* to be sent, these first and those in front of them */
static struct id_list copies;	    /* of the state COPY */
static struct hash last_of;	    /* session to its last record in the pool */
static uint32_t window, in_flight;
static uint64_t shrunk_ms; /* when the window was halved last */
static struct timer pump_timer;
static bool pump_due; /* at the end of the turn */
static bool closing;  /* nothing is sent any more */

/* Accounting-On. */
static struct {
	uint32_t index; /* in the pool; 0: not there */
	struct timer hold;
} on;

static struct id_link *
link_of(uint32_t i)
{
	return &acct_place(i)->link;
}

/* --- the line --- */

static void
make_ready(uint32_t i, struct id_list *list)
{
	acct_place(i)->state = ACCT_PLACE_READY;
	ll_append(list, i, link_of);
}

void
acct_line_again(uint32_t i)
{
	make_ready(i, &again);
}

void
acct_line_add(uint32_t i)
{
	struct acct_place *p = acct_place(i);
	uint32_t before = p->rec.key ? hash_get(&last_of, p->rec.key) : 0;

	if (p->rec.key)
		hash_put(&last_of, p->rec.key, i);
	if (before) {
		p->state = ACCT_PLACE_BEHIND;
		acct_place(before)->next = i;
	} else if (p->flying) {
		p->state = ACCT_PLACE_SENT;
	} else {
		make_ready(i, &fresh);
	}
}

void
acct_line_delay(uint32_t i, uint32_t ms)
{
	struct acct_place *p = acct_place(i);

	if (ms == 0 || p->state != ACCT_PLACE_READY)
		return;
	ll_remove(&fresh, i, link_of);
	p->state = ACCT_PLACE_WAITING;
	timer_set(&p->timer, ms);
}

uint32_t
acct_line_last(uint64_t key)
{
	return hash_get(&last_of, key);
}

/* The next one of its session may go. */
static void
unchain(uint32_t i)
{
	struct acct_place *p = acct_place(i);

	if (p->next)
		make_ready(p->next, &again);
	else if (p->rec.key && hash_get(&last_of, p->rec.key) == i)
		hash_del(&last_of, p->rec.key);
	p->next = 0;
}

/* It has arrived, or is given up. It is on no list. */
static void
drop(uint32_t i)
{
	struct acct_place *p = acct_place(i);

	timer_stop(&p->timer);
	unchain(i);
	if (on.index == i) {
		on.index = 0;
		timer_stop(&on.hold);
	}
	acct_pool_hide(i);
	acct_number_gone(p->rec.origin, p->rec.number);
	if (p->flying) { /* the place is not free before radius.c has done with it */
		p->state = ACCT_PLACE_OVER;
		p->rec.number = 0;
		return;
	}
	acct_pool_release(i);
}

void
acct_line_expect_on(uint32_t ms)
{
	timer_set(&on.hold, ms);
}

void
acct_line_set_on(uint32_t i)
{
	on.index = i;
}

/* --- sending --- */

static enum radius_state
shown_state(const struct acct_rec *rec)
{
	switch (rec->status) {
	case RAD_ACCT_STOP:
	case RAD_ACCT_OFF:
		return RADIUS_STOP;
	case RAD_ACCT_INTERIM:
		return RADIUS_INTERIM;
	default:
		return RADIUS_START;
	}
}

static void
acknowledged(uint32_t i, unsigned int tries)
{
	COUNT(acct_acked);
	if (tries <= 1) {
		window = MIN(window + 1, (uint32_t)WINDOW_MOST);
	} else if (loop_now_ms() >= shrunk_ms + SEC(1)) {
		window = MAX(window / 2, (uint32_t)WINDOW_LEAST);
		shrunk_ms = loop_now_ms();
	}
	if (timer_running(&on.hold))
		timer_set(&on.hold, SEC(HOLD_SEC));
	drop(i);
}

/* The other servers are tried at once. */
static uint64_t
wait_after(unsigned int rounds)
{
	unsigned int at_once = MAX(rad_server_living(RAD_KIND_ACCT), 2u);

	if (rounds < at_once)
		return MS(TIMER_TICK_MS);
	return SEC(MIN(1u << MIN(rounds - at_once + 1, 6u), (unsigned int)LONGEST_WAIT_SEC));
}

static void
unanswered(uint32_t i)
{
	struct acct_place *p = acct_place(i);

	window = WINDOW_LEAST;
	if (p->rounds < UINT8_MAX)
		p->rounds++;
	p->state = ACCT_PLACE_WAITING;
	timer_set_jitter(&p->timer, wait_after(p->rounds));
}

/* It was under way when we stepped down. */
static void
copy_answered(uint32_t i, bool answered)
{
	if (answered)
		acct_line_drop_copy(i);
}

static void
on_end(uint32_t i, bool answered, unsigned int tries)
{
	struct acct_place *p = acct_place(i);

	in_flight--;
	p->flying = false;
	if (p->state == ACCT_PLACE_OVER)
		drop(i);
	else if (p->state == ACCT_PLACE_COPY)
		copy_answered(i, answered);
	else if (answered)
		acknowledged(i, tries);
	else
		unanswered(i);
	acct_line_pump();
}

/* Its session, for people; 0 when that has gone: the id may be another's. */
static sess_id
session_of(const struct acct_rec *rec)
{
	return session_by_unique((uint32_t)rec->key) == rec->s ? rec->s : 0;
}

static bool
send_record(uint32_t i)
{
	struct acct_place *p = acct_place(i);
	const struct radius_record request = {
		.state = shown_state(&p->rec),
		.s = session_of(&p->rec),
		.asked = &p->asked,
		.attrs = p->rec.attrs,
		.len = p->rec.len,
		.delay_sec = (uint32_t)(acct_pool_age_ms(i) / 1000),
		.record = i,
		.done = on_end,
	};

	if (!radius_account(&request))
		return false;
	COUNT(acct_sent);
	p->state = ACCT_PLACE_SENT;
	p->flying = true;
	in_flight++;
	return true;
}

/* The list of the record to go next; NULL: none may. */
static struct id_list *
next_list(void)
{
	if (again.head)
		return &again;
	if (timer_running(&on.hold) && on.index) {
		if (acct_place(on.index)->state != ACCT_PLACE_READY)
			return NULL; /* it is under way */
		if (fresh.head == on.index && acct_pool_used() > fresh.count)
			return NULL; /* what goes before it is */
	}
	return fresh.head ? &fresh : NULL;
}

static void
give_up(uint32_t i)
{
	const struct acct_rec *rec = &acct_place(i)->rec;

	COUNT(acct_lost);
	plog_limit(LOG_ERROR, "accounting record %u of session %016llX is given up after %llu s",
	    rec->status, (unsigned long long)rec->key,
	    (unsigned long long)(acct_pool_age_ms(i) / 1000));
	drop(i);
}

/* Sends the first of a list. False when no slot is free. */
static bool
send_first(struct id_list *list)
{
	uint32_t i = list->head;

	ll_remove(list, i, link_of);
	if (acct_pool_is_too_old(i) || (i == on.index && !timer_running(&on.hold))) {
		give_up(i);
		return true;
	}
	if (send_record(i))
		return true;
	make_ready(i, &again);
	return false;
}

static void
send_some(void)
{
	struct id_list *list;
	unsigned int n;

	for (n = 0; !closing && !acct_number_is_passive() && n < SEND_BATCH && in_flight < window &&
		    (list = next_list());
	     n++) {
		if (!send_first(list)) {
			timer_set(&pump_timer, MS(NO_SLOT_MS));
			break;
		}
	}
	if (n == SEND_BATCH)
		timer_set(&pump_timer, MS(TIMER_TICK_MS));
}

/* But the others hear of a record before the server does. */
void
acct_line_pump(void)
{
	if (acct_number_holds())
		pump_due = true;
	else
		send_some();
	acct_pool_gauge();
}

void
acct_line_turn_end(void)
{
	if (pump_due)
		send_some();
	pump_due = false;
}

static void
on_pump(uint32_t unused)
{
	(void)unused;
	acct_line_pump();
}

/* --- a slave's copies --- */

void
acct_line_keep_copy(uint32_t i)
{
	acct_place(i)->state = ACCT_PLACE_COPY;
	ll_append(&copies, i, link_of);
}

void
acct_line_drop_copy(uint32_t i)
{
	ll_remove(&copies, i, link_of);
	drop(i);
}

/* What was to be sent, a session's in order, is kept for the next master. */
void
acct_line_step_down(void)
{
	struct acct_place *p;
	uint32_t i, k, next;

	timer_stop(&pump_timer);
	timer_stop(&on.hold);
	fresh = again = (struct id_list){ 0 };
	for (i = 1; i <= acct_pool_highest(); i++) {
		p = acct_place(i);
		if (p->state < ACCT_PLACE_READY || p->state > ACCT_PLACE_WAITING)
			continue;
		if (p->rec.key == 0) { /* Accounting-On is not the next one's to send */
			drop(i);
			continue;
		}
		hash_del(&last_of, p->rec.key);
		for (k = i; k; k = next) {
			p = acct_place(k);
			next = p->next;
			p->next = 0;
			timer_stop(&p->timer);
			acct_line_keep_copy(k);
		}
	}
}

/* A full synchronisation tells them in no order: a session's Start goes first, its Stop last. */
void
acct_line_take_over(void)
{
	static const uint8_t order[] = { RAD_ACCT_START, RAD_ACCT_INTERIM, RAD_ACCT_STOP };
	uint32_t i, next;
	size_t k;

	for (k = 0; k < ARRAY_LEN(order); k++)
		for (i = copies.head; i; i = next) {
			next = acct_place(i)->link.next;
			if (acct_place(i)->rec.status != order[k])
				continue;
			ll_remove(&copies, i, link_of);
			acct_line_add(i);
		}
}

/* --- start and end --- */

void
acct_line_close(void)
{
	closing = true;
	radius_settle();
}

void
acct_line_init(void)
{
	hash_init(&last_of, "accounting records by session", ACCT_POOL);
	window = WINDOW_FIRST;
	timer_init(&pump_timer, on_pump, 0);
	timer_init(&on.hold, on_pump, 0);
}
