"""The master is killed under real subscribers - xl2tpd and pppd - who are about to log in, or have just done so.

None of them dials again: `redial` is off, so a call that failed would stay down.
"""

import fcntl
import os
import socket
import struct
import threading

import pytest

import fakeradius
from fakeradius import ACCT_SESSION_ID, START, STOP, USER_NAME
from freeradius import FreeRadius
from members import OUTER, RADIUS, VIP, Trio
from netns import wait_for
from uml import Uml

SERVER, GUEST = "10.11.0.99", "10.11.0.101"
INSIDE = "10.99.0.2"  # an address that any member answers for
METHODS = "pap", "chap", "mschap-v2"
USERS = {"%s%d" % (method, n): ("secret", {}) for method in METHODS for n in range(10)}
SETTINGS = {**RADIUS, "radius_accounting": True, "radius_authtypes": "pap,chap,mschapv2", "peer_address": "10.9.255.1"}


class Network:
    """What class Uml asks a network for."""

    LNS, UML = VIP, GUEST

    def __init__(self, trio):
        self.lac = trio.lac

    def tap(self, device):
        with self.lac:
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", device.encode(), 0x1002))  # TUNSETIFF: tap, no header
                fcntl.ioctl(tun, 0x400454CB, 1)  # TUNSETPERSIST
            finally:
                os.close(tun)
        self.lac.ip("link set %s master br0 up" % device)


class Slow:
    """In front of FreeRADIUS: asks it for the members, and lets them wait for the answer, until `gate` is set and longer."""

    def __init__(self, trio):
        self.ns, self.delay, self.asked, self.heard = trio.lac, 0, [], {}
        self.gate = threading.Event()
        self.gate.set()
        trio.serve(1812, self._login)
        trio.serve(1813, self._account)

    def _login(self, server, request):
        self.asked.append(request.get(USER_NAME).decode())
        timer = threading.Timer(self.delay, self._pass_on, (server, request))
        timer.daemon = True
        timer.start()
        return []

    def _pass_on(self, server, request):
        self.gate.wait(60)
        with self.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(request.raw, (SERVER, 1812))
            server.sock.sendto(sock.recv(65536), request.source)

    def _account(self, server, request):
        if request.status in (START, STOP):
            ids = self.heard.setdefault(request.get(USER_NAME).decode(), {})
            ids.setdefault(request.get(ACCT_SESSION_ID), set()).add(request.status)
        return fakeradius.acknowledge(server, request)


class Scene:
    def __init__(self, factory):
        self.trio = Trio(factory, SETTINGS)
        self.things = []
        try:
            self.trio.lac.ip("addr add %s/24 dev br0" % SERVER)
            self.things.append(FreeRadius(self.trio.lac, factory.mktemp("radius"), USERS, SERVER))
            self.radius = Slow(self.trio)
            self.guest = Uml(Network(self.trio), factory.mktemp("uml"))
            self.things.append(self.guest)
            self.guest.run("ip addr del %s/16 dev vec0; ip addr add %s/24 dev vec0; ip rule add to %s lookup 51 pref 999"
                           % (GUEST, GUEST, VIP))
            for m in self.trio.members:
                m.ns.ip("addr add %s/32 dev lo" % INSIDE)
                m.start()
        except BaseException:
            self.close()
            raise

    def begin(self):
        """All members there; what pppd's link does is the business of the master at first."""
        for m in self.trio.members:
            if not m.alive():
                m.start()
        self.old = self.trio.wait()
        self.radius.delay = 0
        self.radius.gate.set()
        self.through(self.old)
        return self

    def through(self, member):
        self.guest.run("ip route replace %s via %s dev vec0 table 51" % (VIP, OUTER % member.number))

    def hold(self, text):
        """From now on the master gets no PPP frames with these octets: the link stays where it is."""
        self.old.ns.run("iptables", "-A", "INPUT", "-i", "outer", "-p", "udp", "--dport", "1701", "-m", "string", "--algo", "bm",
                        "--from", "28", "--to", "52", "--hex-string", "|%s|" % text, "-j", "DROP")

    def dial(self, **options):
        """A call for each kind of login."""
        return [self.guest.dial("call", user="%s%d" % (method, self.number), auth=method, **options) for method in METHODS]

    def lose_master(self):
        self.old.kill()
        self.old.ns.run("iptables", "-F", "INPUT")
        self.new = wait_for(self.trio.master, "another master")
        self.through(self.new)

    def see_up(self, calls):
        """With the call they have made."""
        for call in calls:
            call.wait_up(60)
            self.guest.run("ping -n -c3 -i0.2 -W5 -I %s %s" % (call.address, INSIDE))
            assert [call.log.count(word) for word in ("Connect: ", "local  IP address", "Connect time")] == [1, 1, 0], call.log
        addresses = {call.address for call in calls}
        assert addresses == {s["IP"] for s in self.new.lns.sessions()} and len(addresses) == len(calls)

    def see_books(self, users):
        """A Start and a Stop of each when they have gone."""
        wait_for(lambda: all(list(self.radius.heard.get(u, {}).values()) == [{START, STOP}] for u in users),
                 "one Start and one Stop: %s" % self.radius.heard)

    def close(self):
        for thing in reversed(self.things):
            thing.close()
        self.trio.close()


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    plant = Scene(tmp_path_factory)
    plant.number = 0
    yield plant
    plant.close()


@pytest.fixture
def scene(plant):
    plant.number += 1
    yield plant.begin()
    plant.guest.hangup_all()


def finish(scene, calls):
    scene.see_up(calls)
    for call in calls:
        call.terminate()
    for call in calls:
        call.wait_down()
    scene.see_books(["%s%d" % (method, scene.number) for method in METHODS])


def test_in_lcp(scene):
    """Our request is acknowledged, theirs is not."""
    scene.hold("c021 01")
    calls = scene.dial()
    for call in calls:
        call.wait_log("sent [LCP ConfAck")
        assert "rcvd [LCP ConfAck" not in call.log
    scene.lose_master()
    finish(scene, calls)


def test_asked(scene):
    """RADIUS has been asked, and has not answered yet."""
    scene.radius.delay = 1.5
    scene.radius.gate.clear()
    users = ["%s%d" % (method, scene.number) for method in METHODS]
    calls = scene.dial()
    wait_for(lambda: set(users) <= set(scene.radius.asked), "a request about each")
    assert not any("authentication succeeded" in call.log for call in calls)
    scene.lose_master()
    scene.radius.gate.set()
    finish(scene, calls)


def test_answer_under_way(scene):
    """They answer the challenge of one who is no more, or ask him."""
    scene.hold("c223 02")
    scene.hold("c023 01")
    calls = scene.dial()
    for call, said in zip(calls, ("[PAP AuthReq", "[CHAP Response", "[CHAP Response")):
        call.wait_log("sent " + said)
    scene.lose_master()
    finish(scene, calls)


def test_in_ipcp(scene):
    """Our request is acknowledged, theirs is not."""
    scene.hold("8021 01")
    calls = scene.dial()
    for call in calls:
        call.wait_log("sent [IPCP ConfAck")
    scene.lose_master()
    finish(scene, calls)


def test_just_up(scene):
    calls = scene.dial()
    for call in calls:
        call.wait_log("rcvd [IPCP ConfAck")
    scene.lose_master()
    finish(scene, calls)
