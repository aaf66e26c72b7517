/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session as RADIUS attributes: who asks (NAS-IP-Address, NAS-Identifier, NAS-Port),
 * what service (Framed, PPP), who calls whom and how fast, through which tunnel of
 * which LAC, and what the access node said of the line. One function a group, run in
 * the order of the list below.
 *
 * Reads session, tunnel and notes, writes nothing but the packet. Called by rad_auth.c
 * for Access-Requests and by rad_acct.c for accounting, which carries the same.
 *
 * RFC 2865 5.4, 5.5, 5.6, 5.7, 5.30, 5.31, 5.32, 5.41; RFC 2869 5.11 (Connect-Info),
 * 5.17 (NAS-Port-Id); RFC 2866 5.5; RFC 2868 3 and RFC 2867 4.1 (tunnel); RFC 4679
 * (access line), whose numbers are those of the L2TP AVPs of RFC 5515.
 */
#include "rad_sess.h"
#include "config.h"
#include "note.h"
#include "radattr.h"
#include "tunnel.h"
#include "udp.h"
#include "util.h"

#include <stdio.h>

enum {
	SERVICE_FRAMED = 2,	/* RFC 2865 5.6 */
	PROTOCOL_PPP = 1,	/* RFC 2865 5.7 */
	PORT_VIRTUAL = 5,	/* RFC 2865 5.41 */
	TUNNEL_TYPE_L2TP = 3,	/* RFC 2868 3.1 */
	TUNNEL_MEDIUM_IPV4 = 1, /* RFC 2868 3.2 */
	TUNNEL_TAG = 0,		/* there is but one tunnel to tell of */
	LINE_CIRCUIT_ID = 1,	/* RFC 4679 3.3 */
	LINE_REMOTE_ID = 2,
	LINE_FIRST_NUMBER = 0x81,  /* Actual-Data-Rate-Upstream... */
	LINE_LAST_NUMBER = 0x8e,   /* ...Actual-Interleaving-Delay-Downstream */
	LINE_ENCAPSULATION = 0x90, /* Access-Loop-Encapsulation: 3 octets */
	LINE_IWF_SESSION = 0xfe,   /* says all by being there */
	LINE_TEXT = 63,		   /* longest circuit or remote id */
	VSA_HEAD = 8,		   /* type, length, vendor, vendor type, vendor length */
};

/* A text attribute; an empty one must not be sent (RFC 2865 5). */
static void
put_text(struct wr *w, uint8_t type, const char *text)
{
	if (text[0])
		rad_put_str(w, type, text);
}

/* A text attribute with a tag in front, RFC 2868 3.3. */
static void
put_tagged(struct wr *w, uint8_t type, const char *text)
{
	char value[RAD_MAX_VALUE];
	int n = snprintf(value, sizeof(value), "%c%s", TUNNEL_TAG, text);

	if (text[0])
		rad_put(w, type, value, MIN((size_t)n, sizeof(value) - 1));
}

void
rad_sess_port_id(const struct session *s, char text[RAD_PORT_ID_TEXT])
{
	snprintf(text, RAD_PORT_ID_TEXT, "l2tp:%u:%u", s->tunnel, session_id(s));
}

void
rad_sess_put_nas(struct wr *w)
{
	if (config_nas_ip())
		rad_put_be32(w, RAD_NAS_IP_ADDRESS, config_nas_ip());
	put_text(w, RAD_NAS_IDENTIFIER, conf->hostname);
}

static void
put_nas(struct wr *w, const struct session *s)
{
	char port[RAD_PORT_ID_TEXT];

	rad_sess_put_nas(w);
	rad_put_u32(w, RAD_NAS_PORT, session_id(s));
	rad_put_u32(w, RAD_NAS_PORT_TYPE, PORT_VIRTUAL);
	rad_sess_port_id(s, port);
	rad_put_str(w, RAD_NAS_PORT_ID, port);
}

static void
put_service(struct wr *w, const struct session *s)
{
	(void)s;
	rad_put_u32(w, RAD_SERVICE_TYPE, SERVICE_FRAMED);
	rad_put_u32(w, RAD_FRAMED_PROTOCOL, PROTOCOL_PPP);
}

/* Numbers, and the line's speeds: towards the subscriber first, RFC 2869 5.11. */
static void
put_line_end(struct wr *w, const struct session *s)
{
	char speeds[32];

	put_text(w, RAD_CALLED_STATION_ID, s->called);
	put_text(w, RAD_CALLING_STATION_ID, s->calling);
	if (!s->tx_speed)
		return;
	snprintf(speeds, sizeof(speeds), s->rx_speed ? "%u/%u" : "%u", s->tx_speed, s->rx_speed);
	rad_put_str(w, RAD_CONNECT_INFO, speeds);
}

static void
put_tunnel(struct wr *w, const struct session *s)
{
	const struct tunnel *t = tunnel_get(s->tunnel);
	char call[16];

	if (!t)
		return;
	rad_put_u32(w, RAD_TUNNEL_TYPE, (uint32_t)TUNNEL_TAG << 24 | TUNNEL_TYPE_L2TP);
	rad_put_u32(w, RAD_TUNNEL_MEDIUM_TYPE, (uint32_t)TUNNEL_TAG << 24 | TUNNEL_MEDIUM_IPV4);
	put_tagged(w, RAD_TUNNEL_CLIENT_ENDPOINT, ip4_text(t->peer_ip));
	put_tagged(w, RAD_TUNNEL_SERVER_ENDPOINT, ip4_text(udp_local_address(t->local)));
	put_tagged(w, RAD_TUNNEL_CLIENT_AUTH_ID, t->hostname);
	snprintf(call, sizeof(call), "%u", s->call_serial);
	rad_put_str(w, RAD_ACCT_TUNNEL_CONNECTION, call); /* has no tag: RFC 2867 4.1 */
}

void
rad_sess_acct_id(const struct session *s, char text[RAD_ACCT_ID_TEXT])
{
	snprintf(text, RAD_ACCT_ID_TEXT, "%08X%08X", (uint32_t)s->opened, s->unique);
}

static void
put_acct_id(struct wr *w, const struct session *s)
{
	char text[RAD_ACCT_ID_TEXT];

	rad_sess_acct_id(s, text);
	rad_put_str(w, RAD_ACCT_SESSION_ID, text);
}

/* Rates and delays have 32 bits in RADIUS; a wider one that does not fit is sent as the highest. */
static void
put_line_number(struct wr *w, const struct note *n)
{
	struct rd r = rd_init(n->data, n->len);
	uint64_t v = n->len == 8 ? rd_u64(&r) : rd_u32(&r);
	uint8_t value[4];
	struct wr out = wr_init(value, sizeof(value));

	if (r.bad)
		return;
	wr_u32(&out, (uint32_t)MIN(v, UINT32_MAX));
	rad_put_vendor(w, RAD_VENDOR_ADSL_FORUM, (uint8_t)n->tag, value, sizeof(value));
}

static void
put_line_note(struct wr *w, const struct note *n)
{
	if (n->tag >= LINE_FIRST_NUMBER && n->tag <= LINE_LAST_NUMBER)
		put_line_number(w, n);
	else if ((n->tag == LINE_CIRCUIT_ID || n->tag == LINE_REMOTE_ID) && n->len > 0)
		rad_put_vendor(
		    w, RAD_VENDOR_ADSL_FORUM, (uint8_t)n->tag, n->data, MIN(n->len, LINE_TEXT));
	else if (n->tag == LINE_ENCAPSULATION && n->len == 3)
		rad_put_vendor(w, RAD_VENDOR_ADSL_FORUM, LINE_ENCAPSULATION, n->data, n->len);
	else if (n->tag == LINE_IWF_SESSION)
		rad_put_vendor(w, RAD_VENDOR_ADSL_FORUM, LINE_IWF_SESSION, NULL, 0);
}

/* What the LAC told of the access line. A LAC that repeats itself does not cost the login. */
static void
put_line(struct wr *w, const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note n;

	while (note_next(&pos, &n) && (size_t)(w->end - w->pos) >= VSA_HEAD + LINE_TEXT)
		if (n.kind == NOTE_LINE)
			put_line_note(w, &n);
}

void
rad_sess_put(struct wr *w, const struct session *s)
{
	static void (*const parts[])(struct wr *, const struct session *) = {
		put_nas,
		put_service,
		put_line_end,
		put_tunnel,
		put_acct_id,
		put_line,
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++)
		parts[i](w, s);
}
