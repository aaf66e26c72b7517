/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one tun device (Linux Documentation/networking/tuntap.rst), without packet
 * information header. It is read until it has no more or a batch is full. Address,
 * MTU and routes are rtnl.c's.
 */
#include "tundev.h"
#include "config.h"
#include "counter.h"
#include "log.h"
#include "loop.h"
#include "shm.h"
#include "udp.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TURN_PACKETS = 512 };

static int tun_fd = -1;
static unsigned int ifindex;
static uint8_t *in_buf;
static struct pkt in_pkt[UDP_BATCH];
static tundev_input_fn input_fn;

static unsigned int
read_batch(uint64_t *bytes)
{
	unsigned int i;
	ssize_t n;

	for (i = 0; i < UDP_BATCH; i++) {
		uint8_t *data = in_buf + (size_t)i * PKT_SIZE + PKT_HEADROOM;

		n = read(tun_fd, data, PKT_SIZE - PKT_HEADROOM);
		if (n <= 0)
			break;
		in_pkt[i].data = data;
		in_pkt[i].len = (uint16_t)n;
		*bytes += (uint64_t)n;
	}
	return i;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int n, total = 0, most = MAX(conf->multi_read_count, TURN_PACKETS);
	uint64_t bytes = 0;

	(void)fd;
	(void)arg;
	do {
		udp_flush(); /* the buffers may still be queued */
		n = read_batch(&bytes);
		input_fn(in_pkt, n);
		total += n;
	} while (n == UDP_BATCH && total < most);
	COUNT_ADD(tun_rx_packets, total);
	COUNT_ADD(tun_rx_bytes, bytes);
	if (total > 1)
		COUNT(multi_read_used);
	if (n == UDP_BATCH)
		COUNT(multi_read_exceeded);
}

int
tundev_init(const char *name, tundev_input_fn input, char *why, size_t why_size)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	input_fn = input;
	in_buf = shm_map_parent("tun input", (size_t)UDP_BATCH * PKT_SIZE);
	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	tun_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun_fd < 0) {
		snprintf(why, why_size, "/dev/net/tun: %s", strerror(errno));
		return -1;
	}
	if (ioctl(tun_fd, TUNSETIFF, &ifr) < 0) {
		snprintf(why, why_size, "tun device %s: %s", name, strerror(errno));
		return -1;
	}
	ifindex = if_nametoindex(ifr.ifr_name);
	if (ifindex == 0 || loop_add(tun_fd, on_readable, NULL) < 0) {
		snprintf(why, why_size, "tun device %s cannot be used", name);
		return -1;
	}
	return 0;
}

void
tundev_fini(void)
{
	if (tun_fd < 0)
		return;
	loop_del(tun_fd);
	close(tun_fd);
	tun_fd = -1;
}

unsigned int
tundev_ifindex(void)
{
	return ifindex;
}

void
tundev_write(const void *data, size_t len)
{
	if (write(tun_fd, data, len) < 0) {
		COUNT(tun_tx_errors);
		plog_limit(LOG_WARNING, "tun device: %s", strerror(errno));
		return;
	}
	COUNT(tun_tx_packets);
	COUNT_ADD(tun_tx_bytes, len);
}
