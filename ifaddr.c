/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * getifaddrs(3): one dump of the kernel's list, which does not wait for anybody. For BGP
 * (router identifier), gratuitous ARP and `show cluster`; not for what happens often.
 */
#include "ifaddr.h"
#include "util.h"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t
address_of(const struct ifaddrs *i)
{
	struct sockaddr_in in;

	if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
		return 0;
	memcpy(&in, i->ifa_addr, sizeof(in));
	return in.sin_addr.s_addr;
}

/* An address may have a label in the place of the name: "eth0:1" is of eth0. */
static bool
is_name_of(const struct ifaddrs *i, const char *interface)
{
	size_t len = strcspn(i->ifa_name, ":");

	return strlen(interface) == len && memcmp(i->ifa_name, interface, len) == 0;
}

static bool
is_of(const struct ifaddrs *i, const char *interface)
{
	return interface ? is_name_of(i, interface) : !(i->ifa_flags & IFF_LOOPBACK);
}

static uint32_t
first_of(const struct ifaddrs *i, const char *interface, bool (*is_shared)(uint32_t addr))
{
	uint32_t addr;

	for (; i; i = i->ifa_next) {
		addr = is_of(i, interface) ? address_of(i) : 0;
		if (addr && (!is_shared || !is_shared(addr)))
			return addr;
	}
	return 0;
}

uint32_t
ifaddr_first(const char *interface, bool (*is_shared)(uint32_t addr))
{
	struct ifaddrs *list;
	uint32_t found;

	if (getifaddrs(&list) < 0)
		return 0;
	found = first_of(list, interface, is_shared);
	freeifaddrs(list);
	return found;
}

static bool
has_address(const struct ifaddrs *i, const void *addr)
{
	uint32_t other = address_of(i);

	return other && memcmp(&other, addr, sizeof(other)) == 0;
}

static bool
has_address6(const struct ifaddrs *i, const void *addr)
{
	struct sockaddr_in6 in6;

	if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6)
		return false;
	memcpy(&in6, i->ifa_addr, sizeof(in6));
	return memcmp(&in6.sin6_addr, addr, sizeof(in6.sin6_addr)) == 0;
}

/* The first on an interface of which `has` says so. */
static uint32_t
beside(bool (*has)(const struct ifaddrs *i, const void *addr), const void *addr,
    bool (*is_shared)(uint32_t addr))
{
	char name[IF_NAMESIZE];
	struct ifaddrs *list, *i;
	uint32_t found = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (i = list; i && !found; i = i->ifa_next) {
		if (!has(i, addr))
			continue;
		str_copy_n(name, sizeof(name), i->ifa_name, strcspn(i->ifa_name, ":"));
		found = first_of(list, name, is_shared);
	}
	freeifaddrs(list);
	return found;
}

uint32_t
ifaddr_beside(uint32_t addr, bool (*is_shared)(uint32_t addr))
{
	return beside(has_address, &addr, is_shared);
}

uint32_t
ifaddr_beside6(const struct in6_addr *addr, bool (*is_shared)(uint32_t addr))
{
	return beside(has_address6, addr, is_shared);
}

static bool
hardware_of(const struct ifaddrs *list, const struct ifaddrs *owner, int *ifindex, uint8_t mac[6])
{
	struct sockaddr_ll ll;

	for (; list; list = list->ifa_next) {
		if (!list->ifa_addr || list->ifa_addr->sa_family != AF_PACKET ||
		    !is_name_of(owner, list->ifa_name))
			continue;
		memcpy(&ll, list->ifa_addr, sizeof(ll));
		if (ll.sll_hatype != ARPHRD_ETHER || ll.sll_halen != 6)
			continue;
		*ifindex = ll.sll_ifindex;
		memcpy(mac, ll.sll_addr, 6);
		return true;
	}
	return false;
}

bool
ifaddr_ethernet(uint32_t addr, int *ifindex, uint8_t mac[6])
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next)
		found = address_of(i) == addr && hardware_of(list, i, ifindex, mac);
	freeifaddrs(list);
	return found;
}
