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
	FINI_MS = 200, /* for the child at work, and for the last one */
	FINI_POLL_MS = 5,
	RUN_STEP = 2,
};

/* What the child of a run has counted of a session. */
struct report {
	struct usage n;
	uint32_t unique; /* which session of that id */
	_Atomic uint32_t run;
};

/* A session that has ended since the last file. */
struct ended {
	char user[USER_LEN];
	uint32_t ip4;
	uint32_t run; /* the child at work then; 0: none */
	bool throttled;
	char origin;
	struct usage failed, written; /* what is left to tell, by how that run has ended */
};

/* What a session has moved in the garden; written by the parent, read by children. */
struct gardened {
	uint32_t seq;
	uint32_t unique;    /* which session of that id */
	struct usage past;  /* in former stays */
	struct usage since; /* its counters when it came in */
	bool inside;
};

/* How the run went, in the child's words. */
struct outcome {
	uint32_t naming, written; /* the run that is about to give the file its name, and has */
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

static struct ended *ended; /* a ring */
static unsigned int first, count, size;
static struct usage rest, rest_failed, rest_written; /* of those that found no room */

static struct {
	pid_t pid;	    /* 0: none is at work */
	unsigned int ended; /* so many of the ring it writes */
} child;

static struct timer period_timer;
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

static void
add(struct usage *sum, struct usage n)
{
	sum->up += n.up;
	sum->down += n.down;
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

/* What the files have told of a session. */
static struct usage
baseline(sess_id id, uint32_t unique)
{
	const struct report *r = &reports[good][id];

	if (committed == 0 || atomic_load(&r->run) != committed || r->unique != unique)
		return (struct usage){ 0 };
	return r->n;
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
	uint32_t run = atomic_load(&r->run);
	struct usage now, left;
	struct session s;

	while (!session_snapshot(id, &s)) {
		if (!session_get(id))
			return;
		sched_yield(); /* it is being written; we must not miss it */
	}
	if (run == (last_run | 1) || s.down)
		return;
	now = usage_now(id, s.unique);
	r->n = now;
	r->unique = s.unique;
	if (!atomic_compare_exchange_strong(&r->run, &run, last_run))
		return; /* it has just ended */
	left = minus(now, baseline(id, s.unique));
	usage_file_line(u, name_of(&s), s.ip4, s.rate_in || s.rate_out, &left, origin_of(&s));
}

static void
write_all(struct usage_file *u)
{
	const struct ended *e;
	unsigned int i;

	for (i = 0; i < child.ended; i++) {
		e = &ended[(first + i) % size];
		usage_file_line(u, e->user, e->ip4, e->throttled,
		    e->run == committed ? &e->written : &e->failed, e->origin);
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
		outcome->naming = last_run;
		if (usage_file_publish(&u) < 0)
			fail(&u);
	}
	outcome->written = last_run;
	_exit(0);
}

/* ---- the parent ---- */

static void
forget_written(void)
{
	first = (first + child.ended) % size;
	count -= child.ended;
	if (count == 0 && child.ended > MIN_ENDED)
		shm_trim(ended, size * sizeof(*ended), 0);
}

static void
succeeded(void)
{
	good = !good;
	committed = last_run;
	forget_written();
	rest = rest_written;
	if (outcome->name[0] == '\0')
		return;
	COUNT(usage_files);
	plog(LOG_INFO, "usage: %u lines in %s", outcome->lines, outcome->name);
}

static void
failed(const char *why)
{
	add(&rest, rest_failed);
	COUNT(usage_failed);
	plog(LOG_ERROR, "accounting_dir %s: %s; the next file will tell all", conf->accounting_dir,
	    why);
}

/* A child that was killed while it renamed its file: a look at the folder tells, for once. */
static bool
is_written(void)
{
	return outcome->written == last_run ||
	       (outcome->naming == last_run && access(outcome->name, F_OK) == 0);
}

static void
start_child(bool last)
{
	pid_t parent = getpid(), pid;

	last_run += RUN_STEP;
	*outcome = (struct outcome){ .why = "the child was killed" };
	rest_failed = rest_written = (struct usage){ 0 };
	child.ended = count;
	pid = fork();
	if (pid == 0)
		run_child(parent, last);
	if (pid < 0)
		failed(strerror(errno));
	else
		child.pid = pid;
}

static void
on_period(uint32_t unused)
{
	(void)unused;
	timer_set(&period_timer, SEC(PERIOD_SEC));
	if (conf->accounting_dir[0] == '\0' || !role_is_master())
		return;
	if (child.pid)
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
	if (is_written())
		succeeded();
	else
		failed(outcome->why);
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

static void
remember(const struct session *s, struct usage if_failed, struct usage if_written)
{
	struct ended *e;

	if (count == size) {
		COUNT(usage_merged);
		add(child.pid ? &rest_failed : &rest, if_failed);
		add(&rest_written, if_written);
		return;
	}
	e = &ended[(first + count++) % size];
	*e = (struct ended){
		.ip4 = s->ip4,
		.run = child.pid ? last_run : 0,
		.throttled = s->rate_in || s->rate_out,
		.origin = origin_of(s),
		.failed = if_failed,
		.written = if_written,
	};
	str_copy(e->user, sizeof(e->user), name_of(s));
	if (count == size / 2 && !child.pid) /* rather an early file than a full list */
		timer_set(&period_timer, MS(TIMER_TICK_MS));
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
	if (if_failed.up || if_failed.down)
		remember(s, if_failed, if_written);
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

static void
install(sess_id id, const struct repl_session *r)
{
	(void)r;
	look_at_garden(id);
}

/*
 * What it had moved by then is the old master's to tell. Also for a child at work, as if that had
 * counted it.
 */
static void
adopt(sess_id id)
{
	const struct session *s = session_get(id);
	struct usage now = usage_now(id, s->unique);
	unsigned int i;

	if (committed == 0)
		committed = child.pid ? last_run : (last_run += RUN_STEP);
	for (i = 0; i < 2; i++) {
		reports[i][id].n = now;
		reports[i][id].unique = s->unique;
	}
	atomic_store(&reports[good][id].run, committed);
	if (child.pid)
		atomic_store(&reports[!good][id].run, last_run);
}

const struct hook_member usage_member = {
	.install = install,
	.remove = forget_garden,
	.adopt = adopt,
};

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
	size = MAX(conf->max_sessions, (unsigned int)MIN_ENDED);
	ended = shm_map_private("usage of ended sessions", size * sizeof(*ended));
	started_ms = loop_now_ms();
	timer_init(&period_timer, on_period, 0);
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
	wait_for_child();
	if (child.pid)
		plog(LOG_ERROR, "accounting_dir %s: too slow for the last file",
		    conf->accounting_dir);
	else
		start_child(true);
	wait_for_child();
}
