"""RADIUS authentication: what is asked, when it is repeated, and which answers are believed."""

import json
import socket
import struct

import pytest

import pylac
from fakeradius import (ACCESS_CHALLENGE, ACCT_SESSION_ID, CALLED_STATION, CALLING_STATION, CHAP_CHALLENGE,
                        CHAP_PASSWORD, CONNECT_INFO, FRAMED_IP, FRAMED_MTU, FRAMED_NETMASK, FRAMED_POOL,
                        FRAMED_PROTOCOL, FRAMED_ROUTE, IDLE_TIMEOUT, MESSAGE_AUTHENTICATOR, NAS_IDENTIFIER, NAS_IP,
                        NAS_PORT, NAS_PORT_ID, NAS_PORT_TYPE, PORT_LIMIT, REPLY_MESSAGE, SERVICE_TYPE,
                        SESSION_TIMEOUT, TUNNEL_CLIENT, TUNNEL_MEDIUM, TUNNEL_SERVER, TUNNEL_TYPE, USER_NAME,
                        FakeRadius, attribute, silent)
from netns import wait_for
from pylac import Lac

SECRET = "radsecret"
ADSL_FORUM = 3561


class Site:
    """A daemon that asks one or two fake servers, and a LAC."""

    def __init__(self, plant, servers=1, clock=False, **settings):
        self.network = plant.network
        self.servers = []
        for address in (self.network.CORE, self.network.CORE2)[:servers]:
            self.servers.append(plant.keep(FakeRadius(self.network.core, address, secret=SECRET)))
        self.server = self.servers[0]
        chosen = {"primary_radius": self.network.CORE, "primary_radius_port": 1812, "radius_secret": SECRET,
                  "peer_address": "10.9.255.1"}
        if servers == 2:
            chosen["secondary_radius"] = self.network.CORE2
        chosen.update(settings)
        self.lns = plant.lns(chosen, clock=clock)
        self.lac = Lac(self.network)
        self.tunnel = self.lac.tunnel()

    def begin(self, user="joe", password="secret", **kwargs):
        """A session that has sent its login; PAP."""
        session = self.tunnel.session(**kwargs)
        session.user, session.password = user, password
        session.lcp_up()
        if session.auth == pylac.PAP:
            session.pap_request()
        return session

    def answered(self, session, timeout=30):
        return self.lac.wait(lambda: session.authenticated is not None or session.gone, "the login's answer", timeout)

    def counter(self, name):
        return self.lns.counters()[name]


@pytest.fixture
def site(plant):
    return Site(plant)


@pytest.fixture
def pair(plant):
    return Site(plant, servers=2)


# ---------------------------------------------------------------------------- what is asked

@pytest.mark.san
def test_access_request_pap(site):
    """The attributes of SPEC 7, Message-Authenticator first and right."""
    session = site.tunnel.session(calling="07330001", called="02010001")
    assert session.authenticate("joe", "secret")
    (request,) = site.server.access
    assert request.attributes[0][0] == MESSAGE_AUTHENTICATOR and request.signed(site.server.secret)
    assert request.get(USER_NAME) == b"joe"
    assert request.password(site.server.secret) == b"secret"
    assert request.get(NAS_IP) == socket.inet_aton(site.network.LNS)
    assert request.get(NAS_IDENTIFIER) == b"lns1"
    assert request.number(NAS_PORT) == int(site.lns.session("joe")["SID"])
    assert request.number(NAS_PORT_TYPE) == 5  # Virtual
    assert request.get(NAS_PORT_ID)
    assert (request.number(SERVICE_TYPE), request.number(FRAMED_PROTOCOL)) == (2, 1)
    assert (request.get(CALLED_STATION), request.get(CALLING_STATION)) == (b"02010001", b"07330001")
    info = request.get(CONNECT_INFO)
    assert b"1000000" in info and b"8000000" in info, info
    assert request.number(TUNNEL_TYPE) & 0xFFFFFF == 3  # L2TP
    assert request.number(TUNNEL_MEDIUM) & 0xFFFFFF == 1  # IPv4
    assert site.network.LAC.encode() in request.get(TUNNEL_CLIENT)
    assert site.network.LNS.encode() in request.get(TUNNEL_SERVER)
    ident = request.get(ACCT_SESSION_ID)
    assert len(ident) == 16 and int(ident, 16), ident
    assert len({kind for kind, _ in request.attributes}) == len(request.attributes), "an attribute twice"


@pytest.mark.san
def test_access_line(site):
    """RFC 5515: what the LAC says of the line is shown, and sent to RADIUS in the same numbers (RFC 4679)."""
    def line(kind, value):
        return pylac.avp(kind, value, mandatory=False, vendor=ADSL_FORUM)

    session = site.tunnel.session(icrq=[
        line(1, "dslam7 atm 1/2/3:1.33"), line(2, "customer 12"), line(0x81, struct.pack("!Q", 1024000)),
        line(0x82, struct.pack("!Q", 8192000)), line(0x8C, struct.pack("!I", 16)), line(0x90, b"\1\2\3"),
        line(0xFE, b"")])
    session.up("joe", "secret")
    sent = {}
    for kind, value in site.server.access[0].attributes:
        if kind == 26 and struct.unpack("!I", value[:4])[0] == ADSL_FORUM:
            sent[value[4]] = value[6:4 + value[5]]
    assert sent == {1: b"dslam7 atm 1/2/3:1.33", 2: b"customer 12", 0x81: struct.pack("!I", 1024000),
                    0x82: struct.pack("!I", 8192000), 0x8C: struct.pack("!I", 16), 0x90: b"\1\2\3", 0xFE: b""}
    shown = site.lns.details(site.lns.session("joe")["SID"])
    assert shown["Agent-Circuit-Id"] == "dslam7 atm 1/2/3:1.33" and shown["Agent-Remote-Id"] == "customer 12"
    assert shown["Actual-Data-Rate-Upstream"] == "1024000" and shown["Actual-Data-Rate-Downstream"] == "8192000"
    listed = json.loads("\n".join(site.lns.run("show session %s json" % site.lns.session("joe")["SID"])))
    assert "dslam7 atm 1/2/3:1.33" in json.dumps(listed) and "Actual-Data-Rate-Upstream" in json.dumps(listed)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 32, 100, 128])
def test_pap_passwords_of_every_length(site, length):
    password = "".join(chr(33 + n % 90) for n in range(length))
    assert site.tunnel.session().authenticate("joe", password)
    assert site.server.access[0].password(site.server.secret) == password.encode()


@pytest.mark.parametrize("length", [129, 255])
def test_pap_password_too_long(site, length):
    """RADIUS has room for 128 octets: a longer password is refused, not sent cut and perhaps accepted."""
    assert site.tunnel.session().authenticate("joe", "x" * length) is False
    assert site.server.access == []
    assert site.tunnel.session().authenticate("joe", "secret")


def test_access_request_chap(plant):
    """CHAP: the identifier and response, and the challenge that was sent to the subscriber."""
    site = Site(plant, radius_authtypes="chap,pap")
    session = site.tunnel.session()
    assert session.authenticate("joe", "secret")
    (request,) = site.server.access
    assert request.get(CHAP_CHALLENGE) == session.chap_challenge
    assert len(request.get(CHAP_PASSWORD)) == 17 and request.get(CHAP_PASSWORD)[0] == session.chap_ident
    assert request.signed(site.server.secret) and request.attributes[0][0] == MESSAGE_AUTHENTICATOR


def test_sessions_have_ids_of_their_own(site):
    """Acct-Session-Id and authenticator never repeat."""
    for n in range(20):
        assert site.tunnel.session().authenticate("user%d" % n, "secret")
    requests = site.server.access
    assert len({r.get(ACCT_SESSION_ID) for r in requests}) == 20
    assert len({r.authenticator for r in requests}) == 20
    assert len({(r.source, r.id) for r in requests}) == 20


@pytest.mark.san
def test_repeated_login_is_one_request(site):
    """A PAP request that is repeated while one is pending starts no second one."""
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    session = site.begin()
    wait_for(lambda: held, "the first request")
    for _ in range(5):
        session.pap_request()
    site.tunnel.send(pylac.HELLO)
    site.tunnel.wait_acked()  # the daemon has seen them all
    request = held[0]
    site.server.answer = lambda server, request: [server.accept(request)]
    site.server.sock.sendto(site.server.accept(request), request.source)
    site.answered(session)
    assert session.authenticated
    assert len({(r.source, r.id, r.authenticator) for r in site.server.access}) == 1


def test_repeated_chap_is_one_request(plant):
    site = Site(plant, radius_authtypes="chap")
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    session = site.begin()
    site.lac.wait(lambda: held, "the first request")
    for _ in range(5):
        session.chap_respond()
    site.tunnel.send(pylac.HELLO)
    site.tunnel.wait_acked()
    site.server.sock.sendto(site.server.accept(held[0]), held[0].source)
    site.answered(session)
    assert session.authenticated
    assert len({(r.source, r.id, r.authenticator) for r in site.server.access}) == 1


@pytest.mark.san
@pytest.mark.parametrize("method", ["pap", "chap"])
def test_login_as_another_while_one_is_pending(plant, method):
    """LCP again and another name while RADIUS is asked: asked anew, and the first answer counts for nobody."""
    site = Site(plant, radius_authtypes=method)
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    session = site.begin("mallory", "his own")
    site.lac.wait(lambda: held, "the first request")
    session.user, session.password = "victim", "unknown"
    session.renegotiate()
    if method == "pap":
        session.pap_request()
    site.lac.wait(lambda: [r for r in held if r.get(USER_NAME) == b"victim"], "the second request")
    site.server.sock.sendto(site.server.accept(held[0]), held[0].source)
    wait_for(lambda: site.counter("radius_bad_id") == 1, "the late answer")
    site.lac.drain()
    assert session.authenticated is None
    assert site.lns.session("victim") is None
    site.server.answer = silent
    request = [r for r in held if r.get(USER_NAME) == b"victim"][-1]
    site.server.sock.sendto(site.server.reject(request), request.source)
    site.answered(session)
    assert session.authenticated is False


def test_login_again_while_one_is_pending(site):
    """The same name after LCP began again: the second question is answered, and the session comes up."""
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    session = site.begin()
    site.lac.wait(lambda: held, "the first request")
    site.server.answer = lambda server, request: [server.accept(request)]
    session.renegotiate()
    session.up("joe", "secret").ping(site.network.CORE)


def test_answer_repeated(site):
    """After the answer a repeated PAP request gets the same answer, without RADIUS."""
    session = site.tunnel.session().up("joe", "secret")
    session.authenticated = None
    session.pap_request()
    site.answered(session)
    assert session.authenticated and not session.gone
    assert len(site.server.access) == 1
    session.ping(site.network.CORE)


def microsoft(kind, value):
    return attribute(26, struct.pack("!IBB", 311, kind, len(value) + 2) + value)


@pytest.fixture
def mschap(plant):
    """A session that has got its MS-CHAPv2 challenge; the test speaks for it."""
    site = Site(plant, radius_authtypes="mschapv2")
    session = site.tunnel.session()
    session.chap = []
    session._chap = lambda *packet: session.chap.append(packet)
    session.lcp_up()
    site.lac.wait(lambda: session.chap, "the challenge")
    ident = session.chap.pop()[1]
    session.respond = lambda: session.send_cp(pylac.CHAP, 2, bytes([49]) + bytes(49) + b"joe", ident)
    session.site = site
    return session


def test_mschap_success_repeated(mschap):
    """The Success was lost: a repeated Response gets it again to the letter, with S= (RFC 2759 5)."""
    text = b"S=" + b"0123456789ABCDEF" * 2 + b"01234567"
    mschap.site.server.answer = lambda server, request: [server.accept(request, microsoft(26, b"\7" + text))]
    for n in range(3):
        mschap.respond()
        mschap.lac.wait(lambda: len(mschap.chap) > n, "the Success")
    assert mschap.chap[0][0] == 3 and mschap.chap[0][2].startswith(text + b" M=")
    assert mschap.chap[0] == mschap.chap[1] == mschap.chap[2]
    assert len(mschap.site.server.access) == 1


@pytest.mark.parametrize("sent, got", [
    (b"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=no R=1",
     b"E=691 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=no R=1"),
    (b"E=691 R=1", b"E=691 R=0 M="), (b"E=648 R=0 V=3", b"E=648 R=0 V=3 M=")])
def test_mschap_failure_without_retry(mschap, sent, got):
    """The server allows a retry, we do not: R=0, as the link is closed (RFC 2759 6)."""
    mschap.site.server.answer = lambda server, request: [server.reject(request, microsoft(2, b"\7" + sent))]
    mschap.respond()
    mschap.lac.wait(lambda: mschap.chap, "the Failure")
    assert mschap.chap[0][0] == 4 and mschap.chap[0][2].startswith(got)
    mschap.lac.wait(lambda: mschap.gone, "the end of the session")


# ---------------------------------------------------------------------------- repetition and fail-over

@pytest.mark.san
def test_lost_request_is_repeated(site):
    """The first two requests are lost: the third, the same packet, is answered."""
    site.server.answer = lambda server, request: [server.accept(request)] if len(server.requests) > 2 else []
    session = site.begin()
    site.answered(session)
    assert session.authenticated
    assert len({r.raw for r in site.server.access}) == 1, "a repetition is the same packet (RFC 2865 2.5)"
    assert len(site.server.access) == 3
    assert site.counter("radius_retries") >= 2


def test_secondary_when_primary_is_silent(pair):
    """Three requests to the first server (0, 1, 3 s), then the second (5 s) is asked and believed."""
    first, second = pair.servers
    first.answer = silent
    session = pair.begin()
    pair.answered(session)
    assert session.authenticated
    assert len(first.access) == 3
    assert len(second.access) == 1
    gaps = [b.time - a.time for a, b in zip(first.access, first.access[1:] + second.access)]
    assert gaps[0] < gaps[1], "the second gap (2 s) is longer than the first (1 s): %s" % gaps
    assert pair.counter("radius_failover") >= 1


def test_dead_server_is_not_asked(pair):
    """After three requests without an answer the first server is dead: the next login goes to the second at once."""
    first, second = pair.servers
    first.answer = silent
    sessions = [pair.begin("user%d" % n) for n in range(3)]
    for session in sessions:
        pair.answered(session)
        assert session.authenticated
    asked = len(first.access)
    assert asked == 9 and len(second.access) == 3
    later = pair.begin("later")
    pair.answered(later)
    assert later.authenticated
    assert len(first.access) == asked and len(second.access) == 4


def test_all_silent_is_refused(pair):
    """Six requests unanswered: the login is refused, not left hanging; then the session ends."""
    for server in pair.servers:
        server.answer = silent
    session = pair.begin()
    pair.answered(session)
    assert not session.authenticated
    assert [len(server.access) for server in pair.servers] == [3, 3]
    assert pair.counter("radius_timeout") == 1
    wait_for(lambda: pair.lac.pump(0.01) or pair.lns.sessions() == [], "the end of the session")


@pytest.mark.parametrize("method", ["pap", "chap"])
def test_no_request_to_be_had(plant, method):
    """No RADIUS socket can be opened: counted, and the login is asked about when the subscriber repeats it."""
    taken = [plant.network.lns.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
    for n, sock in enumerate(taken):
        sock.bind(("0.0.0.0", 20000 + n))
    site = Site(plant, radius_bind_min=20000, radius_bind_max=20063, radius_authtypes=method)
    session = site.begin()
    site.lac.wait(lambda: site.counter("radius_overflow"), "the request that nobody takes")
    for sock in taken:
        sock.close()

    def repeat():
        if method == "pap":  # of CHAP the daemon repeats its challenge
            session.pap_request()
        site.lac.pump(0.5)
        return session.authenticated is not None

    site.lac.wait(repeat, "the answer", 20)
    assert session.authenticated
    assert len(site.server.access) == 1


def test_server_gone(pair):
    """The first server's port is closed (ICMP errors): no worse than silence."""
    first, second = pair.servers
    first.close()
    pair.servers.remove(first)
    session = pair.begin()
    pair.answered(session)
    assert session.authenticated and len(second.access) == 1
    first.sock = first.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)  # for close() at the end
    first.sock.bind((first.address, first.port))


# ---------------------------------------------------------------------------- which answers are believed

def wrong_authenticator(server, request):
    return [server.accept(request, authenticator=bytes(16))]


def wrong_secret(server, request):
    return [server.accept(request, secret=b"guess")]


def wrong_message_authenticator(server, request):
    """Only the Message-Authenticator is wrong; the Response Authenticator fits what is sent."""
    bad = attribute(MESSAGE_AUTHENTICATOR, b"\x5a" * 16)
    return [server.accept(request, bad, sign=False)]


def wrong_id(server, request):
    return [server.accept(request, ident=(request.id + 1) & 0xFF)]


def wrong_code(server, request):
    return [server.reply(request, 5)]


def other_port(server, request):
    """From the server's address, but another port."""
    sock = server.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((server.address, 0))
    sock.sendto(server.accept(request), request.source)
    sock.close()
    return []


def other_address(server, request):
    """From the server's port, but another address."""
    sock = server.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.2.0.3", server.port))
    sock.sendto(server.accept(request), request.source)
    sock.close()
    return []


BAD = [wrong_authenticator, wrong_secret, wrong_message_authenticator, wrong_id, wrong_code, other_port, other_address]


@pytest.mark.san
@pytest.mark.parametrize("bad", BAD, ids=lambda f: f.__name__)
def test_bad_reply_is_dropped(site, bad):
    """A reply that is wrong in one respect is dropped and counted; the repetition's right one is believed."""
    def answer(server, request):
        return bad(server, request) if len(server.requests) == 1 else [server.reject(
            request, attribute(REPLY_MESSAGE, "the right one"))]

    site.server.answer = answer
    before = site.lns.counters()
    session = site.begin()
    site.answered(session)
    assert session.authenticated is False, "the wrong reply (an Accept) was believed"
    assert b"the right one" in session.message
    assert len(site.server.access) == 2
    after = site.lns.counters()
    grown = [n for n in after if after[n] > before.get(n, 0) and n.startswith("radius_") and n not in (
        "radius_sent", "radius_received", "radius_retries")]
    assert grown, "the bad reply was not counted"


@pytest.mark.san
def test_malformed_replies(site):
    """Replies cut at every length, with lengths that lie, with attributes of length 0, 1 and too much."""
    def answer(server, request):
        if len(server.requests) > 1:
            return [server.accept(request)]
        good = server.accept(request, attribute(FRAMED_IP, socket.inet_aton("10.9.0.9")), attribute(25, "class"))
        bad = [good[:n] for n in range(len(good))]
        bad += [good[:2] + struct.pack("!H", n) + good[4:] for n in (0, 1, 19, 20, len(good) - 1, len(good) + 1, 65535)]
        for length in 0, 1, 3, 255:
            bad.append(server.accept(request, bytes([FRAMED_IP, length, 10, 9])))
            bad.append(server.accept(request, bytes([26, length, 0, 0, 0, 9, 1, length])))
        return bad

    site.server.answer = answer
    session = site.begin()
    site.answered(session)
    assert session.authenticated
    site.lns.check()


@pytest.mark.parametrize("setting, code", [("yes", "accept"), ("yes", "reject"), ("auto", "accept")])
def test_message_authenticator_required(plant, setting, code):
    """yes: replies without Message-Authenticator are dropped; auto: once the server has been seen to send it."""
    site = Site(plant, radius_require_message_authenticator=setting)
    if setting == "auto":
        assert site.tunnel.session().authenticate("first", "secret")
    seen = len(site.server.access)

    def answer(server, request):
        if len(server.requests) - seen == 1:
            return [getattr(server, code)(request, sign=False)]
        return [server.accept(request, attribute(REPLY_MESSAGE, "signed"))]

    site.server.answer = answer
    session = site.begin()
    site.answered(session)
    assert session.authenticated and b"signed" in session.message
    assert len(site.server.access) == seen + 2
    assert site.counter("radius_no_message_authenticator") == 1


@pytest.mark.parametrize("setting", ["no", "auto"])
def test_message_authenticator_not_required(plant, setting):
    """no, or auto with a server that has never sent it: such a reply is good."""
    site = Site(plant, radius_require_message_authenticator=setting)
    site.server.answer = lambda server, request: [server.accept(request, sign=False)]
    for n in range(3):
        assert site.tunnel.session().authenticate("user%d" % n, "secret")
    assert len(site.server.access) == 3


def test_challenge_is_a_refusal(site):
    """Access-Challenge cannot be put to a PAP client: the login is refused."""
    site.server.answer = lambda server, request: [server.reply(request, ACCESS_CHALLENGE)]
    session = site.begin()
    site.answered(session)
    assert not session.authenticated


def test_late_answer_after_the_session_is_gone(site):
    """The call ends while RADIUS is asked: the answer meets nobody, and nothing is left."""
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    session = site.begin()
    wait_for(lambda: held, "the request")
    session.hangup()
    site.lns.wait_gone("joe")
    site.server.sock.sendto(site.server.accept(held[0]), held[0].source)
    site.server.answer = lambda server, request: [server.accept(request)]
    site.tunnel.session().up("ann", "secret").ping(site.network.CORE)
    assert site.lns.pool()[1]["Used"] == 1
    wait_for(lambda: "Used: 0" in site.lns.run("show radius"), "the release of the request")


# ---------------------------------------------------------------------------- what an Accept brings

def accepted(site, *attributes):
    site.server.answer = lambda server, request: [server.accept(request, *attributes)]
    return site.tunnel.session()


def test_reply_message(site):
    session = accepted(site, attribute(REPLY_MESSAGE, "welcome"))
    assert session.authenticate("joe", "secret")
    assert session.message == b"welcome"


def test_reject_message(site):
    site.server.answer = lambda server, request: [server.reject(request, attribute(REPLY_MESSAGE, "go away"))]
    session = site.begin()
    site.answered(session)
    assert session.authenticated is False and session.message == b"go away"
    site.lac.wait(lambda: session.gone, "the end of the session")


@pytest.mark.parametrize("value, asked, got", [
    ("10.9.0.42", "0.0.0.0", "10.9.0.42"), ("255.255.255.254", "10.9.0.50", None),
    ("255.255.255.255", "10.9.0.50", "10.9.0.50"), ("255.255.255.255", "10.66.0.1", None),
    ("255.255.255.255", "0.0.0.0", None)])
def test_framed_ip_address(site, value, asked, got):
    """An address; 255.255.255.254: of the pool; 255.255.255.255: what the client asks if it is valid and free."""
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton(value)))
    session.wanted_address = asked
    session.up("joe", "secret")
    if got:
        assert session.address == got
    else:
        assert session.address.startswith("10.9.0.") and session.address != asked
    session.ping(site.network.CORE)


def test_no_address_for_who_may_choose(site):
    """255.255.255.255 and a pool that is empty: the session ends, and the log says why at any level."""
    site.lns.write("ip_pool", "10.9.0.9\n")
    site.lns.settings["debug"] = 1
    site.lns.write_config()
    site.lns.stop()
    site.lns.start()
    tunnel = Lac(site.network).tunnel()
    choose = attribute(FRAMED_IP, socket.inet_aton("255.255.255.255"))
    site.server.answer = lambda server, request: [server.accept(request, choose)]
    assert tunnel.session().up("joe", "secret").address == "10.9.0.9"
    late = tunnel.session()
    assert late.authenticate("ann", "secret")
    late.ipcp_request()
    site.lns.wait_log("error .*no address for ann: the pool is empty")
    tunnel.lac.wait(lambda: late.gone, "the end of the session")


def test_framed_ip_address_wanted_is_anothers(site):
    """255.255.255.255, and the client asks for an address that somebody has: he gets another one."""
    first = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.9.0.42"))).up("joe", "secret")
    second = accepted(site, attribute(FRAMED_IP, 0xFFFFFFFF))
    second.wanted_address = "10.9.0.42"
    second.up("ann", "secret")
    assert second.address.startswith("10.9.0.") and second.address != "10.9.0.42"
    first.ping(site.network.CORE)
    second.ping(site.network.CORE)


def test_framed_ip_address_taken(site):
    """The second one with an address in use is refused clearly; the first one keeps it."""
    first = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.9.0.42"))).up("joe", "secret")
    second = site.begin("ann")
    site.lac.wait(lambda: second.gone, "the end of the second", 20)
    first.ping(site.network.CORE)
    assert site.counter("address_refused") == 1


@pytest.mark.parametrize("kind", [135, 136])
def test_dns_of_ascend(site, kind):
    """Ascend's DNS attributes in their old and vendor form."""
    address = socket.inet_aton("10.2.0.88")
    vendor = attribute(26, struct.pack("!I", 529) + attribute(kind, address))
    for n, form in enumerate((attribute(kind, address), vendor)):
        session = accepted(site, form)
        session.ask_dns = [129, 131]
        session.up("user%d" % n, "secret")
        assert session.dns.get({135: 129, 136: 131}[kind]) == "10.2.0.88"


def microsoft_dns(*values):
    return attribute(26, struct.pack("!I", 311) + b"".join(attribute(*value) for value in values))


def test_dns_of_microsoft(site):
    """Both in one Vendor-Specific attribute; of several the last one counts, in whatever form; a short one is none."""
    first, last = (28, socket.inet_aton("10.2.0.88")), (29, socket.inet_aton("10.2.0.99"))
    forms = [[microsoft_dns(first, last)], [microsoft_dns(first), microsoft_dns(last)],
             [attribute(135, socket.inet_aton("10.2.0.1")), microsoft_dns(first, last)],
             [microsoft_dns(first, last), microsoft_dns((28, b"\1\2\3"), (29, b""))]]
    for n, form in enumerate(forms):
        session = accepted(site, *form)
        session.ask_dns = [129, 131]
        session.up("user%d" % n, "secret")
        assert session.dns == {129: "10.2.0.88", 131: "10.2.0.99"}


def test_netmask(site):
    """The network round his address is his, its mask told in accounting; one with holes is none."""
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.77.0.9")),
                       attribute(FRAMED_NETMASK, socket.inet_aton("255.255.255.248"))).up("joe", "secret")
    assert session.address == "10.77.0.9"
    session.ping(site.network.CORE, source="10.77.0.14")
    assert "10.77.0.8/29 dev tun0" in site.network.lns.run("ip", "route")
    other = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.78.0.9")),
                     attribute(FRAMED_NETMASK, socket.inet_aton("255.0.255.0"))).up("ann", "secret")
    other.ping(site.network.CORE)
    routes = site.network.lns.run("ip", "route")
    assert "10.78.0.9 dev tun0" in routes and "10.78.0.0" not in routes


def test_no_timeouts(plant):
    """Session-Timeout 0 and Idle-Timeout 0: none."""
    site = Site(plant, clock=True, echo_timeout=1)
    session = accepted(site, attribute(SESSION_TIMEOUT, 0), attribute(IDLE_TIMEOUT, 0)).up("joe", "secret")
    for _ in range(3):
        site.lns.step(200)
        echoes = session.echoes
        site.lac.wait(lambda: session.echoes > echoes or session.gone, "an echo")
        assert not session.gone
    session.ping(site.network.CORE)


def test_idle_timeout(plant):
    """Data keeps him, LCP echoes do not."""
    site = Site(plant, clock=True, echo_timeout=1)
    session = accepted(site, attribute(IDLE_TIMEOUT, 60)).up("joe", "secret")
    for _ in range(4):
        session.ping(site.network.CORE)
        site.lns.step(40)
        echoes = session.echoes
        site.lac.wait(lambda: session.echoes > echoes or session.gone, "an echo")
        assert not session.gone
    site.lns.step(30)
    site.lac.wait(lambda: session.closed, "the CDN")


def test_last_one_counts(site):
    """Of an attribute that comes twice, when both are possible; one that is impossible is none."""
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton("10.9.0.41")),
                       attribute(FRAMED_IP, socket.inet_aton("10.9.0.42")), attribute(FRAMED_IP, b"\x0a\x09\0"),
                       attribute(SESSION_TIMEOUT, 10), attribute(SESSION_TIMEOUT, 7200), attribute(SESSION_TIMEOUT, b""),
                       attribute(FRAMED_MTU, 900), attribute(FRAMED_MTU, 1000), attribute(FRAMED_MTU, 20),
                       attribute(REPLY_MESSAGE, "one"), attribute(REPLY_MESSAGE, "two")).up("joe", "secret")
    assert session.address == "10.9.0.42" and session.message == b"one two"
    shown = site.lns.details(site.lns.session("joe")["SID"])
    assert 7100 < int(shown["Sess Timeout"].split()[0]) <= 7200
    site.lns.wait_log("attribute 8 of vendor 0 has no possible value .3 octets.; ignored")
    session.ping(site.network.CORE)


@pytest.mark.parametrize("value", ["0.0.0.5", "127.0.0.1", "224.0.0.1", "240.1.2.3", "10.9.255.1", "10.1.0.1"])
def test_impossible_address(site, value):
    """Nobody's, everybody's, and our own: refused clearly."""
    session = accepted(site, attribute(FRAMED_IP, socket.inet_aton(value)))
    assert session.authenticate("joe", "secret") is False
    assert session.message == b"the address is in use or cannot be one"
    assert site.counter("address_refused") == 1


def test_unknown_pool(site):
    session = accepted(site, attribute(FRAMED_POOL, "nosuch"))
    assert session.authenticate("joe", "secret") is False
    assert session.message == b"there is no pool of the name in Framed-Pool"
    assert site.counter("address_refused") == 1


def test_port_limit(plant):
    """So many sessions of a name and no more, where there may be several; a renegotiation is none more."""
    site = Site(plant, allow_duplicate_users=True)
    first, second = (accepted(site, attribute(PORT_LIMIT, 2)).up("joe", "secret") for _ in range(2))
    third = site.begin("joe")
    site.answered(third)
    assert third.authenticated is False and third.message == b"as many sessions as Port-Limit allows"
    second.renegotiate().up("joe", "secret")
    accepted(site, attribute(PORT_LIMIT, 2)).up("ann", "secret")
    accepted(site, attribute(PORT_LIMIT, 0)).up("joe", "secret").hangup()
    first.hangup()
    wait_for(lambda: len([s for s in site.lns.sessions() if s["Username"] == "joe"]) == 1, "their end")
    accepted(site, attribute(PORT_LIMIT, 2)).up("joe", "secret").ping(site.network.CORE)
    second.ping(site.network.CORE)


def test_port_limit_where_the_older_one_ends(site):
    """Without duplicates a login takes the place of the one before, whatever the limit."""
    older = accepted(site, attribute(PORT_LIMIT, 1)).up("joe", "secret")
    younger = accepted(site, attribute(PORT_LIMIT, 1)).up("joe", "secret")
    site.lac.wait(lambda: older.gone, "the end of the older one")
    younger.ping(site.network.CORE)


def test_timeouts_shown(site):
    session = accepted(site, attribute(SESSION_TIMEOUT, 3600), attribute(IDLE_TIMEOUT, 900)).up("joe", "secret")
    listed = site.lns.session("joe")
    assert 3500 < int(listed["Rem.Time"]) <= 3600
    shown = site.lns.details(listed["SID"])
    assert 3500 < int(shown["Sess Timeout"].split()[0]) <= 3600
    assert 800 < int(shown["Idle Timeout"].split()[0]) <= 900
    session.ping(site.network.CORE)


def test_session_timeout(site):
    """Session-Timeout: Terminate-Request, then a CDN that says that we have ended it."""
    session = accepted(site, attribute(SESSION_TIMEOUT, 2)).up("joe", "secret")
    site.lac.wait(lambda: session.closed, "the CDN")
    assert session.terminated and session.closed.get(46) == struct.pack("!HHB", 3, 0, 2)


@pytest.mark.parametrize("days", [400, -400])
def test_session_timeout_and_the_wall_clock(plant, days):
    """A step of the wall clock ends nobody, and lets nobody stay for longer."""
    site = Site(plant, clock=True, echo_timeout=1)
    session = accepted(site, attribute(SESSION_TIMEOUT, 600)).up("joe", "secret")
    site.lns.step(0, wall=days * 86400)
    echoes = session.echoes
    site.lac.wait(lambda: session.echoes > echoes + 1 or session.gone, "two echoes")  # its limits have been looked at
    assert not session.gone
    assert 500 < int(site.lns.session("joe")["Rem.Time"]) <= 600
    site.lns.step(600)
    site.lac.wait(lambda: session.closed, "the CDN")


def test_framed_mtu(site):
    """Framed-MTU bounds the session: a packet of more with DF is answered to the subscriber's peer."""
    session = accepted(site, attribute(FRAMED_MTU, 1000)).up("joe", "secret")
    site.network.core.run("ping", "-n", "-c1", "-W1", "-M", "dont", "-s", "1200", session.address, check=False)
    sizes = []

    def last(packet):
        sizes.append(packet.length)
        return not packet.more and packet.offset

    session.wait_packet(last)
    assert max(sizes) <= 1000, sizes


def test_renegotiation_before_an_address(site):
    """255.255.255.255: accepted, but no address yet; then another user logs in on the link. He is refused."""
    session = accepted(site, attribute(FRAMED_IP, 0xFFFFFFFF))
    assert session.authenticate("joe", "secret")
    session.renegotiate()
    assert session.authenticate("ann", "secret") is False
    site.lac.wait(lambda: session.gone, "the end of the session")


def test_class_does_not_pile_up(site):
    """Each login over the same link brings Class: what is kept does not grow."""
    session = accepted(site, attribute(FRAMED_IP, 0xFFFFFFFF), *[attribute(25, b"c" * 250)] * 4)
    for _ in range(8):
        assert session.authenticate("joe", "secret")
        session.renegotiate()
    session.up("joe", "secret").ping(site.network.CORE)
    assert site.counter("notes_full") == 0


def test_routes_stay_over_a_renegotiation(site):
    session = accepted(site, attribute(FRAMED_ROUTE, "192.168.77.0/24 0.0.0.0 1")).up("joe", "secret")
    session.renegotiate().up("joe", "secret")
    session.ping(site.network.CORE, source="192.168.77.5")


LONG_LINE = [pylac.avp(1, b"x" * 200, mandatory=False, vendor=ADSL_FORUM)] * 6


def test_calls_without_login_leave_room_for_routes(plant):
    """Calls full of access line AVPs that never log in cost nobody his Framed-Routes."""
    site = Site(plant, max_sessions=100)
    for _ in range(90):
        site.tunnel.session(start=False, icrq=LONG_LINE)
    assert site.counter("notes_full") > 0
    routes = [attribute(FRAMED_ROUTE, "192.168.%d.0/24 0.0.0.0 1" % n) for n in range(64)]
    session = accepted(site, *routes).up("joe", "secret")
    assert site.network.lns.run("ip", "route").count("192.168.") == 64
    session.ping(site.network.CORE, source="192.168.63.7")


# ---------------------------------------------------------------------------- FreeRADIUS

@pytest.mark.san
def test_freeradius_requires_message_authenticator(plant):
    """require_message_authenticator = yes in FreeRADIUS, and the reverse here."""
    radius = plant.freeradius({"joe": ("secret", {"Framed-IP-Address": "10.9.0.7"})}, require_message_authenticator=True)
    plant.lns({"primary_radius": radius.address, "primary_radius_port": 1812, "radius_secret": radius.secret,
               "radius_authtypes": "chap,pap"})
    session = Lac(plant.network).tunnel().session().up("joe", "secret")
    assert session.address == "10.9.0.7"
    session.ping(plant.network.CORE)
    refused = Lac(plant.network).tunnel().session()
    assert not refused.authenticate("joe", "wrong")


def test_many_at_once(plant):
    """300 logins at once, some in flight and some waiting, answered late and in the reverse order, each with its own."""
    site = Site(plant)
    held = []
    site.server.answer = lambda server, request: held.append(request) or []
    tunnel = site.lac.tunnel(window=512)
    sessions = []
    for n in range(300):
        session = tunnel.session()
        session.user, session.password = "user%d" % n, "secret"
        session.lcp_up()
        session.pap_request()
        sessions.append(session)

    def users():
        site.lac.drain()
        return {int(r.get(USER_NAME)[4:]): r for r in list(held)}

    answered = set()
    while len(answered) < 300:
        wait_for(lambda: len(users()) >= min(300, len(answered) + 64), "more requests in flight", 30)
        for number, request in sorted(users().items(), reverse=True):
            if number in answered:
                continue
            answered.add(number)
            reply = site.server.accept if number % 3 else site.server.reject
            site.server.sock.sendto(reply(request, attribute(REPLY_MESSAGE, "for %d" % number)), request.source)
    site.lac.wait(lambda: all(s.authenticated is not None or s.gone for s in sessions), "all answers", 30)
    for n, session in enumerate(sessions):
        assert session.message == b"for %d" % n
        assert session.authenticated is bool(n % 3)
