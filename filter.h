/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access lists in force (SPEC 7). A list has a number from 1 to FILTER_LISTS that does
 * not change while it is configured or a session uses it; sessions hold numbers.
 */
#ifndef FILTER_H
#define FILTER_H

#include "hook.h"
#include "ip4.h"

enum { FILTER_LISTS = 255 };

/* Start-up, behind config_read(); follows the configuration from there on. */
void filter_init(void);

/* Whether a list lets a packet pass; counts a hit of the rule that says so. */
bool filter_permits(uint8_t list, const struct ip4 *ip);

/* For policy.c: a session begins, or ceases, to use these lists; 0: none. */
void filter_attach(uint8_t in, uint8_t out);
void filter_detach(uint8_t in, uint8_t out);

/*
 * The list of that name for a session that has it already, with another member of a cluster: also
 * one that has left the configuration. One that was never configured here is made: it denies all
 * until the configuration has it. 0: no name, or too many lists. To be attached at once.
 */
uint8_t filter_of_name(const char *name);

/* Session events: gives back what a session used. */
void filter_session(sess_id s, enum sess_event ev);

/* The rest is for CLI children too. The configured list of that name; 0: none. */
uint8_t filter_find(const char *name);

struct filter_row {
	char name[CONF_ACL_NAME];
	bool extended;
	bool configured;   /* false: it has left the configuration, but sessions use it */
	uint32_t sessions; /* that use it */
	unsigned int n;	   /* rules */
	uint64_t rest;	   /* packets that no rule was about: denied */
};

/* False: there is no such list. */
bool filter_row(uint8_t list, struct filter_row *row);

/* A rule of it and how many packets it decided on. */
bool filter_rule(uint8_t list, unsigned int i, struct conf_rule *rule, uint64_t *hits);

#endif
