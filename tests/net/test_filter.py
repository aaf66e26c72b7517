"""Access lists: each construct against real packets both ways, Filter-Id at login, the commands, and lists that change
while they are used.

A packet that must not pass is sent in front of one that must, on the same way: when the second is there, the first is
not coming.
"""

import itertools
import json
import random
import signal
import socket

import pytest

import aclmodel
import packets
from fakeradius import FILTER_ID, attribute
from netns import wait_for
from packets import ICMP, TCP, UDP
from pylac import Lac
from test_radius import Site

USERS = {"user%d" % n: "secret" for n in range(4)}
FIN, SYN, RST, PSH, ACK, URG = (1 << n for n in range(6))
IDENTS = itertools.count(1000)


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1"}, local_users=USERS, extra=[
        "ip access-list standard std1", " permit 10.0.0.0 0.255.255.255", " deny any",
        "ip access-list extended ext1", " permit tcp any any eq 80 established", " deny udp any range 1 100 any",
        " permit ip any any fragments"])
    return module


@pytest.fixture
def lns(site):
    yield site.daemon
    site.daemon.check()


@pytest.fixture(scope="module")
def sniffer(site):
    sniffer = site.network.core.sniff("lns")
    yield sniffer
    sniffer.close()


@pytest.fixture
def session(site, lns):
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    yield tunnel.session().up("user0")
    tunnel.stop()
    lac.close()
    wait_for(lambda: lns.sessions() == [], "the end of the sessions")


def say(lns, command):
    return [line for line in lns.run(command) if line]


def load(lns, command):
    return json.loads("\n".join(lns.run(command + " json")))


def configure(lns, *lines):
    """Lines typed one after the other; none may be refused."""
    cli = lns.open_cli()
    cli.run("configure terminal")
    for line in lines:
        assert cli.run(line) in ([], [""]), line
    cli.close()


class Way:
    """One direction of a session: what comes in at one end and out at the other."""

    def __init__(self, site, session, sniffer, direction):
        self.site, self.session, self.sniffer, self.up = site, session, sniffer, direction == "in"
        self.src, self.dst = session.address, site.network.CORE
        if not self.up:
            self.src, self.dst = self.dst, self.src

    def send(self, packet, dst=None):
        if self.up:
            self.session.send_ip(packet)
        else:
            sock = self.site.network.core.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            sock.sendto(packet, (dst or self.dst, 0))
            sock.close()

    def collect(self, sent, complete):
        """Idents of those of the packets (by ident) that come through, in their order, once complete(them) is true."""
        seen = []

        def done():
            for packet in self.sniffer.packets() if self.up else self.taken():
                ident = packets.Ip(packet).ident if packet[0] >> 4 == 4 else None
                if ident in sent and but_for_ttl(packet) == but_for_ttl(sent[ident]):
                    seen.append(ident)
            return complete(seen)
        wait_for(done, "all packets")
        return seen

    def taken(self):
        """What the subscriber got."""
        self.session.lac.drain()
        got, self.session.packets = self.session.packets, []
        return got

    def wait(self, ident):
        """Wait for that packet; the idents of all that came until then."""
        seen = []

        def mine(ip):
            if ip.proto >= 0 and ip.src == self.src:
                seen.append(ip.ident)
            return ident in seen
        if self.up:
            self.sniffer.wait(lambda packet: mine(packets.Ip(packet)))
        else:
            self.session.wait_packet(mine)
        return seen

    def check(self, lns, good, bad):
        """The good one passes, the bad one does not and is counted. Both are functions of (src, dst, ident)."""
        counter = "rx_filtered" if self.up else "tx_filtered"
        before = lns.counters()[counter]
        idents = next(IDENTS), next(IDENTS)
        self.send(bad(self.src, self.dst, idents[0]))
        self.send(good(self.src, self.dst, idents[1]))
        assert idents[0] not in self.wait(idents[1])
        assert lns.counters()[counter] == before + 1


def but_for_ttl(packet):
    return packet[:8] + packet[9:10] + packet[12:]


def tcp(flags=SYN, sport=1000, dport=2000, **more):
    return lambda src, dst, ident: packets.tcp(src, dst, sport, dport, flags, ident=ident, **more)


def udp(sport=1000, dport=2000, **more):
    return lambda src, dst, ident: packets.udp(src, dst, sport, dport, b"x", ident=ident, **more)


def icmp():
    return lambda src, dst, ident: packets.ipv4(src, dst, ICMP, packets.echo(src, dst, reply=True)[20:], ident=ident)


def fragment(proto, offset, size=24, more=True):
    """A piece of a packet without the transport header."""
    return lambda src, dst, ident: packets.ipv4(src, dst, proto, b"\5" * size, ident=ident, offset=offset, more=more)


def cut(proto, size):
    """A first packet that ends within its transport header."""
    return lambda src, dst, ident: packets.ipv4(src, dst, proto, b"\0" * size, ident=ident)


OPTIONS = b"\1\1\1\1" * 3
RULES = [
    # rules of an extended list, what passes, what does not
    ("permit tcp any any", tcp(), udp()),
    ("permit udp any any", udp(), icmp()),
    ("permit ip SRC DST", icmp(), None),
    ("permit ip DST any", None, udp()),
    ("permit tcp any any eq 80", tcp(dport=80), tcp(sport=80)),
    ("permit udp any eq 53 any", udp(sport=53), udp(dport=53)),
    ("permit udp any any neq 53", udp(dport=54), udp(dport=53)),
    ("permit tcp any gt 1023 any", tcp(sport=1024), tcp(sport=1023)),
    ("permit tcp any lt 1024 any", tcp(sport=1023), tcp(sport=1024)),
    ("permit udp any any range 5 7", udp(dport=7), udp(dport=8)),
    ("permit udp any any range 5 7", udp(dport=5), udp(dport=4)),
    ("permit tcp any any established", tcp(ACK), tcp(SYN)),
    ("permit tcp any any established", tcp(RST), tcp(FIN | PSH)),
    ("permit tcp any any match-any +syn -ack", tcp(SYN | ACK), tcp(ACK)),
    ("permit tcp any any match-all +syn -ack", tcp(SYN), tcp(SYN | ACK)),
    ("permit tcp any any match-all +fin +psh +urg", tcp(FIN | PSH | URG | ACK), tcp(FIN | PSH)),
    ("permit ip any any fragments", fragment(UDP, 800), udp()),
    ("permit ip any any fragments", fragment(TCP, 16, more=False), fragment(TCP, 8, more=False)),
    ("permit tcp any any eq 80", fragment(TCP, 800), fragment(UDP, 800)),
    ("deny tcp any any eq 80;permit tcp any any", fragment(TCP, 800), tcp(dport=80)),
    ("deny udp any any fragments;permit udp any any", udp(), fragment(UDP, 8)),
    ("permit tcp any any eq 80", tcp(dport=80, options=b"\1\1\1\1"), tcp(dport=81)),
    ("permit udp any any neq 7", udp(), cut(UDP, 4)),
    ("permit tcp any any neq 7", tcp(), cut(TCP, 14)),
    ("deny udp any any eq 7;permit ip any any", udp(), cut(UDP, 3)),
    ("permit tcp any any eq 2000", tcp(), lambda src, dst, ident: packets.tcp(src, dst, 1000, 80, SYN, ident=ident)),
    ("permit udp any any eq 2000",
     lambda src, dst, ident: packets.ipv4(src, dst, UDP, packets.udp(src, dst, 1, 2000)[20:], ident=ident,
                                          options=OPTIONS),
     lambda src, dst, ident: packets.ipv4(src, dst, UDP, packets.udp(src, dst, 2000, 1)[20:], ident=ident,
                                          options=OPTIONS)),
]


@pytest.mark.san
@pytest.mark.parametrize("direction", ["in", "out"])
def test_rules(site, lns, session, sniffer, direction):
    """Each row of RULES; a session that another list filters the other way is not in the way."""
    way = Way(site, session, sniffer, direction)
    name = "x" + direction
    for rules, good, bad in RULES:
        rules = rules.replace("SRC", "host " + way.src).replace("DST", way.dst + " 0.0.0.255")
        configure(lns, "ip access-list extended " + name, *rules.split(";"))
        assert say(lns, "filter user0 %s %s" % (direction, name)) == ["Filtering user user0"]
        other = "ip access-list extended all"
        configure(lns, other, "permit ip any any")
        assert say(lns, "filter user0 %s all" % ("out" if direction == "in" else "in")) == ["Filtering user user0"]
        if good is None:
            counter = "rx_filtered" if way.up else "tx_filtered"
            before = lns.counters()[counter]
            way.send(bad(way.src, way.dst, next(IDENTS)))
            wait_for(lambda: lns.counters()[counter] == before + 1, "the drop")
        elif bad is None:
            ident = next(IDENTS)
            way.send(good(way.src, way.dst, ident))
            way.wait(ident)
        else:
            try:
                way.check(lns, good, bad)
            except AssertionError as error:
                raise AssertionError("%s: %s" % (rules, error)) from None
        assert say(lns, "no filter user0") == ["Removing filters from user user0"]
        configure(lns, "no ip access-list extended " + name)


@pytest.mark.san
def test_standard(site, lns, session, sniffer):
    """Source, wildcard, destination; the first match counts, nothing matching is a drop."""
    way = Way(site, session, sniffer, "in")
    configure(lns, "ip access-list standard s", "deny any host " + site.network.CORE2, "permit 10.0.0.0 0.255.255.255")
    say(lns, "filter user0 in s")
    way.check(lns, udp(), lambda src, dst, ident: packets.udp(src, site.network.CORE2, 1, 2, ident=ident))
    configure(lns, "ip access-list standard s", "no permit 10.0.0.0 0.255.255.255")
    before = lns.counters()["rx_filtered"]
    way.send(udp()(way.src, way.dst, next(IDENTS)))
    wait_for(lambda: lns.counters()["rx_filtered"] == before + 1, "the implicit deny")
    say(lns, "no filter user0")
    configure(lns, "no ip access-list standard s")


# ---------------------------------------------------------------------------- against a second reading

PORTS = [0, 1, 25, 80, 1023, 1024, 65535]
MORE_HOSTS = ["10.2.0.%d" % n for n in (4, 5, 130)] + ["10.2.5.3", "10.2.5.130"]
SOURCES = ["10.9.0.%d" % n for n in (1, 2, 77, 200)]
PACKETS = 60  # of each list


@pytest.fixture
def hosts(site):
    """More addresses of the core."""
    for address in MORE_HOSTS:
        site.network.core.ip("addr add %s/16 dev lns" % address)
    yield [site.network.CORE, site.network.CORE2, *MORE_HOSTS]
    for address in MORE_HOSTS:
        site.network.core.ip("addr del %s/16 dev lns" % address)


def some_packet(rng, src, dst, ident):
    """With or without options; whole, cut, a first or a later fragment."""
    proto = rng.choice([TCP, TCP, UDP, UDP, ICMP, 47, 253])
    sport, dport = rng.choice(PORTS), rng.choice(PORTS)
    if proto == TCP:
        body = packets.tcp(src, dst, sport, dport, rng.randrange(64), data=b"data" * rng.randrange(9))[20:]
    elif proto == UDP:
        body = packets.udp(src, dst, sport, dport, b"data" * rng.randrange(9))[20:]
    else:
        body = packets.echo(src, dst, reply=True, data=b"12345678" * 3)[20:]
    options = rng.choice([b"", b"", b"\1\1\1\0", b"\1" * 40])
    kind = rng.randrange(6)
    if kind == 0:  # ends too early
        return packets.ipv4(src, dst, proto, body[:rng.randrange(20)], ident=ident, options=options)
    if kind == 1:  # a first fragment
        return packets.ipv4(src, dst, proto, body[:rng.choice([8, 16, 24])], ident=ident, options=options, more=True)
    if kind == 2:  # a later one, whose octets look like a header
        return packets.ipv4(src, dst, proto, body, ident=ident, options=options, more=rng.random() < .5,
                            offset=8 * rng.choice([1, 2, 3, 100, 1000]))
    return packets.ipv4(src, dst, proto, body, ident=ident, options=options)


def judged(lns, name):
    """Hits of the rules that have some, and packets that no rule was about."""
    (shown,) = load(lns, "show access-list " + name)
    return [rule["hits"] for rule in shown["rules"] if rule["hits"]], shown["denied_behind_last_rule"]


@pytest.mark.san
@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("extended", [False, True], ids=["standard", "extended"])
def test_as_the_model_says(site, lns, session, sniffer, hosts, direction, extended):
    """Lists and packets by chance: what comes through, and the hits of each rule, are those of aclmodel.py."""
    way = Way(site, session, sniffer, direction)
    lns.set("set disable_no_spoof yes")  # rules about many sources
    sources, targets = (SOURCES + [way.src], hosts) if way.up else (hosts, [way.dst])
    head = "ip access-list %s model" % ("extended" if extended else "standard")
    counter = "rx_filtered" if way.up else "tx_filtered"
    for seed in range(12):
        rng = random.Random(seed)
        acl = aclmodel.some_list(seed, extended, sources, targets, PORTS)
        configure(lns, head, *acl.texts)
        assert say(lns, "filter user0 %s model" % direction) == ["Filtering user user0"]
        before = lns.counters()[counter]
        sent = {}
        for _ in range(PACKETS):
            ident = next(IDENTS)
            sent[ident] = some_packet(rng, rng.choice(sources), rng.choice(targets), ident)
            way.send(sent[ident], packets.Ip(sent[ident]).dst)
        verdicts = {ident: acl.judge(packet) for ident, packet in sent.items()}
        expected = [ident for ident, (permitted, _) in verdicts.items() if permitted]
        seen = way.collect(sent, lambda seen: len(seen) + lns.counters()[counter] - before >= PACKETS)
        wrong = ["%s: %s" % (sent[i].hex(), verdicts[i]) for i in set(seen) ^ set(expected)]
        assert not wrong, "seed %d, list %r: %s" % (seed, acl.texts, wrong)
        assert seen == expected
        places = [place for _, place in verdicts.values()]
        hits = [places.count(n) for n in range(len(acl.rules))]
        assert judged(lns, "model") == ([n for n in hits if n], places.count(None))
        say(lns, "no filter user0")
        configure(lns, "no " + head)
    lns.set("set disable_no_spoof no")


# ---------------------------------------------------------------------------- commands

def test_show_access_list(lns):
    """The lines of 2.4.1."""
    assert say(lns, "show access-list std1") == [
        "Standard IP access list std1", " permit 10.0.0.0 0.255.255.255", " deny any"]
    assert say(lns, "show access-list ext1") == [
        "Extended IP access list ext1", " permit tcp any any eq 80 established", " deny udp any range 1 100 any",
        " permit ip any any fragments"]
    assert say(lns, "show access-list")[:4] == [
        "Standard IP access list std1", " permit 10.0.0.0 0.255.255.255", " deny any", "Extended IP access list ext1"]
    assert say(lns, "show access-list nosuch") == ["Access-list nosuch not defined"]


@pytest.mark.san
def test_filter_command(site, lns, session):
    """What it says, what `show session` says of it, and hits."""
    sid = lns.session("user0")["SID"]
    assert say(lns, "filter user0 in std1 out ext1") == ["Filtering user user0"]
    lines = lns.run("show session " + sid)
    at = lines.index("\tFilter in:\t1 (std1)")
    assert lines[at + 1:at + 3] == ["\tFilter out:\t2 (ext1)", "\tIntercepted:\tno"]
    (shown,) = load(lns, "show session " + sid)
    assert (shown["filter_in"], shown["filter_out"]) == ("std1", "ext1")
    before = load(lns, "show access-list std1")[0]
    assert before["sessions"] == 1 and before["configured"]
    session.send_ip(packets.udp(session.address, site.network.CORE, 1, 2))
    wait_for(lambda: load(lns, "show access-list std1")[0]["rules"][0]["hits"] == before["rules"][0]["hits"] + 1,
             "the hit")
    assert " permit 10.0.0.0 0.255.255.255 (%d hits)" % (before["rules"][0]["hits"] + 1) in \
        say(lns, "show access-list std1 hits")
    assert say(lns, "no filter user0 in") == ["Removing filters from user user0"]
    assert "\tFilter in:\t1 (std1)" not in lns.run("show session " + sid)
    assert "\tFilter out:\t2 (ext1)" in lns.run("show session " + sid)
    assert say(lns, "no filter user0 in") == ["User user0 not filtered"]
    assert say(lns, "no filter user0 out") == ["Removing filters from user user0"]
    assert say(lns, "filter user0 in nosuch") == ["Access-list nosuch not defined"]
    assert say(lns, "filter user0 in std1 in ext1") == ["Input already filtered"]
    assert say(lns, "filter user0 up std1") == ["usage: filter USER in|out NAME ..."]
    assert say(lns, "filter nobody in std1") == ["User nobody is not connected"]
    assert say(lns, "no filter nobody") == ["User nobody is not connected"]
    cli = lns.open_cli(enable=False)
    assert cli.run("show access-list std1")[0] == "Standard IP access list std1"
    assert "Filtering" not in "".join(cli.run("filter user0 in std1"))
    cli.close()


def test_list_in_use(site, lns, session):
    """It is not removed while a session has it, and is when that has gone."""
    configure(lns, "ip access-list standard used", "permit any")
    say(lns, "filter user0 in used")
    assert "access-list used is in use by 1 session" in lns.set("no ip access-list standard used")
    session.hangup()
    lns.wait_gone("user0")
    wait_for(lambda: load(lns, "show access-list used")[0]["sessions"] == 0, "the end of the use")
    configure(lns, "no ip access-list standard used")
    assert say(lns, "show access-list used") == ["Access-list used not defined"]


@pytest.mark.san
def test_list_leaves_the_file(plant):
    """SIGHUP without a list that sessions have: it stays for them, as it was, and for nobody else."""
    daemon = plant.lns({"peer_address": "10.9.255.1"}, local_users=USERS, extra=[
        "ip access-list standard only", " deny any host " + plant.network.CORE2, " permit any"])
    one = Lac(plant.network).tunnel().session().up("user0")
    say(daemon, "filter user0 in only out only")
    daemon.extra = ["ip access-list standard other", " permit any"]
    daemon.write_config()
    lines = len(daemon.process.lines)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("removed ip access-list standard only", lines)
    daemon.wait_log("access-list only has left the configuration; 1 session", lines)
    assert load(daemon, "show access-list only")[0]["configured"] is False
    assert "has left the configuration" in say(daemon, "show access-list only")[0]
    before = daemon.counters()["rx_filtered"]
    one.send_ip(packets.udp(one.address, plant.network.CORE2, 1, 2))
    wait_for(lambda: daemon.counters()["rx_filtered"] == before + 1, "the drop")
    assert say(daemon, "filter user0 out only") == ["Access-list only not defined"]
    one.ping(plant.network.CORE)
    say(daemon, "filter user0 in other out other")
    assert say(daemon, "show access-list only") == ["Access-list only not defined"]
    one.ping(plant.network.CORE2)
    daemon.stop()


# ---------------------------------------------------------------------------- RADIUS

LISTS = ["ip access-list standard std1", " permit any", "ip access-list extended ext1", " permit ip any any"]


def answer_with(site, *ids):
    site.server.answer = lambda server, request: [
        server.accept(request, *(attribute(FILTER_ID, one) for one in ids))]


def lists_of(lns, user):
    (shown,) = load(lns, "show session " + lns.session(user)["SID"])
    return shown.get("filter_in"), shown.get("filter_out")


@pytest.fixture
def radius(plant):
    site = Site(plant)
    configure(site.lns, *(line.strip() for line in LISTS))
    return site


@pytest.mark.san
def test_filter_id(radius):
    """`name.in` and `name.out`, one, both, and the last of several; a new login begins without."""
    for number, (ids, expected) in enumerate([
            (["std1.in"], ("std1", None)), (["ext1.out"], (None, "ext1")), (["std1.in", "ext1.out"], ("std1", "ext1")),
            (["ext1.in", "std1.in"], ("std1", None)), ([], (None, None))]):
        answer_with(radius, *ids)
        session = radius.tunnel.session().up("joe%d" % number)
        assert lists_of(radius.lns, "joe%d" % number) == expected
        session.ping(radius.network.CORE)


@pytest.mark.san
def test_filter_unknown(radius):
    """Ignored with a line in the log and a count, or refused; set at run time. No older session falls for it."""
    bad = ["nosuch.in", "std1", "std1.up", ".in", "std1.in.", "\xff\xff.in", "x" * 240 + ".in"]
    answer_with(radius, "ext1.out", *bad[:7])
    older = radius.tunnel.session().up("joe")
    assert lists_of(radius.lns, "joe") == (None, "ext1")
    assert radius.counter("filter_unknown") == 7
    radius.lns.wait_log('Filter-Id "nosuch.in" names no access list; ignored')
    radius.lns.set("set filter_unknown reject")
    answer_with(radius, "ext1.out", "nosuch.in")
    session = radius.begin("joe")
    radius.answered(session)
    assert not session.authenticated
    radius.lns.wait_log("login of joe refused: unknown access list")
    older.ping(radius.network.CORE)
    answer_with(radius, "ext1.out")
    assert radius.tunnel.session().authenticate("ann", "secret")
