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
#include "timer.h"
#include "usage.h"

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

enum { SESSIONS = 40, USERS = 8, ROUNDS = 300, PERIOD_MS = 300000, MANY = 1200 };

/* What the daemon and its child see alike. */
static struct world {
	struct session sessions[SESSIONS + 1];
	struct sess_fast fast[SESSIONS + 1];
	sess_id gate;		   /* the child stops in front of this session */
	volatile bool at_gate, go; /* it has; it may go on */
	bool die_renaming;	   /* it is killed when the file has its name */
} * world;

static char folder[64];
static uint64_t moved[USERS + 1], now_ms;
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
		moved[atoi(world->sessions[id].user + 1)] += n;
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
		assert_int_equal(told[i], moved[i]);
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
		all += moved[i];
		sum += told[i];
	}
	assert_true(told[0] > 0);
	assert_int_equal(sum, all);
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
