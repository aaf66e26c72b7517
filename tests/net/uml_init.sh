#!/bin/sh
# Process 1 of the user-mode Linux that uml.py boots: the host's files with private /dev, /run, /tmp, /etc/ppp;
# the PPP and L2TP modules; an address; then the agent.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc
mount -t sysfs sys /sys
for word in $(cat /proc/cmdline); do
	case $word in
	UML_DIR=* | UML_ADDR=*) export "$word" ;;
	esac
done
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts dev /dev/pts
ln -sf /proc/self/fd /dev/fd
for dir in /run /tmp /var/log /etc/ppp /etc/xl2tpd; do
	mount -t tmpfs none $dir
done
mkdir -p /run/host /run/lock
mount -t hostfs none /run/host -o "$UML_DIR"
modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in lib/crc-ccitt net/ipv6/ipv6 drivers/net/slip/slhc drivers/net/ppp/ppp_generic \
	drivers/net/ppp/ppp_async drivers/net/ppp/pppox drivers/net/ppp/pppoe net/ipv4/udp_tunnel \
	net/ipv6/ip6_udp_tunnel net/l2tp/l2tp_core net/l2tp/l2tp_ppp; do
	insmod $modules/$module.ko
done
[ -c /dev/ppp ] || mknod /dev/ppp c 108 0
hostname umlac
ip link set lo up
ip link set vec0 up
ip addr add "$UML_ADDR" dev vec0
# A PPP link makes a host route to the LNS; the tunnel's own packets must not follow it.
ip route add "${UML_ADDR%.*.*}.0.0/16" dev vec0 table 50
ip rule add to "${UML_ADDR%.*.*}.0.0/16" lookup 50 pref 1000
for conf in /proc/sys/net/ipv4/conf/*/rp_filter; do
	echo 0 >$conf
done
exec /usr/bin/python3 /run/host/uml_agent.py
