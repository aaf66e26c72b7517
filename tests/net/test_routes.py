"""Addresses and routes of sessions: in the pool, in the kernel, and whose packets may leave by them."""

import signal
import socket

import pytest

import packets
import pylac
from fakeradius import FRAMED_IP, FRAMED_POOL, FRAMED_ROUTE, attribute
from netns import wait_for
from test_radius import Site, accepted

USERS = {"joe": "secret", "ann": "secret"}


def routes(network):
    """The destinations of the LNS's routes through the tun device."""
    return [line.split()[0] for line in network.lns.run("ip", "route", "show", "dev", "tun0").splitlines()]


def wait_route(network, destination, there=True):
    wait_for(lambda: (destination in routes(network)) == there, "%s the route to %s" % (
        "" if there else "the end of", destination))


def new_pool(daemon, *lines):
    daemon.write("ip_pool", "".join(line + "\n" for line in lines))
    daemon.process.send_signal(signal.SIGHUP)


@pytest.fixture
def site(plant):
    return Site(plant)


def end(site, session, user="joe"):
    session.hangup()
    site.lns.wait_gone(user)


# ---------------------------------------------------------------------------- a new pool

def test_network_added(plant):
    """A network that SIGHUP brings is reachable at once."""
    daemon = plant.lns(local_users=USERS, pool=["10.9.0.0/30"])
    pylac.subscriber(plant.network, "joe").ping(plant.network.CORE)
    new_pool(daemon, "10.8.0.0/24")
    wait_route(plant.network, "10.8.0.0/24")
    session = pylac.subscriber(plant.network, "ann")
    assert session.address.startswith("10.8.0.")
    session.ping(plant.network.CORE)
    daemon.stop()


def test_network_removed(plant):
    """One that leaves takes its route along; a session in it has one of its own until it ends."""
    daemon = plant.lns(local_users=USERS, pool=["10.9.0.0/24", "10.7.0.0/24"])
    session = pylac.subscriber(plant.network, "joe")
    new_pool(daemon, "10.7.0.0/24")
    wait_route(plant.network, "10.9.0.0/24", there=False)
    assert sorted(routes(plant.network)) == sorted(["10.7.0.0/24", session.address])
    session.ping(plant.network.CORE)
    session.hangup()
    wait_route(plant.network, session.address, there=False)
    assert routes(plant.network) == ["10.7.0.0/24"]
    assert daemon.counters()["netlink_errors"] == 0
    daemon.stop()


@pytest.mark.san
def test_network_that_was_the_machines(plant):
    """A route of the machine's own to a network of the pool stays; when it is gone, SIGHUP gives us ours."""
    plant.network.lns.ip("route add 10.9.0.0/24 dev core metric 0")
    daemon = plant.lns(local_users=USERS, pool=("10.9.0.0/24", "10.8.0.0/24"))
    daemon.wait_log(r"route 10\.9\.0\.0/24 is the machine's already")
    plant.network.lns.ip("route del 10.9.0.0/24 dev core")
    assert "10.9.0.0/24" not in routes(plant.network)
    new_pool(daemon, "10.9.0.0/24", "10.8.0.0/24")
    wait_route(plant.network, "10.9.0.0/24")
    daemon.check()


def test_session_outside_gets_inside(site):
    """A route added for an address outside the pool goes with its session, wherever the pool is by then."""
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.66.1.2"))).up()
    wait_route(site.network, "10.66.1.2")
    new_pool(site.lns, "10.9.0.0/24", "10.66.0.0/16")
    wait_route(site.network, "10.66.0.0/16")
    end(site, session)
    wait_route(site.network, "10.66.1.2", there=False)
    assert sorted(routes(site.network)) == ["10.66.0.0/16", "10.9.0.0/24"]


# ---------------------------------------------------------------------------- the machine's routes

@pytest.mark.san
def test_route_of_the_machine_stays(site):
    """A Framed-Route that the machine has itself is left out, told, and not deleted with the session."""
    machine = site.network.lns
    machine.run("ip", "route", "add", "10.77.0.0/24", "via", site.network.CORE)
    session = accepted(site, attribute(FRAMED_ROUTE, "10.77.0.0/24 0.0.0.0 1"),
                       attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")).up()
    wait_route(site.network, "10.78.0.0/24")
    site.lns.wait_log(r"route 10\.77\.0\.0/24 is the machine's already")
    assert site.counter("netlink_errors") == 1
    assert "via" in machine.run("ip", "route", "show", "10.77.0.0/24")
    end(site, session)
    wait_route(site.network, "10.78.0.0/24", there=False)
    assert "via" in machine.run("ip", "route", "show", "10.77.0.0/24")


def test_default_route_refused(site):
    """A subscriber's 0.0.0.0/0 is not taken: logged, counted, and his session and other routes serve."""
    session = accepted(site, attribute(FRAMED_ROUTE, "0.0.0.0/0 0.0.0.0 1"),
                       attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")).up()
    session.ping(site.network.CORE)
    wait_route(site.network, "10.78.0.0/24")
    assert sorted(routes(site.network)) == ["10.78.0.0/24", "10.9.0.0/24"]
    site.lns.wait_log(r"0\.0\.0\.0/0")
    assert site.counter("route_refused") == 1


@pytest.mark.san
@pytest.mark.parametrize("refused, why", [
    ("0.0.0.0/1", "so much of the net"), ("128.0.0.0/1", "so much of the net"), ("10.0.0.0/7", "so much of the net"),
    ("10.1.0.0/16", "an address of ours"), ("1.1.0.0/16", "an address of ours"), ("10.2.0.0/24", "a RADIUS server"),
    ("10.2.0.2", "a RADIUS server"), ("10.1.0.2", "his LAC"), ("10.2.7.0/24", "a BGP neighbour"),
    ("127.0.0.0/8", "cannot be anybody's"),
    ("224.0.0.0/8", "cannot be anybody's"), ("0.0.0.0/8", "cannot be anybody's")])
def test_route_that_takes_the_machines_traffic(plant, refused, why):
    """What the machine itself says - to servers, the LAC, all the world - is not led into a tunnel."""
    site = Site(plant, iftun_address="1.1.1.1")
    for line in "configure terminal", "router bgp 64512", "neighbour 10.2.7.7 remote-as 64513", "exit", "exit":
        site.lns.run(line)
    before = site.network.lns.run("ip", "route")
    session = accepted(site, attribute(FRAMED_ROUTE, refused + " 0.0.0.0 1"),
                       attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")).up()
    session.ping(site.network.CORE)
    wait_route(site.network, "10.78.0.0/24")
    site.lns.wait_log("is left out: .*" + why)
    assert site.counter("route_refused") == 1
    end(site, session)
    assert site.network.lns.run("ip", "route") == before


def test_framed_route_is_the_pool(site):
    """A network that is the pool's and a subscriber's has its route until both have gone."""
    session = accepted(site, attribute(FRAMED_ROUTE, "10.9.0.0/24 0.0.0.0 1")).up()
    session.ping(site.network.CORE)
    end(site, session)
    assert routes(site.network) == ["10.9.0.0/24"]
    accepted(site).up().ping(site.network.CORE)


@pytest.mark.san
def test_two_with_one_route(site):
    """The first has it; when he leaves, it goes to who has waited longest, in the kernel too, and at last away."""
    net = attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")
    first, second, third = (accepted(site, net).up(user) for user in ("joe", "ann", "eve"))
    wait_route(site.network, "10.78.0.0/24")
    site.lns.wait_log(r"10\.78\.0\.0/24 waits: it is another session's")
    first.ping(site.network.CORE, source="10.78.0.9")
    before = site.counter("rx_spoofed")
    second.send_ip(packets.echo("10.78.0.9", site.network.CORE, 0x2222))
    wait_for(lambda: site.counter("rx_spoofed") == before + 1, "the drop")
    end(site, third, "eve")
    third = accepted(site, net).up("eve")
    end(site, first)
    second.ping(site.network.CORE, source="10.78.0.9")
    assert "10.78.0.0/24" in routes(site.network)
    end(site, second, "ann")
    third.ping(site.network.CORE, source="10.78.0.9")
    end(site, third, "eve")
    wait_route(site.network, "10.78.0.0/24", there=False)
    assert site.counter("netlink_errors") == 0


def test_same_user_again(site):
    """A new login of the same name ends the older session, and its routes are his at once."""
    net = attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")
    accepted(site, net).up()
    newer = accepted(site, net).up()
    newer.ping(site.network.CORE, source="10.78.0.9")
    assert len(site.lns.sessions()) == 1 and "10.78.0.0/24" in routes(site.network)
    end(site, newer)
    wait_route(site.network, "10.78.0.0/24", there=False)


@pytest.mark.san
def test_overlapping_routes(site):
    """The longer one wins; without it the wider one has all."""
    wide = accepted(site, attribute(FRAMED_ROUTE, "10.76.0.0/14 0.0.0.0 1")).up("joe")
    narrow = accepted(site, attribute(FRAMED_ROUTE, "10.78.3.0/24 0.0.0.0 1")).up("ann")
    for session, source in (narrow, "10.78.3.9"), (wide, "10.78.4.9"):
        session.ping(site.network.CORE, source=source)
    end(site, narrow, "ann")
    wide.ping(site.network.CORE, source="10.78.3.9")


@pytest.mark.san
def test_host_route_in_the_pool(plant):
    """A Framed-Route of one address that is the pool's is not given to another while it is his."""
    site = Site(plant)
    new_pool(site.lns, "10.9.0.0/29")
    wait_route(site.network, "10.9.0.0/29")
    one = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.66.1.2")), *(
        attribute(FRAMED_ROUTE, "10.9.0.%d/32 0.0.0.0 1" % n) for n in range(1, 6))).up("joe")
    one.ping(site.network.CORE, source="10.9.0.5")
    assert accepted(site).up("ann").address == "10.9.0.6"
    assert not accepted(site).authenticate("eve", "secret")
    end(site, one)
    assert accepted(site).up("eve").address != "10.9.0.6"
    assert site.lns.pool()[1] == {"Free": 4, "Used": 2}


# ---------------------------------------------------------------------------- packets from behind

def test_source_behind_a_framed_route(site):
    """Packets may come from the network behind the subscriber, and answers find it; not from the one beside it."""
    one = accepted(site, attribute(FRAMED_ROUTE, "10.78.0.0/24 0.0.0.0 1")).up("joe")
    two = accepted(site, attribute(FRAMED_ROUTE, "10.79.0.0/24 0.0.0.0 1")).up("ann")
    wait_route(site.network, "10.79.0.0/24")
    one.ping(site.network.CORE, source="10.78.0.9")
    two.ping(site.network.CORE, source="10.79.0.9")
    before = site.counter("rx_spoofed")
    for source in "10.79.0.9", "10.78.1.9", two.address:
        one.send_ip(packets.echo(source, site.network.CORE, 0x2222))
    wait_for(lambda: site.counter("rx_spoofed") == before + 3, "the drops")
    one.ping(site.network.CORE)


def test_no_spoof_disabled(plant):
    """disable_no_spoof lets any source pass."""
    daemon = plant.lns({"disable_no_spoof": True}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    sniffer = plant.network.core.sniff("lns")
    session.send_ip(packets.echo("10.55.0.1", plant.network.CORE, 0x2222))
    sniffer.wait(lambda p: packets.Ip(p).src == "10.55.0.1")
    daemon.set("set disable_no_spoof no")
    before = daemon.counters()["rx_spoofed"]
    session.send_ip(packets.echo("10.55.0.1", plant.network.CORE, 0x2222))
    wait_for(lambda: daemon.counters()["rx_spoofed"] == before + 1, "the drop")
    daemon.stop()


# ---------------------------------------------------------------------------- which address

OWN = {"iftun_address": "10.9.0.1", "peer_address": "10.9.0.2"}


def test_own_addresses_are_not_in_the_pool(plant):
    """Those of the tun device and of IPCP are never given; a new peer_address counts at once."""
    daemon = plant.lns(OWN, local_users=USERS, pool=["10.9.0.0/29"])
    assert daemon.pool()[1] == {"Free": 4, "Used": 0}
    assert pylac.subscriber(plant.network, "joe").address == "10.9.0.3"
    daemon.set("set peer_address 10.9.0.4")
    session = pylac.subscriber(plant.network, "ann")
    assert (session.address, session.peer_address) == ("10.9.0.2", "10.9.0.4")
    assert daemon.pool()[1] == {"Free": 2, "Used": 2}
    daemon.stop()


@pytest.mark.parametrize("address", ["10.1.0.1", "10.1.0.11", "10.9.0.2"])
def test_own_addresses_from_radius(plant, address):
    """A server that gives a subscriber an address of ours is not followed: the login is refused."""
    site = Site(plant, bind_multi_address="10.1.0.1,10.1.0.11", peer_address="10.9.0.2")
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton(address)))
    assert not session.authenticate("joe", "secret")
    assert site.counter("address_refused") == 1


POOLS = ["10.9.0.0/24", "pool gold 10.8.0.0/30", "pool tin 10.7.0.0/24"]


@pytest.mark.parametrize("pool, network", [("gold", "10.8.0."), ("tin", "10.7.0.")])
def test_named_pool(plant, pool, network):
    """Framed-Pool: an address of that pool, reachable."""
    site = Site(plant)
    new_pool(site.lns, *POOLS)
    wait_route(site.network, network + ("0/30" if pool == "gold" else "0/24"))
    session = accepted(site, attribute(FRAMED_POOL, pool)).up()
    assert session.address.startswith(network)
    session.ping(site.network.CORE)


def test_named_pool_full_or_unknown(site):
    """No address of another pool instead: refused."""
    new_pool(site.lns, *POOLS)
    wait_route(site.network, "10.8.0.0/30")
    for user in "joe", "ann":
        assert accepted(site, attribute(FRAMED_POOL, "gold")).up(user).address.startswith("10.8.0.")
    assert not accepted(site, attribute(FRAMED_POOL, "gold")).authenticate("eve", "secret")
    assert not accepted(site, attribute(FRAMED_POOL, "lead")).authenticate("eve", "secret")


@pytest.mark.parametrize("pool, asked, got", [
    ("", "10.9.0.77", "10.9.0.77"), ("", "10.8.0.1", "10.9.0."), ("gold", "10.8.0.2", "10.8.0.2"),
    ("gold", "10.9.0.77", "10.8.0."), ("gold", "10.7.0.1", "10.8.0.")])
def test_wanted_address(plant, pool, asked, got):
    """255.255.255.255: what the client asks, if it is of the pool he may use; another of that one if not."""
    site = Site(plant)
    new_pool(site.lns, *POOLS)
    wait_route(site.network, "10.8.0.0/30")
    more = [attribute(FRAMED_POOL, pool)] if pool else []
    session = accepted(site, attribute(FRAMED_IP, b"\xff\xff\xff\xff"), *more)
    session.wanted_address = asked
    assert session.up().address.startswith(got)


def test_lines_of_other_members(plant):
    """A line with an address in front is for the member that has it, also one of bind_multi_address."""
    network = plant.network
    daemon = plant.lns({"bind_multi_address": "%s,%s" % (network.LNS, network.LNS2)}, local_users=USERS, pool=[
        "10.1.0.99:10.6.0.0/30", "%s:10.7.0.1" % network.LNS2, "%s: 10.8.0.1" % network.LNS])
    assert sorted(routes(network)) == ["10.7.0.1", "10.8.0.1"]
    sessions = [pylac.subscriber(network, user) for user in USERS]
    assert sorted(s.address for s in sessions) == ["10.7.0.1", "10.8.0.1"]
    daemon.stop()
