/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Usage files against a small model of the session table: whatever comes between - runs
 * that fail, children that are killed, sessions that end and begin while a child walks -
 * the files add up to what was moved.
 */
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "seq.h"
#include "session.h"
#include "role.h"
#include "timer.h"

#define loop_now_ms play_now_ms

uint64_t play_now_ms(void);

#include "usage.c"
#include "usage_garden.c"
#include "usage_report.c"
#include "usage_share.c"
#include "usage_writer.c"
#include "usage_ended.c"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SESSIONS = 40,
	USERS = 8,
	ROUNDS = 300,
	CLUSTER_ROUNDS = 100,
	PERIOD_MS = 300000,
	MANY = 1200
};

/* What the daemon and its child see alike. */
static struct world {
	struct session sessions[SESSIONS + 1];
	struct sess_fast fast[SESSIONS + 1];
	sess_id gate;		   /* the child stops in front of this session */
	volatile bool at_gate, go; /* it has; it may go on */
	bool die_renaming;	   /* it is killed when the file has its name */
} * world;

static char folder[64];
static uint64_t model[USERS + 1], now_ms;
static uint32_t next_unique = 1;
static int n_files;

const struct session *
session_get(sess_id id)
{
	return world->sessions[id].state == SESS_FREE ? NULL : &world->sessions[id];
}

struct sess_fast *
session_fast(sess_id id)
{
	return &world->fast[id];
}

sess_id
session_highest(void)
{
	return SESSIONS;
}

sess_id
session_by_unique(uint32_t unique)
{
	sess_id id;

	for (id = SESSIONS; id > 0; id--)
		if (world->sessions[id].state != SESS_FREE && world->sessions[id].unique == unique)
			break;
	return id;
}

uint64_t
play_now_ms(void)
{
	return now_ms;
}

bool
session_snapshot(sess_id id, struct session *copy)
{
	if (id == world->gate) {
		world->at_gate = true;
		while (!world->go)
			usleep(100);
	}
	return seq_copy(&world->sessions[id].seq, copy, &world->sessions[id], sizeof(*copy)) &&
	       copy->state != SESS_FREE;
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);

	if (world->die_renaming)
		kill(getpid(), SIGKILL);
	return result;
}

/* ---- the model ---- */

static unsigned int
chance(unsigned int n)
{
	return (unsigned int)rand() % n;
}

static void
begin(sess_id id)
{
	struct session *s = &world->sessions[id];

	seq_begin(&s->seq);
	s->state = SESS_OPEN;
	s->unique = next_unique++;
	s->authed = 1;
	s->ip4 = id;
	snprintf(s->user, sizeof(s->user), "u%u", 1 + chance(USERS));
	seq_end(&s->seq);
}

static void
end(sess_id id)
{
	struct session *s = &world->sessions[id];

	seq_begin(&s->seq);
	s->down = 1;
	seq_end(&s->seq);
	usage_session(id, SESS_EV_DOWN);
	usage_session(id, SESS_EV_GONE);
	seq_begin(&s->seq);
	memset((char *)s + sizeof(s->seq), 0, sizeof(*s) - sizeof(s->seq));
	seq_end(&s->seq);
	world->fast[id] = (struct sess_fast){ 0 };
}

/* Into the garden, or out of it. */
static void
through_the_gate(sess_id id)
{
	struct session *s = &world->sessions[id];

	seq_begin(&s->seq);
	s->garden = !s->garden;
	seq_end(&s->seq);
	usage_session(id, SESS_EV_CHANGED);
}

static void
move(sess_id id)
{
	unsigned int n = chance(1000);

	world->fast[id].rx_bytes += n;
	world->fast[id].tx_bytes += 3 * n;
	if (!world->sessions[id].garden)
		model[atoi(world->sessions[id].user + 1)] += n;
}

static void
live(unsigned int events)
{
	sess_id id;

	while (events-- > 0) {
		id = 1 + chance(SESSIONS);
		if (world->sessions[id].state == SESS_FREE)
			begin(id);
		else if (chance(4) == 0)
			end(id);
		else if (chance(6) == 0)
			through_the_gate(id);
		else
			move(id);
	}
}

/* ---- the files ---- */

/* Adds what all files say; a nameless one is user 0. */
static void
read_file(const char *name, uint64_t told[USERS + 1])
{
	char path[512], line[512], user[64];
	unsigned long long up, down;
	unsigned int qos;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%63s %*s %u %llu %llu", user, &qos, &up, &down), 4);
		assert_int_equal(down, 3 * up);
		told[user[0] == '*' ? 0 : atoi(user + 1)] += up;
	}
	fclose(f);
	n_files++;
}

static void
read_files(uint64_t told[USERS + 1])
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	n_files = 0;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			read_file(e->d_name, told);
	closedir(d);
}

static void
assert_all_told(void)
{
	uint64_t told[USERS + 1] = { 0 };
	unsigned int i;

	read_files(told);
	for (i = 1; i <= USERS; i++)
		assert_int_equal(told[i], model[i]);
	assert_int_equal(told[0], 0);
}

/* ---- runs ---- */

static void
begin_run(void)
{
	world->at_gate = world->go = false;
	now_ms += PERIOD_MS;
	timer_run(now_ms);
}

static void
end_run(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	assert_true(pid > 0);
	assert_true(usage_child_exit(pid, status));
}

static void
wait_gate(void)
{
	while (!world->at_gate)
		usleep(100);
}

/* Stops the child half-way, lets time pass, then lets it go on or die. */
static void
interrupted_run(void)
{
	int status;
	pid_t pid;

	world->gate = 1 + chance(SESSIONS);
	if (world->sessions[world->gate].state == SESS_FREE)
		begin(world->gate);
	begin_run();
	wait_gate();
	live(60);
	if (chance(3)) {
		world->go = true;
		live(60);
		end_run();
	} else {
		/* the only child there is; a stranger's pid cannot come in between */
		FILE *f = fopen("/proc/thread-self/children", "r");

		assert_int_equal(fscanf(f, "%d", &pid), 1);
		fclose(f);
		kill(pid, SIGKILL);
		live(10);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(usage_child_exit(pid, status));
	}
	world->gate = 0;
}

static void
failing_run(void)
{
	char away[80];

	snprintf(away, sizeof(away), "%s.away", folder);
	rename(folder, away);
	begin_run();
	live(5);
	end_run();
	rename(away, folder);
}

static void
test_adds_up(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		live(100);
		switch (chance(4)) {
		case 0:
			failing_run();
			break;
		case 1:
			world->die_renaming = true;
			begin_run();
			live(20);
			end_run();
			world->die_renaming = false;
			break;
		case 2:
			interrupted_run();
			break;
		default:
			begin_run();
			live(20);
			end_run();
		}
	}
	begin_run();
	end_run();
	assert_all_told();
	assert_true(n_files > ROUNDS / 2);
	assert_true(counters->usage_failed > ROUNDS / 8);
	assert_int_equal(counters->usage_merged, 0);
}

/* More sessions end than the list holds, while no file can be written: their sum is told. */
static void
test_full_list(void **state)
{
	uint64_t told[USERS + 1] = { 0 }, all = 0, sum = 0;
	unsigned int i;

	(void)state;
	for (i = 1; i <= SESSIONS; i++)
		if (world->sessions[i].state != SESS_FREE)
			end(i);
	failing_run();
	for (i = 0; i < MANY; i++) {
		begin(1);
		move(1);
		end(1);
		if (i == MANY / 2 || i == MANY - 20)
			failing_run();
	}
	world->gate = 2;
	begin(2);
	begin_run();
	wait_gate();
	for (i = 0; i < 50; i++) {
		begin(3);
		move(3);
		end(3);
	}
	world->go = true;
	end_run();
	world->gate = 0;
	begin_run();
	end_run();
	assert_true(counters->usage_merged > 0);
	read_files(told);
	for (i = 0; i <= USERS; i++) {
		all += model[i];
		sum += told[i];
	}
	assert_true(told[0] > 0);
	assert_int_equal(sum, all);
}

/* ---- the cluster: what the others are told, and what one of them does who becomes master ---- */

enum { MOST_TOLD = 1 << 20 };

static struct usage_told *heard;
static unsigned int n_heard;
static uint64_t incarnation = 7;
static bool peers;

static struct usage_told *
hear(enum repl_kind kind)
{
	assert_true(n_heard < MOST_TOLD);
	heard[n_heard].kind = kind;
	return &heard[n_heard++];
}

static bool
has_peers(void)
{
	return peers && role_is_master();
}

static uint64_t
our_incarnation(void)
{
	return incarnation;
}

static void
hear_report(const struct repl_usage *r)
{
	hear(REPL_USAGE)->report = *r;
}

static void
hear_run(const struct repl_usage_run *r)
{
	hear(REPL_USAGE_RUN)->run = *r;
}

static void
hear_end(const struct repl_usage_end *r)
{
	hear(REPL_USAGE_END)->end = *r;
}

static void
hear_all(void)
{
}

static const struct usage_watch the_others = { has_peers, our_incarnation, hear_report, hear_run,
	hear_end, hear_all };

static void
take(const struct usage_told *t)
{
	if (t->kind == REPL_USAGE)
		usage_install(&t->report);
	else if (t->kind == REPL_USAGE_RUN)
		usage_install_run(&t->run, incarnation);
	else
		(void)usage_install_end(&t->end);
}

/* What a member knows that is there from here on: a synchronisation instead of all that was told.
 */
static void
synchronise(void)
{
	uint32_t pos = 0;
	int what;

	n_heard = 0;
	do {
		what = usage_export(&pos, &heard[n_heard]);
		n_heard += what > 0;
	} while (what >= 0);
}

/* As a process that has just begun. */
static void
forget_everything(void)
{
	memset(reports[0], 0, (SESSIONS + 1) * sizeof(*reports[0]));
	memset(reports[1], 0, (SESSIONS + 1) * sizeof(*reports[1]));
	memset(marks, 0, sizeof(marks));
	memset(run_tells, 0, sizeof(run_tells));
	usage_ended_drop(usage_ended_count());
	good = committed = last_run = last_number = 0;
	rest = rest_failed = rest_written = (struct usage){ 0 };
	child.pid = 0;
	phase = IDLE;
	decision = decided_by = known_ms = 0;
	keeps_books = false;
	timer_stop(&work_timer);
}

/* The child dies with its parent, but not when its file has got its name. */
static void
master_dies(void)
{
	int status;

	if (!child.pid)
		return;
	world->go = true;
	if (phase != ENDING)
		kill(child.pid, SIGKILL);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
}

/* The sessions' records are the same at all members, and their counters too. */
static void
take_over(void)
{
	static struct repl_session records[SESSIONS + 1];
	unsigned int i;

	master_dies();
	for (i = 1; i <= SESSIONS; i++) {
		memset(&records[i].garden, 0, sizeof(records[i].garden));
		if (world->sessions[i].state == SESS_FREE)
			continue;
		usage_member.export(i, &records[i]);
		records[i].rec.unique = world->sessions[i].unique;
		records[i].rec.garden = world->sessions[i].garden;
	}
	forget_everything();
	memset(gardened, 0, (SESSIONS + 1) * sizeof(*gardened));
	role_set(false, 0);
	for (i = 0; i < n_heard; i++)
		take(&heard[i]);
	for (i = 1; i <= SESSIONS; i++)
		if (world->sessions[i].state != SESS_FREE)
			usage_member.install(i, &records[i]);
	incarnation += 1000000;
	role_set(true, 0);
	usage_role(true);
	for (i = 1; i <= SESSIONS; i++)
		if (world->sessions[i].state != SESS_FREE)
			usage_member.adopt(i);
	if (chance(3) == 0)
		synchronise(); /* a new member */
}

/* A session ends, and then somebody says that he had counted more. */
static void
end_and_amend(sess_id id)
{
	unsigned int n = chance(1000);
	const struct session s = world->sessions[id];

	if (s.state == SESS_FREE || s.garden)
		return;
	end(id);
	now_ms += chance(FINAL_MS);
	usage_amend(s.unique, n, 3 * n);
	model[atoi(s.user + 1)] += n;
}

static void
pass(unsigned int ms)
{
	for (; ms > 0; ms -= 10) {
		now_ms += 10;
		timer_run(now_ms);
		usleep(100);
	}
}

/* The run goes on for some time; and to its end if that may be. */
static void
go_on(bool to_the_end)
{
	int status, n = to_the_end ? 20000 : (int)chance(20);

	while (child.pid && n-- > 0) {
		pass(10);
		if (waitpid(child.pid, &status, WNOHANG) == child.pid)
			usage_child_exit(child.pid, status);
	}
	if (child.pid && to_the_end) {
		fprintf(stderr,
		    "STUCK phase %d ready %u go %u last %u committed %u tell_at %u ended %u of %u "
		    "timer %d gate %u go %d\n",
		    phase, outcome->ready, outcome->go, last_run, committed, tell_at, ended_at,
		    ended_to, timer_running(&work_timer), world->gate, world->go);
		exit(1);
	}
}

/* The file cannot be begun, or cannot get its name when all have been told that it has. */
static void
failing_cluster_run(void)
{
	char away[80];

	snprintf(away, sizeof(away), "%s.away", folder);
	begin_run();
	go_on(false);
	rename(folder, away);
	live(5);
	go_on(true);
	rename(away, folder);
}

static void
cluster_run(void)
{
	world->gate = chance(3) ? 0 : 1 + chance(SESSIONS);
	if (world->gate && world->sessions[world->gate].state == SESS_FREE)
		begin(world->gate);
	begin_run();
	if (world->gate)
		wait_gate();
	live(60);
	end_and_amend(1 + chance(SESSIONS));
	world->go = true;
	go_on(chance(3));
	live(60);
	if (chance(4) == 0)
		take_over();
	go_on(true);
	world->gate = 0;
	pass(20);
}

static void
test_masters_die(void **state)
{
	unsigned int i;

	(void)state;
	heard = calloc(MOST_TOLD, sizeof(*heard));
	usage_subscribe(&the_others);
	peers = true;
	synchronise();
	for (i = 0; i < CLUSTER_ROUNDS; i++) {
		live(30);
		if (chance(4) == 0)
			end_and_amend(1 + chance(SESSIONS));
		if (chance(10) == 0)
			synchronise();
		if (chance(10) == 0)
			failing_cluster_run();
		if (chance(20) == 0)
			take_over();
		cluster_run();
	}
	for (i = 0; i < 3; i++) {
		now_ms += 2 * FINAL_MS;
		begin_run();
		go_on(true);
		pass(20);
	}
	assert_all_told();
	assert_true(incarnation > 7 + 10 * (uint64_t)1000000);
	usage_subscribe(NULL);
	peers = false;
	free(heard);
}

static void
report_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void
configure(void)
{
	char name[80];
	FILE *f;

	snprintf(name, sizeof(name), "%s/.config", folder);
	f = fopen(name, "w");
	fprintf(f, "set accounting_dir \"%s\"\nset max_sessions 1000\n", folder);
	fclose(f);
	if (config_read(name, report_line) != 0)
		exit(1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds_up),
		cmocka_unit_test(test_masters_die),
		cmocka_unit_test(test_full_list),
	};
	char command[128];
	int failed;

	srand(1);
	world =
	    mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(folder, sizeof(folder), "/tmp/usage_test.%d", (int)getpid());
	mkdir(folder, 0700);
	counter_init();
	config_init();
	configure();
	log_set_level(-1);
	loop_clock();
	now_ms = loop_now_ms();
	timer_run(now_ms);
	usage_init();
	failed = cmocka_run_group_tests_name("usage", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? failed : 1;
}
