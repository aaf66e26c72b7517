"""What a slave passes on itself and what it hands to the master: two members, and static routes that say by which of
them packets of the LAC and packets from the core go."""

import itertools
import json
import re
import socket
import struct

import pytest

import packets
import pylac
from cluster import CORE, LAC, POOL, VIP, Site
from fakeradius import FRAMED_IP, NAS_PORT, attribute
from netns import wait_for
from test_dae import DISCONNECT, radclient, request
from test_nsctl import nsctl

FREE, WALL = "10.2.0.99", "10.2.0.81"  # hosts of the core: any, and the one to which the garden leads
PORT = 5353
fresh_ports = itertools.count(4000)


class Static:
    """In BIRD's place."""

    def __init__(self, ns, folder, count, hold):
        pass

    def states(self):
        return {}

    def close(self):
        pass


class Pair(Site):
    """Also what class Lac asks of a network."""

    LNS, LAC = VIP, LAC

    def __init__(self, factory):
        self.factory = factory
        quiet = {"echo_timeout": 600, "hello_interval": 600}  # all control messages are the tests' own
        super().__init__(self.make_folder, count=2, router=Static, settings={"radius_accounting": False, **quiet})
        self.core.ip(*("addr add %s/24 dev router" % a for a in (FREE, WALL)))

    def make_folder(self, name):
        path = self.factory.mktemp(name)
        (path / "build-garden").write_text(
            "iptables -w -t nat -A garden -p udp --dport %d -j DNAT --to-destination %s\n" % (PORT, WALL))
        return path

    def extra(self, member):
        return ['load plugin "%s"' % name for name in ("garden", "sessionctl", "throttlectl", "snoopctl")]

    def settled(self):
        shows = [m.show() for m in self.members]
        return sorted(s["status"].lower() for s in shows) == ["master", "slave"] and all(s["up_to_date"] for s in shows)

    def steer(self, up, down):
        """Packets of the LAC and of the servers go by the member `up`, those for subscribers by `down`."""
        self.router.ip("route replace %s/32 via %s" % (VIP, up.outer), "route replace %s via %s" % (POOL, down.inner))


class Difference:
    """What counters of a member have grown by."""

    def __init__(self, member):
        self.member, self.before = member, member.counters()

    def __getitem__(self, name):
        return self.member.counters()[name] - self.before[name]


def running(factory):
    pair = Pair(factory)
    try:
        for member in pair.members:
            member.start()
        pair.settle()
        pair.lacs = pylac.Lac(pair)
        pair.steer(pair.slaves[0], pair.slaves[0])
        pair.tunnel = pair.lacs.tunnel()
        yield pair
    finally:
        pair.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from running(tmp_path_factory)


@pytest.fixture
def own_site(tmp_path_factory):
    """For a test that changes who is master."""
    yield from running(tmp_path_factory)


@pytest.fixture
def master(site):
    member = site.master
    yield member
    member.lns.check()


@pytest.fixture
def slave(site, master):
    (member,) = site.slaves
    site.steer(member, member)
    yield member
    member.lns.check()
    assert site.master is master


def online(site, slave, user):
    """A subscriber who came by the slave, and whom the slave knows."""
    session = site.tunnel.session().up(user)
    wait_for(lambda: slave.lns.session(user), user + " on the slave")
    return session


@pytest.fixture
def joe(site, slave):
    session = online(site, slave, "joe")
    yield session
    session.hangup()
    slave.lns.wait_gone("joe")


def test_a_call_by_the_slave(site, master, slave):
    ahead, behind = Difference(slave), Difference(master)
    session = online(site, slave, "ann")
    assert behind["session_created"] == 1 and ahead["session_created"] == 0
    assert ahead["cluster_forwarded"] >= 8  # ICRQ, ICCN, LCP, PAP, IPCP
    wait_for(lambda: behind["recv_forward"] == ahead["cluster_forwarded"], "all of them on the master")
    session.send_cp(pylac.LCP, pylac.ECHO_REQ, session.magic)
    site.lacs.wait(lambda: any(p == pylac.LCP and d[0] == pylac.ECHO_REP for p, d in session.frames), "an LCP echo")
    session.hangup()
    slave.lns.wait_gone("ann")
    assert site.lacs.sources == {(VIP, 1701)}


def test_data_by_the_slave(site, master, slave, joe):
    ahead, behind = Difference(slave), Difference(master)
    for _ in range(5):
        joe.ping(CORE)
    assert ahead["cluster_forwarded"] == 0 and behind["recv_forward"] == 0
    assert ahead["tun_tx_packets"] >= 5 and ahead["tun_rx_packets"] >= 5
    assert behind["tun_rx_packets"] == 0


@pytest.mark.parametrize("way", ["up", "down", "both"])
def test_data_by_both(site, master, slave, joe, way):
    site.steer(slave if way != "down" else master, slave if way != "up" else master)
    ahead = Difference(slave)
    joe.ping(CORE, size=1400)
    assert ahead["tun_tx_packets"] == (way != "down") and ahead["tun_rx_packets"] == (way != "up")


def buckets(member):
    return [line for line in member.lns.run("show tbf") if "|" in line and "TBF#" not in line]


def test_throttling_is_the_masters(site, master, slave, joe):
    assert nsctl(master.ns, "throttle", "joe", "100")[0] == 0
    wait_for(lambda: slave.lns.session("joe")["T"] == "Y", "the throttle on the slave")
    ahead, behind = Difference(slave), Difference(master)
    joe.ping(CORE, size=1400)  # what is handed on is in fragments
    assert ahead["cluster_forwarded"] == 2 and behind["recv_forward"] == 2
    assert ahead["tun_tx_packets"] == 0 and behind["tun_tx_packets"] == 1
    assert buckets(slave) == [] and len(buckets(master)) == 2
    assert nsctl(master.ns, "unthrottle", "joe")[0] == 0
    wait_for(lambda: slave.lns.session("joe")["T"] == "N", "its end on the slave")
    joe.ping(CORE)
    assert ahead["cluster_forwarded"] == 2


def test_interception_by_the_slave(site, master, slave, joe):
    collector = site.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    collector.bind((CORE, 7000))
    collector.settimeout(10)
    assert nsctl(master.ns, "snoop", "joe", CORE, "7000")[0] == 0
    wait_for(lambda: slave.lns.session("joe")["I"] == "Y", "the interception on the slave")
    ahead = Difference(slave)
    joe.ping(CORE)
    copies = [packets.Ip(collector.recv(2000)) for _ in range(2)]
    assert {(c.src, c.dst) for c in copies} == {(joe.address, CORE), (CORE, joe.address)}
    assert ahead["packets_snooped"] == 2 and ahead["cluster_forwarded"] == 0
    assert nsctl(master.ns, "unsnoop", "joe")[0] == 0
    collector.close()


def gardened(member):
    """Addresses in the chain; None while iptables, which does not mind others at work, cannot tell."""
    rules = member.ns.run("iptables", "-w", "-t", "nat", "-S", "garden_users", check=False)
    return re.findall(r"-s (\S+)/32 -j garden", rules) if "-N garden_users" in rules else None


def ask_outside(site, session):
    """A datagram to FREE; who in the core got it, and what the subscriber got in answer."""
    hosts = {}
    for address in FREE, WALL:
        hosts[address] = site.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
        hosts[address].bind((address, PORT))
        hosts[address].setblocking(False)

    def heard():
        for address, sock in hosts.items():
            try:
                data, source = sock.recvfrom(100)
            except BlockingIOError:
                continue
            sock.sendto(b"answer", source)
            return address, data, source
        return None
    port = next(fresh_ports)  # connection tracking keeps to what it has once decided
    session.send_ip(packets.udp(session.address, FREE, port, PORT, b"question"))
    got = wait_for(heard, "the question")
    answer = session.wait_packet(lambda p: p.proto == packets.UDP)
    for sock in hosts.values():
        sock.close()
    assert got[1:] == (b"question", (session.address, port))
    assert (answer.src, answer.dst, answer.sport, answer.payload[8:]) == (FREE, session.address, PORT, b"answer")
    return got[0]


def test_the_gardens_nat_sees_both_directions(site, master, slave, joe):
    assert ask_outside(site, joe) == FREE
    assert nsctl(master.ns, "garden", "joe")[0] == 0
    wait_for(lambda: slave.lns.session("joe")["G"] == "Y", "the garden on the slave")
    wait_for(lambda: gardened(master) == [joe.address], "his rule")
    ahead, behind = Difference(slave), Difference(master)
    master.ns.sysctl("ipv4.conf.tun0.rp_filter", 2)  # as Debian has it
    for up, down in (slave, slave), (slave, master), (master, slave):
        site.steer(up, down)
        assert ask_outside(site, joe) == WALL
    assert ahead["cluster_forwarded"] == 4 and behind["recv_forward"] == 4
    site.steer(slave, slave)
    assert nsctl(master.ns, "ungarden", slave.lns.session("joe")["SID"])[0] == 0
    wait_for(lambda: slave.lns.session("joe")["G"] == "N", "his release on the slave")
    assert ask_outside(site, joe) == FREE


def test_a_disconnect_by_the_slave(site, master, slave):
    session = online(site, slave, "bob")
    ahead, behind = Difference(slave), Difference(master)
    answer = radclient(site.core, "disconnect", ["User-Name = bob"], VIP)
    assert answer.ack and answer.source == VIP
    assert ahead["dae_acked"] == 0 and behind["dae_acked"] == 1
    site.lacs.wait(lambda: session.closed, "the CDN")
    slave.lns.wait_gone("bob")


def test_one_request_by_two_members(site, master, slave, joe):
    """A retransmission is known whatever way it comes."""
    sid = int(slave.lns.session("joe")["SID"])
    data = request(DISCONNECT, attribute(NAS_PORT, sid), attribute(FRAMED_IP, socket.inet_aton("10.0.0.1")))
    sock = site.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((CORE, 0))
    sock.settimeout(10)
    behind = Difference(master)
    answers = set()
    for member in slave, master, slave:
        site.steer(member, member)
        sock.sendto(data, (VIP, 3799))
        answers.add(sock.recvfrom(4096))
    assert len(answers) == 1 and answers.pop()[1] == (VIP, 3799)
    assert (behind["dae_refused"], behind["dae_repeated"]) == (1, 2)
    sock.close()


def test_forged_requests_end_at_the_slave(site, master, slave):
    ahead, behind = Difference(slave), Difference(master)
    assert not radclient(site.core, "disconnect", ["User-Name = joe"], VIP, secret="wrong", timeout=1)
    assert ahead["dae_bad_authenticator"] == 1
    assert behind["recv_forward"] == 0


def test_strays_are_rationed(site, master, slave):
    """Data of sessions that nobody has: some are handed on, for the slave may lag; not all."""
    ahead, behind = Difference(slave), Difference(master)
    stray = struct.pack("!HHH", 2, site.tunnel.peer_tid, 65535) + b"\xff\x03\0\x21" + b"E" * 30
    for _ in range(6000):
        site.lacs.send(stray)
    wait_for(lambda: ahead["cluster_forwarded"] + ahead["forward_unknown"] >= 5000, "the strays on the slave")
    assert ahead["forward_unknown"] > 0
    wait_for(lambda: behind["rx_unknown_session"] > 0, "strays on the master")
    assert behind["rx_unknown_session"] <= ahead["cluster_forwarded"]


def test_nsctl_on_the_slave(site, master, slave, joe):
    for command in ("drop", "joe"), ("throttle", "joe", "100"), ("snoop", "joe", CORE, "1"), ("garden", "joe"):
        code, out, err = nsctl(slave.ns, *command)
        assert code == 1 and "not master, the master is %s" % master.link in out + err
    code, out, err = nsctl(slave.ns, "help")
    assert code == 0 and "throttle" in out
    assert nsctl(slave.ns, "unload_plugin", "snoopctl")[0] == 0  # what a member has loaded is its own
    assert nsctl(slave.ns, "load_plugin", "snoopctl")[0] == 0


def test_cli_on_the_slave(site, master, slave, joe):
    sid = slave.lns.session("joe")["SID"]
    refusal = "not master, the master is %s" % master.link
    for line in ("drop user joe", "drop session " + sid, "drop tunnel 1", "throttle joe 100", "no throttle joe",
                 "snoop joe %s 1" % CORE, "no snoop joe", "filter joe in x", "no filter joe"):
        assert refusal in "\n".join(slave.lns.run(line)), line
    slave.lns.set("set dump_speed yes")
    slave.lns.set("set dump_speed no")
    assert slave.lns.details(sid)["User"] == "joe"
    assert json.loads("\n".join(slave.lns.run("show session json")))
    assert slave.lns.session("joe") and joe.ping(CORE)


class Window:
    """The numbers that a LAC takes, RFC 2661 5.4: what is behind the one it expects is late."""

    def __init__(self):
        self.expected = 0

    def takes(self, number):
        if (number - self.expected) & 0xFFFF >= 0x8000:
            return False
        self.expected = (number + 1) & 0xFFFF
        return True


def numbered(site, slave):
    """A subscriber behind a LAC that wants sequence numbers."""
    call = site.tunnel.session(iccn=(pylac.avp(pylac.SEQUENCING_REQUIRED),))
    call.sequence = True
    call.up("ned")
    wait_for(lambda: slave.lns.session("ned"), "ned on the slave")
    return call


def test_numbers_have_one_sender(site, master, slave):
    ned = numbered(site, slave)
    ahead = Difference(slave)
    for member in slave, master, slave, master:
        site.steer(slave, member)
        ned.ping(CORE)
    assert ned.sequences == list(range(len(ned.sequences)))
    assert ahead["cluster_forwarded"] == 2 and ahead["tun_tx_packets"] == 4
    ned.hangup()
    slave.lns.wait_gone("ned")


def test_a_slave_takes_over(own_site):
    """Numbers, rates and the garden go on at the new master."""
    site, window = own_site, Window()
    old, new = site.master, site.slaves[0]
    joe, ned = online(site, new, "joe"), numbered(site, new)
    assert nsctl(old.ns, "garden", "joe")[0] == 0
    assert nsctl(old.ns, "throttle", "ned", "1000")[0] == 0
    wait_for(lambda: new.lns.session("joe")["G"] == "Y" and new.lns.session("ned")["T"] == "Y", "both on the slave")
    for _ in range(100):
        ned.ping(CORE)
    assert all(window.takes(n) for n in ned.sequences)
    del ned.sequences[:]
    old.kill()
    wait_for(lambda: new.role == "master", "another master")
    site.lacs.wait(lambda: len(ned.sequences) >= 2, "the numbers of the new master")
    wait_for(lambda: gardened(new) == [joe.address], "joe's rule")
    assert any(window.takes(n) for n in ned.sequences)
    del ned.sequences[:]
    ned.ping(CORE)
    assert ned.sequences and all(window.takes(n) for n in ned.sequences)
    assert len(buckets(new)) == 2
    assert ask_outside(site, joe) == WALL
    assert nsctl(new.ns, "ungarden", new.lns.session("joe")["SID"])[0] == 0
    wait_for(lambda: gardened(new) == [], "the end of joe's rule")
    assert ask_outside(site, joe) == FREE
