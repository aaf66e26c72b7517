/*
 * Attaching a session to a tun device: its packets go to the kernel of the LAC's namespace, so
 * that ping, iperf3 or a browser can be the subscriber. It gets no route: the LNS's PPP address is
 * often that of the tunnel too, which would then lead into itself. The device is gone with the
 * process.
 */
#include "attach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inner.h"
#include "net.h"

enum { MAX_FDS = 4096, PER_TURN = 64 };

static struct session *by_fd[MAX_FDS];

static void
readable(int fd)
{
	uint8_t buf[MAX_SIZE];
	struct session *s = by_fd[fd];
	ssize_t n;
	int i;

	for (i = 0; i < PER_TURN; i++) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return;
		if (s->state == S_UP && buf[0] >> 4 == 4)
			inner_send_packet(s, buf, (size_t)n);
	}
}

void
attach_output(struct session *s, const uint8_t *p, size_t n)
{
	totals.rx_other++;
	if (write(s->tun_fd, p, n) != (ssize_t)n)
		totals.rx_corrupt++;
}

static bool
set_address(int sk, struct ifreq *ifr, unsigned long request, uint32_t addr)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	sin.sin_addr.s_addr = htonl(addr);
	memcpy(&ifr->ifr_addr, &sin, sizeof(sin));
	return ioctl(sk, request, ifr) == 0;
}

static bool
configure(struct session *s, struct ifreq *ifr)
{
	int sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = sk >= 0 && set_address(sk, ifr, SIOCSIFADDR, s->ip) &&
		  set_address(sk, ifr, SIOCSIFNETMASK, 0xffffffff);

	ifr->ifr_mtu = s->peer_mru < s->mru || !s->mru ? s->peer_mru : s->mru;
	ok = ok && ioctl(sk, SIOCSIFMTU, ifr) == 0;
	ifr->ifr_flags = IFF_UP | IFF_POINTOPOINT | IFF_NOARP;
	ok = ok && ioctl(sk, SIOCSIFFLAGS, ifr) == 0;
	if (sk >= 0)
		close(sk);
	return ok;
}

bool
attach_session(struct session *s, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd, saved;

	if (s->tun_fd) {
		errno = EBUSY;
		return false;
	}
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (fd >= MAX_FDS || ioctl(fd, TUNSETIFF, &ifr) < 0 || !configure(s, &ifr)) {
		saved = errno;
		close(fd);
		errno = saved;
		return false;
	}
	by_fd[fd] = s;
	s->tun_fd = fd;
	net_watch(fd, readable);
	return true;
}

void
attach_detach(struct session *s)
{
	if (!s->tun_fd)
		return;
	net_unwatch(s->tun_fd);
	by_fd[s->tun_fd] = NULL;
	close(s->tun_fd);
	s->tun_fd = 0;
}
