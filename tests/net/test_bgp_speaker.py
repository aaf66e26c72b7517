"""The BGP speaker alone (speaker.c) and real routers: IPv6, and more routes than a test can make sessions for."""

import os
import re
import socket
import struct
import subprocess

import pytest

import netns
from bgppeer import GOOD, REFRESH, UPDATE, Peer, message, parse_update, update
from netns import wait_for
from routers import Bird, Frr
from test_bgp import bgp, bird_conf, frr_conf

TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "build", "tests", "net", "speaker")
OURS6, THEIRS6 = "2001:db8::1", "2001:db8::2"
MANY = 200000


@pytest.fixture
def network():
    network = netns.Network()
    network.lns.ip("addr add %s/64 dev core nodad" % OURS6)
    network.core.ip("addr add %s/64 dev lns nodad" % THEIRS6)
    yield network
    network.close()


class Speaker:
    """build/tests/net/speaker, and what it answers."""

    def __init__(self, network, folder, *lines, before=()):
        self.config = os.path.join(str(folder), "startup-config")
        with open(self.config, "w") as f:
            f.write("set bind_address 10.1.0.1\nset cluster_interface core\n" + "\n".join(lines) + "\n")
        self.process = network.lns.start(*before, TOOL, self.config, stdin=subprocess.PIPE)

    def ask(self, line=""):
        """What it says of itself after the order."""
        before = len(self.process.lines)
        self.process.popen.stdin.write(line.encode() + b"\n")
        self.process.popen.stdin.flush()
        words = self.process.wait_line(r"^\d+ \d+ ", before, 60).string.split()
        return dict(zip(("announced", "sent", "withdrawn", "pending", "ups", "longest_us"), map(int, words)))

    def memory(self):
        with open("/proc/%d/smaps_rollup" % self.process.pid) as f:
            return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024

    def stop(self):
        self.process.popen.stdin.close()
        assert self.process.wait() == 0


# ---------------------------------------------------------------------------- IPv6

PREFIXES = {"2001:db8:100::/40", "2001:db8:a:b::/64", "2001:db8:f::1/128"}


def tell(speaker):
    for prefix in sorted(PREFIXES):
        speaker.ask("add " + prefix)
    speaker.ask("add 10.9.0.0/24")


@pytest.mark.parametrize("over_ipv6", [True, False])
def test_ipv6_bird(network, tmp_path, over_ipv6):
    """IPv6 routes over either transport: over IPv6 our address is the next hop, over IPv4 nexthop6_address."""
    local, peer = (THEIRS6, OURS6) if over_ipv6 else ("10.2.0.2", "10.2.0.1")
    more = [] if over_ipv6 else ["set nexthop6_address " + OURS6]
    router = Bird(network.core, tmp_path, bird_conf(local=local, peer=peer))
    speaker = Speaker(network, tmp_path, *more, *bgp("med 7", "community 64512:9", peer=local))
    router.wait_up(timeout=40)
    tell(speaker)
    wait_for(lambda: set(router.routes("master6")) == PREFIXES, "the routes")
    for route in router.routes("master6").values():
        assert (route["next_hop"].split()[0], route["med"], route["community"], route["as_path"]) == (
            OURS6, "7", "(64512,9)", "64512")
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.1"
    speaker.ask("del 2001:db8:a:b::/64")
    wait_for(lambda: set(router.routes("master6")) == PREFIXES - {"2001:db8:a:b::/64"}, "the end of one")
    speaker.ask("withdraw")
    wait_for(lambda: not router.routes("master6") and not router.routes(), "the end of all")
    assert router.up()
    speaker.stop()


@pytest.mark.parametrize("over_ipv6", [True, False])
def test_ipv6_frr(network, tmp_path_factory, over_ipv6):
    folder = tmp_path_factory.mktemp("frr")
    local, peer = (THEIRS6, OURS6) if over_ipv6 else ("10.2.0.2", "10.2.0.1")
    more = [] if over_ipv6 else ["set nexthop6_address " + OURS6]
    speaker = Speaker(network, tmp_path_factory.mktemp("speaker"), *more, *bgp(peer=local))
    router = Frr(network.core, folder, frr_conf(peer=peer))
    router.wait_up(peer, 40)
    tell(speaker)
    wait_for(lambda: set(router.routes("ipv6")) == PREFIXES, "the routes")
    path = router.route("2001:db8:a:b::/64", "ipv6")["paths"][0]
    assert path["nexthops"][0]["ip"] == OURS6 and path["metric"] == 1 and path["community"]["string"] == "no-export"
    assert path["valid"], path
    assert set(router.routes()) == {"10.1.0.1/32", "10.9.0.0/24"}
    speaker.ask("withdraw")
    wait_for(lambda: not router.routes("ipv6"), "the end of all")
    speaker.stop()


@pytest.mark.parametrize("password", [True, False])
def test_link_local(network, tmp_path, password):
    """A neighbour by his link-local address, whose interface comes when we run already; signed, too."""
    options, lines = ('passive; password "x";', ["password x"]) if password else ("passive;", [])
    network.core.ip("addr add fe80::b/64 dev lns nodad")
    router = Bird(network.core, tmp_path, bird_conf(local="fe80::b", peer="fe80::a%lns", options=options))
    speaker = Speaker(network, tmp_path, "set nexthop6_address " + OURS6, *bgp(*lines, peer="fe80::b%later"))
    tell(speaker)
    network.lns.ip("link set core down", "link set core name later", "link set later up",
                   "addr add fe80::a/64 dev later nodad", "addr add %s/64 dev later nodad" % OURS6)
    network.lns.ip("addr del %s dev later" % link_local(network.lns, "later"))
    router.wait_up(timeout=60)
    wait_for(lambda: set(router.routes("master6")) == PREFIXES, "the routes")
    speaker.stop()


def link_local(ns, device):
    """The one that the kernel has made itself."""
    return wait_for(lambda: re.search(r"inet6 (fe80::(?!a/)\S+)", ns.run("ip", "-6", "addr", "show", "dev", device)),
                    "a link-local address")[1]


def test_link_local_next_hop(network, tmp_path):
    """Without nexthop6_address it is our end of the connection; IPv4 routes go by the address of that interface."""
    network.core.ip("addr add fe80::b/64 dev lns nodad")
    network.lns.ip("addr add fe80::a/64 dev core nodad")
    router = Bird(network.core, tmp_path, bird_conf(local="fe80::b", peer="fe80::a%lns"))
    speaker = Speaker(network, tmp_path, *bgp(peer="fe80::b%core"))
    tell(speaker)
    router.wait_up(timeout=60)
    wait_for(lambda: set(router.routes("master6")) == PREFIXES, "the routes")
    assert {route["next_hop"].split()[-1] for route in router.routes("master6").values()} == {"fe80::a"}
    assert router.routes()["10.9.0.0/24"]["next_hop"] == "10.2.0.1"
    speaker.stop()


def test_link_local_from_outside(network, tmp_path):
    """He connects to us over the link; a host of the same address on another link is a stranger."""
    network.core.ip("addr add fe80::b/64 dev lns nodad")
    network.lns.ip("addr add fe80::a/64 dev core nodad", "addr add fe80::a/64 dev lac nodad")
    network.lac.ip("addr add fe80::b/64 dev br0 nodad")
    speaker = Speaker(network, tmp_path, *bgp(peer="fe80::b%core"))
    speaker.ask()

    def answers(ns, device):
        with ns:
            index = socket.if_nametoindex(device)
        sock = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.settimeout(15)
        sock.bind(("fe80::b", 0, 0, index))
        sock.connect(("fe80::a", 179, 0, index))
        with sock:
            return len(sock.recv(19)) == 19
    assert not answers(network.lac, "br0")
    assert answers(network.core, "lns")
    speaker.stop()


# ---------------------------------------------------------------------------- names

def test_name_that_moves(network, tmp_path):
    """A neighbour's name has no address, then one, then another; his password goes with him, both ways round."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    sign = 'password "s3cret";'
    router = Bird(network.core, tmp_path, bird_conf(options=sign))
    speaker = Speaker(network, tmp_path, *bgp("password s3cret", peer="router.example"), before=(
        "unshare", "-m", "sh", "-c", 'mount --bind %s /etc/hosts && exec "$@"' % hosts, "sh"))
    speaker.ask()
    hosts.write_text("10.2.0.9 router.example\n10.2.0.2 router.example\n")  # in turn: at one of them is nobody
    router.wait_up(timeout=60)
    hosts.write_text("10.2.0.3 router.example\n")
    router.configure(bird_conf(local="10.2.0.3", options=sign))
    wait_for(lambda: speaker.ask()["ups"] == 2 and router.up(), "the other address", 60)
    router.configure(bird_conf(local="10.2.0.3", options=sign + "passive;"))
    wait_for(lambda: speaker.ask()["ups"] == 3 and router.up(), "our connection", 60)
    speaker.stop()


# ---------------------------------------------------------------------------- many routes

def test_many_routes(network, tmp_path):
    """200,000 routes to BIRD and to one who reads nothing; all flap; the loop does not stand still, nor memory grow."""
    network.core.ip("addr add 10.2.0.4/16 dev lns")
    router = Bird(network.core, tmp_path, bird_conf())
    speaker = Speaker(network, tmp_path, *bgp("timers 0 0", peer="10.2.0.4"), *bgp()[1:])
    router.wait_up(timeout=40)
    slow = Peer(network.core, source="10.2.0.4", rcvbuf=4096)
    slow.up(router_id="10.2.0.4")
    speaker.ask("many %d" % MANY)
    wait_for(lambda: count(router) == MANY + 1, "all routes in BIRD", 60)
    memory = speaker.memory()
    slow_has = speaker.ask()
    assert slow_has["pending"] and slow_has["sent"] < MANY, "the slow one has read all of it"
    for _ in range(3):
        speaker.ask("few %d" % MANY)
        speaker.ask("many %d" % MANY)
    speaker.ask()
    wait_for(lambda: count(router) == MANY + 1, "all routes in BIRD again", 60)
    longest = 0
    for _ in range(10):
        speaker.ask("few 1")
        longest = max(longest, speaker.ask("many 1")["longest_us"])
    print("%d routes sent, longest turn %d us, memory %d kB and then %d kB" % (slow_has["sent"], longest, memory >> 10, speaker.memory() >> 10))
    assert speaker.memory() - memory < 1 << 20
    speaker.ask("few %d" % (MANY // 2))
    wait_for(lambda: count(router) == MANY // 2 + 1, "half of them", 60)
    want = {"10.1.0.1/32"} | {address(i) + "/32" for i in range(MANY // 2, MANY)}
    read_until(slow, want)
    assert speaker.ask()["ups"] == 1
    speaker.stop()


def test_many_inside_a_pool(network, tmp_path):
    """What a network of the pool covers comes out when it goes, a part a turn."""
    router = Bird(network.core, tmp_path, bird_conf())
    speaker = Speaker(network, tmp_path, *bgp())
    router.wait_up(timeout=40)
    speaker.ask("cover 10.64.0.0/10")
    speaker.ask("cover 10.64.0.0/18")
    speaker.ask("many %d" % MANY)
    assert speaker.ask()["announced"] == 3
    first = speaker.ask("uncover 10.64.0.0/10")["announced"]
    assert first < MANY // 2, "all of it in one turn"
    wait_for(lambda: count(router) == 2 + MANY - (1 << 14), "what was covered by that alone", 60)
    print("longest turn %d us" % speaker.ask()["longest_us"])
    speaker.ask("cover 10.64.0.0/10")
    speaker.ask("uncover 10.64.0.0/18")
    wait_for(lambda: count(router) == 2 + MANY - (1 << 14), "no more than that")
    speaker.stop()


def test_a_million_routes(network, tmp_path):
    """What he announces is looked through and forgotten: no memory, and others are served meanwhile."""
    speaker = Speaker(network, tmp_path, *bgp())
    speaker.ask()
    peer = Peer(network.core)
    peer.up()
    peer.table(1)
    memory = speaker.memory()
    for i in range(0, 1000000, 800):
        peer.send(update(GOOD, b"".join(b"\x20" + struct.pack("!I", 0x14000000 + n) for n in range(i, i + 800))))
        if i % 80000 == 0:
            assert speaker.ask()["longest_us"] < 1000000
    wait_for(lambda: speaker.ask("add 10.9.0.0/24")["announced"] == 2, "a new route")
    assert "10.9.0.0/24" in peer.table(1)
    peer.send(b"".join(message(REFRESH, b"\0\1\0\1") for _ in range(1000)))
    assert "10.9.0.0/24" in peer.table(2)
    assert speaker.memory() - memory < 1 << 20 and speaker.ask()["ups"] == 1
    speaker.stop()


def address(i):
    return socket.inet_ntoa(struct.pack("!I", 0x0a400000 + i))


def count(router):
    return int(re.search(r"(\d+) of \d+ routes", router.ctl("show route count table master4"))[1])


def read_until(peer, want):
    """Reads UPDATEs until they come to just these routes."""
    have = set()
    while len(have) != len(want) or have != want:
        withdrawn, _, announced = parse_update(peer.expect(UPDATE))
        have.difference_update(withdrawn)
        have.update(announced)
