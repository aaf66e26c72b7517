/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role of this member of the cluster. A fact and no more: how it comes about is
 * cluster.c's, what follows from it is everybody's own. It lies low so that the data path,
 * the plugins' functions and the surfaces ask the same place, and in shared memory so that
 * a CLI child knows it.
 */
#include "role.h"
#include "shm.h"
#include "util.h"

#include <stdio.h>

struct role {
	bool is_master;
	uint32_t master_address;
	bool is_split;
};

static struct role begin = { .is_master = true }; /* who is alone decides */
static struct role *role = &begin;

void
role_init(void)
{
	role = shm_map("role in the cluster", sizeof(*role));
	*role = begin;
}

bool
role_is_master(void)
{
	return role->is_master;
}

uint32_t
role_master_address(void)
{
	return role->is_master ? 0 : role->master_address;
}

void
role_set(bool master, uint32_t master_address)
{
	role->is_master = master;
	role->master_address = master_address;
}

bool
role_is_split(void)
{
	return role->is_split;
}

void
role_set_split(bool split)
{
	role->is_split = split;
}

void
role_refusal(char *text, size_t size)
{
	uint32_t address = role_master_address();

	if (address)
		snprintf(text, size, "not master, the master is %s", ip4_text(address));
	else
		snprintf(text, size, "not master, and no master is known");
}
