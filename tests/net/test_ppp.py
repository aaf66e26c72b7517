"""PPP as RFC 1661, 1332, 1334 and 1994 have it: what is offered, refused, rejected, repeated, and the automaton."""

import socket
import struct
import time

import pytest

import packets
import pylac
from netns import wait_for
from pylac import (CHAP, CODE_REJ, CONF_ACK, CONF_NAK, CONF_REJ, CONF_REQ, ECHO_REP, ECHO_REQ, IPCP, LCP, PAP,
                   PROTO_REJ, TERM_ACK, TERM_REQ, Lac, option, options)

USERS = {"joe": "secret"}
USERS.update({"user%d" % n: "secret" for n in range(8)})


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1", "radius_authtypes": "pap,chap", "primary_dns": "10.2.0.2",
                                "ppp_max_configure": 4, "ppp_max_failure": 3}, local_users=USERS)
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def tunnel(site, lns):
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    yield tunnel
    if not tunnel.closed:
        tunnel.stop()
    lac.close()


def packet(data):
    """(code, identifier, body) of a PPP control packet."""
    code, ident, length = struct.unpack("!BBH", data[:4])
    return code, ident, data[4:length]


def wait_frame(session, protocol, *codes, ident=None):
    """Wait for a PPP control packet; it and what came before leave the list. Yields (code, identifier, body)."""
    def find():
        while session.frames:
            got, data = session.frames.pop(0)
            if got == protocol and data[0] in codes and ident in (None, data[1]):
                return packet(data)
        return None
    return session.lac.wait(find, "protocol %#x code %s" % (protocol, codes))


def manual(tunnel, **kwargs):
    """A session that answers nothing by itself."""
    session = tunnel.session(start=False, **kwargs)
    session.answering = False
    session.connect()
    return session


GLOBAL, PEER, LOCAL = 0, 1, 2


def disconnect_cause(session, timeout=10):
    """Of the CDN: (code, control protocol, side) of RFC 3145, or None without that AVP."""
    session.lac.wait(lambda: session.closed, "the CDN", timeout)
    value = session.closed.get(46)
    return None if value is None else struct.unpack("!HHB", value[:5])


# ---------------------------------------------------------------------------- LCP

@pytest.mark.san
def test_lcp_offer(tunnel):
    """Our Configure-Request: MRU 1462, the first of radius_authtypes, a magic number; nothing multilink."""
    _, _, body = wait_frame(manual(tunnel), LCP, CONF_REQ)
    offered = options(body)
    assert offered[1] == struct.pack("!H", 1462)
    assert offered[3] == b"\xc0\x23"
    assert len(offered[5]) == 4 and offered[5] != bytes(4)
    assert not {17, 18, 19} & set(offered)


@pytest.mark.parametrize("wanted, auth", [(b"\xc2\x23\x05", "chap"), (b"\xc0\x23", "pap")])
def test_auth_naked(tunnel, wanted, auth):
    """A Configure-Nak that asks for another method we have is followed."""
    session = manual(tunnel)
    _, ident, body = wait_frame(session, LCP, CONF_REQ)
    session.send_cp(LCP, CONF_NAK, option(3, wanted), ident)
    _, _, body = wait_frame(session, LCP, CONF_REQ)
    assert options(body)[3] == wanted


def test_auth_refused(lns, tunnel):
    """One that rejects authentication, or insists on a method we have not, gets no session."""
    for answer in (CONF_REJ, option(3, b"\xc0\x23")), (CONF_NAK, option(3, b"\xc2\x27")):
        session = manual(tunnel)
        session.lcp_request()

        def follow():
            while session.frames:
                protocol, data = session.frames.pop(0)
                code, ident, body = packet(data)
                if protocol == LCP and code == CONF_REQ and 3 in options(body):
                    session.send_cp(LCP, answer[0], answer[1] if answer[0] == CONF_NAK else option(3, options(body)[3]),
                                    ident)
                elif protocol == LCP and code == CONF_REQ:
                    raise AssertionError("a link without authentication was offered")
                elif protocol == LCP and code == TERM_REQ:
                    session.send_cp(LCP, TERM_ACK, b"", ident)
                    session.terminated = True
            return session.gone
        session.lac.wait(follow, "the end of the session", 20)
        assert disconnect_cause(session)[0::2] == (15, PEER)


def test_mru_naked(tunnel):
    """A peer that wants to receive less is heard: the next request has its MRU, or none."""
    session = manual(tunnel)
    _, ident, _ = wait_frame(session, LCP, CONF_REQ)
    session.send_cp(LCP, CONF_NAK, option(1, struct.pack("!H", 1400)), ident)
    _, _, body = wait_frame(session, LCP, CONF_REQ)
    assert options(body).get(1) in (None, struct.pack("!H", 1400))


def test_option_rejected_is_left_out(tunnel):
    session = manual(tunnel)
    _, ident, body = wait_frame(session, LCP, CONF_REQ)
    session.send_cp(LCP, CONF_REJ, option(5, options(body)[5]), ident)
    _, _, body = wait_frame(session, LCP, CONF_REQ)
    assert 5 not in options(body) and 3 in options(body)


@pytest.mark.san
@pytest.mark.parametrize("name, good", [("ACCM", option(2, b"\xff\xff\xff\xff")), ("PFC", option(7)),
                                        ("ACFC", option(8)), ("MRU", option(1, b"\x05\xb4")),
                                        ("magic", option(5, b"abcd"))])
def test_options_accepted(tunnel, name, good):
    session = manual(tunnel)
    ident = session.send_cp(LCP, CONF_REQ, good)
    assert wait_frame(session, LCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident) == (CONF_ACK, ident, good)


@pytest.mark.san
@pytest.mark.parametrize("name, bad", [("callback", option(13, b"\6")), ("quality", option(4, b"\xc0\x25" + bytes(4))),
                                       ("MRRU", option(17, b"\x05\xdc")), ("SSNHF", option(18)),
                                       ("endpoint", option(19, b"\1host")), ("unknown", option(99, b"?")), ("authentication", option(3, b"\xc0\x23"))])
def test_options_rejected(tunnel, name, bad):
    """Those alone are in the Configure-Reject, in their order, unmodified."""
    session = manual(tunnel)
    ident = session.send_cp(LCP, CONF_REQ, option(5, b"abcd") + bad + option(1, b"\x05\xb4"))
    assert wait_frame(session, LCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident) == (CONF_REJ, ident, bad)


def test_naks_turn_into_rejects(tunnel):
    """ppp_max_failure Naks of an MRU that is too small, then it is rejected (RFC 1661 4.6)."""
    session = manual(tunnel)
    bad = option(1, b"\0\x40")
    codes = []
    for _ in range(4):
        ident = session.send_cp(LCP, CONF_REQ, bad)
        code, _, body = wait_frame(session, LCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident)
        codes.append(code)
        assert body == (option(1, b"\0\x80") if code == CONF_NAK else bad)
    assert codes == [CONF_NAK] * 3 + [CONF_REJ]


def test_compressed_fields(site, tunnel):
    """With PFC and ACFC agreed, short frames are understood."""
    session = tunnel.session()
    session.lcp_up()
    session.user, session.password = "joe", "secret"
    session.lcp_sent = False
    ident = session.send_cp(LCP, CONF_REQ, option(7) + option(8) + option(5, session.magic))
    session.lac.wait(lambda: session.lcp_sent)
    session.up("joe", "secret")
    echo = packets.echo(session.address, site.network.CORE, 77)
    session.lac.send(session.header(len(echo) + 1) + b"\x21" + echo)
    session.wait_packet(lambda p: p.proto == packets.ICMP and p.icmp_ident == 77)
    assert ident


@pytest.mark.san
def test_echo(tunnel):
    """An Echo-Request is answered with our magic number and its data."""
    session = tunnel.session().lcp_up()
    magic = [options(packet(d)[2])[5] for p, d in session.frames if p == LCP and d[0] == CONF_REQ][-1]
    session.frames.clear()
    ident = session.send_cp(LCP, ECHO_REQ, session.magic + b"some data")
    code, got, body = wait_frame(session, LCP, ECHO_REP)
    assert (got, body) == (ident, magic + b"some data")


@pytest.mark.san
def test_replies_are_cut_to_the_mru(tunnel):
    """A peer with an MRU of 128: Protocol-Reject and Echo-Reply are no longer than that."""
    session = tunnel.session()
    session.mru = 128
    session.up()
    session.frames.clear()
    data = bytes(range(200)) * 3
    session.send_frame(0x8057, struct.pack("!BBH", CONF_REQ, 1, 4 + len(data)) + data)
    body = wait_frame(session, LCP, PROTO_REJ)[2]
    assert len(body) == 124 and body[6:] == data[:118]
    session.send_cp(LCP, ECHO_REQ, session.magic + data)
    body = wait_frame(session, LCP, ECHO_REP)[2]
    assert len(body) == 124 and body[4:] == data[:120]


def test_echo_replies_are_looked_at(lns, tunnel):
    """Of another id or magic number, or short: counted, and nothing else."""
    session = tunnel.session().up()
    before = lns.counters()
    session.send_cp(LCP, ECHO_REP, session.magic, 99)
    session.send_cp(LCP, ECHO_REP, b"\1\2\3\4", 0)
    session.send_cp(LCP, ECHO_REP, b"\1\2", 0)
    session.lac.wait(lambda: lns.counters()["ppp_malformed"] == before["ppp_malformed"] + 1, "the counts")
    assert lns.counters()["ppp_unexpected"] == before["ppp_unexpected"] + 2
    assert not session.gone


def test_unknown_code(tunnel):
    """An unknown code: Code-Reject with the packet in it."""
    session = tunnel.session().lcp_up()
    ident = session.send_cp(LCP, 99, b"what?")
    _, _, body = wait_frame(session, LCP, CODE_REJ)
    assert body == struct.pack("!BBH", 99, ident, 9) + b"what?"


@pytest.mark.san
@pytest.mark.parametrize("protocol", [0x8053, 0x80FD, 0x8281, 0x4221, 0x002D, 0x8057, 0x003D])
def test_unknown_protocol(tunnel, protocol):
    """ECP, CCP, MPLSCP, nonsense, VJ, IPV6CP, MP: Protocol-Reject with the protocol and the packet; the session goes on."""
    session = tunnel.session().up()
    session.frames.clear()
    session.send_frame(protocol, struct.pack("!BBH", CONF_REQ, 1, 8) + b"data")
    _, _, body = wait_frame(session, LCP, PROTO_REJ)
    assert body == struct.pack("!H", protocol) + struct.pack("!BBH", CONF_REQ, 1, 8) + b"data"
    assert not session.gone


@pytest.mark.san
@pytest.mark.parametrize("head", [b"\xff\x03\x00\x21", b"\x00\x21", b"\xff\x03\x21", b"\x21"])
def test_empty_ip_frame(lns, tunnel, head):
    """An IP frame without packet is a bad IP packet, no unknown protocol."""
    session = tunnel.session().up()
    before = lns.counters()
    session.frames.clear()
    session.lac.send(session.header(len(head)) + head)
    session.lac.wait(lambda: lns.counters()["rx_bad_ip"] == before["rx_bad_ip"] + 1, "the count")
    assert not session.frames and lns.counters()["ppp_rejected"] == before["ppp_rejected"]


def test_loop(lns, tunnel):
    """Our own Configure-Requests come back: a loop, found by the magic number; the session ends."""
    session = manual(tunnel)

    def mirror():
        while session.frames:
            protocol, data = session.frames.pop(0)
            session.send_frame(protocol, data)
        return session.closed
    session.lac.wait(mirror, "the end of the looped session", 30)
    assert lns.counters()["ppp_loops"] >= 3
    assert disconnect_cause(session) == (7, LCP, GLOBAL)


def test_loop_of_an_open_link(plant):
    """Echo-Requests that come back with our own magic number end the session, though the link is not silent."""
    daemon = plant.lns({"echo_timeout": 1, "ppp_max_failure": 3}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    session.answering = False
    session.frames.clear()

    def mirror():
        while session.frames:
            protocol, data = session.frames.pop(0)
            session.send_frame(protocol, data)
        return session.closed

    session.lac.wait(mirror, "the end of the looped session", 20)
    assert disconnect_cause(session) == (7, LCP, GLOBAL)
    assert daemon.counters()["ppp_loops"] == 3


def test_protocol_reject_before_lcp_is_open(lns, tunnel):
    """Discarded (RFC 1661 5.7): the negotiation goes on."""
    session = manual(tunnel)
    before = lns.counters()["ppp_unexpected"]
    for protocol in PAP, CHAP, IPCP, LCP:
        session.send_cp(LCP, PROTO_REJ, struct.pack("!H", protocol) + b"data")
    session.lac.wait(lambda: lns.counters()["ppp_unexpected"] == before + 4, "the counts")
    session.answering = True
    session.up()


def test_requests_unanswered(tunnel):
    """ppp_max_configure requests unanswered: the session ends."""
    session = manual(tunnel)
    session.lac.wait(lambda: session.closed, "the CDN", 30)
    sent = [data for protocol, data in session.frames if protocol == LCP and data[0] == CONF_REQ]
    assert len(sent) == 4, len(sent)
    assert disconnect_cause(session) == (6, LCP, GLOBAL)


def test_requests_unanswered_by_one_who_speaks(tunnel):
    """The same of a peer that only has requests of its own: another cause."""
    session = manual(tunnel)
    session.lcp_request()
    assert disconnect_cause(session, 30) == (5, LCP, GLOBAL)


@pytest.mark.san
def test_terminate_request(lns, tunnel):
    """Terminate-Request: Terminate-Ack, then CDN; result code 1 (loss of carrier) or 3."""
    session = tunnel.session().up("user1")
    ident = session.send_cp(LCP, TERM_REQ, b"bye")
    assert wait_frame(session, LCP, TERM_ACK)[1] == ident
    assert disconnect_cause(session) == (3, 0, PEER)
    lns.wait_gone("user1")


def test_dropped_by_the_operator(lns, tunnel):
    session = tunnel.session().up("user1")
    lns.run("drop user user1")
    assert disconnect_cause(session) == (1, 0, GLOBAL)


def test_logged_in_elsewhere(tunnel):
    session = tunnel.session().up("user1")
    other = tunnel.session().up("user1")
    assert disconnect_cause(session) == (3, 0, LOCAL)
    other.hangup()


def test_renegotiation(site, tunnel):
    """A Configure-Request in an open session: LCP, the login and IPCP start again, with the same address."""
    session = tunnel.session().up("user2")
    address = session.address
    session.renegotiate().up("user2")
    assert session.address == address
    session.ping(site.network.CORE)


def test_renegotiation_as_another_user(lns, tunnel):
    """Up as user3, then a good login of user4 on the same link: refused and closed, and user4's own session stays."""
    other = tunnel.session().up("user4")
    session = tunnel.session().up("user3")
    session.renegotiate()
    assert session.authenticate("user4", "secret") is False
    session.lac.wait(lambda: session.closed, "the CDN")
    assert lns.session("user4")["IP"] == other.address and not other.gone
    lns.wait_gone("user3")


def test_renegotiation_with_a_wrong_password(lns, tunnel):
    session = tunnel.session().up("user3")
    session.renegotiate()
    assert session.authenticate("user3", "wrong") is False
    session.lac.wait(lambda: session.closed, "the CDN")
    lns.wait_gone("user3")


def test_renegotiation_ends_a_younger_session(lns, tunnel):
    """A login counts as one whenever it comes: sessions that the name has elsewhere end."""
    lns.set("set allow_duplicate_users yes")
    one, two = tunnel.session().up("user5"), tunnel.session().up("user5")
    lns.set("set allow_duplicate_users no")
    one.renegotiate().up("user5")
    one.lac.wait(lambda: two.closed, "the end of the other")
    assert lns.session("user5")["IP"] == one.address


# ---------------------------------------------------------------------------- logins

def test_pap_wrong(tunnel):
    """Authenticate-Nak with the request's identifier, then Terminate-Request."""
    session = tunnel.session().lcp_up()
    session.frames.clear()
    session.user, session.password = "joe", "wrong"
    ident = session.pap_request()
    assert wait_frame(session, PAP, 2, 3)[:2] == (3, ident)
    wait_frame(session, LCP, TERM_REQ)
    assert disconnect_cause(session) == (16, PAP, PEER)


@pytest.fixture
def chap(lns):
    lns.set('set radius_authtypes "chap"')
    yield lns
    lns.set('set radius_authtypes "pap,chap"')


@pytest.mark.san
def test_chap(site, chap, tunnel):
    """CHAP-MD5: a challenge of 16 bytes or more with our name; each challenge differs."""
    challenges = set()
    for n in range(4):
        session = tunnel.session()
        assert session.authenticate("user%d" % n, "secret")
        (challenge,) = [packet(d)[2] for p, d in session.frames if p == CHAP and d[0] == 1]
        assert challenge[0] >= 16 and challenge[1 + challenge[0]:] == b"lns1"
        challenges.add(challenge)
    assert len(challenges) == 4


def test_chap_wrong(chap, tunnel):
    session = tunnel.session()
    assert session.authenticate("joe", "wrong") is False
    assert disconnect_cause(session) == (16, CHAP, PEER)


def test_challenge_unanswered(chap, tunnel):
    session = tunnel.session()
    session._chap = lambda *packet: None
    session.lcp_up()
    assert disconnect_cause(session, 30) == (13, CHAP, GLOBAL)


def test_chap_response_is_repeated(chap, tunnel):
    """A repeated response gets the same answer (RFC 1994 4.2); another one than before does not change it."""
    session = tunnel.session()
    assert session.authenticate("joe", "secret")
    session.authenticated = None
    session.chap_respond()
    session.lac.wait(lambda: session.authenticated is not None, "the repeated Success")
    assert session.authenticated


def test_no_ip_before_login(site, lns, tunnel):
    """IPCP and IP before the login are dropped: nothing reaches the core, IPCP does not open."""
    before = lns.counters()
    session = tunnel.session().lcp_up()
    sniffer = site.network.core.sniff("lns")
    session.ipcp_request()
    session.send_ip(packets.echo("10.9.0.200", site.network.CORE, 0x4321))
    session.up("joe")
    session.ping(site.network.CORE)
    assert 0x4321 not in [getattr(packets.Ip(p), "icmp_ident", None) for p in sniffer.packets()]
    sniffer.close()
    after = lns.counters()
    assert after["rx_not_up"] + after["rx_spoofed"] > before["rx_not_up"] + before["rx_spoofed"]


# ---------------------------------------------------------------------------- IPCP

def ready_for_ipcp(tunnel, user="joe"):
    session = tunnel.session()
    assert session.authenticate(user, "secret")
    return session


@pytest.mark.san
def test_ipcp_address(tunnel):
    """Our own is peer_address; another than his is naked with his; his is acknowledged."""
    session = ready_for_ipcp(tunnel)
    session.answering = False
    ident = session.send_cp(IPCP, CONF_REQ, option(3, socket.inet_aton("10.66.6.6")))
    code, _, body = wait_frame(session, IPCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident)
    assert code == CONF_NAK
    his = options(body)[3]
    assert socket.inet_ntoa(his).startswith("10.9.0.")
    ident = session.send_cp(IPCP, CONF_REQ, option(3, his))
    assert wait_frame(session, IPCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident) == (CONF_ACK, ident, option(3, his))


def test_ipcp_our_request(tunnel):
    session = tunnel.session()
    assert session.authenticate("joe", "secret")
    session.ipcp_request()
    session.lac.wait(lambda: session.ipcp_peer, "our Configure-Request")
    assert session.peer_address == "10.9.255.1"


def test_ipcp_rejects(tunnel):
    """Van Jacobson compression and NBNS servers are rejected; a DNS server we have not, too."""
    session = ready_for_ipcp(tunnel)
    session.answering = False
    for bad in option(2, b"\0\x2d\x0f\1"), option(130, bytes(4)), option(132, bytes(4)), option(131, bytes(4)):
        ident = session.send_cp(IPCP, CONF_REQ, bad + option(3, bytes(4)))
        assert wait_frame(session, IPCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident) == (CONF_REJ, ident, bad)


def test_ipcp_without_address(site, tunnel):
    """A client that names no address is told one, or the link does not open without."""
    session = ready_for_ipcp(tunnel)
    session.answering = False
    ident = session.send_cp(IPCP, CONF_REQ, b"")
    code, _, body = wait_frame(session, IPCP, CONF_ACK, CONF_NAK, CONF_REJ, ident=ident)
    assert code == CONF_NAK and socket.inet_ntoa(options(body)[3]).startswith("10.9.0.")


def test_ipcp_terminate(lns, tunnel):
    """IPCP goes down alone: Terminate-Ack; the session's packets are no longer taken."""
    session = tunnel.session().up("user3")
    ident = session.send_cp(IPCP, TERM_REQ)
    assert wait_frame(session, IPCP, TERM_ACK)[1] == ident


def test_ipcp_unanswered(tunnel):
    session = ready_for_ipcp(tunnel)
    session._ipcp = lambda *packet: None
    assert disconnect_cause(session, 30) == (17, IPCP, GLOBAL)


def test_ipcp_rejected(tunnel):
    """A peer that has no IP: there is nothing else we could do for it."""
    session = tunnel.session()
    session._ipcp = lambda code, ident, body: session.send_cp(
        LCP, PROTO_REJ, struct.pack("!HBBH", IPCP, code, ident, 4 + len(body)) + body)
    assert session.authenticate("joe", "secret")
    assert disconnect_cause(session) == (18, IPCP, PEER)


def test_echo_loss(plant):
    """A subscriber who answers no LCP echo for idle_echo_timeout is dropped."""
    daemon = plant.lns({"echo_timeout": 1, "idle_echo_timeout": 3}, local_users=USERS)
    lac = Lac(plant.network)
    tunnel = lac.tunnel()
    answers, mute = tunnel.session().up("user1"), tunnel.session().up("user2")
    mute.answering = False
    assert disconnect_cause(mute, 30) == (8, LCP, GLOBAL)
    assert answers.closed is None and answers.echoes > 0
    assert daemon.session("user2") is None and daemon.session("user1")
    lac.close()


def test_echo_before_the_drop(plant):
    """echo_timeout above idle_echo_timeout: a silent subscriber is asked all the same before he is dropped."""
    daemon = plant.lns({"echo_timeout": 60, "idle_echo_timeout": 2}, local_users=USERS)
    tunnel = Lac(plant.network).tunnel()
    answers, mute = tunnel.session().up("user1"), tunnel.session().up("user2")
    mute.answering = False
    assert disconnect_cause(mute, 20) == (8, LCP, GLOBAL)
    assert [1 for protocol, data in mute.frames if protocol == LCP and data[0] == ECHO_REQ]
    assert answers.echoes > 0 and not answers.gone
    assert daemon.session("user1")


def test_silence_is_borne(plant):
    """kill_timedout_sessions no: asked again and again, never dropped."""
    daemon = plant.lns({"echo_timeout": 1, "idle_echo_timeout": 2, "kill_timedout_sessions": "no"}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    session.answering = False
    session.lac.wait(lambda: len([1 for p, d in session.frames if p == LCP and d[0] == ECHO_REQ]) >= 4, "four echoes")
    assert not session.gone
    assert daemon.session("joe")


def test_login_that_never_comes(plant):
    """PAP leaves it to the client to speak: one who does not within a minute is dropped, and no earlier."""
    daemon = plant.lns(local_users=USERS, clock=True)
    session = Lac(plant.network).tunnel().session().lcp_up()
    daemon.step(50)
    session.lac.drain()
    assert not session.gone
    daemon.step(11)
    assert disconnect_cause(session) == (13, PAP, GLOBAL)


@pytest.mark.parametrize("keepalive", ["no", "yes"])
def test_echo_under_traffic(plant, keepalive):
    """ppp_keepalive no: an echo each echo_timeout though there is traffic; yes: none then."""
    plant.lns({"echo_timeout": 1, "ppp_keepalive": keepalive}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        session.ping(plant.network.CORE)
        session.lac.pump(0.1)
    assert session.echoes in ((3, 4, 5) if keepalive == "no" else (0,))


def test_duplicate_users(plant):
    """allow_duplicate_users, and guest_account without it."""
    daemon = plant.lns({"allow_duplicate_users": "yes", "guest_account": "user7"}, local_users=USERS)
    tunnel = Lac(plant.network).tunnel()
    twins = [tunnel.session().up("user1") for _ in range(2)]
    daemon.set("set allow_duplicate_users no")
    guests = [tunnel.session().up("user7") for _ in range(3)]
    for session in twins + guests:
        session.ping(plant.network.CORE)
    third = tunnel.session().up("user1")
    tunnel.lac.wait(lambda: all(twin.closed for twin in twins), "the end of the older ones")
    third.ping(plant.network.CORE)
    assert len({session.address for session in guests}) == 3 and not [1 for g in guests if g.gone]


def test_pool_exhausted(plant):
    """A pool of two: the third is refused clearly, and gets in when one has gone."""
    daemon = plant.lns({"debug": 1}, pool=["10.9.0.4/30"], local_users=USERS)
    lac = Lac(plant.network)
    tunnel = lac.tunnel()
    one, two = [tunnel.session().up("user%d" % n) for n in (1, 2)]
    assert {one.address, two.address} == {"10.9.0.5", "10.9.0.6"}
    three = tunnel.session()
    three.authenticate("user3", "secret")
    assert disconnect_cause(three) is None
    assert daemon.counters()["address_refused"] == 1
    daemon.wait_log("error .*login of user3 refused: no address is free in the pool")
    one.hangup()
    assert tunnel.session().up("user3").address == one.address
    two.ping(plant.network.CORE)
    lac.close()


@pytest.mark.parametrize("pool, addresses", [(["10.9.0.8/31"], {"10.9.0.8", "10.9.0.9"}),
                                             (["10.9.0.7", "10.9.0.9/32"], {"10.9.0.7", "10.9.0.9"}),
                                             (["10.1.0.1:10.9.0.4/31", "10.1.0.99:10.8.0.0/24"],
                                              {"10.9.0.4", "10.9.0.5"})])
def test_pool_lines(plant, pool, addresses):
    """/31 and /32 whole; single addresses; lines for other members do not count here."""
    daemon = plant.lns(pool=pool, local_users=USERS)
    tunnel = Lac(plant.network).tunnel()
    assert {tunnel.session().up("user%d" % n).address for n in (1, 2)} == addresses
    assert daemon.pool()[1] == {"Free": 0, "Used": 2}


def test_packet_limit(plant):
    """packet_limit: of a burst downstream no more than the limit per 0.1 s gets through, and the rest is counted."""
    daemon = plant.lns({"packet_limit": 5}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    sock = plant.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(400):
        sock.sendto(struct.pack("!I", n), (session.address, 9999))
    wait_for(lambda: daemon.counters()["tx_packet_limit"] > 0, "dropped packets")
    session.lac.wait(lambda: session.packets, "the first packets")
    session.lac.drain()
    limited = daemon.counters()["tx_packet_limit"]
    assert limited + len(session.packets) <= 400
    assert len(session.packets) < 200
    sock.close()


def test_host_unreachable(plant):
    """icmp_rate: an address of the pool without session is answered; with 0 it is not."""
    daemon = plant.lns({"icmp_rate": 100}, local_users=USERS)
    output = plant.network.core.run("ping", "-n", "-c1", "-W5", "10.9.0.200", check=False)
    assert "Unreachable" in output, output
    daemon.stop()


def test_outer_packets_have_no_df(site, lns, tunnel):
    """The outer packets carry no DF, so that a small path towards the LAC fragments them."""
    sniffer = site.network.lac.sniff("br0")
    session = tunnel.session().up("user4")
    session.ping(site.network.CORE, size=1400)
    outer = [packets.Ip(p) for p in sniffer.packets()]
    ours = [p for p in outer if p.src == site.network.LNS and p.proto == packets.UDP]
    assert ours and not [p for p in ours if p.df]
    sniffer.close()
