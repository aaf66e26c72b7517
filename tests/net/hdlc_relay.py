"""Between a pppd and a UDP socket: `pppd pty "python3 hdlc_relay.py HOST PORT"`. A datagram is a PPP frame.

Asynchronous HDLC framing (RFC 1662 4, appendix C) is done here.
"""

import os
import select
import socket
import sys

FLAG, ESCAPE, GOOD_FCS = 0x7E, 0x7D, 0xF0B8


def fcs(data, value=0xFFFF):
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return value


def wrap(frame):
    frame += (fcs(frame) ^ 0xFFFF).to_bytes(2, "little")
    line = bytearray([FLAG])
    for octet in frame:
        line += bytes([ESCAPE, octet ^ 0x20]) if octet < 0x20 or octet in (FLAG, ESCAPE) else bytes([octet])
    return bytes(line + bytes([FLAG]))


def unwrap(line):
    """The frame in what stands between two flags; None: there is no good one."""
    frame, escaped = bytearray(), False
    for octet in line:
        if octet == ESCAPE:
            escaped = True
        else:
            frame.append(octet ^ 0x20 if escaped else octet)
            escaped = False
    return bytes(frame[:-2]) if len(frame) > 3 and fcs(frame) == GOOD_FCS else None


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((sys.argv[1], int(sys.argv[2])))
    line = b""
    while True:
        for ready in select.select([0, sock], [], [])[0]:
            if ready is sock:
                os.write(1, wrap(sock.recv(65536)))
                continue
            try:
                got = os.read(0, 65536)
            except OSError:  # pppd has gone
                return
            *parts, line = (line + got).split(bytes([FLAG]))
            for frame in filter(None, map(unwrap, parts)):
                sock.send(frame)


if __name__ == "__main__":
    main()
