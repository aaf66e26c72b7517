/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of accounting records. A record lies in a pool of fixed size in private memory
 * until a server has acknowledged it, or it is older than radius_acct_retry_time.
 *
 *                       +--------------------------- its session's next one ---+
 *                       v                                                      |
 *   add --> [behind]  fresh --> sent --acknowledged--> free --------------------+
 *              |        ^        |
 *              |      again <-- waiting (not answered)
 *              +--> spill file --> (feed) --> fresh
 *
 * The records of one session go one at a time, so that no Stop overtakes its Start; those
 * of different sessions go side by side, up to a window that grows with each record
 * acknowledged at its first try, is halved where tries were needed, and is small while no
 * server answers. A record that is not answered within its 5 seconds is sent anew, with
 * its age and so with another identifier, to the next server at once, and after all at
 * growing intervals of up to 30 s. So one that a server does not like holds up nobody.
 *
 * When the pool has many, new ones go to the spill file, and as long as there are any in
 * the file, all do, so that the order stays. The file is fed back a batch a tick.
 *
 * Accounting-On makes a server close what sessions it thinks open (RFC 2866 5.7). It is
 * sent when all is acknowledged that was in the file at start - Stops of those very
 * sessions -, and what comes later is held until it is acknowledged itself. A server that
 * answers, but not to this, is not waited for longer than a minute; one that does not
 * answer at all, ten. Then it is given up, for now it would end the wrong sessions.
 *
 * Acct-Delay-Time is counted by the monotonic clock while the process lives, also over the
 * file. Between two processes there is only the wall clock; so what an earlier one has left
 * is kept for radius_acct_retry_time from our start, whatever its age.
 *
 * Under a cluster the slaves have a copy of each session's record until it has arrived, in the
 * same order and by the same rule in memory or in their file. A slave sends nothing. A new master
 * sends what it has: some for the second time, as nobody could tell it of the last
 * acknowledgements. A slave's file comes back to memory as the master's does, so that it ends
 * though there is always something that waits. All members know a record by its origin and number,
 * also when it was left in the file of one that was away and joins again: it offers what it finds
 * there, and the master takes what is neither here nor known to have arrived (acct_mark.h).
 *
 * The master sends at the end of a turn only, when the slaves have been told: so there is no record
 * that a server has and no slave knows of. What they cannot know when the master dies is that the
 * last ones have arrived; these the next one sends again as they are.
 *
 * A Stop that waits for what other members have counted is in memory meanwhile, whatever is in
 * the file; an amended record is told once more.
 *
 * Owns struct record. Called by acct.c and the loop; sends by radius.c.
 */
#include "acct_queue.h"
#include "acct_mark.h"
#include "acct_share.h"
#include "config.h"
#include "counter.h"
#include "hash.h"
#include "ll.h"
#include "loop.h"
#include "rad_server.h"
#include "shm.h"
#include "timer.h"

enum {
	POOL = ACCT_QUEUE_POOL,
	SPILL_MARK = POOL / 4 * 3, /* from so many on new ones go to the file */
	FEED_MARK = POOL / 2,	   /* up to so many come from it */
	FEED_BATCH = 256,	   /* in a tick */
	TRIM = 1024,		   /* an empty pool that held more gives its memory back */
	WINDOW_FIRST = 64,
	WINDOW_LEAST = 8,
	WINDOW_MOST = RADIUS_ACCT_SLOTS,
	SEND_BATCH = 512, /* before the loop has its turn */
	NO_SLOT_MS = 500, /* before it is tried again */
	LONGEST_WAIT_SEC = 30,
	HOLD_SILENT_SEC = 600,
	HOLD_SEC = 60,
};

/*
 * COPY: the master's, or ours before we stepped down. HELD: goes to the file when it is final.
 * OVER: has arrived, but radius.c has it.
 */
enum state { FREE, READY, SENT, WAITING, BEHIND, COPY, HELD, OVER };

struct record {
	struct timer timer;  /* of one that waits */
	struct id_link link; /* in fresh or again */
	int64_t born_ms;     /* loop clock of what it tells of; before the start: negative */
	uint32_t next;	     /* the next one of its session; of a free one, the next free */
	uint8_t state;	     /* enum state */
	uint8_t rounds;	     /* not answered so often */
	uint32_t asked;	     /* servers, see rad_server_next() */
	bool spilled;	     /* stands in the file still */
	bool flying;	     /* radius.c has it */
	bool untold;	     /* others have it as it was */
	struct acct_rec rec;
};

static struct record *records; /* 1..POOL */
static uint32_t free_record;   /* head of those freed */
static uint32_t highest;       /* those above were never used */
static uint32_t used, used_spilled;
static struct id_list fresh, again; /* to be sent, these first and those in front of them */
static struct hash last_of;	    /* session to its last record in the pool */
static struct hash held_of;	    /* to its Stop that is HELD */
static uint32_t window, in_flight;
static uint64_t shrunk_ms; /* when the window was halved last */
static int64_t begun_ms;   /* loop clock at the start */
static int64_t steady;	   /* wall clock at zero of the loop clock, as it was at the start, ms */
static struct timer pump_timer, feed_timer;
static bool pump_due; /* at the end of the turn */
static bool closing;  /* nothing is sent any more */
static bool passive;  /* a slave */

/* The cluster. */
static const struct acct_watch *watch; /* NULL: nobody */
static uint64_t our_origin;
static uint32_t last_number;
static struct id_list copies; /* records of the state COPY */
static struct hash by_number;

static struct {
	struct acct_rec rec;
	uint64_t after; /* records of the file that go first */
	uint32_t index; /* in the pool; 0: not there */
	bool due;	/* not in the pool yet */
	struct timer hold;
} on;

static void pump(void);

int64_t
acct_queue_clock(void)
{
	return (steady + (int64_t)loop_now_ms()) / 1000;
}

static struct id_link *
link_of(uint32_t i)
{
	return &records[i].link;
}

static void
gauge(void)
{
	counters->acct_queued = used + acct_spill_count();
}

static void
feed_soon(void)
{
	bool waits = passive && acct_queue_has_left(); /* the master must have it from the file */

	if (!waits && acct_spill_count() > 0 && used < FEED_MARK && !timer_running(&feed_timer))
		timer_set(&feed_timer, MS(TIMER_TICK_MS));
}

/* --- numbers --- */

static uint64_t
number_key(uint64_t origin, uint32_t number)
{
	return origin + number; /* origins are far apart */
}

static uint32_t
find(uint64_t origin, uint32_t number)
{
	uint32_t i = hash_get(&by_number, number_key(origin, number));

	return records[i].rec.origin == origin && records[i].rec.number == number ? i : 0;
}

void
acct_queue_number(struct acct_rec *rec)
{
	rec->origin = our_origin;
	rec->number = 0;
	rec->amended = rec->left = false;
	if (!rec->key || !our_origin)
		return;
	if (++last_number == 0)
		last_number = 1;
	rec->number = last_number;
	acct_mark_set(our_origin, last_number);
}

static void
tell(const struct acct_rec *rec)
{
	if (rec->number && watch && !passive)
		watch->added(rec);
}

static void
tell_gone(uint64_t origin, uint32_t number)
{
	if (!number || passive)
		return;
	acct_mark_arrived(origin, number);
	if (watch)
		watch->gone(origin, number);
}

/* --- the pool --- */

static void
make_ready(uint32_t i, struct id_list *list)
{
	records[i].state = READY;
	ll_append(list, i, link_of);
}

static void
tell_amended(uint32_t i)
{
	if (records[i].untold)
		tell(&records[i].rec);
	records[i].untold = false;
}

static void put_off(uint32_t i);

static void
on_wait_over(uint32_t i)
{
	tell_amended(i);
	if (records[i].state == HELD)
		put_off(i);
	else
		make_ready(i, &again);
	pump();
}

/* Behind the last one of its session, or to be sent. */
static void
enlist(uint32_t i)
{
	struct record *r = &records[i];
	uint32_t before = r->rec.key ? hash_get(&last_of, r->rec.key) : 0;

	if (r->rec.key)
		hash_put(&last_of, r->rec.key, i);
	if (before) {
		r->state = BEHIND;
		records[before].next = i;
	} else if (r->flying) {
		r->state = SENT;
	} else {
		make_ready(i, &fresh);
	}
}

/* Where a record is kept, but its attributes. */
static uint32_t
take_in(const struct acct_rec *rec)
{
	uint32_t i = free_record;
	struct record *r;

	if (i)
		free_record = records[i].next;
	else
		i = ++highest;
	r = &records[i];
	*r = (struct record){ .state = FREE };
	memcpy(&r->rec, rec, offsetof(struct acct_rec, attrs) + rec->len);
	r->born_ms = (int64_t)loop_now_ms() - MAX(acct_queue_clock() - rec->when, 0) * 1000;
	timer_init(&r->timer, on_wait_over, i);
	used++;
	if (rec->number)
		hash_put(&by_number, number_key(rec->origin, rec->number), i);
	return i;
}

/* Nothing stands in front of it, but its counters may be amended for so long. */
static void
hold(uint32_t i, uint32_t ms)
{
	struct record *r = &records[i];

	if (ms == 0 || r->state != READY)
		return;
	ll_remove(&fresh, i, link_of);
	r->state = WAITING;
	timer_set(&r->timer, ms);
}

static void
take_own(const struct acct_rec *rec, uint32_t ms)
{
	uint32_t i = take_in(rec);

	if (rec->status == RAD_ACCT_ON)
		on.index = i;
	enlist(i);
	hold(i, ms);
}

/* It goes to the file, but its counters may be amended for so long. */
static void
take_held(const struct acct_rec *rec, uint32_t ms)
{
	uint32_t i = take_in(rec);

	records[i].state = HELD;
	hash_put(&held_of, rec->key, i);
	timer_set(&records[i].timer, ms);
}

static void
keep_copy(uint32_t i)
{
	records[i].state = COPY;
	ll_append(&copies, i, link_of);
}

/* What an earlier process has left the others may not know yet. */
static void
take_from_file(struct acct_rec *rec)
{
	uint32_t i;

	if (!rec->number)
		acct_queue_number(rec);
	else if (find(rec->origin, rec->number))
		return;
	if (rec->left)
		tell(rec);
	i = take_in(rec);
	records[i].spilled = true;
	used_spilled++;
	if (passive)
		keep_copy(i);
	else
		enlist(i);
}

/* An empty pool starts over at its first page. */
static void
trim(void)
{
	if (used > 0 || highest <= TRIM)
		return;
	shm_trim(records, (POOL + 1) * sizeof(*records), 0);
	free_record = highest = 0;
}

/* The next one of its session may go. */
static void
unchain(uint32_t i)
{
	struct record *r = &records[i];

	if (r->next)
		make_ready(r->next, &again);
	else if (r->rec.key && hash_get(&last_of, r->rec.key) == i)
		hash_del(&last_of, r->rec.key);
	r->next = 0;
}

/* Its place is free. */
static void
release(uint32_t i)
{
	used--;
	used_spilled -= records[i].spilled;
	records[i] = (struct record){ .next = free_record };
	free_record = i;
	trim();
	if (used_spilled == 0)
		acct_spill_settled();
	feed_soon();
}

/* One that is final goes to the file, or, when there is no room, is sent from here. */
static void
put_off(uint32_t i)
{
	struct record *r = &records[i];

	hash_del(&held_of, r->rec.key);
	if (!acct_spill_add(&r->rec)) {
		enlist(i);
		return;
	}
	COUNT(acct_spilled);
	if (r->rec.number)
		hash_del(&by_number, number_key(r->rec.origin, r->rec.number));
	release(i);
}

/* It has arrived, or is given up. It is on no list. */
static void
drop(uint32_t i)
{
	struct record *r = &records[i];

	timer_stop(&r->timer);
	unchain(i);
	if (on.index == i) {
		on.index = 0;
		timer_stop(&on.hold);
	}
	if (r->rec.number)
		hash_del(&by_number, number_key(r->rec.origin, r->rec.number));
	tell_gone(r->rec.origin, r->rec.number);
	if (r->flying) { /* the place is not free before radius.c has done with it */
		r->state = OVER;
		r->rec.number = 0;
		return;
	}
	release(i);
}

/* --- sending --- */

static uint64_t
age_ms(const struct record *r)
{
	return (uint64_t)((int64_t)loop_now_ms() - r->born_ms);
}

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
	struct record *r = &records[i];

	window = WINDOW_LEAST;
	if (r->rounds < UINT8_MAX)
		r->rounds++;
	r->state = WAITING;
	timer_set_jitter(&r->timer, wait_after(r->rounds));
}

/* It was under way when we stepped down. */
static void
copy_answered(uint32_t i, bool answered)
{
	if (!answered)
		return;
	ll_remove(&copies, i, link_of);
	drop(i);
}

static void
on_end(uint32_t i, bool answered, unsigned int tries)
{
	in_flight--;
	records[i].flying = false;
	if (records[i].state == OVER)
		drop(i);
	else if (records[i].state == COPY)
		copy_answered(i, answered);
	else if (answered)
		acknowledged(i, tries);
	else
		unanswered(i);
	pump();
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
	struct record *r = &records[i];
	const struct radius_record request = {
		.state = shown_state(&r->rec),
		.s = session_of(&r->rec),
		.asked = &r->asked,
		.attrs = r->rec.attrs,
		.len = r->rec.len,
		.delay_sec = (uint32_t)(age_ms(r) / 1000),
		.record = i,
		.done = on_end,
	};

	if (!radius_account(&request))
		return false;
	COUNT(acct_sent);
	r->state = SENT;
	r->flying = true;
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
		if (records[on.index].state != READY)
			return NULL; /* it is under way */
		if (fresh.head == on.index && used > fresh.count)
			return NULL; /* what goes before it is */
	}
	return fresh.head ? &fresh : NULL;
}

static bool
too_old(const struct record *r)
{
	int64_t since = MAX(r->born_ms, begun_ms);

	return (int64_t)loop_now_ms() - since > (int64_t)SEC(conf->radius_acct_retry_time);
}

static void
give_up(uint32_t i)
{
	const struct acct_rec *rec = &records[i].rec;

	COUNT(acct_lost);
	plog_limit(LOG_ERROR, "accounting record %u of session %016llX is given up after %llu s",
	    rec->status, (unsigned long long)rec->key,
	    (unsigned long long)(age_ms(&records[i]) / 1000));
	drop(i);
}

/* Sends the first of a list. False when no slot is free. */
static bool
send_first(struct id_list *list)
{
	uint32_t i = list->head;

	ll_remove(list, i, link_of);
	if (too_old(&records[i]) || (i == on.index && !timer_running(&on.hold))) {
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

	for (n = 0;
	     !closing && !passive && n < SEND_BATCH && in_flight < window && (list = next_list());
	     n++) {
		if (!send_first(list)) {
			timer_set(&pump_timer, MS(NO_SLOT_MS));
			break;
		}
	}
	if (n == SEND_BATCH)
		timer_set(&pump_timer, MS(TIMER_TICK_MS));
}

/* Sends what may be sent; but the others hear of a record before the server does. */
static void
pump(void)
{
	if (watch && watch->holds && watch->holds())
		pump_due = true;
	else
		send_some();
	gauge();
}

void
acct_queue_turn_end(void)
{
	if (pump_due)
		send_some();
	pump_due = false;
}

static void
on_pump(uint32_t unused)
{
	(void)unused;
	pump();
}

/* --- what comes --- */

static void
take_on(void)
{
	on.due = false;
	take_own(&on.rec, 0);
}

static void
on_feed(uint32_t unused)
{
	static struct acct_rec rec;
	unsigned int n;

	(void)unused;
	for (n = 0; n < FEED_BATCH && used < FEED_MARK && acct_spill_next(&rec); n++) {
		take_from_file(&rec);
		if (on.due && --on.after == 0)
			take_on();
	}
	if (on.due && acct_spill_count() == 0)
		take_on();
	pump();
	feed_soon();
}

void
acct_queue_add(struct acct_rec *rec)
{
	acct_queue_add_held(rec, 0);
}

/* The last record of a session, when it was not sent yet; 0: there is none. */
static uint32_t
unsent(uint64_t key)
{
	uint32_t held = hash_get(&held_of, key), i = held ? held : hash_get(&last_of, key);
	const struct record *r = &records[i];

	return r->state == HELD || (r->rounds == 0 && (r->state == WAITING || r->state == BEHIND))
		   ? i
		   : 0;
}

void
acct_queue_amend(uint64_t key, const struct rad_moved *more)
{
	uint32_t i = unsent(key);

	if (!i || !(more->in_bytes || more->in_packets || more->out_bytes || more->out_packets))
		return;
	rad_acct_amend(records[i].rec.attrs, records[i].rec.len, more);
	records[i].rec.amended = records[i].untold = true;
	if (records[i].state == BEHIND) /* no timer runs for it */
		tell_amended(i);
}

void
acct_queue_release(uint64_t key)
{
	uint32_t i = unsent(key);

	if (!i || records[i].state == BEHIND)
		return;
	timer_stop(&records[i].timer);
	on_wait_over(i);
}

static bool
goes_to_file(void)
{
	return acct_spill_count() > 0 || used >= SPILL_MARK;
}

void
acct_queue_add_held(struct acct_rec *rec, uint32_t ms)
{
	bool to_file = goes_to_file();

	acct_queue_number(rec);
	tell(rec);
	if (to_file && ms && used < POOL) {
		take_held(rec, ms);
	} else if (to_file && acct_spill_add(rec)) {
		COUNT(acct_spilled);
		feed_soon();
	} else if (used < POOL) {
		take_own(rec, ms);
	} else {
		COUNT(acct_lost);
		plog_limit(LOG_CRITICAL, "an accounting record is lost: memory and disk are full");
	}
	pump();
}

void
acct_queue_begin(const struct acct_rec *rec)
{
	on.rec = *rec;
	on.due = true;
	on.after = acct_spill_count();
	timer_set(&on.hold, SEC(HOLD_SILENT_SEC));
	if (on.after == 0)
		take_on();
}

void
acct_queue_start(void)
{
	pump();
	feed_soon();
}

/* --- the cluster --- */

void
acct_queue_subscribe(const struct acct_watch *w)
{
	watch = w;
}

void
acct_queue_set_origin(uint64_t origin)
{
	our_origin = origin;
}

uint32_t
acct_queue_places(void)
{
	return highest;
}

bool
acct_queue_place(uint32_t i, const struct acct_rec **rec, uint64_t *age)
{
	const struct record *r = &records[i];

	if (r->state == FREE || r->state == OVER || !r->rec.number)
		return false;
	*rec = &r->rec;
	*age = age_ms(r);
	return true;
}

bool
acct_queue_has_left(void)
{
	return acct_spill_left() > 0 && acct_spill_count() > 0;
}

void
acct_queue_left_told(void)
{
	acct_spill_forget_left();
	feed_soon();
}

/* A slave keeps it; a master gets it from one that steps down, and tells the others. */
static void
take_offered(uint32_t i)
{
	if (passive) {
		keep_copy(i);
		return;
	}
	enlist(i);
	pump();
}

static int
install(const struct acct_rec *rec)
{
	if (goes_to_file() && acct_spill_add(rec)) {
		COUNT(acct_spilled);
		feed_soon();
	} else if (used < POOL) {
		take_offered(take_in(rec));
	} else {
		COUNT(acct_lost);
		return -1;
	}
	gauge();
	return 1;
}

/* What we have of it is as it was before it was amended. */
static int
replace(uint32_t i, const struct acct_rec *rec)
{
	struct record *r = &records[i];

	if (!i) /* in the file */
		return acct_spill_add(rec) ? 1 : -1;
	r->rec.amended = true;
	r->rec.len = rec->len;
	memcpy(r->rec.attrs, rec->attrs, rec->len);
	return 1;
}

static int
arrived(uint32_t i, const struct repl_acct *r)
{
	if (!passive)
		return 0;
	acct_mark_arrived(r->origin, r->id);
	if (i) {
		ll_remove(&copies, i, link_of);
		drop(i);
	} else if (!acct_spill_drop(r->origin, r->id)) {
		return 0;
	} else if (used_spilled == 0) {
		acct_spill_settled();
	}
	gauge();
	return 1;
}

int
acct_install(const struct repl_acct *r)
{
	static struct acct_rec rec;
	uint32_t i = find(r->origin, r->id);
	bool amended, in_file = !i && acct_spill_has(r->origin, r->id, &amended);

	if (!r->id || r->len > sizeof(rec.attrs))
		return 0;
	if (r->done)
		return arrived(i, r);
	if (!passive && !i && !in_file && acct_mark_is_over(r->origin, r->id)) {
		tell_gone(r->origin, r->id);
		return 0;
	}
	acct_mark_next(r->origin, r->id);
	acct_import(r, &rec);
	if (i)
		amended = records[i].rec.amended || records[i].state == SENT;
	if (i || in_file)
		return rec.amended && !amended ? replace(i, &rec) : 0;
	tell(&rec);
	return install(&rec);
}

void
acct_refuse(const struct repl_acct *r)
{
	if (watch && !passive)
		watch->gone(r->origin, r->id);
}

/* What was to be sent, a session's in order, is kept for the next master. */
static void
step_down(void)
{
	uint32_t i, k, next;

	timer_stop(&pump_timer);
	timer_stop(&feed_timer);
	timer_stop(&on.hold);
	on.due = false;
	fresh = again = (struct id_list){ 0 };
	for (i = 1; i <= highest; i++) {
		if (records[i].state == HELD) {
			hash_del(&held_of, records[i].rec.key);
			timer_stop(&records[i].timer);
			keep_copy(i);
		}
		if (records[i].state < READY || records[i].state > WAITING)
			continue;
		if (records[i].rec.key == 0) { /* Accounting-On is not the next one's to send */
			drop(i);
			continue;
		}
		hash_del(&last_of, records[i].rec.key);
		for (k = i; k; k = next) {
			next = records[k].next;
			records[k].next = 0;
			timer_stop(&records[k].timer);
			keep_copy(k);
		}
	}
}

/* A full synchronisation tells them in no order: a session's Start goes first, its Stop last. */
static void
take_over(void)
{
	static const uint8_t order[] = { RAD_ACCT_START, RAD_ACCT_INTERIM, RAD_ACCT_STOP };
	uint32_t i, next;
	size_t k;

	for (k = 0; k < ARRAY_LEN(order); k++)
		for (i = copies.head; i; i = next) {
			next = records[i].link.next;
			if (records[i].rec.status != order[k])
				continue;
			ll_remove(&copies, i, link_of);
			enlist(i);
		}
	acct_queue_start();
}

void
acct_queue_role(bool master)
{
	if (master != passive)
		return;
	passive = !master;
	if (master)
		take_over();
	else
		step_down();
	feed_soon();
}

bool
acct_queue_takes_interim(uint64_t key)
{
	return acct_spill_count() == 0 && used < FEED_MARK && !hash_get(&last_of, key);
}

bool
acct_queue_empty(void)
{
	return used == 0 && acct_spill_count() == 0;
}

/* --- start and end --- */

void
acct_queue_init(void)
{
	records = shm_map_parent("accounting records", (POOL + 1) * sizeof(*records));
	hash_init(&last_of, "accounting records by session", POOL);
	hash_init(&held_of, "accounting records that are held", POOL);
	hash_init(&by_number, "accounting records by number", POOL);
	window = WINDOW_FIRST;
	begun_ms = (int64_t)loop_now_ms();
	steady = (int64_t)loop_time() * 1000 - begun_ms;
	timer_init(&pump_timer, on_pump, 0);
	timer_init(&feed_timer, on_feed, 0);
	timer_init(&on.hold, on_pump, 0);
	acct_mark_init();
	gauge();
}

/* The next start sends an Accounting-On of its own, and each session its Stop. */
static bool
is_worth_keeping(const struct acct_rec *rec)
{
	return rec->status == RAD_ACCT_START || rec->status == RAD_ACCT_STOP;
}

void
acct_queue_close(void)
{
	closing = true;
	radius_settle();
}

static void
save(struct record *r)
{
	r->rec.when = (int64_t)loop_time() - (int64_t)(age_ms(r) / 1000); /* the wall clock now */
	if (is_worth_keeping(&r->rec))
		acct_spill_save(&r->rec);
}

static bool
begins_chain(const struct record *r)
{
	return (r->state >= READY && r->state <= WAITING) || r->state == COPY;
}

void
acct_queue_save(bool append)
{
	uint32_t i, k;

	for (i = 1; i <= highest; i++)
		if (begins_chain(&records[i]))
			for (k = i; k; k = records[k].next)
				if (!append || !records[k].spilled)
					save(&records[k]);
	acct_spill_save_rest();
	for (i = 1; i <= highest; i++)
		if (records[i].state == HELD)
			save(&records[i]);
}
