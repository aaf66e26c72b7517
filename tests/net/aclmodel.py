"""Access lists read a second time, from the text of their rules and the octets of packets.

    acl = Acl(True, ["deny tcp any any eq 25", "permit ip any any"])
    acl.judge(packet)           # (permitted, place of the rule that decided; None: no rule)

Written from the manual and RFC 791, 793, 768, 1858 and 3128 alone, to be laid beside what the daemon does.
"""

import random
import socket
import struct

PROTOCOLS = {"ip": None, "tcp": 6, "udp": 17}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32}
PORTS = {"eq": lambda have, a: have == a, "neq": lambda have, a: have != a, "gt": lambda have, a: have > a,
         "lt": lambda have, a: have < a}


class Packet:
    def __init__(self, data):
        head = (data[0] & 15) * 4
        total, _, frag = struct.unpack("!HHH", data[2:8])
        self.offset, self.proto = frag & 0x1FFF, data[9]
        self.src, self.dst = data[12:16], data[16:20]
        body = data[head:total]
        self.whole = self.offset == 0 and len(body) >= {6: 20, 17: 8}.get(self.proto, 1 << 20)
        if self.whole:
            self.sport, self.dport = struct.unpack("!HH", body[:4])
            self.flags = body[13] if self.proto == 6 else 0


def take_address(words):
    """A function that says whether an address is meant."""
    if words[0] == "any":
        words.pop(0)
        return lambda address: True
    if words[0] == "host":
        words.pop(0)
    elif len(words) > 1 and words[1][0].isdigit():
        base, wild = (int.from_bytes(socket.inet_aton(words.pop(0)), "big") for _ in range(2))
        bits = [n for n in range(32) if not wild >> n & 1]
        return lambda address: all((int.from_bytes(address, "big") ^ base) >> n & 1 == 0 for n in bits)
    base = socket.inet_aton(words.pop(0))
    return lambda address: address == base


def take_ports(words):
    """A function that says whether a port is meant; None: any, also where there is none."""
    if words and words[0] in PORTS:
        compare, port = PORTS[words[0]], int(words[1])
        del words[:2]
        return lambda have: compare(have, port)
    if words and words[0] == "range":
        first, last = int(words[1]), int(words[2])
        del words[:3]
        return lambda have: have in range(first, last + 1)
    return None


def take_flags(words):
    if not words or words[0] == "fragments":
        return None
    kind = words.pop(0)
    if kind == "established":
        return lambda flags: bool(flags & FLAGS["ack"] or flags & FLAGS["rst"])
    wanted = [(FLAGS[word[1:]], word[0] == "+") for word in words]
    words.clear()
    join = {"match-any": any, "match-all": all}[kind]
    return lambda flags: join(bool(flags & bit) == on for bit, on in wanted)


class Rule:
    def __init__(self, text, extended):
        words = text.split()
        self.permit = words.pop(0) == "permit"
        self.proto = PROTOCOLS[words.pop(0)] if extended else None
        self.src = take_address(words)
        self.sport = take_ports(words) if extended else None
        self.dst = take_address(words) if words else lambda address: True
        self.dport = take_ports(words) if extended else None
        self.flags = take_flags(words) if extended else None
        self.fragments = words == ["fragments"]
        assert self.fragments or not words, text

    def meets(self, p):
        if self.proto not in (None, p.proto) or not self.src(p.src) or not self.dst(p.dst):
            return False
        if self.fragments:
            return p.offset > 0
        tests = [test for test in (self.sport, self.dport, self.flags) if test]
        if not tests:
            return True
        if p.offset:
            return self.permit  # one that comes to nothing without its first fragment
        if not p.whole:
            return not self.permit
        return ((not self.sport or self.sport(p.sport)) and (not self.dport or self.dport(p.dport))
                and (not self.flags or self.flags(p.flags)))


class Acl:
    def __init__(self, extended, rules):
        self.extended, self.texts = extended, rules
        self.rules = [Rule(text, extended) for text in rules]

    def judge(self, data):
        p = Packet(data)
        if p.proto == 6 and p.offset == 1:
            return False, None
        for place, rule in enumerate(self.rules):
            if rule.meets(p):
                return rule.permit, place
        return False, None


# ---------------------------------------------------------------------------- by chance

def some_address(rng, hosts):
    """`hosts`: those that occur, so that rules fit."""
    host = rng.choice(hosts)
    base = int.from_bytes(socket.inet_aton(host), "big")
    wild = rng.choice([0, 1, 2, 5, 0xFF, 0x00FF00FF, 0x0F000000, 0xFFFFFF00, 0xFFFFFFFF])
    masked = "%s %s" % (host if rng.random() < .5 else socket.inet_ntoa(struct.pack("!I", base & ~wild)),
                        socket.inet_ntoa(struct.pack("!I", wild)))
    return rng.choice(["any", "host " + host, masked, masked])


def some_ports(rng, ports):
    a, b = sorted(rng.choices(ports, k=2))
    return rng.choice(["", "", "%s %d" % (rng.choice(list(PORTS)), a), "range %d %d" % (a, b)])


def some_rule(rng, extended, sources, targets, ports):
    what = rng.choice(["permit", "permit", "deny"])
    src, dst = some_address(rng, sources), some_address(rng, targets)
    if not extended:
        return " ".join([what, src, rng.choice(["", dst])]).strip()
    proto = rng.choice(list(PROTOCOLS))
    sport, dport, tail = "", "", ""
    if proto != "ip":
        sport, dport = some_ports(rng, ports), some_ports(rng, ports)
    if proto == "tcp" and rng.random() < .5:
        names = rng.sample(list(FLAGS), rng.randint(1, 3))
        tail = rng.choice(["established", "match-%s %s" % (rng.choice(["any", "all"]),
                                                           " ".join(rng.choice("+-") + name for name in names))])
    elif not sport and not dport and rng.random() < .3:
        tail = "fragments"
    return " ".join(" ".join([what, proto, src, sport, dst, dport, tail]).split())


def some_list(seed, extended, sources, targets, ports, most=8):
    rng = random.Random(seed)
    rules = [some_rule(rng, extended, sources, targets, ports) for _ in range(rng.randint(1, most))]
    return Acl(extended, list(dict.fromkeys(rules)))
