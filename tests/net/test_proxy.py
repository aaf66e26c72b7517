"""A LAC that negotiates LCP and hears the login before it calls us (RFC 2661 4.4.5), and a real pppd behind it.

pppd is in the guest; what it would send over a telephone line comes here in datagrams (hdlc_relay.py). This file is
the LAC: it plays LCP and the authenticator, then calls, and passes on frames both ways from then on.
"""

import os
import select
import shutil
import socket
import struct
import threading
import time

import pytest

from netns import Timeout, wait_for
from pylac import (CHAP, CONF_ACK, CONF_REJ, CONF_REQ, LAST_RCVD_LCP, LAST_SENT_LCP, LCP, PAP, PROXY_AUTHEN_CHALLENGE,
                   PROXY_AUTHEN_ID, PROXY_AUTHEN_NAME, PROXY_AUTHEN_RESPONSE, PROXY_AUTHEN_TYPE, Lac, avp, option,
                   options)
from uml import HERE

PORT = 7100
USERS = {"joe": "secret", "ann": "secret"}
METHODS = {"pap": b"\xc0\x23", "chap": b"\xc2\x23\x05"}


class ProxyLac:
    def __init__(self, network):
        self.sock = network.lac.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((network.LAC, PORT))
        self.caller = None  # where pppd's frames come from
        self.lac = Lac(network)
        self.up, self.down = [], []  # frames passed on
        self.thread, self.over = None, False

    # ---------------------------------------------------------------- in place of the LNS

    def send_cp(self, protocol, code, ident, body):
        self.sock.sendto(struct.pack("!HHBBH", 0xFF03, protocol, code, ident, 4 + len(body)) + body, self.caller)

    def hear(self, again):
        """The next control packet of pppd: (protocol, code, ident, body); after a second without, `again` is called."""
        end = time.monotonic() + 30
        while True:
            if not select.select([self.sock], [], [], 1)[0]:
                if time.monotonic() > end:
                    raise Timeout("pppd says nothing")
                if self.caller:
                    again()
                continue
            frame, self.caller = self.sock.recvfrom(65536)
            if frame[:2] == b"\xff\x03":  # not there once he compresses
                frame = frame[2:]
            protocol, code, ident, length = struct.unpack("!HBBH", frame[:6])
            return protocol, code, ident, frame[6:2 + length]

    def negotiate(self, mine):
        """LCP as the LAC would have it; yields what pppd asked for in the end."""
        his, accepted, asked = None, False, 0

        def ask():
            nonlocal asked
            asked += 1
            self.send_cp(LCP, CONF_REQ, asked, mine)
        while his is None or not accepted:
            protocol, code, ident, body = self.hear(ask)
            if protocol != LCP:
                continue
            if code == CONF_REQ:
                foreign = b"".join(option(k, v) for k, v in options(body).items() if k not in (1, 2, 5, 7, 8))
                self.send_cp(LCP, CONF_REJ if foreign else CONF_ACK, ident, foreign or body)
                his = None if foreign else body
                if not asked:
                    ask()
            accepted = accepted or code == CONF_ACK
        return his

    def hear_proof(self, method):
        """The login, as Proxy Authen AVPs."""
        challenge = os.urandom(16)

        def ask():
            if method == "chap":
                self.send_cp(CHAP, 1, 9, bytes([16]) + challenge + b"lac")
        ask()
        while True:
            protocol, code, ident, body = self.hear(ask)
            if protocol == PAP and code == 1:
                name, rest = body[1:1 + body[0]], body[1 + body[0]:]
                found = {PROXY_AUTHEN_TYPE: 3, PROXY_AUTHEN_NAME: name, PROXY_AUTHEN_RESPONSE: rest[1:1 + rest[0]]}
                break
            if protocol == CHAP and code == 2:
                found = {PROXY_AUTHEN_TYPE: 2, PROXY_AUTHEN_NAME: body[17:], PROXY_AUTHEN_CHALLENGE: challenge,
                         PROXY_AUTHEN_RESPONSE: body[1:17]}
                break
        return {**found, PROXY_AUTHEN_ID: ident}

    def call(self, method, mru=1460):
        """All that; then the call to the LNS."""
        mine = option(1, struct.pack("!H", mru)) + option(3, METHODS[method]) + option(5, os.urandom(4))
        mine += option(7) + option(8)
        his = self.negotiate(mine)
        values = {LAST_SENT_LCP: mine, LAST_RCVD_LCP: his, **self.hear_proof(method)}
        session = self.lac.tunnel().session(start=False)
        session.frame_input = self.pass_down
        session.connect(*(avp(kind, value, mandatory=False) for kind, value in values.items()))
        self.thread = threading.Thread(target=self.relay, args=(session,), daemon=True)
        self.thread.start()
        return his

    # ---------------------------------------------------------------- passing on

    def pass_down(self, frame, ns=None):
        self.down.append(frame)
        self.sock.sendto(frame, self.caller)

    def relay(self, session):
        while not self.over:
            ready = select.select([self.sock, self.lac.sock], [], [], 0.2)[0]
            if self.sock in ready:
                frame, self.caller = self.sock.recvfrom(65536)
                self.up.append(frame)
                self.lac.send(session.header(len(frame)) + frame)
            if self.lac.sock in ready:
                self.lac.pump()
            session.tunnel.resend()

    @property
    def lcp_requests(self):
        """Configure-Requests of the LNS."""
        return [f for f in self.down if f[:5] == struct.pack("!HHB", 0xFF03, LCP, CONF_REQ)]

    def close(self):
        self.over = True
        if self.thread:
            self.thread.join(5)
        self.sock.close()
        self.lac.close()


class Caller:
    """A pppd whose line leads to the LAC."""

    count = 0

    def __init__(self, guest, user="joe", password="secret"):
        self.guest, self.unit = guest, Caller.count
        Caller.count += 1
        self.name = "caller%d" % self.unit
        guest.write(self.name + ".options", "\n".join([
            'pty "python3 /run/host/hdlc_relay.py %s %d"' % (guest.network.LAC, PORT), "nodetach", "noauth", "noipv6",
            "nodefaultroute", "noipdefault", "ipcp-accept-local", "ipcp-accept-remote", "debug", "local", "noccp",
            "lcp-restart 1", "lcp-max-configure 20", "unit %d" % self.unit, "ipparam " + self.name, "user " + user,
            "password " + password, "logfile /run/host/%s.ppp" % self.name, ""]))
        self.pid = guest.spawn("pppd file /run/host/%s.options" % self.name, self.name + ".out")

    @property
    def log(self):
        return self.guest.read(self.name + ".ppp")

    def wait_up(self):
        def env():
            lines = self.guest.read(self.name + ".up").splitlines()
            return dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            self.address = wait_for(env, "ip-up", 30)["IPLOCAL"]
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.log)) from None
        return self

    def ping(self, target, size=56):
        self.guest.run("ping -n -c3 -i0.1 -W5 -s %d -I %s %s" % (size, self.address, target))

    def kill(self):
        self.guest.run("kill -9 %d 2>/dev/null" % self.pid, check=False)


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1", "radius_authtypes": "pap,chap"}, local_users=USERS)
    module.guest = module.uml()
    shutil.copy(os.path.join(HERE, "hdlc_relay.py"), module.guest.folder)
    return module


@pytest.fixture
def lns(site):
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def line(site, lns):
    line = ProxyLac(site.network)
    yield line
    line.close()
    lns.run("drop user joe")
    wait_for(lambda: lns.sessions() == [], "the end of the sessions", 40)


@pytest.fixture
def dial(site):
    callers = []

    def dial(**kwargs):
        callers.append(Caller(site.guest, **kwargs))
        return callers[-1]
    yield dial
    for caller in callers:
        caller.kill()


@pytest.mark.parametrize("method", METHODS)
def test_no_negotiation(site, lns, line, dial, method):
    """pppd has spoken to the LAC, and goes on with IPCP: its compressed frames are understood, both ways carry data."""
    caller = dial()
    asked = options(line.call(method))
    assert 7 in asked and 8 in asked
    caller.wait_up()
    assert line.lcp_requests == []
    assert lns.session("joe")["IP"] == caller.address
    for size in 0, 56, 1000, 1400:
        caller.ping(site.network.CORE, size)
    assert [frame for frame in line.up if frame[0] == 0x21], "pppd does not compress: %s" % line.up[-1].hex()


def test_wrong_password(site, lns, line, dial):
    """pppd is told, as if it had spoken to us."""
    caller = dial(password="wrong")
    line.call("pap")
    wait_for(lambda: "PAP authentication failed" in caller.log, "the refusal")
    assert line.lcp_requests == [] and lns.session("joe") is None


def test_does_not_suffice(site, lns, line, dial):
    """The LAC has asked for an MRU above ours: LCP is negotiated again, by us and pppd, and the login too."""
    caller = dial()
    line.call("pap", mru=1500)
    caller.wait_up()
    assert line.lcp_requests
    caller.ping(site.network.CORE, 1400)


def test_negotiated_anew(site, lns, line, dial):
    """pppd crashes and another one starts on the line: LCP, the login and IPCP once more, with the same address."""
    first = dial()
    line.call("chap")
    first.wait_up().ping(site.network.CORE)
    first.kill()
    second = dial().wait_up()
    assert line.lcp_requests
    assert second.address == first.address
    second.ping(site.network.CORE, 1400)
