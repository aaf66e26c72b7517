"""Bad input: whatever comes from the net, the daemon stays up, its memory flat, its other subscribers served.

A good subscriber is online through all of it. A LAC sends what it should not, in tunnels and sessions of its own.
"""

import os
import random
import struct
import time

import pytest

import packets
import pylac
from netns import wait_for
from pylac import (ACCM, ASSIGNED_SESSION, ASSIGNED_TUNNEL, CALL_ERRORS, CALL_SERIAL, CALLED, CALLING, CDN, CHALLENGE,
                   CHAP, CONF_ACK, CONF_NAK, CONF_REJ, CONF_REQ, ECHO_REQ, HELLO, HOST_NAME, ICCN, ICRP, ICRQ, IPCP,
                   LCP, MESSAGE_TYPE, OCRQ, PAP, PROTO_REJ, RANDOM_VECTOR, RESPONSE, RESULT_CODE, SCCCN, SCCRP, SCCRQ,
                   SLI, STOPCCN, TIE_BREAKER, WEN, Lac, avp, control, option, u32)

USERS = {"joe": "secret", "good": "secret", "victim": "secret"}
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"debug": 1, "l2tp_secret": "tunnelsecret", "peer_address": "10.9.255.1"},
                               local_users=USERS)
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


class Good:
    """The subscriber who has done nothing wrong."""

    def __init__(self, network, lns):
        self.network, self.lns = network, lns
        self.session = pylac.subscriber(network, "good")
        self.pid = lns.process.pid

    def served(self):
        """He still is; so is a newcomer; the daemon is the same."""
        assert self.lns.process.alive() and self.lns.process.pid == self.pid
        self.session.ping(self.network.CORE, timeout=20)
        assert self.session.closed is None and not self.session.terminated
        self.session.tunnel.send(HELLO)
        self.session.tunnel.wait_acked(20)
        assert self.session.tunnel.closed is None
        newcomer = pylac.subscriber(self.network, "joe")
        newcomer.ping(self.network.CORE)
        newcomer.tunnel.stop()
        newcomer.lac.close()


@pytest.fixture
def good(site, lns):
    subscriber = Good(site.network, lns)
    before = lns.memory()
    yield subscriber
    subscriber.served()
    grown = lns.memory() - before
    assert grown < 24 * MEGABYTE, "the memory has grown by %d bytes" % grown
    subscriber.session.tunnel.stop()
    subscriber.session.lac.close()


@pytest.fixture
def lac(site, lns):
    lac = Lac(site.network)
    yield lac
    lac.close()


def grown(lns, before):
    return {name: value - before.get(name, 0) for name, value in lns.counters().items() if value != before.get(name)}


def counted(lns, before, number, timeout=10):
    """Some counter has grown by just the number (or a few more, of what else was going on)."""
    def find():
        return [name for name, value in grown(lns, before).items() if number <= value <= number + 3]
    return wait_for(find, "a counter grown by %d (grown: %s)" % (number, grown(lns, before)), timeout)


# ---------------------------------------------------------------------------- control messages

def messages(tunnel, session):
    """A right one of each control message a LAC can send: {type: (session id, AVPs)}."""
    sid = session.peer_sid if session else 0
    return {
        SCCRQ: (0, tunnel.sccrq(avp(TIE_BREAKER, os.urandom(8), False), avp(CHALLENGE, os.urandom(16)),
                                avp(pylac.FIRMWARE, 0x0690, False), avp(pylac.VENDOR_NAME, "vendor", False))),
        SCCCN: (0, [avp(RESPONSE, os.urandom(16))]),
        STOPCCN: (0, [avp(ASSIGNED_TUNNEL, tunnel.tid), avp(RESULT_CODE, b"\0\2\0\6text")]),
        HELLO: (0, []),
        ICRQ: (0, tunnel.icrq(99) + [avp(pylac.PHYSICAL_CHANNEL, u32(5), False),
                                     avp(pylac.SUB_ADDRESS, "sub", True)]),
        ICCN: (sid, tunnel.iccn() + [
            avp(pylac.INITIAL_LCP, option(1, b"\5\xb4"), False), avp(pylac.LAST_SENT_LCP, option(3, b"\xc0\x23"), False),
            avp(pylac.LAST_RCVD_LCP, option(5, b"abcd"), False), avp(pylac.PROXY_AUTHEN_TYPE, 3, False),
            avp(pylac.PROXY_AUTHEN_NAME, "victim", False), avp(pylac.PROXY_AUTHEN_ID, 1, False),
            avp(pylac.PROXY_AUTHEN_CHALLENGE, os.urandom(16), False),
            avp(pylac.PROXY_AUTHEN_RESPONSE, "secret", False), avp(pylac.PRIVATE_GROUP, "group", False),
            avp(pylac.SEQUENCING_REQUIRED, b"")]),
        CDN: (sid, [avp(RESULT_CODE, b"\0\2\0\6text"), avp(ASSIGNED_SESSION, session.sid if session else 0),
                    avp(pylac.CAUSE, b"\0\1\2cause", False),
                    avp(46, b"\0\1\0\0\0text", False)]),  # PPP Disconnect Cause Code, RFC 3145
        WEN: (sid, [avp(CALL_ERRORS, bytes(26))]),
        SLI: (sid, [avp(ACCM, bytes(10))]),
        OCRQ: (0, [avp(ASSIGNED_SESSION, 7), avp(CALL_SERIAL, u32(1)), avp(pylac.MIN_BPS, u32(1)),
                   avp(pylac.MAX_BPS, u32(1)), avp(pylac.BEARER_TYPE, u32(1)), avp(pylac.FRAMING_TYPE, u32(1)),
                   avp(CALLED, "1")]),
    }


def target(lac, kind):
    """A tunnel in the state in which the message is expected, with a session for those that need one."""
    tunnel = lac.tunnel(start=False, window=100)
    if kind == SCCRQ:
        return tunnel, None
    if kind == SCCCN:
        tunnel.send(SCCRQ, *tunnel.sccrq())
        tunnel.reply = tunnel.expect(SCCRP)
        return tunnel, None
    tunnel.open()
    if kind in (ICCN, CDN, WEN, SLI):
        return tunnel, tunnel.session(start=kind != ICCN)
    return tunnel, None


def forget(lac):
    """End what is left of the LAC's tunnels, and the subscriber's other side of them."""
    lac.drain()
    for tunnel in list(lac.tunnels.values()):
        if tunnel.peer_tid and not tunnel.closed:
            tunnel.unacked = []
            tunnel.ns = tunnel.acked
            tunnel.send(STOPCCN, avp(ASSIGNED_TUNNEL, tunnel.tid), avp(RESULT_CODE, 1))
    lac.drain()
    lac.tunnels.clear()


KINDS = [SCCRQ, SCCCN, STOPCCN, HELLO, ICRQ, ICCN, CDN, WEN, SLI, OCRQ]
by_kind = pytest.mark.parametrize("kind", KINDS, ids=[pylac.NAMES[k] for k in KINDS])


@pytest.mark.san
@by_kind
def test_truncated_control(lac, good, kind):
    """Each control message cut at every length, with the length field as it was, and with one that fits."""
    tunnel, session = target(lac, kind)
    sid, avps = messages(tunnel, session)[kind]
    size = 12 + 8 + sum(len(a) for a in avps)
    for cut in range(size):
        for right_length in False, True:
            if right_length and cut < 12:
                continue
            tunnel, session = target(lac, kind)
            sid, avps = messages(tunnel, session)[kind]
            packet = control(tunnel.peer_tid, sid, tunnel.ns, tunnel.nr, avp(MESSAGE_TYPE, kind) + b"".join(avps))
            packet = packet[:cut]
            if right_length:
                packet = packet[:2] + struct.pack("!H", cut) + packet[4:]
            lac.send(packet)
        if cut % 20 == 0:
            forget(lac)
    forget(lac)


BAD_LENGTHS = [0, 1, 2, 3, 4, 5, 7, 100, 0x3FF]


@pytest.mark.san
@by_kind
@pytest.mark.parametrize("mandatory", [True, False])
def test_avp_lengths(lac, good, kind, mandatory):
    """AVPs of length 0..5, and beyond the end of the message, first, amid and last."""
    for length in BAD_LENGTHS:
        for place in "first", "second", "last":
            tunnel, session = target(lac, kind)
            sid, avps = messages(tunnel, session)[kind]
            bad = avp(HOST_NAME, b"", mandatory, length=length)
            parts = [avp(MESSAGE_TYPE, kind)] + list(avps)
            parts.insert({"first": 0, "second": 1, "last": len(parts)}[place], bad)
            tunnel.send(kind, body=b"".join(parts), sid=sid)
        forget(lac)


@pytest.mark.parametrize("size", [0, 1, 3, 500])
def test_avp_values_of_wrong_size(lac, good, size):
    """Every AVP type with a value of no, too little and too much content, in every message it may come in."""
    for kind in SCCRQ, SCCCN, ICRQ, ICCN, STOPCCN, CDN, WEN, SLI:
        for attribute in range(1, 64):
            tunnel, session = target(lac, kind)
            sid, avps = messages(tunnel, session)[kind]
            rest = [a for a in avps if struct.unpack("!H", a[4:6])[0] != attribute]
            tunnel.send(kind, avp(attribute, bytes(size), False), *rest, sid=sid)
        forget(lac)


# The session or the tunnel ends with result 2 (general error), error 8 (an unknown AVP with the M bit).
UNKNOWN_AVPS = {"ietf": avp(999, b"what?"), "vendor": avp(1, b"what?", vendor=4711),
                "vendor of a known number": avp(ASSIGNED_TUNNEL, b"\0\1", vendor=9)}


@pytest.mark.san
@pytest.mark.parametrize("unknown", UNKNOWN_AVPS)
@pytest.mark.parametrize("kind", [SCCRQ, SCCCN, HELLO, ICRQ, ICCN, WEN, SLI], ids=lambda k: pylac.NAMES[k])
def test_unknown_mandatory_avp(lac, good, kind, unknown):
    """An unknown AVP with the M bit ends the tunnel, or the call it belongs to, with the right code (RFC 2661 4.1)."""
    tunnel, session = target(lac, kind)
    sid, avps = messages(tunnel, session)[kind]
    if kind == SCCCN:
        avps = []
    tunnel.send(kind, *avps, UNKNOWN_AVPS[unknown], sid=sid)
    reply = tunnel.expect(CDN, STOPCCN)
    assert reply.result == (2, 8), reply
    if kind in (SCCRQ, SCCCN, HELLO):
        assert reply.type == STOPCCN
    forget(lac)


@pytest.mark.san
@pytest.mark.parametrize("kind", [SCCRQ, SCCCN, HELLO, ICRQ, ICCN, WEN, SLI], ids=lambda k: pylac.NAMES[k])
def test_unknown_optional_avp(lac, good, kind):
    """Without the M bit it is ignored."""
    tunnel, session = target(lac, kind)
    sid, avps = messages(tunnel, session)[kind]
    if kind == SCCCN:
        avps = []
    tunnel.send(kind, *avps, avp(999, b"what?", False), avp(1, b"what?", False, vendor=4711), sid=sid)
    if kind == SCCRQ:
        tunnel.expect(SCCRP)
    else:
        tunnel.wait_acked()
        if kind == ICRQ:
            assert tunnel.expect(ICRP, CDN).type == ICRP
        tunnel.send(HELLO)
        tunnel.wait_acked()
        assert tunnel.closed is None and (session is None or session.closed is None)
    forget(lac)


@pytest.mark.parametrize("mandatory", [True, False])
@pytest.mark.parametrize("vector", ["none", "empty", "after"])
def test_hidden_without_vector(lac, good, mandatory, vector):
    """A hidden AVP needs a Random Vector before it: refused when mandatory, never misread."""
    tunnel = lac.tunnel()
    hidden = avp(CALLING, os.urandom(18), mandatory, hidden=True)
    late = {"none": [], "empty": [], "after": [avp(RANDOM_VECTOR, os.urandom(16))]}[vector]
    early = [avp(RANDOM_VECTOR, b"")] if vector == "empty" else []
    tunnel.send(ICRQ, *early, avp(ASSIGNED_SESSION, 5), avp(CALL_SERIAL, u32(1)), hidden, *late)
    if mandatory and vector != "empty":
        assert tunnel.expect(CDN, STOPCCN).result[0] == 2
    else:
        tunnel.expect(ICRP, CDN, STOPCCN)
    forget(lac)


def test_hidden_garbage(lac, good):
    """Hidden AVPs of every length, their inner length nonsense."""
    for length in range(0, 70):
        tunnel = lac.tunnel()
        for secret in b"tunnelsecret", b"wrong":
            vector = os.urandom(length % 20)
            tunnel.send(ICRQ, avp(RANDOM_VECTOR, vector), avp(ASSIGNED_SESSION, 5), avp(CALL_SERIAL, u32(1)),
                        pylac.hide(CALLING, bytes(length), secret, vector),
                        avp(CALLED, pylac._cipher(CALLED, b"\xff\xff" + bytes(length), b"tunnelsecret", vector, True),
                            hidden=True))
        forget(lac)


@pytest.mark.san
@pytest.mark.parametrize("number", [0, 5, 13, 17, 999, 65535])
def test_unknown_message_type(site, lac, good, number):
    """With the M bit an unknown message ends the tunnel; without, it is acknowledged and ignored."""
    tunnel = lac.tunnel()
    tunnel.send(number, body=avp(MESSAGE_TYPE, number, mandatory=False))
    tunnel.wait_acked()
    tunnel.session().up("victim").ping(site.network.CORE)
    assert tunnel.closed is None
    tunnel.send(number, body=avp(MESSAGE_TYPE, number))
    assert tunnel.expect(STOPCCN).result[0] == 2
    forget(lac)


def test_first_avp_is_no_message_type(lac, good):
    """A message whose first AVP is not the Message Type."""
    for body in (avp(HOST_NAME, "pylac"), avp(ASSIGNED_SESSION, 1) + avp(MESSAGE_TYPE, ICRQ),
                 avp(MESSAGE_TYPE, b"\1"), avp(MESSAGE_TYPE, b""), avp(MESSAGE_TYPE, b"\0\x0a\0"),
                 avp(MESSAGE_TYPE, ICRQ, vendor=9), avp(MESSAGE_TYPE, bytes(18), hidden=True)):
        tunnel = lac.tunnel()
        tunnel.send(0, body=body)
        lac.pump(0.01)
    forget(lac)


def test_version_three(lac, lns, good):
    """Packets of another version than 2 are discarded and counted (RFC 2661 3.1), and have no effect."""
    tunnel = lac.tunnel()
    before = lns.counters()
    for version in range(16):
        if version == 2:
            continue
        for _ in range(10):
            lac.send(control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr, avp(MESSAGE_TYPE, HELLO),
                             flags=0xC800 | version))
    names = counted(lns, before, 150)
    assert [name for name in names if "version" in name], names
    tunnel.send(HELLO)
    tunnel.wait_acked()
    assert tunnel.closed is None
    forget(lac)


def test_control_headers(lac, good):
    """Control headers with every combination of flags, and lengths that lie."""
    for high in range(0, 0x10000, 0x2000):
        tunnel = lac.tunnel()
        for low in range(0, 0x2000, 0x100):
            lac.send(control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr, avp(MESSAGE_TYPE, HELLO),
                             flags=high | low | 2))
    for length in 0, 1, 11, 12, 13, 19, 21, 1000, 65535:
        tunnel = lac.tunnel()
        packet = control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr, avp(MESSAGE_TYPE, HELLO))
        lac.send(packet[:2] + struct.pack("!H", length) + packet[4:])
    forget(lac)


def test_control_out_of_window(lac, good):
    """Ns far ahead and far behind, and an Nr for what was never sent: nothing is acknowledged that should not be."""
    tunnel = lac.tunnel()
    for ahead in 513, 1000, 0x7FFF, 0x8000, 0xFFFF:
        lac.send(control(tunnel.peer_tid, 0, (tunnel.ns + ahead) & 0xFFFF, tunnel.nr, avp(MESSAGE_TYPE, HELLO)))
        lac.send(control(tunnel.peer_tid, 0, tunnel.ns, (tunnel.nr + ahead) & 0xFFFF, b""))
    assert tunnel.session().reply.type == ICRP
    tunnel.wait_acked()
    assert tunnel.acked == tunnel.ns
    forget(lac)


# ---------------------------------------------------------------------------- PPP

@pytest.fixture
def victim(lac):
    session = lac.tunnel().session().up("victim")
    session.answering = False
    yield session
    forget(lac)


def ppp_garbage():
    """(protocol, packet) with every length that can be wrong."""
    for protocol in LCP, IPCP, PAP, CHAP:
        for code in range(0, 17):
            for claimed in 0, 1, 3, 4, 5, 255, 65535:
                for real in 0, 1, 2, 3, 4, 8:
                    yield protocol, (struct.pack("!BBH", code, 1, claimed) + bytes(range(real)))[:max(real, 4)]
            for size in range(4):
                yield protocol, struct.pack("!BBH", code, 1, 4)[:size]
    for protocol in LCP, IPCP:
        for code in CONF_REQ, CONF_ACK, CONF_NAK, CONF_REJ:
            for kind in list(range(24)) + [129, 130, 131, 132, 255]:
                for length in 0, 1, 2, 3, 5, 6, 255:
                    for body in b"", b"\0", b"\xff\xff\xff\xff", bytes(40):
                        data = option(kind, body, length=length)
                        yield protocol, struct.pack("!BBH", code, 1, 4 + len(data)) + data
    for user in 0, 1, 255:
        for password in 0, 1, 255:
            for body in b"", b"a", b"a" * 255:
                data = bytes([user]) + body + bytes([password]) + body
                yield PAP, struct.pack("!BBH", 1, 1, 4 + len(data)) + data
    for size in 0, 1, 15, 16, 17, 255:
        for body in b"", b"a" * 16, b"a" * 300:
            data = bytes([size]) + body
            for code in 1, 2, 3, 4:
                yield CHAP, struct.pack("!BBH", code, 1, 4 + len(data)) + data


@pytest.mark.san
def test_ppp_lengths_when_open(victim, lac, good):
    """PPP packets and options of length 0, 1, 255 and more than there is, in an open session."""
    for n, (protocol, packet) in enumerate(ppp_garbage()):
        victim.send_frame(protocol, packet)
        if n % 50 == 0:
            lac.drain()


@pytest.mark.san
@pytest.mark.parametrize("stage", ["nothing", "lcp"])
def test_ppp_lengths_before_login(lac, good, stage):
    """The same before LCP is open, and before the login; sessions that end over it are replaced."""
    tunnel = lac.tunnel()
    session = None
    for n, (protocol, packet) in enumerate(ppp_garbage()):
        if n % 200 == 0 or session.gone:
            session = tunnel.session()
            if stage == "lcp":
                session.lcp_up()
            session.answering = False
        session.send_frame(protocol, packet)
        if n % 50 == 0:
            lac.drain()
    forget(lac)


def test_ppp_malformed_request_has_no_effect(site, victim, lac, good):
    """A Configure-Request whose options do not fit is discarded: the open session stays open (RFC 1661 5)."""
    for protocol in LCP, IPCP:
        for length in 0, 1, 255:
            data = option(1 if protocol == LCP else 3, b"\0\0\0\0", length=length)
            victim.send_frame(protocol, struct.pack("!BBH", CONF_REQ, 1, 4 + len(data)) + data)
    victim.ping(site.network.CORE)


def test_ppp_frames_of_every_size(victim, lac, good):
    """Frames of 0..60 and up to 9,000 bytes, all protocols' first byte."""
    for size in list(range(60)) + [1499, 1500, 1501, 4000, 9000]:
        for first in b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0\x21", b"\x21", b"\x00", b"\x00\x21", b"\xc0\x21", b"\x80\x21":
            frame = (first + bytes(size))[:size]
            lac.send(victim.header(len(frame)) + frame)
    lac.drain()


def test_protocol_reject_of_everything(victim, lac, good):
    """Protocol-Rejects of protocols that matter, Code-Rejects, Terminate-Acks out of place."""
    for protocol in range(0x0001, 0xFFFF, 0x111):
        victim.send_cp(LCP, PROTO_REJ, struct.pack("!H", protocol) + bytes(10))
    for code in range(256):
        victim.send_cp(LCP, 7, bytes([code, 1, 0, 4]))
        victim.send_cp(IPCP, 7, bytes([code, 1, 0, 4]))
    lac.drain()


def test_echo_flood(victim, lac, good):
    """5,000 Echo-Requests with the largest content: answered or not, nothing piles up."""
    for _ in range(5000):
        victim.send_cp(LCP, ECHO_REQ, victim.magic + bytes(1400))
        lac.drain()


def test_login_guessing(lac, good, lns):
    """A thousand PAP requests in one session, most wrong, do not grow anything."""
    session = lac.tunnel().session().lcp_up()
    session.answering = False
    session.user = "victim"
    for n in range(1000):
        session.password = "guess%d" % n
        session.pap_request()
        lac.drain()
    forget(lac)


# ---------------------------------------------------------------------------- data

@pytest.mark.san
def test_spoofed_source(site, lac, lns, good):
    """Packets with a source that is not the session's do not get out, and are counted."""
    session = lac.tunnel().session().up("victim")
    others = [good.session.address, "10.2.0.9", "0.0.0.0", "255.255.255.255", "127.0.0.1", "10.9.255.1", "224.0.0.1",
              site.network.LNS, site.network.CORE, "10.9.0.250"]
    sniffer = site.network.core.sniff("lns")
    before = lns.counters()
    for source in others:
        for _ in range(3):
            session.send_ip(packets.echo(source, site.network.CORE, 0x1234))
    session.ping(site.network.CORE)
    leaked = [p.src for p in map(packets.Ip, sniffer.packets()) if p.proto == packets.ICMP and p.icmp_ident == 0x1234]
    sniffer.close()
    assert leaked == []
    names = counted(lns, before, 3 * len(others))
    assert [name for name in names if "spoof" in name or "source" in name], names
    forget(lac)


def test_bad_ip_packets(site, lac, lns, good):
    """IP packets with wrong version, header length, total length, checksum, of 0..19 bytes: none reaches the core."""
    session = lac.tunnel().session().up("victim")
    right = packets.echo(session.address, site.network.CORE, 0x1234, data=bytes(16))
    sniffer = site.network.core.sniff("lns")
    bad = [right[:n] for n in range(20)]
    bad += [bytes([version << 4 | 5]) + right[1:] for version in range(16) if version != 4]
    bad += [bytes([0x40 | words]) + right[1:] for words in range(5)]
    bad += [right[:2] + struct.pack("!H", n) + right[4:] for n in (0, 19, len(right) + 1, 65535)]
    for packet in bad:
        session.send_ip(packet)
    session.ping(site.network.CORE)
    leaked = [p for p in map(packets.Ip, sniffer.packets())
              if p.proto == packets.ICMP and getattr(p, "icmp_ident", None) == 0x1234]
    sniffer.close()
    assert leaked == []
    forget(lac)


def test_bad_tcp_options(site, lac, good):
    """SYNs with options of length 0, 1, and beyond the header meet the MSS clamp; so do fragments and short ones."""
    session = lac.tunnel().session().up("victim")
    for kind in 0, 1, 2, 3, 8, 255:
        for length in 0, 1, 2, 3, 4, 40, 255:
            for size in 0, 4, 8, 40:
                options = (bytes([kind, length, 5, 0xB4]) + bytes(40))[:size]
                session.send_ip(packets.tcp(session.address, site.network.CORE, 1, 9, 2, options=options))
    right = packets.tcp(session.address, site.network.CORE, 1, 9, 2, options=b"\2\4\5\xb4")
    for cut in range(20, len(right)):
        session.send_ip(right[:2] + struct.pack("!H", cut) + right[4:cut])
        session.send_ip(packets.ipv4(session.address, site.network.CORE, packets.TCP, right[20:cut]))
    for words in range(16):
        body = right[20:32] + bytes([words << 4]) + right[33:]
        session.send_ip(packets.ipv4(session.address, site.network.CORE, packets.TCP, body))
    session.send_ip(packets.ipv4(session.address, site.network.CORE, packets.TCP, right[20:], offset=8))
    session.ping(site.network.CORE)
    forget(lac)


@pytest.mark.san
def test_data_for_unknown_sessions(lac, lns, good):
    """Data for tunnels and sessions that do not exist is counted and dropped."""
    tunnel = lac.tunnel()
    before = lns.counters()
    random_ids = random.Random(4)
    for _ in range(500):
        sid = random_ids.randrange(1, 65536)
        lac.send(struct.pack("!HHH", 2, tunnel.peer_tid, sid) + b"\xff\x03\xc0\x21" + bytes(8))
    counted(lns, before, 500)
    before = lns.counters()
    taken = {tunnel.peer_tid, good.session.tunnel.peer_tid}
    for _ in range(700):
        tid = random_ids.choice(list(set(range(1, 65536)) - taken))
        lac.send(struct.pack("!HHH", 2, tid, 1) + b"\xff\x03\xc0\x21" + bytes(8))
    counted(lns, before, 700)
    forget(lac)


def test_data_headers(victim, lac, good):
    """Data headers with every combination of flags, cut at every length; offsets beyond the end."""
    frame = b"\xff\x03\xc0\x21\x09\x01\0\x08\0\0\0\0"
    for bits in range(0, 0x8000, 0x100):
        head = struct.pack("!H", bits | 2)
        if bits & 0x4000:
            head += struct.pack("!H", 40)
        head += struct.pack("!HH", victim.tunnel.peer_tid, victim.peer_sid)
        if bits & 0x800:
            head += struct.pack("!HH", 5, 0)
        if bits & 0x200:
            head += struct.pack("!H", 3)
        packet = head + frame + bytes(30)
        for cut in range(len(packet)):
            lac.send(packet[:cut])
    for offset in 0, 1, 12, 100, 0x7FFF, 0xFFFF:
        lac.send(struct.pack("!HHHH", 0x202, victim.tunnel.peer_tid, victim.peer_sid, offset) + frame)
    for length in 0, 1, 7, 8, 9, 60, 0xFFFF:
        lac.send(struct.pack("!HHHH", 0x4002, length, victim.tunnel.peer_tid, victim.peer_sid) + frame)
    lac.drain()


# ---------------------------------------------------------------------------- floods

def test_sccrq_flood(plant):
    """10,000 SCCRQs from one address: half-open tunnels stay below a quarter of max_tunnels, the log short."""
    network = plant.network
    daemon = plant.lns({"debug": 1, "max_tunnels": 400, "peer_address": "10.9.255.1"}, local_users=USERS)
    good = Good(network, daemon)
    flood = Lac(network)
    daemon.cli  # the connection is there before
    tunnel = pylac.Tunnel(flood)

    def send(count):
        for n in range(count):
            flood.send(control(0, 0, 0, 0, avp(MESSAGE_TYPE, SCCRQ) + b"".join(
                avp(kind, value) for kind, value in (
                    (pylac.PROTOCOL_VERSION, b"\1\0"), (pylac.FRAMING_CAP, u32(3)), (HOST_NAME, "flood"),
                    (ASSIGNED_TUNNEL, n % 65535 + 1)))))
            if n % 20 == 0:
                flood.drain()
                flood.strays.clear()

    del flood.tunnels[tunnel.tid]
    send(1000)
    before, lines = daemon.memory(), len(daemon.process.lines)
    send(10000)
    good.session.ping(network.CORE, timeout=20)
    half_open = [t for t in daemon.tunnels() if t["Hostname"] == "flood"]
    assert len(half_open) <= 100, "%d half-open tunnels" % len(half_open)
    good.served()
    assert daemon.memory() - before < 4 * MEGABYTE
    assert len(daemon.process.lines) - lines < 500, "the log has grown by %d lines" % (len(daemon.process.lines) - lines)
    flood.close()
    daemon.stop()


def junk(seed, good):
    """Endless packets: noise, noise behind a right header, right messages with a few bits changed."""
    source = random.Random(seed)
    tids = [0, 1, 2, source.randrange(65536), 65535]
    bodies = [avp(MESSAGE_TYPE, kind) + b"".join(good.session.tunnel.icrq(1)) for kind in range(1, 17)]
    while True:
        kind = source.randrange(3)
        if kind == 0:
            yield source.randbytes(source.randrange(200))
        elif kind == 1:
            flags = source.choice([0xC802, 0x0002, 0x4802, 0x0202, 0xC803, 0x8002])
            yield struct.pack("!HHHHHH", flags, source.randrange(100), source.choice(tids), source.randrange(3), 0,
                              0) + source.randbytes(source.randrange(80))
        else:
            packet = bytearray(control(source.choice(tids), 0, source.randrange(4), source.randrange(4),
                                       source.choice(bodies)))
            for _ in range(source.randrange(6)):
                packet[source.randrange(len(packet))] = source.randrange(256)
            yield bytes(packet)


def pour(site, lns, good, lac, seconds):
    packets_of = junk(7, good)
    for _ in range(2000):  # what is touched once
        lac.send(next(packets_of))
    good.session.ping(site.network.CORE, timeout=20)
    before, lines = lns.memory(), len(lns.process.lines)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        for _ in range(100):
            lac.send(next(packets_of))
            count += 1
        lac.drain()
        lac.strays.clear()
    good.served()
    assert count > 1000
    assert lns.memory() - before < 8 * MEGABYTE
    assert len(lns.process.lines) - lines < 200 + 50 * seconds


def test_junk(site, lns, good, lac):
    """A minute of junk on port 1701."""
    pour(site, lns, good, lac, 60)


def test_junk_in_own_tunnel(site, lns, good, lac):
    """Noise as AVPs and as frames, in a tunnel and sessions that exist."""
    source = random.Random(11)
    for _ in range(150):
        tunnel = lac.tunnel()
        session = tunnel.session()
        session.answering = False
        for _ in range(20):
            frame = source.choice([b"", b"\xff\x03\xc0\x21", b"\xff\x03\x80\x21", b"\xff\x03\xc0\x23", b"\xff\x03\x00\x21"])
            frame += source.randbytes(source.randrange(60))
            lac.send(session.header(len(frame)) + frame)
        body = avp(MESSAGE_TYPE, source.choice(KINDS)) + source.randbytes(source.randrange(60))
        tunnel.send(0, body=body, sid=source.choice([0, session.peer_sid]))
        lac.drain()
        forget(lac)


# ---------------------------------------------------------------------------- peers that take and do not give

def test_peer_that_never_acknowledges(plant):
    """A LAC that makes us answer and acknowledges nothing has to wait; the others do not notice."""
    daemon = plant.lns({"max_sessions": 100, "debug": 1}, local_users={"joe": "secret"})
    lac = Lac(plant.network)
    tunnel = lac.tunnel(window=1)
    calls = [avp(MESSAGE_TYPE, ICRQ) + b"".join(tunnel.icrq(5)),
             avp(MESSAGE_TYPE, CDN) + avp(RESULT_CODE, 1) + avp(ASSIGNED_SESSION, 5)]
    sent = 0
    for _ in range(40):  # more than enough for all that would be queued
        for _ in range(200):
            lac.send(control(tunnel.peer_tid, 0, (tunnel.ns + sent) & 0xFFFF, tunnel.nr, calls[sent % 2]))
            sent += 1
        daemon.counters()
    wait_for(lambda: daemon.counters()["control_held_back"], "a message held back")
    queued = int(daemon.tunnel_details(daemon.tunnels()[0]["TID"])["Queue Len"])
    assert 900 < queued < 1200, queued
    assert daemon.counters()["control_queue_full"] == 0
    Lac(plant.network).tunnel().session().up("joe").ping(plant.network.CORE)


def test_early_messages_of_many_half_open_tunnels(plant):
    """Messages ahead of their turn take no memory that our own messages need."""
    daemon = plant.lns({"l2tp_secret": "s", "require_tunnel_auth": True, "debug": 1}, local_users={"joe": "secret"})
    lac = Lac(plant.network)
    tunnels = [lac.tunnel(start=False) for _ in range(515)]
    body = avp(MESSAGE_TYPE, ICRQ) + avp(CALLED, "1" * 200)
    for tunnel in tunnels:
        tunnel.send(SCCRQ, *tunnel.sccrq())
    for tunnel in tunnels:
        tunnel.expect(SCCRP)
        for ahead in range(1, 65):
            lac.send(control(tunnel.peer_tid, 0, tunnel.ns + ahead, tunnel.nr, body))
        lac.drain()
    assert daemon.counters()["control_reordered"] == 4 * len(tunnels)
    Lac(plant.network).tunnel(secret="s", challenge=True).session().up("joe").ping(plant.network.CORE)


def test_refused_tunnels_do_not_flood_the_log(plant):
    daemon = plant.lns({"debug": 2})
    lac = Lac(plant.network)
    before = len(daemon.process.lines)
    for number in range(1000):
        lac.send(control(0, 0, 0, 0, avp(MESSAGE_TYPE, SCCRQ) + avp(pylac.PROTOCOL_VERSION, b"\2\0") +
                         avp(pylac.FRAMING_CAP, u32(3)) + avp(HOST_NAME, "x") +
                         avp(ASSIGNED_TUNNEL, number + 1)))
    wait_for(lambda: daemon.counters()["tunnel_refused"] == 1000, "the last refusal")
    assert len(daemon.process.lines) - before < 100


@pytest.mark.san
def test_moving_peer(plant):
    """A peer whose port changes with each packet is followed, and its sessions with it."""
    daemon = plant.lns({"debug": 1}, local_users={"joe": "secret"})
    lac, other = Lac(plant.network), Lac(plant.network)
    tunnel = lac.tunnel()
    session = tunnel.session().up("joe")
    for number in range(60):
        (lac, other)[number % 2].send(control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr,
                                              avp(MESSAGE_TYPE, HELLO)))
        tunnel.ns += 1
    wait_for(lambda: daemon.tunnel_details(daemon.tunnels()[0]["TID"])["Next Recv"] == str(tunnel.ns), "the last")
    assert daemon.counters()["tunnel_moved"] == 59
    session.lac = session.tunnel.lac = other
    other.tunnels[tunnel.tid] = tunnel
    session.ping(plant.network.CORE)
