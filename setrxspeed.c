/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: some LACs send an Rx Connect Speed of 0 (RFC 2661 4.4.4 means them to leave it
 * out when the line is the same both ways). At a login that is let in, such a session
 * gets the speed the LAC sends at.
 */
#include "plugin.h"

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	return 1;
}

int
plugin_post_auth(struct param_post_auth *p)
{
	if (p->auth_allowed && f->session_rx_speed(p->s) == 0)
		f->set_rx_speed(p->s, f->session_tx_speed(p->s));
	return PLUGIN_RET_OK;
}
