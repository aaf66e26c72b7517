"""L2TP as RFC 2661 has it, seen from a LAC of ours that does what real ones seldom do."""

import hashlib
import os
import socket
import struct
import time

import pytest

import packets
import pylac
from netns import wait_for
from pylac import (ACCM, ASSIGNED_SESSION, ASSIGNED_TUNNEL, BEARER_CAP, CALL_ERRORS, CALL_SERIAL, CALLED, CALLING, CDN,
                   CHALLENGE, CONF_REQ, CSUN, FRAMING_CAP, HELLO, HOST_NAME, ICCN, ICRP, ICRQ, IPCP, LCP, MAX_BPS,
                   MIN_BPS, OCRQ, PAP, PROTOCOL_VERSION, RANDOM_VECTOR, RESPONSE, RESULT_CODE, SCCCN, SCCRP, SCCRQ,
                   SEQUENCING_REQUIRED, SLI, SPEED_UPDATE, STOPCCN, TIE_BREAKER, WEN, WINDOW, Lac, avp, option, u32)

SECRET = "tunnelsecret"
OTHER = "10.1.0.4"  # another address at the LAC's side
USERS = {"joe": "secret", "ann": "secret2"}
USERS.update({"user%d" % n: "secret" for n in range(16)})


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"l2tp_secret": SECRET, "peer_address": "10.9.255.1", "hello_interval": 60},
                               local_users=USERS,
                               extra=["lac %s/32 secret carrier max-sessions 2" % OTHER])
    module.network.lac.ip("addr add %s/16 dev br0" % OTHER)
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def new_lac(site, lns):
    """Makes LACs; their tunnels are ended after the test."""
    made = []

    def make(**kwargs):
        made.append(Lac(site.network, **kwargs))
        return made[-1]

    yield make
    for lac in made:
        for tunnel in list(lac.tunnels.values()):
            if tunnel.peer_tid and not tunnel.closed:
                tunnel.acking = True
                tunnel.send(STOPCCN, avp(ASSIGNED_TUNNEL, tunnel.tid), avp(RESULT_CODE, 1))
        for tunnel in list(lac.tunnels.values()):
            if tunnel.peer_tid and not tunnel.closed:
                try:
                    tunnel.wait_acked(3)
                except AssertionError:
                    pass  # a test that failed half way
        lac.close()


@pytest.fixture
def lac(new_lac):
    return new_lac()


def difference(lns, before):
    """The counters that have grown since."""
    return {name: value - before.get(name, 0) for name, value in lns.counters().items() if value != before.get(name)}


# ---------------------------------------------------------------------------- tunnel set-up

@pytest.mark.san
def test_sccrp_contents(lac):
    """SCCRP carries what RFC 2661 6.2 demands, and our window."""
    reply = lac.tunnel().reply
    assert reply.get(PROTOCOL_VERSION) == b"\1\0"
    assert reply.get(FRAMING_CAP) is not None
    assert reply.get(HOST_NAME) == b"lns1"
    assert reply.number(ASSIGNED_TUNNEL) != 0
    assert reply.number(WINDOW) == 512
    assert reply.get(CHALLENGE) is None, "no challenge without require_tunnel_auth"


@pytest.mark.san
def test_lac_challenges(lac):
    """Our Challenge Response is right (pylac checks it)."""
    lac.tunnel(secret=SECRET, challenge=True)


def test_secret_per_lac(new_lac):
    """`lac NETWORK secret S`: that carrier has its own secret."""
    new_lac(address=OTHER).tunnel(secret="carrier", challenge=True)


def test_session_limit_per_lac(site, new_lac):
    """`lac NETWORK ... max-sessions N`: the next call is refused with CDN."""
    tunnel = new_lac(address=OTHER).tunnel()
    assert tunnel.session().reply.type == ICRP
    assert tunnel.session().reply.type == ICRP
    third = tunnel.session()
    assert third.reply.type == CDN
    assert third.reply.result[0] in (2, 4, 5), "no facilities"
    tunnel.sessions[1].hangup()
    assert tunnel.session().reply.type == ICRP


@pytest.fixture
def required(lns):
    lns.set("set require_tunnel_auth yes")
    yield lns
    lns.set("set require_tunnel_auth no")


def test_we_challenge(required, lac):
    tunnel = lac.tunnel(secret=SECRET)
    assert tunnel.reply.get(CHALLENGE)
    tunnel.session().up()


@pytest.mark.parametrize("response", ["wrong", "short", "none"])
def test_wrong_response(required, lac, response):
    """Without the right Challenge Response: StopCCN, result 4 (not authorized)."""
    tunnel = lac.tunnel(start=False)
    tunnel.send(SCCRQ, *tunnel.sccrq())
    tunnel.expect(SCCRP)
    tunnel.send(SCCCN, *{"wrong": [avp(RESPONSE, os.urandom(16))], "short": [avp(RESPONSE, b"abc")],
                         "none": []}[response])
    assert tunnel.expect(STOPCCN).result[0] == 4


@pytest.mark.san
def test_parallel_sccrqs(site, lac):
    """SCCRQs at once from one address and port, with different tunnel ids, are as many tunnels."""
    tunnels = [lac.tunnel(start=False) for _ in range(6)]
    for tunnel in tunnels:
        tunnel.send(SCCRQ, *tunnel.sccrq())
    for tunnel in tunnels:
        tunnel.reply = tunnel.expect(SCCRP)
    assert len({t.peer_tid for t in tunnels}) == 6
    for tunnel in tunnels:
        tunnel.connect()
    sessions = [tunnel.session().up("user%d" % n) for n, tunnel in enumerate(tunnels)]
    assert len({s.address for s in sessions}) == 6
    for session in sessions:
        session.ping(site.network.CORE)


def test_duplicate_sccrq(lns, lac):
    """A repeated SCCRQ is a duplicate: one tunnel, one Assigned Tunnel ID, however often it comes."""
    tunnel = lac.tunnel(start=False, host="duplicate")
    packet = tunnel.send(SCCRQ, *tunnel.sccrq())
    for _ in range(4):
        lac.send(packet)
    tunnel.reply = tunnel.expect(SCCRP)
    lac.send(packet)
    tunnel.connect()
    lac.send(packet)
    tunnel.session()  # goes and comes after the last repetition
    assert {m.number(ASSIGNED_TUNNEL) for m in tunnel.history if m.type == SCCRP} == {tunnel.peer_tid}
    assert len([t for t in lns.tunnels() if t["Hostname"] == "duplicate"]) == 1


def test_same_tunnel_id_from_two_ports(site, new_lac):
    """The same Assigned Tunnel ID from another port is another tunnel."""
    one, two = [new_lac().tunnel(tid=4711) for _ in range(2)]
    assert one.peer_tid != two.peer_tid
    one.session().up("user1").ping(site.network.CORE)
    two.session().up("user2").ping(site.network.CORE)


def test_tie_breaker(site, lac):
    """We never open a tunnel to a LAC, so a tie breaker ties with nothing."""
    tunnel = lac.tunnel(start=False)
    tunnel.open(avp(TIE_BREAKER, os.urandom(8), mandatory=False))
    tunnel.session().up().ping(site.network.CORE)


@pytest.mark.parametrize("change, result", [
    ({PROTOCOL_VERSION: b"\2\0"}, (5,)),
    ({PROTOCOL_VERSION: None}, (2, 5)),
    ({ASSIGNED_TUNNEL: 0}, (2,)),
    ({FRAMING_CAP: None}, (2,)),
    ({HOST_NAME: None}, (2,)),
    ({WINDOW: 0}, (2, None)),
])
def test_sccrq_refused(lac, change, result):
    """An SCCRQ that lacks what it must have is answered by StopCCN with a fitting result code (RFC 2661 4.4.2)."""
    tunnel = lac.tunnel(start=False)
    fields = {PROTOCOL_VERSION: b"\1\0", FRAMING_CAP: u32(3), HOST_NAME: "pylac", ASSIGNED_TUNNEL: tunnel.tid,
              WINDOW: 4}
    fields.update(change)
    tunnel.send(SCCRQ, *[avp(kind, value) for kind, value in fields.items() if value is not None])
    if fields[ASSIGNED_TUNNEL] == 0:  # it can only be addressed to tunnel 0
        tunnel.tid = 0
        lac.tunnels[0] = tunnel
    if None in result:  # it may as well be borne with
        reply = tunnel.expect(STOPCCN, SCCRP)
        assert reply.type == SCCRP or reply.result[0] in result
    else:
        reply = tunnel.expect(STOPCCN)
        assert reply.result[0] in result
        assert reply.result[0] != 5 or reply.result[1] == 0x0100, "the highest version we speak is missing"


def test_ids_unpredictable(lac):
    """Tunnel and session ids on the wire follow no sequence."""
    tunnels = [lac.tunnel() for _ in range(12)]
    sessions = [tunnels[0].session() for _ in range(12)]
    for ids in [t.peer_tid for t in tunnels], [s.peer_sid for s in sessions]:
        assert len(set(ids)) == len(ids) and 0 not in ids
        steps = {(b - a) & 0xFFFF for a, b in zip(ids, ids[1:])}
        assert len(steps) > 8, ids
        assert max(ids) > 4096, ids


def test_v3_avps_in_sccrq(site, lac):
    """An SCCRQ of version 2 with L2TPv3 AVPs, not mandatory, is a version 2 one."""
    tunnel = lac.tunnel(start=False)
    tunnel.open(avp(60, u32(0x01020304), mandatory=False), avp(61, u32(7), mandatory=False),
                avp(62, struct.pack("!HH", 4, 5), mandatory=False))
    tunnel.session().up().ping(site.network.CORE)


# ---------------------------------------------------------------------------- reliable delivery

@pytest.mark.san
@pytest.mark.parametrize("window", [4, 1])
def test_small_window_never_stalls(lac, window):
    """A LAC with a small window that acknowledges nothing still has its own messages acknowledged.

    Our replies wait for the window; our acknowledgements do not wait for our replies.
    """
    tunnel = lac.tunnel(window=window)
    tunnel.acking = False
    sids = range(1, 21)
    for sid in sids:
        tunnel.send(ICRQ, *tunnel.icrq(sid))
    tunnel.wait_acked()
    outstanding = {m.ns for m in tunnel.history if m.avps and (m.ns - tunnel.nr) & 0xFFFF < 0x8000}
    outstanding |= {m.ns for m in tunnel.inbox}
    assert len(outstanding) <= window, "our window of %d is not kept: %s" % (window, outstanding)
    tunnel.acking = True
    tunnel.zlb()
    replies = [tunnel.expect(ICRP, sid=sid) for sid in sids]
    assert len({r.number(ASSIGNED_SESSION) for r in replies}) == 20


def test_no_window_avp_means_four(lac):
    """Without a Receive Window Size AVP the window is 4 (RFC 2661 4.4.3)."""
    tunnel = lac.tunnel(start=False)
    tunnel.send(SCCRQ, *[a for a in tunnel.sccrq() if a != avp(WINDOW, tunnel.window)])
    tunnel.reply = tunnel.expect(SCCRP)
    tunnel.connect()
    tunnel.acking = False
    for sid in range(1, 13):
        tunnel.send(ICRQ, *tunnel.icrq(sid))
    tunnel.wait_acked()
    assert len({m.ns for m in tunnel.history if m.type == ICRP}) <= 4
    tunnel.acking = True
    tunnel.zlb()
    for sid in range(1, 13):
        tunnel.expect(ICRP, sid=sid)


def test_lost_acknowledgement(lns, lac):
    """A message of ours repeated (its acknowledgement was lost) is acknowledged again and has no second effect."""
    tunnel = lac.tunnel()
    before = len(lns.sessions())
    packet = tunnel.send(ICRQ, *tunnel.icrq(7))
    tunnel.expect(ICRP, sid=7)
    count = len(tunnel.history)
    lac.send(packet)
    lac.wait(lambda: len(tunnel.history) > count, "the acknowledgement of a duplicate")
    tunnel.send(HELLO)
    tunnel.wait_acked()
    assert len({m.number(ASSIGNED_SESSION) for m in tunnel.history if m.type == ICRP}) == 1
    assert len(lns.sessions()) <= before + 1


def test_unacknowledged_is_repeated(lac):
    """What the LAC does not acknowledge is sent again, the same, until it does."""
    tunnel = lac.tunnel()
    tunnel.acking = False
    tunnel.send(ICRQ, *tunnel.icrq(1))
    lac.wait(lambda: len([m for m in tunnel.history if m.type == ICRP]) >= 3, "two repetitions", 15)
    replies = [m for m in tunnel.history if m.type == ICRP]
    assert len({m.ns for m in replies}) == 1
    assert len({m.raw[12:] for m in replies}) == 1
    tunnel.acking = True
    tunnel.zlb()
    sequence = [m.ns for m in tunnel.history if m.type == ICRP][-1]
    tunnel.send(ICRQ, *tunnel.icrq(2))
    assert tunnel.expect(ICRP, sid=2).ns == (sequence + 1) & 0xFFFF


@pytest.mark.san
def test_out_of_order(lac):
    """Control messages in the wrong order are each answered once; gaps are not acknowledged."""
    tunnel = lac.tunnel()
    first = tunnel.ns
    order = [3, 1, 0, 2]
    bodies = [avp(pylac.MESSAGE_TYPE, ICRQ) + b"".join(tunnel.icrq(10 + n)) for n in range(4)]
    out = [pylac.control(tunnel.peer_tid, 0, first + n, tunnel.nr, bodies[n]) for n in range(4)]
    tunnel.unacked = [[first + n, out[n], time.monotonic()] for n in range(4)]
    tunnel.ns = first + 4
    for n in order:
        lac.send(out[n])
    for n in range(4):
        tunnel.expect(ICRP, sid=10 + n)
    tunnel.wait_acked()
    assert len({(m.ns, m.sid) for m in tunnel.history if m.type == ICRP}) == 4, tunnel.history
    assert all(m.nr in range(first + 5) for m in tunnel.history)


def test_ack_never_beyond_what_came(lac):
    """A message ahead of a gap does not move our Nr."""
    tunnel = lac.tunnel()
    here = tunnel.ns
    lac.send(pylac.control(tunnel.peer_tid, 0, here + 2, tunnel.nr, avp(pylac.MESSAGE_TYPE, HELLO)))
    tunnel.send(HELLO)
    tunnel.wait_acked()
    tunnel.send(HELLO)
    tunnel.wait_acked()
    # Now the early one may count (if it was kept), or is to be sent again: both are right.
    assert tunnel.history[-1].nr in (here + 2, here + 3)


def test_acknowledgement_carries_next_ns(lac):
    """The Ns of a ZLB is that of the next message to be sent, also when requests come in one burst (RFC 2661 5.8)."""
    for _ in range(10):
        tunnel = lac.tunnel(start=False)
        tunnel.send(SCCRQ, *tunnel.sccrq())
        tunnel.reply = tunnel.expect(SCCRP)
        tunnel.send(SCCCN)
        for sid in 1, 2, 3:
            tunnel.send(ICRQ, *tunnel.icrq(sid))
        for sid in 1, 2, 3:
            tunnel.expect(ICRP, sid=sid)
        tunnel.wait_acked()
        assert [1 for ns, expected in tunnel.zlbs if ns != expected] == [], (tunnel.zlbs, tunnel.history)


def test_sequence_numbers_wrap(lac):
    """66,000 HELLOs: Ns and Nr go round."""
    tunnel = lac.tunnel()
    hello = avp(pylac.MESSAGE_TYPE, HELLO)
    for _ in range(66000 // 100):
        for _ in range(100):
            tunnel.send(HELLO, body=hello)
        tunnel.wait_acked()
    assert tunnel.session().reply.type == ICRP


# ---------------------------------------------------------------------------- calls

@pytest.mark.san
def test_eight_sessions_in_a_tunnel(site, lns, lac):
    tunnel = lac.tunnel()
    sessions = [tunnel.session().up("user%d" % n) for n in range(8)]
    assert len({s.address for s in sessions}) == 8
    for session in sessions:
        session.ping(site.network.CORE)
    listed = [t for t in lns.tunnels() if t["Sessions"] == "8"]
    assert len(listed) == 1, lns.tunnels()


@pytest.mark.san
def test_frames_race_iccn(lac):
    """A Configure-Request sent right after ICCN, before its acknowledgement, is answered."""
    tunnel = lac.tunnel()
    for _ in range(20):
        session = tunnel.session(start=False)
        tunnel.send(ICCN, *tunnel.iccn(), sid=session.peer_sid)
        session.lcp_request()
        lac.wait(lambda: session.lcp_sent, "the Configure-Ack")
    session.up("user1")


def test_frames_overtake_iccn(lac):
    """The same when the frame is faster than ICCN on the way."""
    tunnel = lac.tunnel()
    for _ in range(20):
        session = tunnel.session(start=False)
        session.lcp_request()
        tunnel.send(ICCN, *tunnel.iccn(), sid=session.peer_sid)
        lac.wait(lambda: session.lcp_sent, "the Configure-Ack")
    session.up("user1")


def test_frames_before_lost_iccn(lac):
    """ICCN is lost and comes a second later; what PPP sent meanwhile is not lost with it."""
    tunnel = lac.tunnel()
    session = tunnel.session(start=False)
    tunnel.unacked.append([tunnel.ns, pylac.control(
        tunnel.peer_tid, session.peer_sid, tunnel.ns, tunnel.nr,
        avp(pylac.MESSAGE_TYPE, ICCN) + b"".join(tunnel.iccn())), time.monotonic()])
    tunnel.ns += 1
    session.lcp_request()
    lac.wait(lambda: session.lcp_sent, "the Configure-Ack")
    session.up("user1")


def test_cdn_from_lac(lns, lac):
    """CDN ends the call, the tunnel stays; the address is free again."""
    tunnel = lac.tunnel()
    used = lns.pool()[1]["Used"]
    session = tunnel.session().up("ann", "secret2")
    assert lns.pool()[1]["Used"] == used + 1
    session.hangup()
    lns.wait_gone("ann")
    assert lns.pool()[1]["Used"] == used
    assert tunnel.session().up("ann", "secret2").address == session.address


def test_stopccn_from_lac(lns, lac):
    """StopCCN ends the tunnel and its calls; a repeated one is acknowledged for a full cycle (RFC 2661 5.7)."""
    tunnel = lac.tunnel(host="stopper")
    tunnel.session().up("ann", "secret2")
    packet = tunnel.send(STOPCCN, avp(ASSIGNED_TUNNEL, tunnel.tid), avp(RESULT_CODE, 1))
    tunnel.wait_acked()
    lns.wait_gone("ann")
    count = len(tunnel.history)
    lac.send(packet)
    lac.wait(lambda: len(tunnel.history) > count, "the acknowledgement of the repeated StopCCN")
    assert tunnel.history[-1].nr == tunnel.ns
    wait_for(lambda: not [t for t in lns.tunnels() if t["Hostname"] == "stopper" and t["State"] == "Open"], "its end")
    tunnel.closed = True


@pytest.mark.parametrize("drop", ["session", "tunnel"])
def test_cdn_from_us(lns, lac, drop):
    """`drop session`: CDN with result 3 (administrative). `drop tunnel`: a CDN for each session, then StopCCN."""
    tunnel = lac.tunnel(host="dropped")
    one, two = tunnel.session().up("user1"), tunnel.session().up("user2")
    listed = lns.wait_session("user1")
    if drop == "session":
        lns.run("drop session " + listed["SID"])
        cdn = tunnel.expect(CDN)
        assert cdn.sid == one.sid and cdn.number(ASSIGNED_SESSION) == one.peer_sid
        assert cdn.result[0] == 3
        assert two.closed is None
    else:
        lns.run("drop tunnel " + listed["TID"])
        stop = tunnel.expect(STOPCCN)
        assert stop.number(ASSIGNED_TUNNEL) == tunnel.peer_tid
        assert stop.result[0] in (1, 6)
        assert one.closed and two.closed
        kinds = [m.type for m in tunnel.history if m.type in (CDN, STOPCCN)]
        assert kinds.index(STOPCCN) > len([k for k in kinds if k == CDN]) - 1, kinds


def test_icrq_without_session_id(lac):
    """An ICRQ without Assigned Session ID is refused with a general error."""
    tunnel = lac.tunnel()
    tunnel.send(ICRQ, avp(CALL_SERIAL, u32(1)))
    reply = tunnel.expect(CDN, STOPCCN)
    assert reply.result[0] == 2, reply


def test_ocrq_refused(site, lac):
    """We place no outgoing calls: CDN, and the tunnel goes on."""
    tunnel = lac.tunnel()
    tunnel.send(OCRQ, avp(ASSIGNED_SESSION, 77), avp(CALL_SERIAL, u32(1)), avp(MIN_BPS, u32(9600)),
                avp(MAX_BPS, u32(64000)), avp(pylac.BEARER_TYPE, u32(1)), avp(pylac.FRAMING_TYPE, u32(1)),
                avp(CALLED, "123"))
    cdn = tunnel.expect(CDN)
    assert cdn.sid == 77
    assert cdn.result[0] in (2, 4, 5), cdn
    tunnel.session().up().ping(site.network.CORE)


def test_wen_and_sli(site, lac):
    """WAN-Error-Notify and Set-Link-Info are acknowledged and harm nothing."""
    tunnel = lac.tunnel()
    session = tunnel.session().up()
    tunnel.send(WEN, avp(CALL_ERRORS, bytes(2) + b"".join(u32(n) for n in range(6))), sid=session.peer_sid)
    tunnel.send(SLI, avp(ACCM, bytes(2) + u32(0xFFFFFFFF) + u32(0)), sid=session.peer_sid)
    tunnel.wait_acked()
    session.ping(site.network.CORE)
    assert session.closed is None and tunnel.closed is None


def test_call_numbers(lns, lac):
    """Called and Calling Number and the speeds are shown."""
    tunnel = lac.tunnel()
    tunnel.session(calling="07330001", called="02010001").up("user3")
    shown = lns.details(lns.wait_session("user3")["SID"])
    assert (shown["Calling Num"], shown["Called Num"]) == ("07330001", "02010001")
    assert (shown["Rx Speed"], shown["Tx Speed"]) == ("1000000", "8000000")
    assert lns.session("user3")["CLI"] == "07330001"


def test_connect_speed_update(lns, lac):
    """RFC 5515: a line that trains anew shows its new speeds; one of another tunnel is not ours to change."""
    tunnel, other = lac.tunnel(), lac.tunnel()
    session, stranger = tunnel.session().up("user3"), other.session().up("user4")
    update = [avp(SPEED_UPDATE, struct.pack("!2xHII", s.peer_sid, 4000000, 500000), mandatory=False)
              for s in (stranger, session)]
    tunnel.send(CSUN, *update)
    tunnel.wait_acked()
    shown = [lns.details(lns.wait_session(user)["SID"]) for user in ("user3", "user4")]
    assert [(s["Rx Speed"], s["Tx Speed"]) for s in shown] == [("500000", "4000000"), ("1000000", "8000000")]


# ---------------------------------------------------------------------------- hidden AVPs

@pytest.mark.san
def test_hidden_avps(lns, lac):
    """Hidden AVPs are read with the secret and the Random Vector before them, short, long and padded."""
    tunnel = lac.tunnel(secret=SECRET)
    vector, second = os.urandom(16), os.urandom(40)
    long_number = "0" * 60 + "7331"
    session = pylac.Session(tunnel, 5)
    tunnel.send(ICRQ, avp(RANDOM_VECTOR, vector),
                pylac.hide(ASSIGNED_SESSION, 5, SECRET.encode(), vector, pad=os.urandom(7)),
                avp(CALL_SERIAL, u32(1)), pylac.hide(CALLED, "4711", SECRET.encode(), vector),
                avp(RANDOM_VECTOR, second), pylac.hide(CALLING, long_number, SECRET.encode(), second))
    reply = tunnel.expect(ICRP, CDN)
    assert reply.type == ICRP and reply.sid == 5
    session.peer_sid = reply.number(ASSIGNED_SESSION)
    session.connect()
    session.up("user4")
    shown = lns.details(lns.wait_session("user4")["SID"])
    assert shown["Called Num"] == "4711"
    assert shown["Calling Num"] == long_number[:len(shown["Calling Num"])] and len(shown["Calling Num"]) >= 32


def test_hidden_tunnel_id(lac):
    """Even the Assigned Tunnel ID of SCCRQ may be hidden."""
    tunnel = lac.tunnel(start=False, secret=SECRET)
    vector = os.urandom(16)
    tunnel.send(SCCRQ, avp(PROTOCOL_VERSION, b"\1\0"), avp(FRAMING_CAP, u32(3)), avp(BEARER_CAP, u32(3)),
                avp(HOST_NAME, "hider"), avp(RANDOM_VECTOR, vector),
                pylac.hide(ASSIGNED_TUNNEL, tunnel.tid, SECRET.encode(), vector))
    tunnel.reply = tunnel.expect(SCCRP)
    tunnel.connect()


# ---------------------------------------------------------------------------- proxy LCP and authentication

LAC_MAGIC = b"\5\6\7\x08"


def proxy_lcp(auth, magic=b"\1\2\3\4", more_sent=b"", more_received=b""):
    """Proxy LCP AVPs: what LAC and subscriber have agreed upon."""
    sent = option(1, struct.pack("!H", 1460)) + option(3, auth) + option(5, LAC_MAGIC) + more_sent
    received = option(1, struct.pack("!H", 1460)) + option(5, magic) + more_received
    return [avp(pylac.INITIAL_LCP, received, mandatory=False), avp(pylac.LAST_SENT_LCP, sent, mandatory=False),
            avp(pylac.LAST_RCVD_LCP, received, mandatory=False)]


def proxy_pap(user, password):
    return [avp(pylac.PROXY_AUTHEN_TYPE, 3, mandatory=False), avp(pylac.PROXY_AUTHEN_NAME, user, mandatory=False),
            avp(pylac.PROXY_AUTHEN_ID, 1, mandatory=False),
            avp(pylac.PROXY_AUTHEN_RESPONSE, password, mandatory=False)]


def proxy_chap(user, password):
    challenge = os.urandom(16)
    value = hashlib.md5(b"\x09" + password.encode() + challenge).digest()
    return [avp(pylac.PROXY_AUTHEN_TYPE, 2, mandatory=False), avp(pylac.PROXY_AUTHEN_NAME, user, mandatory=False),
            avp(pylac.PROXY_AUTHEN_CHALLENGE, challenge, mandatory=False),
            avp(pylac.PROXY_AUTHEN_ID, 9, mandatory=False),
            avp(pylac.PROXY_AUTHEN_RESPONSE, value, mandatory=False)]


@pytest.mark.parametrize("method", ["pap", "chap"])
def test_proxy_authentication(site, lns, lac, method):
    """What the LAC has negotiated is not negotiated again: the first thing the subscriber hears is IPCP."""
    if method == "chap":
        lns.set('set radius_authtypes "pap,chap"')
    auth = b"\xc0\x23" if method == "pap" else b"\xc2\x23\x05"
    proof = (proxy_pap if method == "pap" else proxy_chap)("user5", "secret")
    session = lac.tunnel().session(iccn=proxy_lcp(auth) + proof)
    session.ipcp_request()
    lac.wait(lambda: session.ipcp_sent and session.ipcp_peer, "IPCP to open")
    assert not [1 for protocol, data in session.frames if protocol == LCP and data[0] == CONF_REQ], session.frames
    session.ping(site.network.CORE)
    lns.set('set radius_authtypes "pap"')


def test_proxy_avps_are_kept_no_longer_than_needed(plant):
    """Many calls with large proxy AVPs, used or not: there is room for those of the last one."""
    daemon = plant.lns({"max_sessions": 100}, local_users={"user%d" % n: "secret" for n in range(60)})
    tunnel = Lac(plant.network).tunnel()
    large = avp(pylac.PROXY_AUTHEN_CHALLENGE, b"c" * 250, mandatory=False)
    for n in range(60):
        proof = proxy_pap("user%d" % n, "secret") + [large]
        session = tunnel.session(iccn=proxy_lcp(b"\xc0\x23") + proof if n % 2 else [large] * 3 + proof)
        if n % 2:
            session.ipcp_request()
            session.lac.wait(lambda: session.ipcp_sent and session.ipcp_peer, "IPCP")
    assert daemon.counters()["notes_full"] == 0


def test_proxy_authentication_wrong(lns, lac):
    """A wrong proxied password gets nowhere."""
    session = lac.tunnel().session(iccn=proxy_lcp(b"\xc0\x23") + proxy_pap("user5", "wrong"))
    lac.wait(lambda: session.gone or session.authenticated is False
             or [1 for p, d in session.frames if p == LCP and d[0] == CONF_REQ], "the refusal")
    assert not [1 for protocol, _ in session.frames if protocol == IPCP]
    assert lns.session("user5") is None or lns.session("user5")["IP"] == "0.0.0.0"


MRRU, SSNHF, ENDPOINT = option(17, b"\x05\xdc"), option(18), option(19, b"\1host")


@pytest.mark.parametrize("name, sent, received", [
    ("multilink", MRRU + ENDPOINT, MRRU + ENDPOINT), ("short numbers", SSNHF, SSNHF), ("callback", b"", option(13, b"\6")),
    ("quality", option(4, b"\xc0\x25" + bytes(4)), b""), ("his authentication of us", b"", option(3, b"\xc0\x23")),
    ("an ACCM of two octets", b"", option(2, b"\0\0"))])
def test_proxy_lcp_with_what_we_cannot_do(site, lac, name, sent, received):
    """LCP starts afresh, with a magic number of our own and not the LAC's."""
    session = lac.tunnel().session(
        iccn=proxy_lcp(b"\xc0\x23", more_sent=sent, more_received=received) + proxy_pap("user5", "secret"))
    session.up("user5")
    (request,) = [d for p, d in session.frames if p == LCP and d[0] == CONF_REQ]
    magic = pylac.options(request[4:])[5]
    assert magic not in (LAC_MAGIC, bytes(4))
    session.ping(site.network.CORE)


def test_proxy_lcp_with_what_has_no_meaning_here(lac):
    """ACCM and compressed fields, both ways, are no reason to negotiate again."""
    more = option(2, b"\0\0\0\0") + option(7) + option(8)
    session = lac.tunnel().session(
        iccn=proxy_lcp(b"\xc0\x23", more_sent=more, more_received=more) + proxy_pap("user5", "secret"))
    session.ipcp_request()
    lac.wait(lambda: session.ipcp_sent and session.ipcp_peer, "IPCP to open")
    assert not [1 for protocol, data in session.frames if protocol == LCP and data[0] == CONF_REQ], session.frames


MRU, AUTH_PAP, MAGIC = option(1, struct.pack("!H", 1460)), option(3, b"\xc0\x23"), option(5, LAC_MAGIC)
CALLER = MRU + option(5, b"\1\2\3\4")
AUTH_CHAP = option(3, b"\xc2\x23\5")


def proxied(sent=MRU + AUTH_PAP + MAGIC, received=CALLER, kind=3, name=b"user5", ident=1, proof=b"secret", challenge=None):
    """Proxy AVPs that suffice, but for what is said otherwise; None: that one is not there."""
    values = {pylac.LAST_SENT_LCP: sent, pylac.LAST_RCVD_LCP: received, pylac.PROXY_AUTHEN_TYPE: kind,
              pylac.PROXY_AUTHEN_NAME: name, pylac.PROXY_AUTHEN_ID: ident, pylac.PROXY_AUTHEN_RESPONSE: proof,
              pylac.PROXY_AUTHEN_CHALLENGE: challenge}
    return [avp(kind, value, mandatory=False) for kind, value in values.items() if value is not None]


INSUFFICIENT = {
    "no authentication at all": dict(kind=None, name=None, ident=None, proof=None),
    "type: textual": dict(kind=1), "type: none": dict(kind=4), "type: MS-CHAPv1": dict(kind=5), "type: 0": dict(kind=0),
    "type: unknown": dict(kind=77), "no type": dict(kind=None), "no name": dict(name=None), "an empty name": dict(name=b""),
    "no id": dict(ident=None), "no response": dict(proof=None),
    "CHAP, where PAP was agreed": dict(kind=2, challenge=b"c" * 16, proof=b"r" * 16),
    "PAP, where CHAP was agreed": dict(sent=MRU + AUTH_CHAP + MAGIC),
    "CHAP without challenge": dict(sent=MRU + AUTH_CHAP + MAGIC, kind=2, proof=b"r" * 16),
    "CHAP, an empty challenge": dict(sent=MRU + AUTH_CHAP + MAGIC, kind=2, challenge=b"", proof=b"r" * 16),
    "CHAP, a short response": dict(sent=MRU + AUTH_CHAP + MAGIC, kind=2, challenge=b"c" * 16, proof=b"r" * 15),
    "CHAP, a long response": dict(sent=MRU + AUTH_CHAP + MAGIC, kind=2, challenge=b"c" * 16, proof=b"r" * 17),
    "EAP agreed": dict(sent=MRU + option(3, b"\xc2\x27") + MAGIC),
    "MS-CHAPv1 agreed": dict(sent=MRU + option(3, b"\xc2\x23\x80") + MAGIC),
    "MS-CHAPv2 agreed": dict(sent=MRU + option(3, b"\xc2\x23\x81") + MAGIC),
    "nothing agreed": dict(sent=MRU + MAGIC), "an empty request sent": dict(sent=b""),
    "an MRU above ours": dict(sent=option(1, struct.pack("!H", 1463)) + AUTH_PAP + MAGIC),
    "no MRU, so 1500": dict(sent=AUTH_PAP + MAGIC),
    "his MRU below the least": dict(received=option(1, struct.pack("!H", 127))),
    "one magic number for both": dict(received=MRU + MAGIC),
    "no request sent": dict(sent=None), "no request received": dict(received=None),
    "sent: an option too long": dict(sent=MRU + AUTH_PAP + option(5, LAC_MAGIC, 7)),
    "sent: an option of length 1": dict(sent=MRU + AUTH_PAP + option(5, b"", 1)),
    "sent: an MRU of 3 octets": dict(sent=option(1, b"\0\5\xb4") + AUTH_PAP),
    "sent: half an option": dict(sent=MRU + AUTH_PAP + b"\5"),
    "received: an option too long": dict(received=MRU + option(5, b"abcd", 9)),
    "received: an option of length 0": dict(received=MRU + option(5, b"", 0)),
    "received: half an option": dict(received=MRU + b"\5"),
    "more than there is room for": dict(received=MRU + option(7) * 127 + option(13, b"\6")),
}


@pytest.mark.san
@pytest.mark.parametrize("what", INSUFFICIENT)
def test_proxy_does_not_suffice(site, lns, lac, what):
    """LCP starts afresh, as if nothing had been sent, and he comes in."""
    session = lac.tunnel().session(iccn=proxied(**INSUFFICIENT[what]))
    session.up("user5")
    (request,) = [d for p, d in session.frames if p == LCP and d[0] == CONF_REQ]
    offered = pylac.options(request[4:])
    assert (offered[1], offered[3]) == (struct.pack("!H", 1462), b"\xc0\x23") and offered[5] != LAC_MAGIC
    session.ping(site.network.CORE)


def proxied_up(lac, *args, **kwargs):
    session = lac.tunnel().session(iccn=proxied(*args, **kwargs))
    session.ipcp_request()
    lac.wait(lambda: session.ipcp_sent and session.ipcp_peer or session.gone, "IPCP to open")
    assert not [1 for protocol, data in session.frames if protocol == LCP and data[0] == CONF_REQ], session.frames
    return session


@pytest.mark.san
@pytest.mark.parametrize("name, sent, received", [
    ("all", MRU + AUTH_PAP + MAGIC + option(7) + option(8), CALLER + option(7) + option(8) + option(2, bytes(4))),
    ("a small MRU of his", MRU + AUTH_PAP, option(1, struct.pack("!H", 576))), ("nothing of his", MRU + AUTH_PAP, b"")])
def test_proxied_link_carries_data(site, lns, lac, name, sent, received):
    """Compressed fields, his MRU and the magic numbers are as the LAC has agreed upon them."""
    session = proxied_up(lac, sent, received)
    session.ping(site.network.CORE)
    echo = packets.echo(session.address, site.network.CORE, 77)
    session.lac.send(session.header(len(echo) + 1) + b"\x21" + echo)
    session.wait_packet(lambda p: p.proto == packets.ICMP and p.icmp_ident == 77)
    site.network.core.run("ping", "-n", "-c1", "-W1", "-M", "dont", "-s", "1300", session.address, check=False)
    sizes = [session.wait_packet(lambda p: p.proto == packets.ICMP).length]
    while not sizes[1:] and sizes[0] < 1328:
        sizes.append(session.wait_packet(lambda p: p.proto == packets.ICMP).length)
    assert max(sizes) == (572 if "small" in name else 1328)
    session.frames.clear()
    session.send_cp(LCP, pylac.ECHO_REQ, pylac.options(received).get(5, bytes(4)))
    lac.wait(lambda: [1 for p, d in session.frames if p == LCP and d[0] == pylac.ECHO_REP], "the Echo-Reply")
    (reply,) = [d for p, d in session.frames if p == LCP and d[0] == pylac.ECHO_REP]
    assert reply[4:8] == pylac.options(sent).get(5, bytes(4))


@pytest.mark.san
def test_proxied_link_is_negotiated_anew(site, lns, lac):
    """By the subscriber, at any time: LCP and the login, and he keeps his address."""
    session = proxied_up(lac)
    address = session.address
    session.renegotiate().up("user5")
    assert session.address == address
    session.ping(site.network.CORE)
    session.renegotiate()
    assert session.authenticate("user5", "wrong") is False


def test_proxied_login_repeated(site, lns, lac):
    """The subscriber repeats what the LAC has heard already: the same answer, and no second login."""
    accepted = lns.counters()["auth_accepted"]
    session = proxied_up(lac)
    session.authenticated = None
    session.user, session.password = "user5", "secret"
    session.pap_request()
    lac.wait(lambda: session.authenticated, "the answer")
    assert lns.counters()["auth_accepted"] == accepted + 1
    session.ping(site.network.CORE)


# ---------------------------------------------------------------------------- data packets

@pytest.mark.san
@pytest.mark.parametrize("fields", [dict(), dict(length=True), dict(sequence=True), dict(offset=0), dict(offset=9),
                                    dict(length=True, sequence=True, offset=3)])
def test_header_fields(site, lac, fields):
    """All forms of the data header are understood."""
    session = lac.tunnel().session()
    for name, value in fields.items():
        setattr(session, name, value)
    session.up().ping(site.network.CORE, size=100)


@pytest.mark.parametrize("prefix", [b"\xff\x03", b""])
def test_address_and_control_field(site, lac, prefix):
    """FF 03 before the protocol may be there or not."""
    session = lac.tunnel().session().up()
    session.send_frame(pylac.IP, packets.echo(session.address, site.network.CORE, 9), prefix)
    session.wait_packet(lambda p: p.proto == packets.ICMP and p.icmp_ident == 9)


def test_sequencing_required(site, lac):
    """With Sequencing Required we number our packets, and drop those of the LAC that come late."""
    tunnel = lac.tunnel()
    session = tunnel.session(start=False)
    session.sequence = True
    session.connect(avp(SEQUENCING_REQUIRED, b""))
    session.up()
    for _ in range(3):
        session.ping(site.network.CORE)
    numbers = session.sequences
    assert numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
    session.seq += 1  # one is lost
    session.ping(site.network.CORE)
    ahead = session.seq
    session.seq = ahead - 2  # and comes now
    session.send_ip(packets.echo(session.address, site.network.CORE, 0x4444))
    session.seq = ahead
    session.send_ip(packets.echo(session.address, site.network.CORE, 0x5555))
    session.wait_packet(lambda p: p.icmp_ident in (0x4444, 0x5555) and p.type == 0 and p.icmp_ident != 0x4444)
    session.ping(site.network.CORE)


def test_late_packet_not_passed(site, lac):
    """Seen from the core: the late one does not get out."""
    tunnel = lac.tunnel()
    session = tunnel.session(start=False)
    session.sequence = True
    session.connect(avp(SEQUENCING_REQUIRED, b""))
    session.up()
    sniffer = site.network.core.sniff("lns")
    base = session.seq
    for number, ident in (base + 5, 1), (base + 3, 2), (base + 6, 3):
        session.seq = number
        session.send_ip(packets.echo(session.address, site.network.CORE, ident))
    seen = []

    def last(packet):
        packet = packets.Ip(packet)
        if packet.src == session.address:
            seen.append(packet.icmp_ident)
        return seen[-1:] == [3]

    sniffer.wait(last)
    sniffer.close()
    assert seen == [1, 3]


# ---------------------------------------------------------------------------- addresses and ports

def test_many_lacs_behind_one_address(site, new_lac):
    """NAT: one address, many ports, all with the same tunnel and session ids of their own."""
    sessions = [new_lac().tunnel(tid=1).session(sid=1).up("user%d" % n) for n in range(10)]
    assert len({s.address for s in sessions}) == 10
    for session in sessions:
        session.ping(site.network.CORE)


def test_port_change(site, lns, new_lac):
    """A new port of the same address is followed on an in-window control message only, never on data."""
    old, new = new_lac(), new_lac()
    tunnel = old.tunnel()
    session = tunnel.session().up()

    def send_from_new(data):
        new.sock.sendto(data, new.peer)

    def downstream(ident):
        """Which socket an answer comes to."""
        got = []

        def check():
            for lac in old, new:
                for data in lac.strays:
                    if data[-2:] == struct.pack("!H", ident):
                        got.append(lac)
                lac.strays.clear()
            for packet in session.packets:
                if packet[-2:] == struct.pack("!H", ident):
                    got.append(old)
            session.packets.clear()
            new.drain()
            return got

        return old.wait(check, "an echo reply at either port")[0]

    def ping_from(sock_owner, ident):
        frame = b"\xff\x03\0\x21" + packets.echo(session.address, site.network.CORE, ident,
                                                 data=struct.pack("!H", ident))
        sock_owner.sock.sendto(session.header(len(frame)) + frame, sock_owner.peer)

    ping_from(new, 1)
    ping_from(old, 2)
    assert downstream(2) is old, "data moved the tunnel's port"
    hello = avp(pylac.MESSAGE_TYPE, HELLO)
    send_from_new(pylac.control(tunnel.peer_tid, 0, tunnel.ns + 1000, tunnel.nr, hello))
    send_from_new(pylac.control(tunnel.peer_tid, 0, tunnel.ns - 1, tunnel.nr, hello))
    ping_from(old, 3)
    assert downstream(3) is old, "a control message out of the window moved the tunnel's port"
    send_from_new(pylac.control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr, hello))
    tunnel.ns += 1
    ping_from(new, 4)
    assert downstream(4) is new, "an in-window control message was to move the tunnel's port"
    # back again, so that the tunnel can be ended
    tunnel.send(HELLO)
    tunnel.wait_acked()


def test_other_address_is_no_part_of_it(site, lns, new_lac):
    """Packets of a tunnel from another address are dropped and counted: data, CDN, StopCCN."""
    good, bad = new_lac(), new_lac(address=OTHER)
    tunnel = good.tunnel()
    session = tunnel.session().up()
    before = lns.counters()
    frame = b"\xff\x03\0\x21" + packets.echo(session.address, site.network.CORE, 0x6666)
    sniffer = site.network.core.sniff("lns")
    bad.send(session.header(len(frame)) + frame)
    bad.send(pylac.control(tunnel.peer_tid, session.peer_sid, tunnel.ns, tunnel.nr,
                           avp(pylac.MESSAGE_TYPE, CDN) + avp(RESULT_CODE, 3) + avp(ASSIGNED_SESSION, session.sid)))
    bad.send(pylac.control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr,
                           avp(pylac.MESSAGE_TYPE, STOPCCN) + avp(ASSIGNED_TUNNEL, tunnel.tid) + avp(RESULT_CODE, 1)))
    session.ping(site.network.CORE)
    assert 0x6666 not in [getattr(packets.Ip(p), "icmp_ident", None) for p in sniffer.packets()]
    sniffer.close()
    tunnel.send(HELLO)
    tunnel.wait_acked()
    assert session.closed is None and tunnel.closed is None
    grown = difference(lns, before)
    assert [n for n, value in grown.items() if value == 3 and "call_" not in n], grown


def test_session_of_another_tunnel(site, lns, new_lac):
    """A session is reached in its own tunnel only."""
    lac = new_lac()
    session = lac.tunnel().session().up("user1")
    other = lac.tunnel()
    frame = b"\xff\x03\0\x21" + packets.echo(session.address, site.network.CORE, 0x7777)
    sniffer = site.network.core.sniff("lns")
    header = struct.pack("!HHH", 2, other.peer_tid, session.peer_sid)
    before = lns.counters()
    for _ in range(5):
        lac.send(header + frame)
    session.ping(site.network.CORE)
    assert 0x7777 not in [getattr(packets.Ip(p), "icmp_ident", None) for p in sniffer.packets()]
    sniffer.close()
    grown = difference(lns, before)
    assert [n for n, value in grown.items() if value == 5 and "call_" not in n], grown


def test_reply_address(plant):
    """Bound to every address, we answer from the one that was asked; HELLOs come from there too."""
    network = plant.network
    daemon = plant.lns({"bind_address": "0.0.0.0", "iftun_address": "10.9.254.1", "hello_interval": 1},
                       local_users=USERS)
    lacs = {address: Lac(network, lns=address) for address in (network.LNS2, network.LNS)}
    for n, (address, lac) in enumerate(lacs.items()):
        tunnel = lac.tunnel()
        tunnel.session().up("user%d" % n).ping(network.CORE)
        lac.wait(lambda: tunnel.hellos > 0, "a HELLO")
        assert lac.sources == {(address, 1701)}, address
        lac.close()
    daemon.stop()


def test_bind_multi_address(plant):
    """`bind_multi_address`: each address of the list is listened on, and no other."""
    network = plant.network
    daemon = plant.lns({"bind_multi_address": "%s,%s" % (network.LNS, network.LNS2), "iftun_address": "10.9.254.1"},
                       local_users=USERS)
    for n, address in enumerate((network.LNS, network.LNS2)):
        lac = Lac(network, lns=address)
        lac.tunnel().session().up("user%d" % n).ping(network.CORE)
        assert lac.sources == {(address, 1701)}
        lac.close()
    probe = network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.settimeout(10)
    probe.connect((network.CORE_LNS, 1701))
    probe.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        probe.recv(100)
    probe.close()
    daemon.stop()


def test_hello(plant):
    """hello_interval of silence: a HELLO; answered, the tunnel stays; unanswered, it and its sessions end."""
    network = plant.network
    daemon = plant.lns({"hello_interval": 1}, local_users=USERS)
    lac = Lac(network)
    tunnel = lac.tunnel()
    session = tunnel.session().up()
    lac.wait(lambda: tunnel.hellos >= 3, "three HELLOs", 20)
    assert all(m.sid == 0 for m in tunnel.history if m.type == HELLO)
    session.ping(network.CORE)
    silent = Lac(network)
    silent.tunnel(host="silent").session().up("ann", "secret2")
    daemon.wait_session("ann")

    def silent_gone():
        lac.drain()
        return daemon.session("ann") is None

    lac.wait(silent_gone, "the end of the silent LAC's session", 60)
    wait_for(lambda: not [t for t in daemon.tunnels() if t["Hostname"] == "silent"], "the end of its tunnel", 60)
    session.ping(network.CORE)
    silent.close()
    lac.close()


# ---------------------------------------------------------------------------- what takes long, by a stepped clock

FULL_CYCLE = 32


@pytest.mark.san
def test_moved_while_dieing(plant):
    """A tunnel that ends and whose peer speaks from another port is gone for good after its 31 s."""
    daemon = plant.lns(local_users=USERS, clock=True)
    one, two = Lac(plant.network), Lac(plant.network)
    tunnel = one.tunnel()
    tunnel.stop()
    tunnel.wait_acked()
    two.send(pylac.control(tunnel.peer_tid, 0, tunnel.ns, tunnel.nr, avp(pylac.MESSAGE_TYPE, HELLO)))
    wait_for(lambda: daemon.counters()["tunnel_moved"] == 1, "the move")
    daemon.step(FULL_CYCLE)
    wait_for(lambda: not daemon.tunnels("all"), "the tunnel's end")
    two.tunnel(tid=tunnel.tid).session().up().ping(plant.network.CORE)


def test_acknowledgement_after_death(plant):
    """A peer held for dead that acknowledges at last does no harm to others."""
    daemon = plant.lns({"hello_interval": 1}, local_users=USERS, clock=True)
    lac = Lac(plant.network)
    tunnel = lac.tunnel()
    tunnel.acking = False
    lac.wait(lambda: tunnel.hellos, "a HELLO")
    for _ in range(6):
        daemon.step(9)
    wait_for(lambda: daemon.counters()["tunnel_timeout"] == 1, "the tunnel's death")
    tunnel.zlb()
    Lac(plant.network).tunnel().session().up().ping(plant.network.CORE)
    assert daemon.counters()["control_queue_full"] == 0


def test_retransmission_times(plant):
    """What is not acknowledged is sent at 0, 1, 3, 7, 15 and 23 s; the tunnel is dead at 31 s."""
    daemon = plant.lns(local_users=USERS, clock=True)
    tunnel = Lac(plant.network).tunnel()
    tunnel.acking = False
    tunnel.send(ICRQ, *tunnel.icrq(5))
    tunnel.expect(ICRP)

    def copies():
        tunnel.lac.drain()
        return len([m for m in tunnel.history if m.type == ICRP])
    for number, seconds in enumerate((1, 2, 4, 8, 8), start=2):
        daemon.step(seconds - 1)  # the daemon's own second passes by itself
        tunnel.lac.wait(lambda: copies() == number, "copy %d" % number, 3)
    assert daemon.tunnels()[0]["State"] == "Open"
    daemon.step(8)
    wait_for(lambda: daemon.counters()["tunnel_timeout"] == 1, "the tunnel's death")
    assert copies() == 6


@pytest.mark.parametrize("proven", [True, False])
def test_lac_begins_anew(plant, proven):
    """A LAC that has started again with its old tunnel id gets in, and its old tunnel ends, once it has proven itself.

    Before that it stays: anybody could have sent the SCCRQ.
    """
    daemon = plant.lns({"l2tp_secret": SECRET, "require_tunnel_auth": True}, local_users=USERS, clock=True)
    lac = Lac(plant.network)
    old = lac.tunnel(secret=SECRET)
    session = old.session().up()
    daemon.step(FULL_CYCLE)
    new = lac.tunnel(start=False, tid=old.tid, secret=SECRET if proven else "guess")
    lac.tunnels[new.tid] = new
    new.send(SCCRQ, *new.sccrq())
    new.reply = new.expect(SCCRP)
    assert new.peer_tid != old.peer_tid
    new.send(SCCCN, avp(RESPONSE, new.response_to(new.reply.get(CHALLENGE), SCCCN)))
    if proven:
        new.wait_acked()
        wait_for(lambda: not daemon.session("joe"), "the end of the old session")
        new.session().up("ann", "secret2").ping(plant.network.CORE)
    else:
        new.expect(STOPCCN)
        lac.tunnels[old.tid] = old
        assert daemon.session("joe")
        session.ping(plant.network.CORE)


def test_no_iccn(plant):
    """A call that is never connected ends after a minute with result code 10."""
    daemon = plant.lns(local_users=USERS, clock=True)
    tunnel = Lac(plant.network).tunnel()
    session = tunnel.session(start=False)
    daemon.step(3)  # it is not counted as one in set-up any more
    assert not session.closed
    daemon.step(59)
    tunnel.lac.wait(lambda: session.closed, "a CDN")
    assert session.closed.result[0] == 10


def test_no_scccn(plant):
    """So does a tunnel, with a StopCCN."""
    daemon = plant.lns(local_users=USERS, clock=True)
    tunnel = Lac(plant.network).tunnel(start=False)
    tunnel.send(SCCRQ, *tunnel.sccrq())
    tunnel.expect(SCCRP)
    daemon.step(61)
    assert tunnel.expect(STOPCCN).result[0] == 1


def test_tunnel_id_is_kept_for_a_full_cycle(plant):
    """An ended tunnel answers repetitions for 31 s, and is gone then (RFC 2661 5.7)."""
    daemon = plant.lns(local_users=USERS, clock=True)
    tunnel = Lac(plant.network).tunnel()
    tunnel.stop()
    tunnel.wait_acked()
    daemon.step(FULL_CYCLE - 4)
    assert daemon.tunnels("all")[0]["State"] == "Dieing"
    daemon.step(4)
    wait_for(lambda: not daemon.tunnels("all"), "the tunnel's end")


# ---------------------------------------------------------------------------- settings

def test_disable_sending_hello(plant):
    daemon = plant.lns({"hello_interval": 1, "disable_sending_hello": True}, local_users=USERS, clock=True)
    tunnel = Lac(plant.network).tunnel()
    for _ in range(5):
        daemon.step(2)
    tunnel.session().up().ping(plant.network.CORE)
    assert tunnel.hellos == 0


def test_peer_changes_its_address(plant):
    """With auth_tunnel_change_addr_src a tunnel follows its peer to another address, sessions and all."""
    daemon = plant.lns({"auth_tunnel_change_addr_src": True}, local_users=USERS)
    plant.network.lac.ip("addr add 10.1.0.5/16 dev br0")
    lac, other = Lac(plant.network), Lac(plant.network, address="10.1.0.5")
    tunnel = lac.tunnel()
    session = tunnel.session().up()
    other.tunnels[tunnel.tid] = tunnel
    tunnel.lac = session.lac = other
    tunnel.send(HELLO)
    tunnel.wait_acked()
    session.ping(plant.network.CORE)
    assert daemon.tunnels()[0]["IP"] == "10.1.0.5"


def test_hidden_from_one_who_hides(plant):
    """A LAC that hides its AVPs gets our ids hidden."""
    secret = SECRET.encode()
    plant.lns({"l2tp_secret": SECRET}, local_users=USERS)
    tunnel = Lac(plant.network).tunnel(start=False, secret=SECRET, challenge=True)
    vector = os.urandom(16)
    tunnel.send(SCCRQ, *tunnel.sccrq(), avp(RANDOM_VECTOR, vector),
                pylac.hide(pylac.VENDOR_NAME, b"shy", secret, vector, mandatory=False))
    tunnel.reply = tunnel.expect(SCCRP)
    flags = {kind: word for word, _, kind, _ in tunnel.reply.avps}
    assert flags[ASSIGNED_TUNNEL] == 0xC000, "our tunnel id is not hidden"
    tunnel.connect()
    tunnel.session().up().ping(plant.network.CORE)


def test_hidden_with_the_secret_of_a_carrier(plant):
    """What a LAC hides in its SCCRQ is read with the secret of the `lac` line for the name it gives there."""
    plant.lns({"l2tp_secret": SECRET}, local_users=USERS, extra=["lac shylac secret hush"])
    tunnel = Lac(plant.network).tunnel(start=False, host="shylac", secret="hush")
    vector = os.urandom(16)
    tunnel.send(SCCRQ, avp(PROTOCOL_VERSION, b"\1\0"), avp(FRAMING_CAP, u32(3)), avp(HOST_NAME, "shylac"),
                avp(RANDOM_VECTOR, vector), pylac.hide(ASSIGNED_TUNNEL, tunnel.tid, b"hush", vector))
    tunnel.reply = tunnel.expect(SCCRP)
    tunnel.connect()
    tunnel.session().up().ping(plant.network.CORE)
