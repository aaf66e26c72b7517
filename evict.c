/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending all sessions of a user, or from a calling number. One may have tens of thousands,
 * so only a batch is ended in a turn, the first at once: whoever logs in again finds his
 * address free.
 *
 * Which sessions are meant is told by the number of their login, so that those that come
 * in the meantime stay. A walk goes on at the session where it stopped, or from the front
 * when that one has gone: those that were told to end are passed over, and only so many
 * are looked at in a turn.
 *
 * Called by the PPP engine for a second login, by the CLI, and by dae.c.
 */
#include "evict.h"
#include "hook.h"
#include "role.h"
#include "timer.h"
#include "util.h"

#include <string.h>

enum { PLACES = 64, LOOKS = 4096 };

/* A walk that is not at its end. */
struct eviction {
	bool used;
	struct evict_who who;
	uint32_t login; /* the last one that is meant */
	sess_id next;	/* where to go on; 0: at the first session of the list */
	sess_id spared; /* not meant */
	struct sess_end end;
};

/* What is left of a turn. */
struct budget {
	unsigned int ends, looks;
};

static struct eviction places[PLACES];
static struct timer timer;

/* "" says nothing. */
static bool
is_so(const char *has, const char *asked)
{
	return asked[0] == '\0' || strcmp(has, asked) == 0;
}

static bool
is_his(const struct session *s, const struct evict_who *who)
{
	return s->authed && is_so(s->user, who->user) && is_so(s->calling, who->calling) &&
	       is_so(s->called, who->called);
}

static sess_id
first_of(const struct evict_who *who)
{
	return who->user[0] ? session_by_user(who->user) : session_by_calling(who->calling);
}

static sess_id
next_of(const struct evict_who *who, sess_id s)
{
	return who->user[0] ? session_next_of_user(s) : session_next_of_calling(s);
}

/* Whether the session is in the list that is walked, be it meant or not. */
static bool
is_listed(const struct session *s, const struct evict_who *who)
{
	if (who->user[0])
		return s->authed && strcmp(s->user, who->user) == 0;
	return strcmp(s->calling, who->calling) == 0;
}

/* The session to go on with; 0: there is none. */
static sess_id
resume(const struct eviction *e)
{
	const struct session *s = session_get(e->next);

	return s && is_listed(s, &e->who) ? e->next : first_of(&e->who);
}

static bool
is_meant(const struct session *s, const struct eviction *e)
{
	return !s->down && session_id(s) != e->spared && (int32_t)(s->login - e->login) <= 0 &&
	       is_his(s, &e->who);
}

/* Walks as far as the budget goes. True at the end. */
static bool
walk(struct eviction *e, struct budget *b)
{
	sess_id s = resume(e), next;

	for (; s && b->ends > 0 && b->looks > 0; s = next) {
		next = next_of(&e->who, s);
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

	if (!role_is_master()) { /* the rest is for another to end */
		memset(places, 0, sizeof(places));
		return;
	}
	for (i = 0; i < PLACES; i++) {
		struct eviction *e = &places[(first + i) % PLACES];

		if (e->used && walk(e, &b))
			e->used = false;
		more = more || e->used;
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

static bool
same(const struct evict_who *a, const struct evict_who *b)
{
	return strcmp(a->user, b->user) == 0 && strcmp(a->calling, b->calling) == 0 &&
	       strcmp(a->called, b->called) == 0;
}

/* The place of who is being evicted already, or a free one; NULL: all are taken. */
static struct eviction *
place_for(const struct evict_who *who)
{
	struct eviction *free_place = NULL;
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		if (places[i].used && same(&places[i].who, who))
			return &places[i];
		if (!places[i].used)
			free_place = &places[i];
	}
	return free_place;
}

static void
go_on_later(struct eviction *place, const struct eviction *e)
{
	*place = *e;
	place->used = true;
	if (!timer_running(&timer))
		timer_set(&timer, MS(TIMER_TICK_MS));
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

	str_copy(e.who.user, sizeof(e.who.user), user);
	if (walk(&e, &b))
		return;
	place = place_for(&e.who);
	if (place) {
		go_on_later(place, &e);
		return;
	}
	b = (struct budget){ .ends = UINT32_MAX, .looks = UINT32_MAX };
	walk(&e, &b); /* too many at a time: better slow than not at all */
}

bool
evict_matching(const struct evict_who *who, const struct sess_end *end)
{
	struct budget b = { .ends = EVICT_BATCH, .looks = LOOKS };
	struct eviction e = { .who = *who, .login = session_last_login(), .end = *end };
	struct eviction *place = place_for(who);

	if (!place)
		return false;
	if (!walk(&e, &b))
		go_on_later(place, &e);
	return true;
}
