"""BGP with real routers, what is less usual: link-local and signed IPv6, old routers, several at once with policies of
their own, connections that cross, and each state of RFC 4271 8 as a router's trouble brings it about."""

import signal
import socket
import struct

import pytest

from netns import wait_for
from routers import Bird, Frr
from test_bgp import USERS, bgp, bird_conf, frr_conf, has, shown, wait_state
from test_bgp_speaker import OURS6, PREFIXES, THEIRS6, Speaker, link_local, network, tell  # noqa: F401

def advertise(ns, device, address):
    """A Router Advertisement of one."""
    sock = ns.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with ns:
        index = socket.if_nametoindex(device)
    with sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.bind((address, 0, 0, index))
        return sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))


# ---------------------------------------------------------------------------- IPv6

@pytest.mark.parametrize("password", [False, True])
def test_link_local_frr(network, tmp_path_factory, password):  # noqa: F811
    """FRR's way: a peer is an interface, and its address who advertises itself as a router there (RFC 4861 4.2)."""
    lines, more = (["password s3cret"], ["neighbor lns password s3cret"]) if password else ([], [])
    network.core.ip("addr flush dev lns scope link", "addr add fe80::b/64 dev lns nodad")
    network.lns.ip("addr flush dev core scope link", "addr add fe80::a/64 dev core nodad")
    conf = frr_conf(peer="lns", more=more).replace("neighbor lns remote-as", "neighbor lns interface v6only remote-as")
    router = Frr(network.core, tmp_path_factory.mktemp("frr"), conf, zebra=True)
    speaker = Speaker(network, tmp_path_factory.mktemp("speaker"), *bgp(*lines, peer="fe80::b%core"))
    tell(speaker)
    wait_for(lambda: advertise(network.lns, "core", "fe80::a") and router.up("lns"), "BGP with FRR", 40)
    wait_for(lambda: set(router.routes("ipv6")) == PREFIXES, "the routes")
    wait_for(lambda: {line.split()[0] for line in network.core.run("ip", "-6", "route").splitlines()
                      if "via fe80::a dev lns proto bgp" in line} == {one.replace("/128", "") for one in PREFIXES}, "the kernel's routes")
    assert "10.9.0.0/24 " in network.core.run("ip", "route", "show", "via", "10.2.0.1")
    speaker.stop()
    wait_for(lambda: not router.routes("ipv6") and "proto bgp" not in network.core.run("ip", "-6", "route"), "their end")


@pytest.fixture
def over_ipv6(plant):
    """A daemon, and the router that `make` makes, over IPv6 and signed."""
    plant.network.lns.ip("addr add %s/64 dev core nodad" % OURS6)
    plant.network.core.ip("addr add %s/64 dev lns nodad" % THEIRS6)
    return lambda: plant.lns(local_users=USERS, extra=bgp("password s3cret", peer=THEIRS6))


def check_signed(daemon, router, peer):
    """RFC 2385 whoever connects: `restart` makes us do it, as the router has to wait then."""
    router.wait_up(*peer, timeout=40)
    wait_for(lambda: set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}, "the routes")
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] > 1 and router.up(*peer), "the second time", 40)
    daemon.stop()


def test_signed_ipv6_bird(plant, over_ipv6):
    daemon = over_ipv6()
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(
        local=THEIRS6, peer=OURS6, options='password "s3cret";')))
    check_signed(daemon, router, ())


def test_signed_ipv6_frr(plant, over_ipv6):
    daemon = over_ipv6()
    router = plant.keep(Frr(plant.network.core, plant.folder("frr"), frr_conf(
        peer=OURS6, more=["neighbor %s password s3cret" % OURS6])))
    check_signed(daemon, router, (OURS6, ))


# ---------------------------------------------------------------------------- one who knows two octets of an AS

def test_old_frr(plant):
    """RFC 6793: what he hears of us has AS_TRANS; that he checks our capability nevertheless is his own affair."""
    daemon = plant.lns(local_users=USERS, extra=bgp(ours=4200000001))
    router = plant.keep(Frr(plant.network.core, plant.folder("frr"), frr_conf(
        ours=4200000001, more=["neighbor 10.2.0.1 dont-capability-negotiate"])))
    router.wait_up(timeout=40)
    wait_for(lambda: set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}, "the routes")
    assert router.route("10.9.0.0/24")["paths"][0]["aspath"]["string"] == "23456"
    assert not shown(daemon)[0]["ipv6"]
    daemon.stop()


# ---------------------------------------------------------------------------- several at once

def test_neighbours_with_policies_of_their_own(plant):
    """Three routers, two families, inside and outside of our AS: each has its own MED and communities, is suspended,
    restarted and changed alone, and its death is nobody else's. They do not connect, lest connections cross."""
    network = plant.network
    network.lns.ip("addr add %s/64 dev core nodad" % OURS6)
    network.core.ip("addr add %s/64 dev lns nodad" % THEIRS6)
    daemon = plant.lns(local_users=USERS, extra=bgp("med 5", "community 64512:1 64512:2") +
                       bgp("community none", "timers 3 9", peer="10.2.0.3", theirs=4200000002)[1:] +
                       bgp(peer=THEIRS6, theirs=64512)[1:])
    first = plant.keep(Bird(network.core, plant.folder("bird"), bird_conf(options="strict bind; passive;")))
    second = plant.keep(Frr(network.core, plant.folder("frr"), frr_conf(
        theirs=4200000002, more=["neighbor 10.2.0.1 update-source 10.2.0.3", "neighbor 10.2.0.1 passive"]), address="10.2.0.3"))
    third = plant.keep(Bird(network.core, plant.folder("third"), bird_conf(
        theirs=64512, local=THEIRS6, peer=OURS6, options="strict bind; passive;"), router_id="10.2.0.4"))
    for router in first, third:
        router.wait_up(timeout=40)
        has(router, "10.1.0.1/32", "10.9.0.0/24")
    second.wait_up(timeout=40)
    wait_for(lambda: set(second.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}, "the routes")

    def marks(router):
        route = router.routes()["10.9.0.0/24"]
        return route["as_path"], route["med"], route.get("community")
    assert marks(first) == ("64512", "5", "(64512,1) (64512,2)")
    assert marks(third) == ("", "1", "(65535,65281)")
    path = second.route("10.9.0.0/24")["paths"][0]
    assert (path["aspath"]["string"], path["metric"], path.get("community")) == ("64512", 1, None)

    daemon.run("suspend bgp 10.2.0.3")
    wait_for(lambda: not second.routes(), "the end of his routes")
    for line in "configure terminal", "router bgp 64512", "neighbour %s med 77" % THEIRS6, "exit", "exit":
        daemon.run(line)
    wait_for(lambda: marks(third)[1] == "77", "the new MED")
    daemon.run("restart bgp 10.2.0.2")
    wait_for(lambda: shown(daemon, "10.2.0.2")[0]["times_established"] == 2 and first.up(), "his second time", 40)
    has(first, "10.1.0.1/32", "10.9.0.0/24")
    assert marks(first)[1] == "5" and not second.routes() and second.up()
    daemon.run("no suspend bgp 10.2.0.3")
    wait_for(lambda: len(second.routes()) == 2, "his routes again")
    second.process.kill()
    wait_state(daemon, "Idle", "10.2.0.3")
    assert [(one["times_established"], one["state"] == "Established") for one in shown(daemon)] == [
        (2, True), (1, False), (1, True)]
    daemon.stop()


# ---------------------------------------------------------------------------- both sides open at once

@pytest.mark.parametrize("router_id", ["10.0.0.1", "10.250.0.1"])
@pytest.mark.parametrize("make,conf", [(Bird, bird_conf()), (Frr, frr_conf())], ids=["BIRD", "FRR"])
def test_crossing(plant, make, conf, router_id):
    """RFC 4271 6.8 with a real router: both connections are open before either OPEN comes through. One is left at both
    ends, or none when each has closed the other's, for what is Established here may not be there yet; then the next.
    Who sees the collision first closes the other connection: we with the code for it, or he, perhaps by a reset."""
    network = plant.network
    opens = ("INPUT", "-p", "tcp", "-m", "length", "--length", "72:1500", "-m", "multiport", "--ports", "179", "-j", "DROP")
    for ns in network.core, network.lns:
        ns.run("iptables", "-A", *opens)
    daemon = plant.lns({"debug": 4, "cluster_interface": "core"}, local_users=USERS, extra=bgp())
    router = plant.keep(make(network.core, plant.folder("router"), conf, router_id=router_id))
    daemon.wait_log(r"bgp 10.2.0.2: \w+ --connected--> OpenSent", timeout=40)
    daemon.wait_log(r"bgp 10.2.0.2 \(his\): \w+ --connected--> OpenSent", timeout=40)
    before = len(daemon.process.lines)
    for ns in network.core, network.lns:
        ns.run("iptables", "-D", *opens)
    daemon.wait_log(r"Cease/Connection Collision Resolution|bgp 10.2.0.2.*: Open\w+ --(connection lost|NOTIFICATION)--> ",
                    before, timeout=40)
    wait_for(lambda: router.up() and len(router.routes()) == 2, "the routes", 40)
    daemon.run("suspend bgp")
    wait_for(lambda: not router.routes(), "their end")
    assert router.up() and shown(daemon)[0]["times_established"] <= 2
    daemon.stop()


# ---------------------------------------------------------------------------- RFC 4271 8: each state

def test_each_state(plant):
    """What a router's trouble brings about: nobody listens, nothing comes through, he says nothing, he dies in the
    middle of it, his KEEPALIVE is lost; and then all is well."""
    network = plant.network
    network.core.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "179", "--syn", "-j", "DROP")
    daemon = plant.lns(local_users=USERS, extra=bgp())
    wait_state(daemon, "Connect")
    network.core.run("iptables", "-F", "INPUT")
    wait_state(daemon, "Idle", timeout=40)  # the next SYN of the same attempt is refused
    assert "refused" in shown(daemon)[0]["last_error"]
    router = plant.keep(Bird(network.core, plant.folder("bird"), bird_conf(options="passive;")))
    router.process.send_signal(signal.SIGSTOP)  # his kernel takes the connection
    wait_state(daemon, "OpenSent", timeout=40)
    router.process.kill()
    wait_state(daemon, "Active")
    keepalive = ("INPUT", "-i", "core", "-p", "tcp", "-m", "length", "--length", "71", "-j", "DROP")
    network.lns.run("iptables", "-A", *keepalive)
    router.start()
    wait_state(daemon, "OpenConfirm", timeout=40)
    network.lns.run("iptables", "-D", *keepalive)
    wait_state(daemon, "Established")
    has(router, "10.1.0.1/32", "10.9.0.0/24")
    assert shown(daemon)[0]["times_established"] == 1
    daemon.stop()
