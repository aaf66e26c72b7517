/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child walks the sessions and writes, since both take long. It has what the parent keeps of
 * ended sessions as it was when the child began, and sees the sessions themselves as they go on.
 * Each that it counts it writes down in shared memory (usage_report.h), unless that session ends at
 * the same moment and the parent is first.
 *
 * It gives up the daemon's descriptors and rights, and may write two things of what is shared:
 * the reports of its run and how that went. That its file is in place it tells by a word there,
 * since its exit can be anything. A child that was killed while it renamed the file has not said
 * so; then a look at the folder tells.
 *
 * Where others are to know first, the file waits under its temporary name until the parent says
 * so. When the parent dies before that, so does the child; from there on it does not.
 *
 * Owns struct outcome. Called by usage.c.
 */
#include "usage_writer.h"
#include "config.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "usage_ended.h"
#include "usage_garden.h"
#include "usage_report.h"
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
#include <unistd.h>

enum {
	STUCK_SEC = 240, /* a child that takes so long is ended */
	NICE = 10,
	GO_POLL_US = 2000,
};

/* How the run went, in the child's words; but `go` is the parent's. */
static struct outcome {
	_Atomic uint32_t ready, go; /* all is written under a temporary name; it may get its own */
	uint32_t naming, written;   /* the run that is about to give the file its name, and has */
	struct usage_result said;
} * outcome;

static uint64_t started_ms;

const char *
usage_writer_name(const struct session *s)
{
	return s->authed ? s->user : "";
}

/* ---- the child ---- */

static void
write_session(struct usage_file *u, sess_id id)
{
	struct usage left;
	struct session s;

	while (!session_snapshot(id, &s)) {
		if (!session_get(id))
			return;
		sched_yield(); /* it is being written; we must not miss it */
	}
	if (!s.down && usage_report_count(id, s.unique, usage_garden_outside(id, s.unique), &left))
		usage_file_line(u, usage_writer_name(&s), s.ip4, s.rate_in || s.rate_out, &left,
		    USAGE_FROM_LAC);
}

static void
write_all(struct usage_file *u, const struct usage_job *job)
{
	const struct usage_ended *e;
	unsigned int i;

	for (i = 0; i < job->ended; i++) {
		e = usage_ended_get(i);
		if (usage_ended_is_over(e))
			continue;
		usage_file_line(u, e->user, e->ip4, e->throttled,
		    e->run == usage_report_committed() ? &e->written : &e->failed, e->place);
	}
	usage_file_line(u, "", 0, false, &job->rest, USAGE_FROM_LAC);
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
	shm_read_write(usage_report_to_write());
}

static void __attribute__((noreturn)) fail(struct usage_file *u)
{
	snprintf(outcome->said.why, sizeof(outcome->said.why), "%s", strerror(errno));
	if (u->name[0])
		usage_file_discard(u);
	_exit(1);
}

/* Not before the others know. When the parent dies by then so do we; from there on we do not. */
static void
wait_for_go(void)
{
	atomic_store(&outcome->ready, usage_report_last_run());
	while (!usage_writer_may_go())
		usleep(GO_POLL_US);
	prctl(PR_SET_PDEATHSIG, 0);
}

static void __attribute__((noreturn)) run_child(pid_t parent, const struct usage_job *job)
{
	const struct usage_head head = {
		.host = conf->hostname,
		.endpoint = conf->bind_address,
		.when = loop_time(),
		.uptime = (unsigned long)(loop_now_ms() - started_ms) / 1000,
	};
	struct usage_file u;

	give_up_rights(parent, job->last);
	if (usage_file_open(&u, conf->accounting_dir, &head, conf->account_all_origin) < 0)
		fail(&u);
	write_all(&u, job);
	if (usage_file_sync(&u) < 0)
		fail(&u);
	outcome->said.lines = u.lines;
	if (u.lines == 0) {
		usage_file_discard(&u);
	} else {
		str_copy(outcome->said.name, sizeof(outcome->said.name), u.name);
		wait_for_go();
		outcome->naming = usage_report_last_run();
		if (usage_file_publish(&u) < 0)
			fail(&u);
	}
	outcome->written = usage_report_last_run();
	_exit(0);
}

/* ---- the parent ---- */

pid_t
usage_writer_start(const struct usage_job *job)
{
	pid_t parent = getpid(), pid;

	*outcome = (struct outcome){ .said.why = "the child was killed",
		.go = job->asks ? 0 : usage_report_last_run() };
	pid = fork();
	if (pid == 0)
		run_child(parent, job);
	return pid;
}

bool
usage_writer_is_ready(void)
{
	return atomic_load(&outcome->ready) == usage_report_last_run();
}

void
usage_writer_let_go(void)
{
	atomic_store(&outcome->go, usage_report_last_run());
}

bool
usage_writer_may_go(void)
{
	return atomic_load(&outcome->go) == usage_report_last_run();
}

/* A child that was killed while it renamed its file: a look at the folder tells, for once. */
bool
usage_writer_has_written(void)
{
	uint32_t run = usage_report_last_run();

	return outcome->written == run ||
	       (outcome->naming == run && access(outcome->said.name, F_OK) == 0);
}

const struct usage_result *
usage_writer_result(void)
{
	outcome->said.why[sizeof(outcome->said.why) - 1] = '\0';
	return &outcome->said;
}

void
usage_writer_init(void)
{
	outcome = shm_map("usage outcome", sizeof(*outcome));
	started_ms = loop_now_ms();
}
