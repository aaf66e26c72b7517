/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where log lines go: stdout, a file, a FIFO or the syslog socket. Never blocks: a line
 * that is not taken at once is lost, and the caller told so. For log.c and l2tpns.c.
 */
#ifndef LOG_TARGET_H
#define LOG_TARGET_H

#include "l2tpns.h"

/* False with the reason in `why` when no such target can be; does not look at the machine. */
bool log_target_valid(const char *target, char *why, size_t why_size);

/*
 * "" is stdout, "syslog:FACILITY" the local syslog socket, else the path of a file to append
 * to. Returns -1 and keeps the old target when the new one cannot be opened; `why` then says so.
 */
int log_target_open(const char *target, char *why, size_t why_size);

/* Opens the file again, after logrotate has moved it. -1 as above. */
int log_target_reopen(char *why, size_t why_size);

/* True while lines go to stdout. */
bool log_target_is_stdout(void);

/* Writes one line, without its end, of a severity of RFC 3164. False when it is lost. */
bool log_target_write(int severity, char *line, size_t len);

#endif
