/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of BGP messages, as a neighbour sends them. What is no error must be one
 * where a word of it is missing, and errors must have words.
 */
#include "bgpmsg.h"
#include "bgpupdate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const struct bgp_error *e)
{
	static uint8_t buf[BGP_MAX];
	char text[64];

	if (e->len > sizeof(e->data) || bgp_error_text(e, text, sizeof(text))[0] == '\0')
		abort();
	if (bgp_put_notification(buf, e) != (size_t)BGP_HEADER + 2 + e->len)
		abort();
}

/* One that was good is good again when it is written by us. */
static void
open_again(const struct bgp_open *o)
{
	static uint8_t buf[BGP_MAX];
	size_t len = bgp_put_open(buf, o);
	struct bgp_error e;
	struct bgp_open back;

	if (bgp_read_open(rd_init(buf + BGP_HEADER, len - BGP_HEADER), &back, &e) < 0)
		abort();
	if (back.as != o->as || back.hold != o->hold || back.id != o->id)
		abort();
}

static void
take(uint8_t type, struct rd body)
{
	struct bgp_error e = { 0 };
	struct bgp_open o;
	enum bgp_afi afi = BGP_IP4;

	if (type == BGP_OPEN) {
		if (bgp_read_open(body, &o, &e) == 0)
			open_again(&o);
		else
			check_error(&e);
	} else if (type == BGP_UPDATE) {
		if (bgp_check_update(body, true, false, &e) < 0)
			check_error(&e);
		if (bgp_check_update(body, false, true, &e) < 0)
			check_error(&e);
	} else if (type == BGP_NOTIFICATION) {
		bgp_read_notification(body, &e);
		check_error(&e);
	} else if (type == BGP_REFRESH && bgp_read_refresh(body, &afi) && afi >= BGP_AFIS) {
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct bgp_error e;
	uint16_t len;
	uint8_t type;

	while (rd_left(&r) >= BGP_HEADER) {
		if (bgp_read_header(r, &len, &type, &e) < 0) {
			check_error(&e);
			return 0;
		}
		if (rd_left(&r) < len)
			return 0;
		rd_skip(&r, BGP_HEADER);
		take(type, rd_sub(&r, len - (size_t)BGP_HEADER));
	}
	return 0;
}
