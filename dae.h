/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dynamic authorization (RFC 5176): RADIUS servers end sessions and change them while they
 * live, by Disconnect- and CoA-Requests.
 */
#ifndef DAE_H
#define DAE_H

#include "clfwd.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Opens a socket on radius_dae_port of each address (network order). -1 with a reason in
 * `why`. Start-up only.
 */
int dae_start(const uint32_t *addrs, unsigned int n, char *why, size_t why_size);
void dae_stop(void);

/* On a master of a cluster: a request that came to a slave. It is answered from here. */
void dae_forwarded(const struct clfwd_from *from, const void *data, size_t len);

#endif
