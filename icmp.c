/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors (RFC 792, RFC 1191). They leave by a raw socket and not through the tun
 * device: their source is an address of this machine, and the kernel drops what comes
 * in with such a source. Rates are limited a second at a time. Called by data.c.
 */
#include "icmp.h"
#include "config.h"
#include "counter.h"
#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOO_BIG_PER_SECOND = 1000 };

/* Errors sent in the running second. */
struct budget {
	uint64_t second;
	unsigned int used;
};

static int raw_fd = -1;
static struct budget unreachable, too_big;

int
icmp_init(char *why, size_t why_size)
{
	raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (raw_fd < 0) {
		snprintf(why, why_size, "raw socket for ICMP: %s", strerror(errno));
		return -1;
	}
	return 0;
}

void
icmp_fini(void)
{
	if (raw_fd >= 0)
		close(raw_fd);
	raw_fd = -1;
}

static bool
within(struct budget *b, unsigned int per_second)
{
	uint64_t second = loop_now_ms() / 1000;

	if (b->second != second)
		*b = (struct budget){ .second = second };
	if (b->used >= per_second) {
		COUNT(icmp_limited);
		return false;
	}
	b->used++;
	return true;
}

static void
send_error(const struct ip4 *ip, uint8_t code, uint16_t mtu)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = ip->src };
	uint8_t buf[ICMP_ERROR_MAX];
	size_t len = ip4_icmp_error(buf, ip, config_tun_address(), code, mtu);

	if (len == 0)
		return;
	if (sendto(raw_fd, buf, len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len)
		COUNT(icmp_sent);
}

void
icmp_unreachable(const struct ip4 *ip)
{
	if (conf->icmp_rate && within(&unreachable, conf->icmp_rate))
		send_error(ip, ICMP_HOST, 0);
}

void
icmp_too_big(const struct ip4 *ip, uint16_t mtu)
{
	if (within(&too_big, TOO_BIG_PER_SECOND))
		send_error(ip, ICMP_FRAG_NEEDED, mtu);
}
