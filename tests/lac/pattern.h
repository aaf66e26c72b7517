/* Verifiable packet content, the same in the LAC and in the core-side traffic tool. */
#ifndef LAC_PATTERN_H
#define LAC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_HEAD = 20, PATTERN_MAX = 9216 };

enum pattern_kind { PATTERN_UP = 1, PATTERN_DOWN, PATTERN_ECHO };

struct pattern {
	uint32_t kind;
	uint32_t stream; /* who it belongs to: the subscriber's address */
	uint64_t seq;
};

/* Fills the table; first of all. */
void pattern_init(void);
/* Writes the 20 bytes that name stream and sequence. */
void pattern_head(uint8_t *p, const struct pattern *pat);
/* The bytes that follow the head, as many as wanted up to PATTERN_MAX. */
const uint8_t *pattern_body(const struct pattern *pat);
/* One's complement sum, not folded, of the first len bytes of a body. No loop. */
uint32_t pattern_body_sum(const uint8_t *body, size_t len);
/* Is it a pattern (magic)? Then fills pat, and ok says whether every byte is right. */
bool pattern_parse(const uint8_t *p, size_t len, struct pattern *pat, bool *ok);

#endif
