/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage files. A child walks the sessions and writes, since both take long. The parent
 * must know what the child has counted, without a walk of its own:
 *
 * For each session there are two reports in shared memory. The child of a run writes
 * what it has counted into one of them; when the file has its name, and not before, the
 * parent turns to that one: it holds the baselines now. When the run fails the parent
 * stays with the other one, and the next run counts from there again.
 *
 * The parent keeps what sessions that have ended still had to tell. When one ends while
 * a child is at work, a number in its report decides, by one compare-and-swap of either
 * side, whether this child counts it. If so there are two figures, for the two ways the
 * run may end. A list that is full adds what comes to one line without a name.
 *
 * What a session moves while it sits in the garden is not told, as 2.4 did not: for one,
 * its name may not be proven. It is taken off the counters before all that.
 *
 * Runs have even numbers; the odd one above says "the parent was first". The child tells
 * that its file is in place by a word in shared memory, since its exit can be anything.
 *
 * In a cluster the master alone writes, and the others know what it has told. When the child has
 * written all, and in front of the moment when the file gets its name, the parent tells them the
 * reports of that run, then that it is in force, and lets the child go on: of a master that
 * dies all files stand, and the next one goes on from the reports in force; what he may have given
 * its name is never told again. They have the sessions that have ended too. A session's last
 * octets at other members come up to a second behind its end, so what ended within that is left
 * to the next file.
 *
 * Behind a split of the cluster the one that was master too offers how much it has told of each
 * session. What both sides had still to tell when they parted both may tell.
 */
#include "usage.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "seq.h"
#include "session.h"
#include "shm.h"
#include "timer.h"
#include "usage_ended.h"
#include "usage_file.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PERIOD_SEC = 300,
	STUCK_SEC = 240, /* a child that takes so long is ended */
	NICE = 10,
	MIN_ENDED = 1024,
	FINAL_MS = 1100,   /* what other members have counted of one that has ended may come */
	KNOWN_MS = 60000,  /* what the last master told of its files is good for so long */
	TELL_BATCH = 1024, /* sessions, in a tick */
	DROP_BATCH = 4096,
	GO_POLL_US = 2000,
	ORIGINS = 16,
	FAR = 1024,    /* decisions: what was heard of such a one was wrong */
	FINI_MS = 200, /* for the child at work, and for the last one */
	FINI_POLL_MS = 5,
	RUN_STEP = 2,
};

/* What the child of a run has counted of a session. */
struct report {
	struct usage n;
	struct usage own; /* how much of it this member's files have told */
	uint32_t unique;  /* which session of that id */
	_Atomic uint32_t run;
};

/* What a session has moved in the garden; written by the parent, read by children. */
struct gardened {
	uint32_t seq;
	uint32_t unique;    /* which session of that id */
	struct usage past;  /* in former stays */
	struct usage since; /* its counters when it came in */
	bool inside;
};

/* How the run went, in the child's words; but `go` is the parent's. */
struct outcome {
	_Atomic uint32_t ready, go; /* all is written under a temporary name; it may get its own */
	uint32_t naming, written;   /* the run that is about to give the file its name, and has */
	unsigned int lines;
	char name[USAGE_NAME]; /* "": nothing to tell, so no file */
	char why[256];	       /* it fails */
};

static struct gardened *gardened;
static struct outcome *outcome;
static struct report *reports[2];
static unsigned int good;  /* which of them has the baselines */
static uint32_t last_run;  /* number of the last run begun */
static uint32_t committed; /* of the last one that succeeded; 0: none */

static struct usage rest, rest_failed, rest_written; /* of those that found no room */

static struct {
	pid_t pid;	    /* 0: none is at work */
	unsigned int ended; /* so many of those that have ended it writes */
} child;

/* What the parent does about a run. */
static enum {
	IDLE,
	WAITING, /* for the child to be ready */
	TELLING, /* the other members: of sessions, then of those that have ended */
	ENDING,	 /* the child gives the file its name, or writes, and nobody is to be told */
	DROPPING /* those that have ended and are told */
} phase;

static const struct usage_watch *watch; /* NULL: there is no cluster */
static bool tells;			/* the run waits until the others know */
static sess_id tell_at;
static unsigned int ended_at, drop_left;
static uint32_t last_number; /* of ours that have ended */
static uint64_t decision;    /* of the cluster's masters, how many */
static uint64_t decided_by;  /* who has told us of the last one */
static uint64_t known_ms;    /* when a master told us what is in force; 0: never */
static bool led;	     /* we were the master last */
static bool keeps_books;     /* as master: the one before has told us */

static struct {
	uint64_t origin; /* 0: free */
	uint32_t number;
} run_tells[ORIGINS]; /* of those that have ended, which the run tells */

static bool early; /* the next file comes before its time */
static bool fails; /* the last one could not be written */
static struct timer period_timer, work_timer;
static uint64_t started_ms;

/* A child may tell a packet more, of who comes into the garden while it reads his counters. */
static uint64_t
above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct usage
minus(struct usage a, struct usage b)
{
	return (struct usage){ above(a.up, b.up), above(a.down, b.down) };
}

static struct usage
higher(struct usage a, struct usage b)
{
	return (struct usage){ MAX(a.up, b.up), MAX(a.down, b.down) };
}

static void
add(struct usage *sum, struct usage n)
{
	sum->up += n.up;
	sum->down += n.down;
}

/* Numbers are even, and not 0. */
static uint32_t
new_run(void)
{
	last_run += RUN_STEP;
	if (last_run == 0)
		last_run = RUN_STEP;
	return last_run;
}

static struct usage
moved(sess_id id)
{
	const volatile struct sess_fast *f = session_fast(id);

	return (struct usage){ f->rx_bytes, f->tx_bytes };
}

static struct usage
usage_now(sess_id id, uint32_t unique)
{
	struct gardened g;

	while (!seq_copy(&gardened[id].seq, &g, &gardened[id], sizeof(g)))
		sched_yield();
	if (g.unique != unique)
		return moved(id);
	return minus(g.inside ? g.since : moved(id), g.past);
}

/* The report in force of a session; NULL: no file has told anything of it. */
static struct report *
report_of(sess_id id, uint32_t unique)
{
	struct report *r = &reports[good][id];

	return committed && atomic_load(&r->run) == committed && r->unique == unique ? r : NULL;
}

/* What the files have told of a session. */
static struct usage
baseline(sess_id id, uint32_t unique)
{
	const struct report *r = report_of(id, unique);

	return r ? r->n : (struct usage){ 0 };
}

/* A name that is not proven is nobody's to pay for. */
static const char *
name_of(const struct session *s)
{
	return s->authed ? s->user : "";
}

/* Where it comes from: a LAC, as all do. */
static char
origin_of(const struct session *s)
{
	(void)s;
	return 'L';
}

/* ---- the child ---- */

static void
write_session(struct usage_file *u, sess_id id)
{
	struct report *r = &reports[!good][id];
	const struct report *old;
	uint32_t run = atomic_load(&r->run);
	struct usage left;
	struct session s;

	while (!session_snapshot(id, &s)) {
		if (!session_get(id))
			return;
		sched_yield(); /* it is being written; we must not miss it */
	}
	if (run == (last_run | 1) || s.down)
		return;
	old = report_of(id, s.unique);
	r->n = higher(usage_now(id, s.unique), baseline(id, s.unique));
	left = minus(r->n, baseline(id, s.unique));
	r->own = old ? old->own : (struct usage){ 0 };
	add(&r->own, left);
	r->unique = s.unique;
	if (!atomic_compare_exchange_strong(&r->run, &run, last_run))
		return; /* it has just ended */
	usage_file_line(u, name_of(&s), s.ip4, s.rate_in || s.rate_out, &left, origin_of(&s));
}

static void
write_all(struct usage_file *u)
{
	const struct usage_ended *e;
	unsigned int i;

	for (i = 0; i < child.ended; i++) {
		e = usage_ended_get(i);
		if (usage_ended_is_over(e))
			continue;
		usage_file_line(u, e->user, e->ip4, e->throttled,
		    e->run == committed ? &e->written : &e->failed, e->place);
	}
	usage_file_line(u, "", 0, false, &rest, 'L');
	for (sess_id id = 1, last = session_highest(); id <= last; id++)
		write_session(u, id);
}

/* A descriptor of the log would keep whoever reads it waiting for its end. */
static void
give_up_rights(pid_t parent, bool last)
{
	int null = open("/dev/null", O_RDWR);

	if (!last)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!last && getppid() != parent)
		_exit(1);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	log_set_sink(NULL, -1);
	log_set_level(-1);
	loop_child();
	signal(SIGTERM, SIG_IGN); /* systemd tells all of us; the file is soon done */
	signal(SIGINT, SIG_IGN);
	alarm(STUCK_SEC);
	setpriority(PRIO_PROCESS, 0, NICE);
	shm_read_only();
	shm_read_write(outcome);
	shm_read_write(reports[!good]);
}

static void __attribute__((noreturn)) fail(struct usage_file *u)
{
	snprintf(outcome->why, sizeof(outcome->why), "%s", strerror(errno));
	if (u->name[0])
		usage_file_discard(u);
	_exit(1);
}

/* Not before the others know. When the parent dies by then so do we; and from there on we do not.
 */
static void
wait_for_go(void)
{
	atomic_store(&outcome->ready, last_run);
	while (atomic_load(&outcome->go) != last_run)
		usleep(GO_POLL_US);
	prctl(PR_SET_PDEATHSIG, 0);
}

static void __attribute__((noreturn)) run_child(pid_t parent, bool last)
{
	const struct usage_head head = {
		.host = conf->hostname,
		.endpoint = conf->bind_address,
		.when = loop_time(),
		.uptime = (unsigned long)(loop_now_ms() - started_ms) / 1000,
	};
	struct usage_file u;

	give_up_rights(parent, last);
	if (usage_file_open(&u, conf->accounting_dir, &head, conf->account_all_origin) < 0)
		fail(&u);
	write_all(&u);
	if (usage_file_sync(&u) < 0)
		fail(&u);
	outcome->lines = u.lines;
	if (u.lines == 0) {
		usage_file_discard(&u);
	} else {
		str_copy(outcome->name, sizeof(outcome->name), u.name);
		wait_for_go();
		outcome->naming = last_run;
		if (usage_file_publish(&u) < 0)
			fail(&u);
	}
	outcome->written = last_run;
	_exit(0);
}

/* ---- the parent ---- */

static bool
leads(void)
{
	return watch && watch->leads();
}

static uint64_t
our_origin(void)
{
	return watch ? watch->origin() : 1;
}

static void
work_soon(void)
{
	timer_set(&work_timer, MS(TIMER_TICK_MS));
}

/* --- what the other members are told --- */

static void
tell_end(const struct usage_ended *e)
{
	struct repl_usage_end r;

	if (!leads())
		return;
	usage_ended_export(e, &r);
	watch->end(&r);
}

static void
export_report(sess_id id, const struct report *r, struct repl_usage *to)
{
	*to = (struct repl_usage){
		.id = id,
		.version = 1,
		.unique = r->unique,
		.run = atomic_load(&r->run),
		.up = r->n.up,
		.down = r->n.down,
	};
	if (role_is_master())
		return;
	to->own_up = r->own.up;
	to->own_down = r->own.down;
}

static void
tell_report(sess_id id, const struct report *r)
{
	struct repl_usage to;

	export_report(id, r, &to);
	watch->report(&to);
}

/* Which run is in force, and which of those that have ended it tells. */
static void
tell_run(uint32_t run, bool over)
{
	struct repl_usage_run r = { .id = run, .version = decision, .over = over };
	unsigned int i = 0;

	do {
		r.origin = run_tells[i].origin;
		r.told = run_tells[i].number;
		watch->run(&r);
	} while (++i < ORIGINS && run_tells[i].origin);
}

void
usage_tell_run(void)
{
	if (leads() && phase <= WAITING)
		tell_run(committed, false);
}

static void
note_told(uint64_t origin, uint32_t number)
{
	unsigned int i;

	if (!number) /* it was told before */
		return;
	for (i = 0; i < ORIGINS && run_tells[i].origin && run_tells[i].origin != origin; i++)
		;
	if (i == ORIGINS)
		return;
	run_tells[i].origin = origin;
	run_tells[i].number = MAX(run_tells[i].number, number);
}

/* All is told: from here on the run is in force for all members. */
static void
let_go(void)
{
	phase = ENDING;
	if (leads()) {
		decision++;
		tell_run(last_run, false);
		watch->flush();
	}
	atomic_store(&outcome->go, last_run);
}

static void begin_dropping(void);

/* Late, when the file was begun while nobody was there to be told. */
static void
all_told(void)
{
	if (committed != last_run) {
		let_go();
		return;
	}
	decision++;
	begin_dropping();
}

static void
tell_batch(void)
{
	unsigned int n;
	const struct report *r;
	const struct usage_ended *e;

	for (n = 0; n < TELL_BATCH && tell_at <= session_highest(); n++, tell_at++) {
		r = &reports[committed == last_run ? good : !good][tell_at];
		if (leads() && session_get(tell_at) && atomic_load(&r->run) == last_run)
			tell_report(tell_at, r);
	}
	for (; n < TELL_BATCH && ended_at < child.ended; n++, ended_at++) {
		e = usage_ended_get(ended_at);
		note_told(e->origin, e->number);
	}
	if (tell_at > session_highest() && ended_at == child.ended)
		all_told();
}

/* --- a run, from its start to its end --- */

static void
begin_telling(void)
{
	phase = TELLING;
	tell_at = 1;
	ended_at = 0;
	memset(run_tells, 0, sizeof(run_tells));
	work_soon();
}

static void
these_are_over(void)
{
	unsigned int i;

	for (i = 0; i < ORIGINS && run_tells[i].origin; i++)
		usage_ended_told(run_tells[i].origin, run_tells[i].number);
	memset(run_tells, 0, sizeof(run_tells));
}

static void
drop_batch(void)
{
	unsigned int n = MIN(drop_left, (unsigned int)DROP_BATCH);

	usage_ended_drop(n);
	drop_left -= n;
	if (drop_left > 0) {
		work_soon();
		return;
	}
	if (leads())
		tell_run(committed, true);
	these_are_over();
	phase = IDLE;
}

static void
on_work(uint32_t unused)
{
	(void)unused;
	if (phase == WAITING && atomic_load(&outcome->ready) == last_run)
		begin_telling();
	if (phase == TELLING)
		tell_batch();
	if (phase == WAITING || phase == TELLING)
		work_soon();
	if (phase == DROPPING)
		drop_batch();
}

static void
begin_dropping(void)
{
	phase = DROPPING;
	drop_left = child.ended;
	drop_batch();
}

/* Nothing was moved: no file, and the reports in force are right as they are. */
static void
nothing_told(void)
{
	add(&rest, rest_failed);
	memset(run_tells, 0, sizeof(run_tells));
	begin_dropping();
}

static void
succeeded(void)
{
	good = !good;
	committed = last_run;
	fails = false;
	rest = rest_written;
	COUNT(usage_files);
	plog(LOG_INFO, "usage: %u lines in %s", outcome->lines, outcome->name);
	if (leads() && !tells)
		begin_telling();
	else
		begin_dropping();
}

static void
failed(const char *why)
{
	bool told_others = phase == ENDING && leads() && decision;

	phase = IDLE;
	fails = true;
	add(&rest, rest_failed);
	COUNT(usage_failed);
	plog(LOG_ERROR, "accounting_dir %s: %s; the next file will tell all", conf->accounting_dir,
	    why);
	memset(run_tells, 0, sizeof(run_tells));
	if (!told_others)
		return;
	decision++;
	tell_run(committed, false);
}

/* A child that was killed while it renamed its file: a look at the folder tells, for once. */
static bool
is_written(void)
{
	return outcome->written == last_run ||
	       (outcome->naming == last_run && access(outcome->name, F_OK) == 0);
}

/* So many of those that have ended are final. */
static unsigned int
final_ones(void)
{
	unsigned int n = usage_ended_count();

	while (n > 0 && usage_ended_get(n - 1)->ms + FINAL_MS > loop_now_ms())
		n--;
	return n;
}

static void
start_child(bool last)
{
	pid_t parent = getpid(), pid;

	tells = !last && leads();
	new_run();
	*outcome = (struct outcome){ .why = "the child was killed", .go = tells ? 0 : last_run };
	rest_failed = rest_written = (struct usage){ 0 };
	child.ended = tells ? final_ones() : usage_ended_count();
	phase = tells ? WAITING : ENDING;
	memset(run_tells, 0, sizeof(run_tells));
	pid = fork();
	if (pid == 0)
		run_child(parent, last);
	if (pid < 0) {
		failed(strerror(errno));
		return;
	}
	child.pid = pid;
	if (tells)
		work_soon();
}

static void
on_period(uint32_t unused)
{
	(void)unused;
	timer_set(&period_timer, SEC(PERIOD_SEC));
	early = false;
	if (conf->accounting_dir[0] == '\0' || !role_is_master())
		return;
	if (phase != IDLE)
		plog(LOG_ERROR, "accounting_dir %s: the last file is still being written",
		    conf->accounting_dir);
	else
		start_child(false);
}

bool
usage_child_exit(pid_t pid, int status)
{
	(void)status;
	if (pid == 0 || pid != child.pid)
		return false;
	child.pid = 0;
	outcome->why[sizeof(outcome->why) - 1] = '\0';
	if (!is_written())
		failed(outcome->why);
	else if (outcome->name[0])
		succeeded();
	else
		nothing_told();
	return true;
}

/* Whether the child at work counts the session, and how much; if not it never will. */
static bool
child_counts(sess_id id, uint32_t unique, struct usage *n)
{
	struct report *r = &reports[!good][id];
	uint32_t run = atomic_load(&r->run);

	while (run != last_run)
		if (atomic_compare_exchange_weak(&r->run, &run, last_run | 1))
			return false;
	*n = r->n;
	return r->unique == unique; /* else it has counted the one before, and passed */
}

/* Rather an early file than a full list; not while none can be written. */
static void
write_early(void)
{
	if (early || fails)
		return;
	early = true;
	timer_set(&period_timer, MS(leads() ? FINAL_MS : TIMER_TICK_MS));
}

static void
remember(const struct session *s, struct usage if_failed, struct usage if_written)
{
	struct usage_ended *e = usage_ended_add(our_origin(), s->unique);

	if (!e) {
		COUNT(usage_merged);
		add(child.pid ? &rest_failed : &rest, if_failed);
		add(&rest_written, if_written);
		return;
	}
	e->number = ++last_number;
	e->ip4 = s->ip4;
	e->run = child.pid ? last_run : 0;
	e->throttled = s->rate_in || s->rate_out;
	e->place = origin_of(s);
	e->final = s->garden;
	e->failed = if_failed;
	e->written = if_written;
	str_copy(e->user, sizeof(e->user), name_of(s));
	tell_end(e);
	if (usage_ended_is_half_full() && phase == IDLE)
		write_early();
}

static void
look_at_garden(sess_id id)
{
	const struct session *s = session_get(id);
	struct gardened *g = &gardened[id];
	bool inside = s->garden;

	if (inside == g->inside)
		return;
	seq_begin(&g->seq);
	g->unique = s->unique;
	if (inside)
		g->since = moved(id);
	else
		add(&g->past, minus(moved(id), g->since));
	g->inside = inside;
	seq_end(&g->seq);
}

static void
forget_garden(sess_id id)
{
	struct gardened *g = &gardened[id];

	if (g->unique == 0)
		return;
	seq_begin(&g->seq);
	*g = (struct gardened){ .seq = g->seq };
	seq_end(&g->seq);
}

static void
ends(sess_id id)
{
	const struct session *s = session_get(id);
	struct usage all, if_failed, if_written, counted;

	all = usage_now(id, s->unique);
	if_failed = if_written = minus(all, baseline(id, s->unique));
	if (child.pid && child_counts(id, s->unique, &counted))
		if_written = minus(all, counted);
	if (if_failed.up || if_failed.down || (leads() && !s->garden))
		remember(s, if_failed, if_written);
}

void
usage_amend(uint32_t unique, uint64_t up, uint64_t down)
{
	struct usage_ended *e = usage_ended_of(our_origin(), unique);
	const struct usage more = { up, down };

	if (!e || e->final)
		return;
	add(&e->failed, more);
	add(&e->written, more);
	tell_end(e);
}

void
usage_session(sess_id id, enum sess_event ev)
{
	if (ev == SESS_EV_UP || ev == SESS_EV_CHANGED)
		look_at_garden(id);
	else if (ev == SESS_EV_DOWN && conf->accounting_dir[0])
		ends(id);
	else if (ev == SESS_EV_GONE)
		forget_garden(id);
}

/* ---- the cluster ---- */

static void export(sess_id id, struct repl_session *r)
{
	const struct gardened *g = &gardened[id];

	if (g->unique != session_get(id)->unique)
		return;
	r->garden = (struct repl_garden){ 1, g->past.up, g->past.down, g->since.up, g->since.down };
}

static void
install(sess_id id, const struct repl_session *r)
{
	struct gardened *g = &gardened[id];

	if (!r->garden.known) {
		look_at_garden(id);
		return;
	}
	seq_begin(&g->seq);
	g->unique = r->rec.unique;
	g->past = (struct usage){ r->garden.past_up, r->garden.past_down };
	g->since = (struct usage){ r->garden.since_up, r->garden.since_down };
	g->inside = r->rec.garden;
	seq_end(&g->seq);
}

/*
 * Nobody has told us what the old master's files tell: he is taken to have told all there is. Also
 * for a child at work, as if that had counted it.
 */
static void
adopt(sess_id id)
{
	const struct session *s = session_get(id);
	struct usage now = usage_now(id, s->unique);
	unsigned int i;

	if (keeps_books)
		return;
	if (committed == 0)
		committed = child.pid ? last_run : new_run();
	for (i = 0; i < 2; i++) {
		reports[i][id].n = now;
		reports[i][id].own = (struct usage){ 0 };
		reports[i][id].unique = s->unique;
	}
	atomic_store(&reports[good][id].run, committed);
	if (child.pid)
		atomic_store(&reports[!good][id].run, last_run);
}

const struct hook_member usage_member = {
	.export = export,
	.install = install,
	.remove = forget_garden,
	.adopt = adopt,
};

/* The file has no name yet, and does not get one. */
static void
give_run_up(void)
{
	if (child.pid && atomic_load(&outcome->go) != last_run)
		kill(child.pid, SIGKILL);
}

void
usage_role(bool master)
{
	if (master) {
		these_are_over(); /* the file may stand */
		keeps_books = known_ms && loop_now_ms() - known_ms < KNOWN_MS;
		usage_tell_run();
	} else {
		if (led)
			known_ms = loop_now_ms();
		decided_by = 0;
		give_run_up();
	}
	led = master;
}

/* Who was master too has told so much of a session: it counts as told. */
static void
take_own(const struct repl_usage *r)
{
	sess_id id = session_by_unique(r->unique);
	struct report *to;

	if (!id || (r->own_up == 0 && r->own_down == 0))
		return;
	give_run_up(); /* it does not know */
	if (committed == 0)
		committed = new_run();
	to = &reports[good][id];
	if (!report_of(id, r->unique)) {
		to->n = to->own = (struct usage){ 0 };
		to->unique = r->unique;
		atomic_store(&to->run, committed);
	}
	add(&to->n, (struct usage){ r->own_up, r->own_down });
	if (leads())
		tell_report(id, to);
}

void
usage_install(const struct repl_usage *r)
{
	struct report *to;

	if (role_is_master()) {
		take_own(r);
		return;
	}
	if (r->id > conf->max_sessions || r->run == 0 || r->run % RUN_STEP)
		return;
	to = &reports[r->run == committed ? good : !good][r->id];
	to->n = (struct usage){ r->up, r->down };
	to->own = (struct usage){ 0 };
	to->unique = r->unique;
	atomic_store(&to->run, r->run);
	last_run = MAX(last_run, r->run);
}

void
usage_install_run(const struct repl_usage_run *r, uint64_t from)
{
	bool late = from == decided_by && r->version < decision;

	if (role_is_master() || r->id % RUN_STEP || (late && decision - r->version < FAR))
		return;
	known_ms = loop_now_ms();
	decided_by = from;
	decision = r->version;
	last_run = MAX(last_run, r->id);
	if (r->id != committed) {
		good = !good;
		committed = r->id;
		memset(run_tells, 0, sizeof(run_tells));
	}
	note_told(r->origin, r->told);
	if (r->over)
		these_are_over();
	usage_ended_clean();
}

bool
usage_install_end(const struct repl_usage_end *r)
{
	struct usage_ended *e = usage_ended_of(r->origin, r->unique);

	if (usage_ended_is_told(r->origin, r->id) || (e && role_is_master()))
		return false;
	if (!e)
		e = usage_ended_add(r->origin, r->unique);
	if (!e) {
		COUNT(usage_merged);
		return false;
	}
	usage_ended_import(r, e);
	tell_end(e);
	return true;
}

enum { REPORTS_FIRST = 1, ENDED_FIRST = 1 << 30 };

/* Of each session two places: the report in force, and that of a run that is being told. */
static bool
export_place(uint32_t place, struct repl_usage *to)
{
	sess_id id = place / 2 + 1;
	const struct session *s = session_get(id);
	const struct report *r = &reports[place % 2 ? !good : good][id];
	uint32_t run = place % 2 ? (phase == TELLING || phase == ENDING ? last_run : 0) : committed;

	if (!s || !run || r->unique != s->unique || atomic_load(&r->run) != run)
		return false;
	export_report(id, r, to);
	return true;
}

static int
export_ended(uint32_t *pos, struct usage_told *to)
{
	uint32_t dropped = usage_ended_dropped() % ENDED_FIRST, i;

	if (*pos < ENDED_FIRST)
		*pos = ENDED_FIRST + dropped;
	i = (*pos - ENDED_FIRST - dropped) % ENDED_FIRST;
	if (i > ENDED_FIRST / 2) { /* dropped meanwhile */
		*pos = ENDED_FIRST + dropped;
		i = 0;
	}
	if (i >= usage_ended_count())
		return -1;
	*pos = ENDED_FIRST + (dropped + i + 1) % ENDED_FIRST;
	if (usage_ended_is_over(usage_ended_get(i)))
		return 0;
	to->kind = REPL_USAGE_END;
	usage_ended_export(usage_ended_get(i), &to->end);
	return 1;
}

int
usage_export(uint32_t *pos, struct usage_told *to)
{
	if (*pos >= ENDED_FIRST || *pos > 2 * session_highest())
		return export_ended(pos, to);
	if (++*pos == REPORTS_FIRST) {
		to->kind = REPL_USAGE_RUN;
		to->run = (struct repl_usage_run){ .id = committed, .version = decision };
		return 1;
	}
	to->kind = REPL_USAGE;
	return export_place(*pos - REPORTS_FIRST - 1, &to->report);
}

void
usage_subscribe(const struct usage_watch *w)
{
	watch = w;
}

/* ---- start and end ---- */

void
usage_init(void)
{
	size_t n = conf->max_sessions + (size_t)1;

	/* folders in /run do not outlive the machine's restart */
	if (conf->accounting_dir[0] && mkdir(conf->accounting_dir, 0755) < 0 && errno != EEXIST)
		plog(LOG_ERROR, "accounting_dir %s: %s", conf->accounting_dir, strerror(errno));
	gardened = shm_map("usage in the garden", n * sizeof(*gardened));
	outcome = shm_map("usage outcome", sizeof(*outcome));
	reports[0] = shm_map("usage reports", n * sizeof(*reports[0]));
	reports[1] = shm_map("usage reports", n * sizeof(*reports[1]));
	usage_ended_init(MAX(conf->max_sessions, (unsigned int)MIN_ENDED));
	started_ms = loop_now_ms();
	timer_init(&period_timer, on_period, 0);
	timer_init(&work_timer, on_work, 0);
	timer_set(&period_timer, SEC(PERIOD_SEC));
}

static void
wait_for_child(void)
{
	const struct timespec pause = { .tv_nsec = FINI_POLL_MS * 1000000L };
	int i, status;

	for (i = 0; child.pid && i < FINI_MS / FINI_POLL_MS; i++) {
		if (waitpid(child.pid, &status, WNOHANG) == child.pid)
			usage_child_exit(child.pid, status);
		else
			nanosleep(&pause, NULL);
	}
}

void
usage_fini(void)
{
	timer_stop(&period_timer);
	if (conf->accounting_dir[0] == '\0' || !role_is_master())
		return;
	atomic_store(&outcome->go, last_run);
	wait_for_child();
	while (phase == DROPPING)
		drop_batch();
	if (child.pid)
		plog(LOG_ERROR, "accounting_dir %s: too slow for the last file",
		    conf->accounting_dir);
	else
		start_child(true);
	wait_for_child();
}
