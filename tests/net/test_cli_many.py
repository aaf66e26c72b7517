"""Sixty thousand sessions listed while traffic flows, connections cut in the middle, clients that stop reading."""

import contextlib
import json
import os
import socket
import struct
import time

import pytest

from clac import TOOLS, CLac
from lns import Cli
from netns import wait_for

SESSIONS, TUNNELS, BUSY = 60000, 4, 1000
PORT = 9000
PATIENCE = 30


@pytest.fixture(scope="module")
def site(module):
    core = module.network.core
    core.start(os.path.join(TOOLS, "radresp"), "-l", module.network.CORE, "-p", "1812", "-s", "secret").wait_line("ready")
    core.start(os.path.join(TOOLS, "traffic"), "echo", "port=%d" % PORT)
    module.daemon = module.lns({"primary_radius": module.network.CORE, "primary_radius_port": 1812,
                                "radius_secret": "secret", "radius_authtypes": "pap", "debug": 1},
                               pool=("10.128.0.0/16",))
    module.clac = CLac(module.network.lac, module.network.LNS)
    assert module.clac.do("tunnel count=%d" % TUNNELS)["ok"]
    answer = module.clac.do("session count=%d parallel=300 timeout=60" % SESSIONS)
    assert (answer["up"], answer["failed"]) == (str(SESSIONS), "0"), answer
    return module


@pytest.fixture
def lns(site):
    yield site.daemon
    site.daemon.check()


def read_all(cli, command):
    """Its output as octets; Cli.run() is not made for megabytes."""
    cli.send(command)
    parts = [b""]
    cli.sock.settimeout(PATIENCE)
    while not parts[-1].endswith((b"> ", b"# ")):
        part = cli.sock.recv(1 << 20)
        assert part, "the connection was closed"
        parts.append(part)
    return b"".join(parts).replace(b"\r", b"").partition(b"\n")[2]


@contextlib.contextmanager
def traffic(site, seconds=1, rate=5000):
    """Packets both ways, compared and counted; none may be lost while the block runs. Yields until when."""
    count = seconds * rate // BUSY
    site.clac.send("echo session=0-%d to=%s:%d size=200 rate=%d count=%d timeout=5000"
                   % (BUSY - 1, site.network.CORE, PORT, rate, count))
    yield time.monotonic() + seconds
    passed = site.clac.answer()
    assert (passed["received"], passed["corrupt"]) == (str(count * BUSY), "0"), passed


def longest(lns):
    return lns.counters()["loop_longest_us"]


def children(lns):
    with open("/proc/%d/task/%d/children" % (lns.process.pid, lns.process.pid)) as f:
        return f.read().split()


def descriptors(lns):
    return len(os.listdir("/proc/%d/fd" % lns.process.pid))


def test_listed_under_traffic(site, lns):
    """All are listed, in text and JSON, over and over; the data path does not notice."""
    lns.run("clear counters")
    with traffic(site):
        pass
    before = longest(lns)
    cli = lns.open_cli(enable=False)
    for command, rows in (("show session", 1 + SESSIONS), ("show ipcache", 2 + SESSIONS), ("show session json", SESSIONS)):
        lns.run("clear counters")
        with traffic(site, seconds=2) as end:
            rounds = 0
            while time.monotonic() < end or not rounds:
                output = read_all(cli, command)
                rounds += 1
        print(command, rounds, "rounds; longest turn", longest(lns), "us, without", before)
        assert longest(lns) < max(5 * before, 50000)
        if "json" in command:
            found = json.loads(output.rpartition(b"\n")[0].decode())
            assert len({s["id"] for s in found}) == rows
        else:
            assert len([line for line in output.split(b"\n")[:-1] if line]) == rows
    cli.close()


def test_cut_in_the_middle(site, lns):
    """Whatever way a connection ends, child and descriptors are gone."""
    before = children(lns), descriptors(lns)
    with traffic(site):
        for n in range(24):
            cli = Cli.tcp(lns.ns) if n % 2 else Cli.unix(lns.socket)
            cli.prompt()
            cli.send("show session" + (" json" if n % 4 > 1 else ""))
            cli.sock.recv(4096)
            if n % 3 == 0 and n % 2:  # a reset
                cli.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            cli.close()
    wait_for(lambda: (children(lns), descriptors(lns)) == before, "the end of children and descriptors", PATIENCE)


def test_client_that_does_not_read(site, lns):
    """Children wait for such clients, and nobody else does; when those leave, they are gone."""
    before = children(lns), descriptors(lns)
    stuck = []
    for n in range(10):
        cli = Cli.tcp(lns.ns)
        cli.prompt()
        cli.send("show session json")
        stuck.append(cli)
    with traffic(site):
        other = Cli.tcp(lns.ns)
        other.prompt()
        assert any("L2TPNS" in line for line in other.run("show version"))
        assert len(children(lns)) == len(before[0]) + len(stuck) + 1
        other.close()
    for cli in stuck:
        cli.close()
    wait_for(lambda: (children(lns), descriptors(lns)) == before, "the end of children and descriptors", PATIENCE)


def test_debugging_many_packets(site, lns):
    """Each packet logged to a client who does not read: lines are lost, no packet is."""
    cli = Cli.tcp(lns.ns)
    cli.prompt()
    cli.run("debug data")
    with traffic(site, rate=2000):
        pass
    cli.close()
    wait_for(lambda: len(children(lns)) <= 1, "the end of the child", PATIENCE)
