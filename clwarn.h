/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operator has to put right before members hear each other: told in the log once for each
 * of them, however often it is seen. Of the group of cluster.c.
 */
#ifndef CLWARN_H
#define CLWARN_H

#include "clsock.h"
#include "l2tpns.h"

enum clwarn {
	CLWARN_OTHER_SECRET,
	CLWARN_SIGNED,	 /* and we have no cluster_secret */
	CLWARN_UNSIGNED, /* and we have one */
	CLWARN_FORMAT,	 /* of another version of the protocol */
	CLWARN_FAR,	 /* not of the link's network, and there is no cluster_secret */
	CLWARN_TWINS,	 /* another process speaks from a member's address */
	CLWARN_KINDS
};

/*
 * Somebody at that address cannot be heard. Told again when all was right in between, but not
 * within a minute, and each hour as long as it lasts.
 */
void clwarn(uint32_t from, enum clwarn what, uint64_t now_ms);

/* Somebody at that address is heard. */
void clwarn_heard(uint32_t from);

/*
 * The link was opened, or could not be: `why`. Told when it is another reason than before and the
 * configuration has settings of a cluster, so that we should not be alone.
 */
void clwarn_link(enum clsock_result result, const char *why);

/* Why we are alone and should not be; "" when all is right. */
const char *clwarn_trouble(void);

#endif
