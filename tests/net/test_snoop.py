"""Interception: the collector gets each packet of the subscriber, both ways, octet by octet, and nobody is the worse."""

import json
import os
import socket

import pytest

import packets
from netns import Timeout, wait_for
from pylac import Lac

USERS = {"user%d" % n: "secret" for n in range(4)}
PORT = 7000  # in the core, where subscribers' packets go


class Collector:
    """A UDP socket in the core network; all it gets."""

    def __init__(self, network, port, address=None):
        self.address, self.port = address or network.CORE, port
        self.sock = network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((self.address, port))
        self.sock.settimeout(0)
        self.got = []

    def take(self):
        while True:
            try:
                self.got.append(self.sock.recv(65536))
            except BlockingIOError:
                return self.got

    def wait(self, count):
        """The packets, once there are so many; not one more comes with them."""
        try:
            wait_for(lambda: len(self.take()) >= count, "%d copies" % count)
        except Timeout:
            raise AssertionError("%d copies of %d" % (len(self.got), count)) from None
        return self.got

    def close(self):
        self.sock.close()


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1"}, local_users=USERS)
    return module


@pytest.fixture
def lns(site):
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def online(site, lns):
    """user0 and user1."""
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    yield [tunnel.session().up("user%d" % n) for n in range(2)]
    tunnel.stop()
    lac.close()
    wait_for(lambda: lns.sessions() == [], "the end of the sessions")


@pytest.fixture
def collector(site):
    collector = Collector(site.network, 9999)
    yield collector
    collector.close()


@pytest.fixture
def host(site):
    """A socket in the core that talks to subscribers."""
    sock = site.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((site.network.CORE, PORT))
    sock.settimeout(5)
    yield sock
    sock.close()


def say(lns, command):
    return [line for line in lns.run(command) if line]


def snoop(lns, user, collector):
    where = collector.address, collector.port
    assert say(lns, "snoop %s %s %d" % (user, *where)) == ["Snooping user %s to %s:%d" % (user, *where)]


def load(lns, command):
    return json.loads("\n".join(lns.run(command + " json")))


def send_up(site, session, host, sizes):
    """UDP packets of the subscriber, all received in the core; as they were sent."""
    sent = []
    for size in sizes:
        sent.append(packets.udp(session.address, site.network.CORE, 5000, PORT, os.urandom(size), ident=len(sent)))
        session.send_ip(sent[-1])
        host.recv(65536)
    return sent


def send_down(session, host, sizes):
    """UDP packets to the subscriber; as he got them."""
    got = []
    for size in sizes:
        data = os.urandom(size)
        host.sendto(data, (session.address, 5000))

        def find():
            while session.packets:
                packet = session.packets.pop(0)
                if packet.endswith(data):
                    return packet
            return None

        got.append(session.lac.wait(find, "the packet"))
    return got


def but_for_ttl(packet):
    return packet[:8] + packet[9:10] + packet[12:]


SIZES = (0, 1, 17, 100, 576, 1000, 1434)


@pytest.mark.san
def test_both_ways(site, lns, online, collector, host):
    """Copies equal the packets, in their order, of one session only."""
    snoop(lns, "user0", collector)
    before = lns.counters()["packets_snooped"]
    want = []
    for size in SIZES:
        want += send_up(site, online[0], host, [size]) + send_down(online[0], host, [size])
        send_up(site, online[1], host, [size])
        send_down(online[1], host, [size])
    assert collector.wait(len(want)) == want
    assert lns.counters()["packets_snooped"] == before + len(want)


def test_many(site, lns, online, collector, host):
    """2,000 packets in one go, with IP options, TCP and fragments among them."""
    snoop(lns, "user0", collector)
    me, core = online[0].address, site.network.CORE
    want = []

    def from_him():
        return [packet for packet in collector.take() if packets.Ip(packet).src == me]

    for n in range(2000):
        kind = n % 4
        if kind == 0:
            want.append(packets.udp(me, core, 5000, PORT, os.urandom(n % 1400), ident=n))
        elif kind == 1:
            want.append(packets.tcp(me, core, 5000, 5001, 0x10, seq=n, data=b"x" * (n % 700), ident=n))
        elif kind == 2:
            want.append(packets.ipv4(me, core, 253, os.urandom(40), ident=n, options=b"\x01\x01\x01\x00"))
        else:
            want.append(packets.ipv4(me, core, packets.UDP, os.urandom(64), ident=n, more=True, offset=8))
    for at, packet in enumerate(want):
        online[0].send_ip(packet)
        if at % 100 == 99:
            wait_for(lambda: len(from_him()) > at, "the copies")
    assert from_him() == want  # among them are copies of the core's refusals


@pytest.mark.san
def test_syn_as_it_came(site, lns, online, collector):
    """The copy is made before we lower the MSS."""
    snoop(lns, "user0", collector)
    syn = packets.tcp(online[0].address, site.network.CORE, 5000, 5001, 2, options=b"\x02\x04\x05\xb4")
    online[0].send_ip(syn)
    assert collector.wait(1)[0] == syn


@pytest.mark.san
def test_dropped_packets_are_not_copied(site, lns, online, collector, host):
    """A spoofed source, and what is over the rate: only what passes is copied."""
    snoop(lns, "user0", collector)
    online[0].send_ip(packets.udp("192.0.2.7", site.network.CORE, 1, PORT, b"spoofed"))
    lns.run("throttle user0 in 64")
    for n in range(40):
        online[0].send_ip(packets.udp(online[0].address, site.network.CORE, 5000, PORT, b"%04d" % n * 300, ident=n))
    passed = []
    host.settimeout(1.5)
    while True:
        try:
            passed.append(host.recv(65536))
        except socket.timeout:
            break
    assert 0 < len(passed) < 20
    assert [packet[28:] for packet in collector.wait(len(passed))] == passed


@pytest.mark.san
@pytest.mark.parametrize("way", ["in", "out"])
def test_filtered_packets_are_not_copied(site, lns, online, collector, host, way):
    snoop(lns, "user0", collector)
    cli = lns.open_cli()
    for line in "configure terminal", "ip access-list extended some", "deny udp any eq 6666 any", "permit ip any any":
        assert cli.run(line) in ([], [""])
    cli.close()
    lns.run("filter user0 %s some" % way)
    me, core = online[0].address, site.network.CORE
    if way == "in":
        online[0].send_ip(packets.udp(me, core, 6666, PORT, b"filtered"))
        want = send_up(site, online[0], host, [5])
    else:
        with site.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((core, 6666))
            other.sendto(b"filtered", (me, 5000))
        want = send_down(online[0], host, [5])
    assert collector.wait(1) == want


@pytest.mark.san
def test_what_does_not_fit_him(site, lns, collector, host):
    """A packet that we put into fragments is copied whole, as it came; one that is answered with ICMP is not."""
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    session = tunnel.session()
    session.mru = 576
    session.up("user2")
    snoop(lns, "user2", collector)
    raw = site.network.core.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    core, me = site.network.CORE, session.address
    refused, whole, small = [packets.udp(core, me, 1, 2, os.urandom(size), ident=size, df=df)
                             for size, df in ((1000, True), (1001, False), (100, True))]
    for packet in refused, whole, small:
        raw.sendto(packet, (me, 0))
    raw.close()
    session.wait_packet(lambda p: p.ident == 100)
    copies = collector.wait(2)
    assert [but_for_ttl(copy) for copy in copies] == [but_for_ttl(packet) for packet in (whole, small)]
    assert not [packet for packet in copies if packets.Ip(packet).more]
    tunnel.stop()
    lac.close()


@pytest.mark.san
def test_fragments(site, lns, online, collector, host):
    """Both ways, in any order: each piece is a packet."""
    snoop(lns, "user0", collector)
    me, core = online[0].address, site.network.CORE
    data = os.urandom(4000)
    udp = packets.udp(me, core, 5000, PORT, data)[20:]
    want = [packets.ipv4(me, core, packets.UDP, udp[at:at + 1000], ident=9, more=at < 3000, offset=at)
            for at in (1000, 0, 4000, 2000, 3000)]
    for packet in want:
        online[0].send_ip(packet)
    copies = collector.wait(len(want))
    assert copies == want
    host.sendto(data, (me, 5000))
    got = []

    def take():
        while online[0].packets:
            got.append(online[0].packets.pop(0))
        return got and packets.Ip(got[-1]).offset and not packets.Ip(got[-1]).more
    online[0].lac.wait(take, "the last fragment")
    assert len(got) > 2
    assert collector.wait(len(want) + len(got))[len(want):] == got


@pytest.mark.san
def test_no_snoop(site, lns, online, collector, host):
    snoop(lns, "user0", collector)
    want = send_up(site, online[0], host, [10])
    collector.wait(1)
    assert say(lns, "no snoop user0") == ["Not snooping user user0"]
    assert lns.session("user0")["I"] == "N"
    send_up(site, online[0], host, [20, 30])
    send_down(online[0], host, [20, 30])
    snoop(lns, "user0", collector)
    want += send_up(site, online[0], host, [40])
    assert collector.wait(2) == want


@pytest.mark.san
def test_two_collectors(site, lns, online, collector, host):
    """Each session has its own; `snoop` again moves it to another."""
    other = Collector(site.network, 9998, site.network.CORE2)
    snoop(lns, "user0", collector)
    snoop(lns, "user1", other)
    first = send_up(site, online[0], host, [1, 2, 3])
    second = send_up(site, online[1], host, [4, 5, 6])
    assert (collector.wait(3), other.wait(3)) == (first, second)
    snoop(lns, "user0", other)
    moved = send_up(site, online[0], host, [7])
    assert other.wait(4) == second + moved
    assert collector.take() == first
    other.close()


@pytest.mark.san
@pytest.mark.parametrize("where", ["10.2.0.2", "127.0.0.1", "10.2.0.77", "203.0.113.1", "10.9.0.250"],
                         ids=["refuses", "loopback", "no-answer", "no-route", "nobody-in-the-pool"])
def test_no_collector(site, lns, online, host, where):
    """Nobody listens there, or there is no way: the subscribers do not notice."""
    assert say(lns, "snoop user0 %s 9" % where) == ["Snooping user user0 to %s:9" % where]
    for _ in range(20):
        send_up(site, online[0], host, [100, 1400])
        send_down(online[0], host, [100, 1400])
    send_up(site, online[1], host, SIZES)
    online[1].ping(site.network.CORE)


def test_a_dead_collector_beside_a_good_one(site, lns, online, collector, host):
    """What cannot be sent to the one does not keep the other's copies back."""
    assert say(lns, "snoop user1 203.0.113.1 9")
    snoop(lns, "user0", collector)
    want = []
    for n in range(30):
        online[1].send_ip(packets.udp(online[1].address, site.network.CORE, 1, PORT, b"lost", ident=n))
        want.append(packets.udp(online[0].address, site.network.CORE, 5000, PORT, b"good", ident=n))
        online[0].send_ip(want[-1])
    assert collector.wait(30) == want


@pytest.mark.san
def test_session_ends_while_intercepted(site, lns, online, collector, host):
    """The next session of that name is not intercepted."""
    snoop(lns, "user0", collector)
    send_up(site, online[0], host, [1])
    lns.run("drop user user0")
    lns.wait_gone("user0")
    again = online[0].tunnel.session().up("user0")
    send_up(site, again, host, SIZES)
    send_down(again, host, SIZES)
    assert lns.session("user0")["I"] == "N"
    assert len(collector.wait(1)) == 1


@pytest.mark.san
def test_copies_do_not_breed(site, lns, online):
    """A collector behind a subscriber would get copies of copies: refused, and when he comes later, nothing is sent."""
    assert say(lns, "snoop user0 %s 9999" % online[1].address) == [
        "%s is a subscriber's address: copies cannot go there" % online[1].address]
    third = "10.9.0.3"
    assert say(lns, "snoop user0 %s 9999" % third)[0].startswith("Snooping")
    late = online[0].tunnel.session().up("user2")
    assert late.address == third
    dropped = lns.counters()["snoop_dropped"]
    online[0].ping(site.network.CORE)
    wait_for(lambda: lns.counters()["snoop_dropped"] >= dropped + 2, "copies to be left out")
    late.ping(site.network.CORE)
    assert not any(packets.Ip(p).proto == packets.UDP for p in late.packets)


@pytest.mark.san
def test_commands(lns, online, collector):
    assert say(lns, "snoop nobody 127.0.0.1 9999") == ["User nobody is not connected"]
    assert say(lns, "no snoop nobody") == ["User nobody is not connected"]
    assert say(lns, "snoop 1 127.0.0.1 9999") == ["User 1 is not connected"]
    for addr in "here", "1.2.3", "0.0.0.0", "255.255.255.255", "1.2.3.4.5":
        assert say(lns, "snoop user0 %s 9999" % addr) == ["IP is the address of a collector, not '%s'" % addr]
    for port in "0", "65536", "http", "-1":
        assert say(lns, "snoop user0 127.0.0.1 " + port) == ["PORT is 1..65535, not '%s'" % port]
    assert "usage: snoop USER IP PORT" in "".join(lns.run("snoop user0 127.0.0.1"))
    assert lns.session("user0")["I"] == "N"
    snoop(lns, "user0", collector)
    row = lns.session("user0")
    assert row["I"] == "Y"
    assert "\tIntercepted:\t10.2.0.2:9999" in lns.run("show session " + row["SID"])
    one = load(lns, "show session " + row["SID"])[0]
    assert (one["intercepted"], one["snoop_ip"], one["snoop_port"]) == (True, "10.2.0.2", 9999)
    other = load(lns, "show session " + lns.session("user1")["SID"])[0]
    assert other["intercepted"] is False and "snoop_ip" not in other
    cli = lns.open_cli(enable=False)
    assert "Snooping" not in "".join(cli.run("snoop user1 127.0.0.1 9999"))
    cli.close()
    assert lns.session("user1")["I"] == "N"
