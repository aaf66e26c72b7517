"""BGP with real routers: BIRD 2 and FRR in the core, and what a router of ours can do that they will not."""

import json
import os
import shutil
import signal
import socket
import struct
import tempfile

import pytest

import pylac
from bgppeer import (AS_PATH, GOOD, KEEPALIVE, NEXT_HOP, NOTIFICATION, OPEN, ORIGIN, REFRESH, UPDATE, Peer, attribute,
                     capabilities, capability, message, open_message, parse_update, update)
from clac import CLac
from fakeradius import FRAMED_IP, FRAMED_ROUTE, FakeRadius
from fakeradius import attribute as attr
from netns import wait_for
from routers import Bird, Frr
from test_radius import Site, accepted

USERS = {"joe": "secret"}
AS, THEIRS = 64512, 64513

BIRD = """protocol bgp lns {{
    local {local} as {theirs};
    neighbor {peer} as {ours};
    connect retry time 1;
    connect delay time 1;
    error wait time 1, 2;
    hold time {hold};
    {options}
    ipv4 {{ import all; export none; {ipv4} }};
    ipv6 {{ import all; export none; }};
}}
"""


def bird_conf(ours=AS, theirs=THEIRS, local="10.2.0.2", peer="10.2.0.1", hold=90, options="", ipv4=""):
    return BIRD.format(ours=ours, theirs=theirs, local=local, peer=peer, hold=hold, options=options, ipv4=ipv4)


def frr_conf(ours=AS, theirs=THEIRS, peer="10.2.0.1", more=()):
    lines = ["router bgp %d" % theirs, " bgp router-id {id}", " no bgp ebgp-requires-policy", " timers bgp 3 9",
             " neighbor %s remote-as %d" % (peer, ours), " neighbor %s timers connect 1" % peer,
             " address-family ipv6 unicast", "  neighbor %s activate" % peer, " exit-address-family"]
    return "\n".join(lines + [" " + one for one in more]) + "\n"


IDENTIFIED = {"cluster_interface": "core"}  # its address there is what a member calls itself: 10.2.0.1


def bgp(*lines, ours=AS, theirs=THEIRS, peer="10.2.0.2"):
    return ["router bgp %d" % ours, " neighbour %s remote-as %d" % (peer, theirs)] + [
        " neighbour %s %s" % (peer, line) for line in lines]


def shown(daemon, peer=""):
    return json.loads("\n".join(daemon.run("show bgp %s json" % peer)))["peers"]


def wait_state(daemon, state="Established", peer="", timeout=20):
    wait_for(lambda: shown(daemon, peer)[0]["state"] == state, state, timeout)


@pytest.fixture
def site(plant):
    def make(*lines, settings=None, bird=None, pool=("10.9.0.0/24",), start=True, **kwargs):
        daemon = plant.lns(settings, local_users=USERS, pool=pool, extra=bgp(*lines, **kwargs))
        if not start:
            return daemon, None
        router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird or bird_conf(**kwargs)))
        router.wait_up()
        return daemon, router
    return make


def has(router, *prefixes):
    wait_for(lambda: set(router.routes()) >= set(prefixes), "routes %s" % (prefixes,))


def has_not(router, *prefixes):
    wait_for(lambda: not set(router.routes()) & set(prefixes), "the end of %s" % (prefixes,))


# ---------------------------------------------------------------------------- routes

@pytest.mark.san
def test_bird(site):
    """What we announce, in BIRD's table: bind_address and pool, as 2.4.1 announced them."""
    daemon, router = site()
    has(router, "10.1.0.1/32", "10.9.0.0/24")
    assert set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}
    route = router.routes()["10.9.0.0/24"]
    assert route == {"origin": "IGP", "as_path": "64512", "next_hop": "10.2.0.1", "med": "1", "local_pref": "100",
                     "community": "(65535,65281)"}
    now = shown(daemon)[0]
    assert (now["state"], now["retries"], now["retry_in_seconds"], now["router_id"]) == ("Established", 0, 0, "10.2.0.2")
    daemon.stop()


def test_frr(plant):
    """The same in FRR's, with End-of-RIB of both families."""
    daemon = plant.lns(local_users=USERS, extra=bgp())
    router = plant.keep(Frr(plant.network.core, plant.folder("frr"), frr_conf()))
    router.wait_up()
    wait_for(lambda: set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}, "the routes")
    path = router.route("10.9.0.0/24")["paths"][0]
    assert path["aspath"]["string"] == "64512" and path["origin"] == "IGP" and path["metric"] == 1
    assert path["community"]["string"] == "no-export"
    assert path["nexthops"][0]["ip"] == "10.2.0.1"
    restart = router.neighbours()["10.2.0.1"]["gracefulRestartInfo"]
    assert restart["remoteGrMode"] in ("Restart", "Helper"), restart
    assert shown(daemon)[0]["hold_seconds"] == 9 and shown(daemon)[0]["keepalive_seconds"] == 3
    daemon.stop()


@pytest.fixture
def frr(plant):
    """The daemon and FRR, met."""
    def make(*lines, more=(), theirs=THEIRS, ours=AS):
        daemon = plant.lns(local_users=USERS, extra=bgp(*lines, theirs=theirs, ours=ours))
        router = plant.keep(Frr(plant.network.core, plant.folder("frr"), frr_conf(ours, theirs, more=more)))
        router.wait_up(timeout=40)
        wait_for(lambda: set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}, "the routes")
        return daemon, router
    return make


def way(router):
    return router.route("10.9.0.0/24")["paths"][0]


def test_frr_attributes(frr):
    """MED and communities, and their change; suspend and resume; End-of-RIB has come of both families."""
    daemon, router = frr("med 70", "community 64512:1 no-peer")
    assert way(router)["metric"] == 70
    assert way(router)["community"]["string"] in ("64512:1 no-peer", "64512:1 65535:65284")
    wait_for(lambda: all(router.neighbours()["10.2.0.1"]["gracefulRestartInfo"][family]["endOfRibStatus"]["endOfRibRecv"]
                         for family in ("ipv4Unicast", "ipv6Unicast")), "End-of-RIB")
    for line in ("configure terminal", "router bgp 64512", "neighbour 10.2.0.2 med 0",
                 "neighbour 10.2.0.2 community none", "exit", "exit"):
        daemon.run(line)
    wait_for(lambda: way(router).get("metric") == 0, "the new MED")
    assert "community" not in way(router)
    daemon.run("suspend bgp")
    wait_for(lambda: not router.routes(), "the end of the routes")
    daemon.run("no suspend bgp")
    wait_for(lambda: len(router.routes()) == 2, "the routes again")
    told = shown(daemon)[0]["routes_announced"]
    router.vtysh("clear bgp ipv4 unicast 10.2.0.1 in")
    wait_for(lambda: shown(daemon)[0]["routes_announced"] == told + 2, "what it asks for again")
    assert shown(daemon)[0]["times_established"] == 1
    daemon.stop()
    router.wait_down()
    assert router.neighbours()["10.2.0.1"]["lastShutdownDescription"] == "l2tpns stops"


def test_frr_password(frr):
    daemon, router = frr("password s3cret", more=["neighbor 10.2.0.1 password s3cret"])
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time", 40)
    daemon.stop()


@pytest.mark.parametrize("ours,theirs", [(4200000001, 64513), (4200000001, 4200000002), (64512, 64512)])
def test_frr_as(frr, ours, theirs):
    daemon, router = frr(ours=ours, theirs=theirs)
    assert way(router)["aspath"]["string"] == ("Local" if ours == theirs else str(ours))
    if ours == theirs:
        assert way(router)["locPrf"] == 100
    daemon.stop()


def test_frr_our_death(frr):
    """A router that helps those who restart keeps nothing of ours: we have promised no family."""
    daemon, router = frr(more=["bgp graceful-restart", "bgp graceful-restart stalepath-time 300"])
    daemon.process.kill()
    wait_for(lambda: not router.routes(), "the end of the routes")


def test_bird_our_death(site):
    daemon, router = site(bird=bird_conf(options="graceful restart; graceful restart time 300; long lived graceful restart;"))
    has(router, "10.9.0.0/24", "10.1.0.1/32")
    daemon.process.kill()
    wait_for(lambda: not router.routes(), "the end of the routes")


def test_frr_two_members(plant):
    """ECMP: both paths are used, and the one that is left when a member goes."""
    network = plant.network
    second = second_member(network)
    one = plant.lns(local_users=USERS, extra=bgp())
    other = plant.lns(local_users=USERS, extra=bgp(peer="10.3.0.2"), ns=second)
    router = plant.keep(Frr(network.core, plant.folder("frr"), frr_conf(more=[
        "neighbor 10.3.0.1 remote-as 64512", "neighbor 10.3.0.1 timers connect 1", "maximum-paths 4"])))

    def hops():
        return sorted(p["nexthops"][0]["ip"] for p in router.route("10.9.0.0/24").get("paths", ()) if p.get("multipath") or
                      p.get("bestpath", {}).get("overall"))
    wait_for(lambda: hops() == ["10.2.0.1", "10.3.0.1"], "two next hops", 40)
    one.stop()
    wait_for(lambda: hops() == ["10.3.0.1"], "the other alone")
    other.stop()
    wait_for(lambda: not router.routes(), "the end of the route")


def test_attributes(site):
    """MED and communities as configured; a change is announced on the connection there is."""
    daemon, router = site("med 70", "community 64512:1 no-peer")
    has(router, "10.9.0.0/24")
    route = router.routes()["10.9.0.0/24"]
    assert (route["med"], route["community"]) == ("70", "(64512,1) (65535,65284)")
    daemon.run("configure terminal")
    for line in "router bgp 64512", "neighbour 10.2.0.2 med 0", "neighbour 10.2.0.2 community none":
        daemon.run(line)
    daemon.run("exit")
    daemon.run("exit")
    wait_for(lambda: router.routes()["10.9.0.0/24"].get("med") == "0", "the new MED")
    assert "community" not in router.routes()["10.9.0.0/24"]
    assert shown(daemon)[0]["times_established"] == 1


def test_next_hop(site):
    daemon, router = site(settings={"nexthop_address": "10.2.0.77"})
    has(router, "10.9.0.0/24")
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.77"
    daemon.set("set nexthop_address 10.2.0.1")
    daemon.set("set nexthop6_address 2001:db8::1")
    wait_for(lambda: router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.1", "the new next hop")
    assert shown(daemon)[0]["times_established"] == 1


def test_each_bind_address(site):
    daemon, router = site(settings={"bind_multi_address": "10.1.0.1,10.1.0.11"})
    has(router, "10.1.0.1/32", "10.1.0.11/32", "10.9.0.0/24")


def test_own_address(plant):
    """Where the kernel would speak from the shared address we take our own; it is the identifier, too."""
    plant.network.lns.ip("addr add 10.2.0.50/16 dev core")
    daemon = plant.lns({"bind_address": "10.2.0.1", **IDENTIFIED}, local_users=USERS, extra=bgp())
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(peer="10.2.0.50", options="passive;")))
    router.wait_up(timeout=40)
    has(router, "10.2.0.1/32", "10.9.0.0/24")
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.50"
    assert json.loads("\n".join(daemon.run("show bgp json")))["router_id"] == "10.2.0.50"
    daemon.stop()


def test_only_address(plant):
    """Where the interface has no other, it is bind_address we speak from, and not one of another interface."""
    daemon = plant.lns({"bind_address": "10.2.0.1", "cluster_interface": "lac"}, local_users=USERS, extra=bgp())
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(options="passive;")))
    router.wait_up(timeout=40)
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.1"
    daemon.stop()


def test_late_address(plant):
    """The machine gets its address later than we start: it becomes our identifier all the same."""
    lns = plant.network.lns
    lns.ip("addr flush dev lac", "addr flush dev core", "addr add 10.1.0.1/16 dev lac")
    daemon = plant.lns(IDENTIFIED, local_users=USERS, extra=bgp())
    wait_for(lambda: "unreachable" in shown(daemon)[0]["last_error"], "a try")
    lns.ip("addr add 10.2.0.1/16 dev core")
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf()))
    router.wait_up(timeout=40)
    assert json.loads("\n".join(daemon.run("show bgp json")))["router_id"] == "10.2.0.1"
    daemon.stop()


def test_update_source_that_vanishes(plant):
    """It cannot be connected from; when the address is back, all is well again."""
    lns = plant.network.lns
    lns.ip("addr add 10.2.0.50/32 dev core")
    daemon = plant.lns(local_users=USERS, extra=bgp("update-source 10.2.0.50"))
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(peer="10.2.0.50", options="passive;")))
    router.wait_up(timeout=40)
    lns.ip("addr del 10.2.0.50/32 dev core")
    daemon.run("restart bgp")
    wait_for(lambda: "Cannot assign" in shown(daemon)[0]["last_error"], "the reason")
    lns.ip("addr add 10.2.0.50/32 dev core")
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time", 40)
    has(router, "10.9.0.0/24")
    daemon.stop()


def test_ibgp(site):
    daemon, router = site(theirs=AS)
    has(router, "10.9.0.0/24")
    route = router.routes()["10.9.0.0/24"]
    assert (route["as_path"], route["local_pref"]) == ("", "100")


@pytest.mark.parametrize("ours,theirs", [(4200000001, 64513), (64512, 4200000002), (4200000001, 4200000002)])
def test_four_octets(site, ours, theirs):
    daemon, router = site(ours=ours, theirs=theirs)
    has(router, "10.9.0.0/24")
    assert router.routes()["10.9.0.0/24"]["as_path"] == str(ours)


@pytest.mark.parametrize("settings", [IDENTIFIED, {"cluster_interface": "lac"}])
def test_over_ipv6(plant, settings):
    """A neighbour met over IPv6 hears of IPv4 routes by an IPv4 next hop that he can reach, whatever our identifier."""
    network = plant.network
    network.lns.ip("addr add 2001:db8::1/64 dev core nodad")
    network.core.ip("addr add 2001:db8::2/64 dev lns nodad")
    daemon = plant.lns(settings, local_users=USERS, extra=bgp(peer="2001:db8::2"))
    router = plant.keep(Bird(network.core, plant.folder("bird"), bird_conf(local="2001:db8::2", peer="2001:db8::1")))
    router.wait_up()
    wait_for(lambda: shown(daemon)[0]["ipv6"], "IPv6")
    has(router, "10.1.0.1/32", "10.9.0.0/24")
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.1"
    daemon.stop()


def test_by_name(plant):
    """A neighbour's name is looked up beside the loop; the router is in our own namespace here."""
    router = plant.keep(Bird(plant.network.lns, plant.folder("bird"), bird_conf(
        peer="127.0.0.2", local="127.0.0.1", options="passive; multihop; strict bind;")))
    daemon = plant.lns(local_users=USERS, extra=bgp("update-source 127.0.0.2", peer="localhost"))
    router.wait_up(timeout=40)
    has(router, "10.9.0.0/24")
    assert shown(daemon)[0]["address"] == "127.0.0.1"
    daemon.wait_log("bgp: IPv4 port 179: Address already in use")
    daemon.stop()


def test_subscribers(site):
    """A session's address outside the pools is announced while it is up; one inside is not."""
    daemon, router = site(pool=("10.9.0.0/24", ))
    has(router, "10.9.0.0/24")
    before = set(router.routes())
    session = pylac.subscriber(daemon.network, "joe")
    daemon.write("ip_pool", "10.8.0.0/24\n")
    daemon.process.send_signal(signal.SIGHUP)
    has(router, session.address + "/32", "10.8.0.0/24")
    has_not(router, "10.9.0.0/24")
    session.hangup()
    has_not(router, session.address + "/32")
    assert before - set(router.routes()) == {"10.9.0.0/24"}
    daemon.check()


def test_reload_leaves_routes_alone(site):
    """SIGHUP with the same pool, and one with a network more: what stays is not told again."""
    daemon, router = site(pool=("10.9.0.0/24", "10.19.0.0/24"))
    has(router, "10.1.0.1/32", "10.9.0.0/24", "10.19.0.0/24")
    ages, told = router.ages(), shown(daemon)[0]
    daemon.write("ip_pool", "10.19.0.0/24\n10.9.0.0/24\n10.29.0.0/24\n")
    daemon.process.send_signal(signal.SIGHUP)
    has(router, "10.29.0.0/24")
    now = shown(daemon)[0]
    assert (now["routes_announced"], now["routes_withdrawn"]) == (told["routes_announced"] + 1, 0)
    assert {p: age for p, age in router.ages().items() if p in ages} == ages
    assert "10.9.0.0/24" in daemon.network.lns.run("ip", "route")
    daemon.write("ip_pool", "10.19.0.0/24\n")
    daemon.process.send_signal(signal.SIGHUP)
    has_not(router, "10.9.0.0/24", "10.29.0.0/24")
    wait_for(lambda: "10.9.0.0/24" not in daemon.network.lns.run("ip", "route"), "the end of the kernel's route")
    assert router.ages()["10.19.0.0/24"] == ages["10.19.0.0/24"]
    assert shown(daemon)[0]["times_established"] == 1


def test_framed_routes(plant):
    """What RADIUS gives a subscriber outside the pools is announced while he is there; inside them it is not."""
    site = Site(plant)
    for line in "configure terminal", "router bgp 64512", "neighbour 10.2.0.2 remote-as 64513", "exit", "exit":
        site.lns.run(line)
    router = plant.keep(Bird(site.network.core, plant.folder("bird"), bird_conf()))
    has(router, "10.1.0.1/32", "10.9.0.0/24")
    session = accepted(site, attr(FRAMED_IP, socket.inet_aton("10.66.1.2")), attr(FRAMED_ROUTE, "10.77.0.0/24 0.0.0.0 1"),
                       attr(FRAMED_ROUTE, "10.9.0.64/26 0.0.0.0 1")).up()
    has(router, "10.66.1.2/32", "10.77.0.0/24")
    assert "10.9.0.64/26" not in router.routes()
    session.hangup()
    has_not(router, "10.66.1.2/32", "10.77.0.0/24")
    assert set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}
    site.lns.stop()


# ---------------------------------------------------------------------------- the connection

def test_password(site):
    """RFC 2385, both ways round: whoever opens the connection signs it."""
    daemon, router = site("password s3cret", bird=bird_conf(options='password "s3cret";'))
    has(router, "10.9.0.0/24")
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time")
    router.wait_up()


def test_wrong_password(plant):
    """Nothing comes of it, until it is the right one."""
    daemon = plant.lns(local_users=USERS, extra=bgp("password wr0ng"))
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(options='password "s3cret";')))
    refused = int(plant.network.core.run("nstat", "-az", "TcpExtTCPMD5Failure").split()[-2])
    wait_for(lambda: int(plant.network.core.run("nstat", "-asz", "TcpExtTCPMD5Failure").split()[-2]) > refused,
             "a segment that is refused")
    assert not router.up() and shown(daemon)[0]["state"] in ("Connect", "Active", "Idle")
    for line in "configure terminal", "router bgp 64512", "neighbour 10.2.0.2 password s3cret":
        daemon.run(line)
    router.wait_up(timeout=40)
    assert "s3cret" not in daemon.log and "wr0ng" not in daemon.log


def test_password_that_cannot_be_set(plant):
    """Nobody is heard unsigned because the kernel had no room for his key."""
    plant.network.lns.sysctl("core.optmem_max", 64)
    daemon = plant.lns(local_users=USERS, extra=bgp("password s3cret"))
    daemon.wait_log("password: .*he cannot connect to us")
    assert peer_of(daemon).ended()
    assert daemon.counters()["bgp_refused"] == 1
    daemon.stop()


def test_hold_time(site):
    """A router that stands still is given up when the hold time is over, and heard again."""
    daemon, router = site("timers 1 3", bird=bird_conf(hold=3))
    assert shown(daemon)[0]["hold_seconds"] == 3
    router.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: "sent Hold Timer Expired" in shown(daemon)[0]["last_error"], "the end of the hold time")
    router.process.send_signal(signal.SIGCONT)
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time", 40)
    has(router, "10.9.0.0/24")


def test_router_restarts(site):
    daemon, router = site()
    router.stop()
    wait_for(lambda: shown(daemon)[0]["state"] != "Established", "the end of it")
    assert "received Cease" in shown(daemon)[0]["last_error"]
    router.start()
    router.wait_up(timeout=40)
    has(router, "10.9.0.0/24")
    router.process.kill()
    wait_for(lambda: shown(daemon)[0]["state"] != "Established", "the end of it")
    router.start()
    router.wait_up(timeout=40)
    has(router, "10.9.0.0/24")


def test_route_refresh(site):
    """`reload in` of BIRD asks for all of it again."""
    daemon, router = site()
    has(router, "10.9.0.0/24")
    sent = shown(daemon)[0]["routes_announced"]
    assert "reloading" in router.ctl("reload in lns").lower()
    wait_for(lambda: shown(daemon)[0]["routes_announced"] == 2 * sent, "the routes again")


def test_suspend(site):
    """The routes go, the connection stays; back again; and a new connection."""
    daemon, router = site()
    has(router, "10.9.0.0/24", "10.1.0.1/32")
    daemon.run("suspend bgp 10.2.0.2")
    has_not(router, "10.9.0.0/24", "10.1.0.1/32")
    now = shown(daemon)[0]
    assert now["suspended"] and not now["announced"] and now["state"] == "Established"
    daemon.run("suspend bgp")
    for line in "configure terminal", "router bgp 64512", "neighbour 10.2.0.3 remote-as 64514", "exit", "exit":
        daemon.run(line)
    assert [one["suspended"] for one in shown(daemon)] == [True, True], "who comes later is one of all"
    daemon.run("no suspend bgp")
    has(router, "10.9.0.0/24", "10.1.0.1/32")
    assert shown(daemon)[0]["times_established"] == 1
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time")
    has(router, "10.9.0.0/24", "10.1.0.1/32")


def test_neighbour_changed(site):
    """A change of one neighbour leaves the others alone; one that is removed is told."""
    daemon, router = site()
    for line in ("configure terminal", "router bgp 64512", "neighbour 10.2.0.3 remote-as 64514",
                 "neighbour 10.2.0.3 timers 10 30", "no neighbour 10.2.0.3"):
        daemon.run(line)
    assert shown_config(daemon)[0]["times_established"] == 1
    daemon.run("neighbour 10.2.0.2 timers 5 15")
    wait_for(lambda: shown_config(daemon)[0]["hold_seconds"] == 15, "the new hold time")
    daemon.run("no neighbour 10.2.0.2")
    router.wait_down()
    assert shown_config(daemon) == []


def test_neighbours_of_a_new_file(site):
    """SIGHUP: a password that is new, a neighbour more and one less; who is not meant notices nothing."""
    daemon, router = site("password one", bird=bird_conf(options='password "one";'))

    def read(*lines):
        daemon.extra = [*(bgp(*lines) if lines else bgp()[:1]), *bgp(peer="10.2.0.3")[1:]]
        daemon.write_config()
        daemon.process.send_signal(signal.SIGHUP)

    def times():
        return [(one["name"], one["times_established"]) for one in shown(daemon)]
    read("password one")
    wait_for(lambda: len(times()) == 2, "another neighbour")
    other = peer_of(daemon, source="10.2.0.3")
    other.up(hold=0, router_id="10.2.0.3")
    other.table(2)
    read("password two")
    wait_for(lambda: not router.up(), "the end of the first")
    router.configure(bird_conf(options='password "two";'))
    router.wait_up(timeout=40)
    read("password two", "med 9")
    wait_for(lambda: router.routes()["10.9.0.0/24"]["med"] == "9", "the new MED")
    assert times() == [("10.2.0.2", 2), ("10.2.0.3", 1)]
    read()
    router.wait_down()
    assert times() == [("10.2.0.3", 1)]
    assert "Peer de-configured" in router.ctl("show protocols all lns")
    router.configure(bird_conf(ours=64999))
    daemon.extra = bgp(ours=64999)
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    assert tuple(other.expect(NOTIFICATION, skip=(KEEPALIVE, UPDATE))[:2]) == (6, 6)
    router.wait_up(timeout=40)
    assert router.routes()["10.9.0.0/24"]["as_path"] == "64999"
    daemon.check()


def shown_config(daemon):
    """In whatever mode the command line is."""
    cli = daemon.open_cli()
    value = json.loads("\n".join(cli.run("show bgp json")))["peers"]
    cli.close()
    return value


@pytest.mark.san
def test_stop(site):
    """SIGTERM takes the routes back, forwards on for shutdown_drain, says good-bye, and ends."""
    daemon, router = site(settings={"shutdown_drain": 20})
    has(router, "10.9.0.0/24")
    session = pylac.subscriber(daemon.network, "joe")
    daemon.process.send_signal(signal.SIGTERM)
    has_not(router, "10.9.0.0/24", "10.1.0.1/32")
    assert router.up() and daemon.process.alive()
    session.ping(daemon.network.CORE)
    assert daemon.process.wait() == 0
    router.wait_down()
    assert "Administrative shutdown" in router.ctl("show protocols all lns")


def test_stop_twice(site):
    """The second signal does not wait."""
    daemon, router = site(settings={"shutdown_drain": 600})
    has(router, "10.9.0.0/24")
    daemon.process.send_signal(signal.SIGTERM)
    has_not(router, "10.9.0.0/24")
    daemon.stop()


def test_quit(site):
    daemon, router = site()
    has(router, "10.9.0.0/24")
    daemon.stop(signal.SIGQUIT)
    router.wait_down()
    assert "Administrative shutdown" in router.ctl("show protocols all lns")


# ---------------------------------------------------------------------------- what routers will not do

@pytest.fixture
def passive(plant):
    """A daemon whose neighbour is a socket of ours; what the daemon connects to is not there."""
    def make(*lines, **kwargs):
        settings, pool = kwargs.pop("settings", None), kwargs.pop("pool", ("10.9.0.0/24", ))
        clock = kwargs.pop("clock", False)
        return plant.lns(settings, local_users=USERS, extra=bgp(*lines, **kwargs), pool=pool, clock=clock)
    return make


def peer_of(daemon, **kwargs):
    return Peer(daemon.network.core, **kwargs)


@pytest.mark.san
def test_octet_by_octet(passive):
    daemon = passive(settings=IDENTIFIED)
    peer = peer_of(daemon)
    body = peer.up(slow=True)
    assert struct.unpack_from("!BHH4s", body) == (4, AS, 180, socket.inet_aton("10.2.0.1"))
    assert set(peer.table(2)) == {"10.1.0.1/32", "10.9.0.0/24"}
    peer.send(update(GOOD, b"\x18\x0a\x14\x1e") + message(KEEPALIVE) + message(REFRESH, b"\0\1\0\1"), slow=True)
    assert set(peer.table(2)) == {"10.1.0.1/32", "10.9.0.0/24"}
    assert daemon.counters()["bgp_updates_received"] == 1
    daemon.check()


def bad_length(kind, length):
    return message(kind, b"", length=length)


BAD_OPEN = [
    (open_message(64513, version=3), (2, 1), b"\0\4"), (open_message(64514), (2, 2), b""),
    (open_message(64513, as4=64514), (2, 2), b""), (open_message(64513, router_id="0.0.0.0"), (2, 3), b""),
    (open_message(64513, hold=1), (2, 6), b""), (open_message(64513, hold=2), (2, 6), b""),
    (open_message(64513, params=b"\x01\x00"), (2, 4), b""), (open_message(64513, params=b"\x02\x09\x01"), (2, 0), b""),
    (open_message(64513, params=b"\x02\x03\x41\x04\x00"), (2, 0), b""), (open_message(64513, params=b"\x02"), (2, 0), b""),
    (message(OPEN, b"\4" * 10, marker=b"\xff" * 15 + b"\xfe"), (1, 1), b""), (bad_length(KEEPALIVE, 18), (1, 2), b"\0\x12"),
    (bad_length(KEEPALIVE, 4097), (1, 2), b"\x10\x01"), (bad_length(OPEN, 28), (1, 2), b"\0\x1c"),
    (bad_length(KEEPALIVE, 20), (1, 2), b"\0\x14"), (bad_length(NOTIFICATION, 20), (1, 2), b"\0\x14"),
    (bad_length(UPDATE, 22), (1, 2), b"\0\x16"), (bad_length(REFRESH, 24), (1, 2), b"\0\x18"),
    (message(0), (1, 3), b"\0"), (message(6), (1, 3), b"\6"),
    (message(KEEPALIVE), (5, 1), b""), (update(), (5, 1), b""), (message(REFRESH, b"\0\1\0\1"), (5, 1), b"")]


@pytest.mark.san
def test_bad_open(passive):
    """What comes in place of an OPEN, and the NOTIFICATION it is answered with (RFC 4271 6.1, 6.2, 6.6)."""
    daemon = passive()
    for data, code, told in BAD_OPEN:
        peer = peer_of(daemon)
        peer.expect(OPEN)
        peer.send(data)
        body = peer.expect(NOTIFICATION)
        assert (tuple(body[:2]), body[2:]) == (code, told), data
        assert peer.ended()
        peer.close()
    daemon.check()
    assert daemon.counters()["bgp_notifications_sent"] == len(BAD_OPEN)


def test_same_identifier(passive):
    """RFC 6286: in one AS no other may have our identifier."""
    daemon = passive(theirs=AS, settings=IDENTIFIED)
    peer = peer_of(daemon)
    peer.expect(OPEN)
    peer.send(open_message(AS, router_id="10.2.0.1"))
    assert tuple(peer.expect(NOTIFICATION)[:2]) == (2, 3)
    assert peer.ended()


def test_wrong_message_in_open_confirm(passive):
    daemon = passive()
    for data, code in ((open_message(64513), (5, 2)), (update(), (5, 2)), (message(REFRESH, b"\0\1\0\1"), (5, 2))):
        peer = peer_of(daemon)
        peer.expect(OPEN)
        peer.send(open_message(64513))
        peer.expect(KEEPALIVE)
        peer.send(data)
        assert tuple(peer.expect(NOTIFICATION)[:2]) == code
        assert peer.ended()
    daemon.check()


UNKNOWN = attribute(99, b"x")
BAD_UPDATE = [
    (update(withdrawn=b"", withdrawn_len=9), (3, 1)), (update(GOOD, attr_len=200), (3, 1)),
    (update(GOOD, b"\x21\1\2\3\4\5"), (3, 10)), (update(GOOD, b"\x18\x0a"), (3, 10)),
    (update(withdrawn=b"\x20\x0a"), (3, 10)), (update(GOOD + UNKNOWN, b"\x08\x0a"), (3, 2)),
    (update(attribute(14, b"\0\2\1\x05abcde\0", 0x80)), (3, 9)), (update(attribute(15, b"\0\2\1\x81", 0x80)), (3, 9)),
    (update(attribute(15, b"\0\2\1", 0x80) * 2), (3, 1)), (open_message(64513), (5, 3))]

# RFC 7606: their routes count as withdrawn, and the connection stays.
WITHDRAWS = [
    update(ORIGIN + NEXT_HOP, b"\x08\x0a"), update(ORIGIN + AS_PATH, b"\x08\x0a"), update(AS_PATH + NEXT_HOP, b"\x08\x0a"),
    update(attribute(1, b"\3") + AS_PATH + NEXT_HOP, b"\x08\x0a"), update(attribute(1, b"\0", 0xc0) + AS_PATH + NEXT_HOP, b"\x08\x0a"),
    update(GOOD + attribute(4, b"\0", 0x80), b"\x08\x0a"), update(GOOD + attribute(8, b"abc", 0xc0), b"\x08\x0a"),
    update(ORIGIN + attribute(2, b"\x02\x02abcd") + NEXT_HOP, b"\x08\x0a"), update(GOOD + b"\xc0\x08\x20ab", b"\x08\x0a"),
    update(ORIGIN + AS_PATH + attribute(3, b"abc"), b"\x08\x0a"), update(GOOD + attribute(8, b"abcd"), b"\x08\x0a")]
FINE = [
    update(), update(GOOD), update(GOOD + attribute(99, b"x", 0xc0), b"\x08\x0a"), update(withdrawn=b"\x08\x0a"), update(GOOD + GOOD, b"\0"),
    update(attribute(15, b"\0\2\1", 0x80)), update(attribute(14, b"\0\x19\x46\0\0", 0x80) + ORIGIN + AS_PATH),
    update(attribute(14, b"\0\2\1\x10" + bytes(16) + b"\0\x20abcd", 0x80) + ORIGIN + AS_PATH)]


@pytest.mark.san
def test_bad_update(passive):
    """Bad UPDATEs that end the connection, each with its NOTIFICATION (RFC 4271 6.3)."""
    daemon = passive()
    for data, code in BAD_UPDATE:
        peer = peer_of(daemon)
        peer.up()
        peer.send(data)
        body = peer.expect(NOTIFICATION, skip=(KEEPALIVE, UPDATE))
        assert tuple(body[:2]) == code, data
        assert peer.ended()
        peer.close()
    daemon.check()


@pytest.mark.san
def test_update_that_withdraws(passive):
    daemon = passive()
    peer = peer_of(daemon)
    peer.up()
    for data in WITHDRAWS + FINE:
        peer.send(data)
    wait_for(lambda: daemon.counters()["bgp_updates_received"] == len(WITHDRAWS) + len(FINE), "all of them")
    assert daemon.counters()["bgp_updates_bad"] == len(WITHDRAWS)
    assert shown(daemon)[0]["state"] == "Established"
    peer.table(2)


def test_no_timers(passive):
    """`timers 0 0`: no hold time is offered, no KEEPALIVE sent behind the first, and nobody is given up for silence."""
    daemon = passive("timers 0 0", clock=True)
    assert " neighbour 10.2.0.2 timers 0 0" in daemon.run("show running-config")
    peer = peer_of(daemon)
    assert struct.unpack_from("!BHH", peer.up(hold=90))[2] == 0
    peer.table(2)
    now = shown(daemon)[0]
    assert (now["hold_seconds"], now["keepalive_seconds"]) == (0, 0)
    daemon.step(400)
    daemon.run("suspend bgp")
    assert len(parse_update(peer.expect(UPDATE, skip=()))[0]) == 2, "and no KEEPALIVE in front of it"
    daemon.stop()


def test_silent(passive):
    """The hold time ends it, with its NOTIFICATION."""
    daemon = passive("timers 1 3")
    peer = peer_of(daemon)
    peer.up(hold=3)
    assert tuple(peer.expect(NOTIFICATION, skip=(KEEPALIVE, UPDATE))[:2]) == (4, 0)
    assert peer.ended()


def test_what_he_says(passive):
    """A shutdown communication (RFC 9003) is shown, and no order to the operator's terminal."""
    daemon = passive()
    peer = peer_of(daemon)
    peer.up()
    words = b"\x1b[2Jgone for tea \xc3\xa9\xff" + b"." * 200
    peer.send(message(NOTIFICATION, bytes([6, 2, len(words)]) + words))
    assert peer.ended()
    line = wait_for(lambda: [one for one in daemon.run("show bgp 10.2.0.2") if "tea" in one], "the words")[0]
    assert "received Cease/Administrative Shutdown: \"\\x1b[2Jgone for tea \xe9\\xff..." in line and "\x1b" not in line
    assert "tea" in shown(daemon)[0]["last_error"]
    daemon.check()


def test_old_neighbour(passive):
    """One that knows no capabilities: AS_TRANS in OPEN and path, the true path beside (RFC 6793)."""
    daemon = passive(ours=4200000001)
    peer = peer_of(daemon)
    assert struct.unpack_from("!BH", peer.up(params=b"")) == (4, 23456)
    attrs = peer.table(2)["10.9.0.0/24"]
    assert attrs[2] == b"\x02\x01" + struct.pack("!H", 23456)
    assert attrs[17] == b"\x02\x01" + struct.pack("!I", 4200000001)
    assert attrs[4] == b"\0\0\0\1" and attrs[8] == bytes.fromhex("ffffff01")


def test_extended_parameters(passive):
    """RFC 9072: parameters with two octets of length."""
    daemon = passive()
    peer = peer_of(daemon)
    caps = capabilities(64513)[2:]
    params = b"\xff" + struct.pack("!H", len(caps) + 3) + b"\2" + struct.pack("!H", len(caps)) + caps
    peer.expect(OPEN)
    peer.send(message(OPEN, struct.pack("!BHH4sB", 4, 64513, 90, socket.inet_aton("10.2.0.2"), 255) + params))
    peer.expect(KEEPALIVE)
    peer.send(message(KEEPALIVE))
    peer.table(2)


def test_end_of_rib(passive):
    """Behind the first table, for one who knows of graceful restart; ours has no family and no F bit."""
    daemon = passive()
    peer = peer_of(daemon)
    body = peer.up(params=capabilities(64513, ((1, 1), (2, 1)), capability(64, b"\0\0")))
    assert capability(64, b"\0\0") in body
    peer.table(2)
    assert parse_update(peer.expect(UPDATE)) == ([], {}, [])
    assert parse_update(peer.expect(UPDATE)) == ([], {15: b"\0\2\1"}, [])


def test_strangers(passive):
    """Nobody but neighbours is heard; nor is a second connection of one."""
    daemon = passive()
    stranger = peer_of(daemon, source="10.2.0.3")
    assert stranger.ended()
    peer = peer_of(daemon)
    peer.up()
    peer.table(2)
    assert peer_of(daemon).ended()
    assert daemon.counters()["bgp_refused"] == 2
    assert shown(daemon)[0]["state"] == "Established"


@pytest.mark.parametrize("router_id,theirs,ours_stays", [("10.0.0.1", 64513, True), ("10.250.0.1", 64513, False),
                                                         ("10.2.0.1", 64513, False), ("10.2.0.1", 64511, True)])
def test_collision(plant, router_id, theirs, ours_stays):
    """RFC 4271 6.8: of two connections the one that the higher identifier opened stays, else (RFC 6286) the higher AS."""
    listener = Peer(plant.network.core, connect=False)
    daemon = plant.lns(IDENTIFIED, local_users=USERS, extra=bgp(theirs=theirs))
    ours = listener.accept()
    his = Peer(plant.network.core)
    ours.expect(OPEN)
    his.expect(OPEN)
    ours.send(open_message(theirs, router_id=router_id))
    ours.expect(KEEPALIVE)
    his.send(open_message(theirs, router_id=router_id))
    loser, winner = (his, ours) if ours_stays else (ours, his)
    assert tuple(loser.expect(NOTIFICATION)[:2]) == (6, 7)
    assert loser.ended()
    if winner is his:
        winner.expect(KEEPALIVE)
    winner.send(message(KEEPALIVE))
    winner.table(2)
    assert shown(daemon)[0]["state"] == "Established"
    daemon.stop()


def test_many_routes_to_a_slow_reader(passive):
    """60,000 networks to one who reads nothing for a while: no memory, nobody waits, all arrives."""
    pool = ["%d.%d.%d.%d/30" % (10, 64 + (i >> 14), (i >> 6) & 255, (i & 63) * 4) for i in range(60000)]
    daemon = passive(pool=pool)
    before = daemon.memory()
    slow = peer_of(daemon, rcvbuf=4096)
    slow.up()
    wait_for(lambda: shown(daemon)[0]["pending"], "a reader that is behind")
    sent = shown(daemon)[0]["routes_announced"]
    assert sent < 60001, "the kernel took all of it"
    assert daemon.memory() - before < 2 << 20
    assert len(slow.table(60001)) == 60001
    wait_for(lambda: not shown(daemon)[0]["pending"], "the end")
    assert daemon.counters()["loop_longest_us"] < 2000000
    daemon.stop()


PER_SESSION, SESSIONS = 62, 3300


def framed_routes(server, request):
    """userN has 62 networks behind him."""
    n = int(request.get(1)[4:])
    nets = [socket.inet_ntoa(struct.pack("!I", 0x0a800000 + 4 * (n * PER_SESSION + i))) for i in range(PER_SESSION)]
    return [server.accept(request, attr(FRAMED_IP, struct.pack("!I", 0x0a640000 + n)),
                          *(attr(FRAMED_ROUTE, "%s/30" % net) for net in nets))]


@pytest.mark.long
def test_framed_routes_by_the_hundred_thousand(plant):
    """204,600 networks of subscribers and their addresses come and go, before BIRD and before one who reads nothing."""
    network, total = plant.network, SESSIONS * (PER_SESSION + 1) + 2
    server = plant.keep(FakeRadius(network.core, network.CORE, secret="radsecret"))
    server.answer = framed_routes
    daemon = plant.lns({"primary_radius": network.CORE, "primary_radius_port": 1812, "radius_secret": "radsecret",
                        "peer_address": "10.9.255.1", "debug": 2}, extra=bgp() + bgp("timers 0 0", peer="10.2.0.3")[1:])
    router = plant.keep(Bird(network.core, plant.folder("bird"), bird_conf()))
    router.wait_up()
    slow = peer_of(daemon, source="10.2.0.3", rcvbuf=4096)
    slow.up(router_id="10.2.0.3")
    lac = CLac(network.lac, network.LNS)

    def count():
        return int(router.ctl("show route count table master4").split(" of ")[0].split()[-1])
    assert lac.do("tunnel count=4")["ok"]
    answer = lac.do("session count=%d parallel=50 timeout=120" % SESSIONS, 150)
    assert (answer["up"], answer["failed"]) == (str(SESSIONS), "0"), answer
    wait_for(lambda: count() == total, "all routes", 60)
    before = daemon.memory()
    assert shown(daemon, "10.2.0.3")[0]["pending"], "the slow one has read all of it"
    assert lac.do("close session=0-%d" % (SESSIONS // 2 - 1))["ok"]
    wait_for(lambda: count() == total - SESSIONS // 2 * (PER_SESSION + 1), "half of them", 60)
    have = set()
    while len(have) != count() or shown(daemon, "10.2.0.3")[0]["pending"]:
        withdrawn, _, announced = parse_update(slow.expect(UPDATE))
        have.difference_update(withdrawn)
        have.update(announced)
    assert have == set(router.routes())
    assert [one["times_established"] for one in shown(daemon)] == [1, 1]
    print("longest turn %d us; memory %d kB, at the end %d kB" % (
        daemon.counters()["loop_longest_us"], before >> 10, daemon.memory() >> 10))
    daemon.stop(timeout=30)


def test_stop_before_one_who_takes_nothing(passive):
    """SIGTERM waits for him a few seconds, and no longer."""
    pool = ["%d.%d.%d.%d/30" % (10, 64 + (i >> 14), (i >> 6) & 255, (i & 63) * 4) for i in range(60000)]
    daemon = passive(pool=pool)
    slow = peer_of(daemon, rcvbuf=4096)
    slow.up()
    wait_for(lambda: shown(daemon)[0]["pending"], "a reader that is behind")
    daemon.stop(timeout=10)


def test_one_who_takes_nothing(passive):
    """RFC 9687: he who reads nothing for 8 minutes is given up, also when no hold time says so."""
    pool = ["%d.%d.%d.%d/30" % (10, 64 + (i >> 14), (i >> 6) & 255, (i & 63) * 4) for i in range(60000)]
    daemon = passive("timers 0 0", pool=pool, clock=True)
    peer = peer_of(daemon, rcvbuf=4096)
    peer.up(hold=0)

    def stuck():
        sent = shown(daemon)[0]["routes_announced"]
        daemon.step(1)
        return sent == shown(daemon)[0]["routes_announced"] > 0
    wait_for(stuck, "a full connection")
    daemon.step(400)
    assert shown(daemon)[0]["state"] == "Established"
    daemon.step(100)
    wait_for(lambda: "RFC 9687" in shown(daemon)[0]["last_error"], "the end of it")
    peer.close()


def test_tries_less_and_less(passive):
    """While nobody answers the wait doubles, up to two minutes."""
    daemon = passive(clock=True)
    for retries in range(1, 10):
        wait_for(lambda: shown(daemon)[0]["retries"] == retries, "attempt %d" % retries)
        least = min(1 << retries, 120)
        assert least - 2 <= shown(daemon)[0]["retry_in_seconds"] <= least * 9 // 8 + 1
        assert "refused" in shown(daemon)[0]["last_error"]
        daemon.step(least * 9 // 8 + 1)
    daemon.stop()


def second_member(network):
    """A namespace for another daemon, 10.3.0.1 towards the core."""
    second = network._new("lns2")
    second.plug("core", network.core, "lns2")
    second.ip("addr add 10.3.0.1/24 dev core", "addr add %s/32 dev lo" % network.LNS)
    network.core.ip("addr add 10.3.0.2/24 dev lns2")
    return second


def test_two_members_one_router(plant):
    """Two daemons announce one pool; the router uses both (ECMP), and the one that is left when the other stops."""
    network = plant.network
    second = second_member(network)
    body = bird_conf() + bird_conf(local="10.3.0.2", peer="10.3.0.1").replace("bgp lns", "bgp lns2")
    body += "protocol kernel { merge paths on; ipv4 { export all; }; }\n"
    router = plant.keep(Bird(network.core, plant.folder("bird"), body))
    one = plant.lns(local_users=USERS, extra=bgp())
    other = plant.lns(local_users=USERS, extra=bgp(peer="10.3.0.2"), ns=second)
    router.wait_up("lns")
    router.wait_up("lns2")

    def ways():
        return network.core.run("ip", "route", "show", "10.9.0.0/24")
    wait_for(lambda: ways().count("nexthop") == 2, "two next hops")
    one.stop()
    wait_for(lambda: "via 10.3.0.1" in ways() and "nexthop" not in ways(), "the other alone")
    other.stop()
    wait_for(lambda: ways() == "", "the end of the route")


# ---------------------------------------------------------------------------- gratuitous ARP

@pytest.fixture
def open_folder():
    """A folder that any user can reach, unlike pytest's."""
    path = tempfile.mkdtemp(prefix="l2tpns-test-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def arp_frames(network, daemon_settings, plant, extra=()):
    sock = network.lac.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    sock.bind(("br0", 0x0806))
    sock.settimeout(0.1)
    daemon = plant.lns(daemon_settings, local_users=USERS, extra=extra)
    return sock, daemon


def garp(sock, network):
    """The next announcement of the LNS's address that has come; None: there is none."""
    want = socket.inet_aton(network.LNS)
    while True:
        try:
            frame = sock.recv(2000)
        except socket.timeout:
            return None
        if frame[28:32] == want and frame[38:42] == want:
            return frame


def test_gratuitous_arp(plant):
    """RFC 5227: to all, from the interface that carries bind_address; a few times."""
    sock, daemon = arp_frames(plant.network, {}, plant)
    frame = wait_for(lambda: garp(sock, plant.network), "a gratuitous ARP")
    assert frame[:6] == b"\xff" * 6 and frame[6:12] == frame[22:28]
    assert frame[12:22] == bytes.fromhex("0806 0001 0800 06 04 0001".replace(" ", ""))
    wait_for(lambda: daemon.counters()["arp_sent"] == 3, "all of them")
    daemon.stop()


def test_gratuitous_arp_for_each_address(plant):
    """Each of bind_multi_address, also one that has a label (`eth0:1`) in the place of the interface's name."""
    plant.network.lns.ip("addr del 10.1.0.11/16 dev lac", "addr add 10.1.0.11/16 dev lac label lac:1")
    sock, daemon = arp_frames(plant.network, {"bind_multi_address": "10.1.0.1,10.1.0.11"}, plant)
    wait_for(lambda: daemon.counters()["arp_sent"] == 6, "three for each")
    daemon.stop()


def test_gratuitous_arp_of_a_new_master(plant, open_folder):
    """In a cluster the master announces the address, and nobody else: a member that starts must not draw his traffic."""
    network = plant.network
    second = network._new("lns2")
    network.lac.plug("lns2", second, "lac")
    network.lac.ip("link set lns2 master br0")
    second.ip("addr add 10.1.0.12/16 dev lac", "addr add 10.1.0.1/16 dev lac")
    network.lns.ip("addr flush dev lac", "addr add 10.1.0.11/16 dev lac", "addr add 10.1.0.1/16 dev lac")
    settings = {"cluster_interface": "lac", "cluster_hb_interval": 1, "cluster_hb_timeout": 10}
    one = plant.lns(settings, local_users=USERS)
    wait_for(lambda: one.counters()["arp_sent"] == 3, "what the first says")
    sock = network.lac.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    sock.bind(("br0", 0x0806))
    sock.settimeout(0.1)
    other = plant.lns({**settings, "setuid": 65534}, local_users=USERS, ns=second, folder=open_folder)
    wait_for(lambda: json.loads("\n".join(other.run("show cluster json")))["up_to_date"], "a slave")
    assert other.counters()["arp_sent"] == 0 and garp(sock, network) is None
    one.process.kill()
    frame = wait_for(lambda: garp(sock, network), "what the new master says")
    mac = json.loads(second.run("ip", "-json", "link", "show", "lac"))[0]["address"]
    assert frame[6:12].hex(":") == mac
    other.stop()


@pytest.mark.parametrize("settings,extra", [({"send_garp": "no"}, ()), ({}, ("router bgp 1", ))])
def test_no_gratuitous_arp(plant, settings, extra):
    sock, daemon = arp_frames(plant.network, settings, plant, extra)
    assert daemon.counters()["arp_sent"] == 0 and garp(sock, plant.network) is None
    daemon.stop()


def test_as_another_user(plant, open_folder):
    """With setuid: BGP that is configured at run time listens on its port and signs."""
    daemon = plant.lns({"setuid": 65534}, local_users=USERS, folder=open_folder)
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(options='password "x"; ')))
    for line in "configure terminal", "router bgp 64512", "neighbour 10.2.0.2 remote-as 64513 password x":
        daemon.run(line)
    router.wait_up()
    has(router, "10.9.0.0/24")
    assert "port 179" not in daemon.log
    daemon.run("exit")
    daemon.run("no router bgp 64512")
    router.wait_down()
    daemon.stop()
