"""A small LAC with its subscribers, for what real ones will not do.

It does nothing behind the test's back: all that happens, happens within wait() and what calls it.

    lac = Lac(network)                    # one socket
    tunnel = lac.tunnel()                 # SCCRQ .. SCCCN; start=False: not yet
    session = tunnel.session()            # ICRQ .. ICCN
    session.up("joe", "secret")           # LCP, PAP or CHAP-MD5, IPCP; session.address
    session.ping(network.CORE)            # through the tunnel and back
"""

import hashlib
import os
import socket
import struct
import time

import packets
from netns import Timeout

SCCRQ, SCCRP, SCCCN, STOPCCN, HELLO = 1, 2, 3, 4, 6
OCRQ, OCRP, OCCN, ICRQ, ICRP, ICCN, CDN, WEN, SLI = 7, 8, 9, 10, 11, 12, 14, 15, 16
NAMES = {value: name for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)}

# Attribute types, RFC 2661 4.4
(MESSAGE_TYPE, RESULT_CODE, PROTOCOL_VERSION, FRAMING_CAP, BEARER_CAP, TIE_BREAKER, FIRMWARE, HOST_NAME, VENDOR_NAME,
 ASSIGNED_TUNNEL, WINDOW, CHALLENGE, CAUSE, RESPONSE, ASSIGNED_SESSION, CALL_SERIAL, MIN_BPS, MAX_BPS, BEARER_TYPE,
 FRAMING_TYPE) = range(20)
CALLED, CALLING, SUB_ADDRESS, TX_SPEED, PHYSICAL_CHANNEL, INITIAL_LCP, LAST_SENT_LCP, LAST_RCVD_LCP = range(21, 29)
PROXY_AUTHEN_TYPE, PROXY_AUTHEN_NAME, PROXY_AUTHEN_CHALLENGE, PROXY_AUTHEN_ID, PROXY_AUTHEN_RESPONSE = range(29, 34)
CALL_ERRORS, ACCM, RANDOM_VECTOR, PRIVATE_GROUP, RX_SPEED, SEQUENCING_REQUIRED = range(34, 40)
CSUN, SPEED_UPDATE = 28, 97  # RFC 5515

LCP, IPCP, IPV6CP, CCP, PAP, CHAP, IP = 0xC021, 0x8021, 0x8057, 0x80FD, 0xC023, 0xC223, 0x0021
CONF_REQ, CONF_ACK, CONF_NAK, CONF_REJ, TERM_REQ, TERM_ACK, CODE_REJ, PROTO_REJ, ECHO_REQ, ECHO_REP = range(1, 11)


def _bytes(value):
    if isinstance(value, int):
        return struct.pack("!H", value)
    return value.encode() if isinstance(value, str) else value


def avp(kind, value=b"", mandatory=True, vendor=0, hidden=False, length=None):
    """One AVP; a whole number is two bytes, text is encoded, `length` lies about the length."""
    value = _bytes(value)
    if length is None:
        length = 6 + len(value)
    return struct.pack("!HHH", (0x8000 if mandatory else 0) | (0x4000 if hidden else 0) | length, vendor, kind) + value


def u32(value):
    return struct.pack("!I", value)


def hide(kind, value, secret, vector, pad=b"", mandatory=True):
    """A hidden AVP, RFC 2661 4.3; the Random Vector AVP before it must hold `vector`."""
    value = _bytes(value)
    clear = struct.pack("!H", len(value)) + value + pad
    return avp(kind, _cipher(kind, clear, secret, vector, True), mandatory, hidden=True)


def reveal(kind, data, secret, vector):
    clear = _cipher(kind, data, secret, vector, False)
    return clear[2:2 + struct.unpack("!H", clear[:2])[0]]


def _cipher(kind, data, secret, vector, encrypt):
    key = hashlib.md5(struct.pack("!H", kind) + secret + vector).digest()
    out = b""
    for i in range(0, len(data), 16):
        part = data[i:i + 16]
        done = bytes(a ^ b for a, b in zip(part, key))
        out += done
        key = hashlib.md5(secret + (done if encrypt else part)).digest()
    return out


def control(tid, sid, ns, nr, body, flags=0xC802):
    return struct.pack("!HHHHHH", flags, 12 + len(body), tid, sid, ns, nr) + body


def option(kind, value=b"", length=None):
    """A PPP configuration option."""
    return bytes([kind, len(value) + 2 if length is None else length]) + value


def options(data):
    """PPP configuration options as {type: value}."""
    found = {}
    while len(data) >= 2 and data[1] >= 2:
        found[data[0]] = data[2:data[1]]
        data = data[data[1]:]
    return found


class Message:
    """A control message that came in."""

    def __init__(self, data):
        self.raw = data
        self.flags, self.length, self.tid, self.sid, self.ns, self.nr = struct.unpack("!HHHHHH", data[:12])
        assert self.flags == 0xC802, "control header flags %#x" % self.flags
        assert self.length == len(data), "length field %d of %d bytes" % (self.length, len(data))
        self.avps = []
        rest = data[12:]
        while rest:
            word, vendor, kind = struct.unpack("!HHH", rest[:6])
            length = word & 0x3FF
            assert 6 <= length <= len(rest), "an AVP of %d bytes in %d" % (length, len(rest))
            self.avps.append((word & 0xFC00, vendor, kind, rest[6:length]))
            rest = rest[length:]
        self.type = struct.unpack("!H", self.avps[0][3])[0] if self.avps else 0
        if self.avps:
            assert self.avps[0][2] == MESSAGE_TYPE, "Message Type must be the first AVP"

    def unhide(self, secret):
        """Put the values of hidden AVPs in clear; the flags still tell."""
        vector = b""
        for at, (word, vendor, kind, value) in enumerate(self.avps):
            if kind == RANDOM_VECTOR and vendor == 0:
                vector = value
            elif word & 0x4000:
                self.avps[at] = (word, vendor, kind, reveal(kind, value, secret, vector))

    def get(self, kind, vendor=0):
        for _, v, k, value in self.avps:
            if (v, k) == (vendor, kind):
                return value
        return None

    def number(self, kind):
        value = self.get(kind)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def result(self):
        """(result code, error code) of a StopCCN or CDN."""
        value = self.get(RESULT_CODE)
        if value is None:
            return None
        return struct.unpack("!H", value[:2])[0], struct.unpack("!H", value[2:4])[0] if len(value) >= 4 else 0

    def __repr__(self):
        return "<%s tid %d sid %d ns %d nr %d%s>" % (
            NAMES.get(self.type, self.type) if self.avps else "ZLB", self.tid, self.sid, self.ns, self.nr,
            " result %s" % (self.result,) if self.type in (STOPCCN, CDN) else "")


class Lac:
    """One UDP socket, and the tunnels over it."""

    def __init__(self, network, address=None, port=0, lns=None, lns_port=1701):
        self.network = network
        self.peer = (lns or network.LNS, lns_port)
        self.sock = network.lac.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self.sock.bind((address or network.LAC, port))
        self.address, self.port = self.sock.getsockname()
        self.tunnels = {}
        self.strays = []  # packets for no tunnel of ours
        self.sources = set()  # where packets came from
        self.next_tid = 100

    def send(self, data):
        self.sock.sendto(data, self.peer)

    def pump(self, timeout=0.0):
        """Take one packet, if one comes in time; True when there was one."""
        self.sock.settimeout(max(timeout, 0) or 0.0)
        try:
            data, source = self.sock.recvfrom(65536)
        except (socket.timeout, BlockingIOError):
            return False
        except ConnectionError:  # an ICMP error: nobody listens there
            return True
        self.sources.add(source)
        flags = struct.unpack("!H", data[:2])[0]
        at = 4 if flags & 0x4000 else 2
        tid = struct.unpack("!H", data[at:at + 2])[0]
        tunnel = self.tunnels.get(tid)
        if tunnel is None:
            self.strays.append(data)
        elif flags & 0x8000:
            tunnel.control_input(Message(data))
        else:
            tunnel.data_input(flags, data)
        return True

    def drain(self):
        """Take all that is there."""
        while self.pump():
            pass

    def wait(self, predicate, what="an answer", timeout=20):
        """Take packets until predicate() yields something true, and return that; resends what goes unacknowledged."""
        end = time.monotonic() + timeout
        while True:
            value = predicate()
            if value:
                return value
            now = time.monotonic()
            if now > end:
                raise Timeout("%s did not come; have %s" % (what, [t.inbox for t in self.tunnels.values()]))
            self.pump(min(end - now, 0.2))
            for tunnel in list(self.tunnels.values()):
                tunnel.resend()

    def tunnel(self, start=True, **kwargs):
        tunnel = Tunnel(self, **kwargs)
        if start:
            tunnel.open()
        return tunnel

    def close(self):
        self.sock.close()


class Tunnel:
    """A control connection. Set `acking` false to leave messages unacknowledged, `secret` to authenticate."""

    def __init__(self, lac, host="pylac", secret=None, window=8, challenge=False, tid=None):
        self.lac = lac
        self.host, self.window = host, window
        self.secret = secret.encode() if isinstance(secret, str) else secret
        self.challenge = os.urandom(16) if challenge else None
        if tid is None:
            tid = lac.next_tid
            lac.next_tid += 1
        self.tid = tid
        self.peer_tid = 0
        self.ns = self.nr = 0
        self.acked = 0  # the peer has acknowledged all before this Ns
        self.unacked = []  # [ns, packet, when last sent]
        self.inbox = []
        self.history = []  # every control message received, also duplicates
        self.acking = True
        self.resend_after = 1.0
        self.sessions = {}
        self.next_sid = 1
        self.zlbs = []  # of each ZLB its Ns, and the one that should come next
        self.duplicates = self.hellos = 0
        self.closed = None  # the StopCCN received
        lac.tunnels[tid] = self

    # ---------------------------------------------------------------- control channel

    def send(self, kind, *avps, sid=0, body=None):
        """Send a control message; it is repeated until acknowledged."""
        if body is None:
            body = avp(MESSAGE_TYPE, kind) + b"".join(avps)
        packet = control(self.peer_tid, sid, self.ns, self.nr, body)
        self.unacked.append([self.ns, packet, time.monotonic()])
        self.ns = (self.ns + 1) & 0xFFFF
        self.lac.send(packet)
        return packet

    def zlb(self, ns=None, nr=None):
        self.lac.send(control(self.peer_tid, 0, self.ns if ns is None else ns, self.nr if nr is None else nr, b""))

    def resend(self):
        now = time.monotonic()
        for entry in self.unacked:
            if now - entry[2] > self.resend_after:
                entry[2] = now
                self.lac.send(entry[1])

    def control_input(self, message):
        self.history.append(message)
        if self.secret:
            message.unhide(self.secret)
        if (message.nr - self.acked) & 0xFFFF < 0x8000:
            self.acked = message.nr
        self.unacked = [e for e in self.unacked if (e[0] - self.acked) & 0xFFFF < 0x8000]
        if not message.avps:
            self.zlbs.append((message.ns, self.nr))
            return
        ahead = (message.ns - self.nr) & 0xFFFF
        if ahead == 0:
            self.nr = (self.nr + 1) & 0xFFFF
            if message.type == SCCRP and not self.peer_tid:
                self.peer_tid = message.number(ASSIGNED_TUNNEL)
            if message.type == HELLO:
                self.hellos += 1
            else:
                self.inbox.append(message)
            self._notice(message)
        elif ahead >= 0x8000:
            self.duplicates += 1
        else:
            return
        if self.acking:
            self.zlb()

    def _notice(self, message):
        if message.type == STOPCCN:
            self.closed = message
        elif message.type == CDN and message.sid in self.sessions:
            self.sessions[message.sid].closed = message

    def wait_acked(self, timeout=20):
        """Wait until all we sent is acknowledged."""
        self.lac.wait(lambda: not self.unacked, "an acknowledgement", timeout)

    def expect(self, *kinds, sid=None, timeout=20):
        """Wait for a message of one of the types; it leaves the inbox."""
        def find():
            for message in self.inbox:
                if message.type in kinds and sid in (None, message.sid):
                    self.inbox.remove(message)
                    return message
            return None
        return self.lac.wait(find, "/".join(NAMES.get(k, str(k)) for k in kinds), timeout)

    # ---------------------------------------------------------------- tunnel

    def sccrq(self, *more, **changes):
        """The AVPs of our SCCRQ, after the message type."""
        fields = {PROTOCOL_VERSION: b"\1\0", FRAMING_CAP: u32(3), BEARER_CAP: u32(3), HOST_NAME: self.host,
                  ASSIGNED_TUNNEL: self.tid, WINDOW: self.window}
        if self.challenge:
            fields[CHALLENGE] = self.challenge
        return [avp(kind, value) for kind, value in fields.items()] + list(more)

    def open(self, *more):
        """SCCRQ, SCCRP, SCCCN."""
        self.send(SCCRQ, *self.sccrq(*more))
        self.reply = self.expect(SCCRP, STOPCCN)
        assert self.reply.type == SCCRP, self.reply
        self.connect()
        return self

    def connect(self):
        """Judge the SCCRP, send SCCCN and wait for its acknowledgement."""
        answer = []
        if self.challenge:
            assert self.reply.get(RESPONSE) == self.response_to(self.challenge, SCCRP), "a wrong Challenge Response"
        if self.reply.get(CHALLENGE) is not None and self.secret is not None:
            answer.append(avp(RESPONSE, self.response_to(self.reply.get(CHALLENGE), SCCCN)))
        self.send(SCCCN, *answer)
        self.wait_acked()

    def response_to(self, challenge, kind):
        return hashlib.md5(bytes([kind]) + self.secret + challenge).digest()

    def stop(self, result=1):
        """End it with StopCCN."""
        self.send(STOPCCN, avp(ASSIGNED_TUNNEL, self.tid), avp(RESULT_CODE, result))
        self.wait_acked()
        self.lac.tunnels.pop(self.tid, None)

    # ---------------------------------------------------------------- calls

    def icrq(self, sid, serial=None, calling="0733", called="0201"):
        return [avp(ASSIGNED_SESSION, sid), avp(CALL_SERIAL, u32(sid if serial is None else serial)),
                avp(BEARER_TYPE, u32(1)), avp(CALLED, called), avp(CALLING, calling)]

    @staticmethod
    def iccn():
        return [avp(TX_SPEED, u32(8000000)), avp(FRAMING_TYPE, u32(1)),
                avp(RX_SPEED, u32(1000000), mandatory=False)]

    def session(self, start=True, icrq=(), iccn=(), **kwargs):
        """A call: ICRQ, ICRP, ICCN; start=False stops before ICCN."""
        sid = kwargs.pop("sid", None) or self.next_sid
        self.next_sid = max(self.next_sid, sid) + 1
        session = Session(self, sid)
        self.send(ICRQ, *self.icrq(sid, **kwargs), *icrq)
        reply = self.expect(ICRP, CDN, sid=sid)
        session.reply = reply
        if reply.type == ICRP:
            session.peer_sid = reply.number(ASSIGNED_SESSION)
            if start:
                session.connect(*iccn)
        return session

    def data_input(self, flags, data):
        at = 4 if flags & 0x4000 else 2
        sid = struct.unpack("!H", data[at + 2:at + 4])[0]
        at += 4
        ns = None
        if flags & 0x0800:
            ns = struct.unpack("!H", data[at:at + 2])[0]
            at += 4
        if flags & 0x0200:
            at += 2 + struct.unpack("!H", data[at:at + 2])[0]
        if flags & 0x4000:
            assert struct.unpack("!H", data[2:4])[0] == len(data), "a data packet with a wrong length field"
        if sid in self.sessions:
            self.sessions[sid].frame_input(data[at:], ns)
        else:
            self.lac.strays.append(data)


class Session:
    """A call and the subscriber at its end."""

    def __init__(self, tunnel, sid):
        self.tunnel, self.lac, self.sid = tunnel, tunnel.lac, sid
        tunnel.sessions[sid] = self
        self.peer_sid = 0
        self.closed = None  # the CDN received
        self.frames = []  # (protocol, data) of all PPP control frames received
        self.packets = []  # IP packets received
        self.sequences = []  # Ns of data packets received, where given
        self.length = self.sequence = False  # fields of our data headers
        self.offset = None
        self.seq = 0
        self.answering = True  # follow PPP negotiation by ourselves
        self.ident = 0
        self.requests = {}  # protocol: identifier of the last Configure-Request
        self.mru = None
        self.wanted_address = "0.0.0.0"
        self.ask_dns = []  # of 129 and 131, RFC 1877
        self.user = self.password = ""
        self.lcp_sent = self.lcp_peer = self.ipcp_sent = self.ipcp_peer = False
        self.auth = None  # PAP or CHAP, as the LNS wants it
        self.chap_kind = 5  # MD5, or 0x81: MS-CHAPv2
        self.wanted_auth = None  # the value of the option that we would have: any other one is Nakked
        self.authenticated = None
        self.message = b""  # of the authentication's answer
        self.address = self.peer_address = None
        self.dns = {}
        self.terminated = False
        self.magic = os.urandom(4)
        self.echoes = 0

    def connect(self, *more):
        self.tunnel.send(ICCN, *self.tunnel.iccn(), *more, sid=self.peer_sid)
        self.tunnel.wait_acked()

    # ---------------------------------------------------------------- data

    def header(self, payload_size):
        flags = 2 | (0x4000 if self.length else 0) | (0x0800 if self.sequence else 0)
        rest = struct.pack("!HH", self.tunnel.peer_tid, self.peer_sid)
        if self.sequence:
            rest += struct.pack("!HH", self.seq, 0)
            self.seq = (self.seq + 1) & 0xFFFF
        if self.offset is not None:
            flags |= 0x0200
            rest += struct.pack("!H", self.offset) + b"\xa5" * self.offset
        size = b""
        if self.length:
            size = struct.pack("!H", 4 + len(rest) + payload_size)
        return struct.pack("!H", flags) + size + rest

    def send_frame(self, protocol, data, prefix=b"\xff\x03"):
        frame = prefix + struct.pack("!H", protocol) + data
        self.lac.send(self.header(len(frame)) + frame)

    def send_ip(self, packet):
        self.send_frame(IP, packet)

    def send_cp(self, protocol, code, data=b"", ident=None):
        """A packet of LCP, IPCP, PAP...; yields its identifier."""
        if ident is None:
            self.ident = ident = self.ident % 255 + 1
        if code == CONF_REQ:
            self.requests[protocol] = ident
        self.send_frame(protocol, struct.pack("!BBH", code, ident, 4 + len(data)) + data)
        return ident

    def frame_input(self, frame, ns=None):
        if ns is not None:
            self.sequences.append(ns)
        if frame[:2] == b"\xff\x03":
            frame = frame[2:]
        if frame[0] & 1:
            frame = b"\0" + frame
        protocol, data = struct.unpack("!H", frame[:2])[0], frame[2:]
        if protocol == IP:
            self.packets.append(data)
            return
        self.frames.append((protocol, data))
        if not self.answering or len(data) < 4:
            return
        code, ident, length = struct.unpack("!BBH", data[:4])
        body = data[4:length]
        handler = {LCP: self._lcp, IPCP: self._ipcp, PAP: self._pap, CHAP: self._chap}.get(protocol)
        if handler:
            handler(code, ident, body)
        elif code == CONF_REQ:
            self.send_cp(LCP, PROTO_REJ, struct.pack("!H", protocol) + data)

    # ---------------------------------------------------------------- PPP

    def _lcp(self, code, ident, body):
        if code == CONF_REQ:
            unwanted = b"".join(option(k, v) for k, v in options(body).items() if k not in (1, 2, 3, 5, 7, 8))
            if unwanted:
                self.send_cp(LCP, CONF_REJ, unwanted, ident)
                return
            wanted = options(body).get(3)
            if self.wanted_auth not in (None, wanted):
                self.send_cp(LCP, CONF_NAK, option(3, self.wanted_auth), ident)
                return
            self.chap_kind = wanted[2] if wanted and len(wanted) > 2 else 5
            self.auth = struct.unpack("!H", wanted[:2])[0] if wanted else None
            self.peer_mru = struct.unpack("!H", options(body).get(1, b"\x05\xdc"))[0]
            self.send_cp(LCP, CONF_ACK, body, ident)
            if self.lcp_sent and self.lcp_peer:  # RFC 1661 4.1: RCR+ in Opened
                self.lcp_sent, self.authenticated = False, None
                self.ipcp_sent = self.ipcp_peer = False
                self.lcp_request()
            self.lcp_peer = True
        elif code == CONF_ACK and ident == self.requests.get(LCP):  # RFC 1661 5.2: of the last one only
            self.lcp_sent = True
        elif code in (CONF_NAK, CONF_REJ):
            if 1 in options(body):
                self.mru = struct.unpack("!H", options(body)[1])[0] if code == CONF_NAK else None
            self.lcp_request()
        elif code == ECHO_REQ:
            self.echoes += 1
            self.send_cp(LCP, ECHO_REP, self.magic + body[4:], ident)
        elif code == TERM_REQ:
            self.terminated = True
            self.send_cp(LCP, TERM_ACK, b"", ident)

    def _pap(self, code, ident, body):
        self.authenticated = code == 2
        self.message = body[1:1 + body[0]] if body else b""

    def _chap(self, code, ident, body):
        if code == 1:
            self.chap_challenge, self.chap_ident = body[1:1 + body[0]], ident
            self.chap_respond()
        elif code in (3, 4):
            self.authenticated = code == 3
            self.message = body

    def chap_respond(self):
        value = hashlib.md5(bytes([self.chap_ident]) + self.password.encode() + self.chap_challenge).digest()
        if self.chap_kind == 0x81:  # of the right size: whoever looks into it needs a real client
            value = (value * 4)[:49]
        self.send_cp(CHAP, 2, bytes([len(value)]) + value + self.user.encode(), self.chap_ident)

    def _ipcp(self, code, ident, body):
        if code == CONF_REQ:
            got = options(body)
            if 3 in got:
                self.peer_address = socket.inet_ntoa(got[3])
            self.send_cp(IPCP, CONF_ACK, body, ident)
            if self.ipcp_sent and self.ipcp_peer:  # RFC 1661 4.1: RCR+ in Opened
                self.ipcp_sent = False
                self.ipcp_request()
            self.ipcp_peer = True
        elif code == CONF_ACK and ident == self.requests.get(IPCP):
            got = options(body)
            self.address = socket.inet_ntoa(got[3])
            self.ipcp_sent = True
        elif code == CONF_NAK:
            got = options(body)
            if 3 in got:
                self.wanted_address = socket.inet_ntoa(got[3])
            for kind in 129, 131:
                if kind in got:
                    self.dns[kind] = socket.inet_ntoa(got[kind])
            self.ipcp_request()
        elif code == CONF_REJ:
            self.ask_dns = [kind for kind in self.ask_dns if kind not in options(body)]
            self.ipcp_request()

    def lcp_request(self):
        body = option(5, self.magic)
        if self.mru:
            body += option(1, struct.pack("!H", self.mru))
        self.send_cp(LCP, CONF_REQ, body)

    def ipcp_request(self):
        body = option(3, socket.inet_aton(self.wanted_address))
        for kind in self.ask_dns:
            body += option(kind, socket.inet_aton(self.dns.get(kind, "0.0.0.0")))
        self.send_cp(IPCP, CONF_REQ, body)

    def pap_request(self, ident=None):
        user, password = _bytes(self.user), _bytes(self.password)
        return self.send_cp(PAP, 1, bytes([len(user)]) + user + bytes([len(password)]) + password, ident)

    def lcp_up(self):
        if not self.lcp_sent:  # a second request would begin the negotiation anew
            self.lcp_request()
        self.lac.wait(lambda: self.lcp_sent and self.lcp_peer or self.gone, "LCP to open", 20)
        assert not self.gone, "ended while LCP was negotiated: %r" % self.closed
        return self

    def renegotiate(self):
        """LCP once more, from the subscriber's side; then the login is to come."""
        self.lcp_sent = self.lcp_peer = self.ipcp_sent = self.ipcp_peer = False
        self.authenticated = None
        return self.lcp_up()

    @property
    def gone(self):
        return self.closed or self.terminated

    def authenticate(self, user, password, timeout=20):
        """LCP and the login; yields whether it was accepted."""
        self.user, self.password = user, password
        self.lcp_up()
        if self.auth == PAP:
            self.pap_request()
        self.lac.wait(lambda: self.authenticated is not None or self.gone, "the login's answer", timeout)
        return self.authenticated

    def up(self, user="joe", password="secret"):
        """All the way to an address."""
        assert self.authenticate(user, password), "the login failed: %r" % self.message
        self.ipcp_request()
        self.lac.wait(lambda: self.ipcp_sent and self.ipcp_peer or self.gone, "IPCP to open", 20)
        assert not self.gone, "ended while IPCP was negotiated: %r" % self.closed
        return self

    def wait_packet(self, predicate, timeout=20):
        """Wait for an IP packet; what came before it is dropped."""
        def find():
            while self.packets:
                packet = packets.Ip(self.packets.pop(0))
                if predicate(packet):
                    return packet
            return None
        return self.lac.wait(find, "an IP packet", timeout)

    def ping(self, target, size=32, source=None, timeout=10):
        """An echo request to the core and its answer, content compared."""
        ident = int.from_bytes(os.urandom(2), "big")
        data = os.urandom(size)
        for left in range(int(timeout) // 2, -1, -1):  # a busy machine may lose a packet between namespaces
            self.send_ip(packets.echo(source or self.address, target, ident, data=data))
            try:
                answer = self.wait_packet(
                    lambda p: p.proto == packets.ICMP and p.type == 0 and p.icmp_ident == ident, 2)
                break
            except Timeout:
                if left == 0:
                    raise
        assert (answer.src, answer.dst, answer.data) == (target, source or self.address, data)
        assert answer.transport_good and answer.header_good
        return answer

    def hangup(self, result=3):
        """End the call with CDN."""
        self.tunnel.send(CDN, avp(RESULT_CODE, result), avp(ASSIGNED_SESSION, self.sid), sid=self.peer_sid)
        self.tunnel.wait_acked()
        self.tunnel.sessions.pop(self.sid, None)


def subscriber(network, user="joe", password="secret", **kwargs):
    """A LAC with one tunnel and one subscriber online: the good one beside the bad."""
    lac = Lac(network, **kwargs)
    return lac.tunnel().session().up(user, password)
