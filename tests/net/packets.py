"""IPv4 packets: making, reading, checking."""

import socket
import struct

ICMP, TCP, UDP = 1, 6, 17


def checksum(data):
    """The Internet checksum; 0 over data that holds a right one."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(src, dst, proto, payload, ttl=64, ident=0, df=False, more=False, offset=0, tos=0, options=b""):
    flags = (0x4000 if df else 0) | (0x2000 if more else 0) | offset // 8
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, tos, words * 4 + len(payload), ident, flags, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def echo(src, dst, ident=1, seq=1, data=b"", reply=False, **kwargs):
    body = struct.pack("!BBHHH", 0 if reply else 8, 0, 0, ident, seq) + data
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(src, dst, ICMP, body, **kwargs)


def udp(src, dst, sport, dport, data=b"", **kwargs):
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", UDP, len(body))
    body = body[:6] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[8:]
    return ipv4(src, dst, UDP, body, **kwargs)


def tcp(src, dst, sport, dport, flags, seq=0, ack=0, options=b"", data=b"", window=65535, **kwargs):
    words = 5 + len(options) // 4
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, window, 0, 0) + options + data
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", TCP, len(body))
    body = body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]
    return ipv4(src, dst, TCP, body, **kwargs)


class Ip:
    """An IPv4 packet taken apart: src, dst, proto, ttl, df, payload, and what TCP/UDP/ICMP has."""

    def __init__(self, data):
        self.version = data[0] >> 4
        self.src = self.dst = ""
        self.proto = -1
        if self.version != 4 or len(data) < 20:
            return
        head = (data[0] & 15) * 4
        self.length, self.ident, flags, self.ttl, self.proto = struct.unpack("!HHHBB", data[2:10])
        self.df, self.more, self.offset = bool(flags & 0x4000), bool(flags & 0x2000), (flags & 0x1FFF) * 8
        self.src, self.dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        self.header_good = checksum(data[:head]) == 0
        self.payload = data[head:self.length]
        if self.offset == 0 and self.proto in (TCP, UDP) and len(self.payload) >= 8:
            self.sport, self.dport = struct.unpack("!HH", self.payload[:4])
        if self.offset == 0 and self.proto == TCP and len(self.payload) >= 20:
            self.flags = self.payload[13]
            self.options = self.payload[20:(self.payload[12] >> 4) * 4]
        if self.offset == 0 and self.proto == ICMP and len(self.payload) >= 8:
            self.type, self.code = self.payload[0], self.payload[1]
            self.icmp_ident, self.icmp_seq = struct.unpack("!HH", self.payload[4:8])
            self.data = self.payload[8:]

    @property
    def transport_good(self):
        """The checksum of TCP, UDP or ICMP is right."""
        if self.proto == ICMP:
            return checksum(self.payload) == 0
        pseudo = socket.inet_aton(self.src) + socket.inet_aton(self.dst) + struct.pack("!HH", self.proto,
                                                                                      len(self.payload))
        return checksum(pseudo + self.payload) == 0

    @property
    def mss(self):
        """The MSS option of a SYN, or None."""
        options = self.options
        while options:
            if options[0] == 0:
                return None
            if options[0] == 1:
                options = options[1:]
                continue
            if options[0] == 2:
                return struct.unpack("!H", options[2:4])[0]
            options = options[options[1]:]
        return None

    @property
    def is_syn(self):
        return self.proto == TCP and self.offset == 0 and bool(self.flags & 2)
