"""A RADIUS server that misbehaves as the test asks: silent, late, wrong in one respect or another.

    server = FakeRadius(network.core, network.CORE)
    server.answer = lambda server, request: [server.accept(request)]    # a list of packets; [] is silence
    ...
    server.requests                                                     # what came, in order
"""

import hashlib
import hmac
import socket
import struct
import threading
import time

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE = 1, 2, 3, 11
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP, NAS_PORT, SERVICE_TYPE, FRAMED_PROTOCOL = range(1, 8)
FRAMED_IP, FRAMED_NETMASK, FILTER_ID, FRAMED_MTU, REPLY_MESSAGE, FRAMED_ROUTE = 8, 9, 11, 12, 18, 22
STATE, CLASS, VENDOR, SESSION_TIMEOUT, IDLE_TIMEOUT, PROXY_STATE, EVENT_TIMESTAMP = 24, 25, 26, 27, 28, 33, 55
CALLED_STATION, CALLING_STATION, NAS_IDENTIFIER, ACCT_SESSION_ID = 30, 31, 32, 44
CHAP_CHALLENGE, NAS_PORT_TYPE, TUNNEL_TYPE, TUNNEL_MEDIUM = 60, 61, 64, 65
TUNNEL_CLIENT, TUNNEL_SERVER, CONNECT_INFO, MESSAGE_AUTHENTICATOR, NAS_PORT_ID = 66, 67, 77, 80, 87
(STATUS_TYPE, DELAY_TIME, INPUT_OCTETS, OUTPUT_OCTETS) = range(40, 44)
(AUTHENTIC, SESSION_TIME, INPUT_PACKETS, OUTPUT_PACKETS, TERMINATE_CAUSE) = range(45, 50)
INPUT_GIGAWORDS, OUTPUT_GIGAWORDS, EVENT_TIMESTAMP = 52, 53, 55
CUI = 89
TUNNEL_CONNECTION, INTERIM_INTERVAL, TUNNEL_CLIENT_AUTH = 68, 85, 90
PORT_LIMIT, FRAMED_POOL = 62, 88
START, STOP, INTERIM, ACCT_ON, ACCT_OFF = 1, 2, 3, 7, 8


def attribute(kind, value):
    if isinstance(value, int):
        value = struct.pack("!I", value)
    elif isinstance(value, str):
        value = value.encode()
    return bytes([kind, len(value) + 2]) + value


class Request:
    """A packet that came in."""

    def __init__(self, data, source, sock):
        self.raw, self.source, self.sock = data, source, sock
        self.time = time.monotonic()
        self.code, self.id, self.length = struct.unpack("!BBH", data[:4])
        assert self.length == len(data), "length %d of %d bytes" % (self.length, len(data))
        self.authenticator = data[4:20]
        self.attributes = []
        rest = data[20:]
        while rest:
            assert 2 <= rest[1] <= len(rest), "an attribute of %d bytes in %d" % (rest[1], len(rest))
            self.attributes.append((rest[0], rest[2:rest[1]]))
            rest = rest[rest[1]:]

    def get(self, kind):
        return next((value for k, value in self.attributes if k == kind), None)

    def number(self, kind):
        value = self.get(kind)
        return None if value is None else int.from_bytes(value, "big")

    def signed(self, secret):
        """The Message-Authenticator is right."""
        mine = self.get(MESSAGE_AUTHENTICATOR)
        return mine is not None and hmac.new(secret, self.raw.replace(mine, bytes(16)), "md5").digest() == mine

    def authentic(self, secret):
        """The authenticator of an Accounting-Request is right (RFC 2866 3)."""
        return hashlib.md5(self.raw[:4] + bytes(16) + self.raw[20:] + secret).digest() == self.authenticator

    def all(self, kind):
        return [value for k, value in self.attributes if k == kind]

    @property
    def status(self):
        return self.number(STATUS_TYPE)

    def octets(self, low, high):
        return self.number(high) << 32 | self.number(low)

    def password(self, secret):
        """User-Password in clear."""
        value, last, clear = self.get(USER_PASSWORD), self.authenticator, b""
        for i in range(0, len(value), 16):
            key = hashlib.md5(secret + last).digest()
            last = value[i:i + 16]
            clear += bytes(a ^ b for a, b in zip(last, key))
        return clear.rstrip(b"\0")


class FakeRadius:
    """One address and port; answers in a thread of its own."""

    def __init__(self, ns, address, port=1812, secret="radsecret"):
        self.ns, self.address, self.port = ns, address, port
        self.secret = secret.encode()
        self.requests = []
        self.answer = lambda server, request: [server.accept(request)]
        self.error = None
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                data, source = self.sock.recvfrom(65536)
            except OSError:
                return
            if not data:
                return
            try:
                request = Request(data, source, self.sock)
                self.requests.append(request)
                for packet in self.answer(self, request):
                    self.sock.sendto(packet, source)
            except Exception as error:  # told to the test, which asks for it
                self.error = error

    @property
    def access(self):
        """The Access-Requests, repetitions included."""
        assert self.error is None, self.error
        return [r for r in self.requests if r.code == ACCESS_REQUEST]

    @property
    def records(self):
        """The Accounting-Requests, repetitions of the same packet left out; all are authentic."""
        assert self.error is None, self.error
        found = {}
        for r in self.requests:
            if r.code == ACCOUNTING_REQUEST:
                assert r.authentic(self.secret), "a wrong authenticator"
                found.setdefault((r.source, r.raw), r)
        return list(found.values())

    def reply(self, request, code, *attributes, secret=None, sign=True, ident=None, authenticator=None):
        """A reply; signed with Message-Authenticator first, unless told otherwise."""
        secret = self.secret if secret is None else secret
        body = b"".join(attributes)
        if sign:
            body = bytes([MESSAGE_AUTHENTICATOR, 18]) + bytes(16) + body
        ident = request.id if ident is None else ident
        head = struct.pack("!BBH", code, ident, 20 + len(body))
        if sign:
            mac = hmac.new(secret, head + request.authenticator + body, "md5").digest()
            body = body[:2] + mac + body[18:]
        if authenticator is None:
            authenticator = hashlib.md5(head + request.authenticator + body + secret).digest()
        return head + authenticator + body

    def accept(self, request, *attributes, **kwargs):
        return self.reply(request, ACCESS_ACCEPT, *attributes, **kwargs)

    def reject(self, request, *attributes, **kwargs):
        return self.reply(request, ACCESS_REJECT, *attributes, **kwargs)

    def close(self):
        waker = self.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        waker.sendto(b"", (self.address, self.port))
        waker.close()
        self.thread.join(5)
        self.sock.close()


def silent(server, request):
    return []


def acknowledge(server, request):
    return [server.reply(request, ACCOUNTING_RESPONSE, sign=False)]
