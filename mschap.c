/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MS-CHAPv2, RFC 2759 section 8: what the peer must answer to a challenge, and what proves
 * to him that we know his password as well. For names of the users file; with RADIUS
 * the server does these sums.
 *
 * The RFC wants the password in Unicode, least octet first. Ours come as UTF-8; an octet
 * that is none stands for the character of its own number (ISO 8859-1), which is what
 * peers make of it that know nothing of UTF-8. Characters above U+FFFF become a pair.
 *
 * MD4, SHA-1 and DES come from nettle. Called by local_users.c; keeps no state.
 */
#include "mschap.h"

#include <nettle/des.h>
#include <nettle/md4.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <string.h>

/* The next character of a text, which is not at its end. RFC 3629 3 and 4. */
static uint32_t
next_char(const char **text)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)*text;
	unsigned int more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0, i;
	uint32_t c = more ? p[0] & (0x3fU >> more) : p[0];

	(*text)++;
	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) /* the final NUL stops it too */
			return p[0];
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return p[0];
	*text += more;
	return c;
}

static void
add_utf16(struct md4_ctx *md4, uint32_t unit)
{
	const uint8_t octets[2] = { (uint8_t)unit, (uint8_t)(unit >> 8) };

	md4_update(md4, sizeof(octets), octets);
}

void
mschap_nt_hash(const char *password, uint8_t out[MSCHAP_HASH])
{
	struct md4_ctx md4;
	uint32_t c;

	md4_init(&md4);
	while (*password) {
		c = next_char(&password);
		if (c >= 0x10000) {
			add_utf16(&md4, 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + (c & 0x3ff);
		}
		add_utf16(&md4, c);
	}
	md4_digest(&md4, MSCHAP_HASH, out);
}

/* 8.2: eight octets that stand for both challenges and the name. */
static void
challenge_hash(
    const uint8_t *peer_challenge, const uint8_t *auth_challenge, const char *user, uint8_t *out)
{
	struct sha1_ctx sha;

	sha1_init(&sha);
	sha1_update(&sha, MSCHAP_CHALLENGE, peer_challenge);
	sha1_update(&sha, MSCHAP_CHALLENGE, auth_challenge);
	sha1_update(&sha, strlen(user), (const uint8_t *)user);
	sha1_digest(&sha, DES_BLOCK_SIZE, out);
}

/* 8.6: DES under a key of 7 octets, spread over 8 with a place for parity in each. */
static void
des_block(const uint8_t *clear, const uint8_t *key7, uint8_t *out)
{
	struct des_ctx des;
	uint8_t key[DES_KEY_SIZE];
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < 7; i++)
		bits = bits << 8 | key7[i];
	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
	(void)des_set_key(&des, key); /* 0 means weak: it is set all the same */
	des_encrypt(&des, DES_BLOCK_SIZE, out, clear);
}

void
mschap_nt_response(const uint8_t *auth_challenge, const uint8_t *peer_challenge, const char *user,
    const char *password, uint8_t out[MSCHAP_NT_RESPONSE])
{
	uint8_t keys[21] = { 0 }; /* the hash and five zeroes, 8.5 */
	uint8_t challenge[DES_BLOCK_SIZE];
	size_t i;

	challenge_hash(peer_challenge, auth_challenge, user, challenge);
	mschap_nt_hash(password, keys);
	for (i = 0; i < 3; i++)
		des_block(challenge, keys + 7 * i, out + DES_BLOCK_SIZE * i);
}

void
mschap_auth_response(const char *password, const uint8_t *nt_response,
    const uint8_t *peer_challenge, const uint8_t *auth_challenge, const char *user,
    char out[MSCHAP_AUTH_RESPONSE])
{
	static const char magic1[] = "Magic server to client signing constant";
	static const char magic2[] = "Pad to make it do more than one iteration";
	uint8_t hash[MSCHAP_HASH], hash_hash[MSCHAP_HASH], digest[SHA1_DIGEST_SIZE];
	uint8_t challenge[DES_BLOCK_SIZE];
	struct md4_ctx md4;
	struct sha1_ctx sha;
	size_t i;

	mschap_nt_hash(password, hash);
	md4_init(&md4);
	md4_update(&md4, sizeof(hash), hash);
	md4_digest(&md4, sizeof(hash_hash), hash_hash);
	challenge_hash(peer_challenge, auth_challenge, user, challenge);
	sha1_init(&sha);
	sha1_update(&sha, sizeof(hash_hash), hash_hash);
	sha1_update(&sha, MSCHAP_NT_RESPONSE, nt_response);
	sha1_update(&sha, sizeof(magic1) - 1, (const uint8_t *)magic1);
	sha1_digest(&sha, sizeof(digest), digest);
	sha1_update(&sha, sizeof(digest), digest); /* it begins anew after a digest */
	sha1_update(&sha, sizeof(challenge), challenge);
	sha1_update(&sha, sizeof(magic2) - 1, (const uint8_t *)magic2);
	sha1_digest(&sha, sizeof(digest), digest);
	*out++ = 'S';
	*out++ = '=';
	for (i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02X", digest[i]);
}
