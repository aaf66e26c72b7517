"""Messages of the cluster as seen on its link, and as somebody else would put them there.

    wire = Wire(site)
    frames = wire.frames()                     # what went over the link since the last call
    wire.inject(frame)                         # the same frame again
    wire.inject(respoken(frame, payload))      # with another UDP payload, from the same member
    wire.say(message(...))                     # from an address of our own, by multicast
"""

import collections
import hashlib
import hmac
import json
import os
import socket
import struct

import cluster
from netns import wait_for

GROUP, PORT = "239.192.13.13", 32792
STRANGER = cluster.LINK % 200
(HEARTBEAT, CHALLENGE, PROOF, CHANGE, RESEND, SYNC_ASK, SYNC, SYNC_ACK, FORWARD, COUNT, COUNT_ASK, OFFER,
 LEAVE, FORWARD_ACK) = range(1, 15)
MAGIC, FORMAT, SIGNED = 0x4c4e, 1, 1
HEADER = struct.Struct("!HBBHHQQQI")
MAC = 32
ETH, IP, UDP = 14, 20, 8

Head = collections.namedtuple("Head", "magic format kind flags reserved incarnation receiver counter term")


def head_of(payload):
    return Head(*HEADER.unpack(payload[:HEADER.size]))


def sign(body, key):
    return body + hmac.new(key.encode(), body, hashlib.sha256).digest()


def message(kind, incarnation, counter, term, fields=b"", key=None, receiver=0):
    """A whole message; without a key it is not signed."""
    body = HEADER.pack(MAGIC, FORMAT, kind, SIGNED if key else 0, 0, incarnation, receiver, counter, term) + fields
    return sign(body, key) if key else body


def field(tag, value):
    if isinstance(value, int):
        value = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return struct.pack("!HH", tag, len(value)) + value


def payload_of(frame):
    return frame[ETH + IP + UDP:]


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def respoken(frame, payload):
    """The frame with another payload; UDP goes without a checksum."""
    ip = bytearray(frame[ETH:ETH + IP])
    struct.pack_into("!H", ip, 2, IP + UDP + len(payload))
    struct.pack_into("!H", ip, 10, 0)
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    udp = frame[ETH + IP:ETH + IP + 4] + struct.pack("!HH", UDP + len(payload), 0)
    return frame[:ETH] + bytes(ip) + udp + payload


def readdressed(frame, member):
    """The frame as it would go to another member."""
    ip = bytearray(frame[ETH:ETH + IP])
    ip[16:20] = socket.inet_aton(member.address)
    struct.pack_into("!H", ip, 10, 0)
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    shown, = json.loads(member.ns.run("ip", "-json", "link", "show", "among"))
    mac = bytes.fromhex(shown["address"].replace(":", ""))
    return mac + frame[6:ETH] + bytes(ip) + frame[ETH + IP:ETH + IP + 6] + b"\0\0" + payload_of(frame)


def ends_of(frame):
    """Source and destination address."""
    return socket.inet_ntoa(frame[ETH + 12:ETH + 16]), socket.inet_ntoa(frame[ETH + 16:ETH + 20])


class Wire:
    """The link of the members, seen from their switch."""

    ETH_P_ALL = 3  # a bridge takes the rest before we see it

    def __init__(self, site):
        self.site = site
        ns = site.switch
        if STRANGER not in ns.run("ip", "addr", "show", "dev", "br0"):
            ns.ip("addr add %s/24 dev br0" % STRANGER)
        self.taps = [self._raw("m%d" % m.number) for m in site.members]
        self.out = self._raw("br0")
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((STRANGER, PORT))
        self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(STRANGER))
        self.sock.settimeout(0)

    def _raw(self, device):
        sock = self.site.switch.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        sock.bind((device, self.ETH_P_ALL))
        sock.settimeout(0)
        return sock

    def frames(self):
        """Whole messages as they came out of the members, in order of time for each."""
        found = []
        for tap in self.taps:
            while True:
                try:
                    frame, where = tap.recvfrom(65536)
                except BlockingIOError:
                    break
                if where[2] == socket.PACKET_OUTGOING or not self._ours(frame):
                    continue
                found.append(frame)
        return found

    @staticmethod
    def _ours(frame):
        ip = frame[ETH:]
        return (frame[12:ETH] == b"\x08\0" and len(ip) > IP + UDP + HEADER.size and ip[0] == 0x45 and ip[9] == socket.IPPROTO_UDP
                and not int.from_bytes(ip[6:8], "big") & 0x3fff and ip[22:24] == PORT.to_bytes(2, "big"))

    def inject(self, frame):
        self.out.send(frame)

    def say(self, payload, to=GROUP):
        self.sock.sendto(payload, (to, PORT))

    def heard(self):
        """What the members have said to the stranger."""
        found = []
        while True:
            try:
                found.append(self.sock.recv(65536))
            except BlockingIOError:
                return found

    def close(self):
        for sock in (*self.taps, self.out, self.sock):
            sock.close()


class Rogue:
    """Somebody at the stranger's address who has the key and has proven himself: a member that errs.

    rogue = Rogue(wire, key)
    rogue.join(3)                               # until he is known to so many members
    rogue.say(RESEND, fields, to=member)
    """

    def __init__(self, wire, key):
        self.wire, self.key = wire, key
        self.incarnation, self.counter, self.term = int.from_bytes(os.urandom(8), "big") | 1, 0, 0
        self.host = b"rogue"
        self.members = {}  # address: incarnation
        self.heard = collections.Counter()  # octets by kind, of what was said to him

    def say(self, kind, fields=b"", to=None, term=None):
        """To the address of a member, who is named; or to all."""
        self.counter += 1
        self.wire.say(message(kind, self.incarnation, self.counter, self.term if term is None else term, fields, self.key,
                              self.members.get(to, 0)), to or GROUP)

    def heartbeat(self, role=0, flags=0, version=0, seq=0, master=0, base=0, to=None, term=None):
        uptime = 1000 + self.counter
        fields = (field(2, role) + field(3, flags) + field(4, uptime) + field(5, version) + field(6, seq)
                  + field(7, socket.inet_aton(STRANGER)) + field(8, self.host) + field(9, b"0.0.0-of-a-rogue")
                  + field(12, master) + field(28, base))
        self.say(HEARTBEAT, fields, to, term)

    def listen(self):
        """Takes what was said to him; answers challenges."""
        while True:
            try:
                data, (address, _) = self.wire.sock.recvfrom(65536)
            except BlockingIOError:
                return
            head = head_of(data)
            self.heard[head.kind] += len(data)
            self.term = max(self.term, head.term)
            if head.kind != CHALLENGE or head.receiver != self.incarnation:
                continue
            self.members[address] = head.incarnation
            nonce = data[data.index(b"\x00\x0d\x00\x10") + 4:][:16]
            self.say(PROOF, field(7, socket.inet_aton(STRANGER)) + field(13, nonce), address)

    def join(self, many):
        def known():
            self.heartbeat()
            self.listen()
            shown = [m.show()["peers"] for m in self.wire.site.members]
            return len(self.members) >= many and sum(any(p["address"] == STRANGER for p in peers) for peers in shown) >= many
        wait_for(known, "the rogue's place among the members")
