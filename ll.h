/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doubly linked lists of ids through the members `next` and `prev` that the table's
 * records hold: no pointers, so a list may lie in shared memory. A list is a struct
 * id_list; its links are reached by a function of the owner.
 */
#ifndef LL_H
#define LL_H

#include "l2tpns.h"

struct id_link {
	uint32_t next, prev; /* 0: end */
};

struct id_list {
	uint32_t head, tail; /* 0: empty */
	uint32_t count;
};

typedef struct id_link *(*ll_link_fn)(uint32_t id);

void ll_append(struct id_list *list, uint32_t id, ll_link_fn link);

/* Puts it behind `after`, which is in the list; 0: in front of all. */
void ll_insert(struct id_list *list, uint32_t id, uint32_t after, ll_link_fn link);

void ll_remove(struct id_list *list, uint32_t id, ll_link_fn link);

#endif
