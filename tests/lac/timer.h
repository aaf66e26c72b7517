/* Clock and timers: a hashed wheel of milliseconds; setting and stopping cost the same whatever
 * the number of timers. */
#ifndef LAC_TIMER_H
#define LAC_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	struct timer *next;
	struct timer **link; /* what points to us; NULL: not set */
	uint64_t due_ms;
	void (*fire)(struct timer *);
};

#define TIMER_OWNER(tm, type, member) ((type *)(void *)((char *)(tm)-offsetof(type, member)))

extern uint64_t now_us; /* monotonic, as of the last clock_update() */

/* Reads the clock into now_us. */
void clock_update(void);
/* Calls fire(tm) once, in so many milliseconds; replaces an earlier setting. */
void timer_set(struct timer *tm, uint32_t ms, void (*fire)(struct timer *));
/* Does nothing when it is not set. */
void timer_stop(struct timer *tm);
/* Fires what is due. */
void timer_run(void);
/* Milliseconds until a timer may be due, at most max. */
int timer_wait(int max);

#endif
