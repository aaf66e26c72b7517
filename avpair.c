/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cisco-AVPair (vendor 9, type 1) taken apart. Cisco means one `key=value` an attribute;
 * l2tpns has always taken several, `throttle=yes,intercept=no`. Both can be had: a comma
 * parts two pairs only when a key and '=' stand behind it, so that `throttle=in 300,out
 * 200` is one pair; the value begins behind the first '=' and may have more of them.
 * `lcp:interface-config#N=` has a line of a router's configuration for its value, which
 * is never taken apart. Blanks round keys and values are left out, and commas behind a value.
 *
 * Pure. Called by hook.c.
 */
#include "avpair.h"
#include "util.h"

#include <string.h>

static const char whole[] = "lcp:interface-config";
static const char key_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789-_.:#/";

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* A key and '=' stand here. */
static bool
is_pair(const char *p)
{
	size_t n;

	p = skip_blanks(p);
	n = strspn(p, key_chars);
	return n > 0 && *skip_blanks(p + n) == '=';
}

/* The comma behind the pair that begins at `p`, or the end of the text. */
static const char *
end_of_pair(const char *p)
{
	while (*p && !(*p == ',' && is_pair(p + 1)))
		p++;
	return p;
}

/* Copies what lies between, without blanks at either end, nor these behind it. */
static void
copy_bare(char to[AVPAIR_TEXT], const char *from, const char *end, const char *behind)
{
	from += strspn(from, " \t");
	while (end > from && strchr(behind, end[-1]))
		end--;
	str_copy_n(to, AVPAIR_TEXT, from, end > from ? (size_t)(end - from) : 0);
}

bool
avpair_next(const char **text, struct avpair *pair)
{
	const char *from = *text + strspn(*text, " \t,"), *end, *equals;
	bool is_whole = strncmp(from, whole, sizeof(whole) - 1) == 0;

	if (*from == '\0')
		return false;
	end = is_whole ? from + strlen(from) : end_of_pair(from);
	equals = memchr(from, '=', (size_t)(end - from));
	copy_bare(pair->key, from, equals ? equals : end, " \t,");
	pair->value[0] = '\0';
	if (equals)
		copy_bare(pair->value, equals + 1, end, is_whole ? " \t" : " \t,");
	*text = end;
	return true;
}
