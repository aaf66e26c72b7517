"""What the others are told before anybody else hears of it: no answer is given whose change could die with the master."""

import json
import select
import signal
import socket
import time

import pytest

from clac import CLac
from cluster import FastRadius
from fakeradius import SESSION_TIMEOUT, USER_NAME, attribute
from members import LAC, RADIUS, VIP, Trio, all_up
from netns import wait_for
from test_dae import COA, DISCONNECT, PORT, request

TUNNELS = 10
A_SOCKET = 250  # requests: identifiers are of one octet
PAUSE = 0.3  # seconds without an answer: what was lost is asked again


class Questions:
    """Very many requests of a RADIUS server at once. `acked`: the numbers of those that were acknowledged."""

    def __init__(self, ns, packets):
        """packets: bytes by number, each with an identifier of its number modulo A_SOCKET."""
        self.packets, self.acked, self.refused = packets, set(), set()
        self.socks = [ns.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range((len(packets) - 1) // A_SOCKET + 1)]
        for sock in self.socks:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.first = {sock: n * A_SOCKET for n, sock in enumerate(self.socks)}

    def send(self):
        for n, packet in enumerate(self.packets):
            if n not in self.acked:
                self.socks[n // A_SOCKET].sendto(packet, (VIP, PORT))

    def take(self, timeout=0.0):
        """Answers that are there, or come in time. False: there were none."""
        ready = select.select(self.socks, [], [], timeout)[0]
        for sock in ready:
            while True:
                try:
                    answer = sock.recv(4096, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
                (self.acked if answer[0] in (41, 44) else self.refused).add(self.first[sock] + answer[1])
        return bool(ready)

    def ask_until(self, enough):
        deadline = time.monotonic() + 60
        while len(self.acked) < enough:
            assert time.monotonic() < deadline, "%d of %d answered" % (len(self.acked), len(self.packets))
            self.send()
            while len(self.acked) < enough and self.take(PAUSE):
                pass

    def close(self):
        for sock in self.socks:
            sock.close()


class Crowd:
    """A cluster with so many sessions, user0 ..., which a slave hands on."""

    def __init__(self, factory, many):
        self.trio = Trio(factory, {**RADIUS, "radius_accounting": True, "debug": 1})
        try:
            FastRadius(self.trio.lac, LAC)
            for m in self.trio.members:
                m.lns.write("ip_pool", "10.64.0.0/15\n")
            all_up(self.trio)
            self.trio.through(self.trio.slaves()[0])
            self.lac = CLac(self.trio.lac, VIP)
            assert self.lac.do("tunnel count=%d port=0" % TUNNELS)["ok"]
            answer = self.lac.do("session count=%d parallel=500" % many, 300)
            assert answer["up"] == str(many), answer
            self.trio.wait()
        except BaseException:
            self.trio.close()
            raise

    def held(self, member):
        """{user: his Session-Timeout}"""
        return {one["user"]: one.get("session_timeout_seconds", 0) for one in
                json.loads("\n".join(member.lns.run("show session json")))}

    def ask(self, code, numbers, *more):
        packets = [request(code, attribute(USER_NAME, b"user%d" % n), *(make(n) for make in more), ident=i % A_SOCKET)
                   for i, n in enumerate(numbers)]
        return Questions(self.trio.lac, packets)


@pytest.fixture
def crowd(tmp_path_factory):
    made = []

    def make(many):
        made.append(Crowd(tmp_path_factory, many))
        return made[-1]
    try:
        yield make
    finally:
        for one in made:
            one.trio.close()


def timeout_of(n):
    return 100000 + n


def change(crowd, many):
    return crowd.ask(COA, range(many), lambda n: attribute(SESSION_TIMEOUT, timeout_of(n).to_bytes(4, "big")))


def wait_alike(crowd, wanted, what):
    """All living members say so of all users; in the end, since no more is asked than that nothing is lost."""
    def missing():
        return {m.address: n for m in crowd.trio.alive() for n in [wanted(crowd.held(m))] if n}
    try:
        wait_for(lambda: not missing(), what, 60)
    except Exception:
        raise AssertionError("%s: %s" % (what, missing())) from None


SIZES = [(5000, 4000), pytest.param(50000, 20000, marks=pytest.mark.long)]


@pytest.mark.parametrize("many, changes", SIZES)
def test_acknowledged_changes_outlive_the_master(crowd, many, changes):
    """Thousands of CoA-Requests in one go; the master is killed when half of them are acknowledged."""
    crowd = crowd(many)
    master = crowd.trio.master()
    asked = change(crowd, changes)
    asked.ask_until(changes // 2)
    master.lns.process.send_signal(signal.SIGKILL)
    while asked.take(PAUSE):
        pass
    master.lns.process.wait()
    print("%d of %d changes acknowledged" % (len(asked.acked), changes))
    crowd.trio.wait()
    wait_alike(crowd, lambda held: sum(held.get("user%d" % n) != timeout_of(n) for n in asked.acked),
               "acknowledged changes that are lost")
    asked.close()


@pytest.mark.parametrize("many", [5000, pytest.param(50000, marks=pytest.mark.long)])
def test_acknowledged_ends_outlive_the_master(crowd, many):
    """The same with Disconnect-Requests for all."""
    crowd = crowd(many)
    master = crowd.trio.master()
    asked = crowd.ask(DISCONNECT, range(many))
    asked.ask_until(many // 2)
    master.lns.process.send_signal(signal.SIGKILL)
    while asked.take(PAUSE):
        pass
    master.lns.process.wait()
    print("%d of %d ends acknowledged" % (len(asked.acked), many))
    crowd.trio.wait()
    wait_alike(crowd, lambda held: sum("user%d" % n in held for n in asked.acked), "sessions that live on")
    asked.close()


@pytest.mark.parametrize("many", [5000, pytest.param(50000, marks=pytest.mark.long)])
def test_a_mass_end_is_told(crowd, many):
    """All sessions end with their tunnels, at once; nobody is left with one, and nobody has had to synchronise."""
    crowd = crowd(many)
    before = {m: m.counters() for m in crowd.trio.members}
    began = time.monotonic()
    assert crowd.lac.do("stop tunnel=all", 90)["ok"]
    wait_alike(crowd, len, "sessions that live on")
    print("%.1f s; longest turn of a loop so far: %s ms" % (
        time.monotonic() - began, [m.counters()["loop_longest_us"] // 1000 for m in crowd.trio.members]))
    for m, was in before.items():
        assert m.counters()["cluster_syncs"] == was["cluster_syncs"], m.address
    crowd.trio.wait()


def test_a_link_that_is_too_slow(crowd):
    """What the master's link drops of a burst is sent again: all is told, and nobody has to synchronise."""
    crowd = crowd(3000)
    master = crowd.trio.master()
    before = {m: m.counters() for m in crowd.trio.members}
    master.ns.run("tc", "qdisc", "add", "dev", "among", "root", "tbf", "rate", "20mbit", "burst", "16k", "limit", "32k")
    asked = change(crowd, 3000)
    asked.ask_until(3000)
    wait_alike(crowd, lambda held: sum(held.get("user%d" % n) != timeout_of(n) for n in range(3000)),
               "changes that are not told")
    resent = master.counters()["cluster_resent"] - before[master]["cluster_resent"]
    print("%d changes sent again" % resent)
    assert resent > 0
    for m, was in before.items():
        assert m.counters()["cluster_syncs"] == was["cluster_syncs"], m.address
    assert crowd.trio.master() is master
    asked.close()
