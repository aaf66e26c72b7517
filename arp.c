/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 5227 2.3: an ARP request in which sender and target are our address, to all. It
 * is sent REPEATS times, EVERY_MS apart, in case a switch is not awake yet. The socket
 * is made for each and closed: it would be handed everything else that is ARP.
 *
 * Called by l2tpns.c at each change of the role: the master's are the bind addresses
 * (SPEC 13), also of a cluster of one.
 */
#include "arp.h"
#include "config.h"
#include "counter.h"
#include "ifaddr.h"
#include "log.h"
#include "timer.h"
#include "util.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPEATS = 3, EVERY_MS = 1000, ARP_SIZE = 28, MAC = 6 };

static struct timer repeat_timer;

static size_t
make(uint8_t buf[ARP_SIZE], uint32_t addr, const uint8_t mac[MAC])
{
	static const uint8_t nobody[MAC];
	struct wr w = wr_init(buf, ARP_SIZE);

	wr_u16(&w, ARPHRD_ETHER);
	wr_u16(&w, ETHERTYPE_IP);
	wr_u8(&w, MAC);
	wr_u8(&w, sizeof(addr));
	wr_u16(&w, ARPOP_REQUEST);
	wr_bytes(&w, mac, MAC);
	wr_be32(&w, addr);
	wr_bytes(&w, nobody, MAC);
	wr_be32(&w, addr);
	return wr_len(&w);
}

static int
tell(int fd, uint32_t addr)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_ARP), .sll_halen = MAC
	};
	uint8_t mac[MAC], buf[ARP_SIZE];
	size_t len;

	if (!ifaddr_ethernet(addr, &to.sll_ifindex, mac))
		return 0;
	memset(to.sll_addr, 0xff, MAC);
	len = make(buf, addr, mac);
	if (sendto(fd, buf, len, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	COUNT(arp_sent);
	return 0;
}

static void
on_repeat(uint32_t round)
{
	uint32_t addrs[CONF_OWN_ADDRESSES];
	unsigned int i, n = config_bind_addresses(addrs, CONF_OWN_ADDRESSES);
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (i = 0; fd >= 0 && i < n; i++)
		if (addrs[i] && tell(fd, addrs[i]) < 0)
			plog(LOG_ERROR, "gratuitous ARP for %s: %s", ip4_text(addrs[i]),
			    strerror(errno));
	if (fd < 0)
		plog(LOG_ERROR, "gratuitous ARP: %s", strerror(errno));
	else
		close(fd);
	if (round >= REPEATS)
		return;
	timer_init(&repeat_timer, on_repeat, round + 1);
	timer_set(&repeat_timer, EVERY_MS);
}

void
arp_announce(void)
{
	timer_stop(&repeat_timer);
	if (conf->send_garp && !conf->bgp_as)
		on_repeat(1);
}

void
arp_stop(void)
{
	timer_stop(&repeat_timer);
}
