/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What control connection (l2tp.c) and calls (l2tp_call.c) have in common when they speak to
 * the LAC: the way of a message into the tunnel's channel (l2tp_chan.c), the secret that
 * stands between the two, and ids, which are hidden (RFC 2661 4.3) from a peer that hides
 * its own. Keeps nothing.
 */
#include "l2tp_say.h"
#include "avp.h"
#include "config.h"
#include "l2tp_chan.h"
#include "tunnel.h"
#include "util.h"

enum { VECTOR_LEN = 16 };

void
l2tp_say(tunn_id t, struct wr *w, uint16_t peer_sid)
{
	const struct tunnel *tun = tunnel_get(t);
	uint16_t type =
	    (uint16_t)(w->buf[L2TP_CONTROL_HEADER + 6] << 8 | w->buf[L2TP_CONTROL_HEADER + 7]);
	size_t len = ctl_end(w, tun->peer_tid, peer_sid);

	tlog(tun, LOG_INFO, "send %s to %s session %u", ctl_type_name(type), ip4_text(tun->peer_ip),
	    peer_sid);
	if (len == 0 || l2tp_chan_send(t, w->buf, len) < 0)
		tlog_limit(tun, LOG_ERROR, "%s could not be queued", ctl_type_name(type));
}

const char *
l2tp_secret(const struct tunnel *t)
{
	const struct conf_lac *lac = config_lac(t->peer_ip, t->hostname);

	return lac ? lac->secret : conf->l2tp_secret;
}

void
l2tp_say_id(tunn_id t, struct wr *w, uint16_t type, uint16_t id)
{
	const struct tunnel *tun = tunnel_get(t);
	uint8_t vector[VECTOR_LEN], val[2] = { (uint8_t)(id >> 8), (uint8_t)id };

	if (!tun->hides) {
		avp_put_u16(w, AVP_MANDATORY, type, id);
		return;
	}
	random_bytes(vector, sizeof(vector));
	avp_put(w, AVP_MANDATORY, AVP_RANDOM_VECTOR, vector, sizeof(vector));
	avp_put_hidden(
	    w, AVP_MANDATORY, type, val, sizeof(val), l2tp_secret(tun), vector, sizeof(vector), 0);
}
