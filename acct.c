/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accounting records a session makes, and when. acct_queue.c delivers them,
 * rad_acct.c writes them.
 *
 * A session is accounted from SESS_EV_UP, or, when it sits in the garden then, from when
 * it is let out; once begun it goes on until SESS_EV_DOWN, whatever happens between. Its
 * time and octets count from the Start. Whether accounting is on is looked at when a
 * session begins: one that has had its Start gets its Stop, and one that came up without
 * gets neither.
 *
 * Interim-Updates are timed per session: by Acct-Interim-Interval of its Access-Accept,
 * else by radius_interim, never below radius_interim_min; each interval is spread by an
 * eighth, so that sessions that came together drift apart. Slaves hear of each that is made, so
 * that the next master makes those that came due while there was none, and no others.
 *
 * Owns struct account, beside each session in private memory. Called by the hook list,
 * timers and main().
 */
#include "acct.h"
#include "acct_feed.h"
#include "acct_line.h"
#include "acct_number.h"
#include "acct_pool.h"
#include "acct_queue.h"
#include "change.h"
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "rad_server.h"
#include "role.h"
#include "timer.h"
#include "util.h"

enum { WALK_BATCH = 1024, OFF_WAIT_SEC = 15 };

enum state {
	ACCT_NONE,    /* not accounted */
	ACCT_HELD,    /* in the garden: begins when it is let out */
	ACCT_STARTED, /* its Start was made */
};

struct account {
	struct timer interim;
	uint64_t due_ms;   /* loop clock of the next Interim-Update */
	uint32_t interval; /* s, by which that was worked out; 0: none */
	uint32_t began_ds; /* 0.1 s of the loop clock */
	uint8_t state;	   /* enum state */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets; /* counters at its Start */
};

static struct account *accounts;
static struct acct_rec rec; /* the one that is being made */
static struct timer walk_timer;
static sess_id walk_next;
static uint64_t off_ms; /* loop clock at Accounting-Off; 0: not yet */
static uint32_t n_started;
static uint32_t (*ask_on_stop)(sess_id s, uint64_t key); /* NULL: no Stop waits */

/* --- records --- */

static uint64_t
key_of(const struct session *s)
{
	return (uint64_t)(uint32_t)s->opened << 32 | s->unique;
}

/* Makes the record of a session in `rec`. */
static void
make(sess_id id, enum rad_acct_status status, enum term_cause cause)
{
	const struct session *s = session_get(id);
	const struct sess_fast *f = session_fast(id);
	const struct account *a = &accounts[id];
	const struct rad_account fact = {
		.status = status,
		.when = loop_time(),
		.seconds = (loop_now_ds() - a->began_ds) / 10,
		.in_bytes = f->rx_bytes - a->rx_bytes,
		.in_packets = f->rx_packets - a->rx_packets,
		.out_bytes = f->tx_bytes - a->tx_bytes,
		.out_packets = f->tx_packets - a->tx_packets,
		.cause = cause,
	};

	rec.status = (uint8_t)status;
	rec.s = id;
	rec.key = key_of(s);
	rec.when = acct_pool_clock();
	rec.len = (uint16_t)rad_acct_put(s, &fact, rec.attrs);
}

static void
make_nas(enum rad_acct_status status)
{
	rec.status = (uint8_t)status;
	rec.s = 0;
	rec.key = 0;
	rec.when = acct_pool_clock();
	rec.len = (uint16_t)rad_acct_put_nas(status, loop_time(), rec.attrs);
}

/* --- Interim-Updates --- */

/* Seconds between them; 0: none. */
static uint32_t
interval(const struct session *s)
{
	uint32_t sec = s->interim ? s->interim : conf->radius_interim;

	return sec ? MAX(sec, conf->radius_interim_min) : 0;
}

/* Up to an eighth of it: what began together is not to be due together for ever. */
static uint64_t
spread(uint64_t ms)
{
	return ms * (random_u16() & 0xff) / 2048;
}

/* Sets the timer to `due_ms`, or as far as the wheel goes. */
static void
rearm(struct account *a)
{
	uint64_t now = loop_now_ms();

	timer_set(&a->interim, a->due_ms > now ? a->due_ms - now : 0);
}

static void
plan_interim(sess_id id)
{
	struct account *a = &accounts[id];
	uint64_t ms;

	a->interval = interval(session_get(id));
	ms = SEC(a->interval);
	timer_stop(&a->interim);
	if (ms == 0)
		return;
	a->due_ms = loop_now_ms() + ms + spread(ms);
	rearm(a);
}

static void
on_interim(uint32_t id)
{
	struct account *a = &accounts[id];
	const struct session *s = session_get(id);

	if (!s || a->state != ACCT_STARTED || !role_is_master())
		return;
	if (loop_now_ms() < a->due_ms) {
		rearm(a);
		return;
	}
	plan_interim(id);
	if (!conf->radius_accounting)
		return;
	if (!acct_queue_takes_interim(key_of(s))) {
		COUNT(acct_interim_skipped);
		return;
	}
	make(id, RAD_ACCT_INTERIM, TERM_NONE);
	acct_queue_add(&rec);
}

/* The intervals are configured anew: for the sessions there are, a batch a tick. */
static void
on_walk(uint32_t unused)
{
	unsigned int n;

	(void)unused;
	for (n = 0; n < WALK_BATCH && walk_next <= session_highest(); n++, walk_next++)
		if (change_is_active(CHANGE_SESSION, walk_next) && session_get(walk_next) &&
		    accounts[walk_next].state == ACCT_STARTED)
			plan_interim(walk_next);
	if (walk_next <= session_highest())
		timer_set(&walk_timer, MS(TIMER_TICK_MS));
}

static void
intervals_changed(void)
{
	walk_next = 1;
	timer_set(&walk_timer, MS(TIMER_TICK_MS));
}

/* --- a session's life --- */

static void
start(sess_id id)
{
	const struct sess_fast *f = session_fast(id);
	struct account *a = &accounts[id];

	*a = (struct account){
		.state = ACCT_STARTED,
		.began_ds = loop_now_ds(),
		.rx_bytes = f->rx_bytes,
		.rx_packets = f->rx_packets,
		.tx_bytes = f->tx_bytes,
		.tx_packets = f->tx_packets,
	};
	timer_init(&a->interim, on_interim, id);
	n_started++;
	session_set_accounted(id, true);
	make(id, RAD_ACCT_START, TERM_NONE);
	acct_queue_add(&rec);
	plan_interim(id);
}

void
acct_on_stop(uint32_t (*fn)(sess_id s, uint64_t key))
{
	ask_on_stop = fn;
}

static void
stop(sess_id id)
{
	struct account *a = &accounts[id];

	timer_stop(&a->interim);
	if (a->state == ACCT_STARTED) {
		if (!session_get(id)->end.elsewhere) {
			make(id, RAD_ACCT_STOP, (enum term_cause)session_get(id)->end.cause);
			acct_queue_add_held(&rec, ask_on_stop ? ask_on_stop(id, rec.key) : 0);
		}
		n_started--;
		session_set_accounted(id, false);
	}
	*a = (struct account){ 0 };
}

static void
released(sess_id id)
{
	if (session_get(id)->garden)
		return;
	if (conf->radius_accounting)
		start(id);
	else
		accounts[id].state = ACCT_NONE;
}

void
acct_session(sess_id id, enum sess_event ev)
{
	struct account *a = &accounts[id];

	if (ev == SESS_EV_UP && conf->radius_accounting) {
		a->state = ACCT_HELD;
		released(id);
	} else if (ev == SESS_EV_CHANGED && a->state == ACCT_HELD) {
		released(id);
	} else if (ev == SESS_EV_CHANGED && a->state == ACCT_STARTED) {
		if (interval(session_get(id)) != a->interval) /* else it was something else */
			plan_interim(id);
	} else if (ev == SESS_EV_DOWN && a->state != ACCT_NONE) {
		stop(id);
	}
}

/* --- the cluster --- */

static void export(sess_id id, struct repl_session *r)
{
	const struct account *a = &accounts[id];
	uint64_t now = loop_now_ms();

	if (a->state == ACCT_NONE)
		return;
	r->acct = (struct repl_account){
		.state = a->state,
		.age_ds = loop_now_ds() - a->began_ds,
		.interim_ds =
		    a->interval && a->due_ms > now ? (uint32_t)(a->due_ms - now) / 100 : 0,
		.rx_bytes = a->rx_bytes,
		.rx_packets = a->rx_packets,
		.tx_bytes = a->tx_bytes,
		.tx_packets = a->tx_packets,
	};
}

static void
install(sess_id id, const struct repl_session *r)
{
	accounts[id] = (struct account){
		.state = r->acct.state,
		.due_ms = loop_now_ms() + r->acct.interim_ds * (uint64_t)100,
		.began_ds = loop_now_ds() - r->acct.age_ds,
		.rx_bytes = r->acct.rx_bytes,
		.rx_packets = r->acct.rx_packets,
		.tx_bytes = r->acct.tx_bytes,
		.tx_packets = r->acct.tx_packets,
	};
}

static void
forget(sess_id id)
{
	timer_stop(&accounts[id].interim);
	accounts[id] = (struct account){ 0 };
}

/* They are no changes of the session: its record says when the first was due. */
void
acct_interim_made(uint64_t key, uint32_t age_ds)
{
	sess_id id = session_by_unique((uint32_t)key);
	const struct session *s = session_get(id);
	uint64_t next_ms;

	if (!s || key_of(s) != key || role_is_master())
		return;
	next_ms = loop_now_ms() + SEC(interval(s)) - MIN((uint64_t)age_ds * 100, SEC(interval(s)));
	accounts[id].due_ms = MAX(accounts[id].due_ms, next_ms);
}

/* What came due while there was no master is spread as intervals are: it may be due for many. */
static void
go_on(struct account *a)
{
	uint64_t now = loop_now_ms();

	if (a->interval == 0)
		return;
	if (a->due_ms <= now)
		a->due_ms = now + spread(SEC(a->interval));
	rearm(a);
}

/* Its Start was made by another master: no second one. */
static void
adopt(sess_id id)
{
	struct account *a = &accounts[id];

	if (a->state != ACCT_STARTED)
		return;
	timer_init(&a->interim, on_interim, id);
	n_started++;
	a->interval = interval(session_get(id));
	go_on(a);
}

static void
yield(sess_id id)
{
	if (accounts[id].state != ACCT_STARTED)
		return;
	timer_stop(&accounts[id].interim);
	n_started--;
}

bool
acct_goes_on(uint64_t key)
{
	const struct session *s = session_get(session_by_unique((uint32_t)key));

	return s && key_of(s) == key && s->accounted;
}

const struct hook_member acct_member = {
	.export = export,
	.install = install,
	.remove = forget,
	.adopt = adopt,
	.yield = yield,
};

/* --- start and end --- */

void
acct_init(void)
{
	accounts = session_table("accounting", sizeof(*accounts));
	acct_spill_open(conf->state_dir);
	acct_queue_init();
	timer_init(&walk_timer, on_walk, 0);
	config_on_change("radius_interim", intervals_changed);
	config_on_change("radius_interim_min", intervals_changed);
}

void
acct_begin(void)
{
	if (conf->radius_accounting) {
		make_nas(RAD_ACCT_ON);
		acct_feed_begin(&rec);
	}
	acct_queue_start();
}

bool
acct_finished(void)
{
	if (!rad_server_configured(RAD_KIND_ACCT))
		return true; /* nobody would take them */
	if (off_ms)	     /* not every server heeds it */
		return acct_queue_empty() || loop_now_ms() >= off_ms + SEC(OFF_WAIT_SEC);
	if (!acct_queue_empty())
		return false;
	if (!conf->radius_accounting)
		return true;
	off_ms = loop_now_ms();
	make_nas(RAD_ACCT_OFF);
	acct_queue_add(&rec);
	return false;
}

static bool
keep_all(bool append)
{
	acct_spill_save_begin(append);
	acct_queue_save(append);
	FOR_EACH_SESSION (id) {
		if (accounts[id].state != ACCT_STARTED || !role_is_master())
			continue;
		make(id, RAD_ACCT_STOP, TERM_NAS_REBOOT);
		acct_number_give(&rec);
		rec.when = loop_time(); /* the next process knows no other clock */
		acct_spill_save(&rec);
	}
	return acct_spill_save_end();
}

void
acct_fini(void)
{
	acct_line_close();
	if (n_started == 0 && acct_queue_empty())
		return;
	if (keep_all(false) || keep_all(true))
		plog(LOG_WARNING,
		    "accounting records are kept for the next start, a Stop of %u sessions too",
		    (unsigned)n_started);
}
