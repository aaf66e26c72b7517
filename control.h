/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server of nsctl: commands over UDP, built in or the plugins'. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>

/* Opens the socket on nsctl_bind_address. -1 with a reason in `why`. Start-up only. */
int control_start(char *why, size_t why_size);
void control_stop(void);

#endif
