"""A BGP neighbour for what real routers will not do. It speaks when the test says so.

    peer = Peer(network.core, "10.2.0.1")        # connects to the daemon; listen=True: is connected to
    peer.send(open_message(64513))               # octet by octet with slow=True
    peer.expect(NOTIFICATION)                    # the body of the next message, which is to be of that type
"""

import socket
import struct
import time

from netns import Timeout

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = range(1, 6)
MARKER = b"\xff" * 16


def message(kind, body=b"", length=None, marker=MARKER):
    return marker + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def capability(code, value=b""):
    return bytes([code, len(value)]) + value


def capabilities(as4=None, families=((1, 1),), more=b""):
    value = b"".join(capability(1, struct.pack("!HBB", afi, 0, safi)) for afi, safi in families)
    value += capability(2) + (capability(65, struct.pack("!I", as4)) if as4 else b"") + more
    return bytes([2, len(value)]) + value


def open_message(asn, hold=90, router_id="10.2.0.2", version=4, params=None, as4=None):
    params = capabilities(as4 or asn) if params is None else params
    return message(OPEN, struct.pack("!BHH4sB", version, min(asn, 65535), hold, socket.inet_aton(router_id),
                                     len(params)) + params)


def attribute(kind, value, flags=0x40):
    return struct.pack("!BBB", flags, kind, len(value)) + value


ORIGIN, NEXT_HOP = attribute(1, b"\0"), attribute(3, bytes([10, 2, 0, 2]))
AS_PATH = attribute(2, b"\x02\x01" + struct.pack("!I", 64513))
GOOD = ORIGIN + AS_PATH + NEXT_HOP


def update(attributes=b"", routes=b"", withdrawn=b"", attr_len=None, withdrawn_len=None):
    return message(UPDATE, struct.pack("!H", len(withdrawn) if withdrawn_len is None else withdrawn_len) + withdrawn +
                   struct.pack("!H", len(attributes) if attr_len is None else attr_len) + attributes + routes)


def prefixes(data):
    """The IPv4 routes of a field, as text."""
    found = []
    while data:
        n = (data[0] + 7) // 8
        found.append("%s/%d" % (socket.inet_ntoa(data[1:1 + n].ljust(4, b"\0")), data[0]))
        data = data[1 + n:]
    return found


def parse_update(body):
    """(withdrawn, {attribute: value}, announced)"""
    n = struct.unpack_from("!H", body)[0]
    withdrawn, rest = body[2:2 + n], body[2 + n:]
    n = struct.unpack_from("!H", rest)[0]
    attrs, routes, found = rest[2:2 + n], rest[2 + n:], {}
    while attrs:
        wide = attrs[0] & 0x10
        size = struct.unpack_from("!H", attrs, 2)[0] if wide else attrs[2]
        start = 4 if wide else 3
        found[attrs[1]] = attrs[start:start + size]
        attrs = attrs[start + size:]
    return prefixes(withdrawn), found, prefixes(routes)


class Closed(ConnectionError):
    pass


class Peer:
    def __init__(self, ns, address="10.2.0.1", source="10.2.0.2", connect=True, rcvbuf=None):
        self.ns = ns
        self.buffer = b""
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(15)
        self.sock.bind((source, 0 if connect else 179))
        if connect:
            self.sock.connect((address, 179))
        else:
            self.listener = self.sock
            self.listener.listen(4)

    def accept(self):
        self.sock = self.listener.accept()[0]
        self.sock.settimeout(15)
        self.buffer = b""
        return self

    def send(self, data, slow=False):
        if not slow:
            self.sock.sendall(data)
            return
        for i in range(len(data)):
            self.sock.send(data[i:i + 1])

    def read(self):
        """The next message: (type, body)."""
        while True:
            if len(self.buffer) >= 19:
                assert self.buffer[:16] == MARKER
                length, kind = struct.unpack_from("!HB", self.buffer, 16)
                assert 19 <= length <= 4096
                if len(self.buffer) >= length:
                    body, self.buffer = self.buffer[19:length], self.buffer[length:]
                    return kind, body
            try:
                part = self.sock.recv(65536)
            except socket.timeout:
                raise Timeout("BGP: nothing came") from None
            if not part:
                raise Closed("BGP: closed")
            self.buffer += part

    def expect(self, kind, skip=(KEEPALIVE, )):
        while True:
            got, body = self.read()
            if got == kind:
                return body
            assert got in skip, (got, body)

    def ended(self):
        """The other side closes the connection, and says nothing more."""
        try:
            while True:
                self.read()
        except (Closed, ConnectionResetError):
            return True

    def up(self, asn=64513, slow=False, **kwargs):
        """Through OPEN and KEEPALIVE; the other side's OPEN."""
        body = self.expect(OPEN)
        self.send(open_message(asn, **kwargs), slow)
        self.expect(KEEPALIVE, skip=())
        self.send(message(KEEPALIVE), slow)
        return body

    def table(self, count, timeout=60):
        """Reads UPDATEs until it has so many routes; {prefix: attributes}."""
        have, end = {}, time.monotonic() + timeout
        while len(have) < count:
            assert time.monotonic() < end, "only %d routes" % len(have)
            withdrawn, attrs, announced = parse_update(self.expect(UPDATE))
            for prefix in withdrawn:
                have.pop(prefix, None)
            have.update(dict.fromkeys(announced, attrs))
        return have

    def close(self):
        self.sock.close()
