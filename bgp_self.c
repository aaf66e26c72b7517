/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who we are to BGP neighbours: the AS we run as, the identifier, and the address to connect
 * from. Both are this member's own where it has one, since bind_address is the same on all
 * members of a cluster (SPEC 14). The identifier itself stands in bgp_view.c's memory.
 */
#include "bgp_self.h"
#include "bgp_view.h"
#include "config.h"
#include "ifaddr.h"
#include "log.h"
#include "util.h"

static uint32_t running_as;

static bool
is_shared(uint32_t addr)
{
	return config_is_own_address(addr);
}

/* Loopback's would be the same on all members (cluster_interface may be that). */
static bool
tells_nothing(uint32_t addr)
{
	return is_shared(addr) || (ntohl(addr) >> 24) == IN_LOOPBACKNET;
}

static void
choose_id(void)
{
	uint32_t id = ifaddr_first(conf->cluster_interface, tells_nothing);

	if (!id)
		id = ifaddr_first(NULL, tells_nothing);
	if (!id)
		id = conf->bind_address;
	if (id != bgp_router_id())
		plog(LOG_INFO, "bgp: AS %u, identifier %s", running_as, ip4_text(id));
	bgp_view_set_id(id);
}

void
bgp_self_begin(uint32_t as)
{
	running_as = as;
	if (as)
		choose_id();
}

uint32_t
bgp_self_as(void)
{
	return running_as;
}

bool
bgp_self_has_id(bool known)
{
	uint32_t id = bgp_router_id();

	if (!known && (!id || is_shared(id)))
		choose_id();
	return bgp_router_id() != 0;
}

bool
bgp_self_source(const char *update_source, const union bgp_addr *to, union bgp_addr *source)
{
	uint32_t own;

	if (bgp_addr_parse(update_source, source))
		return true;
	if (to->sa.sa_family != AF_INET || !bgp_tcp_source(to, source) ||
	    !is_shared(source->in.sin_addr.s_addr))
		return false;
	own = ifaddr_beside(source->in.sin_addr.s_addr, tells_nothing);
	source->in.sin_addr.s_addr = own;
	return own != 0;
}

uint32_t
bgp_self_next_hop(const union bgp_addr *own)
{
	uint32_t addr;

	if (own->sa.sa_family == AF_INET)
		return own->in.sin_addr.s_addr;
	addr = ifaddr_beside6(&own->in6.sin6_addr, tells_nothing);
	return addr ? addr : bgp_router_id();
}
