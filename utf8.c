/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 (RFC 3629) in names that peers chose. A name in another coding, or with the
 * escape sequences of terminals in it, becomes harmless and stays recognisable. C1
 * controls are such sequences too: some terminals take them as octets 0x80..9f, others
 * as characters U+0080..9F.
 *
 * Called by the log, the CLI's output and the configuration. Keeps no state.
 */
#include "utf8.h"

#include <string.h>

enum { DEL = 0x7f, C1_LEAD = 0xc2, C1_END = 0xa0, ESCAPED = 4 };

size_t
utf8_len(const char *text)
{
	static const struct {
		unsigned char first, last; /* of the lead octet */
		unsigned char low, high;   /* of the one behind it */
		size_t len;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0xff, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)text;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(forms); i++)
		if (*p >= forms[i].first && *p <= forms[i].last)
			break;
	if (i == ARRAY_LEN(forms) ||
	    (forms[i].len > 1 && (p[1] < forms[i].low || p[1] > forms[i].high)))
		return 0;
	for (n = 2; n < forms[i].len; n++)
		if ((p[n] & 0xc0) != 0x80)
			return 0;
	return forms[i].len;
}

bool
utf8_valid(const char *text)
{
	size_t n;

	while ((n = utf8_len(text)) > 0)
		text += n;
	return *text == '\0';
}

bool
utf8_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	return *p < ' ' || *p == DEL || (*p == C1_LEAD && p[1] >= 0x80 && p[1] < C1_END);
}

static void
escape(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	to[0] = '\\';
	to[1] = 'x';
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
}

size_t
utf8_escape(char *to, size_t size, const char *from, const char *quoted)
{
	size_t n = 0, len;

	for (; *from && n + ESCAPED < size; from += len) {
		len = utf8_len(from);
		if (len == 0 || utf8_control(from)) {
			len = 1; /* of a C1 control the second octet is none of UTF-8 */
			escape(to + n, (unsigned char)*from);
			n += ESCAPED;
			continue;
		}
		if (strchr(quoted, *from))
			to[n++] = '\\';
		memcpy(to + n, from, len);
		n += len;
	}
	to[n] = '\0';
	return n;
}
