"""BGP with real routers: BIRD 2 and FRR in the core, and what a router of ours can do that they will not."""

import json
import signal
import socket

import pytest

import pylac
from netns import wait_for
from routers import Bird, Frr

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
    assert shown(daemon)[0]["state"] == "Established"
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


def test_four_octets_to_an_old_router(site):
    """AS_TRANS in the path, the true one beside it (RFC 6793)."""
    conf = bird_conf(ours=23456, options="enable as4 off;").replace("as 23456;", "as 23456;")
    daemon, router = site(ours=4200000001, theirs=THEIRS, bird=conf)
    has(router, "10.9.0.0/24")
    assert router.routes()["10.9.0.0/24"]["as_path"].split()[0] in ("23456", "4200000001")


def test_over_ipv6(plant):
    """A neighbour met over IPv6 hears of IPv4 routes by an IPv4 next hop."""
    network = plant.network
    network.lns.ip("addr add 2001:db8::1/64 dev core nodad")
    network.core.ip("addr add 2001:db8::2/64 dev lns nodad")
    daemon = plant.lns(local_users=USERS, extra=bgp(peer="2001:db8::2"))
    router = plant.keep(Bird(network.core, plant.folder("bird"), bird_conf(local="2001:db8::2", peer="2001:db8::1")))
    router.wait_up()
    wait_for(lambda: shown(daemon)[0]["ipv6"], "IPv6")
    wait_for(lambda: shown(daemon)[0]["routes_announced"] == 2, "the routes")
    daemon.stop()


def test_by_name(plant):
    """A neighbour's name is looked up beside the loop."""
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf(peer="127.0.0.1", local="127.0.0.2")))
    daemon = plant.lns(local_users=USERS, extra=bgp(peer="localhost"))
    wait_for(lambda: shown(daemon)[0]["address"] in ("127.0.0.1", "::1"), "the address")
    assert router.process.alive()
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


# ---------------------------------------------------------------------------- the connection

def test_password(site):
    """RFC 2385, both ways round: whoever opens the connection signs it."""
    daemon, router = site("password s3cret", bird=bird_conf(options='password "s3cret";'))
    has(router, "10.9.0.0/24")
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] >= 2, "the second time")
    router.wait_up()


def test_wrong_password(site):
    daemon, _ = site("password other", start=False)
    router = Bird(daemon.network.core, daemon.folder, bird_conf(options='password "s3cret";'))
    daemon.ns.run("true")
    wait_for(lambda: "Connect" in router.ctl("show protocols") or "Active" in router.ctl("show protocols"), "BIRD")
    wait_for(lambda: shown(daemon)[0]["state"] in ("Connect", "Active"), "an attempt")
    assert not router.up()
    daemon.run("configure terminal")
    daemon.run("router bgp 64512")
    daemon.run("neighbour 10.2.0.2 password s3cret")
    router.wait_up(timeout=40)
    router.close()


def test_hold_time(site):
    """A router that stands still is given up when the hold time is over, and heard again."""
    daemon, router = site("timers 1 3", bird=bird_conf(hold=3))
    assert shown(daemon)[0]["hold_seconds"] == 3
    router.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: "sent Hold Timer Expired" in shown(daemon)[0]["last_error"], "the end of the hold time")
    router.process.send_signal(signal.SIGCONT)
    wait_for(lambda: shown(daemon)[0]["times_established"] == 2, "the second time", 40)
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
    daemon.run("no suspend bgp")
    has(router, "10.9.0.0/24", "10.1.0.1/32")
    assert shown(daemon)[0]["times_established"] == 1
    daemon.run("restart bgp")
    wait_for(lambda: shown(daemon)[0]["times_established"] == 2, "the second time")
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


# ---------------------------------------------------------------------------- gratuitous ARP

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
    wait_for(lambda: daemon.counters()["garp_sent"] == 3, "all of them")
    daemon.stop()


@pytest.mark.parametrize("settings,extra", [({"send_garp": "no"}, ()), ({}, ("router bgp 1", ))])
def test_no_gratuitous_arp(plant, settings, extra):
    sock, daemon = arp_frames(plant.network, settings, plant, extra)
    assert daemon.counters()["garp_sent"] == 0 and garp(sock, plant.network) is None
    daemon.stop()
