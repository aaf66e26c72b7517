// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The codec of BGP-4's messages but UPDATE, which has a file of its own (bgpupdate.c): RFC 4271 4
 * (messages) and 6 (what is wrong with them), RFC 5492 and RFC 9072 (capabilities), RFC 4760 and
 * RFC 6793 (those of IPv6 and of four-octet AS numbers), RFC 2918 (route refresh), RFC 9003 (words
 * with a Cease).
 *
 * Called by bgp_peer.c and bgp_input.c.
 */
#include "bgpmsg.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 4 };
enum { PARAM_CAPABILITIES = 2, PARAM_EXTENDED = 255 };
enum { CAP_MP = 1, CAP_REFRESH = 2, CAP_RESTART = 64, CAP_AS4 = 65 };
enum { MP_SIZE = 6, REFRESH_SIZE = 2, RESTART_SIZE = 4, AS4_SIZE = 6 };

const uint16_t bgp_wire_afi[BGP_AFIS] = { [BGP_IP4] = 1, [BGP_IP6] = 2 };

int
bgp_wrong(struct bgp_error *e, uint8_t code, uint8_t sub, const void *data, size_t len)
{
	*e = (struct bgp_error){ .code = code, .sub = sub };
	e->len = (uint16_t)MIN(len, sizeof(e->data));
	if (e->len)
		memcpy(e->data, data, e->len);
	return -1;
}

/* ---- errors in words ---- */

static const char *const code_names[] = {
	[BGP_ERR_HEADER] = "Message Header Error",
	[BGP_ERR_OPEN] = "OPEN Message Error",
	[BGP_ERR_UPDATE] = "UPDATE Message Error",
	[BGP_ERR_HOLD] = "Hold Timer Expired",
	[BGP_ERR_FSM] = "Finite State Machine Error",
	[BGP_ERR_CEASE] = "Cease",
	[BGP_ERR_REFRESH] = "ROUTE-REFRESH Message Error",
	[BGP_ERR_SEND_HOLD] = "Send Hold Timer Expired",
};

static const char *const sub_names[ARRAY_LEN(code_names)][12] = {
	[BGP_ERR_HEADER] = { NULL, "Connection Not Synchronized", "Bad Message Length",
	    "Bad Message Type" },
	[BGP_ERR_OPEN] = { NULL, "Unsupported Version Number", "Bad Peer AS", "Bad BGP Identifier",
	    "Unsupported Optional Parameter", NULL, "Unacceptable Hold Time",
	    "Unsupported Capability" },
	[BGP_ERR_UPDATE] = { NULL, "Malformed Attribute List", "Unrecognized Well-known Attribute",
	    "Missing Well-known Attribute", "Attribute Flags Error", "Attribute Length Error",
	    "Invalid ORIGIN Attribute", NULL, "Invalid NEXT_HOP Attribute",
	    "Optional Attribute Error", "Invalid Network Field", "Malformed AS_PATH" },
	[BGP_ERR_FSM] = { NULL, "Unexpected Message in OpenSent",
	    "Unexpected Message in OpenConfirm", "Unexpected Message in Established" },
	[BGP_ERR_CEASE] = { NULL, "Maximum Number of Prefixes Reached", "Administrative Shutdown",
	    "Peer De-configured", "Administrative Reset", "Connection Rejected",
	    "Other Configuration Change", "Connection Collision Resolution", "Out of Resources",
	    "Hard Reset", "BFD Down" },
};

/* The words of a shutdown communication: a length, then UTF-8. 0: there are none. */
static int
words_len(const struct bgp_error *e)
{
	bool may =
	    e->code == BGP_ERR_CEASE && (e->sub == BGP_CEASE_SHUTDOWN || e->sub == BGP_CEASE_RESET);

	return may && e->len > 1 ? MIN(e->data[0], e->len - 1) : 0;
}

const char *
bgp_error_text(const struct bgp_error *e, char *text, size_t size)
{
	const char *code = e->code < ARRAY_LEN(code_names) ? code_names[e->code] : NULL;
	const char *sub =
	    code && e->sub < ARRAY_LEN(sub_names[0]) ? sub_names[e->code][e->sub] : NULL;
	int n, len = words_len(e);

	if (!code)
		n = snprintf(text, size, "code %u/%u", e->code, e->sub);
	else if (!sub && e->sub)
		n = snprintf(text, size, "%s/%u", code, e->sub);
	else
		n = snprintf(text, size, "%s%s%s", code, sub ? "/" : "", sub ? sub : "");
	if (len && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, ": \"%.*s\"", len, (const char *)e->data + 1);
	return text;
}

/* ---- reading ---- */

/* Least and most octets of a message, RFC 4271 6.1, RFC 2918 3. */
static const struct {
	uint16_t least, most;
} lengths[] = {
	[BGP_OPEN] = { 29, BGP_MAX },
	[BGP_UPDATE] = { 23, BGP_MAX },
	[BGP_NOTIFICATION] = { 21, BGP_MAX },
	[BGP_KEEPALIVE] = { BGP_HEADER, BGP_HEADER },
	[BGP_REFRESH] = { 23, 23 },
};

int
bgp_read_header(struct rd r, uint16_t *len, uint8_t *type, struct bgp_error *e)
{
	const uint8_t *marker = rd_bytes(&r, 16);
	uint8_t told[2];
	int i;

	*len = rd_u16(&r);
	*type = rd_u8(&r);
	told[0] = (uint8_t)(*len >> 8);
	told[1] = (uint8_t)*len;
	for (i = 0; i < 16; i++)
		if (r.bad || marker[i] != 0xff)
			return bgp_wrong(e, BGP_ERR_HEADER, BGP_HEADER_SYNC, NULL, 0);
	if (*len < BGP_HEADER || *len > BGP_MAX)
		return bgp_wrong(e, BGP_ERR_HEADER, BGP_HEADER_LENGTH, told, 2);
	if (*type < BGP_OPEN || *type > BGP_REFRESH)
		return bgp_wrong(e, BGP_ERR_HEADER, BGP_HEADER_TYPE, type, 1);
	if (*len < lengths[*type].least || *len > lengths[*type].most)
		return bgp_wrong(e, BGP_ERR_HEADER, BGP_HEADER_LENGTH, told, 2);
	return 0;
}

bool
bgp_known_afi(uint16_t wire, uint8_t safi, enum bgp_afi *afi)
{
	int i;

	for (i = 0; i < BGP_AFIS && safi == BGP_SAFI_UNICAST; i++)
		if (bgp_wire_afi[i] == wire) {
			*afi = (enum bgp_afi)i;
			return true;
		}
	return false;
}

static void
take_mp(struct rd *value, struct bgp_open *o, bool *any)
{
	uint16_t wire = rd_u16(value);
	enum bgp_afi afi;

	rd_u8(value);
	*any = true;
	if (bgp_known_afi(wire, rd_u8(value), &afi) && !value->bad)
		o->afi[afi] = true;
}

/* The capabilities of one parameter; what is unknown is no matter (RFC 5492 4). */
static bool
read_capabilities(struct rd *r, struct bgp_open *o, bool *any)
{
	while (rd_left(r)) {
		uint8_t code = rd_u8(r);
		struct rd value = rd_sub(r, rd_u8(r));

		if (code == CAP_MP)
			take_mp(&value, o, any);
		else if (code == CAP_REFRESH)
			o->refresh = true;
		else if (code == CAP_RESTART)
			o->restart = true;
		else if (code == CAP_AS4) {
			o->as4 = true;
			o->as = rd_u32(&value);
		}
		if (value.bad)
			return false;
	}
	return !r->bad;
}

static int
read_parameters(struct rd *r, struct bgp_open *o, struct bgp_error *e)
{
	struct rd params, extended;
	uint8_t len = rd_u8(r);
	bool any = false, wide;

	extended = *r; /* RFC 9072 2: type 255 says that lengths have two octets */
	wide = len != 0 && rd_u8(&extended) == PARAM_EXTENDED;
	if (wide)
		*r = extended;
	params = rd_sub(r, wide ? rd_u16(r) : len);
	while (rd_left(&params)) {
		uint8_t type = rd_u8(&params);
		struct rd value = rd_sub(&params, wide ? rd_u16(&params) : rd_u8(&params));

		if (!value.bad && type != PARAM_CAPABILITIES)
			return bgp_wrong(e, BGP_ERR_OPEN, BGP_OPEN_PARAMETER, NULL, 0);
		if (value.bad || !read_capabilities(&value, o, &any))
			return bgp_wrong(e, BGP_ERR_OPEN, 0, NULL, 0);
	}
	if (params.bad || rd_left(r))
		return bgp_wrong(e, BGP_ERR_OPEN, 0, NULL, 0);
	if (!any) /* RFC 4760 8: he does not know of others */
		o->afi[BGP_IP4] = true;
	return 0;
}

int
bgp_read_open(struct rd r, struct bgp_open *o, struct bgp_error *e)
{
	static const uint8_t version[2] = { 0, VERSION };

	*o = (struct bgp_open){ 0 };
	if (rd_u8(&r) != VERSION)
		return bgp_wrong(e, BGP_ERR_OPEN, BGP_OPEN_VERSION, version, sizeof(version));
	o->as = rd_u16(&r);
	o->hold = rd_u16(&r);
	o->id = rd_be32(&r);
	if (read_parameters(&r, o, e) < 0)
		return -1;
	if (o->as == 0)
		return bgp_wrong(e, BGP_ERR_OPEN, BGP_OPEN_AS, NULL, 0);
	if (o->hold != 0 && o->hold < BGP_LEAST_HOLD)
		return bgp_wrong(e, BGP_ERR_OPEN, BGP_OPEN_HOLD, NULL, 0);
	if (o->id == 0) /* RFC 6286 2.2 */
		return bgp_wrong(e, BGP_ERR_OPEN, BGP_OPEN_ID, NULL, 0);
	return 0;
}

void
bgp_read_notification(struct rd r, struct bgp_error *e)
{
	*e = (struct bgp_error){ 0 };
	e->code = rd_u8(&r);
	e->sub = rd_u8(&r);
	e->len = (uint16_t)MIN(rd_left(&r), sizeof(e->data));
	rd_copy(&r, e->data, e->len);
}

bool
bgp_read_refresh(struct rd r, enum bgp_afi *afi)
{
	uint16_t wire = rd_u16(&r);

	if (rd_u8(&r) != 0) /* RFC 7313 3.2: begin or end of one, which we have not agreed to */
		return false;
	return bgp_known_afi(wire, rd_u8(&r), afi) && !r.bad;
}

/* ---- writing ---- */

struct wr
bgp_begin(uint8_t *buf, enum bgp_type type)
{
	static const uint8_t marker[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct wr w = wr_init(buf, BGP_MAX);

	wr_bytes(&w, marker, sizeof(marker));
	wr_u16(&w, 0);
	wr_u8(&w, (uint8_t)type);
	return w;
}

size_t
bgp_end(struct wr *w)
{
	wr_patch_u16(w, 16, (uint16_t)wr_len(w));
	return wr_len(w);
}

static void
put_mp_capability(struct wr *w, enum bgp_afi afi)
{
	wr_u8(w, CAP_MP);
	wr_u8(w, 4);
	wr_u16(w, bgp_wire_afi[afi]);
	wr_u8(w, 0);
	wr_u8(w, BGP_SAFI_UNICAST);
}

/* RFC 4724 3: no family, so nothing is kept alive; End-of-RIB is what it is for. */
static void
put_capabilities(struct wr *w, const struct bgp_open *o)
{
	static const uint8_t fixed[REFRESH_SIZE + RESTART_SIZE] = { CAP_REFRESH, 0, CAP_RESTART, 2,
		0, 0 };
	int i;

	wr_bytes(w, fixed, sizeof(fixed));
	wr_u8(w, CAP_AS4);
	wr_u8(w, 4);
	wr_u32(w, o->as);
	for (i = 0; i < BGP_AFIS; i++)
		if (o->afi[i])
			put_mp_capability(w, i);
}

size_t
bgp_put_open(uint8_t *buf, const struct bgp_open *o)
{
	struct wr w = bgp_begin(buf, BGP_OPEN);
	unsigned int len = REFRESH_SIZE + RESTART_SIZE + AS4_SIZE;
	int i;

	for (i = 0; i < BGP_AFIS; i++)
		len += o->afi[i] ? MP_SIZE : 0;
	wr_u8(&w, VERSION);
	wr_u16(&w, o->as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)o->as);
	wr_u16(&w, o->hold);
	wr_be32(&w, o->id);
	wr_u8(&w, (uint8_t)(len + 2));
	wr_u8(&w, PARAM_CAPABILITIES);
	wr_u8(&w, (uint8_t)len);
	put_capabilities(&w, o);
	return bgp_end(&w);
}

size_t
bgp_put_keepalive(uint8_t *buf)
{
	struct wr w = bgp_begin(buf, BGP_KEEPALIVE);

	return bgp_end(&w);
}

size_t
bgp_put_notification(uint8_t *buf, const struct bgp_error *e)
{
	struct wr w = bgp_begin(buf, BGP_NOTIFICATION);

	wr_u8(&w, e->code);
	wr_u8(&w, e->sub);
	wr_bytes(&w, e->data, e->len);
	return bgp_end(&w);
}
