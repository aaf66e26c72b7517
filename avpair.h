/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a Cisco-AVPair: `key=value`, or several with commas between. */
#ifndef AVPAIR_H
#define AVPAIR_H

#include "l2tpns.h"

enum { AVPAIR_TEXT = 256 }; /* room for any RADIUS attribute and a NUL */

struct avpair {
	char key[AVPAIR_TEXT], value[AVPAIR_TEXT];
};

/*
 * Takes the next pair from *text (shorter than AVPAIR_TEXT) and moves it behind; false
 * at the end. A key without '=' has the value "".
 */
bool avpair_next(const char **text, struct avpair *pair);

#endif
