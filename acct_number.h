/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers by which all members of a cluster know an accounting record, and who is told of it.
 * Of the group of acct_queue.c.
 */
#ifndef ACCT_NUMBER_H
#define ACCT_NUMBER_H

#include "acct_spill.h"

/*
 * Each record has a number of who made it (its incarnation is the origin). The subscriber hears of
 * each that is added here or was amended, and of each that has arrived or was given up.
 */
struct acct_watch {
	void (*added)(const struct acct_rec *rec);
	void (*gone)(uint64_t origin, uint32_t number);
	bool (*holds)(void); /* what it hears it tells at the end of the turn. NULL: never */
};

/* NULL: nobody. */
void acct_number_subscribe(const struct acct_watch *watch);

/* Our incarnation: the origin of records made from now on. */
void acct_number_set_origin(uint64_t origin);

/* A slave tells nobody; and whether we are one. */
void acct_number_set_passive(bool passive);
bool acct_number_is_passive(void);

/* A record that is made here gets its number. */
void acct_number_give(struct acct_rec *rec);

/* A master tells the others: a record waits, in this form; it does not any more. */
void acct_number_added(const struct acct_rec *rec);
void acct_number_gone(uint64_t origin, uint32_t number);

/* On a master: one that was offered is not to be sent, by nobody. */
void acct_number_refuse(uint64_t origin, uint32_t number);

/* Whether the others hear of a record at the end of the turn only. */
bool acct_number_holds(void);

/* A record's key in a hash; what is found by it must be looked at. */
static inline uint64_t
acct_number_key(uint64_t origin, uint32_t number)
{
	return origin + number; /* origins are far apart */
}

#endif
