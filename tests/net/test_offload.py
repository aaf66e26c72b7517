"""Several packets as one: what is put together for the kernel, and what it hands over, arrives octet by octet.

Up, packets reach the daemon in one batch either since it was stopped while they came, or as one buffer that the LAC's
kernel has put together (UDP_SEGMENT there, UDP_GRO here). Down, a packet socket sends super-packets as a network card
with receive offload would. The cable to the core takes single packets only, so a sniffer sees what any host would get.
"""

import hashlib
import os
import random
import signal
import socket
import struct
import threading

import pytest

import packets
import pylac
from netns import wait_for
from test_snoop import Collector

USERS = {"user%d" % n: "secret" for n in range(80)}
SOL_UDP, UDP_SEGMENT = 17, 103
SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM, GSO_NONE, GSO_TCPV4, GSO_UDP_L4 = 1, 0, 1, 5
ACK, PSH, FIN, CWR = 16, 8, 1, 128
PORT = 7777
OTHER = "10.1.0.4"  # another LAC: what the daemon learns of the way to one holds for half a minute


@pytest.fixture(scope="module")
def site(module):
    network = module.network
    for ns, device in (network.lac, "lns"), (network.lns, "lac"):
        offloads(ns, device, "on")
    network.lac.ip("addr add %s/16 dev br0" % OTHER)
    module.daemon = module.lns({"peer_address": "10.9.255.1"}, local_users=USERS)
    return module


def offloads(ns, device, state):
    for name in "tx", "tso", "gso", "tx-udp-segmentation":
        ns.run("ethtool", "-K", device, name, state)


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def tunnel(site, lns):
    lac = pylac.Lac(site.network)
    tunnel = lac.tunnel()
    yield tunnel
    tunnel.stop()
    lac.close()


@pytest.fixture
def session(tunnel):
    return tunnel.session().up("user0")


@pytest.fixture
def tcp_cable(site):
    """The cable to the core takes super-packets too."""
    network = site.network
    ends = (network.core, "lns"), (network.lns, "core")
    for ns, device in ends:
        offloads(ns, device, "on")
    yield
    for ns, device in ends:
        offloads(ns, device, "off")


class Growth:
    """How much counters have grown since."""

    def __init__(self, lns):
        self.lns = lns
        self.before = lns.counters()

    def __getitem__(self, name):
        return self.lns.counters()[name] - self.before[name]


# ---------------------------------------------------------------------------- packets and ways to send them

def tcp(session, core, n, size=400, data=None, **kwargs):
    """The n-th segment of a connection."""
    fields = dict(flags=ACK, seq=(0xFFFFF000 + n * size) & 0xFFFFFFFF, ack=77, options=b"\1\1\x08\x0astampnow",
                  data=bytes([n & 255]) * size if data is None else data, ident=(65530 + n) & 0xFFFF, df=True)
    fields.update(kwargs)
    return packets.tcp(session.address, core, 4000, PORT, **fields)


def udp(session, core, n, size=400, **kwargs):
    fields = dict(data=bytes([n & 255]) * size, ident=(1000 + n) & 0xFFFF)
    fields.update(kwargs)
    return packets.udp(session.address, core, 4000, PORT, **fields)


MAKERS = {"tcp": tcp, "udp": udp}
MERGED_UDP = tuple(int(n) for n in os.uname().release.split(".")[:2]) >= (6, 2)  # the tun device takes and gives it
SUPER = list(MAKERS) if MERGED_UDP else ["tcp"]


def merged(proto, n):
    return n if proto in SUPER else 0


def damaged(packet, at=-1):
    """The same with a bit of its content turned, so that its checksum is wrong."""
    packet = bytearray(packet)
    packet[at] ^= 4
    return bytes(packet)


def routed(packet):
    """What a router makes of it: TTL less one."""
    head = packet[:8] + bytes([packet[8] - 1]) + packet[9:10] + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", packets.checksum(head)) + head[12:] + packet[20:]


def frame(session, packet):
    body = b"\xff\x03\0\x21" + packet
    return session.header(len(body)) + body


def send_stopped(lns, pairs):
    """All arrive while the daemon is stopped: it finds them in its socket at once."""
    lns.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: open("/proc/%d/stat" % lns.process.pid).read().rsplit(")", 1)[1].split()[0] == "T", "a stop")
        for session, packet in pairs:
            session.lac.send(frame(session, packet))
    finally:
        lns.process.send_signal(signal.SIGCONT)


def send_together(lns, pairs):
    """Runs of one length in one buffer each."""
    lac, at = pairs[0][0].lac, 0
    frames = [frame(s, p) for s, p in pairs]
    while at < len(frames):
        size, n = len(frames[at]), 1
        while at + n < len(frames) and n < 60 and len(frames[at + n]) == size and (n + 1) * size < 60000:
            n += 1
        control = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", size))] if n > 1 else []
        lac.sock.sendmsg([b"".join(frames[at:at + n])], control, 0, lac.peer)
        at += n


WAYS = {"stopped": send_stopped, "together": send_together}


class Core:
    """Sees what the core gets; only packets from subscribers to PORT count."""

    def __init__(self, network):
        self.address = network.CORE
        self.sniffer = network.core.sniff("lns")
        network.core.run("iptables", "-I", "INPUT", "-i", "lns", "-s", "10.9.0.0/16", "-j", "DROP")  # no answers
        self.network = network
        self.got = []

    def take(self):
        self.got += [p for p in self.sniffer.packets() if p[12:14] == b"\x0a\x09" and p[9] in (6, 17, 47)]
        return self.got

    def expect(self, sent):
        """Exactly these have come, those of each session in order."""
        wait_for(lambda: len(self.take()) >= len(sent), "%d packets (there are %d)" % (len(sent), len(self.got)), 10)
        sources = {p[12:16] for p in sent}
        for source in sources:
            assert [p for p in self.got if p[12:16] == source] == [routed(p) for p in sent if p[12:16] == source]
        assert len(self.got) == len(sent)
        self.got = []

    def close(self):
        self.sniffer.close()
        self.network.core.run("iptables", "-D", "INPUT", "-i", "lns", "-s", "10.9.0.0/16", "-j", "DROP")


@pytest.fixture
def core(site):
    core = Core(site.network)
    yield core
    core.close()


# ---------------------------------------------------------------------------- up

@pytest.mark.san
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("proto", MAKERS)
def test_up_burst(lns, session, core, proto, way):
    """A burst of a flow goes to the kernel as one, and arrives as it was: ids, flags, options, checksums."""
    sent = [MAKERS[proto](session, core.address, n) for n in range(30)]
    growth = Growth(lns)
    WAYS[way](lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] == merged(proto, 30)
    assert growth["tun_tx_packets"] == 30
    assert growth["tun_tx_bytes"] == sum(len(p) for p in sent)
    assert growth["tunnel_rx_merged"] == (30 if way == "together" else 0)


@pytest.mark.san
def test_up_large_burst(lns, session, core):
    """More than fits into one buffer, one batch or one IP packet."""
    sent = [tcp(session, core.address, n, size=1400) for n in range(200)]
    growth = Growth(lns)
    send_together(lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] > 180


def test_up_last_flags(lns, session, core):
    """PSH and FIN end a run and stay where they were; a shorter last packet too."""
    c = core.address
    sent = [tcp(session, c, 0), tcp(session, c, 1), tcp(session, c, 2, flags=ACK | PSH), tcp(session, c, 3),
            tcp(session, c, 4), tcp(session, c, 5, data=b"short"), tcp(session, c, 6),
            tcp(session, c, 7, flags=ACK | PSH | FIN)]
    growth = Growth(lns)
    send_stopped(lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] == 8


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("proto", MAKERS)
def test_up_wrong_checksums(lns, session, core, proto, way):
    """A wrong inner checksum arrives wrong, in its place; the others of the run arrive too."""
    make = MAKERS[proto]
    sent = [make(session, core.address, n) for n in range(20)]
    for n in 0, 5, 6, 12, 19:
        sent[n] = damaged(sent[n], -1 if n % 2 else 36)
    growth = Growth(lns)
    WAYS[way](lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] == merged(proto, 4 + 5 + 6)


def test_up_no_udp_checksum(lns, session, core):
    """UDP without checksum stays without."""
    sent = []
    for n in range(8):
        packet = udp(session, core.address, n)
        sent.append(packet[:26] + b"\0\0" + packet[28:])
    growth = Growth(lns)
    send_stopped(lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] == 0


@pytest.mark.parametrize("proto", MAKERS)
@pytest.mark.parametrize("ids", ["constant", "backwards", "gaps"])
def test_up_ids(lns, session, core, proto, ids):
    """IP ids that the kernel's segmentation would not reproduce."""
    chosen = {"constant": [0] * 12, "backwards": list(range(500, 488, -1)),
              "gaps": [1, 2, 3, 5, 6, 7, 9, 10, 11, 65534, 65535, 0]}[ids]
    sent = [MAKERS[proto](session, core.address, n, ident=ident, df=True) for n, ident in enumerate(chosen)]
    growth = Growth(lns)
    send_stopped(lns, [(session, p) for p in sent])
    core.expect(sent)
    assert growth["tun_tx_merged"] == (merged(proto, 12) if ids == "gaps" else 0)


@pytest.mark.san
def test_up_order(lns, tunnel, core):
    """What can be merged and what cannot alternate in several sessions: each keeps its order.

    There are more sessions than slots for open super-packets.
    """
    sessions = [tunnel.session().up("user%d" % n) for n in range(70)]
    generator = random.Random(1)
    growth = Growth(lns)
    for _ in range(6):
        pairs, next_n = [], {s: 0 for s in sessions}
        few = generator.sample(sessions, 3) + [sessions[0], sessions[64], sessions[-1]]
        for _ in range(60):
            session = generator.choice(few)
            for _ in range(generator.choice([1, 1, 3])):
                n = next_n[session]
                next_n[session] += 1
                kind = generator.randrange(8)
                if kind == 0:
                    packet = packets.ipv4(session.address, core.address, 47, b"GRE: nothing to merge", ident=n)
                elif kind == 1:
                    packet = udp(session, core.address, n)
                elif kind == 2:
                    packet = damaged(tcp(session, core.address, n))
                elif kind == 3:
                    packet = tcp(session, core.address, n, flags=ACK | PSH)
                else:
                    packet = tcp(session, core.address, n)
                pairs.append((session, packet))
        send_stopped(lns, pairs)
        core.expect([p for _, p in pairs])
    assert growth["tun_tx_merged"] > 200


# ---------------------------------------------------------------------------- down

class SuperSender:
    """Sends packets from the core as super-packets, whole, into the cable."""

    def __init__(self, network):
        self.sock = network.core.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.sock.bind(("lns", 0x0800))
        self.ethernet = b"".join(bytes.fromhex(mac(ns, device).replace(":", "")) for ns, device in (
            (network.lns, "core"), (network.core, "lns"))) + b"\x08\0"

    def send(self, run):
        """Packets of one flow; all but the last of one length."""
        first = run[0]
        tcp_ = first[9] == 6
        head = 20 + (first[32] >> 4) * 4 if tcp_ else 28
        whole = bytearray(first + b"".join(p[head:] for p in run[1:]))
        whole[2:4] = struct.pack("!H", len(whole))
        whole[10:12] = b"\0\0"
        whole[10:12] = struct.pack("!H", packets.checksum(bytes(whole[:20])))
        at = 36 if tcp_ else 26
        if not tcp_:
            whole[24:26] = struct.pack("!H", len(whole) - 20)
        else:
            whole[33] |= run[-1][33]
        pseudo = bytes(whole[12:20]) + struct.pack("!HH", whole[9], len(whole) - 20)
        whole[at:at + 2] = struct.pack("!H", ~packets.checksum(pseudo) & 0xFFFF)
        kind = GSO_NONE if len(run) == 1 else GSO_TCPV4 if tcp_ else GSO_UDP_L4
        if tcp_ and first[33] & CWR:
            kind |= 0x80
        header = struct.pack("=BBHHHH", NEEDS_CSUM, kind, 14 + head, len(first) - head if len(run) > 1 else 0, 34,
                             at - 20)
        self.sock.send(header + self.ethernet + bytes(whole))

    def close(self):
        self.sock.close()


def mac(ns, device):
    return ns.run("ip", "-br", "link", "show", device).split()[2]


@pytest.fixture
def sender(site, tcp_cable):
    sender = SuperSender(site.network)
    yield sender
    sender.close()


def down(maker, session, network, n, **kwargs):
    """The same packets the other way round."""
    class Swapped:
        address = network.CORE
    return maker(Swapped, session.address, n, **kwargs)


def expect_down(session, sent):
    session.lac.wait(lambda: len(session.packets) >= len(sent), "%d packets" % len(sent))
    assert session.packets == [routed(p) for p in sent]
    session.packets.clear()


@pytest.mark.san
@pytest.mark.parametrize("proto", SUPER)
def test_down_super(site, lns, session, sender, proto):
    """A super-packet comes as the packets it stands for, and leaves in one message."""
    make = MAKERS[proto]
    growth = Growth(lns)
    for size, n in (400, 30), (1400, 45), (1, 50), (17, 2):
        sent = [down(make, session, site.network, i, size=size) for i in range(n)]
        if size == 400:
            sent[-1] = down(make, session, site.network, n - 1, data=b"the last one")
        sender.send(sent)
        expect_down(session, sent)
    assert growth["tun_rx_packets"] == 127
    assert growth["tun_rx_merged"] == 127
    assert growth["tunnel_tx_merged"] > 100


@pytest.mark.san
def test_down_flags(site, lns, session, sender):
    """FIN and PSH come with the last packet only, CWR with the first only."""
    def make(n, flags):
        return down(tcp, session, site.network, n, flags=flags)

    growth = Growth(lns)
    for sent in ([make(0, ACK), make(1, ACK), make(2, ACK | PSH | FIN)], [make(0, ACK | CWR), make(1, ACK)],
                 [make(0, ACK | PSH)]):
        sender.send(sent)
        expect_down(session, sent)
    assert growth["tun_rx_merged"] == 5


@pytest.mark.san
@pytest.mark.parametrize("proto", SUPER)
def test_down_many_small(site, lns, session, sender, proto):
    """More packets in one super-packet than in a batch."""
    sent = [down(MAKERS[proto], session, site.network, n, size=8) for n in range(1000 if proto == "tcp" else 120)]
    growth = Growth(lns)
    sender.send(sent)
    expect_down(session, sent)
    assert growth["tun_rx_merged"] == len(sent)


def test_down_partial_checksum(site, lns, session, sender):
    """A single packet whose checksum the sender left to the network card."""
    growth = Growth(lns)
    for make in tcp, udp:
        sent = [down(make, session, site.network, 0)]
        sender.send(sent)
        expect_down(session, sent)
    assert growth["tun_rx_merged"] == 0


def test_down_larger_than_session_mtu(site, lns, tunnel, sender):
    """A small MRU: what comes without DF is fragmented, whatever its checksum; segments with DF are answered."""
    session = tunnel.session()
    session.mru = 600
    session.up("user1")
    growth = Growth(lns)
    for n in range(6):
        sender.send([down(udp, session, site.network, n, size=1000)])
    session.lac.wait(lambda: len(session.packets) >= 12, "the fragments")
    assert all(len(p) <= 600 for p in session.packets)
    assert growth["tx_fragmented"] == 6
    sender.send([down(tcp, session, site.network, n, size=1000) for n in range(6)])
    wait_for(lambda: growth["tx_too_big"] == 6, "the refusal")


def test_down_outer_mtu(site, lns, sender):
    """Outer packets that must be fragmented are not sent as one message, and none is lost."""
    network = site.network
    session = pylac.subscriber(network, "user2", address=OTHER)
    network.lns.ip("link set lac mtu 1400")
    try:
        growth = Growth(lns)
        for first in 0, 40:
            sent = [down(tcp, session, network, first + n, size=1390) for n in range(40)]
            sender.send(sent)
            expect_down(session, sent)
        assert growth["tunnel_tx_packets"] == 80
        assert growth["tunnel_tx_merged"] == 0
        assert growth["tunnel_tx_errors"] == 0
        sent = [down(tcp, session, network, n, size=600) for n in range(40)]
        sender.send(sent)
        expect_down(session, sent)
        assert growth["tunnel_tx_merged"] == 40, "short ones are sent as one message still"
    finally:
        network.lns.ip("link set lac mtu 1500")
        session.tunnel.stop()
        session.lac.close()


# ---------------------------------------------------------------------------- real hosts

@pytest.fixture(scope="module")
def subscriber(site):
    """A session on a tun device in the LAC's namespace: its address."""
    network = site.network
    process = network.lac.start(
        os.path.join(os.path.dirname(__file__), "..", "lac", "lac"), "-q", "-G", "-l", network.LNS, "-e",
        "tunnel; session user=user9; attach session=0 dev=tun9; list; sleep ms=100000")
    process.wait_line("^item.* ip=")
    address = site.daemon.wait_session("user9")["IP"]
    network.lac.ip("link set tun9 up", "route add %s dev tun9 src %s" % (network.CORE, address))
    yield address
    process.kill()


def receive(sock, size, result):
    digest, left = hashlib.sha256(), size
    while left:
        part = sock.recv(1 << 16)
        if not part:
            break
        digest.update(part)
        left -= len(part)
    result.append(digest.hexdigest())


@pytest.mark.san
@pytest.mark.parametrize("way", ["up", "down"])
def test_tcp(site, lns, subscriber, tcp_cable, way):
    """A connection between real hosts that use their offloads."""
    network = site.network
    data, result = os.urandom(1 << 20) * 8, []
    growth = Growth(lns)
    with network.core.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((network.CORE, PORT))
        listener.listen(1)
        listener.settimeout(10)
        client = network.lac.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(20)
        client.connect((network.CORE, PORT))
        server = listener.accept()[0]
        server.settimeout(20)
        source, sink = (client, server) if way == "up" else (server, client)
        thread = threading.Thread(target=receive, args=(sink, len(data), result))
        thread.start()
        source.sendall(data)
        thread.join(30)
        client.close()
        server.close()
    assert result == [hashlib.sha256(data).hexdigest()]
    if way == "up":
        assert growth["tun_tx_merged"] > 1000 and growth["tunnel_rx_merged"] > 1000
    else:
        assert growth["tun_rx_merged"] > 1000 and growth["tunnel_tx_merged"] > 1000


def but_for_mss(packet):
    """Without what we change in a SYN behind the copy."""
    return packet if not packets.Ip(packet).is_syn else packet[:36] + packet[38:40] + packet[44:]


@pytest.mark.san
@pytest.mark.parametrize("way", ["up", "down"])
def test_interception(site, lns, subscriber, tcp_cable, way):
    """Copies are packets as the subscriber has sent and got them, not what kernels put together on the way."""
    network = site.network
    collector = Collector(network, 9999, network.CORE2)
    sniffer = network.lac.sniff("tun9")
    lns.run("snoop user9 %s %d" % (collector.address, collector.port))
    growth = Growth(lns)
    data, result = os.urandom(1 << 20), []
    with network.core.socket() as listener, network.lac.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((network.CORE, PORT))
        listener.listen(1)
        listener.settimeout(10)
        client.settimeout(20)
        client.connect((network.CORE, PORT))
        server = listener.accept()[0]
        server.settimeout(20)
        source, sink = (client, server) if way == "up" else (server, client)
        thread = threading.Thread(target=receive, args=(sink, len(data), result))
        thread.start()
        source.sendall(data)
        thread.join(30)
        server.close()
    assert result == [hashlib.sha256(data).hexdigest()]
    assert growth["tun_tx_merged" if way == "up" else "tun_rx_merged"] > 100
    his = []

    def equal():
        his.extend(p for p in sniffer.packets() if packets.Ip(p).proto == packets.TCP)
        collector.take()
        return all([but_for_mss(p) for p in collector.got if packets.Ip(p).src == src] ==
                   [but_for_mss(p) for p in his if packets.Ip(p).src == src] for src in (subscriber, network.CORE))
    wait_for(equal, "copies like the packets")
    assert growth["snoop_dropped"] == 0 and sum(map(len, his)) > len(data)
    lns.run("no snoop user9")
    sniffer.close()
    collector.close()


@pytest.mark.parametrize("way", ["up", "down"])
def test_udp(site, lns, subscriber, tcp_cable, way):
    """Datagrams between real hosts; the sender leaves segmentation to the kernel."""
    network = site.network
    one, other = [ns.socket(socket.AF_INET, socket.SOCK_DGRAM) for ns in (network.lac, network.core)]
    one.bind((subscriber, PORT))
    other.bind((network.CORE, PORT))
    source, sink = (one, other) if way == "up" else (other, one)
    target = (network.CORE, PORT) if way == "up" else (subscriber, PORT)
    growth = Growth(lns)
    sink.settimeout(5)
    for size in 100, 1200:
        sent = [os.urandom(size) for _ in range(40)]
        source.sendmsg([b"".join(sent)], [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", size))], 0, target)
        assert [sink.recv(2048) for _ in sent] == sent
    if way == "down":
        assert growth["tun_rx_merged"] == merged("udp", 80)
    one.close()
    other.close()
