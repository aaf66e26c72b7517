"""The walled garden as a subscriber meets it: the manual's build-garden, real iptables, web servers and TCP clients.

That the chains are right is test_plugins.py's subject.
"""

import os
import re
import socket

import pytest

import packets
from clac import CLac
from fakeradius import ACCT_SESSION_ID, START, STOP, USER_NAME, FakeRadius, acknowledge
from lns import ROOT
from netns import wait_for
from test_dae import radclient
from test_nsctl import nsctl
from test_plugins import KINDS, SECRET, Garden, WebServer

WEB, WALL, FREE = "10.2.0.80", "10.2.0.81", "10.2.0.99"  # the garden's page, a machine that refuses, and the rest
NAME_SERVER = "10.2.0.53"
GARDEN, OUTSIDE = "you have not paid", "the wide world"
DETAILS = "203.0.113.1"  # an address far away


def manual_rules():
    """build-garden as the manual has it, with addresses of the test."""
    with open(os.path.join(ROOT, "Docs", "manual.md")) as f:
        text = re.search(r"`/etc/l2tpns/build-garden`:\n\n```\n(.*?)```", f.read(), re.S).group(1)
    assert "198.51.100.80:80" in text and "198.51.100.81" in text
    return text.replace("198.51.100.80:80", WEB + ":80").replace("198.51.100.81", WALL)


class Walled(Garden):
    """With the manual's rules, accounting, and machines in the core that count who comes."""

    def __init__(self, plant, tmp_path, kind="nft", settings=None, **kwargs):
        self.core, self.clients = plant.network.core, plant.network.lac
        self.accounts = plant.keep(FakeRadius(self.core, plant.network.CORE, 1813, SECRET))
        self.accounts.answer = acknowledge
        self.core.ip(*("addr add %s/16 dev lns" % a for a in (WEB, WALL, FREE, NAME_SERVER)))
        self.core.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")  # each attempt is refused in words
        for address, text in (WEB, GARDEN), (FREE, OUTSIDE):
            plant.keep(WebServer(self.core, address, 80, text.encode()))
        self.tcp, self.udp = self.core.socket(), self.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp.bind((FREE, 443))
        self.tcp.listen()
        self.udp.bind((FREE, 5353))
        self.udp.settimeout(5)
        super().__init__(plant, tmp_path, kind, {"radius_accounting": True, **(settings or {})}, **kwargs)
        self.built()

    def prepare(self):
        self.lns.write("build-garden", manual_rules())

    def fetch(self, client, target=FREE):
        return self.clients.run("curl", "-s", "-m", "10", "--interface", client, "http://%s/" % target, check=False)

    def tcp_reaches(self, client, address, port):
        sock = self.clients.socket()
        sock.bind((client, 0))
        sock.settimeout(10)
        try:
            sock.connect((address, port))
            return True
        except ConnectionRefusedError:
            return False
        finally:
            sock.close()

    def udp_reaches(self, client, address, port):
        """Also true of one that nobody refuses: then there is silence."""
        sock = self.clients.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((client, 0))
        sock.settimeout(10)
        try:
            sock.connect((address, port))
            sock.send(b"?")
            sock.recv(100)
            return True
        except ConnectionRefusedError:
            return False
        finally:
            sock.close()

    def free(self, client):
        """He reaches all that is there."""
        assert OUTSIDE in self.fetch(client)
        assert self.tcp_reaches(client, FREE, 443)
        sock = self.clients.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((client, 0))
        sock.sendto(b"hello", (FREE, 5353))
        assert self.udp.recvfrom(100) == (b"hello", sock.getsockname())
        sock.close()

    def records(self, user, *status):
        return [r for r in self.accounts.records if r.get(USER_NAME) == user.encode() and r.status in status]


class Client:
    """A subscriber whose TCP is the kernel's."""

    def __init__(self, site, user, number=9):
        self.site = site
        self.lac = CLac(site.clients, site.network.LNS)
        device, table = "tun%d" % number, 90 + number
        for command in "tunnel", "session user=%s password=wrong" % user, "attach session=0 dev=" + device:
            answer = self.lac.do(command)
            assert answer["ok"], (command, answer)
        self.address = site.lns.wait_session(user)["IP"]
        site.clients.ip("route add default dev %s src %s table %d" % (device, self.address, table),
                        "rule add from %s table %d" % (self.address, table))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def heard(sniffer, address):
    """(destination, protocol, port) of what came from there, port 0 where there is none."""
    found = set()
    for packet in sniffer.packets():
        ip = packets.Ip(packet)
        if ip.src == address and packet[0] >> 4 == 4:
            found.add((ip.dst, ip.proto, getattr(ip, "dport", 0)))
    return found


def release_by_nsctl(site, user):
    assert nsctl(site.network.lns, "ungarden", site.lns.session(user)["SID"]) == (0, "", "")


def release_by_coa(site, user):
    assert radclient(site.core, "coa", ['User-Name = "%s"' % user, 'Cisco-AVPair = "garden=no"'], site.network.LNS).ack


@pytest.mark.parametrize("release", [release_by_nsctl, release_by_coa], ids=["nsctl", "coa"])
def test_walls(plant, tmp_path, kind, release):
    """The page and names are all he reaches, by any protocol; then he is let out, and reaches everything."""
    site = Walled(plant, tmp_path, kind)
    jim, joe = Client(site, "jim", 8), Client(site, "joe", 9)
    site.wait_inside(jim.address)
    sniffer = plant.keep(site.core.sniff("lns"))
    assert GARDEN in site.fetch(jim.address) and GARDEN in site.fetch(jim.address, DETAILS)
    own = [site.network.CORE_LNS, site.network.LNS, "10.9.255.1"]  # ours: the command line among others
    for target in FREE, DETAILS, site.network.CORE, joe.address, *own:
        for port in 443, 22, 23, 8080:
            assert not site.tcp_reaches(jim.address, target, port), (target, port)
        for port in 5353, 123, 1701, 3799:
            assert not site.udp_reaches(jim.address, target, port), (target, port)
        site.clients.run("ping", "-n", "-c1", "-W5", "-I", jim.address, target)
    seen = heard(sniffer, jim.address)
    assert {dst for dst, _, _ in seen} == {WEB, WALL}, seen
    assert {(proto, port) for dst, proto, port in seen if dst == WEB} == {(packets.TCP, 80)}
    assert not site.udp_reaches(jim.address, NAME_SERVER, 53)  # refused by itself: nobody listens there
    assert (NAME_SERVER, packets.UDP, 53) in heard(sniffer, jim.address)
    site.free(joe.address)
    assert site.records("jim", START) == []
    release(site, "jim")
    site.wait_inside()
    site.free(jim.address)
    assert OUTSIDE in site.fetch(jim.address)
    assert site.tcp_reaches(jim.address, FREE, 443)
    wait_for(lambda: site.records("jim", START), "the Start")
    jim.lac.do("close session=0")
    wait_for(lambda: site.records("jim", STOP), "the Stop")
    (start,), (stop,) = site.records("jim", START), site.records("jim", STOP)
    assert start.get(ACCT_SESSION_ID) == stop.get(ACCT_SESSION_ID)


def test_address_of_a_gardened_one(plant, tmp_path):
    """The next who gets it is free; nothing was accounted of the first."""
    site = Walled(plant, tmp_path, pool=["10.9.0.9"])
    jim = site.up("jim", "wrong")
    site.wait_inside("10.9.0.9")
    jim.hangup()
    site.wait_inside()
    joe = Client(site, "joe")
    assert joe.address == "10.9.0.9"
    site.free(joe.address)
    wait_for(lambda: site.records("joe", START), "the Start")
    assert site.records("jim", START, STOP) == []


@pytest.mark.parametrize("end", ["released", "plugin unloaded"])
def test_put_in_by_hand(plant, tmp_path, end):
    """One who is up and accounted is put in; then no walls are left, and he has one Start."""
    site = Walled(plant, tmp_path)
    joe = Client(site, "joe")
    assert nsctl(site.network.lns, "garden", "joe") == (0, "", "")
    site.wait_inside(joe.address)
    assert GARDEN in site.fetch(joe.address)
    if end == "plugin unloaded":
        site.lns.set("remove plugin garden")
    else:
        release_by_nsctl(site, "joe")
    wait_for(lambda: OUTSIDE in site.fetch(joe.address), "the wide world")
    site.free(joe.address)
    assert len(site.records("joe", START)) == 1
