/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies to Access-Requests into struct auth_result. One table row an attribute:
 * where it goes and how it is read. What has no row is ignored (RFC 2865 5), as are
 * values that cannot be meant (logged): a session with one route less is better than
 * a subscriber who is kept out. Of an attribute that comes twice the last one counts,
 * but for those that may come many times (Framed-Route, Class, Reply-Message,
 * Filter-Id, Cisco-AVPair).
 *
 * An Access-Challenge is a refusal: PPP has no way to put the question (RFC 2865 4.4).
 * A Service-Type other than Framed is tolerated.
 *
 * RFC 2865 5; RFC 2869 5.18 (Framed-Pool); RFC 2548 2.1.5, 2.3.3, 2.7 (Microsoft). DNS
 * servers come in three ways: Microsoft's, Ascend's, and Ascend's numbers of old
 * without a vendor.
 *
 * Pure but for the log: no tables, clock or sockets. The packet's structure has been
 * checked by rad_decode(). Called by radius.c, the unit test and the fuzzer.
 */
#include "rad_reply.h"
#include "log.h"
#include "util.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { MTU_LEAST = 64 /* RFC 2865 5.12 */ };

/* How a value is read: into a member, or by a function. */
enum kind { KIND_U32, KIND_IP4, KIND_CALL };

struct row {
	uint32_t vendor;
	uint8_t type;
	enum kind kind;
	size_t offset;							 /* KIND_U32, KIND_IP4 */
	void (*call)(struct auth_result *res, const struct rad_attr *a); /* KIND_CALL */
};

static void
bad_value(const struct rad_attr *a)
{
	plog_limit(LOG_WARNING,
	    "RADIUS: attribute %u of vendor %u has no possible value (%u octets); ignored", a->type,
	    a->vendor, a->len);
}

static void
take_mtu(struct auth_result *res, const struct rad_attr *a)
{
	uint32_t mtu;

	if (rad_attr_u32(a, &mtu) && mtu >= MTU_LEAST && mtu <= UINT16_MAX)
		res->mtu = (uint16_t)mtu;
	else
		bad_value(a);
}

static void
take_pool(struct auth_result *res, const struct rad_attr *a)
{
	if (a->len == 0 || !str_copy_n(res->pool, sizeof(res->pool), a->value, a->len)) {
		memset(res->pool, 0, sizeof(res->pool)); /* a part of a name is another name */
		bad_value(a);
	}
}

/* Several make one text, RFC 2865 5.18; what is too long is cut. */
static void
take_message(struct auth_result *res, const struct rad_attr *a)
{
	size_t have = strlen(res->message);

	if (have > 0 && have + 1 < sizeof(res->message)) {
		res->message[have++] = ' ';
		res->message[have] = '\0';
	}
	str_copy_n(res->message + have, sizeof(res->message) - have, a->value, a->len);
}

/* MS-CHAP2-Success and MS-CHAP-Error: an identifier, then the text for PPP. Some leave out the
 * former. */
static void
take_mschap(struct auth_result *res, const struct rad_attr *a)
{
	size_t skip = a->len >= 2 && a->value[1] == '=' ? 0 : 1;

	if (a->len > skip)
		str_copy_n(res->mschap, sizeof(res->mschap), a->value + skip, a->len - skip);
}

static void
take_class(struct auth_result *res, const struct rad_attr *a)
{
	if (res->n_class == AUTH_MAX_CLASS) {
		plog_limit(LOG_WARNING,
		    "RADIUS: more than %d Class attributes; the rest is ignored", AUTH_MAX_CLASS);
		return;
	}
	res->class[res->n_class].p = a->value;
	res->class[res->n_class].len = a->len;
	res->n_class++;
}

/* RFC 4372 2.2: one, not to be read; one of a zero octet alone says that there is none. */
static void
take_cui(struct auth_result *res, const struct rad_attr *a)
{
	res->cui.p = a->value;
	res->cui.len = a->len;
}

static void
take_filter(struct auth_result *res, const struct rad_attr *a)
{
	if (res->n_filters == AUTH_MAX_FILTERS) {
		plog_limit(LOG_WARNING,
		    "RADIUS: more than %d Filter-Id attributes; the rest is ignored",
		    AUTH_MAX_FILTERS);
		return;
	}
	res->filters[res->n_filters].p = a->value;
	res->filters[res->n_filters].len = a->len;
	res->n_filters++;
}

static void
take_pair(struct auth_result *res, const struct rad_attr *a)
{
	if (res->n_pairs == AUTH_MAX_PAIRS) {
		plog_limit(LOG_WARNING,
		    "RADIUS: more than %d Cisco-AVPair attributes; the rest is ignored",
		    AUTH_MAX_PAIRS);
		return;
	}
	res->pairs[res->n_pairs].p = a->value;
	res->pairs[res->n_pairs].len = a->len;
	res->n_pairs++;
}

/*
 * Prefix length of an address that came without: that of its class (RFC 2865 5.22), but
 * a single host when the address would not be the network's first.
 */
static unsigned int
classful_len(uint32_t addr_be)
{
	uint32_t addr = ntohl(addr_be);
	unsigned int len = addr < 0x80000000   ? 8
			   : addr < 0xc0000000 ? 16
			   : addr < 0xe0000000 ? 24
					       : 32;

	return addr_be & ~ip4_mask(len) ? 32 : len;
}

/* "192.168.1.0/24 192.168.1.1 1": the gateway is the session, whatever it says, and the metric
 * ours. */
static bool
parse_route(const char *text, uint32_t *addr, uint8_t *len)
{
	char addr_text[IP4_TEXT];
	int used = 0;
	unsigned int bits;

	if (sscanf(text, " %15[0-9.]%n", addr_text, &used) != 1 || !ip4_parse(addr_text, addr))
		return false;
	text += used;
	if (*text == '/') {
		if (sscanf(text, "/%2u%n", &bits, &used) != 1 || bits > 32)
			return false;
		text += used;
	} else {
		bits = classful_len(*addr);
	}
	*addr &= ip4_mask(bits);
	*len = (uint8_t)bits;
	return *text == '\0' || *text == ' ' || *text == '\t';
}

static void
take_route(struct auth_result *res, const struct rad_attr *a)
{
	char text[RAD_MAX_VALUE + 1];
	uint32_t addr;
	uint8_t len;

	if (!str_copy_n(text, sizeof(text), a->value, a->len) || !parse_route(text, &addr, &len)) {
		plog_limit(LOG_WARNING,
		    "RADIUS: Framed-Route \"%s\" is not ADDRESS/LENGTH...; ignored", text);
		return;
	}
	if (res->n_routes == AUTH_MAX_ROUTES) {
		plog_limit(LOG_WARNING, "RADIUS: more than %d routes for a session; %s is ignored",
		    AUTH_MAX_ROUTES, text);
		return;
	}
	res->routes[res->n_routes].addr = addr;
	res->routes[res->n_routes].len = len;
	res->n_routes++;
}

#define U32(type, member)                                                                          \
	{                                                                                          \
		0, type, KIND_U32, offsetof(struct auth_result, member), NULL                      \
	}
#define IP4(vendor, type, member)                                                                  \
	{                                                                                          \
		vendor, type, KIND_IP4, offsetof(struct auth_result, member), NULL                 \
	}
#define CALL(vendor, type, fn)                                                                     \
	{                                                                                          \
		vendor, type, KIND_CALL, 0, fn                                                     \
	}

static const struct row accept_rows[] = {
	IP4(0, RAD_FRAMED_IP_ADDRESS, ip4),
	IP4(0, RAD_FRAMED_IP_NETMASK, netmask),
	CALL(0, RAD_FILTER_ID, take_filter),
	CALL(0, RAD_FRAMED_MTU, take_mtu),
	CALL(0, RAD_REPLY_MESSAGE, take_message),
	CALL(0, RAD_FRAMED_ROUTE, take_route),
	CALL(0, RAD_CLASS, take_class),
	CALL(0, RAD_CHARGEABLE_USER_IDENTITY, take_cui),
	U32(RAD_SESSION_TIMEOUT, session_timeout),
	U32(RAD_IDLE_TIMEOUT, idle_timeout),
	U32(RAD_PORT_LIMIT, port_limit),
	U32(RAD_ACCT_INTERIM_INTERVAL, interim),
	CALL(0, RAD_FRAMED_POOL, take_pool),
	IP4(0, RAD_ASCEND_PRIMARY_DNS, dns1),
	IP4(0, RAD_ASCEND_SECONDARY_DNS, dns2),
	CALL(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, take_pair),
	IP4(RAD_VENDOR_ASCEND, RAD_ASCEND_PRIMARY_DNS, dns1),
	IP4(RAD_VENDOR_ASCEND, RAD_ASCEND_SECONDARY_DNS, dns2),
	IP4(RAD_VENDOR_MICROSOFT, RAD_MS_PRIMARY_DNS, dns1),
	IP4(RAD_VENDOR_MICROSOFT, RAD_MS_SECONDARY_DNS, dns2),
	CALL(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP2_SUCCESS, take_mschap),
};

static const struct row reject_rows[] = {
	CALL(0, RAD_REPLY_MESSAGE, take_message),
	CALL(RAD_VENDOR_MICROSOFT, RAD_MS_CHAP_ERROR, take_mschap),
};

static void
apply(const struct row *row, struct auth_result *res, const struct rad_attr *a)
{
	uint32_t v;

	if (row->kind == KIND_CALL) {
		row->call(res, a);
		return;
	}
	if (row->kind == KIND_U32 ? rad_attr_u32(a, &v) : rad_attr_be32(a, &v))
		memcpy((char *)res + row->offset, &v, sizeof(v));
	else
		bad_value(a);
}

static void
decode(const struct rad_packet *p, const struct row *rows, size_t n, struct auth_result *res)
{
	struct rd attrs = p->attrs, sub = { 0 };
	struct rad_attr a;
	size_t i;

	while (rad_attr_next(&attrs, &sub, &a))
		for (i = 0; i < n; i++)
			if (rows[i].type == a.type && rows[i].vendor == a.vendor)
				apply(&rows[i], res, &a);
}

void
radius_decode_accept(const struct rad_packet *p, struct auth_result *res)
{
	memset(res, 0, sizeof(*res));
	res->verdict = AUTH_ACCEPTED;
	decode(p, accept_rows, ARRAY_LEN(accept_rows), res);
}

void
radius_decode_reject(const struct rad_packet *p, struct auth_result *res)
{
	memset(res, 0, sizeof(*res));
	res->verdict = AUTH_REFUSED;
	decode(p, reject_rows, ARRAY_LEN(reject_rows), res);
}
