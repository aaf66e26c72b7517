/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers without a home of their own. Random octets are taken from the kernel
 * 256 at a time, since a session needs a dozen and a system call each would show.
 */
#include "util.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

const char *
ip4_text(uint32_t addr_be)
{
	static char buf[4][IP4_TEXT];
	static unsigned int turn;
	struct in_addr in = { .s_addr = addr_be };
	char *text = buf[turn++ % ARRAY_LEN(buf)];

	inet_ntop(AF_INET, &in, text, IP4_TEXT);
	return text;
}

bool
ip4_parse(const char *text, uint32_t *addr_be)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	*addr_be = in.s_addr;
	return true;
}

bool
ip4_parse_prefix(const char *text, uint32_t *addr_be, unsigned int *len)
{
	char addr[IP4_TEXT];
	const char *slash = strchr(text, '/');
	uint64_t bits = 32;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(addr) || (slash && !parse_uint(slash + 1, 0, 32, &bits)))
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	*len = (unsigned int)bits;
	return ip4_parse(addr, addr_be) && (*addr_be & ~ip4_mask(*len)) == 0;
}

uint32_t
ip4_mask(unsigned int len)
{
	return len == 0 ? 0 : htonl(UINT32_MAX << (32 - len));
}

int
ip4_mask_len(uint32_t mask_be)
{
	unsigned int len = (unsigned int)__builtin_popcount(mask_be);

	return ip4_mask(len) == mask_be ? (int)len : -1;
}

void
random_bytes(void *to, size_t n)
{
	static uint8_t pool[256];
	static size_t left;
	uint8_t *p = to;

	for (; n > 0; n--) {
		if (left == 0) {
			while (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool))
				if (errno != EINTR)
					fatal("getrandom: %s", strerror(errno));
			left = sizeof(pool);
		}
		*p++ = pool[--left];
		pool[left] = 0;
	}
}

uint16_t
random_u16(void)
{
	uint16_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint32_t
random_u32(void)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

bool
secret_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	while (n-- > 0)
		diff |= (uint8_t)(*x++ ^ *y++);
	return diff == 0;
}

bool
secret_equal_str(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i;
	uint8_t diff = na != nb;

	/* walks the guess, not the secret, so that time tells nothing about the latter */
	for (i = 0; i < na; i++)
		diff |= (uint8_t)(a[i] ^ b[nb ? i % nb : 0]);
	return diff == 0;
}

bool
str_copy(char *to, size_t size, const char *from)
{
	return str_copy_n(to, size, from, strlen(from));
}

bool
str_copy_n(char *to, size_t size, const void *from, size_t len)
{
	size_t n = len ? strnlen(from, len) : 0; /* `from` may be NULL then */
	bool fits = n < size;

	if (!fits)
		n = size - 1;
	if (n)
		memcpy(to, from, n);
	to[n] = '\0';
	return fits;
}

bool
parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;
	unsigned long long v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end != '\0' || v < min || v > max)
		return false;
	*value = v;
	return true;
}

/* The carry goes round (RFC 1071 2 B); so words of any size may be added, and folded later. */
static inline uint64_t
add_round(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

/* Up to 7 octets; each part begins at an even place, as the last odd octet is the end. */
static inline uint64_t
add_tail(uint64_t sum, const uint8_t *p, size_t n)
{
	uint32_t four;
	uint16_t two;
	uint8_t word[2] = { 0 };

	if (n & 4) {
		memcpy(&four, p, 4);
		sum = add_round(sum, four);
		p += 4;
	}
	if (n & 2) {
		memcpy(&two, p, 2);
		sum = add_round(sum, two);
		p += 2;
	}
	if (n & 1) {
		word[0] = *p;
		memcpy(&two, word, 2);
		sum = add_round(sum, two);
	}
	return sum;
}

uint32_t
cksum_add(uint32_t sum, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t a = sum, b = 0, c = 0, d = 0, w[4];

	for (; n >= sizeof(w); n -= sizeof(w), p += sizeof(w)) {
		memcpy(w, p, sizeof(w));
		a = add_round(a, w[0]); /* four sums, so that none waits for another's carry */
		b = add_round(b, w[1]);
		c = add_round(c, w[2]);
		d = add_round(d, w[3]);
	}
	for (; n >= sizeof(w[0]); n -= sizeof(w[0]), p += sizeof(w[0])) {
		memcpy(w, p, sizeof(w[0]));
		a = add_round(a, w[0]);
	}
	a = add_round(add_round(a, b), add_round(c, d));
	a = add_tail(a, p, n);
	a = (a & UINT32_MAX) + (a >> 32);
	return (uint32_t)a + (uint32_t)(a >> 32);
}

uint16_t
cksum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
