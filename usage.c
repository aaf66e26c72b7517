/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage files: the parent's part, and what calls the others of the group. A child walks the
 * sessions and writes (usage_writer.c). The parent must know what it has counted, without a walk of
 * its own; so the child leaves a report of each session (usage_report.c), and these are the
 * baselines when the file has its name, and not before.
 *
 *   IDLE --period--> ENDING --written--> DROPPING --> IDLE
 *   IDLE --period--> WAITING --ready--> TELLING --told--> ENDING ...    in a cluster
 *
 * A run that fails goes back to IDLE, and the next one counts from where it began.
 *
 * The parent keeps what sessions that have ended still had to tell (usage_ended.c). When one ends
 * while a child is at work there may be two figures, for the two ways the run may end. A list
 * that is full adds what comes to one line without a name. What a session moves while it sits in
 * the garden is taken off its counters first (usage_garden.c).
 *
 * In a cluster the master tells the others the run's reports, then that it is in force, before the
 * child goes on to give the file its name (usage_share.c). A session's last octets at other members
 * come up to a second behind its end, so what ended within that is left to the next file.
 */
#include "usage.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "session.h"
#include "timer.h"
#include "usage_ended.h"
#include "usage_garden.h"
#include "usage_report.h"
#include "usage_share.h"
#include "usage_writer.h"
#include "util.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum {
	PERIOD_SEC = 300,
	MIN_ENDED = 1024,
	FINAL_MS = 1100, /* what other members have counted of one that has ended may come */
	DROP_BATCH = 4096,
	FINI_MS = 200, /* for the child at work, and for the last one */
	FINI_POLL_MS = 5,
};

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

static bool tells; /* the run waits until the others know */
static unsigned int drop_left;
static uint32_t last_number; /* of ours that have ended */
static bool early;	     /* the next file comes before its time */
static bool fails;	     /* the last one could not be written */
static struct timer period_timer, work_timer;

/* --- a run, from its start to its end --- */

static void
work_soon(void)
{
	timer_set(&work_timer, MS(TIMER_TICK_MS));
}

void
usage_tell_run(void)
{
	if (phase <= WAITING)
		usage_share_run(false);
}

/* All is told: from here on the run is in force for all members. */
static void
let_go(void)
{
	phase = ENDING;
	usage_share_in_force();
	usage_writer_let_go();
}

static void begin_dropping(void);

/* Late, when the file was begun while nobody was there to be told. */
static void
all_told(void)
{
	if (usage_report_committed() != usage_report_last_run()) {
		let_go();
		return;
	}
	usage_share_decide();
	begin_dropping();
}

static void
begin_telling(void)
{
	phase = TELLING;
	usage_share_begin(child.ended);
	work_soon();
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
	usage_share_run(true);
	usage_share_over();
	phase = IDLE;
}

static void
on_work(uint32_t unused)
{
	(void)unused;
	if (phase == WAITING && usage_writer_is_ready())
		begin_telling();
	if (phase == TELLING && usage_share_batch())
		all_told();
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
	usage_add(&rest, rest_failed);
	usage_share_forget();
	begin_dropping();
}

static void
succeeded(void)
{
	const struct usage_result *said = usage_writer_result();

	usage_report_turn(usage_report_last_run());
	fails = false;
	rest = rest_written;
	COUNT(usage_files);
	plog(LOG_INFO, "usage: %u lines in %s", said->lines, said->name);
	if (usage_share_leads() && !tells)
		begin_telling();
	else
		begin_dropping();
}

static void
failed(const char *why)
{
	bool told_others = phase == ENDING;

	phase = IDLE;
	fails = true;
	usage_add(&rest, rest_failed);
	COUNT(usage_failed);
	plog(LOG_ERROR, "accounting_dir %s: %s; the next file will tell all", conf->accounting_dir,
	    why);
	usage_share_forget();
	if (told_others)
		usage_share_take_back();
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
	struct usage_job job = { .rest = rest, .asks = !last && usage_share_leads(), .last = last };
	pid_t pid;

	tells = job.asks;
	usage_report_new_run();
	rest_failed = rest_written = (struct usage){ 0 };
	child.ended = job.ended = tells ? final_ones() : usage_ended_count();
	phase = tells ? WAITING : ENDING;
	usage_share_forget();
	pid = usage_writer_start(&job);
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
	if (!usage_writer_has_written())
		failed(usage_writer_result()->why);
	else if (usage_writer_result()->name[0])
		succeeded();
	else
		nothing_told();
	return true;
}

/* --- sessions that end --- */

/* Rather an early file than a full list; not while none can be written. */
static void
write_early(void)
{
	if (early || fails)
		return;
	early = true;
	timer_set(&period_timer, MS(usage_share_leads() ? FINAL_MS : TIMER_TICK_MS));
}

static void
remember(const struct session *s, struct usage if_failed, struct usage if_written)
{
	struct usage_ended *e = usage_ended_add(usage_share_origin(), s->unique);

	if (!e) {
		COUNT(usage_merged);
		usage_add(child.pid ? &rest_failed : &rest, if_failed);
		usage_add(&rest_written, if_written);
		return;
	}
	e->number = ++last_number;
	e->ip4 = s->ip4;
	e->run = child.pid ? usage_report_last_run() : 0;
	e->throttled = s->rate_in || s->rate_out;
	e->place = USAGE_FROM_LAC;
	e->final = s->garden;
	e->failed = if_failed;
	e->written = if_written;
	str_copy(e->user, sizeof(e->user), usage_writer_name(s));
	usage_share_end(e);
	if (usage_ended_is_half_full() && phase == IDLE)
		write_early();
}

static void
ends(sess_id id)
{
	const struct session *s = session_get(id);
	struct usage all, if_failed, if_written, counted;

	all = usage_garden_outside(id, s->unique);
	if_failed = if_written = usage_minus(all, usage_report_baseline(id, s->unique));
	if (child.pid && usage_report_is_counted(id, s->unique, &counted))
		if_written = usage_minus(all, counted);
	if (if_failed.up || if_failed.down || (usage_share_leads() && !s->garden))
		remember(s, if_failed, if_written);
}

void
usage_amend(uint32_t unique, uint64_t up, uint64_t down)
{
	struct usage_ended *e = usage_ended_of(usage_share_origin(), unique);
	const struct usage more = { up, down };

	if (!e || e->final)
		return;
	usage_add(&e->failed, more);
	usage_add(&e->written, more);
	usage_share_end(e);
}

void
usage_session(sess_id id, enum sess_event ev)
{
	if (ev == SESS_EV_UP || ev == SESS_EV_CHANGED)
		usage_garden_look(id);
	else if (ev == SESS_EV_DOWN && conf->accounting_dir[0])
		ends(id);
	else if (ev == SESS_EV_GONE)
		usage_garden_forget(id);
}

/* ---- the cluster ---- */

uint32_t
usage_run_told(void)
{
	return phase == TELLING || phase == ENDING ? usage_report_last_run() : 0;
}

/* The file has no name yet, and does not get one. */
void
usage_give_run_up(void)
{
	if (child.pid && !usage_writer_may_go())
		kill(child.pid, SIGKILL);
}

void
usage_role(bool master)
{
	usage_share_role(master);
	if (master)
		usage_tell_run();
	else
		usage_give_run_up();
}

/*
 * Nobody has told us what the old master's files tell: he is taken to have told all there is. Also
 * for a child at work, as if that had counted it.
 */
static void
adopt(sess_id id)
{
	const struct session *s = session_get(id);

	if (!usage_share_keeps_books())
		usage_report_assume(
		    id, s->unique, usage_garden_outside(id, s->unique), child.pid != 0);
}

const struct hook_member usage_member = {
	.export = usage_garden_export,
	.install = usage_garden_install,
	.remove = usage_garden_forget,
	.adopt = adopt,
};

/* ---- start and end ---- */

void
usage_init(void)
{
	/* folders in /run do not outlive the machine's restart */
	if (conf->accounting_dir[0] && mkdir(conf->accounting_dir, 0755) < 0 && errno != EEXIST)
		plog(LOG_ERROR, "accounting_dir %s: %s", conf->accounting_dir, strerror(errno));
	usage_garden_init();
	usage_writer_init();
	usage_report_init();
	usage_ended_init(MAX(conf->max_sessions, (unsigned int)MIN_ENDED));
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
	usage_writer_let_go();
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
