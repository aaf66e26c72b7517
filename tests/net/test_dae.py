"""Dynamic authorization, RFC 5176: Disconnect- and CoA-Requests by the real radclient, and odd ones by hand."""

import hashlib
import hmac
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

import packets
from fakeradius import (ACCT_SESSION_ID, CLASS, EVENT_TIMESTAMP, IDLE_TIMEOUT, MESSAGE_AUTHENTICATOR, NAS_PORT,
                        NAS_PORT_ID, PROXY_STATE, REPLY_MESSAGE, SESSION_TIMEOUT, STATE, USER_NAME, FakeRadius,
                        acknowledge, attribute)
from lns import SANITIZER
from netns import wait_for
from pylac import RESULT_CODE, Lac
from test_plugins import Garden, pairs, plugins

SECRET = "radsecret"
PORT = 3799
DISCONNECT, COA = 40, 43
ERROR_CAUSE = 101

CAUSES = {"Unsupported-Attribute": 401, "Missing-Attribute": 402, "NAS-Identification-Mismatch": 403,
          "Invalid-Request": 404, "Unsupported-Service": 405, "Invalid-Attribute-Value": 407,
          "Session-Context-Not-Found": 503, "Session-Context-Not-Removable": 504, "Resources-Unavailable": 506,
          "Multiple-Session-Selection-Unsupported": 508}


class Answer:
    """What radclient printed of one: (ack, error cause), and all it printed."""

    def __init__(self, text):
        self.text = text
        received = re.search(r"Received (\S+)-(ACK|NAK) Id \d+ from ([\d.]+):(\d+)", text)
        self.kind, verdict, self.source, _ = received.groups() if received else (None,) * 4
        self.ack = verdict == "ACK"
        cause = re.search(r"Error-Cause = (\S+)", text[received.end():] if received else "")
        self.cause = cause and (CAUSES.get(cause.group(1)) or int(cause.group(1)))

    def __bool__(self):
        return self.kind is not None


def radclient(ns, what, attributes, target, secret=SECRET, tries=1, timeout=2):
    """Ask once; an Answer that is false when none came. `attributes`: a list of lines."""
    with ns:
        done = subprocess.run(["radclient", "-x", "-r", str(tries), "-t", str(timeout), "%s:%d" % (target, PORT), what,
                               secret], input=", ".join(attributes) + "\n", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
    assert "Sent" in done.stdout, done.stdout
    return Answer(done.stdout)


class Packet:
    """An answer, by a second hand."""

    def __init__(self, data, request, secret=SECRET):
        self.raw = data
        self.code, self.id, length = struct.unpack("!BBH", data[:4])
        assert length == len(data) and self.id == request[1]
        digest = hashlib.md5(data[:4] + request[4:20] + data[20:] + secret.encode()).digest()
        assert digest == data[4:20], "a wrong Response Authenticator"
        self.attributes, rest = [], data[20:]
        while rest:
            self.attributes.append((rest[0], rest[2:rest[1]]))
            rest = rest[rest[1]:]
        self.ack = self.code in (41, 44)
        mine = self.get(MESSAGE_AUTHENTICATOR)
        if mine is not None:
            signed = data[:4] + request[4:20] + data[20:].replace(mine, bytes(16))
            assert hmac.new(secret.encode(), signed, "md5").digest() == mine, "a wrong Message-Authenticator"

    def get(self, kind):
        return next((value for k, value in self.attributes if k == kind), None)

    @property
    def cause(self):
        value = self.get(ERROR_CAUSE)
        return value and int.from_bytes(value, "big")


def request(code, *attributes, secret=SECRET, ident=None, sign=None):
    """A packet; sign=True: with Message-Authenticator, sign=False: with a wrong one."""
    body = b"".join(attributes)
    if sign is not None:
        body = bytes([MESSAGE_AUTHENTICATOR, 18]) + bytes(16) + body
    head = struct.pack("!BBH", code, os.urandom(1)[0] if ident is None else ident, 20 + len(body))
    if sign is not None:
        mac = hmac.new(secret.encode() if sign else b"wrong", head + bytes(16) + body, "md5").digest()
        body = body[:2] + mac + body[18:]
    return head + hashlib.md5(head + bytes(16) + body + secret.encode()).digest() + body


class Client:
    """A socket that asks by packets of our own making."""

    def __init__(self, ns, target, source=None):
        self.target = (target, PORT)
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            self.sock.bind((source, 0))

    def send(self, data):
        self.sock.sendto(data, self.target)

    def receive(self, data, timeout=20):
        """The answer to that packet; None: silence."""
        self.sock.settimeout(timeout)
        try:
            answer, source = self.sock.recvfrom(65536)
        except socket.timeout:
            return None
        assert source == self.target, "an answer from another address"
        return Packet(answer, data)

    def ask(self, data):
        self.send(data)
        answer = self.receive(data)
        assert answer, "no answer"
        return answer

    def close(self):
        self.sock.close()


class Site:
    """A daemon whose RADIUS server is fake, and its sessions."""

    def __init__(self, plant, load=(), settings=None, clock=True, lns=None, extra=()):
        self.plant, self.network = plant, plant.network
        self.server = plant.keep(FakeRadius(self.network.core, self.network.CORE, secret=SECRET))
        chosen = {"primary_radius": self.network.CORE, "primary_radius_port": 1812, "radius_secret": SECRET,
                  "peer_address": "10.9.255.1", **(settings or {})}
        self.lns = plant.lns(chosen, extra=[*plugins(*load), *extra], clock=clock)
        self.lac = Lac(self.network, lns=lns)
        self.tunnel = self.lac.tunnel()

    def up(self, user, **kwargs):
        """A session; `id` has its names."""
        session = self.tunnel.session(**kwargs).up(user, "secret")
        (asked,) = [r for r in self.server.access if r.get(USER_NAME) == user.encode()][-1:]
        session.acct_id, session.port = asked.get(ACCT_SESSION_ID).decode(), asked.number(NAS_PORT)
        session.port_id = asked.get(NAS_PORT_ID).decode()
        return session

    def radclient(self, what, *attributes, **kwargs):
        kwargs.setdefault("target", self.network.LNS)
        return radclient(kwargs.pop("ns", self.network.core), what, attributes, **kwargs)

    def client(self, **kwargs):
        return self.plant.keep(Client(self.network.core, self.network.LNS, **kwargs))

    def counter(self, name):
        return self.lns.counters()[name]

    def ended(self, session):
        """Its LAC has heard of it, and the subscriber too."""
        self.lac.wait(lambda: session.closed, "CDN")
        assert session.terminated
        return session.closed

    def runs(self, *users):
        return all(self.lns.session(user) for user in users)


@pytest.fixture(scope="module")
def site(module):
    return Site(module)


@pytest.fixture(autouse=True)
def no_one_left(request):
    """Sessions of the shared daemon end with their test."""
    yield
    if "site" in request.fixturenames:
        site = request.getfixturevalue("site")
        for session in list(site.tunnel.sessions.values()):
            if not session.gone:
                session.hangup()
        wait_for(lambda: not site.lns.sessions(), "the end of all sessions")
        site.lns.check()


# ---------------------------------------------------------------------------- which session

NAMES = {"Acct-Session-Id": lambda s: '"%s"' % s.acct_id, "User-Name": lambda s: '"%s"' % s.user,
         "Framed-IP-Address": lambda s: s.address, "NAS-Port": lambda s: s.port,
         "Calling-Station-Id": lambda s: '"%s"' % s.calling, "NAS-Port-Id": lambda s: '"%s"' % s.port_id}


def named(session, *names):
    return ["%s = %s" % (name, NAMES[name](session)) for name in names]


@pytest.mark.san
@pytest.mark.parametrize("names", [(name,) for name in NAMES] + [tuple(NAMES), ("User-Name", "Calling-Station-Id")],
                         ids="+".join)
def test_disconnect_by(site, names):
    """Each name, and several together; the others stay."""
    sessions = []
    for n in range(3):
        sessions.append(site.up("joe%d" % n, calling="0733%d" % n))
        sessions[-1].calling = "0733%d" % n
    start = len(site.lns.process.lines)
    answer = site.radclient("disconnect", *named(sessions[1], *names))
    assert answer.ack and answer.kind == "Disconnect", answer.text
    assert "Acct-Terminate-Cause = Admin-Reset" in answer.text
    cdn = site.ended(sessions[1])
    assert cdn.result[0] == 3, cdn  # administrative
    site.lns.wait_log("session of joe1 ends: Admin-Reset, disconnected by RADIUS", start)
    site.lns.wait_log(r"info .*DAE %s:\d+: Disconnect-Request for .*: done" % site.network.CORE, start)
    site.lns.wait_gone("joe1")
    assert site.runs("joe0", "joe2")


@pytest.mark.parametrize("name", NAMES)
def test_coa_by(site, name):
    """The same for a change; Called-Station-Id narrows it down."""
    sessions = [site.up("joe%d" % n, calling="0733%d" % n) for n in range(2)]
    for n, session in enumerate(sessions):
        session.calling = "0733%d" % n

    def timeouts():
        shown = json.loads("".join(site.lns.run("show session json")))
        return [s.get("session_timeout_seconds") for s in sorted(shown, key=lambda s: s["user"])]
    answer = site.radclient("coa", *named(sessions[1], name), 'Called-Station-Id = "0201"', "Session-Timeout = 5000")
    assert answer.ack and answer.kind == "CoA", answer.text
    assert timeouts() == [None, 5000]
    answer = site.radclient("coa", *named(sessions[1], name), 'Called-Station-Id = "0202"', "Session-Timeout = 6000")
    assert answer.cause == 503 and timeouts() == [None, 5000]


@pytest.mark.parametrize("wrong", list(NAMES))
def test_all_must_match(site, wrong):
    mine, other = site.up("joe", calling="07331"), site.up("jim", calling="07332")
    mine.calling, other.calling = "07331", "07332"
    mixed = named(mine, *[name for name in NAMES if name != wrong]) + named(other, wrong)
    answer = site.radclient("disconnect", *mixed)
    assert answer and not answer.ack and answer.cause == 503, answer.text
    assert site.runs("joe", "jim")


def test_nobody(site):
    """No name at all: 402. Nobody of that name: 503, and so for one that has ended."""
    session = site.up("joe")
    assert site.radclient("disconnect", "NAS-IP-Address = %s" % site.network.LNS).cause == 402
    assert site.radclient("coa", "Session-Timeout = 100").cause == 402
    for name in 'User-Name = "jo"', 'Acct-Session-Id = "0"', "Framed-IP-Address = 10.9.0.254", "NAS-Port = 4000000000", \
                'Calling-Station-Id = "1"', 'User-Name = "%s"' % ("x" * 250):
        for what in "disconnect", "coa":
            answer = site.radclient(what, name)
            assert answer and not answer.ack and answer.cause == 503, answer.text
    assert site.radclient("disconnect", "NAS-Port = %d" % session.port).ack
    site.ended(session)
    site.lns.wait_gone("joe")
    assert site.radclient("disconnect", 'Acct-Session-Id = "%s"' % session.acct_id).cause == 503


def test_other_nas(site):
    """403 when it names another NAS, whatever else it has."""
    session = site.up("joe")
    for other in "NAS-IP-Address = 192.0.2.99", "NAS-IP-Address = 0.0.0.0", 'NAS-Identifier = "lns2"', \
            "NAS-IPv6-Address = 2001:db8::1":
        for what in "disconnect", "coa":
            assert site.radclient(what, 'User-Name = "joe"', other).cause == 403
            assert site.radclient(what, "Framed-MTU = 1000", other).cause == 403
    assert site.runs("joe")
    assert site.radclient("disconnect", 'User-Name = "joe"', "NAS-IP-Address = %s" % site.network.LNS,
                          'NAS-Identifier = "lns1"').ack
    site.ended(session)


@pytest.mark.san
def test_several(site):
    """A Disconnect ends all that match; a CoA is refused, and changes none."""
    site.lns.set("set allow_duplicate_users yes")
    ours = [site.up("joe", calling="0733%d" % (n % 2)) for n in range(4)]
    other = site.up("jim", calling="07331")
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 1000").cause == 508
    assert site.radclient("coa", 'Calling-Station-Id = "07331"', "Session-Timeout = 1000").cause == 508
    shown = json.loads("".join(site.lns.run("show session json")))
    assert len(shown) == 5 and "session_timeout_seconds" not in json.dumps(shown)
    assert site.radclient("disconnect", 'User-Name = "joe"', 'Calling-Station-Id = "07331"').ack
    site.ended(ours[1])
    site.ended(ours[3])
    assert not ours[0].gone and not ours[2].gone and not other.gone
    assert site.radclient("disconnect", 'User-Name = "joe"').ack
    site.ended(ours[0])
    site.ended(ours[2])
    assert site.runs("jim") and not other.gone
    site.lns.set("set allow_duplicate_users no")


def test_login_in_hand(site):
    """Who has not logged in yet has no name here."""
    session = site.tunnel.session(calling="07339")
    session.lcp_up()
    assert site.radclient("disconnect", 'Calling-Station-Id = "07339"').cause == 503
    assert not session.gone


# ---------------------------------------------------------------------------- who may ask

def unheard(site, counter, ask):
    """No answer comes, the counter tells, and joe stays."""
    before = site.counter(counter)
    assert not ask()
    assert site.counter(counter) > before
    assert site.runs("joe")


@pytest.mark.san
def test_wrong_secret(site):
    site.up("joe")
    unheard(site, "dae_bad_authenticator",
            lambda: site.radclient("disconnect", 'User-Name = "joe"', secret="another", timeout=1))
    site.lns.wait_log(r"warning .*DAE %s:\d+: dropped: it was signed with another secret" % site.network.CORE)


@pytest.mark.san
def test_unknown_client(site):
    """From the LAC, who knows the secret."""
    site.up("joe")
    unheard(site, "dae_foreign", lambda: site.radclient("disconnect", 'User-Name = "joe"', timeout=1,
                                                        ns=site.network.lac))
    site.lns.wait_log(r"warning .*DAE %s:\d+: dropped: it is no client of ours" % site.network.LAC)


def test_client_list(plant):
    """radius_dae_client in place of the servers; a SIGHUP changes it at once."""
    site = Site(plant, settings={"radius_dae_client": plant.network.CORE2})
    site.up("joe")
    ask = request(COA, attribute(USER_NAME, "joe"))
    first, second = site.client(source=plant.network.CORE), site.client(source=plant.network.CORE2)
    assert second.ask(ask).ack
    first.send(ask)
    wait_for(lambda: site.counter("dae_foreign") == 1, "the drop")
    site.lns.settings["radius_dae_client"] = "192.0.2.200, %s" % plant.network.CORE
    site.lns.write_config()
    start = len(site.lns.process.lines)
    site.lns.process.send_signal(signal.SIGHUP)
    site.lns.wait_log("reading the configuration again", start)
    assert first.ask(ask).ack
    second.send(ask)
    wait_for(lambda: site.counter("dae_foreign") == 2, "the drop")
    site.lns.set('set radius_dae_client ""')
    assert first.ask(ask).ack  # the servers again
    assert second.receive(ask, 0.1) is None
    site.lns.set("set radius_secret \"\"")
    first.send(ask)
    wait_for(lambda: site.counter("dae_foreign") == 3, "the drop")
    site.lns.wait_log(r"warning .*DAE %s:\d+: dropped: there is no secret shared with it" % plant.network.CORE)


@pytest.mark.san
def test_message_authenticator(site):
    """Right: an answer with one; wrong: none; absent: an answer without."""
    site.up("joe")
    client = site.client()
    signed = client.ask(request(COA, attribute(USER_NAME, "joe"), sign=True))
    assert signed.ack and signed.attributes[0][0] == MESSAGE_AUTHENTICATOR
    refused = client.ask(request(COA, attribute(USER_NAME, "jim"), sign=True))
    assert refused.cause == 503 and refused.get(MESSAGE_AUTHENTICATOR)
    assert client.ask(request(COA, attribute(USER_NAME, "joe"))).get(MESSAGE_AUTHENTICATOR) is None
    before = site.counter("dae_bad_authenticator")
    client.send(request(DISCONNECT, attribute(USER_NAME, "joe"), sign=False))
    client.send(request(DISCONNECT, attribute(USER_NAME, "joe"), attribute(MESSAGE_AUTHENTICATOR, bytes(16)), sign=True))
    wait_for(lambda: site.counter("dae_bad_authenticator") == before + 2, "the drops")
    assert site.runs("joe")
    assert client.receive(b"", 0.1) is None
    answer = site.radclient("coa", 'User-Name = "joe"', "Message-Authenticator = 0x00")
    assert answer.ack and answer.text.count("Message-Authenticator") > 1, answer.text


def test_event_timestamp(site):
    """Within 300 s of our clock, or it is not heard. Once it was heard, its repetition is."""
    session = site.up("joe")
    client = site.client()

    def stamped(off):
        return request(COA, attribute(USER_NAME, "joe"), attribute(EVENT_TIMESTAMP, int(time.time()) + off))
    for off in -290, 0, 290:
        assert client.ask(stamped(off)).ack
    before = site.counter("dae_stale")
    for off in -310, 310:
        client.send(stamped(off))
    wait_for(lambda: site.counter("dae_stale") == before + 2, "the drops")
    assert client.receive(b"", 0.1) is None
    site.lns.wait_log("warning .*Event-Timestamp is more than 300 s off our clock")
    stamp = time.strftime("%b %e %Y %H:%M:%S %Z", time.localtime(time.time() - 400))
    unheard(site, "dae_stale",
            lambda: site.radclient("disconnect", 'User-Name = "joe"', 'Event-Timestamp = "%s"' % stamp, timeout=1))
    stamp = time.strftime("%b %e %Y %H:%M:%S %Z")
    assert site.radclient("disconnect", 'User-Name = "joe"', 'Event-Timestamp = "%s"' % stamp).ack
    site.ended(session)


@pytest.mark.san
def test_retransmission(site):
    """The same packet again: the same octets for an answer, and nothing done. After 30 s it is a new one."""
    first = site.up("joe")
    client = site.client()
    ask = request(DISCONNECT, attribute(USER_NAME, "joe"), attribute(PROXY_STATE, "p"), sign=True, ident=9)
    answer = client.ask(ask)
    assert answer.ack
    site.ended(first)
    site.lns.wait_gone("joe")
    second = site.up("joe")
    for _ in range(5):
        assert client.ask(ask).raw == answer.raw
    assert site.runs("joe") and not second.gone
    before = site.lns.counters()
    other = site.client()  # another port: not the same request
    assert other.ask(request(DISCONNECT, attribute(USER_NAME, "jim"), ident=9)).cause == 503
    assert client.ask(request(DISCONNECT, attribute(USER_NAME, "jim"), ident=9)).cause == 503
    after = site.lns.counters()
    assert (after["dae_refused"], after["dae_repeated"]) == (before["dae_refused"] + 2, before["dae_repeated"])
    site.lns.step(31)
    assert client.ask(ask).ack
    site.ended(second)


def test_lost_answer(plant):
    """The real radclient asks again when the first answer is lost; it is told what was done, once."""
    site = Site(plant)
    session = site.up("joe")
    plant.network.core.run("iptables", "-A", "INPUT", "-p", "udp", "--sport", str(PORT), "-m", "statistic", "--mode",
                           "nth", "--every", "2", "--packet", "0", "-j", "DROP")
    answer = site.radclient("disconnect", 'User-Name = "joe"', "Message-Authenticator = 0x00", tries=3, timeout=1)
    assert answer.ack, answer.text
    site.ended(session)
    counters = site.lns.counters()
    assert (counters["dae_acked"], counters["dae_repeated"], counters["dae_refused"]) == (1, 1, 0)


@pytest.mark.san
def test_replay(plant):
    """Recorded and sent again from another port, or after half a minute: with an Event-Timestamp it is not done again."""
    site = Site(plant, settings={"echo_timeout": 3600, "idle_echo_timeout": 7200})
    first = site.up("joe")
    client, thief = site.client(), site.client()
    now = int(time.time())
    ask = request(DISCONNECT, attribute(USER_NAME, "joe"), attribute(EVENT_TIMESTAMP, now), ident=9)
    assert client.ask(ask).ack
    site.ended(first)
    site.lns.wait_gone("joe")
    second = site.up("joe")
    before = site.counter("dae_repeated")
    assert thief.ask(ask).ack
    site.lns.step(200)
    assert client.ask(ask).ack and thief.ask(ask).ack
    assert site.counter("dae_repeated") == before + 3
    site.lns.step(200)
    before = site.counter("dae_stale")
    thief.send(ask)
    wait_for(lambda: site.counter("dae_stale") == before + 1, "the drop")
    assert site.runs("joe") and not second.gone


def test_reply_source(plant):
    """With bind_multi_address the answer comes from the address that was asked."""
    site = Site(plant, settings={"bind_multi_address": "%s,%s" % (plant.network.LNS, plant.network.LNS2)})
    for n, address in enumerate((plant.network.LNS2, plant.network.LNS)):
        session = site.up("joe%d" % n)
        answer = site.radclient("disconnect", 'User-Name = "joe%d"' % n, target=address)
        assert answer.ack and answer.source == address, answer.text
        site.ended(session)


# ---------------------------------------------------------------------------- what is answered

@pytest.mark.san
def test_refused(site):
    """What is not supported, malformed or too much; nothing of it is done, though the rest of it could be."""
    site.up("joe")
    client = site.client()
    name, change = attribute(USER_NAME, "joe"), attribute(SESSION_TIMEOUT, 1)
    for code, body, cause in [
            (COA, attribute(12, 1400), 401), (COA, attribute(25, b""), 407), (COA, 5 * attribute(25, "class"), 404),
            (COA, attribute(26, struct.pack("!IBBI", 311, 28, 6, 1)), 401), (COA, attribute(26, b"x"), 401),
            (DISCONNECT, attribute(28, 1), 401), (DISCONNECT, attribute(6, 17), 401),
            (COA, attribute(6, 17), 405), (COA, change, 404), (COA, name, 404), (COA, attribute(28, b"x"), 407),
            (COA, attribute(31, b""), 407), (COA, attribute(8, b"12345"), 407), (DISCONNECT, attribute(44, b"a\0b"), 407)]:
        first = change if code == COA else b""
        answer = client.ask(request(code, name, first, body))
        assert not answer.ack and answer.cause == cause, (body, answer.attributes)
    site.lns.step(5)
    assert site.runs("joe")
    answer = site.radclient("coa", 'User-Name = "joe"', "Framed-MTU = 1400")
    assert answer.cause == 401, answer.text
    answer = site.radclient("coa", 'User-Name = "joe"', "Service-Type = Authorize-Only", 'State = 0x0102')
    assert answer.cause == 405 and "State = 0x0102" in answer.text.split("Received")[1], answer.text


def test_states_come_back(site):
    """Proxy-State in order, and State, in ACK and NAK."""
    site.up("joe")
    client = site.client()
    states = [(PROXY_STATE, b"one"), (STATE, b"keep"), (PROXY_STATE, b"two"), (PROXY_STATE, bytes(253))]
    body = [attribute(*state) for state in states]
    for user, ack in (("joe", True), ("jim", False)):
        answer = client.ask(request(COA, *body[:2], attribute(USER_NAME, user), *body[2:]))
        assert answer.ack == ack
        assert [a for a in answer.attributes if a[0] in (STATE, PROXY_STATE)] == states
    full = [attribute(PROXY_STATE, bytes(253))] * 15
    assert client.ask(request(COA, attribute(USER_NAME, "joe"), *full)).ack
    before = site.counter("dae_malformed")
    client.send(request(COA, attribute(USER_NAME, "joe"), *full, attribute(PROXY_STATE, bytes(235))))
    wait_for(lambda: site.counter("dae_malformed") == before + 1, "the drop: no answer would hold it")


def test_reply_message(site):
    """The server's words are in the log, and in the CDN."""
    session = site.up("joe")
    assert site.radclient("disconnect", 'User-Name = "joe"', 'Reply-Message = "pay your bill"').ack
    assert site.ended(session).get(RESULT_CODE)[4:] == b"pay your bill"
    site.lns.wait_log("session of joe ends: Admin-Reset, pay your bill")


# ---------------------------------------------------------------------------- changes

@pytest.mark.san
def test_timeouts(plant):
    """They count from the call's begin, and from the last data, at once, and are taken away by 0."""
    site = Site(plant, settings={"echo_timeout": 3600, "idle_echo_timeout": 7200})  # its clock looks seldom
    joe, jim, kim = site.up("joe"), site.up("jim"), site.up("kim")

    def timeouts(user):
        (shown,) = [s for s in json.loads("".join(site.lns.run("show session json"))) if s["user"] == user]
        return shown.get("session_timeout_seconds"), shown.get("idle_timeout_seconds")
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 1000", "Idle-Timeout = 500").ack
    assert site.radclient("coa", 'User-Name = "joe"', "Idle-Timeout = 600").ack
    assert timeouts("joe") == (1000, 600)
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 0", "Idle-Timeout = 0").ack
    assert timeouts("joe") == (None, None)
    assert site.radclient("coa", 'User-Name = "jim"', "Session-Timeout = 4").ack
    assert site.radclient("coa", 'User-Name = "kim"', "Idle-Timeout = 3").ack
    site.lac.wait(lambda: jim.closed and kim.closed, "both timeouts", 30)
    site.lns.wait_log("session of jim ends: Session-Timeout")
    site.lns.wait_log("session of kim ends: Idle-Timeout")
    assert site.runs("joe") and not joe.gone


def test_timeout_in_the_past(site):
    session = site.up("joe")
    site.lns.step(5)
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 3").ack
    site.ended(session)


def test_filters(plant):
    """Access lists, each direction for itself; one that is not known is refused, with all the rest, when so set."""
    site = Site(plant, settings={"filter_unknown": "reject"}, extra=[
        "ip access-list standard nothing", " deny any", "ip access-list standard all", " permit any"])
    session = site.up("joe")
    session.ping(plant.network.CORE)

    def dropped():
        counters = site.lns.counters()
        return counters["rx_filtered"], counters["tx_filtered"]

    def ping_dropped(counts):
        session.send_ip(packets.echo(session.address, plant.network.CORE, 1))
        wait_for(lambda: dropped() == counts, "the drop")
    assert site.radclient("coa", 'User-Name = "joe"', 'Filter-Id = "nothing.in"').ack
    ping_dropped((1, 0))
    assert site.radclient("coa", 'User-Name = "joe"', 'Filter-Id = "all.in"', 'Filter-Id += "nothing.out"').ack
    ping_dropped((1, 1))
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 1000").ack
    ping_dropped((1, 2))
    for unknown in "nobody.out", "all", "all.both":
        answer = site.radclient("coa", 'User-Name = "joe"', 'Filter-Id = "all.out"', 'Filter-Id += "%s"' % unknown)
        assert answer.cause == 407, answer.text
    ping_dropped((1, 3))
    site.lns.set("set filter_unknown ignore")
    assert site.radclient("coa", 'User-Name = "joe"', 'Filter-Id = "all.out"', 'Filter-Id += "nobody.in"').ack
    session.ping(plant.network.CORE)


def test_pairs(plant):
    """Rates and interception by their plugins: what a CoA does not name again is taken away; without pairs it stays."""
    site = Site(plant, ["autothrottle", "autosnoop"], {"throttle_speed": 512})
    site.server.answer = lambda server, request: [server.accept(request, pairs("throttle=100"))]
    session = site.up("joe")

    def now():
        sid = site.lns.session("joe")
        return sid["T"], site.lns.details(sid["SID"])["Intercepted"]
    assert now() == ("Y", "no")
    target = "10.2.0.77:4000"
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "intercept=%s"' % target).ack
    assert now() == ("N", target)
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "throttle=in 300,out 200"',
                          'Cisco-AVPair += "intercept=%s"' % target).ack
    assert now() == ("Y", target)
    site.lns.wait_log("rates 0/0 kbit/s --> 300/200")
    assert site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 1000").ack
    assert now() == ("Y", target)
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "throttle=yes,intercept=no"').ack
    assert now() == ("Y", "no")
    site.lns.wait_log("rates 0/0 kbit/s --> 512/512")
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "throttle=no"').ack
    assert now() == ("N", "no")
    session.ping(site.network.CORE)


@pytest.mark.parametrize("bad", ["throttle=5I2", "throttle=yes", "intercept=10.2.0.77", "intercept=yes",
                                 "intercept=no,throttle=-1"])
def test_pair_that_cannot_be(plant, bad):
    """A slip of the pen is refused, and neither frees a rate nor ends an interception, nor does the rest of it."""
    site = Site(plant, ["autothrottle", "autosnoop"])
    site.server.answer = lambda server, request: [
        server.accept(request, pairs("throttle=100", "intercept=10.2.0.77:4000"))]
    site.up("joe")
    start = len(site.lns.process.lines)
    answer = site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 77", 'Cisco-AVPair = "throttle=300"',
                            'Cisco-AVPair += "%s"' % bad, 'Class = 0x01')
    assert answer and answer.cause == 407, answer.text
    site.lns.wait_log("DAE .*: impossible value of attribute", start)
    sid = site.lns.session("joe")
    assert (sid["T"], site.lns.details(sid["SID"])["Intercepted"]) == ("Y", "10.2.0.77:4000")
    (rates,) = json.loads("".join(site.lns.run("show throttle json")))
    assert (rates["rate_in_kbit"], rates["rate_out_kbit"]) == (100, 100)
    assert "session_timeout_seconds" not in "".join(site.lns.run("show session json"))
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "not-ours=5I2"').cause == 401


def test_pair_that_nobody_knows(site):
    """Without its plugin a pair would do nothing: that is not acknowledged, nor is the rest of the CoA done."""
    site.up("joe")
    for pair in "throttle=100", "lcp:interface-config#1=service-policy input 100", ",":
        answer = site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 77", 'Cisco-AVPair = "%s"' % pair)
        assert answer.cause == 401, answer.text
    site.lns.set("load plugin autosnoop")
    answer = site.radclient("coa", 'User-Name = "joe"', "Session-Timeout = 77", 'Cisco-AVPair = "intercept=no"',
                            'Cisco-AVPair += "throttle=100"')
    assert answer.cause == 401, answer.text
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "intercept=no"').ack
    site.lns.set("remove plugin autosnoop")
    shown = json.loads("".join(site.lns.run("show session json")))
    assert "session_timeout_seconds" not in shown[0]


def test_class(plant):
    """Those of a CoA take the place of the login's in all later records; those of a Disconnect come to the Stop's."""
    site = Site(plant, settings={"radius_accounting": "yes"})
    first, second = [b"one", bytes(253)], [b"two", b"three", bytes(250)]
    site.server.answer = lambda server, request: [
        server.accept(request, b"".join(attribute(CLASS, c) for c in first))]
    accounts = plant.keep(FakeRadius(plant.network.core, plant.network.CORE, 1813, SECRET))
    accounts.answer = acknowledge
    joe, jim = site.up("joe"), site.up("jim")

    def stop(user):
        def found():
            return [r for r in accounts.records if r.status == 2 and r.get(USER_NAME) == user]
        return wait_for(found, "the Stop")[0].all(CLASS)
    client = site.client()
    assert client.ask(request(COA, attribute(USER_NAME, "joe"), *[attribute(CLASS, c) for c in second])).ack
    assert client.ask(request(COA, attribute(USER_NAME, "joe"), attribute(SESSION_TIMEOUT, 9000))).ack
    assert client.ask(request(DISCONNECT, attribute(USER_NAME, "joe"))).ack
    assert stop(b"joe") == second
    assert client.ask(request(DISCONNECT, attribute(USER_NAME, "jim"), attribute(CLASS, "last"))).ack
    assert stop(b"jim") == first + [b"last"]
    site.ended(joe)
    site.ended(jim)


def test_intercepted_packets(plant):
    """The copies begin with the CoA and end with the next one."""
    site = Site(plant, ["autosnoop"])
    session = site.up("joe")
    copies = plant.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    copies.bind((plant.network.CORE, 4000))
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "intercept=%s:4000"' % plant.network.CORE).ack
    session.ping(plant.network.CORE2)
    copies.settimeout(20)
    seen = {packets.Ip(copies.recv(65536)).src for _ in range(2)}
    assert seen == {session.address, plant.network.CORE2}
    assert site.radclient("coa", 'User-Name = "joe"', 'Cisco-AVPair = "intercept=no"').ack
    session.ping(plant.network.CORE2)
    copies.settimeout(0.3)
    with pytest.raises(socket.timeout):
        copies.recv(65536)
    copies.close()


def test_garden(plant, tmp_path):
    """Put into the garden and let out again, with the rules of the real iptables."""
    site = Garden(plant, tmp_path)
    site.built()
    joe, jim = site.up("joe"), site.up("jim")  # jim is refused, and so inside
    site.wait_inside(jim.address)

    def coa(user, pair):
        return radclient(plant.network.core, "coa", ['User-Name = "%s"' % user, 'Cisco-AVPair = "%s"' % pair],
                         plant.network.LNS)
    assert coa("jim", "garden=never").cause == 407
    assert coa("jim", "garden=no").ack
    site.wait_inside()
    assert site.lns.session("jim")["G"] == "N"
    assert coa("joe", "garden=yes").ack
    site.wait_inside(joe.address)
    assert site.lns.session("joe")["G"] == "Y"


def test_impostor(plant, tmp_path):
    """A wrong password in joe's name, in the garden: a CoA for joe is for joe, and lets nobody else out."""
    site = Garden(plant, tmp_path)
    site.built()
    joe = site.up("joe")
    site.server.answer = lambda server, request: [server.reject(request)]
    other = site.up("joe", "guessed")
    site.wait_inside(other.address)

    def coa(*attributes):
        return radclient(plant.network.core, "coa", ['User-Name = "joe"', *attributes], plant.network.LNS)
    assert coa("Session-Timeout = 5000").ack
    timeouts = {s["garden"]: s.get("session_timeout_seconds")
                for s in json.loads("".join(site.lns.run("show session json")))}
    assert timeouts == {False: 5000, True: None}
    assert coa('Cisco-AVPair = "garden=no"').ack
    site.wait_inside(other.address)
    joe.hangup()
    wait_for(lambda: len(site.lns.sessions()) == 1, "the end of joe")
    assert coa('Cisco-AVPair = "garden=no"').ack  # he is the only one who says so: the server knows what it does
    site.wait_inside()


# ---------------------------------------------------------------------------- bad input, and much of it

@pytest.mark.san
def test_junk(site):
    """Cut, torn and padded packets, from a known client and others: the daemon goes on."""
    session = site.up("joe")
    client = site.client()
    good = request(COA, attribute(USER_NAME, "joe"), attribute(REPLY_MESSAGE, "x" * 250), pairs("a=b,c=d"), sign=True)
    junk = [good[:cut] for cut in range(len(good))]
    for n in range(300):
        place = os.urandom(1)[0] % len(good)
        junk += [good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1:], os.urandom(1 + n * 4)]
    junk += [good[:2] + struct.pack("!H", size) + bytes(size - 4) for size in (4096, 4097, 20000, 65000)]
    before = site.lns.counters()
    for n, packet in enumerate(junk, 1):
        client.send(packet)
        if n % 40 == 0 or n == len(junk):  # no more than the socket holds
            wait_for(lambda: site.counter("dae_received") == before["dae_received"] + n, "all of them")
    after = site.lns.counters()
    dropped = sum(after[name] - before[name] for name in ("dae_malformed", "dae_bad_authenticator"))
    assert dropped == len(junk)
    assert client.receive(good, 0.1) is None
    assert client.ask(good + b"padding").cause == 401  # the pairs, which no plugin knows
    assert not SANITIZER.search(site.lns.log)
    session.ping(site.network.CORE)


def test_storm(plant):
    """20,000 in a row, a thousand without waiting for an answer each time: each is answered, and the last one holds."""
    site = Site(plant, ["autothrottle"], clock=False)
    for n in range(10):
        site.up("joe%d" % n)
    client = site.client()
    client.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    began = time.monotonic()
    for first in range(0, 20000, 1000):
        asks = [request(COA, attribute(USER_NAME, "joe%d" % (n % 10)), pairs("throttle=%d" % n), sign=True,
                        ident=n % 256) for n in range(first + 1, first + 1001)]
        for ask in asks:
            client.send(ask)
        for ask in asks:
            answer = client.receive(ask)
            assert answer and answer.ack, "no answer behind %d" % first
    counters = site.lns.counters()
    print("20,000 CoA in %.2f s; longest turn %d us" % (time.monotonic() - began, counters["loop_longest_us"]))
    assert counters["dae_acked"] == 20000
    rates = {s["user"]: s["rate_in_kbit"] for s in json.loads("".join(site.lns.run("show throttle json")))}
    assert rates == {"joe%d" % (n % 10): n for n in range(19991, 20001)}


@pytest.mark.san
def test_flood(plant):
    """As many as come, from a known client and from a foreign one: pings go on."""
    site = Site(plant, clock=False)
    session = site.up("joe")
    client, foreign = site.client(), plant.keep(Client(plant.network.lac, plant.network.LNS))
    asks = [request(COA, attribute(USER_NAME, "u%d" % n), attribute(PROXY_STATE, "%d" % n), sign=True)
            for n in range(5000)]
    for first in range(0, len(asks), 500):
        for ask in asks[first:first + 500]:
            client.send(ask)
            foreign.send(ask)
        session.ping(plant.network.CORE)
    counters = site.lns.counters()
    assert counters["dae_refused"] > 1000 and counters["dae_foreign"] > 1000, counters
    assert site.radclient("disconnect", 'User-Name = "joe"', tries=5).ack
    site.ended(session)
