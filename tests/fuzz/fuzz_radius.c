/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A RADIUS packet: its structure, its attributes, its signatures. What is sound must be
 * walked to the end inside the packet, and must check once we have signed it.
 */
#include "radattr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t authenticator[RAD_AUTH_LEN] = "authenticator";

static void
check_attr(const struct rad_attr *a, const struct rad_packet *p)
{
	char out[64];
	uint32_t v;

	if (a->value < p->data + RAD_HEADER || a->value + a->len > p->data + p->len)
		abort();
	if (rad_attr_u32(a, &v) != rad_attr_be32(a, &v))
		abort();
	if (a->type != RAD_TUNNEL_PASSWORD && a->type != RAD_VENDOR_SPECIFIC)
		return;
	if (rad_tunnel_password(a, "secret", authenticator, out, sizeof(out)) &&
	    strlen(out) >= sizeof(out))
		abort();
}

static void
check_attrs(const struct rad_packet *p)
{
	struct rd attrs = p->attrs, sub = { 0 };
	struct rad_attr a;

	while (rad_attr_next(&attrs, &sub, &a))
		check_attr(&a, p);
	if (attrs.bad || attrs.pos != p->data + p->len)
		abort();
}

/* Signed by us, its authenticator is right; there may be a wrong Message-Authenticator in it. */
static void
check_signed(const struct rad_packet *p)
{
	uint8_t copy[RAD_MAX_PACKET];
	struct rad_packet again;
	bool has_ma;

	memcpy(copy, p->data, p->len);
	rad_sign_md5(copy, p->len, authenticator, "secret");
	if (!rad_decode(copy, p->len, &again))
		abort();
	if (rad_check_reply(&again, authenticator, "secret", &has_ma) == RAD_CHECK_AUTHENTICATOR)
		abort();
}

/* Made for another server and back again, it is as it was. */
static void
check_rekey(const struct rad_packet *p)
{
	static const uint8_t other[RAD_AUTH_LEN] = "another of these";
	uint8_t once[RAD_MAX_PACKET], thrice[RAD_MAX_PACKET];

	memcpy(once, p->data, p->len);
	rad_rekey(once, p->len, "secret", "secret", authenticator);
	memcpy(thrice, once, p->len);
	rad_rekey(thrice, p->len, "secret", "its own", other);
	rad_rekey(thrice, p->len, "its own", "secret", authenticator);
	if (memcmp(once, thrice, p->len) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rad_packet p;
	bool has_ma;

	if (!rad_decode(data, size, &p))
		return 0;
	check_attrs(&p);
	(void)rad_check_reply(&p, authenticator, "secret", &has_ma);
	(void)rad_check_request(&p, "secret", &has_ma);
	check_signed(&p);
	check_rekey(&p);
	return 0;
}
