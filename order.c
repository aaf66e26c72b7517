/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of operators for all sessions of a user (`throttle`, `snoop`, `filter`). A name
 * may have tens of thousands (guest_account, allow_duplicate_users), so a batch is seen to
 * in a turn, the first at once: for nearly all users that is all, and the answer needs
 * nothing else. The rest goes on by a timer, and the answer comes at the end.
 *
 * A walk goes on at the session where it stopped. When that one has gone in the meantime,
 * it begins at the front again, which is why an act must do no harm twice. Sessions that
 * log in after the order was given stay as they are. Who is no master any more gives up
 * what is left, and says so.
 *
 * Owns a handful of places for orders that are under way. Called by the CLI's parent side.
 */
#include "order.h"
#include "role.h"
#include "timer.h"
#include "util.h"

enum { PLACES = 32, LOOKS = 4096 };

static struct order places[PLACES]; /* user "": free */
static struct timer timer;
static void (*tell_fn)(uint32_t asker, bool ok, const char *text);

static sess_id
resume(const struct order *o)
{
	const struct session *s = session_get(o->next);

	return s && s->authed && s->login == o->next_login ? o->next : session_by_user(o->user);
}

/* One batch; true at the end. */
static bool
walk(struct order *o)
{
	unsigned int acts = ORDER_BATCH, looks = LOOKS;
	sess_id s = resume(o), next;

	for (; s && acts > 0 && looks > 0; s = next) {
		next = session_next_of_user(s);
		looks--;
		if ((int32_t)(session_get(s)->login - o->last_login) > 0)
			continue;
		acts--;
		o->act(o, s);
	}
	o->next = s;
	o->next_login = s ? session_get(s)->login : 0;
	return s == 0;
}

static void
finish(struct order *o)
{
	char text[ORDER_ANSWER];
	bool ok = role_is_master() && o->answer(o, text, sizeof(text));

	if (!role_is_master())
		role_refusal(text, sizeof(text));
	o->user[0] = '\0';
	tell_fn(o->asker, ok, text);
}

/* Each place has its turn of the loop, so that many orders cost no more than one. */
static void
on_timer(uint32_t first)
{
	uint32_t i, at;

	for (i = 0; i < PLACES; i++) {
		at = (first + i) % PLACES;
		if (places[at].user[0] == '\0')
			continue;
		if (!role_is_master() || walk(&places[at]))
			finish(&places[at]);
		timer.id = (at + 1) % PLACES;
		timer_set(&timer, MS(TIMER_TICK_MS));
		return;
	}
}

void
order_init(void (*tell)(uint32_t asker, bool ok, const char *text))
{
	tell_fn = tell;
	timer_init(&timer, on_timer, 0);
}

static struct order *
free_place(void)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++)
		if (places[i].user[0] == '\0')
			return &places[i];
	return NULL;
}

enum order_result
order_give(struct order *o)
{
	struct order *place = free_place();

	if (!place)
		return ORDER_TOO_MANY;
	o->last_login = session_last_login();
	o->next = 0;
	if (walk(o))
		return ORDER_DONE;
	*place = *o;
	if (!timer_running(&timer))
		timer_set(&timer, MS(TIMER_TICK_MS));
	return ORDER_LATER;
}
