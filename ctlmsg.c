/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec of nsctl and its server; the format is in ctlmsg.h.
 *
 * Decoding is strict, so that each message has one form only: what is read and written
 * again is the same packet. Words are copied out and become strings; one with a NUL
 * inside would not be what was signed, so there is none.
 *
 * Called by control.c in the daemon and by nsctl.c. Owns nothing.
 */
#include "ctlmsg.h"
#include "util.h"
#include "wire.h"

#include <nettle/hmac.h>
#include <string.h>

enum { MAGIC = 0x4e534354, VERSION = 1, SIGNED = 1 };

_Static_assert(CTLMSG_MAC == SHA256_DIGEST_SIZE, "CTLMSG_MAC is that of SHA-256");

static const uint8_t no_nonce[CTLMSG_NONCE];

/* --- reading --- */

static bool
read_words(struct rd *r, struct ctlmsg *m)
{
	struct wr w = wr_init(m->words, sizeof(m->words));
	int i;

	m->argc = rd_u8(r);
	if (m->argc < 1 || m->argc > CTLMSG_MAX_WORDS)
		return false;
	for (i = 0; i < m->argc; i++) {
		uint16_t len = rd_u16(r);
		const uint8_t *word = rd_bytes(r, len);

		if (!word || memchr(word, '\0', len))
			return false;
		m->argv[i] = (char *)w.pos;
		wr_bytes(&w, word, len);
		wr_u8(&w, '\0');
	}
	m->argv[i] = NULL;
	return !w.bad && m->argv[0][0];
}

static bool
read_reply(struct rd *r, struct ctlmsg *m)
{
	uint8_t status = rd_u8(r);

	m->status = status;
	m->part = rd_u8(r);
	m->parts = rd_u8(r);
	m->text_len = rd_u16(r);
	m->text = (const char *)rd_bytes(r, m->text_len);
	return !r->bad && status <= CTLMSG_REFUSED && m->parts <= CTLMSG_MAX_PARTS &&
	       m->part < m->parts && m->text_len <= CTLMSG_PART_TEXT;
}

static bool
read_body(struct rd *r, struct ctlmsg *m)
{
	bool has_nonce = memcmp(m->nonce, no_nonce, CTLMSG_NONCE) != 0;

	switch (m->type) {
	case CTLMSG_HELLO:
		return !m->is_signed && !has_nonce;
	case CTLMSG_CHALLENGE:
		return !m->is_signed && has_nonce;
	case CTLMSG_COMMAND:
		return m->is_signed == has_nonce && read_words(r, m);
	case CTLMSG_REPLY:
		return m->is_signed == has_nonce && read_reply(r, m);
	}
	return false;
}

bool
ctlmsg_decode(const void *packet, size_t len, struct ctlmsg *m)
{
	struct rd r = rd_init(packet, len);
	uint16_t flags;

	if (len > CTLMSG_MAX_PACKET || rd_u32(&r) != MAGIC || rd_u8(&r) != VERSION)
		return false;
	m->type = rd_u8(&r);
	flags = rd_u16(&r);
	m->id = rd_u64(&r);
	rd_copy(&r, m->nonce, CTLMSG_NONCE);
	if (r.bad || flags & ~SIGNED)
		return false;
	m->is_signed = flags & SIGNED;
	return read_body(&r, m) && rd_left(&r) == (m->is_signed ? CTLMSG_MAC : 0);
}

/* --- signing --- */

static void
mac(const void *data, size_t len, const char *secret, uint8_t *digest)
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, len, data);
	hmac_sha256_digest(&ctx, CTLMSG_MAC, digest);
}

bool
ctlmsg_verify(const void *packet, size_t len, const char *secret)
{
	const uint8_t *p = packet;
	uint8_t digest[CTLMSG_MAC];

	if (len < CTLMSG_MAC || secret[0] == '\0')
		return false;
	mac(p, len - CTLMSG_MAC, secret, digest);
	return secret_equal(digest, p + len - CTLMSG_MAC, CTLMSG_MAC);
}

static void
put_mac(struct wr *w, const char *secret)
{
	size_t len = wr_len(w);
	uint8_t digest[CTLMSG_MAC];

	mac(w->buf, len, secret, digest);
	wr_bytes(w, digest, CTLMSG_MAC);
}

/* --- writing --- */

static void
write_words(struct wr *w, const struct ctlmsg *m)
{
	int i;

	wr_u8(w, (uint8_t)m->argc);
	for (i = 0; i < m->argc; i++) {
		size_t len = strlen(m->argv[i]);

		wr_u16(w, (uint16_t)len);
		wr_bytes(w, m->argv[i], len);
	}
}

static void
write_reply(struct wr *w, const struct ctlmsg *m)
{
	wr_u8(w, (uint8_t)m->status);
	wr_u8(w, m->part);
	wr_u8(w, m->parts);
	wr_u16(w, m->text_len);
	wr_bytes(w, m->text, m->text_len);
}

size_t
ctlmsg_encode(const struct ctlmsg *m, const char *secret, void *buf, size_t size)
{
	struct wr w = wr_init(buf, MIN(size, CTLMSG_MAX_PACKET));

	wr_u32(&w, MAGIC);
	wr_u8(&w, VERSION);
	wr_u8(&w, (uint8_t)m->type);
	wr_u16(&w, m->is_signed ? SIGNED : 0);
	wr_u64(&w, m->id);
	wr_bytes(&w, m->nonce, CTLMSG_NONCE);
	if (m->type == CTLMSG_COMMAND)
		write_words(&w, m);
	else if (m->type == CTLMSG_REPLY)
		write_reply(&w, m);
	if (m->is_signed)
		put_mac(&w, secret);
	return wr_len(&w);
}

/* --- parts --- */

unsigned int
ctlmsg_parts(size_t text_len)
{
	return text_len ? (unsigned int)((text_len + CTLMSG_PART_TEXT - 1) / CTLMSG_PART_TEXT) : 1;
}

void
ctlmsg_set_part(struct ctlmsg *m, const char *text, size_t text_len, unsigned int part)
{
	size_t from = (size_t)part * CTLMSG_PART_TEXT;

	m->part = (uint8_t)part;
	m->parts = (uint8_t)ctlmsg_parts(text_len);
	m->text = text + from;
	m->text_len = (uint16_t)MIN(text_len - from, CTLMSG_PART_TEXT);
}
