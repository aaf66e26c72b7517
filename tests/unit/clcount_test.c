/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of several members in one process: messages that are lost, late and out of
 * order, partitions, members that die and come again, sessions that go and come, and full
 * synchronisations either way; what each of them has in the end is what was really moved.
 * The tables, the clock and the cluster's socket are played here.
 */
#include "loop.h"
#include "session.h"
#include "shm.h"
#include "timer.h"

/* Played below; the real ones come with the records' codec. */
#define session_get	  play_session
#define session_fast	  play_fast
#define session_highest	  play_highest
#define session_by_unique play_by_unique
#define loop_now_ms	  play_ms
#define loop_now_ds	  play_ds
#define timer_init	  play_timer_init
#define timer_set	  play_timer_set
#define shm_map_parent	  play_map
#define shm_trim	  play_trim

const struct session *play_session(sess_id id);
struct sess_fast *play_fast(sess_id id);
uint32_t play_highest(void);
sess_id play_by_unique(uint32_t unique);
uint64_t play_ms(void);
uint32_t play_ds(void);
void play_timer_init(struct timer *t, void (*fn)(uint32_t arg), uint32_t arg);
void play_timer_set(struct timer *t, uint64_t ticks);
void *play_map(const char *what, size_t size);
void play_trim(void *map, size_t size, size_t used);

#include "clcount.c"
#include "clfinal.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { N = 4, IDS = 12, UNIQUES = 2000, QUEUE = 1 << 14 };

/* All that clcount.c keeps, of one member, and his tables. */
static struct node {
	struct session sessions[IDS + 1];
	struct sess_fast fast[IDS + 1];
	uint64_t incarnation;
	unsigned int group; /* of who hear each other */
	struct member members[MEMBERS];
	uint64_t gone[GONE];
	unsigned int n_gone, met_walks, alive;
	struct row *others, *told, *parked;
	struct final *finals;
	uint32_t *unanswered, first_unanswered, n_unanswered;
	uint64_t finals_until_ms;
	sess_id walk_at;
	uint32_t walks;
} nodes[N], *here;

static struct {
	unsigned int to;
	uint64_t from; /* incarnation */
	uint8_t kind;
	size_t len;
	uint8_t *fields;
} queue[QUEUE];
static unsigned int n_queued, loss; /* percent */
static uint64_t now_ms, next_incarnation;
static struct cluster_sender sender;
static uint32_t next_unique;
static struct clsum truth[UNIQUES];   /* by unique */
static uint32_t current[IDS + 1];     /* unique of who has the id now */
static struct clsum amended[UNIQUES]; /* by key */
static uint64_t used_up[2];	      /* so much more usage files have, up and down */
static unsigned int released;

/* --- what clcount.c stands on --- */

const struct session *
session_get(sess_id id)
{
	return id && id <= IDS && here->sessions[id].unique ? &here->sessions[id] : NULL;
}

struct sess_fast *
session_fast(sess_id id)
{
	return &here->fast[id];
}

uint32_t
session_highest(void)
{
	return IDS;
}

sess_id
session_by_unique(uint32_t unique)
{
	sess_id id;

	for (id = 1; id <= IDS; id++)
		if (here->sessions[id].unique == unique)
			return id;
	return 0;
}

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

uint32_t
loop_now_ds(void)
{
	return (uint32_t)(now_ms / 100);
}

void
timer_init(struct timer *t, void (*fn)(uint32_t arg), uint32_t arg)
{
	(void)t;
	(void)fn;
	(void)arg;
}

void
timer_set(struct timer *t, uint64_t ticks)
{
	(void)t;
	(void)ticks;
}

void *
shm_map_parent(const char *what, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)what;
	assert_true(p != MAP_FAILED);
	return p;
}

void
shm_trim(void *map, size_t size, size_t used)
{
	assert_int_equal(used, 0);
	assert_int_equal(madvise(map, size, MADV_DONTNEED), 0);
}

void
acct_queue_amend(uint64_t key, const struct rad_moved *more)
{
	clsum_add(&amended[key],
	    (struct clsum){ more->in_bytes, more->in_packets, more->out_bytes, more->out_packets });
}

void
usage_amend(uint32_t unique, uint64_t up, uint64_t down)
{
	(void)unique;
	used_up[0] += up;
	used_up[1] += down;
}

void
acct_queue_release(uint64_t key)
{
	(void)key;
	released++;
}

static unsigned int
in_reach(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < N; i++)
		n += &nodes[i] != here && nodes[i].group == here->group;
	return n;
}

bool
cluster_has_peers(void)
{
	return true;
}

unsigned int
cluster_peers_alive(void)
{
	return in_reach();
}

const struct cluster_sender *
cluster_sender(void)
{
	return &sender;
}

uint64_t
cluster_incarnation(void)
{
	return here->incarnation;
}

void
cluster_on_message(enum clmsg_kind kind, void (*fn)(uint32_t from, struct rd fields))
{
	(void)kind;
	(void)fn;
}

static void
enqueue(unsigned int to, uint8_t kind, const void *fields, size_t len)
{
	assert_true(n_queued < QUEUE);
	queue[n_queued].to = to;
	queue[n_queued].from = here->incarnation;
	queue[n_queued].kind = kind;
	queue[n_queued].len = len;
	queue[n_queued].fields = malloc(len);
	memcpy(queue[n_queued++].fields, fields, len);
}

bool
cluster_send(uint32_t to, uint8_t kind, const void *fields, size_t len)
{
	unsigned int i;

	assert_int_equal(to, 0);
	for (i = 0; i < N; i++)
		if (&nodes[i] != here && nodes[i].group == here->group &&
		    (unsigned int)rand() % 100 >= loss)
			enqueue(i, kind, fields, len);
	return true;
}

/* --- members --- */

#define EACH_STATE(x)                                                                              \
	x(n_gone) x(met_walks) x(alive) x(others) x(told) x(parked) x(finals) x(finals_until_ms)   \
	    x(walk_at) x(walks) x(unanswered) x(first_unanswered) x(n_unanswered)

static void
leave(void)
{
	if (!here)
		return;
	memcpy(here->members, members, sizeof(members));
	memcpy(here->gone, gone, sizeof(gone));
#define SAVE(x) here->x = x;
	EACH_STATE(SAVE)
}

static void
enter(unsigned int i)
{
	leave();
	here = &nodes[i];
	memcpy(members, here->members, sizeof(members));
	memcpy(gone, here->gone, sizeof(gone));
#define LOAD(x) x = here->x;
	EACH_STATE(LOAD)
}

static void
unmap(void *map, size_t size)
{
	if (map)
		assert_int_equal(munmap(map, size), 0);
}

/* The process in a place dies; another one begins there. */
static void
start(unsigned int i)
{
	unsigned int m, group = nodes[i].group;
	size_t size = (UNIQUES + 1) * sizeof(struct row);

	leave();
	here = &nodes[i];
	for (m = 0; m < MEMBERS; m++)
		unmap(here->members[m].rows, size);
	unmap(here->others, size);
	unmap(here->told, size);
	unmap(here->parked, size);
	unmap(here->finals, FINALS * sizeof(*finals));
	unmap(here->unanswered, FINALS * sizeof(*unanswered));
	*here = (struct node){ .incarnation = ++next_incarnation, .group = group };
	memset(members, 0, sizeof(members));
	memset(gone, 0, sizeof(gone));
	n_gone = met_walks = alive = walk_at = walks = first_unanswered = n_unanswered = 0;
	finals_until_ms = 0;
	clcount_init(UNIQUES); /* so that all that are absent have places */
}

static void
deliver(unsigned int n)
{
	struct rd fields = rd_init(queue[n].fields, queue[n].len);
	struct repl_record rec;

	enter(queue[n].to);
	sender.incarnation = queue[n].from;
	if (queue[n].kind == CL_COUNT)
		on_count(0, fields);
	else if (queue[n].kind == CL_COUNT_ASK)
		on_ask(0, fields);
	while (queue[n].kind == CL_SYNC && repl_next(&fields, &rec)) {
		assert_true(repl_get_count(&rec, &record));
		clcount_merge(&record);
	}
}

static void
deliver_some(unsigned int most)
{
	unsigned int n;

	for (; most > 0 && n_queued > 0; most--) {
		n = (unsigned int)rand() % n_queued;
		deliver(n);
		free(queue[n].fields);
		queue[n] = queue[--n_queued];
	}
}

static void
deliver_all(void)
{
	deliver_some(UINT32_MAX);
}

static void
tick(unsigned int n)
{
	unsigned int i;

	for (; n > 0; n--) {
		now_ms += STEP_MS;
		for (i = 0; i < N; i++) {
			enter(i);
			on_walk(0);
		}
		deliver_some(1 + (unsigned int)rand() % 40);
	}
}

/* --- sessions --- */

static void
drop(sess_id id)
{
	if (!session_get(id))
		return;
	if (rand() % 2)
		clcount_member.remove(id);
	else
		clcount_session(id, SESS_EV_GONE);
	here->sessions[id] = (struct session){ 0 };
	here->fast[id] = (struct sess_fast){ 0 };
}

static void
install(sess_id id, uint32_t unique)
{
	static struct repl_session r;

	if (session_get(id) && session_get(id)->unique != unique)
		drop(id);
	r.id = id;
	r.rec.unique = here->sessions[id].unique = unique;
	clcount_member.install(id, &r);
}

static void
new_session(sess_id id)
{
	current[id] = ++next_unique;
	assert_true(next_unique < UNIQUES);
}

static void
move(sess_id id)
{
	struct clsum n = { (uint64_t)rand() % 100000, 1 + (uint64_t)rand() % 100,
		(uint64_t)rand() % 100000, 1 + (uint64_t)rand() % 100 };

	if (!session_get(id) || session_get(id)->unique != current[id])
		return;
	gain(id, n);
	clsum_add(&truth[current[id]], n);
}

/* Our word of a session's counters to a member, late or never. */
static void
tell_all_of(sess_id id, unsigned int to)
{
	uint8_t buf[CLREC_LARGEST];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!clcount_export(id, &record))
		return;
	assert_true(repl_put_count(&w, &record));
	enqueue(to, CL_SYNC, buf, wr_len(&w));
}

static void
synchronise(unsigned int from, unsigned int to)
{
	uint32_t has[IDS + 1];
	sess_id id;

	enter(from);
	for (id = 1; id <= IDS; id++) {
		has[id] = session_get(id) ? session_get(id)->unique : 0;
		tell_all_of(id, to);
	}
	enter(to);
	for (id = 1; id <= IDS; id++)
		if (has[id] && has[id] == current[id])
			install(id, has[id]);
}

/* He holds all sessions, and tells his last figures to the first member alone, who never dies. */
static void
die(unsigned int i)
{
	unsigned int n, before = n_queued, group = nodes[i].group, old_loss = loss;
	sess_id id;

	for (id = 1; id <= IDS; id++) {
		enter(0);
		install(id, current[id]);
		enter(i);
		install(id, current[id]);
	}

	loss = 0;
	nodes[i].group = nodes[0].group;
	enter(i);
	for (id = 1; id <= IDS; id++)
		tell_session(id, true);
	send_message();
	for (n = before; n < n_queued; n++)
		if (queue[n].to == 0)
			deliver(n);
	loss = old_loss;
	nodes[i].group = group;
	start(i);
	synchronise(0, i);
}

static void
expect_truth(void)
{
	unsigned int i;
	sess_id id;

	for (i = 0; i < N; i++) {
		enter(i);
		for (id = 1; id <= IDS; id++) {
			struct clsum is = total(id);

			assert_int_equal(session_get(id)->unique, current[id]);
			assert_memory_equal(&is, &truth[current[id]], sizeof(is));
		}
	}
}

static void
begin(unsigned int seed)
{
	unsigned int i;
	sess_id id;

	srand(seed);
	loss = n_queued = next_unique = released = 0;
	now_ms = 1000000;
	memset(truth, 0, sizeof(truth));
	memset(amended, 0, sizeof(amended));
	for (id = 1; id <= IDS; id++)
		new_session(id);
	for (i = 0; i < N; i++) {
		nodes[i].group = 0;
		start(i);
		for (id = 1; id <= IDS; id++)
			install(id, current[id]);
	}
}

static void
settle(void)
{
	unsigned int i;
	sess_id id;

	loss = 0;
	for (i = 0; i < N; i++)
		nodes[i].group = 0;
	for (i = 0; i < N; i++) {
		enter(i);
		for (id = 1; id <= IDS; id++)
			install(id, current[id]);
	}
	tick((REST_SEC + 2) * 1000 / STEP_MS);
	deliver_all();
}

/* --- tests --- */

static void
one_thing(unsigned int *deaths)
{
	unsigned int i = (unsigned int)rand() % N, j = (unsigned int)rand() % N;
	sess_id id = 1 + (sess_id)rand() % IDS;

	enter(i);
	switch (rand() % 24) {
	case 0:
		nodes[i].group = (unsigned int)rand() % 3;
		break;
	case 1:
		for (j = 0; j < N; j++)
			nodes[j].group = 0;
		break;
	case 2:
		loss = (unsigned int)rand() % 100;
		break;
	case 3:
		if (i && *deaths < MEMBERS - N) {
			(*deaths)++;
			die(i);
		}
		break;
	case 4:
	case 5:
		if (i != j && nodes[i].group == nodes[j].group)
			synchronise(i, j);
		break;
	case 6:
		new_session(id);
		install(id, current[id]);
		break;
	case 7:
	case 8:
		drop(id);
		break;
	case 9:
	case 10:
		install(id, current[id]);
		break;
	case 11:
		tick((unsigned int)rand() % 60);
		break;
	case 12:
		tell_all_of(id, j);
		break;
	default:
		move(id);
	}
	deliver_some((unsigned int)rand() % 10);
}

static void
sums_come_to_be_right(void **state)
{
	unsigned int seed, n, deaths;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		begin(seed);
		deaths = 0;
		for (n = 0; n < 600; n++)
			one_thing(&deaths);
		settle();
		expect_truth();
	}
}

/* Both sides count; then each has the other's without a full synchronisation, within three walks.
 */
static void
partition_heals(void **state)
{
	unsigned int i;
	sess_id id;

	(void)state;
	begin(1);
	tick(200);
	nodes[2].group = nodes[3].group = 1;
	for (i = 0; i < N; i++) {
		enter(i);
		for (id = 1; id <= IDS; id++)
			move(id);
	}
	tick(200);
	nodes[2].group = nodes[3].group = 0;
	tick(MET_WALKS * STEPS);
	deliver_all();
	expect_truth();
}

/* What only one has heard of a member that is dead comes to all. */
static void
the_dead_are_not_forgotten(void **state)
{
	sess_id id;

	(void)state;
	begin(2);
	nodes[1].group = nodes[0].group = 1;
	enter(1);
	for (id = 1; id <= IDS; id++)
		move(id);
	tick(2 * STEPS);
	start(1);
	for (id = 1; id <= IDS; id++)
		install(id, current[id]);
	tick(SILENT_MS / STEP_MS + STEPS);
	nodes[1].group = nodes[0].group = 0;
	tick(MET_WALKS * STEPS);
	deliver_all();
	expect_truth();
}

/* A session that is taken under another id keeps what we have counted, and is told of by number. */
static void
another_id(void **state)
{
	uint32_t unique;
	sess_id id;

	(void)state;
	begin(3);
	for (id = 1; id <= IDS; id++) {
		enter(id % N);
		move(id);
	}
	tick(2 * STEPS);
	deliver_all();
	enter(1);
	unique = current[5];
	drop(5);
	drop(7);
	install(7, unique);
	assert_true(own(7).rx_packets == truth[unique].rx_packets);
	enter(0);
	move(5);
	tell_all_of(5, 1);
	deliver_all();
	enter(1);
	assert_true(total(7).rx_bytes == truth[unique].rx_bytes);
	assert_true(total(7).tx_packets == truth[unique].tx_packets);
}

/* The others know more of us than we do: we have lost what was put by. */
static void
our_own_of_others(void **state)
{
	uint32_t unique;

	(void)state;
	begin(8);
	enter(0);
	move(4);
	tick(2 * STEPS);
	deliver_all();
	enter(0);
	unique = current[4];
	drop(4);
	*parked_of(unique) = (struct row){ .unique = unique + 1 };
	install(4, unique);
	enter(1);
	tell_all_of(4, 0);
	deliver_all();
	enter(0);
	assert_true(own(4).rx_bytes == truth[unique].rx_bytes);
	tick(2 * STEPS);
	deliver_all();
	expect_truth();
}

/* More incarnations than have a place: their parts stay in the sums, and are not added again. */
static void
many_lives(void **state)
{
	unsigned int life;
	sess_id id;

	(void)state;
	begin(4);
	for (life = 0; life < 3 * MEMBERS; life++) {
		enter(1);
		for (id = 1; id <= IDS; id++)
			move(id);
		tick(2 * STEPS);
		deliver_all();
		die(1);
		deliver_all();
	}
	settle();
	expect_truth();
}

static struct clsum
stop_of(uint32_t unique, struct clsum so_far)
{
	clsum_add(&so_far, amended[unique]);
	return so_far;
}

static void
expect_stop(uint32_t unique, struct clsum so_far)
{
	struct clsum is = stop_of(unique, so_far);

	assert_memory_equal(&is, &truth[unique], sizeof(is));
}

/* All have counted what nobody has told; one has dropped the session when he is asked. */
static void
a_stop_has_all(void **state)
{
	struct clsum so_far;
	unsigned int i;

	(void)state;
	begin(5);
	tick(200);
	for (i = 0; i < N; i++) {
		enter(i);
		move(3);
	}
	drop(3);
	enter(0);
	so_far = total(3);
	assert_int_equal(clfinal_begin(3, current[3]), FINAL_MS);
	clfinal_flush();
	drop(3);
	deliver_all();
	assert_int_equal(released, 1);
	expect_stop(current[3], so_far);
	assert_true(used_up[0] == amended[current[3]].rx_bytes);
	assert_true(used_up[1] == amended[current[3]].tx_bytes);
}

/* A fifth of the messages is lost. Nobody is asked any more when all have answered, or after a
 * second. */
static void
a_stop_has_all_though_much_is_lost(void **state)
{
	struct clsum so_far[IDS + 1];
	unsigned int i, before;
	sess_id id;

	(void)state;
	begin(8);
	tick(200);
	deliver_all();
	for (id = 1; id <= IDS; id++)
		for (i = 0; i < N; i++) {
			enter(i);
			move(id);
		}
	enter(0);
	before = released;
	loss = 20;
	for (id = 1; id <= IDS; id++) {
		so_far[id] = total(id);
		assert_int_equal(clfinal_begin(id, current[id]), FINAL_MS);
	}
	clfinal_flush();
	for (id = 1; id <= IDS; id++)
		drop(id);
	for (i = 0; i < FINAL_MS / STEP_MS - 1; i++) {
		deliver_all();
		now_ms += STEP_MS;
		enter(0);
		on_walk(0);
	}
	loss = 0;
	assert_int_equal(released - before, IDS);
	for (id = 1; id <= IDS; id++)
		expect_stop(current[id], so_far[id]);
	enter(0);
	now_ms += FINAL_MS;
	on_walk(0);
	assert_int_equal(n_unanswered, 0);
}

/* As many as end at once; places that many have in common are looked for further on. */
static void
many_stops(void **state)
{
	struct clsum so_far[IDS + 1];
	unsigned int i;
	sess_id id;

	(void)state;
	begin(6);
	for (id = 1; id <= IDS; id++) {
		current[id] = 7; /* all have one place */
		for (i = 0; i < N; i++) {
			enter(i);
			drop(id);
			here->sessions[id].unique = 7 + (uint32_t)id * FINALS;
			gain(id, (struct clsum){ 10 * id, id, 100 * id, id });
		}
	}
	enter(0);
	for (id = 1; id <= IDS; id++) {
		so_far[id] = total(id);
		assert_int_equal(clfinal_begin(id, id), FINAL_MS);
	}
	clfinal_flush();
	deliver_all();
	assert_int_equal(released, IDS);
	for (id = 1; id <= IDS; id++)
		assert_true(stop_of(id, so_far[id]).rx_bytes == (uint64_t)N * 10 * id);
	enter(0);
	now_ms += FINAL_MS;
	on_walk(0);
	assert_int_equal(finals[7].unique, 0);
}

/* A figure that comes late, and one that cannot be of anybody. */
static void
old_figures(void **state)
{
	uint8_t buf[CLREC_ROOM];
	struct cl_count c = { .session = 2, .rx_bytes = 500, .rx_packets = 5, .tx_packets = 1 };
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	begin(7);
	enter(0);
	c.unique = current[2];
	assert_true(clmsg_put_count(&w, &c));
	c.rx_bytes = 400;
	c.rx_packets = 4;
	assert_true(clmsg_put_count(&w, &c));
	c.unique++;
	assert_true(clmsg_put_count(&w, &c));
	c.session = IDS + 1;
	assert_true(clmsg_put_count(&w, &c));
	sender.incarnation = nodes[1].incarnation;
	on_count(0, rd_init(buf, wr_len(&w)));
	on_count(0, rd_init(buf, wr_len(&w)));
	assert_true(total(2).rx_bytes == 500 && total(2).rx_packets == 5);
	assert_true(clsum_is_zero(own(2)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_come_to_be_right),
		cmocka_unit_test(partition_heals),
		cmocka_unit_test(the_dead_are_not_forgotten),
		cmocka_unit_test(another_id),
		cmocka_unit_test(our_own_of_others),
		cmocka_unit_test(many_lives),
		cmocka_unit_test(a_stop_has_all),
		cmocka_unit_test(a_stop_has_all_though_much_is_lost),
		cmocka_unit_test(many_stops),
		cmocka_unit_test(old_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
