/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sessions a Disconnect- or CoA-Request is about. */
#ifndef DAE_FIND_H
#define DAE_FIND_H

#include "dae_msg.h"
#include "session.h"

enum { DAE_MOST = 64, DAE_LOOKS = 4096 };

struct dae_found {
	unsigned int n;
	sess_id ids[DAE_MOST];
	bool more;	    /* it was not looked further: there may be others */
	unsigned int looks; /* sessions looked at, DAE_LOOKS at most and one */
};

/*
 * The sessions that have logged in, are not at their end, and match all that the request
 * says. It must have one of DAE_IDENTIFIES.
 */
void dae_find(const struct dae_request *r, struct dae_found *f);

#endif
