/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings that all members should have alike: each heartbeat tells the digest of one of
 * them, in turn, and who has another value says so in his log. Of the group of cluster.c.
 */
#ifndef CLSAME_H
#define CLSAME_H

#include "clmsg.h"

/* Start-up only, behind the settings. */
void clsame_init(void);

/* Into a heartbeat of ours: the next setting. */
void clsame_tell(struct cl_heartbeat *hb);

/* A heartbeat of the member at that address, at a time of the loop's clock. */
void clsame_heard(uint32_t from, const struct cl_heartbeat *hb, uint64_t now_ms);

/* What is known to differ there, "bind_address, plugin"; "" when nothing is. */
void clsame_differs(uint32_t address, char *text, size_t size);

#endif
