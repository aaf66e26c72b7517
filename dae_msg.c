/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disconnect- and CoA-Requests into struct dae_request, and answers. One table row an
 * attribute: in which of the two it may come, how it is read, and where it goes. What has
 * no row is refused, as RFC 5176 2.3 wants it: a server that asks for something must not
 * believe that it was done. The first thing wrong is what the answer tells.
 *
 * An attribute that is no change here (Framed-Protocol PPP, Service-Type Framed) may come
 * with the value that all sessions have, and with no other. Acct-Terminate-Cause, which
 * only tells of the session that ends, is ignored.
 *
 * RFC 5176 2.1 to 2.3 (packets), 3 (attributes, table in 3.6), 3.5 (Error-Cause).
 *
 * Pure: no tables, clock, sockets or log. Called by dae.c, the unit test and the fuzzer.
 */
#include "dae_msg.h"
#include "util.h"

enum {
	SERVICE_FRAMED = 2,   /* RFC 2865 5.6 */
	PROTOCOL_PPP = 1,     /* RFC 2865 5.7 */
	PORT_VIRTUAL = 5,     /* RFC 2865 5.41 */
	CAUSE_ADMIN_RESET = 6 /* RFC 2866 5.10 */
};

/* Octets of an answer beside what it repeats: header, Message-Authenticator, two numbers. */
enum { ANSWER_REST = RAD_HEADER + 2 + RAD_AUTH_LEN + 2 * (2 + 4) };

enum where { DISCONNECT = 1, COA = 2, BOTH = DISCONNECT | COA };

enum kind {
	KIND_IGNORE,
	KIND_TEXT,  /* to char[DAE_TEXT] */
	KIND_U32,   /* to uint32_t */
	KIND_IP4,   /* the same, left in network order */
	KIND_FIXED, /* a number that must be `value`, else `cause` */
	KIND_CALL,
};

struct row {
	uint32_t vendor;
	uint8_t type;
	enum where where;
	enum kind kind;
	bool many;	  /* may come more than once */
	unsigned int has; /* enum dae_has */
	size_t offset;	  /* in struct dae_request */
	uint32_t value;
	enum dae_cause cause;
	enum dae_cause (*call)(struct dae_request *r, const struct rad_attr *a);
};

/* A second Reply-Message is left out: what is shown of them is short anyway. */
static enum dae_cause
take_message(struct dae_request *r, const struct rad_attr *a)
{
	if (r->message[0] == '\0')
		str_copy_n(r->message, sizeof(r->message), a->value, a->len);
	return DAE_OK;
}

/* One more of what may come `most` times. */
static enum dae_cause
append(struct dae_octets *list, unsigned int *n, unsigned int most, const struct rad_attr *a)
{
	if (a->len == 0)
		return DAE_INVALID_VALUE;
	if (*n == most)
		return DAE_INVALID_REQUEST;
	list[*n].p = a->value;
	list[*n].len = a->len;
	++*n;
	return DAE_OK;
}

static enum dae_cause
take_pair(struct dae_request *r, const struct rad_attr *a)
{
	return append(r->pairs, &r->n_pairs, DAE_MAX_PAIRS, a);
}

static enum dae_cause
take_filter(struct dae_request *r, const struct rad_attr *a)
{
	return append(r->filters, &r->n_filters, DAE_MAX_FILTERS, a);
}

static enum dae_cause
take_class(struct dae_request *r, const struct rad_attr *a)
{
	return append(r->classes, &r->n_classes, DAE_MAX_CLASSES, a);
}

/* clang-format off */
#define TEXT(t, bit, member)                                                                       \
	{ .type = t, .where = BOTH, .kind = KIND_TEXT, .has = bit,                                 \
	  .offset = offsetof(struct dae_request, member) }
#define NUMBER(t, in, k, bit, member)                                                              \
	{ .type = t, .where = in, .kind = k, .has = bit,                                           \
	  .offset = offsetof(struct dae_request, member) }
#define FIXED(t, in, v, else_cause)                                                                \
	{ .type = t, .where = in, .kind = KIND_FIXED, .value = v, .cause = else_cause }
#define CALL(ven, t, in, fn)                                                                       \
	{ .vendor = ven, .type = t, .where = in, .kind = KIND_CALL, .many = true, .call = fn }
#define IGNORE(t, in, m)                                                                           \
	{ .type = t, .where = in, .kind = KIND_IGNORE, .many = m }
/* clang-format on */

static const struct row rows[] = {
	/* which NAS, which session */
	NUMBER(RAD_NAS_IP_ADDRESS, BOTH, KIND_IP4, DAE_NAS_IP, nas_ip),
	{ .type = RAD_NAS_IPV6_ADDRESS, .where = BOTH, .kind = KIND_IGNORE, .has = DAE_NAS_IP6 },
	TEXT(RAD_NAS_IDENTIFIER, DAE_NAS_ID, nas_id),
	TEXT(RAD_USER_NAME, DAE_USER, user),
	TEXT(RAD_ACCT_SESSION_ID, DAE_ACCT_ID, acct_id),
	NUMBER(RAD_FRAMED_IP_ADDRESS, BOTH, KIND_IP4, DAE_FRAMED_IP, framed_ip),
	NUMBER(RAD_NAS_PORT, BOTH, KIND_U32, DAE_PORT, port),
	TEXT(RAD_NAS_PORT_ID, DAE_PORT_ID, port_id),
	TEXT(RAD_CALLING_STATION_ID, DAE_CALLING, calling),
	TEXT(RAD_CALLED_STATION_ID, DAE_CALLED, called),
	/* what to do */
	NUMBER(RAD_SESSION_TIMEOUT, COA, KIND_U32, DAE_SESSION_TIMEOUT, session_timeout),
	NUMBER(RAD_IDLE_TIMEOUT, COA, KIND_U32, DAE_IDLE_TIMEOUT, idle_timeout),
	NUMBER(RAD_ACCT_INTERIM_INTERVAL, COA, KIND_U32, DAE_INTERIM, interim),
	CALL(0, RAD_FILTER_ID, COA, take_filter),
	CALL(RAD_VENDOR_CISCO, RAD_CISCO_AVPAIR, COA, take_pair),
	CALL(0, RAD_CLASS, COA, take_class),
	CALL(0, RAD_REPLY_MESSAGE, BOTH, take_message),
	/* what is so anyway; RFC 5176 3.5: no 405 in a Disconnect-NAK */
	FIXED(RAD_SERVICE_TYPE, COA, SERVICE_FRAMED, DAE_UNSUPPORTED_SERVICE),
	FIXED(RAD_SERVICE_TYPE, DISCONNECT, SERVICE_FRAMED, DAE_UNSUPPORTED_ATTRIBUTE),
	FIXED(RAD_FRAMED_PROTOCOL, BOTH, PROTOCOL_PPP, DAE_INVALID_VALUE),
	FIXED(RAD_NAS_PORT_TYPE, BOTH, PORT_VIRTUAL, DAE_INVALID_VALUE),
	/* about the session's end, and about the packet */
	CALL(0, RAD_CLASS, DISCONNECT, take_class),
	IGNORE(RAD_ACCT_TERMINATE_CAUSE, DISCONNECT, false),
	NUMBER(RAD_EVENT_TIMESTAMP, BOTH, KIND_U32, DAE_TIMESTAMP, timestamp),
	IGNORE(RAD_MESSAGE_AUTHENTICATOR, BOTH, false),
	IGNORE(RAD_STATE, BOTH, false),
	IGNORE(RAD_PROXY_STATE, BOTH, true),
};

_Static_assert(ARRAY_LEN(rows) <= 32, "a bit a row");

static const struct row *
find_row(const struct rad_attr *a, bool is_coa)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == a->type && rows[i].vendor == a->vendor &&
		    rows[i].where & (is_coa ? COA : DISCONNECT))
			return &rows[i];
	return NULL;
}

/* A text is not empty and has no NUL. */
static bool
read_text(const struct rad_attr *a, char *to)
{
	return a->len > 0 && str_copy_n(to, DAE_TEXT, a->value, a->len) && strlen(to) == a->len;
}

static enum dae_cause
read_value(struct dae_request *r, const struct row *row, const struct rad_attr *a)
{
	char *to = (char *)r + row->offset;
	uint32_t v = 0;

	switch (row->kind) {
	case KIND_IGNORE:
		break;
	case KIND_TEXT:
		return read_text(a, to) ? DAE_OK : DAE_INVALID_VALUE;
	case KIND_CALL:
		return row->call(r, a);
	case KIND_FIXED:
		return rad_attr_u32(a, &v) && v == row->value ? DAE_OK : row->cause;
	case KIND_U32:
	case KIND_IP4:
		if (!(row->kind == KIND_U32 ? rad_attr_u32(a, &v) : rad_attr_be32(a, &v)))
			return DAE_INVALID_VALUE;
		memcpy(to, &v, sizeof(v));
	}
	return DAE_OK;
}

/* `seen` has a bit a row, for those that may come but once. */
static enum dae_cause
take(struct dae_request *r, const struct rad_attr *a, uint32_t *seen)
{
	const struct row *row = find_row(a, r->is_coa);
	uint32_t bit = row ? UINT32_C(1) << (row - rows) : 0;
	enum dae_cause cause;

	if (!row)
		return DAE_UNSUPPORTED_ATTRIBUTE;
	if (*seen & bit && !row->many)
		return DAE_INVALID_REQUEST;
	*seen |= bit;
	cause = read_value(r, row, a);
	if (cause == DAE_OK)
		r->has |= row->has;
	return cause;
}

static bool
is_repeated(const struct rad_attr *a)
{
	return a->vendor == 0 && (a->type == RAD_STATE || a->type == RAD_PROXY_STATE);
}

bool
dae_decode(const struct rad_packet *p, struct dae_request *r)
{
	struct rd attrs = p->attrs, sub = { 0 };
	struct rad_attr a;
	size_t answer = ANSWER_REST;
	uint32_t seen = 0;
	enum dae_cause cause;

	if (p->code != RAD_DISCONNECT_REQUEST && p->code != RAD_COA_REQUEST)
		return false;
	memset(r, 0, sizeof(*r));
	r->is_coa = p->code == RAD_COA_REQUEST;
	while (rad_attr_next(&attrs, &sub, &a)) {
		if (is_repeated(&a))
			answer += 2 + (size_t)a.len;
		cause = take(r, &a, &seen);
		if (cause != DAE_OK && r->cause == DAE_OK) {
			r->cause = (uint16_t)cause;
			r->wrong = a.type;
		}
	}
	return answer <= RAD_MAX_PACKET;
}

static uint8_t
answer_code(uint8_t request, enum dae_cause cause)
{
	if (request == RAD_COA_REQUEST)
		return cause == DAE_OK ? RAD_COA_ACK : RAD_COA_NAK;
	return cause == DAE_OK ? RAD_DISCONNECT_ACK : RAD_DISCONNECT_NAK;
}

size_t
dae_encode(const struct rad_packet *request, enum dae_cause cause, bool sign, const char *secret,
    uint8_t answer[RAD_MAX_PACKET])
{
	struct wr w = wr_init(answer, RAD_MAX_PACKET);
	struct rd attrs = request->attrs, sub = { 0 };
	struct rad_attr a;
	size_t place, len;

	rad_begin(&w, answer_code(request->code, cause), request->id, request->authenticator);
	place = sign ? rad_put_message_authenticator(&w) : 0;
	while (rad_attr_next(&attrs, &sub, &a))
		if (is_repeated(&a))
			rad_put(&w, a.type, a.value, a.len);
	if (cause != DAE_OK)
		rad_put_u32(&w, RAD_ERROR_CAUSE, (uint32_t)cause);
	else if (request->code == RAD_DISCONNECT_REQUEST)
		rad_put_u32(&w, RAD_ACCT_TERMINATE_CAUSE, CAUSE_ADMIN_RESET);
	len = rad_end(&w);
	rad_sign(answer, len, place, secret);
	if (len > 0)
		rad_sign_md5(answer, len, request->authenticator, secret);
	return len;
}

const char *
dae_cause_text(enum dae_cause cause)
{
	switch (cause) {
	case DAE_OK:
		return "done";
	case DAE_UNSUPPORTED_ATTRIBUTE:
		return "unsupported attribute";
	case DAE_MISSING_ATTRIBUTE:
		return "it names no session";
	case DAE_OTHER_NAS:
		return "it is for another NAS";
	case DAE_INVALID_REQUEST:
		return "too many of attribute";
	case DAE_UNSUPPORTED_SERVICE:
		return "unsupported Service-Type";
	case DAE_INVALID_VALUE:
		return "impossible value of attribute";
	case DAE_NOT_FOUND:
		return "no such session";
	case DAE_NOT_REMOVABLE:
		return "too many sessions are being ended";
	case DAE_NO_RESOURCES:
		return "too many sessions to look at, or no room";
	case DAE_SEVERAL:
		return "several sessions match";
	}
	return "?";
}
