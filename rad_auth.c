/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building an Access-Request: the Message-Authenticator first of all attributes (a
 * reply that must repeat one cannot be forged by extending what stands before it),
 * then who logs in, the proof as the PPP protocol gave it, and what rad_sess.c tells
 * of the call.
 *
 * The proof: PAP's password hidden under the secret (RFC 2865 5.2); CHAP's identifier
 * and response (5.3) with the challenge always in an attribute of its own (5.40), as
 * the Request Authenticator stays random; MS-CHAPv2's response (RFC 2548 2.3.2), whose
 * parts RADIUS has in another order than PPP (RFC 2759 4):
 *
 *   PPP      peer challenge 16, reserved 8, NT response 24, flags 1
 *   RADIUS   identifier 1, flags 1, peer challenge 16, reserved 8, NT response 24
 *
 * Called by radius.c with everything; keeps nothing.
 */
#include "rad_auth.h"
#include "rad_sess.h"
#include "radattr.h"

#include <string.h>

enum { CHAP_RESPONSE = 16, MSCHAP2_RESPONSE = 49, MSCHAP2_FLAGS = 48, MSCHAP_CHALLENGE = 16 };

static bool
put_pap(struct wr *w, const struct rad_access *a)
{
	rad_put_password(
	    w, a->login->password, a->login->password_len, a->secret, a->authenticator);
	return true;
}

static bool
put_chap(struct wr *w, const struct rad_access *a)
{
	const struct auth_request *login = a->login;
	uint8_t value[1 + CHAP_RESPONSE];

	if (login->password_len != CHAP_RESPONSE || login->challenge_len == 0)
		return false;
	value[0] = login->id;
	memcpy(value + 1, login->password, CHAP_RESPONSE);
	rad_put(w, RAD_CHAP_PASSWORD, value, sizeof(value));
	rad_put(w, RAD_CHAP_CHALLENGE, login->challenge, login->challenge_len);
	return true;
}

static bool
put_mschap2(struct wr *w, const struct rad_access *a)
{
	const struct auth_request *login = a->login;
	uint8_t value[1 + MSCHAP2_RESPONSE];

	if (login->password_len != MSCHAP2_RESPONSE || login->challenge_len != MSCHAP_CHALLENGE)
		return false;
	value[0] = login->id;
	value[1] = login->password[MSCHAP2_FLAGS];
	memcpy(value + 2, login->password, MSCHAP2_RESPONSE - 1);
	rad_put_vendor(
	    w, RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_CHALLENGE, login->challenge, MSCHAP_CHALLENGE);
	rad_put_vendor(w, RAD_VENDOR_MICROSOFT, RAD_MS_CHAP2_RESPONSE, value, sizeof(value));
	return true;
}

static bool
put_proof(struct wr *w, const struct rad_access *a)
{
	static bool (*const proofs[])(struct wr *, const struct rad_access *) = {
		[AUTH_PAP] = put_pap,
		[AUTH_CHAP] = put_chap,
		[AUTH_MSCHAPV2] = put_mschap2,
	};
	enum auth_proto proto = a->login->proto;

	return proto < ARRAY_LEN(proofs) && proofs[proto] && proofs[proto](w, a);
}

size_t
rad_auth_build(const struct rad_access *a, void *buf, size_t size)
{
	struct wr w = wr_init(buf, size);
	size_t place, len;

	if (!a->login->user[0])
		return 0;
	rad_begin(&w, RAD_ACCESS_REQUEST, a->id, a->authenticator);
	place = rad_put_message_authenticator(&w);
	rad_put_str(&w, RAD_USER_NAME, a->login->user);
	if (!put_proof(&w, a))
		return 0;
	rad_put(&w, RAD_CHARGEABLE_USER_IDENTITY, "", 1); /* RFC 4372 2.1: asks for one */
	rad_sess_put(&w, a->s);
	len = rad_end(&w);
	if (len > 0)
		rad_sign(buf, len, place, a->secret);
	return len;
}
