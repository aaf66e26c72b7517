/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending all sessions of a user. One name may have tens of thousands, so only a batch is
 * ended in a turn, the first at once: whoever logs in again finds his address free.
 *
 * Which sessions are meant is told by the number of their login, so that those that come
 * in the meantime stay. A walk goes on at the session where it stopped, or from the front
 * when that one has gone: those that were told to end are passed over, and only so many
 * are looked at in a turn.
 *
 * Called by the PPP engine for a second login, and by the CLI.
 */
#include "evict.h"
#include "hook.h"
#include "timer.h"
#include "util.h"

#include <string.h>

enum { PLACES = 64, LOOKS = 4096 };

/* A walk that is not at its end. */
struct eviction {
	char user[USER_LEN]; /* "": place is free */
	uint32_t login;	     /* the last one that is meant */
	sess_id next;	     /* where to go on; 0: at the user's first session */
	sess_id spared;	     /* not meant */
	struct sess_end end;
};

/* What is left of a turn. */
struct budget {
	unsigned int ends, looks;
};

static struct eviction places[PLACES];
static struct timer timer;

/* The session to go on with; 0: there is none of that name. */
static sess_id
resume(const struct eviction *e)
{
	const struct session *s = session_get(e->next);

	if (s && s->authed && strcmp(s->user, e->user) == 0)
		return e->next;
	return session_by_user(e->user);
}

static bool
is_meant(const struct session *s, const struct eviction *e)
{
	return !s->down && session_id(s) != e->spared && (int32_t)(s->login - e->login) <= 0;
}

/* Walks as far as the budget goes. True at the end. */
static bool
walk(struct eviction *e, struct budget *b)
{
	sess_id s = resume(e), next;

	for (; s && b->ends > 0 && b->looks > 0; s = next) {
		next = session_next_of_user(s);
		b->looks--;
		if (!is_meant(session_get(s), e))
			continue;
		b->ends--;
		hook_close(s, &e->end);
	}
	e->next = s;
	return s == 0;
}

static void
on_timer(uint32_t first)
{
	struct budget b = { .ends = EVICT_BATCH, .looks = LOOKS };
	bool more = false;
	uint32_t i;

	for (i = 0; i < PLACES; i++) {
		struct eviction *e = &places[(first + i) % PLACES];

		if (e->user[0] && walk(e, &b))
			e->user[0] = '\0';
		more = more || e->user[0];
	}
	timer.id = (first + 1) % PLACES; /* each comes first in its turn */
	if (more)
		timer_set(&timer, MS(TIMER_TICK_MS));
}

void
evict_init(void)
{
	timer_init(&timer, on_timer, 0);
}

/* The user's place, or a free one; NULL: all are taken. */
static struct eviction *
place_for(const char *user)
{
	struct eviction *free_place = NULL;
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		if (strcmp(places[i].user, user) == 0)
			return &places[i];
		if (places[i].user[0] == '\0')
			free_place = &places[i];
	}
	return free_place;
}

void
evict_user(const char *user, sess_id spared, const struct sess_end *end)
{
	struct budget b = { .ends = EVICT_BATCH, .looks = LOOKS };
	struct eviction e = {
		.login = session_last_login(),
		.spared = spared,
		.end = *end,
	};
	struct eviction *place;

	str_copy(e.user, sizeof(e.user), user);
	if (walk(&e, &b))
		return;
	place = place_for(user);
	if (place) {
		*place = e;
		if (!timer_running(&timer))
			timer_set(&timer, MS(TIMER_TICK_MS));
		return;
	}
	b = (struct budget){ .ends = UINT32_MAX, .looks = UINT32_MAX };
	walk(&e, &b); /* too many at a time: better slow than not at all */
}
