/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small helpers: addresses as text, random numbers, comparing secrets, safe strings. */
#ifndef UTIL_H
#define UTIL_H

#include "l2tpns.h"

#include <netinet/in.h>

enum { IP4_TEXT = 16, IP6_TEXT = 46 };

/* Dotted quad of an address in network order. One of four static buffers: use it at once. */
const char *ip4_text(uint32_t addr_be);

/* Dotted quad to network order; false when the text is something else. */
bool ip4_parse(const char *text, uint32_t *addr_be);

/* "10.0.0.0/8" or a bare address (then /32). The host bits must be zero. */
bool ip4_parse_prefix(const char *text, uint32_t *addr_be, unsigned int *len);

/* Netmask of a prefix length 0..32, in network order; and back, -1 when it has holes. */
uint32_t ip4_mask(unsigned int len);
int ip4_mask_len(uint32_t mask_be);

/* Unpredictable octets, from getrandom(2) in blocks. */
void random_bytes(void *to, size_t n);
uint16_t random_u16(void);
uint32_t random_u32(void);

/* Compares in a time that does not depend on the contents. */
bool secret_equal(const void *a, const void *b, size_t n);

/* The same for strings, whatever their lengths. */
bool secret_equal_str(const char *a, const char *b);

/* Copies with truncation, always ends with NUL; true when it all fitted. */
bool str_copy(char *to, size_t size, const char *from);

/* The same from `len` octets that need not end in NUL; an inner NUL ends the copy. */
bool str_copy_n(char *to, size_t size, const void *from, size_t len);

/* Whole number in base 10 within min..max; false otherwise. */
bool parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Internet checksum (RFC 1071) over `n` octets, going on from `sum`; fold gives its 16 bits. */
uint32_t cksum_add(uint32_t sum, const void *data, size_t n);
uint16_t cksum_fold(uint32_t sum);

#endif
