/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ids: sessions of a tunnel, half-open tunnels, addresses by last use. */
#include "ll.h"

void
ll_append(struct id_list *list, uint32_t id, ll_link_fn link)
{
	struct id_link *l = link(id);

	l->next = 0;
	l->prev = list->tail;
	if (list->tail)
		link(list->tail)->next = id;
	else
		list->head = id;
	list->tail = id;
	list->count++;
}

void
ll_insert(struct id_list *list, uint32_t id, uint32_t after, ll_link_fn link)
{
	struct id_link *l = link(id);

	l->prev = after;
	l->next = after ? link(after)->next : list->head;
	if (after)
		link(after)->next = id;
	else
		list->head = id;
	if (l->next)
		link(l->next)->prev = id;
	else
		list->tail = id;
	list->count++;
}

void
ll_remove(struct id_list *list, uint32_t id, ll_link_fn link)
{
	struct id_link *l = link(id);

	if (l->prev)
		link(l->prev)->next = l->next;
	else
		list->head = l->next;
	if (l->next)
		link(l->next)->prev = l->prev;
	else
		list->tail = l->prev;
	*l = (struct id_link){ 0 };
	list->count--;
}
