/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of `pid_file`: made at start, written when the daemon serves, removed at its end. */
#ifndef PIDFILE_H
#define PIDFILE_H

/* Opens it, or says in the log why not; goes on without. An old one keeps its text until then. */
void pidfile_open(void);

/* We serve: our process id into it. */
void pidfile_write(void);

/* Removes it if it is still the one we made. Where we may not, it is left empty. */
void pidfile_remove(void);

#endif
