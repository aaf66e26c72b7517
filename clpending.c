/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a slave hands to the master and must not get lost on the way: control messages of L2TP
 * and PPP, requests of RADIUS servers. Their own senders repeat them after a second or three;
 * a call takes some ten of them, so that on a link that loses some of its packets it would
 * take half a minute instead of 10 ms.
 *
 * Each has a number, one higher than the one before. The master answers, once a turn, with the
 * highest number it has heard from that member and a bit for each of the 1,024 up to it; so
 * the next answer also says what a lost one did. What is not among them is repeated after 20,
 * 40, 60 ms more and so on, for a second. The master knows a repetition by its number and gives it
 * to nobody.
 *
 * PPP needs its frames in order: a login that comes before the Configure-Ack is lost. So of one
 * session's a frame is not sent before the one in front of it has come; many sessions go side by
 * side. L2TP puts its messages in order itself.
 *
 * A new master gets what the one before has not acknowledged, and may see some of it a second
 * time: L2TP and PPP can tell, and a request of a RADIUS server can be answered twice.
 *
 * IP packets are not repeated: who sends them sees to that.
 *
 * Nothing is allocated, and each side is bounded: CL_FORWARD_WINDOW packets, of which a newer one
 * takes the place of the oldest (counted), and a window for each of as many members as there may
 * be. Of one session so many wait and no more: who floods us with frames must not push out what
 * others have said. Owns both. Called by clfwd.c.
 */
#include "clpending.h"
#include "counter.h"
#include "loop.h"
#include "role.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

enum {
	SIZE = 2048,	/* octets of fields */
	REPEAT_MS = 20, /* longer by so much each time */
	ORDERS = 4096,	/* of any number; those that meet in one place wait for each other */
	WAITING = 32,	/* of one order: a login takes three or four */
	MEMBERS = 32,
	FAR = 1 << 20, /* numbers: who is so far behind what was said did not say it */
};

_Static_assert(CLPENDING_PAYLOAD + 128 <= SIZE, "the fields of a packet fit");

/* --- on a slave: what is not acknowledged --- */

struct pending {
	uint64_t number; /* 0: free */
	uint64_t next;	 /* number of the one that waits for this; 0: none */
	uint64_t made_ms, due_ms;
	uint32_t wait_ms; /* 0: not sent yet */
	uint32_t order;
	uint16_t len;
};

static bool (*say)(uint32_t to, uint8_t kind, const void *fields, size_t len);
static struct pending pending[CL_FORWARD_WINDOW]; /* by number */
static uint8_t *room;				  /* their fields */
static uint64_t tails[ORDERS];			  /* last number of each order */
static uint8_t waiting[ORDERS];			  /* so many of it are pending */
static uint64_t last;				  /* number given */
static uint64_t oldest = 1;			  /* none before this is pending */
static struct timer timer;

static struct pending *
at(uint64_t number)
{
	return &pending[number % CL_FORWARD_WINDOW];
}

static bool
is_pending(uint64_t number)
{
	return number && at(number)->number == number;
}

static uint8_t *
fields_of(const struct pending *p)
{
	return room + (size_t)(p - pending) * SIZE;
}

static void
transmit(struct pending *p)
{
	uint32_t master = role_master_address();

	if (p->wait_ms)
		COUNT(forward_repeated);
	p->wait_ms += REPEAT_MS;
	p->due_ms = loop_now_ms() + p->wait_ms;
	if (master)
		say(master, CL_FORWARD, fields_of(p), p->len);
}

/* It has come, or is given up: the next one may go. */
static void
release(struct pending *p)
{
	uint64_t next = p->next;

	p->number = 0;
	if (p->order)
		waiting[p->order % ORDERS]--;
	if (is_pending(next))
		transmit(at(next));
}

static void
give_up(struct pending *p)
{
	COUNT(forward_unacknowledged);
	release(p);
}

/* Afterwards something is pending at `oldest`, or nothing at all. */
static void
skip_free(void)
{
	while (oldest <= last && !is_pending(oldest))
		oldest++;
}

static void
look_after(struct pending *p, uint64_t now_ms)
{
	if (role_is_master() || now_ms - p->made_ms >= CLPENDING_LIFE_MS)
		give_up(p);
	else if (p->wait_ms && p->due_ms <= now_ms)
		transmit(p);
}

static void
on_timer(uint32_t unused)
{
	uint64_t now_ms = loop_now_ms(), n;

	(void)unused;
	for (n = oldest; n <= last; n++)
		if (is_pending(n))
			look_after(at(n), now_ms);
	skip_free();
	if (oldest <= last)
		timer_set(&timer, MS(TIMER_TICK_MS));
}

uint64_t
clpending_number(void)
{
	return last + 1;
}

/* The new one waits for the last of its order: true. */
static bool
queue(uint32_t order, uint64_t number)
{
	uint64_t *tail = &tails[order % ORDERS];
	bool waits = is_pending(*tail);

	if (!order)
		return false;
	waiting[order % ORDERS]++;
	if (waits)
		at(*tail)->next = number;
	*tail = number;
	return waits;
}

bool
clpending_send(uint64_t number, uint32_t order, const void *fields, size_t len)
{
	struct pending *p = at(number);

	if (order && waiting[order % ORDERS] == WAITING)
		return false;
	if (p->number)
		give_up(p);
	if (number - oldest >= CL_FORWARD_WINDOW)
		oldest = number - CL_FORWARD_WINDOW + 1;
	last = number;
	*p = (struct pending){
		.number = number, .made_ms = loop_now_ms(), .order = order, .len = (uint16_t)len
	};
	memcpy(fields_of(p), fields, len);
	if (!queue(order, number))
		transmit(p);
	if (!timer_running(&timer))
		timer_set(&timer, MS(REPEAT_MS));
	return true;
}

/* --- which of the numbers up to the highest have come --- */

static bool
has_bit(const uint8_t *heard, uint64_t number)
{
	return heard[number / 8 % (CL_FORWARD_WINDOW / 8)] >> number % 8 & 1;
}

static bool
has_come(const struct cl_forward_ack *m, uint64_t number)
{
	if (number > m->number)
		return false;
	return m->number - number >= CL_FORWARD_WINDOW || has_bit(m->heard, number);
}

static void
set_come(struct cl_forward_ack *m, uint64_t number)
{
	uint64_t n;

	if (number > m->number && number - m->number >= CL_FORWARD_WINDOW)
		memset(m->heard, 0, sizeof(m->heard));
	for (n = m->number + 1; n < number && number - m->number < CL_FORWARD_WINDOW; n++)
		m->heard[n / 8 % (CL_FORWARD_WINDOW / 8)] &= (uint8_t) ~(1 << n % 8);
	m->heard[number / 8 % (CL_FORWARD_WINDOW / 8)] |= (uint8_t)(1 << number % 8);
	m->number = MAX(m->number, number);
}

void
clpending_acked(const struct cl_forward_ack *m)
{
	uint64_t n;

	for (n = oldest; n <= last; n++)
		if (is_pending(n) && has_come(m, n))
			release(at(n));
	skip_free();
}

/* --- on the master: what has come of each member --- */

struct member {
	uint64_t incarnation; /* 0: free */
	uint64_t heard_ms;
	uint32_t address;
	bool due; /* an acknowledgement */
	struct cl_forward_ack come;
};

static struct member members[MEMBERS];
static bool due;

/* Its place, or that of who was heard longest ago. */
static struct member *
place(uint64_t incarnation)
{
	struct member *m, *old = members;

	for (m = members; m < members + MEMBERS; m++) {
		if (m->incarnation == incarnation)
			return m;
		if (m->heard_ms < old->heard_ms)
			old = m;
	}
	*old = (struct member){ .incarnation = incarnation };
	return old;
}

bool
clpending_is_new(uint64_t incarnation, uint32_t address, uint64_t number)
{
	struct member *m = place(incarnation);
	bool is_new;

	if (m->come.number > number && m->come.number - number > FAR)
		m->come = (struct cl_forward_ack){ 0 };
	is_new = !has_come(&m->come, number);
	m->heard_ms = loop_now_ms();
	m->address = address;
	m->due = due = true;
	if (is_new)
		set_come(&m->come, number);
	else
		COUNT(forward_duplicate);
	return is_new;
}

static void
acknowledge(struct member *m)
{
	uint8_t fields[CL_FORWARD_WINDOW / 8 + 64];
	struct wr w = wr_init(fields, sizeof(fields));

	m->due = false;
	clmsg_put_forward_ack(&w, &m->come);
	say(m->address, CL_FORWARD_ACK, fields, wr_len(&w));
}

void
clpending_turn_end(void)
{
	struct member *m;

	if (!due)
		return;
	due = false;
	for (m = members; m < members + MEMBERS; m++)
		if (m->due)
			acknowledge(m);
}

void
clpending_init(bool (*how)(uint32_t to, uint8_t kind, const void *fields, size_t len))
{
	say = how;
	room = shm_map_parent("not acknowledged by the master", (size_t)CL_FORWARD_WINDOW * SIZE);
	timer_init(&timer, on_timer, 0);
}
