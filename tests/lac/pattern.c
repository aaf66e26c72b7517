/*
 * Content that can be checked: a head with magic, kind, stream and sequence, then bytes that
 * follow from these. All bytes come from one random table; stream and sequence choose where in
 * it the content starts. So making content is a pointer, checking it is a memcmp, and its
 * checksum is the difference of two prefix sums, which keeps the load generators faster than
 * what they measure.
 */
#include "pattern.h"
#include "bytes.h"

enum {
	SPREAD = 65536, /* places to start at */
	TABLE = SPREAD + PATTERN_MAX,
	MAGIC = 0x4c325042,
};

static uint8_t table[TABLE];
static uint32_t sums[TABLE / 2 + 1]; /* of the 16-bit words before; cannot overflow */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

void
pattern_init(void)
{
	size_t i;

	for (i = 0; i + 8 <= TABLE; i += 8)
		put64(table + i, mix(i + 0x9e3779b97f4a7c15));
	for (i = 0; i < TABLE / 2; i++)
		sums[i + 1] = sums[i] + get16(table + 2 * i);
}

void
pattern_head(uint8_t *p, const struct pattern *pat)
{
	put32(p, MAGIC);
	put32(p + 4, pat->kind);
	put32(p + 8, pat->stream);
	put64(p + 12, pat->seq);
}

const uint8_t *
pattern_body(const struct pattern *pat)
{
	uint64_t h = mix(pat->seq * 0x9e3779b97f4a7c15 + pat->stream + ((uint64_t)pat->kind << 40));

	return table + (h % SPREAD & ~(uint64_t)1);
}

uint32_t
pattern_body_sum(const uint8_t *body, size_t len)
{
	size_t at = (size_t)(body - table) / 2;
	uint32_t sum = sums[at + len / 2] - sums[at];

	if (len & 1)
		sum += (uint32_t)body[len - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

bool
pattern_parse(const uint8_t *p, size_t len, struct pattern *pat, bool *ok)
{
	if (len < PATTERN_HEAD || len > PATTERN_MAX || get32(p) != MAGIC)
		return false;
	pat->kind = get32(p + 4);
	pat->stream = get32(p + 8);
	pat->seq = get64(p + 12);
	*ok = memcmp(p + PATTERN_HEAD, pattern_body(pat), len - PATTERN_HEAD) == 0;
	return true;
}
