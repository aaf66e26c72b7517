"""What settings do, end to end: limits, names, rates, ports; at start and when set at run time."""

import re
import socket
import time

import packets
import pylac
from fakeradius import FakeRadius
from netns import wait_for
from pylac import CDN, ICRP, SCCRQ, STOPCCN, Lac
from test_radius import SECRET, Site

USERS = {"joe": "secret", "ann": "secret"}


# ---------------------------------------------------------------------------- limits of the tables

def test_max_sessions(plant):
    """The call beyond max_sessions is refused with result code 4, counted, and harms nobody; then there is room."""
    daemon = plant.lns({"max_sessions": 3}, local_users=USERS)
    tunnel = Lac(plant.network).tunnel()
    sessions = [tunnel.session() for _ in range(3)]
    refused = tunnel.session()
    assert refused.reply.type == CDN
    assert refused.reply.result[0] == 4, "temporarily no facilities, RFC 2661 4.4.2"
    assert daemon.counters()["session_overflow"] == 1
    sessions[0].up().ping(plant.network.CORE)
    sessions[1].hangup()
    assert tunnel.session().reply.type == ICRP
    daemon.stop()


def test_max_tunnels(plant):
    """An SCCRQ beyond max_tunnels gets a StopCCN (insufficient resources), and the tunnels there are go on."""
    daemon = plant.lns({"max_tunnels": 2}, local_users=USERS)
    sessions = [pylac.subscriber(plant.network, user) for user in USERS]
    late = Lac(plant.network)
    tunnel = late.tunnel(start=False)
    tunnel.send(SCCRQ, *tunnel.sccrq())
    assert tunnel.expect(STOPCCN).result == (2, 4)
    assert daemon.counters()["tunnel_overflow"] == 1
    for session in sessions:
        session.ping(plant.network.CORE)
    sessions[0].tunnel.stop()
    late.tunnel()
    daemon.stop()


# ---------------------------------------------------------------------------- carriers

def test_lac_lines_on_the_command_line(plant):
    """`lac` and `no lac` at run time: secret and limit hold for the next tunnel, and are shown and written."""
    daemon = plant.lns({"l2tp_secret": "common", "require_tunnel_auth": True}, local_users=USERS)
    address = plant.network.LAC
    Lac(plant.network).tunnel(secret="common")
    assert daemon.set("lac %s/32 secret carrier max-sessions 1" % address) in ([], [""])
    assert 'lac "%s/32" secret "carrier" max-sessions 1' % address in daemon.run("show running-config")
    tunnel = Lac(plant.network).tunnel(secret="carrier", challenge=True)
    assert tunnel.session().reply.type == ICRP
    assert tunnel.session().reply.type == CDN
    daemon.set("lac %s/32 secret carrier" % address)
    assert tunnel.session().reply.type == ICRP
    assert daemon.set("no lac %s/32" % address) in ([], [""])
    assert "carrier" not in "\n".join(daemon.run("show running-config"))
    Lac(plant.network).tunnel(secret="common")
    assert "there is no lac" in "\n".join(daemon.set("no lac %s/32" % address))
    daemon.stop()


def test_multi_hostname(plant):
    """A name for each of bind_multi_address, hostname where the list ends; changed at run time."""
    network = plant.network
    daemon = plant.lns({"bind_multi_address": "%s,%s" % (network.LNS, network.LNS2), "multi_hostname": "first,second"},
                       local_users=USERS)

    def names():
        return [Lac(network, lns=address).tunnel().reply.get(pylac.HOST_NAME)
                for address in (network.LNS, network.LNS2)]
    assert names() == [b"first", b"second"]
    daemon.set('set multi_hostname "only"')
    assert names() == [b"only", b"lns1"]
    daemon.stop()


# ---------------------------------------------------------------------------- what is logged

def test_dump_speed(plant):
    """dump_speed logs the bandwidth each second, from when it is set until it is not."""
    daemon = plant.lns(local_users=USERS, clock=True)
    session = pylac.subscriber(plant.network)
    daemon.set("set dump_speed yes")
    for _ in range(5):
        session.ping(plant.network.CORE, size=1000)
    line = r"UDP-ETH:[\d.]+/[\d.]+ ETH-UDP:[\d.]+/[\d.]+ Mbit/s IN:\d+ OUT:\d+"
    daemon.wait_log(line)
    wait_for(lambda: re.search(r"IN:[1-9]\d* OUT:[1-9]", daemon.log), "a line with packets")
    daemon.set("set dump_speed no")
    daemon.step(2)  # a line that was on its way has come
    count = len(re.findall(line, daemon.log))
    daemon.step(2)
    daemon.step(2)
    assert len(re.findall(line, daemon.log)) == count
    daemon.stop()


# ---------------------------------------------------------------------------- ICMP

def flood(plant, address, count, size=32, df=False):
    """UDP packets from the core to an address behind the LNS."""
    sock = plant.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if df:
        sock.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE: DF whatever is known
    for _ in range(count):
        try:
            sock.sendto(bytes(size), (address, 9))
        except OSError:  # the error of an earlier one
            pass
    sock.close()


def test_icmp_rate(plant):
    """Host-unreachables: none with 0, no more than icmp_rate a second, set at run time."""
    daemon = plant.lns({"icmp_rate": 0}, local_users=USERS)
    before = daemon.counters()
    flood(plant, "10.9.0.200", 100)
    wait_for(lambda: daemon.counters()["tx_no_session"] == before["tx_no_session"] + 100, "the packets")
    assert daemon.counters()["icmp_sent"] == 0
    daemon.set("set icmp_rate 20")
    flood(plant, "10.9.0.200", 200)
    wait_for(lambda: daemon.counters()["tx_no_session"] == before["tx_no_session"] + 300, "the packets")
    counters = daemon.counters()
    assert 1 <= counters["icmp_sent"] <= 40, "of two seconds at most"
    assert counters["icmp_sent"] + counters["icmp_limited"] == 200
    daemon.stop()


def test_too_big_limit(plant):
    """Fragmentation Needed: sent also with icmp_rate 0, and no more than 1,000 a second."""
    daemon = plant.lns({"icmp_rate": 0}, local_users=USERS)
    session = Lac(plant.network).tunnel().session()
    session.mru = 1000
    session.up()
    sniffer = plant.network.core.sniff("lns")
    flood(plant, session.address, 1, size=1200, df=True)
    sniffer.wait(lambda p: packets.Ip(p).proto == packets.ICMP and packets.Ip(p).type == 3 and packets.Ip(p).code == 4)
    began = time.monotonic()
    for sent in range(201, 5002, 200):  # no more at once than the device keeps for a daemon that has to wait for its turn
        flood(plant, session.address, 200, size=1200, df=True)
        wait_for(lambda: daemon.counters()["tx_too_big"] == sent, "the packets")
    seconds = int(time.monotonic() - began) + 2
    counters = daemon.counters()
    assert counters["icmp_sent"] <= 1000 * seconds
    assert counters["icmp_sent"] + counters["icmp_limited"] == 5001
    assert counters["icmp_limited"] > 0 or seconds > 5
    daemon.stop()


# ---------------------------------------------------------------------------- RADIUS

def test_radius_ports(plant):
    """radius_bind_min and _max: requests leave from there, also when the range is moved; one that is none waits."""
    site = Site(plant, radius_bind_min=20000, radius_bind_max=20063)

    def port(user):
        assert site.tunnel.session().authenticate(user, "secret")
        return site.server.access[-1].source[1]
    assert 20000 <= port("one") <= 20063
    assert "not in force" in "\n".join(site.lns.set("set radius_bind_min 21000"))
    assert 20000 <= port("two") <= 20063
    site.lns.set("set radius_bind_max 21999")
    assert 21000 <= port("three") <= 21999
    site.lns.set("set radius_bind_max 0")
    site.lns.set("set radius_bind_min 0")
    assert not 21000 <= port("four") <= 21999


def test_radius_servers_at_run_time(plant):
    """Servers, their port and secret set on the command line count for the next login."""
    site = Site(plant)
    network = site.network
    other = plant.keep(FakeRadius(network.core, network.CORE2, port=1999, secret="other"))
    assert site.tunnel.session().authenticate("joe", "secret")
    site.lns.set("set primary_radius " + network.CORE2)
    site.lns.set("set primary_radius_port 1999")
    site.lns.set("set radius_secret other")
    assert site.tunnel.session().authenticate("ann", "secret")
    assert (len(site.server.access), len(other.access)) == (1, 1)
    assert other.access[0].password(b"other") == b"secret"
    site.lns.set("set primary_radius %s" % network.CORE)
    site.lns.set("set primary_radius_port 1812")
    site.lns.set("set secondary_radius %s" % network.CORE2)
    site.lns.set("set radius_secret " + SECRET)
    site.server.answer = lambda server, request: []
    other.secret = SECRET.encode()
    site.lns.set("set secondary_radius_port 1999")
    assert site.tunnel.session().authenticate("eve", "secret", timeout=20)
    assert len(other.access) == 2
