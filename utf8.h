/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from peers, fit for a log or a terminal: valid UTF-8 stays, the rest is escaped. */
#ifndef UTF8_H
#define UTF8_H

#include "l2tpns.h"

/* Octets of the UTF-8 character at p (RFC 3629 4); 0 when it is none, or the end of the text. */
size_t utf8_len(const char *p);

/* True when all of the text is UTF-8. */
bool utf8_valid(const char *text);

/* True for a control character: C0, DEL or, in UTF-8, C1 (U+0080..9F). */
bool utf8_control(const char *p);

/*
 * Copies with control characters, and octets that are not UTF-8, as \xNN, and with a
 * backslash before each of the characters of `quoted`. What does not fit is left off.
 * Always ends with NUL; returns the length.
 */
size_t utf8_escape(char *to, size_t size, const char *from, const char *quoted);

#endif
